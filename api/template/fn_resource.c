/* fn_resource.c: resource ids, and what is asked of the world at run time: reference(), list…(), providers().
 */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define SEE(name) " Please see https://aka.ms/arm-resource-functions/#" name " for usage details."

/* ---- ids ---- */

/* Type and names in args[at..] below scope. */
static const struct tv *id_below(struct fn_call *c, const char *scope, size_t at)
{
    struct sb_buf b;
    size_t names = c->n - at - 1;
    const char *type = c->args[at]->u.s;
    size_t wanted = ids_segments(type) - 1;
    buf_init(&b, 64u << 10);
    for (size_t i = at + 1; i < c->n; i++)
        buf_addf(&b, "%s%s", i > at + 1 ? "/" : "", c->args[i]->u.s);
    /* Names may carry their slashes: resourceId('a/b/c', 'x/y'). */
    bool fits = names > 0 && wanted > 0 && ids_segments(buf_str(&b)) == wanted;
    const char *id = fits && !buf_failed(&b) ? ids_join(EVAL_ARENA(c->ev), scope, type, buf_str(&b)) : NULL;
    buf_done(&b);
    if (!fits)
        return eval_fail(
            c->ev,
            "Unable to evaluate template language function '%s': the type '%.200s' requires '%zu' resource "
            "name argument(s). Please see https://aka.ms/arm-resource-functions/#%s for usage details.",
            c->name, type, wanted, c->fn->name);
    return id ? tv_string(EVAL_ARENA(c->ev), id) : NULL;
}

/* Where the type stands: the first argument that has a slash, within the first `max` + 1. SIZE_MAX: failed.
 */
static size_t type_at(struct fn_call *c, size_t max)
{
    for (size_t i = 0; i < c->n && i <= max; i++) {
        if (strchr(c->args[i]->u.s, '/'))
            return i;
    }
    eval_fail(c->ev,
              "Unable to evaluate template language function '%s': the arguments must hold a resource type "
              "of the form "
              "'{provider}/{type}'. Please see https://aka.ms/arm-resource-functions/#%s for usage details.",
              c->name, c->fn->name);
    return SIZE_MAX;
}

/* [subscription] [group] type names… */
const struct tv *fn_resourceId(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    size_t at = type_at(c, 2);
    if (at == SIZE_MAX)
        return NULL;
    if (at == 0 && w->scope != TMPL_GROUP)
        return id_below(c, ids_scope(c->ev->t), at);
    const char *subscription = w->subscription_id, *group = w->group_name;
    if (at == 2)
        subscription = c->args[0]->u.s;
    /* One argument before the type: a group; a GUID is a subscription where the template has no group. */
    if (at == 1 && w->scope != TMPL_GROUP && guid_valid(c->args[0]->u.s))
        subscription = c->args[0]->u.s;
    else if (at > 0)
        group = c->args[at - 1]->u.s;
    const char *scope = ids_group(EVAL_ARENA(c->ev), subscription, group);
    return scope ? id_below(c, scope, at) : NULL;
}

const struct tv *fn_subscriptionResourceId(struct fn_call *c)
{
    size_t at = type_at(c, 1);
    if (at == SIZE_MAX)
        return NULL;
    const char *scope =
        ids_group(EVAL_ARENA(c->ev), at ? c->args[0]->u.s : c->ev->t->world.subscription_id, NULL);
    return scope ? id_below(c, scope, at) : NULL;
}

const struct tv *fn_managementGroupResourceId(struct fn_call *c)
{
    size_t at = type_at(c, 1);
    if (at == SIZE_MAX)
        return NULL;
    const char *group = at ? c->args[0]->u.s : c->ev->t->world.management_group;
    const char *scope = arena_printf(EVAL_ARENA(c->ev), "/providers/Microsoft.Management/managementGroups/%s",
                                     group ? group : "");
    return scope ? id_below(c, scope, at) : NULL;
}

const struct tv *fn_tenantResourceId(struct fn_call *c)
{
    return type_at(c, 0) == SIZE_MAX ? NULL : id_below(c, "", 0);
}

const struct tv *fn_extensionResourceId(struct fn_call *c)
{
    const char *scope = c->args[0]->u.s;
    return id_below(c, strcmp(scope, "/") == 0 ? "" : scope, 1);
}

