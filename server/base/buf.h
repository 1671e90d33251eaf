/*
 * buf.h: a growing byte buffer with a ceiling.
 *
 * The ceiling is given at init. When an append fails (ceiling or memory) the buffer frees itself and stays
 * failed: callers append freely and look once, with buf_failed or at the end. Memory is wiped before it is
 * given back.
 */
#ifndef SB_BUF_H
#define SB_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

struct sb_buf {
    uint8_t *p; /* always NUL-terminated behind n when not NULL */
    size_t n;
    size_t cap;
    size_t max; /* ceiling for n */
    bool failed;
};

void buf_init(struct sb_buf *b, size_t max);
/* Wipes and frees; the buffer may be used again with the same ceiling. NULL is ok. */
void buf_done(struct sb_buf *b);
/* Forgets the content, keeps the memory (wiped). */
void buf_clear(struct sb_buf *b);
/* Each returns SB_OK, or SB_ETOOLARGE / SB_ENOMEM (also on every later call until buf_done). */
enum sb_err buf_add(struct sb_buf *b, const void *p, size_t n);
enum sb_err buf_adds(struct sb_buf *b, const char *s);
enum sb_err buf_addf(struct sb_buf *b, const char *fmt, ...) SB_PRINTF(2, 3);
enum sb_err buf_addc(struct sb_buf *b, char c);
/* Makes room for n more bytes and returns where they go (then add to b->n yourself), or NULL. */
uint8_t *buf_room(struct sb_buf *b, size_t n);
static inline bool buf_failed(const struct sb_buf *b)
{
    return b->failed;
}
/* The text so far; "" when empty or failed. Borrowed until the next append. */
const char *buf_str(const struct sb_buf *b);

/* Big-endian integers, appended or written in place. */
enum sb_err buf_add_u8(struct sb_buf *b, uint8_t v);
enum sb_err buf_add_u16(struct sb_buf *b, uint16_t v);
enum sb_err buf_add_u32(struct sb_buf *b, uint32_t v);
enum sb_err buf_add_u64(struct sb_buf *b, uint64_t v);
void be_put_u16(uint8_t *p, uint16_t v);
void be_put_u32(uint8_t *p, uint32_t v);
void be_put_u64(uint8_t *p, uint64_t v);
uint16_t be_get_u16(const uint8_t *p);
uint32_t be_get_u32(const uint8_t *p);
uint64_t be_get_u64(const uint8_t *p);

/* Overwrites n bytes so that the compiler cannot leave it out. What it cannot reach: registers, earlier
 * copies. */
void sb_wipe(void *p, size_t n);

#endif
