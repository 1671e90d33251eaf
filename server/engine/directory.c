/* directory.c: life cycle of the emulated tenant, its applications and its principals. */
#include <stdlib.h>
#include <string.h>
#include "crypto/digest.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/rbac.h"

#define KEY_BITS       2048
#define KEY_NAME       "token-signing-key" /* in the database's meta table, and what the seal is bound to */
#define KEY_SEALED_MAX 8192
#define ARENA_BYTES    ((size_t)64 << 10)

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

/* An object id for an application that was configured without one: the same at each start. */
static void derive_oid(const char *client_id, char oid[40])
{
    uint8_t digest[32];
    struct sb_buf b;
    buf_init(&b, 256);
    buf_addf(&b, "object id of application %s", client_id);
    digest_sha256(b.p, b.n, digest);
    buf_done(&b);
    digest[6] =
        (uint8_t)((digest[6] & 0x0f) | 0x80); /* a GUID of version 8: made by the application's own rule */
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    guid_format(digest, oid);
}

static enum sb_err load_clients(const struct engine *e, struct directory *d, struct sb_error *err)
{
    d->clients = calloc(e->cfg.clients_n + 1, sizeof *d->clients);
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
            derive_oid(to->id, to->oid);
        text_tolower(to->oid);
        to->secret = from->secret;
    }
    d->clients_n = e->cfg.clients_n;
    return SB_OK;
}

bool directory_is_client(const struct engine *e, const char *oid)
{
    for (size_t i = 0; i < e->directory->clients_n; i++) {
        if (text_ieq(e->directory->clients[i].oid, oid))
            return true;
    }
    return false;
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
    SB_TRY(load_clients(e, d, err));
    SB_TRY(token_cache_new(&d->cache, err));
    rc = load_key(e, d, err);
out:
    return rc;
}

void directory_close(struct engine *e)
{
    struct directory *d = e->directory;
    if (d == NULL)
        return;
    token_cache_free(d->cache);
    pkey_unref(d->key);
    free(d->clients);
    free(d);
    e->directory = NULL;
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
    for (size_t i = 0; i < e->directory->clients_n; i++) {
        if (text_ieq(e->directory->clients[i].oid, oid)) {
            *ret = directory_client_principal(&e->directory->clients[i]);
            *ret_found = true;
            return SB_OK;
        }
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
    bool path = appid_or_resource_id[0] == '/';
    return lookup(e, path ? ST_PRINCIPAL_RESOURCE : ST_PRINCIPAL_APPID, appid_or_resource_id, ret_found, ret,
                  err);
}

const struct engine_client *directory_clients(const struct engine *e, size_t i, struct principal *ret)
{
    if (i >= e->directory->clients_n)
        return NULL;
    *ret = directory_client_principal(&e->directory->clients[i]);
    return &e->cfg.clients[i];
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
