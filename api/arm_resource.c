/* arm_resource.c: GET …/resources: what there is of any type in a subscription or group. */
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "server/base/text.h"
#include "server/engine/document.h"
#include "server/engine/ns.h"
#include "server/engine/rbac.h"
#include "server/engine/vault.h"

struct item {
    const char *id, *name, *type, *location, *tags, *group;
    const char *sku; /* JSON text or NULL */
};

struct listing {
    struct jw w;
    const char *type, *name, *group, *location, *tag, *tag_value; /* NULL: whatever */
    int64_t top, shown;
};

static bool tag_matches(const struct listing *l, const struct item *i)
{
    struct json *tags = NULL;
    if (l->tag == NULL)
        return true;
    if (i->tags == NULL || json_parse(i->tags, strlen(i->tags), &tags, NULL) != SB_OK)
        return false;
    const char *have = json_text(json_get(tags, l->tag));
    bool match = have != NULL && (l->tag_value == NULL || strcmp(have, l->tag_value) == 0);
    json_free(tags);
    return match;
}

static bool wanted(const char *filter, const char *have)
{
    return filter == NULL || (have != NULL && text_ieq(filter, have));
}

static void show(struct request *r, struct listing *l, const struct item *i)
{
    if (!wanted(l->type, i->type) || !wanted(l->name, i->name) || !wanted(l->group, i->group) ||
        !wanted(l->location, i->location) || !tag_matches(l, i) || l->shown >= l->top ||
        !rbac_sees(r->e, &r->who, i->id))
        return;
    l->shown++;
    jw_obj(&l->w, NULL);
    jw_str(&l->w, "id", i->id);
    jw_str(&l->w, "name", i->name);
    jw_str(&l->w, "type", i->type);
    jw_raw(&l->w, "sku", i->sku);
    jw_str(&l->w, "location", i->location);
    jw_raw(&l->w, "tags", i->tags != NULL ? i->tags : "{}");
    jw_end_obj(&l->w);
}

static enum sb_err show_vaults(struct request *r, const char *sub, const char *group, struct listing *l,
                               struct sb_error *err)
{
    enum sb_err rc;
    struct vault *v = NULL;
    size_t n = 0;
    SB_TRY(vault_list(r->e, sub, group, r->arena, &v, &n, err));
    for (size_t i = 0; i < n; i++)
        show(r, l,
             &(struct item){.id = arm_id(r, v[i].sub, v[i].group, "Microsoft.KeyVault/vaults/%s", v[i].name),
                            .name = v[i].name,
                            .type = "Microsoft.KeyVault/vaults",
                            .location = v[i].location,
                            .tags = v[i].tags,
                            .group = v[i].group});
out:
    return rc;
}

