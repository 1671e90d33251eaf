/*
 * test_store.c: the owner thread: order, durability, rollback, waiting, closing, and what a kill leaves.
 *
 * An `ins` op inserts one number into the scratch table. A gate op holds the owner inside its run, so that
 * what a test submits meanwhile forms the next batch.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "server/base/fault.h"
#include "storage/store_private.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/unit.h"

/* A SQLite file system that can fail what is written to the log. */
static sqlite3_vfs vfs_wrap;
static sqlite3_vfs *vfs_real;
static sqlite3_io_methods wal_methods;
static const sqlite3_io_methods *wal_real;
static atomic_bool wal_write_fails;

static int wal_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return atomic_load(&wal_write_fails) ? SQLITE_IOERR_WRITE : wal_real->xWrite(f, p, n, at);
}

static int wrap_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
    SB_UNUSED(v);
    int rc = vfs_real->xOpen(vfs_real, name, f, flags, out);
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        wal_real = f->pMethods;
        wal_methods = *wal_real;
        wal_methods.xWrite = wal_write;
        f->pMethods = &wal_methods;
    }
    return rc;
}

static void vfs_setup(void)
{
    /* A first store sets the library up, which is not possible behind a registered file system. */
    store_close(fix_open(NULL, STORE_SB));
    vfs_real = sqlite3_vfs_find(NULL);
    vfs_wrap = *vfs_real;
    vfs_wrap.zName = "wrap";
    vfs_wrap.xOpen = wrap_open;
    atomic_store(&wal_write_fails, false);
    ck_assert_int_eq(sqlite3_vfs_register(&vfs_wrap, 1), SQLITE_OK);
}

static void vfs_teardown(void)
{
    sqlite3_vfs_unregister(&vfs_wrap);
    sqlite3_vfs_register(vfs_real, 1);
}

static struct store *store;

/* A disk that is waited for by another thread. */
#define SLOW_COMMIT_NS INT64_C(10000000)

/* In place of fdatasync: counts, fails, and is held up. */
static atomic_int wal_syncs;   /* that are over */
static atomic_int owner_syncs; /* those of them that the owner did */
static atomic_bool sync_fails, sync_held;
static sem_t sync_entered, sync_leave;

static void sem_take(sem_t *s)
{
    while (sem_wait(s) != 0)
        continue;
}

static int test_sync(int fd)
{
    if (store_is_owner(store))
        atomic_fetch_add(&owner_syncs, 1);
    if (atomic_load(&sync_held)) {
        sem_post(&sync_entered);
        sem_take(&sync_leave);
    }
    int rc = fdatasync(fd);
    atomic_fetch_add(&wal_syncs, 1);
    errno = EIO;
    return atomic_load(&sync_fails) ? -1 : rc;
}

static void sync_setup(void)
{
    atomic_store(&wal_syncs, 0);
    atomic_store(&sync_fails, false);
    atomic_store(&sync_held, false);
    sem_init(&sync_entered, 0, 0);
    sem_init(&sync_leave, 0, 0);
}

struct ins {
    struct store_op op;
    struct store *s;
    int64_t value;
    enum sb_err then; /* what run returns after it has inserted */
    int ran;
    int done_at; /* position among all answers, from 1 */
    int syncs_at_run, syncs_at_done;
    enum sb_err rc;
    struct ins *submit_next; /* from done */
};

static atomic_int answers;
static sem_t answered, looked;

static enum sb_err ins_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct ins *i = (struct ins *)op;
    char sql[80];
    i->ran++;
    i->syncs_at_run = wal_syncs;
    snprintf(sql, sizeof sql, "INSERT INTO t(v) VALUES(%lld)", (long long)i->value);
    enum sb_err rc = fix_sql(tx, sql, err);
    return rc != SB_OK ? rc : i->then;
}

static void ins_done(struct store_op *op)
{
    struct ins *i = (struct ins *)op;
    i->done_at = atomic_fetch_add(&answers, 1) + 1;
    i->syncs_at_done = wal_syncs;
    i->rc = op->rc;
    if (op->rc != SB_OK)
        ck_assert_int_eq(op->err.code, op->rc);
    if (i->submit_next != NULL)
        store_submit(i->s, &i->submit_next->op);
    sem_post(&answered);
}

static void ins_init(struct ins *i, struct store *s, int64_t value)
{
    *i = (struct ins){.op = {.run = ins_run, .done = ins_done}, .s = s, .value = value};
}

struct gate {
    struct store_op op;
    sem_t entered, leave;
};

static enum sb_err gate_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct gate *g = (struct gate *)op;
    SB_UNUSED(tx);
    SB_UNUSED(err);
    sem_post(&g->entered);
    sem_take(&g->leave);
    return SB_OK;
}

static void gate_done(struct store_op *op)
{
    SB_UNUSED(op);
}

static void gate_close_with(struct gate *g, struct store *s, unsigned flags)
{
    *g = (struct gate){.op = {.run = gate_run, .done = gate_done, .flags = flags}};
    sem_init(&g->entered, 0, 0);
    sem_init(&g->leave, 0, 0);
    store_submit(s, &g->op);
    sem_take(&g->entered);
}

/* In a transaction of its own: what is submitted meanwhile is a batch. */
static void gate_close(struct gate *g, struct store *s)
{
    gate_close_with(g, s, STORE_ALONE);
}

static void wait_answers(int n)
{
    for (int i = 0; i < n; i++)
        sem_take(&answered);
}

static struct gate gate;

