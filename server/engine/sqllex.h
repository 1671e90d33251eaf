/* sqllex.h: a lexer with one token in front, for sqlfilter.c alone. Text is in the arena that the lexer was
 * begun with. */
#ifndef SB_SQLLEX_H
#define SB_SQLLEX_H

#include <stdbool.h>
#include "server/engine/amqpmsg.h"

enum sqllex_token {
    T_END,
    T_NUMBER,
    T_STRING,
    T_NAME,     /* plain */
    T_QUOTED,   /* [x] or "x" */
    T_PARAM,    /* @x */
    T_OPERATOR, /* one of the list in sqllex.c */
    T_BAD
};

struct sqllex {
    const char *text, *at;
    struct sb_arena *a;
    struct sb_error *err;
    int depth; /* of nested parentheses and prefixes: the parser's */
    /* the token in front */
    enum sqllex_token token;
    const char *begin; /* in the text */
    size_t n;
    const char *word; /* STRING, QUOTED: unescaped; NAME, PARAM: as written */
    struct amqp_value number;
};

/* The next token comes in front: first of all, and whenever one was understood. */
void sqllex_next(struct sqllex *x);
bool sqllex_at_operator(const struct sqllex *x, const char *op);
bool sqllex_at_word(const struct sqllex *x, const char *word); /* case ignored */
/* Goes on if it is there. */
bool sqllex_take_operator(struct sqllex *x, const char *op);
bool sqllex_take_word(struct sqllex *x, const char *word);

/* SB_EBADREQUEST with line, column and the n bytes at begin, a place in the text. */
enum sb_err sqllex_fail_at(struct sqllex *x, const char *begin, size_t n, const char *details);
/* The token in front is not what was expected; SB_ENOMEM when it is the arena that has failed. */
enum sb_err sqllex_fail_token(struct sqllex *x, const char *expected);

#endif
