/* arm_role.c: role assignments at any scope (Microsoft.Authorization). */
#include "api/arm_role.h"
#include <string.h>
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/rbac.h"

#define ASSIGNMENTS ARM_ROLE_ASSIGNMENTS

/* After a PUT createdBy is null (recorded). */
static void write_assignment(struct request *r, struct jw *w, const struct role_assignment *a, bool just_put)
{
    char when[TIME_TEXT_MAX];
    jw_obj(w, NULL);
    jw_obj(w, "properties");
    jw_str(w, "roleDefinitionId", arm_role_definition_id(r, a->role_id));
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
        want = {.scope = arm_scope(r), .name = request_param(r, "name"), .created_by = r->who.oid};
    bool created = false;
    SB_TRY(arm_require(r, ASSIGNMENTS "/write", want.scope, err));
    SB_TRY(arm_scope_require(r, want.scope, err));
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
    SB_TRY(arm_require(r, ASSIGNMENTS "/read", arm_scope(r), err));
    SB_TRY(arm_scope_require(r, arm_scope(r), err));
    SB_TRY(rbac_get(r->e, arm_scope(r), request_param(r, "name"), r->arena, &a, err));
    rc = reply_assignment(r, 200, &a);
out:
    return rc;
}

static enum sb_err assignment_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_assignment a;
    bool existed = false;
    SB_TRY(arm_require(r, ASSIGNMENTS "/delete", arm_scope(r), err));
    SB_TRY(arm_scope_require(r, arm_scope(r), err));
    SB_TRY(rbac_remove(r->e, arm_scope(r), request_param(r, "name"), r->arena, &existed, &a, err));
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
    SB_TRY(arm_require(r, ASSIGNMENTS "/read", arm_scope(r), err));
    SB_TRY(arm_scope_require(r, arm_scope(r), err));
    SB_TRY(read_assignment_filter(r, &at_scope, &principal, err));
    SB_TRY(rbac_list(r->e, arm_scope(r), at_scope, principal, r->arena, &list, &n, err));
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

static enum sb_err elevate(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(rbac_elevate(r->e, &r->who, err));
    reply_empty(r, 200);
out:
    return rc;
}

#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, "/providers/" ASSIGNMENTS, FLAGS, 0, assignment_list, "ArmRoleAssignmentListTenant"},
    {"GET", PLANE_ARM, "/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_get,
     "ArmRoleAssignmentGetTenant"},
    {"PUT", PLANE_ARM, "/providers/" ASSIGNMENTS "/{name}", FLAGS | R_JSON, 65536, assignment_put,
     "ArmRoleAssignmentPutTenant"},
    {"DELETE", PLANE_ARM, "/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_delete,
     "ArmRoleAssignmentDeleteTenant"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS, FLAGS, 0, assignment_list,
     "ArmRoleAssignmentList"},
    {"GET", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_get,
     "ArmRoleAssignmentGet"},
    {"PUT", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS | R_JSON, 65536, assignment_put,
     "ArmRoleAssignmentPut"},
    {"DELETE", PLANE_ARM, "/{scope*}/providers/" ASSIGNMENTS "/{name}", FLAGS, 0, assignment_delete,
     "ArmRoleAssignmentDelete"},
    {"POST", PLANE_ARM, "/providers/Microsoft.Authorization/elevateAccess", FLAGS, 0, elevate,
     "ArmElevateAccess"},
};
const struct route_table routes_arm_role = {rows, SB_ARRAY_LEN(rows)};
