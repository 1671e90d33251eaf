/*
 * broker_queue.c: queues as ARM sees them: create, change, show, list, delete; and the at-rest view of a
 * message.
 */
#include <stdlib.h>
#include <strings.h>
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_private.h"

/* ---- rows and views ---- */

#define METADATA_AAD_MAX (ENTITY_NAME_MAX + 64)

/* Bound to the queue by name: it has no id yet when it is made, and a name never changes. */
static char *metadata_aad(char dst[METADATA_AAD_MAX], int64_t ns, const char *name)
{
    snprintf(dst, METADATA_AAD_MAX, "entity-metadata/%lld/%s", (long long)ns, name);
    return text_tolower(dst);
}

static enum sb_err view(struct engine *e, const char *ns, const struct st_entity *row, struct sb_arena *a,
                        struct queue *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    char aad[METADATA_AAD_MAX];
    struct sb_blob metadata = {0};
    if (row->metadata.p)
        SB_TRY(envelope_open_key(e->platform, metadata_aad(aad, row->ns, row->name), row->metadata.p,
                                 row->metadata.n, a, &metadata, err));
    *ret = (struct queue){.id = row->id,
                          .ns = arena_strdup(a, ns),
                          .name = arena_strdup(a, row->name),
                          .lock_ms = row->lock_ms,
                          .ttl_ms = row->ttl_ms,
                          .dup_window_ms = row->dup_window_ms,
                          .idle_ms = row->idle_ms,
                          .max_mb = row->max_mb,
                          .max_message_kb = row->max_message_kb,
                          .max_delivery = row->max_delivery,
                          .dup = (row->flags & ST_ENTITY_DUP) != 0,
                          .session = (row->flags & ST_ENTITY_SESSION) != 0,
                          .dead_letter_expired = (row->flags & ST_ENTITY_DEAD_EXPIRED) != 0,
                          .batched = (row->flags & ST_ENTITY_BATCHED) != 0,
                          .partitioning = (row->flags & ST_ENTITY_PARTITIONED) != 0,
                          .express = (row->flags & ST_ENTITY_EXPRESS) != 0,
                          .status = broker_settings_status(row->status),
                          .forward_to = arena_strdup(a, row->forward_to),
                          .forward_dlq = arena_strdup(a, row->forward_dlq),
                          .user_metadata =
                              metadata.p ? arena_strndup(a, (const char *)metadata.p, metadata.n) : NULL,
                          .created_ms = row->created_ms,
                          .updated_ms = row->updated_ms,
                          .accessed_ms = row->accessed_ms,
                          .size_bytes = row->count.bytes,
                          .active = row->count.active,
                          .dead_letter = row->count.dead_letter,
                          .scheduled = row->count.scheduled};
    if (arena_failed(a))
        rc = sb_fail(err, SB_ENOMEM, "out of memory showing a queue");
out:
    return rc;
}

/* What readers see of an entity now, with texts of its own. Under engine_lock. */
static struct st_entity *snapshot(const struct entity *t)
{
    struct st_entity *row = broker_config_copy(t->cfg);
    if (row) {
        row->id = t->id;
        row->count.active = atomic_load_explicit(&t->shown.active, memory_order_relaxed);
        row->count.dead_letter = atomic_load_explicit(&t->shown.dead_letter, memory_order_relaxed);
        row->count.scheduled = atomic_load_explicit(&t->shown.scheduled, memory_order_relaxed);
        row->count.bytes = atomic_load_explicit(&t->shown.bytes, memory_order_relaxed);
        row->accessed_ms = atomic_load_explicit(&t->shown.accessed_ms, memory_order_relaxed);
    }
    return row;
}

static enum sb_err no_namespace(const char *ns, struct sb_error *err)
{
    return sb_fail(err, SB_ENONAMESPACE, "The namespace '%s' does not exist.", ns);
}

static enum sb_err no_entity(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_EGONE, "The messaging entity '%s' could not be found.", name);
}

static enum sb_err no_memory(struct sb_error *err)
{
    return sb_fail(err, SB_ENOMEM, "out of memory handling a queue");
}

/* ---- create and change ---- */

struct put {
    struct engine *e;
    const struct queue_spec *s;
    const char *sku;
    struct sb_arena *a;
    struct queue *ret;
    bool created;
    struct sb_buf metadata; /* sealed */
    struct entity *fresh;   /* of a new queue */
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
           a->metadata.p == b->metadata.p;
}

