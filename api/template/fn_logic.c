/* fn_logic.c: comparison, logical and numeric functions, copyIndex. */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

/* ---- logical ---- */

/* The i-th argument of a lazy function, which must be a boolean. -1: failed. */
static int truth(struct fn_call *c, size_t i)
{
    const struct tv *v = eval_expr(c->ev, c->expr->args[i]);
    if (!v)
        return -1;
    if (v->type == TV_BOOL)
        return v->u.b;
    eval_fail(c->ev,
              "Unable to evaluate template language function '%s': the argument at position '%zu' is "
              "expected to be of "
              "type 'Boolean'. The provided value is of type '%s'. Please see "
              "https://aka.ms/arm-resource-functions/#%s for usage details.",
              c->name, i + 1, tv_type_name(v->type), c->fn->name);
    return -1;
}

/* Only the branch that is taken is evaluated. */
const struct tv *fn_if(struct fn_call *c)
{
    int condition = truth(c, 0);
    return condition < 0 ? NULL : eval_expr(c->ev, c->expr->args[condition ? 1 : 2]);
}

/* Stops at the first argument that decides. */
static const struct tv *connect(struct fn_call *c, int decides)
{
    for (size_t i = 0; i < c->n; i++) {
        int v = truth(c, i);
        if (v < 0)
            return NULL;
        if (v == decides)
            return tv_bool(decides);
    }
    return tv_bool(!decides);
}

const struct tv *fn_and(struct fn_call *c)
{
    return connect(c, 0);
}

const struct tv *fn_or(struct fn_call *c)
{
    return connect(c, 1);
}

const struct tv *fn_not(struct fn_call *c)
{
    return tv_bool(!c->args[0]->u.b);
}

/* ---- comparison ---- */

const struct tv *fn_equals(struct fn_call *c)
{
    bool same = tv_equal(c->args[0], c->args[1], false, &c->ev->t->steps);
    return eval_spend(c->ev, 1) ? tv_bool(same) : NULL;
}

/* -1, 0, 1; -2: failed. */
static int compare(struct fn_call *c)
{
    const struct tv *a = c->args[0], *b = c->args[1];
    if (a->type == TV_INT && b->type == TV_INT)
        return a->u.i < b->u.i ? -1 : a->u.i > b->u.i;
    if (a->type == TV_STRING && b->type == TV_STRING) {
        int order = strcmp(a->u.s, b->u.s);
        return order < 0 ? -1 : order > 0;
    }
    eval_fail(c->ev,
              "The template language function '%s' expects two parameters of matching types. The function "
              "was invoked "
              "with values of type '%s' and '%s' that do not match. Please see "
              "https://aka.ms/arm-resource-functions/#%s for usage details.",
              c->name, tv_type_name(a->type), tv_type_name(b->type), c->fn->name);
    return -2;
}

const struct tv *fn_less(struct fn_call *c)
{
    int order = compare(c);
    return order == -2 ? NULL : tv_bool(order < 0);
}

const struct tv *fn_lessOrEquals(struct fn_call *c)
{
    int order = compare(c);
    return order == -2 ? NULL : tv_bool(order <= 0);
}

const struct tv *fn_greater(struct fn_call *c)
{
    int order = compare(c);
    return order == -2 ? NULL : tv_bool(order > 0);
}

const struct tv *fn_greaterOrEquals(struct fn_call *c)
{
    int order = compare(c);
    return order == -2 ? NULL : tv_bool(order >= 0);
}

/* ---- numeric ---- */

static const struct tv *arithmetic(struct fn_call *c, bool overflow, int64_t result)
{
    if (!overflow)
        return tv_int(EVAL_ARENA(c->ev), result);
    return eval_fail(
        c->ev,
        "Unable to evaluate template language function '%s': Arithmetic operation resulted in an overflow. "
        "Please see https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, c->fn->name);
}

const struct tv *fn_add(struct fn_call *c)
{
    int64_t r = 0;
    bool overflow = __builtin_add_overflow(c->args[0]->u.i, c->args[1]->u.i, &r);
    return arithmetic(c, overflow, r);
}

const struct tv *fn_sub(struct fn_call *c)
{
    int64_t r = 0;
    bool overflow = __builtin_sub_overflow(c->args[0]->u.i, c->args[1]->u.i, &r);
    return arithmetic(c, overflow, r);
}

const struct tv *fn_mul(struct fn_call *c)
{
    int64_t r = 0;
    bool overflow = __builtin_mul_overflow(c->args[0]->u.i, c->args[1]->u.i, &r);
    return arithmetic(c, overflow, r);
}

/* Is the second argument a divisor? */
static bool divisible(struct fn_call *c)
{
    if (c->args[1]->u.i != 0)
        return true;
    eval_fail(c->ev,
              "Unable to evaluate template language function '%s': Attempted to divide by zero. Please see "
              "https://aka.ms/arm-resource-functions/#%s for usage details.",
              c->name, c->fn->name);
    return false;
}

const struct tv *fn_div(struct fn_call *c)
{
    int64_t a = c->args[0]->u.i, b = c->args[1]->u.i;
    if (!divisible(c))
        return NULL;
    bool overflow = a == INT64_MIN && b == -1;
    return arithmetic(c, overflow, overflow ? 0 : a / b);
}

const struct tv *fn_mod(struct fn_call *c)
{
    int64_t a = c->args[0]->u.i, b = c->args[1]->u.i;
    return divisible(c) ? arithmetic(c, false, b == -1 ? 0 : a % b) : NULL;
}

/* ---- copyIndex([loop], [offset]) ---- */

/* The loop of that name; without one, the resource's own loop, else the innermost. */
static const struct frame *loop_find(const struct eval *ev, const char *name)
{
    const char *own = ev->resource ? ev->resource->copy : NULL;
    for (const struct frame *f = ev->copies; f; f = f->up) {
        if (name ? text_ieq(f->name, name) : own && f->name == own)
            return f;
    }
    return name ? NULL : ev->copies;
}

const struct tv *fn_copyIndex(struct fn_call *c)
{
    const char *name = c->n > 0 ? tv_text(c->args[0]) : NULL;
    const struct tv *offset = name ? (c->n > 1 ? c->args[1] : NULL) : c->n > 0 ? c->args[0] : NULL;
    const struct frame *loop = loop_find(c->ev, name);
    int64_t r = 0;
    if (loop) {
        bool overflow = __builtin_add_overflow(loop->value->u.i, offset ? offset->u.i : 0, &r);
        return arithmetic(c, overflow, r);
    }
    if (c->ev->keep_copy)
        return eval_postpone(c->ev);
    if (name)
        return eval_fail(c->ev,
                         "The template function 'copyIndex' is not valid: there is no copy loop of the name "
                         "'%.200s' here. "
                         "Please see https://aka.ms/arm-copy for usage details.",
                         name);
    return eval_fail(
        c->ev, "The template function 'copyIndex' is not expected at this location. The function can only be "
               "used in a resource with copy specified. Please see https://aka.ms/arm-copy for usage "
               "details.");
}
