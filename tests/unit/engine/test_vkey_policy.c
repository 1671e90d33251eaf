/* test_vkey_policy.c: rotation policies: what they may say, when they act, what they leave alone. */
#include "tests/unit/engine/vault_fixture.h"
#include <stdlib.h>

#define KV "v-rotate"

static struct vault_caller who;

static void setup(void)
{
    fixture_up();
    make_vault(KV);
    who = (struct vault_caller){.who = &client, .ip = "127.0.0.1", .request_id = "rid"};
}

#define ck_ok(expr) ck_assert_msg((expr) == SB_OK, "%s", err.detail)

static struct vkey make_key(const char *name)
{
    struct vkey k;
    const struct vkey_spec s = {.vault = KV, .name = name, .kty = "EC", .enabled = -1, .nbf = -1, .exp = -1};
    ck_ok(vkey_create(e, &who, &s, arena, &k, &err));
    return k;
}

static enum sb_err put_policy(const char *after, const char *before, const char *notify, const char *expiry)
{
    struct vkey_policy ret;
    const struct vkey_policy p = {
        .rotate_after = after, .rotate_before = before, .notify_before = notify, .expiry = expiry};
    return vkey_policy_put(e, &who, KV, "k", &p, arena, &ret, &err);
}

static struct vkey newest(void)
{
    struct vkey k;
    ck_ok(vkey_get(e, &who, KV, "k", NULL, arena, &k, &err));
    return k;
}

/* Texts of what happened: "kind target" and the day, in order. */
static const char *advance(int64_t days)
{
    struct timeline_result r;
    const char *text = "";
    ck_ok(timeline_advance(e, days * DAY, arena, 100, &r, &err));
    for (size_t i = 0; i < r.n; i++)
        text = arena_printf(arena, "%s%s%s %s +%d", text, i > 0 ? "; " : "", r.events[i].kind,
                            r.events[i].target, (int)((r.events[i].time - START) / DAY));
    return text;
}

static const struct {
    const char *after, *before, *notify, *expiry;
    enum sb_err rc;
} policies[] = {
    {"P30D", NULL, NULL, NULL, SB_OK},
    {"P15D", NULL, "P7D", "P30D", SB_OK}, /* recorded */
    {NULL, "P30D", NULL, "P90D", SB_OK},
    {"P18M", NULL, NULL, "P2Y", SB_OK},
    {NULL, NULL, "P10D", NULL, SB_OK},
    {NULL, NULL, NULL, "P28D", SB_OK},
    {"P7D", NULL, NULL, NULL, SB_OK},
    {"P6DT23H", NULL, NULL, NULL, SB_EBADPARAM},
    {NULL, "P6D", NULL, "P90D", SB_EBADPARAM},
    {NULL, NULL, "P6D", NULL, SB_EBADPARAM},
    {NULL, NULL, NULL, "P27D", SB_EBADPARAM},
    {NULL, "P30D", NULL, NULL, SB_EBADPARAM},   /* before an expiry that there is not */
    {"P24D", NULL, NULL, "P30D", SB_EBADPARAM}, /* less than 7 days before expiry */
    {NULL, "P24D", NULL, "P30D", SB_EBADPARAM}, /* less than 7 days after creation */
    {"30 days", NULL, NULL, NULL, SB_EBADPARAM},
    {"-P30D", NULL, NULL, NULL, SB_EBADPARAM},
    {"", NULL, NULL, NULL, SB_EBADPARAM},
    {"P99999999999999999999D", NULL, NULL, NULL, SB_EBADPARAM},
};

START_TEST(test_policy__what_it_may_say)
{
    make_key("k");
    enum sb_err rc =
        put_policy(policies[_i].after, policies[_i].before, policies[_i].notify, policies[_i].expiry);
    ck_assert_msg(rc == policies[_i].rc, "%s: %s", sb_err_name(rc), err.detail);
}
END_TEST

