/*
 * broker_entity.c: queues, topics and subscriptions as ARM sees them: create, change, show, list, delete.
 */
#include <stdlib.h>
#include <strings.h>
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_private.h"
#include "server/engine/ns_pair.h"

/* ---- rows and views ---- */

#define METADATA_AAD_MAX (ENTITY_PATH_MAX + 64)

/* Bound to the queue by name: it has no id yet when it is made, and a name never changes. */
static char *metadata_aad(char dst[METADATA_AAD_MAX], int64_t ns, const char *name)
{
    snprintf(dst, METADATA_AAD_MAX, "entity-metadata/%lld/%s", (long long)ns, name);
    return text_tolower(dst);
}

/* A topic shows what its subscriptions hold as its size, and how many there are. */
struct shot {
    struct st_entity *row;
    int64_t subs;
};

static enum sb_err view(struct engine *e, const char *ns, const struct st_entity *row, int64_t subs,
                        struct sb_arena *a, struct entity_view *ret, struct sb_error *err)
{
    const int flags = row->flags;
    enum sb_err rc = SB_OK;
    char aad[METADATA_AAD_MAX];
    struct sb_blob metadata = {0};
    if (row->metadata.p)
        SB_TRY(envelope_open_key(e->platform, metadata_aad(aad, row->ns, row->name), row->metadata.p,
                                 row->metadata.n, a, &metadata, err));
    *ret = (struct entity_view){
        .id = row->id,
        .kind = (enum entity_kind)row->kind,
        .ns = arena_strdup(a, ns),
        .name = arena_strdup(a, row->name),
        .lock_ms = row->lock_ms,
        .ttl_ms = row->ttl_ms,
        .dup_window_ms = row->dup_window_ms,
        .idle_ms = row->idle_ms,
        .max_mb = row->max_mb,
        .max_message_kb = row->max_message_kb,
        .max_delivery = row->max_delivery,
        .dup = (flags & ST_ENTITY_DUP) != 0,
        .session = (flags & ST_ENTITY_SESSION) != 0,
        .dead_letter_expired = (flags & ST_ENTITY_DEAD_EXPIRED) != 0,
        .batched = (flags & ST_ENTITY_BATCHED) != 0,
        .partitioning = (flags & ST_ENTITY_PARTITIONED) != 0,
        .express = (flags & ST_ENTITY_EXPRESS) != 0,
        .ordering = (flags & ST_ENTITY_ORDERING) != 0,
        .dead_letter_filter = (flags & ST_ENTITY_DEAD_FILTER) != 0,
        .affine = (flags & ST_ENTITY_AFFINE) != 0,
        .durable = (flags & ST_ENTITY_DURABLE) != 0,
        .shared = (flags & ST_ENTITY_SHARED) != 0,
        .client_id = arena_strdup(a, row->client_id),
        .subscriptions = subs,
        .status = broker_settings_status(row->status),
        .forward_to = arena_strdup(a, row->forward_to),
        .forward_dlq = arena_strdup(a, row->forward_dlq),
        .user_metadata = metadata.p ? arena_strndup(a, (const char *)metadata.p, metadata.n) : NULL,
        .created_ms = row->created_ms,
        .updated_ms = row->updated_ms,
        .accessed_ms = row->accessed_ms,
        .size_bytes = row->count.bytes,
        .active = row->count.active,
        .dead_letter = row->count.dead_letter,
        .scheduled = row->count.scheduled};
    if (arena_failed(a))
        rc = sb_fail(err, SB_ENOMEM, "out of memory showing an entity");
out:
    return rc;
}

/* What readers see of an entity now, with texts of its own; row NULL: out of memory. Under engine_lock. */
static struct shot snapshot(const struct entity *t)
{
    struct shot s = {.row = broker_config_copy(t->cfg), .subs = (int64_t)t->subs_n};
    if (s.row == NULL)
        return s;
    s.row->id = t->id;
    s.row->count.active = atomic_load_explicit(&t->shown.active, memory_order_relaxed);
    s.row->count.dead_letter = atomic_load_explicit(&t->shown.dead_letter, memory_order_relaxed);
    s.row->count.scheduled = atomic_load_explicit(&t->shown.scheduled, memory_order_relaxed);
    s.row->count.bytes = atomic_load_explicit(&t->shown.bytes, memory_order_relaxed);
    s.row->accessed_ms = atomic_load_explicit(&t->shown.accessed_ms, memory_order_relaxed);
    for (const struct entity *sub = t->subs; sub; sub = sub->sub_next)
        s.row->count.bytes += atomic_load_explicit(&sub->shown.bytes, memory_order_relaxed);
    return s;
}

