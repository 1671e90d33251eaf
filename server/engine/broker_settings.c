/*
 * broker_settings.c: what a queue, topic or subscription may be set to: defaults, ranges, what depends on the
 * tier, what cannot change.
 *
 * Texts of refusals are the service's own where they are recorded or documented ("Service Bus Resource
 * Manager exceptions").
 */
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_private.h"

#define MINUTE_MS      INT64_C(60000)
#define DAY_MS         (24 * 60 * MINUTE_MS)
#define SIZE_MAX_MB    81920
#define MESSAGE_MAX_KB 102400

/* How the messaging service begins and ends such a sentence (recorded); "TrackingId:…" is the ARM layer's. */
#define SUB    "SubCode=40000. "
#define SUB404 "SubCode=40400. "
#define MORE   " To know more visit https://aka.ms/sbResourceMgrExceptions."

static const char *const statuses[] = {
    [ST_ENTITY_ACTIVE] = "Active",
    [ST_ENTITY_DISABLED] = "Disabled",
    [ST_ENTITY_SEND_DISABLED] = "SendDisabled",
    [ST_ENTITY_RECEIVE_DISABLED] = "ReceiveDisabled",
};

const char *broker_settings_status(int status)
{
    return statuses[status];
}

/* ---- a specification becomes a row ---- */

static const char *const kinds[] = {
    [ENTITY_QUEUE] = "Queue", [ENTITY_TOPIC] = "Topic", [ENTITY_SUBSCRIPTION] = "Subscription"};

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static enum sb_err check_letters(const char *name, const char *allowed, struct sb_error *err)
{
    if (strspn(name, allowed) == strlen(name))
        return SB_OK;
    return sb_fail(err, SB_EENTITY,
                   SUB "'%s' contains character(s) that is not allowed by Service Bus. Entity segments "
                       "can contain only letters, "
                       "numbers, periods (.), hyphens (-), and underscores (_)." MORE,
                   name);
}

/* "$" stands in the names of client-affine subscriptions (recorded: "s$$D"). */
static enum sb_err check_subscription_name(const char *path, struct sb_error *err)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    if (*name == '\0' || strlen(name) > SUBSCRIPTION_NAME_MAX || strlen(path) > ENTITY_PATH_MAX)
        return sb_fail(err, SB_EENTITY, SUB "The name of a subscription must have 1 to %d characters." MORE,
                       SUBSCRIPTION_NAME_MAX);
    return check_letters(name, LETTERS "$", err);
}

enum sb_err broker_settings_name(const struct entity_spec *s, struct sb_error *err)
{
    const char *name = s->name;
    size_t n = strlen(name);
    if (s->kind == ENTITY_SUBSCRIPTION)
        return check_subscription_name(name, err);
    if (n == 0 || n > ENTITY_NAME_MAX)
        return sb_fail(err, SB_EENTITY, SUB "The entity name or path must have 1 to %d characters." MORE,
                       ENTITY_NAME_MAX);
    if (check_letters(name, LETTERS "/", err) != SB_OK)
        return SB_EENTITY;
    if (name[0] == '/' || name[n - 1] == '/' || strstr(name, "//"))
        return sb_fail(err, SB_EENTITY, SUB "'%s' contains an empty entity segment." MORE, name);
    return SB_OK;
}

struct entity_spec broker_spec(enum entity_kind kind, const char *ns, const char *name)
{
    return (struct entity_spec){.kind = kind,
                                .ns = ns,
                                .name = name,
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
                                .express = -1,
                                .ordering = -1,
                                .dead_letter_filter = -1,
                                .affine = -1,
                                .durable = -1,
                                .shared = -1};
}

static void set_flag(int *flags, int bit, int value)
{
    if (value >= 0)
        *flags = value ? *flags | bit : *flags & ~bit;
}

static int64_t chosen(int64_t sent, int64_t before)
{
    return sent >= 0 ? sent : before;
}

/* "" ends forwarding. */
static const char *chosen_text(const char *sent, const char *before)
{
    if (sent == NULL)
        return before;
    return *sent ? sent : NULL;
}

