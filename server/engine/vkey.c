/*
 * vkey.c: the life of keys: create, import, rotate, read, update, delete, recover, purge.
 *
 * A key is made (or imported) and sealed on the caller's thread; the transaction that stores it checks again
 * what may have changed meanwhile. Texts are the service's (recorded) where nothing else is said.
 */
#include <inttypes.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"

#define DAY_S (INT64_C(24) * 3600)
#define IMPORT_KEK_S                                                                                         \
    (48 * INT64_C(3600)) /* a key whose only operation is import lives that long (recorded) */
#define RSA_OPS        "encrypt,decrypt,sign,verify,wrapKey,unwrapKey"
#define EC_OPS         "sign,verify"
#define SEALED_KEY_MAX (64u * 1024)

static int64_t now_s(struct engine *e)
{
    return engine_now(e) / 1000;
}

/* ---- what is asked for ---- */

static const struct {
    const char *name;
    enum pkey_type type;
    bool hsm;
} types[] = {
    {"RSA", PKEY_RSA, false}, {"RSA-HSM", PKEY_RSA, true}, {"EC", PKEY_EC, false}, {"EC-HSM", PKEY_EC, true}};

static const char *const operations[] = {"encrypt", "decrypt",   "sign",   "verify",
                                         "wrapKey", "unwrapKey", "import", "export"};

/* A comma-separated list of known operations, none twice. (own words) */
static enum sb_err check_ops(const char *list, enum pkey_type type, struct sb_error *err)
{
    unsigned seen = 0;
    for (const char *p = list; *p != '\0';) {
        size_t n = strcspn(p, ","), i = 0;
        while (i < SB_ARRAY_LEN(operations) &&
               (strlen(operations[i]) != n || strncmp(operations[i], p, n) != 0))
            i++;
        bool rsa_only = i < 2 || i == 4 || i == 5;
        if (i == SB_ARRAY_LEN(operations) || (type == PKEY_EC && rsa_only) || (seen & (1u << i)) != 0)
            return sb_fail(err, SB_EBADPARAM, "Property key_ops has invalid value '%.*s'.",
                           (int)SB_MIN(n, 64), p);
        seen |= 1u << i;
        p += n + (p[n] == ',');
    }
    return SB_OK;
}

/* (own words) */
static enum sb_err check_dates(int64_t nbf, int64_t exp, struct sb_error *err)
{
    if (nbf >= 0 && exp >= 0 && nbf >= exp)
        return sb_fail(err, SB_EBADPARAM, "Property nbf must be earlier than property exp.");
    return SB_OK;
}

/* A version on its way into the database. */
struct fresh {
    struct engine *e;
    const struct vault *v;
    const char *name;
    bool only_new; /* a key of this name must not be there */
    struct st_key row;
    struct sb_buf sealed;
    char version[VKEY_VERSION_LEN + 1];
    struct sb_arena *a;
    struct vkey k; /* the result */
};

static enum sb_err deleted_but_recoverable(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_EKEYDELETED,
                   "Key %s is currently in a deleted but recoverable state, and its name cannot be reused; "
                   "in this state, the "
                   "key can only be recovered or purged.",
                   name);
}

/* Is the vault still there, as the same one? */
static enum sb_err check_vault(struct tx *tx, const struct vault *v, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct st_vault row = {0};
    bool found = false;
    SB_TRY(st_vault_get(tx, v->name, a, &found, &row, err));
    if (!found || row.deleted_ms != 0 || row.id != v->id)
        rc = sb_fail(err, SB_ENOVAULT, "The key vault '%s' does not exist.", v->name);
out:
    return rc;
}

struct name_free {
    const struct vault *v;
    const char *name;
    struct sb_arena *a;
};

static enum sb_err run_name_free(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct name_free *f = arg;
    struct st_key row = {0};
    bool found = false;
    SB_TRY(st_key_find(tx, f->v->id, f->name, f->a, &found, &row, err));
    if (found && row.deleted != 0)
        rc = deleted_but_recoverable(row.name, err);
out:
    return rc;
}

