/*
 * vault.h: emulated key vaults, as ARM resources and as what holds keys. Names are compared ignoring case.
 */
#ifndef SB_VAULT_H
#define SB_VAULT_H

#include "crypto/pkey.h"
#include "server/engine/directory.h"

#define VAULT_NAME_MAX   24
#define VKEY_NAME_MAX    127
#define VKEY_VERSION_LEN 32

/* What access policies and data actions tell apart. Certificates and managed storage are not emulated: their
 * permissions are checked and kept, and grant nothing. */
enum vault_family { VFAM_KEYS, VFAM_SECRETS, VFAM_CERTIFICATES, VFAM_STORAGE, VFAM_MAX };

/* Key permissions of access policies, as bits; vault_permissions.c names them, the table in vault_policy.c
 * says which operation needs which. */
enum vperm {
    VPERM_GET = 1 << 0,
    VPERM_LIST = 1 << 1,
    VPERM_CREATE = 1 << 2,
    VPERM_IMPORT = 1 << 3,
    VPERM_UPDATE = 1 << 4,
    VPERM_DELETE = 1 << 5,
    VPERM_RECOVER = 1 << 6,
    VPERM_PURGE = 1 << 7,
    VPERM_BACKUP = 1 << 8,
    VPERM_RESTORE = 1 << 9,
    VPERM_ENCRYPT = 1 << 10,
    VPERM_DECRYPT = 1 << 11,
    VPERM_WRAP = 1 << 12,
    VPERM_UNWRAP = 1 << 13,
    VPERM_SIGN = 1 << 14,
    VPERM_VERIFY = 1 << 15,
    VPERM_ROTATE = 1 << 16,
    VPERM_GETPOLICY = 1 << 17,
    VPERM_SETPOLICY = 1 << 18,
    VPERM_RELEASE = 1 << 19
};

/* Secret permissions. */
enum vsecret_perm {
    VSECRET_GET = 1 << 0,
    VSECRET_LIST = 1 << 1,
    VSECRET_SET = 1 << 2,
    VSECRET_DELETE = 1 << 3,
    VSECRET_RECOVER = 1 << 4,
    VSECRET_BACKUP = 1 << 5,
    VSECRET_RESTORE = 1 << 6,
    VSECRET_PURGE = 1 << 7
};

struct vault_policy {
    const char *tenant, *oid, *appid; /* appid may be NULL */
    const char *permissions;          /* JSON text of the permissions object, as sent */
    uint32_t keys, secrets;           /* vperm and vsecret_perm bits */
};

struct vault {
    int64_t id;
    const char *sub, *group, *name, *location, *tags, *tenant;
    const char *sku; /* "standard" or "premium" */
    int64_t created_ms, updated_ms;
    const char *created_by, *updated_by;
    bool soft_delete, purge_protection;
    int soft_delete_days;
    int rbac;                                   /* -1 not set, 0, 1 */
    int for_deployment, for_disk, for_template; /* -1 not set, 0, 1 */
    const char *network_acls;                   /* JSON text as sent, or NULL */
    bool acl_deny;                              /* default action Deny */
    bool acl_bypass_azure;                      /* bypass contains AzureServices */
    const char *acl_ips;                        /* comma-separated addresses/prefixes */
    bool public_access;                         /* publicNetworkAccess Enabled */
    const struct vault_policy *policies;
    size_t policies_n;
    int64_t deleted_ms, purge_ms; /* 0 while live */
};

/* What a PUT or PATCH carries; pointers NULL and ints -1 mean "not sent". Begin with vault_spec. */
struct vault_spec {
    const char *sub, *group, *name, *location, *tags, *tenant, *sku, *network_acls, *acl_ips, *caller;
    int soft_delete, soft_delete_days, purge_protection, rbac, acl_deny, acl_bypass_azure, public_access;
    int for_deployment, for_disk, for_template;
    bool recover;                /* createMode recover */
    const struct principal *who; /* must be allowed to assign roles when rbac changes; NULL: not asked */
    bool rbac_default; /* what an unset enableRbacAuthorization means on create (api-version 2026-02-01: true)
                        */
    bool has_policies;
    const struct vault_policy *policies;
    size_t policies_n;
};
/* A spec in which nothing was sent. */
struct vault_spec vault_spec(const char *sub, const char *group, const char *name, const char *caller);

SB_MUST enum sb_err vault_open(struct engine *e, struct sb_error *err);
void vault_close(struct engine *e);

