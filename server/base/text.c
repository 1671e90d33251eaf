/* text.c: comparison, copying, numbers, GUIDs, hex, base64, percent-encoding and UTF-8 checks. */
#include "server/base/text.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- comparison and copying ---- */

char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

char *text_tolower(char *s)
{
    for (char *p = s; *p; p++)
        *p = text_lower(*p);
    return s;
}

bool text_ieq(const char *a, const char *b)
{
    for (; *a && text_lower(*a) == text_lower(*b); a++)
        b++;
    return text_lower(*a) == text_lower(*b);
}

bool text_ieqn(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text_lower(a[i]) != text_lower(b[i]))
            return false;
        if (!a[i])
            break;
    }
    return true;
}

bool text_istarts(const char *s, const char *prefix)
{
    return text_ieqn(s, prefix, strlen(prefix));
}

bool text_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && strcmp(s + n - k, suffix) == 0;
}

uint64_t text_ihash(const char *s)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *s; s++)
        h = (h ^ (uint8_t)text_lower(*s)) * UINT64_C(0x100000001b3);
    return h;
}

bool text_copyn(char *dst, size_t cap, const char *src, size_t n)
{
    if (cap == 0)
        return false;
    if (n >= cap) {
        dst[0] = '\0';
        return false;
    }
    memcpy(dst, src, n);
    dst[n] = '\0';
    return true;
}

bool text_copy(char *dst, size_t cap, const char *src)
{
    return text_copyn(dst, cap, src, strlen(src));
}

bool text_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    bool minus = *s == '-';
    s += minus;
    if (!*s)
        return false;
    /* Counted downwards: the negative range is the larger one. */
    int64_t v = 0;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        int digit = *s - '0';
        if (v < (INT64_MIN + digit) / 10)
            return false;
        v = v * 10 - digit;
    }
    if (!minus && v == INT64_MIN)
        return false;
    if (!minus)
        v = -v;
    if (v < min || v > max)
        return false;
    *ret = v;
    return true;
}

bool text_to_double(const char *s, double *ret)
{
    char *end = NULL;
    if (*s == '\0' || strchr(" \t\n\v\f\r", *s) != NULL)
        return false;
    double v = strtod(s, &end);
    if (*end != '\0' || !isfinite(v))
        return false;
    *ret = v;
    return true;
}

/* ---- hex and GUIDs ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void hex_encode(const uint8_t *p, size_t n, char *dst)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *dst++ = digits[p[i] >> 4];
        *dst++ = digits[p[i] & 15];
    }
    *dst = '\0';
}

/* Two digits, or -1. The second is looked at only if the first is one, so a NUL ends it. */
static int hex_byte(const char *s)
{
    int hi = hex_digit(s[0]);
    int lo = hi < 0 ? -1 : hex_digit(s[1]);
    return lo < 0 ? -1 : hi << 4 | lo;
}

