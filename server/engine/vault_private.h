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
#include "storage/st_object.h"
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
/* "vault-key/<vault id>/<name>/<version>" or "vault-secret/…", lower case: what a sealed private key or value
 * is bound to. dst: VAULT_AAD_MAX. */
void vault_object_aad(enum st_kind kind, int64_t vault_id, const char *name, const char *version, char *dst);
#define VAULT_AAD_MAX (VAULT_CACHE_KEY + 16)

/* Rows as the engine shows them; text is shared with the row, arrays come from the arena (false: out of
 * memory). */
SB_MUST bool vault_from_row(const struct st_vault *row, struct sb_arena *a, struct vault *ret);
void vkey_from_row(const struct st_object *row, const struct vault *v, struct vkey *ret);
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
    VOP_RELEASE,
    VOP_BACKUP,
    VOP_RESTORE,
    VOP_GET_POLICY,
    VOP_SET_POLICY,
    VOP_RANDOM,
    VOP_SECRET_SET,
    VOP_SECRET_GET,
    VOP_SECRET_LIST,
    VOP_SECRET_VERSIONS,
    VOP_SECRET_UPDATE,
    VOP_SECRET_DELETE,
    VOP_SECRET_DELETED_GET,
    VOP_SECRET_DELETED_LIST,
    VOP_SECRET_RECOVER,
    VOP_SECRET_PURGE,
    VOP_SECRET_BACKUP,
    VOP_SECRET_RESTORE,
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
    int status;                         /* of the answer, where it is not the usual one; else 0 */
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
/* The vault's URL in messages to this caller. */
static inline const char *vault_call_base(const struct vault_caller *c)
{
    return c->base != NULL ? c->base : "";
}

/* May op be done with this version now: enabled, dates, key_ops? (SB_EKEYDISABLED, SB_EKEYEXPIRED,
 * SB_EKEYNOTYET, SB_EKEYOP) */
SB_MUST enum sb_err vkey_allowed(const struct vault_op *op, const struct vkey *k, int64_t now_s,
                                 struct sb_error *err);

/* ---- keys and secrets alike (vault_object.c) ---- */
/* SB_EKEYNOTFOUND or SB_ESECRETNOTFOUND in the service's words. */
enum sb_err vault_object_missing(enum st_kind kind, const char *name, const char *version,
                                 struct sb_error *err);
/* Not-before must come before expiry; -1: not set. */
SB_MUST enum sb_err vault_object_dates(int64_t nbf, int64_t exp, struct sb_error *err);
/* The vault must still be there (SB_ENOVAULT), the name free or live (SB_EKEYDELETED). */
SB_MUST enum sb_err vault_object_head(struct tx *tx, const struct vault *v, enum st_kind kind,
                                      const char *name, struct sb_arena *a, bool *ret_found,
                                      struct st_object *ret, struct sb_error *err);
/* Adds a version, and the object if it is the first. row: everything but the ids; its name becomes the stored
 * one. */
SB_MUST enum sb_err vault_object_add(struct tx *tx, const struct vault *v, enum st_kind kind,
                                     struct st_object *row, struct sb_arena *a, struct sb_error *err);
/* A page of objects (name NULL) or of versions; the rows come from a. */
SB_MUST enum sb_err vault_object_list(struct vault_call *call, enum st_kind kind, const char *name,
                                      bool deleted, struct vault_page *page, struct sb_arena *a,
                                      struct st_object **ret, size_t *ret_n, struct sb_error *err);

/* An operation on a stored object, in one transaction. Caller sets kind, name, version (NULL or "": the
 * newest), deleted, what, a; for VAULT_UPDATE also change, which may run twice. */
struct vault_edit {
    struct engine *e;
    const struct vault *v;
    enum st_kind kind;
    const char *name, *version;
    bool deleted; /* the one to look for: deleted or live */
    enum { VAULT_READ, VAULT_UPDATE, VAULT_DELETE, VAULT_RECOVER, VAULT_PURGE } what;
    enum sb_err (*change)(void *cookie, struct st_object *row, struct sb_error *err);
    void *cookie;
    struct sb_arena *a;
    struct st_object row; /* the result; its text in a */
};
SB_MUST enum sb_err vault_object_edit(struct vault_call *call, struct vault_edit *d, struct sb_error *err);
/* The whole call. SB_EPURGEPROTECTED. */
SB_MUST enum sb_err vault_object_purge(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                                       const char *vault, enum st_kind kind, const char *name,
                                       struct sb_error *err);

/* Asks for the audit event of something the vault did by itself. */
void vault_audit_own(struct engine *e, const struct vault *v, const char *op, const char *key,
                     const char *version);

/* ---- rotation (vkey_policy.c, vkey.c) ---- */
/* Works out anew when the policy of this key has something to do; nothing when it has none. Whenever its
 * versions, its dates or its deletion change. */
/* Keys of the *-HSM types are for premium vaults; SB_EBADPARAM in the service's words (recorded). */
SB_MUST enum sb_err vkey_check_hsm(bool hsm, const struct vault *v, struct sb_error *err);
/* What a policy may say; SB_EBADPARAM in our own words. */
SB_MUST enum sb_err vkey_policy_check(const struct vkey_policy *p, struct sb_error *err);
/* Sets the policy of a key, whose newest version is this. now: unix seconds. */
SB_MUST enum sb_err vkey_policy_set(struct tx *tx, const struct st_object *newest,
                                    const struct vkey_policy *p, int64_t now, struct sb_arena *a,
                                    struct sb_error *err);
SB_MUST enum sb_err vkey_policy_schedule(struct tx *tx, int64_t object_id, struct sb_arena *a,
                                         struct sb_error *err);
/* When the next rotation or notice falls due, in ms; TIMELINE_NEVER. */
SB_MUST enum sb_err vkey_policy_next_due(struct tx *tx, int64_t *ret, struct sb_error *err);
SB_MUST enum sb_err vkey_policy_run_due(struct engine *e, int64_t now, struct sb_error *err);
/* A fresh version like the newest one, expiring as the policy says. due: on behalf of the policy, and only
 * while it is still due; *ret_done tells. */
SB_MUST enum sb_err vkey_rotate_now(struct engine *e, const struct vault *v, const char *name, bool due,
                                    struct sb_arena *a, struct vkey *ret, bool *ret_done,
                                    struct sb_error *err);

/* ---- backups (vault_backup.c) ---- */
SB_MUST enum sb_err vault_backup(struct vault_call *call, enum st_kind kind, const char *name,
                                 struct sb_arena *a, const char **ret, struct sb_error *err);
/* *ret: the newest version. SB_EBADBACKUP, SB_EBADPARAM (of another subscription or geography), SB_ECONFLICT.
 */
SB_MUST enum sb_err vault_restore(struct vault_call *call, enum st_kind kind, struct sb_blob blob,
                                  struct sb_arena *a, struct st_object *ret, struct sb_error *err);

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
