/* directory_app.c: applications and their service principals: of the configuration, and registered through
 * Graph. */
#include "server/engine/directory_app.h"
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"
#include "server/engine/directory_private.h"
#include "server/engine/rbac.h"
#include "storage/st_graph.h"

struct op {
    struct engine *e;
    struct sb_arena *arena;
    const char *key;
    bool by_appid;
    const struct dir_app *want;
    const char *body;
    bool found;
    struct st_app app, *apps;
    struct st_sp sp, *sps;
    size_t n;
};

static void publish(void *arg)
{
    const struct op *x = arg;
    rbac_changed(x->e);
}

static enum sb_err not_there(const char *id, struct sb_error *err)
{
    return sb_fail(err, SB_ENOTFOUND,
                   "Resource '%.200s' does not exist or one of its queried reference-property objects are "
                   "not present.",
                   id);
}

static enum sb_err fixed(struct sb_error *err)
{
    return sb_fail(err, SB_EDENIED, "This object comes from the emulator's configuration.");
}

/* ---- as the configuration has them ---- */

static struct dir_app configured_app(const struct directory_client *c, struct sb_arena *a)
{
    return (struct dir_app){.oid = c->app_oid,
                            .appid = c->id,
                            .name = directory_client_name(c, a),
                            .body = "{}",
                            .configured = true};
}

static struct dir_sp configured_sp(const struct directory_client *c, struct sb_arena *a)
{
    return (struct dir_sp){
        .who = directory_client_principal(c), .name = directory_client_name(c, a), .configured = true};
}

/* By the object id of either, or the appid. */
static const struct directory_client *find_configured(const struct engine *e, const char *key)
{
    const struct directory *d = e->directory;
    for (size_t i = 0; i < d->clients_n; i++) {
        const struct directory_client *c = &d->clients[i];
        if (text_ieq(c->id, key) || text_ieq(c->oid, key) || text_ieq(c->app_oid, key))
            return c;
    }
    return NULL;
}

/* ---- applications: looking up ---- */

static struct dir_app to_app(const struct st_app *row)
{
    return (struct dir_app){.oid = row->oid,
                            .appid = row->appid,
                            .name = row->name,
                            .body = row->body,
                            .public_client = row->public_client,
                            .created_ms = row->created_ms};
}

static enum sb_err app_get_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_app_get(tx, x->key, x->by_appid, x->arena, &x->found, &x->app, err);
}

enum sb_err directory_app_get(struct engine *e, const char *key, bool by_appid, struct sb_arena *a,
                              bool *ret_found, struct dir_app *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a, .key = key, .by_appid = by_appid};
    const struct directory_client *c = find_configured(e, key);
    if (c != NULL && text_ieq(by_appid ? c->id : c->app_oid, key)) {
        *ret = configured_app(c, a);
        *ret_found = true;
        return SB_OK;
    }
    SB_TRY(store_read(e->kv, app_get_run, &x, err));
    if (x.found)
        *ret = to_app(&x.app);
    *ret_found = x.found;
out:
    return rc;
}

static enum sb_err app_list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_app_list(tx, x->arena, &x->apps, &x->n, err);
}

enum sb_err directory_app_list(struct engine *e, struct sb_arena *a, struct dir_app **ret, size_t *ret_n,
                               struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a};
    const struct directory *d = e->directory;
    SB_TRY(store_read(e->kv, app_list_run, &x, err));
    struct dir_app *list = ARENA_ARRAY(a, struct dir_app, d->clients_n + x.n + 1);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < d->clients_n; i++)
        list[i] = configured_app(&d->clients[i], a);
    for (size_t i = 0; i < x.n; i++)
        list[d->clients_n + i] = to_app(&x.apps[i]);
    *ret = list;
    *ret_n = d->clients_n + x.n;
out:
    return rc;
}

/* ---- applications: changing ---- */

static enum sb_err app_create_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_app_put(tx, &x->app, err);
}

enum sb_err directory_app_create(struct engine *e, const struct dir_app *want, struct sb_arena *a,
                                 struct dir_app *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a};
    char *oid = arena_alloc(a, SB_GUID_LEN + 1), *appid = arena_alloc(a, SB_GUID_LEN + 1);
    if (oid == NULL || appid == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    rng_guid(oid);
    rng_guid(appid);
    x.app = (struct st_app){.oid = oid,
                            .appid = appid,
                            .name = want->name,
                            .body = want->body,
                            .public_client = want->public_client,
                            .created_ms = engine_now(e)};
    SB_TRY(store_call_publish(e->kv, app_create_run, publish, &x, err));
    *ret = to_app(&x.app);
out:
    return rc;
}

