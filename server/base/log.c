/* log.c: one event, one line, one write(2). Values come from clients: they are bounded and escaped. */
#include "server/base/log.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "server/base/buf.h"
#include "server/base/clock.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define LOG_VALUE_MAX 1024u
#define LOG_LINE_MAX  65536u

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static atomic_int max_level = LOG_INFO;
static atomic_bool as_json;

void log_setup(enum log_level max, bool json)
{
    atomic_store(&max_level, (int)max);
    atomic_store(&as_json, json);
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed);
}

static void write_line(const void *p, size_t n)
{
    /* Nobody can be told that stderr is gone. */
    if (write(STDERR_FILENO, p, n) < 0)
        return;
}

/* Length of the UTF-8 sequence at s, 0 if it is malformed. */
static size_t sequence(const char *s, size_t n)
{
    for (size_t len = 1; len <= 4 && len <= n; len++) {
        if (utf8_valid(s, len))
            return len;
    }
    return 0;
}

/* One character in JSON's spelling; control characters (those above ASCII too: a terminal obeys them) are
 * escaped. */
static void add_char(struct sb_buf *b, const char *s, size_t len)
{
    static const char named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    unsigned char c = (unsigned char)s[0];
    const char *at = strchr(named, s[0]);
    if (len == 1 && at) {
        buf_addc(b, '\\');
        buf_addc(b, letters[at - named]);
    } else if (len == 1 && (c < 0x20 || c == 0x7f)) {
        buf_addf(b, "\\u%04x", c);
    } else if (len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0) {
        buf_addf(b, "\\u%04x", (unsigned char)s[1]);
    } else {
        buf_add(b, s, len);
    }
}

static void add_quoted(struct sb_buf *b, const char *s)
{
    size_t n = strnlen(s, LOG_VALUE_MAX + 1);
    bool cut = n > LOG_VALUE_MAX;
    if (cut)
        n = LOG_VALUE_MAX;
    buf_addc(b, '"');
    for (size_t i = 0; i < n;) {
        size_t len = sequence(s + i, n - i);
        if (len)
            add_char(b, s + i, len);
        else if (!cut || n - i > 3) /* else it is most likely the character that was cut in two */
            buf_adds(b, "\\ufffd");
        i += len ? len : 1;
    }
    buf_adds(b, cut ? "...\"" : "\"");
}

/* May the value stand in a text line without quotes? */
static bool bare(const char *s)
{
    size_t i = 0;
    for (; i <= LOG_VALUE_MAX && s[i]; i++) {
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' || s[i] == '=')
            return false;
    }
    return i > 0 && i <= LOG_VALUE_MAX;
}

static void add_field(struct sb_buf *b, bool json, const char *name, const char *value)
{
    buf_addc(b, json ? ',' : ' ');
    if (json)
        add_quoted(b, name);
    else
        buf_adds(b, name);
    buf_addc(b, json ? ':' : '=');
    if (!json && bare(value))
        buf_adds(b, value);
    else
        add_quoted(b, value);
}

static void add_head(struct sb_buf *b, bool json, const char *level, const char *event)
{
    char now[TIME_TEXT_MAX];
    if (!json) {
        buf_addf(b, "%s %s", level, event);
        return;
    }
    buf_addf(b, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time_rfc3339(clock_machine_now(), now),
             level);
    add_quoted(b, event);
}

void log_event(enum log_level level, const char *event, ...)
{
    if (!log_on(level))
        return;
    bool json = atomic_load(&as_json);
    struct sb_buf b;
    buf_init(&b, LOG_LINE_MAX);
    add_head(&b, json, level_names[level], event);
    va_list ap;
    va_start(ap, event);
    const char *name = NULL;
    while ((name = va_arg(ap, const char *))) {
        const char *value = va_arg(ap, const char *);
        add_field(&b, json, name, value ? value : "");
        if (!value)
            break; /* a missing value cannot be told from the end */
    }
    va_end(ap);
    buf_adds(&b, json ? "}\n" : "\n");
    if (buf_failed(&b))
        log_line("error log.failed");
    else
        write_line(b.p, b.n);
    buf_done(&b);
}

void log_line(const char *line)
{
    struct sb_buf b;
    buf_init(&b, LOG_LINE_MAX);
    buf_adds(&b, line);
    if (buf_addc(&b, '\n') == SB_OK)
        write_line(b.p, b.n);
    buf_done(&b);
}
