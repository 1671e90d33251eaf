/* st_graph.c: SQL of applications, service principals, users and credentials. */
#include "storage/st_graph.h"
#include "storage/stmt.h"

/* ---- applications ---- */

enum sb_err st_app_put(struct tx *tx, const struct st_app *x, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_APP_PUT);
    stmt_bind_text(&s, 1, x->oid);
    stmt_bind_text(&s, 2, x->appid);
    stmt_bind_text(&s, 3, x->name);
    stmt_bind_text(&s, 4, x->body);
    stmt_bind_i64(&s, 5, x->public_client);
    stmt_bind_i64(&s, 6, x->created_ms);
    return stmt_exec(&s, err);
}

static void app_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_app *x = row;
    x->oid = stmt_text(s, 0, a);
    x->appid = stmt_text(s, 1, a);
    x->name = stmt_text(s, 2, a);
    x->body = stmt_text(s, 3, a);
    x->public_client = stmt_i64(s, 4) != 0;
    x->created_ms = stmt_i64(s, 5);
}

enum sb_err st_app_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a, bool *ret_found,
                       struct st_app *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, by_name ? KV_APP_BY_APPID : KV_APP_BY_OID);
    stmt_bind_text(&s, 1, key);
    return stmt_one(&s, app_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_app_list(struct tx *tx, struct sb_arena *a, struct st_app **ret, size_t *ret_n,
                        struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_APP_LIST);
    return stmt_all(&s, app_row, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_app_drop(struct tx *tx, const char *oid, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_APP_DROP);
    stmt_bind_text(&s, 1, oid);
    return stmt_exec(&s, err);
}

/* ---- service principals ---- */

enum sb_err st_sp_put(struct tx *tx, const struct st_sp *x, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_SP_PUT);
    stmt_bind_text(&s, 1, x->oid);
    stmt_bind_text(&s, 2, x->name);
    stmt_bind_text(&s, 3, x->body);
    stmt_bind_i64(&s, 4, x->created_ms);
    return stmt_exec(&s, err);
}

static void sp_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_sp *x = row;
    x->oid = stmt_text(s, 0, a);
    x->appid = stmt_text(s, 1, a);
    x->name = stmt_text(s, 2, a);
    x->body = stmt_text(s, 3, a);
    x->created_ms = stmt_i64(s, 4);
}

enum sb_err st_sp_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a, bool *ret_found,
                      struct st_sp *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, by_name ? KV_SP_BY_APPID : KV_SP_BY_OID);
    stmt_bind_text(&s, 1, key);
    return stmt_one(&s, sp_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_sp_list(struct tx *tx, struct sb_arena *a, struct st_sp **ret, size_t *ret_n,
                       struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_SP_LIST);
    return stmt_all(&s, sp_row, sizeof **ret, a, ret, ret_n, err);
}

/* ---- users ---- */

enum sb_err st_user_put(struct tx *tx, const struct st_user *x, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_USER_PUT);
    stmt_bind_text(&s, 1, x->oid);
    stmt_bind_text(&s, 2, x->upn);
    stmt_bind_text(&s, 3, x->name);
    stmt_bind_text(&s, 4, x->body);
    stmt_bind_i64(&s, 5, x->enabled);
    stmt_bind_blob(&s, 6, x->password.p, x->password.n);
    stmt_bind_i64(&s, 7, x->created_ms);
    return stmt_exec(&s, err);
}

static void user_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_user *x = row;
    x->oid = stmt_text(s, 0, a);
    x->upn = stmt_text(s, 1, a);
    x->name = stmt_text(s, 2, a);
    x->body = stmt_text(s, 3, a);
    x->enabled = stmt_i64(s, 4) != 0;
    x->password = stmt_blob(s, 5, a);
    x->created_ms = stmt_i64(s, 6);
}

enum sb_err st_user_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a, bool *ret_found,
                        struct st_user *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, by_name ? KV_USER_BY_UPN : KV_USER_BY_OID);
    stmt_bind_text(&s, 1, key);
    return stmt_one(&s, user_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_user_list(struct tx *tx, struct sb_arena *a, struct st_user **ret, size_t *ret_n,
                         struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_USER_LIST);
    return stmt_all(&s, user_row, sizeof **ret, a, ret, ret_n, err);
}

/* ---- credentials ---- */

enum sb_err st_credential_add(struct tx *tx, const struct st_credential *x, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_CREDENTIAL_ADD);
    stmt_bind_text(&s, 1, x->id);
    stmt_bind_text(&s, 2, x->owner);
    stmt_bind_text(&s, 3, x->appid);
    stmt_bind_i64(&s, 4, x->certificate);
    stmt_bind_text(&s, 5, x->name);
    stmt_bind_text(&s, 6, x->hint);
    stmt_bind_i64(&s, 7, x->start_ms);
    stmt_bind_i64(&s, 8, x->end_ms);
    stmt_bind_blob(&s, 9, x->secret.p, x->secret.n);
    return stmt_exec(&s, err);
}

enum sb_err st_credential_drop(struct tx *tx, const char *owner, bool certificate, const char *id,
                               struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_CREDENTIAL_DROP);
    stmt_bind_text(&s, 1, owner);
    stmt_bind_i64(&s, 2, certificate);
    stmt_bind_text(&s, 3, id);
    return stmt_exec(&s, err);
}

static void credential_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_credential *x = row;
    x->id = stmt_text(s, 0, a);
    x->owner = stmt_text(s, 1, a);
    x->appid = stmt_text(s, 2, a);
    x->certificate = stmt_i64(s, 3) != 0;
    x->name = stmt_text(s, 4, a);
    x->hint = stmt_text(s, 5, a);
    x->start_ms = stmt_i64(s, 6);
    x->end_ms = stmt_i64(s, 7);
    x->secret = stmt_blob(s, 8, a);
}

enum sb_err st_credential_list(struct tx *tx, const char *key, bool by_app, struct sb_arena *a,
                               struct st_credential **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset)
    struct stmt s = stmt_get(tx, by_app ? KV_CREDENTIAL_BY_APPID : KV_CREDENTIAL_BY_OWNER);
    stmt_bind_text(&s, 1, key);
    return stmt_all(&s, credential_row, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_graph_clear(struct tx *tx, struct sb_error *err)
{
    static const enum kv_stmt clear[] = {KV_CREDENTIAL_CLEAR, KV_APP_CLEAR, KV_GRAPH_PRINCIPAL_CLEAR};
    enum sb_err rc = SB_OK;
    for (size_t i = 0; rc == SB_OK && i < SB_ARRAY_LEN(clear); i++) {
        SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, (int)clear[i]);
        rc = stmt_exec(&s, err);
    }
    return rc;
}
