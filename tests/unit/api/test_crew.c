/* test_crew.c: jobs are settled in the order in which they were given out, whoever is ready first; and a crew
 * that finds no thread works alone. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "api/crew.h"
#include "server/base/compiler.h"
#include "tests/unit/unit.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int ran;

struct task {
    struct crew_job job; /* first */
    int number, place;
    bool gated;
    pthread_t by;
};

static void run(struct crew_job *job)
{
    struct task *t = (struct task *)(void *)job;
    if (t->gated) {
        pthread_mutex_lock(&gate);
        pthread_mutex_unlock(&gate);
    }
    t->by = pthread_self();
    t->place = atomic_fetch_add(&ran, 1);
}

static int settled(struct crew *c)
{
    struct task *t = (struct task *)(void *)crew_settle(c);
    return t ? t->number : -1;
}

START_TEST(test_crew__settles_in_order)
{
    struct task tasks[CREW_WIDTH] = {0};
    struct crew *c = crew_new();
    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(settled(c), -1);
    pthread_mutex_lock(&gate);
    for (int i = 0; i < (int)CREW_WIDTH; i++) {
        tasks[i].job.run = run;
        tasks[i].number = i;
        tasks[i].gated = i == 0;
        crew_give(c, &tasks[i].job);
    }
    ck_assert_uint_eq(crew_count(c), CREW_WIDTH);
    ck_assert_ptr_eq(crew_oldest(c), &tasks[0].job);
    ck_assert_ptr_eq(crew_oldest(c)->next, &tasks[1].job);
    while (atomic_load(&ran) < (int)CREW_WIDTH - 1) /* the others do not wait for the first */
        (void)sched_yield();
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < (int)CREW_WIDTH; i++)
        ck_assert_int_eq(settled(c), i);
    ck_assert_int_eq(tasks[0].place, (int)CREW_WIDTH - 1);
    ck_assert_int_eq(settled(c), -1);
    ck_assert_ptr_null(crew_oldest(c));
    crew_free(c);
}
END_TEST

START_TEST(test_crew__works_alone_when_all_threads_are_taken)
{
    struct task tasks[8] = {0};
    struct crew *c[8];
    size_t alone = 0;
    for (int i = 0; i < 8; i++) {
        c[i] = crew_new();
        ck_assert_ptr_nonnull(c[i]);
        tasks[i] = (struct task){.job.run = run, .number = i};
        crew_give(c[i], &tasks[i].job);
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(settled(c[i]), i);
        alone += pthread_equal(tasks[i].by, pthread_self()) != 0;
    }
    ck_assert_uint_eq(alone, 4); /* 128 threads are enough for four crews */
    for (int i = 0; i < 8; i++)
        crew_free(c[i]);
    /* They have been given back. */
    c[0] = crew_new();
    ck_assert_ptr_nonnull(c[0]);
    crew_give(c[0], &tasks[0].job);
    ck_assert_int_eq(settled(c[0]), 0);
    ck_assert(!pthread_equal(tasks[0].by, pthread_self()));
    crew_free(c[0]);
    crew_free(NULL);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("crew");
    TCase *t = tcase_create("crew");
    tcase_add_test(t, test_crew__settles_in_order);
    tcase_add_test(t, test_crew__works_alone_when_all_threads_are_taken);
    suite_add_tcase(s, t);
    return s;
}
