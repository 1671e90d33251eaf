/*
 * arm_deployment_load.c: what was sent is read: the world that a template sees, the body around it, and the
 * deployments inside of it, as far as they can be looked at before anything is deployed.
 */
#include <stdlib.h>
#include <string.h>
#include "api/arm.h"
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/activity.h"
#include "server/engine/document.h"

/* ---- what the template asks of the world ---- */

/* The answer as a value; an error's message becomes err's detail. */
static enum sb_err value_of(struct sb_arena *a, const struct arm_answer *answer, const struct tv **ret,
                            struct sb_error *err)
{
    struct json *j = NULL;
    enum sb_err rc = answer->n > 0 ? json_parse(answer->body, answer->n, &j, err) : SB_OK;
    if (rc == SB_OK && answer->status >= 300) {
        const char *message = json_text(json_path(j, "error.message"));
        rc = sb_fail(err, SB_ENOTFOUND, "%.1000s", message ? message : "The resource was not found.");
    }
    if (rc == SB_OK) {
        *ret = j ? tv_from_json(a, j) : tv_null();
        rc = *ret ? SB_OK : sb_fail(err, SB_ENOMEM, "The resource is too large.");
    }
    json_free(j);
    return rc;
}

enum sb_err deployment_ask(struct request *r, struct sb_arena *a, const char *method, const char *path,
                           const char *api_version, const char *body, const struct tv **ret,
                           struct sb_error *err)
{
    struct arm_answer answer;
    const char *url = arena_printf(a, "%s?api-version=%s", path, api_version);
    enum sb_err rc =
        url ? arm_call(r, a, method, url, body, &answer, err) : sb_fail(err, SB_ENOMEM, "out of memory");
    return rc == SB_OK ? value_of(a, &answer, ret, err) : rc;
}

static enum sb_err world_reference(void *cookie, struct sb_arena *a, const char *id, const char *api_version,
                                   bool full, const struct tv **ret, struct sb_error *err)
{
    struct deployment *d = cookie;
    struct st_document doc = {0};
    const struct tv *v = NULL;
    bool found = false;
    enum sb_err rc = deployment_settle(d, err);
    if (rc == SB_OK)
        rc = document_get(d->r->e, id, a, &found, &doc, err);
    if (rc == SB_OK && found && doc.kind == DOCUMENT_RESOURCE) {
        struct arm_answer kept = {200, doc.body, strlen(doc.body)};
        rc = value_of(a, &kept, &v, err);
    } else if (rc == SB_OK) {
        rc = deployment_ask(d->r, a, "GET", id, api_version ? api_version : arm_call_version(id), NULL, &v,
                            err);
    }
    if (rc != SB_OK)
        return rc;
    const struct tv *properties = tv_get(v, "properties");
    *ret = full ? v : properties ? properties : tv_null();
    return SB_OK;
}

static enum sb_err world_list(void *cookie, struct sb_arena *a, const char *function, const char *id,
                              const char *api_version, const struct tv *body, const struct tv **ret,
                              struct sb_error *err)
{
    struct deployment *d = cookie;
    const char *path = arena_printf(a, "%s/%s", id, function);
    const char *text = body ? tv_print(a, body, NULL) : NULL;
    if (!path || (body && !text))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = deployment_settle(d, err);
    return rc != SB_OK ? rc : deployment_ask(d->r, a, "POST", path, api_version, text, ret, err);
}

static enum sb_err world_providers(void *cookie, struct sb_arena *a, const char *space, const char *type,
                                   const struct tv **ret, struct sb_error *err)
{
    struct deployment *d = cookie;
    const struct tv *v = NULL;
    const char *path = arena_printf(a, "/subscriptions/%s/providers/%s", d->sub, space);
    enum sb_err rc = path ? deployment_ask(d->r, a, "GET", path, "2022-09-01", NULL, &v, err) : SB_ENOMEM;
    if (rc != SB_OK)
        return rc;
    const struct tv *types = tv_get(v, "resourceTypes");
    for (uint32_t i = 0; type && tv_is(types, TV_ARRAY) && i < types->n; i++) {
        const char *name = tv_text(tv_get(types->u.items[i], "resourceType"));
        if (name && text_ieq(name, type)) {
            *ret = types->u.items[i];
            return SB_OK;
        }
    }
    if (type)
        return sb_fail(err, SB_ENOTFOUND, "The provider '%.100s' has no resource type '%.100s'.", space,
                       type);
    *ret = v;
    return SB_OK;
}

