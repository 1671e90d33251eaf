/*
 * rbac.c: role assignments and the question rbac_may.
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
#include "server/engine/rbac.h"
#include "storage/st_directory.h"

#define ASSIGNMENTS_MAX 4000 /* the service's limit for a subscription (documented) */
#define SCOPE_MAX       1024
#define DESCRIPTION_MAX 1024
#define LIST_BYTES_MAX  ((size_t)16 << 20)
#define ASSIGNMENT_TYPE "providers/Microsoft.Authorization/roleAssignments"

struct entry {
    const char *oid, *scope;
    const struct role_def *role;
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

/* Is `scope` the scope `at`, or below it by whole segments? */
static bool scope_covers(const char *at, const char *scope)
{
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

static enum sb_err load_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct load *l = arg;
    struct st_assignment *rows = NULL;
    size_t n = 0;
    SB_TRY(st_assignment_list(tx, l->arena, &rows, &n, err));
    l->n = 0;
    l->entries = ARENA_ARRAY(l->arena, struct entry, n + 1);
    if (l->entries == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        const struct role_def *role = rbac_role_by_id(rows[i].role_id);
        char *oid = arena_strdup(l->arena, rows[i].principal_id);
        if (oid == NULL) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory");
            goto out;
        }
        if (role != NULL)
            l->entries[l->n++] =
                (struct entry){.oid = text_tolower(oid), .scope = rows[i].scope, .role = role};
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
    if (!data_action && text_istarts(scope, "/subscriptions/") && directory_is_configured(e, oid))
        return true;
    if (!refresh(e))
        return false;
    pthread_rwlock_rdlock(&r->lock);
    const struct entry *end, *x = first_of(r, oid, &end);
    for (; !may && x < end && strcmp(x->oid, oid) == 0; x++)
        may = scope_covers(x->scope, scope) && role_allows(x->role, action, data_action);
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
    pthread_rwlock_rdlock(&r->lock);
    const struct entry *end, *x = first_of(r, oid, &end);
    for (; !sees && x < end && strcmp(x->oid, oid) == 0; x++)
        sees = scope_covers(x->scope, scope) || scope_covers(scope, x->scope);
    pthread_rwlock_unlock(&r->lock);
    return sees;
}

enum sb_err rbac_require(struct engine *e, const struct principal *who, const char *action, const char *scope,
                         struct sb_error *err)
{
    if (rbac_may(e, who, action, false, scope))
        return SB_OK;
    return sb_fail(
        err, SB_EDENIED,
        "The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope "
        "'%.*s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        who->appid, who->oid, action, SCOPE_MAX / 2, scope);
}

/* ---- assignments ---- */

/* The scope without trailing slashes ("/" stays), as it is stored. */
static enum sb_err scope_clean(const char *scope, struct sb_arena *a, const char **ret, struct sb_error *err)
{
    size_t n = strlen(scope);
    while (n > 1 && scope[n - 1] == '/')
        n--;
    if (n == 0 || n > SCOPE_MAX || scope[0] != '/')
        return sb_fail(err, SB_EBADREQUEST, "The scope is invalid.");
    char *s = arena_strndup(a, scope, n);
    if (s == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = s;
    return SB_OK;
}

static enum sb_err view(const struct st_assignment *row, struct sb_arena *a, struct role_assignment *ret,
                        struct sb_error *err)
{
    const char *at = strcmp(row->scope, "/") == 0 ? "" : row->scope;
    char *id = arena_printf(a, "%s/" ASSIGNMENT_TYPE "/%s", at, row->name);
    if (id == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = (struct role_assignment){
        .id = id,
        .name = row->name,
        .scope = row->scope,
        .role_id = row->role_id,
        .principal_id = row->principal_id,
        .principal_type = row->principal_type,
        .description = row->description,
        .created_by = row->created_by,
        .updated_by = row->updated_by,
        .created_ms = row->created_ms,
        .updated_ms = row->updated_ms,
    };
    return SB_OK;
}

struct assign {
    struct engine *e;
    struct sb_arena *arena;
    struct st_assignment want; /* principal_type NULL: not sent */
    struct st_assignment row;  /* what was stored */
    bool created;
};

static void publish_change(void *arg)
{
    const struct assign *x = arg;
    rbac_changed(x->e);
}

/* Finds out the type, or checks the one that was sent against a principal that is known. */
static enum sb_err check_principal(struct tx *tx, struct assign *x, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    struct principal p;
    struct st_principal stored;
    if (directory_configured_principal(x->e, x->row.principal_id, &p)) {
        found = true;
    } else {
        SB_TRY(st_principal_get(tx, ST_PRINCIPAL_OID, x->row.principal_id, x->arena, &found, &stored, err));
        p.kind = found ? (enum principal_kind)stored.kind : PRINCIPAL_APP;
    }
    rc = SB_OK;
    const char *type = p.kind == PRINCIPAL_USER ? "User" : "ServicePrincipal";
    if (found && x->row.principal_type != NULL && !text_ieq(x->row.principal_type, type)) {
        rc = sb_fail(err, SB_EBADREQUEST,
                     "The PrincipalId '%s' has type '%s' , which is different from specified "
                     "PrinciaplType '%s'.",
                     x->row.principal_id, type, x->row.principal_type);
    } else if (!found && x->row.principal_type == NULL) {
        uint8_t raw[16] = {0};
        char hex[33];
        guid_parse(x->row.principal_id, raw);
        hex_encode(raw, sizeof raw, hex);
        rc = sb_fail(err, SB_ENOPRINCIPAL,
                     "Principal %s does not exist in the directory %s. Check that you have the correct "
                     "principal ID. If you "
                     "are creating this principal and then immediately assigning a role, this error might be "
                     "related to a "
                     "replication delay. In this case, set the role assignment principalType property to a "
                     "value, such as "
                     "ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype",
                     hex, ENGINE_TENANT);
    } else if (x->row.principal_type == NULL) {
        x->row.principal_type = type;
    }
out:
    return rc;
}

/* Another assignment of the same role to the same principal at the same scope? */
static enum sb_err check_twin(struct tx *tx, struct assign *x, struct sb_error *err)
{
    enum sb_err rc;
    struct st_assignment *rows = NULL;
    size_t n = 0;
    SB_TRY(st_assignment_list(tx, x->arena, &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(rows[i].scope, x->row.scope) && text_ieq(rows[i].role_id, x->row.role_id) &&
            text_ieq(rows[i].principal_id, x->row.principal_id)) {
            rc = sb_fail(err, SB_EASSIGNED, "The role assignment already exists.");
            goto out;
        }
    }
    if (n >= ASSIGNMENTS_MAX)
        rc = sb_fail(err, SB_ELIMIT, "No more role assignments can be created (max: %d).", ASSIGNMENTS_MAX);
out:
    return rc;
}

static enum sb_err assign_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct assign *x = arg;
    struct st_assignment old = {0};
    bool found;
    x->row = x->want;
    SB_TRY(st_assignment_get(tx, x->row.name, x->arena, &found, &old, err));
    if (found && !(text_ieq(old.scope, x->row.scope) && text_ieq(old.role_id, x->row.role_id) &&
                   text_ieq(old.principal_id, x->row.principal_id))) {
        rc = sb_fail(err, SB_EASSIGNFIXED,
                     "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.");
        goto out;
    }
    if (!found)
        SB_TRY(check_twin(tx, x, err));
    SB_TRY(check_principal(tx, x, err));
    if (found) {
        x->row.created_by = old.created_by;
        x->row.created_ms = old.created_ms;
        if (x->want.principal_type == NULL)
            x->row.principal_type = old.principal_type;
    }
    x->created = !found;
    rc = st_assignment_put(tx, &x->row, err);
out:
    return rc;
}

enum sb_err rbac_assign(struct engine *e, const struct role_assignment *want, struct sb_arena *a,
                        struct role_assignment *ret, bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    int64_t now = engine_now(e);
    struct assign x = {.e = e, .arena = a};
    const struct role_def *role = rbac_role_by_id(want->role_id);
    if (role == NULL)
        return sb_fail(err, SB_ENOROLE, "The specified role definition with ID '%.40s' does not exist.",
                       want->role_id);
    if (!guid_valid(want->name))
        return sb_fail(err, SB_EBADREQUEST,
                       "The role assignment ID '%.80s' is not valid. The role assignment ID must be a GUID.",
                       want->name);
    if (!guid_valid(want->principal_id))
        return sb_fail(err, SB_EBADREQUEST,
                       "The principal ID '%.80s' is not valid. Principal ID must be a GUID.",
                       want->principal_id);
    if (want->description != NULL && strlen(want->description) > DESCRIPTION_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The description of a role assignment has at most %d characters.",
                       DESCRIPTION_MAX);
    x.want = (struct st_assignment){
        .name = want->name,
        .role_id = role->id,
        .principal_id = want->principal_id,
        .principal_type = want->principal_type,
        .description = want->description,
        .created_by = want->created_by != NULL ? want->created_by : "",
        .updated_by = want->created_by != NULL ? want->created_by : "",
        .created_ms = now,
        .updated_ms = now,
    };
    SB_TRY(scope_clean(want->scope, a, &x.want.scope, err));
    SB_TRY(store_call_publish(e->kv, assign_run, publish_change, &x, err));
    SB_TRY(view(&x.row, a, ret, err));
    *ret_created = x.created;
out:
    return rc;
}

struct find {
    struct engine *e;
    struct sb_arena *arena;
    const char *scope, *name;
    bool found, remove;
    struct st_assignment row;
};

static enum sb_err find_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct find *x = arg;
    SB_TRY(st_assignment_get(tx, x->name, x->arena, &x->found, &x->row, err));
    x->found = x->found && text_ieq(x->row.scope, x->scope);
    if (x->found && x->remove)
        rc = st_assignment_drop(tx, x->name, err);
out:
    return rc;
}

static void publish_removal(void *arg)
{
    const struct find *x = arg;
    if (x->found)
        rbac_changed(x->e);
}

enum sb_err rbac_get(struct engine *e, const char *scope, const char *name, struct sb_arena *a,
                     struct role_assignment *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct find x = {.e = e, .arena = a, .name = name};
    SB_TRY(scope_clean(scope, a, &x.scope, err));
    SB_TRY(store_read(e->kv, find_run, &x, err));
    if (!x.found) {
        rc = sb_fail(err, SB_ENOASSIGNMENT, "The role assignment '%.80s' is not found.", name);
        goto out;
    }
    rc = view(&x.row, a, ret, err);
out:
    return rc;
}

enum sb_err rbac_remove(struct engine *e, const char *scope, const char *name, struct sb_arena *a,
                        bool *ret_existed, struct role_assignment *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct find x = {.e = e, .arena = a, .name = name, .remove = true};
    SB_TRY(scope_clean(scope, a, &x.scope, err));
    SB_TRY(store_call_publish(e->kv, find_run, publish_removal, &x, err));
    if (x.found)
        SB_TRY(view(&x.row, a, ret, err));
    *ret_existed = x.found;
out:
    return rc;
}

struct list {
    struct sb_arena *arena;
    struct st_assignment *rows;
    size_t n;
};

static enum sb_err list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct list *x = arg;
    return st_assignment_list(tx, x->arena, &x->rows, &x->n, err);
}

enum sb_err rbac_list(struct engine *e, const char *scope, bool at_scope, const char *principal,
                      struct sb_arena *a, struct role_assignment **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list x = {.arena = a};
    const char *at = NULL;
    size_t n = 0;
    SB_TRY(scope_clean(scope, a, &at, err));
    SB_TRY(store_read(e->kv, list_run, &x, err));
    struct role_assignment *found = ARENA_ARRAY(a, struct role_assignment, x.n + 1);
    if (found == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < x.n; i++) {
        bool near = scope_covers(x.rows[i].scope, at) || (!at_scope && scope_covers(at, x.rows[i].scope));
        if (near && (principal == NULL || text_ieq(principal, x.rows[i].principal_id)))
            SB_TRY(view(&x.rows[i], a, &found[n++], err));
    }
    *ret = found;
    *ret_n = n;
out:
    return rc;
}

enum sb_err rbac_drop_scope(struct tx *tx, const char *scope, struct sb_error *err)
{
    return st_assignment_drop_scope(tx, scope, err);
}
