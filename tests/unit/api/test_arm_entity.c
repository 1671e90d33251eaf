/* test_arm_entity.c: queues and their authorization rules on the ARM plane: shapes as recorded, refusals,
 * pages. */
#include "tests/unit/api/data_fixture.h"

#define NSID   SUB "/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/" NS
#define QUEUE  NSID "/queues/"
#define API    "?api-version=2022-01-01-preview"
#define VALUES "{\"properties\":{"

static void up(void)
{
    data_up();
    sign_in("https://management.azure.com");
}

static int arm(const char *method, const char *url, const char *body)
{
    return call(ARM, method, url, body);
}

START_TEST(test_arm_entity__as_recorded)
{
    ck_assert_int_eq(arm("PUT", QUEUE "sb-queue" API, "{}"), 200);
    ck_assert_str_eq(buf_str(&last->reply.body),
                     "{\"id\":\"" QUEUE "sb-queue\",\"name\":\"sb-queue\",\"type\":\"Microsoft.ServiceBus/"
                     "namespaces/queues\",\"location\":\"westus\","
                     "\"properties\":{\"maxMessageSizeInKilobytes\":1024,\"lockDuration\":\"PT1M\","
                     "\"maxSizeInMegabytes\":1024,"
                     "\"requiresDuplicateDetection\":false,\"requiresSession\":false,"
                     "\"defaultMessageTimeToLive\":\"P10675199DT2H48M5.4775807S\","
                     "\"deadLetteringOnMessageExpiration\":false,\"enableBatchedOperations\":true,"
                     "\"duplicateDetectionHistoryTimeWindow\":\"PT10M\","
                     "\"maxDeliveryCount\":10,\"sizeInBytes\":0,\"messageCount\":0,\"status\":\"Active\","
                     "\"autoDeleteOnIdle\":"
                     "\"P10675199DT2H48M5.4775807S\",\"enablePartitioning\":false,\"enableExpress\":false,"
                     "\"countDetails\":{\"activeMessageCount\":0,"
                     "\"deadLetterMessageCount\":0,\"scheduledMessageCount\":0,\"transferMessageCount\":0,"
                     "\"transferDeadLetterMessageCount\":0},"
                     "\"createdAt\":\"2023-11-14T22:13:20Z\",\"updatedAt\":\"2023-11-14T22:13:20Z\","
                     "\"accessedAt\":\"0001-01-01T00:00:00\"}}");
    ck_assert_int_eq(arm("GET", QUEUE "sb-queue" API, NULL), 200);
    ck_assert_str_eq(text_at("properties.accessedAt"), "0001-01-01T00:00:00Z");
}
END_TEST

START_TEST(test_arm_entity__a_change_is_answered_with_other_times)
{
    static const char change[] =
        VALUES "\"countDetails\":{},\"lockDuration\":\"PT2M\",\"defaultMessageTimeToLive\":"
               "\"P1Y2M3DT3H11M2S\",\"forwardTo\":\"to\"}}";
    make_queue("to");
    ck_assert_int_eq(arm("PUT", QUEUE "q" API, change), 200);
    ck_assert_str_eq(text_at("properties.createdAt"), "0001-01-01T00:00:00");
    ck_assert_str_eq(text_at("properties.lockDuration"), "PT2M");
    ck_assert_str_eq(text_at("properties.defaultMessageTimeToLive"), "P428DT3H11M2S");
    ck_assert_str_eq(text_at("properties.forwardTo"), "to");
    ck_assert_int_eq(arm("PUT", QUEUE "q" API, change), 200); /* nothing new: answered like a read */
    ck_assert_str_eq(text_at("properties.createdAt"), "2023-11-14T22:13:20Z");
    ck_assert_str_eq(text_at("properties.accessedAt"), "0001-01-01T00:00:00Z");
}
END_TEST

START_TEST(test_arm_entity__counts_and_access)
{
    int64_t n;
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "hello"), 201);
    ck_assert_int_eq(arm("GET", QUEUE "q" API, NULL), 200);
    ck_assert(json_i64(json_path(answer, "properties.countDetails.activeMessageCount"), &n));
    ck_assert_int_eq(n, 1);
    ck_assert(json_i64(json_path(answer, "properties.messageCount"), &n));
    ck_assert_int_eq(n, 1);
    ck_assert_str_eq(text_at("properties.accessedAt"), "2023-11-14T22:13:20Z");
}
END_TEST

