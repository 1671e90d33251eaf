/* test_text.c: tables of good and bad inputs for every helper. */
#include <string.h>
#include "server/base/compiler.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

#define COUNT(a) ((int)SB_ARRAY_LEN(a))

static struct sb_arena *arena;

static void setup(void)
{
    arena = arena_new(1 << 20);
}

static void teardown(void)
{
    arena_free(arena);
}

static const struct {
    const char *a, *b;
    bool ieq, istarts, starts, ends;
} comparisons[] = {
    {"", "", true, true, true, true},
    {"Abc", "aBC", true, true, false, false},
    {"abc", "ab", false, true, true, false},
    {"ab", "abc", false, false, false, false},
    {"abc", "bc", false, false, false, true},
    {"ABC", "ab", false, true, false, false},
    {"a", "", false, true, true, true},
    {"\xc3\x84", "\xc3\xa4", false, false, false, false}, /* ASCII only */
    {"[", "{", false, false, false, false},
};

START_TEST(test_text__comparison)
{
    const char *a = comparisons[_i].a, *b = comparisons[_i].b;
    ck_assert_int_eq(text_ieq(a, b), comparisons[_i].ieq);
    ck_assert_int_eq(text_istarts(a, b), comparisons[_i].istarts);
    ck_assert_int_eq(text_starts(a, b), comparisons[_i].starts);
    ck_assert_int_eq(text_ends(a, b), comparisons[_i].ends);
    if (comparisons[_i].ieq)
        ck_assert_uint_eq(text_ihash(a), text_ihash(b));
}
END_TEST

START_TEST(test_text__lower_hash_copy)
{
    char s[] = "AzZ[@-\xc4";
    char dst[4] = "zzz";
    ck_assert_str_eq(text_tolower(s), "azz[@-\xc4");
    ck_assert_uint_eq(text_ihash(""), UINT64_C(0xcbf29ce484222325));
    ck_assert_uint_eq(text_ihash("FooBar"),
                      UINT64_C(0x85944171f73967e8)); /* FNV-1a's published value of "foobar" */
    ck_assert(text_ieqn("abX", "ABy", 2));
    ck_assert(!text_ieqn("abX", "ABy", 3));
    ck_assert(text_ieqn("ab", "AB", 10));
    ck_assert(text_copy(dst, sizeof dst, "abc"));
    ck_assert_str_eq(dst, "abc");
    ck_assert(!text_copy(dst, sizeof dst, "abcd"));
    ck_assert_str_eq(dst, "");
    ck_assert(text_copyn(dst, sizeof dst, "abcd", 3));
    ck_assert_str_eq(dst, "abc");
    ck_assert(!text_copy(dst, 0, ""));
}
END_TEST

static const struct {
    const char *s;
    int64_t min, max, want;
    bool ok;
} numbers[] = {
    {"0", 0, 10, 0, true},
    {"-0", 0, 10, 0, true},
    {"007", 0, 10, 7, true},
    {"10", 0, 10, 10, true},
    {"11", 0, 10, 0, false},
    {"-1", 0, 10, 0, false},
    {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX, true},
    {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN, true},
    {"9223372036854775808", INT64_MIN, INT64_MAX, 0, false},
    {"-9223372036854775809", INT64_MIN, INT64_MAX, 0, false},
    {"99999999999999999999999", INT64_MIN, INT64_MAX, 0, false},
    {"", INT64_MIN, INT64_MAX, 0, false},
    {"-", INT64_MIN, INT64_MAX, 0, false},
    {"+1", INT64_MIN, INT64_MAX, 0, false},
    {" 1", INT64_MIN, INT64_MAX, 0, false},
    {"1 ", INT64_MIN, INT64_MAX, 0, false},
    {"1.0", INT64_MIN, INT64_MAX, 0, false},
    {"0x1", INT64_MIN, INT64_MAX, 0, false},
};

START_TEST(test_text__numbers)
{
    int64_t v = 4711;
    ck_assert_int_eq(text_to_i64(numbers[_i].s, numbers[_i].min, numbers[_i].max, &v), numbers[_i].ok);
    ck_assert_int_eq(v, numbers[_i].ok ? numbers[_i].want : 4711);
}
END_TEST

#define GUID "01234567-89ab-cdef-fedc-ba9876543210"

static const struct {
    const char *s;
    bool parses, valid;
} guids[] = {
    {GUID, true, true},
    {"01234567-89AB-CDEF-FEDC-BA9876543210", true, true},
    {"0123456789abcdeffedcba9876543210", true, false},
    {"", false, false},
    {"{01234567-89ab-cdef-fedc-ba9876543210}", false, false},
    {"01234567-89ab-cdef-fedc-ba987654321", false, false},
    {"01234567-89ab-cdef-fedc-ba98765432100", false, false},
    {"01234567-89ab-cdef-fedc-ba987654321g", false, false},
    {"012345678-9ab-cdef-fedc-ba9876543210", false, false},
    {"01234567+89ab+cdef+fedc+ba9876543210", false, false},
    {"0123456789abcdeffedcba987654321", false, false},
    {"01234567-89ab-cdef-fedcba9876543210", false, false},
};

