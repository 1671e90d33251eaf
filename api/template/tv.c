/* tv.c: building, looking into, comparing and writing values of the template language. */
#include "api/template/tv.h"
#include <math.h>
#include <string.h>
#include "server/base/text.h"

#define INDEX_FROM 16u /* objects of fewer members are searched one by one */
#define PRINT_MAX  (16u << 20)

static const struct tv null_value = {.type = TV_NULL, .depth = 1, .weight = 1};
static const struct tv true_value = {.type = TV_BOOL, .depth = 1, .weight = 1, .u.b = true};
static const struct tv false_value = {.type = TV_BOOL, .depth = 1, .weight = 1};

static const char *const type_names[TV_TYPE_MAX] = {
    [TV_NULL] = "Null",     [TV_BOOL] = "Boolean", [TV_INT] = "Integer",   [TV_FLOAT] = "Float",
    [TV_STRING] = "String", [TV_ARRAY] = "Array",  [TV_OBJECT] = "Object", [TV_LAMBDA] = "Lambda",
};

const char *tv_type_name(enum tv_type type)
{
    return type_names[type];
}

const struct tv *tv_null(void)
{
    return &null_value;
}

const struct tv *tv_bool(bool b)
{
    return b ? &true_value : &false_value;
}

static struct tv *value_new(struct sb_arena *a, enum tv_type type)
{
    struct tv *v = ARENA_NEW(a, struct tv);
    if (v)
        *v = (struct tv){.type = type, .depth = 1, .weight = 1};
    return v;
}

const struct tv *tv_int(struct sb_arena *a, int64_t i)
{
    struct tv *v = value_new(a, TV_INT);
    if (v)
        v->u.i = i;
    return v;
}

const struct tv *tv_float(struct sb_arena *a, double d)
{
    struct tv *v = isfinite(d) ? value_new(a, TV_FLOAT) : NULL;
    if (v)
        v->u.d = d;
    return v;
}

bool tv_reads_as_expression(const char *s, size_t n)
{
    return n > 1 && s[0] == '[' && s[n - 1] == ']';
}

const struct tv *tv_string_own(struct sb_arena *a, const char *s, size_t n)
{
    if (!s || n >= TV_WEIGHT_MAX)
        return NULL;
    struct tv *v = value_new(a, TV_STRING);
    if (!v)
        return NULL;
    v->u.s = s;
    v->n = (uint32_t)n;
    v->weight = (uint32_t)n / 8 + 1;
    v->dynamic = tv_reads_as_expression(s, n);
    if (v->dynamic && !(v->slot = ARENA_NEW(a, struct tv_slot)))
        return NULL;
    return v;
}

const struct tv *tv_stringn(struct sb_arena *a, const char *s, size_t n)
{
    return n < TV_WEIGHT_MAX ? tv_string_own(a, arena_strndup(a, s, n), n) : NULL;
}

const struct tv *tv_string(struct sb_arena *a, const char *s)
{
    return tv_stringn(a, s, strlen(s));
}

const struct tv *tv_lambda(struct sb_arena *a, const struct expr *e)
{
    struct tv *v = value_new(a, TV_LAMBDA);
    if (v)
        v->u.lambda = e;
    return v;
}

/* Counts a child in; false: the whole is too heavy or too deep. */
static bool take_in(struct tv *v, const struct tv *child, size_t extra)
{
    uint64_t weight = (uint64_t)v->weight + child->weight + extra;
    if (weight > TV_WEIGHT_MAX || child->depth >= TV_DEPTH_MAX)
        return false;
    v->weight = (uint32_t)weight;
    v->depth = (uint16_t)SB_MAX(v->depth, child->depth + 1u);
    v->dynamic |= child->dynamic;
    return true;
}

const struct tv *tv_array(struct sb_arena *a, const struct tv *const *items, size_t n)
{
    struct tv *v = n < TV_WEIGHT_MAX ? value_new(a, TV_ARRAY) : NULL;
    if (!v)
        return NULL;
    v->u.items = items;
    v->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        if (!take_in(v, items[i], 0))
            return NULL;
    }
    return v;
}

/* ---- objects ---- */

static uint32_t key_hash(const char *key, size_t n)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text_lower(key[i])) * UINT64_C(1099511628211);
    return (uint32_t)(h ^ (h >> 32));
}

static size_t index_size(size_t n)
{
    size_t size = 32;
    while (size < n * 2)
        size *= 2;
    return size;
}

