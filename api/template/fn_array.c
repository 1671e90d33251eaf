/* fn_array.c: functions over arrays, and over strings and objects where they behave alike. */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

/* ---- characters: strings count in code points ---- */

/* Bytes of the first n characters of s. */
static size_t chars_bytes(const char *s, int64_t n)
{
    size_t at = 0;
    for (; s[at] && n > 0; n--) {
        at++;
        while (((unsigned char)s[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

static const struct tv *slice(struct fn_call *c, uint32_t from, uint32_t n)
{
    return tv_array(EVAL_ARENA(c->ev), c->args[0]->u.items + from, n);
}

static bool equal(struct fn_call *c, const struct tv *a, const struct tv *b)
{
    return tv_equal(a, b, false, &c->ev->t->steps);
}

/* Comparisons take steps silently: says whether any are left. */
static bool spent(struct fn_call *c)
{
    return !eval_spend(c->ev, 1);
}

static const struct tv *wrong_types(struct fn_call *c, const char *wanted)
{
    return eval_fail(
        c->ev,
        "Unable to evaluate template language function '%s': the arguments must be %s. Please see "
        "https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, wanted, c->fn->name);
}

static bool all_are(const struct fn_call *c, enum tv_type type)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->args[i]->type != type)
            return false;
    }
    return true;
}

/* ---- making ---- */

const struct tv *fn_array(struct fn_call *c)
{
    return c->args[0]->type == TV_ARRAY ? c->args[0] : tv_array(EVAL_ARENA(c->ev), c->args, 1);
}

const struct tv *fn_createArray(struct fn_call *c)
{
    return tv_array(EVAL_ARENA(c->ev), c->args, c->n);
}

/* The elements of arrays one behind the other. */
static const struct tv *join_arrays(struct fn_call *c, const struct tv *const *arrays, size_t n)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += arrays[i]->n;
    const struct tv **items =
        eval_spend(c->ev, total) ? ARENA_ARRAY(EVAL_ARENA(c->ev), const struct tv *, total + 1) : NULL;
    if (!items)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (arrays[i]->n > 0)
            memcpy(items + at, arrays[i]->u.items, arrays[i]->n * sizeof *items);
        at += arrays[i]->n;
    }
    return tv_array(EVAL_ARENA(c->ev), items, total);
}

const struct tv *fn_concat(struct fn_call *c)
{
    struct sb_buf b;
    if (all_are(c, TV_ARRAY))
        return join_arrays(c, c->args, c->n);
    buf_init(&b, TV_WEIGHT_MAX);
    for (size_t i = 0; i < c->n; i++) {
        const struct tv *text = c->args[i]->type == TV_ARRAY || c->args[i]->type == TV_OBJECT
                                    ? NULL
                                    : text_value(c->ev, c->args[i]);
        if (!text) {
            buf_done(&b);
            return wrong_types(c, "all arrays, or all strings");
        }
        buf_add(&b, text->u.s, text->n);
    }
    return text_from(c->ev, &b);
}

const struct tv *fn_flatten(struct fn_call *c)
{
    for (uint32_t i = 0; i < c->args[0]->n; i++) {
        if (c->args[0]->u.items[i]->type != TV_ARRAY)
            return wrong_types(c, "an array of arrays");
    }
    return join_arrays(c, c->args[0]->u.items, c->args[0]->n);
}

const struct tv *fn_range(struct fn_call *c)
{
    int64_t start = c->args[0]->u.i, n = c->args[1]->u.i;
    struct tv_list list = {0};
    if (n < 0 || n > TMPL_RANGE_MAX || start < INT32_MIN || start > INT32_MAX || start + n > INT32_MAX)
        return eval_fail(
            c->ev,
            "The template function 'range' is not valid: the count must be a non-negative integer that "
            "cannot exceed '%u', and the sum of start and count cannot exceed '2147483647'. Please see "
            "https://aka.ms/arm-resource-functions/#range for usage details.",
            TMPL_RANGE_MAX);
    for (int64_t i = 0; i < n; i++) {
        if (!eval_spend(c->ev, 1) || !tv_push(EVAL_ARENA(c->ev), &list, tv_int(EVAL_ARENA(c->ev), start + i)))
            return NULL;
    }
    return tv_array(EVAL_ARENA(c->ev), list.items, list.n);
}

/* ---- looking ---- */

static bool has(struct fn_call *c, const struct tv *array, const struct tv *item)
{
    for (uint32_t i = 0; i < array->n; i++) {
        if (equal(c, array->u.items[i], item))
            return true;
    }
    return false;
}

const struct tv *fn_contains(struct fn_call *c)
{
    const struct tv *in = c->args[0], *item = c->args[1];
    if (in->type == TV_ARRAY) {
        bool found = has(c, in, item);
        return spent(c) ? NULL : tv_bool(found);
    }
    const struct tv *text = item->type == TV_STRING || item->type == TV_INT ? text_value(c->ev, item) : NULL;
    if (!text)
        return wrong_types(c, "a string or an object, and a string");
    return tv_bool(in->type == TV_STRING ? strstr(in->u.s, text->u.s) != NULL
                                         : tv_get(in, text->u.s) != NULL);
}

const struct tv *fn_empty(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    if (v->type == TV_NULL)
        return tv_bool(true);
    if (v->type != TV_STRING && v->type != TV_ARRAY && v->type != TV_OBJECT)
        return wrong_types(c, "an array, an object or a string");
    return tv_bool(v->n == 0);
}

const struct tv *fn_length(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    return tv_int(EVAL_ARENA(c->ev), v->type == TV_STRING ? (int64_t)utf8_length(v->u.s, v->n) : v->n);
}

const struct tv *fn_first(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    if (v->type == TV_STRING)
        return tv_stringn(EVAL_ARENA(c->ev), v->u.s, chars_bytes(v->u.s, 1));
    return v->n ? v->u.items[0] : tv_null();
}

const struct tv *fn_last(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    if (v->type == TV_ARRAY)
        return v->n ? v->u.items[v->n - 1] : tv_null();
    size_t at = v->n;
    while (at > 0 && ((unsigned char)v->u.s[--at] & 0xc0) == 0x80) {
    }
    return tv_stringn(EVAL_ARENA(c->ev), v->u.s + at, v->n - at);
}

/* The place of text in s, ignoring case; -1: none. */
static int64_t find_text(const char *s, size_t n, const char *text, size_t text_n, bool last)
{
    size_t found = SIZE_MAX;
    for (size_t at = 0; text_n <= n && at <= n - text_n && (last || found == SIZE_MAX); at++)
        found = text_ieqn(s + at, text, text_n) ? at : found;
    return found == SIZE_MAX ? -1 : (int64_t)utf8_length(s, found);
}

static const struct tv *index_of(struct fn_call *c, bool last)
{
    const struct tv *in = c->args[0], *what = c->args[1];
    int64_t found = -1;
    if (in->type == TV_STRING) {
        if (what->type != TV_STRING)
            return wrong_types(c, "a string and a string");
        if (!eval_spend(c->ev, 1 + (uint64_t)in->n * what->n / 16))
            return NULL;
        found = find_text(in->u.s, in->n, what->u.s, what->n, last);
    }
    for (uint32_t i = 0; in->type == TV_ARRAY && i < in->n && (last || found < 0); i++)
        found = equal(c, in->u.items[i], what) ? (int64_t)i : found;
    return spent(c) ? NULL : tv_int(EVAL_ARENA(c->ev), found);
}

const struct tv *fn_indexOf(struct fn_call *c)
{
    return index_of(c, false);
}

const struct tv *fn_lastIndexOf(struct fn_call *c)
{
    return index_of(c, true);
}

/* ---- parts ---- */

static uint32_t clamp(int64_t n, int64_t max)
{
    return (uint32_t)(n < 0 ? 0 : n > max ? max : n);
}

const struct tv *fn_take(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    if (v->type == TV_ARRAY)
        return slice(c, 0, clamp(c->args[1]->u.i, v->n));
    return tv_stringn(EVAL_ARENA(c->ev), v->u.s, chars_bytes(v->u.s, c->args[1]->u.i));
}

const struct tv *fn_skip(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    uint32_t from = clamp(c->args[1]->u.i, v->n);
    if (v->type == TV_ARRAY)
        return slice(c, from, v->n - from);
    size_t at = chars_bytes(v->u.s, c->args[1]->u.i);
    return tv_stringn(EVAL_ARENA(c->ev), v->u.s + at, v->n - at);
}

const struct tv *fn_tryGet(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    for (size_t i = 1; i < c->n && v->type != TV_NULL; i++) {
        const struct tv *key = c->args[i], *got = NULL;
        if (key->type == TV_STRING)
            got = tv_get(v, key->u.s);
        else if (v->type == TV_ARRAY && key->u.i >= 0 && key->u.i < v->n)
            got = v->u.items[key->u.i];
        v = got ? got : tv_null();
    }
    return v;
}

static const struct tv *from_end(struct fn_call *c)
{
    const struct tv *v = c->args[0];
    int64_t i = c->args[1]->u.i;
    return i >= 1 && i <= v->n ? v->u.items[v->n - i] : NULL;
}

const struct tv *fn_tryIndexFromEnd(struct fn_call *c)
{
    const struct tv *v = from_end(c);
    return v ? v : tv_null();
}

const struct tv *fn_indexFromEnd(struct fn_call *c)
{
    const struct tv *v = from_end(c);
    return v ? v
             : eval_fail(c->ev, "The language expression property array index '^%lld' is out of bounds.",
                         (long long)c->args[1]->u.i);
}

/* ---- sets ---- */

static const struct tv *union_arrays(struct fn_call *c)
{
    struct tv_list list = {0};
    for (size_t i = 0; i < c->n; i++) {
        for (uint32_t k = 0; k < c->args[i]->n; k++) {
            const struct tv *item = c->args[i]->u.items[k];
            bool twin = false;
            for (size_t m = 0; m < list.n && !twin; m++)
                twin = equal(c, list.items[m], item);
            if (!twin && !tv_push(EVAL_ARENA(c->ev), &list, item))
                return NULL;
        }
        if (spent(c))
            return NULL;
    }
    return tv_array(EVAL_ARENA(c->ev), list.items, list.n);
}

/* Members of both; objects in both are merged in turn, else b's wins. TV_DEPTH_MAX bounds the recursion. */
static const struct tv *merge(struct fn_call *c, const struct tv *a, const struct tv *b)
{
    struct tv_fields fields = {0};
    struct sb_arena *arena = EVAL_ARENA(c->ev);
    if (!eval_spend(c->ev, (uint64_t)a->n + b->n))
        return NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct tv_member *m = &a->u.members[i];
        const struct tv *other = tv_get(b, m->key);
        const struct tv *v = other ? other : m->value;
        if (tv_is(other, TV_OBJECT) && m->value->type == TV_OBJECT)
            v = merge(c, m->value, other);
        if (!v || !tv_put(arena, &fields, m->key, v))
            return NULL;
    }
    for (uint32_t i = 0; i < b->n; i++) {
        const struct tv_member *m = &b->u.members[i];
        if (!tv_get(a, m->key) && !tv_put(arena, &fields, m->key, m->value))
            return NULL;
    }
    return tv_object(arena, fields.items, fields.n);
}

