/*
 * entra.c: discovery of the emulated directory: what an authority offers, its keys, which authorities there
 * are.
 *
 * Addresses in answers are those of the name and port that was asked: clients compare the issuer with their
 * authority.
 */
#include "api/entra.h"
#include <string.h>
#include "api/hosts.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

static const char *tenant(const struct request *r)
{
    const char *t = request_param(r, "tenant");
    return t != NULL ? t : "common";
}

bool entra_is_adfs(const struct request *r)
{
    return text_ieq(tenant(r), "adfs");
}

bool entra_tenant_ok(const struct request *r)
{
    static const char *const tenants[] = {ENGINE_TENANT, ENGINE_DOMAIN, "common", "organizations", "adfs"};
    for (size_t i = 0; i < SB_ARRAY_LEN(tenants); i++) {
        if (text_ieq(tenants[i], tenant(r)))
            return true;
    }
    return false;
}

enum sb_err entra_check_tenant(const struct request *r, struct sb_error *err)
{
    return entra_tenant_ok(r) ? SB_OK : aadsts_fail(err, AADSTS_90002, tenant(r));
}

/* ---- what an authority offers ---- */

static void write_texts(struct jw *w, const char *key, const char *const *list, size_t n)
{
    jw_arr(w, key);
    for (size_t i = 0; i < n; i++)
        jw_str(w, NULL, list[i]);
    jw_end_arr(w);
}

#define WRITE_TEXTS(w, key, ...)                                                                             \
    do {                                                                                                     \
        static const char *const list[] = {__VA_ARGS__};                                                     \
        write_texts(w, key, list, SB_ARRAY_LEN(list));                                                       \
    } while (0)

/* Members in the recorded order. v: "/v2.0" or "". */
static void write_openid(struct request *r, struct jw *w, const char *base, const char *v)
{
    const char *at = tenant(r);
    jw_obj(w, NULL);
    jw_strf(w, "token_endpoint", "%s/%s/oauth2%s/token", base, at, v);
    WRITE_TEXTS(w, "token_endpoint_auth_methods_supported", "client_secret_post", "private_key_jwt",
                "client_secret_basic");
    jw_strf(w, "jwks_uri", "%s/%s/discovery%s/keys", base, at, v);
    WRITE_TEXTS(w, "response_modes_supported", "query", "fragment", "form_post");
    WRITE_TEXTS(w, "subject_types_supported", "pairwise");
    WRITE_TEXTS(w, "id_token_signing_alg_values_supported", "RS256");
    WRITE_TEXTS(w, "response_types_supported", "code", "id_token", "code id_token", "id_token token");
    WRITE_TEXTS(w, "scopes_supported", "openid", "profile", "email", "offline_access");
    if (entra_is_adfs(r))
        jw_strf(w, "issuer", "%s/adfs", base);
    else if (*v != '\0')
        jw_strf(w, "issuer", "%s/" ENGINE_TENANT "/v2.0", base);
    else
        jw_str(w, "issuer", "https://sts.windows.net/" ENGINE_TENANT "/");
    jw_bool(w, "request_uri_parameter_supported", false);
    jw_strf(w, "userinfo_endpoint", "%s/oidc/userinfo", request_base(r, HOST_GRAPH, NULL));
    jw_strf(w, "authorization_endpoint", "%s/%s/oauth2%s/authorize", base, at, v);
    jw_strf(w, "device_authorization_endpoint", "%s/%s/oauth2%s/devicecode", base, at, v);
    jw_bool(w, "http_logout_supported", true);
    jw_bool(w, "frontchannel_logout_supported", true);
    jw_strf(w, "end_session_endpoint", "%s/%s/oauth2%s/logout", base, at, v);
    WRITE_TEXTS(w, "claims_supported", "sub", "iss", "cloud_instance_name", "cloud_instance_host_name",
                "cloud_graph_host_name", "msgraph_host", "aud", "exp", "iat", "auth_time", "acr", "nonce",
                "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email");
    jw_strf(w, "kerberos_endpoint", "%s/%s/kerberos", base, at); /* nothing answers there */
    jw_str(w, "tenant_region_scope", "WW");
    jw_str(w, "cloud_instance_name", "microsoftonline.com");
    jw_str(w, "cloud_graph_host_name", "graph.windows.net");
    jw_str(w, "msgraph_host", request_authority(r, HOST_GRAPH, NULL, false));
    jw_str(w, "rbac_url", "https://pas.windows.net");
    jw_end_obj(w);
}

