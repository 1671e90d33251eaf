/* jobs.c: see jobs.h. A list of what is running, a ring of results. */
#include "server/engine/jobs.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/text.h"

struct kept {
    char *name, *scope, *result; /* NULL: empty */
};

struct jobs {
    pthread_mutex_t lock;
    struct kept ring[JOBS_KEPT];
    size_t next;
    struct job_running *running;
};

static void forget_text(char *s)
{
    if (s)
        sb_wipe(s, strlen(s));
    free(s);
}

static void forget(struct kept *k)
{
    forget_text(k->name);
    forget_text(k->scope);
    forget_text(k->result);
    *k = (struct kept){0};
}

enum sb_err jobs_open(struct engine *e, struct sb_error *err)
{
    e->jobs = calloc(1, sizeof *e->jobs);
    if (!e->jobs)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    pthread_mutex_init(&e->jobs->lock, NULL);
    return SB_OK;
}

void jobs_reset(struct engine *e)
{
    pthread_mutex_lock(&e->jobs->lock);
    for (size_t i = 0; i < JOBS_KEPT; i++)
        forget(&e->jobs->ring[i]);
    pthread_mutex_unlock(&e->jobs->lock);
}

void jobs_close(struct engine *e)
{
    if (!e->jobs)
        return;
    jobs_reset(e);
    pthread_mutex_destroy(&e->jobs->lock);
    free(e->jobs);
    e->jobs = NULL;
}

enum sb_err jobs_keep(struct engine *e, const char *name, const char *scope, const char *result,
                      struct sb_error *err)
{
    struct kept k = {strdup(name), strdup(scope), strdup(result)};
    if (!k.name || !k.scope || !k.result) {
        forget(&k);
        return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    pthread_mutex_lock(&e->jobs->lock);
    struct kept *at = &e->jobs->ring[e->jobs->next++ % JOBS_KEPT];
    forget(at);
    *at = k;
    pthread_mutex_unlock(&e->jobs->lock);
    return SB_OK;
}

bool jobs_find(struct engine *e, const char *name, struct sb_arena *a, const char **ret_scope,
               const char **ret_result)
{
    bool found = false;
    pthread_mutex_lock(&e->jobs->lock);
    for (size_t i = 0; i < JOBS_KEPT && !found; i++) {
        const struct kept *k = &e->jobs->ring[i];
        found = k->name && text_ieq(k->name, name);
        if (found) {
            *ret_scope = arena_strdup(a, k->scope);
            *ret_result = arena_strdup(a, k->result);
        }
    }
    pthread_mutex_unlock(&e->jobs->lock);
    return found;
}

/* ---- what is running ---- */

/* Under the lock. */
static struct job_running *running(struct engine *e, const char *id)
{
    struct job_running *job = e->jobs->running;
    while (job && !text_ieq(job->id, id))
        job = job->next;
    return job;
}

bool jobs_begin(struct engine *e, struct job_running *job, const char *id, int64_t *ret_since)
{
    pthread_mutex_lock(&e->jobs->lock);
    const struct job_running *other = running(e, id);
    if (other) {
        *ret_since = other->since;
    } else {
        *job = (struct job_running){.next = e->jobs->running, .id = id, .since = engine_now(e)};
        e->jobs->running = job;
    }
    pthread_mutex_unlock(&e->jobs->lock);
    return !other;
}

void jobs_end(struct engine *e, struct job_running *job)
{
    pthread_mutex_lock(&e->jobs->lock);
    for (struct job_running **at = &e->jobs->running; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    pthread_mutex_unlock(&e->jobs->lock);
}

bool jobs_cancel(struct engine *e, const char *id)
{
    pthread_mutex_lock(&e->jobs->lock);
    struct job_running *job = running(e, id);
    if (job)
        job->cancelled = true;
    pthread_mutex_unlock(&e->jobs->lock);
    return job != NULL;
}

bool jobs_cancelled(struct engine *e, const struct job_running *job)
{
    pthread_mutex_lock(&e->jobs->lock);
    bool cancelled = job->cancelled;
    pthread_mutex_unlock(&e->jobs->lock);
    return cancelled;
}
