/*
 * vault_private.h: what vault*.c and vkey*.c share: remembered rows, the operation table, one data-plane
 * call.
 *
 * Rows that calls need are remembered as immutable snapshots, stamped with the epoch of the vault database
 * (rbac_epoch), so a call on an unchanged database never waits for its thread. The epoch is taken before the
 * read and moved after each commit: a snapshot can be thrown away too early, never used too late. Opened
 * private keys are remembered whatever the epoch (a version's key never changes) and forgotten when their key
 * or vault is deleted.
 */
#ifndef SB_VAULT_PRIVATE_H
#define SB_VAULT_PRIVATE_H

#include <stdatomic.h>
#include "server/engine/vault.h"
#include "server/engine/vault_cache.h"
#include "storage/st_key.h"
#include "storage/st_vault.h"

#define VAULT_SNAPS_MAX 4096        /* remembered vaults, and remembered versions */
#define VAULT_PKEYS_MAX 4096        /* opened private keys; opening one costs as much as using it */
#define VAULT_TEXT_MAX  (16u << 20) /* arena of one snapshot: 1,024 access policies fit */

/* Room for "vault id/key name/version" and its NUL. */
#define VAULT_CACHE_KEY (24 + VKEY_NAME_MAX + 1 + VKEY_VERSION_LEN + 1)

struct vaults {
    struct vault_cache *vaults;   /* name -> struct vault_snap */
    struct vault_cache *versions; /* vault id/key name/version ("" the newest) -> struct vkey_snap */
    struct vault_cache *pkeys;    /* vault id/key name/version -> struct pkey; stamp 0 */
    pthread_mutex_t due_lock;
    bool due_known;
    uint64_t due_epoch;
    int64_t due; /* what vault_next_due answers at due_epoch */
};

/* ---- snapshots: shared, immutable, in an arena of their own ---- */
struct snap {
    atomic_int refs;
    struct sb_arena *arena;
};
struct vault_snap {
    struct snap s; /* first member */
    struct vault v;
};
struct vkey_snap {
    struct snap s; /* first member */
    uint64_t epoch;
    struct vkey k;
    struct sb_blob sealed;
};
void *vault_snap_ref(void *snap);
void vault_snap_unref(void *snap); /* NULL is ok */

/* A live vault by name; SB_ENOVAULT. Caller unrefs. */
SB_MUST enum sb_err vault_find(struct engine *e, const char *name, struct vault_snap **ret,
                               struct sb_error *err);
/* A version of a live key, NULL or "" the newest; SB_EKEYNOTFOUND in the service's words. Caller unrefs. */
SB_MUST enum sb_err vkey_find(struct engine *e, const struct vault *v, const char *name, const char *version,
                              struct vkey_snap **ret, struct sb_error *err);
/* The newest version whose not-before date has come (semantics 8); SB_EKEYNOTYET when there is none. Caller
 * unrefs. */
SB_MUST enum sb_err vkey_find_current(struct engine *e, const struct vault *v, const char *name,
                                      struct vkey_snap **ret, struct sb_error *err);
/* Its private key, opened. Caller unrefs. */
SB_MUST enum sb_err vkey_open(struct engine *e, const struct vkey_snap *k, struct pkey **ret,
                              struct sb_error *err);
/* Forgets opened keys of a vault, or of one of its keys (name NULL: all). After rbac_changed, on the kv
 * thread. */
void vkey_forget(struct engine *e, int64_t vault_id, const char *name);
/* "vault-key/<vault id>/<name>/<version>", lower case: what a sealed private key is bound to. dst:
 * VAULT_CACHE_KEY + 16. */
void vkey_aad(int64_t vault_id, const char *name, const char *version, char *dst, size_t cap);

/* Rows as the engine shows them; text is shared with the row, arrays come from the arena (false: out of
 * memory). */
SB_MUST bool vault_from_row(const struct st_vault *row, struct sb_arena *a, struct vault *ret);
void vkey_from_row(const struct st_key *row, const struct vault *v, struct vkey *ret);
/* Deep copies into an arena (false: out of memory). */
SB_MUST bool vault_copy(const struct vault *v, struct sb_arena *a, struct vault *ret);
SB_MUST bool vkey_copy(const struct vkey *k, struct sb_arena *a, struct vkey *ret);

/* ---- rules of the ARM plane (vault.c) ---- */
/* 3 to 24 letters, digits and hyphens; begins with a letter, ends with a letter or digit, no two hyphens
 * together. SB_EVAULTNAME. */
