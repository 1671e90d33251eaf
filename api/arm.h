/* arm.h: what the ARM handlers share: ids, common checks, pieces of bodies. */
#ifndef SB_ARM_H
#define SB_ARM_H

#include "api/request.h"

/* Subscription exists and the group exists (ret may be NULL); in ARM's words otherwise. */
SB_MUST enum sb_err arm_require_group(struct request *r, struct group *ret, struct sb_error *err);
/* The caller may do action at scope, or SB_EDENIED. */
SB_MUST enum sb_err arm_require(struct request *r, const char *action, const char *scope, struct sb_error *err);
/* "/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME…" in the arena. */
const char *arm_id(struct request *r, const char *sub, const char *group, const char *tail_fmt, ...) SB_PRINTF(4, 5);
/* Reads "tags" (object of text values, at most 50, names up to 512, values up to 256) as JSON text; NULL when absent. */
SB_MUST enum sb_err arm_tags(struct request *r, const struct json *body, const char **ret, struct sb_error *err);
/* Required "location" text; normalised lower case without blanks ("North Europe" -> "northeurope"). */
SB_MUST enum sb_err arm_location(struct request *r, const struct json *body, bool required, const char **ret, struct sb_error *err);
/* SB_ENOTFOUND in the gateway's words: The Resource 'TYPE/NAME' under resource group 'G' was not found. … */
SB_MUST enum sb_err arm_not_found(struct sb_error *err, const char *type, const char *name, const char *group);

#endif
