/*
 * directory_grant.c: what users grant to applications: device codes and authorization codes, which live in
 * memory for minutes, and refresh tokens.
 *
 * A refresh token is its own record, sealed: client, user, time of issue and a piece of the digest of the
 * user's password. So nothing is stored for it, nobody can make one, and it ends with the password, with the
 * user, and with a reset, which changes the key. Using one gives a fresh one; the old one stays good until it
 * ends, as in the service.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/digest.h"
#include "crypto/envelope.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/aadsts.h"
#include "server/engine/directory_private.h"

#define DEVICE_MS      (15 * 60 * 1000)
#define CODE_MS        (10 * 60 * 1000)
#define REFRESH_DAYS   90
#define REFRESH_PREFIX "1."
#define REFRESH_MAX    2048
#define REFRESH_AAD    "refresh token"
#define STAMP_LEN      16
#define EPOCH_NAME     "grants.epoch" /* in the database's meta table: changed by a reset */
#define EPOCH_LEN      16
#define USER_CODE_LEN  9
#define SCOPE_MAX      2048

enum state { WAITING, GRANTED, DECLINED };

struct entry {
    struct entry *next;
    bool device; /* a device code, not an authorization code */
    enum state state;
    int64_t expires_ms;
    uint8_t digest[32]; /* of the code */
    char user_code[12];
    char client_id[40], oid[40];
    char *scope, *redirect, *challenge, *nonce; /* NULL: none */
    bool plain;
};

struct grants {
    pthread_mutex_t lock;
    struct cmem_key *key; /* seals refresh tokens */
    struct entry *head, **tail;
    size_t n;
};

/* ---- life ---- */

static void entry_free(struct entry *x)
{
    free(x->scope);
    free(x->redirect);
    free(x->challenge);
    free(x->nonce);
    sb_wipe(x, sizeof *x);
    free(x);
}

static void forget_all(struct grants *g)
{
    while (g->head != NULL) {
        struct entry *x = g->head;
        g->head = x->next;
        entry_free(x);
    }
    g->tail = &g->head;
    g->n = 0;
}

struct epoch {
    struct sb_arena *arena;
    uint8_t value[EPOCH_LEN];
    bool fresh; /* makes a new one */
};

static enum sb_err epoch_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct epoch *x = arg;
    struct sb_blob old = {0};
    SB_TRY(store_meta_get(tx, EPOCH_NAME, x->arena, &old, err));
    if (!x->fresh && old.n == EPOCH_LEN) {
        memcpy(x->value, old.p, EPOCH_LEN);
    } else {
        rng_bytes(x->value, EPOCH_LEN);
        rc = store_meta_put(tx, EPOCH_NAME, x->value, EPOCH_LEN, err);
    }
out:
    return rc;
}

static enum sb_err epoch_key(struct engine *e, bool fresh, struct cmem_key **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct epoch x = {.arena = arena_new(4096), .fresh = fresh};
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_call(e->kv, epoch_run, &x, err));
    rc = cmem_key_derive(e->platform, "refresh tokens", x.value, EPOCH_LEN, ret, err);
out:
    arena_free(x.arena);
    return rc;
}