bool hex_decode(const char *s, uint8_t *ret, size_t n)
{
    if (strnlen(s, 2 * n + 1) != 2 * n)
        return false;
    for (size_t i = 0; i < 2 * n; i++) {
        if (hex_digit(s[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)hex_byte(s + 2 * i);
    return true;
}

/* Is there a dash in front of byte i of a GUID? */
static bool dash_before(size_t i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

void guid_format(const uint8_t b[16], char *dst)
{
    for (size_t i = 0; i < 16; i++) {
        if (dash_before(i))
            *dst++ = '-';
        hex_encode(b + i, 1, dst);
        dst += 2;
    }
}

bool guid_parse(const char *s, uint8_t ret[16])
{
    size_t len = strnlen(s, SB_GUID_LEN + 1);
    if (len != SB_GUID_LEN && len != 32)
        return false;
    uint8_t b[16];
    for (size_t i = 0; i < 16; i++) {
        if (len == SB_GUID_LEN && dash_before(i) && *s++ != '-')
            return false;
        int v = hex_byte(s);
        if (v < 0)
            return false;
        b[i] = (uint8_t)v;
        s += 2;
    }
    memcpy(ret, b, sizeof b);
    return true;
}

bool guid_valid(const char *s)
{
    uint8_t b[16];
    return strnlen(s, SB_GUID_LEN + 1) == SB_GUID_LEN && guid_parse(s, b);
}

/* ---- base64 ---- */

static const char b64_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char b64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t b64_len(size_t n, bool pad)
{
    size_t rest = n % 3;
    return n / 3 * 4 + (rest == 0 ? 0 : pad ? 4 : rest + 1);
}

/* Writes b64_len(n, pad) characters. */
static void b64_write(const uint8_t *p, size_t n, const char *alphabet, bool pad, char *dst)
{
    for (; n >= 3; n -= 3, p += 3) {
        unsigned v = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        *dst++ = alphabet[v >> 18];
        *dst++ = alphabet[v >> 12 & 63];
        *dst++ = alphabet[v >> 6 & 63];
        *dst++ = alphabet[v & 63];
    }
    if (n == 0)
        return;
    unsigned v = (unsigned)p[0] << 16 | (n == 2 ? (unsigned)p[1] << 8 : 0);
    *dst++ = alphabet[v >> 18];
    *dst++ = alphabet[v >> 12 & 63];
    if (n == 2)
        *dst++ = alphabet[v >> 6 & 63];
    else if (pad)
        *dst++ = '=';
    if (pad)
        *dst++ = '=';
}

static enum sb_err b64_append(struct sb_buf *b, const void *p, size_t n, const char *alphabet, bool pad)
{
    size_t len = n <= SIZE_MAX / 2 ? b64_len(n, pad) : SIZE_MAX;
    char *dst = (char *)buf_room(b, len);
    if (!dst)
        return buf_add(b, "", 0); /* tells why */
    b64_write(p, n, alphabet, pad, dst);
    b->n += len;
    return SB_OK;
}

enum sb_err b64_encode(struct sb_buf *b, const void *p, size_t n)
{
    return b64_append(b, p, n, b64_std, true);
}

enum sb_err b64url_encode(struct sb_buf *b, const void *p, size_t n)
{
    return b64_append(b, p, n, b64_url, false);
}

char *b64url_str(struct sb_arena *a, const void *p, size_t n)
{
    if (n > SIZE_MAX / 2)
        return NULL;
    size_t len = b64_len(n, false);
    char *s = arena_alloc(a, len + 1);
    if (s)
        b64_write(p, n, b64_url, false, s);
    return s;
}

static int b64_value(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

/* n characters without padding. Leftover bits must be zero, so that no two texts decode to the same bytes. */
static uint8_t *b64_read(struct sb_arena *a, const char *s, size_t n, bool url, size_t *ret_n)
{
    if (n % 4 == 1)
        return NULL;
    size_t len = n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0);
    uint8_t *p = arena_alloc(a, len + 1);
    if (!p)
        return NULL;
    uint32_t bits = 0;
    unsigned have = 0;
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        int v = b64_value(s[i], url);
        if (v < 0)
            return NULL;
        bits = (bits << 6 | (uint32_t)v) & 0xffffffu;
        have += 6;
        if (have >= 8) {
            have -= 8;
            p[out++] = (uint8_t)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1))
        return NULL;
    *ret_n = len;
    return p;
}

uint8_t *b64_decode(struct sb_arena *a, const char *s, size_t n, size_t *ret_n)
{
    size_t pad = 0;
    while (pad < 2 && pad < n && s[n - pad - 1] == '=')
        pad++;
    if (pad && n % 4)
        return NULL;
    return b64_read(a, s, n - pad, false, ret_n);
}

uint8_t *b64url_decode(struct sb_arena *a, const char *s, size_t n, size_t *ret_n)
{
    return b64_read(a, s, n, true, ret_n);
}

/* ---- percent-encoding and UTF-8 ---- */

char *percent_decode(struct sb_arena *a, const char *s, size_t n, bool plus)
{
    char *out = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
    if (!out)
        return NULL;
    char *dst = out;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '%') {
            int v = n - i > 2 ? hex_byte(s + i + 1) : -1;
            if (v < 0)
                return NULL;
            c = (char)v;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (!c)
            return NULL;
        *dst++ = c;
    }
    return out;
}

static bool unreserved(char c)
{
    return (c >= '0' && c <= '9') || (text_lower(c) >= 'a' && text_lower(c) <= 'z') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

enum sb_err percent_encode(struct sb_buf *b, const char *s)
{
    static const char digits[] = "0123456789ABCDEF";
    enum sb_err rc = buf_add(b, "", 0);
    for (; *s && rc == SB_OK; s++) {
        uint8_t c = (uint8_t)*s;
        const char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        rc = unreserved(*s) ? buf_addc(b, *s) : buf_add(b, escape, sizeof escape);
    }
    return rc;
}

/* Length of the well-formed sequence at p (n bytes are there), 0 if there is none. After Unicode, table 3-7.
 */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    if (p[0] < 0x80)
        return p[0] ? 1 : 0;
    size_t len = p[0] >= 0xc2 && p[0] <= 0xdf   ? 2
                 : p[0] >= 0xe0 && p[0] <= 0xef ? 3
                 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4
                                                : 0;
    if (len == 0 || n < len)
        return 0;
    uint8_t lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80; /* no overlong forms */
    uint8_t hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf; /* no surrogates, nothing above U+10FFFF */
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

bool utf8_valid(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    while (n) {
        size_t len = utf8_sequence(p, n);
        if (len == 0)
            return false;
        p += len;
        n -= len;
    }
    return true;
}

size_t utf8_length(const char *s, size_t n)
{
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        length += ((unsigned char)s[i] & 0xc0) != 0x80;
    return length;
}
