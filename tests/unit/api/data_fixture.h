/* data_fixture.h: requests to the Service Bus data plane through the dispatcher, answered later as the
 * listener would; and SAS tokens. */
#ifndef SB_DATA_FIXTURE_H
#define SB_DATA_FIXTURE_H

#include <stdio.h>
#include "crypto/digest.h"
#include "server/engine/broker.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "tests/unit/api/arm_fixture.h"

#define NS    "contoso-sb1"
#define BUS   NS ".servicebus.localhost:8443"
#define START INT64_C(1700000000000)

struct ask {
    struct request *r;
    struct request_pair headers[12];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool awake;
};

static char sas[8192]; /* sent with every call while not empty */

static inline void ask_wake(struct request *r)
{
    struct ask *a = r->wake_cookie;
    pthread_mutex_lock(&a->lock);
    a->awake = true;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->lock);
}

/* more: pairs of header names and values, ended by NULL; or NULL. */
static inline struct ask *ask_new(const char *host, const char *method, const char *url,
                                  const char *const *more, const void *body, size_t n)
{
    struct sb_arena *arena = arena_new(64u << 20);
    struct ask *a = ARENA_NEW(arena, struct ask);
    struct request *r = request_new(e, arena);
    size_t count = 0;
    a->r = r;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->cond, NULL);
    r->method = method;
    r->url = arena_strdup(arena, url);
    r->host = host;
    r->client_ip = "127.0.0.1";
    if (sas[0])
        a->headers[count++] = (struct request_pair){"Authorization", arena_strdup(arena, sas)};
    for (; more && more[0]; more += 2)
        a->headers[count++] = (struct request_pair){more[0], more[1]};
    r->in_headers = a->headers;
    r->in_headers_n = count;
    r->wake = ask_wake;
    r->wake_cookie = a;
    if (api_route(r)) {
        if (n > 0)
            ck_assert_int_eq(buf_add(&r->body, body, n), SB_OK);
        (void)api_run(r); /* false: ask_wake is called, perhaps already */
    }
    return a;
}

/* Waits for the answer; the status. The request becomes `last`. */
static inline int ask_end(struct ask *a)
{
    while (a->r->reply.status == 0) {
        pthread_mutex_lock(&a->lock);
        while (!a->awake)
            pthread_cond_wait(&a->cond, &a->lock);
        a->awake = false;
        pthread_mutex_unlock(&a->lock);
        (void)api_continue(a->r);
    }
    pthread_cond_destroy(&a->cond);
    pthread_mutex_destroy(&a->lock);
    forget();
    last = a->r;
    return last->reply.status;
}

static inline int ask(const char *method, const char *url, const char *const *more, const char *body)
{
    return ask_end(ask_new(BUS, method, url, more, body, body ? strlen(body) : 0));
}

/* A token for the resource, by a rule's key, good until `until` (seconds). */
static inline void make_sas(const char *resource, const char *rule, const char *key, int64_t until)
{
    uint8_t mac[32];
    char text[512];
    struct sb_buf sr, sig, b64;
    buf_init(&sr, 1024);
    buf_init(&sig, 1024);
    buf_init(&b64, 1024);
    percent_encode(&sr, resource);
    snprintf(text, sizeof text, "%s\n%lld", buf_str(&sr), (long long)until);
    digest_hmac_sha256(key, strlen(key), text, strlen(text), mac);
    b64_encode(&b64, mac, sizeof mac);
    percent_encode(&sig, buf_str(&b64));
    snprintf(sas, sizeof sas, "SharedAccessSignature sr=%s&sig=%s&se=%lld&skn=%s", buf_str(&sr),
             buf_str(&sig), (long long)until, rule);
    buf_done(&sr);
    buf_done(&sig);
    buf_done(&b64);
}

static inline int64_t later(void)
{
    return clock_machine_now() / 1000 + 3600;
}

static inline void make_queue(const char *name)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct entity_view q;
    bool created;
    struct entity_spec s = broker_spec(ENTITY_QUEUE, NS, name);
    s.max_delivery = 2;
    ck_assert_msg(broker_entity_put(e, &s, a, &q, &created, &err) == SB_OK, "%s", err.detail);
    arena_free(a);
}

static inline void data_up(void)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct group g;
    struct ns_view v;
    struct auth_rule rule;
    bool created;
    struct ns_spec s = ns_spec(ENGINE_SUBSCRIPTION, "g", NS);
    s.location = "westus";
    s.sku = "Premium";
    fixture_open(NULL, 0);
    ck_assert_int_eq(directory_group_put(e, ENGINE_SUBSCRIPTION, "g", "westus", "{}", a, &g, &created, &err),
                     SB_OK);
    ck_assert_msg(ns_put(e, &s, a, &v, &created, &err) == SB_OK, "%s", err.detail);
    make_queue("q");
    ck_assert_int_eq(ns_rule_get(e, NS, NULL, "RootManageSharedAccessKey", a, &rule, &err), SB_OK);
    make_sas("https://" NS ".servicebus.localhost/", rule.name, rule.primary, later());
    arena_free(a);
}

static inline void data_down(void)
{
    fixture_close();
}

#endif
