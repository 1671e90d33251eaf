/*
 * jobs.h: what is being carried out right now (deployments), so that nobody begins it a second time and
 * somebody can stop it; and results of operations that are asked for once they are done (what-if): the newest
 * ones. In memory: a restart forgets both.
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

/* One of that name begins. false: it is being carried out already, since *ret_since. id is borrowed until
 * jobs_end, case ignored. */
struct job_running {
    struct job_running *next;
    const char *id;
    int64_t since;
    bool cancelled;
};
bool jobs_begin(struct engine *e, struct job_running *job, const char *id, int64_t *ret_since);
void jobs_end(struct engine *e, struct job_running *job);
/* Asks it to stop. false: no such job is being carried out. Any thread. */
bool jobs_cancel(struct engine *e, const char *id);
/* Has somebody asked? */
bool jobs_cancelled(struct engine *e, const struct job_running *job);

#endif
