/*
 * arm_namespace.c: Microsoft.ServiceBus/namespaces on the ARM plane: the namespaces themselves, lists, names,
 * and what clients poll after a DELETE.
 */
#include "api/arm_namespace.h"
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"

#define BODY_MAX      65536u
#define NAME_MAX_READ 260

/* ---- what handlers share ---- */

enum sb_err arm_ns_require(struct request *r, const char *action, struct sb_error *err)
{
    enum sb_err rc;
    const char *whole = arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s", action);
    if (!whole)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, whole,
                       arm_id(r, request_param(r, "sub"), request_param(r, "group"),
                              "Microsoft.ServiceBus/namespaces/%s", request_param(r, "ns")),
                       err));
    SB_TRY(arm_require_group(r, NULL, err));
out:
    return rc;
}

enum sb_err arm_ns_child(struct request *r, const char *type, const char *action, const char *verb,
                         struct ns_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    const char *parent = arm_id(r, sub, group, "Microsoft.ServiceBus/namespaces/%s", ns);
    const char *whole = arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s", action);
    char *lower = arena_strdup(r->arena, type);
    if (whole == NULL || lower == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, whole, parent, err));
    /* Recorded: a delete in a group that is gone misses the parent; other calls miss the group. */
    SB_TRY(strcmp(verb, "delete") == 0 ? arm_require_sub(r, err) : arm_require_group(r, NULL, err));
    rc = ns_get(r->e, sub, group, ns, r->arena, ret, err);
    if (rc == SB_ENOTFOUND)
        return sb_fail(
            err, SB_ENOPARENT,
            "Failed to perform '%s' on resource(s) of type 'namespaces/%s', because the parent resource "
            "'%.800s' could not be found.",
            verb, text_tolower(lower), parent);
    if (rc == SB_OK && strcmp(verb, "read") != 0)
        rc = arm_ns_error(r, ns_require_writable(r->e, sub, group, ns, err), err);
out:
    return rc;
}

enum sb_err arm_ns_error(struct request *r, enum sb_err rc, struct sb_error *err)
{
    static const enum sb_err own[] = {SB_EBADREQUEST, SB_EINVAL,  SB_EREVOKED, SB_EUNREACHABLE,
                                      SB_ECONFLICT,   SB_EEXISTS, SB_ELIMIT,   SB_EUNAVAILABLE};
    for (size_t i = 0; i < SB_ARRAY_LEN(own); i++) {
        if (rc != own[i])
            continue;
        const char *text = arena_strdup(r->arena, err->detail);
        return sb_fail(err, rc, "%s CorrelationId: %s", text ? text : sb_err_text(rc), r->correlation_id);
    }
    return rc;
}

/* ---- one namespace ---- */

static enum sb_err write_ns(struct request *r, bool patch, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_spec s;
    struct ns_view v;
    bool created = false;
    SB_TRY(arm_ns_require(r, "write", err));
    SB_TRY(arm_ns_read(r, r->json, &s, err));
    s.patch = patch;
    if (!patch && !s.location) { /* a new one must say where it is to be */
        struct ns_view there;
        if (ns_get(r->e, s.sub, s.group, s.name, r->arena, &there, NULL) != SB_OK)
            SB_TRY(arm_location(r, r->json, true, &s.location, err));
    }
    SB_TRY(arm_ns_error(r, ns_put(r->e, &s, r->arena, &v, &created, err), err));
    struct jw w = reply_json(r, created ? arm_ns_created_status(r) : 200);
    arm_ns_write(r, &w, &v);
out:
    return rc;
}

static enum sb_err put_handler(struct request *r, struct sb_error *err)
{
    return write_ns(r, false, err);
}

static enum sb_err patch_handler(struct request *r, struct sb_error *err)
{
    return write_ns(r, true, err);
}

static enum sb_err get_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(arm_ns_require(r, "read", err));
    SB_TRY(ns_get(r->e, request_param(r, "sub"), request_param(r, "group"), request_param(r, "ns"), r->arena,
                  &v, err));
    struct jw w = reply_json(r, 200);
    arm_ns_write(r, &w, &v);
out:
    return rc;
}

/* Where a deletion is polled, by generation of the provider (recorded): the namespace's own operation
 * results, the group's operation status, the subscription's operation results. */
