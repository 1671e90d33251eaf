/*
 * vault_keys.c: the data plane of a vault's keys. Paths are matched whatever their case; a missing version is
 * the newest.
 */
#include "api/vault_keys.h"
#include "api/vault_common.h"
#include "api/vault_keys_body.h"
#include "server/base/text.h"

void vault_headers(struct request *r)
{
    struct vault v;
    /* Before there is a route the request is still on a listener's thread, which must not wait for a
     * database. */
    if (r->route && r->host_label && vault_by_name(r->e, r->host_label, r->arena, &v, NULL) == SB_OK)
        reply_header(r, "x-ms-keyvault-region", v.location);
}

static enum sb_err answer_bundle(struct request *r, const struct vkey *k)
{
    struct jw w = reply_json(r, 200);
    vault_key_write_bundle(r, &w, k);
    return SB_OK;
}

/* ---- making keys ---- */

static enum sb_err key_create(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    struct vkey_spec s = {.vault = r->host_label, .name = request_param(r, "name")};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_key_read_create(r, &s, err));
    SB_TRY(vkey_create(r->e, &c, &s, r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

static enum sb_err key_import(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    struct pkey *key = NULL;
    struct vkey_spec s = {.vault = r->host_label, .name = request_param(r, "name")};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_key_read_import(r, &s, &key, err));
    SB_TRY(vkey_import(r->e, &c, &s, r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    pkey_unref(key);
    return rc;
}

static enum sb_err key_rotate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vkey_rotate(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

/* ---- one key ---- */

static enum sb_err key_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vkey_get(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), r->arena,
                    &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

static enum sb_err key_update(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    struct vkey_spec s = {.vault = r->host_label, .name = request_param(r, "name")};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_key_read_update(r, &s, err));
    SB_TRY(vkey_update(r->e, &c, &s, request_param(r, "version"), r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

/* Delete, get deleted and recover differ in the call alone. */
static enum sb_err answer_of(struct request *r,
                             enum sb_err (*call)(struct engine *e, const struct vault_caller *c,
                                                 const char *vault, const char *name, struct sb_arena *a,
                                                 struct vkey *ret, struct sb_error *err),
                             struct sb_error *err)
{
    enum sb_err rc;
    struct vkey k;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(call(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

static enum sb_err key_delete(struct request *r, struct sb_error *err)
{
    return answer_of(r, vkey_delete, err);
}

static enum sb_err deleted_get(struct request *r, struct sb_error *err)
{
    return answer_of(r, vkey_deleted_get, err);
}

static enum sb_err deleted_recover(struct request *r, struct sb_error *err)
{
    return answer_of(r, vkey_recover, err);
}

static enum sb_err deleted_purge(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vkey_purge(r->e, &c, r->host_label, request_param(r, "name"), err));
    reply_empty(r, 204);
out:
    return rc;
}

/* ---- lists ---- */

static void answer_list(struct request *r, const struct vkey *k, size_t n, const char *versions_of,
                        const struct vault_page *page)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        vault_key_write_item(r, &w, &k[i], versions_of != NULL);
    jw_end_arr(&w);
    vault_write_next(r, &w, "key", versions_of, page);
    jw_end_obj(&w);
}

static enum sb_err list(struct request *r, bool deleted, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey *k = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_read_page(r, &page, err));
    SB_TRY(vkey_list(r->e, &c, r->host_label, deleted, &page, r->arena, &k, &n, err));
    answer_list(r, k, n, NULL, &page);
out:
    return rc;
}

static enum sb_err key_list(struct request *r, struct sb_error *err)
{
    return list(r, false, err);
}

static enum sb_err deleted_list(struct request *r, struct sb_error *err)
{
    return list(r, true, err);
}

static enum sb_err key_versions(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey *k = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = vault_audit_caller(r);
    const char *name = request_param(r, "name");
    SB_TRY(vault_read_page(r, &page, err));
    SB_TRY(vkey_versions(r->e, &c, r->host_label, name, &page, r->arena, &k, &n, err));
    answer_list(r, k, n, name, &page);
out:
    return rc;
}

/* ---- backup and restore ---- */

static enum sb_err key_backup(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *text = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vkey_backup(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &text, err));
    vault_answer_backup(r, text);
out:
    return rc;
}

static enum sb_err key_restore(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_blob blob;
    struct vkey k;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_read_blob(r, "value", &blob, err));
    SB_TRY(vkey_restore(r->e, &c, r->host_label, blob, r->arena, &k, err));
    rc = answer_bundle(r, &k);
out:
    return rc;
}

/* ---- rotation policy ---- */

static enum sb_err answer_policy(struct request *r, const struct vkey_policy *p)
{
    struct jw w = reply_json(r, 200);
    vault_key_write_policy(r, &w, p);
    return SB_OK;
}

static enum sb_err policy_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey_policy p;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vkey_policy_get(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &p, err));
    rc = answer_policy(r, &p);
out:
    return rc;
}

static enum sb_err policy_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey_policy sent = {0}, p;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_key_read_policy(r->json, &sent, err));
    SB_TRY(vkey_policy_put(r->e, &c, r->host_label, request_param(r, "name"), &sent, r->arena, &p, err));
    rc = answer_policy(r, &p);
out:
    return rc;
}

