/* arm_role_definition.c: role definitions, built-in and custom (Microsoft.Authorization). */
#include <string.h>
#include "api/arm_role.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/rbac.h"

#define DEFINITIONS ARM_ROLE_DEFINITIONS
#define BODY_MAX    131072u

/* Role definitions are shown as the subscription's of the scope they were asked at (recorded). */
const char *arm_role_definition_id(struct request *r, const char *guid)
{
    const char *scope = arm_scope(r);
    const char *sub = text_istarts(scope, "/subscriptions/") ? strchr(scope + 1, '/') : NULL;
    const char *id = sub == NULL ? arena_printf(r->arena, "/providers/" DEFINITIONS "/%s", guid)
                                 : arena_printf(r->arena, "/subscriptions/%.*s/providers/" DEFINITIONS "/%s",
                                                (int)strcspn(sub + 1, "/"), sub + 1, guid);
    return id != NULL ? id : "";
}

/* ---- writing ---- */

static void write_texts(struct jw *w, const char *key, const char *const *list)
{
    jw_arr(w, key);
    for (; *list != NULL; list++)
        jw_str(w, NULL, *list);
    jw_end_arr(w);
}

/* Who and when. After a PUT createdBy is null and both times are the same (recorded). */
static void write_history(struct jw *w, const struct role_def *d, bool just_put)
{
    char when[TIME_TEXT_MAX];
    bool custom = d->scopes != NULL;
    jw_str(w, "createdOn",
           custom ? time_rfc3339_7(just_put ? d->updated_ms : d->created_ms, when) : d->created);
    jw_str(w, "updatedOn", custom ? time_rfc3339_7(d->updated_ms, when) : d->updated);
    if (custom && !just_put)
        jw_str(w, "createdBy", d->created_by);
    else
        jw_null(w, "createdBy");
    if (custom)
        jw_str(w, "updatedBy", d->updated_by);
    else
        jw_null(w, "updatedBy");
}

static void write_definition(struct request *r, struct jw *w, const struct role_def *d, bool just_put)
{
    static const char *const everywhere[] = {"/", NULL};
    jw_obj(w, NULL);
    jw_obj(w, "properties");
    jw_str(w, "roleName", d->name);
    jw_str(w, "type", d->scopes != NULL ? "CustomRole" : "BuiltInRole");
    jw_str(w, "description", d->description);
    write_texts(w, "assignableScopes", d->scopes != NULL ? d->scopes : everywhere);
    jw_arr(w, "permissions");
    jw_obj(w, NULL);
    write_texts(w, "actions", d->actions);
    write_texts(w, "notActions", d->not_actions);
    write_texts(w, "dataActions", d->data_actions);
    write_texts(w, "notDataActions", d->not_data_actions);
    jw_end_obj(w);
    jw_end_arr(w);
    write_history(w, d, just_put);
    jw_end_obj(w);
    jw_str(w, "id", arm_role_definition_id(r, d->id));
    jw_str(w, "type", DEFINITIONS);
    jw_str(w, "name", d->id);
    jw_end_obj(w);
}

static enum sb_err answer(struct request *r, int status, const struct role_def *d)
{
    struct jw w = reply_json(r, status);
    write_definition(r, &w, d, status == 201);
    return SB_OK;
}

/* ---- get and list ---- */

/* Of the tenant as a whole there are the built-in ones alone, which are no secret. */
static enum sb_err require_read(struct request *r, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const char *scope = arm_scope(r);
    if (strcmp(scope, "/") != 0)
        SB_TRY(arm_require(r, DEFINITIONS "/read", scope, err));
    SB_TRY(arm_scope_require(r, scope, err));
out:
    return rc;
}

static enum sb_err definition_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_def d;
    SB_TRY(require_read(r, err));
    SB_TRY(rbac_role_get(r->e, request_param(r, "name"), r->arena, &d, err));
    rc = answer(r, 200, &d);
out:
    return rc;
}

struct definition_filter {
    const char *name, *type; /* NULL: whatever */
    bool below;
};

static enum sb_err read_filter(struct request *r, struct definition_filter *f, struct sb_error *err)
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
            f->type = terms[i].right;
        else if (text_ieq(terms[i].left, "atScopeAndBelow()"))
            f->below = true;
        else if (!text_ieq(terms[i].left, "atScope()"))
            return sb_fail(
                err, SB_EBADREQUEST,
                "The filter '%.200s' is not supported. Supported filters are roleName eq '{value}', "
                "type eq '{value}', atScope() and atScopeAndBelow().",
                filter);
    }
out:
    return rc;
}

