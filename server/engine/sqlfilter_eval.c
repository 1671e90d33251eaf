/* sqlfilter_eval.c: what a compiled filter says of a message, and what an action makes of it. */
#include <math.h>
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/sqlfilter_priv.h"

enum truth { IS_FALSE, IS_TRUE, IS_UNKNOWN };

/* System properties that rules may use: those that a message carries with it. */
static const struct {
    const char *name;
    size_t at;
} sys[] = {
    {"MessageId", offsetof(struct amqp_props, message_id)},
    {"CorrelationId", offsetof(struct amqp_props, correlation_id)},
    {"Label", offsetof(struct amqp_props, subject)},
    {"Subject", offsetof(struct amqp_props, subject)},
    {"To", offsetof(struct amqp_props, to)},
    {"ReplyTo", offsetof(struct amqp_props, reply_to)},
    {"ContentType", offsetof(struct amqp_props, content_type)},
    {"SessionId", offsetof(struct amqp_props, session_id)},
    {"ReplyToSessionId", offsetof(struct amqp_props, reply_to_session_id)},
    {"PartitionKey", offsetof(struct amqp_props, partition_key)},
    {"ViaPartitionKey", offsetof(struct amqp_props, via_partition_key)},
};

int sqlfilter_sys(const char *name)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(sys); i++) {
        if (text_ieq(sys[i].name, name))
            return (int)i;
    }
    return -1;
}

struct run {
    const struct amqp_message *m;
    struct sb_arena *a;
    struct sb_error *err;
};

static const struct amqp_value null_value = {.kind = AMQP_NULL};

/* ---- properties ---- */

static const char **sys_at(struct amqp_props *p, int i)
{
    return (const char **)(void *)((char *)p + sys[i].at);
}

static const struct amqp_app_prop *find_app(const struct amqp_message *m, const char *name)
{
    for (size_t i = 0; i < m->app_n; i++) {
        if (text_ieq(m->app[i].name, name))
            return &m->app[i];
    }
    return NULL;
}

static struct amqp_value get(const struct amqp_message *m, const struct property *p)
{
    if (p->sys < 0) {
        const struct amqp_app_prop *found = find_app(m, p->name);
        return found ? found->value : null_value;
    }
    struct amqp_props copy = m->props;
    const char *text = *sys_at(&copy, p->sys);
    return text ? (struct amqp_value){.kind = AMQP_STRING, .s = text} : null_value;
}

/* ---- values ---- */

static enum sb_err value_of(const struct run *r, const struct node *n, struct amqp_value *ret);

static double number(const struct amqp_value *v)
{
    return v->kind == AMQP_LONG ? (double)v->i : v->d;
}

static bool is_number(const struct amqp_value *v)
{
    return v->kind == AMQP_LONG || v->kind == AMQP_DOUBLE;
}

static enum sb_err wrong(const struct run *r, const char *what)
{
    return sb_fail(r->err, SB_EINVAL, "The rule cannot be evaluated: %s.", what);
}

static enum sb_err whole(const struct run *r, enum node_kind op, int64_t a, int64_t b, struct amqp_value *ret)
{
    bool over = false;
    ret->kind = AMQP_LONG;
    if ((op == NODE_DIVIDE || op == NODE_MODULO) && b == 0)
        return wrong(r, "division by zero");
    switch (op) {
    case NODE_ADD: over = __builtin_add_overflow(a, b, &ret->i); break;
    case NODE_SUBTRACT: over = __builtin_sub_overflow(a, b, &ret->i); break;
    case NODE_MULTIPLY: over = __builtin_mul_overflow(a, b, &ret->i); break;
    default:
        /* The one quotient that does not fit. */
        over = a == INT64_MIN && b == -1;
        if (!over)
            ret->i = op == NODE_DIVIDE ? a / b : a % b;
    }
    return over ? wrong(r, "a number is too large") : SB_OK;
}

