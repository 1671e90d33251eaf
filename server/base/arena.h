/*
 * arena.h: memory that lives as long as one request (or one task) and is given back at once, wiped.
 *
 * Results of engine and storage calls are allocated from the caller's arena, so nothing has to be freed one
 * by one. Not thread-safe: one arena belongs to one thread at a time. Allocation failure returns NULL and
 * marks the arena; the ceiling (bytes) is given at creation.
 */
#ifndef SB_ARENA_H
#define SB_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include "server/base/compiler.h"

struct sb_arena;

/* NULL when out of memory. */
struct sb_arena *arena_new(size_t max);
/* The same for an owner that uses it again and again: its first `chunk` bytes are kept by arena_reset. */
struct sb_arena *arena_new_kept(size_t max, size_t chunk);
/* Wipes and frees everything; NULL is ok. */
void arena_free(struct sb_arena *a);
/* Wipes everything that was allocated from it; the arena is as new. */
void arena_reset(struct sb_arena *a);
/* Zeroed memory, aligned for any object; NULL at the ceiling or when out of memory. */
void *arena_alloc(struct sb_arena *a, size_t n);
/* Copies; NULL in gives NULL out. */
char *arena_strdup(struct sb_arena *a, const char *s);
char *arena_strndup(struct sb_arena *a, const char *s, size_t n);
void *arena_memdup(struct sb_arena *a, const void *p, size_t n);
char *arena_printf(struct sb_arena *a, const char *fmt, ...) SB_PRINTF(2, 3);
char *arena_vprintf(struct sb_arena *a, const char *fmt, va_list ap) SB_PRINTF(2, 0);
/* True when an allocation has failed since creation. */
bool arena_failed(const struct sb_arena *a);

#define ARENA_NEW(a, type)      ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (n)))

/* A borrowed piece of memory. */
struct sb_blob {
    const uint8_t *p;
    size_t n;
};

#endif
