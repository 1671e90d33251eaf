/*
 * poller.c: when namespaces are polled, and by how many threads (semantics 7, 13). What a poll does is in
 * poller_pass.c.
 *
 * Threads exist while there is a round to run, never longer: an idle emulator holds none.
 */
#include <stdatomic.h>
#include <unistd.h>
#include "server/base/log.h"
#include "server/base/pool.h"
#include "server/engine/poller_pass.h"
#include "server/engine/timeline.h"

#define PASS_ARENA_MAX (1u << 20)
#define THREADS_MAX    16
#define ROUND_NICE     3 /* a round over many takes seconds of all cores: clients go first */

struct poller {
    pthread_mutex_t lock;
    pthread_cond_t idle;
    atomic_bool stopping;
    size_t running; /* rounds and single polls under way */
    pthread_t first;
    bool first_started;
};

/* ---- one namespace ---- */

static enum sb_err run_write(struct tx *tx, void *arg, struct sb_error *err)
{
    return pass_write(arg, tx, err);
}

static void publish(void *arg)
{
    pass_publish(arg);
}

/* Only the times of a poll that found everything as it was: nothing for the database, nothing for the sb
 * thread. */
static void note_times(struct pass *p)
{
    engine_lock(p->e);
    struct ns *n = ns_find_id(p->e, p->r.v.id);
    if (n) {
        n->last_poll = p->now;
        n->next_poll = p->now + p->e->cfg.poll_interval_ms; /* 7: after the last poll, whatever its cause */
    }
    engine_unlock(p->e);
}

/* The emulator itself failed: the namespace waits for its next poll as what it is, and nobody waits for the
 * first one. */
static void give_up(struct engine *e, int64_t id)
{
    engine_lock(e);
    struct ns *n = ns_find_id(e, id);
    if (n) {
        n->polled = true;
        n->next_poll = engine_now(e) + e->cfg.poll_interval_ms;
        ns_wake(e);
    }
    engine_unlock(e);
}

/* With the namespace's turn. */
static enum sb_err poll_claimed(struct pass *p, struct engine *e, int64_t id, bool hurried,
                                struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_record r;
    bool found;
    SB_TRY(ns_record_get(e, id, NULL, a, &found, &r, err));
    if (!found || !r.v.encrypted)
        return SB_OK;
    pass_begin(p, e, a, &r, hurried);
    SB_TRY(pass_probe(p, err));
    SB_TRY(pass_decide(p, err));
    if (p->changed || p->ring || p->d.drop_root || p->first || p->d.status != p->live) {
        SB_TRY(store_call_publish(e->sb, run_write, publish, p, err));
    } else {
        note_times(p);
        pass_tell(p);
    }
out:
    pass_end(p);
    return rc;
}

static enum sb_err copy_changes(const struct pass *p, struct sb_arena *a, struct poll_change **ret,
                                size_t *ret_n, struct sb_error *err)
{
    struct poll_change *c = ARENA_ARRAY(a, struct poll_change, p->changes_n + 1);
    for (size_t i = 0; c && i < p->changes_n; i++) {
        const struct poll_change *f = &p->changes[i];
        c[i] = (struct poll_change){arena_strdup(a, f->ns), arena_strdup(a, f->key), f->what,
                                    arena_strdup(a, f->version), f->code};
    }
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "no memory for a poll");
    *ret = c;
    *ret_n = p->changes_n;
    return SB_OK;
}

/* ret NULL: nobody wants to know. hurried: see pass_begin. */
static enum sb_err poll_one(struct engine *e, int64_t id, bool hurried, struct sb_arena *a,
                            struct poll_change **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_arena *own = arena_new(PASS_ARENA_MAX);
    struct pass *p = calloc(1, sizeof *p);
    if (!own || !p) {
        rc = sb_fail(err, SB_ENOMEM, "no memory for a poll");
    } else if (!ns_claim(e, id)) {
        rc = SB_OK; /* deleted meanwhile */
    } else {
        rc = poll_claimed(p, e, id, hurried, own, err);
        if (rc != SB_OK)
            give_up(e, id);
        ns_release(e, id);
    }
    if (rc == SB_OK && ret)
        rc = copy_changes(p, a, ret, ret_n, err);
    free(p);
    arena_free(own);
    return rc;
}

/* ---- rounds over many ---- */

struct result {
    int64_t id;
    struct sb_arena *a; /* of the changes; NULL when there are none */
    struct poll_change *changes;
    size_t n;
};

struct round {
    struct engine *e;
    struct result *todo; /* in id order */
    size_t n;
    bool wanted;  /* changes are asked for */
    bool hurried; /* see pass_begin */
    atomic_size_t next;
    pthread_mutex_t lock;
    enum sb_err rc; /* the first failure */
    struct sb_error err;
};

