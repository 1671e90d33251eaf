/*
 * vault_policy.c: who may do what on a vault's data plane: the table of operations, the firewall, access
 * policies or role assignments, and the frame around each call with its fault and its audit event. Requests
 * that no operation was begun for are audited too, as documented ("unauthenticated requests that result in a
 * 401").
 *
 * Messages are the service's own words (recorded).
 */
#include <arpa/inet.h>
#include "server/base/text.h"
#include "server/engine/events.h"
#include "server/engine/faults.h"
#include "server/engine/rbac.h"
#include "server/engine/vault_private.h"

#define KEYS     "Microsoft.KeyVault/vaults/keys/"
#define POLICIES "Microsoft.KeyVault/vaults/keyrotationpolicies/"
#define SECRETS  "Microsoft.KeyVault/vaults/secrets/"

/* An operation is a row. */
static const struct vault_op ops[VOP_MAX] = {
    [VOP_CREATE] = {"KeyCreate", VFAM_KEYS, VPERM_CREATE, "create", KEYS "create/action", false},
    [VOP_IMPORT] = {"KeyImport", VFAM_KEYS, VPERM_IMPORT, "import", KEYS "import/action", false},
    [VOP_GET] = {"KeyGet", VFAM_KEYS, VPERM_GET, "get", KEYS "read", false},
    [VOP_LIST] = {"KeyList", VFAM_KEYS, VPERM_LIST, "list", KEYS "read", false},
    [VOP_VERSIONS] = {"KeyListVersions", VFAM_KEYS, VPERM_LIST, "list", KEYS "read", false},
    [VOP_UPDATE] = {"KeyUpdate", VFAM_KEYS, VPERM_UPDATE, "update", KEYS "update/action", false},
    [VOP_DELETE] = {"KeyDelete", VFAM_KEYS, VPERM_DELETE, "delete", KEYS "delete", false},
    [VOP_DELETED_GET] = {"KeyGetDeleted", VFAM_KEYS, VPERM_GET, "get", KEYS "read", false},
    [VOP_DELETED_LIST] = {"KeyListDeleted", VFAM_KEYS, VPERM_LIST, "list", KEYS "read", false},
    [VOP_RECOVER] = {"KeyRecover", VFAM_KEYS, VPERM_RECOVER, "recover", KEYS "recover/action", false},
    [VOP_PURGE] = {"KeyPurge", VFAM_KEYS, VPERM_PURGE, "purge", KEYS "purge/action", false},
    [VOP_ROTATE] = {"KeyRotate", VFAM_KEYS, VPERM_ROTATE, "rotate", KEYS "rotate/action", false},
    [VOP_ENCRYPT] = {"KeyEncrypt", VFAM_KEYS, VPERM_ENCRYPT, "encrypt", KEYS "encrypt/action", true},
    [VOP_DECRYPT] = {"KeyDecrypt", VFAM_KEYS, VPERM_DECRYPT, "decrypt", KEYS "decrypt/action", false},
    [VOP_WRAP] = {"KeyWrap", VFAM_KEYS, VPERM_WRAP, "wrapKey", KEYS "wrap/action", true},
    [VOP_UNWRAP] = {"KeyUnwrap", VFAM_KEYS, VPERM_UNWRAP, "unwrapKey", KEYS "unwrap/action", false},
    [VOP_SIGN] = {"KeySign", VFAM_KEYS, VPERM_SIGN, "sign", KEYS "sign/action", true},
    [VOP_VERIFY] = {"KeyVerify", VFAM_KEYS, VPERM_VERIFY, "verify", KEYS "verify/action", false},
    [VOP_RELEASE] = {"KeyRelease", VFAM_KEYS, VPERM_RELEASE, "release", KEYS "release/action", false},
    [VOP_BACKUP] = {"KeyBackup", VFAM_KEYS, VPERM_BACKUP, "backup", KEYS "backup/action", false},
    [VOP_RESTORE] = {"KeyRestore", VFAM_KEYS, VPERM_RESTORE, "restore", KEYS "restore/action", false},
    [VOP_GET_POLICY] = {"KeyRotationPolicyGet", VFAM_KEYS, VPERM_GETPOLICY, "getrotationpolicy",
                        POLICIES "read", false},
    [VOP_SET_POLICY] = {"KeyRotationPolicySet", VFAM_KEYS, VPERM_SETPOLICY, "setrotationpolicy",
                        POLICIES "write", false},
    /* (choice) Random bytes belong to managed HSMs; here whoever may read keys may have some. */
    [VOP_RANDOM] = {"RandomBytesGet", VFAM_KEYS, VPERM_GET, "get", KEYS "read", false},
    [VOP_SECRET_SET] = {"SecretSet", VFAM_SECRETS, VSECRET_SET, "set", SECRETS "setSecret/action", false},
    [VOP_SECRET_GET] = {"SecretGet", VFAM_SECRETS, VSECRET_GET, "get", SECRETS "getSecret/action", false},
    [VOP_SECRET_LIST] = {"SecretList", VFAM_SECRETS, VSECRET_LIST, "list", SECRETS "readMetadata/action",
                         false},
    [VOP_SECRET_VERSIONS] = {"SecretListVersions", VFAM_SECRETS, VSECRET_LIST, "list",
                             SECRETS "readMetadata/action", false},
    [VOP_SECRET_UPDATE] = {"SecretUpdate", VFAM_SECRETS, VSECRET_SET, "set", SECRETS "update/action", false},
    [VOP_SECRET_DELETE] = {"SecretDelete", VFAM_SECRETS, VSECRET_DELETE, "delete", SECRETS "delete", false},
    [VOP_SECRET_DELETED_GET] = {"SecretGetDeleted", VFAM_SECRETS, VSECRET_GET, "get",
                                SECRETS "readMetadata/action", false},
    [VOP_SECRET_DELETED_LIST] = {"SecretListDeleted", VFAM_SECRETS, VSECRET_LIST, "list",
                                 SECRETS "readMetadata/action", false},
    [VOP_SECRET_RECOVER] = {"SecretRecover", VFAM_SECRETS, VSECRET_RECOVER, "recover",
                            SECRETS "recover/action", false},
    [VOP_SECRET_PURGE] = {"SecretPurge", VFAM_SECRETS, VSECRET_PURGE, "purge", SECRETS "purge/action", false},
    [VOP_SECRET_BACKUP] = {"SecretBackup", VFAM_SECRETS, VSECRET_BACKUP, "backup", SECRETS "backup/action",
                           false},
    [VOP_SECRET_RESTORE] = {"SecretRestore", VFAM_SECRETS, VSECRET_RESTORE, "restore",
                            SECRETS "restore/action", false},
};

