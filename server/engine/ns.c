/*
 * ns.c: namespaces as stored: reading their records, their root keys, and loading all of them at the start.
 */
#include "crypto/envelope.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/ns_priv.h"
#include "storage/st_alias.h"

#define INFRA_LABEL "infra"

/* ---- records ---- */

void ns_tidied(const char *what, enum sb_err rc)
{
    if (rc != SB_OK)
        log_event(LOG_WARN, "tidy.failed", "what", what, "code", sb_err_name(rc), NULL);
}

const char *ns_resource_id(struct sb_arena *a, const char *sub, const char *group, const char *name)
{
    return arena_printf(a, "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.ServiceBus/namespaces/%s",
                        sub, group, name);
}

enum sb_err ns_missing(struct sb_error *err, const char *name, const char *group)
{
    return sb_fail(err, SB_ENOTFOUND,
                   "The Resource 'Microsoft.ServiceBus/namespaces/%.64s' under resource group '%.90s' was "
                   "not found. For more details "
                   "please go to https://aka.ms/ARMResourceNotFoundFix",
                   name, group);
}

static struct nskey key_of_row(const struct st_ns_key *r)
{
    static const enum nskey_state states[] = {[ST_KEY_ACTIVE] = NSKEY_ACTIVE,
                                              [ST_KEY_REVOKED] = NSKEY_REVOKED,
                                              [ST_KEY_UNREACHABLE] = NSKEY_UNREACHABLE};
    return (struct nskey){.position = r->position,
                          .key_name = r->key_name,
                          .vault_uri = r->vault_uri,
                          .vault = r->vault,
                          .version = r->version,
                          .identity = r->identity,
                          .wrapped_version = r->wrapped_version,
                          .wrapped = r->wrapped,
                          .state = states[r->state],
                          .code = r->code,
                          .message = r->message,
                          .since_ms = r->since_ms};
}

struct st_ns_key ns_key_row(const struct nskey *k)
{
    static const int states[] = {[NSKEY_ACTIVE] = ST_KEY_ACTIVE,
                                 [NSKEY_REVOKED] = ST_KEY_REVOKED,
                                 [NSKEY_UNREACHABLE] = ST_KEY_UNREACHABLE};
    return (struct st_ns_key){.position = k->position,
                              .key_name = k->key_name,
                              .vault_uri = k->vault_uri,
                              .vault = k->vault,
                              .version = k->version,
                              .identity = k->identity,
                              .wrapped_version = k->wrapped_version,
                              .wrapped = k->wrapped,
                              .state = states[k->state],
                              .code = k->code,
                              .message = k->message ? k->message : "",
                              .since_ms = k->since_ms};
}

static void view_of_row(const struct st_ns *r, struct ns_view *v)
{
    enum ns_status stored = r->revoked ? NS_REVOKED : NS_ACTIVE;
    *v = (struct ns_view){.id = r->id,
                          .sub = r->sub,
                          .group = r->group,
                          .name = r->name,
                          .location = r->location,
                          .tags = r->tags,
                          .sku = r->sku,
                          .capacity = r->capacity,
                          .partitions = r->partitions,
                          .identity = (enum identity_type)r->identity,
                          .principal_id = r->principal,
                          .encrypted = r->encrypted,
                          .infra = r->infra,
                          .status = stored,
                          .stored_status = stored,
                          .disable_local_auth = r->local_auth_off,
                          .zone_redundant = r->zone_redundant,
                          .public_access = r->public_access,
                          .tls = r->tls,
                          .extra = r->extra,
                          .created_ms = r->created_ms,
                          .updated_ms = r->updated_ms};
}

