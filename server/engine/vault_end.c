/*
 * vault_end.c: the end of key vaults: soft delete, deleted vaults, purge by hand; and what falls due in
 * vaults.
 */
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"

#define DAY_MS    (INT64_C(24) * 3600 * 1000)
#define DUE_BATCH 256 /* purges in one transaction */

/* ---- delete, deleted, purge ---- */

struct end {
    struct engine *e;
    const char *sub, *group, *location, *name;
    struct sb_arena *a;
    struct vault v;
    int64_t id;
    bool existed;
};

static enum sb_err soft_delete(struct engine *e, struct tx *tx, struct st_vault *row, struct sb_error *err)
{
    enum sb_err rc;
    char scope[VAULT_SCOPE_MAX];
    const struct vault v = {.sub = row->sub, .group = row->group, .name = row->name};
    row->deleted_ms = engine_now(e);
    row->purge_ms = row->deleted_ms + row->soft_delete_days * DAY_MS;
    SB_TRY(st_vault_update(tx, row, err));
    /* Documented: role assignments do not come back with a recovered vault. */
    vault_scope(&v, scope, sizeof(scope));
    SB_TRY(rbac_drop_scope(tx, scope, err));
out:
    return rc;
}

static enum sb_err run_delete(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct end *d = arg;
    struct st_vault row = {0};
    bool found = false;
    SB_TRY(st_vault_get(tx, d->name, d->a, &found, &row, err));
    d->existed = found && row.deleted_ms == 0 && vault_of_group(&row, d->sub, d->group);
    d->id = row.id;
    if (d->existed)
        SB_TRY(soft_delete(d->e, tx, &row, err));
out:
    return rc;
}

static void publish_end(void *arg)
{
    struct end *d = arg;
    if (!d->existed)
        return;
    rbac_changed(d->e);
    vkey_forget(d->e, d->id, NULL);
    timeline_poke(d->e);
}

