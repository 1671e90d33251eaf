/*
 * arm_vault.c: Microsoft.KeyVault/vaults on the ARM plane: vaults, access policies, deleted vaults, name
 * check.
 */
#include <inttypes.h>
#include "api/arm.h"
#include "api/arm_vault_body.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/directory_user.h"

#define BODY_MAX        (2u << 20) /* 1,024 access policies */
#define SERVICE_VERSION "1.5.969.1"

static const char *vault_id(struct request *r)
{
    return arm_id(r, request_param(r, "sub"), request_param(r, "group"), "Microsoft.KeyVault/vaults/%s",
                  request_param(r, "name"));
}

/* May the caller do this with the vault of the path, and is its group there? */
static enum sb_err require(struct request *r, const char *action, struct sb_error *err)
{
    enum sb_err rc;
    reply_header(r, "x-ms-keyvault-service-version", SERVICE_VERSION);
    SB_TRY(arm_require(r, action, vault_id(r), err));
    SB_TRY(arm_require_group(r, NULL, err));
out:
    return rc;
}

/* The same for something of the subscription. */
static enum sb_err require_sub(struct request *r, const char *action, struct sb_error *err)
{
    enum sb_err rc;
    reply_header(r, "x-ms-keyvault-service-version", SERVICE_VERSION);
    SB_TRY(arm_require(r, action, arm_id(r, request_param(r, "sub"), NULL, NULL), err));
    SB_TRY(arm_require_sub(r, err));
out:
    return rc;
}

static enum sb_err answer_vault(struct request *r, const struct vault *v)
{
    struct jw w = reply_json(r, 200);
    arm_vault_write(r, &w, v);
    return SB_OK;
}

/* ---- one vault ---- */

static enum sb_err write_vault(struct request *r, bool patch, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    bool created = false;
    struct vault_spec s = vault_spec(request_param(r, "sub"), request_param(r, "group"),
                                     request_param(r, "name"), directory_caller(r->e, &r->who, r->arena));
    s.who = &r->who;
    SB_TRY(require(r, "Microsoft.KeyVault/vaults/write", err));
    SB_TRY(arm_vault_read(r, r->json, &s, err));
    SB_TRY(patch ? vault_patch(r->e, &s, r->arena, &v, err)
                 : vault_put(r->e, &s, r->arena, &v, &created, err));
    rc = answer_vault(r, &v); /* 200 for a new one, too (recorded) */
out:
    return rc;
}

static enum sb_err vault_put_handler(struct request *r, struct sb_error *err)
{
    return write_vault(r, false, err);
}

static enum sb_err vault_patch_handler(struct request *r, struct sb_error *err)
{
    return write_vault(r, true, err);
}

static enum sb_err vault_get_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require(r, "Microsoft.KeyVault/vaults/read", err));
    SB_TRY(vault_get(r->e, request_param(r, "sub"), request_param(r, "group"), request_param(r, "name"),
                     r->arena, &v, err));
    rc = answer_vault(r, &v);
out:
    return rc;
}

