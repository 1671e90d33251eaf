/*
 * test_arm_namespace.c: Microsoft.ServiceBus/namespaces over the dispatcher: shapes by api-version, recorded
 * answers, errors, and what clients see of revoked keys (semantics 2-5, 9, 15, 17).
 */
#include <stdio.h>
#include "server/engine/broker.h"
#include "server/engine/poller.h"
#include "server/engine/vault.h"
#include "tests/unit/api/arm_fixture.h"

#define GROUP SUB "/resourceGroups/RG"
#define NSURL GROUP "/providers/Microsoft.ServiceBus/namespaces/Contoso-One"
#define V24   "?api-version=2024-01-01"
#define V23   "?api-version=2023-01-01-preview"
#define V18   "?api-version=2018-01-01-preview"
#define PREMIUM                                                                                              \
    "\"location\":\"North "                                                                                  \
    "Europe\",\"sku\":{\"name\":\"Premium\",\"tier\":\"Premium\"},\"identity\":{\"type\":"                   \
    "\"SystemAssigned\"}"
#define KEY(name) "{\"keyName\":\"" name "\",\"keyVaultUri\":\"https://kv-one.vault.azure.net/\"}"
#define ENCRYPTED(keys)                                                                                      \
    "{" PREMIUM                                                                                              \
    ",\"properties\":{\"encryption\":{\"keySource\":\"Microsoft.KeyVault\",\"keyVaultProperties\":" keys     \
    "}}}"

static void setup(void)
{
    fixture_open(NULL, 0);
    sign_in("https://management.azure.com");
    ck_assert_int_eq(call(ARM, "PUT", GROUP "?api-version=2021-04-01", "{\"location\":\"westus\"}"), 201);
}

static bool has(const char *path)
{
    return json_path(answer, path) != NULL;
}

static void put_ns(int status, const char *version, const char *body)
{
    char url[400];
    snprintf(url, sizeof url, "%s%s", NSURL, version);
    int got = call(ARM, "PUT", url, body);
    ck_assert_msg(got == status, "%d: %s", got, buf_str(&last->reply.body));
}

static void refused(int status, const char *code, const char *message)
{
    ck_assert_msg(last->reply.status == status, "%d: %s", last->reply.status, buf_str(&last->reply.body));
    ck_assert_str_eq(text_at("error.code"), code);
    ck_assert_msg(strstr(text_at("error.message"), message) != NULL, "%s", text_at("error.message"));
}

/* A vault with k1 and k2, which the namespace may use. */
static void make_keys(void)
{
    static const char *const names[] = {"k1", "k2"};
    bool found;
    struct principal me;
    struct sb_arena *a = arena_new(1u << 20);
    char oid[40], body[900];
    put_ns(201, V24, "{" PREMIUM "}");
    ck_assert(text_copy(oid, sizeof oid, text_at("identity.principalId")));
    snprintf(body, sizeof body,
             "{\"location\":\"westus\",\"properties\":{\"tenantId\":\"" ENGINE_TENANT
             "\",\"sku\":{\"family\":\"A\",\"name\":\"standard\"},"
             "\"enableSoftDelete\":true,\"enablePurgeProtection\":true,\"accessPolicies\":["
             "{\"tenantId\":\"" ENGINE_TENANT
             "\",\"objectId\":\"%s\",\"permissions\":{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}},"
             "{\"tenantId\":\"" ENGINE_TENANT "\",\"objectId\":\"" ENGINE_CLIENT_OID
             "\",\"permissions\":{\"keys\":[\"all\"]}}]}}",
             oid);
    ck_assert_int_eq(
        call(ARM, "PUT", GROUP "/providers/Microsoft.KeyVault/vaults/kv-one?api-version=2023-07-01", body),
        200);
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &me, &err), SB_OK);
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        struct vkey k;
        struct vault_caller c = {.who = &me};
        struct vkey_spec s = {
            .vault = "kv-one", .name = names[i], .kty = "RSA", .enabled = -1, .nbf = -1, .exp = -1};
        ck_assert_msg(vkey_create(e, &c, &s, a, &k, &err) == SB_OK, "%s", err.detail);
    }
    arena_free(a);
}

