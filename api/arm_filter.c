/* arm_filter.c: the small part of OData's $filter that clients use: terms joined by "and". */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"

struct scan {
    const char *p;
    struct sb_arena *arena;
};

static void skip_blanks(struct scan *s)
{
    s->p += strspn(s->p, " \t");
}

static bool take(struct scan *s, char c)
{
    skip_blanks(s);
    if (*s->p != c)
        return false;
    s->p++;
    return true;
}

/* A word in any case, followed by a blank. */
static bool take_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(s);
    if (!text_ieqn(s->p, word, n) || (s->p[n] != ' ' && s->p[n] != '\t'))
        return false;
    s->p += n;
    return true;
}

static const char *take_name(struct scan *s)
{
    skip_blanks(s);
    size_t n = strspn(s->p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./");
    const char *name = n > 0 ? arena_strndup(s->arena, s->p, n) : NULL;
    s->p += n;
    return name;
}

/* 'text', quotes inside doubled. */
static const char *take_literal(struct scan *s)
{
    if (!take(s, '\''))
        return NULL;
    char *text = arena_alloc(s->arena, strlen(s->p) + 1), *to = text;
    if (text == NULL)
        return NULL;
    while (*s->p != '\0') {
        if (*s->p == '\'' && s->p[1] != '\'') {
            s->p++;
            return text;
        }
        s->p += *s->p == '\'' ? 1 : 0;
        *to++ = *s->p++;
    }
    return NULL;
}

/* Behind "name(": nothing, 'text', field,'text', 'text',field or x:x eq 'text'. */
static bool take_call(struct scan *s, struct arm_filter_term *t)
{
    if (take(s, ')')) {
        t->left = arena_printf(s->arena, "%s()", t->left);
        t->right = "";
        return t->left != NULL;
    }
    skip_blanks(s);
    if (*s->p != '\'') {
        const char *field = take_name(s);
        if (field == NULL)
            return false;
        if (take(s, ',')) {
            t->left = arena_printf(s->arena, "%s(%s)", t->left, field);
        } else if (!take(s, ':') || take_name(s) == NULL || !take_word(s, "eq")) {
            return false;
        }
    }
    t->right = take_literal(s);
    if (t->right != NULL && take(s, ',')) {
        const char *field = take_name(s);
        t->left = field != NULL ? arena_printf(s->arena, "%s(%s)", t->left, field) : NULL;
    }
    return t->left != NULL && t->right != NULL && take(s, ')');
}

static bool take_term(struct scan *s, struct arm_filter_term *t)
{
    t->left = take_name(s);
    if (t->left == NULL)
        return false;
    if (take(s, '('))
        return take_call(s, t);
    if (take_word(s, "ne"))
        t->left = arena_printf(s->arena, "%s ne", t->left);
    else if (!take_word(s, "eq"))
        return false;
    t->right = take_literal(s);
    return t->left != NULL && t->right != NULL;
}

enum sb_err arm_filter(struct request *r, const char *filter, struct arm_filter_term *ret, size_t max,
                       size_t *ret_n, struct sb_error *err)
{
    struct scan s = {.p = filter != NULL ? filter : "", .arena = r->arena};
    size_t n = 0;
    skip_blanks(&s);
    bool more = *s.p != '\0';
    bool ok = true;
    while (ok && more) {
        ok = n < max && take_term(&s, &ret[n]);
        n++;
        skip_blanks(&s);
        more = *s.p != '\0';
        ok = ok && (!more || take_word(&s, "and"));
    }
    if (!ok)
        return sb_fail(err, SB_EBADREQUEST, "Invalid $filter '%.300s' specified in the query string.",
                       filter);
    *ret_n = n;
    return SB_OK;
}
