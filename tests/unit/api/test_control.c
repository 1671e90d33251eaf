/* test_control.c: the control plane's handlers, driven through the dispatcher without a socket, over a real
 * engine in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/control.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/events.h"
#include "server/engine/faults.h"
#include "server/engine/timeline.h"
#include "server/engine/vault.h"
#include "tests/unit/unit.h"

#define T0 INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static const struct engine_client clients[] = {{ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
static struct engine *e;
static struct sb_error err;
static const char *sickness;

static const char *sick(void *cookie)
{
    (void)cookie;
    return sickness;
}

static void more_capabilities(void *cookie, struct jw *w)
{
    (void)cookie;
    jw_str(w, "fromProgram", "yes");
}

static const char *const hosts[] = {"emulator"};
static const char *const addresses[] = {"127.0.0.1"};
static struct api_env env = {.version = "test",
                             .ca_pem = "-----BEGIN CERTIFICATE-----\n",
                             .control_hosts = hosts,
                             .control_hosts_n = 1,
                             .addresses = addresses,
                             .addresses_n = 1,
                             .capabilities = more_capabilities,
                             .sick = sick};

static void setup(void)
{
    struct engine_config cfg = {
        .poll_interval_ms = 300000, .clock_manual = true, .start_ms = T0, .clients = clients, .clients_n = 1};
    log_setup(LOG_ERROR, false);
    sickness = NULL;
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
}

static void teardown(void)
{
    engine_stop(e);
    engine_close(e);
}

/* ---- one request ---- */

static struct request *last;
static struct json *answer;

static void done(void)
{
    json_free(answer);
    answer = NULL;
    request_free(last);
    last = NULL;
}

static int call_with(const char *method, const char *url, const char *body,
                     const struct request_pair *headers, size_t n)
{
    if (last)
        done();
    struct sb_arena *a = arena_new(64 << 20);
    struct request *r = request_new(e, a);
    r->env = &env;
    r->method = method;
    r->url = url;
    r->host = "localhost:5300";
    r->control = true;
    r->client_ip = "127.0.0.1";
    r->in_headers = headers;
    r->in_headers_n = n;
    last = r;
    if (api_route(r)) {
        if (body)
            buf_adds(&r->body, body);
        ck_assert(api_run(r));
    }
    const char *type = r->reply.content_type;
    if (r->reply.body.n > 0 && type && strstr(type, "json"))
        ck_assert_msg(json_parse(r->reply.body.p, r->reply.body.n, &answer, &err) == SB_OK, "%s: %s",
                      err.detail, buf_str(&r->reply.body));
    return r->reply.status;
}

static int call(const char *method, const char *url, const char *body)
{
    return call_with(method, url, body, NULL, 0);
}

static const char *text(const char *path)
{
    const char *t = json_text(json_path(answer, path));
    return t ? t : "(absent)";
}

static int64_t number(const char *path)
{
    int64_t n = INT64_MIN;
    return json_i64(json_path(answer, path), &n) ? n : INT64_MIN;
}

static size_t size(const char *path)
{
    return json_size(json_path(answer, path));
}

/* {"error":{"code","message"}} and nothing else. */
static void assert_error(int status, int want)
{
    ck_assert_msg(status == want, "%d, not %d: %s", status, want, buf_str(&last->reply.body));
    ck_assert_uint_eq(json_size(answer), 1);
    ck_assert_uint_eq(size("error"), 2);
    ck_assert_str_ne(text("error.code"), "(absent)");
    ck_assert_str_ne(text("error.message"), "(absent)");
}

/* ---- health ---- */

START_TEST(test_control__health)
{
    ck_assert_int_eq(call("GET", "/health", NULL), 200);
    ck_assert_str_eq(buf_str(&last->reply.body),
                     "{\"status\":\"healthy\",\"message\":\"Service is healthy.\"}");
    sickness = "The HTTPS port does not answer.";
    ck_assert_int_eq(call("GET", "/health", NULL), 503);
    ck_assert_str_eq(text("status"), "unhealthy");
    ck_assert_str_eq(text("detail"), sickness);
    sickness = NULL;
    engine_stop(e);
    ck_assert_int_eq(call("GET", "/health", NULL), 503);
    ck_assert_str_eq(text("status"), "unhealthy");
    done();
}
END_TEST

/* ---- clock ---- */

