/*
 * rbac_private.h: what rbac*.c share: scopes, and custom roles as they are stored.
 */
#ifndef SB_RBAC_PRIVATE_H
#define SB_RBAC_PRIVATE_H

#include "server/engine/rbac.h"
#include "storage/st_role.h"

#define RBAC_SCOPE_MAX 1024
/* The management group above every subscription: it is named after the tenant (documented). */
#define RBAC_ROOT_GROUP "/providers/Microsoft.Management/managementGroups/" ENGINE_TENANT

/* Is `scope` the scope `at`, or below it by whole segments? */
bool rbac_covers(const char *at, const char *scope);
/* The scope without trailing slashes ("/" stays), as it is stored. SB_EBADREQUEST. */
SB_MUST enum sb_err rbac_scope_clean(const char *scope, struct sb_arena *a, const char **ret,
                                     struct sb_error *err);
/* A stored custom role as a definition, in a (false: out of memory). Other text is shared with the row. */
SB_MUST bool rbac_role_from_row(const struct st_role *row, struct sb_arena *a, struct role_def *ret);
/* Can this role be assigned at scope? */
bool rbac_assignable(const struct role_def *role, const char *scope);

#endif
