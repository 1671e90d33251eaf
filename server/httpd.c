/*
 * httpd.c: between libmicrohttpd and api/. The only file that includes microhttpd.h.
 *
 * A request's life: `arrive` (request line is in: memory), `step` first time (headers are in: row, limits),
 * `step` with data (body), `step` last time (run), `leave` (memory is given back; only there). To wait, a
 * request is suspended. What is to be called and when is one atomic word:
 *
 *   RUNNING  the api works on it; whoever wakes it now only leaves WOKEN behind
 *   WAITING  nobody works on it; whoever wakes it also has to get it going again
 *   WOKEN    its wait is over before it began
 *
 * Poll, not epoll: epoll of libmicrohttpd 0.9.75 reads events in rounds of 128 and, when exactly 128 are
 * ready, waits for more before it serves them (seen as 80 to 280 requests a second with 128 busy connections,
 * against 24,000).
 */
#include "server/httpd.h"
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/base/pool.h"
#include "server/httpd_join.h"
#include "server/sockets.h"

#define HTTPS_THREADS 2u
#define WORKERS       4u
#define WORKER_QUEUE  1024u
#define SLOW_WORKERS  2u
#define SLOW_QUEUE    64u
#define SLOW_NICE     5 /* making a key takes seconds of a core: everybody else goes first */
/* Per connection, for the headers of a request and then of its reply. The library wipes all of it between two
 * requests; it must hold a BrokerProperties header of its largest size and the reply that carries it back. */
#define CONNECTION_MEM (HTTPD_HEADERS_MAX + (4u << 10))
#define ARENA_MAX      (64u << 20)
#define ARENA_KEPT     (12u << 10) /* what hardly a request exceeds */
#define EMPTY_HEADERS  512u
#define DISCARD_MAX                                                                                          \
    (64u << 20) /* of a body that was refused or grew too large, before the connection is cut */

#ifndef POLLRDHUP
#define POLLRDHUP 0x2000 /* Linux: outside POSIX's names */
#endif

/* TLS 1.2 and 1.3 with forward secrecy; AES-128-GCM first: the fastest with hardware support. */
#define PRIORITIES                                                                                           \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:"   \
    "+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-SECP256R1:+GROUP-X25519:+GROUP-SECP384R1:%SERVER_"    \
    "PRECEDENCE"

struct httpd {
    struct httpd_config cfg;
    struct sockets https, http;
    struct MHD_Daemon *daemons[2 * SOCKETS_MAX];
    size_t daemons_n;
    struct pool *workers, *slow;
    atomic_bool closing;
    pthread_mutex_t lock;
    pthread_cond_t quiet;
    size_t running; /* requests between their dispatch and their end */
};

enum phase { PHASE_HEADERS, PHASE_BODY, PHASE_RUN, PHASE_CONTINUE, PHASE_REPLY };
enum wait_state { RUNNING, WAITING, WOKEN };

/* What lives as long as its connection: one request of it runs at a time. */
struct link {
    struct sb_arena *arena; /* of the request that runs */
    char address[INET6_ADDRSTRLEN];
    int fd;
    struct join join; /* unused over plain HTTP */
    /* The last answer without a body: most of them are alike, and the library's copy serves again. */
    struct MHD_Response *empty; /* or NULL */
    char headers[EMPTY_HEADERS];
};

struct call {
    struct pool_job job; /* first: a job is turned back into its call */
    struct httpd *h;
    struct MHD_Connection *conn;
    struct link *link;
    struct request *r;
    enum phase phase;
    atomic_int state;
    struct pool *pool; /* NULL: R_INLINE */
    bool counted;
    size_t discarded;
};

/* ---- counting what runs, for an orderly stop ---- */

static void count_in(struct call *c)
{
    pthread_mutex_lock(&c->h->lock);
    c->h->running++;
    pthread_mutex_unlock(&c->h->lock);
    c->counted = true;
}

static void count_out(struct call *c)
{
    if (!c->counted)
        return;
    pthread_mutex_lock(&c->h->lock);
    if (--c->h->running == 0)
        pthread_cond_broadcast(&c->h->quiet);
    pthread_mutex_unlock(&c->h->lock);
}

/* ---- connections ---- */

