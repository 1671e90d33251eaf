/*
 * st_entity.h: rows of queues, topics and subscriptions, and of subscriptions' rules. Inside a transaction of
 * servicebus.db only; texts and blobs of rows that are read live in the given arena.
 *
 * All three share one table, because they share what they hold (settings, counters, messages) and their space
 * of names: a subscription's name is its path, "TOPIC/subscriptions/SUBSCRIPTION", as clients address it.
 */
#ifndef SB_ST_ENTITY_H
#define SB_ST_ENTITY_H

#include "storage/store.h"

enum st_entity_status {
    ST_ENTITY_ACTIVE = 0,
    ST_ENTITY_DISABLED = 1,
    ST_ENTITY_SEND_DISABLED = 2,
    ST_ENTITY_RECEIVE_DISABLED = 3
};

#define ST_ENTITY_DUP          0x01
#define ST_ENTITY_SESSION      0x02
#define ST_ENTITY_DEAD_EXPIRED 0x04
#define ST_ENTITY_BATCHED      0x08
#define ST_ENTITY_PARTITIONED  0x10
#define ST_ENTITY_EXPRESS      0x20
#define ST_ENTITY_ORDERING     0x40  /* topics */
#define ST_ENTITY_DEAD_FILTER  0x80  /* subscriptions: what a filter fails on is dead-lettered */
#define ST_ENTITY_AFFINE       0x100 /* subscriptions of one client (JMS) */
#define ST_ENTITY_DURABLE      0x200
#define ST_ENTITY_SHARED       0x400

enum st_entity_kind { ST_ENTITY_QUEUE = 0, ST_ENTITY_TOPIC = 1, ST_ENTITY_SUBSCRIPTION = 2 };

/* What a queue counts; written once per commit. */
struct st_counters {
    int64_t next_seq, active, dead_letter, scheduled, bytes;
};

struct st_entity {
    int64_t id, ns;
    int kind;
    const char *name, *forward_to, *forward_dlq, *client_id; /* NULL, but for name: none */
    struct sb_blob metadata;                                 /* sealed; p NULL: none */
    int status, max_delivery, flags;
    int64_t lock_ms, ttl_ms, dup_window_ms, idle_ms, max_mb, max_message_kb;
    int64_t created_ms, updated_ms, accessed_ms;
    struct st_counters count;
};

/* The id and the counters of row are not looked at. SB_ECONFLICT when the name is taken. */
SB_MUST enum sb_err st_entity_insert(struct tx *tx, const struct st_entity *row, int64_t *ret_id,
                                     struct sb_error *err);
/* Everything but id, ns, kind, name, created, accessed and the counters. */
SB_MUST enum sb_err st_entity_update(struct tx *tx, const struct st_entity *row, struct sb_error *err);
SB_MUST enum sb_err st_entity_count(struct tx *tx, int64_t id, const struct st_counters *count,
                                    int64_t accessed_ms, struct sb_error *err);
/* The counters as stored; *ret_found false when the row is gone. */
SB_MUST enum sb_err st_entity_counted(struct tx *tx, int64_t id, bool *ret_found, struct st_counters *ret,
                                      struct sb_error *err);
/* A namespace's entities, by name: a topic comes before its subscriptions. */
SB_MUST enum sb_err st_entity_list(struct tx *tx, int64_t ns, struct sb_arena *a, struct st_entity **ret,
                                   size_t *ret_n, struct sb_error *err);
/* Its messages and what it has seen are left behind, for st_sweep_gone. */
SB_MUST enum sb_err st_entity_drop(struct tx *tx, int64_t id, struct sb_error *err);
/* The same with the first of them, so that a small queue is gone whole while one with a backlog holds nobody
 * up. */
#define ST_ENTITY_DELETE_MAX 500
SB_MUST enum sb_err st_entity_delete(struct tx *tx, int64_t id, struct sb_error *err);

/* Has this queue seen this message id, until a time after now? */
SB_MUST enum sb_err st_seen_get(struct tx *tx, int64_t entity, const uint8_t hmac[32], int64_t now,
                                bool *ret_seen, struct sb_error *err);
/* Remembers it, and forgets a few whose time is over. */
SB_MUST enum sb_err st_seen_put(struct tx *tx, int64_t entity, const uint8_t hmac[32], int64_t now,
                                int64_t until, struct sb_error *err);

/* ---- rules of subscriptions ---- */
struct st_rule {
    int64_t entity; /* the subscription */
    const char *name;
    int64_t created_ms;
    struct sb_blob sealed; /* what it says, sealed */
};
SB_MUST enum sb_err st_rule_put(struct tx *tx, const struct st_rule *row, struct sb_error *err);
SB_MUST enum sb_err st_rule_delete(struct tx *tx, int64_t entity, const char *name, struct sb_error *err);
/* A subscription's rules, by name. */
SB_MUST enum sb_err st_rule_list(struct tx *tx, int64_t entity, struct sb_arena *a, struct st_rule **ret,
                                 size_t *ret_n, struct sb_error *err);

#endif
