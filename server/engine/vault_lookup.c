/*
 * vault_lookup.c: rows of vaults and key versions as remembered snapshots, and the opened private keys.
 */
#include <inttypes.h>
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"

/* ---- life cycle ---- */

void *vault_snap_ref(void *snap)
{
    struct snap *s = snap;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return snap;
}

void vault_snap_unref(void *snap)
{
    struct snap *s = snap;
    if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        arena_free(s->arena);
}

static void *ref_pkey(void *k)
{
    return pkey_ref(k);
}

static void unref_pkey(void *k)
{
    pkey_unref(k);
}

enum sb_err vault_open(struct engine *e, struct sb_error *err)
{
    struct vaults *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory opening the vaults");
    pthread_mutex_init(&v->due_lock, NULL);
    e->vaults = v;
    v->vaults = vault_cache_new(VAULT_SNAPS_MAX, vault_snap_ref, vault_snap_unref);
    v->versions = vault_cache_new(VAULT_SNAPS_MAX, vault_snap_ref, vault_snap_unref);
    v->pkeys = vault_cache_new(VAULT_PKEYS_MAX, ref_pkey, unref_pkey);
    if (v->vaults != NULL && v->versions != NULL && v->pkeys != NULL)
        return SB_OK;
    vault_close(e);
    return sb_fail(err, SB_ENOMEM, "out of memory opening the vaults");
}

void vault_close(struct engine *e)
{
    struct vaults *v = e->vaults;
    if (v == NULL)
        return;
    vault_cache_free(v->pkeys);
    vault_cache_free(v->versions);
    vault_cache_free(v->vaults);
    pthread_mutex_destroy(&v->due_lock);
    free(v);
    e->vaults = NULL;
}

/* ---- rows as the engine shows them ---- */

bool vault_from_row(const struct st_vault *row, struct sb_arena *a, struct vault *ret)
{
    struct vault_policy *p = ARENA_ARRAY(a, struct vault_policy, row->policies_n + 1);
    if (p == NULL)
        return false;
    for (size_t i = 0; i < row->policies_n; i++)
        p[i] = (struct vault_policy){.tenant = row->policies[i].tenant,
                                     .oid = row->policies[i].oid,
                                     .appid = row->policies[i].appid,
                                     .permissions = row->policies[i].permissions,
                                     .keys = row->policies[i].keys,
                                     .secrets = row->policies[i].secrets};
    *ret = (struct vault){.id = row->id,
                          .sub = row->sub,
                          .group = row->group,
                          .name = row->name,
                          .location = row->location,
                          .tags = row->tags,
                          .tenant = row->tenant,
                          .sku = row->sku,
                          .created_ms = row->created_ms,
                          .updated_ms = row->updated_ms,
                          .created_by = row->created_by,
                          .updated_by = row->updated_by,
                          .soft_delete = true,
                          .purge_protection = row->purge_protection,
                          .soft_delete_days = row->soft_delete_days,
                          .rbac = row->rbac,
                          .for_deployment = row->for_deployment,
                          .for_disk = row->for_disk,
                          .for_template = row->for_template,
                          .network_acls = row->network_acls,
                          .acl_deny = row->acl_deny,
                          .acl_bypass_azure = row->acl_bypass_azure,
                          .acl_ips = row->acl_ips,
                          .public_access = row->public_access,
                          .policies = p,
                          .policies_n = row->policies_n,
                          .deleted_ms = row->deleted_ms,
                          .purge_ms = row->purge_ms};
    return true;
}

void vkey_from_row(const struct st_object *row, const struct vault *v, struct vkey *ret)
{
    *ret = (struct vkey){.vault_id = row->vault_id,
                         .vault = v->name,
                         .name = row->name,
                         .version = row->version,
                         .kty = row->kty,
                         .key_ops = row->key_ops,
                         .pub = {.type = row->n.p != NULL ? PKEY_RSA : PKEY_EC,
                                 .curve = pkey_curve_parse(row->curve),
                                 .n = row->n,
                                 .e = row->e,
                                 .x = row->x,
                                 .y = row->y},
                         .enabled = row->enabled,
                         .nbf = row->nbf,
                         .exp = row->exp,
                         .created = row->created,
                         .updated = row->updated,
                         .tags = row->tags,
                         .deleted = row->deleted,
                         .purge = row->purge,
                         .recoverable_days = v->soft_delete_days,
                         .purge_protection = v->purge_protection};
}

