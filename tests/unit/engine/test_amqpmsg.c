/* test_amqpmsg.c: AMQP sections there and back, foreign encodings, and bytes that are no message. */
#include <stdlib.h>
#include <string.h>
#include "server/engine/amqpmsg.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct sb_buf buf;
static struct sb_error err;

static void setup(void)
{
    arena = arena_new(16 << 20);
    buf_init(&buf, 8 << 20);
}

static void teardown(void)
{
    buf_done(&buf);
    arena_free(arena);
}

static struct amqp_message decode(const void *p, size_t n)
{
    struct amqp_message m;
    ck_assert_msg(amqpmsg_decode((struct sb_blob){p, n}, arena, &m, &err) == SB_OK, "%s", err.detail);
    return m;
}

START_TEST(test_amqpmsg__all_there_and_back)
{
    static const struct amqp_app_prop app[] = {
        {"text", {.kind = AMQP_STRING, .s = "w\xc3\xb6rld"}},
        {"long", {.kind = AMQP_LONG, .i = INT64_MIN}},
        {"double", {.kind = AMQP_DOUBLE, .d = 3.14}},
        {"yes", {.kind = AMQP_BOOL, .i = 1}},
        {"no", {.kind = AMQP_BOOL, .i = 0}},
        {"when", {.kind = AMQP_TIMESTAMP, .i = 1323820800000}},
        {"nothing", {.kind = AMQP_NULL}},
    };
    const struct amqp_message in = {.props = {.message_id = "m",
                                              .to = "t",
                                              .subject = "s",
                                              .reply_to = "r",
                                              .correlation_id = "c",
                                              .content_type = "text/plain",
                                              .session_id = "g",
                                              .reply_to_session_id = "rg",
                                              .partition_key = "p",
                                              .via_partition_key = "v"},
                                    .app = app,
                                    .app_n = SB_ARRAY_LEN(app),
                                    .body = {(const uint8_t *)"a\0b", 3}};
    ck_assert_int_eq(amqpmsg_encode(&in, &buf, &err), SB_OK);
    struct amqp_message m = decode(buf.p, buf.n);
    ck_assert_str_eq(m.props.message_id, "m");
    ck_assert_str_eq(m.props.to, "t");
    ck_assert_str_eq(m.props.subject, "s");
    ck_assert_str_eq(m.props.reply_to, "r");
    ck_assert_str_eq(m.props.correlation_id, "c");
    ck_assert_str_eq(m.props.content_type, "text/plain");
    ck_assert_str_eq(m.props.session_id, "g");
    ck_assert_str_eq(m.props.reply_to_session_id, "rg");
    ck_assert_str_eq(m.props.partition_key, "p");
    ck_assert_str_eq(m.props.via_partition_key, "v");
    ck_assert_uint_eq(m.body.n, 3);
    ck_assert_mem_eq(m.body.p, "a\0b", 3);
    ck_assert_uint_eq(m.app_n, SB_ARRAY_LEN(app));
    for (size_t i = 0; i < m.app_n; i++) {
        ck_assert_str_eq(m.app[i].name, app[i].name);
        ck_assert_int_eq(m.app[i].value.kind, app[i].value.kind);
        ck_assert_int_eq(m.app[i].value.i, app[i].value.i);
        ck_assert(m.app[i].value.d == app[i].value.d);
    }
    ck_assert_str_eq(m.app[0].value.s, "w\xc3\xb6rld");
}
END_TEST

START_TEST(test_amqpmsg__nothing_but_a_body)
{
    const struct amqp_message in = {.body = {(const uint8_t *)"", 0}};
    ck_assert_int_eq(amqpmsg_encode(&in, &buf, &err), SB_OK);
    static const uint8_t wire[] = {0x00, 0x53, 0x75, 0xa0, 0x00};
    ck_assert_uint_eq(buf.n, sizeof wire);
    ck_assert_mem_eq(buf.p, wire, sizeof wire);
    struct amqp_message m = decode(buf.p, buf.n);
    ck_assert_uint_eq(m.body.n, 0);
    ck_assert_uint_eq(m.app_n, 0);
    ck_assert_ptr_null(m.props.message_id);
}
END_TEST