/* Identities and keys of a record whose own row has been read. */
static enum sb_err read_rest(struct tx *tx, struct sb_arena *a, struct ns_view *v, struct sb_error *err)
{
    enum sb_err rc;
    struct st_ns_identity *ids;
    struct st_ns_key *keys;
    size_t ids_n, keys_n;
    SB_TRY(st_ns_identities(tx, v->id, a, &ids, &ids_n, err));
    SB_TRY(st_ns_keys(tx, v->id, a, &keys, &keys_n, err));
    struct ns_uai *uais = ARENA_ARRAY(a, struct ns_uai, ids_n + 1);
    struct nskey *list = ARENA_ARRAY(a, struct nskey, keys_n + 1);
    if (!uais || !list)
        return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
    for (size_t i = 0; i < ids_n; i++)
        uais[i] = (struct ns_uai){ids[i].id, ids[i].principal, ids[i].client};
    for (size_t i = 0; i < keys_n; i++)
        list[i] = key_of_row(&keys[i]);
    v->uais = uais;
    v->uais_n = ids_n;
    v->keys = list;
    v->keys_n = keys_n;
out:
    return rc;
}

enum sb_err ns_record_read(struct tx *tx, int64_t id, const char *name, struct sb_arena *a, bool *ret_found,
                           struct ns_record *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct st_ns row;
    bool found;
    if (id != 0)
        SB_TRY(st_ns_get_id(tx, id, a, &found, &row, err));
    else
        SB_TRY(st_ns_get(tx, name, a, &found, &row, err));
    if (found) {
        struct ns_record r = {.root = row.root,
                              .check = row.check,
                              .generation = row.generation,
                              .reserved = (uint64_t)row.reserved};
        view_of_row(&row, &r.v);
        SB_TRY(read_rest(tx, a, &r.v, err));
        if (arena_failed(a))
            return sb_fail(err, SB_ENOMEM, "no memory for a namespace");
        *ret = r;
    }
    *ret_found = found;
out:
    return rc;
}

struct record_call {
    int64_t id;
    const char *name;
    struct sb_arena *a;
    bool found;
    struct ns_record r;
};

static enum sb_err run_record(struct tx *tx, void *arg, struct sb_error *err)
{
    struct record_call *c = arg;
    return ns_record_read(tx, c->id, c->name, c->a, &c->found, &c->r, err);
}

/* What only memory knows of a namespace. */
static void overlay(struct engine *e, struct sb_arena *a, struct ns_view *v)
{
    engine_lock(e);
    const struct ns *n = ns_find_id(e, v->id);
    if (n) {
        v->move = ns_move_now(e, n);
        v->move_late = engine_now(e) - n->move_from > (n->move_until - n->move_from) / 2;
    }
    if (n && n->role != PAIR_NONE) {
        const struct ns *partner = n->partner ? ns_find_id(e, n->partner) : NULL;
        v->role = n->role;
        v->alias = arena_strdup(a, n->alias);
        v->partner = partner ? arena_strdup(a, partner->name) : NULL;
    }
    if (n && n->encrypted) {
        v->last_poll_ms = n->last_poll;
        v->next_poll_ms = n->next_poll;
        if (n->polled)
            v->status = n->status;
    }
    engine_unlock(e);
}

enum sb_err ns_record_get(struct engine *e, int64_t id, const char *name, struct sb_arena *a, bool *ret_found,
                          struct ns_record *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct record_call c = {.id = id, .name = name, .a = a};
    SB_TRY(store_read(e->sb, run_record, &c, err));
    if (c.found) {
        overlay(e, a, &c.r.v);
        *ret = c.r;
    }
    *ret_found = c.found;
out:
    return rc;
}

enum sb_err ns_by_name(struct engine *e, const char *name, struct sb_arena *a, struct ns_view *ret,
                       struct sb_error *err)
{
    enum sb_err rc;
    struct ns_record r;
    bool found;
    SB_TRY(ns_record_get(e, 0, name, a, &found, &r, err));
    if (!found)
        return sb_fail(err, SB_ENONAMESPACE, "The namespace '%.64s' does not exist.", name);
    *ret = r.v;
out:
    return rc;
}

enum sb_err ns_get(struct engine *e, const char *sub, const char *group, const char *name, struct sb_arena *a,
                   struct ns_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_record r;
    bool found;
    SB_TRY(ns_record_get(e, 0, name, a, &found, &r, err));
    if (!found || !text_ieq(r.v.sub, sub) || !text_ieq(r.v.group, group))
        return ns_missing(err, name, group);
    *ret = r.v;
out:
    return rc;
}