static enum sb_err no_namespace(const char *ns, struct sb_error *err)
{
    return sb_fail(err, SB_ENONAMESPACE, "The namespace '%s' does not exist.", ns);
}

static enum sb_err no_entity(enum entity_kind kind, const char *name, struct sb_error *err)
{
    if (kind == ENTITY_SUBSCRIPTION) /* recorded */
        return sb_fail(err, SB_ENOSUBENTITY, "Subscription does not exist");
    return sb_fail(err, SB_EGONE, "The messaging entity '%s' could not be found.", name);
}

static enum sb_err no_memory(struct sb_error *err)
{
    return sb_fail(err, SB_ENOMEM, "out of memory handling an entity");
}

/* ---- create and change ---- */

struct put {
    struct engine *e;
    const struct entity_spec *s;
    const char *sku;
    struct sb_arena *a;
    struct entity_view *ret;
    bool created;
    bool joined;            /* runs among others, before their publish: may make a new one, not change one */
    bool again;             /* did not run, for that reason */
    struct sb_buf metadata; /* sealed */
    struct sb_buf rule;     /* the sealed $Default of a new subscription */
    struct entity *fresh;   /* of a new entity */
    struct entity *old;     /* of one that is there */
    struct st_entity *cfg;  /* what it becomes */
    struct broker_ns *home;
};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_row(const struct st_entity *a, const struct st_entity *b)
{
    return a->status == b->status && a->flags == b->flags && a->max_delivery == b->max_delivery &&
           a->lock_ms == b->lock_ms && a->ttl_ms == b->ttl_ms && a->dup_window_ms == b->dup_window_ms &&
           a->idle_ms == b->idle_ms && a->max_mb == b->max_mb && a->max_message_kb == b->max_message_kb &&
           same_text(a->forward_to, b->forward_to) && same_text(a->forward_dlq, b->forward_dlq) &&
           same_text(a->client_id, b->client_id) && a->metadata.p == b->metadata.p;
}

/* A rerun starts anew. */
static void put_forget(struct put *p)
{
    broker_entity_free(p->fresh);
    free(p->cfg);
    p->fresh = p->old = NULL;
    p->cfg = NULL;
}

static enum sb_err check_room(const struct put *p, const struct ns *n, struct sb_error *err)
{
    if (p->s->kind == ENTITY_SUBSCRIPTION) {
        const struct entity *topic = broker_topic_of(n->broker, p->s->name);
        if (topic == NULL)
            return sb_fail(err, SB_ENOPARENT, "The topic of '%s' could not be found.", p->s->name);
        if (topic->subs_n >= BROKER_SUBS_MAX)
            return sb_fail(err, SB_ELIMIT,
                           "The maximum number of %d subscriptions of topic '%s' has been reached.",
                           BROKER_SUBS_MAX, topic->cfg->name);
    } else if (broker_entity_count(n) >= BROKER_ENTITIES_MAX) {
        return sb_fail(err, SB_ELIMIT,
                       "The maximum number of %d queues and topics in namespace '%s' has been reached.",
                       BROKER_ENTITIES_MAX, n->name);
    }
    return SB_OK;
}

/* A new subscription lets everything through. */
static enum sb_err store_default_rule(struct put *p, struct tx *tx, struct entity *t, struct sb_error *err)
{
    enum sb_err rc;
    const struct rule_spec all = {.sql = "1=1"};
    SB_TRY(broker_rule_new(RULE_DEFAULT, t->cfg->created_ms, &all, &t->rules, err));
    buf_clear(&p->rule);
    SB_TRY(broker_rule_seal(p->e, t->cfg->ns, t->cfg->name, t->rules, &p->rule, err));
    const struct st_rule row = {.entity = t->id,
                                .name = RULE_DEFAULT,
                                .created_ms = t->cfg->created_ms,
                                .sealed = {p->rule.p, p->rule.n}};
    SB_TRY(st_rule_put(tx, &row, err));
out:
    return rc;
}

