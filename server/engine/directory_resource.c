/* directory_resource.c: resource groups and user-assigned identities. */
#include <string.h>
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/directory_private.h"
#include "server/engine/ns.h"
#include "server/engine/rbac.h"
#include "server/engine/vault.h"
#include "storage/st_document.h"
#include "storage/st_vault.h"

#define GROUP_NAME_MAX 90
#define UAI_NAME_MIN   3
#define UAI_NAME_MAX   128
#define UAI_TYPE       "Microsoft.ManagedIdentity/userAssignedIdentities"
#define LIST_BYTES_MAX ((size_t)16 << 20)

/* What every op here carries; `publish` moves the epoch, as any change of the vault database does. */
struct op {
    struct engine *e;
    struct sb_arena *arena;
};

static void publish(void *arg)
{
    const struct op *op = arg;
    rbac_changed(op->e);
}

static enum sb_err no_group(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_ENOGROUP, "Resource group '%.90s' could not be found.", name);
}

static enum sb_err group_row(struct tx *tx, const char *sub, const char *name, struct sb_arena *a,
                             struct st_group *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_TRY(st_group_get(tx, sub, name, a, &found, ret, err));
    if (!found)
        rc = no_group(name, err);
out:
    return rc;
}

static struct group to_group(const struct st_group *row)
{
    return (struct group){.sub = row->sub,
                          .name = row->name,
                          .location = row->location,
                          .tags = row->tags,
                          .managed_by = row->managed_by};
}

/* ---- resource groups ---- */

static bool alnum(char c)
{
    c = text_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters of any alphabet, digits, and -._() but no period at the end. */
static enum sb_err check_group_name(const char *name, struct sb_error *err)
{
    size_t n = strlen(name), length = utf8_length(name, n);
    if (n == 0 || length > GROUP_NAME_MAX)
        return sb_fail(err, SB_EBADREQUEST,
                       "The provided resource group name has these many characters: '%zu'. The name must "
                       "have between 1 and %d.",
                       length, GROUP_NAME_MAX);
    for (const char *p = name; *p != '\0'; p++) {
        if (!alnum(*p) && strchr("-._()", *p) == NULL && (unsigned char)*p < 0x80)
            return sb_fail(err, SB_EBADREQUEST,
                           "The provided resource group name '%s' has these invalid characters: '%c'. The "
                           "name can only be a "
                           "letter, digit, '-', '.', '(', ')' or '_'.",
                           name, *p);
    }
    if (name[n - 1] == '.')
        return sb_fail(err, SB_EBADREQUEST,
                       "The provided resource group name '%s' must not end with a period.", name);
    return SB_OK;
}

struct group_save {
    struct op op;
    const struct group *want;
    struct st_group row;
    bool created;
};

static enum sb_err group_save_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct group_save *x = arg;
    const struct group *want = x->want;
    struct st_group old = {.sub = want->sub, .name = want->name, .location = want->location, .tags = "{}"};
    bool found;
    SB_TRY(st_group_get(tx, want->sub, want->name, x->op.arena, &found, &old, err));
    if (!found && want->location == NULL) {
        rc = no_group(want->name, err);
        goto out;
    }
    if (found && want->location != NULL && !text_ieq(want->location, old.location)) {
        rc = sb_fail(
            err, SB_EGROUPLOCATION,
            "Invalid resource group location '%.60s'. The Resource group already exists in location '%s'.",
            want->location, old.location);
        goto out;
    }
    x->row = old;
    if (want->tags != NULL)
        x->row.tags = want->tags;
    if (want->managed_by != NULL)
        x->row.managed_by = want->managed_by;
    x->created = !found;
    rc = st_group_put(tx, &x->row, err);
out:
    return rc;
}

enum sb_err directory_group_save(struct engine *e, const struct group *want, struct sb_arena *a,
                                 struct group *ret, bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct group_save x = {.op = {e, a}, .want = want};
    SB_TRY(check_group_name(want->name, err));
    SB_TRY(store_call_publish(e->kv, group_save_run, publish, &x, err));
    *ret = to_group(&x.row);
    *ret_created = x.created;
out:
    return rc;
}

enum sb_err directory_group_put(struct engine *e, const char *sub, const char *name, const char *location,
                                const char *tags, struct sb_arena *a, struct group *ret, bool *ret_created,
                                struct sb_error *err)
{
    const struct group want = {.sub = sub, .name = name, .location = location, .tags = tags};
    return directory_group_save(e, &want, a, ret, ret_created, err);
}

