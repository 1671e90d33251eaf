/*
 * broker_wait.c: parked receives: who waits for what, who is woken, whose time is over.
 *
 * An op is parked and woken in `done` only. What a commit made ready was counted in `run` (entity->ready),
 * and a receive that found nothing remembers that count: if it has grown when the receive is about to be
 * parked, it looks again instead. So no wake-up is lost, whatever the order inside a commit.
 */
#include <stddef.h>
#include <stdlib.h>
#include "server/base/clock.h"
#include "server/engine/broker_private.h"

/* ---- the two lists that a parked op stands in ---- */

static void link_op(struct broker *b, struct broker_op *op, struct waiters *w)
{
    /* One that was woken in vain keeps its turn. */
    bool first = op->woken;
    op->next = first ? w->head : NULL;
    op->prev = first ? NULL : w->tail;
    *(op->prev ? &op->prev->next : &w->head) = op;
    *(op->next ? &op->next->prev : &w->tail) = op;
    op->all_prev = NULL;
    op->all_next = b->parked;
    if (b->parked)
        b->parked->all_prev = op;
    b->parked = op;
    op->queue = w;
    op->parked = true;
}

static void unlink_op(struct broker *b, struct broker_op *op)
{
    struct waiters *w = op->queue;
    *(op->prev ? &op->prev->next : &w->head) = op->next;
    *(op->next ? &op->next->prev : &w->tail) = op->prev;
    *(op->all_prev ? &op->all_prev->all_next : &b->parked) = op->all_next;
    if (op->all_next)
        op->all_next->all_prev = op->all_prev;
    op->queue = NULL;
    op->parked = false;
}

static void look_again(struct broker_op *op)
{
    store_submit(op->e->sb, &op->op);
}

static void wake(struct broker_op *op)
{
    unlink_op(op->e->broker, op);
    op->woken = true;
    look_again(op);
}

/* ---- waking ---- */

void broker_ready(struct entity *t, int sub)
{
    struct broker *b = t->home->b;
    t->ready[sub]++;
    if (sub == ST_SUB_MAIN)
        broker_forward(t);
    if (t->wait[sub].head == NULL)
        return;
    t->wake[sub]++;
    if (!t->in_wakes) {
        t->in_wakes = true;
        t->wake_next = b->wakes;
        b->wakes = t;
    }
}

void broker_drop_wake(struct entity *t)
{
    struct entity **p = &t->home->b->wakes;
    while (*p && *p != t)
        p = &(*p)->wake_next;
    if (*p)
        *p = t->wake_next;
}

void broker_wake_some(struct broker *b)
{
    for (struct entity *t = b->wakes; t; t = t->wake_next) {
        t->in_wakes = false;
        for (int sub = ST_SUB_MAIN; sub <= ST_SUB_DEAD; sub++) {
            for (; t->wake[sub] > 0 && t->wait[sub].head; t->wake[sub]--)
                wake(t->wait[sub].head);
            t->wake[sub] = 0;
        }
    }
    b->wakes = NULL;
}

void broker_wake_all(struct waiters *w)
{
    while (w->head)
        wake(w->head);
}

void broker_wake_ns(struct broker_ns *home)
{
    broker_wake_all(&home->unpolled);
    for (size_t i = 0; i < home->slots; i++) {
        for (struct entity *t = home->by_id[i]; t; t = t->id_next) {
            broker_wake_all(&t->wait[ST_SUB_MAIN]);
            broker_wake_all(&t->wait[ST_SUB_DEAD]);
        }
    }
}

void broker_revoked(struct engine *e, struct ns *n)
{
    if (n->broker == NULL)
        return;
    broker_wake_ns(n->broker); /* each looks again, and is told the namespace's status */
    broker_due_recount(e->broker);
}

struct due_op {
    struct store_op op;
    struct engine *e;
    int64_t ns;
    bool more;
};