START_TEST(test_text__guids)
{
    static const uint8_t want[16] = {1,    0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                     0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    uint8_t b[16] = {0}, none[16] = {0};
    char dst[SB_GUID_LEN + 1];
    ck_assert_int_eq(guid_parse(guids[_i].s, b), guids[_i].parses);
    ck_assert_int_eq(guid_valid(guids[_i].s), guids[_i].valid);
    ck_assert_mem_eq(b, guids[_i].parses ? want : none, 16);
    guid_format(want, dst);
    ck_assert_str_eq(dst, GUID);
}
END_TEST

START_TEST(test_text__hex)
{
    uint8_t b[3] = {9, 9, 9};
    char dst[7];
    hex_encode((const uint8_t[]){0, 0xaf, 0xff}, 3, dst);
    ck_assert_str_eq(dst, "00afff");
    ck_assert(hex_decode("00aFFf", b, 3));
    ck_assert_mem_eq(b, "\x00\xaf\xff", 3);
    memset(b, 9, 3);
    ck_assert(!hex_decode("00afg0", b, 3));
    ck_assert(!hex_decode("00aff", b, 3));
    ck_assert(!hex_decode("00affff", b, 3));
    ck_assert(!hex_decode("", b, 3));
    ck_assert_mem_eq(b, "\x09\x09\x09", 3);
    ck_assert(hex_decode("", b, 0));
}
END_TEST

/* RFC 4648, section 10, and the two alphabets. */
static const struct {
    const char *plain, *std, *url;
} base64s[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/", "-_-_"},
};

START_TEST(test_text__base64)
{
    const char *plain = base64s[_i].plain, *std = base64s[_i].std, *url = base64s[_i].url;
    size_t n = strlen(plain), got = 99;
    struct sb_buf b;
    buf_init(&b, 100);
    ck_assert_int_eq(b64_encode(&b, plain, n), SB_OK);
    ck_assert_str_eq(buf_str(&b), std);
    buf_clear(&b);
    ck_assert_int_eq(b64url_encode(&b, plain, n), SB_OK);
    ck_assert_str_eq(buf_str(&b), url);
    ck_assert_str_eq(b64url_str(arena, plain, n), url);
    uint8_t *p = b64_decode(arena, std, strlen(std), &got);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(got, n);
    ck_assert_mem_eq(p, plain, n);
    p = b64url_decode(arena, url, strlen(url), &got);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(got, n);
    ck_assert_mem_eq(p, plain, n);
    buf_done(&b);
}
END_TEST

static const struct {
    const char *s;
    bool std, url;
} bad_base64s[] = {
    {"Zg", true, true},         {"Zg==", true, false},      {"Zg=", false, false},
    {"Z", false, false},        {"=", false, false},        {"==", false, false},
    {"====", false, false},     {"Zg===", false, false},    {"Zm9v=", false, false},
    {"Zm9v====", false, false}, {"Zm 9v", false, false},    {"Zm9v\n", false, false},
    {"Z*==", false, false},     {"Zh==", false, false},     {"Zh", false, false},
    {"Zm9=", false, false},     {"Zm9", false, false},      {"+/+/", true, false},
    {"-_-_", false, true},      {"Zg==Zg==", false, false}, {"\xc3\xa4==", false, false},
};

START_TEST(test_text__base64_is_strict)
{
    size_t n = 99;
    const char *s = bad_base64s[_i].s;
    ck_assert_int_eq(b64_decode(arena, s, strlen(s), &n) != NULL, bad_base64s[_i].std);
    ck_assert_int_eq(b64url_decode(arena, s, strlen(s), &n) != NULL, bad_base64s[_i].url);
    if (!bad_base64s[_i].std && !bad_base64s[_i].url)
        ck_assert_uint_eq(n, 99);
}
END_TEST

START_TEST(test_text__base64_of_every_length)
{
    uint8_t plain[200];
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n < sizeof plain; n++) {
        struct sb_buf b;
        size_t got = 0;
        buf_init(&b, 400);
        ck_assert_int_eq(b64_encode(&b, plain, n), SB_OK);
        ck_assert_uint_eq(b.n, (n + 2) / 3 * 4);
        uint8_t *p = b64_decode(arena, buf_str(&b), b.n, &got);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq(got, n);
        ck_assert_mem_eq(p, plain, n);
        buf_done(&b);
    }
}
END_TEST

