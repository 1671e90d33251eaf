/*
 * store_private.h: the store's inside, shared by store.c (open, close) and writer.c (the owner thread).
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

enum control { CTL_BEGIN, CTL_COMMIT, CTL_ROLLBACK, CTL_MAX };

struct store {
    struct tx tx;
    sqlite3 *db;
    sqlite3_stmt *control[CTL_MAX];
    char *path;     /* NULL: in memory */
    bool fresh;     /* had no table when it was opened */
    int64_t length; /* of the file before it was opened; -1: new, or there was a log beside it */
    struct store_hooks hooks;

    /* The queue; under lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct store_op *head, **tail;
    size_t queued;
    bool waiting;  /* the owner waits for wake */
    size_t wanted; /* until so many are queued */
    bool closing;
    bool stopped; /* the owner takes nothing more from the queue */

    pthread_t thread;
    bool started;
    atomic_bool broken;

    /* The owner's alone. */
    int wal_pages;      /* in the write-ahead log after the last commit */
    int checkpoint_due; /* at that many pages */
    int page_size;
    bool wrote;        /* the open transaction holds writes */
    size_t company;    /* how many ops are under way at a time (an estimate that falls slowly) */
    int64_t commit_ns; /* how long a commit takes (a floating average) */
};

/* writer.c */
SB_MUST enum sb_err writer_open(struct store *s, struct sb_error *err);
/* Runs what is queued, or refuses it when the thread never started; stops the thread. */
void writer_close(struct store *s);

/* scrub.c: between two batches. ret_broken: a commit failed, set on failure too. */
SB_MUST enum sb_err scrub_tables(struct store *s, bool *ret_broken, struct sb_error *err);

#endif
