/*
 * events.c: ids over both logs, the queue of audit rows, and reading both as one.
 *
 * Audit rows are written behind the answer: one op on the vault store, in no hurry, takes all that is queued
 * when it runs. Ids at or below the newest minus EVENTS_KEEP are never shown and are
 * deleted as rows are written.
 */
#include "server/engine/events.h"
#include <stdatomic.h>
#include "server/base/buf.h"
#include "server/base/log.h"

#define META_BASE                                                                                            \
    "events.base" /* newest id at the latest reset: what is below was not dropped for want of room */

/* Rows that may wait; beyond it the newest are dropped and counted. */
#define QUEUE_MAX 20000
/* Key log rows between two looks at what is too old. */
#define TRIM_EVERY 64

struct pending {
    struct pending *next;
    struct st_event ev; /* its texts stand behind it */
};

struct events {
    _Atomic int64_t last; /* newest id given out */
    _Atomic int64_t base;
    pthread_mutex_t lock;  /* the queue */
    pthread_cond_t stored; /* a batch was written */
    struct pending *head, **tail;
    size_t queued;
    uint64_t dropped;     /* since the last write */
    int64_t newest, done; /* ids of the last row that was queued, and that was written (or lost) */
    unsigned flushing;    /* threads that wait for rows */
    bool writing;         /* op is on its way */
    struct store_op op;
    struct pending *batch; /* what op writes */
    struct engine *e;
};

static int64_t next_id(struct events *v)
{
    return atomic_fetch_add(&v->last, 1) + 1;
}

int64_t events_last_id(struct engine *e)
{
    return atomic_load(&e->events->last);
}

static int64_t floor_id(int64_t last)
{
    return SB_MAX(last - EVENTS_KEEP, 0);
}

/* ---- writing ---- */

/* Deletes what is too old; own: the newest id of this log. */
static enum sb_err trim(struct events *v, struct tx *tx, int64_t own, struct sb_error *err)
{
    int64_t old = floor_id(atomic_load(&v->last));
    return old == 0 ? SB_OK : st_event_trim(tx, own - old, err);
}

enum sb_err events_key(struct engine *e, struct tx *sb_tx, struct st_event *ev, struct sb_error *err)
{
    enum sb_err rc;
    ev->id = next_id(e->events);
    ev->time_ms = engine_now(e);
    ev->stream = EVENT_STREAM_KEY;
    SB_TRY(st_event_add(sb_tx, ev, err));
    if (ev->id % TRIM_EVERY == 0)
        SB_TRY(trim(e->events, sb_tx, ev->id, err));
out:
    return rc;
}

/* The texts of a row, so that they can be copied in one go. */
static const size_t texts[] = {
    offsetof(struct st_event, op),          offsetof(struct st_event, category),
    offsetof(struct st_event, resource_id), offsetof(struct st_event, vault),
    offsetof(struct st_event, key),         offsetof(struct st_event, version),
    offsetof(struct st_event, code),        offsetof(struct st_event, message),
    offsetof(struct st_event, activity_id), offsetof(struct st_event, identity),
    offsetof(struct st_event, result),
};

static const char **text_of(struct st_event *ev, size_t i)
{
    return (const char **)(void *)((char *)ev + texts[i]);
}

/* One block; NULL: out of memory. */
static struct pending *copy(const struct st_event *ev)
{
    struct st_event from = *ev;
    size_t size[SB_ARRAY_LEN(texts)], total = sizeof(struct pending);
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++) {
        const char *s = *text_of(&from, i);
        size[i] = s ? strlen(s) + 1 : 0;
        total += size[i];
    }
    struct pending *p = malloc(total);
    if (!p)
        return NULL;
    p->next = NULL;
    p->ev = from;
    char *at = (char *)(p + 1);
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++) {
        if (size[i] == 0)
            continue;
        memcpy(at, *text_of(&from, i), size[i]);
        *text_of(&p->ev, i) = at;
        at += size[i];
    }
    return p;
}

static void free_batch(struct pending *p)
{
    while (p) {
        struct pending *next = p->next;
        free(p);
        p = next;
    }
}

