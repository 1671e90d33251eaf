/*
 * broker_private.h: the broker's inside, shared by broker*.c.
 *
 * Everything here is touched on the sb thread alone, but for what is marked. `run` of an op may fail late, so
 * what it changes in memory is put back then: counters are saved when first touched (broker_touch) and
 * restored by broker_undo. Next-due times and wake-ups are hints on the safe side (too early, too often), so
 * they need no undoing.
 */
#ifndef SB_BROKER_PRIVATE_H
#define SB_BROKER_PRIVATE_H

#include <stdatomic.h>
#include "server/base/buf.h"
#include "server/engine/broker.h"
#include "server/engine/broker_rule.h"
#include "server/engine/timeline.h"
#include "storage/st_entity.h"
#include "storage/st_message.h"
#include "storage/st_sweep.h"

#define BROKER_DUE_CHUNK    256  /* due messages per commit: others get their turn between two */
#define BROKER_POLL_WAIT_MS 5000 /* how long a request waits for a namespace's first poll (semantics 13) */
#define BROKER_LOCK_MAX_MS  INT64_C(300000) /* recorded limit of LockDuration */
#define BROKER_HOPS_MAX     4               /* documented limit of auto-forwarding */
#define BROKER_ENTITIES_MAX 10000           /* documented quota of a namespace */
#define BROKER_SUBS_MAX     2000            /* documented quota of a topic */
#define BROKER_RULES_MAX    2000            /* documented quota of a topic, here of a subscription */
#define BROKER_NEVER        INT64_MAX

/* Parked receives, first come first served. */
struct waiters {
    struct broker_op *head, *tail;
};

/* What the counters were after the last commit that is on the disk, for any thread. */
struct shown {
    _Atomic int64_t active, dead_letter, scheduled, bytes, accessed_ms;
};

struct entity {
    int64_t id;
    struct broker_ns *home;
    const struct st_entity
        *cfg; /* one block with its texts; swapped by a PUT under engine_lock; id and counters unused */
    struct st_counters count;
    struct st_counters saved;     /* before the running op */
    struct st_counters committed; /* as in the row: the next batch runs before this one is answered */
    int64_t accessed_ms;
    int64_t stored_accessed_ms; /* as in the row */
    struct shown shown;
    struct waiters wait[2]; /* by sub */
    uint64_t ready[2];      /* how often a message became ready: tells a receive that it must look again */
    unsigned wake[2];       /* waiters to be woken after the commit */
    bool in_undo, in_dirty, in_flushed, in_wakes, in_forwards;
    struct entity *undo_next, *dirty_next, *flushed_next, *wake_next, *forward_next;
    struct entity *name_next, *id_next; /* hash chains */
    struct entity *topic;               /* of a subscription */
    struct entity *subs, *sub_next;     /* a topic's subscriptions */
    size_t subs_n;
    struct rule *rules; /* a subscription's; changed under engine_lock */
};

/* A namespace's entities. The table is changed under engine_lock and looked up there or on the sb thread. */
struct broker_ns {
    struct broker *b;
    struct ns *n;
    struct entity **by_name, **by_id;
    size_t slots, count;
    size_t subs;             /* how many of them are subscriptions */
    size_t idlers;           /* entities with autoDeleteOnIdle */
    int64_t next_due;        /* not later than what falls due first; 0: unknown; BROKER_NEVER: nothing */
    struct waiters unpolled; /* requests that wait for the first poll */
};

struct broker {
    struct engine *e;
    struct entity *undo, *dirty, *flushed, *wakes;
    struct broker_op *parked; /* all parked receives, whatever they wait for */
    int64_t min_emu;          /* not later than the first deadline by the emulator's clock */
    bool stopping;
    struct sb_buf sealed, sealed_dl; /* scratch for seals */
    uint8_t random[512];             /* for lock tokens */
    size_t random_n;                 /* bytes left of it */
    _Atomic int64_t next_due;        /* any thread: over all namespaces that have their key, and min_emu */

    /* The alarm thread ends receives by the monotonic clock (the emulator's may stand still). */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool started, quit, rung; /* under lock; rung: its op is queued */
    int64_t alarm_mono;       /* under lock */
    struct store_op alarm;

    /* Entities that forward and may hold messages all the same (broker_forward.c). */
    struct entity *forwards;
    struct store_op forward;
    bool forwarding;             /* its op is queued */
    struct entity *forward_from; /* what the op worked on */
    bool forward_over;           /* and found nothing more there */