static const uint32_t *index_build(struct sb_arena *a, const struct tv_member *m, size_t n)
{
    size_t size = index_size(n);
    uint32_t *index = ARENA_ARRAY(a, uint32_t, size);
    for (size_t i = 0; index && i < n; i++) {
        size_t at = key_hash(m[i].key, strlen(m[i].key)) & (size - 1);
        while (index[at])
            at = (at + 1) & (size - 1);
        index[at] = (uint32_t)i + 1;
    }
    return index;
}

const struct tv *tv_object(struct sb_arena *a, const struct tv_member *members, size_t n)
{
    struct tv *v = n < TV_WEIGHT_MAX ? value_new(a, TV_OBJECT) : NULL;
    if (!v)
        return NULL;
    v->u.members = members;
    v->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(members[i].key);
        if (!take_in(v, members[i].value, 1 + len / 8))
            return NULL;
        v->dynamic |= tv_reads_as_expression(members[i].key, len) || text_ieq(members[i].key, "copy");
    }
    if (n > INDEX_FROM && !(v->index = index_build(a, members, n)))
        return NULL;
    return v;
}

const struct tv *tv_at(struct sb_arena *a, const struct tv *v, uint32_t line, uint32_t column)
{
    struct tv *copy = v ? arena_memdup(a, v, sizeof *v) : NULL;
    if (copy) {
        copy->line = line;
        copy->column = column;
    }
    return copy;
}

static bool same_key(const char *have, const char *key, size_t n, bool exact)
{
    return (exact ? strncmp(have, key, n) == 0 : text_ieqn(have, key, n)) && !have[n];
}

static const struct tv_member *member_scan(const struct tv *o, const char *key, size_t n, bool exact)
{
    for (uint32_t i = 0; i < o->n; i++) {
        if (same_key(o->u.members[i].key, key, n, exact))
            return &o->u.members[i];
    }
    return NULL;
}

static const struct tv_member *member_index(const struct tv *o, const char *key, size_t n, bool exact)
{
    size_t mask = index_size(o->n) - 1;
    for (size_t at = key_hash(key, n) & mask; o->index[at]; at = (at + 1) & mask) {
        const struct tv_member *m = &o->u.members[o->index[at] - 1];
        if (same_key(m->key, key, n, exact))
            return m;
    }
    return NULL;
}

static const struct tv_member *member_find(const struct tv *o, const char *key, size_t n)
{
    if (!tv_is(o, TV_OBJECT))
        return NULL;
    const struct tv_member *(*find)(const struct tv *, const char *, size_t, bool) =
        o->index ? member_index : member_scan;
    const struct tv_member *m = find(o, key, n, true);
    return m ? m : find(o, key, n, false);
}

const struct tv_member *tv_member(const struct tv *o, const char *key)
{
    return member_find(o, key, strlen(key));
}

const struct tv *tv_getn(const struct tv *o, const char *key, size_t n)
{
    const struct tv_member *m = member_find(o, key, n);
    return m ? m->value : NULL;
}

const struct tv *tv_get(const struct tv *o, const char *key)
{
    return tv_getn(o, key, strlen(key));
}

const struct tv *tv_path(const struct tv *o, const char *path)
{
    while (o && *path) {
        size_t n = strcspn(path, ".");
        o = tv_getn(o, path, n);
        path += n + (path[n] == '.');
    }
    return o;
}

const char *tv_text(const struct tv *v)
{
    return tv_is(v, TV_STRING) ? v->u.s : NULL;
}

/* ---- comparing ---- */

static bool number(const struct tv *v, double *ret)
{
    if (v->type == TV_INT)
        *ret = (double)v->u.i;
    else if (v->type == TV_FLOAT)
        *ret = v->u.d;
    else
        return false;
    return true;
}

static bool equal_objects(const struct tv *a, const struct tv *b, bool ignore_case, uint64_t *steps)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct tv *other = tv_get(b, a->u.members[i].key);
        if (!other || !tv_equal(a->u.members[i].value, other, ignore_case, steps))
            return false;
    }
    return true;
}

bool tv_equal(const struct tv *a, const struct tv *b, bool ignore_case, uint64_t *steps)
{
    double x = 0, y = 0;
    if (*steps == 0)
        return false;
    --*steps;
    if (a == b)
        return true;
    if (a->type != b->type)
        return number(a, &x) && number(b, &y) && x == y;
    switch (a->type) {
    case TV_BOOL: return a->u.b == b->u.b;
    case TV_INT: return a->u.i == b->u.i;
    case TV_FLOAT: return a->u.d == b->u.d;
    case TV_STRING:
        return a->n == b->n && (ignore_case ? text_ieqn(a->u.s, b->u.s, a->n) : strcmp(a->u.s, b->u.s) == 0);
    case TV_ARRAY:
        for (uint32_t i = 0; a->n == b->n && i < a->n; i++) {
            if (!tv_equal(a->u.items[i], b->u.items[i], ignore_case, steps))
                return false;
        }
        return a->n == b->n;
    case TV_OBJECT: return a->n == b->n && equal_objects(a, b, ignore_case, steps);
    default: return a->type == TV_NULL;
    }
}

