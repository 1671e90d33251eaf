/* datadir.c: the data directory. */
#include "server/datadir.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/base/log.h"
#include "server/base/text.h"

#define LOCK_NAME "lock"

struct datadir {
    struct sb_arena *arena;
    const char *path;
    int lock; /* descriptor, -1: not held */
    bool temporary;
};

static enum sb_err unusable(struct sb_error *err, const char *path, const char *what)
{
    return sb_fail(err, SB_EDATADIR, "%.400s: %s: %s", path, what, strerror(errno));
}

/* ---- the folder ---- */

/* Like mkdir -p, each new one 0700. */
static enum sb_err make_folders(char *path, struct sb_error *err)
{
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char was = *p;
        *p = '\0';
        int rc = mkdir(path, 0700);
        if (rc != 0 && errno != EEXIST)
            return unusable(err, path, "cannot make this folder; choose another one with --data-dir");
        *p = was;
        if (was == '\0')
            return SB_OK;
    }
}

static enum sb_err check_folder(const char *path, struct sb_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return unusable(err, path, "cannot look at this folder");
    if (!S_ISDIR(st.st_mode))
        return sb_fail(err, SB_EDATADIR, "%.400s: is not a folder; choose another one with --data-dir", path);
    if (access(path, R_OK | W_OK | X_OK) != 0)
        return unusable(err, path, "not writable; change its owner or choose another one with --data-dir");
    if (st.st_mode & 077)
        log_event(LOG_WARN, "datadir.open_to_others", "path", path, "advice", "chmod 700", NULL);
    return SB_OK;
}

const char *datadir_absolute(struct sb_arena *a, const char *path)
{
    char *here = NULL;
    if (path[0] == '/')
        return arena_strdup(a, path);
    here = getcwd(NULL, 0);
    const char *whole = here ? arena_printf(a, "%s/%s", here, path) : NULL;
    free(here);
    return whole;
}

static enum sb_err make_temporary(struct datadir *d, struct sb_error *err)
{
    const char *base = getenv("TMPDIR");
    char *path = arena_printf(d->arena, "%s/sealedbus-XXXXXX", base && base[0] == '/' ? base : "/tmp");
    if (!path)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (!mkdtemp(path))
        return unusable(err, path, "cannot make a temporary folder; set TMPDIR");
    d->path = path;
    d->temporary = true;
    return SB_OK;
}

enum sb_err datadir_open(const char *path, bool lock, struct sb_arena *a, struct datadir **ret,
                         struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct datadir *d = ARENA_NEW(a, struct datadir);
    if (!d)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    d->arena = a;
    d->lock = -1;
    if (path) {
        d->path = datadir_absolute(a, path);
        char *scratch = arena_strdup(a, d->path); /* NULL in, NULL out */
        if (!scratch)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        SB_TRY(make_folders(scratch, err));
        SB_TRY(check_folder(d->path, err));
    } else {
        SB_TRY(make_temporary(d, err));
    }
    if (lock)
        SB_TRY(datadir_lock(d, err));
    *ret = d;
out:
    return rc;
}

/* ---- the lock: a record lock, which ends with the process whatever happens ---- */

static enum sb_err held_by_other(const struct datadir *d, int fd, struct sb_error *err)
{
    struct flock who = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK)
        return sb_fail(
            err, SB_EDATADIR,
            "%.400s: in use by process %ld; stop that one or choose another folder with --data-dir", d->path,
            (long)who.l_pid);
    return sb_fail(
        err, SB_EDATADIR,
        "%.400s: in use by another process; stop that one or choose another folder with --data-dir", d->path);
}

enum sb_err datadir_lock(struct datadir *d, struct sb_error *err)
{
    const char *file = datadir_file(d, LOCK_NAME);
    struct flock want = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (d->lock >= 0)
        return SB_OK;
    if (!file)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return unusable(err, file,
                        "cannot open the lock file; change its owner or choose another folder with "
                        "--data-dir");
    if (fcntl(fd, F_SETLK, &want) != 0) {
        bool busy = errno == EACCES || errno == EAGAIN;
        enum sb_err rc = busy ? held_by_other(d, fd, err) : unusable(err, file, "cannot lock");
        close(fd);
        return rc;
    }
    d->lock = fd;
    return SB_OK;
}

void datadir_unlock(struct datadir *d)
{
    if (d->lock >= 0)
        close(d->lock);
    d->lock = -1;
}

/* What the program puts there itself; anything else keeps the folder in place. */
static void remove_temporary(const struct datadir *d)
{
    static const char *const names[] = {LOCK_NAME, "ca.pem", "tls-cert.pem", "tls-key.pem"};
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        const char *file = datadir_file(d, names[i]);
        if (file)
            unlink(file);
    }
    if (rmdir(d->path) != 0)
        log_event(LOG_WARN, "datadir.left_behind", "path", d->path, "reason", strerror(errno), NULL);
}

void datadir_close(struct datadir *d)
{
    if (!d)
        return;
    if (d->temporary)
        remove_temporary(d);
    datadir_unlock(d);
}

/* ---- files ---- */

const char *datadir_path(const struct datadir *d)
{
    return d->path;
}

const char *datadir_file(const struct datadir *d, const char *name)
{
    return arena_printf(d->arena, "%s/%s", d->path, name);
}

enum sb_err datadir_read(const char *path, struct sb_buf *b, bool *ret_found, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    char piece[4096];
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *ret_found = false;
        return SB_OK;
    }
    if (fd < 0)
        return unusable(err, path, "cannot read");
    while (rc == SB_OK && (n = read(fd, piece, sizeof piece)) > 0)
        rc = buf_add(b, piece, (size_t)n);
    if (n < 0)
        rc = unusable(err, path, "cannot read");
    else if (rc != SB_OK)
        rc = sb_fail(err, SB_EDATADIR, "%.400s: too large to be what it should be", path);
    sb_wipe(piece, sizeof piece);
    close(fd);
    if (rc == SB_OK)
        *ret_found = true;
    return rc;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

enum sb_err datadir_write(const struct datadir *d, const char *name, const struct sb_buf *b,
                          struct sb_error *err)
{
    const char *file = datadir_file(d, name);
    const char *draft = arena_printf(d->arena, "%s/%s.new", d->path, name);
    if (!file || !draft)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    unlink(draft);
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return unusable(err, draft,
                        "cannot write; change the folder's owner or choose another one with --data-dir");
    bool ok = write_all(fd, b->p, b->n) && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (ok && rename(draft, file) == 0)
        return SB_OK;
    enum sb_err rc = unusable(err, file, "cannot write");
    unlink(draft);
    return rc;
}
