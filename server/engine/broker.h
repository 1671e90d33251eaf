/*
 * broker.h: queues, topics, subscriptions and their messages: send, peek-lock, receive-and-delete, settle,
 * expiry, dead-lettering.
 *
 * Queues, topics and subscriptions are one kind of thing to the broker, an entity; a subscription's name is
 * its path, "TOPIC/subscriptions/SUB". A topic holds no messages but scheduled ones: what is sent to it is
 * copied into each subscription with a matching rule.
 *
 * A message operation is a `struct broker_op`: filled in by the caller, queued with broker_submit, run on the
 * sb thread inside a group commit, and handed back through `done` when it is durable (or refused). A receive
 * that finds nothing parks until a message comes, its time is over or the emulator stops.
 */
#ifndef SB_BROKER_H
#define SB_BROKER_H

#include "server/engine/ns.h"

struct entity; /* broker_private.h */
struct waiters;

#define ENTITY_NAME_MAX       260
#define SUBSCRIPTION_NAME_MAX 50
#define SUBSCRIPTION_INFIX    "/subscriptions/"
#define ENTITY_PATH_MAX       (ENTITY_NAME_MAX + sizeof SUBSCRIPTION_INFIX - 1 + SUBSCRIPTION_NAME_MAX)
#define MESSAGE_ID_MAX        128 /* characters */

/* ---- entities as ARM shows them ---- */
enum entity_kind { ENTITY_QUEUE, ENTITY_TOPIC, ENTITY_SUBSCRIPTION };
struct entity_view {
    int64_t id;
    enum entity_kind kind;
    const char *ns, *name;                           /* of a subscription: its path */
    int64_t lock_ms, ttl_ms, dup_window_ms, idle_ms; /* TIME_FOREVER_MS: never */
    int64_t max_mb, max_message_kb, max_delivery;
    bool dup, session, dead_letter_expired, batched, partitioning, express;
    bool ordering, dead_letter_filter, affine, durable, shared;
    const char *client_id;                       /* or NULL */
    const char *status;                          /* "Active", "Disabled", "SendDisabled", "ReceiveDisabled" */
    const char *forward_to, *forward_dlq;        /* or NULL */
    const char *user_metadata;                   /* or NULL; sealed under the platform key at rest */
    int64_t created_ms, updated_ms, accessed_ms; /* accessed 0: never */
    int64_t size_bytes, active, dead_letter, scheduled;
    int64_t subscriptions; /* of a topic */
    bool changed;          /* broker_entity_put: it is new or another than before */
};
/* -1 / NULL: not sent (a PUT keeps defaults for a new entity, current values for an old one). Begin with
 * broker_spec. */
struct entity_spec {
    enum entity_kind kind;
    const char *ns, *name, *status, *forward_to, *forward_dlq, *user_metadata, *client_id;
    int64_t lock_ms, ttl_ms, dup_window_ms, idle_ms, max_mb, max_message_kb, max_delivery;
    int dup, session, dead_letter_expired, batched, partitioning, express;
    int ordering, dead_letter_filter, affine, durable, shared;
};
/* A spec in which nothing was sent. */
struct entity_spec broker_spec(enum entity_kind kind, const char *ns, const char *name);
/* A new subscription needs its topic (SB_ENOPARENT) and gets the rule $Default. SB_EEXISTS: an entity of
 * another kind has that name. */
SB_MUST enum sb_err broker_entity_put(struct engine *e, const struct entity_spec *s, struct sb_arena *a,
                                      struct entity_view *ret, bool *ret_created, struct sb_error *err);
/* SB_EGONE; SB_ENOSUBENTITY for a subscription (recorded). */
SB_MUST enum sb_err broker_entity_get(struct engine *e, const char *ns, enum entity_kind kind,
                                      const char *name, struct sb_arena *a, struct entity_view *ret,
                                      struct sb_error *err);
