/*
 * arm_entity_body.c: the bodies of queues, topics and subscriptions, in and out: one table of properties per
 * kind, in the order of the recorded answers. A new property is a row.
 */
#include <string.h>
#include "api/arm_entity.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define NO_TIME "0001-01-01T00:00:00"

enum type { DURATION, NUMBER, FLAG, TEXT, COUNT, COUNTS, TIMES, CLIENT };

struct property {
    const char *name;
    enum type type;
    size_t view, spec; /* where it stands in struct entity_view and struct entity_spec; spec 0: read only */
    const char *since; /* the first api-version that shows it; "" all */
};

/* clang-format off */
#define AT(field)    offsetof(struct entity_view, field), offsetof(struct entity_spec, field)
#define SHOWN(field) offsetof(struct entity_view, field), 0
#define MESSAGE_SIZE {"maxMessageSizeInKilobytes", NUMBER, AT(max_message_kb), "2021-01-01"}
#define LOCK         {"lockDuration", DURATION, AT(lock_ms), ""}
#define SIZE         {"maxSizeInMegabytes", NUMBER, AT(max_mb), ""}
#define DUPLICATES   {"requiresDuplicateDetection", FLAG, AT(dup), ""}
#define SESSION      {"requiresSession", FLAG, AT(session), ""}
#define TTL          {"defaultMessageTimeToLive", DURATION, AT(ttl_ms), ""}
#define DEAD_EXPIRED {"deadLetteringOnMessageExpiration", FLAG, AT(dead_letter_expired), ""}
#define BATCHED      {"enableBatchedOperations", FLAG, AT(batched), ""}
#define DUP_WINDOW   {"duplicateDetectionHistoryTimeWindow", DURATION, AT(dup_window_ms), ""}
#define DELIVERIES   {"maxDeliveryCount", NUMBER, AT(max_delivery), ""}
#define BYTES        {"sizeInBytes", COUNT, SHOWN(size_bytes), ""}
#define MESSAGES     {"messageCount", COUNT, SHOWN(active), ""}
#define STATUS       {"status", TEXT, AT(status), ""}
#define IDLE         {"autoDeleteOnIdle", DURATION, AT(idle_ms), ""}
#define PARTITIONS   {"enablePartitioning", FLAG, AT(partitioning), ""}
#define EXPRESS      {"enableExpress", FLAG, AT(express), ""}
#define ALL_COUNTS   {"countDetails", COUNTS, SHOWN(active), ""}
#define ALL_TIMES    {"createdAt", TIMES, SHOWN(created_ms), ""}
#define FORWARD      {"forwardTo", TEXT, AT(forward_to), ""}
#define FORWARD_DEAD {"forwardDeadLetteredMessagesTo", TEXT, AT(forward_dlq), ""}
#define METADATA     {"userMetadata", TEXT, AT(user_metadata), "2025-05-01"}

static const struct property queue_properties[] = {
    MESSAGE_SIZE, LOCK, SIZE, DUPLICATES, SESSION, TTL, DEAD_EXPIRED, BATCHED, DUP_WINDOW, DELIVERIES, BYTES,
    MESSAGES, STATUS, IDLE, PARTITIONS, EXPRESS, ALL_COUNTS, ALL_TIMES, FORWARD, FORWARD_DEAD, METADATA,
};
static const struct property topic_properties[] = {
    MESSAGE_SIZE, TTL, SIZE, DUPLICATES, DUP_WINDOW, BATCHED, BYTES, STATUS,
    {"supportOrdering", FLAG, AT(ordering), ""},
    IDLE, PARTITIONS, EXPRESS, ALL_TIMES,
    {"subscriptionCount", COUNT, SHOWN(subscriptions), ""},
    ALL_COUNTS, METADATA,
};
static const struct property subscription_properties[] = {
    {"isClientAffine", FLAG, AT(affine), "2021-06-01"},
    {"clientAffineProperties", CLIENT, AT(client_id), "2021-06-01"},
    LOCK, SESSION, TTL, DEAD_EXPIRED,
    {"deadLetteringOnFilterEvaluationExceptions", FLAG, AT(dead_letter_filter), ""},
    MESSAGES, DELIVERIES, STATUS, BATCHED, ALL_TIMES, ALL_COUNTS, IDLE, FORWARD, FORWARD_DEAD, METADATA,
};
/* clang-format on */

static const struct {
    const char *type;
    const struct property *list;
    size_t n;
} kinds[] = {
    [ENTITY_QUEUE] = {"queues", queue_properties, SB_ARRAY_LEN(queue_properties)},
    [ENTITY_TOPIC] = {"topics", topic_properties, SB_ARRAY_LEN(topic_properties)},
    [ENTITY_SUBSCRIPTION] = {"topics/subscriptions", subscription_properties,
                             SB_ARRAY_LEN(subscription_properties)},
};

/* ---- writing ---- */

static void write_counts(struct jw *w, const struct entity_view *q)
{
    jw_obj(w, "countDetails");
    jw_i64(w, "activeMessageCount", q->active);
    jw_i64(w, "deadLetterMessageCount", q->dead_letter);
    jw_i64(w, "scheduledMessageCount", q->scheduled);
    jw_i64(w, "transferMessageCount", 0);
    jw_i64(w, "transferDeadLetterMessageCount", 0);
    jw_end_obj(w);
}

