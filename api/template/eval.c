/*
 * eval.c: expressions to values. Values that hold no expression are passed on as they are; variables and
 * parameters are evaluated once. Steps, depth and weight are counted, so the work is bounded whatever the
 * template says.
 */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define SEE_EXPRESSIONS " Please see https://aka.ms/arm-template-expressions for usage details."

const struct tv *eval_fail(struct eval *ev, const char *fmt, ...)
{
    if (!ev->t->why) {
        va_list ap;
        va_start(ap, fmt);
        ev->t->why = arena_vprintf(ev->t->a, fmt, ap);
        va_end(ap);
    }
    return NULL;
}

const struct tv *eval_made(struct eval *ev, const struct tv *v)
{
    if (!v && !ev->postponed)
        eval_fail(ev, "The evaluated value is too large.");
    return v;
}

bool eval_spend(struct eval *ev, uint64_t n)
{
    if (ev->t->steps >= n) {
        ev->t->steps -= n;
        return true;
    }
    ev->t->steps = 0;
    eval_fail(ev, "The template takes too many steps to evaluate.");
    return false;
}

/* For what is only known at run time: a failure that eval_value turns into "as written" when that is asked.
 */
const struct tv *eval_postpone(struct eval *ev)
{
    ev->postponed = true;
    return NULL;
}

/* Enters one level; false (failed): too deep or out of steps. Leave with t->depth--. */
static bool enter(struct eval *ev)
{
    if (!eval_spend(ev, 1))
        return false;
    if (ev->t->depth >= TMPL_EVAL_MAX) {
        eval_fail(ev, "The template is nested too deeply: at most '%u' levels are allowed.", TMPL_EVAL_MAX);
        return false;
    }
    ev->t->depth++;
    return true;
}

/* ---- strings ---- */

const struct expr *eval_parsed(struct eval *ev, const struct tv *v, const struct tv **ret_text)
{
    if (v->u.s[1] == '[') {
        *ret_text = eval_made(ev, tv_string_own(EVAL_ARENA(ev), v->u.s + 1, v->n - 1));
        return NULL;
    }
    const char *why = NULL;
    struct tv_slot *slot = v->slot;
    /* The text may belong to an outer session, which lives on and has inner ones, one after another. */
    if (slot->expr && slot->session == ev->t->serial)
        return slot->expr;
    if (!eval_spend(ev, v->n / 8))
        return NULL;
    *slot = (struct tv_slot){expr_parse(EVAL_ARENA(ev), v->u.s + 1, v->n - 2, &why), ev->t->serial};
    if (!slot->expr && why)
        eval_fail(ev, "%s", why);
    else if (!slot->expr)
        eval_made(ev, NULL);
    return slot->expr;
}

static const struct tv *string_value(struct eval *ev, const struct tv *v)
{
    const struct tv *text = NULL;
    bool outer = ev->postponed;
    const struct expr *e = eval_parsed(ev, v, &text);
    if (!e)
        return text;
    ev->postponed = false;
    const struct tv *got = eval_expr(ev, e);
    bool keep = !got && ev->postponed && (ev->before || ev->keep_copy);
    ev->postponed = outer;
    if (keep)
        return v;
    return got && got->type == TV_LAMBDA
               ? eval_fail(ev, "A lambda can only be an argument of a function." SEE_EXPRESSIONS)
               : got;
}

/* ---- arrays and objects ---- */

static const struct tv *array_value(struct eval *ev, const struct tv *v)
{
    struct tv_list list = {0};
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv *item = eval_value(ev, v->u.items[i]);
        if (!item || !tv_push(EVAL_ARENA(ev), &list, item))
            return NULL;
    }
    return tv_array(EVAL_ARENA(ev), list.items, list.n);
}

/* The name of a member, which may be an expression. NULL: failed. */
static const char *member_key(struct eval *ev, const char *key)
{
    if (!tv_reads_as_expression(key, strlen(key)))
        return key;
    const struct tv *text = tv_string(EVAL_ARENA(ev), key);
    const struct tv *got = text ? string_value(ev, text) : NULL;
    if (got && got->type != TV_STRING) {
        eval_fail(ev, "The template language expression '%.200s' must give a string to be a property's name.",
                  key);
        return NULL;
    }
    return tv_text(got);
}

/* Is this "copy" the array form: each element an object with name, count and input? */
static bool is_copy(const char *key, const struct tv *v)
{
    if (!text_ieq(key, "copy") || v->type != TV_ARRAY || v->n == 0)
        return false;
    for (uint32_t i = 0; i < v->n; i++) {
        if (!tv_get(v->u.items[i], "name") || !tv_get(v->u.items[i], "count") ||
            !tv_get(v->u.items[i], "input"))
            return false;
    }
    return true;
}