static struct amqp_value real(enum node_kind op, double a, double b)
{
    struct amqp_value v = {.kind = AMQP_DOUBLE};
    switch (op) {
    case NODE_ADD: v.d = a + b; break;
    case NODE_SUBTRACT: v.d = a - b; break;
    case NODE_MULTIPLY: v.d = a * b; break;
    case NODE_DIVIDE: v.d = a / b; break;
    default: v.d = fmod(a, b);
    }
    return v;
}

static enum sb_err arithmetic(const struct run *r, const struct node *n, struct amqp_value *ret)
{
    enum sb_err rc;
    struct amqp_value a, b;
    SB_TRY(value_of(r, n->a, &a));
    SB_TRY(value_of(r, n->b, &b));
    if (a.kind == AMQP_NULL || b.kind == AMQP_NULL) {
        *ret = null_value;
    } else if (n->kind == NODE_ADD && a.kind == AMQP_STRING && b.kind == AMQP_STRING) {
        ret->kind = AMQP_STRING;
        ret->s = arena_printf(r->a, "%s%s", a.s, b.s);
        if (ret->s == NULL)
            return sb_fail(r->err, SB_ENOMEM, "out of memory evaluating a rule");
    } else if (!is_number(&a) || !is_number(&b)) {
        return wrong(r, "arithmetic on what is not a number");
    } else if (a.kind == AMQP_LONG && b.kind == AMQP_LONG) {
        rc = whole(r, n->kind, a.i, b.i, ret);
    } else {
        *ret = real(n->kind, number(&a), number(&b));
    }
out:
    return rc;
}

static enum sb_err negated(const struct run *r, const struct node *n, struct amqp_value *ret)
{
    enum sb_err rc;
    struct amqp_value a;
    SB_TRY(value_of(r, n->a, &a));
    if (a.kind == AMQP_DOUBLE)
        a.d = -a.d;
    else if (a.kind == AMQP_LONG && a.i != INT64_MIN)
        a.i = -a.i;
    else if (a.kind != AMQP_NULL)
        return wrong(r, a.kind == AMQP_LONG ? "a number is too large" : "arithmetic on what is not a number");
    *ret = a;
out:
    return rc;
}

/* property(x): "name", "sys.name" or "user.name". */
static enum sb_err named(const struct run *r, const struct node *n, struct amqp_value *ret)
{
    enum sb_err rc;
    struct amqp_value name;
    struct property p = {.sys = -1};
    SB_TRY(value_of(r, n->a, &name));
    *ret = null_value;
    if (name.kind != AMQP_STRING)
        goto out;
    p.name = text_istarts(name.s, "user.") ? name.s + 5 : name.s;
    if (text_istarts(name.s, "sys.") && (p.sys = sqlfilter_sys(name.s + 4)) < 0)
        return wrong(r, "there is no such system property");
    *ret = get(r->m, &p);
out:
    return rc;
}

static enum sb_err value_of(const struct run *r, const struct node *n, struct amqp_value *ret)
{
    char *id;
    switch (n->kind) {
    case NODE_CONST: *ret = n->value; return SB_OK;
    case NODE_PROPERTY: *ret = get(r->m, &n->property); return SB_OK;
    case NODE_NAMED: return named(r, n, ret);
    case NODE_NEGATE: return negated(r, n, ret);
    case NODE_NEWID:
        id = arena_alloc(r->a, SB_GUID_LEN + 1);
        if (id == NULL)
            return sb_fail(r->err, SB_ENOMEM, "out of memory evaluating a rule");
        rng_guid(id);
        *ret = (struct amqp_value){.kind = AMQP_STRING, .s = id};
        return SB_OK;
    default: return arithmetic(r, n, ret);
    }
}

/* ---- predicates ---- */

static enum truth of(bool yes)
{
    return yes ? IS_TRUE : IS_FALSE;
}

