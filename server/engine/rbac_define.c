/*
 * rbac_define.c: custom role definitions. Lists of actions and scopes are stored as lines of text.
 *
 * That an action exists is not checked: the providers' lists of operations are not emulated.
 */
#include <string.h>
#include "server/base/text.h"
#include "server/engine/rbac_private.h"
#include "storage/st_directory.h"

/* Documented limits. */
#define ROLES_MAX       5000
#define NAME_MAX        512
#define DESCRIPTION_MAX 2048
#define LISTS_BYTES_MAX 65536u
#define ACTION_MAX      256

/* ---- lines of text and lists ---- */

/* NULL: out of memory. */
static const char *const *list_of(struct sb_arena *a, const char *lines)
{
    size_t n = 0;
    for (const char *p = lines; *p != '\0'; p++)
        n += *p == '\n';
    const char **list = ARENA_ARRAY(a, const char *, n + 2);
    if (list == NULL)
        return NULL;
    n = 0;
    for (const char *p = lines; *p != '\0';) {
        size_t len = strcspn(p, "\n");
        list[n] = arena_strndup(a, p, len);
        if (list[n++] == NULL)
            return NULL;
        p += len + (p[len] == '\n');
    }
    list[n] = NULL;
    return list;
}

/* NULL: too long, or out of memory. */
static const char *lines_of(struct sb_arena *a, const char *const *list)
{
    struct sb_buf b;
    buf_init(&b, LISTS_BYTES_MAX);
    for (; *list != NULL; list++)
        buf_addf(&b, "%s%s", b.n > 0 ? "\n" : "", *list);
    const char *lines = buf_failed(&b) ? NULL : arena_strdup(a, buf_str(&b));
    buf_done(&b);
    return lines;
}

bool rbac_role_from_row(const struct st_role *row, struct sb_arena *a, struct role_def *ret)
{
    *ret = (struct role_def){
        .id = row->id,
        .name = row->name,
        .description = row->description,
        .actions = list_of(a, row->actions),
        .not_actions = list_of(a, row->not_actions),
        .data_actions = list_of(a, row->data_actions),
        .not_data_actions = list_of(a, row->not_data_actions),
        .scopes = list_of(a, row->scopes),
        .created_by = row->created_by,
        .updated_by = row->updated_by,
        .created_ms = row->created_ms,
        .updated_ms = row->updated_ms,
    };
    return ret->actions != NULL && ret->not_actions != NULL && ret->data_actions != NULL &&
           ret->not_data_actions != NULL && ret->scopes != NULL;
}

bool rbac_assignable(const struct role_def *role, const char *scope)
{
    bool yes = role->scopes == NULL;
    for (const char *const *s = role->scopes; !yes && *s != NULL; s++)
        yes = rbac_covers(*s, scope);
    return yes;
}

/* ---- what is asked for ---- */

/* "Provider/type/read" with wildcards: printable, no blanks. (own words) */
static enum sb_err check_actions(const char *const *list, const char *what, struct sb_error *err)
{
    for (; *list != NULL; list++) {
        size_t n = strlen(*list);
        bool ok = n > 0 && n <= ACTION_MAX;
        for (const char *p = *list; ok && *p != '\0'; p++)
            ok = *p > ' ' && *p < 0x7f;
        if (!ok)
            return sb_fail(err, SB_EBADREQUEST, "The %s of a role definition cannot hold '%.200s'.", what,
                           *list);
    }
    return SB_OK;
}

/* A subscription, something in one, or the tenant's root group. (own words; that "/" is refused is
 * documented) */
static enum sb_err check_scopes(const char *const *list, struct sb_error *err)
{
    if (list == NULL || *list == NULL)
        return sb_fail(err, SB_EBADREQUEST, "A role definition needs at least one assignable scope.");
    for (; *list != NULL; list++)
        if (strlen(*list) > RBAC_SCOPE_MAX || strpbrk(*list, "\r\n") != NULL ||
            !rbac_covers(RBAC_ROOT_GROUP, *list))
            return sb_fail(err, SB_EBADREQUEST, "A role cannot be made assignable at the scope '%.200s'.",
                           *list);
    return SB_OK;
}

