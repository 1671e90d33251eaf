/*
 * depends.c: what must be done before what: dependsOn, and what reference(), references(), list…() and
 * resourceInfo() say by name. The service makes no dependency of a child on its parent, nor of a reference by
 * id; so don't we.
 */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

struct found { /* a resource's dependencies while they are gathered */
    struct tmpl *t;
    struct tmpl_range *items;
    size_t n, cap;
    bool failed;
};

static void add(struct found *f, struct tmpl_range range)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].first == range.first && f->items[i].n == range.n)
            return;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 4;
        struct tmpl_range *items = ARENA_ARRAY(f->t->a, struct tmpl_range, cap);
        if (!items) {
            f->failed = true;
            return;
        }
        if (f->n > 0)
            memcpy(items, f->items, f->n * sizeof *items);
        f->items = items;
        f->cap = cap;
    }
    f->items[f->n++] = range;
}

static const struct loop *loop_find(const struct tmpl *t, const char *text)
{
    for (size_t i = 0; i < t->r.loops_n; i++) {
        const struct loop *l = &t->r.loops[i];
        if (text_ieq(l->name, text) || (l->symbol && text_ieq(l->symbol, text)))
            return l;
    }
    return NULL;
}

/* By symbolic name or by name. */
static struct tmpl_range find_named(const struct tmpl *t, const char *text)
{
    const struct tv *at = tv_get(t->r.by_symbol, text);
    const struct loop *loop = at ? NULL : loop_find(t, text);
    if (loop)
        return loop->members;
    if (!at)
        at = tv_get(t->r.by_name, text);
    return at ? (struct tmpl_range){(size_t)at->u.i, 1} : (struct tmpl_range){0, 0};
}

struct tmpl_range depends_find(const struct tmpl *t, const char *text)
{
    const struct tv *at = NULL;
    if (text[0] != '/') {
        struct tmpl_range range = find_named(t, text);
        if (range.n > 0 || loop_find(t, text))
            return range;
        const char *id = arena_printf(t->a, "%s/providers/%s", ids_scope(t), text);
        at = id ? tv_get(t->r.by_id, id) : NULL;
    } else {
        at = tv_get(t->r.by_id, text);
    }
    return at ? (struct tmpl_range){(size_t)at->u.i, 1} : (struct tmpl_range){0, 0};
}

/* ---- dependsOn ---- */

static enum sb_err explicit_ones(struct tmpl *t, const struct tmpl_resource *r, struct found *f,
                                 struct sb_error *err)
{
    const struct tv *list = tv_get(r->source, "dependsOn");
    struct eval ev = plan_eval(t, r, AT_PLAN);
    struct fault_place place = {arena_printf(t->a, "properties.template.resources[%zu].dependsOn", r->index),
                                r->line, r->column};
    if (!list || list->type == TV_NULL)
        return SB_OK;
    list = eval_value(&ev, list);
    if (!list)
        return plan_fault(t, r, err);
    if (list->type != TV_ARRAY)
        return FAULT(t, err, &place, FAULT_RESOURCE_FIELD, r->name, "dependsOn");
    for (uint32_t i = 0; i < list->n; i++) {
        const char *text = tv_text(list->u.items[i]);
        if (!text)
            return FAULT(t, err, &place, FAULT_RESOURCE_FIELD, r->name, "dependsOn");
        struct tmpl_range range = depends_find(t, text);
        if (range.n > 0)
            add(f, range);
        else if (!loop_find(t, text)) /* a loop of no copies is nothing to wait for */
            return FAULT(t, err, &place, FAULT_UNKNOWN_DEPENDENCY, text);
    }
    return SB_OK;
}

/* ---- by reference ---- */

static bool refers(const struct expr *e)
{
    static const char *const names[] = {"reference", "references", "resourceInfo", "list*"};
    for (size_t i = 0; e->kind == EXPR_CALL && e->fn && i < SB_ARRAY_LEN(names); i++) {
        if (strcmp(e->fn->name, names[i]) == 0)
            return e->n > 0;
    }
    return false;
}

/* Evaluates what is referred to; what can't be evaluated yet is no dependency. */
static void add_reference(struct eval *ev, struct found *f, const struct expr *e)
{
    struct eval quiet = *ev;
    const char *why = ev->t->why;
    const struct tv *v = eval_expr(&quiet, e->args[0]);
    ev->t->why = why;
    const char *text = tv_text(v);
    struct tmpl_range range = text && text[0] != '/' ? find_named(ev->t, text) : (struct tmpl_range){0, 0};
    if (range.n > 0 && !(range.n == 1 && range.first == ev->resource->index))
        add(f, range);
}

/* TMPL_NEST_MAX bounds the recursion. */
static void walk_expr(struct eval *ev, struct found *f, const struct expr *e)
{
    if (refers(e))
        add_reference(ev, f, e);
    for (size_t i = 0; i < e->n; i++)
        walk_expr(ev, f, e->args[i]);
}

/* TV_DEPTH_MAX bounds the recursion. inner: a nested template that is not to be looked into; may be NULL. */
static void walk(struct eval *ev, struct found *f, const struct tv *v, const struct tv *inner)
{
    const struct tv *text = NULL;
    if (!v->dynamic || v == inner || !eval_spend(ev, 1))
        return;
    if (v->type == TV_STRING) {
        const struct expr *e = eval_parsed(ev, v, &text);
        if (e)
            walk_expr(ev, f, e);
        ev->t->why = NULL; /* a bad expression fails where it is evaluated */
        return;
    }
    for (uint32_t i = 0; i < v->n; i++)
        walk(ev, f, v->type == TV_ARRAY ? v->u.items[i] : v->u.members[i].value, inner);
}

static void implicit_ones(struct tmpl *t, const struct tmpl_resource *r, struct found *f)
{
    static const char *const skipped[] = {"dependsOn", "resources", "copy", "condition", "name", "type"};
    struct eval ev = plan_eval(t, r, AT_BODY);
    const struct tv *inner = nested_is_inner(r->source) ? tv_path(r->source, "properties.template") : NULL;
    for (uint32_t i = 0; i < r->source->n; i++) {
        bool skip = false;
        for (size_t k = 0; k < SB_ARRAY_LEN(skipped); k++)
            skip |= text_ieq(r->source->u.members[i].key, skipped[k]);
        if (!skip)
            walk(&ev, f, r->source->u.members[i].value, inner);
    }
}

/* ---- batches ---- */

/* In a serial loop: the whole batch before. */
static void batch_before(struct tmpl *t, const struct tmpl_resource *r, struct found *f)
{
    size_t end = r->index;
    if (r->batch == 0)
        return;
    while (t->r.all[end - 1].shown.batch == r->batch)
        end--;
    size_t first = end;
    while (first > 0 && t->r.all[first - 1].shown.batch == r->batch - 1 &&
           t->r.all[first - 1].shown.copy == r->copy)
        first--;
    add(f, (struct tmpl_range){first, end - first});
}

enum sb_err depends_resources(struct tmpl *t, struct sb_error *err)
{
    for (size_t i = 0; i < t->r.n; i++) {
        struct tmpl_resource *r = &t->r.all[i].shown;
        struct found f = {.t = t};
        enum sb_err rc = explicit_ones(t, r, &f, err);
        if (rc != SB_OK)
            return rc;
        if (!r->existing)
            implicit_ones(t, r, &f);
        batch_before(t, r, &f);
        if (f.failed || t->steps == 0)
            return FAULT(t, err, NULL, FAULT_MEMORY, "The template takes too many steps to evaluate.");
        r->depends = f.items;
        r->depends_n = f.n;
    }
    return SB_OK;
}
