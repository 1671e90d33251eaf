/*
 * jobs.h: results of operations that are asked for once they are done (what-if): kept in memory, the newest
 * ones; a restart forgets them.
 */
#ifndef SB_JOBS_H
#define SB_JOBS_H

#include "server/base/arena.h"
#include "server/engine/engine.h"

#define JOBS_KEPT 32u /* results (choice) */

SB_MUST enum sb_err jobs_open(struct engine *e, struct sb_error *err);
void jobs_close(struct engine *e); /* wipes what is kept */
void jobs_reset(struct engine *e);
/* Keeps a result; the oldest goes. name: as the caller will ask, case ignored; scope: what to have rights on.
 * All is copied. Any thread. */
SB_MUST enum sb_err jobs_keep(struct engine *e, const char *name, const char *scope, const char *result,
                              struct sb_error *err);
/* false: there is none (any more). Texts in the arena, NULL: out of memory. Any thread. */
bool jobs_find(struct engine *e, const char *name, struct sb_arena *a, const char **ret_scope,
               const char **ret_result);

#endif