const struct tv *fn_union(struct fn_call *c)
{
    if (all_are(c, TV_ARRAY))
        return union_arrays(c);
    if (!all_are(c, TV_OBJECT))
        return wrong_types(c, "all arrays, or all objects");
    const struct tv *v = c->args[0];
    for (size_t i = 1; v && i < c->n; i++)
        v = merge(c, v, c->args[i]);
    return v;
}

static bool in_all(struct fn_call *c, const struct tv *item, const char *key)
{
    for (size_t i = 1; i < c->n; i++) {
        const struct tv *other = key ? tv_get(c->args[i], key) : NULL;
        if (key ? !other || !equal(c, other, item) : !has(c, c->args[i], item))
            return false;
    }
    return true;
}

const struct tv *fn_intersection(struct fn_call *c)
{
    struct tv_list list = {0};
    struct tv_fields fields = {0};
    struct sb_arena *arena = EVAL_ARENA(c->ev);
    const struct tv *first = c->args[0];
    bool arrays = all_are(c, TV_ARRAY);
    if (!arrays && !all_are(c, TV_OBJECT))
        return wrong_types(c, "all arrays, or all objects");
    for (uint32_t i = 0; i < first->n && !spent(c); i++) {
        const struct tv *item = arrays ? first->u.items[i] : first->u.members[i].value;
        const char *key = arrays ? NULL : first->u.members[i].key;
        bool twin = false;
        for (size_t m = 0; arrays && m < list.n && !twin; m++)
            twin = equal(c, list.items[m], item);
        if (twin || !in_all(c, item, key))
            continue;
        if (!(arrays ? tv_push(arena, &list, item) : tv_put(arena, &fields, key, item)))
            return NULL;
    }
    if (spent(c))
        return NULL;
    return arrays ? tv_array(arena, list.items, list.n) : tv_object(arena, fields.items, fields.n);
}

/* ---- extremes ---- */

static const struct tv *extreme(struct fn_call *c, bool largest)
{
    bool list = c->n == 1 && c->args[0]->type == TV_ARRAY;
    const struct tv *const *items = list ? c->args[0]->u.items : c->args;
    size_t n = list ? c->args[0]->n : c->n;
    const struct tv *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (items[i]->type != TV_INT)
            return wrong_types(c, "integers, or one array of integers");
        if (!best || (largest ? items[i]->u.i > best->u.i : items[i]->u.i < best->u.i))
            best = items[i];
    }
    return best ? best : wrong_types(c, "at least one integer");
}

const struct tv *fn_max(struct fn_call *c)
{
    return extreme(c, true);
}

const struct tv *fn_min(struct fn_call *c)
{
    return extreme(c, false);
}
