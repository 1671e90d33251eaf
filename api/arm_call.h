/*
 * arm_call.h: an ARM request that the emulator makes itself, for a client that it acts for: the same host,
 * credentials and correlation id, through the same dispatcher. Deployments put their resources so, and
 * reference() reads them.
 */
#ifndef SB_ARM_CALL_H
#define SB_ARM_CALL_H

#include "api/request.h"

#define ARM_CALL_DEPTH 6 /* deployments inside deployments (the service: 5 levels below the first) */

struct arm_answer {
    int status;
    const char *body; /* in the arena; "" when there is none */
    size_t n;
};

/* url: path and query. body: JSON text or NULL. The answer's text lives in a. Blocks. SB_ELIMIT: too deep;
 * SB_ENOMEM. */
SB_MUST enum sb_err arm_call(struct request *r, struct sb_arena *a, const char *method, const char *url,
                             const char *body, struct arm_answer *ret, struct sb_error *err);
/* The newest api-version that a resource type is known by, for calls whose caller named none. Never NULL. */
const char *arm_call_version(const char *id);

#endif
