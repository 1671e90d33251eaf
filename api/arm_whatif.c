/*
 * arm_whatif.c: POST …/deployments/{name}/whatIf: what a deployment would change. The template is read and
 * its resources looked at as validation does; each is compared with what its GET shows (arm_whatif_diff.c);
 * what else stands in a resource group is ignored, or deleted in complete mode.
 *
 * The answer is a 202 whose Location gives the result, as recorded; it is ready at once. Mistakes in the
 * template are answered by the POST itself (choice).
 */
#include "api/arm_whatif.h"
#include <string.h>
#include "api/arm.h"
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/document.h"
#include "server/engine/jobs.h"

#define WHATIF     DEPLOYMENT_TYPE "/whatIf/action"
#define RESULT_MAX (24u << 20)

struct group_seen {
    struct group_seen *next;
    const char *scope;
    bool complete;
};

struct whatif {
    struct group_seen *groups;
    bool full;             /* resultFormat FullResourcePayloads */
    struct sb_buf changes; /* JSON elements */
    struct sb_buf touched; /* "\n" and the id in lower case of each resource of the templates */
};

/* ---- what is there ---- */

/* The resource as its GET shows it; NULL: it is not there. */
static enum sb_err look(struct deployment *d, struct sb_arena *a, const char *id, const char *api_version,
                        const struct tv **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct st_document doc;
    struct json *j = NULL;
    struct arm_answer answer = {0};
    bool found = false;
    SB_TRY(document_get(d->r->e, id, a, &found, &doc, err));
    if (found && doc.kind == DOCUMENT_RESOURCE) {
        answer = (struct arm_answer){200, doc.body, strlen(doc.body)};
    } else {
        const char *url = arena_printf(a, "%s?api-version=%s", id, api_version);
        SB_TRY(url ? arm_call(d->r, a, "GET", url, NULL, &answer, err) : SB_ENOMEM);
    }
    *ret = NULL;
    if (answer.status >= 300)
        goto out;
    SB_TRY(json_parse(answer.body, answer.n, &j, err));
    *ret = tv_from_json(a, j);
    if (!*ret)
        rc = sb_fail(err, SB_ELIMIT, "A resource is too large to compare.");
out:
    json_free(j);
    return rc;
}

/* v with what every resource has, cleaned. */
static const struct tv *payload(struct sb_arena *a, const struct whatif_rules *rules,
                                const struct tmpl_resource *x, const struct tv *v)
{
    struct tv_fields f = {0};
    const char *last = strrchr(x->name, '/');
    for (uint32_t i = 0; tv_is(v, TV_OBJECT) && i < v->n; i++) {
        if (!tv_put(a, &f, v->u.members[i].key, v->u.members[i].value))
            return NULL;
    }
    if (!tv_set(a, &f, "apiVersion", tv_string(a, x->api_version)) ||
        !tv_set(a, &f, "id", tv_string(a, x->id)) ||
        !tv_set(a, &f, "name", tv_string(a, last ? last + 1 : x->name)) ||
        !tv_set(a, &f, "type", tv_string(a, x->type)))
        return NULL;
    const struct tv *whole = tv_object(a, f.items, f.n);
    return whole ? whatif_clean(a, rules, whole) : NULL;
}

/* ---- changes ---- */

static struct jw open_change(struct whatif *x, const char *id, const char *type)
{
    struct jw w;
    if (x->changes.n > 0)
        buf_addc(&x->changes, ',');
    jw_init(&w, &x->changes);
    jw_obj(&w, NULL);
    jw_str(&w, "resourceId", id);
    jw_str(&w, "changeType", type);
    return w;
}

static void change(struct whatif *x, const char *id, const char *type, const struct tv *before,
                   const struct tv *after, const char *delta)
{
    struct jw w = open_change(x, id, type);
    if (x->full && before)
        tv_write(&w, "before", before);
    if (x->full && after)
        tv_write(&w, "after", after);
    if (x->full && delta)
        jw_raw(&w, "delta", delta);
    jw_end_obj(&w);
}

