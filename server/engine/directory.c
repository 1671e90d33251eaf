/* directory.c: life cycle of the emulated tenant, its applications and its principals. */
#include <stdlib.h>
#include <string.h>
#include "crypto/digest.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/rbac.h"
#include "storage/st_graph.h"

#define KEY_BITS       2048
#define KEY_NAME       "token-signing-key" /* in the database's meta table, and what the seal is bound to */
#define KEY_SEALED_MAX 8192
#define ARENA_BYTES    ((size_t)64 << 10)
#define CONFIG_BYTES   ((size_t)16 << 20)

/* ---- the signing key ---- */

struct key_row {
    struct sb_arena *arena;
    struct sb_blob sealed; /* p NULL: none yet */
};

static enum sb_err key_read(struct tx *tx, void *arg, struct sb_error *err)
{
    struct key_row *x = arg;
    return store_meta_get(tx, KEY_NAME, x->arena, &x->sealed, err);
}

static enum sb_err key_write(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct sb_buf *sealed = arg;
    return store_meta_put(tx, KEY_NAME, sealed->p, sealed->n, err);
}

/* A name that follows from the key, as the directory's own key ids look: 27 characters. */
static enum sb_err name_key(struct directory *d, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct pkey_parts pub;
    uint8_t digest[32];
    SB_TRY(pkey_public(d->key, a, &pub, err));
    digest_sha256(pub.n.p, pub.n.n, digest);
    const char *kid = b64url_str(a, digest, 20);
    if (kid == NULL || !text_copy(d->kid, sizeof d->kid, kid))
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

static enum sb_err load_key(struct engine *e, struct directory *d, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_buf sealed;
    struct key_row row = {.arena = arena_new(ARENA_BYTES)};
    buf_init(&sealed, KEY_SEALED_MAX);
    if (row.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_read(e->kv, key_read, &row, err));
    if (row.sealed.p != NULL) {
        rc = pkey_unseal(row.sealed.p, row.sealed.n, e->platform, KEY_NAME, &d->key, err);
        if (rc == SB_ETAMPER)
            rc =
                sb_fail(err, SB_EDATADIR,
                        "keyvault.db does not belong to this platform.key: put the right file back, or start "
                        "with an empty data directory.");
        SB_TRY(rc);
    } else {
        SB_TRY(pkey_generate_rsa(KEY_BITS, &d->key, err));
        SB_TRY(pkey_seal(d->key, e->platform, KEY_NAME, &sealed, err));
        SB_TRY(store_call(e->kv, key_write, &sealed, err));
    }
    rc = name_key(d, row.arena, err);
out:
    buf_done(&sealed);
    arena_free(row.arena);
    return rc;
}

/* ---- applications ---- */

void directory_derive_oid(const char *kind, const char *text, char oid[40])
{
    uint8_t digest[32];
    struct sb_buf b;
    buf_init(&b, 512);
    buf_addf(&b, "object id of %s %s", kind, text);
    digest_sha256(b.p, b.n, digest);
    buf_done(&b);
    digest[6] =
        (uint8_t)((digest[6] & 0x0f) | 0x80); /* a GUID of version 8: made by the application's own rule */
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    guid_format(digest, oid);
}

static enum sb_err load_clients(const struct engine *e, struct directory *d, struct sb_error *err)
{
    d->clients = ARENA_ARRAY(d->arena, struct directory_client, e->cfg.clients_n + 1);
    if (d->clients == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < e->cfg.clients_n; i++) {
        const struct engine_client *from = &e->cfg.clients[i];
        struct directory_client *to = &d->clients[i];
        bool named = from->oid != NULL && from->oid[0] != '\0';
        if (!text_copy(to->id, sizeof to->id, from->id) ||
            (named && !text_copy(to->oid, sizeof to->oid, from->oid)))
            return sb_fail(err, SB_EUSAGE, "The ids of a client have at most %zu characters.",
                           sizeof to->id - 1);
        if (!named)
            directory_derive_oid("application", to->id, to->oid);
        directory_derive_oid("application object", to->id, to->app_oid);
        text_tolower(to->oid);
        to->secret = from->secret;
    }
    d->clients_n = e->cfg.clients_n;
    return SB_OK;
}

static enum sb_err load_certs(const struct engine *e, struct directory *d, struct sb_error *err)
{
    d->certs = ARENA_ARRAY(d->arena, struct directory_cert, e->cfg.certs_n + 1);
    if (d->certs == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < e->cfg.certs_n; i++) {
        const struct engine_client_cert *from = &e->cfg.certs[i];
        struct directory_cert *to = &d->certs[i];
        struct sb_error why = {0};
        to->client = directory_client(e, from->id);
        if (to->client == NULL ||
            clientcert_read(from->pem, strlen(from->pem), d->arena, &to->cert, &why) != SB_OK)
            return sb_fail(err, SB_EUSAGE, "%s: %s", from->file, why.detail);
        d->certs_n = i + 1;
    }
    return SB_OK;
}

/* ---- users of the configuration ---- */

static enum sb_err load_users(const struct engine *e, struct directory *d, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    d->users = ARENA_ARRAY(d->arena, struct directory_user, e->cfg.users_n + 1);
    if (d->users == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < e->cfg.users_n; i++) {
        const struct engine_user *from = &e->cfg.users[i];
        struct directory_user *to = &d->users[i];
        to->upn = from->upn;
        if (from->oid == NULL)
            directory_derive_oid("user", from->upn, to->oid);
        else if (!text_copy(to->oid, sizeof to->oid, from->oid))
            return sb_fail(err, SB_EUSAGE, "The object id of a user has %zu characters.", sizeof to->oid - 1);
        text_tolower(to->oid);
        /* A salt that stays: what a user granted outlives a restart with the same password. */
        memcpy(to->password, to->oid, SECRET_LEN - 32);
        SB_TRY(directory_secret_digest(e, from->password, to->password, err));
        d->users_n = i + 1;
    }
out:
    return rc;
}

/* ---- secrets ---- */

enum sb_err directory_secret_digest(const struct engine *e, const char *secret, uint8_t ret[SECRET_LEN],
                                    struct sb_error *err)
{
    struct sb_buf b;
    buf_init(&b, 8192);
    buf_add(&b, ret, SECRET_LEN - 32);
    buf_adds(&b, secret);
    enum sb_err rc = buf_failed(&b) ? sb_fail(err, SB_EBADREQUEST, "The password is too long.")
                                    : cmem_key_hmac(e->directory->secrets, b.p, b.n, ret + SECRET_LEN - 32);
    buf_done(&b);
    if (rc != SB_OK && rc != SB_EBADREQUEST)
        (void)sb_fail(err, rc, "%s", sb_err_text(rc));
    return rc;
}

enum sb_err directory_secret_make(const struct engine *e, const char *secret, uint8_t ret[SECRET_LEN],
                                  struct sb_error *err)
{
    rng_bytes(ret, SECRET_LEN - 32);
    return directory_secret_digest(e, secret, ret, err);
}

bool directory_secret_is(const struct engine *e, struct sb_blob stored, const char *secret)
{
    uint8_t mine[SECRET_LEN];
    if (stored.n != SECRET_LEN)
        return false;
    memcpy(mine, stored.p, SECRET_LEN - 32);
    return directory_secret_digest(e, secret, mine, NULL) == SB_OK && cmem_equal(mine, stored.p, SECRET_LEN);
}

/* ---- who is configured ---- */

bool directory_configured_principal(const struct engine *e, const char *oid, struct principal *ret)
{
    const struct directory *d = e->directory;
    for (size_t i = 0; i < d->clients_n; i++) {
        if (text_ieq(d->clients[i].oid, oid)) {
            *ret = directory_client_principal(&d->clients[i]);
            return true;
        }
    }
    for (size_t i = 0; i < d->users_n; i++) {
        if (text_ieq(d->users[i].oid, oid)) {
            *ret = (struct principal){.kind = PRINCIPAL_USER, .tid = ENGINE_TENANT};
            memcpy(ret->oid, d->users[i].oid, sizeof ret->oid);
            return true;
        }
    }
    return false;
}

bool directory_is_configured(const struct engine *e, const char *oid)
{
    struct principal p;
    return directory_configured_principal(e, oid, &p);
}

const char *directory_client_name(const struct directory_client *c, struct sb_arena *a)
{
    return text_ieq(c->id, ENGINE_CLIENT_ID) ? "emulator" : arena_printf(a, "app-%.8s", c->id);
}

const struct directory_client *directory_client(const struct engine *e, const char *client_id)
{
    for (size_t i = 0; i < e->directory->clients_n; i++) {
        if (text_ieq(e->directory->clients[i].id, client_id))
            return &e->directory->clients[i];
    }
    return NULL;
}

struct principal directory_client_principal(const struct directory_client *c)
{
    struct principal p = {.kind = PRINCIPAL_APP, .tid = ENGINE_TENANT};
    memcpy(p.oid, c->oid, sizeof p.oid);
    memcpy(p.appid, c->id, sizeof p.appid);
    return p;
}

/* ---- life cycle ---- */

enum sb_err directory_open(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct directory *d = calloc(1, sizeof *d);
    if (d == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    e->directory = d;
    d->arena = arena_new(CONFIG_BYTES);
    if (d->arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(cmem_key_derive(e->platform, "directory secrets", NULL, 0, &d->secrets, err));
    SB_TRY(load_clients(e, d, err));
    SB_TRY(load_certs(e, d, err));
    SB_TRY(load_users(e, d, err));
    SB_TRY(token_cache_new(&d->cache, err));
    SB_TRY(load_key(e, d, err));
    rc = directory_grant_open(e, err);
out:
    return rc;
}

void directory_close(struct engine *e)
{
    struct directory *d = e->directory;
    if (d == NULL)
        return;
    directory_grant_close(e);
    token_cache_free(d->cache);
    pkey_unref(d->key);
    for (size_t i = 0; i < d->certs_n; i++)
        pkey_unref(d->certs[i].cert.key);
    cmem_key_free(d->secrets);
    arena_free(d->arena);
    free(d);
    e->directory = NULL;
}

static enum sb_err reset_run(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return st_graph_clear(tx, err);
}

static void publish_reset(void *arg)
{
    rbac_changed(arg);
}

enum sb_err directory_reset(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(store_call_publish(e->kv, reset_run, publish_reset, e, err));
    rc = directory_grant_reset(e, err);
out:
    return rc;
}

/* ---- principals ---- */

static enum sb_err to_principal(const struct st_principal *row, struct principal *ret, struct sb_error *err)
{
    struct principal p = {.kind = (enum principal_kind)row->kind, .tid = ENGINE_TENANT};
    if (!text_copy(p.oid, sizeof p.oid, row->oid) || !text_copy(p.appid, sizeof p.appid, row->appid) ||
        !text_copy(p.resource_id, sizeof p.resource_id, row->resource_id))
        return sb_fail(err, SB_EINTERNAL, "principal %s is stored with ids that are too long", row->oid);
    *ret = p;
    return SB_OK;
}

struct lookup {
    struct sb_arena *arena;
    enum st_principal_key by;
    const char *key;
    bool found;
    struct st_principal row;
};

static enum sb_err lookup_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct lookup *x = arg;
    return st_principal_get(tx, x->by, x->key, x->arena, &x->found, &x->row, err);
}

static enum sb_err lookup(struct engine *e, enum st_principal_key by, const char *key, bool *ret_found,
                          struct principal *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct lookup x = {.by = by, .key = key, .arena = arena_new(ARENA_BYTES)};
    struct principal p = {0};
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_read(e->kv, lookup_run, &x, err));
    if (x.found) {
        SB_TRY(to_principal(&x.row, &p, err));
        *ret = p;
    }
    *ret_found = x.found;
out:
    arena_free(x.arena);
    return rc;
}

enum sb_err directory_principal(struct engine *e, const char *oid, bool *ret_found, struct principal *ret,
                                struct sb_error *err)
{
    if (directory_configured_principal(e, oid, ret)) {
        *ret_found = true;
        return SB_OK;
    }
    return lookup(e, ST_PRINCIPAL_OID, oid, ret_found, ret, err);
}

enum sb_err directory_find(struct engine *e, const char *appid_or_resource_id, bool *ret_found,
                           struct principal *ret, struct sb_error *err)
{
    const struct directory_client *c = directory_client(e, appid_or_resource_id);
    if (c != NULL) {
        *ret = directory_client_principal(c);
        *ret_found = true;
        return SB_OK;
    }
    enum sb_err rc;
    bool path = appid_or_resource_id[0] == '/', found = false;
    struct principal p;
    SB_TRY(
        lookup(e, path ? ST_PRINCIPAL_RESOURCE : ST_PRINCIPAL_APPID, appid_or_resource_id, &found, &p, err));
    *ret_found = found && p.kind != PRINCIPAL_USER; /* a user's row has its object id there */
    if (*ret_found)
        *ret = p;
out:
    return rc;
}

/* ---- system-assigned identities ---- */

struct system_identity {
    struct engine *e;
    struct sb_arena *arena;
    const char *resource_id, *oid, *appid;
};

/* One that is left over from a resource of the same name (a crash between two databases) must not come back
 * to life. */
static enum sb_err system_create_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    const struct system_identity *x = arg;
    struct st_principal old;
    bool found;
    SB_TRY(st_principal_get(tx, ST_PRINCIPAL_RESOURCE, x->resource_id, x->arena, &found, &old, err));
    if (found)
        SB_TRY(st_principal_drop(tx, old.oid, err));
    rc = st_principal_add(tx,
                          &(struct st_principal){.oid = x->oid,
                                                 .appid = x->appid,
                                                 .kind = PRINCIPAL_SYSTEM_IDENTITY,
                                                 .resource_id = x->resource_id},
                          err);
out:
    return rc;
}

