/* test_directory.c: sign-in, tokens, principals, resource groups and user-assigned identities. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/jwt.h"
#include "server/engine/rbac.h"
#include "tests/unit/unit.h"

#define SUB   ENGINE_SUBSCRIPTION
#define VAULT "https://vault.azure.net"
#define START INT64_C(1700000000000)

static const struct engine_client clients[] = {
    {ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID},
    {"44444444-4444-4444-4444-444444444444", "second secret", NULL},
};
static struct engine *e;
static struct sb_arena *arena;
static struct sb_error err;
static char dir[64];

static struct engine *open_engine(const char *data_dir)
{
    const struct engine_config cfg = {
        .data_dir = data_dir,
        .poll_interval_ms = 300000,
        .clock_manual = true,
        .token_clock_emulator = true,
        .start_ms = START,
        .clients = clients,
        .clients_n = SB_ARRAY_LEN(clients),
    };
    struct engine *opened = NULL;
    enum sb_err rc = engine_open(&cfg, NULL, &opened, &err);
    ck_assert_msg(rc == SB_OK, "engine_open: %s", err.detail);
    return opened;
}

static void setup(void)
{
    e = open_engine(NULL);
    arena = arena_new(8u << 20);
}

static void teardown(void)
{
    engine_stop(e);
    engine_close(e);
    arena_free(arena);
}

static char *token_for(const char *aud, bool v2, const char *host)
{
    struct principal who;
    char *token = NULL;
    ck_assert_int_eq(directory_sign_in(e, ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, &who, &err), SB_OK);
    ck_assert_int_eq(directory_issue(e, &who, aud, v2, host, 3600, arena, &token, &err), SB_OK);
    return token;
}

static enum sb_err verify(const char *token, const char *aud)
{
    struct principal who;
    err.detail[0] = '\0';
    return directory_verify(e, token, &aud, 1, &who, &err);
}

/* ---- sign-in and tokens ---- */

START_TEST(sign_in)
{
    struct principal p;
    ck_assert_int_eq(directory_sign_in(e, ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, &p, &err), SB_OK);
    ck_assert_str_eq(p.oid, ENGINE_CLIENT_OID);
    ck_assert_str_eq(p.tid, ENGINE_TENANT);
    ck_assert_int_eq(directory_sign_in(e, ENGINE_CLIENT_ID, "emulator-secreT", &p, &err), SB_EINVALIDCLIENT);
    ck_assert_ptr_nonnull(strstr(err.detail, ENGINE_CLIENT_ID));
    ck_assert_ptr_null(strstr(err.detail, "emulator-secre"));
    ck_assert_int_eq(directory_sign_in(e, ENGINE_CLIENT_ID, "", &p, &err), SB_EINVALIDCLIENT);
    ck_assert_int_eq(directory_sign_in(e, "nobody", ENGINE_CLIENT_SECRET, &p, &err), SB_EUNKNOWNCLIENT);
    ck_assert_int_eq(directory_sign_in(e, clients[1].id, ENGINE_CLIENT_SECRET, &p, &err), SB_EINVALIDCLIENT);
    ck_assert_int_eq(directory_sign_in(e, clients[1].id, "second secret", &p, &err), SB_OK);
    ck_assert(guid_valid(p.oid));
    ck_assert_str_ne(p.oid, ENGINE_CLIENT_OID);
}
END_TEST

START_TEST(token_says_who)
{
    struct principal who;
    const char *aud = VAULT;
    char *token = token_for(VAULT, false, NULL);
    for (int i = 0; i < 2; i++) { /* once verified, once remembered */
        memset(&who, 0, sizeof who);
        ck_assert_int_eq(directory_verify(e, token, &aud, 1, &who, &err), SB_OK);
        ck_assert_int_eq(who.kind, PRINCIPAL_APP);
        ck_assert_str_eq(who.oid, ENGINE_CLIENT_OID);
        ck_assert_str_eq(who.appid, ENGINE_CLIENT_ID);
        ck_assert_str_eq(who.resource_id, "");
    }
}
END_TEST

