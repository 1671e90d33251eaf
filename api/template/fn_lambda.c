/* fn_lambda.c: functions that take a function: lambda('x', body), and who calls it. */
#include <stdlib.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

/* lambda() evaluates nothing: its names are literals, its last argument is the body. */
const struct tv *fn_lambda(struct fn_call *c)
{
    for (size_t i = 0; i + 1 < c->n; i++) {
        const struct expr *name = c->expr->args[i];
        if (name->kind != EXPR_LITERAL || name->literal->type != TV_STRING)
            return eval_fail(
                c->ev,
                "The template function 'lambda' is not valid: the names of its variables must be string "
                "literals. Please see https://aka.ms/arm-resource-functions/#lambda for usage details.");
    }
    return tv_lambda(EVAL_ARENA(c->ev), c->expr);
}

const struct tv *fn_lambdaVariables(struct fn_call *c)
{
    for (const struct frame *f = c->ev->lambdas; f; f = f->up) {
        if (text_ieq(f->name, c->args[0]->u.s))
            return f->value;
    }
    return eval_fail(c->ev,
                     "The lambda variable '%.200s' is not found. Please see "
                     "https://aka.ms/arm-resource-functions/#lambdaVariables for usage details.",
                     c->args[0]->u.s);
}

/* The lambda with an element and its index. */
static const struct tv *apply(struct fn_call *c, const struct tv *lambda, const struct tv *item, uint32_t i)
{
    const struct tv *values[2] = {item, tv_int(EVAL_ARENA(c->ev), i)};
    return values[1] ? eval_lambda(c->ev, lambda, values, 2) : NULL;
}

static const struct tv *wrong_result(struct fn_call *c, const char *wanted, const struct tv *got)
{
    return got ? eval_fail(c->ev,
                           "Unable to evaluate template language function '%s': the lambda must give a value "
                           "of type "
                           "'%s', not '%s'. Please see https://aka.ms/arm-resource-functions/#%s for usage "
                           "details.",
                           c->name, wanted, tv_type_name(got->type), c->fn->name)
               : NULL;
}

const struct tv *fn_map(struct fn_call *c)
{
    struct tv_list list = {0};
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv *v = apply(c, c->args[1], c->args[0]->u.items[i], i);
        if (!v || !tv_push(EVAL_ARENA(c->ev), &list, v))
            return NULL;
    }
    return tv_array(EVAL_ARENA(c->ev), list.items, list.n);
}

const struct tv *fn_filter(struct fn_call *c)
{
    struct tv_list list = {0};
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv *keep = apply(c, c->args[1], c->args[0]->u.items[i], i);
        if (!tv_is(keep, TV_BOOL))
            return wrong_result(c, "Boolean", keep);
        if (keep->u.b && !tv_push(EVAL_ARENA(c->ev), &list, c->args[0]->u.items[i]))
            return NULL;
    }
    return tv_array(EVAL_ARENA(c->ev), list.items, list.n);
}

const struct tv *fn_reduce(struct fn_call *c)
{
    const struct tv *v = c->args[1];
    for (uint32_t i = 0; v && i < c->args[0]->n; i++) {
        const struct tv *values[3] = {v, c->args[0]->u.items[i], tv_int(EVAL_ARENA(c->ev), i)};
        v = values[2] ? eval_lambda(c->ev, c->args[2], values, 3) : NULL;
    }
    return v;
}

const struct tv *fn_mapValues(struct fn_call *c)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv_member *m = &c->args[0]->u.members[i];
        const struct tv *v = eval_lambda(c->ev, c->args[1], &m->value, 1);
        if (!v || !tv_put(EVAL_ARENA(c->ev), &fields, m->key, v))
            return NULL;
    }
    return tv_object(EVAL_ARENA(c->ev), fields.items, fields.n);
}

/* The key that a lambda gives for an element. NULL: failed. */
static const char *key_of(struct fn_call *c, const struct tv *item, uint32_t i)
{
    const struct tv *key = apply(c, c->args[1], item, i);
    if (!tv_is(key, TV_STRING))
        (void)wrong_result(c, "String", key);
    return tv_text(key);
}

const struct tv *fn_toObject(struct fn_call *c)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv *item = c->args[0]->u.items[i];
        const char *key = key_of(c, item, i);
        const struct tv *v = !key ? NULL : c->n == 3 ? apply(c, c->args[2], item, i) : item;
        if (!v || !eval_spend(c->ev, fields.n / 8) || !tv_set(EVAL_ARENA(c->ev), &fields, key, v))
            return NULL;
    }
    return tv_object(EVAL_ARENA(c->ev), fields.items, fields.n);
}

struct group {
    const char *key;
    struct tv_list items;
};

const struct tv *fn_groupBy(struct fn_call *c)
{
    struct sb_arena *a = EVAL_ARENA(c->ev);
    struct group *groups = ARENA_ARRAY(a, struct group, (size_t)c->args[0]->n + 1);
    struct tv_fields fields = {0};
    size_t n = 0;
    for (uint32_t i = 0; groups && i < c->args[0]->n; i++) {
        const char *key = key_of(c, c->args[0]->u.items[i], i);
        size_t at = 0;
        if (!key || !eval_spend(c->ev, n / 8))
            return NULL;
        while (at < n && strcmp(groups[at].key, key) != 0)
            at++;
        n += at == n;
        groups[at].key = key;
        if (!tv_push(a, &groups[at].items, c->args[0]->u.items[i]))
            return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (!tv_put(a, &fields, groups[i].key, tv_array(a, groups[i].items.items, groups[i].items.n)))
            return NULL;
    }
    return groups ? tv_object(a, fields.items, fields.n) : NULL;
}

/* ---- sort: merges runs of doubling length, so that equal elements keep their order ---- */

/* Does b come before a? -1: failed. */
static int before(struct fn_call *c, const struct tv *b, const struct tv *a)
{
    const struct tv *values[2] = {b, a};
    const struct tv *less = eval_lambda(c->ev, c->args[1], values, 2);
    if (tv_is(less, TV_BOOL))
        return less->u.b;
    (void)wrong_result(c, "Boolean", less);
    return -1;
}

static bool merge_runs(struct fn_call *c, const struct tv **from, const struct tv **to, size_t at,
                       size_t middle, size_t end)
{
    size_t a = at, b = middle;
    while (at < end) {
        int take_b = a == middle ? 1 : b == end ? 0 : before(c, from[b], from[a]);
        if (take_b < 0)
            return false;
        to[at++] = take_b ? from[b++] : from[a++];
    }
    return true;
}

const struct tv *fn_sort(struct fn_call *c)
{
    size_t n = c->args[0]->n;
    const struct tv **from = ARENA_ARRAY(EVAL_ARENA(c->ev), const struct tv *, n + 1);
    const struct tv **to = ARENA_ARRAY(EVAL_ARENA(c->ev), const struct tv *, n + 1);
    if (!from || !to)
        return NULL;
    if (n > 0)
        memcpy(from, c->args[0]->u.items, n * sizeof *from);
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += 2 * run) {
            if (!merge_runs(c, from, to, at, SB_MIN(at + run, n), SB_MIN(at + 2 * run, n)))
                return NULL;
        }
        const struct tv **swap = from;
        from = to;
        to = swap;
    }
    return tv_array(EVAL_ARENA(c->ev), from, n);
}
