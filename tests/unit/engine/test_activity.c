/* test_activity.c: the activity log keeps the newest rows, answers what is asked for, and is emptied by a
 * reset.
 */
#include <stdio.h>
#include <string.h>
#include "server/engine/activity.h"
#include "tests/unit/unit.h"

static struct engine *e;
static struct sb_arena *arena;
static struct sb_error err;

static void setup(void)
{
    const struct engine_config cfg = {
        .poll_interval_ms = 300000, .clock_manual = true, .start_ms = INT64_C(1700000000000)};
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
    arena = arena_new(64u << 20);
}

static void teardown(void)
{
    engine_stop(e);
    engine_close(e);
    arena_free(arena);
}

static void add(int64_t time_ms, const char *group, const char *resource, const char *correlation)
{
    activity_add(e, &(struct st_activity){.time_ms = time_ms,
                                          .sub = "S",
                                          .group = group,
                                          .resource = resource,
                                          .action = "Microsoft.ServiceBus/namespaces/write",
                                          .method = "PUT",
                                          .http_status = 200,
                                          .caller = "caller",
                                          .oid = "oid",
                                          .appid = "appid",
                                          .event_id = "event",
                                          .correlation_id = correlation,
                                          .request_id = "request",
                                          .client_ip = "127.0.0.1"});
}

static size_t count(struct st_activity_query q, struct st_activity **ret)
{
    size_t n = 0;
    q.sub = "s";
    q.to_ms = q.to_ms == 0 ? INT64_MAX : q.to_ms;
    q.before_id = q.before_id == 0 ? INT64_MAX : q.before_id;
    q.limit = q.limit == 0 ? 2 * ACTIVITY_KEEP : q.limit;
    ck_assert_msg(activity_list(e, &q, arena, ret, &n, &err) == SB_OK, "%s", err.detail);
    return n;
}

/* All in the same millisecond, as on a manual clock. */
START_TEST(only_the_newest_stay)
{
    struct st_activity *rows = NULL;
    char resource[32];
    for (int i = 0; i < ACTIVITY_KEEP + 50; i++) {
        snprintf(resource, sizeof resource, "/r/%d", i);
        add(1, NULL, resource, "c");
    }
    ck_assert_uint_eq(count((struct st_activity_query){0}, &rows), ACTIVITY_KEEP);
    snprintf(resource, sizeof resource, "/r/%d", ACTIVITY_KEEP + 49);
    ck_assert_str_eq(rows[0].resource, resource);
    ck_assert_str_eq(rows[ACTIVITY_KEEP - 1].resource, "/r/50");
    ck_assert_int_eq(activity_reset(e, &err), SB_OK);
    ck_assert_uint_eq(count((struct st_activity_query){0}, &rows), 0);
}
END_TEST

START_TEST(what_is_asked_for)
{
    struct st_activity *rows = NULL;
    add(1, "group", "/r/one", "c1");
    add(2, "Group", "/r/two", "c2");
    add(3, NULL, "/r/One", "C1");
    ck_assert_uint_eq(count((struct st_activity_query){0}, &rows), 3);
    ck_assert_str_eq(rows[0].resource, "/r/One");
    ck_assert_ptr_null(rows[0].group);
    ck_assert_ptr_null(rows[0].code);
    ck_assert_uint_eq(count((struct st_activity_query){.group = "GROUP"}, &rows), 2);
    ck_assert_uint_eq(count((struct st_activity_query){.resource = "/R/ONE"}, &rows), 2);
    ck_assert_uint_eq(count((struct st_activity_query){.correlation_id = "c1"}, &rows), 2);
    ck_assert_uint_eq(count((struct st_activity_query){.caller = "nobody"}, &rows), 0);
    ck_assert_uint_eq(count((struct st_activity_query){.provider = "microsoft.servicebus"}, &rows), 3);
    ck_assert_uint_eq(count((struct st_activity_query){.provider = "microsoft.service"}, &rows), 0);
    ck_assert_uint_eq(count((struct st_activity_query){.from_ms = 2, .to_ms = 2}, &rows), 1);
    ck_assert_uint_eq(count((struct st_activity_query){.limit = 2}, &rows), 2);
    ck_assert_uint_eq(count((struct st_activity_query){.before_id = rows[1].id}, &rows), 1);
    ck_assert_str_eq(rows[0].resource, "/r/one");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("activity");
    TCase *t = tcase_create("activity");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, only_the_newest_stay);
    tcase_add_test(t, what_is_asked_for);
    suite_add_tcase(s, t);
    return s;
}
