/* test_data.c: the run-time REST operations: statuses, headers and bodies as recorded and documented. */
#include <stdlib.h>
#include "tests/unit/api/data_fixture.h"

static const char *body(void)
{
    return buf_str(&last->reply.body);
}

/* The JSON of the BrokerProperties header of the last answer; freed with the next. */
static struct json *props;

static const struct json *prop(const char *name)
{
    const char *text = header_of("BrokerProperties");
    json_free(props);
    props = NULL;
    ck_assert_msg(json_parse(text, strlen(text), &props, &err) == SB_OK, "'%s'", text);
    return json_get(props, name);
}

static void down(void)
{
    json_free(props);
    props = NULL;
    data_down();
}

static int post(const char *url, const char *text)
{
    return ask("POST", url, NULL, text);
}

/* Peek-locks; the path of its Location, in a static buffer. */
static const char *lock(const char *url)
{
    static char path[512];
    ck_assert_int_eq(post(url, NULL), 201);
    const char *location = header_of("Location");
    const char *base = "https://" BUS;
    ck_assert_msg(strncmp(location, base, strlen(base)) == 0, "%s", location);
    ck_assert(text_copy(path, sizeof path, location + strlen(base)));
    return path;
}

static void pass(int64_t ms)
{
    struct timeline_result r;
    struct sb_arena *a = arena_new(1 << 20);
    ck_assert_int_eq(timeline_advance(e, ms, a, 10, &r, &err), SB_OK);
    arena_free(a);
}

START_TEST(test_data__send_peek_lock_complete)
{
    static const char *const headers[] = {"Content-Type",
                                          "text/plain; charset=utf-8",
                                          "BrokerProperties",
                                          "{\"Label\":\"M1\",\"MessageId\":\"m-1\",\"TimeToLive\":40}",
                                          "number",
                                          "42",
                                          "floating",
                                          "3.14",
                                          "active",
                                          "true",
                                          "hello",
                                          "\"world\"",
                                          NULL};
    ck_assert_int_eq(ask("POST", "/q/messages", headers, "hello world"), 201);
    ck_assert_str_eq(body(), "");
    ck_assert_str_eq(last->reply.content_type, "application/xml; charset=utf-8");
    ck_assert_int_eq(post("/q/messages/head?timeout=5", NULL), 201);
    ck_assert_str_eq(body(), "hello world");
    ck_assert_str_eq(last->reply.content_type, "text/plain; charset=utf-8");
    ck_assert_str_eq(header_of("number"), "42");
    ck_assert_str_eq(header_of("floating"), "3.14");
    ck_assert_str_eq(header_of("active"), "true");
    ck_assert_str_eq(header_of("hello"), "\"world\"");
    ck_assert_str_eq(header_of("Strict-Transport-Security"), "max-age=31536000");
    ck_assert_str_eq(header_of("Server"), "Microsoft-HTTPAPI/2.0");
    ck_assert_str_eq(json_text(prop("Label")), "M1");
    ck_assert_str_eq(json_text(prop("MessageId")), "m-1");
    ck_assert_str_eq(json_text(prop("State")), "Active");
    ck_assert_str_eq(json_text(prop("EnqueuedTimeUtc")), "Tue, 14 Nov 2023 22:13:20 GMT");
    ck_assert_str_eq(json_text(prop("LockedUntilUtc")), "Tue, 14 Nov 2023 22:14:20 GMT");
    ck_assert(json_double(prop("TimeToLive")) == 40);
    char path[512];
    snprintf(path, sizeof path, "https://" BUS "/q/messages/1/%s", json_text(prop("LockToken")));
    ck_assert_str_eq(header_of("Location"), path);
    char *url = path + strlen("https://" BUS);
    ck_assert_int_eq(ask("POST", url, NULL, NULL), 200);
    ck_assert_int_eq(ask("DELETE", url, NULL, NULL), 200);
    ck_assert_str_eq(body(), "");
    ck_assert_int_eq(ask("DELETE", url, NULL, NULL), 404);
    ck_assert_ptr_nonnull(strstr(
        body(), "<Code>404</Code><Detail>No message was found with the specified MessageId or LockToken."));
}
END_TEST

START_TEST(test_data__receive_and_delete)
{
    ck_assert_int_eq(post("/q/messages/", "bytes"), 201);
    ck_assert_int_eq(ask("DELETE", "/Q/Messages/HEAD?timeout=0", NULL, NULL), 200);
    ck_assert_str_eq(body(), "bytes");
    ck_assert_ptr_null(prop("LockToken"));
    ck_assert_ptr_null(prop("LockedUntilUtc"));
    ck_assert_uint_eq(strlen(json_text(prop("MessageId"))), 32);
    ck_assert_str_eq(header_of("Location"), "");
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 204);
    ck_assert_str_eq(body(), "");
}
END_TEST