static const struct {
    const char *method, *url, *body;
    int status;
    const char *code, *message;
} refused[] = {
    {"PUT", QUEUE "w" API, VALUES "\"lockDuration\":\"PT10M\"}}", 400, "MessagingGatewayBadRequest",
     "SubCode=40000. The supplied lock time exceeds the allowed maximum of '5' minutes."},
    {"PUT", QUEUE "w" API, VALUES "\"lockDuration\":\"PT10M\"}}", 400, "MessagingGatewayBadRequest",
     "_G0, SystemTracker:contoso-sb1.servicebus.localhost:8443:w, Timestamp:2023-11-14T22:13:20"},
    {"PUT", QUEUE "q" API, VALUES "\"requiresSession\":true}}", 400, "MessagingGatewayBadRequest",
     "RequiresSession"},
    {"PUT", QUEUE "w" API, VALUES "\"forwardTo\":\"none\"}}", 400, "MessagingGatewayBadRequest",
     "SubCode=40400."},
    {"PUT", QUEUE "w" API, VALUES "\"lockDuration\":\"soon\"}}", 400, "BadRequest", "lockDuration"},
    {"PUT", QUEUE "w" API, VALUES "\"lockDuration\":5}}", 400, "InvalidRequestContent", "lockDuration"},
    {"PUT", QUEUE "w" API, VALUES "\"maxDeliveryCount\":\"5\"}}", 400, "InvalidRequestContent",
     "maxDeliveryCount"},
    {"PUT", QUEUE "w" API, VALUES "\"maxSizeInMegabytes\":99999999999999999999}}", 400,
     "InvalidRequestContent", ""},
    {"PUT", QUEUE "w" API, "{\"properties\":5}", 400, "InvalidRequestContent", "properties"},
    {"PUT", QUEUE "w" API, "[", 400, "InvalidRequestContent", ""},
    {"PUT", QUEUE "w", "{}", 400, "MissingApiVersionParameter", ""},
    {"PUT", QUEUE "a%20b" API, "{}", 400, "MessagingGatewayBadRequest", "not allowed by Service Bus"},
    {"GET", QUEUE "none" API, NULL, 404, "NotFound", "could not be found"},
    {"GET", NSID "-x/queues/q" API, NULL, 404, "ParentResourceNotFound",
     "Failed to perform 'read' on resource(s) of type 'namespaces/queues'"},
    {"PUT", NSID "-x/queues/q" API, "{}", 404, "ParentResourceNotFound", "'write'"},
    {"PUT", SUB "/resourceGroups/none/providers/Microsoft.ServiceBus/namespaces/" NS "/queues/q" API, "{}",
     404, "ResourceGroupNotFound", ""},
    {"GET", NSID "/queues" API "&$top=0", NULL, 400, "BadRequest", "$top"},
    {"GET", QUEUE "q/authorizationRules/none" API, NULL, 404, "", ""},
    {"PUT", QUEUE "q/authorizationRules/r" API, VALUES "\"rights\":[\"Sleep\"]}}", 400, "BadRequest",
     "rights"},
    {"PUT", QUEUE "q/authorizationRules/r" API, VALUES "\"rights\":[\"Manage\"]}}", 400, "BadRequest",
     "Manage"},
    {"PUT", QUEUE "none/authorizationRules/r" API, VALUES "\"rights\":[\"Send\"]}}", 404, "NotFound", ""},
    {"POST", QUEUE "q/authorizationRules/r/regenerateKeys" API, "{\"keyType\":\"MasterKey\"}", 400,
     "BadRequest", "keyType"},
    {"PATCH", QUEUE "q" API, "{}", 405, "MethodNotAllowed", ""},
};

START_TEST(test_arm_entity__refusals)
{
    ck_assert_msg(arm(refused[_i].method, refused[_i].url, refused[_i].body) == refused[_i].status, "%d %s",
                  last->reply.status, buf_str(&last->reply.body));
    if (refused[_i].code[0])
        ck_assert_str_eq(text_at("error.code"), refused[_i].code);
    ck_assert_msg(strstr(text_at("error.message"), refused[_i].message) != NULL, "%s",
                  text_at("error.message"));
}
END_TEST

