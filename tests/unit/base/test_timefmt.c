/* test_timefmt.c: dates against known values and against libc, parsing, durations. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "server/base/compiler.h"
#include "server/base/timefmt.h"
#include "tests/unit/unit.h"

#define COUNT(a) ((int)SB_ARRAY_LEN(a))
#define YEAR_1   INT64_C(-62135596800000)
#define LAST     TIME_LAST_MS
#define UNSET    INT64_C(4711)

static const struct {
    int64_t ms;
    const char *rfc3339, *seven, *plain, *rfc1123;
} times[] = {
    {0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.0000000Z", "1970-01-01T00:00:00",
     "Thu, 01 Jan 1970 00:00:00 GMT"},
    {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.9990000Z", "1969-12-31T23:59:59",
     "Wed, 31 Dec 1969 23:59:59 GMT"},
    {INT64_C(1727593889200), "2024-09-29T07:11:29.2Z", "2024-09-29T07:11:29.2000000Z", "2024-09-29T07:11:29",
     "Sun, 29 Sep 2024 07:11:29 GMT"},
    {INT64_C(951782400010), "2000-02-29T00:00:00.01Z", "2000-02-29T00:00:00.0100000Z", "2000-02-29T00:00:00",
     "Tue, 29 Feb 2000 00:00:00 GMT"},
    {INT64_C(1435697481000), "2015-06-30T20:51:21Z", "2015-06-30T20:51:21.0000000Z", "2015-06-30T20:51:21",
     "Tue, 30 Jun 2015 20:51:21 GMT"},
    {YEAR_1, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000Z", "0001-01-01T00:00:00",
     "Mon, 01 Jan 0001 00:00:00 GMT"},
    {LAST, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.9990000Z", "9999-12-31T23:59:59",
     "Fri, 31 Dec 9999 23:59:59 GMT"},
};

START_TEST(test_timefmt__formats_and_parses_back)
{
    char s[TIME_TEXT_MAX];
    int64_t ms = times[_i].ms, got = UNSET;
    ck_assert_str_eq(time_plain(ms, s), times[_i].plain);
    ck_assert_str_eq(time_rfc3339(ms, s), times[_i].rfc3339);
    ck_assert(time_parse_rfc3339(s, &got));
    ck_assert_int_eq(got, ms);
    ck_assert_str_eq(time_rfc3339_7(ms, s), times[_i].seven);
    ck_assert(time_parse_rfc3339(s, &got));
    ck_assert_int_eq(got, ms);
    ck_assert_str_eq(time_rfc1123(ms, s), times[_i].rfc1123);
    ck_assert(time_parse_rfc1123(s, &got));
    ck_assert_int_eq(got, ms - ((ms % 1000) + 1000) % 1000);
}
END_TEST

START_TEST(test_timefmt__clamps_to_four_digit_years)
{
    char s[TIME_TEXT_MAX];
    ck_assert_str_eq(time_rfc3339(INT64_MIN, s), "0001-01-01T00:00:00Z");
    ck_assert_str_eq(time_rfc3339(YEAR_1 - 1, s), "0001-01-01T00:00:00Z");
    ck_assert_str_eq(time_rfc3339(LAST + 1, s), "9999-12-31T23:59:59.999Z");
    ck_assert_str_eq(time_rfc3339(INT64_MAX, s), "9999-12-31T23:59:59.999Z");
}
END_TEST

START_TEST(test_timefmt__agrees_with_libc)
{
    char want[64], s[TIME_TEXT_MAX];
    /* A step of about 17 days and some, over all of the range. */
    for (int64_t ms = YEAR_1; ms <= LAST; ms += INT64_C(1500007000)) {
        time_t t = (time_t)(ms / 1000);
        struct tm tm;
        ck_assert_ptr_nonnull(gmtime_r(&t, &tm));
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        int64_t back = UNSET;
        ck_assert_str_eq(time_rfc3339(ms, s), want);
        ck_assert(time_parse_rfc3339(s, &back) && back == ms);
        strftime(want, sizeof want, "%a, %d %b", &tm);
        ck_assert_int_eq(strncmp(time_rfc1123(ms, s), want, strlen(want)), 0);
    }
}
END_TEST