static void setup(void)
{
    atomic_store(&answers, 0);
    sem_init(&answered, 0, 0);
    sem_init(&looked, 0, 0);
    fix_setup();
    vfs_setup();
    sync_setup();
    store = fix_open(fix_db, STORE_SB);
    store->sync_log = test_sync;
    store->commit_ns = SLOW_COMMIT_NS;
}

static void teardown(void)
{
    store_close(store);
    vfs_teardown();
    fix_teardown();
}

static void start(const struct store_hooks *hooks)
{
    fix_start(store, hooks);
    fix_table(store);
}

struct watch {
    int commits, settled, lost;
    atomic_int broken;
    enum sb_err refuse; /* what before_commit returns */
};

static enum sb_err watch_commit(void *cookie, struct tx *tx, struct sb_error *err)
{
    struct watch *w = cookie;
    w->commits++;
    if (w->refuse != SB_OK)
        return w->refuse;
    return fix_sql(tx, "UPDATE t SET body=x'00' WHERE body IS NULL", err);
}

static void watch_settled(void *cookie)
{
    struct watch *w = cookie;
    w->settled++;
}

static void watch_lost(void *cookie, struct tx *tx)
{
    struct watch *w = cookie;
    w->lost++;
    ck_assert_int_ge(fix_value(tx->db, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void watch_broken(void *cookie, const char *why)
{
    SB_UNUSED(why);
    struct watch *w = cookie;
    atomic_fetch_add(&w->broken, 1);
}

static struct store_hooks watch_hooks(struct watch *w)
{
    return (struct store_hooks){.cookie = w,
                                .before_commit = watch_commit,
                                .settled = watch_settled,
                                .batch_lost = watch_lost,
                                .on_broken = watch_broken};
}

static enum sb_err refuse_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct ins *i = (struct ins *)op;
    SB_UNUSED(tx);
    i->ran++;
    return sb_fail(err, SB_ELIMIT, "no");
}

START_TEST(test_store__batch_commits_once_in_order)
{
    struct ins ins[20];
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 20; i++) {
        ins_init(&ins[i], store, i);
        store_submit(store, &ins[i].op);
    }
    int before = wal_syncs;
    sem_post(&gate.leave);
    wait_answers(20);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(ins[i].rc, SB_OK);
        ck_assert_int_eq(ins[i].done_at, i + 1);
        /* Durable before it is answered, and all with one fsync. */
        ck_assert_int_eq(ins[i].syncs_at_run, before);
        ck_assert_int_eq(ins[i].syncs_at_done, before + 1);
    }
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 20);
}
END_TEST

#define NEVER_NS (INT64_MAX / 4)

static void submit_lazy(struct ins *i, int64_t value)
{
    ins_init(i, store, value);
    i->op.flags = STORE_LAZY;
    store_submit(store, &i->op);
}

START_TEST(test_store__lazy_op_shares_the_commit_of_another)
{
    struct ins lazy[2], other;
    store->lazy_ns = NEVER_NS;
    start(NULL);
    submit_lazy(&lazy[0], 7);
    submit_lazy(&lazy[1], 8);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 0); /* not that of a read */
    int before = wal_syncs;
    ins_init(&other, store, 1);
    store_submit(store, &other.op);
    wait_answers(3);
    ck_assert_int_eq(other.done_at, 1); /* that one is not made to wait behind them */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(lazy[i].rc, SB_OK);
        ck_assert_int_eq(lazy[i].done_at, i + 2);
        ck_assert_int_eq(lazy[i].syncs_at_done, before + 1);
    }
}
END_TEST

static void hurry(void)
{
    store_hurry(store);
    wait_answers(1);
}

static void wait_for_its_time(void)
{
    wait_answers(1);
}

static void close_and_open(void)
{
    store_close(store);
    store = fix_open(fix_db, STORE_SB);
}

static const struct {
    int64_t lazy_ns;
    void (*act)(void);
} ends_of_waiting[] = {{NEVER_NS, hurry}, {1000000, wait_for_its_time}, {NEVER_NS, close_and_open}};

START_TEST(test_store__lazy_op_goes)
{
    struct ins lazy;
    store->lazy_ns = ends_of_waiting[_i].lazy_ns;
    start(NULL);
    submit_lazy(&lazy, 7);
    ends_of_waiting[_i].act();
    ck_assert_int_eq(lazy.rc, SB_OK);
    ck_assert_int_eq(lazy.done_at, 1);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t WHERE v=7"), 1);
}
END_TEST

START_TEST(test_store__reading_does_not_sync)
{
    start(NULL);
    int before = wal_syncs;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 0);
    ck_assert_int_eq(wal_syncs, before);
}
END_TEST

START_TEST(test_store__undone_op_does_not_sync)
{
    struct ins a;
    start(NULL);
    ins_init(&a, store, 1);
    a.then = SB_ELIMIT;
    int before = wal_syncs;
    store_submit(store, &a.op);
    wait_answers(1);
    ck_assert_int_eq(a.rc, SB_ELIMIT);
    ck_assert_int_eq(wal_syncs, before);
}
END_TEST