START_TEST(test_data__unlock_renew_and_dead_letter)
{
    ck_assert_int_eq(post("/q/messages", "a"), 201);
    ck_assert_int_eq(ask("PUT", lock("/q/messages/head?timeout=0"), NULL, NULL), 200);
    const char *url = lock("/q/messages/head?timeout=0");
    int64_t count;
    ck_assert(json_i64(prop("DeliveryCount"), &count));
    ck_assert_int_eq(count, 2);
    pass(50000);
    ck_assert_int_eq(ask("POST", url, NULL, NULL), 200);
    pass(50000);
    ck_assert_int_eq(ask("PUT", url, NULL, NULL), 200); /* two deliveries are the queue's limit */
    ck_assert_int_eq(post("/q/messages/head?timeout=0", NULL), 204);
    url = lock("/q/$deadletterqueue/messages/head?timeout=0");
    ck_assert_str_eq(header_of("DeadLetterReason"), "\"MaxDeliveryCountExceeded\"");
    ck_assert_str_eq(header_of("DeadLetterErrorDescription"),
                     "\"Message could not be consumed after 2 delivery attempts.\"");
    ck_assert_ptr_nonnull(strstr(url, "/q/$deadletterqueue/messages/1/"));
    ck_assert_int_eq(ask("DELETE", url, NULL, NULL), 200);
    ck_assert_int_eq(ask("DELETE", "/q/$DeadLetterQueue/messages/head?timeout=0", NULL, NULL), 204);
}
END_TEST

START_TEST(test_data__batch)
{
    static const char *const headers[] = {"Content-Type", "application/vnd.microsoft.servicebus.json", NULL};
    ck_assert_int_eq(
        ask("POST", "/q/messages", headers,
            "[{\"Body\":\"This is a "
            "message\",\"BrokerProperties\":{\"Label\":\"M1\",\"TimeToLiveTimeSpan\":\"0.00:00:40\"},"
            "\"UserProperties\":{\"Priority\":\"Low\",\"n\":7}},{\"Body\":\"second\"},{}]"),
        201);
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 200);
    ck_assert_str_eq(body(), "This is a message");
    ck_assert_str_eq(header_of("Priority"), "\"Low\"");
    ck_assert_str_eq(header_of("n"), "7");
    ck_assert(json_double(prop("TimeToLive")) == 40);
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 200);
    ck_assert_str_eq(body(), "second");
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 200);
    ck_assert_str_eq(body(), "");
}
END_TEST

static const char *const bad_batches[] = {
    "",
    "x",
    "{}",
    "[]",
    "[1]",
    "[{\"Body\":5}]",
    "[{\"Body\":\"a\",\"BrokerProperties\":[]}]",
    "[{\"Body\":\"a\",\"UserProperties\":5}]",
    "[{\"Body\":\"a\"},{\"Body\":\"b\",\"BrokerProperties\":{\"TimeToLive\":0}}]",
    "[{\"Body\":\"a\\u0000b\"}]",
    "[{\"Body\":\"a\"}] x",
};

START_TEST(test_data__batches_that_are_none)
{
    static const char *const headers[] = {"Content-Type",
                                          "application/vnd.microsoft.servicebus.json; charset=utf-8", NULL};
    ck_assert_int_eq(ask("POST", "/q/messages", headers, bad_batches[_i]), 400);
    if (strstr(bad_batches[_i], "u0000")) /* an array it is */
        ck_assert_msg(strstr(body(), "not valid JSON") != NULL, "%s", body());
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 204); /* none of it was sent */
}
END_TEST

static const struct {
    const char *method, *url, *header, *value;
    int status;
} refused[] = {
    {"POST", "/nowhere/messages", NULL, NULL, 410},
    {"DELETE", "/nowhere/messages/head?timeout=0", NULL, NULL, 410},
    {"POST", "/q/subscriptions/s/messages/head?timeout=0", NULL, NULL, 410},
    {"POST", "/q/$DeadLetterQueue/messages", NULL, NULL, 400},
    {"POST", "/q/messages", "BrokerProperties", "{", 400},
    {"POST", "/q/messages", "BrokerProperties", "{\"TimeToLive\":-5}", 400},
    {"POST", "/q/messages/head?timeout=-1", NULL, NULL, 400},
    {"POST", "/q/messages/head?timeout=soon", NULL, NULL, 400},
    {"POST", "/q/messages/head?timeout=", NULL, NULL, 400},
    {"DELETE", "/q/messages/head?timeout=99999999999", NULL, NULL, 400},
    {"DELETE", "/q/messages/1/b0b3c9f6-0d60-45a4-82d5-12e932443169", NULL, NULL, 404},
    {"PUT", "/q/messages/some-id/nonsense", NULL, NULL, 404},
    {"POST", "/q/messages/1/0000000000000000000000000000000000000000000000000000000000", NULL, NULL, 404},
    {"GET", "/q/messages/head", NULL, NULL, 405},
    {"PUT", "/q/messages", NULL, NULL, 405},
};

