/*
 * arm_tags.c: Microsoft.Resources/tags/default: the tags of any resource that has some, read and changed
 * through the resource's own GET and PATCH, so that whatever these check and allow holds here too.
 */
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "server/base/text.h"

#define DEFAULT   "/providers/Microsoft.Resources/tags/default"
#define TEXT_MAX  65536
#define NAME_MAX  512
#define VALUE_MAX 256

/* ---- the resource's own operations ---- */

/* What a handler looks at, set aside while another resource's handler works on the same request. */
struct aside {
    const struct route *route;
    struct request_pair params[SB_ARRAY_LEN(((struct request *)0)->params)];
    size_t params_n;
    char *path;
    const char *method, *api_version;
    struct json *json;
};

static void put_aside(struct request *r, struct aside *a)
{
    *a = (struct aside){.route = r->route,
                        .params_n = r->params_n,
                        .path = r->path,
                        .method = r->method,
                        .api_version = r->api_version,
                        .json = r->json};
    memcpy(a->params, r->params, sizeof a->params);
}

static void take_back(struct request *r, const struct aside *a)
{
    r->route = a->route;
    r->params_n = a->params_n;
    memcpy(r->params, a->params, sizeof a->params);
    r->path = a->path;
    r->method = a->method;
    r->api_version = a->api_version;
    r->json = a->json;
}

/* "Microsoft.ServiceBus/namespaces" of a scope: the version that its provider answers with. */
static const char *version_for(struct request *r, const char *scope)
{
    const char *last = NULL;
    for (const char *p = scope; (p = strstr(p, "/providers/")) != NULL; p++)
        last = p + strlen("/providers/");
    const char *found = last != NULL ? arm_provider_version(r, last) : NULL;
    return found != NULL ? found : r->api_version;
}

/* Calls the resource's own handler. *ret: its answer, to be freed. */
static enum sb_err on_resource(struct request *r, const char *method, const char *body, struct json **ret,
                               struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct aside aside;
    struct json *sent = NULL, *answer = NULL;
    const char *allow = NULL, *scope = arena_printf(r->arena, "/%s", request_param(r, "scope"));
    put_aside(r, &aside);
    if (body != NULL)
        SB_TRY(json_parse(body, strlen(body), &sent, err));
    r->path = arena_strdup(r->arena, scope);
    r->method = method;
    r->api_version = version_for(r, scope);
    r->json = sent;
    if (r->path == NULL || route_match(route_index_all(), r, &allow, err) != SB_OK ||
        strcmp(r->route->method, method) != 0 || strstr(r->route->path, DEFAULT) != NULL) {
        rc = sb_fail(err, SB_ENOTFOUND, "The resource '%.300s' was not found, or has no tags.", scope);
        goto out;
    }
    SB_TRY(r->route->handler(r, err));
    SB_TRY(json_parse(r->reply.body.p, r->reply.body.n, &answer, err));
    *ret = answer;
out:
    take_back(r, &aside);
    json_free(sent);
    buf_clear(&r->reply.body);
    r->reply.status = 0;
    r->reply.headers_n = 0;
    return rc;
}

/* ---- tags ---- */

static const char *tags_of(struct request *r, const struct json *resource)
{
    const struct json *tags = json_get(resource, "tags");
    const char *text = json_is_object(tags) ? json_print(tags, r->arena) : "{}";
    return text != NULL ? text : "{}";
}

static void reply_tags(struct request *r, const char *tags)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_strf(&w, "id", "/%s" DEFAULT, request_param(r, "scope"));
    jw_str(&w, "name", "default");
    jw_str(&w, "type", "Microsoft.Resources/tags");
    jw_obj(&w, "properties");
    jw_raw(&w, "tags", tags);
    jw_end_obj(&w);
    jw_end_obj(&w);
}

static enum sb_err get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct json *resource = NULL;
    SB_TRY(on_resource(r, "GET", NULL, &resource, err));
    reply_tags(r, tags_of(r, resource));
out:
    json_free(resource);
    return rc;
}

/* tags: JSON text. */
static enum sb_err replace(struct request *r, const char *tags, struct json **ret, struct sb_error *err)
{
    const char *body = arena_printf(r->arena, "{\"tags\":%s}", tags);
    return body != NULL ? on_resource(r, "PATCH", body, ret, err) : sb_fail(err, SB_ENOMEM, "out of memory");
}

