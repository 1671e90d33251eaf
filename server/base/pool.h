/*
 * pool.h: worker threads for work that blocks. Threads start when work comes and nobody is idle; the queue
 * is bounded.
 */
#ifndef SB_POOL_H
#define SB_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include "server/base/err.h"

struct pool;

/* One piece of work; memory is the caller's and must live until run was called. */
struct pool_job {
    void (*run)(struct pool_job *job);
    struct pool_job *next; /* the pool's */
};

/* At most `threads` threads and `queue_max` waiting jobs. name is for debuggers. nice: by how much its
 * threads step back behind others (0: not at all). */
SB_MUST enum sb_err pool_new(const char *name, size_t threads, size_t queue_max, int nice, struct pool **ret,
                             struct sb_error *err);
/* False when the queue is full (force: never full; for work that was let in before) or no thread could be
 * started. Any thread. */
SB_MUST bool pool_submit(struct pool *p, struct pool_job *job, bool force);
/* Runs what is queued, ends the threads, frees. No submit may come any more. NULL is ok. */
void pool_free(struct pool *p);

/* The calling thread steps back behind others by so much, for good. */
void pool_step_back(int nice);

#endif
