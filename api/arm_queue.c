/*
 * arm_queue.c: Microsoft.ServiceBus/namespaces/queues on the ARM plane. Shapes, order of members and the odd
 * times in the answer to a change are recorded.
 */
#include "api/arm_queue.h"
#include <string.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define BODY_MAX 65536u
#define PAGE     100 /* documented default of $top */
#define PAGE_MAX 1000
#define NO_TIME  "0001-01-01T00:00:00"

/* ---- what handlers share ---- */

const char *arm_queue_name(struct request *r)
{
    char *name = arena_strdup(r->arena, request_param(r, "queue"));
    for (char *p = name; p && *p; p++) {
        if (*p == '~')
            *p = '/';
    }
    return name ? name : "";
}

const char *arm_queue_id(struct request *r, const char *name)
{
    char *shown = arena_strdup(r->arena, name ? name : request_param(r, "queue"));
    for (char *p = shown; p && *p; p++) {
        if (*p == '/')
            *p = '~';
    }
    return arm_id(r, request_param(r, "sub"), request_param(r, "group"),
                  "Microsoft.ServiceBus/namespaces/%s/queues/%s", request_param(r, "ns"), shown ? shown : "");
}

enum sb_err arm_queue_require(struct request *r, const char *action, const char *verb, struct ns_view *ret,
                              struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    const char *parent = arm_id(r, sub, group, "Microsoft.ServiceBus/namespaces/%s", ns);
    const char *whole = arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s", action);
    if (whole == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, whole, request_param(r, "queue") ? arm_queue_id(r, NULL) : parent, err));
    SB_TRY(arm_require_group(r, NULL, err));
    rc = ns_get(r->e, sub, group, ns, r->arena, ret, err);
    if (rc == SB_ENOTFOUND || rc == SB_ENONAMESPACE)
        return sb_fail(err, SB_ENOPARENT,
                       "Failed to perform '%s' on resource(s) of type 'namespaces/queues', because the "
                       "parent resource '%.800s' could not be "
                       "found.",
                       verb, parent);
    if (rc == SB_OK && strcmp(verb, "read") != 0)
        rc = ns_require_writable(r->e, sub, group, ns, err);
out:
    return rc;
}

/* The messaging service's sentences end in an id, a place and a time. */
static enum sb_err track(struct request *r, enum sb_err rc, struct sb_error *err)
{
    char when[TIME_TEXT_MAX];
    if (rc != SB_EENTITY)
        return rc;
    const char *text = arena_strdup(r->arena, err->detail);
    return sb_fail(err, rc, "%s TrackingId:%s_G0, SystemTracker:%s:%s, Timestamp:%s", text ? text : "",
                   r->request_id, request_authority(r, HOST_BUS, request_param(r, "ns"), false),
                   arm_queue_name(r), time_plain(r->now, when));
}

/* ---- writing ---- */

static void write_duration(struct jw *w, const char *key, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    jw_str(w, key, duration_format(ms, text));
}

static void write_counts(struct jw *w, const struct queue *q)
{
    jw_obj(w, "countDetails");
    jw_i64(w, "activeMessageCount", q->active);
    jw_i64(w, "deadLetterMessageCount", q->dead_letter);
    jw_i64(w, "scheduledMessageCount", q->scheduled);
    jw_i64(w, "transferMessageCount", 0);
    jw_i64(w, "transferDeadLetterMessageCount", 0);
    jw_end_obj(w);
}

enum answer { ANSWER_READ, ANSWER_CREATED, ANSWER_CHANGED };

/* A change is answered without the time of creation and with whole seconds; only a read knows about access
 * (recorded). */
static void write_times(struct jw *w, const struct queue *q, enum answer how)
{
    char created[TIME_TEXT_MAX], updated[TIME_TEXT_MAX], accessed[TIME_TEXT_MAX];
    bool changed = how == ANSWER_CHANGED;
    jw_str(w, "createdAt", changed ? NO_TIME : time_rfc3339(q->created_ms, created));
    jw_str(w, "updatedAt",
           time_rfc3339(changed ? q->updated_ms - q->updated_ms % 1000 : q->updated_ms, updated));
    if (how != ANSWER_READ)
        jw_str(w, "accessedAt", NO_TIME);
    else
        jw_str(w, "accessedAt", q->accessed_ms ? time_rfc3339(q->accessed_ms, accessed) : NO_TIME "Z");
}

