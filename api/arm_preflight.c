/*
 * arm_preflight.c: what is looked at before a deployment does anything: may the caller write each of its
 * resources? One that may not stops the whole: InvalidTemplateDeployment, in the words that users of the
 * service report.
 */
#include <string.h>
#include "api/arm_deployment.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"

#define MESSAGES_MAX (1u << 20)
#define TOLD_MAX     100u /* resources in one message */

/* "Microsoft.ServiceBus/namespaces" -> its write action; groups have their action below the subscription's.
 */
static const char *write_action(struct request *r, const char *type)
{
    static const char group[] = "Microsoft.Resources/resourceGroups";
    return text_ieq(type, group) ? "Microsoft.Resources/subscriptions/resourceGroups/write"
                                 : arena_printf(r->arena, "%s/write", type);
}

/* Appends what the caller may not do; how many resources that are. */
static size_t denied(struct deployment *d, struct sb_buf *b)
{
    struct request *r = d->r;
    size_t n = 0;
    for (size_t i = 0; i < tmpl_count(d->t) && n < TOLD_MAX; i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        const char *action = write_action(r, x->type);
        if (x->existing || !x->condition || !action || rbac_may(r->e, &r->who, action, false, x->id))
            continue;
        buf_addf(b,
                 "%sAuthorization failed for template resource '%s' of type '%s'. The client '%s' with "
                 "object id '%s' does not "
                 "have permission to perform action '%s' at scope '%s'.",
                 n ? ":" : "", x->name, x->type, r->who.appid, r->who.oid, action, x->id);
        n++;
    }
    return n;
}

bool deployment_preflight(struct deployment *d)
{
    struct sb_buf b;
    buf_init(&b, MESSAGES_MAX);
    size_t n = denied(d, &b);
    if (n > 0) {
        struct jw w = reply_json(d->r, 403);
        jw_obj(&w, NULL);
        jw_obj(&w, "error");
        jw_str(&w, "code", "InvalidTemplateDeployment");
        jw_strf(&w, "message",
                n == 1 ? "The template deployment failed with error: '%s'."
                       : "Deployment failed with multiple errors: '%s'",
                buf_str(&b));
        jw_end_obj(&w);
        jw_end_obj(&w);
        reply_header(d->r, "x-ms-failure-cause", "gateway");
    }
    buf_done(&b);
    return n == 0;
}
