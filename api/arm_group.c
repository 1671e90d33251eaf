/* arm_group.c: resource groups. */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"

#define READ           "Microsoft.Resources/subscriptions/resourceGroups/read"
#define WRITE          "Microsoft.Resources/subscriptions/resourceGroups/write"
#define DELETE         "Microsoft.Resources/subscriptions/resourceGroups/delete"
#define MANAGED_BY_MAX 512

static const char *own_id(struct request *r)
{
    return arm_id(r, request_param(r, "sub"), request_param(r, "group"), NULL);
}

static void write_group(struct request *r, struct jw *w, const struct group *g)
{
    jw_obj(w, NULL);
    jw_str(w, "id", arm_id(r, g->sub, g->name, NULL));
    jw_str(w, "name", g->name);
    jw_str(w, "type", "Microsoft.Resources/resourceGroups");
    jw_str(w, "location", g->location);
    jw_str(w, "managedBy", g->managed_by);
    jw_raw(w, "tags", g->tags);
    jw_obj(w, "properties");
    jw_str(w, "provisioningState", "Succeeded");
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err reply_group(struct request *r, int status, const struct group *g)
{
    struct jw w = reply_json(r, status);
    write_group(r, &w, g);
    return SB_OK;
}

/* A PUT says all there is to say about tags; a PATCH changes what it names. */
static enum sb_err save(struct request *r, bool patch, struct sb_error *err)
{
    enum sb_err rc;
    struct group g, want = {.sub = request_param(r, "sub"), .name = request_param(r, "group")};
    bool created = false;
    SB_TRY(arm_require(r, WRITE, own_id(r), err));
    SB_TRY(arm_require_sub(r, err));
    SB_TRY(arm_location(r, r->json, !patch, &want.location, err));
    SB_TRY(arm_tags(r, r->json, &want.tags, err));
    SB_TRY(json_opt_str(r->json, "", "managedBy", &want.managed_by, err));
    if (want.managed_by != NULL && strlen(want.managed_by) > MANAGED_BY_MAX) {
        rc = sb_fail(err, SB_EBADREQUEST, "managedBy can have at most %d characters.", MANAGED_BY_MAX);
        goto out;
    }
    if (patch)
        want.location = NULL;
    else if (want.tags == NULL)
        want.tags = "{}";
    SB_TRY(directory_group_save(r->e, &want, r->arena, &g, &created, err));
    rc = reply_group(r, created ? 201 : 200, &g);
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
    struct group g;
    SB_TRY(arm_require(r, READ, own_id(r), err));
    SB_TRY(arm_require_group(r, &g, err));
    rc = reply_group(r, 200, &g);
out:
    return rc;
}

/* 204 or 404, both without a body. */
static enum sb_err head(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(arm_require(r, READ, own_id(r), err));
    rc = arm_require_group(r, NULL, err);
    if (rc == SB_ENOGROUP) {
        reply_empty(r, 404);
        reply_header(r, "x-ms-failure-cause", "gateway");
        rc = SB_OK;
    } else if (rc == SB_OK) {
        reply_empty(r, 204);
    }
out:
    return rc;
}

static enum sb_err delete (struct request *r, struct sb_error *err) {
    enum sb_err rc; struct group g; SB_TRY(arm_require(r, DELETE, own_id(r), err));
    SB_TRY(arm_require_group(r, &g, err));
    SB_TRY(directory_group_delete(r->e, g.sub, g.name, err));
    arm_job_reply(r, ARM_JOB_GROUP_DELETION, g.sub, g.name, g.location);
    out : return rc;
}

/* tagname eq 'a' [and tagvalue eq 'b'] */
static bool tags_match(const struct group *g, const char *name, const char *value)
{
    struct json *tags = NULL;
    if (name == NULL)
        return true;
    if (json_parse(g->tags, strlen(g->tags), &tags, NULL) != SB_OK)
        return false;
    const char *have = json_text(json_get(tags, name));
    bool match = have != NULL && (value == NULL || strcmp(have, value) == 0);
    json_free(tags);
    return match;
}

static enum sb_err list_filter(struct request *r, const char **name, const char **value, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_filter_term terms[2];
    size_t n = 0;
    const char *filter = request_query(r, "$filter");
    SB_TRY(arm_filter(r, filter, terms, SB_ARRAY_LEN(terms), &n, err));
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(terms[i].left, "tagname"))
            *name = terms[i].right;
        else if (text_ieq(terms[i].left, "tagvalue"))
            *value = terms[i].right;
        else
            rc = SB_EBADREQUEST;
    }
    if (rc != SB_OK || (*name == NULL && *value != NULL))
        rc = sb_fail(err, SB_EBADREQUEST, "Invalid $filter '%.300s' specified in the query string.", filter);
out:
    return rc;
}

/* As in the service, only what the caller may see is listed. */
static enum sb_err list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct group *groups = NULL;
    size_t n = 0;
    const char *name = NULL, *value = NULL;
    SB_TRY(arm_require_sub(r, err));
    SB_TRY(list_filter(r, &name, &value, err));
    SB_TRY(directory_group_list(r->e, request_param(r, "sub"), r->arena, &groups, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++) {
        if (rbac_sees(r->e, &r->who, arm_id(r, groups[i].sub, groups[i].name, NULL)) &&
            tags_match(&groups[i], name, value))
            write_group(r, &w, &groups[i]);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

#define GROUPS "/subscriptions/{sub}/resourceGroups"
#define GROUP  GROUPS "/{group}"

static const struct route rows[] = {
    {"GET", PLANE_ARM, GROUPS, R_AUTH | R_APIVER, 0, list, "ArmGroupList"},
    {"PUT", PLANE_ARM, GROUP, R_AUTH | R_APIVER | R_JSON, 65536, put, "ArmGroupPut"},
    {"PATCH", PLANE_ARM, GROUP, R_AUTH | R_APIVER | R_JSON, 65536, patch, "ArmGroupPatch"},
    {"GET", PLANE_ARM, GROUP, R_AUTH | R_APIVER, 0, get, "ArmGroupGet"},
    {"HEAD", PLANE_ARM, GROUP, R_AUTH | R_APIVER, 0, head, "ArmGroupHead"},
    {"DELETE", PLANE_ARM, GROUP, R_AUTH | R_APIVER, 0, delete, "ArmGroupDelete"},
};
const struct route_table routes_arm_group = {rows, SB_ARRAY_LEN(rows)};
