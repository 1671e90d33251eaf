/* graph_app.c: Graph's applications. */
#include <string.h>
#include "api/graph.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

/* In the recorded order. */
static const struct graph_member members[] = {
    {"id", NULL, true},
    {"deletedDateTime", "null", true},
    {"appId", NULL, true},
    {"applicationTemplateId", "null", true},
    {"disabledByMicrosoftStatus", "null", true},
    {"createdDateTime", NULL, true},
    {"displayName", NULL, false},
    {"description", "null", false},
    {"groupMembershipClaims", "null", false},
    {"identifierUris", "[]", false},
    {"isDeviceOnlyAuthSupported", "null", false},
    {"isFallbackPublicClient", "null", false},
    {"notes", "null", false},
    {"publisherDomain", "\"" ENGINE_DOMAIN "\"", true},
    {"serviceManagementReference", "null", false},
    {"signInAudience", "\"" GRAPH_AUDIENCE "\"", false},
    {"tags", "[]", false},
    {"tokenEncryptionKeyId", "null", false},
    {"samlMetadataUrl", "null", false},
    {"defaultRedirectUri", "null", false},
    {"certification", "null", true},
    {"optionalClaims", "null", false},
    {"servicePrincipalLockConfiguration", "null", false},
    {"requestSignatureVerification", "null", false},
    {"addIns", "[]", false},
    {"api",
     "{\"acceptMappedClaims\":null,\"knownClientApplications\":[],\"requestedAccessTokenVersion\":2,"
     "\"oauth2PermissionScopes\":[],\"preAuthorizedApplications\":[]}",
     false},
    {"appRoles", "[]", false},
    {"info",
     "{\"logoUrl\":null,\"marketingUrl\":null,\"privacyStatementUrl\":null,\"supportUrl\":null,"
     "\"termsOfServiceUrl\":null}",
     false},
    {"keyCredentials", NULL, false},
    {"parentalControlSettings", "{\"countriesBlockedForMinors\":[],\"legalAgeGroupRule\":\"Allow\"}", false},
    {"passwordCredentials", NULL, false},
    {"publicClient", "{\"redirectUris\":[]}", false},
    {"requiredResourceAccess", "[]", false},
    {"verifiedPublisher", "{\"displayName\":null,\"verifiedPublisherId\":null,\"addedDateTime\":null}", true},
    {"web",
     "{\"homePageUrl\":null,\"logoutUrl\":null,\"redirectUris\":[],\"implicitGrantSettings\":{"
     "\"enableAccessTokenIssuance\":false,\"enableIdTokenIssuance\":false},\"redirectUriSettings\":[]}",
     false},
    {"spa", "{\"redirectUris\":[]}", false},
};

static void write_own(struct request *r, struct jw *w, const char *name, const void *object)
{
    const struct dir_app *app = object;
    char created[TIME_TEXT_MAX];
    if (strcmp(name, "id") == 0)
        jw_str(w, name, app->oid);
    else if (strcmp(name, "appId") == 0)
        jw_str(w, name, app->appid);
    else if (strcmp(name, "displayName") == 0)
        jw_str(w, name, app->name);
    else if (strcmp(name, "createdDateTime") != 0)
        graph_credentials(r, w, name, app->oid, strcmp(name, "keyCredentials") == 0);
    else if (app->created_ms == 0)
        jw_null(w, name);
    else
        jw_str(w, name, time_rfc3339(app->created_ms, created));
}

void graph_app_write(struct request *r, struct jw *w, const struct dir_app *app)
{
    graph_members(r, w, members, SB_ARRAY_LEN(members), app->body, write_own, app);
}

static void reply_app(struct request *r, int status, const struct dir_app *app)
{
    struct jw w = reply_json(r, status);
    jw_obj(&w, NULL);
    graph_context(r, &w, "applications/$entity");
    graph_app_write(r, &w, app);
    jw_end_obj(&w);
}

/* ---- reading ---- */

#define URIS_MAX 64

/* The application's identifierUris. */
static size_t uris_of(struct request *r, const struct dir_app *app, const char *ret[URIS_MAX])
{
    struct json *body = NULL;
    size_t n = 0;
    if (json_parse(app->body, strlen(app->body), &body, NULL) == SB_OK) {
        JSON_FOREACH (u, json_get(body, "identifierUris")) {
            if (n < URIS_MAX && json_text(u) != NULL)
                ret[n++] = arena_strdup(r->arena, json_text(u));
        }
    }
    json_free(body);
    return n;
}

