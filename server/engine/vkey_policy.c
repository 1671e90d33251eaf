/*
 * vkey_policy.c: rotation policies of keys: what they may say, when they fall due, and what happens then.
 *
 * Limits, defaults and the stamping of new versions alone are documented; wording of refusals is ours. A
 * disabled key is not rotated (choice): a fresh enabled version would hand back what its owner took away.
 */
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault_private.h"
#include "storage/st_keypolicy.h"

#define DAY_MS         (INT64_C(24) * 3600 * 1000)
#define TRIGGER_MIN_MS (7 * DAY_MS) /* from creation, and before expiry */
#define EXPIRY_MIN_MS  (28 * DAY_MS)
#define NOTIFY_DEFAULT "P30D"
#define DUE_MEMORY     (4u << 20)
#define DUE_MAX        256 /* rotations, and notices, in one turn */

/* ---- when ---- */

static int64_t seconds(const char *duration)
{
    int64_t ms = 0;
    return duration != NULL && duration_parse(duration, &ms) ? ms / 1000 : 0;
}

static void schedule(struct st_keypolicy *p, const struct st_object *newest)
{
    bool active = newest->deleted == 0 && newest->enabled;
    bool ends = newest->exp >= 0;
    p->rotate = p->notify = 0;
    if (active && p->rotate_after != NULL)
        p->rotate = newest->created + seconds(p->rotate_after);
    if (active && ends && p->rotate_before != NULL)
        p->rotate = SB_MAX(newest->exp - seconds(p->rotate_before), 1);
    if (active && ends && p->notify_before != NULL && p->notified_id != newest->version_id)
        p->notify = SB_MAX(newest->exp - seconds(p->notify_before), 1);
}

enum sb_err vkey_policy_schedule(struct tx *tx, int64_t object_id, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct st_keypolicy p = {0};
    struct st_object *newest = NULL;
    size_t n = 0;
    bool found = false;
    SB_TRY(st_keypolicy_get(tx, object_id, a, &found, &p, err));
    if (!found)
        return SB_OK;
    SB_TRY(st_object_all(tx, object_id, 1, a, &newest, &n, err));
    if (n == 0)
        return SB_OK;
    schedule(&p, newest);
    SB_TRY(st_keypolicy_put(tx, &p, err));
out:
    return rc;
}

/* ---- what a policy may say ---- */

static enum sb_err check_duration(const char *what, const char *text, int64_t min, int64_t *ret,
                                  struct sb_error *err)
{
    int64_t ms = 0;
    if (text != NULL && !duration_parse(text, &ms))
        return sb_fail(err, SB_EBADPARAM,
                       "Property %s has invalid value '%.64s': it must be an ISO 8601 duration.", what, text);
    if (text != NULL && ms < min)
        return sb_fail(err, SB_EBADPARAM,
                       "Property %s has invalid value '%.64s': it must be at least %d days.", what, text,
                       (int)(min / DAY_MS));
    *ret = ms;
    return SB_OK;
}

enum sb_err vkey_policy_check(const struct vkey_policy *p, struct sb_error *err)
{
    enum sb_err rc;
    int64_t after = 0, before = 0, notify = 0, expiry = 0;
    SB_TRY(check_duration("timeAfterCreate", p->rotate_after, TRIGGER_MIN_MS, &after, err));
    SB_TRY(check_duration("timeBeforeExpiry", p->rotate_before, TRIGGER_MIN_MS, &before, err));
    SB_TRY(check_duration("timeBeforeExpiry", p->notify_before, TRIGGER_MIN_MS, &notify, err));
    SB_TRY(check_duration("expiryTime", p->expiry, EXPIRY_MIN_MS, &expiry, err));
    if (p->rotate_before != NULL && p->expiry == NULL)
        return sb_fail(err, SB_EBADPARAM,
                       "A rotation with timeBeforeExpiry needs the attribute expiryTime in the policy.");
    if (p->expiry != NULL && SB_MAX(after, before) > expiry - TRIGGER_MIN_MS)
        return sb_fail(
            err, SB_EBADPARAM,
            "The rotation must be at least 7 days after creation and 7 days before the expiryTime.");
out:
    return rc;
}

/* ---- get and put ---- */

