/*
 * ns_pair.h: geo-DR of namespaces (semantics 22): an alias over a primary and its secondary, whose entities,
 * rules and authorization rules follow the primary's. Messages are not replicated, as in the real service.
 *
 * A namespace has at most one alias. All calls block.
 */
#ifndef SB_NS_PAIR_H
#define SB_NS_PAIR_H

#include "server/engine/broker.h"
#include "server/engine/ns.h"

struct pair_view {
    const char *alias;
    enum pair_role role;
    const char *partner; /* ARM id; "" when there is none */
    int64_t pending;     /* what the secondary still lacks: 0, or 1 for "something" */
};

/* PUT of an alias on the namespace that is to be its primary. partner: ARM id. Refusals name the step that
 * was left out; nothing is changed then. */
SB_MUST enum sb_err ns_pair_put(struct engine *e, const struct ns_view *primary, const char *alias,
                                const char *partner, struct sb_arena *a, struct pair_view *ret,
                                struct sb_error *err);
/* SB_ENOTFOUND: the namespace has no such alias. Catches up with what the secondary lacks. */
SB_MUST enum sb_err ns_pair_get(struct engine *e, const struct ns_view *ns, const char *alias,
                                struct sb_arena *a, struct pair_view *ret, struct sb_error *err);
/* On the primary: both stay as they are, and the secondary forgets the alias. */
SB_MUST enum sb_err ns_pair_break(struct engine *e, const struct ns_view *ns, const char *alias,
                                  struct sb_error *err);
/* On the secondary: it becomes the primary without a partner; the former primary forgets the alias. */
SB_MUST enum sb_err ns_pair_failover(struct engine *e, const struct ns_view *ns, const char *alias,
                                     struct sb_error *err);
SB_MUST enum sb_err ns_pair_delete(struct engine *e, const struct ns_view *ns, const char *alias,
                                   bool *ret_existed, struct sb_error *err);
/* Is this name free for an alias (of namespace ns, which may hold it already)? SB_EINVAL, SB_EEXISTS. */
SB_MUST enum sb_err ns_pair_name_check(struct engine *e, const char *ns, const char *alias,
                                       struct sb_error *err);

/* In the transaction that deletes n, and after it (under engine_lock): its partner is without one. */
SB_MUST enum sb_err ns_pair_part(struct tx *tx, const struct ns *n, struct engine *e, struct sb_error *err);
void ns_pair_parted(struct engine *e, struct ns *n);

/* ---- ns_mirror.c: what follows a change of the primary; of other namespaces they do nothing. What the
 * secondary cannot take now (it is Revoked) it gets later. ---- */
void ns_mirror_entity(struct engine *e, const char *ns, enum entity_kind kind, const char *name);
void ns_mirror_rule(struct engine *e, const char *ns, const char *path, const char *name);
void ns_mirror_auth(struct engine *e, const char *ns, const char *entity, const char *name);
/* Copies all that a Standard namespace has into an empty Premium one (ARM id), once. name: what the former is
 * to be called afterwards; it must be free. */
SB_MUST enum sb_err ns_mirror_migrate(struct engine *e, const struct ns_view *from, const char *target,
                                      const char *name, struct sb_arena *a, struct sb_error *err);
/* The namespace that an ARM id names. SB_EBADREQUEST says what is wrong with it; property names it there. */
SB_MUST enum sb_err ns_pair_by_id(struct engine *e, const char *id, const char *property, struct sb_arena *a,
                                  struct ns_view *ret, struct sb_error *err);
/* Makes all of it follow. False: something is missing still. */
bool ns_mirror_all(struct engine *e, const char *primary);

#endif
