/*
 * broker_put.c: where a message goes and in what form: storing, forwarding, dead-lettering, expiry,
 * activation.
 *
 * A move within its queue keeps the sequence number and the seal (the dead-letter queue shares its queue's
 * entity id). A move to another place (activation, forwarding) opens the message and seals it anew under its
 * new sequence number, in the transaction that deletes the old row (semantics 19).
 */
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker_private.h"

#define YEAR_10000_MS                                                                                        \
    INT64_C(253402300800000) /* the service's times end there: what would expire later never does */

/* Reasons of dead-lettering; the first two sentences are documented, the others ours. */
#define REASON_HOPS    "MaxTransferHopCountExceeded"
#define REASON_NO_DEST "AutoForwardDestinationNotFound"
#define REASON_REFUSED "AutoForwardDestinationRefused"
#define REASON_SESSION "Session ID is null."
#define REASON_TTL     "TTLExpiredException"
#define REASON_COUNT   "MaxDeliveryCountExceeded"
#define TEXT_TTL       "The message expired and was dead lettered."

/* ---- counting ---- */

static void count(struct broker *b, struct entity *t, int sub, int state, int64_t size, int sign)
{
    broker_touch(b, t);
    if (state == ST_MESSAGE_SCHEDULED)
        t->count.scheduled += sign;
    else if (sub == ST_SUB_DEAD)
        t->count.dead_letter += sign;
    else
        t->count.active += sign;
    t->count.bytes += sign * size;
}

enum sb_err broker_remove(struct work *w, struct entity *t, const struct st_message *row)
{
    enum sb_err rc = st_message_delete(w->tx, row->id, w->err);
    if (rc == SB_OK)
        count(w->b, t, row->sub, row->state, row->size, -1);
    return rc;
}

/* ---- sealing and opening ---- */

static struct sb_blob bytes(const struct sb_buf *b)
{
    return (struct sb_blob){b->p, b->n};
}

/* Reason and description as one text: both end in NUL. */
static enum sb_err seal_reason(struct work *w, int64_t entity, int64_t seq, const char *reason,
                               const char *description)
{
    struct sb_buf plain;
    enum sb_err rc;
    if (description == NULL)
        description = "";
    buf_init(&plain, strlen(reason) + strlen(description) + 2);
    buf_add(&plain, reason, strlen(reason) + 1);
    buf_add(&plain, description, strlen(description) + 1);
    if (buf_failed(&plain))
        rc = sb_fail(w->err, SB_ENOMEM, "out of memory dead-lettering a message");
    else
        rc = keyring_seal(w->n->ring, w->tx, entity, seq, SEAL_DEADLETTER, plain.p, plain.n, &w->b->sealed_dl,
                          w->err);
    buf_done(&plain);
    return rc;
}

/* The row stays, is delivered to nobody, and can be looked at in the at-rest view. */
static enum sb_err damaged(struct work *w, const struct entity *t, const struct st_message *row)
{
    char seq[24];
    enum sb_err rc = st_message_damage(w->tx, row->id, w->err);
    if (rc != SB_OK)
        return rc;
    snprintf(seq, sizeof seq, "%lld", (long long)st_message_seq(row->id));
    log_event(LOG_ERROR, "tamper.detected", "ns", w->n->name, "entity", t->cfg->name, "seq", seq, NULL);
    return sb_fail(w->err, SB_ETAMPER,
                   "Message %s of '%s' failed authentication: it is kept, and not delivered.", seq,
                   t->cfg->name);
}

static bool split_reason(struct sb_blob plain, const char **ret_reason, const char **ret_description)
{
    const char *p = (const char *)plain.p;
    const char *end = plain.n > 0 && p[plain.n - 1] == '\0' ? memchr(p, '\0', plain.n - 1) : NULL;
    if (end == NULL)
        return false;
    *ret_reason = p;
    *ret_description = end + 1;
    return true;
}

