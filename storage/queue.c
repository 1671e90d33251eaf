/*
 * queue.c: the ops that wait for the owner of a database, and what the owner waits for.
 *
 * What is queued is taken in batches, and what comes while a batch runs joins it. A commit costs the same for
 * one op as for many, so the owner also waits a little for those who were there lately, as long as they come.
 * Lazy ops stand aside until there is a batch to join, or their time is over.
 */
#include <time.h>
#include "server/base/clock.h"
#include "storage/store_private.h"

/* What a commit is put off by when others are expected: not more than half of what it takes. */
#define LINGER_MAX_NS INT64_C(2000000)
/* The owner is woken for this part of them. */
#define WAKE_SHARE 8
/* Batches that are not put off after many had been in vain. */
#define LINGER_PAUSE_MAX 63u

void queue_join(struct store *s, const struct store_op *first, struct store_op *last, size_t n)
{
    bool refused = first->rc != SB_OK;
    while (n++ < STORE_BATCH_MAX && s->head != NULL && !OP_SINGLE(first) && !OP_SINGLE(s->head) &&
           (s->head->rc != SB_OK) == refused) {
        last->next = s->head;
        last = s->head;
        s->head = last->next;
        s->queued--;
    }
    last->next = NULL;
    if (s->head == NULL)
        s->tail = &s->head;
}

bool queue_may_retire(const struct store *s)
{
    return s->on_its_way && s->sync == SYNC_OVER;
}

void queue_await_sync(struct store *s)
{
    s->waiting = true;
    s->wanted = 1 + s->company / WAKE_SHARE;
    while (s->queued < s->wanted && (s->head == NULL || !OP_SINGLE(s->head)) && s->sync == SYNC_ASKED)
        pthread_cond_wait(&s->wake, &s->lock);
    s->waiting = false;
}

/* 0, or ETIMEDOUT. Under the lock. */
static int wait_until(struct store *s, int64_t mono_ns)
{
    const struct timespec ts = {.tv_sec = (time_t)(mono_ns / 1000000000),
                                .tv_nsec = (long)(mono_ns % 1000000000)};
    return pthread_cond_timedwait(&s->wake, &s->lock, &ts);
}

/* Waits until so many ops are queued, or one that cannot join, or for as long as it pays. Under the lock. */
static void await_queued(struct store *s, size_t wanted)
{
    int64_t until = clock_monotonic_ns() + SB_MIN(s->commit_ns / 2, LINGER_MAX_NS);
    int rc = 0;
    s->waiting = true;
    s->wanted = wanted;
    while (rc == 0 && s->queued < wanted && !s->closing && (s->head == NULL || !OP_SINGLE(s->head)))
        rc = wait_until(s, until);
    s->waiting = false;
}

void queue_linger(struct store *s, size_t n)
{
    if (s->hurried > 0) {
        s->hurried--;
        return;
    }
    await_queued(s, s->company - n);
    bool came = n + s->queued >= s->company - s->company / 4;
    s->hurry = came ? 0 : SB_MIN(2 * s->hurry + 1, LINGER_PAUSE_MAX);
    s->hurried = s->hurry;
}

void queue_count_company(struct store *s, size_t n, size_t beside)
{
    pthread_mutex_lock(&s->lock);
    size_t now = SB_MIN(n + beside + s->queued, STORE_BATCH_MAX);
    pthread_mutex_unlock(&s->lock);
    s->company = SB_MAX(now, s->company - (s->company + 7) / 8);
}

/* ---- lazy ops ---- */

static bool lazy_due(const struct store *s)
{
    return s->lazy != NULL && (s->closing || clock_monotonic_ns() >= s->lazy_due);
}

/* Lazy ops join what is queued when that will write, or when their time is over. Under the lock. */
static void call_lazy(struct store *s)
{
    bool company = s->head != NULL && !OP_SINGLE(s->head) && (s->head->flags & OP_READ) == 0;
    if (s->lazy == NULL || (!company && !lazy_due(s)))
        return;
    *s->tail = s->lazy;
    s->tail = s->lazy_tail;
    s->queued += s->lazy_n;
    s->lazy = NULL;
    s->lazy_tail = &s->lazy;
    s->lazy_n = 0;
}

/* Waits for something to do. Under the lock. */
static void await_op(struct store *s)
{
    s->waiting = true;
    s->wanted = 1;
    while (s->head == NULL && !s->closing && !lazy_due(s)) {
        if (s->lazy == NULL)
            pthread_cond_wait(&s->wake, &s->lock);
        else
            (void)wait_until(s, s->lazy_due);
    }
    s->waiting = false;
}

/* ---- taking and giving ---- */

struct store_op *queue_take(struct store *s, bool *ret_refused)
{
    pthread_mutex_lock(&s->lock);
    if (s->on_its_way)
        queue_await_sync(s);
    else
        await_op(s);
    call_lazy(s);
    struct store_op *first = queue_may_retire(s) ? NULL : s->head;
    if (first != NULL) {
        s->head = first->next;
        s->queued--;
        queue_join(s, first, first, 1);
        *ret_refused = first->rc != SB_OK;
    } else if (!s->on_its_way) {
        s->stopped = true;
    }
    pthread_mutex_unlock(&s->lock);
    return first;
}

void store_submit(struct store *s, struct store_op *op)
{
    op->rc = SB_OK;
    op->next = NULL;
    pthread_mutex_lock(&s->lock);
    if (s->closing)
        op->rc = sb_fail(&op->err, SB_EUNAVAILABLE, "the database is closing");
    bool wake = false, stopped = s->stopped;
    if ((op->flags & STORE_LAZY) != 0 && s->started && !s->closing) {
        wake = s->waiting && s->lazy == NULL; /* the owner has to set its alarm */
        if (s->lazy == NULL)
            s->lazy_due = clock_monotonic_ns() + s->lazy_ns;
        *s->lazy_tail = op;
        s->lazy_tail = &op->next;
        s->lazy_n++;
    } else if (!stopped) {
        *s->tail = op;
        s->tail = &op->next;
        s->queued++;
        wake = s->waiting && (s->queued >= s->wanted || OP_SINGLE(op));
    }
    pthread_mutex_unlock(&s->lock);
    if (wake)
        pthread_cond_signal(&s->wake); /* who wakes up finds the lock free */
    /* No owner is left that could be disturbed. */
    if (stopped)
        op->done(op);
}

void store_hurry(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->lazy_due = 0;
    bool wake = s->waiting && s->lazy != NULL;
    pthread_mutex_unlock(&s->lock);
    if (wake)
        pthread_cond_signal(&s->wake);
}
