/* vault_audit.c: what a vault's audit log says of requests that were refused before an operation began
 * (without a token, with a wrong one, malformed), and of operations on the vault as an ARM resource.
 * Operations on keys and secrets write their events themselves, in server/engine. */
#include "api/vault_audit.h"
#include <stdio.h>
#include <string.h>
#include "api/arm.h"
#include "api/errmap.h"
#include "server/base/text.h"
#include "server/engine/events.h"

struct name {
    const char *route, *audit;
};

/* Routes whose operation has another name in the log. Others are named alike, "Version" at the end aside. */
static const struct name data_names[] = {
    {"KeyVersions", "KeyListVersions"},        {"DeletedKeyList", "KeyListDeleted"},
    {"DeletedKeyGet", "KeyGetDeleted"},        {"DeletedKeyPurge", "KeyPurge"},
    {"DeletedKeyRecover", "KeyRecover"},       {"RandomBytes", "RandomBytesGet"},
    {"SecretVersions", "SecretListVersions"},  {"DeletedSecretList", "SecretListDeleted"},
    {"DeletedSecretGet", "SecretGetDeleted"},  {"DeletedSecretPurge", "SecretPurge"},
    {"DeletedSecretRecover", "SecretRecover"},
};
/* ARM operations that are logged; the names are documented. Which of them a change of access policies is, is
 * not (choice). */
static const struct name arm_names[] = {
    {"ArmVaultGet", "VaultGet"},
    {"ArmVaultPut", "VaultPut"},
    {"ArmVaultPatch", "VaultPatch"},
    {"ArmVaultDelete", "VaultDelete"},
    {"ArmVaultAccessPolicies", "VaultPatch"},
};

/* NULL: not in the table. */
static const char *renamed(const struct name *names, size_t n, const char *op)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i].route, op) == 0)
            return names[i].audit;
    return NULL;
}

static const char *data_name(struct request *r)
{
    static const char suffix[] = "Version";
    const char *op = r->route->op, *other = renamed(data_names, SB_ARRAY_LEN(data_names), op);
    if (other != NULL)
        return other;
    const char *name = text_ends(op, suffix) ? arena_strndup(r->arena, op, strlen(op) - strlen(suffix)) : op;
    return name != NULL ? name : op;
}

struct vault_caller vault_audit_caller(struct request *r)
{
    return (struct vault_caller){.who = r->has_who ? &r->who : NULL,
                                 .ip = r->client_ip,
                                 .request_id = r->request_id,
                                 .base = r->plane == PLANE_VAULT ? request_base(r, HOST_VAULT, r->host_label)
                                                                 : NULL,
                                 .audited = &r->audited};
}

/* An ARM operation. What the gateway refuses never reaches the vault; neither does what names none. */
static void audit_arm(struct request *r, const char *op, const struct errmap_cell *cell, const char *message)
{
    char identity[128];
    if (message != NULL && (cell->inner != NULL || r->reply.status == 404))
        return;
    (void)snprintf(identity, sizeof(identity), "oid=%s;appid=%s", r->who.oid, r->who.appid);
    const char *name = request_param(r, "name");
    const struct st_event ev = {
        .op = op,
        .category = "AuditEvent",
        .resource_id = arm_id(r, request_param(r, "sub"), request_param(r, "group"),
                              "Microsoft.KeyVault/vaults/%s", name),
        .vault = name,
        .activity_id = r->request_id,
        .identity = identity,
        .result = message == NULL ? "Success" : cell->code,
        .message = message,
        .http_status = r->reply.status,
    };
    events_audit(r->e, &ev);
}

void vault_audit(struct request *r, enum sb_err code, const char *message)
{
    const struct errmap_cell *cell = errmap(code, r->plane);
    /* Before there is a route nobody can say which operation was meant. */
    if (r->route == NULL || r->audited)
        return;
    if (r->plane == PLANE_ARM) {
        const char *op = renamed(arm_names, SB_ARRAY_LEN(arm_names), r->route->op);
        if (op != NULL)
            audit_arm(r, op, cell, message);
    } else if (r->plane == PLANE_VAULT && r->host_label != NULL && message != NULL) {
        const struct vault_caller c = vault_audit_caller(r);
        vault_audit_refused(r->e, &c, r->host_label, data_name(r), request_param(r, "name"), r->reply.status,
                            cell->inner != NULL ? cell->inner : cell->code, message);
    }
}
