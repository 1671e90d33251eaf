/* st_role.c: SQL of custom role definitions and of ending role assignments. */
#include "storage/st_role.h"
#include "storage/stmt.h"

/* A step's row, as one more element of a growing array. False: out of memory. */
static bool room(struct sb_arena *a, void **rows, size_t size, size_t n)
{
    bool full = n == 0 || (n >= 16 && (n & (n - 1)) == 0); /* 0, 16, 32, 64 … */
    if (!full)
        return true;
    void *more = arena_alloc(a, size * (n == 0 ? 16 : 2 * n));
    if (more == NULL)
        return false;
    if (n > 0)
        memcpy(more, *rows, size * n);
    *rows = more;
    return true;
}

/* ---- definitions ---- */

enum sb_err st_role_put(struct tx *tx, const struct st_role *r, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_PUT);
    stmt_bind_text(&s, 1, r->id);
    stmt_bind_text(&s, 2, r->name);
    stmt_bind_text(&s, 3, r->description);
    stmt_bind_text(&s, 4, r->actions);
    stmt_bind_text(&s, 5, r->not_actions);
    stmt_bind_text(&s, 6, r->data_actions);
    stmt_bind_text(&s, 7, r->not_data_actions);
    stmt_bind_text(&s, 8, r->scopes);
    stmt_bind_text(&s, 9, r->created_by);
    stmt_bind_text(&s, 10, r->updated_by);
    stmt_bind_i64(&s, 11, r->created_ms);
    stmt_bind_i64(&s, 12, r->updated_ms);
    return stmt_exec(&s, err);
}

static void role_row(struct stmt *s, struct sb_arena *a, struct st_role *r)
{
    *r = (struct st_role){
        .id = stmt_text(s, 0, a),
        .name = stmt_text(s, 1, a),
        .description = stmt_text(s, 2, a),
        .actions = stmt_text(s, 3, a),
        .not_actions = stmt_text(s, 4, a),
        .data_actions = stmt_text(s, 5, a),
        .not_data_actions = stmt_text(s, 6, a),
        .scopes = stmt_text(s, 7, a),
        .created_by = stmt_text(s, 8, a),
        .updated_by = stmt_text(s, 9, a),
        .created_ms = stmt_i64(s, 10),
        .updated_ms = stmt_i64(s, 11),
    };
}

static enum sb_err roles(struct stmt *s, struct sb_arena *a, struct st_role **ret, size_t *ret_n,
                         struct sb_error *err)
{
    enum sb_err rc;
    void *rows = NULL;
    size_t n = 0;
    bool more;
    SB_TRY(stmt_row(s, &more, err));
    while (more) {
        if (!room(a, &rows, sizeof(struct st_role), n)) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory reading role definitions");
            goto out;
        }
        role_row(s, a, &((struct st_role *)rows)[n++]);
        SB_TRY(stmt_row(s, &more, err));
    }
    *ret = rows;
    *ret_n = n;
out:
    return rc;
}

enum sb_err st_role_get(struct tx *tx, const char *id, struct sb_arena *a, bool *ret_found,
                        struct st_role *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct st_role *rows = NULL;
    size_t n = 0;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_GET);
    stmt_bind_text(&s, 1, id);
    SB_TRY(roles(&s, a, &rows, &n, err));
    if (n > 0)
        *ret = rows[0];
    *ret_found = n > 0;
out:
    return rc;
}

enum sb_err st_role_list(struct tx *tx, struct sb_arena *a, struct st_role **ret, size_t *ret_n,
                         struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_LIST);
    return roles(&s, a, ret, ret_n, err);
}

enum sb_err st_role_drop(struct tx *tx, const char *id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_DROP);
    stmt_bind_text(&s, 1, id);
    return stmt_exec(&s, err);
}

/* ---- ending assignments ---- */

enum sb_err st_ending_add(struct tx *tx, const struct st_ending *r, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ENDING_ADD);
    stmt_bind_text(&s, 1, r->scope);
    stmt_bind_text(&s, 2, r->role_id);
    stmt_bind_text(&s, 3, r->principal_id);
    stmt_bind_i64(&s, 4, r->until_ms);
    return stmt_exec(&s, err);
}

enum sb_err st_ending_list(struct tx *tx, struct sb_arena *a, struct st_ending **ret, size_t *ret_n,
                           struct sb_error *err)
{
    enum sb_err rc;
    void *rows = NULL;
    size_t n = 0;
    bool more;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ENDING_LIST);
    SB_TRY(stmt_row(&s, &more, err));
    while (more) {
        if (!room(a, &rows, sizeof(struct st_ending), n)) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory reading role assignments");
            goto out;
        }
        ((struct st_ending *)rows)[n++] = (struct st_ending){.scope = stmt_text(&s, 0, a),
                                                             .role_id = stmt_text(&s, 1, a),
                                                             .principal_id = stmt_text(&s, 2, a),
                                                             .until_ms = stmt_i64(&s, 3)};
        SB_TRY(stmt_row(&s, &more, err));
    }
    *ret = rows;
    *ret_n = n;
out:
    return rc;
}

enum sb_err st_ending_trim(struct tx *tx, int64_t now_ms, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ENDING_TRIM);
    stmt_bind_i64(&s, 1, now_ms);
    return stmt_exec(&s, err);
}

enum sb_err st_ending_drop_scope(struct tx *tx, const char *scope, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ENDING_DROP_SCOPE);
    stmt_bind_text(&s, 1, scope);
    return stmt_exec(&s, err);
}
