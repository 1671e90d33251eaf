/* body.c: what is known only when a resource is deployed: its body, a nested deployment's parts, the outputs.
 */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

/* Members of a resource that speak to the deployment, not to the resource's provider. */
static const char *const not_sent[] = {"type",     "name",     "apiVersion",     "scope",        "condition",
                                       "copy",     "comments", "dependsOn",      "resources",    "existing",
                                       "metadata", "asserts",  "subscriptionId", "resourceGroup"};

static bool is_sent(const char *key)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(not_sent); i++) {
        if (text_ieq(key, not_sent[i]))
            return false;
    }
    return true;
}

bool nested_is_inner(const struct tv *source)
{
    const char *scope = tv_text(tv_path(source, "properties.expressionEvaluationOptions.scope"));
    return scope && text_ieq(scope, "inner");
}

/* The properties of a nested deployment: its template is left alone (inner), or has this template's
 * expressions replaced (outer), its own copy loops kept. */
static const struct tv *deployment_properties(struct eval *ev, const struct tv *v, bool inner)
{
    struct tv_fields fields = {0};
    if (v->type != TV_OBJECT)
        return eval_value(ev, v);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct tv_member *m = &v->u.members[i];
        bool is_template = text_ieq(m->key, "template");
        ev->keep_copy = is_template;
        const struct tv *value = is_template && inner ? m->value : eval_value(ev, m->value);
        ev->keep_copy = false;
        if (!value || !tv_put(EVAL_ARENA(ev), &fields, m->key, value))
            return NULL;
    }
    return eval_made(ev, tv_object(EVAL_ARENA(ev), fields.items, fields.n));
}

static const struct tv *body(struct eval *ev, const struct tmpl_resource *r)
{
    struct tv_fields fields = {0};
    for (uint32_t i = 0; i < r->source->n; i++) {
        const struct tv_member *m = &r->source->u.members[i];
        if (!is_sent(m->key))
            continue;
        bool properties = r->deployment && text_ieq(m->key, "properties");
        const struct tv *value = properties ? deployment_properties(ev, m->value, nested_is_inner(r->source))
                                            : eval_value(ev, m->value);
        if (!value || !tv_put(EVAL_ARENA(ev), &fields, m->key, value))
            return NULL;
    }
    return eval_made(ev, tv_object(EVAL_ARENA(ev), fields.items, fields.n));
}

enum sb_err tmpl_body(struct tmpl *t, const struct tmpl_resource *r, enum tmpl_when when,
                      const struct tv **ret, struct sb_error *err)
{
    struct eval ev = plan_eval(t, r, AT_BODY);
    struct fault_place place = {arena_printf(t->a, "properties.template.resources[%zu]", r->index), r->line,
                                r->column};
    ev.before = when == TMPL_BEFORE;
    const struct tv *v = body(&ev, r);
    if (!v)
        return FAULT(t, err, &place, FAULT_BODY, r->id, fault_why(t));
    *ret = v;
    return SB_OK;
}

/* ---- what may be kept ---- */

/* TV_DEPTH_MAX bounds the recursion. */
const struct tv *tmpl_public(struct tmpl *t, const struct tv *v)
{
    struct tv_list list = {0};
    struct tv_fields fields = {0};
    if (secret_is(t, v))
        return tv_null();
    for (uint32_t i = 0; v->type == TV_ARRAY && i < v->n; i++) {
        if (!tv_push(t->a, &list, tmpl_public(t, v->u.items[i])))
            return NULL;
    }
    for (uint32_t i = 0; v->type == TV_OBJECT && i < v->n; i++) {
        const struct tv_member *m = &v->u.members[i];
        if (!secret_is(t, m->value) && !tv_put(t->a, &fields, m->key, tmpl_public(t, m->value)))
            return NULL;
    }
    if (v->type == TV_ARRAY)
        return tv_array(t->a, list.items, list.n);
    return v->type == TV_OBJECT ? tv_object(t->a, fields.items, fields.n) : v;
}

/* ---- nested deployments ---- */

/* scope_id taken apart. */
static bool take_scope(struct tmpl *t, const char *id, struct tmpl_nested *n)
{
    static const char subscriptions[] = "/subscriptions/", groups[] = "/resourceGroups/";
    n->scope = *id ? TMPL_MANAGEMENT_GROUP : TMPL_TENANT;
    if (!text_istarts(id, subscriptions))
        return true;
    id += sizeof subscriptions - 1;
    size_t len = strcspn(id, "/");
    n->scope = TMPL_SUBSCRIPTION;
    n->subscription_id = arena_strndup(t->a, id, len);
    id += len;
    if (text_istarts(id, groups)) {
        n->scope = TMPL_GROUP;
        id += sizeof groups - 1;
        n->group_name = arena_strndup(t->a, id, strcspn(id, "/"));
    }
    return n->subscription_id && (n->scope != TMPL_GROUP || n->group_name);
}

