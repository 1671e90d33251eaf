/*
 * arm_vault_body.c: reading and writing of key vaults' ARM bodies. Order and presence of members are recorded
 * from the service.
 */
#include "api/arm_vault_body.h"
#include "api/arm.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define POLICIES_MAX  1024
#define IP_RULES_MAX  1000
#define NET_RULES_MAX 200
#define ACL_TEXT_MAX  (256u * 1024)

static enum sb_err bad_value(const char *what, struct sb_error *err)
{
    return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for '%s'.", what);
}

/* ---- access policies ---- */

static enum sb_err read_policy(struct request *r, const struct json *j, struct vault_policy *p,
                               struct sb_error *err)
{
    static const char where[] = "properties.accessPolicies";
    enum sb_err rc;
    const struct json *permissions = NULL;
    if (!json_is_object(j))
        return bad_value("accessPolicies", err);
    SB_TRY(json_opt_str(j, where, "tenantId", &p->tenant, err));
    SB_TRY(json_opt_str(j, where, "objectId", &p->oid, err));
    SB_TRY(json_opt_str(j, where, "applicationId", &p->appid, err));
    SB_TRY(json_opt_obj(j, where, "permissions", &permissions, err));
    p->permissions = permissions ? json_print(permissions, r->arena) : NULL;
out:
    return rc;
}

enum sb_err arm_vault_policies_read(struct request *r, const struct json *list, struct vault_policy **ret,
                                    size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = json_size(list), i = 0;
    if (n > POLICIES_MAX)
        return bad_value("accessPolicies", err);
    struct vault_policy *p = ARENA_ARRAY(r->arena, struct vault_policy, n + 1);
    if (!p)
        return sb_fail(err, SB_ENOMEM, "out of memory for access policies");
    JSON_FOREACH (j, list)
        SB_TRY(read_policy(r, j, &p[i++], err));
    *ret = p;
    *ret_n = n;
out:
    return rc;
}

