/* graph_sp.c: Graph's service principals, managed identities among them. */
#include <string.h>
#include "api/graph.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define NAMES_MAX 64

/* In the recorded order. */
static const struct graph_member members[] = {
    {"id", NULL, true},
    {"deletedDateTime", "null", true},
    {"accountEnabled", "true", false},
    {"alternativeNames", NULL, false},
    {"appDisplayName", NULL, true},
    {"appDescription", "null", true},
    {"appId", NULL, false},
    {"applicationTemplateId", "null", true},
    {"appOwnerOrganizationId", "\"" ENGINE_TENANT "\"", true},
    {"appRoleAssignmentRequired", "false", false},
    {"createdDateTime", NULL, true},
    {"description", "null", false},
    {"disabledByMicrosoftStatus", "null", true},
    {"displayName", NULL, false},
    {"homepage", "null", false},
    {"loginUrl", "null", false},
    {"logoutUrl", "null", false},
    {"notes", "null", false},
    {"notificationEmailAddresses", "[]", false},
    {"preferredSingleSignOnMode", "null", false},
    {"preferredTokenSigningKeyThumbprint", "null", false},
    {"replyUrls", "[]", false},
    {"servicePrincipalNames", NULL, false},
    {"servicePrincipalType", NULL, true},
    {"signInAudience", NULL, true},
    {"tags", "[]", false},
    {"tokenEncryptionKeyId", "null", false},
    {"samlSingleSignOnSettings", "null", false},
    {"addIns", "[]", false},
    {"appRoles", "[]", false},
    {"info",
     "{\"logoUrl\":null,\"marketingUrl\":null,\"privacyStatementUrl\":null,\"supportUrl\":null,"
     "\"termsOfServiceUrl\":null}",
     true},
    {"keyCredentials", NULL, false},
    {"oauth2PermissionScopes", "[]", false},
    {"passwordCredentials", NULL, false},
    {"resourceSpecificApplicationPermissions", "[]", true},
    {"verifiedPublisher", "{\"displayName\":null,\"verifiedPublisherId\":null,\"addedDateTime\":null}", true},
};

/* ---- writing ---- */

static bool managed(const struct dir_sp *sp)
{
    return sp->who.kind != PRINCIPAL_APP;
}

/* Its application's identifierUris, and its appid. */
static size_t names_of(struct request *r, const struct dir_sp *sp, const char *ret[NAMES_MAX])
{
    struct dir_app app;
    struct json *body = NULL;
    bool found = false;
    size_t n = 0;
    if (!managed(sp) && directory_app_get(r->e, sp->who.appid, true, r->arena, &found, &app, NULL) == SB_OK &&
        found && json_parse(app.body, strlen(app.body), &body, NULL) == SB_OK) {
        JSON_FOREACH (u, json_get(body, "identifierUris")) {
            if (n < NAMES_MAX - 1 && json_text(u) != NULL)
                ret[n++] = arena_strdup(r->arena, json_text(u));
        }
    }
    json_free(body);
    ret[n++] = sp->who.appid;
    return n;
}

/* Its application's. */
static void write_audience(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    struct dir_app app;
    struct json *body = NULL;
    bool found = false;
    const char *audience = managed(sp) || sp->configured ? "AzureADMyOrg" : GRAPH_AUDIENCE;
    if (!managed(sp) && directory_app_get(r->e, sp->who.appid, true, r->arena, &found, &app, NULL) == SB_OK &&
        found && json_parse(app.body, strlen(app.body), &body, NULL) == SB_OK &&
        json_text(json_get(body, "signInAudience")) != NULL)
        audience = json_text(json_get(body, "signInAudience"));
    jw_str(w, "signInAudience", audience);
    json_free(body);
}

static void write_names(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    const char *names[NAMES_MAX];
    size_t n = names_of(r, sp, names);
    jw_arr(w, "servicePrincipalNames");
    for (size_t i = 0; i < n; i++)
        jw_str(w, NULL, names[i]);
    jw_end_arr(w);
}

static void write_alternative(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    jw_arr(w, "alternativeNames");
    if (managed(sp)) {
        jw_strf(w, NULL, "isExplicit=%s", sp->who.kind == PRINCIPAL_USER_IDENTITY ? "True" : "False");
        jw_str(w, NULL, sp->who.resource_id);
    }
    jw_end_arr(w);
}

static void write_created(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    char text[TIME_TEXT_MAX];
    SB_UNUSED(r);
    if (sp->created_ms == 0)
        jw_null(w, "createdDateTime");
    else
        jw_str(w, "createdDateTime", time_rfc3339(sp->created_ms, text));
}

static void write_app_name(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    if (managed(sp))
        jw_null(w, "appDisplayName");
    else
        jw_str(w, "appDisplayName", sp->name);
}

static void write_id(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    jw_str(w, "id", sp->who.oid);
}

static void write_appid(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    jw_str(w, "appId", sp->who.appid);
}

static void write_name(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    jw_str(w, "displayName", sp->name);
}

static void write_type(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    SB_UNUSED(r);
    jw_str(w, "servicePrincipalType", managed(sp) ? "ManagedIdentity" : "Application");
}

static void write_keys(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    graph_credentials(r, w, "keyCredentials", sp->who.oid, true);
}

static void write_passwords(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    graph_credentials(r, w, "passwordCredentials", sp->who.oid, false);
}