enum sb_err tmpl_nested(struct tmpl *t, const struct tmpl_resource *r, enum tmpl_when when,
                        struct tmpl_nested *ret, struct sb_error *err)
{
    const struct tv *v = NULL;
    struct fault_place place = {arena_printf(t->a, "properties.template.resources[%zu]", r->index), r->line,
                                r->column};
    struct tmpl_nested n = {
        .inner = nested_is_inner(r->source), .mode = "Incremental", .location = r->location};
    enum sb_err rc = tmpl_body(t, r, when, &v, err);
    if (rc != SB_OK)
        return rc;
    if (!take_scope(t, r->scope_id, &n))
        return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
    const char *mode = tv_text(tv_path(v, "properties.mode"));
    n.mode = mode ? mode : n.mode;
    n.template = tv_path(v, "properties.template");
    n.parameters = tv_path(v, "properties.parameters");
    n.template_uri = tv_text(tv_path(v, "properties.templateLink.uri"));
    if (!n.template_uri)
        n.template_uri = tv_text(tv_path(v, "properties.templateLink.id"));
    if (!n.template && !n.template_uri)
        return FAULT(t, err, &place, FAULT_NESTED, r->name, "It has neither a template nor a template link.");
    *ret = n;
    return SB_OK;
}

/* ---- outputs ---- */

static const struct tv *output_value(struct eval *ev, const struct tv *declaration)
{
    const struct tv *copy = tv_get(declaration, "copy"), *value = tv_get(declaration, "value");
    if (!tv_is(copy, TV_OBJECT))
        return eval_value(ev, value);
    /* {"count", "input"}: an array; its name is the output's, so copyIndex() has none. */
    struct tv_fields loop = {0};
    struct sb_arena *a = EVAL_ARENA(ev);
    if (!tv_put(a, &loop, "name", tv_string(a, "")) || !tv_put(a, &loop, "count", tv_get(copy, "count")) ||
        !tv_put(a, &loop, "input", tv_get(copy, "input")))
        return eval_fail(ev, "An output's copy needs 'count' and 'input'.");
    const struct tv *v = tv_object(a, loop.items, loop.n);
    return v ? eval_made(ev, eval_copy(ev, v)) : eval_made(ev, NULL);
}

/* One output into *o; *ret_there false: its condition does not hold. */
static enum sb_err output(struct tmpl *t, const struct tv_member *m, struct tmpl_output *o, bool *ret_there,
                          struct sb_error *err)
{
    struct eval ev = {.t = t, .where = AT_OUTPUT};
    const struct tv *condition = tv_get(m->value, "condition");
    const char *type = tv_text(types_facet(t, m->value, "type"));
    *o = (struct tmpl_output){.name = m->key};
    o->type = types_shown(type, &o->secure);
    *ret_there = true;
    if (!o->type)
        return FAULT(t, err, NULL, FAULT_OUTPUT, m->key, "The output's type is missing or not supported");
    if (condition) {
        condition = eval_value(&ev, condition);
        if (!condition || condition->type != TV_BOOL)
            return FAULT(t, err, NULL, FAULT_OUTPUT, m->key,
                         condition ? "its condition must be a boolean" : fault_why(t));
        *ret_there = condition->u.b;
        if (!*ret_there)
            return SB_OK;
    }
    o->value = output_value(&ev, m->value);
    if (!o->value)
        return FAULT(t, err, NULL, FAULT_OUTPUT, m->key, fault_why(t));
    if (!types_check(t, m->value, o->value, m->key))
        return FAULT(t, err, NULL, FAULT_OUTPUT, m->key, fault_why(t));
    return SB_OK;
}

enum sb_err tmpl_outputs(struct tmpl *t, const struct tmpl_output **ret, size_t *ret_n, struct sb_error *err)
{
    const struct tv *section = NULL;
    enum sb_err rc = sections_object(t, "outputs", &section, err);
    size_t n = section ? section->n : 0, found = 0;
    struct tmpl_output *outputs = rc == SB_OK ? ARENA_ARRAY(t->a, struct tmpl_output, n + 1) : NULL;
    if (rc != SB_OK)
        return rc;
    if (!outputs)
        return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
    for (size_t i = 0; i < n; i++) {
        bool there = false;
        rc = output(t, &section->u.members[i], &outputs[found], &there, err);
        if (rc != SB_OK)
            return rc;
        found += there;
    }
    *ret = outputs;
    *ret_n = found;
    return SB_OK;
}
