/*
 * ns_pair.c: pairing, breaking, failing over (semantics 22).
 *
 * Under customer keys the secondary ends up with the primary's list of keys, a root key of its own and a poll
 * of its own: pairing turns its encryption on as a PUT would, with its own identity, so that every condition
 * of enabling is looked at where it always is.
 */
#include "server/engine/ns_pair.h"
#include "server/base/text.h"
#include "server/engine/ns_priv.h"
#include "storage/st_alias.h"

/* ---- what is asked for ---- */

struct wish {
    struct engine *e;
    const struct ns_view *p; /* the primary to be */
    struct ns_view s;        /* the secondary to be */
    const char *alias;
    size_t entities; /* of the secondary */
};

/* "/subscriptions/S/resourceGroups/G/providers/Microsoft.ServiceBus/namespaces/N" */
static bool split_id(struct sb_arena *a, const char *id, const char **sub, const char **group,
                     const char **name)
{
    static const char *const fixed[] = {"subscriptions", "resourceGroups", "providers", "namespaces"};
    const char *parts[8];
    size_t n = 0;
    for (const char *p = id; *p == '/' && n < SB_ARRAY_LEN(parts); n++) {
        size_t len = strcspn(++p, "/");
        parts[n] = arena_strndup(a, p, len);
        if (parts[n] == NULL || len == 0)
            return false;
        p += len;
        if (n + 1 == SB_ARRAY_LEN(parts) && *p)
            return false;
    }
    if (n != SB_ARRAY_LEN(parts) || !text_ieq(parts[0], fixed[0]) || !text_ieq(parts[2], fixed[1]) ||
        !text_ieq(parts[4], fixed[2]) || !text_ieq(parts[5], "Microsoft.ServiceBus") ||
        !text_ieq(parts[6], fixed[3]))
        return false;
    *sub = parts[1];
    *group = parts[3];
    *name = parts[7];
    return true;
}

enum sb_err ns_pair_by_id(struct engine *e, const char *id, const char *property, struct sb_arena *a,
                          struct ns_view *ret, struct sb_error *err)
{
    const char *sub, *group, *name;
    if (id == NULL || !split_id(a, id, &sub, &group, &name))
        return sb_fail(err, SB_EBADREQUEST,
                       "The property '%s' must be the id of a Service Bus namespace: '%.300s' is not.",
                       property, id ? id : "");
    if (ns_get(e, sub, group, name, a, ret, NULL) != SB_OK)
        return sb_fail(err, SB_EBADREQUEST, "The namespace '%.300s' does not exist.", id);
    return SB_OK;
}

static enum sb_err find_partner(struct wish *w, const char *id, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_pair_by_id(w->e, id, "partnerNamespace", a, &w->s, err));
    engine_lock(w->e);
    const struct ns *n = ns_find_id(w->e, w->s.id);
    w->entities = n ? broker_entity_count(n) : 0;
    engine_unlock(w->e);
out:
    return rc;
}

/* ---- conditions, each with the step that was left out ---- */

static bool premium(const struct ns_view *v)
{
    return text_ieq(v->sku, "Premium");
}

static bool same_namespace(const struct wish *w, struct sb_error *err)
{
    if (w->p->id != w->s.id)
        return false;
    sb_fail(err, SB_EBADREQUEST, "Namespace '%s' cannot be paired with itself.", w->p->name);
    return true;
}

static bool not_premium(const struct wish *w, struct sb_error *err)
{
    const struct ns_view *bad = !premium(w->p) ? w->p : !premium(&w->s) ? &w->s : NULL;
    if (bad)
        sb_fail(err, SB_EBADREQUEST,
                "Geo-disaster recovery is available in the Premium tier only: namespace '%s' is of the '%s' "
                "tier.",
                bad->name, bad->sku);
    return bad != NULL;
}

