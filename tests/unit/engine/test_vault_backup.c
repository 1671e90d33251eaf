/* test_vault_backup.c: backup and restore of keys and secrets: same versions, bound to subscription and
 * geography, nothing readable, nothing accepted that was touched. */
#include "tests/unit/engine/vault_fixture.h"
#include "server/engine/geography.h"
#include "server/engine/vault_pack.h"
#include "server/engine/vsecret.h"

#define KV    "v-source"
#define OTHER "v-target"
#define BASE  "https://v-target.vault.azure.net"

static struct vault_caller who;

static void setup(void)
{
    fixture_up();
    make_vault(KV);
    who = (struct vault_caller){.who = &client, .ip = "127.0.0.1", .request_id = "rid", .base = BASE};
}

#define ck_ok(expr) ck_assert_msg((expr) == SB_OK, "%s", err.detail)

static void make_vault_in(const char *name, const char *sub, const char *location)
{
    struct vault_spec s = spec(name);
    struct vault_policy p = policy(ENGINE_CLIENT_OID, ALL);
    s.sub = sub;
    s.location = location;
    s.policies = &p;
    s.policies_n = 1;
    ck_ok(put(&s, NULL));
}

static struct vkey make_key(const char *name, const char *kty)
{
    struct vkey k;
    const struct vkey_spec s = {.vault = KV,
                                .name = name,
                                .kty = kty,
                                .enabled = -1,
                                .nbf = -1,
                                .exp = NOW_S + 1000,
                                .tags = "{\"a\":\"b\"}"};
    ck_ok(vkey_create(e, &who, &s, arena, &k, &err));
    return k;
}

static struct sb_blob backup(const char *name)
{
    const char *text = NULL;
    ck_ok(vkey_backup(e, &who, KV, name, arena, &text, &err));
    ck_assert(text_starts(text, "&AzureKeyVaultKeyBackupV1.microsoft.com"));
    return (struct sb_blob){(const uint8_t *)text, strlen(text)};
}

static enum sb_err restore(const char *vault, struct sb_blob blob, struct vkey *ret)
{
    struct vkey k;
    return vkey_restore(e, &who, vault, blob, arena, ret != NULL ? ret : &k, &err);
}

START_TEST(test_backup__all_versions_come_back_as_they_were)
{
    struct vkey first = make_key("K", "RSA"), second = make_key("k", "EC"), k;
    struct sb_blob blob = backup("k"), wrapped, plain;
    const struct sb_blob in = {(const uint8_t *)"0123456789abcdef", 16};
    const char *used;
    ck_ok(vkey_crypt(e, &who, KV, "k", first.version, VPERM_WRAP, PKEY_RSA_OAEP_256, in, arena, &wrapped,
                     &used, &err));
    /* In use, then deleted, then gone. */
    ck_assert_int_eq(restore(KV, blob, NULL), SB_ECONFLICT);
    ck_assert_ptr_nonnull(
        strstr(err.detail, arena_printf(arena, "restoring the key '" BASE "/keys/K/%s'.", second.version)));
    ck_ok(vkey_delete(e, &who, KV, "k", arena, &k, &err));
    ck_assert_int_eq(restore(KV, blob, NULL), SB_EKEYDELETED);
    ck_ok(vkey_purge(e, &who, KV, "k", &err));
    ck_ok(timeline_advance(e, DAY, arena, 0, &(struct timeline_result){0}, &err));
    ck_ok(restore(KV, blob, &k));
    ck_assert_str_eq(k.version, second.version);
    ck_assert_str_eq(k.name, "K");
    ck_assert_int_eq(k.created, NOW_S);
    ck_assert_int_eq(k.updated, NOW_S);
    ck_assert_int_eq(k.exp, NOW_S + 1000);
    ck_assert_str_eq(k.tags, "{\"a\":\"b\"}");
    ck_ok(vkey_get(e, &who, KV, "k", NULL, arena, &k, &err));
    ck_assert_str_eq(k.version, second.version); /* the newest is the newest again */
    ck_ok(vkey_crypt(e, &who, KV, "k", first.version, VPERM_UNWRAP, PKEY_RSA_OAEP_256, wrapped, arena, &plain,
                     &used, &err));
    ck_assert_uint_eq(plain.n, in.n);
    ck_assert_mem_eq(plain.p, in.p, in.n);
}
END_TEST

