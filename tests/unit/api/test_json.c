/* test_json.c: what is JSON and what is not, what cJSON alone would let through, typed getters, and writing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "api/json.h"
#include "tests/unit/unit.h"

static struct json *parse(const char *text)
{
    struct json *j = NULL;
    struct sb_error err = {0};
    ck_assert_msg(json_parse(text, strlen(text), &j, &err) == SB_OK, "%s: %s", text, err.detail);
    return j;
}

static void assert_refused(const char *text, size_t n, const char *why)
{
    struct json *j = NULL;
    struct sb_error err = {0};
    ck_assert_msg(json_parse(text, n, &j, &err) == SB_EBADJSON, "accepted: %s", text);
    ck_assert_ptr_null(j);
    ck_assert_msg(strstr(err.detail, why) != NULL, "%s: said '%s'", text, err.detail);
}

static const char *const good[] = {
    "{}",
    "[]",
    " [ ] ",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "1e3",
    "1E-3",
    "12345678901234567890",
    "\"\"",
    "\"a\"",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
    "\"\\u00e9\\ud83d\\ude00\"",
    "\"\xc3\xa9\"",
    "{\"a\":1,\"A\":2}",
    "[1,[2,{\"b\":[]}],\"x\"]",
    "\xef\xbb\xbf{}",
    "\t\r\n {\"a\" : [ 1 , 2 ] } \n",
    "{\"\":1}",
};

START_TEST(test_json__accepts)
{
    json_free(parse(good[_i]));
}
END_TEST

static const struct {
    const char *text, *why;
} bad[] = {
    {"", "too early"},
    {" ", "too early"},
    {"{", "string was expected"},
    {"[", "too early"},
    {"[1", "too early"},
    {"[1,", "too early"},
    {"[1,]", "unexpected"},
    {"{\"a\"}", "colon"},
    {"{\"a\":}", "unexpected"},
    {"{\"a\":1,}", "string was expected"},
    {"{a:1}", "string was expected"},
    {"{'a':1}", "string was expected"},
    {"{} x", "Additional"},
    {"{}{}", "Additional"},
    {"1 2", "Additional"},
    {"[1 2]", "unexpected"},
    {"]", "unexpected"},
    {"[}", "unexpected"},
    {"{]", "string was expected"},
    {"[1}", "unexpected"},
    {"tru", "unexpected"},
    {"nul", "unexpected"},
    {"NaN", "unexpected"},
    {"Infinity", "unexpected"},
    {"01", "Additional"},
    {"-", "digit"},
    {"+1", "unexpected"},
    {".5", "unexpected"},
    {"1.", "digit"},
    {"1e", "digit"},
    {"1e+", "digit"},
    {"- 1", "digit"},
    {"0x10", "Additional"},
    {"\"a", "does not end"},
    {"\"\\", "escape"},
    {"\"\\x\"", "escape"},
    {"\"\\u12\"", "escape"},
    {"\"\\u12g4\"", "escape"},
    {"\"\\u0000\"", "u0000"},
    {"\"x\\u0000y\"", "u0000"},
    {"{\"a\\u0000b\":1}", "u0000"},
    {"\"\\ud800\"", "surrogate"},
    {"\"\\ud800x\"", "surrogate"},
    {"\"\\ud800\\u0041\"", "surrogate"},
    {"\"\\udc00\"", "surrogate"},
    {"\"a\nb\"", "control"},
    {"\"a\x01\"", "control"},
    {"\x01{}", "unexpected"},
    {"\"\xff\"", "UTF-8"},
    {"\"\xc3\"", "UTF-8"},
    {"\"\xc0\xaf\"", "UTF-8"},
    {"\"\xed\xa0\x80\"", "UTF-8"},
    {"// x\n{}", "unexpected"},
    {"{}/* x */", "Additional"},
    {"{\"a\":1,\"a\":2}", "more than once"},
    {"{\"a\":1,\"\\u0061\":2}", "more than once"},
    {"[{\"x\":{\"k\":1,\"l\":2,\"k\":3}}]", "more than once"},
    {"\xef\xbb\xbf", "too early"},
    {"\xef\xbb\xbf\xef\xbb\xbf{}", "unexpected"},
};

