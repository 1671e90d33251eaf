/*
 * brokerprops.c: BrokerProperties and custom property headers. Formats are recorded; where the reader is more
 * lenient than the writer (bare words as text) it is our choice.
 */
#include "api/brokerprops.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"

/* 922337203685.4775807 s: TimeSpan.MaxValue as the service writes it. */
#define FOREVER_SECONDS 922337203685.4775807
#define FOREVER_TEXT    "922337203685.47754" /* a double's digits */

/* ---- reading BrokerProperties ---- */

static enum sb_err bad(struct sb_error *err, const char *what)
{
    return sb_fail(err, SB_EBADREQUEST, "The BrokerProperties are not valid: %s.", what);
}

static enum sb_err read_ttl(const struct json *obj, struct brokerprops *p, struct sb_error *err)
{
    const struct json *seconds = json_get(obj, "TimeToLive"), *span = json_get(obj, "TimeToLiveTimeSpan");
    if (seconds && !json_is_null(seconds)) {
        double s = json_is_number(seconds) ? json_double(seconds) : -1;
        if (!(s > 0))
            return bad(err, "TimeToLive must be a number of seconds above 0");
        p->ttl_ms = s >= FOREVER_SECONDS ? TIME_FOREVER_MS : SB_MAX((int64_t)llround(s * 1000), 1);
    } else if (span && !json_is_null(span)) {
        if (!json_is_string(span) || !timespan_parse(json_text(span), &p->ttl_ms) || p->ttl_ms <= 0)
            return bad(err, "TimeToLiveTimeSpan must be a time span above 0");
    }
    return SB_OK;
}

static enum sb_err read_scheduled(const struct json *obj, struct brokerprops *p, struct sb_error *err)
{
    const struct json *j = json_get(obj, "ScheduledEnqueueTimeUtc");
    if (j == NULL || json_is_null(j))
        return SB_OK;
    const char *text = json_is_string(j) ? json_text(j) : "";
    if (!time_parse_rfc1123(text, &p->scheduled_ms) && !time_parse_rfc3339(text, &p->scheduled_ms))
        return bad(err, "ScheduledEnqueueTimeUtc must be a time such as \"Tue, 30 Jun 2015 20:51:21 GMT\"");
    return SB_OK;
}

