/*
 * vault_object.c: what keys and secrets have in common: names, versions, lists, soft delete, recovery, purge.
 *
 * Texts are the service's (recorded for keys, secrets or both); what differs between the two is a row of
 * `kinds`.
 */
#include "server/base/text.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"
#include "storage/st_keypolicy.h"

#define DAY_S (INT64_C(24) * 3600)

static const struct kind {
    const char *noun, *capital;
    enum sb_err missing;
} kinds[] = {
    [ST_KEY] = {"key", "Key", SB_EKEYNOTFOUND}, [ST_SECRET] = {"secret", "Secret", SB_ESECRETNOTFOUND}};

enum sb_err vault_object_missing(enum st_kind kind, const char *name, const char *version,
                                 struct sb_error *err)
{
    const char *noun = kinds[kind].noun;
    bool newest = version == NULL || version[0] == '\0';
    return sb_fail(err, kinds[kind].missing,
                   "A %s with (name/id) %.127s%s%.64s was not found in this key vault. If you recently "
                   "deleted this %s you may be able to recover it using the correct recovery command. For "
                   "help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
                   noun, name, newest ? "" : "/", newest ? "" : version, noun);
}

static enum sb_err deleted_but_recoverable(enum st_kind kind, const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_EKEYDELETED,
                   "%s %s is currently in a deleted but recoverable state, and its name cannot be reused; in "
                   "this state, the %s can only be recovered or purged.",
                   kinds[kind].capital, name, kinds[kind].noun);
}

enum sb_err vault_object_dates(int64_t nbf, int64_t exp, struct sb_error *err)
{
    if (nbf >= 0 && exp >= 0 && nbf >= exp) /* own words */
        return sb_fail(err, SB_EBADPARAM, "Property nbf must be earlier than property exp.");
    return SB_OK;
}

/* Is the vault still there, as the same one? */
static enum sb_err check_vault(struct tx *tx, const struct vault *v, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct st_vault row = {0};
    bool found = false;
    SB_TRY(st_vault_get(tx, v->name, a, &found, &row, err));
    if (!found || row.deleted_ms != 0 || row.id != v->id)
        rc = sb_fail(err, SB_ENOVAULT, "The key vault '%s' does not exist.", v->name);
out:
    return rc;
}

enum sb_err vault_object_head(struct tx *tx, const struct vault *v, enum st_kind kind, const char *name,
                              struct sb_arena *a, bool *ret_found, struct st_object *ret,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct st_object head = {0};
    bool found = false;
    SB_TRY(check_vault(tx, v, a, err));
    SB_TRY(st_object_find(tx, v->id, kind, name, a, &found, &head, err));
    if (found && head.deleted != 0)
        return deleted_but_recoverable(kind, head.name, err);
    *ret_found = found;
    *ret = head;
out:
    return rc;
}

enum sb_err vault_object_add(struct tx *tx, const struct vault *v, enum st_kind kind, struct st_object *row,
                             struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct st_object head = {0};
    bool found = false;
    SB_TRY(vault_object_head(tx, v, kind, row->name, a, &found, &head, err));
    row->vault_id = v->id;
    row->object_id = head.object_id;
    if (found)
        row->name = head.name; /* as first written */
    else
        SB_TRY(st_object_insert(tx, v->id, kind, row->name, &row->object_id, err));
    SB_TRY(st_object_add_version(tx, row, &row->version_id, err));
    if (kind == ST_KEY)
        SB_TRY(vkey_policy_schedule(tx, row->object_id, a, err));
out:
    return rc;
}

/* ---- lists ---- */

struct list {
    const struct vault *v;
    const struct vault_page *page;
    enum st_kind kind;
    const char *name; /* NULL: objects, else versions of this one */
    bool deleted;
    struct sb_arena *a;
    struct st_object *rows;
    size_t n;
};

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct list *l = arg;
    const char *from = l->page->from != NULL ? l->page->from : "";
    size_t max = l->page->max + 1; /* one more tells where the next page begins */
    return l->name == NULL
               ? st_object_list(tx, l->v->id, l->kind, l->deleted, from, max, l->a, &l->rows, &l->n, err)
               : st_object_versions(tx, l->v->id, l->kind, l->name, from, max, l->a, &l->rows, &l->n, err);
}

enum sb_err vault_object_list(struct vault_call *call, enum st_kind kind, const char *name, bool deleted,
                              struct vault_page *page, struct sb_arena *a, struct st_object **ret,
                              size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list l = {.v = &call->v->v, .page = page, .kind = kind, .name = name, .deleted = deleted, .a = a};
    SB_TRY(store_read(call->e->kv, run_list, &l, err));
    page->next = l.n <= page->max ? NULL : name != NULL ? l.rows[page->max].version : l.rows[page->max].name;
    *ret = l.rows;
    *ret_n = SB_MIN(l.n, page->max);
out:
    return rc;
}

