/*
 * arm_whatif_diff.c: a resource before and after a deployment, compared. Pure: values in, values out.
 *
 * Recorded: names are sorted, what the service fills in is not told, differences are leaves with dotted
 * paths, and what the template leaves out stays as it is where the provider fills it in.
 */
#include <stdlib.h>
#include <string.h>
#include "api/arm_whatif.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

/* ---- rules ---- */

static const char *const every_read_only[] = {"etag",
                                              "systemData",
                                              "managedBy",
                                              "properties.provisioningState",
                                              "properties.createdAt",
                                              "properties.updatedAt",
                                              NULL};
static const char *const namespace_read_only[] = {"properties.status",
                                                  "properties.serviceBusEndpoint",
                                                  "properties.metricId",
                                                  "properties.encryption.status",
                                                  "identity.principalId",
                                                  "identity.tenantId",
                                                  "identity.userAssignedIdentities.*.principalId",
                                                  "identity.userAssignedIdentities.*.clientId",
                                                  NULL};
static const char *const entity_read_only[] = {"location",
                                               "properties.accessedAt",
                                               "properties.sizeInBytes",
                                               "properties.messageCount",
                                               "properties.subscriptionCount",
                                               "properties.countDetails",
                                               NULL};
static const char *const vault_read_only[] = {"properties.vaultUri", "properties.privateEndpointConnections",
                                              NULL};
static const char *const key_read_only[] = {"properties.keyUri",
                                            "properties.keyUriWithVersion",
                                            "properties.secretUri",
                                            "properties.secretUriWithVersion",
                                            "properties.attributes.created",
                                            "properties.attributes.updated",
                                            "properties.attributes.recoveryLevel",
                                            "properties.rotationPolicy.attributes.created",
                                            "properties.rotationPolicy.attributes.updated",
                                            NULL};
static const char *const identity_read_only[] = {"properties.tenantId", "properties.principalId",
                                                 "properties.clientId", NULL};
static const char *const assignment_read_only[] = {"properties.scope",     "properties.createdOn",
                                                   "properties.updatedOn", "properties.createdBy",
                                                   "properties.updatedBy", NULL};
static const char *const group_read_only[] = {NULL};
static const char *const nothing[] = {NULL};
static const char *const vault_write_only[] = {"properties.createMode", NULL};
static const char *const secret_write_only[] = {"properties.value", NULL};

static const struct {
    const char *type; /* or its beginning */
    struct whatif_rules rules;
} types[] = {
    {"Microsoft.ServiceBus/namespaces/", {false, entity_read_only, nothing}},
    {"Microsoft.ServiceBus/namespaces", {false, namespace_read_only, nothing}},
    {"Microsoft.KeyVault/vaults/secrets", {false, key_read_only, secret_write_only}},
    {"Microsoft.KeyVault/vaults/", {false, key_read_only, nothing}},
    {"Microsoft.KeyVault/vaults", {false, vault_read_only, vault_write_only}},
    {"Microsoft.ManagedIdentity/", {false, identity_read_only, nothing}},
    {"Microsoft.Authorization/", {false, assignment_read_only, nothing}},
    {"Microsoft.", {false, group_read_only, nothing}},
};

const struct whatif_rules *whatif_rules(const char *type, bool emulated)
{
    static const struct whatif_rules kept = {true, nothing, nothing};
    for (size_t i = 0; emulated && i < SB_ARRAY_LEN(types); i++) {
        if (text_istarts(type, types[i].type))
            return &types[i].rules;
    }
    return &kept;
}

/* '*' is one segment of a path. */
static bool path_is(const char *path, const char *pattern)
{
    while (*path && *pattern) {
        if (*pattern == '*') {
            path += strcspn(path, "\n");
            pattern++;
        } else if (text_lower(*path == '\n' ? '.' : *path) != text_lower(*pattern)) {
            return false;
        } else {
            path++;
            pattern++;
        }
    }
    return *path == *pattern;
}

static bool listed(const char *const *list, const char *path)
{
    for (; *list; list++) {
        if (path_is(path, *list))
            return true;
    }
    return false;
}

/* Inside, segments are kept apart by newlines: names may hold dots. */
static const char *below(struct sb_arena *a, const char *path, const char *key)
{
    return *path ? arena_printf(a, "%s\n%s", path, key) : arena_strdup(a, key);
}

/* ---- cleaning ---- */

static int by_key(const void *left, const void *right)
{
    return strcmp(((const struct tv_member *)left)->key, ((const struct tv_member *)right)->key);
}

static bool is_nothing(const struct tv *v, const char *path)
{
    return v->type == TV_NULL || (v->type == TV_OBJECT && v->n == 0 && text_ieq(path, "tags"));
}