static enum sb_err check(const struct role_def *want, struct sb_error *err)
{
    enum sb_err rc;
    if (!guid_valid(want->id))
        return sb_fail(err, SB_EBADREQUEST,
                       "The role definition ID '%.80s' is not valid. The role definition ID must be a GUID.",
                       want->id);
    if (rbac_role_by_id(want->id) != NULL)
        return sb_fail(err, SB_EBADREQUEST,
                       "The role definition '%.80s' is a built-in one and cannot be changed.", want->id);
    if (want->name == NULL || want->name[0] == '\0' || utf8_length(want->name, strlen(want->name)) > NAME_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The name of a role has between 1 and %d characters.", NAME_MAX);
    if (utf8_length(want->description, strlen(want->description)) > DESCRIPTION_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The description of a role has at most %d characters.",
                       DESCRIPTION_MAX);
    SB_TRY(check_actions(want->actions, "actions", err));
    SB_TRY(check_actions(want->not_actions, "notActions", err));
    SB_TRY(check_actions(want->data_actions, "dataActions", err));
    SB_TRY(check_actions(want->not_data_actions, "notDataActions", err));
    SB_TRY(check_scopes(want->scopes, err));
out:
    return rc;
}

/* ---- put ---- */

struct put {
    struct engine *e;
    struct sb_arena *a;
    struct st_role row;
};

static enum sb_err name_taken(struct sb_error *err)
{
    return sb_fail(
        err, SB_EROLENAME,
        "A custom role with the same name already exists in this directory. Use a different name.");
}

static enum sb_err put_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct put *x = arg;
    struct st_role *rows = NULL;
    size_t n = 0;
    bool found = false;
    x->row.created_ms = x->row.updated_ms;
    x->row.created_by = x->row.updated_by;
    if (rbac_role_by_name(x->row.name) != NULL)
        return name_taken(err);
    SB_TRY(st_role_list(tx, x->a, &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        bool same = text_ieq(rows[i].id, x->row.id);
        if (!same && text_ieq(rows[i].name, x->row.name))
            return name_taken(err);
        if (same) {
            found = true;
            x->row.created_ms = rows[i].created_ms;
            x->row.created_by = rows[i].created_by;
        }
    }
    if (!found && n >= ROLES_MAX)
        return sb_fail(err, SB_ELIMIT, "No more role definitions can be created (max: %d).", ROLES_MAX);
    SB_TRY(st_role_put(tx, &x->row, err));
out:
    return rc;
}

static void publish_put(void *arg)
{
    const struct put *x = arg;
    rbac_changed(x->e);
}

enum sb_err rbac_role_put(struct engine *e, const struct role_def *want, struct sb_arena *a,
                          struct role_def *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct put x = {.e = e, .a = a};
    SB_TRY(check(want, err));
    x.row = (struct st_role){
        .id = want->id,
        .name = want->name,
        .description = want->description,
        .actions = lines_of(a, want->actions),
        .not_actions = lines_of(a, want->not_actions),
        .data_actions = lines_of(a, want->data_actions),
        .not_data_actions = lines_of(a, want->not_data_actions),
        .scopes = lines_of(a, want->scopes),
        .updated_by = want->updated_by,
        .updated_ms = engine_now(e),
    };
    if (x.row.actions == NULL || x.row.not_actions == NULL || x.row.data_actions == NULL ||
        x.row.not_data_actions == NULL || x.row.scopes == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The role definition is too large.");
    SB_TRY(store_call_publish(e->kv, put_run, publish_put, &x, err));
    if (!rbac_role_from_row(&x.row, a, ret))
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

/* ---- reading, removing ---- */

struct find {
    struct engine *e;
    const char *id;
    bool remove, found;
    struct sb_arena *a;
    struct st_role row;
};

static enum sb_err check_unused(struct tx *tx, const struct find *x, struct sb_error *err)
{
    enum sb_err rc;
    struct st_assignment *rows = NULL;
    size_t n = 0;
    SB_TRY(st_assignment_list(tx, x->a, &rows, &n, err));
    for (size_t i = 0; i < n; i++)
        if (text_ieq(rows[i].role_id, x->id))
            return sb_fail(err, SB_EROLEUSED, "There are existing role assignments referencing role.");
out:
    return rc;
}

static enum sb_err find_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct find *x = arg;
    SB_TRY(st_role_get(tx, x->id, x->a, &x->found, &x->row, err));
    if (x->found && x->remove) {
        SB_TRY(check_unused(tx, x, err));
        SB_TRY(st_role_drop(tx, x->id, err));
    }
out:
    return rc;
}

static void publish_removal(void *arg)
{
    const struct find *x = arg;
    if (x->found)
        rbac_changed(x->e);
}

enum sb_err rbac_role_get(struct engine *e, const char *id, struct sb_arena *a, struct role_def *ret,
                          struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct find x = {.e = e, .id = id, .a = a};
    const struct role_def *built_in = rbac_role_by_id(id);
    if (built_in != NULL) {
        *ret = *built_in;
        return SB_OK;
    }
    SB_TRY(store_read(e->kv, find_run, &x, err));
    if (!x.found)
        return sb_fail(err, SB_ENOROLE, "The specified role definition with ID '%.80s' does not exist.", id);
    if (!rbac_role_from_row(&x.row, a, ret))
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

enum sb_err rbac_role_remove(struct engine *e, const char *id, struct sb_arena *a, bool *ret_existed,
                             struct role_def *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct find x = {.e = e, .id = id, .a = a, .remove = true};
    if (rbac_role_by_id(id) != NULL)
        return sb_fail(err, SB_EBADREQUEST,
                       "The role definition '%.80s' is a built-in one and cannot be deleted.", id);
    SB_TRY(store_call_publish(e->kv, find_run, publish_removal, &x, err));
    if (x.found && !rbac_role_from_row(&x.row, a, ret))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret_existed = x.found;
out:
    return rc;
}

struct list {
    struct sb_arena *a;
    struct st_role *rows;
    size_t n;
};

static enum sb_err list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct list *x = arg;
    return st_role_list(tx, x->a, &x->rows, &x->n, err);
}

static bool assignable_below(const struct role_def *role, const char *scope)
{
    bool yes = false;
    for (const char *const *s = role->scopes; !yes && *s != NULL; s++)
        yes = rbac_covers(scope, *s);
    return yes;
}

enum sb_err rbac_role_list(struct engine *e, const char *scope, bool below, struct sb_arena *a,
                           struct role_def **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list x = {.a = a};
    size_t n = 0;
    SB_TRY(store_read(e->kv, list_run, &x, err));
    struct role_def *defs = ARENA_ARRAY(a, struct role_def, x.n + 1);
    bool ok = defs != NULL;
    for (size_t i = 0; ok && i < x.n; i++) {
        ok = rbac_role_from_row(&x.rows[i], a, &defs[n]);
        n += ok && (rbac_assignable(&defs[n], scope) || (below && assignable_below(&defs[n], scope)));
    }
    if (!ok)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = defs;
    *ret_n = n;
out:
    return rc;
}
