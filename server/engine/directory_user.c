/* directory_user.c: users: of the configuration, and registered through Graph. */
#include "server/engine/directory_user.h"
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
    const struct dir_user *want;
    const uint8_t *password; /* NULL: stays */
    bool found;
    struct st_user row, *rows;
    size_t n;
};

static void publish(void *arg)
{
    const struct op *x = arg;
    rbac_changed(x->e);
}

/* ---- as the configuration has them ---- */

static struct dir_user configured(const struct directory_user *u, struct sb_arena *a)
{
    const char *name = arena_strndup(a, u->upn, strcspn(u->upn, "@"));
    return (struct dir_user){.oid = u->oid,
                             .upn = u->upn,
                             .name = name != NULL ? name : u->upn,
                             .body = "{}",
                             .enabled = true,
                             .configured = true,
                             .password = {u->password, SECRET_LEN}};
}

static const struct directory_user *find_configured(const struct engine *e, const char *key)
{
    const struct directory *d = e->directory;
    for (size_t i = 0; i < d->users_n; i++) {
        if (text_ieq(d->users[i].oid, key) || text_ieq(d->users[i].upn, key))
            return &d->users[i];
    }
    return NULL;
}

/* ---- looking up ---- */

static struct dir_user to_user(const struct st_user *row)
{
    return (struct dir_user){.oid = row->oid,
                             .upn = row->upn,
                             .name = row->name,
                             .body = row->body,
                             .enabled = row->enabled,
                             .password = row->password,
                             .created_ms = row->created_ms};
}

static enum sb_err get_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_user_get(tx, x->key, !guid_valid(x->key), x->arena, &x->found, &x->row, err);
}

enum sb_err directory_user_get(struct engine *e, const char *key, struct sb_arena *a, bool *ret_found,
                               struct dir_user *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a, .key = key};
    const struct directory_user *u = find_configured(e, key);
    if (u != NULL) {
        *ret = configured(u, a);
        *ret_found = true;
        return SB_OK;
    }
    SB_TRY(store_read(e->kv, get_run, &x, err));
    if (x.found)
        *ret = to_user(&x.row);
    *ret_found = x.found;
out:
    return rc;
}

const char *directory_caller(struct engine *e, const struct principal *who, struct sb_arena *a)
{
    bool found = false;
    struct dir_user user;
    if (who->kind == PRINCIPAL_USER && !store_is_owner(e->kv) &&
        directory_user_get(e, who->oid, a, &found, &user, NULL) == SB_OK && found)
        return user.upn;
    return who->appid;
}

static enum sb_err list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct op *x = arg;
    return st_user_list(tx, x->arena, &x->rows, &x->n, err);
}

enum sb_err directory_user_list(struct engine *e, struct sb_arena *a, struct dir_user **ret, size_t *ret_n,
                                struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a};
    const struct directory *d = e->directory;
    SB_TRY(store_read(e->kv, list_run, &x, err));
    struct dir_user *list = ARENA_ARRAY(a, struct dir_user, d->users_n + x.n + 1);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < d->users_n; i++)
        list[i] = configured(&d->users[i], a);
    for (size_t i = 0; i < x.n; i++)
        list[d->users_n + i] = to_user(&x.rows[i]);
    *ret = list;
    *ret_n = d->users_n + x.n;
out:
    return rc;
}

/* ---- changing ---- */

static enum sb_err taken(struct sb_error *err)
{
    return sb_fail(err, SB_EEXISTS,
                   "Another object with the same value for property userPrincipalName already exists.");
}

static enum sb_err not_there(const char *oid, struct sb_error *err)
{
    return sb_fail(err, SB_ENOTFOUND,
                   "Resource '%.200s' does not exist or one of its queried reference-property objects are "
                   "not present.",
                   oid);
}

static enum sb_err create_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    const struct st_principal p = {
        .oid = x->row.oid, .appid = x->row.oid, .kind = PRINCIPAL_USER, .resource_id = ""};
    SB_TRY(st_principal_add(tx, &p, err));
    rc = st_user_put(tx, &x->row, err);
    if (rc == SB_ECONFLICT)
        rc = taken(err);