static enum sb_err openid(struct request *r, const char *v, struct sb_error *err)
{
    if (!entra_tenant_ok(r))
        return aadsts_fail(err, AADSTS_90002_DISCOVERY, tenant(r));
    struct jw w = reply_json(r, 200);
    write_openid(r, &w, request_base(r, HOST_LOGIN, NULL), v);
    return SB_OK;
}

static enum sb_err openid_v1(struct request *r, struct sb_error *err)
{
    return openid(r, "", err);
}

static enum sb_err openid_v2(struct request *r, struct sb_error *err)
{
    return openid(r, "/v2.0", err);
}

static enum sb_err keys(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct directory_jwk k;
    if (!entra_tenant_ok(r))
        return aadsts_fail(err, AADSTS_90002_DISCOVERY, tenant(r));
    SB_TRY(directory_jwks(r->e, r->arena, &k, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "keys");
    jw_obj(&w, NULL);
    jw_str(&w, "kty", "RSA");
    jw_str(&w, "use", "sig");
    jw_str(&w, "kid", k.kid);
    jw_str(&w, "x5t", k.kid);
    jw_str(&w, "n", k.n);
    jw_str(&w, "e", k.e);
    jw_str(&w, "alg", "RS256");
    jw_end_obj(&w);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- which authorities there are ---- */

static void write_authority(struct jw *w, const char *network, const char *cache, const char *const *aliases,
                            size_t n)
{
    jw_obj(w, NULL);
    jw_str(w, "preferred_network", network);
    jw_str(w, "preferred_cache", cache);
    write_texts(w, "aliases", aliases, n);
    jw_end_obj(w);
}

static void write_authorities(struct request *r, struct jw *w)
{
    static const char *const public_names[] = {"login.microsoftonline.com", "login.windows.net",
                                               "login.microsoft.com", "sts.windows.net"};
    static const char *const china[] = {"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"};
    static const char *const germany[] = {"login.microsoftonline.de"};
    static const char *const government[] = {"login.microsoftonline.us", "login.usgovcloudapi.net"};
    static const char *const us[] = {"login-us.microsoftonline.com"};
    jw_arr(w, "metadata");
    if (!r->real_name) {
        const char *own = request_authority(r, HOST_LOGIN, NULL, false);
        write_authority(w, own, own, &own, 1);
    }
    write_authority(w, public_names[0], public_names[1], public_names, SB_ARRAY_LEN(public_names));
    write_authority(w, china[0], china[0], china, SB_ARRAY_LEN(china));
    write_authority(w, germany[0], germany[0], germany, SB_ARRAY_LEN(germany));
    write_authority(w, government[0], government[0], government, SB_ARRAY_LEN(government));
    write_authority(w, us[0], us[0], us, SB_ARRAY_LEN(us));
    jw_end_arr(w);
}

/* The authority's host, from "https://host[:port]/tenant/oauth2/v2.0/authorize"; NULL if it is none. */
static const char *endpoint_host(struct request *r, const char *endpoint)
{
    if (!text_istarts(endpoint, "https://"))
        return NULL;
    const char *host = endpoint + strlen("https://");
    return arena_strndup(r->arena, host, strcspn(host, "/?#"));
}

static bool instance_ok(struct request *r, const char *endpoint)
{
    struct host_match m;
    const char *host = endpoint_host(r, endpoint);
    return host != NULL && hosts_match(host, r->arena, &m) && (m.plane == PLANE_LOGIN || m.bare);
}

static enum sb_err instance(struct request *r, struct sb_error *err)
{
    const char *endpoint = request_query(r, "authorization_endpoint");
    const char *found;
    if (endpoint == NULL) {
        found = arena_printf(r->arena, "%s/" ENGINE_TENANT "/v2.0/.well-known/openid-configuration",
                             request_base(r, HOST_LOGIN, NULL));
    } else if (!instance_ok(r, endpoint)) {
        return sb_fail(err, SB_EINVALIDINSTANCE, "Unknown or invalid instance.");
    } else {
        bool v2 = text_ends(endpoint, "/oauth2/v2.0/authorize");
        const char *end = strstr(endpoint, "/oauth2/");
        size_t n = end != NULL ? (size_t)(end - endpoint) : strlen(endpoint);
        found = arena_printf(r->arena, "%.*s%s/.well-known/openid-configuration", (int)n, endpoint,
                             v2 ? "/v2.0" : "");
    }
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "tenant_discovery_endpoint", found);
    jw_str(&w, "api-version", "1.1");
    write_authorities(r, &w);
    jw_end_obj(&w);
    return SB_OK;
}

/* Every name counts as one of this directory; that nobody has an account here is said when somebody signs in.
 */
static enum sb_err user_realm(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    const char *user = request_param(r, "user"), *at = strchr(user, '@');
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "ver", "1.0");
    jw_str(&w, "account_type", "Managed");
    jw_str(&w, "domain_name", at != NULL ? at + 1 : user);
    jw_str(&w, "cloud_instance_name", "microsoftonline.com");
    jw_str(&w, "cloud_audience_urn", "urn:federation:MicrosoftOnline");
    jw_end_obj(&w);
    return SB_OK;
}

