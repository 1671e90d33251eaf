/* test_arm_deployment.c: Microsoft.Resources/deployments through the dispatcher: the article's templates,
 * what az sends, failures, nested and complete deployments, what is kept. */
#include <stdio.h>
#include <stdlib.h>
#include "server/engine/jobs.h"
#include "tests/unit/api/arm_fixture.h"

#define GROUP  SUB "/resourceGroups/rg"
#define DEPLOY GROUP "/providers/Microsoft.Resources/deployments/"
#define NS     GROUP "/providers/Microsoft.ServiceBus/namespaces/"
#define V      "?api-version=2022-09-01"
#define V_BUS  "?api-version=2021-11-01"
#define HEAD_  "\"$schema\":\"s\",\"contentVersion\":\"1.0.0.0\""

static void setup(void)
{
    fixture_open(NULL, 0);
    sign_in("https://management.azure.com");
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, "{\"location\":\"westus\"}"), 201);
}

static char body[1 << 17];

/* PUTs (or validates) a template, given without its head, in single quotes for reading. */
static int send_in(const char *url, const char *mode, const char *members, const char *parameters, bool post)
{
    snprintf(body, sizeof body,
             "{\"properties\": {\"mode\": \"%s\", \"parameters\": %s, template: {" HEAD_ ", %s}}}", mode,
             parameters ? parameters : "{}", members);
    return call(ARM, post ? "POST" : "PUT", url, body);
}

static int deploy(const char *name, const char *members, const char *parameters)
{
    char url[512];
    snprintf(url, sizeof url, DEPLOY "%s" V, name);
    return send_in(url, "Incremental", members, parameters, false);
}

static const char *state(const char *name)
{
    char url[512];
    snprintf(url, sizeof url, DEPLOY "%s" V, name);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    return text_at("properties.provisioningState");
}

static size_t read_file(const char *path, char *dst, size_t cap)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    size_t n = fread(dst, 1, cap - 1, f);
    dst[n] = '\0';
    fclose(f);
    return n;
}

/* The article's template, byte for byte, as az splices it. */
START_TEST(test_deployment__article)
{
    static char template[16384];
    read_file("fixtures/article/CreateServiceBusPremiumNamespace.json", template, sizeof template);
    snprintf(body, sizeof body,
             "{\"properties\": {\"parameters\": {\"namespaceName\": {\"value\": \"busdemo1\"}}, \"mode\": "
             "\"Incremental\", "
             "template:%s}}",
             template);
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "one/validate" V, body), 200);
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_str_eq(
        json_text(json_get(json_first(json_path(answer, "properties.validatedResources")), "id")),
        NS "busdemo1");
    ck_assert_int_eq(call(ARM, "GET", NS "busdemo1" V_BUS, NULL), 404);
    ck_assert_int_eq(call(ARM, "PUT", DEPLOY "one" V, body), 201);
    ck_assert_str_eq(text_at("properties.provisioningState"), "Accepted");
    const char *operation = header_of("Azure-AsyncOperation");
    ck_assert(text_starts(operation, "https://localhost:8443" DEPLOY "one/operationStatuses/"));
    char poll[1024];
    ck_assert(text_copy(poll, sizeof poll, strstr(operation, "/subscriptions/")));
    ck_assert_int_eq(call(ARM, "GET", poll, NULL), 200);
    ck_assert_str_eq(text_at("status"), "Succeeded");
    ck_assert_str_eq(state("one"), "Succeeded");
    ck_assert_str_eq(text_at("properties.outputs.serviceBusNamespaceId.value"), NS "busdemo1");
    ck_assert_str_eq(text_at("properties.outputs.serviceBusNamespaceId.type"), "String");
    ck_assert_str_eq(text_at("properties.parameters.location.value"), "westus");
    ck_assert_str_eq(json_text(json_get(json_first(json_path(answer, "properties.outputResources")), "id")),
                     NS "busdemo1");
    ck_assert_int_eq(call(ARM, "GET", NS "busdemo1" V_BUS, NULL), 200);
    ck_assert_str_eq(text_at("sku.name"), "Premium");
    /* again: 200 */
    ck_assert_int_eq(call(ARM, "PUT", DEPLOY "one" V, body), 200);
}
END_TEST

