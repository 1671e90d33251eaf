/* arm_role.h: what role assignments and role definitions share. */
#ifndef SB_ARM_ROLE_H
#define SB_ARM_ROLE_H

#include "api/arm_scope.h"

#define ARM_ROLE_DEFINITIONS "Microsoft.Authorization/roleDefinitions"
#define ARM_ROLE_ASSIGNMENTS "Microsoft.Authorization/roleAssignments"

/* A definition's id as it is shown at the scope of the path. */
const char *arm_role_definition_id(struct request *r, const char *guid);

#endif