static enum sb_err poll_into(struct round *r, struct result *t, struct sb_error *err)
{
    if (!r->wanted)
        return poll_one(r->e, t->id, r->hurried, NULL, NULL, NULL, err);
    t->a = arena_new(PASS_ARENA_MAX);
    if (!t->a)
        return sb_fail(err, SB_ENOMEM, "no memory for a poll");
    enum sb_err rc = poll_one(r->e, t->id, r->hurried, t->a, &t->changes, &t->n, err);
    if (t->n == 0) {
        arena_free(t->a);
        t->a = NULL;
    }
    return rc;
}

static void *work(void *arg)
{
    struct round *r = arg;
    struct poller *pl = r->e->poller;
    size_t i;
    while (!atomic_load(&pl->stopping) && (i = atomic_fetch_add(&r->next, 1)) < r->n) {
        struct sb_error err = {0};
        enum sb_err rc = poll_into(r, &r->todo[i], &err);
        if (rc == SB_OK)
            continue;
        pthread_mutex_lock(&r->lock);
        if (r->rc == SB_OK) {
            r->rc = rc;
            r->err = err;
        }
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

static void *work_behind(void *arg)
{
    pool_step_back(ROUND_NICE);
    return work(arg);
}

/* Polls all of them, on as many threads as there are cores, or in order on this one. */
static void run_round(struct round *r, bool parallel)
{
    pthread_t threads[THREADS_MAX];
    size_t started = 0, want = 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_mutex_init(&r->lock, NULL);
    if (parallel && r->n > 1 && cores > 1)
        want = SB_MIN(SB_MIN((size_t)cores, r->n), (size_t)THREADS_MAX);
    while (started < want && pthread_create(&threads[started], NULL, work_behind, r) == 0)
        started++;
    if (started == 0)
        work(r);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&r->lock);
}

/* Which namespaces a round takes. */
struct pick {
    struct result *list;
    size_t n, cap;
    bool first;  /* only those that wait for their first poll */
    int64_t due; /* only those whose time has come */
};

static void pick_one(struct ns *n, void *arg)
{
    struct pick *k = arg;
    if (n->encrypted && (!k->first || !n->polled) && n->next_poll <= k->due && k->n < k->cap)
        k->list[k->n++].id = n->id;
}

static enum sb_err pick(struct engine *e, struct pick *k, struct sb_error *err)
{
    engine_lock(e);
    k->cap = ns_count(e);
    k->list = calloc(k->cap + 1, sizeof *k->list);
    if (k->list)
        ns_each(e, pick_one, k);
    engine_unlock(e);
    return k->list ? SB_OK : sb_fail(err, SB_ENOMEM, "no memory for a poll");
}

static bool enter(struct poller *pl)
{
    pthread_mutex_lock(&pl->lock);
    bool may = !atomic_load(&pl->stopping);
    pl->running += may;
    pthread_mutex_unlock(&pl->lock);
    return may;
}

static void leave(struct poller *pl)
{
    pthread_mutex_lock(&pl->lock);
    pl->running--;
    pthread_cond_broadcast(&pl->idle);
    pthread_mutex_unlock(&pl->lock);
}

/* ---- life cycle ---- */

enum sb_err poller_open(struct engine *e, struct sb_error *err)
{
    struct poller *pl = calloc(1, sizeof *pl);
    if (!pl)
        return sb_fail(err, SB_ENOMEM, "no memory for the poller");
    pthread_mutex_init(&pl->lock, NULL);
    pthread_cond_init(&pl->idle, NULL);
    atomic_init(&pl->stopping, false);
    e->poller = pl;
    return SB_OK;
}

void poller_stop(struct engine *e)
{
    struct poller *pl = e->poller;
    pthread_mutex_lock(&pl->lock);
    atomic_store(&pl->stopping, true);
    while (pl->running > 0)
        pthread_cond_wait(&pl->idle, &pl->lock);
    pthread_mutex_unlock(&pl->lock);
    if (pl->first_started)
        pthread_join(pl->first, NULL);
    pl->first_started = false;
}

void poller_close(struct engine *e)
{
    if (!e->poller)
        return;
    pthread_cond_destroy(&e->poller->idle);
    pthread_mutex_destroy(&e->poller->lock);
    free(e->poller);
    e->poller = NULL;
}

static void *first_main(void *arg)
{
    struct engine *e = arg;
    struct pick k = {.first = true, .due = INT64_MAX};
    struct sb_error err;
    if (!enter(e->poller))
        return NULL;
    if (pick(e, &k, &err) == SB_OK) {
        struct round r = {.e = e, .todo = k.list, .n = k.n};
        run_round(&r, true);
        if (r.rc != SB_OK)
            log_event(LOG_ERROR, "poll.failed", "error", sb_err_name(r.rc), "detail", r.err.detail, NULL);
    }
    free(k.list);
    leave(e->poller);
    timeline_poke(e);
    return NULL;
}

void poller_start_first(struct engine *e)
{
    bool any = false;
    engine_lock(e);
    struct pick k = {.first = true, .due = INT64_MAX, .cap = 1};
    struct result one;
    k.list = &one;
    ns_each(e, pick_one, &k);
    any = k.n > 0;
    engine_unlock(e);
    /* 13: no thread where nothing is encrypted; without one, the timeline polls at the next turn. */
    if (any && pthread_create(&e->poller->first, NULL, first_main, e) == 0)
        e->poller->first_started = true;
}

/* ---- polls on demand ---- */

enum sb_err poller_poll(struct engine *e, int64_t ns_id, struct sb_arena *a, struct poll_change **ret,
                        size_t *ret_n, struct sb_error *err)
{
    if (!enter(e->poller))
        return sb_fail(err, SB_EUNAVAILABLE, "The emulator is stopping.");
    struct poll_change *changes = NULL;
    size_t n = 0;
    enum sb_err rc = poll_one(e, ns_id, false, a, &changes, &n, err);
    leave(e->poller);
    timeline_poke(e);
    if (rc == SB_OK) {
        *ret = changes;
        *ret_n = n;
    }
    return rc;
}

/* The changes of a round, one behind the other. */
static enum sb_err join_changes(const struct round *r, struct sb_arena *a, struct poll_change **ret,
                                size_t *ret_n, struct sb_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < r->n; i++)
        total += r->todo[i].n;
    struct poll_change *all = ARENA_ARRAY(a, struct poll_change, total + 1);
    for (size_t i = 0, at = 0; all && i < r->n; i++) {
        for (size_t k = 0; k < r->todo[i].n; k++) {
            const struct poll_change *f = &r->todo[i].changes[k];
            all[at++] = (struct poll_change){arena_strdup(a, f->ns), arena_strdup(a, f->key), f->what,
                                             arena_strdup(a, f->version), f->code};
        }
    }
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "no memory for what the polls changed");
    *ret = all;
    *ret_n = total;
    return SB_OK;
}