    /* What deleted entities left behind (broker_sweep.c). */
    struct store_op sweep;
    bool sweeping;    /* its op is queued */
    bool sweep_again; /* an entity went meanwhile */
    bool sweep_more;  /* what the op has found out */
    struct st_sweep sweep_at, sweep_next;
};

/* One run inside a transaction. */
struct work {
    struct broker *b;
    struct tx *tx;
    struct ns *n;
    struct broker_ns *home;
    int64_t now;
    bool accessed; /* the time of it is to be stored */
    struct sb_error *err;
};

/* ---- broker.c ---- */
struct entity *broker_find(const struct broker_ns *home, const char *name); /* case ignored; NULL: none */
struct entity *broker_find_id(const struct broker_ns *home, int64_t id);
/* An entity object with its own copy of row (texts, counters); NULL: out of memory. */
struct entity *broker_entity_new(const struct st_entity *row);
struct st_entity *broker_config_copy(const struct st_entity *row);
void broker_entity_free(struct entity *t); /* NULL is ok */
/* Under engine_lock. link makes room first if it can; it cannot fail. A subscription's topic must be there.
 */
void broker_link(struct broker_ns *home, struct entity *t);
void broker_unlink(struct entity *t);
/* Under engine_lock: the entity has another configuration from now on (of the same name); takes cfg over. */
void broker_configure(struct entity *t, struct st_entity *cfg);
/* Before the first change of an entity's counters in an op. */
void broker_touch(struct broker *b, struct entity *t);
void broker_undo(struct broker *b);
void broker_keep(struct broker *b);
/* The last use of the entity, for accessedAt and autoDeleteOnIdle; true: the next commit stores it. */
bool broker_accessed(struct broker *b, struct entity *t, int64_t now);
int64_t broker_idle_due(const struct entity *t); /* BROKER_NEVER when it has no autoDeleteOnIdle */
/* Something of this namespace falls due at ms. */
void broker_due_at(struct broker_ns *home, int64_t ms);
void broker_due_recount(struct broker *b);
/* On the sb thread, outside of run: what readers see, and who is woken. */
void broker_after(struct broker *b);

/* ---- broker_wait.c ---- */
void broker_ready(struct entity *t, int sub); /* in run: a message became ready */
void broker_wake_some(struct broker *b);      /* in done: for what broker_ready told of */
void broker_drop_wake(struct entity *t);      /* forgets it: t is about to be freed */
/* In done: parks op until a message comes, or looks again if one came meanwhile, or answers it. */
void broker_park(struct broker *b, struct broker_op *op, struct entity *t);
void broker_park_unpolled(struct broker *b, struct broker_op *op);
void broker_wake_all(struct waiters *w); /* each looks again */
void broker_wake_ns(struct broker_ns *home);
void broker_end_waits(struct broker *b, int64_t mono, int64_t emu); /* those whose time is over */
SB_MUST enum sb_err broker_alarm_start(struct broker *b, struct sb_error *err);
void broker_alarm_stop(struct broker *b);

/* ---- broker_put.c: storing, moving, sealing ---- */
/* A message about to be stored; its sections are plain. */
struct arrival {
    struct sb_blob sections;
    const char *message_id, *session_id; /* or NULL */
    int64_t enqueued_ms, ttl_ms;         /* TIME_FOREVER_MS: never expires */
    int64_t scheduled_ms;                /* 0: now */
    int64_t enqueued_seq;
    int hops, delivery_count;
    const char *reason, *description; /* it was dead-lettered before; or NULL */
};
/* Stores m in this very entity: its next sequence number, its seal. */
SB_MUST enum sb_err broker_put_here(struct work *w, struct entity *t, const struct arrival *m, int sub);
/* Stores it in t, where t forwards to, or in a topic's subscriptions. fresh: it comes from a client
 * (duplicates of t are looked for, and it may be scheduled). */
SB_MUST enum sb_err broker_arrive(struct work *w, struct entity *t, const struct arrival *m, bool fresh);
/* A stored message goes on to where its queue forwards. */
SB_MUST enum sb_err broker_pass_on(struct work *w, struct entity *t, const struct st_message *row);
/* A stored message leaves its queue for the dead-letter queue (or where that forwards to). */
SB_MUST enum sb_err broker_bury(struct work *w, struct entity *t, const struct st_message *row,
                                int delivery_count, const char *reason, const char *description);
