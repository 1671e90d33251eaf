/* test_vkey.c: keys of the vaults: life cycle, what dates and states forbid, the service as a client, what is
 * on disk. */
#define _GNU_SOURCE /* memmem */
#include "tests/unit/engine/vkey_fixture.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- life cycle ---- */

START_TEST(test_vkey__create_and_versions)
{
    struct vkey k, *list = NULL;
    size_t n = 0;
    struct vault_page page = {.max = 25};
    struct vkey first = make_rsa("Key-1");
    ck_assert_str_eq(first.kty, "RSA");
    ck_assert_str_eq(first.key_ops, "encrypt,decrypt,sign,verify,wrapKey,unwrapKey");
    ck_assert_uint_eq(first.pub.n.n, 256);
    ck_assert(first.enabled && first.nbf == -1 && first.exp == -1 && first.tags == NULL);
    ck_assert_int_eq(first.created, NOW_S);
    ck_assert_uint_eq(strlen(first.version), 32);
    ck_assert_uint_eq(strspn(first.version, "0123456789abcdef"), 32);
    struct vkey second = make_key("KEY-1"); /* another version of the same key, even of another type */
    ck_assert_str_ne(first.version, second.version);
    ck_assert_str_eq(second.name, "Key-1");
    ck_assert_str_eq(second.key_ops, "sign,verify");
    ck_ok(vkey_get(e, &who, KV, "key-1", NULL, arena, &k, &err));
    ck_assert_str_eq(k.version, second.version);
    ck_ok(vkey_get(e, &who, KV, "key-1", "", arena, &k, &err));
    ck_assert_str_eq(k.version, second.version);
    ck_ok(vkey_get(e, &who, "V-KEYS", "key-1", first.version, arena, &k, &err));
    ck_assert_str_eq(k.version, first.version);
    ck_assert_uint_eq(k.pub.n.n, 256);
    ck_ok(vkey_versions(e, &who, KV, "key-1", &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 2);
    ck_assert_ptr_null(page.next);
    ck_assert_str_lt(list[0].version, list[1].version); /* in the order of their names (recorded) */
    ck_ok(vkey_versions(e, &who, KV, "nothing", &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(test_vkey__not_found)
{
    struct vkey k;
    make_key("here");
    ck_assert_int_eq(vkey_get(e, &who, KV, "absent", NULL, arena, &k, &err), SB_EKEYNOTFOUND);
    ck_assert_str_eq(
        err.detail,
        "A key with (name/id) absent was not found in this key vault. If you recently deleted this key you "
        "may be able "
        "to recover it using the correct recovery command. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125182");
    ck_assert_int_eq(vkey_get(e, &who, KV, "here", "0123456789abcdef0123456789abcdef", arena, &k, &err),
                     SB_EKEYNOTFOUND);
    ck_detail("(name/id) here/0123456789abcdef0123456789abcdef was not found");
    ck_assert_int_eq(
        vkey_get(e, &who, KV, "here", "far-too-long-to-be-a-version-of-any-key", arena, &k, &err),
        SB_EKEYNOTFOUND);
    ck_assert_int_eq(vkey_get(e, &who, "no-vault", "here", NULL, arena, &k, &err), SB_ENOVAULT);
    ck_assert_int_eq(vkey_deleted_get(e, &who, KV, "here", arena, &k, &err), SB_EKEYNOTFOUND);
    ck_assert_str_eq(err.detail, "Deleted Key not found: here");
}
END_TEST

static const char *const bad_names[] = {"my_key", "a b", "", "key/1", "k%", "k\xc3\xa9", "a.b"};

START_TEST(test_vkey__names)
{
    struct vkey k;
    struct vkey_spec s = key_spec(bad_names[_i]);
    ck_assert_int_eq(vkey_create(e, &who, &s, arena, &k, &err), SB_EBADPARAM);
    ck_detail("The request URI contains an invalid name: ");
}
END_TEST

START_TEST(test_vkey__longest_name)
{
    struct vkey k;
    char name[130];
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    struct vkey_spec s = key_spec(name);
    ck_assert_int_eq(vkey_create(e, &who, &s, arena, &k, &err), SB_EBADPARAM);
    name[127] = '\0';
    ck_ok(vkey_create(e, &who, &s, arena, &k, &err));
    ck_ok(vkey_get(e, &who, KV, name, k.version, arena, &k, &err));
}
END_TEST

START_TEST(test_vkey__what_cannot_be_made)
{
    static const struct {
        const char *kty;
        unsigned bits;
        const char *ops;
        int64_t nbf, exp;
        const char *message;
    } bad[] = {
        {"oct", 0, NULL, -1, -1, "Property kty has invalid value 'oct': a key vault has no symmetric keys."},
        {"rsa", 0, NULL, -1, -1, "Property kty"},
        {NULL, 0, NULL, -1, -1, "Property kty"},
        {"RSA", 1024, NULL, -1, -1, "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]"},
        {"EC", 4096, NULL, -1, -1, "Unsupported key size (4096). Supported sizes are [256, 384, 521]"},
        {"EC", 0, "wrapKey", -1, -1, "Property key_ops has invalid value 'wrapKey'."},
        {"RSA", 0, "fly", -1, -1, "Property key_ops has invalid value 'fly'."},
        {"RSA", 0, "sign,sign", -1, -1, "Property key_ops"},
        {"RSA", 0, "sign,,verify", -1, -1, "Property key_ops"},
        {"EC", 0, NULL, 20, 10, "Property nbf must be earlier"},
        {"EC", 0, NULL, 20, 20, "Property nbf must be earlier"},
    };
    struct vkey k;
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        struct vkey_spec s = key_spec("bad");
        s.kty = bad[i].kty;
        s.bits = bad[i].bits;
        s.key_ops = bad[i].ops;
        s.nbf = bad[i].nbf;
        s.exp = bad[i].exp;
        ck_assert_int_eq(vkey_create(e, &who, &s, arena, &k, &err), SB_EBADPARAM);
        ck_detail(bad[i].message);
    }
    ck_assert_int_eq(vkey_get(e, &who, KV, "bad", NULL, arena, &k, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__sizes_and_curves)
{
    struct vkey_spec s = key_spec("c");
    s.bits = 384;
    struct vkey k = create(&s);
    ck_assert_int_eq(k.pub.curve, PKEY_P384);
    s.bits = 0;
    s.curve = PKEY_P256K;
    k = create(&s);
    ck_assert_int_eq(k.pub.curve, PKEY_P256K);
    s.kty = "EC-HSM";
    s.curve = PKEY_CURVE_NONE;
    k = create(&s);
    ck_assert_str_eq(k.kty, "EC-HSM");
    ck_assert_int_eq(k.pub.curve, PKEY_P256);
    s.kty = "RSA-HSM";
    s.bits = 3072;
    s.key_ops = "import";
    k = create(&s);
    ck_assert_uint_eq(k.pub.n.n, 384);
    ck_assert_int_eq(k.exp, NOW_S + 48 * 3600); /* a key-exchange key lives 48 hours */
}
END_TEST

START_TEST(test_vkey__delete_recover_purge)
{
    struct vkey k, d, *list = NULL;
    size_t n = 0;
    struct vault_page page = {.max = 25};
    struct vkey_spec s = key_spec("temp");
    struct vkey made = make_key("temp");
    ck_assert_int_eq(vkey_recover(e, &who, KV, "temp", arena, &k, &err), SB_EKEYLIVE);
    ck_assert_int_eq(vkey_purge(e, &who, KV, "temp", &err), SB_EKEYLIVE);
    ck_assert_int_eq(vkey_purge(e, &who, KV, "never", &err), SB_EKEYNOTFOUND);
    ck_ok(vkey_delete(e, &who, KV, "TEMP", arena, &d, &err));
    ck_assert_str_eq(d.version, made.version);
    ck_assert_int_eq(d.deleted, NOW_S);
    ck_assert_int_eq(d.purge, NOW_S + 90 * 86400);
    ck_assert_int_eq(vkey_delete(e, &who, KV, "temp", arena, &d, &err), SB_EKEYNOTFOUND);
    ck_assert_int_eq(vkey_get(e, &who, KV, "temp", NULL, arena, &k, &err), SB_EKEYNOTFOUND);
    ck_assert_int_eq(vkey_get(e, &who, KV, "temp", made.version, arena, &k, &err), SB_EKEYNOTFOUND);
    ck_assert_int_eq(vkey_create(e, &who, &s, arena, &k, &err), SB_EKEYDELETED);
    ck_assert_str_eq(
        err.detail,
        "Key temp is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        "state, the key can only be recovered or purged.");
    ck_ok(vkey_list(e, &who, KV, false, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 0);
    ck_ok(vkey_list(e, &who, KV, true, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 1);
    ck_ok(vkey_versions(e, &who, KV, "temp", &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 0);
    ck_ok(vkey_deleted_get(e, &who, KV, "temp", arena, &k, &err));
    ck_ok(vkey_recover(e, &who, KV, "temp", arena, &k, &err));
    ck_assert_int_eq(k.deleted, 0);
    ck_ok(vkey_get(e, &who, KV, "temp", made.version, arena, &k, &err));
    ck_ok(vkey_delete(e, &who, KV, "temp", arena, &d, &err));
    ck_ok(vkey_purge(e, &who, KV, "temp", &err));
    ck_assert_int_eq(vkey_deleted_get(e, &who, KV, "temp", arena, &k, &err), SB_EKEYNOTFOUND);
    make_key("temp");
    ck_assert_int_eq(vkey_get(e, &who, KV, "temp", made.version, arena, &k, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__purge_protection_and_purge_date)
{
    struct vkey k;
    struct vault_spec v = spec(KV);
    struct timeline_result r;
    v.purge_protection = 1;
    v.has_policies = false;
    ck_ok(put(&v, NULL));
    make_key("kept");
    ck_ok(vkey_delete(e, &who, KV, "kept", arena, &k, &err));
    ck_assert_int_eq(vkey_purge(e, &who, KV, "kept", &err), SB_EPURGEPROTECTED);
    ck_detail("Operation \"purge\" is not allowed because purge protection is enabled for this vault.");
    ck_assert_int_eq(vault_next_due(e), START + 90 * DAY);
    ck_assert_msg(timeline_advance(e, 91 * DAY, arena, 10, &r, &err) == SB_OK, "%s", err.detail);
    ck_assert_uint_eq(r.total, 1);
    ck_assert_str_eq(r.events[0].kind, "keyPurged");
    ck_assert_str_eq(r.events[0].target, KV "/kept");
    ck_assert_int_eq(r.events[0].time, START + 90 * DAY);
    ck_assert_int_eq(vkey_recover(e, &who, KV, "kept", arena, &k, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__update)
{
    struct vkey k;
    struct vkey_spec s = key_spec("u");
    struct vkey old = make_key("u");
    make_key("u");
    clock_advance_to(e->clock, START + 5000);
    s.enabled = 0;
    s.tags = "{\"a\":\"b\"}";
    s.exp = NOW_S + 100;
    ck_ok(vkey_update(e, &who, &s, old.version, arena, &k, &err));
    ck_assert(!k.enabled);
    ck_assert_int_eq(k.updated, NOW_S + 5);
    ck_assert_int_eq(k.created, NOW_S);
    ck_ok(vkey_get(e, &who, KV, "u", NULL, arena, &k, &err));
    ck_assert(k.enabled); /* the newest is another one */
    ck_assert_ptr_null(k.tags);
    ck_ok(vkey_get(e, &who, KV, "u", old.version, arena, &k, &err)); /* reading a disabled key is allowed */
    ck_assert_str_eq(k.tags, "{\"a\":\"b\"}");
    ck_assert_int_eq(k.exp, NOW_S + 100);
    ck_assert_int_eq(update("u", old.version, -1, NOW_S + 200, -1, NULL), SB_EBADPARAM);
    ck_assert_int_eq(update("u", NULL, -1, -1, -1, "wrapKey"), SB_EBADPARAM);
    ck_ok(update("u", NULL, -1, 1, 2, "verify")); /* dates in the past are accepted */
    ck_assert_int_eq(update("absent", NULL, 1, -1, -1, NULL), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__rotate)
{
    struct vkey k;
    struct vkey_spec s = key_spec("r");
    s.kty = "RSA";
    s.bits = 3072;
    s.key_ops = "wrapKey,unwrapKey";
    s.tags = "{\"a\":\"b\"}";
    s.exp = NOW_S + 50;
    s.enabled = 0;
    struct vkey old = create(&s);
    ck_ok(vkey_rotate(e, &who, KV, "r", arena, &k, &err));
    ck_assert_str_ne(k.version, old.version);
    ck_assert_uint_eq(k.pub.n.n, 384);
    ck_assert_str_eq(k.key_ops, "wrapKey,unwrapKey");
    ck_assert_str_eq(k.tags, "{\"a\":\"b\"}");
    ck_assert(k.enabled && k.exp == -1);
    ck_assert_int_eq(vkey_rotate(e, &who, KV, "absent", arena, &k, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__paging)
{
    struct vkey *list = NULL;
    size_t n = 0;
    struct vault_page page = {.max = 2};
    const char *names[] = {"c", "A", "b", "e"};
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++)
        make_key(names[i]);
    make_key("a");
    ck_ok(vkey_list(e, &who, KV, false, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(page.next, "c");
    ck_assert_str_eq(list[0].name, "A");
    ck_assert_str_eq(list[1].name, "b");
    /* The next page is right, whatever comes or goes meanwhile. */
    struct vkey gone;
    page.from = page.next;
    ck_ok(vkey_delete(e, &who, KV, "a", arena, &gone, &err));
    ck_ok(vkey_delete(e, &who, KV, "c", arena, &gone, &err));
    make_key("aa");
    make_key("d");
    ck_ok(vkey_list(e, &who, KV, false, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 2);
    ck_assert_ptr_null(page.next);
    ck_assert_str_eq(list[0].name, "d");
    ck_assert_str_eq(list[1].name, "e");
    page.from = "zz";
    ck_ok(vkey_list(e, &who, KV, false, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(test_vkey__paging_of_versions)
{
    struct vkey *list = NULL;
    size_t n = 0, seen = 0;
    struct vault_page page = {.max = 2};
    const char *last = "";
    for (int i = 0; i < 5; i++)
        make_key("v");
    do {
        ck_ok(vkey_versions(e, &who, KV, "V", &page, arena, &list, &n, &err));
        for (size_t i = 0; i < n; i++, seen++) {
            ck_assert_str_gt(list[i].version, last);
            last = list[i].version;
        }
        page.from = page.next;
    } while (page.next != NULL);
    ck_assert_uint_eq(seen, 5);
}
END_TEST

/* ---- cryptography and what forbids it ---- */

START_TEST(test_vkey__wrap_and_unwrap)
{
    struct sb_blob wrapped, back;
    struct vkey old = make_rsa("w");
    ck_ok(crypt("w", NULL, VPERM_WRAP, secret, &wrapped));
    ck_assert_uint_eq(wrapped.n, 256);
    make_rsa("w");
    ck_assert_int_ne(crypt("w", NULL, VPERM_UNWRAP, wrapped, &back), SB_OK); /* by the newest: wrong key */
    ck_ok(crypt("w", old.version, VPERM_UNWRAP, wrapped, &back));
    ck_assert(back.n == secret.n && memcmp(back.p, secret.p, secret.n) == 0);
    ck_ok(crypt("w", text_tolower(arena_strdup(arena, old.version)), VPERM_DECRYPT, wrapped, &back));
    uint8_t *bent = arena_memdup(arena, wrapped.p, wrapped.n);
    bent[100] ^= 1;
    ck_assert_int_eq(crypt("w", old.version, VPERM_UNWRAP, (struct sb_blob){bent, wrapped.n}, &back),
                     SB_EBADPARAM);
    ck_assert_int_eq(crypt("w", old.version, VPERM_UNWRAP, (struct sb_blob){wrapped.p, 10}, &back),
                     SB_EBADPARAM);
    ck_assert_int_eq(crypt("absent", NULL, VPERM_WRAP, secret, &wrapped), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__sign_and_verify)
{
    struct sb_blob sig;
    const char *id = NULL;
    bool good = false;
    make_key("s");
    ck_ok(vkey_sign(e, &who, KV, "S", NULL, PKEY_ES256, secret, arena, &sig, &id, &err));
    ck_assert_uint_eq(sig.n, 64);
    ck_assert_ptr_eq(strstr(id, "s/"), id); /* as it was first written */
    const char *version = id + 2;
    ck_ok(vkey_verify(e, &who, KV, "s", version, PKEY_ES256, secret, sig, &good, &err));
    ck_assert(good);
    uint8_t *bent = arena_memdup(arena, sig.p, sig.n);
    bent[0] ^= 1;
    ck_ok(vkey_verify(e, &who, KV, "s", version, PKEY_ES256, secret, (struct sb_blob){bent, sig.n}, &good,
                      &err));
    ck_assert(!good);
    ck_assert_int_eq(vkey_sign(e, &who, KV, "s", NULL, PKEY_RS256, secret, arena, &sig, &id, &err),
                     SB_EBADPARAM);
    ck_detail("is of type 'EC', and algorithm 'RS256' cannot be used with it");
    ck_assert_int_eq(vkey_sign(e, &who, KV, "s", NULL, PKEY_ES256K, secret, arena, &sig, &id, &err),
                     SB_EBADPARAM); /* recorded */
    ck_detail("uses curve 'P-256', and algorithm 'ES256K' can only be used with curve 'P-256K'.");
}
END_TEST

/* Dates and states against operations (documented: what opens works outside the dates, what makes new data
 * does not). */
static const struct {
    const char *label;
    int enabled;
    int64_t nbf, exp; /* against now; 0: not set */
    const char *ops;
    enum sb_err wrap, unwrap;
    const char *wrap_message;
} states[] = {
    {"plain", 1, 0, 0, NULL, SB_OK, SB_OK, NULL},
    {"disabled", 0, 0, 0, NULL, SB_EKEYDISABLED, SB_EKEYDISABLED,
     "Operation wrapKey is not allowed on a disabled key."},
    {"expired", 1, 0, -10, NULL, SB_EKEYEXPIRED, SB_OK,
     "Operation wrapKey is not allowed on an expired key."},
    {"expires now", 1, 0, 1, NULL, SB_OK, SB_OK, NULL},
    {"not yet", 1, 10, 0, NULL, SB_EKEYNOTYET, SB_OK,
     "Operation wrapKey is not allowed on a key that is not yet valid."},
    {"in its dates", 1, -10, 10, NULL, SB_OK, SB_OK, NULL},
    {"no unwrap", 1, 0, 0, "wrapKey", SB_OK, SB_EKEYOP, NULL},
    {"no wrap", 1, 0, 0, "unwrapKey", SB_EKEYOP, SB_OK, "Operation wrapKey is not permitted on this key."},
    {"disabled and expired", 0, 0, -10, NULL, SB_EKEYDISABLED, SB_EKEYDISABLED, NULL},
};

START_TEST(test_vkey__states)
{
    struct sb_blob wrapped, out;
    make_rsa("k");
    ck_ok(crypt("k", NULL, VPERM_WRAP, secret, &wrapped));
    for (size_t i = 0; i < SB_ARRAY_LEN(states); i++) {
        ck_ok(
            update("k", NULL, states[i].enabled, states[i].nbf != 0 ? NOW_S + states[i].nbf : 0,
                   states[i].exp != 0 ? NOW_S + states[i].exp : INT64_C(253402300799),
                   states[i].ops != NULL ? states[i].ops : "encrypt,decrypt,sign,verify,wrapKey,unwrapKey"));
        ck_assert_msg(crypt("k", NULL, VPERM_WRAP, secret, &out) == states[i].wrap, "%s: %s", states[i].label,
                      err.detail);
        if (states[i].wrap_message != NULL)
            ck_assert_str_eq(err.detail, states[i].wrap_message);
        ck_assert_msg(crypt("k", NULL, VPERM_UNWRAP, wrapped, &out) == states[i].unwrap, "%s: %s",
                      states[i].label, err.detail);
    }
}
END_TEST

/* ---- the service as a client ---- */

static struct vault_caller service(void)
{
    return (struct vault_caller){.who = &identity, .service = true, .request_id = "poll"};
}

START_TEST(test_vkey__service_current_version)
{
    struct vkey k;
    struct vault_caller c = service();
    grant(KV, identity.oid, "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}");
    struct vkey_spec s = key_spec("k");
    s.nbf = NOW_S + 100;
    struct vkey first = create(&s);
    /* No version's date has come yet. */
    ck_assert_int_eq(vkey_service_get(e, &c, KV, "k", "", arena, &k, &err), SB_EKEYNOTYET);
    struct vkey second = make_key("k");
    struct vkey_spec later = key_spec("k");
    later.nbf = NOW_S + 50;
    struct vkey third = create(&later);
    ck_ok(vkey_service_get(e, &c, KV, "k", NULL, arena, &k, &err));
    ck_assert_str_eq(k.version, second.version);
    ck_ok(vkey_service_get(e, &c, KV, "k", first.version, arena, &k, &err));
    ck_assert_str_eq(k.version, first.version);
    clock_advance_to(e->clock, START + 50 * 1000);
    ck_ok(vkey_service_get(e, &c, KV, "k", "", arena, &k, &err));
    ck_assert_str_eq(k.version, third.version);
    clock_advance_to(e->clock, START + 200 * 1000);
    ck_ok(vkey_service_get(e, &c, KV, "k", "", arena, &k, &err));
    ck_assert_str_eq(k.version, third.version); /* the newest, not the one with the latest date */
    ck_assert_int_eq(vkey_service_get(e, &c, KV, "absent", "", arena, &k, &err), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey__service_wraps_and_unwraps)
{
    bool existed;
    struct vkey d;
    struct cmem_key *root = NULL, *back = NULL;
    struct sb_blob wrapped;
    uint8_t x[32], y[32];
    struct vault_caller c = service();
    struct vkey k = make_rsa("k");
    ck_ok(cmem_key_random(&root, &err));
    ck_assert_int_eq(vkey_service_wrap(e, &c, KV, "k", "", root, arena, &wrapped, &err), SB_EPOLICY);
    grant(KV, identity.oid, "{\"keys\":[\"get\",\"wrapKey\"]}");
    ck_ok(vkey_service_wrap(e, &c, KV, "k", "", root, arena, &wrapped, &err));
    ck_assert_int_eq(vkey_service_unwrap(e, &c, KV, "k", k.version, wrapped, &back, &err), SB_EPOLICY);
    ck_assert_int_eq(vkey_service_check(e, &c, KV, "k", k.version, VPERM_UNWRAP, &err), SB_EPOLICY);
    grant(KV, identity.oid, "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}");
    ck_ok(vkey_service_check(e, &c, KV, "k", k.version, VPERM_UNWRAP, &err));
    ck_ok(vkey_service_check(e, &c, KV, "k", "", VPERM_GET, &err));
    ck_ok(vkey_service_unwrap(e, &c, KV, "k", k.version, wrapped, &back, &err));
    ck_ok(cmem_key_hmac(root, "x", 1, x));
    ck_ok(cmem_key_hmac(back, "x", 1, y));
    ck_assert(memcmp(x, y, 32) == 0);
    cmem_key_free(back);
    back = NULL;
    /* Expired: it opens what is there and wraps nothing new. */
    ck_ok(update("k", NULL, -1, -1, NOW_S, NULL));
    ck_ok(vkey_service_unwrap(e, &c, KV, "k", k.version, wrapped, &back, &err));
    cmem_key_free(back);
    ck_assert_int_eq(vkey_service_check(e, &c, KV, "k", k.version, VPERM_WRAP, &err), SB_EKEYEXPIRED);
    ck_assert_int_eq(vkey_service_wrap(e, &c, KV, "k", k.version, root, arena, &wrapped, &err),
                     SB_EKEYEXPIRED);
    ck_ok(vkey_delete(e, &who, KV, "k", arena, &d, &err));
    ck_assert_int_eq(vkey_service_check(e, &c, KV, "k", "", VPERM_GET, &err), SB_EKEYNOTFOUND);
    ck_assert_int_eq(vkey_service_unwrap(e, &c, KV, "k", k.version, wrapped, &back, &err), SB_EKEYNOTFOUND);
    ck_ok(vkey_recover(e, &who, KV, "k", arena, &d, &err));
    ck_ok(vault_delete(e, SUB, "g", KV, &existed, &err));
    ck_assert_int_eq(vkey_service_get(e, &c, KV, "k", "", arena, &d, &err), SB_ENOVAULT);
    struct vault_spec s = spec(KV);
    s.recover = true;
    s.has_policies = false;
    ck_ok(put(&s, NULL));
    ck_ok(vkey_service_get(e, &c, KV, "k", "", arena, &d, &err));
    /* A blob that is something else. */
    uint8_t junk[256] = {1};
    ck_assert_int_ne(
        vkey_service_unwrap(e, &c, KV, "k", k.version, (struct sb_blob){junk, sizeof junk}, &back, &err),
        SB_OK);
    cmem_key_free(root);
}
END_TEST

START_TEST(test_vkey__service_check_is_neither_fault_nor_audit)
{
    struct vault_caller c = service();
    make_rsa("k");
    struct vkey ec = make_key("ec");
    grant(KV, identity.oid, "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}");
    fault(FAULT_UNREACHABLE, true, 0);
    int64_t before = events_last_id(e);
    ck_ok(vkey_service_check(e, &c, KV, "k", "", VPERM_WRAP, &err));
    ck_assert_int_eq(vkey_service_check(e, &c, KV, "ec", ec.version, VPERM_WRAP, &err), SB_EKEYOP);
    ck_assert_int_eq(events_last_id(e), before);
}
END_TEST

START_TEST(test_vkey__http_statuses)
{
    static const struct {
        enum sb_err code;
        int status;
    } cases[] = {{SB_OK, 200},           {SB_EPOLICY, 403},     {SB_ERBAC, 403},       {SB_EFIREWALL, 403},
                 {SB_EKEYDISABLED, 403}, {SB_EKEYEXPIRED, 403}, {SB_EKEYNOTYET, 403},  {SB_EKEYOP, 403},
                 {SB_EKEYNOTFOUND, 404}, {SB_ENOVAULT, 404},    {SB_ETHROTTLED, 429},  {SB_EUNAVAILABLE, 503},
                 {SB_EUNREACHABLE, 503}, {SB_EBADPARAM, 400},   {SB_EKEYDELETED, 409}, {SB_EIO, 500}};
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++)
        ck_assert_int_eq(vault_http_status(cases[i].code), cases[i].status);
}
END_TEST

/* ---- import, and what is on disk ---- */

/* RFC 7515, appendix A.3. */
#define EC_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static struct sb_blob b64(const char *s)
{
    struct sb_blob b;
    b.p = b64url_decode(arena, s, strlen(s), &b.n);
    ck_assert_ptr_nonnull(b.p);
    return b;
}

static bool file_holds(const char *path, struct sb_blob needle)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    static uint8_t all[8u << 20];
    size_t n = fread(all, 1, sizeof all, f);
    fclose(f);
    return memmem(all, n, needle.p, needle.n) != NULL;
}

START_TEST(test_vkey__private_keys_are_sealed_on_disk_and_open_after_a_restart)
{
    char dir[] = "/tmp/sealedbus-vkey-XXXXXX", cmd[64];
    const char *files[] = {"keyvault.db", "keyvault.db-wal", "servicebus.db", "servicebus.db-wal"};
    struct pkey *key = NULL;
    struct vkey k;
    bool found = false;
    const struct pkey_parts parts = {
        .type = PKEY_EC, .curve = PKEY_P256, .d = b64(EC_D), .x = b64(EC_X), .y = b64(EC_Y)};
    ck_ok(pkey_import(&parts, &key, &err));
    ck_assert_ptr_nonnull(mkdtemp(dir));
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    who.who = &client;
    make_vault(KV);
    struct vkey_spec s = key_spec("imported");
    s.import = key;
    s.hsm = 1;
    ck_ok(vkey_import(e, &who, &s, arena, &k, &err));
    ck_assert_str_eq(k.kty, "EC-HSM");
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    struct sb_blob sig;
    const char *version = NULL;
    bool good = false;
    ck_ok(vkey_sign(e, &who, KV, "imported", k.version, PKEY_ES256, secret, arena, &sig, &version, &err));
    ck_ok(pkey_verify(key, PKEY_ES256, secret.p, secret.n, sig.p, sig.n, &good, &err));
    ck_assert(good);
    for (size_t i = 0; i < SB_ARRAY_LEN(files); i++) {
        const char *path = arena_printf(arena, "%s/%s", dir, files[i]);
        found = found || file_holds(path, parts.x); /* the public part shows that the search works */
        ck_assert_msg(!file_holds(path, parts.d), "%s holds the private key", path);
    }
    ck_assert(found);
    pkey_unref(key);
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}
END_TEST

/* ---- many at a time ---- */

static void *hammer(void *arg)
{
    int *failed = arg;
    struct sb_arena *a = arena_new(16u << 20);
    struct sb_error why;
    for (int i = 0; i < 60; i++) {
        struct sb_blob out;
        struct vkey k;
        const char *used = NULL;
        enum sb_err rc = vkey_crypt(e, &who, KV, "busy", NULL, VPERM_WRAP, PKEY_RSA_OAEP_256, secret, a, &out,
                                    &used, &why);
        if (rc != SB_OK && rc != SB_EPOLICY && rc != SB_EKEYNOTFOUND)
            (*failed)++;
        rc = vkey_get(e, &who, KV, "busy", NULL, a, &k, &why);
        if (rc != SB_OK && rc != SB_EKEYNOTFOUND)
            (*failed)++;
    }
    arena_free(a);
    return NULL;
}

START_TEST(test_vkey__calls_and_changes_at_the_same_time)
{
    pthread_t thread[4];
    int failed[4] = {0};
    struct vkey k;
    make_rsa("busy");
    for (size_t i = 0; i < SB_ARRAY_LEN(thread); i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, hammer, &failed[i]), 0);
    for (int i = 0; i < 10; i++) {
        grant(KV, ENGINE_CLIENT_OID, "{\"keys\":[\"get\",\"delete\",\"recover\"]}");
        ck_ok(vkey_delete(e, &who, KV, "busy", arena, &k, &err));
        grant(KV, ENGINE_CLIENT_OID, ALL);
        ck_ok(vkey_recover(e, &who, KV, "busy", arena, &k, &err));
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(thread); i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert_int_eq(failed[i], 0);
    }
    ck_ok(vkey_delete(e, &who, KV, "busy", arena, &k, &err));
    ck_assert_uint_eq(vault_cache_size(e->vaults->pkeys), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vkey");
    TCase *t = tcase_create("vkey");
    tcase_add_checked_fixture(t, vkey_up, close_engine);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_vkey__create_and_versions);
    tcase_add_test(t, test_vkey__not_found);
    tcase_add_loop_test(t, test_vkey__names, 0, (int)SB_ARRAY_LEN(bad_names));
    tcase_add_test(t, test_vkey__longest_name);
    tcase_add_test(t, test_vkey__what_cannot_be_made);
    tcase_add_test(t, test_vkey__sizes_and_curves);
    tcase_add_test(t, test_vkey__delete_recover_purge);
    tcase_add_test(t, test_vkey__purge_protection_and_purge_date);
    tcase_add_test(t, test_vkey__update);
    tcase_add_test(t, test_vkey__rotate);
    tcase_add_test(t, test_vkey__paging);
    tcase_add_test(t, test_vkey__paging_of_versions);
    tcase_add_test(t, test_vkey__wrap_and_unwrap);
    tcase_add_test(t, test_vkey__sign_and_verify);
    tcase_add_test(t, test_vkey__states);
    tcase_add_test(t, test_vkey__service_current_version);
    tcase_add_test(t, test_vkey__service_wraps_and_unwraps);
    tcase_add_test(t, test_vkey__service_check_is_neither_fault_nor_audit);
    tcase_add_test(t, test_vkey__http_statuses);
    tcase_add_test(t, test_vkey__calls_and_changes_at_the_same_time);
    tcase_add_test(t, test_vkey__private_keys_are_sealed_on_disk_and_open_after_a_restart);
    suite_add_tcase(s, t);
    return s;
}
