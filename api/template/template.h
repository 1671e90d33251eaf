/*
 * template.h: Azure Resource Manager templates: read, checked, expanded, ordered, evaluated. A pure module:
 * no sockets, no engine, no HTTP; what it must ask the outside is a callback of struct tmpl_world.
 *
 * How the deployments resource uses it:
 *
 *     tmpl_new(&world, &t)                 one session per deployment (or validate, what-if)
 *     tmpl_read(t, text, n, &body)         the lenient JSON that az sends -> a value; line and column kept
 *     tmpl_load(t, template, parameters)   checks, parameters, resources expanded, dependencies, order
 *     for k < tmpl_count(t):               in an order in which every dependency comes first
 *         r = tmpl_at(t, k)                type, name, id, condition, existing, dependencies …
 *         tmpl_body(t, r, TMPL_RUN, &v)    what to PUT; reference() and list…() ask the world now
 *         tmpl_nested(t, r, &n)            for Microsoft.Resources/deployments: load n.template in a session
 *                                          of its own with n's scope, mode and parameters
 *     tmpl_outputs(t, …)                   at the end
 *     tmpl_free(t)
 *
 * Failure: every function returns SB_ETEMPLATE (or SB_ENOMEM) and leaves its ret_ outputs alone; err->detail
 * holds the beginning of the message, tmpl_fault the whole of it with code, line, position and path. Messages
 * are the service's own where a source has them (fault.c); they never hold the value of a secure parameter.
 *
 * Ownership: everything that comes out lives until tmpl_free. The world and the texts given to tmpl_read must
 * outlive the session, too. A session belongs to one thread at a time; nothing is shared between sessions.
 *
 * Bounds (template/limits.h): memory, steps, depth and counts of a session are limited, so that a hostile
 * template is refused quickly, whatever it asks for.
 */
#ifndef SB_TEMPLATE_H
#define SB_TEMPLATE_H

#include "api/template/limits.h"
#include "api/template/tv.h"

enum tmpl_scope {
    TMPL_GROUP,
    TMPL_SUBSCRIPTION,
    TMPL_MANAGEMENT_GROUP,
    TMPL_TENANT,
};

/* What is known around a template, and how it asks for the rest. Texts are borrowed. Callbacks may be NULL: a
 * template that needs one is refused then. They get the arena for what they return, return SB_OK or an error
 * with a detail that becomes the message, and must not call back into the session. */
struct tmpl_world {
    enum tmpl_scope scope;
    const char *subscription_id; /* group and subscription scope */
    const char *group_name;      /* group scope */
    const char *management_group;
    /* What subscription(), resourceGroup(), tenant(), managementGroup(), environment() and deployer() give;
     * NULL: the least that is true (ids and names). Build with tv_object or tv_from_json in an arena that
     * outlives the session. */
    const struct tv *subscription, *group, *tenant, *management, *environment, *deployer;
    const char *tenant_id;
    const char *deployment_name;
    const char *location;     /* of the deployment; NULL at group scope */
    const char *mode;         /* "Incremental" or "Complete", for deployment() */
    const char *template_uri; /* deployment().properties.templateLink.uri; NULL: sent as content */
    int64_t now_ms;           /* the emulator's time, for utcNow() */

    void *cookie;
    /* A version-4 GUID, 36 characters and NUL, for newGuid(). */
    void (*new_guid)(void *cookie, char dst[37]);
    /* The resource as GET shows it. id is a full resource id; api_version NULL: the newest. full: the whole
     * object, else its properties. */
    enum sb_err (*reference)(void *cookie, struct sb_arena *a, const char *id, const char *api_version,
                             bool full, const struct tv **ret, struct sb_error *err);
    /* POST id/function ("listKeys"); body may be NULL. */
    enum sb_err (*list)(void *cookie, struct sb_arena *a, const char *function, const char *id,
                        const char *api_version, const struct tv *body, const struct tv **ret,
                        struct sb_error *err);
    /* providers(namespace[, type]): type NULL: all types. */
    enum sb_err (*providers)(void *cookie, struct sb_arena *a, const char *space, const char *type,
                             const struct tv **ret, struct sb_error *err);
    /* The value of a secret for a parameter reference; version NULL: the current one. SB_ENOVAULT and
     * SB_EDENIED get codes of their own. */
    enum sb_err (*secret)(void *cookie, struct sb_arena *a, const char *vault_id, const char *name,
                          const char *version, const char **ret, struct sb_error *err);
};

struct tmpl;

/* What was wrong, in the service's shape. has_place: additionalInfo TemplateViolation belongs to it. */
struct tmpl_fault {
    const char *code; /* "InvalidTemplate", "InvalidRequestContent", "DeploymentOutputEvaluationFailed", … */
    const char *message; /* whole sentence(s), as the error's message */
    bool has_place;
    uint32_t line, position;
    const char *path; /* "properties.template.parameters.x"; "" when unknown */
};

/* world is borrowed and copied shallowly. */
SB_MUST enum sb_err tmpl_new(const struct tmpl_world *world, struct tmpl **ret, struct sb_error *err);
/* Before tmpl_load: when what the body says (mode, location) belongs to the world. */
void tmpl_set_world(struct tmpl *t, const struct tmpl_world *world);
void tmpl_free(struct tmpl *t); /* wipes; NULL is ok */
/* Of the last failure; never NULL, its texts never NULL. */
const struct tmpl_fault *tmpl_fault(const struct tmpl *t);
struct sb_arena *tmpl_arena(struct tmpl *t);

/* The lenient JSON that the deployments resource accepts, and nothing else does: comments, names without or
 * with single quotes, strings over several lines, trailing commas. Everything else is as strict as json.h.
 * Error: InvalidRequestContent with path, line and position. */