START_TEST(test_deployment__records)
{
    ck_assert_int_eq(
        deploy(
            "d1",
            "\"resources\": [{\"type\": \"Microsoft.ServiceBus/namespaces\", \"apiVersion\": \"2021-11-01\", "
            "\"name\": \"recns1\", \"location\": \"westus\"}, {\"type\": "
            "\"Microsoft.ServiceBus/namespaces/queues\", \"apiVersion\": \"2021-11-01\", \"name\": "
            "\"recns1/q\", \"dependsOn\": [\"recns1\"], \"properties\": {}}]",
            NULL),
        201);
    ck_assert_str_eq(state("d1"), "Succeeded");
    ck_assert_uint_eq(json_size(json_path(answer, "properties.dependencies")), 1);
    ck_assert_int_eq(call(ARM, "GET", SUB "/resourcegroups/rg/deployments/d1/operations" V, NULL), 200);
    ck_assert_uint_eq(items(), 3); /* the evaluation of the outputs included, as recorded */
    ck_assert_str_eq(json_text(json_path(item(1), "properties.targetResource.id")), NS "recns1/queues/q");
    ck_assert_str_eq(json_text(json_path(item(2), "properties.provisioningOperation")),
                     "EvaluateDeploymentOutput");
    char url[1024];
    snprintf(url, sizeof url, DEPLOY "d1/operations/%s" V, json_text(json_get(item(1), "operationId")));
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "d1/operations/0" V, NULL), 404);
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "d1/exportTemplate" V, NULL), 200);
    ck_assert_uint_eq(json_size(json_path(answer, "template.resources")), 2);
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "d1/cancel" V, NULL), 409);
    ck_assert_int_eq(call(ARM, "HEAD", DEPLOY "d1" V, NULL), 204);
    ck_assert_int_eq(call(ARM, "HEAD", DEPLOY "d2" V, NULL), 404);
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "d2" V, NULL), 404);
    ck_assert_str_eq(text_at("error.code"), "DeploymentNotFound");
    ck_assert_int_eq(call(ARM, "GET",
                          GROUP "/providers/Microsoft.Resources/deployments" V
                                "&$filter=provisioningState%20eq%20'Succeeded'",
                          NULL),
                     200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "GET",
                          GROUP "/providers/Microsoft.Resources/deployments" V
                                "&$filter=provisioningState%20eq%20'Failed'",
                          NULL),
                     200);
    ck_assert_uint_eq(items(), 0);
    ck_assert_int_eq(call(ARM, "DELETE", DEPLOY "d1" V, NULL), 202);
    ck_assert_int_eq(call(ARM, "DELETE", DEPLOY "d1" V, NULL), 204);
    ck_assert_int_eq(call(ARM, "GET", NS "recns1" V_BUS, NULL), 200);
}
END_TEST

static const struct {
    const char *members, *code, *message;
} refused[] = {
    {"\"parameters\": {\"a\": {\"type\": \"string\"}}, \"resources\": []", "InvalidTemplate",
     "is not provided"},
    {"\"resources\": [{\"type\": \"a.b/c\", \"apiVersion\": \"1\", \"name\": \"[nosuch()]\"}]",
     "InvalidTemplate", "The template function 'nosuch' is not valid."},
    {"\"resources\": [1", "InvalidRequestContent",
     "After parsing a value an unexpected character was encountered: }."},
    {"\"resources\": 1", "InvalidTemplate", "The template section 'resources'"},
};

