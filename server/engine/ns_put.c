/*
 * ns_put.c: a namespace becomes what a PUT or PATCH asks for, or stays exactly as it was (semantics 1-6, 15).
 *
 *     turn (ns_claim) -> read -> conditions -> identity -> keys: vault calls, off every lock -> one
 * transaction -> memory
 *
 * What was made on the way (a system-assigned identity) is taken back when a later step fails; what has
 * become useless (the identity that was dropped, wraps that were removed) goes after the commit.
 */
#include "server/engine/ns_put.h"
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/events.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"

struct ns_spec ns_spec(const char *sub, const char *group, const char *name)
{
    return (struct ns_spec){.sub = sub,
                            .group = group,
                            .name = name,
                            .capacity = -1,
                            .partitions = -1,
                            .disable_local_auth = -1,
                            .zone_redundant = -1,
                            .public_access = -1,
                            .infra = -1};
}

/* ---- what is there, what it will be ---- */

static enum sb_err read_state(struct put *c, struct sb_error *err)
{
    enum sb_err rc;
    engine_lock(c->e);
    const struct ns *n = ns_find(c->e, c->s->name);
    int64_t id = n ? n->id : 0;
    bool alias = n == NULL && ns_find_host(c->e, c->s->name) != NULL;
    c->entities = n ? broker_entity_count(n) : 0;
    engine_unlock(c->e);
    c->claimed = id != 0 && ns_claim(c->e, id) ? id : 0;
    engine_lock(c->e);
    n = c->claimed ? ns_find_id(c->e, id) : NULL;
    rc = n ? ns_move_check(c->e, n, err) : SB_OK;
    engine_unlock(c->e);
    SB_TRY(rc);
    SB_TRY(ns_record_get(c->e, 0, c->s->name, c->a, &c->exists, &c->have, err));
    if (!c->exists && c->s->patch)
        return ns_missing(err, c->s->name, c->s->group);
    if (!c->exists) {
        if (ns_check_name(c->s->name, err) != SB_OK)
            return SB_EINVAL;
        if (alias)
            return sb_fail(err, SB_EBADREQUEST, "The specified name is not available.");
    } else if (!text_ieq(c->have.v.sub, c->s->sub) || !text_ieq(c->have.v.group, c->s->group)) {
        /* Names are unique over all of Service Bus; documented text. */
        return c->s->patch ? ns_missing(err, c->s->name, c->s->group)
                           : sb_fail(err, SB_EBADREQUEST, "The specified name is not available.");
    } else if (c->s->location && !text_ieq(c->s->location, c->have.v.location)) {
        return sb_fail(err, SB_ELOCATION,
                       "The resource '%s' already exists in location '%s' in resource group '%s'. A resource "
                       "with the same name cannot be "
                       "created in location '%.64s'. Please select a new resource name.",
                       c->have.v.name, c->have.v.location, c->have.v.group, c->s->location);
    }
out:
    return rc;
}

static int pick(int sent, int otherwise)
{
    return sent >= 0 ? sent : otherwise;
}

/* "Premium" however it was written. */
static const char *sku_name(const char *sku)
{
    static const char *const skus[] = {"Basic", "Standard", "Premium"};
    for (size_t i = 0; i < SB_ARRAY_LEN(skus); i++)
        if (text_ieq(skus[i], sku))
            return skus[i];
    return sku;
}

