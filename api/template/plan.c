/*
 * plan.c: the resources section expanded: copy loops, nested children, conditions, ids.
 *
 * A loop's copies come one behind the other, then the children of each, so that a loop is a range of indexes.
 */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define DEPLOYMENTS "Microsoft.Resources/deployments"

struct entry { /* one element of a resources section */
    const struct tv *source;
    const char *symbol;
    const struct tmpl_resource *parent; /* of a nested child; its own copy, as all[] moves when it grows */
    const struct frame *copies;
};

struct eval plan_eval(struct tmpl *t, const struct tmpl_resource *r, unsigned where)
{
    const struct planned *p = &t->r.all[r->index];
    return (struct eval){.t = t, .where = where, .copies = p->copies, .resource = r};
}

static struct fault_place place_of(struct tmpl *t, const struct tmpl_resource *r)
{
    const char *path = r->symbol ? arena_printf(t->a, "properties.template.resources.%s", r->symbol)
                                 : arena_printf(t->a, "properties.template.resources[%zu]", r->index);
    return (struct fault_place){path, r->line, r->column};
}

enum sb_err plan_fault(struct tmpl *t, const struct tmpl_resource *r, struct sb_error *err)
{
    struct fault_place place = place_of(t, r);
    const char *name = r->name ? r->name : r->symbol ? r->symbol : r->type ? r->type : "";
    return FAULT(t, err, &place, FAULT_RESOURCE, name, fault_why(t));
}

static enum sb_err no_memory(struct tmpl *t, struct sb_error *err)
{
    return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
}

/* ---- one resource ---- */

/* The text of a member; *ret NULL when it is absent. */
static enum sb_err text_of(struct eval *ev, struct tmpl_resource *r, const char *key, const char **ret,
                           struct sb_error *err)
{
    const struct tv *v = tv_get(r->source, key);
    struct fault_place place = place_of(ev->t, r);
    if (!v || v->type == TV_NULL)
        return SB_OK;
    v = eval_value(ev, v);
    if (!v)
        return plan_fault(ev->t, r, err);
    if (v->type == TV_NULL)
        return SB_OK;
    if (v->type != TV_STRING)
        return FAULT(ev->t, err, &place, FAULT_RESOURCE_FIELD, r->name ? r->name : "", key);
    *ret = v->u.s;
    return SB_OK;
}

/* A nested child's type and name are relative to its parent's, unless the type is a whole one. */
static bool complete_names(struct tmpl *t, struct tmpl_resource *r, const struct tmpl_resource *parent)
{
    if (!parent || memchr(r->type, '.', strcspn(r->type, "/")))
        return true;
    r->type = arena_printf(t->a, "%s/%s", parent->type, r->type);
    r->name = arena_printf(t->a, "%s/%s", parent->name, r->name);
    return r->type && r->name;
}

/* Where the resource lives: its scope, the group or subscription that it names, or the template's. */
static enum sb_err find_scope(struct eval *ev, struct tmpl_resource *r, const struct tmpl_resource *parent,
                              struct sb_error *err)
{
    struct tmpl *t = ev->t;
    const char *scope = NULL, *subscription = NULL, *group = NULL;
    enum sb_err rc = text_of(ev, r, "scope", &scope, err);
    if (rc == SB_OK)
        rc = text_of(ev, r, "subscriptionId", &subscription, err);
    if (rc == SB_OK)
        rc = text_of(ev, r, "resourceGroup", &group, err);
    if (rc != SB_OK)
        return rc;
    if (!scope && (subscription || group))
        r->scope_id = ids_group(t->a, subscription ? subscription : t->world.subscription_id, group);
    else if (!scope)
        r->scope_id = parent ? parent->scope_id : ids_scope(t);
    else if (text_starts(scope, "/"))
        r->scope_id = scope[1] ? scope : "";
    else
        r->scope_id = arena_printf(t->a, "%s/providers/%s",
                                   text_istarts(scope, "Microsoft.Management/") ? "" : ids_scope(t), scope);
    return r->scope_id ? SB_OK : no_memory(t, err);
}

