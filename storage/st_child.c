/* st_child.c: SQL of small resources below a namespace. */
#include "storage/st_child.h"
#include "storage/stmt.h"

static struct stmt begin(struct tx *tx, int id, int64_t ns, const char *kind)
{
    struct stmt s = stmt_get(tx, id);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_text(&s, 2, kind);
    return s;
}

enum sb_err st_child_put(struct tx *tx, int64_t ns, const char *kind, const struct st_child *row,
                         struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = begin(tx, SB_CHILD_PUT, ns, kind);
    stmt_bind_text(&s, 3, row->name);
    stmt_bind_text(&s, 4, row->body);
    return stmt_exec(&s, err);
}

enum sb_err st_child_delete(struct tx *tx, int64_t ns, const char *kind, const char *name,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = begin(tx, SB_CHILD_DELETE, ns, kind);
    stmt_bind_text(&s, 3, name);
    return stmt_exec(&s, err);
}

static void read_child(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_child *c = row;
    c->name = stmt_text(s, 0, a);
    c->body = stmt_text(s, 1, a);
}

enum sb_err st_child_list(struct tx *tx, int64_t ns, const char *kind, const char *name, size_t max,
                          struct sb_arena *a, struct st_child **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = begin(tx, SB_CHILD_LIST, ns, kind);
    stmt_bind_text(&s, 3, name);
    stmt_bind_i64(&s, 4, (int64_t)max);
    return stmt_all(&s, read_child, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_child_count(struct tx *tx, int64_t ns, const char *kind, int64_t *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = begin(tx, SB_CHILD_COUNT, ns, kind);
    return stmt_number(&s, 0, ret, err);
}