static enum sb_err run_store(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct fresh *f = arg;
    struct st_key head = {0};
    bool found = false;
    SB_TRY(check_vault(tx, f->v, f->a, err));
    SB_TRY(st_key_find(tx, f->v->id, f->name, f->a, &found, &head, err));
    if (found && head.deleted != 0)
        return deleted_but_recoverable(head.name, err);
    if (found && f->only_new)
        return sb_fail(err, SB_EEXISTS, "The key '%s' exists.", head.name);
    f->row.vault_id = f->v->id;
    f->row.name = found ? head.name : f->name; /* as first written */
    f->row.key_id = head.key_id;
    if (!found)
        SB_TRY(st_key_insert(tx, f->v->id, f->name, &f->row.key_id, err));
    SB_TRY(st_key_add_version(tx, &f->row, &f->row.version_id, err));
out:
    return rc;
}

static void publish_store(void *arg)
{
    struct fresh *f = arg;
    rbac_changed(f->e);
}

/* Seals the private key and stores the version. f->row: everything but the key's numbers. */
static enum sb_err store_version(struct fresh *f, const struct pkey *key, struct sb_error *err)
{
    enum sb_err rc;
    struct pkey_parts pub;
    struct vkey k;
    char aad[VAULT_CACHE_KEY + 16];
    buf_init(&f->sealed, SEALED_KEY_MAX);
    rng_hex32(f->version);
    vkey_aad(f->v->id, f->name, f->version, aad, sizeof(aad));
    SB_TRY(pkey_public(key, f->a, &pub, err));
    SB_TRY(pkey_seal(key, f->e->platform, aad, &f->sealed, err));
    f->row.version = f->version;
    f->row.curve = pub.type == PKEY_EC ? pkey_curve_name(pub.curve) : "";
    f->row.n = pub.n;
    f->row.e = pub.e;
    f->row.x = pub.x;
    f->row.y = pub.y;
    f->row.created = f->row.updated = now_s(f->e);
    f->row.sealed = (struct sb_blob){.p = f->sealed.p, .n = f->sealed.n};
    SB_TRY(store_call_publish(f->e->kv, run_store, publish_store, f, err));
    vkey_from_row(&f->row, f->v, &k);
    if (!vkey_copy(&k, f->a, &f->k))
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a key");
out:
    buf_done(&f->sealed);
    return rc;
}

/* ---- create, import, rotate ---- */

/* Key size and curve, as sent or their defaults. */
static enum sb_err check_size(const struct vkey_spec *s, enum pkey_type type, unsigned *bits,
                              enum pkey_curve *curve, struct sb_error *err)
{
    static const struct {
        unsigned bits;
        enum pkey_curve curve;
    } ec[] = {{256, PKEY_P256}, {384, PKEY_P384}, {521, PKEY_P521}};
    *bits = s->bits != 0 ? s->bits : 2048;
    *curve = s->curve != PKEY_CURVE_NONE ? s->curve : PKEY_P256;
    if (type == PKEY_RSA) {
        if (*bits == 2048 || *bits == 3072 || *bits == 4096)
            return SB_OK;
        return sb_fail(err, SB_EBADPARAM, "Unsupported key size (%u). Supported sizes are [2048, 3072, 4096]",
                       *bits);
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(ec) && s->bits != 0; i++) {
        if (ec[i].bits != s->bits)
            continue;
        if (s->curve == PKEY_CURVE_NONE)
            *curve = ec[i].curve;
        return SB_OK;
    }
    if (s->bits != 0)
        return sb_fail(err, SB_EBADPARAM, "Unsupported key size (%u). Supported sizes are [256, 384, 521]",
                       s->bits);
    return SB_OK;
}

/* The parts of a spec that create and import share. */
static enum sb_err fill_row(struct fresh *f, const struct vkey_spec *s, enum pkey_type type,
                            struct sb_error *err)
{
    enum sb_err rc;
    const char *all = type == PKEY_RSA ? RSA_OPS : EC_OPS;
    f->row.key_ops = s->key_ops != NULL && s->key_ops[0] != '\0' ? s->key_ops : all;
    f->row.enabled = s->enabled != 0;
    f->row.nbf = s->nbf;
    f->row.exp = s->exp;
    f->row.tags = s->tags;
    SB_TRY(check_ops(f->row.key_ops, type, err));
    if (strcmp(f->row.key_ops, "import") == 0 && s->exp < 0)
        f->row.exp = now_s(f->e) + IMPORT_KEK_S;
    SB_TRY(check_dates(f->row.nbf, f->row.exp, err));
out:
    return rc;
}