static enum sb_err store_new(struct put *p, struct tx *tx, const struct ns *n, struct st_entity *row,
                             struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(check_room(p, n, err));
    row->created_ms = row->updated_ms;
    SB_TRY(st_entity_insert(tx, row, &row->id, err));
    p->fresh = broker_entity_new(row);
    if (p->fresh == NULL)
        return no_memory(err);
    if (p->s->kind == ENTITY_SUBSCRIPTION)
        SB_TRY(store_default_rule(p, tx, p->fresh, err));
    p->created = true;
out:
    return rc;
}

static enum sb_err store_changed(struct put *p, struct tx *tx, struct entity *t, struct st_entity *row,
                                 struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(st_entity_update(tx, row, err));
    p->cfg = broker_config_copy(row);
    if (p->cfg == NULL)
        return no_memory(err);
    p->old = t;
out:
    return rc;
}

static enum sb_err put_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct put *p = arg;
    const struct entity_spec *s = p->s;
    put_forget(p);
    p->created = false;
    struct ns *n = ns_find(p->e, s->ns);
    if (n == NULL || n->broker == NULL)
        return no_namespace(s->ns, err);
    if (n->status == NS_REVOKED)
        return sb_fail(err, SB_EREVOKED, "The namespace '%s' is Revoked: nothing below it can be changed.",
                       n->name);
    p->home = n->broker;
    struct entity *t = broker_find(n->broker, s->name);
    if (p->joined && t)
        return sb_fail(err, SB_ECONFLICT, "The entity is there already.");
    if (t && t->cfg->kind != (int)s->kind) /* recorded, of an entity that exists */
        return sb_fail(
            err, SB_EEXISTS,
            "SubCode=40900. Conflict. You're requesting an operation that isn't allowed in the "
            "resource's current state. To know more visit https://aka.ms/sbResourceMgrExceptions. .");
    struct st_entity row = t ? *t->cfg : broker_settings_default(n, s->kind, p->sku);
    const struct st_entity *before = t ? t->cfg : NULL;
    if (t) {
        row.id = t->id;
        row.count = t->count;
        row.accessed_ms = t->accessed_ms;
    } else {
        row.name = s->name;
    }
    SB_TRY(broker_settings_apply(s, &row, err));
    SB_TRY(broker_settings_check(n, p->sku, before, &row, err));
    if (s->user_metadata)
        row.metadata = (struct sb_blob){p->metadata.p, p->metadata.n};
    bool changed = before == NULL || !same_row(before, &row);
    if (changed)
        row.updated_ms = engine_now(p->e);
    if (t == NULL)
        SB_TRY(store_new(p, tx, n, &row, err));
    else if (changed)
        SB_TRY(store_changed(p, tx, t, &row, err));
    SB_TRY(view(p->e, n->name, &row, t ? (int64_t)t->subs_n : 0, p->a, p->ret, err));
    p->ret->changed = changed;
out:
    return rc;
}

static void put_publish(void *arg)
{
    struct put *p = arg;
    engine_lock(p->e);
    if (p->fresh)
        broker_link(p->home, p->fresh);
    else if (p->cfg)
        broker_configure(p->old, p->cfg);
    engine_unlock(p->e);
    if (p->old) { /* whoever waits there may now be refused */
        broker_wake_all(&p->old->wait[ST_SUB_MAIN]);
        broker_wake_all(&p->old->wait[ST_SUB_DEAD]);
    }
    p->fresh = NULL;
    p->cfg = NULL;
    broker_after(p->e->broker);
}

static enum sb_err seal_metadata(struct put *p, struct sb_error *err)
{
    char aad[METADATA_AAD_MAX];
    const char *text = p->s->user_metadata;
    engine_lock(p->e);
    const struct ns *n = ns_find(p->e, p->s->ns);
    int64_t id = n ? n->id : 0;
    engine_unlock(p->e);
    return envelope_seal_key(p->e->platform, metadata_aad(aad, id, p->s->name), text, strlen(text),
                             &p->metadata, err);
}

/* Can it be made beside others? A subscription's topic may be going, and a limit needs an exact
 * count (two batches may be under way). */