/* A rerun starts anew. */
static void put_forget(struct put *p)
{
    broker_entity_free(p->fresh);
    free(p->cfg);
    p->fresh = p->old = NULL;
    p->cfg = NULL;
}

static enum sb_err store_new(struct put *p, struct tx *tx, const struct ns *n, struct st_entity *row,
                             struct sb_error *err)
{
    enum sb_err rc;
    if (n->broker->count >= BROKER_ENTITIES_MAX)
        return sb_fail(err, SB_ELIMIT, "The maximum number of %d queues in namespace '%s' has been reached.",
                       BROKER_ENTITIES_MAX, n->name);
    row->created_ms = row->updated_ms;
    SB_TRY(st_entity_insert(tx, row, &row->id, err));
    p->fresh = broker_entity_new(row);
    if (p->fresh == NULL)
        return no_memory(err);
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
    const struct queue_spec *s = p->s;
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
    struct st_entity row = t ? *t->cfg : broker_settings_default(n, p->sku);
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
    SB_TRY(view(p->e, n->name, &row, p->a, p->ret, err));
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

enum sb_err broker_queue_put(struct engine *e, const struct queue_spec *s, struct sb_arena *a,
                             struct queue *ret, bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct queue q = {0};
    struct put p = {.e = e, .s = s, .a = a, .ret = &q};
    buf_init(&p.metadata, (s->user_metadata ? strlen(s->user_metadata) : 0) + 256);
    SB_TRY(broker_settings_name(s->name, err));
    SB_TRY(ns_by_name(e, s->ns, a, &v, err));
    p.sku = v.sku;
    if (s->user_metadata)
        SB_TRY(seal_metadata(&p, err));
    SB_TRY(store_call_publish(e->sb, put_run, put_publish, &p, err));
    *ret = q;
    *ret_created = p.created;
out:
    put_forget(&p);
    buf_done(&p.metadata);
    return rc;
}

/* ---- show ---- */

enum sb_err broker_queue_get(struct engine *e, const char *ns, const char *name, struct sb_arena *a,
                             struct queue *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_entity *row = NULL;
    char ns_name[NS_NAME_MAX + 1] = "";
    engine_lock(e);
    const struct ns *n = ns_find(e, ns);
    const struct entity *t = n && n->broker ? broker_find(n->broker, name) : NULL;
    if (n == NULL)
        rc = no_namespace(ns, err);
    else if (t == NULL)
        rc = no_entity(name, err);
    else if ((row = snapshot(t)) == NULL)
        rc = no_memory(err);
    if (n)
        (void)text_copy(ns_name, sizeof ns_name, n->name);
    engine_unlock(e);
    if (rc == SB_OK)
        rc = view(e, ns_name, row, a, ret, err);
    free(row);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct entity *const *x = a, *const *y = b;
    return strcasecmp((*x)->cfg->name, (*y)->cfg->name);
}

/* Copies of the rows of a page. Under engine_lock. */
static enum sb_err page(const struct broker_ns *home, size_t skip, size_t top, struct sb_arena *a,
                        struct st_entity ***ret, size_t *ret_n, struct sb_error *err)
{
    size_t all = 0, n = 0;
    struct entity **list = ARENA_ARRAY(a, struct entity *, home->count + 1);
    struct st_entity **rows = ARENA_ARRAY(a, struct st_entity *, SB_MIN(top, home->count) + 1);
    if (list == NULL || rows == NULL)
        return no_memory(err);
    for (size_t i = 0; i < home->slots; i++) {
        for (struct entity *t = home->by_id[i]; t; t = t->id_next)
            list[all++] = t;
    }
    qsort(list, all, sizeof(struct entity *), by_name);
    *ret = rows;
    for (size_t i = skip; i < all && n < top; i++) {
        if ((rows[n] = snapshot(list[i])) == NULL)
            return no_memory(err);
        *ret_n = ++n;
    }
    return SB_OK;
}

enum sb_err broker_queue_list(struct engine *e, const char *ns, size_t skip, size_t top, struct sb_arena *a,
                              struct queue **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct st_entity **rows = NULL;
    size_t n = 0;
    engine_lock(e);
    const struct ns *found = ns_find(e, ns);
    if (found == NULL || found->broker == NULL)
        rc = no_namespace(ns, err);
    else
        rc = page(found->broker, skip, top, a, &rows, &n, err);
    engine_unlock(e);
    struct queue *list = rc == SB_OK ? ARENA_ARRAY(a, struct queue, n + 1) : NULL;
    if (rc == SB_OK && list == NULL)
        rc = no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (rc == SB_OK)
            rc = view(e, ns, rows[i], a, &list[i], err);
        free(rows[i]);
    }
    if (rc == SB_OK) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

/* ---- delete ---- */

struct deletion {
    struct engine *e;
    const char *ns, *name;
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
    struct entity *t = broker_find(n->broker, d->name);
    if (t == NULL)
        return SB_OK;
    SB_TRY(ns_rules_drop_entity(tx, n, t->cfg->name, err));
    SB_TRY(st_entity_delete(tx, t->id, err));
    d->t = t;
out:
    return rc;
}

static void delete_publish(void *arg)
{
    struct deletion *d = arg;
    struct entity *t = d->t;
    if (t) {
        broker_wake_all(&t->wait[ST_SUB_MAIN]); /* they look again, and find that it is gone */
        broker_wake_all(&t->wait[ST_SUB_DEAD]);
        engine_lock(d->e);
        ns_rules_forget_entity(t->home->n, t->cfg->name);
        broker_unlink(t);
        engine_unlock(d->e);
        broker_entity_free(t);
    }
    broker_after(d->e->broker);
}

enum sb_err broker_queue_delete(struct engine *e, const char *ns, const char *name, bool *ret_existed,
                                struct sb_error *err)
{
    struct deletion d = {.e = e, .ns = ns, .name = name};
    enum sb_err rc = store_call_publish(e->sb, delete_run, delete_publish, &d, err);
    if (rc == SB_OK)
        *ret_existed = d.t != NULL;
    return rc;
}

/* ---- the at-rest view ---- */

struct look {
    struct engine *e;
    const char *ns;
    char entity[ENTITY_NAME_MAX + 32];
    bool dlq;
    int64_t seq;
    struct sb_arena *a;
    struct at_rest *ret;
};

static const char *state_name(const struct st_message *m)
{
    static const char *const names[] = {"ready", "locked", "scheduled", "deferred", "damaged"};
    return (size_t)m->state < SB_ARRAY_LEN(names) ? names[m->state] : "unknown";
}

static enum sb_err look_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct look *l = arg;
    struct st_message m;
    struct env_header h = {0};
    bool found = false;
    struct ns *n = ns_find(l->e, l->ns);
    if (n == NULL || n->broker == NULL)
        return no_namespace(l->ns, err);
    const struct entity *t = broker_find(n->broker, l->entity);
    if (t == NULL)
        return no_entity(l->entity, err);
    SB_TRY(st_message_get(tx, st_message_id(t->id, l->seq), l->a, &found, &m, err));
    if (!found || m.sub != (l->dlq ? ST_SUB_DEAD : ST_SUB_MAIN))
        return sb_fail(err, SB_ENOTFOUND, "There is no message %lld in '%s'.", (long long)l->seq, l->entity);
    /* A header that is not ours any more is shown as zeros: the bytes speak for themselves. */
    if (envelope_header(m.blob.p, m.blob.n, &h, NULL) != SB_OK)
        h = (struct env_header){0};
    *l->ret = (struct at_rest){.seq = l->seq,
                               .enqueued_ms = m.enqueued_ms,
                               .size = m.size,
                               .version = h.version,
                               .min_reader = h.min_reader,
                               .flags = h.flags,
                               .generation = h.generation,
                               .delivery_count = m.delivery_count,
                               .state = state_name(&m),
                               .blob = m.blob,
                               .dead_letter = m.dl_blob};
out:
    return rc;
}

enum sb_err broker_at_rest(struct engine *e, const char *ns, const char *entity, int64_t seq,
                           struct sb_arena *a, struct at_rest *ret, struct sb_error *err)
{
    struct look l = {.e = e, .ns = ns, .seq = seq, .a = a, .ret = ret};
    if (!text_copy(l.entity, sizeof l.entity, entity))
        return no_entity("(too long)", err);
    l.dlq = broker_cut_dlq(l.entity);
    if (seq < 0 || seq > ST_SEQ_MAX)
        return sb_fail(err, SB_ENOTFOUND, "There is no message %lld in '%s'.", (long long)seq, l.entity);
    return store_read(e->sb, look_run, &l, err);
}

bool broker_cut_dlq(char *path)
{
    static const char suffix[] = "/$deadletterqueue";
    size_t n = strlen(path), cut = sizeof suffix - 1;
    if (n <= cut || !text_ieq(path + n - cut, suffix))
        return false;
    path[n - cut] = '\0';
    return true;
}
