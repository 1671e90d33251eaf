/* test_ns_rules.c: authorization rules of namespaces and entities, and shared access signatures. */
#include "crypto/digest.h"
#include "server/engine/ns_priv.h"
#include "tests/unit/engine/ns_fixture.h"

static void setup(void)
{
    world_open(NULL);
}

START_TEST(test_ns_rules__born_with_root_rule)
{
    struct auth_rule *list;
    size_t n;
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    ck_assert_int_eq(ns_rule_list(e, NS, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(list[0].name, "RootManageSharedAccessKey");
    ck_assert_uint_eq(list[0].rights, RIGHT_LISTEN | RIGHT_SEND | RIGHT_MANAGE);
    ck_assert_uint_eq(strlen(list[0].primary), 44);
    ck_assert_str_ne(list[0].primary, list[0].secondary);
}
END_TEST

START_TEST(test_ns_rules__life)
{
    struct auth_rule a, b, *list;
    size_t n;
    bool existed;
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "send", RIGHT_SEND, arena, &a, &err), SB_OK);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "SEND", RIGHT_SEND | RIGHT_LISTEN, arena, &b, &err), SB_OK);
    ck_assert_str_eq(a.primary, b.primary); /* an update keeps the keys */
    ck_assert_int_eq(ns_rule_put(e, NS, "q", "send", RIGHT_SEND, arena, &b, &err), SB_OK);
    ck_assert_str_ne(a.primary, b.primary);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "bad", RIGHT_MANAGE, arena, &b, &err), SB_EBADREQUEST);
    ck_detail("Manage right must also include Send and Listen rights.");
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "bad", 0, arena, &b, &err), SB_EBADREQUEST);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "b/d", RIGHT_SEND, arena, &b, &err), SB_EBADREQUEST);
    ck_assert_int_eq(ns_rule_put(e, "none-there", NULL, "x", RIGHT_SEND, arena, &b, &err), SB_ENONAMESPACE);
    ck_assert_int_eq(ns_rule_regenerate(e, NS, NULL, "send", 0, NULL, arena, &b, &err), SB_OK);
    ck_assert_str_ne(a.primary, b.primary);
    ck_assert_str_eq(a.secondary, b.secondary);
    const char *own = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    ck_assert_int_eq(ns_rule_regenerate(e, NS, NULL, "send", 1, own, arena, &b, &err), SB_OK);
    ck_assert_str_eq(b.secondary, own);
    ck_assert_int_eq(ns_rule_regenerate(e, NS, NULL, "send", 1, "short", arena, &b, &err), SB_EBADREQUEST);
    ck_assert_int_eq(ns_rule_regenerate(e, NS, NULL, "none", 1, NULL, arena, &b, &err), SB_ENOTFOUND);
    ck_assert_int_eq(ns_rule_list(e, NS, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(ns_rule_delete(e, NS, NULL, "Send", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(ns_rule_delete(e, NS, NULL, "send", &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(ns_rule_get(e, NS, "q", "send", arena, &b, &err), SB_OK);
    for (int i = 0; i < 11; i++)
        ck_assert_int_eq(ns_rule_put(e, NS, NULL, arena_printf(arena, "r%d", i), RIGHT_SEND, arena, &b, &err),
                         SB_OK);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "one-more", RIGHT_SEND, arena, &b, &err), SB_ELIMIT);
}
END_TEST

static const char *sign(const char *key, const char *sr_raw, const char *se)
{
    uint8_t mac[32];
    struct sb_buf b;
    const char *text = arena_printf(arena, "%s\n%s", sr_raw, se);
    digest_hmac_sha256(key, strlen(key), text, strlen(text), mac);
    buf_init(&b, 100);
    ck_assert_int_eq(b64_encode(&b, mac, sizeof mac), SB_OK);
    const char *sig = arena_strdup(arena, buf_str(&b));
    buf_done(&b);
    return sig;
}

static const struct {
    const char *sr, *path;
    enum sb_err rc;
} srs[] = {
    {"https://contoso-sb1.servicebus.windows.net/", "q", SB_OK},
    {"https://contoso-sb1.servicebus.windows.net", "q/messages", SB_OK},
    {"sb://CONTOSO-SB1.servicebus.localhost:8443/q", "q/messages", SB_OK},
    {"sb://contoso-sb1.servicebus.windows.net/Q/", "/q/messages", SB_OK},
    {"contoso-sb1.servicebus.windows.net/q", "q", SB_OK},
    {"https://contoso-sb1.servicebus.windows.net/q/messages?x=1", "q/messages", SB_OK},
    {"https://contoso-sb1.servicebus.windows.net/q", "queue", SB_EBADTOKEN}, /* whole segments */
    {"https://contoso-sb1.servicebus.windows.net/q/messages", "q", SB_EBADTOKEN},
    {"https://contoso-sb11.servicebus.windows.net/q", "q", SB_EBADTOKEN},
    {"https://contoso-sb.servicebus.windows.net/q", "q", SB_EBADTOKEN},
    {"https://evil.net/contoso-sb1.servicebus.windows.net/q", "q", SB_EBADTOKEN},
};

START_TEST(test_ns_rules__sas_resource)
{
    for (size_t at = 0; at < SB_ARRAY_LEN(srs); at++) {
        struct auth_rule r;
        unsigned rights = 0;
        struct ns_spec s = ns_wanted(NS);
        ns_ok(&s);
        ck_assert_int_eq(ns_rule_put(e, NS, NULL, "s", RIGHT_SEND, arena, &r, &err), SB_OK);
        struct sb_buf raw;
        buf_init(&raw, 1000);
        ck_assert_int_eq(percent_encode(&raw, srs[at].sr), SB_OK);
        const char *sig = sign(at % 2 ? r.primary : r.secondary, buf_str(&raw), "9999999999");
        ck_assert_int_eq(ns_sas_verify(e, NS, srs[at].path, srs[at].sr, buf_str(&raw), "9999999999", "S", sig,
                                       &rights, &err),
                         srs[at].rc);
        ck_assert_uint_eq(rights, srs[at].rc == SB_OK ? RIGHT_SEND : 0);
        buf_done(&raw);
    }
}
END_TEST

START_TEST(test_ns_rules__sas_signature)
{
    struct auth_rule r, q;
    unsigned rights = 0;
    const char *sr = "https://contoso-sb1.servicebus.windows.net/q",
               *up = "https%3A%2F%2Fcontoso-sb1.servicebus.windows.net%2Fq",
               *low = "https%3a%2f%2fcontoso-sb1.servicebus.windows.net%2fq", *se = "9999999999";
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "s", RIGHT_SEND, arena, &r, &err), SB_OK);
    ck_assert_int_eq(ns_rule_put(e, NS, "q", "only-q", RIGHT_LISTEN, arena, &q, &err), SB_OK);
#define VERIFY(path, raw, se, skn, sig) ns_sas_verify(e, NS, path, sr, raw, se, skn, sig, &rights, &err)
    /* signed with one case of the escapes, sent with the other */
    ck_assert_int_eq(VERIFY("q", up, se, "s", sign(r.primary, low, se)), SB_OK);
    ck_assert_int_eq(VERIFY("q", low, se, "s", sign(r.primary, up, se)), SB_OK);
    ck_assert_int_eq(VERIFY("q", up, se, "s", sign(r.primary, up, "9999999998")), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", up, se, "s", sign("key", up, se)), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", up, se, "none", sign(r.primary, up, se)), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", up, se, "s", ""), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", up, "soon", "s", sign(r.primary, up, "soon")), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", up, "1600000000", "s", sign(r.primary, up, "1600000000")), SB_EEXPIREDTOKEN);
    /* 23: the machine's clock, not the emulator's, which stands in 2023 */
    const char *past = "1700000100";
    ck_assert_int_eq(VERIFY("q", up, past, "s", sign(r.primary, up, past)), SB_EEXPIREDTOKEN);
    /* an entity's rule counts for that entity */
    ck_assert_int_eq(VERIFY("q/messages", up, se, "only-q", sign(q.primary, up, se)), SB_OK);
    ck_assert_uint_eq(rights, RIGHT_LISTEN);
    const char *all = "https%3A%2F%2Fcontoso-sb1.servicebus.windows.net";
    ck_assert_int_eq(ns_sas_verify(e, NS, "q", "https://contoso-sb1.servicebus.windows.net", all, se,
                                   "only-q", sign(q.primary, all, se), &rights, &err),
                     SB_EBADTOKEN);
    ck_assert_int_eq(ns_sas_verify(e, "none-there", "q", "https://none-there.servicebus.windows.net", up, se,
                                   "s", "x", &rights, &err),
                     SB_EBADTOKEN);
    s.disable_local_auth = 1;
    ns_ok(&s);
    ck_assert_int_eq(VERIFY("q", up, se, "s", sign(r.primary, up, se)), SB_EBADTOKEN);
    ck_detail("LocalAuthDisabled");
}
END_TEST

