/*
 * tv.h: values of the template language: what a template is read into and what its expressions give.
 *
 * A value is immutable once built and lives as long as the arena it came from, so values are shared freely: a
 * variable used a thousand times is one value. `weight` (bytes and nodes of the whole value, saturating) is
 * what keeps shared values from growing without bound: a constructor whose result would weigh more than
 * TV_WEIGHT_MAX fails. Constructors return NULL when out of memory or too heavy.
 *
 * Members of objects keep their order; a look-up tries the exact name first, then ignores case, as the
 * service's JSON dictionaries do.
 */
#ifndef SB_TEMPLATE_TV_H
#define SB_TEMPLATE_TV_H

#include "api/json.h"
#include "server/base/arena.h"

#define TV_WEIGHT_MAX (8u << 20)
#define TV_DEPTH_MAX  100u

struct expr;

enum tv_type {
    TV_NULL,
    TV_BOOL,
    TV_INT,
    TV_FLOAT,
    TV_STRING,
    TV_ARRAY,
    TV_OBJECT,
    TV_LAMBDA, /* only as an argument of the functions that take one */
    TV_TYPE_MAX
};

struct tv_member;

struct tv {
    enum tv_type type;
    bool dynamic;    /* somewhere in it is a text or a name that reads as an expression, or a copy array */
    uint16_t depth;  /* 1 for scalars and empty containers */
    uint32_t weight; /* see above */
    uint32_t n;      /* bytes of a string, elements of an array, members of an object */
    uint32_t line;   /* where its first token ends in the text it was read from; 0: it was computed */
    uint32_t column; /* characters of that line up to there, as the service counts */
    union {
        bool b;
        int64_t i;
        double d;
        const char *s; /* NUL-terminated, no NUL inside */
        const struct tv *const *items;
        const struct tv_member *members;
        const struct expr *lambda;
    } u;
    const uint32_t *index; /* hash of the lowered names -> member + 1, of big objects */
    struct tv_slot *slot;  /* of a dynamic string: where the evaluator keeps what it parsed */
};

struct tv_slot {
    const struct expr *expr;
    uint64_t session; /* in whose arena it is: no other may use it */
};

struct tv_member {
    const char *key;
    uint32_t line, column; /* behind the name and its colon */
    const struct tv *value;
};

const struct tv *tv_null(void);
const struct tv *tv_bool(bool b);
const struct tv *tv_int(struct sb_arena *a, int64_t i);
const struct tv *tv_float(struct sb_arena *a, double d);
/* "[…]": an expression where it stands for one; also of names. */
bool tv_reads_as_expression(const char *s, size_t n);
/* s is copied. */
const struct tv *tv_string(struct sb_arena *a, const char *s);
const struct tv *tv_stringn(struct sb_arena *a, const char *s, size_t n);
/* s is borrowed and must live as long as the arena. */
const struct tv *tv_string_own(struct sb_arena *a, const char *s, size_t n);
/* items is borrowed likewise. */
const struct tv *tv_array(struct sb_arena *a, const struct tv *const *items, size_t n);
/* members is borrowed; names are unique. */
const struct tv *tv_object(struct sb_arena *a, const struct tv_member *members, size_t n);
const struct tv *tv_lambda(struct sb_arena *a, const struct expr *e);
/* The same value, standing somewhere in a text. NULL in, NULL out. */
const struct tv *tv_at(struct sb_arena *a, const struct tv *v, uint32_t line, uint32_t column);

/* NULL: not an object, or no such member. */
const struct tv *tv_get(const struct tv *o, const char *key);
const struct tv_member *tv_member(const struct tv *o, const char *key);
const struct tv *tv_getn(const struct tv *o, const char *key, size_t n);
/* "a.b.c" */
const struct tv *tv_path(const struct tv *o, const char *path);
/* Text of a string, else NULL (also for v NULL). */
const char *tv_text(const struct tv *v);
static inline bool tv_is(const struct tv *v, enum tv_type type)
{
    return v && v->type == type;
}

/* Deep equality; numbers by value, strings by `ignore_case`. Each pair looked at takes one from *steps; false
 * when they run out. */
bool tv_equal(const struct tv *a, const struct tv *b, bool ignore_case, uint64_t *steps);

/* "Integer", "String", … as the service names JSON types in its messages. */
const char *tv_type_name(enum tv_type type);

/* From JSON that was read strictly. NULL: out of memory or too heavy. */
const struct tv *tv_from_json(struct sb_arena *a, const struct json *j);
/* Appends the value under key (NULL inside arrays). TV_DEPTH_MAX bounds the recursion. */
void tv_write(struct jw *w, const char *key, const struct tv *v);
/* Compact JSON text, in the arena; NULL: too long. */
char *tv_print(struct sb_arena *a, const struct tv *v, size_t *ret_n);

/* Grows arrays of pointers or members while a container is built. */
struct tv_list {
    const struct tv **items;
    size_t n, cap;
};
bool tv_push(struct sb_arena *a, struct tv_list *l, const struct tv *v); /* false: no memory, or v NULL */
struct tv_fields {
    struct tv_member *items;
    size_t n, cap;
};
bool tv_put(struct sb_arena *a, struct tv_fields *f, const char *key, const struct tv *v);
/* Replaces the member of exactly that name, or appends it. */
bool tv_set(struct sb_arena *a, struct tv_fields *f, const char *key, const struct tv *v);

#endif
