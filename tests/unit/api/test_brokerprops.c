/* test_brokerprops.c: BrokerProperties and custom property headers, both ways. */
#include <string.h>
#include "api/brokerprops.h"
#include "server/base/timefmt.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct sb_error err;
static struct brokerprops p;
static struct sb_buf buf;

static void setup(void)
{
    arena = arena_new(4 << 20);
    buf_init(&buf, 1 << 20);
}

static void teardown(void)
{
    buf_done(&buf);
    arena_free(arena);
}

static enum sb_err parse(const char *text)
{
    err.detail[0] = '\0';
    return brokerprops_parse(text, arena, &p, &err);
}

START_TEST(test_brokerprops__all_members)
{
    ck_assert_int_eq(parse("{\"CorrelationId\":\"c\",\"ForcePersistence\":true,\"Label\":\"M1\","
                           "\"MessageId\":\"m\",\"PartitionKey\":\"s\","
                           "\"ReplyTo\":\"r\",\"ReplyToSessionId\":\"rs\",\"ScheduledEnqueueTimeUtc\":\"Tue, "
                           "30 Jun 2015 20:51:21 GMT\","
                           "\"SessionId\":\"s\",\"TimeToLive\":40.5,\"To\":\"t\",\"ViaPartitionKey\":\"v\","
                           "\"State\":\"Active\",\"x\":[1]}"),
                     SB_OK);
    ck_assert_str_eq(p.props.correlation_id, "c");
    ck_assert_str_eq(p.props.subject, "M1");
    ck_assert_str_eq(p.props.message_id, "m");
    ck_assert_str_eq(p.props.partition_key, "s");
    ck_assert_str_eq(p.props.reply_to, "r");
    ck_assert_str_eq(p.props.reply_to_session_id, "rs");
    ck_assert_str_eq(p.props.session_id, "s");
    ck_assert_str_eq(p.props.to, "t");
    ck_assert_str_eq(p.props.via_partition_key, "v");
    ck_assert_int_eq(p.ttl_ms, 40500);
    ck_assert_int_eq(p.scheduled_ms, INT64_C(1435697481000));
}
END_TEST

START_TEST(test_brokerprops__nothing_given)
{
    static const char *const none[] = {NULL, "", "{}", "{\"MessageId\":null,\"TimeToLive\":null}"};
    for (size_t i = 0; i < SB_ARRAY_LEN(none); i++) {
        ck_assert_int_eq(parse(none[i]), SB_OK);
        ck_assert_ptr_null(p.props.message_id);
        ck_assert_int_eq(p.ttl_ms, -1);
        ck_assert_int_eq(p.scheduled_ms, 0);
    }
}
END_TEST

START_TEST(test_brokerprops__times_to_live)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"{\"TimeToLive\":1}", 1000},
                {"{\"TimeToLive\":0.0001}", 1},
                {"{\"TimeToLive\":922337203685.47754}", TIME_FOREVER_MS},
                {"{\"TimeToLive\":1e300}", TIME_FOREVER_MS},
                {"{\"TimeToLiveTimeSpan\":\"0.00:00:40\"}", 40000}};
    for (size_t i = 0; i < SB_ARRAY_LEN(good); i++) {
        ck_assert_msg(parse(good[i].text) == SB_OK, "%s: %s", good[i].text, err.detail);
        ck_assert_int_eq(p.ttl_ms, good[i].ms);
    }
}
END_TEST

static const char *const bad[] = {
    "x",
    "[]",
    "\"a\"",
    "{",
    "{\"a\":1}{",
    "{\"TimeToLive\":0}",
    "{\"TimeToLive\":-1}",
    "{\"TimeToLive\":\"40\"}",
    "{\"TimeToLiveTimeSpan\":40}",
    "{\"TimeToLiveTimeSpan\":\"soon\"}",
    "{\"ScheduledEnqueueTimeUtc\":\"soon\"}",
    "{\"ScheduledEnqueueTimeUtc\":5}",
    "{\"MessageId\":5}",
    "{\"MessageId\":\"\"}",
    "{\"Label\":{}}",
    "{\"SessionId\":\"a\",\"PartitionKey\":\"b\"}",
    "{\"MessageId\":\"a\",\"MessageId\":\"b\"}",
    "{\"Label\":\"a\\u0000b\"}",
    "{\"MessageId\":"
    "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
    "01234567890123456789012345678\"}",
};

START_TEST(test_brokerprops__what_is_refused)
{
    p.ttl_ms = 77;
    ck_assert_msg(parse(bad[_i]) == SB_EBADREQUEST, "%s", bad[_i]);
    ck_assert(strstr(err.detail, "BrokerProperties") != NULL);
    ck_assert_int_eq(p.ttl_ms, 77); /* untouched */
}
END_TEST

