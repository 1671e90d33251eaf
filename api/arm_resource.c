/* arm_resource.c: GET …/resources: what there is of any type in a subscription or group. */
#include <stddef.h>
#include <string.h>
#include "api/arm.h"
#include "api/arm_core.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"
#include "server/engine/federated.h"
#include "server/engine/ns.h"
#include "server/engine/rbac.h"
#include "server/engine/vault.h"

struct item {
    const char *id, *name, *type, *location, *tags, *group;
    const char *sku;                /* JSON text or NULL */
    int64_t created_ms, changed_ms; /* 0: not known */
};

#define TERMS_MAX 8

struct listing {
    struct jw w;
    struct arm_filter_term terms[TERMS_MAX];
    size_t terms_n;
    const char *tag, *tag_value;  /* NULL: whatever */
    int64_t skip, top, seen;      /* seen: those that the filter lets through */
    bool created, changed, state; /* $expand */
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

static bool holds(const char *text, const char *part)
{
    size_t n = strlen(part);
    for (; strlen(text) >= n; text++) {
        if (text_ieqn(text, part, n))
            return true;
    }
    return false;
}

static bool equal(const char *have, const char *wanted)
{
    return text_ieq(have, wanted);
}

static bool differs(const char *have, const char *wanted)
{
    return !text_ieq(have, wanted);
}

/* What can be asked of a resource; tags are looked at apart. */
static const struct {
    const char *left;
    size_t field;
    bool (*test)(const char *have, const char *wanted);
} tests[] = {
    {"resourceType", offsetof(struct item, type), equal},
    {"name", offsetof(struct item, name), equal},
    {"resourceGroup", offsetof(struct item, group), equal},
    {"location", offsetof(struct item, location), equal},
    {"resourceType ne", offsetof(struct item, type), differs},
    {"name ne", offsetof(struct item, name), differs},
    {"resourceGroup ne", offsetof(struct item, group), differs},
    {"location ne", offsetof(struct item, location), differs},
    {"substringof(name)", offsetof(struct item, name), holds},
    {"substringof(resourceGroup)", offsetof(struct item, group), holds},
};

static size_t test_named(const char *left)
{
    size_t i = 0;
    while (i < SB_ARRAY_LEN(tests) && !text_ieq(tests[i].left, left))
        i++;
    return i;
}

static bool passes(const struct listing *l, const struct item *i)
{
    for (size_t k = 0; k < l->terms_n; k++) {
        size_t t = test_named(l->terms[k].left);
        if (t == SB_ARRAY_LEN(tests))
            continue; /* of a tag */
        const char *have = *(const char *const *)(const void *)((const char *)i + tests[t].field);
        if (!tests[t].test(have != NULL ? have : "", l->terms[k].right))
            return false;
    }
    return tag_matches(l, i);
}

static void write_time(struct jw *w, const char *key, int64_t ms)
{
    char when[TIME_TEXT_MAX];
    if (ms > 0)
        jw_str(w, key, time_rfc3339_7(ms, when));
}

static void show(struct request *r, struct listing *l, const struct item *i)
{
    if (!passes(l, i) || !rbac_sees(r->e, &r->who, i->id))
        return;
    l->seen++;
    if (l->seen <= l->skip || l->seen - l->skip > l->top)
        return;
    jw_obj(&l->w, NULL);
    jw_str(&l->w, "id", i->id);
    jw_str(&l->w, "name", i->name);
    jw_str(&l->w, "type", i->type);
    jw_raw(&l->w, "sku", i->sku);
    jw_str(&l->w, "location", i->location);
    jw_raw(&l->w, "tags", i->tags != NULL ? i->tags : "{}");
    if (l->created)
        write_time(&l->w, "createdTime", i->created_ms);
    if (l->changed)
        write_time(&l->w, "changedTime", i->changed_ms);
    if (l->state)
        jw_str(&l->w, "provisioningState", "Succeeded");
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
                            .group = v[i].group,
                            .created_ms = v[i].created_ms,
                            .changed_ms = v[i].updated_ms});
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
                 .created_ms = v[i].created_ms,
                 .changed_ms = v[i].updated_ms,
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
        if (text_ieq(d[i].type, FEDERATED_TYPE)) /* not listed: a part of its identity */
            continue;
        SB_TRY(json_parse(d[i].body, strlen(d[i].body), &body, err));
        const struct json *tags = json_get(body, "tags");
        show(r, l,
             &(struct item){.id = d[i].id,
                            .name = d[i].name,
                            .type = d[i].type,
                            .location = d[i].location,
                            .tags = json_is_object(tags) ? json_print(tags, r->arena) : NULL,
                            .group = group_of(r, d[i].id),
                            .changed_ms = d[i].changed_ms});
        json_free(body);
    }