START_TEST(test_text__base64_respects_the_ceiling)
{
    struct sb_buf b;
    buf_init(&b, 3);
    ck_assert_int_eq(b64_encode(&b, "f", 1), SB_ETOOLARGE);
    buf_done(&b);
}
END_TEST

static const struct {
    const char *s;
    bool plus;
    const char *want;
} percents[] = {
    {"", false, ""},      {"a%20b", false, "a b"},       {"a+b", false, "a+b"},  {"a+b", true, "a b"},
    {"%2B", true, "+"},   {"%c3%A4", false, "\xc3\xa4"}, {"%", false, NULL},     {"%2", false, NULL},
    {"%2x", false, NULL}, {"%%20", false, NULL},         {"a%00b", false, NULL}, {"%-1", false, NULL},
};

START_TEST(test_text__percent_decode)
{
    char *got = percent_decode(arena, percents[_i].s, strlen(percents[_i].s), percents[_i].plus);
    ck_assert_pstr_eq(got, percents[_i].want);
}
END_TEST

START_TEST(test_text__percent_edges)
{
    struct sb_buf b;
    ck_assert_ptr_null(percent_decode(arena, "a\0b", 3, false));
    ck_assert_ptr_null(percent_decode(arena, "%41", 2, false)); /* does not look beyond n */
    buf_init(&b, 100);
    ck_assert_int_eq(percent_encode(&b, "Az09-._~ /%+\xc3\xa4"), SB_OK);
    ck_assert_str_eq(buf_str(&b), "Az09-._~%20%2F%25%2B%C3%A4");
    buf_done(&b);
    buf_init(&b, 2);
    ck_assert_int_eq(percent_encode(&b, "abc"), SB_ETOOLARGE);
    ck_assert_int_eq(percent_encode(&b, ""), SB_ETOOLARGE);
    buf_done(&b);
}
END_TEST

static const struct {
    const char *s;
    size_t n;
    bool ok;
} utf8s[] = {
    {"", 0, true},
    {"abc", 3, true},
    {"a\0b", 3, false},
    {"\xc3\xa4", 2, true},
    {"\xe2\x82\xac", 3, true},
    {"\xf0\x9f\x98\x80", 4, true},
    {"\xf4\x8f\xbf\xbf", 4, true},
    {"\xf4\x90\x80\x80", 4, false}, /* above U+10FFFF */
    {"\xed\x9f\xbf", 3, true},
    {"\xed\xa0\x80", 3, false}, /* a surrogate */
    {"\xc0\x80", 2, false},     /* overlong */
    {"\xc1\xbf", 2, false},
    {"\xe0\x9f\xbf", 3, false},
    {"\xf0\x8f\xbf\xbf", 4, false},
    {"\xc3", 1, false}, /* cut */
    {"\xe2\x82", 2, false},
    {"\xf0\x9f\x98", 3, false},
    {"\x80", 1, false},
    {"\xc3(", 2, false},
    {"\xe2\x82(", 3, false},
    {"\xff", 1, false},
    {"\xf5\x80\x80\x80", 4, false},
};

START_TEST(test_text__utf8_length)
{
    ck_assert_uint_eq(utf8_length("", 0), 0);
    ck_assert_uint_eq(utf8_length("abc", 3), 3);
    ck_assert_uint_eq(utf8_length("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), 4);
    ck_assert_uint_eq(utf8_length("\xe2\x82\xac"
                                  "x",
                                  3),
                      1); /* no further than n */
}
END_TEST

START_TEST(test_text__utf8)
{
    ck_assert_int_eq(utf8_valid(utf8s[_i].s, utf8s[_i].n), utf8s[_i].ok);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_text__comparison, 0, COUNT(comparisons));
    tcase_add_test(t, test_text__lower_hash_copy);
    tcase_add_loop_test(t, test_text__numbers, 0, COUNT(numbers));
    tcase_add_loop_test(t, test_text__guids, 0, COUNT(guids));
    tcase_add_test(t, test_text__hex);
    tcase_add_loop_test(t, test_text__base64, 0, COUNT(base64s));
    tcase_add_loop_test(t, test_text__base64_is_strict, 0, COUNT(bad_base64s));
    tcase_add_test(t, test_text__base64_of_every_length);
    tcase_add_test(t, test_text__base64_respects_the_ceiling);
    tcase_add_loop_test(t, test_text__percent_decode, 0, COUNT(percents));
    tcase_add_test(t, test_text__percent_edges);
    tcase_add_test(t, test_text__utf8_length);
    tcase_add_loop_test(t, test_text__utf8, 0, COUNT(utf8s));
    suite_add_tcase(s, t);
    return s;
}
