/* expr.c: lexer and parser of template expressions. Recursion is bounded by TMPL_NEST_MAX. */
#include "api/template/expr.h"
#include <stdio.h>
#include <string.h>
#include "api/template/fn.h"
#include "api/template/limits.h"

enum token {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACKET,
    TOKEN_SAFE_BRACKET, /* [? */
    TOKEN_RIGHT_BRACKET,
    TOKEN_COMMA,
    TOKEN_DOT,
    TOKEN_SAFE_DOT, /* .? */
    TOKEN_MAX
};

/* As the service names them in its messages. */
static const char *const token_names[TOKEN_MAX] = {
    [TOKEN_END] = "EndOfData",
    [TOKEN_NAME] = "Identifier",
    [TOKEN_STRING] = "StringLiteral",
    [TOKEN_NUMBER] = "Integer",
    [TOKEN_LEFT_PAREN] = "LeftParenthesis",
    [TOKEN_RIGHT_PAREN] = "RightParenthesis",
    [TOKEN_LEFT_BRACKET] = "LeftSquareBracket",
    [TOKEN_SAFE_BRACKET] = "LeftSquareBracket",
    [TOKEN_RIGHT_BRACKET] = "RightSquareBracket",
    [TOKEN_COMMA] = "Comma",
    [TOKEN_DOT] = "Dot",
    [TOKEN_SAFE_DOT] = "Dot",
};

struct parser {
    struct sb_arena *a;
    const char *text, *p, *end;
    enum token token;       /* the one at hand */
    const char *start;      /* where it begins */
    const struct tv *value; /* of a string or number */
    unsigned depth;
    const char *why;
};

static const struct expr *fail(struct parser *s, const char *fmt, ...) SB_PRINTF(2, 3);
static const struct expr *fail(struct parser *s, const char *fmt, ...)
{
    if (!s->why) {
        va_list ap;
        va_start(ap, fmt);
        s->why = arena_vprintf(s->a, fmt, ap);
        va_end(ap);
    }
    return NULL;
}

/* The expression as messages quote it: not all of a long one. */
static int quoted_length(const struct parser *s)
{
    ptrdiff_t n = SB_MIN(s->end - s->text, 256);
    while (n > 0 && n < s->end - s->text && ((unsigned char)s->text[n] & 0xc0) == 0x80)
        n--; /* no half characters */
    return (int)n;
}

/* ---- tokens ---- */

static bool name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool string_token(struct parser *s)
{
    const char *from = ++s->p;
    while (s->p < s->end && (*s->p != '\'' || (s->p + 1 < s->end && s->p[1] == '\'')))
        s->p += *s->p == '\'' ? 2 : 1;
    if (s->p >= s->end) {
        fail(s,
             "The language expression '%.*s' is not valid: the string literal that begins at position '%zu' "
             "is "
             "not terminated.",
             quoted_length(s), s->text, (size_t)(from - 1 - s->text));
        return false;
    }
    char *dst = arena_alloc(s->a, (size_t)(s->p - from) + 1);
    size_t n = 0;
    for (const char *c = from; dst && c < s->p; c++) {
        dst[n++] = *c;
        c += *c == '\'';
    }
    s->p++;
    s->value = tv_string_own(s->a, dst, n);
    return s->value != NULL;
}

static bool number_token(struct parser *s)
{
    const char *from = s->p;
    struct json *j = NULL;
    int64_t i = 0;
    s->p += *s->p == '-' || *s->p == '+';
    while (s->p < s->end && (digit(*s->p) || (*s->p == '.' && s->p + 1 < s->end && digit(s->p[1]))))
        s->p++;
    char *text = arena_strndup(s->a, from + (*from == '+'), (size_t)(s->p - from) - (*from == '+'));
    if (!text)
        return false;
    if (json_parse(text, strlen(text), &j, NULL) != SB_OK) {
        fail(s, "The language expression '%.*s' is not valid: '%.40s' is not a number.", quoted_length(s),
             s->text, text);
        return false;
    }
    s->value = json_i64(j, &i) && !strchr(text, '.') ? tv_int(s->a, i) : tv_float(s->a, json_double(j));
    json_free(j);
    return s->value != NULL;
}

/* Moves to the next token; false: failed. */
static bool next(struct parser *s)
{
    static const char marks[] = "()[],.";
    static const enum token mark_tokens[] = {TOKEN_LEFT_PAREN,    TOKEN_RIGHT_PAREN, TOKEN_LEFT_BRACKET,
                                             TOKEN_RIGHT_BRACKET, TOKEN_COMMA,       TOKEN_DOT};
    while (s->p < s->end && strchr(" \t\r\n", *s->p))
        s->p++;
    s->start = s->p;
    if (s->p == s->end) {
        s->token = TOKEN_END;
        return true;
    }
    if (name_start(*s->p)) {
        while (s->p < s->end && (name_start(*s->p) || digit(*s->p)))
            s->p++;
        s->token = TOKEN_NAME;
        return true;
    }
    if (*s->p == '\'') {
        s->token = TOKEN_STRING;
        return string_token(s);
    }
    if (digit(*s->p) || ((*s->p == '-' || *s->p == '+') && s->p + 1 < s->end && digit(s->p[1]))) {
        s->token = TOKEN_NUMBER;
        return number_token(s);
    }
    const char *mark = strchr(marks, *s->p);
    if (!mark) {
        fail(
            s,
            "The language expression '%.*s' is not valid: the string character '%c' at position '%zu' is not "
            "expected.",
            quoted_length(s), s->text, (unsigned char)*s->p < 0x7f ? *s->p : '?', (size_t)(s->p - s->text));
        return false;
    }
    s->token = mark_tokens[mark - marks];
    s->p++;
    if (s->p < s->end && *s->p == '?' && (s->token == TOKEN_DOT || s->token == TOKEN_LEFT_BRACKET)) {
        s->token = s->token == TOKEN_DOT ? TOKEN_SAFE_DOT : TOKEN_SAFE_BRACKET;
        s->p++;
    }
    return true;
}

