/* arena.c: chunks that are filled from the front and wiped together. */
#include "server/base/arena.h"
#include <stdalign.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/buf.h"

#define ARENA_ALIGN alignof(max_align_t)
#define ARENA_CHUNK 4096u /* the first one, which most requests never leave */
#define ARENA_CHUNK_LIMIT                                                                                    \
    65536u /* later ones double up to here; a bigger object gets a chunk of its own size */

struct chunk {
    struct chunk *next; /* older ones */
    size_t size;
    size_t used;
    alignas(max_align_t) unsigned char p[];
};

struct sb_arena {
    struct chunk *top;
    size_t max;
    size_t used; /* what was asked for, rounded up to the alignment */
    bool failed;
};

static struct chunk *chunk_new(struct chunk *next, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct chunk))
        return NULL;
    struct chunk *c = malloc(sizeof *c + size);
    if (!c)
        return NULL;
    c->next = next;
    c->size = size;
    c->used = 0;
    return c;
}

/* The arena lives in its own first chunk: one malloc for a small request. */
static struct sb_arena *settle(struct chunk *c, size_t max)
{
    struct sb_arena *a = (struct sb_arena *)(void *)c->p;
    c->used = (sizeof *a + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    *a = (struct sb_arena){.top = c, .max = max};
    return a;
}

struct sb_arena *arena_new_kept(size_t max, size_t chunk)
{
    struct chunk *c = chunk_new(NULL, SB_MAX(chunk, ARENA_CHUNK));
    return c ? settle(c, max) : NULL;
}

struct sb_arena *arena_new(size_t max)
{
    return arena_new_kept(max, ARENA_CHUNK);
}

/* Wipes all chunks and frees all but the arena's own; that one. */
static struct chunk *clear(struct sb_arena *a)
{
    struct chunk *own = (struct chunk *)(void *)((char *)a - offsetof(struct chunk, p));
    for (struct chunk *c = a->top, *next; c; c = next) {
        next = c->next; /* wiping the own one wipes a as well */
        sb_wipe(c->p, c->used);
        if (c != own)
            free(c);
    }
    own->next = NULL;
    return own;
}

void arena_free(struct sb_arena *a)
{
    if (a)
        free(clear(a));
}

void arena_reset(struct sb_arena *a)
{
    size_t max = a->max;
    settle(clear(a), max);
}

/* Opens a chunk that holds n bytes. An object too big for a common chunk goes below the top one, which stays
 * open. */
static struct chunk *chunk_for(struct sb_arena *a, size_t n)
{
    struct chunk *top = a->top;
    if (n <= top->size - top->used)
        return top;
    size_t size = SB_MIN(top->size * 2, ARENA_CHUNK_LIMIT);
    if (n > size / 2) {
        struct chunk *own = chunk_new(top->next, n);
        if (own)
            top->next = own;
        return own;
    }
    struct chunk *c = chunk_new(top, size);
    if (c)
        a->top = c;
    return c;
}

/* As arena_alloc, but not zeroed. */
static void *take(struct sb_arena *a, size_t n)
{
    size_t want = SB_MAX(n, 1);
    struct chunk *c = NULL;
    if (want <= SIZE_MAX - ARENA_ALIGN) {
        want = (want + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
        if (n <= a->max - SB_MIN(a->used, a->max))
            c = chunk_for(a, want);
    }
    if (!c) {
        a->failed = true;
        return NULL;
    }
    void *p = c->p + c->used;
    c->used += want;
    a->used += want;
    return p;
}

void *arena_alloc(struct sb_arena *a, size_t n)
{
    void *p = take(a, n);
    if (p)
        memset(p, 0, n);
    return p;
}

void *arena_memdup(struct sb_arena *a, const void *p, size_t n)
{
    if (!p)
        return NULL;
    void *copy = take(a, n);
    if (copy && n)
        memcpy(copy, p, n);
    return copy;
}

char *arena_strdup(struct sb_arena *a, const char *s)
{
    return s ? arena_memdup(a, s, strlen(s) + 1) : NULL;
}

char *arena_strndup(struct sb_arena *a, const char *s, size_t n)
{
    if (!s)
        return NULL;
    size_t len = strnlen(s, n);
    char *copy = len < SIZE_MAX ? take(a, len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *arena_vprintf(struct sb_arena *a, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    char *s = NULL;
    int len = vsnprintf(NULL, 0, fmt, ap);
    if (len < 0)
        a->failed = true;
    else if ((s = take(a, (size_t)len + 1)))
        vsnprintf(s, (size_t)len + 1, fmt, again);
    va_end(again);
    return s;
}

char *arena_printf(struct sb_arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return s;
}

bool arena_failed(const struct sb_arena *a)
{
    return a->failed;
}
