/* arm_entity.h: what the handlers of queues, topics, subscriptions, their authorization rules and their
 * filter rules share on the ARM plane. */
#ifndef SB_ARM_ENTITY_H
#define SB_ARM_ENTITY_H

#include "api/arm.h"
#include "server/engine/broker.h"

/* How a change is answered differs from how it is read (recorded). */
enum arm_answer { ARM_READ, ARM_CREATED, ARM_CHANGED };

/* What the path names: "~" stands for "/" in names of queues and topics. */
struct arm_entity {
    enum entity_kind kind;
    const char *name;   /* as the broker has it; NULL: the path names a list */
    const char *topic;  /* of subscriptions, else NULL */
    const char *type;   /* "namespaces/topics/subscriptions" */
    const char *parent; /* ARM id of what it stands below */
};
struct arm_entity arm_entity_of(struct request *r, enum entity_kind kind);
/* The kind by the parameters of the route: a subscription, a topic or a queue. */
enum entity_kind arm_entity_kind(const struct request *r);
/* The end of its ARM id, behind "…/namespaces/NAME/"; "" when a is full. */
const char *arm_entity_tail(struct sb_arena *a, enum entity_kind kind, const char *path);
/* The ARM id of the entity of that name. */
const char *arm_entity_id(struct request *r, enum entity_kind kind, const char *name);
/* The caller may do action (behind "Microsoft.ServiceBus/namespaces/") with it; namespace and, for a
 * subscription, topic are there; for a write the namespace is not Revoked. verb, as the gateway names it:
 * "read", "write", "delete". */
SB_MUST enum sb_err arm_entity_require(struct request *r, const struct arm_entity *x, const char *action,
                                       const char *verb, struct ns_view *ret, struct sb_error *err);
/* The messaging service's sentences end in an id, a place and a time. Returns rc. */
enum sb_err arm_entity_track(struct request *r, enum sb_err rc, struct sb_error *err);
/* $skip and $top (100, at most 1000). */
SB_MUST enum sb_err arm_entity_paging(struct request *r, int64_t *ret_skip, int64_t *ret_top,
                                      struct sb_error *err);
/* Ends a list: "nextLink" when there is more. */
void arm_entity_next(struct request *r, struct jw *w, bool more, int64_t skip, int64_t top);

/* ---- arm_entity_body.c ---- */
SB_MUST enum sb_err arm_entity_read(const struct json *body, struct entity_spec *s, struct sb_error *err);
void arm_entity_write(struct request *r, struct jw *w, const struct entity_view *q, const char *location,
                      enum arm_answer how);

/* ---- arm_entity_auth.c: authorization rules of queues and topics ---- */
request_handler arm_entity_auth_put, arm_entity_auth_get, arm_entity_auth_delete, arm_entity_auth_list,
    arm_entity_auth_keys, arm_entity_auth_regenerate;
/* ---- arm_rule.c: rules of subscriptions ---- */
request_handler arm_rule_put, arm_rule_get, arm_rule_delete, arm_rule_list;

#endif