static void poll_location(struct request *r, const struct ns_view *v)
{
    char id[SB_GUID_LEN + 1];
    const char *base = request_base(r, HOST_ARM, NULL), *version = r->api_version;
    if (strncmp(version, "2022-10-01", 10) < 0) {
        reply_headerf(r, "Location", "%s%s/operationresults/%s?api-version=%s", base,
                      arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s", v->name), v->name,
                      version);
    } else if (strncmp(version, "2023-01-01", 10) < 0) {
        reply_headerf(r, "Location",
                      "%s/subscriptions/%s/resourcegroups/%s/providers/Microsoft.ServiceBus/locations/%s/"
                      "operationStatus/%s?api-version=%s&resourceType=Namespace",
                      base, v->sub, v->group, v->location, v->name, version);
    } else {
        rng_guid(id);
        reply_headerf(
            r, "Location",
            "%s/subscriptions/%s/providers/Microsoft.ServiceBus/locations/%s/namespaceOperationResults/"
            "%s?isAsyncHeader=false&"
            "resourceName=%s&resourceType=namespace&api-version=%s&operationType=Deleted",
            base, v->sub, v->location, id, v->name, version);
    }
}

/* Recorded: 202 with nothing but a Location, which answers 204 in the end. Without --provisioning-delay it is
 * over at once. */
static enum sb_err delete_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool existed = false;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    SB_TRY(arm_ns_require(r, "delete", err));
    rc = ns_get(r->e, sub, group, ns, r->arena, &v, err);
    if (rc == SB_OK)
        rc = arm_ns_error(r, ns_delete(r->e, sub, group, ns, &existed, err), err);
    else if (rc == SB_ENOTFOUND)
        rc = SB_OK;
    if (rc != SB_OK)
        goto out;
    if (!existed) {
        reply_empty(r, 204);
        goto out;
    }
    reply_empty(r, 202);
    poll_location(r, &v);
out:
    return rc;
}

/* ---- what a client polls ---- */

#define RETRY_AFTER_S                                                                                        \
    5 /* recorded are 38 and 46 s; an emulator's client need not wait that long (choice)                     \
       */

/* Still there, because its deletion takes its time. */
static bool still_deleting(struct request *r, const char *ns, struct ns_view *ret)
{
    return ns && ns_by_name(r->e, ns, r->arena, ret, NULL) == SB_OK &&
           text_ieq(ret->sub, request_param(r, "sub")) && ret->move == MOVE_DELETE;
}

static void answer_poll(struct request *r, const char *ns)
{
    struct ns_view v;
    bool going = still_deleting(r, ns, &v);
    reply_empty(r, going ? 202 : 204);
    /* Recorded: the last answer, too, says where it came from. */
    reply_headerf(r, "Location", "%s%s", request_base(r, HOST_ARM, NULL), r->url);
    if (going)
        reply_headerf(r, "Retry-After", "%d", RETRY_AFTER_S);
}

static enum sb_err operation_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require_sub(r, err));
    const char *async = request_query(r, "isAsyncHeader");
    if (async && text_ieq(async, "true")) { /* of a failover, which is over */
        struct jw w = reply_json(r, 200);
        jw_obj(&w, NULL);
        jw_str(&w, "name", request_param(r, "id"));
        jw_str(&w, "status", "Succeeded");
        jw_end_obj(&w);
        goto out;
    }
    answer_poll(r, request_query(r, "resourceName"));
out:
    return rc;
}

static enum sb_err status_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require_sub(r, err));
    answer_poll(r, request_param(r, "id"));
out:
    return rc;
}

/* The oldest form shows the namespace on its way out (recorded). At the end the service is said to answer
   404; SDKs' pollers take that for a failure, so ours says 204 (choice). */
static enum sb_err result_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(arm_require_sub(r, err));
    if (!still_deleting(r, request_param(r, "ns"), &v)) {
        reply_empty(r, 204);
        return SB_OK;
    }
    struct jw w = reply_json(r, 202);
    arm_ns_write(r, &w, &v);
    reply_headerf(r, "Location", "%s%s", request_base(r, HOST_ARM, NULL), r->url);
    reply_headerf(r, "Retry-After", "%d", RETRY_AFTER_S);
out:
    return rc;
}

/* ---- lists ---- */