/* A change of a queue or topic is answered without the time of creation and with whole seconds, a
 * subscription's with the time of the change in both places; only a read knows about access (all recorded).
 */
static void write_times(struct jw *w, const struct entity_view *q, enum arm_answer how)
{
    char created[TIME_TEXT_MAX], updated[TIME_TEXT_MAX], accessed[TIME_TEXT_MAX];
    bool sub = q->kind == ENTITY_SUBSCRIPTION, changed = how == ARM_CHANGED;
    char *(*format)(int64_t, char *) = sub ? time_rfc3339_7 : time_rfc3339;
    if (changed && !sub) {
        jw_str(w, "createdAt", NO_TIME);
        jw_str(w, "updatedAt", format(q->updated_ms - q->updated_ms % 1000, updated));
    } else {
        jw_str(w, "createdAt", format(changed ? q->updated_ms : q->created_ms, created));
        jw_str(w, "updatedAt", format(q->updated_ms, updated));
    }
    if (how != ARM_READ)
        jw_str(w, "accessedAt", NO_TIME);
    else
        jw_str(w, "accessedAt", q->accessed_ms ? format(q->accessed_ms, accessed) : NO_TIME "Z");
}

static void write_client(struct jw *w, const struct entity_view *q)
{
    if (!q->affine)
        return;
    jw_obj(w, "clientAffineProperties");
    jw_str(w, "clientId", q->client_id);
    jw_bool(w, "isDurable", q->durable);
    jw_bool(w, "isShared", q->shared);
    jw_end_obj(w);
}

static void write_property(struct jw *w, const struct property *p, const struct entity_view *q,
                           enum arm_answer how)
{
    const void *at = (const char *)q + p->view;
    char text[TIME_TEXT_MAX];
    switch (p->type) {
    case DURATION: jw_str(w, p->name, duration_format(*(const int64_t *)at, text)); break;
    case NUMBER: jw_i64(w, p->name, *(const int64_t *)at); break;
    case COUNT:
        jw_i64(w, p->name,
               p->view == offsetof(struct entity_view, active) ? q->active + q->dead_letter + q->scheduled
                                                               : *(const int64_t *)at);
        break;
    case FLAG: jw_bool(w, p->name, *(const bool *)at); break;
    case TEXT: jw_str(w, p->name, *(const char *const *)at); break;
    case COUNTS: write_counts(w, q); break;
    case TIMES: write_times(w, q, how); break;
    case CLIENT: write_client(w, q); break;
    }
}

void arm_entity_write(struct request *r, struct jw *w, const struct entity_view *q, const char *location,
                      enum arm_answer how)
{
    const char *id = arm_entity_id(r, q->kind, q->name), *version = r->api_version ? r->api_version : "";
    jw_obj(w, NULL);
    jw_str(w, "id", id);
    jw_str(w, "name", strrchr(id, '/') + 1);
    jw_strf(w, "type", "Microsoft.ServiceBus/namespaces/%s", kinds[q->kind].type);
    jw_str(w, "location", location);
    jw_obj(w, "properties");
    for (size_t i = 0; i < kinds[q->kind].n; i++) {
        const struct property *p = &kinds[q->kind].list[i];
        if (strncmp(version, p->since, strlen(p->since)) >= 0)
            write_property(w, p, q, how);
    }
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

static enum sb_err read_client(const struct json *p, struct entity_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *client = NULL;
    static const char where[] = "properties.clientAffineProperties";
    SB_TRY(json_opt_obj(p, "properties", "clientAffineProperties", &client, err));
    SB_TRY(json_opt_str(client, where, "clientId", &s->client_id, err));
    SB_TRY(json_opt_bool(client, where, "isDurable", &s->durable, err));
    SB_TRY(json_opt_bool(client, where, "isShared", &s->shared, err));
    if (s->client_id && utf8_length(s->client_id, strlen(s->client_id)) > MESSAGE_ID_MAX)
        rc = sb_fail(err, SB_EBADREQUEST, "The clientId has more than %d characters.", MESSAGE_ID_MAX);
out:
    return rc;
}

static enum sb_err read_property(const struct json *p, const struct property *x, struct entity_spec *s,
                                 struct sb_error *err)
{
    void *at = (char *)s + x->spec;
    if (x->spec == 0)
        return SB_OK;
    switch (x->type) {
    case DURATION: return read_duration(p, x->name, at, err);
    case NUMBER: return json_opt_i64(p, "properties", x->name, 0, INT32_MAX, at, err);
    case FLAG: return json_opt_bool(p, "properties", x->name, at, err);
    case TEXT: return json_opt_str(p, "properties", x->name, at, err);
    case CLIENT: return read_client(p, s, err);
    case COUNT:
    case COUNTS:
    case TIMES: break;
    }
    return SB_OK;
}

enum sb_err arm_entity_read(const struct json *body, struct entity_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *p = NULL;
    SB_TRY(json_opt_obj(body, "the body", "properties", &p, err));
    for (size_t i = 0; i < kinds[s->kind].n; i++)
        SB_TRY(read_property(p, &kinds[s->kind].list[i], s, err));
out:
    return rc;
}
