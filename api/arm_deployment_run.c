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
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"

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
    if (x) {
        rng_hex32(id);
        id[16] = '\0';
        for (char *p = id; *p; p++)
            *p = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
    } else {
        text_copy(id, sizeof id, d->operation); /* as recorded */
    }
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
    char *shown = arena_strdup(d->r->arena, message ? message : "");
    if (shown)
        tmpl_scrub(d->t, shown);
    message = shown ? shown : "";
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
    const char *const *made = NULL;
    size_t made_n = deployment_made(d, &made);
    const char *path = arena_printf(a, "%s/resources", d->scope);
    SB_TRY(deployment_ask(d->r, a, "GET", path ? path : "/", "2022-09-01", NULL, &v, err));
    const struct tv *list = tv_get(v, "value");
    for (uint32_t i = 0; tv_is(list, TV_ARRAY) && i < list->n; i++) {
        const char *id = tv_text(tv_get(list->u.items[i], "id")),
                   *type = tv_text(tv_get(list->u.items[i], "type"));
        struct arm_answer answer = {0};
        if (!id || !type || in_template(d, id) || deployment_has_made(made, made_n, id))
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
    bool stopped = false;
    for (size_t k = 0; k < n && !stopped; k++) {
        SB_TRY(deployment_put(d, tmpl_at(d->t, k), err));
        stopped = jobs_cancelled(d->r->e, &d->job);
    }
    SB_TRY(deployment_settle(d, err));
    if (stopped) {
        d->state = "Canceled";
        goto out;
    }
    if (d->errors.n == 0 && text_ieq(d->mode, "Complete"))
        SB_TRY(delete_others(d, err));
    if (d->errors.n == 0) {
        rc = tmpl_outputs(d->t, &d->outputs, &d->outputs_n, err);
        if (rc == SB_ETEMPLATE)
            add_error(d, tmpl_fault(d->t)->code, tmpl_fault(d->t)->message);
        else if (rc != SB_OK)
            goto out;
        deployment_operation(d, NULL, rc == SB_OK ? 200 : 400, rc == SB_OK ? NULL : tmpl_fault(d->t)->code,
                             rc == SB_OK ? NULL : tmpl_fault(d->t)->message);
        rc = SB_OK;
    }
    d->state = d->errors.n > 0 ? "Failed" : "Succeeded";
out:
    deployment_dismiss(d);
    return rc;
}
