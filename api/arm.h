/*
 * arm.h: what the ARM handlers share: ids, common checks, pieces of bodies.
 *
 * Route templates name their parameters {sub} (subscription) and {group} (resource group); the helpers read
 * those.
 */
#ifndef SB_ARM_H
#define SB_ARM_H

#include "api/request.h"

/* The subscription of the path exists: SB_ENOSUBSCRIPTION otherwise. */
SB_MUST enum sb_err arm_require_sub(struct request *r, struct sb_error *err);
/* Subscription exists and the group exists (ret may be NULL); in ARM's words otherwise. */
SB_MUST enum sb_err arm_require_group(struct request *r, struct group *ret, struct sb_error *err);
/* The caller may do action at scope, or SB_EDENIED. */
SB_MUST enum sb_err arm_require(struct request *r, const char *action, const char *scope,
                                struct sb_error *err);
/* "/subscriptions/S/resourceGroups/G/providers/NAMESPACE/TYPE/NAME…" in the arena; tail_fmt starts behind
 * "providers/". group NULL: the subscription's own; tail_fmt NULL: the group's (or subscription's) id alone.
 */
const char *arm_id(struct request *r, const char *sub, const char *group, const char *tail_fmt, ...)
    SB_PRINTF(4, 5);
/* Reads "tags" (object of text values, at most 50, names up to 512, values up to 256) as JSON text; NULL when
 * absent. */
SB_MUST enum sb_err arm_tags(struct request *r, const struct json *body, const char **ret,
                             struct sb_error *err);
/* Required "location" text; normalised lower case without blanks ("North Europe" -> "northeurope"). */
SB_MUST enum sb_err arm_location(struct request *r, const struct json *body, bool required, const char **ret,
                                 struct sb_error *err);
/* "northeurope" -> "North Europe"; the name itself when it is not a known region. */
const char *arm_location_display(const char *location);
/* Regions in the order of the service's list, for /locations and providers. */
struct arm_region {
    const char *name, *display, *geography;
};
const struct arm_region *arm_regions(size_t *ret_n);
/* The list of what a private endpoint could be made for: one resource, whose name is its group's. */
void arm_reply_link(struct request *r, const char *id, const char *type, const char *name, const char *member,
                    const char *zone);
/* SB_ENOTFOUND in the gateway's words: The Resource 'TYPE/NAME' under resource group 'G' was not found. … */
SB_MUST enum sb_err arm_not_found(struct sb_error *err, const char *type, const char *name,
                                  const char *group);

/* What goes on behind a 202. */
enum arm_job { ARM_JOB_GROUP_DELETION, ARM_JOB_DEPLOYMENT_DELETION, ARM_JOB_WHATIF };
/* 202 with the Location of this job, which works on name. sub NULL: of the tenant. */
void arm_job_reply(struct request *r, enum arm_job job, const char *sub, const char *name,
                   const char *location);

/* One term of an OData $filter: left eq 'right', a call left(right), left/any(x:x eq 'right') as left and
 * right; "left ne" and right; a call of a field and a text in either order as "left(field)" and right. */
struct arm_filter_term {
    const char *left, *right;
};
/* Splits "a eq 'x' and b eq 'y'" into at most max terms; quotes inside text are doubled. SB_EBADREQUEST when
 * it is anything else. A NULL or empty filter has no terms. */
SB_MUST enum sb_err arm_filter(struct request *r, const char *filter, struct arm_filter_term *ret, size_t max,
                               size_t *ret_n, struct sb_error *err);

#endif
