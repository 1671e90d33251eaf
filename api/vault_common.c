/*
 * vault_common.c: attributes, tags, values in base64url and ids, as keys and secrets alike send and show
 * them.
 *
 * Order and presence of members are recorded from the service; messages about malformed members are our own
 * words.
 */
#include "api/vault_common.h"
#include "server/base/text.h"

#define TAGS_MAX     15 /* documented, as are the lengths */
#define TAG_TEXT_MAX 256
#define TIME_MAX     INT64_C(253402300799) /* the end of year 9999 */

int vault_version(const struct request *r)
{
    const char *v = r->api_version;
    if (v[0] == '7' && v[1] == '.')
        return 70 + (v[2] - '0');
    if (strcmp(v, "2015-06-01") == 0)
        return 60;
    return strcmp(v, "2016-10-01") == 0 ? 61 : 80;
}

/* ---- reading ---- */

enum sb_err vault_bad_value(const char *what, const char *value, struct sb_error *err)
{
    return sb_fail(err, SB_EBADPARAM, "Property %s has invalid value '%.64s'.", what, value);
}

enum sb_err vault_read_attributes(struct request *r, int *enabled, int64_t *nbf, int64_t *exp,
                                  struct sb_error *err)
{
    static const char where[] = "attributes";
    enum sb_err rc;
    const struct json *a = NULL;
    int exportable = 0;
    *enabled = -1;
    *nbf = *exp = -1;
    SB_TRY(json_opt_obj(r->json, "", where, &a, err));
    SB_TRY(json_opt_bool(a, where, "enabled", enabled, err));
    SB_TRY(json_opt_i64(a, where, "nbf", 0, TIME_MAX, nbf, err));
    SB_TRY(json_opt_i64(a, where, "exp", 0, TIME_MAX, exp, err));
    SB_TRY(json_opt_bool(a, where, "exportable", &exportable, err));
    if (exportable == 1)
        rc = sb_fail(err, SB_ENOTSUP, "Exportable keys are not emulated.");
out:
    return rc;
}

enum sb_err vault_read_tags(struct request *r, const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *tags = NULL;
    SB_TRY(json_opt_obj(r->json, "", "tags", &tags, err));
    if (!tags)
        return SB_OK;
    if (json_size(tags) > TAGS_MAX)
        return sb_fail(err, SB_EBADPARAM, "There may be at most %d tags.", TAGS_MAX);
    JSON_FOREACH (j, tags) {
        const char *v = json_text(j), *name = json_key(j);
        if (utf8_length(name, strlen(name)) > TAG_TEXT_MAX)
            return vault_bad_value("tags", name, err);
        if (!v || utf8_length(v, strlen(v)) > TAG_TEXT_MAX)
            return vault_bad_value("tags", v ? v : "", err);
    }
    *ret = json_print(tags, r->arena);
    if (!*ret)
        rc = sb_fail(err, SB_ENOMEM, "out of memory for tags");
out:
    return rc;
}

enum sb_err vault_opt_blob(struct request *r, const struct json *obj, const char *where, const char *member,
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

enum sb_err vault_read_blob(struct request *r, const char *member, struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_blob v = {0};
    SB_TRY(vault_opt_blob(r, r->json, "", member, &v, err));
    if (!v.p || v.n == 0)
        return sb_fail(err, SB_EBADPARAM, "Property %s is missing or empty.", member);
    *ret = v;
out:
    return rc;
}

/* ---- writing ---- */

const char *vault_id(struct request *r, const char *family, const char *name, const char *version)
{
    const char *base = request_base(r, HOST_VAULT, r->host_label);
    const char *id = version ? arena_printf(r->arena, "%s/%s/%s/%s", base, family, name, version)
                             : arena_printf(r->arena, "%s/%s/%s", base, family, name);
    return id ? id : "";
}

void vault_write_blob(struct request *r, struct jw *w, const char *key, struct sb_blob b)
{
    if (b.p)
        jw_str(w, key, b64url_str(r->arena, b.p, b.n));
}

void vault_write_attributes(struct request *r, struct jw *w, const struct vault_attributes *a)
{
    int v = vault_version(r);
    jw_obj(w, "attributes");
    jw_bool(w, "enabled", a->enabled);
    if (a->nbf >= 0)
        jw_i64(w, "nbf", a->nbf);
    if (a->exp >= 0)
        jw_i64(w, "exp", a->exp);
    jw_i64(w, "created", a->created);
    jw_i64(w, "updated", a->updated);
    if (v >= 61)
        jw_strf(w, "recoveryLevel", "%sRecoverable%s", a->recoverable_days < 90 ? "Customized" : "",
                a->purge_protection ? "" : "+Purgeable");
    if (v >= 71)
        jw_i64(w, "recoverableDays", a->recoverable_days);
    if (a->hsm && v >= 73)
        jw_bool(w, "exportable", false);
    if (a->hsm && v >= 75)
        jw_str(w, "hsmPlatform", a->hsm);
    jw_end_obj(w);
}

void vault_write_deleted(struct request *r, struct jw *w, const char *family, const char *name,
                         int64_t deleted, int64_t purge)
{
    if (deleted == 0)
        return;
    jw_str(w, "recoveryId", vault_id(r, family, name, NULL));
    jw_i64(w, "deletedDate", deleted);
    jw_i64(w, "scheduledPurgeDate", purge);
}

void vault_answer_backup(struct request *r, const char *text)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "value", b64url_str(r->arena, text, strlen(text)));
    jw_end_obj(&w);
}