static enum sb_err answer_list(struct request *r, const char *group, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view *list = NULL;
    size_t n = 0;
    SB_TRY(ns_list(r->e, request_param(r, "sub"), group, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        arm_ns_write(r, &w, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err list_group_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *group = request_param(r, "group");
    SB_TRY(arm_require(r, "Microsoft.ServiceBus/namespaces/read",
                       arm_id(r, request_param(r, "sub"), group, NULL), err));
    SB_TRY(arm_require_group(r, NULL, err));
    rc = answer_list(r, group, err);
out:
    return rc;
}

static enum sb_err require_sub(struct request *r, const char *action, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require(r, action, arm_id(r, request_param(r, "sub"), NULL, NULL), err));
    SB_TRY(arm_require_sub(r, err));
out:
    return rc;
}

static enum sb_err list_sub_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(require_sub(r, "Microsoft.ServiceBus/namespaces/read", err));
    rc = answer_list(r, NULL, err);
out:
    return rc;
}

/* ---- names ---- */

static enum sb_err name_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *name = NULL;
    struct sb_error why = {.code = SB_OK};
    SB_TRY(require_sub(r, "Microsoft.ServiceBus/checkNameAvailability/action", err));
    SB_TRY(json_opt_str(r->json, "", "name", &name, err));
    if (!name || strlen(name) > NAME_MAX_READ)
        return sb_fail(err, SB_EBADREQUEST, "The name that is to be checked is missing or too long.");
    enum sb_err found = ns_name_check(r->e, name, &why);
    if (found != SB_OK && found != SB_EINVAL && found != SB_EEXISTS)
        return sb_fail(err, found, "%s", why.detail);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_bool(&w, "nameAvailable", found == SB_OK);
    jw_str(&w, "reason", found == SB_OK ? "None" : found == SB_EINVAL ? "InvalidName" : "NameInUse");
    jw_str(&w, "message", found == SB_OK ? "Namespace name available" : why.detail);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- routes ---- */

#define SUB_PATH   "/subscriptions/{sub}/providers/Microsoft.ServiceBus/"
#define GROUP_PATH "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces"
#define NS_PATH    GROUP_PATH "/{ns}"
#define RULES_PATH NS_PATH "/authorizationRules"
#define READ       (R_AUTH | R_APIVER)
#define WRITE      (R_AUTH | R_APIVER | R_JSON)

static const struct route rows[] = {
    {"PUT", PLANE_ARM, NS_PATH, WRITE, BODY_MAX, put_handler, "ArmNamespacePut"},
    {"PATCH", PLANE_ARM, NS_PATH, WRITE, BODY_MAX, patch_handler, "ArmNamespacePatch"},
    {"GET", PLANE_ARM, NS_PATH, READ, 0, get_handler, "ArmNamespaceGet"},
    {"DELETE", PLANE_ARM, NS_PATH, READ, 0, delete_handler, "ArmNamespaceDelete"},
    {"GET", PLANE_ARM, GROUP_PATH, READ, 0, list_group_handler, "ArmNamespaceListByGroup"},
    {"GET", PLANE_ARM, SUB_PATH "namespaces", READ, 0, list_sub_handler, "ArmNamespaceList"},
    {"POST", PLANE_ARM, SUB_PATH "CheckNameAvailability", WRITE, BODY_MAX, name_handler,
     "ArmNamespaceCheckName"},
    {"GET", PLANE_ARM, SUB_PATH "locations/{location}/namespaceOperationResults/{id}", READ, 0,
     operation_handler, "ArmNamespaceOperationResult"},
    {"GET", PLANE_ARM,
     "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/locations/{location}/"
     "operationStatus/{id}",
     READ, 0, status_handler, "ArmNamespaceOperationStatus"},
    {"GET", PLANE_ARM, NS_PATH "/operationresults/{id}", READ, 0, result_handler, "ArmNamespaceOldResult"},
    {"PUT", PLANE_ARM, RULES_PATH "/{rule}", WRITE, BODY_MAX, arm_ns_rule_put, "ArmNamespaceRulePut"},
    {"GET", PLANE_ARM, RULES_PATH "/{rule}", READ, 0, arm_ns_rule_get, "ArmNamespaceRuleGet"},
    {"DELETE", PLANE_ARM, RULES_PATH "/{rule}", READ, 0, arm_ns_rule_delete, "ArmNamespaceRuleDelete"},
    {"GET", PLANE_ARM, RULES_PATH, READ, 0, arm_ns_rule_list, "ArmNamespaceRuleList"},
    {"POST", PLANE_ARM, RULES_PATH "/{rule}/listKeys", READ | R_JSON | R_EMPTYOK, BODY_MAX, arm_ns_rule_keys,
     "ArmNamespaceRuleListKeys"},
    {"POST", PLANE_ARM, RULES_PATH "/{rule}/regenerateKeys", WRITE, BODY_MAX, arm_ns_rule_regenerate,
     "ArmNamespaceRuleRegenerateKeys"},
};

const struct route_table routes_arm_namespace = {rows, SB_ARRAY_LEN(rows)};
