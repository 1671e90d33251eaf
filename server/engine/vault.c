/*
 * vault.c: key vaults on the ARM plane: create, update, recover, access policies, lists.
 *
 * Every rule that depends on stored state is checked in the transaction of the write. Texts are the service's
 * (recorded).
 */
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/vault_private.h"

#define POLICIES_MAX  1024
#define RETENTION_MIN 7
#define RETENTION_MAX 90
#define BAD_POLICIES  "An invalid value was provided for 'accessPolicies'."
#define ASSIGN        "Microsoft.Authorization/roleAssignments/write"

/* ---- small rules ---- */

enum sb_err vault_check_name(const char *name, struct sb_error *err)
{
    size_t n = strlen(name);
    bool ok = n >= 3 && n <= VAULT_NAME_MAX;
    for (size_t i = 0; ok && i < n; i++) {
        char c = text_lower(name[i]);
        bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        ok = letter || (digit && i > 0) || (c == '-' && i > 0 && i < n - 1 && name[i - 1] != '-');
    }
    if (ok)
        return SB_OK;
    return sb_fail(err, SB_EVAULTNAME,
                   "The vault name '%.128s' is invalid. A vault's name must be between 3-24 alphanumeric "
                   "characters. The name "
                   "must begin with a letter, end with a letter or digit, and not contain consecutive "
                   "hyphens. Follow this "
                   "link for more information: https://go.microsoft.com/fwlink/?linkid=2147742",
                   name);
}

static enum sb_err name_taken(const char *name, struct sb_error *err)
{
    return sb_fail(
        err, SB_EVAULTEXISTS,
        "The vault name '%s' is already in use. Vault names are globally unique so it is possible that the "
        "name is "
        "already taken. If you are sure that the vault name was not taken then it is possible that a vault "
        "with "
        "the same name was recently deleted but not purged after being placed in a recoverable state. If the "
        "vault "
        "is in a recoverable state then the vault will need to be purged before reusing the name. For more "
        "information about VaultAlreadyExists, soft delete and purging a vault follow this link "
        "https://go.microsoft.com/fwlink/?linkid=2147740.",
        name);
}

static enum sb_err not_found(const char *name, const char *group, struct sb_error *err)
{
    return sb_fail(err, SB_ENOTFOUND,
                   "The Resource 'Microsoft.KeyVault/vaults/%.128s' under resource group '%.128s' was not "
                   "found. For more "
                   "details please go to https://aka.ms/ARMResourceNotFoundFix",
                   name, group);
}

enum sb_err vault_deleted_not_found(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_ENODELETEDVAULT,
                   "The specified deleted vault '%.128s' does not exist. Ensure that the vault was indeed "
                   "deleted and that it "
                   "is in recoverable state. If soft delete was not enabled then the vault is permanently "
                   "deleted. Follow "
                   "this link for more information: https://go.microsoft.com/fwlink/?linkid=2149745",
                   name);
}

bool vault_of_group(const struct st_vault *v, const char *sub, const char *group)
{
    return text_ieq(v->sub, sub) && text_ieq(v->group, group);
}

