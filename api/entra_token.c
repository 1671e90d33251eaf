/*
 * entra_token.c: the token endpoint: which grant, which application, and an application's own tokens
 * (client_credentials).
 */
#include <string.h>
#include "api/entra.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

#define LIFETIME_S     3600
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* ---- which application ---- */

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

static enum sb_err by_assertion(struct request *r, const struct entra_form *f, const char *id,
                                struct principal *ret, struct sb_error *err)
{
    const char *type = entra_form_get(f, "client_assertion_type");
    if (type == NULL || type[0] == '\0')
        return aadsts_fail(err, AADSTS_900144, "client_assertion_type");
    if (strcmp(type, ASSERTION_TYPE) != 0)
        return aadsts_fail(err, AADSTS_900141);
    return directory_assertion_sign_in(r->e, id, entra_form_get(f, "client_assertion"), ret, err);
}

enum sb_err entra_sign_in(struct request *r, const struct entra_form *f, struct principal *ret,
                          struct sb_error *err)
{
    enum sb_err rc;
    const char *id = entra_form_get(f, "client_id"), *secret = entra_form_get(f, "client_secret");
    const char *basic_id = NULL, *basic_secret = NULL;
    if (secret == NULL && basic(r, &basic_id, &basic_secret) && (id == NULL || text_ieq(id, basic_id))) {
        id = basic_id;
        secret = basic_secret;
    }
    if (secret == NULL && entra_form_get(f, "client_assertion") != NULL)
        return by_assertion(r, f, id, ret, err);
    if (id == NULL)
        SB_TRY(entra_form_require(f, "client_id", &id, err));
    if (secret == NULL)
        return aadsts_fail(err, AADSTS_7000216);
    rc = directory_sign_in(r->e, id, secret, ret, err);
out:
    return rc;
}

enum sb_err entra_client(struct request *r, const struct entra_form *f, struct dir_client *ret,
                         bool *ret_proven, struct sb_error *err)
{
    enum sb_err rc;
    const char *id = NULL;
    struct dir_client c;
    struct principal who;
    bool shown = entra_form_get(f, "client_secret") != NULL ||
                 entra_form_get(f, "client_assertion") != NULL || request_header(r, "Authorization") != NULL;
    SB_TRY(entra_form_require(f, "client_id", &id, err));
    SB_TRY(directory_app_client(r->e, id, r->arena, &c, err));
    if (c.confidential && !shown)
        return aadsts_fail(err, AADSTS_7000218);
    if (c.confidential)
        SB_TRY(entra_sign_in(r, f, &who, err));
    *ret = c;
    *ret_proven = c.confidential;
out:
    return rc;
}

/* ---- an application's own tokens ---- */

/* Version 1 (asked with `resource`) writes numbers as text. */
static void write_token(struct request *r, const struct entra_form *f, const char *resource,
                        const char *token)
{
    bool v1 = entra_form_get(f, "resource") != NULL;
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

static enum sb_err grant_client(struct request *r, const struct entra_form *f, struct sb_error *err)
{
    enum sb_err rc;
    struct principal who;
    struct entra_scope scope;
    char *token = NULL;
    SB_TRY(entra_sign_in(r, f, &who, err));
    SB_TRY(entra_scope_app(r, f, &scope, err));
    /* Access tokens for these resources are of version 1.0 whatever the endpoint, as the service's are. */
    SB_TRY(directory_issue(r->e, &who, scope.resource, false, NULL, LIFETIME_S, r->arena, &token, err));
    write_token(r, f, scope.resource, token);
out:
    return rc;
}

/* ---- the endpoint ---- */

static const struct {
    const char *type;
    enum sb_err (*handler)(struct request *r, const struct entra_form *f, struct sb_error *err);
} grants[] = {
    {"client_credentials", grant_client},
    {"password", entra_grant_password},
    {"refresh_token", entra_grant_refresh},
    {"authorization_code", entra_grant_code},
    {"urn:ietf:params:oauth:grant-type:device_code", entra_grant_device},
    {"device_code", entra_grant_device}, /* version 1 */
};

enum sb_err entra_token(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct entra_form f;
    const char *grant = NULL;
    SB_TRY(entra_check_tenant(r, err));
    SB_TRY(entra_form_read(r, &f, err));
    SB_TRY(entra_form_require(&f, "grant_type", &grant, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(grants); i++) {
        if (strcmp(grants[i].type, grant) == 0)
            return grants[i].handler(r, &f, err);
    }
    rc = aadsts_fail(err, AADSTS_70003, grant);
out:
    return rc;
}
