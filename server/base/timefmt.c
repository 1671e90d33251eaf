/* timefmt.c: civil dates by arithmetic (years 0001 to 9999, no time zones, no libc), and durations. */
#include "server/base/timefmt.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SECOND       INT64_C(1000)
#define MINUTE       (60 * SECOND)
#define HOUR         (60 * MINUTE)
#define DAY          (24 * HOUR)
#define YEAR         (365 * DAY) /* in durations */
#define MONTH        (30 * DAY)
#define YEAR_1       INT64_C(-62135596800000) /* 0001-01-01T00:00:00Z */
#define YEAR_10K     (TIME_LAST_MS + 1)       /* 10000-01-01T00:00:00Z */
#define FOREVER_TEXT "P10675199DT2H48M5.4775807S"

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct civil {
    int year, month, day, hour, min, sec, ms, weekday;
};

/* Days since 1970-01-01. Years begin in March here, so that the leap day comes last. */
static int64_t days_from_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year; /* >= 0 */
    int era = y / 400;
    int year_of_era = y % 400;
    int day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int64_t)era * 146097 + day_of_era - 719468;
}

/* A time outside the years 0001 to 9999 is shown as the nearest one inside. */
static struct civil civil_from_ms(int64_t ms)
{
    ms = ms < YEAR_1 ? YEAR_1 : ms >= YEAR_10K ? YEAR_10K - 1 : ms;
    int64_t since = ms - YEAR_1 + 306 * DAY; /* since 0000-03-01 */
    int days = (int)(since / DAY), rest = (int)(since % DAY);
    int era = days / 146097, d = days % 146097;
    int year_of_era = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int day_of_year = d - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int m = (5 * day_of_year + 2) / 153;
    struct civil c = {
        .month = m < 10 ? m + 3 : m - 9,
        .day = day_of_year - (153 * m + 2) / 5 + 1,
        .hour = rest / (int)HOUR,
        .min = rest / (int)MINUTE % 60,
        .sec = rest / (int)SECOND % 60,
        .ms = rest % (int)SECOND,
        .weekday = (days + 3) % 7, /* 0000-03-01 was a Wednesday */
    };
    c.year = era * 400 + year_of_era + (c.month <= 2);
    return c;
}

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool civil_valid(const struct civil *c)
{
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->year < 1 || c->month < 1 || c->month > 12 || c->day < 1)
        return false;
    int length = lengths[c->month - 1] + (c->month == 2 && leap(c->year));
    return c->day <= length && c->hour <= 23 && c->min <= 59 && c->sec <= 59;
}

static int64_t civil_to_ms(const struct civil *c)
{
    return days_from_civil(c->year, c->month, c->day) * DAY + c->hour * HOUR + c->min * MINUTE +
           c->sec * SECOND + c->ms;
}

/* Appends ".fff" without trailing zeros; nothing for 0. */
static void add_fraction(char *dst, size_t cap, int ms)
{
    if (ms == 0)
        return;
    int len = snprintf(dst, cap, ".%03d", ms);
    while (dst[len - 1] == '0')
        dst[--len] = '\0';
}

static size_t put_plain(const struct civil *c, char *dst)
{
    int n = snprintf(dst, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", c->year, c->month, c->day, c->hour,
                     c->min, c->sec);
    return (size_t)n;
}

char *time_plain(int64_t ms, char *dst)
{
    struct civil c = civil_from_ms(ms);
    put_plain(&c, dst);
    return dst;
}

char *time_rfc3339(int64_t ms, char *dst)
{
    struct civil c = civil_from_ms(ms);
    size_t n = put_plain(&c, dst);
    add_fraction(dst + n, TIME_TEXT_MAX - n, c.ms);
    n = strlen(dst);
    dst[n] = 'Z';
    dst[n + 1] = '\0';
    return dst;
}

char *time_rfc3339_7(int64_t ms, char *dst)
{
    struct civil c = civil_from_ms(ms);
    size_t n = put_plain(&c, dst);
    snprintf(dst + n, TIME_TEXT_MAX - n, ".%03d0000Z", c.ms);
    return dst;
}

/* n digits; the place behind them. */
static char *digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + n;
}

static char *letters(char *p, const char *three)
{
    memcpy(p, three, 3);
    return p + 3;
}