START_TEST(test_store__failed_op_rolls_back_itself_only)
{
    struct ins ins[6];
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 6; i++)
        ins_init(&ins[i], store, i);
    ins[1].then = SB_ELIMIT; /* after it has written */
    ins[3].value = 2;        /* taken by the op before it */
    for (int i = 0; i < 6; i++)
        store_submit(store, &ins[i].op);
    sem_post(&gate.leave);
    wait_answers(6);
    for (int i = 0; i < 6; i++) {
        ck_assert_int_eq(ins[i].rc, i == 1 ? SB_ELIMIT : i == 3 ? SB_ECONFLICT : SB_OK);
        ck_assert_int_eq(ins[i].done_at, i + 1);
    }
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t WHERE v IN (0,2,4,5)"), 4);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 4);
}
END_TEST

/* An op that fails before it writes anything disturbs nobody. */
START_TEST(test_store__harmless_failure_is_not_rerun)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[3];
    fix_table(store);
    fix_start(store, &hooks);
    gate_close(&gate, store);
    for (int i = 0; i < 3; i++) {
        ins_init(&ins[i], store, i);
        if (i == 1)
            ins[i].op.run = refuse_run;
        store_submit(store, &ins[i].op);
    }
    int before = wal_syncs;
    sem_post(&gate.leave);
    wait_answers(3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ins[i].rc, i == 1 ? SB_ELIMIT : SB_OK);
        ck_assert_int_eq(ins[i].ran, 1);
    }
    ck_assert_int_eq(w.lost, 0);
    ck_assert_int_eq(wal_syncs, before + 1);
}
END_TEST

/* An op that comes while a batch runs is in its transaction, up to the largest batch. */
START_TEST(test_store__ops_join_a_running_batch)
{
    enum { N = 300 };
    static struct ins ins[N];
    int largest = 0;
    start(NULL);
    gate_close_with(&gate, store, 0);
    for (int i = 0; i < N; i++)
        ins_init(&ins[i], store, i);
    int before = wal_syncs;
    for (int i = 0; i < N; i++)
        store_submit(store, &ins[i].op);
    sem_post(&gate.leave);
    wait_answers(N);
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(ins[i].rc, SB_OK);
        ck_assert_int_eq(ins[i].done_at, i + 1);
        if (ins[i].syncs_at_done == before + 1)
            largest = i + 1;
    }
    /* The gate's op is one of the 256. */
    ck_assert_int_eq(largest, 255);
    ck_assert_int_eq(wal_syncs, before + 2);
}
END_TEST

/* Whoever had company is waited for, but not for ever: neither one op alone, nor one that cannot join, nor
 * the end is held up. */
START_TEST(test_store__lone_op_after_company_is_answered)
{
    struct ins many[30], one, alone, last;
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 30; i++) {
        ins_init(&many[i], store, i);
        store_submit(store, &many[i].op);
    }
    sem_post(&gate.leave);
    wait_answers(30);
    ck_assert_uint_ge(store->company, 30);
    store->commit_ns = INT64_C(3600000000000); /* the wait's own limit counts */
    ins_init(&one, store, 100);
    store_submit(store, &one.op);
    wait_answers(1);
    ck_assert_int_eq(one.rc, SB_OK);
    ins_init(&one, store, 101);
    ins_init(&alone, store, 102);
    alone.op.flags = STORE_ALONE;
    store_submit(store, &one.op);
    store_submit(store, &alone.op);
    wait_answers(2);
    ck_assert_int_eq(alone.rc, SB_OK);
    /* Those who are gone are forgotten. */
    for (int i = 0; i < 40; i++) {
        ins_init(&one, store, 200 + i);
        store_submit(store, &one.op);
        wait_answers(1);
    }
    ck_assert_uint_eq(store->company, 1);
    ins_init(&last, store, 103);
    store_submit(store, &last.op);
    store_close(store);
    ck_assert_int_eq(last.rc, SB_OK);
    store = fix_open(fix_db, STORE_SB);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 74);
}
END_TEST

START_TEST(test_store__alone_has_its_own_transaction)
{
    struct ins ins[5];
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 5; i++) {
        ins_init(&ins[i], store, i);
        ins[i].op.flags = i == 2 ? STORE_ALONE : 0;
        store_submit(store, &ins[i].op);
    }
    int before = wal_syncs;
    sem_post(&gate.leave);
    wait_answers(5);
    /* 0 1 | 2 | 3 4 */
    ck_assert_int_eq(ins[1].syncs_at_run, before);
    ck_assert_int_eq(ins[2].syncs_at_run, before + 1);
    ck_assert_int_eq(ins[2].syncs_at_done, before + 2);
    ck_assert_int_eq(ins[3].syncs_at_run, before + 2);
    ck_assert_int_eq(ins[4].syncs_at_done, before + 3);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(ins[i].done_at, i + 1);
}
END_TEST

START_TEST(test_store__before_commit_only_when_written)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins a, b;
    fix_table(store);
    fix_start(store, &hooks);
    ck_assert_int_eq(fix_get(store, "SELECT 1"), 1);
    ck_assert_int_eq(w.commits, 0);
    ins_init(&a, store, 1);
    store_submit(store, &a.op);
    wait_answers(1);
    ck_assert_int_eq(w.commits, 1);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t WHERE body IS NOT NULL"), 1);
    /* When it fails, nothing of the op stays. */
    w.refuse = SB_ELIMIT;
    ins_init(&b, store, 2);
    store_submit(store, &b.op);
    wait_answers(1);
    ck_assert_int_eq(b.rc, SB_ELIMIT);
    ck_assert_int_eq(w.lost, 1);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 1);
    ck_assert(store_healthy(store));
}
END_TEST

static enum sb_err fill_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct ins *i = (struct ins *)op;
    i->ran++;
    return fix_sql(tx, "INSERT INTO t(v,body) VALUES(99,zeroblob(8000000))", err);
}

