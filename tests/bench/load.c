/*
 * load.c: a load generator for `make bench`: N keep-alive HTTPS connections, one thread, epoll.
 *
 * load PORT CA HOST MODE CONNECTIONS SECONDS AUTHORIZATION PATH [BYTES]
 *   MODE get     GET PATH
 *        none    GET PATH, of which nothing is there (404)
 *        send    POST PATH/messages with a body of BYTES bytes (1024)
 *        settle  POST PATH/messages/head?timeout=0, then DELETE of what its Location names; a pair counts as
 * one post    POST PATH with the body read from standard input Prints one JSON object: rate (per second),
 * errors (answers with another status than expected), latency percentiles and the longest in us, and load_us,
 * what an operation costs this program itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum mode { MODE_GET, MODE_NONE, MODE_SEND, MODE_SETTLE, MODE_POST };

struct options {
    int port, connections;
    double seconds;
    const char *ca, *host, *authorization, *path;
    enum mode mode;
    size_t bytes;
};

struct connection {
    SSL *ssl;
    int fd;
    bool completing; /* settle: the DELETE half is under way */
    char out[4096];  /* a settle's DELETE */
    const char *send;
    size_t send_n, sent;
    char *in;
    size_t in_n, in_cap;
    uint64_t began;
};

struct totals {
    uint64_t done, errors, empty;
    uint32_t *latency_us;
    size_t latency_n, latency_cap;
};

static char *request;
static size_t request_n;
static char *head_request;

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* CPU time of this process so far. */
static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "");
    ERR_print_errors_fp(stderr);
    exit(2);
}

static char *read_stdin(size_t *ret_n)
{
    size_t cap = 1 << 16, n = 0;
    char *p = malloc(cap);
    for (;;) {
        if (!p)
            die("memory");
        ssize_t k = read(0, p + n, cap - n);
        if (k <= 0)
            break;
        n += (size_t)k;
        if (n == cap)
            p = realloc(p, cap *= 2);
    }
    *ret_n = n;
    return p;
}

static void build_requests(const struct options *o)
{
    size_t body_n = o->mode == MODE_SEND ? o->bytes : 0;
    char *body = NULL;
    if (o->mode == MODE_POST)
        body = read_stdin(&body_n);
    else if (body_n) {
        body = malloc(body_n);
        if (!body)
            die("memory");
        memset(body, 'm', body_n);
    }
    request = malloc(body_n + 4096);
    head_request = malloc(4096);
    if (!request || !head_request)
        die("memory");
    if (o->mode == MODE_GET || o->mode == MODE_NONE)
        request_n =
            (size_t)snprintf(request, 4096, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n\r\n",
                             o->path, o->host, o->authorization);
    else
        request_n =
            (size_t)snprintf(request, 4096,
                             "POST %s%s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: %s\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             o->path, o->mode == MODE_SEND ? "/messages" : "", o->host, o->authorization,
                             o->mode == MODE_SEND ? "application/octet-stream" : "application/json", body_n);
    if (body_n)
        memcpy(request + request_n, body, body_n);
    request_n += body_n;
    snprintf(head_request, 4096,
             "POST %s/messages/head?timeout=0 HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: "
             "0\r\n\r\n",
             o->path, o->host, o->authorization);
    free(body);
}

static void start_request(struct connection *c, const struct options *o)
{
    if (!c->completing)
        c->began = now_us();
    if (o->mode == MODE_SETTLE) {
        c->send = c->completing ? c->out : head_request;
        c->send_n = strlen(c->send);
    } else {
        c->send = request;
        c->send_n = request_n;
    }
    c->sent = 0;
    c->in_n = 0;
}

/* The value of a header within the first n bytes, or NULL. */
static const char *header(const char *p, size_t n, const char *name)
{
    size_t k = strlen(name);
    for (const char *s = p; s && s + k < p + n; s = memchr(s, '\n', (size_t)(p + n - s))) {
        if (*s == '\n')
            s++;
        if (s + k < p + n && strncasecmp(s, name, k) == 0 && s[k] == ':') {
            s += k + 1;
            while (*s == ' ')
                s++;
            return s;
        }
    }
    return NULL;
}

