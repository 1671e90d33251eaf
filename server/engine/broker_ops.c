/*
 * broker_ops.c: message operations: what a `struct broker_op` does inside its transaction, and what follows
 * the commit.
 *
 * A refusal is an answer, not a failure: it is found before the op writes anything, and the transaction goes
 * on (what fell due before stays done). Only what storage or cryptography cannot do rolls the op back.
 */
#include <stdarg.h>
#include "crypto/rng.h"
#include "server/base/clock.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker_private.h"

/* What `done` does with an op. */
enum { AFTER_ANSWER, AFTER_AGAIN, AFTER_PARK, AFTER_POLL };

/* The sentence is public, where it appears is not (semantics 18). */
#define TEXT_REVOKED                                                                                         \
    "The operation cannot be performed because the Service Bus namespace is disabled because the "           \
    "encryption key is no longer valid."
#define TEXT_LOCK "No message was found with the specified MessageId or LockToken."
#define TEXT_SESSION                                                                                         \
    "It is not possible for an entity that requires sessions to create a non-sessionful message receiver."
#define TEXT_NO_SESSION                                                                                      \
    "The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have "       \
    "session "                                                                                               \
    "support enabled can only receive messages that have the SessionId set to a valid value."

enum sb_err broker_refuse(struct broker_op *op, enum sb_err code, const char *fmt, ...)
{
    char text[sizeof op->err.detail];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    op->rc = sb_fail(&op->err, code, "%s", text);
    return SB_OK;
}

static int sub_of(const struct broker_op *op)
{
    return op->dlq ? ST_SUB_DEAD : ST_SUB_MAIN;
}

/* ---- send ---- */

static bool id_too_long(const char *id)
{
    return id && utf8_length(id, strlen(id)) > MESSAGE_ID_MAX;
}

static enum sb_err check_message(struct broker_op *op, const struct entity *t, const struct broker_message *m)
{
    const struct st_entity *cfg = t->cfg;
    if ((int64_t)m->sections.n > cfg->max_message_kb * 1024)
        return broker_refuse(op, SB_EQUOTA,
                             "The message of %zu bytes exceeds the limit of %lld bytes of '%s'.",
                             m->sections.n, (long long)cfg->max_message_kb * 1024, cfg->name);
    if (id_too_long(m->message_id))
        return broker_refuse(op, SB_EBADREQUEST, "The MessageId exceeds the maximum of %d characters.",
                             MESSAGE_ID_MAX);
    if (id_too_long(m->session_id))
        return broker_refuse(op, SB_EBADREQUEST, "The SessionId exceeds the maximum of %d characters.",
                             MESSAGE_ID_MAX);
    if (m->session_id == NULL && (cfg->flags & ST_ENTITY_SESSION))
        return broker_refuse(op, SB_EBADREQUEST, TEXT_NO_SESSION);
    return SB_OK;
}

static enum sb_err check_send(struct broker_op *op, const struct entity *t)
{
    const struct st_entity *cfg = t->cfg;
    int64_t size = 0;
    if (op->dlq)
        return broker_refuse(op, SB_EBADREQUEST, "Messages cannot be sent to a dead-letter queue.");
    if (cfg->kind == ST_ENTITY_SUBSCRIPTION)
        return broker_refuse(op, SB_EBADREQUEST,
                             "Messages cannot be sent to a subscription: send to its topic.");
    if (cfg->status == ST_ENTITY_DISABLED || cfg->status == ST_ENTITY_SEND_DISABLED)
        return broker_refuse(op, SB_EENTITYDISABLED,
                             "Messaging entity '%s' is currently disabled for Send operations.", cfg->name);
    for (size_t i = 0; i < op->messages_n && op->rc == SB_OK; i++) {
        check_message(op, t, &op->messages[i]);
        size += (int64_t)op->messages[i].sections.n;
    }
    int64_t max = cfg->max_mb * 1024 * 1024, held = broker_topic_bytes(t);
    if (op->rc == SB_OK && held + size > max)
        return broker_refuse(op, SB_EQUOTA,
                             "The maximum entity size has been reached or exceeded for %s: '%s'. Size of "
                             "entity in bytes:%lld, Max "
                             "entity size in bytes:%lld.",
                             cfg->kind == ST_ENTITY_TOPIC ? "Topic" : "Queue", cfg->name,
                             (long long)(held + size), (long long)max);
    return SB_OK;
}

