/*
 * sqlfilter.c: reading filters and actions by recursive descent over sqllex.c, one function per level of
 * precedence.
 *
 *     or: and (OR and)*          not: NOT not | comparison        sum: product ((+|-) product)*
 *     and: not (AND not)*        comparison: sum [op sum | IS | IN | LIKE]   product: unary ((*|/|%) unary)*
 *
 * Predicates and values share the grammar, as both may stand in parentheses; which of the two a node is, is
 * looked at where it matters, so that the place of a mistake can be told.
 */
#include <string.h>
#include "server/base/text.h"
#include "server/engine/sqlfilter_priv.h"
#include "server/engine/sqllex.h"

#define DEPTH_MAX 64 /* of nested parentheses and prefixes */

/* ---- nodes ---- */

static struct node *new_node(struct sqllex *x, enum node_kind kind, const struct node *a,
                             const struct node *b)
{
    struct node *n = ARENA_NEW(x->a, struct node);
    if (n == NULL) {
        sb_fail(x->err, SB_ENOMEM, "out of memory reading a rule");
        return NULL;
    }
    n->kind = kind;
    n->a = a;
    n->b = b;
    return n;
}

/* A predicate and its negation. */
static struct node *maybe_not(struct sqllex *x, struct node *n, bool negated)
{
    return n && negated ? new_node(x, NODE_NOT, n, NULL) : n;
}

static bool is_predicate(const struct node *n)
{
    return n->kind >= NODE_EQUAL || (n->kind == NODE_CONST && n->value.kind == AMQP_BOOL);
}

static bool is_value(const struct node *n)
{
    return n->kind < NODE_EQUAL;
}

static bool want_value(struct sqllex *x, const struct node *n, const char *begin)
{
    if (n && !is_value(n))
        sqllex_fail_at(x, begin, 1, "a value is expected here, not a condition");
    return n && is_value(n);
}

static bool want_predicate(struct sqllex *x, const struct node *n, const char *begin)
{
    if (n && !is_predicate(n))
        sqllex_fail_at(x, begin, 1, "a condition is expected here, not a value");
    return n && is_predicate(n);
}

/* ---- properties ---- */

static const char *const keywords[] = {"AND",  "OR",  "NOT",    "IS",   "NULL",  "IN",
                                       "LIKE", "SET", "ESCAPE", "TRUE", "FALSE", "REMOVE"};

static bool reserved(const char *word)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(keywords); i++) {
        if (text_ieq(keywords[i], word))
            return true;
    }
    return false;
}

static bool at_name(const struct sqllex *x)
{
    return x->token == T_QUOTED || (x->token == T_NAME && !reserved(x->word));
}

/* [sys.|user.]name; the name is in front. */
static bool read_property(struct sqllex *x, struct property *ret)
{
    const char *begin = x->begin, *name = x->word;
    bool plain = x->token == T_NAME;
    *ret = (struct property){.sys = -1, .name = name};
    if (!at_name(x)) {
        sqllex_fail_token(x, "the name of a property");
        return false;
    }
    sqllex_next(x);
    if (!plain || !sqllex_at_operator(x, "."))
        return true;
    sqllex_next(x);
    if (!text_ieq(name, "sys") && !text_ieq(name, "user")) {
        sqllex_fail_at(x, begin, strlen(name), "the scope of a property is 'sys' or 'user'");
        return false;
    }
    if (x->token != T_QUOTED && x->token != T_NAME) {
        sqllex_fail_token(x, "the name of a property");
        return false;
    }
    ret->name = x->word;
    if (text_ieq(name, "sys") && (ret->sys = sqlfilter_sys(x->word)) < 0) {
        sqllex_fail_at(x, x->begin, x->n, "there is no such system property");
        return false;
    }
    sqllex_next(x);
    return true;
}

/* ---- values ---- */

static struct node *read_or(struct sqllex *x);

static struct node *constant(struct sqllex *x, struct amqp_value v)
{
    struct node *n = new_node(x, NODE_CONST, NULL, NULL);
    if (n)
        n->value = v;
    sqllex_next(x);
    return n;
}