/* Lengths around the change from one to four size bytes. */
START_TEST(test_amqpmsg__body_sizes)
{
    static const size_t sizes[] = {1, 254, 255, 256, 65535, 65536, 1 << 20};
    size_t n = sizes[_i];
    uint8_t *body = malloc(n);
    memset(body, 'x', n);
    const struct amqp_message in = {.body = {body, n}};
    ck_assert_int_eq(amqpmsg_encode(&in, &buf, &err), SB_OK);
    struct amqp_message m = decode(buf.p, buf.n);
    ck_assert_uint_eq(m.body.n, n);
    ck_assert_mem_eq(m.body.p, body, n);
    free(body);
}
END_TEST

/* What an AMQP client may send: small encodings, sections that we do not know, ids of other types, two data
 * sections. */
START_TEST(test_amqpmsg__foreign_encodings)
{
    static const uint8_t wire[] = {
        0x00, 0x53, 0x70, 0xc0, 0x02, 0x01, 0x42, /* header: durable false */
        0x00, 0x80, 0,    0,    0,    0,    0,    0,    0,    0x72, 0xc1, 0x01, 0x00, /* annotations: full
                                                                                         descriptor, empty */
        0x00, 0x53, 0x73, 0xc0, 0x08, 0x04, 0x53, 0x07, 0xa0, 0x01, 0xff, 0x40, 0x40, /* message-id 7, user-id
                                                                                       */
        0x00, 0x53, 0x74, 0xc1, 0x0a, 0x04, 0xa1, 0x01, 'a',  0x54, 0xff, 0xa1, 0x01, 'b', 0x45, /* a: -1, b:
                                                                                                    a list */
        0x00, 0x53, 0x75, 0xa0, 0x02, 'h',  'e',  0x00, 0x53, 0x75, 0xb0, 0,    0,    0,   0x03, 'l',
        'l',  'o',  0x00, 0x53, 0x78, 0xc1, 0x01, 0x00,
    };
    struct amqp_message m = decode(wire, sizeof wire);
    ck_assert_str_eq(m.props.message_id, "7");
    ck_assert_uint_eq(m.app_n, 2);
    ck_assert_int_eq(m.app[0].value.kind, AMQP_LONG);
    ck_assert_int_eq(m.app[0].value.i, -1);
    ck_assert_int_eq(m.app[1].value.kind, AMQP_OTHER);
    ck_assert_uint_eq(m.body.n, 5);
    ck_assert_mem_eq(m.body.p, "hello", 5);
}
END_TEST

START_TEST(test_amqpmsg__value_bodies)
{
    static const uint8_t text[] = {0x00, 0x53, 0x77, 0xa1, 0x02, 'h', 'i'};
    static const uint8_t uuid_id[] = {0x00, 0x53, 0x73, 0xc0, 0x12, 0x01, 0x98, 0,  1,  2,  3, 4,
                                      5,    6,    7,    8,    9,    10,   11,   12, 13, 14, 15};
    struct amqp_message m = decode(text, sizeof text);
    ck_assert_mem_eq(m.body.p, "hi", 2);
    m = decode(uuid_id, sizeof uuid_id);
    ck_assert_str_eq(m.props.message_id, "00010203-0405-0607-0809-0a0b0c0d0e0f");
}
END_TEST