START_TEST(test_control__clock)
{
    ck_assert_int_eq(call("GET", "/_emulator/clock", NULL), 200);
    ck_assert_str_eq(text("now"), "2026-01-01T00:00:00Z");
    ck_assert_str_eq(text("mode"), "manual");
    ck_assert_ptr_nonnull(json_path(answer, "offsetSeconds"));
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advance\":\"PT5M\"}"), 200);
    ck_assert_str_eq(text("now"), "2026-01-01T00:05:00Z");
    ck_assert_uint_eq(size("events"), 0);
    ck_assert_int_eq(number("total"), 0);
    ck_assert(json_is_bool(json_path(answer, "truncated")) && !json_true(json_path(answer, "truncated")));
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advanceSeconds\":300}"), 200);
    ck_assert_str_eq(text("now"), "2026-01-01T00:10:00Z");
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advance\":\"PT0S\"}"), 200);
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advanceSeconds\":0,\"advance\":null}"), 200);
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advance\":\"P2Y\"}"), 200);
    ck_assert_str_eq(text("now"), "2028-01-01T00:10:00Z");
    done();
}
END_TEST

static const char *const bad_advances[] = {
    "",
    "{}",
    "[]",
    "null",
    "5",
    "{",
    "{\"advance\":5}",
    "{\"advance\":\"\"}",
    "{\"advance\":\"5M\"}",
    "{\"advance\":\"-PT5M\"}",
    "{\"advance\":\"PT5M\",\"advanceSeconds\":300}",
    "{\"advanceSeconds\":-1}",
    "{\"advanceSeconds\":1.5}",
    "{\"advanceSeconds\":\"5\"}",
    "{\"advance\":\"P2Y1D\"}",
    "{\"advance\":\"P10675199DT2H48M5.4775807S\"}",
    "{\"advanceSeconds\":63072001}",
    "{\"advanceSeconds\":9223372036854775807}",
    "{\"advanceSeconds\":1e400}",
    "{\"advance\":\"PT5M\",\"advance\":\"PT5M\"}",
    "{\"advance\":\"PT5M\",\"to\":\"x\"}",
    "{\"Advance\":true}",
};

START_TEST(test_control__bad_advance)
{
    assert_error(call("POST", "/_emulator/clock", bad_advances[_i]), 400);
    done();
    ck_assert_int_eq(engine_now(e), T0);
}
END_TEST

/* ---- poll and views ---- */

START_TEST(test_control__poll)
{
    ck_assert_int_eq(call("POST", "/_emulator/poll", ""), 200);
    ck_assert_uint_eq(size("changes"), 0);
    ck_assert_int_eq(call("POST", "/_emulator/poll", "{}"), 200);
    assert_error(call("POST", "/_emulator/poll", "{\"namespace\":\"nosuch\"}"), 404);
    assert_error(call("POST", "/_emulator/poll", "{\"namespace\":5}"), 400);
    assert_error(call("POST", "/_emulator/poll", "{\"ns\":\"x\"}"), 400);
    done();
}
END_TEST

static const struct {
    const char *method, *url;
    int status;
} misses[] = {
    {"GET", "/_emulator/namespaces/nosuch", 404},
    {"DELETE", "/_emulator/namespaces/nosuch/keys/k?keyVaultUri=https://v.vault.azure.net", 404},
    {"DELETE", "/_emulator/namespaces/nosuch/keys/k", 400},
    {"GET", "/_emulator/at-rest/nosuch/q/1", 404},
    {"GET", "/_emulator/at-rest/nosuch/a/b/c/1", 404},
    {"GET", "/_emulator/at-rest/ns/1", 400},
    {"GET", "/_emulator/at-rest/ns/q/x", 400},
    {"GET", "/_emulator/at-rest/ns/q/-1", 400},
    {"GET", "/_emulator/at-rest/ns/q/99999999999999999999", 400},
    {"GET", "/_emulator/nosuch", 404},
    {"GET", "/", 404},
    {"PUT", "/_emulator/clock", 405},
    {"GET", "/_emulator/reset", 405},
    {"GET", "/_emulator/events?since=x", 400},
    {"GET", "/_emulator/events?since=-1", 400},
    {"GET", "/_emulator/events?limit=0", 400},
    {"GET", "/_emulator/events?limit=10001", 400},
    {"DELETE", "/_emulator/faults?target=queue:x", 400},
};

START_TEST(test_control__misses)
{
    assert_error(call(misses[_i].method, misses[_i].url, NULL), misses[_i].status);
    done();
}
END_TEST

