/* brokerprops.c (fuzz): the BrokerProperties header (first line) and custom properties ("Name: value" lines).
 * What is accepted is written as printable ASCII that is accepted again and says the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/brokerprops.h"
#include "server/base/timefmt.h"
#include "tests/fuzz/fuzz.h"

#define HEADERS_MAX 16

static void printable(struct sb_buf *b)
{
    for (const char *s = buf_str(b); *s; s++) {
        if (*s < 0x20 || *s > 0x7e)
            abort();
    }
}

static void same(const char *a, const char *b)
{
    if (!a != !b || (a && strcmp(a, b) != 0))
        abort();
}

static void check_props(struct sb_arena *a, const char *header)
{
    struct brokerprops p, q;
    struct sb_buf b;
    if (brokerprops_parse(header, a, &p, NULL) != SB_OK)
        return;
    struct broker_delivery d = {.seq = INT64_MAX, .ttl_ms = p.ttl_ms < 0 ? TIME_FOREVER_MS : p.ttl_ms};
    buf_init(&b, 1 << 20);
    brokerprops_write(&b, &d, &p.props);
    printable(&b);
    /* Escapes may make it longer than a header may be. */
    if (strlen(buf_str(&b)) <= BROKERPROPS_HEADER_MAX) {
        if (brokerprops_parse(buf_str(&b), a, &q, NULL) != SB_OK)
            abort();
        same(p.props.message_id, q.props.message_id);
        same(p.props.session_id, q.props.session_id);
        same(p.props.partition_key, q.props.partition_key);
        same(p.props.via_partition_key, q.props.via_partition_key);
        same(p.props.subject, q.props.subject);
        same(p.props.correlation_id, q.props.correlation_id);
        same(p.props.to, q.props.to);
        same(p.props.reply_to, q.props.reply_to);
        same(p.props.reply_to_session_id, q.props.reply_to_session_id);
        if (d.ttl_ms < INT64_C(1) << 50 && q.ttl_ms != d.ttl_ms)
            abort();
    }
    buf_done(&b);
}

static void check_value(struct sb_arena *a, const struct amqp_app_prop *prop)
{
    struct sb_buf first, second;
    const struct amqp_app_prop *again = NULL;
    size_t n = 0;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    brokerprops_value(&first, &prop->value);
    printable(&first);
    const struct request_pair header = {prop->name, buf_str(&first)};
    if (brokerprops_custom(&header, 1, a, &again, &n, NULL) == SB_OK) {
        if (n != 1)
            abort();
        brokerprops_value(&second, &again[0].value);
        same(buf_str(&first), buf_str(&second));
    }
    buf_done(&first);
    buf_done(&second);
}

static void check_custom(struct sb_arena *a, char *lines)
{
    struct request_pair headers[HEADERS_MAX];
    const struct amqp_app_prop *props = NULL;
    size_t n = 0, props_n = 0;
    while (*lines && n < HEADERS_MAX) {
        char *name = lines, *end = lines + strcspn(lines, "\n"),
             *colon = memchr(name, ':', (size_t)(end - name));
        lines = *end ? end + 1 : end;
        *end = '\0';
        if (!colon)
            continue;
        *colon = '\0';
        headers[n++] = (struct request_pair){name, colon + 1 + strspn(colon + 1, " ")};
    }
    if (brokerprops_custom(headers, n, a, &props, &props_n, NULL) != SB_OK)
        return;
    for (size_t i = 0; i < props_n; i++)
        check_value(a, &props[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct sb_arena *a = arena_new(1 << 24);
    char *text = arena_strndup(a, (const char *)p, n);
    if (text) {
        char *line = text + strcspn(text, "\n");
        if (*line)
            *line++ = '\0';
        check_props(a, text);
        check_custom(a, line);
    }
    arena_free(a);
    return 0;
}
