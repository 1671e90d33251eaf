/*
 * writer.c: the owner thread of a database: group commit, checkpoints.
 *
 * A batch of the queue (queue.c) is one transaction. When an op fails that has written, the whole batch is
 * rolled back and run again around it: that is rare, while a savepoint per op would cost every op two
 * statements. When SQLite rolls a batch back by itself (a full disk does that), its ops are run again one by
 * one. Answers (done) are given after the commit: first those that need not wait for the disk (STORE_EARLY),
 * then the others, each in the order of submission.
 *
 * A committed batch is answered when its log is on the disk, which the syncer sees to (syncer.c). Meanwhile
 * the owner runs the next batch, but does not commit it: it first answers the one before (retire). So one
 * batch at most is on its way to the disk, and while that is busy the next one grows. A batch for which
 * nobody waits is synced with the next one.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "server/base/clock.h"
#include "server/base/fault.h"
#include "storage/store_private.h"

/* A commit that takes no longer than this is not worth waking another thread for. */
#define SHORT_NS INT64_C(100000)

#define COMMIT_FAILED "a commit failed: what it held may or may not be stored"
#define SYNC_FAILED   "the log could not be brought to the disk: what it held may or may not be stored"
#define DAMAGED                                                                                              \
    "the database is damaged: restore the whole data directory from a copy, or choose an empty one"

enum outcome { COMMITTED, SPOILED, LOST, BROKEN };

static const char *const control_sql[CTL_MAX] = {
    [CTL_BEGIN] = "BEGIN IMMEDIATE",
    [CTL_COMMIT] = "COMMIT",
    [CTL_ROLLBACK] = "ROLLBACK",
};

/* The store whose owner this thread is. */
static _Thread_local const struct store *owned;

bool store_is_owner(const struct store *s)
{
    return owned == s;
}

bool store_healthy(const struct store *s)
{
    return !atomic_load(&s->broken);
}

static int control(struct store *s, enum control c)
{
    int rc = sqlite3_step(s->control[c]);
    sqlite3_reset(s->control[c]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int count_wal(void *cookie, sqlite3 *db, const char *name, int pages)
{
    struct store *s = cookie;
    SB_UNUSED(db);
    SB_UNUSED(name);
    s->wal_pages = pages;
    return SQLITE_OK;
}

enum sb_err writer_open(struct store *s, struct sb_error *err)
{
    for (int i = 0; i < CTL_MAX; i++) {
        int rc =
            sqlite3_prepare_v3(s->db, control_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->control[i], NULL);
        if (rc != SQLITE_OK)
            return tx_fail(s->db, rc, err);
    }
    s->tx.state = TX_READING;
    /* Takes the place of SQLite's own checkpoint, which would run inside the COMMIT, before the answers. */
    sqlite3_wal_hook(s->db, count_wal, s);
    s->checkpoint_due = STORE_CHECKPOINT_BYTES / s->page_size;
    return SB_OK;
}

static void finish(struct store_op *op, enum sb_err rc, const char *detail)
{
    op->rc = sb_fail(&op->err, rc, "%s", detail);
}

static void rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)control(s, CTL_ROLLBACK);
    s->tx.state = TX_READING;
}

/* From here on nothing is done any more: the process is to end. verdict: what each op is answered with. */
static enum outcome give_up(struct store *s, const char *verdict, const char *detail)
{
    char why[512];
    snprintf(why, sizeof why, "%s: %s (%s)", s->path ? s->path : "the database in memory", verdict, detail);
    rollback(s);
    if (atomic_load(&s->broken))
        return BROKEN;
    s->verdict = verdict;
    atomic_store(&s->broken, true);
    if (s->hooks.on_broken != NULL)
        s->hooks.on_broken(s->hooks.cookie, why);
    return BROKEN;
}

/* COMMITTED: the transaction can go on. SPOILED: it holds writes of an op that failed. LOST: SQLite has
 * rolled it back. BROKEN: it met damage. */