/* value as sent, kind as stored, value as shown */
static const struct {
    const char *in;
    enum amqp_value_kind kind;
    const char *out;
} values[] = {
    {"42", AMQP_LONG, "42"},
    {"-9223372036854775808", AMQP_LONG, "-9223372036854775808"},
    {"9223372036854775808", AMQP_DOUBLE, "9.2233720368547758e+18"},
    {"3.14", AMQP_DOUBLE, "3.14"},
    {"0.1", AMQP_DOUBLE, "0.1"},
    {"true", AMQP_BOOL, "true"},
    {"false", AMQP_BOOL, "false"},
    {"\"world\"", AMQP_STRING, "\"world\""},
    {"\"say \\\"hi\\\"\"", AMQP_STRING, "\"say \\\"hi\\\"\""},
    {"\"\"", AMQP_STRING, "\"\""},
    {"\"Wed, 14 Dec 2011 00:00:00 GMT\"", AMQP_TIMESTAMP, "\"Wed, 14 Dec 2011 00:00:00 GMT\""},
    {"\"Wed, 14 Dec 2011\"", AMQP_STRING, "\"Wed, 14 Dec 2011\""},
    {"High", AMQP_STRING, "\"High\""},
    {"12345,ABC", AMQP_STRING, "\"12345,ABC\""},
    {"007", AMQP_STRING, "\"007\""},
    {"", AMQP_STRING, "\"\""},
    {"{\"a\":1}", AMQP_STRING, "\"{\\\"a\\\":1}\""},
    {"\"w\xc3\xb6rld \xf0\x9f\x98\x80\"", AMQP_STRING, "\"w\\u00f6rld \\ud83d\\ude00\""},
    {"w\xf6rld", AMQP_STRING, "\"w\\u00f6rld\""}, /* Latin-1 */
    {"\"unfinished", AMQP_STRING, "\"\\\"unfinished\""},
};

