/* sqllex.c: the words of SQL filters and actions, and where one of them is wrong. */
#include "server/engine/sqllex.h"
#include <stdio.h>
#include <string.h>
#include "server/base/text.h"

#define SHOWN_MAX 60 /* bytes of the text that an error shows */

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
static const char *read_quoted(struct sqllex *x, char close)
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
static bool read_number(struct sqllex *x)
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

static enum sqllex_token scan(struct sqllex *x)
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

void sqllex_next(struct sqllex *x)
{
    x->at += strspn(x->at, " \t\r\n");
    x->begin = x->at;
    x->token = scan(x);
    x->n = (size_t)(x->at - x->begin);
}

/* ---- what is wrong, and where ---- */

enum sb_err sqllex_fail_at(struct sqllex *x, const char *begin, size_t n, const char *details)
{
    int line = 1, column = 1;
    for (const char *p = x->text; p < begin; p++) {
        column = *p == '\n' ? 1 : column + !inside_letter(*p);
        line += *p == '\n';
    }
    size_t shown = SB_MIN(n, (size_t)SHOWN_MAX);
    while (shown > 0 && inside_letter(begin[shown]))
        shown--;
    return sb_fail(x->err, SB_EBADREQUEST,
                   "There was an error parsing the SQL expression. [Token line=%d, column=%d, Token in "
                   "error=%.*s, Additional details= %s]",
                   line, column, (int)shown, begin, details);
}

enum sb_err sqllex_fail_token(struct sqllex *x, const char *expected)
{
    char details[200];
    if (arena_failed(x->a))
        return sb_fail(x->err, SB_ENOMEM, "out of memory reading a rule");
    const char *what = x->token == T_END ? "end of the expression" : x->token == T_BAD ? "text" : "token";
    (void)snprintf(details, sizeof details, "syntax error, unexpected %s, expecting %s", what, expected);
    return sqllex_fail_at(x, x->begin, x->n, details);
}

/* ---- small steps ---- */

bool sqllex_at_operator(const struct sqllex *x, const char *op)
{
    return x->token == T_OPERATOR && strlen(op) == x->n && memcmp(x->begin, op, x->n) == 0;
}

bool sqllex_at_word(const struct sqllex *x, const char *word)
{
    return x->token == T_NAME && text_ieq(x->word, word);
}

bool sqllex_take_operator(struct sqllex *x, const char *op)
{
    if (!sqllex_at_operator(x, op))
        return false;
    sqllex_next(x);
    return true;
}

bool sqllex_take_word(struct sqllex *x, const char *word)
{
    if (!sqllex_at_word(x, word))
        return false;
    sqllex_next(x);
    return true;
}