START_TEST(test_deployment__refuses)
{
    ck_assert_int_eq(deploy("bad", refused[_i].members, NULL), 400);
    ck_assert_str_eq(text_at("error.code"), refused[_i].code);
    ck_assert_msg(strstr(text_at("error.message"), refused[_i].message) != NULL, "%s",
                  text_at("error.message"));
    ck_assert_str_eq(header_of("x-ms-failure-cause"), "gateway");
    ck_assert_str_eq(json_text(json_get(json_first(json_path(answer, "error.additionalInfo")), "type")),
                     "TemplateViolation");
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "bad" V, NULL), 404);
}
END_TEST

START_TEST(test_deployment__refuses_bodies)
{
    static const char *const rows[] = {
        "{}",
        "[]",
        "",
        "{\"properties\":{}}",
        "{\"properties\":{\"mode\":\"Often\",\"template\":{}}}",
        "{\"properties\":{\"mode\":\"Incremental\"}}",
        "{\"properties\":{\"mode\":\"Incremental\",\"templateLink\":{\"uri\":\"https://x/y\"}}}",
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++)
        ck_assert_msg(call(ARM, "PUT", DEPLOY "bad" V, rows[i]) / 100 == 4, "%s", rows[i]);
    ck_assert_int_eq(call(ARM, "PUT", DEPLOY "no%20blanks" V, "{}"), 400);
    ck_assert_int_eq(
        call(ARM, "PUT", SUB "/resourceGroups/none/providers/Microsoft.Resources/deployments/d" V, "{}"),
        404);
    ck_assert_str_eq(text_at("error.code"), "ResourceGroupNotFound");
}
END_TEST

/* One resource is refused: what depends on it is not tried, the rest is made; the error tells. */
START_TEST(test_deployment__fails)
{
    ck_assert_int_eq(
        deploy("f",
               "\"resources\": [{\"type\": \"Microsoft.ServiceBus/namespaces/queues\", \"apiVersion\": "
               "\"2021-11-01\", \"name\": \"nonamespace/q\"}, {\"type\": \"Other.Provider/things\", "
               "\"apiVersion\": \"1\", \"name\": \"waits\", \"dependsOn\": [\"nonamespace/q\"]}, {\"type\": "
               "\"Other.Provider/things\", \"apiVersion\": \"1\", \"name\": \"goeson\"}]",
               NULL),
        201);
    ck_assert_str_eq(state("f"), "Failed");
    ck_assert_str_eq(text_at("properties.error.code"), "DeploymentFailed");
    ck_assert_str_eq(text_at("properties.error.target"), DEPLOY "f");
    ck_assert_str_eq(json_text(json_get(json_first(json_path(answer, "properties.error.details")), "code")),
                     "ParentResourceNotFound");
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "f/operationStatuses/1" V, NULL), 200);
    ck_assert_str_eq(text_at("status"), "Failed");
    ck_assert_str_eq(text_at("error.code"), "DeploymentFailed");
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "name")), "goeson");
}
END_TEST

/* Resources without a location, too, are found by any filter, or not. */
START_TEST(test_deployment__kept_resources_are_filtered)
{
    static const struct {
        const char *filter;
        size_t n;
    } rows[] = {{"resourceGroup%20eq%20'RG'", 2},   {"resourceGroup%20eq%20'other'", 0},
                {"location%20eq%20'westus'", 1},    {"name%20eq%20'nowhere'", 1},
                {"resourceType%20eq%20'a.b/c'", 2}, {"tagName%20eq%20'none'", 0}};
    ck_assert_int_eq(
        deploy(
            "k",
            "\"resources\": [{\"type\": \"a.b/c\", \"apiVersion\": \"1\", \"name\": \"nowhere\"}, {\"type\": "
            "\"a.b/c\", \"apiVersion\": \"1\", \"name\": \"placed\", \"location\": \"westus\"}]",
            NULL),
        201);
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        char url[512];
        snprintf(url, sizeof url, SUB "/resources" V "&$filter=%s", rows[i].filter);
        ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
        ck_assert_msg(items() == rows[i].n, "%s: %zu", rows[i].filter, items());
    }
}
END_TEST

