/*
 * ns_end.c: namespaces that go, names that are asked for, and hidden keys that are withdrawn for good.
 */
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/ns_pair.h"
#include "server/engine/poller_pass.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"

/* ---- deletion ---- */

struct deletion {
    struct engine *e;
    int64_t id;
    int64_t until; /* when it takes its time */
};

/* From now on it is being deleted. */
static enum sb_err run_mark(struct tx *tx, void *arg, struct sb_error *err)
{
    struct deletion *d = arg;
    return st_ns_set_deleting(tx, d->id, d->until, err);
}

static void publish_mark(void *arg)
{
    struct deletion *d = arg;
    engine_lock(d->e);
    struct ns *n = ns_find_id(d->e, d->id);
    if (n) {
        ns_move_begin(d->e, n, MOVE_DELETE, d->until - d->e->cfg.provisioning_delay_ms);
        atomic_fetch_add(&d->e->deleting, 1);
    }
    engine_unlock(d->e);
}

static enum sb_err run_delete(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct deletion *d = arg;
    const struct ns *n = ns_find_id(d->e, d->id);
    if (n)
        SB_TRY(ns_pair_part(tx, n, d->e, err));
    SB_TRY(broker_ns_delete(tx, d->id, err));
    SB_TRY(st_ns_delete(tx, d->id, err));
out:
    return rc;
}

static void publish_delete(void *arg)
{
    struct deletion *d = arg;
    engine_lock(d->e);
    struct ns *n = ns_find_id(d->e, d->id);
    if (n) {
        ns_pair_parted(d->e, n);
        ns_table_remove(d->e, n);
    }
    ns_wake(d->e); /* who waits for its turn finds that it is gone */
    engine_unlock(d->e);
    ns_free(n); /* wipes its keys; what is parked is told */
}

struct scope {
    const char *id;
};

static enum sb_err run_drop_scope(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct scope *s = arg;
    return rbac_drop_scope(tx, s->id, err);
}

/* What belongs to it in the other database; it is gone already, so failing here changes nothing for the
 * caller. */
static void forget(struct engine *e, const struct ns_view *v, struct sb_arena *a)
{
    struct scope scope = {ns_resource_id(a, v->sub, v->group, v->name)};
    if (v->principal_id)
        ns_tidied("identity", directory_system_identity_delete(e, v->principal_id, NULL));
    if (scope.id && store_call(e->kv, run_drop_scope, &scope, NULL) == SB_OK)
        rbac_changed(e);
    if (v->encrypted)
        ns_tidied("scrub", store_scrub(e->sb, NULL)); /* its wraps leave the log of the database too */
}

/* May it go now? Or is it paired, or in transition? With its turn. */
static enum sb_err check_delete(struct engine *e, const struct ns_view *v, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    engine_lock(e);
    const struct ns *n = ns_find_id(e, v->id);
    if (n)
        rc = ns_move_check(e, n, err);
    engine_unlock(e);
    if (rc == SB_OK && v->partner)
        rc = sb_fail(
            err, SB_ECONFLICT,
            "Namespace '%s' cannot be deleted while it is paired with '%s' under the alias '%s': break the "
            "pairing first.",
            v->name, v->partner, v->alias);
    return rc;
}

/* force: with its group, or when its time has come. */
static enum sb_err delete_one(struct engine *e, const char *sub, const char *group, const char *name,
                              bool force, bool *ret_existed, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct deletion d = {.e = e};
    struct sb_arena *a = arena_new(NS_ARENA_MAX);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    rc = ns_get(e, sub, group, name, a, &v, err);
    if (rc != SB_OK || !ns_claim(e, v.id)) {
        if (rc == SB_ENOTFOUND || rc == SB_OK) {
            *ret_existed = false;
            rc = SB_OK;
        }
        goto out;
    }
    d.id = v.id;
    rc = force ? SB_OK : check_delete(e, &v, err);
    if (rc == SB_OK && !force && e->cfg.provisioning_delay_ms > 0) {
        d.until = engine_now(e) + e->cfg.provisioning_delay_ms;
        rc = store_call_publish(e->sb, run_mark, publish_mark, &d, err);
        ns_release(e, v.id);
        if (rc == SB_OK) {
            *ret_existed = true;
            timeline_poke(e);
        }
        goto out;
    }
    if (rc == SB_OK)
        rc = store_call_publish(e->sb, run_delete, publish_delete, &d, err);
    if (rc != SB_OK) {
        ns_release(e, v.id);
        goto out;
    }
    *ret_existed = true;
    forget(e, &v, a);
    timeline_poke(e);
out:
    arena_free(a);
    return rc;
}

