/*
 * graph.c: as much of Microsoft Graph as az and Terraform ask when they create vaults and role assignments:
 * who am I, which service principal has this name, what are these ids. The directory cannot be changed here.
 */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define IDS_MAX 1000

/* ---- service principals ---- */

struct service_principal {
    struct principal who;
    const char *name;
};

static void name_of(struct request *r, struct service_principal *sp)
{
    const char *resource = sp->who.resource_id;
    const char *last = strrchr(resource, '/');
    if (last != NULL)
        sp->name = arena_strdup(r->arena, last + 1);
    else if (text_ieq(sp->who.appid, ENGINE_CLIENT_ID))
        sp->name = "emulator";
    else
        sp->name = arena_printf(r->arena, "app-%.8s", sp->who.appid);
}

static void write_null_texts(struct jw *w, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        jw_null(w, names[i]);
}

static void write_empty_lists(struct jw *w, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        jw_arr(w, names[i]);
        jw_end_arr(w);
    }
}

static void write_nested_nulls(struct jw *w, const char *key, const char *const *names, size_t n)
{
    jw_obj(w, key);
    write_null_texts(w, names, n);
    jw_end_obj(w);
}

/* Members that are always empty here, in the recorded order. */
static void write_unset(struct jw *w)
{
    static const char *const nulls[] = {"tokenEncryptionKeyId", "samlSingleSignOnSettings"};
    static const char *const lists[] = {"addIns", "appRoles"};
    static const char *const info[] = {"logoUrl", "marketingUrl", "privacyStatementUrl", "supportUrl",
                                       "termsOfServiceUrl"};
    static const char *const more[] = {"keyCredentials", "oauth2PermissionScopes", "passwordCredentials",
                                       "resourceSpecificApplicationPermissions"};
    static const char *const publisher[] = {"displayName", "verifiedPublisherId", "addedDateTime"};
    write_null_texts(w, nulls, SB_ARRAY_LEN(nulls));
    write_empty_lists(w, lists, SB_ARRAY_LEN(lists));
    write_nested_nulls(w, "info", info, SB_ARRAY_LEN(info));
    write_empty_lists(w, more, SB_ARRAY_LEN(more));
    write_nested_nulls(w, "verifiedPublisher", publisher, SB_ARRAY_LEN(publisher));
}

/* The members of one, without its braces. */
static void write_members(struct jw *w, const struct service_principal *sp)
{
    static const char *const addresses[] = {"homepage", "loginUrl", "logoutUrl", "notes"};
    static const char *const preferred[] = {"preferredSingleSignOnMode",
                                            "preferredTokenSigningKeyThumbprint"};
    bool managed = sp->who.kind != PRINCIPAL_APP;
    jw_str(w, "id", sp->who.oid);
    jw_null(w, "deletedDateTime");
    jw_bool(w, "accountEnabled", true);
    jw_arr(w, "alternativeNames");
    if (managed) {
        jw_strf(w, NULL, "isExplicit=%s", sp->who.kind == PRINCIPAL_USER_IDENTITY ? "True" : "False");
        jw_str(w, NULL, sp->who.resource_id);
    }
    jw_end_arr(w);
    jw_str(w, "appDisplayName", managed ? NULL : sp->name);
    if (managed)
        jw_null(w, "appDisplayName");
    jw_null(w, "appDescription");
    jw_str(w, "appId", sp->who.appid);
    jw_null(w, "applicationTemplateId");
    jw_str(w, "appOwnerOrganizationId", ENGINE_TENANT);
    jw_bool(w, "appRoleAssignmentRequired", false);
    jw_null(w, "description");
    jw_null(w, "disabledByMicrosoftStatus");
    jw_str(w, "displayName", sp->name);
    write_null_texts(w, addresses, SB_ARRAY_LEN(addresses));
    jw_arr(w, "notificationEmailAddresses");
    jw_end_arr(w);
    write_null_texts(w, preferred, SB_ARRAY_LEN(preferred));
    jw_arr(w, "replyUrls");
    jw_end_arr(w);
    jw_arr(w, "servicePrincipalNames");
    jw_str(w, NULL, sp->who.appid);
    jw_end_arr(w);
    jw_str(w, "servicePrincipalType", managed ? "ManagedIdentity" : "Application");
    jw_str(w, "signInAudience", "AzureADMyOrg");
    jw_arr(w, "tags");
    jw_end_arr(w);
    write_unset(w);
}

static void context(struct request *r, struct jw *w, const char *what)
{
    jw_strf(w, "@odata.context", "%s/v1.0/$metadata#%s", request_base(r, HOST_GRAPH, NULL), what);
}

/* ---- /me, users ---- */

static enum sb_err me(struct request *r, struct sb_error *err)
{
    SB_UNUSED(r);
    return sb_fail(err, SB_EINVAL, "/me request is only valid with delegated authentication flow.");
}

