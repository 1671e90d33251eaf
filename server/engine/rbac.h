/*
 * rbac.h: role definitions (a table, and custom ones), role assignments, and the one question `rbac_may`.
 *
 * A new assignment counts after cfg.grant_delay_ms of the emulator's time, and one that was removed counts as
 * much longer (choice: the service's caches delay both). What ends with its scope ends at once.
 *
 * Access policies of a vault are the vault's own (vault.h asks either them or rbac_may, by
 * enableRbacAuthorization). Answers are remembered by an epoch that every change of the vault database moves
 * on.
 */
#ifndef SB_RBAC_H
#define SB_RBAC_H

#include "server/engine/directory.h"

struct role_def {
    const char *id;   /* GUID */
    const char *name; /* "Key Vault Crypto User" */
    const char *description;
    const char *const *actions; /* NULL-terminated lists, * wildcards */
    const char *const *not_actions;
    const char *const *data_actions;
    const char *const *not_data_actions;
    const char *created, *updated; /* as recorded from the service; NULL: unknown */
    /* of custom roles */
    const char *const *scopes; /* assignable scopes; NULL: a built-in role, of every scope */
    const char *created_by, *updated_by;
    int64_t created_ms, updated_ms;
};
/* The built-in roles, Owner first; one const table. */
const struct role_def *rbac_roles(size_t *ret_n);
const struct role_def *rbac_role_by_id(const char *guid);
const struct role_def *rbac_role_by_name(const char *name); /* case ignored */

struct role_assignment {
    const char *id;      /* full ARM id */
    const char *name;    /* GUID */
    const char *scope;   /* ARM scope, as given */
    const char *role_id; /* GUID */
    const char *principal_id, *principal_type, *description, *created_by, *updated_by;
    int64_t created_ms, updated_ms;
};

SB_MUST enum sb_err rbac_open(struct engine *e, struct sb_error *err);
void rbac_close(struct engine *e);

/* May this principal do action (data_action: a dataAction) at scope (an ARM id; case ignored)? Deny by
 * default. An assignment counts at its scope and below; every subscription is below the root management
 * group, whose name is the tenant's id. The well-known client (and every configured one) is Owner of that
 * group: actions only, no dataActions. Any thread. */
bool rbac_may(struct engine *e, const struct principal *who, const char *action, bool data_action,
              const char *scope);
/* Has this principal any assignment at, above or below scope? What lists of subscriptions and groups show. */
bool rbac_sees(struct engine *e, const struct principal *who, const char *scope);
/* rbac_may on the ARM plane or SB_EDENIED in ARM's words (AuthorizationFailed). */
SB_MUST enum sb_err rbac_require(struct engine *e, const struct principal *who, const char *action,
                                 const char *scope, struct sb_error *err);

/* want: name (a GUID), scope, role_id, principal_id; principal_type, description or NULL; created_by is the
 * caller. With a principal_type the principal is not looked up, as in the service (it may be younger than the
 * directory's replica). SB_EASSIGNED (same role, principal and scope under another name), SB_EASSIGNFIXED
 * (same name, another of the three), SB_ENOROLE, SB_ENOPRINCIPAL, SB_ELIMIT. */
SB_MUST enum sb_err rbac_assign(struct engine *e, const struct role_assignment *want, struct sb_arena *a,
                                struct role_assignment *ret, bool *ret_created, struct sb_error *err);
/* Makes a configured client User Access Administrator of everything, as the service does for whoever
 * administers the tenant; SB_EDENIED for others. Nothing happens when it is so already. */
SB_MUST enum sb_err rbac_elevate(struct engine *e, const struct principal *who, struct sb_error *err);
/* SB_ENOASSIGNMENT. */
SB_MUST enum sb_err rbac_get(struct engine *e, const char *scope, const char *name, struct sb_arena *a,
                             struct role_assignment *ret, struct sb_error *err);
SB_MUST enum sb_err rbac_remove(struct engine *e, const char *scope, const char *name, struct sb_arena *a,
                                bool *ret_existed, struct role_assignment *ret, struct sb_error *err);
/* Assignments at, above and (unless at_scope) below scope; principal NULL: everybody's. */
SB_MUST enum sb_err rbac_list(struct engine *e, const char *scope, bool at_scope, const char *principal,
                              struct sb_arena *a, struct role_assignment **ret, size_t *ret_n,
                              struct sb_error *err);
/* All assignments at or below a scope end (its resource was deleted). Inside a kv transaction. */
SB_MUST enum sb_err rbac_drop_scope(struct tx *tx, const char *scope, struct sb_error *err);

/* ---- custom role definitions (rbac_define.c) ---- */
/* A built-in role or a custom one. SB_ENOROLE. */
SB_MUST enum sb_err rbac_role_get(struct engine *e, const char *id, struct sb_arena *a, struct role_def *ret,
                                  struct sb_error *err);
/* The custom roles that can be assigned at scope; below: or anywhere below it. */
SB_MUST enum sb_err rbac_role_list(struct engine *e, const char *scope, bool below, struct sb_arena *a,
                                   struct role_def **ret, size_t *ret_n, struct sb_error *err);
/* Creates or replaces. want: id, name, description, the four lists, scopes (at least one), updated_by (the
 * caller). SB_EBADREQUEST, SB_EROLENAME (another role is called that), SB_ELIMIT. */
SB_MUST enum sb_err rbac_role_put(struct engine *e, const struct role_def *want, struct sb_arena *a,
                                  struct role_def *ret, struct sb_error *err);
/* SB_EROLEUSED while there are assignments; SB_EBADREQUEST for a built-in one. */
SB_MUST enum sb_err rbac_role_remove(struct engine *e, const char *id, struct sb_arena *a, bool *ret_existed,
                                     struct role_def *ret, struct sb_error *err);

/* Everything that was granted or defined ends (reset). Inside a kv transaction. */
SB_MUST enum sb_err rbac_drop_all(struct tx *tx, struct sb_error *err);

/* Moves the epoch: call from the `done`/publish of every op that changed keyvault.db. The next rbac_may reads
 * the assignments again (not on the kv store's own thread, which cannot wait for itself: there it uses the
 * last ones read). */
void rbac_changed(struct engine *e);
uint64_t rbac_epoch(struct engine *e);

#endif
