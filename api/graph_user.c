/* graph_user.c: Graph's users. */
#include <string.h>
#include "api/graph.h"
#include "server/base/text.h"

#define UPN_MAX      113 /* documented */
#define PASSWORD_MAX 256

/* What is shown without a $select, in the recorded order; then what is shown only with one. */
static const struct graph_member members[] = {
    {"businessPhones", "[]", false},
    {"displayName", NULL, false},
    {"givenName", "null", false},
    {"jobTitle", "null", false},
    {"mail", "null", false},
    {"mobilePhone", "null", false},
    {"officeLocation", "null", false},
    {"preferredLanguage", "null", false},
    {"surname", "null", false},
    {"userPrincipalName", NULL, false},
    {"id", NULL, true},
    {"accountEnabled", NULL, false},
    {"passwordProfile", NULL, false},
    {"mailNickname", "null", false},
    {"onPremisesImmutableId", "null", false},
    {"userType", "null", false},
    {"department", "null", false},
    {"usageLocation", "null", false},
    {"otherMails", "[]", false},
};
#define SHOWN 11u

static void write_own(struct request *r, struct jw *w, const char *name, const void *object)
{
    const struct dir_user *u = object;
    SB_UNUSED(r);
    if (strcmp(name, "accountEnabled") == 0)
        jw_bool(w, name, u->enabled);
    else if (strcmp(name, "passwordProfile") == 0)
        jw_null(w, name);
    else
        jw_str(w, name,
               strcmp(name, "id") == 0            ? u->oid
               : strcmp(name, "displayName") == 0 ? u->name
                                                  : u->upn);
}

void graph_user_write(struct request *r, struct jw *w, const struct dir_user *u)
{
    graph_members(r, w, members, graph_selects(r) ? SB_ARRAY_LEN(members) : SHOWN, u->body, write_own, u);
}

static void reply_user(struct request *r, int status, const struct dir_user *u)
{
    struct jw w = reply_json(r, status);
    jw_obj(&w, NULL);
    graph_context(r, &w, "users/$entity");
    graph_user_write(r, &w, u);
    jw_end_obj(&w);
}

/* ---- reading ---- */

enum sb_err graph_user_me(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_user u;
    if (r->who.kind != PRINCIPAL_USER)
        return sb_fail(err, SB_EINVAL, "/me request is only valid with delegated authentication flow.");
    SB_TRY(directory_user_get(r->e, r->who.oid, r->arena, &found, &u, err));
    if (!found)
        return graph_not_there(r->who.oid, err);
    reply_user(r, 200, &u);
out:
    return rc;
}

static enum sb_err find(struct request *r, struct dir_user *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    const char *id = request_param(r, "id");
    SB_TRY(directory_user_get(r->e, id, r->arena, &found, ret, err));
    if (!found)
        rc = graph_not_there(id, err);
out:
    return rc;
}

enum sb_err graph_user_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_user u;
    SB_TRY(find(r, &u, err));
    reply_user(r, 200, &u);
out:
    return rc;
}

enum sb_err graph_user_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct graph_filter f;
    struct graph_page p;
    struct dir_user *list = NULL;
    size_t n = 0;
    SB_TRY(graph_filter_read(r, &f, err));
    SB_TRY(directory_user_list(r->e, r->arena, &list, &n, err));
    SB_TRY(graph_page_begin(r, "users", &p, err));
    for (size_t i = 0; i < n; i++) {
        bool match = false;
        const struct graph_value values[] = {{"id", &list[i].oid, 1, false},
                                             {"userPrincipalName", &list[i].upn, 1, false},
                                             {"mail", &list[i].upn, 1, false},
                                             {"displayName", &list[i].name, 1, false}};
        SB_TRY(graph_filter_match(&f, values, SB_ARRAY_LEN(values), "User", &match, err));
        if (!match || !graph_page_shows(&p))
            continue;
        jw_obj(&p.w, NULL);
        graph_user_write(r, &p.w, &list[i]);
        jw_end_obj(&p.w);
    }
    graph_page_end(r, &p);
out:
    return rc;
}

/* ---- changing ---- */

static enum sb_err invalid(const char *property, struct sb_error *err)
{
    return sb_fail(err, SB_EBADREQUEST, "Invalid value specified for property '%s' of resource 'User'.",
                   property);
}

static bool upn_ok(const char *upn)
{
    const char *at = strchr(upn, '@');
    return at != NULL && at != upn && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
           strlen(upn) <= UPN_MAX && strpbrk(upn, " \t\"\\/'") == NULL;
}

/* Over what was there before. *ret_password NULL: none was sent. */
static enum sb_err read_body(struct request *r, struct dir_user *u, const char **ret_password,
                             struct sb_error *err)
{
    enum sb_err rc;
    const struct json *profile = NULL;
    const char *password = NULL;
    int enabled = u->enabled;
    SB_TRY(json_opt_str(r->json, "", "userPrincipalName", &u->upn, err));
    SB_TRY(json_opt_str(r->json, "", "displayName", &u->name, err));
    SB_TRY(json_opt_bool(r->json, "", "accountEnabled", &enabled, err));
    SB_TRY(json_opt_obj(r->json, "", "passwordProfile", &profile, err));
    SB_TRY(json_opt_str(profile, "passwordProfile", "password", &password, err));
    if (u->upn == NULL || !upn_ok(u->upn))
        return invalid("userPrincipalName", err);
    if (u->name == NULL || u->name[0] == '\0' || strlen(u->name) > 256)
        return invalid("displayName", err);
    if (password != NULL && (password[0] == '\0' || strlen(password) > PASSWORD_MAX))
        return invalid("password", err);
    u->enabled = enabled == 1;
    *ret_password = password;
    rc = graph_merge(r, members, SB_ARRAY_LEN(members), u->body, &u->body, err);
out:
    return rc;
}

enum sb_err graph_user_post(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_user want = {.body = "{}", .enabled = true}, u;
    const char *password = NULL;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(read_body(r, &want, &password, err));
    if (password == NULL)
        return sb_fail(err, SB_EBADREQUEST, "A password must be specified to create a new user.");
    SB_TRY(directory_user_create(r->e, &want, password, r->arena, &u, err));
    reply_user(r, 201, &u);
out:
    return rc;
}

enum sb_err graph_user_patch(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_user u;
    const char *password = NULL;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &u, err));
    SB_TRY(read_body(r, &u, &password, err));
    SB_TRY(directory_user_update(r->e, &u, password, err));
    reply_empty(r, 204);
out:
    return rc;
}

enum sb_err graph_user_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_user u;
    SB_TRY(graph_may_write(r, err));
    SB_TRY(find(r, &u, err));
    SB_TRY(directory_user_delete(r->e, u.oid, err));
    reply_empty(r, 204);
out:
    return rc;
}