static enum truth compare(enum node_kind op, const struct amqp_value *a, const struct amqp_value *b)
{
    int order;
    if (is_number(a) && is_number(b)) {
        double x = number(a), y = number(b);
        bool both = a->kind == AMQP_LONG && b->kind == AMQP_LONG; /* exact where doubles are not */
        order = both ? (a->i > b->i) - (a->i < b->i) : (x > y) - (x < y);
        if (!both && (isnan(x) || isnan(y)))
            return IS_FALSE;
    } else if (a->kind != b->kind || a->kind == AMQP_NULL || a->kind == AMQP_OTHER) {
        return IS_UNKNOWN;
    } else if (a->kind == AMQP_STRING) {
        order = strcmp(a->s, b->s);
    } else {
        order = (a->i > b->i) - (a->i < b->i);
        if (a->kind == AMQP_BOOL && op != NODE_EQUAL)
            return IS_UNKNOWN;
    }
    return of(op == NODE_EQUAL ? order == 0 : op == NODE_LESS ? order < 0 : order > 0);
}

static const char *next_char(const char *s)
{
    do
        s++;
    while (((unsigned char)*s & 0xc0) == 0x80);
    return s;
}

/* "%" any text, "_" any one character; escape '\0': none. Goes back to the last "%" only, so it takes at most
 * time by the product of both lengths. */
static bool like(const char *s, const char *pattern, char escape)
{
    const char *star = NULL, *resume = NULL;
    while (*s) {
        const char *p = pattern;
        bool literal = escape && *p == escape && p[1];
        p += literal;
        if (!literal && *p == '%') {
            star = pattern = p + 1;
            resume = s;
        } else if (!literal && *p == '_') {
            s = next_char(s);
            pattern = p + 1;
        } else if (*p && *p == *s) {
            s++;
            pattern = p + 1;
        } else if (star) {
            s = resume = next_char(resume);
            pattern = star;
        } else {
            return false;
        }
    }
    while (*pattern == '%' && escape != '%')
        pattern++;
    return *pattern == '\0';
}

static enum sb_err truth_of(const struct run *r, const struct node *n, enum truth *ret);

static enum sb_err like_of(const struct run *r, const struct node *n, enum truth *ret)
{
    enum sb_err rc;
    struct amqp_value s, pattern, escape = {.kind = AMQP_STRING, .s = ""};
    SB_TRY(value_of(r, n->a, &s));
    SB_TRY(value_of(r, n->b, &pattern));
    if (n->escape) {
        SB_TRY(value_of(r, n->escape, &escape));
        if (escape.kind != AMQP_STRING || strlen(escape.s) != 1)
            return wrong(r, "ESCAPE needs one character");
    }
    bool texts = s.kind == AMQP_STRING && pattern.kind == AMQP_STRING;
    *ret = texts ? of(like(s.s, pattern.s, escape.s[0])) : IS_UNKNOWN;
out:
    return rc;
}

static enum sb_err in_of(const struct run *r, const struct node *n, enum truth *ret)
{
    enum sb_err rc;
    struct amqp_value left, item;
    enum truth found = IS_FALSE;
    SB_TRY(value_of(r, n->a, &left));
    for (const struct node *i = n->b; i && found != IS_TRUE; i = i->next) {
        SB_TRY(value_of(r, i, &item));
        enum truth t = compare(NODE_EQUAL, &left, &item);
        found = t == IS_FALSE ? found : t;
    }
    *ret = found;
out:
    return rc;
}

/* AND stops at what is false, OR at what is true; unknown beside anything else stays unknown. */
static enum sb_err logic(const struct run *r, const struct node *n, enum truth *ret)
{
    enum sb_err rc;
    enum truth stop = n->kind == NODE_AND ? IS_FALSE : IS_TRUE, a, b;
    SB_TRY(truth_of(r, n->a, &a));
    if (a == stop) {
        *ret = a;
        goto out;
    }
    SB_TRY(truth_of(r, n->b, &b));
    *ret = b == stop ? b : a == IS_UNKNOWN ? a : b;
out:
    return rc;
}