enum sb_err broker_unseal(struct work *w, struct entity *t, const struct st_message *row, struct sb_arena *a,
                          struct sb_blob *ret_sections, const char **ret_reason, const char **ret_description)
{
    struct sb_blob sections, plain;
    const char *reason = NULL, *description = NULL;
    int64_t seq = st_message_seq(row->id);
    enum sb_err rc = keyring_open(w->n->ring, t->id, seq, SEAL_BODY, row->blob, a, &sections, w->err);
    if (rc == SB_OK && row->dl_blob.p) {
        rc = keyring_open(w->n->ring, t->id, seq, SEAL_DEADLETTER, row->dl_blob, a, &plain, w->err);
        if (rc == SB_OK && !split_reason(plain, &reason, &description))
            rc = SB_ETAMPER;
    }
    if (rc == SB_ETAMPER)
        return damaged(w, t, row);
    if (rc == SB_OK) {
        *ret_sections = sections;
        *ret_reason = reason;
        *ret_description = description;
    }
    return rc;
}

/* ---- storing ---- */

static int64_t expiry(int64_t from, int64_t ttl)
{
    return ttl >= YEAR_10000_MS - from ? 0 : from + ttl;
}

static enum sb_err session_hmac(struct work *w, const struct entity *t, const char *session, uint8_t out[32],
                                struct sb_blob *ret)
{
    enum sb_err rc;
    if (session == NULL)
        return SB_OK;
    SB_TRY(keyring_lookup(w->n->ring, t->id, "session-id", session, out, w->err));
    *ret = (struct sb_blob){out, 32};
out:
    return rc;
}

enum sb_err broker_put_here(struct work *w, struct entity *t, const struct arrival *m, int sub)
{
    enum sb_err rc;
    struct broker *b = w->b;
    uint8_t session[32];
    int64_t seq = t->count.next_seq;
    int64_t from = m->scheduled_ms ? m->scheduled_ms : m->enqueued_ms;
    struct st_message row = {.id = st_message_id(t->id, seq),
                             .ns = w->n->id,
                             .sub = sub,
                             .enqueued_ms = m->enqueued_ms,
                             .expires_ms = expiry(from, m->ttl_ms),
                             .delivery_count = m->delivery_count,
                             .hops = m->hops,
                             .size = (int64_t)m->sections.n,
                             .enqueued_seq = m->enqueued_seq};
    if (seq >= ST_SEQ_MAX)
        return sb_fail(w->err, SB_ELIMIT, "The sequence numbers of '%s' are used up.", t->cfg->name);
    row.state = m->scheduled_ms ? ST_MESSAGE_SCHEDULED : ST_MESSAGE_READY;
    row.due_ms = m->scheduled_ms ? m->scheduled_ms : sub == ST_SUB_MAIN ? row.expires_ms : 0;
    buf_clear(&b->sealed);
    buf_clear(&b->sealed_dl);
    SB_TRY(keyring_seal(w->n->ring, w->tx, t->id, seq, SEAL_BODY, m->sections.p, m->sections.n, &b->sealed,
                        w->err));
    row.blob = bytes(&b->sealed);
    if (m->reason) {
        SB_TRY(seal_reason(w, t->id, seq, m->reason, m->description));
        row.dl_blob = bytes(&b->sealed_dl);
    }
    SB_TRY(session_hmac(w, t, m->session_id, session, &row.session));
    SB_TRY(st_message_insert(w->tx, &row, w->err));
    count(b, t, sub, row.state, row.size, +1);
    t->count.next_seq++;
    if (row.due_ms)
        broker_due_at(w->home, row.due_ms);
    if (row.state == ST_MESSAGE_READY)
        broker_ready(t, sub);
out:
    return rc;
}

/* ---- forwarding ---- */

static bool can_hold(const struct entity *t, size_t size)
{
    return (int64_t)size <= t->cfg->max_message_kb * 1024 &&
           broker_topic_bytes(t) + (int64_t)size <= t->cfg->max_mb * 1024 * 1024;
}

static bool can_send(const struct entity *t)
{
    return t->cfg->status == ST_ENTITY_ACTIVE || t->cfg->status == ST_ENTITY_RECEIVE_DISABLED;
}

/* Why m cannot go on to `to`; NULL: it can. */
static const char *refused(const struct entity *to, const struct arrival *m)
{
    if (m->hops >= BROKER_HOPS_MAX)
        return REASON_HOPS;
    if (to == NULL)
        return REASON_NO_DEST;
    if (!can_send(to) || !can_hold(to, m->sections.n))
        return REASON_REFUSED;
    if ((to->cfg->flags & ST_ENTITY_SESSION) && m->session_id == NULL)
        return REASON_SESSION;
    return NULL;
}

