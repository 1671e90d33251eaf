/*
 * vkey.c: the life of keys: create, import, rotate, read, update, delete, recover.
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
#include "server/base/timefmt.h"
#include "storage/st_keypolicy.h"

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

/* A version on its way into the database. */
struct fresh {
    struct engine *e;
    const struct vault *v;
    const char *name;
    const char *rotates; /* the version that this one follows as the rotation policy says, or NULL */
    bool only_new;       /* a key of this name must not be there */
    const struct vkey_policy *policy; /* the key's from then on, or NULL */
    bool due;                         /* … and only while that is still due */
    bool skipped;                     /* it no longer was: nothing is stored */
    struct st_object row;
    struct sb_buf sealed;
    char version[VKEY_VERSION_LEN + 1];
    struct sb_arena *a;
    struct vkey k; /* the result */
};

struct name_free {
    const struct vault *v;
    const char *name;
    struct sb_arena *a;
};

static enum sb_err run_name_free(struct tx *tx, void *arg, struct sb_error *err)
{
    struct name_free *f = arg;
    struct st_object head;
    bool found;
    return vault_object_head(tx, f->v, ST_KEY, f->name, f->a, &found, &head, err);
}

/* The expiry that the policy asks for; is the rotation still due? */
static enum sb_err follow_policy(struct tx *tx, struct fresh *f, struct sb_error *err)
{
    enum sb_err rc;
    struct st_object newest = {0};
    struct st_keypolicy p = {0};
    bool found = false;
    int64_t expiry = 0;
    SB_TRY(st_object_version(tx, f->v->id, ST_KEY, f->name, ST_OBJECT_NEWEST, NULL, 0, f->a, &found, &newest,
                             err));
    f->skipped = f->due && (!found || newest.deleted != 0 || strcmp(newest.version, f->rotates) != 0);
    if (!found || f->skipped)
        return SB_OK;
    SB_TRY(st_keypolicy_get(tx, newest.object_id, f->a, &found, &p, err));
    f->skipped = f->due && (!found || p.rotate == 0 || p.rotate > f->row.created);
    if (found && p.expiry != NULL && duration_parse(p.expiry, &expiry))
        f->row.exp = f->row.created + expiry / 1000;
out:
    return rc;
}

static enum sb_err check_new(struct tx *tx, const struct fresh *f, struct sb_error *err)
{
    enum sb_err rc;
    struct st_object head = {0};
    bool found = false;
    SB_TRY(vault_object_head(tx, f->v, ST_KEY, f->name, f->a, &found, &head, err));
    if (found)
        rc = sb_fail(err, SB_EEXISTS, "The key '%s' exists.", head.name);
out:
    return rc;
}

static enum sb_err run_store(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct fresh *f = arg;
    f->row.name = f->name;
    f->skipped = false;
    if (f->only_new)
        SB_TRY(check_new(tx, f, err));
    if (f->rotates != NULL)
        SB_TRY(follow_policy(tx, f, err));
    if (!f->skipped)
        SB_TRY(vault_object_add(tx, f->v, ST_KEY, &f->row, f->a, err));
    if (f->policy != NULL)
        SB_TRY(vkey_policy_set(tx, &f->row, f->policy, f->row.created, f->a, err));
out:
    return rc;
}

static void publish_store(void *arg)
{
    struct fresh *f = arg;
    rbac_changed(f->e);
    timeline_poke(f->e);
}

/* Seals the private key and stores the version. f->row: everything but the key's numbers. */
static enum sb_err store_version(struct fresh *f, const struct pkey *key, struct sb_error *err)
{
    enum sb_err rc;
    struct pkey_parts pub;
    struct vkey k;
    char aad[VAULT_AAD_MAX];
    buf_init(&f->sealed, SEALED_KEY_MAX);
    rng_hex32(f->version);
    vault_object_aad(ST_KEY, f->v->id, f->name, f->version, aad);
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

enum sb_err vkey_check_hsm(bool hsm, const struct vault *v, struct sb_error *err)
{
    if (!hsm || text_ieq(v->sku, "premium"))
        return SB_OK;
    return sb_fail(err, SB_EBADPARAM, "Hardware key operation not allowed on standard vault");
}

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
    size_t i = 0;
    while (s->bits != 0 && i < SB_ARRAY_LEN(ec) && ec[i].bits != s->bits)
        i++;
    if (i == SB_ARRAY_LEN(ec)) /* recorded */
        return sb_fail(err, SB_EBADPARAM, "Unsupported key size (%u). Supported sizes are [256, 384, 521]",
                       s->bits);
    if (s->bits != 0 && s->curve == PKEY_CURVE_NONE)
        *curve = ec[i].curve;
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
    SB_TRY(vault_object_dates(f->row.nbf, f->row.exp, err));
out:
    return rc;
}

