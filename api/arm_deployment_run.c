/*
 * arm_deployment_run.c: a template carried out: each resource is an ARM request of its own, made for the
 * caller with the caller's token, so that rights, checks and error texts are those of the resource's
 * provider.
 *
 * Resources are put in dependency order (arm_deployment_put.c), within the request. A resource that is
 * refused takes those that depend on it with it; the others go on, as in the service.
 */
#include <stdlib.h>
#include <string.h>
#include "api/arm.h"
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"

#define RECORD_MAX (16u << 20)

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
    struct st_document doc;
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

static enum sb_err make_world(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc;
    struct request *r = d->r;
    const char *path = arena_printf(r->arena, "/subscriptions/%s", d->sub);
    d->world = (struct tmpl_world){.scope = d->group ? TMPL_GROUP : TMPL_SUBSCRIPTION,
                                   .subscription_id = d->sub,
                                   .group_name = d->group,
                                   .tenant_id = ENGINE_TENANT,
                                   .deployment_name = d->name,
                                   .now_ms = r->now,
                                   .cookie = d,
                                   .new_guid = world_guid,
                                   .reference = world_reference,
                                   .list = world_list,
                                   .providers = world_providers};
    SB_TRY(deployment_ask(r, r->arena, "GET", path ? path : "/", "2022-12-01", NULL, &d->world.subscription,
                          err));
    if (d->group)
        SB_TRY(deployment_ask(r, r->arena, "GET", d->scope, "2022-09-01", NULL, &d->world.group, err));
out:
    return rc;
}

/* ---- loading ---- */

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
    if (!d->group && !d->location)
        return sb_fail(err, SB_ENOLOCATION, "The location property is required for this deployment.");
    if (!d->mode || (!text_ieq(d->mode, "Incremental") && !text_ieq(d->mode, "Complete")))
        return sb_fail(err, SB_EBADREQUEST, "The deployment mode must be 'Incremental' or 'Complete'.");
    if (!d->group && text_ieq(d->mode, "Complete"))
        return sb_fail(err, SB_EBADREQUEST,
                       "The 'Complete' deployment mode is not supported for deployments at this scope.");
    if (tv_get(p, "templateLink") || tv_get(p, "parametersLink"))
        return sb_fail(err, SB_EBADREQUEST,
                       "The emulator fetches no linked templates or parameters: send them as 'template' and "
                       "'parameters'.");
    if (!tv_is(tv_get(p, "template"), TV_OBJECT))
        return sb_fail(err, SB_EBADREQUEST, "The deployment '%.64s' has no template.", d->name);
    return SB_OK;
}

enum sb_err deployment_load(struct deployment *d, bool *ret_answered, struct sb_error *err)
{
    enum sb_err rc;
    struct request *r = d->r;
    d->began = r->now;
    d->state = "Accepted";
    buf_init(&d->operations, RECORD_MAX);
    buf_init(&d->errors, RECORD_MAX);
    SB_TRY(make_world(d, err));
    SB_TRY(tmpl_new(&d->world, &d->t, err));
    rc = tmpl_read(d->t, buf_str(&r->body), r->body.n, &d->body, err);
    if (rc == SB_OK) {
        SB_TRY(read_properties(d, err));
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
    }
out:
    return rc;
}

void deployment_done(struct deployment *d)
{
    tmpl_free(d->t);
    buf_done(&d->operations);
    buf_done(&d->errors);
    free(d->failed);
    free(d->deployed);
}

/* ---- one resource ---- */

static const char *status_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } rows[] = {{200, "OK"},        {201, "Created"},  {202, "Accepted"}, {400, "BadRequest"},
                {403, "Forbidden"}, {404, "NotFound"}, {409, "Conflict"}};
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        if (rows[i].status == status)
            return rows[i].name;
    }
    return status < 300 ? "OK" : "InternalServerError";
}

/* {"code","message"} of a failure, appended to d->errors. */
static void add_error(struct deployment *d, const char *code, const char *message)
{
    struct jw w;
    if (d->errors.n > 0)
        buf_addc(&d->errors, ',');
    jw_init(&w, &d->errors);
    jw_obj(&w, NULL);
    jw_str(&w, "code", code);
    jw_str(&w, "message", message);
    jw_end_obj(&w);
}

