/* sqlfilter_priv.h: the compiled form of filters and actions, for sqlfilter*.c alone. */
#ifndef SB_SQLFILTER_PRIV_H
#define SB_SQLFILTER_PRIV_H

#include <stdbool.h>
#include "server/engine/sqlfilter.h"

enum node_kind {
    /* values */
    NODE_CONST,
    NODE_PROPERTY,
    NODE_NAMED, /* property(expression): a name known only when it is evaluated */
    NODE_NEWID,
    NODE_NEGATE,
    NODE_ADD,
    NODE_SUBTRACT,
    NODE_MULTIPLY,
    NODE_DIVIDE,
    NODE_MODULO,
    /* predicates */
    NODE_EQUAL,
    NODE_LESS,
    NODE_GREATER,
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_IS_NULL,
    NODE_EXISTS,
    NODE_IN,
    NODE_LIKE
};

struct property {
    int sys;          /* index of the system property, or -1: the user's */
    const char *name; /* of a user's property */
};

struct node {
    enum node_kind kind;
    struct amqp_value value;   /* CONST */
    struct property property;  /* PROPERTY, EXISTS */
    const struct node *a, *b;  /* operands */
    const struct node *escape; /* LIKE, or NULL */
    const struct node *next;   /* in the list of IN: b is its head */
};

struct statement {
    struct property property;
    const struct node *value; /* NULL: REMOVE */
};

struct sqlfilter {
    const struct node *predicate; /* of a filter */
    const struct statement *statements;
    size_t statements_n;
};

/* Index of a system property that rules may use (case ignored), or -1. */
int sqlfilter_sys(const char *name);

#endif