static const struct {
    const char *name;
    void (*write)(struct request *r, struct jw *w, const struct dir_sp *sp);
} own[] = {
    {"id", write_id},
    {"alternativeNames", write_alternative},
    {"appDisplayName", write_app_name},
    {"appId", write_appid},
    {"createdDateTime", write_created},
    {"displayName", write_name},
    {"servicePrincipalNames", write_names},
    {"servicePrincipalType", write_type},
    {"signInAudience", write_audience},
    {"keyCredentials", write_keys},
    {"passwordCredentials", write_passwords},
};

static void write_own(struct request *r, struct jw *w, const char *name, const void *object)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(own); i++) {
        if (strcmp(own[i].name, name) == 0)
            own[i].write(r, w, object);
    }
}

void graph_sp_write(struct request *r, struct jw *w, const struct dir_sp *sp)
{
    graph_members(r, w, members, SB_ARRAY_LEN(members), sp->body, write_own, sp);
}

static void reply_sp(struct request *r, int status, const struct dir_sp *sp)
{
    struct jw w = reply_json(r, status);
    jw_obj(&w, NULL);
    graph_context(r, &w, "servicePrincipals/$entity");
    graph_sp_write(r, &w, sp);
    jw_end_obj(&w);
}

/* ---- reading ---- */

static void show(struct request *r, struct graph_page *p, const struct dir_sp *sp)
{
    if (!graph_page_shows(p))
        return;
    jw_obj(&p->w, NULL);
    graph_sp_write(r, &p->w, sp);
    jw_end_obj(&p->w);
}

/* A filter that names one id finds managed identities too; *ret_done: it was such a one. */
static enum sb_err show_by_id(struct request *r, const struct graph_filter *f, struct graph_page *p,
                              bool *ret_done, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    static const struct {
        const char *left;
        bool by_appid;
    } keys[] = {{"servicePrincipalNames/any", true}, {"appId", true}, {"id", false}};
    for (size_t i = 0; i < SB_ARRAY_LEN(keys); i++) {
        struct dir_sp sp;
        bool found = false;
        if (f->n != 1 || !text_ieq(f->term[0].left, keys[i].left) || !guid_valid(f->term[0].right))
            continue;
        SB_TRY(directory_app_sp(r->e, f->term[0].right, keys[i].by_appid, r->arena, &found, &sp, err));
        if (found)
            show(r, p, &sp);
        *ret_done = true;
    }
out:
    return rc;
}

static enum sb_err matches(struct request *r, const struct graph_filter *f, const struct dir_sp *sp,
                           bool *ret, struct sb_error *err)
{
    const char *names[NAMES_MAX], *oid = sp->who.oid, *appid = sp->who.appid;
    size_t n = names_of(r, sp, names);
    const struct graph_value values[] = {{"id", &oid, 1, false},
                                         {"appId", &appid, 1, false},
                                         {"displayName", &sp->name, 1, false},
                                         {"servicePrincipalNames", names, n, true}};
    return graph_filter_match(f, values, SB_ARRAY_LEN(values), "ServicePrincipal", ret, err);
}

/* Without a filter the applications' are listed, not every managed identity's. */
enum sb_err graph_sp_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct graph_filter f;
    struct graph_page p;
    struct dir_sp *list = NULL;
    size_t n = 0;
    bool done = false;
    SB_TRY(graph_filter_read(r, &f, err));
    SB_TRY(graph_page_begin(r, "servicePrincipals", &p, err));
    SB_TRY(show_by_id(r, &f, &p, &done, err));
    if (!done)
        SB_TRY(directory_app_sps(r->e, r->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool match = false;
        SB_TRY(matches(r, &f, &list[i], &match, err));
        if (match)
            show(r, &p, &list[i]);
    }
    graph_page_end(r, &p);
out:
    return rc;
}

static enum sb_err find(struct request *r, struct dir_sp *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    const char *id = request_param(r, "id");
    SB_TRY(directory_app_sp(r->e, id, false, r->arena, &found, ret, err));
    if (!found)
        rc = graph_not_there(id, err);
out:
    return rc;
}

enum sb_err graph_sp_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    SB_TRY(find(r, &sp, err));
    reply_sp(r, 200, &sp);
out:
    return rc;
}

/* ---- changing ---- */

enum sb_err graph_sp_post(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    const char *appid = NULL, *body = NULL;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(json_opt_str(r->json, "", "appId", &appid, err));
    if (appid == NULL || !guid_valid(appid))
        return sb_fail(err, SB_EBADREQUEST, "The appId is missing or is not a GUID.");
    SB_TRY(graph_merge(r, members, SB_ARRAY_LEN(members), "{}", &body, err));
    SB_TRY(directory_app_install(r->e, appid, body, r->arena, &sp, err));
    reply_sp(r, 201, &sp);
out:
    return rc;
}

enum sb_err graph_sp_patch(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    const char *body = NULL;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &sp, err));
    SB_TRY(graph_merge(r, members, SB_ARRAY_LEN(members), sp.body != NULL ? sp.body : "{}", &body, err));
    SB_TRY(graph_take_certificates(r, sp.who.oid, sp.who.appid, err));
    SB_TRY(directory_app_sp_update(r->e, sp.who.oid, body, err));
    reply_empty(r, 204);
out:
    return rc;
}

enum sb_err graph_sp_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(directory_app_sp_delete(r->e, request_param(r, "id"), err));
    reply_empty(r, 204);
out:
    return rc;
}

enum sb_err graph_sp_add_password(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &sp, err));
    rc = graph_add_password(r, sp.who.oid, sp.who.appid, err);
out:
    return rc;
}

enum sb_err graph_sp_remove_password(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_sp sp;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &sp, err));
    rc = graph_remove_password(r, sp.who.oid, err);
out:
    return rc;
}
