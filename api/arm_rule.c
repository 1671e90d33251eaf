/* arm_rule.c: Microsoft.ServiceBus/namespaces/topics/subscriptions/rules on the ARM plane: filters and
 * actions. Shapes as recorded. */
#include <string.h>
#include "api/arm_entity.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_rule.h"

#define TEXT_MAX 4096 /* of any one field; expressions have a limit of their own */

/* Fields of a correlation filter. */
static const struct {
    const char *name;
    size_t at;
} fields[] = {
    {"correlationId", offsetof(struct rule_spec, correlation_id)},
    {"messageId", offsetof(struct rule_spec, message_id)},
    {"to", offsetof(struct rule_spec, to)},
    {"replyTo", offsetof(struct rule_spec, reply_to)},
    {"label", offsetof(struct rule_spec, label)},
    {"sessionId", offsetof(struct rule_spec, session_id)},
    {"replyToSessionId", offsetof(struct rule_spec, reply_to_session_id)},
    {"contentType", offsetof(struct rule_spec, content_type)},
};

static const char **field_at(struct rule_spec *s, size_t i)
{
    return (const char **)(void *)((char *)s + fields[i].at);
}

/* ---- writing ---- */

static void write_level(struct jw *w, const char *compat, const char *preprocess)
{
    int64_t level = RULE_COMPAT;
    if (compat && !text_to_i64(compat, 0, INT32_MAX, &level))
        level = RULE_COMPAT;
    jw_i64(w, "compatibilityLevel", level);
    if (preprocess)
        jw_bool(w, "requiresPreprocessing", strcmp(preprocess, "true") == 0);
}

static void write_correlation(struct jw *w, const struct rule_spec *spec)
{
    struct rule_spec s = *spec;
    jw_obj(w, "correlationFilter");
    for (size_t i = 0; i < SB_ARRAY_LEN(fields); i++)
        jw_str(w, fields[i].name, *field_at(&s, i));
    if (s.preprocess)
        jw_bool(w, "requiresPreprocessing", strcmp(s.preprocess, "true") == 0);
    jw_obj(w, "properties");
    for (size_t i = 0; i < s.props_n; i++)
        jw_str(w, s.props[i].name, s.props[i].value.s);
    jw_end_obj(w);
    jw_end_obj(w);
}

/* A read shows the parameters that an expression has, which are none. */
static void write_rule(struct request *r, struct jw *w, const char *path, const struct rule_view *v,
                       const char *location)
{
    const struct rule_spec *s = &v->spec;
    jw_obj(w, NULL);
    jw_strf(w, "id", "%s/rules/%s", arm_entity_id(r, ENTITY_SUBSCRIPTION, path), v->name);
    jw_str(w, "name", v->name);
    jw_str(w, "type", "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules");
    jw_str(w, "location", location);
    jw_obj(w, "properties");
    jw_obj(w, "action");
    if (s->action && *s->action) {
        jw_str(w, "sqlExpression", s->action);
        write_level(w, s->action_compat, s->action_preprocess);
        jw_obj(w, "parameters");
        jw_end_obj(w);
    }
    jw_end_obj(w);
    jw_str(w, "filterType", s->correlation ? "CorrelationFilter" : "SqlFilter");
    if (s->correlation) {
        write_correlation(w, s);
    } else {
        jw_obj(w, "sqlFilter");
        jw_str(w, "sqlExpression", s->sql);
        write_level(w, s->compat, s->preprocess);
        jw_obj(w, "parameters");
        jw_end_obj(w);
        jw_end_obj(w);
    }
    jw_end_obj(w);
    jw_end_obj(w);
}

/* ---- reading ---- */

static enum sb_err read_text(const struct json *j, const char *where, const char *key, const char **ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(json_opt_str(j, where, key, ret, err));
    if (*ret && strlen(*ret) > TEXT_MAX)
        rc = sb_fail(err, SB_EBADREQUEST, "'%s.%s' is too long.", where, key);
out:
    return rc;
}

/* {"sqlExpression", "compatibilityLevel", "requiresPreprocessing"} of a filter or an action. */
static enum sb_err read_sql(struct request *r, const struct json *j, const char *where, const char **sql,
                            const char **compat, const char **preprocess, struct sb_error *err)
{
    enum sb_err rc;
    int64_t level = -1;
    int flag = -1;
    SB_TRY(read_text(j, where, "sqlExpression", sql, err));
    SB_TRY(json_opt_i64(j, where, "compatibilityLevel", 0, INT32_MAX, &level, err));
    SB_TRY(json_opt_bool(j, where, "requiresPreprocessing", &flag, err));
    *compat = level < 0 ? NULL : arena_printf(r->arena, "%lld", (long long)level);
    *preprocess = flag < 0 ? NULL : flag ? "true" : "false";
out:
    return rc;
}