struct list_call {
    struct engine *e;
    const char *sub, *group;
    struct sb_arena *a;
    struct ns_view *views;
    size_t n;
};

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct list_call *c = arg;
    int64_t *ids;
    size_t n;
    SB_TRY(st_ns_ids(tx, c->sub, c->group, c->a, &ids, &n, err));
    c->views = ARENA_ARRAY(c->a, struct ns_view, n + 1);
    if (!c->views)
        return sb_fail(err, SB_ENOMEM, "no memory for the list of namespaces");
    for (c->n = 0; c->n < n; c->n++) {
        struct ns_record r;
        bool found;
        SB_TRY(ns_record_read(tx, ids[c->n], NULL, c->a, &found, &r, err));
        if (found)
            c->views[c->n] = r.v;
    }
out:
    return rc;
}

enum sb_err ns_list(struct engine *e, const char *sub, const char *group, struct sb_arena *a,
                    struct ns_view **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list_call c = {.e = e, .sub = sub, .group = group, .a = a};
    SB_TRY(store_read(e->sb, run_list, &c, err));
    for (size_t i = 0; i < c.n; i++)
        overlay(e, a, &c.views[i]);
    *ret = c.views;
    *ret_n = c.n;
out:
    return rc;
}

enum sb_err ns_require_writable(struct engine *e, const char *sub, const char *group, const char *name,
                                struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(ns_wait_polled(e, name, NS_POLL_WAIT_MS, err));
    engine_lock(e);
    const struct ns *n = ns_find(e, name);
    if (!n || !text_ieq(n->sub, sub) || !text_ieq(n->group, group))
        rc = ns_missing(err, name, group);
    else if (n->status == NS_REVOKED) /* 17 */
        rc =
            sb_fail(err, SB_EREVOKED,
                    "The namespace '%s' is disabled because the encryption key is no longer valid.", n->name);
    else if (n->status == NS_UNREACHABLE) /* 13 */
        rc = sb_fail(err, SB_EUNREACHABLE,
                     "None of the customer-managed keys of namespace '%s' can be reached at present.",
                     n->name);
    else if (n->role == PAIR_SECONDARY) /* documented */
        rc = sb_fail(err, SB_ESECONDARY,
                     "Invalid operation on the Secondary namespace. Secondary namespace is read-only.");
    else
        rc = ns_move_check(e, n, err);
    engine_unlock(e);
out:
    return rc;
}

/* ---- keys ---- */

const char *ns_key_oid(const struct ns_view *v, const struct nskey *k)
{
    if (!k->identity)
        return v->principal_id;
    for (size_t i = 0; i < v->uais_n; i++)
        if (text_ieq(v->uais[i].id, k->identity))
            return v->uais[i].principal_id;
    return NULL;
}

enum sb_err ns_key_principal(struct engine *e, const struct ns_view *v, const struct nskey *k,
                             bool *ret_found, struct principal *ret, struct sb_error *err)
{
    const char *oid = ns_key_oid(v, k);
    if (oid)
        return directory_principal(e, oid, ret_found, ret, err);
    *ret_found = false;
    return SB_OK;
}

/* Semantics 19: the second layer's key comes from the platform key. */
static enum sb_err infra_key(struct engine *e, int64_t id, struct cmem_key **ret, struct sb_error *err)
{
    uint8_t info[8];
    be_put_u64(info, (uint64_t)id);
    return cmem_key_derive(e->platform, INFRA_LABEL, info, sizeof info, ret, err);
}

enum sb_err ns_make_ring(struct engine *e, const struct ns_record *r, int64_t id, const struct cmem_key *root,
                         struct keyring **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct cmem_key *infra = NULL;
    if (r->v.infra)
        SB_TRY(infra_key(e, id, &infra, err));
    SB_TRY(keyring_new(root, id, infra, r->generation, r->reserved, ret, err));
out:
    cmem_key_free(infra);
    return rc;
}

struct root_call {
    struct engine *e;
    int64_t id;
    struct cmem_key *root;
};

static enum sb_err run_root(struct tx *tx, void *arg, struct sb_error *err)
{
    struct root_call *c = arg;
    SB_UNUSED(tx);
    const struct ns *n = ns_find_id(c->e, c->id);
    cmem_key_free(c->root); /* of an earlier run of this op */
    c->root = NULL;
    return n && n->ring ? keyring_root(n->ring, &c->root, err) : SB_OK;
}

