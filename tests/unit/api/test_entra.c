/* test_entra.c: sign-in and Graph as clients meet them. */
#include <stdio.h>
#include "tests/unit/api/arm_fixture.h"

#define TOKEN "/" ENGINE_TENANT "/oauth2/v2.0/token"

#define AZ "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
#define PASSWORD                                                                                             \
    "grant_type=password&client_id=" AZ "&username=" ENGINE_USER "&password=" ENGINE_USER_PASSWORD
#define JWT_BEARER "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"

static void setup(void)
{
    fixture_open(NULL, 0);
}

/* ---- tokens ---- */

START_TEST(token_for_a_scope)
{
    ck_assert_int_eq(
        call(LOGIN, "POST", TOKEN,
             FORM "&scope=https%3A%2F%2Fvault.azure.net%2F.default%20openid%20profile%20offline_access"),
        200);
    ck_assert_str_eq(text_at("token_type"), "Bearer");
    ck_assert(json_is_number(json_get(answer, "expires_in")));
    ck_assert_ptr_null(json_get(answer, "resource"));
    ck_assert_str_eq(header_of("Cache-Control"), "no-store, no-cache");
}
END_TEST

START_TEST(token_of_version_1)
{
    ck_assert_int_eq(call(LOGIN, "POST", "/" ENGINE_TENANT "/oauth2/token",
                          FORM "&resource=https://management.core.windows.net/"),
                     200);
    ck_assert_str_eq(text_at("resource"), "https://management.core.windows.net/");
    ck_assert_str_eq(text_at("expires_in"), "3600");
    ck_assert_int_eq(
        call(LOGIN, "POST", "/adfs/oauth2/token", FORM "&scope=https://vault.azure.net/.default"), 200);
    ck_assert(json_is_number(json_get(answer, "expires_in")));
}
END_TEST

