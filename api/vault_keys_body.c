/*
 * vault_keys_body.c: reading and writing of keys' bodies. Order and presence of members are recorded from the
 * service; messages about malformed members are our own words.
 */
#include "api/vault_keys_body.h"
#include "server/base/text.h"

#define TAGS_MAX     15 /* documented, as are the lengths */
#define TAG_TEXT_MAX 256
#define OPS_MAX      16
#define TIME_MAX     INT64_C(253402300799) /* the end of year 9999 */

static enum sb_err bad_value(const char *what, const char *value, struct sb_error *err)
{
    return sb_fail(err, SB_EBADPARAM, "Property %s has invalid value '%.64s'.", what, value);
}

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
            return bad_value("key_ops", op ? op : "", err);
        text = arena_printf(r->arena, "%s%s%s", text, text[0] != '\0' ? "," : "", op);
        if (!text)
            return sb_fail(err, SB_ENOMEM, "out of memory for key operations");
    }
    s->key_ops = text;
out:
    return rc;
}

static enum sb_err read_tags(struct request *r, const struct json *body, struct vkey_spec *s,
                             struct sb_error *err)
{
    enum sb_err rc;
    const struct json *tags = NULL;
    SB_TRY(json_opt_obj(body, "", "tags", &tags, err));
    if (!tags)
        return SB_OK;
    if (json_size(tags) > TAGS_MAX)
        return sb_fail(err, SB_EBADPARAM, "A key may have at most %d tags.", TAGS_MAX);
    JSON_FOREACH (j, tags) {
        const char *v = json_text(j);
        if (!v || strlen(v) > TAG_TEXT_MAX || strlen(json_key(j)) > TAG_TEXT_MAX)
            return bad_value("tags", v ? v : "", err);
    }
    s->tags = json_print(tags, r->arena);
    if (!s->tags)
        rc = sb_fail(err, SB_ENOMEM, "out of memory for tags");
out:
    return rc;
}

static enum sb_err read_attributes(const struct json *body, struct vkey_spec *s, struct sb_error *err)
{
    static const char where[] = "attributes";
    enum sb_err rc;
    const struct json *a = NULL;
    int exportable = 0;
    s->enabled = -1;
    s->nbf = s->exp = -1;
    SB_TRY(json_opt_obj(body, "", where, &a, err));
    SB_TRY(json_opt_bool(a, where, "enabled", &s->enabled, err));
    SB_TRY(json_opt_i64(a, where, "nbf", 0, TIME_MAX, &s->nbf, err));
    SB_TRY(json_opt_i64(a, where, "exp", 0, TIME_MAX, &s->exp, err));
    SB_TRY(json_opt_bool(a, where, "exportable", &exportable, err));
    if (exportable == 1)
        rc = sb_fail(err, SB_ENOTSUP, "Exportable keys are not emulated.");
out:
    return rc;
}

enum sb_err vault_key_read_update(struct request *r, struct vkey_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(read_attributes(r->json, s, err));
    SB_TRY(read_ops(r, r->json, s, err));
    SB_TRY(read_tags(r, r->json, s, err));
out:
    return rc;
}

enum sb_err vault_key_read_create(struct request *r, struct vkey_spec *s, struct sb_error *err)
{
    static const char where[] = "";
    enum sb_err rc;
    const char *crv = NULL;
    int64_t bits = 0;
    SB_TRY(vault_key_read_update(r, s, err));
    SB_TRY(json_opt_str(r->json, where, "kty", &s->kty, err));
    SB_TRY(json_opt_i64(r->json, where, "key_size", 0, INT32_MAX, &bits, err));
    SB_TRY(json_opt_str(r->json, where, "crv", &crv, err));
    s->bits = (unsigned)bits;
    s->curve = crv ? pkey_curve_parse(crv) : PKEY_CURVE_NONE;
    if (crv && s->curve == PKEY_CURVE_NONE)
        rc = bad_value("crv", crv, err);
out:
    return rc;
}

