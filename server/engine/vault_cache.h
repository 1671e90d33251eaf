/*
 * vault_cache.h: a bounded map from text to shared immutable objects; the least recently used one goes first.
 *
 * An entry is put with a stamp and found only with that same stamp: what was remembered of an earlier state
 * of the database is never seen again. The cache holds a reference to each object of its own. Thread-safe.
 */
#ifndef SB_VAULT_CACHE_H
#define SB_VAULT_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

struct vault_cache;

/* ref makes one more reference and returns it, unref gives one back. NULL: out of memory. */
struct vault_cache *vault_cache_new(size_t max, void *(*ref)(void *), void (*unref)(void *));
void vault_cache_free(struct vault_cache *c); /* NULL is ok */
/* A reference for the caller, or NULL. */
void *vault_cache_get(struct vault_cache *c, const char *key, uint64_t stamp);
/* Takes a reference of its own; when memory is short nothing is remembered. */
void vault_cache_put(struct vault_cache *c, const char *key, uint64_t stamp, void *object);
/* Forgets every key that begins with prefix; "" forgets all. */
void vault_cache_drop(struct vault_cache *c, const char *prefix);
size_t vault_cache_size(struct vault_cache *c);

#endif