static enum sb_err create(struct vault_call *call, const struct vkey_spec *s, struct sb_arena *a,
                          struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct pkey *key = NULL;
    unsigned bits;
    enum pkey_curve curve;
    size_t i = 0;
    struct fresh f = {.e = call->e, .v = &call->v->v, .name = s->name, .only_new = s->only_new, .a = a};
    struct name_free name = {.v = f.v, .name = s->name, .a = a};
    while (i < SB_ARRAY_LEN(types) && (s->kty == NULL || strcmp(types[i].name, s->kty) != 0))
        i++;
    if (i == SB_ARRAY_LEN(types)) /* own words */
        return sb_fail(err, SB_EBADPARAM, "Property kty has invalid value '%.64s'.",
                       s->kty != NULL ? s->kty : "");
    f.row.kty = types[i].name;
    SB_TRY(check_size(s, types[i].type, &bits, &curve, err));
    SB_TRY(fill_row(&f, s, types[i].type, err));
    /* Looked at before the slow part, and again when it is stored. */
    SB_TRY(store_read(call->e->kv, run_name_free, &name, err));
    SB_TRY(types[i].type == PKEY_RSA ? pkey_generate_rsa(bits, &key, err)
                                     : pkey_generate_ec(curve, &key, err));
    SB_TRY(store_version(&f, key, err));
    vault_call_version(call, f.version);
    *ret = f.k;
out:
    pkey_unref(key);
    return rc;
}

enum sb_err vkey_create(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_CREATE, s->vault, s->name, err));
    SB_TRY(create(&call, s, a, ret, err));
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_import(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    enum pkey_type type = pkey_type_of(s->import);
    SB_TRY(vault_call_begin(&call, e, c, VOP_IMPORT, s->vault, s->name, err));
    struct fresh f = {.e = e, .v = &call.v->v, .name = s->name, .a = a};
    for (size_t i = 0; i < SB_ARRAY_LEN(types); i++)
        if (types[i].type == type && types[i].hsm == (s->hsm == 1))
            f.row.kty = types[i].name;
    SB_TRY(fill_row(&f, s, type, err));
    SB_TRY(store_version(&f, s->import, err));
    vault_call_version(&call, f.version);
    *ret = f.k;
out:
    return vault_call_end(&call, rc);
}

/* Bits of an RSA modulus. */
static unsigned modulus_bits(struct sb_blob n)
{
    return (unsigned)(n.n * 8);
}

enum sb_err vkey_rotate(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *old = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_ROTATE, vault, name, err));
    SB_TRY(vkey_find(e, &call.v->v, name, NULL, &old, err));
    /* Same type, size, operations and tags (recorded); dates are the new version's own. */
    const struct vkey *k = &old->k;
    const struct vkey_spec s = {.vault = vault,
                                .name = name,
                                .kty = k->kty,
                                .bits = k->pub.type == PKEY_RSA ? modulus_bits(k->pub.n) : 0,
                                .curve = k->pub.curve,
                                .key_ops = k->key_ops,
                                .enabled = -1,
                                .nbf = -1,
                                .exp = -1,
                                .tags = k->tags};
    SB_TRY(create(&call, &s, a, ret, err));
out:
    vault_snap_unref(old);
    return vault_call_end(&call, rc);
}

/* ---- reading ---- */

enum sb_err vkey_get(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                     const char *version, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey_snap *k = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_GET, vault, name, err));
    SB_TRY(vkey_find(e, &call.v->v, name, version, &k, err));
    vault_call_version(&call, k->k.version);
    if (!vkey_copy(&k->k, a, ret))
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a key");
out:
    vault_snap_unref(k);
    return vault_call_end(&call, rc);
}

struct page {
    const struct vault *v;
    const char *name; /* NULL: keys, else versions of this one */
    bool deleted;
    size_t offset, max;
    struct sb_arena *a;
    struct vkey *keys;
    size_t n;
};

