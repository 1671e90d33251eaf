/* crew.c: see crew.h. */
#include "api/crew.h"
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Of all crews. A job waits for the disk most of its time. */
#define THREADS_MAX 128

struct crew {
    struct pool *pool; /* NULL: no thread so far */
    bool alone;        /* there are none to be had */
    struct crew_job *head, **tail;
    size_t n;
    pthread_mutex_t lock; /* of the jobs' ready */
    pthread_cond_t ready;
};

static atomic_int threads;

struct crew *crew_new(void)
{
    struct crew *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->ready, NULL);
    c->tail = &c->head;
    return c;
}

static bool hire(struct crew *c)
{
    int width = (int)CREW_WIDTH;
    if (c->pool != NULL || c->alone)
        return c->pool != NULL;
    c->alone = true;
    if (atomic_fetch_add(&threads, width) + width <= THREADS_MAX &&
        pool_new("crew", CREW_WIDTH, CREW_WIDTH, 0, &c->pool, NULL) == SB_OK)
        c->alone = false;
    else
        atomic_fetch_sub(&threads, width);
    return !c->alone;
}

static void work(struct pool_job *p)
{
    struct crew_job *job = (struct crew_job *)(void *)p;
    struct crew *c = job->crew;
    job->run(job);
    pthread_mutex_lock(&c->lock);
    job->ready = true;
    pthread_cond_signal(&c->ready);
    pthread_mutex_unlock(&c->lock);
}

void crew_give(struct crew *c, struct crew_job *job)
{
    assert(c->n < CREW_WIDTH);
    job->work.run = work;
    job->crew = c;
    job->ready = false;
    job->next = NULL;
    *c->tail = job;
    c->tail = &job->next;
    c->n++;
    if (!hire(c) || !pool_submit(c->pool, &job->work, false))
        work(&job->work);
}

const struct crew_job *crew_oldest(const struct crew *c)
{
    return c->head;
}

size_t crew_count(const struct crew *c)
{
    return c->n;
}

struct crew_job *crew_settle(struct crew *c)
{
    struct crew_job *job = c->head;
    if (job == NULL)
        return NULL;
    pthread_mutex_lock(&c->lock);
    while (!job->ready)
        pthread_cond_wait(&c->ready, &c->lock);
    pthread_mutex_unlock(&c->lock);
    c->head = job->next;
    if (c->head == NULL)
        c->tail = &c->head;
    c->n--;
    return job;
}

void crew_free(struct crew *c)
{
    if (c == NULL)
        return;
    assert(c->head == NULL);
    if (c->pool != NULL) {
        pool_free(c->pool);
        atomic_fetch_sub(&threads, (int)CREW_WIDTH);
    }
    pthread_cond_destroy(&c->ready);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
