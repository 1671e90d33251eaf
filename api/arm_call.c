/* arm_call.c: see arm_call.h. */
#include "api/arm_call.h"
#include <pthread.h>
#include <string.h>
#include "server/base/text.h"

#define CALL_BYTES_MAX (96u << 20)

static pthread_mutex_t activity_lock = PTHREAD_MUTEX_INITIALIZER;

enum sb_err arm_call(struct request *r, struct sb_arena *a, const char *method, const char *url,
                     const char *body, struct arm_answer *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    if (r->depth >= ARM_CALL_DEPTH)
        return sb_fail(err, SB_ELIMIT, "Deployments are nested more than %d levels deep.", ARM_CALL_DEPTH);
    const struct request_pair headers[] = {{"Authorization", request_header(r, "Authorization")},
                                           {"x-ms-correlation-request-id", r->correlation_id}};
    struct sb_arena *own = arena_new(CALL_BYTES_MAX);
    struct request *c = own ? request_new(r->e, own) : NULL;
    if (!c) {
        arena_free(own);
        return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    c->env = r->env;
    c->method = method;
    c->url = url;
    c->host = r->host;
    c->client_ip = r->client_ip;
    c->in_headers = headers;
    c->in_headers_n = SB_ARRAY_LEN(headers);
    c->depth = r->depth + 1;
    if (api_route(c)) {
        if (body)
            rc = buf_adds(&c->body, body);
        if (rc != SB_OK)
            api_error(c, SB_ETOOLARGE, NULL);
        else
            (void)!api_run(c); /* no ARM handler leaves its answer pending */
    }
    pthread_mutex_lock(&activity_lock); /* a deployment makes calls on several threads */
    activity_move(&r->activity, &c->activity);
    pthread_mutex_unlock(&activity_lock);
    struct arm_answer answer = {.status = c->reply.status, .n = c->reply.body.n};
    answer.body = arena_strndup(a, buf_str(&c->reply.body), answer.n);
    rc = answer.body ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
    request_free(c);
    if (rc == SB_OK)
        *ret = answer;
    return rc;
}

const char *arm_call_version(const char *id)
{
    static const struct {
        const char *provider, *version;
    } rows[] = {
        {"/providers/Microsoft.ServiceBus/", "2024-01-01"},
        {"/providers/Microsoft.KeyVault/", "2023-07-01"},
        {"/providers/Microsoft.ManagedIdentity/", "2023-01-31"},
        {"/providers/Microsoft.Authorization/", "2022-04-01"},
        {"/providers/Microsoft.Insights/", "2021-05-01-preview"},
    };
    const char *version = "2022-09-01"; /* groups and deployments */
    size_t far = 0;
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        for (const char *p = id; *p; p++) {
            /* the last provider of an id is the resource's own */
            if (*p == '/' && text_istarts(p, rows[i].provider) && (size_t)(p - id) >= far) {
                far = (size_t)(p - id);
                version = rows[i].version;
            }
        }
    }
    return version;
}
