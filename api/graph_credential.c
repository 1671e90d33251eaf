/* graph_credential.c: passwordCredentials and keyCredentials of applications and service principals. */
#include <string.h>
#include "api/graph.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define YEAR_MS   (INT64_C(365) * 86400 * 1000)
#define CERTS_MAX 20

/* ---- written ---- */

static void write_one(struct request *r, struct jw *w, const struct dir_credential *c, const char *secret)
{
    char start[TIME_TEXT_MAX], end[TIME_TEXT_MAX];
    time_rfc3339(c->start_ms, start);
    time_rfc3339(c->end_ms, end);
    if (c->certificate) {
        const char *thumbprint = directory_app_thumbprint(c, r->arena);
        jw_str(w, "customKeyIdentifier", thumbprint != NULL ? thumbprint : "");
    } else {
        jw_null(w, "customKeyIdentifier");
    }
    if (c->name != NULL)
        jw_str(w, "displayName", c->name);
    else
        jw_null(w, "displayName");
    jw_str(w, "endDateTime", end);
    if (c->certificate)
        jw_null(w, "key");
    else
        jw_str(w, "hint", c->hint);
    jw_str(w, "keyId", c->id);
    if (!c->certificate && secret != NULL)
        jw_str(w, "secretText", secret);
    else if (!c->certificate)
        jw_null(w, "secretText");
    jw_str(w, "startDateTime", start);
    if (c->certificate) {
        jw_str(w, "type", "AsymmetricX509Cert");
        jw_str(w, "usage", "Verify");
    }
}

void graph_credentials(struct request *r, struct jw *w, const char *key, const char *owner, bool certificates)
{
    struct dir_credential *list = NULL;
    size_t n = 0;
    if (directory_app_credentials(r->e, owner, r->arena, &list, &n, NULL) != SB_OK)
        n = 0;
    jw_arr(w, key);
    for (size_t i = 0; i < n; i++) {
        if (list[i].certificate != certificates)
            continue;
        jw_obj(w, NULL);
        write_one(r, w, &list[i], NULL);
        jw_end_obj(w);
    }
    jw_end_arr(w);
}

/* ---- passwords ---- */

static enum sb_err time_of(const struct json *c, const char *key, int64_t *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *text = NULL;
    SB_TRY(json_opt_str(c, "passwordCredential", key, &text, err));
    if (text != NULL && !time_parse_rfc3339(text, ret))
        rc = sb_fail(err, SB_EBADREQUEST,
                     "Cannot convert the literal '%.60s' to the expected type 'Edm.DateTimeOffset'.", text);
out:
    return rc;
}

/* Good for two years unless the request says otherwise, as in the service. */
static enum sb_err read_password(struct request *r, struct dir_credential *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *c = NULL;
    struct dir_credential x = {.start_ms = engine_token_now(r->e)};
    SB_TRY(json_opt_obj(r->json, "", "passwordCredential", &c, err));
    SB_TRY(json_opt_str(c, "passwordCredential", "displayName", &x.name, err));
    SB_TRY(time_of(c, "startDateTime", &x.start_ms, err));
    x.end_ms = x.start_ms + 2 * YEAR_MS;
    SB_TRY(time_of(c, "endDateTime", &x.end_ms, err));
    if (x.end_ms <= x.start_ms)
        rc = sb_fail(err, SB_EBADREQUEST, "Key credential end date is invalid.");
    else
        *ret = x;
out:
    return rc;
}

enum sb_err graph_add_password(struct request *r, const char *owner, const char *appid, struct sb_error *err)
{
    enum sb_err rc;
    struct dir_credential want, made;
    const char *secret = NULL;
    SB_TRY(read_password(r, &want, err));
    SB_TRY(directory_app_add_password(r->e, owner, appid, &want, r->arena, &made, &secret, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    graph_context(r, &w, "microsoft.graph.passwordCredential");
    write_one(r, &w, &made, secret);
    jw_end_obj(&w);
out:
    return rc;
}

enum sb_err graph_remove_password(struct request *r, const char *owner, struct sb_error *err)
{
    enum sb_err rc;
    const char *id = NULL;
    SB_TRY(json_opt_str(r->json, "", "keyId", &id, err));
    if (id == NULL)
        return sb_fail(err, SB_EBADREQUEST, "No password credential found with keyId.");
    SB_TRY(directory_app_drop_password(r->e, owner, id, err));
    reply_empty(r, 204);
out:
    return rc;
}

/* ---- certificates ---- */

/* A certificate that was there before is sent back without its key. */
static const struct dir_credential *kept(const struct dir_credential *old, size_t n, const char *id)
{
    for (size_t i = 0; id != NULL && i < n; i++) {
        if (old[i].certificate && text_ieq(old[i].id, id))
            return &old[i];
    }
    return NULL;
}

/* az sends the lines of a PEM file: base64 with line ends in it. */
static const uint8_t *decode_key(struct request *r, const char *key, size_t *ret_n)
{
    char *plain = arena_alloc(r->arena, strlen(key) + 1), *to = plain;
    for (const char *p = key; plain != NULL && *p != '\0'; p++) {
        if (strchr(" \r\n", *p) == NULL)
            *to++ = *p;
    }
    return plain != NULL ? b64_decode(r->arena, plain, strlen(plain), ret_n) : NULL;
}

static enum sb_err read_certificate(struct request *r, const struct json *c, const struct dir_credential *old,
                                    size_t old_n, struct dir_credential *ret, struct sb_error *err)
{
    enum sb_err rc;
    const char *key = NULL;
    struct dir_credential x = {.certificate = true};
    SB_TRY(json_opt_str(c, "keyCredentials", "keyId", &x.id, err));
    SB_TRY(json_opt_str(c, "keyCredentials", "displayName", &x.name, err));
    SB_TRY(json_opt_str(c, "keyCredentials", "key", &key, err));
    const struct dir_credential *before = kept(old, old_n, x.id);
    if (key != NULL)
        x.der.p = decode_key(r, key, &x.der.n);
    else if (before != NULL)
        x.der = before->der;
    if (x.id != NULL && !guid_valid(x.id))
        rc = sb_fail(err, SB_EBADREQUEST, "Invalid GUID:%.80s", x.id);
    else if (x.der.p == NULL)
        rc = sb_fail(err, SB_EBADREQUEST, "Key credential has a missing or malformed key.");
    else
        *ret = x;
out:
    return rc;
}

enum sb_err graph_take_certificates(struct request *r, const char *owner, const char *appid,
                                    struct sb_error *err)
{
    enum sb_err rc;
    const struct json *sent = NULL;
    struct dir_credential *old = NULL, list[CERTS_MAX];
    size_t old_n = 0, n = 0;
    SB_TRY(json_opt_arr(r->json, "", "keyCredentials", &sent, err));
    if (sent == NULL)
        goto out;
    SB_TRY(directory_app_credentials(r->e, owner, r->arena, &old, &old_n, err));
    JSON_FOREACH (c, sent) {
        if (n == CERTS_MAX)
            return sb_fail(err, SB_EBADREQUEST, "There can be at most %d key credentials.", CERTS_MAX);
        SB_TRY(read_certificate(r, c, old, old_n, &list[n], err));
        n++;
    }
    rc = directory_app_set_certificates(r->e, owner, appid, list, n, err);
    if (rc == SB_EBADPARAM)
        rc = sb_fail(err, SB_EBADREQUEST, "Key credential has a missing or malformed key.");
out:
    return rc;
}