static enum sb_err do_send(struct broker_op *op, struct work *w, struct entity *t)
{
    enum sb_err rc;
    SB_TRY(check_send(op, t));
    for (size_t i = 0; i < op->messages_n && op->rc == SB_OK; i++) {
        const struct broker_message *m = &op->messages[i];
        const struct arrival a = {.sections = m->sections,
                                  .message_id = m->message_id,
                                  .session_id = m->session_id,
                                  .enqueued_ms = w->now,
                                  .ttl_ms = m->ttl_ms < 0 ? TIME_FOREVER_MS : m->ttl_ms,
                                  .scheduled_ms = m->scheduled_ms > w->now ? m->scheduled_ms : 0};
        SB_TRY(broker_arrive(w, t, &a, true));
    }
out:
    return rc;
}

/* ---- receive ---- */

/*
 * Lock tokens. A token is a version 4 GUID of 58 random bits, and the key of the message's row under a mask
 * made from them: so a locked message is found by its key, and no index of tokens has to be kept. The key is
 * no secret (it is in the URL beside the token), and the token counts only if the row holds the same one.
 */
#define KEY_MASK ((UINT64_C(1) << 62) - 1)

/* Spreads the random half over the other (the finalizer of splitmix64). */
static uint64_t mask_of(const uint8_t token[ST_LOCK_LEN])
{
    uint64_t x = be_get_u64(token);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) & KEY_MASK;
}

static void new_token(struct broker *b, int64_t id, uint8_t token[ST_LOCK_LEN])
{
    /* Random bytes are taken from the generator in blocks. */
    if (b->random_n < 8) {
        rng_bytes(b->random, sizeof b->random);
        b->random_n = sizeof b->random;
    }
    b->random_n -= 8;
    memcpy(token, b->random + b->random_n, 8);
    token[6] = (uint8_t)((token[6] & 0x0f) | 0x40);
    be_put_u64(token + 8, ((uint64_t)id ^ mask_of(token)) | UINT64_C(1) << 63);
}

static int64_t token_id(const uint8_t token[ST_LOCK_LEN])
{
    return (int64_t)((be_get_u64(token + 8) ^ mask_of(token)) & KEY_MASK);
}

static enum sb_err lock_message(struct broker_op *op, struct work *w, const struct entity *t,
                                const struct st_message *row)
{
    uint8_t token[ST_LOCK_LEN];
    int64_t until = w->now + t->cfg->lock_ms;
    new_token(w->b, row->id, token);
    enum sb_err rc = st_message_lock(w->tx, row->id, token, until, w->err);
    if (rc != SB_OK)
        return rc;
    broker_due_at(w->home, until);
    guid_format(token, op->delivery.lock_token);
    op->delivery.locked_until_ms = until;
    return SB_OK;
}

static enum sb_err check_receive(struct broker_op *op, const struct entity *t)
{
    const struct st_entity *cfg = t->cfg;
    if (cfg->kind == ST_ENTITY_TOPIC)
        return broker_refuse(op, SB_EBADREQUEST,
                             "Messages cannot be received from the topic '%s': receive from one of its "
                             "subscriptions.",
                             cfg->name);
    if (cfg->status == ST_ENTITY_DISABLED || cfg->status == ST_ENTITY_RECEIVE_DISABLED)
        return broker_refuse(op, SB_EENTITYDISABLED,
                             "Messaging entity '%s' is currently disabled for Receive operations.",
                             cfg->name);
    if ((cfg->flags & ST_ENTITY_SESSION) && !op->dlq)
        return broker_refuse(op, SB_EBADREQUEST, TEXT_SESSION);
    if (cfg->forward_to && !op->dlq) /* documented; own words */
        return broker_refuse(op, SB_EBADREQUEST,
                             "Messages cannot be received from '%s': it forwards to '%s'.", cfg->name,
                             cfg->forward_to);
    return SB_OK;
}

static void fill_delivery(struct broker_op *op, const struct st_message *row)
{
    struct broker_delivery *d = &op->delivery;
    d->seq = st_message_seq(row->id);
    d->enqueued_ms = row->enqueued_ms;
    d->expires_ms = row->expires_ms;
    d->enqueued_seq = row->enqueued_seq;
    d->delivery_count = row->delivery_count + 1;
    d->ttl_ms = row->expires_ms ? row->expires_ms - row->enqueued_ms : TIME_FOREVER_MS;
}