/* reference() and outputs see what was deployed before; secrets are nowhere. */
START_TEST(test_deployment__run_time)
{
    ck_assert_int_eq(
        deploy("r",
               "\"parameters\": {\"pw\": {\"type\": \"securestring\"}}, \"resources\": [{\"type\": "
               "\"Microsoft.ServiceBus/namespaces\", \"apiVersion\": \"2021-11-01\", \"name\": \"refns1\", "
               "\"location\": "
               "\"westus\"}, {\"type\": \"Other.Provider/things\", \"apiVersion\": \"1\", \"name\": \"t\", "
               "\"tags\": {\"a\": "
               "\"b\"}, \"properties\": {\"endpoint\": \"[reference('refns1').serviceBusEndpoint]\", "
               "\"password\": "
               "\"[parameters('pw')]\", \"login\": \"[concat('u:', parameters('pw'))]\"}}], \"outputs\": "
               "{\"back\": "
               "{\"type\": \"string\", \"value\": \"[reference(resourceId('Other.Provider/things', 't'), "
               "'1').endpoint]\"}, "
               "\"key\": {\"type\": \"string\", \"value\": "
               "\"[listKeys(resourceId('Microsoft.ServiceBus/namespaces/AuthorizationRules', 'refns1', "
               "'RootManageSharedAccessKey'), '2021-11-01').keyName]\"}, \"pw\": {\"type\": "
               "\"securestring\", \"value\": "
               "\"[parameters('pw')]\"}}",
               "{\"pw\": {\"value\": \"Hunter2-very-secret\"}}"),
        201);
    ck_assert_str_eq(state("r"), "Succeeded");
    ck_assert_ptr_nonnull(strstr(text_at("properties.outputs.back.value"), "refns1.servicebus."));
    ck_assert_str_eq(text_at("properties.outputs.key.value"), "RootManageSharedAccessKey");
    ck_assert_ptr_null(strstr(buf_str(&last->reply.body), "Hunter2"));
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V "&$filter=tagName%20eq%20'a'", NULL), 200);
    ck_assert_uint_eq(items(), 1);
}
END_TEST

START_TEST(test_deployment__nested)
{
    ck_assert_int_eq(
        deploy("outer",
               "\"resources\": [{\"type\": \"Microsoft.Resources/deployments\", \"apiVersion\": "
               "\"2022-09-01\", \"name\": \"in\", "
               "\"properties\": {\"mode\": \"Incremental\", \"expressionEvaluationOptions\": {\"scope\": "
               "\"inner\"}, "
               "\"parameters\": {\"n\": {\"value\": \"nestns1\"}}, \"template\": {" HEAD_
               ", \"parameters\": {\"n\": {\"type\": "
               "\"string\"}}, \"resources\": [{\"type\": \"Microsoft.ServiceBus/namespaces\", "
               "\"apiVersion\": \"2021-11-01\", "
               "\"name\": \"[parameters('n')]\", \"location\": \"westus\"}], \"outputs\": {\"o\": {\"type\": "
               "\"string\", \"value\": "
               "\"[parameters('n')]\"}}}}}], \"outputs\": {\"seen\": {\"type\": \"string\", \"value\": "
               "\"[reference('in').outputs.o.value]\"}}",
               NULL),
        201);
    ck_assert_str_eq(state("outer"), "Succeeded");
    ck_assert_str_eq(text_at("properties.outputs.seen.value"), "nestns1");
    ck_assert_str_eq(state("in"), "Succeeded");
    ck_assert_int_eq(call(ARM, "GET", NS "nestns1" V_BUS, NULL), 200);
}
END_TEST

