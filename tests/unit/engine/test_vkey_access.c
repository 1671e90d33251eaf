/* test_vkey_access.c: who may do what with the keys of a vault (policies, roles, firewall, tenant), what
 * faults do, and what the audit log tells of it. */
#include "tests/unit/engine/vkey_fixture.h"

/* ---- permission ---- */

static enum sb_err do_op(enum vault_op_id op)
{
    struct vkey k, *list;
    size_t n;
    bool good;
    struct sb_blob out;
    const char *used;
    struct vault_page page = {.max = 25};
    struct vkey_policy policy_read;
    const struct vkey_policy policy_sent = {.rotate_after = "P30D"};
    struct vkey_spec s = key_spec("p");
    switch (op) {
    case VOP_CREATE: return vkey_create(e, &who, &s, arena, &k, &err);
    case VOP_IMPORT: {
        struct pkey *key = NULL;
        ck_ok(pkey_generate_ec(PKEY_P256, &key, &err));
        s.import = key;
        enum sb_err rc = vkey_import(e, &who, &s, arena, &k, &err);
        pkey_unref(key);
        return rc;
    }
    case VOP_GET: return vkey_get(e, &who, KV, "p", NULL, arena, &k, &err);
    case VOP_LIST: return vkey_list(e, &who, KV, false, &page, arena, &list, &n, &err);
    case VOP_VERSIONS: return vkey_versions(e, &who, KV, "p", &page, arena, &list, &n, &err);
    case VOP_UPDATE: return vkey_update(e, &who, &s, NULL, arena, &k, &err);
    case VOP_DELETE: return vkey_delete(e, &who, KV, "p", arena, &k, &err);
    case VOP_DELETED_GET: return vkey_deleted_get(e, &who, KV, "p", arena, &k, &err);
    case VOP_DELETED_LIST: return vkey_list(e, &who, KV, true, &page, arena, &list, &n, &err);
    case VOP_RECOVER: return vkey_recover(e, &who, KV, "p", arena, &k, &err);
    case VOP_PURGE: return vkey_purge(e, &who, KV, "p", &err);
    case VOP_ROTATE: return vkey_rotate(e, &who, KV, "p", arena, &k, &err);
    case VOP_ENCRYPT:
    case VOP_DECRYPT:
    case VOP_WRAP:
    case VOP_UNWRAP:
        return vkey_crypt(e, &who, KV, "p", NULL, vault_op(op)->perm, PKEY_RSA_OAEP, secret, arena, &out,
                          &used, &err);
    case VOP_SIGN: return vkey_sign(e, &who, KV, "p", NULL, PKEY_ES256, secret, arena, &out, &used, &err);
    case VOP_VERIFY: return vkey_verify(e, &who, KV, "p", NULL, PKEY_ES256, secret, secret, &good, &err);
    case VOP_RELEASE: return vkey_release(e, &who, KV, "p", NULL, &err);
    case VOP_BACKUP: return vkey_backup(e, &who, KV, "p", arena, &used, &err);
    case VOP_RESTORE: return vkey_restore(e, &who, KV, secret, arena, &k, &err);
    case VOP_GET_POLICY: return vkey_policy_get(e, &who, KV, "p", arena, &policy_read, &err);
    case VOP_SET_POLICY: return vkey_policy_put(e, &who, KV, "p", &policy_sent, arena, &policy_read, &err);
    case VOP_RANDOM: return vkey_random(e, &who, KV, 4, arena, &out, &err);
    default: break; /* secrets: test_vsecret.c */
    }
    return SB_EINTERNAL;
}

/* Names of a policy's permissions, by operation. */
static const char *const permission_of[] = {
    [VOP_CREATE] = "create",
    [VOP_IMPORT] = "import",
    [VOP_GET] = "get",
    [VOP_LIST] = "list",
    [VOP_VERSIONS] = "list",
    [VOP_UPDATE] = "update",
    [VOP_DELETE] = "delete",
    [VOP_DELETED_GET] = "get",
    [VOP_DELETED_LIST] = "list",
    [VOP_RECOVER] = "recover",
    [VOP_PURGE] = "purge",
    [VOP_ROTATE] = "rotate",
    [VOP_ENCRYPT] = "encrypt",
    [VOP_DECRYPT] = "decrypt",
    [VOP_WRAP] = "wrapKey",
    [VOP_UNWRAP] = "unwrapKey",
    [VOP_SIGN] = "sign",
    [VOP_VERIFY] = "verify",
    [VOP_RELEASE] = "release",
    [VOP_BACKUP] = "backup",
    [VOP_RESTORE] = "restore",
    [VOP_GET_POLICY] = "getrotationpolicy",
    [VOP_SET_POLICY] = "setrotationpolicy",
    [VOP_RANDOM] = "get",
};

