/* test_pool.c: worker pool: everything runs once, the queue is bounded, stopping finishes what was let in;
 * and listening sockets. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/log.h"
#include "server/base/pool.h"
#include "server/sockets.h"
#include "tests/unit/unit.h"

static struct sb_error err;

struct job {
    struct pool_job j; /* first */
    atomic_int ran;
    pthread_mutex_t *gate;
};

static void run(struct pool_job *j)
{
    struct job *x = (struct job *)(void *)j;
    if (x->gate) {
        pthread_mutex_lock(x->gate);
        pthread_mutex_unlock(x->gate);
    }
    atomic_fetch_add(&x->ran, 1);
}

START_TEST(test_pool__runs_each_job_once)
{
    enum { N = 2000 };
    static struct job jobs[N];
    struct pool *p = NULL;
    ck_assert_int_eq(pool_new("test", 3, N, 0, &p, &err), SB_OK);
    for (size_t i = 0; i < N; i++) {
        jobs[i].j.run = run;
        ck_assert(pool_submit(p, &jobs[i].j, false));
    }
    pool_free(p); /* runs what is queued */
    for (size_t i = 0; i < N; i++)
        ck_assert_int_eq(atomic_load(&jobs[i].ran), 1);
}
END_TEST

START_TEST(test_pool__queue_is_bounded)
{
    enum { THREADS = 2, QUEUE = 3 };
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct job jobs[THREADS + QUEUE + 10] = {0};
    struct pool *p = NULL;
    size_t in = 0;
    pthread_mutex_lock(&gate);
    ck_assert_int_eq(pool_new("test", THREADS, QUEUE, 0, &p, &err), SB_OK);
    /* How many were let in depends on how soon the threads take theirs; never more than both together. */
    for (size_t i = 0; i < SB_ARRAY_LEN(jobs); i++) {
        jobs[i].j.run = run;
        jobs[i].gate = &gate;
        if (!pool_submit(p, &jobs[i].j, false))
            break;
        in++;
    }
    ck_assert_uint_ge(in, QUEUE);
    ck_assert_uint_le(in, THREADS + QUEUE);
    ck_assert(pool_submit(p, &jobs[in].j, true)); /* forced: never full */
    pthread_mutex_unlock(&gate);
    pool_free(p);
    for (size_t i = 0; i <= in; i++)
        ck_assert_int_eq(atomic_load(&jobs[i].ran), 1);
}
END_TEST

START_TEST(test_pool__unused)
{
    struct pool *p = NULL;
    ck_assert_int_eq(pool_new("test", 4, 1, 5, &p, &err), SB_OK);
    pool_free(p);
    pool_free(NULL);
}
END_TEST

START_TEST(test_sockets__one_port_for_all)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "127.0.0.2"};
    struct sockets s, again;
    log_setup(LOG_ERROR, false);
    ck_assert_msg(sockets_listen(addresses, 3, true, 0, "--https-port", &s, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_gt(s.port, 0);
    ck_assert(s.fd[0] >= 0 && s.fd[2] >= 0);
    ck_assert(sockets_answers("127.0.0.1", s.port));
    ck_assert(sockets_answers("127.0.0.2", s.port));
    ck_assert_int_eq(sockets_listen(addresses, 1, false, s.port, "--https-port", &again, &err),
                     SB_EUNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.detail, "--https-port"));
    int port = s.port;
    sockets_close(&s);
    sockets_close(&s);
    ck_assert(!sockets_answers("127.0.0.1", port));
}
END_TEST

START_TEST(test_sockets__addresses)
{
    static const char *const missing[] = {"127.0.0.1", "2001:db8::1"}, *const foreign[] = {"192.0.2.1"};
    struct sockets s;
    log_setup(LOG_ERROR, false);
    ck_assert_int_eq(sockets_listen(missing, 2, false, 0, "--http-port", &s, &err), SB_EUNAVAILABLE);
    ck_assert_int_eq(sockets_listen(missing, 2, true, 0, "--http-port", &s, &err),
                     SB_OK); /* a default ::1 that is not there */
    ck_assert_int_lt(s.fd[1], 0);
    sockets_close(&s);
    ck_assert_int_eq(sockets_listen(foreign, 1, true, 0, "--http-port", &s, &err), SB_EUNAVAILABLE);
    ck_assert(!sockets_is_public("127.0.0.1"));
    ck_assert(!sockets_is_public("127.1.2.3"));
    ck_assert(!sockets_is_public("::1"));
    ck_assert(sockets_is_public("0.0.0.0"));
    ck_assert(sockets_is_public("::"));
    ck_assert(sockets_is_public("192.168.0.1"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("pool");
    tcase_add_test(t, test_pool__runs_each_job_once);
    tcase_add_test(t, test_pool__queue_is_bounded);
    tcase_add_test(t, test_pool__unused);
    tcase_add_test(t, test_sockets__one_port_for_all);
    tcase_add_test(t, test_sockets__addresses);
    suite_add_tcase(s, t);
    return s;
}