static void client_address(const struct sockaddr *sa, char text[INET6_ADDRSTRLEN])
{
    const void *raw = sa->sa_family == AF_INET6
                          ? (const void *)&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr
                          : (const void *)&((const struct sockaddr_in *)(const void *)sa)->sin_addr;
    if (!inet_ntop(sa->sa_family, raw, text, INET6_ADDRSTRLEN))
        text[0] = '\0';
}

static struct link *link_new(struct MHD_Connection *conn)
{
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->arena = arena_new_kept(ARENA_MAX, ARENA_KEPT);
    if (!l->arena) {
        free(l);
        return NULL;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info && info->client_addr)
        client_address(info->client_addr, l->address);
    info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
    l->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info && info->tls_session)
        join_open(&l->join, info->tls_session, l->fd);
    return l;
}

static void connected(void *cls, struct MHD_Connection *conn, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct link *l = *context;
    SB_UNUSED(cls);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = link_new(conn); /* NULL: its requests are not served */
        return;
    }
    *context = NULL;
    if (!l)
        return;
    if (l->empty)
        MHD_destroy_response(l->empty);
    arena_free(l->arena);
    free(l);
}

/* ---- arriving and leaving ---- */

static void wake(struct request *r);
static bool gone(struct request *r);

static void *arrive(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct httpd *h = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct link *l = info ? info->socket_context : NULL;
    if (!l)
        return NULL;
    struct request *r = request_new(h->cfg.engine, l->arena);
    struct call *c = ARENA_NEW(l->arena, struct call);
    if (r && c) {
        r->url = arena_strdup(l->arena, uri);
        r->env = h->cfg.env;
        r->client_ip = l->address;
        r->wake = wake;
        r->gone = gone;
        r->wake_cookie = c;
        c->h = h;
        c->conn = conn;
        c->link = l;
        c->r = r;
    }
    if (!r || !c || !r->url) {
        arena_reset(l->arena);
        return NULL;
    }
    return c;
}

static void *arrive_https(void *cls, const char *uri, struct MHD_Connection *conn)
{
    return arrive(cls, uri, conn);
}

static void *arrive_http(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct call *c = arrive(cls, uri, conn);
    if (c)
        c->r->control = true;
    return c;
}

static void leave(void *cls, struct MHD_Connection *conn, void **req_cls,
                  enum MHD_RequestTerminationCode code)
{
    struct call *c = *req_cls;
    SB_UNUSED(cls);
    SB_UNUSED(conn);
    SB_UNUSED(code);
    *req_cls = NULL;
    if (!c)
        return;
    struct sb_arena *a = c->link->arena;
    join_flush(&c->link->join);
    count_out(c);
    request_done(c->r);
    arena_reset(a); /* it holds r and c */
}

/* ---- reading the head ---- */

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct request *r = cls;
    struct request_pair *p = (struct request_pair *)r->op; /* borrowed while the head is read */
    SB_UNUSED(kind);
    p[r->in_headers_n++] = (struct request_pair){name, value ? value : ""};
    return MHD_YES;
}

/* The library keeps the texts until the request is over. */
static bool read_headers(struct call *c)
{
    struct request *r = c->r;
    int n = MHD_get_connection_values(c->conn, MHD_HEADER_KIND, NULL, NULL);
    struct request_pair *p = ARENA_ARRAY(r->arena, struct request_pair, (size_t)SB_MAX(n, 1));
    if (!p)
        return false;
    r->op = p;
    MHD_get_connection_values(c->conn, MHD_HEADER_KIND, add_header, r);
    r->op = NULL;
    r->in_headers = p;
    r->host = request_host(r);
    return true;
}

/* ---- answering ---- */

static bool add_headers(const struct call *c, struct MHD_Response *resp)
{
    const struct reply *rep = &c->r->reply;
    if (rep->content_type && MHD_add_response_header(resp, "Content-Type", rep->content_type) != MHD_YES)
        return false;
    for (size_t i = 0; i < rep->headers_n; i++) {
        const char *value = rep->headers[i].value;
        if (*value && MHD_add_response_header(resp, rep->headers[i].name, value) != MHD_YES)
            log_event(LOG_WARN, "http.header_left_out", "name", rep->headers[i].name, NULL);
    }
    if (atomic_load_explicit(&c->h->closing, memory_order_relaxed))
        return MHD_add_response_header(resp, "Connection", "close") == MHD_YES;
    return true;
}