static void world_guid(void *cookie, char dst[37])
{
    SB_UNUSED(cookie);
    rng_guid(dst);
}

/* group: as its GET shows it; NULL: it is yet to be made. */
static enum sb_err make_world(struct deployment *d, const struct tv *group, struct sb_error *err)
{
    struct request *r = d->r;
    d->world = (struct tmpl_world){.scope = d->level,
                                   .subscription_id = d->sub,
                                   .group_name = d->group,
                                   .management_group = d->management,
                                   .group = group,
                                   .tenant_id = ENGINE_TENANT,
                                   .deployment_name = d->name,
                                   .location = d->location,
                                   .mode = d->mode,
                                   .now_ms = r->now,
                                   .cookie = d,
                                   .new_guid = world_guid,
                                   .reference = world_reference,
                                   .list = world_list,
                                   .providers = world_providers,
                                   .secret = deployment_secret};
    if (!d->sub)
        return SB_OK;
    return deployment_ask(r, r->arena, "GET", arm_id(r, d->sub, NULL, NULL), "2022-12-01", NULL,
                          &d->world.subscription, err);
}

static void begin(struct deployment *d)
{
    d->began = d->r->now;
    d->state = "Accepted";
    buf_init(&d->operations, DEPLOYMENT_RECORD_MAX);
    buf_init(&d->errors, DEPLOYMENT_RECORD_MAX);
}

/* ---- loading ---- */

/* Ticks that count down, as the service numbers its operations. */
static const char *operation_id(struct request *r)
{
    return arena_printf(r->arena, "%020lld", (long long)(INT64_C(3155378975999999999) - time_ticks(r->now)));
}

void deployment_fault(struct request *r, const struct tmpl_fault *f)
{
    struct jw w = reply_json(r, 400);
    jw_obj(&w, NULL);
    jw_obj(&w, "error");
    jw_str(&w, "code", f->code);
    jw_str(&w, "message", f->message);
    if (f->has_place) {
        jw_arr(&w, "additionalInfo");
        jw_obj(&w, NULL);
        jw_str(&w, "type", "TemplateViolation");
        jw_obj(&w, "info");
        jw_i64(&w, "lineNumber", f->line);
        jw_i64(&w, "linePosition", f->position);
        jw_str(&w, "path", f->path);
        jw_end_obj(&w);
        jw_end_obj(&w);
        jw_end_arr(&w);
    }
    jw_end_obj(&w);
    jw_end_obj(&w);
    reply_header(r, "x-ms-failure-cause", "gateway");
}

/* The address of what is not sent but linked; NULL: nothing is. */
static const char *linked(const struct tv *properties)
{
    static const char *const links[] = {"templateLink", "parametersLink"};
    for (size_t i = 0; i < SB_ARRAY_LEN(links); i++) {
        const struct tv *link = tv_get(properties, links[i]);
        const char *uri = tv_text(tv_get(link, "uri")), *id = tv_text(tv_get(link, "id"));
        const char *path = tv_text(tv_get(link, "relativePath"));
        if (tv_is(link, TV_OBJECT))
            return uri ? uri : id ? id : path ? path : "";
    }
    return NULL;
}

/* Nothing is fetched from anywhere: in the words that the service has for what it cannot reach. */
static void refuse_link(struct request *r, const char *uri)
{
    char tracking[SB_GUID_LEN + 1];
    rng_guid(tracking);
    struct tmpl_fault f = {.code = "InvalidContentLink", .path = ""};
    if (text_istarts(uri, "https://") || text_istarts(uri, "http://"))
        f.message =
            arena_printf(r->arena,
                         "Unable to download deployment content from '%s'. The tracking Id is '%s'. Please "
                         "see https://aka.ms/arm-deploy for usage details.",
                         uri, tracking);
    else
        f.message =
            arena_printf(r->arena,
                         "The provided content link '%s' is invalid or not supported. Content link must be "
                         "an absolute URI not referencing local host or UNC path.",
                         uri);
    f.message = f.message ? f.message : "";
    deployment_fault(r, &f);
}

