/*
 * fn_date.c: dates: .NET's standard and custom formats (en-US), ISO 8601 durations. Times are UTC, in ms; a
 * fraction is shown with as many digits as asked for.
 */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define DAY_MS INT64_C(86400000)
#define MIN_MS (-INT64_C(62135596800000)) /* 0001-01-01 */
#define MAX_MS INT64_C(253402300799999)   /* 9999-12-31T23:59:59.999 */

struct date {
    int64_t year;
    int month, day, weekday; /* month 1.., weekday 0 = Sunday */
    int hour, minute, second, ms;
};

static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar. */
static int64_t days_of(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct date date_of(int64_t ms)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0), rest = ms - days * DAY_MS, z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct date d = {.day = (int)(doy - (153 * mp + 2) / 5 + 1), .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    d.year = yoe + era * 400 + (d.month <= 2);
    d.weekday = (int)(((days + 4) % 7 + 7) % 7);
    d.hour = (int)(rest / 3600000);
    d.minute = (int)(rest / 60000 % 60);
    d.second = (int)(rest / 1000 % 60);
    d.ms = (int)(rest % 1000);
    return d;
}

static int month_days(int64_t y, int m)
{
    return (int)(days_of(m == 12 ? y + 1 : y, m == 12 ? 1 : m + 1, 1) - days_of(y, m, 1));
}

/* ---- writing ---- */

static const struct {
    char letter;
    const char *pattern;
} standard_formats[] = {
    {'d', "M/d/yyyy"},
    {'D', "dddd, MMMM d, yyyy"},
    {'f', "dddd, MMMM d, yyyy h:mm tt"},
    {'F', "dddd, MMMM d, yyyy h:mm:ss tt"},
    {'g', "M/d/yyyy h:mm tt"},
    {'G', "M/d/yyyy h:mm:ss tt"},
    {'m', "MMMM d"},
    {'M', "MMMM d"},
    {'o', "yyyy-MM-ddTHH:mm:ss.fffffffK"},
    {'O', "yyyy-MM-ddTHH:mm:ss.fffffffK"},
    {'r', "ddd, dd MMM yyyy HH:mm:ss 'GMT'"},
    {'R', "ddd, dd MMM yyyy HH:mm:ss 'GMT'"},
    {'s', "yyyy-MM-ddTHH:mm:ss"},
    {'t', "h:mm tt"},
    {'T', "h:mm:ss tt"},
    {'u', "yyyy-MM-dd HH:mm:ss'Z'"},
    {'U', "dddd, MMMM d, yyyy h:mm:ss tt"},
    {'y', "MMMM yyyy"},
    {'Y', "MMMM yyyy"},
};

/* n letters `letter` of a custom pattern. false: not a part of a date. */
static bool put_part(struct sb_buf *b, const struct date *d, char letter, size_t n)
{
    int hour = d->hour % 12 ? d->hour % 12 : 12;
    int width = (int)SB_MIN(n, 2);
    switch (letter) {
    case 'd':
        return (n >= 3 ? buf_addf(b, "%.*s", n == 3 ? 3 : 20, weekdays[d->weekday])
                       : buf_addf(b, "%0*d", width, d->day)) == SB_OK;
    case 'M':
        return (n >= 3 ? buf_addf(b, "%.*s", n == 3 ? 3 : 20, months[d->month - 1])
                       : buf_addf(b, "%0*d", width, d->month)) == SB_OK;
    case 'y':
        return buf_addf(b, "%0*lld", (int)SB_MIN(n, 10), (long long)(n <= 2 ? d->year % 100 : d->year)) ==
               SB_OK;
    case 'H': return buf_addf(b, "%0*d", width, d->hour) == SB_OK;
    case 'h': return buf_addf(b, "%0*d", width, hour) == SB_OK;
    case 'm': return buf_addf(b, "%0*d", width, d->minute) == SB_OK;
    case 's': return buf_addf(b, "%0*d", width, d->second) == SB_OK;
    case 't': return buf_addf(b, "%.*s", width, d->hour < 12 ? "AM" : "PM") == SB_OK;
    case 'f':
    case 'F': {
        char digits[16];
        snprintf(digits, sizeof digits, "%03d0000", d->ms % 1000);
        size_t len = SB_MIN(n, 7);
        while (letter == 'F' && len > 0 && digits[len - 1] == '0')
            len--;
        return buf_addf(b, "%.*s", (int)len, digits) == SB_OK;
    }
    case 'K': return buf_adds(b, "Z") == SB_OK;
    case 'z': return buf_adds(b, n == 1 ? "+0" : n == 2 ? "+00" : "+00:00") == SB_OK;
    default: return false;
    }
}