/* Sent policies as rows, each checked. */
static enum sb_err policy_rows(const struct vault_policy *p, size_t n, struct sb_arena *a,
                               struct st_policy **ret, struct sb_error *err)
{
    if (n > POLICIES_MAX)
        return sb_fail(err, SB_EBADREQUEST, BAD_POLICIES);
    struct st_policy *rows = ARENA_ARRAY(a, struct st_policy, n + 1);
    if (rows == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory for access policies");
    for (size_t i = 0; i < n; i++) {
        uint32_t bits[VFAM_MAX];
        if (p[i].tenant == NULL || !guid_valid(p[i].tenant) || p[i].oid == NULL || !guid_valid(p[i].oid) ||
            (p[i].appid != NULL && !guid_valid(p[i].appid)) || p[i].permissions == NULL ||
            !vault_permissions_bits(p[i].permissions, bits))
            return sb_fail(err, SB_EBADREQUEST, BAD_POLICIES);
        rows[i] = (struct st_policy){.tenant = p[i].tenant,
                                     .oid = p[i].oid,
                                     .appid = p[i].appid,
                                     .permissions = p[i].permissions,
                                     .keys = bits[VFAM_KEYS],
                                     .secrets = bits[VFAM_SECRETS]};
    }
    *ret = rows;
    return SB_OK;
}

/* ---- PUT and PATCH ---- */

struct vault_spec vault_spec(const char *sub, const char *group, const char *name, const char *caller)
{
    return (struct vault_spec){.sub = sub,
                               .group = group,
                               .name = name,
                               .caller = caller,
                               .soft_delete = -1,
                               .soft_delete_days = -1,
                               .purge_protection = -1,
                               .rbac = -1,
                               .acl_deny = -1,
                               .acl_bypass_azure = -1,
                               .public_access = -1,
                               .for_deployment = -1,
                               .for_disk = -1,
                               .for_template = -1};
}

struct change {
    struct engine *e;
    const struct vault_spec *s;
    bool patch, may_assign;
    int64_t now;
    struct sb_arena *a;
    struct vault v; /* the result */
    bool created;
};

static enum sb_err apply_protection(const struct vault_spec *s, bool fresh, struct st_vault *v,
                                    struct sb_error *err)
{
    if (s->purge_protection == 0)
        return sb_fail(err, SB_EBADREQUEST,
                       "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge "
                       "protection for a "
                       "vault is an irreversible action.");
    /* Of a new vault it may be sent as false, and is on all the same (documented). */
    if (s->soft_delete == 0 && !fresh)
        return sb_fail(err, SB_EBADREQUEST,
                       "The property \"enableSoftDelete\" can be set to false only for creating new vault. "
                       "Enabling the 'soft "
                       "delete' functionality is an irreversible action.");
    if (s->soft_delete_days >= 0) {
        if (s->soft_delete_days < RETENTION_MIN || s->soft_delete_days > RETENTION_MAX)
            return sb_fail(err, SB_EBADREQUEST,
                           "The property \"softDeleteRetentionInDays\" must be between %d and %d.",
                           RETENTION_MIN, RETENTION_MAX);
        if (!fresh && s->soft_delete_days != v->soft_delete_days)
            return sb_fail(
                err, SB_EBADREQUEST,
                "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.");
        v->soft_delete_days = s->soft_delete_days;
    }
    if (s->purge_protection == 1)
        v->purge_protection = true;
    return SB_OK;
}

static void apply_flag(int sent, int *dst)
{
    if (sent >= 0)
        *dst = sent;
}

static void apply_network(const struct vault_spec *s, struct st_vault *v)
{
    if (s->network_acls != NULL) {
        v->network_acls = s->network_acls[0] != '\0' ? s->network_acls : NULL;
        v->acl_deny = s->acl_deny == 1;
        v->acl_bypass_azure = s->acl_bypass_azure != 0;
        v->acl_ips = s->acl_ips != NULL ? s->acl_ips : "";
    }
    if (s->public_access >= 0)
        v->public_access = s->public_access == 1;
}

/* Documented: who goes over to roles, or back, must be allowed to assign roles there. (text reported by
 * users)
 */
static enum sb_err check_model(const struct change *c, const struct st_vault *v, struct sb_error *err)
{
    const struct vault_spec *s = c->s;
    if (s->rbac < 0 || (s->rbac == 1) == (v->rbac == 1) || s->who == NULL || c->may_assign)
        return SB_OK;
    return sb_fail(err, SB_EMODEL,
                   "Caller is not allowed to change permission model. For more information on how to change "
                   "the permissions model follow this link: https://go.microsoft.com/fwlink/?linkid=2155160. "
                   "Details: oid=%s; action=" ASSIGN
                   "; resource=/subscriptions/%s/resourcegroups/%s/providers/"
                   "Microsoft.KeyVault/vaults/%s; decision=NotAllowed;",
                   s->who->oid, v->sub, v->group, v->name);
}

/* What was sent, onto a row that holds the state so far. */
static enum sb_err apply(struct change *c, bool fresh, struct st_vault *v, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault_spec *s = c->s;
    if (!fresh)
        SB_TRY(check_model(c, v, err));
    SB_TRY(apply_protection(s, fresh, v, err));
    if (s->tenant != NULL && !guid_valid(s->tenant))
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'tenantId'.");
    if (s->sku != NULL && !text_ieq(s->sku, "standard") && !text_ieq(s->sku, "premium"))
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'sku'.");
    if (s->tenant != NULL)
        v->tenant = s->tenant;
    if (s->sku != NULL)
        v->sku = text_ieq(s->sku, "premium") ? "premium" : "standard";
    if (s->tags != NULL)
        v->tags = s->tags;
    else if (!c->patch)
        v->tags = "{}";
    apply_flag(s->rbac, &v->rbac);
    apply_flag(s->for_deployment, &v->for_deployment);
    apply_flag(s->for_disk, &v->for_disk);
    apply_flag(s->for_template, &v->for_template);
    apply_network(s, v);
    if (s->has_policies) {
        struct st_policy *rows = NULL;
        SB_TRY(policy_rows(s->policies, s->policies_n, c->a, &rows, err));
        v->policies = rows;
        v->policies_n = s->policies_n;
    }
    v->updated_ms = c->now;
    v->updated_by = s->caller;
    rc = SB_OK;
out:
    return rc;
}

static enum sb_err create(struct change *c, struct tx *tx, struct st_vault *v, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault_spec *s = c->s;
    *v = (struct st_vault){.sub = s->sub,
                           .group = s->group,
                           .name = s->name,
                           .location = s->location,
                           .created_ms = c->now,
                           .created_by = s->caller,
                           .soft_delete_days = RETENTION_MAX,
                           .rbac = s->rbac_default ? 1 : -1,
                           .for_deployment = -1,
                           .for_disk = -1,
                           .for_template = -1,
                           .acl_bypass_azure = true,
                           .acl_ips = "",
                           .public_access = true};
    if (s->location == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The location property is required for this definition.");
    if (s->tenant == NULL)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'tenantId'.");
    if (s->sku == NULL)
        return sb_fail(err, SB_EBADREQUEST, "An invalid value was provided for 'sku'.");
    SB_TRY(apply(c, true, v, err));
    if (!s->has_policies && v->rbac != 1)
        return sb_fail(err, SB_EBADREQUEST, BAD_POLICIES);
    SB_TRY(st_vault_insert(tx, v, &v->id, err));
    c->created = true;
out:
    return rc;
}

static enum sb_err update(struct change *c, struct tx *tx, struct st_vault *v, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault_spec *s = c->s;
    bool deleted = v->deleted_ms != 0;
    if (!vault_of_group(v, s->sub, s->group))
        return name_taken(s->name, err);
    if (s->location != NULL && !text_ieq(s->location, v->location)) {
        if (deleted)
            return name_taken(s->name, err);
        return sb_fail(err, SB_ELOCATION,
                       "The resource '%s' already exists in location '%s' in resource group '%s'. A resource "
                       "with the same name "
                       "cannot be created in location '%s'. Please select a new resource name.",
                       v->name, v->location, v->group, s->location);
    }
    if (deleted && !s->recover)
        return sb_fail(
            err, SB_EVAULTDELETED,
            "A vault with the same name already exists in deleted state. You need to either recover or purge "
            "existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more "
            "information on soft delete.");
    /* A recovered vault comes back as it was: only what is sent beside createMode changes. */
    const char *tags = v->tags;
    SB_TRY(apply(c, false, v, err));
    if (s->recover && s->tags == NULL)
        v->tags = tags;
    v->deleted_ms = v->purge_ms = 0;
    SB_TRY(st_vault_update(tx, v, err));
out:
    return rc;
}

static enum sb_err run_change(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct change *c = arg;
    struct st_vault row = {0};
    bool found = false;
    c->created = false;
    SB_TRY(st_vault_get(tx, c->s->name, c->a, &found, &row, err));
    if (c->patch && (!found || row.deleted_ms != 0 || !vault_of_group(&row, c->s->sub, c->s->group)))
        return not_found(c->s->name, c->s->group, err);
    if (!found && c->s->recover)
        return vault_deleted_not_found(c->s->name, err);
    SB_TRY(found ? update(c, tx, &row, err) : create(c, tx, &row, err));
    if (!vault_from_row(&row, c->a, &c->v))
        rc = sb_fail(err, SB_ENOMEM, "out of memory writing a vault");
out:
    return rc;
}

static void publish_change(void *arg)
{
    struct change *c = arg;
    rbac_changed(c->e);
}

static enum sb_err change(struct engine *e, const struct vault_spec *s, bool patch, struct sb_arena *a,
                          struct change *c, struct sb_error *err)
{
    char scope[VAULT_SCOPE_MAX];
    const struct vault v = {.sub = s->sub, .group = s->group, .name = s->name};
    vault_scope(&v, scope, sizeof(scope));
    *c = (struct change){.e = e, .s = s, .patch = patch, .now = engine_now(e), .a = a};
    c->may_assign = s->who == NULL || rbac_may(e, s->who, ASSIGN, false, scope);
    return store_call_publish(e->kv, run_change, publish_change, c, err);
}

/* The result in the caller's arena: what the row borrowed from the spec is copied too. */
static enum sb_err hand_out(const struct vault *v, struct sb_arena *a, struct vault *ret,
                            struct sb_error *err)
{
    struct vault copy;
    if (!vault_copy(v, a, &copy))
        return sb_fail(err, SB_ENOMEM, "out of memory for a vault");
    *ret = copy;
    return SB_OK;
}

enum sb_err vault_put(struct engine *e, const struct vault_spec *s, struct sb_arena *a, struct vault *ret,
                      bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct change c;
    SB_TRY(vault_check_name(s->name, err));
    SB_TRY(change(e, s, false, a, &c, err));
    SB_TRY(hand_out(&c.v, a, ret, err));
    *ret_created = c.created;
out:
    return rc;
}

enum sb_err vault_patch(struct engine *e, const struct vault_spec *s, struct sb_arena *a, struct vault *ret,
                        struct sb_error *err)
{
    enum sb_err rc;
    struct change c;
    SB_TRY(change(e, s, true, a, &c, err));
    SB_TRY(hand_out(&c.v, a, ret, err));
out:
    return rc;
}

/* ---- access policies ---- */

struct policies {
    struct engine *e;
    const char *sub, *group, *name, *caller;
    enum vault_policy_mode mode;
    const struct vault_policy *p;
    size_t n;
    struct sb_arena *a;
    struct vault v;
};

static bool same_principal(const struct st_policy *x, const struct vault_policy *y)
{
    return text_ieq(x->tenant, y->tenant) && text_ieq(x->oid, y->oid) &&
           (x->appid == NULL) == (y->appid == NULL) && (x->appid == NULL || text_ieq(x->appid, y->appid));
}

/* One sent entry onto the list of n rows, which has room for one more. */
static enum sb_err merge(struct policies *c, const struct st_policy *sent, const struct vault_policy *as_sent,
                         struct st_policy *list, size_t *n, struct sb_error *err)
{
    size_t i = 0;
    while (i < *n && !same_principal(&list[i], as_sent))
        i++;
    if (i == *n) {
        if (c->mode != VAULT_POLICY_REMOVE)
            list[(*n)++] = *sent;
        return SB_OK;
    }
    if (c->mode == VAULT_POLICY_REPLACE) {
        list[i] = *sent;
        return SB_OK;
    }
    const char *merged = c->mode == VAULT_POLICY_ADD
                             ? vault_permissions_add(c->a, list[i].permissions, sent->permissions)
                             : vault_permissions_remove(c->a, list[i].permissions, sent->permissions);
    uint32_t bits[VFAM_MAX];
    if (merged == NULL || !vault_permissions_bits(merged, bits))
        return sb_fail(err, SB_EBADREQUEST, BAD_POLICIES);
    list[i].permissions = merged;
    list[i].keys = bits[VFAM_KEYS];
    list[i].secrets = bits[VFAM_SECRETS];
    /* Removing nothing in particular removes the entry. */
    if (c->mode == VAULT_POLICY_REMOVE &&
        (vault_permissions_none(merged) || vault_permissions_none(sent->permissions))) {
        memmove(&list[i], &list[i + 1], (*n - i - 1) * sizeof(list[0]));
        (*n)--;
    }
    return SB_OK;
}

static enum sb_err run_policies(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct policies *c = arg;
    struct st_vault row = {0};
    struct st_policy *sent = NULL;
    bool found = false;
    SB_TRY(st_vault_get(tx, c->name, c->a, &found, &row, err));
    if (!found || row.deleted_ms != 0 || !vault_of_group(&row, c->sub, c->group))
        return not_found(c->name, c->group, err);
    SB_TRY(policy_rows(c->p, c->n, c->a, &sent, err));
    struct st_policy *list = ARENA_ARRAY(c->a, struct st_policy, row.policies_n + c->n + 1);
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory for access policies");
    if (row.policies_n > 0)
        memcpy(list, row.policies, row.policies_n * sizeof(list[0]));
    for (size_t i = 0; i < c->n; i++)
        SB_TRY(merge(c, &sent[i], &c->p[i], list, &row.policies_n, err));
    if (row.policies_n > POLICIES_MAX)
        return sb_fail(err, SB_EBADREQUEST, BAD_POLICIES);
    row.policies = list;
    row.updated_ms = engine_now(c->e);
    row.updated_by = c->caller;
    SB_TRY(st_vault_update(tx, &row, err));
    if (!vault_from_row(&row, c->a, &c->v))
        rc = sb_fail(err, SB_ENOMEM, "out of memory writing a vault");
out:
    return rc;
}

static void publish_policies(void *arg)
{
    struct policies *c = arg;
    rbac_changed(c->e);
}

enum sb_err vault_policies(struct engine *e, const char *sub, const char *group, const char *name,
                           const char *caller, enum vault_policy_mode mode, const struct vault_policy *p,
                           size_t n, struct sb_arena *a, struct vault *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct policies c = {.e = e,
                         .sub = sub,
                         .group = group,
                         .name = name,
                         .caller = caller,
                         .mode = mode,
                         .p = p,
                         .n = n,
                         .a = a};
    SB_TRY(store_call_publish(e->kv, run_policies, publish_policies, &c, err));
    SB_TRY(hand_out(&c.v, a, ret, err));
out:
    return rc;
}

/* ---- reading ---- */

enum sb_err vault_by_name(struct engine *e, const char *name, struct sb_arena *a, struct vault *ret,
                          struct sb_error *err)
{
    enum sb_err rc;
    struct vault_snap *v = NULL;
    SB_TRY(vault_find(e, name, &v, err));
    SB_TRY(hand_out(&v->v, a, ret, err));
out:
    vault_snap_unref(v);
    return rc;
}

enum sb_err vault_get(struct engine *e, const char *sub, const char *group, const char *name,
                      struct sb_arena *a, struct vault *ret, struct sb_error *err)
{
    struct vault v;
    enum sb_err rc = vault_by_name(e, name, a, &v, err);
    if (rc == SB_ENOVAULT || (rc == SB_OK && !(text_ieq(v.sub, sub) && text_ieq(v.group, group))))
        return not_found(name, group, err);
    if (rc == SB_OK)
        *ret = v;
    return rc;
}

struct list {
    const char *sub, *group;
    bool deleted;
    struct sb_arena *a;
    struct vault *v;
    size_t n;
};

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct list *l = arg;
    struct st_vault *rows = NULL;
    SB_TRY(st_vault_list(tx, l->sub, l->group, l->deleted, l->a, &rows, &l->n, err));
    l->v = ARENA_ARRAY(l->a, struct vault, l->n + 1);
    bool ok = l->v != NULL;
    for (size_t i = 0; ok && i < l->n; i++)
        ok = vault_from_row(&rows[i], l->a, &l->v[i]);
    if (!ok)
        rc = sb_fail(err, SB_ENOMEM, "out of memory listing vaults");
out:
    return rc;
}

enum sb_err vault_list(struct engine *e, const char *sub, const char *group, struct sb_arena *a,
                       struct vault **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list l = {.sub = sub, .group = group, .a = a};
    SB_TRY(store_read(e->kv, run_list, &l, err));
    *ret = l.v;
    *ret_n = l.n;
out:
    return rc;
}

enum sb_err vault_deleted_list(struct engine *e, const char *sub, struct sb_arena *a, struct vault **ret,
                               size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list l = {.sub = sub, .deleted = true, .a = a};
    SB_TRY(store_read(e->kv, run_list, &l, err));
    *ret = l.v;
    *ret_n = l.n;
out:
    return rc;
}