static enum sb_err vault_delete_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    bool existed = false;
    SB_TRY(require(r, "Microsoft.KeyVault/vaults/delete", err));
    SB_TRY(vault_delete(r->e, request_param(r, "sub"), request_param(r, "group"), request_param(r, "name"),
                        &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

/* ---- access policies ---- */

static enum sb_err policies_handler(struct request *r, struct sb_error *err)
{
    static const char *const modes[] = {
        [VAULT_POLICY_ADD] = "add", [VAULT_POLICY_REPLACE] = "replace", [VAULT_POLICY_REMOVE] = "remove"};
    enum sb_err rc;
    const char *kind = request_param(r, "mode");
    const struct json *properties = NULL, *list = NULL;
    struct vault_policy *p = NULL;
    struct vault v;
    size_t n = 0, mode = 0;
    SB_TRY(require(r, "Microsoft.KeyVault/vaults/accessPolicies/write", err));
    while (mode < SB_ARRAY_LEN(modes) && !text_ieq(modes[mode], kind))
        mode++;
    if (mode == SB_ARRAY_LEN(modes))
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'operationKind'.");
    SB_TRY(json_opt_obj(r->json, "", "properties", &properties, err));
    SB_TRY(json_opt_arr(properties, "properties", "accessPolicies", &list, err));
    if (!list)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'accessPolicies'.");
    SB_TRY(arm_vault_policies_read(r, list, &p, &n, err));
    SB_TRY(vault_policies(r->e, request_param(r, "sub"), request_param(r, "group"), request_param(r, "name"),
                          directory_caller(r->e, &r->who, r->arena), (enum vault_policy_mode)mode, p, n,
                          r->arena, &v, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_strf(&w, "id", "%s/accessPolicies/", vault_id(r));
    jw_str(&w, "type", "Microsoft.KeyVault/vaults/accessPolicies");
    jw_obj(&w, "properties");
    arm_vault_policies_write(&w, &v);
    jw_end_obj(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- lists ---- */

#define PAGE_MARK "EMU|"

/* $top and $skiptoken (an offset, as base64url text). *ret_top SIZE_MAX: everything. */
static enum sb_err read_page(struct request *r, size_t *ret_skip, size_t *ret_top, struct sb_error *err)
{
    const char *top = request_query(r, "$top"), *token = request_query(r, "$skiptoken");
    int64_t v = 0;
    size_t n = 0;
    *ret_skip = 0;
    *ret_top = SIZE_MAX;
    if (top) {
        if (!text_to_i64(top, 1, INT32_MAX, &v))
            return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for '$top'.");
        *ret_top = (size_t)v;
    }
    if (token) {
        const char *text = (const char *)b64url_decode(r->arena, token, strlen(token), &n);
        text = text ? arena_strndup(r->arena, text, n) : NULL;
        if (!text || !text_starts(text, PAGE_MARK) ||
            !text_to_i64(text + strlen(PAGE_MARK), 0, INT32_MAX, &v))
            return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for '$skiptoken'.");
        *ret_skip = (size_t)v;
    }
    return SB_OK;
}

static void write_next(struct request *r, struct jw *w, size_t next)
{
    const char *mark = arena_printf(r->arena, PAGE_MARK "%zu", next);
    const char *token = mark ? b64url_str(r->arena, mark, strlen(mark)) : NULL;
    if (token)
        jw_strf(w, "nextLink", "%s%s?api-version=%s&$top=%s&$skiptoken=%s", request_base(r, HOST_ARM, NULL),
                r->path, r->api_version, request_query(r, "$top"), token);
}

/* {"value":[…]} of one page. */
static enum sb_err answer_list(struct request *r, const struct vault *v, size_t n,
                               void (*write)(struct request *r, struct jw *w, const struct vault *v),
                               struct sb_error *err)
{
    enum sb_err rc;
    size_t skip, top;
    SB_TRY(read_page(r, &skip, &top, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    size_t i = skip;
    for (; i < n && i - skip < top; i++)
        write(r, &w, &v[i]);
    jw_end_arr(&w);
    if (i < n)
        write_next(r, &w, i);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err list_group(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault *v = NULL;
    size_t n = 0;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group");
    SB_TRY(arm_require(r, "Microsoft.KeyVault/vaults/read", arm_id(r, sub, group, NULL), err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(vault_list(r->e, sub, group, r->arena, &v, &n, err));
    rc = answer_list(r, v, n, arm_vault_write, err);
out:
    return rc;
}

static enum sb_err list_sub(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault *v = NULL;
    size_t n = 0;
    SB_TRY(require_sub(r, "Microsoft.KeyVault/vaults/read", err));
    SB_TRY(vault_list(r->e, request_param(r, "sub"), NULL, r->arena, &v, &n, err));
    rc = answer_list(r, v, n, arm_vault_write, err);
out:
    return rc;
}

/* Managed HSMs are not emulated, so there are none, deleted or not: az asks for them beside the vaults. */
static enum sb_err list_hsms(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group");
    SB_TRY(arm_require(r, "Microsoft.KeyVault/managedHSMs/read", arm_id(r, sub, group, NULL), err));
    if (group)
        SB_TRY(arm_require_group(r, NULL, err));
    else
        SB_TRY(arm_require_sub(r, err));
    rc = answer_list(r, NULL, 0, arm_vault_write, err);
out:
    return rc;
}

/* ---- deleted vaults ---- */

static enum sb_err deleted_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault *v = NULL;
    size_t n = 0;
    SB_TRY(require_sub(r, "Microsoft.KeyVault/deletedVaults/read", err));
    SB_TRY(vault_deleted_list(r->e, request_param(r, "sub"), r->arena, &v, &n, err));
    rc = answer_list(r, v, n, arm_vault_deleted_write, err);
out:
    return rc;
}

/* The location of the path as it is stored: "West US" is westus. */
static const char *path_location(struct request *r)
{
    char *name = arena_strdup(r->arena, request_param(r, "location")), *to = name;
    for (const char *p = name; p != NULL && *p != '\0'; p++)
        if (*p != ' ')
            *to++ = *p;
    if (to != NULL)
        *to = '\0';
    return name != NULL ? name : "";
}

static enum sb_err deleted_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require_sub(r, "Microsoft.KeyVault/locations/deletedVaults/read", err));
    SB_TRY(vault_deleted_get(r->e, request_param(r, "sub"), path_location(r), request_param(r, "name"),
                             r->arena, &v, err));
    struct jw w = reply_json(r, 200);
    arm_vault_deleted_write(r, &w, &v);
out:
    return rc;
}

/* An operation's id holds when it began, in the service's form (recorded): base64url of "UT|0<19 digits of
 * ticks>|<hex>". */
#define OPERATION_MARK "UT|"
#define TICKS_PER_MS   10000

static enum sb_err purge_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    char hex[33];
    const char *sub = request_param(r, "sub"), *location = path_location(r);
    SB_TRY(require_sub(r, "Microsoft.KeyVault/locations/deletedVaults/purge/action", err));
    SB_TRY(vault_purge(r->e, sub, location, request_param(r, "name"), err));
    rng_hex32(hex);
    const char *mark = arena_printf(r->arena, OPERATION_MARK "%019" PRId64 "|%s", time_ticks(r->now), hex);
    const char *id = mark ? b64url_str(r->arena, mark, strlen(mark)) : NULL;
    if (!id)
        return sb_fail(err, SB_ENOMEM, "out of memory for an operation's id");
    reply_empty(r, 202);
    reply_headerf(
        r, "Location",
        "%s/subscriptions/%s/providers/Microsoft.KeyVault/locations/%s/operationResults/%s?api-version=%s",
        request_base(r, HOST_ARM, NULL), sub, location, id, r->api_version);
    reply_header(r, "Retry-After", "1");
out:
    return rc;
}

/* "2023-11-06 12:47:03Z" */
static void write_moment(struct jw *w, const char *key, int64_t ms)
{
    char when[TIME_TEXT_MAX];
    time_plain(ms, when);
    char *t = strchr(when, 'T');
    if (t)
        *t = ' ';
    jw_strf(w, key, "%sZ", when);
}

/* A purge is over when it was accepted, so every operation has succeeded. */
static enum sb_err operation_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    size_t n = 0;
    int64_t ticks = 0;
    const char *id = request_param(r, "id");
    SB_TRY(require_sub(r, "Microsoft.KeyVault/locations/operationResults/read", err));
    const char *text = (const char *)b64url_decode(r->arena, id, strlen(id), &n);
    const char *digits = text && n > 22 ? arena_strndup(r->arena, text + strlen(OPERATION_MARK), 19) : NULL;
    if (!digits || !text_starts(text, OPERATION_MARK) ||
        !text_to_i64(digits, time_ticks(0), INT64_MAX, &ticks))
        return sb_fail(err, SB_ENOTFOUND, "The operation result '%.128s' was not found.", id);
    int64_t began = (ticks - time_ticks(0)) / TICKS_PER_MS;
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    write_moment(&w, "createdDateTime", began);
    write_moment(&w, "lastActionDateTime", began);
    jw_str(&w, "status", "Succeeded");
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- name check ---- */

static enum sb_err name_handler(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *name = NULL, *type = NULL;
    struct sb_error why = {0};
    SB_TRY(require_sub(r, "Microsoft.KeyVault/checkNameAvailability/read", err));
    SB_TRY(json_opt_str(r->json, "", "name", &name, err));
    SB_TRY(json_opt_str(r->json, "", "type", &type, err));
    if (!name || !type || !text_ieq(type, "Microsoft.KeyVault/vaults"))
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for '%s'.",
                       name ? "type" : "name");
    rc = vault_name_check(r->e, name, &why);
    if (rc != SB_OK && rc != SB_EVAULTNAME && rc != SB_EVAULTEXISTS)
        return sb_fail(err, rc, "%s", why.detail);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_bool(&w, "nameAvailable", rc == SB_OK);
    if (rc != SB_OK) {
        jw_str(&w, "reason", rc == SB_EVAULTNAME ? "AccountNameInvalid" : "AlreadyExists");
        jw_str(&w, "message", why.detail);
    }
    jw_end_obj(&w);
    rc = SB_OK;
out:
    return rc;
}

#define SUB   "/subscriptions/{sub}/providers/Microsoft.KeyVault"
#define GROUP "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults"
#define HSMS  "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.KeyVault/managedHSMs"
#define READ  (R_AUTH | R_APIVER)
#define WRITE (R_AUTH | R_APIVER | R_JSON)
#define SMALL 65536u

static const struct route rows[] = {
    {"PUT", PLANE_ARM, GROUP "/{name}", WRITE, BODY_MAX, vault_put_handler, "ArmVaultPut"},
    {"PATCH", PLANE_ARM, GROUP "/{name}", WRITE, BODY_MAX, vault_patch_handler, "ArmVaultPatch"},
    {"GET", PLANE_ARM, GROUP "/{name}", READ, SMALL, vault_get_handler, "ArmVaultGet"},
    {"DELETE", PLANE_ARM, GROUP "/{name}", READ, SMALL, vault_delete_handler, "ArmVaultDelete"},
    {"PUT", PLANE_ARM, GROUP "/{name}/accessPolicies/{mode}", WRITE, BODY_MAX, policies_handler,
     "ArmVaultAccessPolicies"},
    {"GET", PLANE_ARM, GROUP, READ, SMALL, list_group, "ArmVaultListByGroup"},
    {"GET", PLANE_ARM, SUB "/vaults", READ, SMALL, list_sub, "ArmVaultList"},
    {"GET", PLANE_ARM, SUB "/deletedVaults", READ, SMALL, deleted_list, "ArmDeletedVaultList"},
    {"GET", PLANE_ARM, SUB "/locations/{location}/deletedVaults/{name}", READ, SMALL, deleted_get,
     "ArmDeletedVaultGet"},
    {"POST", PLANE_ARM, SUB "/locations/{location}/deletedVaults/{name}/purge", READ, SMALL, purge_handler,
     "ArmDeletedVaultPurge"},
    {"GET", PLANE_ARM, SUB "/locations/{location}/operationResults/{id}", READ, SMALL, operation_handler,
     "ArmVaultOperationResult"},
    {"GET", PLANE_ARM, HSMS, READ, SMALL, list_hsms, "ArmHsmListByGroup"},
    {"GET", PLANE_ARM, SUB "/managedHSMs", READ, SMALL, list_hsms, "ArmHsmList"},
    {"GET", PLANE_ARM, SUB "/deletedManagedHSMs", READ, SMALL, list_hsms, "ArmDeletedHsmList"},
    {"POST", PLANE_ARM, SUB "/checkNameAvailability", WRITE, SMALL, name_handler, "ArmVaultNameCheck"},
};

const struct route_table routes_arm_vault = {rows, SB_ARRAY_LEN(rows)};
