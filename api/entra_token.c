/*
 * entra_token.c: the token endpoint: applications sign in with their secret (grant client_credentials). There
 * are no users, so every other grant is refused in the directory's own words.
 */
#include <string.h>
#include "api/auth.h"
#include "api/entra.h"
#include "api/hosts.h"
#include "server/base/text.h"

#define LIFETIME_S 3600
#define FIELDS_MAX 32
#define DEFAULT    "/.default"

struct form {
    struct request_pair field[FIELDS_MAX];
    size_t n;
};

/* ---- reading the form ---- */

static const char *field(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->field[i].name, name) == 0)
            return f->field[i].value;
    }
    return NULL;
}

static enum sb_err bad_form(struct sb_error *err)
{
    return sb_fail(err, SB_EBADREQUEST, "Invalid input received from the user.");
}

static enum sb_err read_field(struct request *r, struct form *f, const char *p, size_t n,
                              struct sb_error *err)
{
    const char *eq = memchr(p, '=', n);
    size_t name_n = eq != NULL ? (size_t)(eq - p) : n;
    const char *name = percent_decode(r->arena, p, name_n, true);
    const char *value = eq != NULL ? percent_decode(r->arena, eq + 1, n - name_n - 1, true) : "";
    if (name == NULL || value == NULL || !utf8_valid(name, strlen(name)) || !utf8_valid(value, strlen(value)))
        return bad_form(err);
    if (f->n == FIELDS_MAX || field(f, name) != NULL) /* RFC 6749: no parameter more than once */
        return bad_form(err);
    f->field[f->n++] = (struct request_pair){name, value};
    return SB_OK;
}

static enum sb_err read_form(struct request *r, struct form *f, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const char *p = buf_str(&r->body);
    if (strlen(p) != r->body.n)
        return bad_form(err);
    while (*p != '\0') {
        size_t n = strcspn(p, "&");
        if (n > 0)
            SB_TRY(read_field(r, f, p, n, err));
        p += n + (p[n] == '&' ? 1 : 0);
    }
out:
    return rc;
}

static enum sb_err require(const struct form *f, const char *name, const char **ret, struct sb_error *err)
{
    const char *value = field(f, name);
    if (value == NULL || value[0] == '\0')
        return sb_fail(err, SB_EBADREQUEST,
                       "AADSTS900144: The request body must contain the following parameter: '%s'.", name);
    *ret = value;
    return SB_OK;
}

/* ---- who signs in ---- */

/* HTTP Basic instead of fields: base64 of id:secret, each percent-encoded (RFC 6749 2.3.1). */
static bool basic(struct request *r, const char **id, const char **secret)
{
    const char *header = request_header(r, "Authorization");
    size_t n = 0;
    if (header == NULL || !text_istarts(header, "Basic "))
        return false;
    header += strlen("Basic ");
    header += strspn(header, " ");
    const char *pair = (const char *)b64_decode(r->arena, header, strlen(header), &n);
    const char *colon = pair != NULL ? memchr(pair, ':', n) : NULL;
    if (colon == NULL)
        return false;
    *id = percent_decode(r->arena, pair, (size_t)(colon - pair), true);
    *secret = percent_decode(r->arena, colon + 1, n - (size_t)(colon + 1 - pair), true);
    return *id != NULL && *secret != NULL;
}

static enum sb_err sign_in(struct request *r, const struct form *f, struct principal *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    const char *id = field(f, "client_id"), *secret = field(f, "client_secret");
    const char *basic_id = NULL, *basic_secret = NULL;
    if (secret == NULL && basic(r, &basic_id, &basic_secret) && (id == NULL || text_ieq(id, basic_id))) {
        id = basic_id;
        secret = basic_secret;
    }
    if (id == NULL)
        SB_TRY(require(f, "client_id", &id, err));
    if (secret == NULL && field(f, "client_assertion") != NULL)
        return sb_fail(err, SB_EINVALIDCLIENT,
                       "AADSTS700027: The certificate with identifier used to sign the client assertion is "
                       "not registered on "
                       "application. [Reason - The key was not found.]");
    if (secret == NULL)
        return sb_fail(err, SB_ENOTOKEN,
                       "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the "
                       "'client_credentials' grant type.");
    rc = directory_sign_in(r->e, id, secret, ret, err);
out:
    return rc;
}

/* ---- for which resource ---- */

static bool in_plane(enum plane plane, const char *resource)
{
    size_t n = 0;
    const char *const *names = auth_audiences(plane, &n);
    for (size_t i = 0; i < n; i++) {
        if (directory_same_audience(names[i], resource))
            return true;
    }
    return false;
}

/* A namespace's or a vault's own name is a resource too. */
static bool is_host(struct request *r, const char *resource)
{
    struct host_match m;
    const char *host = strstr(resource, "://");
    if (host == NULL)
        return false;
    host += strlen("://");
    size_t n = strcspn(host, "/");
    if (host[n] != '\0' && host[n + 1] != '\0')
        return false;
    host = arena_strndup(r->arena, host, n);
    return host != NULL && hosts_match(host, r->arena, &m) && m.plane == PLANE_BUS;
}

static bool known_resource(struct request *r, const char *resource)
{
    static const enum plane planes[] = {PLANE_ARM, PLANE_VAULT, PLANE_GRAPH};
    static const char *const others[] = {
        "https://servicebus.azure.net", "https://servicebus.localhost", "https://graph.windows.net",
        "80a10ef9-8168-493d-abf9-3297c4ef6e3c" /* Service Bus's application */};
    for (size_t i = 0; i < SB_ARRAY_LEN(planes); i++) {
        if (in_plane(planes[i], resource))
            return true;
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(others); i++) {
        if (directory_same_audience(others[i], resource))
            return true;
    }
    return is_host(r, resource);
}

