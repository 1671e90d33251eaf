/*
 * st_namespace.c: SQL of namespaces, their identities, customer keys and authorization rules.
 */
#include "storage/st_namespace.h"
#include "storage/stmt.h"

/* ---- namespaces ---- */

static void read_ns(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_ns *r = row;
    r->id = stmt_i64(s, 0);
    r->name = stmt_text(s, 1, a);
    r->sub = stmt_text(s, 2, a);
    r->group = stmt_text(s, 3, a);
    r->location = stmt_text(s, 4, a);
    r->tags = stmt_text(s, 5, a);
    r->sku = stmt_text(s, 6, a);
    r->capacity = (int)stmt_i64(s, 7);
    r->partitions = (int)stmt_i64(s, 8);
    r->identity = (int)stmt_i64(s, 9);
    r->principal = stmt_text(s, 10, a);
    r->encrypted = stmt_i64(s, 11) != 0;
    r->infra = stmt_i64(s, 12) != 0;
    r->revoked = stmt_i64(s, 13) != 0;
    r->root = stmt_blob(s, 14, a);
    r->check = stmt_blob(s, 15, a);
    r->generation = (uint32_t)stmt_i64(s, 16);
    r->reserved = stmt_i64(s, 17);
    r->local_auth_off = stmt_i64(s, 18) != 0;
    r->zone_redundant = stmt_i64(s, 19) != 0;
    r->public_access = stmt_i64(s, 20) != 0;
    r->tls = stmt_text(s, 21, a);
    r->extra = stmt_text(s, 22, a);
    r->created_ms = stmt_i64(s, 23);
    r->updated_ms = stmt_i64(s, 24);
    r->deleting_ms = stmt_i64(s, 25);
}

static void bind_ns(struct stmt *s, const struct st_ns *r)
{
    stmt_bind_i64(s, 1, r->id);
    stmt_bind_text(s, 2, r->name);
    stmt_bind_text(s, 3, r->sub);
    stmt_bind_text(s, 4, r->group);
    stmt_bind_text(s, 5, r->location);
    stmt_bind_text(s, 6, r->tags);
    stmt_bind_text(s, 7, r->sku);
    stmt_bind_i64(s, 8, r->capacity);
    stmt_bind_i64(s, 9, r->partitions);
    stmt_bind_i64(s, 10, r->identity);
    stmt_bind_text(s, 11, r->principal);
    stmt_bind_i64(s, 12, r->encrypted);
    stmt_bind_i64(s, 13, r->infra);
    stmt_bind_i64(s, 14, r->revoked);
    stmt_bind_blob(s, 15, r->root.p, r->root.n);
    stmt_bind_blob(s, 16, r->check.p, r->check.n);
    stmt_bind_i64(s, 17, r->local_auth_off);
    stmt_bind_i64(s, 18, r->zone_redundant);
    stmt_bind_i64(s, 19, r->public_access);
    stmt_bind_text(s, 20, r->tls);
    stmt_bind_text(s, 21, r->extra);
    stmt_bind_i64(s, 22, r->created_ms);
    stmt_bind_i64(s, 23, r->updated_ms);
}

enum sb_err st_ns_each(struct tx *tx, struct sb_arena *a,
                       enum sb_err (*f)(const struct st_ns *row, void *arg, struct sb_error *err), void *arg,
                       struct sb_error *err)
{
    enum sb_err rc;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_ALL);
    bool more;
    for (;;) {
        struct st_ns row;
        SB_TRY(stmt_row(&s, &more, err));
        if (!more)
            break;
        read_ns(&s, a, &row);
        if (arena_failed(a))
            return sb_fail(err, SB_ENOMEM, "no memory for the namespaces");
        SB_TRY(f(&row, arg, err));
    }
out:
    return rc;
}

enum sb_err st_ns_get(struct tx *tx, const char *name, struct sb_arena *a, bool *ret_found, struct st_ns *ret,
                      struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_BY_NAME);
    stmt_bind_text(&s, 1, name);
    return stmt_one(&s, read_ns, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_ns_get_id(struct tx *tx, int64_t id, struct sb_arena *a, bool *ret_found, struct st_ns *ret,
                         struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_BY_ID);
    stmt_bind_i64(&s, 1, id);
    return stmt_one(&s, read_ns, sizeof *ret, a, ret_found, ret, err);
}

