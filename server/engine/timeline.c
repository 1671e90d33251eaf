/*
 * timeline.c: the clock's persistence, the timer thread and the stepwise advance.
 *
 * Locks: `run` is held while due work runs (one runner at a time: the timer or an advance); `lock` guards the
 * small state below and is never held while calling another module.
 */
#include "server/engine/timeline.h"
#include <stdarg.h>
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker.h"
#include "server/engine/poller.h"
#include "server/engine/vault.h"

#define META_CLOCK "clock" /* "manual <ms>" or "real <offset ms>" */

/* The timer looks up at least this often: its wait does not count the time that the machine is suspended. */
#define LOOK_AGAIN_MS 60000
/* What cannot be run is tried again after this long, on either clock. */
#define RETRY_MS 1000
/* Rounds at one instant that change nothing before the rest of that instant is left for later. */
#define IDLE_ROUNDS 3

struct timeline {
    pthread_mutex_t run;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* measures CLOCK_MONOTONIC */
    pthread_t thread;
    bool started, stopping, poked, advancing;
    int64_t stored;             /* the clock in the database; of the store's owner thread */
    uint64_t notes;             /* told so far, in an advance or not: a sign of progress */
    struct timeline_result *to; /* of the running advance, or NULL */
    struct sb_arena *arena;
    size_t max;
};

/* ---- the stored clock ---- */

struct saved {
    bool found, manual;
    int64_t value;
};

static enum sb_err load_clock(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct saved *s = arg;
    struct sb_blob v = {0};
    struct sb_arena *a = arena_new(4096);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "out of memory reading the clock");
    SB_TRY(store_meta_get(tx, META_CLOCK, a, &v, err));
    if (!v.p)
        goto out;
    const char *text = arena_strndup(a, (const char *)v.p, v.n);
    if (!text) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory reading the clock");
        goto out;
    }
    s->manual = text_starts(text, "manual ");
    s->found = (s->manual && text_to_i64(text + 7, INT64_MIN, INT64_MAX, &s->value)) ||
               (text_starts(text, "real ") && text_to_i64(text + 5, INT64_MIN, INT64_MAX, &s->value));
    if (!s->found)
        rc = sb_fail(
            err, SB_EDATADIR,
            "the stored clock is damaged: restore the data directory from a copy, or choose an empty one");
out:
    arena_free(a);
    return rc;
}

/* The clock as it is to be stored. */
static struct saved snapshot(struct engine *e)
{
    bool manual = clock_is_manual(e->clock);
    return (struct saved){true, manual, manual ? engine_now(e) : clock_offset(e->clock)};
}

static enum sb_err save_clock(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct saved *s = arg;
    char text[40];
    int n = snprintf(text, sizeof text, "%s %lld", s->manual ? "manual" : "real", (long long)s->value);
    return store_meta_put(tx, META_CLOCK, text, (size_t)n, err);
}

/* Stores the clock where it has moved. On the owner thread of the store. */
static enum sb_err save_moved(struct engine *e, struct tx *tx, struct sb_error *err)
{
    struct timeline *t = e->timeline;
    struct saved s = snapshot(e);
    if (s.value == t->stored)
        return SB_OK;
    enum sb_err rc = save_clock(tx, &s, err);
    if (rc == SB_OK)
        t->stored = s.value;
    return rc;
}

static enum sb_err save_now(struct tx *tx, void *arg, struct sb_error *err)
{
    return save_moved(arg, tx, err);
}

enum sb_err timeline_before_commit(struct engine *e, struct tx *tx, struct sb_error *err)
{
    return e->clock ? save_moved(e, tx, err) : SB_OK;
}

void timeline_batch_lost(struct engine *e)
{
    if (e->clock)
        e->timeline->stored = INT64_MIN; /* unknown: stored anew with the next */
}

