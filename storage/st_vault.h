/*
 * st_vault.h: rows of key vaults and their access policies (keyvault.db).
 *
 * All functions run inside a transaction of that database; text of rows that are read is in the caller's
 * arena. What is not there is `*ret_found` false, never an error. Names are compared ignoring case.
 */
#ifndef SB_ST_VAULT_H
#define SB_ST_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

struct st_policy {
    const char *tenant, *oid, *appid; /* appid may be NULL */
    const char *permissions;          /* JSON text */
    uint32_t keys, secrets;           /* the engine's permission bits */
};

struct st_vault {
    int64_t id;                                /* st_vault_insert: ignored */
    const char *sub, *group, *name, *location; /* fixed once inserted */
    const char *tags, *tenant, *sku;
    int64_t created_ms, updated_ms;
    const char *created_by, *updated_by;
    bool purge_protection;
    int soft_delete_days;
    int rbac, for_deployment, for_disk, for_template; /* -1 not set, 0, 1 */
    const char *network_acls;                         /* JSON text or NULL */
    bool acl_deny, acl_bypass_azure;
    const char *acl_ips; /* comma-separated; "" when none */
    bool public_access;
    int64_t deleted_ms, purge_ms; /* 0 while live */
    const struct st_policy *policies;
    size_t policies_n;
};

/* SB_ECONFLICT when the name is taken. */
SB_MUST enum sb_err st_vault_insert(struct tx *tx, const struct st_vault *v, int64_t *ret_id,
                                    struct sb_error *err);
/* Everything but sub, group, name, location and creation; policies are replaced as a whole. */
SB_MUST enum sb_err st_vault_update(struct tx *tx, const struct st_vault *v, struct sb_error *err);
/* By name, live or deleted. */
SB_MUST enum sb_err st_vault_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found,
                                 struct st_vault *ret, struct sb_error *err);
/* Live or deleted vaults of a subscription, by name; group NULL: of every group. */
SB_MUST enum sb_err st_vault_list(struct tx *tx, const char *sub, const char *group, bool deleted,
                                  struct sb_arena *a, struct st_vault **ret, size_t *ret_n,
                                  struct sb_error *err);
/* Removes a vault with its policies, keys and versions for good. */
SB_MUST enum sb_err st_vault_remove(struct tx *tx, int64_t id, struct sb_error *err);
/* The deleted vault whose purge date is the earliest at or before now_ms. */
SB_MUST enum sb_err st_vault_due(struct tx *tx, int64_t now_ms, struct sb_arena *a, bool *ret_found,
                                 struct st_vault *ret, struct sb_error *err);
/* Earliest purge date of a deleted vault in ms; 0 when there is none. */
SB_MUST enum sb_err st_vault_next_due(struct tx *tx, int64_t *ret_ms, struct sb_error *err);

#endif
