/* arm_entity_auth.c: authorization rules of queues and topics on the ARM plane, with their keys. Shapes as
 * specified. */
#include "api/arm_entity.h"
#include "server/base/text.h"

static const struct {
    const char *name;
    unsigned right;
} rights[] = {
    {"Listen", RIGHT_LISTEN}, {"Manage", RIGHT_MANAGE}, {"Send", RIGHT_SEND}}; /* in the order of answers */

/* The queue or topic has to be there: rules of the namespace itself are another resource. action: behind
 * "…/authorizationRules/". */
static enum sb_err require_entity(struct request *r, const char *action, const char *verb, struct ns_view *ns,
                                  struct entity_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x = arm_entity_of(r, arm_entity_kind(r));
    const char *whole = arena_printf(r->arena, "%s/authorizationRules/%s",
                                     x.kind == ENTITY_QUEUE ? "queues" : "topics", action);
    if (whole == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_entity_require(r, &x, whole, verb, ns, err));
    SB_TRY(broker_entity_get(r->e, ns->name, x.kind, x.name, r->arena, ret, err));
out:
    return rc;
}

static void write_rule(struct request *r, struct jw *w, const struct entity_view *q, const char *location,
                       const struct auth_rule *rule)
{
    jw_obj(w, NULL);
    jw_strf(w, "id", "%s/authorizationRules/%s", arm_entity_id(r, q->kind, q->name), rule->name);
    jw_str(w, "name", rule->name);
    jw_strf(w, "type", "Microsoft.ServiceBus/Namespaces/%s/AuthorizationRules",
            q->kind == ENTITY_QUEUE ? "Queues" : "Topics");
    jw_str(w, "location", location);
    jw_obj(w, "properties");
    jw_arr(w, "rights");
    for (size_t i = 0; i < SB_ARRAY_LEN(rights); i++) {
        if (rule->rights & rights[i].right)
            jw_str(w, NULL, rights[i].name);
    }
    jw_end_arr(w);
    jw_end_obj(w);
    jw_end_obj(w);
}

static void write_connection(struct request *r, struct jw *w, const char *key, const char *ns,
                             const char *queue, const struct auth_rule *rule, const char *secret)
{
    jw_strf(w, key, "Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s;EntityPath=%s",
            request_authority(r, HOST_BUS, ns, false), rule->name, secret, queue);
}

static enum sb_err answer_keys(struct request *r, const char *ns, const char *queue,
                               const struct auth_rule *rule)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    write_connection(r, &w, "primaryConnectionString", ns, queue, rule, rule->primary);
    write_connection(r, &w, "secondaryConnectionString", ns, queue, rule, rule->secondary);
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
    SB_TRY(json_opt_obj(body, "the body", "properties", &p, err));
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

enum sb_err arm_entity_auth_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    unsigned wanted = 0;
    SB_TRY(require_entity(r, "write", "write", &ns, &q, err));
    SB_TRY(read_rights(r->json, &wanted, err));
    SB_TRY(ns_rule_put(r->e, ns.name, q.name, request_param(r, "rule"), wanted, r->arena, &rule, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, &q, ns.location, &rule);
out:
    return rc;
}

enum sb_err arm_entity_auth_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    SB_TRY(require_entity(r, "read", "read", &ns, &q, err));
    SB_TRY(ns_rule_get(r->e, ns.name, q.name, request_param(r, "rule"), r->arena, &rule, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, &q, ns.location, &rule);
out:
    return rc;
}

enum sb_err arm_entity_auth_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule *list = NULL;
    struct entity_view q;
    size_t n = 0;
    SB_TRY(require_entity(r, "read", "read", &ns, &q, err));
    SB_TRY(ns_rule_list(r->e, ns.name, q.name, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_rule(r, &w, &q, ns.location, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

enum sb_err arm_entity_auth_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct entity_view q;
    bool existed = false;
    SB_TRY(require_entity(r, "delete", "delete", &ns, &q, err));
    SB_TRY(ns_rule_delete(r->e, ns.name, q.name, request_param(r, "rule"), &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

/* Keys can be listed while the namespace is Revoked (semantics 17). */
enum sb_err arm_entity_auth_keys(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    SB_TRY(require_entity(r, "ListKeys/action", "read", &ns, &q, err));
    SB_TRY(ns_rule_get(r->e, ns.name, q.name, request_param(r, "rule"), r->arena, &rule, err));
    rc = answer_keys(r, ns.name, q.name, &rule);
out:
    return rc;
}

enum sb_err arm_entity_auth_regenerate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    const char *type = NULL, *key = NULL;
    SB_TRY(require_entity(r, "regenerateKeys/action", "write", &ns, &q, err));
    SB_TRY(json_opt_str(r->json, "the body", "keyType", &type, err));
    SB_TRY(json_opt_str(r->json, "the body", "key", &key, err));
    if (type == NULL || (!text_ieq(type, "PrimaryKey") && !text_ieq(type, "SecondaryKey")))
        return sb_fail(err, SB_EBADREQUEST, "'keyType' must be 'PrimaryKey' or 'SecondaryKey'.");
    SB_TRY(ns_rule_regenerate(r->e, ns.name, q.name, request_param(r, "rule"), text_ieq(type, "SecondaryKey"),
                              key, r->arena, &rule, err));
    rc = answer_keys(r, ns.name, q.name, &rule);
out:
    return rc;
}
