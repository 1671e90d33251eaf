/*
 * store_private.h: the store's inside, shared by store.c (open, close), queue.c (what waits for the owner),
 * writer.c (the owner thread) and syncer.c (the thread that syncs the log).
 */
#ifndef SB_STORE_PRIVATE_H
#define SB_STORE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "storage/store.h"
#include "storage/tx.h"

/* Bytes of write-ahead log after which it is copied into the database: 4 to 64 MiB measure alike
 * (bare_sqlite), so what counts is how much a start after a kill has to read. */
#define STORE_CHECKPOINT_BYTES (16 * 1024 * 1024)
#define STORE_PAGE_SIZE        8192
/* How long a lazy op stands aside. */
#define STORE_LAZY_NS INT64_C(50000000)

/* Flags of our own in store_op.flags. */
#define OP_READ  0x10000u /* must not write */
#define OP_SCRUB 0x20000u /* empties the write-ahead log instead of running */

#define OP_SINGLE(op) (((op)->flags & (STORE_ALONE | OP_SCRUB)) != 0)

enum sync { SYNC_NONE, SYNC_ASKED, SYNC_OVER };
enum control { CTL_BEGIN, CTL_COMMIT, CTL_ROLLBACK, CTL_MAX };

struct store {
    struct tx tx;
    sqlite3 *db;
    sqlite3_stmt *control[CTL_MAX];
    char *path;     /* NULL: in memory */
    bool fresh;     /* had no table when it was opened */
    bool left_over; /* a power cut left commits in the log that count no more */
    int64_t length; /* of the file before it was opened; -1: new, or there was a log beside it */
    struct store_hooks hooks;

    /* The queue; under lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_op *head, **tail;
    size_t queued;
    struct store_op *lazy, **lazy_tail; /* what stands aside until lazy_due */
    size_t lazy_n;
    int64_t lazy_due, lazy_ns; /* STORE_LAZY_NS; tests put their own in its place before store_start */
    bool waiting;              /* the owner waits for wake */
    size_t wanted;             /* until so many are queued */
    bool closing;
    bool stopped; /* the owner takes nothing more from the queue */

    /* The sync of the log; under lock. */
    pthread_cond_t sync_wake;
    enum sync sync;
    int sync_rc;       /* 0 or errno, when it is over */
    int64_t synced_ns; /* and when that was */
    bool sync_quit;

    pthread_t thread, syncer;
    bool started, syncing;
    int log_fd;              /* of the write-ahead log; -1: COMMIT itself sees to it, or there is no file */
    int (*sync_log)(int fd); /* fdatasync; tests put their own in its place before store_start */
    atomic_bool broken;
    const char *verdict; /* why; set before */

    /* The owner's alone. */
    int wal_pages;      /* in the write-ahead log after the last commit */
    int checkpoint_due; /* at that many pages */
    int page_size;
    bool wrote;                /* the open transaction holds writes */
    bool on_its_way;           /* a batch is committed, and its log not yet on the disk */
    struct store_op *unsynced; /* what of it is answered then */
    bool put_off;              /* the batch committed last is not synced before the next one is */
    int64_t commit_start;      /* of that batch */
    size_t batch_n;            /* ops in the batch that ran last, less those answered early */
    size_t company;            /* how many ops are under way at a time (an estimate that falls slowly) */
    unsigned hurry, hurried;   /* batches that are not to wait for company: in all, and still to come */
    int64_t commit_ns;         /* how long a commit takes, sync included (a floating average) */
};

/* queue.c: the owner's. All but queue_take and queue_count_company under the lock. */
/* The next batch, or NULL: the batch before it is to be answered first, or that was the last one. A single op
 * comes by itself. *ret_refused: it is not to be run. */
struct store_op *queue_take(struct store *s, bool *ret_refused);
/* Appends to a batch of n ops what of the queue may be in its transaction. */
void queue_join(struct store *s, const struct store_op *first, struct store_op *last, size_t n);
/* Is the batch committed last on the disk? */
bool queue_may_retire(const struct store *s);
/* Waits for ops, or for the disk; for a few at a time where there are many, as waking up costs as much as an
 * op. */
void queue_await_sync(struct store *s);
/* Waits for those who were there lately, unless they are known to be slower than the disk: then it pays to
 * commit without them, and to run them meanwhile. n: of the batch. */
void queue_linger(struct store *s, size_t n);
/* After a batch of n was run, while `beside` others were on their way to the disk: how many clients are
 * there? */
void queue_count_company(struct store *s, size_t n, size_t beside);

/* writer.c */
SB_MUST enum sb_err writer_open(struct store *s, struct sb_error *err);
/* Runs an op on this thread, before the owner thread exists. */
void writer_run_now(struct store *s, struct store_op *op);
/* Runs what is queued, or refuses it when the thread never started; stops the thread. */
void writer_close(struct store *s);

/* syncer.c. From syncer_open on, COMMIT does not sync the log any more. Nothing to do for a store in memory.
 */
SB_MUST enum sb_err syncer_open(struct store *s, struct sb_error *err);
void syncer_close(struct store *s); /* nothing may be asked for */
/* The owner's: what is in the log now is to be brought to the disk; and the end of that (0 or errno, and when
 * it was). */
void syncer_ask(struct store *s);
int syncer_wait(struct store *s, int64_t *ret_ns);
int syncer_now(struct store *s, int64_t *ret_ns); /* does it on this thread */

/* scrub.c: between two batches. ret_broken: a commit failed, set on failure too. */
SB_MUST enum sb_err scrub_tables(struct store *s, bool *ret_broken, struct sb_error *err);

#endif