static bool parse_status(const char *text, int *ret)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(statuses); i++) {
        if (text_ieq(text, statuses[i])) {
            *ret = (int)i;
            return true;
        }
    }
    return false;
}

struct st_entity broker_settings_default(const struct ns *n, enum entity_kind kind, const char *sku)
{
    static const int flags[] = {[ENTITY_QUEUE] = ST_ENTITY_BATCHED,
                                [ENTITY_TOPIC] = ST_ENTITY_BATCHED | ST_ENTITY_ORDERING,
                                [ENTITY_SUBSCRIPTION] = ST_ENTITY_BATCHED | ST_ENTITY_DEAD_FILTER};
    bool sub = kind == ENTITY_SUBSCRIPTION; /* its sizes are its topic's */
    return (struct st_entity){.ns = n->id,
                              .kind = (int)kind,
                              .status = ST_ENTITY_ACTIVE,
                              .max_delivery = 10,
                              .flags = flags[kind],
                              .lock_ms = MINUTE_MS,
                              .ttl_ms = text_ieq(sku, "Basic") ? 14 * DAY_MS : TIME_FOREVER_MS,
                              .dup_window_ms = 10 * MINUTE_MS,
                              .idle_ms = TIME_FOREVER_MS,
                              .max_mb = sub ? SIZE_MAX_MB : 1024,
                              .max_message_kb = sub          ? MESSAGE_MAX_KB
                                                : n->premium ? 1024
                                                             : 256,
                              .count = {.next_seq = 1}};
}

enum sb_err broker_settings_apply(const struct entity_spec *s, struct st_entity *row, struct sb_error *err)
{
    if (s->status && !parse_status(s->status, &row->status))
        return sb_fail(err, SB_EENTITY, SUB "The value '%.60s' is not valid for the property 'Status'." MORE,
                       s->status);
    if (s->user_metadata && utf8_length(s->user_metadata, strlen(s->user_metadata)) > BROKER_METADATA_MAX)
        return sb_fail(err, SB_EENTITY,
                       SUB "The property 'UserMetadata' must have at most %d characters." MORE,
                       BROKER_METADATA_MAX);
    row->forward_to = chosen_text(s->forward_to, row->forward_to);
    row->forward_dlq = chosen_text(s->forward_dlq, row->forward_dlq);
    row->client_id = chosen_text(s->client_id, row->client_id);
    row->lock_ms = chosen(s->lock_ms, row->lock_ms);
    row->ttl_ms = chosen(s->ttl_ms, row->ttl_ms);
    row->dup_window_ms = chosen(s->dup_window_ms, row->dup_window_ms);
    row->idle_ms = chosen(s->idle_ms, row->idle_ms);
    /* 0 is what Terraform sends for "no size", and the service takes it as that. */
    row->max_mb = chosen(s->max_mb > 0 ? s->max_mb : -1, row->max_mb);
    row->max_message_kb = chosen(s->max_message_kb, row->max_message_kb);
    row->max_delivery = (int)chosen(s->max_delivery, row->max_delivery);
    set_flag(&row->flags, ST_ENTITY_DUP, s->dup);
    set_flag(&row->flags, ST_ENTITY_SESSION, s->session);
    set_flag(&row->flags, ST_ENTITY_DEAD_EXPIRED, s->dead_letter_expired);
    set_flag(&row->flags, ST_ENTITY_BATCHED, s->batched);
    set_flag(&row->flags, ST_ENTITY_PARTITIONED, s->partitioning);
    set_flag(&row->flags, ST_ENTITY_EXPRESS, s->express);
    set_flag(&row->flags, ST_ENTITY_ORDERING, s->ordering);
    set_flag(&row->flags, ST_ENTITY_DEAD_FILTER, s->dead_letter_filter);
    set_flag(&row->flags, ST_ENTITY_AFFINE, s->affine);
    set_flag(&row->flags, ST_ENTITY_DURABLE, s->durable);
    set_flag(&row->flags, ST_ENTITY_SHARED, s->shared);
    return SB_OK;
}

/* ---- what a row may hold ---- */

