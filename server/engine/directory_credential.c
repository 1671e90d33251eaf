/* directory_credential.c: passwords and certificates of applications, and signing in with them. */
#include <stdio.h>
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/aadsts.h"
#include "server/engine/directory_private.h"
#include "server/engine/jwt.h"
#include "server/engine/rbac.h"
#include "storage/st_graph.h"

#define PASSWORD_LEN    40
#define HINT_LEN        3
#define CREDENTIALS_MAX 100 /* of an owner */
#define CERTS_BYTES_MAX ((size_t)16 << 20)

struct op {
    struct engine *e;
    struct sb_arena *arena;
    const char *key, *id;
    bool by_app;
    struct st_credential *rows;
    size_t n;
};

static void publish(void *arg)
{
    const struct op *x = arg;
    rbac_changed(x->e);
}

/* ---- keeping them ---- */

/* As the service makes them: letters, digits and three marks, "8Q~" behind the hint. */
static void make_password(char ret[PASSWORD_LEN + 1])
{
    static const char letters[64 + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.";
    uint8_t raw[PASSWORD_LEN];
    rng_bytes(raw, sizeof raw);
    for (size_t i = 0; i < PASSWORD_LEN; i++)
        ret[i] = letters[raw[i] & 63];
    memcpy(ret + HINT_LEN, "8Q~", 3);
    ret[PASSWORD_LEN] = '\0';
    sb_wipe(raw, sizeof raw);
}

static enum sb_err add_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct op *x = arg;
    struct st_credential *rows = NULL;
    size_t n = 0;
    SB_TRY(st_credential_list(tx, x->key, false, x->arena, &rows, &n, err));
    if (n + x->n > CREDENTIALS_MAX)
        return sb_fail(err, SB_ELIMIT, "An application can have at most %d credentials.", CREDENTIALS_MAX);
    for (size_t i = 0; i < x->n; i++)
        SB_TRY(st_credential_add(tx, &x->rows[i], err));
out:
    return rc;
}

static struct dir_credential to_credential(const struct st_credential *row)
{
    return (struct dir_credential){
        .id = row->id,
        .certificate = row->certificate,
        .name = row->name,
        .hint = row->hint,
        .start_ms = row->start_ms,
        .end_ms = row->end_ms,
        .der = row->certificate ? row->secret : (struct sb_blob){NULL, 0},
    };
}

enum sb_err directory_app_add_password(struct engine *e, const char *owner, const char *appid,
                                       const struct dir_credential *want, struct sb_arena *a,
                                       struct dir_credential *ret, const char **ret_secret,
                                       struct sb_error *err)
{
    enum sb_err rc;
    char *secret = arena_alloc(a, PASSWORD_LEN + 1), *id = arena_alloc(a, SB_GUID_LEN + 1);
    uint8_t *digest = arena_alloc(a, SECRET_LEN);
    if (secret == NULL || id == NULL || digest == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    make_password(secret);
    rng_guid(id);
    SB_TRY(directory_secret_make(e, secret, digest, err));
    struct st_credential row = {.id = id,
                                .owner = owner,
                                .appid = appid,
                                .name = want->name,
                                .hint = arena_strndup(a, secret, HINT_LEN),
                                .start_ms = want->start_ms,
                                .end_ms = want->end_ms,
                                .secret = {digest, SECRET_LEN}};
    struct op x = {.e = e, .arena = a, .key = owner, .rows = &row, .n = 1};
    SB_TRY(store_call_publish(e->kv, add_run, publish, &x, err));
    *ret = to_credential(&row);
    *ret_secret = secret;
out:
    return rc;
}

static enum sb_err drop_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_credential_list(tx, x->key, false, x->arena, &x->rows, &x->n, err));
    bool found = false;
    for (size_t i = 0; i < x->n; i++)
        found = found || (!x->rows[i].certificate && text_ieq(x->rows[i].id, x->id));
    rc = found ? st_credential_drop(tx, x->key, false, x->id, err)
               : sb_fail(err, SB_EBADREQUEST, "No password credential found with keyId.");
out:
    return rc;
}

enum sb_err directory_app_drop_password(struct engine *e, const char *owner, const char *id,
                                        struct sb_error *err)
{
    struct op x = {.e = e, .key = owner, .id = id, .arena = arena_new(DIRECTORY_ARENA_BYTES)};
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = store_call_publish(e->kv, drop_run, publish, &x, err);
    arena_free(x.arena);
    return rc;
}

