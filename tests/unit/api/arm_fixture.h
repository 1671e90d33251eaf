/* arm_fixture.h: requests to any plane through the dispatcher, without a socket, over a real engine in
 * memory. */
#ifndef SB_ARM_FIXTURE_H
#define SB_ARM_FIXTURE_H

#include <string.h>
#include "api/request.h"
#include "server/engine/directory_user.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

#define SUB   "/subscriptions/" ENGINE_SUBSCRIPTION
#define ARM   "localhost:8443"
#define LOGIN "login.localhost:8443"
#define GRAPH "graph.localhost:8443"
#define FORM                                                                                                 \
    "grant_type=client_credentials&client_id=" ENGINE_CLIENT_ID "&client_secret=" ENGINE_CLIENT_SECRET

static struct engine *e;
static struct sb_error err;
static struct request *last;
static struct json *answer; /* of the last call; NULL when it was not JSON */
static char token[8192];    /* sent with every call while not empty */

static inline void forget(void)
{
    json_free(answer);
    answer = NULL;
    request_free(last);
    last = NULL;
}

/* Sends one request with this Authorization header (NULL: none); returns the status. */
static inline int call_as(const char *authorization, const char *host, const char *method, const char *url,
                          const char *body)
{
    struct request_pair headers[] = {{"Authorization", authorization}};
    forget();
    struct sb_arena *a = arena_new(64u << 20);
    struct request *r = request_new(e, a);
    last = r;
    r->method = method;
    r->url = arena_strdup(a, url);
    r->host = host;
    r->client_ip = "127.0.0.1";
    r->in_headers = headers;
    r->in_headers_n = authorization != NULL ? 1 : 0;
    if (api_route(r)) {
        if (body != NULL)
            ck_assert_int_eq(buf_adds(&r->body, body), SB_OK);
        ck_assert(api_run(r));
    }
    r->in_headers_n = 0;
    if (r->reply.body.n > 0)
        ck_assert_msg(json_parse(r->reply.body.p, r->reply.body.n, &answer, &err) == SB_OK, "%s: %s",
                      err.detail, buf_str(&r->reply.body));
    return r->reply.status;
}

static inline int call(const char *host, const char *method, const char *url, const char *body)
{
    char bearer[sizeof token + 8];
    snprintf(bearer, sizeof bearer, "Bearer %s", token);
    return call_as(token[0] != '\0' ? bearer : NULL, host, method, url, body);
}

/* A text of the last answer by path ("" when there is none), and a header of it. */
static inline const char *text_at(const char *path)
{
    const char *s = json_text(json_path(answer, path));
    return s != NULL ? s : "";
}

static inline const char *header_of(const char *name)
{
    for (size_t i = 0; i < last->reply.headers_n; i++) {
        if (text_ieq(last->reply.headers[i].name, name))
            return last->reply.headers[i].value;
    }
    return "";
}

/* Element i of "value" in the last answer. */
static inline const struct json *item(size_t i)
{
    const struct json *j = json_first(json_get(answer, "value"));
    while (j != NULL && i-- > 0)
        j = json_next(j);
    return j;
}

static inline size_t items(void)
{
    return json_size(json_get(answer, "value"));
}

static inline void sign_in(const char *resource)
{
    char body[512];
    snprintf(body, sizeof body, FORM "&scope=%s/.default", resource);
    token[0] = '\0';
    ck_assert_int_eq(call(LOGIN, "POST", "/" ENGINE_TENANT "/oauth2/v2.0/token", body), 200);
    ck_assert(text_copy(token, sizeof token, text_at("access_token")));
}

/* The token of a principal that cannot sign in: a managed identity. */
static inline void act_as(const struct principal *who)
{
    char *t = NULL;
    struct sb_arena *a = arena_new(1u << 20);
    ck_assert_int_eq(directory_issue(e, who, "https://management.azure.com", false, NULL, 3600, a, &t, &err),
                     SB_OK);
    ck_assert(text_copy(token, sizeof token, t));
    arena_free(a);
}

static inline void fixture_open(const char *const *subscriptions, size_t n)
{
    static const struct engine_client clients[] = {
        {ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
    static const struct engine_user users[] = {{ENGINE_USER, ENGINE_USER_PASSWORD, ENGINE_USER_OID}};
    const struct engine_config cfg = {
        .users = users,
        .users_n = 1,
        .poll_interval_ms = 300000,
        .clock_manual = true,
        .start_ms = INT64_C(1700000000000),
        .subscriptions = subscriptions,
        .subscriptions_n = n,
        .clients = clients,
        .clients_n = 1,
    };
    log_setup(LOG_ERROR, false);
    token[0] = '\0';
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
}

static inline void fixture_close(void)
{
    forget();
    engine_stop(e);
    engine_close(e);
}

#endif