/* A deployment that deploys itself ends. */
START_TEST(test_deployment__too_deep)
{
    static char text[1 << 16], longer[1 << 16];
    snprintf(text, sizeof text, "\"resources\": []");
    for (int i = 0; i < 9; i++) {
        int n = snprintf(longer, sizeof longer,
                         "\"resources\": [{\"type\": \"Microsoft.Resources/deployments\", \"apiVersion\": "
                         "\"2022-09-01\", \"name\": "
                         "\"level%d\", \"properties\": {\"mode\": \"Incremental\", "
                         "\"expressionEvaluationOptions\": {\"scope\": "
                         "\"inner\"}, \"template\": {" HEAD_ ", %s}}}]",
                         i, text);
        ck_assert_int_lt(n, (int)sizeof longer);
        memcpy(text, longer, sizeof text);
    }
    ck_assert_int_ne(deploy("deep", text, NULL), 500);
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "level0" V, NULL), 404);
}
END_TEST

START_TEST(test_deployment__complete_mode)
{
    ck_assert_int_eq(call(ARM, "PUT", NS "oldns01" V_BUS, "{\"location\":\"westus\"}"), 200);
    ck_assert_int_eq(
        deploy(
            "kept",
            "\"resources\": [{\"type\": \"Other.Provider/things\", \"apiVersion\": \"1\", \"name\": \"x\"}]",
            NULL),
        201);
    ck_assert_int_eq(
        send_in(
            DEPLOY "all" V, "Complete",
            "\"resources\": [{\"type\": \"Microsoft.ServiceBus/namespaces\", \"apiVersion\": \"2021-11-01\", "
            "\"name\": \"newns01\", \"location\": \"westus\"}]",
            NULL, false),
        201);
    ck_assert_str_eq(state("all"), "Succeeded");
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_str_eq(json_text(json_get(item(0), "name")), "newns01");
    /* all of it goes with the group */
    ck_assert_int_eq(call(ARM, "DELETE", GROUP V, NULL), 202);
    ck_assert_int_eq(call(ARM, "PUT", GROUP V, "{\"location\":\"westus\"}"), 201);
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "all" V, NULL), 404);
}
END_TEST

START_TEST(test_deployment__subscription)
{
    static const char url[] = SUB "/providers/Microsoft.Resources/deployments/s" V;
    ck_assert_int_eq(call(ARM, "PUT", url, "{\"properties\":{\"mode\":\"Incremental\",\"template\":{}}}"),
                     400);
    ck_assert_int_eq(
        call(ARM, "PUT", url,
             "{\"location\": \"westus\", \"properties\": {\"mode\": \"Incremental\", \"template\": {" HEAD_
             ", \"resources\": [{\"type\": \"Microsoft.Resources/resourceGroups\", \"apiVersion\": "
             "\"2022-09-01\", \"name\": "
             "\"made\", \"location\": \"[deployment().location]\"}, {\"type\": "
             "\"Microsoft.Resources/deployments\", \"apiVersion\": "
             "\"2022-09-01\", \"name\": \"within\", \"resourceGroup\": \"made\", \"dependsOn\": [\"made\"], "
             "\"properties\": "
             "{\"mode\": \"Incremental\", \"template\": {" HEAD_ ", \"resources\": [{\"type\": "
             "\"Microsoft.ServiceBus/namespaces\", \"apiVersion\": \"2021-11-01\", \"name\": \"subns01\", "
             "\"location\": "
             "\"westus\"}]}}}]}}}"),
        201);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_int_eq(call(ARM, "GET",
                          SUB "/resourceGroups/made/providers/Microsoft.ServiceBus/namespaces/subns01" V_BUS,
                          NULL),
                     200);
}
END_TEST