static enum sb_err condition_of(struct eval *ev, struct tmpl_resource *r, struct sb_error *err)
{
    const struct tv *condition = tv_get(r->source, "condition");
    struct fault_place place = place_of(ev->t, r);
    r->condition = true;
    if (!condition || condition->type == TV_NULL)
        return SB_OK;
    condition = eval_value(ev, condition);
    if (!condition)
        return plan_fault(ev->t, r, err);
    /* The service takes "true" as well. */
    if (condition->type == TV_STRING &&
        (text_ieq(condition->u.s, "true") || text_ieq(condition->u.s, "false")))
        condition = tv_bool(text_ieq(condition->u.s, "true"));
    if (condition->type != TV_BOOL)
        return FAULT(ev->t, err, &place, FAULT_RESOURCE_FIELD, r->name ? r->name : "", "condition");
    r->condition = condition->u.b;
    return SB_OK;
}

static enum sb_err identify(struct tmpl *t, struct tmpl_resource *r, const struct tmpl_resource *parent,
                            struct sb_error *err)
{
    struct eval ev = plan_eval(t, r, AT_PLAN);
    struct fault_place place = place_of(t, r);
    const struct tv *existing = tv_get(r->source, "existing");
    enum sb_err rc = SB_OK;
    r->existing = tv_is(existing, TV_BOOL) && existing->u.b;
    SB_TRY(text_of(&ev, r, "type", &r->type, err));
    SB_TRY(text_of(&ev, r, "name", &r->name, err));
    SB_TRY(text_of(&ev, r, "apiVersion", &r->api_version, err));
    if (!r->type || !r->name || !r->api_version)
        return FAULT(t, err, &place, FAULT_RESOURCE_FIELD, r->name ? r->name : "",
                     !r->type   ? "type"
                     : !r->name ? "name"
                                : "apiVersion");
    if (!complete_names(t, r, parent))
        return no_memory(t, err);
    if (ids_segments(r->type) != ids_segments(r->name) + 1 || strstr(r->name, "//") || r->name[0] == '/' ||
        text_ends(r->name, "/") || !*r->name)
        return FAULT(t, err, &place, FAULT_SEGMENTS, r->name, r->type);
    SB_TRY(find_scope(&ev, r, parent, err));
    SB_TRY(condition_of(&ev, r, err));
    r->id = ids_join(t->a, r->scope_id, r->type, r->name);
    if (!r->id)
        return no_memory(t, err);
    r->deployment = text_ieq(r->type, DEPLOYMENTS);
    ev.before = true;
    ev.where = AT_BODY;
    const struct tv *location = tv_get(r->source, "location");
    location = location ? eval_value(&ev, location) : NULL;
    r->location = location && !location->dynamic ? tv_text(location) : NULL;
    t->why = NULL; /* a bad location fails when the body is evaluated */
out:
    return rc;
}

static enum sb_err add(struct tmpl *t, const struct entry *e, const struct frame *copies,
                       struct sb_error *err)
{
    struct resources *r = &t->r;
    if (r->n == TMPL_RESOURCES_MAX) {
        char limit[24], actual[24];
        snprintf(limit, sizeof limit, "%u", TMPL_RESOURCES_MAX);
        snprintf(actual, sizeof actual, "%u", TMPL_RESOURCES_MAX + 1);
        return FAULT(t, err, NULL, FAULT_LIMIT, "resources", limit, actual);
    }
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct planned *all = ARENA_ARRAY(t->a, struct planned, cap);
        if (!all)
            return no_memory(t, err);
        if (r->n > 0)
            memcpy(all, r->all, r->n * sizeof *all);
        r->all = all;
        r->cap = cap;
    }
    struct planned *p = &r->all[r->n];
    *p = (struct planned){.copies = copies};
    p->shown = (struct tmpl_resource){.index = r->n,
                                      .symbol = e->symbol,
                                      .source = e->source,
                                      .line = e->source->line,
                                      .column = e->source->column};
    r->n++;
    return SB_OK;
}

/* ---- copy loops ---- */

struct copying {
    const char *name;
    int64_t count, batch; /* batch 0: parallel */
};

