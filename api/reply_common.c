/* reply_common.c: the headers that a plane puts on every answer (recorded or documented; what only describes
 * Azure's front ends is left out). */
#include <pthread.h>
#include <string.h>
#include "api/reply.h"
#include "api/vault_keys.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define CLIENT_ID_MAX 128u
#define HSTS_LONG     "max-age=31536000; includeSubDomains"

static const struct request_pair arm_headers[] = {
    {"Cache-Control", "no-cache"},
    {"Pragma", "no-cache"},
    {"Expires", "-1"},
    {"Strict-Transport-Security", HSTS_LONG},
    {"X-Content-Type-Options", "nosniff"},
};
static const struct request_pair key_headers[] = {
    {"Cache-Control", "no-cache"},
    {"Pragma", "no-cache"},
    {"Expires", "-1"},
    {"x-ms-keyvault-service-version", "1.2.265.0"},
    {"X-Powered-By", "ASP.NET"},
    {"Strict-Transport-Security", HSTS_LONG},
    {"X-Content-Type-Options", "nosniff"},
};
static const struct request_pair login_headers[] = {
    {"Cache-Control", "no-store, no-cache"},
    {"Pragma", "no-cache"},
    {"Expires", "-1"},
    {"Strict-Transport-Security", HSTS_LONG},
    {"X-Content-Type-Options", "nosniff"},
};
static const struct request_pair bus_headers[] = {
    {"Server", "Microsoft-HTTPAPI/2.0"},
    {"Strict-Transport-Security", "max-age=31536000"},
};
static const struct request_pair graph_headers[] = {
    {"Cache-Control", "no-cache"},
    {"Strict-Transport-Security", "max-age=31536000"},
};
static const struct request_pair control_headers[] = {
    {"Cache-Control", "no-store"},
    {"X-Content-Type-Options", "nosniff"},
};

/* A header that the handler set itself stays. */
static void add_fixed(struct request *r, const struct request_pair *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool own = false;
        for (size_t k = 0; k < r->reply.headers_n && !own; k++)
            own = text_ieq(r->reply.headers[k].name, p[i].name);
        if (!own)
            reply_header(r, p[i].name, p[i].value);
    }
}

/* The caller's own id for the request, given back (if it is of a sane length). */
static void echo(struct request *r, const char *name)
{
    const char *v = request_header(r, name);
    if (v && *v && strlen(v) <= CLIENT_ID_MAX)
        reply_header(r, name, v);
}

/* What is left of an hour's requests, by kind. (choice) One count for all subscriptions, by the emulator's
 * clock; nothing is ever refused. */
static const struct {
    const char *method, *header;
    int64_t first;
} rates[] = {
    {"GET", "x-ms-ratelimit-remaining-subscription-reads", 11999},
    {"HEAD", "x-ms-ratelimit-remaining-subscription-reads", 11999},
    {"DELETE", "x-ms-ratelimit-remaining-subscription-deletes", 14999},
    {"", "x-ms-ratelimit-remaining-subscription-writes", 1199},
};

/* Requests of that header's kind so far in this hour, this one not counted. */
static int64_t used(const char *header, int64_t hour)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t current = -1, counts[SB_ARRAY_LEN(rates)];
    size_t i = 0;
    while (strcmp(rates[i].header, header) != 0)
        i++;
    pthread_mutex_lock(&lock);
    if (current != hour)
        memset(counts, 0, sizeof counts);
    current = hour;
    int64_t n = counts[i]++;
    pthread_mutex_unlock(&lock);
    return n;
}

static void add_rate(struct request *r)
{
    size_t i = 0;
    while (rates[i].method[0] != '\0' && strcmp(rates[i].method, r->method) != 0)
        i++;
    int64_t left = rates[i].first - used(rates[i].header, r->now / 3600000);
    reply_headerf(r, rates[i].header, "%lld", (long long)SB_MAX(left, 0));
}

static void arm_common(struct request *r)
{
    char t[TIME_TEXT_MAX]; /* "2024-03-14T01:20:52" */
    time_plain(r->now, t);
    reply_header(r, "x-ms-request-id", r->request_id);
    reply_header(r, "x-ms-correlation-request-id", r->correlation_id);
    reply_headerf(r, "x-ms-routing-request-id", "EMULATOR:%.4s%.2s%.5s%.2s%.2sZ:%s", t, t + 5, t + 8, t + 14,
                  t + 17, r->request_id);
    echo(r, "x-ms-client-request-id");
    if (r->has_who && r->depth == 0)
        add_rate(r);
}

static void vault_common(struct request *r)
{
    bool v6 = strchr(r->client_ip, ':') != NULL;
    vault_headers(r);
    reply_header(r, "x-ms-request-id", r->request_id);
    reply_headerf(r, "x-ms-keyvault-network-info", "conn_type=%s;addr=%s;act_addr_fam=%s;",
                  v6 ? "Ipv6" : "Ipv4", r->client_ip, v6 ? "InterNetworkV6" : "InterNetwork");
    echo(r, "x-ms-client-request-id");
}

/* (choice) */
static void bus_common(struct request *r)
{
    echo(r, "x-ms-client-request-id");
}

static void login_common(struct request *r)
{
    reply_header(r, "x-ms-request-id", r->request_id);
    echo(r, "client-request-id");
}

static void graph_common(struct request *r)
{
    reply_header(r, "request-id", r->request_id);
    echo(r, "client-request-id");
}

static const struct {
    const struct request_pair *fixed;
    size_t fixed_n;
    void (*more)(struct request *r);
} planes[PLANE_MAX] = {
    [PLANE_ARM] = {arm_headers, SB_ARRAY_LEN(arm_headers), arm_common},
    [PLANE_LOGIN] = {login_headers, SB_ARRAY_LEN(login_headers), login_common},
    [PLANE_VAULT] = {key_headers, SB_ARRAY_LEN(key_headers), vault_common},
    [PLANE_BUS] = {bus_headers, SB_ARRAY_LEN(bus_headers), bus_common},
    [PLANE_GRAPH] = {graph_headers, SB_ARRAY_LEN(graph_headers), graph_common},
    [PLANE_CONTROL] = {control_headers, SB_ARRAY_LEN(control_headers), NULL},
};

void reply_common(struct request *r)
{
    add_fixed(r, planes[r->plane].fixed, planes[r->plane].fixed_n);
    if (planes[r->plane].more)
        planes[r->plane].more(r);
}