START_TEST(test_store__lost_batch_is_rerun_one_by_one)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[5];
    fix_table(store);
    fix_exec(store, "PRAGMA max_page_count=100");
    fix_start(store, &hooks);
    gate_close(&gate, store);
    for (int i = 0; i < 5; i++) {
        ins_init(&ins[i], store, i);
        if (i == 3)
            ins[i].op.run = fill_run; /* SQLITE_FULL takes the whole transaction with it */
        store_submit(store, &ins[i].op);
    }
    sem_post(&gate.leave);
    wait_answers(5);
    ck_assert_int_ge(w.lost, 1);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ins[i].rc, i == 3 ? SB_EIO : SB_OK);
        ck_assert_int_eq(ins[i].done_at, i + 1);
        ck_assert_int_eq(ins[i].ran, i == 4 ? 1 : 2);
    }
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 4);
    ck_assert(store_healthy(store));
}
END_TEST

/* Nothing is done by a broken store any more. */
static void check_broken(struct watch *w, struct ins *late)
{
    ck_assert_int_eq(atomic_load(&w->broken), 1);
    ck_assert(!store_healthy(store));
    ins_init(late, store, 3);
    store_submit(store, &late->op);
    wait_answers(1);
    ck_assert_int_eq(late->rc, SB_EIO);
    ck_assert_int_eq(late->ran, 0);
    ck_assert_int_eq(store_scrub(store, NULL), SB_EIO);
}

START_TEST(test_store__failed_commit_breaks_the_store)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[4];
    fix_table(store);
    fix_start(store, &hooks);
    gate_close(&gate, store);
    for (int i = 0; i < 3; i++) {
        ins_init(&ins[i], store, i);
        store_submit(store, &ins[i].op);
    }
    atomic_store(&wal_write_fails, true);
    sem_post(&gate.leave);
    wait_answers(3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ins[i].rc, SB_EIO);
    atomic_store(&wal_write_fails, false);
    check_broken(&w, &ins[3]);
}
END_TEST

static enum sb_err look_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct ins *i = (struct ins *)op;
    SB_UNUSED(err);
    ck_assert_int_eq(fix_value(tx->db, "SELECT count(*) FROM t"), i->value);
    sem_post(&looked);
    return SB_OK;
}

/* Submits n ins whose log stays on its way to the disk until sync_leave. */
static void submit_held(struct ins *ins, int n)
{
    atomic_store(&sync_held, true);
    gate_close(&gate, store);
    for (int i = 0; i < n; i++) {
        ins_init(&ins[i], store, i);
        store_submit(store, &ins[i].op);
    }
    sem_post(&gate.leave);
    sem_take(&sync_entered);
}

static void release_sync(void)
{
    atomic_store(&sync_held, false);
    sem_post(&sync_leave);
}

/* The next batch runs while the log of the one before is on its way to the disk, and sees what it wrote; but
 * neither is answered before that has come to its end, though one of them only reads. */
START_TEST(test_store__answers_wait_for_the_disk)
{
    struct ins ins[3], look, more, last;
    start(NULL);
    int before = wal_syncs;
    submit_held(ins, 3);
    ins_init(&look, store, 3);
    look.op.run = look_run;
    look.op.flags = _i == 0 ? OP_READ : 0;
    store_submit(store, &look.op);
    sem_take(&looked);
    if (_i == 1) { /* the next batch writes, too */
        ins_init(&more, store, 9);
        store_submit(store, &more.op);
        ins_init(&last, store, 4);
        last.op.run = look_run;
        store_submit(store, &last.op);
        sem_take(&looked);
    }
    ck_assert_int_eq(atomic_load(&answers), 0);
    ck_assert_int_eq(wal_syncs, before);
    release_sync();
    wait_answers(_i == 0 ? 4 : 6);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ins[i].syncs_at_done, before + 1);
    ck_assert_int_eq(look.done_at, 4);
    ck_assert_int_eq(look.syncs_at_done, before + 1 + _i);
}
END_TEST

/* What is not on the disk may be lost: nobody is told otherwise, and what was run on top of it is undone. */
START_TEST(test_store__failed_sync_breaks_the_store)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[3], next, late;
    fix_table(store);
    fix_start(store, &hooks);
    submit_held(ins, 3);
    gate_close_with(&gate, store, 0);
    ins_init(&next, store, 9);
    store_submit(store, &next.op);
    atomic_store(&sync_fails, true);
    sem_post(&gate.leave);
    release_sync();
    wait_answers(4);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ins[i].rc, SB_EIO);
        ck_assert_int_eq(ins[i].done_at, i + 1);
    }
    ck_assert_int_eq(next.rc, SB_EIO);
    ck_assert_int_eq(next.done_at, 4);
    atomic_store(&sync_fails, false);
    check_broken(&w, &late);
    store_close(store);
    store = fix_open(fix_db, STORE_SB);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t WHERE v=9"), 0);
}
END_TEST

static void submit_early(struct ins *i, int64_t value)
{
    ins_init(i, store, value);
    i->op.flags = STORE_EARLY;
    store_submit(store, &i->op);
}

/* What may be forgotten is answered before the disk has it, and stays so when the disk fails; what was
 * changed with it is told of with the others. */