static enum sb_err read_copy(struct tmpl *t, const struct entry *e, const struct tv *copy,
                             struct copying *ret, struct sb_error *err)
{
    struct eval ev = {.t = t, .where = AT_PLAN, .copies = e->copies};
    struct fault_place place = {"properties.template.resources", copy->line, copy->column};
    char count[24];
    const struct tv *name = tv_get(copy, "name"), *mode = tv_get(copy, "mode"),
                    *size = tv_get(copy, "batchSize");
    name = name ? eval_value(&ev, name) : NULL;
    mode = mode ? eval_value(&ev, mode) : NULL;
    size = size ? eval_value(&ev, size) : NULL;
    ret->count = tv_get(copy, "count") ? eval_copy_count(&ev, copy) : -1;
    if (ret->count < 0 || !tv_text(name))
        return FAULT(t, err, &place, FAULT_COPY,
                     t->why ? fault_why(t)
                            : "The template 'copy' definition needs a name and a count. Please see "
                              "https://aka.ms/arm-copy for usage details.");
    ret->name = tv_text(name);
    ret->batch = text_ieq(tv_text(mode) ? tv_text(mode) : "", "serial") ? 1 : 0;
    if (!size || size->type == TV_NULL)
        return SB_OK;
    snprintf(count, sizeof count, "%lld", (long long)ret->count);
    if (size->type != TV_INT || size->u.i < 0 || size->u.i > ret->count)
        return FAULT(t, err, &place, FAULT_BATCH, count);
    ret->batch = ret->batch && size->u.i > 0 ? size->u.i : ret->batch;
    return SB_OK;
}

static bool add_loop(struct tmpl *t, const char *name, const char *symbol, struct tmpl_range members)
{
    struct resources *r = &t->r;
    if (r->loops_n == r->loops_cap) {
        size_t cap = r->loops_cap ? r->loops_cap * 2 : 16;
        struct loop *loops = ARENA_ARRAY(t->a, struct loop, cap);
        if (!loops)
            return false;
        if (r->loops_n > 0)
            memcpy(loops, r->loops, r->loops_n * sizeof *loops);
        r->loops = loops;
        r->loops_cap = cap;
    }
    r->loops[r->loops_n++] = (struct loop){.name = name, .symbol = symbol, .members = members};
    return true;
}

static const struct frame *frame_new(struct tmpl *t, const struct frame *up, const char *name, int64_t i)
{
    struct frame *f = ARENA_NEW(t->a, struct frame);
    const struct tv *index = tv_int(t->a, i);
    if (!f || !index)
        return NULL;
    *f = (struct frame){.up = up, .name = name, .value = index};
    return f;
}

static enum sb_err add_copies(struct tmpl *t, const struct entry *e, const struct tv *copy,
                              struct sb_error *err)
{
    struct copying c = {0};
    size_t first = t->r.n;
    enum sb_err rc = read_copy(t, e, copy, &c, err);
    for (int64_t i = 0; rc == SB_OK && i < c.count; i++) {
        struct entry one = *e;
        const struct frame *f = frame_new(t, e->copies, c.name, i);
        if (!f || (e->symbol && !(one.symbol = arena_printf(t->a, "%s[%lld]", e->symbol, (long long)i))))
            return no_memory(t, err);
        rc = add(t, &one, f, err);
        if (rc != SB_OK)
            break;
        struct tmpl_resource *r = &t->r.all[t->r.n - 1].shown;
        r->copy = c.name;
        r->copy_index = (size_t)i;
        r->batch = c.batch ? (size_t)(i / c.batch) : 0;
        rc = identify(t, r, e->parent, err);
    }
    if (rc == SB_OK && !add_loop(t, c.name, e->symbol, (struct tmpl_range){first, (size_t)c.count}))
        rc = no_memory(t, err);
    return rc;
}

/* ---- sections ---- */

static enum sb_err section(struct tmpl *t, const struct tv *list, const struct tmpl_resource *parent,
                           const struct frame *copies, struct sb_error *err);

