/*
 * test_timeline.c: stepping, order, limits, persistence and the timer thread of timeline.c, over fake
 * modules: the four sources of due work are defined here, so no vault, poller, broker or namespace is linked.
 */
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "server/base/clock.h"
#include "server/base/timefmt.h"
#include "server/engine/broker.h"
#include "server/engine/poller.h"
#include "server/engine/timeline.h"
#include "server/engine/vault.h"
#include "tests/unit/unit.h"

#define T0   INT64_C(1700000000000)
#define MIN  INT64_C(60000)
#define HOUR (60 * MIN)
#define DAY  (24 * HOUR)

/* ---- the fake world ---- */

enum source { VAULT, POLLER, BROKER, NAMESPACE, SOURCES };
static const char *const source_names[SOURCES] = {"vault", "poll", "broker", "namespace"};

struct world {
    pthread_mutex_t lock;
    pthread_cond_t ran;
    int64_t due[SOURCES];
    int64_t period[SOURCES]; /* 0: once */
    bool deaf[SOURCES];      /* runs without effect */
    bool silent;             /* tells no event */
    enum sb_err fail;        /* of the broker */
    int runs;
    enum source order[64];
    int64_t at[64];
    void (*inside)(struct engine *e);
};

static struct world w;

static int64_t due(enum source s)
{
    pthread_mutex_lock(&w.lock);
    int64_t t = w.due[s];
    pthread_mutex_unlock(&w.lock);
    return t;
}

static enum sb_err ran(struct engine *e, enum source s, int64_t now, struct sb_error *err)
{
    if (w.inside)
        w.inside(e);
    pthread_mutex_lock(&w.lock);
    if (w.runs < 64) {
        w.order[w.runs] = s;
        w.at[w.runs] = now;
    }
    w.runs++;
    if (!w.deaf[s])
        w.due[s] = w.period[s] ? w.due[s] + w.period[s] : TIMELINE_NEVER;
    enum sb_err rc = s == BROKER ? w.fail : SB_OK;
    pthread_cond_broadcast(&w.ran);
    pthread_mutex_unlock(&w.lock);
    if (!w.silent)
        timeline_note(e, now, source_names[s], "at %lld", (long long)now);
    return rc == SB_OK ? rc : sb_fail(err, rc, "as told");
}

int64_t vault_next_due(struct engine *e)
{
    (void)e;
    return due(VAULT);
}

int64_t poller_next_due(struct engine *e)
{
    (void)e;
    return due(POLLER);
}

int64_t broker_next_due(struct engine *e)
{
    (void)e;
    return due(BROKER);
}

int64_t ns_next_due(struct engine *e)
{
    (void)e;
    return due(NAMESPACE);
}

enum sb_err vault_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    return ran(e, VAULT, now, err);
}

enum sb_err poller_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    return ran(e, POLLER, now, err);
}

enum sb_err broker_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    return ran(e, BROKER, now, err);
}

enum sb_err ns_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    return ran(e, NAMESPACE, now, err);
}

/* ---- an engine with nothing but a timeline ---- */

static char dir[64];
static struct engine e;
static struct sb_arena *a;
static struct sb_error err;

static int commits;

static enum sb_err before_commit(void *cookie, struct tx *tx, struct sb_error *why)
{
    commits++;
    return timeline_before_commit(cookie, tx, why);
}

static void batch_lost(void *cookie, struct tx *tx)
{
    (void)tx;
    timeline_batch_lost(cookie);
}

static void open_engine(bool manual, int64_t start, bool on_disk)
{
    const struct store_hooks hooks = {.cookie = &e, .before_commit = before_commit, .batch_lost = batch_lost};
    char path[128];
    memset(&e, 0, sizeof e);
    e.cfg.clock_manual = manual;
    e.cfg.start_ms = start;
    snprintf(path, sizeof path, "%s/servicebus.db", dir);
    ck_assert_int_eq(store_open(on_disk ? path : NULL, STORE_SB, &e.sb, &err), SB_OK);
    ck_assert_int_eq(store_start(e.sb, &hooks, &err), SB_OK);
    ck_assert_msg(timeline_open(&e, &err) == SB_OK, "%s", err.detail);
}

