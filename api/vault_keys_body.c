/*
 * vault_keys_body.c: reading and writing of keys' bodies. Order and presence of members are recorded from the
 * service; messages about malformed members are our own words.
 */
#include "api/vault_keys_body.h"
#include "api/vault_common.h"
#include "server/base/text.h"

#define OPS_MAX 16

/* ---- reading ---- */

static enum sb_err read_ops(struct request *r, const struct json *body, struct vkey_spec *s,
                            struct sb_error *err)
{
    enum sb_err rc;
    const struct json *list = NULL;
    SB_TRY(json_opt_arr(body, "", "key_ops", &list, err));
    if (!list)
        return SB_OK;
    if (json_size(list) > OPS_MAX)
        return sb_fail(err, SB_EBADPARAM, "Property key_ops has too many values.");
    const char *text = "";
    JSON_FOREACH (j, list) {
        const char *op = json_text(j);
        if (!op || op[0] == '\0' || strlen(op) > 32 || strchr(op, ','))
            return vault_bad_value("key_ops", op ? op : "", err);
        text = arena_printf(r->arena, "%s%s%s", text, text[0] != '\0' ? "," : "", op);
        if (!text)
            return sb_fail(err, SB_ENOMEM, "out of memory for key operations");
    }
    s->key_ops = text;
out:
    return rc;
}

/* A key that could leave the vault under a policy is refused, clearly. */
static enum sb_err refuse_release(const struct json *body, struct sb_error *err)
{
    const struct json *policy = json_get(body, "release_policy");
    if (policy && !json_is_null(policy))
        return sb_fail(err, SB_ENOTSUP, "Release policies are not emulated.");
    return SB_OK;
}

enum sb_err vault_key_read_update(struct request *r, struct vkey_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(vault_read_attributes(r, &s->enabled, &s->nbf, &s->exp, err));
    SB_TRY(refuse_release(r->json, err));
    SB_TRY(read_ops(r, r->json, s, err));
    SB_TRY(vault_read_tags(r, &s->tags, err));
out:
    return rc;
}

enum sb_err vault_key_read_create(struct request *r, struct vkey_spec *s, struct sb_error *err)
{
    static const char where[] = "";
    enum sb_err rc;
    const char *crv = NULL;
    int64_t bits = 0, exponent = 0; /* the service takes its own, whatever is sent (recorded) */
    SB_TRY(vault_key_read_update(r, s, err));
    SB_TRY(json_opt_str(r->json, where, "kty", &s->kty, err));
    SB_TRY(json_opt_i64(r->json, where, "public_exponent", 0, INT32_MAX, &exponent, err));
    SB_TRY(json_opt_i64(r->json, where, "key_size", 0, INT32_MAX, &bits, err));
    SB_TRY(json_opt_str(r->json, where, "crv", &crv, err));
    s->bits = (unsigned)bits;
    s->curve = crv ? pkey_curve_parse(crv) : PKEY_CURVE_NONE;
    if (crv && s->curve == PKEY_CURVE_NONE)
        rc = vault_bad_value("crv", crv, err);
out:
    return rc;
}

static enum sb_err read_jwk(struct request *r, const struct json *jwk, struct pkey_parts *parts,
                            struct sb_error *err)
{
    static const char where[] = "key";
    const struct {
        const char *member;
        struct sb_blob *dst;
    } numbers[] = {{"n", &parts->n}, {"e", &parts->e},   {"d", &parts->d},   {"p", &parts->p},
                   {"q", &parts->q}, {"dp", &parts->dp}, {"dq", &parts->dq}, {"qi", &parts->qi},
                   {"x", &parts->x}, {"y", &parts->y}};
    enum sb_err rc;
    const char *crv = NULL, *protected = NULL;
    SB_TRY(json_opt_str(jwk, where, "key_hsm", &protected, err));
    if (protected)
        return sb_fail(err, SB_ENOTSUP,
                       "Protected keys (key_hsm: bring your own key) are not emulated: import the numbers.");
    for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
        SB_TRY(vault_opt_blob(r, jwk, where, numbers[i].member, numbers[i].dst, err));
    SB_TRY(json_opt_str(jwk, where, "crv", &crv, err));
    parts->curve = crv ? pkey_curve_parse(crv) : PKEY_CURVE_NONE;
    if (parts->type == PKEY_EC && parts->curve == PKEY_CURVE_NONE)
        return vault_bad_value("crv", crv ? crv : "", err);
    if (!parts->d.p)
        rc = sb_fail(err, SB_EBADPARAM, "Property d is missing: only a private key can be imported.");
out:
    return rc;
}

