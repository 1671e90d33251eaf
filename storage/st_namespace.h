/*
 * st_namespace.h: rows of namespaces, their identities, customer keys and authorization rules. Sealed blobs
 * come and go opaque. Inside a transaction of servicebus.db only; texts and blobs of rows that are read live
 * in the given arena.
 */
#ifndef SB_ST_NAMESPACE_H
#define SB_ST_NAMESPACE_H

#include "storage/store.h"

struct st_ns {
    int64_t id;
    const char *name, *sub, *group, *location, *tags, *sku;
    int capacity, partitions, identity;
    const char *principal; /* of the system-assigned identity, or NULL */
    bool encrypted, infra, revoked;
    struct sb_blob root;  /* sealed under the platform key; p NULL when encrypted */
    struct sb_blob check; /* 32 bytes; p NULL unless encrypted */
    uint32_t generation;
    int64_t reserved; /* seals of this generation reserved so far */
    bool local_auth_off, zone_redundant, public_access;
    const char *tls, *extra;
    int64_t created_ms, updated_ms;
    int64_t deleting_ms; /* 0: it is not being deleted; set by st_ns_set_deleting alone */
};

struct st_ns_identity {
    const char *id, *principal, *client;
};

enum st_ns_key_state { ST_KEY_ACTIVE = 0, ST_KEY_REVOKED = 1, ST_KEY_UNREACHABLE = 2 };

struct st_ns_key {
    int position;
    const char *key_name, *vault_uri, *vault, *version, *identity, *wrapped_version;
    struct sb_blob wrapped;
    int state, code;
    const char *message;
    int64_t since_ms;
};

struct st_ns_rule {
    int64_t ns;
    const char *entity, *name; /* entity "": the namespace's */
    unsigned rights;
    struct sb_blob keys;
};

/* Calls f for each row, in order of id; an error of f ends the walk and is returned. The row lives until f
 * returns unless the arena keeps it. */
SB_MUST enum sb_err st_ns_each(struct tx *tx, struct sb_arena *a,
                               enum sb_err (*f)(const struct st_ns *row, void *arg, struct sb_error *err),
                               void *arg, struct sb_error *err);
SB_MUST enum sb_err st_ns_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found,
                              struct st_ns *ret, struct sb_error *err);
SB_MUST enum sb_err st_ns_get_id(struct tx *tx, int64_t id, struct sb_arena *a, bool *ret_found,
                                 struct st_ns *ret, struct sb_error *err);
/* Ids of a subscription's namespaces (group NULL: all groups), by name. */
SB_MUST enum sb_err st_ns_ids(struct tx *tx, const char *sub, const char *group, struct sb_arena *a,
                              int64_t **ret, size_t *ret_n, struct sb_error *err);
/* The id that the next namespace gets: seals are bound to it before its row is written. Never one that was
 * used. */
SB_MUST enum sb_err st_ns_next_id(struct tx *tx, int64_t *ret, struct sb_error *err);
/* row->id from st_ns_next_id in the same transaction. SB_ECONFLICT when the name is taken. */
SB_MUST enum sb_err st_ns_insert(struct tx *tx, const struct st_ns *row, struct sb_error *err);
/* Everything but id, name, sub, group, created, generation and reserved. */
SB_MUST enum sb_err st_ns_update(struct tx *tx, const struct st_ns *row, struct sb_error *err);
SB_MUST enum sb_err st_ns_set_deleting(struct tx *tx, int64_t id, int64_t until_ms, struct sb_error *err);
SB_MUST enum sb_err st_ns_set_revoked(struct tx *tx, int64_t id, bool revoked, int64_t updated_ms,
                                      struct sb_error *err);
/* Durable count of seals (semantics 21). */
SB_MUST enum sb_err st_ns_reserve(struct tx *tx, int64_t id, uint32_t generation, int64_t reserved,
                                  struct sb_error *err);
SB_MUST enum sb_err st_ns_reserved(struct tx *tx, int64_t id, bool *ret_found, uint32_t *ret_generation,
                                   int64_t *ret_reserved, struct sb_error *err);
/* Rows of the other tables of this file go with it. */
SB_MUST enum sb_err st_ns_delete(struct tx *tx, int64_t id, struct sb_error *err);

SB_MUST enum sb_err st_ns_identities(struct tx *tx, int64_t ns, struct sb_arena *a,
                                     struct st_ns_identity **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err st_ns_identities_set(struct tx *tx, int64_t ns, const struct st_ns_identity *rows,
                                         size_t n, struct sb_error *err);

/* In configured order. */
SB_MUST enum sb_err st_ns_keys(struct tx *tx, int64_t ns, struct sb_arena *a, struct st_ns_key **ret,
                               size_t *ret_n, struct sb_error *err);
/* Replaces all; positions are counted anew from 0. */
SB_MUST enum sb_err st_ns_keys_set(struct tx *tx, int64_t ns, const struct st_ns_key *rows, size_t n,
                                   struct sb_error *err);
/* The row at row->position: wrap, state, code, message and since. */
SB_MUST enum sb_err st_ns_key_update(struct tx *tx, int64_t ns, const struct st_ns_key *row,
                                     struct sb_error *err);

/* Inserts or replaces. */
SB_MUST enum sb_err st_ns_rule_put(struct tx *tx, const struct st_ns_rule *row, struct sb_error *err);
SB_MUST enum sb_err st_ns_rule_delete(struct tx *tx, int64_t ns, const char *entity, const char *name,
                                      struct sb_error *err);
/* All rules of an entity that is being deleted. */
SB_MUST enum sb_err st_ns_rules_drop(struct tx *tx, int64_t ns, const char *entity, struct sb_error *err);
SB_MUST enum sb_err st_ns_rules_each(struct tx *tx, struct sb_arena *a,
                                     enum sb_err (*f)(const struct st_ns_rule *row, void *arg,
                                                      struct sb_error *err),
                                     void *arg, struct sb_error *err);

#endif