static enum sb_err matches(struct request *r, const struct graph_filter *f, const struct dir_app *app,
                           bool *ret, struct sb_error *err)
{
    const char *uris[URIS_MAX];
    size_t n = uris_of(r, app, uris);
    const struct graph_value values[] = {{"id", &app->oid, 1, false},
                                         {"appId", &app->appid, 1, false},
                                         {"displayName", &app->name, 1, false},
                                         {"identifierUris", uris, n, true}};
    return graph_filter_match(f, values, SB_ARRAY_LEN(values), "Application", ret, err);
}

enum sb_err graph_app_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct graph_filter f;
    struct graph_page p;
    struct dir_app *list = NULL;
    size_t n = 0;
    SB_TRY(graph_filter_read(r, &f, err));
    SB_TRY(directory_app_list(r->e, r->arena, &list, &n, err));
    SB_TRY(graph_page_begin(r, "applications", &p, err));
    for (size_t i = 0; i < n; i++) {
        bool match = false;
        SB_TRY(matches(r, &f, &list[i], &match, err));
        if (!match || !graph_page_shows(&p))
            continue;
        jw_obj(&p.w, NULL);
        graph_app_write(r, &p.w, &list[i]);
        jw_end_obj(&p.w);
    }
    graph_page_end(r, &p);
out:
    return rc;
}

static enum sb_err find(struct request *r, struct dir_app *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    const char *id = request_param(r, "id");
    SB_TRY(directory_app_get(r->e, id, false, r->arena, &found, ret, err));
    if (!found)
        rc = graph_not_there(id, err);
out:
    return rc;
}

enum sb_err graph_app_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_app app;
    SB_TRY(find(r, &app, err));
    reply_app(r, 200, &app);
out:
    return rc;
}

/* ---- changing ---- */

/* Over what was there before: name, body, public. */
static enum sb_err read_body(struct request *r, struct dir_app *app, struct sb_error *err)
{
    enum sb_err rc;
    int is_public = app->public_client;
    SB_TRY(json_opt_str(r->json, "", "displayName", &app->name, err));
    SB_TRY(json_opt_bool(r->json, "", "isFallbackPublicClient", &is_public, err));
    if (app->name == NULL || app->name[0] == '\0' || strlen(app->name) > 256)
        return sb_fail(err, SB_EBADREQUEST,
                       "Invalid value specified for property 'displayName' of resource 'Application'.");
    app->public_client = is_public == 1;
    rc = graph_merge(r, members, SB_ARRAY_LEN(members), app->body, &app->body, err);
out:
    return rc;
}

/* Passwords cannot be chosen. */
static enum sb_err no_passwords(struct request *r, struct sb_error *err)
{
    const struct json *sent = json_get(r->json, "passwordCredentials");
    if (json_size(sent) == 0)
        return SB_OK;
    return sb_fail(err, SB_EBADREQUEST, "New password must be generated by service.");
}

enum sb_err graph_app_post(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_app want = {.body = "{}"}, app;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(read_body(r, &want, err));
    SB_TRY(no_passwords(r, err));
    SB_TRY(directory_app_create(r->e, &want, r->arena, &app, err));
    rc = graph_take_certificates(r, app.oid, app.appid, err);
    if (rc != SB_OK) { /* nothing half-made stays */
        struct sb_error ignored = {0};
        (void)!directory_app_delete(r->e, app.oid, &ignored);
        goto out;
    }
    reply_app(r, 201, &app);
out:
    return rc;
}

enum sb_err graph_app_patch(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_app app;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &app, err));
    SB_TRY(read_body(r, &app, err));
    SB_TRY(graph_take_certificates(r, app.oid, app.appid, err));
    /* Of a configured application only the credentials can be changed. */
    if (!app.configured || json_get(r->json, "keyCredentials") == NULL)
        SB_TRY(directory_app_update(r->e, &app, err));
    reply_empty(r, 204);
out:
    return rc;
}

enum sb_err graph_app_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(directory_app_delete(r->e, request_param(r, "id"), err));
    reply_empty(r, 204);
out:
    return rc;
}

enum sb_err graph_app_add_password(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_app app;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &app, err));
    rc = graph_add_password(r, app.oid, app.appid, err);
out:
    return rc;
}

enum sb_err graph_app_remove_password(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_app app;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &app, err));
    rc = graph_remove_password(r, app.oid, err);
out:
    return rc;
}
