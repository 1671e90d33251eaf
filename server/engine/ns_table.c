/*
 * ns_table.c: the table of namespaces in memory, taking turns at one of them, and waiting for first polls.
 */
#include <errno.h>
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/ns_priv.h"

#define BUCKETS   1024u
#define FIRST_CAP 16

/* `struct ns` as this module keeps it. */
struct entry {
    struct ns n; /* first member */
    bool busy;   /* a PUT, a DELETE or a poll has its turn */
    struct ns_proof proof;
};

struct namespaces {
    struct ns *by_name[BUCKETS];
    struct ns **by_id; /* ascending, as ids are given out */
    size_t n, cap;
    pthread_cond_t changed; /* with engine_lock: a turn or a first poll ended */
};

/* ---- the table ---- */

static struct ns **bucket(struct engine *e, const char *name)
{
    return &e->namespaces->by_name[text_ihash(name) % BUCKETS];
}

struct ns *ns_find(struct engine *e, const char *name)
{
    struct ns *n = *bucket(e, name);
    while (n && !text_ieq(n->name, name))
        n = n->next;
    return n;
}

struct ns *ns_find_host(struct engine *e, const char *label)
{
    struct ns *n = ns_find(e, label);
    const struct namespaces *t = e->namespaces;
    for (size_t i = 0; n == NULL && i < t->n; i++) {
        struct ns *x = t->by_id[i];
        if (x->role != PAIR_NONE && x->role != PAIR_SECONDARY && text_ieq(x->alias, label))
            n = x;
    }
    return n;
}

/* Index of the first id that is not below id. */
static size_t id_index(const struct namespaces *t, int64_t id)
{
    size_t lo = 0, hi = t->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->by_id[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct ns *ns_find_id(struct engine *e, int64_t id)
{
    struct namespaces *t = e->namespaces;
    size_t i = id_index(t, id);
    return i < t->n && t->by_id[i]->id == id ? t->by_id[i] : NULL;
}

void ns_each(struct engine *e, void (*f)(struct ns *n, void *arg), void *arg)
{
    for (size_t i = 0; i < e->namespaces->n; i++)
        f(e->namespaces->by_id[i], arg);
}

size_t ns_count(struct engine *e)
{
    return e->namespaces->n;
}

struct ns *ns_new(const struct ns_view *v)
{
    struct entry *x = calloc(1, sizeof *x);
    if (!x)
        return NULL;
    struct ns *n = &x->n;
    n->id = v->id;
    n->premium = text_ieq(v->sku, "Premium");
    n->encrypted = v->encrypted;
    n->local_auth_disabled = v->disable_local_auth;
    n->status = NS_UNREACHABLE;
    n->rules = ns_rules_new();
    if (!n->rules || !text_copy(n->name, sizeof n->name, v->name) ||
        !text_copy(n->sub, sizeof n->sub, v->sub) || !text_copy(n->group, sizeof n->group, v->group)) {
        ns_free(n);
        return NULL;
    }
    return n;
}

void ns_free(struct ns *n)
{
    if (!n)
        return;
    keyring_free(n->ring);
    ns_rules_free(n->rules);
    if (n->broker)
        broker_ns_free(n->broker);
    sb_wipe(n, sizeof(struct entry));
    free(n);
}

/* Room for one more: asked for before a transaction, so that publishing it cannot fail. Under engine_lock. */
static bool table_room(struct namespaces *t)
{
    if (t->n < t->cap)
        return true;
    size_t cap = t->cap == 0 ? FIRST_CAP : t->cap * 2;
    struct ns **grown = realloc(t->by_id, cap * sizeof(struct ns *));
    if (!grown)
        return false;
    t->by_id = grown;
    t->cap = cap;
    return true;
}

bool ns_table_reserve(struct engine *e)
{
    engine_lock(e);
    bool ok = table_room(e->namespaces);
    engine_unlock(e);
    return ok;
}

void ns_table_add(struct engine *e, struct ns *n)
{
    struct namespaces *t = e->namespaces;
    size_t i = id_index(t, n->id);
    memmove(&t->by_id[i + 1], &t->by_id[i], (t->n - i) * sizeof(struct ns *));
    t->by_id[i] = n;
    t->n++;
    struct ns **head = bucket(e, n->name);
    n->next = *head;
    *head = n;
}

void ns_table_remove(struct engine *e, struct ns *n)
{
    struct namespaces *t = e->namespaces;
    struct ns **at = bucket(e, n->name);
    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    size_t i = id_index(t, n->id);
    t->n--;
    if (n->move == MOVE_DELETE)
        atomic_fetch_sub(&e->deleting, 1);
    memmove(&t->by_id[i], &t->by_id[i + 1], (t->n - i) * sizeof(struct ns *));
}

/* ---- turns and first polls ---- */

void ns_wake(struct engine *e)
{
    pthread_cond_broadcast(&e->namespaces->changed);
}

bool ns_claim(struct engine *e, int64_t id)
{
    struct entry *x;
    engine_lock(e);
    while ((x = (struct entry *)ns_find_id(e, id)) != NULL && x->busy)
        pthread_cond_wait(&e->namespaces->changed, &e->lock);
    if (x)
        x->busy = true;
    engine_unlock(e);
    return x != NULL;
}

void ns_release(struct engine *e, int64_t id)
{
    engine_lock(e);
    struct entry *x = (struct entry *)ns_find_id(e, id);
    if (x)
        x->busy = false;
    ns_wake(e);
    engine_unlock(e);
}

enum sb_err ns_wait_polled(struct engine *e, const char *name, int64_t ms, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int64_t end = clock_monotonic() + ms;
    const struct timespec until = {.tv_sec = (time_t)(end / 1000), .tv_nsec = (long)(end % 1000) * 1000000};
    int waited = 0;
    engine_lock(e);
    struct ns *n;
    /* 13: a namespace is polled before it serves. */
    while ((n = ns_find(e, name)) != NULL && !n->polled && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&e->namespaces->changed, &e->lock, &until);
    if (n && !n->polled)
        rc = sb_fail(err, SB_EUNAVAILABLE,
                     "The customer-managed keys of namespace '%s' have not been polled yet.", n->name);
    engine_unlock(e);
    return rc;
}

/* ---- proofs ---- */

void ns_proof_get(struct engine *e, int64_t id, struct ns_proof *ret)
{
    *ret = (struct ns_proof){0};
    engine_lock(e);
    const struct entry *x = (const struct entry *)ns_find_id(e, id);
    if (x)
        *ret = x->proof;
    engine_unlock(e);
}

void ns_proof_keep(struct engine *e, int64_t id, const struct ns_proof *proof)
{
    engine_lock(e);
    struct entry *x = (struct entry *)ns_find_id(e, id);
    if (x)
        x->proof = *proof;
    engine_unlock(e);
}

/* ---- life cycle ---- */

enum sb_err ns_table_open(struct engine *e, struct sb_error *err)
{
    pthread_condattr_t monotonic;
    e->namespaces = calloc(1, sizeof *e->namespaces);
    if (!e->namespaces)
        return sb_fail(err, SB_ENOMEM, "no memory for the namespaces");
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->namespaces->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return SB_OK;
}

void ns_close(struct engine *e)
{
    struct namespaces *t = e->namespaces;
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        ns_free(t->by_id[i]);
    free(t->by_id);
    pthread_cond_destroy(&t->changed);
    free(t);
    e->namespaces = NULL;
}
