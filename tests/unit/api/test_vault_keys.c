/* test_vault_keys.c: key vaults as HTTP clients meet them, on the ARM plane and on a vault's own host,
 * through the dispatcher without a socket. */
#include <string.h>
#include "api/json.h"
#include "api/request.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/vault.h"
#include "tests/unit/unit.h"

#define START   INT64_C(1700000000000)
#define SUB     "/subscriptions/" ENGINE_SUBSCRIPTION
#define VAULTS  SUB "/resourceGroups/g/providers/Microsoft.KeyVault/vaults"
#define VAULT   VAULTS "/My-Vault"
#define ARM_VER "?api-version=2023-07-01"
#define VER     "?api-version=7.4"
#define HOST    "my-vault.vault.localhost:8443"
#define REAL    "my-vault.vault.azure.net"
#define LOCAL   "https://my-vault.vault.localhost:8443"

#define POLICY(perms)                                                                                        \
    "{\"tenantId\":\"" ENGINE_TENANT "\",\"objectId\":\"" ENGINE_CLIENT_OID                                  \
    "\",\"permissions\":{\"keys\":[" perms "]}}"
#define BODY(more)                                                                                           \
    "{\"location\":\"West US\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT                                \
    "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},\"accessPolicies\":[" POLICY(                       \
        "\"all\",\"purge\",\"rotate\"") "]" more "}}"

static const struct engine_client clients[] = {{ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
static struct engine *e;
static struct sb_error err;
static struct sb_arena *arena; /* of the test */
static const char *arm_token, *vault_token;
static struct request *last;
static struct json *answer;

static const char *token_for(const struct principal *who, const char *aud)
{
    char *token = NULL;
    ck_assert_int_eq(directory_issue(e, who, aud, false, "login.localhost", 3600, arena, &token, &err),
                     SB_OK);
    return token;
}

static void setup(void)
{
    const struct engine_config cfg = {
        .clock_manual = true, .start_ms = START, .clients = clients, .clients_n = 1};
    struct principal client;
    struct group g;
    bool found = false, created;
    log_setup(LOG_ERROR, false);
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
    arena = arena_new(16u << 20);
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &client, &err), SB_OK);
    arm_token = token_for(&client, "https://management.azure.com");
    vault_token = token_for(&client, "https://vault.azure.net");
    ck_assert_int_eq(
        directory_group_put(e, ENGINE_SUBSCRIPTION, "g", "westus", "{}", arena, &g, &created, &err), SB_OK);
}

static void done(void)
{
    json_free(answer);
    answer = NULL;
    request_free(last);
    last = NULL;
}

static void teardown(void)
{
    done();
    arena_free(arena);
    engine_stop(e);
    engine_close(e);
}

/* One request; the answer stays until the next one. */
static int send(const char *host, const char *token, const char *method, const char *url, const char *body)
{
    done();
    last = request_new(e, arena_new(64u << 20));
    struct request_pair *h = ARENA_ARRAY(last->arena, struct request_pair, 2);
    last->method = method;
    last->url = url;
    last->host = host;
    last->client_ip = "127.0.0.1";
    h[0] = (struct request_pair){"x-ms-client-request-id", "abc"};
    h[1] = (struct request_pair){"Authorization",
                                 arena_printf(last->arena, "Bearer %s", token != NULL ? token : "")};
    last->in_headers = h;
    last->in_headers_n = token != NULL ? 2 : 1;
    if (api_route(last)) {
        if (body != NULL)
            buf_adds(&last->body, body);
        ck_assert(api_run(last));
    }
    if (last->reply.body.n > 0)
        ck_assert_int_eq(json_parse(last->reply.body.p, last->reply.body.n, &answer, &err), SB_OK);
    return last->reply.status;
}

static int arm(const char *method, const char *url, const char *body)
{
    return send("localhost:8443", arm_token, method, url, body);
}

static int key(const char *method, const char *url, const char *body)
{
    return send(HOST, vault_token, method, url, body);
}

static const char *text(const char *path)
{
    const char *v = json_text(json_path(answer, path));
    return v != NULL ? v : "(none)";
}

static int64_t number(const char *path)
{
    int64_t v = -1;
    return json_i64(json_path(answer, path), &v) ? v : -1;
}

static const char *body_text(void)
{
    return buf_str(&last->reply.body);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < last->reply.headers_n; i++)
        if (text_ieq(last->reply.headers[i].name, name))
            return last->reply.headers[i].value;
    return "(none)";
}

#define ck_code(status_, code_)                                                                              \
    do {                                                                                                     \
        ck_assert_msg(last->reply.status == (status_), "status %d: %s", last->reply.status, body_text());    \
        ck_assert_str_eq(text("error.code"), code_);                                                         \
    } while (0)
#define ck_status(call, status_)                                                                             \
    do {                                                                                                     \
        int got_ = (call);                                                                                   \
        ck_assert_msg(got_ == (status_), "status %d: %s", got_, body_text());                                \
    } while (0)

static void make_vault(void)
{
    ck_status(arm("PUT", VAULT ARM_VER, BODY("")), 200);
}

/* ---- ARM ---- */

