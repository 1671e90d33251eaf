/* arm_role.c: role definitions and role assignments at any scope (Microsoft.Authorization). */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/ns.h"
#include "server/engine/rbac.h"
#include "server/engine/vault.h"

#define DEFINITIONS "Microsoft.Authorization/roleDefinitions"
#define ASSIGNMENTS "Microsoft.Authorization/roleAssignments"
#define SEGMENTS    8

/* ---- the scope ---- */

/* "/subscriptions/…"; "/" for the routes without a scope. */
static const char *scope_of(struct request *r)
{
    const char *scope = request_param(r, "scope");
    const char *path = scope == NULL ? "/" : arena_printf(r->arena, "/%s", scope);
    return path != NULL ? path : "/";
}

struct scope {
    const char *seg[SEGMENTS]; /* subscriptions S resourceGroups G providers NAMESPACE TYPE NAME */
    size_t n;
};

static enum sb_err split_scope(struct request *r, const char *path, struct scope *ret, struct sb_error *err)
{
    char *p = arena_strdup(r->arena, path);
    if (p == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    while (ret->n < SEGMENTS && *(p += strspn(p, "/")) != '\0') {
        ret->seg[ret->n++] = p;
        p += strcspn(p, "/");
        if (*p != '\0')
            *p++ = '\0';
    }
    return SB_OK;
}

static enum sb_err find_vault(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct vault v;
    return vault_get(r->e, s->seg[1], s->seg[3], s->seg[7], r->arena, &v, err);
}

static enum sb_err find_namespace(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct ns_view v;
    return ns_get(r->e, s->seg[1], s->seg[3], s->seg[7], r->arena, &v, err);
}

static enum sb_err find_identity(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct uai u;
    return directory_uai_get(r->e,
                             arm_id(r, s->seg[1], s->seg[3], "%s/%s/%s", s->seg[5], s->seg[6], s->seg[7]),
                             r->arena, &u, err);
}

/* What a scope names must be there, as far as it is emulated; below a vault or namespace nobody looks. */
static enum sb_err require_scope(struct request *r, const char *path, struct sb_error *err)
{
    static const struct {
        const char *provider, *type;
        enum sb_err (*find)(struct request *r, const struct scope *s, struct sb_error *err);
    } types[] = {
        {"Microsoft.KeyVault", "vaults", find_vault},
        {"Microsoft.ServiceBus", "namespaces", find_namespace},
        {"Microsoft.ManagedIdentity", "userAssignedIdentities", find_identity},
    };
    enum sb_err rc;
    struct scope s = {.n = 0};
    struct group g;
    SB_TRY(split_scope(r, path, &s, err));
    if (s.n < 2 || !text_ieq(s.seg[0], "subscriptions"))
        goto out;
    if (!engine_subscription_ok(r->e, s.seg[1])) {
        rc = sb_fail(err, SB_ENOSUBSCRIPTION, "The subscription '%.80s' could not be found.", s.seg[1]);
        goto out;
    }
    if (s.n < 4 || !text_ieq(s.seg[2], "resourceGroups"))
        goto out;
    SB_TRY(directory_group_get(r->e, s.seg[1], s.seg[3], r->arena, &g, err));
    for (size_t i = 0; s.n == SEGMENTS && text_ieq(s.seg[4], "providers") && i < SB_ARRAY_LEN(types); i++) {
        if (text_ieq(types[i].provider, s.seg[5]) && text_ieq(types[i].type, s.seg[6]))
            SB_TRY(types[i].find(r, &s, err));
    }
out:
    return rc;
}

/* Role definitions are shown as the subscription's of the scope they were asked at (recorded). */
static const char *definition_id(struct request *r, const char *guid)
{
    const char *scope = scope_of(r);
    const char *sub = text_istarts(scope, "/subscriptions/") ? strchr(scope + 1, '/') : NULL;
    const char *id = sub == NULL ? arena_printf(r->arena, "/providers/" DEFINITIONS "/%s", guid)
                                 : arena_printf(r->arena, "/subscriptions/%.*s/providers/" DEFINITIONS "/%s",
                                                (int)strcspn(sub + 1, "/"), sub + 1, guid);
    return id != NULL ? id : "";
}

/* ---- role definitions ---- */

static void write_texts(struct jw *w, const char *key, const char *const *list)
{
    jw_arr(w, key);
    for (; *list != NULL; list++)
        jw_str(w, NULL, *list);
    jw_end_arr(w);
}

static void write_definition(struct request *r, struct jw *w, const struct role_def *d)
{
    jw_obj(w, NULL);
    jw_obj(w, "properties");
    jw_str(w, "roleName", d->name);
    jw_str(w, "type", "BuiltInRole");
    jw_str(w, "description", d->description);
    jw_arr(w, "assignableScopes");
    jw_str(w, NULL, "/");
    jw_end_arr(w);
    jw_arr(w, "permissions");
    jw_obj(w, NULL);
    write_texts(w, "actions", d->actions);
    write_texts(w, "notActions", d->not_actions);
    write_texts(w, "dataActions", d->data_actions);
    write_texts(w, "notDataActions", d->not_data_actions);
    jw_end_obj(w);
    jw_end_arr(w);
    jw_str(w, "createdOn", d->created);
    jw_str(w, "updatedOn", d->updated);
    jw_null(w, "createdBy");
    jw_null(w, "updatedBy");
    jw_end_obj(w);
    jw_str(w, "id", definition_id(r, d->id));
    jw_str(w, "type", DEFINITIONS);
    jw_str(w, "name", d->id);
    jw_end_obj(w);
}

static enum sb_err definition_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *name = request_param(r, "name");
    SB_TRY(require_scope(r, scope_of(r), err));
    const struct role_def *d = rbac_role_by_id(name);
    if (d == NULL) {
        rc = sb_fail(err, SB_ENOROLE, "The specified role definition with ID '%.80s' does not exist.", name);
        goto out;
    }
    struct jw w = reply_json(r, 200);
    write_definition(r, &w, d);
out:
    return rc;
}

