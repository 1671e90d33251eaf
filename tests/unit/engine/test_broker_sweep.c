/* test_broker_sweep.c: a deleted queue is gone at once, and what it held goes after it. */
#include <stdlib.h>
#include "tests/unit/engine/broker_fixture.h"
#include "tests/unit/unit.h"

#define COLUMNS                                                                                              \
    "ns,sub,state,enqueued_ms,expires_ms,due_ms,lock_token,delivery_count,hops,size,enqueued_seq,session,"   \
    "blob,dl_blob"

/* n more rows like the first message, from id `from` on. */
static void copies(const char *from, int n)
{
    sql(arena_printf(arena,
                     "WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i<%d) "
                     "INSERT INTO message(id," COLUMNS ") SELECT (%s)+i," COLUMNS " FROM message,c WHERE id="
                     "(SELECT min(id) FROM message)",
                     n - 1, from));
}

static int64_t rows(void)
{
    return sql("SELECT count(*) FROM message");
}

/* Each look has its turn after a slice of what is being deleted. */
static void swept_down_to(int64_t left)
{
    for (int i = 0; i < 100 && rows() > left; i++)
        continue;
    ck_assert_int_eq(rows(), left);
}

START_TEST(test_sweep__a_backlog_goes_after_its_queue)
{
    bool existed = false;
    q_put(q_spec("other"));
    send("q", "m");
    send("other", "stays");
    copies("SELECT min(id)+1000 FROM message", 1700);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "q", &existed, &err), SB_OK);
    ck_assert(existed);
    /* The name can be used again at once, and shows nothing of the old one. */
    q_put(q_spec("q"));
    ck_counts("q", 0, 0, 0);
    ck_assert_str_eq(eat("q"), "");
    send("q", "new");
    swept_down_to(2);
    ck_assert_str_eq(eat("q"), "new");
    ck_assert_str_eq(eat("other"), "stays");
}
END_TEST

static int64_t seen_rows(void)
{
    return sql("SELECT count(*) FROM seen");
}

START_TEST(test_sweep__what_a_queue_has_seen_goes_after_it)
{
    bool existed = false;
    sql("WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM c WHERE i<1699) INSERT INTO "
        "seen(entity,hmac,until_ms) SELECT id,CAST(printf('%032d',i) AS BLOB),9e15 FROM entity,c WHERE "
        "name='q'");
    ck_assert_int_eq(seen_rows(), 1700);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "q", &existed, &err), SB_OK);
    ck_assert(existed);
    for (int i = 0; i < 100 && seen_rows() > 0; i++)
        continue;
    ck_assert_int_eq(seen_rows(), 0);
}
END_TEST

START_TEST(test_sweep__two_queues_and_a_namespace)
{
    bool existed = false;
    q_put(q_spec("p"));
    send("q", "m");
    send("p", "m");
    copies("SELECT min(id)+1000 FROM message", 1500);
    copies("SELECT max(id)+1000 FROM message", 1500);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "q", &existed, &err), SB_OK);
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "p", &existed, &err), SB_OK);
    swept_down_to(0);
    q_put(q_spec("q"));
    send("q", "m");
    copies("SELECT min(id)+1000 FROM message", 700);
    ck_assert_int_eq(ns_delete(e, SUB, "g", NS, &existed, &err), SB_OK);
    ck_assert(existed);
    swept_down_to(0);
}
END_TEST

START_TEST(test_sweep__a_start_takes_up_what_was_left)
{
    char dir[] = "/tmp/sb-sweep-XXXXXX";
    struct sb_arena *a = arena_new(1 << 16);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    broker_up_in(dir);
    q_put(q_spec("q"));
    send("q", "stays");
    copies("SELECT (777<<40)+1", 900);
    ck_assert_int_eq(rows(), 901);
    world_down();
    world_open(dir);
    swept_down_to(1);
    ck_assert_str_eq(eat("q"), "stays");
    world_down();
    ck_assert_int_eq(system(arena_printf(a, "rm -rf %s", dir)), 0);
    arena_free(a);
}
END_TEST

/* Left-behind messages have due times, too. */
START_TEST(test_sweep__nothing_falls_due_in_a_queue_that_is_gone)
{
    send("q", "m");
    copies("SELECT (777<<40)+1", 3);
    sql("UPDATE message SET due_ms=1 WHERE id>(777<<40)");
    ns_find(e, NS)->broker->next_due = 0;
    ck_assert_str_eq(eat("q"), "m");
    ck_assert_int_eq(rows(), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker_sweep");
    TCase *t = tcase_create("sweep");
    tcase_add_checked_fixture(t, broker_up, world_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_sweep__a_backlog_goes_after_its_queue);
    tcase_add_test(t, test_sweep__what_a_queue_has_seen_goes_after_it);
    tcase_add_test(t, test_sweep__two_queues_and_a_namespace);
    tcase_add_test(t, test_sweep__nothing_falls_due_in_a_queue_that_is_gone);
    suite_add_tcase(s, t);
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60);
    tcase_add_test(files, test_sweep__a_start_takes_up_what_was_left);
    suite_add_tcase(s, files);
    return s;
}
