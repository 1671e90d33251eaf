/*
 * arm_alias.c: Microsoft.ServiceBus/namespaces/disasterRecoveryConfigs on the ARM plane: geo-DR aliases, and
 * the namespace's authorization rules as seen through them. Shapes as recorded. What the service does over
 * minutes is done when the emulator answers (choice), so a state of "Accepted" is never seen.
 */
#include <string.h>
#include "api/arm_auth.h"
#include "api/arm_namespace.h"
#include "server/base/text.h"
#include "server/engine/ns_pair.h"

#define BODY_MAX 65536u

/* The namespace of the path, for a caller who may do action with its aliases. A secondary has them, too, so
 * whether the namespace may change is the engine's to say. */
static enum sb_err require(struct request *r, const char *action, struct ns_view *ret, struct sb_error *err)
{
    const char *whole = arena_printf(r->arena, "disasterRecoveryConfigs/%s", action);
    if (whole == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    return arm_ns_child(r, "disasterRecoveryConfigs", whole, "read", ret, err);
}

static const char *alias_id(struct request *r, const struct ns_view *ns, const char *alias)
{
    return arm_id(r, ns->sub, ns->group, "Microsoft.ServiceBus/namespaces/%s/disasterRecoveryConfigs/%s",
                  ns->name, alias);
}

static void write_alias(struct request *r, struct jw *w, const struct ns_view *ns, const struct pair_view *p)
{
    static const char *const roles[] = {
        [PAIR_PRIMARY] = "Primary", [PAIR_ALONE] = "PrimaryNotReplicating", [PAIR_SECONDARY] = "Secondary"};
    jw_obj(w, NULL);
    jw_str(w, "id", alias_id(r, ns, p->alias));
    jw_str(w, "name", p->alias);
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces/disasterrecoveryconfigs");
    jw_obj(w, "properties");
    jw_str(w, "provisioningState", "Succeeded");
    jw_str(w, "partnerNamespace", p->partner);
    jw_str(w, "role", roles[p->role]);
    jw_str(w, "type", "MetadataReplication");
    if (p->role == PAIR_PRIMARY)
        jw_i64(w, "pendingReplicationOperationsCount", p->pending);
    jw_end_obj(w);
    jw_end_obj(w);
}

/* ---- aliases ---- */

static enum sb_err alias_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    const struct json *properties = NULL;
    const char *partner = NULL;
    SB_TRY(require(r, "write", &ns, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &properties, err));
    SB_TRY(json_opt_str(properties, "properties", "partnerNamespace", &partner, err));
    SB_TRY(
        arm_ns_error(r, ns_pair_put(r->e, &ns, request_param(r, "alias"), partner, r->arena, &p, err), err));
    struct jw w = reply_json(r, 200); /* of a new one, too (recorded) */
    write_alias(r, &w, &ns, &p);
out:
    return rc;
}

static enum sb_err alias_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    SB_TRY(require(r, "read", &ns, err));
    SB_TRY(ns_pair_get(r->e, &ns, request_param(r, "alias"), r->arena, &p, err));
    struct jw w = reply_json(r, 200);
    write_alias(r, &w, &ns, &p);
out:
    return rc;
}

