/*
 * arm_entity.c: Microsoft.ServiceBus/namespaces/queues, …/topics and …/topics/subscriptions on the ARM plane:
 * paths, handlers and routes. Bodies are arm_entity_body.c's.
 */
#include "api/arm_entity.h"
#include <string.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define BODY_MAX 65536u
#define PAGE     100 /* documented default of $top */
#define PAGE_MAX 1000

/* ---- what the path names ---- */

static const struct {
    const char *type;
    const char *param;
} kinds[] = {
    [ENTITY_QUEUE] = {"namespaces/queues", "queue"},
    [ENTITY_TOPIC] = {"namespaces/topics", "topic"},
    [ENTITY_SUBSCRIPTION] = {"namespaces/topics/subscriptions", "subscription"},
};

static const char *swap(struct sb_arena *a, const char *text, char from, char to)
{
    char *name = arena_strdup(a, text ? text : "");
    for (char *p = name; p && *p; p++) {
        if (*p == from)
            *p = to;
    }
    return name ? name : "";
}

enum entity_kind arm_entity_kind(const struct request *r)
{
    if (request_param(r, "subscription"))
        return ENTITY_SUBSCRIPTION;
    return request_param(r, "topic") ? ENTITY_TOPIC : ENTITY_QUEUE;
}

struct arm_entity arm_entity_of(struct request *r, enum entity_kind kind)
{
    const char *name = request_param(r, kinds[kind].param);
    struct arm_entity x = {.kind = kind,
                           .type = kinds[kind].type,
                           .parent = arm_id(r, request_param(r, "sub"), request_param(r, "group"),
                                            "Microsoft.ServiceBus/namespaces/%s", request_param(r, "ns"))};
    if (kind == ENTITY_SUBSCRIPTION) {
        x.topic = swap(r->arena, request_param(r, "topic"), '~', '/');
        if (name)
            x.name = arena_printf(r->arena, "%s" SUBSCRIPTION_INFIX "%s", x.topic, name);
        x.parent = arm_entity_id(r, ENTITY_TOPIC, x.topic);
    } else if (name) {
        x.name = swap(r->arena, name, '~', '/');
    }
    return x;
}

const char *arm_entity_tail(struct sb_arena *a, enum entity_kind kind, const char *path)
{
    const char *last = strrchr(path, '/'), *tail;
    if (kind != ENTITY_SUBSCRIPTION || last == NULL) {
        tail = arena_printf(a, "%s/%s", kind == ENTITY_QUEUE ? "queues" : "topics", swap(a, path, '/', '~'));
    } else {
        size_t topic = (size_t)(last + 1 - path) - strlen(SUBSCRIPTION_INFIX);
        tail = arena_printf(a, "topics/%s/subscriptions/%s", swap(a, arena_strndup(a, path, topic), '/', '~'),
                            last + 1);
    }
    return tail ? tail : "";
}

const char *arm_entity_id(struct request *r, enum entity_kind kind, const char *name)
{
    return arm_id(r, request_param(r, "sub"), request_param(r, "group"),
                  "Microsoft.ServiceBus/namespaces/%s/%s", request_param(r, "ns"),
                  arm_entity_tail(r->arena, kind, name));
}

/* ---- checks ---- */

/* Recorded: the gateway names what the resource stands right below, whatever of that is missing. */
static enum sb_err no_parent(const struct arm_entity *x, const char *verb, struct sb_error *err)
{
    return sb_fail(err, SB_ENOPARENT,
                   "Failed to perform '%s' on resource(s) of type '%s', because the "
                   "parent resource '%.800s' could not be "
                   "found.",
                   verb, x->type, x->parent);
}

enum sb_err arm_entity_require(struct request *r, const struct arm_entity *x, const char *action,
                               const char *verb, struct ns_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct entity_view topic;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    const char *whole = arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s", action);
    if (whole == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, whole, x->name ? arm_entity_id(r, x->kind, x->name) : x->parent, err));
    /* Recorded: a delete in a group that is gone misses the parent; other calls miss the group. */
    SB_TRY(strcmp(verb, "delete") == 0 ? arm_require_sub(r, err) : arm_require_group(r, NULL, err));
    rc = ns_get(r->e, sub, group, ns, r->arena, ret, err);
    if (rc == SB_ENOTFOUND || rc == SB_ENONAMESPACE)
        return no_parent(x, verb, err);
    if (rc == SB_OK && strcmp(verb, "read") != 0)
        rc = ns_require_writable(r->e, sub, group, ns, err);
    if (rc == SB_OK && x->topic)
        rc = broker_entity_get(r->e, ns, ENTITY_TOPIC, x->topic, r->arena, &topic, err);
    if (rc == SB_EGONE)
        return no_parent(x, verb, err);