enum sb_err ns_root(struct engine *e, int64_t id, struct cmem_key **ret, struct sb_error *err)
{
    /* Keyrings are the sb thread's own, so the copy is made there. */
    struct root_call c = {.e = e, .id = id};
    enum sb_err rc = store_read(e->sb, run_root, &c, err);
    if (rc == SB_OK)
        *ret = c.root;
    else
        cmem_key_free(c.root);
    return rc;
}

/* ---- opening ---- */

struct load {
    struct engine *e;
    struct sb_arena *a;
    struct tx *tx;
};

/* A plain namespace's root key, from under the platform key (semantics 6). */
static enum sb_err open_plain(struct engine *e, const struct ns_record *r, struct ns *n, struct sb_error *err)
{
    enum sb_err rc;
    struct cmem_key *root = NULL;
    char aad[NS_ROOT_AAD_MAX];
    ns_root_aad(n->id, aad);
    SB_TRY(envelope_open_cmem(e->platform, aad, r->root.p, r->root.n, &root, err));
    SB_TRY(ns_make_ring(e, r, n->id, root, &n->ring, err));
    n->status = NS_ACTIVE;
    n->polled = true;
out:
    cmem_key_free(root);
    return rc;
}

static enum sb_err load_one(const struct st_ns *row, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct load *l = arg;
    struct ns_record r = {
        .root = row->root, .generation = row->generation, .reserved = (uint64_t)row->reserved};
    view_of_row(row, &r.v);
    struct ns *n = ns_new(&r.v);
    if (!n || !ns_table_reserve(l->e)) {
        ns_free(n);
        return sb_fail(err, SB_ENOMEM, "no memory for the namespaces");
    }
    /* In the table from the start, so that ns_close frees it whatever happens. */
    ns_table_add(l->e, n);
    if (!n->encrypted)
        SB_TRY(open_plain(l->e, &r, n, err));
    else /* 13: polled by poller_start_first, before it serves; the timeline comes later */
        n->next_poll = engine_now(l->e) + l->e->cfg.poll_interval_ms;
    if (row->deleting_ms) {
        n->move = MOVE_DELETE;
        n->move_until = row->deleting_ms;
        atomic_fetch_add(&l->e->deleting, 1);
    } else {
        ns_move_resume(l->e, n, row);
    }
    SB_TRY(broker_ns_load(l->e, l->tx, n, err));
out:
    return rc;
}

static enum sb_err load_rule(const struct st_ns_rule *row, void *arg, struct sb_error *err)
{
    struct load *l = arg;
    struct ns *n = ns_find_id(l->e, row->ns);
    return n ? ns_rules_load(n, row, err) : SB_OK;
}

static enum sb_err load_alias(const struct st_alias *row, void *arg, struct sb_error *err)
{
    struct load *l = arg;
    struct ns *n = ns_find_id(l->e, row->ns);
    if (n == NULL || !text_copy(n->alias, sizeof n->alias, row->name))
        return sb_fail(err, SB_EINTERNAL, "the alias '%.60s' belongs to no namespace", row->name);
    n->role = (enum pair_role)row->role;
    n->partner = row->partner;
    n->unmirrored = n->role == PAIR_PRIMARY; /* it may have ended before it had told the secondary */
    return SB_OK;
}

static enum sb_err run_load(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct load *l = arg;
    l->tx = tx;
    SB_TRY(st_ns_each(tx, l->a, load_one, l, err));
    SB_TRY(st_ns_rules_each(tx, l->a, load_rule, l, err));
    SB_TRY(st_alias_each(tx, l->a, load_alias, l, err));
out:
    return rc;
}

enum sb_err ns_open(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct load l = {.e = e, .a = arena_new(NS_ARENA_MAX)};
    if (!l.a)
        return sb_fail(err, SB_ENOMEM, "no memory for the namespaces");
    SB_TRY(ns_table_open(e, err));
    SB_TRY(store_read(e->sb, run_load, &l, err));
out:
    arena_free(l.a);
    return rc;
}
