/*
 * test_dispatch.c: what happens to a request before its handler and after it: planes by Host, rows, limits,
 * credentials, api-versions, error shapes, names in answers. Over a real engine in memory, without a socket.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "api/request.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/engine/directory_app.h"
#include "tests/unit/unit.h"

#define T0     INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define SUBS   "/subscriptions?api-version=2022-12-01"
#define TENANT ENGINE_TENANT

static const struct engine_client clients[] = {{ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
static const char *const control_hosts[] = {"emulator"};
static const char *const addresses[] = {"127.0.0.1", "::1"};
static struct api_env env = {.version = "test",
                             .control_hosts = control_hosts,
                             .control_hosts_n = 1,
                             .addresses = addresses,
                             .addresses_n = 2};
static char dir[] = "/tmp/test_dispatch-XXXXXX";
static struct engine *e;
static struct sb_error err;
static struct sb_arena *texts;
static struct request *r;
static struct json *answer;

static void open_engine(void)
{
    const struct engine_config cfg = {.data_dir = dir,
                                      .poll_interval_ms = 300000,
                                      .clock_manual = true,
                                      .token_clock_emulator = true,
                                      .start_ms = T0,
                                      .clients = clients,
                                      .clients_n = 1};
    log_setup(LOG_ERROR, false);
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
}

/* Making the token key takes most of the time: once, in a folder that each test opens again. No test writes,
 * but the last one moves the clock. */
static void make_folder(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    open_engine();
    engine_stop(e);
    engine_close(e);
}

static void remove_folder(void)
{
    static const char *const files[] = {"servicebus.db", "servicebus.db-wal", "servicebus.db-shm",
                                        "keyvault.db",   "keyvault.db-wal",   "keyvault.db-shm",
                                        "platform.key"};
    char path[128];
    for (size_t i = 0; i < SB_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void setup(void)
{
    open_engine();
    texts = arena_new(4u << 20);
    env.addresses_n = 2;
}

static void done(void)
{
    json_free(answer);
    answer = NULL;
    request_free(r);
    r = NULL;
}

static void teardown(void)
{
    done();
    arena_free(texts);
    engine_stop(e);
    engine_close(e);
}

/* ---- one request ---- */

struct in {
    const char *method, *host, *url, *body;
    bool control;
    struct request_pair headers[6];
};

static int call(struct in in)
{
    done();
    r = request_new(e, arena_new(64u << 20));
    r->env = &env;
    r->method = in.method ? in.method : "GET";
    r->url = in.url;
    r->host = in.host;
    r->control = in.control;
    r->client_ip = "127.0.0.1";
    r->in_headers = in.headers;
    while (r->in_headers_n < SB_ARRAY_LEN(in.headers) && in.headers[r->in_headers_n].name)
        r->in_headers_n++;
    struct request_pair *kept = arena_memdup(r->arena, in.headers, sizeof in.headers);
    r->in_headers = kept;
    if (api_route(r)) {
        if (in.body)
            buf_adds(&r->body, in.body);
        ck_assert(api_run(r));
    }
    if (r->reply.content_type && strstr(r->reply.content_type, "json"))
        ck_assert_msg(json_parse(r->reply.body.p, r->reply.body.n, &answer, &err) == SB_OK, "%s",
                      buf_str(&r->reply.body));
    return r->reply.status;
}

static const char *text(const char *path)
{
    const char *t = json_text(json_path(answer, path));
    return t ? t : "(absent)";
}

static const char *header(const char *name)
{
    const char *v = "(absent)";
    for (size_t i = 0; i < r->reply.headers_n; i++) {
        if (text_ieq(r->reply.headers[i].name, name))
            v = r->reply.headers[i].value;
    }
    return v;
}

static size_t header_count(const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < r->reply.headers_n; i++)
        n += text_ieq(r->reply.headers[i].name, name);
    return n;
}

/* "Bearer …" for an audience. */
static const char *bearer(const char *aud, int64_t seconds)
{
    struct principal who;
    char *token = NULL;
    ck_assert_int_eq(directory_sign_in(e, ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, &who, &err), SB_OK);
    ck_assert_int_eq(directory_issue(e, &who, aud, false, NULL, seconds, texts, &token, &err), SB_OK);
    return arena_printf(texts, "Bearer %s", token);
}

/* ---- planes ---- */

START_TEST(test_dispatch__unknown_host)
{
    static const char *const hosts[] = {"example.com", "", "a.b.vault.azure.net", "localhost:99999", "x y"};
    for (size_t i = 0; i < SB_ARRAY_LEN(hosts); i++) {
        ck_assert_int_eq(call((struct in){.host = hosts[i], .url = SUBS}), 400);
        ck_assert_str_eq(text("error.code"), "InvalidHostName");
        ck_assert_str_eq(header("x-ms-failure-cause"), "gateway");
    }
}
END_TEST

static const struct {
    const char *host, *url;
    enum plane plane;
    const char *path;
} planes[] = {
    {"management.azure.com", "/x", PLANE_ARM, "/x"},
    {"localhost:8443", "/subscriptions?x=1", PLANE_ARM, "/subscriptions"},
    {"localhost:8443", "/common/nothing", PLANE_LOGIN, "/common/nothing"},
    {"127.0.0.1", "/t/oauth2/nothing", PLANE_LOGIN, "/t/oauth2/nothing"},
    {"management.localhost", "/common/nothing", PLANE_ARM, "/common/nothing"},
    {"management.azure.com", "/common/nothing", PLANE_ARM, "/common/nothing"},
    {"localhost", "/graph/v1.0/nothing", PLANE_GRAPH, "/v1.0/nothing"},
    {"[::1]:8443", "/GRAPH/v1.0/nothing", PLANE_GRAPH, "/v1.0/nothing"},
    {"localhost", "/graphic", PLANE_ARM, "/graphic"},
    {"v.vault.localhost", "/nothing", PLANE_VAULT, "/nothing"},
    {"n.servicebus.localhost", "/", PLANE_BUS, "/"},
    {"graph.localhost", "/nothing", PLANE_GRAPH, "/nothing"},
};

START_TEST(test_dispatch__planes)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(planes); i++) {
        call((struct in){.host = planes[i].host, .url = planes[i].url});
        ck_assert_int_eq(r->plane, planes[i].plane);
        ck_assert_str_eq(r->path, planes[i].path);
    }
}
END_TEST

