/* arm_namespace.h: what the handlers of namespaces and of their authorization rules share. */
#ifndef SB_ARM_NAMESPACE_H
#define SB_ARM_NAMESPACE_H

#include "api/arm.h"
#include "server/engine/ns.h"

/* The caller may do action (behind "Microsoft.ServiceBus/namespaces/") with the namespace of the path, and
 * its group is there. */
SB_MUST enum sb_err arm_ns_require(struct request *r, const char *action, struct sb_error *err);
/* For a child of the namespace of the path, of type "authorizationRules", "disasterRecoveryConfigs" …: the
 * caller may do action (behind "Microsoft.ServiceBus/namespaces/"), the namespace is there, and for verbs
 * other than "read" it is not Revoked. SB_ENOPARENT in the gateway's recorded words, also when the whole
 * group is gone. */
SB_MUST enum sb_err arm_ns_child(struct request *r, const char *type, const char *action, const char *verb,
                                 struct ns_view *ret, struct sb_error *err);
/* The resource provider's own errors end in " CorrelationId: <guid>" (recorded); returns rc. */
enum sb_err arm_ns_error(struct request *r, enum sb_err rc, struct sb_error *err);

/* ---- arm_namespace_body.c ---- */

/* Body of a PUT or PATCH; texts live in the request. SB_EBADJSON names the member. */
SB_MUST enum sb_err arm_ns_read(struct request *r, const struct json *body, struct ns_spec *ret,
                                struct sb_error *err);
/* The namespace as this api-version shows it. */
void arm_ns_write(struct request *r, struct jw *w, const struct ns_view *v);
/* Status of the answer to a PUT that made a namespace. */
int arm_ns_created_status(const struct request *r);

/* ---- arm_child.c ---- */

/* "privateEndpointConnections" of the namespace; nothing when it has none. */
void arm_ns_connections(struct request *r, struct jw *w, const struct ns_view *v);

/* ---- arm_namespace_rule.c ---- */

request_handler arm_ns_rule_put, arm_ns_rule_get, arm_ns_rule_delete, arm_ns_rule_list, arm_ns_rule_keys,
    arm_ns_rule_regenerate;

#endif