out:
    return rc;
}

enum sb_err directory_user_create(struct engine *e, const struct dir_user *want, const char *password,
                                  struct sb_arena *a, struct dir_user *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct op x = {.e = e, .arena = a};
    char *oid = arena_alloc(a, SB_GUID_LEN + 1);
    uint8_t *digest = arena_alloc(a, SECRET_LEN);
    if (oid == NULL || digest == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (find_configured(e, want->upn) != NULL)
        return taken(err);
    rng_guid(oid);
    SB_TRY(directory_secret_make(e, password, digest, err));
    x.row = (struct st_user){.oid = oid,
                             .upn = want->upn,
                             .name = want->name,
                             .body = want->body,
                             .enabled = want->enabled,
                             .password = {digest, SECRET_LEN},
                             .created_ms = engine_now(e)};
    SB_TRY(store_call_publish(e->kv, create_run, publish, &x, err));
    *ret = to_user(&x.row);
out:
    return rc;
}

static enum sb_err update_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_user_get(tx, x->want->oid, false, x->arena, &x->found, &x->row, err));
    if (!x->found)
        return not_there(x->want->oid, err);
    x->row.upn = x->want->upn;
    x->row.name = x->want->name;
    x->row.body = x->want->body;
    x->row.enabled = x->want->enabled;
    if (x->password != NULL)
        x->row.password = (struct sb_blob){x->password, SECRET_LEN};
    rc = st_user_put(tx, &x->row, err);
    if (rc == SB_ECONFLICT)
        rc = taken(err);
out:
    return rc;
}

static enum sb_err fixed(struct sb_error *err)
{
    return sb_fail(err, SB_EDENIED, "This object comes from the emulator's configuration.");
}

enum sb_err directory_user_update(struct engine *e, const struct dir_user *want, const char *password,
                                  struct sb_error *err)
{
    enum sb_err rc;
    uint8_t digest[SECRET_LEN];
    struct op x = {.e = e, .want = want, .arena = arena_new(DIRECTORY_ARENA_BYTES)};
    const struct directory_user *other = find_configured(e, want->upn);
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (find_configured(e, want->oid) != NULL || other != NULL) {
        rc = other != NULL && !text_ieq(other->oid, want->oid) ? taken(err) : fixed(err);
        goto out;
    }
    if (password != NULL) {
        SB_TRY(directory_secret_make(e, password, digest, err));
        x.password = digest;
    }
    rc = store_call_publish(e->kv, update_run, publish, &x, err);
out:
    arena_free(x.arena);
    return rc;
}

static enum sb_err delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct op *x = arg;
    SB_TRY(st_user_get(tx, x->key, false, x->arena, &x->found, &x->row, err));
    rc = x->found ? st_principal_drop(tx, x->row.oid, err) : not_there(x->key, err);
out:
    return rc;
}

enum sb_err directory_user_delete(struct engine *e, const char *oid, struct sb_error *err)
{
    struct op x = {.e = e, .key = oid, .arena = arena_new(DIRECTORY_ARENA_BYTES)};
    if (x.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = find_configured(e, oid) != NULL
                         ? fixed(err)
                         : store_call_publish(e->kv, delete_run, publish, &x, err);
    arena_free(x.arena);
    return rc;
}

/* ---- signing in ---- */

enum sb_err directory_user_sign_in(struct engine *e, const char *upn, const char *password,
                                   struct sb_arena *a, struct dir_user *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct dir_user u = {0};
    if (!guid_valid(upn)) /* nobody signs in by object id */
        SB_TRY(directory_user_get(e, upn, a, &found, &u, err));
    if (!found)
        return aadsts_fail(err, AADSTS_50034, ENGINE_TENANT);
    if (!directory_secret_is(e, u.password, password))
        return aadsts_fail(err, AADSTS_50126);
    if (!u.enabled)
        return aadsts_fail(err, AADSTS_50057);
    *ret = u;
    rc = SB_OK;
out:
    return rc;
}