static void close_engine(void)
{
    timeline_stop(&e);
    store_close(e.sb);
    timeline_close(&e);
}

static void reopen(bool manual, int64_t start)
{
    close_engine();
    open_engine(manual, start, true);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sealedbus-timeline-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    memset(&w, 0, sizeof w);
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.ran, NULL);
    for (int i = 0; i < SOURCES; i++)
        w.due[i] = TIMELINE_NEVER;
    a = arena_new(64 << 20);
}

static void teardown(void)
{
    char cmd[128];
    arena_free(a);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static struct timeline_result advance(int64_t ms, size_t max)
{
    struct timeline_result r = {0};
    ck_assert_msg(timeline_advance(&e, ms, a, max, &r, &err) == SB_OK, "%s", err.detail);
    return r;
}

/* ---- stepping ---- */

START_TEST(test_timeline__runs_each_thing_at_its_time_in_order)
{
    open_engine(true, T0, false);
    w.due[BROKER] = T0 + 2 * MIN;
    w.due[VAULT] = T0 + 7 * MIN;
    w.due[POLLER] = T0 + 5 * MIN;
    w.period[POLLER] = 5 * MIN;
    struct timeline_result r = advance(11 * MIN, 100);
    static const enum source order[] = {BROKER, POLLER, VAULT, POLLER};
    static const int64_t at[] = {2, 5, 7, 10};
    ck_assert_int_eq(w.runs, 4);
    ck_assert_uint_eq(r.n, 4);
    ck_assert_uint_eq(r.total, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(w.order[i], order[i]);
        ck_assert_int_eq(w.at[i], T0 + at[i] * MIN);
        ck_assert_str_eq(r.events[i].kind, source_names[order[i]]);
        ck_assert_int_eq(r.events[i].time, T0 + at[i] * MIN);
    }
    ck_assert_int_eq(clock_now(e.clock), T0 + 11 * MIN);
    close_engine();
}
END_TEST

START_TEST(test_timeline__at_one_instant_vault_then_polls_then_broker)
{
    open_engine(true, T0, false);
    w.due[VAULT] = w.due[POLLER] = w.due[BROKER] = T0 + MIN;
    advance(MIN, 10);
    ck_assert_int_eq(w.runs, 3);
    ck_assert_int_eq(w.order[0], VAULT);
    ck_assert_int_eq(w.order[1], POLLER);
    ck_assert_int_eq(w.order[2], BROKER);
    close_engine();
}
END_TEST

START_TEST(test_timeline__the_end_of_the_advance_is_included_and_nothing_beyond)
{
    open_engine(true, T0, false);
    w.due[BROKER] = T0 + MIN;
    w.due[POLLER] = T0 + MIN + 1;
    advance(MIN, 10);
    ck_assert_int_eq(w.runs, 1);
    ck_assert_int_eq(w.order[0], BROKER);
    close_engine();
}
END_TEST

START_TEST(test_timeline__what_is_overdue_runs_first_and_the_clock_does_not_go_back)
{
    open_engine(true, T0, false);
    w.due[BROKER] = T0 - DAY;
    struct timeline_result r = advance(0, 10);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_int_eq(w.at[0], T0);
    ck_assert_int_eq(clock_now(e.clock), T0);
    close_engine();
}
END_TEST

START_TEST(test_timeline__the_last_moment_that_can_be_written)
{
    struct timeline_result r = {0};
    open_engine(true, TIME_LAST_MS - DAY, false);
    ck_assert_int_eq(timeline_advance(&e, DAY + 1, a, 10, &r, &err), SB_EINVAL);
    ck_assert_int_eq(clock_now(e.clock), TIME_LAST_MS - DAY);
    advance(DAY, 10);
    ck_assert_int_eq(clock_now(e.clock), TIME_LAST_MS);
    close_engine();
}
END_TEST

START_TEST(test_timeline__limits_of_an_advance)
{
    struct timeline_result r = {0};
    open_engine(true, T0, false);
    ck_assert_int_eq(timeline_advance(&e, -1, a, 10, &r, &err), SB_EINVAL);
    ck_assert_int_eq(timeline_advance(&e, TIMELINE_ADVANCE_MAX_MS + 1, a, 10, &r, &err), SB_EINVAL);
    ck_assert_int_eq(timeline_advance(&e, INT64_MAX, a, 10, &r, &err), SB_EINVAL);
    ck_assert_int_eq(clock_now(e.clock), T0);
    advance(TIMELINE_ADVANCE_MAX_MS, 10);
    ck_assert_int_eq(clock_now(e.clock), T0 + 730 * DAY);
    close_engine();
}
END_TEST

START_TEST(test_timeline__events_beyond_the_limit_are_counted)
{
    open_engine(true, T0, false);
    w.due[POLLER] = T0 + MIN;
    w.period[POLLER] = MIN;
    w.due[BROKER] = T0 + 30 * MIN;
    struct timeline_result r = advance(DAY, 7);
    ck_assert_uint_eq(r.n, 7);
    ck_assert_uint_eq(r.total, 24 * 60 + 1);
    ck_assert_uint_eq(r.counts_n, 2);
    ck_assert_str_eq(r.counts[0].kind, "poll");
    ck_assert_uint_eq(r.counts[0].n, 24 * 60);
    ck_assert_str_eq(r.counts[1].kind, "broker");
    ck_assert_uint_eq(r.counts[1].n, 1);
    close_engine();
}
END_TEST

START_TEST(test_timeline__what_never_gets_done_does_not_hold_an_advance)
{
    open_engine(true, T0, false);
    w.due[BROKER] = T0 + MIN;
    w.deaf[BROKER] = true;
    w.silent = true;
    w.due[POLLER] = T0 + 90 * 1000;
    advance(2 * MIN, 10);
    ck_assert_int_eq(clock_now(e.clock), T0 + 2 * MIN);
    /* A few rounds at each retry, and the other source's turn within a retry's time. */
    ck_assert_int_le(w.runs, 61 * 5);
    ck_assert_int_eq(due(POLLER), TIMELINE_NEVER);
    close_engine();
}
END_TEST

START_TEST(test_timeline__a_failure_ends_the_advance_where_it_happened)
{
    struct timeline_result r = {0};
    open_engine(true, T0, false);
    w.due[BROKER] = T0 + MIN;
    w.fail = SB_EIO;
    ck_assert_int_eq(timeline_advance(&e, HOUR, a, 10, &r, &err), SB_EIO);
    ck_assert_str_eq(err.detail, "as told");
    ck_assert_int_eq(clock_now(e.clock), T0 + MIN);
    w.fail = SB_OK;
    advance(MIN, 10);
    ck_assert_int_eq(clock_now(e.clock), T0 + 2 * MIN);
    close_engine();
}
END_TEST

static void second_advance(struct engine *engine)
{
    struct timeline_result r = {0};
    struct sb_error why;
    ck_assert_int_eq(timeline_advance(engine, MIN, a, 10, &r, &why), SB_ECONFLICT);
}

START_TEST(test_timeline__one_advance_at_a_time)
{
    open_engine(true, T0, false);
    w.due[POLLER] = T0 + MIN;
    w.inside = second_advance;
    advance(HOUR, 10);
    ck_assert_int_eq(w.runs, 1);
    ck_assert_int_eq(clock_now(e.clock), T0 + HOUR);
    w.inside = NULL;
    advance(HOUR, 10);
    close_engine();
}
END_TEST

static void stop_inside(struct engine *engine)
{
    timeline_stop(engine);
}

START_TEST(test_timeline__a_stop_ends_an_advance_at_its_step)
{
    struct timeline_result r = {0};
    open_engine(true, T0, false);
    w.due[POLLER] = T0 + MIN;
    w.period[POLLER] = MIN;
    w.inside = stop_inside;
    ck_assert_int_eq(timeline_advance(&e, HOUR, a, 10, &r, &err), SB_EUNAVAILABLE);
    ck_assert_int_eq(clock_now(e.clock), T0 + MIN);
    ck_assert_int_eq(timeline_advance(&e, HOUR, a, 10, &r, &err), SB_EUNAVAILABLE);
    close_engine();
}
END_TEST

START_TEST(test_timeline__a_note_outside_an_advance_is_dropped)
{
    open_engine(true, T0, false);
    timeline_note(&e, T0, "poll", "%s", "x");
    struct timeline_result r = advance(MIN, 10);
    ck_assert_uint_eq(r.total, 0);
    close_engine();
}
END_TEST

static void many_kinds(struct engine *engine)
{
    for (int i = 0; i < TIMELINE_KINDS + 3; i++) {
        char kind[16];
        snprintf(kind, sizeof kind, "kind%d", i);
        timeline_note(engine, T0, kind, "%s", "x");
    }
}

START_TEST(test_timeline__kinds_beyond_the_table_are_counted_in_the_total_only)
{
    open_engine(true, T0, false);
    w.due[POLLER] = T0 + MIN;
    w.silent = true;
    w.inside = many_kinds;
    struct timeline_result r = advance(MIN, 1000);
    ck_assert_uint_eq(r.total, TIMELINE_KINDS + 3);
    ck_assert_uint_eq(r.n, TIMELINE_KINDS);
    ck_assert_uint_eq(r.counts_n, TIMELINE_KINDS);
    close_engine();
}
END_TEST

/* ---- persistence ---- */

START_TEST(test_timeline__a_manual_clock_survives_a_restart)
{
    open_engine(true, T0, true);
    ck_assert_int_eq(clock_now(e.clock), T0);
    reopen(true, T0 + 99 * DAY); /* --now counts only in a new data directory */
    ck_assert_int_eq(clock_now(e.clock), T0);
    advance(90 * DAY, 10);
    reopen(true, 0);
    ck_assert_int_eq(clock_now(e.clock), T0 + 90 * DAY);
    close_engine();
}
END_TEST

START_TEST(test_timeline__a_real_clocks_offset_survives_a_restart)
{
    open_engine(false, 0, true);
    ck_assert_int_eq(clock_offset(e.clock), 0);
    advance(DAY, 10);
    reopen(false, 0);
    ck_assert_int_ge(clock_offset(e.clock), DAY - 2000);
    ck_assert_int_le(clock_offset(e.clock), DAY + 2000);
    close_engine();
}
END_TEST

START_TEST(test_timeline__another_mode_takes_over_the_time)
{
    int64_t machine = clock_machine_now();
    open_engine(true, machine + 10 * DAY, true);
    reopen(false, 0);
    ck_assert_int_ge(clock_now(e.clock), machine + 10 * DAY);
    ck_assert_int_lt(clock_now(e.clock), machine + 10 * DAY + MIN);
    reopen(true, 0);
    ck_assert_int_ge(clock_now(e.clock), machine + 10 * DAY);
    ck_assert_int_lt(clock_now(e.clock), machine + 10 * DAY + MIN);
    close_engine();
}
END_TEST

START_TEST(test_timeline__a_manual_clock_of_the_past_becomes_the_machines_when_real)
{
    open_engine(true, T0 - 3650 * DAY, true);
    reopen(false, 0);
    ck_assert_int_eq(clock_offset(e.clock), 0);
    close_engine();
}
END_TEST

START_TEST(test_timeline__without_a_start_time_a_manual_clock_shows_the_machines_and_stands_still)
{
    int64_t before = clock_machine_now();
    open_engine(true, 0, true);
    int64_t at = clock_now(e.clock);
    ck_assert_int_ge(at, before);
    ck_assert_int_le(at, clock_machine_now());
    reopen(true, 0);
    ck_assert_int_eq(clock_now(e.clock), at);
    close_engine();
}
END_TEST

START_TEST(test_timeline__an_advance_that_fails_leaves_the_stored_clock_at_its_last_step)
{
    struct timeline_result r = {0};
    open_engine(true, T0, true);
    w.due[POLLER] = T0 + MIN;
    w.due[BROKER] = T0 + 2 * MIN;
    w.fail = SB_EIO;
    ck_assert_int_eq(timeline_advance(&e, HOUR, a, 10, &r, &err), SB_EIO);
    reopen(true, 0);
    ck_assert_int_eq(clock_now(e.clock), T0 + 2 * MIN);
    close_engine();
}
END_TEST

/* What another thread stores between two steps, and the clock that is stored then. */
static enum sb_err note_and_fail(struct tx *tx, void *arg, struct sb_error *why)
{
    enum sb_err rc;
    SB_TRY(store_meta_put(tx, "note", "x", 1, why));
    if (*(const bool *)arg)
        rc = sb_fail(why, SB_ECONFLICT, "as told");
out:
    return rc;
}

static enum sb_err read_clock(struct tx *tx, void *arg, struct sb_error *why)
{
    enum sb_err rc;
    struct sb_blob v = {0};
    SB_TRY(store_meta_get(tx, "clock", a, &v, why));
    snprintf(arg, 40, "%.*s", (int)v.n, (const char *)v.p);
out:
    return rc;
}

static void store_between(struct engine *x)
{
    char stored[40], wanted[40];
    struct sb_error why;
    snprintf(wanted, sizeof wanted, "manual %lld", (long long)clock_now(x->clock));
    ck_assert_int_eq(store_call(x->sb, note_and_fail, &(bool){true}, &why), SB_ECONFLICT);
    ck_assert_int_eq(store_call(x->sb, note_and_fail, &(bool){false}, &why), SB_OK);
    ck_assert_int_eq(store_read(x->sb, read_clock, stored, &why), SB_OK);
    ck_assert_str_eq(stored, wanted);
}

START_TEST(test_timeline__the_clock_is_stored_with_what_is_stored)
{
    open_engine(true, T0, true);
    w.due[POLLER] = T0 + MIN;
    w.period[POLLER] = MIN;
    w.inside = store_between;
    ck_assert_uint_eq(advance(20 * MIN, 0).total, 20);
    close_engine();
}
END_TEST

/* As a poll does that finds everything as it was. */
static void look(struct engine *x)
{
    char text[40];
    struct sb_error why;
    ck_assert_int_eq(store_read(x->sb, read_clock, text, &why), SB_OK);
}

START_TEST(test_timeline__polls_that_store_nothing_cost_no_commit_each)
{
    open_engine(true, T0, true);
    w.inside = look;
    w.due[POLLER] = T0 + MIN;
    w.period[POLLER] = MIN;
    commits = 0;
    ck_assert_uint_eq(advance(2000 * MIN, 0).total, 2000);
    ck_assert_int_ge(commits, 1);
    ck_assert_int_lt(commits, 1000);
    reopen(true, 0);
    ck_assert_int_eq(clock_now(e.clock), T0 + 2000 * MIN);
    close_engine();
}
END_TEST

static const char *const bad[] = {
    "", "manual", "manual x", "real ", "real 1e3", "lunar 5", "manual 99999999999999999999"};

static enum sb_err damage(struct tx *tx, void *arg, struct sb_error *why)
{
    const char *text = bad[*(const size_t *)arg];
    return store_meta_put(tx, "clock", text, strlen(text), why);
}

START_TEST(test_timeline__a_damaged_stored_clock_is_refused)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        open_engine(true, T0, false);
        struct store *s = e.sb;
        timeline_close(&e);
        ck_assert_int_eq(store_call(s, damage, &i, &err), SB_OK);
        ck_assert_msg(timeline_open(&e, &err) == SB_EDATADIR, "'%s' was taken", bad[i]);
        close_engine();
    }
}
END_TEST

