/*
 * vkey_crypt.c: encrypt, decrypt, wrapKey, unwrapKey, sign and verify for clients of a vault.
 *
 * On an unchanged database none of these waits for its thread: vault, version and opened key are remembered.
 */
#include "server/engine/vault_private.h"

/* A key that is ready for one operation. */
struct ready {
    struct vault_call call;
    struct vkey_snap *k;
    struct pkey *key;
};

/* Always followed by done. */
static enum sb_err prepare(struct ready *r, struct engine *e, const struct vault_caller *c,
                           enum vault_op_id op, const char *vault, const char *name, const char *version,
                           enum pkey_alg alg, struct sb_error *err)
{
    enum sb_err rc;
    r->k = NULL;
    r->key = NULL;
    SB_TRY(vault_call_begin(&r->call, e, c, op, vault, name, err));
    SB_TRY(vkey_find(e, &r->call.v->v, name, version, &r->k, err));
    vault_call_version(&r->call, r->k->k.version);
    SB_TRY(vkey_allowed(r->call.op, &r->k->k, engine_now(e) / 1000, err));
    SB_TRY(vkey_open(e, r->k, &r->key, err));
    if (!pkey_alg_fits(r->key, alg)) {
        const struct vkey *k = &r->k->k;
        bool ec = k->pub.type == PKEY_EC;
        rc = sb_fail(err, SB_EBADPARAM,
                     "Key and algorithm are incompatible. Key %s/%s %s%s%s, and algorithm '%s' cannot be "
                     "used with it.",
                     k->name, k->version, ec ? "uses curve '" : "is of type '",
                     ec ? pkey_curve_name(k->pub.curve) : k->kty, "'", pkey_alg_name(alg));
    }
out:
    return rc;
}

static enum sb_err done(struct ready *r, enum sb_err rc)
{
    pkey_unref(r->key);
    vault_snap_unref(r->k);
    return vault_call_end(&r->call, rc);
}

enum sb_err vkey_crypt(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                       const char *version, enum vperm perm, enum pkey_alg alg, struct sb_blob in,
                       struct sb_arena *a, struct sb_blob *ret, const char **ret_version,
                       struct sb_error *err)
{
    enum sb_err rc;
    struct ready r;
    struct sb_blob out;
    bool forward = perm == VPERM_ENCRYPT || perm == VPERM_WRAP;
    SB_TRY(prepare(&r, e, c, vault_op_of(perm), vault, name, version, alg, err));
    const char *used = arena_strdup(a, r.k->k.version);
    if (used == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a result");
        goto out;
    }
    SB_TRY(forward ? pkey_encrypt(r.key, alg, in.p, in.n, a, &out, err)
                   : pkey_decrypt(r.key, alg, in.p, in.n, a, &out, err));
    *ret = out;
    *ret_version = used;
out:
    return done(&r, rc);
}

enum sb_err vkey_sign(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                      const char *version, enum pkey_alg alg, struct sb_blob digest, struct sb_arena *a,
                      struct sb_blob *ret, const char **ret_version, struct sb_error *err)
{
    enum sb_err rc;
    struct ready r;
    struct sb_blob out;
    SB_TRY(prepare(&r, e, c, VOP_SIGN, vault, name, version, alg, err));
    const char *used = arena_strdup(a, r.k->k.version);
    if (used == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a result");
        goto out;
    }
    SB_TRY(pkey_sign(r.key, alg, digest.p, digest.n, a, &out, err));
    *ret = out;
    *ret_version = used;
out:
    return done(&r, rc);
}

enum sb_err vkey_verify(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        const char *version, enum pkey_alg alg, struct sb_blob digest,
                        struct sb_blob signature, bool *ret_good, struct sb_error *err)
{
    enum sb_err rc;
    struct ready r;
    SB_TRY(prepare(&r, e, c, VOP_VERIFY, vault, name, version, alg, err));
    SB_TRY(pkey_verify(r.key, alg, digest.p, digest.n, signature.p, signature.n, ret_good, err));
out:
    return done(&r, rc);
}
