/* test_vsecret.c: secrets of the vaults: life cycle, who may do what, what is on disk. */
#define _GNU_SOURCE /* memmem */
#include "tests/unit/engine/vault_fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include "server/engine/vsecret.h"

#define KV "v-secrets"

static struct vault_caller who;

static void setup(void)
{
    fixture_up();
    make_vault(KV);
    who = (struct vault_caller){.who = &client, .ip = "127.0.0.1", .request_id = "rid"};
}

#define ck_ok(expr) ck_assert_msg((expr) == SB_OK, "%s", err.detail)

static struct vsecret_spec secret_spec(const char *name, const char *value)
{
    return (struct vsecret_spec){.vault = KV,
                                 .name = name,
                                 .value = {(const uint8_t *)value, strlen(value)},
                                 .enabled = -1,
                                 .nbf = -1,
                                 .exp = -1};
}

static struct vsecret set(const char *name, const char *value)
{
    struct vsecret s;
    const struct vsecret_spec spec_ = secret_spec(name, value);
    ck_ok(vsecret_set(e, &who, &spec_, arena, &s, &err));
    return s;
}

static const char *value_of(const struct vsecret *s)
{
    return s->value.p != NULL ? arena_strndup(arena, (const char *)s->value.p, s->value.n) : "(none)";
}

START_TEST(test_vsecret__set_and_get)
{
    struct vsecret s;
    struct vsecret_spec more = secret_spec("Conn", "two");
    more.content_type = "text/plain";
    more.tags = "{\"a\":\"b\"}";
    more.exp = NOW_S - 5; /* outside its dates a secret can be read */
    struct vsecret first = set("Conn", "Endpoint=sb://x/;SharedAccessKey=y=");
    ck_assert_str_eq(value_of(&first), "Endpoint=sb://x/;SharedAccessKey=y=");
    ck_ok(vsecret_set(e, &who, &more, arena, &s, &err));
    ck_ok(vsecret_get(e, &who, KV, "CONN", NULL, arena, &s, &err));
    ck_assert_str_eq(value_of(&s), "two");
    ck_assert_str_eq(s.name, "Conn");
    ck_assert_str_eq(s.content_type, "text/plain");
    ck_assert_str_eq(s.tags, "{\"a\":\"b\"}");
    ck_ok(vsecret_get(e, &who, KV, "conn", first.version, arena, &s, &err));
    ck_assert_str_eq(value_of(&s), "Endpoint=sb://x/;SharedAccessKey=y=");
    ck_assert_ptr_null(s.content_type);
    ck_assert_int_eq(vsecret_get(e, &who, KV, "none", NULL, arena, &s, &err), SB_ESECRETNOTFOUND);
    ck_assert_str_eq(
        err.detail,
        "A secret with (name/id) none was not found in this key vault. If you recently deleted this secret "
        "you may be able to recover it using the correct recovery command. For help resolving this issue, "
        "please see https://go.microsoft.com/fwlink/?linkid=2125182");
    ck_assert_int_eq(vsecret_get(e, &who, KV, "conn", "0123456789abcdef0123456789abcdef", arena, &s, &err),
                     SB_ESECRETNOTFOUND);
}
END_TEST

START_TEST(test_vsecret__a_key_of_the_same_name_is_another_thing)
{
    struct vsecret s;
    struct vkey k;
    const struct vkey_spec ks = {
        .vault = KV, .name = "both", .kty = "EC", .enabled = -1, .nbf = -1, .exp = -1};
    ck_ok(vkey_create(e, &who, &ks, arena, &k, &err));
    ck_assert_int_eq(vsecret_get(e, &who, KV, "both", k.version, arena, &s, &err), SB_ESECRETNOTFOUND);
    s = set("both", "v");
    struct vkey got;
    ck_assert_int_eq(vkey_get(e, &who, KV, "both", s.version, arena, &got, &err), SB_EKEYNOTFOUND);
    ck_ok(vsecret_delete(e, &who, KV, "both", arena, &s, &err));
    ck_ok(vkey_get(e, &who, KV, "both", NULL, arena, &got, &err));
    ck_assert_str_eq(got.version, k.version);
}
END_TEST