/* The service principal is shown under the application's name, as in the service. */
static enum sb_err app_update_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_app_get(tx, x->want->oid, false, x->arena, &x->found, &x->app, err));
    if (!x->found)
        return not_there(x->want->oid, err);
    x->app.name = x->want->name;
    x->app.body = x->want->body;
    x->app.public_client = x->want->public_client;
    SB_TRY(st_app_put(tx, &x->app, err));
    SB_TRY(st_sp_get(tx, x->app.appid, true, x->arena, &x->found, &x->sp, err));
    x->sp.name = x->app.name;
    if (x->found)
        rc = st_sp_put(tx, &x->sp, err);
out:
    return rc;
}

static enum sb_err drop_sp(struct tx *tx, const char *oid, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(st_credential_drop(tx, oid, false, NULL, err));
    SB_TRY(st_credential_drop(tx, oid, true, NULL, err));
    rc = st_principal_drop(tx, oid, err);
out:
    return rc;
}

static enum sb_err app_delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_app_get(tx, x->key, false, x->arena, &x->found, &x->app, err));
    if (!x->found)
        return not_there(x->key, err);
    SB_TRY(st_sp_get(tx, x->app.appid, true, x->arena, &x->found, &x->sp, err));
    if (x->found)
        SB_TRY(drop_sp(tx, x->sp.oid, err));
    SB_TRY(st_credential_drop(tx, x->app.oid, false, NULL, err));
    SB_TRY(st_credential_drop(tx, x->app.oid, true, NULL, err));
    rc = st_app_drop(tx, x->app.oid, err);
out:
    return rc;
}

/* One change of a registered object; key: its id. */
static enum sb_err change(struct engine *e, store_fn *run, struct op *x, const char *key,
                          struct sb_error *err)
{
    if (find_configured(e, key) != NULL)
        return fixed(err);
    x->e = e;
    x->key = key;
    x->arena = arena_new(DIRECTORY_ARENA_BYTES);
    if (x->arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = store_call_publish(e->kv, run, publish, x, err);
    arena_free(x->arena);
    return rc;
}

enum sb_err directory_app_update(struct engine *e, const struct dir_app *want, struct sb_error *err)
{
    struct op x = {.want = want};
    return change(e, app_update_run, &x, want->oid, err);
}

enum sb_err directory_app_delete(struct engine *e, const char *oid, struct sb_error *err)
{
    struct op x = {0};
    return change(e, app_delete_run, &x, oid, err);
}

/* ---- service principals ---- */

static struct dir_sp to_sp(const struct st_sp *row)
{
    struct dir_sp s = {.who = {.kind = PRINCIPAL_APP, .tid = ENGINE_TENANT},
                       .name = row->name,
                       .body = row->body,
                       .created_ms = row->created_ms};
    /* Both columns hold GUIDs, as the tables check. */
    (void)text_copy(s.who.oid, sizeof s.who.oid, row->oid);
    (void)text_copy(s.who.appid, sizeof s.who.appid, row->appid);
    return s;
}

static enum sb_err sp_get_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_sp_get(tx, x->key, x->by_appid, x->arena, &x->found, &x->sp, err);
}

/* A managed identity's name is its resource's. */
static enum sb_err managed_sp(struct engine *e, const char *key, bool by_appid, struct sb_arena *a,
                              bool *ret_found, struct dir_sp *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_sp s = {0};
    SB_TRY(by_appid ? directory_find(e, key, &found, &s.who, err)
                    : directory_principal(e, key, &found, &s.who, err));
    const char *last = strrchr(s.who.resource_id, '/');
    found = found && s.who.kind != PRINCIPAL_USER;
    s.name = found ? arena_strdup(a, last != NULL ? last + 1 : s.who.appid) : NULL;
    if (found)
        *ret = s;
    *ret_found = found;
out:
    return rc;
}

enum sb_err directory_app_sp(struct engine *e, const char *key, bool by_appid, struct sb_arena *a,
                             bool *ret_found, struct dir_sp *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a, .key = key, .by_appid = by_appid};
    const struct directory_client *c = find_configured(e, key);
    if (c != NULL && text_ieq(by_appid ? c->id : c->oid, key)) {
        *ret = configured_sp(c, a);
        *ret_found = true;
        return SB_OK;
    }
    SB_TRY(store_read(e->kv, sp_get_run, &x, err));
    if (!x.found)
        return managed_sp(e, key, by_appid, a, ret_found, ret, err);
    *ret = to_sp(&x.sp);
    *ret_found = true;
out:
    return rc;
}

static enum sb_err sp_list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_sp_list(tx, x->arena, &x->sps, &x->n, err);
}