static enum sb_err run_page(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct page *p = arg;
    struct st_key *rows = NULL;
    /* One more than asked for tells whether there are further ones. */
    if (p->name == NULL)
        SB_TRY(st_key_list(tx, p->v->id, p->deleted, p->offset, p->max + 1, p->a, &rows, &p->n, err));
    else
        SB_TRY(st_key_versions(tx, p->v->id, p->name, p->offset, p->max + 1, p->a, &rows, &p->n, err));
    p->keys = ARENA_ARRAY(p->a, struct vkey, p->n + 1);
    const char *vault = arena_strdup(p->a, p->v->name);
    if (p->keys == NULL || vault == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory listing keys");
    for (size_t i = 0; i < p->n; i++) {
        vkey_from_row(&rows[i], p->v, &p->keys[i]);
        p->keys[i].vault = vault;
    }
    rc = SB_OK;
out:
    return rc;
}

static enum sb_err page(struct engine *e, struct page *p, struct vkey **ret, size_t *ret_n, bool *ret_more,
                        struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(store_read(e->kv, run_page, p, err));
    *ret = p->keys;
    *ret_more = p->n > p->max;
    *ret_n = SB_MIN(p->n, p->max);
out:
    return rc;
}

enum sb_err vkey_list(struct engine *e, const struct vault_caller *c, const char *vault, bool deleted,
                      size_t offset, size_t max, struct sb_arena *a, struct vkey **ret, size_t *ret_n,
                      bool *ret_more, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, deleted ? VOP_DELETED_LIST : VOP_LIST, vault, NULL, err));
    struct page p = {.v = &call.v->v, .deleted = deleted, .offset = offset, .max = max, .a = a};
    SB_TRY(page(e, &p, ret, ret_n, ret_more, err));
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_versions(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                          size_t offset, size_t max, struct sb_arena *a, struct vkey **ret, size_t *ret_n,
                          bool *ret_more, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_VERSIONS, vault, name, err));
    struct page p = {.v = &call.v->v, .name = name, .offset = offset, .max = max, .a = a};
    SB_TRY(page(e, &p, ret, ret_n, ret_more, err));
out:
    return vault_call_end(&call, rc);
}

/* ---- changing one that is there ---- */

/* An operation on a stored key, in one transaction. */
struct edit {
    struct engine *e;
    const struct vault *v;
    const char *name, *version;
    const struct vkey_spec *s; /* update */
    bool deleted;              /* the key to look for: deleted or live */
    enum { EDIT_READ, EDIT_UPDATE, EDIT_DELETE, EDIT_RECOVER, EDIT_PURGE } what;
    struct sb_arena *a;
    struct vkey k;
};

static enum sb_err deleted_key_not_found(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_EKEYNOTFOUND, "Deleted Key not found: %s", name);
}

static enum sb_err apply(struct edit *d, struct st_key *k, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct vkey_spec *s = d->s;
    if (s->key_ops != NULL) {
        SB_TRY(check_ops(s->key_ops, k->n.p != NULL ? PKEY_RSA : PKEY_EC, err));
        k->key_ops = s->key_ops;
    }
    if (s->enabled >= 0)
        k->enabled = s->enabled == 1;
    k->nbf = s->nbf >= 0 ? s->nbf : k->nbf;
    k->exp = s->exp >= 0 ? s->exp : k->exp;
    k->tags = s->tags != NULL ? s->tags : k->tags;
    k->updated = now_s(d->e);
    SB_TRY(check_dates(k->nbf, k->exp, err));
out:
    return rc;
}