START_TEST(test_store__early_answer)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[2], early;
    bool fails = _i == 1;
    fix_table(store);
    fix_start(store, &hooks);
    store->company = 8;
    gate_close(&gate, store);
    atomic_store(&sync_held, true);
    atomic_store(&sync_fails, fails);
    ins_init(&ins[0], store, 1);
    store_submit(store, &ins[0].op);
    submit_early(&early, 2);
    ins_init(&ins[1], store, 3);
    store_submit(store, &ins[1].op);
    int before = wal_syncs, settled = w.settled;
    sem_post(&gate.leave);
    wait_answers(1);
    ck_assert_int_eq(early.rc, SB_OK);
    ck_assert_int_eq(early.done_at, 1);
    ck_assert_int_eq(early.syncs_at_done, before);
    sem_take(&sync_entered);
    ck_assert_int_eq(w.settled, settled + 1); /* the gate */
    release_sync();
    wait_answers(2);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(ins[i].rc, fails ? SB_EIO : SB_OK);
        ck_assert_int_eq(ins[i].done_at, i + 2);
        ck_assert_int_eq(ins[i].syncs_at_done, before + 1);
    }
    ck_assert_int_eq(w.settled, settled + (fails ? 1 : 2));
    if (fails)
        return;
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 3);
}
END_TEST

/* A batch for which nobody waits is synced with the next one, whatever that is: no more than two are ever
 * missing from the disk (wal.c). */
START_TEST(test_store__early_batch_is_put_off_once)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins early;
    fix_table(store);
    fix_start(store, &hooks);
    int before = wal_syncs;
    for (int i = 0; i < 5; i++) {
        int settled = w.settled;
        submit_early(&early, i);
        wait_answers(1);
        ck_assert_int_eq(early.rc, SB_OK);
        ck_assert_int_eq(early.syncs_at_done, before + i / 2);
        ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), i + 1);
        ck_assert_int_gt(w.settled, settled);
        ck_assert_int_eq(wal_syncs, before + (i + 1) / 2);
    }
    ins_init(&early, store, 9);
    store_submit(store, &early.op);
    wait_answers(1);
    ck_assert_int_eq(early.syncs_at_done, before + 3);
}
END_TEST

static enum sb_err nothing(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(tx);
    SB_UNUSED(arg);
    SB_UNUSED(err);
    return SB_OK;
}

/* An op that is alone and finds done what it was to do answers for it. */
START_TEST(test_store__what_is_alone_leaves_nothing_put_off)
{
    struct ins early;
    fix_table(store);
    fix_start(store, NULL);
    int before = wal_syncs;
    submit_early(&early, 1);
    wait_answers(1);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 1);
    ck_assert_int_eq(wal_syncs, before);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(store_call(store, nothing, NULL, NULL), SB_OK);
        ck_assert_int_eq(wal_syncs, before + 1);
    }
}
END_TEST

/* Where a sync takes no time, no thread is woken for it. */
START_TEST(test_store__quick_disk_is_synced_by_the_owner)
{
    struct ins a;
    start(NULL);
    for (int i = 0; i < 2; i++) {
        store->commit_ns = i == 0 ? 0 : SLOW_COMMIT_NS;
        store->company = 8;
        int before = owner_syncs;
        ins_init(&a, store, i);
        store_submit(store, &a.op);
        wait_answers(1);
        ck_assert_int_eq(a.rc, SB_OK);
        ck_assert_int_eq(owner_syncs, i == 0 ? before + 1 : before);
    }
}
END_TEST

/* An op that is alone is on the disk before the next one runs. */
START_TEST(test_store__failed_sync_of_one_alone)
{
    struct watch w = {0};
    struct store_hooks hooks = watch_hooks(&w);
    struct ins ins[2];
    fix_table(store);
    fix_start(store, &hooks);
    atomic_store(&sync_fails, true);
    ins_init(&ins[0], store, 1);
    ins[0].op.flags = STORE_ALONE;
    store_submit(store, &ins[0].op);
    wait_answers(1);
    ck_assert_int_eq(ins[0].rc, SB_EIO);
    check_broken(&w, &ins[1]);
}
END_TEST

START_TEST(test_store__scrub_removes_deleted_bytes)
{
    const char *marker = "Qplanted-marker-7731";
    start(NULL);
    fix_exec(store, "INSERT INTO t(v,body) VALUES(1,CAST('Qplanted-marker-7731' AS BLOB))");
    ck_assert_int_ge(fix_grep(fix_wal, marker), 1);
    fix_exec(store, "DELETE FROM t");
    /* The negative control: secure_delete alone leaves it in the log. */
    ck_assert_int_ge(fix_grep(fix_wal, marker), 1);
    ck_assert_int_eq(store_scrub(store, NULL), SB_OK);
    ck_assert_int_eq(fix_size(fix_wal), 0);
    ck_assert_int_eq(fix_grep(fix_db, marker), 0);
    fix_exec(store, "INSERT INTO t(v) VALUES(2)");
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 1);
}
END_TEST

START_TEST(test_store__log_is_checkpointed)
{
    start(NULL);
    for (int i = 0; i < 12; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "INSERT INTO t(v,body) VALUES(%d,zeroblob(4000000))", i);
        fix_exec(store, sql);
    }
    /* 48 MB went through a log that is copied back every 16 MiB. */
    ck_assert_int_lt(fix_size(fix_wal), 24000000);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 12);
}
END_TEST

START_TEST(test_store__submit_from_done)
{
    struct ins a, b;
    start(NULL);
    ins_init(&a, store, 1);
    ins_init(&b, store, 2);
    a.submit_next = &b;
    store_submit(store, &a.op);
    wait_answers(2);
    ck_assert_int_eq(b.rc, SB_OK);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 2);
}
END_TEST