static void put_date(struct sb_buf *b, int64_t ms, const char *format)
{
    struct date d = date_of(ms);
    const char *p = format;
    for (size_t i = 0; format[0] && !format[1] && i < SB_ARRAY_LEN(standard_formats); i++)
        p = standard_formats[i].letter == format[0] ? standard_formats[i].pattern : p;
    while (*p && !buf_failed(b)) {
        size_t n = 1;
        if (*p == '\'' || *p == '"') {
            n = strcspn(p + 1, *p == '"' ? "\"" : "'");
            buf_add(b, p + 1, n);
            p += n + 1 + (p[n + 1] != '\0');
            continue;
        }
        if (*p == '\\' && p[1]) {
            buf_addc(b, p[1]);
            p += 2;
            continue;
        }
        p += *p == '%' && p[1];
        while (p[n] == *p)
            n++;
        if (!put_part(b, &d, *p, n))
            buf_add(b, p, n);
        p += n;
    }
}

static const struct tv *dated(struct fn_call *c, int64_t ms, const char *format)
{
    struct sb_buf b;
    buf_init(&b, 4096);
    put_date(&b, ms, format);
    const struct tv *v = buf_failed(&b) ? NULL : tv_stringn(EVAL_ARENA(c->ev), buf_str(&b), b.n);
    buf_done(&b);
    return v ? v
             : eval_fail(
                   c->ev,
                   "Unable to evaluate template language function '%s': the format is invalid. Please see "
                   "https://aka.ms/arm-resource-functions/#%s for usage details.",
                   c->name, c->fn->name);
}

/* ---- reading ---- */

struct scan { /* a date while it is read by a pattern */
    const char *p;
    struct date d;
    bool pm;
};

static bool digits(struct scan *s, size_t min, size_t max, int *ret)
{
    size_t n = strspn(s->p, "0123456789");
    char text[8];
    int64_t v = 0;
    n = SB_MIN(n, max);
    if (n < min || !text_copyn(text, sizeof text, s->p, n) || !text_to_i64(text, 0, 9999999, &v))
        return false;
    s->p += n;
    *ret = (int)v;
    return true;
}

/* One run of letters of a pattern. */
static bool read_part(struct scan *s, char letter, size_t n)
{
    int v = 0;
    if (letter == 't') {
        s->pm = text_istarts(s->p, "PM");
        bool ok = s->pm || text_istarts(s->p, "AM");
        s->p += ok ? 2 : 0;
        if (ok)
            s->d.hour = s->d.hour % 12 + (s->pm ? 12 : 0);
        return ok;
    }
    if (letter == 'f')
        return true;
    if (!digits(s, n == 1 ? 1 : n, n == 1 ? 2 : n, &v))
        return false;
    int *fields[] = {&s->d.day, &s->d.month, &s->d.hour, &s->d.hour, &s->d.minute, &s->d.second};
    const char *at = strchr("dMHhms", letter);
    if (letter == 'y')
        s->d.year = v;
    else if (at)
        *fields[at - "dMHhms"] = v;
    return at || letter == 'y';
}

static bool read_by(const char *text, const char *pattern, int64_t *ret)
{
    struct scan s = {.p = text, .d = {.year = 1, .month = 1, .day = 1}};
    while (*pattern) {
        size_t n = 1;
        if (!strchr("dMyHhmst", *pattern)) {
            if (*s.p++ != *pattern++)
                return false;
            continue;
        }
        while (pattern[n] == *pattern)
            n++;
        if (!read_part(&s, *pattern, n))
            return false;
        pattern += n;
    }
    const struct date *d = &s.d;
    if (*s.p || d->year < 1 || d->month < 1 || d->month > 12 || d->day < 1 ||
        d->day > month_days(d->year, d->month) || d->hour > 23 || d->minute > 59 || d->second > 59)
        return false;
    *ret = days_of(d->year, d->month, d->day) * DAY_MS +
           ((d->hour * 60 + d->minute) * 60 + d->second) * INT64_C(1000);
    return true;
}

/* Formats that dates come in, and the one to give them back in. */
static const struct {
    const char *pattern, *format;
} known[] = {
    {"yyyyMMddTHHmmssZ", "yyyyMMddTHHmmssZ"},
    {"yyyy-MM-dd HH:mm:ssZ", "u"},
    {"yyyy-MM-ddTHH:mm:ssZ", "yyyy-MM-ddTHH:mm:ssZ"},
    {"yyyy-MM-ddTHH:mm:ss", "s"},
    {"yyyy-MM-dd", "yyyy-MM-dd"},
    {"M/d/yyyy h:mm:ss tt", "G"},
    {"M/d/yyyy h:mm tt", "g"},
    {"M/d/yyyy", "d"},
    {"yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd HH:mm:ss"},
};

