/*
 * test_broker_early.c: what is answered before the disk has it, and what is not.
 *
 * The disk is held up: an op that is answered meanwhile has not waited for it. A gate holds the owner of the
 * database, so that what is submitted meanwhile shares one transaction.
 */
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>
#include "storage/store_private.h"
#include "tests/unit/engine/broker_fixture.h"
#include "tests/unit/unit.h"

static atomic_bool held;
static sem_t released;

static int held_sync(int fd)
{
    if (atomic_load(&held))
        while (sem_wait(&released) != 0)
            continue;
    return fdatasync(fd);
}

static void hold(void)
{
    settle();
    /* As after a batch that was put off: this one is not. */
    e->sb->put_off = true;
    e->sb->commit_ns = INT64_C(10000000);
    atomic_store(&held, true);
}

static void let_go(void)
{
    atomic_store(&held, false);
    sem_post(&released);
}

struct gate {
    struct store_op op;
    sem_t entered, leave;
};

static enum sb_err gate_run(struct tx *tx, struct store_op *op, struct sb_error *why)
{
    struct gate *g = (struct gate *)op;
    SB_UNUSED(tx);
    SB_UNUSED(why);
    sem_post(&g->entered);
    while (sem_wait(&g->leave) != 0)
        continue;
    return SB_OK;
}

static void gate_done(struct store_op *op)
{
    SB_UNUSED(op);
}

static struct gate gate;

static void gate_close(void)
{
    gate = (struct gate){.op = {.run = gate_run, .done = gate_done}};
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.leave, 0, 0);
    store_submit(e->sb, &gate.op);
    while (sem_wait(&gate.entered) != 0)
        continue;
}

static bool over_now(struct task *t)
{
    pthread_mutex_lock(&t->w.lock);
    bool done = t->w.done;
    pthread_mutex_unlock(&t->w.lock);
    return done;
}

static char dir[32];

static void up(void)
{
    strcpy(dir, "/tmp/sb-early-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    sem_init(&released, 0, 0);
    broker_up_in(dir);
    q_put(q_spec("q"));
    settle();
    e->sb->sync_log = held_sync;
}

static void down(void)
{
    char rm[64];
    world_down();
    snprintf(rm, sizeof rm, "rm -rf %s", dir);
    ck_assert_int_eq(system(rm), 0);
}

START_TEST(test_early__a_lock_does_not_wait_for_the_disk)
{
    send("q", "m");
    hold();
    struct task *t = task_new(BROKER_RECEIVE, "q");
    task_go(t);
    ck_assert(task_over(t));
    ck_assert_str_eq(body_of(&t->op), "m");
    let_go();
    task_end(t);
    hold();
    t = task_new(BROKER_RENEW, "q");
    t->op.seq = got.seq;
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, got.lock_token));
    task_go(t);
    ck_assert(task_over(t));
    let_go();
    ck_assert_int_eq(task_end(t), SB_OK);
    ck_assert_int_eq(finish_as("q", BROKER_COMPLETE, &got), SB_OK);
}
END_TEST

static const enum broker_kind others[] = {BROKER_COMPLETE, BROKER_UNLOCK, BROKER_RECEIVE_DELETE, BROKER_SEND};

/* A lock that is taken in the same transaction, after it, is there sooner. */
START_TEST(test_early__others_do)
{
    enum broker_kind kind = others[_i];
    send("q", "m");
    send("q", "n");
    if (kind != BROKER_RECEIVE_DELETE)
        ck_assert_str_eq(lock("q"), "m");
    struct task *t = task_new(kind, "q"), *beside = task_new(BROKER_RECEIVE, "q");
    t->op.seq = got.seq;
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, got.lock_token));
    if (kind == BROKER_SEND)
        task_message(t, "o", NULL);
    hold();
    gate_close();
    task_go(t);
    task_go(beside);
    sem_post(&gate.leave);
    ck_assert(task_over(beside));
    ck_assert(!over_now(t));
    let_go();
    ck_assert_int_eq(task_end(t), SB_OK);
    ck_assert_int_eq(task_end(beside), SB_OK);
    ck_assert_str_eq(body_of(&beside->op), kind == BROKER_UNLOCK ? "m" : "n");
}
END_TEST

/* Its sender does not know yet that it is there: nobody is to see it. */
START_TEST(test_early__a_message_of_the_same_transaction_waits)
{
    struct task *s = task_new(BROKER_SEND, "q"), *r = task_new(BROKER_RECEIVE, "q");
    struct task *old = task_new(BROKER_RECEIVE, "q");
    task_message(s, "new", NULL);
    send("q", "old");
    hold();
    gate_close();
    task_go(s);
    task_go(old);
    task_go(r);
    sem_post(&gate.leave);
    ck_assert(task_over(old));
    ck_assert_str_eq(body_of(&old->op), "old");
    ck_assert(!over_now(s));
    ck_assert(!over_now(r));
    let_go();
    ck_assert_int_eq(task_end(s), SB_OK);
    ck_assert_int_eq(task_end(r), SB_OK);
    task_end(old);
    ck_assert_str_eq(body_of(&r->op), "new");
}
END_TEST

/* What a lock's op did besides is seen by whoever got its answer. */
START_TEST(test_early__what_fell_due_is_counted_first)
{
    struct entity_spec spec = q_spec("q");
    spec.dead_letter_expired = 1;
    q_put(spec);
    ck_assert_int_eq(send_with("q", "short", NULL, 1000, 0), SB_OK);
    send("q", "long");
    /* Not by the clock's own means, which would run what is due at once. */
    sql("UPDATE message SET expires_ms=1, due_ms=1 WHERE expires_ms IS NOT NULL");
    ns_find(e, NS)->broker->next_due = 0;
    hold();
    struct task *t = task_new(BROKER_RECEIVE, "q");
    gate_close();
    task_go(t);
    sem_post(&gate.leave);
    let_go();
    ck_assert_int_eq(task_end(t), SB_OK);
    ck_counts("q", 1, 1, 0);
    ck_assert_str_eq(body_of(&t->op), "long");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("broker_early");
    TCase *t = tcase_create("early");
    tcase_add_checked_fixture(t, up, down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_early__a_lock_does_not_wait_for_the_disk);
    tcase_add_loop_test(t, test_early__others_do, 0, (int)SB_ARRAY_LEN(others));
    tcase_add_test(t, test_early__a_message_of_the_same_transaction_waits);
    tcase_add_test(t, test_early__what_fell_due_is_counted_first);
    suite_add_tcase(s, t);
    return s;
}