bool vault_copy(const struct vault *v, struct sb_arena *a, struct vault *ret)
{
    struct vault_policy *p = ARENA_ARRAY(a, struct vault_policy, v->policies_n + 1);
    for (size_t i = 0; p != NULL && i < v->policies_n; i++)
        p[i] = (struct vault_policy){.tenant = arena_strdup(a, v->policies[i].tenant),
                                     .oid = arena_strdup(a, v->policies[i].oid),
                                     .appid = arena_strdup(a, v->policies[i].appid),
                                     .permissions = arena_strdup(a, v->policies[i].permissions),
                                     .keys = v->policies[i].keys,
                                     .secrets = v->policies[i].secrets};
    *ret = *v;
    ret->policies = p;
    ret->sub = arena_strdup(a, v->sub);
    ret->group = arena_strdup(a, v->group);
    ret->name = arena_strdup(a, v->name);
    ret->location = arena_strdup(a, v->location);
    ret->tags = arena_strdup(a, v->tags);
    ret->tenant = arena_strdup(a, v->tenant);
    ret->sku = arena_strdup(a, v->sku);
    ret->created_by = arena_strdup(a, v->created_by);
    ret->updated_by = arena_strdup(a, v->updated_by);
    ret->network_acls = arena_strdup(a, v->network_acls);
    ret->acl_ips = arena_strdup(a, v->acl_ips);
    return !arena_failed(a);
}

static struct sb_blob copy_blob(struct sb_arena *a, struct sb_blob b)
{
    return (struct sb_blob){.p = b.p == NULL ? NULL : arena_memdup(a, b.p, b.n), .n = b.n};
}

bool vkey_copy(const struct vkey *k, struct sb_arena *a, struct vkey *ret)
{
    *ret = *k;
    ret->vault = arena_strdup(a, k->vault);
    ret->name = arena_strdup(a, k->name);
    ret->version = arena_strdup(a, k->version);
    ret->kty = arena_strdup(a, k->kty);
    ret->key_ops = arena_strdup(a, k->key_ops);
    ret->tags = arena_strdup(a, k->tags);
    ret->pub.n = copy_blob(a, k->pub.n);
    ret->pub.e = copy_blob(a, k->pub.e);
    ret->pub.x = copy_blob(a, k->pub.x);
    ret->pub.y = copy_blob(a, k->pub.y);
    return !arena_failed(a);
}

/* ---- remembered lookups ---- */

