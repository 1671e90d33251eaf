/* arm_scope.h: scopes of extension resources (route templates with {scope*}). */
#ifndef SB_ARM_SCOPE_H
#define SB_ARM_SCOPE_H

#include "api/arm.h"

/* "/subscriptions/…"; "/" for the routes without a scope. */
const char *arm_scope(struct request *r);
/* What a scope names must be there, as far as it is emulated; below a vault or namespace nobody looks. */
SB_MUST enum sb_err arm_scope_require(struct request *r, const char *path, struct sb_error *err);

#endif
