/*
 * arm_vault_key.c: keys and secrets of a vault as ARM resources (Microsoft.KeyVault/vaults/keys and
 * /secrets).
 *
 * The key is the same one as on the vault's data plane. As recorded, a PUT makes it when it is not there and
 * otherwise answers with what is; a vault with access policies asks the ARM action alone, one with role
 * assignments asks the data action too (reported by users). As documented, the vault's firewall does not
 * stand in the way. A secret is set anew by each PUT; as documented its value is never shown here.
 */
#include <string.h>
#include "api/arm.h"
#include "api/vault_audit.h"
#include "api/vault_keys_body.h"
#include "server/base/text.h"
#include "server/engine/vsecret.h"

#define TYPE       "Microsoft.KeyVault/vaults"
#define BODY_MAX   65536u
#define PAGE_MAX   25
#define OPS_MAX    16
#define SKIP_START "FROM|"

/* May the caller do this, and is the vault there? */
static enum sb_err require(struct request *r, const char *action, struct vault *v, struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *name = request_param(r, "name");
    SB_TRY(arm_require(r, action, arm_id(r, sub, group, TYPE "/%s", name), err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(vault_get(r->e, sub, group, name, r->arena, v, err));
out:
    return rc;
}

/* ARM acts for the caller, without access policies of its own. */
static struct vault_caller manager(struct request *r)
{
    struct vault_caller c = vault_audit_caller(r);
    c.arm = true;
    return c;
}

/* ---- writing ---- */

static void write_attributes(struct jw *w, const struct vkey *k)
{
    jw_obj(w, "attributes");
    jw_bool(w, "enabled", k->enabled);
    if (k->nbf >= 0)
        jw_i64(w, "nbf", k->nbf);
    if (k->exp >= 0)
        jw_i64(w, "exp", k->exp);
    jw_i64(w, "created", k->created);
    jw_i64(w, "updated", k->updated);
    jw_strf(w, "recoveryLevel", "%sRecoverable%s", k->recoverable_days < 90 ? "Customized" : "",
            k->purge_protection ? "" : "+Purgeable");
    jw_bool(w, "exportable", false);
    jw_end_obj(w);
}

static void write_kind(struct jw *w, const struct vkey *k)
{
    jw_str(w, "kty", k->kty);
    jw_arr(w, "keyOps");
    for (const char *p = k->key_ops; *p != '\0';) {
        size_t n = strcspn(p, ",");
        jw_strf(w, NULL, "%.*s", (int)n, p);
        p += n + (p[n] == ',');
    }
    jw_end_arr(w);
    if (k->pub.type == PKEY_RSA)
        jw_i64(w, "keySize", (int64_t)k->pub.n.n * 8);
    else
        jw_str(w, "curveName", pkey_curve_name(k->pub.curve));
}

/* A key, or one version of it; in lists only what a list of the data plane tells. policy: NULL if it has
 * none.
 */
static void write_key(struct request *r, struct jw *w, const struct vault *v, const struct vkey *k,
                      bool version, bool whole, const struct vkey_policy *policy)
{
    const char *uri =
        arena_printf(r->arena, "%s/keys/%s",
                     request_base(r, HOST_VAULT, text_tolower(arena_strdup(r->arena, v->name))), k->name);
    jw_obj(w, NULL);
    jw_str(w, "id",
           arm_id(r, v->sub, v->group, TYPE "/%s/keys/%s%s%s", v->name, k->name, version ? "/versions/" : "",
                  version ? k->version : ""));
    jw_str(w, "name", version ? k->version : k->name);
    jw_str(w, "type", version ? TYPE "/keys/versions" : TYPE "/keys");
    jw_str(w, "location", v->location);
    jw_raw(w, "tags", k->tags);
    jw_obj(w, "properties");
    write_attributes(w, k);
    if (whole)
        write_kind(w, k);
    jw_str(w, "keyUri", uri);
    if (whole || version)
        jw_strf(w, "keyUriWithVersion", "%s/%s", uri != NULL ? uri : "", k->version);
    if (policy != NULL) {
        jw_obj(w, "rotationPolicy");
        vault_key_write_policy_members(w, policy, true);
        jw_end_obj(w);
    }
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err answer(struct request *r, const struct vault *v, const struct vkey *k, bool version,
                          struct sb_error *err)
{
    enum sb_err rc;
    struct vkey_policy policy;
    bool found = false;
    SB_TRY(vkey_policy_stored(r->e, k, r->arena, &found, &policy, err));
    struct jw w = reply_json(r, 200);
    write_key(r, &w, v, k, version, true, found ? &policy : NULL);
out:
    return rc;
}

/* ---- get ---- */

static enum sb_err key_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vkey k;
    const struct vault_caller c = manager(r);
    const char *version = request_param(r, "version");
    SB_TRY(require(r, TYPE "/keys/read", &v, err));
    SB_TRY(vkey_get(r->e, &c, v.name, request_param(r, "key"), version, r->arena, &k, err));
    rc = answer(r, &v, &k, version != NULL, err);
out:
    return rc;
}

/* ---- put ---- */

static enum sb_err read_ops(struct request *r, const struct json *p, const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *list = NULL;
    const char *ops = "";
    SB_TRY(json_opt_arr(p, "properties", "keyOps", &list, err));
    if (json_size(list) > OPS_MAX)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'keyOps'.");
    JSON_FOREACH (j, list) {
        const char *op = json_text(j);
        if (op == NULL || op[0] == '\0' || strchr(op, ',') != NULL)
            return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'keyOps'.");
        ops = arena_printf(r->arena, "%s%s%s", ops, *ops != '\0' ? "," : "", op);
        if (ops == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    *ret = list != NULL ? ops : NULL;
out:
    return rc;
}

static enum sb_err read_attributes(const struct json *p, struct vkey_spec *s, struct sb_error *err)
{
    static const char where[] = "properties.attributes";
    enum sb_err rc;
    const struct json *a = NULL;
    int exportable = 0;
    SB_TRY(json_opt_obj(p, "properties", "attributes", &a, err));
    SB_TRY(json_opt_bool(a, where, "enabled", &s->enabled, err));
    SB_TRY(json_opt_bool(a, where, "exportable", &exportable, err));
    SB_TRY(json_opt_i64(a, where, "nbf", 0, INT64_MAX / 1000, &s->nbf, err));
    SB_TRY(json_opt_i64(a, where, "exp", 0, INT64_MAX / 1000, &s->exp, err));
    if (exportable == 1)
        rc = sb_fail(err, SB_ENOTSUP, "Exportable keys are not emulated.");
out:
    return rc;
}

/* What would be left undone is refused rather than passed over. */
static enum sb_err refuse_release(const struct json *p, struct sb_error *err)
{
    const struct json *j = json_get(p, "release_policy");
    if (j != NULL && !json_is_null(j))
        return sb_fail(err, SB_ENOTSUP, "'release_policy' of a key in a template is not emulated.");
    return SB_OK;
}

/* One that says nothing is none. */
static enum sb_err read_policy(struct request *r, const struct json *p, const struct vkey_policy **ret,
                               struct sb_error *err)
{
    enum sb_err rc;
    const struct json *j = NULL;
    SB_TRY(json_opt_obj(p, "properties", "rotationPolicy", &j, err));
    if (j == NULL)
        return SB_OK;
    struct vkey_policy *policy = ARENA_ARRAY(r->arena, struct vkey_policy, 1);
    if (policy == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *policy = (struct vkey_policy){0};
    SB_TRY(vault_key_read_policy(j, policy, err));
    if (policy->rotate_after || policy->rotate_before || policy->notify_before || policy->expiry)
        *ret = policy;
out:
    return rc;
}

static enum sb_err read_spec(struct request *r, struct vkey_spec *s, struct sb_error *err)
{
    static const char where[] = "properties";
    enum sb_err rc;
    const struct json *p = NULL;
    const char *curve = NULL;
    int64_t bits = 0;
    s->enabled = -1;
    s->nbf = s->exp = -1;
    s->only_new = true;
    SB_TRY(json_opt_obj(r->json, "", "properties", &p, err));
    SB_TRY(json_opt_str(p, where, "kty", &s->kty, err));
    if (s->kty == NULL)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'kty'.");
    SB_TRY(json_opt_i64(p, where, "keySize", 1, 65536, &bits, err));
    s->bits = (unsigned)bits;
    SB_TRY(json_opt_str(p, where, "curveName", &curve, err));
    s->curve = curve != NULL ? pkey_curve_parse(curve) : PKEY_CURVE_NONE;
    if (curve != NULL && s->curve == PKEY_CURVE_NONE)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'curveName'.");
    SB_TRY(read_ops(r, p, &s->key_ops, err));
    SB_TRY(read_attributes(p, s, err));
    SB_TRY(refuse_release(p, err));
    SB_TRY(read_policy(r, p, &s->policy, err));
    SB_TRY(arm_tags(r, r->json, &s->tags, err));
out:
    return rc;
}

static enum sb_err key_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vkey k;
    const struct vault_caller c = manager(r);
    struct vkey_spec s = {.name = request_param(r, "key")};
    SB_TRY(require(r, TYPE "/keys/write", &v, err));
    SB_TRY(read_spec(r, &s, err));
    s.vault = v.name;
    rc = vkey_get(r->e, &c, v.name, s.name, NULL, r->arena, &k, err);
    if (rc == SB_EKEYNOTFOUND)
        rc = vkey_create(r->e, &c, &s, r->arena, &k, err);
    if (rc == SB_EEXISTS) /* somebody was faster */
        rc = vkey_get(r->e, &c, v.name, s.name, NULL, r->arena, &k, err);
    if (rc == SB_OK)
        rc = answer(r, &v, &k, false, err);
out:
    return rc;
}

/* ---- lists ---- */

/* The token is the name (or version) that the next page begins with, so that what is added or removed
 * meanwhile shifts nothing. */
static enum sb_err read_skip(struct request *r, struct vault_page *page, struct sb_error *err)
{
    const char *token = request_query(r, "$skiptoken");
    *page = (struct vault_page){.max = PAGE_MAX};
    if (token == NULL)
        return SB_OK;
    if (!text_starts(token, SKIP_START) || strlen(token) > strlen(SKIP_START) + VKEY_NAME_MAX)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for '$skiptoken'.");
    page->from = token + strlen(SKIP_START);
    return SB_OK;
}

static void end_list(struct request *r, struct jw *w, const struct vault_page *page)
{
    jw_end_arr(w);
    if (page->next != NULL)
        jw_strf(w, "nextLink", "%s%s?api-version=%s&$skiptoken=" SKIP_START "%s",
                request_base(r, HOST_ARM, NULL), r->path, r->api_version, page->next);
    jw_end_obj(w);
}

static enum sb_err list(struct request *r, bool versions, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vkey *k = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = manager(r);
    SB_TRY(require(r, TYPE "/keys/read", &v, err));
    SB_TRY(read_skip(r, &page, err));
    if (versions)
        SB_TRY(vkey_versions(r->e, &c, v.name, request_param(r, "key"), &page, r->arena, &k, &n, err));
    else
        SB_TRY(vkey_list(r->e, &c, v.name, false, &page, r->arena, &k, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_key(r, &w, &v, &k[i], versions, false, NULL);
    end_list(r, &w, &page);
out:
    return rc;
}

static enum sb_err key_list(struct request *r, struct sb_error *err)
{
    return list(r, false, err);
}

static enum sb_err key_versions(struct request *r, struct sb_error *err)
{
    return list(r, true, err);
}

/* ---- secrets ---- */

static void write_secret(struct request *r, struct jw *w, const struct vault *v, const struct vsecret *x,
                         bool whole)
{
    const char *uri =
        arena_printf(r->arena, "%s/secrets/%s",
                     request_base(r, HOST_VAULT, text_tolower(arena_strdup(r->arena, v->name))), x->name);
    jw_obj(w, NULL);
    jw_str(w, "id", arm_id(r, v->sub, v->group, TYPE "/%s/secrets/%s", v->name, x->name));
    jw_str(w, "name", x->name);
    jw_str(w, "type", TYPE "/secrets");
    jw_str(w, "location", v->location);
    jw_raw(w, "tags", x->tags);
    jw_obj(w, "properties");
    jw_obj(w, "attributes");
    jw_bool(w, "enabled", x->enabled);
    if (x->nbf >= 0)
        jw_i64(w, "nbf", x->nbf);
    if (x->exp >= 0)
        jw_i64(w, "exp", x->exp);
    jw_i64(w, "created", x->created);
    jw_i64(w, "updated", x->updated);
    jw_end_obj(w);
    jw_str(w, "contentType", x->content_type);
    jw_str(w, "secretUri", uri);
    if (whole)
        jw_strf(w, "secretUriWithVersion", "%s/%s", uri != NULL ? uri : "", x->version);
    jw_end_obj(w);
    jw_end_obj(w);
}

static enum sb_err read_secret(struct request *r, struct vsecret_spec *s, struct sb_error *err)
{
    static const char where[] = "properties", inner[] = "properties.attributes";
    enum sb_err rc;
    const struct json *p = NULL, *a = NULL;
    const char *value = NULL;
    s->enabled = -1;
    s->nbf = s->exp = -1;
    SB_TRY(json_opt_obj(r->json, "", "properties", &p, err));
    SB_TRY(json_opt_str(p, where, "value", &value, err));
    if (value == NULL)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'value'.");
    s->value = (struct sb_blob){.p = (const uint8_t *)value, .n = strlen(value)};
    SB_TRY(json_opt_str(p, where, "contentType", &s->content_type, err));
    SB_TRY(json_opt_obj(p, where, "attributes", &a, err));
    SB_TRY(json_opt_bool(a, inner, "enabled", &s->enabled, err));
    SB_TRY(json_opt_i64(a, inner, "nbf", 0, INT64_MAX / 1000, &s->nbf, err));
    SB_TRY(json_opt_i64(a, inner, "exp", 0, INT64_MAX / 1000, &s->exp, err));
    SB_TRY(arm_tags(r, r->json, &s->tags, err));
out:
    return rc;
}

static enum sb_err secret_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vsecret x;
    const struct vault_caller c = manager(r);
    struct vsecret_spec s = {.name = request_param(r, "secret")};
    SB_TRY(require(r, TYPE "/secrets/write", &v, err));
    SB_TRY(read_secret(r, &s, err));
    s.vault = v.name;
    SB_TRY(vsecret_set(r->e, &c, &s, r->arena, &x, err));
    struct jw w = reply_json(r, 200);
    write_secret(r, &w, &v, &x, true);
out:
    return rc;
}

static enum sb_err secret_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vsecret x;
    const struct vault_caller c = manager(r);
    SB_TRY(require(r, TYPE "/secrets/read", &v, err));
    SB_TRY(vsecret_get(r->e, &c, v.name, request_param(r, "secret"), NULL, r->arena, &x, err));
    struct jw w = reply_json(r, 200);
    write_secret(r, &w, &v, &x, true);
out:
    return rc;
}

static enum sb_err secret_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    struct vsecret *x = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = manager(r);
    SB_TRY(require(r, TYPE "/secrets/read", &v, err));
    SB_TRY(read_skip(r, &page, err));
    SB_TRY(vsecret_list(r->e, &c, v.name, false, &page, r->arena, &x, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_secret(r, &w, &v, &x[i], false);
    end_list(r, &w, &page);
out:
    return rc;
}

/* ---- private endpoints: there are none, as there is no private network ---- */

static enum sb_err endpoint_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require(r, TYPE "/privateEndpointConnections/read", &v, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err endpoint_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require(r, TYPE "/privateEndpointConnections/read", &v, err));
    rc = arm_not_found(err, TYPE "/privateEndpointConnections",
                       arena_printf(r->arena, "%s/%s", v.name, request_param(r, "endpoint")), v.group);
out:
    return rc;
}

static enum sb_err endpoint_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require(r, TYPE "/privateEndpointConnections/delete", &v, err));
    reply_empty(r, 204);
out:
    return rc;
}

/* What a private endpoint could be made for (from the service's API description). */
static enum sb_err link_resources(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vault v;
    SB_TRY(require(r, TYPE "/privateLinkResources/read", &v, err));
    arm_reply_link(r, arm_id(r, v.sub, v.group, TYPE "/%s/privateLinkResources/vault", v.name),
                   TYPE "/privateLinkResources", "vault", "default", "privatelink.vaultcore.azure.net");
out:
    return rc;
}

#define VAULT "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{name}"
#define READ  (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"PUT", PLANE_ARM, VAULT "/keys/{key}", READ | R_JSON | R_SLOW, BODY_MAX, key_put, "ArmVaultKeyPut"},
    {"GET", PLANE_ARM, VAULT "/keys/{key}", READ, 0, key_get, "ArmVaultKeyGet"},
    {"GET", PLANE_ARM, VAULT "/keys", READ, 0, key_list, "ArmVaultKeyList"},
    {"GET", PLANE_ARM, VAULT "/keys/{key}/versions", READ, 0, key_versions, "ArmVaultKeyVersions"},
    {"GET", PLANE_ARM, VAULT "/keys/{key}/versions/{version}", READ, 0, key_get, "ArmVaultKeyVersionGet"},
    {"PUT", PLANE_ARM, VAULT "/secrets/{secret}", READ | R_JSON, BODY_MAX, secret_put, "ArmVaultSecretPut"},
    {"GET", PLANE_ARM, VAULT "/secrets/{secret}", READ, 0, secret_get, "ArmVaultSecretGet"},
    {"GET", PLANE_ARM, VAULT "/secrets", READ, 0, secret_list, "ArmVaultSecretList"},
    {"GET", PLANE_ARM, VAULT "/privateEndpointConnections", READ, 0, endpoint_list, "ArmVaultEndpointList"},
    {"GET", PLANE_ARM, VAULT "/privateEndpointConnections/{endpoint}", READ, 0, endpoint_get,
     "ArmVaultEndpointGet"},
    {"DELETE", PLANE_ARM, VAULT "/privateEndpointConnections/{endpoint}", READ, 0, endpoint_delete,
     "ArmVaultEndpointDelete"},
    {"GET", PLANE_ARM, VAULT "/privateLinkResources", READ, 0, link_resources, "ArmVaultLinkResources"},
};

const struct route_table routes_arm_vault_key = {rows, SB_ARRAY_LEN(rows)};
