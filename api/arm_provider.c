/*
 * arm_provider.c: resource providers. Those that are emulated list their types and versions; any other one
 * counts as registered and has none, because Terraform registers dozens before it does anything. (choice)
 * Unregistering is over at once and changes the state that is shown, nothing else.
 */
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "server/base/text.h"
#include "server/engine/provider.h"

#define NAME_MAX_CHARS 100

struct type {
    const char *name;
    const char *versions; /* newest first, separated by blanks */
    bool global;          /* has no location */
};

#define VAULT_VERSIONS                                                                                       \
    "2026-02-01 2025-05-01 2024-11-01 2023-07-01 2023-02-01 2022-07-01 2021-10-01 2019-09-01 2018-02-14 "    \
    "2016-10-01"
#define BUS_VERSIONS                                                                                         \
    "2026-07-01-preview 2026-01-01 2025-05-01-preview 2024-01-01 2023-01-01-preview 2022-10-01-preview "     \
    "2022-01-01-preview "                                                                                    \
    "2021-11-01 2021-06-01-preview 2021-01-01-preview 2018-01-01-preview 2017-04-01"
#define IDENTITY_VERSIONS "2024-11-30 2023-01-31 2018-11-30 2015-08-31-preview"
#define GROUP_VERSIONS    "2024-07-01 2024-03-01 2022-09-01 2021-04-01 2020-06-01 2018-05-01"
#define ROLE_VERSIONS     "2022-05-01-preview 2022-04-01 2018-07-01 2015-07-01"

static const struct type vault_types[] = {
    {"vaults", VAULT_VERSIONS, false},
    {"vaults/keys", VAULT_VERSIONS, false},
    {"vaults/keys/versions", VAULT_VERSIONS, false},
    {"vaults/accessPolicies", VAULT_VERSIONS, false},
    {"locations", VAULT_VERSIONS, true},
    {"locations/deletedVaults", VAULT_VERSIONS, false},
    {"deletedVaults", VAULT_VERSIONS, true},
    {"checkNameAvailability", VAULT_VERSIONS, true},
    {"operations", VAULT_VERSIONS, true},
};
static const struct type bus_types[] = {
    {"namespaces", BUS_VERSIONS, false},
    {"namespaces/authorizationrules", BUS_VERSIONS, false},
    {"namespaces/queues", BUS_VERSIONS, false},
    {"namespaces/queues/authorizationrules", BUS_VERSIONS, false},
    {"namespaces/topics", BUS_VERSIONS, false},
    {"namespaces/topics/authorizationrules", BUS_VERSIONS, false},
    {"namespaces/topics/subscriptions", BUS_VERSIONS, false},
    {"namespaces/topics/subscriptions/rules", BUS_VERSIONS, false},
    {"namespaces/networkrulesets", BUS_VERSIONS, false},
    {"namespaces/disasterrecoveryconfigs", BUS_VERSIONS, false},
    {"checkNameAvailability", BUS_VERSIONS, true},
    {"operations", BUS_VERSIONS, true},
};
static const struct type identity_types[] = {
    {"userAssignedIdentities", IDENTITY_VERSIONS, false},
    {"userAssignedIdentities/federatedIdentityCredentials", IDENTITY_VERSIONS, true},
    {"operations", IDENTITY_VERSIONS, true},
};
static const struct type role_types[] = {
    {"roleAssignments", ROLE_VERSIONS, true},
    {"roleDefinitions", ROLE_VERSIONS, true},
};
static const struct type insight_types[] = {
    {"diagnosticSettings", "2021-05-01-preview 2017-05-01-preview 2016-09-01", true},
    {"eventtypes", "2017-03-01-preview 2015-04-01 2014-04-01", true},
};
static const struct type core_types[] = {
    {"tenants", GROUP_VERSIONS, true},        {"subscriptions", GROUP_VERSIONS, true},
    {"resourceGroups", GROUP_VERSIONS, true}, {"deployments", GROUP_VERSIONS, true},
    {"providers", GROUP_VERSIONS, true},      {"resources", GROUP_VERSIONS, true},
    {"locations", GROUP_VERSIONS, true},
};

static const struct provider {
    const char *name;
    const struct type *types;
    size_t types_n;
    bool free; /* registered in every subscription from the start */
} providers[] = {
    {"Microsoft.Authorization", role_types, SB_ARRAY_LEN(role_types), true},
    {"Microsoft.Insights", insight_types, SB_ARRAY_LEN(insight_types), true},
    {"Microsoft.KeyVault", vault_types, SB_ARRAY_LEN(vault_types), false},
    {"Microsoft.ManagedIdentity", identity_types, SB_ARRAY_LEN(identity_types), false},
    {"Microsoft.Resources", core_types, SB_ARRAY_LEN(core_types), true},
    {"Microsoft.ServiceBus", bus_types, SB_ARRAY_LEN(bus_types), false},
};

