/* test_events.c: ids over both logs, order, flushing, keeping, gaps, overflow, reset and restart of events.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/log.h"
#include "server/engine/events.h"
#include "tests/unit/unit.h"

#define T0 INT64_C(1700000000000)

static char dir[64];
static struct engine e;
static struct sb_arena *a;
static struct sb_error err;

static struct store *open_store(const char *name, enum store_kind kind)
{
    char path[128];
    struct store *s = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_msg(store_open(path, kind, &s, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(store_start(s, NULL, &err), SB_OK);
    return s;
}

static void open_engine(void)
{
    memset(&e, 0, sizeof e);
    e.clock = clock_new(true, T0);
    e.sb = open_store("servicebus.db", STORE_SB);
    e.kv = open_store("keyvault.db", STORE_KV);
    ck_assert_msg(events_open(&e, &err) == SB_OK, "%s", err.detail);
}

static void close_engine(void)
{
    events_flush(&e);
    store_close(e.sb);
    store_close(e.kv);
    events_close(&e);
    clock_free(e.clock);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sealedbus-events-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    a = arena_new(256u << 20);
    open_engine();
}

static void teardown(void)
{
    char cmd[128];
    close_engine();
    arena_free(a);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static enum sb_err add_key(struct tx *tx, void *arg, struct sb_error *why)
{
    struct st_event ev = {.op = "wrapKey", .key = arg};
    return events_key(&e, tx, &ev, why);
}

static void key(const char *name)
{
    char copy[32];
    snprintf(copy, sizeof copy, "%s", name);
    ck_assert_int_eq(store_call(e.sb, add_key, copy, &err), SB_OK);
}

static void audit(const char *op)
{
    struct st_event ev = {.op = op, .result = "Success", .http_status = 200};
    events_audit(&e, &ev);
}

struct list {
    struct st_event *rows;
    size_t n;
    bool gap;
};

static struct list list(int64_t since, size_t limit)
{
    struct list l = {0};
    ck_assert_msg(events_list(&e, since, limit, a, &l.rows, &l.n, &l.gap, &err) == SB_OK, "%s", err.detail);
    return l;
}

START_TEST(test_events__one_sequence_over_both_logs)
{
    audit("a");
    key("b");
    audit("c");
    key("d");
    struct list l = list(0, 100);
    ck_assert_uint_eq(l.n, 4);
    ck_assert(!l.gap);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(l.rows[i].id, (int64_t)i + 1);
        ck_assert_int_eq(l.rows[i].time_ms, T0);
        ck_assert_str_eq(l.rows[i].stream, i % 2 ? "key" : "audit");
    }
    ck_assert_str_eq(l.rows[2].op, "c");
    ck_assert_int_eq(l.rows[2].http_status, 200);
    ck_assert_str_eq(l.rows[3].key, "d");
    ck_assert_int_eq(events_last_id(&e), 4);
}
END_TEST

START_TEST(test_events__every_field_comes_back)
{
    struct st_event in = {.op = "op",
                          .category = "ca",
                          .resource_id = "re",
                          .vault = "va",
                          .key = "ke",
                          .version = "ve",
                          .code = "co",
                          .message = "",
                          .activity_id = "ac",
                          .identity = "id",
                          .result = "rs",
                          .http_status = 403};
    events_audit(&e, &in);
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 1);
    const struct st_event *o = l.rows;
    const char *const pairs[][2] = {{o->op, "op"},       {o->category, "ca"}, {o->resource_id, "re"},
                                    {o->vault, "va"},    {o->key, "ke"},      {o->version, "ve"},
                                    {o->code, "co"},     {o->message, ""},    {o->activity_id, "ac"},
                                    {o->identity, "id"}, {o->result, "rs"}};
    for (size_t i = 0; i < SB_ARRAY_LEN(pairs); i++)
        ck_assert_str_eq(pairs[i][0], pairs[i][1]);
    ck_assert_int_eq(o->http_status, 403);
}
END_TEST

START_TEST(test_events__absent_fields_stay_absent)
{
    audit(NULL);
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_ptr_null(l.rows[0].op);
    ck_assert_ptr_null(l.rows[0].key);
}
END_TEST

START_TEST(test_events__since_and_limit)
{
    for (int i = 0; i < 10; i++) {
        audit("a");
        key("k");
    }
    struct list l = list(7, 5);
    ck_assert_uint_eq(l.n, 5);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(l.rows[i].id, (int64_t)i + 8);
    ck_assert_uint_eq(list(20, 5).n, 0);
    ck_assert_uint_eq(list(INT64_MAX, 5).n, 0);
    ck_assert_uint_eq(list(19, 5).n, 1);
    ck_assert(!list(0, 1).gap);
}
END_TEST

static enum sb_err add_then_fail(struct tx *tx, void *arg, struct sb_error *why)
{
    enum sb_err rc = add_key(tx, arg, why);
    return rc == SB_OK ? sb_fail(why, SB_ECONFLICT, "no") : rc;
}

START_TEST(test_events__a_change_that_fails_leaves_no_event)
{
    char name[] = "k";
    ck_assert_int_eq(store_call(e.sb, add_then_fail, name, &err), SB_ECONFLICT);
    key("after");
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_str_eq(l.rows[0].key, "after");
}
END_TEST

START_TEST(test_events__ids_go_on_after_a_restart)
{
    audit("a");
    key("b");
    close_engine();
    open_engine();
    ck_assert_int_eq(events_last_id(&e), 2);
    audit("c");
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 3);
    ck_assert_int_eq(l.rows[2].id, 3);
}
END_TEST

START_TEST(test_events__reset_empties_and_ids_go_on)
{
    audit("a");
    key("b");
    ck_assert_int_eq(events_reset(&e, &err), SB_OK);
    ck_assert_uint_eq(list(0, 10).n, 0);
    close_engine();
    open_engine();
    key("c");
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_int_eq(l.rows[0].id, 3);
    ck_assert(!l.gap);
}
END_TEST

static void many_audits(int n)
{
    for (int i = 0; i < n; i++) {
        audit("m");
        if (i % 10000 == 9999)
            events_flush(&e);
    }
}

START_TEST(test_events__the_newest_are_kept_and_a_gap_is_told)
{
    key("first");
    many_audits(EVENTS_KEEP + 499);
    struct list l = list(0, 3);
    ck_assert(l.gap);
    ck_assert_int_eq(l.rows[0].id, 501);
    ck_assert(list(499, 1).gap);
    ck_assert(!list(500, 1).gap);
    ck_assert_uint_eq(list(0, 2 * EVENTS_KEEP).n, EVENTS_KEEP);
    /* The key log's old row is hidden now, and gone when that log is written next. */
    key("second");
    l = list(EVENTS_KEEP, 2000);
    ck_assert_str_eq(l.rows[l.n - 1].key, "second");
}
END_TEST