const struct vault_op *vault_op(enum vault_op_id id)
{
    return &ops[id];
}

enum vault_op_id vault_op_of(enum vperm perm)
{
    enum vault_op_id id = VOP_ENCRYPT;
    while (id <= VOP_VERIFY && ops[id].perm != (uint32_t)perm)
        id++;
    return id <= VOP_VERIFY ? id : VOP_MAX;
}

/* ---- what an error is as an HTTP answer of the vault ---- */

static const struct {
    enum sb_err code;
    int status;
    const char *result;
} answers[] = {
    {SB_OK, 200, "Success"},
    {SB_EBADPARAM, 400, "BadParameter"},
    {SB_ETAMPER, 400, "BadParameter"},
    {SB_EBADBACKUP, 400, "Malformed backup blob"},
    {SB_EISSUER, 401, "Unauthorized"},
    {SB_EPOLICY, 403, "ForbiddenByPolicy"},
    {SB_ERBAC, 403, "ForbiddenByRbac"},
    {SB_EFIREWALL, 403, "ForbiddenByFirewall"},
    {SB_EPURGEPROTECTED, 403, "Forbidden"},
    {SB_EKEYDISABLED, 403, "KeyDisabled"},
    {SB_EKEYEXPIRED, 403, "KeyExpired"},
    {SB_EKEYNOTYET, 403, "KeyNotYetValid"},
    {SB_EKEYOP, 403, "KeyOperationForbidden"},
    {SB_ESECRETDISABLED, 403, "SecretDisabled"},
    {SB_EKEYNOTFOUND, 404, "KeyNotFound"},
    {SB_ESECRETNOTFOUND, 404, "SecretNotFound"},
    {SB_ENOVAULT, 404, "VaultNotFound"},
    {SB_EKEYLIVE, 405, "MethodNotAllowed"},
    {SB_EKEYDELETED, 409, "ObjectIsDeletedButRecoverable"},
    {SB_ECONFLICT, 409, "Conflict"},
    {SB_ETHROTTLED, 429, "Throttled"},
    {SB_EUNAVAILABLE, 503, "ServiceUnavailable"},
    {SB_EUNREACHABLE, 503, "ServiceUnavailable"},
};