static void write_queue(struct request *r, struct jw *w, const struct queue *q, const char *location,
                        enum answer how)
{
    const char *id = arm_queue_id(r, q->name);
    jw_obj(w, NULL);
    jw_str(w, "id", id);
    jw_str(w, "name", strrchr(id, '/') + 1);
    jw_str(w, "type", "Microsoft.ServiceBus/namespaces/queues");
    jw_str(w, "location", location);
    jw_obj(w, "properties");
    jw_i64(w, "maxMessageSizeInKilobytes", q->max_message_kb);
    write_duration(w, "lockDuration", q->lock_ms);
    jw_i64(w, "maxSizeInMegabytes", q->max_mb);
    jw_bool(w, "requiresDuplicateDetection", q->dup);
    jw_bool(w, "requiresSession", q->session);
    write_duration(w, "defaultMessageTimeToLive", q->ttl_ms);
    jw_bool(w, "deadLetteringOnMessageExpiration", q->dead_letter_expired);
    jw_bool(w, "enableBatchedOperations", q->batched);
    write_duration(w, "duplicateDetectionHistoryTimeWindow", q->dup_window_ms);
    jw_i64(w, "maxDeliveryCount", q->max_delivery);
    jw_i64(w, "sizeInBytes", q->size_bytes);
    jw_i64(w, "messageCount", q->active + q->dead_letter + q->scheduled);
    jw_str(w, "status", q->status);
    write_duration(w, "autoDeleteOnIdle", q->idle_ms);
    jw_bool(w, "enablePartitioning", q->partitioning);
    jw_bool(w, "enableExpress", q->express);
    write_counts(w, q);
    write_times(w, q, how);
    jw_str(w, "forwardTo", q->forward_to);
    jw_str(w, "forwardDeadLetteredMessagesTo", q->forward_dlq);
    jw_end_obj(w);
    jw_end_obj(w);
}

/* ---- reading ---- */

static enum sb_err read_duration(const struct json *p, const char *key, int64_t *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *text = NULL;
    SB_TRY(json_opt_str(p, "properties", key, &text, err));
    if (text && !duration_parse(text, ret))
        rc =
            sb_fail(err, SB_EBADREQUEST, "The value '%.60s' of '%s' is not an ISO 8601 duration.", text, key);
out:
    return rc;
}