static enum sb_err do_receive(struct broker_op *op, struct work *w, struct entity *t)
{
    enum sb_err rc;
    struct st_message row;
    bool found = false;
    op->got = false;
    op->delivery = (struct broker_delivery){0};
    SB_TRY(check_receive(op, t));
    if (op->rc != SB_OK)
        goto out;
    SB_TRY(st_message_first(w->tx, t->id, sub_of(op), op->arena, &found, &row, w->err));
    if (!found) {
        op->seen = t->ready[sub_of(op)];
        op->after = op->timeout_ms > 0 ? AFTER_PARK : AFTER_ANSWER;
        goto out;
    }
    if (op->woken && op->gone && op->gone(op)) {
        broker_ready(t, sub_of(op)); /* wakes the next one in its place */
        goto out;
    }
    rc = broker_unseal(w, t, &row, op->arena, &op->delivery.sections, &op->delivery.dl_reason,
                       &op->delivery.dl_description);
    if (rc == SB_ETAMPER) /* the row is set aside in this transaction, so that it is in nobody's way */
        return broker_refuse(op, SB_ETAMPER, "%s", w->err->detail);
    if (rc != SB_OK)
        goto out;
    fill_delivery(op, &row);
    if (op->kind == BROKER_RECEIVE)
        SB_TRY(lock_message(op, w, t, &row));
    else
        SB_TRY(broker_remove(w, t, &row));
    op->got = true;
out:
    return rc;
}

/* ---- settle ---- */

/* A client may name the message by its MessageId; that is sealed, so it is opened to compare. */
static enum sb_err same_id(struct broker_op *op, struct work *w, struct entity *t,
                           const struct st_message *row, bool *ret)
{
    enum sb_err rc;
    struct st_message full;
    struct sb_blob sections;
    struct amqp_message m;
    const char *reason, *description;
    bool found = false;
    SB_TRY(st_message_get(w->tx, row->id, op->arena, &found, &full, w->err));
    SB_TRY(broker_unseal(w, t, &full, op->arena, &sections, &reason, &description));
    *ret = amqpmsg_decode(sections, op->arena, &m, NULL) == SB_OK && m.props.message_id &&
           strcmp(m.props.message_id, op->message_id) == 0;
out:
    return rc;
}

/* The locked message that op names, or a refusal. */
static enum sb_err find_locked(struct broker_op *op, struct work *w, struct entity *t, struct st_message *ret)
{
    enum sb_err rc = SB_OK;
    uint8_t token[ST_LOCK_LEN];
    bool found = false, same = false;
    if (!guid_parse(op->lock_token, token))
        return broker_refuse(op, SB_ELOCKLOST, TEXT_LOCK);
    SB_TRY(st_message_meta(w->tx, token_id(token), &found, ret, w->err));
    if (!found || st_message_entity(ret->id) != t->id || ret->sub != sub_of(op) ||
        ret->state != ST_MESSAGE_LOCKED || memcmp(ret->lock_token, token, ST_LOCK_LEN) != 0)
        return broker_refuse(op, SB_ELOCKLOST, TEXT_LOCK);
    same = op->seq == st_message_seq(ret->id);
    if (!same && op->message_id) {
        rc = same_id(op, w, t, ret, &same);
        if (rc == SB_ETAMPER)
            return broker_refuse(op, SB_ETAMPER, "%s", w->err->detail);
        if (rc != SB_OK)
            goto out;
    }
    if (!same)
        return broker_refuse(op, SB_ELOCKLOST, TEXT_LOCK);
out:
    return rc;
}

static enum sb_err do_settle(struct broker_op *op, struct work *w, struct entity *t)
{
    enum sb_err rc;
    struct st_message row = {0};
    SB_TRY(find_locked(op, w, t, &row));
    if (op->rc != SB_OK)
        goto out;
    if (op->kind == BROKER_COMPLETE) {
        rc = broker_remove(w, t, &row);
    } else if (op->kind == BROKER_UNLOCK) {
        rc = broker_give_back(w, t, &row, w->now);
    } else {
        op->locked_until_ms = w->now + t->cfg->lock_ms;
        broker_due_at(w->home, op->locked_until_ms);
        rc = st_message_renew(w->tx, row.id, op->locked_until_ms, w->err);
    }
out:
    return rc;
}

/* ---- an op's run and done ---- */