START_TEST(test_arm_vault__put_and_get)
{
    ck_status(
        arm("PUT", VAULT ARM_VER, BODY(",\"enablePurgeProtection\":true,\"softDeleteRetentionInDays\":7")),
        200);
    /* As recorded, member by member and in that order. */
    const char *want =
        "{\"id\":\"" VAULT
        "\",\"name\":\"My-Vault\",\"type\":\"Microsoft.KeyVault/vaults\",\"location\":\"westus\",\"tags\":{},"
        "\"systemData\":{\"createdBy\":\"" ENGINE_CLIENT_ID
        "\",\"createdByType\":\"Application\",\"createdAt\":\"2023-11-14T22:13:20Z\","
        "\"lastModifiedBy\":\"" ENGINE_CLIENT_ID
        "\",\"lastModifiedByType\":\"Application\",\"lastModifiedAt\":\"2023-11-14T22:13:20Z\"},"
        "\"properties\":{\"sku\":{\"family\":\"A\",\"name\":\"standard\"},\"tenantId\":\"" ENGINE_TENANT
        "\",\"accessPolicies\":[" POLICY(
            "\"all\",\"purge\",\"rotate\"") "],\"enabledForDeployment\":false,\"enableSoftDelete\":true,"
                                            "\"softDeleteRetentionInDays\":7,\"enablePurgeProtection\":true,"
                                            "\"vaultUri\":\"" LOCAL "/\","
                                            "\"provisioningState\":\"Succeeded\",\"publicNetworkAccess\":"
                                            "\"Enabled\"}}";
    ck_assert_str_eq(body_text(), want);
    ck_status(arm("GET", VAULT ARM_VER, NULL), 200);
    ck_assert_str_eq(body_text(), want);
    ck_assert_str_eq(header("x-ms-keyvault-service-version"), "1.5.969.1");
    ck_status(send("management.azure.com", arm_token, "GET", VAULT ARM_VER, NULL), 200);
    ck_assert_str_eq(text("properties.vaultUri"), "https://my-vault.vault.azure.net/");
    ck_status(arm("PATCH", VAULT ARM_VER,
                  "{\"tags\":{\"a\":\"b\"},\"properties\":{\"enableRbacAuthorization\":true}}"),
              200);
    ck_assert_str_eq(text("tags.a"), "b");
    ck_assert(json_true(json_path(answer, "properties.enableRbacAuthorization")));
    ck_status(arm("PATCH", VAULT ARM_VER, "{}"), 200);
    ck_assert_str_eq(text("tags.a"), "b");
}
END_TEST

START_TEST(test_arm_vault__network_rules)
{
    ck_status(arm("PUT", VAULT ARM_VER,
                  BODY(",\"networkAcls\":{\"bypass\":\"AzureServices\",\"defaultAction\":\"Allow\"}")),
              200);
    ck_assert_ptr_null(json_path(answer, "properties.networkAcls")); /* says nothing: not shown (recorded) */
    ck_status(arm("PATCH", VAULT ARM_VER,
                  "{\"properties\":{\"networkAcls\":{\"defaultAction\":\"deny\",\"ipRules\":[{\"value\":\"1."
                  "2.3.4/32\"}]}}}"),
              200);
    ck_assert_ptr_nonnull(strstr(
        body_text(),
        "\"networkAcls\":{\"bypass\":\"AzureServices\",\"defaultAction\":\"Deny\",\"ipRules\":[{\"value\":"
        "\"1.2.3.4/32\"}],\"virtualNetworkRules\":[]},\"accessPolicies\":["));
    ck_status(key("GET", "/keys" VER, NULL), 403);
    ck_assert_str_eq(text("error.innererror.code"), "ForbiddenByFirewall");
    ck_status(arm("PATCH", VAULT ARM_VER,
                  "{\"properties\":{\"networkAcls\":{\"ipRules\":[{\"value\":\"1.2.3\"}]}}}"),
              400);
    ck_assert_str_eq(text("error.message"), "An invalid value was provided for 'ipRules'.");
    ck_status(arm("PATCH", VAULT ARM_VER, "{\"properties\":{\"networkAcls\":{\"bypass\":\"Everybody\"}}}"),
              400);
    ck_status(arm("PATCH", VAULT ARM_VER, "{\"properties\":{\"publicNetworkAccess\":\"disabled\"}}"), 200);
    ck_assert_str_eq(text("properties.publicNetworkAccess"), "Disabled");
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *code;
} bad_vaults[] = {
    {"", 400, "InvalidRequestContent"},
    {"[]", 400, "InvalidRequestContent"},
    {"{", 400, "InvalidRequestContent"},
    {"{}", 400, "BadRequest"},
    {"{\"location\":1}", 400, "InvalidRequestContent"},
    {"{\"location\":\"westus\",\"properties\":[]}", 400, "InvalidRequestContent"},
    {"{\"location\":\"westus\",\"properties\":{\"tenantId\":\"x\",\"sku\":{\"name\":\"standard\"},"
     "\"accessPolicies\":[]}}",
     400, "BadRequest"},
    {"{\"location\":\"westus\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT
     "\",\"sku\":{\"name\":\"gold\"},\"accessPolicies\":[]}}",
     400, "BadRequest"},
    {"{\"location\":\"westus\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT
     "\",\"sku\":{\"name\":\"standard\",\"family\":\"B\"}}}",
     400, "BadRequest"},
    {BODY(",\"enablePurgeProtection\":false"), 400, "BadRequest"},
    {BODY(",\"enablePurgeProtection\":\"yes\""), 400, "InvalidRequestContent"},
    {BODY(",\"softDeleteRetentionInDays\":3"), 400, "BadRequest"},
    {BODY(",\"softDeleteRetentionInDays\":7.5"), 400, "InvalidRequestContent"},
    {BODY(",\"softDeleteRetentionInDays\":99999999999"), 400, "InvalidRequestContent"},
    {BODY(",\"createMode\":\"revive\""), 400, "BadRequest"},
    {BODY(",\"createMode\":\"recover\""), 404, "DeletedVaultNotFound"},
    {BODY(",\"accessPolicies\":[1]"), 400, "InvalidRequestContent"},
};

