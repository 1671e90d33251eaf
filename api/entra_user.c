/* entra_user.c: tokens about users: with a password, a refresh token, a device code or an authorization code,
 * and where a device gets its code. */
#include <string.h>
#include "api/entra.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

#define LIFETIME_S 3600
#define INTERVAL_S 5
#define DEVICE_S   900

/* What is known once a grant was found good. */
struct outcome {
    struct dir_client client;
    bool proven;
    struct dir_user user;
    const char *resource, *scopes; /* as asked for; NULL: not */
    const char *nonce;
    bool again; /* a refresh token was shown: there is another one for it */
};

/* ---- the answer ---- */

static void write_times(struct request *r, struct jw *w, bool v1)
{
    int64_t now = engine_token_now(r->e) / 1000;
    if (!v1) {
        jw_i64(w, "expires_in", LIFETIME_S);
        jw_i64(w, "ext_expires_in", LIFETIME_S);
        return;
    }
    jw_strf(w, "expires_in", "%d", LIFETIME_S);
    jw_strf(w, "ext_expires_in", "%d", LIFETIME_S);
    jw_strf(w, "expires_on", "%lld", (long long)(now + LIFETIME_S));
    jw_strf(w, "not_before", "%lld", (long long)(now - 300));
}

/* Who the account is, for a client's cache. */
static const char *client_info(struct request *r, const struct dir_user *user)
{
    const char *text = arena_printf(r->arena, "{\"uid\":\"%s\",\"utid\":\"" ENGINE_TENANT "\"}", user->oid);
    return text != NULL ? b64url_str(r->arena, text, strlen(text)) : NULL;
}

static enum sb_err reply_tokens(struct request *r, const struct entra_form *f, const struct outcome *o,
                                struct sb_error *err)
{
    enum sb_err rc;
    char *access = NULL, *id = NULL, *refresh = NULL;
    bool v1 = o->resource != NULL;
    struct entra_scope s;
    SB_TRY(entra_scope_user(r, o->resource, o->scopes, &s, err));
    struct user_token t = {.user = &o->user,
                           .client_id = o->client.appid,
                           .proven = o->proven,
                           .aud = s.resource,
                           .scp = "user_impersonation",
                           .lifetime_s = LIFETIME_S};
    SB_TRY(directory_user_issue(r->e, &t, r->arena, &access, err));
    t.id = true;
    t.v1 = v1;
    t.nonce = o->nonce;
    t.issuer = arena_printf(r->arena, "%s/" ENGINE_TENANT "/v2.0", request_base(r, HOST_LOGIN, NULL));
    if (v1 || s.openid)
        SB_TRY(directory_user_issue(r->e, &t, r->arena, &id, err));
    if (v1 || s.offline || o->again)
        SB_TRY(directory_grant_refresh(r->e, &o->client, &o->user, r->arena, &refresh, err));
    const char *asked = entra_form_get(f, "client_info");
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "token_type", "Bearer");
    jw_str(&w, "scope", v1 ? "user_impersonation" : s.list);
    write_times(r, &w, v1);
    jw_str(&w, "resource", v1 ? s.resource : NULL);
    jw_str(&w, "access_token", access);
    jw_str(&w, "refresh_token", refresh);
    jw_str(&w, "foci", refresh != NULL && o->client.family ? "1" : NULL);
    jw_str(&w, "id_token", id);
    jw_str(&w, "client_info", asked != NULL && strcmp(asked, "1") == 0 ? client_info(r, &o->user) : NULL);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- grants ---- */

static enum sb_err begin(struct request *r, const struct entra_form *f, struct outcome *o,
                         struct sb_error *err)
{
    *o = (struct outcome){.resource = entra_form_get(f, "resource"), .scopes = entra_form_get(f, "scope")};
    if (o->resource != NULL && o->resource[0] == '\0')
        o->resource = NULL;
    return entra_client(r, f, &o->client, &o->proven, err);
}