#define CONFIG ".well-known/openid-configuration"

static const struct route rows[] = {
    {"POST", PLANE_LOGIN, "/{tenant}/oauth2/v2.0/token", R_FORM, 65536, entra_token, "EntraToken"},
    {"POST", PLANE_LOGIN, "/{tenant}/oauth2/token", R_FORM, 65536, entra_token, "EntraTokenV1"},
    {"GET", PLANE_LOGIN, "/{tenant}/v2.0/" CONFIG, 0, 0, openid_v2, "EntraOpenidConfiguration"},
    {"GET", PLANE_LOGIN, "/{tenant}/" CONFIG, 0, 0, openid_v1, "EntraOpenidConfigurationV1"},
    {"GET", PLANE_LOGIN, "/{tenant}/discovery/v2.0/keys", 0, 0, keys, "EntraKeys"},
    {"GET", PLANE_LOGIN, "/{tenant}/discovery/keys", 0, 0, keys, "EntraKeysV1"},
    {"GET", PLANE_LOGIN, "/common/discovery/instance", 0, 0, instance, "EntraInstance"},
    {"POST", PLANE_LOGIN, "/{tenant}/oauth2/v2.0/devicecode", R_FORM, 16384, entra_device, "EntraDeviceCode"},
    {"POST", PLANE_LOGIN, "/{tenant}/oauth2/devicecode", R_FORM, 16384, entra_device, "EntraDeviceCodeV1"},
    {"GET", PLANE_LOGIN, "/common/oauth2/deviceauth", 0, 0, entra_device_page, "EntraDevicePage"},
    {"POST", PLANE_LOGIN, "/common/oauth2/deviceauth", R_FORM, 16384, entra_device_sign_in,
     "EntraDeviceSignIn"},
    {"GET", PLANE_LOGIN, "/{tenant}/oauth2/v2.0/authorize", 0, 0, entra_authorize, "EntraAuthorize"},
    {"GET", PLANE_LOGIN, "/{tenant}/oauth2/authorize", 0, 0, entra_authorize, "EntraAuthorizeV1"},
    {"POST", PLANE_LOGIN, "/{tenant}/login", R_FORM, 65536, entra_authorize_sign_in, "EntraSignIn"},
    {"GET", PLANE_LOGIN, "/{tenant}/oauth2/v2.0/logout", 0, 0, entra_logout, "EntraLogout"},
    {"GET", PLANE_LOGIN, "/{tenant}/oauth2/logout", 0, 0, entra_logout, "EntraLogoutV1"},
    {"GET", PLANE_LOGIN, "/common/userrealm/{user}", 0, 0, user_realm, "EntraUserRealm"},
};
const struct route_table routes_entra = {rows, SB_ARRAY_LEN(rows)};