/* ---- ARM plane ---- */
SB_MUST enum sb_err vault_put(struct engine *e, const struct vault_spec *s, struct sb_arena *a,
                              struct vault *ret, bool *ret_created, struct sb_error *err);
SB_MUST enum sb_err vault_patch(struct engine *e, const struct vault_spec *s, struct sb_arena *a,
                                struct vault *ret, struct sb_error *err);
SB_MUST enum sb_err vault_get(struct engine *e, const char *sub, const char *group, const char *name,
                              struct sb_arena *a, struct vault *ret, struct sb_error *err);
/* Any subscription; SB_ENOVAULT. Deleted vaults are not found. */
SB_MUST enum sb_err vault_by_name(struct engine *e, const char *name, struct sb_arena *a, struct vault *ret,
                                  struct sb_error *err);
SB_MUST enum sb_err vault_list(struct engine *e, const char *sub, const char *group, struct sb_arena *a,
                               struct vault **ret, size_t *ret_n, struct sb_error *err);
enum vault_policy_mode { VAULT_POLICY_ADD, VAULT_POLICY_REPLACE, VAULT_POLICY_REMOVE };
/* caller: as in a vault_spec. */
SB_MUST enum sb_err vault_policies(struct engine *e, const char *sub, const char *group, const char *name,
                                   const char *caller, enum vault_policy_mode mode,
                                   const struct vault_policy *p, size_t n, struct sb_arena *a,
                                   struct vault *ret, struct sb_error *err);
SB_MUST enum sb_err vault_delete(struct engine *e, const char *sub, const char *group, const char *name,
                                 bool *ret_existed, struct sb_error *err);
SB_MUST enum sb_err vault_deleted_get(struct engine *e, const char *sub, const char *location,
                                      const char *name, struct sb_arena *a, struct vault *ret,
                                      struct sb_error *err);
SB_MUST enum sb_err vault_deleted_list(struct engine *e, const char *sub, struct sb_arena *a,
                                       struct vault **ret, size_t *ret_n, struct sb_error *err);
/* SB_EPURGEPROTECTED */
SB_MUST enum sb_err vault_purge(struct engine *e, const char *sub, const char *location, const char *name,
                                struct sb_error *err);
/* All vaults of a group go (soft-deleted); for directory_group_delete. */
SB_MUST enum sb_err vault_delete_group(struct engine *e, const char *sub, const char *group,
                                       struct sb_error *err);
/* Name check: SB_OK free, SB_EVAULTNAME, SB_EVAULTEXISTS. */
SB_MUST enum sb_err vault_name_check(struct engine *e, const char *name, struct sb_error *err);

/* "1.2.3.4", "1.2.3.0/24" or IPv6 alike: what an ipRules entry may hold. */
bool vault_ip_rule_ok(const char *rule);

/* ---- keys ---- */
/* One version of a key. */
struct vkey {
    int64_t vault_id;
    const char *vault, *name, *version;
    const char *kty;     /* "RSA", "RSA-HSM", "EC", "EC-HSM" */
    const char *key_ops; /* comma-separated, in the order given */
    struct pkey_parts pub;
    bool enabled;
    int64_t nbf, exp;         /* unix seconds; -1 not set */
    int64_t created, updated; /* unix seconds */
    const char *tags;         /* JSON text or NULL */
    int64_t deleted, purge;   /* unix seconds; 0 while live */
    int recoverable_days;
    bool purge_protection;
};

/* Who calls a vault's data plane, and how. */
struct vault_caller {
    const struct principal *who;
    const char *ip; /* client address; NULL inside the emulator */
    bool arm;       /* Azure Resource Manager on behalf of who: beside policies and firewall, not beside role
                       assignments */
    bool deploying; /* a template deployment: reads secrets of a vault that is enabled for it, beside policies
                       and roles; a trusted service of the firewall */
    bool service;   /* the Service Bus service (a trusted service of the firewall; meets service faults) */
    const char *request_id;
    const char *base; /* the vault's URL as the caller knows it, for messages; NULL: none */
    bool *audited;    /* set when the call has got its audit event, or is to have none; NULL: nobody asks */
};

/* A page of a list. It begins at a place in the order, not at a count, so that what is added or removed
 * meanwhile shifts nothing. */
struct vault_page {
    const char *from; /* the first one wanted, or what would stand there; NULL: from the start */
    size_t max;
    const char *next; /* out: the first one of the next page, in the arena; NULL: that was all */
};

