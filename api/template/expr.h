/*
 * expr.h: the text between the brackets of "[…]" as a tree.
 *
 *     expression := literal | call postfix*            literal := 'text, '' is a quote' | integer | decimal
 *     call       := name ( '.' name )? '(' [expression (',' expression)*] ')'    the dotted name: user's own
 *     postfix    := '.' name | '[' expression ']' | '.?' name | '[?' expression ']'
 *
 * Names ignore case. Blanks are free outside of quotes.
 */
#ifndef SB_TEMPLATE_EXPR_H
#define SB_TEMPLATE_EXPR_H

#include "api/template/tv.h"

enum expr_kind {
    EXPR_LITERAL,
    EXPR_CALL,
    EXPR_MEMBER, /* args[0] . name */
    EXPR_INDEX,  /* args[0] [ args[1] ] */
};

struct fn;

struct expr {
    enum expr_kind kind;
    bool safe;         /* null instead of an error when there is nothing there */
    const char *space; /* namespace of a user's function, or NULL */
    const char *name;  /* of the function or member */
    const struct tv *literal;
    const struct expr **args;
    size_t n;
    const struct fn *fn; /* of a call of a built-in function; NULL: no such function */
};

/* text: what stands between the outer brackets. NULL: *ret_why is the message (in the arena; NULL: memory).
 */
const struct expr *expr_parse(struct sb_arena *a, const char *text, size_t n, const char **ret_why);

#endif