static bool primary_taken(const struct wish *w, struct sb_error *err)
{
    if (w->p->role == PAIR_NONE || (w->p->role == PAIR_ALONE && text_ieq(w->p->alias, w->alias)))
        return false;
    if (w->p->role == PAIR_ALONE)
        sb_fail(err, SB_EBADREQUEST, "Namespace '%s' has the alias '%s' already: delete that first.",
                w->p->name, w->p->alias);
    else
        sb_fail(err, SB_EBADREQUEST,
                "Namespace '%s' is paired with '%s' under the alias '%s' already: break that pairing first.",
                w->p->name, w->p->partner ? w->p->partner : "", w->p->alias);
    return true;
}

static bool secondary_taken(const struct wish *w, struct sb_error *err)
{
    if (w->s.role == PAIR_NONE)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "The partner namespace '%s' belongs to the alias '%s' already: break that pairing and delete "
            "that alias "
            "first.",
            w->s.name, w->s.alias);
    return true;
}

static bool secondary_not_empty(const struct wish *w, struct sb_error *err)
{
    if (w->entities == 0)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "The secondary namespace '%s' must be empty: it contains %zu queue(s) or topic(s). Delete them "
            "first.",
            w->s.name, w->entities);
    return true;
}

static bool revoked(const struct wish *w, struct sb_error *err)
{
    const struct ns_view *bad = w->p->status != NS_ACTIVE ? w->p : w->s.status != NS_ACTIVE ? &w->s : NULL;
    if (bad)
        sb_fail(err, SB_EBADREQUEST,
                "Namespaces '%s' and '%s' cannot be paired: none of the customer-managed keys of '%s' can be "
                "used. "
                "Give its managed identity access to the key vault first.",
                w->p->name, w->s.name, bad->name);
    return bad != NULL;
}

static bool only_secondary_encrypted(const struct wish *w, struct sb_error *err)
{
    if (w->p->encrypted || !w->s.encrypted)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "Namespaces '%s' and '%s' cannot be paired: the secondary is encrypted with customer-managed "
            "keys and the "
            "primary is not. Set up encryption with the same keys on the primary namespace '%s' first.",
            w->p->name, w->s.name, w->p->name);
    return true;
}

/* [F] */
static bool user_identity(const struct wish *w, struct sb_error *err)
{
    bool user = false;
    for (size_t i = 0; w->p->encrypted && i < w->p->keys_n; i++)
        user = user || w->p->keys[i].identity;
    if (!user || w->s.encrypted)
        return false;
    sb_fail(
        err, SB_EBADREQUEST,
        "Namespaces '%s' and '%s' cannot be paired: the keys of the primary are used with a user-assigned "
        "identity. Set up encryption with the same keys on the secondary namespace '%s' first.",
        w->p->name, w->s.name, w->s.name);
    return true;
}

/* A key that a has and b has not, of those in the record. */
static const struct nskey *missing_key(const struct ns_view *a, const struct ns_view *b)
{
    for (size_t i = 0; i < a->keys_n; i++) {
        bool found = a->keys[i].state == NSKEY_REVOKED;
        for (size_t j = 0; j < b->keys_n; j++)
            found = found || (b->keys[j].state != NSKEY_REVOKED && ns_key_same(&a->keys[i], &b->keys[j]));
        if (!found)
            return &a->keys[i];
    }
    return NULL;
}

static bool other_keys(const struct wish *w, struct sb_error *err)
{
    if (!w->p->encrypted || !w->s.encrypted)
        return false;
    const struct nskey *k = missing_key(w->p, &w->s);
    const char *lacks = w->s.name;
    if (k == NULL) {
        k = missing_key(&w->s, w->p);
        lacks = w->p->name;
    }
    if (k)
        sb_fail(err, SB_EBADREQUEST,
                "Namespaces '%s' and '%s' cannot be paired: they are encrypted with different keys. Set up "
                "the same "
                "keys on both first: '%s' does not use key '%s' of vault '%s'.",
                w->p->name, w->s.name, lacks, k->key_name, k->vault);
    return k != NULL;
}

static enum sb_err check_wish(const struct wish *w, struct sb_error *err)
{
    static bool (*const conditions[])(const struct wish *, struct sb_error *) = {
        same_namespace,           not_premium,   primary_taken, secondary_taken, secondary_not_empty, revoked,
        only_secondary_encrypted, user_identity, other_keys,
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(conditions); i++) {
        if (conditions[i](w, err))
            return SB_EBADREQUEST;
    }
    return SB_OK;
}