static enum sb_err replace_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    const struct op *x = arg;
    SB_TRY(st_credential_drop(tx, x->key, true, NULL, err));
    rc = add_run(tx, arg, err);
out:
    return rc;
}

/* The times of a certificate are its own. */
static enum sb_err certificate_row(const char *owner, const char *appid, struct dir_credential *c,
                                   struct sb_arena *a, struct st_credential *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct clientcert cert;
    char *id = c->id == NULL ? arena_alloc(a, SB_GUID_LEN + 1) : NULL;
    SB_TRY(clientcert_read(c->der.p, c->der.n, a, &cert, err));
    pkey_unref(cert.key);
    if (id != NULL)
        rng_guid(id);
    *ret = (struct st_credential){.id = c->id != NULL ? c->id : id,
                                  .owner = owner,
                                  .appid = appid,
                                  .certificate = true,
                                  .name = c->name != NULL ? c->name : cert.subject,
                                  .start_ms = cert.not_before * 1000,
                                  .end_ms = cert.not_after * 1000,
                                  .secret = cert.der};
out:
    return rc;
}

enum sb_err directory_app_set_certificates(struct engine *e, const char *owner, const char *appid,
                                           struct dir_credential *list, size_t n, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .key = owner, .n = n, .arena = arena_new(CERTS_BYTES_MAX)};
    if (n > CREDENTIALS_MAX)
        rc = sb_fail(err, SB_ELIMIT, "An application can have at most %d credentials.", CREDENTIALS_MAX);
    else
        rc = SB_OK;
    x.rows = x.arena != NULL ? ARENA_ARRAY(x.arena, struct st_credential, n + 1) : NULL;
    if (x.rows == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; rc == SB_OK && i < n; i++)
        rc = certificate_row(owner, appid, &list[i], x.arena, &x.rows[i], err);
    if (rc == SB_OK)
        rc = store_call_publish(e->kv, replace_run, publish, &x, err);
    arena_free(x.arena);
    return rc;
}

static enum sb_err list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_credential_list(tx, x->key, x->by_app, x->arena, &x->rows, &x->n, err);
}

enum sb_err directory_app_credentials(struct engine *e, const char *owner, struct sb_arena *a,
                                      struct dir_credential **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a, .key = owner};
    SB_TRY(store_read(e->kv, list_run, &x, err));
    struct dir_credential *list = ARENA_ARRAY(a, struct dir_credential, x.n + 1);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < x.n; i++)
        list[i] = to_credential(&x.rows[i]);
    *ret = list;
    *ret_n = x.n;
out:
    return rc;
}