/* ---- run time ---- */

struct target {
    const char *id, *api_version;
};

/* What a name or id means; api_version: as given, else the template's own for a resource of the template. */
static bool find_target(struct fn_call *c, const char *text, const char *api_version, struct target *ret)
{
    struct tmpl *t = c->ev->t;
    struct tmpl_range range = depends_find(t, text);
    if (range.n == 1) {
        const struct tmpl_resource *r = &t->r.all[range.first].shown;
        *ret = (struct target){r->id, api_version ? api_version : r->api_version};
        return true;
    }
    if (text[0] == '/') {
        *ret = (struct target){text, api_version};
        return true;
    }
    eval_fail(c->ev,
              "The template reference '%.200s' is not valid: could not find template resource or resource "
              "copy with this "
              "name. Please see https://aka.ms/arm-function-reference for usage details.",
              text);
    return false;
}

static const struct tv *no_world(struct fn_call *c)
{
    return eval_fail(c->ev, "The template function '%s' is not available here.", c->name);
}

static const struct tv *look(struct fn_call *c, const struct target *target, bool full)
{
    const struct tmpl_world *w = &c->ev->t->world;
    const struct tv *v = NULL;
    struct sb_error why = {0};
    if (!w->reference)
        return no_world(c);
    if (w->reference(w->cookie, EVAL_ARENA(c->ev), target->id, target->api_version, full, &v, &why) ==
            SB_OK &&
        v)
        return v;
    return eval_fail(c->ev, "%s", why.detail[0] ? why.detail : "The resource cannot be read.");
}

/* Is the i-th argument 'Full'? -1: failed. */
static int wants_full(struct fn_call *c, size_t i)
{
    if (c->n <= i)
        return 0;
    if (text_ieq(c->args[i]->u.s, "Full"))
        return 1;
    if (text_ieq(c->args[i]->u.s, "Properties"))
        return 0;
    eval_fail(c->ev,
              "Unable to evaluate template language function '%s': the last argument must be 'Full' or "
              "'Properties'." SEE("reference"),
              c->name);
    return -1;
}

const struct tv *fn_reference(struct fn_call *c)
{
    struct target target = {0};
    int full = wants_full(c, 2);
    const char *api_version = c->n > 1 && *c->args[1]->u.s ? c->args[1]->u.s : NULL;
    if (full < 0 || !find_target(c, c->args[0]->u.s, api_version, &target))
        return NULL;
    return c->ev->before ? eval_postpone(c->ev) : look(c, &target, full);
}

/* Of every copy of a loop, in order. */
const struct tv *fn_references(struct fn_call *c)
{
    struct tmpl *t = c->ev->t;
    struct tv_list list = {0};
    int full = wants_full(c, 1);
    struct tmpl_range range = depends_find(t, c->args[0]->u.s);
    if (full < 0)
        return NULL;
    if (c->ev->before)
        return eval_postpone(c->ev);
    for (size_t i = range.first; i < range.first + range.n; i++) {
        const struct tmpl_resource *r = &t->r.all[i].shown;
        struct target target = {r->id, r->api_version};
        if (!tv_push(t->a, &list, look(c, &target, full)))
            return NULL;
    }
    return tv_array(t->a, list.items, list.n);
}

const struct tv *fn_resourceInfo(struct fn_call *c)
{
    struct tmpl *t = c->ev->t;
    struct tv_fields f = {0};
    struct tmpl_range range = depends_find(t, c->args[0]->u.s);
    if (range.n != 1)
        return eval_fail(
            c->ev,
            "The template reference '%.200s' is not valid: could not find template resource or resource copy "
            "with this name. Please see https://aka.ms/arm-function-reference for usage details.",
            c->args[0]->u.s);
    const struct tmpl_resource *r = &t->r.all[range.first].shown;
    if (!tv_put(t->a, &f, "id", tv_string(t->a, r->id)) ||
        !tv_put(t->a, &f, "name", tv_string(t->a, r->name)) ||
        !tv_put(t->a, &f, "type", tv_string(t->a, r->type)) ||
        !tv_put(t->a, &f, "apiVersion", tv_string(t->a, r->api_version)))
        return NULL;
    return tv_object(t->a, f.items, f.n);
}