static enum sb_err run_edit(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct edit *d = arg;
    struct st_key k = {0};
    bool found = false, newest = d->version == NULL || d->version[0] == '\0';
    SB_TRY(check_vault(tx, d->v, d->a, err));
    SB_TRY(st_key_version(tx, d->v->id, d->name, newest ? ST_KEY_NEWEST : ST_KEY_EXACT, d->version, 0, d->a,
                          &found, &k, err));
    if (d->deleted && found && k.deleted == 0 &&
        d->what != EDIT_READ) /* by analogy with the recorded one of a secret */
        return sb_fail(err, SB_EKEYLIVE, "Key exists already: %s", k.name);
    if (!found || (k.deleted != 0) != d->deleted)
        return d->deleted ? deleted_key_not_found(d->name, err) : vkey_not_found(err, d->name, d->version);
    switch (d->what) {
    case EDIT_READ: break;
    case EDIT_UPDATE:
        SB_TRY(apply(d, &k, err));
        SB_TRY(st_key_update_version(tx, &k, err));
        break;
    case EDIT_DELETE:
        k.deleted = now_s(d->e);
        k.purge = k.deleted + d->v->soft_delete_days * DAY_S;
        SB_TRY(st_key_set_deleted(tx, k.key_id, k.deleted, k.purge, err));
        break;
    case EDIT_RECOVER:
        k.deleted = k.purge = 0;
        SB_TRY(st_key_set_deleted(tx, k.key_id, 0, 0, err));
        break;
    case EDIT_PURGE: SB_TRY(st_key_remove(tx, k.key_id, err)); break;
    }
    struct vkey shown;
    vkey_from_row(&k, d->v, &shown);
    if (!vkey_copy(&shown, d->a, &d->k))
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a key");
out:
    return rc;
}

static void publish_edit(void *arg)
{
    struct edit *d = arg;
    rbac_changed(d->e);
    if (d->what == EDIT_DELETE || d->what == EDIT_PURGE)
        vkey_forget(d->e, d->v->id, d->name);
    if (d->what == EDIT_DELETE)
        timeline_poke(d->e);
}

static enum sb_err edit(struct vault_call *call, struct edit *d, struct sb_error *err)
{
    enum sb_err rc;
    char version[VKEY_VERSION_LEN + 1];
    d->e = call->e;
    d->v = &call->v->v;
    if (d->version != NULL) {
        if (!text_copy(version, sizeof(version), d->version))
            return vkey_not_found(err, d->name, d->version);
        d->version = text_tolower(version);
    }
    if (d->what == EDIT_READ)
        SB_TRY(store_read(d->e->kv, run_edit, d, err));
    else
        SB_TRY(store_call_publish(d->e->kv, run_edit, publish_edit, d, err));
    vault_call_version(call, d->k.version);
out:
    return rc;
}

enum sb_err vkey_update(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                        const char *version, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct edit d = {.name = s->name, .version = version, .s = s, .what = EDIT_UPDATE, .a = a};
    SB_TRY(vault_call_begin(&call, e, c, VOP_UPDATE, s->vault, s->name, err));
    SB_TRY(edit(&call, &d, err));
    *ret = d.k;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_delete(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct edit d = {.name = name, .what = EDIT_DELETE, .a = a};
    SB_TRY(vault_call_begin(&call, e, c, VOP_DELETE, vault, name, err));
    SB_TRY(edit(&call, &d, err));
    *ret = d.k;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_deleted_get(struct engine *e, const struct vault_caller *c, const char *vault,
                             const char *name, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct edit d = {.name = name, .deleted = true, .what = EDIT_READ, .a = a};
    SB_TRY(vault_call_begin(&call, e, c, VOP_DELETED_GET, vault, name, err));
    SB_TRY(edit(&call, &d, err));
    *ret = d.k;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_recover(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                         struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct edit d = {.name = name, .deleted = true, .what = EDIT_RECOVER, .a = a};
    SB_TRY(vault_call_begin(&call, e, c, VOP_RECOVER, vault, name, err));
    SB_TRY(edit(&call, &d, err));
    *ret = d.k;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_purge(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                       struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct edit d = {.name = name, .deleted = true, .what = EDIT_PURGE, .a = arena_new(VAULT_TEXT_MAX)};
    SB_TRY(vault_call_begin(&call, e, c, VOP_PURGE, vault, name, err));
    const struct vault *v = &call.v->v;
    if (d.a == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory purging a key");
    else if (v->purge_protection)
        rc = sb_fail(
            err, SB_EPURGEPROTECTED,
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key "
            "Vault service "
            "will automatically purge it after the retention period has passed.\r\nVault: %s;location=%s",
            v->name, v->location);
    else
        rc = edit(&call, &d, err);
    if (rc == SB_OK)
        rc = store_scrub(e->kv, err);
out:
    arena_free(d.a);
    return vault_call_end(&call, rc);
}