static void published(void *arg)
{
    int *n = arg;
    *n = 7;
}

static enum sb_err write_one(struct tx *tx, void *arg, struct sb_error *err)
{
    int *n = arg;
    ck_assert_int_ne(*n, 7);
    return fix_sql(tx, "INSERT INTO t(v) VALUES(1)", err);
}

START_TEST(test_store__call_publish)
{
    int n = 0, m = 0;
    struct sb_error err = {0};
    start(NULL);
    ck_assert(!store_is_owner(store));
    ck_assert_int_eq(store_call_publish(store, write_one, published, &n, NULL), SB_OK);
    ck_assert_int_eq(n, 7);
    /* The same row again fails, and then nothing is published. */
    ck_assert_int_eq(store_call_publish(store, write_one, published, &m, &err), SB_ECONFLICT);
    ck_assert_int_eq(m, 0);
    ck_assert_int_eq(err.code, SB_ECONFLICT);
    ck_assert_str_eq(err.detail, "UNIQUE constraint failed: t.v");
}
END_TEST

/* Joined calls share a transaction with what is queued; one that fails takes nobody with it. */
static void *join_main(void *arg)
{
    return (void *)(intptr_t)store_call_joined(store, write_one, published, arg, NULL);
}

START_TEST(test_store__call_joined)
{
    int n[4] = {0}, ok = 0;
    pthread_t t[4];
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, join_main, &n[i]), 0);
    sem_post(&gate.leave);
    for (int i = 0; i < 4; i++) {
        void *rc;
        pthread_join(t[i], &rc);
        ck_assert((enum sb_err)(intptr_t)rc == (n[i] == 7 ? SB_OK : SB_ECONFLICT));
        ok += n[i] == 7;
    }
    ck_assert_int_eq(ok, 1); /* the same row by all of them */
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 1);
}
END_TEST

START_TEST(test_store__read_must_not_write)
{
    int n = 0;
    start(NULL);
    ck_assert_int_eq(store_read(store, write_one, &n, NULL), SB_EINTERNAL);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 0);
}
END_TEST

static void *close_main(void *arg)
{
    store_close(arg);
    return NULL;
}

START_TEST(test_store__close_runs_what_is_queued)
{
    struct ins ins[301], late;
    pthread_t t;
    start(NULL);
    gate_close(&gate, store);
    for (int i = 0; i < 301; i++) {
        ins_init(&ins[i], store, i);
        store_submit(store, &ins[i].op);
    }
    /* Submitted when the store is closing: by then, from the last op's done. */
    ins_init(&late, store, 1000);
    ins[300].submit_next = &late;
    pthread_create(&t, NULL, close_main, store);
    /* Long enough for the other thread to be inside store_close. */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    sem_post(&gate.leave);
    pthread_join(t, NULL);
    ck_assert_int_eq(answers, 302);
    ck_assert_int_eq(ins[0].rc, SB_OK);
    ck_assert_int_eq(ins[300].rc, SB_OK);
    ck_assert_int_eq(late.rc, SB_EUNAVAILABLE);
    ck_assert_int_eq(late.ran, 0);
    ck_assert_int_eq(fix_size(fix_wal), -1);
    store = fix_open(fix_db, STORE_SB);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 301);
}
END_TEST

START_TEST(test_store__never_started)
{
    struct ins a;
    fix_table(store);
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), 0);
    ck_assert_int_eq(store_scrub(store, NULL), SB_OK);
    ins_init(&a, store, 1);
    store_submit(store, &a.op);
    store_close(store);
    store = NULL;
    ck_assert_int_eq(a.rc, SB_EUNAVAILABLE);
}
END_TEST

struct submitter {
    struct ins ins;
    sem_t sem;
    int first, n, ok;
};

static void submitter_done(struct store_op *op)
{
    struct submitter *u = (struct submitter *)op;
    u->ok += op->rc == SB_OK;
    sem_post(&u->sem);
}

static void *submitter_main(void *arg)
{
    struct submitter *u = arg;
    for (int i = 0; i < u->n; i++) {
        u->ins.value = u->first + i;
        store_submit(u->ins.s, &u->ins.op);
        sem_take(&u->sem);
    }
    return NULL;
}