START_TEST(test_json__refuses)
{
    assert_refused(bad[_i].text, strlen(bad[_i].text), bad[_i].why);
}
END_TEST

START_TEST(test_json__refuses_nul_bytes)
{
    assert_refused("{\"a\":1}\0", 8, "Additional");
    assert_refused("{\"a\0b\":1}", 9, "control");
    assert_refused("\0", 1, "unexpected");
}
END_TEST

/* Every prefix of a text that is whole is not whole (or it is a shorter value, which a container never is).
 */
START_TEST(test_json__refuses_every_prefix)
{
    static const char text[] = "{\"a\":[1,2.5e3,{\"b\":\"\\u00e9\\n\xc3\xa9\"}],\"c\":null,\"d\":true}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        struct json *j = NULL;
        ck_assert_int_eq(json_parse(text, n, &j, NULL), SB_EBADJSON);
    }
}
END_TEST

START_TEST(test_json__depth)
{
    char text[2 * (JSON_DEPTH + 1) + 1];
    for (size_t depth = JSON_DEPTH; depth <= JSON_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        if (depth == JSON_DEPTH) {
            text[2 * depth] = '\0';
            json_free(parse(text));
        } else {
            assert_refused(text, 2 * depth, "deeply");
        }
    }
}
END_TEST

START_TEST(test_json__deep_hostile)
{
    size_t n = 1u << 20;
    char *text = malloc(n);
    memset(text, '[', n);
    assert_refused(text, n, "deeply");
    for (size_t i = 0; i + 5 <= n; i += 5)
        memcpy(text + i, "{\"a\":", 5);
    assert_refused(text, n, "deeply");
    free(text);
}
END_TEST

START_TEST(test_json__too_many_values)
{
    size_t n = 2 * 100001 + 1;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = i == 0 ? '[' : i == n - 1 ? ']' : i % 2 ? '1' : ',';
    assert_refused(text, n, "too many");
    free(text);
}
END_TEST

/* Equal names among many members, too: the search must not be quadratic, and must find them. */
START_TEST(test_json__twins_among_many)
{
    struct sb_buf b;
    buf_init(&b, 4u << 20);
    buf_adds(&b, "{");
    for (int i = 0; i < 50000; i++)
        buf_addf(&b, "\"member%d\":%d,", i, i);
    size_t n = b.n;
    buf_adds(&b, "\"last\":1}");
    json_free(parse(buf_str(&b)));
    b.n = n;
    buf_adds(&b, "\"member777\":1}");
    assert_refused(buf_str(&b), b.n, "member777");
    buf_done(&b);
}
END_TEST

START_TEST(test_json__lookup_prefers_exact)
{
    struct json *j = parse("{\"NAME\":1,\"name\":2,\"Other\":{\"Inner\":{\"x\":3}},\"n\":null}");
    int64_t v = 0;
    ck_assert(json_i64(json_get(j, "name"), &v) && v == 2);
    ck_assert(json_i64(json_get(j, "NAME"), &v) && v == 1);
    ck_assert(json_i64(json_get(j, "Name"), &v) && v == 1); /* the first one */
    ck_assert(json_i64(json_path(j, "other.inner.X"), &v) && v == 3);
    ck_assert_ptr_null(json_get(j, "nam"));
    ck_assert_ptr_null(json_get(j, "names"));
    ck_assert_ptr_null(json_path(j, "name.inner"));
    ck_assert_ptr_null(json_path(j, "missing.inner"));
    ck_assert_ptr_null(json_get(NULL, "name"));
    ck_assert(json_is_null(json_get(j, "n")));
    json_free(j);
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    int64_t v;
} numbers[] = {
    {"0", true, 0},
    {"-1", true, -1},
    {"9007199254740993", true, INT64_C(9007199254740993)},
    {"9223372036854775807", true, INT64_MAX},
    {"-9223372036854775808", true, INT64_MIN},
    {"9223372036854775808", false, 0},
    {"-9223372036854775809", false, 0},
    {"1.0", true, 1},
    {"1.5", false, 0},
    {"1e3", true, 1000},
    {"1e-3", false, 0},
    {"1e999", false, 0},
    {"1e19", false, 0},
    {"123456789012345678901234567890", false, 0},
    {"\"5\"", false, 0},
    {"true", false, 0},
    {"-0", true, 0},
};

