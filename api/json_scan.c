/* json_scan.c: a validating scanner without recursion: one bit per open container. */
#include "api/json_scan.h"
#include <stdint.h>
#include <string.h>
#include "api/json.h"
#include "server/base/text.h"

#define SHORT_NUMBER 15u /* digits that any double keeps */

struct scanner {
    const char *p;
    size_t n, at;
    uint64_t objects; /* bit d: is the container at depth d an object? */
    unsigned depth;
    unsigned values;
    const char *why;
    bool keep_numbers;
};

static bool fail(struct scanner *s, const char *why)
{
    s->why = why;
    return false;
}

/* The character at hand, 0 at the end (a NUL in the text is no JSON either way). */
static char peek(const struct scanner *s)
{
    return s->at < s->n ? s->p[s->at] : '\0';
}

static void blanks(struct scanner *s)
{
    while (s->at < s->n &&
           (s->p[s->at] == ' ' || s->p[s->at] == '\n' || s->p[s->at] == '\r' || s->p[s->at] == '\t'))
        s->at++;
}

static bool take(struct scanner *s, char c, const char *why)
{
    if (peek(s) != c)
        return fail(s, why);
    s->at++;
    return true;
}

static bool digits(struct scanner *s)
{
    size_t from = s->at;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->at++;
    return s->at > from || fail(s, "A digit was expected.");
}

static bool number(struct scanner *s)
{
    size_t from = s->at;
    if (peek(s) == '-')
        s->at++;
    if (peek(s) == '0')
        s->at++;
    else if (!digits(s))
        return false;
    if (peek(s) == '.') {
        s->at++;
        if (!digits(s))
            return false;
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        s->at++;
        if (peek(s) == '+' || peek(s) == '-')
            s->at++;
        if (!digits(s))
            return false;
    }
    if (!json_scan_short(s->p + from, s->at - from))
        s->keep_numbers = true;
    return true;
}

/* Four hex digits behind "\u"; -1 if they are not there. */
static int hex4(const struct scanner *s)
{
    int v = 0;
    if (s->n - s->at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = text_lower(s->p[s->at + i]);
        if (c >= '0' && c <= '9')
            v = v * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v * 16 + (c - 'a') + 10;
        else
            return -1;
    }
    return v;
}

/* What follows "\u". */
static bool unicode(struct scanner *s)
{
    int v = hex4(s);
    if (v < 0)
        return fail(s, "An escape is malformed.");
    if (v == 0)
        return fail(s, "The character \\u0000 is not allowed.");
    s->at += 4;
    if (v < 0xd800 || v > 0xdfff)
        return true;
    if (v > 0xdbff || s->n - s->at < 6 || s->p[s->at] != '\\' || s->p[s->at + 1] != 'u')
        return fail(s, "A surrogate stands alone.");
    s->at += 2;
    int low = hex4(s);
    if (low < 0xdc00 || low > 0xdfff)
        return fail(s, "A surrogate stands alone.");
    s->at += 4;
    return true;
}

static bool escape(struct scanner *s)
{
    s->at++;
    char c = peek(s);
    if (!c || !strchr("\"\\/bfnrtu", c))
        return fail(s, "An escape is malformed.");
    s->at++;
    return c != 'u' || unicode(s);
}

static bool string(struct scanner *s)
{
    if (!take(s, '"', "A string was expected."))
        return false;
    size_t from = s->at;
    bool ascii = true;
    for (;;) {
        if (s->at >= s->n)
            return fail(s, "A string does not end.");
        unsigned char c = (unsigned char)s->p[s->at];
        if (c == '"')
            break;
        if (c < 0x20)
            return fail(s, "A control character stands in a string.");
        if (c == '\\') {
            if (!escape(s))
                return false;
            continue;
        }
        ascii = ascii && c < 0x80;
        s->at++;
    }
    if (!ascii && !utf8_valid(s->p + from, s->at - from))
        return fail(s, "A string is not valid UTF-8.");
    s->at++;
    return true;
}

static bool literal(struct scanner *s, const char *word)
{
    size_t len = strlen(word);
    if (s->n - s->at < len || memcmp(s->p + s->at, word, len) != 0)
        return fail(s, "An unexpected character was found.");
    s->at += len;
    return true;
}

static bool key(struct scanner *s)
{
    blanks(s);
    if (!string(s))
        return false;
    blanks(s);
    return take(s, ':', "A colon was expected.");
}

/* A container opens. *ret_done tells that it was empty and is closed again. */
static bool open_container(struct scanner *s, bool object, bool *ret_done)
{
    if (s->depth >= JSON_DEPTH)
        return fail(s, "The text is nested too deeply.");
    s->at++;
    blanks(s);
    *ret_done = peek(s) == (object ? '}' : ']');
    if (*ret_done) {
        s->at++;
        return true;
    }
    uint64_t bit = UINT64_C(1) << s->depth++;
    s->objects = object ? s->objects | bit : s->objects & ~bit;
    return !object || key(s);
}

/* One value, or the beginning of one that holds others: then *ret_done is false. */
static bool value(struct scanner *s, bool *ret_done)
{
    *ret_done = true;
    if (++s->values > JSON_VALUES_MAX)
        return fail(s, "The text holds too many values.");
    blanks(s);
    char c = peek(s);
    switch (c) {
    case '{':
    case '[': return open_container(s, c == '{', ret_done);
    case '"': return string(s);
    case 't': return literal(s, "true");
    case 'f': return literal(s, "false");
    case 'n': return literal(s, "null");
    default: break;
    }
    if (c == '-' || (c >= '0' && c <= '9'))
        return number(s);
    return fail(s, s->at >= s->n ? "The text ends too early." : "An unexpected character was found.");
}

/* Behind a value: closes containers until another value must follow (*ret_more) or the text is complete. */
static bool behind(struct scanner *s, bool *ret_more)
{
    *ret_more = false;
    while (s->depth > 0) {
        bool object = (s->objects >> (s->depth - 1)) & 1;
        blanks(s);
        if (peek(s) == ',') {
            s->at++;
            *ret_more = true;
            return !object || key(s);
        }
        if (!take(s, object ? '}' : ']',
                  s->at >= s->n ? "The text ends too early." : "An unexpected character was found."))
            return false;
        s->depth--;
    }
    return true;
}

struct json_scan json_scan(const char *p, size_t n)
{
    struct scanner s = {.p = p, .n = n};
    bool more = true, done = false;
    while (more) {
        if (!value(&s, &done) || (done && !behind(&s, &more)))
            break;
    }
    if (!s.why) {
        blanks(&s);
        if (s.at < s.n)
            s.why = "Additional text was found after the value.";
    }
    return (struct json_scan){.at = s.at, .why = s.why, .keep_numbers = s.keep_numbers};
}

const char *json_scan_number(const char *p, size_t n, size_t *at, size_t *ret_len)
{
    size_t i = *at;
    while (i < n && p[i] != '-' && (p[i] < '0' || p[i] > '9')) {
        if (p[i++] != '"')
            continue;
        while (p[i] != '"') /* well-formed: it ends */
            i += p[i] == '\\' ? 2 : 1;
        i++;
    }
    size_t from = i;
    while (i < n && strchr("+-.eE0123456789", p[i]) && p[i])
        i++;
    *at = i;
    *ret_len = i - from;
    return i > from ? p + from : NULL;
}

bool json_scan_short(const char *p, size_t n)
{
    size_t from = n > 0 && p[0] == '-' ? 1 : 0;
    for (size_t i = from; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
    }
    return n - from <= SHORT_NUMBER && !(from == 1 && p[1] == '0'); /* "-0" prints as "0" */
}
