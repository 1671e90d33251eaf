/* st_entity.c: SQL of queues, topics, subscriptions and their rules, and of the message ids that they have
 * seen. */
#include "storage/st_entity.h"
#include "storage/st_sweep.h"
#include "storage/stmt.h"

static void bind_config(struct stmt *s, const struct st_entity *row)
{
    stmt_bind_i64(s, 2, row->status);
    stmt_bind_text(s, 3, row->forward_to);
    stmt_bind_text(s, 4, row->forward_dlq);
    stmt_bind_blob(s, 5, row->metadata.p, row->metadata.n);
    stmt_bind_i64(s, 6, row->lock_ms);
    stmt_bind_i64(s, 7, row->ttl_ms);
    stmt_bind_i64(s, 8, row->dup_window_ms);
    stmt_bind_i64(s, 9, row->idle_ms);
    stmt_bind_i64(s, 10, row->max_mb);
    stmt_bind_i64(s, 11, row->max_message_kb);
    stmt_bind_i64(s, 12, row->max_delivery);
    stmt_bind_i64(s, 13, row->flags);
    stmt_bind_i64(s, 14, row->updated_ms);
    stmt_bind_text(s, 15, row->client_id);
}

enum sb_err st_entity_insert(struct tx *tx, const struct st_entity *row, int64_t *ret_id,
                             struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_INSERT);
    stmt_bind_i64(&s, 1, row->ns);
    bind_config(&s, row);
    stmt_bind_text(&s, 16, row->name);
    stmt_bind_i64(&s, 17, row->created_ms);
    stmt_bind_i64(&s, 18, row->kind);
    SB_TRY(stmt_row(&s, &found, err));
    int64_t id = stmt_i64(&s, 0);
    SB_TRY(stmt_exec(&s, err));
    *ret_id = id;
out:
    return rc;
}

enum sb_err st_entity_update(struct tx *tx, const struct st_entity *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_UPDATE);
    stmt_bind_i64(&s, 1, row->id);
    bind_config(&s, row);
    return stmt_exec(&s, err);
}

enum sb_err st_entity_count(struct tx *tx, int64_t id, const struct st_counters *count, int64_t accessed_ms,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_COUNT);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, count->next_seq);
    stmt_bind_i64(&s, 3, count->active);
    stmt_bind_i64(&s, 4, count->dead_letter);
    stmt_bind_i64(&s, 5, count->scheduled);
    stmt_bind_i64(&s, 6, count->bytes);
    stmt_bind_i64(&s, 7, accessed_ms);
    return stmt_exec(&s, err);
}

static struct st_counters read_counters(struct stmt *s, int col)
{
    return (struct st_counters){.next_seq = stmt_i64(s, col),
                                .active = stmt_i64(s, col + 1),
                                .dead_letter = stmt_i64(s, col + 2),
                                .scheduled = stmt_i64(s, col + 3),
                                .bytes = stmt_i64(s, col + 4)};
}

enum sb_err st_entity_counted(struct tx *tx, int64_t id, bool *ret_found, struct st_counters *ret,
                              struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_COUNTED);
    stmt_bind_i64(&s, 1, id);
    SB_TRY(stmt_row(&s, &found, err));
    if (found)
        *ret = read_counters(&s, 0);
    *ret_found = found;
out:
    return rc;
}

