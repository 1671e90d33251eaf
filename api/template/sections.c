/* sections.c: the template's other sections: definitions, variables, functions, assertions; and tmpl_load. */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

const char *sections_path(struct tmpl *t, const char *section, const char *name)
{
    return arena_printf(t->a, "properties.template.%s.%s", section, name);
}

enum sb_err sections_object(struct tmpl *t, const char *name, const struct tv **ret, struct sb_error *err)
{
    const struct tv *v = tv_get(t->template, name);
    if (!v || v->type == TV_NULL)
        return SB_OK;
    struct fault_place place = {arena_printf(t->a, "properties.template.%s", name), v->line, v->column};
    if (v->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_SECTION, name, "Object", tv_type_name(v->type));
    *ret = v;
    return SB_OK;
}

static enum sb_err no_memory(struct tmpl *t, struct sb_error *err)
{
    return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
}

static enum sb_err limit(struct tmpl *t, const char *what, size_t max, size_t n, struct sb_error *err)
{
    char allowed[24], actual[24];
    if (n <= max)
        return SB_OK;
    snprintf(allowed, sizeof allowed, "%zu", max);
    snprintf(actual, sizeof actual, "%zu", n);
    return FAULT(t, err, NULL, FAULT_LIMIT, what, allowed, actual);
}

/* ---- variables ---- */

static void add_variable(struct tmpl *t, const char *name, const struct tv *source, bool copy)
{
    t->variables[t->variables_n++] = (struct variable){.name = name, .source = source, .copy = copy};
}

/* "copy" among the variables: each of its elements is a variable of its own. */
static bool is_copy(const struct tv_member *m)
{
    return text_ieq(m->key, "copy") && m->value->type == TV_ARRAY;
}

static enum sb_err load_variables(struct tmpl *t, struct sb_error *err)
{
    const struct tv *section = NULL;
    struct tv_fields index = {0};
    enum sb_err rc = sections_object(t, "variables", &section, err);
    size_t n = section ? section->n : 0;
    for (uint32_t i = 0; section && i < section->n; i++)
        n += is_copy(&section->u.members[i]) ? section->u.members[i].value->n : 0;
    if (rc == SB_OK)
        rc = limit(t, "variables", TMPL_VARIABLES_MAX, n, err);
    if (rc != SB_OK)
        return rc;
    if (!(t->variables = ARENA_ARRAY(t->a, struct variable, n + 1)))
        return no_memory(t, err);
    for (uint32_t i = 0; section && i < section->n; i++) {
        const struct tv_member *m = &section->u.members[i];
        if (!is_copy(m))
            add_variable(t, m->key, m->value, false);
        for (uint32_t k = 0; is_copy(m) && k < m->value->n; k++) {
            const struct tv *loop = m->value->u.items[k];
            const char *name = tv_text(tv_get(loop, "name"));
            struct fault_place place = {sections_path(t, "variables", "copy"), loop->line, loop->column};
            if (!name || !tv_get(loop, "count") || !tv_get(loop, "input"))
                return FAULT(t, err, &place, FAULT_VARIABLE, name ? name : "copy",
                             "a copy definition needs 'name', 'count' and 'input'.");
            add_variable(t, name, loop, true);
        }
    }
    for (size_t i = 0; i < t->variables_n; i++) {
        if (!tv_put(t->a, &index, t->variables[i].name, tv_int(t->a, (int64_t)i)))
            return no_memory(t, err);
    }
    t->variable_index = tv_object(t->a, index.items, index.n);
    return t->variable_index ? SB_OK : no_memory(t, err);
}

const struct tv *sections_variable(struct eval *ev, const char *name)
{
    struct tmpl *t = ev->t;
    const struct tv *at = tv_get(t->variable_index, name);
    if (!at)
        return eval_fail(ev,
                         "The template variable '%.200s' is not found. Please see "
                         "https://aka.ms/arm-template/#variables for usage details.",
                         name);
    struct variable *v = &t->variables[at->u.i];
    if (v->state == MEMO_BUSY)
        return eval_fail(
            ev,
            "The template variable '%.200s' is not valid: Circular dependency detected. Please see "
            "https://aka.ms/arm-template/#variables for usage details.",
            name);
    if (v->state == MEMO_DONE)
        return v->value;
    struct eval inner = {.t = t, .where = AT_VARIABLE};
    v->state = MEMO_BUSY;
    v->value = v->copy ? eval_made(&inner, eval_copy(&inner, v->source)) : eval_value(&inner, v->source);
    v->state = v->value ? MEMO_DONE : MEMO_NEW;
    return v->value;
}

/* Variables are all evaluated, as the service does, so that a bad one is found whether it is used or not. */
static enum sb_err check_variables(struct tmpl *t, struct sb_error *err)
{
    struct eval ev = {.t = t, .where = AT_VARIABLE};
    for (size_t i = 0; i < t->variables_n; i++) {
        const struct variable *v = &t->variables[i];
        struct fault_place place = {sections_path(t, "variables", v->name), v->source->line,
                                    v->source->column};
        if (!sections_variable(&ev, v->name))
            return FAULT(t, err, &place, FAULT_VARIABLE, v->name, fault_why(t));
    }
    return SB_OK;
}

/* ---- functions: [{"namespace": "x", "members": {"f": {"parameters": […], "output": {…}}}}] ---- */

