/*
 * store.h: one SQLite database, owned by one thread, with group commit.
 *
 * Everything that touches a database is a `struct store_op`: its `run` is called on the owner thread inside
 * an open transaction (an error rolls back just this op); the owner commits many ops at once, and calls each
 * op's `done`, in order, when that is on the disk, as with synchronous=FULL (DESIGN.md). So nothing is
 * acknowledged and nothing becomes visible before it is durable (but for STORE_EARLY), and run/done of all
 * ops of one store never overlap: memory state that only run/done touch needs no lock. Between an op's run
 * and its done others may run that came after it.
 *
 * STORE_ALONE ops get a transaction of their own, with everything before it answered (management operations:
 * what their `done` publishes is in place before the next op runs).
 *
 * When COMMIT or the sync of the log fails the outcome is unknown: every op of the batch ends with SB_EIO,
 * the store is broken from then on (each later op: SB_EIO) and on_broken is called; the process is to exit
 * (architecture 3.5). The same when an op meets damage: nothing of its batch is stored, and nothing more is
 * written to a file that may get worse by it.
 */
#ifndef SB_STORE_H
#define SB_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"

struct store;
struct tx; /* an open transaction: what st_*.h functions take; valid inside run only */

enum store_kind { STORE_SB, STORE_KV };

#define STORE_ALONE 0x1u
/* Nobody waits for it: it joins the next batch that writes, or goes after 50 ms. */
#define STORE_LAZY 0x2u
/* For what may be forgotten in a power cut: `done` is called right after the commit, which a kill does not
 * undo. `run` may set or clear it. */
#define STORE_EARLY 0x4u

/* Ops that share a transaction, at most. Bounds what one commit makes its first op wait for. */
#define STORE_BATCH_MAX 256

struct store_op {
    /* Inside the transaction. Return an error to roll this op back. May run more than once (a batch that was
     * rolled back is run again): must not have effects outside the transaction except on memory it resets
     * itself. */
    enum sb_err (*run)(struct tx *tx, struct store_op *op, struct sb_error *err);
    /* After the commit is on the disk (but see STORE_EARLY), on the owner thread: rc and err are set. The
     * transaction of later ops may be open. May free or reuse the op. May submit others. */
    void (*done)(struct store_op *op);
    unsigned flags;
    enum sb_err rc;
    struct sb_error err;
    struct store_op *next; /* the store's */
};

struct store_hooks {
    void *cookie;
    /* Before each COMMIT of a batch that wrote something: flush counters kept in memory. */
    enum sb_err (*before_commit)(void *cookie, struct tx *tx, struct sb_error *err);
    /* A batch is on the disk, or need not be: before the first `done` of the ops that waited for that. */
    void (*settled)(void *cookie);
    /* A batch was rolled back as a whole: reread memory state that run changed. */
    void (*batch_lost)(void *cookie, struct tx *tx);
    /* COMMIT or the sync failed: the outcome is unknown; or damage was met. why: file and reason, for the
     * log.
     */
    void (*on_broken)(void *cookie, const char *why);
};

/* Opens (creates, migrates) the database; path NULL: in memory. SB_EDATADIR with what to do when it is
 * damaged or was made by a newer version. The owner thread starts with store_start, after which only ops
 * touch the database. */
SB_MUST enum sb_err store_open(const char *path, enum store_kind kind, struct store **ret,
                               struct sb_error *err);
SB_MUST enum sb_err store_start(struct store *s, const struct store_hooks *hooks, struct sb_error *err);
/* Runs what is queued, checkpoints, stops the thread and closes. A leaked statement is an assertion failure.
 */
void store_close(struct store *s);

/* Queues an op; done will be called exactly once (on the owner thread), also when the store is closing or
 * broken. */
void store_submit(struct store *s, struct store_op *op);
/* Lazy ops that were submitted so far go now. Any thread. */
void store_hurry(struct store *s);
/* Queues f as a STORE_ALONE op and waits until it is durable. Not from the owner thread. */
typedef enum sb_err store_fn(struct tx *tx, void *arg, struct sb_error *err);
SB_MUST enum sb_err store_call(struct store *s, store_fn *f, void *arg, struct sb_error *err);
/* The same for reading only: joins whatever batch is open. f must not write. */
SB_MUST enum sb_err store_read(struct store *s, store_fn *f, void *arg, struct sb_error *err);
/* Like store_call, and publish(arg) runs on the owner thread after the commit, before anything else does. */
SB_MUST enum sb_err store_call_publish(struct store *s, store_fn *f, void (*publish)(void *arg), void *arg,
                                       struct sb_error *err);
/* The same, but it shares a transaction with what else is queued, before the publish of which f may run: for
 * changes that don't get into each other's way, or fail in f when they do (a row that is there already). */
SB_MUST enum sb_err store_call_joined(struct store *s, store_fn *f, void (*publish)(void *arg), void *arg,
                                      struct sb_error *err);
/* Empties the write-ahead log, so that overwritten bytes are gone from it (after a wrapped key was removed).
 * Waits. */
SB_MUST enum sb_err store_scrub(struct store *s, struct sb_error *err);
/* Is the calling thread this store's owner? For assertions. */
bool store_is_owner(const struct store *s);
/* False once a commit or a sync has failed. */
bool store_healthy(const struct store *s);

/* Small values by name in the database's own `meta` table (clock offset, sealed signing key). */
SB_MUST enum sb_err store_meta_get(struct tx *tx, const char *name, struct sb_arena *a,
                                   struct sb_blob *ret /* p NULL: none */, struct sb_error *err);
SB_MUST enum sb_err store_meta_put(struct tx *tx, const char *name, const void *p, size_t n,
                                   struct sb_error *err);
/* Empties every table (control plane reset); sequences of ids go on, so no id is used again. */
SB_MUST enum sb_err store_wipe_all(struct tx *tx, struct sb_error *err);

#endif
