/*
 * vkey_crypt.c: encrypt, decrypt, wrapKey, unwrapKey, sign and verify for clients of a vault; random bytes.
 *
 * On an unchanged database none of these waits for its thread: vault, version and opened key are remembered.
 */
#include "crypto/rng.h"
#include "server/engine/vault_private.h"

#define RANDOM_MAX 128 /* documented */

/* A key that is ready for one operation. */
struct ready {
    struct vault_call call;
    struct vkey_snap *k;
    struct pkey *key;
};

/* Recorded for a curve that is not the algorithm's; the other by analogy. */
static enum sb_err misfit(const struct vault_caller *c, const struct vkey *k, enum pkey_alg alg,
                          struct sb_error *err)
{
    const char *base = vault_call_base(c), *name = pkey_alg_name(alg);
    enum pkey_curve wanted = pkey_alg_curve(alg);
    if (k->pub.type == PKEY_EC && wanted != PKEY_CURVE_NONE)
        return sb_fail(err, SB_EBADPARAM,
                       "Key and signing algorithm are incompatible. Key %s/keys/%s/%s uses curve '%s', and "
                       "algorithm '%s' can only be used with curve '%s'.",
                       base, k->name, k->version, pkey_curve_name(k->pub.curve), name,
                       pkey_curve_name(wanted));
    return sb_fail(
        err, SB_EBADPARAM,
        "Key and algorithm are incompatible. Key %s/keys/%s/%s is of type '%s', and algorithm '%s' "
        "cannot be used with it.",
        base, k->name, k->version, k->kty, name);
}

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
    if (!pkey_alg_fits(r->key, alg))
        rc = misfit(c, &r->k->k, alg, err);
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
                       struct sb_arena *a, struct sb_blob *ret, const char **ret_id, struct sb_error *err)
{
    enum sb_err rc;
    struct ready r;
    struct sb_blob out;
    bool forward = perm == VPERM_ENCRYPT || perm == VPERM_WRAP;
    SB_TRY(prepare(&r, e, c, vault_op_of(perm), vault, name, version, alg, err));
    const char *used = arena_printf(a, "%s/%s", r.k->k.name, r.k->k.version);
    if (used == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a result");
        goto out;
    }
    SB_TRY(forward ? pkey_encrypt(r.key, alg, in.p, in.n, a, &out, err)
                   : pkey_decrypt(r.key, alg, in.p, in.n, a, &out, err));
    *ret = out;
    *ret_id = used;
out:
    return done(&r, rc);
}

enum sb_err vkey_sign(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                      const char *version, enum pkey_alg alg, struct sb_blob digest, struct sb_arena *a,
                      struct sb_blob *ret, const char **ret_id, struct sb_error *err)
{
    enum sb_err rc;
    struct ready r;
    struct sb_blob out;
    SB_TRY(prepare(&r, e, c, VOP_SIGN, vault, name, version, alg, err));
    const char *used = arena_printf(a, "%s/%s", r.k->k.name, r.k->k.version);
    if (used == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a result");
        goto out;
    }
    SB_TRY(pkey_sign(r.key, alg, digest.p, digest.n, a, &out, err));
    *ret = out;
    *ret_id = used;
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

/* ---- what only a managed HSM does for real ---- */

enum sb_err vkey_random(struct engine *e, const struct vault_caller *c, const char *vault, size_t n,
                        struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_RANDOM, vault, NULL, err));
    if (n < 1 || n > RANDOM_MAX) {
        rc = sb_fail(err, SB_EBADPARAM, "Property count must be between 1 and %d.", RANDOM_MAX);
        goto out;
    }
    uint8_t *p = arena_alloc(a, n);
    if (p == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for random bytes");
        goto out;
    }
    rng_bytes(p, n);
    *ret = (struct sb_blob){.p = p, .n = n};
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_release(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                         const char *version, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_RELEASE, vault, name, err));
    SB_TRY(vkey_find(e, &call.v->v, name, version, &k, err));
    vault_call_version(&call, k->k.version);
    rc = sb_fail(err, SB_EKEYOP,
                 "Operation release is not permitted on this key: it is not exportable (exportable keys are "
                 "not emulated).");
out:
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}