static void record(struct totals *t, struct connection *c)
{
    uint64_t us = now_us() - c->began;
    if (t->latency_n == t->latency_cap) {
        t->latency_cap = t->latency_cap ? t->latency_cap * 2 : 1 << 16;
        t->latency_us = realloc(t->latency_us, t->latency_cap * sizeof *t->latency_us);
        if (!t->latency_us)
            die("memory");
    }
    t->latency_us[t->latency_n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    t->done++;
}

/* A settle's peek-lock was answered: writes the DELETE of the message that Location names. */
static bool prepare_delete(struct connection *c, const struct options *o, size_t head_n)
{
    const char *l = header(c->in, head_n, "Location");
    const char *path = l ? memmem(l, (size_t)(c->in + head_n - l), o->path, strlen(o->path)) : NULL;
    const char *end = path ? memchr(path, '\r', (size_t)(c->in + head_n - path)) : NULL;
    if (!end)
        return false;
    snprintf(c->out, sizeof c->out, "DELETE %.*s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n\r\n",
             (int)(end - path), path, o->host, o->authorization);
    return true;
}

/* Takes one whole answer out of c->in; false when there is none yet. */
static bool take_answer(struct connection *c, const struct options *o, struct totals *t)
{
    char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t head_n = (size_t)(end - c->in) + 4;
    const char *length = header(c->in, head_n, "Content-Length");
    size_t body_n = length ? strtoul(length, NULL, 10) : 0;
    if (c->in_n < head_n + body_n)
        return false;
    int status = c->in_n > 12 ? atoi(c->in + 9) : 0;
    if (o->mode == MODE_SETTLE && !c->completing) {
        if (status == 201 && prepare_delete(c, o, head_n)) {
            c->completing = true;
            return true;
        }
        t->empty += status == 204;
        t->errors += status != 204;
        record(t, c);
        return true;
    }
    bool good = status == (o->mode == MODE_SEND   ? 201
                           : o->mode == MODE_NONE ? 404
                                                  : 200) ||
                (o->mode == MODE_POST && status == 201);
    if (!good && t->errors++ == 0)
        fprintf(stderr, "load: unexpected answer: %.*s\n", (int)(c->in_n > 600 ? 600 : c->in_n), c->in);
    c->completing = false;
    record(t, c);
    return true;
}

/* Writes what is left of the request; false when the socket takes no more for now. */
static bool flush(struct connection *c)
{
    while (c->sent < c->send_n) {
        int k = SSL_write(c->ssl, c->send + c->sent, (int)(c->send_n - c->sent));
        if (k <= 0) {
            int e = SSL_get_error(c->ssl, k);
            if (e == SSL_ERROR_WANT_WRITE || e == SSL_ERROR_WANT_READ)
                return false;
            die("write");
        }
        c->sent += (size_t)k;
    }
    return true;
}

/* Reads one record; false when there is none. */
static bool receive(struct connection *c)
{
    if (c->in_cap - c->in_n < 16384) {
        c->in_cap += 32768;
        c->in = realloc(c->in, c->in_cap);
        if (!c->in)
            die("memory");
    }
    int k = SSL_read(c->ssl, c->in + c->in_n, (int)(c->in_cap - c->in_n));
    if (k <= 0) {
        int e = SSL_get_error(c->ssl, k);
        if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
            return false;
        die("connection closed");
    }
    c->in_n += (size_t)k;
    return true;
}

/* After an event: reads what came, and sends the next request when the answer is whole. Nothing more can be
 * there then, so nothing more is read: what comes later is an event of its own (edges). */
static void pump(struct connection *c, const struct options *o, struct totals *t)
{
    if (!flush(c))
        return;
    while (receive(c)) {
        if (take_answer(c, o, t)) {
            start_request(c, o);
            flush(c);
            if (!SSL_has_pending(c->ssl))
                return;
        }
    }
}

static void open_connection(struct connection *c, SSL_CTX *ctx, const struct options *o)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->fd, IPPROTO_TCP, TCP_CONGESTION, "reno",
               4); /* no pacing by timers, where that is the default */
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, o->host);
    SSL_set1_host(c->ssl, o->host);
    if (SSL_connect(c->ssl) != 1)
        die("handshake");
    SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void report(struct totals *t, const struct options *o, double seconds)
{
    qsort(t->latency_us, t->latency_n, sizeof *t->latency_us, by_value);
    size_t n = t->latency_n;
    printf("{\"connections\":%d,\"seconds\":%.3f,\"done\":%llu,\"rate\":%.1f,\"errors\":%llu,\"empty\":%llu,"
           "\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u,\"load_us\":%.2f}\n",
           o->connections, seconds, (unsigned long long)t->done, (double)t->done / seconds,
           (unsigned long long)t->errors, (unsigned long long)t->empty, n ? t->latency_us[n / 2] : 0,
           n ? t->latency_us[n * 99 / 100] : 0, n ? t->latency_us[n - 1] : 0,
           t->done ? cpu_us() / (double)t->done : 0);
}

static void run(const struct options *o)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
        die("CA");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_read_ahead(ctx, 1); /* head and body of a record with one call */
    int ep = epoll_create1(0);
    struct connection *all = calloc((size_t)o->connections, sizeof *all);
    struct totals t = {0};
    for (int i = 0; i < o->connections; i++) {
        open_connection(&all[i], ctx, o);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = &all[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, all[i].fd, &ev);
    }
    uint64_t begin = now_us(), stop = begin + (uint64_t)(o->seconds * 1e6);
    for (int i = 0; i < o->connections; i++) {
        start_request(&all[i], o);
        flush(&all[i]);
    }
    while (now_us() < stop) {
        struct epoll_event ev[256];
        int n = epoll_wait(ep, ev, 256, 100);
        for (int i = 0; i < n; i++)
            pump(ev[i].data.ptr, o, &t);
    }
    report(&t, o, (double)(now_us() - begin) / 1e6);
    for (int i = 0; i < o->connections; i++) {
        SSL_free(all[i].ssl);
        close(all[i].fd);
        free(all[i].in);
    }
    free(all);
    free(t.latency_us);
    close(ep);
    SSL_CTX_free(ctx);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"get", "none", "send", "settle", "post"};
    if (argc < 9) {
        fprintf(stderr, "usage: load PORT CA HOST get|none|send|settle|post CONNECTIONS SECONDS "
                        "AUTHORIZATION PATH [BYTES]\n");
        return 2;
    }
    struct options o = {.port = atoi(argv[1]),
                        .ca = argv[2],
                        .host = argv[3],
                        .connections = atoi(argv[5]),
                        .seconds = strtod(argv[6], NULL),
                        .authorization = argv[7],
                        .path = argv[8],
                        .bytes = argc > 9 ? strtoul(argv[9], NULL, 10) : 1024};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[4], modes[i]) == 0)
            o.mode = (enum mode)i;
    build_requests(&o);
    run(&o);
    free(request);
    free(head_request);
    return 0;
}