static void delete_keys(const char *first, const char *second)
{
    const char *const names[] = {first, second};
    bool found;
    struct principal me;
    struct sb_arena *a = arena_new(1u << 20);
    struct poll_change *c;
    size_t n;
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &me, &err), SB_OK);
    for (size_t i = 0; i < 2 && names[i]; i++) {
        struct vkey k;
        struct vault_caller caller = {.who = &me};
        ck_assert_int_eq(vkey_delete(e, &caller, "kv-one", names[i], a, &k, &err), SB_OK);
    }
    ck_assert_int_eq(poller_poll_all(e, NULL, a, &c, &n, &err), SB_OK);
    arena_free(a);
}

/* ---- shapes ---- */

START_TEST(test_arm_namespace__created_as_recorded)
{
    put_ns(201, V23, "{\"location\":\"North Europe\",\"sku\":{\"name\":\"Premium\"},\"tags\":{\"a\":\"1\"}}");
    ck_assert_str_eq(text_at("id"), NSURL);
    ck_assert_str_eq(text_at("name"), "Contoso-One");
    ck_assert_str_eq(text_at("type"), "Microsoft.ServiceBus/Namespaces");
    ck_assert_str_eq(text_at("location"), "northeurope");
    ck_assert_str_eq(text_at("tags.a"), "1");
    ck_assert_str_eq(text_at("sku.tier"), "Premium");
    ck_assert(has("sku.capacity"));
    ck_assert_str_eq(text_at("properties.metricId"), ENGINE_SUBSCRIPTION ":contoso-one");
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_str_eq(text_at("properties.status"), "Active");
    ck_assert_str_eq(text_at("properties.createdAt"), "2023-11-14T22:13:20.0000000Z");
    ck_assert_str_eq(text_at("properties.minimumTlsVersion"), "1.2");
    ck_assert_str_eq(text_at("properties.publicNetworkAccess"), "Enabled");
    ck_assert(has("properties.geoDataReplication.locations"));
    ck_assert(!has("identity") && !has("properties.encryption"));
    put_ns(200, V23, "{\"sku\":{\"name\":\"Premium\",\"capacity\":4}}");
    ck_assert(!has("tags.a"));
}
END_TEST

START_TEST(test_arm_namespace__an_older_version_creates_with_200)
{
    put_ns(200, V18,
           "{\"location\":\"westus\",\"sku\":{\"name\":\"Standard\",\"tier\":\"Standard\",\"capacity\":0}}");
    ck_assert_str_eq(text_at("properties.createdAt"), "2023-11-14T22:13:20Z");
    ck_assert(!has("sku.capacity"));
}
END_TEST

static const struct {
    const char *version;
    bool infra, local_auth, tls, partitions, geo;
} versions[] = {
    {"2017-04-01", false, false, false, false, false},
    {"2018-01-01-preview", false, false, false, false, false},
    {"2021-01-01-preview", true, false, false, false, false},
    {"2021-11-01", true, true, false, false, false},
    {"2022-01-01-preview", true, true, true, false, false},
    {"2022-10-01-preview", true, true, true, true, false},
    {"2023-01-01-preview", true, true, true, true, true},
    {"2024-01-01", true, true, true, true, false},
    {"2025-05-01-preview", true, true, true, true, true},
    {"2026-01-01", true, true, true, true, true},
};

START_TEST(test_arm_namespace__members_by_version)
{
    make_keys();
    put_ns(200, V24, ENCRYPTED("[" KEY("k1") "]"));
    for (size_t i = 0; i < SB_ARRAY_LEN(versions); i++) {
        char url[400];
        snprintf(url, sizeof url, "%s?api-version=%s", NSURL, versions[i].version);
        ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
        ck_assert_int_eq(has("properties.encryption.requireInfrastructureEncryption"), versions[i].infra);
        ck_assert_int_eq(has("properties.disableLocalAuth"), versions[i].local_auth);
        ck_assert_int_eq(has("properties.minimumTlsVersion"), versions[i].tls);
        ck_assert_int_eq(has("properties.publicNetworkAccess"), versions[i].tls);
        ck_assert_int_eq(has("properties.premiumMessagingPartitions"), versions[i].partitions);
        ck_assert_int_eq(has("properties.geoDataReplication"), versions[i].geo);
        ck_assert_int_eq(has("properties.zoneRedundant"), strcmp(versions[i].version, "2017-04-01") != 0);
    }
}
END_TEST

