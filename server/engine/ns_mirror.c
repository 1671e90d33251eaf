/*
 * ns_mirror.c: a paired secondary follows its primary: entities, rules, authorization rules with their keys.
 *
 * Each change is repeated on the secondary after it has happened on the primary; if that fails (the secondary
 * is Revoked, the process ended in between) the primary is marked, and the next change or look at the alias
 * compares everything. Calls on any other namespace cost one look under the lock.
 */
#include "server/base/text.h"
#include "server/engine/broker_rule.h"
#include "server/engine/ns_pair.h"
#include "server/engine/ns_priv.h"

/* A pair, and what a mirror call needs. */
struct mirror {
    struct engine *e;
    char primary[NS_NAME_MAX + 1], secondary[NS_NAME_MAX + 1];
    bool stale;     /* something is missing already */
    bool migrating; /* from Standard to Premium, where sizes are others and partitions another thing */
    struct sb_arena *a;
};

/* Under engine_lock. */
static struct ns *paired_primary(struct engine *e, const char *ns)
{
    struct ns *n = ns_find(e, ns);
    return n && n->role == PAIR_PRIMARY && ns_find_id(e, n->partner) ? n : NULL;
}

/* False: ns is not a paired primary (or there is no memory: the next call catches up). Else mirroring is this
 * thread's alone until end, so that what is read from the primary is not older than what the secondary has.
 */
static bool begin(struct mirror *m, struct engine *e, const char *ns)
{
    *m = (struct mirror){.e = e};
    engine_lock(e);
    bool paired = paired_primary(e, ns) != NULL;
    engine_unlock(e);
    if (!paired)
        return false;
    pthread_mutex_lock(&e->mirror);
    m->a = arena_new(NS_ARENA_MAX);
    engine_lock(e);
    struct ns *n = paired_primary(e, ns);
    if (n) {
        (void)text_copy(m->primary, sizeof m->primary, n->name);
        (void)text_copy(m->secondary, sizeof m->secondary, ns_find_id(e, n->partner)->name);
        m->stale = n->unmirrored;
        n->unmirrored = true; /* until it is done */
    }
    engine_unlock(e);
    if (n && m->a)
        return true;
    arena_free(m->a);
    pthread_mutex_unlock(&e->mirror);
    return false;
}

static void end(struct mirror *m, bool done)
{
    engine_lock(m->e);
    struct ns *n = ns_find(m->e, m->primary);
    if (n && done)
        n->unmirrored = false;
    engine_unlock(m->e);
    arena_free(m->a);
    pthread_mutex_unlock(&m->e->mirror);
}

/* ---- one thing ---- */

static struct entity_spec spec_of(const struct mirror *m, const struct entity_view *v, bool forwards)
{
    struct entity_spec s = {.kind = v->kind,
                            .ns = m->secondary,
                            .name = v->name,
                            .status = v->status,
                            .user_metadata = v->user_metadata,
                            .client_id = v->client_id,
                            .lock_ms = v->lock_ms,
                            .ttl_ms = v->ttl_ms,
                            .dup_window_ms = v->dup_window_ms,
                            .idle_ms = v->idle_ms,
                            .max_mb = m->migrating && v->partitioning ? -1 : v->max_mb,
                            .max_message_kb = m->migrating ? -1 : v->max_message_kb,
                            .max_delivery = v->max_delivery,
                            .dup = v->dup,
                            .session = v->session,
                            .dead_letter_expired = v->dead_letter_expired,
                            .batched = v->batched,
                            .partitioning = m->migrating ? 0 : v->partitioning,
                            .express = v->express,
                            .ordering = v->ordering,
                            .dead_letter_filter = v->dead_letter_filter,
                            .affine = v->affine,
                            .durable = v->durable,
                            .shared = v->shared};
    if (forwards) { /* "": none */
        s.forward_to = v->forward_to ? v->forward_to : "";
        s.forward_dlq = v->forward_dlq ? v->forward_dlq : "";
    }
    return s;
}

