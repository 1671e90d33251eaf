/*
 * st_message.h: rows of messages. Sealed blobs come and go opaque. Inside a transaction of servicebus.db
 * only; blobs of rows that are read live in the given arena. Times are ms, 0 stands for "never".
 */
#ifndef SB_ST_MESSAGE_H
#define SB_ST_MESSAGE_H

#include "storage/store.h"

enum st_message_sub { ST_SUB_MAIN = 0, ST_SUB_DEAD = 1 };
enum st_message_state {
    ST_MESSAGE_READY = 0,
    ST_MESSAGE_LOCKED = 1,
    ST_MESSAGE_SCHEDULED = 2,
    ST_MESSAGE_DEFERRED = 3,
    ST_MESSAGE_DAMAGED = 4
};

#define ST_LOCK_LEN 16
#define ST_SEQ_BITS 40
#define ST_SEQ_MAX  ((INT64_C(1) << ST_SEQ_BITS) - 1)

struct st_message {
    int64_t id; /* st_message_id */
    int64_t ns;
    int sub, state;
    int64_t enqueued_ms, expires_ms, due_ms;
    uint8_t lock_token[ST_LOCK_LEN]; /* counts in state locked only */
    int delivery_count;              /* deliveries that ended without settlement */
    int hops;                        /* times it was forwarded */
    int64_t size;
    int64_t enqueued_seq; /* the sequence number it had before activation, 0: none */
    struct sb_blob session, blob, dl_blob;
};

static inline int64_t st_message_id(int64_t entity, int64_t seq)
{
    return (int64_t)((uint64_t)entity << ST_SEQ_BITS) | seq;
}
static inline int64_t st_message_entity(int64_t id)
{
    return id >> ST_SEQ_BITS;
}
static inline int64_t st_message_seq(int64_t id)
{
    return id & ST_SEQ_MAX;
}

SB_MUST enum sb_err st_message_insert(struct tx *tx, const struct st_message *row, struct sb_error *err);
/* The ready message of the smallest sequence number, with its blobs. */
SB_MUST enum sb_err st_message_first(struct tx *tx, int64_t entity, int sub, struct sb_arena *a,
                                     bool *ret_found, struct st_message *ret, struct sb_error *err);
/* By key, with its blobs. */
SB_MUST enum sb_err st_message_get(struct tx *tx, int64_t id, struct sb_arena *a, bool *ret_found,
                                   struct st_message *ret, struct sb_error *err);
/* By key, without blobs. */
SB_MUST enum sb_err st_message_meta(struct tx *tx, int64_t id, bool *ret_found, struct st_message *ret,
                                    struct sb_error *err);
/* The message of a namespace that falls due first, if at or before now; without blobs. */
SB_MUST enum sb_err st_message_due(struct tx *tx, int64_t ns, int64_t now, bool *ret_found,
                                   struct st_message *ret, struct sb_error *err);
/* When the next message of a namespace falls due; *ret_found false: none does. */
SB_MUST enum sb_err st_message_next_due(struct tx *tx, int64_t ns, bool *ret_found, int64_t *ret,
                                        struct sb_error *err);

SB_MUST enum sb_err st_message_lock(struct tx *tx, int64_t id, const uint8_t token[ST_LOCK_LEN],
                                    int64_t until, struct sb_error *err);
SB_MUST enum sb_err st_message_renew(struct tx *tx, int64_t id, int64_t until, struct sb_error *err);
/* Back to ready, with this count of deliveries and this due time. */
SB_MUST enum sb_err st_message_release(struct tx *tx, int64_t id, int delivery_count, int64_t due,
                                       struct sb_error *err);
/* Into the dead-letter queue, ready there and never due. */
SB_MUST enum sb_err st_message_bury(struct tx *tx, int64_t id, int delivery_count, struct sb_blob dl_blob,
                                    struct sb_error *err);
/* Kept, but delivered to nobody. */
SB_MUST enum sb_err st_message_damage(struct tx *tx, int64_t id, struct sb_error *err);
SB_MUST enum sb_err st_message_delete(struct tx *tx, int64_t id, struct sb_error *err);
/* Every lock of a namespace that would end at or before `until` ends now; no delivery is counted. */
SB_MUST enum sb_err st_message_release_all(struct tx *tx, int64_t ns, int64_t until, struct sb_error *err);

#endif
