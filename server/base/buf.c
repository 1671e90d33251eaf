/* buf.c: the growing buffer, big-endian integers, and wiping. */
#include "server/base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 64

void sb_wipe(void *p, size_t n)
{
    if (!p || n == 0)
        return;
    memset(p, 0, n);
    /* The compiler must believe that the zeros are read. */
    __asm__ __volatile__("" : : "r"(p) : "memory");
}

static void release(struct sb_buf *b)
{
    if (b->p) {
        sb_wipe(b->p, b->cap);
        free(b->p);
    }
    b->p = NULL;
    b->n = 0;
    b->cap = 0;
}

/* A failed buffer has no memory, so `cap` is free to remember why it failed. */
static enum sb_err fail(struct sb_buf *b, enum sb_err code)
{
    release(b);
    b->failed = true;
    b->cap = (size_t)code;
    return code;
}

void buf_init(struct sb_buf *b, size_t max)
{
    *b = (struct sb_buf){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void buf_done(struct sb_buf *b)
{
    if (!b)
        return;
    release(b);
    b->failed = false;
}

void buf_clear(struct sb_buf *b)
{
    if (b->failed)
        return;
    sb_wipe(b->p, b->cap);
    b->n = 0;
}

/* Makes room for n more bytes and the NUL. Not realloc: it could leave an unwiped copy behind. */
static enum sb_err reserve(struct sb_buf *b, size_t n)
{
    if (b->failed)
        return (enum sb_err)b->cap;
    if (n > b->max - b->n)
        return fail(b, SB_ETOOLARGE);
    size_t need = b->n + n + 1;
    if (need <= b->cap)
        return SB_OK;
    size_t cap = b->cap <= b->max / 2 ? b->cap * 2 : b->max + 1;
    cap = SB_MIN(SB_MAX(cap, BUF_FIRST_CAP), b->max + 1);
    cap = SB_MAX(cap, need);
    uint8_t *p = cap ? malloc(cap) : NULL;
    if (!p)
        return fail(b, SB_ENOMEM);
    size_t used = b->n;
    if (used)
        memcpy(p, b->p, used);
    release(b);
    p[used] = '\0';
    b->p = p;
    b->n = used;
    b->cap = cap;
    return SB_OK;
}

uint8_t *buf_room(struct sb_buf *b, size_t n)
{
    if (reserve(b, n) != SB_OK)
        return NULL;
    b->p[b->n + n] = '\0';
    return b->p + b->n;
}

enum sb_err buf_add(struct sb_buf *b, const void *p, size_t n)
{
    enum sb_err rc = reserve(b, n);
    if (rc != SB_OK)
        return rc;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
    return SB_OK;
}

enum sb_err buf_adds(struct sb_buf *b, const char *s)
{
    return buf_add(b, s, strlen(s));
}

enum sb_err buf_addc(struct sb_buf *b, char c)
{
    return buf_add(b, &c, 1);
}

enum sb_err buf_addf(struct sb_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    enum sb_err rc = reserve(b, 0);
    if (rc == SB_OK) {
        /* Most texts fit into what is there. */
        int len = vsnprintf((char *)b->p + b->n, b->cap - b->n, fmt, ap);
        if (len < 0)
            rc = fail(b, SB_EINTERNAL);
        else if ((size_t)len >= b->cap - b->n && (rc = reserve(b, (size_t)len)) == SB_OK)
            len = vsnprintf((char *)b->p + b->n, b->cap - b->n, fmt, again);
        if (rc == SB_OK && (size_t)len > b->max - b->n)
            rc = fail(b, SB_ETOOLARGE);
        if (rc == SB_OK)
            b->n += (size_t)len;
    }
    va_end(again);
    va_end(ap);
    return rc;
}

const char *buf_str(const struct sb_buf *b)
{
    if (!b->p)
        return "";
    b->p[b->n] = '\0'; /* the caller of buf_room may have used less than it asked for */
    return (const char *)b->p;
}

enum sb_err buf_add_u8(struct sb_buf *b, uint8_t v)
{
    return buf_add(b, &v, 1);
}

enum sb_err buf_add_u16(struct sb_buf *b, uint16_t v)
{
    uint8_t p[2];
    be_put_u16(p, v);
    return buf_add(b, p, sizeof p);
}

enum sb_err buf_add_u32(struct sb_buf *b, uint32_t v)
{
    uint8_t p[4];
    be_put_u32(p, v);
    return buf_add(b, p, sizeof p);
}

enum sb_err buf_add_u64(struct sb_buf *b, uint64_t v)
{
    uint8_t p[8];
    be_put_u64(p, v);
    return buf_add(b, p, sizeof p);
}

void be_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void be_put_u32(uint8_t *p, uint32_t v)
{
    be_put_u16(p, (uint16_t)(v >> 16));
    be_put_u16(p + 2, (uint16_t)v);
}

void be_put_u64(uint8_t *p, uint64_t v)
{
    be_put_u32(p, (uint32_t)(v >> 32));
    be_put_u32(p + 4, (uint32_t)v);
}

uint16_t be_get_u16(const uint8_t *p)
{
    return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

uint32_t be_get_u32(const uint8_t *p)
{
    return (uint32_t)be_get_u16(p) << 16 | be_get_u16(p + 2);
}

uint64_t be_get_u64(const uint8_t *p)
{
    return (uint64_t)be_get_u32(p) << 32 | be_get_u32(p + 4);
}