/* A new snapshot of n bytes in an arena of its own; NULL: out of memory. */
static void *snap_new(size_t n)
{
    struct sb_arena *a = arena_new(VAULT_TEXT_MAX);
    if (a == NULL)
        return NULL;
    struct snap *s = arena_alloc(a, n);
    if (s == NULL) {
        arena_free(a);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->arena = a;
    return s;
}

struct find_vault {
    const char *name;
    struct vault_snap *snap;
    bool found;
};

static enum sb_err run_find_vault(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct find_vault *f = arg;
    struct st_vault row = {0};
    bool found = false;
    SB_TRY(st_vault_get(tx, f->name, f->snap->s.arena, &found, &row, err));
    f->found = found && row.deleted_ms == 0;
    if (f->found && !vault_from_row(&row, f->snap->s.arena, &f->snap->v))
        rc = sb_fail(err, SB_ENOMEM, "out of memory reading a vault");
out:
    return rc;
}

enum sb_err vault_find(struct engine *e, const char *name, struct vault_snap **ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    char key[VAULT_NAME_MAX + 1];
    struct find_vault f = {.name = key};
    uint64_t epoch = rbac_epoch(e);
    if (!text_copy(key, sizeof(key), name))
        goto none;
    text_tolower(key);
    *ret = vault_cache_get(e->vaults->vaults, key, epoch);
    if (*ret != NULL)
        return SB_OK;
    f.snap = snap_new(sizeof(*f.snap));
    if (f.snap == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a vault");
    SB_TRY(store_read(e->kv, run_find_vault, &f, err));
    if (!f.found)
        goto none;
    vault_cache_put(e->vaults->vaults, key, epoch, f.snap);
    *ret = f.snap;
    return SB_OK;
none:
    rc = sb_fail(err, SB_ENOVAULT, "The key vault '%.64s' does not exist.", name);
out:
    vault_snap_unref(f.snap);
    return rc;
}

struct find_version {
    const struct vault *v;
    const char *name, *version;
    enum st_object_which which;
    int64_t now;
    struct vkey_snap *snap;
    bool found;
};

static enum sb_err run_find_version(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct find_version *f = arg;
    struct st_object row = {0};
    bool found = false;
    SB_TRY(st_object_version(tx, f->v->id, ST_KEY, f->name, f->which, f->version, f->now, f->snap->s.arena,
                             &found, &row, err));
    f->found = found && row.deleted == 0;
    if (f->found) {
        vkey_from_row(&row, f->v, &f->snap->k);
        f->snap->sealed = row.sealed;
    }
out:
    return rc;
}

/* Reads into a new snapshot; *ret NULL when there is no such version. */
static enum sb_err read_version(struct engine *e, struct find_version *f, uint64_t epoch,
                                struct vkey_snap **ret, struct sb_error *err)
{
    enum sb_err rc;
    f->snap = snap_new(sizeof(*f->snap));
    if (f->snap == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory reading a key");
    f->snap->epoch = epoch;
    SB_TRY(store_read(e->kv, run_find_version, f, err));
    if (f->found) {
        /* The vault's name is in the vault's snapshot, which may go first. */
        f->snap->k.vault = arena_strdup(f->snap->s.arena, f->v->name);
        if (f->snap->k.vault == NULL) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory reading a key");
            goto out;
        }
        *ret = f->snap;
        return SB_OK;
    }
    *ret = NULL;
out:
    vault_snap_unref(f->snap);
    return rc;
}

static void cache_key(int64_t vault_id, const char *name, const char *version, char *dst, size_t cap)
{
    (void)snprintf(dst, cap, "%" PRId64 "/%s/%s", vault_id, name, version);
    text_tolower(dst);
}

enum sb_err vkey_find(struct engine *e, const struct vault *v, const char *name, const char *version,
                      struct vkey_snap **ret, struct sb_error *err)
{
    enum sb_err rc;
    char key[VAULT_CACHE_KEY], wanted[VKEY_VERSION_LEN + 1] = "";
    struct vkey_snap *found = NULL;
    uint64_t epoch = rbac_epoch(e);
    if (version != NULL && !text_copy(wanted, sizeof(wanted), version))
        return vault_object_missing(ST_KEY, name, version, err);
    text_tolower(wanted);
    cache_key(v->id, name, wanted, key, sizeof(key));
    *ret = vault_cache_get(e->vaults->versions, key, epoch);
    if (*ret != NULL)
        return SB_OK;
    struct find_version f = {.v = v,
                             .name = name,
                             .version = wanted,
                             .which = wanted[0] == '\0' ? ST_OBJECT_NEWEST : ST_OBJECT_EXACT};
    SB_TRY(read_version(e, &f, epoch, &found, err));
    if (found == NULL)
        return vault_object_missing(ST_KEY, name, version, err);
    vault_cache_put(e->vaults->versions, key, epoch, found);
    *ret = found;
out:
    return rc;
}

enum sb_err vkey_find_current(struct engine *e, const struct vault *v, const char *name,
                              struct vkey_snap **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vkey_snap *found = NULL;
    int64_t now = engine_now(e) / 1000;
    SB_TRY(vkey_find(e, v, name, NULL, &found, err));
    if (found->k.nbf <= now) {
        *ret = found;
        return SB_OK;
    }
    /* Rare: the newest one waits for its date. Which one is current changes with time, so it is not
     * remembered. */
    vault_snap_unref(found);
    found = NULL;
    struct find_version f = {.v = v, .name = name, .which = ST_OBJECT_CURRENT, .now = now};
    SB_TRY(read_version(e, &f, rbac_epoch(e), &found, err));
    if (found == NULL)
        return sb_fail(err, SB_EKEYNOTYET, "Key %.127s of vault %.24s has no version that is valid yet.",
                       name, v->name);
    *ret = found;
out:
    return rc;
}

/* ---- opened private keys ---- */

void vault_object_aad(enum st_kind kind, int64_t vault_id, const char *name, const char *version, char *dst)
{
    (void)snprintf(dst, VAULT_AAD_MAX, "vault-%s/%" PRId64 "/%s/%s", kind == ST_KEY ? "key" : "secret",
                   vault_id, name, version);
    text_tolower(dst);
}

enum sb_err vkey_open(struct engine *e, const struct vkey_snap *k, struct pkey **ret, struct sb_error *err)
{
    enum sb_err rc;
    char key[VAULT_CACHE_KEY], aad[VAULT_AAD_MAX];
    struct pkey *opened = NULL;
    cache_key(k->k.vault_id, k->k.name, k->k.version, key, sizeof(key));
    *ret = vault_cache_get(e->vaults->pkeys, key, 0);
    if (*ret != NULL)
        return SB_OK;
    vault_object_aad(ST_KEY, k->k.vault_id, k->k.name, k->k.version, aad);
    SB_TRY(pkey_unseal(k->sealed.p, k->sealed.n, e->platform, aad, &opened, err));
    vault_cache_put(e->vaults->pkeys, key, 0, opened);
    /* Something changed meanwhile, perhaps this key's deletion: it must not be remembered behind its back. */
    if (rbac_epoch(e) != k->epoch)
        vault_cache_drop(e->vaults->pkeys, key);
    *ret = opened;
out:
    return rc;
}

void vkey_forget(struct engine *e, int64_t vault_id, const char *name)
{
    char prefix[VAULT_CACHE_KEY];
    (void)snprintf(prefix, sizeof(prefix), "%" PRId64 "/%s%s", vault_id, name != NULL ? name : "",
                   name != NULL ? "/" : "");
    text_tolower(prefix);
    vault_cache_drop(e->vaults->pkeys, prefix);
}
