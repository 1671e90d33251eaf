/*
 * broker_due.c: what falls due: ends of locks, activations, expiries, and queues that nobody uses.
 *
 * Every request on a namespace runs what is due there first, so it sees a state in which all of it has
 * happened; the timeline runs the rest in the order of its times. A namespace without its key is left alone
 * (semantics 11).
 */
#include <stdlib.h>
#include "server/base/text.h"
#include "server/engine/broker_private.h"

static enum sb_err lock_ended(struct work *w, struct entity *t, const struct st_message *row)
{
    timeline_note(w->b->e, row->due_ms, "lockExpired", "%s/%s%s message %lld", w->n->name, t->cfg->name,
                  row->sub == ST_SUB_DEAD ? "/$DeadLetterQueue" : "", (long long)st_message_seq(row->id));
    return broker_give_back(w, t, row, row->due_ms);
}

static enum sb_err ready_expired(struct work *w, struct entity *t, const struct st_message *row)
{
    return broker_expire(w, t, row, row->delivery_count, row->due_ms);
}

static enum sb_err one(struct work *w, const struct st_message *row)
{
    static enum sb_err (*const by_state[])(struct work *, struct entity *, const struct st_message *) = {
        [ST_MESSAGE_READY] = ready_expired,
        [ST_MESSAGE_LOCKED] = lock_ended,
        [ST_MESSAGE_SCHEDULED] = broker_activate,
    };
    struct entity *t = broker_find_id(w->home, st_message_entity(row->id));
    if (t == NULL) /* its queue is gone: what broker_sweep would do */
        return st_message_delete(w->tx, row->id, w->err);
    if ((size_t)row->state >= SB_ARRAY_LEN(by_state))
        return sb_fail(w->err, SB_EINTERNAL, "a message in no state fell due");
    return by_state[row->state](w, t, row);
}

/* ---- queues that nobody uses (autoDeleteOnIdle) ---- */

static bool waited_on(const struct entity *t)
{
    return t->wait[ST_SUB_MAIN].head || t->wait[ST_SUB_DEAD].head;
}

/* The entity that falls idle first, and when (BROKER_NEVER: none does). A parked receive is use. */
static struct entity *first_idle(const struct broker_ns *home, int64_t now, int64_t *ret)
{
    struct entity *first = NULL;
    *ret = BROKER_NEVER;
    if (home->n->role == PAIR_SECONDARY) /* its primary's are used */
        return NULL;
    for (size_t i = 0; home->idlers > 0 && i < home->slots; i++) {
        for (struct entity *t = home->by_id[i]; t; t = t->id_next) {
            int64_t due = broker_idle_due(t);
            if (due != BROKER_NEVER && waited_on(t))
                due = SB_MAX(due, now + t->cfg->idle_ms);
            if (due < *ret || (first && due == *ret && t->id < first->id)) {
                *ret = due;
                first = t;
            }
        }
    }
    return first;
}

/* ---- messages ---- */

/* Nothing more is due now: when is it again? */
static enum sb_err find_next(struct work *w)
{
    enum sb_err rc;
    bool found = false;
    int64_t message = BROKER_NEVER, idle;
    SB_TRY(st_message_next_due(w->tx, w->n->id, &found, &message, w->err));
    first_idle(w->home, w->now, &idle);
    w->home->next_due = BROKER_NEVER;
    broker_due_at(w->home, SB_MIN(message, idle));
out:
    return rc;
}

enum sb_err broker_due(struct work *w, size_t max, bool *ret_more)
{
    enum sb_err rc = SB_OK;
    *ret_more = false;
    for (size_t n = 0; w->home->next_due <= w->now; n++) {
        struct st_message row;
        bool found = false;
        SB_TRY(st_message_due(w->tx, w->n->id, w->now, &found, &row, w->err));
        if (!found)
            return find_next(w);
        if (n == max) {
            *ret_more = true;
            break;
        }
        SB_TRY(one(w, &row));
    }
out:
    return rc;
}

/* ---- the timeline's call ---- */

struct due_run {
    struct engine *e;
    int64_t now;
    struct tx *tx;
    struct sb_error *err;
    enum sb_err rc;
    bool more;
    int64_t idle_at; /* of the queue below */
    struct entity
        *idle; /* falls idle before anything else does: deleted alone, after what is due before it */
};

static void due_ns(struct ns *n, void *arg)
{
    struct due_run *d = arg;
    struct broker_ns *home = n->broker;
    int64_t idle_at;
    if (d->rc != SB_OK || d->more || home == NULL || n->ring == NULL || !n->polled || home->next_due > d->now)
        return;
    struct work w = {.b = d->e->broker, .tx = d->tx, .n = n, .home = home, .now = d->now, .err = d->err};
    struct entity *idle = first_idle(home, d->now, &idle_at);
    if (idle && idle_at <= d->now)
        w.now = idle_at;
    d->rc = broker_due(&w, BROKER_DUE_CHUNK, &d->more);
    if (idle == NULL || d->rc != SB_OK || d->more || idle_at > d->now)
        return;
    home->next_due = 0; /* it was looked at up to idle_at only */
    if (d->idle == NULL || idle_at < d->idle_at) {
        d->idle = idle;
        d->idle_at = idle_at;
    }
}

static enum sb_err delete_idle(struct due_run *d)
{
    static const char *const events[] = {[ST_ENTITY_QUEUE] = "queueDeleted",
                                         [ST_ENTITY_TOPIC] = "topicDeleted",
                                         [ST_ENTITY_SUBSCRIPTION] = "subscriptionDeleted"};
    enum sb_err rc;
    struct entity *t = d->idle;
    const struct ns *n = t->home->n;
    SB_TRY(broker_topic_drop(d->tx, t, d->err));
    timeline_note(d->e, d->idle_at, events[t->cfg->kind], "%s/%s: idle", n->name, t->cfg->name);
out:
    return rc;
}

static void look_anew(struct ns *n, void *arg)
{
    SB_UNUSED(arg);
    if (n->broker)
        n->broker->next_due = 0;
}

static enum sb_err run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct due_run *d = arg;
    d->tx = tx;
    d->err = err;
    d->rc = SB_OK;
    d->more = false;
    d->idle = NULL;
    ns_each(d->e, due_ns, d);
    if (d->rc == SB_OK && d->idle)
        d->rc = delete_idle(d);
    if (d->rc == SB_OK) {
        broker_keep(d->e->broker);
    } else {
        broker_undo(d->e->broker);
        ns_each(d->e, look_anew, NULL);
    }
    return d->rc;
}

static void publish(void *arg)
{
    struct due_run *d = arg;
    struct broker *b = d->e->broker;
    if (d->idle) {
        broker_topic_forget(d->e, d->idle);
        d->more = true;
    }
    broker_after(b);
    broker_end_waits(b, clock_monotonic(), d->now);
    broker_due_recount(b);
}

enum sb_err broker_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct due_run d = {.e = e, .now = now, .more = true};
    if (e->broker == NULL)
        return SB_OK;
    while (d.more)
        SB_TRY(store_call_publish(e->sb, run, publish, &d, err));
out:
    return rc;
}