static enum sb_err read_text(const struct json *obj, const char *key, size_t max, struct sb_arena *a,
                             const char **ret, struct sb_error *err)
{
    const struct json *j = json_get(obj, key);
    if (j == NULL || json_is_null(j))
        return SB_OK;
    if (!json_is_string(j))
        return sb_fail(err, SB_EBADREQUEST, "The BrokerProperties are not valid: %s must be a string.", key);
    if (utf8_length(json_text(j), strlen(json_text(j))) > max)
        return sb_fail(err, SB_EBADREQUEST, "The BrokerProperties are not valid: %s exceeds %zu characters.",
                       key, max);
    *ret = arena_strdup(a, json_text(j));
    return *ret ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

enum sb_err brokerprops_read(const struct json *obj, struct sb_arena *a, struct brokerprops *ret,
                             struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct brokerprops p = {.ttl_ms = -1};
    const struct {
        const char *key;
        size_t max;
        const char **to;
    } texts[] = {
        {"ContentType", BROKERPROPS_PROPERTY_MAX, &p.props.content_type},
        {"CorrelationId", BROKERPROPS_PROPERTY_MAX, &p.props.correlation_id},
        {"Label", BROKERPROPS_PROPERTY_MAX, &p.props.subject},
        {"MessageId", MESSAGE_ID_MAX, &p.props.message_id},
        {"PartitionKey", MESSAGE_ID_MAX, &p.props.partition_key},
        {"ReplyTo", BROKERPROPS_PROPERTY_MAX, &p.props.reply_to},
        {"ReplyToSessionId", MESSAGE_ID_MAX, &p.props.reply_to_session_id},
        {"SessionId", MESSAGE_ID_MAX, &p.props.session_id},
        {"To", BROKERPROPS_PROPERTY_MAX, &p.props.to},
        {"ViaPartitionKey", MESSAGE_ID_MAX, &p.props.via_partition_key},
    };
    if (obj && !json_is_object(obj))
        return bad(err, "they must be a JSON object");
    for (size_t i = 0; obj && i < SB_ARRAY_LEN(texts); i++)
        SB_TRY(read_text(obj, texts[i].key, texts[i].max, a, texts[i].to, err));
    if (p.props.message_id && p.props.message_id[0] == '\0')
        return bad(err, "MessageId must not be empty");
    if (p.props.session_id && p.props.partition_key && strcmp(p.props.session_id, p.props.partition_key) != 0)
        return bad(err, "SessionId and PartitionKey must be equal when both are set");
    SB_TRY(read_ttl(obj, &p, err));
    SB_TRY(read_scheduled(obj, &p, err));
    *ret = p;
out:
    return rc;
}

enum sb_err brokerprops_parse(const char *text, struct sb_arena *a, struct brokerprops *ret,
                              struct sb_error *err)
{
    struct json *j = NULL;
    struct sb_error why;
    size_t n = text ? strlen(text) : 0;
    if (n > BROKERPROPS_HEADER_MAX)
        return bad(err, "the header exceeds 64 KB");
    if (n > 0 && json_parse(text, n, &j, &why) != SB_OK)
        return sb_fail(err, SB_EBADREQUEST, "The BrokerProperties are not valid: %.200s", why.detail);
    enum sb_err rc = brokerprops_read(j, a, ret, err);
    json_free(j);
    return rc;
}

/* ---- custom properties: names ---- */

/* Headers that HTTP, clients and proxies use; whatever else a request carries is a property. In order. */
static const char *const http_headers[] = {
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "age",
    "allow",
    "authorization",
    "brokerproperties",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "keep-alive",
    "last-modified",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "request-id",
    "retry-after",
    "server",
    "servicebusauthorization",
    "servicebusdlqsupplementaryauthorization",
    "servicebussupplementaryauthorization",
    "set-cookie",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "warning",
    "www-authenticate",
};
static const char *const http_prefixes[] = {"if-", "proxy-", "sec-", "x-forwarded-", "x-ms-"};

static int by_name(const void *name, const void *row)
{
    const char *const *header = row;
    return strcasecmp(name, *header);
}

static bool used_by_http(const char *name)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(http_prefixes); i++) {
        if (text_istarts(name, http_prefixes[i]))
            return true;
    }
    return bsearch(name, http_headers, SB_ARRAY_LEN(http_headers), sizeof http_headers[0], by_name) != NULL;
}

/* RFC 9110 token */
static bool is_token(const char *name)
{
    const char *p = name;
    while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
           (*p && strchr("!#$%&'*+-.^_`|~", *p)))
        p++;
    return p != name && *p == '\0';
}

bool brokerprops_showable(const char *name)
{
    return is_token(name) && !used_by_http(name);
}

/* ---- custom properties: reading values ---- */

/* Text as UTF-8: what is not is taken for Latin-1, as HTTP once had it. */
static const char *as_utf8(struct sb_arena *a, const char *s)
{
    size_t n = strlen(s);
    if (utf8_valid(s, n))
        return arena_strndup(a, s, n);
    char *out = arena_alloc(a, 2 * n + 1);
    char *p = out;
    for (; out && *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x80) {
            *p++ = (char)(0xc0 | (c >> 6));
            c = 0x80 | (c & 0x3f);
        }
        *p++ = (char)c;
    }
    return out;
}

/* A date is one only if it would be written the same way. */
static bool is_date(const char *s, int64_t *ret)
{
    char again[TIME_TEXT_MAX];
    return time_parse_rfc1123(s, ret) && strcmp(time_rfc1123(*ret, again), s) == 0;
}

static struct amqp_value text_value(const char *s)
{
    int64_t ms = 0;
    if (is_date(s, &ms))
        return (struct amqp_value){.kind = AMQP_TIMESTAMP, .i = ms};
    return (struct amqp_value){.kind = AMQP_STRING, .s = s};
}