struct definition_filter {
    const char *name;
    bool none; /* asks for custom roles: there are none */
};

static enum sb_err read_definition_filter(struct request *r, struct definition_filter *f,
                                          struct sb_error *err)
{
    enum sb_err rc;
    struct arm_filter_term terms[4];
    size_t n = 0;
    const char *filter = request_query(r, "$filter");
    SB_TRY(arm_filter(r, filter, terms, SB_ARRAY_LEN(terms), &n, err));
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(terms[i].left, "roleName"))
            f->name = terms[i].right;
        else if (text_ieq(terms[i].left, "type"))
            f->none = f->none || !text_ieq(terms[i].right, "BuiltInRole");
        else if (!text_ieq(terms[i].left, "atScope()") && !text_ieq(terms[i].left, "atScopeAndBelow()"))
            return sb_fail(
                err, SB_EBADREQUEST,
                "The filter '%.200s' is not supported. Supported filters are roleName eq '{value}', "
                "type eq '{value}', atScope() and atScopeAndBelow().",
                filter);
    }
out:
    return rc;
}

static enum sb_err definition_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    size_t n = 0;
    struct definition_filter f = {0};
    SB_TRY(require_scope(r, scope_of(r), err));
    SB_TRY(read_definition_filter(r, &f, err));
    const struct role_def *roles = rbac_roles(&n);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; !f.none && i < n; i++) {
        if (f.name == NULL || text_ieq(f.name, roles[i].name))
            write_definition(r, &w, &roles[i]);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- role assignments ---- */

/* After a PUT createdBy is null (recorded). */
static void write_assignment(struct request *r, struct jw *w, const struct role_assignment *a, bool just_put)
{
    char when[TIME_TEXT_MAX];
    jw_obj(w, NULL);
    jw_obj(w, "properties");
    jw_str(w, "roleDefinitionId", definition_id(r, a->role_id));
    jw_str(w, "principalId", a->principal_id);
    jw_str(w, "principalType", a->principal_type);
    jw_str(w, "scope", a->scope);
    jw_null(w, "condition");
    jw_null(w, "conditionVersion");
    jw_str(w, "createdOn", time_rfc3339_7(a->created_ms, when));
    jw_str(w, "updatedOn", time_rfc3339_7(a->updated_ms, when));
    if (just_put)
        jw_null(w, "createdBy");
    else
        jw_str(w, "createdBy", a->created_by);
    jw_str(w, "updatedBy", a->updated_by);
    jw_null(w, "delegatedManagedIdentityResourceId");
    if (a->description != NULL)
        jw_str(w, "description", a->description);
    else
        jw_null(w, "description");
    jw_end_obj(w);
    jw_str(w, "id", a->id);
    jw_str(w, "type", ASSIGNMENTS);
    jw_str(w, "name", a->name);
    jw_end_obj(w);
}

static enum sb_err reply_assignment(struct request *r, int status, const struct role_assignment *a)
{
    struct jw w = reply_json(r, status);
    write_assignment(r, &w, a, status == 201);
    return SB_OK;
}

static enum sb_err read_principal_type(const char *sent, const char **ret, struct sb_error *err)
{
    static const char *const types[] = {"User", "Group", "ServicePrincipal", "ForeignGroup", "Device"};
    if (sent == NULL)
        return SB_OK;
    for (size_t i = 0; i < SB_ARRAY_LEN(types); i++) {
        if (text_ieq(sent, types[i])) {
            *ret = types[i];
            return SB_OK;
        }
    }
    return sb_fail(err, SB_EBADREQUEST, "The principal type '%.80s' is not valid.", sent);
}

/* A condition narrows what a role grants. It is not evaluated here, and an assignment that grants more than
 * it says would be worse than none. */
static enum sb_err refuse_condition(const struct json *props, struct sb_error *err)
{
    enum sb_err rc;
    const char *condition = NULL, *delegated = NULL;
    SB_TRY(json_opt_str(props, "properties", "condition", &condition, err));
    SB_TRY(json_opt_str(props, "properties", "delegatedManagedIdentityResourceId", &delegated, err));
    if ((condition != NULL && condition[0] != '\0') || (delegated != NULL && delegated[0] != '\0'))
        rc = sb_fail(err, SB_ENOTSUP,
                     "Role assignments with conditions or delegated identities are not emulated.");
out:
    return rc;
}

static enum sb_err read_assignment(struct request *r, struct role_assignment *a, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *props = NULL;
    const char *role = NULL, *type = NULL;
    SB_TRY(json_opt_obj(r->json, "", "properties", &props, err));
    if (props == NULL)
        return sb_fail(err, SB_EBADJSON, "Required property 'properties' not found in JSON.");
    SB_TRY(json_opt_str(props, "properties", "roleDefinitionId", &role, err));
    SB_TRY(json_opt_str(props, "properties", "principalId", &a->principal_id, err));
    SB_TRY(json_opt_str(props, "properties", "principalType", &type, err));
    SB_TRY(json_opt_str(props, "properties", "description", &a->description, err));
    if (role == NULL || a->principal_id == NULL)
        return sb_fail(err, SB_EBADJSON, "Required property 'properties.%s' not found in JSON.",
                       role == NULL ? "roleDefinitionId" : "principalId");
    const char *last = strrchr(role, '/');
    a->role_id = last != NULL ? last + 1 : role;
    if (!guid_valid(a->role_id))
        return sb_fail(err, SB_EBADREQUEST,
                       "The role definition ID '%.200s' is not valid. The role definition ID must be a GUID.",
                       a->role_id);
    SB_TRY(refuse_condition(props, err));
    rc = read_principal_type(type, &a->principal_type, err);
out:
    return rc;
}

static enum sb_err assignment_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_assignment a,
        want = {.scope = scope_of(r), .name = request_param(r, "name"), .created_by = r->who.oid};
    bool created = false;
    SB_TRY(arm_require(r, ASSIGNMENTS "/write", want.scope, err));
    SB_TRY(require_scope(r, want.scope, err));
    SB_TRY(read_assignment(r, &want, err));
    SB_TRY(rbac_assign(r->e, &want, r->arena, &a, &created, err));
    rc = reply_assignment(r, 201, &a); /* also for an update (recorded) */
out:
    return rc;
}

