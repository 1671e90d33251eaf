/*
 * rbac.c: the question rbac_may, over the role assignments held in memory.
 *
 * All assignments are held in memory, sorted by principal, and read again when the epoch has moved:
 * assignments are few and change seldom, while the question is asked for each data-plane request with a
 * bearer token.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/directory_user.h"
#include "server/engine/rbac_private.h"
#include "storage/st_directory.h"

#define LIST_BYTES_MAX ((size_t)16 << 20)
#define NAME_BYTES_MAX ((size_t)256 << 10)

struct entry {
    const char *oid, *scope;
    const struct role_def *role;
    int64_t from_ms, until_ms; /* counts from the one to before the other */
};

struct rbac {
    pthread_rwlock_t lock; /* the entries */
    struct sb_arena *arena;
    struct entry *entries; /* by oid */
    size_t n;
    pthread_mutex_t loading; /* one reader of the database at a time */
    atomic_uint_fast64_t epoch;
    atomic_uint_fast64_t loaded; /* the epoch that the entries are of */
};

/* ---- matching ---- */

/* One '*' stands for any text, slashes included. Backtracks to the last star only: that is enough for such
 * patterns. */
static bool action_matches(const char *pattern, const char *action)
{
    const char *star = NULL, *from = NULL;
    while (*action != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            from = action;
        } else if (text_lower(*pattern) == text_lower(*action)) {
            pattern++;
            action++;
        } else if (star != NULL) {
            pattern = star + 1;
            action = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool any_matches(const char *const *patterns, const char *action)
{
    for (; *patterns != NULL; patterns++) {
        if (action_matches(*patterns, action))
            return true;
    }
    return false;
}

static bool role_allows(const struct role_def *role, const char *action, bool data)
{
    return any_matches(data ? role->data_actions : role->actions, action) &&
           !any_matches(data ? role->not_data_actions : role->not_actions, action);
}

bool rbac_covers(const char *at, const char *scope)
{
    if (text_ieq(at, RBAC_ROOT_GROUP) && text_istarts(scope, "/subscriptions/"))
        return true;
    size_t n = strlen(at);
    while (n > 0 && at[n - 1] == '/')
        n--;
    return text_ieqn(at, scope, n) && (scope[n] == '\0' || scope[n] == '/');
}

/* ---- the entries in memory ---- */

static int by_oid(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->oid, ((const struct entry *)b)->oid);
}

struct load {
    struct sb_arena *arena;
    struct entry *entries;
    size_t n;
};

/* The custom roles, by which entries are made; they live as long as those. */
struct custom {
    struct role_def *defs;
    size_t n;
};

static enum sb_err load_roles(struct tx *tx, struct sb_arena *a, struct custom *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct st_role *rows = NULL;
    SB_TRY(st_role_list(tx, a, &rows, &ret->n, err));
    ret->defs = ARENA_ARRAY(a, struct role_def, ret->n + 1);
    bool ok = ret->defs != NULL;
    for (size_t i = 0; ok && i < ret->n; i++)
        ok = rbac_role_from_row(&rows[i], a, &ret->defs[i]);
    if (!ok)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

static const struct role_def *role_of(const struct custom *c, const char *id)
{
    const struct role_def *role = rbac_role_by_id(id);
    for (size_t i = 0; role == NULL && i < c->n; i++)
        role = text_ieq(c->defs[i].id, id) ? &c->defs[i] : NULL;
    return role;
}

/* False: out of memory. A grant of a role that is no more grants nothing. */
static bool add_entry(struct load *l, const struct custom *c, const char *principal, const char *role_id,
                      const struct entry *like)
{
    const struct role_def *role = role_of(c, role_id);
    char *oid = arena_strdup(l->arena, principal);
    if (oid == NULL)
        return false;
    if (role != NULL) {
        l->entries[l->n] = *like;
        l->entries[l->n].oid = text_tolower(oid);
        l->entries[l->n++].role = role;
    }
    return true;
}

static enum sb_err load_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct load *l = arg;
    struct custom custom = {0};
    struct st_assignment *rows = NULL;
    struct st_ending *endings = NULL;
    size_t n = 0, m = 0;
    SB_TRY(load_roles(tx, l->arena, &custom, err));
    SB_TRY(st_assignment_list(tx, l->arena, &rows, &n, err));
    SB_TRY(st_ending_list(tx, l->arena, &endings, &m, err));
    l->n = 0;
    l->entries = ARENA_ARRAY(l->arena, struct entry, n + m + 1);
    bool ok = l->entries != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = add_entry(
            l, &custom, rows[i].principal_id, rows[i].role_id,
            &(struct entry){.scope = rows[i].scope, .from_ms = rows[i].counts_ms, .until_ms = INT64_MAX});
    for (size_t i = 0; ok && i < m; i++)
        ok = add_entry(l, &custom, endings[i].principal_id, endings[i].role_id,
                       &(struct entry){
                           .scope = endings[i].scope, .from_ms = INT64_MIN, .until_ms = endings[i].until_ms});
    if (!ok) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    qsort(l->entries, l->n, sizeof *l->entries, by_oid);
out:
    return rc;
}

static enum sb_err load(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct rbac *r = e->rbac;
    uint64_t epoch = atomic_load(&r->epoch);
    struct load l = {.arena = arena_new(LIST_BYTES_MAX)};
    if (l.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_read(e->kv, load_run, &l, err));
    pthread_rwlock_wrlock(&r->lock);
    struct sb_arena *old = r->arena;
    r->arena = l.arena;
    r->entries = l.entries;
    r->n = l.n;
    pthread_rwlock_unlock(&r->lock);
    l.arena = old;
    atomic_store(&r->loaded, epoch);
out:
    arena_free(l.arena);
    return rc;
}

/* False: the assignments could not be read, so nothing is known to be allowed. */
static bool refresh(struct engine *e)
{
    struct rbac *r = e->rbac;
    if (atomic_load(&r->loaded) == atomic_load(&r->epoch) || store_is_owner(e->kv))
        return true;
    bool ok = true;
    pthread_mutex_lock(&r->loading);
    if (atomic_load(&r->loaded) != atomic_load(&r->epoch))
        ok = load(e, NULL) == SB_OK;
    pthread_mutex_unlock(&r->loading);
    return ok;
}

enum sb_err rbac_open(struct engine *e, struct sb_error *err)
{
    struct rbac *r = calloc(1, sizeof *r);
    if (r == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    pthread_rwlock_init(&r->lock, NULL);
    pthread_mutex_init(&r->loading, NULL);
    atomic_init(&r->epoch, 1);
    atomic_init(&r->loaded, 0);
    e->rbac = r;
    return load(e, err);
}

void rbac_close(struct engine *e)
{
    struct rbac *r = e->rbac;
    if (r == NULL)
        return;
    arena_free(r->arena);
    pthread_mutex_destroy(&r->loading);
    pthread_rwlock_destroy(&r->lock);
    free(r);
    e->rbac = NULL;
}

void rbac_changed(struct engine *e)
{
    atomic_fetch_add(&e->rbac->epoch, 1);
}

uint64_t rbac_epoch(struct engine *e)
{
    return atomic_load(&e->rbac->epoch);
}

/* ---- the question ---- */

/* First entry of the principal, or NULL. *ret_end is behind the last of all. Under the lock. */
static const struct entry *first_of(const struct rbac *r, const char *oid, const struct entry **ret_end)
{
    size_t lo = 0, hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(r->entries[mid].oid, oid) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_end = r->entries + r->n;
    return lo < r->n ? r->entries + lo : *ret_end;
}

static bool counts(const struct entry *x, int64_t now)
{
    return x->from_ms <= now && now < x->until_ms;
}

/* Owner of the root management group by configuration: of that group and of every subscription. */
static bool owns(struct engine *e, const char *oid, const char *scope)
{
    return rbac_covers(RBAC_ROOT_GROUP, scope) && directory_is_configured(e, oid);
}

static bool lowered_oid(const struct principal *who, char oid[40])
{
    return text_copy(oid, 40, who->oid) && *text_tolower(oid) != '\0';
}

bool rbac_may(struct engine *e, const struct principal *who, const char *action, bool data_action,
              const char *scope)
{
    struct rbac *r = e->rbac;
    char oid[40];
    bool may = false;
    if (!lowered_oid(who, oid))
        return false;
    if (!data_action && owns(e, oid, scope))
        return true;
    if (!refresh(e))
        return false;
    int64_t now = engine_now(e);
    pthread_rwlock_rdlock(&r->lock);
    const struct entry *end, *x = first_of(r, oid, &end);
    for (; !may && x < end && strcmp(x->oid, oid) == 0; x++)
        may = counts(x, now) && rbac_covers(x->scope, scope) && role_allows(x->role, action, data_action);
    pthread_rwlock_unlock(&r->lock);
    return may;
}

bool rbac_sees(struct engine *e, const struct principal *who, const char *scope)
{
    struct rbac *r = e->rbac;
    char oid[40];
    bool sees = false;
    if (!lowered_oid(who, oid))
        return false;
    if (directory_is_configured(e, oid))
        return true;
    if (!refresh(e))
        return false;
    int64_t now = engine_now(e);
    pthread_rwlock_rdlock(&r->lock);
    const struct entry *end, *x = first_of(r, oid, &end);
    for (; !sees && x < end && strcmp(x->oid, oid) == 0; x++)
        sees = counts(x, now) && (rbac_covers(x->scope, scope) || rbac_covers(scope, x->scope));
    pthread_rwlock_unlock(&r->lock);
    return sees;
}

enum sb_err rbac_require(struct engine *e, const struct principal *who, const char *action, const char *scope,
                         struct sb_error *err)
{
    if (rbac_may(e, who, action, false, scope))
        return SB_OK;
    struct sb_arena *a = arena_new(NAME_BYTES_MAX);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = sb_fail(
        err, SB_EDENIED,
        "The client '%.200s' with object id '%s' does not have authorization to perform action '%s' over "
        "scope '%.*s' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
        directory_caller(e, who, a), who->oid, action, RBAC_SCOPE_MAX / 2, scope);
    arena_free(a);
    return rc;
}

/* ---- ends ---- */

enum sb_err rbac_drop_scope(struct tx *tx, const char *scope, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(st_assignment_drop_scope(tx, scope, err));
    SB_TRY(st_ending_drop_scope(tx, scope, err));
out:
    return rc;
}

enum sb_err rbac_drop_all(struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(rbac_drop_scope(tx, "", err));
    SB_TRY(st_role_drop(tx, NULL, err));
out:
    return rc;
}

/* ---- scopes ---- */

enum sb_err rbac_scope_clean(const char *scope, struct sb_arena *a, const char **ret, struct sb_error *err)
{
    size_t n = strlen(scope);
    while (n > 1 && scope[n - 1] == '/')
        n--;
    if (n == 0 || n > RBAC_SCOPE_MAX || scope[0] != '/')
        return sb_fail(err, SB_EBADREQUEST, "The scope is invalid.");
    char *s = arena_strndup(a, scope, n);
    if (s == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = s;
    return SB_OK;
}