static enum outcome run_op(struct store *s, struct store_op *op)
{
    int64_t changes = sqlite3_total_changes64(s->db);
    op->rc = SB_OK;
    op->err.code = SB_OK;
    op->err.detail[0] = '\0';
    s->tx.state = (op->flags & OP_READ) != 0 ? TX_READING : TX_CLEAN;
    if (SB_FAULT("store.op"))
        finish(op, SB_EIO, "fault point store.op");
    else
        op->rc = op->run(&s->tx, op, &op->err);
    if (op->rc != SB_OK && op->err.code == SB_OK)
        finish(op, op->rc, sb_err_text(op->rc));
    bool wrote = s->tx.state == TX_WROTE;
    s->tx.state = TX_READING;
    if (s->tx.damaged)
        return give_up(s, DAMAGED, op->err.detail);
    if (sqlite3_get_autocommit(s->db))
        return LOST;
    if (sqlite3_total_changes64(s->db) != changes)
        s->wrote = true;
    return wrote && op->rc != SB_OK ? SPOILED : COMMITTED;
}

static enum sb_err before_commit(struct store *s, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    if (s->hooks.before_commit == NULL)
        return SB_OK;
    s->tx.state = TX_CLEAN;
    rc = s->hooks.before_commit(s->hooks.cookie, &s->tx, err);
    s->tx.state = TX_READING;
    if (rc == SB_OK && sqlite3_get_autocommit(s->db))
        rc = sb_fail(err, SB_EIO, "the transaction was rolled back");
    else if (rc != SB_OK && err->code == SB_OK)
        sb_fail(err, rc, "%s", sb_err_text(rc));
    return rc;
}

static enum outcome commit(struct store *s, struct sb_error *err)
{
    int rc = SQLITE_OK;
    if (s->wrote) {
        if (before_commit(s, err) != SB_OK) {
            rollback(s);
            return s->tx.damaged ? give_up(s, DAMAGED, err->detail) : LOST;
        }
        rc = SB_FAULT("store.commit.before") ? SQLITE_IOERR : SQLITE_OK;
    }
    int64_t start = clock_monotonic_ns();
    if (rc == SQLITE_OK)
        rc = control(s, CTL_COMMIT);
    if (rc == SQLITE_OK && s->wrote && SB_FAULT("store.commit.after"))
        rc = SQLITE_IOERR;
    if (rc != SQLITE_OK)
        return give_up(s, COMMIT_FAILED, sqlite3_errstr(rc));
    s->commit_start = start;
    return COMMITTED;
}

static void answer(struct store_op *first)
{
    for (struct store_op *op = first, *next; op != NULL; op = next) {
        next = op->next; /* done may free op */
        op->next = NULL;
        op->done(op);
    }
}

static void tell_settled(const struct store *s)
{
    if (s->hooks.settled != NULL)
        s->hooks.settled(s->hooks.cookie);
}

static void answer_all(struct store_op *first, enum sb_err rc, const char *detail)
{
    for (struct store_op *op = first; op != NULL; op = op->next)
        finish(op, rc, detail);
    answer(first);
}

/* Answers a batch whose log was synced, with 0 or an errno, at that time. False: the store is broken. */
static bool settle(struct store *s, struct store_op *first, int rc, int64_t synced_ns)
{
    if (rc != 0) {
        give_up(s, SYNC_FAILED, strerror(rc));
        answer_all(first, SB_EIO, s->verdict);
        return false;
    }
    s->commit_ns += (synced_ns - s->commit_start - s->commit_ns) / 8;
    tell_settled(s);
    answer(first);
    return true;
}

/* Waits until the batch that was committed last is on the disk, and answers it. A transaction may be open: it
 * is rolled back when that fails (false). */
static bool retire(struct store *s)
{
    int64_t synced_ns;
    if (!s->on_its_way)
        return true;
    int rc = syncer_wait(s, &synced_ns);
    s->on_its_way = false;
    return settle(s, s->unsynced, rc, synced_ns);
}

/* Takes out of a batch what is answered before the disk has it. */
static struct store_op *take_early(struct store *s, struct store_op **batch)
{
    struct store_op *early = NULL, **early_end = &early, **rest_end = batch;
    for (struct store_op *op = *batch; op != NULL; op = op->next) {
        bool now = (op->flags & STORE_EARLY) != 0;
        struct store_op ***end = now ? &early_end : &rest_end;
        **end = op;
        *end = &op->next;
        s->batch_n -= now;
    }
    *early_end = *rest_end = NULL;
    return early;
}

/* A batch that is in the log now: it is synced by a thread of its own if something may and need run
 * meanwhile, and not at all when nobody waits for that and the batch before it was. */
