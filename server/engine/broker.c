/*
 * broker.c: the broker's memory: entities and their counters, when something falls due next, life cycle.
 *
 * Counters live here and are written to the entity's row once per commit (broker_before_commit), in the
 * transaction of what they count.
 */
#include <stdlib.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_private.h"

#define SEALED_MAX ((size_t)256 << 20) /* ceiling of a sealed message; limits of queues are lower */
#define SLOTS_MIN  8
/* accessedAt is written with the next change, or after this long without one. */
#define ACCESSED_LAG_MS 60000

/* ---- entities ---- */

static size_t text_size(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static const char *put_text(char **at, const char *s)
{
    if (s == NULL)
        return NULL;
    size_t n = strlen(s) + 1;
    char *copy = memcpy(*at, s, n);
    *at += n;
    return copy;
}

struct st_entity *broker_config_copy(const struct st_entity *row)
{
    size_t n = text_size(row->name) + text_size(row->forward_to) + text_size(row->forward_dlq) +
               text_size(row->client_id) + row->metadata.n;
    struct st_entity *cfg = malloc(sizeof *cfg + n);
    if (cfg == NULL)
        return NULL;
    char *at = (char *)(cfg + 1);
    *cfg = *row;
    cfg->name = put_text(&at, row->name);
    cfg->forward_to = put_text(&at, row->forward_to);
    cfg->forward_dlq = put_text(&at, row->forward_dlq);
    cfg->client_id = put_text(&at, row->client_id);
    if (row->metadata.p) {
        memcpy(at, row->metadata.p, row->metadata.n);
        cfg->metadata.p = (const uint8_t *)at;
    }
    return cfg;
}

static void show(struct entity *t)
{
    atomic_store_explicit(&t->shown.active, t->committed.active, memory_order_relaxed);
    atomic_store_explicit(&t->shown.dead_letter, t->committed.dead_letter, memory_order_relaxed);
    atomic_store_explicit(&t->shown.scheduled, t->committed.scheduled, memory_order_relaxed);
    atomic_store_explicit(&t->shown.bytes, t->committed.bytes, memory_order_relaxed);
    atomic_store_explicit(&t->shown.accessed_ms, t->accessed_ms, memory_order_relaxed);
}

struct entity *broker_entity_new(const struct st_entity *row)
{
    struct entity *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->cfg = broker_config_copy(row);
    if (t->cfg == NULL) {
        free(t);
        return NULL;
    }
    t->id = row->id;
    t->count = t->committed = row->count;
    t->accessed_ms = t->stored_accessed_ms = row->accessed_ms;
    show(t);
    return t;
}

/* Takes t out of the lists of what is to be written and of what was. */
static void drop(struct broker *b, const struct entity *t)
{
    struct entity **p = &b->dirty;
    while (*p && *p != t)
        p = &(*p)->dirty_next;
    if (*p)
        *p = t->dirty_next;
    p = &b->flushed;
    while (*p && *p != t)
        p = &(*p)->flushed_next;
    if (*p)
        *p = t->flushed_next;
}

void broker_entity_free(struct entity *t)
{
    if (t == NULL)
        return;
    if (t->in_dirty || t->in_flushed)
        drop(t->home->b, t);
    if (t->in_wakes)
        broker_drop_wake(t);
    if (t->in_forwards)
        broker_drop_forward(t);
    union {
        const struct st_entity *c;
        void *p;
    } cfg = {.c = t->cfg};
    broker_rule_free_all(t->rules);
    free(cfg.p);
    free(t);
}

static struct entity **name_slot(const struct broker_ns *home, const char *name)
{
    return &home->by_name[text_ihash(name) & (home->slots - 1)];
}

static struct entity **id_slot(const struct broker_ns *home, int64_t id)
{
    return &home->by_id[(uint64_t)id & (home->slots - 1)];
}

struct entity *broker_find(const struct broker_ns *home, const char *name)
{
    struct entity *t = *name_slot(home, name);
    while (t && !text_ieq(t->cfg->name, name))
        t = t->name_next;
    return t;
}

struct entity *broker_find_id(const struct broker_ns *home, int64_t id)
{
    struct entity *t = *id_slot(home, id);
    while (t && t->id != id)
        t = t->id_next;
    return t;
}

static void chain(struct broker_ns *home, struct entity *t)
{
    struct entity **slot = name_slot(home, t->cfg->name);
    t->name_next = *slot;
    *slot = t;
    slot = id_slot(home, t->id);
    t->id_next = *slot;
    *slot = t;
}

/* Without memory the chains just get longer. */
static void grow(struct broker_ns *home)
{
    size_t slots = home->slots * 4;
    struct entity **names = calloc(slots, sizeof(struct entity *)),
                  **ids = calloc(slots, sizeof(struct entity *));
    if (names == NULL || ids == NULL) {
        free(names);
        free(ids);
        return;
    }
    struct entity **old = home->by_id;
    size_t old_n = home->slots;
    free(home->by_name);
    home->by_name = names;
    home->by_id = ids;
    home->slots = slots;
    for (size_t i = 0; i < old_n; i++) {
        for (struct entity *t = old[i], *next; t; t = next) {
            next = t->id_next;
            chain(home, t);
        }
    }
    free(old);
}

void broker_link(struct broker_ns *home, struct entity *t)
{
    if (home->count >= home->slots * 2)
        grow(home);
    t->home = home;
    chain(home, t);
    home->count++;
    broker_topic_join(home, t);
    if (t->count.active > 0)
        broker_forward(t);
    if (broker_idle_due(t) != BROKER_NEVER) {
        home->idlers++;
        broker_due_at(home, broker_idle_due(t));
    }
}

void broker_unlink(struct entity *t)
{
    struct entity **p = name_slot(t->home, t->cfg->name);
    while (*p != t)
        p = &(*p)->name_next;
    *p = t->name_next;
    p = id_slot(t->home, t->id);
    while (*p != t)
        p = &(*p)->id_next;
    *p = t->id_next;
    t->home->count--;
    broker_topic_leave(t);
    t->home->idlers -= broker_idle_due(t) != BROKER_NEVER;
    broker_sweep(t->home->b);
}

void broker_configure(struct entity *t, struct st_entity *cfg)
{
    union {
        const struct st_entity *c;
        void *p;
    } old = {.c = t->cfg};
    t->home->idlers -= broker_idle_due(t) != BROKER_NEVER;
    t->cfg = cfg;
    if (broker_idle_due(t) != BROKER_NEVER) {
        t->home->idlers++;
        broker_due_at(t->home, broker_idle_due(t));
    }
    broker_forward(t);
    free(old.p);
}

/* ---- counters ---- */

static void make_dirty(struct broker *b, struct entity *t)
{
    if (!t->in_dirty) {
        t->in_dirty = true;
        t->dirty_next = b->dirty;
        b->dirty = t;
    }
}

void broker_touch(struct broker *b, struct entity *t)
{
    if (!t->in_undo) {
        t->in_undo = true;
        t->saved = t->count;
        t->undo_next = b->undo;
        b->undo = t;
    }
    make_dirty(b, t);
}

void broker_keep(struct broker *b)
{
    for (struct entity *t = b->undo; t; t = t->undo_next)
        t->in_undo = false;
    b->undo = NULL;
}

void broker_undo(struct broker *b)
{
    for (struct entity *t = b->undo; t; t = t->undo_next)
        t->count = t->saved;
    broker_keep(b);
}

bool broker_accessed(struct broker *b, struct entity *t, int64_t now)
{
    bool stored = now - t->stored_accessed_ms > ACCESSED_LAG_MS;
    t->accessed_ms = now;
    if (stored)
        make_dirty(b, t);
    return stored;
}

enum sb_err broker_before_commit(struct engine *e, struct tx *tx, struct sb_error *err)
{
    struct broker *b = e->broker;
    for (struct entity *t = b ? b->dirty : NULL; t; t = b->dirty) {
        enum sb_err rc = st_entity_count(tx, t->id, &t->count, t->accessed_ms, err);
        if (rc != SB_OK)
            return rc;
        t->committed = t->count;
        t->stored_accessed_ms = t->accessed_ms;
        b->dirty = t->dirty_next;
        t->in_dirty = false;
        t->in_flushed = true; /* it was not: what was flushed before is settled */
        t->flushed_next = b->flushed;
        b->flushed = t;
    }
    return SB_OK;
}

static void forget_lists(struct broker *b)
{
    for (struct entity *t = b->dirty; t; t = t->dirty_next)
        t->in_dirty = false;
    for (struct entity *t = b->flushed; t; t = t->flushed_next)
        t->in_flushed = false;
    b->dirty = b->flushed = NULL;
    broker_keep(b);
}

/* What fell due in the lost batch is due again. */
static void look_anew(struct ns *n, void *arg)
{
    SB_UNUSED(arg);
    if (n->broker)
        n->broker->next_due = 0;
}

/* A read that fails leaves counters that the next commit's CHECKs may refuse: nothing is lost by it. */
static void reread(struct tx *tx, struct entity *t)
{
    struct st_counters count;
    bool found = false;
    if (st_entity_counted(tx, t->id, &found, &count, NULL) == SB_OK && found)
        t->count = count;
    t->committed = t->count;
    show(t);
}

/* Every entity whose counters changed since the last commit stands in one of the lists. */
void broker_batch_lost(struct engine *e, struct tx *tx)
{
    struct broker *b = e->broker;
    if (b == NULL)
        return;
    for (struct entity *t = b->dirty; t; t = t->dirty_next)
        reread(tx, t);
    for (struct entity *t = b->flushed; t; t = t->flushed_next)
        reread(tx, t);
    forget_lists(b);
    ns_each(e, look_anew, NULL);
}

void broker_settled(struct engine *e)
{
    if (e->broker)
        broker_after(e->broker);
}

void broker_after(struct broker *b)
{
    for (struct entity *t = b->flushed; t; t = t->flushed_next) {
        t->in_flushed = false;
        show(t);
    }
    b->flushed = NULL;
    broker_wake_some(b);
    broker_forward_some(b);
}

/* ---- what falls due next ---- */

static void lower(struct broker *b, int64_t ms)
{
    if (ms >= atomic_load_explicit(&b->next_due, memory_order_relaxed))
        return;
    atomic_store(&b->next_due, ms);
    if (b->e->timeline)
        timeline_poke(b->e);
}

void broker_due_at(struct broker_ns *home, int64_t ms)
{
    if (ms < home->next_due)
        home->next_due = ms;
    if (home->n->ring)
        lower(home->b, ms);
}

int64_t broker_idle_due(const struct entity *t)
{
    if (t->cfg->idle_ms >= TIME_FOREVER_MS)
        return BROKER_NEVER;
    int64_t used = SB_MAX(t->accessed_ms, t->cfg->updated_ms);
    return used + t->cfg->idle_ms;
}

static void min_due(struct ns *n, void *arg)
{
    int64_t *min = arg;
    if (n->broker && n->ring && n->polled && n->broker->next_due < *min)
        *min = n->broker->next_due;
}

void broker_due_recount(struct broker *b)
{
    int64_t min = BROKER_NEVER;
    ns_each(b->e, min_due, &min);
    min = SB_MIN(min, b->min_emu);
    int64_t before = atomic_exchange(&b->next_due, min);
    if (min < before && b->e->timeline)
        timeline_poke(b->e);
}

int64_t broker_next_due(struct engine *e)
{
    return e->broker ? atomic_load(&e->broker->next_due) : BROKER_NEVER;
}

/* ---- namespaces ---- */

static struct broker_ns *home_new(struct broker *b, struct ns *n)
{
    struct broker_ns *home = calloc(1, sizeof *home);
    if (home == NULL)
        return NULL;
    home->b = b;
    home->n = n;
    home->slots = SLOTS_MIN;
    home->by_name = calloc(SLOTS_MIN, sizeof(struct entity *));
    home->by_id = calloc(SLOTS_MIN, sizeof(struct entity *));
    if (home->by_name == NULL || home->by_id == NULL) {
        free(home->by_name);
        free(home->by_id);
        free(home);
        return NULL;
    }
    return home;
}

enum sb_err broker_ns_load(struct engine *e, struct tx *tx, struct ns *n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_entity *rows = NULL;
    size_t count = 0;
    bool found = false;
    int64_t due = BROKER_NEVER;
    struct sb_arena *a = arena_new((size_t)64 << 20);
    struct broker_ns *home = home_new(e->broker, n);
    if (a == NULL || home == NULL)
        goto no_memory;
    SB_TRY(st_entity_list(tx, n->id, a, &rows, &count, err));
    SB_TRY(st_message_next_due(tx, n->id, &found, &due, err));
    home->next_due = found ? due : BROKER_NEVER;
    for (size_t i = 0; i < count; i++) {
        struct entity *t = broker_entity_new(&rows[i]);
        if (t == NULL)
            goto no_memory;
        broker_link(home, t);
        SB_TRY(broker_topic_load(e, tx, t, a, err));
    }
    if (home->next_due != BROKER_NEVER)
        broker_due_at(home, home->next_due);
    n->broker = home;
    home = NULL;
    goto out;
no_memory:
    rc = sb_fail(err, SB_ENOMEM, "out of memory loading the entities of a namespace");
out:
    broker_ns_free(home);
    arena_free(a);
    return rc;
}

void broker_ns_free(struct broker_ns *home)
{
    if (home == NULL)
        return;
    broker_wake_ns(home); /* what is parked looks again, and finds nothing left */
    if (home->count > 0)
        broker_sweep(home->b);
    for (size_t i = 0; i < home->slots; i++) {
        for (struct entity *t = home->by_id[i], *next; t; t = next) {
            next = t->id_next;
            broker_entity_free(t);
        }
    }
    free(home->by_name);
    free(home->by_id);
    free(home);
}

size_t broker_entity_count(const struct ns *n)
{
    return n->broker ? n->broker->count - n->broker->subs : 0;
}

struct broker_totals broker_totals(const struct ns *n)
{
    struct broker_totals sum = {0};
    const struct broker_ns *home = n->broker;
    for (size_t i = 0; home && i < home->slots; i++) {
        for (struct entity *t = home->by_id[i]; t; t = t->id_next) {
            sum.active += atomic_load_explicit(&t->shown.active, memory_order_relaxed);
            sum.dead_letter += atomic_load_explicit(&t->shown.dead_letter, memory_order_relaxed);
            sum.scheduled += atomic_load_explicit(&t->shown.scheduled, memory_order_relaxed);
            sum.bytes += atomic_load_explicit(&t->shown.bytes, memory_order_relaxed);
        }
    }
    return sum;
}

enum sb_err broker_release_locks(struct engine *e, struct tx *tx, struct ns *n, struct sb_error *err)
{
    if (n->broker)
        n->broker->next_due = 0; /* what it is now is found out when the key is back */
    return st_message_release_all(tx, n->id, engine_now(e) + BROKER_LOCK_MAX_MS, err);
}

enum sb_err broker_ns_delete(struct tx *tx, int64_t ns_id, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_entity *rows = NULL;
    size_t n = 0;
    struct sb_arena *a = arena_new((size_t)64 << 20);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory deleting a namespace");
    SB_TRY(st_entity_list(tx, ns_id, a, &rows, &n, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(st_entity_drop(tx, rows[i].id, err));
out:
    arena_free(a);
    return rc;
}

/* ---- life cycle ---- */

enum sb_err broker_open(struct engine *e, struct sb_error *err)
{
    struct broker *b = calloc(1, sizeof *b);
    if (b == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory making the broker");
    b->e = e;
    b->min_emu = BROKER_NEVER;
    atomic_init(&b->next_due, BROKER_NEVER);
    buf_init(&b->sealed, SEALED_MAX);
    buf_init(&b->sealed_dl, SEALED_MAX);
    e->broker = b;
    return broker_alarm_start(b, err);
}

void broker_close(struct engine *e)
{
    struct broker *b = e->broker;
    if (b == NULL)
        return;
    broker_alarm_stop(b);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    buf_done(&b->sealed);
    buf_done(&b->sealed_dl);
    sb_wipe(b, sizeof *b);
    free(b);
    e->broker = NULL;
}