static enum sb_err check_size(const struct ns *n, struct st_entity *row, struct sb_error *err)
{
    static const int64_t sizes[] = {1024, 2048, 3072, 4096, 5120, 10240, 20480, 40960, SIZE_MAX_MB};
    if (row->kind == ST_ENTITY_SUBSCRIPTION)
        return SB_OK;
    size_t known = n->premium ? SB_ARRAY_LEN(sizes) : 5;
    int64_t parts = !n->premium && (row->flags & ST_ENTITY_PARTITIONED) ? 16 : 1;
    for (size_t i = 0; i < known; i++) {
        /* A partitioned queue has that much in each of its 16 partitions, and shows the sum (recorded). */
        if (row->max_mb == sizes[i] || row->max_mb == sizes[i] * parts) {
            row->max_mb = sizes[i] * parts;
            return SB_OK;
        }
    }
    return sb_fail(err, SB_EENTITY,
                   SUB "The specified value %lld is invalid. The property 'MaxSizeInMegabytes', must be one "
                       "of the following values: "
                       "%s." MORE,
                   (long long)row->max_mb,
                   n->premium ? "1024;2048;3072;4096;5120;10240;20480;40960;81920"
                              : "1024;2048;3072;4096;5120");
}

static enum sb_err check_message_size(const struct ns *n, const char *sku, const struct st_entity *row,
                                      struct sb_error *err)
{
    int64_t min = n->premium ? 1024 : 256, max = n->premium ? MESSAGE_MAX_KB : 256;
    if (row->kind == ST_ENTITY_SUBSCRIPTION)
        return SB_OK;
    if (row->max_message_kb >= min && row->max_message_kb <= max)
        return SB_OK;
    return sb_fail(err, SB_EENTITY,
                   SUB "The property value for 'MaxMessageSizeInKilobytes' must be between %lld and %lld "
                       "when the namespace '%s' is "
                       "using '%s' tier." MORE,
                   (long long)min, (long long)max, n->name, sku);
}

static enum sb_err out_of_range(struct sb_error *err, const char *what, const char *range)
{
    return sb_fail(err, SB_EENTITY, SUB "The value for the property '%s' must be %s." MORE, what, range);
}

/* "[d.]hh:mm:ss", as .NET writes a time span. */
static const char *timespan_format(int64_t ms, char dst[40])
{
    long long s = (long long)(ms / 1000), days = s / 86400;
    int n = days ? snprintf(dst, 40, "%lld.", days) : 0;
    n += snprintf(dst + n, 40 - (size_t)n, "%02lld:%02lld:%02lld", s / 3600 % 24, s / 60 % 60, s % 60);
    if (ms % 1000)
        snprintf(dst + n, 40 - (size_t)n, ".%03lld0000", (long long)(ms % 1000));
    return dst;
}

static enum sb_err check_times(const char *sku, const struct st_entity *row, struct sb_error *err)
{
    char text[40];
    if (row->lock_ms > BROKER_LOCK_MAX_MS)
        return sb_fail(err, SB_EENTITY,
                       SUB "The supplied lock time exceeds the allowed maximum of '5' minutes." MORE
                           "\r\nParameter name: LockDuration\r\n"
                           "Actual value was %s.",
                       timespan_format(row->lock_ms, text));
    if (row->lock_ms < 1)
        return out_of_range(err, "LockDuration", "longer than zero");
    if (row->ttl_ms < 1)
        return out_of_range(err, "DefaultMessageTimeToLive", "longer than zero");
    if (text_ieq(sku, "Basic") && row->ttl_ms > 14 * DAY_MS)
        return out_of_range(err, "DefaultMessageTimeToLive", "at most 14 days in the 'Basic' tier");
    if (row->dup_window_ms < 20000 || row->dup_window_ms > 7 * DAY_MS)
        return out_of_range(err, "DuplicateDetectionHistoryTimeWindow", "between 20 seconds and 7 days");
    if (row->idle_ms < 5 * MINUTE_MS)
        return out_of_range(err, "AutoDeleteOnIdle", "at least 5 minutes");
    if (row->max_delivery < 1 || row->max_delivery > 2000)
        return out_of_range(err, "MaxDeliveryCount", "between 1 and 2000");
    return SB_OK;
}