int64_t eval_copy_count(struct eval *ev, const struct tv *loop)
{
    const struct tv *count = eval_value(ev, tv_get(loop, "count"));
    if (!count)
        return -1;
    if (count->type != TV_INT || count->u.i < 0 || count->u.i > TMPL_COPY_MAX) {
        eval_fail(ev,
                  "The template 'copy' definition at line '%u' and column '%u' has an invalid copy count. "
                  "The copy count "
                  "must be a non-negative integer value and cannot exceed '%u'. Please see "
                  "https://aka.ms/arm-copy for "
                  "usage details.",
                  loop->line, loop->column, TMPL_COPY_MAX);
        return -1;
    }
    return count->u.i;
}

const struct tv *eval_copy(struct eval *ev, const struct tv *loop)
{
    struct tv_list list = {0};
    const struct tv *name = eval_value(ev, tv_get(loop, "name"));
    int64_t count = name ? eval_copy_count(ev, loop) : -1;
    if (count < 0)
        return NULL;
    if (name->type != TV_STRING)
        return eval_fail(ev, "The name of a copy definition must be a string." SEE_EXPRESSIONS);
    const struct frame *up = ev->copies;
    for (int64_t i = 0; i < count; i++) {
        struct frame here = {.up = up, .name = name->u.s, .value = tv_int(EVAL_ARENA(ev), i)};
        ev->copies = &here;
        const struct tv *item = here.value ? eval_value(ev, tv_get(loop, "input")) : NULL;
        ev->copies = up;
        if (!item || !tv_push(EVAL_ARENA(ev), &list, item))
            return NULL;
    }
    return tv_array(EVAL_ARENA(ev), list.items, list.n);
}

static bool put_copies(struct eval *ev, struct tv_fields *fields, const struct tv *loops)
{
    for (uint32_t i = 0; i < loops->n; i++) {
        const struct tv *name = eval_value(ev, tv_get(loops->u.items[i], "name"));
        const struct tv *got = name ? eval_made(ev, eval_copy(ev, loops->u.items[i])) : NULL;
        if (!got || !tv_set(EVAL_ARENA(ev), fields, name->u.s, got))
            return false;
    }
    return true;
}

static const struct tv *object_value(struct eval *ev, const struct tv *v)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv_member *m = &v->u.members[i];
        if (!ev->keep_copy && is_copy(m->key, m->value)) {
            if (!put_copies(ev, &fields, m->value))
                return NULL;
            continue;
        }
        const char *key = member_key(ev, m->key);
        const struct tv *value = key ? eval_value(ev, m->value) : NULL;
        bool computed = key != m->key;
        if (!value || !(computed ? tv_set : tv_put)(EVAL_ARENA(ev), &fields, key, value))
            return NULL;
    }
    return tv_object(EVAL_ARENA(ev), fields.items, fields.n);
}

const struct tv *eval_value(struct eval *ev, const struct tv *v)
{
    if (!v)
        return eval_fail(ev, "A value is missing.");
    if (!v->dynamic)
        return v;
    if (!enter(ev))
        return NULL;
    const struct tv *got = NULL;
    if (v->type == TV_STRING)
        got = string_value(ev, v);
    else
        got = v->type == TV_ARRAY ? array_value(ev, v) : object_value(ev, v);
    ev->t->depth--;
    return eval_made(ev, got);
}

/* ---- members and indexes ---- */

static const struct tv *no_member(struct eval *ev, const struct tv *o, const char *name)
{
    struct sb_buf b;
    buf_init(&b, 1000);
    for (uint32_t i = 0; i < o->n && b.n + strlen(o->u.members[i].key) < 900; i++)
        buf_addf(&b, "%s%s", i ? ", " : "", o->u.members[i].key);
    eval_fail(ev, "The language expression property '%.200s' doesn't exist, available properties are '%s'.",
              name, buf_str(&b));
    buf_done(&b);
    return NULL;
}

static const struct tv *member(struct eval *ev, const struct tv *base, const char *name, bool safe)
{
    const struct tv *got = tv_get(base, name);
    if (got)
        return got;
    if (safe && (base->type == TV_OBJECT || base->type == TV_NULL))
        return tv_null();
    if (base->type == TV_OBJECT)
        return no_member(ev, base, name);
    return eval_fail(
        ev,
        "The language expression property '%.200s' can't be evaluated: the value is of type '%s', not an "
        "object.",
        name, tv_type_name(base->type));
}