START_TEST(audiences)
{
    static const struct {
        const char *have, *want;
        bool ok;
    } rows[] = {
        {"https://vault.azure.net", "https://vault.azure.net", true},
        {"https://vault.azure.net/", "https://vault.azure.net", true},
        {"https://Vault.Azure.net:8443/", "https://vault.azure.net", true},
        {"https://vault.localhost:8443", "https://vault.localhost", true},
        {"https://vault.azure.net//", "https://vault.azure.net", false},
        {"https://vault.azure.net.evil", "https://vault.azure.net", false},
        {"https://vault.azure.net/x", "https://vault.azure.net", false},
        {"https://vault.azure.net:80x", "https://vault.azure.net", false},
        {"http://vault.azure.net", "https://vault.azure.net", false},
        {"https://management.azure.com/", "https://vault.azure.net", false},
        {"", "https://vault.azure.net", false},
        {"cfa8b339-82a2-471a-a3c9-0fc0be7a4093", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", true},
        {"https://ns.servicebus.windows.net:443/", "https://ns.servicebus.windows.net", true},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++)
        ck_assert_msg(verify(token_for(rows[i].have, false, NULL), rows[i].want) ==
                          (rows[i].ok ? SB_OK : SB_EAUDIENCE),
                      "%s for %s", rows[i].have, rows[i].want);
    ck_assert_int_eq(verify(token_for("https://management.azure.com/", false, NULL), VAULT), SB_EAUDIENCE);
    ck_assert_str_eq(
        err.detail,
        "Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com/.");
}
END_TEST

START_TEST(issuers)
{
    ck_assert_int_eq(verify(token_for(VAULT, true, "login.microsoftonline.com"), VAULT), SB_OK);
    ck_assert_int_eq(verify(token_for(VAULT, true, "login.localhost:8443"), VAULT), SB_OK);
    ck_assert_int_eq(verify(token_for(VAULT, true, "localhost:8443"), VAULT), SB_OK);
    ck_assert_int_eq(verify(token_for(VAULT, true, "login.evil.example"), VAULT), SB_EISSUER);
    ck_assert_int_eq(verify(token_for(VAULT, true, "localhost.evil.example"), VAULT), SB_EISSUER);
    ck_assert_int_eq(verify(token_for(VAULT, true, "localhost:8443@evil.example"), VAULT), SB_EISSUER);
}
END_TEST

START_TEST(lifetime_is_looked_at_each_time)
{
    char *token = token_for(VAULT, false, NULL);
    ck_assert_int_eq(verify(token, VAULT), SB_OK);
    clock_advance_to(e->clock, START + 3599 * 1000);
    ck_assert_int_eq(verify(token, VAULT), SB_OK);
    clock_advance_to(e->clock, START + 3600 * 1000);
    ck_assert_int_eq(verify(token, VAULT), SB_EEXPIREDTOKEN);
    ck_assert_str_eq(
        err.detail,
        "The access token expiry UTC time '11/14/2023 11:13:20 PM' is earlier than current UTC time "
        "'11/14/2023 11:13:20 PM'.");
}
END_TEST

/* Signed with the right key, but saying something else. */
static char *forged(struct jwt_claims c, const char *kid)
{
    char *token = NULL;
    ck_assert_int_eq(jwt_sign(e->directory->key, kid, &c, arena, &token, &err), SB_OK);
    return token;
}

START_TEST(forged_tokens)
{
    const struct jwt_claims good = {
        .aud = VAULT,
        .iss = "https://sts.windows.net/" ENGINE_TENANT "/",
        .oid = "o",
        .tid = ENGINE_TENANT,
        .appid = "a",
        .nbf = START / 1000,
        .exp = START / 1000 + 60,
    };
    struct jwt_claims c = good;
    const char *kid = e->directory->kid;
    ck_assert_int_eq(verify(forged(c, kid), VAULT), SB_OK);
    ck_assert_int_eq(verify(forged(c, "another key"), VAULT), SB_EBADTOKEN);
    c.nbf = START / 1000 + 1;
    ck_assert_int_eq(verify(forged(c, kid), VAULT), SB_EBADTOKEN);
    c = good;
    c.tid = "55555555-5555-5555-5555-555555555555";
    ck_assert_int_eq(verify(forged(c, kid), VAULT), SB_EISSUER);
    c = good;
    c.iss = "https://sts.windows.net/55555555-5555-5555-5555-555555555555/";
    ck_assert_int_eq(verify(forged(c, kid), VAULT), SB_EISSUER);
    c = good;
    c.oid = "an object id that is much too long to be one of ours";
    ck_assert_int_eq(verify(forged(c, kid), VAULT), SB_EBADTOKEN);
    ck_assert_int_eq(verify("", VAULT), SB_EBADTOKEN);
    ck_assert_int_eq(verify("a.b.c", VAULT), SB_EBADTOKEN);
}
END_TEST

START_TEST(another_directorys_token)
{
    char *token = token_for(VAULT, false, NULL);
    struct engine *mine = e;
    e = open_engine(NULL);
    ck_assert_int_eq(verify(token, VAULT), SB_EBADTOKEN);
    engine_stop(e);
    engine_close(e);
    e = mine;
}
END_TEST

START_TEST(cache_keeps_tokens_apart)
{
    char *tokens[64];
    for (size_t i = 0; i < SB_ARRAY_LEN(tokens); i++)
        tokens[i] = token_for(i % 2 == 0 ? VAULT : "https://management.azure.com", false, NULL);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < SB_ARRAY_LEN(tokens); i++)
            ck_assert_int_eq(verify(tokens[i], VAULT), i % 2 == 0 ? SB_OK : SB_EAUDIENCE);
    }
    tokens[0][strlen(tokens[0]) - 10] ^= 1; /* one bit of the signature */
    ck_assert_int_eq(verify(tokens[0], VAULT), SB_EBADTOKEN);
}
END_TEST