out:
    return rc;
}

static enum sb_err read_filter(struct request *r, struct listing *l, struct sb_error *err)
{
    enum sb_err rc;
    const char *filter = request_query(r, "$filter");
    SB_TRY(arm_filter(r, filter, l->terms, TERMS_MAX, &l->terms_n, err));
    for (size_t i = 0; i < l->terms_n; i++) {
        const char **to = text_ieq(l->terms[i].left, "tagName")    ? &l->tag
                          : text_ieq(l->terms[i].left, "tagValue") ? &l->tag_value
                                                                   : NULL;
        if (to != NULL)
            *to = l->terms[i].right;
        else if (test_named(l->terms[i].left) == SB_ARRAY_LEN(tests))
            return sb_fail(err, SB_EBADREQUEST, "Invalid $filter '%.300s' specified in the query string.",
                           filter);
    }
out:
    return rc;
}

static enum sb_err read_query(struct request *r, struct listing *l, struct sb_error *err)
{
    enum sb_err rc;
    const struct {
        const char *name;
        bool *to;
    } expands[] = {
        {"createdTime", &l->created}, {"changedTime", &l->changed}, {"provisioningState", &l->state}};
    const char *top = request_query(r, "$top"), *skip = request_query(r, "$skiptoken"),
               *expand = request_query(r, "$expand");
    SB_TRY(read_filter(r, l, err));
    if (top != NULL && !text_to_i64(top, 1, 1000, &l->top))
        return sb_fail(err, SB_EBADREQUEST, "Invalid $top '%.40s' specified in the query string.", top);
    if (skip != NULL && !text_to_i64(skip, 0, INT32_MAX, &l->skip))
        return sb_fail(err, SB_EBADREQUEST, "Invalid $skiptoken '%.40s' specified in the query string.",
                       skip);
    for (const char *p = expand; p != NULL && *p != '\0';) {
        p += strspn(p, ", ");
        size_t n = strcspn(p, ", ");
        for (size_t i = 0; i < SB_ARRAY_LEN(expands); i++) {
            if (strlen(expands[i].name) == n && text_ieqn(expands[i].name, p, n))
                *expands[i].to = true;
        }
        p += n;
    }
out:
    return rc;
}

/* The next page: this request with another token. */
static void write_next(struct request *r, struct listing *l)
{
    struct sb_buf b;
    if (l->seen - l->skip <= l->top)
        return;
    buf_init(&b, 16384);
    buf_addf(&b, "%s%s?api-version=%s&$top=%lld&$skiptoken=%lld", request_base(r, HOST_ARM, NULL), r->path,
             r->api_version, (long long)l->top, (long long)(l->skip + l->top));
    static const char *const kept[] = {"$filter", "$expand"};
    for (size_t i = 0; i < SB_ARRAY_LEN(kept); i++) {
        const char *value = request_query(r, kept[i]);
        if (value == NULL)
            continue;
        buf_addf(&b, "&%s=", kept[i]);
        (void)!percent_encode(&b, value); /* a failure stays in the buffer */
    }
    if (!buf_failed(&b))
        jw_str(&l->w, "nextLink", buf_str(&b));
    buf_done(&b);
}

enum sb_err arm_resource_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group");
    struct listing l = {.top = INT32_MAX};
    SB_TRY(group != NULL ? arm_require_group(r, NULL, err) : arm_require_sub(r, err));
    SB_TRY(read_query(r, &l, err));
    l.w = reply_json(r, 200);
    jw_obj(&l.w, NULL);
    jw_arr(&l.w, "value");
    SB_TRY(show_vaults(r, sub, group, &l, err));
    SB_TRY(show_namespaces(r, sub, group, &l, err));
    SB_TRY(show_identities(r, sub, group, &l, err));
    SB_TRY(show_documents(r, sub, group, &l, err));
    jw_end_arr(&l.w);
    write_next(r, &l);
    jw_end_obj(&l.w);
out:
    return rc;
}