/* Scopes about the user, which a client may send along; an application has none. */
static bool about_user(const char *scope)
{
    static const char *const names[] = {"openid", "profile", "email", "offline_access"};
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        if (text_ieq(names[i], scope))
            return true;
    }
    return false;
}

/* The one scope of a resource among those sent; the resource is what stands before "/.default". */
static enum sb_err scope_resource(struct request *r, const char *scopes, const char **ret,
                                  struct sb_error *err)
{
    const char *found = NULL;
    for (const char *p = scopes; *(p += strspn(p, " ")) != '\0';) {
        size_t n = strcspn(p, " ");
        const char *one = arena_strndup(r->arena, p, n);
        if (one == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        p += n;
        if (about_user(one))
            continue;
        if (!text_ends(one, DEFAULT) || strlen(one) == strlen(DEFAULT))
            return sb_fail(
                err, SB_EINVALIDSCOPE,
                "AADSTS1002012: The provided value for scope %.200s is not valid. Client credential flows "
                "must have a "
                "scope value with /.default suffixed to the resource identifier (application ID URI).",
                one);
        if (found != NULL)
            return sb_fail(err, SB_EINVALIDSCOPE,
                           "AADSTS28000: Provided value for the input parameter scope is not valid because "
                           "it contains more than "
                           "one resource. Scope %.200s is not valid.",
                           scopes);
        found = arena_strndup(r->arena, one, strlen(one) - strlen(DEFAULT));
    }
    if (found == NULL)
        return sb_fail(err, SB_EINVALIDSCOPE,
                       "The provided request must include a 'scope' input parameter. The provided value for "
                       "the input parameter "
                       "'scope' is not valid. The scope %.200s is not valid.",
                       scopes);
    *ret = found;
    return SB_OK;
}

static enum sb_err find_resource(struct request *r, const struct form *f, const char **ret,
                                 struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const char *scopes = NULL;
    const char *resource = field(f, "resource");
    if (resource == NULL || resource[0] == '\0') {
        SB_TRY(require(f, "scope", &scopes, err));
        SB_TRY(scope_resource(r, scopes, &resource, err));
    }
    if (!known_resource(r, resource)) {
        rc = sb_fail(err, SB_EUNKNOWNRESOURCE,
                     "The resource principal named %.200s was not found in the tenant named %s. This can "
                     "happen if the application "
                     "has not been installed by the administrator of the tenant or consented to by any user "
                     "in the tenant. You "
                     "might have sent your authentication request to the wrong tenant.",
                     resource, ENGINE_TENANT);
        goto out;
    }
    *ret = resource;
out:
    return rc;
}

/* ---- the endpoint ---- */

static enum sb_err check_grant(const char *grant, struct sb_error *err)
{
    if (strcmp(grant, "client_credentials") == 0)
        return SB_OK;
    if (strcmp(grant, "password") == 0)
        return sb_fail(err, SB_EINVALIDGRANT,
                       "AADSTS50034: The user account {EUII Hidden} does not exist in the %s directory. To "
                       "sign into this "
                       "application, the account must be added to the directory.",
                       ENGINE_TENANT);
    return sb_fail(err, SB_EUNSUPPORTEDGRANT, "The app requested an unsupported grant type '%.80s'.", grant);
}

/* Version 1 (asked with `resource`) writes numbers as text. */
static void write_token(struct request *r, const struct form *f, const char *resource, const char *token)
{
    bool v1 = field(f, "resource") != NULL;
    int64_t now = engine_token_now(r->e) / 1000;
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "token_type", "Bearer");
    if (v1) {
        jw_strf(&w, "expires_in", "%d", LIFETIME_S);
        jw_strf(&w, "ext_expires_in", "%d", LIFETIME_S);
        jw_strf(&w, "expires_on", "%lld", (long long)(now + LIFETIME_S));
        jw_strf(&w, "not_before", "%lld", (long long)(now - 300));
        jw_str(&w, "resource", resource);
    } else {
        jw_i64(&w, "expires_in", LIFETIME_S);
        jw_i64(&w, "ext_expires_in", LIFETIME_S);
    }
    jw_str(&w, "access_token", token);
    jw_end_obj(&w);
}

enum sb_err entra_token(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct form f = {.n = 0};
    struct principal who;
    const char *grant = NULL, *resource = NULL;
    char *token = NULL;
    if (!entra_tenant_ok(r))
        return sb_fail(err, SB_EBADREQUEST,
                       "AADSTS90002: Tenant '%.80s' not found. Check to make sure you have the correct "
                       "tenant ID and are signing "
                       "into the correct cloud. Check with your subscription administrator, this may happen "
                       "if there are no "
                       "active subscriptions for the tenant.",
                       request_param(r, "tenant"));
    SB_TRY(read_form(r, &f, err));
    SB_TRY(require(&f, "grant_type", &grant, err));
    SB_TRY(check_grant(grant, err));
    SB_TRY(sign_in(r, &f, &who, err));
    SB_TRY(find_resource(r, &f, &resource, err));
    /* Access tokens for these resources are of version 1.0 whatever the endpoint, as the service's are. */
    SB_TRY(directory_issue(r->e, &who, resource, false, NULL, LIFETIME_S, r->arena, &token, err));
    write_token(r, &f, resource, token);
out:
    return rc;
}