START_TEST(test_vsecret__disabled)
{
    struct vsecret s;
    set("off", "v");
    struct vsecret_spec u = secret_spec("off", "");
    u.enabled = 0;
    ck_ok(vsecret_update(e, &who, &u, "", arena, &s, &err));
    ck_assert(!s.enabled);
    ck_assert_ptr_null(s.value.p);
    ck_assert_int_eq(vsecret_get(e, &who, KV, "off", NULL, arena, &s, &err), SB_ESECRETDISABLED);
    ck_assert_str_eq(err.detail, "Operation get is not allowed on a disabled secret.");
    u.enabled = 1;
    u.content_type = "ct";
    ck_ok(vsecret_update(e, &who, &u, s.version, arena, &s, &err));
    ck_ok(vsecret_get(e, &who, KV, "off", NULL, arena, &s, &err));
    ck_assert_str_eq(value_of(&s), "v");
    ck_assert_str_eq(s.content_type, "ct");
}
END_TEST

START_TEST(test_vsecret__limits)
{
    struct vsecret s;
    char *long_value = arena_alloc(arena, VSECRET_VALUE_MAX + 2);
    memset(long_value, 'x', VSECRET_VALUE_MAX + 1);
    struct vsecret_spec spec_ = secret_spec("big", long_value);
    ck_assert_int_eq(vsecret_set(e, &who, &spec_, arena, &s, &err), SB_EBADPARAM);
    spec_.value.n = VSECRET_VALUE_MAX;
    ck_ok(vsecret_set(e, &who, &spec_, arena, &s, &err));
    ck_ok(vsecret_get(e, &who, KV, "big", NULL, arena, &s, &err));
    ck_assert_uint_eq(s.value.n, VSECRET_VALUE_MAX);
    set("empty", "");
    ck_ok(vsecret_get(e, &who, KV, "empty", NULL, arena, &s, &err));
    ck_assert_uint_eq(s.value.n, 0);
    spec_ = secret_spec("dates", "v");
    spec_.nbf = spec_.exp = 5;
    ck_assert_int_eq(vsecret_set(e, &who, &spec_, arena, &s, &err), SB_EBADPARAM);
    spec_ = secret_spec("bad_name", "v");
    ck_assert_int_eq(vsecret_set(e, &who, &spec_, arena, &s, &err), SB_EBADPARAM);
}
END_TEST