enum sb_err vkey_policy_set(struct tx *tx, const struct st_object *newest, const struct vkey_policy *sent,
                            int64_t now, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct st_keypolicy p = {0};
    bool found = false;
    SB_TRY(st_keypolicy_get(tx, newest->object_id, a, &found, &p, err));
    p.object_id = newest->object_id;
    p.rotate_after = sent->rotate_after;
    p.rotate_before = sent->rotate_before;
    /* Documented: a notice cannot be left out, 30 days before expiry is its default. */
    p.notify_before = sent->notify_before != NULL ? sent->notify_before : NOTIFY_DEFAULT;
    p.expiry = sent->expiry;
    p.updated = now;
    p.created = found ? p.created : now;
    schedule(&p, newest);
    SB_TRY(st_keypolicy_put(tx, &p, err));
out:
    return rc;
}

struct policy_op {
    struct engine *e;
    const struct vault *v;
    const char *name;
    const struct vkey_policy *sent; /* NULL: read only */
    struct sb_arena *a;
    bool found;
    struct vkey_policy p;
};

static enum sb_err run_policy(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct policy_op *o = arg;
    struct st_object newest = {0};
    struct st_keypolicy p = {.notify_before = NOTIFY_DEFAULT, .created = -1, .updated = -1};
    bool key = false;
    SB_TRY(st_object_version(tx, o->v->id, ST_KEY, o->name, ST_OBJECT_NEWEST, NULL, 0, o->a, &key, &newest,
                             err));
    if (!key || newest.deleted != 0)
        return vault_object_missing(ST_KEY, o->name, NULL, err);
    if (o->sent != NULL)
        SB_TRY(vkey_policy_set(tx, &newest, o->sent, engine_now(o->e) / 1000, o->a, err));
    SB_TRY(st_keypolicy_get(tx, newest.object_id, o->a, &o->found, &p, err));
    o->p = (struct vkey_policy){.name = newest.name,
                                .rotate_after = p.rotate_after,
                                .rotate_before = p.rotate_before,
                                .notify_before = p.notify_before,
                                .expiry = p.expiry,
                                .created = p.created,
                                .updated = p.updated};
out:
    return rc;
}

static void publish_policy(void *arg)
{
    struct policy_op *o = arg;
    rbac_changed(o->e); /* also what vault_next_due remembers */
    timeline_poke(o->e);
}

enum sb_err vkey_policy_get(struct engine *e, const struct vault_caller *c, const char *vault,
                            const char *name, struct sb_arena *a, struct vkey_policy *ret,
                            struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_GET_POLICY, vault, name, err));
    struct policy_op o = {.e = e, .v = &call.v->v, .name = name, .a = a};
    SB_TRY(store_read(e->kv, run_policy, &o, err));
    *ret = o.p;
out:
    return vault_call_end(&call, rc);
}

enum sb_err vkey_policy_stored(struct engine *e, const struct vkey *k, struct sb_arena *a, bool *ret_found,
                               struct vkey_policy *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault v = {.id = k->vault_id};
    struct policy_op o = {.e = e, .v = &v, .name = k->name, .a = a};
    SB_TRY(store_read(e->kv, run_policy, &o, err));
    *ret_found = o.found;
    *ret = o.p;
out:
    return rc;
}

enum sb_err vkey_policy_put(struct engine *e, const struct vault_caller *c, const char *vault,
                            const char *name, const struct vkey_policy *p, struct sb_arena *a,
                            struct vkey_policy *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct vault_call call;
    SB_TRY(vault_call_begin(&call, e, c, VOP_SET_POLICY, vault, name, err));
    SB_TRY(vkey_policy_check(p, err));
    struct policy_op o = {.e = e, .v = &call.v->v, .name = name, .sent = p, .a = a};
    SB_TRY(store_call_publish(e->kv, run_policy, publish_policy, &o, err));
    *ret = o.p;
out:
    return vault_call_end(&call, rc);
}

/* ---- what falls due ---- */