static size_t answer_of(enum sb_err code)
{
    size_t i = 0;
    while (i < SB_ARRAY_LEN(answers) && answers[i].code != code)
        i++;
    return i;
}

int vault_http_status(enum sb_err code)
{
    size_t i = answer_of(code);
    return i < SB_ARRAY_LEN(answers) ? answers[i].status : 500;
}

/* ---- firewall ---- */

static bool same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        if (((a[i / 8] ^ b[i / 8]) >> (7 - i % 8)) & 1)
            return false;
    return true;
}

/* Address as 16 bytes, IPv4 mapped into ::ffff:0:0/96; *ret_v4 tells. */
static bool parse_ip(const char *s, uint8_t ret[16], bool *ret_v4)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    memcpy(ret, mapped, sizeof(mapped));
    *ret_v4 = inet_pton(AF_INET, s, ret + 12) == 1;
    if (*ret_v4 || inet_pton(AF_INET6, s, ret) == 1) {
        *ret_v4 = *ret_v4 || same_prefix(ret, mapped, 96);
        return true;
    }
    return false;
}

/* "1.2.3.4" or "1.2.3.0/24", IPv6 alike; n characters of s. *ret_bits counts from the mapped address' start.
 */
static bool parse_rule(const char *s, size_t n, uint8_t ret[16], unsigned *ret_bits)
{
    char text[64];
    bool v4;
    int64_t bits = -1;
    if (!text_copyn(text, sizeof(text), s, n))
        return false;
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (!text_to_i64(slash + 1, 0, 128, &bits))
            return false;
    }
    if (!parse_ip(text, ret, &v4) || (v4 && bits > 32))
        return false;
    *ret_bits = bits < 0 ? 128 : (unsigned)bits + (v4 ? 96 : 0);
    return true;
}

bool vault_ip_rule_ok(const char *rule)
{
    uint8_t ip[16];
    unsigned bits;
    return parse_rule(rule, strlen(rule), ip, &bits);
}