/* What was verified once is not asked for again, until the rule's keys, or the rule, are others. */
START_TEST(test_ns_rules__sas_signature_is_forgotten_with_its_key)
{
    struct auth_rule r, other;
    unsigned rights = 0;
    const char *sr = "https://contoso-sb1.servicebus.windows.net/q",
               *raw = "https%3a%2f%2fcontoso-sb1.servicebus.windows.net%2fq", *se = "9999999999";
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "s", RIGHT_SEND, arena, &r, &err), SB_OK);
    const char *sig = sign(r.primary, raw, se), *sig2 = sign(r.secondary, raw, se);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(VERIFY("q", raw, se, "s", sig), SB_OK);
        ck_assert_int_eq(VERIFY("q", raw, se, "s", sig2), SB_OK);
        ck_assert_int_eq(VERIFY("q", raw, "9999999998", "s", sig), SB_EBADTOKEN);
        ck_assert_int_eq(VERIFY("p", raw, se, "s", sig), SB_EBADTOKEN);
    }
    /* more of them than are remembered */
    for (int i = 0; i < 9; i++) {
        const char *until = arena_printf(arena, "999999999%d", i);
        ck_assert_int_eq(VERIFY("q", raw, until, "s", sign(r.primary, raw, until)), SB_OK);
    }
    ck_assert_int_eq(VERIFY("q", raw, se, "s", sig), SB_OK);
    ck_assert_int_eq(ns_rule_regenerate(e, NS, NULL, "s", 0, NULL, arena, &other, &err), SB_OK);
    ck_assert_int_eq(VERIFY("q", raw, se, "s", sig), SB_EBADTOKEN);
    ck_assert_int_eq(VERIFY("q", raw, se, "s", sig2), SB_OK);
    ck_assert_int_eq(ns_rule_put(e, NS, NULL, "s", RIGHT_LISTEN, arena, &other, &err), SB_OK);
    ck_assert_int_eq(VERIFY("q", raw, se, "s", sig2), SB_OK);
    ck_assert_uint_eq(rights, RIGHT_LISTEN);
    bool existed;
    ck_assert_int_eq(ns_rule_delete(e, NS, NULL, "s", &existed, &err), SB_OK);
    ck_assert_int_eq(VERIFY("q", raw, se, "s", sig2), SB_EBADTOKEN);
}
END_TEST

Suite *unit_suite(void)
{
    pool_fill();
    atexit(pool_empty);
    Suite *s = suite_create("ns_rules");
    TCase *t = tcase_create("rules");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, world_down);
    tcase_add_test(t, test_ns_rules__born_with_root_rule);
    tcase_add_test(t, test_ns_rules__life);
    tcase_add_test(t, test_ns_rules__sas_resource);
    tcase_add_test(t, test_ns_rules__sas_signature);
    tcase_add_test(t, test_ns_rules__sas_signature_is_forgotten_with_its_key);
    suite_add_tcase(s, t);
    return s;
}
