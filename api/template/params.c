/* params.c: parameters: declared, given by value or by vault reference, defaulted, checked. */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

static struct fault_place place_of(struct tmpl *t, const struct parameter *p)
{
    return (struct fault_place){sections_path(t, "parameters", p->shown.name), p->declaration->line,
                                p->declaration->column};
}

/* ["a","b"] as 'a,b'. */
static const char *list_text(struct tmpl *t, const struct tv *list)
{
    struct sb_buf b;
    buf_init(&b, 64u << 10);
    for (uint32_t i = 0; tv_is(list, TV_ARRAY) && i < list->n; i++) {
        const char *text = tv_text(list->u.items[i]);
        if (!text)
            text = tv_print(t->a, list->u.items[i], NULL);
        buf_addf(&b, "%s%s", i ? "," : "", text ? text : "");
    }
    const char *text = arena_strdup(t->a, buf_str(&b));
    buf_done(&b);
    return text ? text : "";
}

/* Checks a value against its parameter's declaration. */
static enum sb_err check(struct tmpl *t, struct parameter *p, const struct tv *v, struct sb_error *err)
{
    struct fault_place place = place_of(t, p);
    if (!types_resolve(t, p->declaration))
        return FAULT(t, err, &place, FAULT_PARAM_INVALID, p->shown.name, fault_why(t));
    if (v->type == TV_NULL && types_nullable(t, p->declaration))
        return SB_OK;
    const char *expected = types_misfit(t, p->declaration, v);
    if (expected)
        return FAULT(t, err, &place, FAULT_PARAM_TYPE, expected, tv_type_name(v->type));
    if (!types_allowed(t, p->declaration, v)) {
        const char *text = p->shown.secure ? NULL : tv_text(v);
        const char *value = text ? arena_printf(t->a, " '%s'", text) : "";
        return FAULT(t, err, &place, FAULT_PARAM_ALLOWED, p->shown.name, value ? value : "",
                     list_text(t, types_facet(t, p->declaration, "allowedValues")));
    }
    if (!types_check(t, p->declaration, v, p->shown.name))
        return FAULT(t, err, &place, FAULT_PARAM_INVALID, p->shown.name, fault_why(t));
    return SB_OK;
}

/* The secret that {"keyVault":{"id"},"secretName","secretVersion"} names. */
static enum sb_err from_vault(struct tmpl *t, struct parameter *p, const struct tv *reference,
                              const struct tv **ret, struct sb_error *err)
{
    struct fault_place place = place_of(t, p);
    struct sb_error why = {0};
    const char *id = tv_text(tv_path(reference, "keyVault.id")), *value = NULL;
    const char *name = tv_text(tv_get(reference, "secretName"));
    if (!id || !name)
        return FAULT(t, err, &place, FAULT_PARAM_INVALID, p->shown.name,
                     "The reference must have 'keyVault.id' and 'secretName'.");
    if (!t->world.secret)
        return FAULT(t, err, &place, FAULT_PARAM_SECRET, p->shown.name, "Secrets cannot be read here.");
    enum sb_err rc = t->world.secret(t->world.cookie, t->a, id, name,
                                     tv_text(tv_get(reference, "secretVersion")), &value, &why);
    if (rc == SB_ENOVAULT)
        return FAULT(t, err, &place, FAULT_PARAM_VAULT, id);
    if (rc == SB_EDENIED)
        return FAULT(t, err, &place, FAULT_PARAM_DENIED, why.detail);
    if (rc != SB_OK)
        return FAULT(t, err, &place, FAULT_PARAM_SECRET, p->shown.name, why.detail);
    p->shown.reference = reference;
    p->shown.secure = true;
    *ret = tv_string(t->a, value);
    return *ret ? SB_OK : FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
}

/* What the caller gave for p; *ret stays NULL when that is nothing. */
static enum sb_err take_given(struct tmpl *t, struct parameter *p, const struct tv *entry,
                              const struct tv **ret, struct sb_error *err)
{
    struct fault_place place = place_of(t, p);
    if (!entry)
        return SB_OK;
    if (entry->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_PARAM_TYPE, "Object", tv_type_name(entry->type));
    const struct tv *reference = tv_get(entry, "reference"), *value = tv_get(entry, "value");
    if (tv_is(reference, TV_OBJECT))
        return from_vault(t, p, reference, ret, err);
    if (value && value->type != TV_NULL)
        *ret = value;
    return SB_OK;
}

/* Evaluates p once: given, default, or null when it is nullable. false: t->fault and p->failed are set. */
static bool settle(struct tmpl *t, struct parameter *p, struct sb_error *err)
{
    struct fault_place place = place_of(t, p);
    const struct tv *v = p->given;
    const struct tv *fallback = tv_get(p->declaration, "defaultValue");
    p->state = MEMO_BUSY;
    p->failed = true;
    if (!v && fallback) {
        struct eval ev = {.t = t, .where = AT_PARAMETER};
        v = eval_value(&ev, fallback);
        if (!v) {
            if (t->fault.message[0] == '\0')
                (void)FAULT(t, err, &place, FAULT_RESOURCE, p->shown.name, fault_why(t));
            return false;
        }
    }
    if (!v && types_nullable(t, p->declaration))
        v = tv_null();
    if (!v) {
        (void)FAULT(t, err, &place, FAULT_PARAM_MISSING, p->shown.name);
        return false;
    }
    if (check(t, p, v, err) != SB_OK)
        return false;
    p->shown.value = v;
    p->state = MEMO_DONE;
    p->failed = false;
    return true;
}