static enum sb_err alias_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    SB_TRY(require(r, "read", &ns, err));
    bool has = ns.role != PAIR_NONE;
    if (has)
        SB_TRY(ns_pair_get(r->e, &ns, ns.alias, r->arena, &p, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    if (has)
        write_alias(r, &w, &ns, &p);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err alias_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    bool existed = false;
    SB_TRY(require(r, "delete", &ns, err));
    SB_TRY(arm_ns_error(r, ns_pair_delete(r->e, &ns, request_param(r, "alias"), &existed, err), err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

static enum sb_err alias_break(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    SB_TRY(require(r, "breakPairing/action", &ns, err));
    SB_TRY(arm_ns_error(r, ns_pair_break(r->e, &ns, request_param(r, "alias"), err), err));
    reply_empty(r, 200);
out:
    return rc;
}

/* The body may ask for a safe failover: everything has followed then, as it always has here. */
static enum sb_err alias_failover(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    const struct json *properties = NULL;
    int safe = -1;
    SB_TRY(require(r, "failover/action", &ns, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &properties, err));
    SB_TRY(json_opt_bool(properties, "properties", "IsSafeFailover", &safe, err));
    SB_TRY(arm_ns_error(r, ns_pair_failover(r->e, &ns, request_param(r, "alias"), err), err));
    reply_empty(r, 200);
out:
    return rc;
}

static enum sb_err alias_name(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    const char *name = NULL;
    struct sb_error why = {.code = SB_OK};
    SB_TRY(require(r, "checkNameAvailability/action", &ns, err));
    SB_TRY(json_opt_str(r->json, "the body", "name", &name, err));
    if (name == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The name that is to be checked is missing.");
    enum sb_err found = ns_pair_name_check(r->e, "", name, &why);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_bool(&w, "nameAvailable", found == SB_OK);
    jw_str(&w, "reason", found == SB_OK ? "None" : found == SB_EINVAL ? "InvalidName" : "NameInUse");
    if (found != SB_OK)
        jw_str(&w, "message", why.detail);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- authorization rules seen through the alias: read only ---- */

static enum sb_err require_alias(struct request *r, const char *action, struct ns_view *ns,
                                 struct pair_view *p, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(require(r, action, ns, err));
    SB_TRY(ns_pair_get(r->e, ns, request_param(r, "alias"), r->arena, p, err));
out:
    return rc;
}

static void write_rule(struct request *r, struct jw *w, const struct ns_view *ns, const char *alias,
                       const struct auth_rule *rule)
{
    jw_obj(w, NULL);
    jw_strf(w, "id", "%s/authorizationRules/%s", alias_id(r, ns, alias), rule->name);
    jw_str(w, "name", rule->name);
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces/AuthorizationRules");
    jw_str(w, "location", ns->location);
    jw_obj(w, "properties");
    arm_auth_rights(w, rule->rights);
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err rule_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    struct auth_rule rule;
    SB_TRY(require_alias(r, "authorizationRules/read", &ns, &p, err));
    SB_TRY(ns_rule_get(r->e, ns.name, NULL, request_param(r, "rule"), r->arena, &rule, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, &ns, p.alias, &rule);
out:
    return rc;
}

static enum sb_err rule_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    struct auth_rule *list = NULL;
    size_t n = 0;
    SB_TRY(require_alias(r, "authorizationRules/read", &ns, &p, err));
    SB_TRY(ns_rule_list(r->e, ns.name, NULL, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_rule(r, &w, &ns, p.alias, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err rule_keys(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct pair_view p;
    struct auth_rule rule;
    SB_TRY(require_alias(r, "authorizationRules/listkeys/action", &ns, &p, err));
    SB_TRY(ns_rule_get(r->e, ns.name, NULL, request_param(r, "rule"), r->arena, &rule, err));
    char *lower = arena_strdup(r->arena, p.alias); /* recorded */
    if (lower == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    arm_auth_keys(r, true, text_tolower(lower), NULL, &rule);
out:
    return rc;
}

#define NS    "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces/{ns}"
#define LIST  NS "/disasterRecoveryConfigs"
#define ALIAS LIST "/{alias}"
#define RULES ALIAS "/authorizationRules"
#define READ  (R_AUTH | R_APIVER)
#define WRITE (R_AUTH | R_APIVER | R_JSON)
#define MAYBE (WRITE | R_EMPTYOK)

static const struct route rows[] = {
    {"GET", PLANE_ARM, LIST, READ, 0, alias_list, "ArmAliasList"},
    {"POST", PLANE_ARM, LIST "/CheckNameAvailability", WRITE, BODY_MAX, alias_name, "ArmAliasCheckName"},
    {"PUT", PLANE_ARM, ALIAS, WRITE, BODY_MAX, alias_put, "ArmAliasPut"},
    {"GET", PLANE_ARM, ALIAS, READ, 0, alias_get, "ArmAliasGet"},
    {"DELETE", PLANE_ARM, ALIAS, READ, 0, alias_delete, "ArmAliasDelete"},
    {"POST", PLANE_ARM, ALIAS "/breakPairing", MAYBE, BODY_MAX, alias_break, "ArmAliasBreakPairing"},
    {"POST", PLANE_ARM, ALIAS "/failover", MAYBE, BODY_MAX, alias_failover, "ArmAliasFailover"},
    {"GET", PLANE_ARM, RULES, READ, 0, rule_list, "ArmAliasRuleList"},
    {"GET", PLANE_ARM, RULES "/{rule}", READ, 0, rule_get, "ArmAliasRuleGet"},
    {"POST", PLANE_ARM, RULES "/{rule}/listKeys", MAYBE, BODY_MAX, rule_keys, "ArmAliasRuleListKeys"},
};

const struct route_table routes_arm_alias = {rows, SB_ARRAY_LEN(rows)};