/* ---- the timer thread ---- */

static void wait_for_runs(int n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&w.lock);
    while (w.runs < n)
        ck_assert_int_eq(pthread_cond_timedwait(&w.ran, &w.lock, &until), 0);
    pthread_mutex_unlock(&w.lock);
}

static void set_due(enum source s, int64_t t)
{
    pthread_mutex_lock(&w.lock);
    w.due[s] = t;
    pthread_mutex_unlock(&w.lock);
}

START_TEST(test_timeline__the_timer_runs_what_is_due_and_what_it_is_poked_for)
{
    open_engine(false, 0, false);
    set_due(BROKER, clock_now(e.clock));
    ck_assert_int_eq(timeline_start(&e, &err), SB_OK);
    wait_for_runs(1);
    set_due(POLLER, clock_now(e.clock) + 20);
    timeline_poke(&e);
    wait_for_runs(2);
    ck_assert_int_eq(w.order[1], POLLER);
    close_engine();
}
END_TEST

START_TEST(test_timeline__an_advance_on_a_real_clock_brings_the_future_near)
{
    open_engine(false, 0, false);
    set_due(POLLER, clock_now(e.clock) + HOUR);
    ck_assert_int_eq(timeline_start(&e, &err), SB_OK);
    int64_t before = clock_now(e.clock);
    struct timeline_result r = advance(2 * HOUR, 10);
    ck_assert_int_eq(w.runs, 1);
    ck_assert_uint_eq(r.n, 1);
    ck_assert_int_ge(clock_now(e.clock), before + 2 * HOUR);
    /* The timer measures against the new time. */
    set_due(BROKER, clock_now(e.clock) + 10);
    timeline_poke(&e);
    wait_for_runs(2);
    close_engine();
}
END_TEST

