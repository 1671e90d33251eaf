/* arm_scope.c: the scope in front of "/providers/…" in paths of extension resources: role definitions, role
 * assignments, diagnostic settings. */
#include "api/arm_scope.h"
#include <string.h>
#include "server/base/text.h"
#include "server/engine/ns.h"
#include "server/engine/vault.h"

#define SEGMENTS 8

/* "/subscriptions/…"; "/" for the routes without a scope. */
const char *arm_scope(struct request *r)
{
    const char *scope = request_param(r, "scope");
    const char *path = scope == NULL ? "/" : arena_printf(r->arena, "/%s", scope);
    return path != NULL ? path : "/";
}

struct scope {
    const char *seg[SEGMENTS]; /* subscriptions S resourceGroups G providers NAMESPACE TYPE NAME */
    size_t n;
};

static enum sb_err split_scope(struct request *r, const char *path, struct scope *ret, struct sb_error *err)
{
    char *p = arena_strdup(r->arena, path);
    if (p == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    while (ret->n < SEGMENTS && *(p += strspn(p, "/")) != '\0') {
        ret->seg[ret->n++] = p;
        p += strcspn(p, "/");
        if (*p != '\0')
            *p++ = '\0';
    }
    return SB_OK;
}

static enum sb_err find_vault(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct vault v;
    return vault_get(r->e, s->seg[1], s->seg[3], s->seg[7], r->arena, &v, err);
}

static enum sb_err find_namespace(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct ns_view v;
    return ns_get(r->e, s->seg[1], s->seg[3], s->seg[7], r->arena, &v, err);
}

static enum sb_err find_identity(struct request *r, const struct scope *s, struct sb_error *err)
{
    struct uai u;
    return directory_uai_get(r->e,
                             arm_id(r, s->seg[1], s->seg[3], "%s/%s/%s", s->seg[5], s->seg[6], s->seg[7]),
                             r->arena, &u, err);
}

/* What a scope names must be there, as far as it is emulated; below a vault or namespace nobody looks. */
enum sb_err arm_scope_require(struct request *r, const char *path, struct sb_error *err)
{
    static const struct {
        const char *provider, *type;
        enum sb_err (*find)(struct request *r, const struct scope *s, struct sb_error *err);
    } types[] = {
        {"Microsoft.KeyVault", "vaults", find_vault},
        {"Microsoft.ServiceBus", "namespaces", find_namespace},
        {"Microsoft.ManagedIdentity", "userAssignedIdentities", find_identity},
    };
    enum sb_err rc;
    struct scope s = {.n = 0};
    struct group g;
    SB_TRY(split_scope(r, path, &s, err));
    if (s.n < 2 || !text_ieq(s.seg[0], "subscriptions"))
        goto out;
    if (!engine_subscription_ok(r->e, s.seg[1])) {
        rc = sb_fail(err, SB_ENOSUBSCRIPTION, "The subscription '%.80s' could not be found.", s.seg[1]);
        goto out;
    }
    if (s.n < 4 || !text_ieq(s.seg[2], "resourceGroups"))
        goto out;
    SB_TRY(directory_group_get(r->e, s.seg[1], s.seg[3], r->arena, &g, err));
    for (size_t i = 0; s.n == SEGMENTS && text_ieq(s.seg[4], "providers") && i < SB_ARRAY_LEN(types); i++) {
        if (text_ieq(types[i].provider, s.seg[5]) && text_ieq(types[i].type, s.seg[6]))
            SB_TRY(types[i].find(r, &s, err));
    }
out:
    return rc;
}