START_TEST(test_control__events)
{
    struct st_event ev = {.op = "KeyGet",
                          .vault = "v",
                          .key = "k",
                          .version = "1",
                          .result = "Success",
                          .http_status = 200,
                          .identity = ENGINE_CLIENT_OID};
    events_audit(e, &ev);
    events_audit(e, &ev);
    ck_assert_int_eq(call("GET", "/_emulator/events", NULL), 200);
    ck_assert_uint_eq(size("events"), 2);
    ck_assert(json_is_bool(json_path(answer, "gap")));
    const struct json *first = json_first(json_get(answer, "events"));
    ck_assert_str_eq(json_text(json_get(first, "stream")), "audit");
    ck_assert_str_eq(json_text(json_get(first, "operationName")), "KeyGet");
    ck_assert_str_eq(json_text(json_get(first, "time")), "2026-01-01T00:00:00Z");
    ck_assert_int_eq(call("GET", "/_emulator/events?since=1&limit=5", NULL), 200);
    ck_assert_uint_eq(size("events"), 1);
    ck_assert_int_eq(call("GET", "/_emulator/events?limit=1", NULL), 200);
    ck_assert_uint_eq(size("events"), 1);
    done();
}
END_TEST

/* ---- faults ---- */

START_TEST(test_control__faults)
{
    ck_assert_int_eq(
        call("POST", "/_emulator/faults", "{\"target\":\"vault:MyVault\",\"fault\":\"error\",\"count\":3}"),
        200);
    ck_assert_str_eq(text("target"), "vault:myvault");
    ck_assert_int_eq(number("status"), 503);
    ck_assert_int_eq(number("count"), 3);
    ck_assert_str_eq(text("scope"), "service");
    ck_assert_int_eq(call("POST", "/_emulator/faults",
                          "{\"target\":\"vault:w\",\"fault\":\"throttle\",\"scope\":\"all\"}"),
                     200);
    ck_assert(json_is_null(json_get(answer, "count")));
    ck_assert_int_eq(call("GET", "/_emulator/faults", NULL), 200);
    ck_assert_uint_eq(size("faults"), 2);
    int status = 0;
    ck_assert_int_eq(faults_hit(e, "myvault", false, &status), FAULT_ERROR);
    ck_assert_int_eq(status, 503);
    ck_assert_int_eq(call("DELETE", "/_emulator/faults?target=vault:MYVAULT", NULL), 204);
    ck_assert_int_eq(call("GET", "/_emulator/faults", NULL), 200);
    ck_assert_uint_eq(size("faults"), 1);
    ck_assert_int_eq(call("DELETE", "/_emulator/faults", NULL), 204);
    ck_assert_int_eq(call("GET", "/_emulator/faults", NULL), 200);
    ck_assert_uint_eq(size("faults"), 0);
    done();
}
END_TEST

static const char *const bad_faults[] = {
    "",
    "{}",
    "[]",
    "{\"target\":\"vault:v\"}",
    "{\"fault\":\"error\"}",
    "{\"target\":\"v\",\"fault\":\"error\"}",
    "{\"target\":\"vault:\",\"fault\":\"error\"}",
    "{\"target\":\"vault:abcdefghijklmnopqrstuvwxy\",\"fault\":\"error\"}",
    "{\"target\":5,\"fault\":\"error\"}",
    "{\"target\":\"vault:v\",\"fault\":\"none\"}",
    "{\"target\":\"vault:v\",\"fault\":\"boom\"}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"count\":0}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"count\":-1}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"count\":\"1\"}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"status\":200}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"status\":600}",
    "{\"target\":\"vault:v\",\"fault\":\"timeout\",\"status\":503}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"scope\":\"some\"}",
    "{\"target\":\"vault:v\",\"fault\":\"error\",\"more\":1}",
};

START_TEST(test_control__bad_fault)
{
    assert_error(call("POST", "/_emulator/faults", bad_faults[_i]), 400);
    ck_assert_int_eq(call("GET", "/_emulator/faults", NULL), 200);
    ck_assert_uint_eq(size("faults"), 0);
    done();
}
END_TEST

/* ---- documents ---- */

START_TEST(test_control__capabilities)
{
    ck_assert_int_eq(call("GET", "/_emulator/capabilities", NULL), 200);
    ck_assert_str_eq(text("name"), "sealedbus");
    ck_assert_str_eq(text("clock"), "manual");
    ck_assert_str_eq(text("fromProgram"), "yes");
    ck_assert(json_is_bool(json_get(answer, "secureHeapLocked")));
    ck_assert_uint_gt(size("routes"), 16);
    done();
}
END_TEST