/* What is around the template in the body. */
static enum sb_err read_properties(struct deployment *d, struct sb_error *err)
{
    const struct tv *p = tv_get(d->body, "properties");
    d->location = tv_text(tv_get(d->body, "location"));
    d->mode = tv_text(tv_get(p, "mode"));
    if (!tv_is(p, TV_OBJECT))
        return sb_fail(err, SB_EBADJSON,
                       "The request content was invalid and could not be deserialized: 'Required property "
                       "'properties' not "
                       "found in JSON. Path '', line 1, position 1.'.");
    if (d->level != TMPL_GROUP && !d->location)
        return sb_fail(err, SB_ENOLOCATION, "The location property is required for this deployment.");
    if (!d->mode || (!text_ieq(d->mode, "Incremental") && !text_ieq(d->mode, "Complete")))
        return sb_fail(err, SB_EBADREQUEST, "The deployment mode must be 'Incremental' or 'Complete'.");
    if (d->level != TMPL_GROUP && text_ieq(d->mode, "Complete"))
        return sb_fail(err, SB_EBADREQUEST,
                       "The 'Complete' deployment mode is not supported for deployments at this scope.");
    if (linked(p))
        return SB_OK; /* whatever else there is: it cannot be had */
    if (!tv_is(tv_get(p, "template"), TV_OBJECT))
        return sb_fail(err, SB_EBADREQUEST, "The deployment '%.64s' has no template.", d->name);
    return deployment_on_error(d, err);
}

enum sb_err deployment_load(struct deployment *d, bool *ret_answered, struct sb_error *err)
{
    enum sb_err rc;
    struct request *r = d->r;
    const struct tv *group = NULL;
    begin(d);
    d->operation = operation_id(r);
    if (!d->operation)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (d->group)
        SB_TRY(deployment_ask(r, r->arena, "GET", d->scope, "2022-09-01", NULL, &group, err));
    SB_TRY(make_world(d, group, err));
    SB_TRY(tmpl_new(&d->world, &d->t, err));
    rc = tmpl_read(d->t, buf_str(&r->body), r->body.n, &d->body, err);
    if (rc == SB_OK) {
        SB_TRY(read_properties(d, err));
        const char *uri = linked(tv_get(d->body, "properties"));
        if (uri) {
            refuse_link(r, uri);
            *ret_answered = true;
            goto out;
        }
        d->world.location = d->location;
        d->world.mode = d->mode;
        tmpl_set_world(d->t, &d->world);
        rc = tmpl_load(d->t, tv_path(d->body, "properties.template"),
                       tv_path(d->body, "properties.parameters"), err);
    }
    *ret_answered = rc == SB_ETEMPLATE;
    if (*ret_answered) {
        deployment_fault(r, tmpl_fault(d->t));
        rc = SB_OK;
    } else if (rc == SB_OK) {
        *ret_answered = !deployment_preflight(d);
    }
out:
    return rc;
}

static void scrub_row(void *cookie, char *message)
{
    tmpl_scrub(cookie, message);
}

void deployment_done(struct deployment *d)
{
    if (d->t)
        activity_edit(&d->r->activity, scrub_row, d->t); /* rows of its resources, not written yet */
    tmpl_free(d->t);
    buf_done(&d->operations);
    buf_done(&d->errors);
    free(d->failed);
    free(d->deployed);
}

/* ---- a nested deployment that is looked at ---- */

/* The segment behind a prefix of *id, which moves behind it. NULL: it does not begin so. */
static const char *take_segment(struct sb_arena *a, const char **id, const char *prefix)
{
    if (!text_istarts(*id, prefix))
        return NULL;
    const char *from = *id + strlen(prefix);
    *id = from + strcspn(from, "/");
    return arena_strndup(a, from, (size_t)(*id - from));
}