START_TEST(test_vkey_access__each_operation_needs_its_own_permission)
{
    enum vault_op_id op = (enum vault_op_id)_i;
    const char *name = permission_of[op];
    who.who = &identity;
    ck_assert_int_eq(do_op(op), SB_EPOLICY);
    ck_assert_str_eq(
        err.detail,
        arena_printf(
            arena,
            "The user, group or application 'appid=%s;oid=%s;iss=https://sts.windows.net/" ENGINE_TENANT
            "/;xms_mirid=%s' does not have keys %s permission on key vault 'v-keys;location=westus'. For "
            "help "
            "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
            identity.appid, identity.oid, identity.resource_id, name));
    /* Everything but this one: still refused. This one alone: let through (to whatever else is wrong). */
    grant(KV, identity.oid, ALL);
    struct vault v;
    struct vault_policy p = policy(identity.oid, arena_printf(arena, "{\"keys\":[\"%s\",\"all\"]}", name));
    grant(KV, identity.oid,
          arena_printf(arena, "{\"keys\":[\"%s\"]}", strcmp(name, "get") == 0 ? "list" : "get"));
    ck_assert_int_eq(do_op(op), SB_EPOLICY);
    p.permissions = arena_printf(arena, "{\"keys\":[\"%s\"]}", name);
    ck_ok(vault_policies(e, SUB, "g", KV, "me", VAULT_POLICY_ADD, &p, 1, arena, &v, &err));
    enum sb_err rc = do_op(op);
    ck_assert_msg(rc != SB_EPOLICY, "%s", err.detail);
}
END_TEST

START_TEST(test_vkey_access__each_operation_needs_its_own_role)
{
    enum vault_op_id op = (enum vault_op_id)_i;
    char scope[VAULT_SCOPE_MAX];
    struct vault v;
    struct vault_spec s = spec(KV);
    s.rbac = 1;
    ck_ok(put(&s, &v));
    vault_scope(&v, scope, sizeof scope);
    /* Owner of the subscription: no data action; its access policy does not count any more. */
    ck_assert_int_eq(do_op(op), SB_ERBAC);
    ck_detail("Caller is not authorized to perform action on resource.\r\nIf role assignments");
    ck_detail(arena_printf(
        arena, "Action: '%s'\r\nResource: '%s%s'\r\nAssignment: (not found)", vault_op(op)->action,
        text_tolower(arena_strdup(arena, scope)),
        op == VOP_LIST || op == VOP_DELETED_LIST || op == VOP_RESTORE || op == VOP_RANDOM ? "" : "/keys/p"));
    ck_detail("\r\nVault: v-keys;location=westus\r\n");
    assign_role(7, "Key Vault Administrator", scope, client.oid);
    ck_assert_int_ne(do_op(op), SB_ERBAC);
}
END_TEST

START_TEST(test_vkey_access__a_role_on_one_key_is_for_that_key)
{
    struct vkey k;
    struct vault v;
    struct vault_spec s = spec(KV);
    make_key("mine");
    make_key("yours");
    s.rbac = 1;
    ck_ok(put(&s, &v));
    char scope[VAULT_SCOPE_MAX];
    vault_scope(&v, scope, sizeof scope);
    assign_role(8, "Key Vault Crypto User", arena_printf(arena, "%s/keys/MINE", scope), client.oid);
    ck_ok(vkey_get(e, &who, KV, "mine", NULL, arena, &k, &err));
    ck_assert_int_eq(vkey_get(e, &who, KV, "yours", NULL, arena, &k, &err), SB_ERBAC);
}
END_TEST

START_TEST(test_vkey_access__what_is_taken_away_is_gone_at_once)
{
    struct vkey k;
    struct sb_blob out;
    make_rsa("k");
    ck_ok(crypt("k", NULL, VPERM_WRAP, secret, &out));
    grant(KV, ENGINE_CLIENT_OID, "{\"keys\":[\"get\",\"delete\"]}");
    ck_assert_int_eq(crypt("k", NULL, VPERM_WRAP, secret, &out), SB_EPOLICY);
    grant(KV, ENGINE_CLIENT_OID, ALL);
    ck_ok(crypt("k", NULL, VPERM_WRAP, secret, &out));
    ck_assert_uint_eq(vault_cache_size(e->vaults->pkeys), 1);
    ck_ok(vkey_delete(e, &who, KV, "K", arena, &k, &err));
    ck_assert_uint_eq(vault_cache_size(e->vaults->pkeys), 0); /* the opened private key is wiped with it */
    ck_assert_int_eq(crypt("k", k.version, VPERM_WRAP, secret, &out), SB_EKEYNOTFOUND);
}
END_TEST

