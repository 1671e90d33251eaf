/* pool.c: one mutex, one condition, a list. */
#include "server/base/pool.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    const char *name;
    struct pool_job *head, **tail;
    size_t queued, queue_max;
    size_t idle;
    int nice;
    bool stopping;
    size_t threads, threads_max;
    pthread_t thread[];
};

enum sb_err pool_new(const char *name, size_t threads, size_t queue_max, int nice, struct pool **ret,
                     struct sb_error *err)
{
    struct pool *p = calloc(1, sizeof *p + threads * sizeof p->thread[0]);
    if (!p)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    p->name = name;
    p->tail = &p->head;
    p->queue_max = queue_max;
    p->nice = nice;
    p->threads_max = threads;
    *ret = p;
    return SB_OK;
}

/* Under the lock. */
static struct pool_job *take(struct pool *p)
{
    struct pool_job *job = p->head;
    p->head = job->next;
    if (!p->head)
        p->tail = &p->head;
    p->queued--;
    return job;
}

void pool_step_back(int nice)
{
    /* On Linux this is the thread's own; elsewhere nothing is lost. */
    if (nice != 0)
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + nice);
}

static void *worker(void *arg)
{
    struct pool *p = arg;
    pool_step_back(p->nice);
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->head && !p->stopping) {
            p->idle++;
            pthread_cond_wait(&p->work, &p->lock);
            p->idle--;
        }
        if (!p->head)
            break;
        struct pool_job *job = take(p);
        pthread_mutex_unlock(&p->lock);
        job->run(job); /* may free the job */
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Under the lock: one more thread when all are busy and there may be more. */
static void grow(struct pool *p)
{
    if (p->idle >= p->queued || p->threads == p->threads_max)
        return;
    if (pthread_create(&p->thread[p->threads], NULL, worker, p) == 0)
        p->threads++;
}

bool pool_submit(struct pool *p, struct pool_job *job, bool force)
{
    pthread_mutex_lock(&p->lock);
    bool ok = force || p->queued < p->queue_max;
    if (ok) {
        job->next = NULL;
        *p->tail = job;
        p->tail = &job->next;
        p->queued++;
        grow(p);
        if (p->threads == 0 && !force) { /* no thread at all: the only job there is, taken back */
            take(p);
            ok = false;
        }
        pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
