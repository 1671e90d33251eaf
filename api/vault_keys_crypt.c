/*
 * vault_keys_crypt.c: cryptography with a vault's keys.
 */
#include "api/vault_common.h"
#include "api/vault_keys_body.h"
#include "server/base/text.h"

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
    SB_TRY(vault_read_blob(r, member, &v, err));
    if (v.n != pkey_alg_digest_len(alg))
        return sb_fail(err, SB_EBADPARAM,
                       "Invalid length of '%s': %zu bytes. %s requires %zu bytes, encoded with base64url.",
                       member, v.n, pkey_alg_name(alg), pkey_alg_digest_len(alg));
    *ret = v;
out:
    return rc;
}

/* id: NAME/VERSION */
static enum sb_err answer_result(struct request *r, const char *id, struct sb_blob value)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "kid", vault_id(r, "keys", id, NULL));
    jw_str(&w, "value", b64url_str(r->arena, value.p, value.n));
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err crypt(struct request *r, enum vperm perm, struct sb_error *err)
{
    enum sb_err rc;
    enum pkey_alg alg;
    struct sb_blob in, out;
    const char *id = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_alg(r, false, &alg, err));
    SB_TRY(vault_read_blob(r, "value", &in, err));
    SB_TRY(vkey_crypt(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), perm,
                      alg, in, r->arena, &out, &id, err));
    rc = answer_result(r, id, out);
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
    const char *id = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_alg(r, true, &alg, err));
    SB_TRY(read_digest(r, "value", alg, &digest, err));
    SB_TRY(vkey_sign(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), alg,
                     digest, r->arena, &out, &id, err));
    rc = answer_result(r, id, out);
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
    SB_TRY(vault_read_blob(r, "value", &signature, err));
    SB_TRY(vkey_verify(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), alg,
                       digest, signature, &good, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_bool(&w, "value", good);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err key_release(struct request *r, struct sb_error *err)
{
    const struct vault_caller c = vault_audit_caller(r);
    return vkey_release(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"), err);
}

static enum sb_err random_bytes(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    int64_t n = 0;
    struct sb_blob bytes;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(json_opt_i64(r->json, "", "count", 0, INT32_MAX, &n, err));
    SB_TRY(vkey_random(r->e, &c, r->host_label, (size_t)n, r->arena, &bytes, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    vault_write_blob(r, &w, "value", bytes);
    jw_end_obj(&w);
out:
    return rc;
}

#define WRITE   VAULT_WRITE_FLAGS
#define BODY    VAULT_BODY_MAX
#define KEY     "/keys/{name}"
#define VERSION "/keys/{name}/{version}"

static const struct route rows[] = {
    {"POST", PLANE_VAULT, KEY "/encrypt", WRITE, BODY, key_encrypt, "KeyEncrypt"},
    {"POST", PLANE_VAULT, VERSION "/encrypt", WRITE, BODY, key_encrypt, "KeyEncryptVersion"},
    {"POST", PLANE_VAULT, KEY "/decrypt", WRITE, BODY, key_decrypt, "KeyDecrypt"},
    {"POST", PLANE_VAULT, VERSION "/decrypt", WRITE, BODY, key_decrypt, "KeyDecryptVersion"},
    {"POST", PLANE_VAULT, KEY "/wrapkey", WRITE, BODY, key_wrap, "KeyWrap"},
    {"POST", PLANE_VAULT, VERSION "/wrapkey", WRITE, BODY, key_wrap, "KeyWrapVersion"},
    {"POST", PLANE_VAULT, KEY "/unwrapkey", WRITE, BODY, key_unwrap, "KeyUnwrap"},
    {"POST", PLANE_VAULT, VERSION "/unwrapkey", WRITE, BODY, key_unwrap, "KeyUnwrapVersion"},
    {"POST", PLANE_VAULT, KEY "/sign", WRITE, BODY, key_sign, "KeySign"},
    {"POST", PLANE_VAULT, VERSION "/sign", WRITE, BODY, key_sign, "KeySignVersion"},
    {"POST", PLANE_VAULT, KEY "/verify", WRITE, BODY, key_verify, "KeyVerify"},
    {"POST", PLANE_VAULT, VERSION "/verify", WRITE, BODY, key_verify, "KeyVerifyVersion"},
    {"POST", PLANE_VAULT, KEY "/release", WRITE, BODY, key_release, "KeyRelease"},
    {"POST", PLANE_VAULT, VERSION "/release", WRITE, BODY, key_release, "KeyReleaseVersion"},
    {"POST", PLANE_VAULT, "/rng", WRITE, BODY, random_bytes, "RandomBytes"},
};

const struct route_table routes_vault_keys_crypt = {rows, SB_ARRAY_LEN(rows)};
