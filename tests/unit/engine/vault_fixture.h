/* vault_fixture.h: an engine in memory with a manual clock, and short ways to make vaults and keys. */
#ifndef SB_VAULT_FIXTURE_H
#define SB_VAULT_FIXTURE_H

#include <string.h>
#include "server/base/text.h"
#include "server/engine/events.h"
#include "server/engine/faults.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"
#include "tests/unit/unit.h"

#define SUB   ENGINE_SUBSCRIPTION
#define SUB2  "99999999-0000-0000-0000-000000000000"
#define START INT64_C(1700000000000)
#define NOW_S (START / 1000)
#define DAY   (INT64_C(24) * 3600 * 1000)
#define OID_A "aaaaaaaa-0000-0000-0000-000000000001"
#define OID_B "bbbbbbbb-0000-0000-0000-000000000002"
#define ALL   "{\"keys\":[\"all\",\"purge\",\"rotate\"],\"secrets\":[\"all\",\"purge\"]}"

static const struct engine_client fixture_clients[] = {
    {ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID}};
static struct engine *e;
static struct sb_arena *arena;
static struct sb_error err;
static struct principal client, identity;

static inline void open_engine(const char *dir)
{
    const struct engine_config cfg = {
        .data_dir = dir, .clock_manual = true, .start_ms = START, .clients = fixture_clients, .clients_n = 1};
    bool found = false;
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &client, &err), SB_OK);
    ck_assert(found);
    if (arena == NULL) /* it outlives a restart */
        arena = arena_new(64u << 20);
}

static inline void close_engine(void)
{
    engine_stop(e);
    engine_close(e);
    arena_free(arena);
    arena = NULL;
}

static inline void fixture_up(void)
{
    open_engine(NULL);
    ck_assert_int_eq(directory_system_identity_create(
                         e, "/subscriptions/" SUB "/resourceGroups/g/providers/x/y/z", &identity, &err),
                     SB_OK);
}

/* A spec with nothing sent but what a new vault needs. */
static inline struct vault_spec spec(const char *name)
{
    struct vault_spec s = vault_spec(SUB, "g", name, "me");
    s.location = "westus";
    s.tenant = ENGINE_TENANT;
    s.sku = "standard";
    s.has_policies = true;
    return s;
}

static inline enum sb_err put(const struct vault_spec *s, struct vault *ret)
{
    struct vault v;
    bool created;
    err.detail[0] = '\0';
    return vault_put(e, s, arena, ret != NULL ? ret : &v, &created, &err);
}

static inline struct vault_policy policy(const char *oid, const char *permissions)
{
    return (struct vault_policy){.tenant = ENGINE_TENANT, .oid = oid, .permissions = permissions};
}

/* A vault where the well-known client may do everything, with HSM keys and secrets too. */
static inline void make_vault(const char *name)
{
    struct vault_spec s = spec(name);
    s.sku = "premium";
    struct vault_policy p = policy(ENGINE_CLIENT_OID, ALL);
    s.policies = &p;
    s.policies_n = 1;
    ck_assert_msg(put(&s, NULL) == SB_OK, "%s", err.detail);
}

static inline void grant(const char *vault, const char *oid, const char *permissions)
{
    struct vault v;
    struct vault_policy p = policy(oid, permissions);
    ck_assert_msg(vault_policies(e, SUB, "g", vault, "me", VAULT_POLICY_REPLACE, &p, 1, arena, &v, &err) ==
                      SB_OK,
                  "%s", err.detail);
}

static inline void assign_role(unsigned number, const char *role, const char *scope, const char *oid)
{
    struct role_assignment ret;
    bool created;
    const struct role_assignment want = {.name = arena_printf(arena, "88888888-0000-0000-0000-%012u", number),
                                         .scope = scope,
                                         .role_id = rbac_role_by_name(role)->id,
                                         .principal_id = oid,
                                         .principal_type = "ServicePrincipal",
                                         .created_by = ENGINE_CLIENT_OID};
    ck_assert_msg(rbac_assign(e, &want, arena, &ret, &created, &err) == SB_OK, "%s", err.detail);
}

#endif