/* The control plane is not on the HTTPS port, nor the others on the control port. */
START_TEST(test_dispatch__ports_do_not_mix)
{
    ck_assert_int_eq(call((struct in){.host = "localhost", .url = "/health"}), 404);
    ck_assert_int_eq(call((struct in){.host = "localhost", .url = "/_emulator/clock"}), 404);
    ck_assert_int_eq(call((struct in){.host = "localhost", .url = SUBS, .control = true}), 404);
    ck_assert_str_eq(text("error.code"), "NotFound");
    ck_assert_int_eq(
        call((struct in){.host = "v.vault.localhost", .url = "/keys?api-version=7.4", .control = true}), 404);
    ck_assert_int_eq(call((struct in){.host = "localhost", .url = "/health", .control = true}), 200);
}
END_TEST

/* ---- addresses ---- */

START_TEST(test_dispatch__bad_addresses)
{
    static const char *const urls[] = {"",        "*",     "subscriptions", "http://localhost/subscriptions",
                                       "/%",      "/a%0g", "/a%00b",        "/x?a=%zz",
                                       "/x?%00=1"};
    for (size_t i = 0; i < SB_ARRAY_LEN(urls); i++) {
        ck_assert_msg(call((struct in){.host = "localhost", .url = urls[i]}) == 400, "%s: %d", urls[i],
                      r->reply.status);
        ck_assert_str_eq(text("error.code"), "BadRequest");
    }
    ck_assert_int_eq(
        call((struct in){.host = "localhost",
                         .url = "/x?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17&18&19&20&21&22&23&24&25"}),
        400);
}
END_TEST

START_TEST(test_dispatch__query)
{
    call((struct in){.host = "localhost", .url = "/x?a=1&B=x%20y+z&c&d=&&e=%3D%26#frag"});
    ck_assert_str_eq(request_query(r, "A"), "1");
    ck_assert_str_eq(request_query(r, "b"), "x y z");
    ck_assert_str_eq(request_query(r, "c"), "");
    ck_assert_str_eq(request_query(r, "d"), "");
    ck_assert_str_eq(request_query(r, "e"), "=&");
    ck_assert_ptr_null(request_query(r, "frag"));
    ck_assert_uint_eq(r->query_n, 5);
}
END_TEST

