/* test_arm_core.c: subscriptions, groups, identities, roles, providers and lists on the ARM plane. */
#include <stdio.h>
#include "api/arm.h"
#include "server/engine/vault.h"
#include "tests/unit/api/arm_fixture.h"

#define GROUPS   SUB "/resourceGroups"
#define GROUP    GROUPS "/G-1"
#define IDENTITY GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ide"
#define ROLES    "/providers/Microsoft.Authorization/roleAssignments"
#define DEFS     "/providers/Microsoft.Authorization/roleDefinitions"
#define NAME     "88888888-0000-0000-0000-000000000001"
#define READER   "acdd72a7-3385-48ef-bd42-f606fba81ae7"
#define V        "?api-version=2022-09-01"
#define V_ID     "?api-version=2023-01-31"
#define V_ROLE   "?api-version=2022-04-01"

static void setup(void)
{
    fixture_open(NULL, 0);
    sign_in("https://management.azure.com");
}

static void make_group(void)
{
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, "{\"location\":\"West US\"}"), 201);
}

/* A principal without any right. */
static struct principal stranger(void)
{
    struct principal p;
    ck_assert_int_eq(directory_system_identity_create(e, "/stranger", &p, &err), SB_OK);
    return p;
}

/* ---- groups ---- */

START_TEST(group_put)
{
    ck_assert_int_eq(
        call(ARM, "PUT", GROUP V,
             "{\"location\":\"West US\",\"managedBy\":\"me\",\"tags\":{\"a\":\"b\",\"c\":\"\"}}"),
        201);
    ck_assert_str_eq(text_at("id"), GROUP);
    ck_assert_str_eq(text_at("name"), "G-1");
    ck_assert_str_eq(text_at("type"), "Microsoft.Resources/resourceGroups");
    ck_assert_str_eq(text_at("location"), "westus");
    ck_assert_str_eq(text_at("managedBy"), "me");
    ck_assert_str_eq(text_at("tags.a"), "b");
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_int_eq(call(ARM, "PUT", SUB "/RESOURCEGROUPS/g-1" V, "{\"location\":\"westus\"}"), 200);
    ck_assert_str_eq(text_at("id"), GROUP);
    ck_assert_ptr_null(json_path(answer, "tags.a"));
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, "{\"location\":\"eastus\"}"), 409);
    ck_assert_str_eq(text_at("error.code"), "InvalidResourceGroupLocation");
    ck_assert_str_eq(
        text_at("error.message"),
        "Invalid resource group location 'eastus'. The Resource group already exists in location 'westus'.");
    ck_assert_int_eq(call(ARM, "PATCH", GROUP V, "{\"tags\":{\"x\":\"y\"}}"), 200);
    ck_assert_str_eq(text_at("tags.x"), "y");
    ck_assert_str_eq(text_at("managedBy"), "me");
    ck_assert_int_eq(call(ARM, "PATCH", GROUPS "/none" V, "{\"tags\":{}}"), 404);
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *code;
} bad_groups[] = {
    {"", 400, "InvalidRequestContent"},
    {"{}", 400, "LocationRequired"},
    {"[]", 400, "InvalidRequestContent"},
    {"{\"location\":7}", 400, "InvalidRequestContent"},
    {"{\"location\":\"\"}", 400, "LocationRequired"},
    {"{\"location\":\"west/us\"}", 400, "BadRequest"},
    {"{\"location\":\"  \"}", 400, "BadRequest"},
    {"{\"location\":\"westus\",\"tags\":[]}", 400, "InvalidRequestContent"},
    {"{\"location\":\"westus\",\"tags\":{\"a\":1}}", 400, "InvalidRequestContent"},
    {"{\"location\":\"westus\",\"tags\":{\"\":\"x\"}}", 400, "BadRequest"},
    {"{\"location\":\"westus\",\"managedBy\":1}", 400, "InvalidRequestContent"},
};

START_TEST(group_is_refused)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad_groups); i++) {
        ck_assert_msg(call(ARM, "PUT", GROUP V, bad_groups[i].body) == bad_groups[i].status, "row %zu", i);
        ck_assert_str_eq(text_at("error.code"), bad_groups[i].code);
        ck_assert_int_eq(call(ARM, "HEAD", GROUP V, NULL), 404);
    }
}
END_TEST

