/* reply.c: error bodies, one function per plane. */
#include "api/reply.h"
#include <string.h>
#include "api/errmap.h"
#include "api/hosts.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define XML_TYPE "application/xml; charset=utf-8"

static void write_error_object(struct jw *w, const char *code, const char *message)
{
    jw_obj(w, NULL);
    jw_obj(w, "error");
    jw_str(w, "code", code);
    jw_str(w, "message", message);
}

static void close_error_object(struct jw *w)
{
    jw_end_obj(w);
    jw_end_obj(w);
}

static void arm_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    struct jw w = reply_json(r, cell->status);
    write_error_object(&w, cell->code, message);
    close_error_object(&w);
    if (cell->inner)
        reply_header(r, "x-ms-failure-cause", cell->inner);
}

static void vault_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    struct jw w = reply_json(r, cell->status);
    write_error_object(&w, cell->code, message);
    if (cell->inner) {
        jw_obj(&w, "innererror");
        jw_str(&w, "code", cell->inner);
        jw_end_obj(&w);
    }
    close_error_object(&w);
}

/* "2022-10-31 09:03:41Z" */
static void sign_in_time(int64_t ms, char *dst)
{
    time_plain(ms, dst);
    char *t = strchr(dst, 'T');
    if (t)
        *t = ' ';
    size_t n = strlen(dst);
    dst[n] = 'Z';
    dst[n + 1] = '\0';
}

/* The number of a message that begins with one of its own ("AADSTS900144: …"), else the table's; *message is
 * what follows it. */
static const char *own_number(struct request *r, const struct errmap_cell *cell, const char **message)
{
    size_t n = text_starts(*message, "AADSTS") ? strspn(*message + 6, "0123456789") : 0;
    if (n == 0 || n > 9 || !text_starts(*message + 6 + n, ": "))
        return cell->inner;
    const char *number = arena_strndup(r->arena, *message + 6, n);
    *message += 6 + n + 2;
    return number ? number : cell->inner;
}

static void login_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    char when[TIME_TEXT_MAX];
    const char *number = own_number(r, cell, &message);
    const char *given = request_header(r, "client-request-id");
    const char *correlation = given && guid_valid(given) ? given : r->correlation_id;
    sign_in_time(r->now, when);
    struct jw w = reply_json(r, cell->status);
    jw_obj(&w, NULL);
    jw_str(&w, "error", cell->code);
    jw_strf(&w, "error_description", "AADSTS%s: %s\r\nTrace ID: %s\r\nCorrelation ID: %s\r\nTimestamp: %s",
            number, message, r->request_id, correlation, when);
    jw_arr(&w, "error_codes");
    jw_raw(&w, NULL, number);
    jw_end_arr(&w);
    jw_str(&w, "timestamp", when);
    jw_str(&w, "trace_id", r->request_id);
    jw_str(&w, "correlation_id", correlation);
    jw_strf(&w, "error_uri", "%s/error?code=%s", request_base(r, HOST_LOGIN, NULL), number);
    jw_end_obj(&w);
}

static void add_xml(struct sb_buf *b, const char *s)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'\r', "&#xD;"}};
    for (; *s; s++) {
        const char *as = NULL;
        for (size_t i = 0; i < SB_ARRAY_LEN(escapes) && !as; i++)
            as = escapes[i].c == *s ? escapes[i].as : NULL;
        if (as)
            buf_adds(b, as);
        else if ((unsigned char)*s >= 0x20 || *s == '\n' ||
                 *s == '\t') /* others XML 1.0 cannot hold at all */
            buf_addc(b, *s);
    }
}

/* The entity that a tracking text names: the route's parameter, else the path. */
static const char *tracked(const struct request *r)
{
    const char *entity = request_param(r, "entity");
    if (entity)
        return entity;
    return r->path ? r->path + strspn(r->path, "/") : "";
}

static void bus_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    char when[TIME_TEXT_MAX];
    struct sb_buf *b = &r->reply.body;
    const char *text = utf8_valid(message, strlen(message)) ? message : "The request is malformed.";
    const char *entity = tracked(r);
    buf_done(b);
    r->reply.status = cell->status;
    r->reply.content_type = XML_TYPE;
    buf_addf(b, "<Error><Code>%s</Code><Detail>", cell->code);
    add_xml(b, text);
    buf_addf(b, " TrackingId:%s_G0, SystemTracker:%s:", r->request_id,
             r->host_label ? hosts_name(r->arena, HOST_BUS, r->real_name, r->host_label) : "NoSystemTracker");
    add_xml(b, utf8_valid(entity, strlen(entity)) ? entity : "");
    buf_addf(b, ", Timestamp:%s</Detail></Error>", time_plain(r->now, when));
}

static void graph_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    char when[TIME_TEXT_MAX];
    const char *client = request_header(r, "client-request-id");
    struct jw w = reply_json(r, cell->status);
    write_error_object(&w, cell->code, message);
    jw_obj(&w, "innerError");
    jw_str(&w, "date", time_plain(r->now, when));
    jw_str(&w, "request-id", r->request_id);
    jw_str(&w, "client-request-id", client ? client : r->request_id);
    jw_end_obj(&w);
    close_error_object(&w);
}

static void control_error(struct request *r, const struct errmap_cell *cell, const char *message)
{
    struct jw w = reply_json(r, cell->status);
    write_error_object(&w, cell->code, message);
    close_error_object(&w);
}

void reply_error(struct request *r, enum sb_err code, int status, const char *message)
{
    static void (*const shapes[PLANE_MAX])(struct request *, const struct errmap_cell *, const char *) = {
        [PLANE_ARM] = arm_error, [PLANE_LOGIN] = login_error, [PLANE_VAULT] = vault_error,
        [PLANE_BUS] = bus_error, [PLANE_GRAPH] = graph_error, [PLANE_CONTROL] = control_error,
    };
    /* A status of its own belongs to a failure: 500 has its own code, the others share that of 503. */
    struct errmap_cell cell = *errmap(status == 500 ? SB_EINTERNAL : code, r->plane);
    if (status != 0)
        cell.status = status;
    r->reply.headers_n = 0;
    shapes[r->plane](r, &cell, message);
    if (cell.status == 429 || cell.status == 503)
        reply_header(r, "Retry-After", "1");
}