const char *directory_app_thumbprint(const struct dir_credential *c, struct sb_arena *a)
{
    struct clientcert cert;
    struct sb_buf b;
    if (!c->certificate || clientcert_read(c->der.p, c->der.n, a, &cert, NULL) != SB_OK)
        return NULL;
    pkey_unref(cert.key);
    buf_init(&b, 64);
    b64_encode(&b, cert.sha1, sizeof cert.sha1);
    const char *text = arena_strdup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* ---- signing in ---- */

/* Who is it that signs in as this application? And every credential that it may use. */
struct candidate {
    struct principal who;
    const struct directory_client *configured; /* NULL: registered */
    struct st_credential *rows;
    size_t n;
};

static enum sb_err find_candidate(struct engine *e, const char *client_id, struct sb_arena *a,
                                  struct candidate *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_app app;
    struct candidate c = {.configured = directory_client(e, client_id)};
    struct op x = {.e = e, .arena = a, .key = client_id, .by_app = true};
    if (c.configured != NULL) {
        c.who = directory_client_principal(c.configured);
    } else {
        SB_TRY(directory_app_get(e, client_id, true, a, &found, &app, err));
        if (!found)
            return aadsts_fail(err, AADSTS_700016, client_id, ENGINE_TENANT);
        SB_TRY(directory_find(e, app.appid, &found, &c.who, err));
        if (!found || c.who.kind != PRINCIPAL_APP)
            return aadsts_fail(err, AADSTS_7000229, client_id, ENGINE_TENANT);
    }
    SB_TRY(store_read(e->kv, list_run, &x, err));
    c.rows = x.rows;
    c.n = x.n;
    *ret = c;
out:
    return rc;
}

static enum sb_err check_secret(struct engine *e, const struct candidate *c, const char *secret,
                                struct sb_error *err)
{
    int64_t now = engine_token_now(e);
    bool ended = false;
    if (c->configured != NULL && c->configured->secret != NULL &&
        cmem_equal_str(c->configured->secret, secret))
        return SB_OK;
    for (size_t i = 0; i < c->n; i++) {
        const struct st_credential *row = &c->rows[i];
        if (row->certificate || !directory_secret_is(e, row->secret, secret))
            continue;
        if (row->start_ms <= now && now < row->end_ms)
            return SB_OK;
        ended = ended || now >= row->end_ms;
    }
    return ended ? aadsts_fail(err, AADSTS_7000222, c->who.appid)
                 : aadsts_fail(err, AADSTS_7000215, c->who.appid);
}

enum sb_err directory_sign_in(struct engine *e, const char *client_id, const char *secret,
                              struct principal *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct candidate c;
    struct sb_arena *a = arena_new(CERTS_BYTES_MAX);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(find_candidate(e, client_id, a, &c, err));
    SB_TRY(check_secret(e, &c, secret, err));
    *ret = c.who;
out:
    arena_free(a);
    return rc;
}

/* ---- signing in with a certificate ---- */

struct assertion {
    struct jwt t;
    const char *iss, *sub, *aud;
    int64_t nbf, exp;
};

static enum sb_err read_assertion(const char *text, struct sb_arena *a, struct assertion *ret,
                                  struct sb_error *err)
{
    struct assertion x = {.exp = -1};
    const struct jwt_member claims[] = {{.name = "iss", .text = &x.iss},
                                        {.name = "sub", .text = &x.sub},
                                        {.name = "aud", .text = &x.aud},
                                        {.name = "nbf", .number = &x.nbf, .cut = true},
                                        {.name = "exp", .number = &x.exp, .cut = true}};
    if (jwt_parse_assertion(text, a, &x.t, NULL) != SB_OK ||
        jwt_object((const char *)x.t.payload.p, x.t.payload.n, claims, SB_ARRAY_LEN(claims), a, NULL) !=
            SB_OK ||
        x.iss == NULL || x.sub == NULL || x.aud == NULL || x.exp < 0)
        return aadsts_fail(err, AADSTS_50027);
    *ret = x;
    return SB_OK;
}

/* A thumbprint as libraries write it: base64url, some with its padding. */
static const uint8_t *decode_thumbprint(struct sb_arena *a, const char *text, size_t *ret_n)
{
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '=')
        n--;
    return b64url_decode(a, text, n, ret_n);
}

static bool same_thumbprint(struct sb_arena *a, const char *text, const uint8_t *mine, size_t mine_n)
{
    size_t n = 0;
    const uint8_t *raw = decode_thumbprint(a, text, &n);
    return raw != NULL && n == mine_n && cmem_equal(raw, mine, n);
}

/* Does the assertion name this certificate? As x5t or x5t#S256; old libraries put the thumbprint's digits
 * into kid. */
static bool names_cert(const struct jwt *t, const struct clientcert *c, struct sb_arena *a)
{
    char hex[2 * sizeof c->sha1 + 1];
    if (t->x5t256 != NULL)
        return same_thumbprint(a, t->x5t256, c->sha256, sizeof c->sha256);
    if (t->x5t != NULL)
        return same_thumbprint(a, t->x5t, c->sha1, sizeof c->sha1);
    hex_encode(c->sha1, sizeof c->sha1, hex);
    return t->kid != NULL && (text_ieq(t->kid, hex) || same_thumbprint(a, t->kid, c->sha1, sizeof c->sha1));
}

/* The thumbprint that the assertion names, as digits, for the message. */
static const char *named_thumbprint(const struct jwt *t, struct sb_arena *a)
{
    size_t n = 0;
    const char *name = t->x5t256 != NULL ? t->x5t256 : t->x5t != NULL ? t->x5t : t->kid;
    const uint8_t *raw = name != NULL ? decode_thumbprint(a, name, &n) : NULL;
    char *hex = raw != NULL && n <= 32 ? arena_alloc(a, 2 * n + 1) : NULL;
    if (hex == NULL)
        return "";
    hex_encode(raw, n, hex);
    for (char *p = hex; *p != '\0'; p++)
        *p = *p >= 'a' ? (char)(*p - 'a' + 'A') : *p;
    return hex;
}

