/* test_vault.c: key vaults on the ARM plane: names, rules of PUT and PATCH, access policies, soft delete,
 * purge dates. */
#include "tests/unit/engine/vault_fixture.h"

static void setup(void)
{
    fixture_up();
}

static enum sb_err get(const char *name, struct vault *ret)
{
    return vault_get(e, SUB, "g", name, arena, ret, &err);
}

#define ck_detail(text) ck_assert_msg(strstr(err.detail, text) != NULL, "unexpected message: %s", err.detail)

/* ---- names ---- */

static const struct {
    const char *name;
    bool ok;
} names[] = {
    {"abc", true},      {"a-b", true},
    {"A1b2", true},     {"abcdefghijklmnopqrstuvwx", true},
    {"ab", false},      {"abcdefghijklmnopqrstuvwxy", false},
    {"1abc", false},    {"-abc", false},
    {"abc-", false},    {"a--b", false},
    {"a_bc", false},    {"", false},
    {"abc def", false}, {"ab\xc3\xa9", false},
    {"abc.def", false}, {"abc%", false},
};

START_TEST(test_vault__names)
{
    struct vault_spec s = spec(names[_i].name);
    enum sb_err rc = put(&s, NULL);
    ck_assert_int_eq(rc, names[_i].ok ? SB_OK : SB_EVAULTNAME);
    if (!names[_i].ok)
        ck_detail("A vault's name must be between 3-24 alphanumeric characters.");
}
END_TEST

START_TEST(test_vault__name_check)
{
    make_vault("taken");
    ck_assert_int_eq(vault_name_check(e, "free-name", &err), SB_OK);
    ck_assert_int_eq(vault_name_check(e, "TAKEN", &err), SB_EVAULTEXISTS);
    ck_assert_str_eq(err.detail, "The name 'TAKEN' is already in use.");
    ck_assert_int_eq(vault_name_check(e, "1x", &err), SB_EVAULTNAME);
}
END_TEST

/* ---- create ---- */

START_TEST(test_vault__defaults_of_a_new_one)
{
    struct vault v;
    bool created = false;
    struct vault_spec s = spec("Vault1");
    ck_assert_int_eq(vault_put(e, &s, arena, &v, &created, &err), SB_OK);
    ck_assert(created);
    ck_assert(v.soft_delete && !v.purge_protection && v.public_access && !v.acl_deny && v.acl_bypass_azure);
    ck_assert_int_eq(v.soft_delete_days, 90);
    ck_assert_int_eq(v.rbac, -1);
    ck_assert_str_eq(v.tags, "{}");
    ck_assert_int_eq(v.created_ms, START);
    ck_assert_str_eq(v.created_by, "me");
    ck_assert_int_eq(get("vAULT1", &v), SB_OK);
    ck_assert_str_eq(v.name, "Vault1");
    ck_assert_ptr_null(v.network_acls);
    ck_assert_int_eq(vault_put(e, &s, arena, &v, &created, &err), SB_OK);
    ck_assert(!created);
}
END_TEST

START_TEST(test_vault__what_a_new_one_needs)
{
    struct vault_spec s = spec("v-needs");
    s.tenant = NULL;
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    s = spec("v-needs");
    s.tenant = "not-a-guid";
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    s = spec("v-needs");
    s.sku = NULL;
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    s.sku = "gold";
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    s = spec("v-needs");
    s.location = NULL;
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    s = spec("v-needs");
    s.has_policies = false;
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    ck_assert_str_eq(err.detail, "An invalid value was provided for 'accessPolicies'.");
    s.rbac = 1;
    ck_assert_int_eq(put(&s, NULL), SB_OK);
}
END_TEST

START_TEST(test_vault__role_based_by_default_in_new_api_versions)
{
    struct vault v;
    struct vault_spec s = spec("v-rbac");
    s.rbac_default = true;
    s.has_policies = false;
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_int_eq(v.rbac, 1);
    s.rbac_default = false; /* an older version later never flips it */
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_int_eq(v.rbac, 1);
    s = spec("v-rbac2");
    s.rbac_default = true;
    s.rbac = 0;
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_int_eq(v.rbac, 0);
}
END_TEST