START_TEST(test_dispatch__wrong_method)
{
    ck_assert_int_eq(call((struct in){.method = "DELETE", .host = "localhost", .url = SUBS}), 405);
    ck_assert_str_eq(header("Allow"), "GET");
    ck_assert_str_eq(text("error.code"), "MethodNotAllowed");
    ck_assert_int_eq(
        call((struct in){.method = "PATCH", .host = "n.servicebus.localhost", .url = "/q/messages/head"}),
        405);
    ck_assert_str_eq(r->reply.content_type, "application/xml; charset=utf-8");
    ck_assert_ptr_nonnull(strstr(header("Allow"), "DELETE"));
    ck_assert_int_eq(
        call((struct in){.method = "PUT", .host = "localhost", .url = "/health", .control = true}), 405);
}
END_TEST

START_TEST(test_dispatch__arm_paths_without_a_row)
{
    ck_assert_int_eq(call((struct in){.host = "localhost:1", .url = "/nothing?api-version=2020-01-01"}), 404);
    ck_assert_str_eq(text("error.code"), "HttpResourceNotFound");
    ck_assert_str_eq(text("error.message"), "The request url 'https://localhost:1/nothing' is not found.");
    struct in foreign = {
        .host = "localhost",
        .method = "POST",
        .url = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/x?api-version=1"};
    ck_assert_int_eq(call(foreign), 404);
    ck_assert_str_eq(text("error.code"), "InvalidResourceNamespace");
    foreign.method = "GET"; /* a template may have made it: that is not for everybody to know */
    ck_assert_int_eq(call(foreign), 401);
    ck_assert_int_eq(call((struct in){.host = "localhost",
                                      .url = "/subscriptions/s/resourceGroups/g/providers/"
                                             "microsoft.servicebus/things/x?api-version=2021-11-01"}),
                     404);
    ck_assert_str_eq(text("error.code"), "InvalidResourceType");
    ck_assert_str_eq(text("error.message"), "The resource type 'things' could not be found in the namespace "
                                            "'Microsoft.ServiceBus' for api version '2021-11-01'.");
    ck_assert_int_eq(
        call((struct in){.host = "localhost",
                         .url = "/subscriptions/s/resourceGroups/g/providers/"
                                "Microsoft.KeyVault/vaults/v/filters/f/parts?api-version=2023-07-01"}),
        404);
    ck_assert_str_eq(text("error.message"),
                     "The resource type 'vaults/filters/parts' could not be found in the "
                     "namespace 'Microsoft.KeyVault' for api version '2023-07-01'.");
}
END_TEST

START_TEST(test_dispatch__length_limits)
{
    struct in in = {.method = "PUT",
                    .host = "localhost",
                    .url = "/subscriptions/s/resourceGroups/g?api-version=2022-09-01",
                    .headers = {{"Content-Length", "10000000"}}};
    ck_assert_int_eq(call(in), 413);
    ck_assert_str_eq(text("error.code"), "RequestContentTooLarge");
    in.headers[0].value = "-1";
    ck_assert_int_eq(call(in), 400);
    in.headers[0].value = "99999999999999999999";
    ck_assert_int_eq(call(in), 400);
    in.headers[0].value = "1x";
    ck_assert_int_eq(call(in), 400);
    ck_assert_int_eq(call((struct in){.method = "POST",
                                      .host = "n.servicebus.localhost",
                                      .url = "/q/messages",
                                      .headers = {{"Content-Length", "99000000"}}}),
                     403);
    ck_assert_str_eq(r->reply.content_type, "application/xml; charset=utf-8");
}
END_TEST

/* ---- credentials ---- */

START_TEST(test_dispatch__arm_challenge)
{
    ck_assert_int_eq(call((struct in){.host = "management.azure.com", .url = SUBS}), 401);
    ck_assert_str_eq(text("error.code"), "AuthenticationFailed");
    ck_assert_str_eq(text("error.message"), "Authentication failed. The 'Authorization' header is missing.");
    ck_assert_str_eq(header("WWW-Authenticate"),
                     "Bearer authorization_uri=\"https://login.microsoftonline.com/" TENANT
                     "\", error=\"invalid_token\", "
                     "error_description=\"Authentication failed. The 'Authorization' header is missing.\"");
    call((struct in){.host = "management.localhost:8443", .url = SUBS});
    ck_assert_ptr_nonnull(strstr(header("WWW-Authenticate"), "\"https://login.localhost:8443/" TENANT "\""));
}
END_TEST

/* SDKs' first call to a vault has neither token nor body: it must be a challenge whatever else is wrong. */
START_TEST(test_dispatch__vault_challenge)
{
    ck_assert_int_eq(
        call((struct in){.method = "POST", .host = "v.vault.azure.net", .url = "/keys/k/create"}), 401);
    ck_assert_str_eq(text("error.code"), "Unauthorized");
    ck_assert_str_eq(text("error.message"), "AKV10000: Request is missing a Bearer or PoP token.");
    ck_assert_str_eq(header("WWW-Authenticate"),
                     "Bearer authorization=\"https://login.microsoftonline.com/" TENANT
                     "\", resource=\"https://vault.azure.net\"");
    ck_assert_int_eq(call((struct in){.method = "POST",
                                      .host = "v.vault.localhost:8443",
                                      .url = "/keys/k/create?api-version=7.4",
                                      .body = "not json"}),
                     401);
    ck_assert_str_eq(header("WWW-Authenticate"), "Bearer authorization=\"https://login.localhost:8443/" TENANT
                                                 "\", resource=\"https://vault.localhost:8443\"");
}
END_TEST

static const struct {
    const char *value;
    const char *code;
} bad_tokens[] = {
    {"Basic abc", "AuthenticationFailed"},       {"Bearer", "AuthenticationFailed"},
    {"Bearer ", "AuthenticationFailed"},         {"Bearer   ", "AuthenticationFailed"},
    {"Bearer x", "InvalidAuthenticationToken"},  {"Bearer a.b.c", "InvalidAuthenticationToken"},
    {"bearer ..", "InvalidAuthenticationToken"}, {"Bearer \xff\xfe", "InvalidAuthenticationToken"},
};

START_TEST(test_dispatch__bad_tokens)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad_tokens); i++) {
        ck_assert_int_eq(call((struct in){.host = "localhost",
                                          .url = SUBS,
                                          .headers = {{"Authorization", bad_tokens[i].value}}}),
                         401);
        ck_assert_msg(strcmp(text("error.code"), bad_tokens[i].code) == 0, "%s: %s", bad_tokens[i].value,
                      text("error.code"));
        ck_assert_uint_eq(header_count("WWW-Authenticate"), 1);
    }
}
END_TEST