START_TEST(test_backup__into_another_vault)
{
    struct vkey made = make_key("k", "EC"), k;
    struct sb_blob blob = backup("k"), sig;
    const struct sb_blob digest = {(const uint8_t *)"0123456789abcdef0123456789abcdef", 32};
    const char *used;
    bool good = false;
    make_vault_in(OTHER, SUB, "eastus2"); /* another region of the United States */
    ck_ok(restore(OTHER, blob, &k));
    ck_assert_str_eq(k.version, made.version);
    ck_assert_str_eq(k.vault, OTHER);
    ck_ok(vkey_sign(e, &who, OTHER, "k", made.version, PKEY_ES256, digest, arena, &sig, &used, &err));
    ck_ok(vkey_verify(e, &who, KV, "k", made.version, PKEY_ES256, digest, sig, &good, &err));
    ck_assert(good);
    /* And from there again: what is bound to a place is bound to the new one. */
    const char *text = NULL;
    ck_ok(vkey_backup(e, &who, OTHER, "k", arena, &text, &err));
    make_vault_in("v-third", SUB, "westus");
    ck_ok(restore("v-third", (struct sb_blob){(const uint8_t *)text, strlen(text)}, &k));
    ck_ok(vkey_sign(e, &who, "v-third", "k", NULL, PKEY_ES256, digest, arena, &sig, &used, &err));
}
END_TEST

START_TEST(test_backup__stays_in_its_subscription_and_geography)
{
    make_key("k", "EC");
    struct sb_blob blob = backup("k");
    make_vault_in("v-europe", SUB, "westeurope");
    make_vault_in("v-foreign", SUB2, "westus");
    ck_assert_int_eq(restore("v-europe", blob, NULL), SB_EBADPARAM);
    ck_assert_str_eq(err.detail, "Cannot decrypt backup blob.");
    ck_assert_int_eq(restore("v-foreign", blob, NULL), SB_EBADPARAM);
    ck_assert_str_eq(geography_of("northeurope"), geography_of("westeurope"));
    ck_assert_str_ne(geography_of("uksouth"), geography_of("westeurope"));
    ck_assert_str_eq(geography_of("atlantis"), "atlantis");
}
END_TEST

START_TEST(test_backup__every_character_counts)
{
    make_key("k", "EC");
    struct sb_blob blob = backup("k");
    make_vault_in(OTHER, SUB, "westus");
    for (size_t i = 0; i < blob.n; i += i < 60 ? 1 : 7) {
        char *bad = arena_memdup(arena, blob.p, blob.n);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        enum sb_err rc = restore(OTHER, (struct sb_blob){(const uint8_t *)bad, blob.n}, NULL);
        ck_assert_msg(rc == SB_EBADBACKUP || rc == SB_EBADPARAM, "at %zu: %s", i, sb_err_name(rc));
    }
    for (size_t n = 0; n < blob.n; n += 11)
        ck_assert_int_ne(restore(OTHER, (struct sb_blob){blob.p, n}, NULL), SB_OK);
    ck_ok(restore(OTHER, blob, NULL));
}
END_TEST