void deployment_operation(struct deployment *d, const struct tmpl_resource *x, int status, const char *code,
                          const char *message)
{
    char id[40], tracking[40], when[TIME_TEXT_MAX];
    struct jw w;
    rng_hex32(id);
    id[16] = '\0';
    for (char *p = id; *p; p++)
        *p = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
    rng_guid(tracking);
    if (d->operations.n > 0)
        buf_addc(&d->operations, ',');
    jw_init(&w, &d->operations);
    jw_obj(&w, NULL);
    jw_strf(&w, "id", "%s/operations/%s", d->id, id);
    jw_str(&w, "operationId", id);
    jw_obj(&w, "properties");
    jw_str(&w, "provisioningOperation", x ? "Create" : "EvaluateDeploymentOutput");
    jw_str(&w, "provisioningState", status < 300 ? "Succeeded" : "Failed");
    jw_str(&w, "timestamp", time_rfc3339_7(engine_now(d->r->e), when));
    jw_str(&w, "duration", "PT0S");
    jw_str(&w, "trackingId", tracking);
    jw_str(&w, "statusCode", status_name(status));
    if (code) {
        jw_obj(&w, "statusMessage");
        jw_obj(&w, "error");
        jw_str(&w, "code", code);
        jw_str(&w, "message", message);
        jw_end_obj(&w);
        jw_end_obj(&w);
    }
    if (x) {
        jw_obj(&w, "targetResource");
        jw_str(&w, "id", x->id);
        jw_str(&w, "resourceType", x->type);
        jw_str(&w, "resourceName", x->name);
        jw_end_obj(&w);
    }
    jw_end_obj(&w);
    jw_end_obj(&w);
}

void deployment_refused(struct deployment *d, const struct tmpl_resource *x, int status, const char *code,
                        const char *message)
{
    code = code ? code : status_name(status);
    message = message ? message : "";
    d->failed[x->index] = true;
    add_error(d, code, message);
    deployment_operation(d, x, status, code, message);
}

/* ---- complete mode ---- */

static bool in_template(const struct deployment *d, const char *id)
{
    const struct tmpl_resource *first = tmpl_find(d->t, id);
    if (!first || first->condition)
        return first != NULL;
    for (size_t k = 0; k < tmpl_count(d->t); k++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, k);
        if (x->condition && text_ieq(x->id, id))
            return true;
    }
    return false;
}

/* Deletes what is in the group and not in the template. */
static enum sb_err delete_others(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_arena *a = tmpl_arena(d->t);
    const struct tv *v = NULL;
    const char *path = arena_printf(a, "%s/resources", d->scope);
    SB_TRY(deployment_ask(d->r, a, "GET", path ? path : "/", "2022-09-01", NULL, &v, err));
    const struct tv *list = tv_get(v, "value");
    for (uint32_t i = 0; tv_is(list, TV_ARRAY) && i < list->n; i++) {
        const char *id = tv_text(tv_get(list->u.items[i], "id")),
                   *type = tv_text(tv_get(list->u.items[i], "type"));
        struct arm_answer answer = {0};
        if (!id || !type || in_template(d, id))
            continue;
        if (!deployment_emulates(type)) {
            SB_TRY(document_remove(d->r->e, id, err));
            continue;
        }
        const char *url = arena_printf(a, "%s?api-version=%s", id, arm_call_version(id));
        SB_TRY(url ? arm_call(d->r, a, "DELETE", url, NULL, &answer, err) : SB_ENOMEM);
        if (answer.status >= 300)
            add_error(d, status_name(answer.status),
                      "A resource that is not in the template could not be deleted.");
    }
out:
    return rc;
}

enum sb_err deployment_run(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = tmpl_count(d->t);
    d->failed = calloc(n + 1, 1);
    d->deployed = calloc(n + 1, 1);
    if (!d->failed || !d->deployed)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t k = 0; k < n; k++)
        SB_TRY(deployment_put(d, tmpl_at(d->t, k), err));
    SB_TRY(deployment_settle(d, err));
    if (d->errors.n == 0 && text_ieq(d->mode, "Complete"))
        SB_TRY(delete_others(d, err));
    if (d->errors.n == 0) {
        rc = tmpl_outputs(d->t, &d->outputs, &d->outputs_n, err);
        if (rc == SB_ETEMPLATE)
            add_error(d, tmpl_fault(d->t)->code, tmpl_fault(d->t)->message);
        else if (rc != SB_OK)
            goto out;
        if (rc == SB_ETEMPLATE || d->outputs_n > 0)
            deployment_operation(d, NULL, rc == SB_OK ? 200 : 400,
                                 rc == SB_OK ? NULL : tmpl_fault(d->t)->code,
                                 rc == SB_OK ? NULL : tmpl_fault(d->t)->message);
        rc = SB_OK;
    }
    d->state = d->errors.n > 0 ? "Failed" : "Succeeded";
out:
    deployment_dismiss(d);
    return rc;
}
