/*
 * auth.c: authentication of the planes. What a refusal says is the plane's own wording: recorded for Key
 * Vault (AKV…), documented or reported by users for ARM and Graph; the vault's sentence for an expired token
 * is an older one of the service.
 */
#include "api/auth.h"
#include <string.h>
#include "api/sas.h"
#include "server/base/text.h"
#include "server/engine/ns.h"

/* ---- audiences: each plane's real and local resource, and its application id ---- */

static const char *const arm_audiences[] = {
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.localhost",
    "https://localhost",
    "https://127.0.0.1",
    "https://[::1]",
    "797f4846-ba00-4fd7-ba43-dac1f8f63013",
};
static const char *const vault_audiences[] = {
    "https://vault.azure.net",
    "https://vault.localhost",
    "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
};
static const char *const graph_audiences[] = {
    "https://graph.microsoft.com", "https://graph.localhost", "https://localhost/graph",
    "https://127.0.0.1/graph",     "https://[::1]/graph",     "00000003-0000-0000-c000-000000000000",
};

static const struct {
    const char *const *names;
    size_t n;
} audiences[PLANE_MAX] = {
    [PLANE_ARM] = {arm_audiences, SB_ARRAY_LEN(arm_audiences)},
    [PLANE_VAULT] = {vault_audiences, SB_ARRAY_LEN(vault_audiences)},
    [PLANE_GRAPH] = {graph_audiences, SB_ARRAY_LEN(graph_audiences)},
};

const char *const *auth_audiences(enum plane plane, size_t *ret_n)
{
    *ret_n = audiences[plane].n;
    return audiences[plane].names;
}

/* ---- refusals ---- */

/* before CLAIM after; claim NULL: before alone. Where there is no row, the directory's own sentence stays. */
static const struct wording {
    enum plane plane;
    enum sb_err code;
    const char *claim, *before, *after;
} wordings[] = {
    {PLANE_ARM, SB_ENOTOKEN, NULL, "Authentication failed. The 'Authorization' header is missing.", ""},
    {PLANE_ARM, SB_EBADTOKEN, NULL, "The access token is invalid.", ""},
    {PLANE_ARM, SB_EAUDIENCE, "aud", "The access token has been obtained for wrong audience or resource '",
     "'. It should exactly match with one of the allowed audiences 'https://management.core.windows.net/',"
     "'https://management.core.windows.net','https://management.azure.com/','https://management.azure.com'."},
    {PLANE_ARM, SB_EISSUER, "iss", "The access token is from the wrong issuer '",
     "'. It must match the tenant 'https://sts.windows.net/" ENGINE_TENANT
     "/' associated with this subscription. Please use the "
     "authority (URL) 'https://login.windows.net/" ENGINE_TENANT
     "' to get the token. Note, if the subscription is transferred to "
     "another tenant there is no impact to the services, but information about new tenant could take time to "
     "propagate (up to an "
     "hour). If you just transferred your subscription and see this error message, please try back later."},
    {PLANE_VAULT, SB_ENOTOKEN, NULL, "AKV10000: Request is missing a Bearer or PoP token.", ""},
    {PLANE_VAULT, SB_EBADTOKEN, NULL, "AKV10046: Unable to resolve the key used for signature validation.",
     ""},
    {PLANE_VAULT, SB_EEXPIREDTOKEN, NULL,
     "Error validating token: 'IDX10223: Lifetime validation failed. The token is expired.'.", ""},
    {PLANE_VAULT, SB_EAUDIENCE, "aud",
     "AKV10022: Invalid audience. Expected https://vault.azure.net or cfa8b339-82a2-471a-a3c9-0fc0be7a4093, "
     "found: ",
     "."},
    {PLANE_VAULT, SB_EISSUER, "iss",
     "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/" ENGINE_TENANT "/, found ", "."},
    {PLANE_GRAPH, SB_ENOTOKEN, NULL, "Access token is empty.", ""},
    {PLANE_GRAPH, SB_EBADTOKEN, NULL, "Access token validation failure. Invalid signature.", ""},
    {PLANE_GRAPH, SB_EEXPIREDTOKEN, NULL, "Lifetime validation failed, the token is expired.", ""},
    {PLANE_GRAPH, SB_EAUDIENCE, NULL, "Access token validation failure. Invalid audience.", ""},
    {PLANE_GRAPH, SB_EISSUER, NULL, "Access token validation failure. Invalid issuer.", ""},
};