struct vkey_spec {
    const char *vault, *name;
    const char *kty;
    unsigned bits;                    /* 0: 2048 */
    enum pkey_curve curve;            /* PKEY_CURVE_NONE: P-256 */
    const char *key_ops;              /* NULL: the default of the type */
    int enabled;                      /* -1: not sent */
    int64_t nbf, exp;                 /* -1: not sent */
    const char *tags;                 /* NULL: not sent */
    bool only_new;                    /* create: SB_EEXISTS instead of a further version */
    const struct vkey_policy *policy; /* create: the key's rotation policy from then on, or NULL */
    struct pkey *import;              /* a key to import instead of generating; borrowed */
    int hsm;                          /* import: 1 for *-HSM */
};

/* Each checks faults (scope all), firewall, authorization (policy or RBAC), state rules, does the work off
 * every lock, is durable when it returns, and writes one audit event. version "" or NULL: the newest. */
SB_MUST enum sb_err vkey_create(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                                struct sb_arena *a, struct vkey *ret, struct sb_error *err);
SB_MUST enum sb_err vkey_import(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                                struct sb_arena *a, struct vkey *ret, struct sb_error *err);
SB_MUST enum sb_err vkey_rotate(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, struct sb_arena *a, struct vkey *ret, struct sb_error *err);
SB_MUST enum sb_err vkey_get(struct engine *e, const struct vault_caller *c, const char *vault,
                             const char *name, const char *version, struct sb_arena *a, struct vkey *ret,
                             struct sb_error *err);
/* s: name, and what of enabled/nbf/exp/tags/key_ops was sent. */
SB_MUST enum sb_err vkey_update(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                                const char *version, struct sb_arena *a, struct vkey *ret,
                                struct sb_error *err);
/* Newest version of each key by name / all versions of one by version (both recorded). */
SB_MUST enum sb_err vkey_list(struct engine *e, const struct vault_caller *c, const char *vault, bool deleted,
                              struct vault_page *page, struct sb_arena *a, struct vkey **ret, size_t *ret_n,
                              struct sb_error *err);
SB_MUST enum sb_err vkey_versions(struct engine *e, const struct vault_caller *c, const char *vault,
                                  const char *name, struct vault_page *page, struct sb_arena *a,
                                  struct vkey **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err vkey_delete(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, struct sb_arena *a, struct vkey *ret, struct sb_error *err);
SB_MUST enum sb_err vkey_deleted_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                     const char *name, struct sb_arena *a, struct vkey *ret,
                                     struct sb_error *err);
SB_MUST enum sb_err vkey_recover(struct engine *e, const struct vault_caller *c, const char *vault,
                                 const char *name, struct sb_arena *a, struct vkey *ret,
                                 struct sb_error *err);
SB_MUST enum sb_err vkey_purge(struct engine *e, const struct vault_caller *c, const char *vault,
                               const char *name, struct sb_error *err);
/* All versions, sealed, as text that vkey_restore takes in any vault of the same subscription and geography.
 */
SB_MUST enum sb_err vkey_backup(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, struct sb_arena *a, const char **ret, struct sb_error *err);
/* blob: the bytes of such text. base: the vault's URL, for the text of a conflict. SB_EBADBACKUP,
 * SB_EBADPARAM (made elsewhere), SB_ECONFLICT (the name is in use), SB_EKEYDELETED. */
SB_MUST enum sb_err vkey_restore(struct engine *e, const struct vault_caller *c, const char *vault,
                                 struct sb_blob blob, struct sb_arena *a, struct vkey *ret,
                                 struct sb_error *err);

/* A key's rotation policy; durations are ISO 8601 text as sent, NULL: not set; times are unix seconds. */
struct vkey_policy {
    const char *name;                         /* the key's */
    const char *rotate_after, *rotate_before; /* at most one */
    const char *notify_before, *expiry;
    int64_t created, updated; /* -1: none was ever set, this is the default one */
};
SB_MUST enum sb_err vkey_policy_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                    const char *name, struct sb_arena *a, struct vkey_policy *ret,
                                    struct sb_error *err);
/* The one that was set, for who may read the key: not an operation of its own. *ret_found false: there is
 * none. */
SB_MUST enum sb_err vkey_policy_stored(struct engine *e, const struct vkey *k, struct sb_arena *a,
                                       bool *ret_found, struct vkey_policy *ret, struct sb_error *err);