static bool read_date(const char *text, int64_t *ret, const char **ret_format)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(known); i++) {
        if (read_by(text, known[i].pattern, ret)) {
            *ret_format = known[i].format;
            return true;
        }
    }
    *ret_format = "o";
    return time_parse_rfc3339(text, ret) || (time_parse_rfc1123(text, ret) && (*ret_format = "r"));
}

static const struct tv *bad_date(struct fn_call *c, const char *what)
{
    return eval_fail(
        c->ev,
        "Unable to evaluate template language function '%s': the provided value is not a valid %s. Please "
        "see https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, what, c->fn->name);
}

/* ---- durations: calendar years and months, then the rest ---- */

struct span {
    int64_t months, ms;
};

/* "[-]P[nY][nM][nW][nD][T[nH][nM][n[.n]S]]" */
static bool read_span(const char *s, struct span *ret)
{
    static const struct {
        char letter;
        bool time;
        int64_t months, ms;
    } units[] = {{'Y', false, 12, 0},     {'M', false, 1, 0},      {'W', false, 0, 7 * DAY_MS},
                 {'D', false, 0, DAY_MS}, {'H', true, 0, 3600000}, {'M', true, 0, 60000},
                 {'S', true, 0, 1000}};
    struct span sum = {0};
    size_t unit = 0, parts = 0;
    bool time = false, minus = *s == '-';
    s += minus;
    if (*s++ != 'P')
        return false;
    while (*s) {
        char text[12];
        int64_t v = 0;
        if (*s == 'T' && !time) {
            time = true;
            s++;
            continue;
        }
        size_t n = strspn(s, "0123456789"), fraction = 0;
        if (n == 0 || !text_copyn(text, sizeof text, s, n) || !text_to_i64(text, 0, 1000000000, &v))
            return false;
        s += n;
        if (*s == '.')
            fraction = 1 + strspn(s + 1, "0123456789");
        while (unit < SB_ARRAY_LEN(units) && !(units[unit].letter == s[fraction] && units[unit].time == time))
            unit++;
        if (unit == SB_ARRAY_LEN(units) || (fraction && units[unit].letter != 'S'))
            return false;
        sum.months += v * units[unit].months;
        sum.ms += v * units[unit].ms;
        for (size_t i = 1, scale = 100; i < fraction && scale > 0; i++, scale /= 10)
            sum.ms += (int64_t)scale * (s[i] - '0');
        s += fraction + 1;
        unit++;
        parts++;
    }
    *ret = (struct span){minus ? -sum.months : sum.months, minus ? -sum.ms : sum.ms};
    return parts > 0;
}

static bool add_span(int64_t *ms, const struct span *span)
{
    struct date d = date_of(*ms);
    int64_t month = d.year * 12 + d.month - 1 + span->months, year = month / 12;
    if (year < 1 || year > 9999)
        return false;
    int m = (int)(month % 12) + 1, day = (int)SB_MIN(d.day, month_days(year, m));
    int64_t in_day = *ms - days_of(d.year, d.month, d.day) * DAY_MS;
    int64_t sum = days_of(year, m, day) * DAY_MS + in_day + span->ms;
    if (sum < MIN_MS || sum > MAX_MS)
        return false;
    *ms = sum;
    return true;
}

/* ---- the functions ---- */

const struct tv *fn_utcNow(struct fn_call *c)
{
    return dated(c, c->ev->t->world.now_ms, c->n ? c->args[0]->u.s : "yyyyMMddTHHmmssZ");
}

const struct tv *fn_dateTimeAdd(struct fn_call *c)
{
    int64_t ms = 0;
    const char *format = NULL;
    struct span span;
    if (!read_date(c->args[0]->u.s, &ms, &format) || ms < MIN_MS || ms > MAX_MS)
        return bad_date(c, "date and time");
    if (!read_span(c->args[1]->u.s, &span) || !add_span(&ms, &span))
        return bad_date(c, "ISO 8601 duration in range");
    return dated(c, ms, c->n == 3 ? c->args[2]->u.s : format);
}

const struct tv *fn_dateTimeFromEpoch(struct fn_call *c)
{
    int64_t s = c->args[0]->u.i;
    if (s < MIN_MS / 1000 || s > MAX_MS / 1000)
        return bad_date(c, "epoch time");
    return dated(c, s * 1000, "yyyy-MM-ddTHH:mm:ssZ");
}

const struct tv *fn_dateTimeToEpoch(struct fn_call *c)
{
    int64_t ms = 0;
    const char *format = NULL;
    if (!read_date(c->args[0]->u.s, &ms, &format))
        return bad_date(c, "date and time");
    return tv_int(EVAL_ARENA(c->ev), ms / 1000 - (ms % 1000 < 0));
}