static void write_type(struct jw *w, const struct type *t)
{
    size_t n = 0;
    const struct arm_region *regions = arm_regions(&n);
    jw_obj(w, NULL);
    jw_str(w, "resourceType", t->name);
    jw_arr(w, "locations");
    for (size_t i = 0; !t->global && i < n; i++)
        jw_str(w, NULL, regions[i].display);
    jw_end_arr(w);
    jw_arr(w, "apiVersions");
    for (const char *p = t->versions; *p != '\0'; p += strspn(p, " ")) {
        int len = (int)strcspn(p, " ");
        jw_strf(w, NULL, "%.*s", len, p);
        p += len;
    }
    jw_end_arr(w);
    jw_str(w, "capabilities", t->global ? "None" : "SupportsTags, SupportsLocation");
    jw_end_obj(w);
}

/* sub NULL: the tenant's view, without a registration. */
static enum sb_err write_provider(struct request *r, struct jw *w, const char *sub, const struct provider *p,
                                  struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool registered = true;
    if (sub != NULL && !p->free)
        SB_TRY(provider_registered(r->e, sub, p->name, &registered, err));
    jw_obj(w, NULL);
    if (sub != NULL)
        jw_str(w, "id", arm_id(r, sub, NULL, "%s", p->name));
    jw_str(w, "namespace", p->name);
    jw_arr(w, "resourceTypes");
    for (size_t i = 0; i < p->types_n; i++)
        write_type(w, &p->types[i]);
    jw_end_arr(w);
    if (sub != NULL) {
        jw_str(w, "registrationState", registered ? "Registered" : "Unregistered");
        jw_str(w, "registrationPolicy", p->free ? "RegistrationFree" : "RegistrationRequired");
    }
    jw_end_obj(w);
out:
    return rc;
}

enum sb_err arm_provider_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const char *sub = request_param(r, "sub");
    if (sub != NULL)
        SB_TRY(arm_require_sub(r, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < SB_ARRAY_LEN(providers); i++)
        SB_TRY(write_provider(r, &w, sub, &providers[i], err));
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* "Microsoft.Compute", "Company.Product" */
static bool looks_like_provider(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    const char *dot = strchr(name, '.');
    return n > 0 && n <= NAME_MAX_CHARS && name[n] == '\0' && dot != NULL && dot != name && dot[1] != '\0';
}

/* Those that are not emulated have no types. */
static enum sb_err find_provider(struct request *r, struct provider *ret, struct sb_error *err)
{
    const char *name = request_param(r, "provider");
    for (size_t i = 0; i < SB_ARRAY_LEN(providers); i++) {
        if (text_ieq(providers[i].name, name)) {
            *ret = providers[i];
            return SB_OK;
        }
    }
    if (!looks_like_provider(name))
        return sb_fail(err, SB_ENOPROVIDER, "The resource namespace '%.100s' is invalid.", name);
    *ret = (struct provider){.name = name};
    return SB_OK;
}

enum sb_err arm_provider_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct provider p;
    const char *sub = request_param(r, "sub");
    if (sub != NULL)
        SB_TRY(arm_require_sub(r, err));
    SB_TRY(find_provider(r, &p, err));
    struct jw w = reply_json(r, 200);
    rc = write_provider(r, &w, sub, &p, err);
out:
    return rc;
}

static enum sb_err change(struct request *r, bool registered, struct sb_error *err)
{
    enum sb_err rc;
    struct provider p;
    const char *sub = request_param(r, "sub");
    SB_TRY(arm_require_sub(r, err));
    SB_TRY(find_provider(r, &p, err));
    const char *action =
        arena_printf(r->arena, "%s/%s/action", p.name, registered ? "register" : "unregister");
    if (action == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, action, arm_id(r, sub, NULL, NULL), err));
    if (!p.free)
        SB_TRY(provider_set(r->e, sub, p.name, registered, err));
    struct jw w = reply_json(r, 200);
    rc = write_provider(r, &w, sub, &p, err);
out:
    return rc;
}

enum sb_err arm_provider_register(struct request *r, struct sb_error *err)
{
    return change(r, true, err);
}

enum sb_err arm_provider_unregister(struct request *r, struct sb_error *err)
{
    return change(r, false, err);
}

const char *arm_provider_version(struct request *r, const char *type)
{
    size_t name_n = strcspn(type, "/");
    const char *rest = type[name_n] == '/' ? type + name_n + 1 : "";
    size_t rest_n = strcspn(rest, "/");
    for (size_t i = 0; i < SB_ARRAY_LEN(providers); i++) {
        const struct provider *p = &providers[i];
        if (strlen(p->name) != name_n || !text_ieqn(p->name, type, name_n))
            continue;
        for (size_t k = 0; k < p->types_n; k++) {
            if (strlen(p->types[k].name) != rest_n || !text_ieqn(p->types[k].name, rest, rest_n))
                continue;
            for (const char *v = p->types[k].versions; *v != '\0'; v += strspn(v, " ")) {
                size_t n = strcspn(v, " ");
                if (n == strlen("2024-01-01"))
                    return arena_strndup(r->arena, v, n);
                v += n;
            }
        }
    }
    return NULL;
}