static const struct tv *element(struct eval *ev, const struct tv *base, const struct tv *key, bool safe)
{
    if (key->type == TV_STRING)
        return member(ev, base, key->u.s, safe);
    if (safe && base->type == TV_NULL)
        return tv_null();
    if (key->type != TV_INT || base->type != TV_ARRAY)
        return eval_fail(
            ev,
            "The language expression property can't be evaluated: a value of type '%s' can't be indexed "
            "by one of type '%s'.",
            tv_type_name(base->type), tv_type_name(key->type));
    if (key->u.i >= 0 && key->u.i < base->n)
        return base->u.items[key->u.i];
    if (safe)
        return tv_null();
    return eval_fail(ev, "The language expression property array index '%lld' is out of bounds.",
                     (long long)key->u.i);
}

/* ---- calls ---- */

/* The words for a type letter of fn.h. */
static const char *letter_name(char letter)
{
    static const struct {
        char letter;
        const char *name;
    } rows[] = {{'s', "String"},
                {'i', "Integer"},
                {'n', "Integer or Float"},
                {'b', "Boolean"},
                {'a', "Array"},
                {'o', "Object"},
                {'l', "Lambda"},
                {'t', "Array or String"},
                {'k', "Integer or String"},
                {'c', "Array, Object or String"}};
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        if (rows[i].letter == letter)
            return rows[i].name;
    }
    return "Any";
}

static bool fits(char letter, enum tv_type type)
{
    switch (letter) {
    case 's': return type == TV_STRING;
    case 'i': return type == TV_INT;
    case 'n': return type == TV_INT || type == TV_FLOAT;
    case 'b': return type == TV_BOOL;
    case 'a': return type == TV_ARRAY;
    case 'o': return type == TV_OBJECT;
    case 'l': return type == TV_LAMBDA;
    case 'k': return type == TV_STRING || type == TV_INT;
    case 't': return type == TV_ARRAY || type == TV_STRING;
    case 'c': return type == TV_ARRAY || type == TV_STRING || type == TV_OBJECT;
    default: return type != TV_LAMBDA;
    }
}

static bool arity_fits(struct eval *ev, const struct expr *e)
{
    const struct fn *f = e->fn;
    char wanted[40];
    if (e->n >= f->min && (f->max == FN_ANY || e->n <= f->max))
        return true;
    if (f->max == f->min)
        snprintf(wanted, sizeof wanted, "%u", (unsigned)f->min);
    else if (f->max == FN_ANY)
        snprintf(wanted, sizeof wanted, "at least %u", (unsigned)f->min);
    else
        snprintf(wanted, sizeof wanted, "between %u and %u", (unsigned)f->min, (unsigned)f->max);
    eval_fail(
        ev,
        "Unable to evaluate template language function '%s': function requires %s argument(s) while %zu were "
        "provided. Please see https://aka.ms/arm-resource-functions/#%s for usage details.",
        e->name, wanted, e->n, f->name);
    return false;
}

static bool types_fit(struct eval *ev, const struct expr *e, const struct tv *const *args)
{
    const char *letter = e->fn->types;
    for (size_t i = 0; i < e->n; i++) {
        if (!fits(*letter, args[i]->type)) {
            eval_fail(ev,
                      "Unable to evaluate template language function '%s': the argument at position '%zu' is "
                      "expected to "
                      "be of type '%s'. The provided value is of type '%s'. Please see "
                      "https://aka.ms/arm-resource-functions/#%s for usage details.",
                      e->name, i + 1, letter_name(*letter), tv_type_name(args[i]->type), e->fn->name);
            return false;
        }
        letter += letter[1] != '\0';
    }
    return true;
}

static bool place_fits(struct eval *ev, const struct expr *e)
{
    const struct fn *f = e->fn;
    enum tmpl_scope scope = ev->t->world.scope;
    bool scope_fits = !((f->flags & FN_GROUP) && scope != TMPL_GROUP) &&
                      !((f->flags & FN_MANAGED) && scope != TMPL_MANAGEMENT_GROUP) &&
                      !((f->flags & FN_BILLED) && !ev->t->world.subscription_id);
    if ((f->where & ev->where) == ev->where && scope_fits)
        return true;
    char *shown = arena_strdup(EVAL_ARENA(ev), e->name);
    for (char *c = shown; !scope_fits && c && *c; c++) /* recorded: 'RESOURCEGROUP' */
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    eval_fail(ev, "The template function '%s' is not expected at this location." SEE_EXPRESSIONS,
              shown ? shown : "");
    return false;
}

