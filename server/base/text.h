/* text.h: small text helpers that every layer needs: comparison, copying, GUIDs, hex, base64,
 * percent-encoding. */
#ifndef SB_TEXT_H
#define SB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/buf.h"

#define SB_GUID_LEN 36

/* ASCII only, whatever the locale. */
bool text_ieq(const char *a, const char *b);
bool text_ieqn(const char *a, const char *b, size_t n);
bool text_istarts(const char *s, const char *prefix);
bool text_starts(const char *s, const char *prefix);
bool text_ends(const char *s, const char *suffix);
char text_lower(char c);
/* Lowers in place and returns s. */
char *text_tolower(char *s);
/* FNV-1a over the lowered text. */
uint64_t text_ihash(const char *s);
/* Copies with truncation check: false (and dst[0] = 0) when src does not fit into cap bytes with its NUL. */
bool text_copy(char *dst, size_t cap, const char *src);
bool text_copyn(char *dst, size_t cap, const char *src, size_t n);

/* Whole text must be a decimal number in range; false otherwise, *ret untouched. */
bool text_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* Whole text must be a finite number as C writes it (without leading blanks); false otherwise, *ret
 * untouched. */
bool text_to_double(const char *s, double *ret);

/* 8-4-4-4-12 lower-case hex from 16 bytes; dst has 37 bytes. */
void guid_format(const uint8_t b[16], char *dst);
/* Accepts either case, with or without dashes; false if malformed. */
bool guid_parse(const char *s, uint8_t ret[16]);
bool guid_valid(const char *s); /* dashed form only */

void hex_encode(const uint8_t *p, size_t n, char *dst /* 2n+1 */);
bool hex_decode(const char *s, uint8_t *ret, size_t n); /* exactly 2n digits */

/* Standard (padded) and URL (unpadded) base64. Encoders append; decoders take n characters, strict alphabet
 * and length, padding optional in b64, none in b64url; result from the arena; NULL if malformed. */
enum sb_err b64_encode(struct sb_buf *b, const void *p, size_t n);
enum sb_err b64url_encode(struct sb_buf *b, const void *p, size_t n);
uint8_t *b64_decode(struct sb_arena *a, const char *s, size_t n, size_t *ret_n);
uint8_t *b64url_decode(struct sb_arena *a, const char *s, size_t n, size_t *ret_n);
char *b64url_str(struct sb_arena *a, const void *p, size_t n); /* NULL: out of memory */

/* Decodes %XX (and + as blank when plus); NULL for a bad escape or a NUL byte inside. */
char *percent_decode(struct sb_arena *a, const char *s, size_t n, bool plus);
/* Escapes all but RFC 3986 unreserved characters. */
enum sb_err percent_encode(struct sb_buf *b, const char *s);

/* Well-formed UTF-8 without NUL? */
bool utf8_valid(const char *s, size_t n);
/* How many characters (code points) are in n bytes of well-formed UTF-8? */
size_t utf8_length(const char *s, size_t n);

#endif
