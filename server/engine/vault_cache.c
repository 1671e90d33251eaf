/*
 * vault_cache.c: a hash table with chains, and a ring of its entries in order of use.
 */
#include "server/engine/vault_cache.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/text.h"

struct entry {
    struct entry *chain;         /* same bucket */
    struct entry *newer, *older; /* the ring */
    uint64_t stamp;
    void *object;
    char *key; /* stands behind the entry */
};

struct vault_cache {
    pthread_mutex_t lock;
    size_t max, n, buckets;
    void *(*ref)(void *);
    void (*unref)(void *);
    struct entry ring; /* ring.older: the most recently used; ring.newer: the least */
    struct entry *bucket[];
};

struct vault_cache *vault_cache_new(size_t max, void *(*ref)(void *), void (*unref)(void *))
{
    struct vault_cache *c = calloc(1, sizeof(*c) + max * sizeof(struct entry *));
    if (c == NULL)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    c->max = c->buckets = max;
    c->ref = ref;
    c->unref = unref;
    c->ring.newer = c->ring.older = &c->ring;
    return c;
}

static struct entry **bucket_of(struct vault_cache *c, const char *key)
{
    return &c->bucket[text_ihash(key) % c->buckets];
}

static void unlink_ring(struct entry *x)
{
    x->newer->older = x->older;
    x->older->newer = x->newer;
}

static void link_first(struct vault_cache *c, struct entry *x)
{
    x->older = c->ring.older;
    x->newer = &c->ring;
    x->older->newer = x;
    c->ring.older = x;
}

static void drop_entry(struct vault_cache *c, struct entry *x)
{
    struct entry **at = bucket_of(c, x->key);
    while (*at != x)
        at = &(*at)->chain;
    *at = x->chain;
    unlink_ring(x);
    c->unref(x->object);
    free(x);
    c->n--;
}

static struct entry *find(struct vault_cache *c, const char *key)
{
    struct entry *x = *bucket_of(c, key);
    while (x != NULL && strcmp(x->key, key) != 0)
        x = x->chain;
    return x;
}

void *vault_cache_get(struct vault_cache *c, const char *key, uint64_t stamp)
{
    void *object = NULL;
    pthread_mutex_lock(&c->lock);
    struct entry *x = find(c, key);
    if (x != NULL && x->stamp == stamp) {
        unlink_ring(x);
        link_first(c, x);
        object = c->ref(x->object);
    } else if (x != NULL && x->stamp < stamp) {
        drop_entry(c, x);
    }
    pthread_mutex_unlock(&c->lock);
    return object;
}

void vault_cache_put(struct vault_cache *c, const char *key, uint64_t stamp, void *object)
{
    size_t n = strlen(key) + 1;
    struct entry *x = malloc(sizeof(*x) + n);
    if (x == NULL)
        return;
    x->key = (char *)(x + 1);
    memcpy(x->key, key, n);
    x->stamp = stamp;
    x->object = c->ref(object);
    pthread_mutex_lock(&c->lock);
    struct entry *old = find(c, key);
    if (old != NULL)
        drop_entry(c, old);
    else if (c->n == c->max)
        drop_entry(c, c->ring.newer);
    struct entry **at = bucket_of(c, key);
    x->chain = *at;
    *at = x;
    link_first(c, x);
    c->n++;
    pthread_mutex_unlock(&c->lock);
}

void vault_cache_drop(struct vault_cache *c, const char *prefix)
{
    pthread_mutex_lock(&c->lock);
    for (struct entry *x = c->ring.older, *next; x != &c->ring; x = next) {
        next = x->older;
        if (text_starts(x->key, prefix))
            drop_entry(c, x);
    }
    pthread_mutex_unlock(&c->lock);
}

size_t vault_cache_size(struct vault_cache *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = c->n;
    pthread_mutex_unlock(&c->lock);
    return n;
}

void vault_cache_free(struct vault_cache *c)
{
    if (c == NULL)
        return;
    vault_cache_drop(c, "");
    pthread_mutex_destroy(&c->lock);
    free(c);
}