START_TEST(test_vkey_access__an_application_entry_needs_that_application)
{
    struct vkey k;
    struct vault v;
    make_key("k");
    struct vault_policy p = policy(identity.oid, ALL);
    p.appid = OID_B;
    ck_ok(vault_policies(e, SUB, "g", KV, "me", VAULT_POLICY_ADD, &p, 1, arena, &v, &err));
    who.who = &identity;
    ck_assert_int_eq(vkey_get(e, &who, KV, "k", NULL, arena, &k, &err), SB_EPOLICY);
    p.appid = identity.appid;
    ck_ok(vault_policies(e, SUB, "g", KV, "me", VAULT_POLICY_ADD, &p, 1, arena, &v, &err));
    ck_ok(vkey_get(e, &who, KV, "k", NULL, arena, &k, &err));
}
END_TEST

/* ---- firewall, tenant, faults ---- */

static void network(int deny, int bypass, int public_access, const char *ips)
{
    struct vault_spec s = spec(KV);
    s.has_policies = false;
    s.network_acls = "{}";
    s.acl_deny = deny;
    s.acl_bypass_azure = bypass;
    s.public_access = public_access;
    s.acl_ips = ips;
    ck_ok(put(&s, NULL));
}

static enum sb_err get_as(const char *ip, bool service)
{
    struct vkey k;
    struct vault_caller c = {.who = &client, .ip = ip, .service = service};
    return vkey_get(e, &c, KV, "k", NULL, arena, &k, &err);
}

START_TEST(test_vkey_access__firewall)
{
    make_key("k");
    network(1, 1, 1, "10.1.2.0/24,192.168.1.1,2001:db8::/32");
    ck_assert_int_eq(get_as("127.0.0.1", false), SB_EFIREWALL);
    ck_detail("Client address is not authorized and caller is not a trusted service.\r\nClient address: "
              "127.0.0.1\r\nCaller: appid=");
    ck_detail("\r\nVault: v-keys;location=westus");
    ck_ok(get_as("10.1.2.255", false));
    ck_ok(get_as("::ffff:10.1.2.7", false));
    ck_ok(get_as("192.168.1.1", false));
    ck_ok(get_as("2001:db8:1::5", false));
    ck_assert_int_eq(get_as("10.1.3.0", false), SB_EFIREWALL);
    ck_assert_int_eq(get_as("192.168.1.2", false), SB_EFIREWALL);
    ck_assert_int_eq(get_as("2001:db9::", false), SB_EFIREWALL);
    ck_assert_int_eq(get_as("nonsense", false), SB_EFIREWALL);
    ck_ok(get_as(NULL, true)); /* a trusted service */
    network(1, 0, 1, "127.0.0.1");
    ck_assert_int_eq(get_as(NULL, true), SB_EFIREWALL);
    ck_ok(get_as("127.0.0.1", false));
    network(0, 1, 0, "127.0.0.1");
    ck_assert_int_eq(get_as("127.0.0.1", false), SB_EFIREWALL);
    ck_detail("Public network access is disabled and request is not from a trusted service nor via an "
              "approved private link.\r\nCaller: ");
    ck_ok(get_as(NULL, true));
    network(0, 0, 0, "");
    ck_assert_int_eq(get_as(NULL, true), SB_EFIREWALL);
    network(0, 0, 1, "");
    ck_ok(get_as(NULL, true));
    ck_ok(get_as("8.8.8.8", false));
}
END_TEST

START_TEST(test_vkey_access__another_tenant)
{
    struct vault_spec s = spec(KV);
    make_key("k");
    s.has_policies = false;
    s.tenant = OID_B;
    ck_ok(put(&s, NULL));
    ck_assert_int_eq(get_as("127.0.0.1", false), SB_EISSUER);
    ck_detail("AKV10032: Invalid issuer.");
    ck_assert_int_eq(get_as(NULL, true), SB_ENOVAULT);
}
END_TEST