START_TEST(test_arm_namespace__names_as_the_client_asked)
{
    put_ns(201, V24, "{\"location\":\"westus\",\"sku\":{\"name\":\"Standard\"}}");
    ck_assert_str_eq(text_at("properties.serviceBusEndpoint"),
                     "https://Contoso-One.servicebus.localhost:8443/");
    ck_assert_int_eq(call("management.azure.com", "GET", NSURL V24, NULL), 200);
    ck_assert_str_eq(text_at("properties.serviceBusEndpoint"),
                     "https://Contoso-One.servicebus.windows.net:443/");
}
END_TEST

START_TEST(test_arm_namespace__kept_as_sent)
{
    put_ns(
        201, V23,
        "{" PREMIUM
        ",\"properties\":{\"alternateName\":\"other\",\"minimumTlsVersion\":\"1.1\",\"zoneRedundant\":true,"
        "\"disableLocalAuth\":true,\"publicNetworkAccess\":\"Disabled\",\"premiumMessagingPartitions\":2,"
        "\"unknown\":{\"x\":[1]},"
        "\"geoDataReplication\":{\"maxReplicationLagDurationInSeconds\":300,\"locations\":[{\"locationName\":"
        "\"TaiwanNorth\","
        "\"roleType\":\"Primary\"}]}}}");
    ck_assert_str_eq(text_at("properties.alternateName"), "other");
    ck_assert_str_eq(text_at("properties.minimumTlsVersion"), "1.2"); /* recorded */
    ck_assert_str_eq(text_at("properties.publicNetworkAccess"), "Disabled");
    ck_assert(json_true(json_path(answer, "properties.disableLocalAuth")) &&
              json_true(json_path(answer, "properties.zoneRedundant")));
    const struct json *at = json_first(json_path(answer, "properties.geoDataReplication.locations"));
    ck_assert_str_eq(json_text(json_get(at, "locationName")), "taiwannorth");
    ck_assert_str_eq(json_text(json_get(at, "replicaState")), "Ready");
}
END_TEST

/* ---- malformed ---- */

static const struct {
    const char *body;
    int status;
    const char *code, *message;
} bad[] = {
    {"{\"sku\":{\"name\":\"Premium\"}}", 400, "LocationRequired", ""},
    {"{\"location\":\"westus\",\"sku\":{\"name\":\"Gold\"}}", 400, "BadRequest",
     "The SKU 'Gold' is not valid"},
    {"{\"location\":\"westus\",\"sku\":7}", 400, "InvalidRequestContent", "sku"},
    {"{\"location\":\"westus\",\"identity\":{}}", 400, "InvalidRequestContent",
     "Required property 'type' not found in JSON. Path 'identity'."},
    {"{\"location\":\"westus\",\"identity\":{\"type\":\"Other\"}}", 400, "BadRequest",
     "identity type 'Other'"},
    {"{\"location\":\"westus\",\"identity\":{\"type\":\"UserAssigned\"}}", 400, "BadRequest", "1 to 4"},
    {"{\"location\":\"westus\",\"properties\":[]}", 400, "InvalidRequestContent", "properties"},
    {"{\"location\":\"westus\",\"properties\":{\"minimumTlsVersion\":\"2\"}}", 400, "BadRequest",
     "minimumTlsVersion"},
    {"{\"location\":\"westus\",\"properties\":{\"publicNetworkAccess\":\"x\"}}", 400, "BadRequest",
     "publicNetworkAccess"},
    {"{\"location\":\"westus\",\"properties\":{\"disableLocalAuth\":\"x\"}}", 400, "InvalidRequestContent",
     "disableLocalAuth"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":[]}}", 400, "InvalidRequestContent", "encryption"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{\"keyVaultProperties\":7}}}", 400, "InvalidRequestContent",
     "keyVaultProperties"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{\"keyVaultProperties\":[7]}}}", 400,
     "InvalidRequestContent", "keyVaultProperties"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{\"keyVaultProperties\":[{\"keyName\":1}]}}}", 400,
     "InvalidRequestContent", "keyName"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{\"keyVaultProperties\":[{\"keyName\":\"k\"}]}}}", 400,
     "BadRequest",
     "All KeyVaultProperties must be specified as part of the Encryption object. CorrelationId: "},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{}}}", 400, "BadRequest",
     "All KeyVaultProperties must be specified"},
    {"{" PREMIUM ",\"properties\":{\"encryption\":{\"requireInfrastructureEncryption\":\"yes\"}}}", 400,
     "InvalidRequestContent", "requireInfrastructureEncryption"},
    {"not json", 400, "InvalidRequestContent", ""},
};

START_TEST(test_arm_namespace__malformed)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        (void)call(ARM, "PUT", NSURL V24, bad[i].body);
        refused(bad[i].status, bad[i].code, bad[i].message);
        ck_assert_int_eq(call(ARM, "GET", NSURL V24, NULL), 404); /* nothing half-done */
    }
    ck_assert_int_eq(call(ARM, "PUT", GROUP "/providers/Microsoft.ServiceBus/namespaces/1bad" V24,
                          "{\"location\":\"westus\"}"),
                     400);
    refused(400, "BadRequest", "namespace name '1bad' is not valid");
    ck_assert_int_eq(call(ARM, "PUT",
                          SUB "/resourceGroups/none/providers/Microsoft.ServiceBus/namespaces/abcdef" V24,
                          "{\"location\":\"westus\"}"),
                     404);
    refused(404, "ResourceGroupNotFound", "Resource group 'none' could not be found.");
}
END_TEST