/* Deletes it, and counts. */
SB_MUST enum sb_err broker_remove(struct work *w, struct entity *t, const struct st_message *row);
/* Opens its blobs into a: what it was, as an arrival. SB_ETAMPER: the row is marked damaged (in this
 * transaction) and told of. */
SB_MUST enum sb_err broker_unseal(struct work *w, struct entity *t, const struct st_message *row,
                                  struct sb_arena *a, struct sb_blob *ret_sections, const char **ret_reason,
                                  const char **ret_description);
/* A delivery ended without settlement: counted, then ready again, dead-lettered or expired. */
SB_MUST enum sb_err broker_give_back(struct work *w, struct entity *t, const struct st_message *row,
                                     int64_t at);
/* TTL is over: dropped, or dead-lettered when the queue says so. */
SB_MUST enum sb_err broker_expire(struct work *w, struct entity *t, const struct st_message *row,
                                  int delivery_count, int64_t at);
/* Scheduled time has come: a new sequence number, sealed again. */
SB_MUST enum sb_err broker_activate(struct work *w, struct entity *t, const struct st_message *row);

/* ---- broker_forward.c ---- */
/* t forwards, and a message may be ready there. On the sb thread, or before the stores start. */
void broker_forward(struct entity *t);
void broker_forward_some(struct broker *b); /* in done: what broker_forward told of */
void broker_drop_forward(struct entity *t); /* forgets it: t is about to be freed */

/* ---- broker_sweep.c ---- */
/* Before the stores start, or in done: an entity is gone, and may have left messages behind. */
void broker_sweep(struct broker *b);

/* ---- broker_due.c ---- */
/* Runs what is due in w->home at w->now, at most max messages; *ret_more: not all. */
SB_MUST enum sb_err broker_due(struct work *w, size_t max, bool *ret_more);

/* ---- broker_topic.c ---- */
/* Under engine_lock or while loading: a subscription joins its topic, or leaves it. Others: nothing. */
void broker_topic_join(struct broker_ns *home, struct entity *t);
void broker_topic_leave(struct entity *t);
/* The topic of a subscription's path; NULL: none. */
struct entity *broker_topic_of(const struct broker_ns *home, const char *path);
/* Fills t->rules of a subscription that is being loaded. */
SB_MUST enum sb_err broker_topic_load(struct engine *e, struct tx *tx, struct entity *t, struct sb_arena *a,
                                      struct sb_error *err);
/* A message has come to topic t: copies for the subscriptions that want it. */
SB_MUST enum sb_err broker_topic_spread(struct work *w, struct entity *t, const struct arrival *m);
/* What t holds: itself, and a topic's subscriptions. */
int64_t broker_topic_bytes(const struct entity *t);
/* Rows of an entity that goes, with a topic's subscriptions. */
SB_MUST enum sb_err broker_topic_drop(struct tx *tx, const struct entity *t, struct sb_error *err);
/* After that commit: out of memory, whoever waits is told. Takes engine_lock. */
void broker_topic_forget(struct engine *e, struct entity *t);

/* ---- broker_settings.c ---- */
#define BROKER_METADATA_MAX 1024
SB_MUST enum sb_err broker_settings_name(const struct entity_spec *s, struct sb_error *err);
const char *broker_settings_status(int status); /* "Active" … */
struct st_entity broker_settings_default(const struct ns *n, enum entity_kind kind, const char *sku);
/* row holds what was there (or the defaults): what s names replaces it. The metadata is left alone. */
SB_MUST enum sb_err broker_settings_apply(const struct entity_spec *s, struct st_entity *row,
                                          struct sb_error *err);
/* May a queue that was `before` (NULL: new) be row? Brings sizes and forwarding names into their stored form.
 * SB_EENTITY. */
SB_MUST enum sb_err broker_settings_check(const struct ns *n, const char *sku, const struct st_entity *before,
                                          struct st_entity *row, struct sb_error *err);

/* ---- broker_ops.c ---- */
/* Sets what op is answered with; SB_OK, so that the transaction goes on. */
enum sb_err broker_refuse(struct broker_op *op, enum sb_err code, const char *fmt, ...) SB_PRINTF(3, 4);

#endif
