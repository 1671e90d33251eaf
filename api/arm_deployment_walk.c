/*
 * arm_deployment_walk.c: everything that a deployment would touch, before it touches anything: its resources
 * and those of the deployments nested in it. Validation, the check in front of a deployment, and what-if.
 */
#include <string.h>
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "server/base/text.h"

#define GROUP_TYPE "Microsoft.Resources/resourceGroups"

static enum sb_err show(struct deployment *d, struct deployment_walk *walk, const struct tmpl_resource *x,
                        bool *ret_answered, struct sb_error *err)
{
    const struct tv *body = NULL;
    enum sb_err rc = tmpl_body(d->t, x, TMPL_BEFORE, &body, err);
    if (rc == SB_ETEMPLATE) {
        deployment_fault(d->r, tmpl_fault(d->t));
        *ret_answered = true;
        return SB_OK;
    }
    if (rc == SB_OK && text_ieq(x->type, GROUP_TYPE)) {
        const char *id = text_tolower(arena_strdup(d->r->arena, x->id));
        rc = id ? buf_addf(&walk->planned, "%s\n", id) : SB_ENOMEM;
    }
    if (rc == SB_OK && walk->resource)
        rc = walk->resource(walk->cookie, d, x, body, err);
    return rc;
}

static enum sb_err level(struct deployment *d, struct deployment_walk *walk, bool *ret_answered,
                         struct sb_error *err);

static enum sb_err descend(struct deployment *d, struct deployment_walk *walk, const struct tmpl_resource *x,
                           bool *ret_answered, struct sb_error *err)
{
    struct deployment inner = {.r = d->r, .up = d};
    bool known = false;
    enum sb_err rc = deployment_open(&inner, x, walk, &known, ret_answered, err);
    if (rc == SB_OK && known) {
        rc = level(&inner, walk, ret_answered, err);
    } else if (rc == SB_OK && !*ret_answered) {
        walk->blind = true;
        rc = walk->unknown ? walk->unknown(walk->cookie, d, x, err) : SB_OK;
    }
    if (inner.t)
        tmpl_set_steps(d->t, tmpl_steps(inner.t));
    deployment_done(&inner);
    return rc;
}

static bool is_deployed(const struct tmpl_resource *x)
{
    return x->condition && !x->existing;
}

/* Counts a level before it is looked at, so that loops in loops are refused before they are gone through. */
static enum sb_err count(const struct deployment *d, struct deployment_walk *walk, struct sb_error *err)
{
    size_t n = tmpl_count(d->t);
    for (size_t i = 0; i < n; i++)
        walk->nested += tmpl_resource(d->t, i)->deployment && is_deployed(tmpl_resource(d->t, i));
    walk->resources += n;
    if (walk->nested > DEPLOYMENT_NESTED_MAX)
        return sb_fail(err, SB_ELIMIT, "A template can have at most %u nested templates.",
                       DEPLOYMENT_NESTED_MAX);
    if (walk->resources > DEPLOYMENT_RESOURCES_MAX)
        return sb_fail(err, SB_ELIMIT, "A template and those nested in it can have at most %u resources.",
                       DEPLOYMENT_RESOURCES_MAX);
    return SB_OK;
}

static enum sb_err level(struct deployment *d, struct deployment_walk *walk, bool *ret_answered,
                         struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = tmpl_count(d->t);
    SB_TRY(count(d, walk, err));
    if (d->r->depth + walk->depth >= ARM_CALL_DEPTH)
        return sb_fail(err, SB_ELIMIT, "Deployments are nested more than %d levels deep.", ARM_CALL_DEPTH);
    walk->depth++;
    for (size_t i = 0; i < n && !*ret_answered; i++) {
        if (is_deployed(tmpl_resource(d->t, i)))
            SB_TRY(show(d, walk, tmpl_resource(d->t, i), ret_answered, err));
    }
    if (!*ret_answered && walk->end)
        SB_TRY(walk->end(walk->cookie, d, err));
    for (size_t k = 0; k < n && !*ret_answered; k++) {
        const struct tmpl_resource *x = tmpl_at(d->t, k);
        if (x->deployment && is_deployed(x))
            SB_TRY(descend(d, walk, x, ret_answered, err));
    }
    walk->depth--;
out:
    return rc;
}

enum sb_err deployment_walk(struct deployment *d, struct deployment_walk *walk, bool *ret_answered,
                            struct sb_error *err)
{
    buf_init(&walk->planned, 4u << 20);
    enum sb_err rc = buf_addc(&walk->planned, '\n');
    uint64_t steps = tmpl_steps(d->t);
    if (rc == SB_OK)
        rc = level(d, walk, ret_answered, err);
    tmpl_set_steps(d->t, steps); /* what was only looked at leaves enough to carry it out */
    buf_done(&walk->planned);
    return rc;
}
