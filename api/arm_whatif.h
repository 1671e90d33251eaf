/* arm_whatif.h: what a deployment would change (POST …/deployments/{name}/whatIf). */
#ifndef SB_ARM_WHATIF_H
#define SB_ARM_WHATIF_H

#include "api/request.h"
#include "api/template/tv.h"

/* 202 with the Location of the result; nothing is changed. */
SB_MUST enum sb_err arm_whatif(struct request *r, struct sb_error *err);
/* What the Location answers. job: the part of the job's name that tells it from others. */
SB_MUST enum sb_err arm_whatif_result(struct request *r, const char *job, struct sb_error *err);

/* ---- arm_whatif_diff.c: two looks at a resource, compared ---- */

/* How a resource's type is compared. */
struct whatif_rules {
    bool whole; /* what the template leaves out is deleted; false: the provider keeps or fills it in */
    const char *const
        *read_only; /* "properties.status": the provider's own, never shown. NULL behind the last */
    const char *const *write_only; /* sent, but never shown again: no difference */
};
/* The rules for a type that is emulated; others (kept as sent): everything counts. Never NULL. */
const struct whatif_rules *whatif_rules(const char *type, bool emulated);

/* A resource as what-if shows it: without read-only members, nulls and empty tags, names sorted. NULL:
 * memory. */
const struct tv *whatif_clean(struct sb_arena *a, const struct whatif_rules *rules, const struct tv *v);
/* The resource after the deployment, and the differences as elements of the JSON array in delta (none:
 * nothing changes). sent: what the template says, cleaned; ran: the same with what is only known at run time,
 * as far as it is known now, or NULL. Where sent still holds an expression whose value is what is there
 * already, nothing changes. NULL: memory. */
const struct tv *whatif_merge(struct sb_arena *a, const struct whatif_rules *rules, const struct tv *before,
                              const struct tv *sent, const struct tv *ran, struct sb_buf *delta);

#endif