static bool put_entity(const struct mirror *m, const struct entity_view *v, bool forwards)
{
    struct entity_view made;
    bool created;
    const struct entity_spec s = spec_of(m, v, forwards);
    return broker_entity_put(m->e, &s, m->a, &made, &created, NULL) == SB_OK;
}

/* As the primary has it now, or not at all. */
static bool follow_entity(const struct mirror *m, enum entity_kind kind, const char *name)
{
    struct entity_view v;
    bool existed;
    enum sb_err rc = broker_entity_get(m->e, m->primary, kind, name, m->a, &v, NULL);
    if (rc == SB_EGONE || rc == SB_ENOSUBENTITY)
        return broker_entity_delete(m->e, m->secondary, kind, name, &existed, NULL) == SB_OK;
    return rc == SB_OK && put_entity(m, &v, true);
}

static bool follow_rule(const struct mirror *m, const char *path, const char *name)
{
    struct rule_view v, made;
    bool existed;
    enum sb_err rc = broker_rule_get(m->e, m->primary, path, name, m->a, &v, NULL);
    if (rc == SB_ENOSUBENTITY)
        return broker_rule_delete(m->e, m->secondary, path, name, &existed, NULL) == SB_OK;
    return rc == SB_OK &&
           broker_rule_put(m->e, m->secondary, path, name, &v.spec, m->a, &made, NULL) == SB_OK;
}

static bool follow_auth(const struct mirror *m, const char *entity, const char *name)
{
    struct auth_rule rule;
    bool existed;
    enum sb_err rc = ns_rule_get(m->e, m->primary, entity, name, m->a, &rule, NULL);
    if (rc == SB_ENOTFOUND)
        return ns_rule_delete(m->e, m->secondary, entity, name, &existed, NULL) == SB_OK;
    return rc == SB_OK && ns_rule_set(m->e, m->secondary, entity, &rule, m->a, NULL) == SB_OK;
}

/* ---- everything ---- */

/* All of a kind (of a topic). */
static bool list(const struct mirror *m, const char *ns, enum entity_kind kind, const char *topic,
                 struct entity_view **ret, size_t *ret_n)
{
    return broker_entity_list(m->e, ns, kind, topic, 0, SIZE_MAX, m->a, ret, ret_n, NULL) == SB_OK;
}

static bool all_auths(const struct mirror *m, const char *entity)
{
    struct auth_rule *mine = NULL, *theirs = NULL;
    size_t n = 0, k = 0;
    bool good = ns_rule_list(m->e, m->primary, entity, m->a, &mine, &n, NULL) == SB_OK &&
                ns_rule_list(m->e, m->secondary, entity, m->a, &theirs, &k, NULL) == SB_OK;
    /* Those that are gone first: there is a limit. */
    for (size_t i = 0; good && i < k; i++)
        good = follow_auth(m, entity, theirs[i].name);
    for (size_t i = 0; good && i < n; i++)
        good = follow_auth(m, entity, mine[i].name);
    return good;
}

static bool all_rules(const struct mirror *m, const char *path)
{
    struct rule_view *mine = NULL, *theirs = NULL;
    size_t n = 0, k = 0;
    bool good = broker_rule_list(m->e, m->primary, path, m->a, &mine, &n, NULL) == SB_OK &&
                broker_rule_list(m->e, m->secondary, path, m->a, &theirs, &k, NULL) == SB_OK;
    for (size_t i = 0; good && i < k; i++)
        good = follow_rule(m, path, theirs[i].name);
    for (size_t i = 0; good && i < n; i++)
        good = follow_rule(m, path, mine[i].name);
    return good;
}

