/*
 * entra_page.c: the pages of the sign-in service: where a user types a device code, and where an application
 * sends a user's browser for an authorization code. There are no sessions: each page asks for name and
 * password.
 *
 * Everything that is shown or sent back comes from the outside: texts are escaped, and a code goes only to an
 * address of this machine or one that the application registered.
 */
#include <string.h>
#include "api/entra.h"
#include "api/hosts.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

#define STYLE                                                                                                \
    "<style>body{font:16px sans-serif;max-width:24em;margin:4em auto}label,input,button{display:block;"      \
    "width:100%;box-sizing:border-box;margin:.4em 0;padding:.4em}label{padding:0}.bad{color:#a00}</style>"

/* ---- HTML ---- */

static void add_escaped(struct sb_buf *b, const char *s)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *s != '\0'; s++) {
        const char *as = NULL;
        for (size_t i = 0; i < SB_ARRAY_LEN(escapes) && as == NULL; i++)
            as = escapes[i].c == *s ? escapes[i].as : NULL;
        if (as != NULL)
            buf_adds(b, as);
        else
            buf_addc(b, *s);
    }
}

/* script: the page sends itself on. */
static struct sb_buf *page(struct request *r, const char *title, bool script)
{
    struct sb_buf *b = &r->reply.body;
    r->reply.status = 200;
    r->reply.content_type = "text/html; charset=utf-8";
    reply_header(r, "X-Frame-Options", "DENY");
    reply_header(r, "Content-Security-Policy",
                 script ? "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'none'"
                        : "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    buf_addf(b, "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>", title);
    buf_adds(b, STYLE);
    buf_addf(b, "<h1>%s</h1>", title);
    return b;
}

static void say(struct request *r, const char *title, const char *text)
{
    struct sb_buf *b = page(r, title, false);
    buf_adds(b, "<p>");
    add_escaped(b, text);
    buf_adds(b, "</p></html>");
}

static void add_hidden(struct sb_buf *b, const char *name, const char *value)
{
    buf_addf(b, "<input type=\"hidden\" name=\"%s\" value=\"", name);
    add_escaped(b, value);
    buf_adds(b, "\">");
}

static void add_field(struct sb_buf *b, const char *label, const char *name, const char *type,
                      const char *value)
{
    buf_addf(b, "<label for=\"%s\">%s</label><input id=\"%s\" name=\"%s\" type=\"%s\" value=\"", name, label,
             name, name, type);
    add_escaped(b, value != NULL ? value : "");
    buf_adds(b, "\" required>");
}

static void begin_form(struct sb_buf *b, const char *action, const char *problem)
{
    if (problem != NULL) {
        buf_adds(b, "<p class=\"bad\">");
        add_escaped(b, problem);
        buf_adds(b, "</p>");
    }
    buf_adds(b, "<form method=\"post\" action=\"");
    add_escaped(b, action);
    buf_adds(b, "\">");
}

static void end_form(struct sb_buf *b, const char *user)
{
    add_field(b, "User", "username", "text", user);
    add_field(b, "Password", "password", "password", NULL);
    buf_adds(b, "<button>Sign in</button></form></html>");
}

/* An error's own words, without its number. */
static const char *problem_of(const struct sb_error *err)
{
    const char *colon = text_starts(err->detail, "AADSTS") ? strstr(err->detail, ": ") : NULL;
    return colon != NULL ? colon + 2 : err->detail;
}

/* ---- device codes ---- */

#define DEVICE_PATH "/common/oauth2/deviceauth"

const char *entra_device_address(struct request *r)
{
    return arena_printf(r->arena, "%s" DEVICE_PATH, request_base(r, HOST_LOGIN, NULL));
}

static void ask_code(struct request *r, const char *code, const char *user, const char *problem)
{
    struct sb_buf *b = page(r, "Enter code", false);
    begin_form(b, DEVICE_PATH, problem);
    add_field(b, "Code", "otc", "text", code);
    end_form(b, user);
}

enum sb_err entra_device_page(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    ask_code(r, request_query(r, "otc"), NULL, NULL);
    return SB_OK;
}

enum sb_err entra_device_sign_in(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct entra_form f;
    struct dir_user user;
    struct sb_error why = {0};
    const char *code = NULL, *name = NULL, *password = NULL;
    SB_TRY(entra_form_read(r, &f, err));
    SB_TRY(entra_form_require(&f, "otc", &code, err));
    SB_TRY(entra_form_require(&f, "username", &name, err));
    SB_TRY(entra_form_require(&f, "password", &password, err));
    if (directory_user_sign_in(r->e, name, password, r->arena, &user, &why) != SB_OK ||
        directory_grant_decide(r->e, code, user.oid, &why) != SB_OK)
        ask_code(r, code, name, problem_of(&why));
    else
        say(r, "Signed in", "You have signed in on your device. You may now close this window.");
out:
    return rc;
}

/* ---- authorization codes ---- */

/* What an application asks a browser for; the sign-in page carries it along. */
struct wish {
    const char *client_id, *redirect_uri, *response_type, *response_mode, *scope, *state, *nonce;
    const char *challenge, *method;
};

static const struct {
    const char *name;
    size_t at;
} wish_fields[] = {
    {"client_id", offsetof(struct wish, client_id)},
    {"redirect_uri", offsetof(struct wish, redirect_uri)},
    {"response_type", offsetof(struct wish, response_type)},
    {"response_mode", offsetof(struct wish, response_mode)},
    {"scope", offsetof(struct wish, scope)},
    {"state", offsetof(struct wish, state)},
    {"nonce", offsetof(struct wish, nonce)},
    {"code_challenge", offsetof(struct wish, challenge)},
    {"code_challenge_method", offsetof(struct wish, method)},
};

static const char **wish_field(struct wish *x, size_t i)
{
    return (const char **)(void *)((char *)x + wish_fields[i].at);
}

/* This machine, at any port: how native applications receive codes (RFC 8252). */
static bool loopback(const char *uri)
{
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < SB_ARRAY_LEN(hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (text_istarts(uri, hosts[i]) && strchr(":/?", uri[n]) != NULL && strchr(uri, '@') == NULL)
            return true;
    }
    return false;
}

static bool registered(struct request *r, const struct dir_client *client, const char *uri)
{
    static const char *const lists[] = {"web.redirectUris", "spa.redirectUris", "publicClient.redirectUris"};
    struct json *body = NULL;
    struct dir_app app;
    bool found = false, listed = false;
    if (directory_app_get(r->e, client->appid, true, r->arena, &found, &app, NULL) != SB_OK || !found ||
        json_parse(app.body, strlen(app.body), &body, NULL) != SB_OK)
        return false;
    for (size_t i = 0; i < SB_ARRAY_LEN(lists); i++) {
        JSON_FOREACH (u, json_path(body, lists[i])) {
            listed = listed || (json_text(u) != NULL && strcmp(json_text(u), uri) == 0);
        }
    }
    json_free(body);
    return listed;
}

static enum sb_err check_wish(struct request *r, const struct wish *x, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_client client;
    struct entra_scope scope;
    if (x->client_id == NULL)
        return aadsts_fail(err, AADSTS_900144, "client_id");
    if (x->redirect_uri == NULL)
        return aadsts_fail(err, AADSTS_900144, "redirect_uri");
    SB_TRY(directory_app_client(r->e, x->client_id, r->arena, &client, err));
    if (!loopback(x->redirect_uri) && !registered(r, &client, x->redirect_uri))
        return aadsts_fail(err, AADSTS_50011, x->redirect_uri, client.appid);
    if (x->response_type == NULL || strcmp(x->response_type, "code") != 0)
        return aadsts_fail(err, AADSTS_700054);
    SB_TRY(entra_scope_user(r, NULL, x->scope, &scope, err));
out:
    return rc;
}

static void ask_user(struct request *r, struct wish *x, const char *user, const char *problem)
{
    struct sb_buf *b = page(r, "Sign in", false);
    begin_form(b, arena_printf(r->arena, "/%s/login", request_param(r, "tenant")), problem);
    for (size_t i = 0; i < SB_ARRAY_LEN(wish_fields); i++) {
        if (*wish_field(x, i) != NULL)
            add_hidden(b, wish_fields[i].name, *wish_field(x, i));
    }
    end_form(b, user);
}

enum sb_err entra_authorize(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct wish x = {0};
    SB_TRY(entra_check_tenant(r, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(wish_fields); i++)
        *wish_field(&x, i) = request_query(r, wish_fields[i].name);
    SB_TRY(check_wish(r, &x, err));
    ask_user(r, &x, request_query(r, "login_hint"), NULL);
out:
    return rc;
}

/* response_mode form_post: a page that posts itself to the application. */
static void post_back(struct request *r, const struct wish *x, const char *code)
{
    struct sb_buf *b = page(r, "Working...", true);
    begin_form(b, x->redirect_uri, NULL);
    add_hidden(b, "code", code);
    if (x->state != NULL)
        add_hidden(b, "state", x->state);
    buf_adds(b, "<button>Continue</button></form><script>document.forms[0].submit()</script></html>");
}

static void send_back(struct request *r, const struct wish *x, const char *code)
{
    struct sb_buf b;
    buf_init(&b, 65536);
    buf_adds(&b, x->redirect_uri);
    buf_adds(&b, strchr(x->redirect_uri, '?') != NULL ? "&code=" : "?code=");
    buf_adds(&b, code);
    if (x->state != NULL) {
        buf_adds(&b, "&state=");
        percent_encode(&b, x->state);
    }
    reply_empty(r, 302);
    reply_header(r, "Location", buf_str(&b));
    buf_done(&b);
}

enum sb_err entra_authorize_sign_in(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct entra_form f;
    struct wish x = {0};
    struct dir_user user;
    struct sb_error why = {0};
    const char *name = NULL, *password = NULL, *code = NULL;
    SB_TRY(entra_check_tenant(r, err));
    SB_TRY(entra_form_read(r, &f, err));
    SB_TRY(entra_form_require(&f, "username", &name, err));
    SB_TRY(entra_form_require(&f, "password", &password, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(wish_fields); i++)
        *wish_field(&x, i) = entra_form_get(&f, wish_fields[i].name);
    SB_TRY(check_wish(r, &x, err));
    if (directory_user_sign_in(r->e, name, password, r->arena, &user, &why) != SB_OK) {
        ask_user(r, &x, name, problem_of(&why));
        return SB_OK;
    }
    const struct code_grant g = {.client_id = x.client_id,
                                 .redirect_uri = x.redirect_uri,
                                 .scope = x.scope,
                                 .challenge = x.challenge,
                                 .plain = x.method == NULL || strcmp(x.method, "S256") != 0,
                                 .nonce = x.nonce,
                                 .oid = user.oid};
    SB_TRY(directory_grant_code(r->e, &g, r->arena, &code, err));
    if (x.response_mode != NULL && strcmp(x.response_mode, "form_post") == 0)
        post_back(r, &x, code);
    else
        send_back(r, &x, code);
out:
    return rc;
}

/* ---- logout ---- */

enum sb_err entra_logout(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *to = request_query(r, "post_logout_redirect_uri");
    SB_TRY(entra_check_tenant(r, err));
    if (to != NULL && loopback(to)) {
        reply_empty(r, 302);
        reply_header(r, "Location", to);
    } else {
        say(r, "Signed out", "You signed out of your account.");
    }
out:
    return rc;
}