void arm_vault_policies_write(struct jw *w, const struct vault *v)
{
    jw_arr(w, "accessPolicies");
    for (size_t i = 0; i < v->policies_n; i++) {
        const struct vault_policy *p = &v->policies[i];
        jw_obj(w, NULL);
        jw_str(w, "tenantId", p->tenant);
        jw_str(w, "objectId", p->oid);
        jw_str(w, "applicationId", p->appid);
        jw_raw(w, "permissions", p->permissions);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* ---- network rules ---- */

/* The text of a rule. */
static enum sb_err rule_text(const struct json *j, const char *name, const char *member, const char **ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    if (!json_is_object(j))
        return bad_value(name, err);
    SB_TRY(json_opt_str(j, name, member, ret, err));
    if (*ret == NULL)
        rc = bad_value(name, err);
out:
    return rc;
}

/* Writes the rules as the service shows them, a single IPv4 address with /32 (specified), and collects them,
 * comma-separated. */
static enum sb_err copy_ip_rules(struct jw *w, const struct json *list, struct sb_buf *ips,
                                 struct sb_error *err)
{
    static const char name[] = "ipRules";
    enum sb_err rc = SB_OK;
    if (json_size(list) > IP_RULES_MAX)
        return bad_value(name, err);
    jw_arr(w, name);
    JSON_FOREACH (j, list) {
        const char *v = NULL;
        SB_TRY(rule_text(j, name, "value", &v, err));
        if (!vault_ip_rule_ok(v))
            return bad_value(name, err);
        const char *bits = strpbrk(v, "/:") != NULL ? "" : "/32";
        buf_addf(ips, "%s%s%s", ips->n ? "," : "", v, bits);
        jw_obj(w, NULL);
        jw_strf(w, "value", "%s%s", v, bits);
        jw_end_obj(w);
    }
    jw_end_arr(w);
out:
    return rc;
}

/* Ids of subnets are shown in lower case (specified, recorded). */
static enum sb_err copy_net_rules(struct request *r, struct jw *w, const struct json *list,
                                  struct sb_error *err)
{
    static const char name[] = "virtualNetworkRules";
    enum sb_err rc = SB_OK;
    if (json_size(list) > NET_RULES_MAX)
        return bad_value(name, err);
    jw_arr(w, name);
    JSON_FOREACH (j, list) {
        const char *id = NULL;
        int ignore = -1;
        SB_TRY(rule_text(j, name, "id", &id, err));
        SB_TRY(json_opt_bool(j, name, "ignoreMissingVnetServiceEndpoint", &ignore, err));
        jw_obj(w, NULL);
        jw_str(w, "id", text_tolower(arena_strdup(r->arena, id)));
        if (ignore >= 0)
            jw_bool(w, "ignoreMissingVnetServiceEndpoint", ignore == 1);
        jw_end_obj(w);
    }
    jw_end_arr(w);
out:
    return rc;
}

/* One of two words, whatever its case; absent is the first. */
static enum sb_err read_word(const struct json *obj, const char *where, const char *key, const char *first,
                             const char *second, bool *ret_second, struct sb_error *err)
{
    enum sb_err rc;
    const char *v = NULL;
    SB_TRY(json_opt_str(obj, where, key, &v, err));
    if (v && !text_ieq(v, first) && !text_ieq(v, second))
        return bad_value(key, err);
    *ret_second = v && text_ieq(v, second);
out:
    return rc;
}

static enum sb_err read_acls(struct request *r, const struct json *acls, struct vault_spec *s,
                             struct sb_error *err)
{
    static const char where[] = "properties.networkAcls";
    enum sb_err rc;
    bool none = false, deny = false;
    const struct json *ip_rules = NULL, *net_rules = NULL;
    struct sb_buf text, ips;
    struct jw w;
    buf_init(&text, ACL_TEXT_MAX);
    buf_init(&ips, ACL_TEXT_MAX);
    jw_init(&w, &text);
    SB_TRY(read_word(acls, where, "bypass", "AzureServices", "None", &none, err));
    SB_TRY(read_word(acls, where, "defaultAction", "Allow", "Deny", &deny, err));
    SB_TRY(json_opt_arr(acls, where, "ipRules", &ip_rules, err));
    SB_TRY(json_opt_arr(acls, where, "virtualNetworkRules", &net_rules, err));
    jw_obj(&w, NULL);
    jw_str(&w, "bypass", none ? "None" : "AzureServices");
    jw_str(&w, "defaultAction", deny ? "Deny" : "Allow");
    SB_TRY(copy_ip_rules(&w, ip_rules, &ips, err));
    SB_TRY(copy_net_rules(r, &w, net_rules, err));
    jw_end_obj(&w);
    s->acl_deny = deny;
    s->acl_bypass_azure = !none;
    s->acl_ips = arena_strdup(r->arena, buf_str(&ips));
    /* Rules that say nothing are not shown (recorded). */
    bool shown = none || deny || json_size(ip_rules) > 0 || json_size(net_rules) > 0;
    s->network_acls = shown ? arena_strdup(r->arena, buf_str(&text)) : "";
    if (buf_failed(&text) || buf_failed(&ips) || !s->acl_ips || !s->network_acls)
        rc = sb_fail(err, SB_ETOOLARGE, "The network rules are too large.");
out:
    buf_done(&text);
    buf_done(&ips);
    return rc;
}

/* ---- the body ---- */

/* Also as text: the article's PowerShell adds these two to a vault as "true". */
static enum sb_err read_flag(const struct json *p, const char *where, const char *key, int *ret,
                             struct sb_error *err)
{
    const char *text = json_text(json_get(p, key));
    bool on = text && text_ieq(text, "true");
    if (!on && !(text && text_ieq(text, "false")))
        return json_opt_bool(p, where, key, ret, err);
    *ret = on;
    return SB_OK;
}

static enum sb_err read_properties(struct request *r, const struct json *p, struct vault_spec *s,
                                   struct sb_error *err)
{
    static const char where[] = "properties";
    enum sb_err rc;
    const struct json *sku = NULL, *acls = NULL, *policies = NULL;
    const char *family = NULL, *access = NULL;
    bool disabled = false;
    int64_t days = -1;
    SB_TRY(json_opt_str(p, where, "tenantId", &s->tenant, err));
    SB_TRY(json_opt_obj(p, where, "sku", &sku, err));
    SB_TRY(json_opt_str(sku, "properties.sku", "name", &s->sku, err));
    SB_TRY(json_opt_str(sku, "properties.sku", "family", &family, err));
    if (family && !text_ieq(family, "A"))
        return bad_value("sku", err);
    SB_TRY(read_flag(p, where, "enableSoftDelete", &s->soft_delete, err));
    SB_TRY(json_opt_i64(p, where, "softDeleteRetentionInDays", 0, INT32_MAX, &days, err));
    s->soft_delete_days = (int)days;
    SB_TRY(read_flag(p, where, "enablePurgeProtection", &s->purge_protection, err));
    SB_TRY(json_opt_bool(p, where, "enableRbacAuthorization", &s->rbac, err));
    SB_TRY(json_opt_bool(p, where, "enabledForDeployment", &s->for_deployment, err));
    SB_TRY(json_opt_bool(p, where, "enabledForDiskEncryption", &s->for_disk, err));
    SB_TRY(json_opt_bool(p, where, "enabledForTemplateDeployment", &s->for_template, err));
    SB_TRY(read_word(p, where, "createMode", "default", "recover", &s->recover, err));
    SB_TRY(json_opt_str(p, where, "publicNetworkAccess", &access, err));
    if (access) {
        SB_TRY(read_word(p, where, "publicNetworkAccess", "Enabled", "Disabled", &disabled, err));
        s->public_access = !disabled;
    }
    SB_TRY(json_opt_obj(p, where, "networkAcls", &acls, err));
    if (acls)
        SB_TRY(read_acls(r, acls, s, err));
    SB_TRY(json_opt_arr(p, where, "accessPolicies", &policies, err));
    if (policies) {
        struct vault_policy *list = NULL;
        SB_TRY(arm_vault_policies_read(r, policies, &list, &s->policies_n, err));
        s->policies = list;
        s->has_policies = true;
    }
out:
    return rc;
}

enum sb_err arm_vault_read(struct request *r, const struct json *body, struct vault_spec *s,
                           struct sb_error *err)
{
    enum sb_err rc;
    const struct json *properties = NULL;
    /* Documented: from this api-version on role-based access is the default of a new vault. */
    s->rbac_default = strcmp(r->api_version, "2026-02-01") >= 0;
    SB_TRY(arm_location(r, body, false, &s->location, err));
    SB_TRY(arm_tags(r, body, &s->tags, err));
    SB_TRY(json_opt_obj(body, "", "properties", &properties, err));
    SB_TRY(read_properties(r, properties, s, err));
out:
    return rc;
}

/* ---- writing ---- */

/* Members that came with later api-versions are shown from those on: both are specified in 2021-10-01 and
 * recorded, here and absent, in previews before it. */
static bool shows(const struct request *r, const char *since)
{
    return strncmp(r->api_version, since, strlen(since)) >= 0;
}

#define SYSTEM_DATA_SINCE   "2021-04-01"
#define PUBLIC_ACCESS_SINCE "2021-06-01"

static void write_flag(struct jw *w, const char *key, int v)
{
    if (v >= 0)
        jw_bool(w, key, v == 1);
}

/* Users are kept by their principal names, applications by their client ids. */
static const char *caller_type(const char *caller)
{
    return strchr(caller, '@') != NULL ? "User" : "Application";
}

static void write_system_data(struct jw *w, const struct vault *v)
{
    char when[TIME_TEXT_MAX];
    jw_obj(w, "systemData");
    jw_str(w, "createdBy", v->created_by);
    jw_str(w, "createdByType", caller_type(v->created_by));
    jw_str(w, "createdAt", time_rfc3339(v->created_ms, when));
    jw_str(w, "lastModifiedBy", v->updated_by);
    jw_str(w, "lastModifiedByType", caller_type(v->updated_by));
    jw_str(w, "lastModifiedAt", time_rfc3339(v->updated_ms, when));
    jw_end_obj(w);
}

static void write_properties(struct request *r, struct jw *w, const struct vault *v)
{
    char *label = text_tolower(arena_strdup(r->arena, v->name));
    jw_obj(w, "properties");
    jw_obj(w, "sku");
    jw_str(w, "family", "A");
    jw_str(w, "name", v->sku);
    jw_end_obj(w);
    jw_str(w, "tenantId", v->tenant);
    jw_raw(w, "networkAcls", v->network_acls);
    arm_vault_policies_write(w, v);
    jw_bool(w, "enabledForDeployment", v->for_deployment == 1);
    write_flag(w, "enabledForDiskEncryption", v->for_disk);
    write_flag(w, "enabledForTemplateDeployment", v->for_template);
    jw_bool(w, "enableSoftDelete", v->soft_delete);
    jw_i64(w, "softDeleteRetentionInDays", v->soft_delete_days);
    write_flag(w, "enableRbacAuthorization", v->rbac);
    if (v->purge_protection)
        jw_bool(w, "enablePurgeProtection", true);
    jw_strf(w, "vaultUri", "%s/", request_base(r, HOST_VAULT, label));
    jw_str(w, "provisioningState", "Succeeded");
    if (shows(r, PUBLIC_ACCESS_SINCE))
        jw_str(w, "publicNetworkAccess", v->public_access ? "Enabled" : "Disabled");
    jw_end_obj(w);
}

void arm_vault_write(struct request *r, struct jw *w, const struct vault *v)
{
    jw_obj(w, NULL);
    jw_str(w, "id", arm_id(r, v->sub, v->group, "Microsoft.KeyVault/vaults/%s", v->name));
    jw_str(w, "name", v->name);
    jw_str(w, "type", "Microsoft.KeyVault/vaults");
    jw_str(w, "location", v->location);
    jw_raw(w, "tags", v->tags);
    if (shows(r, SYSTEM_DATA_SINCE))
        write_system_data(w, v);
    write_properties(r, w, v);
    jw_end_obj(w);
}

void arm_vault_deleted_write(struct request *r, struct jw *w, const struct vault *v)
{
    char when[TIME_TEXT_MAX];
    jw_obj(w, NULL);
    jw_str(w, "id",
           arm_id(r, v->sub, NULL, "Microsoft.KeyVault/locations/%s/deletedVaults/%s", v->location, v->name));
    jw_str(w, "name", v->name);
    jw_str(w, "type", "Microsoft.KeyVault/deletedVaults");
    jw_obj(w, "properties");
    jw_str(w, "vaultId", arm_id(r, v->sub, v->group, "Microsoft.KeyVault/vaults/%s", v->name));
    jw_str(w, "location", v->location);
    jw_raw(w, "tags", v->tags);
    jw_str(w, "deletionDate", time_rfc3339(v->deleted_ms / 1000 * 1000, when)); /* whole seconds (recorded) */
    jw_str(w, "scheduledPurgeDate", time_rfc3339(v->purge_ms / 1000 * 1000, when));
    if (v->purge_protection)
        jw_bool(w, "purgeProtectionEnabled", true);
    jw_end_obj(w);
    jw_end_obj(w);
}
