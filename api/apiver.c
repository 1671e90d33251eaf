/* apiver.c: api-versions, one table row per resource provider. */
#include "api/apiver.h"
#include <string.h>
#include "server/base/text.h"

/* Microsoft.ServiceBus, documented. */
static const char *const bus_versions[] = {
    "2017-04-01", "2018-01-01-preview", "2021-01-01-preview", "2021-06-01-preview",
    "2021-11-01", "2022-01-01-preview", "2022-10-01-preview", "2023-01-01-preview",
    "2024-01-01", "2025-05-01-preview", "2026-01-01",         "2026-07-01-preview",
};

static const struct provider {
    const char *name;
    const char *const *versions; /* NULL: any date not before min */
    size_t versions_n;
    const char *min;
    bool core; /* Azure Resource Manager's own: other words for a bad version */
} providers[] = {
    {"Microsoft.ServiceBus", bus_versions, SB_ARRAY_LEN(bus_versions), "2017-04-01", false},
    {"Microsoft.KeyVault", NULL, 0, "2015-06-01", false},
    {"Microsoft.ManagedIdentity", NULL, 0, "2015-08-31", false},
    {"Microsoft.Authorization", NULL, 0, "2014-04-01", false},
    {"Microsoft.Insights", NULL, 0, "2014-04-01", false},
    {"Microsoft.Resources", NULL, 0, "2014-04-01", true},
};

/* (choice) The emulator takes any location; the service's sentence lists some. */
static const char locations[] =
    "australiaeast, brazilsouth, canadacentral, centralus, eastasia, eastus, eastus2, francecentral, "
    "germanywestcentral, japaneast, northeurope, southeastasia, uksouth, westeurope, westus, westus2";

static const struct provider *provider_named(const char *name, size_t n)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(providers); i++) {
        if (strlen(providers[i].name) == n && text_ieqn(providers[i].name, name, n))
            return &providers[i];
    }
    return NULL;
}

/* Behind the last "/providers/" of a path or template, NULL if there is none. */
static const char *behind_providers(const char *path)
{
    static const char mark[] = "/providers/";
    const char *last = NULL;
    for (const char *p = path; *p; p++) {
        if (*p == '/' && text_istarts(p, mark))
            last = p + strlen(mark);
    }
    return last && *last ? last : NULL;
}

/* "namespaces/queues" of the template "Microsoft.ServiceBus/namespaces/{ns}/queues/{q}". */
static const char *template_type(struct sb_arena *a, const char *p)
{
    const char *type = "";
    p += strcspn(p, "/");
    while (*(p += strspn(p, "/"))) {
        int n = (int)strcspn(p, "/");
        if (*p != '{')
            type = arena_printf(a, "%s%s%.*s", type, *type ? "/" : "", n, p);
        if (!type)
            return "";
        p += n;
    }
    return type;
}

/* "vaults/keys" of the path "/vaults/NAME/keys/NAME/…": names and types take turns. */
static const char *path_type(struct sb_arena *a, const char *p)
{
    const char *type = "";
    bool name = false;
    for (; *(p += strspn(p, "/")) && type; name = !name) {
        int n = (int)strcspn(p, "/");
        if (!name)
            type = arena_printf(a, "%s%s%.*s", type, *type ? "/" : "", n, p);
        p += n;
    }
    return type ? type : "";
}

/* ---- values ---- */

static bool two_digits(const char *p, char max)
{
    return p[0] >= '0' && p[0] <= max && p[1] >= '0' && p[1] <= '9';
}

/* "2024-01-01" or "2024-01-01-preview" (any word of lower-case letters). */
static bool is_date(const char *v)
{
    size_t n = strlen(v);
    if (n < 10 || n > 40 || v[4] != '-' || v[7] != '-' || !two_digits(v, '2') || !two_digits(v + 2, '9') ||
        !two_digits(v + 5, '1') || !two_digits(v + 8, '3'))
        return false;
    int month = (v[5] - '0') * 10 + v[6] - '0', day = (v[8] - '0') * 10 + v[9] - '0';
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    return n == 10 || (v[10] == '-' && n > 11 && strspn(v + 11, "abcdefghijklmnopqrstuvwxyz") == n - 11);
}

static bool accepts(const struct provider *p, const char *v)
{
    if (!p->versions)
        return is_date(v) && strncmp(v, p->min, 10) >= 0;
    for (size_t i = 0; i < p->versions_n; i++) {
        if (text_ieq(p->versions[i], v))
            return true;
    }
    return false;
}