#define READ    VAULT_READ_FLAGS
#define WRITE   VAULT_WRITE_FLAGS
#define BODY    VAULT_BODY_MAX
#define KEY     "/keys/{name}"
#define VERSION "/keys/{name}/{version}"
#define DELETED "/deletedkeys"

static const struct route rows[] = {
    {"POST", PLANE_VAULT, KEY "/create", WRITE | R_SLOW, BODY, key_create, "KeyCreate"},
    {"PUT", PLANE_VAULT, KEY, WRITE, BODY, key_import, "KeyImport"},
    {"POST", PLANE_VAULT, KEY "/rotate", READ | R_SLOW, BODY, key_rotate, "KeyRotate"},
    {"GET", PLANE_VAULT, KEY "/rotationpolicy", READ, BODY, policy_get, "KeyRotationPolicyGet"},
    {"PUT", PLANE_VAULT, KEY "/rotationpolicy", WRITE, BODY, policy_put, "KeyRotationPolicySet"},
    {"GET", PLANE_VAULT, KEY, READ, BODY, key_get, "KeyGet"},
    {"GET", PLANE_VAULT, VERSION, READ, BODY, key_get, "KeyGetVersion"},
    {"PATCH", PLANE_VAULT, KEY, WRITE, BODY, key_update, "KeyUpdate"},
    {"PATCH", PLANE_VAULT, VERSION, WRITE, BODY, key_update, "KeyUpdateVersion"},
    {"DELETE", PLANE_VAULT, KEY, READ, BODY, key_delete, "KeyDelete"},
    {"GET", PLANE_VAULT, "/keys", READ, BODY, key_list, "KeyList"},
    {"GET", PLANE_VAULT, KEY "/versions", READ, BODY, key_versions, "KeyVersions"},
    {"POST", PLANE_VAULT, KEY "/backup", READ, BODY, key_backup, "KeyBackup"},
    {"POST", PLANE_VAULT, "/keys/restore", WRITE, VAULT_RESTORE_MAX, key_restore, "KeyRestore"},
    {"GET", PLANE_VAULT, DELETED, READ, BODY, deleted_list, "DeletedKeyList"},
    {"GET", PLANE_VAULT, DELETED "/{name}", READ, BODY, deleted_get, "DeletedKeyGet"},
    {"DELETE", PLANE_VAULT, DELETED "/{name}", READ, BODY, deleted_purge, "DeletedKeyPurge"},
    {"POST", PLANE_VAULT, DELETED "/{name}/recover", READ, BODY, deleted_recover, "DeletedKeyRecover"},
};

const struct route_table routes_vault_keys = {rows, SB_ARRAY_LEN(rows)};