enum sb_err entra_grant_password(struct request *r, const struct entra_form *f, struct sb_error *err)
{
    enum sb_err rc;
    struct outcome o;
    const char *name = NULL, *password = NULL;
    SB_TRY(begin(r, f, &o, err));
    SB_TRY(entra_form_require(f, "username", &name, err));
    SB_TRY(entra_form_require(f, "password", &password, err));
    SB_TRY(directory_user_sign_in(r->e, name, password, r->arena, &o.user, err));
    rc = reply_tokens(r, f, &o, err);
out:
    return rc;
}

enum sb_err entra_grant_refresh(struct request *r, const struct entra_form *f, struct sb_error *err)
{
    enum sb_err rc;
    struct outcome o;
    const char *token = NULL;
    SB_TRY(begin(r, f, &o, err));
    SB_TRY(entra_form_require(f, "refresh_token", &token, err));
    SB_TRY(directory_grant_use_refresh(r->e, &o.client, token, r->arena, &o.user, err));
    o.again = true;
    rc = reply_tokens(r, f, &o, err);
out:
    return rc;
}

/* Version 1 calls the field code. */
enum sb_err entra_grant_device(struct request *r, const struct entra_form *f, struct sb_error *err)
{
    enum sb_err rc;
    struct outcome o;
    const char *code = entra_form_get(f, "code"), *scope = NULL;
    SB_TRY(begin(r, f, &o, err));
    if (code == NULL)
        SB_TRY(entra_form_require(f, "device_code", &code, err));
    SB_TRY(directory_grant_poll(r->e, o.client.appid, code, r->arena, &o.user, &scope, err));
    if (o.scopes == NULL && o.resource == NULL)
        o.scopes = scope;
    rc = reply_tokens(r, f, &o, err);
out:
    return rc;
}

enum sb_err entra_grant_code(struct request *r, const struct entra_form *f, struct sb_error *err)
{
    enum sb_err rc;
    struct outcome o;
    struct code_grant want = {0}, got;
    const char *code = NULL;
    SB_TRY(begin(r, f, &o, err));
    SB_TRY(entra_form_require(f, "code", &code, err));
    SB_TRY(entra_form_require(f, "redirect_uri", &want.redirect_uri, err));
    want.client_id = o.client.appid;
    SB_TRY(directory_grant_redeem(r->e, &want, code, entra_form_get(f, "code_verifier"), r->arena, &got,
                                  &o.user, err));
    if (o.scopes == NULL && o.resource == NULL)
        o.scopes = got.scope;
    o.nonce = got.nonce;
    rc = reply_tokens(r, f, &o, err);
out:
    return rc;
}

/* ---- device codes ---- */

/* Version 1 is asked with `resource`, names the address verification_url and writes numbers as text. */
enum sb_err entra_device(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct entra_form f;
    struct entra_scope s;
    struct dir_client client;
    struct device_grant d;
    const char *id = NULL;
    SB_TRY(entra_check_tenant(r, err));
    SB_TRY(entra_form_read(r, &f, err));
    SB_TRY(entra_form_require(&f, "client_id", &id, err));
    SB_TRY(directory_app_client(r->e, id, r->arena, &client, err));
    const char *resource = entra_form_get(&f, "resource"), *scope = entra_form_get(&f, "scope");
    if (resource == NULL)
        SB_TRY(entra_form_require(&f, "scope", &scope, err));
    SB_TRY(entra_scope_user(r, resource, scope, &s, err));
    if (scope == NULL)
        scope = arena_printf(r->arena, "%s/.default", resource);
    SB_TRY(directory_grant_device(r->e, client.appid, scope != NULL ? scope : "", r->arena, &d, err));
    const char *address = entra_device_address(r);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "user_code", d.user_code);
    jw_str(&w, "device_code", d.device_code);
    jw_str(&w, resource != NULL ? "verification_url" : "verification_uri", address);
    if (resource != NULL) {
        jw_strf(&w, "expires_in", "%d", DEVICE_S);
        jw_strf(&w, "interval", "%d", INTERVAL_S);
    } else {
        jw_i64(&w, "expires_in", DEVICE_S);
        jw_i64(&w, "interval", INTERVAL_S);
    }
    jw_strf(&w, "message",
            "To sign in, use a web browser to open the page %s and enter the code %s to authenticate.",
            address, d.user_code);
    jw_end_obj(&w);
out:
    return rc;
}