/* Everything but identities and keys. What a PUT leaves out keeps its value, tags excepted, as in ARM. */
static void plan_view(struct put *c)
{
    const struct ns_spec *s = c->s;
    const struct ns_view *v = &c->have.v;
    struct ns_view n = *v;
    bool fresh = !c->exists;
    if (fresh)
        n = (struct ns_view){.sub = s->sub,
                             .group = s->group,
                             .name = s->name,
                             .location = s->location ? s->location : "",
                             .created_ms = c->now,
                             .sku = "Standard",
                             .public_access = true};
    n.updated_ms = c->now;
    n.sku = s->sku ? sku_name(s->sku) : n.sku;
    bool premium = strcmp(n.sku, "Premium") == 0;
    n.partitions =
        !premium ? 0 : pick(s->partitions > 0 ? s->partitions : -1, n.partitions > 0 ? n.partitions : 1);
    n.capacity = !premium ? 0 : pick(s->capacity, n.capacity > 0 ? n.capacity : n.partitions);
    n.tags = s->tags ? s->tags : (s->patch && v->tags ? v->tags : "{}");
    n.disable_local_auth = pick(s->disable_local_auth, n.disable_local_auth) != 0;
    n.zone_redundant = pick(s->zone_redundant, n.zone_redundant) != 0;
    n.public_access = pick(s->public_access, n.public_access) != 0;
    /* Recorded: "1.0" and "1.1" are answered as "1.2". */
    n.tls = s->tls && strcmp(s->tls, "1.3") == 0 ? "1.3" : s->tls || !n.tls ? "1.2" : n.tls;
    n.extra = s->extra ? s->extra : n.extra;
    n.encrypted = n.encrypted || s->has_encryption;
    if (s->has_encryption && s->infra >= 0)
        n.infra = s->infra != 0;
    if (s->has_identity)
        n.identity = s->identity;
    c->enabling = s->has_encryption && !v->encrypted;
    c->next = n;
}

/* ---- identities ---- */

static enum sb_err resolve_users(struct put *c, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct ns_spec *s = c->s;
    if (!s->has_identity)
        return SB_OK;
    struct ns_uai *list = ARENA_ARRAY(c->a, struct ns_uai, s->uais_n + 1);
    size_t n = 0;
    if (!list)
        return sb_fail(err, SB_ENOMEM, "no memory for the identities");
    for (size_t i = 0; i < s->uais_n && (s->identity & IDENTITY_USER) != 0; i++) {
        struct uai u;
        size_t k = 0;
        while (k < n && !text_ieq(list[k].id, s->uais[i]))
            k++;
        if (k < n)
            continue;
        rc = directory_uai_get(c->e, s->uais[i], c->a, &u, NULL);
        if (rc == SB_ENOTFOUND) /* recorded text, of another resource provider */
            return sb_fail(err, SB_EBADREQUEST,
                           "Identity operation for resource '%.200s' failed with error 'Failed to perform "
                           "resource identity operation. "
                           "Status: 'BadRequest'. Response: "
                           "'{\"error\":{\"code\":\"BadRequest\",\"message\":\"Resource '%.300s' was not "
                           "found.\"}}'.'",
                           ns_resource_id(c->a, c->next.sub, c->next.group, c->next.name), s->uais[i]);
        if (rc != SB_OK)
            return sb_fail(err, rc, "%s", sb_err_text(rc));
        list[n++] = (struct ns_uai){s->uais[i], u.principal_id, u.client_id};
    }
    c->next.uais = list;
    c->next.uais_n = n;
    return rc;
}

/* Gains the system-assigned identity, or plans its end. */
static enum sb_err resolve_system(struct put *c, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool want = (c->next.identity & IDENTITY_SYSTEM) != 0;
    if (want && !c->next.principal_id) {
        const char *id = ns_resource_id(c->a, c->next.sub, c->next.group, c->next.name);
        SB_TRY(directory_system_identity_create(c->e, id, &c->made, err));
        c->has_made = true;
        c->next.principal_id = c->made.oid;
    } else if (!want && c->next.principal_id) {
        c->gone = c->next.principal_id;
        c->next.principal_id = NULL;
    }
out:
    return rc;
}

/* ---- the transaction ---- */

static struct st_ns row_of(const struct put *c)
{
    const struct ns_view *v = &c->next;
    return (struct st_ns){.id = c->id,
                          .name = v->name,
                          .sub = v->sub,
                          .group = v->group,
                          .location = v->location,
                          .tags = v->tags,
                          .sku = v->sku,
                          .capacity = v->capacity,
                          .partitions = v->partitions,
                          .identity = (int)v->identity,
                          .principal = v->principal_id,
                          .encrypted = v->encrypted,
                          .infra = v->infra,
                          .revoked = c->have.v.stored_status == NS_REVOKED && c->exists,
                          .root = c->have.root,
                          .check = c->have.check,
                          .local_auth_off = v->disable_local_auth,
                          .zone_redundant = v->zone_redundant,
                          .public_access = v->public_access,
                          .tls = v->tls,
                          .extra = v->extra,
                          .created_ms = v->created_ms,
                          .updated_ms = v->updated_ms};
}

