/*
 * engine.c: the modules put together: opened in order, undone in reverse, emptied for a reset.
 *
 * Until store_start the opening thread owns both databases and runs its ops itself, so everything is loaded
 * without a thread in between; ops queued meanwhile wait for the start.
 */
#include "server/engine/engine.h"
#include <unistd.h>
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/engine/activity.h"
#include "server/engine/broker.h"
#include "server/engine/diagnostic.h"
#include "server/engine/directory.h"
#include "server/engine/events.h"
#include "server/engine/faults.h"
#include "server/engine/jobs.h"
#include "server/engine/ns.h"
#include "server/engine/poller.h"
#include "server/engine/provider.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault.h"
#include "storage/st_directory.h"
#include "storage/st_document.h"

#define PATH_CAP 4096

/* ---- small questions ---- */

int64_t engine_token_now(struct engine *e)
{
    return e->cfg.token_clock_emulator ? engine_now(e) : clock_machine_now();
}

void engine_lock(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
}

void engine_unlock(struct engine *e)
{
    pthread_mutex_unlock(&e->lock);
}

bool engine_subscription_ok(const struct engine *e, const char *sub)
{
    if (!guid_valid(sub))
        return false;
    for (size_t i = 0; i < e->cfg.subscriptions_n; i++)
        if (text_ieq(e->cfg.subscriptions[i], sub))
            return true;
    return e->cfg.subscriptions_n == 0;
}

static enum sb_err answer_nothing(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(tx);
    SB_UNUSED(arg);
    SB_UNUSED(err);
    return SB_OK;
}

enum sb_err engine_healthy(struct engine *e, struct sb_error *err)
{
    struct sb_error why;
    if (atomic_load(&e->stopping))
        return sb_fail(err, SB_EUNAVAILABLE, "The emulator is stopping.");
    if (!store_healthy(e->sb) || !store_healthy(e->kv))
        return sb_fail(err, SB_EUNAVAILABLE, "A commit failed; the emulator has to be started again.");
    if (store_read(e->sb, answer_nothing, NULL, &why) != SB_OK ||
        store_read(e->kv, answer_nothing, NULL, &why) != SB_OK)
        return sb_fail(err, SB_EUNAVAILABLE, "A database does not answer: %.200s", why.detail);
    return SB_OK;
}

/* ---- opening ---- */

/* DIR/NAME, or NULL in memory. */
static const char *file_in(const struct engine *e, const char *name, char *path, struct sb_error *err)
{
    int n = snprintf(path, PATH_CAP, "%s/%s", e->cfg.data_dir, name);
    if (n > 0 && n < PATH_CAP)
        return path;
    (void)sb_fail(err, SB_EDATADIR, "the data directory's path is too long: choose a shorter one");
    return NULL;
}

/* A platform key is made only where nothing was sealed under another one. */
static enum sb_err open_platform_key(struct engine *e, struct sb_error *err)
{
    char path[PATH_CAP], sb[PATH_CAP], kv[PATH_CAP];
    if (!e->cfg.data_dir)
        return cmem_key_file(NULL, true, &e->platform, err);
    if (!file_in(e, "platform.key", path, err) || !file_in(e, "servicebus.db", sb, err) ||
        !file_in(e, "keyvault.db", kv, err))
        return SB_EDATADIR;
    bool has_sb = access(sb, F_OK) == 0, has_kv = access(kv, F_OK) == 0, fresh = !has_sb && !has_kv;
    /* One without the other is opened, as it shows what it is worth alone; but hardly anybody means it. */
    if (has_sb != has_kv)
        log_event(LOG_WARN, "storage.missing", "file", has_sb ? kv : sb, "advice",
                  "it begins empty; for the old state stop, and restore the whole data directory from a copy",
                  NULL);
    if (!fresh && access(path, F_OK) != 0)
        return sb_fail(err, SB_EDATADIR,
                       "%s is missing, and nothing in the databases beside it can be opened without it: put "
                       "it back from a "
                       "copy, or choose an empty data directory",
                       path);
    return cmem_key_file(path, fresh, &e->platform, err);
}

static enum sb_err open_store(struct engine *e, const char *name, enum store_kind kind, struct store **ret,
                              struct sb_error *err)
{
    char path[PATH_CAP];
    if (!e->cfg.data_dir)
        return store_open(NULL, kind, ret, err);
    return file_in(e, name, path, err) ? store_open(path, kind, ret, err) : SB_EDATADIR;
}

static enum sb_err hook_before_commit(void *cookie, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(timeline_before_commit(cookie, tx, err));
    SB_TRY(broker_before_commit(cookie, tx, err));
out:
    return rc;
}

static void hook_settled(void *cookie)
{
    broker_settled(cookie);
}

static void hook_batch_lost(void *cookie, struct tx *tx)
{
    timeline_batch_lost(cookie);
    broker_batch_lost(cookie, tx);
}

static void hook_broken(void *cookie, const char *why)
{
    struct engine *e = cookie;
    log_event(LOG_ERROR, "storage.failed", "why", why, NULL);
    if (!atomic_exchange(&e->broken_told, true) && e->on_broken)
        e->on_broken();
}

static enum sb_err start_stores(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    const struct store_hooks sb = {e, hook_before_commit, hook_settled, hook_batch_lost, hook_broken};
    const struct store_hooks kv = {.cookie = e, .on_broken = hook_broken};
    SB_TRY(store_start(e->kv, &kv, err));
    e->started = true;
    SB_TRY(store_start(e->sb, &sb, err));
out:
    return rc;
}