static enum sb_err truth_of(const struct run *r, const struct node *n, enum truth *ret)
{
    enum sb_err rc = SB_OK;
    struct amqp_value a, b;
    switch (n->kind) {
    case NODE_AND:
    case NODE_OR: return logic(r, n, ret);
    case NODE_IN: return in_of(r, n, ret);
    case NODE_LIKE: return like_of(r, n, ret);
    case NODE_NOT:
        SB_TRY(truth_of(r, n->a, ret));
        *ret = *ret == IS_UNKNOWN ? IS_UNKNOWN : of(*ret == IS_FALSE);
        break;
    case NODE_IS_NULL:
        SB_TRY(value_of(r, n->a, &a));
        *ret = of(a.kind == AMQP_NULL);
        break;
    case NODE_EXISTS:
        a = get(r->m, &n->property);
        *ret = of(a.kind != AMQP_NULL || (n->property.sys < 0 && find_app(r->m, n->property.name)));
        break;
    case NODE_EQUAL:
    case NODE_LESS:
    case NODE_GREATER:
        SB_TRY(value_of(r, n->a, &a));
        SB_TRY(value_of(r, n->b, &b));
        *ret = compare(n->kind, &a, &b);
        break;
    default: /* TRUE or FALSE */ SB_TRY(value_of(r, n, &a)); *ret = of(a.kind == AMQP_BOOL && a.i);
    }
out:
    return rc;
}

enum sb_err sqlfilter_match(const struct sqlfilter *f, const struct amqp_message *m, struct sb_arena *a,
                            bool *ret, struct sb_error *err)
{
    struct run r = {m, a, err};
    enum truth t;
    enum sb_err rc = truth_of(&r, f->predicate, &t);
    if (rc == SB_OK)
        *ret = t == IS_TRUE;
    return rc;
}

/* ---- actions ---- */

/* A text for a system property; numbers and others become one. */
static enum sb_err as_text(const struct run *r, const struct amqp_value *v, const char **ret)
{
    const char *text = NULL;
    switch (v->kind) {
    case AMQP_NULL: *ret = NULL; return SB_OK;
    case AMQP_STRING: text = v->s; break;
    case AMQP_LONG: text = arena_printf(r->a, "%lld", (long long)v->i); break;
    case AMQP_DOUBLE: text = arena_printf(r->a, "%.17g", v->d); break;
    case AMQP_BOOL: text = v->i ? "True" : "False"; break;
    default: return wrong(r, "a system property can only be set to a text");
    }
    if (text == NULL)
        return sb_fail(r->err, SB_ENOMEM, "out of memory evaluating a rule");
    *ret = text;
    return SB_OK;
}

/* Sets (v) or removes (v NULL) one of the user's properties, in a list of its own. */
static enum sb_err set_app(const struct run *r, struct amqp_message *m, const char *name,
                           const struct amqp_value *v)
{
    struct amqp_app_prop *list = ARENA_ARRAY(r->a, struct amqp_app_prop, m->app_n + 1);
    size_t n = 0;
    bool done = v == NULL;
    if (list == NULL)
        return sb_fail(r->err, SB_ENOMEM, "out of memory evaluating a rule");
    for (size_t i = 0; i < m->app_n; i++) {
        bool same = text_ieq(m->app[i].name, name);
        if (same && (v == NULL || done))
            continue;
        list[n] = m->app[i];
        if (same) {
            list[n].value = *v;
            done = true;
        }
        n++;
    }
    if (!done)
        list[n++] = (struct amqp_app_prop){name, *v};
    m->app = list;
    m->app_n = n;
    return SB_OK;
}

enum sb_err sqlfilter_apply(const struct sqlfilter *action, struct amqp_message *m, struct sb_arena *a,
                            struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct run r = {m, a, err};
    for (size_t i = 0; i < action->statements_n; i++) {
        const struct statement *s = &action->statements[i];
        struct amqp_value v = null_value;
        const char *text = NULL;
        if (s->value)
            SB_TRY(value_of(&r, s->value, &v));
        if (s->property.sys < 0) {
            SB_TRY(set_app(&r, m, s->property.name, s->value ? &v : NULL));
        } else {
            SB_TRY(as_text(&r, &v, &text));
            *sys_at(&m->props, s->property.sys) = text;
        }
    }
out:
    return rc;
}
