/*
 * secret.c: what must not be told of secure parameters: their texts, those inside of secure objects, too.
 * A text of one or two characters is only hidden where it stands alone.
 */
#include <string.h>
#include "api/template/session.h"

#define SHORT     3u /* characters from which on a text is looked for within others */
#define BEGINNING 8u /* characters by which the beginning of a longer one is known */

/* Is v this secret, a part of it, or a text that holds one? Without steps left everything is. TV_DEPTH_MAX
 * bounds the recursion. */
static bool is_within(struct tmpl *t, const struct tv *secret, const struct tv *v)
{
    uint64_t cost = 1 + (v->type == TV_STRING ? v->n / 64 : 0);
    if (t->steps < cost)
        return true;
    t->steps -= cost;
    if (secret->type == TV_STRING)
        return v->type == TV_STRING && secret->n > 0 &&
               (secret->n < SHORT ? strcmp(v->u.s, secret->u.s) == 0 : strstr(v->u.s, secret->u.s) != NULL);
    if (secret == v && secret->type != TV_BOOL && secret->type != TV_NULL) /* those two are shared */
        return true;
    bool object = secret->type == TV_OBJECT;
    for (uint32_t i = 0; (object || secret->type == TV_ARRAY) && i < secret->n; i++) {
        if (is_within(t, object ? secret->u.members[i].value : secret->u.items[i], v))
            return true;
    }
    return false;
}

bool secret_is(struct tmpl *t, const struct tv *v)
{
    for (size_t i = 0; i < t->parameters_n; i++) {
        const struct tmpl_parameter *p = &t->parameters[i].shown;
        if (p->secure && p->value && is_within(t, p->value, v))
            return true;
    }
    return false;
}

/* Stars out where message holds the text, or as much of its beginning as a message that was cut would show.
 */
static void scrub_text(char *message, const char *text, size_t n)
{
    for (char *at = message; *at;) {
        size_t same = 0;
        while (same < n && at[same] == text[same])
            same++; /* a message's end is no letter of the text */
        if (same >= SB_MIN(n, BEGINNING)) {
            memset(at, '*', same);
            at += same;
        } else {
            at++;
        }
    }
}

static void scrub(char *message, const struct tv *secret)
{
    bool object = secret->type == TV_OBJECT;
    if (secret->type == TV_STRING && secret->n >= SHORT)
        scrub_text(message, secret->u.s, secret->n);
    for (uint32_t i = 0; (object || secret->type == TV_ARRAY) && i < secret->n; i++)
        scrub(message, object ? secret->u.members[i].value : secret->u.items[i]);
}

void tmpl_scrub(const struct tmpl *t, char *message)
{
    for (size_t i = 0; i < t->parameters_n; i++) {
        if (t->parameters[i].shown.secure && t->parameters[i].shown.value)
            scrub(message, t->parameters[i].shown.value);
    }
}