static const char *refused_text(const char *reason)
{
    if (strcmp(reason, REASON_HOPS) == 0)
        return "The message has been forwarded more than 4 times.";
    if (strcmp(reason, REASON_NO_DEST) == 0)
        return "The auto forwarding destination entity doesn't exist.";
    if (strcmp(reason, REASON_SESSION) == 0)
        return "The auto forwarding destination requires sessions.";
    return "The auto forwarding destination is disabled or full.";
}

/* A message with this id came to t within its window: *ret_seen. Else it is remembered. */
static enum sb_err look_up_duplicate(struct work *w, const struct entity *t, const char *id, bool *ret_seen)
{
    enum sb_err rc = SB_OK;
    uint8_t hmac[32];
    *ret_seen = false;
    if (!(t->cfg->flags & ST_ENTITY_DUP) || id == NULL)
        return SB_OK;
    SB_TRY(keyring_lookup(w->n->ring, t->id, "message-id", id, hmac, w->err));
    SB_TRY(st_seen_get(w->tx, t->id, hmac, w->now, ret_seen, w->err));
    if (!*ret_seen)
        SB_TRY(st_seen_put(w->tx, t->id, hmac, w->now, w->now + t->cfg->dup_window_ms, w->err));
out:
    return rc;
}

enum sb_err broker_arrive(struct work *w, struct entity *t, const struct arrival *arrival, bool fresh)
{
    enum sb_err rc = SB_OK;
    struct arrival m = *arrival;
    for (bool look = fresh;; look = true) {
        bool seen = false;
        m.ttl_ms = SB_MIN(m.ttl_ms, t->cfg->ttl_ms);
        if (look)
            SB_TRY(look_up_duplicate(w, t, m.message_id, &seen));
        if (seen)
            return SB_OK; /* dropped without a word, as documented */
        if (!m.scheduled_ms && t->cfg->kind == ST_ENTITY_TOPIC)
            return broker_topic_spread(w, t, &m);
        if (m.scheduled_ms || t->cfg->forward_to == NULL)
            return broker_put_here(w, t, &m, ST_SUB_MAIN);
        struct entity *to = broker_find(w->home, t->cfg->forward_to);
        const char *why = refused(to, &m);
        if (why) {
            m.reason = why;
            m.description = refused_text(why);
            return broker_put_here(w, t, &m, ST_SUB_DEAD);
        }
        m.hops++;
        t = to;
    }
out:
    return rc;
}

/* A stored message as one that arrives anew. Texts live in a. */
static enum sb_err read_back(struct work *w, struct entity *t, const struct st_message *row,
                             struct sb_arena *a, struct arrival *ret)
{
    enum sb_err rc;
    bool found = false;
    struct st_message full;
    struct amqp_message msg;
    struct arrival m = {.enqueued_ms = w->now, .hops = row->hops, .delivery_count = row->delivery_count};
    SB_TRY(st_message_get(w->tx, row->id, a, &found, &full, w->err));
    if (!found)
        return sb_fail(w->err, SB_EINTERNAL, "a message vanished while it was moved");
    SB_TRY(broker_unseal(w, t, &full, a, &m.sections, &m.reason, &m.description));
    /* What cannot be read has no ids that anybody could look for. */
    if (amqpmsg_decode(m.sections, a, &msg, NULL) == SB_OK) {
        m.message_id = msg.props.message_id;
        m.session_id = msg.props.session_id;
    }
    int64_t from = row->state == ST_MESSAGE_SCHEDULED ? row->due_ms : row->enqueued_ms;
    m.ttl_ms = row->expires_ms ? row->expires_ms - from : TIME_FOREVER_MS;
    *ret = m;
out:
    return rc;
}

static struct sb_arena *room_for(const struct st_message *row)
{
    return arena_new((size_t)row->size * 4 + 65536);
}

/* What every move does when the row proves damaged: nothing more. */
static enum sb_err unless_damaged(enum sb_err rc)
{
    return rc == SB_ETAMPER ? SB_OK : rc;
}

/* ---- moving ---- */