static enum sb_err due_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    enum sb_err rc;
    struct due_op *d = (struct due_op *)op;
    struct broker *b = d->e->broker;
    struct ns *n = ns_find_id(d->e, d->ns);
    d->more = false;
    if (n == NULL || n->broker == NULL || n->ring == NULL)
        return SB_OK;
    struct work w = {.b = b, .tx = tx, .n = n, .home = n->broker, .now = engine_now(d->e), .err = err};
    SB_TRY(broker_due(&w, BROKER_DUE_CHUNK, &d->more));
    broker_keep(b);
out:
    if (rc != SB_OK)
        broker_undo(b);
    return rc;
}

static void due_done(struct store_op *op)
{
    struct due_op *d = (struct due_op *)op;
    broker_after(d->e->broker);
    if (op->rc == SB_OK && d->more)
        store_submit(d->e->sb, op);
    else
        free(d);
}

void broker_restored(struct engine *e, struct ns *n)
{
    if (n->broker == NULL)
        return;
    n->broker->next_due = 0; /* unknown: it was not kept while there was no key */
    for (size_t i = 0; i < n->broker->slots; i++) {
        for (struct entity *t = n->broker->by_id[i]; t; t = t->id_next) {
            if (t->count.active > 0)
                broker_forward(t);
        }
    }
    broker_due_recount(e->broker);
    broker_wake_ns(n->broker);
    /* What fell due meanwhile runs now, though nobody asks; without memory, with the next request. */
    struct due_op *d = calloc(1, sizeof *d);
    if (d == NULL)
        return;
    d->op.run = due_run;
    d->op.done = due_done;
    d->e = e;
    d->ns = n->id;
    store_submit(e->sb, &d->op);
}

/* ---- parking ---- */

static void answer(struct broker_op *op)
{
    op->after = 0;
    op->done(op);
}