static void sync_off(struct store *s, struct store_op *first)
{
    int64_t synced_ns;
    bool here = OP_SINGLE(first) || s->company <= 1 || s->commit_ns < SHORT_NS;
    struct store_op *early = take_early(s, &first);
    s->put_off = first == NULL && !s->put_off;
    if (!s->put_off && !here) {
        syncer_ask(s);
        s->on_its_way = true;
        s->unsynced = first;
    }
    answer(early);
    if (s->put_off) {
        tell_settled(s);
    } else if (here) {
        int rc = syncer_now(s, &synced_ns);
        settle(s, first, rc, synced_ns);
    }
}

/* After COMMIT: sees to it that the batch is answered. What is alone may say that something is stored because
 * it found it so (the clock): then it is on the disk, too. */
static void send_off(struct store *s, struct store_op *first)
{
    assert(!s->on_its_way);
    if (!s->wrote && !(s->put_off && OP_SINGLE(first))) {
        tell_settled(s);
        answer(first);
    } else if (s->log_fd < 0) {
        settle(s, first, 0, clock_monotonic_ns());
    } else {
        sync_off(s, first);
    }
}

/* The op after `op` in the batch, of which it is number n: one that came meanwhile if need be. False: the
 * store is broken. */
static bool next_of(struct store *s, const struct store_op *first, struct store_op *op, size_t n,
                    bool *may_linger, struct store_op **ret)
{
    bool sound = true;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        bool retiring = queue_may_retire(s);
        if (retiring) {
            pthread_mutex_unlock(&s->lock);
            sound = retire(s);
            pthread_mutex_lock(&s->lock);
        }
        queue_join(s, first, op, n);
        if (!sound || op->next != NULL || s->head != NULL || n >= STORE_BATCH_MAX)
            break;
        if (s->on_its_way) {
            queue_await_sync(s);
        } else if (*may_linger && s->wrote && n < s->company) {
            *may_linger = false;
            queue_linger(s, n);
        } else {
            break;
        }
    }
    pthread_mutex_unlock(&s->lock);
    *ret = op->next;
    return sound;
}

/* Runs `first` and what follows it in a new transaction, and what is queued meanwhile if it may grow. SPOILED
 * and LOST: nothing of it happened; *ret_culprit spoiled it; err says why it was lost if no op does. */
static enum outcome run_ops(struct store *s, struct store_op *first, bool may_grow,
                            struct store_op **ret_culprit, struct sb_error *err)
{
    size_t n = 0, beside = s->on_its_way ? s->batch_n : 0;
    bool may_linger = may_grow;
    s->wrote = false;
    int begun = control(s, CTL_BEGIN);
    if (begun != SQLITE_OK) {
        tx_fail(s->db, begun, err);
        return LOST;
    }
    for (struct store_op *op = first; op != NULL;) {
        enum outcome o = run_op(s, op);
        n++;
        if (o != COMMITTED) {
            rollback(s);
            sb_fail(err, SB_EIO, "the transaction was rolled back");
            *ret_culprit = op;
            return o;
        }
        if (op->next != NULL || !may_grow)
            op = op->next;
        else if (!next_of(s, first, op, n, &may_linger, &op))
            return BROKEN;
    }
    if (may_grow)
        queue_count_company(s, n, beside);
    s->batch_n = n;
    return COMMITTED;
}

/* One transaction, committed after the batch before it was answered. */
static enum outcome transact(struct store *s, struct store_op *first, bool may_grow,
                             struct store_op **ret_culprit, struct sb_error *err)
{
    enum outcome o = atomic_load(&s->broken) ? BROKEN : run_ops(s, first, may_grow, ret_culprit, err);
    if (!retire(s))
        o = BROKEN;
    return o == COMMITTED ? commit(s, err) : o;
}

static void reread(struct store *s)
{
    if (s->hooks.batch_lost != NULL)
        s->hooks.batch_lost(s->hooks.cookie, &s->tx);
}

static void run_batch(struct store *s, struct store_op *first, bool may_grow);

/* Cuts the batch behind `last`; the rest of it. */
static struct store_op *cut(struct store_op *last)
{
    struct store_op *rest = last->next;
    last->next = NULL;
    return rest;
}

/* A batch that was spoiled, in three: what is before the culprit, the culprit, what is after it. */
static void run_around(struct store *s, struct store_op *first, struct store_op *culprit)
{
    assert(culprit != NULL);
    struct store_op *rest = cut(culprit);
    if (first != culprit) {
        struct store_op *before = first;
        while (before->next != culprit)
            before = before->next;
        cut(before);
        run_batch(s, first, false);
    }
    run_batch(s, culprit, false);
    if (rest != NULL)
        run_batch(s, rest, false);
}