static bool may_join(const struct put *p)
{
    engine_lock(p->e);
    const struct ns *n = ns_find(p->e, p->s->ns);
    bool ok = p->s->kind != ENTITY_SUBSCRIPTION && n && n->broker && !broker_find(n->broker, p->s->name) &&
              broker_entity_count(n) + 2 * STORE_BATCH_MAX < BROKER_ENTITIES_MAX;
    engine_unlock(p->e);
    return ok;
}

/* Many new queues and topics share a commit; everything else has its own. */
static enum sb_err put_stored(struct put *p, struct sb_error *err)
{
    p->joined = may_join(p);
    enum sb_err rc = p->joined ? store_call_joined(p->e->sb, put_run, put_publish, p, err) : SB_OK;
    if (p->joined && rc != SB_ECONFLICT)
        return rc;
    p->joined = false;
    return store_call_publish(p->e->sb, put_run, put_publish, p, err);
}

enum sb_err broker_entity_put(struct engine *e, const struct entity_spec *s, struct sb_arena *a,
                              struct entity_view *ret, bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct entity_view q = {0};
    struct put p = {.e = e, .s = s, .a = a, .ret = &q};
    buf_init(&p.metadata, (s->user_metadata ? strlen(s->user_metadata) : 0) + 256);
    buf_init(&p.rule, RULE_SEALED_MAX);
    SB_TRY(broker_settings_name(s, err));
    SB_TRY(ns_by_name(e, s->ns, a, &v, err));
    p.sku = v.sku;
    if (s->user_metadata)
        SB_TRY(seal_metadata(&p, err));
    SB_TRY(put_stored(&p, err));
    *ret = q;
    *ret_created = p.created;
    ns_mirror_entity(e, s->ns, s->kind, s->name);
out:
    put_forget(&p);
    buf_done(&p.metadata);
    buf_done(&p.rule);
    return rc;
}

/* ---- show ---- */

static struct entity *find_kind(const struct ns *n, enum entity_kind kind, const char *name)
{
    struct entity *t = n->broker ? broker_find(n->broker, name) : NULL;
    return t && t->cfg->kind == (int)kind ? t : NULL;
}

enum sb_err broker_entity_get(struct engine *e, const char *ns, enum entity_kind kind, const char *name,
                              struct sb_arena *a, struct entity_view *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct shot s = {0};
    char ns_name[NS_NAME_MAX + 1] = "";
    engine_lock(e);
    const struct ns *n = ns_find(e, ns);
    const struct entity *t = n ? find_kind(n, kind, name) : NULL;
    if (n == NULL)
        rc = no_namespace(ns, err);
    else if (t == NULL)
        rc = no_entity(kind, name, err);
    else if ((s = snapshot(t)).row == NULL)
        rc = no_memory(err);
    if (n)
        (void)text_copy(ns_name, sizeof ns_name, n->name);
    engine_unlock(e);
    if (rc == SB_OK)
        rc = view(e, ns_name, s.row, s.subs, a, ret, err);
    free(s.row);
    return rc;
}

enum entity_kind broker_kind_at(struct engine *e, const char *ns, const char *path)
{
    engine_lock(e);
    const struct ns *n = ns_find(e, ns);
    const struct entity *t = n && n->broker ? broker_find(n->broker, path) : NULL;
    enum entity_kind kind = t ? (enum entity_kind)t->cfg->kind : ENTITY_QUEUE;
    engine_unlock(e);
    return kind;
}

