/* wal.h: a look at a write-ahead log before SQLite reads it. */
#ifndef SB_WAL_H
#define SB_WAL_H

#include <stdbool.h>
#include "server/base/err.h"

/* SQLite takes the first frame whose checksum fails for the end of the log, so one changed byte would take
 * every later commit back without a word. Refuses (SB_EDATADIR) the log of the database `path` if commits
 * follow such a frame that cannot be left over from a power cut, or if its head is spoilt. A log that is not
 * there, or that nobody may read (opening it will tell), passes. Not for a database that is open: closing a
 * descriptor of the log drops locks. *ret_left_over: commits do follow, and would be counted again after the
 * next power cut. */
SB_MUST enum sb_err wal_check(const char *path, bool *ret_left_over, struct sb_error *err);

#endif