START_TEST(tags_have_limits)
{
    char body[4096];
    for (int tags = 50; tags <= 51; tags++) {
        int n = snprintf(body, sizeof body, "{\"location\":\"westus\",\"tags\":{");
        for (int i = 0; i < tags; i++)
            n += snprintf(body + n, sizeof body - (size_t)n, "%s\"t%d\":\"v\"", i == 0 ? "" : ",", i);
        snprintf(body + n, sizeof body - (size_t)n, "}}");
        ck_assert_int_eq(call(ARM, "PUT", GROUP V, body), tags == 50 ? 201 : 400);
    }
    snprintf(body, sizeof body, "{\"location\":\"westus\",\"tags\":{\"t\":\"%0257d\"}}", 0);
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, body), 400);
    snprintf(body, sizeof body, "{\"location\":\"westus\",\"tags\":{\"%0513d\":\"v\"}}", 0);
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, body), 400);
}
END_TEST

START_TEST(group_reads)
{
    ck_assert_int_eq(call(ARM, "HEAD", GROUP V, NULL), 404);
    ck_assert_uint_eq(last->reply.body.n, 0);
    ck_assert_str_eq(header_of("x-ms-failure-cause"), "gateway");
    ck_assert_int_eq(call(ARM, "GET", GROUP V, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "ResourceGroupNotFound");
    ck_assert_str_eq(text_at("error.message"), "Resource group 'G-1' could not be found.");
    make_group();
    ck_assert_int_eq(call(ARM, "HEAD", GROUP V, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", GROUP V, NULL), 200);
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions/nonsense/resourceGroups/G-1" V, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "SubscriptionNotFound");
    ck_assert_int_eq(call(ARM, "GET", GROUP, NULL), 400);
    ck_assert_str_eq(text_at("error.code"), "MissingApiVersionParameter");
}
END_TEST

START_TEST(group_lists)
{
    make_group();
    ck_assert_int_eq(call(ARM, "PUT", GROUPS "/two" V, "{\"location\":\"westus\",\"tags\":{\"a\":\"b\"}}"),
                     201);
    ck_assert_int_eq(call(ARM, "GET", GROUPS V, NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(
        call(ARM, "GET", GROUPS V "&$filter=tagname%20eq%20'a'%20and%20tagvalue%20eq%20'b'", NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "name")), "two");
    ck_assert_int_eq(
        call(ARM, "GET", GROUPS V "&$filter=tagname%20eq%20'a'%20and%20tagvalue%20eq%20'c'", NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "GET", GROUPS V "&$filter=tagname%20eq%20'a'", NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", GROUPS V "&$filter=tagvalue%20eq%20'a'", NULL), 400);
    ck_assert_int_eq(call(ARM, "GET", GROUPS V "&$filter=color%20eq%20'a'", NULL), 400);
}
END_TEST

START_TEST(group_delete)
{
    char url[1024];
    make_group();
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    ck_assert_int_eq(call(ARM, "DELETE", GROUP V, NULL), 202);
    ck_assert_uint_eq(last->reply.body.n, 0);
    ck_assert(text_starts(header_of("Location"), "https://localhost:8443" SUB "/operationresults/"));
    ck_assert(text_copy(url, sizeof url, header_of("Location") + strlen("https://localhost:8443")));
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_uint_eq(last->reply.body.n, 0);
    ck_assert_int_eq(call(ARM, "DELETE", GROUP V, NULL), 404);
    ck_assert_int_eq(call(ARM, "GET", SUB "/operationresults/bm90aGluZw" V, NULL), 404);
    ck_assert_int_eq(call(ARM, "GET", SUB "/operationresults/%2B%2B" V, NULL), 404);
    make_group();
    ck_assert_int_eq(call(ARM, "GET", IDENTITY V_ID, NULL), 404);
}
END_TEST

/* ---- identities ---- */

START_TEST(identity_life)
{
    char oid[40];
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 404);
    ck_assert_str_eq(text_at("error.code"), "ResourceGroupNotFound");
    make_group();
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    const char *id = SUB "/resourcegroups/G-1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ide";
    ck_assert_str_eq(text_at("id"), id);
    ck_assert_str_eq(header_of("Location"), id);
    ck_assert_str_eq(text_at("type"), "Microsoft.ManagedIdentity/userAssignedIdentities");
    ck_assert_str_eq(text_at("properties.tenantId"), ENGINE_TENANT);
    ck_assert(guid_valid(text_at("properties.clientId")));
    ck_assert(json_is_object(json_get(answer, "tags")));
    ck_assert(text_copy(oid, sizeof oid, text_at("properties.principalId")));
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\",\"tags\":{\"a\":\"b\"}}"),
                     200);
    ck_assert_str_eq(text_at("properties.principalId"), oid);
    ck_assert_str_eq(header_of("Location"), "");
    ck_assert_int_eq(call(ARM, "PATCH", IDENTITY V_ID, "{\"tags\":{\"c\":\"d\"}}"), 200);
    ck_assert_str_eq(text_at("tags.c"), "d");
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"eastus\"}"), 409);
    ck_assert_str_eq(text_at("error.code"), "InvalidResourceLocation");
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{}"), 400);
    ck_assert_int_eq(
        call(ARM, "GET", SUB "/providers/microsoft.managedidentity/userassignedidentities" V_ID, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(
        call(ARM, "GET", GROUP "/providers/Microsoft.ManagedIdentity/userAssignedIdentities" V_ID, NULL),
        200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "DELETE", IDENTITY V_ID, NULL), 200);
    ck_assert_int_eq(call(ARM, "DELETE", IDENTITY V_ID, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", IDENTITY V_ID, NULL), 404);
    ck_assert_str_eq(text_at("error.message"),
                     "The Resource 'Microsoft.ManagedIdentity/userAssignedIdentities/ide' under resource "
                     "group 'G-1' was not found. For "
                     "more details please go to https://aka.ms/ARMResourceNotFoundFix");
}
END_TEST

#define FEDERATED IDENTITY "/federatedIdentityCredentials"

static int put_federated(const char *name, const char *issuer, const char *subject, const char *audiences)
{
    char url[512], body[1024];
    (void)snprintf(url, sizeof url, FEDERATED "/%s" V_ID, name);
    (void)snprintf(body, sizeof body, "{\"properties\":{\"issuer\":%s,\"subject\":%s,\"audiences\":%s}}",
                   issuer, subject, audiences);
    return call(ARM, "PUT", url, body);
}

#define AUDIENCE "[\"api://AzureADTokenExchange\"]"

START_TEST(federated_credentials)
{
    make_group();
    ck_assert_int_eq(put_federated("fic1", "\"https://i\"", "\"s1\"", AUDIENCE), 404);
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    ck_assert_int_eq(put_federated("fic2", "\"https://i\"", "\"s2\"", AUDIENCE), 201);
    ck_assert_int_eq(put_federated("fic1", "\"https://i\"", "\"s1\"", AUDIENCE), 201);
    const char *id = SUB "/resourcegroups/G-1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ide/"
                         "federatedIdentityCredentials/fic1";
    ck_assert_str_eq(text_at("id"), id);
    ck_assert_str_eq(header_of("Location"), id);
    ck_assert_str_eq(text_at("type"),
                     "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials");
    ck_assert_int_eq(call(ARM, "GET", FEDERATED V_ID, NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(json_text(json_get(item(0), "name")), "fic1");
    /* Another of the same issuer and subject is refused, its own may stay as they are. */
    ck_assert_int_eq(put_federated("fic3", "\"https://i\"", "\"s1\"", AUDIENCE), 409);
    ck_assert_int_eq(put_federated("FIC1", "\"https://i\"", "\"s1\"", AUDIENCE), 200);
    ck_assert_int_eq(put_federated("fic1", "\"https://i\"", "\"s3\"", AUDIENCE), 200);
    ck_assert_str_eq(header_of("Location"), "");
    ck_assert_int_eq(call(ARM, "GET", FEDERATED "/fic1" V_ID, NULL), 200);
    ck_assert_str_eq(text_at("properties.subject"), "s3");
    ck_assert_str_eq(text_at("properties.issuer"), "https://i");
    ck_assert_int_eq(call(ARM, "DELETE", FEDERATED "/fic1" V_ID, NULL), 200);
    ck_assert_int_eq(call(ARM, "DELETE", FEDERATED "/fic1" V_ID, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", FEDERATED "/fic1" V_ID, NULL), 404);
    /* They are no resources of the group's list, and go with their identity. */
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources?api-version=2021-04-01", NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "DELETE", IDENTITY V_ID, NULL), 200);
    ck_assert_int_eq(call(ARM, "GET", FEDERATED V_ID, NULL), 404);
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    ck_assert_int_eq(call(ARM, "GET", FEDERATED V_ID, NULL), 200);
    ck_assert_uint_eq(items(), 0);
}
END_TEST

START_TEST(federated_credentials_refused)
{
    static const char *const bad[][3] = {
        {"null", "\"s\"", AUDIENCE},    {"\"i\"", "null", AUDIENCE},    {"\"i\"", "\"\"", AUDIENCE},
        {"\"i\"", "\"s\"", "null"},     {"\"i\"", "\"s\"", "[]"},       {"\"i\"", "\"s\"", "[\"a\",\"b\"]"},
        {"\"i\"", "\"s\"", "[5]"},      {"\"i\"", "\"s\"", "\"text\""}, {"{}", "\"s\"", AUDIENCE},
        {"\"i\"", "[\"s\"]", AUDIENCE},
    };
    static const char *const names[] = {"ab", "-abc", "a.bc", "a%20bc"};
    char name[32], subject[32];
    make_group();
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(put_federated("fic", bad[i][0], bad[i][1], bad[i][2]), 400);
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++)
        ck_assert_int_eq(put_federated(names[i], "\"i\"", "\"s\"", AUDIENCE), 400);
    ck_assert_int_eq(call(ARM, "GET", FEDERATED V_ID, NULL), 200);
    ck_assert_uint_eq(items(), 0);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(name, sizeof name, "fic%d", i);
        (void)snprintf(subject, sizeof subject, "\"s%d\"", i);
        ck_assert_int_eq(put_federated(name, "\"i\"", subject, AUDIENCE), 201);
    }
    ck_assert_int_eq(put_federated("one-more", "\"i\"", "\"one more\"", AUDIENCE), 400);
    ck_assert_int_eq(put_federated("fic7", "\"i\"", "\"another\"", AUDIENCE), 200);
}
END_TEST

/* ---- roles ---- */

START_TEST(role_definitions)
{
    ck_assert_int_eq(
        call(ARM, "GET",
             SUB DEFS "?api-version=2022-05-01-preview&$filter=roleName%20eq%20'key%20vault%20CRYPTO%20user'",
             NULL),
        200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "id")), SUB DEFS "/12338af0-0e69-4776-bea7-57ae8d297424");
    ck_assert_str_eq(json_text(json_path(item(0), "properties.type")), "BuiltInRole");
    make_group();
    ck_assert_int_eq(call(ARM, "GET", GROUP DEFS V_ROLE, NULL), 200);
    ck_assert_uint_ge(items(), 20);
    ck_assert_str_eq(json_text(json_get(item(0), "id")), SUB DEFS "/8e3af657-a8ff-443c-a75c-2fe8c4bcb635");
    ck_assert_int_eq(call(ARM, "GET", DEFS "/" READER V_ROLE, NULL), 200);
    ck_assert_str_eq(text_at("id"), DEFS "/" READER);
    ck_assert_int_eq(call(ARM, "GET", SUB DEFS "/" NAME V_ROLE, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "RoleDefinitionDoesNotExist");
    ck_assert_int_eq(call(ARM, "GET", SUB DEFS V_ROLE "&$filter=type%20eq%20'CustomRole'", NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "GET", SUB DEFS V_ROLE "&$filter=shoe%20eq%20'x'", NULL), 400);
    ck_assert_int_eq(call(ARM, "GET", GROUPS "/none" DEFS V_ROLE, NULL), 404);
}
END_TEST

static int assign(const char *scope, const char *name, const char *role, const char *oid)
{
    char url[512], body[512];
    snprintf(url, sizeof url, "%s" ROLES "/%s" V_ROLE, scope, name);
    snprintf(body, sizeof body,
             "{\"properties\":{\"roleDefinitionId\":\"" SUB DEFS "/%s\",\"principalId\":\"%s\"}}", role, oid);
    return call(ARM, "PUT", url, body);
}

START_TEST(role_assignment_life)
{
    struct principal who = stranger();
    make_group();
    ck_assert_int_eq(assign(GROUP, NAME, READER, who.oid), 201);
    ck_assert_str_eq(text_at("id"), GROUP ROLES "/" NAME);
    ck_assert_str_eq(text_at("type"), "Microsoft.Authorization/roleAssignments");
    ck_assert_str_eq(text_at("properties.scope"), GROUP);
    ck_assert_str_eq(text_at("properties.roleDefinitionId"), SUB DEFS "/" READER);
    ck_assert_str_eq(text_at("properties.principalType"), "ServicePrincipal");
    ck_assert(json_is_null(json_path(answer, "properties.createdBy")));
    ck_assert(json_is_null(json_path(answer, "properties.condition")));
    ck_assert_str_eq(text_at("properties.updatedBy"), ENGINE_CLIENT_OID);
    ck_assert_str_eq(text_at("properties.createdOn"), "2023-11-14T22:13:20.0000000Z");
    ck_assert_int_eq(assign(GROUP, NAME, READER, who.oid), 201);
    ck_assert_int_eq(assign(GROUP, "88888888-0000-0000-0000-000000000002", READER, who.oid), 409);
    ck_assert_str_eq(text_at("error.code"), "RoleAssignmentExists");
    ck_assert_int_eq(assign(SUB, NAME, READER, who.oid), 400);
    ck_assert_str_eq(text_at("error.code"), "RoleAssignmentUpdateNotPermitted");
    ck_assert_int_eq(call(ARM, "GET", GROUP ROLES "/" NAME V_ROLE, NULL), 200);
    ck_assert_str_eq(text_at("properties.createdBy"), ENGINE_CLIENT_OID);
    ck_assert_int_eq(call(ARM, "GET", SUB ROLES "/" NAME V_ROLE, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "RoleAssignmentNotFound");
    ck_assert_int_eq(call(ARM, "DELETE", GROUP ROLES "/" NAME V_ROLE, NULL), 200);
    ck_assert_str_eq(text_at("name"), NAME);
    ck_assert_int_eq(call(ARM, "DELETE", GROUP ROLES "/" NAME V_ROLE, NULL), 204);
}
END_TEST

static const struct {
    const char *body;
    int status;
    const char *code;
} bad_assignments[] = {
    {"{}", 400, "InvalidRequestContent"},
    {"{\"properties\":[]}", 400, "InvalidRequestContent"},
    {"{\"properties\":{}}", 400, "InvalidRequestContent"},
    {"{\"properties\":{\"roleDefinitionId\":\"" READER "\"}}", 400, "InvalidRequestContent"},
    {"{\"properties\":{\"roleDefinitionId\":\"Reader\",\"principalId\":\"" ENGINE_CLIENT_OID "\"}}", 400,
     "BadRequest"},
    {"{\"properties\":{\"roleDefinitionId\":\"" NAME "\",\"principalId\":\"" ENGINE_CLIENT_OID "\"}}", 404,
     "RoleDefinitionDoesNotExist"},
    {"{\"properties\":{\"roleDefinitionId\":\"" READER "\",\"principalId\":\"me\"}}", 400, "BadRequest"},
    {"{\"properties\":{\"roleDefinitionId\":\"" READER "\",\"principalId\":\"" NAME "\"}}", 400,
     "PrincipalNotFound"},
    {"{\"properties\":{\"roleDefinitionId\":\"" READER "\",\"principalId\":\"" NAME
     "\",\"principalType\":\"Robot\"}}",
     400, "BadRequest"},
    {"{\"properties\":{\"roleDefinitionId\":\"" READER "\",\"principalId\":\"" ENGINE_CLIENT_OID
     "\",\"condition\":\"@Resource\"}}",
     501, "NotImplemented"},
};

START_TEST(role_assignment_is_refused)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(bad_assignments); i++) {
        int status = call(ARM, "PUT", SUB ROLES "/" NAME V_ROLE, bad_assignments[i].body);
        ck_assert_msg(status == bad_assignments[i].status, "row %zu: %d", i, status);
        ck_assert_str_eq(text_at("error.code"), bad_assignments[i].code);
        ck_assert_int_eq(call(ARM, "GET", SUB ROLES "/" NAME V_ROLE, NULL), 404);
    }
}
END_TEST

/* What does not exist cannot be a scope: a misspelt name is an error and not an assignment without effect. */
START_TEST(scope_has_to_exist)
{
    make_group();
    ck_assert_int_eq(assign(GROUPS "/none", NAME, READER, ENGINE_CLIENT_OID), 404);
    ck_assert_int_eq(
        assign(GROUP "/providers/Microsoft.KeyVault/vaults/none", NAME, READER, ENGINE_CLIENT_OID), 404);
    ck_assert_int_eq(
        assign(GROUP "/providers/Microsoft.ServiceBus/namespaces/none", NAME, READER, ENGINE_CLIENT_OID),
        404);
    ck_assert_int_eq(assign(IDENTITY, NAME, READER, ENGINE_CLIENT_OID), 404);
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"), 201);
    ck_assert_int_eq(assign(IDENTITY, NAME, READER, ENGINE_CLIENT_OID), 201);
    ck_assert_int_eq(assign("/subscriptions/x", NAME, READER, ENGINE_CLIENT_OID), 404);
    ck_assert_int_eq(
        assign("/providers/Microsoft.Management/managementGroups/m", NAME, READER, ENGINE_CLIENT_OID), 403);
}
END_TEST

START_TEST(role_assignment_lists)
{
    struct principal who = stranger();
    make_group();
    ck_assert_int_eq(assign(SUB, NAME, READER, who.oid), 201);
    ck_assert_int_eq(assign(GROUP, "88888888-0000-0000-0000-000000000002", READER, ENGINE_CLIENT_OID), 201);
    char url[256];
    ck_assert_int_eq(call(ARM, "GET", SUB ROLES V_ROLE, NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(call(ARM, "GET", SUB ROLES V_ROLE "&$filter=atScope()", NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", GROUP ROLES V_ROLE "&$filter=atScope()", NULL), 200);
    ck_assert_uint_eq(items(), 2);
    snprintf(url, sizeof url, SUB ROLES V_ROLE "&$filter=principalId%%20eq%%20'%s'", who.oid);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    snprintf(url, sizeof url, GROUP ROLES V_ROLE "&$filter=atScope()%%20and%%20assignedTo('%s')", who.oid);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", SUB ROLES V_ROLE "&$filter=roleName%20eq%20'x'", NULL), 400);
}
END_TEST

/* ---- who may what ---- */

START_TEST(rights_are_asked_for)
{
    static const struct {
        const char *method, *url, *body;
    } writes[] = {
        {"PUT", GROUP V, "{\"location\":\"westus\"}"},
        {"PATCH", GROUP V, "{\"tags\":{}}"},
        {"DELETE", GROUP V, NULL},
        {"PUT", IDENTITY V_ID, "{\"location\":\"westus\"}"},
        {"DELETE", IDENTITY V_ID, NULL},
        {"PUT", GROUP ROLES "/" NAME V_ROLE, "{\"properties\":{}}"},
        {"DELETE", GROUP ROLES "/" NAME V_ROLE, NULL},
    };
    struct principal who = stranger();
    make_group();
    act_as(&who);
    ck_assert_int_eq(call(ARM, "GET", GROUP V, NULL), 403);
    ck_assert_str_eq(text_at("error.code"), "AuthorizationFailed");
    ck_assert_int_eq(call(ARM, "GET", GROUPS V, NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions" V, NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "GET", SUB V, NULL), 403);
    sign_in("https://management.azure.com");
    ck_assert_int_eq(assign(GROUP, NAME, READER, who.oid), 201);
    act_as(&who);
    ck_assert_int_eq(call(ARM, "GET", GROUP V, NULL), 200);
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", SUB V, NULL), 200);
    for (size_t i = 0; i < SB_ARRAY_LEN(writes); i++)
        ck_assert_msg(call(ARM, writes[i].method, writes[i].url, writes[i].body) == 403, "%s %s",
                      writes[i].method, writes[i].url);
    token[0] = '\0';
    ck_assert_int_eq(call(ARM, "GET", GROUP V, NULL), 401);
}
END_TEST

/* ---- subscriptions, providers, metadata ---- */

START_TEST(core_reads)
{
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "subscriptionId")), ENGINE_SUBSCRIPTION);
    ck_assert_int_eq(call(ARM, "PUT",
                          "/subscriptions/99999999-0000-0000-0000-000000000000/resourceGroups/g" V,
                          "{\"location\":\"westus\"}"),
                     201);
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions" V, NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(call(ARM, "GET", SUB V, NULL), 200);
    ck_assert_str_eq(text_at("state"), "Enabled");
    ck_assert_int_eq(call(ARM, "GET", "/tenants" V, NULL), 200);
    ck_assert_str_eq(json_text(json_get(item(0), "tenantId")), ENGINE_TENANT);
    ck_assert_int_eq(call(ARM, "GET", SUB "/locations" V, NULL), 200);
    ck_assert_uint_ge(items(), 40);
    ck_assert_int_eq(call(ARM, "GET", SUB "/providers" V, NULL), 200);
    ck_assert_uint_eq(items(), 6);
    ck_assert_int_eq(call(ARM, "GET", SUB "/providers/microsoft.servicebus" V, NULL), 200);
    ck_assert_str_eq(text_at("namespace"), "Microsoft.ServiceBus");
    ck_assert_str_eq(text_at("registrationState"), "Registered");
    ck_assert_int_eq(call(ARM, "POST", SUB "/providers/Microsoft.Network/register" V, ""), 200);
    ck_assert_str_eq(text_at("registrationState"), "Registered");
    ck_assert_int_eq(call(ARM, "GET", "/providers/Microsoft.KeyVault" V, NULL), 200);
    ck_assert_ptr_null(json_get(answer, "registrationState"));
    ck_assert_int_eq(call(ARM, "GET", SUB "/providers/nonsense" V, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "InvalidResourceNamespace");
}
END_TEST

START_TEST(metadata)
{
    token[0] = '\0';
    ck_assert_int_eq(call(ARM, "GET", "/metadata/endpoints?api-version=2015-01-01", NULL), 200);
    ck_assert_str_eq(text_at("authentication.loginEndpoint"), "https://localhost:8443");
    ck_assert_str_eq(text_at("graphEndpoint"), "https://localhost:8443/graph/");
    ck_assert_int_eq(call(ARM, "GET", "/metadata/endpoints?api-version=2019-05-01", NULL), 200);
    ck_assert(json_is_array(answer));
    ck_assert_str_eq(json_text(json_path(json_first(answer), "suffixes.keyVaultDns")),
                     "vault.localhost:8443");
    ck_assert_int_eq(call("management.azure.com", "GET", "/metadata/endpoints?api-version=2022-09-01", NULL),
                     200);
    ck_assert_str_eq(text_at("name"), "AzureCloud");
    ck_assert_str_eq(text_at("suffixes.keyVaultDns"), "vault.azure.net");
    ck_assert_str_eq(text_at("suffixes.storage"), "core.windows.net");
    ck_assert_str_eq(text_at("authentication.loginEndpoint"), "https://login.microsoftonline.com");
    ck_assert_str_eq(text_at("microsoftGraphResourceId"), "https://graph.microsoft.com/");
    ck_assert_int_eq(call(ARM, "GET", "/metadata/endpoints", NULL), 400);
}
END_TEST

/* ---- lists of resources ---- */

static void make_vault(const char *name)
{
    struct sb_arena *a = arena_new(1u << 20);
    struct vault v;
    bool created;
    struct vault_spec s = vault_spec(ENGINE_SUBSCRIPTION, "G-1", name, "me");
    s.location = "westus";
    s.tags = "{\"a\":\"b\"}";
    s.tenant = ENGINE_TENANT;
    s.sku = "standard";
    s.has_policies = true;
    ck_assert_msg(vault_put(e, &s, a, &v, &created, &err) == SB_OK, "%s", err.detail);
    arena_free(a);
}

START_TEST(resources)
{
    make_group();
    make_vault("vault-1");
    make_vault("vault-2");
    ck_assert_int_eq(call(ARM, "PUT", IDENTITY V_ID, "{\"location\":\"eastus\"}"), 201);
    ck_assert_int_eq(
        call(ARM, "GET",
             SUB
             "/resources?api-version=2015-11-01&$filter=resourceType%20eq%20'Microsoft.KeyVault%2Fvaults'",
             NULL),
        200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_str_eq(json_text(json_get(item(0), "id")),
                     GROUP "/providers/Microsoft.KeyVault/vaults/vault-1");
    ck_assert_int_eq(call(ARM, "GET",
                          SUB "/resources?api-version=2015-11-01&$filter=resourceType%20eq%20'Microsoft."
                              "KeyVault/vaults'%20and%20name%20eq%20'VAULT-2'",
                          NULL),
                     200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V, NULL), 200);
    ck_assert_uint_eq(items(), 3);
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V "&$top=2", NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V "&$top=0", NULL), 400);
    ck_assert_int_eq(call(ARM, "GET", SUB "/resources" V "&$filter=location%20eq%20'eastus'", NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(
        call(ARM, "GET", SUB "/resources" V "&$filter=tagName%20eq%20'a'%20and%20tagValue%20eq%20'b'", NULL),
        200);
    ck_assert_uint_eq(items(), 2);
    ck_assert_int_eq(call(ARM, "GET", SUB "/resources" V "&$filter=resourceGroup%20eq%20'other'", NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "GET", SUB "/resources" V "&$filter=plan%20eq%20'x'", NULL), 400);
    ck_assert_int_eq(call(ARM, "GET", GROUPS "/none/resources" V, NULL), 404);
    /* The group's deletion takes the vaults along. */
    ck_assert_int_eq(call(ARM, "DELETE", GROUP V, NULL), 202);
    ck_assert_int_eq(call(ARM, "GET", SUB "/resources" V, NULL), 200);
    ck_assert_uint_eq(items(), 0);
}
END_TEST

/* ---- filters ---- */

static const struct {
    const char *filter, *left, *right;
} good_filters[] = {
    {"a eq 'b'", "a", "b"},
    {"  a  EQ  'b'  ", "a", "b"},
    {"a/b eq 'it''s'", "a/b", "it's"},
    {"a eq ''", "a", ""},
    {"atScope()", "atScope()", ""},
    {"assignedTo('x')", "assignedTo", "x"},
    {"names/any(c:c eq 'x')", "names/any", "x"},
    {"startswith(displayName,'x')", "startswith(displayName)", "x"},
    {"substringof('x', name)", "substringof(name)", "x"},
    {"a ne 'b'", "a ne", "b"},
};
static const char *const bad_filters[] = {
    "a",
    "a eq",
    "a eq b",
    "a eq 'b",
    "a eq 'b' or c eq 'd'",
    "a eq 'b' and",
    "and",
    "'a' eq 'b'",
    "a gt 'b'",
    "a ne b",
    "f('x',)",
    "f(",
    "f('x'",
    "f(x)",
    "f(x:)",
    "f(x:y eq)",
    "f(x:y eq 'z'",
    "a eq 'b' c eq 'd'",
    "a eq 'b' and b eq 'c' and c eq 'd'",
    "a('b''",
    "a eq 'b')",
};

START_TEST(filters)
{
    struct arm_filter_term terms[2];
    size_t n = 9;
    call(ARM, "GET", "/tenants" V, NULL); /* for its arena */
    ck_assert_int_eq(arm_filter(last, NULL, terms, 2, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(arm_filter(last, "   ", terms, 2, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    for (size_t i = 0; i < SB_ARRAY_LEN(good_filters); i++) {
        ck_assert_msg(arm_filter(last, good_filters[i].filter, terms, 2, &n, &err) == SB_OK, "%s",
                      good_filters[i].filter);
        ck_assert_uint_eq(n, 1);
        ck_assert_str_eq(terms[0].left, good_filters[i].left);
        ck_assert_str_eq(terms[0].right, good_filters[i].right);
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(bad_filters); i++)
        ck_assert_msg(arm_filter(last, bad_filters[i], terms, 2, &n, &err) == SB_EBADREQUEST, "%s",
                      bad_filters[i]);
}
END_TEST

/* ---- a strict list of subscriptions ---- */

static void strict_setup(void)
{
    static const char *const only[] = {"12345678-0000-0000-0000-000000000000"};
    fixture_open(only, 1);
    sign_in("https://management.azure.com");
}

START_TEST(strict_subscriptions)
{
    ck_assert_int_eq(call(ARM, "GET", "/subscriptions" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "subscriptionId")), "12345678-0000-0000-0000-000000000000");
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, "{\"location\":\"westus\"}"), 404);
    ck_assert_str_eq(text_at("error.code"), "SubscriptionNotFound");
    ck_assert_str_eq(text_at("error.message"),
                     "The subscription '" ENGINE_SUBSCRIPTION "' could not be found.");
    ck_assert_int_eq(call(ARM, "GET", SUB "/locations" V, NULL), 404);
    ck_assert_int_eq(assign(SUB, NAME, READER, ENGINE_CLIENT_OID), 404);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("arm_core");
    TCase *t = tcase_create("arm");
    tcase_add_checked_fixture(t, setup, fixture_close);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, group_put);
    tcase_add_test(t, tags_have_limits);
    tcase_add_test(t, group_reads);
    tcase_add_test(t, group_lists);
    tcase_add_test(t, group_delete);
    tcase_add_test(t, identity_life);
    tcase_add_test(t, federated_credentials);
    tcase_add_test(t, federated_credentials_refused);
    tcase_add_test(t, role_definitions);
    tcase_add_test(t, role_assignment_life);
    tcase_add_test(t, scope_has_to_exist);
    tcase_add_test(t, role_assignment_lists);
    tcase_add_test(t, rights_are_asked_for);
    tcase_add_test(t, core_reads);
    tcase_add_test(t, metadata);
    tcase_add_test(t, resources);
    tcase_add_test(t, filters);
    tcase_add_test(t, group_is_refused);
    tcase_add_test(t, role_assignment_is_refused);
    suite_add_tcase(s, t);
    TCase *o = tcase_create("strict");
    tcase_add_checked_fixture(o, strict_setup, fixture_close);
    tcase_add_test(o, strict_subscriptions);
    suite_add_tcase(s, o);
    return s;
}
