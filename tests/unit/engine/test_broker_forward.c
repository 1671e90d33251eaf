/* test_broker_forward.c: forwarding that is set on a queue which holds messages. */
#include <stdlib.h>
#include "tests/unit/engine/broker_fixture.h"
#include "tests/unit/unit.h"

static void forward(const char *from, const char *to)
{
    struct entity_spec s = q_spec(from);
    s.forward_to = to;
    q_put(s);
}

/* Each look has its turn after some of the messages. */
static void moved(const char *from)
{
    for (int i = 0; i < 100 && q_look(from).active > 0; i++)
        settle();
    ck_counts(from, 0, 0, 0);
}

START_TEST(test_forward__what_lies_there_goes_on_in_order)
{
    q_put(q_spec("from"));
    for (int i = 0; i < 130; i++) /* more than one commit moves */
        send("from", arena_printf(arena, "m%d", i));
    forward("from", "q");
    moved("from");
    send("from", "last");
    for (int i = 0; i < 130; i++) {
        ck_assert_str_eq(eat("q"), arena_printf(arena, "m%d", i));
        ck_assert_int_eq(got.seq, i + 1);
        ck_assert_int_eq(got.delivery_count, 1);
    }
    ck_assert_str_eq(eat("q"), "last");
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), 0);
}
END_TEST

START_TEST(test_forward__nobody_receives_there)
{
    forward("from", "q");
    ck_assert_str_eq(eat("from"), "!SB_EBADREQUEST");
    ck_assert_str_eq(lock("from"), "!SB_EBADREQUEST");
    ck_assert_str_eq(eat("from/$DeadLetterQueue"), "");
    forward("from", "");
    ck_assert_str_eq(eat("from"), "");
}
END_TEST

START_TEST(test_forward__a_lock_from_before_holds)
{
    q_put(q_spec("from"));
    send("from", "done with");
    send("from", "given back");
    send("from", "left alone");
    ck_assert_str_eq(lock("from"), "done with");
    struct broker_delivery one = got;
    ck_assert_str_eq(lock("from"), "given back");
    struct broker_delivery two = got;
    ck_assert_str_eq(lock("from"), "left alone");
    forward("from", "q");
    settle();
    ck_counts("from", 3, 0, 0);
    ck_assert_int_eq(finish_as("from", BROKER_COMPLETE, &one), SB_OK);
    ck_assert_int_eq(finish_as("from", BROKER_UNLOCK, &two), SB_OK);
    for (int i = 0; i < 20 && q_look("q").active == 0; i++)
        settle();
    ck_counts("from", 1, 0, 0);
    ck_assert_str_eq(eat("q"), "given back");
    ck_assert_int_eq(got.delivery_count, 2);
    pass(MINUTE);
    moved("from");
    ck_assert_str_eq(eat("q"), "left alone");
}
END_TEST

START_TEST(test_forward__where_nothing_is_taken_it_is_dead_lettered)
{
    struct entity_spec s = q_spec("to");
    q_put(s);
    q_put(q_spec("from"));
    send("from", "a");
    s.status = "SendDisabled";
    q_put(s);
    forward("from", "to");
    for (int i = 0; i < 20 && q_look("from").dead_letter == 0; i++)
        settle();
    ck_counts("from", 0, 1, 0);
    ck_assert_str_eq(eat("from/$DeadLetterQueue"), "a");
    ck_assert_str_eq(got.dl_reason, "AutoForwardDestinationRefused");
}
END_TEST

START_TEST(test_forward__time_that_has_passed_counts)
{
    q_put(q_spec("from"));
    ck_assert_int_eq(send_with("from", "a", NULL, 10000, 0), SB_OK);
    pass(4000);
    forward("from", "q");
    moved("from");
    ck_assert_str_eq(eat("q"), "a");
    ck_assert_int_eq(got.ttl_ms, 6000);
}
END_TEST

START_TEST(test_forward__a_start_goes_on)
{
    char dir[] = "/tmp/sb-forward-XXXXXX";
    struct sb_arena *a = arena_new(1 << 16);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    broker_up_in(dir);
    q_put(q_spec("q"));
    q_put(q_spec("from"));
    send("from", "a");
    sql("UPDATE entity SET forward_to='q' WHERE name='from'"); /* as if killed right after the PUT */
    world_down();
    world_open(dir);
    moved("from");
    ck_assert_str_eq(eat("q"), "a");
    world_down();
    ck_assert_int_eq(system(arena_printf(a, "rm -rf %s", dir)), 0);
    arena_free(a);
}
END_TEST

START_TEST(test_forward__a_queue_that_is_deleted_meanwhile)
{
    bool existed;
    q_put(q_spec("from"));
    for (int i = 0; i < 130; i++)
        send("from", "m");
    forward("from", "q");
    ck_assert_int_eq(broker_entity_delete(e, NS, ENTITY_QUEUE, "from", &existed, &err), SB_OK);
    settle();
    send("q", "alive");
    ck_assert_int_eq(q_look("q").dead_letter, 0);
    ck_assert_int_eq(sql("SELECT count(*) FROM message"), q_look("q").active);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker_forward");
    TCase *t = tcase_create("forward");
    tcase_add_checked_fixture(t, broker_up, world_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_forward__what_lies_there_goes_on_in_order);
    tcase_add_test(t, test_forward__nobody_receives_there);
    tcase_add_test(t, test_forward__a_lock_from_before_holds);
    tcase_add_test(t, test_forward__where_nothing_is_taken_it_is_dead_lettered);
    tcase_add_test(t, test_forward__time_that_has_passed_counts);
    tcase_add_test(t, test_forward__a_queue_that_is_deleted_meanwhile);
    suite_add_tcase(s, t);
    TCase *files = tcase_create("files");
    tcase_set_timeout(files, 60);
    tcase_add_test(files, test_forward__a_start_goes_on);
    suite_add_tcase(s, files);
    return s;
}
