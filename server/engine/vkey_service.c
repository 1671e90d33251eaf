/*
 * vkey_service.c: the Service Bus service as a client of a vault, with a namespace's identity (semantics 6
 * and 8).
 *
 * The same permission, state and audit as any client's call. It differs in three things: it is a trusted
 * service of the firewall, it names the version it wants (the newest whose not-before date has come), and the
 * root key it wraps and unwraps stays in its handle.
 */
#include "server/engine/vault_private.h"

static enum sb_err find(struct engine *e, const struct vault *v, const char *name, const char *version,
                        struct vkey_snap **ret, struct sb_error *err)
{
    bool pinned = version != NULL && version[0] != '\0';
    return pinned ? vkey_find(e, v, name, version, ret, err) : vkey_find_current(e, v, name, ret, err);
}

/* Only RSA keys wrap (key_ops of an EC key never hold wrapKey, so this is for what no PUT should have let
 * through). */
static enum sb_err check_type(const struct vault_op *op, const struct vkey *k, struct sb_error *err)
{
    if (k->pub.type == PKEY_RSA)
        return SB_OK;
    return sb_fail(err, SB_EKEYOP, "Operation %s is not permitted on this key.", op->verb);
}

enum sb_err vkey_service_get(struct engine *e, const struct vault_caller *c, const char *vault,
                             const char *name, const char *version, struct sb_arena *a, struct vkey *ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_GET, vault, name, err));
    SB_TRY(find(e, &call.v->v, name, version, &k, err));
    vault_call_version(&call, k->k.version);
    if (!vkey_copy(&k->k, a, ret))
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a key");
out:
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}

/* Permission and state. */
static enum sb_err allow_for(struct vault_call *call, const char *name, const char *version,
                             struct vkey_snap **k, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(find(call->e, &call->v->v, name, version, k, err));
    vault_call_version(call, (*k)->k.version);
    SB_TRY(vkey_allowed(call->op, &(*k)->k, engine_now(call->e) / 1000, err));
    SB_TRY(check_type(call->op, &(*k)->k, err));
out:
    return rc;
}

/* Permission, state and the opened key. */
static enum sb_err open_for(struct vault_call *call, const char *name, const char *version,
                            struct vkey_snap **k, struct pkey **key, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(allow_for(call, name, version, k, err));
    SB_TRY(vkey_open(call->e, *k, key, err));
out:
    return rc;
}

enum sb_err vkey_service_unwrap_again(struct engine *e, const struct vault_caller *c, const char *vault,
                                      const char *name, const char *version, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_UNWRAP, vault, name, err));
    SB_TRY(allow_for(&call, name, version, &k, err));
out:
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}

enum sb_err vkey_service_unwrap(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, const char *version, struct sb_blob wrapped,
                                struct cmem_key **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    struct pkey *key = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_UNWRAP, vault, name, err));
    SB_TRY(open_for(&call, name, version, &k, &key, err));
    SB_TRY(pkey_unwrap_cmem(key, wrapped.p, wrapped.n, ret, err));
out:
    pkey_unref(key);
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}

enum sb_err vkey_service_wrap(struct engine *e, const struct vault_caller *c, const char *vault,
                              const char *name, const char *version, const struct cmem_key *root,
                              struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    struct pkey *key = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_WRAP, vault, name, err));
    SB_TRY(open_for(&call, name, version, &k, &key, err));
    SB_TRY(pkey_wrap_cmem(key, root, a, ret, err));
out:
    pkey_unref(key);
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}

enum sb_err vkey_service_check(struct engine *e, const struct vault_caller *c, const char *vault,
                               const char *name, const char *version, enum vperm perm, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_snap *v = NULL;
    struct vkey_snap *k = NULL;
    bool get = perm == VPERM_GET;
    const struct vault_op *op = vault_op(get ? VOP_GET : vault_op_of(perm));
    SB_TRY(vault_find(e, vault, &v, err));
    SB_TRY(vault_authorize(e, c, &v->v, op, name, err));
    SB_TRY(find(e, &v->v, name, version, &k, err));
    if (!get) {
        SB_TRY(vkey_allowed(op, &k->k, engine_now(e) / 1000, err));
        SB_TRY(check_type(op, &k->k, err));
    }
out:
    vault_snap_unref(k);
    vault_snap_unref(v);
    return rc;
}