START_TEST(published_key)
{
    struct directory_jwk k;
    struct jwt t;
    size_t n_len = 0, e_len = 0;
    ck_assert_int_eq(directory_jwks(e, arena, &k, &err), SB_OK);
    struct pkey_parts parts = {.type = PKEY_RSA};
    parts.n.p = b64url_decode(arena, k.n, strlen(k.n), &n_len);
    parts.e.p = b64url_decode(arena, k.e, strlen(k.e), &e_len);
    parts.n.n = n_len;
    parts.e.n = e_len;
    struct pkey *published = NULL;
    ck_assert_int_eq(pkey_import(&parts, &published, &err), SB_OK);
    ck_assert_int_eq(jwt_parse(token_for(VAULT, false, NULL), arena, &t, &err), SB_OK);
    ck_assert_str_eq(t.kid, k.kid);
    ck_assert_int_eq(jwt_verify(&t, published, &err), SB_OK);
    pkey_unref(published);
}
END_TEST

/* ---- principals ---- */

START_TEST(system_identity)
{
    const char *id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ServiceBus/namespaces/n";
    struct principal p, q;
    bool found = false;
    ck_assert_int_eq(directory_system_identity_create(e, id, &p, &err), SB_OK);
    ck_assert_int_eq(directory_principal(e, p.oid, &found, &q, &err), SB_OK);
    ck_assert(found);
    ck_assert_int_eq(q.kind, PRINCIPAL_SYSTEM_IDENTITY);
    ck_assert_str_eq(q.resource_id, id);
    ck_assert_int_eq(directory_find(e, p.appid, &found, &q, &err), SB_OK);
    ck_assert(found);
    ck_assert_int_eq(
        directory_find(e, "/SUBSCRIPTIONS/s/resourcegroups/g/providers/microsoft.servicebus/namespaces/N",
                       &found, &q, &err),
        SB_OK);
    ck_assert(found);
    ck_assert_str_eq(q.oid, p.oid);

    /* A token of it carries the resource. */
    char *token = NULL;
    const char *aud = VAULT;
    ck_assert_int_eq(directory_issue(e, &p, VAULT, false, NULL, 60, arena, &token, &err), SB_OK);
    ck_assert_int_eq(directory_verify(e, token, &aud, 1, &q, &err), SB_OK);
    ck_assert_int_eq(q.kind, PRINCIPAL_SYSTEM_IDENTITY);
    ck_assert_str_eq(q.resource_id, id);

    /* Made anew it is another principal, and the old one is gone. */
    ck_assert_int_eq(directory_system_identity_create(e, id, &q, &err), SB_OK);
    ck_assert_str_ne(p.oid, q.oid);
    ck_assert_int_eq(directory_principal(e, p.oid, &found, &p, &err), SB_OK);
    ck_assert(!found);
    ck_assert_int_eq(directory_system_identity_delete(e, q.oid, &err), SB_OK);
    ck_assert_int_eq(directory_find(e, id, &found, &p, &err), SB_OK);
    ck_assert(!found);
    ck_assert_int_eq(directory_system_identity_delete(e, q.oid, &err), SB_OK);
}
END_TEST