/* Two of them go with every delivery: without printf. */
char *time_rfc1123(int64_t ms, char *dst)
{
    struct civil c = civil_from_ms(ms);
    char *p = letters(dst, weekdays[c.weekday]);
    *p++ = ',';
    *p++ = ' ';
    p = digits(p, c.day, 2);
    *p++ = ' ';
    p = letters(p, months[c.month - 1]);
    *p++ = ' ';
    p = digits(p, c.year, 4);
    *p++ = ' ';
    p = digits(p, c.hour, 2);
    *p++ = ':';
    p = digits(p, c.min, 2);
    *p++ = ':';
    p = digits(p, c.sec, 2);
    memcpy(p, " GMT", sizeof " GMT");
    return dst;
}

/* ---- parsing: each take_* moves *s on when it returns true ---- */

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

/* Exactly n digits. */
static bool take_digits(const char **s, int n, int *ret)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (!digit((*s)[i]))
            return false;
        v = v * 10 + ((*s)[i] - '0');
    }
    *s += n;
    *ret = v;
    return true;
}

/* One or more digits, up to 10^15: more than any unit's range, and safe to multiply by DAY with an overflow
 * check. */
static bool take_number(const char **s, int64_t *ret)
{
    int64_t v = 0;
    if (!digit(**s))
        return false;
    for (; digit(**s); (*s)++) {
        v = v * 10 + (**s - '0');
        if (v > INT64_C(1000000000000000))
            return false;
    }
    *ret = v;
    return true;
}

/* ".digits", cut to whole milliseconds; true with 0 when there is none. More than max digits is malformed. */
static bool take_fraction(const char **s, int max, int *ret_ms)
{
    int ms = 0, n = 0;
    if (take_char(s, '.')) {
        for (; digit(**s) && n < max; (*s)++, n++) {
            if (n < 3)
                ms = ms * 10 + (**s - '0');
        }
        if (n == 0 || digit(**s))
            return false;
        for (; n < 3; n++)
            ms *= 10;
    }
    *ret_ms = ms;
    return true;
}

static bool take_hms(const char **s, struct civil *c)
{
    return take_digits(s, 2, &c->hour) && take_char(s, ':') && take_digits(s, 2, &c->min) &&
           take_char(s, ':') && take_digits(s, 2, &c->sec);
}

/* "Z" or "+hh:mm", as the milliseconds east of UTC. */
static bool take_zone(const char **s, int64_t *ret)
{
    int hour = 0, min = 0;
    if (take_char(s, 'Z') || take_char(s, 'z')) {
        *ret = 0;
        return true;
    }
    bool west = **s == '-';
    if (!west && **s != '+')
        return false;
    (*s)++;
    if (!take_digits(s, 2, &hour) || !take_char(s, ':') || !take_digits(s, 2, &min) || hour > 23 || min > 59)
        return false;
    int64_t east = hour * HOUR + min * MINUTE;
    *ret = west ? -east : east;
    return true;
}

bool time_parse_rfc3339(const char *s, int64_t *ret)
{
    struct civil c = {0};
    int64_t zone = 0;
    bool ok = take_digits(&s, 4, &c.year) && take_char(&s, '-') && take_digits(&s, 2, &c.month) &&
              take_char(&s, '-') && take_digits(&s, 2, &c.day) &&
              (take_char(&s, 'T') || take_char(&s, 't')) && take_hms(&s, &c) &&
              take_fraction(&s, 20, &c.ms) && take_zone(&s, &zone) && *s == '\0' && civil_valid(&c);
    if (!ok)
        return false;
    int64_t ms = civil_to_ms(&c) - zone;
    if (ms < YEAR_1 || ms >= YEAR_10K)
        return false;
    *ret = ms;
    return true;
}

/* One of n names of three letters. */
static bool take_name(const char **s, const char names[][4], int n, int *ret)
{
    for (int i = 0; i < n; i++) {
        if (strncmp(*s, names[i], 3) == 0) {
            *s += 3;
            *ret = i;
            return true;
        }
    }
    return false;
}

bool time_parse_rfc1123(const char *s, int64_t *ret)
{
    struct civil c = {0};
    bool ok = take_name(&s, weekdays, 7, &c.weekday) && take_char(&s, ',') && take_char(&s, ' ') &&
              take_digits(&s, 2, &c.day) && take_char(&s, ' ') && take_name(&s, months, 12, &c.month) &&
              take_char(&s, ' ') && take_digits(&s, 4, &c.year) && take_char(&s, ' ') && take_hms(&s, &c) &&
              strcmp(s, " GMT") == 0;
    c.month++;
    if (!ok || !civil_valid(&c))
        return false;
    int64_t ms = civil_to_ms(&c);
    if (civil_from_ms(ms).weekday != c.weekday)
        return false;
    *ret = ms;
    return true;
}