static enum sb_err open_modules(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(timeline_open(e, err)); /* makes the clock that all others read */
    SB_TRY(events_open(e, err));
    SB_TRY(faults_open(e, err));
    SB_TRY(jobs_open(e, err));
    SB_TRY(directory_open(e, err));
    SB_TRY(rbac_open(e, err));
    SB_TRY(vault_open(e, err));
    SB_TRY(broker_open(e, err));
    SB_TRY(ns_open(e, err));
    SB_TRY(poller_open(e, err));
out:
    return rc;
}

enum sb_err engine_open(const struct engine_config *cfg, void (*on_broken)(void), struct engine **ret,
                        struct sb_error *err)
{
    enum sb_err rc;
    struct engine *e = calloc(1, sizeof *e);
    if (!e)
        return sb_fail(err, SB_ENOMEM, "out of memory opening the engine");
    e->cfg = *cfg;
    e->on_broken = on_broken;
    atomic_init(&e->broken_told, false);
    atomic_init(&e->stopping, false);
    pthread_mutex_init(&e->lock, NULL);
    pthread_mutex_init(&e->arm, NULL);
    pthread_mutex_init(&e->pair, NULL);
    pthread_mutex_init(&e->mirror, NULL);
    SB_TRY(cmem_init(err));
    SB_TRY(open_platform_key(e, err));
    SB_TRY(open_store(e, "keyvault.db", STORE_KV, &e->kv, err));
    SB_TRY(open_store(e, "servicebus.db", STORE_SB, &e->sb, err));
    SB_TRY(open_modules(e, err));
    broker_start(e);
    SB_TRY(start_stores(e, err));
    SB_TRY(timeline_start(e, err));
    poller_start_first(e);
    *ret = e;
    e = NULL;
out:
    if (e) {
        engine_stop(e);
        engine_close(e);
    }
    return rc;
}

/* ---- stopping ---- */

void engine_stop(struct engine *e)
{
    atomic_store(&e->stopping, true);
    timeline_stop(e);
    if (e->poller)
        poller_stop(e);
    if (e->broker)
        broker_stop(e);
}

/* Nobody works any more but the stores. Both stores run dry and stop before the memory that their ops use is
 * freed. */
void engine_close(struct engine *e)
{
    if (!e)
        return;
    if (e->started)
        events_flush(e);
    store_close(e->sb);
    store_close(e->kv);
    e->sb = e->kv = NULL;
    if (e->poller)
        poller_close(e);
    if (e->namespaces)
        ns_close(e);
    if (e->broker)
        broker_close(e);
    if (e->vaults)
        vault_close(e);
    if (e->rbac)
        rbac_close(e);
    if (e->directory)
        directory_close(e);
    faults_close(e);
    jobs_close(e);
    events_close(e);
    timeline_close(e);
    cmem_key_free(e->platform);
    pthread_mutex_destroy(&e->mirror);
    pthread_mutex_destroy(&e->pair);
    pthread_mutex_destroy(&e->arm);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- reset ---- */

struct groups {
    struct sb_arena *a;
    struct st_group *rows;
    size_t n;
};

static enum sb_err read_groups(struct tx *tx, void *arg, struct sb_error *err)
{
    struct groups *g = arg;
    return st_group_list(tx, NULL, g->a, &g->rows, &g->n, err);
}

static enum sb_err delete_groups(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct groups g = {arena_new(64 << 20), NULL, 0};
    if (!g.a)
        return sb_fail(err, SB_ENOMEM, "out of memory for a reset");
    SB_TRY(store_read(e->kv, read_groups, &g, err));
    for (size_t i = 0; i < g.n; i++) {
        rc = directory_group_delete_claimed(e, g.rows[i].sub, g.rows[i].name, err);
        if (rc != SB_OK && rc != SB_ENOGROUP) /* somebody else may have deleted it meanwhile */
            goto out;
    }
    rc = SB_OK;
out:
    arena_free(g.a);
    return rc;
}

static enum sb_err drop_assignments(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    SB_UNUSED(arg);
    SB_TRY(diagnostic_drop_all(tx, err));
    SB_TRY(st_document_drop_scope(tx, NULL, err));
    SB_TRY(rbac_drop_all(tx, err));
out:
    return rc;
}

static void assignments_dropped(void *arg)
{
    rbac_changed(arg);
}

enum sb_err engine_reset(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    pthread_mutex_lock(&e->arm); /* nothing is created over ARM meanwhile */
    SB_TRY(delete_groups(e, err));
    /* What soft delete keeps falls due at once, purge protection or not. */
    SB_TRY(vault_run_due(e, TIMELINE_NEVER - 1, err));
    SB_TRY(store_call_publish(e->kv, drop_assignments, assignments_dropped, e, err));
    SB_TRY(directory_reset(e, err));
    SB_TRY(activity_reset(e, err));
    jobs_reset(e);
    SB_TRY(provider_reset(e, err));
    SB_TRY(faults_clear(e, NULL, err));
    SB_TRY(events_reset(e, err));
    SB_TRY(store_scrub(e->sb, err));
    SB_TRY(store_scrub(e->kv, err));
out:
    pthread_mutex_unlock(&e->arm);
    return rc;
}