START_TEST(test_arm_vault__bad_bodies)
{
    ck_status(arm("PUT", VAULT ARM_VER, bad_vaults[_i].body), bad_vaults[_i].status);
    ck_assert_str_eq(text("error.code"), bad_vaults[_i].code);
    ck_status(arm("GET", VAULT ARM_VER, NULL), 404);
    ck_assert_str_eq(text("error.code"), "ResourceNotFound");
}
END_TEST

START_TEST(test_arm_vault__refusals)
{
    arm("PUT", VAULTS "/1bad" ARM_VER, BODY(""));
    ck_code(400, "VaultNameNotValid");
    arm("PUT", SUB "/resourceGroups/nogroup/providers/Microsoft.KeyVault/vaults/abc" ARM_VER, BODY(""));
    ck_code(404, "ResourceGroupNotFound");
    arm("PUT", "/subscriptions/notaguid/resourceGroups/g/providers/Microsoft.KeyVault/vaults/abc" ARM_VER,
        BODY(""));
    ck_assert_int_ge(last->reply.status, 400);
    arm("PUT", VAULT, BODY(""));
    ck_code(400, "MissingApiVersionParameter");
    send("localhost:8443", NULL, "PUT", VAULT ARM_VER, BODY(""));
    ck_code(401, "AuthenticationFailed");
    send("localhost:8443", vault_token, "PUT", VAULT ARM_VER, BODY(""));
    ck_code(401, "InvalidAuthenticationTokenAudience");
    /* A principal without a role. */
    struct principal nobody;
    ck_assert_int_eq(directory_system_identity_create(e, "/x", &nobody, &err), SB_OK);
    send("localhost:8443", token_for(&nobody, "https://management.azure.com"), "PUT", VAULT ARM_VER,
         BODY(""));
    ck_code(403, "AuthorizationFailed");
    ck_status(arm("DELETE", VAULT ARM_VER, NULL), 204);
    arm("PUT", VAULT "/accessPolicies/add" ARM_VER, "{\"properties\":{\"accessPolicies\":[]}}");
    ck_code(404, "ResourceNotFound");
}
END_TEST

START_TEST(test_arm_vault__access_policies)
{
    make_vault();
    ck_status(arm("PUT", VAULT "/accessPolicies/ADD" ARM_VER,
                  "{\"properties\":{\"accessPolicies\":[{\"tenantId\":\"" ENGINE_TENANT
                  "\",\"objectId\":\"aaaaaaaa-0000-0000-0000-000000000001\",\"permissions\":{\"keys\":["
                  "\"get\"],\"secrets\":[]}}]}}"),
              200);
    ck_assert_str_eq(text("id"), VAULT "/accessPolicies/");
    ck_assert_str_eq(text("type"), "Microsoft.KeyVault/vaults/accessPolicies");
    ck_assert_uint_eq(json_size(json_path(answer, "properties.accessPolicies")), 2);
    arm("PUT", VAULT "/accessPolicies/rename" ARM_VER, "{\"properties\":{\"accessPolicies\":[]}}");
    ck_code(400, "BadRequest");
    arm("PUT", VAULT "/accessPolicies/add" ARM_VER, "{\"properties\":{}}");
    ck_code(400, "BadRequest");
    arm("PUT", VAULT "/accessPolicies/add" ARM_VER,
        "{\"properties\":{\"accessPolicies\":[{\"objectId\":\"x\"}]}}");
    ck_code(400, "BadRequest");
    ck_assert_str_eq(text("error.message"), "An invalid value was provided for 'accessPolicies'.");
}
END_TEST