static enum sb_err read_spec(const struct json *body, struct queue_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *p = NULL;
    int64_t deliveries = -1;
    struct {
        const char *key;
        int64_t *to;
    } durations[] = {{"lockDuration", &s->lock_ms},
                     {"defaultMessageTimeToLive", &s->ttl_ms},
                     {"duplicateDetectionHistoryTimeWindow", &s->dup_window_ms},
                     {"autoDeleteOnIdle", &s->idle_ms}};
    struct {
        const char *key;
        int64_t *to;
    } numbers[] = {{"maxSizeInMegabytes", &s->max_mb},
                   {"maxMessageSizeInKilobytes", &s->max_message_kb},
                   {"maxDeliveryCount", &deliveries}};
    struct {
        const char *key;
        int *to;
    } flags[] = {{"requiresDuplicateDetection", &s->dup},
                 {"requiresSession", &s->session},
                 {"deadLetteringOnMessageExpiration", &s->dead_letter_expired},
                 {"enableBatchedOperations", &s->batched},
                 {"enablePartitioning", &s->partitioning},
                 {"enableExpress", &s->express}};
    struct {
        const char *key;
        const char **to;
    } texts[] = {{"status", &s->status},
                 {"forwardTo", &s->forward_to},
                 {"forwardDeadLetteredMessagesTo", &s->forward_dlq}};
    SB_TRY(json_opt_obj(body, "the body", "properties", &p, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(durations); i++)
        SB_TRY(read_duration(p, durations[i].key, durations[i].to, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
        SB_TRY(json_opt_i64(p, "properties", numbers[i].key, 0, INT32_MAX, numbers[i].to, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(flags); i++)
        SB_TRY(json_opt_bool(p, "properties", flags[i].key, flags[i].to, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
        SB_TRY(json_opt_str(p, "properties", texts[i].key, texts[i].to, err));
    s->max_delivery = (int)deliveries;
out:
    return rc;
}

/* ---- handlers ---- */

static enum sb_err queue_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct queue q;
    bool created = false;
    struct queue_spec s = {.ns = request_param(r, "ns"),
                           .name = arm_queue_name(r),
                           .lock_ms = -1,
                           .ttl_ms = -1,
                           .dup_window_ms = -1,
                           .idle_ms = -1,
                           .max_mb = -1,
                           .max_message_kb = -1,
                           .max_delivery = -1,
                           .dup = -1,
                           .session = -1,
                           .dead_letter_expired = -1,
                           .batched = -1,
                           .partitioning = -1,
                           .express = -1};
    SB_TRY(arm_queue_require(r, "queues/write", "write", &ns, err));
    SB_TRY(read_spec(r->json, &s, err));
    rc = track(r, broker_queue_put(r->e, &s, r->arena, &q, &created, err), err);
    if (rc != SB_OK)
        goto out;
    struct jw w = reply_json(r, 200); /* 200 for a new one, too (recorded) */
    write_queue(r, &w, &q, ns.location, created ? ANSWER_CREATED : q.changed ? ANSWER_CHANGED : ANSWER_READ);
out:
    return rc;
}

static enum sb_err queue_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct queue q;
    SB_TRY(arm_queue_require(r, "queues/read", "read", &ns, err));
    SB_TRY(broker_queue_get(r->e, ns.name, arm_queue_name(r), r->arena, &q, err));
    struct jw w = reply_json(r, 200);
    write_queue(r, &w, &q, ns.location, ANSWER_READ);
out:
    return rc;
}

static enum sb_err queue_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    bool existed = false;
    SB_TRY(arm_queue_require(r, "queues/delete", "delete", &ns, err));
    SB_TRY(broker_queue_delete(r->e, ns.name, arm_queue_name(r), &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
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

static enum sb_err queue_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view ns;
    struct queue *q = NULL;
    size_t n = 0;
    int64_t skip = 0, top = PAGE;
    SB_TRY(arm_queue_require(r, "queues/read", "read", &ns, err));
    SB_TRY(read_number(r, "$skip", 0, INT32_MAX, &skip, err));
    SB_TRY(read_number(r, "$top", 1, PAGE_MAX, &top, err));
    /* One more than asked for tells whether there is another page. */
    SB_TRY(broker_queue_list(r->e, ns.name, (size_t)skip, (size_t)top + 1, r->arena, &q, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < SB_MIN(n, (size_t)top); i++)
        write_queue(r, &w, &q[i], ns.location, ANSWER_READ);
    jw_end_arr(&w);
    if (n > (size_t)top)
        jw_strf(&w, "nextLink", "%s%s?api-version=%s&$skip=%lld&$top=%lld", request_base(r, HOST_ARM, NULL),
                r->path, r->api_version ? r->api_version : "", (long long)(skip + top), (long long)top);
    jw_end_obj(&w);
out:
    return rc;
}

#define QUEUES                                                                                               \
    "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces/{ns}/queues"
#define QUEUE QUEUES "/{queue}"
#define RULES QUEUE "/authorizationRules"
#define RULE  RULES "/{rule}"
#define READ  (R_AUTH | R_APIVER)
#define WRITE (R_AUTH | R_APIVER | R_JSON)

static const struct route rows[] = {
    {"PUT", PLANE_ARM, QUEUE, WRITE | R_EMPTYOK, BODY_MAX, queue_put, "ArmQueuePut"},
    {"GET", PLANE_ARM, QUEUE, READ, BODY_MAX, queue_get, "ArmQueueGet"},
    {"DELETE", PLANE_ARM, QUEUE, READ, BODY_MAX, queue_delete, "ArmQueueDelete"},
    {"GET", PLANE_ARM, QUEUES, READ, BODY_MAX, queue_list, "ArmQueueList"},
    {"PUT", PLANE_ARM, RULE, WRITE, BODY_MAX, arm_queue_rule_put, "ArmQueueRulePut"},
    {"GET", PLANE_ARM, RULE, READ, BODY_MAX, arm_queue_rule_get, "ArmQueueRuleGet"},
    {"DELETE", PLANE_ARM, RULE, READ, BODY_MAX, arm_queue_rule_delete, "ArmQueueRuleDelete"},
    {"GET", PLANE_ARM, RULES, READ, BODY_MAX, arm_queue_rule_list, "ArmQueueRuleList"},
    {"POST", PLANE_ARM, RULE "/listKeys", READ, BODY_MAX, arm_queue_rule_keys, "ArmQueueRuleListKeys"},
    {"POST", PLANE_ARM, RULE "/regenerateKeys", WRITE, BODY_MAX, arm_queue_rule_regenerate,
     "ArmQueueRuleRegenerateKeys"},
};

const struct route_table routes_arm_queue = {rows, SB_ARRAY_LEN(rows)};