/* What to start with, from what was stored; another mode than before takes over the time that it finds. */
static int64_t start_value(const struct engine_config *cfg, const struct saved *s)
{
    int64_t machine = clock_machine_now();
    if (!s->found)
        return cfg->clock_manual ? (cfg->start_ms ? cfg->start_ms : machine) : 0;
    if (s->manual == cfg->clock_manual)
        return s->value;
    return cfg->clock_manual ? machine + s->value : SB_MAX(s->value - machine, 0);
}

struct clock_op {
    struct store_op op;
    struct engine *e;
};

static enum sb_err clock_op_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    return save_moved(((struct clock_op *)op)->e, tx, err);
}

static void clock_op_done(struct store_op *op)
{
    free(op); /* a failure here is a broken store, which ends the process anyway */
}

/* Moves the clock to t. What is stored in servicebus.db takes the clock along (timeline_before_commit); for
 * what a step stores elsewhere the clock is queued here, before it, and not waited for. lazy: nothing but
 * polls is due, which find everything as it was most of the time: not worth a commit each. */
static enum sb_err move_clock(struct engine *e, int64_t t, bool lazy, struct sb_error *err)
{
    if (t <= engine_now(e))
        return SB_OK;
    struct clock_op *op = calloc(1, sizeof *op);
    if (!op)
        return sb_fail(err, SB_ENOMEM, "out of memory moving the clock");
    op->op.run = clock_op_run;
    op->op.done = clock_op_done;
    op->op.flags = lazy ? STORE_LAZY : 0;
    op->e = e;
    clock_advance_to(e->clock, t);
    store_submit(e->sb, &op->op);
    return SB_OK;
}

/* ---- what is due ---- */

static int64_t next_due(struct engine *e)
{
    int64_t vault = vault_next_due(e);
    int64_t poll = poller_next_due(e);
    int64_t broker = broker_next_due(e);
    int64_t ns = ns_next_due(e);
    return SB_MIN(SB_MIN(vault, ns), SB_MIN(poll, broker));
}

static bool only_polls_due(struct engine *e, int64_t at)
{
    return vault_next_due(e) > at && broker_next_due(e) > at && ns_next_due(e) > at;
}

static enum sb_err run_round(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    if (vault_next_due(e) <= now)
        SB_TRY(vault_run_due(e, now, err));
    if (poller_next_due(e) <= now)
        SB_TRY(poller_run_due(e, now, err));
    if (broker_next_due(e) <= now)
        SB_TRY(broker_run_due(e, now, err));
    if (ns_next_due(e) <= now)
        SB_TRY(ns_run_due(e, now, err));
out:
    return rc;
}

static uint64_t notes(struct timeline *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t n = t->notes;
    pthread_mutex_unlock(&t->lock);
    return n;
}

static bool stopping(struct timeline *t)
{
    pthread_mutex_lock(&t->lock);
    bool s = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return s;
}

/* Runs all that is due at now. *ret_stuck: something stays due though nothing happens any more. Holds `run`.
 */
static enum sb_err run_due(struct engine *e, int64_t now, bool *ret_stuck, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct timeline *t = e->timeline;
    int idle = 0;
    int64_t due = next_due(e);
    while (due <= now && idle < IDLE_ROUNDS && !stopping(t)) {
        uint64_t before = notes(t);
        SB_TRY(run_round(e, now, err));
        int64_t again = next_due(e);
        idle = again == due && notes(t) == before ? idle + 1 : 0;
        due = again;
    }
    *ret_stuck = due <= now;
out:
    return rc;
}

/* ---- the timer thread ---- */

