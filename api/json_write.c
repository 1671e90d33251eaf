/* json_write.c: writing JSON into a buffer. A failed buffer stays failed: the caller looks once, at the end.
 */
#include "api/json.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/text.h"

void jw_init(struct jw *w, struct sb_buf *b)
{
    *w = (struct jw){.b = b};
}

/* How many characters from s on can be written as they are. *ret_ascii: no byte above 0x7f among them. */
static size_t plain(const char *s, bool *ret_ascii)
{
    size_t i = 0;
    unsigned char all = 0;
    for (;; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        all |= c;
    }
    *ret_ascii = all < 0x80;
    return i;
}

static void add_escape(struct sb_buf *b, char c)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = strchr(named, c);
    if (at) {
        const char pair[2] = {'\\', letters[at - named]};
        buf_add(b, pair, sizeof pair);
    } else {
        buf_addf(b, "\\u%04x", (unsigned)c);
    }
}

/* Text that may not be UTF-8 (a path, a header): what is malformed becomes U+FFFD, so that the answer stays
 * JSON. */
static void add_utf8(struct sb_buf *b, const char *s, size_t n)
{
    if (utf8_valid(s, n)) {
        buf_add(b, s, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        size_t len = 1;
        while (len < 4 && i + len <= n && !utf8_valid(s + i, len))
            len++;
        bool good = i + len <= n && utf8_valid(s + i, len);
        if (good)
            buf_add(b, s + i, len);
        else
            buf_adds(b, "\\ufffd");
        i += good ? len : 1;
    }
}

static void add_string(struct sb_buf *b, const char *s)
{
    buf_addc(b, '"');
    for (;;) {
        bool ascii = true;
        size_t n = plain(s, &ascii);
        if (ascii)
            buf_add(b, s, n);
        else
            add_utf8(b, s, n);
        if (!s[n])
            break;
        add_escape(b, s[n]);
        s += n + 1;
    }
    buf_addc(b, '"');
}

/* Comma and name of what comes next. */
static void next(struct jw *w, const char *key)
{
    if (w->comma)
        buf_addc(w->b, ',');
    w->comma = true;
    if (key) {
        add_string(w->b, key);
        buf_addc(w->b, ':');
    }
}

void jw_obj(struct jw *w, const char *key)
{
    next(w, key);
    buf_addc(w->b, '{');
    w->comma = false;
}

void jw_arr(struct jw *w, const char *key)
{
    next(w, key);
    buf_addc(w->b, '[');
    w->comma = false;
}

void jw_end_obj(struct jw *w)
{
    buf_addc(w->b, '}');
    w->comma = true;
}

void jw_end_arr(struct jw *w)
{
    buf_addc(w->b, ']');
    w->comma = true;
}

void jw_str(struct jw *w, const char *key, const char *v)
{
    if (!v)
        return;
    next(w, key);
    add_string(w->b, v);
}

void jw_strf(struct jw *w, const char *key, const char *fmt, ...)
{
    char small[512];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int len = vsnprintf(small, sizeof small, fmt, ap);
    if (len >= 0 && (size_t)len < sizeof small) {
        jw_str(w, key, small);
    } else {
        char *big = len < 0 ? NULL : malloc((size_t)len + 1);
        if (big)
            vsnprintf(big, (size_t)len + 1, fmt, again);
        jw_str(w, key, big ? big : "");
        free(big);
    }
    va_end(again);
    va_end(ap);
}

void jw_i64(struct jw *w, const char *key, int64_t v)
{
    next(w, key);
    buf_addf(w->b, "%" PRId64, v);
}

/* As .NET's round-trip format: 15 digits if they suffice, else 17 (recorded: 922337203685.47754). */
void jw_dbl(struct jw *w, const char *key, double v)
{
    char text[40];
    if (!isfinite(v)) {
        jw_null(w, key);
        return;
    }
    snprintf(text, sizeof text, "%.15g", v);
    if (strtod(text, NULL) != v) /* lint: ok, our own digits */ /* lint: ok: our own digits */
        snprintf(text, sizeof text, "%.17g", v);
    next(w, key);
    buf_adds(w->b, text);
}

void jw_bool(struct jw *w, const char *key, bool v)
{
    next(w, key);
    buf_adds(w->b, v ? "true" : "false");
}

void jw_null(struct jw *w, const char *key)
{
    next(w, key);
    buf_adds(w->b, "null");
}

void jw_raw(struct jw *w, const char *key, const char *json)
{
    if (!json)
        return;
    next(w, key);
    buf_adds(w->b, json);
}
