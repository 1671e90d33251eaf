/*
 * st_vault.c: SQL of key vaults and their access policies.
 */
#include "storage/st_vault.h"
#include "storage/stmt.h"

/* Positions of KV_VAULT_INSERT and KV_VAULT_UPDATE are the order of KV_VAULT_COLUMNS. */
static void bind_vault(struct stmt *s, const struct st_vault *v)
{
    stmt_bind_text(s, 6, v->tags);
    stmt_bind_text(s, 7, v->tenant);
    stmt_bind_text(s, 8, v->sku);
    stmt_bind_i64(s, 11, v->updated_ms);
    stmt_bind_text(s, 12, v->updated_by);
    stmt_bind_i64(s, 13, v->purge_protection);
    stmt_bind_i64(s, 14, v->soft_delete_days);
    stmt_bind_i64(s, 15, v->rbac);
    stmt_bind_i64(s, 16, v->for_deployment);
    stmt_bind_i64(s, 17, v->for_disk);
    stmt_bind_i64(s, 18, v->for_template);
    stmt_bind_text(s, 19, v->network_acls);
    stmt_bind_i64(s, 20, v->acl_deny);
    stmt_bind_i64(s, 21, v->acl_bypass_azure);
    stmt_bind_text(s, 22, v->acl_ips);
    stmt_bind_i64(s, 23, v->public_access);
    stmt_bind_i64(s, 24, v->deleted_ms);
    stmt_bind_i64(s, 25, v->purge_ms);
}

static void read_vault(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_vault *v = row;
    *v = (struct st_vault){
        .id = stmt_i64(s, 0),
        .sub = stmt_text(s, 1, a),
        .group = stmt_text(s, 2, a),
        .name = stmt_text(s, 3, a),
        .location = stmt_text(s, 4, a),
        .tags = stmt_text(s, 5, a),
        .tenant = stmt_text(s, 6, a),
        .sku = stmt_text(s, 7, a),
        .created_ms = stmt_i64(s, 8),
        .created_by = stmt_text(s, 9, a),
        .updated_ms = stmt_i64(s, 10),
        .updated_by = stmt_text(s, 11, a),
        .purge_protection = stmt_i64(s, 12) != 0,
        .soft_delete_days = (int)stmt_i64(s, 13),
        .rbac = (int)stmt_i64(s, 14),
        .for_deployment = (int)stmt_i64(s, 15),
        .for_disk = (int)stmt_i64(s, 16),
        .for_template = (int)stmt_i64(s, 17),
        .network_acls = stmt_text(s, 18, a),
        .acl_deny = stmt_i64(s, 19) != 0,
        .acl_bypass_azure = stmt_i64(s, 20) != 0,
        .acl_ips = stmt_text(s, 21, a),
        .public_access = stmt_i64(s, 22) != 0,
        .deleted_ms = stmt_i64(s, 23),
        .purge_ms = stmt_i64(s, 24),
    };
}

static enum sb_err put_policies(struct tx *tx, int64_t id, const struct st_policy *p, size_t n,
                                struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < n; i++) {
        SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_POLICY_INSERT);
        stmt_bind_i64(&s, 1, id);
        stmt_bind_i64(&s, 2, (int64_t)i);
        stmt_bind_text(&s, 3, p[i].tenant);
        stmt_bind_text(&s, 4, p[i].oid);
        stmt_bind_text(&s, 5, p[i].appid);
        stmt_bind_text(&s, 6, p[i].permissions);
        stmt_bind_i64(&s, 7, p[i].keys);
        stmt_bind_i64(&s, 8, p[i].secrets);
        SB_TRY(stmt_exec(&s, err));
    }
out:
    return rc;
}

static void read_policy(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_policy *p = row;
    p->tenant = stmt_text(s, 0, a);
    p->oid = stmt_text(s, 1, a);
    p->appid = stmt_text(s, 2, a);
    p->permissions = stmt_text(s, 3, a);
    p->keys = (uint32_t)stmt_i64(s, 4);
    p->secrets = (uint32_t)stmt_i64(s, 5);
}

static enum sb_err get_policies(struct tx *tx, struct sb_arena *a, struct st_vault *v, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_POLICY_LIST);
    stmt_bind_i64(&s, 1, v->id);
    return stmt_all(&s, read_policy, sizeof *v->policies, a, &v->policies, &v->policies_n, err);
}

enum sb_err st_vault_insert(struct tx *tx, const struct st_vault *v, int64_t *ret_id, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    int64_t id = 0;
    {
        SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_INSERT);
        stmt_bind_text(&s, 2, v->sub);
        stmt_bind_text(&s, 3, v->group);
        stmt_bind_text(&s, 4, v->name);
        stmt_bind_text(&s, 5, v->location);
        stmt_bind_i64(&s, 9, v->created_ms);
        stmt_bind_text(&s, 10, v->created_by);
        bind_vault(&s, v);
        SB_TRY(stmt_row(&s, &row, err));
        id = stmt_i64(&s, 0);
        SB_TRY(stmt_exec(&s, err));
    }
    SB_TRY(put_policies(tx, id, v->policies, v->policies_n, err));
    *ret_id = id;
out:
    return rc;
}

enum sb_err st_vault_update(struct tx *tx, const struct st_vault *v, struct sb_error *err)
{
    enum sb_err rc;
    {
        SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_UPDATE);
        stmt_bind_i64(&s, 1, v->id);
        bind_vault(&s, v);
        SB_TRY(stmt_exec(&s, err));
    }
    {
        SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_POLICY_CLEAR);
        stmt_bind_i64(&s, 1, v->id);
        SB_TRY(stmt_exec(&s, err));
    }
    SB_TRY(put_policies(tx, v->id, v->policies, v->policies_n, err));
out:
    return rc;
}

/* The one row of a bound statement, if there is one, with its policies. */
static enum sb_err one_vault(struct tx *tx, struct stmt *s, struct sb_arena *a, bool *ret_found,
                             struct st_vault *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct st_vault v = {0};
    SB_TRY(stmt_one(s, read_vault, sizeof v, a, &found, &v, err));
    if (found) {
        SB_TRY(get_policies(tx, a, &v, err));
        *ret = v;
    }
    *ret_found = found;
out:
    return rc;
}

enum sb_err st_vault_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found,
                         struct st_vault *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_GET);
    stmt_bind_text(&s, 1, name);
    return one_vault(tx, &s, a, ret_found, ret, err);
}

enum sb_err st_vault_due(struct tx *tx, int64_t now_ms, struct sb_arena *a, bool *ret_found,
                         struct st_vault *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_DUE);
    stmt_bind_i64(&s, 1, now_ms);
    return one_vault(tx, &s, a, ret_found, ret, err);
}

enum sb_err st_vault_list(struct tx *tx, const char *sub, const char *group, bool deleted, struct sb_arena *a,
                          struct st_vault **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct st_vault *vaults = NULL;
    size_t n = 0;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_LIST);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, group);
    stmt_bind_i64(&s, 3, deleted);
    SB_TRY(stmt_all(&s, read_vault, sizeof *vaults, a, &vaults, &n, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(get_policies(tx, a, &vaults[i], err));
    *ret = vaults;
    *ret_n = n;
out:
    return rc;
}

enum sb_err st_vault_remove(struct tx *tx, int64_t id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_DELETE);
    stmt_bind_i64(&s, 1, id);
    return stmt_exec(&s, err);
}

enum sb_err st_vault_next_due(struct tx *tx, int64_t *ret_ms, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VAULT_NEXT_DUE);
    return stmt_number(&s, 0, ret_ms, err);
}
