/*
 * rbac_assign.c: role assignments: create, read, list, remove.
 */
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/rbac_private.h"
#include "storage/st_directory.h"
#include "storage/st_role.h"

#define ASSIGNMENTS_MAX 4000 /* the service's limit for a subscription (documented) */
#define DESCRIPTION_MAX 1024
#define LIST_BYTES_MAX  ((size_t)16 << 20)
#define ASSIGNMENT_TYPE "providers/Microsoft.Authorization/roleAssignments"

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

/* The role there is, and whether it can be assigned here. */
static enum sb_err check_role(struct tx *tx, struct assign *x, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_role row = {0};
    struct role_def def = {0};
    const struct role_def *role = rbac_role_by_id(x->want.role_id);
    bool found = role != NULL;
    if (!found)
        SB_TRY(st_role_get(tx, x->want.role_id, x->arena, &found, &row, err));
    if (found && role == NULL && !rbac_role_from_row(&row, x->arena, &def)) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    role = role != NULL ? role : &def;
    if (!found || !rbac_assignable(role, x->want.scope))
        rc = sb_fail(err, SB_ENOROLE, "The specified role definition with ID '%.40s' does not exist.",
                     x->want.role_id);
    else
        x->row.role_id = role->id;
out:
    return rc;
}

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
    SB_TRY(check_role(tx, x, err));
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
        x->row.counts_ms = old.counts_ms;
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
    if (!guid_valid(want->name))
        return sb_fail(err, SB_EBADREQUEST,
                       "The role assignment ID '%.80s' is not valid. The role assignment ID must be a GUID.",
                       want->name);
    if (!guid_valid(want->principal_id))
        return sb_fail(err, SB_EBADREQUEST,
                       "The principal ID '%.80s' is not valid. Principal ID must be a GUID.",
                       want->principal_id);
    if (want->description != NULL &&
        utf8_length(want->description, strlen(want->description)) > DESCRIPTION_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The description of a role assignment has at most %d characters.",
                       DESCRIPTION_MAX);
    x.want = (struct st_assignment){
        .name = want->name,
        .role_id = want->role_id,
        .principal_id = want->principal_id,
        .principal_type = want->principal_type,
        .description = want->description,
        .created_by = want->created_by != NULL ? want->created_by : "",
        .updated_by = want->created_by != NULL ? want->created_by : "",
        .created_ms = now,
        .updated_ms = now,
        .counts_ms = now + e->cfg.grant_delay_ms,
    };
    SB_TRY(rbac_scope_clean(want->scope, a, &x.want.scope, err));
    SB_TRY(store_call_publish(e->kv, assign_run, publish_change, &x, err));
    SB_TRY(view(&x.row, a, ret, err));
    *ret_created = x.created;
out:
    return rc;
}

enum sb_err rbac_elevate(struct engine *e, const struct principal *who, struct sb_error *err)
{
    enum sb_err rc;
    char name[SB_GUID_LEN + 1];
    bool created = false;
    struct role_assignment ret;
    struct sb_arena *a = arena_new(LIST_BYTES_MAX);
    const struct role_assignment want = {.scope = "/",
                                         .name = name,
                                         .role_id = rbac_role_by_name("User Access Administrator")->id,
                                         .principal_id = who->oid,
                                         .created_by = who->oid};
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (!directory_is_configured(e, who->oid))
        SB_TRY(rbac_require(e, who, "Microsoft.Authorization/elevateAccess/action", "/", err));
    rng_guid(name);
    rc = rbac_assign(e, &want, a, &ret, &created, err);
    if (rc == SB_EASSIGNED)
        rc = SB_OK;
out:
    arena_free(a);
    return rc;
}

struct find {
    struct engine *e;
    struct sb_arena *arena;
    const char *scope, *name;
    bool found, remove;
    struct st_assignment row;
};

/* The row goes; what it granted already goes on for the delay. */
static enum sb_err end_assignment(struct tx *tx, const struct find *x, struct sb_error *err)
{
    enum sb_err rc;
    int64_t now = engine_now(x->e), delay = x->e->cfg.grant_delay_ms;
    const struct st_ending rest = {.scope = x->row.scope,
                                   .role_id = x->row.role_id,
                                   .principal_id = x->row.principal_id,
                                   .until_ms = now + delay};
    SB_TRY(st_assignment_drop(tx, x->name, err));
    SB_TRY(st_ending_trim(tx, now, err));
    if (delay > 0 && x->row.counts_ms <= now)
        SB_TRY(st_ending_add(tx, &rest, err));
out:
    return rc;
}

static enum sb_err find_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct find *x = arg;
    SB_TRY(st_assignment_get(tx, x->name, x->arena, &x->found, &x->row, err));
    x->found = x->found && text_ieq(x->row.scope, x->scope);
    if (x->found && x->remove)
        rc = end_assignment(tx, x, err);
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
    SB_TRY(rbac_scope_clean(scope, a, &x.scope, err));
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
    SB_TRY(rbac_scope_clean(scope, a, &x.scope, err));
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
    SB_TRY(rbac_scope_clean(scope, a, &at, err));
    SB_TRY(store_read(e->kv, list_run, &x, err));
    struct role_assignment *found = ARENA_ARRAY(a, struct role_assignment, x.n + 1);
    if (found == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < x.n; i++) {
        bool near = rbac_covers(x.rows[i].scope, at) || (!at_scope && rbac_covers(at, x.rows[i].scope));
        if (near && (principal == NULL || text_ieq(principal, x.rows[i].principal_id)))
            SB_TRY(view(&x.rows[i], a, &found[n++], err));
    }
    *ret = found;
    *ret_n = n;
out:
    return rc;
}