static enum sb_err add_function(struct tmpl *t, const char *space, const struct tv_member *m,
                                struct sb_error *err)
{
    const struct tv *parameters = tv_get(m->value, "parameters"), *output = tv_get(m->value, "output");
    struct fault_place place = {sections_path(t, "functions", m->key), m->value->line, m->value->column};
    if (!tv_get(output, "value") || (parameters && parameters->type != TV_ARRAY))
        return FAULT(t, err, &place, FAULT_FUNCTION, m->key,
                     "it needs 'output.value', and 'parameters' is an array.");
    for (uint32_t i = 0; parameters && i < parameters->n; i++) {
        if (!tv_text(tv_get(parameters->u.items[i], "name")))
            return FAULT(t, err, &place, FAULT_FUNCTION, m->key, "each parameter needs a name.");
    }
    t->functions[t->functions_n++] =
        (struct user_fn){.space = space, .name = m->key, .parameters = parameters, .output = output};
    return SB_OK;
}

static enum sb_err load_functions(struct tmpl *t, struct sb_error *err)
{
    const struct tv *section = tv_get(t->template, "functions");
    size_t n = 0;
    if (!section || section->type == TV_NULL)
        return SB_OK;
    struct fault_place place = {"properties.template.functions", section->line, section->column};
    if (section->type != TV_ARRAY)
        return FAULT(t, err, &place, FAULT_SECTION, "functions", "Array", tv_type_name(section->type));
    for (uint32_t i = 0; i < section->n; i++) {
        const struct tv *members = tv_get(section->u.items[i], "members");
        if (!tv_text(tv_get(section->u.items[i], "namespace")) || !tv_is(members, TV_OBJECT))
            return FAULT(t, err, &place, FAULT_FUNCTION, "functions",
                         "each needs 'namespace' and 'members'.");
        n += members->n;
    }
    if (!(t->functions = ARENA_ARRAY(t->a, struct user_fn, n + 1)))
        return no_memory(t, err);
    for (uint32_t i = 0; i < section->n; i++) {
        const struct tv *members = tv_get(section->u.items[i], "members");
        const char *space = tv_text(tv_get(section->u.items[i], "namespace"));
        for (uint32_t k = 0; k < members->n; k++) {
            enum sb_err rc = add_function(t, space, &members->u.members[k], err);
            if (rc != SB_OK)
                return rc;
        }
    }
    return SB_OK;
}

/* ---- the whole ---- */

enum sb_err sections_assert(struct tmpl *t, struct sb_error *err)
{
    const struct tv *section = NULL;
    struct sb_buf failed;
    enum sb_err rc = sections_object(t, "asserts", &section, err);
    struct eval ev = {.t = t, .where = AT_VARIABLE};
    buf_init(&failed, 4096);
    for (uint32_t i = 0; rc == SB_OK && section && i < section->n; i++) {
        const struct tv_member *m = &section->u.members[i];
        const struct tv *holds = eval_value(&ev, m->value);
        struct fault_place place = {sections_path(t, "asserts", m->key), m->line, m->column};
        if (!holds || holds->type != TV_BOOL)
            rc = FAULT(t, err, &place, FAULT_VARIABLE, m->key,
                       holds ? "an assertion must give a boolean." : fault_why(t));
        else if (!holds->u.b)
            buf_addf(&failed, "%s%s", failed.n ? ", " : "", m->key);
    }
    if (rc == SB_OK && failed.n > 0)
        rc = FAULT(t, err, NULL, FAULT_ASSERT, buf_str(&failed));
    buf_done(&failed);
    return rc;
}

enum sb_err sections_load(struct tmpl *t, struct sb_error *err)
{
    enum sb_err rc = load_variables(t, err);
    if (rc == SB_OK)
        rc = load_functions(t, err);
    return rc == SB_OK ? check_variables(t, err) : rc;
}

/* What must be there before anything is looked at. */
static enum sb_err check_head(struct tmpl *t, const struct tv *template, struct sb_error *err)
{
    struct fault_place place = {"properties.template", template->line, template->column};
    if (template->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_SECTION, "template", "Object", tv_type_name(template->type));
    if (!tv_text(tv_get(template, "$schema")))
        return FAULT(t, err, &place, FAULT_MISSING, "$schema");
    if (!tv_text(tv_get(template, "contentVersion")))
        return FAULT(t, err, &place, FAULT_MISSING, "contentVersion");
    const struct tv *resources = tv_get(template, "resources");
    if (!resources || resources->type == TV_NULL)
        return FAULT(t, err, &place, FAULT_MISSING, "resources");
    return SB_OK;
}

enum sb_err tmpl_load(struct tmpl *t, const struct tv *template, const struct tv *parameters,
                      struct sb_error *err)
{
    const struct tv *section = NULL;
    enum sb_err rc = check_head(t, template, err);
    if (rc != SB_OK)
        return rc;
    t->template = template;
    t->symbolic = tv_is(tv_get(template, "resources"), TV_OBJECT);
    SB_TRY(sections_object(t, "definitions", &t->definitions, err));
    SB_TRY(sections_object(t, "parameters", &section, err));
    SB_TRY(limit(t, "parameters", TMPL_PARAMETERS_MAX, section ? section->n : 0, err));
    section = NULL;
    SB_TRY(sections_object(t, "outputs", &section, err));
    SB_TRY(limit(t, "outputs", TMPL_OUTPUTS_MAX, section ? section->n : 0, err));
    SB_TRY(params_load(t, parameters, err));
    SB_TRY(sections_load(t, err));
    SB_TRY(sections_assert(t, err));
    SB_TRY(plan_resources(t, err));
    SB_TRY(depends_resources(t, err));
    SB_TRY(order_resources(t, err));
out:
    return rc;
}