static enum sb_err check_settled(const struct wish *w, struct sb_error *err)
{
    enum sb_err rc;
    engine_lock(w->e);
    const struct ns *p = ns_find_id(w->e, w->p->id), *s = ns_find_id(w->e, w->s.id);
    rc = p ? ns_move_check(w->e, p, err) : SB_OK;
    if (rc == SB_OK && s)
        rc = ns_move_check(w->e, s, err);
    engine_unlock(w->e);
    return rc;
}

/* ---- encryption follows ---- */

/* The secondary's own PUT with the primary's keys: its conditions are those of enabling. */
static enum sb_err encrypt_secondary(const struct wish *w, struct sb_arena *a, struct sb_error *err)
{
    struct ns_view v;
    struct sb_error why = {.code = SB_OK};
    bool created;
    struct nskey *keys = ARENA_ARRAY(a, struct nskey, w->p->keys_n + 1);
    struct ns_spec s = ns_spec(w->s.sub, w->s.group, w->s.name);
    s.patch = s.has_encryption = s.has_keys = true;
    s.infra = w->p->infra;
    s.keys = keys;
    if (keys == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory pairing namespaces");
    for (size_t i = 0; i < w->p->keys_n; i++) {
        if (w->p->keys[i].state != NSKEY_REVOKED)
            keys[s.keys_n++] = w->p->keys[i];
    }
    enum sb_err rc = ns_put(w->e, &s, a, &v, &created, &why);
    if (rc == SB_OK)
        return SB_OK;
    return sb_fail(
        err, rc,
        "Namespaces '%s' and '%s' cannot be paired: the primary is encrypted with customer-managed keys. Set "
        "up the access policy for the managed identity of the secondary namespace '%s' to the key vault "
        "first. %s",
        w->p->name, w->s.name, w->s.name, why.detail);
}

/* ---- rows and memory ---- */

/* The aliases of up to two namespaces as they will be. */
struct change {
    struct engine *e;
    struct st_alias rows[2];
    size_t n;
    bool same_encryption; /* only if both are encrypted, or neither */
    char name[NS_NAME_MAX + 1];
};

static enum sb_err change_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct change *c = arg;
    const struct ns *n[2] = {NULL, NULL};
    for (size_t i = 0; i < c->n; i++) {
        n[i] = ns_find_id(c->e, c->rows[i].ns);
        if (n[i] == NULL)
            return sb_fail(err, SB_ENONAMESPACE, "One of the two namespaces does not exist any more.");
    }
    if (c->same_encryption && c->n == SB_ARRAY_LEN(n) && n[0]->encrypted != n[1]->encrypted)
        return sb_fail(err, SB_ECONFLICT, "The encryption of one of the two namespaces is being changed.");
    for (size_t i = 0; i < c->n; i++)
        SB_TRY(st_alias_drop(tx, c->rows[i].ns, err));
    for (size_t i = 0; i < c->n; i++) {
        if (c->rows[i].role != PAIR_NONE)
            SB_TRY(st_alias_put(tx, &c->rows[i], err));
    }
out:
    return rc;
}

static void change_publish(void *arg)
{
    struct change *c = arg;
    engine_lock(c->e);
    for (size_t i = 0; i < c->n; i++) {
        struct ns *n = ns_find_id(c->e, c->rows[i].ns);
        if (n == NULL)
            continue;
        n->role = (enum pair_role)c->rows[i].role;
        n->partner = c->rows[i].partner;
        n->unmirrored = n->role == PAIR_PRIMARY;
        (void)text_copy(n->alias, sizeof n->alias, n->role == PAIR_NONE ? "" : c->rows[i].name);
    }
    engine_unlock(c->e);
}

static enum sb_err change(struct change *c, struct sb_error *err)
{
    return store_call_publish(c->e->sb, change_run, change_publish, c, err);
}

/* ---- views ---- */

