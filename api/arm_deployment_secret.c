/*
 * arm_deployment_secret.c: parameters that refer to a secret of a vault. As documented the vault has to be
 * enabled for template deployment, and the caller to have Microsoft.KeyVault/vaults/deploy/action on it;
 * access policies and roles for secrets are not asked. The value stays in the deployment's session.
 */
#include <string.h>
#include "api/arm_deployment.h"
#include "api/vault_audit.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/vsecret.h"

#define DEPLOY "Microsoft.KeyVault/vaults/deploy/action"

/* "/subscriptions/S/resourceGroups/G/providers/Microsoft.KeyVault/vaults/V" taken apart. */
static bool split_id(struct sb_arena *a, const char *id, const char *part[3])
{
    static const char *const before[] = {"/subscriptions/", "/resourceGroups/",
                                         "/providers/Microsoft.KeyVault/vaults/"};
    for (size_t i = 0; i < SB_ARRAY_LEN(before); i++) {
        if (!text_istarts(id, before[i]))
            return false;
        id += strlen(before[i]);
        size_t n = strcspn(id, "/");
        part[i] = arena_strndup(a, id, n);
        id += n;
        if (n == 0 || !part[i])
            return false;
    }
    return *id == '\0';
}

static enum sb_err no_vault(const char *id, struct sb_error *err)
{
    return sb_fail(err, SB_ENOVAULT, "The key vault '%.300s' does not exist.", id);
}

/* How the vault's refusal is told. */
static enum sb_err refused(const struct sb_error *why, struct sb_error *err)
{
    int status = vault_http_status(why->code);
    return sb_fail(err, SB_ENOTFOUND, "Http status code: '%s'. Error message: '%.1000s'.",
                   status == 403   ? "Forbidden"
                   : status == 404 ? "NotFound"
                                   : "ServiceUnavailable",
                   why->detail);
}

enum sb_err deployment_secret(void *cookie, struct sb_arena *a, const char *vault_id, const char *name,
                              const char *version, const char **ret, struct sb_error *err)
{
    struct deployment *d = cookie;
    struct request *r = d->r;
    const char *part[3] = {NULL};
    struct vault v;
    struct vsecret x;
    struct sb_error why = {0};
    bool audited = false;
    if (!split_id(a, vault_id, part) || !engine_subscription_ok(r->e, part[0]) ||
        vault_get(r->e, part[0], part[1], part[2], a, &v, NULL) != SB_OK)
        return no_vault(vault_id, err);
    enum sb_err rc = rbac_require(r->e, &r->who, DEPLOY, vault_id, err);
    if (rc != SB_OK)
        return rc;
    struct vault_caller c = vault_audit_caller(r);
    c.deploying = true;
    c.audited = &audited;
    rc = vsecret_get(r->e, &c, v.name, name, version, a, &x, &why);
    if (rc != SB_OK)
        return refused(&why, err);
    *ret = arena_strndup(a, (const char *)x.value.p, x.value.n);
    return *ret ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}