START_TEST(test_arm_vault__delete_recover_purge)
{
    char *location, *path;
    make_vault();
    ck_status(arm("DELETE", VAULT ARM_VER, NULL), 200);
    ck_assert_uint_eq(last->reply.body.n, 0);
    ck_status(
        arm("GET", SUB "/providers/Microsoft.KeyVault/locations/westus/deletedVaults/my-vault" ARM_VER, NULL),
        200);
    ck_assert_str_eq(
        body_text(),
        "{\"id\":\"" SUB
        "/providers/Microsoft.KeyVault/locations/westus/deletedVaults/My-Vault\",\"name\":\"My-Vault\","
        "\"type\":\"Microsoft.KeyVault/deletedVaults\",\"properties\":{\"vaultId\":\"" VAULT
        "\",\"location\":\"westus\","
        "\"tags\":{},\"deletionDate\":\"2023-11-14T22:13:20Z\",\"scheduledPurgeDate\":\"2024-02-12T22:13:"
        "20Z\"}}");
    ck_status(arm("GET", SUB "/providers/Microsoft.KeyVault/deletedVaults" ARM_VER, NULL), 200);
    ck_assert_uint_eq(json_size(json_get(answer, "value")), 1);
    ck_status(arm("GET", SUB "/providers/Microsoft.KeyVault/deletedManagedHSMs" ARM_VER, NULL), 200);
    ck_assert_str_eq(body_text(), "{\"value\":[]}");
    arm("PUT", VAULT ARM_VER, BODY(""));
    ck_code(409, "ConflictError");
    key("GET", "/keys" VER, NULL);
    ck_code(404, "VaultNotFound");
    ck_status(arm("PUT", VAULT ARM_VER,
                  "{\"location\":\"westus\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT
                  "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},\"createMode\":\"recover\"}}"),
              200);
    ck_assert_uint_eq(json_size(json_path(answer, "properties.accessPolicies")), 1);
    ck_status(key("GET", "/keys" VER, NULL), 200);
    ck_status(arm("DELETE", VAULT ARM_VER, NULL), 200);
    ck_status(arm("POST",
                  SUB "/providers/Microsoft.KeyVault/locations/westus/deletedVaults/My-Vault/purge" ARM_VER,
                  NULL),
              202);
    location = arena_strdup(arena, header("Location"));
    path = strstr(location, "/subscriptions/");
    ck_assert_ptr_nonnull(path);
    ck_status(arm("GET", path, NULL), 200);
    ck_assert_str_eq(
        body_text(),
        "{\"createdDateTime\":\"2023-11-14 22:13:20Z\",\"lastActionDateTime\":\"2023-11-14 22:13:20Z\","
        "\"status\":\"Succeeded\"}");
    ck_status(
        arm("GET", SUB "/providers/Microsoft.KeyVault/locations/westus/operationResults/junk" ARM_VER, NULL),
        404);
    arm("POST", SUB "/providers/Microsoft.KeyVault/locations/westus/deletedVaults/My-Vault/purge" ARM_VER,
        NULL);
    ck_code(404, "DeletedVaultNotFound");
    ck_status(arm("PUT", VAULT ARM_VER, BODY(",\"enablePurgeProtection\":true")), 200);
    ck_status(arm("DELETE", VAULT ARM_VER, NULL), 200);
    arm("POST", SUB "/providers/Microsoft.KeyVault/locations/westus/deletedVaults/My-Vault/purge" ARM_VER,
        NULL);
    ck_code(405, "MethodNotAllowed");
}
END_TEST

START_TEST(test_arm_vault__lists_and_name_check)
{
    const char *check = SUB "/providers/Microsoft.KeyVault/checkNameAvailability" ARM_VER;
    make_vault();
    ck_status(arm("PUT", VAULTS "/another" ARM_VER, BODY("")), 200);
    ck_status(arm("GET", VAULTS ARM_VER, NULL), 200);
    ck_assert_uint_eq(json_size(json_get(answer, "value")), 2);
    ck_assert_ptr_null(json_get(answer, "nextLink"));
    ck_status(arm("GET", SUB "/providers/Microsoft.KeyVault/vaults" ARM_VER "&$top=1", NULL), 200);
    ck_assert_uint_eq(json_size(json_get(answer, "value")), 1);
    const char *next = arena_strdup(arena, text("nextLink"));
    ck_status(arm("GET", strstr(next, "/subscriptions/"), NULL), 200);
    ck_assert_str_eq(json_text(json_get(json_first(json_get(answer, "value")), "name")), "My-Vault");
    arm("GET", VAULTS ARM_VER "&$top=0", NULL);
    ck_code(400, "BadRequest");
    arm("GET", VAULTS ARM_VER "&$skiptoken=%2a", NULL);
    ck_code(400, "BadRequest");
    ck_status(arm("POST", check, "{\"name\":\"free-one\",\"type\":\"Microsoft.KeyVault/vaults\"}"), 200);
    ck_assert_str_eq(body_text(), "{\"nameAvailable\":true}");
    ck_status(arm("POST", check, "{\"name\":\"My-vault\",\"type\":\"Microsoft.KeyVault/vaults\"}"), 200);
    ck_assert_str_eq(body_text(), "{\"nameAvailable\":false,\"reason\":\"AlreadyExists\",\"message\":\"The "
                                  "name 'My-vault' is already in use.\"}");
    ck_status(arm("POST", check, "{\"name\":\"1\",\"type\":\"Microsoft.KeyVault/vaults\"}"), 200);
    ck_assert_str_eq(text("reason"), "AccountNameInvalid");
    ck_status(arm("POST", check, "{\"type\":\"Microsoft.KeyVault/vaults\"}"), 400);
}
END_TEST