/* The root management group is the client's; the tenant is nobody's until somebody is given a role at "/". */
START_TEST(test_deployment__management_group_and_tenant)
{
    static const char managed[] = "/providers/Microsoft.Management/managementGroups/" ENGINE_TENANT
                                  "/providers/Microsoft.Resources/deployments/m";
    static const char tenant[] = "/providers/Microsoft.Resources/deployments/t";
    static const char text[] =
        "{\"location\": \"westus\", \"properties\": {\"mode\": \"Incremental\", \"template\": {" HEAD_
        ", \"resources\": [{\"type\": \"Microsoft.Resources/deployments\", \"apiVersion\": \"2022-09-01\", "
        "\"name\": "
        "\"sub\", \"location\": \"westus\", \"subscriptionId\": \"" ENGINE_SUBSCRIPTION
        "\", \"properties\": {\"mode\": \"Incremental\", \"template\": {" HEAD_
        ", \"resources\": [{\"type\": \"Microsoft.Resources/deployments\", \"apiVersion\": \"2022-09-01\", "
        "\"name\": "
        "\"in\", \"resourceGroup\": \"rg\", \"properties\": {\"mode\": \"Incremental\", \"template\": {" HEAD_
        ", \"resources\": [{\"type\": \"Other.Provider/things\", \"apiVersion\": \"1\", \"name\": "
        "\"x\"}]}}}]}}}], "
        "\"outputs\": {\"s\": {\"type\": \"string\", \"value\": \"[deployment().location]\"}}}}}";
    char url[512];
    snprintf(url, sizeof url, "%s/validate" V, managed);
    ck_assert_int_eq(call(ARM, "POST", url, text), 200);
    ck_assert_uint_eq(json_size(json_path(answer, "properties.validatedResources")), 3);
    snprintf(url, sizeof url, "%s" V, managed);
    ck_assert_int_eq(call(ARM, "PUT", url, text), 201);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_str_eq(text_at("properties.outputs.s.value"), "westus");
    ck_assert_str_eq(text_at("location"), "westus");
    ck_assert_str_eq(text_at("id"), managed);
    ck_assert_str_eq(json_text(json_get(json_first(json_path(answer, "properties.outputResources")), "id")),
                     GROUP "/providers/Other.Provider/things/x");
    snprintf(url, sizeof url, "%s/whatIf" V, managed);
    ck_assert_int_eq(call(ARM, "POST", url, text), 202);
    snprintf(url, sizeof url, "%s", strstr(header_of("Location"), "/providers/"));
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_ptr_nonnull(strstr(buf_str(&last->reply.body), "\"changeType\":\"NoChange\""));

    snprintf(url, sizeof url, "%s" V, tenant);
    ck_assert_int_eq(call(ARM, "PUT", url, text), 403);
    ck_assert_str_eq(text_at("error.code"), "AuthorizationFailed");
    ck_assert_int_eq(
        call(ARM, "POST", "/providers/Microsoft.Authorization/elevateAccess?api-version=2016-07-01", NULL),
        200);
    ck_assert_int_eq(
        call(ARM, "PUT",
             "/providers/Microsoft.Authorization/roleAssignments/"
             "88888888-0000-0000-0000-000000000009?api-version=2022-04-01",
             "{\"properties\":{\"roleDefinitionId\":\"/providers/Microsoft.Authorization/roleDefinitions/"
             "8e3af657-a8ff-443c-a75c-2fe8c4bcb635\",\"principalId\":\"" ENGINE_CLIENT_OID "\"}}"),
        201);
    ck_assert_int_eq(call(ARM, "PUT", url, text), 201);
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 200);
    ck_assert_str_eq(text_at("properties.provisioningState"), "Succeeded");
    ck_assert_int_eq(call(ARM, "GET", "/providers/Microsoft.Resources/deployments" V, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(call(ARM, "DELETE", url, NULL), 202);
    snprintf(url, sizeof url, "%s", strstr(header_of("Location"), "/providers/"));
    ck_assert_int_eq(call(ARM, "GET", url, NULL), 204);
}
END_TEST

/* A provider's refusal quotes the value; the deployment does not. */
START_TEST(test_deployment__refusals_tell_no_secret)
{
    ck_assert_int_eq(
        deploy("q",
               "\"parameters\": {\"pw\": {\"type\": \"securestring\"}}, \"resources\": [{\"type\": "
               "\"Microsoft.ServiceBus/namespaces\", \"apiVersion\": \"2021-11-01\", \"name\": \"quotes1\", "
               "\"location\": \"westus\"}, {\"type\": \"Microsoft.ServiceBus/namespaces/queues\", "
               "\"apiVersion\": "
               "\"2021-11-01\", \"name\": \"quotes1/q\", \"dependsOn\": [\"quotes1\"], \"properties\": "
               "{\"lockDuration\": \"[parameters('pw')]\"}}]",
               "{\"pw\": {\"value\": \"Hunter2-very-secret\"}}"),
        201);
    ck_assert_str_eq(state("q"), "Failed");
    ck_assert_ptr_nonnull(
        strstr(buf_str(&last->reply.body), "The value '*******************' of 'lockDuration'"));
    ck_assert_ptr_null(strstr(buf_str(&last->reply.body), "Hunter2"));
    ck_assert_int_eq(call(ARM, "GET", DEPLOY "q/operations" V, NULL), 200);
    ck_assert_ptr_null(strstr(buf_str(&last->reply.body), "Hunter2"));
}
END_TEST

/* While one is carried out, its name is taken; somebody may stop it. */
START_TEST(test_deployment__one_at_a_time)
{
    struct job_running job;
    int64_t since = 0;
    ck_assert(jobs_begin(e, &job, DEPLOY "busy", &since));
    ck_assert_int_eq(deploy("BUSY",
                            "\"resources\": [{\"type\": \"a.b/c\", \"apiVersion\": \"1\", \"name\": \"x\"}]",
                            NULL),
                     409);
    ck_assert_str_eq(text_at("error.code"), "DeploymentActive");
    ck_assert_ptr_nonnull(strstr(text_at("error.message"), "from '11/14/2023 10:13:20 PM' is still active"));
    ck_assert_ptr_nonnull(strstr(text_at("error.message"), "time is '11/21/2023 10:13:20 PM'"));
    ck_assert_int_eq(call(ARM, "GET", GROUP "/resources" V, NULL), 200);
    ck_assert_uint_eq(items(), 0);
    ck_assert(!jobs_cancelled(e, &job));
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "busy/cancel" V, NULL), 204);
    ck_assert(jobs_cancelled(e, &job));
    jobs_end(e, &job);
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "busy/cancel" V, NULL), 404);
    ck_assert_int_eq(deploy("busy", "\"resources\": []", NULL), 201);
    ck_assert_int_eq(call(ARM, "POST", DEPLOY "busy/cancel" V, NULL), 409);
    ck_assert_str_eq(text_at("error.code"), "DeploymentCannotBeCancelled");
}
END_TEST