static void read_id(struct stmt *s, struct sb_arena *a, void *row)
{
    int64_t *id = row;
    SB_UNUSED(a);
    *id = stmt_i64(s, 0);
}

enum sb_err st_ns_ids(struct tx *tx, const char *sub, const char *group, struct sb_arena *a, int64_t **ret,
                      size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_IDS);
    stmt_bind_text(&s, 1, sub);
    stmt_bind_text(&s, 2, group);
    return stmt_all(&s, read_id, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_ns_next_id(struct tx *tx, int64_t *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_NEXT_ID);
    return stmt_number(&s, 1, ret, err);
}

enum sb_err st_ns_insert(struct tx *tx, const struct st_ns *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_INSERT);
    bind_ns(&s, row);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_update(struct tx *tx, const struct st_ns *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_UPDATE);
    bind_ns(&s, row);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_set_deleting(struct tx *tx, int64_t id, int64_t until_ms, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_SET_DELETING);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, until_ms);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_set_revoked(struct tx *tx, int64_t id, bool revoked, int64_t updated_ms,
                              struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_SET_REVOKED);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, revoked);
    stmt_bind_i64(&s, 3, updated_ms);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_reserve(struct tx *tx, int64_t id, uint32_t generation, int64_t reserved,
                          struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RESERVE);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, generation);
    stmt_bind_i64(&s, 3, reserved);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_reserved(struct tx *tx, int64_t id, bool *ret_found, uint32_t *ret_generation,
                           int64_t *ret_reserved, struct sb_error *err)
{
    enum sb_err rc;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RESERVED);
    bool found;
    stmt_bind_i64(&s, 1, id);
    SB_TRY(stmt_row(&s, &found, err));
    if (found) {
        *ret_generation = (uint32_t)stmt_i64(&s, 0);
        *ret_reserved = stmt_i64(&s, 1);
    }
    *ret_found = found;
out:
    return rc;
}

enum sb_err st_ns_delete(struct tx *tx, int64_t id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_DELETE);
    stmt_bind_i64(&s, 1, id);
    return stmt_exec(&s, err);
}

/* ---- identities ---- */

static void read_identity(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_ns_identity *r = row;
    r->id = stmt_text(s, 0, a);
    r->principal = stmt_text(s, 1, a);
    r->client = stmt_text(s, 2, a);
}

enum sb_err st_ns_identities(struct tx *tx, int64_t ns, struct sb_arena *a, struct st_ns_identity **ret,
                             size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_IDENTITIES);
    stmt_bind_i64(&s, 1, ns);
    return stmt_all(&s, read_identity, sizeof **ret, a, ret, ret_n, err);
}

static enum sb_err drop(struct tx *tx, int id, int64_t ns, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, id);
    stmt_bind_i64(&s, 1, ns);
    return stmt_exec(&s, err);
}