/* The list in a message: what the table names, else the oldest. */
static const char *supported(struct sb_arena *a, const struct provider *p, const char *separator)
{
    const char *text = "";
    if (!p->versions)
        return p->min;
    for (size_t i = 0; i < p->versions_n && text; i++)
        text = arena_printf(a, "%s%s%s", text, i ? separator : "", p->versions[i]);
    return text ? text : "";
}

static enum sb_err refuse(struct request *r, const struct provider *p, const char *type, struct sb_error *err)
{
    const char *location = json_text(json_get(r->json, "location"));
    if (p->core)
        return sb_fail(err, SB_EAPIVERSIONPARAM,
                       "The api-version '%.60s' is invalid. The supported versions are '%s'.", r->api_version,
                       supported(r->arena, p, ","));
    if (location)
        return sb_fail(err, SB_EAPIVERSION,
                       "No registered resource provider found for location '%.60s' and API version '%.60s' "
                       "for type '%.100s'. The "
                       "supported api-versions are '%s'. The supported locations are '%s'.",
                       location, r->api_version, type, supported(r->arena, p, ", "), locations);
    return sb_fail(err, SB_ENOTYPE,
                   "The resource type '%.100s' could not be found in the namespace '%s' for api version "
                   "'%.60s'. The supported "
                   "api-versions are '%s'.",
                   type, p->name, r->api_version, supported(r->arena, p, ","));
}

static enum sb_err check_arm(struct request *r, struct sb_error *err)
{
    static const struct provider *const core = &providers[SB_ARRAY_LEN(providers) - 1];
    if (!r->api_version)
        return sb_fail(err, SB_ENOAPIVERSION,
                       "The api-version query parameter (?api-version=) is required for all requests.");
    const char *tail = behind_providers(r->route->path);
    const struct provider *p = tail ? provider_named(tail, strcspn(tail, "/")) : core;
    if (!p)
        p = core;
    return accepts(p, r->api_version) ? SB_OK : refuse(r, p, tail ? template_type(r->arena, tail) : "", err);
}

/* ---- the vaults' data plane: "7.0" to "7.6", previews of these, and dates ---- */

static bool vault_accepts(const char *v)
{
    static const char *const dates[] = {"2015-06-01", "2016-10-01", "2025-07-01", "2026-04-01"};
    for (size_t i = 0; i < SB_ARRAY_LEN(dates); i++) {
        if (strcmp(v, dates[i]) == 0)
            return true;
    }
    if (v[0] != '7' || v[1] != '.' || v[2] < '0' || v[2] > '6')
        return false;
    if (!v[3])
        return true;
    return text_starts(v + 3, "-preview") && strspn(v + 11, ".0123456789") == strlen(v + 11);
}

static enum sb_err check_vault(struct request *r, struct sb_error *err)
{
    if (!r->api_version)
        return sb_fail(err, SB_ENOAPIVERSION, "api-version must be specified");
    if (!vault_accepts(r->api_version))
        return sb_fail(err, SB_EAPIVERSION,
                       "The specified version (%.60s) is not recognized. Consider using the latest supported "
                       "version (2026-04-01).",
                       r->api_version);
    return SB_OK;
}

enum sb_err apiver_check(struct request *r, struct sb_error *err)
{
    const char *v = request_query(r, "api-version");
    r->api_version = v && *v ? v : NULL;
    if (!(r->route->flags & R_APIVER))
        return SB_OK;
    return r->plane == PLANE_VAULT ? check_vault(r, err) : check_arm(r, err);
}

enum sb_err apiver_no_route(struct request *r, struct sb_error *err)
{
    const char *tail = r->plane == PLANE_ARM ? behind_providers(r->path) : NULL;
    const char *version = request_query(r, "api-version");
    if (!tail)
        return SB_ENOROUTE;
    int n = (int)strcspn(tail, "/");
    const struct provider *p = provider_named(tail, (size_t)n);
    if (!p)
        return sb_fail(err, SB_ENOPROVIDER, "The resource namespace '%.*s' is invalid.", SB_MIN(n, 100),
                       tail);
    return sb_fail(err, SB_ENOTYPE,
                   "The resource type '%.100s' could not be found in the namespace '%s' for api version "
                   "'%.60s'.",
                   path_type(r->arena, tail + n), p->name, version ? version : "");
}
