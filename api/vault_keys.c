/*
 * vault_keys.c: the data plane of a vault's keys. Paths are matched whatever their case; a missing version is
 * the newest.
 */
#include "api/vault_keys.h"
#include <inttypes.h>
#include "api/vault_audit.h"
#include "api/vault_keys_body.h"
#include "server/base/text.h"

#define PAGE_MAX    25 /* documented: maxresults 1 to 25, 25 by default */
#define SKIP_MEMBER "NextMarker"
#define BODY_MAX    65536u

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

/* $skiptoken is base64url of {"NextMarker":"offset"}: a member as in the service's own token, a value of
 * ours. */
static enum sb_err read_skip(struct request *r, size_t *ret, struct sb_error *err)
{
    const char *token = request_query(r, "$skiptoken");
    struct json *j = NULL;
    size_t n = 0;
    int64_t v = 0;
    *ret = 0;
    if (!token)
        return SB_OK;
    const uint8_t *p = b64url_decode(r->arena, token, strlen(token), &n);
    enum sb_err rc = p ? json_parse(p, n, &j, NULL) : SB_EBADJSON;
    const char *mark = rc == SB_OK ? json_text(json_get(j, SKIP_MEMBER)) : NULL;
    bool ok = mark && text_to_i64(mark, 0, INT32_MAX, &v);
    json_free(j);
    if (!ok)
        return sb_fail(err, SB_EBADPARAM, "The query parameter $skiptoken is invalid.");
    *ret = (size_t)v;
    return SB_OK;
}

static enum sb_err read_page(struct request *r, size_t *ret_skip, size_t *ret_max, struct sb_error *err)
{
    const char *max = request_query(r, "maxresults");
    int64_t v = PAGE_MAX;
    if (max && !text_to_i64(max, 1, PAGE_MAX, &v))
        return sb_fail(err, SB_EBADPARAM, "The query parameter maxresults must be between 1 and %d.",
                       PAGE_MAX);
    *ret_max = (size_t)v;
    return read_skip(r, ret_skip, err);
}

/* The port is always there, and the $ is bare (recorded). */
static void write_next(struct request *r, struct jw *w, size_t next)
{
    const char *max = request_query(r, "maxresults");
    const char *mark = arena_printf(r->arena, "{\"" SKIP_MEMBER "\":\"%zu\"}", next);
    const char *token = mark ? b64url_str(r->arena, mark, strlen(mark)) : NULL;
    if (token)
        jw_strf(w, "nextLink", "https://%s%s?api-version=%s&$skiptoken=%s%s%s",
                request_authority(r, HOST_VAULT, r->host_label, true), r->path, r->api_version, token,
                max ? "&maxresults=" : "", max ? max : "");
}

struct listing {
    size_t skip, max, n;
    struct vkey *k;
    bool more, with_version;
};

static enum sb_err answer_listing(struct request *r, const struct listing *l)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < l->n; i++)
        vault_key_write_item(r, &w, &l->k[i], l->with_version);
    jw_end_arr(&w);
    if (l->more)
        write_next(r, &w, l->skip + l->n);
    else
        jw_null(&w, "nextLink");
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err list(struct request *r, bool deleted, struct sb_error *err)
{
    enum sb_err rc;
    struct listing l = {0};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_page(r, &l.skip, &l.max, err));
    SB_TRY(vkey_list(r->e, &c, r->host_label, deleted, l.skip, l.max, r->arena, &l.k, &l.n, &l.more, err));
    rc = answer_listing(r, &l);
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
    struct listing l = {.with_version = true};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_page(r, &l.skip, &l.max, err));
    SB_TRY(vkey_versions(r->e, &c, r->host_label, request_param(r, "name"), l.skip, l.max, r->arena, &l.k,
                         &l.n, &l.more, err));
    rc = answer_listing(r, &l);
out:
    return rc;
}

/* ---- cryptography ---- */

static enum sb_err read_alg(struct request *r, bool signature, enum pkey_alg *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *name = NULL;
    SB_TRY(json_opt_str(r->json, "", "alg", &name, err));
    enum pkey_alg alg = name ? pkey_alg_parse(name) : PKEY_ALG_NONE;
    if (alg == PKEY_ALG_NONE || (pkey_alg_digest_len(alg) > 0) != signature)
        return sb_fail(err, SB_EBADPARAM, "Property alg has invalid value '%.64s'.", name ? name : "");
    *ret = alg;
out:
    return rc;
}

/* A digest of the length that the algorithm asks for (recorded). */
static enum sb_err read_digest(struct request *r, const char *member, enum pkey_alg alg, struct sb_blob *ret,
                               struct sb_error *err)
{
    enum sb_err rc;
    struct sb_blob v;
    SB_TRY(vault_key_read_blob(r, member, &v, err));
    if (v.n != pkey_alg_digest_len(alg))
        return sb_fail(err, SB_EBADPARAM,
                       "Invalid length of '%s': %zu bytes. %s requires %zu bytes, encoded with base64url.",
                       member, v.n, pkey_alg_name(alg), pkey_alg_digest_len(alg));
    *ret = v;
out:
    return rc;
}

static enum sb_err answer_result(struct request *r, const char *version, struct sb_blob value)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "kid", vault_key_id(r, request_param(r, "name"), version));
    jw_str(&w, "value", b64url_str(r->arena, value.p, value.n));
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err crypt(struct request *r, enum vperm perm, struct sb_error *err)
{
    enum sb_err rc;
    enum pkey_alg alg;
    struct sb_blob in, out;
    const char *version = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_alg(r, false, &alg, err));
    SB_TRY(vault_key_read_blob(r, "value", &in, err));
    SB_TRY(vkey_crypt(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), perm,
                      alg, in, r->arena, &out, &version, err));
    rc = answer_result(r, version, out);