START_TEST(test_vkey_access__faults)
{
    static const struct {
        enum fault_kind kind;
        int status;
        enum sb_err service, user;
    } cases[] = {
        {FAULT_UNREACHABLE, 0, SB_EUNREACHABLE, SB_EUNAVAILABLE},
        {FAULT_TIMEOUT, 0, SB_EUNREACHABLE, SB_EUNAVAILABLE},
        {FAULT_THROTTLE, 0, SB_ETHROTTLED, SB_ETHROTTLED},
        {FAULT_ERROR, 500, SB_EUNAVAILABLE, SB_EUNAVAILABLE},
        {FAULT_ERROR, 429, SB_ETHROTTLED, SB_ETHROTTLED},
    };
    make_key("k");
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
        fault(cases[i].kind, false, cases[i].status);
        ck_assert_int_eq(get_as(NULL, true), cases[i].service);
        ck_ok(get_as("127.0.0.1", false)); /* not for clients */
        fault(cases[i].kind, true, cases[i].status);
        ck_assert_int_eq(get_as("127.0.0.1", false), cases[i].user);
    }
    ck_ok(faults_clear(e, NULL, &err));
    ck_ok(get_as(NULL, true));
}
END_TEST

/* ---- the audit log ---- */

START_TEST(test_vkey_access__every_call_is_audited)
{
    struct st_event *ev = NULL;
    size_t n = 0;
    bool gap;
    struct vkey k;
    struct sb_blob out;
    int64_t since = events_last_id(e);
    struct vkey made = make_rsa("k");
    ck_ok(crypt("k", NULL, VPERM_WRAP, secret, &out));
    ck_assert_int_eq(vkey_get(e, &who, KV, "absent", NULL, arena, &k, &err), SB_EKEYNOTFOUND);
    who.who = &identity;
    ck_assert_int_eq(vkey_get(e, &who, KV, "k", NULL, arena, &k, &err), SB_EPOLICY);
    ck_ok(events_list(e, since, 100, arena, &ev, &n, &gap, &err));
    ck_assert_uint_eq(n, 4);
    static const struct {
        const char *op, *key, *result;
        int status;
    } want[] = {{"KeyCreate", "k", "Success", 200},
                {"KeyWrap", "k", "Success", 200},
                {"KeyGet", "absent", "KeyNotFound", 404},
                {"KeyGet", "k", "ForbiddenByPolicy", 403}};
    for (size_t i = 0; i < n; i++) {
        ck_assert_str_eq(ev[i].stream, "audit");
        ck_assert_str_eq(ev[i].op, want[i].op);
        ck_assert_str_eq(ev[i].vault, KV);
        ck_assert_str_eq(ev[i].key, want[i].key);
        ck_assert_str_eq(ev[i].result, want[i].result);
        ck_assert_int_eq(ev[i].http_status, want[i].status);
        ck_assert_str_eq(ev[i].activity_id, "rid");
    }
    ck_assert_str_eq(ev[1].version, made.version);
    ck_assert_ptr_nonnull(strstr(ev[3].identity, identity.oid));
}
END_TEST

/* What did not come to the vault is not in its log. */
START_TEST(test_vkey_access__a_call_that_is_not_heard_is_not_audited)
{
    static const struct {
        enum fault_kind kind;
        int status;
        size_t audited;
    } cases[] = {
        {FAULT_UNREACHABLE, 0, 0}, {FAULT_TIMEOUT, 0, 0}, {FAULT_THROTTLE, 0, 2}, {FAULT_ERROR, 503, 2}};
    make_key("k");
    for (size_t i = 0; i < SB_ARRAY_LEN(cases); i++) {
        struct st_event *ev = NULL;
        size_t n = 0;
        bool gap;
        int64_t since = events_last_id(e);
        fault(cases[i].kind, true, cases[i].status);
        ck_assert_int_ne(get_as(NULL, true), SB_OK);
        ck_assert_int_ne(get_as("127.0.0.1", false), SB_OK);
        ck_ok(events_list(e, since, 100, arena, &ev, &n, &gap, &err));
        ck_assert_uint_eq(n, cases[i].audited);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vkey_access");
    TCase *t = tcase_create("vkey_access");
    tcase_add_checked_fixture(t, vkey_up, close_engine);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_vkey_access__each_operation_needs_its_own_permission, 0, VOP_RANDOM + 1);
    tcase_add_loop_test(t, test_vkey_access__each_operation_needs_its_own_role, 0, VOP_RANDOM + 1);
    tcase_add_test(t, test_vkey_access__a_role_on_one_key_is_for_that_key);
    tcase_add_test(t, test_vkey_access__what_is_taken_away_is_gone_at_once);
    tcase_add_test(t, test_vkey_access__an_application_entry_needs_that_application);
    tcase_add_test(t, test_vkey_access__firewall);
    tcase_add_test(t, test_vkey_access__another_tenant);
    tcase_add_test(t, test_vkey_access__faults);
    tcase_add_test(t, test_vkey_access__every_call_is_audited);
    tcase_add_test(t, test_vkey_access__a_call_that_is_not_heard_is_not_audited);
    suite_add_tcase(s, t);
    return s;
}