/* A parsed JSON scalar; false for objects, arrays. */
static bool json_value(const struct json *j, struct sb_arena *a, struct amqp_value *ret)
{
    int64_t i;
    if (json_is_string(j)) {
        const char *s = arena_strdup(a, json_text(j));
        *ret = text_value(s ? s : "");
        return s != NULL;
    }
    if (json_is_bool(j))
        *ret = (struct amqp_value){.kind = AMQP_BOOL, .i = json_true(j)};
    else if (json_is_null(j))
        *ret = (struct amqp_value){.kind = AMQP_NULL};
    else if (json_is_number(j) && json_i64(j, &i))
        *ret = (struct amqp_value){.kind = AMQP_LONG, .i = i};
    else if (json_is_number(j))
        *ret = (struct amqp_value){.kind = AMQP_DOUBLE, .d = json_double(j)};
    else
        return false;
    return true;
}

/* A header's value: JSON when it reads as JSON, else the text as it stands. */
static bool header_value(const char *raw, struct sb_arena *a, struct amqp_value *ret)
{
    struct json *j = NULL;
    const char *s = as_utf8(a, raw);
    if (s == NULL)
        return false;
    bool scalar = s[0] == '"' || s[0] == '-' || (s[0] >= '0' && s[0] <= '9') || strcmp(s, "true") == 0 ||
                  strcmp(s, "false") == 0;
    bool done = scalar && json_parse(s, strlen(s), &j, NULL) == SB_OK && json_value(j, a, ret);
    json_free(j);
    if (!done)
        *ret = (struct amqp_value){.kind = AMQP_STRING, .s = s};
    return true;
}

/* Adds up what is allowed in all. */
static enum sb_err add_size(const char *name, size_t value_n, size_t *total, struct sb_error *err)
{
    size_t n = strlen(name) + value_n;
    *total += n;
    if (n <= BROKERPROPS_PROPERTY_MAX && *total <= BROKERPROPS_TOTAL_MAX)
        return SB_OK;
    return sb_fail(err, SB_EQUOTA, "The custom properties exceed the limit of 32 KB each and 64 KB in all.");
}

enum sb_err brokerprops_custom(const struct request_pair *headers, size_t n, struct sb_arena *a,
                               const struct amqp_app_prop **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct amqp_app_prop *props = NULL;
    size_t count = 0, total = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = headers[i].name, *value = headers[i].value ? headers[i].value : "";
        if (!brokerprops_showable(name))
            continue;
        if (props == NULL)
            props = ARENA_ARRAY(a, struct amqp_app_prop, n - i);
        SB_TRY(add_size(name, strlen(value), &total, err));
        if (props == NULL || (props[count].name = arena_strdup(a, name)) == NULL ||
            !header_value(value, a, &props[count].value))
            return sb_fail(err, SB_ENOMEM, "out of memory");
        count++;
    }
    *ret = props;
    *ret_n = count;
out:
    return rc;
}

