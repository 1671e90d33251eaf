/*
 * timefmt.h: times and durations as text. Times are ms since 1970 UTC. A duration is in .NET ticks' range:
 * the service's "forever" is P10675199DT2H48M5.4775807S = TIME_FOREVER_MS here (kept exact on the way out).
 */
#ifndef SB_TIMEFMT_H
#define SB_TIMEFMT_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#define TIME_FOREVER_MS INT64_C(922337203685477)
/* 9999-12-31T23:59:59.999Z: no text shows a later time. */
#define TIME_LAST_MS  INT64_C(253402300799999)
#define TIME_TEXT_MAX 48

/* "2024-09-29T07:11:29.2Z": milliseconds without trailing zeros, none at a whole second. dst has
 * TIME_TEXT_MAX. */
char *time_rfc3339(int64_t ms, char *dst);
/* "2024-09-29T07:10:52.8690000Z": always seven digits, as newer resource providers write it. */
char *time_rfc3339_7(int64_t ms, char *dst);
/* "2021-09-28T19:02:01", as in TrackingId texts. */
char *time_plain(int64_t ms, char *dst);
/* "Tue, 30 Jun 2015 20:51:21 GMT" */
char *time_rfc1123(int64_t ms, char *dst);
/* RFC 3339 with optional fraction and Z or an offset; false if malformed. */
bool time_parse_rfc3339(const char *s, int64_t *ret);
bool time_parse_rfc1123(const char *s, int64_t *ret);

/* ISO 8601 duration ("P1Y2M3DT3H11M2S": a year is 365 days, a month 30, as the service counts: P1Y2M3D =
 * P428D); false if malformed, negative or out of range. */
bool duration_parse(const char *s, int64_t *ret_ms);
/* "PT1M", "P428DT3H11M2S", "PT0S"; TIME_FOREVER_MS prints as P10675199DT2H48M5.4775807S. */
char *duration_format(int64_t ms, char *dst);
/* .NET TimeSpan text "[d.]hh:mm:ss[.fffffff]"; false if malformed. */
bool timespan_parse(const char *s, int64_t *ret_ms);
/* .NET ticks of a time. */
int64_t time_ticks(int64_t ms);

#endif