/* What op writes: all that is queued when it first runs (it may run again). */
static struct pending *take_batch(struct events *v)
{
    pthread_mutex_lock(&v->lock);
    if (!v->batch) {
        v->batch = v->head;
        v->head = NULL;
        v->tail = &v->head;
        v->queued = 0;
    }
    pthread_mutex_unlock(&v->lock);
    return v->batch;
}

static enum sb_err write_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct events *v = (struct events *)(void *)((char *)op - offsetof(struct events, op));
    int64_t own = 0;
    for (struct pending *p = take_batch(v); p; p = p->next) {
        SB_TRY(st_event_add(tx, &p->ev, err));
        own = p->ev.id;
    }
    SB_TRY(trim(v, tx, own, err));
out:
    return rc;
}

/* The op is to be submitted. Holds the lock; the caller submits. */
static void set_going(struct events *v)
{
    v->op.flags = v->flushing > 0 ? 0 : STORE_LAZY;
    v->writing = true;
}

static void write_done(struct store_op *op)
{
    struct events *v = (struct events *)(void *)((char *)op - offsetof(struct events, op));
    struct pending *written = take_batch(v); /* not taken yet when the store refused the op */
    enum sb_err rc = op->rc;
    pthread_mutex_lock(&v->lock);
    uint64_t dropped = v->dropped;
    v->dropped = 0;
    v->batch = NULL;
    for (struct pending *p = written; p; p = p->next)
        v->done = p->ev.id;
    v->writing = false;
    bool more = v->head != NULL;
    if (more)
        set_going(v);
    pthread_cond_broadcast(&v->stored);
    /* From here v may be gone when nothing more was queued. */
    struct store *kv = v->e->kv;
    pthread_mutex_unlock(&v->lock);
    free_batch(written);
    if (rc != SB_OK || dropped > 0) {
        char n[24];
        snprintf(n, sizeof n, "%llu", (unsigned long long)dropped);
        log_event(LOG_WARN, "audit.lost", "code", sb_err_name(rc), "dropped", n, NULL);
    }
    if (more)
        store_submit(kv, op);
}

void events_audit(struct engine *e, const struct st_event *ev)
{
    struct events *v = e->events;
    struct pending *p = copy(ev);
    bool submit = false;
    pthread_mutex_lock(&v->lock);
    if (!p || v->queued >= QUEUE_MAX) {
        v->dropped++;
    } else {
        /* Under the lock, so that rows are written in the order of their ids. */
        p->ev.id = next_id(v);
        p->ev.time_ms = engine_now(e);
        p->ev.stream = EVENT_STREAM_AUDIT;
        v->newest = p->ev.id;
        *v->tail = p;
        v->tail = &p->next;
        v->queued++;
        p = NULL;
        submit = !v->writing;
        if (submit)
            set_going(v);
    }
    pthread_mutex_unlock(&v->lock);
    free(p);
    if (submit)
        store_submit(e->kv, &v->op);
}

void events_flush(struct engine *e)
{
    struct events *v = e->events;
    pthread_mutex_lock(&v->lock);
    int64_t last = v->newest;
    v->flushing++;
    bool wait = v->done < last;
    pthread_mutex_unlock(&v->lock);
    if (wait)
        store_hurry(e->kv);
    pthread_mutex_lock(&v->lock);
    while (v->done < last)
        pthread_cond_wait(&v->stored, &v->lock);
    v->flushing--;
    pthread_mutex_unlock(&v->lock);
}

/* ---- reading ---- */

struct listing {
    int64_t since;
    size_t limit;
    struct sb_arena *a;
    struct st_event *rows;
    size_t n;
};

static enum sb_err list_read(struct tx *tx, void *arg, struct sb_error *err)
{
    struct listing *l = arg;
    return st_event_list(tx, l->since, l->limit, l->a, &l->rows, &l->n, err);
}