static struct node *read_parentheses(struct sqllex *x)
{
    struct node *n;
    sqllex_next(x);
    if (++x->depth > DEPTH_MAX) {
        sqllex_fail_at(x, x->begin, x->n, "the expression is nested too deeply");
        return NULL;
    }
    n = read_or(x);
    x->depth--;
    if (n && !sqllex_take_operator(x, ")")) {
        sqllex_fail_token(x, "')'");
        return NULL;
    }
    return n;
}

/* newid(), property(x), p(x), exists(x): the name has been seen to have a parenthesis behind it. */
static struct node *read_call(struct sqllex *x, const char *name, const char *begin)
{
    if (text_ieq(name, "newid")) {
        sqllex_next(x);
        if (sqllex_take_operator(x, ")"))
            return new_node(x, NODE_NEWID, NULL, NULL);
        sqllex_fail_token(x, "')'");
        return NULL;
    }
    if (text_ieq(name, "property") || text_ieq(name, "p")) {
        const char *inside = x->at;
        struct node *arg = read_parentheses(x);
        return want_value(x, arg, inside) ? new_node(x, NODE_NAMED, arg, NULL) : NULL;
    }
    sqllex_fail_at(x, begin, strlen(name), "there is no such function");
    return NULL;
}

static struct node *read_exists(struct sqllex *x)
{
    struct node *n = new_node(x, NODE_EXISTS, NULL, NULL);
    sqllex_next(x);
    if (n == NULL || !read_property(x, &n->property))
        return NULL;
    if (sqllex_take_operator(x, ")"))
        return n;
    sqllex_fail_token(x, "')'");
    return NULL;
}

static struct node *read_name(struct sqllex *x)
{
    const char *begin = x->begin, *name = x->word;
    bool plain = x->token == T_NAME;
    const char *p = x->at + strspn(x->at, " \t\r\n");
    if (plain && *p == '(') {
        sqllex_next(x);
        return text_ieq(name, "exists") ? read_exists(x) : read_call(x, name, begin);
    }
    struct node *n = new_node(x, NODE_PROPERTY, NULL, NULL);
    return n && read_property(x, &n->property) ? n : NULL;
}

static struct node *read_primary(struct sqllex *x)
{
    if (x->token == T_NUMBER)
        return constant(x, x->number);
    if (x->token == T_STRING)
        return constant(x, (struct amqp_value){.kind = AMQP_STRING, .s = x->word});
    if (sqllex_at_word(x, "NULL"))
        return constant(x, (struct amqp_value){.kind = AMQP_NULL});
    if (sqllex_at_word(x, "TRUE") || sqllex_at_word(x, "FALSE"))
        return constant(x, (struct amqp_value){.kind = AMQP_BOOL, .i = sqllex_at_word(x, "TRUE")});
    if (sqllex_at_operator(x, "("))
        return read_parentheses(x);
    if (at_name(x))
        return read_name(x);
    if (x->token == T_PARAM)
        sqllex_fail_at(x, x->begin, x->n, "the parameter has no value");
    else
        sqllex_fail_token(x, "a value");
    return NULL;
}

static struct node *read_unary(struct sqllex *x)
{
    bool negate = false;
    const char *begin = x->begin;
    size_t signs = 0;
    while (sqllex_at_operator(x, "+") || sqllex_at_operator(x, "-")) {
        negate ^= sqllex_at_operator(x, "-");
        signs++;
        sqllex_next(x);
    }
    struct node *n = read_primary(x);
    if (n == NULL || signs == 0)
        return n;
    if (!want_value(x, n, begin))
        return NULL;
    return negate ? new_node(x, NODE_NEGATE, n, NULL) : n;
}

struct level {
    const char *op;
    enum node_kind kind;
};

/* Left-associative operators of one level over operands that below reads. */
static struct node *read_binary(struct sqllex *x, const struct level *ops, size_t ops_n,
                                struct node *(*below)(struct sqllex *))
{
    const char *begin = x->begin;
    struct node *left = below(x);
    while (left) {
        size_t i = 0;
        while (i < ops_n && !sqllex_at_operator(x, ops[i].op))
            i++;
        if (i == ops_n)
            return left;
        if (!want_value(x, left, begin))
            return NULL;
        sqllex_next(x);
        const char *right_begin = x->begin;
        struct node *right = below(x);
        if (!want_value(x, right, right_begin))
            return NULL;
        left = new_node(x, ops[i].kind, left, right);
    }
    return NULL;
}

