/* arm_deployment.h: Microsoft.Resources/deployments: what its files share. */
#ifndef SB_ARM_DEPLOYMENT_H
#define SB_ARM_DEPLOYMENT_H

#include "api/request.h"
#include "api/template/template.h"
#include "server/engine/jobs.h"

#define DEPLOYMENT_TYPE       "Microsoft.Resources/deployments"
#define DEPLOYMENT_RECORD_MAX (16u << 20) /* bytes of a deployment's record, and of each list in it */

struct deployment_walk;

/* One deployment while its request is served. Texts live in the request's arena, values in the session. */
struct deployment {
    struct request *r;
    enum tmpl_scope level;
    const char *sub, *group, *management, *name; /* NULL: not at this level */
    const char *scope, *id;                      /* scope of the tenant: "" */
    const struct deployment *up;                 /* the one that this is nested in, when both are looked at */
    struct tmpl *t;
    const struct tv *body; /* as sent */
    const char *mode, *location;
    const char *on_error, *on_error_name; /* onErrorDeployment: type, deployment; NULL: none */
    const char *on_error_body;            /* what is put then */
    const char *on_error_state;           /* of the deployment that was redeployed; NULL: none was */
    struct tmpl_world world;
    int64_t began;
    const char *operation;            /* the id of the operation that carries it out */
    const char *state;                /* "Accepted", "Succeeded", "Failed", "Canceled" */
    bool *failed;                     /* by index: was refused, or waits for one that was */
    bool *deployed;                   /* by index: was put */
    struct sb_buf operations, errors; /* JSON: elements, each followed by a comma but the last */
    const struct tmpl_output *outputs;
    size_t outputs_n;
    struct crew *crew;      /* while resources are put */
    struct job_running job; /* while it is carried out */
};

/* The path's scope, name and id. */
void deployment_name(struct request *r, struct deployment *d);
/* scope and id, from level and names. */
void deployment_ids(struct deployment *d);
/* The caller may, the scope is there, the name is one. d is made from the path. */
SB_MUST enum sb_err deployment_enter(struct request *r, const char *action, struct deployment *d,
                                     struct sb_error *err);
/* Reads and loads what was sent. A fault of the template is answered at once: *ret_answered. */
SB_MUST enum sb_err deployment_load(struct deployment *d, bool *ret_answered, struct sb_error *err);
/* The deployment that the resource x of d->up is: opened to be looked at, not to be carried out. ret_known
 * false: what it deploys is only known at run time. Groups that `planned` names (deployment_walk) need not be
 * there. Always followed by deployment_done. */
SB_MUST enum sb_err deployment_open(struct deployment *d, const struct tmpl_resource *x,
                                    struct deployment_walk *walk, bool *ret_known, bool *ret_answered,
                                    struct sb_error *err);

#define DEPLOYMENT_NESTED_MAX                                                                                \
    500u /* templates in a template, all levels together (what-if's documented limit) */

#define DEPLOYMENT_RESOURCES_MAX 50000u /* likewise (choice) */

/* Who looks at everything that a deployment would touch. Callbacks may be NULL. */
struct deployment_walk {
    void *cookie;
    /* Each resource that is to be deployed, nested deployments included, before those inside of them. body:
     * with TMPL_BEFORE. */
    enum sb_err (*resource)(void *cookie, struct deployment *d, const struct tmpl_resource *x,
                            const struct tv *body, struct sb_error *err);
    /* A nested deployment that cannot be looked into yet. */
    enum sb_err (*unknown)(void *cookie, struct deployment *d, const struct tmpl_resource *x,
                           struct sb_error *err);
    /* All resources of d have been shown (those of its nested ones have not). */
    enum sb_err (*end)(void *cookie, struct deployment *d, struct sb_error *err);
    /* the walk's own */
    unsigned depth;
    size_t nested, resources;
    bool blind;            /* something unknown may make resource groups */
    struct sb_buf planned; /* "\n" and the id in lower case of each group that will be made */
};
/* d is loaded. A fault is answered at once: *ret_answered. SB_ELIMIT: too deep. */
SB_MUST enum sb_err deployment_walk(struct deployment *d, struct deployment_walk *walk, bool *ret_answered,
                                    struct sb_error *err);

/* What has to be true of onErrorDeployment (arm_deployment_error.c); on_error_name becomes the deployment
 * that would be redeployed. */
SB_MUST enum sb_err deployment_on_error(struct deployment *d, struct sb_error *err);
/* Redeploys it. */
SB_MUST enum sb_err deployment_redeploy(struct deployment *d, struct sb_error *err);

/* May the caller write every resource? If not that is the answer: InvalidTemplateDeployment. */
bool deployment_preflight(struct deployment *d);
/* Puts every resource, in order, then evaluates the outputs; in complete mode deletes the others. What fails
 * is in d->errors and d->state. */
SB_MUST enum sb_err deployment_run(struct deployment *d, struct sb_error *err);
/* The next resource in order: put at once, or given out to be put beside others. What it depends on has been
 * settled; what is refused is in d->errors, d->failed and d->operations when it is settled. */
SB_MUST enum sb_err deployment_put(struct deployment *d, const struct tmpl_resource *x, struct sb_error *err);
/* Waits for all that was given out. */
SB_MUST enum sb_err deployment_settle(struct deployment *d, struct sb_error *err);
/* The same, whatever came of it, and the end of the crew. */
void deployment_dismiss(struct deployment *d);
/* Is there a provider here for that type? (Resources of others are kept as they are.) */
bool deployment_emulates(const char *type);
/* An operation of the deployment, with its error when code is not NULL; x NULL: the outputs' evaluation. */
void deployment_operation(struct deployment *d, const struct tmpl_resource *x, int status, const char *code,
                          const char *message);
/* That, and the deployment's error; code and message NULL: what the status says. */
void deployment_refused(struct deployment *d, const struct tmpl_resource *x, int status, const char *code,
                        const char *message);
/* An ARM request of the deployment's caller; the answer as a value. An error's message becomes err's detail.
 */
SB_MUST enum sb_err deployment_ask(struct request *r, struct sb_arena *a, const char *method,
                                   const char *path, const char *api_version, const char *body,
                                   const struct tv **ret, struct sb_error *err);
/* The ids of what was deployed, sorted (as recorded); in place of a nested deployment what that deployed. In
 * the session's arena. */
size_t deployment_made(struct deployment *d, const char *const **ret);
/* Is id one of those n? */
bool deployment_has_made(const char *const *ids, size_t n, const char *id);
/* tmpl_world.secret; cookie: the deployment. */
SB_MUST enum sb_err deployment_secret(void *cookie, struct sb_arena *a, const char *vault_id,
                                      const char *name, const char *version, const char **ret,
                                      struct sb_error *err);
/* What sb_error has no room for: code, message, TemplateViolation, as the answer 400. */
void deployment_fault(struct request *r, const struct tmpl_fault *f);
/* The deployment as the service shows it. validated: the answer of validate, with the ids of all resources as
 * JSON elements; NULL otherwise. */
void deployment_write(struct deployment *d, struct jw *w, const char *validated);
void deployment_done(struct deployment *d);

#endif
