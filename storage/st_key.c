/*
 * st_key.c: SQL of keys and their versions.
 */
#include "storage/st_key.h"
#include "storage/stmt.h"

static void read_head(struct stmt *s, struct sb_arena *a, struct st_key *k)
{
    *k = (struct st_key){.key_id = stmt_i64(s, 0),
                         .vault_id = stmt_i64(s, 1),
                         .name = stmt_text(s, 2, a),
                         .deleted = stmt_i64(s, 3),
                         .purge = stmt_i64(s, 4)};
}

/* In the order of KV_VERSION_COLUMNS. */
static void read_version(struct stmt *s, struct sb_arena *a, struct st_key *k)
{
    read_head(s, a, k);
    k->version_id = stmt_i64(s, 5);
    k->version = stmt_text(s, 6, a);
    k->kty = stmt_text(s, 7, a);
    k->curve = stmt_text(s, 8, a);
    k->n = stmt_blob(s, 9, a);
    k->e = stmt_blob(s, 10, a);
    k->x = stmt_blob(s, 11, a);
    k->y = stmt_blob(s, 12, a);
    k->key_ops = stmt_text(s, 13, a);
    k->enabled = stmt_i64(s, 14) != 0;
    k->nbf = stmt_i64(s, 15);
    k->exp = stmt_i64(s, 16);
    k->created = stmt_i64(s, 17);
    k->updated = stmt_i64(s, 18);
    k->tags = stmt_text(s, 19, a);
    k->sealed = stmt_blob(s, 20, a);
}

enum sb_err st_key_find(struct tx *tx, int64_t vault_id, const char *name, struct sb_arena *a,
                        bool *ret_found, struct st_key *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_FIND);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_text(&s, 2, name);
    SB_TRY(stmt_row(&s, &row, err));
    if (row) {
        struct st_key k;
        read_head(&s, a, &k);
        SB_TRY(stmt_exec(&s, err));
        *ret = k;
    }
    *ret_found = row;
out:
    return rc;
}

/* Runs an INSERT … RETURNING id. */
static enum sb_err insert_id(struct stmt *s, int64_t *ret_id, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    SB_TRY(stmt_row(s, &row, err));
    int64_t id = stmt_i64(s, 0);
    SB_TRY(stmt_exec(s, err));
    *ret_id = id;
out:
    return rc;
}

enum sb_err st_key_insert(struct tx *tx, int64_t vault_id, const char *name, int64_t *ret_key_id,
                          struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_INSERT);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_text(&s, 2, name);
    return insert_id(&s, ret_key_id, err);
}

enum sb_err st_key_set_deleted(struct tx *tx, int64_t key_id, int64_t deleted, int64_t purge,
                               struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_SET_DELETED);
    stmt_bind_i64(&s, 1, key_id);
    stmt_bind_i64(&s, 2, deleted);
    stmt_bind_i64(&s, 3, purge);
    return stmt_exec(&s, err);
}

enum sb_err st_key_remove(struct tx *tx, int64_t key_id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_DELETE);
    stmt_bind_i64(&s, 1, key_id);
    return stmt_exec(&s, err);
}

enum sb_err st_key_add_version(struct tx *tx, const struct st_key *k, int64_t *ret_version_id,
                               struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_INSERT);
    stmt_bind_i64(&s, 1, k->key_id);
    stmt_bind_text(&s, 2, k->version);
    stmt_bind_text(&s, 3, k->kty);
    stmt_bind_text(&s, 4, k->curve);
    stmt_bind_blob(&s, 5, k->n.p, k->n.n);
    stmt_bind_blob(&s, 6, k->e.p, k->e.n);
    stmt_bind_blob(&s, 7, k->x.p, k->x.n);
    stmt_bind_blob(&s, 8, k->y.p, k->y.n);
    stmt_bind_text(&s, 9, k->key_ops);
    stmt_bind_i64(&s, 10, k->enabled);
    stmt_bind_i64(&s, 11, k->nbf);
    stmt_bind_i64(&s, 12, k->exp);
    stmt_bind_i64(&s, 13, k->created);
    stmt_bind_i64(&s, 14, k->updated);
    stmt_bind_text(&s, 15, k->tags);
    stmt_bind_blob(&s, 16, k->sealed.p, k->sealed.n);
    return insert_id(&s, ret_version_id, err);
}

