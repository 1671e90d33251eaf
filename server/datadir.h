/*
 * datadir.h: the folder that holds everything: made with its parents (0700), locked against a second process,
 * and small files written whole. Errors are SB_EDATADIR and say what to do.
 */
#ifndef SB_DATADIR_H
#define SB_DATADIR_H

#include <stdbool.h>
#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/err.h"

struct datadir;

/* path NULL: a temporary folder, removed by datadir_close. lock: take the lock now. The arena must outlive
 * the object. */
SB_MUST enum sb_err datadir_open(const char *path, bool lock, struct sb_arena *a, struct datadir **ret,
                                 struct sb_error *err);
/* Takes the lock; fine when it is held already. */
SB_MUST enum sb_err datadir_lock(struct datadir *d, struct sb_error *err);
void datadir_unlock(struct datadir *d);
/* Gives the lock back, removes a temporary folder. NULL is ok. */
void datadir_close(struct datadir *d);
/* Absolute path of the folder, and of a file in it (NULL: out of memory). */
const char *datadir_path(const struct datadir *d);
const char *datadir_file(const struct datadir *d, const char *name);
/* path itself when it begins with a slash, else from where the program stands (the ready line's "ca" must be
 * absolute). NULL: out of memory. */
const char *datadir_absolute(struct sb_arena *a, const char *path);
/* Reads a whole file into b; *ret_found false when there is none. Any path: also of a certificate that the
 * user brings. */
SB_MUST enum sb_err datadir_read(const char *path, struct sb_buf *b, bool *ret_found, struct sb_error *err);
/* Writes a file (0600) under another name, syncs it and renames it into place. */
SB_MUST enum sb_err datadir_write(const struct datadir *d, const char *name, const struct sb_buf *b,
                                  struct sb_error *err);

#endif