/* Binds a new root key to the namespace: sealed under the platform key, or (customer keys) by its check value
 * alone. */
static enum sb_err place_root(struct put *c, struct st_ns *row, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_record r = {.v = c->next, .generation = 1};
    char aad[NS_ROOT_AAD_MAX];
    struct sb_buf b;
    buf_init(&b, 256);
    row->root = row->check = (struct sb_blob){0};
    if (c->next.encrypted) {
        SB_TRY(keyring_check_value(c->root, c->id, c->check));
        row->check = (struct sb_blob){c->check, sizeof c->check};
    } else {
        ns_root_aad(c->id, aad);
        SB_TRY(envelope_seal_cmem(c->e->platform, aad, c->root, &b, err));
        row->root = (struct sb_blob){arena_memdup(c->a, b.p, b.n), b.n};
    }
    keyring_free(c->ring); /* of an earlier run of this op */
    c->ring = NULL;
    SB_TRY(ns_make_ring(c->e, &r, c->id, c->root, &c->ring, err));
out:
    buf_done(&b);
    return rc;
}

static enum sb_err run_create(struct put *c, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(st_ns_next_id(tx, &c->id, err));
    c->next.id = c->id;
    struct st_ns row = row_of(c);
    SB_TRY(place_root(c, &row, err));
    SB_TRY(st_ns_insert(tx, &row, err));
    c->birth.ns = c->id;
    SB_TRY(st_ns_rule_put(tx, &c->birth, err));
    ns_free(c->n); /* of an earlier run of this op */
    c->n = ns_new(&c->next);
    if (!c->n)
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    SB_TRY(ns_rules_load(c->n, &c->birth, err));
    SB_TRY(broker_ns_load(c->e, tx, c->n, err));
out:
    return rc;
}

static enum sb_err run_update(struct put *c, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    const struct ns *n = ns_find_id(c->e, c->id);
    if (!n)
        return ns_missing(err, c->s->name, c->s->group);
    /* 1: looked at again here, where no entity can appear any more. */
    c->have.v.role = n->role;
    struct ns_wish w = put_wish(c);
    w.entities = broker_entity_count(n);
    SB_TRY(ns_check_wish(&w, err));
    struct st_ns row = row_of(c);
    if (c->root) {
        SB_TRY(place_root(c, &row, err));
        SB_TRY(st_ns_reserve(tx, c->id, 1, 0, err));
    }
    SB_TRY(st_ns_update(tx, &row, err));
out:
    return rc;
}

static enum sb_err write_lists(struct put *c, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_ns_identity ids[NS_UAIS_MAX];
    struct st_ns_key keys[NS_KEYS_MAX];
    size_t ids_n = SB_MIN(c->next.uais_n, (size_t)NS_UAIS_MAX);
    for (size_t i = 0; i < ids_n; i++)
        ids[i] = (struct st_ns_identity){c->next.uais[i].id, c->next.uais[i].principal_id,
                                         c->next.uais[i].client_id};
    SB_TRY(st_ns_identities_set(tx, c->id, ids, ids_n, err));
    if (c->list_keys) {
        for (size_t i = 0; i < c->pass->n; i++)
            keys[i] = ns_key_row(&c->pass->keys[i]);
        SB_TRY(st_ns_keys_set(tx, c->id, keys, c->pass->n, err));
    }
out:
    return rc;
}

static enum sb_err run_put(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct put *c = arg;
    SB_TRY(c->exists ? run_update(c, tx, err) : run_create(c, tx, err));
    SB_TRY(write_lists(c, tx, err));
    SB_TRY(c->polled ? pass_write(c->pass, tx, err) : pass_write_log(c->pass, tx, err));
out:
    return rc;
}

static enum ns_move move_of(const struct put *c)
{
    if (c->exists)
        return c->have.v.identity == c->next.identity ? MOVE_UPDATE : MOVE_IDENTITY;
    return c->next.encrypted ? MOVE_CREATE_ENCRYPTED : c->next.identity ? MOVE_CREATE_IDENTITY : MOVE_CREATE;
}