/* Semantics of forwardDeadLetteredMessagesTo: it goes there instead, with its reason. */
static enum sb_err forward_dead(struct work *w, struct entity *t, struct entity *to,
                                const struct st_message *row, int delivery_count, const char *reason,
                                const char *description, bool *ret_moved)
{
    enum sb_err rc;
    struct arrival m;
    struct sb_arena *a = room_for(row);
    if (a == NULL)
        return sb_fail(w->err, SB_ENOMEM, "out of memory moving a message");
    SB_TRY(read_back(w, t, row, a, &m));
    *ret_moved = refused(to, &m) == NULL;
    if (*ret_moved) {
        m.reason = reason;
        m.description = description;
        m.delivery_count = delivery_count;
        m.ttl_ms = TIME_FOREVER_MS; /* its own time to live has done its work */
        m.hops++;
        SB_TRY(broker_remove(w, t, row));
        SB_TRY(broker_arrive(w, to, &m, false));
    }
out:
    arena_free(a);
    return rc;
}

enum sb_err broker_bury(struct work *w, struct entity *t, const struct st_message *row, int delivery_count,
                        const char *reason, const char *description)
{
    enum sb_err rc = SB_OK;
    bool moved = false;
    struct entity *to = t->cfg->forward_dlq ? broker_find(w->home, t->cfg->forward_dlq) : NULL;
    if (to) {
        rc = forward_dead(w, t, to, row, delivery_count, reason, description, &moved);
        if (rc != SB_OK || moved)
            return unless_damaged(rc);
    }
    buf_clear(&w->b->sealed_dl);
    SB_TRY(seal_reason(w, t->id, st_message_seq(row->id), reason, description));
    SB_TRY(st_message_bury(w->tx, row->id, delivery_count, bytes(&w->b->sealed_dl), w->err));
    count(w->b, t, row->sub, row->state, row->size, -1);
    count(w->b, t, ST_SUB_DEAD, ST_MESSAGE_READY, row->size, +1);
    broker_ready(t, ST_SUB_DEAD);
out:
    return rc;
}

enum sb_err broker_expire(struct work *w, struct entity *t, const struct st_message *row, int delivery_count,
                          int64_t at)
{
    bool kept = (t->cfg->flags & ST_ENTITY_DEAD_EXPIRED) != 0;
    timeline_note(w->b->e, at, "messageExpired", "%s/%s message %lld%s", w->n->name, t->cfg->name,
                  (long long)st_message_seq(row->id), kept ? ": dead-lettered" : "");
    return kept ? broker_bury(w, t, row, delivery_count, REASON_TTL, TEXT_TTL) : broker_remove(w, t, row);
}

enum sb_err broker_give_back(struct work *w, struct entity *t, const struct st_message *row, int64_t at)
{
    enum sb_err rc;
    char text[96];
    int deliveries = row->delivery_count + 1;
    if (row->sub == ST_SUB_MAIN && deliveries >= t->cfg->max_delivery) {
        snprintf(text, sizeof text, "Message could not be consumed after %d delivery attempts.", deliveries);
        timeline_note(w->b->e, at, "messageDeadLettered", "%s/%s message %lld: " REASON_COUNT, w->n->name,
                      t->cfg->name, (long long)st_message_seq(row->id));
        return broker_bury(w, t, row, deliveries, REASON_COUNT, text);
    }
    int64_t expires = row->sub == ST_SUB_MAIN ? row->expires_ms : 0;
    if (expires && expires <= at)
        return broker_expire(w, t, row, deliveries, at);
    SB_TRY(st_message_release(w->tx, row->id, deliveries, expires, w->err));
    if (expires)
        broker_due_at(w->home, expires);
    broker_ready(t, row->sub);
out:
    return rc;
}

enum sb_err broker_activate(struct work *w, struct entity *t, const struct st_message *row)
{
    enum sb_err rc;
    struct arrival m;
    struct sb_arena *a = room_for(row);
    if (a == NULL)
        return sb_fail(w->err, SB_ENOMEM, "out of memory moving a message");
    SB_TRY(read_back(w, t, row, a, &m));
    m.enqueued_ms = row->due_ms;
    m.enqueued_seq = st_message_seq(row->id);
    SB_TRY(broker_remove(w, t, row));
    SB_TRY(broker_arrive(w, t, &m, false));
    timeline_note(w->b->e, row->due_ms, "messageActivated", "%s/%s message %lld", w->n->name, t->cfg->name,
                  (long long)m.enqueued_seq);
out:
    arena_free(a);
    return unless_damaged(rc);
}