enum sb_err ns_delete(struct engine *e, const char *sub, const char *group, const char *name,
                      bool *ret_existed, struct sb_error *err)
{
    return delete_one(e, sub, group, name, false, ret_existed, err);
}

enum sb_err ns_delete_now(struct engine *e, const char *sub, const char *group, const char *name,
                          bool *ret_existed, struct sb_error *err)
{
    return delete_one(e, sub, group, name, true, ret_existed, err);
}

enum sb_err ns_delete_group(struct engine *e, const char *sub, const char *group, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view *list;
    size_t n;
    struct sb_arena *a = arena_new(NS_ARENA_MAX);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "no memory for the namespaces of a group");
    SB_TRY(ns_list(e, sub, group, a, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool existed;
        SB_TRY(ns_delete_now(e, list[i].sub, list[i].group, list[i].name, &existed, err));
    }
out:
    arena_free(a);
    return rc;
}

/* ---- names ---- */

enum sb_err ns_name_check(struct engine *e, const char *name, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_check_name(name, err));
    engine_lock(e);
    bool used = ns_find_host(e, name) != NULL;
    engine_unlock(e);
    if (used)
        rc = sb_fail(err, SB_EEXISTS, "The specified name is not available.");
out:
    return rc;
}

/* ---- withdrawing a hidden key (semantics 15) ---- */

struct withdrawal {
    struct pass *p; /* its log */
    struct st_ns_key rows[NS_KEYS_MAX];
    size_t n;
};

static enum sb_err run_withdraw(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct withdrawal *w = arg;
    SB_TRY(st_ns_keys_set(tx, w->p->r.v.id, w->rows, w->n, err));
    SB_TRY(pass_write_log(w->p, tx, err));
out:
    return rc;
}

static bool named(const struct nskey *k, const char *key, const char *vault_uri)
{
    if (!text_ieq(k->key_name, key))
        return false;
    if (!vault_uri)
        return true;
    size_t n = strlen(vault_uri);
    if (n > 0 && vault_uri[n - 1] == '/')
        n--;
    return strlen(k->vault_uri) == n && text_ieqn(k->vault_uri, vault_uri, n);
}

/* With the namespace's turn. */
static enum sb_err withdraw(struct pass *p, const char *key, const char *vault_uri, struct sb_error *err)
{
    struct withdrawal w = {.p = p};
    const struct nskey *gone = NULL;
    for (size_t i = 0; i < p->n; i++) {
        const struct nskey *k = &p->keys[i];
        if (!gone && k->state == NSKEY_REVOKED && named(k, key, vault_uri))
            gone = k;
        else
            w.rows[w.n++] = ns_key_row(k);
    }
    if (!gone) {
        for (size_t i = 0; i < p->n; i++)
            if (named(&p->keys[i], key, vault_uri))
                return sb_fail(err, SB_ECONFLICT,
                               "Key '%.127s' is not revoked: remove it with a PUT of namespace '%s'.", key,
                               p->r.v.name);
        return sb_fail(err, SB_EKEYNOTFOUND, "Namespace '%s' has no key '%.127s'.", p->r.v.name, key);
    }
    if (w.n == 0)
        return sb_fail(err, SB_ECONFLICT,
                       "Key '%.127s' holds the last wrapped copy of the root key of namespace '%s': without "
                       "it the data would be lost for "
                       "good.",
                       key, p->r.v.name);
    pass_log(
        p, gone, "disable", 0, gone->wrapped_version,
        arena_printf(p->a, "Revoked key withdrawn for good: %s/%s", gone->key_name, gone->wrapped_version));
    return store_call(p->e->sb, run_withdraw, &w, err);
}

enum sb_err ns_withdraw_key(struct engine *e, const char *name, const char *key, const char *vault_uri,
                            struct sb_error *err)
{
    enum sb_err rc;
    struct ns_record r;
    bool found;
    int64_t id = 0;
    struct sb_arena *a = arena_new(NS_ARENA_MAX);
    struct pass *p = a ? ARENA_NEW(a, struct pass) : NULL;
    if (!p) {
        arena_free(a);
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    }
    SB_TRY(ns_record_get(e, 0, name, a, &found, &r, err));
    if (found && ns_claim(e, r.v.id)) {
        id = r.v.id;
        SB_TRY(ns_record_get(e, id, NULL, a, &found, &r, err));
    }
    if (id == 0 || !found) {
        rc = sb_fail(err, SB_ENONAMESPACE, "The namespace '%.64s' does not exist.", name);
        goto out;
    }
    pass_begin(p, e, a, &r, false);
    SB_TRY(withdraw(p, key, vault_uri, err));
    ns_tidied("scrub", store_scrub(e->sb, NULL));
out:
    if (id != 0)
        ns_release(e, id);
    arena_free(a);
    return rc;
}