SB_MUST enum sb_err vault_check_name(const char *name, struct sb_error *err);
bool vault_of_group(const struct st_vault *v, const char *sub, const char *group);
enum sb_err vault_deleted_not_found(const char *name, struct sb_error *err);

/* ---- operations of the data plane (vault_policy.c: one table) ---- */
enum vault_op_id {
    VOP_CREATE,
    VOP_IMPORT,
    VOP_GET,
    VOP_LIST,
    VOP_VERSIONS,
    VOP_UPDATE,
    VOP_DELETE,
    VOP_DELETED_GET,
    VOP_DELETED_LIST,
    VOP_RECOVER,
    VOP_PURGE,
    VOP_ROTATE,
    VOP_ENCRYPT,
    VOP_DECRYPT,
    VOP_WRAP,
    VOP_UNWRAP,
    VOP_SIGN,
    VOP_VERIFY,
    VOP_MAX
};
struct vault_op {
    const char *audit; /* operationName of the audit log */
    enum vault_family family;
    uint32_t perm;      /* of an access policy: vperm or vsecret_perm */
    const char *verb;   /* in messages; of a crypto operation also its key_ops name */
    const char *action; /* dataAction */
    bool dated; /* refused outside the key's dates; the others work on expired and not yet valid keys */
};
const struct vault_op *vault_op(enum vault_op_id id);
/* The crypto operation that a permission stands for; VOP_MAX: none. */
enum vault_op_id vault_op_of(enum vperm perm);

/* Firewall and permission, without meeting faults. key: name of the key or secret, NULL for operations on the
 * vault as a whole. */
SB_MUST enum sb_err vault_authorize(struct engine *e, const struct vault_caller *c, const struct vault *v,
                                    const struct vault_op *op, const char *key, struct sb_error *err);

/* One call: begun with everything that is checked before the key itself, ended with its audit event. */
struct vault_call {
    struct engine *e;
    const struct vault_caller *c;
    const struct vault_op *op;
    struct vault_snap *v;
    const char *key;
    char version[VKEY_VERSION_LEN + 1]; /* set by the operation when it knows */
    int status;                         /* of the answer, where a fault asks for one; else 0 */
    bool unheard;                       /* it never came to the vault: no audit event */
    const struct sb_error *err;         /* the caller's: why it failed, for the audit event */
};
/* In this order: vault, key name, fault, tenant, firewall, permission. err is looked at again by
 * vault_call_end, which always follows. */
SB_MUST enum sb_err vault_call_begin(struct vault_call *k, struct engine *e, const struct vault_caller *c,
                                     enum vault_op_id op, const char *vault, const char *key,
                                     struct sb_error *err);
/* Writes the audit event (of a call that came to the vault) and returns rc. */
enum sb_err vault_call_end(struct vault_call *k, enum sb_err rc);
void vault_call_version(struct vault_call *k, const char *version);

/* May op be done with this version now: enabled, dates, key_ops? (SB_EKEYDISABLED, SB_EKEYEXPIRED,
 * SB_EKEYNOTYET, SB_EKEYOP) */
SB_MUST enum sb_err vkey_allowed(const struct vault_op *op, const struct vkey *k, int64_t now_s,
                                 struct sb_error *err);
enum sb_err vkey_not_found(struct sb_error *err, const char *name, const char *version);

/* ---- permissions of access policies (vault_permissions.c) ---- */
/* "keys", "secrets" … as access policies, paths and messages name them. */
const char *vault_family_name(enum vault_family family);
/* Permission bits of each family of a permissions object in compact JSON; false when it is malformed or names
 * an unknown permission. */
SB_MUST bool vault_permissions_bits(const char *json, uint32_t ret[VFAM_MAX]);
/* Union, and difference, of two such texts; "{}" when nothing is left; NULL: malformed or out of memory. */
const char *vault_permissions_add(struct sb_arena *a, const char *have, const char *more);
const char *vault_permissions_remove(struct sb_arena *a, const char *have, const char *less);
/* Is nothing granted by it? */
bool vault_permissions_none(const char *json);

/* The vault's ARM id, in the arena of the caller's choice. dst in lower case is what RBAC messages show. */
void vault_scope(const struct vault *v, char *dst, size_t cap);
#define VAULT_SCOPE_MAX 256

#endif
