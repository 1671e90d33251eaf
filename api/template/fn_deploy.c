/* fn_deploy.c: the deployment and its scopes: parameters(), variables(), deployment(), resourceGroup() … */
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

/* Inside a user's function its own parameters, else the template's. */
const struct tv *fn_parameters(struct fn_call *c)
{
    const char *name = c->args[0]->u.s;
    const struct user_fn *f = c->ev->inside;
    if (!f)
        return params_get(c->ev, name);
    for (uint32_t i = 0; f->parameters && i < f->parameters->n; i++) {
        if (text_ieq(tv_text(tv_get(f->parameters->u.items[i], "name")), name))
            return c->ev->inside_args[i];
    }
    return eval_fail(c->ev,
                     "The template parameter '%.200s' is not found. Please see "
                     "https://aka.ms/arm-template/#parameters for usage details.",
                     name);
}

const struct tv *fn_variables(struct fn_call *c)
{
    return sections_variable(c->ev, c->args[0]->u.s);
}

const struct tv *fn_fail(struct fn_call *c)
{
    return eval_fail(c->ev, "%s", c->args[0]->u.s);
}

/* ---- small objects from name and text; a row without text is left out ---- */

struct text_row {
    const char *key, *text;
};

static const struct tv *object_of(struct fn_call *c, const struct text_row *rows, size_t n, const char *key,
                                  const struct tv *extra)
{
    struct tv_fields f = {0};
    struct sb_arena *a = EVAL_ARENA(c->ev);
    for (size_t i = 0; i < n; i++) {
        if (rows[i].text && !tv_put(a, &f, rows[i].key, tv_string(a, rows[i].text)))
            return NULL;
    }
    if (key && !tv_put(a, &f, key, extra))
        return NULL;
    return tv_object(a, f.items, f.n);
}

static const char *or_empty(const char *s)
{
    return s ? s : "";
}

const struct tv *fn_subscription(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    if (w->subscription)
        return w->subscription;
    const struct text_row rows[] = {{"id", ids_group(EVAL_ARENA(c->ev), w->subscription_id, NULL)},
                                    {"subscriptionId", w->subscription_id},
                                    {"tenantId", w->tenant_id}};
    return object_of(c, rows, SB_ARRAY_LEN(rows), NULL, NULL);
}

const struct tv *fn_resourceGroup(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    if (w->group)
        return w->group;
    const struct text_row rows[] = {{"id", ids_scope(c->ev->t)},
                                    {"name", w->group_name},
                                    {"type", "Microsoft.Resources/resourceGroups"},
                                    {"location", w->location}};
    return object_of(c, rows, SB_ARRAY_LEN(rows), NULL, NULL);
}

const struct tv *fn_managementGroup(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    if (w->management)
        return w->management;
    const struct text_row rows[] = {{"id", ids_scope(c->ev->t)},
                                    {"name", w->management_group},
                                    {"type", "/providers/Microsoft.Management/managementGroups"}};
    return object_of(c, rows, SB_ARRAY_LEN(rows), NULL, NULL);
}

const struct tv *fn_tenant(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    if (w->tenant)
        return w->tenant;
    const struct text_row rows[] = {
        {"id", arena_printf(EVAL_ARENA(c->ev), "/tenants/%s", or_empty(w->tenant_id))},
        {"tenantId", or_empty(w->tenant_id)}};
    return object_of(c, rows, SB_ARRAY_LEN(rows), NULL, NULL);
}

const struct tv *fn_deployer(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    if (w->deployer)
        return w->deployer;
    const struct text_row rows[] = {{"objectId", ""}, {"tenantId", or_empty(w->tenant_id)}};
    return object_of(c, rows, SB_ARRAY_LEN(rows), NULL, NULL);
}

const struct tv *fn_environment(struct fn_call *c)
{
    static const struct text_row suffixes[] = {{"acrLoginServer", ".azurecr.io"},
                                               {"keyvaultDns", ".vault.azure.net"},
                                               {"sqlServerHostname", ".database.windows.net"},
                                               {"storage", "core.windows.net"}};
    static const struct text_row rows[] = {
        {"name", "AzureCloud"},
        {"resourceManager", "https://management.azure.com/"},
        {"gallery", "https://gallery.azure.com/"},
        {"graph", "https://graph.windows.net/"},
        {"portal", "https://portal.azure.com"},
        {"graphAudience", "https://graph.windows.net/"},
        {"activeDirectoryDataLake", "https://datalake.azure.net/"},
        {"batch", "https://batch.core.windows.net/"},
        {"media", "https://rest.media.azure.net"},
        {"sqlManagement", "https://management.core.windows.net:8443/"},
    };
    if (c->ev->t->world.environment)
        return c->ev->t->world.environment;
    const struct tv *inner = object_of(c, suffixes, SB_ARRAY_LEN(suffixes), NULL, NULL);
    return inner ? object_of(c, rows, SB_ARRAY_LEN(rows), "suffixes", inner) : NULL;
}

/* {name: {"type", "value"}}, secure ones without value: what deployment().properties.parameters shows. */
static const struct tv *shown_parameters(struct fn_call *c)
{
    struct tmpl *t = c->ev->t;
    struct tv_fields all = {0};
    for (size_t i = 0; i < t->parameters_n; i++) {
        const struct tmpl_parameter *p = &t->parameters[i].shown;
        struct tv_fields one = {0};
        if (!tv_put(t->a, &one, "type", tv_string(t->a, p->type)) ||
            (!p->secure && p->value && !tv_put(t->a, &one, "value", p->value)) ||
            !tv_put(t->a, &all, p->name, tv_object(t->a, one.items, one.n)))
            return NULL;
    }
    return tv_object(t->a, all.items, all.n);
}

const struct tv *fn_deployment(struct fn_call *c)
{
    struct tmpl *t = c->ev->t;
    const struct tmpl_world *w = &t->world;
    struct tv_fields properties = {0};
    const char *mode = w->mode ? w->mode : "Incremental";
    if (w->template_uri) {
        const struct text_row link[] = {{"uri", w->template_uri}};
        if (!tv_put(t->a, &properties, "templateLink", object_of(c, link, 1, NULL, NULL)))
            return NULL;
    }
    if (!tv_put(t->a, &properties, "template", t->template) ||
        !tv_put(t->a, &properties, "templateHash", tv_string(t->a, tmpl_hash(t))) ||
        !tv_put(t->a, &properties, "parameters", shown_parameters(c)) ||
        !tv_put(t->a, &properties, "mode", tv_string(t->a, mode)) ||
        !tv_put(t->a, &properties, "provisioningState", tv_string(t->a, "Accepted")))
        return NULL;
    const struct text_row rows[] = {{"name", or_empty(w->deployment_name)}, {"location", w->location}};
    const struct tv *inner = tv_object(t->a, properties.items, properties.n);
    return inner ? object_of(c, rows, SB_ARRAY_LEN(rows), "properties", inner) : NULL;
}
