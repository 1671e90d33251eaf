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

enum sb_err st_diagnostic_list(struct tx *tx, const char *scope, struct sb_arena *a,
                               struct st_diagnostic **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct st_diagnostic *rows = NULL;
    size_t n = 0;
    bool more;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DIAGNOSTIC_LIST);
    stmt_bind_text(&s, 1, scope);
    SB_TRY(stmt_row(&s, &more, err));
    while (more) {
        /* A resource has a handful: each row makes the array anew. */
        struct st_diagnostic *longer = ARENA_ARRAY(a, struct st_diagnostic, n + 1);
        if (longer == NULL) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory reading diagnostic settings");
            goto out;
        }
        if (n > 0)
            memcpy(longer, rows, n * sizeof *rows);
        rows = longer;
        rows[n++] = (struct st_diagnostic){
            .scope = stmt_text(&s, 0, a), .name = stmt_text(&s, 1, a), .body = stmt_text(&s, 2, a)};
        SB_TRY(stmt_row(&s, &more, err));
    }
    *ret = rows;
    *ret_n = n;
out:
    return rc;
}

enum sb_err st_diagnostic_drop(struct tx *tx, const char *scope, const char *name, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_DIAGNOSTIC_DROP);
    stmt_bind_text(&s, 1, scope);
    stmt_bind_text(&s, 2, name);
    return stmt_exec(&s, err);
}