START_TEST(test_json__whole_numbers)
{
    struct json *j = parse(numbers[_i].text);
    int64_t v = 77;
    ck_assert_msg(json_i64(j, &v) == numbers[_i].ok, "%s", numbers[_i].text);
    ck_assert_int_eq(v, numbers[_i].ok ? numbers[_i].v : 77);
    json_free(j);
}
END_TEST

START_TEST(test_json__types_are_checked)
{
    struct json *j = parse("{\"s\":\"x\",\"b\":true,\"i\":5,\"o\":{},\"a\":[],\"n\":null}");
    struct sb_error err = {0};
    const char *s = "kept";
    int b = -1;
    int64_t i = -1;
    const struct json *o = NULL;
    ck_assert_int_eq(json_opt_str(j, "properties", "s", &s, &err), SB_OK);
    ck_assert_str_eq(s, "x");
    ck_assert_int_eq(json_opt_str(j, "properties", "n", &s, &err), SB_OK); /* null: as if absent */
    ck_assert_int_eq(json_opt_str(j, "properties", "absent", &s, &err), SB_OK);
    ck_assert_int_eq(json_opt_str(NULL, "properties", "s", &s, &err), SB_OK);
    ck_assert_str_eq(s, "x");
    ck_assert_int_eq(json_opt_str(j, "properties", "i", &s, &err), SB_EBADJSON);
    ck_assert_str_eq(err.detail, "properties.i must be a string");
    ck_assert_int_eq(json_opt_bool(j, NULL, "s", &b, &err), SB_EBADJSON);
    ck_assert_str_eq(err.detail, "s must be true or false");
    ck_assert_int_eq(json_opt_bool(j, "", "b", &b, &err), SB_OK);
    ck_assert_int_eq(b, 1);
    ck_assert_int_eq(json_opt_i64(j, "", "i", 1, 5, &i, &err), SB_OK);
    ck_assert_int_eq(i, 5);
    ck_assert_int_eq(json_opt_i64(j, "p", "i", 1, 4, &i, &err), SB_EBADJSON);
    ck_assert_str_eq(err.detail, "p.i must be between 1 and 4");
    ck_assert_int_eq(json_opt_i64(j, "p", "s", 1, 4, &i, &err), SB_EBADJSON);
    ck_assert_int_eq(json_opt_obj(j, "", "o", &o, &err), SB_OK);
    ck_assert(json_is_object(o));
    ck_assert_int_eq(json_opt_obj(j, "", "a", &o, &err), SB_EBADJSON);
    ck_assert_int_eq(json_opt_arr(j, "", "a", &o, &err), SB_OK);
    ck_assert(json_is_array(o));
    ck_assert_int_eq(json_opt_arr(j, "", "o", &o, &err), SB_EBADJSON);
    json_free(j);
}
END_TEST

/* Printing what was read: numbers keep their text, everything else its meaning. */
START_TEST(test_json__prints_what_it_read)
{
    static const char text[] = "{\"big\":9007199254740993,\"f\":1.10,\"e\":1e999,\"z\":-0,\"i\":42,\"neg\":-"
                               "7,\"s\":\"a\\\"b\\\\\\n\xc3\xa9\","
                               "\"t\":[true,false,null,{}],\"12345678901234567890\":[12345678901234567890]}";
    struct sb_arena *a = arena_new(1u << 20);
    struct json *j = parse(text);
    ck_assert_str_eq(json_print(j, a), text);
    json_free(j);
    arena_free(a);
}
END_TEST

