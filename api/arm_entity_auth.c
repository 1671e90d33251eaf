/* arm_entity_auth.c: authorization rules of queues and topics on the ARM plane, with their keys. Shapes as
 * specified. */
#include "api/arm_auth.h"
#include "api/arm_entity.h"

/* The queue or topic has to be there: rules of the namespace itself are another resource. action: behind
 * "…/authorizationRules/". */
static enum sb_err require_entity(struct request *r, const char *action, const char *verb, struct ns_view *ns,
                                  struct entity_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x = arm_entity_of(r, arm_entity_kind(r));
    x.type = x.kind == ENTITY_QUEUE ? "namespaces/queues/authorizationrules"
                                    : "namespaces/topics/authorizationrules";
    x.parent = arm_entity_id(r, x.kind, x.name);
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
    arm_auth_rights(w, rule->rights);
    jw_end_obj(w);
    jw_end_obj(w);
}

enum sb_err arm_entity_auth_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    unsigned wanted = 0;
    SB_TRY(require_entity(r, "write", "write", &ns, &q, err));
    SB_TRY(arm_auth_read(r->json, &wanted, err));
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
    arm_auth_keys(r, false, ns.name, q.name, &rule);
out:
    return rc;
}

enum sb_err arm_entity_auth_regenerate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct auth_rule rule;
    struct entity_view q;
    const char *key = NULL;
    int which = 0;
    SB_TRY(require_entity(r, "regenerateKeys/action", "write", &ns, &q, err));
    SB_TRY(arm_auth_read_regenerate(r->json, &which, &key, err));
    SB_TRY(ns_rule_regenerate(r->e, ns.name, q.name, request_param(r, "rule"), which, key, r->arena, &rule,
                              err));
    arm_auth_keys(r, false, ns.name, q.name, &rule);
out:
    return rc;
}