static struct node *read_product(struct sqllex *x)
{
    static const struct level ops[] = {{"*", NODE_MULTIPLY}, {"/", NODE_DIVIDE}, {"%", NODE_MODULO}};
    return read_binary(x, ops, SB_ARRAY_LEN(ops), read_unary);
}

static struct node *read_sum(struct sqllex *x)
{
    static const struct level ops[] = {{"+", NODE_ADD}, {"-", NODE_SUBTRACT}};
    return read_binary(x, ops, SB_ARRAY_LEN(ops), read_product);
}

/* ---- predicates ---- */

static struct node *read_in(struct sqllex *x, struct node *left)
{
    const struct node *head = NULL;
    struct node *last = NULL;
    if (!sqllex_take_operator(x, "(")) {
        sqllex_fail_token(x, "'('");
        return NULL;
    }
    do {
        const char *begin = x->begin;
        struct node *item = read_sum(x);
        if (!want_value(x, item, begin))
            return NULL;
        /* The node may be shared by nobody: it was made just now. */
        if (last)
            last->next = item;
        else
            head = item;
        last = item;
    } while (sqllex_take_operator(x, ","));
    if (sqllex_take_operator(x, ")"))
        return new_node(x, NODE_IN, left, head);
    sqllex_fail_token(x, "',' or ')'");
    return NULL;
}

static struct node *read_like(struct sqllex *x, struct node *left)
{
    const char *begin = x->begin;
    struct node *pattern = read_sum(x);
    if (!want_value(x, pattern, begin))
        return NULL;
    struct node *n = new_node(x, NODE_LIKE, left, pattern);
    if (n && sqllex_take_word(x, "ESCAPE")) {
        begin = x->begin;
        struct node *escape = read_sum(x);
        if (!want_value(x, escape, begin))
            return NULL;
        n->escape = escape;
    }
    return n;
}

static struct node *read_is(struct sqllex *x, const struct node *left)
{
    bool negated = sqllex_take_word(x, "NOT");
    if (sqllex_take_word(x, "NULL"))
        return maybe_not(x, new_node(x, NODE_IS_NULL, left, NULL), negated);
    sqllex_fail_token(x, negated ? "NULL" : "NULL, or NOT NULL");
    return NULL;
}

static struct node *read_operator(struct sqllex *x, const struct node *left)
{
    static const struct {
        const char *op;
        enum node_kind kind;
        bool negated;
    } ops[] = {
        {"=", NODE_EQUAL, false},   {"<>", NODE_EQUAL, true}, {"!=", NODE_EQUAL, true},
        {"<", NODE_LESS, false},    {">=", NODE_LESS, true},  {">", NODE_GREATER, false},
        {"<=", NODE_GREATER, true},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(ops); i++) {
        if (!sqllex_take_operator(x, ops[i].op))
            continue;
        const char *begin = x->begin;
        struct node *right = read_sum(x);
        if (!want_value(x, right, begin))
            return NULL;
        return maybe_not(x, new_node(x, ops[i].kind, left, right), ops[i].negated);
    }
    return NULL;
}

static struct node *read_comparison(struct sqllex *x)
{
    const char *begin = x->begin;
    struct node *left = read_sum(x);
    if (left == NULL)
        return NULL;
    bool negated = sqllex_at_word(x, "NOT");
    bool any = x->token == T_OPERATOR && strchr("=<>!", *x->begin) != NULL;
    if (!any && !negated && !sqllex_at_word(x, "IS") && !sqllex_at_word(x, "IN") &&
        !sqllex_at_word(x, "LIKE"))
        return left;
    if (!want_value(x, left, begin))
        return NULL;
    if (any)
        return read_operator(x, left);
    if (sqllex_take_word(x, "IS"))
        return read_is(x, left);
    if (negated)
        sqllex_next(x);
    if (sqllex_take_word(x, "IN"))
        return maybe_not(x, read_in(x, left), negated);
    if (sqllex_take_word(x, "LIKE"))
        return maybe_not(x, read_like(x, left), negated);
    sqllex_fail_token(x, "IN, or LIKE");
    return NULL;
}

