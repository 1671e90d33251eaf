/*
 * ns.h: Service Bus namespaces: life cycle, rules of encryption (semantics 1-5, 15, 17), authorization rules.
 *
 * `struct ns` is the memory object behind a namespace: changed on the sb store's thread only; elsewhere a
 * pointer is valid only while engine_lock is held. What ARM shows is a `struct ns_view`, a copy in the
 * caller's arena.
 */
#ifndef SB_NS_H
#define SB_NS_H

#include "server/engine/directory.h"
#include "server/engine/keyring.h"

#define NS_NAME_MAX 50
#define NS_KEYS_MAX 3

enum ns_status {
    NS_ACTIVE,
    NS_REVOKED,
    NS_UNREACHABLE /* memory only: not polled yet or nothing reachable */
};
enum nskey_state { NSKEY_ACTIVE, NSKEY_REVOKED, NSKEY_UNREACHABLE };
/* Geo-DR: what a namespace is under its alias. */
enum pair_role { PAIR_NONE, PAIR_PRIMARY, PAIR_ALONE /* PrimaryNotReplicating */, PAIR_SECONDARY };
/* What is being done to a namespace for a while (--provisioning-delay). */
enum ns_move {
    MOVE_NONE,
    MOVE_CREATE,
    MOVE_CREATE_IDENTITY,
    MOVE_CREATE_ENCRYPTED,
    MOVE_UPDATE,
    MOVE_IDENTITY,
    MOVE_DELETE
};
enum identity_type { IDENTITY_NONE = 0, IDENTITY_SYSTEM = 1, IDENTITY_USER = 2, IDENTITY_BOTH = 3 };

/* One entry of keyVaultProperties, and its state. */
struct nskey {
    int position; /* configured order */
    const char *key_name;
    const char *vault_uri;       /* as sent, trailing slash stripped */
    const char *vault;           /* first label of the URI */
    const char *version;         /* as sent: NULL not sent, "" versionless, else pinned */
    const char *identity;        /* user-assigned identity id, or NULL: the system-assigned one */
    const char *wrapped_version; /* the key version that wrapped the root key */
    struct sb_blob wrapped;
    enum nskey_state state;
    int code; /* of the last finding: 0, 403, 404, 429, 503… */
    const char *message;
    int64_t since_ms; /* in this state since */
};

struct ns_uai {
    const char *id; /* as sent */
    const char *principal_id, *client_id;
};

struct ns_view {
    int64_t id;
    const char *sub, *group, *name, *location, *tags;
    const char *sku; /* "Basic", "Standard", "Premium" */
    int capacity, partitions;
    enum identity_type identity;
    const char *principal_id; /* of the system-assigned identity, or NULL */
    const struct ns_uai *uais;
    size_t uais_n;
    bool encrypted;
    bool infra;               /* requireInfrastructureEncryption */
    const struct nskey *keys; /* all, configured order, hidden ones included */
    size_t keys_n;
    enum ns_status status; /* stored: Active or Revoked; live: Unreachable too */
    enum ns_status stored_status;
    int64_t last_poll_ms, next_poll_ms; /* 0: never */
    bool disable_local_auth, zone_redundant, public_access;
    const char *alias, *partner; /* of geo-DR: its name, and the other namespace's; NULL: none */
    enum pair_role role;
    enum ns_move move; /* MOVE_NONE: it is settled */
    bool move_late;    /* more than half of it is over */
    const char *tls;   /* "1.2" */
    const char *extra; /* JSON text of further writable properties kept as sent, or NULL */
    int64_t created_ms, updated_ms;
};

/* A PUT or PATCH. -1 / NULL: not sent. Begin with ns_spec. */
struct ns_spec {
    const char *sub, *group, *name, *location, *tags, *sku, *tls, *extra;
    int capacity, partitions, disable_local_auth, zone_redundant, public_access;
    bool has_identity;
    enum identity_type identity;
    const char *const *uais; /* ids as sent */
    size_t uais_n;
    bool has_encryption;
    const char *key_source; /* NULL: default Microsoft.KeyVault */
    int infra;
    bool has_keys;            /* keyVaultProperties was sent */
    const struct nskey *keys; /* key_name, vault_uri, version, identity */
    size_t keys_n;
    bool patch;
};
/* A spec in which nothing was sent. */
struct ns_spec ns_spec(const char *sub, const char *group, const char *name);

SB_MUST enum sb_err ns_open(struct engine *e,
                            struct sb_error *err); /* loads all; encrypted ones wait for their first poll */
void ns_close(struct engine *e);

SB_MUST enum sb_err ns_put(struct engine *e, const struct ns_spec *s, struct sb_arena *a, struct ns_view *ret,
                           bool *ret_created, struct sb_error *err);
SB_MUST enum sb_err ns_get(struct engine *e, const char *sub, const char *group, const char *name,
                           struct sb_arena *a, struct ns_view *ret, struct sb_error *err);
/* By name alone, whatever the subscription (control plane). SB_ENONAMESPACE. */
SB_MUST enum sb_err ns_by_name(struct engine *e, const char *name, struct sb_arena *a, struct ns_view *ret,
                               struct sb_error *err);