/* Both sorted by id; takes at most limit, none above last. */
static size_t merge(const struct listing *x, const struct listing *y, int64_t last, size_t limit,
                    struct st_event *to)
{
    size_t n = 0, i = 0, k = 0;
    while (n < limit && (i < x->n || k < y->n)) {
        bool first = k >= y->n || (i < x->n && x->rows[i].id < y->rows[k].id);
        const struct st_event *ev = first ? &x->rows[i++] : &y->rows[k++];
        if (ev->id > last)
            break;
        to[n++] = *ev;
    }
    return n;
}

enum sb_err events_list(struct engine *e, int64_t since, size_t limit, struct sb_arena *a,
                        struct st_event **ret, size_t *ret_n, bool *ret_gap, struct sb_error *err)
{
    enum sb_err rc;
    struct events *v = e->events;
    /* Rows with ids up to `last` are all stored once the queue is empty and the Service Bus store has come to
     * our read. */
    int64_t last = atomic_load(&v->last);
    int64_t oldest = floor_id(last);
    struct listing kv = {SB_MAX(since, oldest), limit, a, NULL, 0};
    struct listing sb = kv;
    events_flush(e);
    SB_TRY(store_read(e->kv, list_read, &kv, err));
    SB_TRY(store_read(e->sb, list_read, &sb, err));
    struct st_event *rows = ARENA_ARRAY(a, struct st_event, SB_MIN(limit, kv.n + sb.n) + 1);
    if (!rows) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory reading events");
        goto out;
    }
    *ret_n = merge(&kv, &sb, last, limit, rows);
    *ret = rows;
    *ret_gap = since < oldest && oldest > atomic_load(&v->base);
out:
    return rc;
}

/* ---- life cycle ---- */

static enum sb_err read_last(struct tx *tx, void *arg, struct sb_error *err)
{
    int64_t min, max;
    enum sb_err rc = st_event_bounds(tx, &min, &max, err);
    if (rc == SB_OK)
        *(int64_t *)arg = SB_MAX(*(int64_t *)arg, max);
    return rc;
}

static enum sb_err read_base(struct tx *tx, void *arg, struct sb_error *err)
{
    struct sb_blob v = {0};
    struct sb_arena *a = arena_new(1024);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "out of memory reading events");
    enum sb_err rc = store_meta_get(tx, META_BASE, a, &v, err);
    if (rc == SB_OK && v.p && v.n == 8)
        *(int64_t *)arg = (int64_t)be_get_u64(v.p);
    arena_free(a);
    return rc;
}

enum sb_err events_open(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    int64_t last = 0, base = 0;
    struct events *v = calloc(1, sizeof *v);
    if (!v)
        return sb_fail(err, SB_ENOMEM, "out of memory opening the event log");
    SB_TRY(store_read(e->kv, read_base, &base, err));
    last = base;
    SB_TRY(store_read(e->kv, read_last, &last, err));
    SB_TRY(store_read(e->sb, read_last, &last, err));
    pthread_mutex_init(&v->lock, NULL);
    pthread_cond_init(&v->stored, NULL);
    atomic_init(&v->last, last);
    atomic_init(&v->base, base);
    v->tail = &v->head;
    v->op.run = write_run;
    v->op.done = write_done;
    v->e = e;
    e->events = v;
    v = NULL;
out:
    free(v);
    return rc;
}

void events_close(struct engine *e)
{
    struct events *v = e->events;
    if (!v)
        return;
    pthread_cond_destroy(&v->stored);
    pthread_mutex_destroy(&v->lock);
    free(v);
    e->events = NULL;
}

static enum sb_err empty(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return st_event_trim(tx, 0, err);
}

static enum sb_err empty_and_mark(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    uint8_t base[8];
    be_put_u64(base, (uint64_t) * (const int64_t *)arg);
    SB_TRY(st_event_trim(tx, 0, err));
    SB_TRY(store_meta_put(tx, META_BASE, base, sizeof base, err));
out:
    return rc;
}

enum sb_err events_reset(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct events *v = e->events;
    events_flush(e);
    int64_t last = atomic_load(&v->last);
    /* The mark first: without it a restart could give ids out again. */
    SB_TRY(store_call(e->kv, empty_and_mark, &last, err));
    SB_TRY(store_call(e->sb, empty, NULL, err));
    atomic_store(&v->base, last);
out:
    return rc;
}