const struct tv *params_get(struct eval *ev, const char *name)
{
    struct tmpl *t = ev->t;
    const struct tv *at = tv_get(t->parameter_index, name);
    if (!at)
        return eval_fail(ev,
                         "The template parameter '%.200s' is not found. Please see "
                         "https://aka.ms/arm-template/#parameters for usage details.",
                         name);
    struct parameter *p = &t->parameters[at->u.i];
    if (p->state == MEMO_BUSY)
        return eval_fail(ev, "The template parameter '%.200s' depends on itself.", name);
    if (p->state == MEMO_NEW && !settle(t, p, NULL))
        return eval_fail(ev, "%s", t->fault.message);
    return p->shown.value;
}

static enum sb_err declare(struct tmpl *t, struct parameter *p, const struct tv_member *m,
                           struct sb_error *err)
{
    *p = (struct parameter){.shown.name = m->key, .declaration = m->value};
    struct fault_place place = place_of(t, p);
    if (m->value->type != TV_OBJECT)
        return FAULT(t, err, &place, FAULT_SECTION, m->key, "Object", tv_type_name(m->value->type));
    const char *type = tv_text(types_facet(t, m->value, "type"));
    p->shown.type = types_shown(type, &p->shown.secure);
    if (!types_resolve(t, m->value))
        return FAULT(t, err, &place, FAULT_PARAM_INVALID, m->key, fault_why(t));
    if (!p->shown.type)
        return FAULT(t, err, &place, FAULT_PARAM_INVALID, m->key,
                     "The parameter's type is missing or not supported.");
    return SB_OK;
}

/* Refuses given parameters that the template does not declare. */
static enum sb_err refuse_unknown(struct tmpl *t, const struct tv *given, struct sb_error *err)
{
    struct sb_buf extra, known;
    buf_init(&extra, 64u << 10);
    buf_init(&known, 64u << 10);
    for (uint32_t i = 0; tv_is(given, TV_OBJECT) && i < given->n; i++) {
        if (!tv_get(t->parameter_index, given->u.members[i].key))
            buf_addf(&extra, "%s%s", extra.n ? ", " : "", given->u.members[i].key);
    }
    for (size_t i = 0; i < t->parameters_n; i++)
        buf_addf(&known, "%s%s", i ? ", " : "", t->parameters[i].shown.name);
    struct fault_place nowhere = {0};
    enum sb_err rc = SB_OK;
    if (extra.n > 0 || buf_failed(&extra))
        rc = FAULT(t, err, &nowhere, FAULT_PARAM_UNKNOWN, buf_str(&extra), buf_str(&known));
    buf_done(&extra);
    buf_done(&known);
    return rc;
}

/* A whole parameters file is taken apart. */
static const struct tv *unwrap(const struct tv *given)
{
    const struct tv *inner = tv_get(given, "parameters");
    bool file = tv_text(tv_get(given, "$schema")) || tv_text(tv_get(given, "contentVersion"));
    return file && tv_is(inner, TV_OBJECT) ? inner : given;
}

/* Declares every parameter and makes the index. */
static enum sb_err declare_all(struct tmpl *t, const struct tv *section, struct sb_error *err)
{
    struct tv_fields index = {0};
    t->parameters = ARENA_ARRAY(t->a, struct parameter, section->n + 1);
    t->shown = ARENA_ARRAY(t->a, struct tmpl_parameter, section->n + 1);
    for (uint32_t i = 0; i < section->n; i++) {
        if (!t->parameters || !t->shown || !tv_put(t->a, &index, section->u.members[i].key, tv_int(t->a, i)))
            return FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
        enum sb_err rc = declare(t, &t->parameters[i], &section->u.members[i], err);
        if (rc != SB_OK)
            return rc;
        t->parameters_n = i + 1;
    }
    t->parameter_index = tv_object(t->a, index.items, index.n);
    return t->parameter_index ? SB_OK : FAULT(t, err, NULL, FAULT_MEMORY, fault_why(t));
}

enum sb_err params_load(struct tmpl *t, const struct tv *given, struct sb_error *err)
{
    static const struct tv none = {.type = TV_OBJECT};
    const struct tv *section = NULL;
    enum sb_err rc = sections_object(t, "parameters", &section, err);
    if (rc != SB_OK)
        return rc;
    if (!section)
        section = &none;
    given = given ? unwrap(given) : NULL;
    SB_TRY(declare_all(t, section, err));
    SB_TRY(refuse_unknown(t, given, err));
    for (size_t i = 0; i < t->parameters_n; i++)
        SB_TRY(take_given(t, &t->parameters[i], tv_get(given, t->parameters[i].shown.name),
                          &t->parameters[i].given, err));
    for (size_t i = 0; i < t->parameters_n; i++) {
        if (t->parameters[i].state == MEMO_NEW && !settle(t, &t->parameters[i], err))
            return sb_fail(err, SB_ETEMPLATE, "%s", t->fault.message);
        t->shown[i] = t->parameters[i].shown;
    }
out:
    return rc;
}