/* TV_DEPTH_MAX bounds the recursion. */
static const struct tv *clean(struct sb_arena *a, const struct whatif_rules *rules, const struct tv *v,
                              const char *path)
{
    struct tv_fields fields = {0};
    struct tv_list items = {0};
    if (!path || (v->type != TV_OBJECT && v->type != TV_ARRAY))
        return path ? v : NULL;
    for (uint32_t i = 0; v->type == TV_ARRAY && i < v->n; i++) {
        if (!tv_push(a, &items, clean(a, rules, v->u.items[i], below(a, path, "[]"))))
            return NULL;
    }
    if (v->type == TV_ARRAY)
        return tv_array(a, items.items, items.n);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv_member *m = &v->u.members[i];
        const char *at = below(a, path, m->key);
        if (!at)
            return NULL;
        if (is_nothing(m->value, at) || listed(rules->read_only, at) || listed(every_read_only, at))
            continue;
        if (!tv_put(a, &fields, m->key, clean(a, rules, m->value, at)))
            return NULL;
    }
    if (fields.n > 0)
        qsort(fields.items, fields.n, sizeof *fields.items, by_key);
    return tv_object(a, fields.items, fields.n);
}

const struct tv *whatif_clean(struct sb_arena *a, const struct whatif_rules *rules, const struct tv *v)
{
    return clean(a, rules, v, "");
}

/* ---- comparing ---- */

struct merge {
    struct sb_arena *a;
    const struct whatif_rules *rules;
    uint64_t steps;
};

static bool location_same(const char *a, const char *b)
{
    for (;; a++, b++) {
        a += strspn(a, " ");
        b += strspn(b, " ");
        if (text_lower(*a) != text_lower(*b))
            return false;
        if (!*a)
            return true;
    }
}

/* The same to the provider, in other letters. */
static bool text_same(const char *path, const char *a, const char *b)
{
    int64_t left, right;
    size_t n = strlen(a), m = strlen(b);
    if (strcmp(a, b) == 0)
        return true;
    if (text_ieq(path, "location"))
        return location_same(a, b);
    if (text_istarts(a, "/subscriptions/") || guid_valid(a))
        return text_ieq(a, b);
    if (text_istarts(a, "https://")) {
        n -= n > 0 && a[n - 1] == '/';
        m -= m > 0 && b[m - 1] == '/';
        return n == m && text_ieqn(a, b, n);
    }
    return a[0] == 'P' && b[0] == 'P' && duration_parse(a, &left) && duration_parse(b, &right) &&
           left == right;
}

/* Does it have to be there exactly as the template says? */
static bool is_whole(const struct merge *m, const char *path)
{
    return m->rules->whole || text_istarts(path, "tags") ||
           text_ieq(path, "identity\nuserAssignedIdentities");
}

static const char *shown(struct sb_arena *a, const char *path)
{
    char *s = arena_strdup(a, path);
    for (char *p = s; p && *p; p++)
        *p = *p == '\n' ? '.' : *p;
    return s ? s : "";
}

/* An element of delta; it stays open for children. */
static struct jw difference(struct merge *m, struct sb_buf *delta, const char *path, const char *type,
                            const struct tv *before, const struct tv *after)
{
    struct jw w;
    if (delta->n > 0 && delta->p[delta->n - 1] != '[')
        buf_addc(delta, ',');
    jw_init(&w, delta);
    jw_obj(&w, NULL);
    jw_str(&w, "path", shown(m->a, path));
    jw_str(&w, "propertyChangeType", type);
    if (before)
        tv_write(&w, "before", before);
    if (after)
        tv_write(&w, "after", after);
    return w;
}

static void tell(struct merge *m, struct sb_buf *delta, const char *path, const char *type,
                 const struct tv *before, const struct tv *after)
{
    struct jw w = difference(m, delta, path, type, before, after);
    jw_end_obj(&w);
}

static const struct tv *merge(struct merge *m, const struct tv *before, const struct tv *sent,
                              const struct tv *ran, const char *path, const char *told, struct sb_buf *delta);

/* What the template adds; nothing is told of what is never shown, or says nothing. */
static bool add_new(struct merge *m, const struct tv *before, const struct tv *sent, struct tv_fields *fields,
                    const char *path, const char *told, struct sb_buf *delta)
{
    for (uint32_t i = 0; i < sent->n; i++) {
        const struct tv_member *s = &sent->u.members[i];
        const char *at = below(m->a, path, s->key), *tell_at = below(m->a, told, s->key);
        if (!at || !tell_at)
            return false;
        bool empty = (s->value->type == TV_OBJECT || s->value->type == TV_ARRAY) && s->value->n == 0;
        if (tv_get(before, s->key) || listed(m->rules->write_only, at) || (empty && !is_whole(m, at)))
            continue;
        tell(m, delta, tell_at, "Create", NULL, s->value);
        if (!tv_put(m->a, fields, s->key, s->value))
            return false;
    }
    return true;
}