START_TEST(test_brokerprops__custom_values)
{
    const struct request_pair h[] = {{"X-Mine", values[_i].in}};
    const struct amqp_app_prop *app;
    size_t n;
    ck_assert_int_eq(brokerprops_custom(h, 1, arena, &app, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(app[0].name, "X-Mine");
    ck_assert_int_eq(app[0].value.kind, values[_i].kind);
    brokerprops_value(&buf, &app[0].value);
    ck_assert_str_eq(buf_str(&buf), values[_i].out);
}
END_TEST

START_TEST(test_brokerprops__https_own_headers_are_no_properties)
{
    const struct request_pair h[] = {{"Host", "x"},
                                     {"AUTHORIZATION", "x"},
                                     {"Content-Type", "x"},
                                     {"content-length", "1"},
                                     {"BrokerProperties", "{}"},
                                     {"User-Agent", "x"},
                                     {"X-Forwarded-For", "x"},
                                     {"x-ms-retrypolicy", "x"},
                                     {"If-Match", "*"},
                                     {"Sec-Fetch-Mode", "x"},
                                     {"Connection", "close"},
                                     {"traceparent", "x"},
                                     {"Priority", "High"},
                                     {"X-Custom", "1"}};
    const struct amqp_app_prop *app;
    size_t n;
    ck_assert_int_eq(brokerprops_custom(h, SB_ARRAY_LEN(h), arena, &app, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(app[0].name, "Priority");
    ck_assert(!brokerprops_showable("Location") && !brokerprops_showable("a b") &&
              !brokerprops_showable("") && !brokerprops_showable("a:b"));
    ck_assert(brokerprops_showable("Priority"));
    static const char *const own[] = {"accept",
                                      "accept-charset",
                                      "Age",
                                      "allow",
                                      "content-encoding",
                                      "content-md5",
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
                                      "location",
                                      "Origin",
                                      "pragma",
                                      "range",
                                      "referer",
                                      "server",
                                      "retry-after",
                                      "set-cookie",
                                      "request-id",
                                      "te",
                                      "trailer",
                                      "via",
                                      "upgrade",
                                      "tracestate",
                                      "warning",
                                      "servicebusauthorization",
                                      "www-authenticate",
                                      "transfer-encoding",
                                      "servicebussupplementaryauthorization",
                                      "max-forwards",
                                      "last-modified",
                                      "servicebusdlqsupplementaryauthorization",
                                      "strict-transport-security",
                                      "upgrade-insecure-requests"};
    for (size_t i = 0; i < SB_ARRAY_LEN(own); i++)
        ck_assert_msg(!brokerprops_showable(own[i]), "%s", own[i]);
}
END_TEST

START_TEST(test_brokerprops__limits_of_properties)
{
    char *big = arena_alloc(arena, BROKERPROPS_PROPERTY_MAX + 1);
    memset(big, 'x', BROKERPROPS_PROPERTY_MAX);
    const struct request_pair one[] = {{"a", big}};
    big[BROKERPROPS_PROPERTY_MAX - 1] = '\0';
    const struct request_pair three[] = {{"a", big}, {"b", big}, {"c", big}};
    const struct amqp_app_prop *app;
    size_t n;
    ck_assert_int_eq(brokerprops_custom(one, 1, arena, &app, &n, &err), SB_OK);
    ck_assert_int_eq(brokerprops_custom(three, 2, arena, &app, &n, &err), SB_OK);
    ck_assert_int_eq(brokerprops_custom(three, 3, arena, &app, &n, &err), SB_EQUOTA);
    big[BROKERPROPS_PROPERTY_MAX - 1] = 'x';
    ck_assert_int_eq(brokerprops_custom(one, 1, arena, &app, &n, &err), SB_EQUOTA);
}
END_TEST

START_TEST(test_brokerprops__user_properties_of_a_batch)
{
    static const char text[] = "{\"Priority\":\"Low\",\"n\":5,\"d\":1.5,\"b\":true,\"z\":null}";
    struct json *j = NULL;
    const struct amqp_app_prop *app;
    size_t n;
    ck_assert_int_eq(json_parse(text, strlen(text), &j, &err), SB_OK);
    ck_assert_int_eq(brokerprops_user(j, arena, &app, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 5);
    ck_assert_int_eq(app[0].value.kind, AMQP_STRING);
    ck_assert_int_eq(app[4].value.kind, AMQP_NULL);
    json_free(j);
    ck_assert_int_eq(json_parse("{\"o\":{}}", 8, &j, &err), SB_OK);
    ck_assert_int_eq(brokerprops_user(j, arena, &app, &n, &err), SB_EBADREQUEST);
    json_free(j);
    ck_assert_int_eq(brokerprops_user(NULL, arena, &app, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* The recorded text, member for member. */
START_TEST(test_brokerprops__written_as_recorded)
{
    struct broker_delivery d = {.seq = 1,
                                .delivery_count = 1,
                                .enqueued_ms = INT64_C(1435697481000),
                                .locked_until_ms = INT64_C(1435697542000),
                                .ttl_ms = TIME_FOREVER_MS,
                                .lock_token = "b0b3c9f6-0d60-45a4-82d5-12e932443169"};
    const struct amqp_props props = {.message_id = "f7d9824c13af47ae9a3d9beaa3b22644"};
    brokerprops_write(&buf, &d, &props);
    ck_assert_str_eq(
        buf_str(&buf),
        "{\"DeliveryCount\":1,\"EnqueuedSequenceNumber\":0,\"EnqueuedTimeUtc\":\"Tue, 30 Jun 2015 20:51:21 "
        "GMT\","
        "\"LockToken\":\"b0b3c9f6-0d60-45a4-82d5-12e932443169\",\"LockedUntilUtc\":\"Tue, 30 Jun 2015 "
        "20:52:22 GMT\","
        "\"MessageId\":\"f7d9824c13af47ae9a3d9beaa3b22644\",\"SequenceNumber\":1,\"State\":\"Active\","
        "\"TimeToLive\":922337203685.47754}");
    buf_clear(&buf);
    d.lock_token[0] = '\0';
    d.ttl_ms = 40000;
    brokerprops_write(&buf, &d, &(struct amqp_props){.subject = "a\"\n\xc3\xb6", .session_id = "s"});
    ck_assert_str_eq(buf_str(&buf), "{\"DeliveryCount\":1,\"EnqueuedSequenceNumber\":0,\"EnqueuedTimeUtc\":"
                                    "\"Tue, 30 Jun 2015 20:51:21 GMT\","
                                    "\"Label\":\"a\\\"\\u000a\\u00f6\",\"SequenceNumber\":1,\"SessionId\":"
                                    "\"s\",\"State\":\"Active\",\"TimeToLive\":40}");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("brokerprops");
    TCase *t = tcase_create("brokerprops");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_brokerprops__all_members);
    tcase_add_test(t, test_brokerprops__nothing_given);
    tcase_add_test(t, test_brokerprops__times_to_live);
    tcase_add_loop_test(t, test_brokerprops__what_is_refused, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_loop_test(t, test_brokerprops__custom_values, 0, (int)SB_ARRAY_LEN(values));
    tcase_add_test(t, test_brokerprops__https_own_headers_are_no_properties);
    tcase_add_test(t, test_brokerprops__limits_of_properties);
    tcase_add_test(t, test_brokerprops__user_properties_of_a_batch);
    tcase_add_test(t, test_brokerprops__written_as_recorded);
    suite_add_tcase(s, t);
    return s;
}