static void write_some(struct request *r, struct jw *w, const struct definition_filter *f, const char *type,
                       const struct role_def *d, size_t n)
{
    if (f->type != NULL && !text_ieq(f->type, type))
        return;
    for (size_t i = 0; i < n; i++)
        if (f->name == NULL || text_ieq(f->name, d[i].name))
            write_definition(r, w, &d[i], false);
}

/* Custom ones first (recorded). */
static enum sb_err definition_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    size_t n = 0, custom_n = 0;
    struct definition_filter f = {0};
    struct role_def *custom = NULL;
    SB_TRY(require_read(r, err));
    SB_TRY(read_filter(r, &f, err));
    SB_TRY(rbac_role_list(r->e, arm_scope(r), f.below, r->arena, &custom, &custom_n, err));
    const struct role_def *built_in = rbac_roles(&n);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    write_some(r, &w, &f, "CustomRole", custom, custom_n);
    write_some(r, &w, &f, "BuiltInRole", built_in, n);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- put and delete ---- */

/* A list of texts; absent: an empty one. */
static enum sb_err read_texts(struct request *r, const struct json *obj, const char *where, const char *key,
                              const char *const **ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *list = NULL;
    size_t n = 0;
    SB_TRY(json_opt_arr(obj, where, key, &list, err));
    const char **texts = ARENA_ARRAY(r->arena, const char *, json_size(list) + 1);
    if (texts == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    JSON_FOREACH (j, list) {
        texts[n] = json_text(j);
        if (texts[n++] == NULL)
            return sb_fail(err, SB_EBADJSON, "%s.%s must be a list of strings", where, key);
    }
    texts[n] = NULL;
    *ret = texts;
out:
    return rc;
}

static enum sb_err read_definition(struct request *r, struct role_def *d, struct sb_error *err)
{
    static const char where[] = "properties", inner[] = "properties.permissions";
    enum sb_err rc;
    const struct json *props = NULL, *permissions = NULL;
    SB_TRY(json_opt_obj(r->json, "", "properties", &props, err));
    if (props == NULL)
        return sb_fail(err, SB_EBADJSON, "Required property 'properties' not found in JSON.");
    d->description = "";
    SB_TRY(json_opt_str(props, where, "roleName", &d->name, err));
    SB_TRY(json_opt_str(props, where, "description", &d->description, err));
    SB_TRY(json_opt_arr(props, where, "permissions", &permissions, err));
    SB_TRY(read_texts(r, props, where, "assignableScopes", &d->scopes, err));
    /* What two of them would grant together is another thing than what their lists would (choice). */
    const struct json *only = json_first(permissions);
    if (json_size(permissions) != 1 || !json_is_object(only))
        return sb_fail(err, SB_EBADREQUEST,
                       "A role definition must have exactly one entry in 'permissions'.");
    SB_TRY(read_texts(r, only, inner, "actions", &d->actions, err));
    SB_TRY(read_texts(r, only, inner, "notActions", &d->not_actions, err));
    SB_TRY(read_texts(r, only, inner, "dataActions", &d->data_actions, err));
    SB_TRY(read_texts(r, only, inner, "notDataActions", &d->not_data_actions, err));
out:
    return rc;
}

static enum sb_err definition_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_def d, want = {.id = request_param(r, "name"), .updated_by = r->who.oid};
    SB_TRY(arm_require(r, DEFINITIONS "/write", arm_scope(r), err));
    SB_TRY(arm_scope_require(r, arm_scope(r), err));
    SB_TRY(read_definition(r, &want, err));
    /* A role is made for scopes that its maker may hand it out at (documented). */
    for (const char *const *s = want.scopes; *s != NULL; s++)
        SB_TRY(arm_require(r, DEFINITIONS "/write", *s, err));
    SB_TRY(rbac_role_put(r->e, &want, r->arena, &d, err));
    rc = answer(r, 201, &d); /* also for an update (recorded) */
out:
    return rc;
}

static enum sb_err definition_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct role_def d;
    bool existed = false;
    SB_TRY(arm_require(r, DEFINITIONS "/delete", arm_scope(r), err));
    SB_TRY(arm_scope_require(r, arm_scope(r), err));
    SB_TRY(rbac_role_remove(r->e, request_param(r, "name"), r->arena, &existed, &d, err));
    if (existed)
        rc = answer(r, 200, &d);
    else
        reply_empty(r, 204);
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
    {"PUT", PLANE_ARM, "/{scope*}/providers/" DEFINITIONS "/{name}", FLAGS | R_JSON, BODY_MAX, definition_put,
     "ArmRoleDefinitionPut"},
    {"DELETE", PLANE_ARM, "/{scope*}/providers/" DEFINITIONS "/{name}", FLAGS, 0, definition_delete,
     "ArmRoleDefinitionDelete"},
};
const struct route_table routes_arm_role_definition = {rows, SB_ARRAY_LEN(rows)};
