/* sas.c: shared access signatures and bearer tokens on the data plane; the checking itself is the engine's.
 */
#include "api/sas.h"
#include <string.h>
#include "api/arm_entity.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/ns.h"
#include "server/engine/rbac.h"

#define SCHEME_SAS    "SharedAccessSignature "
#define SCHEME_BEARER "Bearer "
/* The application id of Service Bus in Entra ID, public. */
#define BUS_APP_ID "80a10ef9-8168-493d-abf9-3297c4ef6e3c"

/* What this request needs to know of its namespace. */
struct home {
    char name[NS_NAME_MAX + 1], sub[40], group[92];
    bool local_auth_disabled;
};

static enum sb_err find_home(struct request *r, struct home *ret, struct sb_error *err)
{
    engine_lock(r->e);
    const struct ns *n = ns_find_host(r->e, r->host_label);
    if (n) {
        (void)text_copy(ret->name, sizeof ret->name, n->name);
        (void)text_copy(ret->sub, sizeof ret->sub, n->sub);
        (void)text_copy(ret->group, sizeof ret->group, n->group);
        ret->local_auth_disabled = n->local_auth_disabled;
    }
    bool found = n != NULL;
    engine_unlock(r->e);
    return found ? SB_OK : sb_fail(err, SB_ENONAMESPACE, "The namespace '%s' does not exist.", r->host_label);
}

/* ---- shared access signatures ---- */

static enum sb_err malformed(struct sb_error *err)
{
    return sb_fail(err, SB_EBADTOKEN,
                   "MalformedToken: The token is not a well-formed SharedAccessSignature.");
}

/* Takes one name=value; false: given twice or malformed. */
static bool take_part(const char *p, size_t n, struct sb_arena *a, struct sas_token *t)
{
    struct {
        const char *name;
        const char **to;
    } parts[] = {{"sr", &t->sr}, {"sig", &t->sig}, {"se", &t->se}, {"skn", &t->skn}};
    const char *eq = memchr(p, '=', n);
    if (eq == NULL)
        return false;
    size_t name_n = (size_t)(eq - p), value_n = n - name_n - 1;
    for (size_t i = 0; i < SB_ARRAY_LEN(parts); i++) {
        if (strlen(parts[i].name) != name_n || memcmp(parts[i].name, p, name_n) != 0)
            continue;
        if (*parts[i].to != NULL || value_n == 0)
            return false;
        *parts[i].to = percent_decode(a, eq + 1, value_n, false);
        if (parts[i].to == &t->sr)
            t->sr_raw = arena_strndup(a, eq + 1, value_n);
        return *parts[i].to != NULL;
    }
    return true;
}

enum sb_err sas_parse(const char *text, struct sb_arena *a, struct sas_token *ret, struct sb_error *err)
{
    struct sas_token t = {0};
    text += strspn(text, " ");
    while (*text) {
        size_t n = strcspn(text, "& ");
        if (n > 0 && !take_part(text, n, a, &t))
            return malformed(err);
        text += n;
        text += strspn(text, "& ");
    }
    if (t.sr == NULL || t.sr_raw == NULL || t.sig == NULL || t.se == NULL || t.skn == NULL)
        return malformed(err);
    *ret = t;
    return SB_OK;
}

static enum sb_err check_sas(struct request *r, const struct home *home, const char *text,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct sas_token t;
    unsigned rights = 0;
    if (home->local_auth_disabled)
        return sb_fail(
            err, SB_EBADTOKEN,
            "LocalAuthDisabled: Authorization with a SharedAccessSignature is disabled for namespace '%s'.",
            home->name);
    SB_TRY(sas_parse(text, r->arena, &t, err));
    const char *path = percent_decode(r->arena, r->path, strlen(r->path), false);
    if (path == NULL)
        return malformed(err);
    SB_TRY(ns_sas_verify(r->e, home->name, path, t.sr, t.sr_raw, t.se, t.skn, t.sig, &rights, err));
    r->sas_rights = rights;
out:
    return rc;
}

/* ---- bearer tokens ---- */

/* The ARM id of what the path names: where role assignments are looked for. */
static const char *scope_of(struct request *r, const struct home *home)
{
    const char *param = request_param(r, "entity");
    char *entity = arena_strdup(r->arena, param ? param : "");
    if (entity == NULL)
        return NULL;
    (void)broker_cut_dlq(entity);
    const char *tail =
        *entity ? arm_entity_tail(r->arena, broker_kind_at(r->e, home->name, entity), entity) : "";
    return arena_printf(
        r->arena, "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.ServiceBus/namespaces/%s%s%s",
        home->sub, home->group, home->name, *entity ? "/" : "", tail);
}

static unsigned assigned_rights(struct request *r, const char *scope)
{
    static const struct {
        unsigned flag, right;
        const char *action;
    } wants[] = {
        {R_SEND, RIGHT_SEND, "Microsoft.ServiceBus/namespaces/messages/send/action"},
        {R_LISTEN, RIGHT_LISTEN, "Microsoft.ServiceBus/namespaces/messages/receive/action"},
        {R_MANAGE, RIGHT_MANAGE, "Microsoft.ServiceBus/namespaces/messages/manage/action"},
    };
    unsigned rights = 0;
    for (size_t i = 0; i < SB_ARRAY_LEN(wants); i++) {
        if ((r->route->flags & wants[i].flag) && rbac_may(r->e, &r->who, wants[i].action, true, scope))
            rights |= wants[i].right;
    }
    return rights;
}

static enum sb_err check_bearer(struct request *r, const struct home *home, const char *token,
                                struct sb_error *err)
{
    enum sb_err rc;
    const char *audiences[] = {
        "https://servicebus.azure.net",
        "https://servicebus.localhost",
        BUS_APP_ID,
        arena_printf(r->arena, "https://%s.servicebus.windows.net", home->name),
        arena_printf(r->arena, "https://%s.servicebus.localhost", home->name),
        arena_printf(r->arena, "https://%s.servicebus.windows.net", r->host_label), /* of an alias */
        arena_printf(r->arena, "https://%s.servicebus.localhost", r->host_label),
    };
    const char *scope = scope_of(r, home);
    if (scope == NULL || arena_failed(r->arena))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(directory_verify(r->e, token, audiences, SB_ARRAY_LEN(audiences), &r->who, err));
    r->has_who = true;
    r->sas_rights = assigned_rights(r, scope);
out:
    return rc;
}

enum sb_err sas_authorize(struct request *r, struct sb_error *err)
{
    struct home home = {0};
    const char *value = request_header(r, "Authorization");
    enum sb_err rc = find_home(r, &home, err);
    if (rc != SB_OK)
        return rc;
    if (value && text_istarts(value, SCHEME_SAS))
        return check_sas(r, &home, value + strlen(SCHEME_SAS), err);
    if (value && text_istarts(value, SCHEME_BEARER)) {
        value += strlen(SCHEME_BEARER);
        return check_bearer(r, &home, value + strspn(value, " "), err);
    }
    return sb_fail(err, SB_ENOTOKEN, "MissingToken: The authorization header wasn't found.");
}