/* Deletes what the primary has not. */
static bool drop_extra(const struct mirror *m, enum entity_kind kind, const char *topic)
{
    struct entity_view *theirs = NULL, there;
    size_t k = 0;
    bool existed, good = list(m, m->secondary, kind, topic, &theirs, &k);
    for (size_t i = 0; good && i < k; i++) {
        enum sb_err rc = broker_entity_get(m->e, m->primary, kind, theirs[i].name, m->a, &there, NULL);
        if (rc == SB_EGONE || rc == SB_ENOSUBENTITY)
            rc = broker_entity_delete(m->e, m->secondary, kind, theirs[i].name, &existed, NULL);
        good = rc == SB_OK;
    }
    return good;
}

static bool all_of(const struct mirror *m, enum entity_kind kind, const char *topic, bool forwards)
{
    struct entity_view *mine = NULL;
    size_t n = 0;
    bool good = (forwards || drop_extra(m, kind, topic)) && list(m, m->primary, kind, topic, &mine, &n);
    for (size_t i = 0; good && i < n; i++) {
        good = put_entity(m, &mine[i], forwards);
        if (good && kind == ENTITY_TOPIC)
            good = all_of(m, ENTITY_SUBSCRIPTION, mine[i].name, forwards);
        if (good && !forwards)
            good = kind == ENTITY_SUBSCRIPTION ? all_rules(m, mine[i].name) : all_auths(m, mine[i].name);
    }
    return good;
}

/* What is forwarded to has to be there before: forwarding comes second. */
static bool everything(const struct mirror *m)
{
    bool good = all_auths(m, NULL);
    for (int forwards = 0; good && forwards < 2; forwards++)
        good = all_of(m, ENTITY_QUEUE, NULL, forwards) && all_of(m, ENTITY_TOPIC, NULL, forwards);
    return good;
}

/* ---- the calls ---- */

enum sb_err ns_mirror_migrate(struct engine *e, const struct ns_view *from, const char *target,
                              const char *name, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view to;
    struct mirror m = {.e = e, .migrating = true, .a = a};
    SB_TRY(ns_pair_by_id(e, target, "targetNamespace", a, &to, err));
    SB_TRY(ns_name_check(e, name, err));
    if (!text_ieq(from->sku, "Standard") || !text_ieq(to.sku, "Premium"))
        return sb_fail(
            err, SB_EBADREQUEST,
            "A Standard namespace can be migrated to a Premium one: '%s' is of the '%s' tier, '%s' of the "
            "'%s' tier.",
            from->name, from->sku, to.name, to.sku);
    engine_lock(e);
    const struct ns *n = ns_find_id(e, to.id);
    size_t entities = n ? broker_entity_count(n) : 0;
    engine_unlock(e);
    if (entities > 0)
        return sb_fail(err, SB_EBADREQUEST,
                       "The target namespace '%s' must be empty: it contains %zu queue(s) or topic(s).",
                       to.name, entities);
    (void)text_copy(m.primary, sizeof m.primary, from->name);
    (void)text_copy(m.secondary, sizeof m.secondary, to.name);
    if (!everything(&m))
        rc = sb_fail(err, SB_ECONFLICT, "Not all that is in '%s' could be copied to '%s'.", from->name,
                     to.name);
out:
    return rc;
}

bool ns_mirror_all(struct engine *e, const char *primary)
{
    struct mirror m;
    if (!begin(&m, e, primary))
        return true;
    bool good = !m.stale || everything(&m);
    end(&m, good);
    return good;
}

void ns_mirror_entity(struct engine *e, const char *ns, enum entity_kind kind, const char *name)
{
    struct mirror m;
    if (begin(&m, e, ns))
        end(&m, m.stale ? everything(&m) : follow_entity(&m, kind, name));
}

void ns_mirror_rule(struct engine *e, const char *ns, const char *path, const char *name)
{
    struct mirror m;
    if (begin(&m, e, ns))
        end(&m, m.stale ? everything(&m) : follow_rule(&m, path, name));
}

void ns_mirror_auth(struct engine *e, const char *ns, const char *entity, const char *name)
{
    struct mirror m;
    if (begin(&m, e, ns))
        end(&m, m.stale ? everything(&m) : follow_auth(&m, entity, name));
}