enum sb_err directory_grant_open(struct engine *e, struct sb_error *err)
{
    struct grants *g = calloc(1, sizeof *g);
    if (g == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    pthread_mutex_init(&g->lock, NULL);
    g->tail = &g->head;
    e->directory->grants = g;
    return epoch_key(e, false, &g->key, err);
}

void directory_grant_close(struct engine *e)
{
    struct grants *g = e->directory->grants;
    if (g == NULL)
        return;
    forget_all(g);
    cmem_key_free(g->key);
    pthread_mutex_destroy(&g->lock);
    free(g);
    e->directory->grants = NULL;
}

enum sb_err directory_grant_reset(struct engine *e, struct sb_error *err)
{
    struct grants *g = e->directory->grants;
    struct cmem_key *key = NULL, *old;
    enum sb_err rc = epoch_key(e, true, &key, err);
    if (rc != SB_OK)
        return rc;
    pthread_mutex_lock(&g->lock);
    forget_all(g);
    old = g->key;
    g->key = key;
    pthread_mutex_unlock(&g->lock);
    cmem_key_free(old);
    return SB_OK;
}

/* ---- refresh tokens ---- */

static enum sb_err seal(struct grants *g, const char *text, struct sb_buf *out, struct sb_error *err)
{
    pthread_mutex_lock(&g->lock);
    enum sb_err rc = envelope_seal_key(g->key, REFRESH_AAD, text, strlen(text), out, err);
    pthread_mutex_unlock(&g->lock);
    return rc;
}

static void stamp_of(const struct dir_user *user, char hex[2 * STAMP_LEN + 1])
{
    hex_encode(user->password.p + SECRET_LEN - STAMP_LEN, STAMP_LEN, hex);
}

enum sb_err directory_grant_refresh(struct engine *e, const struct dir_client *client,
                                    const struct dir_user *user, struct sb_arena *a, char **ret,
                                    struct sb_error *err)
{
    enum sb_err rc;
    char stamp[2 * STAMP_LEN + 1];
    struct sb_buf sealed, text;
    buf_init(&sealed, REFRESH_MAX);
    buf_init(&text, 2 * REFRESH_MAX);
    stamp_of(user, stamp);
    const char *plain = arena_printf(a, "%s %s %s %lld %d", client->appid, user->oid, stamp,
                                     (long long)(engine_token_now(e) / 1000), client->family ? 1 : 0);
    if (plain == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(seal(e->directory->grants, plain, &sealed, err));
    buf_adds(&text, REFRESH_PREFIX);
    b64url_encode(&text, sealed.p, sealed.n);
    char *token = buf_failed(&text) ? NULL : arena_strdup(a, buf_str(&text));
    if (token == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    else
        *ret = token;
out:
    buf_done(&sealed);
    buf_done(&text);
    return rc;
}

/* The n words of a text, cut in place; false when there are more or fewer. */
static bool words(char *text, char **ret, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ret[i] = text;
        text = strchr(text, ' ');
        if ((text == NULL) != (i + 1 == n))
            return false;
        if (text != NULL)
            *text++ = '\0';
    }
    return true;
}

enum { CLIENT, USER, STAMP, ISSUED, FAMILY, WORDS };

static bool open_refresh(struct grants *g, const char *token, struct sb_arena *a, char *ret[WORDS])
{
    size_t n = 0;
    struct sb_blob plain = {0};
    if (!text_starts(token, REFRESH_PREFIX) || strnlen(token, 2 * REFRESH_MAX) == 2 * REFRESH_MAX)
        return false;
    token += strlen(REFRESH_PREFIX);
    const uint8_t *sealed = b64url_decode(a, token, strlen(token), &n);
    if (sealed == NULL)
        return false;
    pthread_mutex_lock(&g->lock);
    enum sb_err rc = envelope_open_key(g->key, REFRESH_AAD, sealed, n, a, &plain, NULL);
    pthread_mutex_unlock(&g->lock);
    char *text = rc == SB_OK ? arena_strndup(a, (const char *)plain.p, plain.n) : NULL;
    return text != NULL && words(text, ret, WORDS);
}

enum sb_err directory_grant_use_refresh(struct engine *e, const struct dir_client *client, const char *token,
                                        struct sb_arena *a, struct dir_user *ret, struct sb_error *err)
{
    enum sb_err rc;
    char *w[WORDS], stamp[2 * STAMP_LEN + 1], when[TIME_TEXT_MAX];
    int64_t issued = 0, now = engine_token_now(e) / 1000;
    bool found = false;
    struct dir_user user;
    if (!open_refresh(e->directory->grants, token, a, w) ||
        !text_to_i64(w[ISSUED], 0, INT64_MAX / 1000, &issued))
        return aadsts_fail(err, AADSTS_9002313);
    if (!text_ieq(w[CLIENT], client->appid) && !(client->family && strcmp(w[FAMILY], "1") == 0))
        return aadsts_fail(err, AADSTS_70000);
    time_rfc3339(issued * 1000, when);
    if (now - issued >= (int64_t)REFRESH_DAYS * 86400)
        return aadsts_fail(err, AADSTS_700082, when, REFRESH_DAYS);
    SB_TRY(directory_user_get(e, w[USER], a, &found, &user, err));
    if (found)
        stamp_of(&user, stamp);
    if (!found || !cmem_equal_str(stamp, w[STAMP]))
        return aadsts_fail(err, AADSTS_50173, when);
    if (!user.enabled)
        return aadsts_fail(err, AADSTS_50057);
    *ret = user;
out:
    return rc;
}

/* ---- codes ---- */

/* A code of 43 characters; what is kept is its digest. */
static void make_code(char ret[48], uint8_t digest[32], struct sb_arena *a)
{
    uint8_t raw[32];
    rng_bytes(raw, sizeof raw);
    const char *text = b64url_str(a, raw, sizeof raw);
    (void)text_copy(ret, 48, text != NULL ? text : "");
    digest_sha256(ret, strlen(ret), digest);
}

/* Letters and digits that nobody mistakes for one another. */
static void make_user_code(char ret[12])
{
    static const char letters[32 + 1] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    uint8_t raw[USER_CODE_LEN];
    rng_bytes(raw, sizeof raw);
    for (size_t i = 0; i < USER_CODE_LEN; i++)
        ret[i] = letters[raw[i] & 31];
    ret[USER_CODE_LEN] = '\0';
}

static bool keep(char **dst, const char *text)
{
    *dst = text != NULL ? strdup(text) : NULL;
    return text == NULL || *dst != NULL;
}

/* Under the lock: removes *at from the list. */
static void unlink_at(struct grants *g, struct entry **at)
{
    struct entry *x = *at;
    *at = x->next;
    if (g->tail == &x->next)
        g->tail = at;
    g->n--;
    entry_free(x);
}

/* Codes that ended more than one lifetime ago are forgotten; until then the application is told that they
 * expired. */
static void forget_old(struct grants *g, int64_t now)
{
    for (struct entry **at = &g->head; *at != NULL;) {
        if (now >= (*at)->expires_ms + DEVICE_MS)
            unlink_at(g, at);
        else
            at = &(*at)->next;
    }
}

static enum sb_err add(struct engine *e, struct entry *x, struct sb_error *err)
{
    struct grants *g = e->directory->grants;
    pthread_mutex_lock(&g->lock);
    forget_old(g, engine_token_now(e));
    bool room = g->n < GRANT_CODES_MAX;
    if (room) {
        *g->tail = x;
        g->tail = &x->next;
        g->n++;
    }
    pthread_mutex_unlock(&g->lock);
    if (room)
        return SB_OK;
    entry_free(x);
    return sb_fail(err, SB_ETHROTTLED, "Too many sign-ins wait for their users.");
}

enum sb_err directory_grant_device(struct engine *e, const char *client_id, const char *scope,
                                   struct sb_arena *a, struct device_grant *ret, struct sb_error *err)
{
    struct device_grant d = {.expires_ms = engine_token_now(e) + DEVICE_MS, .scope = scope};
    struct entry *x = strlen(scope) <= SCOPE_MAX ? calloc(1, sizeof *x) : NULL;
    if (x == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The scope is too long.");
    x->device = true;
    x->expires_ms = d.expires_ms;
    make_code(d.device_code, x->digest, a);
    make_user_code(d.user_code);
    memcpy(x->user_code, d.user_code, sizeof x->user_code);
    if (!text_copy(x->client_id, sizeof x->client_id, client_id) || !keep(&x->scope, scope)) {
        entry_free(x);
        return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    memcpy(d.client_id, x->client_id, sizeof d.client_id);
    enum sb_err rc = add(e, x, err);
    if (rc == SB_OK)
        *ret = d;
    return rc;
}

enum sb_err directory_grant_waiting(struct engine *e, struct sb_arena *a, struct device_grant **ret,
                                    size_t *ret_n, struct sb_error *err)
{
    struct grants *g = e->directory->grants;
    int64_t now = engine_token_now(e);
    size_t n = 0;
    pthread_mutex_lock(&g->lock);
    struct device_grant *list = ARENA_ARRAY(a, struct device_grant, g->n + 1);
    for (const struct entry *x = g->head; list != NULL && x != NULL; x = x->next) {
        if (!x->device || x->state != WAITING || now >= x->expires_ms)
            continue;
        struct device_grant *d = &list[n++];
        d->expires_ms = x->expires_ms;
        memcpy(d->user_code, x->user_code, sizeof d->user_code);
        memcpy(d->client_id, x->client_id, sizeof d->client_id);
        d->scope = arena_strdup(a, x->scope);
    }
    pthread_mutex_unlock(&g->lock);
    if (list == NULL || arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = list;
    *ret_n = n;
    return SB_OK;
}

enum sb_err directory_grant_decide(struct engine *e, const char *user_code, const char *oid,
                                   struct sb_error *err)
{
    struct grants *g = e->directory->grants;
    int64_t now = engine_token_now(e);
    bool found = false;
    pthread_mutex_lock(&g->lock);
    for (struct entry *x = g->head; !found && x != NULL; x = x->next) {
        found = x->device && x->state == WAITING && now < x->expires_ms && text_ieq(x->user_code, user_code);
        if (found && (oid == NULL || text_copy(x->oid, sizeof x->oid, oid)))
            x->state = oid != NULL ? GRANTED : DECLINED;
    }
    pthread_mutex_unlock(&g->lock);
    return found ? SB_OK
                 : sb_fail(err, SB_ENOTFOUND, "No sign-in waits with the user code '%.20s'.", user_code);
}

/* Under the lock. */
static struct entry **find_code(struct grants *g, bool device, const char *code)
{
    uint8_t digest[32];
    digest_sha256(code, strlen(code), digest);
    struct entry **at = &g->head;
    while (*at != NULL && ((*at)->device != device || !cmem_equal((*at)->digest, digest, 32)))
        at = &(*at)->next;
    return at;
}

/* Under the lock: how a device code stands; what the user granted goes into the arena, and the code is used
 * up. */
static enum sb_err take_device(struct engine *e, const char *client_id, const char *device_code,
                               struct sb_arena *a, const char **ret_oid, const char **ret_scope,
                               struct sb_error *err)
{
    struct grants *g = e->directory->grants;
    struct entry **at = find_code(g, true, device_code), *x = *at;
    if (x == NULL)
        return aadsts_fail(err, AADSTS_70000);
    if (!text_ieq(x->client_id, client_id))
        return aadsts_fail(err, AADSTS_70000);
    if (x->state == DECLINED)
        return aadsts_fail(err, AADSTS_65004);
    if (engine_token_now(e) >= x->expires_ms)
        return aadsts_fail(err, AADSTS_70020);
    if (x->state == WAITING)
        return aadsts_fail(err, AADSTS_70016);
    *ret_oid = arena_strdup(a, x->oid);
    *ret_scope = arena_strdup(a, x->scope);
    unlink_at(g, at);
    return *ret_oid != NULL && *ret_scope != NULL ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

/* The user as it is now: it may have been deleted or disabled since. */
static enum sb_err granting_user(struct engine *e, const char *oid, struct sb_arena *a, struct dir_user *ret,
                                 struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_user user;
    SB_TRY(directory_user_get(e, oid, a, &found, &user, err));
    if (!found)
        return aadsts_fail(err, AADSTS_50034, ENGINE_TENANT);
    if (!user.enabled)
        return aadsts_fail(err, AADSTS_50057);
    *ret = user;
out:
    return rc;
}

enum sb_err directory_grant_poll(struct engine *e, const char *client_id, const char *device_code,
                                 struct sb_arena *a, struct dir_user *ret, const char **ret_scope,
                                 struct sb_error *err)
{
    const char *oid = NULL, *scope = NULL;
    pthread_mutex_lock(&e->directory->grants->lock);
    enum sb_err rc = take_device(e, client_id, device_code, a, &oid, &scope, err);
    pthread_mutex_unlock(&e->directory->grants->lock);
    if (rc == SB_OK)
        rc = granting_user(e, oid, a, ret, err);
    if (rc == SB_OK)
        *ret_scope = scope;
    return rc;
}

/* ---- authorization codes ---- */

enum sb_err directory_grant_code(struct engine *e, const struct code_grant *c, struct sb_arena *a,
                                 const char **ret_code, struct sb_error *err)
{
    char code[48];
    struct entry *x = calloc(1, sizeof *x);
    if (x == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    x->state = GRANTED;
    x->expires_ms = engine_token_now(e) + CODE_MS;
    x->plain = c->plain;
    make_code(code, x->digest, a);
    const char *text = arena_strdup(a, code);
    if (text == NULL || !text_copy(x->client_id, sizeof x->client_id, c->client_id) ||
        !text_copy(x->oid, sizeof x->oid, c->oid) || !keep(&x->scope, c->scope) ||
        !keep(&x->redirect, c->redirect_uri) || !keep(&x->challenge, c->challenge) ||
        !keep(&x->nonce, c->nonce)) {
        entry_free(x);
        return sb_fail(err, SB_ENOMEM, "out of memory");
    }
    enum sb_err rc = add(e, x, err);
    if (rc == SB_OK)
        *ret_code = text;
    return rc;
}

/* RFC 7636: the challenge is the verifier's SHA-256 as base64url, or (plain) itself. */
static bool verifier_ok(const struct entry *x, const char *verifier, struct sb_arena *a)
{
    uint8_t digest[32];
    if (x->challenge == NULL)
        return true;
    if (verifier == NULL)
        return false;
    if (x->plain)
        return cmem_equal_str(x->challenge, verifier);
    digest_sha256(verifier, strlen(verifier), digest);
    const char *mine = b64url_str(a, digest, sizeof digest);
    return mine != NULL && cmem_equal_str(mine, x->challenge);
}

/* Under the lock. A code is used up by whoever shows it, rightly or not. */
static enum sb_err take_code(struct engine *e, const struct code_grant *want, const char *code,
                             const char *verifier, struct sb_arena *a, struct code_grant *ret,
                             struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct grants *g = e->directory->grants;
    struct entry **at = find_code(g, false, code), *x = *at;
    if (x == NULL)
        return aadsts_fail(err, AADSTS_70000);
    if (!text_ieq(x->client_id, want->client_id))
        rc = aadsts_fail(err, AADSTS_70000);
    else if (engine_token_now(e) >= x->expires_ms)
        rc = aadsts_fail(err, AADSTS_70008);
    else if (strcmp(x->redirect, want->redirect_uri) != 0)
        rc = aadsts_fail(err, AADSTS_500112, want->redirect_uri);
    else if (!verifier_ok(x, verifier, a))
        rc = aadsts_fail(err, AADSTS_501481);
    else
        *ret = (struct code_grant){.scope = arena_strdup(a, x->scope),
                                   .nonce = arena_strdup(a, x->nonce),
                                   .oid = arena_strdup(a, x->oid)};
    unlink_at(g, at);
    return rc;
}

enum sb_err directory_grant_redeem(struct engine *e, const struct code_grant *want, const char *code,
                                   const char *verifier, struct sb_arena *a, struct code_grant *ret,
                                   struct dir_user *ret_user, struct sb_error *err)
{
    pthread_mutex_lock(&e->directory->grants->lock);
    enum sb_err rc = take_code(e, want, code, verifier, a, ret, err);
    pthread_mutex_unlock(&e->directory->grants->lock);
    if (rc == SB_OK && arena_failed(a))
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    return rc == SB_OK ? granting_user(e, ret->oid, a, ret_user, err) : rc;
}