/* p: its durations. SB_EBADPARAM in our own words. */
SB_MUST enum sb_err vkey_policy_put(struct engine *e, const struct vault_caller *c, const char *vault,
                                    const char *name, const struct vkey_policy *p, struct sb_arena *a,
                                    struct vkey_policy *ret, struct sb_error *err);

/* 1 to 128 random bytes. */
SB_MUST enum sb_err vkey_random(struct engine *e, const struct vault_caller *c, const char *vault, size_t n,
                                struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
/* Always refused, once the caller may ask: no key here is exportable. */
SB_MUST enum sb_err vkey_release(struct engine *e, const struct vault_caller *c, const char *vault,
                                 const char *name, const char *version, struct sb_error *err);

/* perm: VPERM_WRAP, VPERM_UNWRAP, VPERM_ENCRYPT, VPERM_DECRYPT. *ret_id: "NAME/VERSION" that was used, the
 * name as it was first written. */
SB_MUST enum sb_err vkey_crypt(struct engine *e, const struct vault_caller *c, const char *vault,
                               const char *name, const char *version, enum vperm perm, enum pkey_alg alg,
                               struct sb_blob in, struct sb_arena *a, struct sb_blob *ret,
                               const char **ret_id, struct sb_error *err);
/* Over a digest of the algorithm's length; an ES* signature is raw r||s. */
SB_MUST enum sb_err vkey_sign(struct engine *e, const struct vault_caller *c, const char *vault,
                              const char *name, const char *version, enum pkey_alg alg, struct sb_blob digest,
                              struct sb_arena *a, struct sb_blob *ret, const char **ret_id,
                              struct sb_error *err);
SB_MUST enum sb_err vkey_verify(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, const char *version, enum pkey_alg alg,
                                struct sb_blob digest, struct sb_blob signature, bool *ret_good,
                                struct sb_error *err);

/* ---- the Service Bus service as a client of the vault (poller and ns_put only) ----
 * caller->service is set. Faults map to SB_EUNREACHABLE (unreachable, timeout), SB_ETHROTTLED,
 * SB_EUNAVAILABLE (5xx): "unreachable" in the sense of semantics 8. Deleted key or vault: SB_EKEYNOTFOUND /
 * SB_ENOVAULT. Each call is audited like a client's. */

/* Get: with version the exact one, else the newest whose not-before has come (semantics 8); needs the get
 * permission. */
SB_MUST enum sb_err vkey_service_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                     const char *name, const char *version, struct sb_arena *a,
                                     struct vkey *ret, struct sb_error *err);
/* unwrapKey / wrapKey with RSA-OAEP-256; the root key stays in its handle. */
SB_MUST enum sb_err vkey_service_unwrap(struct engine *e, const struct vault_caller *c, const char *vault,
                                        const char *name, const char *version, struct sb_blob wrapped,
                                        struct cmem_key **ret, struct sb_error *err);
/* All of unwrapKey but the private operation: permission, state, faults, audit. For a blob that this process
 * has opened already, while nothing has changed in keyvault.db since (rbac_epoch), so that a day of polls can
 * pass in a moment. */
SB_MUST enum sb_err vkey_service_unwrap_again(struct engine *e, const struct vault_caller *c,
                                              const char *vault, const char *name, const char *version,
                                              struct sb_error *err);
SB_MUST enum sb_err vkey_service_wrap(struct engine *e, const struct vault_caller *c, const char *vault,
                                      const char *name, const char *version, const struct cmem_key *root,
                                      struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
/* Would this operation be allowed on this version right now (permission, enabled, dates, key_ops, RSA)? Not a
 * vault call: no fault, no audit. */
SB_MUST enum sb_err vkey_service_check(struct engine *e, const struct vault_caller *c, const char *vault,
                                       const char *name, const char *version, enum vperm perm,
                                       struct sb_error *err);
/* The audit event of a request to an existing vault that was refused before an operation began (no token, a
 * malformed body …); c->who may be NULL. op: operationName; key: NULL or the path's. */
void vault_audit_refused(struct engine *e, const struct vault_caller *c, const char *vault, const char *op,
                         const char *key, int status, const char *result, const char *message);
/* HTTP status that the vault would have answered with for this error (403, 404, 429, 503 …). */
int vault_http_status(enum sb_err code);

/* ---- what falls due (timeline) ---- */
int64_t vault_next_due(struct engine *e); /* purges, rotations and notices; TIMELINE_NEVER */
SB_MUST enum sb_err vault_run_due(struct engine *e, int64_t now, struct sb_error *err);

#endif