START_TEST(basic_credentials)
{
    const char *form = "grant_type=client_credentials&scope=https://vault.azure.net/.default";
    struct sb_buf b;
    buf_init(&b, 512);
    buf_adds(&b, "Basic ");
    ck_assert_int_eq(b64_encode(&b, ENGINE_CLIENT_ID ":" ENGINE_CLIENT_SECRET,
                                strlen(ENGINE_CLIENT_ID ":" ENGINE_CLIENT_SECRET)),
                     SB_OK);
    ck_assert_int_eq(call_as(buf_str(&b), LOGIN, "POST", TOKEN, form), 200);
    buf_done(&b);
    ck_assert_int_eq(call_as("Basic !!!", LOGIN, "POST", TOKEN, form), 400);
    ck_assert_int_eq(call_as("Basic bm9jb2xvbg==", LOGIN, "POST", TOKEN, form), 400);
    ck_assert_int_eq(call_as("Basic eDp5", LOGIN, "POST", TOKEN, form), 400); /* x:y */
    ck_assert_str_eq(text_at("error"), "unauthorized_client");
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *error;
    int64_t number;
} refusals[] = {
    {"", 400, "invalid_request", 900144},
    {"grant_type=", 400, "invalid_request", 900144},
    {"grant_type=magic", 400, "unsupported_grant_type", 70003},
    {"grant_type=password&username=a&password=b", 400, "invalid_request", 900144},
    {"grant_type=password&client_id=x&username=a&password=b", 400, "unauthorized_client", 700016},
    {"grant_type=password&client_id=" AZ "&username=a&password=b", 400, "invalid_grant", 50034},
    {"grant_type=password&client_id=" AZ "&username=" ENGINE_USER_OID "&password=" ENGINE_USER_PASSWORD, 400,
     "invalid_grant", 50034},
    {"grant_type=password&client_id=" AZ "&username=" ENGINE_USER "&password=b", 400, "invalid_grant", 50126},
    {"grant_type=password&client_id=" ENGINE_CLIENT_ID "&username=" ENGINE_USER
     "&password=" ENGINE_USER_PASSWORD,
     401, "invalid_client", 7000218},
    {PASSWORD "&scope=https://example.com/.default", 400, "invalid_resource", 500011},
    {PASSWORD "&scope=https://vault.azure.net/.default%20https://graph.microsoft.com/.default", 400,
     "invalid_scope", 28000},
    {"grant_type=refresh_token&client_id=" AZ, 400, "invalid_request", 900144},
    {"grant_type=refresh_token&client_id=" AZ "&refresh_token=1.AAAA", 400, "invalid_grant", 9002313},
    {"grant_type=authorization_code&client_id=" AZ "&code=x&redirect_uri=http://localhost", 400,
     "invalid_grant", 70000},
    {"grant_type=device_code&client_id=" AZ "&code=x", 400, "invalid_grant", 70000},
    {"grant_type=client_credentials", 400, "invalid_request", 900144},
    {"grant_type=client_credentials&client_id=x", 401, "invalid_client", 7000216},
    {"grant_type=client_credentials&client_id=x&client_secret=y", 400, "unauthorized_client", 700016},
    {"grant_type=client_credentials&client_id=" ENGINE_CLIENT_ID "&client_secret=y", 401, "invalid_client",
     7000215},
    {"grant_type=client_credentials&client_id=" ENGINE_CLIENT_ID "&client_assertion=y", 400,
     "invalid_request", 900144},
    {"grant_type=client_credentials&client_id=" ENGINE_CLIENT_ID
     "&client_assertion=y&client_assertion_type=z",
     400, "invalid_request", 900141},
    {"grant_type=client_credentials&client_id=" ENGINE_CLIENT_ID "&client_assertion=y" JWT_BEARER, 401,
     "invalid_client", 50027},
    {FORM, 400, "invalid_request", 900144},
    {FORM "&scope=", 400, "invalid_request", 900144},
    {FORM "&scope=openid", 400, "invalid_scope", 70011},
    {FORM "&scope=/.default", 400, "invalid_scope", 1002012},
    {FORM "&scope=https://vault.azure.net", 400, "invalid_scope", 1002012},
    {FORM "&scope=https://vault.azure.net/.default%20https://graph.microsoft.com/.default", 400,
     "invalid_scope", 28000},
    {FORM "&scope=https://example.com/.default", 400, "invalid_resource", 500011},
    {FORM "&scope=https://vault.azure.net.evil/.default", 400, "invalid_resource", 500011},
    {FORM "&resource=https://ns.servicebus.windows.net/queue", 400, "invalid_resource", 500011},
    {FORM "&client_id=" ENGINE_CLIENT_ID "&scope=https://vault.azure.net/.default", 400, "invalid_request",
     90013}, /* twice */
    {FORM "&scope=%zz", 400, "invalid_request", 90013},
    {FORM "&scope=%00", 400, "invalid_request", 90013},
    {FORM "&scope=%ff", 400, "invalid_request", 90013},
};

START_TEST(sign_in_is_refused)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(refusals); i++) {
        int64_t number = 0;
        char start[32];
        ck_assert_int_eq(call(LOGIN, "POST", TOKEN, refusals[i].body), refusals[i].status);
        ck_assert_msg(strcmp(text_at("error"), refusals[i].error) == 0, "row %zu: %s", i,
                      text_at("error_description"));
        ck_assert(json_i64(json_first(json_get(answer, "error_codes")), &number));
        ck_assert_int_eq(number, refusals[i].number);
        snprintf(start, sizeof start, "AADSTS%lld: ", (long long)number);
        ck_assert(text_starts(text_at("error_description"), start));
        ck_assert_ptr_nonnull(strstr(text_at("error_description"), "\r\nTrace ID: "));
        ck_assert(guid_valid(text_at("trace_id")));
        ck_assert_ptr_null(strstr(text_at("error_description"), ENGINE_CLIENT_SECRET));
    }
}
END_TEST