SB_MUST enum sb_err ns_list(struct engine *e, const char *sub, const char *group, struct sb_arena *a,
                            struct ns_view **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err ns_delete(struct engine *e, const char *sub, const char *group, const char *name,
                              bool *ret_existed, struct sb_error *err);
SB_MUST enum sb_err ns_delete_group(struct engine *e, const char *sub, const char *group,
                                    struct sb_error *err);
/* DELETE /_emulator/namespaces/{ns}/keys/{key} (semantics 15): withdraws a hidden key for good; refused for
 * the last wrap. */
SB_MUST enum sb_err ns_withdraw_key(struct engine *e, const char *name, const char *key,
                                    const char *vault_uri, struct sb_error *err);
/* Deletions whose time has come; TIMELINE_NEVER: none. */
int64_t ns_next_due(struct engine *e);
SB_MUST enum sb_err ns_run_due(struct engine *e, int64_t now, struct sb_error *err);
/* SB_OK free; SB_EINVAL (bad name), SB_EEXISTS. */
SB_MUST enum sb_err ns_name_check(struct engine *e, const char *name, struct sb_error *err);

/* Writes below a namespace: SB_EREVOKED as a 409 when Revoked (semantics 17), SB_ENOTFOUND when there is
 * none. */
SB_MUST enum sb_err ns_require_writable(struct engine *e, const char *sub, const char *group,
                                        const char *name, struct sb_error *err);

/* ---- authorization rules (namespace level: entity NULL; else of an entity) ---- */
enum { RIGHT_LISTEN = 1, RIGHT_SEND = 2, RIGHT_MANAGE = 4 };
struct auth_rule {
    const char *name;
    unsigned rights;
    const char *primary, *secondary;
};
SB_MUST enum sb_err ns_rule_put(struct engine *e, const char *ns, const char *entity, const char *name,
                                unsigned rights, struct sb_arena *a, struct auth_rule *ret,
                                struct sb_error *err);
/* Makes it this very rule, keys included (replication). */
SB_MUST enum sb_err ns_rule_set(struct engine *e, const char *ns, const char *entity,
                                const struct auth_rule *rule, struct sb_arena *a, struct sb_error *err);
SB_MUST enum sb_err ns_rule_get(struct engine *e, const char *ns, const char *entity, const char *name,
                                struct sb_arena *a, struct auth_rule *ret, struct sb_error *err);
SB_MUST enum sb_err ns_rule_list(struct engine *e, const char *ns, const char *entity, struct sb_arena *a,
                                 struct auth_rule **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err ns_rule_delete(struct engine *e, const char *ns, const char *entity, const char *name,
                                   bool *ret_existed, struct sb_error *err);
/* which: 0 primary, 1 secondary; key NULL: a random one. */
SB_MUST enum sb_err ns_rule_regenerate(struct engine *e, const char *ns, const char *entity, const char *name,
                                       int which, const char *key, struct sb_arena *a, struct auth_rule *ret,
                                       struct sb_error *err);
/* ---- the memory object, for broker, poller and sign-in of the data plane ---- */
struct broker_ns; /* broker.c's part: entities, waiters */
struct ns {
    int64_t id;
    char name[NS_NAME_MAX + 1];
    char sub[40], group[92];
    bool premium;
    bool encrypted;
    bool local_auth_disabled;
    enum ns_status status;
    bool polled;          /* the first poll after start is over (always true when not encrypted) */
    struct keyring *ring; /* NULL while it has no key */
    int64_t last_poll, next_poll;
    struct broker_ns *broker;
    struct ns_rules *rules;
    /* Geo-DR (ns_pair.c): changed under engine_lock. */
    enum pair_role role;
    char alias[NS_NAME_MAX + 1];
    int64_t partner;
    enum ns_move move; /* until move_until; under engine_lock */
    int64_t move_from, move_until;
    bool unmirrored; /* a primary's: the secondary may lack something */
    struct ns *next; /* hash chain */
};
/* An entity is deleted: its rules' rows in that transaction, and their memory afterwards (sb thread, under
 * engine_lock). */
SB_MUST enum sb_err ns_rules_drop_entity(struct tx *tx, const struct ns *n, const char *entity,
                                         struct sb_error *err);
void ns_rules_forget_entity(struct ns *n, const char *entity);

/* The namespace that answers at this name: its own, or the alias of which it is the primary. As ns_find. */
struct ns *ns_find_host(struct engine *e, const char *label);
/* Under engine_lock or on the sb thread. NULL: none. Case ignored. */
struct ns *ns_find(struct engine *e, const char *name);
struct ns *ns_find_id(struct engine *e, int64_t id);
/* Calls f for each namespace, in id order. Under engine_lock or on the sb thread. */
void ns_each(struct engine *e, void (*f)(struct ns *n, void *arg), void *arg);
size_t ns_count(struct engine *e);
/* Waits until the namespace has had its first poll after a start, at most ms. Takes engine_lock itself. SB_OK
 * also when there is no such namespace; SB_EUNAVAILABLE after the time. */
SB_MUST enum sb_err ns_wait_polled(struct engine *e, const char *name, int64_t ms, struct sb_error *err);

/* Verifies a SAS: signature by the rule's primary or secondary key (constant time) over sr\nse, expiry
 * against the token clock, sr = this namespace (first label) and a whole-segment prefix of path. Returns the
 * rule's rights. Any thread; takes engine_lock. SB_EBADTOKEN, SB_EEXPIREDTOKEN. */
SB_MUST enum sb_err ns_sas_verify(struct engine *e, const char *ns, const char *path, const char *sr_decoded,
                                  const char *sr_raw, const char *se, const char *skn, const char *sig,
                                  unsigned *ret_rights, struct sb_error *err);

#endif