START_TEST(test_dispatch__audiences)
{
    static const struct {
        const char *host, *url, *aud;
        bool ok;
    } cases[] = {
        {"management.azure.com", SUBS, "https://management.azure.com", true},
        {"localhost:8443", SUBS, "https://management.azure.com/", true},
        {"localhost:8443", SUBS, "https://management.core.windows.net/", true},
        {"localhost:8443", SUBS, "https://localhost:8443/", true},
        {"localhost:8443", SUBS, "https://management.localhost:8443", true},
        {"localhost:8443", SUBS, "https://127.0.0.1:1", true},
        {"localhost:8443", SUBS, "https://vault.azure.net", false},
        {"localhost:8443", SUBS, "https://management.azure.com.evil", false},
        {"localhost:8443", SUBS, "", false},
        {"v.vault.localhost", "/keys?api-version=7.4", "https://vault.azure.net", true},
        {"v.vault.localhost", "/keys?api-version=7.4", "https://vault.localhost:8443", true},
        {"v.vault.localhost", "/keys?api-version=7.4", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", true},
        {"v.vault.localhost", "/keys?api-version=7.4", "https://management.azure.com", false},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
        int status = call((struct in){.host = cases[i].host,
                                      .url = cases[i].url,
                                      .headers = {{"Authorization", bearer(cases[i].aud, 600)}}});
        ck_assert_msg((status != 401) == cases[i].ok, "%s for '%s': %d", cases[i].host, cases[i].aud, status);
        ck_assert_int_eq(r->has_who, cases[i].ok);
    }
}
END_TEST

START_TEST(test_dispatch__wordings)
{
    const struct request_pair wrong = {"Authorization", bearer("https://elsewhere", 600)};
    call((struct in){.host = "v.vault.localhost", .url = "/keys?api-version=7.4", .headers = {wrong}});
    ck_assert_str_eq(text("error.message"),
                     "AKV10022: Invalid audience. Expected https://vault.azure.net or "
                     "cfa8b339-82a2-471a-a3c9-0fc0be7a4093, found: https://elsewhere.");
    call((struct in){.host = "localhost", .url = SUBS, .headers = {wrong}});
    ck_assert_str_eq(text("error.code"), "InvalidAuthenticationTokenAudience");
    ck_assert_ptr_nonnull(strstr(text("error.message"), "wrong audience or resource 'https://elsewhere'"));
}
END_TEST

START_TEST(test_dispatch__tokens_end)
{
    const struct in in = {.host = "localhost",
                          .url = SUBS,
                          .headers = {{"Authorization", bearer("https://management.azure.com", 600)}}};
    ck_assert_int_eq(call(in), 200);
    clock_advance_to(e->clock, T0 + 601000);
    ck_assert_int_eq(call(in), 401);
    ck_assert_str_eq(text("error.code"), "ExpiredAuthenticationToken");
    ck_assert_str_eq(text("error.message"), "The access token expiry UTC time '1/1/2026 12:10:00 AM' is "
                                            "earlier than current UTC time '1/1/2026 12:10:01 AM'.");
}
END_TEST

/* ---- api-versions ---- */

#define GROUP_PATH "/subscriptions/" ENGINE_SUBSCRIPTION "/resourceGroups/g"
#define VAULT_PATH GROUP_PATH "/providers/Microsoft.KeyVault/vaults/v"

static const struct {
    const char *method, *url, *body;
    int status;
    const char *code, *message;
} versions[] = {
    {"GET", "/subscriptions", NULL, 400, "MissingApiVersionParameter",
     "The api-version query parameter (?api-version=) is required for all requests."},
    {"GET", "/subscriptions?api-version=", NULL, 400, "MissingApiVersionParameter", NULL},
    {"GET", "/subscriptions?api-version=2022-13-01", NULL, 400, "InvalidApiVersionParameter",
     "The api-version '2022-13-01' is invalid. The supported versions are '2014-04-01'."},
    {"GET", "/subscriptions?api-version=2001-01-01", NULL, 400, "InvalidApiVersionParameter", NULL},
    {"GET", "/subscriptions?api-version=x", NULL, 400, "InvalidApiVersionParameter", NULL},
    {"GET", "/subscriptions?api-version=2022-12-01-PREVIEW", NULL, 400, "InvalidApiVersionParameter", NULL},
    {"GET", "/subscriptions?API-Version=2022-12-01", NULL, 200, NULL, NULL},
    {"GET", "/subscriptions?api-version=2022-12-01-preview", NULL, 200, NULL, NULL},
    {"GET", VAULT_PATH "?api-version=2012-01-01", NULL, 404, "InvalidResourceType",
     "The resource type 'vaults' could not be found in the namespace 'Microsoft.KeyVault' for api version "
     "'2012-01-01'. The supported api-versions are "
     "'2015-06-01'."},
    {"PUT", VAULT_PATH "?api-version=2012-01-01", "{\"location\":\"westeurope\"}", 400,
     "NoRegisteredProviderFound", NULL},
};

START_TEST(test_dispatch__api_versions)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(versions); i++) {
        int status =
            call((struct in){.method = versions[i].method,
                             .host = "localhost",
                             .url = versions[i].url,
                             .body = versions[i].body,
                             .headers = {{"Authorization", bearer("https://management.azure.com", 600)}}});
        ck_assert_msg(status == versions[i].status, "%s: %d %s", versions[i].url, status,
                      text("error.message"));
        if (versions[i].code)
            ck_assert_str_eq(text("error.code"), versions[i].code);
        if (versions[i].message)
            ck_assert_str_eq(text("error.message"), versions[i].message);
    }
}
END_TEST