static const struct {
    const char *what;
    uint8_t p[24];
    size_t n;
} bad[] = {
    {"no descriptor", {0x53, 0x75, 0xa0, 0x00}, 4},
    {"cut descriptor", {0x00, 0x53}, 2},
    {"symbolic descriptor", {0x00, 0xa3, 0x01, 'x', 0xa0, 0x00}, 6},
    {"no value", {0x00, 0x53, 0x75}, 3},
    {"body longer than the message", {0x00, 0x53, 0x75, 0xa0, 0x05, 'x'}, 6},
    {"32-bit length beyond the end", {0x00, 0x53, 0x75, 0xb0, 0xff, 0xff, 0xff, 0xff}, 8},
    {"data that is no binary", {0x00, 0x53, 0x75, 0xa1, 0x00}, 5},
    {"trailing byte", {0x00, 0x53, 0x75, 0xa0, 0x00, 0x00}, 6},
    {"properties not a list", {0x00, 0x53, 0x73, 0xc1, 0x01, 0x00}, 6},
    {"more properties than there are",
     {0x00, 0x53, 0x73, 0xc0, 0x0f, 0x0e, 0x40, 0x40, 0x40, 0x40,
      0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40},
     20},
    {"count beyond the items", {0x00, 0x53, 0x73, 0xc0, 0x02, 0x02, 0x40}, 7},
    {"items beyond the count", {0x00, 0x53, 0x73, 0xc0, 0x03, 0x01, 0x40, 0x40}, 8},
    {"odd map", {0x00, 0x53, 0x74, 0xc1, 0x04, 0x01, 0xa1, 0x01, 'a'}, 9},
    {"map count that lies", {0x00, 0x53, 0x74, 0xd1, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xfe}, 12},
    {"text that is not UTF-8", {0x00, 0x53, 0x73, 0xc0, 0x04, 0x01, 0xa1, 0x01, 0xff}, 9},
    {"text with NUL", {0x00, 0x53, 0x73, 0xc0, 0x05, 0x01, 0xa1, 0x02, 'a', 0x00}, 10},
    {"descriptors without end",
     {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
     14},
    {"a described section value", {0x00, 0x53, 0x75, 0x00, 0x53, 0x01, 0xa0, 0x00}, 8},
    {"reserved code", {0x00, 0x53, 0x75, 0x30}, 4},
};

START_TEST(test_amqpmsg__what_is_no_message)
{
    struct amqp_message m = {0};
    ck_assert_msg(amqpmsg_decode((struct sb_blob){bad[_i].p, bad[_i].n}, arena, &m, &err) == SB_EINVAL, "%s",
                  bad[_i].what);
    ck_assert_ptr_null(m.props.message_id);
}
END_TEST

/* Every prefix and every changed byte of a real message is read or refused, within its bounds (under the
 * sanitizers). */
START_TEST(test_amqpmsg__cut_and_changed)
{
    static const struct amqp_app_prop app[] = {{"k", {.kind = AMQP_STRING, .s = "v"}},
                                               {"n", {.kind = AMQP_LONG, .i = 5}}};
    const struct amqp_message in = {.props = {.message_id = "id", .session_id = "s", .partition_key = "p"},
                                    .app = app,
                                    .app_n = 2,
                                    .body = {(const uint8_t *)"body", 4}};
    struct amqp_message m;
    ck_assert_int_eq(amqpmsg_encode(&in, &buf, &err), SB_OK);
    for (size_t n = 0; n <= buf.n; n++) {
        uint8_t *copy = malloc(n + 1); /* its own block, so that a read beyond it is seen */
        memcpy(copy, buf.p, n);
        (void)!amqpmsg_decode((struct sb_blob){copy, n}, arena, &m, NULL);
        free(copy);
    }
    for (size_t i = 0; i < buf.n; i++) {
        for (unsigned v = 0; v < 256; v += 5) {
            uint8_t *copy = malloc(buf.n);
            memcpy(copy, buf.p, buf.n);
            copy[i] = (uint8_t)v;
            (void)!amqpmsg_decode((struct sb_blob){copy, buf.n}, arena, &m, NULL);
            free(copy);
        }
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("amqpmsg");
    TCase *t = tcase_create("amqpmsg");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_amqpmsg__all_there_and_back);
    tcase_add_test(t, test_amqpmsg__nothing_but_a_body);
    tcase_add_loop_test(t, test_amqpmsg__body_sizes, 0, 7);
    tcase_add_test(t, test_amqpmsg__foreign_encodings);
    tcase_add_test(t, test_amqpmsg__value_bodies);
    tcase_add_loop_test(t, test_amqpmsg__what_is_no_message, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(t, test_amqpmsg__cut_and_changed);
    suite_add_tcase(s, t);
    return s;
}