static const struct {
    const char *s;
    bool ok;
    int64_t want;
} rfc3339s[] = {
    {"1970-01-01T00:00:00.1Z", true, 100},
    {"1970-01-01T00:00:00.1239999Z", true, 123},
    {"1970-01-01t00:00:00z", true, 0},
    {"1970-01-01T01:00:00+01:00", true, 0},
    {"1969-12-31T22:30:00-01:30", true, 0},
    {"2000-02-29T00:00:00Z", true, INT64_C(951782400000)},
    {"1900-02-29T00:00:00Z", false, 0},
    {"2023-02-29T00:00:00Z", false, 0},
    {"2023-04-31T00:00:00Z", false, 0},
    {"0000-01-01T00:00:00Z", false, 0},
    {"0001-01-01T00:00:00+00:01", false, 0},
    {"9999-12-31T23:59:59-00:01", false, 0},
    {"1970-00-01T00:00:00Z", false, 0},
    {"1970-13-01T00:00:00Z", false, 0},
    {"1970-01-00T00:00:00Z", false, 0},
    {"1970-01-01T24:00:00Z", false, 0},
    {"1970-01-01T00:60:00Z", false, 0},
    {"1970-01-01T00:00:60Z", false, 0},
    {"1970-01-01T00:00:00", false, 0},
    {"1970-01-01T00:00:00.Z", false, 0},
    {"1970-01-01T00:00:00Z ", false, 0},
    {" 1970-01-01T00:00:00Z", false, 0},
    {"1970-01-01 00:00:00Z", false, 0},
    {"1970-1-01T00:00:00Z", false, 0},
    {"1970-01-01T00:00Z", false, 0},
    {"1970-01-01T00:00:00+0100", false, 0},
    {"1970-01-01T00:00:00+24:00", false, 0},
    {"1970-01-01T00:00:00+00:60", false, 0},
    {"1970-01-01", false, 0},
    {"", false, 0},
};

START_TEST(test_timefmt__parses_rfc3339)
{
    int64_t got = UNSET;
    ck_assert_int_eq(time_parse_rfc3339(rfc3339s[_i].s, &got), rfc3339s[_i].ok);
    ck_assert_int_eq(got, rfc3339s[_i].ok ? rfc3339s[_i].want : UNSET);
}
END_TEST

static const char *const bad_rfc1123s[] = {
    "",
    "Tue, 30 Jun 2015 20:51:21",
    "Tue, 30 Jun 2015 20:51:21 UTC",
    "Wed, 30 Jun 2015 20:51:21 GMT",
    "Tue, 31 Jun 2015 20:51:21 GMT",
    "Tue 30 Jun 2015 20:51:21 GMT",
    "Tue, 30 jun 2015 20:51:21 GMT",
    "Tue, 30 Jun 15 20:51:21 GMT",
    "Tue, 30 Jun 2015 24:51:21 GMT",
    "Tue, 30 Jun 2015 20:51:21 GMTx",
    "Tue, 3 Jun 2015 20:51:21 GMT",
};

START_TEST(test_timefmt__refuses_bad_rfc1123)
{
    int64_t got = UNSET;
    ck_assert(!time_parse_rfc1123(bad_rfc1123s[_i], &got));
    ck_assert_int_eq(got, UNSET);
}
END_TEST

#define SEC INT64_C(1000)
#define DAY (86400 * SEC)

static const struct {
    const char *s;
    int64_t ms;       /* -1: malformed */
    const char *back; /* NULL: as s */
} durations[] = {
    {"PT0S", 0, NULL},
    {"P0D", 0, "PT0S"},
    {"PT1M", 60 * SEC, NULL},
    {"PT60S", 60 * SEC, "PT1M"},
    {"P14D", 14 * DAY, NULL},
    {"P1D", DAY, NULL},
    {"PT1H", 3600 * SEC, NULL},
    {"P1DT1S", DAY + SEC, NULL},
    {"PT1.5S", 1500, NULL},
    {"PT0.001S", 1, NULL},
    {"PT0.0019S", 1, "PT0.001S"},
    {"P1Y2M3DT3H11M2S", 428 * DAY + (3 * 3600 + 11 * 60 + 2) * SEC, "P428DT3H11M2S"},
    {"P1Y", 365 * DAY, "P365D"},
    {"P1M", 30 * DAY, "P30D"},
    {"P10675199DT2H48M5.4775807S", TIME_FOREVER_MS, NULL},
    {"P10675199DT2H48M5.476S", TIME_FOREVER_MS - 1, NULL},
    {"P10675199DT2H48M5.478S", -1, NULL},
    {"P10675200D", -1, NULL},
    {"P99999999999999999999D", -1, NULL},
    {"P1000000000000000Y", -1, NULL},
    {"", -1, NULL},
    {"P", -1, NULL},
    {"PT", -1, NULL},
    {"P1DT", -1, NULL},
    {"1D", -1, NULL},
    {"-PT1S", -1, NULL},
    {"PT-1S", -1, NULL},
    {"P1H", -1, NULL},
    {"PT1D", -1, NULL},
    {"PT1S1M", -1, NULL},
    {"PT1S1S", -1, NULL},
    {"P1D1M", -1, NULL},
    {"PT1", -1, NULL},
    {"PTS", -1, NULL},
    {"PT1.S", -1, NULL},
    {"PT.5S", -1, NULL},
    {"PT1.5M", -1, NULL},
    {"P1.5D", -1, NULL},
    {"P1W", -1, NULL},
    {"pt1m", -1, NULL},
    {"PT1M ", -1, NULL},
    {" PT1M", -1, NULL},
    {"PT1MT1S", -1, NULL},
};