/* The alarm thread has to be up at mono. */
static void set_alarm(struct broker *b, int64_t mono)
{
    pthread_mutex_lock(&b->lock);
    if (mono < b->alarm_mono) {
        b->alarm_mono = mono;
        pthread_cond_signal(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
}

static void remember_deadlines(struct broker *b, int64_t mono, int64_t emu)
{
    set_alarm(b, mono);
    if (emu < b->min_emu) {
        b->min_emu = emu;
        if (emu < atomic_load_explicit(&b->next_due, memory_order_relaxed))
            atomic_store(&b->next_due, emu); /* no poke: on a real clock the alarm is as early */
    }
}

void broker_park(struct broker *b, struct broker_op *op, struct entity *t)
{
    int sub = op->dlq ? ST_SUB_DEAD : ST_SUB_MAIN;
    if (b->stopping || clock_monotonic() >= op->deadline_mono || engine_now(b->e) >= op->deadline_emu) {
        answer(op);
    } else if (t->ready[sub] != op->seen) {
        look_again(op);
    } else {
        link_op(b, op, &t->wait[sub]);
        remember_deadlines(b, op->deadline_mono, op->deadline_emu);
    }
}

static void not_polled(struct broker_op *op)
{
    broker_refuse(op, SB_EUNAVAILABLE,
                  "The customer keys of namespace '%s' have not been looked at yet; try again.", op->ns);
    answer(op);
}

void broker_park_unpolled(struct broker *b, struct broker_op *op)
{
    struct ns *n = ns_find(b->e, op->ns);
    int64_t now = clock_monotonic();
    if (op->polled_by == 0)
        op->polled_by = now + BROKER_POLL_WAIT_MS;
    if (b->stopping || now >= op->polled_by) {
        not_polled(op);
    } else if (n == NULL || n->broker == NULL || n->polled) {
        look_again(op);
    } else {
        link_op(b, op, &n->broker->unpolled);
        remember_deadlines(b, op->polled_by, BROKER_NEVER);
    }
}

static bool waits_for_poll(const struct broker_op *op)
{
    return op->polled_by != 0 && op->target == NULL;
}

/* ---- the end of waiting ---- */

void broker_end_waits(struct broker *b, int64_t mono, int64_t emu)
{
    int64_t next_mono = BROKER_NEVER, next_emu = BROKER_NEVER;
    for (struct broker_op *op = b->parked, *next; op; op = next) {
        next = op->all_next;
        bool poll = waits_for_poll(op);
        int64_t by_mono = poll ? op->polled_by : op->deadline_mono,
                by_emu = poll ? BROKER_NEVER : op->deadline_emu;
        if (!b->stopping && by_mono > mono && by_emu > emu) {
            next_mono = SB_MIN(next_mono, by_mono);
            next_emu = SB_MIN(next_emu, by_emu);
            continue;
        }
        unlink_op(b, op);
        if (poll)
            look_again(op); /* it was polled meanwhile, or is refused */
        else
            answer(op);
    }
    b->min_emu = next_emu;
    set_alarm(b, next_mono);
}

/* ---- the alarm thread ---- */

static enum sb_err alarm_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    SB_UNUSED(tx);
    SB_UNUSED(op);
    SB_UNUSED(err);
    return SB_OK;
}

static void alarm_done(struct store_op *op)
{
    struct broker *b = (struct broker *)((char *)op - offsetof(struct broker, alarm));
    pthread_mutex_lock(&b->lock);
    b->rung = false;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    broker_end_waits(b, clock_monotonic(), engine_now(b->e));
}

static void wait_until(struct broker *b, int64_t mono)
{
    if (mono == BROKER_NEVER) {
        pthread_cond_wait(&b->changed, &b->lock);
        return;
    }
    struct timespec ts = {.tv_sec = (time_t)(mono / 1000), .tv_nsec = (long)(mono % 1000) * 1000000};
    pthread_cond_timedwait(&b->changed, &b->lock, &ts);
}

static void *alarm_main(void *arg)
{
    struct broker *b = arg;
    pthread_mutex_lock(&b->lock);
    while (!b->quit) {
        if (b->rung || clock_monotonic() < b->alarm_mono) {
            wait_until(b, b->rung ? BROKER_NEVER : b->alarm_mono);
            continue;
        }
        b->rung = true;
        b->alarm_mono = BROKER_NEVER;
        pthread_mutex_unlock(&b->lock);
        store_submit(b->e->sb, &b->alarm);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

enum sb_err broker_alarm_start(struct broker *b, struct sb_error *err)
{
    pthread_condattr_t attr;
    b->alarm.run = alarm_run;
    b->alarm.done = alarm_done;
    b->alarm_mono = BROKER_NEVER;
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&b->thread, NULL, alarm_main, b) != 0)
        return sb_fail(err, SB_EINTERNAL, "the thread that ends receives cannot be started");
    b->started = true;
    return SB_OK;
}

void broker_alarm_stop(struct broker *b)
{
    pthread_mutex_lock(&b->lock);
    b->quit = true;
    pthread_cond_broadcast(&b->changed);
    bool join = b->started;
    b->started = false;
    pthread_mutex_unlock(&b->lock);
    if (join)
        pthread_join(b->thread, NULL);
}

/* ---- stop ---- */

struct stop_op {
    struct store_op op;
    struct broker *b;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool over;
};

static void stop_waits(void *arg)
{
    struct broker *b = arg;
    b->stopping = true;
    broker_end_waits(b, BROKER_NEVER, BROKER_NEVER);
}

static void stop_done(struct store_op *op)
{
    struct stop_op *s = (struct stop_op *)op;
    stop_waits(s->b);
    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

static enum sb_err nothing(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(tx);
    SB_UNUSED(arg);
    SB_UNUSED(err);
    return SB_OK;
}

void broker_stop(struct engine *e)
{
    struct broker *b = e->broker;
    if (b == NULL)
        return;
    broker_alarm_stop(b);
    if (store_call_publish(e->sb, nothing, stop_waits, b, NULL) == SB_OK)
        return;
    /* A broken store publishes nothing, but it still answers. */
    struct stop_op s = {.op = {.run = alarm_run, .done = stop_done}, .b = b};
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.cond, NULL);
    store_submit(e->sb, &s.op);
    pthread_mutex_lock(&s.lock);
    while (!s.over)
        pthread_cond_wait(&s.cond, &s.lock);
    pthread_mutex_unlock(&s.lock);
    pthread_cond_destroy(&s.cond);
    pthread_mutex_destroy(&s.lock);
}
