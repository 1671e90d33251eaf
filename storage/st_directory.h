/*
 * st_directory.h: rows of principals, resource groups, user-assigned identities and role assignments
 * (keyvault.db).
 *
 * All functions run inside a transaction of that database. Text of rows that are read is in the caller's
 * arena; what is not there is `*ret_found` false, never an error. Names are compared whatever their case.
 */
#ifndef SB_ST_DIRECTORY_H
#define SB_ST_DIRECTORY_H

#include "storage/store.h"

struct st_principal {
    const char *oid, *appid;
    int kind; /* the engine's enum principal_kind */
    const char *resource_id;
};

struct st_group {
    const char *sub, *name, *location, *tags, *managed_by;
};

struct st_identity {
    const char *sub, *group, *name, *location, *tags;
    const char *oid, *appid; /* appid is the principal's: read only */
};

struct st_assignment {
    const char *name, *scope, *role_id, *principal_id, *principal_type, *description, *created_by,
        *updated_by;
    int64_t created_ms, updated_ms;
    int64_t counts_ms; /* from when on it grants anything; fixed at creation */
};

/* ---- principals ---- */
SB_MUST enum sb_err st_principal_add(struct tx *tx, const struct st_principal *p, struct sb_error *err);
SB_MUST enum sb_err st_principal_drop(struct tx *tx, const char *oid, struct sb_error *err);
enum st_principal_key { ST_PRINCIPAL_OID, ST_PRINCIPAL_APPID, ST_PRINCIPAL_RESOURCE };
SB_MUST enum sb_err st_principal_get(struct tx *tx, enum st_principal_key by, const char *key,
                                     struct sb_arena *a, bool *ret_found, struct st_principal *ret,
                                     struct sb_error *err);

/* ---- resource groups ---- */
/* Inserts, or replaces location, tags and managed_by; the name stays as first written. */
SB_MUST enum sb_err st_group_put(struct tx *tx, const struct st_group *g, struct sb_error *err);
SB_MUST enum sb_err st_group_get(struct tx *tx, const char *sub, const char *name, struct sb_arena *a,
                                 bool *ret_found, struct st_group *ret, struct sb_error *err);
/* By name. sub NULL: of all subscriptions. */
SB_MUST enum sb_err st_group_list(struct tx *tx, const char *sub, struct sb_arena *a, struct st_group **ret,
                                  size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err st_group_drop(struct tx *tx, const char *sub, const char *name, struct sb_error *err);

/* ---- user-assigned identities ---- */
SB_MUST enum sb_err st_identity_put(struct tx *tx, const struct st_identity *i, struct sb_error *err);
SB_MUST enum sb_err st_identity_get(struct tx *tx, const char *sub, const char *group, const char *name,
                                    struct sb_arena *a, bool *ret_found, struct st_identity *ret,
                                    struct sb_error *err);
/* group NULL: of the whole subscription. By group and name. */
SB_MUST enum sb_err st_identity_list(struct tx *tx, const char *sub, const char *group, struct sb_arena *a,
                                     struct st_identity **ret, size_t *ret_n, struct sb_error *err);
/* The identity's row alone; its principal goes with st_principal_drop. */
SB_MUST enum sb_err st_identity_drop(struct tx *tx, const char *sub, const char *group, const char *name,
                                     struct sb_error *err);

/* ---- role assignments ---- */
/* SB_ECONFLICT when another assignment has the same role, principal and scope. */
SB_MUST enum sb_err st_assignment_put(struct tx *tx, const struct st_assignment *r, struct sb_error *err);
SB_MUST enum sb_err st_assignment_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found,
                                      struct st_assignment *ret, struct sb_error *err);
/* All of them, the oldest first. */
SB_MUST enum sb_err st_assignment_list(struct tx *tx, struct sb_arena *a, struct st_assignment **ret,
                                       size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err st_assignment_drop(struct tx *tx, const char *name, struct sb_error *err);
/* Those whose scope is this one or lies below it, by whole segments. */
SB_MUST enum sb_err st_assignment_drop_scope(struct tx *tx, const char *scope, struct sb_error *err);

#endif
