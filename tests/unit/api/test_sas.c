/* test_sas.c: who may use the data plane: signatures, rules of queues, bearer tokens with and without roles.
 */
#include <stdio.h>
#include "api/sas.h"
#include "tests/unit/api/data_fixture.h"

/* ---- parsing ---- */

static const struct {
    const char *text;
    bool good;
} tokens[] = {
    {"sr=a%2Fb&sig=c%3D&se=5&skn=k", true},
    {"skn=k&se=5&sig=c%3D&sr=a%2Fb", true},
    {" sig=c%3D & skn=k&sr=a%2Fb&se=5&", true},
    {"sr=a%2Fb&sig=c%3D&se=5&skn=k&other=1", true},
    {"", false},
    {"sr=a%2Fb&sig=c%3D&se=5", false},
    {"sr=a%2Fb&sig=c%3D&se=5&skn=", false},
    {"sr=a%2Fb&sr=a%2Fb&sig=c%3D&se=5&skn=k", false},
    {"sr=a%2Fb&sig=c%3D&se=5&skn", false},
    {"sr=a%2&sig=c%3D&se=5&skn=k", false},
    {"sr=a%00b&sig=c%3D&se=5&skn=k", false},
};

START_TEST(test_sas__parsing)
{
    struct sb_arena *a = arena_new(1 << 16);
    struct sas_token t;
    enum sb_err rc = sas_parse(tokens[_i].text, a, &t, &err);
    ck_assert_msg(rc == (tokens[_i].good ? SB_OK : SB_EBADTOKEN), "%s", tokens[_i].text);
    if (tokens[_i].good) {
        ck_assert_str_eq(t.sr, "a/b");
        ck_assert_str_eq(t.sr_raw, "a%2Fb");
        ck_assert_str_eq(t.sig, "c=");
        ck_assert_str_eq(t.se, "5");
        ck_assert_str_eq(t.skn, "k");
    }
    arena_free(a);
}
END_TEST

/* ---- signatures ---- */

static struct auth_rule rule_of(const char *queue, const char *name, unsigned rights, struct sb_arena *a)
{
    struct auth_rule r;
    if (rights)
        ck_assert_msg(ns_rule_put(e, NS, queue, name, rights, a, &r, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(ns_rule_get(e, NS, queue, name, a, &r, &err), SB_OK);
    return r;
}

static int get(const char *url)
{
    return ask("DELETE", url, NULL, NULL);
}

START_TEST(test_sas__what_a_signature_is_good_for)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct auth_rule root = rule_of(NULL, "RootManageSharedAccessKey", 0, a),
                     send = rule_of("q", "sender", RIGHT_SEND, a);
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 204);
    make_sas("sb://contoso-sb1.servicebus.windows.net/q", root.name, root.secondary, later());
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 204); /* secondary key, real name, path */
    make_sas("https://contoso-sb1.servicebus.windows.net/other", root.name, root.primary, later());
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_sas("https://contoso-sb2.servicebus.windows.net/q", root.name, root.primary, later());
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_sas("https://contoso-sb1.servicebus.windows.net/q", root.name, root.primary, 1000);
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_sas("https://contoso-sb1.servicebus.windows.net/q", root.name, "another key", later());
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_sas("https://contoso-sb1.servicebus.windows.net/q", "nobody", root.primary, later());
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_sas("https://contoso-sb1.servicebus.windows.net/q", send.name, send.primary, later());
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401); /* Send alone */
    ck_assert(strstr(buf_str(&last->reply.body), "'Listen' claim(s) are required") != NULL);
    arena_free(a);
}
END_TEST

START_TEST(test_sas__the_rule_of_a_queue_is_none_of_those_whose_names_begin_like_it)
{
    struct sb_arena *a = arena_new(1 << 20);
    make_queue("q/deep");
    struct auth_rule own = rule_of("q", "sender", RIGHT_SEND, a),
                     deep = rule_of("q/deep", "deep", RIGHT_SEND, a);
    make_sas("https://contoso-sb1.servicebus.windows.net/q", own.name, own.primary, later());
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    ck_assert_int_eq(ask("POST", "/q/deep/messages", NULL, "x"), 401);
    ck_assert_int_eq(ask("POST", "//Q/Deep/messages", NULL, "x"), 401);
    make_sas("https://contoso-sb1.servicebus.windows.net/q/deep", deep.name, deep.primary, later());
    ck_assert_int_eq(ask("POST", "/q/deep/messages", NULL, "x"), 201);
    arena_free(a);
}
END_TEST

START_TEST(test_sas__refusals_in_xml)
{
    sas[0] = '\0';
    ck_assert_int_eq(get("/q/messages/head"), 401);
    const char *body = buf_str(&last->reply.body);
    ck_assert_msg(
        strncmp(
            body,
            "<Error><Code>401</Code><Detail>MissingToken: The authorization header wasn't found. TrackingId:",
            90) == 0,
        "%s", body);
    ck_assert_msg(strstr(body, ", SystemTracker:contoso-sb1.servicebus.localhost:q, "
                               "Timestamp:2023-11-14T22:13:20</Detail></Error>") != NULL,
                  "%s", body);
    ck_assert_str_eq(header_of("Server"), "Microsoft-HTTPAPI/2.0");
    snprintf(sas, sizeof sas, "Basic eDp5");
    ck_assert_int_eq(get("/q/messages/head"), 401);
    snprintf(sas, sizeof sas, "SharedAccessSignature nonsense");
    ck_assert_int_eq(get("/q/messages/head"), 401);
    ck_assert_int_eq(get("/nowhere/messages/head"), 401); /* credentials come before what is not there */
}
END_TEST