/* ---- to and from JSON ---- */

static const struct tv *number_from(struct sb_arena *a, const struct json *j)
{
    int64_t i = 0;
    double d = json_double(j);
    /* 1.0 stays a float: json_i64 would make it whole, so look at the text that it prints. */
    const char *text = json_print(j, a);
    if (text && !strpbrk(text, ".eE") && json_i64(j, &i))
        return tv_int(a, i);
    return tv_float(a, d);
}

const struct tv *tv_from_json(struct sb_arena *a, const struct json *j)
{
    struct tv_list list = {0};
    struct tv_fields fields = {0};
    if (json_is_string(j))
        return tv_string(a, json_text(j));
    if (json_is_bool(j))
        return tv_bool(json_true(j));
    if (json_is_number(j))
        return number_from(a, j);
    if (json_is_array(j)) {
        JSON_FOREACH (child, j) { /* JSON_DEPTH bounds the recursion */
            if (!tv_push(a, &list, tv_from_json(a, child)))
                return NULL;
        }
        return tv_array(a, list.items, list.n);
    }
    if (json_is_object(j)) {
        JSON_FOREACH (child, j) {
            if (!tv_put(a, &fields, arena_strdup(a, json_key(child)), tv_from_json(a, child)))
                return NULL;
        }
        return tv_object(a, fields.items, fields.n);
    }
    return tv_null();
}

/* A float stays one: 3.0, not 3. */
static void write_float(struct jw *w, const char *key, double d)
{
    struct sb_buf b;
    struct jw alone;
    buf_init(&b, 64);
    jw_init(&alone, &b);
    jw_dbl(&alone, NULL, d);
    if (!strpbrk(buf_str(&b), ".eE"))
        buf_adds(&b, ".0");
    jw_raw(w, key, buf_str(&b));
    buf_done(&b);
}

void tv_write(struct jw *w, const char *key, const struct tv *v)
{
    switch (v->type) {
    case TV_BOOL: jw_bool(w, key, v->u.b); break;
    case TV_INT: jw_i64(w, key, v->u.i); break;
    case TV_FLOAT: write_float(w, key, v->u.d); break;
    case TV_STRING: jw_str(w, key, v->u.s); break;
    case TV_ARRAY:
        jw_arr(w, key);
        for (uint32_t i = 0; i < v->n; i++)
            tv_write(w, NULL, v->u.items[i]);
        jw_end_arr(w);
        break;
    case TV_OBJECT:
        jw_obj(w, key);
        for (uint32_t i = 0; i < v->n; i++)
            tv_write(w, v->u.members[i].key, v->u.members[i].value);
        jw_end_obj(w);
        break;
    default: jw_null(w, key); break;
    }
}

char *tv_print(struct sb_arena *a, const struct tv *v, size_t *ret_n)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, PRINT_MAX);
    jw_init(&w, &b);
    tv_write(&w, NULL, v);
    char *text = buf_failed(&b) ? NULL : arena_strndup(a, buf_str(&b), b.n);
    if (text && ret_n)
        *ret_n = b.n;
    buf_done(&b);
    return text;
}

/* ---- growing lists ---- */

/* Room for one more of `size` bytes in *items; the old array stays in the arena. */
static bool grow(struct sb_arena *a, void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? *cap * 2 : 8;
    void *bigger = arena_alloc(a, more * size);
    if (!bigger)
        return false;
    if (n > 0)
        memcpy(bigger, *items, n * size);
    *items = bigger;
    *cap = more;
    return true;
}

bool tv_push(struct sb_arena *a, struct tv_list *l, const struct tv *v)
{
    void *items = (void *)l->items;
    if (!v || !grow(a, &items, l->n, &l->cap, sizeof(const struct tv *)))
        return false;
    l->items = items;
    l->items[l->n++] = v;
    return true;
}

bool tv_put(struct sb_arena *a, struct tv_fields *f, const char *key, const struct tv *v)
{
    void *items = f->items;
    if (!key || !v || !grow(a, &items, f->n, &f->cap, sizeof *f->items))
        return false;
    f->items = items;
    f->items[f->n++] = (struct tv_member){.key = key, .value = v};
    return true;
}

bool tv_set(struct sb_arena *a, struct tv_fields *f, const char *key, const struct tv *v)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->items[i].key, key) == 0) {
            f->items[i].value = v;
            return v != NULL;
        }
    }
    return tv_put(a, f, key, v);
}