static enum sb_err show_namespaces(struct request *r, const char *sub, const char *group, struct listing *l,
                                   struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view *v = NULL;
    size_t n = 0;
    SB_TRY(ns_list(r->e, sub, group, r->arena, &v, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool premium = text_ieq(v[i].sku, "Premium");
        show(r, l,
             &(struct item){
                 .id = arm_id(r, v[i].sub, v[i].group, "Microsoft.ServiceBus/namespaces/%s", v[i].name),
                 .name = v[i].name,
                 .type = "Microsoft.ServiceBus/namespaces",
                 .location = v[i].location,
                 .tags = v[i].tags,
                 .group = v[i].group,
                 .sku = premium ? arena_printf(r->arena,
                                               "{\"name\":\"Premium\",\"tier\":\"Premium\",\"capacity\":%d}",
                                               v[i].capacity)
                                : arena_printf(r->arena, "{\"name\":\"%s\",\"tier\":\"%s\"}", v[i].sku,
                                               v[i].sku)});
    }
out:
    return rc;
}

static enum sb_err show_identities(struct request *r, const char *sub, const char *group, struct listing *l,
                                   struct sb_error *err)
{
    enum sb_err rc;
    struct uai *u = NULL;
    size_t n = 0;
    SB_TRY(directory_uai_list(r->e, sub, group, r->arena, &u, &n, err));
    for (size_t i = 0; i < n; i++)
        show(r, l,
             &(struct item){.id = arm_id(r, u[i].sub, u[i].group,
                                         "Microsoft.ManagedIdentity/userAssignedIdentities/%s", u[i].name),
                            .name = u[i].name,
                            .type = "Microsoft.ManagedIdentity/userAssignedIdentities",
                            .location = u[i].location,
                            .tags = u[i].tags,
                            .group = u[i].group});
out:
    return rc;
}

/* The group's name within "/subscriptions/S/resourceGroups/G…"; NULL: it is in none. */
static const char *group_of(struct request *r, const char *id)
{
    static const char subscriptions[] = "/subscriptions/", groups[] = "/resourceGroups/";
    if (!text_istarts(id, subscriptions))
        return NULL;
    id += sizeof subscriptions - 1;
    id += strcspn(id, "/");
    if (!text_istarts(id, groups))
        return NULL;
    id += sizeof groups - 1;
    return arena_strndup(r->arena, id, strcspn(id, "/"));
}

/* Resources of other providers, which templates made. */
static enum sb_err show_documents(struct request *r, const char *sub, const char *group, struct listing *l,
                                  struct sb_error *err)
{
    enum sb_err rc;
    struct st_document *d = NULL;
    size_t n = 0;
    SB_TRY(document_list(r->e, DOCUMENT_RESOURCE, arm_id(r, sub, group, NULL), true, r->arena, &d, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct json *body = NULL;
        SB_TRY(json_parse(d[i].body, strlen(d[i].body), &body, err));
        const struct json *tags = json_get(body, "tags");
        show(r, l,
             &(struct item){.id = d[i].id,
                            .name = d[i].name,
                            .type = d[i].type,
                            .location = d[i].location,
                            .tags = json_is_object(tags) ? json_print(tags, r->arena) : NULL,
                            .group = group_of(r, d[i].id)});
        json_free(body);
    }
out:
    return rc;
}

static enum sb_err read_filter(struct request *r, struct listing *l, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_filter_term terms[8];
    size_t n = 0;
    const char *filter = request_query(r, "$filter"), *top = request_query(r, "$top");
    const struct {
        const char *left;
        const char **to;
    } fields[] = {{"resourceType", &l->type}, {"name", &l->name},   {"resourceGroup", &l->group},
                  {"location", &l->location}, {"tagName", &l->tag}, {"tagValue", &l->tag_value}};
    SB_TRY(arm_filter(r, filter, terms, SB_ARRAY_LEN(terms), &n, err));
    for (size_t i = 0; i < n; i++) {
        size_t f = 0;
        while (f < SB_ARRAY_LEN(fields) && !text_ieq(fields[f].left, terms[i].left))
            f++;
        if (f == SB_ARRAY_LEN(fields))
            return sb_fail(err, SB_EBADREQUEST, "Invalid $filter '%.300s' specified in the query string.",
                           filter);
        *fields[f].to = terms[i].right;
    }
    if (top != NULL && !text_to_i64(top, 1, 1000, &l->top))
        rc = sb_fail(err, SB_EBADREQUEST, "Invalid $top '%.40s' specified in the query string.", top);
out:
    return rc;
}

enum sb_err arm_resource_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group");
    struct listing l = {.top = INT64_MAX};
    SB_TRY(group != NULL ? arm_require_group(r, NULL, err) : arm_require_sub(r, err));
    SB_TRY(read_filter(r, &l, err));
    l.w = reply_json(r, 200);
    jw_obj(&l.w, NULL);
    jw_arr(&l.w, "value");
    SB_TRY(show_vaults(r, sub, group, &l, err));
    SB_TRY(show_namespaces(r, sub, group, &l, err));
    SB_TRY(show_identities(r, sub, group, &l, err));
    SB_TRY(show_documents(r, sub, group, &l, err));
    jw_end_arr(&l.w);
    jw_end_obj(&l.w);
out:
    return rc;
}
