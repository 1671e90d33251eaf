/* st_alias.c: SQL of geo-DR aliases. */
#include "storage/st_alias.h"
#include "storage/stmt.h"

enum sb_err st_alias_put(struct tx *tx, const struct st_alias *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ALIAS_PUT);
    stmt_bind_i64(&s, 1, row->ns);
    stmt_bind_text(&s, 2, row->name);
    stmt_bind_i64(&s, 3, row->role);
    if (row->partner)
        stmt_bind_i64(&s, 4, row->partner);
    else
        stmt_bind_null(&s, 4);
    return stmt_exec(&s, err);
}

enum sb_err st_alias_drop(struct tx *tx, int64_t ns, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ALIAS_DROP);
    stmt_bind_i64(&s, 1, ns);
    return stmt_exec(&s, err);
}

enum sb_err st_alias_each(struct tx *tx, struct sb_arena *a,
                          enum sb_err (*f)(const struct st_alias *row, void *arg, struct sb_error *err),
                          void *arg, struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ALIAS_ALL);
    SB_TRY(stmt_row(&s, &found, err));
    while (found) {
        const struct st_alias row = {.ns = stmt_i64(&s, 0),
                                     .name = stmt_text(&s, 1, a),
                                     .role = (int)stmt_i64(&s, 2),
                                     .partner = stmt_is_null(&s, 3) ? 0 : stmt_i64(&s, 3)};
        if (row.name == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory reading aliases");
        SB_TRY(f(&row, arg, err));
        SB_TRY(stmt_row(&s, &found, err));
    }
out:
    return rc;
}