enum sb_err brokerprops_user(const struct json *obj, struct sb_arena *a, const struct amqp_app_prop **ret,
                             size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t count = 0, total = 0;
    if (obj && !json_is_object(obj) && !json_is_null(obj))
        return sb_fail(err, SB_EBADREQUEST, "UserProperties must be a JSON object.");
    struct amqp_app_prop *props = ARENA_ARRAY(a, struct amqp_app_prop, json_size(obj) + 1);
    if (props == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    JSON_FOREACH (j, obj) {
        struct amqp_app_prop *p = &props[count++];
        p->name = arena_strdup(a, json_key(j));
        if (p->name == NULL || !json_value(j, a, &p->value))
            return arena_failed(a)
                       ? sb_fail(err, SB_ENOMEM, "out of memory")
                       : sb_fail(err, SB_EBADREQUEST,
                                 "The user property '%.100s' must be a text, number, truth value or null.",
                                 json_key(j));
        SB_TRY(add_size(p->name, p->value.kind == AMQP_STRING ? strlen(p->value.s) : 8, &total, err));
    }
    *ret = props;
    *ret_n = count;
out:
    return rc;
}

/* ---- writing ---- */

/* The next character of valid UTF-8. */
static unsigned next_char(const unsigned char **p)
{
    const unsigned char *s = *p;
    size_t more = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 0;
    unsigned c = more ? s[0] & (0x3fu >> more) : s[0];
    for (size_t i = 1; i <= more; i++)
        c = c << 6 | (s[i] & 0x3fu);
    *p = s + more + 1;
    return c;
}

static void add_char(struct sb_buf *b, unsigned c)
{
    if (c == '"' || c == '\\')
        buf_addf(b, "\\%c", (int)c);
    else if (c >= 0x20 && c < 0x7f)
        buf_addc(b, (char)c);
    else if (c < 0x10000)
        buf_addf(b, "\\u%04x", c);
    else
        buf_addf(b, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
}

/* A JSON string in ASCII: what stands in a header must not depend on anybody's idea of its encoding. */
static void add_string(struct sb_buf *b, const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    buf_addc(b, '"');
    while (*p) {
        size_t plain = 0;
        while (p[plain] >= 0x20 && p[plain] < 0x7f && p[plain] != '"' && p[plain] != '\\')
            plain++;
        buf_add(b, p, plain);
        p += plain;
        if (*p)
            add_char(b, next_char(&p));
    }
    buf_addc(b, '"');
}

/* As .NET writes a double: 15 digits when they are enough, else 17. */
static void add_double(struct sb_buf *b, double d)
{
    char text[40];
    if (!isfinite(d)) {
        add_string(b, isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return;
    }
    snprintf(text, sizeof text, "%.15g", d);
    if (strtod(text, NULL) != d) /* lint: ok, our own digits */
        snprintf(text, sizeof text, "%.17g", d);
    buf_adds(b, text);
}

static void add_time(struct sb_buf *b, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    buf_addc(b, '"');
    buf_adds(b, time_rfc1123(ms, text));
    buf_addc(b, '"');
}

void brokerprops_value(struct sb_buf *b, const struct amqp_value *v)
{
    switch (v->kind) {
    case AMQP_STRING: add_string(b, v->s); break;
    case AMQP_LONG: buf_addf(b, "%lld", (long long)v->i); break;
    case AMQP_DOUBLE: add_double(b, v->d); break;
    case AMQP_BOOL: buf_adds(b, v->i ? "true" : "false"); break;
    case AMQP_TIMESTAMP: add_time(b, v->i); break;
    case AMQP_NULL:
    case AMQP_OTHER:
    default: buf_adds(b, "null"); break;
    }
}

static void key(struct sb_buf *b, const char *name)
{
    bool first = b->n > 0 && b->p[b->n - 1] == '{';
    buf_adds(b, first ? "\"" : ",\"");
    buf_adds(b, name);
    buf_adds(b, "\":");
}

static void text(struct sb_buf *b, const char *name, const char *v)
{
    if (v == NULL)
        return;
    key(b, name);
    add_string(b, v);
}

static void number(struct sb_buf *b, const char *name, int64_t v)
{
    key(b, name);
    buf_addf(b, "%lld", (long long)v);
}

static void when(struct sb_buf *b, const char *name, int64_t ms)
{
    key(b, name);
    add_time(b, ms);
}

void brokerprops_write(struct sb_buf *b, const struct broker_delivery *d, const struct amqp_props *p)
{
    buf_addc(b, '{');
    text(b, "CorrelationId", p->correlation_id);
    number(b, "DeliveryCount", d->delivery_count);
    number(b, "EnqueuedSequenceNumber", d->enqueued_seq); /* of its topic; 0 on a queue (recorded) */
    when(b, "EnqueuedTimeUtc", d->enqueued_ms);
    text(b, "Label", p->subject);
    if (d->lock_token[0]) {
        text(b, "LockToken", d->lock_token);
        when(b, "LockedUntilUtc", d->locked_until_ms);
    }
    text(b, "MessageId", p->message_id);
    text(b, "PartitionKey", p->partition_key);
    text(b, "ReplyTo", p->reply_to);
    text(b, "ReplyToSessionId", p->reply_to_session_id);
    number(b, "SequenceNumber", d->seq);
    text(b, "SessionId", p->session_id);
    text(b, "State", "Active");
    key(b, "TimeToLive");
    if (d->ttl_ms >= TIME_FOREVER_MS)
        buf_adds(b, FOREVER_TEXT);
    else
        add_double(b, (double)d->ttl_ms / 1000);
    text(b, "To", p->to);
    text(b, "ViaPartitionKey", p->via_partition_key);
    buf_addc(b, '}');
}