/* The tags that the request holds; none is an error. */
static enum sb_err sent_tags(struct request *r, const struct json **ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *properties = NULL, *tags = NULL;
    SB_TRY(json_opt_obj(r->json, "", "properties", &properties, err));
    SB_TRY(json_opt_obj(properties, "properties", "tags", &tags, err));
    if (tags == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The request has no 'properties.tags'.");
    JSON_FOREACH (t, tags) {
        const char *name = json_key(t), *v = json_text(t);
        if (v == NULL || utf8_length(v, strlen(v)) > VALUE_MAX || utf8_length(name, strlen(name)) > NAME_MAX)
            return sb_fail(err, SB_EBADREQUEST, "The tag '%.80s' must be a text of at most %d characters.",
                           name, VALUE_MAX);
    }
    *ret = tags;
out:
    return rc;
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *tags = NULL;
    struct json *resource = NULL;
    SB_TRY(sent_tags(r, &tags, err));
    SB_TRY(replace(r, json_print(tags, r->arena), &resource, err));
    reply_tags(r, tags_of(r, resource));
out:
    json_free(resource);
    return rc;
}

/* merge: what was sent wins and the rest stays; delete: those sent with the same value (or none) go. */
static const char *combine(struct request *r, const struct json *have, const struct json *sent, bool merge)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, TEXT_MAX);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    JSON_FOREACH (t, have) {
        const struct json *other = json_get(sent, json_key(t));
        bool gone = !merge && other != NULL &&
                    (json_text(other)[0] == '\0' || strcmp(json_text(other), json_text(t)) == 0);
        if (!gone && (!merge || other == NULL))
            jw_str(&w, json_key(t), json_text(t));
    }
    if (merge) {
        JSON_FOREACH (t, sent)
            jw_str(&w, json_key(t), json_text(t));
    }
    jw_end_obj(&w);
    const char *text = buf_failed(&b) ? NULL : arena_strdup(r->arena, buf_str(&b));
    buf_done(&b);
    return text;
}

static enum sb_err patch(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *operation = NULL, *tags = NULL;
    const struct json *sent = NULL;
    struct json *before = NULL, *after = NULL;
    SB_TRY(json_opt_str(r->json, "", "operation", &operation, err));
    SB_TRY(sent_tags(r, &sent, err));
    SB_TRY(on_resource(r, "GET", NULL, &before, err));
    if (operation != NULL && text_ieq(operation, "Replace"))
        tags = json_print(sent, r->arena);
    else if (operation != NULL && (text_ieq(operation, "Merge") || text_ieq(operation, "Delete")))
        tags = combine(r, json_get(before, "tags"), sent, text_ieq(operation, "Merge"));
    else
        rc = sb_fail(err, SB_EBADREQUEST, "The operation '%.40s' is none of Merge, Replace, Delete.",
                     operation != NULL ? operation : "");
    if (rc == SB_OK && tags == NULL)
        rc = sb_fail(err, SB_EBADREQUEST, "A resource cannot have so many tags.");
    if (rc != SB_OK)
        goto out;
    SB_TRY(replace(r, tags, &after, err));
    reply_tags(r, tags_of(r, after));
out:
    json_free(before);
    json_free(after);
    return rc;
}

static enum sb_err delete_all(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct json *resource = NULL;
    SB_TRY(replace(r, "{}", &resource, err));
    reply_empty(r, 200);
out:
    json_free(resource);
    return rc;
}

#define PATH "/{scope*}" DEFAULT

static const struct route rows[] = {
    {"GET", PLANE_ARM, PATH, R_AUTH | R_APIVER, 0, get, "ArmTagsGet"},
    {"PUT", PLANE_ARM, PATH, R_AUTH | R_APIVER | R_JSON, TEXT_MAX, put, "ArmTagsPut"},
    {"PATCH", PLANE_ARM, PATH, R_AUTH | R_APIVER | R_JSON, TEXT_MAX, patch, "ArmTagsPatch"},
    {"DELETE", PLANE_ARM, PATH, R_AUTH | R_APIVER, 0, delete_all, "ArmTagsDelete"},
};
const struct route_table routes_arm_tags = {rows, SB_ARRAY_LEN(rows)};