static enum sb_err poll_named(struct engine *e, const char *name, struct sb_arena *a,
                              struct poll_change **ret, size_t *ret_n, struct sb_error *err)
{
    engine_lock(e);
    const struct ns *n = ns_find(e, name);
    int64_t id = n ? n->id : 0;
    engine_unlock(e);
    if (id == 0)
        return sb_fail(err, SB_ENONAMESPACE, "The namespace '%.64s' does not exist.", name);
    return poller_poll(e, id, a, ret, ret_n, err);
}

enum sb_err poller_poll_all(struct engine *e, const char *name, struct sb_arena *a, struct poll_change **ret,
                            size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct pick k = {.due = INT64_MAX};
    if (name)
        return poll_named(e, name, a, ret, ret_n, err);
    if (!enter(e->poller))
        return sb_fail(err, SB_EUNAVAILABLE, "The emulator is stopping.");
    struct round r = {.e = e, .wanted = true};
    SB_TRY(pick(e, &k, err));
    r.todo = k.list;
    r.n = k.n;
    run_round(&r, true);
    if (r.rc != SB_OK) {
        rc = sb_fail(err, r.rc, "%s", r.err.detail);
        goto out;
    }
    SB_TRY(join_changes(&r, a, ret, ret_n, err));
out:
    for (size_t i = 0; i < r.n; i++)
        arena_free(r.todo[i].a);
    free(k.list);
    leave(e->poller);
    timeline_poke(e);
    return rc;
}

/* ---- timeline ---- */

static void earliest(struct ns *n, void *arg)
{
    int64_t *due = arg;
    if (n->encrypted && n->next_poll < *due)
        *due = n->next_poll;
}

int64_t poller_next_due(struct engine *e)
{
    int64_t due = TIMELINE_NEVER;
    engine_lock(e);
    ns_each(e, earliest, &due);
    engine_unlock(e);
    return due;
}

enum sb_err poller_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc;
    struct pick k = {.due = now};
    if (!enter(e->poller))
        return SB_OK;
    SB_TRY(pick(e, &k, err));
    struct round r = {.e = e, .todo = k.list, .n = k.n, .hurried = true};
    /* A clock that somebody moves shows the order of things; on a running one they had better be quick. */
    run_round(&r, !clock_is_manual(e->clock));
    if (r.rc != SB_OK)
        rc = sb_fail(err, r.rc, "%s", r.err.detail);
out:
    free(k.list);
    leave(e->poller);
    return rc;
}
