/*
 * types.c: what a parameter, an output or an argument of a user's function may be: simple types with their
 * constraints, and the types of languageVersion 2.0 (definitions, $ref, properties, items, prefixItems,
 * additionalProperties, discriminator, nullable).
 */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define REFS_MAX 32 /* $ref to $ref to … */

static const struct type_row {
    const char *name, *shown;
    bool secure;
    enum tv_type type;
    const char *expected; /* in messages */
} types[] = {
    {"string", "String", false, TV_STRING, "String, Uri"},
    {"securestring", "SecureString", true, TV_STRING, "String, Uri"},
    {"int", "Int", false, TV_INT, "Integer"},
    {"bool", "Bool", false, TV_BOOL, "Boolean"},
    {"object", "Object", false, TV_OBJECT, "Object"},
    {"secureObject", "SecureObject", true, TV_OBJECT, "Object"},
    {"array", "Array", false, TV_ARRAY, "Array"},
};

static const struct type_row *type_find(const char *name)
{
    for (size_t i = 0; name && i < SB_ARRAY_LEN(types); i++) {
        if (text_ieq(types[i].name, name))
            return &types[i];
    }
    return NULL;
}

static bool fail(struct tmpl *t, const char *fmt, ...) SB_PRINTF(2, 3);
static bool fail(struct tmpl *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (!t->why)
        t->why = arena_vprintf(t->a, fmt, ap);
    va_end(ap);
    return false;
}

const char *types_shown(const char *type, bool *ret_secure)
{
    const struct type_row *row = type_find(type);
    if (row && ret_secure)
        *ret_secure = row->secure;
    return row ? row->shown : NULL;
}

const struct tv *types_resolve(struct tmpl *t, const struct tv *declaration)
{
    static const char prefix[] = "#/definitions/";
    for (int i = 0; i < REFS_MAX; i++) {
        const char *ref = tv_text(tv_get(declaration, "$ref"));
        if (!ref)
            return declaration;
        const struct tv *target =
            text_starts(ref, prefix) ? tv_get(t->definitions, ref + sizeof prefix - 1) : NULL;
        if (!tv_is(target, TV_OBJECT)) {
            fail(t, "The type reference '%.200s' is not defined in the template.", ref);
            return NULL;
        }
        declaration = target;
    }
    fail(t, "A type definition refers to itself.");
    return NULL;
}

/* `key` of the declaration or of what its $refs lead to, the nearest one. */
const struct tv *types_facet(struct tmpl *t, const struct tv *declaration, const char *key)
{
    for (int i = 0; declaration && i < REFS_MAX; i++) {
        const struct tv *found = tv_get(declaration, key);
        if (found)
            return found;
        const char *ref = tv_text(tv_get(declaration, "$ref"));
        declaration = ref && text_starts(ref, "#/definitions/") ? tv_get(t->definitions, ref + 14) : NULL;
    }
    return NULL;
}

const char *types_misfit(struct tmpl *t, const struct tv *declaration, const struct tv *v)
{
    const struct type_row *row = type_find(tv_text(types_facet(t, declaration, "type")));
    return row && v->type != row->type ? row->expected : NULL;
}

bool types_allowed(struct tmpl *t, const struct tv *declaration, const struct tv *v)
{
    const struct tv *allowed = types_facet(t, declaration, "allowedValues");
    if (!tv_is(allowed, TV_ARRAY))
        return true;
    for (uint32_t i = 0; i < allowed->n; i++) {
        if (tv_equal(allowed->u.items[i], v, true, &t->steps))
            return true;
    }
    /* An array may also be made of allowed elements. */
    for (uint32_t i = 0; v->type == TV_ARRAY && i < v->n; i++) {
        bool found = false;
        for (uint32_t k = 0; !found && k < allowed->n; k++)
            found = tv_equal(allowed->u.items[k], v->u.items[i], true, &t->steps);
        if (!found)
            return false;
    }
    return v->type == TV_ARRAY && v->n > 0;
}

/* Characters of a string, elements of an array. */
static int64_t length(const struct tv *v)
{
    return v->type != TV_STRING ? v->n : (int64_t)utf8_length(v->u.s, v->n);
}