static void run_singly(struct store *s, struct store_op *first)
{
    for (struct store_op *op = first, *next; op != NULL; op = next) {
        next = cut(op);
        run_batch(s, op, false);
    }
}

/* Runs a batch; it is answered now, or when the disk has it. */
static void run_batch(struct store *s, struct store_op *first, bool may_grow)
{
    struct sb_error err = {0};
    struct store_op *culprit = NULL;
    enum outcome o = transact(s, first, may_grow, &culprit, &err);
    if (o == COMMITTED) {
        send_off(s, first);
    } else if (o == BROKEN) {
        answer_all(first, SB_EIO, s->verdict);
    } else {
        reread(s);
        if (first->next != NULL) {
            if (o == SPOILED)
                run_around(s, first, culprit);
            else
                run_singly(s, first);
            return;
        }
        if (first->rc == SB_OK)
            finish(first, err.code, err.detail);
        answer(first);
    }
}

static void checkpoint(struct store *s)
{
    if (s->wal_pages < s->checkpoint_due || !retire(s) || atomic_load(&s->broken))
        return;
    int every = STORE_CHECKPOINT_BYTES / s->page_size;
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* Nothing is lost when it fails (a full disk): the log grows, and it is tried again later, not at every
     * batch. */
    s->checkpoint_due = rc == SQLITE_OK ? every : s->wal_pages + every;
}

static enum sb_err truncate_log(struct store *s, struct sb_error *err)
{
    int log = 0, copied = 0;
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &log, &copied);
    if (rc != SQLITE_OK)
        return tx_fail(s->db, rc, err);
    /* TRUNCATE answers 0 pages when the log is empty. */
    if (log != 0 || copied != 0)
        return sb_fail(err, SB_EIO, "the write-ahead log could not be emptied");
    s->wal_pages = 0;
    return SB_OK;
}

static void scrub(struct store *s, struct store_op *op)
{
    bool broken = false;
    op->rc = SB_OK;
    if (atomic_load(&s->broken)) {
        finish(op, SB_EIO, s->verdict);
    } else if (s->path != NULL) {
        op->rc = scrub_tables(s, &broken, &op->err);
        if (op->rc == SB_OK)
            op->rc = truncate_log(s, &op->err);
        else if (broken)
            give_up(s, COMMIT_FAILED, op->err.detail);
    }
    answer(op);
}

static void run_taken(struct store *s, struct store_op *batch, bool refused)
{
    if (refused || OP_SINGLE(batch))
        (void)retire(s); /* a store that breaks by it refuses the batch */
    if (refused)
        answer(batch);
    else if ((batch->flags & OP_SCRUB) != 0)
        scrub(s, batch);
    else
        run_batch(s, batch, !OP_SINGLE(batch));
    checkpoint(s);
}

static void *owner_main(void *arg)
{
    struct store *s = arg;
    bool refused = false;
    owned = s;
    for (;;) {
        struct store_op *batch = queue_take(s, &refused);
        if (batch != NULL)
            run_taken(s, batch, refused);
        else if (s->on_its_way)
            (void)retire(s);
        else
            break;
    }
    owned = NULL;
    return NULL;
}

void writer_run_now(struct store *s, struct store_op *op)
{
    if ((op->flags & OP_SCRUB) != 0)
        scrub(s, op);
    else
        run_batch(s, op, false);
}

enum sb_err store_start(struct store *s, const struct store_hooks *hooks, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    sigset_t all, old;
    assert(!s->started);
    if (hooks != NULL)
        s->hooks = *hooks;
    if (s->path != NULL)
        SB_TRY(syncer_open(s, err));
    /* Set first: the owner's done callbacks may use the store as soon as the thread runs. */
    s->started = true;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int got = pthread_create(&s->thread, NULL, owner_main, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (got != 0) {
        s->started = false;
        rc = sb_fail(err, SB_EUNAVAILABLE, "no thread for the database");
    }
out:
    return rc;
}

void writer_close(struct store *s)
{
    if (!s->started) {
        answer_all(s->head, SB_EUNAVAILABLE, "the database was closed");
        syncer_close(s);
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    syncer_close(s);
}
