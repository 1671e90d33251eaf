/* test_rbac.c: roles, assignments, scopes, and the question rbac_may. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "tests/unit/unit.h"

#define SUB      "/subscriptions/" ENGINE_SUBSCRIPTION
#define GROUP    SUB "/resourceGroups/g"
#define VAULT    GROUP "/providers/Microsoft.KeyVault/vaults/v"
#define WRAP     "Microsoft.KeyVault/vaults/keys/wrap/action"
#define KEY_READ "Microsoft.KeyVault/vaults/keys/read"

static const struct engine_client clients[] = {{ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
static struct engine *e;
static struct sb_arena *arena;
static struct sb_error err;
static struct principal identity, client;

static void open_engine(int64_t delay_ms)
{
    const struct engine_config cfg = {.clock_manual = true,
                                      .start_ms = 1000,
                                      .grant_delay_ms = delay_ms,
                                      .clients = clients,
                                      .clients_n = 1};
    bool found;
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
    arena = arena_new(8u << 20);
    ck_assert_int_eq(directory_system_identity_create(e, "/x", &identity, &err), SB_OK);
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &client, &err), SB_OK);
}

static void setup(void)
{
    open_engine(0);
}

static void setup_slow(void)
{
    open_engine(300000);
}

static void teardown(void)
{
    engine_stop(e);
    engine_close(e);
    arena_free(arena);
}

static enum sb_err assign(unsigned number, const char *role, const char *scope, const char *oid)
{
    struct role_assignment ret;
    bool created;
    const struct role_def *def = rbac_role_by_name(role);
    const struct role_assignment want = {
        .name = arena_printf(arena, "88888888-0000-0000-0000-%012u", number),
        .scope = scope,
        .role_id = def != NULL ? def->id : role,
        .principal_id = oid,
        .created_by = ENGINE_CLIENT_OID,
    };
    err.detail[0] = '\0';
    return rbac_assign(e, &want, arena, &ret, &created, &err);
}

static bool may_data(const char *action, const char *scope)
{
    return rbac_may(e, &identity, action, true, scope);
}

static bool may(const char *action, const char *scope)
{
    return rbac_may(e, &identity, action, false, scope);
}

/* ---- the table of roles ---- */

START_TEST(roles_are_sound)
{
    size_t n = 0;
    const struct role_def *roles = rbac_roles(&n);
    ck_assert_uint_ge(n, 20);
    ck_assert_str_eq(roles[0].name, "Owner");
    for (size_t i = 0; i < n; i++) {
        ck_assert(guid_valid(roles[i].id));
        ck_assert(roles[i].description[0] != '\0');
        ck_assert_ptr_nonnull(roles[i].actions);
        ck_assert_ptr_nonnull(roles[i].not_actions);
        ck_assert_ptr_nonnull(roles[i].data_actions);
        ck_assert_ptr_nonnull(roles[i].not_data_actions);
        ck_assert_ptr_eq(rbac_role_by_id(roles[i].id), &roles[i]);
        ck_assert_ptr_eq(rbac_role_by_name(roles[i].name), &roles[i]);
    }
    ck_assert_ptr_eq(rbac_role_by_name("KEY VAULT crypto user"),
                     rbac_role_by_id("12338AF0-0E69-4776-BEA7-57AE8D297424"));
    ck_assert_ptr_null(rbac_role_by_name("Nothing"));
    ck_assert_ptr_null(rbac_role_by_id("Owner"));
}
END_TEST

/* ---- the question ---- */

START_TEST(nothing_is_allowed_by_default)
{
    struct principal nobody = {.kind = PRINCIPAL_APP};
    ck_assert(!may_data(WRAP, VAULT));
    ck_assert(!may("Microsoft.Resources/subscriptions/read", SUB));
    ck_assert(!rbac_may(e, &nobody, "x/read", false, SUB));
    ck_assert(!rbac_sees(e, &identity, SUB));
}
END_TEST

START_TEST(configured_applications_own_subscriptions)
{
    ck_assert(rbac_may(e, &client, "Microsoft.KeyVault/vaults/write", false, VAULT));
    ck_assert(
        rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, "/SUBSCRIPTIONS/x"));
    ck_assert(!rbac_may(e, &client, WRAP, true, VAULT)); /* an owner has no data actions */
    ck_assert(!rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, "/"));
    ck_assert_int_eq(assign(1, "Key Vault Crypto User", VAULT, client.oid), SB_OK);
    ck_assert(rbac_may(e, &client, WRAP, true, VAULT));
}
END_TEST