/* Expands one element; then the children of each of its copies. */
static enum sb_err expand(struct tmpl *t, const struct entry *e, struct sb_error *err)
{
    struct fault_place place = {"properties.template.resources", e->source->line, e->source->column};
    size_t first = t->r.n;
    enum sb_err rc = SB_OK;
    if (e->source->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_SECTION, "resources", "Object", tv_type_name(e->source->type));
    const struct tv *copy = tv_get(e->source, "copy"), *children = tv_get(e->source, "resources");
    if (tv_is(copy, TV_OBJECT)) {
        rc = add_copies(t, e, copy, err);
    } else {
        rc = add(t, e, e->copies, err);
        if (rc == SB_OK)
            rc = identify(t, &t->r.all[first].shown, e->parent, err);
    }
    if (!children || children->type == TV_NULL)
        return rc;
    size_t last = t->r.n;
    for (size_t i = first; rc == SB_OK && i < last; i++) {
        struct tmpl_resource parent = t->r.all[i].shown;
        rc = section(t, children, &parent, t->r.all[i].copies, err);
    }
    return rc;
}

static enum sb_err section(struct tmpl *t, const struct tv *list, const struct tmpl_resource *parent,
                           const struct frame *copies, struct sb_error *err)
{
    struct fault_place place = {"properties.template.resources", list->line, list->column};
    if (list->type != TV_ARRAY && list->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_SECTION, "resources", "Array", tv_type_name(list->type));
    bool symbolic = list->type == TV_OBJECT;
    for (uint32_t i = 0; i < list->n; i++) {
        struct entry e = {.source = symbolic ? list->u.members[i].value : list->u.items[i],
                          .symbol = symbolic ? list->u.members[i].key : NULL,
                          .parent = parent,
                          .copies = copies};
        enum sb_err rc = expand(t, &e, err);
        if (rc != SB_OK)
            return rc;
    }
    return SB_OK;
}

/* ---- looking up ---- */

static enum sb_err index_all(struct tmpl *t, struct sb_error *err)
{
    struct tv_fields id = {0}, name = {0}, symbol = {0};
    for (size_t i = 0; i < t->r.n; i++) {
        const struct tmpl_resource *r = &t->r.all[i].shown;
        const struct tv *at = tv_int(t->a, (int64_t)i);
        const char *typed = arena_printf(t->a, "%s/%s", r->type, r->name);
        if (!tv_put(t->a, &id, r->id, at) || !tv_put(t->a, &name, r->name, at) ||
            !tv_put(t->a, &name, typed, at) || (r->symbol && !tv_put(t->a, &symbol, r->symbol, at)))
            return no_memory(t, err);
    }
    t->r.by_id = tv_object(t->a, id.items, id.n);
    t->r.by_name = tv_object(t->a, name.items, name.n);
    t->r.by_symbol = tv_object(t->a, symbol.items, symbol.n);
    return t->r.by_id && t->r.by_name && t->r.by_symbol ? SB_OK : no_memory(t, err);
}

/* The same id twice is an error unless only one of the two is deployed. */
static enum sb_err refuse_twins(struct tmpl *t, struct sb_error *err)
{
    struct tv_fields live = {0};
    for (size_t i = 0; i < t->r.n; i++) {
        const struct tmpl_resource *r = &t->r.all[i].shown;
        if (r->condition && !r->existing &&
            !tv_put(t->a, &live, text_tolower(arena_strdup(t->a, r->id)), tv_int(t->a, (int64_t)i)))
            return no_memory(t, err);
    }
    const struct tv *by_id = tv_object(t->a, live.items, live.n);
    if (!by_id)
        return no_memory(t, err);
    for (size_t i = 0; i < live.n; i++) {
        const struct tv *first = tv_get(by_id, live.items[i].key);
        if (first == live.items[i].value)
            continue;
        const struct tmpl_resource *r = &t->r.all[live.items[i].value->u.i].shown;
        struct fault_place place = place_of(t, r);
        const char *typed = arena_printf(t->a, "%s/%s", r->type, r->name);
        return FAULT(t, err, &place, FAULT_TWICE, typed ? typed : r->name);
    }
    return SB_OK;
}

enum sb_err plan_resources(struct tmpl *t, struct sb_error *err)
{
    enum sb_err rc = section(t, tv_get(t->template, "resources"), NULL, NULL, err);
    if (rc == SB_OK)
        rc = index_all(t, err);
    return rc == SB_OK ? refuse_twins(t, err) : rc;
}
