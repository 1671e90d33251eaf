/*
 * sqlfilter.h: the SQL-like language of Service Bus rules: filters (a predicate over a message's properties)
 * and actions (SET and REMOVE), as documented in "Subscription rule SQL filter syntax" and "… action syntax".
 *
 * Compiled once into the given arena and read-only afterwards: any thread may evaluate. Texts have at most
 * SQLFILTER_TEXT_MAX characters, actions at most SQLFILTER_ACTIONS_MAX statements (documented quotas).
 *
 * Names of properties ignore case; texts are compared byte for byte. A property that a message lacks is NULL,
 * and logic is three-valued: what is neither true nor false does not match. Operands of unlike types make a
 * comparison unknown and arithmetic an error (choice: the service's conversions are documented for numbers
 * only).
 */
#ifndef SB_SQLFILTER_H
#define SB_SQLFILTER_H

#include "server/engine/amqpmsg.h"

#define SQLFILTER_TEXT_MAX    1024
#define SQLFILTER_ACTIONS_MAX 32

struct sqlfilter; /* one compiled filter or action */

/* SB_EBADREQUEST names line, column and token, in the recorded words. */
SB_MUST enum sb_err sqlfilter_compile(const char *text, struct sb_arena *a, const struct sqlfilter **ret,
                                      struct sb_error *err);
SB_MUST enum sb_err sqlfilter_compile_action(const char *text, struct sb_arena *a,
                                             const struct sqlfilter **ret, struct sb_error *err);
/* Is it true of m? SB_EINVAL: it cannot be evaluated (division by zero, overflow, wrong types). The arena
 * takes what lives as long as the evaluation. */
SB_MUST enum sb_err sqlfilter_match(const struct sqlfilter *f, const struct amqp_message *m,
                                    struct sb_arena *a, bool *ret, struct sb_error *err);
/* Changes m as the action says; new texts live in the arena. SB_EINVAL as above, m is then half changed. */
SB_MUST enum sb_err sqlfilter_apply(const struct sqlfilter *action, struct amqp_message *m,
                                    struct sb_arena *a, struct sb_error *err);

#endif