START_TEST(too_many_fields)
{
    char body[1024] = "";
    for (int i = 0; i < 40; i++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "f%d=1&", i);
    ck_assert_int_eq(call(LOGIN, "POST", TOKEN, body), 400);
}
END_TEST

/* Every resource that a token can be had for is one that some plane takes, and the other way round. */
START_TEST(resources)
{
    static const char *const known[] = {
        "https://management.azure.com",         "https://management.azure.com/",
        "https://management.core.windows.net/", "https://localhost:8443",
        "https://management.localhost:8443",    "https://vault.azure.net",
        "https://vault.localhost:8443",         "https://servicebus.azure.net",
        "https://servicebus.azure.net/",        "https://graph.microsoft.com/",
        "https://graph.localhost:8443",         "https://localhost:8443/graph",
        "https://ns.servicebus.windows.net",    "https://ns.servicebus.localhost:8443/",
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
    };
    char body[512];
    for (size_t i = 0; i < SB_ARRAY_LEN(known); i++) {
        snprintf(body, sizeof body, FORM "&scope=%s/.default", known[i]);
        ck_assert_msg(call(LOGIN, "POST", TOKEN, body) == 200, "%s: %s", known[i],
                      text_at("error_description"));
    }
    sign_in("https://vault.azure.net");
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions?api-version=2022-12-01", NULL), 401);
    ck_assert_str_eq(text_at("error.code"), "InvalidAuthenticationTokenAudience");
    sign_in("https://localhost:8443");
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions?api-version=2022-12-01", NULL), 200);
}
END_TEST

START_TEST(tenants)
{
    static const char *const good[] = {ENGINE_TENANT, "common", "organizations", "adfs",
                                       "Sealedbus.onmicrosoft.com"};
    char url[128];
    for (size_t i = 0; i < SB_ARRAY_LEN(good); i++) {
        snprintf(url, sizeof url, "/%s/oauth2/token", good[i]);
        ck_assert_int_eq(call(LOGIN, "POST", url, FORM "&resource=https://vault.azure.net"), 200);
    }
    ck_assert_int_eq(call(LOGIN, "POST", "/elsewhere/oauth2/token", FORM "&resource=https://vault.azure.net"),
                     400);
    ck_assert_str_eq(text_at("error"), "invalid_request");
    ck_assert_int_eq(call(LOGIN, "GET", "/elsewhere/v2.0/.well-known/openid-configuration", NULL), 400);
    ck_assert_str_eq(text_at("error"), "invalid_tenant");
    ck_assert_int_eq(call(LOGIN, "GET", "/elsewhere/discovery/v2.0/keys", NULL), 400);
}
END_TEST

/* ---- discovery ---- */

