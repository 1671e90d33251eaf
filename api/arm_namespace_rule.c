/* arm_namespace_rule.c: authorization rules of namespaces on the ARM plane, with their keys. Shapes as
 * recorded. */
#include "api/arm_namespace.h"
#include <string.h>
#include "server/base/text.h"

static const struct {
    const char *name;
    unsigned right;
} rights[] = {
    {"Listen", RIGHT_LISTEN}, {"Manage", RIGHT_MANAGE}, {"Send", RIGHT_SEND}}; /* in the order of answers */

/* The namespace has to be there, and for a write not Revoked. */
static enum sb_err require(struct request *r, const char *action, const char *verb, struct ns_view *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    SB_TRY(arm_ns_require(r, action, err));
    rc = ns_get(r->e, sub, group, ns, r->arena, ret, err);
    if (rc == SB_ENOTFOUND) /* recorded, of the gateway */
        return sb_fail(err, SB_ENOPARENT,
                       "Failed to perform '%s' on resource(s) of type 'namespaces/authorizationrules', "
                       "because the parent resource '%.800s' "
                       "could not be found.",
                       verb, arm_id(r, sub, group, "Microsoft.ServiceBus/namespaces/%s", ns));
    if (rc == SB_OK && strcmp(verb, "read") != 0)
        rc = arm_ns_error(r, ns_require_writable(r->e, sub, group, ns, err), err);
out:
    return rc;
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
    jw_arr(w, "rights");
    for (size_t i = 0; i < SB_ARRAY_LEN(rights); i++)
        if (rule->rights & rights[i].right)
            jw_str(w, NULL, rights[i].name);
    jw_end_arr(w);
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err answer_keys(struct request *r, const struct ns_view *v, const struct auth_rule *rule)
{
    const char *host = request_authority(r, HOST_BUS, v->name, false);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_strf(&w, "primaryConnectionString", "Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s",
            host, rule->name, rule->primary);
    jw_strf(&w, "secondaryConnectionString", "Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s",
            host, rule->name, rule->secondary);
    jw_str(&w, "primaryKey", rule->primary);
    jw_str(&w, "secondaryKey", rule->secondary);
    jw_str(&w, "keyName", rule->name);
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err read_rights(const struct json *body, unsigned *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *p = NULL, *list = NULL;
    unsigned found = 0;
    SB_TRY(json_opt_obj(body, "", "properties", &p, err));
    SB_TRY(json_opt_arr(p, "properties", "rights", &list, err));
    JSON_FOREACH (j, list) {
        const char *name = json_is_string(j) ? json_text(j) : "";
        unsigned right = 0;
        for (size_t i = 0; i < SB_ARRAY_LEN(rights); i++)
            right |= text_ieq(name, rights[i].name) ? rights[i].right : 0;
        if (right == 0)
            return sb_fail(err, SB_EBADREQUEST,
                           "Each of 'properties.rights' must be one of 'Listen', 'Send' and 'Manage'.");
        found |= right;
    }
    *ret = found;
out:
    return rc;
}

enum sb_err arm_ns_rule_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    unsigned wanted = 0;
    SB_TRY(require(r, "authorizationRules/write", "write", &v, err));
    SB_TRY(read_rights(r->json, &wanted, err));
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
    rc = answer_keys(r, &v, &rule);
out:
    return rc;
}

enum sb_err arm_ns_rule_regenerate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct auth_rule rule;
    const char *type = NULL, *key = NULL;
    SB_TRY(require(r, "authorizationRules/regenerateKeys/action", "write", &v, err));
    SB_TRY(json_opt_str(r->json, "", "keyType", &type, err));
    SB_TRY(json_opt_str(r->json, "", "key", &key, err));
    if (!type || (!text_ieq(type, "PrimaryKey") && !text_ieq(type, "SecondaryKey")))
        return sb_fail(err, SB_EBADREQUEST, "'keyType' must be 'PrimaryKey' or 'SecondaryKey'.");
    SB_TRY(arm_ns_error(r,
                        ns_rule_regenerate(r->e, v.name, NULL, request_param(r, "rule"),
                                           text_ieq(type, "SecondaryKey"), key, r->arena, &rule, err),
                        err));
    rc = answer_keys(r, &v, &rule);
out:
    return rc;
}