START_TEST(test_dispatch__vault_api_versions)
{
    static const struct {
        const char *version;
        bool ok;
    } cases[] = {
        {"?api-version=7.0", true},
        {"?api-version=7.6", true},
        {"?api-version=7.5-preview.1", true},
        {"?api-version=2025-07-01", true},
        {"?api-version=2026-04-01", true},
        {"", false},
        {"?api-version=", false},
        {"?api-version=7.7", false},
        {"?api-version=8.0", false},
        {"?api-version=7", false},
        {"?api-version=7.", false},
        {"?api-version=7.41", false},
        {"?api-version=7.4-previewx", false},
        {"?api-version=2025-07-02", false},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
        int status =
            call((struct in){.host = "v.vault.localhost",
                             .url = arena_printf(texts, "/keys/k%s", cases[i].version),
                             .headers = {{"Authorization", bearer("https://vault.azure.net", 600)}}});
        ck_assert_msg((status != 400) == cases[i].ok, "%s: %d", cases[i].version, status);
        if (!cases[i].ok)
            ck_assert_str_eq(text("error.code"), "BadParameter");
    }
}
END_TEST

/* ---- bodies ---- */

static const char *const bad_bodies[] = {"",
                                         "{",
                                         "not json",
                                         "[]",
                                         "5",
                                         "\"x\"",
                                         "null",
                                         "{\"location\":\"a\",\"location\":\"b\"}",
                                         "{\"location\":\"\\u0000\"}",
                                         "{} {}"};

