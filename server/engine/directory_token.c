/* directory_token.c: signing in, issuing and verifying tokens. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/digest.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/directory_private.h"
#include "server/engine/jwt.h"

#define AUD_MAX     400
#define ARENA_BYTES ((size_t)256 << 10)
#define BACKDATE_S  300 /* nbf lies five minutes back, as in the service's tokens: clocks differ */

/* ---- the cache of verified tokens ---- */

/* 1,024 sets of 4 entries; a full set loses the one that ends first. */
#define CACHE_SETS 1024u
#define CACHE_WAYS 4u

struct cached {
    uint8_t digest[32];
    bool used;
    int64_t nbf, exp;
    char aud[AUD_MAX];
    struct principal who;
};

struct token_cache {
    pthread_mutex_t lock;
    struct cached entry[CACHE_SETS][CACHE_WAYS];
};

enum sb_err token_cache_new(struct token_cache **ret, struct sb_error *err)
{
    struct token_cache *c = calloc(1, sizeof *c);
    if (c == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    pthread_mutex_init(&c->lock, NULL);
    *ret = c;
    return SB_OK;
}

void token_cache_free(struct token_cache *c)
{
    if (c == NULL)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct cached *set_of(struct token_cache *c, const uint8_t digest[32])
{
    return c->entry[be_get_u32(digest) % CACHE_SETS];
}

static bool cache_get(struct token_cache *c, const uint8_t digest[32], struct cached *ret)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    const struct cached *set = set_of(c, digest);
    for (size_t i = 0; !found && i < CACHE_WAYS; i++) {
        if (set[i].used && cmem_equal(set[i].digest, digest, 32)) {
            *ret = set[i];
            found = true;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void cache_put(struct token_cache *c, const struct cached *x)
{
    pthread_mutex_lock(&c->lock);
    struct cached *set = set_of(c, x->digest), *to = &set[0];
    for (size_t i = 0; i < CACHE_WAYS; i++) {
        if (!set[i].used || cmem_equal(set[i].digest, x->digest, 32)) {
            to = &set[i];
            break;
        }
        if (set[i].exp < to->exp)
            to = &set[i];
    }
    *to = *x;
    pthread_mutex_unlock(&c->lock);
}

/* ---- issuing ---- */

/* The opaque claims aio and uti: random, of the usual look. */
static const char *opaque(struct sb_arena *a, size_t bytes)
{
    uint8_t raw[32];
    rng_bytes(raw, sizeof raw);
    return b64url_str(a, raw, bytes);
}

enum sb_err directory_issue(struct engine *e, const struct principal *who, const char *aud, bool v2,
                            const char *login_host, int64_t lifetime_s, struct sb_arena *a, char **ret,
                            struct sb_error *err)
{
    int64_t now = engine_token_now(e) / 1000;
    const char *sts = "https://sts.windows.net/" ENGINE_TENANT "/";
    struct jwt_claims c = {
        .aud = aud,
        .iss = v2 ? arena_printf(a, "https://%s/" ENGINE_TENANT "/v2.0", login_host) : sts,
        .iat = now - BACKDATE_S,
        .nbf = now - BACKDATE_S,
        .exp = now + lifetime_s,
        .aio = opaque(a, 27),
        .appid = who->appid,
        .idp = sts,
        .idtyp = who->kind == PRINCIPAL_USER ? "user" : "app",
        .oid = who->oid,
        .sub = who->oid,
        .tid = who->tid,
        .uti = opaque(a, 16),
        .ver = v2 ? "2.0" : "1.0",
        .mirid = who->resource_id[0] != '\0' ? who->resource_id : NULL,
    };
    if (c.iss == NULL || c.aio == NULL || c.uti == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (strlen(aud) >= AUD_MAX)
        return sb_fail(err, SB_EUNKNOWNRESOURCE, "The name of the resource is too long.");
    return jwt_sign(e->directory->key, e->directory->kid, &c, a, ret, err);
}

enum sb_err directory_user_issue(struct engine *e, const struct user_token *t, struct sb_arena *a, char **ret,
                                 struct sb_error *err)
{
    int64_t now = engine_token_now(e) / 1000;
    const char *sts = "https://sts.windows.net/" ENGINE_TENANT "/";
    const struct dir_user *u = t->user;
    bool access = !t->id, v2 = t->id && !t->v1;
    struct jwt_claims c = {
        .aud = t->id ? t->client_id : t->aud,
        .iss = v2 ? t->issuer : sts,
        .iat = now - BACKDATE_S,
        .nbf = now - BACKDATE_S,
        .exp = now + t->lifetime_s,
        .acr = access ? "1" : NULL,
        .aio = access ? opaque(a, 27) : NULL,
        .amr = v2 ? NULL : "pwd",
        .appid = access ? t->client_id : NULL,
        .appidacr = t->proven ? "1" : "0",
        .idtyp = access ? "user" : NULL,
        .name = u->name,
        .nonce = t->nonce,
        .oid = u->oid,
        .preferred_username = v2 ? u->upn : NULL,
        .scp = access ? t->scp : NULL,
        .sub = u->oid,
        .tid = ENGINE_TENANT,
        .unique_name = v2 ? NULL : u->upn,
        .upn = v2 ? NULL : u->upn,
        .uti = opaque(a, 16),
        .ver = v2 ? "2.0" : "1.0",
    };
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (strlen(c.aud) >= AUD_MAX)
        return sb_fail(err, SB_EUNKNOWNRESOURCE, "The name of the resource is too long.");
    return jwt_sign(e->directory->key, e->directory->kid, &c, a, ret, err);
}

enum sb_err directory_jwks(struct engine *e, struct sb_arena *a, struct directory_jwk *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    struct pkey_parts pub;
    SB_TRY(pkey_public(e->directory->key, a, &pub, err));
    struct directory_jwk k = {
        .kid = e->directory->kid, .n = b64url_str(a, pub.n.p, pub.n.n), .e = b64url_str(a, pub.e.p, pub.e.n)};
    if (k.n == NULL || k.e == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    else
        *ret = k;
out:
    return rc;
}

/* ---- verifying ---- */

/* Lower case, without the port and one trailing slash. False: too long to be anything known. */
static bool audience_normal(const char *aud, char ret[AUD_MAX])
{
    if (!text_copy(ret, AUD_MAX, aud))
        return false;
    text_tolower(ret);
    char *host = strstr(ret, "://");
    host = host == NULL ? NULL : host + 3;
    char *colon = host == NULL || host[0] == '[' ? NULL : strpbrk(host, ":/");
    if (colon != NULL && *colon == ':') {
        char *rest = colon + 1 + strspn(colon + 1, "0123456789");
        if (*rest == '\0' || *rest == '/')
            memmove(colon, rest, strlen(rest) + 1);
    }
    size_t n = strlen(ret);
    if (n > 0 && ret[n - 1] == '/')
        ret[n - 1] = '\0';
    return true;
}

bool directory_same_audience(const char *a, const char *b)
{
    char x[AUD_MAX], y[AUD_MAX];
    return audience_normal(a, x) && audience_normal(b, y) && strcmp(x, y) == 0;
}

static enum sb_err check_audience(const char *aud, const char *const *audiences, size_t n,
                                  struct sb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (directory_same_audience(aud, audiences[i]))
            return SB_OK;
    }
    return sb_fail(err, SB_EAUDIENCE, "Invalid audience. Expected %s, found: %s.",
                   n > 0 ? audiences[0] : "(none)", aud);
}

bool directory_login_url(const char *url, const char **ret_rest)
{
    static const char *const hosts[] = {"login.microsoftonline.com",
                                        "login.windows.net",
                                        "login.localhost",
                                        "localhost",
                                        "management.localhost",
                                        "127.0.0.1",
                                        "[::1]"};
    if (!text_starts(url, "https://"))
        return false;
    const char *host = url + strlen("https://");
    for (size_t i = 0; i < SB_ARRAY_LEN(hosts); i++) {
        if (!text_istarts(host, hosts[i]))
            continue;
        const char *rest = host + strlen(hosts[i]);
        if (*rest == ':')
            rest += 1 + strspn(rest + 1, "0123456789");
        if (*rest == '/' || *rest == '\0') {
            *ret_rest = rest;
            return true;
        }
    }
    return false;
}

/* https://sts.windows.net/{tenant}/, or https://{login name}[:port]/{tenant}/v2.0 */
static bool issuer_ok(const char *iss)
{
    const char *rest;
    return strcmp(iss, "https://sts.windows.net/" ENGINE_TENANT "/") == 0 ||
           (directory_login_url(iss, &rest) && strcmp(rest, "/" ENGINE_TENANT "/v2.0") == 0);
}

/* "8/21/2018 3:22:00 PM", as ARM writes times in this one error. */
static void us_time(int64_t seconds, char *dst, size_t cap)
{
    char plain[TIME_TEXT_MAX];
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    time_plain(seconds * 1000, plain);
    if (sscanf(plain, "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute, &second) != 6)
        year = 0;
    snprintf(dst, cap, "%d/%d/%d %d:%02d:%02d %s", month, day, year, hour % 12 == 0 ? 12 : hour % 12, minute,
             second, hour < 12 ? "AM" : "PM");
}

static enum sb_err check_lifetime(struct engine *e, int64_t nbf, int64_t exp, struct sb_error *err)
{
    int64_t now = engine_token_now(e) / 1000;
    if (now < nbf)
        return sb_fail(err, SB_EBADTOKEN, "The access token is not yet valid.");
    if (now < exp)
        return SB_OK;
    char ended[TIME_TEXT_MAX], here[TIME_TEXT_MAX];
    us_time(exp, ended, sizeof ended);
    us_time(now, here, sizeof here);
    return sb_fail(err, SB_EEXPIREDTOKEN,
                   "The access token expiry UTC time '%s' is earlier than current UTC time '%s'.", ended,
                   here);
}

static enum principal_kind kind_of(const struct jwt_claims *c)
{
    if (c->mirid != NULL && strstr(c->mirid, "/Microsoft.ManagedIdentity/userAssignedIdentities/") != NULL)
        return PRINCIPAL_USER_IDENTITY;
    if (c->mirid != NULL)
        return PRINCIPAL_SYSTEM_IDENTITY;
    return c->idtyp != NULL && strcmp(c->idtyp, "user") == 0 ? PRINCIPAL_USER : PRINCIPAL_APP;
}

/* Everything about a token that stays true: signature, issuer, who it is for. */
static enum sb_err verify_once(struct engine *e, const char *token, struct sb_arena *a, struct cached *x,
                               struct sb_error *err)
{
    enum sb_err rc;
    struct jwt t;
    struct jwt_claims c;
    SB_TRY(jwt_parse(token, a, &t, err));
    if (strcmp(t.kid, e->directory->kid) != 0) {
        rc = sb_fail(err, SB_EBADTOKEN, "The access token is invalid.");
        goto out;
    }
    SB_TRY(jwt_verify(&t, e->directory->key, err));
    SB_TRY(jwt_read(&t, a, &c, err));
    if (!issuer_ok(c.iss) || strcmp(c.tid, ENGINE_TENANT) != 0) {
        rc = sb_fail(err, SB_EISSUER,
                     "Invalid issuer. Expected one of https://sts.windows.net/%s/, found %.200s.",
                     ENGINE_TENANT, c.iss);
        goto out;
    }
    x->nbf = c.nbf;
    x->exp = c.exp;
    x->who.kind = kind_of(&c);
    if (!text_copy(x->aud, sizeof x->aud, c.aud) || !text_copy(x->who.oid, sizeof x->who.oid, c.oid) ||
        !text_copy(x->who.appid, sizeof x->who.appid, c.appid) ||
        !text_copy(x->who.tid, sizeof x->who.tid, c.tid) ||
        !text_copy(x->who.resource_id, sizeof x->who.resource_id, c.mirid != NULL ? c.mirid : ""))
        rc = sb_fail(err, SB_EBADTOKEN, "The access token is invalid.");
out:
    return rc;
}

enum sb_err directory_verify(struct engine *e, const char *token, const char *const *audiences, size_t n,
                             struct principal *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct cached x = {.used = true};
    struct sb_arena *a = NULL;
    size_t token_n = strnlen(token, JWT_MAX + 1);
    if (token_n > JWT_MAX)
        return sb_fail(err, SB_EBADTOKEN, "The access token is invalid.");
    digest_sha256(token, token_n, x.digest);
    if (!cache_get(e->directory->cache, x.digest, &x)) {
        a = arena_new(ARENA_BYTES);
        if (a == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        SB_TRY(verify_once(e, token, a, &x, err));
        cache_put(e->directory->cache, &x);
    }
    SB_TRY(check_lifetime(e, x.nbf, x.exp, err));
    SB_TRY(check_audience(x.aud, audiences, n, err));
    *ret = x.who;
out:
    arena_free(a);
    return rc;
}
