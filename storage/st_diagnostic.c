/* st_diagnostic.c: SQL of diagnostic settings. */
#include "storage/st_diagnostic.h"
#include "storage/stmt.h"

enum sb_err st_diagnostic_put(struct tx *tx, const struct st_diagnostic *d, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DIAGNOSTIC_PUT);
    stmt_bind_text(&s, 1, d->scope);
    stmt_bind_text(&s, 2, d->name);
    stmt_bind_text(&s, 3, d->body);
    return stmt_exec(&s, err);
}

static void read_diagnostic(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_diagnostic *d = row;
    d->scope = stmt_text(s, 0, a);
    d->name = stmt_text(s, 1, a);
    d->body = stmt_text(s, 2, a);
}

enum sb_err st_diagnostic_list(struct tx *tx, const char *scope, struct sb_arena *a,
                               struct st_diagnostic **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DIAGNOSTIC_LIST);
    stmt_bind_text(&s, 1, scope);
    return stmt_all(&s, read_diagnostic, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_diagnostic_drop(struct tx *tx, const char *scope, const char *name, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DIAGNOSTIC_DROP);
    stmt_bind_text(&s, 1, scope);
    stmt_bind_text(&s, 2, name);
    return stmt_exec(&s, err);
}