/* Strict base64url, unpadded; absent leaves *ret alone. */
static enum sb_err opt_blob(struct request *r, const struct json *obj, const char *where, const char *member,
                            struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *text = NULL;
    size_t n = 0;
    SB_TRY(json_opt_str(obj, where, member, &text, err));
    if (!text)
        return SB_OK;
    const uint8_t *p = b64url_decode(r->arena, text, strlen(text), &n);
    if (!p)
        return sb_fail(err, SB_EBADPARAM, "Property %s is not encoded with base64url.", member);
    *ret = (struct sb_blob){.p = p, .n = n};
out:
    return rc;
}

enum sb_err vault_key_read_blob(struct request *r, const char *member, struct sb_blob *ret,
                                struct sb_error *err)
{
    enum sb_err rc;
    struct sb_blob v = {0};
    SB_TRY(opt_blob(r, r->json, "", member, &v, err));
    if (!v.p || v.n == 0)
        return sb_fail(err, SB_EBADPARAM, "Property %s is missing or empty.", member);
    *ret = v;
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
    const char *crv = NULL;
    for (size_t i = 0; i < SB_ARRAY_LEN(numbers); i++)
        SB_TRY(opt_blob(r, jwk, where, numbers[i].member, numbers[i].dst, err));
    SB_TRY(json_opt_str(jwk, where, "crv", &crv, err));
    parts->curve = crv ? pkey_curve_parse(crv) : PKEY_CURVE_NONE;
    if (parts->type == PKEY_EC && parts->curve == PKEY_CURVE_NONE)
        return bad_value("crv", crv ? crv : "", err);
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
        return bad_value("kty", kty, err);
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

const char *vault_key_id(struct request *r, const char *name, const char *version)
{
    const char *base = request_base(r, HOST_VAULT, r->host_label);
    const char *id = version ? arena_printf(r->arena, "%s/keys/%s/%s", base, name, version)
                             : arena_printf(r->arena, "%s/keys/%s", base, name);
    return id ? id : "";
}

static void write_blob(struct request *r, struct jw *w, const char *key, struct sb_blob b)
{
    if (b.p)
        jw_str(w, key, b64url_str(r->arena, b.p, b.n));
}

static void write_key(struct request *r, struct jw *w, const struct vkey *k)
{
    jw_obj(w, "key");
    jw_str(w, "kid", vault_key_id(r, k->name, k->version));
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
    write_blob(r, w, "n", k->pub.n);
    write_blob(r, w, "e", k->pub.e);
    write_blob(r, w, "x", k->pub.x);
    write_blob(r, w, "y", k->pub.y);
    jw_end_obj(w);
}

static void write_attributes(struct request *r, struct jw *w, const struct vkey *k)
{
    const char *v = r->api_version;
    bool old =
        v[0] == '7' && v[1] == '.' && v[2] < '5'; /* before 7.5 the last two are not there (recorded) */
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
    jw_i64(w, "recoverableDays", k->recoverable_days);
    if (!old) {
        jw_bool(w, "exportable", false);
        jw_str(w, "hsmPlatform", text_ends(k->kty, "-HSM") ? "1" : "0");
    }
    jw_end_obj(w);
}

static void write_deleted(struct request *r, struct jw *w, const struct vkey *k)
{
    if (k->deleted == 0)
        return;
    jw_strf(w, "recoveryId", "%s/deletedkeys/%s", request_base(r, HOST_VAULT, r->host_label), k->name);
    jw_i64(w, "deletedDate", k->deleted);
    jw_i64(w, "scheduledPurgeDate", k->purge);
}

void vault_key_write_bundle(struct request *r, struct jw *w, const struct vkey *k)
{
    jw_obj(w, NULL);
    write_deleted(r, w, k);
    write_key(r, w, k);
    write_attributes(r, w, k);
    jw_raw(w, "tags", k->tags);
    jw_end_obj(w);
}

void vault_key_write_item(struct request *r, struct jw *w, const struct vkey *k, bool with_version)
{
    jw_obj(w, NULL);
    write_deleted(r, w, k);
    jw_str(w, "kid", vault_key_id(r, k->name, with_version ? k->version : NULL));
    write_attributes(r, w, k);
    jw_raw(w, "tags", k->tags);
    jw_end_obj(w);
}