START_TEST(test_backup__a_secret_is_no_key)
{
    struct vsecret s;
    struct vkey k;
    const char *text = NULL;
    const struct vsecret_spec sp = {.vault = KV,
                                    .name = "s",
                                    .value = {(const uint8_t *)"plain-value", 11},
                                    .content_type = "t",
                                    .enabled = -1,
                                    .nbf = -1,
                                    .exp = -1};
    ck_ok(vsecret_set(e, &who, &sp, arena, &s, &err));
    ck_ok(vsecret_set(e, &who, &sp, arena, &s, &err));
    ck_ok(vsecret_backup(e, &who, KV, "s", arena, &text, &err));
    const struct sb_blob blob = {(const uint8_t *)text, strlen(text)};
    make_vault_in(OTHER, SUB, "westus");
    ck_assert_int_eq(vkey_restore(e, &who, OTHER, blob, arena, &k, &err), SB_EBADBACKUP);
    ck_ok(vsecret_restore(e, &who, OTHER, blob, arena, &s, &err));
    ck_assert_ptr_null(s.value.p);
    ck_ok(vsecret_get(e, &who, OTHER, "s", NULL, arena, &s, &err));
    ck_assert_uint_eq(s.value.n, 11);
    ck_assert_mem_eq(s.value.p, "plain-value", 11);
    ck_assert_str_eq(s.content_type, "t");
    ck_assert_int_eq(vsecret_restore(e, &who, OTHER, blob, arena, &s, &err), SB_ECONFLICT);
    ck_assert_int_eq(vsecret_backup(e, &who, KV, "none", arena, &text, &err), SB_ESECRETNOTFOUND);
    ck_assert_int_eq(vkey_backup(e, &who, KV, "none", arena, &text, &err), SB_EKEYNOTFOUND);
}
END_TEST

/* ---- the bytes inside ---- */

static struct vault_pack sample(void)
{
    static struct st_object v[2];
    v[0] = (struct st_object){.version = "0123456789abcdef0123456789abcdef",
                              .kty = "EC",
                              .curve = "P-256",
                              .x = {(const uint8_t *)"xx", 2},
                              .y = {(const uint8_t *)"yy", 2},
                              .key_ops = "sign",
                              .enabled = true,
                              .nbf = -1,
                              .exp = 7,
                              .created = 1,
                              .updated = 2,
                              .sealed = {(const uint8_t *)"sealed", 6}};
    v[1] = v[0];
    v[1].tags = "{}";
    v[1].enabled = false;
    return (struct vault_pack){.kind = ST_KEY, .vault_id = 42, .name = "n", .versions = v, .n = 2};
}

START_TEST(test_pack__there_and_back)
{
    struct sb_buf b;
    struct vault_pack p = sample(), got;
    buf_init(&b, 4096);
    ck_ok(vault_pack_write(&p, &b, &err));
    ck_ok(vault_pack_read((struct sb_blob){b.p, b.n}, arena, &got, &err));
    ck_assert_int_eq(got.kind, ST_KEY);
    ck_assert_int_eq(got.vault_id, 42);
    ck_assert_str_eq(got.name, "n");
    ck_assert_uint_eq(got.n, 2);
    ck_assert(got.versions[0].enabled && !got.versions[1].enabled);
    ck_assert_ptr_null(got.versions[0].tags);
    ck_assert_ptr_null(got.versions[0].n.p);
    ck_assert_str_eq(got.versions[1].tags, "{}");
    ck_assert_int_eq(got.versions[1].nbf, -1);
    ck_assert_int_eq(got.versions[1].exp, 7);
    ck_assert_mem_eq(got.versions[1].sealed.p, "sealed", 6);
    /* Cut short anywhere, or with something behind it: refused. */
    for (size_t n = 0; n < b.n; n++)
        ck_assert_int_eq(vault_pack_read((struct sb_blob){b.p, n}, arena, &got, &err), SB_EBADBACKUP);
    ck_ok(buf_add_u8(&b, 0));
    ck_assert_int_eq(vault_pack_read((struct sb_blob){b.p, b.n}, arena, &got, &err), SB_EBADBACKUP);
    buf_done(&b);
    buf_init(&b, 40);
    ck_assert_int_eq(vault_pack_write(&p, &b, &err), SB_EBADPARAM);
    buf_done(&b);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vault_backup");
    TCase *t = tcase_create("backup");
    tcase_add_checked_fixture(t, setup, close_engine);
    tcase_add_test(t, test_backup__all_versions_come_back_as_they_were);
    tcase_add_test(t, test_backup__into_another_vault);
    tcase_add_test(t, test_backup__stays_in_its_subscription_and_geography);
    tcase_add_test(t, test_backup__every_character_counts);
    tcase_add_test(t, test_backup__a_secret_is_no_key);
    tcase_add_test(t, test_pack__there_and_back);
    suite_add_tcase(s, t);
    return s;
}