struct group_read {
    struct op op;
    const char *sub, *name;
    struct st_group row;
    struct st_group *rows;
    size_t n;
};

static enum sb_err group_get_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct group_read *x = arg;
    return group_row(tx, x->sub, x->name, x->op.arena, &x->row, err);
}

enum sb_err directory_group_get(struct engine *e, const char *sub, const char *name, struct sb_arena *a,
                                struct group *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct group_read x = {.op = {e, a}, .sub = sub, .name = name};
    SB_TRY(store_read(e->kv, group_get_run, &x, err));
    *ret = to_group(&x.row);
out:
    return rc;
}

static enum sb_err group_list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct group_read *x = arg;
    return st_group_list(tx, x->sub, x->op.arena, &x->rows, &x->n, err);
}

enum sb_err directory_group_list(struct engine *e, const char *sub, struct sb_arena *a, struct group **ret,
                                 size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct group_read x = {.op = {e, a}, .sub = sub};
    SB_TRY(store_read(e->kv, group_list_run, &x, err));
    struct group *groups = ARENA_ARRAY(a, struct group, x.n + 1);
    if (groups == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < x.n; i++)
        groups[i] = to_group(&x.rows[i]);
    *ret = groups;
    *ret_n = x.n;
out:
    return rc;
}

/* ---- user-assigned identities ---- */

static const char *uai_id(struct sb_arena *a, const char *sub, const char *group, const char *name)
{
    return arena_printf(a, "/subscriptions/%s/resourcegroups/%s/providers/" UAI_TYPE "/%s", sub, group, name);
}