static enum sb_err no_alias(const struct ns_view *ns, const char *alias, struct sb_error *err)
{
    return sb_fail(
        err, SB_ENOTFOUND,
        "The Resource 'Microsoft.ServiceBus/namespaces/%s/disasterRecoveryConfigs/%.64s' under resource "
        "group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        ns->name, alias, ns->group);
}

/* The namespace as it is now, if it has this alias. */
static enum sb_err reread(struct engine *e, const struct ns_view *ns, const char *alias, struct sb_arena *a,
                          struct ns_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_by_name(e, ns->name, a, ret, err));
    if (ret->role == PAIR_NONE || (alias && !text_ieq(ret->alias, alias)))
        return no_alias(ns, alias ? alias : "", err);
out:
    return rc;
}

static enum sb_err view(struct engine *e, const struct ns_view *ns, struct sb_arena *a, struct pair_view *ret,
                        struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct ns_view partner;
    struct pair_view v = {.alias = ns->alias, .role = ns->role, .partner = ""};
    if (ns->partner) {
        SB_TRY(ns_by_name(e, ns->partner, a, &partner, err));
        v.partner = ns_resource_id(a, partner.sub, partner.group, partner.name);
    }
    engine_lock(e);
    const struct ns *n = ns_find_id(e, ns->id);
    v.pending = n && n->unmirrored;
    engine_unlock(e);
    if (v.partner == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory showing an alias");
    *ret = v;
out:
    return rc;
}

enum sb_err ns_pair_get(struct engine *e, const struct ns_view *ns, const char *alias, struct sb_arena *a,
                        struct pair_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view now;
    SB_TRY(reread(e, ns, alias, a, &now, err));
    (void)ns_mirror_all(e, now.name);
    SB_TRY(view(e, &now, a, ret, err));
out:
    return rc;
}

enum sb_err ns_pair_name_check(struct engine *e, const char *ns, const char *alias, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_check_name(alias, err));
    engine_lock(e);
    const struct ns *holder = ns_find_host(e, alias);
    bool used = holder && (!text_ieq(holder->name, ns) || !text_ieq(holder->alias, alias));
    engine_unlock(e);
    if (used)
        rc = sb_fail(err, SB_EEXISTS, "The specified name is not available.");
out:
    return rc;
}

/* ---- the calls ---- */

static enum sb_err pair(struct wish *w, const char *partner, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_pair_name_check(w->e, w->p->name, w->alias, err));
    SB_TRY(find_partner(w, partner, a, err));
    if (w->p->role == PAIR_PRIMARY && text_ieq(w->p->alias, w->alias) && text_ieq(w->p->partner, w->s.name))
        goto out; /* it is so already */
    SB_TRY(check_wish(w, err));
    SB_TRY(check_settled(w, err));
    if (w->p->encrypted && !w->s.encrypted)
        SB_TRY(encrypt_secondary(w, a, err));
    struct change c = {
        .e = w->e,
        .rows = {{w->p->id, w->alias, PAIR_PRIMARY, w->s.id}, {w->s.id, w->alias, PAIR_SECONDARY, w->p->id}},
        .n = 2,
        .same_encryption = true};
    SB_TRY(change(&c, err));
    (void)ns_mirror_all(w->e, w->p->name);
out:
    return rc;
}

enum sb_err ns_pair_put(struct engine *e, const struct ns_view *primary, const char *alias,
                        const char *partner, struct sb_arena *a, struct pair_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view now;
    struct wish w = {.e = e, .p = &now, .alias = alias};
    pthread_mutex_lock(&e->pair);
    rc = ns_by_name(e, primary->name, a, &now, err);
    if (rc == SB_OK)
        rc = pair(&w, partner, a, err);
    pthread_mutex_unlock(&e->pair);
    SB_TRY(rc);
    SB_TRY(ns_pair_get(e, primary, alias, a, ret, err));
out:
    return rc;
}