SB_MUST enum sb_err tmpl_read(struct tmpl *t, const char *text, size_t n, const struct tv **ret,
                              struct sb_error *err);

/* Checks the template and the parameters ({name: {value | reference}}, or NULL: none; a whole parameters file
 * is taken apart, too), expands resources and puts them in order. May ask world->secret. */
SB_MUST enum sb_err tmpl_load(struct tmpl *t, const struct tv *template, const struct tv *parameters,
                              struct sb_error *err);

/* Consecutive resources, by tmpl_resource.index. */
struct tmpl_range {
    size_t first, n;
};

struct tmpl_resource {
    size_t index;       /* in declaration order, copies and nested children in place */
    const char *symbol; /* its symbolic name (languageVersion 2.0), "name[3]" in a copy; else NULL */
    const char *type;   /* "Microsoft.ServiceBus/namespaces/queues", whole */
    const char *name;   /* "ns/queue", whole */
    const char *api_version;
    const char *id;       /* full resource id */
    const char *scope_id; /* the id below which it lives: group, subscription, "" = tenant, or a resource */
    const char *location; /* NULL: none, or only known at run time */
    bool existing;        /* only looked at, never written */
    bool condition;       /* false: not deployed; its dependants go on */
    bool deployment;      /* a nested Microsoft.Resources/deployments: see tmpl_nested */
    const char *copy;     /* name of the copy loop it came from, or NULL */
    size_t copy_index;
    size_t batch; /* which batch of a serial loop; 0 otherwise */
    /* What must be done before it: dependsOn, symbolic and reference() dependencies, earlier batches. Ranges
     * of indexes; deployments that run one resource after another need only the order of tmpl_at. */
    const struct tmpl_range *depends;
    size_t depends_n;
    uint32_t line, column;
    const struct tv *source; /* as written, unevaluated */
};

/* Steps that a session may still take, for several that share one bound. */
uint64_t tmpl_steps(const struct tmpl *t);
void tmpl_set_steps(struct tmpl *t, uint64_t steps);
size_t tmpl_count(const struct tmpl *t);
/* The k-th in execution order. */
const struct tmpl_resource *tmpl_at(const struct tmpl *t, size_t k);
/* By index, in declaration order. */
const struct tmpl_resource *tmpl_resource(const struct tmpl *t, size_t index);

/* The first of that id, case ignored; NULL: none. */
const struct tmpl_resource *tmpl_find(const struct tmpl *t, const char *id);

enum tmpl_when {
    TMPL_BEFORE, /* validate, what-if: an expression that needs run time stays as written ("[reference(…)]")
                  */
    TMPL_RUN,
};

/* What to PUT: the resource without type, name, apiVersion, scope, condition, copy, dependsOn, comments,
 * resources. Property copy loops are expanded. Members keep their order. */
SB_MUST enum sb_err tmpl_body(struct tmpl *t, const struct tmpl_resource *r, enum tmpl_when when,
                              const struct tv **ret, struct sb_error *err);

struct tmpl_nested {
    bool inner;       /* expressionEvaluationOptions.scope */
    const char *mode; /* "Incremental" by default */
    enum tmpl_scope scope;
    const char *subscription_id, *group_name; /* where it deploys; NULL when the scope has none */
    const char *location;
    const struct tv *template;   /* outer: its expressions are already replaced; NULL: only a link */
    const struct tv *parameters; /* NULL: none */
    const char *template_uri;    /* properties.templateLink.uri or id, NULL: content */
};
/* Takes a nested deployment apart. when as in tmpl_body. */
SB_MUST enum sb_err tmpl_nested(struct tmpl *t, const struct tmpl_resource *r, enum tmpl_when when,
                                struct tmpl_nested *ret, struct sb_error *err);

/* v without the texts that hold a secure parameter's value (members are left out, elements are null): what of
 * a body may be kept and shown. NULL: memory. */
const struct tv *tmpl_public(struct tmpl *t, const struct tv *v);

/* Stars out in message what it holds of secure parameters' values: a provider may quote what it was sent. */
void tmpl_scrub(const struct tmpl *t, char *message);

struct tmpl_output {
    const char *name;       /* as written; the service lowers the first letter of what it shows */
    const char *type;       /* "String", "SecureString", "Int", … as the service shows it */
    bool secure;            /* value must never be shown, logged or stored */
    const struct tv *value; /* of a nullable output that is null: tv_null */
};
/* Outputs whose condition holds. Error code DeploymentOutputEvaluationFailed. */
SB_MUST enum sb_err tmpl_outputs(struct tmpl *t, const struct tmpl_output **ret, size_t *ret_n,
                                 struct sb_error *err);

struct tmpl_parameter {
    const char *name;
    const char *type; /* "String", "SecureString", "Int", … */
    bool secure;
    const struct tv *value; /* given or default */
    const struct tv
        *reference; /* {keyVault, secretName} when it came from a vault: shown instead of the value */
};
size_t tmpl_parameters(const struct tmpl *t, const struct tmpl_parameter **ret);

/* properties.parameters and properties.outputs as the service shows them: {"n":{"type":"String","value":…}},
 * secure ones without value. */
void tmpl_write_parameters(const struct tmpl *t, struct jw *w, const char *key);
void tmpl_write_outputs(const struct tmpl_output *outputs, size_t n, struct jw *w, const char *key);

/* properties.templateHash: decimal digits; the same template gives the same hash (which one is our choice).
 */
const char *tmpl_hash(struct tmpl *t);
/* The template as text, for exportTemplate; NULL: too long. */
char *tmpl_text(struct tmpl *t, size_t *ret_n);

/* Every function of the language, for tests, docs and the capabilities list: NULL behind the last. */
const char *tmpl_function_name(size_t i);

#endif
