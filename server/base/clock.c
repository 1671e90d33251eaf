/* clock.c: the only place that asks the machine for the time. */
#include "server/base/clock.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct sb_clock {
    pthread_mutex_t lock;
    bool manual;
    int64_t offset; /* real: added to the machine's time */
    int64_t last;   /* manual: the time; real: the latest answer, below which it never falls */
};

static int64_t read_clock(clockid_t id)
{
    struct timespec ts = {0};
    clock_gettime(id, &ts); /* cannot fail for the two ids that are used */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_machine_now(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

struct sb_clock *clock_new(bool manual, int64_t start_ms)
{
    struct sb_clock *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        free(c);
        return NULL;
    }
    c->manual = manual;
    c->offset = manual ? 0 : start_ms;
    c->last = manual ? start_ms : INT64_MIN;
    return c;
}

void clock_free(struct sb_clock *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

bool clock_is_manual(const struct sb_clock *c)
{
    return c->manual;
}

static int64_t now_locked(struct sb_clock *c)
{
    if (!c->manual) {
        int64_t t = clock_machine_now() + c->offset;
        if (t > c->last)
            c->last = t;
    }
    return c->last;
}

int64_t clock_now(struct sb_clock *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t t = now_locked(c);
    pthread_mutex_unlock(&c->lock);
    return t;
}

void clock_advance_to(struct sb_clock *c, int64_t t)
{
    pthread_mutex_lock(&c->lock);
    if (t > now_locked(c)) {
        c->last = t;
        if (!c->manual)
            c->offset = t - clock_machine_now();
    }
    pthread_mutex_unlock(&c->lock);
}

int64_t clock_offset(struct sb_clock *c)
{
    pthread_mutex_lock(&c->lock);
    int64_t offset = c->manual ? c->last - clock_machine_now() : c->offset;
    pthread_mutex_unlock(&c->lock);
    return offset;
}
