/*
 * arm_generic.c: resources of providers that are not emulated, by id. Templates make them (they are kept as
 * they were sent); here they are read, changed and deleted. One that is not there is what it was before: of
 * an unknown provider.
 */
#include <string.h>
#include "api/apiver.h"
#include "api/arm.h"
#include "server/base/text.h"
#include "server/engine/document.h"

/* The resource of the path, which the caller may do `verb` with. */
static enum sb_err find(struct request *r, const char *verb, struct st_document *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    SB_TRY(request_param(r, "group") ? arm_require_group(r, NULL, err) : arm_require_sub(r, err));
    SB_TRY(document_get(r->e, r->path, r->arena, &found, ret, err));
    if (!found || ret->kind != DOCUMENT_RESOURCE)
        return apiver_no_route(r, err);
    const char *action = arena_printf(r->arena, "%s/%s", ret->type, verb);
    SB_TRY(action ? arm_require(r, action, ret->id, err) : SB_ENOMEM);
    if (!request_query(r, "api-version"))
        rc = sb_fail(err, SB_ENOAPIVERSION,
                     "The api-version query parameter (?api-version=) is required for all requests.");
out:
    return rc;
}

static enum sb_err get(struct request *r, struct sb_error *err)
{
    struct st_document d;
    enum sb_err rc = find(r, "read", &d, err);
    if (rc != SB_OK)
        return rc;
    struct jw w = reply_json(r, 200);
    jw_raw(&w, NULL, d.body);
    return SB_OK;
}

/* The body as sent, behind what the path says. */
static const char *body_of(struct request *r, const struct st_document *d)
{
    static const char *const of_path[] = {"id", "name", "type"};
    struct sb_buf b;
    struct jw w;
    buf_init(&b, r->body.n + 4096);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "id", d->id);
    jw_str(&w, "name", d->name);
    jw_str(&w, "type", d->type);
    JSON_FOREACH (m, r->json) {
        bool skip = false;
        for (size_t i = 0; i < SB_ARRAY_LEN(of_path); i++)
            skip |= text_ieq(json_key(m), of_path[i]);
        if (!skip)
            jw_raw(&w, json_key(m), json_print(m, r->arena));
    }
    jw_end_obj(&w);
    const char *text = buf_failed(&b) ? NULL : arena_strndup(r->arena, buf_str(&b), b.n);
    buf_done(&b);
    return text;
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct st_document d;
    SB_TRY(find(r, "write", &d, err));
    SB_TRY(arm_location(r, r->json, false, &d.location, err));
    d.body = body_of(r, &d);
    if (!d.body)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(document_put(r->e, &d, err));
    struct jw w = reply_json(r, 200);
    jw_raw(&w, NULL, d.body);
out:
    return rc;
}

static enum sb_err delete_it(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct st_document d;
    SB_TRY(find(r, "delete", &d, err));
    SB_TRY(document_remove(r->e, d.id, err));
    reply_empty(r, 200);
out:
    return rc;
}

#define GROUP    "/subscriptions/{sub}/resourceGroups/{group}/providers/{resource*}"
#define SUB      "/subscriptions/{sub}/providers/{resource*}"
#define BODY_MAX (1u << 20)

static const struct route rows[] = {
    {"GET", PLANE_ARM, GROUP, R_AUTH, 0, get, "ArmGenericGet"},
    {"PUT", PLANE_ARM, GROUP, R_AUTH | R_JSON, BODY_MAX, put, "ArmGenericPut"},
    {"DELETE", PLANE_ARM, GROUP, R_AUTH, 0, delete_it, "ArmGenericDelete"},
    {"GET", PLANE_ARM, SUB, R_AUTH, 0, get, "ArmGenericSubGet"},
    {"PUT", PLANE_ARM, SUB, R_AUTH | R_JSON, BODY_MAX, put, "ArmGenericSubPut"},
    {"DELETE", PLANE_ARM, SUB, R_AUTH, 0, delete_it, "ArmGenericSubDelete"},
};
const struct route_table routes_arm_generic = {rows, SB_ARRAY_LEN(rows)};