START_TEST(test_events__no_gap_after_a_reset_of_a_full_log)
{
    many_audits(EVENTS_KEEP + 10);
    ck_assert_int_eq(events_reset(&e, &err), SB_OK);
    struct list l = list(0, 10);
    ck_assert_uint_eq(l.n, 0);
    ck_assert(!l.gap);
    audit("x");
    ck_assert(!list(0, 10).gap);
}
END_TEST

/* ---- a store that is held up ---- */

struct gate {
    struct store_op op;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool entered, open;
};

static enum sb_err hold(struct tx *tx, struct store_op *op, struct sb_error *why)
{
    struct gate *g = (struct gate *)op;
    (void)tx;
    (void)why;
    pthread_mutex_lock(&g->lock);
    g->entered = true;
    pthread_cond_broadcast(&g->changed);
    while (!g->open)
        pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return SB_OK;
}

static void held(struct store_op *op)
{
    (void)op;
}

START_TEST(test_events__a_full_queue_drops_and_never_waits)
{
    static struct gate g = {.op = {.run = hold, .done = held},
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
    store_submit(e.kv, &g.op);
    pthread_mutex_lock(&g.lock);
    while (!g.entered)
        pthread_cond_wait(&g.changed, &g.lock);
    pthread_mutex_unlock(&g.lock);
    for (int i = 0; i < 50000; i++)
        audit("q");
    pthread_mutex_lock(&g.lock);
    g.open = true;
    pthread_cond_broadcast(&g.changed);
    pthread_mutex_unlock(&g.lock);
    struct list l = list(0, 100000);
    ck_assert_uint_ge(l.n, 20000);
    ck_assert_uint_lt(l.n, 50000);
    audit("after");
    l = list(events_last_id(&e) - 1, 10);
    ck_assert_uint_eq(l.n, 1);
    ck_assert_str_eq(l.rows[0].op, "after");
}
END_TEST

/* ---- many writers, one reader that goes on from the last id it saw ---- */

static void *audits(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3000; i++)
        audit("t");
    return NULL;
}

static void *keys(void *arg)
{
    (void)arg;
    for (int i = 0; i < 300; i++)
        key("t");
    return NULL;
}

START_TEST(test_events__a_follower_misses_nothing)
{
    pthread_t t[3];
    int64_t since = 0;
    size_t seen = 0;
    pthread_create(&t[0], NULL, audits, NULL);
    pthread_create(&t[1], NULL, audits, NULL);
    pthread_create(&t[2], NULL, keys, NULL);
    while (seen < 6300) {
        struct list l = list(since, 100);
        for (size_t i = 0; i < l.n; i++) {
            ck_assert_int_eq(l.rows[i].id, since + 1);
            since = l.rows[i].id;
        }
        seen += l.n;
    }
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    ck_assert_uint_eq(list(since, 100).n, 0);
}
END_TEST

Suite *unit_suite(void)
{
    log_setup(LOG_ERROR, false); /* a warning is part of one test */
    Suite *s = suite_create("events");
    TCase *t = tcase_create("events");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_events__one_sequence_over_both_logs);
    tcase_add_test(t, test_events__every_field_comes_back);
    tcase_add_test(t, test_events__absent_fields_stay_absent);
    tcase_add_test(t, test_events__since_and_limit);
    tcase_add_test(t, test_events__a_change_that_fails_leaves_no_event);
    tcase_add_test(t, test_events__ids_go_on_after_a_restart);
    tcase_add_test(t, test_events__reset_empties_and_ids_go_on);
    tcase_add_test(t, test_events__the_newest_are_kept_and_a_gap_is_told);
    tcase_add_test(t, test_events__no_gap_after_a_reset_of_a_full_log);
    tcase_add_test(t, test_events__a_full_queue_drops_and_never_waits);
    tcase_add_test(t, test_events__a_follower_misses_nothing);
    suite_add_tcase(s, t);
    return s;
}