/* By name. topic: the topic whose subscriptions are listed, else NULL. */
SB_MUST enum sb_err broker_entity_list(struct engine *e, const char *ns, enum entity_kind kind,
                                       const char *topic, size_t skip, size_t top, struct sb_arena *a,
                                       struct entity_view **ret, size_t *ret_n, struct sb_error *err);
/* What has this path? A queue where nothing has. Any thread. */
enum entity_kind broker_kind_at(struct engine *e, const char *ns, const char *path);
/* Does this path of a request, which begins with the name of `entity`, lead to another queue or topic, whose
 * name begins with it, too (a, a/b)? Under engine_lock. */
bool broker_leads_deeper(const struct ns *n, const char *entity, const char *path);
/* A topic goes with its subscriptions. */
SB_MUST enum sb_err broker_entity_delete(struct engine *e, const char *ns, enum entity_kind kind,
                                         const char *name, bool *ret_existed, struct sb_error *err);

/* ---- rules of subscriptions; path: the subscription's ---- */
struct rule_spec; /* broker_rule.h */
struct rule_view;
SB_MUST enum sb_err broker_rule_put(struct engine *e, const char *ns, const char *path, const char *name,
                                    const struct rule_spec *s, struct sb_arena *a, struct rule_view *ret,
                                    struct sb_error *err);
/* SB_ENOSUBENTITY, in the recorded words, when the subscription or the rule is missing. */
SB_MUST enum sb_err broker_rule_get(struct engine *e, const char *ns, const char *path, const char *name,
                                    struct sb_arena *a, struct rule_view *ret, struct sb_error *err);