START_TEST(test_policy__default_and_stored)
{
    struct vkey_policy p;
    make_key("K");
    ck_ok(vkey_policy_get(e, &who, KV, "k", arena, &p, &err));
    ck_assert_str_eq(p.name, "K");
    ck_assert_str_eq(p.notify_before, "P30D");
    ck_assert(p.rotate_after == NULL && p.rotate_before == NULL && p.expiry == NULL && p.created == -1);
    ck_ok(put_policy("P1Y", NULL, NULL, "P2Y"));
    advance(1);
    ck_ok(put_policy(NULL, "P60D", "P20D", "P1Y"));
    ck_ok(vkey_policy_get(e, &who, KV, "k", arena, &p, &err));
    ck_assert_str_eq(p.rotate_before, "P60D");
    ck_assert_str_eq(p.notify_before, "P20D");
    ck_assert_str_eq(p.expiry, "P1Y");
    ck_assert_ptr_null(p.rotate_after);
    ck_assert_int_eq(p.created, NOW_S);
    ck_assert_int_eq(p.updated, NOW_S + 86400);
    ck_assert_int_eq(vkey_policy_get(e, &who, KV, "none", arena, &p, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_policy__rotates_after_creation)
{
    struct vkey first = make_key("k");
    ck_ok(put_policy("P30D", NULL, "P10D", "P60D"));
    ck_assert_int_eq(newest().exp, -1); /* the present version is left alone (documented) */
    ck_assert_str_eq(advance(29), "");
    ck_assert_str_eq(advance(1), "keyRotated " KV "/k +30");
    struct vkey k = newest();
    ck_assert_str_ne(k.version, first.version);
    ck_assert_int_eq(k.created, NOW_S + 30 * 86400);
    ck_assert_int_eq(k.exp, k.created + 60 * 86400);
    ck_assert_str_eq(k.kty, first.kty);
    ck_assert_str_eq(k.key_ops, first.key_ops);
    ck_assert_str_eq(advance(60), "keyRotated " KV "/k +60; keyRotated " KV "/k +90");
}
END_TEST

START_TEST(test_policy__rotates_before_expiry_and_notifies)
{
    make_key("k");
    ck_ok(put_policy(NULL, "P30D", "P40D", "P90D"));
    ck_assert_str_eq(advance(100), ""); /* the first version has no expiry */
    struct vkey k;
    ck_ok(vkey_rotate(e, &who, KV, "k", arena, &k, &err)); /* by hand: stamped too (recorded) */
    ck_assert_int_eq(k.exp, k.created + 90 * 86400);
    ck_assert_str_eq(advance(120), "keyNearExpiry " KV "/k +150; keyRotated " KV "/k +160; keyNearExpiry " KV
                                   "/k +210; keyRotated " KV "/k +220");
}
END_TEST

START_TEST(test_policy__late_ones_run_at_once)
{
    make_key("k");
    advance(50);
    ck_ok(put_policy("P30D", NULL, NULL, NULL));
    ck_assert_str_eq(advance(0), "keyRotated " KV "/k +30");
    ck_assert_int_eq(newest().created, NOW_S + 50 * 86400);
    ck_assert_str_eq(advance(29), "");
}
END_TEST

START_TEST(test_policy__leaves_disabled_and_deleted_keys_alone)
{
    struct vkey k;
    struct vkey_spec off = {.vault = KV, .name = "k", .enabled = 0, .nbf = -1, .exp = -1};
    make_key("k");
    ck_ok(put_policy("P30D", NULL, NULL, NULL));
    ck_ok(vkey_update(e, &who, &off, NULL, arena, &k, &err));
    ck_assert_str_eq(advance(40), "");
    off.enabled = 1;
    ck_ok(vkey_update(e, &who, &off, NULL, arena, &k, &err));
    ck_assert_str_eq(advance(0), "keyRotated " KV "/k +30");
    ck_ok(vkey_delete(e, &who, KV, "k", arena, &k, &err));
    ck_assert_str_eq(advance(40), "");
    ck_ok(vkey_recover(e, &who, KV, "k", arena, &k, &err));
    ck_assert_str_eq(advance(0), "keyRotated " KV "/k +70");
    /* Of a deleted vault nothing is rotated; the policy is there when it is back. */
    bool existed;
    struct vault_spec back = spec(KV);
    back.recover = true;
    back.has_policies = false;
    ck_ok(vault_delete(e, SUB, "g", KV, &existed, &err));
    ck_assert_str_eq(advance(40), "");
    ck_ok(put(&back, NULL));
    ck_assert_str_eq(advance(0), "keyRotated " KV "/k +110");
    /* Purged, it is forgotten. */
    ck_ok(vkey_delete(e, &who, KV, "k", arena, &k, &err));
    ck_ok(vkey_purge(e, &who, KV, "k", &err));
    make_key("k");
    ck_assert_str_eq(advance(100), "");
}
END_TEST

START_TEST(test_policy__a_key_that_cannot_be_made_again_holds_nothing_up)
{
    struct pkey *key = NULL;
    struct vkey k;
    ck_ok(pkey_generate_rsa(1024, &key, &err));
    const struct vkey_spec s = {.vault = KV, .name = "k", .enabled = -1, .nbf = -1, .exp = -1, .import = key};
    ck_ok(vkey_import(e, &who, &s, arena, &k, &err));
    pkey_unref(key);
    ck_ok(put_policy("P30D", NULL, NULL, NULL));
    ck_assert_str_eq(advance(90), "keyNotRotated " KV "/k: SB_EBADPARAM +30");
}
END_TEST

START_TEST(test_policy__audited)
{
    struct st_event *ev = NULL;
    size_t n = 0;
    bool gap;
    make_key("k");
    ck_ok(put_policy("P30D", NULL, NULL, NULL));
    int64_t mark = events_last_id(e);
    advance(30);
    ck_ok(events_list(e, mark, 10, arena, &ev, &n, &gap, &err));
    ck_assert_uint_eq(n, 1);
    ck_assert_str_eq(ev[0].op, "KeyRotateIfDue");
    ck_assert_str_eq(ev[0].key, "k");
    ck_assert_str_eq(ev[0].version, newest().version);
}
END_TEST

START_TEST(test_policy__survives_a_restart)
{
    char dir[] = "/tmp/sealedbus-policy-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    who.who = &client;
    make_vault(KV);
    make_key("k");
    ck_ok(put_policy("P30D", NULL, NULL, "P60D"));
    advance(29);
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    ck_assert_str_eq(advance(2), "keyRotated " KV "/k +30");
    ck_assert_int_eq(newest().exp, newest().created + 60 * 86400);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vkey_policy");
    TCase *t = tcase_create("policy");
    tcase_add_checked_fixture(t, setup, close_engine);
    tcase_add_loop_test(t, test_policy__what_it_may_say, 0, (int)SB_ARRAY_LEN(policies));
    tcase_add_test(t, test_policy__default_and_stored);
    tcase_add_test(t, test_policy__rotates_after_creation);
    tcase_add_test(t, test_policy__rotates_before_expiry_and_notifies);
    tcase_add_test(t, test_policy__late_ones_run_at_once);
    tcase_add_test(t, test_policy__leaves_disabled_and_deleted_keys_alone);
    tcase_add_test(t, test_policy__a_key_that_cannot_be_made_again_holds_nothing_up);
    tcase_add_test(t, test_policy__audited);
    tcase_add_test(t, test_policy__survives_a_restart);
    suite_add_tcase(s, t);
    return s;
}
