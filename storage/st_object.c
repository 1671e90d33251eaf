/*
 * st_object.c: SQL of keys and secrets and their versions.
 */
#include "storage/st_object.h"
#include <string.h>
#include "storage/stmt.h"

static const char *kind_text(enum st_kind kind)
{
    return kind == ST_KEY ? "key" : "secret";
}

/* "vault_id=?1 AND kind=?2 AND name=?3" */
static void bind_place(struct stmt *s, int64_t vault_id, enum st_kind kind, const char *name)
{
    stmt_bind_i64(s, 1, vault_id);
    stmt_bind_text(s, 2, kind_text(kind));
    stmt_bind_text(s, 3, name);
}

static void read_head(struct stmt *s, struct sb_arena *a, void *row)
{
    *(struct st_object *)row = (struct st_object){.object_id = stmt_i64(s, 0),
                                                  .vault_id = stmt_i64(s, 1),
                                                  .name = stmt_text(s, 2, a),
                                                  .deleted = stmt_i64(s, 3),
                                                  .purge = stmt_i64(s, 4)};
}

/* In the order of KV_VERSION_COLUMNS. */
static void read_version(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_object *k = row;
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
    k->content_type = stmt_text(s, 14, a);
    k->enabled = stmt_i64(s, 15) != 0;
    k->nbf = stmt_i64(s, 16);
    k->exp = stmt_i64(s, 17);
    k->created = stmt_i64(s, 18);
    k->updated = stmt_i64(s, 19);
    k->tags = stmt_text(s, 20, a);
    k->sealed = stmt_blob(s, 21, a);
}

enum sb_err st_object_find(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                           struct sb_arena *a, bool *ret_found, struct st_object *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_FIND);
    bind_place(&s, vault_id, kind, name);
    return stmt_one(&s, read_head, sizeof *ret, a, ret_found, ret, err);
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

enum sb_err st_object_insert(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                             int64_t *ret_object_id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_INSERT);
    bind_place(&s, vault_id, kind, name);
    return insert_id(&s, ret_object_id, err);
}

enum sb_err st_object_set_deleted(struct tx *tx, int64_t object_id, int64_t deleted, int64_t purge,
                                  struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_SET_DELETED);
    stmt_bind_i64(&s, 1, object_id);
    stmt_bind_i64(&s, 2, deleted);
    stmt_bind_i64(&s, 3, purge);
    return stmt_exec(&s, err);
}

enum sb_err st_object_remove(struct tx *tx, int64_t object_id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_DELETE);
    stmt_bind_i64(&s, 1, object_id);
    return stmt_exec(&s, err);
}

enum sb_err st_object_add_version(struct tx *tx, const struct st_object *k, int64_t *ret_version_id,
                                  struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_INSERT);
    stmt_bind_i64(&s, 1, k->object_id);
    stmt_bind_text(&s, 2, k->version);
    stmt_bind_text(&s, 3, k->kty);
    stmt_bind_text(&s, 4, k->curve);
    stmt_bind_blob(&s, 5, k->n.p, k->n.n);
    stmt_bind_blob(&s, 6, k->e.p, k->e.n);
    stmt_bind_blob(&s, 7, k->x.p, k->x.n);
    stmt_bind_blob(&s, 8, k->y.p, k->y.n);
    stmt_bind_text(&s, 9, k->key_ops);
    stmt_bind_text(&s, 10, k->content_type);
    stmt_bind_i64(&s, 11, k->enabled);
    stmt_bind_i64(&s, 12, k->nbf);
    stmt_bind_i64(&s, 13, k->exp);
    stmt_bind_i64(&s, 14, k->created);
    stmt_bind_i64(&s, 15, k->updated);
    stmt_bind_text(&s, 16, k->tags);
    stmt_bind_blob(&s, 17, k->sealed.p, k->sealed.n);
    return insert_id(&s, ret_version_id, err);
}

enum sb_err st_object_update_version(struct tx *tx, const struct st_object *k, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_UPDATE);
    stmt_bind_i64(&s, 1, k->version_id);
    stmt_bind_text(&s, 2, k->key_ops);
    stmt_bind_text(&s, 3, k->content_type);
    stmt_bind_i64(&s, 4, k->enabled);
    stmt_bind_i64(&s, 5, k->nbf);
    stmt_bind_i64(&s, 6, k->exp);
    stmt_bind_i64(&s, 7, k->updated);
    stmt_bind_text(&s, 8, k->tags);
    return stmt_exec(&s, err);
}

enum sb_err st_object_version(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                              enum st_object_which which, const char *version, int64_t now,
                              struct sb_arena *a, bool *ret_found, struct st_object *ret,
                              struct sb_error *err)
{
    static const int statement[] = {[ST_OBJECT_EXACT] = KV_VERSION_GET,
                                    [ST_OBJECT_NEWEST] = KV_VERSION_NEWEST,
                                    [ST_OBJECT_CURRENT] = KV_VERSION_CURRENT};
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, statement[which]);
    bind_place(&s, vault_id, kind, name);
    if (which == ST_OBJECT_EXACT)
        stmt_bind_text(&s, 4, version);
    if (which == ST_OBJECT_CURRENT)
        stmt_bind_i64(&s, 4, now);
    return stmt_one(&s, read_version, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_object_list(struct tx *tx, int64_t vault_id, enum st_kind kind, bool deleted, const char *from,
                           size_t max, struct sb_arena *a, struct st_object **ret, size_t *ret_n,
                           struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_LIST);
    stmt_bind_i64(&s, 1, vault_id);
    stmt_bind_text(&s, 2, kind_text(kind));
    stmt_bind_i64(&s, 3, deleted);
    stmt_bind_text(&s, 4, from);
    stmt_bind_i64(&s, 5, (int64_t)max);
    return stmt_all(&s, read_version, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_object_versions(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                               const char *from, size_t max, struct sb_arena *a, struct st_object **ret,
                               size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_LIST);
    bind_place(&s, vault_id, kind, name);
    stmt_bind_text(&s, 4, from);
    stmt_bind_i64(&s, 5, (int64_t)max);
    return stmt_all(&s, read_version, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_object_all(struct tx *tx, int64_t object_id, size_t max, struct sb_arena *a,
                          struct st_object **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_VERSION_ALL);
    stmt_bind_i64(&s, 1, object_id);
    stmt_bind_i64(&s, 2, (int64_t)max);
    return stmt_all(&s, read_version, sizeof **ret, a, ret, ret_n, err);
}

/* In the order of KV_OBJECT_DUE. */
static void read_due(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_object *k = row;
    char kind[8] = "";
    read_head(s, a, k);
    k->vault = stmt_text(s, 5, a);
    stmt_text_to(s, 6, kind, sizeof kind);
    k->kind = strcmp(kind, kind_text(ST_KEY)) == 0 ? ST_KEY : ST_SECRET;
}

enum sb_err st_object_due(struct tx *tx, int64_t now, struct sb_arena *a, bool *ret_found,
                          struct st_object *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_DUE);
    stmt_bind_i64(&s, 1, now);
    return stmt_one(&s, read_due, sizeof *ret, a, ret_found, ret, err);
}

enum sb_err st_object_next_due(struct tx *tx, int64_t *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_OBJECT_NEXT_DUE);
    return stmt_number(&s, 0, ret, err);
}