/* Runs what is due on a real clock; returns how long to wait. */
static int64_t timer_turn(struct engine *e, bool *failing)
{
    struct sb_error err = {0};
    bool stuck = false;
    pthread_mutex_lock(&e->timeline->run);
    enum sb_err rc = run_due(e, engine_now(e), &stuck, &err);
    pthread_mutex_unlock(&e->timeline->run);
    if ((rc != SB_OK || stuck) && !*failing)
        log_event(LOG_ERROR, "timeline.stuck", "code", sb_err_name(rc), "detail", err.detail, NULL);
    *failing = rc != SB_OK || stuck;
    if (*failing)
        return RETRY_MS;
    int64_t due = next_due(e);
    int64_t now = engine_now(e);
    return due == TIMELINE_NEVER ? LOOK_AGAIN_MS : SB_MIN(SB_MAX(due - now, 0), LOOK_AGAIN_MS);
}

static void wait_ms(struct timeline *t, int64_t ms)
{
    int64_t until = clock_monotonic() + ms;
    struct timespec ts = {.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
    pthread_cond_timedwait(&t->wake, &t->lock, &ts);
}

static void *timer_main(void *arg)
{
    struct engine *e = arg;
    struct timeline *t = e->timeline;
    bool failing = false;
    pthread_mutex_lock(&t->lock);
    while (!t->stopping) {
        t->poked = false;
        pthread_mutex_unlock(&t->lock);
        int64_t wait = timer_turn(e, &failing);
        pthread_mutex_lock(&t->lock);
        if (wait > 0 && !t->poked && !t->stopping)
            wait_ms(t, wait);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

void timeline_poke(struct engine *e)
{
    struct timeline *t = e->timeline;
    pthread_mutex_lock(&t->lock);
    if (!t->poked) {
        t->poked = true;
        pthread_cond_signal(&t->wake);
    }
    pthread_mutex_unlock(&t->lock);
}

/* ---- advance ---- */

/* Counts one more of this kind; returns the kept copy of its name, or NULL beyond the table's room. */
static const char *count_kind(struct timeline_result *r, struct sb_arena *a, const char *kind)
{
    for (size_t i = 0; i < r->counts_n; i++) {
        if (strcmp(r->counts[i].kind, kind) == 0) {
            r->counts[i].n++;
            return r->counts[i].kind;
        }
    }
    char *kept = r->counts_n < TIMELINE_KINDS ? arena_strdup(a, kind) : NULL;
    if (kept) {
        r->counts[r->counts_n].kind = kept;
        r->counts[r->counts_n++].n = 1;
    }
    return kept;
}

void timeline_note(struct engine *e, int64_t time, const char *kind, const char *fmt, ...)
{
    struct timeline *t = e->timeline;
    pthread_mutex_lock(&t->lock);
    t->notes++;
    struct timeline_result *r = t->to;
    if (r) {
        r->total++;
        const char *kept = count_kind(r, t->arena, kind);
        va_list ap;
        va_start(ap, fmt);
        char *target = kept && r->n < t->max ? arena_vprintf(t->arena, fmt, ap) : NULL;
        va_end(ap);
        if (target)
            r->events[r->n++] = (struct timeline_event){time, kept, target};
    }
    pthread_mutex_unlock(&t->lock);
}

/* One step of an advance: to `at`, and all that is due there. */
static enum sb_err step(struct engine *e, int64_t at, bool *ret_stuck, struct sb_error *err)
{
    enum sb_err rc;
    pthread_mutex_lock(&e->timeline->run);
    SB_TRY(move_clock(e, at, only_polls_due(e, at), err));
    SB_TRY(run_due(e, engine_now(e), ret_stuck, err));
out:
    pthread_mutex_unlock(&e->timeline->run);
    return rc;
}

static enum sb_err steps(struct engine *e, int64_t target, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int64_t not_before = INT64_MIN;
    for (;;) {
        int64_t at = SB_MAX(SB_MAX(next_due(e), engine_now(e)), not_before);
        if (next_due(e) > target || at > target)
            break;
        bool stuck = false;
        SB_TRY(step(e, at, &stuck, err));
        /* What does not get done at its time is tried again later, so that an advance always ends. */
        not_before = stuck ? at + RETRY_MS : INT64_MIN;
        if (stopping(e->timeline))
            return sb_fail(err, SB_EUNAVAILABLE,
                           "The emulator is stopping; the clock stands at the last step that ran.");
    }
    clock_advance_to(e->clock, target);
    SB_TRY(store_call(e->sb, save_now, e, err));
out:
    return rc;
}

static enum sb_err advance_begin(struct timeline *t, struct timeline_result *r, struct sb_arena *a,
                                 size_t max, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    pthread_mutex_lock(&t->lock);
    if (t->stopping) {
        rc = sb_fail(err, SB_EUNAVAILABLE, "The emulator is stopping.");
    } else if (t->advancing) {
        rc = sb_fail(err, SB_ECONFLICT, "Another advance of the clock is running.");
    } else {
        t->advancing = true;
        t->to = r;
        t->arena = a;
        t->max = max;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

static void advance_end(struct timeline *t)
{
    pthread_mutex_lock(&t->lock);
    t->advancing = false;
    t->to = NULL;
    pthread_mutex_unlock(&t->lock);
}

enum sb_err timeline_advance(struct engine *e, int64_t ms, struct sb_arena *a, size_t max,
                             struct timeline_result *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct timeline_result r = {0};
    if (ms < 0 || ms > TIMELINE_ADVANCE_MAX_MS)
        return sb_fail(err, SB_EINVAL, "The clock can be advanced by 0 to P2Y (730 days) at a time.");
    if (ms > TIME_LAST_MS - engine_now(e))
        return sb_fail(err, SB_EINVAL, "The clock cannot be advanced beyond the year 9999.");
    r.events = ARENA_ARRAY(a, struct timeline_event, max + 1);
    if (!r.events)
        return sb_fail(err, SB_ENOMEM, "out of memory advancing the clock");
    rc = advance_begin(e->timeline, &r, a, max, err);
    if (rc != SB_OK)
        return rc;
    rc = steps(e, engine_now(e) + ms, err);
    advance_end(e->timeline);
    timeline_poke(e); /* the timer's wait was measured against the time before */
    if (rc == SB_OK)
        *ret = r;
    return rc;
}

/* ---- life cycle ---- */

static enum sb_err timeline_new(struct timeline **ret, struct sb_error *err)
{
    struct timeline *t = calloc(1, sizeof *t);
    pthread_condattr_t attr;
    if (!t)
        return sb_fail(err, SB_ENOMEM, "out of memory making the timeline");
    pthread_mutex_init(&t->run, NULL);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    *ret = t;
    return SB_OK;
}

enum sb_err timeline_open(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct saved before = {0};
    SB_TRY(timeline_new(&e->timeline, err));
    SB_TRY(store_read(e->sb, load_clock, &before, err));
    struct saved now = {true, e->cfg.clock_manual, start_value(&e->cfg, &before)};
    if (!before.found || before.manual != now.manual)
        SB_TRY(store_call(e->sb, save_clock, &now, err));
    e->timeline->stored = now.value;
    e->clock = clock_new(now.manual, now.value);
    if (!e->clock)
        rc = sb_fail(err, SB_ENOMEM, "out of memory making the clock");
out:
    return rc;
}

enum sb_err timeline_start(struct engine *e, struct sb_error *err)
{
    struct timeline *t = e->timeline;
    if (clock_is_manual(e->clock))
        return SB_OK;
    if (pthread_create(&t->thread, NULL, timer_main, e) != 0)
        return sb_fail(err, SB_EINTERNAL, "the timer thread cannot be started");
    t->started = true;
    return SB_OK;
}

void timeline_stop(struct engine *e)
{
    struct timeline *t = e->timeline;
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    bool join = t->started;
    t->stopping = true;
    t->started = false;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (join)
        pthread_join(t->thread, NULL);
}

void timeline_close(struct engine *e)
{
    struct timeline *t = e->timeline;
    clock_free(e->clock);
    e->clock = NULL;
    if (!t)
        return;
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->run);
    free(t);
    e->timeline = NULL;
}