START_TEST(test_timefmt__durations)
{
    int64_t got = UNSET;
    char s[TIME_TEXT_MAX];
    bool ok = durations[_i].ms >= 0;
    ck_assert_int_eq(duration_parse(durations[_i].s, &got), ok);
    ck_assert_int_eq(got, ok ? durations[_i].ms : UNSET);
    if (ok)
        ck_assert_str_eq(duration_format(got, s), durations[_i].back ? durations[_i].back : durations[_i].s);
}
END_TEST

START_TEST(test_timefmt__durations_beyond_the_range_are_shown_at_its_ends)
{
    char s[TIME_TEXT_MAX];
    ck_assert_str_eq(duration_format(INT64_MAX, s), "P10675199DT2H48M5.4775807S");
    ck_assert_str_eq(duration_format(-5, s), "PT0S");
}
END_TEST

static const struct {
    const char *s;
    int64_t ms; /* -1: malformed */
} timespans[] = {
    {"00:00:00", 0},
    {"00:01:00", 60 * SEC},
    {"1:2:3", 3723 * SEC},
    {"14.00:00:00", 14 * DAY},
    {"1.02:03:04.5", DAY + 7384500},
    {"00:00:00.0010000", 1},
    {"10675199.02:48:05.4775807", TIME_FOREVER_MS},
    {"10675199.02:48:05.4785807", -1},
    {"10675200.00:00:00", -1},
    {"", -1},
    {"1", -1},
    {"00:00", -1},
    {"24:00:00", -1},
    {"00:60:00", -1},
    {"00:00:60", -1},
    {"-00:00:01", -1},
    {"00:00:00.", -1},
    {"00:00:00.12345678", -1},
    {"00:00:00 ", -1},
    {"1.2.03:04:05", -1},
    {"99999999999999999:00:00", -1},
};

START_TEST(test_timefmt__timespans)
{
    int64_t got = UNSET;
    bool ok = timespans[_i].ms >= 0;
    ck_assert_int_eq(timespan_parse(timespans[_i].s, &got), ok);
    ck_assert_int_eq(got, ok ? timespans[_i].ms : UNSET);
}
END_TEST

START_TEST(test_timefmt__ticks)
{
    ck_assert_int_eq(time_ticks(0), INT64_C(621355968000000000));
    ck_assert_int_eq(time_ticks(YEAR_1), 0);
    ck_assert_int_eq(time_ticks(1), INT64_C(621355968000010000));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("timefmt");
    TCase *t = tcase_create("timefmt");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_timefmt__formats_and_parses_back, 0, COUNT(times));
    tcase_add_test(t, test_timefmt__clamps_to_four_digit_years);
    tcase_add_test(t, test_timefmt__agrees_with_libc);
    tcase_add_loop_test(t, test_timefmt__parses_rfc3339, 0, COUNT(rfc3339s));
    tcase_add_loop_test(t, test_timefmt__refuses_bad_rfc1123, 0, COUNT(bad_rfc1123s));
    tcase_add_loop_test(t, test_timefmt__durations, 0, COUNT(durations));
    tcase_add_test(t, test_timefmt__durations_beyond_the_range_are_shown_at_its_ends);
    tcase_add_loop_test(t, test_timefmt__timespans, 0, COUNT(timespans));
    tcase_add_test(t, test_timefmt__ticks);
    suite_add_tcase(s, t);
    return s;
}