static const struct tv *merge_objects(struct merge *m, const struct tv *before, const struct tv *sent,
                                      const struct tv *ran, const char *path, const char *told,
                                      struct sb_buf *delta)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < before->n; i++) {
        const struct tv_member *b = &before->u.members[i];
        const struct tv *s = tv_get(sent, b->key);
        const char *at = below(m->a, path, b->key), *tell_at = below(m->a, told, b->key);
        if (!at || !tell_at)
            return NULL;
        const struct tv *v = s ? merge(m, b->value, s, tv_get(ran, b->key), at, tell_at, delta) : b->value;
        if (!s && is_whole(m, path)) {
            tell(m, delta, tell_at, "Delete", b->value, NULL);
            continue;
        }
        if (!tv_put(m->a, &fields, b->key, v))
            return NULL;
    }
    if (!add_new(m, before, sent, &fields, path, told, delta))
        return NULL;
    if (fields.n > 0)
        qsort(fields.items, fields.n, sizeof *fields.items, by_key);
    return tv_object(m->a, fields.items, fields.n);
}

static const struct tv *merge_arrays(struct merge *m, const struct tv *before, const struct tv *sent,
                                     const struct tv *ran, const char *path, struct sb_buf *children)
{
    struct tv_list items = {0};
    char index[24];
    bool same_size = tv_is(ran, TV_ARRAY) && ran->n == sent->n;
    const char *at = below(m->a, path, "[]");
    if (!at)
        return NULL;
    for (uint32_t i = 0; i < before->n || i < sent->n; i++) {
        const struct tv *b = i < before->n ? before->u.items[i] : NULL;
        const struct tv *s = i < sent->n ? sent->u.items[i] : NULL, *v = s;
        snprintf(index, sizeof index, "%u", i);
        if (b && s) {
            struct sb_buf inner;
            buf_init(&inner, TV_WEIGHT_MAX);
            bool objects = b->type == TV_OBJECT && s->type == TV_OBJECT;
            v = merge(m, b, s, same_size ? ran->u.items[i] : NULL, at, objects ? "" : index, &inner);
            if (inner.n > 0 && objects) {
                struct jw w = difference(m, children, index, "Modify", NULL, NULL);
                jw_raw(&w, "children", arena_printf(m->a, "[%s]", buf_str(&inner)));
                jw_end_obj(&w);
            } else if (inner.n > 0) {
                buf_addf(children, "%s%s", children->n > 0 ? "," : "", buf_str(&inner));
            }
            buf_done(&inner);
        } else {
            tell(m, children, index, s ? "Create" : "Delete", b, s);
        }
        if (s && !tv_push(m->a, &items, v))
            return NULL;
    }
    return tv_array(m->a, items.items, items.n);
}

/* before and sent differ, or hold what may. TV_DEPTH_MAX bounds the recursion. */
static const struct tv *merge(struct merge *m, const struct tv *before, const struct tv *sent,
                              const struct tv *ran, const char *path, const char *told, struct sb_buf *delta)
{
    const struct tv *now = sent->dynamic && sent->type == TV_STRING && ran ? ran : sent;
    if (before->type == TV_STRING && now->type == TV_STRING && text_same(path, before->u.s, now->u.s))
        return before;
    if (before->type != TV_OBJECT && before->type != TV_ARRAY && tv_equal(before, now, false, &m->steps))
        return before;
    if (before->type == TV_OBJECT && now->type == TV_OBJECT)
        return merge_objects(m, before, now, ran, path, told, delta);
    if (before->type == TV_ARRAY && now->type == TV_ARRAY) {
        struct sb_buf children;
        buf_init(&children, TV_WEIGHT_MAX);
        const struct tv *v = merge_arrays(m, before, now, ran, path, &children);
        if (v && children.n > 0) {
            struct jw w = difference(m, delta, told, "Array", NULL, NULL);
            jw_raw(&w, "children", arena_printf(m->a, "[%s]", buf_str(&children)));
            jw_end_obj(&w);
        }
        buf_done(&children);
        return v;
    }
    tell(m, delta, told, "Modify", before, sent);
    return sent;
}

const struct tv *whatif_merge(struct sb_arena *a, const struct whatif_rules *rules, const struct tv *before,
                              const struct tv *sent, const struct tv *ran, struct sb_buf *delta)
{
    struct merge m = {.a = a, .rules = rules, .steps = TV_WEIGHT_MAX};
    return merge(&m, before, sent, ran, "", "", delta);
}