START_TEST(configured_applications_are_principals)
{
    struct principal p, q;
    bool found = false;
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &p, &err), SB_OK);
    ck_assert(found);
    ck_assert_str_eq(p.appid, ENGINE_CLIENT_ID);
    ck_assert_int_eq(directory_find(e, clients[1].id, &found, &p, &err), SB_OK);
    ck_assert(found);
    ck_assert_int_eq(directory_sign_in(e, clients[1].id, clients[1].secret, &q, &err), SB_OK);
    ck_assert_str_eq(p.oid, q.oid);
    ck_assert_int_eq(directory_find(e, "nobody", &found, &p, &err), SB_OK);
    ck_assert(!found);
}
END_TEST

/* ---- groups ---- */

static void make_group(const char *name)
{
    struct group g;
    bool created;
    ck_assert_int_eq(directory_group_put(e, SUB, name, "westus", NULL, arena, &g, &created, &err), SB_OK);
}

START_TEST(group_life)
{
    struct group g, *list = NULL;
    bool created = false;
    size_t n = 0;
    ck_assert_int_eq(
        directory_group_put(e, SUB, "Group-1", "westus", "{\"a\":\"b\"}", arena, &g, &created, &err), SB_OK);
    ck_assert(created);
    ck_assert_str_eq(g.tags, "{\"a\":\"b\"}");
    ck_assert_int_eq(directory_group_put(e, SUB, "GROUP-1", "WestUS", NULL, arena, &g, &created, &err),
                     SB_OK);
    ck_assert(!created);
    ck_assert_str_eq(g.name, "Group-1");
    ck_assert_str_eq(g.location, "westus");
    ck_assert_str_eq(g.tags, "{\"a\":\"b\"}");
    ck_assert_int_eq(directory_group_put(e, SUB, "group-1", "eastus", NULL, arena, &g, &created, &err),
                     SB_EGROUPLOCATION);
    ck_assert_str_eq(
        err.detail,
        "Invalid resource group location 'eastus'. The Resource group already exists in location 'westus'.");
    const struct group patch = {.sub = SUB, .name = "group-1", .tags = "{}", .managed_by = "/x"};
    ck_assert_int_eq(directory_group_save(e, &patch, arena, &g, &created, &err), SB_OK);
    ck_assert_str_eq(g.tags, "{}");
    ck_assert_str_eq(g.managed_by, "/x");
    const struct group none = {.sub = SUB, .name = "group-2", .tags = "{}"};
    ck_assert_int_eq(directory_group_save(e, &none, arena, &g, &created, &err), SB_ENOGROUP);
    ck_assert_str_eq(err.detail, "Resource group 'group-2' could not be found.");
    make_group("another");
    ck_assert_int_eq(directory_group_list(e, SUB, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
    ck_assert_str_eq(list[0].name, "another");
    ck_assert_int_eq(directory_group_list(e, ENGINE_TENANT, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
    ck_assert_int_eq(directory_group_delete(e, SUB, "GROUP-1", &err), SB_OK);
    ck_assert_int_eq(directory_group_get(e, SUB, "Group-1", arena, &g, &err), SB_ENOGROUP);
    ck_assert_int_eq(directory_group_delete(e, SUB, "Group-1", &err), SB_ENOGROUP);
}
END_TEST

START_TEST(group_names)
{
    static const char *const good[] = {"a", "_(x).y-z", "\xc3\xa9t\xc3\xa9"};
    static const char *const bad[] = {"", "a.", "a/b", "a b", "a\"b", "a%b"};
    struct group g;
    bool created;
    char longest[92];
    for (size_t i = 0; i < SB_ARRAY_LEN(good); i++)
        ck_assert_int_eq(directory_group_put(e, SUB, good[i], "x", NULL, arena, &g, &created, &err), SB_OK);
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(directory_group_put(e, SUB, bad[i], "x", NULL, arena, &g, &created, &err),
                         SB_EBADREQUEST);
    memset(longest, 'a', sizeof longest);
    longest[90] = '\0';
    ck_assert_int_eq(directory_group_put(e, SUB, longest, "x", NULL, arena, &g, &created, &err), SB_OK);
    longest[90] = 'a';
    longest[91] = '\0';
    ck_assert_int_eq(directory_group_put(e, SUB, longest, "x", NULL, arena, &g, &created, &err),
                     SB_EBADREQUEST);
}
END_TEST

/* ---- user-assigned identities ---- */

START_TEST(identity_life)
{
    struct uai u, v, *list = NULL;
    struct principal p;
    bool created = false, found = false, existed = false;
    size_t n = 0;
    ck_assert_int_eq(directory_uai_put(e, SUB, "g", "ide", "westus", NULL, arena, &u, &created, &err),
                     SB_ENOGROUP);
    make_group("G");
    ck_assert_int_eq(directory_uai_put(e, SUB, "g", "ide", "westus", NULL, arena, &u, &created, &err), SB_OK);
    ck_assert(created);
    ck_assert_str_eq(u.id,
                     "/subscriptions/" SUB
                     "/resourcegroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ide");
    ck_assert_str_eq(u.tags, "{}");
    ck_assert_int_eq(
        directory_uai_put(e, SUB, "G", "IDE", "westus", "{\"k\":\"v\"}", arena, &v, &created, &err), SB_OK);
    ck_assert(!created);
    ck_assert_str_eq(v.principal_id, u.principal_id);
    ck_assert_str_eq(v.client_id, u.client_id);
    ck_assert_str_eq(v.tags, "{\"k\":\"v\"}");
    ck_assert_int_eq(directory_uai_put(e, SUB, "G", "ide", "eastus", NULL, arena, &v, &created, &err),
                     SB_ELOCATION);
    ck_assert_int_eq(directory_uai_put(e, SUB, "G", "new", NULL, "{}", arena, &v, &created, &err),
                     SB_ENOTFOUND);
    ck_assert_int_eq(directory_uai_put(e, SUB, "G", "ab", "westus", NULL, arena, &v, &created, &err),
                     SB_EBADREQUEST);
    ck_assert_int_eq(directory_uai_put(e, SUB, "G", "-abc", "westus", NULL, arena, &v, &created, &err),
                     SB_EBADREQUEST);
    ck_assert_int_eq(directory_uai_get(e, text_tolower(arena_strdup(arena, u.id)), arena, &v, &err), SB_OK);
    ck_assert_str_eq(v.id, u.id);
    ck_assert_int_eq(directory_find(e, u.id, &found, &p, &err), SB_OK);
    ck_assert(found);
    ck_assert_int_eq(p.kind, PRINCIPAL_USER_IDENTITY);
    ck_assert_int_eq(directory_uai_list(e, SUB, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(directory_uai_delete(e, u.id, &existed, &err), SB_OK);
    ck_assert(existed);
    ck_assert_int_eq(directory_uai_delete(e, u.id, &existed, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(directory_principal(e, u.principal_id, &found, &p, &err), SB_OK);
    ck_assert(!found);
    ck_assert_int_eq(directory_uai_put(e, SUB, "g", "ide", "westus", NULL, arena, &v, &created, &err), SB_OK);
    ck_assert_str_ne(v.principal_id, u.principal_id);
}
END_TEST

START_TEST(identity_ids_that_are_none)
{
    static const char *const bad[] = {
        "",
        "/",
        "ide",
        "/subscriptions/s/resourceGroups/g",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n/x",
        "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/n",
        "subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n",
        "//s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/n",
    };
    struct uai u;
    bool existed = true;
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++) {
        ck_assert_int_eq(directory_uai_get(e, bad[i], arena, &u, &err), SB_ENOTFOUND);
        ck_assert_int_eq(directory_uai_delete(e, bad[i], &existed, &err), SB_OK);
        ck_assert(!existed);
    }
}
END_TEST

START_TEST(group_takes_all_with_it)
{
    struct uai u;
    struct principal p;
    struct role_assignment r, *list = NULL;
    bool created = false, found = true;
    size_t n = 1;
    make_group("G");
    ck_assert_int_eq(directory_uai_put(e, SUB, "G", "ide", "westus", NULL, arena, &u, &created, &err), SB_OK);
    const struct role_assignment want = {
        .name = "88888888-0000-0000-0000-000000000001",
        .scope = "/subscriptions/" SUB "/resourcegroups/g/providers/Microsoft.KeyVault/vaults/v",
        .role_id = "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        .principal_id = u.principal_id,
    };
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    ck_assert_int_eq(directory_group_delete(e, SUB, "g", &err), SB_OK);
    ck_assert_int_eq(directory_principal(e, u.principal_id, &found, &p, &err), SB_OK);
    ck_assert(!found);
    ck_assert_int_eq(rbac_list(e, "/", false, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- across a restart ---- */

static void disk_setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sb-directory-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    e = open_engine(dir);
    arena = arena_new(8u << 20);
}

static void disk_teardown(void)
{
    static const char *const files[] = {"keyvault.db",   "keyvault.db-wal",   "keyvault.db-shm",
                                        "servicebus.db", "servicebus.db-wal", "servicebus.db-shm",
                                        "platform.key"};
    char path[128];
    arena_free(arena);
    for (size_t i = 0; i < SB_ARRAY_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

START_TEST(restart_keeps_key_and_resources)
{
    struct principal who, p;
    struct group g;
    bool found = false;
    char *token = token_for(VAULT, false, NULL);
    make_group("G");
    ck_assert_int_eq(directory_system_identity_create(e, "/x", &who, &err), SB_OK);
    engine_stop(e);
    engine_close(e);
    e = open_engine(dir);
    ck_assert_int_eq(verify(token, VAULT), SB_OK);
    ck_assert_int_eq(directory_group_get(e, SUB, "g", arena, &g, &err), SB_OK);
    ck_assert_int_eq(directory_find(e, "/x", &found, &p, &err), SB_OK);
    ck_assert(found);
    ck_assert_str_eq(p.oid, who.oid);
    engine_stop(e);
    engine_close(e);
}
END_TEST

/* A database of another installation says so, instead of making a new key that no token fits. */
START_TEST(foreign_platform_key)
{
    char path[128];
    engine_stop(e);
    engine_close(e);
    snprintf(path, sizeof path, "%s/platform.key", dir);
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ne(fputs("another key, of 32 bytes as well", f), EOF);
    ck_assert_int_eq(fclose(f), 0);
    const struct engine_config cfg = {
        .data_dir = dir, .clock_manual = true, .clients = clients, .clients_n = 2};
    struct engine *opened = NULL;
    ck_assert_int_eq(engine_open(&cfg, NULL, &opened, &err), SB_EDATADIR);
    ck_assert_ptr_null(opened);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("directory");
    TCase *t = tcase_create("memory");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, sign_in);
    tcase_add_test(t, token_says_who);
    tcase_add_test(t, audiences);
    tcase_add_test(t, issuers);
    tcase_add_test(t, lifetime_is_looked_at_each_time);
    tcase_add_test(t, forged_tokens);
    tcase_add_test(t, another_directorys_token);
    tcase_add_test(t, cache_keeps_tokens_apart);
    tcase_add_test(t, published_key);
    tcase_add_test(t, system_identity);
    tcase_add_test(t, configured_applications_are_principals);
    tcase_add_test(t, group_life);
    tcase_add_test(t, group_names);
    tcase_add_test(t, identity_life);
    tcase_add_test(t, identity_ids_that_are_none);
    tcase_add_test(t, group_takes_all_with_it);
    suite_add_tcase(s, t);
    TCase *d = tcase_create("disk");
    tcase_add_checked_fixture(d, disk_setup, disk_teardown);
    tcase_set_timeout(d, 60);
    tcase_add_test(d, restart_keeps_key_and_resources);
    tcase_add_test(d, foreign_platform_key);
    suite_add_tcase(s, d);
    return s;
}