static bool in_bounds(struct tmpl *t, const struct tv *declaration, const struct tv *v)
{
    static const struct {
        const char *facet, *text;
        bool of_length, upper;
    } rows[] = {
        {"minLength", "Length of the value should be greater than or equal to", true, false},
        {"maxLength", "Length of the value should be less than or equal to", true, true},
        {"minValue", "The value should be greater than or equal to", false, false},
        {"maxValue", "The value should be less than or equal to", false, true},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        const struct tv *limit = types_facet(t, declaration, rows[i].facet);
        bool applies = rows[i].of_length ? v->type == TV_STRING || v->type == TV_ARRAY : v->type == TV_INT;
        if (!applies || !tv_is(limit, TV_INT))
            continue;
        int64_t has = rows[i].of_length ? length(v) : v->u.i;
        if (rows[i].upper ? has > limit->u.i : has < limit->u.i)
            return fail(t, "%s '%lld'.", rows[i].text, (long long)limit->u.i);
    }
    return true;
}

static bool check_members(struct tmpl *t, const struct tv *declaration, const struct tv *v, const char *what)
{
    const struct tv *known = types_facet(t, declaration, "properties");
    const struct tv *others = types_facet(t, declaration, "additionalProperties");
    bool closed = tv_is(others, TV_BOOL) && !others->u.b;
    for (uint32_t i = 0; tv_is(known, TV_OBJECT) && i < known->n; i++) {
        const struct tv_member *m = &known->u.members[i];
        if (!tv_get(v, m->key) && !types_nullable(t, m->value))
            return fail(t, "The value of '%.100s' is missing the required property '%.100s'.", what, m->key);
    }
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv_member *m = &v->u.members[i];
        const struct tv *type = tv_get(known, m->key);
        if (!type && closed)
            return fail(t, "The property '%.100s' of '%.100s' is not allowed.", m->key, what);
        if (!type && tv_is(others, TV_OBJECT))
            type = others;
        if (type && !types_check(t, type, m->value, m->key))
            return false;
    }
    return true;
}

static bool check_items(struct tmpl *t, const struct tv *declaration, const struct tv *v, const char *what)
{
    const struct tv *first = types_facet(t, declaration, "prefixItems");
    const struct tv *rest = types_facet(t, declaration, "items");
    uint32_t firsts = tv_is(first, TV_ARRAY) ? first->n : 0;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv *type = i < firsts ? first->u.items[i] : rest;
        if (i >= firsts && tv_is(rest, TV_BOOL) && !rest->u.b)
            return fail(t, "The array '%.100s' may have at most '%u' elements.", what, firsts);
        if (tv_is(type, TV_OBJECT) && !types_check(t, type, v->u.items[i], what))
            return false;
    }
    return true;
}

/* The variant that a discriminated object asks for. NULL: failed. */
static const struct tv *variant(struct tmpl *t, const struct tv *discriminator, const struct tv *v,
                                const char *what)
{
    const char *key = tv_text(tv_get(discriminator, "propertyName"));
    const char *value = key ? tv_text(tv_get(v, key)) : NULL;
    const struct tv *type = value ? tv_get(tv_get(discriminator, "mapping"), value) : NULL;
    if (!type)
        fail(t, "The property '%.100s' of '%.100s' does not name a known variant.", key ? key : "", what);
    return type;
}

bool types_nullable(struct tmpl *t, const struct tv *declaration)
{
    const struct tv *nullable = types_facet(t, declaration, "nullable");
    return tv_is(nullable, TV_BOOL) && nullable->u.b;
}

bool types_check(struct tmpl *t, const struct tv *declaration, const struct tv *v, const char *what)
{
    if (!what)
        what = "";
    if (t->steps == 0 || t->depth >= TMPL_EVAL_MAX)
        return fail(t, "The template takes too many steps to evaluate.");
    t->steps--;
    if (v->type == TV_NULL && types_nullable(t, declaration))
        return true;
    if (!types_resolve(t, declaration))
        return false;
    const char *expected = types_misfit(t, declaration, v);
    if (expected)
        return fail(t, "The value of '%.100s' is not valid. Expected '%s'. Actual '%s'.", what, expected,
                    tv_type_name(v->type));
    if (!types_allowed(t, declaration, v))
        return fail(t, "The value of '%.100s' is not part of the allowed value(s).", what);
    if (!in_bounds(t, declaration, v))
        return false;
    t->depth++;
    bool ok = true;
    const struct tv *discriminator = types_facet(t, declaration, "discriminator");
    if (v->type == TV_OBJECT && tv_is(discriminator, TV_OBJECT)) {
        const struct tv *type = variant(t, discriminator, v, what);
        ok = type && types_check(t, type, v, what);
    }
    if (ok && v->type == TV_OBJECT)
        ok = check_members(t, declaration, v, what);
    if (ok && v->type == TV_ARRAY)
        ok = check_items(t, declaration, v, what);
    t->depth--;
    return ok;
}
