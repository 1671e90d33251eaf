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

/* Recorded: 202 with nothing but a Location, which answers 204 in the end. It is over at once here. */
static enum sb_err delete_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool existed = false;
    char id[SB_GUID_LEN + 1];
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    SB_TRY(arm_ns_require(r, "delete", err));
    rc = ns_get(r->e, sub, group, ns, r->arena, &v, err);
    if (rc == SB_OK)
        rc = ns_delete(r->e, sub, group, ns, &existed, err);
    else if (rc == SB_ENOTFOUND)
        rc = SB_OK;
    if (rc != SB_OK)
        goto out;
    if (!existed) {
        reply_empty(r, 204);
        goto out;
    }
    rng_guid(id);
    reply_empty(r, 202);
    reply_headerf(r, "Location",
                  "%s/subscriptions/%s/providers/Microsoft.ServiceBus/locations/%s/namespaceOperationResults/"
                  "%s?isAsyncHeader=false&"
                  "resourceName=%s&resourceType=namespace&api-version=%s&operationType=Deleted",
                  request_base(r, HOST_ARM, NULL), v.sub, v.location, id, v.name, r->api_version);
out:
    return rc;
}

static enum sb_err operation_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require_sub(r, err));
    reply_empty(r, 204);
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

/* ---- network rules: everybody may come, as recorded of a namespace without any ---- */

static void write_network(struct request *r, struct jw *w, const struct ns_view *v)
{
    jw_obj(w, NULL);
    jw_str(
        w, "id",
        arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s/networkrulesets/default", v->name));
    jw_str(w, "name", "default");
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces/NetworkRuleSets");
    jw_str(w, "location", v->location);
    jw_obj(w, "properties");
    jw_str(w, "publicNetworkAccess", v->public_access ? "Enabled" : "Disabled");
    jw_str(w, "defaultAction", "Allow");
    jw_arr(w, "virtualNetworkRules");
    jw_end_arr(w);
    jw_arr(w, "ipRules");
    jw_end_arr(w);
    jw_bool(w, "trustedServiceAccessEnabled", false);
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err network(struct request *r, bool list, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(arm_ns_require(r, "networkRuleSets/read", err));
    SB_TRY(ns_get(r->e, request_param(r, "sub"), request_param(r, "group"), request_param(r, "ns"), r->arena,
                  &v, err));
    struct jw w = reply_json(r, 200);
    if (list) {
        jw_obj(&w, NULL);
        jw_arr(&w, "value");
    }
    write_network(r, &w, &v);
    if (list) {
        jw_end_arr(&w);
        jw_end_obj(&w);
    }
out:
    return rc;
}

static enum sb_err network_handler(struct request *r, struct sb_error *err)
{
    return network(r, false, err);
}

static enum sb_err network_list_handler(struct request *r, struct sb_error *err)
{
    return network(r, true, err);
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
    {"PUT", PLANE_ARM, RULES_PATH "/{rule}", WRITE, BODY_MAX, arm_ns_rule_put, "ArmNamespaceRulePut"},
    {"GET", PLANE_ARM, RULES_PATH "/{rule}", READ, 0, arm_ns_rule_get, "ArmNamespaceRuleGet"},
    {"DELETE", PLANE_ARM, RULES_PATH "/{rule}", READ, 0, arm_ns_rule_delete, "ArmNamespaceRuleDelete"},
    {"GET", PLANE_ARM, RULES_PATH, READ, 0, arm_ns_rule_list, "ArmNamespaceRuleList"},
    {"POST", PLANE_ARM, RULES_PATH "/{rule}/listKeys", READ | R_JSON | R_EMPTYOK, BODY_MAX, arm_ns_rule_keys,
     "ArmNamespaceRuleListKeys"},
    {"POST", PLANE_ARM, RULES_PATH "/{rule}/regenerateKeys", WRITE, BODY_MAX, arm_ns_rule_regenerate,
     "ArmNamespaceRuleRegenerateKeys"},
    {"GET", PLANE_ARM, NS_PATH "/networkRuleSets/default", READ, 0, network_handler,
     "ArmNamespaceNetworkRules"},
    {"GET", PLANE_ARM, NS_PATH "/networkRuleSets", READ, 0, network_list_handler,
     "ArmNamespaceNetworkRuleSets"},
};

const struct route_table routes_arm_namespace = {rows, SB_ARRAY_LEN(rows)};