static enum sb_err users(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    context(r, &w, "users");
    jw_arr(&w, "value"); /* this directory has no users */
    jw_end_arr(&w);
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err not_there(const char *id, struct sb_error *err)
{
    return sb_fail(
        err, SB_ENOTFOUND,
        "Resource '%.200s' does not exist or one of its queried reference-property objects are not present.",
        id);
}

static enum sb_err user(struct request *r, struct sb_error *err)
{
    return not_there(request_param(r, "id"), err);
}

/* ---- looking up ---- */

/* By what a filter names: an application id (any spelling of servicePrincipalNames) or an object id. */
static enum sb_err find_by(struct request *r, const struct arm_filter_term *t, bool *found,
                           struct service_principal *sp, struct sb_error *err)
{
    enum sb_err rc;
    bool by_app = text_ieq(t->left, "servicePrincipalNames/any") || text_ieq(t->left, "appId");
    if (by_app && guid_valid(t->right))
        SB_TRY(directory_find(r->e, t->right, found, &sp->who, err));
    else if (text_ieq(t->left, "id"))
        SB_TRY(directory_principal(r->e, t->right, found, &sp->who, err));
    else if (by_app)
        rc = SB_OK; /* applications have no other names here */
    else
        rc = sb_fail(err, SB_EBADREQUEST,
                     "Unsupported or invalid query filter clause specified for property '%.80s' of resource "
                     "'ServicePrincipal'.",
                     t->left);
out:
    return rc;
}

static enum sb_err write_named(struct request *r, struct jw *w, const char *name, struct sb_error *err)
{
    SB_UNUSED(err);
    struct service_principal sp = {0};
    for (size_t i = 0; directory_clients(r->e, i, &sp.who) != NULL; i++) {
        name_of(r, &sp);
        if (name != NULL && (sp.name == NULL || !text_ieq(sp.name, name)))
            continue;
        jw_obj(w, NULL);
        write_members(w, &sp);
        jw_end_obj(w);
    }
    return SB_OK;
}

/* Without a filter the applications are listed, not every managed identity. */
static enum sb_err principals(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_filter_term t = {0};
    struct service_principal sp = {0};
    size_t n = 0;
    bool found = false;
    SB_TRY(arm_filter(r, request_query(r, "$filter"), &t, 1, &n, err));
    bool by_name = n == 0 || text_ieq(t.left, "displayName");
    if (!by_name)
        SB_TRY(find_by(r, &t, &found, &sp, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    context(r, &w, "servicePrincipals");
    jw_arr(&w, "value");
    if (by_name)
        SB_TRY(write_named(r, &w, t.right, err));
    if (found) {
        name_of(r, &sp);
        jw_obj(&w, NULL);
        write_members(&w, &sp);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err principal(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct service_principal sp = {0};
    bool found = false;
    const char *id = request_param(r, "id");
    SB_TRY(directory_principal(r->e, id, &found, &sp.who, err));
    if (!found) {
        rc = not_there(id, err);
        goto out;
    }
    name_of(r, &sp);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    context(r, &w, "servicePrincipals/$entity");
    write_members(&w, &sp);
    jw_end_obj(&w);
out:
    return rc;
}

/* {"ids":[…],"types":[…]}: does it ask for service principals at all? No list of types means all. */
static enum sb_err asks_principals(const struct json *types, bool *ret, struct sb_error *err)
{
    bool asked = types == NULL || json_size(types) == 0;
    JSON_FOREACH (t, types) {
        const char *name = json_text(t);
        if (name == NULL)
            return sb_fail(err, SB_EBADREQUEST, "Each of 'types' must be a string.");
        asked = asked || text_ieq(name, "servicePrincipal") || text_ieq(name, "directoryObject");
    }
    *ret = asked;
    return SB_OK;
}

static enum sb_err by_ids(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *ids = NULL, *types = NULL;
    SB_TRY(json_opt_arr(r->json, "", "ids", &ids, err));
    SB_TRY(json_opt_arr(r->json, "", "types", &types, err));
    if (ids == NULL || json_size(ids) > IDS_MAX)
        return sb_fail(err, SB_EBADREQUEST, "A list of at most %d ids is required.", IDS_MAX);
    bool principals_too = false;
    SB_TRY(asks_principals(types, &principals_too, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    context(r, &w, "directoryObjects");
    jw_arr(&w, "value");
    JSON_FOREACH (id, ids) {
        struct service_principal sp = {0};
        bool found = false;
        if (json_text(id) == NULL || !guid_valid(json_text(id))) {
            rc = sb_fail(err, SB_EBADREQUEST, "Invalid GUID:%.80s",
                         json_text(id) != NULL ? json_text(id) : "");
            goto out;
        }
        if (principals_too)
            SB_TRY(directory_principal(r->e, json_text(id), &found, &sp.who, err));
        if (!found)
            continue;
        name_of(r, &sp);
        jw_obj(&w, NULL);
        jw_str(&w, "@odata.type", "#microsoft.graph.servicePrincipal");
        write_members(&w, &sp);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static const struct route rows[] = {
    {"GET", PLANE_GRAPH, "/v1.0/me", R_AUTH, 0, me, "GraphMe"},
    {"GET", PLANE_GRAPH, "/v1.0/users", R_AUTH, 0, users, "GraphUserList"},
    {"GET", PLANE_GRAPH, "/v1.0/users/{id}", R_AUTH, 0, user, "GraphUserGet"},
    {"GET", PLANE_GRAPH, "/v1.0/servicePrincipals", R_AUTH, 0, principals, "GraphServicePrincipalList"},
    {"GET", PLANE_GRAPH, "/v1.0/servicePrincipals/{id}", R_AUTH, 0, principal, "GraphServicePrincipalGet"},
    {"POST", PLANE_GRAPH, "/v1.0/directoryObjects/getByIds", R_AUTH | R_JSON, 65536, by_ids,
     "GraphDirectoryObjectGetByIds"},
};
const struct route_table routes_graph = {rows, SB_ARRAY_LEN(rows)};
