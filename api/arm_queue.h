/* arm_queue.h: what the handlers of queues and of their authorization rules share. */
#ifndef SB_ARM_QUEUE_H
#define SB_ARM_QUEUE_H

#include "api/arm.h"
#include "server/engine/broker.h"

/* The caller may do action (behind "Microsoft.ServiceBus/namespaces/"), the namespace is there, and for a
 * write it is not Revoked. verb, as the gateway names it: "read", "write", "delete". */
SB_MUST enum sb_err arm_queue_require(struct request *r, const char *action, const char *verb,
                                      struct ns_view *ret, struct sb_error *err);
/* The name in the path as the broker has it: "~" stands for "/". */
const char *arm_queue_name(struct request *r);
/* The ARM id of a queue; name NULL: of the one in the path. */
const char *arm_queue_id(struct request *r, const char *name);

/* arm_queue_rule.c */
request_handler arm_queue_rule_put, arm_queue_rule_get, arm_queue_rule_delete, arm_queue_rule_list,
    arm_queue_rule_keys, arm_queue_rule_regenerate;

#endif
