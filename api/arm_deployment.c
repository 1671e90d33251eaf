/*
 * arm_deployment.c: Microsoft.Resources/deployments of resource groups, subscriptions, management groups and
 * the tenant: validate, create, get, list, operations, cancel, export, delete. What is sent is read by
 * arm_deployment_load.c, carried out by arm_deployment_run.c, shown by arm_deployment_show.c; the language is
 * api/template/.
 *
 * A deployment is carried out before its PUT is answered: the answer says Accepted and names the operation,
 * as recorded, and the first poll finds it done.
 */
#include "api/arm_deployment.h"
#include <string.h>
#include "api/arm.h"
#include "api/arm_whatif.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"

#define ACTION(verb) DEPLOYMENT_TYPE "/" verb
#define MANAGEMENT   "/providers/Microsoft.Management/managementGroups"
#define NAME_MAX     64
#define ACTIVE_MS    (INT64_C(7) * 24 * 3600 * 1000) /* as the service says (it never comes to that) */
#define BODY_MAX     (TMPL_TEXT_MAX + (1u << 20))
#define EXTRA_MAX    (24u << 20)

void deployment_ids(struct deployment *d)
{
    struct request *r = d->r;
    d->scope = d->sub          ? arm_id(r, d->sub, d->group, NULL)
               : d->management ? arena_printf(r->arena, MANAGEMENT "/%s", d->management)
                               : "";
    d->id = arena_printf(r->arena, "%s/providers/" DEPLOYMENT_TYPE "/%s", d->scope ? d->scope : "",
                         d->name ? d->name : "");
    /* An arena that is full is noticed when the request ends. */
    d->scope = d->scope ? d->scope : "";
    d->id = d->id ? d->id : "";
}

void deployment_name(struct request *r, struct deployment *d)
{
    *d = (struct deployment){.r = r,
                             .sub = request_param(r, "sub"),
                             .group = request_param(r, "group"),
                             .management = request_param(r, "management"),
                             .name = request_param(r, "deployment")};
    d->level = d->group        ? TMPL_GROUP
               : d->sub        ? TMPL_SUBSCRIPTION
               : d->management ? TMPL_MANAGEMENT_GROUP
                               : TMPL_TENANT;
    deployment_ids(d);
}