enum sb_err st_key_update_version(struct tx *tx, const struct st_key *k, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_UPDATE);
    stmt_bind_i64(&s, 1, k->version_id);
    stmt_bind_text(&s, 2, k->key_ops);
    stmt_bind_i64(&s, 3, k->enabled);
    stmt_bind_i64(&s, 4, k->nbf);
    stmt_bind_i64(&s, 5, k->exp);
    stmt_bind_i64(&s, 6, k->updated);
    stmt_bind_text(&s, 7, k->tags);
    return stmt_exec(&s, err);
}

enum sb_err st_key_version(struct tx *tx, int64_t vault_id, const char *name, enum st_key_which which,
                           const char *version, int64_t now, struct sb_arena *a, bool *ret_found,
                           struct st_key *ret, struct sb_error *err)
{
    static const int statement[] = {[ST_KEY_EXACT] = KV_VERSION_GET,
                                    [ST_KEY_NEWEST] = KV_VERSION_NEWEST,
                                    [ST_KEY_CURRENT] = KV_VERSION_CURRENT};
    enum sb_err rc;
    bool row = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, statement[which]);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_text(&s, 2, name);
    if (which == ST_KEY_EXACT)
        stmt_bind_text(&s, 3, version);
    if (which == ST_KEY_CURRENT)
        stmt_bind_i64(&s, 3, now);
    SB_TRY(stmt_row(&s, &row, err));
    if (row) {
        struct st_key k;
        read_version(&s, a, &k);
        SB_TRY(stmt_exec(&s, err));
        *ret = k;
    }
    *ret_found = row;
out:
    return rc;
}

/* Reads at most max rows of a bound statement. */
static enum sb_err read_list(struct stmt *s, size_t max, struct sb_arena *a, struct st_key **ret,
                             size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = 0;
    bool row = false;
    struct st_key *k = ARENA_ARRAY(a, struct st_key, max + 1);
    if (k == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(stmt_row(s, &row, err));
    while (row && n < max) {
        read_version(s, a, &k[n++]);
        SB_TRY(stmt_row(s, &row, err));
    }
    *ret = k;
    *ret_n = n;
out:
    return rc;
}

enum sb_err st_key_list(struct tx *tx, int64_t vault_id, bool deleted, size_t offset, size_t max,
                        struct sb_arena *a, struct st_key **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_LIST);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_i64(&s, 2, deleted);
    stmt_bind_i64(&s, 3, (int64_t)offset);
    stmt_bind_i64(&s, 4, (int64_t)max);
    return read_list(&s, max, a, ret, ret_n, err);
}

enum sb_err st_key_versions(struct tx *tx, int64_t vault_id, const char *name, size_t offset, size_t max,
                            struct sb_arena *a, struct st_key **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_LIST);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_text(&s, 2, name);
    stmt_bind_i64(&s, 3, (int64_t)offset);
    stmt_bind_i64(&s, 4, (int64_t)max);
    return read_list(&s, max, a, ret, ret_n, err);
}

enum sb_err st_key_due(struct tx *tx, int64_t now, struct sb_arena *a, bool *ret_found, struct st_key *ret,
                       struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_DUE);
    stmt_bind_i64(&s, 1, now);
    SB_TRY(stmt_row(&s, &row, err));
    if (row) {
        struct st_key k;
        read_head(&s, a, &k);
        k.vault = stmt_text(&s, 5, a);
        SB_TRY(stmt_exec(&s, err));
        *ret = k;
    }
    *ret_found = row;
out:
    return rc;
}

enum sb_err st_key_next_due(struct tx *tx, int64_t *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool row = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEY_NEXT_DUE);
    SB_TRY(stmt_row(&s, &row, err));
    *ret = row ? stmt_i64(&s, 0) : 0;
out:
    return rc;
}