START_TEST(test_dispatch__bad_bodies)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad_bodies); i++) {
        ck_assert_int_eq(
            call((struct in){.method = "PUT",
                             .host = "localhost",
                             .url = GROUP_PATH "?api-version=2022-09-01",
                             .body = bad_bodies[i],
                             .headers = {{"Authorization", bearer("https://management.azure.com", 600)}}}),
            400);
        ck_assert_str_eq(text("error.code"), "InvalidRequestContent");
        ck_assert_msg(text_starts(text("error.message"),
                                  "The request content was invalid and could not be deserialized: '"),
                      "%s", text("error.message"));
        ck_assert_str_eq(header("x-ms-failure-cause"), "gateway");
        ck_assert_int_eq(
            call((struct in){.method = "POST",
                             .host = "v.vault.localhost",
                             .url = "/keys/k/create?api-version=7.4",
                             .body = bad_bodies[i],
                             .headers = {{"Authorization", bearer("https://vault.azure.net", 600)}}}),
            400);
        ck_assert_str_eq(text("error.code"), "BadParameter");
        ck_assert_int_eq(call((struct in){.method = "POST",
                                          .host = "localhost",
                                          .url = "/_emulator/clock",
                                          .body = bad_bodies[i],
                                          .control = true}),
                         400);
        ck_assert_str_eq(text("error.code"), "BadJson");
    }
}
END_TEST

/* ---- shapes and headers ---- */

START_TEST(test_dispatch__bus_errors)
{
    ck_assert_int_eq(call((struct in){.method = "POST",
                                      .host = "N1.servicebus.windows.net:443",
                                      .url = "/a%26b%3C/messages",
                                      .headers = {{"Content-Length", "x"}}}),
                     400);
    const char *body = buf_str(&r->reply.body);
    ck_assert_msg(
        text_starts(body,
                    "<Error><Code>400</Code><Detail>The Content-Length header is malformed. TrackingId:"),
        "%s", body);
    ck_assert_msg(strstr(body, "_G0, SystemTracker:n1.servicebus.windows.net:a&amp;b&lt;, "
                               "Timestamp:2026-01-01T00:00:00</Detail></Error>") != NULL,
                  "%s", body);
    ck_assert_str_eq(header("Server"), "Microsoft-HTTPAPI/2.0");
}
END_TEST

START_TEST(test_dispatch__login_errors)
{
    ck_assert_int_eq(call((struct in){.host = "login.localhost:8443",
                                      .url = "/t/nothing",
                                      .headers = {{"client-request-id", "mine"}}}),
                     404);
    ck_assert_str_eq(text("error"), "invalid_request");
    ck_assert_msg(text_starts(text("error_description"), "AADSTS90013: "), "%s", text("error_description"));
    ck_assert_ptr_nonnull(strstr(text("error_description"), "\r\nTimestamp: 2026-01-01 00:00:00Z"));
    ck_assert_str_eq(text("trace_id"), r->request_id);
    ck_assert_str_eq(text("error_uri"), "https://login.localhost:8443/error?code=90013");
    ck_assert_str_eq(header("client-request-id"), "mine");
}
END_TEST

START_TEST(test_dispatch__graph_errors)
{
    ck_assert_int_eq(call((struct in){.host = "graph.microsoft.com", .url = "/v1.0/nothing"}), 404);
    ck_assert_str_eq(text("error.code"), "Request_ResourceNotFound");
    ck_assert_str_eq(text("error.innerError.date"), "2026-01-01T00:00:00");
    ck_assert_str_eq(text("error.innerError.request-id"), r->request_id);
}
END_TEST