enum sb_err vault_delete(struct engine *e, const char *sub, const char *group, const char *name,
                         bool *ret_existed, struct sb_error *err)
{
    enum sb_err rc;
    struct end d = {.e = e, .sub = sub, .group = group, .name = name, .a = arena_new(VAULT_TEXT_MAX)};
    if (d.a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory deleting a vault");
    SB_TRY(store_call_publish(e->kv, run_delete, publish_end, &d, err));
    *ret_existed = d.existed;
out:
    arena_free(d.a);
    return rc;
}

enum sb_err vault_delete_group(struct engine *e, const char *sub, const char *group, struct sb_error *err)
{
    enum sb_err rc;
    struct vault *v = NULL;
    size_t n = 0;
    bool existed;
    struct sb_arena *a = arena_new(64u << 20);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory deleting vaults");
    SB_TRY(vault_list(e, sub, group, a, &v, &n, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(vault_delete(e, sub, group, v[i].name, &existed, err));
out:
    arena_free(a);
    return rc;
}

static enum sb_err find_deleted(struct tx *tx, struct end *d, struct st_vault *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    SB_TRY(st_vault_get(tx, d->name, d->a, &found, ret, err));
    if (!found || ret->deleted_ms == 0 || !text_ieq(ret->sub, d->sub) ||
        !text_ieq(ret->location, d->location))
        rc = vault_deleted_not_found(d->name, err);
out:
    return rc;
}

static enum sb_err run_deleted_get(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct end *d = arg;
    struct st_vault row = {0};
    SB_TRY(find_deleted(tx, d, &row, err));
    if (!vault_from_row(&row, d->a, &d->v))
        rc = sb_fail(err, SB_ENOMEM, "out of memory reading a vault");
out:
    return rc;
}

enum sb_err vault_deleted_get(struct engine *e, const char *sub, const char *location, const char *name,
                              struct sb_arena *a, struct vault *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct end d = {.e = e, .sub = sub, .location = location, .name = name, .a = a};
    SB_TRY(store_read(e->kv, run_deleted_get, &d, err));
    *ret = d.v;
out:
    return rc;
}

static enum sb_err run_purge(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct end *d = arg;
    struct st_vault row = {0};
    SB_TRY(find_deleted(tx, d, &row, err));
    if (row.purge_protection)
        return sb_fail(err, SB_EPURGEPROTECTED, "Operation 'DeletedVaultPurge' is not allowed.");
    SB_TRY(st_vault_remove(tx, row.id, err));
    d->id = row.id;
    d->existed = true;
out:
    return rc;
}

enum sb_err vault_purge(struct engine *e, const char *sub, const char *location, const char *name,
                        struct sb_error *err)
{
    enum sb_err rc;
    struct end d = {.e = e, .sub = sub, .location = location, .name = name, .a = arena_new(VAULT_TEXT_MAX)};
    if (d.a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory purging a vault");
    SB_TRY(store_call_publish(e->kv, run_purge, publish_end, &d, err));
    SB_TRY(store_scrub(e->kv, err));
out:
    arena_free(d.a);
    return rc;
}

struct name_check {
    const char *name;
    struct sb_arena *a;
    bool taken;
};

static enum sb_err run_name_check(struct tx *tx, void *arg, struct sb_error *err)
{
    struct name_check *c = arg;
    struct st_vault row = {0};
    return st_vault_get(tx, c->name, c->a, &c->taken, &row, err);
}

enum sb_err vault_name_check(struct engine *e, const char *name, struct sb_error *err)
{
    enum sb_err rc;
    struct name_check c = {.name = name, .a = arena_new(VAULT_TEXT_MAX)};
    if (c.a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory checking a name");
    SB_TRY(vault_check_name(name, err));
    SB_TRY(store_read(e->kv, run_name_check, &c, err));
    if (c.taken)
        rc = sb_fail(err, SB_EVAULTEXISTS, "The name '%s' is already in use.", name);
out:
    arena_free(c.a);
    return rc;
}

/* ---- what falls due ---- */

struct due {
    struct engine *e;
    int64_t now;
    struct sb_arena *a;
    size_t n;
    struct {
        int64_t time, vault_id;
        const char *vault, *name; /* name NULL: the vault */
        enum st_kind kind;
    } done[DUE_BATCH];
};

/* Purges in order of date; a key whose vault goes at the same moment goes first. */
static enum sb_err run_due(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct due *d = arg;
    for (d->n = 0; d->n < DUE_BATCH; d->n++) {
        struct st_vault v = {0};
        struct st_object k = {0};
        bool vault = false, key = false;
        SB_TRY(st_object_due(tx, d->now / 1000, d->a, &key, &k, err));
        SB_TRY(st_vault_due(tx, d->now, d->a, &vault, &v, err));
        if (!vault && !key)
            break;
        if (key && (!vault || k.purge * 1000 <= v.purge_ms)) {
            SB_TRY(st_object_remove(tx, k.object_id, err));
            d->done[d->n].time = k.purge * 1000;
            d->done[d->n].vault_id = k.vault_id;
            d->done[d->n].vault = k.vault;
            d->done[d->n].name = k.name;
            d->done[d->n].kind = k.kind;
        } else {
            SB_TRY(st_vault_remove(tx, v.id, err));
            d->done[d->n].time = v.purge_ms;
            d->done[d->n].vault_id = v.id;
            d->done[d->n].vault = v.name;
            d->done[d->n].name = NULL;
        }
    }
out:
    return rc;
}

static void publish_due(void *arg)
{
    struct due *d = arg;
    if (d->n > 0)
        rbac_changed(d->e);
    for (size_t i = 0; i < d->n; i++)
        if (d->done[i].name == NULL || d->done[i].kind == ST_KEY)
            vkey_forget(d->e, d->done[i].vault_id, d->done[i].name);
}

static void note_due(const struct due *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (d->done[i].name != NULL)
            timeline_note(d->e, d->done[i].time, d->done[i].kind == ST_KEY ? "keyPurged" : "secretPurged",
                          "%s/%s", d->done[i].vault, d->done[i].name);
        else
            timeline_note(d->e, d->done[i].time, "vaultPurged", "%s", d->done[i].vault);
    }
}

static enum sb_err run_purges(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool any = false, more = true;
    struct due *d = malloc(sizeof(*d));
    while (d != NULL && more) {
        *d = (struct due){.e = e, .now = now, .a = arena_new(64u << 20)};
        if (d->a == NULL)
            break;
        SB_TRY(store_call_publish(e->kv, run_due, publish_due, d, err));
        note_due(d);
        any = any || d->n > 0;
        more = d->n == DUE_BATCH;
        arena_free(d->a);
        d->a = NULL;
    }
    if (more)
        rc = sb_fail(err, SB_ENOMEM, "out of memory purging vaults and keys");
    else if (any)
        SB_TRY(store_scrub(e->kv, err));
out:
    if (d != NULL)
        arena_free(d->a);
    free(d);
    return rc;
}

/* Purges come first: a key that is gone is not rotated. */
enum sb_err vault_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(run_purges(e, now, err));
    SB_TRY(vkey_policy_run_due(e, now, err));
out:
    return rc;
}

static enum sb_err run_next_due(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    int64_t vault = 0, key = 0, *ret = arg;
    SB_TRY(st_vault_next_due(tx, &vault, err));
    SB_TRY(st_object_next_due(tx, &key, err));
    SB_TRY(vkey_policy_next_due(tx, ret, err));
    if (vault > 0 && vault < *ret)
        *ret = vault;
    if (key > 0 && key * 1000 < *ret)
        *ret = key * 1000;
out:
    return rc;
}

int64_t vault_next_due(struct engine *e)
{
    struct vaults *v = e->vaults;
    int64_t due = TIMELINE_NEVER;
    uint64_t epoch = rbac_epoch(e);
    pthread_mutex_lock(&v->due_lock);
    bool known = v->due_known && v->due_epoch == epoch;
    due = known ? v->due : due;
    pthread_mutex_unlock(&v->due_lock);
    if (known || store_read(e->kv, run_next_due, &due, NULL) != SB_OK)
        return due;
    pthread_mutex_lock(&v->due_lock);
    v->due_known = true;
    v->due_epoch = epoch;
    v->due = due;
    pthread_mutex_unlock(&v->due_lock);
    return due;
}