static enum sb_err add_identity(struct tx *tx, int64_t ns, int position, const struct st_ns_identity *row,
                                struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_IDENTITY_ADD);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_i64(&s, 2, position);
    stmt_bind_text(&s, 3, row->id);
    stmt_bind_text(&s, 4, row->principal);
    stmt_bind_text(&s, 5, row->client);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_identities_set(struct tx *tx, int64_t ns, const struct st_ns_identity *rows, size_t n,
                                 struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(drop(tx, SB_NS_IDENTITIES_DROP, ns, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(add_identity(tx, ns, (int)i, &rows[i], err));
out:
    return rc;
}

/* ---- customer keys ---- */

static void read_key(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_ns_key *r = row;
    r->position = (int)stmt_i64(s, 0);
    r->key_name = stmt_text(s, 1, a);
    r->vault_uri = stmt_text(s, 2, a);
    r->vault = stmt_text(s, 3, a);
    r->version = stmt_text(s, 4, a);
    r->identity = stmt_text(s, 5, a);
    r->wrapped_version = stmt_text(s, 6, a);
    r->wrapped = stmt_blob(s, 7, a);
    r->state = (int)stmt_i64(s, 8);
    r->code = (int)stmt_i64(s, 9);
    r->message = stmt_text(s, 10, a);
    r->since_ms = stmt_i64(s, 11);
}

enum sb_err st_ns_keys(struct tx *tx, int64_t ns, struct sb_arena *a, struct st_ns_key **ret, size_t *ret_n,
                       struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_KEYS);
    stmt_bind_i64(&s, 1, ns);
    return stmt_all(&s, read_key, sizeof **ret, a, ret, ret_n, err);
}

static enum sb_err add_key(struct tx *tx, int64_t ns, int position, const struct st_ns_key *r,
                           struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_KEY_ADD);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_i64(&s, 2, position);
    stmt_bind_text(&s, 3, r->key_name);
    stmt_bind_text(&s, 4, r->vault_uri);
    stmt_bind_text(&s, 5, r->vault);
    stmt_bind_text(&s, 6, r->version);
    stmt_bind_text(&s, 7, r->identity);
    stmt_bind_text(&s, 8, r->wrapped_version);
    stmt_bind_blob(&s, 9, r->wrapped.p, r->wrapped.n);
    stmt_bind_i64(&s, 10, r->state);
    stmt_bind_i64(&s, 11, r->code);
    stmt_bind_text(&s, 12, r->message);
    stmt_bind_i64(&s, 13, r->since_ms);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_keys_set(struct tx *tx, int64_t ns, const struct st_ns_key *rows, size_t n,
                           struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(drop(tx, SB_NS_KEYS_DROP, ns, err));
    for (size_t i = 0; i < n; i++)
        SB_TRY(add_key(tx, ns, (int)i, &rows[i], err));
out:
    return rc;
}

enum sb_err st_ns_key_update(struct tx *tx, int64_t ns, const struct st_ns_key *r, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_KEY_UPDATE);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_i64(&s, 2, r->position);
    stmt_bind_text(&s, 3, r->wrapped_version);
    stmt_bind_blob(&s, 4, r->wrapped.p, r->wrapped.n);
    stmt_bind_i64(&s, 5, r->state);
    stmt_bind_i64(&s, 6, r->code);
    stmt_bind_text(&s, 7, r->message);
    stmt_bind_i64(&s, 8, r->since_ms);
    return stmt_exec(&s, err);
}

/* ---- authorization rules ---- */

enum sb_err st_ns_rule_put(struct tx *tx, const struct st_ns_rule *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RULE_PUT);
    stmt_bind_i64(&s, 1, row->ns);
    stmt_bind_text(&s, 2, row->entity);
    stmt_bind_text(&s, 3, row->name);
    stmt_bind_i64(&s, 4, row->rights);
    stmt_bind_blob(&s, 5, row->keys.p, row->keys.n);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_rule_delete(struct tx *tx, int64_t ns, const char *entity, const char *name,
                              struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RULE_DELETE);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_text(&s, 2, entity);
    stmt_bind_text(&s, 3, name);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_rules_drop(struct tx *tx, int64_t ns, const char *entity, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RULES_DROP);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_text(&s, 2, entity);
    return stmt_exec(&s, err);
}

enum sb_err st_ns_rules_each(struct tx *tx, struct sb_arena *a,
                             enum sb_err (*f)(const struct st_ns_rule *row, void *arg, struct sb_error *err),
                             void *arg, struct sb_error *err)
{
    enum sb_err rc;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_NS_RULES);
    bool more;
    for (;;) {
        struct st_ns_rule row;
        SB_TRY(stmt_row(&s, &more, err));
        if (!more)
            break;
        row.ns = stmt_i64(&s, 0);
        row.entity = stmt_text(&s, 1, a);
        row.name = stmt_text(&s, 2, a);
        row.rights = (unsigned)stmt_i64(&s, 3);
        row.keys = stmt_blob(&s, 4, a);
        if (arena_failed(a))
            return sb_fail(err, SB_ENOMEM, "no memory for the authorization rules");
        SB_TRY(f(&row, arg, err));
    }
out:
    return rc;
}
