/*
 * broker_forward.c: messages that lie in a queue that forwards.
 *
 * What arrives goes on in the transaction of its arrival (broker_put.c). A message is there nevertheless when
 * forwarding was set on a queue that held some, or when a lock from before ends: then it goes on from here,
 * in the order of its sequence number, a few with each commit. (documented: forwarding removes what is in the
 * source, and nobody can receive there; that this holds for what was there before is our reading.)
 */
#include <stddef.h>
#include "server/base/log.h"
#include "server/engine/broker_private.h"

/* Messages per commit: a few milliseconds. */
#define FORWARD_MAX 50

static struct broker *broker_of(struct store_op *op)
{
    return (struct broker *)(void *)((char *)op - offsetof(struct broker, forward));
}

static bool can_go(const struct entity *t)
{
    const struct ns *n = t->home->n;
    return t->cfg->forward_to != NULL && n->ring != NULL && n->polled;
}

static enum sb_err pass_some(struct work *w, struct entity *t, bool *ret_over)
{
    enum sb_err rc = SB_OK;
    for (int i = 0; i < FORWARD_MAX && !*ret_over; i++) {
        struct st_message row;
        bool found = false;
        SB_TRY(st_message_first(w->tx, t->id, ST_SUB_MAIN, NULL, &found, &row, w->err));
        if (found)
            SB_TRY(broker_pass_on(w, t, &row));
        *ret_over = !found;
    }
out:
    return rc;
}

static enum sb_err run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct broker *b = broker_of(op);
    struct entity *t = b->forwards;
    b->forward_from = t;
    /* A namespace without its key is left alone; broker_restored tells of it again. */
    b->forward_over = t == NULL || !can_go(t);
    if (b->forward_over)
        return SB_OK;
    struct work w = {.b = b, .tx = tx, .n = t->home->n, .home = t->home, .now = engine_now(b->e), .err = err};
    enum sb_err rc = pass_some(&w, t, &b->forward_over);
    if (rc == SB_OK)
        broker_keep(b);
    else
        broker_undo(b);
    return rc;
}

static void done(struct store_op *op)
{
    struct broker *b = broker_of(op);
    b->forwarding = false;
    if (op->rc != SB_OK && !b->stopping)
        log_event(LOG_WARN, "broker.forward_failed", "error", op->err.detail, NULL);
    if (b->forward_from && (b->forward_over || op->rc != SB_OK))
        broker_drop_forward(b->forward_from);
    b->forward_from = NULL;
    broker_after(b);
}

void broker_forward(struct entity *t)
{
    struct broker *b = t->home->b;
    if (t->cfg->forward_to == NULL || t->in_forwards)
        return;
    t->in_forwards = true;
    t->forward_next = b->forwards;
    b->forwards = t;
}

void broker_drop_forward(struct entity *t)
{
    struct entity **p = &t->home->b->forwards;
    while (*p && *p != t)
        p = &(*p)->forward_next;
    if (*p)
        *p = t->forward_next;
    t->in_forwards = false;
}

void broker_forward_some(struct broker *b)
{
    if (b->forwards == NULL || b->forwarding || b->stopping)
        return;
    b->forwarding = true;
    b->forward.run = run;
    b->forward.done = done;
    store_submit(b->e->sb, &b->forward);
}