/* The body stays in the request until the library has sent it. */
static struct MHD_Response *response(const struct call *c)
{
    const struct reply *rep = &c->r->reply;
    struct MHD_Response *resp =
        MHD_create_response_from_buffer(rep->body.n, rep->body.p, MHD_RESPMEM_PERSISTENT);
    if (resp && !add_headers(c, resp)) {
        MHD_destroy_response(resp);
        return NULL;
    }
    return resp;
}

/* What tells an answer without a body from another one; "" when it is too long. */
static void describe(const struct call *c, char text[EMPTY_HEADERS])
{
    const struct reply *rep = &c->r->reply;
    bool closing = atomic_load_explicit(&c->h->closing, memory_order_relaxed);
    size_t n =
        (size_t)snprintf(text, EMPTY_HEADERS, "%d%s\n", closing, rep->content_type ? rep->content_type : "");
    for (size_t i = 0; i < rep->headers_n && n < EMPTY_HEADERS; i++)
        n += (size_t)snprintf(text + n, EMPTY_HEADERS - n, "%s:%s\n", rep->headers[i].name,
                              rep->headers[i].value);
    if (n >= EMPTY_HEADERS)
        text[0] = '\0';
}

/* The response of the last answer without a body if this one is the same; else it takes its place. */
static struct MHD_Response *empty_response(const struct call *c)
{
    struct link *l = c->link;
    char text[EMPTY_HEADERS];
    describe(c, text);
    if (l->empty && text[0] && strcmp(l->headers, text) == 0)
        return l->empty;
    struct MHD_Response *resp = response(c);
    if (!resp)
        return NULL;
    if (l->empty)
        MHD_destroy_response(l->empty);
    l->empty = resp;
    memcpy(l->headers, text, sizeof text);
    return resp;
}

static enum MHD_Result answer(struct call *c)
{
    const struct reply *rep = &c->r->reply;
    bool empty = rep->body.n == 0;
    struct MHD_Response *resp = empty ? empty_response(c) : response(c);
    if (!resp)
        return MHD_NO;
    if (!empty && strcmp(c->r->method, "HEAD") != 0)
        join_next(&c->link->join);
    enum MHD_Result rc = MHD_queue_response(c->conn, (unsigned)rep->status, resp);
    if (!empty)
        MHD_destroy_response(resp);
    return rc;
}

/* The reply is complete with that. */
static void refuse(struct call *c, enum sb_err code, const char *text)
{
    struct sb_error err;
    sb_fail(&err, code, "%s", text);
    api_error(c->r, code, &err);
    c->phase = PHASE_REPLY;
}

/* ---- running ---- */

/* Runs or goes on; true when the reply is complete, false when the request now WAITs. */
static bool work(struct call *c)
{
    for (;;) {
        atomic_store(&c->state, RUNNING);
        bool first = c->phase == PHASE_RUN;
        c->phase = PHASE_CONTINUE;
        if (first ? api_run(c->r) : api_continue(c->r)) {
            c->phase = PHASE_REPLY;
            return true;
        }
        int running = RUNNING;
        if (c->pool && atomic_compare_exchange_strong(&c->state, &running, WAITING))
            return false; /* a worker; the connection is suspended already */
        if (!c->pool && atomic_load(&c->state) == RUNNING)
            return false; /* the listener thread suspends first */
    }
}

static void work_in_pool(struct pool_job *job)
{
    struct call *c = (struct call *)(void *)job;
    if (work(c))
        MHD_resume_connection(c->conn);
}

/* request_resume: any thread, once per wait. */
static void wake(struct request *r)
{
    struct call *c = r->wake_cookie;
    if (atomic_exchange(&c->state, WOKEN) != WAITING)
        return;
    if (!c->pool)
        MHD_resume_connection(c->conn);
    else if (!pool_submit(c->pool, &c->job, true))
        log_event(LOG_ERROR, "pool.stuck", "op", r->route->op,
                  NULL); /* cannot be: it is not asked whether there is room */
}

