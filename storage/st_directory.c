/* st_directory.c: SQL of principals, resource groups, user-assigned identities and role assignments. */
#include "storage/st_directory.h"
#include "storage/stmt.h"

/* ---- principals ---- */

enum sb_err st_principal_add(struct tx *tx, const struct st_principal *p, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_PRINCIPAL_ADD);
    stmt_bind_text(&s, 1, p->oid);
    stmt_bind_text(&s, 2, p->appid);
    stmt_bind_i64(&s, 3, p->kind);
    stmt_bind_text(&s, 4, p->resource_id);
    return stmt_exec(&s, err);
}

enum sb_err st_principal_drop(struct tx *tx, const char *oid, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_PRINCIPAL_DROP);
    stmt_bind_text(&s, 1, oid);
    return stmt_exec(&s, err);
}

static void principal_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_principal *p = row;
    p->oid = stmt_text(s, 0, a);
    p->appid = stmt_text(s, 1, a);
    p->kind = (int)stmt_i64(s, 2);
    p->resource_id = stmt_text(s, 3, a);
}

enum sb_err st_principal_get(struct tx *tx, enum st_principal_key by, const char *key, struct sb_arena *a,
                             bool *ret_found, struct st_principal *ret, struct sb_error *err)
{
    static const enum kv_stmt queries[] = {
        [ST_PRINCIPAL_OID] = KV_PRINCIPAL_BY_OID,
        [ST_PRINCIPAL_APPID] = KV_PRINCIPAL_BY_APPID,
        [ST_PRINCIPAL_RESOURCE] = KV_PRINCIPAL_BY_RESOURCE,
    };
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, (int)queries[by]);
    stmt_bind_text(&s, 1, key);
    return stmt_one(&s, principal_row, sizeof *ret, a, ret_found, ret, err);
}

/* ---- resource groups ---- */

enum sb_err st_group_put(struct tx *tx, const struct st_group *g, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_GROUP_PUT);
    stmt_bind_text(&s, 1, g->sub);
    stmt_bind_text(&s, 2, g->name);
    stmt_bind_text(&s, 3, g->location);
    stmt_bind_text(&s, 4, g->tags);
    stmt_bind_text(&s, 5, g->managed_by);
    return stmt_exec(&s, err);
}

static void group_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_group *g = row;
    g->sub = stmt_text(s, 0, a);
    g->name = stmt_text(s, 1, a);
    g->location = stmt_text(s, 2, a);
    g->tags = stmt_text(s, 3, a);
    g->managed_by = stmt_text(s, 4, a);
}

enum sb_err st_group_get(struct tx *tx, const char *sub, const char *name, struct sb_arena *a,
                         bool *ret_found, struct st_group *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_GROUP_GET);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, name);
    return stmt_one(&s, group_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_group_list(struct tx *tx, const char *sub, struct sb_arena *a, struct st_group **ret,
                          size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_GROUP_LIST);
    stmt_bind_text(&s, 1, sub);
    return stmt_all(&s, group_row, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_group_drop(struct tx *tx, const char *sub, const char *name, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_GROUP_DROP);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, name);
    return stmt_exec(&s, err);
}

/* ---- user-assigned identities ---- */

enum sb_err st_identity_put(struct tx *tx, const struct st_identity *i, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_IDENTITY_PUT);
    stmt_bind_text(&s, 1, i->sub);
    stmt_bind_text(&s, 2, i->group);
    stmt_bind_text(&s, 3, i->name);
    stmt_bind_text(&s, 4, i->location);
    stmt_bind_text(&s, 5, i->tags);
    stmt_bind_text(&s, 6, i->oid);
    return stmt_exec(&s, err);
}

static void identity_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_identity *i = row;
    i->sub = stmt_text(s, 0, a);
    i->group = stmt_text(s, 1, a);
    i->name = stmt_text(s, 2, a);
    i->location = stmt_text(s, 3, a);
    i->tags = stmt_text(s, 4, a);
    i->oid = stmt_text(s, 5, a);
    i->appid = stmt_text(s, 6, a);
}

enum sb_err st_identity_get(struct tx *tx, const char *sub, const char *group, const char *name,
                            struct sb_arena *a, bool *ret_found, struct st_identity *ret,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_IDENTITY_GET);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, group);
    stmt_bind_text(&s, 3, name);
    return stmt_one(&s, identity_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_identity_list(struct tx *tx, const char *sub, const char *group, struct sb_arena *a,
                             struct st_identity **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_IDENTITY_LIST);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, group);
    return stmt_all(&s, identity_row, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_identity_drop(struct tx *tx, const char *sub, const char *group, const char *name,
                             struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_IDENTITY_DROP);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, group);
    stmt_bind_text(&s, 3, name);
    return stmt_exec(&s, err);
}

/* ---- role assignments ---- */

enum sb_err st_assignment_put(struct tx *tx, const struct st_assignment *r, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ASSIGNMENT_PUT);
    stmt_bind_text(&s, 1, r->name);
    stmt_bind_text(&s, 2, r->scope);
    stmt_bind_text(&s, 3, r->role_id);
    stmt_bind_text(&s, 4, r->principal_id);
    stmt_bind_text(&s, 5, r->principal_type);
    stmt_bind_text(&s, 6, r->description);
    stmt_bind_text(&s, 7, r->created_by);
    stmt_bind_text(&s, 8, r->updated_by);
    stmt_bind_i64(&s, 9, r->created_ms);
    stmt_bind_i64(&s, 10, r->updated_ms);
    stmt_bind_i64(&s, 11, r->counts_ms);
    return stmt_exec(&s, err);
}

static void assignment_row(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_assignment *r = row;
    r->name = stmt_text(s, 0, a);
    r->scope = stmt_text(s, 1, a);
    r->role_id = stmt_text(s, 2, a);
    r->principal_id = stmt_text(s, 3, a);
    r->principal_type = stmt_text(s, 4, a);
    r->description = stmt_text(s, 5, a);
    r->created_by = stmt_text(s, 6, a);
    r->updated_by = stmt_text(s, 7, a);
    r->created_ms = stmt_i64(s, 8);
    r->updated_ms = stmt_i64(s, 9);
    r->counts_ms = stmt_i64(s, 10);
}

enum sb_err st_assignment_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found,
                              struct st_assignment *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ASSIGNMENT_GET);
    stmt_bind_text(&s, 1, name);
    return stmt_one(&s, assignment_row, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_assignment_list(struct tx *tx, struct sb_arena *a, struct st_assignment **ret, size_t *ret_n,
                               struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ASSIGNMENT_LIST);
    return stmt_all(&s, assignment_row, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_assignment_drop(struct tx *tx, const char *name, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ASSIGNMENT_DROP);
    stmt_bind_text(&s, 1, name);
    return stmt_exec(&s, err);
}

enum sb_err st_assignment_drop_scope(struct tx *tx, const char *scope, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ASSIGNMENT_DROP_SCOPE);
    stmt_bind_text(&s, 1, scope);
    return stmt_exec(&s, err);
}
