/*
 * test_ns.c: namespaces: names, life cycle, the rules of encryption (semantics 1-6, 15, 17). Each test of a
 * rule has its number in the name or above it.
 */
#include "server/engine/ns_priv.h"
#include "tests/unit/engine/ns_fixture.h"

static void setup(void)
{
    world_up();
}

static void arena_setup(void)
{
    arena = arena_new(1u << 20);
}

static void arena_teardown(void)
{
    arena_free(arena);
}

static void plain_setup(void)
{
    world_open(NULL);
}

/* The refused call left everything as it was. */
static void refused(const struct ns_spec *s, enum sb_err code, const char *text)
{
    struct ns_view before, after;
    bool there = ns_by_name(e, s->name, arena, &before, NULL) == SB_OK;
    ck_assert_int_eq(ns_try(s), code);
    ck_detail(text);
    ck_assert_int_eq(ns_by_name(e, s->name, arena, &after, NULL), there ? SB_OK : SB_ENONAMESPACE);
    if (!there)
        return;
    ck_assert_int_eq(after.updated_ms, before.updated_ms);
    ck_assert_int_eq(after.encrypted, before.encrypted);
    ck_assert_int_eq(after.status, before.status);
    ck_assert_str_eq(after.sku, before.sku);
    ck_assert_uint_eq(after.keys_n, before.keys_n);
    for (size_t i = 0; i < after.keys_n; i++) {
        ck_assert_str_eq(after.keys[i].key_name, before.keys[i].key_name);
        ck_assert_str_eq(after.keys[i].wrapped_version, before.keys[i].wrapped_version);
        ck_assert_int_eq(after.keys[i].state, before.keys[i].state);
        ck_assert_uint_eq(after.keys[i].wrapped.n, before.keys[i].wrapped.n);
        ck_assert_mem_eq(after.keys[i].wrapped.p, before.keys[i].wrapped.p, before.keys[i].wrapped.n);
    }
}

/* ---- names and life cycle ---- */

static const struct {
    const char *name;
    bool ok;
} names[] = {
    {"abcdef", true},
    {"a-b-c-1", true},
    {"Contoso1", true},
    {"a2345678901234567890123456789012345678901234567890", true},
    {"abcde", false},
    {"1abcdef", false},
    {"abcdef-", false},
    {"a23456789012345678901234567890123456789012345678901", false},
    {"abc_def", false},
    {"abc.def", false},
    {"-abcdef", false},
    {"abcdef-sb", false},
    {"abcdef-mgmt", false},
    {"abc\xc3\xa9"
     "fg",
     false},
    {"", false},
};

START_TEST(test_ns__names)
{
    for (size_t at = 0; at < SB_ARRAY_LEN(names); at++) {
        struct ns_spec s = ns_wanted(names[at].name);
        ck_assert_int_eq(ns_try(&s), names[at].ok ? SB_OK : SB_EINVAL);
        ck_assert_int_eq(ns_name_check(e, names[at].name, &err), names[at].ok ? SB_EEXISTS : SB_EINVAL);
    }
}
END_TEST