static enum sb_err check_tier(const struct ns *n, const char *sku, const struct st_entity *row,
                              struct sb_error *err)
{
    const struct {
        const char *name;
        bool set;
    } wants[] = {
        {"RequiresDuplicateDetection", (row->flags & ST_ENTITY_DUP) != 0},
        {"RequiresSession", (row->flags & ST_ENTITY_SESSION) != 0},
        {"ForwardTo", row->forward_to != NULL},
        {"ForwardDeadLetteredMessagesTo", row->forward_dlq != NULL},
        {"AutoDeleteOnIdle", row->idle_ms < TIME_FOREVER_MS},
    };
    bool basic = text_ieq(sku, "Basic");
    if (basic && row->kind != ST_ENTITY_QUEUE)
        return sb_fail(err, SB_EENTITY,
                       SUB "Cannot operate on type %s because the namespace '%s' is using 'Basic' tier." MORE,
                       kinds[row->kind], n->name);
    for (size_t i = 0; basic && i < SB_ARRAY_LEN(wants); i++) {
        if (wants[i].set)
            return sb_fail(err, SB_EENTITY,
                           SUB "The property '%s' can't be set when creating a Queue because the namespace "
                               "'%s' is using the 'Basic' Tier. "
                               "This operation is only supported in 'Standard' or 'Premium' tier." MORE,
                           wants[i].name, n->name);
    }
    return SB_OK;
}

/* The text of a forwarding property names a queue or topic of the namespace, bare or as a URI. */
static enum sb_err check_forward(const struct ns *n, const char *self, const char *text, const char **ret,
                                 struct sb_error *err)
{
    if (text == NULL)
        return SB_OK;
    const char *name = strstr(text, "://");
    if (name) {
        name = strchr(name + 3, '/');
        name = name ? name + 1 : "";
    } else {
        name = text;
    }
    if (strlen(name) > ENTITY_NAME_MAX)
        return sb_fail(err, SB_EENTITY, SUB "The name of the auto forwarding destination is too long." MORE);
    if (text_ieq(name, self))
        return sb_fail(err, SB_EENTITY, SUB "Auto forwarding of '%s' to itself is not allowed." MORE, self);
    const struct entity *to = broker_find(n->broker, name);
    if (to == NULL || to->cfg->kind == ST_ENTITY_SUBSCRIPTION)
        return sb_fail(err, SB_EENTITY, SUB404 "The auto forwarding destination entity doesn't exist." MORE);
    *ret = name;
    return SB_OK;
}

/* Documented for queues and topics. */
static enum sb_err check_fixed(const struct st_entity *before, const struct st_entity *row,
                               struct sb_error *err)
{
    static const struct {
        int bit;
        const char *head, *tail;
    } fixed[] = {
        {ST_ENTITY_DUP, "The value for the RequiresDuplicateDetection property of an existing ",
         " cannot be changed."},
        {ST_ENTITY_SESSION, "The value for the RequiresSession property of an existing ",
         " cannot be changed."},
        {ST_ENTITY_PARTITIONED, "Partitioning cannot be changed for ", "."},
        {ST_ENTITY_AFFINE, "The value for the IsClientAffine property of an existing ",
         " cannot be changed."},
    };
    for (size_t i = 0; before && i < SB_ARRAY_LEN(fixed); i++) {
        if ((before->flags ^ row->flags) & fixed[i].bit)
            return sb_fail(err, SB_EENTITY, SUB "%s%s%s" MORE, fixed[i].head, kinds[row->kind],
                           fixed[i].tail);
    }
    return SB_OK;
}

enum sb_err broker_settings_check(const struct ns *n, const char *sku, const struct st_entity *before,
                                  struct st_entity *row, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(check_fixed(before, row, err));
    SB_TRY(check_size(n, row, err));
    SB_TRY(check_message_size(n, sku, row, err));
    SB_TRY(check_times(sku, row, err));
    SB_TRY(check_tier(n, sku, row, err));
    SB_TRY(check_forward(n, row->name, row->forward_to, &row->forward_to, err));
    SB_TRY(check_forward(n, row->name, row->forward_dlq, &row->forward_dlq, err));
out:
    return rc;
}