SB_MUST enum sb_err broker_rule_list(struct engine *e, const char *ns, const char *path, struct sb_arena *a,
                                     struct rule_view **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err broker_rule_delete(struct engine *e, const char *ns, const char *path, const char *name,
                                       bool *ret_existed, struct sb_error *err);

/* ---- life cycle (engine.c calls these; broker_stop stands below) ---- */
SB_MUST enum sb_err broker_open(struct engine *e, struct sb_error *err); /* before ns_open */
void broker_close(struct engine *e);                                     /* after ns_close */

/* Cuts "/$DeadLetterQueue" (any case) off a path, in place; true if it was there. */
bool broker_cut_dlq(char *path);

/* ---- what the namespace needs from the broker ---- */
SB_MUST enum sb_err broker_ns_load(struct engine *e, struct tx *tx, struct ns *n,
                                   struct sb_error *err); /* fills n->broker from the database */
void broker_ns_free(struct broker_ns *b);
size_t broker_entity_count(const struct ns *n); /* queues and topics */
struct broker_totals {
    int64_t active, dead_letter, scheduled, bytes;
};
struct broker_totals broker_totals(const struct ns *n); /* under engine_lock or on the sb thread */
/* sb thread, in done of the op that revoked: every parked receive of the namespace is told. Locks are
 * released in the transaction itself: */
SB_MUST enum sb_err broker_release_locks(struct engine *e, struct tx *tx, struct ns *n,
                                         struct sb_error *err); /* no delivery is counted */
void broker_revoked(struct engine *e, struct ns *n);
/* sb thread, in done of the op that gave the key back: due events start to count again. */
void broker_restored(struct engine *e, struct ns *n);
/* In the transaction of a namespace's deletion. */
SB_MUST enum sb_err broker_ns_delete(struct tx *tx, int64_t ns_id, struct sb_error *err);
/* store hooks: counters kept in memory are flushed once per commit; shown, and receivers woken, when that is
 * settled; reread after a lost batch. */
SB_MUST enum sb_err broker_before_commit(struct engine *e, struct tx *tx, struct sb_error *err);
void broker_settled(struct engine *e);
void broker_batch_lost(struct engine *e, struct tx *tx);

/* ---- message operations ---- */
enum broker_kind {
    BROKER_SEND,
    BROKER_RECEIVE /* peek-lock */,
    BROKER_RECEIVE_DELETE,
    BROKER_COMPLETE,
    BROKER_UNLOCK,
    BROKER_RENEW
};

/* A message on its way in. sections: AMQP properties, application-properties and body, encoded (amqpmsg.h).
 */
struct broker_message {
    struct sb_blob sections;
    const char
        *message_id; /* NULL: one is made and put into sections by the caller; here for duplicate detection */
    const char *session_id; /* or NULL */
    int64_t ttl_ms;         /* -1: the queue's */
    int64_t scheduled_ms;   /* 0: now */
};
/* A message on its way out. */
struct broker_delivery {
    int64_t seq, enqueued_ms, expires_ms /* 0: never */, locked_until_ms, enqueued_seq;
    int delivery_count; /* as HTTP counts: 1 on first delivery */
    char lock_token[40];
    struct sb_blob sections;                /* in op->arena */
    const char *dl_reason, *dl_description; /* of a dead-lettered message, else NULL */
    int64_t ttl_ms;
};

struct broker_op {
    struct store_op op; /* first member */
    struct engine *e;
    struct sb_arena *arena; /* the caller's; used on the sb thread until done */
    enum broker_kind kind;
    char ns[NS_NAME_MAX + 1];
    char entity[ENTITY_PATH_MAX + 1]; /* without /$DeadLetterQueue */
    bool dlq;
    /* in */
    const struct broker_message *messages; /* SEND: all or none */
    size_t messages_n;
    int64_t timeout_ms; /* RECEIVE*: 0 answers at once */
    int64_t seq;        /* settle: -1 when message_id is given */
    const char *message_id;
    char lock_token[40];
    /* out, valid in done when rc is SB_OK; got tells whether a receive found one */
    bool got;
    struct broker_delivery delivery;
    int64_t locked_until_ms; /* RENEW */
    enum sb_err rc;
    struct sb_error err;
    /* Called once, on the sb thread or the timer thread, never under engine_lock. */
    void (*done)(struct broker_op *op);
    /* Would nobody get the answer any more? Asked, on the sb thread, when a receive that has waited is about
     * to get a message: that goes to the next one then. NULL: never. */
    bool (*gone)(struct broker_op *op);
    void *cookie;
    /* the broker's own */
    int64_t deadline_mono, deadline_emu;
    struct broker_op *next, *prev;         /* in its queue of waiters */
    struct broker_op *all_next, *all_prev; /* among all that are parked */
    struct waiters *queue;
    struct entity *target; /* from run to done of one commit */
    uint64_t seen;         /* target->ready[] when nothing was found */
    int64_t polled_by;     /* monotonic; 0: has not waited for a first poll */
    int after;             /* what done does */
    bool parked, woken;
};
/* Async. Errors by order of checks: SB_EREVOKED / SB_EUNREACHABLE before SB_EGONE (semantics 18). */
void broker_submit(struct engine *e, struct broker_op *op);

/* ---- what falls due ---- */
int64_t broker_next_due(
    struct engine *e); /* over all namespaces that have their key; also parked receives' deadlines */
SB_MUST enum sb_err broker_run_due(struct engine *e, int64_t now, struct sb_error *err);
/* Before the stores start: takes up what an earlier process left half deleted. */
void broker_start(struct engine *e);
/* Answers every parked receive as empty (shutdown). */
void broker_stop(struct engine *e);

/* Control plane: one sealed row as stored; header fields and bytes, never plaintext. entity may end in
 * /$DeadLetterQueue. */
struct at_rest {
    int64_t seq, enqueued_ms, size;
    int version, min_reader, flags, delivery_count;
    uint32_t generation;
    const char *state;
    struct sb_blob blob, dead_letter; /* the latter p NULL if none */
};
SB_MUST enum sb_err broker_at_rest(struct engine *e, const char *ns, const char *entity, int64_t seq,
                                   struct sb_arena *a, struct at_rest *ret, struct sb_error *err);

#endif