START_TEST(scopes_are_inherited_by_whole_segments)
{
    static const struct {
        const char *at, *scope;
        bool covers;
    } rows[] = {
        {VAULT, VAULT, true},
        {VAULT, VAULT "/keys/k", true},
        {VAULT "/", VAULT, true},
        {VAULT, VAULT "x", false},
        {VAULT, GROUP, false},
        {GROUP, VAULT, true},
        {GROUP, GROUP "2/providers/Microsoft.KeyVault/vaults/v", false},
        {SUB, VAULT, true},
        {SUB, "/subscriptions/11111111-0000-0000-0000-000000000000", false},
        {"/", VAULT, true},
        {"/SUBSCRIPTIONS/" ENGINE_SUBSCRIPTION "/resourcegroups/G", VAULT, true},
        {VAULT "/keys/k", VAULT, false},
        {VAULT "/keys/k", VAULT "/keys/k", true},
    };
    for (unsigned i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct role_assignment gone;
        bool existed = false;
        const char *name = arena_printf(arena, "88888888-0000-0000-0000-%012u", i);
        ck_assert_int_eq(assign(i, "Key Vault Crypto User", rows[i].at, identity.oid), SB_OK);
        ck_assert_msg(may_data(WRAP, rows[i].scope) == rows[i].covers, "row %u", i);
        ck_assert_int_eq(rbac_remove(e, rows[i].at, name, arena, &existed, &gone, &err), SB_OK);
        ck_assert(existed);
        ck_assert_msg(!may_data(WRAP, rows[i].scope), "row %u after removal", i);
    }
}
END_TEST

START_TEST(actions_match_with_wildcards)
{
    static const struct {
        const char *role, *action;
        bool data, allowed;
    } rows[] = {
        {"Reader", "Microsoft.KeyVault/vaults/read", false, true},
        {"Reader", "microsoft.keyvault/vaults/READ", false, true},
        {"Reader", "Microsoft.KeyVault/vaults/write", false, false},
        {"Reader", "Microsoft.KeyVault/vaults/readx", false, false},
        {"Reader", KEY_READ, true, false},
        {"Owner", "anything/at/all", false, true},
        {"Owner", WRAP, true, false},
        {"Contributor", "Microsoft.KeyVault/vaults/write", false, true},
        {"Contributor", "Microsoft.Authorization/roleAssignments/write", false, false},
        {"Contributor", "Microsoft.Authorization/roleAssignments/DELETE", false, false},
        {"Contributor", "Microsoft.Authorization/roleAssignments/read", false, true},
        {"User Access Administrator", "Microsoft.Authorization/roleAssignments/write", false, true},
        {"Key Vault Administrator", WRAP, true, true},
        {"Key Vault Administrator", "Microsoft.KeyVault/vaults/write", false, false},
        {"Key Vault Administrator", "Microsoft.KeyVault/vaults/keys/read", false, true},
        {"Key Vault Contributor", "Microsoft.KeyVault/vaults/write", false, true},
        {"Key Vault Contributor", "Microsoft.KeyVault/locations/deletedVaults/purge/action", false, false},
        {"Key Vault Contributor", WRAP, true, false},
        {"Key Vault Crypto Service Encryption User", WRAP, true, true},
        {"Key Vault Crypto Service Encryption User", KEY_READ, true, true},
        {"Key Vault Crypto Service Encryption User", "Microsoft.KeyVault/vaults/keys/decrypt/action", true,
         false},
        {"Key Vault Crypto Officer", "Microsoft.KeyVault/vaults/keys/rotate/action", true, true},
        {"Key Vault Crypto Officer", "Microsoft.KeyVault/vaults/secrets/read", true, false},
        {"Key Vault Reader", KEY_READ, true, true},
        {"Key Vault Reader", WRAP, true, false},
        {"Azure Service Bus Data Owner", "Microsoft.ServiceBus/namespaces/messages/send/action", true, true},
        {"Azure Service Bus Data Sender", "Microsoft.ServiceBus/namespaces/messages/send/action", true, true},
        {"Azure Service Bus Data Sender", "Microsoft.ServiceBus/namespaces/messages/receive/action", true,
         false},
        {"Azure Service Bus Data Receiver", "Microsoft.ServiceBus/namespaces/messages/receive/action", true,
         true},
        {"Azure Service Bus Data Receiver", "Microsoft.ServiceBus/namespaces/queues/read", false, true},
        {"Azure Service Bus Data Receiver", "Microsoft.ServiceBus/namespaces/queues/write", false, false},
        {"Managed Identity Operator", "Microsoft.ManagedIdentity/userAssignedIdentities/x/assign/action",
         false, true},
    };
    for (unsigned i = 0; i < SB_ARRAY_LEN(rows); i++) {
        const char *scope = arena_printf(arena, GROUP "/row%u", i);
        ck_assert_int_eq(assign(i, rows[i].role, scope, identity.oid), SB_OK);
        ck_assert_msg(rbac_may(e, &identity, rows[i].action, rows[i].data, scope) == rows[i].allowed,
                      "%s: %s", rows[i].role, rows[i].action);
    }
}
END_TEST