static enum sb_err compare(struct whatif *w, struct deployment *d, const struct tmpl_resource *x,
                           const struct tv *there, const struct tv *body, struct sb_error *err)
{
    struct sb_arena *a = tmpl_arena(d->t);
    const struct whatif_rules *rules = whatif_rules(x->type, deployment_emulates(x->type));
    const struct tv *ran = NULL, *secretless = tmpl_public(d->t, body), *after = NULL;
    struct sb_buf delta;
    bool postponed = body->dynamic;
    buf_init(&delta, TV_WEIGHT_MAX);
    const struct tv *sent = secretless ? payload(a, rules, x, secretless) : NULL;
    const struct tv *before = there ? payload(a, rules, x, there) : NULL;
    /* What only run time knows is known where the resources that it asks for are there already. */
    if (there && postponed && tmpl_body(d->t, x, TMPL_RUN, &ran, NULL) != SB_OK)
        ran = NULL;
    if (ran && (ran = tmpl_public(d->t, ran)) != NULL)
        ran = payload(a, rules, x, ran);
    bool ok = sent && (!there || before);
    if (ok && before)
        ok = (after = whatif_merge(a, rules, before, sent, ran, &delta)) != NULL && !buf_failed(&delta);
    if (!ok)
        goto out;
    const char *list = arena_printf(a, "[%s]", buf_str(&delta));
    if (!there)
        change(w, x->id, "Create", NULL, sent, NULL);
    else if (!w->full)
        change(w, x->id, "Deploy", NULL, NULL, NULL);
    else
        change(w, x->id, delta.n > 0 ? "Modify" : "NoChange", before, after, list);
out:
    buf_done(&delta);
    return ok ? SB_OK : sb_fail(err, SB_ELIMIT, "The resource '%.200s' is too large to compare.", x->id);
}

static enum sb_err on_resource(void *cookie, struct deployment *d, const struct tmpl_resource *x,
                               const struct tv *body, struct sb_error *err)
{
    struct whatif *w = cookie;
    const struct tv *there = NULL;
    struct sb_arena *a = tmpl_arena(d->t);
    const char *id = text_tolower(arena_strdup(a, x->id));
    if (!id)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    buf_addf(&w->touched, "%s\n", id);
    if (x->deployment)
        return SB_OK; /* what it deploys is looked at in its place */
    enum sb_err rc = look(d, a, x->id, x->api_version, &there, err);
    if (rc == SB_OK)
        rc = compare(w, d, x, there, body, err);
    if (rc == SB_OK && (buf_failed(&w->changes) || buf_failed(&w->touched)))
        rc = sb_fail(err, SB_ELIMIT, "The result is too large.");
    return rc;
}

static enum sb_err on_unknown(void *cookie, struct deployment *d, const struct tmpl_resource *x,
                              struct sb_error *err)
{
    struct whatif *w = cookie;
    SB_UNUSED(d);
    SB_UNUSED(err);
    struct jw j = open_change(w, x->id, "Unsupported");
    jw_str(&j, "unsupportedReason", "What the nested deployment deploys is only known when it is deployed.");
    jw_end_obj(&j);
    return SB_OK;
}

/* ---- the rest of a resource group ---- */

static enum sb_err other(struct whatif *w, struct deployment *d, const struct tv *item, bool complete,
                         struct sb_error *err)
{
    struct sb_arena *a = tmpl_arena(d->t);
    const char *id = tv_text(tv_get(item, "id")), *type = tv_text(tv_get(item, "type"));
    const char *line = id && type ? text_tolower(arena_printf(a, "\n%s\n", id)) : NULL;
    const struct tv *there = NULL;
    if (!line || strstr(buf_str(&w->touched), line))
        return SB_OK;
    const char *version = arm_call_version(id), *name = tv_text(tv_get(item, "name"));
    const struct tmpl_resource x = {.id = id, .type = type, .name = name ? name : "", .api_version = version};
    enum sb_err rc = w->full ? look(d, a, id, version, &there, err) : SB_OK;
    const struct tv *v = there ? payload(a, whatif_rules(type, deployment_emulates(type)), &x, there) : NULL;
    if (rc == SB_OK)
        change(w, id, complete ? "Delete" : "Ignore", v, complete ? NULL : v, NULL);
    buf_addf(&w->touched, "%s", line + 1);
    return rc;
}

/* Notes the resource group: what else is in it is told when all its resources have been. */
static enum sb_err on_end(void *cookie, struct deployment *d, struct sb_error *err)
{
    struct whatif *w = cookie;
    struct group_seen *g = w->groups;
    struct sb_arena *a = d->r->arena;
    if (d->level != TMPL_GROUP)
        return SB_OK;
    while (g && !text_ieq(g->scope, d->scope))
        g = g->next;
    if (!g) {
        g = ARENA_NEW(a, struct group_seen);
        if (!g)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        *g = (struct group_seen){.next = w->groups, .scope = d->scope};
        w->groups = g;
    }
    g->complete |= text_ieq(d->mode, "Complete");
    return SB_OK;
}