/* Nobody reads a suspended connection: whether it was closed has to be asked. */
static bool gone(struct request *r)
{
    const struct call *c = r->wake_cookie;
    struct pollfd p = {.fd = c->link->fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static enum MHD_Result run_inline(struct call *c)
{
    if (work(c))
        return answer(c);
    MHD_suspend_connection(c->conn);
    int running = RUNNING;
    if (!atomic_compare_exchange_strong(&c->state, &running, WAITING))
        MHD_resume_connection(c->conn); /* woken in between */
    return MHD_YES;
}

static enum MHD_Result run_in_pool(struct call *c)
{
    MHD_suspend_connection(c->conn); /* before a worker can be done */
    if (pool_submit(c->pool, &c->job, false))
        return MHD_YES;
    refuse(c, SB_EUNAVAILABLE, "The emulator has too many requests waiting.");
    MHD_resume_connection(c->conn);
    return MHD_YES;
}

/* ---- the library's one entry ---- */

/* The body of a refused request is read to its end: most clients send all of it before they look for an
 * answer, and would find the connection reset instead. Not if they ask beforehand, or if it is without
 * measure. */
static bool worth_reading(const struct request *r)
{
    int64_t n = 0;
    const char *length = request_header(r, "Content-Length");
    if (request_header(r, "Expect"))
        return false;
    return !length || text_to_i64(length, 0, DISCARD_MAX, &n);
}

static enum MHD_Result begin(struct call *c, const char *method)
{
    struct request *r = c->r;
    r->method = arena_strdup(r->arena, method);
    if (!r->method || !read_headers(c))
        return MHD_NO;
    bool more = api_route(r);
    if (request_length_unclear(r)) {
        refuse(c, SB_EINVAL, "The request has two lengths.");
        return answer(c); /* of a body that is not read the library closes the connection */
    }
    if (more && atomic_load_explicit(&c->h->closing, memory_order_relaxed)) {
        refuse(c, SB_EUNAVAILABLE, "The emulator is stopping.");
        more = false;
    }
    c->phase = more ? PHASE_BODY : PHASE_REPLY;
    return more || worth_reading(r) ? MHD_YES : answer(c); /* there was no data yet: an answer is allowed */
}

static enum MHD_Result discard(struct call *c, size_t *size)
{
    c->discarded += *size;
    *size = 0;
    return c->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result take_body(struct call *c, const char *data, size_t *size)
{
    struct sb_buf *b = &c->r->body;
    if (buf_failed(b) || buf_add(b, data, *size) != SB_OK)
        return discard(c, size);
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result run(struct call *c)
{
    struct sb_error err;
    if (buf_failed(&c->r->body)) {
        enum sb_err code = api_too_large(c->r, &err);
        api_error(c->r, code, &err);
        c->phase = PHASE_REPLY;
        return answer(c);
    }
    unsigned flags = c->r->route->flags;
    c->phase = PHASE_RUN;
    c->pool = flags & R_INLINE ? NULL : flags & R_SLOW ? c->h->slow : c->h->workers;
    c->job.run = work_in_pool;
    count_in(c);
    return c->pool ? run_in_pool(c) : run_inline(c);
}

static enum MHD_Result step(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                            const char *version, const char *data, size_t *size, void **req_cls)
{
    struct call *c = *req_cls;
    SB_UNUSED(cls);
    SB_UNUSED(conn);
    SB_UNUSED(url);
    SB_UNUSED(version);
    if (!c)
        return MHD_NO; /* out of memory when it arrived */
    switch (c->phase) {
    case PHASE_HEADERS: return begin(c, method);
    case PHASE_BODY: return *size ? take_body(c, data, size) : run(c);
    case PHASE_CONTINUE: return run_inline(c);
    case PHASE_REPLY: return *size ? discard(c, size) : answer(c);
    case PHASE_RUN: break;
    }
    return MHD_NO;
}

/* ---- starting ---- */

static void SB_PRINTF(2, 0) library_says(void *cls, const char *fmt, va_list ap)
{
    char text[300];
    SB_UNUSED(cls);
    if (!log_on(LOG_DEBUG))
        return;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    log_event(LOG_DEBUG, "http.library", "text", text, NULL);
}

static enum sb_err start_daemon(struct httpd *h, int fd, bool https, struct sb_error *err)
{
    struct MHD_OptionItem o[16];
    size_t n = 0;
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ERROR_LOG | (https ? MHD_USE_TLS : 0);
    /* Options are taken in order: the logger first. A function goes through intptr_t, as the library's
     * interface has it. */
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)library_says, NULL};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, fd, NULL};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, HTTPD_CONNECTIONS_MAX, NULL};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, HTTPD_IDLE_SECONDS, NULL};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEM, NULL};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_URI_LOG_CALLBACK,
                                     (intptr_t)(https ? arrive_https : arrive_http), h};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)leave, h};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connected, h};
    o[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    if (https) {
        union {
            const char *in;
            char *out;
        } cert = {h->cfg.cert_pem}, key = {h->cfg.key_pem},
          prio = {PRIORITIES}; /* the library only reads them */
        o[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, cert.out};
        o[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, key.out};
        o[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, prio.out};
        o[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, HTTPS_THREADS, NULL};
    }
    o[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    struct MHD_Daemon *d =
        MHD_start_daemon(flags, 0, NULL, NULL, step, h, MHD_OPTION_ARRAY, o, MHD_OPTION_END);
    if (!d)
        return sb_fail(err, SB_EUNAVAILABLE, "the %s listener does not start%s", https ? "HTTPS" : "HTTP",
                       https ? ": are certificate and key PEM files that belong together?" : "");
    h->daemons[h->daemons_n++] = d;
    return SB_OK;
}

static enum sb_err start_daemons(struct httpd *h, const struct sockets *s, bool https, struct sb_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        enum sb_err rc = s->fd[i] < 0 ? SB_OK : start_daemon(h, s->fd[i], https, err);
        if (rc != SB_OK)
            return rc;
    }
    return SB_OK;
}