/* Semantics 18: what the namespace says comes before what the entity says. True: op goes on. */
static bool namespace_serves(struct broker_op *op, const struct ns *n)
{
    if (!n->polled)
        op->after = AFTER_POLL;
    else if (n->status == NS_REVOKED)
        broker_refuse(op, SB_EREVOKED, TEXT_REVOKED);
    else if (n->status == NS_UNREACHABLE || n->ring == NULL)
        broker_refuse(op, SB_EUNREACHABLE, "The customer keys of namespace '%s' cannot be reached.", n->name);
    else
        return true;
    return false;
}

static enum sb_err attempt(struct broker_op *op, struct work *w)
{
    static enum sb_err (*const by_kind[])(struct broker_op *, struct work *, struct entity *) = {
        [BROKER_SEND] = do_send,       [BROKER_RECEIVE] = do_receive, [BROKER_RECEIVE_DELETE] = do_receive,
        [BROKER_COMPLETE] = do_settle, [BROKER_UNLOCK] = do_settle,   [BROKER_RENEW] = do_settle,
    };
    enum sb_err rc = SB_OK;
    bool more = false;
    w->n = ns_find_host(op->e, op->ns);
    if (w->n == NULL || w->n->broker == NULL)
        return broker_refuse(op, SB_ENONAMESPACE, "The namespace '%s' does not exist.", op->ns);
    w->home = w->n->broker;
    if (!namespace_serves(op, w->n))
        return SB_OK;
    if (w->home->next_due <= w->now)
        SB_TRY(broker_due(w, BROKER_DUE_CHUNK, &more));
    if (more) {
        op->after = AFTER_AGAIN;
        return SB_OK;
    }
    op->target = broker_find(w->home, op->entity);
    if (op->target == NULL)
        return broker_refuse(op, SB_EGONE, "The messaging entity '%s' could not be found.", op->entity);
    w->accessed = broker_accessed(w->b, op->target, w->now);
    SB_TRY(by_kind[op->kind](op, w, op->target));
out:
    return rc;
}

/*
 * A lock is answered for when it is committed: a kill does not undo it, and after a power cut, which takes
 * the client with it, the message is ready again, as after the end of the lock. Not so if the op changed what
 * others see (that is shown before the answer), or if the message came in this very transaction: nobody is to
 * see what its sender was not told of.
 */
static bool may_be_forgotten(const struct broker_op *op, const struct work *w)
{
    if (op->rc != SB_OK || op->after != AFTER_ANSWER || w->b->undo != NULL || w->accessed)
        return false;
    return op->kind == BROKER_RENEW ||
           (op->kind == BROKER_RECEIVE && op->got && op->delivery.seq < op->target->committed.next_seq);
}

static enum sb_err op_run(struct tx *tx, struct store_op *store_op, struct sb_error *err)
{
    struct broker_op *op = (struct broker_op *)store_op;
    struct broker *b = op->e->broker;
    struct work w = {.b = b, .tx = tx, .now = engine_now(op->e), .err = err};
    op->rc = SB_OK;
    op->err.code = SB_OK;
    op->err.detail[0] = '\0';
    op->after = AFTER_ANSWER;
    op->target = NULL;
    enum sb_err rc = attempt(op, &w);
    op->op.flags = rc == SB_OK && may_be_forgotten(op, &w) ? STORE_EARLY : 0;
    if (rc == SB_OK) {
        broker_keep(b);
        return SB_OK;
    }
    broker_undo(b);
    if (w.home)
        w.home->next_due = 0; /* what fell due was undone as well */
    return rc;
}

static void op_done(struct store_op *store_op)
{
    struct broker_op *op = (struct broker_op *)store_op;
    struct broker *b = op->e->broker;
    if (store_op->rc != SB_OK) {
        op->rc = store_op->rc;
        op->err = store_op->err;
        op->after = AFTER_ANSWER;
    }
    int after = op->after;
    if (after == AFTER_PARK)
        broker_park(b, op, op->target);
    else if (after == AFTER_POLL)
        broker_park_unpolled(b, op);
    if (after == AFTER_AGAIN)
        store_submit(op->e->sb, store_op);
    else if (after == AFTER_ANSWER)
        op->done(op);
}

void broker_submit(struct engine *e, struct broker_op *op)
{
    op->e = e;
    op->op.run = op_run;
    op->op.done = op_done;
    op->op.flags = 0;
    op->deadline_mono = clock_monotonic() + op->timeout_ms;
    op->deadline_emu = engine_now(e) + op->timeout_ms;
    op->polled_by = 0;
    op->parked = op->woken = op->got = false;
    store_submit(e->sb, &op->op);
}