static void read_entity(struct stmt *s, struct sb_arena *a, void *row)
{
    *(struct st_entity *)row = (struct st_entity){.id = stmt_i64(s, 0),
                                                  .ns = stmt_i64(s, 1),
                                                  .name = stmt_text(s, 2, a),
                                                  .status = (int)stmt_i64(s, 3),
                                                  .forward_to = stmt_text(s, 4, a),
                                                  .forward_dlq = stmt_text(s, 5, a),
                                                  .metadata = stmt_blob(s, 6, a),
                                                  .lock_ms = stmt_i64(s, 7),
                                                  .ttl_ms = stmt_i64(s, 8),
                                                  .dup_window_ms = stmt_i64(s, 9),
                                                  .idle_ms = stmt_i64(s, 10),
                                                  .max_mb = stmt_i64(s, 11),
                                                  .max_message_kb = stmt_i64(s, 12),
                                                  .max_delivery = (int)stmt_i64(s, 13),
                                                  .flags = (int)stmt_i64(s, 14),
                                                  .created_ms = stmt_i64(s, 15),
                                                  .updated_ms = stmt_i64(s, 16),
                                                  .accessed_ms = stmt_i64(s, 17),
                                                  .kind = (int)stmt_i64(s, 18),
                                                  .client_id = stmt_text(s, 19, a),
                                                  .count = read_counters(s, 20)};
}

enum sb_err st_entity_list(struct tx *tx, int64_t ns, struct sb_arena *a, struct st_entity **ret,
                           size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_LIST);
    stmt_bind_i64(&s, 1, ns);
    return stmt_all(&s, read_entity, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_entity_drop(struct tx *tx, int64_t id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_ENTITY_DELETE);
    stmt_bind_i64(&s, 1, id);
    return stmt_exec(&s, err);
}

enum sb_err st_entity_delete(struct tx *tx, int64_t id, struct sb_error *err)
{
    enum sb_err rc = st_sweep_entity(tx, id, ST_ENTITY_DELETE_MAX, err);
    return rc == SB_OK ? st_entity_drop(tx, id, err) : rc;
}

enum sb_err st_seen_get(struct tx *tx, int64_t entity, const uint8_t hmac[32], int64_t now, bool *ret_seen,
                        struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_SEEN_GET);
    stmt_bind_i64(&s, 1, entity);
    stmt_bind_blob(&s, 2, hmac, 32);
    stmt_bind_i64(&s, 3, now);
    return stmt_row(&s, ret_seen, err);
}

static enum sb_err trim(struct tx *tx, int64_t entity, int64_t now, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_SEEN_TRIM);
    stmt_bind_i64(&s, 1, entity);
    stmt_bind_i64(&s, 2, now);
    return stmt_exec(&s, err);
}

enum sb_err st_seen_put(struct tx *tx, int64_t entity, const uint8_t hmac[32], int64_t now, int64_t until,
                        struct sb_error *err)
{
    enum sb_err rc = trim(tx, entity, now, err);
    if (rc != SB_OK)
        return rc;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_SEEN_PUT);
    stmt_bind_i64(&s, 1, entity);
    stmt_bind_blob(&s, 2, hmac, 32);
    stmt_bind_i64(&s, 3, until);
    return stmt_exec(&s, err);
}

/* ---- rules ---- */

enum sb_err st_rule_put(struct tx *tx, const struct st_rule *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_RULE_PUT);
    stmt_bind_i64(&s, 1, row->entity);
    stmt_bind_text(&s, 2, row->name);
    stmt_bind_i64(&s, 3, row->created_ms);
    stmt_bind_blob(&s, 4, row->sealed.p, row->sealed.n);
    return stmt_exec(&s, err);
}

enum sb_err st_rule_delete(struct tx *tx, int64_t entity, const char *name, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_RULE_DELETE);
    stmt_bind_i64(&s, 1, entity);
    stmt_bind_text(&s, 2, name);
    return stmt_exec(&s, err);
}

static void read_rule(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_rule *r = row;
    r->entity = stmt_i64(s, 0);
    r->name = stmt_text(s, 1, a);
    r->created_ms = stmt_i64(s, 2);
    r->sealed = stmt_blob(s, 3, a);
}

enum sb_err st_rule_list(struct tx *tx, int64_t entity, struct sb_arena *a, struct st_rule **ret,
                         size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_RULE_LIST);
    stmt_bind_i64(&s, 1, entity);
    return stmt_all(&s, read_rule, sizeof **ret, a, ret, ret_n, err);
}
