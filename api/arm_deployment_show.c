/* arm_deployment_show.c: how a deployment looks. */
#include <stdlib.h>
#include <string.h>
#include "api/arm_deployment.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/document.h"

#define DEPENDENCIES_SHOWN 1000u

/* Type -> index of the first resource of it. NULL: no memory. */
static const struct tv *types_of(struct deployment *d)
{
    struct tv_fields types = {0};
    struct sb_arena *a = tmpl_arena(d->t);
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (!x->existing && !tv_put(a, &types, x->type, tv_int(a, (int64_t)i)))
            return NULL;
    }
    return tv_object(a, types.items, types.n);
}

/* [{"namespace", "resourceTypes": [{"resourceType", "locations"}]}] */
static void write_providers(struct deployment *d, struct jw *w)
{
    const struct tv *types = types_of(d);
    jw_arr(w, "providers");
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        const struct tv *first = tv_get(types, x->type);
        if (!first || first->u.i != (int64_t)i)
            continue;
        jw_obj(w, NULL);
        jw_strf(w, "namespace", "%.*s", (int)strcspn(x->type, "/"), x->type);
        jw_arr(w, "resourceTypes");
        jw_obj(w, NULL);
        jw_str(w, "resourceType", x->type + strcspn(x->type, "/") + 1);
        jw_arr(w, "locations");
        if (x->location)
            jw_str(w, NULL, x->location);
        else
            jw_null(w, NULL);
        jw_end_arr(w);
        jw_end_obj(w);
        jw_end_arr(w);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

static void write_target(struct jw *w, const struct tmpl_resource *x)
{
    jw_str(w, "id", x->id);
    jw_str(w, "resourceType", x->type);
    jw_str(w, "resourceName", x->name);
}

/* (choice) All of them up to a thousand: loops that wait for loops would fill megabytes. */
static void write_dependencies(struct deployment *d, struct jw *w)
{
    size_t room = DEPENDENCIES_SHOWN;
    jw_arr(w, "dependencies");
    for (size_t i = 0; i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (x->depends_n == 0 || x->existing || room == 0)
            continue;
        jw_obj(w, NULL);
        jw_arr(w, "dependsOn");
        for (size_t k = 0; k < x->depends_n; k++) {
            for (size_t m = 0; m < x->depends[k].n && room > 0; m++, room--) {
                jw_obj(w, NULL);
                write_target(w, tmpl_resource(d->t, x->depends[k].first + m));
                jw_end_obj(w);
            }
        }
        jw_end_arr(w);
        write_target(w, x);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* ---- what was deployed ---- */

struct ids {
    const char **all;
    size_t n, cap;
};

static bool add_id(struct sb_arena *a, struct ids *ids, const char *id)
{
    if (ids->n == ids->cap) {
        size_t cap = ids->cap ? ids->cap * 2 : 64;
        const char **all = ARENA_ARRAY(a, const char *, cap);
        if (!all)
            return false;
        if (ids->n > 0)
            memcpy(all, ids->all, ids->n * sizeof *all);
        ids->all = all;
        ids->cap = cap;
    }
    if (id)
        ids->all[ids->n++] = id;
    return id != NULL;
}

/* In place of a nested deployment stands what it deployed. */
static void add_nested(struct deployment *d, struct ids *ids, const char *id)
{
    struct st_document doc;
    struct json *j = NULL;
    bool found = false;
    struct sb_arena *a = tmpl_arena(d->t);
    if (document_get(d->r->e, id, a, &found, &doc, NULL) != SB_OK || !found ||
        json_parse(doc.body, strlen(doc.body), &j, NULL) != SB_OK)
        return; /* it is gone again */
    JSON_FOREACH (one, json_path(j, "properties.outputResources"))
        (void)!add_id(a, ids, arena_strdup(a, json_text(json_get(one, "id"))));
    json_free(j);
}

static int by_id(const void *left, const void *right)
{
    const char *a = *(const char *const *)left, *b = *(const char *const *)right;
    while (*a && text_lower(*a) == text_lower(*b)) {
        a++;
        b++;
    }
    return (unsigned char)text_lower(*a) - (unsigned char)text_lower(*b);
}

size_t deployment_made(struct deployment *d, const char *const **ret)
{
    struct ids ids = {0};
    for (size_t i = 0; d->deployed && i < tmpl_count(d->t); i++) {
        const struct tmpl_resource *x = tmpl_resource(d->t, i);
        if (d->deployed[i] && x->deployment)
            add_nested(d, &ids, x->id);
        else if (d->deployed[i])
            (void)!add_id(tmpl_arena(d->t), &ids, x->id);
    }
    if (ids.n > 0)
        qsort(ids.all, ids.n, sizeof *ids.all, by_id);
    *ret = ids.all;
    return ids.n;
}

bool deployment_has_made(const char *const *ids, size_t n, const char *id)
{
    return n > 0 && bsearch(&id, ids, n, sizeof *ids, by_id) != NULL;
}

static void write_output_resources(struct deployment *d, struct jw *w)
{
    const char *const *ids = NULL;
    size_t n = deployment_made(d, &ids);
    jw_arr(w, "outputResources");
    for (size_t i = 0; i < n; i++) {
        jw_obj(w, NULL);
        jw_str(w, "id", ids[i]);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* ---- the whole ---- */

static void write_on_error(struct deployment *d, struct jw *w)
{
    if (!d->on_error)
        return;
    jw_obj(w, "onErrorDeployment");
    jw_str(w, "provisioningState", d->on_error_state);
    jw_str(w, "type", d->on_error);
    jw_str(w, "deploymentName", d->on_error_name);
    jw_end_obj(w);
}

static void write_error(struct deployment *d, struct jw *w)
{
    jw_obj(w, "error");
    jw_str(w, "code", "DeploymentFailed");
    jw_str(w, "target", d->id);
    jw_str(w, "message",
           "At least one resource deployment operation failed. Please list deployment operations for "
           "details. Please see "
           "https://aka.ms/arm-deployment-operations for usage details.");
    const char *details = arena_printf(d->r->arena, "[%s]", buf_str(&d->errors));
    jw_raw(w, "details", details ? details : "[]");
    jw_end_obj(w);
}

static void write_properties(struct deployment *d, struct jw *w, const char *validated)
{
    char when[TIME_TEXT_MAX], duration[TIME_TEXT_MAX];
    const struct tmpl_parameter *parameters = NULL;
    bool done = !validated && strcmp(d->state, "Accepted") != 0 && strcmp(d->state, "Canceled") != 0;
    int64_t now = engine_now(d->r->e);
    jw_str(w, "templateHash", tmpl_hash(d->t));
    if (tmpl_parameters(d->t, &parameters) > 0)
        tmpl_write_parameters(d->t, w, "parameters");
    jw_str(w, "mode", text_ieq(d->mode, "Complete") ? "Complete" : "Incremental");
    jw_str(w, "provisioningState", validated ? "Succeeded" : d->state);
    jw_str(w, "timestamp", validated ? "0001-01-01T00:00:00Z" : time_rfc3339_7(now, when));
    jw_str(w, "duration", validated ? "PT0S" : duration_format(now - d->began, duration));
    jw_str(w, "correlationId", d->r->correlation_id);
    write_providers(d, w);
    write_dependencies(d, w);
    if (done && d->errors.n > 0)
        write_error(d, w);
    if (done && d->outputs_n > 0)
        tmpl_write_outputs(d->outputs, d->outputs_n, w, "outputs");
    write_on_error(d, w);
    if (done)
        write_output_resources(d, w);
    if (validated)
        jw_raw(w, "validatedResources", arena_printf(tmpl_arena(d->t), "[%s]", validated));
}

void deployment_write(struct deployment *d, struct jw *w, const char *validated)
{
    jw_obj(w, NULL);
    jw_str(w, "id", d->id);
    jw_str(w, "name", d->name);
    jw_str(w, "type", DEPLOYMENT_TYPE);
    if (d->level != TMPL_GROUP)
        jw_str(w, "location", d->location);
    if (!validated && tv_is(tv_get(d->body, "tags"), TV_OBJECT))
        tv_write(w, "tags", tv_get(d->body, "tags"));
    jw_obj(w, "properties");
    write_properties(d, w, validated);
    jw_end_obj(w);
    jw_end_obj(w);
}