START_TEST(test_vault__names_are_unique_everywhere)
{
    bool existed;
    make_vault("unique");
    struct vault_spec s = spec("UNIQUE");
    s.sub = SUB2;
    ck_assert_int_eq(put(&s, NULL), SB_EVAULTEXISTS);
    ck_detail("The vault name 'UNIQUE' is already in use. Vault names are globally unique");
    s = spec("unique");
    s.group = "other";
    ck_assert_int_eq(put(&s, NULL), SB_EVAULTEXISTS);
    ck_assert_int_eq(vault_delete(e, SUB, "G", "Unique", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(put(&s, NULL), SB_EVAULTEXISTS);
    s = spec("unique");
    ck_assert_int_eq(put(&s, NULL), SB_EVAULTDELETED);
    ck_detail("A vault with the same name already exists in deleted state.");
    s.location = "eastus";
    ck_assert_int_eq(put(&s, NULL), SB_EVAULTEXISTS);
}
END_TEST

/* ---- update ---- */

START_TEST(test_vault__purge_protection_is_for_ever)
{
    struct vault v;
    struct vault_spec s = spec("v-purge");
    s.purge_protection = 0;
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    ck_assert_str_eq(
        err.detail,
        "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for "
        "a vault is an irreversible action.");
    s.purge_protection = 1;
    ck_assert_int_eq(put(&s, NULL), SB_OK);
    s.purge_protection = -1;
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert(v.purge_protection);
    s.purge_protection = 0;
    ck_assert_int_eq(vault_patch(e, &s, arena, &v, &err), SB_EBADREQUEST);
}
END_TEST

START_TEST(test_vault__retention_is_set_once)
{
    struct vault v;
    struct vault_spec s = spec("v-days");
    const int bad[] = {0, 6, 91, 1000};
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        s.soft_delete_days = bad[i];
        ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    }
    s.soft_delete_days = 7;
    s.soft_delete = 0; /* accepted of a new vault, and on all the same */
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert(v.soft_delete);
    ck_assert_int_eq(v.soft_delete_days, 7);
    ck_assert_int_eq(put(&s, &v), SB_EBADREQUEST);
    ck_detail("The property \"enableSoftDelete\" can be set to false only for creating new vault.");
    s.soft_delete = 1;
    s.soft_delete_days = 30;
    ck_assert_int_eq(put(&s, &v), SB_EBADREQUEST);
    ck_assert_str_eq(
        err.detail,
        "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.");
    s.soft_delete_days = 7;
    ck_assert_int_eq(put(&s, &v), SB_OK);
}
END_TEST

START_TEST(test_vault__a_refused_put_changes_nothing)
{
    struct vault before, after;
    make_vault("v-same");
    ck_assert_int_eq(get("v-same", &before), SB_OK);
    struct vault_spec s = spec("v-same");
    struct vault_policy bad = policy(OID_A, "{\"keys\":[\"fly\"]}");
    s.tags = "{\"a\":\"b\"}";
    s.sku = "standard";
    s.purge_protection = 1;
    s.policies = &bad;
    s.policies_n = 1;
    clock_advance_to(e->clock, START + 5000);
    ck_assert_int_eq(put(&s, NULL), SB_EBADREQUEST);
    ck_assert_int_eq(get("v-same", &after), SB_OK);
    ck_assert_str_eq(after.tags, before.tags);
    ck_assert_str_eq(after.sku, before.sku);
    ck_assert(!after.purge_protection);
    ck_assert_uint_eq(after.policies_n, 1);
    ck_assert_int_eq(after.updated_ms, before.updated_ms);
}
END_TEST

START_TEST(test_vault__put_and_patch_keep_what_is_not_sent)
{
    struct vault v;
    struct vault_policy p = policy(OID_A, ALL);
    struct vault_spec s = spec("v-keep");
    s.policies = &p;
    s.policies_n = 1;
    s.tags = "{\"a\":\"b\"}";
    s.network_acls = "{\"bypass\":\"None\"}";
    s.acl_deny = 1;
    s.acl_bypass_azure = 0;
    s.acl_ips = "1.2.3.4";
    s.public_access = 0;
    s.for_disk = 1;
    ck_assert_int_eq(put(&s, NULL), SB_OK);
    s = spec("v-keep");
    s.location = s.tenant = s.sku = NULL;
    s.has_policies = false;
    ck_assert_int_eq(vault_patch(e, &s, arena, &v, &err), SB_OK);
    ck_assert_str_eq(v.tags, "{\"a\":\"b\"}");
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_str_eq(v.tags, "{}"); /* a PUT without tags clears them */
    ck_assert_uint_eq(v.policies_n, 1);
    ck_assert(v.acl_deny && !v.acl_bypass_azure && !v.public_access);
    ck_assert_str_eq(v.acl_ips, "1.2.3.4");
    ck_assert_int_eq(v.for_disk, 1);
    s.network_acls = ""; /* rules that say nothing */
    s.acl_deny = 0;
    s.acl_bypass_azure = 1;
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_ptr_null(v.network_acls);
    ck_assert(!v.acl_deny && v.acl_bypass_azure);
}
END_TEST

START_TEST(test_vault__not_there)
{
    struct vault v;
    struct vault_spec s = spec("nowhere");
    ck_assert_int_eq(vault_patch(e, &s, arena, &v, &err), SB_ENOTFOUND);
    ck_assert_str_eq(
        err.detail,
        "The Resource 'Microsoft.KeyVault/vaults/nowhere' under resource group 'g' was not found. For more "
        "details please go to https://aka.ms/ARMResourceNotFoundFix");
    ck_assert_int_eq(get("nowhere", &v), SB_ENOTFOUND);
    ck_assert_int_eq(vault_by_name(e, "nowhere", arena, &v, &err), SB_ENOVAULT);
    ck_assert_int_eq(vault_by_name(e, "a-name-that-is-much-too-long-for-a-vault", arena, &v, &err),
                     SB_ENOVAULT);
    make_vault("elsewhere");
    ck_assert_int_eq(vault_get(e, SUB, "h", "elsewhere", arena, &v, &err), SB_ENOTFOUND);
    ck_assert_int_eq(vault_get(e, SUB2, "g", "elsewhere", arena, &v, &err), SB_ENOTFOUND);
    s = spec("elsewhere");
    s.location = "eastus";
    ck_assert_int_eq(put(&s, NULL), SB_ELOCATION);
}
END_TEST

/* ---- access policies ---- */

static enum sb_err policies(enum vault_policy_mode mode, const char *oid, const char *permissions,
                            struct vault *ret)
{
    struct vault_policy p = policy(oid, permissions);
    return vault_policies(e, SUB, "g", "v-pol", "me", mode, &p, 1, arena, ret, &err);
}

START_TEST(test_vault__policies_add_replace_remove)
{
    struct vault v;
    make_vault("v-pol");
    ck_assert_int_eq(
        policies(VAULT_POLICY_ADD, OID_A, "{\"keys\":[\"get\",\"List\"],\"secrets\":[\"get\"]}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 2);
    ck_assert_int_eq(
        policies(VAULT_POLICY_ADD, OID_A, "{\"keys\":[\"GET\",\"wrapKey\"],\"storage\":[\"set\"]}", &v),
        SB_OK);
    ck_assert_uint_eq(v.policies_n, 2);
    ck_assert_str_eq(v.policies[1].permissions,
                     "{\"keys\":[\"get\",\"List\",\"wrapKey\"],\"secrets\":[\"get\"],\"storage\":[\"set\"]}");
    ck_assert_uint_eq(v.policies[1].keys, VPERM_GET | VPERM_LIST | VPERM_WRAP);
    ck_assert_int_eq(policies(VAULT_POLICY_REPLACE, OID_B, "{\"keys\":[\"get\"]}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 3);
    ck_assert_int_eq(policies(VAULT_POLICY_REPLACE, OID_A, "{\"keys\":[\"sign\"]}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 3);
    ck_assert_uint_eq(v.policies[1].keys, VPERM_SIGN);
    ck_assert_uint_eq(v.policies[2].keys, VPERM_GET);
    ck_assert_int_eq(policies(VAULT_POLICY_REMOVE, OID_A, "{\"keys\":[\"get\"]}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 3);
    ck_assert_int_eq(policies(VAULT_POLICY_REMOVE, OID_A, "{\"keys\":[\"SIGN\"]}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 2);
    ck_assert_int_eq(policies(VAULT_POLICY_REMOVE, OID_A, ALL, &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 2);
    ck_assert_int_eq(policies(VAULT_POLICY_REMOVE, OID_B, "{}", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 1);
    ck_assert_str_eq(v.policies[0].oid, ENGINE_CLIENT_OID);
}
END_TEST

/* Every name that is documented is accepted; those of secrets grant, those of certificates and storage are
 * kept. */
START_TEST(test_vault__each_family_has_its_names)
{
    static const struct {
        const char *permissions;
        uint32_t keys, secrets;
    } rows[] = {
        {"{\"keys\":[\"encrypt\",\"decrypt\",\"import\",\"backup\",\"restore\",\"release\","
         "\"getrotationpolicy\"]}",
         VPERM_ENCRYPT | VPERM_DECRYPT | VPERM_IMPORT | VPERM_BACKUP | VPERM_RESTORE | VPERM_RELEASE |
             VPERM_GETPOLICY,
         0},
        {"{\"secrets\":[\"get\",\"LIST\",\"set\"]}", 0, VSECRET_GET | VSECRET_LIST | VSECRET_SET},
        {"{\"secrets\":[\"delete\",\"backup\",\"restore\",\"recover\",\"purge\"]}", 0,
         VSECRET_DELETE | VSECRET_BACKUP | VSECRET_RESTORE | VSECRET_RECOVER | VSECRET_PURGE},
        {"{\"secrets\":[\"all\"]}", 0, 0xff & ~VSECRET_PURGE},
        {"{\"certificates\":[\"all\",\"get\",\"list\",\"delete\",\"create\",\"import\",\"update\","
         "\"managecontacts\","
         "\"getissuers\",\"listissuers\",\"setissuers\",\"deleteissuers\",\"manageissuers\",\"recover\","
         "\"purge\",\"backup\","
         "\"restore\"]}",
         0, 0},
        {"{\"storage\":[\"all\",\"get\",\"list\",\"delete\",\"set\",\"update\",\"regeneratekey\",\"recover\","
         "\"purge\","
         "\"backup\",\"restore\",\"setsas\",\"listsas\",\"getsas\",\"deletesas\"]}",
         0, 0},
    };
    make_vault("v-pol");
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct vault v;
        ck_assert_msg(policies(VAULT_POLICY_REPLACE, OID_A, rows[i].permissions, &v) == SB_OK, "row %zu", i);
        ck_assert_uint_eq(v.policies[1].keys, rows[i].keys);
        ck_assert_uint_eq(v.policies[1].secrets, rows[i].secrets);
        ck_assert_str_eq(v.policies[1].permissions, rows[i].permissions);
    }
}
END_TEST

START_TEST(test_vault__all_is_not_purge_nor_rotate)
{
    struct vault v;
    make_vault("v-pol");
    ck_assert_int_eq(policies(VAULT_POLICY_REPLACE, OID_A, "{\"keys\":[\"All\"]}", &v), SB_OK);
    ck_assert((v.policies[1].keys & (VPERM_PURGE | VPERM_ROTATE)) == 0);
    ck_assert_uint_eq(v.policies[1].keys &
                          (VPERM_GET | VPERM_WRAP | VPERM_UNWRAP | VPERM_RELEASE | VPERM_SETPOLICY),
                      VPERM_GET | VPERM_WRAP | VPERM_UNWRAP | VPERM_RELEASE | VPERM_SETPOLICY);
}
END_TEST

static const char *const bad_permissions[] = {
    "",
    "[]",
    "{",
    "{\"keys\"}",
    "{\"keys\":{}}",
    "{\"keys\":[\"get\"]",
    "{\"keys\":[get]}",
    "{\"keys\":[\"fly\"]}",
    "{\"keys\":[\"get\",]}",
    "{\"keys\":[1]}",
    "{\"a\":[],\"b\":[],\"c\":[],\"d\":[],\"e\":[]}",
    "{\"keys\":[\"ge t\"]}",
    "{\"keys\":[]}x",
    "{\"keys\":[\"getget\"]}",
    "{\"keys\":[\"\"]}",
    "{\"secrets\":[\"sign\"]}",
    "{\"certificates\":[\"wrapKey\"]}",
    "{\"storage\":[\"import\"]}",
    "{\"queues\":[\"get\"]}",
};

START_TEST(test_vault__malformed_permissions)
{
    struct vault v;
    make_vault("v-pol");
    ck_assert_int_eq(policies(VAULT_POLICY_ADD, OID_A, bad_permissions[_i], &v), SB_EBADREQUEST);
    ck_assert_str_eq(err.detail, "An invalid value was provided for 'accessPolicies'.");
}
END_TEST

START_TEST(test_vault__at_most_1024_policies)
{
    struct vault v;
    make_vault("v-pol");
    struct vault_policy *p = ARENA_ARRAY(arena, struct vault_policy, 1025);
    for (unsigned i = 0; i < 1025; i++)
        p[i] = policy(arena_printf(arena, "cccccccc-0000-0000-0000-%012u", i), "{\"keys\":[\"get\"]}");
    ck_assert_int_eq(vault_policies(e, SUB, "g", "v-pol", "me", VAULT_POLICY_ADD, p, 1023, arena, &v, &err),
                     SB_OK);
    ck_assert_uint_eq(v.policies_n, 1024);
    ck_assert_int_eq(vault_policies(e, SUB, "g", "v-pol", "me", VAULT_POLICY_ADD, p, 1024, arena, &v, &err),
                     SB_EBADREQUEST);
    ck_assert_int_eq(vault_policies(e, SUB, "g", "v-pol", "me", VAULT_POLICY_ADD, p, 1025, arena, &v, &err),
                     SB_EBADREQUEST);
    ck_assert_int_eq(get("v-pol", &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 1024);
}
END_TEST

/* ---- the end ---- */

START_TEST(test_vault__soft_delete_and_recover)
{
    struct vault v, *list = NULL;
    size_t n = 0;
    bool existed = false;
    const char *scope = "/subscriptions/" SUB "/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v-del";
    make_vault("v-del");
    assign_role(1, "Key Vault Crypto User", scope, identity.oid);
    ck_assert(rbac_may(e, &identity, "Microsoft.KeyVault/vaults/keys/read", true, scope));
    ck_assert_int_eq(vault_delete(e, SUB, "g", "v-del", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(vault_delete(e, SUB, "g", "v-del", &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(get("v-del", &v), SB_ENOTFOUND);
    ck_assert_int_eq(vault_by_name(e, "v-del", arena, &v, &err), SB_ENOVAULT);
    ck_assert_int_eq(vault_list(e, SUB, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_deleted_list(e, SUB, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(vault_deleted_get(e, SUB, "WestUS", "V-DEL", arena, &v, &err), SB_OK);
    ck_assert_int_eq(v.deleted_ms, START);
    ck_assert_int_eq(v.purge_ms, START + 90 * DAY);
    ck_assert_int_eq(vault_deleted_get(e, SUB, "eastus", "v-del", arena, &v, &err), SB_ENODELETEDVAULT);
    ck_detail("The specified deleted vault 'v-del' does not exist.");
    struct vault_spec s = spec("v-del");
    s.recover = true;
    s.has_policies = false;
    ck_assert_int_eq(put(&s, &v), SB_OK);
    ck_assert_uint_eq(v.policies_n, 1); /* access policies come back, role assignments do not */
    ck_assert(!rbac_may(e, &identity, "Microsoft.KeyVault/vaults/keys/read", true, scope));
    ck_assert_int_eq(vault_deleted_get(e, SUB, "westus", "v-del", arena, &v, &err), SB_ENODELETEDVAULT);
    ck_assert_int_eq(get("v-del", &v), SB_OK);
    s = spec("v-never");
    s.recover = true;
    ck_assert_int_eq(put(&s, NULL), SB_ENODELETEDVAULT);
}
END_TEST

START_TEST(test_vault__purge)
{
    bool existed;
    struct vault v;
    make_vault("v-gone");
    int64_t id;
    ck_assert_int_eq(get("v-gone", &v), SB_OK);
    id = v.id;
    ck_assert_int_eq(vault_purge(e, SUB, "westus", "v-gone", &err), SB_ENODELETEDVAULT);
    ck_assert_int_eq(vault_delete(e, SUB, "g", "v-gone", &existed, &err), SB_OK);
    ck_assert_int_eq(vault_purge(e, SUB2, "westus", "v-gone", &err), SB_ENODELETEDVAULT);
    ck_assert_int_eq(vault_purge(e, SUB, "westus", "v-gone", &err), SB_OK);
    ck_assert_int_eq(vault_name_check(e, "v-gone", &err), SB_OK);
    make_vault("v-gone");
    ck_assert_int_eq(get("v-gone", &v), SB_OK);
    ck_assert_int_ne(v.id, id);
    struct vault_spec s = spec("v-prot");
    s.purge_protection = 1;
    ck_assert_int_eq(put(&s, NULL), SB_OK);
    ck_assert_int_eq(vault_delete(e, SUB, "g", "v-prot", &existed, &err), SB_OK);
    ck_assert_int_eq(vault_purge(e, SUB, "westus", "v-prot", &err), SB_EPURGEPROTECTED);
    ck_assert_str_eq(err.detail, "Operation 'DeletedVaultPurge' is not allowed.");
}
END_TEST

START_TEST(test_vault__purged_when_its_date_has_come)
{
    bool existed;
    struct vault *list;
    size_t n = 0;
    struct vault_spec s = spec("v-due");
    ck_assert_int_eq(vault_next_due(e), TIMELINE_NEVER);
    s.soft_delete_days = 7;
    s.purge_protection = 1;
    ck_assert_int_eq(put(&s, NULL), SB_OK);
    ck_assert_int_eq(vault_delete(e, SUB, "g", "v-due", &existed, &err), SB_OK);
    ck_assert_int_eq(vault_next_due(e), START + 7 * DAY);
    ck_assert_int_eq(vault_run_due(e, START + 7 * DAY - 1, &err), SB_OK);
    ck_assert_int_eq(vault_deleted_list(e, SUB, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    struct timeline_result r;
    ck_assert_msg(timeline_advance(e, 8 * DAY, arena, 10, &r, &err) == SB_OK, "%s", err.detail);
    ck_assert_uint_eq(r.total, 1);
    ck_assert_str_eq(r.events[0].kind, "vaultPurged");
    ck_assert_str_eq(r.events[0].target, "v-due");
    ck_assert_int_eq(r.events[0].time, START + 7 * DAY);
    ck_assert_int_eq(vault_deleted_list(e, SUB, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_next_due(e), TIMELINE_NEVER);
}
END_TEST

START_TEST(test_vault__lists_and_group)
{
    struct vault *list = NULL;
    size_t n = 0;
    make_vault("v-b");
    make_vault("v-a");
    struct vault_spec s = spec("v-c");
    s.group = "h";
    ck_assert_int_eq(put(&s, NULL), SB_OK);
    ck_assert_int_eq(vault_list(e, SUB, "G", arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(list[0].name, "v-a");
    ck_assert_uint_eq(list[0].policies_n, 1);
    ck_assert_int_eq(vault_list(e, SUB, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(vault_list(e, SUB2, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(vault_delete_group(e, SUB, "g", &err), SB_OK);
    ck_assert_int_eq(vault_list(e, SUB, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(vault_deleted_list(e, SUB, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
}
END_TEST

/* ---- what an ipRules entry may be ---- */

START_TEST(test_vault__ip_rules)
{
    const char *good[] = {"1.2.3.4", "1.2.3.0/24", "0.0.0.0/0", "::1", "2001:db8::/32", "1.2.3.4/32"};
    const char *bad[] = {"",
                         "1.2.3",
                         "1.2.3.4/33",
                         "1.2.3.4/",
                         "1.2.3.4/x",
                         "1.2.3.4/-1",
                         "::1/129",
                         "host",
                         "1.2.3.4,5.6.7.8",
                         "1.2.3.4 ",
                         "99999999999999999999999999999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < SB_ARRAY_LEN(good); i++)
        ck_assert_msg(vault_ip_rule_ok(good[i]), "%s", good[i]);
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
        ck_assert_msg(!vault_ip_rule_ok(bad[i]), "%s", bad[i]);
}
END_TEST

/* ---- the cache ---- */

static int live;
static void *ref(void *p)
{
    live++;
    return p;
}
static void unref(void *p)
{
    SB_UNUSED(p);
    live--;
}

START_TEST(test_vault__cache_forgets_the_least_recently_used_and_other_stamps)
{
    int object = 0;
    struct vault_cache *c = vault_cache_new(3, ref, unref);
    live = 0;
    vault_cache_put(c, "a/1", 1, &object);
    vault_cache_put(c, "a/2", 1, &object);
    vault_cache_put(c, "b/3", 1, &object);
    ck_assert_ptr_eq(vault_cache_get(c, "a/1", 1), &object);
    vault_cache_put(c, "b/4", 1, &object); /* a/2 goes */
    ck_assert_uint_eq(vault_cache_size(c), 3);
    ck_assert_ptr_null(vault_cache_get(c, "a/2", 1));
    ck_assert_ptr_null(vault_cache_get(c, "b/3", 2)); /* of an earlier stamp: gone */
    ck_assert_uint_eq(vault_cache_size(c), 2);
    vault_cache_put(c, "a/1", 3, &object);
    ck_assert_ptr_null(vault_cache_get(c, "a/1", 2)); /* of a later one: kept */
    ck_assert_ptr_eq(vault_cache_get(c, "a/1", 3), &object);
    vault_cache_drop(c, "a/");
    ck_assert_ptr_null(vault_cache_get(c, "a/1", 3));
    ck_assert_ptr_eq(vault_cache_get(c, "b/4", 1), &object);
    vault_cache_free(c);
    vault_cache_free(NULL);
    ck_assert_int_eq(live, 3); /* the three that were handed out */
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("vault");
    TCase *t = tcase_create("vault");
    tcase_add_checked_fixture(t, setup, close_engine);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_vault__names, 0, (int)SB_ARRAY_LEN(names));
    tcase_add_test(t, test_vault__each_family_has_its_names);
    tcase_add_loop_test(t, test_vault__malformed_permissions, 0, (int)SB_ARRAY_LEN(bad_permissions));
    tcase_add_test(t, test_vault__name_check);
    tcase_add_test(t, test_vault__defaults_of_a_new_one);
    tcase_add_test(t, test_vault__what_a_new_one_needs);
    tcase_add_test(t, test_vault__role_based_by_default_in_new_api_versions);
    tcase_add_test(t, test_vault__names_are_unique_everywhere);
    tcase_add_test(t, test_vault__purge_protection_is_for_ever);
    tcase_add_test(t, test_vault__retention_is_set_once);
    tcase_add_test(t, test_vault__a_refused_put_changes_nothing);
    tcase_add_test(t, test_vault__put_and_patch_keep_what_is_not_sent);
    tcase_add_test(t, test_vault__not_there);
    tcase_add_test(t, test_vault__policies_add_replace_remove);
    tcase_add_test(t, test_vault__all_is_not_purge_nor_rotate);
    tcase_add_test(t, test_vault__at_most_1024_policies);
    tcase_add_test(t, test_vault__soft_delete_and_recover);
    tcase_add_test(t, test_vault__purge);
    tcase_add_test(t, test_vault__purged_when_its_date_has_come);
    tcase_add_test(t, test_vault__lists_and_group);
    suite_add_tcase(s, t);
    TCase *pure = tcase_create("pure");
    tcase_add_test(pure, test_vault__ip_rules);
    tcase_add_test(pure, test_vault__cache_forgets_the_least_recently_used_and_other_stamps);
    suite_add_tcase(s, pure);
    return s;
}