/* One registered certificate: is it the one that signed? *ret_why: why not. */
static bool signed_by(struct engine *e, const struct assertion *x, const struct clientcert *c,
                      struct sb_arena *a, const char **ret_why)
{
    int64_t now = engine_token_now(e) / 1000;
    if (!names_cert(&x->t, c, a))
        return false;
    if (now < c->not_before || now >= c->not_after) {
        *ret_why = "The key used is expired.";
        return false;
    }
    if (jwt_verify(&x->t, c->key, NULL) == SB_OK)
        return true;
    *ret_why = "The key was found, but the signature does not verify."; /* (choice) of words */
    return false;
}

static enum sb_err check_signature(struct engine *e, const struct candidate *c, const struct assertion *x,
                                   struct sb_arena *a, struct sb_error *err)
{
    const struct directory *d = e->directory;
    const char *why = "The key was not found.";
    bool good = false;
    for (size_t i = 0; !good && i < d->certs_n; i++)
        good = d->certs[i].client == c->configured && signed_by(e, x, &d->certs[i].cert, a, &why);
    for (size_t i = 0; !good && i < c->n; i++) {
        struct clientcert cert;
        if (!c->rows[i].certificate ||
            clientcert_read(c->rows[i].secret.p, c->rows[i].secret.n, a, &cert, NULL) != SB_OK)
            continue;
        good = signed_by(e, x, &cert, a, &why);
        pkey_unref(cert.key);
    }
    return good ? SB_OK : aadsts_fail(err, AADSTS_700027, why, named_thumbprint(&x->t, a), c->who.appid);
}

/* The token endpoint that was asked, in any of its spellings, or the issuer. */
static bool audience_ok(const char *aud)
{
    static const char *const tenants[] = {ENGINE_TENANT, ENGINE_DOMAIN, "common", "organizations", "adfs"};
    static const char *const rest[] = {"/oauth2/v2.0/token", "/oauth2/token", "/v2.0", "", "/"};
    const char *path;
    if (!directory_login_url(aud, &path))
        return strcmp(aud, "https://sts.windows.net/" ENGINE_TENANT "/") == 0;
    path += *path == '/';
    for (size_t i = 0; i < SB_ARRAY_LEN(tenants); i++) {
        if (!text_istarts(path, tenants[i]))
            continue;
        for (size_t k = 0; k < SB_ARRAY_LEN(rest); k++) {
            if (strcmp(path + strlen(tenants[i]), rest[k]) == 0)
                return true;
        }
    }
    return false;
}

static enum sb_err check_times(struct engine *e, const struct assertion *x, struct sb_error *err)
{
    int64_t now = engine_token_now(e);
    char here[TIME_TEXT_MAX], from[TIME_TEXT_MAX], until[TIME_TEXT_MAX];
    const int64_t skew_s = 300;
    if (now / 1000 + skew_s >= x->nbf && now / 1000 - skew_s < x->exp)
        return SB_OK;
    const int64_t far = INT64_C(253402300799); /* the end of the year 9999: no number makes a text overflow */
    return aadsts_fail(err, AADSTS_700024, time_rfc3339(now, here),
                       time_rfc3339(SB_MIN(SB_MAX(x->nbf, 0), far) * 1000, from),
                       time_rfc3339(SB_MIN(x->exp, far) * 1000, until));
}

enum sb_err directory_assertion_sign_in(struct engine *e, const char *client_id, const char *assertion,
                                        struct principal *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct assertion x;
    struct candidate c;
    struct sb_arena *a = arena_new(CERTS_BYTES_MAX);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(read_assertion(assertion, a, &x, err));
    if (strcmp(x.iss, x.sub) != 0 || (client_id != NULL && !text_ieq(client_id, x.sub))) {
        rc = aadsts_fail(err, AADSTS_700021);
        goto out;
    }
    SB_TRY(find_candidate(e, x.sub, a, &c, err));
    SB_TRY(check_signature(e, &c, &x, a, err));
    if (!audience_ok(x.aud)) {
        rc = aadsts_fail(err, AADSTS_700023);
        goto out;
    }
    SB_TRY(check_times(e, &x, err));
    *ret = c.who;
out:
    arena_free(a);
    return rc;
}