static enum sb_err to_uai(const struct st_identity *row, struct sb_arena *a, struct uai *ret,
                          struct sb_error *err)
{
    const char *id = uai_id(a, row->sub, row->group, row->name);
    if (id == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    *ret = (struct uai){
        .id = id,
        .sub = row->sub,
        .group = row->group,
        .name = row->name,
        .location = row->location,
        .tags = row->tags,
        .principal_id = row->oid,
        .client_id = row->appid,
    };
    return SB_OK;
}

/* The identity, its principal, the assignments at it and its federated credentials. */
static enum sb_err uai_drop(struct tx *tx, const struct st_identity *i, struct sb_arena *a,
                            struct sb_error *err)
{
    enum sb_err rc;
    const char *id = uai_id(a, i->sub, i->group, i->name);
    if (id == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(st_identity_drop(tx, i->sub, i->group, i->name, err));
    SB_TRY(st_principal_drop(tx, i->oid, err));
    SB_TRY(st_document_drop_scope(tx, id, err));
    rc = rbac_drop_scope(tx, id, err);
out:
    return rc;
}

static enum sb_err check_uai_name(const char *name, struct sb_error *err)
{
    size_t n = strlen(name);
    bool ok = n >= UAI_NAME_MIN && n <= UAI_NAME_MAX && alnum(name[0]);
    for (const char *p = name; ok && *p != '\0'; p++)
        ok = alnum(*p) || *p == '-' || *p == '_';
    if (ok)
        return SB_OK;
    return sb_fail(err, SB_EBADREQUEST,
                   "The resource name '%.128s' is invalid: it must begin with a letter or digit, hold only "
                   "letters, digits, "
                   "hyphens and underscores, and have between %d and %d characters.",
                   name, UAI_NAME_MIN, UAI_NAME_MAX);
}

struct uai_put {
    struct op op;
    const char *location; /* NULL: keep */
    const char *tags;     /* NULL: keep */
    struct st_identity want;
    struct st_identity row;
    bool created;
};

static enum sb_err uai_put_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct uai_put *x = arg;
    struct st_group group;
    struct st_identity old;
    bool found;
    SB_TRY(group_row(tx, x->want.sub, x->want.group, x->op.arena, &group, err));
    SB_TRY(st_identity_get(tx, x->want.sub, x->want.group, x->want.name, x->op.arena, &found, &old, err));
    if (!found && x->location == NULL) {
        rc = sb_fail(err, SB_ENOTFOUND,
                     "The Resource '" UAI_TYPE
                     "/%s' under resource group '%s' was not found. For more details please go to "
                     "https://aka.ms/ARMResourceNotFoundFix",
                     x->want.name, group.name);
        goto out;
    }
    if (found && x->location != NULL && !text_ieq(x->location, old.location)) {
        rc = sb_fail(err, SB_ELOCATION,
                     "The resource '%s' already exists in location '%s' in resource group '%s'. A resource "
                     "with the same name "
                     "cannot be created in location '%.60s'. Please select a new resource name.",
                     old.name, old.location, group.name, x->location);
        goto out;
    }
    x->row = found ? old : x->want;
    x->row.location = found ? old.location : x->location;
    x->row.tags = x->tags != NULL ? x->tags : found ? old.tags : "{}";
    x->row.sub = group.sub; /* ids show sub and group as the group has them */
    x->row.group = group.name;
    x->created = !found;
    if (!found) {
        struct st_principal p = {.oid = x->row.oid, .appid = x->row.appid, .kind = PRINCIPAL_USER_IDENTITY};
        p.resource_id = uai_id(x->op.arena, x->row.sub, x->row.group, x->row.name);
        SB_TRY(st_principal_add(tx, &p, err));
    }
    rc = st_identity_put(tx, &x->row, err);
out:
    return rc;
}

enum sb_err directory_uai_put(struct engine *e, const char *sub, const char *group, const char *name,
                              const char *location, const char *tags, struct sb_arena *a, struct uai *ret,
                              bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct uai_put x = {.op = {e, a}, .location = location, .tags = tags};
    char *oid = arena_alloc(a, SB_GUID_LEN + 1), *appid = arena_alloc(a, SB_GUID_LEN + 1);
    if (oid == NULL || appid == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    rng_guid(oid);
    rng_guid(appid);
    x.want = (struct st_identity){.sub = sub, .group = group, .name = name, .oid = oid, .appid = appid};
    SB_TRY(check_uai_name(name, err));
    SB_TRY(store_call_publish(e->kv, uai_put_run, publish, &x, err));
    SB_TRY(to_uai(&x.row, a, ret, err));
    *ret_created = x.created;
out:
    return rc;
}

struct uai_find {
    struct op op;
    const char *sub, *group, *name;
    bool remove, found;
    struct st_identity row;
    struct st_identity *rows;
    size_t n;
};

/* Segment k (from 0) of "/a/b/c" into *ret; false when there is none or it is empty. */
static bool id_segment(struct sb_arena *a, const char *id, unsigned k, const char **ret)
{
    const char *p = id;
    for (unsigned i = 0; p != NULL && i < k; i++)
        p = *p == '\0' ? NULL : strchr(p + 1, '/');
    if (p == NULL || *p != '/' || p[1] == '\0' || p[1] == '/')
        return false;
    *ret = arena_strndup(a, p + 1, strcspn(p + 1, "/"));
    return *ret != NULL;
}

/* /subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/N, case
 * ignored. */
static bool parse_uai_id(const char *id, struct uai_find *x)
{
    static const char *const literals[] = {[0] = "subscriptions",
                                           [2] = "resourceGroups",
                                           [4] = "providers",
                                           [5] = "Microsoft.ManagedIdentity",
                                           [6] = "userAssignedIdentities"};
    const char *seg[8], *more;
    if (strlen(id) >= sizeof(((struct principal *)0)->resource_id) || id_segment(x->op.arena, id, 8, &more))
        return false;
    for (unsigned k = 0; k < SB_ARRAY_LEN(seg); k++) {
        if (!id_segment(x->op.arena, id, k, &seg[k]))
            return false;
        if (k < SB_ARRAY_LEN(literals) && literals[k] != NULL && !text_ieq(literals[k], seg[k]))
            return false;
    }
    x->sub = seg[1];
    x->group = seg[3];
    x->name = seg[7];
    return true;
}

static enum sb_err uai_find_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct uai_find *x = arg;
    SB_TRY(st_identity_get(tx, x->sub, x->group, x->name, x->op.arena, &x->found, &x->row, err));
    if (x->found && x->remove)
        rc = uai_drop(tx, &x->row, x->op.arena, err);
out:
    return rc;
}

enum sb_err directory_uai_get(struct engine *e, const char *arm_id, struct sb_arena *a, struct uai *ret,
                              struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct uai_find x = {.op = {e, a}};
    if (parse_uai_id(arm_id, &x))
        SB_TRY(store_read(e->kv, uai_find_run, &x, err));
    if (!x.found) {
        rc = sb_fail(err, SB_ENOTFOUND,
                     "The Resource '" UAI_TYPE
                     "/%.128s' under resource group '%.90s' was not found. For more details please go "
                     "to https://aka.ms/ARMResourceNotFoundFix",
                     x.name != NULL ? x.name : arm_id, x.group != NULL ? x.group : "");
        goto out;
    }
    rc = to_uai(&x.row, a, ret, err);
out:
    return rc;
}

enum sb_err directory_uai_delete(struct engine *e, const char *arm_id, bool *ret_existed,
                                 struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct uai_find x = {.op = {e, arena_new(LIST_BYTES_MAX)}, .remove = true};
    if (x.op.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (parse_uai_id(arm_id, &x))
        SB_TRY(store_call_publish(e->kv, uai_find_run, publish, &x, err));
    *ret_existed = x.found;
out:
    arena_free(x.op.arena);
    return rc;
}

static enum sb_err uai_list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct uai_find *x = arg;
    return st_identity_list(tx, x->sub, x->group, x->op.arena, &x->rows, &x->n, err);
}

enum sb_err directory_uai_list(struct engine *e, const char *sub, const char *group, struct sb_arena *a,
                               struct uai **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct uai_find x = {.op = {e, a}, .sub = sub, .group = group};
    SB_TRY(store_read(e->kv, uai_list_run, &x, err));
    struct uai *list = ARENA_ARRAY(a, struct uai, x.n + 1);
    if (list == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < x.n; i++)
        SB_TRY(to_uai(&x.rows[i], a, &list[i], err));
    *ret = list;
    *ret_n = x.n;
out:
    return rc;
}

/* ---- deleting a group ---- */

struct group_delete {
    struct op op;
    const char *sub, *name;
    bool vaults_left; /* one was made after the others had been deleted */
};

static enum sb_err drop_group(struct tx *tx, struct group_delete *x, const struct st_group *group,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct st_identity *list = NULL;
    size_t n = 0;
    SB_TRY(st_identity_list(tx, x->sub, x->name, x->op.arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(uai_drop(tx, &list[i], x->op.arena, err));
    const char *scope =
        arena_printf(x->op.arena, "/subscriptions/%s/resourceGroups/%s", group->sub, group->name);
    if (scope == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
        goto out;
    }
    SB_TRY(rbac_drop_scope(tx, scope, err));
    SB_TRY(st_document_drop_scope(tx, scope, err));
    rc = st_group_drop(tx, group->sub, group->name, err);
out:
    return rc;
}

static enum sb_err group_delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct group_delete *x = arg;
    struct st_group group;
    struct st_vault *vaults = NULL;
    size_t n = 0;
    SB_TRY(group_row(tx, x->sub, x->name, x->op.arena, &group, err));
    SB_TRY(st_vault_list(tx, x->sub, x->name, false, x->op.arena, &vaults, &n, err));
    x->vaults_left = n > 0;
    if (n == 0)
        rc = drop_group(tx, x, &group, err);
out:
    return rc;
}

static enum sb_err delete_claimed(struct engine *e, struct group_delete *x, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_delete_group(e, x->sub, x->name, err));
    do {
        SB_TRY(vault_delete_group(e, x->sub, x->name, err));
        SB_TRY(store_call_publish(e->kv, group_delete_run, publish, x, err));
    } while (x->vaults_left);
out:
    return rc;
}

/* What is in the group goes first and the group last, so that a deletion that was cut short can be asked for
 * again. Meanwhile no namespace can be made: ns_put holds the same lock. */
enum sb_err directory_group_delete_claimed(struct engine *e, const char *sub, const char *name,
                                           struct sb_error *err)
{
    enum sb_err rc;
    struct group group;
    struct group_delete x = {.op = {e, arena_new(LIST_BYTES_MAX)}, .sub = sub, .name = name};
    if (x.op.arena == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(directory_group_get(e, sub, name, x.op.arena, &group, err));
    rc = delete_claimed(e, &x, err);
out:
    arena_free(x.op.arena);
    return rc;
}

enum sb_err directory_group_delete(struct engine *e, const char *sub, const char *name, struct sb_error *err)
{
    pthread_mutex_lock(&e->arm);
    enum sb_err rc = directory_group_delete_claimed(e, sub, name, err);
    pthread_mutex_unlock(&e->arm);
    return rc;
}
