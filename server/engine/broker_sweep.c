/*
 * broker_sweep.c: the messages, and seen message ids, that deleted queues leave behind.
 *
 * A queue is gone with its row, whatever it held: nothing finds its messages any more. They are deleted
 * afterwards, a few with each commit, so that a large backlog holds nobody up. An op that goes on until
 * nothing is left does it; after a start (or a kill) it looks for what an earlier one did not get to.
 */
#include <stddef.h>
#include "server/base/log.h"
#include "server/engine/broker_private.h"

/* Rows, or entities looked at, per commit: a few milliseconds. */
#define SWEEP_MAX 200

static struct broker *broker_of(struct store_op *op)
{
    return (struct broker *)(void *)((char *)op - offsetof(struct broker, sweep));
}

static enum sb_err run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct broker *b = broker_of(op);
    b->sweep_next = b->sweep_at;
    return st_sweep_gone(tx, &b->sweep_next, SWEEP_MAX, &b->sweep_more, err);
}

static void done(struct store_op *op)
{
    struct broker *b = broker_of(op);
    if (op->rc != SB_OK) { /* the next deletion or start tries again */
        if (!b->stopping)
            log_event(LOG_WARN, "broker.sweep_failed", "error", op->err.detail, NULL);
        b->sweeping = false;
        return;
    }
    b->sweep_at = b->sweep_next;
    if (!b->sweep_more && b->sweep_again) {
        b->sweep_at = (struct st_sweep){0};
        b->sweep_again = false;
    } else if (!b->sweep_more) {
        b->sweeping = false;
        return;
    }
    store_submit(b->e->sb, op);
}

void broker_sweep(struct broker *b)
{
    if (b->stopping)
        return;
    if (b->sweeping) {
        b->sweep_again = true;
        return;
    }
    b->sweeping = true;
    b->sweep_at = (struct st_sweep){0};
    b->sweep.run = run;
    b->sweep.done = done;
    store_submit(b->e->sb, &b->sweep);
}

void broker_start(struct engine *e)
{
    broker_sweep(e->broker);
    broker_forward_some(e->broker);
}