static void take_scope(struct deployment *d, const char *id)
{
    struct sb_arena *a = d->r->arena;
    d->management = take_segment(a, &id, "/providers/Microsoft.Management/managementGroups/");
    d->sub = take_segment(a, &id, "/subscriptions/");
    d->group = d->sub ? take_segment(a, &id, "/resourceGroups/") : NULL;
    d->level = d->group        ? TMPL_GROUP
               : d->sub        ? TMPL_SUBSCRIPTION
               : d->management ? TMPL_MANAGEMENT_GROUP
                               : TMPL_TENANT;
}

/* What a group that is yet to be made will look like. NULL: no memory. */
static const struct tv *future_group(struct deployment *d)
{
    struct sb_arena *a = d->r->arena;
    struct tv_fields f = {0};
    const struct tmpl_resource *made = NULL;
    for (const struct deployment *up = d->up; up && !made; up = up->up)
        made = tmpl_find(up->t, d->scope);
    bool ok = tv_put(a, &f, "id", tv_string(a, d->scope)) && tv_put(a, &f, "name", tv_string(a, d->group)) &&
              tv_put(a, &f, "type", tv_string(a, "Microsoft.Resources/resourceGroups")) &&
              tv_put(a, &f, "location", tv_string(a, made && made->location ? made->location : ""));
    return ok ? tv_object(a, f.items, f.n) : NULL;
}

/* The group of a nested deployment is there, or will be: *ret. Otherwise the answer to its GET is the answer:
 * *ret_answered. */
static enum sb_err find_group(struct deployment *d, const struct deployment_walk *walk, const struct tv **ret,
                              bool *ret_answered, struct sb_error *err)
{
    struct arm_answer answer = {0};
    struct request *r = d->r;
    const char *line = text_tolower(arena_printf(r->arena, "\n%s\n", d->scope));
    const char *url = arena_printf(r->arena, "%s?api-version=2022-09-01", d->scope);
    if (!line || !url)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    bool planned = walk->blind || strstr(buf_str(&walk->planned), line);
    enum sb_err rc = arm_call(r, r->arena, "GET", url, NULL, &answer, err);
    if (rc != SB_OK)
        return rc;
    if (answer.status < 300)
        return value_of(r->arena, &answer, ret, err);
    if (planned) {
        *ret = future_group(d);
        return *ret ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
    }
    struct jw w = reply_json(r, answer.status);
    jw_raw(&w, NULL, answer.body);
    reply_header(r, "x-ms-failure-cause", "gateway");
    *ret_answered = true;
    return SB_OK;
}

enum sb_err deployment_open(struct deployment *d, const struct tmpl_resource *x, struct deployment_walk *walk,
                            bool *ret_known, bool *ret_answered, struct sb_error *err)
{
    enum sb_err rc;
    struct tmpl_nested n = {0};
    const struct tv *group = NULL;
    begin(d);
    rc = tmpl_nested(d->up->t, x, TMPL_BEFORE, &n, err);
    if (rc == SB_ETEMPLATE) {
        deployment_fault(d->r, tmpl_fault(d->up->t));
        *ret_answered = true;
        return SB_OK;
    }
    SB_TRY(rc);
    take_scope(d, x->scope_id);
    d->name = x->name;
    d->mode = n.mode;
    d->location = n.location;
    deployment_ids(d);
    if (d->group)
        SB_TRY(find_group(d, walk, &group, ret_answered, err));
    if (!*ret_answered && !n.template && !text_starts(n.template_uri, "[")) {
        refuse_link(d->r, n.template_uri);
        *ret_answered = true;
    }
    if (*ret_answered || !n.template || (n.parameters && n.parameters->dynamic))
        goto out;
    SB_TRY(make_world(d, group, err));
    SB_TRY(tmpl_new(&d->world, &d->t, err));
    tmpl_set_steps(d->t, tmpl_steps(d->up->t)); /* all that is looked at has one bound */
    rc = tmpl_load(d->t, n.template, n.parameters, err);
    /* What this template's own expressions give may be part of the inner one: it is judged at run time. */
    bool judge = n.inner || !n.template->dynamic;
    *ret_known = rc == SB_OK;
    if (rc == SB_ETEMPLATE && judge) {
        deployment_fault(d->r, tmpl_fault(d->t));
        *ret_answered = true;
    }
    if (rc == SB_ETEMPLATE)
        rc = SB_OK;
out:
    return rc;
}
