/* ids.c: resource ids from types, names and scopes. */
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

size_t ids_segments(const char *s)
{
    size_t n = 1;
    for (; *s; s++)
        n += *s == '/';
    return n;
}

char *ids_group(struct sb_arena *a, const char *subscription, const char *group)
{
    if (!group)
        return arena_printf(a, "/subscriptions/%s", subscription ? subscription : "");
    return arena_printf(a, "/subscriptions/%s/resourceGroups/%s", subscription ? subscription : "", group);
}

const char *ids_scope(const struct tmpl *t)
{
    const struct tmpl_world *w = &t->world;
    switch (w->scope) {
    case TMPL_GROUP: return ids_group(t->a, w->subscription_id, w->group_name ? w->group_name : "");
    case TMPL_SUBSCRIPTION: return ids_group(t->a, w->subscription_id, NULL);
    case TMPL_MANAGEMENT_GROUP:
        return arena_printf(t->a, "/providers/Microsoft.Management/managementGroups/%s",
                            w->management_group ? w->management_group : "");
    default: return "";
    }
}

/* The next segment of *s, which moves behind it. */
static size_t segment(const char **s, const char **ret)
{
    size_t n = strcspn(*s, "/");
    *ret = *s;
    *s += n + ((*s)[n] == '/');
    return n;
}

char *ids_join(struct sb_arena *a, const char *scope, const char *type, const char *name)
{
    const char *slash = strchr(type, '/'), *part = NULL;
    if (!slash || ids_segments(slash + 1) != ids_segments(name))
        return NULL;
    struct sb_buf b;
    buf_init(&b, 64u << 10);
    buf_adds(&b, scope);
    bool group = text_ieq(type, "Microsoft.Resources/resourceGroups");
    bool subscription = text_ieq(type, "Microsoft.Resources/subscriptions");
    if (group || subscription)
        buf_addf(&b, "%s", subscription ? "/subscriptions" : "/resourceGroups");
    else
        buf_addf(&b, "/providers/%.*s", (int)(slash - type), type);
    const char *types = slash + 1;
    for (bool first = true; *types; first = false) {
        size_t n = segment(&types, &part);
        if (!first || !(group || subscription))
            buf_addf(&b, "/%.*s", (int)n, part);
        n = segment(&name, &part);
        buf_addf(&b, "/%.*s", (int)n, part);
    }
    char *id = buf_failed(&b) ? NULL : arena_strndup(a, buf_str(&b), b.n);
    buf_done(&b);
    return id;
}