static enum sb_err assignment_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_assignment a;
    SB_TRY(arm_require(r, ASSIGNMENTS "/read", scope_of(r), err));
    SB_TRY(require_scope(r, scope_of(r), err));
    SB_TRY(rbac_get(r->e, scope_of(r), request_param(r, "name"), r->arena, &a, err));
    rc = reply_assignment(r, 200, &a);
out:
    return rc;
}

static enum sb_err assignment_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_assignment a;
    bool existed = false;
    SB_TRY(arm_require(r, ASSIGNMENTS "/delete", scope_of(r), err));
    SB_TRY(require_scope(r, scope_of(r), err));
    SB_TRY(rbac_remove(r->e, scope_of(r), request_param(r, "name"), r->arena, &existed, &a, err));
    if (existed)
        rc = reply_assignment(r, 200, &a);
    else
        reply_empty(r, 204);
out:
    return rc;
}

static enum sb_err read_assignment_filter(struct request *r, bool *at_scope, const char **principal,
                                          struct sb_error *err)
{
    enum sb_err rc;
    struct arm_filter_term terms[4];
    size_t n = 0;
    const char *filter = request_query(r, "$filter");
    SB_TRY(arm_filter(r, filter, terms, SB_ARRAY_LEN(terms), &n, err));
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(terms[i].left, "atScope()"))
            *at_scope = true;
        else if (text_ieq(terms[i].left, "principalId") || text_ieq(terms[i].left, "assignedTo"))
            *principal = terms[i].right;
        else
            return sb_fail(
                err, SB_EBADREQUEST,
                "The filter '%.200s' is not supported. Supported filters are atScope(), principalId eq "
                "'{value}' and assignedTo('{value}').",
                filter);
    }