enum sb_err httpd_open(const struct httpd_config *cfg, struct httpd **ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct httpd *h = calloc(1, sizeof *h);
    if (!h)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    h->cfg = *cfg;
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->quiet, NULL);
    SB_TRY(sockets_listen(cfg->binds, cfg->binds_n, cfg->optional_v6, cfg->https_port, "--https-port",
                          &h->https, err));
    SB_TRY(sockets_listen(cfg->binds, cfg->binds_n, cfg->optional_v6, cfg->http_port, "--http-port", &h->http,
                          err));
    SB_TRY(pool_new("worker", WORKERS, WORKER_QUEUE, 0, &h->workers, err));
    SB_TRY(pool_new("slow", SLOW_WORKERS, SLOW_QUEUE, SLOW_NICE, &h->slow, err));
    SB_TRY(start_daemons(h, &h->https, true, err));
    SB_TRY(start_daemons(h, &h->http, false, err));
    *ret = h;
out:
    if (rc != SB_OK)
        httpd_close(h);
    return rc;
}

int httpd_https_port(const struct httpd *h)
{
    return h->https.port;
}

int httpd_http_port(const struct httpd *h)
{
    return h->http.port;
}

const char *httpd_sick(struct httpd *h)
{
    if (atomic_load(&h->closing))
        return "The emulator is stopping.";
    for (size_t i = 0; i < h->https.n; i++) {
        if (h->https.used[i] && !sockets_answers(h->cfg.binds[i], h->https.port))
            return "The HTTPS port does not take connections.";
    }
    return NULL;
}

/* ---- stopping ---- */

void httpd_quiesce(struct httpd *h)
{
    atomic_store(&h->closing, true);
    for (size_t i = 0; i < h->daemons_n; i++) {
        int fd = MHD_quiesce_daemon(h->daemons[i]);
        SB_UNUSED(fd); /* one of ours: closed below */
    }
    sockets_close(&h->https);
    sockets_close(&h->http);
}

bool httpd_drain(struct httpd *h, int64_t ms)
{
    int64_t end = clock_machine_now() + ms;
    const struct timespec until = {.tv_sec = (time_t)(end / 1000), .tv_nsec = (long)(end % 1000) * 1000000};
    pthread_mutex_lock(&h->lock);
    int rc = 0;
    while (h->running && rc == 0)
        rc = pthread_cond_timedwait(&h->quiet, &h->lock, &until);
    bool quiet = h->running == 0;
    pthread_mutex_unlock(&h->lock);
    return quiet;
}

void httpd_close(struct httpd *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->daemons_n; i++)
        MHD_stop_daemon(h->daemons[i]);
    sockets_close(&h->https);
    sockets_close(&h->http);
    pool_free(h->workers);
    pool_free(h->slow);
    pthread_cond_destroy(&h->quiet);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