/* listKeys(id, apiVersion[, body]) and every other list…() */
const struct tv *fn_list(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    const struct tv *v = NULL;
    struct target target = {0};
    struct sb_error why = {0};
    if (!find_target(c, c->args[0]->u.s, c->args[1]->u.s, &target))
        return NULL;
    if (c->ev->before)
        return eval_postpone(c->ev);
    if (!w->list)
        return no_world(c);
    if (w->list(w->cookie, EVAL_ARENA(c->ev), c->name, target.id, target.api_version,
                c->n > 2 ? c->args[2] : NULL, &v, &why) == SB_OK &&
        v)
        return v;
    return eval_fail(c->ev, "%s", why.detail[0] ? why.detail : "The resource cannot be read.");
}

const struct tv *fn_providers(struct fn_call *c)
{
    const struct tmpl_world *w = &c->ev->t->world;
    const struct tv *v = NULL;
    struct sb_error why = {0};
    if (!w->providers)
        return no_world(c);
    if (w->providers(w->cookie, EVAL_ARENA(c->ev), c->args[0]->u.s, c->n > 1 ? c->args[1]->u.s : NULL, &v,
                     &why) == SB_OK &&
        v)
        return v;
    return eval_fail(c->ev, "%s", why.detail[0] ? why.detail : "The provider is not known.");
}

/* ---- zones: every region has three, logical n is physical "region-azn" (choice) ---- */

#define ZONES 3

/* pickZones(namespace, type, location[, count[, offset]]) */
const struct tv *fn_pickZones(struct fn_call *c)
{
    struct tv_list list = {0};
    struct sb_arena *a = EVAL_ARENA(c->ev);
    int64_t n = c->n > 3 ? c->args[3]->u.i : 1, offset = c->n > 4 ? c->args[4]->u.i : 0;
    if (n < 1 || offset < 0 || n > ZONES || offset > ZONES - n)
        return eval_fail(
            c->ev,
            "Unable to evaluate template language function 'pickZones': the region has '%d' zones." SEE(
                "pickZones"),
            ZONES);
    for (int64_t i = 0; i < n; i++) {
        char zone[2] = {(char)('1' + offset + i), '\0'};
        if (!tv_push(a, &list, tv_string(a, zone)))
            return NULL;
    }
    return tv_array(a, list.items, list.n);
}

static const struct tv *zone(struct fn_call *c, const struct tv *from, bool physical)
{
    struct sb_arena *a = EVAL_ARENA(c->ev);
    const char *text = tv_text(from), *region = c->args[1]->u.s;
    size_t n = text ? strlen(text) : 0, prefix = strlen(region) + 3;
    bool logical_form = n == 1, physical_form = n == prefix + 1 && text_istarts(text, region) &&
                                                text_ieqn(text + prefix - 3, "-az", 3);
    char digit = n ? text[n - 1] : '\0';
    if (!(physical ? logical_form : physical_form) || digit < '1' || digit >= '1' + ZONES)
        return eval_fail(
            c->ev, "Unable to evaluate template language function '%s': there is no such zone." SEE("zones"),
            c->name);
    const char *made = physical ? arena_printf(a, "%s-az%c", region, digit) : text + n - 1;
    return made ? tv_string(a, made) : NULL;
}

static const struct tv *zones(struct fn_call *c, bool physical)
{
    struct tv_list list = {0};
    for (uint32_t i = 0; i < c->args[2]->n; i++) {
        if (!tv_push(EVAL_ARENA(c->ev), &list, zone(c, c->args[2]->u.items[i], physical)))
            return NULL;
    }
    return tv_array(EVAL_ARENA(c->ev), list.items, list.n);
}

const struct tv *fn_toPhysicalZone(struct fn_call *c)
{
    return zone(c, c->args[2], true);
}

const struct tv *fn_toLogicalZone(struct fn_call *c)
{
    return zone(c, c->args[2], false);
}

const struct tv *fn_toPhysicalZones(struct fn_call *c)
{
    return zones(c, true);
}

const struct tv *fn_toLogicalZones(struct fn_call *c)
{
    return zones(c, false);
}