START_TEST(test_arm_vault__role_based_by_default_from_2026)
{
    const char *body = "{\"location\":\"westus\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT
                       "\",\"sku\":{\"name\":\"standard\"}}}";
    arm("PUT", VAULT ARM_VER, body);
    ck_code(400, "BadRequest");
    ck_status(arm("PUT", VAULT "?api-version=2026-02-01", body), 200);
    ck_assert(json_true(json_path(answer, "properties.enableRbacAuthorization")));
    key("GET", "/keys/k" VER, NULL);
    ck_code(403, "Forbidden");
    ck_assert_str_eq(text("error.innererror.code"), "ForbiddenByRbac");
}
END_TEST

/* ---- keys ---- */

START_TEST(test_vault_keys__challenge_first)
{
    make_vault();
    send(HOST, NULL, "POST", "/keys/k/create" VER,
         NULL); /* no token, no body: what every client sends first */
    ck_code(401, "Unauthorized");
    ck_assert_str_eq(text("error.message"), "AKV10000: Request is missing a Bearer or PoP token.");
    ck_assert_ptr_nonnull(strstr(header("WWW-Authenticate"), "Bearer authorization=\""));
    ck_assert_str_eq(header("x-ms-keyvault-region"), "westus");
    send(HOST, arm_token, "GET", "/keys" VER, NULL);
    ck_code(401, "Unauthorized");
    key("GET", "/keys", NULL);
    ck_code(400, "BadParameter");
    send("nowhere.vault.localhost:8443", vault_token, "GET", "/keys" VER, NULL);
    ck_code(404, "VaultNotFound");
}
END_TEST

START_TEST(test_vault_keys__create_and_get)
{
    make_vault();
    ck_status(key("POST", "/keys/Key1/create?api-version=7.5-preview.1",
                  "{\"kty\":\"RSA\",\"attributes\":{\"enabled\":true}}"),
              200);
    const char *kid = arena_strdup(arena, text("key.kid")), *version = strrchr(kid, '/') + 1;
    ck_assert(text_starts(kid, LOCAL "/keys/Key1/"));
    ck_assert_uint_eq(strlen(version), 32);
    ck_assert_ptr_nonnull(strstr(body_text(), "\"kty\":\"RSA\",\"key_ops\":[\"encrypt\",\"decrypt\",\"sign\","
                                              "\"verify\",\"wrapKey\",\"unwrapKey\"],\"n\":\""));
    ck_assert_str_eq(text("key.e"), "AQAB");
    ck_assert_ptr_nonnull(strstr(
        body_text(),
        "\"attributes\":{\"enabled\":true,\"created\":1700000000,\"updated\":1700000000,\"recoveryLevel\":"
        "\"Recoverable+Purgeable\",\"recoverableDays\":90,\"exportable\":false,\"hsmPlatform\":\"0\"}}"));
    ck_assert_str_eq(header("x-ms-keyvault-region"), "westus");
    ck_assert_str_eq(header("x-ms-client-request-id"), "abc");
    ck_status(key("GET", "/keys/key1/" VER, NULL), 200); /* as clients ask for the newest */
    ck_assert_str_eq(text("key.kid"), kid);
    ck_assert_ptr_null(strstr(body_text(), "hsmPlatform")); /* not in older versions */
    ck_status(key("GET", arena_printf(arena, "/Keys/key1/%s%s", version, VER), NULL), 200);
    ck_status(send(REAL, vault_token, "GET", "/keys/key1" VER, NULL), 200);
    ck_assert(text_starts(text("key.kid"), "https://my-vault.vault.azure.net/keys/Key1/"));
    key("GET", "/keys/absent" VER, NULL);
    ck_code(404, "KeyNotFound");
    key("GET", "/keys/my_key" VER, NULL);
    ck_code(400, "BadParameter");
    ck_assert_str_eq(text("error.message"), "The request URI contains an invalid name: my_key");
}
END_TEST

START_TEST(test_vault_keys__ec_dates_and_tags)
{
    make_vault();
    ck_status(key("POST", "/keys/ec/create" VER,
                  "{\"kty\":\"EC\",\"crv\":\"P-384\",\"attributes\":{\"nbf\":1,\"exp\":2,\"enabled\":false},"
                  "\"tags\":{\"t\":\"x\"},\"public_exponent\":3}"),
              200);
    ck_assert_str_eq(text("key.crv"), "P-384");
    ck_assert_ptr_nonnull(
        strstr(body_text(), "\"key_ops\":[\"sign\",\"verify\"],\"crv\":\"P-384\",\"x\":\""));
    ck_assert_ptr_nonnull(
        strstr(body_text(), "\"attributes\":{\"enabled\":false,\"nbf\":1,\"exp\":2,\"created\":"));
    ck_assert_str_eq(text("tags.t"), "x");
    ck_status(key("PATCH", "/keys/ec" VER,
                  "{\"attributes\":{\"enabled\":true},\"key_ops\":[\"verify\"],\"tags\":{\"u\":\"y\"}}"),
              200);
    ck_assert(json_true(json_path(answer, "attributes.enabled")));
    ck_assert_str_eq(text("tags.u"), "y");
    ck_assert_str_eq(text("tags.t"), "(none)");
    ck_assert_int_eq(number("attributes.exp"), 2);
    key("POST", "/keys/ec/sign" VER, "{\"alg\":\"ES384\",\"value\":\"AAAA\"}");
    ck_code(400, "BadParameter");
    ck_assert_str_eq(text("error.message"),
                     "Invalid length of 'value': 3 bytes. ES384 requires 48 bytes, encoded with base64url.");
}
END_TEST