static enum sb_err read_props(struct request *r, const struct json *filter, struct rule_spec *s,
                              struct sb_error *err)
{
    enum sb_err rc;
    const struct json *list = NULL;
    SB_TRY(json_opt_obj(filter, "properties.correlationFilter", "properties", &list, err));
    struct amqp_app_prop *props = ARENA_ARRAY(r->arena, struct amqp_app_prop, json_size(list) + 1);
    if (props == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    JSON_FOREACH (j, list) {
        const char *text = json_text(j);
        if (text == NULL || strlen(text) > TEXT_MAX || strlen(json_key(j)) > TEXT_MAX)
            return sb_fail(err, SB_EBADREQUEST,
                           "Each of 'properties.correlationFilter.properties' must be a text of at most %d "
                           "characters.",
                           TEXT_MAX);
        props[s->props_n++] = (struct amqp_app_prop){json_key(j), {.kind = AMQP_STRING, .s = text}};
    }
    s->props = props;
out:
    return rc;
}

static enum sb_err read_correlation(struct request *r, const struct json *filter, struct rule_spec *s,
                                    struct sb_error *err)
{
    enum sb_err rc;
    int flag = -1;
    bool any = false;
    for (size_t i = 0; i < SB_ARRAY_LEN(fields); i++) {
        SB_TRY(read_text(filter, "properties.correlationFilter", fields[i].name, field_at(s, i), err));
        any = any || *field_at(s, i);
    }
    SB_TRY(json_opt_bool(filter, "properties.correlationFilter", "requiresPreprocessing", &flag, err));
    s->preprocess = flag < 0 ? NULL : flag ? "true" : "false";
    SB_TRY(read_props(r, filter, s, err));
    if (!any && s->props_n == 0)
        rc = sb_fail(err, SB_EBADREQUEST, "At least one property must be set in a CorrelationFilter.");
out:
    return rc;
}

/* filterType says which of the two filters counts; without it the one that is there, SQL by default
 * (recorded). */
static enum sb_err read_rule(struct request *r, struct rule_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const char *type = NULL;
    const struct json *p = NULL, *sql = NULL, *correlation = NULL, *action = NULL;
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &p, err));
    SB_TRY(json_opt_str(p, "properties", "filterType", &type, err));
    SB_TRY(json_opt_obj(p, "properties", "sqlFilter", &sql, err));
    SB_TRY(json_opt_obj(p, "properties", "correlationFilter", &correlation, err));
    SB_TRY(json_opt_obj(p, "properties", "action", &action, err));
    if (type && !text_ieq(type, "SqlFilter") && !text_ieq(type, "CorrelationFilter"))
        return sb_fail(err, SB_EBADREQUEST,
                       "The filter type '%.60s' is not valid: it is 'SqlFilter' or 'CorrelationFilter'.",
                       type);
    s->correlation = type ? text_ieq(type, "CorrelationFilter") : correlation && !sql;
    if (s->correlation)
        SB_TRY(read_correlation(r, correlation, s, err));
    else
        SB_TRY(read_sql(r, sql, "properties.sqlFilter", &s->sql, &s->compat, &s->preprocess, err));
    SB_TRY(
        read_sql(r, action, "properties.action", &s->action, &s->action_compat, &s->action_preprocess, err));
out:
    return rc;
}

/* ---- handlers ---- */

static enum sb_err require(struct request *r, const char *action, const char *verb, struct arm_entity *x,
                           struct ns_view *ns, struct sb_error *err)
{
    *x = arm_entity_of(r, ENTITY_SUBSCRIPTION);
    x->type = "namespaces/topics/subscriptions/rules";
    x->parent = arm_entity_id(r, ENTITY_SUBSCRIPTION, x->name);
    return arm_entity_require(r, x, action, verb, ns, err);
}

/* What the provider itself refuses ends in ids and a time (recorded). */
static enum sb_err track(struct request *r, enum sb_err rc, struct sb_error *err)
{
    char when[TIME_TEXT_MAX];
    if (rc != SB_EBADREQUEST)
        return rc;
    const char *text = arena_strdup(r->arena, err->detail);
    return sb_fail(err, rc,
                   "%s TrackingId:%s_B0, SystemTracker:NoSystemTracker, Timestamp:%s CorrelationId: %s",
                   text ? text : "", r->request_id, time_plain(r->now, when), r->correlation_id);
}

enum sb_err arm_rule_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x;
    struct ns_view ns;
    struct rule_view v;
    struct rule_spec s = {0};
    SB_TRY(require(r, "topics/subscriptions/rules/write", "write", &x, &ns, err));
    SB_TRY(read_rule(r, &s, err));
    rc = broker_rule_put(r->e, ns.name, x.name, request_param(r, "rule"), &s, r->arena, &v, err);
    SB_TRY(track(r, rc, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, x.name, &v, ns.location);
out:
    return rc;
}

enum sb_err arm_rule_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x;
    struct ns_view ns;
    struct rule_view v;
    SB_TRY(require(r, "topics/subscriptions/rules/read", "read", &x, &ns, err));
    SB_TRY(broker_rule_get(r->e, ns.name, x.name, request_param(r, "rule"), r->arena, &v, err));
    struct jw w = reply_json(r, 200);
    write_rule(r, &w, x.name, &v, ns.location);
out:
    return rc;
}

enum sb_err arm_rule_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x;
    struct ns_view ns;
    struct rule_view *list = NULL;
    size_t n = 0;
    int64_t skip, top;
    SB_TRY(require(r, "topics/subscriptions/rules/read", "read", &x, &ns, err));
    SB_TRY(arm_entity_paging(r, &skip, &top, err));
    SB_TRY(broker_rule_list(r->e, ns.name, x.name, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = (size_t)skip; i < n && i < (size_t)(skip + top); i++)
        write_rule(r, &w, x.name, &list[i], ns.location);
    jw_end_arr(&w);
    arm_entity_next(r, &w, n > (size_t)(skip + top), skip, top);
    jw_end_obj(&w);
out:
    return rc;
}

enum sb_err arm_rule_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_entity x;
    struct ns_view ns;
    bool existed = false;
    SB_TRY(require(r, "topics/subscriptions/rules/delete", "delete", &x, &ns, err));
    SB_TRY(broker_rule_delete(r->e, ns.name, x.name, request_param(r, "rule"), &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}