START_TEST(test_control__ca)
{
    ck_assert_int_eq(call("GET", "/_emulator/ca.pem", NULL), 200);
    ck_assert_str_eq(buf_str(&last->reply.body), env.ca_pem);
    ck_assert_str_eq(last->reply.content_type, "application/x-pem-file");
    const char *kept = env.ca_pem;
    env.ca_pem = NULL;
    assert_error(call("GET", "/_emulator/ca.pem", NULL), 404);
    env.ca_pem = kept;
    done();
}
END_TEST

/* ---- managed identity ---- */

#define TOKEN "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net"

static int imds(const char *more)
{
    static const struct request_pair metadata[] = {{"Metadata", "true"}};
    char *url = malloc(1024);
    snprintf(url, 1024, "%s%s", TOKEN, more);
    int status = call_with("GET", url, NULL, metadata, 1);
    free(url);
    return status;
}

static void assert_refused(int status, int want, const char *error)
{
    ck_assert_int_eq(status, want);
    ck_assert_str_eq(text("error"), error);
    ck_assert_str_ne(text("error_description"), "(absent)");
}

START_TEST(test_control__imds_token)
{
    static const char *const audience[] = {"https://vault.azure.net"};
    struct principal who;
    ck_assert_int_eq(imds(""), 200);
    ck_assert_str_eq(text("token_type"), "Bearer");
    ck_assert_str_eq(text("resource"), "https://vault.azure.net");
    ck_assert_str_eq(text("client_id"), ENGINE_CLIENT_ID);
    int64_t expires = 0, from = 0;
    ck_assert(text_to_i64(text("expires_on"), 1, INT64_MAX, &expires));
    ck_assert(text_to_i64(text("not_before"), 1, INT64_MAX, &from));
    ck_assert_int_eq(expires - from, 86400);
    ck_assert_str_eq(text("expires_in"), "86399");
    ck_assert_msg(directory_verify(e, text("access_token"), audience, 1, &who, &err) == SB_OK, "%s",
                  err.detail);
    ck_assert_str_eq(who.oid, ENGINE_CLIENT_OID);
    done();
}
END_TEST

START_TEST(test_control__imds_identities)
{
    struct principal p;
    char more[600];
    const char *id =
        "/subscriptions/" ENGINE_SUBSCRIPTION "/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n";
    ck_assert_int_eq(directory_system_identity_create(e, id, &p, &err), SB_OK);
    const char *const by[] = {"client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id"};
    const char *const value[] = {p.appid, p.oid, p.oid, id, id};
    for (size_t i = 0; i < SB_ARRAY_LEN(by); i++) {
        snprintf(more, sizeof more, "&%s=%s", by[i], value[i]);
        ck_assert_msg(imds(more) == 200, "%s: %s", by[i], buf_str(&last->reply.body));
        ck_assert_str_eq(text("client_id"), p.appid);
    }
    snprintf(more, sizeof more, "&client_id=%s&object_id=%s", p.appid, p.oid);
    assert_refused(imds(more), 400, "invalid_request");
    assert_refused(imds("&client_id=44444444-4444-4444-4444-444444444444"), 400, "invalid_request");
    assert_refused(imds("&object_id=x"), 400, "invalid_request");
    assert_refused(imds("&mi_res_id=/subscriptions/x"), 400, "invalid_request");
    done();
}
END_TEST

START_TEST(test_control__imds_refusals)
{
    static const struct request_pair wrong[] = {{"Metadata", "True"}};
    static const struct request_pair forwarded[] = {{"Metadata", "true"}, {"X-Forwarded-For", "10.0.0.1"}};
    static const struct request_pair plain[] = {{"Metadata", "true"}};
    assert_refused(call("GET", TOKEN, NULL), 400, "bad_request_102");
    assert_refused(call_with("GET", TOKEN, NULL, wrong, 1), 400, "bad_request_102");
    assert_refused(call_with("GET", TOKEN, NULL, forwarded, 2), 403, "invalid_request");
    assert_refused(call_with("GET", "/metadata/identity/oauth2/token", NULL, plain, 1), 400,
                   "invalid_request");
    assert_refused(call_with("GET", "/metadata/identity/oauth2/token?resource=", NULL, plain, 1), 400,
                   "invalid_request");
    assert_refused(
        call_with("GET", "/metadata/identity/oauth2/token?resource=https://a.example", NULL, plain, 1), 400,
        "invalid_resource");
    ck_assert(strstr(text("error_description"),
                     "AADSTS500011: The resource principal named https://a.example was"));
    done();
}
END_TEST

