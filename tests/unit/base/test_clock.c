/* test_clock.c: manual and real clocks, and that neither steps back. */
#include <pthread.h>
#include <stddef.h>
#include "server/base/clock.h"
#include "tests/unit/unit.h"

#define HOUR INT64_C(3600000)

START_TEST(test_clock__manual_moves_only_when_told)
{
    struct sb_clock *c = clock_new(true, 1000);
    ck_assert(clock_is_manual(c));
    ck_assert_int_eq(clock_now(c), 1000);
    clock_advance_to(c, 5000);
    ck_assert_int_eq(clock_now(c), 5000);
    clock_advance_to(c, 4999);
    ck_assert_int_eq(clock_now(c), 5000);
    int64_t offset = clock_offset(c);
    int64_t error = clock_machine_now() + offset - 5000;
    ck_assert_int_ge(error, 0);
    ck_assert_int_lt(error, 10000);
    clock_free(c);
    clock_free(NULL);
}
END_TEST

START_TEST(test_clock__manual_takes_times_before_1970)
{
    struct sb_clock *c = clock_new(true, -5);
    ck_assert_int_eq(clock_now(c), -5);
    clock_advance_to(c, 0);
    ck_assert_int_eq(clock_now(c), 0);
    clock_free(c);
}
END_TEST

START_TEST(test_clock__real_is_machine_plus_offset)
{
    struct sb_clock *c = clock_new(false, HOUR);
    ck_assert(!clock_is_manual(c));
    ck_assert_int_eq(clock_offset(c), HOUR);
    int64_t before = clock_machine_now() + HOUR;
    int64_t now = clock_now(c);
    ck_assert_int_ge(now, before);
    ck_assert_int_le(now, clock_machine_now() + HOUR);
    clock_free(c);
}
END_TEST

START_TEST(test_clock__real_advances_by_its_offset)
{
    struct sb_clock *c = clock_new(false, 0);
    int64_t target = clock_now(c) + 90 * 24 * HOUR;
    clock_advance_to(c, target);
    ck_assert_int_ge(clock_now(c), target);
    ck_assert_int_lt(clock_now(c), target + HOUR);
    int64_t offset = clock_offset(c);
    ck_assert_int_gt(offset, 89 * 24 * HOUR);
    clock_advance_to(c, 0);
    ck_assert_int_eq(clock_offset(c), offset);
    ck_assert_int_ge(clock_now(c), target);
    clock_free(c);
}
END_TEST

START_TEST(test_clock__machine_and_monotonic)
{
    int64_t m = clock_monotonic();
    ck_assert_int_gt(clock_machine_now(), INT64_C(1700000000000));
    ck_assert_int_ge(clock_monotonic(), m);
}
END_TEST

static void *run(void *arg)
{
    struct sb_clock *c = arg;
    int64_t last = clock_now(c);
    for (int i = 0; i < 20000; i++) {
        clock_advance_to(c, last + 1);
        int64_t now = clock_now(c);
        if (now <= last)
            return c;
        last = now;
    }
    return NULL;
}

START_TEST(test_clock__many_threads_never_see_it_step_back)
{
    struct sb_clock *c = clock_new(_i == 0, 0);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, run, c), 0);
    for (int i = 0; i < 4; i++) {
        void *bad = NULL;
        pthread_join(t[i], &bad);
        ck_assert_ptr_null(bad);
    }
    clock_free(c);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("clock");
    TCase *t = tcase_create("clock");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_clock__manual_moves_only_when_told);
    tcase_add_test(t, test_clock__manual_takes_times_before_1970);
    tcase_add_test(t, test_clock__real_is_machine_plus_offset);
    tcase_add_test(t, test_clock__real_advances_by_its_offset);
    tcase_add_test(t, test_clock__machine_and_monotonic);
    tcase_add_loop_test(t, test_clock__many_threads_never_see_it_step_back, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