START_TEST(test_dispatch__arm_headers)
{
    static const char guid[] = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
    ck_assert_int_eq(
        call((struct in){.host = "localhost",
                         .url = SUBS,
                         .headers = {{"Authorization", bearer("https://management.azure.com", 600)},
                                     {"x-ms-client-request-id", "c1"},
                                     {"x-ms-correlation-request-id", guid}}}),
        200);
    ck_assert_str_eq(r->reply.content_type, "application/json; charset=utf-8");
    ck_assert_str_eq(header("Cache-Control"), "no-cache");
    ck_assert_str_eq(header("Expires"), "-1");
    ck_assert_str_eq(header("X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(header("x-ms-client-request-id"), "c1");
    ck_assert_str_eq(header("x-ms-correlation-request-id"), guid);
    ck_assert(guid_valid(header("x-ms-request-id")));
    ck_assert_str_eq(header("x-ms-routing-request-id"),
                     arena_printf(texts, "EMULATOR:20260101T000000Z:%s", r->request_id));
    ck_assert_uint_eq(header_count("Cache-Control"), 1);
    ck_assert_str_eq(header("x-ms-failure-cause"), "(absent)");
    /* One count for the whole process, which other tests share. */
    int64_t left = 0, then = 0;
    ck_assert(text_to_i64(header("x-ms-ratelimit-remaining-subscription-reads"), 1, 11999, &left));
    call((struct in){.host = "localhost",
                     .url = SUBS,
                     .headers = {{"Authorization", bearer("https://management.azure.com", 600)}}});
    ck_assert(text_to_i64(header("x-ms-ratelimit-remaining-subscription-reads"), 1, 11999, &then));
    ck_assert_int_eq(then, left - 1);
}
END_TEST

START_TEST(test_dispatch__header_values_are_clean)
{
    done();
    r = request_new(e, arena_new(1u << 20));
    reply_header(r, "X-A", "one\r\nSet-Cookie: x");
    ck_assert_str_eq(header("X-A"), "one  Set-Cookie: x");
    for (int i = 0; i < 200; i++)
        reply_headerf(r, "X-Many", "%d", i);
    ck_assert_uint_eq(r->reply.headers_n, 201);
    ck_assert_str_eq(header("X-Many"), "199");
}
END_TEST

/* ---- the control port's door ---- */

static const struct {
    const char *host, *origin;
    bool ok;
} doors[] = {
    {"localhost", NULL, true},
    {"localhost:5300", NULL, true},
    {"LOCALHOST:5300", NULL, true},
    {"anything.localhost:5300", NULL, true},
    {"127.0.0.1:5300", NULL, true},
    {"[::1]:5300", NULL, true},
    {"169.254.169.254", NULL, true},
    {"emulator:5300", NULL, true},
    {"Emulator", NULL, true},
    {"", NULL, false},
    {"evil.com", NULL, false},
    {"evil.com:5300", NULL, false},
    {"localhost.evil.com", NULL, false},
    {"xlocalhost", NULL, false},
    {"127.0.0.2", NULL, false},
    {"[::2]", NULL, false},
    {"192.168.1.5", NULL, false},
    {"localhost:5300", "http://localhost:5300", true},
    {"localhost:5300", "HTTP://LOCALHOST:5300", true},
    {"localhost:5300", "http://localhost:8080", false},
    {"localhost:5300", "http://evil.com", false},
    {"localhost:5300", "null", false},
    {"localhost:5300", "", false},
};

START_TEST(test_dispatch__control_door)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(doors); i++) {
        int status = call((struct in){.host = doors[i].host,
                                      .url = "/health",
                                      .control = true,
                                      .headers = {{doors[i].origin ? "Origin" : NULL, doors[i].origin}}});
        ck_assert_msg(status == (doors[i].ok ? 200 : 403), "'%s' from '%s': %d", doors[i].host,
                      doors[i].origin ? doors[i].origin : "", status);
        if (!doors[i].ok)
            ck_assert_str_eq(text("error.code"), "Forbidden");
        ck_assert_str_eq(header("Access-Control-Allow-Origin"), "(absent)");
    }
}
END_TEST

/* Listening everywhere: any literal address is the machine's, a name is not. */
START_TEST(test_dispatch__control_door_everywhere)
{
    static const char *const any[] = {"0.0.0.0"};
    struct api_env wide = env;
    wide.addresses = any;
    wide.addresses_n = 1;
    struct api_env kept = env;
    env = wide;
    ck_assert_int_eq(call((struct in){.host = "192.168.1.5:5300", .url = "/health", .control = true}), 200);
    ck_assert_int_eq(call((struct in){.host = "[fe80::1]", .url = "/health", .control = true}), 403);
    ck_assert_int_eq(call((struct in){.host = "evil.com", .url = "/health", .control = true}), 403);
    env = kept;
}
END_TEST