out:
    return rc;
}

enum sb_err arm_entity_track(struct request *r, enum sb_err rc, struct sb_error *err)
{
    char when[TIME_TEXT_MAX];
    if (rc != SB_EENTITY && rc != SB_EEXISTS)
        return rc;
    const char *text = arena_strdup(r->arena, err->detail);
    struct arm_entity x = arm_entity_of(r, arm_entity_kind(r));
    return sb_fail(err, rc, "%s TrackingId:%s_G0, SystemTracker:%s:%s, Timestamp:%s", text ? text : "",
                   r->request_id, request_authority(r, HOST_BUS, request_param(r, "ns"), false),
                   x.name ? x.name : "", time_plain(r->now, when));
}

static enum sb_err read_number(struct request *r, const char *name, int64_t min, int64_t max, int64_t *ret,
                               struct sb_error *err)
{
    const char *text = request_query(r, name);
    if (text == NULL || text_to_i64(text, min, max, ret))
        return SB_OK;
    return sb_fail(err, SB_EBADREQUEST, "The value '%.40s' of '%s' must be a number from %lld to %lld.", text,
                   name, (long long)min, (long long)max);
}

enum sb_err arm_entity_paging(struct request *r, int64_t *ret_skip, int64_t *ret_top, struct sb_error *err)
{
    enum sb_err rc;
    *ret_skip = 0;
    *ret_top = PAGE;
    SB_TRY(read_number(r, "$skip", 0, INT32_MAX, ret_skip, err));
    SB_TRY(read_number(r, "$top", 1, PAGE_MAX, ret_top, err));
out:
    return rc;
}

void arm_entity_next(struct request *r, struct jw *w, bool more, int64_t skip, int64_t top)
{
    if (more)
        jw_strf(w, "nextLink", "%s%s?api-version=%s&$skip=%lld&$top=%lld", request_base(r, HOST_ARM, NULL),
                r->path, r->api_version ? r->api_version : "", (long long)(skip + top), (long long)top);
}

/* ---- handlers, by kind ---- */

/* "queues/write", "topics/subscriptions/read" … */
static const char *action(struct request *r, enum entity_kind kind, const char *verb)
{
    return arena_printf(r->arena, "%s/%s", kinds[kind].type + strlen("namespaces/"), verb);
}

static enum sb_err entity_put(struct request *r, enum entity_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct entity_view q;
    bool created = false;
    struct arm_entity x = arm_entity_of(r, kind);
    struct entity_spec s = broker_spec(kind, request_param(r, "ns"), x.name);
    SB_TRY(arm_entity_require(r, &x, action(r, kind, "write"), "write", &ns, err));
    SB_TRY(arm_entity_read(r->json, &s, err));
    rc = arm_entity_track(r, broker_entity_put(r->e, &s, r->arena, &q, &created, err), err);
    if (rc != SB_OK)
        goto out;
    struct jw w = reply_json(r, 200); /* 200 for a new one, too (recorded) */
    arm_entity_write(r, &w, &q, ns.location, created ? ARM_CREATED : q.changed ? ARM_CHANGED : ARM_READ);
out:
    return rc;
}

static enum sb_err entity_get(struct request *r, enum entity_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct entity_view q;
    struct arm_entity x = arm_entity_of(r, kind);
    SB_TRY(arm_entity_require(r, &x, action(r, kind, "read"), "read", &ns, err));
    SB_TRY(broker_entity_get(r->e, ns.name, kind, x.name, r->arena, &q, err));
    struct jw w = reply_json(r, 200);
    arm_entity_write(r, &w, &q, ns.location, ARM_READ);
out:
    return rc;
}