/* Memory follows the commit. */
static void publish_put(void *arg)
{
    struct put *c = arg;
    struct engine *e = c->e;
    engine_lock(e);
    struct ns *n = c->exists ? ns_find_id(e, c->id) : c->n;
    if (!c->exists) {
        ns_table_add(e, n);
        c->n = NULL;
    }
    n->premium = strcmp(c->next.sku, "Premium") == 0;
    n->local_auth_disabled = c->next.disable_local_auth;
    ns_move_begin(e, n, move_of(c), c->now);
    if (c->ring) { /* a new root key: just created, or customer keys have been enabled */
        keyring_free(n->ring);
        n->ring = c->ring;
        c->ring = NULL;
        n->encrypted = c->next.encrypted;
        n->status = NS_ACTIVE;
        n->polled = true;
        n->last_poll = n->encrypted ? c->now : 0;
        n->next_poll = c->now + e->cfg.poll_interval_ms;
    }
    engine_unlock(e);
    if (c->polled)
        pass_publish(c->pass);
}

/* ---- the whole ---- */

static enum sb_err commit(struct put *c, struct sb_error *err)
{
    enum sb_err rc;
    c->id = c->exists ? c->have.v.id : 0;
    if (!c->exists) {
        SB_TRY(ns_rules_birth(c->e, c->a, &c->birth, err));
        if (!ns_table_reserve(c->e))
            return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    }
    if (!c->exists && !c->root)
        SB_TRY(cmem_key_random(&c->root, err));
    if (arena_failed(c->a))
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    rc = store_call_publish(c->e->sb, run_put, publish_put, c, err);
    if (rc == SB_ECONFLICT && !c->exists) /* somebody else was quicker */
        rc = sb_fail(err, SB_EBADREQUEST, "The specified name is not available.");
out:
    return rc;
}

struct ns_wish put_wish(const struct put *c)
{
    return (struct ns_wish){.s = c->s,
                            .now = c->exists ? &c->have.v : NULL,
                            .entities = c->entities,
                            .sku = c->next.sku,
                            .identity = c->next.identity,
                            .uais = c->next.uais,
                            .uais_n = c->next.uais_n};
}

static enum sb_err put_claimed(struct put *c, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(read_state(c, err));
    plan_view(c);
    SB_TRY(resolve_users(c, err));
    struct ns_wish w = put_wish(c);
    SB_TRY(ns_check_wish(&w, err));
    SB_TRY(resolve_system(c, err));
    SB_TRY(put_keys(c, err));
    SB_TRY(commit(c, err));
    c->committed = true;
    /* From here on nothing fails the PUT: it has happened. */
    if (c->gone)
        ns_tidied("identity", directory_system_identity_delete(c->e, c->gone, NULL));
    if (c->scrub) /* 15: a wrap that was dropped is gone from the log of the database too */
        ns_tidied("scrub", store_scrub(c->e->sb, NULL));
out:
    if (!c->committed && c->has_made)
        ns_tidied("identity", directory_system_identity_delete(c->e, c->made.oid, NULL));
    return rc;
}

static void put_done(struct put *c)
{
    if (c->claimed)
        ns_release(c->e, c->claimed);
    if (c->pass)
        pass_end(c->pass);
    cmem_key_free(c->root);
    keyring_free(c->ring);
    ns_free(c->n);
}

enum sb_err ns_put(struct engine *e, const struct ns_spec *s, struct sb_arena *a, struct ns_view *ret,
                   bool *ret_created, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_spec spec;
    struct put c = {.e = e, .s = &spec, .a = a, .now = engine_now(e)};
    c.pass = ARENA_NEW(a, struct pass);
    if (!c.pass)
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    SB_TRY(put_normal(s, a, &spec, err));
    pthread_mutex_lock(&e->arm);
    rc = put_claimed(&c, err);
    pthread_mutex_unlock(&e->arm);
    put_done(&c);
    if (rc != SB_OK)
        goto out;
    timeline_poke(e);
    SB_TRY(ns_by_name(e, s->name, a, ret, err));
    *ret_created = !c.exists;
out:
    return rc;
}