static void publish_system(void *arg)
{
    const struct system_identity *x = arg;
    rbac_changed(x->e);
}

enum sb_err directory_system_identity_create(struct engine *e, const char *resource_id, struct principal *ret,
                                             struct sb_error *err)
{
    enum sb_err rc;
    struct principal p = {.kind = PRINCIPAL_SYSTEM_IDENTITY, .tid = ENGINE_TENANT};
    struct system_identity x = {.e = e, .resource_id = resource_id, .oid = p.oid, .appid = p.appid};
    if (!text_copy(p.resource_id, sizeof p.resource_id, resource_id))
        return sb_fail(err, SB_EBADREQUEST, "The resource id is too long for an identity.");
    rng_guid(p.oid);
    rng_guid(p.appid);
    x.arena = arena_new(ARENA_BYTES);
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_call_publish(e->kv, system_create_run, publish_system, &x, err));
    *ret = p;
out:
    arena_free(x.arena);
    return rc;
}

static enum sb_err system_delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct system_identity *x = arg;
    return st_principal_drop(tx, x->oid, err);
}

enum sb_err directory_system_identity_delete(struct engine *e, const char *oid, struct sb_error *err)
{
    struct system_identity x = {.e = e, .oid = oid};
    return store_call_publish(e->kv, system_delete_run, publish_system, &x, err);
}
