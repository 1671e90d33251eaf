/* arm_deployment.h: Microsoft.Resources/deployments: what its files share. */
#ifndef SB_ARM_DEPLOYMENT_H
#define SB_ARM_DEPLOYMENT_H

#include "api/request.h"
#include "api/template/template.h"

#define DEPLOYMENT_TYPE "Microsoft.Resources/deployments"

/* One deployment while its request is served. Texts live in the request's arena, values in the session. */
struct deployment {
    struct request *r;
    const char *sub, *group, *name; /* group NULL: at the subscription */
    const char *scope, *id;
    struct tmpl *t;
    const struct tv *body; /* as sent */
    const char *mode, *location;
    struct tmpl_world world;
    int64_t began;
    const char *state;                /* "Accepted", "Succeeded", "Failed" */
    bool *failed;                     /* by index: was refused, or waits for one that was */
    bool *deployed;                   /* by index: was put */
    struct sb_buf operations, errors; /* JSON: elements, each followed by a comma but the last */
    const struct tmpl_output *outputs;
    size_t outputs_n;
    struct crew *crew; /* while resources are put */
};

/* The path's scope, name and id. */
void deployment_name(struct request *r, struct deployment *d);
/* Reads and loads what was sent. A fault of the template is answered at once: *ret_answered. */
SB_MUST enum sb_err deployment_load(struct deployment *d, bool *ret_answered, struct sb_error *err);
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
/* What sb_error has no room for: code, message, TemplateViolation, as the answer 400. */
void deployment_fault(struct request *r, const struct tmpl_fault *f);
/* The deployment as the service shows it. */
void deployment_write(struct deployment *d, struct jw *w);
void deployment_done(struct deployment *d);

#endif