START_TEST(test_json__walks_members)
{
    struct json *j = parse("{\"a\":1,\"b\":[10,20,30]}");
    int64_t sum = 0, v = 0;
    const char *names[2] = {0};
    size_t n = 0;
    JSON_FOREACH (m, j) {
        names[n++] = json_key(m);
    }
    JSON_FOREACH (m, json_get(j, "b")) {
        ck_assert(json_i64(m, &v));
        sum += v;
    }
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(names[1], "b");
    ck_assert_int_eq(sum, 60);
    ck_assert_uint_eq(json_size(json_get(j, "b")), 3);
    json_free(j);
    json_free(NULL);
}
END_TEST

START_TEST(test_json__writes)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, 65536);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "s", "plain");
    jw_str(&w, "left out", NULL);
    jw_str(&w, "e", "q\" b\\ n\n t\t \x01 \x7f");
    jw_str(&w, "u", "\xc3\xa9 \xf0\x9f\x98\x80");
    jw_str(&w, "broken", "a\xff\xc3z\xc3");
    jw_strf(&w, "f", "%d-%s", 7, "x");
    jw_arr(&w, "list");
    jw_i64(&w, NULL, INT64_MIN);
    jw_bool(&w, NULL, true);
    jw_null(&w, NULL);
    jw_obj(&w, NULL);
    jw_end_obj(&w);
    jw_raw(&w, NULL, "[1]");
    jw_raw(&w, NULL, NULL);
    jw_end_arr(&w);
    jw_dbl(&w, "max", 922337203685.47754);
    jw_dbl(&w, "forty", 40);
    jw_dbl(&w, "tenth", 0.1);
    jw_dbl(&w, "inf", INFINITY);
    jw_end_obj(&w);
    ck_assert_str_eq(
        buf_str(&b),
        "{\"s\":\"plain\",\"e\":\"q\\\" b\\\\ n\\n t\\t \\u0001 \x7f\",\"u\":\"\xc3\xa9 \xf0\x9f\x98\x80\","
        "\"broken\":\"a\\ufffd\\ufffdz\\ufffd\",\"f\":\"7-x\",\"list\":[-9223372036854775808,true,null,{},[1]"
        "],"
        "\"max\":922337203685.47754,\"forty\":40,\"tenth\":0.1,\"inf\":null}");
    json_free(parse(buf_str(&b)));
    buf_done(&b);
}
END_TEST

START_TEST(test_json__writes_long_formatted_text)
{
    struct sb_buf b;
    struct jw w;
    char longish[2000];
    memset(longish, 'x', sizeof longish - 1);
    longish[sizeof longish - 1] = '\0';
    buf_init(&b, 65536);
    jw_init(&w, &b);
    jw_strf(&w, NULL, "<%s>", longish);
    ck_assert_uint_eq(b.n, sizeof longish - 1 + 4);
    ck_assert_str_eq(buf_str(&b) + b.n - 2, ">\"");
    buf_done(&b);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_loop_test(t, test_json__accepts, 0, (int)SB_ARRAY_LEN(good));
    tcase_add_loop_test(t, test_json__refuses, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(t, test_json__refuses_nul_bytes);
    tcase_add_test(t, test_json__refuses_every_prefix);
    tcase_add_test(t, test_json__depth);
    tcase_add_test(t, test_json__deep_hostile);
    tcase_add_test(t, test_json__too_many_values);
    tcase_add_test(t, test_json__twins_among_many);
    tcase_add_test(t, test_json__lookup_prefers_exact);
    tcase_add_loop_test(t, test_json__whole_numbers, 0, (int)SB_ARRAY_LEN(numbers));
    tcase_add_test(t, test_json__types_are_checked);
    tcase_add_test(t, test_json__prints_what_it_read);
    tcase_add_test(t, test_json__walks_members);
    tcase_add_test(t, test_json__writes);
    tcase_add_test(t, test_json__writes_long_formatted_text);
    suite_add_tcase(s, t);
    return s;
}