/* The arguments, evaluated; NULL: failed. Without arguments a place that is never read. */
static const struct tv **arguments(struct eval *ev, const struct expr *e)
{
    const struct tv **args = ARENA_ARRAY(EVAL_ARENA(ev), const struct tv *, e->n + 1);
    for (size_t i = 0; args && i < e->n; i++) {
        args[i] = eval_expr(ev, e->args[i]);
        if (!args[i])
            return NULL;
    }
    return args;
}

static const struct user_fn *user_find(const struct tmpl *t, const struct expr *e)
{
    for (size_t i = 0; i < t->functions_n; i++) {
        if (text_ieq(t->functions[i].space, e->space) && text_ieq(t->functions[i].name, e->name))
            return &t->functions[i];
    }
    return NULL;
}

static const struct tv *user_call(struct eval *ev, const struct expr *e)
{
    const struct user_fn *f = ev->inside ? NULL : user_find(ev->t, e);
    if (!f)
        return eval_fail(ev, "The template function '%s.%s' is not valid." SEE_EXPRESSIONS, e->space,
                         e->name);
    size_t wanted = f->parameters ? f->parameters->n : 0;
    if (wanted != e->n)
        return eval_fail(
            ev,
            "Unable to evaluate template language function '%s.%s': function requires %zu argument(s) while "
            "%zu were provided." SEE_EXPRESSIONS,
            e->space, e->name, wanted, e->n);
    const struct tv **args = arguments(ev, e);
    for (size_t i = 0; args && i < e->n; i++) {
        if (!types_check(ev->t, f->parameters->u.items[i], args[i],
                         tv_text(tv_get(f->parameters->u.items[i], "name"))))
            return NULL;
    }
    struct eval inner = {.t = ev->t, .where = AT_FUNCTION, .inside = f, .inside_args = args};
    const struct tv *got = args ? eval_value(&inner, tv_get(f->output, "value")) : NULL;
    return got && !types_check(ev->t, f->output, got, "output") ? NULL : got;
}

static const struct tv *call(struct eval *ev, const struct expr *e)
{
    if (e->space)
        return user_call(ev, e);
    if (!e->fn)
        return eval_fail(ev, "The template function '%s' is not valid." SEE_EXPRESSIONS, e->name);
    if (!place_fits(ev, e) || !arity_fits(ev, e))
        return NULL;
    struct fn_call c = {.ev = ev, .fn = e->fn, .expr = e, .name = e->name, .n = e->n};
    if (!(e->fn->flags & FN_LAZY)) {
        const struct tv **args = arguments(ev, e);
        if (!args || !types_fit(ev, e, args))
            return NULL;
        c.args = args;
    }
    /* It lives in the evaluator's arena, not in the call. */
    /* cppcheck-suppress returnDanglingLifetime */
    return e->fn->eval(&c);
}

const struct tv *eval_expr(struct eval *ev, const struct expr *e)
{
    const struct tv *got = NULL, *base = NULL, *key = NULL;
    if (!enter(ev))
        return NULL;
    switch (e->kind) {
    case EXPR_CALL: got = call(ev, e); break;
    case EXPR_MEMBER:
        base = eval_expr(ev, e->args[0]);
        got = base ? member(ev, base, e->name, e->safe) : NULL;
        break;
    case EXPR_INDEX:
        base = eval_expr(ev, e->args[0]);
        key = base ? eval_expr(ev, e->args[1]) : NULL;
        got = key ? element(ev, base, key, e->safe) : NULL;
        break;
    default: got = e->literal; break;
    }
    ev->t->depth--;
    return eval_made(ev, got);
}

const struct tv *eval_lambda(struct eval *ev, const struct tv *lambda, const struct tv *const *values,
                             size_t n)
{
    const struct expr *e = lambda->u.lambda; /* lambda('a', 'b', …, body): fn_lambda checked its shape */
    struct frame frames[3];
    size_t names = e->n - 1;
    const struct frame *up = ev->lambdas;
    if (names > n || names > SB_ARRAY_LEN(frames))
        return eval_fail(ev, "The lambda takes '%zu' argument(s) while '%zu' were provided.", names, n);
    for (size_t i = 0; i < names; i++) {
        frames[i] = (struct frame){
            .up = i ? &frames[i - 1] : up, .name = e->args[i]->literal->u.s, .value = values[i]};
        ev->lambdas = &frames[i];
    }
    const struct tv *got = eval_expr(ev, e->args[names]);
    ev->lambdas = up;
    return got;
}
