/* fn_string.c: functions over strings. */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define PAD_MAX 16384 /* characters that padLeft makes (choice) */

static const struct tv *out_of_range(struct fn_call *c, const char *what)
{
    return eval_fail(c->ev,
                     "Unable to evaluate template language function '%s': %s. Please see "
                     "https://aka.ms/arm-resource-functions/#%s for usage details.",
                     c->name, what, c->fn->name);
}

/* .NET's upper and lower case for what has one letter each way: ASCII, Latin-1, Greek and Cyrillic. */
static const struct tv *change_case(struct fn_call *c, bool up)
{
    static const struct {
        uint16_t first, last, distance; /* of the capitals; small = capital + distance */
    } rows[] = {{'A', 'Z', 32},     {0xc0, 0xd6, 32},   {0xd8, 0xde, 32},  {0x391, 0x3a1, 32},
                {0x3a3, 0x3ab, 32}, {0x410, 0x42f, 32}, {0x400, 0x40f, 80}};
    const char *s = c->args[0]->u.s;
    char *dst = arena_strndup(EVAL_ARENA(c->ev), s, c->args[0]->n);
    if (!dst || !eval_spend(c->ev, c->args[0]->n / 8))
        return NULL;
    for (char *p = dst; *p; p++) {
        bool two = ((unsigned char)*p & 0xe0) == 0xc0;
        uint32_t ch = two ? ((uint32_t)((unsigned char)p[0] & 0x1f) << 6 | ((unsigned char)p[1] & 0x3f))
                          : (unsigned char)*p;
        for (size_t i = 0; i < SB_ARRAY_LEN(rows) && (two || ch < 0x80); i++) {
            uint32_t from = up ? rows[i].distance : 0;
            if (ch < rows[i].first + from || ch > rows[i].last + from)
                continue;
            ch = up ? ch - rows[i].distance : ch + rows[i].distance;
            p[0] = (char)(two ? 0xc0 | ch >> 6 : ch);
            if (two)
                p[1] = (char)(0x80 | (ch & 0x3f));
            break;
        }
        p += two;
    }
    return tv_string_own(EVAL_ARENA(c->ev), dst, c->args[0]->n);
}

const struct tv *fn_toLower(struct fn_call *c)
{
    return change_case(c, false);
}

const struct tv *fn_toUpper(struct fn_call *c)
{
    return change_case(c, true);
}

const struct tv *fn_trim(struct fn_call *c)
{
    const char *s = c->args[0]->u.s, *end = s + c->args[0]->n;
    while (*s && strchr(" \t\r\n\v\f", *s))
        s++;
    while (end > s && strchr(" \t\r\n\v\f", end[-1]))
        end--;
    return tv_stringn(EVAL_ARENA(c->ev), s, (size_t)(end - s));
}

const struct tv *fn_startsWith(struct fn_call *c)
{
    return tv_bool(text_istarts(c->args[0]->u.s, c->args[1]->u.s));
}

const struct tv *fn_endsWith(struct fn_call *c)
{
    const struct tv *s = c->args[0], *end = c->args[1];
    return tv_bool(end->n <= s->n && text_ieq(s->u.s + s->n - end->n, end->u.s));
}

const struct tv *fn_join(struct fn_call *c)
{
    struct sb_buf b;
    buf_init(&b, TV_WEIGHT_MAX);
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv *text = text_value(c->ev, c->args[0]->u.items[i]);
        if (!text) {
            buf_done(&b);
            return NULL;
        }
        if (i > 0)
            buf_add(&b, c->args[1]->u.s, c->args[1]->n);
        buf_add(&b, text->u.s, text->n);
    }
    return text_from(c->ev, &b);
}

const struct tv *fn_padLeft(struct fn_call *c)
{
    const struct tv *text = text_value(c->ev, c->args[0]);
    const char *pad = c->n == 3 ? c->args[2]->u.s : " ";
    int64_t wanted = c->args[1]->u.i;
    struct sb_buf b;
    if (!text)
        return NULL;
    if (wanted < 0 || wanted > PAD_MAX || strlen(pad) != 1)
        return out_of_range(c, "the length must be between 0 and 16384, and the padding one character");
    buf_init(&b, TV_WEIGHT_MAX);
    for (int64_t has = (int64_t)utf8_length(text->u.s, text->n); has < wanted; has++)
        buf_addc(&b, *pad);
    buf_add(&b, text->u.s, text->n);
    return text_from(c->ev, &b);
}

const struct tv *fn_replace(struct fn_call *c)
{
    const char *s = c->args[0]->u.s;
    const struct tv *old = c->args[1], *with = c->args[2];
    struct sb_buf b;
    if (old->n == 0)
        return out_of_range(c, "the text to replace must not be empty");
    if (!eval_spend(c->ev, c->args[0]->n / 8))
        return NULL;
    buf_init(&b, TV_WEIGHT_MAX);
    for (const char *found = NULL; (found = strstr(s, old->u.s)); s = found + old->n) {
        buf_add(&b, s, (size_t)(found - s));
        buf_add(&b, with->u.s, with->n);
    }
    buf_adds(&b, s);
    return text_from(c->ev, &b);
}

/* The first of the delimiters in s, by place, then by order; NULL: none. */
static const char *next_delimiter(const struct tv *delimiters, const char *s, size_t *ret_n)
{
    for (; *s; s++) {
        for (uint32_t i = 0; i < delimiters->n; i++) {
            const struct tv *d = delimiters->u.items[i];
            if (d->n > 0 && text_starts(s, d->u.s)) {
                *ret_n = d->n;
                return s;
            }
        }
    }
    return NULL;
}

const struct tv *fn_split(struct fn_call *c)
{
    const char *s = c->args[0]->u.s;
    struct sb_arena *a = EVAL_ARENA(c->ev);
    struct tv_list list = {0};
    size_t n = 0;
    const struct tv *delimiters = c->args[1]->type == TV_ARRAY ? c->args[1] : tv_array(a, &c->args[1], 1);
    if (!delimiters || !eval_spend(c->ev, (uint64_t)c->args[0]->n * delimiters->n / 8))
        return NULL;
    for (uint32_t i = 0; i < delimiters->n; i++) {
        if (delimiters->u.items[i]->type != TV_STRING)
            return out_of_range(c, "the delimiters must be strings");
    }
    for (const char *found = NULL; (found = next_delimiter(delimiters, s, &n)); s = found + n) {
        if (!tv_push(a, &list, tv_stringn(a, s, (size_t)(found - s))))
            return NULL;
    }
    if (!tv_push(a, &list, tv_string(a, s)))
        return NULL;
    return tv_array(a, list.items, list.n);
}

/* Moves over n characters; NULL: there are not that many. */
static const char *move(const char *s, int64_t n)
{
    for (; n > 0 && *s; n--) {
        s++;
        while (((unsigned char)*s & 0xc0) == 0x80)
            s++;
    }
    return n == 0 ? s : NULL;
}

const struct tv *fn_substring(struct fn_call *c)
{
    int64_t start = c->args[1]->u.i, n = c->n == 3 ? c->args[2]->u.i : 0;
    const char *from = start >= 0 ? move(c->args[0]->u.s, start) : NULL;
    const char *to = from && n >= 0 ? move(from, n) : NULL;
    if (!to)
        return out_of_range(c, "the index and length parameters must refer to a location within the string");
    return c->n == 3 ? tv_stringn(EVAL_ARENA(c->ev), from, (size_t)(to - from))
                     : tv_string(EVAL_ARENA(c->ev), from);
}
