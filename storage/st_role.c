/* st_role.c: SQL of custom role definitions and of ending role assignments. */
#include "storage/st_role.h"
#include "storage/stmt.h"

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

static void role_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_role *r = row;
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

enum sb_err st_role_get(struct tx *tx, const char *id, struct sb_arena *a, bool *ret_found,
                        struct st_role *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_GET);
    stmt_bind_text(&s, 1, id);
    return stmt_one(&s, role_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_role_list(struct tx *tx, struct sb_arena *a, struct st_role **ret, size_t *ret_n,
                         struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ROLE_LIST);
    return stmt_all(&s, role_row, sizeof **ret, a, ret, ret_n, err);
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

static void ending_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_ending *r = row;
    r->scope = stmt_text(s, 0, a);
    r->role_id = stmt_text(s, 1, a);
    r->principal_id = stmt_text(s, 2, a);
    r->until_ms = stmt_i64(s, 3);
}

enum sb_err st_ending_list(struct tx *tx, struct sb_arena *a, struct st_ending **ret, size_t *ret_n,
                           struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ENDING_LIST);
    return stmt_all(&s, ending_row, sizeof **ret, a, ret, ret_n, err);
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