START_TEST(test_store__concurrent_submitters)
{
    enum { THREADS = 16, EACH = 100 };
    static struct submitter u[THREADS];
    pthread_t t[THREADS];
    start(NULL);
    for (int i = 0; i < THREADS; i++) {
        u[i] = (struct submitter){.first = i * EACH, .n = EACH};
        ins_init(&u[i].ins, store, 0);
        u[i].ins.op.done = submitter_done;
        sem_init(&u[i].sem, 0, 0);
        pthread_create(&t[i], NULL, submitter_main, &u[i]);
    }
    for (int i = 0; i < 50; i++) {
        ck_assert_int_ge(fix_get(store, "SELECT count(*) FROM t"), 0);
        if (i % 10 == 0)
            ck_assert_int_eq(store_scrub(store, NULL), SB_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        ck_assert_int_eq(u[i].ok, EACH);
    }
    ck_assert_int_eq(fix_get(store, "SELECT count(*) FROM t"), THREADS * EACH);
}
END_TEST

START_TEST(test_store__in_memory)
{
    struct store *m = fix_open(NULL, STORE_KV);
    struct sb_error err = {0};
    fix_start(m, NULL);
    fix_table(m);
    fix_exec(m, "INSERT INTO t(v) VALUES(1)");
    ck_assert_int_eq(fix_get(m, "SELECT count(*) FROM t"), 1);
    ck_assert_msg(store_scrub(m, &err) == SB_OK, "%s", err.detail);
    store_close(m);
}
END_TEST

static enum sb_err open_again(const char *path, enum store_kind kind, struct sb_error *err)
{
    struct store *s = NULL;
    enum sb_err rc = store_open(path, kind, &s, err);
    store_close(s);
    return rc;
}

START_TEST(test_store__file_is_private)
{
    struct stat st;
    start(NULL);
    ck_assert_int_eq(stat(fix_db, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(stat(fix_wal, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
}
END_TEST

START_TEST(test_store__second_opener_is_refused)
{
    struct sb_error err = {0};
    start(NULL);
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "another process"));
    pid_t pid = fork();
    if (pid == 0) {
        struct sb_error e = {0};
        struct store *s = NULL;
        enum sb_err rc = store_open(fix_db, STORE_SB, &s, &e);
        _exit(rc == SB_EDATADIR && strstr(e.detail, "another process") != NULL ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    /* The first one goes on undisturbed. */
    fix_exec(store, "INSERT INTO t(v) VALUES(1)");
}
END_TEST

static void raw_sql(const char *sql)
{
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(fix_db, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

START_TEST(test_store__other_versions_and_files)
{
    struct sb_error err = {0};
    store_close(store);
    store = NULL;
    ck_assert_int_eq(open_again(fix_db, STORE_KV, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "not the database expected"));
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_OK);
    raw_sql("PRAGMA user_version=7777");
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "newer version (its schema is 7777"));
    unlink(fix_db);
    raw_sql("CREATE TABLE mine(x)");
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_EDATADIR);
    unlink(fix_db);
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_OK);
    raw_sql("DROP TABLE meta");
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "schema of this version"));
    ck_assert_int_eq(open_again("/nonexistent/folder/x.db", STORE_SB, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "cannot be created"));
}
END_TEST

/* Overwrites n bytes in the middle (or cuts the file there). */
static void damage(long at, int n, bool cut)
{
    int fd = open(fix_db, O_RDWR);
    ck_assert_int_ge(fd, 0);
    if (cut)
        ck_assert_int_eq(ftruncate(fd, at), 0);
    for (int i = 0; !cut && i < n; i++)
        ck_assert_int_eq(pwrite(fd, "\xa5", 1, at + i), 1);
    close(fd);
}

static const struct {
    long per_mille;
    int n;
    bool cut;
} damages[] = {{0, 16, false}, {0, 4096, false}, {500, 9000, false},
               {500, 0, true}, {900, 0, true},   {1, 0, true}};

START_TEST(test_store__damaged)
{
    struct sb_error err = {0};
    start(NULL);
    fix_exec(store, "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<500)"
                    "INSERT INTO t(v,body) SELECT i,randomblob(700) FROM n");
    store_close(store);
    store = NULL;
    damage(fix_size(fix_db) * damages[_i].per_mille / 1000, damages[_i].n, damages[_i].cut);
    ck_assert_int_eq(open_again(fix_db, STORE_SB, &err), SB_EDATADIR);
    ck_assert_msg(strstr(err.detail, "is damaged") != NULL, "%s", err.detail);
    ck_assert_ptr_nonnull(strstr(err.detail, fix_db));
}
END_TEST

/* The child reports each answered value through a pipe until it is killed. */
static int report_fd;

static void report_done(struct store_op *op)
{
    struct submitter *u = (struct submitter *)op;
    if (op->rc == SB_OK &&
        write(report_fd, &u->ins.value, sizeof u->ins.value) != (ssize_t)sizeof u->ins.value)
        _exit(3);
    sem_post(&u->sem);
}

static void child(int fd, const char *fault)
{
    static struct submitter u[8];
    pthread_t t;
    report_fd = fd;
    struct store *s = fix_open(fix_db, STORE_SB);
#ifdef SB_FAULTS
    if (!fault_arm(fault))
        _exit(4);
#endif
    SB_UNUSED(fault);
    fix_start(s, NULL);
    for (int i = 0; i < 8; i++) {
        u[i] = (struct submitter){.first = 1000000 * i, .n = 1000000};
        ins_init(&u[i].ins, s, 0);
        u[i].ins.op.done = report_done;
        sem_init(&u[i].sem, 0, 0);
        pthread_create(&t, NULL, submitter_main, &u[i]);
    }
    for (;;)
        pause();
}

/* Reads what a child acknowledged, kills it after `limit` answers (or lets the fault do it), and finds each
 * of them once after reopening. */
