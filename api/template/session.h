/* session.h: what the files of this folder share: the session, the evaluator, how failures are made. */
#ifndef SB_TEMPLATE_SESSION_H
#define SB_TEMPLATE_SESSION_H

#include "api/template/fn.h"
#include "api/template/template.h"

enum memo_state {
    MEMO_NEW,
    MEMO_BUSY, /* being evaluated: meeting it again is a cycle */
    MEMO_DONE,
};

struct parameter {
    struct tmpl_parameter shown;
    const struct tv *declaration;
    const struct tv *given; /* NULL: default or null */
    bool failed;            /* t->fault says why */
    enum memo_state state;
};

struct variable {
    const char *name;
    const struct tv *source; /* as written, or the {name, count, input} of a copy */
    bool copy;
    const struct tv *value;
    enum memo_state state;
};

struct user_fn {
    const char *space, *name;
    const struct tv *parameters; /* array of {name, type}, or NULL */
    const struct tv *output;     /* {type, value} */
};

struct planned {
    struct tmpl_resource shown;
    const struct frame *copies; /* the loops it stands in */
};

struct loop { /* a resource copy loop: what dependsOn may name */
    const char *name, *symbol;
    struct tmpl_range members;
};

struct resources {
    struct planned *all;
    size_t n, cap;
    struct loop *loops;
    size_t loops_n, loops_cap;
    size_t *order;
    const struct tv *by_id, *by_name, *by_symbol; /* name -> integer index; by_name: "name" and "type/name" */
};

struct tmpl {
    struct sb_arena *a;
    uint64_t serial; /* no two sessions have the same */
    struct tmpl_world world;
    struct tmpl_fault fault;
    const char *why; /* of the evaluator's last failure, without a frame; NULL: memory */
    uint64_t steps;  /* left */
    unsigned depth;

    const struct tv *template;
    bool symbolic; /* languageVersion 2.0: resources is an object */
    const struct tv *definitions;
    struct parameter *parameters;
    size_t parameters_n;
    struct tmpl_parameter *shown; /* of tmpl_parameters */
    struct variable *variables;
    size_t variables_n;
    const struct tv *parameter_index, *variable_index; /* name -> integer */
    struct user_fn *functions;
    size_t functions_n;
    struct resources r;
    const char *hash;
};

/* A name that is only known inside: a copy loop's index, a lambda's variable. */
struct frame {
    const struct frame *up;
    const char *name; /* NULL: none */
    const struct tv *value;
};

/* Where the evaluator stands. On the caller's stack; copied for inner places. */
struct eval {
    struct tmpl *t;
    unsigned where;             /* AT_… */
    bool before;                /* what needs run time is left as written */
    bool keep_copy;             /* inside the template of an outer-scoped nested deployment */
    bool postponed;             /* set when something needed run time */
    const struct frame *copies; /* innermost first; value is the index */
    const struct frame *lambdas;
    const struct user_fn *inside;
    const struct tv *const *inside_args;
    const struct tmpl_resource *resource; /* whose body it is */
};

/* ---- eval.c ---- */
/* A node of the template with its expressions replaced. Nothing dynamic in it: the node itself. NULL: failed.
 */
const struct tv *eval_value(struct eval *ev, const struct tv *v);
/* Like eval_value, and the result is of that type, else "… expected 'String' …". */
const struct tv *eval_expr(struct eval *ev, const struct expr *e);
const struct tv *eval_fail(struct eval *ev, const char *fmt, ...) SB_PRINTF(2, 3);
/* Checks for memory: v NULL without a reason becomes a failure. Returns v. */
const struct tv *eval_made(struct eval *ev, const struct tv *v);
/* Takes n steps; false (failed) when they run out. */
bool eval_spend(struct eval *ev, uint64_t n);
const struct tv *eval_postpone(struct eval *ev);
/* Calls a lambda with n values. */
const struct tv *eval_lambda(struct eval *ev, const struct tv *lambda, const struct tv *const *values,
                             size_t n);
/* The parsed expression of a dynamic string; NULL: it is text, *ret_text (with [[ resolved), or failed. */
const struct expr *eval_parsed(struct eval *ev, const struct tv *v, const struct tv **ret_text);
/* Copy arrays of an object: {name, count, input}; the expanded array. */
const struct tv *eval_copy(struct eval *ev, const struct tv *loop);
/* The count of a copy loop, checked. -1: failed. */
int64_t eval_copy_count(struct eval *ev, const struct tv *loop);
/* v as text, as string() gives it. */
const struct tv *text_value(struct eval *ev, const struct tv *v);
/* What a buffer holds, as a value; the buffer is given back. */
const struct tv *text_from(struct eval *ev, struct sb_buf *b);
/* Text read as JSON, as json() does. */
const struct tv *json_value(struct fn_call *c, const char *text, size_t n);
#define EVAL_ARENA(ev) ((ev)->t->a)

/* ---- params.c ---- */
enum sb_err params_load(struct tmpl *t, const struct tv *given, struct sb_error *err);
/* Its value, from the caller or by default. NULL: failed, or no such parameter. */
const struct tv *params_get(struct eval *ev, const char *name);

