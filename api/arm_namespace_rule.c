/* arm_namespace_rule.c: authorization rules of namespaces on the ARM plane, with their keys. Shapes as
 * recorded. */
#include "api/arm_auth.h"
#include "api/arm_namespace.h"
#include <string.h>
#include "server/base/text.h"

static enum sb_err require(struct request *r, const char *action, const char *verb, struct ns_view *ret,
                           struct sb_error *err)
{
    return arm_ns_child(r, "authorizationRules", action, verb, ret, err);
}

/* segment: "AuthorizationRules" in the answer to a PUT, "authorizationrules" elsewhere (recorded). */
static void write_rule(struct request *r, struct jw *w, const struct ns_view *v, const char *segment,
                       const struct auth_rule *rule)
{
    jw_obj(w, NULL);
    jw_str(w, "id",
           arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s/%s/%s", v->name, segment,
                  rule->name));
    jw_str(w, "name", rule->name);
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces/AuthorizationRules");
    jw_str(w, "location", v->location);
    jw_obj(w, "properties");
    arm_auth_rights(w, rule->rights);
    jw_end_obj(w);
    jw_end_obj(w);
}

enum sb_err arm_ns_rule_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    unsigned wanted = 0;
    SB_TRY(require(r, "authorizationRules/write", "write", &v, err));
    SB_TRY(arm_auth_read(r->json, &wanted, err));
    SB_TRY(arm_ns_error(
        r, ns_rule_put(r->e, v.name, NULL, request_param(r, "rule"), wanted, r->arena, &rule, err), err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, &v, "AuthorizationRules", &rule);
out:
    return rc;
}

enum sb_err arm_ns_rule_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    SB_TRY(require(r, "authorizationRules/read", "read", &v, err));
    SB_TRY(ns_rule_get(r->e, v.name, NULL, request_param(r, "rule"), r->arena, &rule, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, &v, "authorizationrules", &rule);
out:
    return rc;
}

enum sb_err arm_ns_rule_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule *list = NULL;
    size_t n = 0;
    SB_TRY(require(r, "authorizationRules/read", "read", &v, err));
    SB_TRY(ns_rule_list(r->e, v.name, NULL, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_rule(r, &w, &v, "authorizationrules", &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

enum sb_err arm_ns_rule_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool existed = false;
    SB_TRY(require(r, "authorizationRules/delete", "delete", &v, err));
    SB_TRY(ns_rule_delete(r->e, v.name, NULL, request_param(r, "rule"), &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

/* 17: keys can be listed while the namespace is Revoked. */
enum sb_err arm_ns_rule_keys(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    SB_TRY(require(r, "authorizationRules/listkeys/action", "read", &v, err));
    SB_TRY(ns_rule_get(r->e, v.name, NULL, request_param(r, "rule"), r->arena, &rule, err));
    arm_auth_keys(r, false, v.name, NULL, &rule);
out:
    return rc;
}

enum sb_err arm_ns_rule_regenerate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    const char *key = NULL;
    int which = 0;
    SB_TRY(require(r, "authorizationRules/regenerateKeys/action", "write", &v, err));
    SB_TRY(arm_auth_read_regenerate(r->json, &which, &key, err));
    SB_TRY(arm_ns_error(
        r, ns_rule_regenerate(r->e, v.name, NULL, request_param(r, "rule"), which, key, r->arena, &rule, err),
        err));
    arm_auth_keys(r, false, v.name, NULL, &rule);
out:
    return rc;
}