bool broker_leads_deeper(const struct ns *n, const char *entity, const char *path)
{
    char name[ENTITY_PATH_MAX + 1];
    path += strspn(path, "/");
    size_t i = strlen(entity);
    while (n->broker && i < strlen(path)) {
        i += 1 + strcspn(path + i + 1, "/");
        const struct entity *t = text_copyn(name, sizeof name, path, i) ? broker_find(n->broker, name) : NULL;
        if (t && t->cfg->kind != ST_ENTITY_SUBSCRIPTION)
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct entity *const *x = a, *const *y = b;
    return strcasecmp((*x)->cfg->name, (*y)->cfg->name);
}

/* Every entity of that kind (of that topic), by name. Under engine_lock. NULL: out of memory. */
static struct entity **sorted(const struct broker_ns *home, enum entity_kind kind, const struct entity *topic,
                              struct sb_arena *a, size_t *ret_n)
{
    size_t n = 0;
    struct entity **list = ARENA_ARRAY(a, struct entity *, (topic ? topic->subs_n : home->count) + 1);
    if (list == NULL)
        return NULL;
    for (struct entity *t = topic ? topic->subs : NULL; t; t = t->sub_next)
        list[n++] = t;
    for (size_t i = 0; topic == NULL && i < home->slots; i++) {
        for (struct entity *t = home->by_id[i]; t; t = t->id_next) {
            if (t->cfg->kind == (int)kind)
                list[n++] = t;
        }
    }
    qsort(list, n, sizeof(struct entity *), by_name);
    *ret_n = n;
    return list;
}

struct page {
    struct shot *rows;
    size_t n;
};

/* Copies of the rows of a page. Under engine_lock. */
static enum sb_err take_page(const struct ns *n, enum entity_kind kind, const char *topic, size_t skip,
                             size_t top, struct sb_arena *a, struct page *ret, struct sb_error *err)
{
    size_t all = 0;
    const struct entity *parent = topic ? find_kind(n, ENTITY_TOPIC, topic) : NULL;
    if (topic && parent == NULL)
        return no_entity(ENTITY_TOPIC, topic, err);
    struct entity **list = sorted(n->broker, kind, parent, a, &all);
    ret->rows = ARENA_ARRAY(a, struct shot, SB_MIN(top, all) + 1);
    if (list == NULL || ret->rows == NULL)
        return no_memory(err);
    for (size_t i = skip; i < all && ret->n < top; i++) {
        ret->rows[ret->n] = snapshot(list[i]);
        if (ret->rows[ret->n].row == NULL)
            return no_memory(err);
        ret->n++;
    }
    return SB_OK;
}

enum sb_err broker_entity_list(struct engine *e, const char *ns, enum entity_kind kind, const char *topic,
                               size_t skip, size_t top, struct sb_arena *a, struct entity_view **ret,
                               size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct page p = {0};
    engine_lock(e);
    const struct ns *found = ns_find(e, ns);
    if (found == NULL || found->broker == NULL)
        rc = no_namespace(ns, err);
    else
        rc = take_page(found, kind, topic, skip, top, a, &p, err);
    engine_unlock(e);
    struct entity_view *list = rc == SB_OK ? ARENA_ARRAY(a, struct entity_view, p.n + 1) : NULL;
    if (rc == SB_OK && list == NULL)
        rc = no_memory(err);
    for (size_t i = 0; i < p.n; i++) {
        if (rc == SB_OK)
            rc = view(e, ns, p.rows[i].row, p.rows[i].subs, a, &list[i], err);
        free(p.rows[i].row);
    }
    if (rc == SB_OK) {
        *ret = list;
        *ret_n = p.n;
    }
    return rc;
}

/* ---- delete ---- */

struct deletion {
    struct engine *e;
    const char *ns, *name;
    enum entity_kind kind;
    struct entity *t; /* NULL: there was none */
};

static enum sb_err delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct deletion *d = arg;
    struct ns *n = ns_find(d->e, d->ns);
    d->t = NULL;
    if (n == NULL || n->broker == NULL)
        return no_namespace(d->ns, err);
    if (n->status == NS_REVOKED)
        return sb_fail(err, SB_EREVOKED, "The namespace '%s' is Revoked: nothing below it can be changed.",
                       n->name);
    struct entity *t = find_kind(n, d->kind, d->name);
    if (t == NULL)
        return SB_OK;
    SB_TRY(broker_topic_drop(tx, t, err));
    d->t = t;
out:
    return rc;
}

static void delete_publish(void *arg)
{
    struct deletion *d = arg;
    if (d->t)
        broker_topic_forget(d->e, d->t);
    broker_after(d->e->broker);
}

enum sb_err broker_entity_delete(struct engine *e, const char *ns, enum entity_kind kind, const char *name,
                                 bool *ret_existed, struct sb_error *err)
{
    struct deletion d = {.e = e, .ns = ns, .name = name, .kind = kind};
    enum sb_err rc = store_call_publish(e->sb, delete_run, delete_publish, &d, err);
    if (rc == SB_OK) {
        *ret_existed = d.t != NULL;
        ns_mirror_entity(e, ns, kind, name);
    }
    return rc;
}