static bool ip_allowed(const struct vault *v, const char *ip)
{
    uint8_t client[16], rule[16];
    unsigned bits;
    bool v4;
    if (ip == NULL || !parse_ip(ip, client, &v4))
        return false;
    for (const char *p = v->acl_ips; *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (parse_rule(p, n, rule, &bits) && same_prefix(client, rule, bits))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* "appid=A;oid=O;iss=https://sts.windows.net/T/" and, of a managed identity, its resource. */
static void caller_text(const struct principal *p, char *dst, size_t cap)
{
    (void)snprintf(dst, cap, "appid=%s;oid=%s;iss=https://sts.windows.net/%s/%s%s", p->appid, p->oid, p->tid,
                   p->resource_id[0] != '\0' ? ";xms_mirid=" : "", p->resource_id);
}

#define CALLER_MAX 640

static enum sb_err check_firewall(const struct vault_caller *c, const struct vault *v, struct sb_error *err)
{
    char caller[CALLER_MAX];
    if (v->public_access && !v->acl_deny)
        return SB_OK;
    if (c->arm || ((c->service || c->deploying) && v->acl_bypass_azure))
        return SB_OK;
    caller_text(c->who, caller, sizeof(caller));
    if (!v->public_access)
        return sb_fail(
            err, SB_EFIREWALL,
            "Public network access is disabled and request is not from a trusted service nor via an approved "
            "private link.\r\nCaller: %s\r\nVault: %s;location=%s",
            caller, v->name, v->location);
    if (!c->service && ip_allowed(v, c->ip))
        return SB_OK;
    return sb_fail(err, SB_EFIREWALL,
                   "Client address is not authorized and caller is not a trusted service.\r\nClient address: "
                   "%s\r\nCaller: "
                   "%s\r\nVault: %s;location=%s",
                   c->ip != NULL ? c->ip : "", caller, v->name, v->location);
}

/* ---- permission ---- */

void vault_scope(const struct vault *v, char *dst, size_t cap)
{
    (void)snprintf(dst, cap, "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.KeyVault/vaults/%s",
                   v->sub, v->group, v->name);
}

/* An entry for an application acts only when that application signed in for the principal. */
static bool policy_allows(const struct vault *v, const struct principal *p, const struct vault_op *op)
{
    for (size_t i = 0; i < v->policies_n; i++) {
        const struct vault_policy *x = &v->policies[i];
        uint32_t granted = op->family == VFAM_SECRETS ? x->secrets : x->keys;
        if ((granted & op->perm) != 0 && text_ieq(x->oid, p->oid) && text_ieq(x->tenant, p->tid) &&
            (x->appid == NULL || text_ieq(x->appid, p->appid)))
            return true;
    }
    return false;
}

static enum sb_err check_policy(const struct vault *v, const struct principal *p, const struct vault_op *op,
                                struct sb_error *err)
{
    char caller[CALLER_MAX];
    if (policy_allows(v, p, op))
        return SB_OK;
    caller_text(p, caller, sizeof(caller));
    return sb_fail(err, SB_EPOLICY,
                   "The user, group or application '%s' does not have %s %s permission on key vault "
                   "'%s;location=%s'. For "
                   "help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                   caller, vault_family_name(op->family), op->verb, v->name, v->location);
}

/* arm: in the words that Azure Resource Manager hands on (reported by users). */
static enum sb_err check_role(struct engine *e, const struct vault *v, const struct principal *p, bool arm,
                              const struct vault_op *op, const char *key, struct sb_error *err)
{
    char caller[CALLER_MAX], scope[VAULT_SCOPE_MAX + VKEY_NAME_MAX + 16];
    vault_scope(v, scope, VAULT_SCOPE_MAX);
    if (key != NULL) {
        size_t n = strlen(scope);
        (void)snprintf(scope + n, sizeof(scope) - n, "/%s/%s", vault_family_name(op->family), key);
    }
    if (rbac_may(e, p, op->action, true, scope))
        return SB_OK;
    caller_text(p, caller, sizeof(caller));
    return sb_fail(
        err, SB_ERBAC,
        "%sCaller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments "
        "or "
        "role "
        "definitions were changed recently, please observe propagation time.\r\nCaller: %s%s\r\nAction: "
        "'%s'\r\nResource: '%s'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null "
        "\r\nVault: %s;location=%s\r\n",
        arm ? "[ForbiddenByRbac (Forbidden)] " : "", arm ? "name=KeyVault/ManagementPlane;" : "", caller,
        op->action, text_tolower(scope), v->name, v->location);
}

static enum sb_err check_deployment(const struct vault *v, struct sb_error *err)
{
    if (v->for_template == 1)
        return SB_OK;
    return sb_fail(err, SB_EPOLICY,
                   "Access denied: the key vault '%s' is not enabled for template deployment "
                   "(enabledForTemplateDeployment).",
                   v->name);
}

/* A vault trusts the tokens of its own tenant; for the service, one that moved away is not there. */
static enum sb_err check_tenant(const struct vault_caller *c, const struct vault *v, struct sb_error *err)
{
    if (text_ieq(v->tenant, c->who->tid))
        return SB_OK;
    if (c->service)
        return sb_fail(err, SB_ENOVAULT, "The key vault '%s' belongs to another tenant (%s).", v->name,
                       v->tenant);
    return sb_fail(err, SB_EISSUER,
                   "AKV10032: Invalid issuer. Expected one of https://sts.windows.net/%s/, found "
                   "https://sts.windows.net/%s/.",
                   v->tenant, c->who->tid);
}

enum sb_err vault_authorize(struct engine *e, const struct vault_caller *c, const struct vault *v,
                            const struct vault_op *op, const char *key, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(check_tenant(c, v, err));
    SB_TRY(check_firewall(c, v, err));
    if (c->deploying)
        rc = check_deployment(v, err);
    else if (v->rbac == 1)
        rc = check_role(e, v, c->who, c->arm, op, key, err);
    else if (!c->arm)
        rc = check_policy(v, c->who, op, err);
out:
    return rc;
}

/* ---- faults ---- */

static enum sb_err check_fault(struct vault_call *k, struct sb_error *err)
{
    int status = 0;
    const struct vault *v = &k->v->v;
    enum fault_kind kind = faults_hit(k->e, v->name, !k->c->service, &status);
    switch (kind) {
    case FAULT_NONE: return SB_OK;
    case FAULT_THROTTLE:
        return sb_fail(err, SB_ETHROTTLED,
                       "Request was not processed because too many requests were received.");
    case FAULT_UNREACHABLE:
    case FAULT_TIMEOUT:
        k->unheard = true;
        if (k->c->service)
            return sb_fail(err, SB_EUNREACHABLE, "The key vault '%s' %s.", v->name,
                           kind == FAULT_TIMEOUT ? "did not answer in time" : "cannot be reached");
        return sb_fail(err, SB_EUNAVAILABLE, "The key vault '%s' is not available.", v->name);
    case FAULT_ERROR: break;
    }
    if (status == 429)
        return sb_fail(err, SB_ETHROTTLED,
                       "Request was not processed because too many requests were received.");
    enum sb_err rc =
        sb_fail(err, SB_EUNAVAILABLE, "The key vault '%s' answered with status %d.", v->name, status);
    k->status = status;
    if (err != NULL)
        err->status = status;
    return rc;
}

/* ---- the frame around a call ---- */

/* ^[0-9a-zA-Z-]{1,127}$ (documented) */
static bool name_ok(const char *s)
{
    size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
    return n >= 1 && n <= VKEY_NAME_MAX && s[n] == '\0';
}

enum sb_err vault_call_begin(struct vault_call *k, struct engine *e, const struct vault_caller *c,
                             enum vault_op_id op, const char *vault, const char *key, struct sb_error *err)
{
    enum sb_err rc;
    *k = (struct vault_call){.e = e, .c = c, .op = vault_op(op), .key = key, .err = err};
    SB_TRY(vault_find(e, vault, &k->v, err));
    if (key != NULL && !name_ok(key)) {
        k->key = NULL;
        return sb_fail(err, SB_EBADPARAM, "The request URI contains an invalid name: %.200s", key);
    }
    SB_TRY(check_fault(k, err));
    SB_TRY(vault_authorize(e, c, &k->v->v, k->op, key, err));
out:
    return rc;
}

void vault_call_version(struct vault_call *k, const char *version)
{
    (void)text_copy(k->version, sizeof(k->version), version);
}

/* ---- the audit log ---- */

/* ev: what tells this call from others. Who called, where and why stand in c and v. */
static void audit(struct engine *e, const struct vault_caller *c, const struct vault *v, struct st_event *ev)
{
    char scope[VAULT_SCOPE_MAX], identity[128];
    vault_scope(v, scope, sizeof(scope));
    if (c->who != NULL) {
        (void)snprintf(identity, sizeof(identity), "oid=%s;appid=%s", c->who->oid, c->who->appid);
        ev->identity = identity;
    }
    ev->category = "AuditEvent";
    ev->resource_id = scope;
    ev->vault = v->name;
    ev->activity_id = c->request_id;
    events_audit(e, ev);
    if (c->audited != NULL)
        *c->audited = true;
}

static void audit_call(const struct vault_call *k, enum sb_err rc)
{
    char object[VKEY_NAME_MAX + 16];
    size_t i = answer_of(rc);
    bool told = rc != SB_OK && k->err != NULL && k->err->code == rc && k->err->detail[0] != '\0';
    struct st_event ev = {
        .op = k->op->audit,
        .key = k->key,
        .version = k->version[0] != '\0' ? k->version : NULL,
        .result = i < SB_ARRAY_LEN(answers) ? answers[i].result : "InternalServerError",
        .http_status = k->status != 0 ? k->status : vault_http_status(rc),
        .message = rc == SB_OK ? NULL
                   : told      ? k->err->detail
                               : sb_err_text(rc),
    };
    if (k->key != NULL && k->op->family != VFAM_KEYS) {
        (void)snprintf(object, sizeof(object), "%s/%s", vault_family_name(k->op->family), k->key);
        ev.key = object;
    }
    audit(k->e, k->c, &k->v->v, &ev);
}

enum sb_err vault_call_end(struct vault_call *k, enum sb_err rc)
{
    if (k->v != NULL && !k->unheard)
        audit_call(k, rc);
    else if (k->unheard && k->c->audited != NULL)
        *k->c->audited = true; /* nobody else is to write one either */
    vault_snap_unref(k->v);
    k->v = NULL;
    return rc;
}

void vault_audit_own(struct engine *e, const struct vault *v, const char *op, const char *key,
                     const char *version)
{
    const struct vault_caller nobody = {0};
    struct st_event ev = {.op = op,
                          .key = key,
                          .version = version,
                          .result = answers[0].result,
                          .http_status = answers[0].status};
    audit(e, &nobody, v, &ev);
}

void vault_audit_refused(struct engine *e, const struct vault_caller *c, const char *vault, const char *op,
                         const char *key, int status, const char *result, const char *message)
{
    struct vault_snap *v = NULL;
    if (key != NULL && !name_ok(key))
        key = NULL;
    struct st_event ev = {.op = op, .key = key, .result = result, .message = message, .http_status = status};
    if (vault_find(e, vault, &v, NULL) == SB_OK)
        audit(e, c, &v->v, &ev);
    vault_snap_unref(v);
}

/* ---- state of a version ---- */

/* Is name one of a comma-separated list? */
static bool listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = list; *p != '\0';) {
        size_t m = strcspn(p, ",");
        if (m == n && strncmp(p, name, n) == 0)
            return true;
        p += m + (p[m] == ',');
    }
    return false;
}

enum sb_err vkey_allowed(const struct vault_op *op, const struct vkey *k, int64_t now_s, struct sb_error *err)
{
    if (!k->enabled)
        return sb_fail(err, SB_EKEYDISABLED, "Operation %s is not allowed on a disabled key.", op->verb);
    /* Documented: decrypt, unwrap and verify work outside the dates. */
    if (op->dated && k->exp >= 0 && now_s >= k->exp)
        return sb_fail(err, SB_EKEYEXPIRED, "Operation %s is not allowed on an expired key.", op->verb);
    if (op->dated && now_s < k->nbf)
        return sb_fail(err, SB_EKEYNOTYET, "Operation %s is not allowed on a key that is not yet valid.",
                       op->verb);
    if (!listed(k->key_ops, op->verb))
        return sb_fail(err, SB_EKEYOP, "Operation %s is not permitted on this key.", op->verb);
    return SB_OK;
}