out:
    return rc;
}

static enum sb_err assignment_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_assignment *list = NULL;
    size_t n = 0;
    bool at_scope = false;
    const char *principal = NULL;
    SB_TRY(arm_require(r, ASSIGNMENTS "/read", scope_of(r), err));
    SB_TRY(require_scope(r, scope_of(r), err));
    SB_TRY(read_assignment_filter(r, &at_scope, &principal, err));
    SB_TRY(rbac_list(r->e, scope_of(r), at_scope, principal, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_assignment(r, &w, &list[i], false);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, "/providers/" DEFINITIONS, FLAGS, 0, definition_list, "ArmRoleDefinitionListTenant"},
    {"GET", PLANE_ARM, "/providers/" DEFINITIONS "/{name}", FLAGS, 0, definition_get,
     "ArmRoleDefinitionGetTenant"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" DEFINITIONS, FLAGS, 0, definition_list,
     "ArmRoleDefinitionList"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" DEFINITIONS "/{name}", FLAGS, 0, definition_get,
     "ArmRoleDefinitionGet"},
    {"GET", PLANE_ARM, "/providers/" ASSIGNMENTS, FLAGS, 0, assignment_list, "ArmRoleAssignmentListTenant"},
    {"GET", PLANE_ARM, "/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_get,
     "ArmRoleAssignmentGetTenant"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS, FLAGS, 0, assignment_list,
     "ArmRoleAssignmentList"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_get,
     "ArmRoleAssignmentGet"},
    {"PUT", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS | R_JSON, 65536, assignment_put,
     "ArmRoleAssignmentPut"},
    {"DELETE", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_delete,
     "ArmRoleAssignmentDelete"},
};
const struct route_table routes_arm_role = {rows, SB_ARRAY_LEN(rows)};