static struct node *read_not(struct sqllex *x)
{
    if (!sqllex_at_word(x, "NOT"))
        return read_comparison(x);
    sqllex_next(x);
    if (++x->depth > DEPTH_MAX) {
        sqllex_fail_at(x, x->begin, x->n, "the expression is nested too deeply");
        return NULL;
    }
    const char *begin = x->begin;
    struct node *n = read_not(x);
    x->depth--;
    return want_predicate(x, n, begin) ? new_node(x, NODE_NOT, n, NULL) : NULL;
}

static struct node *read_logic(struct sqllex *x, const char *word, enum node_kind kind,
                               struct node *(*below)(struct sqllex *))
{
    const char *begin = x->begin;
    struct node *left = below(x);
    while (left && sqllex_at_word(x, word)) {
        if (!want_predicate(x, left, begin))
            return NULL;
        sqllex_next(x);
        const char *right_begin = x->begin;
        struct node *right = below(x);
        if (!want_predicate(x, right, right_begin))
            return NULL;
        left = new_node(x, kind, left, right);
    }
    return left;
}

static struct node *read_and(struct sqllex *x)
{
    return read_logic(x, "AND", NODE_AND, read_not);
}

static struct node *read_or(struct sqllex *x)
{
    return read_logic(x, "OR", NODE_OR, read_and);
}

/* ---- whole texts ---- */

static enum sb_err begin_text(struct sqllex *x, const char *text, struct sb_arena *a, struct sqlfilter **ret,
                              struct sb_error *err)
{
    size_t n = utf8_length(text, strlen(text));
    *x = (struct sqllex){.text = text, .at = text, .a = a, .err = err};
    if (n == 0)
        return sb_fail(err, SB_EBADREQUEST, "The SQL expression is empty.");
    if (n > SQLFILTER_TEXT_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The SQL expression has %zu characters: at most %d are allowed.",
                       n, SQLFILTER_TEXT_MAX);
    if ((*ret = ARENA_NEW(a, struct sqlfilter)) == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a rule");
    sqllex_next(x);
    return SB_OK;
}

/* What the functions above have left in err, if they failed. */
static enum sb_err failure(const struct sqllex *x)
{
    return arena_failed(x->a) ? SB_ENOMEM : SB_EBADREQUEST;
}

enum sb_err sqlfilter_compile(const char *text, struct sb_arena *a, const struct sqlfilter **ret,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct sqllex x;
    struct sqlfilter *f = NULL;
    SB_TRY(begin_text(&x, text, a, &f, err));
    const char *begin = x.begin;
    f->predicate = read_or(&x);
    if (f->predicate && x.token != T_END)
        return sqllex_fail_token(&x, "an operator, AND, OR or the end");
    if (!want_predicate(&x, f->predicate, begin))
        return failure(&x);
    *ret = f;
out:
    return rc;
}

static bool read_statement(struct sqllex *x, struct statement *ret)
{
    bool set = sqllex_take_word(x, "SET");
    ret->value = NULL;
    if (!set && !sqllex_take_word(x, "REMOVE")) {
        sqllex_fail_token(x, "SET, or REMOVE");
        return false;
    }
    if (!read_property(x, &ret->property))
        return false;
    if (!set)
        return true;
    if (!sqllex_take_operator(x, "=")) {
        sqllex_fail_token(x, "'='");
        return false;
    }
    const char *begin = x->begin;
    ret->value = read_sum(x);
    return want_value(x, ret->value, begin);
}

enum sb_err sqlfilter_compile_action(const char *text, struct sb_arena *a, const struct sqlfilter **ret,
                                     struct sb_error *err)
{
    enum sb_err rc;
    struct sqllex x;
    struct sqlfilter *f = NULL;
    SB_TRY(begin_text(&x, text, a, &f, err));
    struct statement *list = ARENA_ARRAY(a, struct statement, SQLFILTER_ACTIONS_MAX);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a rule");
    do {
        if (f->statements_n == SQLFILTER_ACTIONS_MAX)
            return sqllex_fail_at(&x, x.begin, x.n, "an action has at most 32 statements");
        if (!read_statement(&x, &list[f->statements_n++]))
            return failure(&x);
        while (sqllex_take_operator(&x, ";") || sqllex_take_operator(&x, ",")) {
        }
    } while (x.token != T_END);
    f->statements = list;
    *ret = f;
out:
    return rc;
}