enum sb_err vault_key_read_import(struct request *r, struct vkey_spec *s, struct pkey **ret,
                                  struct sb_error *err)
{
    enum sb_err rc;
    const struct json *jwk = NULL;
    const char *kty = NULL;
    int hsm = 0;
    SB_TRY(vault_key_read_update(r, s, err));
    SB_TRY(json_opt_obj(r->json, "", "key", &jwk, err));
    SB_TRY(json_opt_bool(r->json, "", "hsm", &hsm, err));
    SB_TRY(json_opt_str(jwk, "key", "kty", &kty, err));
    if (!jwk || !kty)
        return sb_fail(err, SB_EBADPARAM, "Property %s is missing.", jwk ? "kty" : "key");
    bool rsa = strcmp(kty, "RSA") == 0 || strcmp(kty, "RSA-HSM") == 0;
    if (!rsa && strcmp(kty, "EC") != 0 && strcmp(kty, "EC-HSM") != 0)
        return vault_bad_value("kty", kty, err);
    if (!s->key_ops) /* clients send it inside the key */
        SB_TRY(read_ops(r, jwk, s, err));
    s->hsm = hsm == 1 || text_ends(kty, "-HSM");
    struct pkey_parts parts = {.type = rsa ? PKEY_RSA : PKEY_EC};
    SB_TRY(read_jwk(r, jwk, &parts, err));
    SB_TRY(pkey_import(&parts, ret, err));
    s->import = *ret;
out:
    return rc;
}

/* ---- writing ---- */

static void write_key(struct request *r, struct jw *w, const struct vkey *k)
{
    jw_obj(w, "key");
    jw_str(w, "kid", vault_id(r, "keys", k->name, k->version));
    jw_str(w, "kty", k->kty);
    jw_arr(w, "key_ops");
    for (const char *p = k->key_ops; *p != '\0';) {
        size_t n = strcspn(p, ",");
        jw_strf(w, NULL, "%.*s", (int)n, p);
        p += n + (p[n] == ',');
    }
    jw_end_arr(w);
    if (k->pub.type == PKEY_EC)
        jw_str(w, "crv", pkey_curve_name(k->pub.curve));
    vault_write_blob(r, w, "n", k->pub.n);
    vault_write_blob(r, w, "e", k->pub.e);
    vault_write_blob(r, w, "x", k->pub.x);
    vault_write_blob(r, w, "y", k->pub.y);
    jw_end_obj(w);
}

static void write_attributes(struct request *r, struct jw *w, const struct vkey *k)
{
    const struct vault_attributes a = {.enabled = k->enabled,
                                       .nbf = k->nbf,
                                       .exp = k->exp,
                                       .created = k->created,
                                       .updated = k->updated,
                                       .recoverable_days = k->recoverable_days,
                                       .purge_protection = k->purge_protection,
                                       .hsm = text_ends(k->kty, "-HSM") ? "1" : "0"};
    vault_write_attributes(r, w, &a);
}

void vault_key_write_bundle(struct request *r, struct jw *w, const struct vkey *k)
{
    jw_obj(w, NULL);
    vault_write_deleted(r, w, "deletedkeys", k->name, k->deleted, k->purge);
    write_key(r, w, k);
    write_attributes(r, w, k);
    jw_raw(w, "tags", k->tags);
    jw_end_obj(w);
}

void vault_key_write_item(struct request *r, struct jw *w, const struct vkey *k, bool with_version)
{
    jw_obj(w, NULL);
    vault_write_deleted(r, w, "deletedkeys", k->name, k->deleted, k->purge);
    jw_str(w, "kid", vault_id(r, "keys", k->name, with_version ? k->version : NULL));
    write_attributes(r, w, k);
    jw_raw(w, "tags", k->tags);
    jw_end_obj(w);
}