/* ---- durations ---- */

/* *total += n * unit, unless the sum leaves the range of a duration. */
static bool add_units(int64_t *total, int64_t n, int64_t unit)
{
    int64_t sum = 0;
    if (__builtin_mul_overflow(n, unit, &sum) || __builtin_add_overflow(sum, *total, &sum) ||
        sum > TIME_FOREVER_MS)
        return false;
    *total = sum;
    return true;
}

/* Numbers with their unit letters, each at most once and in the order of `letters`; at least one. */
static bool take_units(const char **s, const char *letters, const int64_t *units, int64_t *total)
{
    bool any = false;
    size_t next = 0;
    while (digit(**s)) {
        int64_t n = 0;
        int ms = 0;
        if (!take_number(s, &n))
            return false;
        bool fraction = **s == '.';
        const char *at = NULL;
        if (!take_fraction(s, 20, &ms) || **s == '\0' || !(at = strchr(letters + next, **s)))
            return false;
        if (fraction && *at != 'S')
            return false;
        next = (size_t)(at - letters) + 1;
        (*s)++;
        if (!add_units(total, n, units[next - 1]) || !add_units(total, ms, 1))
            return false;
        any = true;
    }
    return any;
}

bool duration_parse(const char *s, int64_t *ret_ms)
{
    static const int64_t date_units[] = {YEAR, MONTH, DAY};
    static const int64_t time_units[] = {HOUR, MINUTE, SECOND};
    int64_t total = 0;
    if (!take_char(&s, 'P'))
        return false;
    if (*s != 'T' && !take_units(&s, "YMD", date_units, &total))
        return false;
    if (take_char(&s, 'T') && !take_units(&s, "HMS", time_units, &total))
        return false;
    if (*s)
        return false;
    *ret_ms = total;
    return true;
}

char *duration_format(int64_t ms, char *dst)
{
    if (ms >= TIME_FOREVER_MS) {
        memcpy(dst, FOREVER_TEXT, sizeof FOREVER_TEXT);
        return dst;
    }
    if (ms <= 0) {
        memcpy(dst, "PT0S", 5);
        return dst;
    }
    const struct {
        int64_t n;
        char letter;
    } parts[] = {{ms / DAY, 'D'}, {ms % DAY / HOUR, 'H'}, {ms % HOUR / MINUTE, 'M'}, {ms % MINUTE, 'S'}};
    size_t n = 0;
    dst[n++] = 'P';
    for (size_t i = 0; i < 4; i++) {
        if (i == 1 && ms % DAY)
            dst[n++] = 'T';
        if (parts[i].n == 0)
            continue;
        int64_t whole = i == 3 ? parts[i].n / SECOND : parts[i].n;
        n += (size_t)snprintf(dst + n, TIME_TEXT_MAX - n, "%" PRId64, whole);
        dst[n] = '\0';
        if (i == 3)
            add_fraction(dst + n, TIME_TEXT_MAX - n, (int)(parts[i].n % SECOND));
        n += strlen(dst + n);
        dst[n++] = parts[i].letter;
    }
    dst[n] = '\0';
    return dst;
}

bool timespan_parse(const char *s, int64_t *ret_ms)
{
    int64_t days = 0, hour = 0, min = 0, sec = 0, total = 0;
    int ms = 0;
    if (!take_number(&s, &hour))
        return false;
    if (take_char(&s, '.')) {
        days = hour;
        if (!take_number(&s, &hour))
            return false;
    }
    bool ok = take_char(&s, ':') && take_number(&s, &min) && take_char(&s, ':') && take_number(&s, &sec) &&
              take_fraction(&s, 7, &ms) && *s == '\0' && hour <= 23 && min <= 59 && sec <= 59;
    if (!ok || !add_units(&total, days, DAY) ||
        !add_units(&total, hour * HOUR + min * MINUTE + sec * SECOND + ms, 1))
        return false;
    *ret_ms = total;
    return true;
}

int64_t time_ticks(int64_t ms)
{
    return (ms - YEAR_1) * 10000;
}
