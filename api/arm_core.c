/* arm_core.c: tenants, subscriptions, locations, and the ends of long-running operations. */
#include "api/arm_core.h"
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"

#define TENANT_NAME   "sealedbus"
#define TENANT_DOMAIN "sealedbus.onmicrosoft.com"

static enum sb_err tenants(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    jw_obj(&w, NULL);
    jw_str(&w, "id", "/tenants/" ENGINE_TENANT);
    jw_str(&w, "tenantId", ENGINE_TENANT);
    jw_str(&w, "countryCode", "US");
    jw_str(&w, "displayName", TENANT_NAME);
    jw_arr(&w, "domains");
    jw_str(&w, NULL, TENANT_DOMAIN);
    jw_end_arr(&w);
    jw_str(&w, "tenantCategory", "Home");
    jw_str(&w, "defaultDomain", TENANT_DOMAIN);
    jw_str(&w, "tenantType", "AAD");
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
    return SB_OK;
}

/* ---- subscriptions ---- */

static void write_subscription(struct request *r, struct jw *w, const char *sub)
{
    jw_obj(w, NULL);
    jw_str(w, "id", arm_id(r, sub, NULL, NULL));
    jw_str(w, "authorizationSource", "RoleBased");
    jw_arr(w, "managedByTenants");
    jw_end_arr(w);
    jw_str(w, "subscriptionId", sub);
    jw_str(w, "tenantId", ENGINE_TENANT);
    jw_str(w, "displayName", "Emulator Subscription");
    jw_str(w, "state", "Enabled");
    jw_obj(w, "subscriptionPolicies");
    jw_str(w, "locationPlacementId", "Public_2014-09-01");
    jw_str(w, "quotaId", "PayAsYouGo_2014-09-01");
    jw_str(w, "spendingLimit", "Off");
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err subscription_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require_sub(r, err));
    const char *sub = request_param(r, "sub");
    if (!rbac_sees(r->e, &r->who, arm_id(r, sub, NULL, NULL)))
        SB_TRY(arm_require(r, "Microsoft.Resources/subscriptions/read", arm_id(r, sub, NULL, NULL), err));
    struct jw w = reply_json(r, 200);
    write_subscription(r, &w, sub);
out:
    return rc;
}

struct subs {
    const char **ids;
    size_t n;
};

static void add_sub(struct subs *s, const char *id)
{
    for (size_t i = 0; i < s->n; i++) {
        if (text_ieq(s->ids[i], id))
            return;
    }
    s->ids[s->n++] = id;
}

/* The configured ones; where any GUID is one, the well-known one and those that hold something. */
static enum sb_err known_subs(struct request *r, struct subs *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct group *groups = NULL;
    size_t n = 0;
    const struct engine_config *cfg = &r->e->cfg;
    if (cfg->subscriptions_n == 0)
        SB_TRY(directory_group_list(r->e, NULL, r->arena, &groups, &n, err));
    ret->ids = ARENA_ARRAY(r->arena, const char *, cfg->subscriptions_n + n + 1);
    if (ret->ids == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < cfg->subscriptions_n; i++)
        add_sub(ret, cfg->subscriptions[i]);
    if (cfg->subscriptions_n == 0)
        add_sub(ret, ENGINE_SUBSCRIPTION);
    for (size_t i = 0; i < n; i++)
        add_sub(ret, groups[i].sub);
out:
    return rc;
}

static enum sb_err subscription_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct subs subs = {0};
    int64_t shown = 0;
    SB_TRY(known_subs(r, &subs, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < subs.n; i++) {
        if (!rbac_sees(r->e, &r->who, arm_id(r, subs.ids[i], NULL, NULL)))
            continue;
        write_subscription(r, &w, subs.ids[i]);
        shown++;
    }
    jw_end_arr(&w);
    jw_obj(&w, "count");
    jw_str(&w, "type", "Total");
    jw_i64(&w, "value", shown);
    jw_end_obj(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err locations(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    size_t n = 0;
    const struct arm_region *regions = arm_regions(&n);
    SB_TRY(arm_require_sub(r, err));
    const char *scope = arm_id(r, request_param(r, "sub"), NULL, NULL);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w, NULL);
        jw_strf(&w, "id", "%s/locations/%s", scope, regions[i].name);
        jw_str(&w, "name", regions[i].name);
        jw_str(&w, "type", "Region");
        jw_str(&w, "displayName", regions[i].display);
        jw_strf(&w, "regionalDisplayName", "(%s) %s", regions[i].geography, regions[i].display);
        jw_obj(&w, "metadata");
        jw_str(&w, "regionType", "Physical");
        jw_str(&w, "geographyGroup", regions[i].geography);
        jw_end_obj(&w);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

#define SUB   "/subscriptions/{sub}"
#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, "/metadata/endpoints", 0, 0, arm_metadata_endpoints, "ArmMetadataEndpoints"},
    {"GET", PLANE_ARM, "/tenants", FLAGS, 0, tenants, "ArmTenantList"},
    {"GET", PLANE_ARM, "/subscriptions", FLAGS, 0, subscription_list, "ArmSubscriptionList"},
    {"GET", PLANE_ARM, SUB, FLAGS, 0, subscription_get, "ArmSubscriptionGet"},
    {"GET", PLANE_ARM, SUB "/locations", FLAGS, 0, locations, "ArmLocationList"},
    {"GET", PLANE_ARM, "/providers", FLAGS, 0, arm_provider_list, "ArmProviderListTenant"},
    {"GET", PLANE_ARM, "/providers/{provider}", FLAGS, 0, arm_provider_get, "ArmProviderGetTenant"},
    {"GET", PLANE_ARM, SUB "/providers", FLAGS, 0, arm_provider_list, "ArmProviderList"},
    {"GET", PLANE_ARM, SUB "/providers/{provider}", FLAGS, 0, arm_provider_get, "ArmProviderGet"},
    {"POST", PLANE_ARM, SUB "/providers/{provider}/register", FLAGS, 4096, arm_provider_register,
     "ArmProviderRegister"},
    {"POST", PLANE_ARM, SUB "/providers/{provider}/unregister", FLAGS, 4096, arm_provider_unregister,
     "ArmProviderUnregister"},
    {"GET", PLANE_ARM, SUB "/resources", FLAGS, 0, arm_resource_list, "ArmResourceList"},
    {"GET", PLANE_ARM, SUB "/resourceGroups/{group}/resources", FLAGS, 0, arm_resource_list,
     "ArmGroupResourceList"},
    {"POST", PLANE_ARM, SUB "/resourceGroups/{group}/exportTemplate", FLAGS | R_JSON | R_EMPTYOK, 65536,
     arm_export, "ArmGroupExport"},
    {"GET", PLANE_ARM, SUB "/operationresults/{id}", FLAGS, 0, arm_job_result, "ArmOperationResult"},
    {"GET", PLANE_ARM, "/providers/Microsoft.Resources/operationresults/{id}", FLAGS, 0, arm_job_result,
     "ArmTenantOperationResult"},
};
const struct route_table routes_arm_core = {rows, SB_ARRAY_LEN(rows)};