out:
    return rc;
}

static enum sb_err key_encrypt(struct request *r, struct sb_error *err)
{
    return crypt(r, VPERM_ENCRYPT, err);
}

static enum sb_err key_decrypt(struct request *r, struct sb_error *err)
{
    return crypt(r, VPERM_DECRYPT, err);
}

static enum sb_err key_wrap(struct request *r, struct sb_error *err)
{
    return crypt(r, VPERM_WRAP, err);
}

static enum sb_err key_unwrap(struct request *r, struct sb_error *err)
{
    return crypt(r, VPERM_UNWRAP, err);
}

static enum sb_err key_sign(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    enum pkey_alg alg;
    struct sb_blob digest, out;
    const char *version = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_alg(r, true, &alg, err));
    SB_TRY(read_digest(r, "value", alg, &digest, err));
    SB_TRY(vkey_sign(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), alg,
                     digest, r->arena, &out, &version, err));
    rc = answer_result(r, version, out);
out:
    return rc;
}

static enum sb_err key_verify(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    enum pkey_alg alg;
    struct sb_blob digest, signature;
    bool good = false;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_alg(r, true, &alg, err));
    SB_TRY(read_digest(r, "digest", alg, &digest, err));
    SB_TRY(vault_key_read_blob(r, "value", &signature, err));
    SB_TRY(vkey_verify(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), alg,
                       digest, signature, &good, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_bool(&w, "value", good);
    jw_end_obj(&w);
out:
    return rc;
}

#define READ    (R_AUTH | R_APIVER)
#define WRITE   (R_AUTH | R_APIVER | R_JSON)
#define KEY     "/keys/{name}"
#define VERSION "/keys/{name}/{version}"

static const struct route rows[] = {
    {"POST", PLANE_VAULT, KEY "/create", WRITE | R_SLOW, BODY_MAX, key_create, "KeyCreate"},
    {"PUT", PLANE_VAULT, KEY, WRITE, BODY_MAX, key_import, "KeyImport"},
    {"POST", PLANE_VAULT, KEY "/rotate", READ | R_SLOW, BODY_MAX, key_rotate, "KeyRotate"},
    {"GET", PLANE_VAULT, KEY, READ, BODY_MAX, key_get, "KeyGet"},
    {"GET", PLANE_VAULT, VERSION, READ, BODY_MAX, key_get, "KeyGetVersion"},
    {"PATCH", PLANE_VAULT, KEY, WRITE, BODY_MAX, key_update, "KeyUpdate"},
    {"PATCH", PLANE_VAULT, VERSION, WRITE, BODY_MAX, key_update, "KeyUpdateVersion"},
    {"DELETE", PLANE_VAULT, KEY, READ, BODY_MAX, key_delete, "KeyDelete"},
    {"GET", PLANE_VAULT, "/keys", READ, BODY_MAX, key_list, "KeyList"},
    {"GET", PLANE_VAULT, KEY "/versions", READ, BODY_MAX, key_versions, "KeyVersions"},
    {"POST", PLANE_VAULT, KEY "/encrypt", WRITE, BODY_MAX, key_encrypt, "KeyEncrypt"},
    {"POST", PLANE_VAULT, VERSION "/encrypt", WRITE, BODY_MAX, key_encrypt, "KeyEncryptVersion"},
    {"POST", PLANE_VAULT, KEY "/decrypt", WRITE, BODY_MAX, key_decrypt, "KeyDecrypt"},
    {"POST", PLANE_VAULT, VERSION "/decrypt", WRITE, BODY_MAX, key_decrypt, "KeyDecryptVersion"},
    {"POST", PLANE_VAULT, KEY "/wrapkey", WRITE, BODY_MAX, key_wrap, "KeyWrap"},
    {"POST", PLANE_VAULT, VERSION "/wrapkey", WRITE, BODY_MAX, key_wrap, "KeyWrapVersion"},
    {"POST", PLANE_VAULT, KEY "/unwrapkey", WRITE, BODY_MAX, key_unwrap, "KeyUnwrap"},
    {"POST", PLANE_VAULT, VERSION "/unwrapkey", WRITE, BODY_MAX, key_unwrap, "KeyUnwrapVersion"},
    {"POST", PLANE_VAULT, KEY "/sign", WRITE, BODY_MAX, key_sign, "KeySign"},
    {"POST", PLANE_VAULT, VERSION "/sign", WRITE, BODY_MAX, key_sign, "KeySignVersion"},
    {"POST", PLANE_VAULT, KEY "/verify", WRITE, BODY_MAX, key_verify, "KeyVerify"},
    {"POST", PLANE_VAULT, VERSION "/verify", WRITE, BODY_MAX, key_verify, "KeyVerifyVersion"},
    {"GET", PLANE_VAULT, "/deletedkeys", READ, BODY_MAX, deleted_list, "DeletedKeyList"},
    {"GET", PLANE_VAULT, "/deletedkeys/{name}", READ, BODY_MAX, deleted_get, "DeletedKeyGet"},
    {"DELETE", PLANE_VAULT, "/deletedkeys/{name}", READ, BODY_MAX, deleted_purge, "DeletedKeyPurge"},
    {"POST", PLANE_VAULT, "/deletedkeys/{name}/recover", READ, BODY_MAX, deleted_recover,
     "DeletedKeyRecover"},
};

const struct route_table routes_vault_keys = {rows, SB_ARRAY_LEN(rows)};