/* notActions take away from their own role only. */
START_TEST(roles_add_up)
{
    const char *write = "Microsoft.Authorization/roleAssignments/write";
    ck_assert_int_eq(assign(1, "Contributor", GROUP, identity.oid), SB_OK);
    ck_assert(!may(write, VAULT));
    ck_assert_int_eq(assign(2, "User Access Administrator", SUB, identity.oid), SB_OK);
    ck_assert(may(write, VAULT));
    ck_assert(may("Microsoft.KeyVault/vaults/write", VAULT));
    ck_assert(!may("Microsoft.KeyVault/vaults/write", SUB));
    ck_assert(rbac_sees(e, &identity, SUB));
}
END_TEST

START_TEST(a_resource_can_be_seen_from_above)
{
    ck_assert_int_eq(assign(1, "Reader", VAULT, identity.oid), SB_OK);
    ck_assert(rbac_sees(e, &identity, SUB));
    ck_assert(rbac_sees(e, &identity, GROUP));
    ck_assert(!rbac_sees(e, &identity, SUB "/resourceGroups/h"));
}
END_TEST

START_TEST(refusal_in_arms_words)
{
    ck_assert_int_eq(rbac_require(e, &identity, "Microsoft.KeyVault/vaults/write", VAULT, &err), SB_EDENIED);
    ck_assert_str_eq(
        err.detail,
        arena_printf(
            arena,
            "The client '%s' with object id '%s' does not have authorization to perform action "
            "'Microsoft.KeyVault/vaults/write' over scope '" VAULT
            "' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            identity.appid, identity.oid));
}
END_TEST

/* ---- assignments ---- */

START_TEST(assignment_life)
{
    struct role_assignment want = {
        .name = "88888888-0000-0000-0000-000000000001",
        .scope = GROUP "/",
        .role_id = "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        .principal_id = identity.oid,
        .created_by = ENGINE_CLIENT_OID,
    };
    struct role_assignment r;
    bool created = false, existed = false;
    uint64_t epoch = rbac_epoch(e);
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    ck_assert(created);
    ck_assert_uint_gt(rbac_epoch(e), epoch);
    ck_assert_str_eq(
        r.id,
        GROUP "/providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-000000000001");
    ck_assert_str_eq(r.scope, GROUP);
    ck_assert_str_eq(r.principal_type, "ServicePrincipal");
    ck_assert_ptr_null(r.description);
    ck_assert_int_eq(r.created_ms, 1000);
    clock_advance_to(e->clock, 2000);
    want.description = "for tests";
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    ck_assert(!created);
    ck_assert_int_eq(r.created_ms, 1000);
    ck_assert_int_eq(r.updated_ms, 2000);
    ck_assert_str_eq(r.description, "for tests");
    ck_assert_int_eq(
        rbac_get(e, "/SUBSCRIPTIONS/" ENGINE_SUBSCRIPTION "/resourcegroups/G", want.name, arena, &r, &err),
        SB_OK);
    ck_assert_str_eq(r.description, "for tests");
    ck_assert_int_eq(rbac_get(e, SUB, want.name, arena, &r, &err), SB_ENOASSIGNMENT);
    ck_assert_int_eq(rbac_remove(e, SUB, want.name, arena, &existed, &r, &err), SB_OK);
    ck_assert(!existed);
    ck_assert(may("x/read", VAULT));
    ck_assert_int_eq(rbac_remove(e, GROUP, want.name, arena, &existed, &r, &err), SB_OK);
    ck_assert(existed);
    ck_assert_str_eq(r.name, want.name);
    ck_assert(!may("x/read", VAULT));
    ck_assert_int_eq(rbac_get(e, GROUP, want.name, arena, &r, &err), SB_ENOASSIGNMENT);
}
END_TEST

START_TEST(assignments_that_are_refused)
{
    struct role_assignment r, bad = {
                                  .name = "not a guid",
                                  .scope = GROUP,
                                  .role_id = "acdd72a7-3385-48ef-bd42-f606fba81ae7",
                                  .principal_id = identity.oid,
                              };
    bool created;
    ck_assert_int_eq(rbac_assign(e, &bad, arena, &r, &created, &err), SB_EBADREQUEST);
    bad.name = "88888888-0000-0000-0000-000000000009";
    bad.principal_id = "me";
    ck_assert_int_eq(rbac_assign(e, &bad, arena, &r, &created, &err), SB_EBADREQUEST);
    bad.principal_id = identity.oid;
    bad.scope = "no/slash";
    ck_assert_int_eq(rbac_assign(e, &bad, arena, &r, &created, &err), SB_EBADREQUEST);
    bad.scope = GROUP;
    bad.principal_type = "User";
    ck_assert_int_eq(rbac_assign(e, &bad, arena, &r, &created, &err), SB_EBADREQUEST);
    char *long_text = arena_alloc(arena, 1100);
    memset(long_text, 'x', 1099);
    bad.principal_type = NULL;
    bad.description = long_text;
    ck_assert_int_eq(rbac_assign(e, &bad, arena, &r, &created, &err), SB_EBADREQUEST);

    ck_assert_int_eq(assign(1, "11111111-0000-0000-0000-000000000000", GROUP, identity.oid), SB_ENOROLE);
    ck_assert_int_eq(assign(1, "Reader", GROUP, "a0fd923f-205c-4f76-9ca4-ecb5430cb1c7"), SB_ENOPRINCIPAL);
    ck_assert_ptr_nonnull(
        strstr(err.detail,
               "Principal a0fd923f205c4f769ca4ecb5430cb1c7 does not exist in the directory " ENGINE_TENANT));
    ck_assert_int_eq(assign(1, "Reader", GROUP, identity.oid), SB_OK);
    ck_assert_int_eq(
        assign(2, "Reader", "/subscriptions/" ENGINE_SUBSCRIPTION "/RESOURCEGROUPS/g", identity.oid),
        SB_EASSIGNED);
    ck_assert_int_eq(assign(1, "Contributor", GROUP, identity.oid), SB_EASSIGNFIXED);
    ck_assert_int_eq(assign(1, "Reader", SUB, identity.oid), SB_EASSIGNFIXED);
    ck_assert_int_eq(assign(1, "Reader", GROUP, client.oid), SB_EASSIGNFIXED);
}
END_TEST

/* As in the service: who names the type is not looked up. */
START_TEST(named_type_skips_the_look_up)
{
    const struct role_assignment want = {
        .name = "88888888-0000-0000-0000-000000000001",
        .scope = GROUP,
        .role_id = "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        .principal_id = "a0fd923f-205c-4f76-9ca4-ecb5430cb1c7",
        .principal_type = "User",
    };
    struct role_assignment r;
    bool created = false;
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    ck_assert_str_eq(r.principal_type, "User");
}
END_TEST

START_TEST(lists)
{
    struct role_assignment *list = NULL;
    size_t n = 0;
    ck_assert_int_eq(assign(1, "Reader", "/", identity.oid), SB_OK);
    ck_assert_int_eq(assign(2, "Reader", SUB, identity.oid), SB_OK);
    ck_assert_int_eq(assign(3, "Reader", GROUP, client.oid), SB_OK);
    ck_assert_int_eq(assign(4, "Reader", VAULT, identity.oid), SB_OK);
    ck_assert_int_eq(rbac_list(e, GROUP, false, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 4);
    ck_assert_str_eq(
        list[0].id,
        "/providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-000000000001");
    ck_assert_int_eq(rbac_list(e, GROUP, true, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 3);
    ck_assert_int_eq(rbac_list(e, GROUP, false, client.oid, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(rbac_list(e, SUB "/resourceGroups/h", false, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 2);
}
END_TEST

static enum sb_err drop_group(struct tx *tx, void *arg, struct sb_error *why)
{
    (void)arg;
    return rbac_drop_scope(tx, "/subscriptions/" ENGINE_SUBSCRIPTION "/resourcegroups/G", why);
}

static void dropped(void *arg)
{
    rbac_changed(arg);
}

START_TEST(assignments_end_with_their_resource)
{
    ck_assert_int_eq(assign(1, "Reader", SUB, identity.oid), SB_OK);
    ck_assert_int_eq(assign(2, "Key Vault Crypto User", VAULT, identity.oid), SB_OK);
    ck_assert_int_eq(assign(3, "Key Vault Crypto User", GROUP, identity.oid), SB_OK);
    ck_assert_int_eq(assign(4, "Key Vault Crypto User", SUB "/resourceGroups/g2", identity.oid), SB_OK);
    ck_assert(may_data(WRAP, VAULT));
    ck_assert_int_eq(store_call_publish(e->kv, drop_group, dropped, e, &err), SB_OK);
    ck_assert(!may_data(WRAP, VAULT));
    ck_assert(may("x/read", VAULT));
    ck_assert(may_data(WRAP, SUB "/resourceGroups/g2/x"));
}
END_TEST

static enum sb_err drop_all(struct tx *tx, void *arg, struct sb_error *why)
{
    (void)arg;
    return rbac_drop_all(tx, why);
}

/* ---- above subscriptions ---- */

#define ROOT  "/providers/Microsoft.Management/managementGroups/" ENGINE_TENANT
#define OTHER "/providers/Microsoft.Management/managementGroups/other"

START_TEST(the_root_group_is_above_every_subscription)
{
    struct role_assignment *list = NULL;
    size_t n = 0;
    ck_assert_int_eq(assign(1, "Key Vault Crypto User", ROOT, identity.oid), SB_OK);
    ck_assert(may_data(WRAP, VAULT));
    ck_assert(may_data(WRAP, "/subscriptions/99999999-0000-0000-0000-000000000000"));
    ck_assert_int_eq(rbac_list(e, VAULT, true, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert_int_eq(assign(2, "Key Vault Administrator", OTHER, identity.oid), SB_OK);
    ck_assert(
        !may_data("Microsoft.KeyVault/vaults/secrets/read", VAULT)); /* no subscription is in that one */
    ck_assert(rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, ROOT));
    ck_assert(!rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, OTHER));
}
END_TEST

START_TEST(who_administers_the_tenant_can_elevate_his_access)
{
    struct role_assignment *list = NULL;
    size_t n = 0;
    ck_assert(!rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, "/"));
    ck_assert_int_eq(rbac_elevate(e, &identity, &err), SB_EDENIED);
    ck_assert_int_eq(rbac_elevate(e, &client, &err), SB_OK);
    ck_assert_int_eq(rbac_elevate(e, &client, &err), SB_OK);
    ck_assert(rbac_may(e, &client, "Microsoft.Authorization/roleAssignments/write", false, "/"));
    ck_assert(!rbac_may(e, &client, "Microsoft.KeyVault/vaults/write", false, "/"));
    ck_assert_int_eq(rbac_list(e, "/", true, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 1);
}
END_TEST

/* ---- custom roles ---- */

#define ROLE       "77777777-0000-0000-0000-000000000001"
#define NO_ACTIONS ((const char *const[]){NULL})

static struct role_def wrapper(void)
{
    static const char *const actions[] = {"Microsoft.KeyVault/*", NULL};
    static const char *const not_actions[] = {"Microsoft.KeyVault/vaults/delete", NULL};
    static const char *const data[] = {"Microsoft.KeyVault/vaults/keys/*/action", KEY_READ, NULL};
    static const char *const not_data[] = {"Microsoft.KeyVault/vaults/keys/unwrap/action", NULL};
    static const char *const scopes[] = {GROUP, NULL};
    return (struct role_def){.id = ROLE,
                             .name = "Wrapper",
                             .description = "wraps",
                             .actions = actions,
                             .not_actions = not_actions,
                             .data_actions = data,
                             .not_data_actions = not_data,
                             .scopes = scopes,
                             .updated_by = ENGINE_CLIENT_OID};
}

static enum sb_err put_role(const struct role_def *want, struct role_def *ret)
{
    struct role_def own;
    err.detail[0] = '\0';
    return rbac_role_put(e, want, arena, ret != NULL ? ret : &own, &err);
}

START_TEST(a_custom_role_grants_what_it_lists)
{
    struct role_def want = wrapper(), r;
    bool existed = false;
    ck_assert_int_eq(assign(1, ROLE, GROUP, identity.oid), SB_ENOROLE);
    ck_assert_int_eq(put_role(&want, &r), SB_OK);
    ck_assert_str_eq(r.data_actions[1], KEY_READ);
    ck_assert_ptr_null(r.data_actions[2]);
    ck_assert_str_eq(r.created_by, ENGINE_CLIENT_OID);
    ck_assert_int_eq(assign(1, ROLE, SUB, identity.oid), SB_ENOROLE); /* above what it is for */
    ck_assert_int_eq(assign(1, ROLE, VAULT, identity.oid), SB_OK);
    ck_assert(may_data(WRAP, VAULT));
    ck_assert(may_data(KEY_READ, VAULT "/keys/k"));
    ck_assert(!may_data("Microsoft.KeyVault/vaults/keys/unwrap/action", VAULT));
    ck_assert(!may_data(WRAP, GROUP));
    ck_assert(may("Microsoft.KeyVault/vaults/write", VAULT));
    ck_assert(!may("Microsoft.KeyVault/vaults/delete", VAULT));
    /* A change of the definition is a change of every grant. */
    clock_advance_to(e->clock, 5000);
    want.data_actions = NO_ACTIONS;
    want.name = "Was a wrapper";
    ck_assert_int_eq(put_role(&want, &r), SB_OK);
    ck_assert_int_eq(r.created_ms, 1000);
    ck_assert_int_eq(r.updated_ms, 5000);
    ck_assert(!may_data(WRAP, VAULT));
    ck_assert(may("Microsoft.KeyVault/vaults/write", VAULT));
    ck_assert_int_eq(rbac_role_remove(e, ROLE, arena, &existed, &r, &err), SB_EROLEUSED);
    struct role_assignment gone;
    ck_assert_int_eq(
        rbac_remove(e, VAULT, "88888888-0000-0000-0000-000000000001", arena, &existed, &gone, &err), SB_OK);
    ck_assert_int_eq(rbac_role_remove(e, ROLE, arena, &existed, &r, &err), SB_OK);
    ck_assert(existed);
    ck_assert_str_eq(r.name, "Was a wrapper");
    ck_assert_int_eq(rbac_role_remove(e, ROLE, arena, &existed, &r, &err), SB_OK);
    ck_assert(!existed);
    ck_assert_int_eq(rbac_role_get(e, ROLE, arena, &r, &err), SB_ENOROLE);
}
END_TEST

START_TEST(custom_roles_that_are_refused)
{
    struct role_def r = wrapper();
    bool existed;
    char *long_text = arena_alloc(arena, 3000);
    memset(long_text, 'x', 2999);
    long_text[2999] = '\0';
    r.id = "x";
    ck_assert_int_eq(put_role(&r, NULL), SB_EBADREQUEST);
    r.id = rbac_role_by_name("Reader")->id;
    ck_assert_int_eq(put_role(&r, NULL), SB_EBADREQUEST);
    ck_assert_int_eq(rbac_role_remove(e, r.id, arena, &existed, &r, &err), SB_EBADREQUEST);
    static const char *const scopes[][2] = {
        {"/", NULL}, {"/x", NULL}, {OTHER, NULL}, {SUB "\n/", NULL}, {NULL}};
    for (size_t i = 0; i < SB_ARRAY_LEN(scopes); i++) {
        r = wrapper();
        r.scopes = scopes[i];
        ck_assert_msg(put_role(&r, NULL) == SB_EBADREQUEST, "scope %zu", i);
    }
    static const char *const actions[][2] = {{"", NULL}, {"a b", NULL}, {"a\nb", NULL}, {"\xc3\xa9", NULL}};
    for (size_t i = 0; i < SB_ARRAY_LEN(actions); i++) {
        r = wrapper();
        r.not_data_actions = actions[i];
        ck_assert_msg(put_role(&r, NULL) == SB_EBADREQUEST, "action %zu", i);
    }
    r = wrapper();
    r.name = "";
    ck_assert_int_eq(put_role(&r, NULL), SB_EBADREQUEST);
    r.name = long_text;
    ck_assert_int_eq(put_role(&r, NULL), SB_EBADREQUEST);
    r = wrapper();
    r.description = long_text;
    ck_assert_int_eq(put_role(&r, NULL), SB_EBADREQUEST);
    /* Characters count, not bytes. */
    char letters[2 * 512 + 1] = "";
    for (size_t i = 0; i + 2 < sizeof letters; i += 2)
        memcpy(letters + i, "\xc3\xbc", 2);
    r = wrapper();
    r.name = letters;
    ck_assert_int_eq(put_role(&r, NULL), SB_OK);
    r = wrapper();
    ck_assert_int_eq(put_role(&r, NULL), SB_OK);
    r.id = "77777777-0000-0000-0000-000000000002";
    r.name = "WRAPPER";
    ck_assert_int_eq(put_role(&r, NULL), SB_EROLENAME);
    r.name = "reader";
    ck_assert_int_eq(put_role(&r, NULL), SB_EROLENAME);
}
END_TEST

START_TEST(custom_roles_by_scope)
{
    static const struct {
        const char *scope;
        bool below;
        size_t n;
    } rows[] = {{GROUP, false, 1},
                {VAULT, false, 1},
                {SUB, false, 0},
                {SUB, true, 1},
                {SUB "/resourceGroups/h", true, 0}};
    struct role_def r = wrapper(), *list = NULL;
    size_t n = 0;
    ck_assert_int_eq(put_role(&r, NULL), SB_OK);
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        ck_assert_int_eq(rbac_role_list(e, rows[i].scope, rows[i].below, arena, &list, &n, &err), SB_OK);
        ck_assert_msg(n == rows[i].n, "row %zu", i);
    }
    ck_assert_int_eq(assign(1, ROLE, GROUP, identity.oid), SB_OK);
    ck_assert(may_data(WRAP, VAULT));
    ck_assert_int_eq(store_call_publish(e->kv, drop_all, dropped, e, &err), SB_OK);
    ck_assert(!may_data(WRAP, VAULT));
    ck_assert_int_eq(rbac_role_list(e, GROUP, true, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- grants that take their time ---- */

START_TEST(a_grant_counts_after_the_delay_and_so_does_its_end)
{
    struct role_assignment gone;
    bool existed = false;
    ck_assert_int_eq(assign(1, "Key Vault Crypto User", GROUP, identity.oid), SB_OK);
    ck_assert(!may_data(WRAP, VAULT));
    ck_assert(!rbac_sees(e, &identity, SUB));
    clock_advance_to(e->clock, 300999);
    ck_assert(!may_data(WRAP, VAULT));
    clock_advance_to(e->clock, 301000);
    ck_assert(may_data(WRAP, VAULT));
    ck_assert(rbac_sees(e, &identity, SUB));
    ck_assert_int_eq(
        rbac_remove(e, GROUP, "88888888-0000-0000-0000-000000000001", arena, &existed, &gone, &err), SB_OK);
    ck_assert(existed);
    struct role_assignment *list = NULL;
    size_t n = 1;
    ck_assert_int_eq(rbac_list(e, GROUP, false, NULL, arena, &list, &n, &err), SB_OK);
    ck_assert_uint_eq(n, 0); /* it is shown no more, only its effect stays */
    ck_assert(may_data(WRAP, VAULT));
    clock_advance_to(e->clock, 600999);
    ck_assert(may_data(WRAP, VAULT));
    clock_advance_to(e->clock, 601000);
    ck_assert(!may_data(WRAP, VAULT));
}
END_TEST

START_TEST(a_grant_taken_back_before_it_counted_never_counts)
{
    struct role_assignment gone;
    bool existed = false;
    ck_assert_int_eq(assign(1, "Key Vault Crypto User", GROUP, identity.oid), SB_OK);
    clock_advance_to(e->clock, 2000);
    ck_assert_int_eq(
        rbac_remove(e, GROUP, "88888888-0000-0000-0000-000000000001", arena, &existed, &gone, &err), SB_OK);
    clock_advance_to(e->clock, 301500);
    ck_assert(!may_data(WRAP, VAULT));
}
END_TEST

START_TEST(an_update_of_a_grant_does_not_start_it_anew)
{
    struct role_assignment r, want = {.name = "88888888-0000-0000-0000-000000000001",
                                      .scope = GROUP,
                                      .role_id = rbac_role_by_name("Key Vault Crypto User")->id,
                                      .principal_id = identity.oid};
    bool created;
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    clock_advance_to(e->clock, 300000);
    want.description = "again";
    ck_assert_int_eq(rbac_assign(e, &want, arena, &r, &created, &err), SB_OK);
    clock_advance_to(e->clock, 301000);
    ck_assert(may_data(WRAP, VAULT));
}
END_TEST

START_TEST(what_ends_with_its_scope_ends_at_once)
{
    struct role_assignment gone;
    bool existed = false;
    ck_assert_int_eq(assign(1, "Key Vault Crypto User", GROUP, identity.oid), SB_OK);
    ck_assert_int_eq(assign(2, "Key Vault Crypto User", VAULT, identity.oid), SB_OK);
    clock_advance_to(e->clock, 400000);
    ck_assert_int_eq(
        rbac_remove(e, GROUP, "88888888-0000-0000-0000-000000000001", arena, &existed, &gone, &err), SB_OK);
    ck_assert(may_data(WRAP, GROUP));
    ck_assert_int_eq(store_call_publish(e->kv, drop_group, dropped, e, &err), SB_OK);
    ck_assert(!may_data(WRAP, GROUP));
    ck_assert(!may_data(WRAP, VAULT));
}
END_TEST

/* ---- threads ---- */

static atomic_bool stop;
static atomic_int wrong;

static void *ask(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        if (!may("x/read", SUB) || may("x/write", SUB))
            atomic_fetch_add(&wrong, 1);
    }
    return NULL;
}

START_TEST(questions_while_assignments_change)
{
    pthread_t threads[3];
    struct role_assignment gone;
    bool existed;
    ck_assert_int_eq(assign(1, "Reader", SUB, identity.oid), SB_OK);
    atomic_store(&stop, false);
    for (size_t i = 0; i < SB_ARRAY_LEN(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, NULL), 0);
    for (unsigned i = 0; i < 50; i++) {
        ck_assert_int_eq(assign(2, "Reader", VAULT, identity.oid), SB_OK);
        ck_assert_int_eq(
            rbac_remove(e, VAULT, "88888888-0000-0000-0000-000000000002", arena, &existed, &gone, &err),
            SB_OK);
        ck_assert(existed);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < SB_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("rbac");
    TCase *t = tcase_create("rbac");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, roles_are_sound);
    tcase_add_test(t, nothing_is_allowed_by_default);
    tcase_add_test(t, configured_applications_own_subscriptions);
    tcase_add_test(t, scopes_are_inherited_by_whole_segments);
    tcase_add_test(t, actions_match_with_wildcards);
    tcase_add_test(t, roles_add_up);
    tcase_add_test(t, a_resource_can_be_seen_from_above);
    tcase_add_test(t, refusal_in_arms_words);
    tcase_add_test(t, assignment_life);
    tcase_add_test(t, assignments_that_are_refused);
    tcase_add_test(t, named_type_skips_the_look_up);
    tcase_add_test(t, lists);
    tcase_add_test(t, assignments_end_with_their_resource);
    tcase_add_test(t, questions_while_assignments_change);
    tcase_add_test(t, the_root_group_is_above_every_subscription);
    tcase_add_test(t, who_administers_the_tenant_can_elevate_his_access);
    tcase_add_test(t, a_custom_role_grants_what_it_lists);
    tcase_add_test(t, custom_roles_that_are_refused);
    tcase_add_test(t, custom_roles_by_scope);
    suite_add_tcase(s, t);
    t = tcase_create("delay");
    tcase_add_checked_fixture(t, setup_slow, teardown);
    tcase_add_test(t, a_grant_counts_after_the_delay_and_so_does_its_end);
    tcase_add_test(t, a_grant_taken_back_before_it_counted_never_counts);
    tcase_add_test(t, an_update_of_a_grant_does_not_start_it_anew);
    tcase_add_test(t, what_ends_with_its_scope_ends_at_once);
    suite_add_tcase(s, t);
    return s;
}