/* The row of `types` that a spec names. Symmetric keys are for managed HSMs. (own words) */
static enum sb_err find_type(const struct vkey_spec *s, const struct vault *v, size_t *ret,
                             struct sb_error *err)
{
    const char *kty = s->kty != NULL ? s->kty : "";
    size_t i = 0;
    while (i < SB_ARRAY_LEN(types) && strcmp(types[i].name, kty) != 0)
        i++;
    if (strcmp(kty, "oct") == 0 || strcmp(kty, "oct-HSM") == 0)
        return sb_fail(err, SB_EBADPARAM,
                       "Property kty has invalid value '%s': a key vault has no symmetric keys.", kty);
    if (i == SB_ARRAY_LEN(types))
        return sb_fail(err, SB_EBADPARAM, "Property kty has invalid value '%.64s'.", kty);
    *ret = i;
    return vkey_check_hsm(types[i].hsm, v, err);
}

/* Makes a key and stores it as f says. */
static enum sb_err create(struct fresh *f, const struct vkey_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    struct pkey *key = NULL;
    unsigned bits;
    enum pkey_curve curve;
    size_t i = 0;
    struct name_free name = {.v = f->v, .name = f->name, .a = f->a};
    SB_TRY(find_type(s, f->v, &i, err));
    f->row.kty = types[i].name;
    SB_TRY(check_size(s, types[i].type, &bits, &curve, err));
    SB_TRY(fill_row(f, s, types[i].type, err));
    /* Looked at before the slow part, and again when it is stored. */
    SB_TRY(store_read(f->e->kv, run_name_free, &name, err));
    SB_TRY(types[i].type == PKEY_RSA ? pkey_generate_rsa(bits, &key, err)
                                     : pkey_generate_ec(curve, &key, err));
    SB_TRY(store_version(f, key, err));
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
    struct fresh f = {
        .e = e, .v = &call.v->v, .name = s->name, .only_new = s->only_new, .policy = s->policy, .a = a};
    if (s->policy != NULL) {
        SB_TRY(vault_authorize(e, c, f.v, vault_op(VOP_SET_POLICY), s->name, err));
        SB_TRY(vkey_policy_check(s->policy, err));
    }
    SB_TRY(create(&f, s, err));
    vault_call_version(&call, f.version);
    *ret = f.k;
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
    SB_TRY(vkey_check_hsm(s->hsm == 1, f.v, err));
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

enum sb_err vkey_rotate_now(struct engine *e, const struct vault *v, const char *name, bool due,
                            struct sb_arena *a, struct vkey *ret, bool *ret_done, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey_snap *old = NULL;
    SB_TRY(vkey_find(e, v, name, NULL, &old, err));
    /* Same type, size, operations and tags (recorded); dates are the new version's own. */
    const struct vkey *k = &old->k;
    const struct vkey_spec s = {.vault = v->name,
                                .name = name,
                                .kty = k->kty,
                                .bits = k->pub.type == PKEY_RSA ? modulus_bits(k->pub.n) : 0,
                                .curve = k->pub.curve,
                                .key_ops = k->key_ops,
                                .enabled = -1,
                                .nbf = -1,
                                .exp = -1,
                                .tags = k->tags};
    struct fresh f = {.e = e, .v = v, .name = name, .rotates = k->version, .due = due, .a = a};
    SB_TRY(create(&f, &s, err));
    *ret_done = !f.skipped;
    *ret = f.k;
out:
    vault_snap_unref(old);
    return rc;
}

enum sb_err vkey_rotate(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    bool done;
    SB_TRY(vault_call_begin(&call, e, c, VOP_ROTATE, vault, name, err));
    SB_TRY(vkey_rotate_now(e, &call.v->v, name, false, a, ret, &done, err));
    vault_call_version(&call, ret->version);
out:
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

/* Rows as keys; text is shared with the rows. */
static enum sb_err show(const struct st_object *rows, size_t n, const struct vault *v, struct sb_arena *a,
                        struct vkey **ret, struct sb_error *err)
{
    struct vkey *k = ARENA_ARRAY(a, struct vkey, n + 1);
    const char *vault = arena_strdup(a, v->name); /* the vault's own may go first */
    if (k == NULL || vault == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory showing keys");
    for (size_t i = 0; i < n; i++) {
        vkey_from_row(&rows[i], v, &k[i]);
        k[i].vault = vault;
    }
    *ret = k;
    return SB_OK;
}

static enum sb_err list(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                        const char *vault, const char *name, struct vault_page *page, struct sb_arena *a,
                        struct vkey **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct st_object *rows = NULL;
    size_t n = 0;
    SB_TRY(vault_call_begin(&call, e, c, op, vault, name, err));
    SB_TRY(vault_object_list(&call, ST_KEY, name, op == VOP_DELETED_LIST, page, a, &rows, &n, err));
    SB_TRY(show(rows, n, &call.v->v, a, ret, err));
    *ret_n = n;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_list(struct engine *e, const struct vault_caller *c, const char *vault, bool deleted,
                      struct vault_page *page, struct sb_arena *a, struct vkey **ret, size_t *ret_n,
                      struct sb_error *err)
{
    return list(e, c, deleted ? VOP_DELETED_LIST : VOP_LIST, vault, NULL, page, a, ret, ret_n, err);
}

enum sb_err vkey_versions(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                          struct vault_page *page, struct sb_arena *a, struct vkey **ret, size_t *ret_n,
                          struct sb_error *err)
{
    return list(e, c, VOP_VERSIONS, vault, name, page, a, ret, ret_n, err);
}

/* ---- changing one that is there ---- */

static enum sb_err change(void *cookie, struct st_object *k, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct vkey_spec *s = cookie;
    if (s->key_ops != NULL) {
        SB_TRY(check_ops(s->key_ops, k->n.p != NULL ? PKEY_RSA : PKEY_EC, err));
        k->key_ops = s->key_ops;
    }
    if (s->enabled >= 0)
        k->enabled = s->enabled == 1;
    k->nbf = s->nbf >= 0 ? s->nbf : k->nbf;
    k->exp = s->exp >= 0 ? s->exp : k->exp;
    k->tags = s->tags != NULL ? s->tags : k->tags;
out:
    return rc;
}

static enum sb_err edit(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                        const char *vault, struct vault_edit *d, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vkey *k = NULL;
    d->kind = ST_KEY;
    SB_TRY(vault_call_begin(&call, e, c, op, vault, d->name, err));
    SB_TRY(vault_object_edit(&call, d, err));
    SB_TRY(show(&d->row, 1, &call.v->v, d->a, &k, err));
    *ret = *k;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_update(struct engine *e, const struct vault_caller *c, const struct vkey_spec *s,
                        const char *version, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    struct vkey_spec sent = *s;
    struct vault_edit d = {
        .name = s->name, .version = version, .what = VAULT_UPDATE, .change = change, .cookie = &sent, .a = a};
    return edit(e, c, VOP_UPDATE, s->vault, &d, ret, err);
}

enum sb_err vkey_delete(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    struct vault_edit d = {.name = name, .what = VAULT_DELETE, .a = a};
    return edit(e, c, VOP_DELETE, vault, &d, ret, err);
}

enum sb_err vkey_deleted_get(struct engine *e, const struct vault_caller *c, const char *vault,
                             const char *name, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    struct vault_edit d = {.name = name, .deleted = true, .what = VAULT_READ, .a = a};
    return edit(e, c, VOP_DELETED_GET, vault, &d, ret, err);
}

enum sb_err vkey_recover(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                         struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    struct vault_edit d = {.name = name, .deleted = true, .what = VAULT_RECOVER, .a = a};
    return edit(e, c, VOP_RECOVER, vault, &d, ret, err);
}

enum sb_err vkey_purge(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                       struct sb_error *err)
{
    return vault_object_purge(e, c, VOP_PURGE, vault, ST_KEY, name, err);
}

/* ---- backup and restore ---- */

enum sb_err vkey_backup(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        struct sb_arena *a, const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_BACKUP, vault, name, err));
    SB_TRY(vault_backup(&call, ST_KEY, name, a, ret, err));
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_restore(struct engine *e, const struct vault_caller *c, const char *vault,
                         struct sb_blob blob, struct sb_arena *a, struct vkey *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct st_object row = {0};
    struct vkey *k = NULL;
    SB_TRY(vault_call_begin(&call, e, c, VOP_RESTORE, vault, NULL, err));
    SB_TRY(vault_restore(&call, ST_KEY, blob, a, &row, err));
    call.key = row.name;
    vault_call_version(&call, row.version);
    SB_TRY(show(&row, 1, &call.v->v, a, &k, err));
    *ret = *k;
out:
    return vault_call_end(&call, rc);
}