START_TEST(test_sas__no_such_namespace)
{
    ck_assert_int_eq(
        ask_end(ask_new("nobody.servicebus.localhost:8443", "DELETE", "/q/messages/head", NULL, NULL, 0)),
        404);
}
END_TEST

START_TEST(test_sas__local_auth_can_be_disabled)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct ns_view v;
    bool created;
    struct ns_spec s = ns_spec(ENGINE_SUBSCRIPTION, "g", NS);
    s.location = "westus";
    s.sku = "Premium";
    s.disable_local_auth = 1;
    ck_assert_msg(ns_put(e, &s, a, &v, &created, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    ck_assert_ptr_nonnull(strstr(buf_str(&last->reply.body), "LocalAuthDisabled"));
    arena_free(a);
}
END_TEST

/* ---- bearer tokens ---- */

static void as_client(const char *audience)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct principal who;
    bool found;
    char *text = NULL;
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &who, &err), SB_OK);
    ck_assert_int_eq(directory_issue(e, &who, audience, false, NULL, 3600, a, &text, &err), SB_OK);
    ck_assert_int_lt(snprintf(sas, sizeof sas, "Bearer %s", text), (int)sizeof sas);
    arena_free(a);
}

static void assign(const char *role, const char *tail)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct role_assignment ret;
    bool created;
    const struct role_assignment want = {
        .name = "88888888-0000-0000-0000-000000000001",
        .scope = arena_printf(a, SUB "/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/%s", tail),
        .role_id = rbac_role_by_name(role)->id,
        .principal_id = ENGINE_CLIENT_OID,
        .principal_type = "ServicePrincipal"};
    ck_assert_msg(rbac_assign(e, &want, a, &ret, &created, &err) == SB_OK, "%s", err.detail);
    arena_free(a);
}

START_TEST(test_sas__a_bearer_token_needs_a_role)
{
    as_client("https://servicebus.azure.net/");
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"),
                     401); /* Owner of the subscription: no data actions */
    assign("Azure Service Bus Data Sender", NS "/queues/q");
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 401);
    make_queue("q2");
    ck_assert_int_eq(ask("POST", "/q2/messages", NULL, "x"), 401); /* another queue */
    as_client("https://contoso-sb1.servicebus.windows.net");
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    as_client("https://vault.azure.net");
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 401);
}
END_TEST

START_TEST(test_sas__a_receiver_may_use_the_dead_letter_queue)
{
    as_client("https://servicebus.azure.net");
    assign("Azure Service Bus Data Receiver", NS "/queues/q");
    ck_assert_int_eq(get("/q/messages/head?timeout=0"), 204);
    ck_assert_int_eq(get("/q/$DeadLetterQueue/messages/head?timeout=0"), 204);
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 401);
}
END_TEST

/* In ARM ids "~" stands for the "/" of names (documented): a role is good for just that one. */
START_TEST(test_sas__a_role_at_a_queue_whose_name_is_a_path)
{
    as_client("https://servicebus.azure.net");
    make_queue("q/deep");
    assign("Azure Service Bus Data Owner", NS "/queues/q~deep");
    ck_assert_int_eq(ask("POST", "/q/deep/messages", NULL, "x"), 201);
    ck_assert_int_eq(get("/Q/Deep/$DeadLetterQueue/messages/head?timeout=0"), 204);
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 401);
}
END_TEST

START_TEST(test_sas__a_role_at_a_queue_is_none_at_those_whose_names_begin_like_it)
{
    as_client("https://servicebus.azure.net");
    make_queue("q/deep");
    assign("Azure Service Bus Data Owner", NS "/queues/q");
    ck_assert_int_eq(ask("POST", "/q/messages", NULL, "x"), 201);
    ck_assert_int_eq(ask("POST", "/q/deep/messages", NULL, "x"), 401);
    ck_assert_int_eq(get("/q/deep/messages/head?timeout=0"), 401);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("sas");
    TCase *t = tcase_create("parsing");
    tcase_add_loop_test(t, test_sas__parsing, 0, (int)SB_ARRAY_LEN(tokens));
    suite_add_tcase(s, t);
    t = tcase_create("authorization");
    tcase_add_checked_fixture(t, data_up, data_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_sas__what_a_signature_is_good_for);
    tcase_add_test(t, test_sas__the_rule_of_a_queue_is_none_of_those_whose_names_begin_like_it);
    tcase_add_test(t, test_sas__refusals_in_xml);
    tcase_add_test(t, test_sas__no_such_namespace);
    tcase_add_test(t, test_sas__local_auth_can_be_disabled);
    tcase_add_test(t, test_sas__a_bearer_token_needs_a_role);
    tcase_add_test(t, test_sas__a_receiver_may_use_the_dead_letter_queue);
    tcase_add_test(t, test_sas__a_role_at_a_queue_whose_name_is_a_path);
    tcase_add_test(t, test_sas__a_role_at_a_queue_is_none_at_those_whose_names_begin_like_it);
    suite_add_tcase(s, t);
    return s;
}