START_TEST(test_data__refusals)
{
    const char *const headers[] = {refused[_i].header, refused[_i].value, NULL};
    ck_assert_int_eq(ask(refused[_i].method, refused[_i].url, headers, NULL), refused[_i].status);
    ck_assert_ptr_nonnull(strstr(body(), "<Error><Code>"));
    ck_assert_str_eq(last->reply.content_type, "application/xml; charset=utf-8");
}
END_TEST

START_TEST(test_data__too_large)
{
    size_t n = (1u << 20) + 1;
    char *big = malloc(n);
    memset(big, 'x', n);
    ck_assert_int_eq(ask_end(ask_new(BUS, "POST", "/q/messages", NULL, big, 1u << 20)),
                     403); /* with its properties it is above 1 MB */
    ck_assert_int_eq(ask_end(ask_new(BUS, "POST", "/q/messages", NULL, big, (1u << 20) - 1000)), 201);
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 200);
    ck_assert_uint_eq(last->reply.body.n, (1u << 20) - 1000);
    free(big);
}
END_TEST

START_TEST(test_data__a_long_receive_is_woken)
{
    struct ask *waits = ask_new(BUS, "POST", "/q/messages/head?timeout=60", NULL, NULL, 0);
    ck_assert_int_eq(waits->r->reply.status, 0);
    ck_assert_int_eq(post("/q/messages", "for you"), 201);
    ck_assert_int_eq(ask_end(waits), 201);
    ck_assert_str_eq(body(), "for you");
}
END_TEST

START_TEST(test_data__a_long_receive_ends)
{
    struct ask *waits = ask_new(BUS, "DELETE", "/q/messages/head", NULL, NULL, 0); /* 60 s when not said */
    pass(59999);
    ck_assert_int_eq(waits->r->reply.status, 0);
    pass(1);
    ck_assert_int_eq(ask_end(waits), 204);
    waits = ask_new(BUS, "DELETE", "/q/messages/head?timeout=2147483", NULL, NULL, 0);
    broker_stop(e);
    ck_assert_int_eq(ask_end(waits), 204);
}
END_TEST

START_TEST(test_data__scheduled)
{
    static const char *const headers[] = {
        "BrokerProperties", "{\"ScheduledEnqueueTimeUtc\":\"Tue, 14 Nov 2023 22:14:20 GMT\"}", NULL};
    ck_assert_int_eq(ask("POST", "/q/messages", headers, "later"), 201);
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 204);
    pass(60000);
    ck_assert_int_eq(ask("DELETE", "/q/messages/head?timeout=0", NULL, NULL), 200);
    int64_t seq, enqueued;
    ck_assert(json_i64(prop("SequenceNumber"), &seq) && json_i64(prop("EnqueuedSequenceNumber"), &enqueued));
    ck_assert_int_eq(seq, 2);
    ck_assert_int_eq(enqueued, 1);
}
END_TEST

START_TEST(test_data__queues_with_slashes)
{
    make_queue("a/b.c/d_e");
    ck_assert_int_eq(post("/a/b.c/d_e/messages", "x"), 201);
    const char *url = lock("/a%2Fb.c/d_e/messages/head?timeout=0");
    ck_assert_ptr_nonnull(strstr(url, "/a%2Fb.c/d_e/messages/1/")); /* as the client wrote it */
    ck_assert_int_eq(ask("DELETE", url, NULL, NULL), 200);
}
END_TEST

START_TEST(test_data__settling_by_message_id)
{
    static const char *const headers[] = {"BrokerProperties", "{\"MessageId\":\"order/7 \xc3\xb6\"}", NULL};
    ck_assert_int_eq(ask("POST", "/q/messages", headers, "x"), 201);
    lock("/q/messages/head?timeout=0");
    char url[256];
    snprintf(url, sizeof url, "/q/messages/order%%2F7%%20%%C3%%B6/%s", json_text(prop("LockToken")));
    ck_assert_int_eq(ask("DELETE", url, NULL, NULL), 200);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("data");
    TCase *t = tcase_create("data");
    tcase_add_checked_fixture(t, data_up, down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_data__send_peek_lock_complete);
    tcase_add_test(t, test_data__receive_and_delete);
    tcase_add_test(t, test_data__unlock_renew_and_dead_letter);
    tcase_add_test(t, test_data__batch);
    tcase_add_loop_test(t, test_data__batches_that_are_none, 0, (int)SB_ARRAY_LEN(bad_batches));
    tcase_add_loop_test(t, test_data__refusals, 0, (int)SB_ARRAY_LEN(refused));
    tcase_add_test(t, test_data__too_large);
    tcase_add_test(t, test_data__a_long_receive_is_woken);
    tcase_add_test(t, test_data__a_long_receive_ends);
    tcase_add_test(t, test_data__scheduled);
    tcase_add_test(t, test_data__queues_with_slashes);
    tcase_add_test(t, test_data__settling_by_message_id);
    suite_add_tcase(s, t);
    return s;
}