static const char *const bad_creates[] = {
    "",
    "[]",
    "{}",
    "{\"kty\":1}",
    "{\"kty\":\"oct\"}",
    "{\"kty\":\"RSA\",\"key_size\":1024}",
    "{\"kty\":\"RSA\",\"key_size\":\"2048\"}",
    "{\"kty\":\"RSA\",\"key_size\":-1}",
    "{\"kty\":\"RSA\",\"key_size\":99999999999999999999}",
    "{\"kty\":\"EC\",\"crv\":\"P-999\"}",
    "{\"kty\":\"EC\",\"key_ops\":\"sign\"}",
    "{\"kty\":\"EC\",\"key_ops\":[1]}",
    "{\"kty\":\"EC\",\"key_ops\":[\"sign,verify\"]}",
    "{\"kty\":\"EC\",\"attributes\":[]}",
    "{\"kty\":\"EC\",\"attributes\":{\"nbf\":\"soon\"}}",
    "{\"kty\":\"EC\",\"attributes\":{\"nbf\":-5}}",
    "{\"kty\":\"EC\",\"attributes\":{\"nbf\":9,\"exp\":5}}",
    "{\"kty\":\"EC\",\"tags\":{\"a\":1}}",
    "{\"kty\":\"EC\",\"tags\":{\"1\":\"\",\"2\":\"\",\"3\":\"\",\"4\":\"\",\"5\":\"\",\"6\":\"\",\"7\":\"\","
    "\"8\":\"\",\"9\":\"\",\"10\":\"\","
    "\"11\":\"\",\"12\":\"\",\"13\":\"\",\"14\":\"\",\"15\":\"\",\"16\":\"\"}}",
};

START_TEST(test_vault_keys__bad_creates)
{
    make_vault();
    key("POST", "/keys/k/create" VER, bad_creates[_i]);
    ck_code(400, "BadParameter");
    key("GET", "/keys/k" VER, NULL);
    ck_code(404, "KeyNotFound");
}
END_TEST

/* RFC 7515, appendix A.3. */
#define JWK                                                                                                  \
    "\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"        \
    "tue659LNpXW6pCyStikYjKIWI5a0\""
#define JWK_D ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\""

START_TEST(test_vault_keys__import)
{
    static const char *const bad[] = {
        "{}",
        "{\"key\":{}}",
        "{\"key\":{\"kty\":\"oct\",\"k\":\"AAAA\"}}",
        "{\"key\":{\"kty\":\"EC\"," JWK "}}",
        "{\"key\":{\"kty\":\"EC\"," JWK ",\"d\":\"not base64url!\"}}",
        "{\"key\":{\"kty\":\"EC\"," JWK ",\"d\":\"AAAA\"}}",
        "{\"key\":{\"kty\":\"EC\"," JWK ",\"d\":7}}",
        "{\"key\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"d\":\"AQAB\"}}",
        "{\"key\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"d\":\"AAAA\"}}",
        "{\"Hsm\":\"no\",\"key\":{\"kty\":\"EC\"," JWK JWK_D "}}",
    };
    make_vault();
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        key("PUT", "/keys/imp" VER, bad[i]);
        ck_code(400, "BadParameter");
    }
    ck_status(key("PUT", "/keys/imp" VER,
                  "{\"Hsm\":false,\"key\":{\"kty\":\"EC\"," JWK JWK_D "},\"attributes\":{\"enabled\":true}}"),
              200);
    ck_assert_ptr_nonnull(strstr(body_text(), "\"kty\":\"EC\",\"key_ops\":[\"sign\",\"verify\"]," JWK "}"));
    ck_assert_ptr_null(strstr(body_text(), "jpsQnnGQmL"));
    key("PUT", "/keys/imp" VER, "{\"hsm\":true,\"key\":{\"kty\":\"EC\"," JWK JWK_D "}}");
    ck_code(400, "BadParameter");
    ck_assert_str_eq(text("error.message"), "Hardware key operation not allowed on standard vault");
    ck_status(
        arm("PATCH", VAULT ARM_VER, "{\"properties\":{\"sku\":{\"family\":\"A\",\"name\":\"premium\"}}}"),
        200);
    ck_status(key("PUT", "/keys/imp" VER,
                  "{\"hsm\":true,\"key\":{\"kty\":\"EC\",\"key_ops\":[\"sign\"]," JWK JWK_D "}}"),
              200);
    ck_assert_str_eq(text("key.kty"), "EC-HSM");
    ck_assert_ptr_nonnull(strstr(body_text(), "\"key_ops\":[\"sign\"]"));
}
END_TEST

