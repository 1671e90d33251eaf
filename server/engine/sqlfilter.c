/*
 * sqlfilter.c: reading filters and actions: lexer and recursive descent, one function per level of
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

#define DEPTH_MAX 64 /* of nested parentheses and prefixes */

enum token {
    T_END,
    T_NUMBER,
    T_STRING,
    T_NAME,     /* plain */
    T_QUOTED,   /* [x] or "x" */
    T_PARAM,    /* @x */
    T_OPERATOR, /* one of the operators below */
    T_BAD
};

struct lexer {
    const char *text, *at;
    struct sb_arena *a;
    struct sb_error *err;
    int depth;
    /* the token in front */
    enum token token;
    const char *begin; /* in the text */
    size_t n;
    const char *word; /* STRING, QUOTED: unescaped; NAME, PARAM: as written */
    struct amqp_value number;
};

/* ---- lexer ---- */

static bool starts_name(char c)
{
    c = text_lower(c);
    return (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool in_name(char c)
{
    return starts_name(c) || is_digit(c) || c == '@' || c == '$' || c == '#';
}

/* The text up to close, which is doubled to stand for itself; NULL: it has no end. */
static const char *read_quoted(struct lexer *x, char close)
{
    const char *p = x->at + 1;
    char *out = arena_alloc(x->a, strlen(p) + 1), *to = out;
    for (; out && *p && (*p != close || p[1] == close); p++) {
        if (*p == close)
            p++;
        *to++ = *p;
    }
    x->at = *p ? p + 1 : p;
    return out && *p ? out : NULL;
}

/* 12, 1.5, .5, 2.5E3. Whole numbers are 64 bits, as documented; others double. */
static bool read_number(struct lexer *x)
{
    const char *p = x->at;
    bool whole = true;
    p += strspn(p, "0123456789");
    if (*p == '.') {
        whole = false;
        p += 1 + strspn(p + 1, "0123456789");
    }
    if (text_lower(*p) == 'e' && (is_digit(p[1]) || ((p[1] == '+' || p[1] == '-') && is_digit(p[2])))) {
        whole = false;
        p += 2 + strspn(p + 2, "0123456789");
    }
    const char *copy = arena_strndup(x->a, x->at, (size_t)(p - x->at));
    x->at = p;
    if (copy == NULL)
        return false;
    if (whole) {
        x->number.kind = AMQP_LONG;
        return text_to_i64(copy, 0, INT64_MAX, &x->number.i);
    }
    x->number.kind = AMQP_DOUBLE;
    return text_to_double(copy, &x->number.d);
}

/* Not the first byte of a letter in UTF-8. */
static bool inside_letter(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static enum token scan(struct lexer *x)
{
    static const char *const operators[] = {"<>", "!=", ">=", "<=", "=", ">", "<", "(", ")",
                                            ",",  ";",  ".",  "+",  "-", "*", "/", "%"};
    char c = *x->at;
    if (c == '\0')
        return T_END;
    if (is_digit(c) || (c == '.' && is_digit(x->at[1])))
        return read_number(x) ? T_NUMBER : T_BAD;
    if (c == '\'' || c == '"' || c == '[') {
        x->word = read_quoted(x, c == '[' ? ']' : c);
        return x->word == NULL ? T_BAD : c == '\'' ? T_STRING : T_QUOTED;
    }
    if (starts_name(c) || c == '@') {
        const char *p = x->at + 1;
        while (in_name(*p))
            p++;
        x->word = arena_strndup(x->a, x->at, (size_t)(p - x->at));
        x->at = p;
        return x->word == NULL ? T_BAD : c == '@' ? T_PARAM : T_NAME;
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(operators); i++) {
        if (text_starts(x->at, operators[i])) {
            x->at += strlen(operators[i]);
            return T_OPERATOR;
        }
    }
    do
        x->at++;
    while (inside_letter(*x->at));
    return T_BAD;
}

static void advance(struct lexer *x)
{
    x->at += strspn(x->at, " \t\r\n");
    x->begin = x->at;
    x->token = scan(x);
    x->n = (size_t)(x->at - x->begin);
}

/* ---- what is wrong, and where ---- */

static enum sb_err fail_at(struct lexer *x, const char *begin, size_t n, const char *details)
{
    int line = 1, column = 1;
    for (const char *p = x->text; p < begin; p++) {
        column = *p == '\n' ? 1 : column + !inside_letter(*p);
        line += *p == '\n';
    }
    size_t shown = SB_MIN(n, (size_t)60);
    while (shown > 0 && inside_letter(begin[shown]))
        shown--;
    return sb_fail(x->err, SB_EBADREQUEST,
                   "There was an error parsing the SQL expression. [Token line=%d, column=%d, Token in "
                   "error=%.*s, Additional details= %s]",
                   line, column, (int)shown, begin, details);
}

static enum sb_err fail_token(struct lexer *x, const char *expected)
{
    char details[200];
    if (arena_failed(x->a))
        return sb_fail(x->err, SB_ENOMEM, "out of memory reading a rule");
    const char *what = x->token == T_END ? "end of the expression" : x->token == T_BAD ? "text" : "token";
    (void)snprintf(details, sizeof details, "syntax error, unexpected %s, expecting %s", what, expected);
    return fail_at(x, x->begin, x->n, details);
}

/* ---- small steps ---- */

static bool at_operator(const struct lexer *x, const char *op)
{
    return x->token == T_OPERATOR && strlen(op) == x->n && memcmp(x->begin, op, x->n) == 0;
}

static bool at_word(const struct lexer *x, const char *word)
{
    return x->token == T_NAME && text_ieq(x->word, word);
}

static bool take_operator(struct lexer *x, const char *op)
{
    if (!at_operator(x, op))
        return false;
    advance(x);
    return true;
}

static bool take_word(struct lexer *x, const char *word)
{
    if (!at_word(x, word))
        return false;
    advance(x);
    return true;
}

static struct node *new_node(struct lexer *x, enum node_kind kind, const struct node *a, const struct node *b)
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
static struct node *maybe_not(struct lexer *x, struct node *n, bool negated)
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

static bool want_value(struct lexer *x, const struct node *n, const char *begin)
{
    if (n && !is_value(n))
        fail_at(x, begin, 1, "a value is expected here, not a condition");
    return n && is_value(n);
}

static bool want_predicate(struct lexer *x, const struct node *n, const char *begin)
{
    if (n && !is_predicate(n))
        fail_at(x, begin, 1, "a condition is expected here, not a value");
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

static bool at_name(const struct lexer *x)
{
    return x->token == T_QUOTED || (x->token == T_NAME && !reserved(x->word));
}

/* [sys.|user.]name; the name is in front. */
static bool read_property(struct lexer *x, struct property *ret)
{
    const char *begin = x->begin, *name = x->word;
    bool plain = x->token == T_NAME;
    *ret = (struct property){.sys = -1, .name = name};
    if (!at_name(x)) {
        fail_token(x, "the name of a property");
        return false;
    }
    advance(x);
    if (!plain || !at_operator(x, "."))
        return true;
    advance(x);
    if (!text_ieq(name, "sys") && !text_ieq(name, "user")) {
        fail_at(x, begin, strlen(name), "the scope of a property is 'sys' or 'user'");
        return false;
    }
    if (x->token != T_QUOTED && x->token != T_NAME) {
        fail_token(x, "the name of a property");
        return false;
    }
    ret->name = x->word;
    if (text_ieq(name, "sys") && (ret->sys = sqlfilter_sys(x->word)) < 0) {
        fail_at(x, x->begin, x->n, "there is no such system property");
        return false;
    }
    advance(x);
    return true;
}

/* ---- values ---- */

static struct node *read_or(struct lexer *x);

static struct node *constant(struct lexer *x, struct amqp_value v)
{
    struct node *n = new_node(x, NODE_CONST, NULL, NULL);
    if (n)
        n->value = v;
    advance(x);
    return n;
}

static struct node *read_parentheses(struct lexer *x)
{
    struct node *n;
    advance(x);
    if (++x->depth > DEPTH_MAX) {
        fail_at(x, x->begin, x->n, "the expression is nested too deeply");
        return NULL;
    }
    n = read_or(x);
    x->depth--;
    if (n && !take_operator(x, ")")) {
        fail_token(x, "')'");
        return NULL;
    }
    return n;
}

/* newid(), property(x), p(x), exists(x): the name has been seen to have a parenthesis behind it. */
static struct node *read_call(struct lexer *x, const char *name, const char *begin)
{
    if (text_ieq(name, "newid")) {
        advance(x);
        if (take_operator(x, ")"))
            return new_node(x, NODE_NEWID, NULL, NULL);
        fail_token(x, "')'");
        return NULL;
    }
    if (text_ieq(name, "property") || text_ieq(name, "p")) {
        const char *inside = x->at;
        struct node *arg = read_parentheses(x);
        return want_value(x, arg, inside) ? new_node(x, NODE_NAMED, arg, NULL) : NULL;
    }
    fail_at(x, begin, strlen(name), "there is no such function");
    return NULL;
}

static struct node *read_exists(struct lexer *x)
{
    struct node *n = new_node(x, NODE_EXISTS, NULL, NULL);
    advance(x);
    if (n == NULL || !read_property(x, &n->property))
        return NULL;
    if (take_operator(x, ")"))
        return n;
    fail_token(x, "')'");
    return NULL;
}

static struct node *read_name(struct lexer *x)
{
    const char *begin = x->begin, *name = x->word;
    bool plain = x->token == T_NAME;
    const char *p = x->at + strspn(x->at, " \t\r\n");
    if (plain && *p == '(') {
        advance(x);
        return text_ieq(name, "exists") ? read_exists(x) : read_call(x, name, begin);
    }
    struct node *n = new_node(x, NODE_PROPERTY, NULL, NULL);
    return n && read_property(x, &n->property) ? n : NULL;
}

static struct node *read_primary(struct lexer *x)
{
    if (x->token == T_NUMBER)
        return constant(x, x->number);
    if (x->token == T_STRING)
        return constant(x, (struct amqp_value){.kind = AMQP_STRING, .s = x->word});
    if (at_word(x, "NULL"))
        return constant(x, (struct amqp_value){.kind = AMQP_NULL});
    if (at_word(x, "TRUE") || at_word(x, "FALSE"))
        return constant(x, (struct amqp_value){.kind = AMQP_BOOL, .i = at_word(x, "TRUE")});
    if (at_operator(x, "("))
        return read_parentheses(x);
    if (at_name(x))
        return read_name(x);
    if (x->token == T_PARAM)
        fail_at(x, x->begin, x->n, "the parameter has no value");
    else
        fail_token(x, "a value");
    return NULL;
}

static struct node *read_unary(struct lexer *x)
{
    bool negate = false;
    const char *begin = x->begin;
    size_t signs = 0;
    while (at_operator(x, "+") || at_operator(x, "-")) {
        negate ^= at_operator(x, "-");
        signs++;
        advance(x);
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
static struct node *read_binary(struct lexer *x, const struct level *ops, size_t ops_n,
                                struct node *(*below)(struct lexer *))
{
    const char *begin = x->begin;
    struct node *left = below(x);
    while (left) {
        size_t i = 0;
        while (i < ops_n && !at_operator(x, ops[i].op))
            i++;
        if (i == ops_n)
            return left;
        if (!want_value(x, left, begin))
            return NULL;
        advance(x);
        const char *right_begin = x->begin;
        struct node *right = below(x);
        if (!want_value(x, right, right_begin))
            return NULL;
        left = new_node(x, ops[i].kind, left, right);
    }
    return NULL;
}

static struct node *read_product(struct lexer *x)
{
    static const struct level ops[] = {{"*", NODE_MULTIPLY}, {"/", NODE_DIVIDE}, {"%", NODE_MODULO}};
    return read_binary(x, ops, SB_ARRAY_LEN(ops), read_unary);
}

static struct node *read_sum(struct lexer *x)
{
    static const struct level ops[] = {{"+", NODE_ADD}, {"-", NODE_SUBTRACT}};
    return read_binary(x, ops, SB_ARRAY_LEN(ops), read_product);
}

/* ---- predicates ---- */

static struct node *read_in(struct lexer *x, struct node *left)
{
    const struct node *head = NULL;
    struct node *last = NULL;
    if (!take_operator(x, "(")) {
        fail_token(x, "'('");
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
    } while (take_operator(x, ","));
    if (take_operator(x, ")"))
        return new_node(x, NODE_IN, left, head);
    fail_token(x, "',' or ')'");
    return NULL;
}

static struct node *read_like(struct lexer *x, struct node *left)
{
    const char *begin = x->begin;
    struct node *pattern = read_sum(x);
    if (!want_value(x, pattern, begin))
        return NULL;
    struct node *n = new_node(x, NODE_LIKE, left, pattern);
    if (n && take_word(x, "ESCAPE")) {
        begin = x->begin;
        struct node *escape = read_sum(x);
        if (!want_value(x, escape, begin))
            return NULL;
        n->escape = escape;
    }
    return n;
}

static struct node *read_is(struct lexer *x, const struct node *left)
{
    bool negated = take_word(x, "NOT");
    if (take_word(x, "NULL"))
        return maybe_not(x, new_node(x, NODE_IS_NULL, left, NULL), negated);
    fail_token(x, negated ? "NULL" : "NULL, or NOT NULL");
    return NULL;
}

static struct node *read_operator(struct lexer *x, const struct node *left)
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
        if (!take_operator(x, ops[i].op))
            continue;
        const char *begin = x->begin;
        struct node *right = read_sum(x);
        if (!want_value(x, right, begin))
            return NULL;
        return maybe_not(x, new_node(x, ops[i].kind, left, right), ops[i].negated);
    }
    return NULL;
}

static struct node *read_comparison(struct lexer *x)
{
    const char *begin = x->begin;
    struct node *left = read_sum(x);
    if (left == NULL)
        return NULL;
    bool negated = at_word(x, "NOT");
    bool any = x->token == T_OPERATOR && strchr("=<>!", *x->begin) != NULL;
    if (!any && !negated && !at_word(x, "IS") && !at_word(x, "IN") && !at_word(x, "LIKE"))
        return left;
    if (!want_value(x, left, begin))
        return NULL;
    if (any)
        return read_operator(x, left);
    if (take_word(x, "IS"))
        return read_is(x, left);
    if (negated)
        advance(x);
    if (take_word(x, "IN"))
        return maybe_not(x, read_in(x, left), negated);
    if (take_word(x, "LIKE"))
        return maybe_not(x, read_like(x, left), negated);
    fail_token(x, "IN, or LIKE");
    return NULL;
}

static struct node *read_not(struct lexer *x)
{
    if (!at_word(x, "NOT"))
        return read_comparison(x);
    advance(x);
    if (++x->depth > DEPTH_MAX) {
        fail_at(x, x->begin, x->n, "the expression is nested too deeply");
        return NULL;
    }
    const char *begin = x->begin;
    struct node *n = read_not(x);
    x->depth--;
    return want_predicate(x, n, begin) ? new_node(x, NODE_NOT, n, NULL) : NULL;
}

static struct node *read_logic(struct lexer *x, const char *word, enum node_kind kind,
                               struct node *(*below)(struct lexer *))
{
    const char *begin = x->begin;
    struct node *left = below(x);
    while (left && at_word(x, word)) {
        if (!want_predicate(x, left, begin))
            return NULL;
        advance(x);
        const char *right_begin = x->begin;
        struct node *right = below(x);
        if (!want_predicate(x, right, right_begin))
            return NULL;
        left = new_node(x, kind, left, right);
    }
    return left;
}

static struct node *read_and(struct lexer *x)
{
    return read_logic(x, "AND", NODE_AND, read_not);
}

static struct node *read_or(struct lexer *x)
{
    return read_logic(x, "OR", NODE_OR, read_and);
}

/* ---- whole texts ---- */

static enum sb_err begin_text(struct lexer *x, const char *text, struct sb_arena *a, struct sqlfilter **ret,
                              struct sb_error *err)
{
    size_t n = strlen(text);
    *x = (struct lexer){.text = text, .at = text, .a = a, .err = err};
    if (n == 0)
        return sb_fail(err, SB_EBADREQUEST, "The SQL expression is empty.");
    if (n > SQLFILTER_TEXT_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The SQL expression has %zu characters: at most %d are allowed.",
                       n, SQLFILTER_TEXT_MAX);
    if ((*ret = ARENA_NEW(a, struct sqlfilter)) == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a rule");
    advance(x);
    return SB_OK;
}

/* What the functions above have left in err, if they failed. */
static enum sb_err failure(const struct lexer *x)
{
    return arena_failed(x->a) ? SB_ENOMEM : SB_EBADREQUEST;
}

enum sb_err sqlfilter_compile(const char *text, struct sb_arena *a, const struct sqlfilter **ret,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct lexer x;
    struct sqlfilter *f = NULL;
    SB_TRY(begin_text(&x, text, a, &f, err));
    const char *begin = x.begin;
    f->predicate = read_or(&x);
    if (f->predicate && x.token != T_END)
        return fail_token(&x, "an operator, AND, OR or the end");
    if (!want_predicate(&x, f->predicate, begin))
        return failure(&x);
    *ret = f;
out:
    return rc;
}

static bool read_statement(struct lexer *x, struct statement *ret)
{
    bool set = take_word(x, "SET");
    ret->value = NULL;
    if (!set && !take_word(x, "REMOVE")) {
        fail_token(x, "SET, or REMOVE");
        return false;
    }
    if (!read_property(x, &ret->property))
        return false;
    if (!set)
        return true;
    if (!take_operator(x, "=")) {
        fail_token(x, "'='");
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
    struct lexer x;
    struct sqlfilter *f = NULL;
    SB_TRY(begin_text(&x, text, a, &f, err));
    struct statement *list = ARENA_ARRAY(a, struct statement, SQLFILTER_ACTIONS_MAX);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a rule");
    do {
        if (f->statements_n == SQLFILTER_ACTIONS_MAX)
            return fail_at(&x, x.begin, x.n, "an action has at most 32 statements");
        if (!read_statement(&x, &list[f->statements_n++]))
            return failure(&x);
        while (take_operator(&x, ";") || take_operator(&x, ",")) {
        }
    } while (x.token != T_END);
    f->statements = list;
    *ret = f;
out:
    return rc;
}
