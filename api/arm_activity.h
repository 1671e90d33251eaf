/* arm_activity.h: what the dispatcher tells the activity log. */
#ifndef SB_ARM_ACTIVITY_H
#define SB_ARM_ACTIVITY_H

#include "api/request.h"

/* Notes a write over ARM that has its answer: what, by whom, and how it ended; anything else is passed over.
 * err: why it failed, or NULL. */
void arm_activity_note(struct request *r, const struct sb_error *err);

#endif