static enum sb_err entity_delete(struct request *r, enum entity_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    bool existed = false;
    struct arm_entity x = arm_entity_of(r, kind);
    SB_TRY(arm_entity_require(r, &x, action(r, kind, "delete"), "delete", &ns, err));
    SB_TRY(broker_entity_delete(r->e, ns.name, kind, x.name, &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

static enum sb_err entity_list(struct request *r, enum entity_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct entity_view *q = NULL;
    size_t n = 0;
    int64_t skip, top;
    struct arm_entity x = arm_entity_of(r, kind);
    SB_TRY(arm_entity_require(r, &x, action(r, kind, "read"), "read", &ns, err));
    SB_TRY(arm_entity_paging(r, &skip, &top, err));
    /* One more than asked for tells whether there is another page. */
    SB_TRY(broker_entity_list(r->e, ns.name, kind, x.topic, (size_t)skip, (size_t)top + 1, r->arena, &q, &n,
                              err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < SB_MIN(n, (size_t)top); i++)
        arm_entity_write(r, &w, &q[i], ns.location, ARM_READ);
    jw_end_arr(&w);
    arm_entity_next(r, &w, n > (size_t)top, skip, top);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- routes ---- */

#define HANDLERS(name, kind)                                                                                 \
    static enum sb_err name##_put(struct request *r, struct sb_error *err)                                   \
    {                                                                                                        \
        return entity_put(r, kind, err);                                                                     \
    }                                                                                                        \
    static enum sb_err name##_get(struct request *r, struct sb_error *err)                                   \
    {                                                                                                        \
        return entity_get(r, kind, err);                                                                     \
    }                                                                                                        \
    static enum sb_err name##_delete(struct request *r, struct sb_error *err)                                \
    {                                                                                                        \
        return entity_delete(r, kind, err);                                                                  \
    }                                                                                                        \
    static enum sb_err name##_list(struct request *r, struct sb_error *err)                                  \
    {                                                                                                        \
        return entity_list(r, kind, err);                                                                    \
    }
HANDLERS(queue, ENTITY_QUEUE)
HANDLERS(topic, ENTITY_TOPIC)
HANDLERS(subscription, ENTITY_SUBSCRIPTION)

#define NS     "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces/{ns}"
#define QUEUES NS "/queues"
#define TOPICS NS "/topics"
#define SUBS   TOPICS "/{topic}/subscriptions"
#define RULES  SUBS "/{subscription}/rules"
#define READ   (R_AUTH | R_APIVER)
#define WRITE  (R_AUTH | R_APIVER | R_JSON)

/* The four operations of a kind of entity. */
#define ENTITY(path, item, name, op)                                                                         \
    {"PUT", PLANE_ARM, path item, WRITE | R_EMPTYOK, BODY_MAX, name##_put, "Arm" op "Put"},                  \
        {"GET", PLANE_ARM, path item, READ, BODY_MAX, name##_get, "Arm" op "Get"},                           \
        {"DELETE", PLANE_ARM, path item, READ, BODY_MAX, name##_delete, "Arm" op "Delete"},                  \
    {                                                                                                        \
        "GET", PLANE_ARM, path, READ, BODY_MAX, name##_list, "Arm" op "List"                                 \
    }
/* The six of authorization rules below an entity. */
#define AUTH(path, op)                                                                                        \
    {"PUT", PLANE_ARM, path "/{rule}", WRITE, BODY_MAX, arm_entity_auth_put, "Arm" op "RulePut"},             \
        {"GET", PLANE_ARM, path "/{rule}", READ, BODY_MAX, arm_entity_auth_get, "Arm" op "RuleGet"},          \
        {"DELETE", PLANE_ARM, path "/{rule}", READ, BODY_MAX, arm_entity_auth_delete, "Arm" op "RuleDelete"}, \
        {"GET", PLANE_ARM, path, READ, BODY_MAX, arm_entity_auth_list, "Arm" op "RuleList"},                  \
        {"POST",                                                                                              \
         PLANE_ARM,                                                                                           \
         path "/{rule}/listKeys",                                                                             \
         READ,                                                                                                \
         BODY_MAX,                                                                                            \
         arm_entity_auth_keys,                                                                                \
         "Arm" op "RuleListKeys"},                                                                            \
    {                                                                                                         \
        "POST", PLANE_ARM, path "/{rule}/regenerateKeys", WRITE, BODY_MAX, arm_entity_auth_regenerate,        \
            "Arm" op "RuleRegenerateKeys"                                                                     \
    }

static const struct route rows[] = {
    ENTITY(QUEUES, "/{queue}", queue, "Queue"),
    ENTITY(TOPICS, "/{topic}", topic, "Topic"),
    ENTITY(SUBS, "/{subscription}", subscription, "Subscription"),
    AUTH(QUEUES "/{queue}/authorizationRules", "Queue"),
    AUTH(TOPICS "/{topic}/authorizationRules", "Topic"),
    {"PUT", PLANE_ARM, RULES "/{rule}", WRITE | R_EMPTYOK, BODY_MAX, arm_rule_put, "ArmFilterPut"},
    {"GET", PLANE_ARM, RULES "/{rule}", READ, BODY_MAX, arm_rule_get, "ArmFilterGet"},
    {"DELETE", PLANE_ARM, RULES "/{rule}", READ, BODY_MAX, arm_rule_delete, "ArmFilterDelete"},
    {"GET", PLANE_ARM, RULES, READ, BODY_MAX, arm_rule_list, "ArmFilterList"},
};

const struct route_table routes_arm_entity = {rows, SB_ARRAY_LEN(rows)};
