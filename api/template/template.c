/* template.c: the session: opening, reading, the order of loading, and what can be asked of it afterwards. */
#include "api/template/template.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/template/hash.h"
#include "api/template/lenient.h"
#include "api/template/session.h"
#include "server/base/text.h"

static atomic_uint_fast64_t sessions;

enum sb_err tmpl_new(const struct tmpl_world *world, struct tmpl **ret, struct sb_error *err)
{
    struct sb_arena *a = arena_new(TMPL_MEMORY_MAX);
    struct tmpl *t = a ? ARENA_NEW(a, struct tmpl) : NULL;
    if (!t) {
        arena_free(a);
        return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    *t = (struct tmpl){.a = a, .world = *world, .steps = TMPL_STEPS_MAX};
    t->serial = atomic_fetch_add(&sessions, 1) + 1;
    t->fault = (struct tmpl_fault){.code = "", .message = "", .path = ""};
    *ret = t;
    return SB_OK;
}

void tmpl_set_world(struct tmpl *t, const struct tmpl_world *world)
{
    t->world = *world;
}

void tmpl_free(struct tmpl *t)
{
    if (t)
        arena_free(t->a);
}

const struct tmpl_fault *tmpl_fault(const struct tmpl *t)
{
    return &t->fault;
}

struct sb_arena *tmpl_arena(struct tmpl *t)
{
    return t->a;
}

enum sb_err tmpl_read(struct tmpl *t, const char *text, size_t n, const struct tv **ret, struct sb_error *err)
{
    struct lenient_error why = {.path = ""};
    const struct tv *v = lenient_parse(t->a, text, n, &why);
    if (!v) {
        struct fault_place place = {why.path, why.line, why.position};
        const char *message = why.message ? why.message : "The content is too large.";
        return FAULT(t, err, &place, FAULT_READ, message, why.path ? why.path : "");
    }
    *ret = v;
    return SB_OK;
}

uint64_t tmpl_steps(const struct tmpl *t)
{
    return t->steps;
}

void tmpl_set_steps(struct tmpl *t, uint64_t steps)
{
    t->steps = steps;
}

size_t tmpl_count(const struct tmpl *t)
{
    return t->r.n;
}

const struct tmpl_resource *tmpl_at(const struct tmpl *t, size_t k)
{
    return k < t->r.n ? &t->r.all[t->r.order[k]].shown : NULL;
}

const struct tmpl_resource *tmpl_resource(const struct tmpl *t, size_t index)
{
    return index < t->r.n ? &t->r.all[index].shown : NULL;
}

const struct tmpl_resource *tmpl_find(const struct tmpl *t, const char *id)
{
    const struct tv *at = tv_get(t->r.by_id, id);
    return at ? tmpl_resource(t, (size_t)at->u.i) : NULL;
}

char *tmpl_text(struct tmpl *t, size_t *ret_n)
{
    return t->template ? tv_print(t->a, t->template, ret_n) : NULL;
}

const char *tmpl_hash(struct tmpl *t)
{
    size_t n = 0;
    if (!t->hash) {
        const char *text = tmpl_text(t, &n);
        t->hash = arena_printf(t->a, "%llu", (unsigned long long)hash_murmur64(text ? text : "", n));
    }
    return t->hash ? t->hash : "0";
}

const char *tmpl_function_name(size_t i)
{
    const struct fn *f = fn_at(i);
    return f ? f->name : NULL;
}

size_t tmpl_parameters(const struct tmpl *t, const struct tmpl_parameter **ret)
{
    *ret = t->shown;
    return t->parameters_n;
}

/* Names are shown with a small first letter. */
static void open_shown(struct jw *w, const char *name)
{
    char shown[260];
    snprintf(shown, sizeof shown, "%s", name);
    shown[0] = text_lower(shown[0]);
    jw_obj(w, shown);
}

void tmpl_write_parameters(const struct tmpl *t, struct jw *w, const char *key)
{
    jw_obj(w, key);
    for (size_t i = 0; i < t->parameters_n; i++) {
        const struct tmpl_parameter *p = &t->shown[i];
        open_shown(w, p->name);
        jw_str(w, "type", p->type);
        if (p->reference)
            tv_write(w, "reference", p->reference);
        else if (!p->secure)
            tv_write(w, "value", p->value);
        jw_end_obj(w);
    }
    jw_end_obj(w);
}

void tmpl_write_outputs(const struct tmpl_output *outputs, size_t n, struct jw *w, const char *key)
{
    jw_obj(w, key);
    for (size_t i = 0; i < n; i++) {
        open_shown(w, outputs[i].name);
        jw_str(w, "type", outputs[i].type);
        if (!outputs[i].secure)
            tv_write(w, "value", outputs[i].value);
        jw_end_obj(w);
    }
    jw_end_obj(w);
}
