/*
 * arm_deployment_error.c: onErrorDeployment: the deployment that is carried out again when this one fails,
 * the last successful one of the scope or one that is named.
 *
 * It is put under its own name, with the template and the parameters that were kept (choice). The values of
 * secure parameters are not kept: a deployment that had some is refused from the start.
 */
#include <string.h>
#include "api/arm_call.h"
#include "api/arm_deployment.h"
#include "server/base/text.h"
#include "server/engine/document.h"

static bool succeeded(const struct json *j)
{
    const char *state = json_text(json_path(j, "properties.provisioningState"));
    return state && text_ieq(state, "Succeeded");
}

static bool is_secure(const struct json *parameter)
{
    const char *type = json_text(json_get(parameter, "type"));
    return type && text_istarts(type, "secure") && !json_get(parameter, "reference");
}

/* May it be carried out again? */
static enum sb_err judge(struct deployment *d, const struct st_document *doc, struct sb_error *err)
{
    struct json *j = NULL;
    enum sb_err rc = json_parse(doc->body, strlen(doc->body), &j, err);
    if (rc == SB_OK && !succeeded(j))
        rc =
            sb_fail(err, SB_EBADREQUEST,
                    "The deployment '%.64s' of onErrorDeployment cannot be redeployed: it has not succeeded.",
                    doc->name);
    if (rc == SB_OK) {
        JSON_FOREACH (p, json_path(j, "properties.parameters")) {
            if (is_secure(p)) {
                rc =
                    sb_fail(err, SB_EBADREQUEST,
                            "The deployment '%.64s' of onErrorDeployment cannot be redeployed: the values of "
                            "its secure parameters are not kept.",
                            doc->name);
                break;
            }
        }
    }
    if (rc == SB_OK && !(d->on_error_name = arena_strdup(d->r->arena, doc->name)))
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    json_free(j);
    return rc;
}

/* What to PUT: the kept template with the kept parameters. NULL: it does not read, or memory. */
static const char *body_of(struct deployment *d, const struct st_document *doc)
{
    struct sb_arena *a = tmpl_arena(d->t);
    const struct tv *shown = NULL, *extra = NULL;
    struct sb_buf b;
    struct jw w;
    if (tmpl_read(d->t, doc->body, strlen(doc->body), &shown, NULL) != SB_OK ||
        tmpl_read(d->t, doc->extra, strlen(doc->extra), &extra, NULL) != SB_OK)
        return NULL;
    const struct tv *parameters = tv_path(shown, "properties.parameters"),
                    *template = tv_get(extra, "template");
    const char *mode = tv_text(tv_path(shown, "properties.mode"));
    buf_init(&b, TMPL_TEXT_MAX * 2);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "location", doc->location);
    jw_obj(&w, "properties");
    jw_str(&w, "mode", mode ? mode : "Incremental");
    if (parameters)
        tv_write(&w, "parameters", parameters);
    if (template)
        tv_write(&w, "template", template);
    jw_end_obj(&w);
    jw_end_obj(&w);
    const char *text = buf_failed(&b) ? NULL : arena_strndup(a, buf_str(&b), b.n);
    buf_done(&b);
    return text;
}

/* The newest of the scope that has succeeded. */
static enum sb_err last_successful(struct deployment *d, struct st_document *ret, bool *ret_found,
                                   struct sb_error *err)
{
    struct st_document *docs = NULL;
    size_t n = 0;
    enum sb_err rc =
        document_list(d->r->e, DOCUMENT_DEPLOYMENT, d->scope, false, d->r->arena, &docs, &n, err);
    for (size_t i = 0; rc == SB_OK && i < n && !*ret_found; i++) {
        struct json *j = NULL;
        rc = json_parse(docs[i].body, strlen(docs[i].body), &j, err);
        *ret_found = rc == SB_OK && succeeded(j);
        if (*ret_found)
            *ret = docs[i];
        json_free(j);
    }
    return rc;
}

static enum sb_err named(struct deployment *d, const char *name, struct st_document *ret, bool *ret_found,
                         struct sb_error *err)
{
    const char *id = arena_printf(d->r->arena, "%s/providers/" DEPLOYMENT_TYPE "/%s", d->scope, name);
    return id ? document_get(d->r->e, id, d->r->arena, ret_found, ret, err)
              : sb_fail(err, SB_ENOMEM, "out of memory");
}

enum sb_err deployment_on_error(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc;
    struct st_document doc;
    bool found = false;
    const struct tv *o = tv_path(d->body, "properties.onErrorDeployment");
    const char *type = tv_text(tv_get(o, "type")), *name = tv_text(tv_get(o, "deploymentName"));
    if (!o || o->type == TV_NULL)
        return SB_OK;
    bool last = type && text_ieq(type, "LastSuccessful");
    if (!type || (!last && !(text_ieq(type, "SpecificDeployment") && name)))
        return sb_fail(err, SB_EBADREQUEST,
                       "onErrorDeployment needs the type 'LastSuccessful', or 'SpecificDeployment' and a "
                       "'deploymentName'.");
    SB_TRY(last ? last_successful(d, &doc, &found, err) : named(d, name, &doc, &found, err));
    if (!found && last)
        return sb_fail(
            err, SB_EBADREQUEST,
            "onErrorDeployment asks for the last successful deployment: there is none at '%.200s'.",
            d->scope);
    if (!found)
        return sb_fail(err, SB_ENODEPLOYMENT, "Deployment '%.64s' could not be found.", name);
    SB_TRY(judge(d, &doc, err));
    d->on_error_body = body_of(d, &doc);
    if (!d->on_error_body)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    d->on_error = last ? "LastSuccessful" : "SpecificDeployment";
out:
    return rc;
}

/* ---- redeploying ---- */

enum sb_err deployment_redeploy(struct deployment *d, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_answer answer = {0};
    const struct tv *after = NULL;
    struct sb_arena *a = tmpl_arena(d->t);
    const char *id = arena_printf(a, "%s/providers/" DEPLOYMENT_TYPE "/%s", d->scope, d->on_error_name);
    const char *url = arena_printf(a, "%s?api-version=2022-09-01", id ? id : "");
    if (!id || !url)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    d->on_error_state = "Failed";
    SB_TRY(arm_call(d->r, a, "PUT", url, d->on_error_body, &answer, err));
    if (answer.status >= 300)
        goto out;
    SB_TRY(deployment_ask(d->r, a, "GET", id, "2022-09-01", NULL, &after, err));
    const char *state = tv_text(tv_path(after, "properties.provisioningState"));
    d->on_error_state = state ? state : d->on_error_state;
out:
    return rc;
}
