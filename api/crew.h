/*
 * crew.h: a few threads that carry out jobs for one request, which settles them in the order in which it gave
 * them out: so what comes of it does not depend on which job is ready first.
 *
 * A crew belongs to one thread; only `run` is called on others. How many threads all crews have together is
 * bounded: one that gets none runs its jobs at once, on the caller's thread.
 */
#ifndef SB_CREW_H
#define SB_CREW_H

#include "server/base/pool.h"

#define CREW_WIDTH 32u /* jobs of a crew that are under way at a time */

struct crew;

struct crew_job {
    struct pool_job work;              /* first; the crew's */
    void (*run)(struct crew_job *job); /* on some thread; may block */
    struct crew_job *next;             /* the crew's: the job that was given out after it */
    struct crew *crew;
    bool ready; /* under the crew's lock */
};

/* Starts no thread yet. NULL: out of memory. */
struct crew *crew_new(void);
/* Memory of the job is the caller's until crew_settle gives it back. No more than CREW_WIDTH at a time. */
void crew_give(struct crew *c, struct crew_job *job);
/* The oldest that has not been settled, then its `next` and so on; NULL: there is none. */
const struct crew_job *crew_oldest(const struct crew *c);
size_t crew_count(const struct crew *c);
/* Waits for the oldest job, which is the caller's again. NULL: there is none. */
struct crew_job *crew_settle(struct crew *c);
/* Nothing may be under way. NULL is ok. */
void crew_free(struct crew *c);

#endif