START_TEST(test_vsecret__delete_recover_purge)
{
    struct vsecret s, *list = NULL;
    size_t n = 0;
    struct vault_page page = {.max = 25};
    const struct vsecret_spec again = secret_spec("t", "again");
    set("t", "one");
    ck_assert_int_eq(vsecret_purge(e, &who, KV, "t", &err), SB_EKEYLIVE);
    ck_assert_str_eq(err.detail, "Secret exists already: t");
    ck_ok(vsecret_delete(e, &who, KV, "t", arena, &s, &err));
    ck_assert_int_eq(s.purge, NOW_S + 90 * 86400);
    ck_assert_ptr_null(s.value.p);
    ck_assert_int_eq(vsecret_get(e, &who, KV, "t", NULL, arena, &s, &err), SB_ESECRETNOTFOUND);
    ck_assert_int_eq(vsecret_set(e, &who, &again, arena, &s, &err), SB_EKEYDELETED);
    ck_assert_str_eq(err.detail,
                     "Secret t is currently in a deleted but recoverable state, and its name cannot be "
                     "reused; in this state, the secret can only be recovered or purged.");
    ck_ok(vsecret_list(e, &who, KV, true, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 1);
    ck_ok(vsecret_list(e, &who, KV, false, &page, arena, &list, &n, &err));
    ck_assert_uint_eq(n, 0);
    ck_ok(vsecret_recover(e, &who, KV, "t", arena, &s, &err));
    ck_ok(vsecret_get(e, &who, KV, "t", NULL, arena, &s, &err));
    ck_assert_str_eq(value_of(&s), "one");
    ck_ok(vsecret_delete(e, &who, KV, "t", arena, &s, &err));
    ck_ok(vsecret_purge(e, &who, KV, "t", &err));
    ck_assert_int_eq(vsecret_deleted_get(e, &who, KV, "t", arena, &s, &err), SB_ESECRETNOTFOUND);
    ck_assert_str_eq(err.detail, "Deleted Secret not found: t");
    set("t", "two");
}
END_TEST

START_TEST(test_vsecret__purged_when_its_date_has_come)
{
    struct vsecret s;
    struct timeline_result r;
    set("t", "one");
    ck_ok(vsecret_delete(e, &who, KV, "t", arena, &s, &err));
    ck_ok(timeline_advance(e, 90 * DAY, arena, 10, &r, &err));
    ck_assert_uint_eq(r.total, 1);
    ck_assert_str_eq(r.events[0].kind, "secretPurged");
    ck_assert_str_eq(r.events[0].target, KV "/t");
    ck_assert_int_eq(vsecret_deleted_get(e, &who, KV, "t", arena, &s, &err), SB_ESECRETNOTFOUND);
}
END_TEST

/* ---- who may ---- */

static const struct {
    enum vault_op_id op;
    const char *permission;
} needs[] = {
    {VOP_SECRET_SET, "set"},         {VOP_SECRET_GET, "get"},           {VOP_SECRET_LIST, "list"},
    {VOP_SECRET_VERSIONS, "list"},   {VOP_SECRET_UPDATE, "set"},        {VOP_SECRET_DELETE, "delete"},
    {VOP_SECRET_DELETED_GET, "get"}, {VOP_SECRET_DELETED_LIST, "list"}, {VOP_SECRET_RECOVER, "recover"},
    {VOP_SECRET_PURGE, "purge"},     {VOP_SECRET_BACKUP, "backup"},     {VOP_SECRET_RESTORE, "restore"}};

static enum sb_err do_op(enum vault_op_id op)
{
    struct vsecret s, *list;
    size_t n;
    const char *text;
    struct vault_page page = {.max = 25};
    const struct vsecret_spec sp = secret_spec("p", "v");
    switch (op) {
    case VOP_SECRET_SET: return vsecret_set(e, &who, &sp, arena, &s, &err);
    case VOP_SECRET_GET: return vsecret_get(e, &who, KV, "p", NULL, arena, &s, &err);
    case VOP_SECRET_LIST: return vsecret_list(e, &who, KV, false, &page, arena, &list, &n, &err);
    case VOP_SECRET_VERSIONS: return vsecret_versions(e, &who, KV, "p", &page, arena, &list, &n, &err);
    case VOP_SECRET_UPDATE: return vsecret_update(e, &who, &sp, NULL, arena, &s, &err);
    case VOP_SECRET_DELETE: return vsecret_delete(e, &who, KV, "p", arena, &s, &err);
    case VOP_SECRET_DELETED_GET: return vsecret_deleted_get(e, &who, KV, "p", arena, &s, &err);
    case VOP_SECRET_DELETED_LIST: return vsecret_list(e, &who, KV, true, &page, arena, &list, &n, &err);
    case VOP_SECRET_RECOVER: return vsecret_recover(e, &who, KV, "p", arena, &s, &err);
    case VOP_SECRET_PURGE: return vsecret_purge(e, &who, KV, "p", &err);
    case VOP_SECRET_BACKUP: return vsecret_backup(e, &who, KV, "p", arena, &text, &err);
    case VOP_SECRET_RESTORE: return vsecret_restore(e, &who, KV, sp.value, arena, &s, &err);
    default: return SB_EINTERNAL;
    }
}

START_TEST(test_vsecret__each_operation_needs_its_own_permission)
{
    const char *name = needs[_i].permission;
    who.who = &identity;
    /* A key permission of the same name is none. */
    grant(KV, identity.oid,
          arena_printf(arena, "{\"keys\":[\"all\"],\"secrets\":[\"%s\"]}",
                       strcmp(name, "get") == 0 ? "list" : "get"));
    ck_assert_int_eq(do_op(needs[_i].op), SB_EPOLICY);
    ck_assert_ptr_nonnull(
        strstr(err.detail, arena_printf(arena, "does not have secrets %s permission on key vault", name)));
    grant(KV, identity.oid, arena_printf(arena, "{\"secrets\":[\"%s\"]}", name));
    enum sb_err rc = do_op(needs[_i].op);
    ck_assert_msg(rc != SB_EPOLICY, "%s", err.detail);
}
END_TEST

START_TEST(test_vsecret__each_operation_needs_its_own_role)
{
    char scope[VAULT_SCOPE_MAX];
    struct vault v;
    struct vault_spec s = spec(KV);
    s.rbac = 1;
    ck_ok(put(&s, &v));
    vault_scope(&v, scope, sizeof scope);
    ck_assert_int_eq(do_op(needs[_i].op), SB_ERBAC);
    assign_role(1, "Key Vault Crypto Officer", scope, client.oid); /* keys alone */
    ck_assert_int_eq(do_op(needs[_i].op), SB_ERBAC);
    assign_role(2, "Key Vault Secrets Officer", scope, client.oid);
    enum sb_err rc = do_op(needs[_i].op);
    ck_assert_msg(rc != SB_ERBAC, "%s", err.detail);
}
END_TEST

START_TEST(test_vsecret__a_secrets_user_reads_and_no_more)
{
    char scope[VAULT_SCOPE_MAX];
    struct vault v;
    struct vault_spec s = spec(KV);
    set("p", "v");
    s.rbac = 1;
    ck_ok(put(&s, &v));
    vault_scope(&v, scope, sizeof scope);
    assign_role(2, "Key Vault Secrets User", scope, client.oid);
    for (size_t i = 0; i < SB_ARRAY_LEN(needs); i++) {
        bool may = needs[i].op == VOP_SECRET_GET || needs[i].op == VOP_SECRET_LIST ||
                   needs[i].op == VOP_SECRET_VERSIONS || needs[i].op == VOP_SECRET_DELETED_GET ||
                   needs[i].op == VOP_SECRET_DELETED_LIST;
        ck_assert_int_eq(do_op(needs[i].op) != SB_ERBAC, may);
    }
}
END_TEST

/* ---- on disk ---- */

static bool folder_holds(const char *dir, const char *needle)
{
    static const char *const files[] = {"keyvault.db", "keyvault.db-wal", "servicebus.db",
                                        "servicebus.db-wal"};
    bool found = false;
    for (size_t i = 0; i < SB_ARRAY_LEN(files); i++) {
        FILE *f = fopen(arena_printf(arena, "%s/%s", dir, files[i]), "rb");
        if (f == NULL)
            continue;
        char *content = malloc(8u << 20);
        ck_assert_ptr_nonnull(content);
        size_t n = fread(content, 1, 8u << 20, f);
        fclose(f);
        found = found || memmem(content, n, needle, strlen(needle)) != NULL;
        free(content);
    }
    return found;
}

START_TEST(test_vsecret__sealed_at_rest_and_there_after_a_restart)
{
    char dir[] = "/tmp/sealedbus-vsecret-XXXXXX";
    struct vsecret s;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    who.who = &client;
    make_vault(KV);
    struct vsecret_spec sp = secret_spec("conn", "a-value-that-stands-nowhere");
    sp.content_type = "a-type-in-the-clear";
    ck_ok(vsecret_set(e, &who, &sp, arena, &s, &err));
    events_flush(e);
    ck_assert(folder_holds(dir, "a-type-in-the-clear")); /* shows that the search works */
    ck_assert(!folder_holds(dir, "a-value-that-stands-nowhere"));
    engine_stop(e);
    engine_close(e);
    open_engine(dir);
    ck_assert(!folder_holds(dir, "a-value-that-stands-nowhere"));
    ck_ok(vsecret_get(e, &who, KV, "conn", NULL, arena, &s, &err));
    ck_assert_str_eq(value_of(&s), "a-value-that-stands-nowhere");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vsecret");
    TCase *t = tcase_create("vsecret");
    tcase_add_checked_fixture(t, setup, close_engine);
    tcase_add_test(t, test_vsecret__set_and_get);
    tcase_add_test(t, test_vsecret__a_key_of_the_same_name_is_another_thing);
    tcase_add_test(t, test_vsecret__disabled);
    tcase_add_test(t, test_vsecret__limits);
    tcase_add_test(t, test_vsecret__delete_recover_purge);
    tcase_add_test(t, test_vsecret__purged_when_its_date_has_come);
    tcase_add_loop_test(t, test_vsecret__each_operation_needs_its_own_permission, 0,
                        (int)SB_ARRAY_LEN(needs));
    tcase_add_loop_test(t, test_vsecret__each_operation_needs_its_own_role, 0, (int)SB_ARRAY_LEN(needs));
    tcase_add_test(t, test_vsecret__a_secrets_user_reads_and_no_more);
    tcase_add_test(t, test_vsecret__sealed_at_rest_and_there_after_a_restart);
    suite_add_tcase(s, t);
    return s;
}