START_TEST(openid_configuration)
{
    ck_assert_int_eq(call(LOGIN, "GET", "/" ENGINE_TENANT "/v2.0/.well-known/openid-configuration", NULL),
                     200);
    ck_assert_str_eq(text_at("issuer"), "https://login.localhost:8443/" ENGINE_TENANT "/v2.0");
    ck_assert_str_eq(text_at("token_endpoint"),
                     "https://login.localhost:8443/" ENGINE_TENANT "/oauth2/v2.0/token");
    ck_assert_str_eq(text_at("jwks_uri"),
                     "https://login.localhost:8443/" ENGINE_TENANT "/discovery/v2.0/keys");
    ck_assert_str_eq(text_at("kerberos_endpoint"), "https://login.localhost:8443/" ENGINE_TENANT "/kerberos");
    /* The names and the port that were asked; by path also on localhost. */
    ck_assert_int_eq(
        call("login.microsoftonline.com", "GET", "/common/v2.0/.well-known/openid-configuration", NULL), 200);
    ck_assert_str_eq(text_at("issuer"), "https://login.microsoftonline.com/" ENGINE_TENANT "/v2.0");
    ck_assert_str_eq(text_at("token_endpoint"), "https://login.microsoftonline.com/common/oauth2/v2.0/token");
    ck_assert_int_eq(
        call("LOCALHOST:9", "GET", "/" ENGINE_TENANT "/v2.0/.well-known/openid-configuration", NULL), 200);
    ck_assert_str_eq(text_at("issuer"), "https://localhost:9/" ENGINE_TENANT "/v2.0");
    ck_assert_int_eq(call(LOGIN, "GET", "/" ENGINE_TENANT "/.well-known/openid-configuration", NULL), 200);
    ck_assert_str_eq(text_at("issuer"), "https://sts.windows.net/" ENGINE_TENANT "/");
    ck_assert_str_eq(text_at("token_endpoint"),
                     "https://login.localhost:8443/" ENGINE_TENANT "/oauth2/token");
    ck_assert_int_eq(call(LOGIN, "GET", "/adfs/.well-known/openid-configuration", NULL), 200);
    ck_assert_str_eq(text_at("issuer"), "https://login.localhost:8443/adfs");
    ck_assert_str_eq(text_at("token_endpoint"), "https://login.localhost:8443/adfs/oauth2/token");
    ck_assert_int_eq(call(LOGIN, "GET", "/" ENGINE_TENANT "/discovery/keys", NULL), 200);
    ck_assert_uint_eq(json_size(json_get(answer, "keys")), 1);
}
END_TEST

START_TEST(instance_discovery)
{
    const char *url = "/common/discovery/instance?api-version=1.1&authorization_endpoint=";
    char full[256];
    snprintf(full, sizeof full, "%shttps://%s/common/oauth2/authorize", url, LOGIN);
    ck_assert_int_eq(call(LOGIN, "GET", full, NULL), 200);
    ck_assert_str_eq(text_at("tenant_discovery_endpoint"),
                     "https://login.localhost:8443/common/.well-known/openid-configuration");
    ck_assert_str_eq(json_text(json_get(json_first(json_get(answer, "metadata")), "preferred_network")),
                     LOGIN);
    snprintf(full, sizeof full, "%shttps://login.microsoftonline.com/t/oauth2/v2.0/authorize", url);
    ck_assert_int_eq(call("login.microsoftonline.com", "GET", full, NULL), 200);
    ck_assert_str_eq(text_at("tenant_discovery_endpoint"),
                     "https://login.microsoftonline.com/t/v2.0/.well-known/openid-configuration");
    ck_assert_int_eq(call("login.microsoftonline.com", "GET", "/common/discovery/instance", NULL), 200);
    static const char *const bad[] = {"https://evil.example/common/oauth2/authorize",
                                      "http://login.localhost:8443/x", "x", "https://"};
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        snprintf(full, sizeof full, "%s%s", url, bad[i]);
        ck_assert_int_eq(call(LOGIN, "GET", full, NULL), 400);
        ck_assert_str_eq(text_at("error"), "invalid_instance");
    }
    ck_assert_int_eq(call(LOGIN, "GET", "/common/UserRealm/me@example.com?api-version=1.0", NULL), 200);
    ck_assert_str_eq(text_at("domain_name"), "example.com");
}
END_TEST

/* ---- Graph ---- */

START_TEST(graph)
{
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/me", NULL), 401);
    sign_in("https://graph.microsoft.com");
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/me", NULL), 400);
    ck_assert_str_eq(text_at("error.code"), "BadRequest");
    ck_assert_str_eq(text_at("error.message"),
                     "/me request is only valid with delegated authentication flow.");
    ck_assert_int_eq(call(ARM, "GET", "/graph/v1.0/me", NULL), 400);
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/users?$filter=userPrincipalName%20eq%20'a@b'", NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/users/a@b", NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "Request_ResourceNotFound");
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/servicePrincipals/" ENGINE_CLIENT_OID, NULL), 200);
    ck_assert_str_eq(text_at("appId"), ENGINE_CLIENT_ID);
    ck_assert_int_eq(call(GRAPH, "GET", "/v1.0/servicePrincipals/" ENGINE_CLIENT_ID, NULL), 404);
}
END_TEST

