/*
 * syncer.c: the thread that brings the write-ahead log to the disk, while the owner runs the next batch.
 *
 * SQLite commits with synchronous=NORMAL, which leaves out one thing that FULL does: the fsync of the log at
 * the end of each COMMIT. That one is done here, on a descriptor of our own: the kernel reports a failed
 * write once to every descriptor, so a checkpoint that syncs the log by SQLite's cannot take the report away.
 * One batch at a time: the owner commits no second one before one that was asked for is on the disk
 * (writer.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/base/clock.h"
#include "server/base/fault.h"
#include "storage/store_private.h"

/* 0 or errno. */
static int sync_now(struct store *s)
{
    int rc = SB_FAULT("store.sync.before") ? EIO : 0;
    if (rc == 0 && s->sync_log(s->log_fd) != 0)
        rc = errno;
    if (rc == 0 && SB_FAULT("store.sync.after"))
        rc = EIO;
    return rc;
}

static void *syncer_main(void *arg)
{
    struct store *s = arg;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (s->sync != SYNC_ASKED && !s->sync_quit)
            pthread_cond_wait(&s->sync_wake, &s->lock);
        if (s->sync != SYNC_ASKED)
            break;
        pthread_mutex_unlock(&s->lock);
        int rc = sync_now(s);
        pthread_mutex_lock(&s->lock);
        s->sync = SYNC_OVER;
        s->sync_rc = rc;
        s->synced_ns = clock_monotonic_ns();
        if (s->waiting)
            pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* The log is there since the database was opened, and stays the same file until it is closed. */
static enum sb_err open_log(struct store *s, struct sb_error *err)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s-wal", s->path);
    s->log_fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    return s->log_fd >= 0
               ? SB_OK
               : sb_fail(err, SB_EUNAVAILABLE, "%s-wal cannot be opened (%s)", s->path, strerror(errno));
}

/* What an earlier process committed, and was killed before it could be synced: more commits than a power cut
 * may take (wal.c) if ours came on top of it. */
static enum sb_err sync_left(struct store *s, struct sb_error *err)
{
    struct stat st;
    bool empty = fstat(s->log_fd, &st) == 0 && st.st_size == 0;
    return empty || s->sync_log(s->log_fd) == 0
               ? SB_OK
               : sb_fail(err, SB_EUNAVAILABLE, "%s-wal cannot be synced (%s)", s->path, strerror(errno));
}

enum sb_err syncer_open(struct store *s, struct sb_error *err)
{
    enum sb_err rc;
    sigset_t all, old;
    SB_TRY(open_log(s, err));
    int got = sqlite3_exec(s->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
    if (got != SQLITE_OK) {
        rc = tx_fail(s->db, got, err);
        goto out;
    }
    SB_TRY(sync_left(s, err));
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    s->syncing = pthread_create(&s->syncer, NULL, syncer_main, s) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!s->syncing)
        rc = sb_fail(err, SB_EUNAVAILABLE, "no thread for the database's log");
out:
    return rc;
}

void syncer_close(struct store *s)
{
    if (s->syncing) {
        pthread_mutex_lock(&s->lock);
        s->sync_quit = true;
        pthread_cond_signal(&s->sync_wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->syncer, NULL);
        s->syncing = false;
    }
    if (s->log_fd >= 0)
        close(s->log_fd);
    s->log_fd = -1;
}

void syncer_ask(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    s->sync = SYNC_ASKED;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&s->sync_wake);
}

int syncer_wait(struct store *s, int64_t *ret_ns)
{
    pthread_mutex_lock(&s->lock);
    s->waiting = true;
    s->wanted = SIZE_MAX;
    while (s->sync == SYNC_ASKED)
        pthread_cond_wait(&s->wake, &s->lock);
    s->waiting = false;
    s->sync = SYNC_NONE;
    int rc = s->sync_rc;
    *ret_ns = s->synced_ns;
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int syncer_now(struct store *s, int64_t *ret_ns)
{
    int rc = sync_now(s);
    *ret_ns = clock_monotonic_ns();
    return rc;
}