START_TEST(test_ns__create_get_list_delete)
{
    struct ns_spec s = ns_wanted("Contoso-A");
    struct ns_view v, *list;
    size_t n;
    bool created, existed;
    ck_assert_int_eq(ns_put(e, &s, arena, &v, &created, &err), SB_OK);
    ck_assert(created);
    ck_assert_str_eq(v.name, "Contoso-A");
    ck_assert_str_eq(v.sku, "Premium");
    ck_assert_int_eq(v.capacity, 1);
    ck_assert_int_eq(v.partitions, 1);
    ck_assert_str_eq(v.tags, "{}");
    ck_assert_str_eq(v.tls, "1.2");
    ck_assert(v.public_access && !v.encrypted && v.principal_id);
    ck_assert_int_eq(v.status, NS_ACTIVE);
    ck_assert_int_eq(ns_put(e, &s, arena, &v, &created, &err), SB_OK);
    ck_assert(!created);
    ck_assert_int_eq(ns_get(e, SUB, "G", "CONTOSO-a", arena, &v, &err), SB_OK);
    ck_assert_int_eq(ns_get(e, SUB, "other", "Contoso-A", arena, &v, &err), SB_ENOTFOUND);
    ck_assert_int_eq(ns_get(e, SUB2, "g", "Contoso-A", arena, &v, &err), SB_ENOTFOUND);
    ck_assert_int_eq(ns_list(e, SUB, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(ns_list(e, SUB, "none", arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    struct principal p;
    bool found;
    const char *oid = v.principal_id;
    ck_assert_int_eq(ns_delete(e, SUB, "g", "contoso-a", &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(directory_principal(e, oid, &found, &p, &err), SB_OK);
    ck_assert(!found);
    ck_assert_int_eq(ns_delete(e, SUB, "g", "contoso-a", &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(ns_by_name(e, "contoso-a", arena, &v, &err), SB_ENONAMESPACE);
    ck_assert_uint_eq(ns_count(e), 0);
}
END_TEST

START_TEST(test_ns__names_are_global)
{
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    s.group = "other";
    refused(&s, SB_EBADREQUEST, "The specified name is not available.");
    s.patch = true;
    refused(&s, SB_ENOTFOUND, "was not found");
}
END_TEST

START_TEST(test_ns__ids_are_never_used_again)
{
    bool existed;
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    int64_t first = view.id;
    ck_assert_int_eq(ns_delete(e, SUB, "g", NS, &existed, &err), SB_OK);
    ns_ok(&s);
    ck_assert_int_gt(view.id, first);
    ck_assert_int_eq(ns_delete_group(e, SUB, "G", &err), SB_OK);
    ck_assert_uint_eq(ns_count(e), 0);
}
END_TEST

START_TEST(test_ns__put_replaces_tags_patch_keeps_them)
{
    struct ns_spec s = ns_wanted(NS);
    s.tags = "{\"a\":\"1\"}";
    s.disable_local_auth = 1;
    ns_ok(&s);
    s = ns_wanted(NS);
    s.patch = true;
    s.has_identity = false;
    s.sku = NULL;
    s.location = NULL;
    ns_ok(&s);
    ck_assert_str_eq(view.tags, "{\"a\":\"1\"}");
    ck_assert(view.disable_local_auth && view.principal_id);
    s.patch = false;
    ns_ok(&s);
    ck_assert_str_eq(view.tags, "{}");
    ck_assert_str_eq(view.sku, "Premium");
    ck_assert(view.disable_local_auth);
    s.location = "eastus";
    refused(&s, SB_ELOCATION, "already exists in location 'westus'");
    struct ns_spec none = ns_wanted("not-there");
    none.patch = true;
    refused(&none, SB_ENOTFOUND, "was not found");
}
END_TEST

static const struct {
    const char *sku, *then;
    int capacity, partitions;
    bool ok;
} skus[] = {
    {"Standard", NULL, -1, -1, true},       {"basic", NULL, -1, -1, true},
    {"Premium", NULL, 16, 4, true},         {"Gold", NULL, -1, -1, false},
    {"Premium", NULL, 3, -1, false},        {"Premium", NULL, -1, 3, false},
    {"Premium", NULL, 0, -1, false},        {"Standard", "Premium", -1, -1, false},
    {"Premium", "Standard", -1, -1, false}, {"Standard", "Basic", -1, -1, true},
};

START_TEST(test_ns__tiers)
{
    for (size_t at = 0; at < SB_ARRAY_LEN(skus); at++) {
        struct ns_spec s = ns_wanted(arena_printf(arena, "contoso-%zu", at));
        s.sku = skus[at].sku;
        s.capacity = skus[at].capacity;
        s.partitions = skus[at].partitions;
        if (skus[at].then) {
            ns_ok(&s);
            s.sku = skus[at].then;
        }
        ck_assert_int_eq(ns_try(&s), skus[at].ok ? SB_OK : SB_EBADREQUEST);
        if (skus[at].ok)
            ck_assert_int_eq(view.capacity != 0, strcmp(view.sku, "Premium") == 0);
    }
}
END_TEST

/* ---- identities ---- */

static const char *make_uai(const char *name)
{
    struct group g;
    struct uai u;
    bool created;
    ck_assert_int_eq(directory_group_put(e, SUB, "g", "westus", NULL, arena, &g, &created, &err), SB_OK);
    ck_assert_msg(directory_uai_put(e, SUB, "g", name, "westus", NULL, arena, &u, &created, &err) == SB_OK,
                  "%s", err.detail);
    return u.id;
}

START_TEST(test_ns__identity_changes)
{
    struct principal p;
    bool found;
    struct ns_spec s = ns_wanted(NS);
    const char *ids[] = {make_uai("one"), make_uai("two"), NULL};
    ids[2] = ids[0]; /* twice: once */
    s.identity = IDENTITY_BOTH;
    s.uais = ids;
    s.uais_n = 3;
    ns_ok(&s);
    const char *oid = view.principal_id;
    ck_assert_uint_eq(view.uais_n, 2);
    ck_assert_str_eq(view.uais[0].id, ids[0]);
    ck_assert(view.uais[0].client_id && view.uais[0].principal_id);
    s.identity = IDENTITY_USER;
    ns_ok(&s);
    ck_assert_ptr_null(view.principal_id);
    ck_assert_int_eq(directory_principal(e, oid, &found, &p, &err), SB_OK);
    ck_assert(!found);
    s.identity = IDENTITY_NONE;
    ns_ok(&s);
    ck_assert_uint_eq(view.uais_n, 0);
    s.identity = IDENTITY_SYSTEM;
    ns_ok(&s);
    ck_assert_str_ne(view.principal_id, oid); /* a new principal */
}
END_TEST

START_TEST(test_ns__failed_put_takes_its_identity_back)
{
    struct principal p;
    bool found;
    const char *missing[] = {
        "/subscriptions/" SUB
        "/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/none"};
    struct ns_spec s = ns_wanted(NS);
    s.identity = IDENTITY_BOTH;
    s.uais = missing;
    s.uais_n = 1;
    refused(&s, SB_EBADREQUEST, "was not found");
    struct ns_spec k = with_keys(NS, "k1");
    refused(&k, SB_EBADREQUEST, "lacks the permission 'get' for key 'k1' of vault 'kv-one'");
    ck_assert_int_eq(directory_find(e,
                                    "/subscriptions/" SUB
                                    "/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/" NS,
                                    &found, &p, &err),
                     SB_OK);
    ck_assert(!found);
}
END_TEST

/* ---- enabling: semantics 1-6 ---- */

START_TEST(test_ns__1_premium_only)
{
    struct ns_spec s = with_keys(NS, "k1");
    s.sku = "Standard";
    refused(&s, SB_EBADREQUEST, "Premium tier only: namespace 'contoso-sb1' is of the 'Standard' tier");
}
END_TEST

START_TEST(test_ns__1_empty_only)
{
    make_ns(NS);
    make_queue(NS);
    struct ns_spec s = with_keys(NS, "k1");
    refused(&s, SB_EBADREQUEST, "contains 1 queue(s) or topic(s)");
}
END_TEST

START_TEST(test_ns__2_cannot_be_turned_off)
{
    encrypt_ns(NS, "k1");
    struct ns_spec s = ns_wanted(NS);
    refused(&s, SB_EBADREQUEST,
            "Encryption properties are missing. Note: Once encryption has been enabled on a namespace, it "
            "cannot be disabled.");
    s = with_keys(NS, "k1");
    s.key_source = "Microsoft.ServiceBus";
    refused(&s, SB_EBADREQUEST, "must be 'Microsoft.KeyVault'");
    s.key_source = NULL;
    s.infra = 1;
    refused(&s, SB_EBADREQUEST, "requireInfrastructureEncryption");
    s.infra = 0;
    ns_ok(&s);
    s = ns_wanted(NS);
    s.patch = true;
    ns_ok(&s);
    ck_assert(view.encrypted);
    ck_assert_str_eq(record(), "k1");
    s = ns_wanted(NS);
    s.sku = "Standard"; /* 3: its tier is fixed */
    s.patch = true;
    refused(&s, SB_EBADREQUEST, "cannot be changed");
}
END_TEST

START_TEST(test_ns__3_the_list)
{
    static const struct {
        const char *list, *text;
    } bad[] = {
        {"", "All KeyVaultProperties must be specified as part of the Encryption object."},
        {"k1 k2 k3 k4", "at most 3 keys: 4 were given"},
        {"k1 K1", "is given twice"},
        {"k1 k1/", "is given twice"}, /* "" is versionless too */
        {"k_1", "The key name 'k_1' is not valid."},
    };
    make_ns(NS);
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        struct ns_spec s = with_keys(NS, bad[i].list);
        refused(&s, SB_EBADREQUEST, bad[i].text);
    }
    struct nskey half[] = {
        {.key_name = "k1"}, {.vault_uri = VAULT_URI}, {.key_name = "", .vault_uri = VAULT_URI}};
    for (size_t i = 0; i < SB_ARRAY_LEN(half); i++) {
        struct ns_spec s = with_keys(NS, "");
        s.keys = &half[i];
        s.keys_n = 1;
        refused(&s, SB_EBADREQUEST,
                "All KeyVaultProperties must be specified as part of the Encryption object.");
    }
    struct ns_spec s = with_keys(NS, "");
    s.has_keys = false;
    refused(&s, SB_EBADREQUEST, "All KeyVaultProperties must be specified");
    s = with_keys(NS, "k1 k2");
    const char *id = make_uai("one");
    struct nskey two[2] = {s.keys[0], s.keys[1]};
    two[1].identity = id;
    s.keys = two;
    refused(&s, SB_EBADREQUEST, "same identity");
}
END_TEST

START_TEST(test_ns__3_unreachable_vault)
{
    make_ns(NS);
    set_fault(VAULT, FAULT_UNREACHABLE, -1);
    struct ns_spec s = with_keys(NS, "k1");
    refused(&s, SB_EUNREACHABLE, "Vault 'kv-one' of key 'k1' cannot be reached");
}
END_TEST

START_TEST(test_ns__4_vault_and_key)
{
    struct vkey vk;
    struct vault_caller c = me();
    struct vkey_spec ec = {.vault = VAULT, .name = "ec", .kty = "EC", .enabled = -1, .nbf = -1, .exp = -1};
    struct vkey_spec ops = key_spec("sign-only");
    ops.key_ops = "sign,verify,wrapKey";
    make_ns(NS);
    ck_assert_int_eq(vkey_create(e, &c, &ec, arena, &vk, &err), SB_OK);
    ck_assert_int_eq(vkey_create(e, &c, &ops, arena, &vk, &err), SB_OK);
    make_key("off");
    update_key("off", "", 0, -1, -1);
    make_key("old");
    update_key("old", "", -1, -1, NOW_S - 1);
    const char *early = make_key("early");
    update_key("early", "", -1, NOW_S + 3600, -1);
    static const struct {
        const char *list, *text;
    } bad[] = {
        {"none", "Key 'none' was not found in vault 'kv-one'"},
        {"k1/00000000000000000000000000000000",
         "Key 'k1/00000000000000000000000000000000' was not found in vault 'kv-one'"},
        {"ec", "Key 'ec' of vault 'kv-one' is of type 'EC': it must be an RSA key."},
        {"sign-only", "does not permit the operation 'unwrapKey'"},
        {"off", "Key 'off' of vault 'kv-one' is disabled."},
        {"old", "Key 'old' of vault 'kv-one' has expired."},
        {"early", "Key 'early'"},
        {"k1 off", "Key 'off' of vault 'kv-one' is disabled."},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        struct ns_spec s = with_keys(NS, bad[i].list);
        refused(&s, SB_EBADREQUEST, bad[i].text);
    }
    struct ns_spec s = with_keys(NS, arena_printf(arena, "early/%s", early));
    refused(&s, SB_EBADREQUEST, "Key 'early' of vault 'kv-one' is not yet valid.");
    ck_assert_uint_eq(logged("wrapKey", NULL), 0);
}
END_TEST

START_TEST(test_ns__4_permissions_and_protection)
{
    static const struct {
        const char *permissions, *text;
    } missing[] = {
        {"{\"keys\":[\"wrapKey\",\"unwrapKey\"]}",
         "system-assigned identity of the namespace lacks the permission 'get'"},
        {"{\"keys\":[\"get\",\"unwrapKey\"]}", "lacks the permission 'wrapKey'"},
        {"{\"keys\":[\"get\",\"wrapKey\"]}", "lacks the permission 'unwrapKey'"},
    };
    make_ns(NS);
    struct ns_spec s = with_keys(NS, "k1");
    for (size_t i = 0; i < SB_ARRAY_LEN(missing); i++) {
        grant(VAULT, view.principal_id, missing[i].permissions);
        refused(&s, SB_EBADREQUEST, missing[i].text);
        ns_look(NS);
    }
    make_vault("kv-loose");
    struct nskey k = {.key_name = "k1", .vault_uri = "https://kv-loose.vault.azure.net"};
    s.keys = &k;
    refused(&s, SB_EBADREQUEST, "Purge protection must be enabled on key vault 'kv-loose' of key 'k1'.");
    k.vault_uri = "https://kv-none.vault.azure.net";
    refused(&s, SB_EBADREQUEST, "Key vault 'kv-none' of key 'k1' was not found.");
    s = with_keys("contoso-sb2", "k1");
    s.identity = IDENTITY_NONE;
    refused(&s, SB_EBADREQUEST, "system-assigned identity of namespace 'contoso-sb2', which has none");
}
END_TEST

START_TEST(test_ns__4_user_assigned_identity)
{
    struct uai u;
    const char *id = make_uai("one"), *other = make_uai("other");
    ck_assert_int_eq(directory_uai_get(e, id, arena, &u, &err), SB_OK);
    struct ns_spec s = with_keys(NS, "k1");
    struct nskey k = s.keys[0];
    s.keys = &k;
    s.identity = IDENTITY_USER;
    s.uais = &id;
    s.uais_n = 1;
    k.identity = other;
    refused(&s, SB_EBADREQUEST, "which is not one of the identities of namespace");
    k.identity = id;
    refused(&s, SB_EBADREQUEST, "user-assigned identity of the namespace lacks the permission 'get'");
    /* by role assignment, as well as by access policy */
    struct vault_spec v = spec("kv-rbac");
    v.purge_protection = 1;
    v.rbac = 1;
    ck_assert_int_eq(put(&v, NULL), SB_OK);
    const char *scope = "/subscriptions/" SUB "/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-rbac";
    assign_role(1, "Key Vault Crypto Officer", scope, ENGINE_CLIENT_OID);
    struct vkey vk;
    struct vault_caller c = me();
    struct vkey_spec ks = key_spec("k1");
    ks.vault = "kv-rbac";
    ck_assert_msg(vkey_create(e, &c, &ks, arena, &vk, &err) == SB_OK, "%s", err.detail);
    k.vault_uri = "https://kv-rbac.vault.azure.net";
    refused(&s, SB_EBADREQUEST, "lacks the permission");
    assign_role(2, "Key Vault Crypto Service Encryption User", scope, u.principal_id);
    ns_ok(&s);
    ck_assert_str_eq(view.keys[0].identity, id);
    ck_assert(view.encrypted);
    poll_now(NS);
    ck_assert_str_eq(record(), "k1");
}
END_TEST

START_TEST(test_ns__5_6_enabled)
{
    make_ns(NS);
    struct ns_spec s = with_keys(NS, "k1 k2/ k3");
    s.infra = 1;
    ns_ok(&s);
    ck_assert(view.encrypted && view.infra);
    ck_assert_int_eq(view.status, NS_ACTIVE);
    ck_assert_str_eq(record(), "k1 k2 k3");
    ck_assert_str_eq(view.keys[0].vault_uri, VAULT_URI); /* the slash is stripped */
    ck_assert_ptr_null(view.keys[0].version);            /* 5: echoed only if sent */
    ck_assert_str_eq(view.keys[1].version, "");
    ck_assert_uint_eq(logged("wrapKey", NULL), 3);
    /* 6: each wrap is another blob, and nothing else opens it: no root key under the platform key. */
    struct ns_record r;
    bool found;
    ck_assert_int_eq(ns_record_get(e, 0, NS, arena, &found, &r, &err), SB_OK);
    ck_assert_ptr_null(r.root.p);
    ck_assert_uint_eq(r.check.n, 32);
    ck_assert_mem_ne(r.v.keys[0].wrapped.p, r.v.keys[1].wrapped.p, 256);
    ck_assert_int_eq(view.last_poll_ms, START);
    ck_assert_int_eq(view.next_poll_ms, START + INTERVAL);
}
END_TEST

START_TEST(test_ns__6_plain_namespace_has_a_sealed_root)
{
    struct ns_record r;
    bool found;
    struct ns_spec s = ns_wanted(NS);
    s.sku = "Standard";
    ns_ok(&s);
    ck_assert_int_eq(ns_record_get(e, 0, NS, arena, &found, &r, &err), SB_OK);
    ck_assert_ptr_nonnull(r.root.p);
    ck_assert_ptr_null(r.check.p);
    engine_lock(e);
    ck_assert_ptr_nonnull(ns_find(e, NS)->ring);
    engine_unlock(e);
}
END_TEST

/* ---- the list of a PUT: semantics 15 ---- */

static void revoke_all(const char *name)
{
    ns_look(name);
    grant(VAULT, view.principal_id, "{\"keys\":[]}");
}

START_TEST(test_ns__15_add_and_remove)
{
    encrypt_ns(NS, "k1");
    struct ns_spec s = with_keys(NS, "k1 k2");
    ns_ok(&s);
    ck_assert_str_eq(record(), "k1 k2");
    s = with_keys(NS, "k3 k2");
    ns_ok(&s);
    ck_assert_str_eq(record(), "k3 k2");
    s = with_keys(NS, "");
    refused(&s, SB_EBADREQUEST, "All KeyVaultProperties must be specified");
    poll_now(NS); /* all of them hold the same root key */
    ck_assert_uint_eq(changes_n, 0);
    ck_assert_str_eq(record(), "k3 k2");
}
END_TEST

START_TEST(test_ns__15_hidden_entries_stay_at_their_place)
{
    encrypt_ns(NS, "k1 k2 k3");
    delete_key("k2");
    poll_now(NS);
    ck_assert_str_eq(record(), "k1 -k2 k3");
    struct ns_spec s = with_keys(NS, "k1 k3"); /* what GET shows */
    s.tags = "{\"a\":\"1\"}";
    ns_ok(&s);
    ck_assert_str_eq(record(), "k1 -k2 k3");
    s = with_keys(NS, "k1"); /* shown, not sent: removed */
    ns_ok(&s);
    ck_assert_str_eq(record(), "k1 -k2");
    recover_key("k2");
    poll_now(NS);
    ck_assert_str_eq(record(), "k1 k2");
}
END_TEST

START_TEST(test_ns__15_the_one_revoked_longest_gives_way)
{
    make_key("k4");
    make_key("k5");
    encrypt_ns(NS, "k1 k2 k3");
    delete_key("k2");
    poll_now(NS);
    clock_advance_to(e->clock, START + 1000);
    delete_key("k1");
    poll_now(NS);
    ck_assert_str_eq(record(), "-k1 -k2 k3");
    struct ns_spec s = with_keys(NS, "k3 k4");
    ns_ok(&s);
    ck_assert_str_eq(record(), "-k1 k3 k4");
    ck_assert_uint_eq(logged("disable", "k2"), 2); /* revoked, then dropped */
    s = with_keys(NS, "k3 k4 k5");
    ns_ok(&s);
    ck_assert_str_eq(record(), "k3 k4 k5");
}
END_TEST

START_TEST(test_ns__15_template_again_on_a_revoked_namespace)
{
    encrypt_ns(NS, "k1");
    delete_key("k1");
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
    struct ns_spec s = with_keys(NS, "k1");
    ns_ok(&s); /* without harm */
    ck_assert_str_eq(record(), "-k1");
    ck_assert_int_eq(view.status, NS_REVOKED);
    s = with_keys(NS, ""); /* accepted exactly where GET shows [] */
    ns_ok(&s);
    ck_assert_str_eq(record(), "-k1");
    s = with_keys(NS, "k1 k2"); /* no stored wrap opens */
    refused(&s, SB_EREVOKED, "is revoked, so no key can be added");
    recover_key("k1");
    s = with_keys(NS, "k1");
    ns_ok(&s); /* polled: active at once */
    ck_assert_str_eq(record(), "k1");
    ck_assert_int_eq(view.status, NS_ACTIVE);
}
END_TEST

START_TEST(test_ns__15_an_expired_pinned_key_is_replaced)
{
    const char *v1 = make_key("pin");
    const char *list = arena_printf(arena, "pin/%s", v1);
    encrypt_ns(NS, list);
    update_key("pin", v1, -1, -1, NOW_S + 60);
    make_key("pin");
    clock_advance_to(e->clock, START + INTERVAL);
    poll_now(NS);
    ck_assert_str_eq(record(), "-pin");
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(view.keys[0].code, 403);
    struct ns_spec s = with_keys(NS, "pin"); /* versionless: its old wrap still unwraps */
    ns_ok(&s);
    ck_assert_int_eq(view.status, NS_ACTIVE);
    ck_assert_str_eq(record(), "-pin pin");
}
END_TEST

START_TEST(test_ns__15_resent_entries_are_polled_not_validated)
{
    encrypt_ns(NS, "k1 k2");
    update_key("k1", "", 0, -1, -1); /* disabled: a new entry would be refused */
    struct ns_spec s = with_keys(NS, "k1 k2");
    s.tags = "{\"a\":\"b\"}";
    ns_ok(&s);
    ck_assert_str_eq(record(), "k1 k2"); /* 7: the keys are the same, so nothing was polled */
    s = with_keys(NS, "k1 k2 k3");
    ns_ok(&s);
    ck_assert_str_eq(record(), "-k1 k2 k3");
}
END_TEST

START_TEST(test_ns__15_a_removal_leaves_a_key_that_opens)
{
    encrypt_ns(NS, "k1 k2");
    update_key("k2", "", 0, -1, -1);
    struct ns_spec s = with_keys(NS, "k2");
    refused(&s, SB_ECONFLICT, "Key 'k1' cannot be removed from namespace 'contoso-sb1'");
    set_fault(VAULT, FAULT_TIMEOUT, -1);
    refused(&s, SB_EUNREACHABLE, "Key 'k1' cannot be removed");
    ck_assert_int_eq(faults_clear(e, NULL, &err), SB_OK);
    ns_look(NS);
    ck_assert_str_eq(record(), "k1 k2"); /* a failed PUT is no poll */
    ck_assert_uint_eq(logged("disable", NULL), 0);
}
END_TEST

START_TEST(test_ns__15_a_failed_put_wraps_nothing)
{
    encrypt_ns(NS, "k1");
    size_t wraps = logged("wrapKey", NULL);
    struct ns_spec s = with_keys(NS, "k1 k2 none");
    refused(&s, SB_EBADREQUEST, "Key 'none' was not found");
    ck_assert_uint_eq(logged("wrapKey", NULL), wraps);
}
END_TEST

START_TEST(test_ns__15_withdraw)
{
    encrypt_ns(NS, "k1 k2");
    ck_assert_int_eq(ns_withdraw_key(e, NS, "k1", VAULT_URI, &err), SB_ECONFLICT);
    ck_detail("is not revoked");
    delete_key("k1");
    poll_now(NS);
    ck_assert_int_eq(ns_withdraw_key(e, NS, "k1", "https://other.vault.azure.net", &err), SB_EKEYNOTFOUND);
    ck_assert_int_eq(ns_withdraw_key(e, NS, "K1", VAULT_URI "/", &err), SB_OK);
    ns_look(NS);
    ck_assert_str_eq(record(), "k2");
    delete_key("k2");
    poll_now(NS);
    ck_assert_int_eq(ns_withdraw_key(e, NS, "k2", NULL, &err), SB_ECONFLICT);
    ck_detail("last wrapped copy");
    ck_assert_int_eq(ns_withdraw_key(e, "none-there", "k2", NULL, &err), SB_ENONAMESPACE);
}
END_TEST

/* What ns_plan_keys makes of a record and a list: "k1 -k2" and so on; + is new. */
static const struct {
    const char *have, *sent, *want;
    bool changed;
} plans[] = {
    {"", "k1 k2", "+k1 +k2", true},
    {"k1 k2", "k1 k2", "k1 k2", false},
    {"k1 k2", "k2 k1", "k2 k1", false},
    {"k1 k2", "k1", "k1", true},
    {"k1 k2", "k1 k3", "k1 +k3", true},
    {"k1/v", "k1", "+k1", true},
    {"k1", "k1/", "k1/", false},
    {"k1 -k2 k3", "k1 k3", "k1 -k2 k3", false},
    {"-k1 k2", "k2", "-k1 k2", false},
    {"-k1 k2", "k1 k2", "-k1 k2", true},
    {"-k1 -k2", "", "-k1 -k2", false},
    {"-k1 -k2 k3", "k3 k4", "-k2 k3 +k4", true}, /* k1 was revoked first */
    {"-k1 -k2 -k3", "k4", "-k2 -k3 +k4", true},
    {"-k1 -k2 k3", "k4 k5 k6", "+k4 +k5 +k6", true},
};

static struct nskey *parse_list(const char *text, size_t *ret_n)
{
    struct nskey *k = entries(text, ret_n);
    for (size_t i = 0; i < *ret_n; i++) {
        k[i].vault = "kv-one";
        k[i].vault_uri = VAULT_URI;
        k[i].position = (int)i;
        k[i].since_ms = (int64_t)i;
        k[i].wrapped_version = "w";
        if (k[i].key_name[0] == '-') {
            k[i].key_name++;
            k[i].state = NSKEY_REVOKED;
        }
    }
    return k;
}

START_TEST(test_ns__15_plan)
{
    const bool none[NS_KEYS_MAX] = {false};
    struct ns_plan p;
    size_t have_n, sent_n;
    char got[200] = "";
    struct nskey *have = parse_list(plans[_i].have, &have_n), *sent = parse_list(plans[_i].sent, &sent_n);
    ns_plan_keys(have, have_n, sent, sent_n, none, &p);
    for (size_t i = 0; i < p.n; i++) {
        size_t at = strlen(got);
        snprintf(got + at, sizeof got - at, "%s%s%s%s", at ? " " : "",
                 p.fresh[i]                         ? "+"
                 : p.keys[i].state == NSKEY_REVOKED ? "-"
                                                    : "",
                 p.keys[i].key_name, p.keys[i].version && !p.keys[i].version[0] ? "/" : "");
        ck_assert_int_eq(p.keys[i].position, (int)i);
    }
    ck_assert_str_eq(got, plans[_i].want);
    ck_assert_int_eq(p.changed, plans[_i].changed);
}
END_TEST

/* ---- 17: what works while Revoked ---- */

START_TEST(test_ns__17_revoked)
{
    struct auth_rule r;
    bool existed;
    encrypt_ns(NS, "k1");
    ck_assert_int_eq(ns_require_writable(e, SUB, "g", NS, &err), SB_OK);
    ck_assert_int_eq(ns_require_writable(e, SUB, "other", NS, &err), SB_ENOTFOUND);
    revoke_all(NS);
    ck_assert_int_eq(ns_require_writable(e, SUB, "g", NS, &err), SB_OK); /* until the poll */
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(ns_require_writable(e, SUB, "g", NS, &err), SB_EREVOKED);
    ck_assert_int_eq(ns_rule_get(e, NS, NULL, "RootManageSharedAccessKey", arena, &r, &err), SB_OK);
    struct ns_spec s = ns_wanted(NS);
    s.patch = true;
    s.tags = "{\"a\":\"1\"}";
    ns_ok(&s);
    ck_assert_str_eq(view.tags, "{\"a\":\"1\"}");
    const char *id = make_uai("one");
    s.identity = IDENTITY_BOTH;
    s.uais = &id;
    s.uais_n = 1;
    ns_ok(&s);
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(ns_delete(e, SUB, "g", NS, &existed, &err), SB_OK);
    ck_assert(existed);
}
END_TEST

static void add(Suite *s, TCase *t)
{
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
}

Suite *unit_suite(void)
{
    pool_fill();
    atexit(pool_empty);
    Suite *s = suite_create("ns");
    TCase *t = tcase_create("life");
    tcase_add_checked_fixture(t, plain_setup, world_down);
    tcase_add_test(t, test_ns__names);
    tcase_add_test(t, test_ns__create_get_list_delete);
    tcase_add_test(t, test_ns__names_are_global);
    tcase_add_test(t, test_ns__ids_are_never_used_again);
    tcase_add_test(t, test_ns__put_replaces_tags_patch_keeps_them);
    tcase_add_test(t, test_ns__tiers);
    tcase_add_test(t, test_ns__identity_changes);
    tcase_add_test(t, test_ns__6_plain_namespace_has_a_sealed_root);
    add(s, t);
    t = tcase_create("plan");
    tcase_add_checked_fixture(t, arena_setup, arena_teardown);
    tcase_add_loop_test(t, test_ns__15_plan, 0, SB_ARRAY_LEN(plans));
    add(s, t);
    t = tcase_create("encryption");
    tcase_add_checked_fixture(t, setup, world_down);
    tcase_add_test(t, test_ns__failed_put_takes_its_identity_back);
    tcase_add_test(t, test_ns__1_premium_only);
    tcase_add_test(t, test_ns__1_empty_only);
    tcase_add_test(t, test_ns__2_cannot_be_turned_off);
    tcase_add_test(t, test_ns__3_the_list);
    tcase_add_test(t, test_ns__3_unreachable_vault);
    tcase_add_test(t, test_ns__4_vault_and_key);
    tcase_add_test(t, test_ns__4_permissions_and_protection);
    tcase_add_test(t, test_ns__4_user_assigned_identity);
    tcase_add_test(t, test_ns__5_6_enabled);
    tcase_add_test(t, test_ns__15_add_and_remove);
    tcase_add_test(t, test_ns__15_hidden_entries_stay_at_their_place);
    tcase_add_test(t, test_ns__15_the_one_revoked_longest_gives_way);
    tcase_add_test(t, test_ns__15_template_again_on_a_revoked_namespace);
    tcase_add_test(t, test_ns__15_an_expired_pinned_key_is_replaced);
    tcase_add_test(t, test_ns__15_resent_entries_are_polled_not_validated);
    tcase_add_test(t, test_ns__15_a_removal_leaves_a_key_that_opens);
    tcase_add_test(t, test_ns__15_a_failed_put_wraps_nothing);
    tcase_add_test(t, test_ns__15_withdraw);
    tcase_add_test(t, test_ns__17_revoked);
    add(s, t);
    return s;
}
