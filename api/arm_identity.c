/* arm_identity.c: user-assigned managed identities (Microsoft.ManagedIdentity). */
#include "api/arm.h"

#define TYPE   "Microsoft.ManagedIdentity/userAssignedIdentities"
#define READ   TYPE "/read"
#define WRITE  TYPE "/write"
#define DELETE TYPE "/delete"

static const char *own_id(struct request *r)
{
    return arm_id(r, request_param(r, "sub"), request_param(r, "group"), TYPE "/%s",
                  request_param(r, "name"));
}

static void write_identity(struct jw *w, const struct uai *u)
{
    jw_obj(w, NULL);
    jw_str(w, "id", u->id);
    jw_str(w, "name", u->name);
    jw_str(w, "type", TYPE);
    jw_str(w, "location", u->location);
    jw_raw(w, "tags", u->tags);
    jw_obj(w, "properties");
    jw_str(w, "tenantId", ENGINE_TENANT);
    jw_str(w, "principalId", u->principal_id);
    jw_str(w, "clientId", u->client_id);
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err save(struct request *r, bool patch, struct sb_error *err)
{
    enum sb_err rc;
    struct uai u;
    bool created = false;
    const char *location = NULL, *tags = NULL;
    SB_TRY(arm_require(r, WRITE, own_id(r), err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(arm_location(r, r->json, !patch, &location, err));
    SB_TRY(arm_tags(r, r->json, &tags, err));
    if (!patch && tags == NULL)
        tags = "{}";
    SB_TRY(directory_uai_put(r->e, request_param(r, "sub"), request_param(r, "group"),
                             request_param(r, "name"), patch ? NULL : location, tags, r->arena, &u, &created,
                             err));
    struct jw w = reply_json(r, created ? 201 : 200);
    write_identity(&w, &u);
    if (created)
        reply_header(r, "Location", u.id); /* relative, as recorded */
out:
    return rc;
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    return save(r, false, err);
}

static enum sb_err patch(struct request *r, struct sb_error *err)
{
    return save(r, true, err);
}

static enum sb_err get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct uai u;
    SB_TRY(arm_require(r, READ, own_id(r), err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(directory_uai_get(r->e, own_id(r), r->arena, &u, err));
    struct jw w = reply_json(r, 200);
    write_identity(&w, &u);
out:
    return rc;
}

static enum sb_err delete (struct request *r, struct sb_error *err) {
    enum sb_err rc; bool existed = false; SB_TRY(arm_require(r, DELETE, own_id(r), err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(directory_uai_delete(r->e, own_id(r), &existed, err));
    reply_empty(r, existed ? 200 : 204);
    out : return rc;
}

/* group NULL: of the whole subscription. */
static enum sb_err reply_list(struct request *r, const char *group, struct sb_error *err)
{
    enum sb_err rc;
    struct uai *list = NULL;
    size_t n = 0;
    SB_TRY(arm_require(r, READ, arm_id(r, request_param(r, "sub"), group, NULL), err));
    SB_TRY(group != NULL ? arm_require_group(r, NULL, err) : arm_require_sub(r, err));
    SB_TRY(directory_uai_list(r->e, request_param(r, "sub"), group, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_identity(&w, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err list_group(struct request *r, struct sb_error *err)
{
    return reply_list(r, request_param(r, "group"), err);
}

static enum sb_err list_sub(struct request *r, struct sb_error *err)
{
    return reply_list(r, NULL, err);
}

#define IN_SUB   "/subscriptions/{sub}/providers/" TYPE
#define IN_GROUP "/subscriptions/{sub}/resourceGroups/{group}/providers/" TYPE
#define ONE      IN_GROUP "/{name}"

static const struct route rows[] = {
    {"GET", PLANE_ARM, IN_SUB, R_AUTH | R_APIVER, 0, list_sub, "ArmIdentityListSubscription"},
    {"GET", PLANE_ARM, IN_GROUP, R_AUTH | R_APIVER, 0, list_group, "ArmIdentityList"},
    {"PUT", PLANE_ARM, ONE, R_AUTH | R_APIVER | R_JSON, 65536, put, "ArmIdentityPut"},
    {"PATCH", PLANE_ARM, ONE, R_AUTH | R_APIVER | R_JSON, 65536, patch, "ArmIdentityPatch"},
    {"GET", PLANE_ARM, ONE, R_AUTH | R_APIVER, 0, get, "ArmIdentityGet"},
    {"DELETE", PLANE_ARM, ONE, R_AUTH | R_APIVER, 0, delete, "ArmIdentityDelete"},
};
const struct route_table routes_arm_identity = {rows, SB_ARRAY_LEN(rows)};