START_TEST(test_control__app_service_token)
{
    static const struct request_pair header[] = {{"X-IDENTITY-HEADER", "anything"}};
    assert_refused(call("GET", "/msi/token?resource=https://vault.azure.net", NULL), 401, "unauthorized");
    ck_assert_int_eq(call_with("GET", "/msi/token?api-version=2019-08-01&resource=https://vault.azure.net",
                               NULL, header, 1),
                     200);
    ck_assert_str_eq(text("token_type"), "Bearer");
    ck_assert_ptr_null(json_get(answer, "expires_in"));
    done();
}
END_TEST

/* ---- who may ask ---- */

START_TEST(test_control__pages_of_other_origins_are_refused)
{
    static const struct request_pair other[] = {{"Origin", "http://evil.example"}};
    static const struct request_pair own[] = {{"Origin", "http://localhost:5300"}};
    assert_error(call_with("POST", "/_emulator/reset", "", other, 1), 403);
    ck_assert_int_eq(call_with("GET", "/_emulator/clock", NULL, own, 1), 200);
    done();
}
END_TEST

/* ---- reset ---- */

static void make_things(void)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct group g;
    struct vault v;
    bool created, existed;
    struct vault_spec spec = vault_spec(ENGINE_SUBSCRIPTION, "rg", "vaulta", "x");
    spec.location = "northeurope";
    spec.tags = "{}";
    spec.tenant = ENGINE_TENANT;
    spec.sku = "standard";
    spec.soft_delete = spec.purge_protection = 1;
    spec.soft_delete_days = 90;
    spec.has_policies = true;
    ck_assert_msg(directory_group_put(e, ENGINE_SUBSCRIPTION, "rg", "northeurope", "{}", a, &g, &created,
                                      &err) == SB_OK,
                  "%s", err.detail);
    ck_assert_msg(vault_put(e, &spec, a, &v, &created, &err) == SB_OK, "%s", err.detail);
    ck_assert(created);
    spec.name = "vaultb";
    ck_assert_msg(vault_put(e, &spec, a, &v, &created, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(vault_delete(e, ENGINE_SUBSCRIPTION, "rg", "vaultb", &existed, &err), SB_OK);
    arena_free(a);
}

START_TEST(test_control__reset)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct group *g = NULL;
    struct vault *v = NULL;
    size_t n = 99;
    make_things();
    ck_assert_int_eq(call("POST", "/_emulator/faults", "{\"target\":\"vault:v\",\"fault\":\"error\"}"), 200);
    ck_assert_int_eq(call("POST", "/_emulator/clock", "{\"advance\":\"PT1H\"}"), 200);
    ck_assert_int_eq(call("POST", "/_emulator/reset", ""), 204);
    ck_assert_int_eq(directory_group_list(e, ENGINE_SUBSCRIPTION, a, &g, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_list(e, ENGINE_SUBSCRIPTION, NULL, a, &v, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_deleted_list(e, ENGINE_SUBSCRIPTION, a, &v, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_name_check(e, "vaulta", &err), SB_OK);
    ck_assert_int_eq(call("GET", "/_emulator/faults", NULL), 200);
    ck_assert_uint_eq(size("faults"), 0);
    ck_assert_int_eq(call("GET", "/_emulator/events", NULL), 200);
    ck_assert_uint_eq(size("events"), 0);
    ck_assert_int_eq(call("GET", "/_emulator/clock", NULL), 200);
    ck_assert_str_eq(text("now"), "2026-01-01T01:00:00Z");
    /* Everything can be made again under the same names. */
    make_things();
    ck_assert_int_eq(call("POST", "/_emulator/reset", "{}"), 204);
    ck_assert_int_eq(imds(""), 200);
    done();
    arena_free(a);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("control");
    TCase *t = tcase_create("control");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_control__health);
    tcase_add_test(t, test_control__clock);
    tcase_add_loop_test(t, test_control__bad_advance, 0, SB_ARRAY_LEN(bad_advances));
    tcase_add_test(t, test_control__poll);
    tcase_add_loop_test(t, test_control__misses, 0, SB_ARRAY_LEN(misses));
    tcase_add_test(t, test_control__events);
    tcase_add_test(t, test_control__faults);
    tcase_add_loop_test(t, test_control__bad_fault, 0, SB_ARRAY_LEN(bad_faults));
    tcase_add_test(t, test_control__capabilities);
    tcase_add_test(t, test_control__ca);
    tcase_add_test(t, test_control__imds_token);
    tcase_add_test(t, test_control__imds_identities);
    tcase_add_test(t, test_control__imds_refusals);
    tcase_add_test(t, test_control__app_service_token);
    tcase_add_test(t, test_control__pages_of_other_origins_are_refused);
    tcase_add_test(t, test_control__reset);
    suite_add_tcase(s, t);
    return s;
}