/* ---- changing one that is there ---- */

static enum sb_err apply(struct tx *tx, struct vault_edit *d, struct st_object *k, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    switch (d->what) {
    case VAULT_READ: break;
    case VAULT_UPDATE:
        SB_TRY(d->change(d->cookie, k, err));
        k->updated = engine_now(d->e) / 1000;
        SB_TRY(vault_object_dates(k->nbf, k->exp, err));
        SB_TRY(st_object_update_version(tx, k, err));
        break;
    case VAULT_DELETE:
        k->deleted = engine_now(d->e) / 1000;
        k->purge = k->deleted + d->v->soft_delete_days * DAY_S;
        SB_TRY(st_object_set_deleted(tx, k->object_id, k->deleted, k->purge, err));
        break;
    case VAULT_RECOVER:
        k->deleted = k->purge = 0;
        SB_TRY(st_object_set_deleted(tx, k->object_id, 0, 0, err));
        break;
    case VAULT_PURGE: return st_object_remove(tx, k->object_id, err);
    }
    if (d->kind == ST_KEY && d->what != VAULT_READ)
        SB_TRY(vkey_policy_schedule(tx, k->object_id, d->a, err));
out:
    return rc;
}

static enum sb_err run_edit(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_edit *d = arg;
    struct st_object k = {0};
    bool found = false, newest = d->version == NULL || d->version[0] == '\0';
    SB_TRY(check_vault(tx, d->v, d->a, err));
    SB_TRY(st_object_version(tx, d->v->id, d->kind, d->name, newest ? ST_OBJECT_NEWEST : ST_OBJECT_EXACT,
                             d->version, 0, d->a, &found, &k, err));
    if (d->deleted && found && k.deleted == 0 && d->what != VAULT_READ) /* recorded for a secret */
        return sb_fail(err, SB_EKEYLIVE, "%s exists already: %s", kinds[d->kind].capital, k.name);
    if (d->deleted && (!found || k.deleted == 0))
        return sb_fail(err, kinds[d->kind].missing, "Deleted %s not found: %s", kinds[d->kind].capital,
                       d->name);
    if (!d->deleted && (!found || k.deleted != 0))
        return vault_object_missing(d->kind, d->name, d->version, err);
    SB_TRY(apply(tx, d, &k, err));
    d->row = k;
out:
    return rc;
}

static void publish_edit(void *arg)
{
    struct vault_edit *d = arg;
    rbac_changed(d->e);
    if (d->kind == ST_KEY && (d->what == VAULT_DELETE || d->what == VAULT_PURGE))
        vkey_forget(d->e, d->v->id, d->name);
    timeline_poke(d->e);
}

enum sb_err vault_object_edit(struct vault_call *call, struct vault_edit *d, struct sb_error *err)
{
    enum sb_err rc;
    char version[VKEY_VERSION_LEN + 1];
    d->e = call->e;
    d->v = &call->v->v;
    if (d->version != NULL) {
        if (!text_copy(version, sizeof(version), d->version))
            return vault_object_missing(d->kind, d->name, d->version, err);
        d->version = text_tolower(version);
    }
    if (d->what == VAULT_READ)
        SB_TRY(store_read(d->e->kv, run_edit, d, err));
    else
        SB_TRY(store_call_publish(d->e->kv, run_edit, publish_edit, d, err));
    vault_call_version(call, d->row.version);
out:
    d->version = NULL; /* it stood on this stack */
    return rc;
}

enum sb_err vault_object_purge(struct engine *e, const struct vault_caller *c, enum vault_op_id op,
                               const char *vault, enum st_kind kind, const char *name, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    struct vault_edit d = {
        .kind = kind, .name = name, .deleted = true, .what = VAULT_PURGE, .a = arena_new(VAULT_TEXT_MAX)};
    SB_TRY(vault_call_begin(&call, e, c, op, vault, name, err));
    const struct vault *v = &call.v->v;
    if (d.a == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory purging");
    else if (v->purge_protection)
        rc = sb_fail(
            err, SB_EPURGEPROTECTED,
            "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key "
            "Vault service will automatically purge it after the retention period has passed.\r\nVault: "
            "%s;location=%s",
            v->name, v->location);
    else
        rc = vault_object_edit(&call, &d, err);
    if (rc == SB_OK)
        rc = store_scrub(e->kv, err);
    if (rc == SB_OK)
        call.status = 204;
out:
    arena_free(d.a);
    return vault_call_end(&call, rc);
}