static bool expect(struct parser *s, enum token token)
{
    if (s->token == token)
        return next(s);
    fail(s, "Unable to parse language expression '%.*s': expected token '%s' and actual '%s'.",
         quoted_length(s), s->text, token_names[token], token_names[s->token]);
    return false;
}

/* ---- grammar ---- */

static const struct expr *expression(struct parser *s);

static struct expr *node(struct parser *s, enum expr_kind kind)
{
    struct expr *e = ARENA_NEW(s->a, struct expr);
    if (e)
        *e = (struct expr){.kind = kind};
    return e;
}

/* The name at hand, taken; NULL: failed. */
static const char *name(struct parser *s)
{
    const char *start = s->start;
    size_t n = (size_t)(s->p - start);
    return expect(s, TOKEN_NAME) ? arena_strndup(s->a, start, n) : NULL;
}

static bool add(struct parser *s, struct expr *e, size_t *cap, const struct expr *arg)
{
    if (!arg)
        return false;
    if (e->n == *cap) {
        *cap = *cap ? *cap * 2 : 4;
        const struct expr **args = ARENA_ARRAY(s->a, const struct expr *, *cap);
        if (!args)
            return false;
        if (e->n > 0)
            memcpy(args, e->args, e->n * sizeof *args);
        e->args = args;
    }
    e->args[e->n++] = arg;
    return true;
}

/* name(…) or space.name(…) */
static const struct expr *call(struct parser *s)
{
    size_t cap = 0;
    struct expr *e = node(s, EXPR_CALL);
    if (!e || !(e->name = name(s)))
        return NULL;
    if (s->token == TOKEN_DOT) {
        e->space = e->name;
        if (!next(s) || !(e->name = name(s)))
            return NULL;
    }
    if (!expect(s, TOKEN_LEFT_PAREN))
        return NULL;
    while (s->token != TOKEN_RIGHT_PAREN) {
        if ((e->n > 0 && !expect(s, TOKEN_COMMA)) || !add(s, e, &cap, expression(s)))
            return NULL;
    }
    if (!e->space)
        e->fn = fn_find(e->name);
    return next(s) ? e : NULL;
}

/* What may follow a call: members and indexes. A chain is as deep for the evaluator as nested brackets are.
 */
static const struct expr *postfix(struct parser *s, const struct expr *base)
{
    unsigned links = 0;
    while (base && (s->token == TOKEN_DOT || s->token == TOKEN_SAFE_DOT || s->token == TOKEN_LEFT_BRACKET ||
                    s->token == TOKEN_SAFE_BRACKET)) {
        bool dot = s->token == TOKEN_DOT || s->token == TOKEN_SAFE_DOT;
        size_t cap = 0;
        struct expr *e = node(s, dot ? EXPR_MEMBER : EXPR_INDEX);
        if (!e || !add(s, e, &cap, base))
            return NULL;
        e->safe = s->token == TOKEN_SAFE_DOT || s->token == TOKEN_SAFE_BRACKET;
        if (++links > TMPL_NEST_MAX)
            return fail(s, "The language expression is nested too deeply: at most '%u' levels are allowed.",
                        TMPL_NEST_MAX);
        if (!next(s))
            return NULL;
        if (dot && !(e->name = name(s)))
            return NULL;
        if (!dot && (!add(s, e, &cap, expression(s)) || !expect(s, TOKEN_RIGHT_BRACKET)))
            return NULL;
        base = e;
    }
    return base;
}

static const struct expr *expression(struct parser *s)
{
    const struct expr *e = NULL;
    if (++s->depth > TMPL_NEST_MAX)
        return fail(s, "The language expression is nested too deeply: at most '%u' levels are allowed.",
                    TMPL_NEST_MAX);
    if (s->token == TOKEN_STRING || s->token == TOKEN_NUMBER) {
        struct expr *literal = node(s, EXPR_LITERAL);
        if (literal)
            literal->literal = s->value;
        e = literal && next(s) ? literal : NULL;
    } else {
        e = postfix(s, call(s));
    }
    s->depth--;
    return e;
}

const struct expr *expr_parse(struct sb_arena *a, const char *text, size_t n, const char **ret_why)
{
    struct parser s = {.a = a, .text = text, .p = text, .end = text + n};
    *ret_why = NULL;
    if (n > TMPL_EXPRESSION_MAX) {
        *ret_why =
            arena_printf(a, "The language expression length limit exceeded. Limit: '%u' and actual: '%zu'.",
                         TMPL_EXPRESSION_MAX, n);
        return NULL;
    }
    const struct expr *e = next(&s) ? expression(&s) : NULL;
    if (e && !expect(&s, TOKEN_END))
        e = NULL;
    if (!e)
        *ret_why = s.why;
    return e;
}