enum sb_err deployment_enter(struct request *r, const char *action, struct deployment *d,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct group g;
    deployment_name(r, d);
    SB_TRY(arm_require(r, action, d->name ? d->id : *d->scope ? d->scope : "/", err));
    if (d->group) {
        SB_TRY(arm_require_group(r, &g, err));
        d->group = g.name; /* as it was created */
        deployment_ids(d);
    } else if (d->sub) {
        SB_TRY(arm_require_sub(r, err));
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

/* ---- create ---- */

static enum sb_err save(struct deployment *d, struct sb_error *err)
{
    struct sb_buf body, extra;
    struct jw w, x;
    size_t n = 0;
    buf_init(&body, EXTRA_MAX);
    buf_init(&extra, EXTRA_MAX);
    jw_init(&w, &body);
    deployment_write(d, &w, NULL);
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

/* 409, in the gateway's shape. */
static void conflict(struct request *r, const char *code, const char *message)
{
    struct jw w = reply_json(r, 409);
    jw_obj(&w, NULL);
    jw_obj(&w, "error");
    jw_str(&w, "code", code);
    jw_str(&w, "message", message);
    jw_end_obj(&w);
    jw_end_obj(&w);
    reply_header(r, "x-ms-failure-cause", "gateway");
}

/* "7/2/2018 12:08:13 PM", as the service writes it in this message. */
static const char *spoken(struct sb_arena *a, int64_t ms)
{
    char t[TIME_TEXT_MAX];
    int64_t year = 0, month = 0, day = 0, hour = 0;
    time_rfc3339(ms, t);
    t[4] = t[7] = t[10] = t[13] = t[19] = '\0';
    if (!text_to_i64(t, 0, 9999, &year) || !text_to_i64(t + 5, 1, 12, &month) ||
        !text_to_i64(t + 8, 1, 31, &day) || !text_to_i64(t + 11, 0, 23, &hour))
        return "";
    const char *text = arena_printf(a, "%d/%d/%d %d:%s %s", (int)month, (int)day, (int)year,
                                    (int)(hour % 12 == 0 ? 12 : hour % 12), t + 14, hour < 12 ? "AM" : "PM");
    return text ? text : "";
}

/* Somebody else carries out a deployment of that name. */
static void refuse_active(struct deployment *d, int64_t since)
{
    struct sb_arena *a = d->r->arena;
    conflict(d->r, "DeploymentActive",
             arena_printf(a,
                          "Unable to edit or replace deployment '%s': previous deployment from '%s' is still "
                          "active (expiration time is '%s'). Please see https://aka.ms/arm-deploy for usage "
                          "details.",
                          d->name, spoken(a, since), spoken(a, since + ACTIVE_MS)));
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    int64_t since = 0;
    struct deployment d;
    struct st_document old;
    struct deployment_walk look = {0};
    bool answered = false, found = false;
    SB_TRY(deployment_enter(r, ACTION("write"), &d, err));
    SB_TRY(document_get(r->e, d.id, r->arena, &found, &old, err));
    SB_TRY(deployment_load(&d, &answered, err));
    if (!answered)
        SB_TRY(deployment_walk(&d, &look, &answered, err));
    if (answered)
        goto out;
    if (!jobs_begin(r->e, &d.job, d.id, &since)) {
        refuse_active(&d, since);
        goto out;
    }
    struct jw w = reply_json(r, found ? 200 : 201);
    deployment_write(&d, &w, NULL); /* as it is when it begins */
    rc = deployment_run(&d, err);
    jobs_end(r->e, &d.job);
    SB_TRY(rc);
    if (d.errors.n > 0 && d.on_error)
        SB_TRY(deployment_redeploy(&d, err));
    SB_TRY(save(&d, err));
    reply_headerf(r, "Azure-AsyncOperation", "%s%s/operationStatuses/%s?api-version=%s",
                  request_base(r, HOST_ARM, NULL), d.id, d.operation, r->api_version);
out:
    deployment_done(&d);
    return rc;
}

/* ---- validate ---- */

static enum sb_err note_id(void *cookie, struct deployment *d, const struct tmpl_resource *x,
                           const struct tv *body, struct sb_error *err)
{
    struct sb_buf *ids = cookie;
    struct jw w;
    SB_UNUSED(d);
    SB_UNUSED(body);
    if (ids->n > 0)
        buf_addc(ids, ',');
    jw_init(&w, ids);
    jw_obj(&w, NULL);
    jw_str(&w, "id", x->id);
    jw_end_obj(&w);
    return buf_failed(ids) ? sb_fail(err, SB_ELIMIT, "The deployment is too large to show.") : SB_OK;
}

static enum sb_err validate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct deployment d;
    struct sb_buf ids;
    struct deployment_walk look = {.cookie = &ids, .resource = note_id};
    bool answered = false;
    buf_init(&ids, EXTRA_MAX);
    SB_TRY(deployment_enter(r, ACTION("validate/action"), &d, err));
    SB_TRY(deployment_load(&d, &answered, err));
    if (!answered)
        SB_TRY(deployment_walk(&d, &look, &answered, err));
    if (!answered) {
        struct jw w = reply_json(r, 200);
        deployment_write(&d, &w, buf_str(&ids));
    }
out:
    buf_done(&ids);
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
    SB_TRY(deployment_enter(r, action, d, err));
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
    SB_TRY(deployment_enter(r, ACTION("read"), &d, err));
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

/* One that is being carried out stops before its next resource; what is over can't be cancelled. */
static enum sb_err cancel(struct request *r, struct sb_error *err)
{
    struct deployment d;
    struct st_document doc;
    enum sb_err rc = deployment_enter(r, ACTION("cancel/action"), &d, err);
    if (rc == SB_OK && jobs_cancel(r->e, d.id)) {
        reply_empty(r, 204);
        return SB_OK;
    }
    if (rc == SB_OK)
        rc = find(r, ACTION("cancel/action"), &d, &doc, err);
    if (rc == SB_OK)
        conflict(
            r, "DeploymentCannotBeCancelled",
            arena_printf(r->arena, "The deployment '%s' cannot be cancelled: it is not running.", d.name));
    return rc;
}

#define TENANT     ""
#define MANAGED    MANAGEMENT "/{management}"
#define SUB        "/subscriptions/{sub}"
#define GROUP      SUB "/resourceGroups/{group}"
#define LIST       "/providers/" DEPLOYMENT_TYPE
#define ONE        LIST "/{deployment}"
#define OPERATIONS "/operations"
#define READ       (R_AUTH | R_APIVER)
#define SENT       (R_AUTH | R_APIVER | R_JSON | R_LENIENT)
#define ROW(method, at, flags, max, handler, op)                                                             \
    {                                                                                                        \
        method, PLANE_ARM, at, flags, max, handler, op                                                       \
    }

/* Every operation at one scope. */
#define ROWS(at, name)                                                                                       \
    ROW("GET", at LIST, READ, 0, list, "Arm" name "DeploymentList"),                                         \
        ROW("PUT", at ONE, SENT, BODY_MAX, put, "Arm" name "DeploymentPut"),                                 \
        ROW("GET", at ONE, READ, 0, get, "Arm" name "DeploymentGet"),                                        \
        ROW("HEAD", at ONE, READ, 0, head, "Arm" name "DeploymentHead"),                                     \
        ROW("DELETE", at ONE, READ, 0, delete_it, "Arm" name "DeploymentDelete"),                            \
        ROW("POST", at ONE "/validate", SENT, BODY_MAX, validate, "Arm" name "DeploymentValidate"),          \
        ROW("POST", at ONE "/whatIf", SENT, BODY_MAX, arm_whatif, "Arm" name "DeploymentWhatIf"),            \
        ROW("POST", at ONE "/cancel", READ, 0, cancel, "Arm" name "DeploymentCancel"),                       \
        ROW("POST", at ONE "/exportTemplate", READ, 0, export_template, "Arm" name "DeploymentExport"),      \
        ROW("GET", at ONE OPERATIONS, READ, 0, operations, "Arm" name "DeploymentOperations"),               \
        ROW("GET", at ONE OPERATIONS "/{operation}", READ, 0, operation, "Arm" name "DeploymentOperation"),  \
        ROW("GET", at ONE "/operationStatuses/{operation}", READ, 0, status, "Arm" name "DeploymentStatus")
/* az asks for operations without "/providers/Microsoft.Resources". */
#define SHORT(at, name)                                                                                      \
    ROW("GET", at "/deployments/{deployment}" OPERATIONS, READ, 0, operations,                               \
        "Arm" name "DeploymentOperationsShort"),                                                             \
        ROW("GET", at "/deployments/{deployment}" OPERATIONS "/{operation}", READ, 0, operation,             \
            "Arm" name "DeploymentOperationShort")

static const struct route rows[] = {ROWS(GROUP, "Group"),        ROWS(SUB, "Subscription"),
                                    ROWS(MANAGED, "Management"), ROWS(TENANT, "Tenant"),
                                    SHORT(GROUP, "Group"),       SHORT(SUB, "Subscription")};
const struct route_table routes_arm_deployment = {rows, SB_ARRAY_LEN(rows)};
