/*
 * vsecret.c: secrets. What they share with keys is vault_object.c's; here is what they have of their own: a
 * value, sealed before it goes to the database and opened for the one who asks.
 */
#include "server/engine/vsecret.h"
#include "crypto/envelope.h"
#include "crypto/rng.h"
#include "server/engine/rbac.h"
#include "server/engine/vault_private.h"

#define SEALED_MAX (VSECRET_VALUE_MAX + ENV_OVERHEAD + 1)

/* Text is shared with the row. */
static void from_row(const struct st_object *row, const struct vault *v, struct vsecret *ret)
{
    *ret = (struct vsecret){.name = row->name,
                            .version = row->version,
                            .content_type = row->content_type,
                            .enabled = row->enabled,
                            .nbf = row->nbf,
                            .exp = row->exp,
                            .created = row->created,
                            .updated = row->updated,
                            .tags = row->tags,
                            .deleted = row->deleted,
                            .purge = row->purge,
                            .recoverable_days = v->soft_delete_days,
                            .purge_protection = v->purge_protection};
}

static enum sb_err show(const struct st_object *rows, size_t n, const struct vault *v, struct sb_arena *a,
                        struct vsecret **ret, struct sb_error *err)
{
    struct vsecret *s = ARENA_ARRAY(a, struct vsecret, n + 1);
    const char *vault = arena_strdup(a, v->name); /* the vault's own may go first */
    if (s == NULL || vault == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory showing secrets");
    for (size_t i = 0; i < n; i++) {
        from_row(&rows[i], v, &s[i]);
        s[i].vault = vault;
    }
    *ret = s;
    return SB_OK;
}

static enum sb_err show_one(const struct st_object *row, const struct vault *v, struct sb_arena *a,
                            struct vsecret *ret, struct sb_error *err)
{
    struct vsecret *s = NULL;
    enum sb_err rc = show(row, 1, v, a, &s, err);
    if (rc == SB_OK)
        *ret = *s;
    return rc;
}

/* ---- set ---- */

struct fresh {
    struct engine *e;
    const struct vault *v;
    struct st_object row;
    struct sb_arena *a;
};

static enum sb_err run_set(struct tx *tx, void *arg, struct sb_error *err)
{
    struct fresh *f = arg;
    return vault_object_add(tx, f->v, ST_SECRET, &f->row, f->a, err);
}

static void publish_set(void *arg)
{
    struct fresh *f = arg;
    rbac_changed(f->e);
}

static enum sb_err store_value(struct fresh *f, struct sb_blob value, struct sb_error *err)
{
    enum sb_err rc;
    char aad[VAULT_AAD_MAX];
    struct sb_buf sealed;
    buf_init(&sealed, SEALED_MAX);
    vault_object_aad(ST_SECRET, f->v->id, f->row.name, f->row.version, aad);
    SB_TRY(envelope_seal_key(f->e->platform, aad, value.p, value.n, &sealed, err));
    f->row.sealed = (struct sb_blob){.p = sealed.p, .n = sealed.n};
    SB_TRY(store_call_publish(f->e->kv, run_set, publish_set, f, err));
out:
    buf_done(&sealed);
    return rc;
}

enum sb_err vsecret_set(struct engine *e, const struct vault_caller *c, const struct vsecret_spec *s,
                        struct sb_arena *a, struct vsecret *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    char *version = arena_alloc(a, VKEY_VERSION_LEN + 1);
    SB_TRY(vault_call_begin(&call, e, c, VOP_SECRET_SET, s->vault, s->name, err));
    if (version == NULL) {
        rc = sb_fail(err, SB_ENOMEM, "out of memory for a secret");
        goto out;
    }
    rng_hex32(version);
    int64_t now = engine_now(e) / 1000;
    struct fresh f = {.e = e,
                      .v = &call.v->v,
                      .a = a,
                      .row = {.name = s->name,
                              .version = version,
                              .kty = "",
                              .curve = "",
                              .key_ops = "",
                              .content_type = s->content_type,
                              .enabled = s->enabled != 0,
                              .nbf = s->nbf,
                              .exp = s->exp,
                              .created = now,
                              .updated = now,
                              .tags = s->tags}};
    if (s->value.n > VSECRET_VALUE_MAX) { /* own words */
        rc = sb_fail(err, SB_EBADPARAM, "Property value is too long: %zu bytes, of at most %d.", s->value.n,
                     VSECRET_VALUE_MAX);
        goto out;
    }
    SB_TRY(vault_object_dates(s->nbf, s->exp, err));
    SB_TRY(store_value(&f, s->value, err));
    vault_call_version(&call, version);
    SB_TRY(show_one(&f.row, f.v, a, ret, err));
    ret->value = s->value;
out:
    return vault_call_end(&call, rc);
}

/* ---- reading ---- */

static enum sb_err open_value(struct engine *e, const struct vault *v, const struct st_object *row,
                              struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    char aad[VAULT_AAD_MAX];
    if (!row->enabled) /* recorded */
        return sb_fail(err, SB_ESECRETDISABLED, "Operation get is not allowed on a disabled secret.");
    vault_object_aad(ST_SECRET, v->id, row->name, row->version, aad);
    return envelope_open_key(e->platform, aad, row->sealed.p, row->sealed.n, a, ret, err);
}

enum sb_err vsecret_get(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                        const char *version, struct sb_arena *a, struct vsecret *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct sb_blob value = {0};
    struct vault_edit d = {.kind = ST_SECRET, .name = name, .version = version, .what = VAULT_READ, .a = a};
    SB_TRY(vault_call_begin(&call, e, c, VOP_SECRET_GET, vault, name, err));
    SB_TRY(vault_object_edit(&call, &d, err));
    SB_TRY(open_value(e, &call.v->v, &d.row, a, &value, err));
    SB_TRY(show_one(&d.row, &call.v->v, a, ret, err));
    ret->value = value;
out:
    return vault_call_end(&call, rc);
}

static enum sb_err list(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                        const char *vault, const char *name, struct vault_page *page, struct sb_arena *a,
                        struct vsecret **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct st_object *rows = NULL;
    size_t n = 0;
    SB_TRY(vault_call_begin(&call, e, c, op, vault, name, err));
    SB_TRY(vault_object_list(&call, ST_SECRET, name, op == VOP_SECRET_DELETED_LIST, page, a, &rows, &n, err));
    SB_TRY(show(rows, n, &call.v->v, a, ret, err));
    *ret_n = n;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vsecret_list(struct engine *e, const struct vault_caller *c, const char *vault, bool deleted,
                         struct vault_page *page, struct sb_arena *a, struct vsecret **ret, size_t *ret_n,
                         struct sb_error *err)
{
    return list(e, c, deleted ? VOP_SECRET_DELETED_LIST : VOP_SECRET_LIST, vault, NULL, page, a, ret, ret_n,
                err);
}

enum sb_err vsecret_versions(struct engine *e, const struct vault_caller *c, const char *vault,
                             const char *name, struct vault_page *page, struct sb_arena *a,
                             struct vsecret **ret, size_t *ret_n, struct sb_error *err)
{
    return list(e, c, VOP_SECRET_VERSIONS, vault, name, page, a, ret, ret_n, err);
}

/* ---- changing ---- */

static enum sb_err change(void *cookie, struct st_object *row, struct sb_error *err)
{
    const struct vsecret_spec *s = cookie;
    (void)err;
    if (s->enabled >= 0)
        row->enabled = s->enabled == 1;
    row->nbf = s->nbf >= 0 ? s->nbf : row->nbf;
    row->exp = s->exp >= 0 ? s->exp : row->exp;
    row->content_type = s->content_type != NULL ? s->content_type : row->content_type;
    row->tags = s->tags != NULL ? s->tags : row->tags;
    return SB_OK;
}

static enum sb_err edit(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                        const char *vault, struct vault_edit *d, struct vsecret *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    d->kind = ST_SECRET;
    SB_TRY(vault_call_begin(&call, e, c, op, vault, d->name, err));
    SB_TRY(vault_object_edit(&call, d, err));
    SB_TRY(show_one(&d->row, &call.v->v, d->a, ret, err));
out:
    return vault_call_end(&call, rc);
}

enum sb_err vsecret_update(struct engine *e, const struct vault_caller *c, const struct vsecret_spec *s,
                           const char *version, struct sb_arena *a, struct vsecret *ret, struct sb_error *err)
{
    struct vsecret_spec sent = *s;
    struct vault_edit d = {
        .name = s->name, .version = version, .what = VAULT_UPDATE, .change = change, .cookie = &sent, .a = a};
    return edit(e, c, VOP_SECRET_UPDATE, s->vault, &d, ret, err);
}

enum sb_err vsecret_delete(struct engine *e, const struct vault_caller *c, const char *vault,
                           const char *name, struct sb_arena *a, struct vsecret *ret, struct sb_error *err)
{
    struct vault_edit d = {.name = name, .what = VAULT_DELETE, .a = a};
    return edit(e, c, VOP_SECRET_DELETE, vault, &d, ret, err);
}

enum sb_err vsecret_deleted_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, struct sb_arena *a, struct vsecret *ret,
                                struct sb_error *err)
{
    struct vault_edit d = {.name = name, .deleted = true, .what = VAULT_READ, .a = a};
    return edit(e, c, VOP_SECRET_DELETED_GET, vault, &d, ret, err);
}

enum sb_err vsecret_recover(struct engine *e, const struct vault_caller *c, const char *vault,
                            const char *name, struct sb_arena *a, struct vsecret *ret, struct sb_error *err)
{
    struct vault_edit d = {.name = name, .deleted = true, .what = VAULT_RECOVER, .a = a};
    return edit(e, c, VOP_SECRET_RECOVER, vault, &d, ret, err);
}

enum sb_err vsecret_purge(struct engine *e, const struct vault_caller *c, const char *vault, const char *name,
                          struct sb_error *err)
{
    return vault_object_purge(e, c, VOP_SECRET_PURGE, vault, ST_SECRET, name, err);
}

enum sb_err vsecret_backup(struct engine *e, const struct vault_caller *c, const char *vault,
                           const char *name, struct sb_arena *a, const char **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_SECRET_BACKUP, vault, name, err));
    SB_TRY(vault_backup(&call, ST_SECRET, name, a, ret, err));
out:
    return vault_call_end(&call, rc);
}

enum sb_err vsecret_restore(struct engine *e, const struct vault_caller *c, const char *vault,
                            struct sb_blob blob, struct sb_arena *a, struct vsecret *ret,
                            struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct st_object row = {0};
    SB_TRY(vault_call_begin(&call, e, c, VOP_SECRET_RESTORE, vault, NULL, err));
    SB_TRY(vault_restore(&call, ST_SECRET, blob, a, &row, err));
    call.key = row.name;
    vault_call_version(&call, row.version);
    SB_TRY(show_one(&row, &call.v->v, a, ret, err));
out:
    return vault_call_end(&call, rc);
}