/* ---- names in answers ---- */

static const struct {
    const char *host;
    enum host_kind kind;
    const char *label, *base, *authority;
} names[] = {
    {"management.azure.com", HOST_ARM, NULL, "https://management.azure.com", "management.azure.com:443"},
    {"management.azure.com", HOST_LOGIN, NULL, "https://login.microsoftonline.com",
     "login.microsoftonline.com:443"},
    {"management.azure.com", HOST_BUS, "Ns1", "https://Ns1.servicebus.windows.net",
     "Ns1.servicebus.windows.net:443"},
    {"management.azure.com:8443", HOST_VAULT, "v", "https://v.vault.azure.net:8443",
     "v.vault.azure.net:8443"},
    {"localhost:8443", HOST_ARM, NULL, "https://localhost:8443", "localhost:8443"},
    {"localhost:8443", HOST_LOGIN, NULL, "https://localhost:8443", "localhost:8443"},
    {"localhost:8443", HOST_GRAPH, NULL, "https://localhost:8443/graph", "localhost:8443"},
    {"localhost:8443", HOST_BUS, "ns", "https://ns.servicebus.localhost:8443",
     "ns.servicebus.localhost:8443"},
    {"[::1]:8443", HOST_LOGIN, NULL, "https://[::1]:8443", "[::1]:8443"},
    {"127.0.0.1", HOST_ARM, NULL, "https://127.0.0.1", "127.0.0.1:443"},
    {"management.localhost:1", HOST_LOGIN, NULL, "https://login.localhost:1", "login.localhost:1"},
    {"management.localhost:1", HOST_GRAPH, NULL, "https://graph.localhost:1", "graph.localhost:1"},
    {"login.windows.net", HOST_LOGIN, NULL, "https://login.windows.net", "login.windows.net:443"},
    {"V1.vault.azure.net", HOST_VAULT, "v1", "https://v1.vault.azure.net", "v1.vault.azure.net:443"},
    {"v1.vault.azure.net", HOST_LOGIN, NULL, "https://login.microsoftonline.com",
     "login.microsoftonline.com:443"},
    {"v1.vault.localhost:2", HOST_ARM, NULL, "https://localhost:2", "localhost:2"},
    {"n.servicebus.localhost:2", HOST_VAULT, "other", "https://other.vault.localhost:2",
     "other.vault.localhost:2"},
};

START_TEST(test_dispatch__names)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        call((struct in){.host = names[i].host, .url = "/nothing/at/all"});
        ck_assert_str_eq(request_base(r, names[i].kind, names[i].label), names[i].base);
        ck_assert_str_eq(request_authority(r, names[i].kind, names[i].label, true), names[i].authority);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("dispatch");
    TCase *t = tcase_create("dispatch");
    tcase_add_unchecked_fixture(t, make_folder, remove_folder);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_dispatch__unknown_host);
    tcase_add_test(t, test_dispatch__planes);
    tcase_add_test(t, test_dispatch__ports_do_not_mix);
    tcase_add_test(t, test_dispatch__bad_addresses);
    tcase_add_test(t, test_dispatch__query);
    tcase_add_test(t, test_dispatch__wrong_method);
    tcase_add_test(t, test_dispatch__arm_paths_without_a_row);
    tcase_add_test(t, test_dispatch__length_limits);
    tcase_add_test(t, test_dispatch__arm_challenge);
    tcase_add_test(t, test_dispatch__vault_challenge);
    tcase_add_test(t, test_dispatch__bad_tokens);
    tcase_add_test(t, test_dispatch__audiences);
    tcase_add_test(t, test_dispatch__wordings);
    tcase_add_test(t, test_dispatch__api_versions);
    tcase_add_test(t, test_dispatch__vault_api_versions);
    tcase_add_test(t, test_dispatch__bad_bodies);
    tcase_add_test(t, test_dispatch__bus_errors);
    tcase_add_test(t, test_dispatch__login_errors);
    tcase_add_test(t, test_dispatch__graph_errors);
    tcase_add_test(t, test_dispatch__arm_headers);
    tcase_add_test(t, test_dispatch__header_values_are_clean);
    tcase_add_test(t, test_dispatch__control_door);
    tcase_add_test(t, test_dispatch__control_door_everywhere);
    tcase_add_test(t, test_dispatch__names);
    tcase_add_test(t, test_dispatch__tokens_end); /* moves the clock */
    suite_add_tcase(s, t);
    return s;
}
