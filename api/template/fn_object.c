/* fn_object.c: objects, and conversions between types. */
#include <stdlib.h>
#include <string.h>
#include "api/template/lenient.h"
#include "api/template/session.h"
#include "server/base/text.h"

static const struct tv *cannot_convert(struct fn_call *c, const char *to)
{
    return eval_fail(
        c->ev,
        "The template language function '%s' expects its parameter to be convertible to '%s'. The provided "
        "value is of type '%s'. Please see https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, to, tv_type_name(c->args[0]->type), c->fn->name);
}

/* As .NET writes it: "True", numbers in the invariant way, arrays and objects as JSON, null as nothing. */
const struct tv *text_value(struct eval *ev, const struct tv *v)
{
    struct sb_arena *a = EVAL_ARENA(ev);
    size_t n = 0;
    switch (v->type) {
    case TV_STRING: return v;
    case TV_NULL: return tv_string(a, "");
    case TV_BOOL: return tv_string(a, v->u.b ? "True" : "False");
    default: {
        char *text = tv_print(a, v, &n);
        if (!text || !eval_spend(ev, n / 64))
            return NULL;
        return tv_string_own(a, text, n);
    }
    }
}

const struct tv *text_from(struct eval *ev, struct sb_buf *b)
{
    const struct tv *v = NULL;
    if (!buf_failed(b) && eval_spend(ev, b->n / 64))
        v = tv_stringn(EVAL_ARENA(ev), buf_str(b), b->n);
    buf_done(b);
    return v;
}

const struct tv *fn_string(struct fn_call *c)
{
    return text_value(c->ev, c->args[0]);
}

const struct tv *fn_bool(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    if (v->type == TV_BOOL)
        return v;
    if (v->type == TV_INT)
        return tv_bool(v->u.i != 0);
    if (v->type == TV_STRING && (text_ieq(v->u.s, "true") || text_ieq(v->u.s, "false")))
        return tv_bool(text_ieq(v->u.s, "true"));
    if (v->type == TV_STRING && (strcmp(v->u.s, "1") == 0 || strcmp(v->u.s, "0") == 0))
        return tv_bool(v->u.s[0] == '1');
    return cannot_convert(c, "Boolean");
}

const struct tv *fn_int(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    int64_t i = 0;
    if (v->type == TV_INT)
        return v;
    if (v->type == TV_FLOAT && v->u.d > -9e18 && v->u.d < 9e18)
        return tv_int(EVAL_ARENA(c->ev), (int64_t)v->u.d);
    if (v->type == TV_STRING && text_to_i64(v->u.s + (v->u.s[0] == '+'), INT64_MIN, INT64_MAX, &i))
        return tv_int(EVAL_ARENA(c->ev), i);
    return cannot_convert(c, "Integer");
}

const struct tv *fn_float(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    struct json *j = NULL;
    if (v->type == TV_FLOAT)
        return v;
    if (v->type == TV_INT)
        return tv_float(EVAL_ARENA(c->ev), (double)v->u.i);
    if (v->type != TV_STRING || json_parse(v->u.s, v->n, &j, NULL) != SB_OK)
        return cannot_convert(c, "Float");
    bool number = json_is_number(j);
    double d = json_double(j);
    json_free(j);
    return number ? tv_float(EVAL_ARENA(c->ev), d) : cannot_convert(c, "Float");
}

const struct tv *json_value(struct fn_call *c, const char *text, size_t n)
{
    struct lenient_error why = {0};
    if (!eval_spend(c->ev, n / 8))
        return NULL;
    const struct tv *v = lenient_parse(EVAL_ARENA(c->ev), text, n, &why);
    if (v)
        return v;
    return eval_fail(
        c->ev,
        "The template language function '%s' parameter is not valid. The provided value can't be parsed as "
        "JSON: '%s Path '%s', line %u, position %u.'. Please see "
        "https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, why.message ? why.message : "It is too large.", why.path ? why.path : "", why.line,
        why.position, c->fn->name);
}

const struct tv *fn_json(struct fn_call *c)
{
    return json_value(c, c->args[0]->u.s, c->args[0]->n);
}

const struct tv *fn_null(struct fn_call *c)
{
    SB_UNUSED(c);
    return tv_null();
}

const struct tv *fn_true(struct fn_call *c)
{
    SB_UNUSED(c);
    return tv_bool(true);
}

const struct tv *fn_false(struct fn_call *c)
{
    SB_UNUSED(c);
    return tv_bool(false);
}

/* The first that is not null; what comes behind it is not evaluated. */
const struct tv *fn_coalesce(struct fn_call *c)
{
    const struct tv *v = NULL;
    for (size_t i = 0; i < c->n; i++) {
        v = eval_expr(c->ev, c->expr->args[i]);
        if (!v || v->type != TV_NULL)
            break;
    }
    return v;
}

/* ---- objects ---- */

const struct tv *fn_createObject(struct fn_call *c)
{
    struct tv_fields fields = {0};
    for (size_t i = 0; i < c->n; i += 2) {
        if (c->n % 2 || c->args[i]->type != TV_STRING)
            return eval_fail(
                c->ev,
                "Unable to evaluate template language function 'createObject': it takes pairs of a string "
                "and a value. Please see https://aka.ms/arm-resource-functions/#createObject for usage "
                "details.");
        if (!eval_spend(c->ev, fields.n) ||
            !tv_set(EVAL_ARENA(c->ev), &fields, c->args[i]->u.s, c->args[i + 1]))
            return NULL;
    }
    return tv_object(EVAL_ARENA(c->ev), fields.items, fields.n);
}

static int by_key(const void *a, const void *b)
{
    const struct tv_member *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

/* The members by name. */
static const struct tv_member **sorted(struct fn_call *c)
{
    const struct tv *o = c->args[0];
    const struct tv_member **m = ARENA_ARRAY(EVAL_ARENA(c->ev), const struct tv_member *, o->n + 1);
    if (!m || !eval_spend(c->ev, o->n))
        return NULL;
    for (uint32_t i = 0; i < o->n; i++)
        m[i] = &o->u.members[i];
    qsort(m, o->n, sizeof *m, by_key);
    return m;
}

const struct tv *fn_items(struct fn_call *c)
{
    struct tv_list list = {0};
    struct sb_arena *a = EVAL_ARENA(c->ev);
    const struct tv_member **m = sorted(c);
    for (uint32_t i = 0; m && i < c->args[0]->n; i++) {
        struct tv_fields pair = {0};
        if (!tv_put(a, &pair, "key", tv_string(a, m[i]->key)) || !tv_put(a, &pair, "value", m[i]->value) ||
            !tv_push(a, &list, tv_object(a, pair.items, pair.n)))
            return NULL;
    }
    return m ? tv_array(a, list.items, list.n) : NULL;
}

const struct tv *fn_objectKeys(struct fn_call *c)
{
    struct tv_list list = {0};
    struct sb_arena *a = EVAL_ARENA(c->ev);
    const struct tv_member **m = sorted(c);
    for (uint32_t i = 0; m && i < c->args[0]->n; i++) {
        if (!tv_push(a, &list, tv_string(a, m[i]->key)))
            return NULL;
    }
    return m ? tv_array(a, list.items, list.n) : NULL;
}

const struct tv *fn_shallowMerge(struct fn_call *c)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        const struct tv *o = c->args[0]->u.items[i];
        if (o->type != TV_OBJECT)
            return cannot_convert(c, "Array of Object");
        for (uint32_t k = 0; k < o->n; k++) {
            if (!eval_spend(c->ev, fields.n) ||
                !tv_set(EVAL_ARENA(c->ev), &fields, o->u.members[k].key, o->u.members[k].value))
                return NULL;
        }
    }
    return tv_object(EVAL_ARENA(c->ev), fields.items, fields.n);
}
