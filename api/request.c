/* request.c: the request object: values by name, the reply, and the names that answers carry. */
#include "api/request.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "api/hosts.h"
#include "server/base/text.h"

#define REPLY_MAX (64u << 20)

struct request *request_new(struct engine *e, struct sb_arena *a)
{
    struct request *r = ARENA_NEW(a, struct request);
    if (!r)
        return NULL;
    r->e = e;
    r->arena = a;
    r->method = r->url = r->host = r->client_ip = "";
    r->path = NULL;
    r->host_port = "";
    buf_init(&r->body, 0);
    buf_init(&r->reply.body, REPLY_MAX);
    return r;
}

void request_done(struct request *r)
{
    if (!r)
        return;
    json_free(r->json);
    buf_done(&r->body);
    buf_done(&r->reply.body);
}

void request_free(struct request *r)
{
    request_done(r);
    if (r)
        arena_free(r->arena); /* r itself lives there */
}

/* ---- values by name ---- */

const char *request_param(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->params_n; i++) {
        if (strcmp(r->params[i].name, name) == 0)
            return r->params[i].value;
    }
    return NULL;
}

static const char *find(const struct request_pair *p, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(p[i].name, name))
            return p[i].value;
    }
    return NULL;
}

const char *request_query(const struct request *r, const char *name)
{
    return find(r->query, r->query_n, name);
}

const char *request_header(const struct request *r, const char *name)
{
    return find(r->in_headers, r->in_headers_n, name);
}

const char *request_host(const struct request *r)
{
    const char *host = NULL;
    for (size_t i = 0; i < r->in_headers_n; i++) {
        if (!text_ieq(r->in_headers[i].name, "Host"))
            continue;
        if (host)
            return "";
        host = r->in_headers[i].value;
    }
    return host ? host : "";
}

bool request_length_unclear(const struct request *r)
{
    const char *length = request_header(r, "Content-Length");
    for (size_t i = 0; i < r->in_headers_n; i++) {
        if (text_ieq(r->in_headers[i].name, "Content-Length") && strcmp(r->in_headers[i].value, length) != 0)
            return true;
    }
    return false;
}

/* ---- the reply ---- */

/* Room for one more; the old array stays behind in the arena. */
static struct request_pair *header_room(struct request *r)
{
    struct reply *rep = &r->reply;
    if (rep->headers_n == rep->headers_cap) {
        size_t cap = rep->headers_cap ? rep->headers_cap * 2 : 16;
        struct request_pair *p = ARENA_ARRAY(r->arena, struct request_pair, cap);
        if (!p)
            return NULL;
        if (rep->headers_n)
            memcpy(p, rep->headers, rep->headers_n * sizeof *p);
        rep->headers = p;
        rep->headers_cap = cap;
    }
    return &rep->headers[rep->headers_n];
}

/* Nothing that could end the header line. */
static char *clean(char *s)
{
    for (char *p = s; p && *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    return s;
}

void reply_header(struct request *r, const char *name, const char *value)
{
    struct request_pair *p = header_room(r);
    char *n = arena_strdup(r->arena, name);
    char *v = clean(arena_strdup(r->arena, value));
    if (!p || !n || !v)
        return; /* the arena remembers: the dispatcher answers 500 */
    *p = (struct request_pair){n, v};
    r->reply.headers_n++;
}

void reply_headerf(struct request *r, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *value = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    if (value)
        reply_header(r, name, value);
}

struct jw reply_json(struct request *r, int status)
{
    struct jw w;
    r->reply.status = status;
    r->reply.content_type = "application/json; charset=utf-8";
    buf_done(&r->reply.body);
    jw_init(&w, &r->reply.body);
    return w;
}

void reply_empty(struct request *r, int status)
{
    r->reply.status = status;
    r->reply.content_type = NULL;
    buf_done(&r->reply.body);
}

/* ---- names in answers ---- */

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

/* The name by which this client reaches the plane; *ret_graph: below /graph of a bare name. */
static const char *name_for(struct request *r, enum host_kind k, const char *label, bool *ret_graph)
{
    struct host_match m = {0};
    *ret_graph = false;
    bool known = !r->control && hosts_match(r->host, r->arena, &m);
    if (known && (k == HOST_LOGIN || k == HOST_GRAPH) && m.bare) {
        *ret_graph = k == HOST_GRAPH;
        return m.name;
    }
    if (known && m.kind == k && (!m.label || (label && text_ieq(label, m.label))))
        return m.label ? hosts_name(r->arena, k, m.real, label) : m.name;
    return hosts_name(r->arena, k, r->real_name, label);
}

const char *request_base(struct request *r, enum host_kind k, const char *label)
{
    bool graph = false;
    const char *name = name_for(r, k, label, &graph);
    return or_empty(arena_printf(r->arena, "https://%s%s%s", name, r->host_port, graph ? "/graph" : ""));
}

const char *request_authority(struct request *r, enum host_kind k, const char *label, bool default_port)
{
    bool graph = false;
    const char *name = name_for(r, k, label, &graph);
    const char *port = *r->host_port || !default_port ? r->host_port : ":443";
    return or_empty(arena_printf(r->arena, "%s%s", name, port));
}