enum sb_err vkey_policy_next_due(struct tx *tx, int64_t *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct sb_arena *a = arena_new(DUE_MEMORY);
    int64_t due = TIMELINE_NEVER;
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory looking at rotation policies");
    for (int rotation = 0; rotation < 2; rotation++) {
        struct st_keypolicy_due d = {0};
        bool found = false;
        SB_TRY(st_keypolicy_due(tx, rotation, INT64_MAX, a, &found, &d, err));
        if (found && d.at * 1000 < due)
            due = d.at * 1000;
    }
    *ret = due;
out:
    arena_free(a);
    return rc;
}

struct due {
    struct engine *e;
    int64_t now; /* unix seconds */
    bool rotation, found;
    struct sb_arena *a;
    struct st_keypolicy_due d;
    struct vault_snap *v;
};

static enum sb_err run_find(struct tx *tx, void *arg, struct sb_error *err)
{
    struct due *d = arg;
    return st_keypolicy_due(tx, d->rotation, d->now, d->a, &d->found, &d->d, err);
}

/* The notice is given, or the rotation given up, until something about the key changes. */
static enum sb_err run_settle(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct due *d = arg;
    struct st_keypolicy p = {0};
    struct st_object *newest = NULL;
    size_t n = 0;
    bool found = false;
    SB_TRY(st_keypolicy_get(tx, d->d.object_id, d->a, &found, &p, err));
    if (!found)
        return SB_OK;
    SB_TRY(st_object_all(tx, d->d.object_id, 1, d->a, &newest, &n, err));
    if (d->rotation)
        p.rotate = 0;
    else
        p.notify = 0;
    if (!d->rotation && n == 1)
        p.notified_id = newest->version_id;
    SB_TRY(st_keypolicy_put(tx, &p, err));
out:
    return rc;
}

static void publish_settle(void *arg)
{
    struct due *d = arg;
    rbac_changed(d->e);
}

static enum sb_err rotate(struct due *d, struct sb_error *err)
{
    struct vkey k = {0};
    bool done = false;
    enum sb_err rc = vkey_rotate_now(d->e, &d->v->v, d->d.name, true, d->a, &k, &done, err);
    if (rc == SB_EBADPARAM || rc == SB_EKEYNOTFOUND) { /* an imported key of a size that cannot be made */
        timeline_note(d->e, d->d.at * 1000, "keyNotRotated", "%s/%s: %s", d->d.vault, d->d.name,
                      sb_err_name(rc));
        return store_call_publish(d->e->kv, run_settle, publish_settle, d, err);
    }
    if (rc != SB_OK || !done)
        return rc;
    timeline_note(d->e, d->d.at * 1000, "keyRotated", "%s/%s", d->d.vault, d->d.name);
    vault_audit_own(d->e, &d->v->v, "KeyRotateIfDue", d->d.name, k.version);
    return SB_OK;
}

static enum sb_err notify(struct due *d, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(store_call_publish(d->e->kv, run_settle, publish_settle, d, err));
    timeline_note(d->e, d->d.at * 1000, "keyNearExpiry", "%s/%s", d->d.vault, d->d.name);
    vault_audit_own(d->e, &d->v->v, "KeyNearExpiryEventGridNotification", d->d.name, NULL);
out:
    return rc;
}

/* One rotation or notice; *ret_more: there may be another. */
static enum sb_err run_one(struct due *d, bool *ret_more, struct sb_error *err)
{
    enum sb_err rc;
    d->v = NULL;
    SB_TRY(store_read(d->e->kv, run_find, d, err));
    *ret_more = d->found;
    if (!d->found)
        return SB_OK;
    rc = vault_find(d->e, d->d.vault, &d->v, err);
    if (rc == SB_OK)
        rc = d->rotation ? rotate(d, err) : notify(d, err);
    else if (rc == SB_ENOVAULT) /* deleted meanwhile */
        rc = SB_OK;
out:
    vault_snap_unref(d->v);
    return rc;
}

enum sb_err vkey_policy_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (int rotation = 0; rotation < 2; rotation++) {
        bool more = true;
        for (int i = 0; more && i < DUE_MAX; i++) {
            struct due d = {.e = e, .now = now / 1000, .rotation = rotation, .a = arena_new(DUE_MEMORY)};
            if (d.a == NULL)
                return sb_fail(err, SB_ENOMEM, "out of memory running rotation policies");
            rc = run_one(&d, &more, err);
            arena_free(d.a);
            SB_TRY(rc);
        }
    }
out:
    return rc;
}