/* A claim of a token that was refused, for the message alone; "" when it cannot be read. */
static const char *claim_of(struct request *r, const char *token, const char *name)
{
    const char *text = NULL;
    size_t n = 0;
    struct json *j = NULL;
    const char *body = token ? strchr(token, '.') : NULL;
    if (!body)
        return "";
    body++;
    uint8_t *p = b64url_decode(r->arena, body, strcspn(body, "."), &n);
    if (p && json_parse(p, n, &j, NULL) == SB_OK)
        text = arena_strdup(r->arena, json_text(json_get(j, name)));
    json_free(j);
    return text ? text : "";
}

/* Puts the plane's wording into err. */
static enum sb_err refuse(struct request *r, enum sb_err code, const char *token, struct sb_error *err)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(wordings); i++) {
        const struct wording *w = &wordings[i];
        if (w->plane == r->plane && w->code == code)
            return sb_fail(err, code, "%s%.400s%s", w->before, w->claim ? claim_of(r, token, w->claim) : "",
                           w->after);
    }
    return code;
}

/* ---- checking ---- */

/* The token behind "Bearer ", NULL if there is none. */
static const char *bearer(const struct request *r)
{
    const char *v = request_header(r, "Authorization");
    if (!v || !text_istarts(v, "Bearer "))
        return NULL;
    v += strlen("Bearer ");
    v += strspn(v, " ");
    return *v ? v : NULL;
}

static enum sb_err check_bearer(struct request *r, struct sb_error *err)
{
    const char *token = bearer(r);
    if (!token)
        return refuse(r, SB_ENOTOKEN, NULL, err);
    enum sb_err rc =
        directory_verify(r->e, token, audiences[r->plane].names, audiences[r->plane].n, &r->who, err);
    if (rc != SB_OK)
        return refuse(r, rc, token, err);
    r->has_who = true;
    return SB_OK;
}

static const struct {
    unsigned flag, right;
    const char *name;
} bus_rights[] = {
    {R_SEND, RIGHT_SEND, "Send"}, {R_LISTEN, RIGHT_LISTEN, "Listen"}, {R_MANAGE, RIGHT_MANAGE, "Manage"}};

static enum sb_err check_bus(struct request *r, struct sb_error *err)
{
    enum sb_err rc = sas_authorize(r, err);
    if (rc != SB_OK)
        return rc;
    for (size_t i = 0; i < SB_ARRAY_LEN(bus_rights); i++) {
        if ((r->route->flags & bus_rights[i].flag) && !(r->sas_rights & bus_rights[i].right))
            return sb_fail(err, SB_EDENIED,
                           "Unauthorized access. '%s' claim(s) are required to perform this operation. "
                           "Resource: 'sb://%s%.300s'.",
                           bus_rights[i].name, request_authority(r, HOST_BUS, r->host_label, false), r->path);
    }
    return SB_OK;
}

enum sb_err auth_check(struct request *r, struct sb_error *err)
{
    if (!(r->route->flags & R_AUTH))
        return SB_OK;
    return r->plane == PLANE_BUS ? check_bus(r, err) : check_bearer(r, err);
}

/* ---- challenges ---- */

/* The names an SDK compares are the vault's host without its first label: so the resource carries the port
 * that the client used. JavaScript and .NET ignore it, Python and Go compare it; a token's audience is
 * compared without it. */
static void vault_challenge(struct request *r)
{
    reply_headerf(r, "WWW-Authenticate",
                  "Bearer authorization=\"%s/" ENGINE_TENANT "\", resource=\"https://%s%s\"",
                  request_base(r, HOST_LOGIN, NULL), r->real_name ? "vault.azure.net" : "vault.localhost",
                  r->host_port);
}

static void arm_challenge(struct request *r, const char *message)
{
    char *text = arena_strdup(r->arena, message);
    for (char *p = text; p && *p; p++) {
        if (*p == '"' || *p == '\\')
            *p = '\'';
    }
    reply_headerf(r, "WWW-Authenticate",
                  "Bearer authorization_uri=\"%s/" ENGINE_TENANT
                  "\", error=\"invalid_token\", error_description=\"%s\"",
                  request_base(r, HOST_LOGIN, NULL), text ? text : "");
}

static void graph_challenge(struct request *r)
{
    reply_headerf(r, "WWW-Authenticate",
                  "Bearer realm=\"\", authorization_uri=\"%s/common/oauth2/authorize\", "
                  "client_id=\"00000003-0000-0000-c000-000000000000\"",
                  request_base(r, HOST_LOGIN, NULL));
}

void auth_challenge(struct request *r, const char *message)
{
    switch (r->plane) {
    case PLANE_ARM: arm_challenge(r, message); break;
    case PLANE_VAULT: vault_challenge(r); break;
    case PLANE_GRAPH: graph_challenge(r); break;
    case PLANE_LOGIN:
    case PLANE_BUS:
    case PLANE_CONTROL:
    case PLANE_MAX: break;
    }
}
