/*
 * wipefree.c: free() and realloc() of the whole process, libraries included, overwrite what they give back.
 *
 * Message bodies pass through buffers that are not ours (GnuTLS records, libmicrohttpd, SQLite): without
 * this, pieces of them would stay in freed memory for as long as nobody needs it, also after a namespace was
 * revoked. (mallopt(M_PERTURB) does not do it: blocks of up to 1 KiB go back to the thread's cache
 * untouched.) A symbol of the program comes before the C library's; sanitizers bring their own allocator and
 * are left alone.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WIPEFREE_OFF
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define WIPEFREE_OFF
#endif

#ifndef WIPEFREE_OFF
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/buf.h"

extern void __libc_free(void *p);

void free(void *p)
{
    int kept = errno; /* free does not touch it */
    if (p) {
        sb_wipe(p, malloc_usable_size(p));
        __libc_free(p);
    }
    errno = kept;
}

void *realloc(void *p, size_t n)
{
    if (!p)
        return malloc(n);
    if (n == 0) {
        free(p);
        return NULL;
    }
    size_t have = malloc_usable_size(p);
    if (n <= have && n >= have / 2)
        return p;
    void *moved = malloc(n);
    if (!moved)
        return NULL;
    memcpy(moved, p, n < have ? n : have);
    free(p);
    return moved;
}
#else
typedef int wipefree_off; /* a file must hold something */
#endif