START_TEST(test_vault_keys__lists_in_pages)
{
    make_vault();
    ck_status(key("GET", "/keys/none/versions" VER, NULL), 200);
    ck_assert_str_eq(body_text(), "{\"value\":[],\"nextLink\":null}");
    ck_status(key("POST", "/keys/a/create" VER, "{\"kty\":\"EC\",\"tags\":{\"t\":\"x\"}}"), 200);
    ck_status(key("POST", "/keys/b/create" VER, "{\"kty\":\"EC\"}"), 200);
    ck_status(key("POST", "/keys/a/create" VER, "{\"kty\":\"EC\"}"), 200);
    ck_status(key("GET", "/keys" VER, NULL), 200);
    ck_assert(text_starts(body_text(),
                          "{\"value\":[{\"kid\":\"" LOCAL "/keys/a\",\"attributes\":{\"enabled\":true,"));
    ck_assert_uint_eq(json_size(json_get(answer, "value")), 2);
    ck_assert(json_is_null(json_get(answer, "nextLink")));
    ck_status(send(REAL, vault_token, "GET", "/keys?maxresults=1&api-version=7.4", NULL), 200);
    const char *next = arena_strdup(arena, text("nextLink"));
    ck_assert_msg(text_starts(next, "https://my-vault.vault.azure.net:443/keys?api-version=7.4&$skiptoken="),
                  "%s", next);
    ck_assert(text_ends(next, "&maxresults=1"));
    ck_status(send(REAL, vault_token, "GET", strstr(next, "/keys?"), NULL), 200);
    ck_assert_ptr_nonnull(strstr(body_text(), "/keys/b\""));
    ck_assert(json_is_null(json_get(answer, "nextLink")));
    ck_status(key("GET", "/keys/a/versions" VER "&maxresults=1", NULL), 200);
    ck_assert(text_starts(text("nextLink"), LOCAL "/keys/a/versions?api-version=7.4&$skiptoken="));
    ck_status(key("GET", "/keys/a/versions" VER, NULL), 200);
    ck_assert_ptr_nonnull(strstr(body_text(), "\"tags\":{\"t\":\"x\"}"));
    static const char *const bad[] = {"maxresults=0",  "maxresults=26",   "maxresults=x",
                                      "$skiptoken=!!", "$skiptoken=AAAA", "$skiptoken="};
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        key("GET", arena_printf(arena, "/keys" VER "&%s", bad[i]), NULL);
        ck_code(400, "BadParameter");
    }
}
END_TEST

START_TEST(test_vault_keys__delete_recover_purge)
{
    make_vault();
    ck_status(key("POST", "/keys/k/create" VER, "{\"kty\":\"EC\"}"), 200);
    ck_status(key("DELETE", "/keys/k" VER, NULL), 200);
    ck_assert(text_starts(body_text(),
                          "{\"recoveryId\":\"" LOCAL
                          "/deletedkeys/k\",\"deletedDate\":1700000000,\"scheduledPurgeDate\":1707776000,"
                          "\"key\":{\"kid\":\"" LOCAL "/keys/k/"));
    key("POST", "/keys/k/create" VER, "{\"kty\":\"EC\"}");
    ck_code(409, "Conflict");
    ck_assert_str_eq(text("error.innererror.code"), "ObjectIsDeletedButRecoverable");
    ck_status(key("GET", "/deletedkeys/k" VER, NULL), 200);
    ck_status(key("GET", "/deletedkeys" VER, NULL), 200);
    ck_assert(text_starts(
        body_text(), "{\"value\":[{\"recoveryId\":\"" LOCAL "/deletedkeys/k\",\"deletedDate\":1700000000,"
                     "\"scheduledPurgeDate\":1707776000,\"kid\":\"" LOCAL "/keys/k\",\"attributes\":{"));
    ck_status(key("POST", "/deletedkeys/k/recover" VER, NULL), 200);
    ck_assert(text_starts(body_text(), "{\"key\":{\"kid\":\""));
    key("DELETE", "/deletedkeys/k" VER, NULL);
    ck_code(405, "MethodNotAllowed");
    ck_assert_str_eq(text("error.innererror.code"), "RequestNotAllowedOnNonDeletedObject");
    ck_status(key("DELETE", "/keys/k" VER, NULL), 200);
    ck_status(key("DELETE", "/deletedkeys/k" VER, NULL), 204);
    ck_assert_uint_eq(last->reply.body.n, 0);
    key("GET", "/deletedkeys/k" VER, NULL);
    ck_code(404, "KeyNotFound");
    ck_assert_str_eq(text("error.message"), "Deleted Key not found: k");
}
END_TEST