/* ---- life ---- */

START_TEST(test_arm_namespace__get_list_delete)
{
    ck_assert_int_eq(call(ARM, "GET", NSURL V24, NULL), 404);
    refused(404, "ResourceNotFound",
            "The Resource 'Microsoft.ServiceBus/namespaces/Contoso-One' under resource group 'RG' was not "
            "found.");
    ck_assert_int_eq(call(ARM, "DELETE", NSURL V24, NULL), 204);
    ck_assert_int_eq(call(ARM, "PATCH", NSURL V24, "{}"), 404);
    put_ns(201, V24, "{" PREMIUM "}");
    ck_assert_int_eq(call(ARM, "GET", GROUP "/providers/Microsoft.ServiceBus/namespaces" V24, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", SUB "/providers/Microsoft.ServiceBus/namespaces" V24, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "PATCH", NSURL V24, "{\"tags\":{\"a\":\"2\"}}"), 200);
    ck_assert_str_eq(text_at("tags.a"), "2");
    ck_assert(has("identity.principalId"));
    ck_assert_int_eq(call(ARM, "DELETE", NSURL V24, NULL), 202);
    ck_assert_uint_eq(last->reply.body.n, 0);
    char where[600];
    ck_assert(text_copy(where, sizeof where, header_of("Location")));
    static const char base[] = "https://localhost:8443";
    ck_assert_msg(strncmp(where, base, sizeof base - 1) == 0, "%s", where); /* absolute, as clients need it */
    ck_assert_int_eq(call(ARM, "GET", where + sizeof base - 1, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", NSURL V24, NULL), 404);
}
END_TEST

START_TEST(test_arm_namespace__check_name)
{
    const char *url = SUB "/providers/Microsoft.ServiceBus/CheckNameAvailability" V24;
    ck_assert_int_eq(call(ARM, "POST", url, "{\"name\":\"contoso-one\"}"), 200);
    ck_assert(json_true(json_get(answer, "nameAvailable")));
    ck_assert_str_eq(text_at("reason"), "None");
    put_ns(201, V24, "{" PREMIUM "}");
    ck_assert_int_eq(call(ARM, "POST", url, "{\"name\":\"contoso-one\"}"), 200);
    ck_assert(!json_true(json_get(answer, "nameAvailable")));
    ck_assert_str_eq(text_at("reason"), "NameInUse");
    ck_assert_int_eq(call(ARM, "POST", url, "{\"name\":\"x\"}"), 200);
    ck_assert_str_eq(text_at("reason"), "InvalidName");
    ck_assert_int_eq(call(ARM, "POST", url, "{}"), 400);
}
END_TEST

START_TEST(test_arm_namespace__identity_shapes)
{
    char id[300], body[900];
    ck_assert_int_eq(
        call(ARM, "PUT",
             GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/one?api-version=2023-01-31",
             "{\"location\":\"westus\"}"),
        201);
    ck_assert(text_copy(id, sizeof id, text_at("id")));
    snprintf(body, sizeof body,
             "{\"location\":\"westus\",\"sku\":{\"name\":\"Premium\"},\"identity\":{\"type\":"
             "\"SystemAssigned, UserAssigned\","
             "\"userAssignedIdentities\":{\"%s\":{}}}}",
             id);
    put_ns(201, V24, body);
    ck_assert_str_eq(text_at("identity.type"), "SystemAssigned, UserAssigned");
    ck_assert_str_eq(text_at("identity.tenantId"), ENGINE_TENANT);
    const struct json *one = json_first(json_path(answer, "identity.userAssignedIdentities"));
    ck_assert_str_eq(json_key(one), id); /* echoed as sent */
    ck_assert(json_get(one, "clientId") && json_get(one, "principalId"));
    put_ns(200, V24, "{\"location\":\"westus\",\"identity\":{\"type\":\"None\"}}");
    ck_assert(!has("identity")); /* recorded */
}
END_TEST

/* ---- encryption ---- */

START_TEST(test_arm_namespace__encryption_as_sent)
{
    make_keys();
    put_ns(200, V18, ENCRYPTED(KEY("k1"))); /* 5: one object */
    const struct json *list = json_path(answer, "properties.encryption.keyVaultProperties");
    ck_assert(json_is_array(list) && json_size(list) == 1);
    ck_assert_str_eq(json_text(json_get(json_first(list), "keyVaultUri")), "https://kv-one.vault.azure.net");
    ck_assert_ptr_null(json_get(json_first(list), "keyVersion"));
    ck_assert_str_eq(text_at("properties.encryption.keySource"), "Microsoft.KeyVault");
    ck_assert_str_eq(text_at("properties.encryption.status"), "Active");
    put_ns(200, V24,
           ENCRYPTED("[" KEY("k1") ",{\"keyName\":\"k2\",\"keyVaultUri\":\"https://"
                                   "kv-one.vault.azure.net\",\"keyVersion\":\"\"}]"));
    list = json_path(answer, "properties.encryption.keyVaultProperties");
    ck_assert_uint_eq(json_size(list), 2);
    ck_assert_str_eq(json_text(json_get(json_next(json_first(list)), "keyVersion")), "");
    /* 2 */
    (void)call(ARM, "PUT", NSURL V24, "{" PREMIUM "}");
    refused(400, "BadRequest",
            "Encryption properties are missing. Note: Once encryption has been enabled on a namespace, it "
            "cannot be disabled. CorrelationId: ");
    ck_assert_int_eq(call(ARM, "PATCH", NSURL V24, "{\"properties\":{}}"), 200);
    ck_assert(has("properties.encryption"));
}
END_TEST

START_TEST(test_arm_namespace__get_change_put)
{
    char body[3000];
    make_keys();
    put_ns(200, V24, ENCRYPTED("[" KEY("k1") "," KEY("k2") "]"));
    delete_keys("k1", NULL);
    ck_assert_int_eq(call(ARM, "GET", NSURL V24, NULL), 200);
    ck_assert_uint_eq(json_size(json_path(answer, "properties.encryption.keyVaultProperties")),
                      1); /* 9: hidden */
    ck_assert_str_eq(text_at("properties.encryption.status"), "Active");
    /* 15: what GET shows, with what it adds, goes back in and destroys nothing */
    ck_assert(text_copy(body, sizeof body, buf_str(&last->reply.body)));
    put_ns(200, V24, body);
    struct ns_view v;
    struct sb_arena *a = arena_new(1u << 20);
    ck_assert_int_eq(ns_by_name(e, "contoso-one", a, &v, &err), SB_OK);
    ck_assert_uint_eq(v.keys_n, 2);
    arena_free(a);
}
END_TEST

START_TEST(test_arm_namespace__17_revoked)
{
    char body[3000];
    make_keys();
    put_ns(200, V24, ENCRYPTED("[" KEY("k1") "," KEY("k2") "]"));
    delete_keys("k1", "k2");
    ck_assert_int_eq(call(ARM, "GET", NSURL V24, NULL), 200);
    ck_assert_str_eq(text_at("properties.status"), "Revoked");
    ck_assert_str_eq(text_at("properties.encryption.status"), "Revoked");
    ck_assert_uint_eq(json_size(json_path(answer, "properties.encryption.keyVaultProperties")), 0);
    ck_assert(text_copy(body, sizeof body, buf_str(&last->reply.body)));
    put_ns(200, V24, body); /* [] where GET shows [] */
    ck_assert_int_eq(call(ARM, "PATCH", NSURL V24, "{\"tags\":{\"a\":\"1\"}}"), 200);
    ck_assert_int_eq(
        call(ARM, "POST", NSURL "/AuthorizationRules/RootManageSharedAccessKey/listKeys" V24, NULL), 200);
    ck_assert_int_eq(call(ARM, "GET", NSURL "/authorizationRules" V24, NULL), 200);
    (void)call(ARM, "PUT", NSURL "/authorizationRules/x" V24, "{\"properties\":{\"rights\":[\"Send\"]}}");
    refused(409, "Conflict", "disabled because the encryption key is no longer valid");
    (void)call(ARM, "POST", NSURL "/authorizationRules/RootManageSharedAccessKey/regenerateKeys" V24,
               "{\"keyType\":\"PrimaryKey\"}");
    refused(409, "Conflict", "no longer valid");
    put_ns(200, V18, ENCRYPTED("[" KEY("k1") "," KEY("k2") "]")); /* the article's template again */
    ck_assert_str_eq(text_at("properties.encryption.status"), "Revoked");
    ck_assert_int_eq(call(ARM, "DELETE", NSURL V24, NULL), 202);
}
END_TEST

/* ---- authorization rules ---- */

START_TEST(test_arm_namespace__rules)
{
    char key[100];
    put_ns(201, V24, "{\"location\":\"westus\",\"sku\":{\"name\":\"Standard\"}}");
    ck_assert_int_eq(call(ARM, "GET", NSURL "/AuthorizationRules" V24, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "name")), "RootManageSharedAccessKey");
    const struct json *right = json_first(json_path(item(0), "properties.rights"));
    ck_assert_str_eq(json_text(right), "Listen");
    ck_assert_str_eq(json_text(json_next(right)), "Manage");
    ck_assert_str_eq(json_text(json_next(json_next(right))), "Send");
    ck_assert_int_eq(
        call(ARM, "PUT", NSURL "/AuthorizationRules/sender" V24, "{\"properties\":{\"rights\":[\"Send\"]}}"),
        200);
    ck_assert_str_eq(text_at("id"), NSURL "/AuthorizationRules/sender");
    ck_assert_str_eq(text_at("type"), "Microsoft.ServiceBus/Namespaces/AuthorizationRules");
    ck_assert_str_eq(text_at("location"), "westus");
    ck_assert_int_eq(call(ARM, "GET", NSURL "/AuthorizationRules/sender" V24, NULL), 200);
    ck_assert_str_eq(text_at("id"), NSURL "/authorizationrules/sender");
    ck_assert_int_eq(call(ARM, "POST", NSURL "/AuthorizationRules/sender/ListKeys" V24, NULL), 200);
    ck_assert_str_eq(text_at("keyName"), "sender");
    ck_assert(text_copy(key, sizeof key, text_at("primaryKey")));
    ck_assert_uint_eq(strlen(key), 44);
    char want[300];
    snprintf(
        want, sizeof want,
        "Endpoint=sb://Contoso-One.servicebus.localhost:8443/;SharedAccessKeyName=sender;SharedAccessKey=%s",
        key);
    ck_assert_str_eq(text_at("primaryConnectionString"), want);
    ck_assert_int_eq(call(ARM, "POST", NSURL "/AuthorizationRules/sender/regenerateKeys" V24,
                          "{\"keyType\":\"PrimaryKey\"}"),
                     200);
    ck_assert_str_ne(text_at("primaryKey"), key);
    ck_assert_int_eq(call(ARM, "POST", NSURL "/AuthorizationRules/sender/regenerateKeys" V24, "{}"), 400);
    (void)call(ARM, "PUT", NSURL "/AuthorizationRules/bad" V24, "{\"properties\":{\"rights\":[\"Manage\"]}}");
    refused(400, "BadRequest", "Manage right must also include Send and Listen rights.");
    (void)call(ARM, "PUT", NSURL "/AuthorizationRules/bad" V24, "{\"properties\":{\"rights\":[\"Fly\"]}}");
    refused(400, "BadRequest", "must be one of");
    ck_assert_int_eq(call(ARM, "DELETE", NSURL "/AuthorizationRules/sender" V24, NULL), 200);
    ck_assert_int_eq(call(ARM, "DELETE", NSURL "/AuthorizationRules/sender" V24, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", NSURL "/AuthorizationRules/sender" V24, NULL), 404);
    (void)call(ARM, "GET",
               GROUP "/providers/Microsoft.ServiceBus/namespaces/none-there/AuthorizationRules" V24, NULL);
    refused(404, "ParentResourceNotFound", "because the parent resource");
}
END_TEST

START_TEST(test_arm_namespace__network_rules)
{
    put_ns(201, V24, "{" PREMIUM "}");
    ck_assert_int_eq(call(ARM, "GET", NSURL "/networkRuleSets/default" V24, NULL), 200);
    ck_assert_str_eq(text_at("properties.defaultAction"), "Allow");
    ck_assert_int_eq(call(ARM, "GET", NSURL "/networkRuleSets" V24, NULL), 200);
    ck_assert_uint_eq(items(), 1);
}
END_TEST

START_TEST(test_arm_namespace__only_who_may)
{
    struct principal who;
    put_ns(201, V24, "{" PREMIUM "}");
    ck_assert_int_eq(
        directory_system_identity_create(e, SUB "/resourceGroups/RG/providers/x/y/z", &who, &err), SB_OK);
    act_as(&who);
    static const struct {
        const char *method, *url, *body;
    } calls[] = {
        {"GET", NSURL V24, NULL},
        {"PUT", NSURL V24, "{" PREMIUM "}"},
        {"PATCH", NSURL V24, "{}"},
        {"DELETE", NSURL V24, NULL},
        {"GET", GROUP "/providers/Microsoft.ServiceBus/namespaces" V24, NULL},
        {"GET", SUB "/providers/Microsoft.ServiceBus/namespaces" V24, NULL},
        {"POST", SUB "/providers/Microsoft.ServiceBus/CheckNameAvailability" V24, "{\"name\":\"abcdef\"}"},
        {"GET", NSURL "/authorizationRules" V24, NULL},
        {"POST", NSURL "/authorizationRules/RootManageSharedAccessKey/listKeys" V24, NULL},
        {"POST", NSURL "/authorizationRules/RootManageSharedAccessKey/regenerateKeys" V24,
         "{\"keyType\":\"PrimaryKey\"}"},
        {"PUT", NSURL "/authorizationRules/x" V24, "{\"properties\":{\"rights\":[\"Send\"]}}"},
        {"GET", NSURL "/networkRuleSets/default" V24, NULL},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(calls); i++) {
        (void)call(ARM, calls[i].method, calls[i].url, calls[i].body);
        refused(403, "AuthorizationFailed", "does not have authorization to perform action");
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("arm_namespace");
    TCase *t = tcase_create("arm_namespace");
    tcase_add_checked_fixture(t, setup, fixture_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_arm_namespace__created_as_recorded);
    tcase_add_test(t, test_arm_namespace__an_older_version_creates_with_200);
    tcase_add_test(t, test_arm_namespace__members_by_version);
    tcase_add_test(t, test_arm_namespace__names_as_the_client_asked);
    tcase_add_test(t, test_arm_namespace__kept_as_sent);
    tcase_add_test(t, test_arm_namespace__malformed);
    tcase_add_test(t, test_arm_namespace__get_list_delete);
    tcase_add_test(t, test_arm_namespace__check_name);
    tcase_add_test(t, test_arm_namespace__identity_shapes);
    tcase_add_test(t, test_arm_namespace__encryption_as_sent);
    tcase_add_test(t, test_arm_namespace__get_change_put);
    tcase_add_test(t, test_arm_namespace__17_revoked);
    tcase_add_test(t, test_arm_namespace__rules);
    tcase_add_test(t, test_arm_namespace__network_rules);
    tcase_add_test(t, test_arm_namespace__only_who_may);
    suite_add_tcase(s, t);
    return s;
}