static void check_killed(int limit, const char *fault)
{
    int fds[2], n = 0, status;
    char sql[80];
    static int64_t seen[20000];
    fix_table(store);
    store_close(store);
    store = NULL;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0)
        child(fds[1], fault);
    close(fds[1]);
    while (n < limit && read(fds[0], &seen[n], sizeof seen[0]) == (ssize_t)sizeof seen[0])
        n++;
    if (fault == NULL)
        kill(pid, SIGKILL);
    while (n < (int)SB_ARRAY_LEN(seen) && read(fds[0], &seen[n], sizeof seen[0]) == (ssize_t)sizeof seen[0])
        n++;
    close(fds[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    store = fix_open(fix_db, STORE_SB);
    for (int i = 0; i < n; i++) {
        snprintf(sql, sizeof sql, "SELECT count(*) FROM t WHERE v=%lld", (long long)seen[i]);
        ck_assert_int_eq(fix_get(store, sql), 1);
    }
    /* Not answered, but stored: at most what was in flight. */
    int64_t rows = fix_get(store, "SELECT count(*) FROM t");
    ck_assert_int_ge(rows, n);
    ck_assert_int_le(rows, n + 8);
}

START_TEST(test_store__kill_keeps_what_was_acknowledged)
{
    check_killed(500 + 700 * _i, NULL);
}
END_TEST

#ifdef SB_FAULTS
static const char *const kills[] = {"store.commit.before:40:kill", "store.commit.after:40:kill",
                                    "store.sync.before:40:kill", "store.sync.after:40:kill",
                                    "store.op:99:kill"};

START_TEST(test_store__kill_at_fault_points)
{
    check_killed(20000, kills[_i]);
}
END_TEST

START_TEST(test_store__fault_points_fail)
{
    struct ins a, b;
    start(NULL);
    ck_assert(!fault_arm("store.op"));
    ck_assert(!fault_arm("store.op:0"));
    ck_assert(!fault_arm("store.op:1:die"));
    ck_assert(fault_arm("store.op:2"));
    ins_init(&a, store, 1);
    ins_init(&b, store, 2);
    store_submit(store, &a.op);
    store_submit(store, &b.op);
    wait_answers(2);
    ck_assert_int_eq(a.rc, SB_OK);
    ck_assert_int_eq(b.rc, SB_EIO);
    ck_assert_int_eq(fault_hits(), 2);
    ck_assert(store_healthy(store));
    fault_arm(NULL);
}
END_TEST

static const char *const breaks[] = {"store.commit.before:2", "store.commit.after:2", "store.sync.before:2",
                                     "store.sync.after:2"};

START_TEST(test_store__fault_points_break)
{
    struct ins a;
    start(NULL);
    ck_assert(fault_arm(breaks[_i]));
    for (int i = 0; i < 2; i++) {
        ck_assert(store_healthy(store));
        ins_init(&a, store, i);
        store_submit(store, &a.op);
        wait_answers(1);
        ck_assert_int_eq(a.rc, i == 0 ? SB_OK : SB_EIO);
    }
    ck_assert(!store_healthy(store));
    fault_arm(NULL);
}
END_TEST
#endif

static void add_opening(TCase *c)
{
    tcase_add_test(c, test_store__in_memory);
    tcase_add_test(c, test_store__file_is_private);
    tcase_add_test(c, test_store__second_opener_is_refused);
    tcase_add_test(c, test_store__other_versions_and_files);
    tcase_add_loop_test(c, test_store__damaged, 0, (int)SB_ARRAY_LEN(damages));
    tcase_add_loop_test(c, test_store__kill_keeps_what_was_acknowledged, 0, 3);
#ifdef SB_FAULTS
    tcase_add_loop_test(c, test_store__kill_at_fault_points, 0, (int)SB_ARRAY_LEN(kills));
    tcase_add_test(c, test_store__fault_points_fail);
    tcase_add_loop_test(c, test_store__fault_points_break, 0, (int)SB_ARRAY_LEN(breaks));
#endif
}

Suite *unit_suite(void)
{
    Suite *s = suite_create("store");
    TCase *c = tcase_create("store");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_store__batch_commits_once_in_order);
    tcase_add_test(c, test_store__lazy_op_shares_the_commit_of_another);
    tcase_add_loop_test(c, test_store__lazy_op_goes, 0, (int)SB_ARRAY_LEN(ends_of_waiting));
    tcase_add_test(c, test_store__reading_does_not_sync);
    tcase_add_test(c, test_store__undone_op_does_not_sync);
    tcase_add_test(c, test_store__harmless_failure_is_not_rerun);
    tcase_add_test(c, test_store__ops_join_a_running_batch);
    tcase_add_test(c, test_store__lone_op_after_company_is_answered);
    tcase_add_test(c, test_store__failed_op_rolls_back_itself_only);
    tcase_add_test(c, test_store__alone_has_its_own_transaction);
    tcase_add_test(c, test_store__before_commit_only_when_written);
    tcase_add_test(c, test_store__lost_batch_is_rerun_one_by_one);
    tcase_add_test(c, test_store__failed_commit_breaks_the_store);
    tcase_add_loop_test(c, test_store__answers_wait_for_the_disk, 0, 2);
    tcase_add_loop_test(c, test_store__early_answer, 0, 2);
    tcase_add_test(c, test_store__early_batch_is_put_off_once);
    tcase_add_test(c, test_store__what_is_alone_leaves_nothing_put_off);
    tcase_add_test(c, test_store__failed_sync_breaks_the_store);
    tcase_add_test(c, test_store__failed_sync_of_one_alone);
    tcase_add_test(c, test_store__quick_disk_is_synced_by_the_owner);
    tcase_add_test(c, test_store__scrub_removes_deleted_bytes);
    tcase_add_test(c, test_store__log_is_checkpointed);
    tcase_add_test(c, test_store__submit_from_done);
    tcase_add_test(c, test_store__call_publish);
    tcase_add_test(c, test_store__call_joined);
    tcase_add_test(c, test_store__read_must_not_write);
    tcase_add_test(c, test_store__close_runs_what_is_queued);
    tcase_add_test(c, test_store__never_started);
    tcase_add_test(c, test_store__concurrent_submitters);
    add_opening(c);
    suite_add_tcase(s, c);
    return s;
}