/* ---- sections.c: variables, functions, definitions ---- */
enum sb_err sections_load(struct tmpl *t, struct sb_error *err);
const struct tv *sections_variable(struct eval *ev, const char *name);
enum sb_err sections_assert(struct tmpl *t, struct sb_error *err);
/* The section, which must be an object when it is there: *ret NULL if it is absent. */
enum sb_err sections_object(struct tmpl *t, const char *name, const struct tv **ret, struct sb_error *err);
/* "properties.template.SECTION.NAME" */
const char *sections_path(struct tmpl *t, const char *section, const char *name);

/* ---- types.c ---- */
/* What the $refs of a declaration lead to. NULL: failed (t->why). */
const struct tv *types_resolve(struct tmpl *t, const struct tv *declaration);
/* A member of the declaration, or of what its $refs lead to: the nearest. NULL: none. */
const struct tv *types_facet(struct tmpl *t, const struct tv *declaration, const char *key);
/* The type that v should have, in the service's words; NULL: it has it. */
const char *types_misfit(struct tmpl *t, const struct tv *declaration, const struct tv *v);
bool types_allowed(struct tmpl *t, const struct tv *declaration, const struct tv *v);
bool types_nullable(struct tmpl *t, const struct tv *declaration);
/* The whole check; false: t->why says what is wrong. what: the name to put into that. */
bool types_check(struct tmpl *t, const struct tv *declaration, const struct tv *v, const char *what);
/* "securestring" -> "SecureString"; NULL: no such type. ret_secure may be NULL. */
const char *types_shown(const char *type, bool *ret_secure);

/* ---- plan.c, depends.c, order.c, ids.c ---- */
enum sb_err plan_resources(struct tmpl *t, struct sb_error *err);
/* The eval in which a resource's expressions stand. */
struct eval plan_eval(struct tmpl *t, const struct tmpl_resource *r, unsigned where);
/* Why: the evaluator's reason, made a failure of that resource. */
enum sb_err plan_fault(struct tmpl *t, const struct tmpl_resource *r, struct sb_error *err);
enum sb_err depends_resources(struct tmpl *t, struct sb_error *err);
/* What text means as a dependency: symbolic name, copy loop, name, type/name or id. n = 0: nothing. */
struct tmpl_range depends_find(const struct tmpl *t, const char *text);
enum sb_err order_resources(struct tmpl *t, struct sb_error *err);
/* The full id of type and name below scope. NULL: segments do not fit, or memory. */
char *ids_join(struct sb_arena *a, const char *scope, const char *type, const char *name);
/* The scope that the template deploys to, as an id ("" for a tenant). */
const char *ids_scope(const struct tmpl *t);
/* group NULL: the subscription. */
char *ids_group(struct sb_arena *a, const char *subscription, const char *group);
size_t ids_segments(const char *s); /* how many, split at '/' */
/* Does a nested deployment evaluate its template itself (expressionEvaluationOptions.scope)? */
bool nested_is_inner(const struct tv *source);

/* ---- secret.c ---- */
/* Is v the value of a secure parameter, a part of it, or a text that holds such a text? */
bool secret_is(struct tmpl *t, const struct tv *v);

/* ---- fault.c: failures with the service's texts ---- */
enum fault_id {
    FAULT_MEMORY,             /* why */
    FAULT_READ,               /* message, path */
    FAULT_SECTION,            /* section, expected type, actual type */
    FAULT_MISSING,            /* section */
    FAULT_LIMIT,              /* what, limit, actual */
    FAULT_PARAM_MISSING,      /* name */
    FAULT_PARAM_UNKNOWN,      /* names, known names */
    FAULT_PARAM_ALLOWED,      /* name, " 'value'" or "", allowed */
    FAULT_PARAM_TYPE,         /* expected, actual */
    FAULT_PARAM_INVALID,      /* name, why */
    FAULT_PARAM_SECRET,       /* name, why */
    FAULT_PARAM_VAULT,        /* the vault's id */
    FAULT_PARAM_DENIED,       /* why */
    FAULT_VARIABLE,           /* name, why */
    FAULT_RESOURCE,           /* name, why */
    FAULT_RESOURCE_FIELD,     /* name, field */
    FAULT_SEGMENTS,           /* name, type */
    FAULT_TWICE,              /* id */
    FAULT_UNKNOWN_DEPENDENCY, /* name */
    FAULT_CYCLE,              /* id */
    FAULT_COPY,               /* why */
    FAULT_BATCH,              /* count */
    FAULT_FUNCTION,           /* name, why */
    FAULT_OUTPUT,             /* name, why */
    FAULT_OUTPUT_CHECK,       /* name, why */
    FAULT_BODY,               /* id, why */
    FAULT_ASSERT,             /* names */
    FAULT_NESTED,             /* name, why */
    FAULT_ID_MAX
};
/* Where in the template a failure stands; NULL: it has no place. */
struct fault_place {
    const char *path;
    uint32_t line, column;
};
/* Fills t->fault from the table's row, with its values (NULL behind the last). Returns SB_ETEMPLATE, or
 * SB_ENOMEM. */
enum sb_err fault_set(struct tmpl *t, struct sb_error *err, const struct fault_place *place, enum fault_id id,
                      const char *const *values);
#define FAULT(t, err, place, id, ...)                                                                        \
    fault_set((t), (err), (place), (id), (const char *const[]){__VA_ARGS__, NULL})
/* The evaluator's reason; it is taken (the next failure starts anew). */
const char *fault_why(struct tmpl *t);

#endif