/* Complete mode deletes, incremental mode ignores the rest. */
static enum sb_err tell_rest(struct whatif *w, struct deployment *d, const struct group_seen *g,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct arm_answer answer = {0};
    struct json *j = NULL;
    struct sb_arena *a = tmpl_arena(d->t);
    const char *url = arena_printf(a, "%s/resources?api-version=2022-09-01", g->scope);
    SB_TRY(url ? arm_call(d->r, a, "GET", url, NULL, &answer, err) : SB_ENOMEM);
    if (answer.status >= 300)
        goto out; /* the group is yet to be made */
    SB_TRY(json_parse(answer.body, answer.n, &j, err));
    const struct tv *v = tv_from_json(a, j), *list = tv_get(v, "value");
    for (uint32_t i = 0; tv_is(list, TV_ARRAY) && i < list->n; i++)
        SB_TRY(other(w, d, list->u.items[i], g->complete, err));
out:
    json_free(j);
    return rc;
}

/* ---- the request ---- */

static enum sb_err read_settings(struct deployment *d, struct whatif *w, struct sb_error *err)
{
    const char *format = tv_text(tv_path(d->body, "properties.whatIfSettings.resultFormat"));
    w->full = !format || text_ieq(format, "FullResourcePayloads");
    if (!w->full && !text_ieq(format, "ResourceIdOnly"))
        return sb_fail(err, SB_EBADREQUEST,
                       "whatIfSettings.resultFormat must be 'FullResourcePayloads' or 'ResourceIdOnly'.");
    return SB_OK;
}

static enum sb_err keep(struct deployment *d, struct whatif *w, struct sb_error *err)
{
    struct sb_buf result;
    struct jw j;
    char id[40];
    rng_hex32(id);
    buf_init(&result, RESULT_MAX);
    jw_init(&j, &result);
    jw_obj(&j, NULL);
    jw_str(&j, "status", "Succeeded");
    jw_obj(&j, "properties");
    jw_str(&j, "correlationId", d->r->correlation_id);
    jw_raw(&j, "changes", arena_printf(tmpl_arena(d->t), "[%s]", buf_str(&w->changes)));
    jw_end_obj(&j);
    jw_end_obj(&j);
    enum sb_err rc = buf_failed(&result) ? sb_fail(err, SB_ELIMIT, "The result is too large.")
                                         : jobs_keep(d->r->e, id, d->id, buf_str(&result), err);
    buf_done(&result);
    if (rc == SB_OK)
        arm_job_reply(d->r, ARM_JOB_WHATIF, d->sub, id, d->location);
    return rc;
}

enum sb_err arm_whatif(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d = {0};
    struct whatif w = {0};
    struct deployment_walk looks = {
        .cookie = &w, .resource = on_resource, .unknown = on_unknown, .end = on_end};
    bool answered = false;
    buf_init(&w.changes, RESULT_MAX);
    buf_init(&w.touched, RESULT_MAX);
    buf_addc(&w.touched, '\n');
    SB_TRY(deployment_enter(r, WHATIF, &d, err));
    SB_TRY(deployment_load(&d, &answered, err));
    if (answered)
        goto out;
    SB_TRY(read_settings(&d, &w, err));
    SB_TRY(deployment_walk(&d, &looks, &answered, err));
    for (const struct group_seen *g = w.groups; g && !answered; g = g->next)
        SB_TRY(tell_rest(&w, &d, g, err));
    if (!answered)
        SB_TRY(keep(&d, &w, err));
out:
    buf_done(&w.changes);
    buf_done(&w.touched);
    deployment_done(&d);
    return rc;
}

enum sb_err arm_whatif_result(struct request *r, const char *job, struct sb_error *err)
{
    enum sb_err rc;
    const char *scope = NULL, *result = NULL;
    if (!jobs_find(r->e, job, r->arena, &scope, &result))
        return sb_fail(err, SB_ENOTFOUND, "The result of the what-if operation is no longer kept.");
    if (!scope || !result)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, WHATIF, scope, err));
    struct jw w = reply_json(r, 200);
    jw_raw(&w, NULL, result);
out:
    return rc;
}
