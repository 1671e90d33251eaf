/*
 * arm_deployment.c: Microsoft.Resources/deployments of resource groups and subscriptions: validate, create,
 * get, list, operations, cancel, export, delete. Carrying out is arm_deployment_run.c; the language is
 * api/template/.
 *
 * A deployment is carried out before its PUT is answered: the answer says Accepted and names the operation,
 * as recorded, and the first poll finds it done.
 */
#include "api/arm_deployment.h"
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"

#define ACTION(verb)       DEPLOYMENT_TYPE "/" verb
#define DEPENDENCIES_SHOWN 1000u
#define NAME_MAX           64
#define BODY_MAX           (TMPL_TEXT_MAX + (1u << 20))
#define EXTRA_MAX          (24u << 20)

void deployment_name(struct request *r, struct deployment *d)
{
    *d = (struct deployment){.r = r,
                             .sub = request_param(r, "sub"),
                             .group = request_param(r, "group"),
                             .name = request_param(r, "deployment")};
    d->scope = arm_id(r, d->sub, d->group, NULL);
    d->id = arm_id(r, d->sub, d->group, DEPLOYMENT_TYPE "/%s", d->name ? d->name : "");
}

/* The caller may, the scope is there, the name is one. */
static enum sb_err enter(struct request *r, const char *action, struct deployment *d, struct sb_error *err)
{
    enum sb_err rc;
    struct group g;
    deployment_name(r, d);
    SB_TRY(arm_require(r, action, d->name ? d->id : d->scope, err));
    SB_TRY(d->group ? arm_require_group(r, &g, err) : arm_require_sub(r, err));
    if (d->group) {
        d->group = g.name; /* as it was created */
        d->scope = arm_id(r, d->sub, d->group, NULL);
        d->id = arm_id(r, d->sub, d->group, DEPLOYMENT_TYPE "/%s", d->name ? d->name : "");
    }
    if (d->name &&
        (strlen(d->name) > NAME_MAX ||
         d->name[strspn(d->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.()")]))
        return sb_fail(err, SB_EBADREQUEST,
                       "The deployment name '%.100s' is invalid: it has at most %d letters, digits, '-', "
                       "'_', '.', '(' and "
                       "')'.",
                       d->name, NAME_MAX);
out:
    return rc;
}

/* ---- how a deployment looks ---- */

/* Type -> index of the first resource of it. NULL: no memory. */
static const struct tv *types_of(struct deployment *d)
{
    struct tv_fields types = {0};
    struct sb_arena *a = tmpl_arena(d->t);
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (!x->existing && !tv_put(a, &types, x->type, tv_int(a, (int64_t)i)))
            return NULL;
    }
    return tv_object(a, types.items, types.n);
}

/* [{"namespace", "resourceTypes": [{"resourceType", "locations"}]}] */
static void write_providers(struct deployment *d, struct jw *w)
{
    const struct tv *types = types_of(d);
    jw_arr(w, "providers");
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        const struct tv *first = tv_get(types, x->type);
        if (!first || first->u.i != (int64_t)i)
            continue;
        jw_obj(w, NULL);
        jw_strf(w, "namespace", "%.*s", (int)strcspn(x->type, "/"), x->type);
        jw_arr(w, "resourceTypes");
        jw_obj(w, NULL);
        jw_str(w, "resourceType", x->type + strcspn(x->type, "/") + 1);
        jw_arr(w, "locations");
        if (x->location)
            jw_str(w, NULL, x->location);
        else
            jw_null(w, NULL);
        jw_end_arr(w);
        jw_end_obj(w);
        jw_end_arr(w);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_target(struct jw *w, const struct tmpl_resource *x)
{
    jw_str(w, "id", x->id);
    jw_str(w, "resourceType", x->type);
    jw_str(w, "resourceName", x->name);
}

/* (choice) All of them up to a thousand: loops that wait for loops would fill megabytes. */
static void write_dependencies(struct deployment *d, struct jw *w)
{
    size_t room = DEPENDENCIES_SHOWN;
    jw_arr(w, "dependencies");
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (x->depends_n == 0 || x->existing || room == 0)
            continue;
        jw_obj(w, NULL);
        jw_arr(w, "dependsOn");
        for (size_t k = 0; k < x->depends_n; k++) {
            for (size_t m = 0; m < x->depends[k].n && room > 0; m++, room--) {
                jw_obj(w, NULL);
                write_target(w, tmpl_resource(d->t, x->depends[k].first + m));
                jw_end_obj(w);
            }
        }
        jw_end_arr(w);
        write_target(w, x);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* The ids of what is (to be) deployed. */
static void write_ids(struct deployment *d, struct jw *w, const char *key)
{
    jw_arr(w, key);
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (d->deployed ? !d->deployed[i] : !x->condition || x->existing)
            continue;
        jw_obj(w, NULL);
        jw_str(w, "id", x->id);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_error(struct deployment *d, struct jw *w)
{
    jw_obj(w, "error");
    jw_str(w, "code", "DeploymentFailed");
    jw_str(w, "target", d->id);
    jw_str(w, "message",
           "At least one resource deployment operation failed. Please list deployment operations for "
           "details. Please see "
           "https://aka.ms/arm-deployment-operations for usage details.");
    const char *details = arena_printf(d->r->arena, "[%s]", buf_str(&d->errors));
    jw_raw(w, "details", details ? details : "[]");
    jw_end_obj(w);
}

void deployment_write(struct deployment *d, struct jw *w)
{
    char when[TIME_TEXT_MAX], duration[TIME_TEXT_MAX];
    bool done = strcmp(d->state, "Accepted") != 0;
    int64_t now = engine_now(d->r->e);
    jw_obj(w, NULL);
    jw_str(w, "id", d->id);
    jw_str(w, "name", d->name);
    jw_str(w, "type", DEPLOYMENT_TYPE);
    if (!d->group)
        jw_str(w, "location", d->location);
    if (tv_is(tv_get(d->body, "tags"), TV_OBJECT))
        tv_write(w, "tags", tv_get(d->body, "tags"));
    jw_obj(w, "properties");
    jw_str(w, "templateHash", tmpl_hash(d->t));
    tmpl_write_parameters(d->t, w, "parameters");
    jw_str(w, "mode", text_ieq(d->mode, "Complete") ? "Complete" : "Incremental");
    jw_str(w, "provisioningState", d->state);
    jw_str(w, "timestamp", time_rfc3339_7(now, when));
    jw_str(w, "duration", duration_format(now - d->began, duration));
    jw_str(w, "correlationId", d->r->correlation_id);
    write_providers(d, w);
    write_dependencies(d, w);
    if (done && d->errors.n > 0)
        write_error(d, w);
    if (done && d->outputs_n > 0)
        tmpl_write_outputs(d->outputs, d->outputs_n, w, "outputs");
    if (done)
        write_ids(d, w, "outputResources");
    jw_end_obj(w);
    jw_end_obj(w);
}

/* ---- create ---- */

static enum sb_err save(struct deployment *d, struct sb_error *err)
{
    struct sb_buf body, extra;
    struct jw w, x;
    size_t n = 0;
    buf_init(&body, EXTRA_MAX);
    buf_init(&extra, EXTRA_MAX);
    jw_init(&w, &body);
    deployment_write(d, &w);
    jw_init(&x, &extra);
    jw_obj(&x, NULL);
    jw_raw(&x, "template", tmpl_text(d->t, &n));
    const char *operations = arena_printf(tmpl_arena(d->t), "[%s]", buf_str(&d->operations));
    jw_raw(&x, "operations", operations);
    jw_end_obj(&x);
    const struct st_document doc = {.kind = DOCUMENT_DEPLOYMENT,
                                    .id = d->id,
                                    .scope = d->scope,
                                    .name = d->name,
                                    .type = DEPLOYMENT_TYPE,
                                    .location = d->location,
                                    .body = buf_str(&body),
                                    .extra = buf_str(&extra)};
    bool ok = !buf_failed(&body) && !buf_failed(&extra) && operations;
    enum sb_err rc = ok ? document_put(d->r->e, &doc, err)
                        : sb_fail(err, SB_ELIMIT, "The deployment is too large to record.");
    buf_done(&body);
    buf_done(&extra);
    return rc;
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    struct st_document old;
    bool answered = false, found = false;
    SB_TRY(enter(r, ACTION("write"), &d, err));
    SB_TRY(document_get(r->e, d.id, r->arena, &found, &old, err));
    SB_TRY(deployment_load(&d, &answered, err));
    if (answered)
        goto out;
    struct jw w = reply_json(r, found ? 200 : 201);
    deployment_write(&d, &w); /* as it is when it begins */
    SB_TRY(deployment_run(&d, err));
    SB_TRY(save(&d, err));
    reply_headerf(r, "Azure-AsyncOperation", "%s%s/operationStatuses/%lld?api-version=%s",
                  request_base(r, HOST_ARM, NULL), d.id, (long long)time_ticks(r->now), r->api_version);
out:
    deployment_done(&d);
    return rc;
}

/* ---- validate ---- */

static enum sb_err validate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    const struct tv *v = NULL;
    bool answered = false;
    SB_TRY(enter(r, ACTION("validate/action"), &d, err));
    SB_TRY(deployment_load(&d, &answered, err));
    for (size_t i = 0; i < (answered ? 0 : tmpl_count(d.t)); i++) {
        const struct tmpl_resource *x = tmpl_resource(d.t, i);
        rc = x->condition && !x->existing ? tmpl_body(d.t, x, TMPL_BEFORE, &v, err) : SB_OK;
        if (rc == SB_ETEMPLATE) {
            deployment_fault(r, tmpl_fault(d.t));
            answered = true;
            rc = SB_OK;
            break;
        }
        SB_TRY(rc);
    }
    if (answered)
        goto out;
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "id", d.id);
    jw_str(&w, "name", d.name);
    jw_str(&w, "type", DEPLOYMENT_TYPE);
    if (!d.group)
        jw_str(&w, "location", d.location);
    jw_obj(&w, "properties");
    jw_str(&w, "templateHash", tmpl_hash(d.t));
    tmpl_write_parameters(d.t, &w, "parameters");
    jw_str(&w, "mode", text_ieq(d.mode, "Complete") ? "Complete" : "Incremental");
    jw_str(&w, "provisioningState", "Succeeded");
    jw_str(&w, "timestamp", "0001-01-01T00:00:00Z");
    jw_str(&w, "duration", "PT0S");
    jw_str(&w, "correlationId", r->correlation_id);
    write_providers(&d, &w);
    write_dependencies(&d, &w);
    write_ids(&d, &w, "validatedResources");
    jw_end_obj(&w);
    jw_end_obj(&w);
out:
    deployment_done(&d);
    return rc;
}

/* ---- what there is ---- */

/* The stored deployment of the path. */
static enum sb_err find(struct request *r, const char *action, struct deployment *d, struct st_document *doc,
                        struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    SB_TRY(enter(r, action, d, err));
    SB_TRY(document_get(r->e, d->id, r->arena, &found, doc, err));
    if (!found)
        rc = sb_fail(err, SB_ENODEPLOYMENT, "Deployment '%.64s' could not be found.", d->name);
out:
    return rc;
}

static enum sb_err get(struct request *r, struct sb_error *err)
{
    struct deployment d;
    struct st_document doc;
    enum sb_err rc = find(r, ACTION("read"), &d, &doc, err);
    if (rc != SB_OK)
        return rc;
    struct jw w = reply_json(r, 200);
    jw_raw(&w, NULL, doc.body);
    return SB_OK;
}

/* 204 or 404, both without a body. */
static enum sb_err head(struct request *r, struct sb_error *err)
{
    struct deployment d;
    struct st_document doc;
    enum sb_err rc = find(r, ACTION("read"), &d, &doc, err);
    if (rc != SB_OK && rc != SB_ENODEPLOYMENT)
        return rc;
    reply_empty(r, rc == SB_OK ? 204 : 404);
    return SB_OK;
}

static bool state_is(const struct st_document *doc, const char *state)
{
    struct json *j = NULL;
    bool is = state == NULL;
    if (!is && json_parse(doc->body, strlen(doc->body), &j, NULL) == SB_OK) {
        const char *has = json_text(json_path(j, "properties.provisioningState"));
        is = has && text_ieq(has, state);
    }
    json_free(j);
    return is;
}

/* $filter=provisioningState eq 'Succeeded' */
static enum sb_err list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    struct st_document *docs = NULL;
    struct arm_filter_term term;
    size_t n = 0, terms = 0;
    int64_t top = INT64_MAX;
    const char *wanted = request_query(r, "$top");
    SB_TRY(enter(r, ACTION("read"), &d, err));
    SB_TRY(arm_filter(r, request_query(r, "$filter"), &term, 1, &terms, err));
    if ((terms && !text_ieq(term.left, "provisioningState")) ||
        (wanted && !text_to_i64(wanted, 1, INT64_MAX, &top)))
        return sb_fail(err, SB_EBADREQUEST,
                       "Deployments can be filtered by provisioningState, and $top is a number.");
    SB_TRY(document_list(r->e, DOCUMENT_DEPLOYMENT, d.scope, false, r->arena, &docs, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n && top > 0; i++) {
        if (!state_is(&docs[i], terms ? term.right : NULL))
            continue;
        jw_raw(&w, NULL, docs[i].body);
        top--;
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err delete_it(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    struct st_document doc;
    rc = find(r, ACTION("delete"), &d, &doc, err);
    if (rc == SB_ENODEPLOYMENT) {
        reply_empty(r, 204);
        return SB_OK;
    }
    SB_TRY(rc);
    SB_TRY(document_remove(r->e, d.id, err));
    arm_job_reply(r, ARM_JOB_DEPLOYMENT_DELETION, d.sub, d.name, doc.location);
out:
    return rc;
}

/* {"status"}, with the error of one that failed. */
static enum sb_err status(struct request *r, struct sb_error *err)
{
    struct deployment d;
    struct st_document doc;
    struct json *j = NULL;
    enum sb_err rc = find(r, ACTION("operationstatuses/read"), &d, &doc, err);
    if (rc == SB_OK)
        rc = json_parse(doc.body, strlen(doc.body), &j, err);
    if (rc != SB_OK)
        return rc;
    const struct json *failure = json_path(j, "properties.error");
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "status", json_text(json_path(j, "properties.provisioningState")));
    if (failure)
        jw_raw(&w, "error", json_print(failure, r->arena));
    jw_end_obj(&w);
    json_free(j);
    return SB_OK;
}

/* A member of what is kept beside the deployment; *ret_json is the caller's to free. */
static enum sb_err extra(struct request *r, const char *action, const char *key, struct tmpl **ret_t,
                         const struct tv **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    struct st_document doc;
    static const struct tmpl_world nowhere = {.scope = TMPL_TENANT};
    const struct tv *v = NULL;
    SB_TRY(find(r, action, &d, &doc, err));
    SB_TRY(tmpl_new(&nowhere, ret_t, err));
    SB_TRY(
        tmpl_read(*ret_t, doc.extra, strlen(doc.extra), &v, err)); /* templates are deeper than json.h goes */
    *ret = tv_get(v, key);
out:
    return rc;
}

static enum sb_err operations(struct request *r, struct sb_error *err)
{
    struct tmpl *t = NULL;
    const struct tv *list = NULL;
    enum sb_err rc = extra(r, ACTION("operations/read"), "operations", &t, &list, err);
    if (rc == SB_OK) {
        struct jw w = reply_json(r, 200);
        jw_obj(&w, NULL);
        tv_write(&w, "value", list);
        jw_end_obj(&w);
    }
    tmpl_free(t);
    return rc;
}

static enum sb_err operation(struct request *r, struct sb_error *err)
{
    struct tmpl *t = NULL;
    const struct tv *list = NULL, *found = NULL;
    const char *id = request_param(r, "operation");
    enum sb_err rc = extra(r, ACTION("operations/read"), "operations", &t, &list, err);
    for (uint32_t i = 0; rc == SB_OK && i < list->n && !found; i++) {
        const char *has = tv_text(tv_get(list->u.items[i], "operationId"));
        found = has && text_ieq(has, id) ? list->u.items[i] : NULL;
    }
    if (found) {
        struct jw w = reply_json(r, 200);
        tv_write(&w, NULL, found);
    } else if (rc == SB_OK) {
        rc = sb_fail(err, SB_ENODEPLOYMENT, "Deployment operation '%.64s' could not be found.", id);
    }
    tmpl_free(t);
    return rc;
}

static enum sb_err export_template(struct request *r, struct sb_error *err)
{
    struct tmpl *t = NULL;
    const struct tv *v = NULL;
    enum sb_err rc = extra(r, ACTION("exportTemplate/action"), "template", &t, &v, err);
    if (rc == SB_OK) {
        struct jw w = reply_json(r, 200);
        jw_obj(&w, NULL);
        tv_write(&w, "template", v);
        jw_end_obj(&w);
    }
    tmpl_free(t);
    return rc;
}

/* What is over when it is answered can't be cancelled. */
static enum sb_err cancel(struct request *r, struct sb_error *err)
{
    struct deployment d;
    struct st_document doc;
    enum sb_err rc = find(r, ACTION("cancel/action"), &d, &doc, err);
    if (rc != SB_OK)
        return rc;
    return sb_fail(err, SB_ECONFLICT, "The deployment '%s' cannot be cancelled: it is not running.", d.name);
}

#define GROUP "/subscriptions/{sub}/resourceGroups/{group}"
#define SUB   "/subscriptions/{sub}"
#define LIST  "/providers/Microsoft.Resources/deployments"
#define ONE   LIST "/{deployment}"
#define READ  (R_AUTH | R_APIVER)
#define SENT  (R_AUTH | R_APIVER | R_JSON | R_LENIENT)

/* Every operation at one scope. az asks for operations without "/providers/Microsoft.Resources". */
#define ROWS(at, name)                                                                                       \
    {"GET", PLANE_ARM, at LIST, READ, 0, list, "Arm" name "DeploymentList"},                                 \
        {"PUT", PLANE_ARM, at ONE, SENT, BODY_MAX, put, "Arm" name "DeploymentPut"},                         \
        {"GET", PLANE_ARM, at ONE, READ, 0, get, "Arm" name "DeploymentGet"},                                \
        {"HEAD", PLANE_ARM, at ONE, READ, 0, head, "Arm" name "DeploymentHead"},                             \
        {"DELETE", PLANE_ARM, at ONE, READ, 0, delete_it, "Arm" name "DeploymentDelete"},                    \
        {"POST", PLANE_ARM, at ONE "/validate", SENT, BODY_MAX, validate, "Arm" name "DeploymentValidate"},  \
        {"POST", PLANE_ARM, at ONE "/cancel", READ, 0, cancel, "Arm" name "DeploymentCancel"},               \
        {"POST", PLANE_ARM,       at ONE "/exportTemplate",     READ,                                        \
         0,      export_template, "Arm" name "DeploymentExport"},                                            \
        {"GET", PLANE_ARM, at ONE "/operations", READ, 0, operations, "Arm" name "DeploymentOperations"},    \
        {"GET", PLANE_ARM, at ONE "/operations/{operation}", READ,                                           \
         0,     operation, "Arm" name "DeploymentOperation"},                                                \
        {"GET", PLANE_ARM,  at "/deployments/{deployment}/operations", READ,                                 \
         0,     operations, "Arm" name "DeploymentOperationsShort"},                                         \
        {"GET",                                                                                              \
         PLANE_ARM,                                                                                          \
         at "/deployments/{deployment}/operations/{operation}",                                              \
         READ,                                                                                               \
         0,                                                                                                  \
         operation,                                                                                          \
         "Arm" name "DeploymentOperationShort"},                                                             \
    {                                                                                                        \
        "GET", PLANE_ARM, at ONE "/operationStatuses/{operation}", READ, 0, status,                          \
            "Arm" name "DeploymentStatus"                                                                    \
    }

static const struct route rows[] = {ROWS(GROUP, "Group"), ROWS(SUB, "Subscription")};
const struct route_table routes_arm_deployment = {rows, SB_ARRAY_LEN(rows)};