/* The namespace has the alias in this role, or why that will not do. */
static enum sb_err want_role(const struct ns_view *ns, enum pair_role role, const char *what,
                             struct sb_error *err)
{
    if (ns->role == role)
        return SB_OK;
    if (ns->role == PAIR_ALONE)
        return sb_fail(err, SB_EBADREQUEST, "The alias '%s' of namespace '%s' is not paired.", ns->alias,
                       ns->name);
    return sb_fail(err, SB_EBADREQUEST, "%s must be called on the %s namespace '%s'.", what,
                   role == PAIR_PRIMARY ? "primary" : "secondary", ns->partner ? ns->partner : "");
}

/* Ends the pairing: `keeps` has the alias alone from now on, the other one forgets it. */
static enum sb_err end_pair(struct engine *e, const struct ns_view *ns, const char *alias,
                            enum pair_role role, const char *what, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view now, partner;
    struct sb_arena *a = arena_new(NS_ARENA_MAX);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory ending a pairing");
    pthread_mutex_lock(&e->pair);
    SB_TRY(reread(e, ns, alias, a, &now, err));
    SB_TRY(want_role(&now, role, what, err));
    if (role == PAIR_SECONDARY)
        (void)ns_mirror_all(e, now.partner); /* what can follow still does */
    SB_TRY(ns_by_name(e, now.partner, a, &partner, err));
    struct change c = {
        .e = e, .rows = {{now.id, now.alias, PAIR_ALONE, 0}, {partner.id, now.alias, PAIR_NONE, 0}}, .n = 2};
    SB_TRY(change(&c, err));
out:
    pthread_mutex_unlock(&e->pair);
    arena_free(a);
    return rc;
}

enum sb_err ns_pair_break(struct engine *e, const struct ns_view *ns, const char *alias, struct sb_error *err)
{
    return end_pair(e, ns, alias, PAIR_PRIMARY, "breakPairing", err);
}

enum sb_err ns_pair_failover(struct engine *e, const struct ns_view *ns, const char *alias,
                             struct sb_error *err)
{
    return end_pair(e, ns, alias, PAIR_SECONDARY, "failover", err);
}

enum sb_err ns_pair_delete(struct engine *e, const struct ns_view *ns, const char *alias, bool *ret_existed,
                           struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view now;
    struct sb_arena *a = arena_new(NS_ARENA_MAX);
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory deleting an alias");
    pthread_mutex_lock(&e->pair);
    rc = reread(e, ns, alias, a, &now, err);
    if (rc == SB_ENOTFOUND) {
        *ret_existed = false;
        rc = SB_OK;
        goto out;
    }
    if (rc == SB_OK && now.role != PAIR_ALONE) /* documented of a sibling */
        rc = sb_fail(
            err, SB_ECONFLICT,
            "Disaster recovery (DR) config can't be deleted because replication is in progress. Fail over or "
            "break pairing before attempting to delete the DR Config.");
    if (rc != SB_OK)
        goto out;
    struct change c = {.e = e, .rows = {{now.id, now.alias, PAIR_NONE, 0}}, .n = 1};
    SB_TRY(change(&c, err));
    *ret_existed = true;
out:
    pthread_mutex_unlock(&e->pair);
    arena_free(a);
    return rc;
}

/* ---- a namespace that goes ---- */

enum sb_err ns_pair_part(struct tx *tx, const struct ns *n, struct engine *e, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct ns *partner = n->partner ? ns_find_id(e, n->partner) : NULL;
    if (n->role == PAIR_NONE)
        return SB_OK;
    SB_TRY(st_alias_drop(tx, n->id, err));
    if (partner && partner->role == PAIR_PRIMARY) {
        const struct st_alias alone = {partner->id, partner->alias, PAIR_ALONE, 0};
        SB_TRY(st_alias_put(tx, &alone, err));
    } else if (partner) {
        SB_TRY(st_alias_drop(tx, partner->id, err));
    }
out:
    return rc;
}

void ns_pair_parted(struct engine *e, struct ns *n)
{
    struct ns *partner = n->partner ? ns_find_id(e, n->partner) : NULL;
    if (partner == NULL)
        return;
    partner->partner = 0;
    partner->unmirrored = false;
    partner->role = partner->role == PAIR_PRIMARY ? PAIR_ALONE : PAIR_NONE;
    if (partner->role == PAIR_NONE)
        partner->alias[0] = '\0';
}