START_TEST(test_vault_keys__wrap_unwrap_sign_verify)
{
    static const char *const bad[] = {"{}",
                                      "{\"alg\":\"RSA-OAEP-256\"}",
                                      "{\"value\":\"AAAA\"}",
                                      "{\"alg\":\"RSA-OAEP-512\",\"value\":\"AAAA\"}",
                                      "{\"alg\":\"rsa-oaep\",\"value\":\"AAAA\"}",
                                      "{\"alg\":\"RS256\",\"value\":\"AAAA\"}",
                                      "{\"alg\":\"RSA-OAEP\",\"value\":\"AA==\"}",
                                      "{\"alg\":\"RSA-OAEP\",\"value\":\"A+/A\"}",
                                      "{\"alg\":\"RSA-OAEP\",\"value\":\"A\"}",
                                      "{\"alg\":\"RSA-OAEP\",\"value\":\"\"}",
                                      "{\"alg\":\"RSA-OAEP\",\"value\":12}",
                                      "{\"alg\":7,\"value\":\"AAAA\"}",
                                      "{\"alg\":\"ES256\",\"value\":\"AAAA\"}"};
    make_vault();
    ck_status(key("POST", "/keys/k/create" VER, "{\"kty\":\"RSA\"}"), 200);
    const char *kid = arena_strdup(arena, text("key.kid"));
    const char *path = strstr(kid, "/keys/");
    ck_status(
        key("POST", "/keys/k/wrapKey" VER, "{\"alg\":\"RSA-OAEP-256\",\"value\":\"AAECAwQFBgcICQoLDA0ODw\"}"),
        200);
    ck_assert_str_eq(text("kid"), kid);
    const char *wrapped = arena_printf(arena, "{\"alg\":\"RSA-OAEP-256\",\"value\":\"%s\"}", text("value"));
    ck_status(key("POST", arena_printf(arena, "%s/UNWRAPKEY" VER, path), wrapped), 200);
    ck_assert_str_eq(text("value"), "AAECAwQFBgcICQoLDA0ODw");
    ck_status(key("POST", "/keys/k/decrypt" VER, wrapped), 200);
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        key("POST", "/keys/k/wrapkey" VER, bad[i]);
        ck_code(400, "BadParameter");
        key("POST", "/keys/k/decrypt" VER, bad[i]);
        ck_code(400, "BadParameter");
    }
    ck_status(key("POST", "/keys/k/sign" VER,
                  "{\"alg\":\"RS256\",\"value\":\"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\"}"),
              200);
    const char *sig = arena_strdup(arena, text("value"));
    ck_status(key("POST", arena_printf(arena, "%s/verify" VER, path),
                  arena_printf(arena,
                               "{\"alg\":\"RS256\",\"digest\":"
                               "\"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI\",\"value\":\"%s\"}",
                               sig)),
              200);
    ck_assert_str_eq(body_text(), "{\"value\":true}");
    ck_status(key("PATCH", "/keys/k" VER, "{\"attributes\":{\"exp\":1}}"), 200);
    key("POST", "/keys/k/wrapkey" VER, "{\"alg\":\"RSA-OAEP-256\",\"value\":\"AAAA\"}");
    ck_code(403, "Forbidden");
    ck_assert_str_eq(text("error.innererror.code"), "KeyExpired");
    ck_status(key("POST", "/keys/k/unwrapkey" VER, wrapped), 200);
    ck_status(key("PATCH", "/keys/k" VER, "{\"attributes\":{\"enabled\":false}}"), 200);
    key("POST", "/keys/k/unwrapkey" VER, wrapped);
    ck_code(403, "Forbidden");
    ck_assert_str_eq(text("error.innererror.code"), "KeyDisabled");
    ck_assert_str_eq(text("error.message"), "Operation unwrapKey is not allowed on a disabled key.");
    ck_status(key("POST", "/keys/k/rotate" VER, NULL), 200);
    ck_assert_str_ne(text("key.kid"), kid);
    ck_status(key("POST", arena_printf(arena, "%s/unwrapkey" VER, path), wrapped), 403);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vault_keys");
    TCase *t = tcase_create("vault_keys");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_arm_vault__put_and_get);
    tcase_add_test(t, test_arm_vault__network_rules);
    tcase_add_loop_test(t, test_arm_vault__bad_bodies, 0, (int)SB_ARRAY_LEN(bad_vaults));
    tcase_add_test(t, test_arm_vault__refusals);
    tcase_add_test(t, test_arm_vault__access_policies);
    tcase_add_test(t, test_arm_vault__delete_recover_purge);
    tcase_add_test(t, test_arm_vault__lists_and_name_check);
    tcase_add_test(t, test_arm_vault__role_based_by_default_from_2026);
    tcase_add_test(t, test_vault_keys__challenge_first);
    tcase_add_test(t, test_vault_keys__create_and_get);
    tcase_add_test(t, test_vault_keys__ec_dates_and_tags);
    tcase_add_loop_test(t, test_vault_keys__bad_creates, 0, (int)SB_ARRAY_LEN(bad_creates));
    tcase_add_test(t, test_vault_keys__import);
    tcase_add_test(t, test_vault_keys__lists_in_pages);
    tcase_add_test(t, test_vault_keys__delete_recover_purge);
    tcase_add_test(t, test_vault_keys__wrap_unwrap_sign_verify);
    suite_add_tcase(s, t);
    return s;
}