enum sb_err directory_app_sps(struct engine *e, struct sb_arena *a, struct dir_sp **ret, size_t *ret_n,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a};
    const struct directory *d = e->directory;
    SB_TRY(store_read(e->kv, sp_list_run, &x, err));
    struct dir_sp *list = ARENA_ARRAY(a, struct dir_sp, d->clients_n + x.n + 1);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < d->clients_n; i++)
        list[i] = configured_sp(&d->clients[i], a);
    for (size_t i = 0; i < x.n; i++)
        list[d->clients_n + i] = to_sp(&x.sps[i]);
    *ret = list;
    *ret_n = d->clients_n + x.n;
out:
    return rc;
}

static enum sb_err install_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    struct st_sp old;
    SB_TRY(st_app_get(tx, x->key, true, x->arena, &x->found, &x->app, err));
    if (!x->found)
        return sb_fail(err, SB_EBADREQUEST,
                       "The appId '%.80s' of the service principal does not reference a valid application "
                       "object.",
                       x->key);
    SB_TRY(st_sp_get(tx, x->app.appid, true, x->arena, &x->found, &old, err));
    if (x->found)
        return sb_fail(err, SB_EEXISTS,
                       "The service principal cannot be created, updated, or restored because the service "
                       "principal name %s is already in use.",
                       x->app.appid);
    x->sp.appid = x->app.appid;
    x->sp.name = x->app.name;
    const struct st_principal p = {
        .oid = x->sp.oid, .appid = x->sp.appid, .kind = PRINCIPAL_APP, .resource_id = ""};
    SB_TRY(st_principal_add(tx, &p, err));
    rc = st_sp_put(tx, &x->sp, err);
out:
    return rc;
}

enum sb_err directory_app_install(struct engine *e, const char *appid, const char *body, struct sb_arena *a,
                                  struct dir_sp *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a, .key = appid};
    char *oid = arena_alloc(a, SB_GUID_LEN + 1);
    if (oid == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (directory_client(e, appid) != NULL)
        return sb_fail(err, SB_EEXISTS,
                       "The service principal cannot be created, updated, or restored because the service "
                       "principal name %.80s is already in use.",
                       appid);
    rng_guid(oid);
    x.sp = (struct st_sp){.oid = oid, .body = body, .created_ms = engine_now(e)};
    SB_TRY(store_call_publish(e->kv, install_run, publish, &x, err));
    *ret = to_sp(&x.sp);
out:
    return rc;
}

static enum sb_err sp_update_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_sp_get(tx, x->key, false, x->arena, &x->found, &x->sp, err));
    x->sp.body = x->body;
    rc = x->found ? st_sp_put(tx, &x->sp, err) : not_there(x->key, err);
out:
    return rc;
}

enum sb_err directory_app_sp_update(struct engine *e, const char *oid, const char *body, struct sb_error *err)
{
    struct op x = {.body = body};
    return change(e, sp_update_run, &x, oid, err);
}

static enum sb_err sp_delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_sp_get(tx, x->key, false, x->arena, &x->found, &x->sp, err));
    rc = x->found ? drop_sp(tx, x->sp.oid, err) : not_there(x->key, err);
out:
    return rc;
}

enum sb_err directory_app_sp_delete(struct engine *e, const char *oid, struct sb_error *err)
{
    struct op x = {0};
    return change(e, sp_delete_run, &x, oid, err);
}

/* ---- as clients ---- */

/* The service's own public clients: everybody has them, and they share refresh tokens. */
static const struct dir_client everybodys[] = {
    {"04b07795-8ddb-461a-bbee-02f9e1bf7b46", "Microsoft Azure CLI", false, true},
    {"1950a258-227b-4e31-a9cf-717495945fc2", "Microsoft Azure PowerShell", false, true},
    {"aebc6443-996d-45c2-90f0-388ff96faa56", "Visual Studio Code", false, true},
    {"872cd9fa-d31f-45e0-9eab-6e460a02d1f1", "Visual Studio", false, true},
};

enum sb_err directory_app_client(struct engine *e, const char *appid, struct sb_arena *a,
                                 struct dir_client *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_app app;
    for (size_t i = 0; i < SB_ARRAY_LEN(everybodys); i++) {
        if (text_ieq(everybodys[i].appid, appid)) {
            *ret = everybodys[i];
            return SB_OK;
        }
    }
    SB_TRY(directory_app_get(e, appid, true, a, &found, &app, err));
    if (!found)
        return aadsts_fail(err, AADSTS_700016, appid, ENGINE_TENANT);
    *ret = (struct dir_client){app.appid, app.name, !app.public_client, false};
out:
    return rc;
}