START_TEST(test_arm_entity__delete)
{
    ck_assert_int_eq(arm("DELETE", QUEUE "q" API, NULL), 200);
    ck_assert_str_eq(buf_str(&last->reply.body), "");
    ck_assert_int_eq(arm("DELETE", QUEUE "q" API, NULL), 204);
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 410);
}
END_TEST

START_TEST(test_arm_entity__lists_in_pages)
{
    char next[512];
    make_queue("a");
    make_queue("x/y");
    ck_assert_int_eq(arm("GET", NSID "/queues" API, NULL), 200);
    ck_assert_uint_eq(items(), 3);
    ck_assert_str_eq(text_at("nextLink"), "");
    ck_assert_str_eq(json_text(json_get(item(2), "name")), "x~y");
    ck_assert_int_eq(arm("GET", NSID "/queues" API "&$top=2", NULL), 200);
    ck_assert_uint_eq(items(), 2);
    ck_assert(text_copy(next, sizeof next, text_at("nextLink")));
    ck_assert_str_eq(next, "https://localhost:8443" NSID "/queues" API "&$skip=2&$top=2");
    ck_assert_int_eq(arm("GET", next + strlen("https://localhost:8443"), NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(arm("GET", QUEUE "x~y" API, NULL), 200);
    ck_assert_str_eq(text_at("id"), QUEUE "x~y");
    ck_assert_int_eq(arm("GET", QUEUE "x%2Fy" API, NULL), 200);
}
END_TEST

START_TEST(test_arm_entity__rules_and_keys)
{
    char first[128];
    ck_assert_int_eq(
        arm("PUT", QUEUE "q/authorizationRules/sender" API, VALUES "\"rights\":[\"Send\",\"Listen\"]}}"),
        200);
    ck_assert_str_eq(buf_str(&last->reply.body),
                     "{\"id\":\"" QUEUE "q/authorizationRules/sender\",\"name\":\"sender\",\"type\":"
                     "\"Microsoft.ServiceBus/Namespaces/Queues/AuthorizationRules\",\"location\":\"westus\","
                     "\"properties\":{\"rights\":[\"Listen\",\"Send\"]}}");
    ck_assert_int_eq(arm("GET", QUEUE "q/AuthorizationRules" API, NULL), 200);
    ck_assert_uint_eq(items(), 1);
    ck_assert_int_eq(arm("POST", QUEUE "q/authorizationRules/sender/ListKeys" API, NULL), 200);
    ck_assert(text_copy(first, sizeof first, text_at("primaryKey")));
    ck_assert_str_eq(text_at("keyName"), "sender");
    char expect[512];
    snprintf(expect, sizeof expect,
             "Endpoint=sb://contoso-sb1.servicebus.localhost:8443/"
             ";SharedAccessKeyName=sender;SharedAccessKey=%s;EntityPath=q",
             first);
    ck_assert_str_eq(text_at("primaryConnectionString"), expect);
    make_sas("https://" NS ".servicebus.localhost/q", "sender", first, later());
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    ck_assert_int_eq(
        arm("POST", QUEUE "q/authorizationRules/sender/regenerateKeys" API, "{\"keyType\":\"PrimaryKey\"}"),
        200);
    ck_assert_str_ne(text_at("primaryKey"), first);
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 401);
    ck_assert_int_eq(arm("DELETE", QUEUE "q/authorizationRules/sender" API, NULL), 200);
    ck_assert_int_eq(arm("DELETE", QUEUE "q/authorizationRules/sender" API, NULL), 204);
}
END_TEST

START_TEST(test_arm_entity__needs_a_token)
{
    token[0] = '\0';
    ck_assert_int_eq(arm("GET", QUEUE "q" API, NULL), 401);
    ck_assert_str_eq(text_at("error.code"), "AuthenticationFailed");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("arm_entity");
    TCase *t = tcase_create("queue");
    tcase_add_checked_fixture(t, up, data_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_arm_entity__as_recorded);
    tcase_add_test(t, test_arm_entity__a_change_is_answered_with_other_times);
    tcase_add_test(t, test_arm_entity__counts_and_access);
    tcase_add_loop_test(t, test_arm_entity__refusals, 0, (int)SB_ARRAY_LEN(refused));
    tcase_add_test(t, test_arm_entity__delete);
    tcase_add_test(t, test_arm_entity__lists_in_pages);
    tcase_add_test(t, test_arm_entity__rules_and_keys);
    tcase_add_test(t, test_arm_entity__needs_a_token);
    suite_add_tcase(s, t);
    return s;
}