START_TEST(graph_filters)
{
    static const struct {
        const char *filter;
        int status;
        size_t n;
    } rows[] = {
        {"servicePrincipalNames/any(c:c%20eq%20'" ENGINE_CLIENT_ID "')", 200, 1},
        {"servicePrincipalNames/any(c:c%20eq%20'https://nothing')", 200, 0},
        {"servicePrincipalNames/any(c:c%20eq%20'" ENGINE_CLIENT_OID "')", 200, 0},
        {"appId%20eq%20'" ENGINE_CLIENT_ID "'", 200, 1},
        {"id%20eq%20'" ENGINE_CLIENT_OID "'", 200, 1},
        {"displayName%20eq%20'emulator'", 200, 1},
        {"displayName%20eq%20'nobody'", 200, 0},
        {"", 200, 1},
        {"secret%20eq%20'x'", 400, 0},
        {"displayName", 400, 0},
        {"displayName%20eq%20'x", 400, 0},
        {"a(b(c'", 400, 0},
    };
    char url[256];
    sign_in("https://graph.microsoft.com");
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        snprintf(url, sizeof url, "/v1.0/servicePrincipals?$filter=%s", rows[i].filter);
        ck_assert_msg(call(GRAPH, "GET", url, NULL) == rows[i].status, "row %zu", i);
        ck_assert_uint_eq(items(), rows[i].n);
    }
}
END_TEST

START_TEST(graph_by_ids)
{
    struct principal mi;
    char body[512];
    const char *url = "/v1.0/directoryObjects/getByIds";
    sign_in("https://graph.microsoft.com");
    ck_assert_int_eq(directory_system_identity_create(e, "/subscriptions/s/x/queue-owner", &mi, &err), SB_OK);
    snprintf(body, sizeof body,
             "{\"ids\":[\"%s\",\"a0fd923f-205c-4f76-9ca4-ecb5430cb1c7\",\"" ENGINE_CLIENT_OID
             "\"],\"types\":[\"user\",\"servicePrincipal\"]}",
             mi.oid);
    ck_assert_int_eq(call(GRAPH, "POST", url, body), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(json_text(json_get(item(0), "@odata.type")), "#microsoft.graph.servicePrincipal");
    ck_assert_str_eq(json_text(json_get(item(0), "displayName")), "queue-owner");
    ck_assert_str_eq(json_text(json_get(item(0), "servicePrincipalType")), "ManagedIdentity");
    ck_assert_int_eq(call(GRAPH, "POST", url, "{\"ids\":[\"" ENGINE_CLIENT_OID "\"],\"types\":[\"user\"]}"),
                     200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(GRAPH, "POST", url, "{\"ids\":[7]}"), 400);
    ck_assert_int_eq(call(GRAPH, "POST", url, "{\"ids\":\"x\"}"), 400);
    ck_assert_int_eq(call(GRAPH, "POST", url, "{}"), 400);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("entra");
    TCase *t = tcase_create("sign-in");
    tcase_add_checked_fixture(t, setup, fixture_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, token_for_a_scope);
    tcase_add_test(t, token_of_version_1);
    tcase_add_test(t, basic_credentials);
    tcase_add_test(t, too_many_fields);
    tcase_add_test(t, resources);
    tcase_add_test(t, tenants);
    tcase_add_test(t, openid_configuration);
    tcase_add_test(t, instance_discovery);
    tcase_add_test(t, graph);
    tcase_add_test(t, graph_filters);
    tcase_add_test(t, graph_by_ids);
    tcase_add_test(t, sign_in_is_refused);
    suite_add_tcase(s, t);
    return s;
}