/* The resources are put with the caller's own rights. */
START_TEST(test_deployment__rights)
{
    struct principal p;
    ck_assert_int_eq(directory_system_identity_create(e, "/stranger", &p, &err), SB_OK);
    act_as(&p);
    ck_assert_int_eq(deploy("mine", "\"resources\": []", NULL), 403);
    ck_assert_str_eq(text_at("error.code"), "AuthorizationFailed");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("arm deployment");
    TCase *c = tcase_create("deployments");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, fixture_close);
    tcase_add_test(c, test_deployment__article);
    tcase_add_test(c, test_deployment__records);
    tcase_add_loop_test(c, test_deployment__refuses, 0, (int)SB_ARRAY_LEN(refused));
    tcase_add_test(c, test_deployment__refuses_bodies);
    tcase_add_test(c, test_deployment__fails);
    tcase_add_test(c, test_deployment__kept_resources_are_filtered);
    tcase_add_test(c, test_deployment__run_time);
    tcase_add_test(c, test_deployment__nested);
    tcase_add_test(c, test_deployment__too_deep);
    tcase_add_test(c, test_deployment__complete_mode);
    tcase_add_test(c, test_deployment__subscription);
    tcase_add_test(c, test_deployment__management_group_and_tenant);
    tcase_add_test(c, test_deployment__refusals_tell_no_secret);
    tcase_add_test(c, test_deployment__one_at_a_time);
    tcase_add_test(c, test_deployment__rights);
    suite_add_tcase(s, c);
    return s;
}