START_TEST(test_timeline__a_manual_clock_has_no_timer)
{
    open_engine(true, T0, false);
    w.due[BROKER] = T0 - 1;
    ck_assert_int_eq(timeline_start(&e, &err), SB_OK);
    timeline_poke(&e);
    close_engine();
    ck_assert_int_eq(w.runs, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("timeline");
    TCase *t = tcase_create("timeline");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_timeline__runs_each_thing_at_its_time_in_order);
    tcase_add_test(t, test_timeline__at_one_instant_vault_then_polls_then_broker);
    tcase_add_test(t, test_timeline__the_end_of_the_advance_is_included_and_nothing_beyond);
    tcase_add_test(t, test_timeline__what_is_overdue_runs_first_and_the_clock_does_not_go_back);
    tcase_add_test(t, test_timeline__the_last_moment_that_can_be_written);
    tcase_add_test(t, test_timeline__limits_of_an_advance);
    tcase_add_test(t, test_timeline__events_beyond_the_limit_are_counted);
    tcase_add_test(t, test_timeline__what_never_gets_done_does_not_hold_an_advance);
    tcase_add_test(t, test_timeline__a_failure_ends_the_advance_where_it_happened);
    tcase_add_test(t, test_timeline__one_advance_at_a_time);
    tcase_add_test(t, test_timeline__a_stop_ends_an_advance_at_its_step);
    tcase_add_test(t, test_timeline__a_note_outside_an_advance_is_dropped);
    tcase_add_test(t, test_timeline__kinds_beyond_the_table_are_counted_in_the_total_only);
    tcase_add_test(t, test_timeline__a_manual_clock_survives_a_restart);
    tcase_add_test(t, test_timeline__a_real_clocks_offset_survives_a_restart);
    tcase_add_test(t, test_timeline__another_mode_takes_over_the_time);
    tcase_add_test(t, test_timeline__a_manual_clock_of_the_past_becomes_the_machines_when_real);
    tcase_add_test(t, test_timeline__without_a_start_time_a_manual_clock_shows_the_machines_and_stands_still);
    tcase_add_test(t, test_timeline__an_advance_that_fails_leaves_the_stored_clock_at_its_last_step);
    tcase_add_test(t, test_timeline__the_clock_is_stored_with_what_is_stored);
    tcase_add_test(t, test_timeline__polls_that_store_nothing_cost_no_commit_each);
    tcase_add_test(t, test_timeline__a_damaged_stored_clock_is_refused);
    tcase_add_test(t, test_timeline__the_timer_runs_what_is_due_and_what_it_is_poked_for);
    tcase_add_test(t, test_timeline__an_advance_on_a_real_clock_brings_the_future_near);
    tcase_add_test(t, test_timeline__a_manual_clock_has_no_timer);
    suite_add_tcase(s, t);
    return s;
}
