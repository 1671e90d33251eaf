/* st_message.c: SQL of messages. */
#include "storage/st_message.h"
#include "storage/stmt.h"

/* 0 stands for never, which is NULL in the table. */
static void bind_time(struct stmt *s, int i, int64_t ms)
{
    if (ms == 0)
        stmt_bind_null(s, i);
    else
        stmt_bind_i64(s, i, ms);
}

static enum sb_err exec_id(struct tx *tx, int id_of_statement, int64_t id, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, id_of_statement);
    stmt_bind_i64(&s, 1, id);
    return stmt_exec(&s, err);
}

enum sb_err st_message_insert(struct tx *tx, const struct st_message *row, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_INSERT);
    stmt_bind_i64(&s, 1, row->id);
    stmt_bind_i64(&s, 2, row->ns);
    stmt_bind_i64(&s, 3, row->sub);
    stmt_bind_i64(&s, 4, row->state);
    stmt_bind_i64(&s, 5, row->enqueued_ms);
    bind_time(&s, 6, row->expires_ms);
    bind_time(&s, 7, row->due_ms);
    stmt_bind_i64(&s, 8, row->delivery_count);
    stmt_bind_i64(&s, 9, row->hops);
    stmt_bind_i64(&s, 10, row->size);
    stmt_bind_i64(&s, 11, row->enqueued_seq);
    stmt_bind_blob(&s, 12, row->session.p, row->session.n);
    stmt_bind_blob(&s, 13, row->blob.p, row->blob.n);
    stmt_bind_blob(&s, 14, row->dl_blob.p, row->dl_blob.n);
    return stmt_exec(&s, err);
}

/* The columns of SB_MESSAGE_COLUMNS. */
static void read_row(struct stmt *s, struct st_message *row)
{
    struct sb_blob token = stmt_blob_borrow(s, 7);
    *row = (struct st_message){.id = stmt_i64(s, 0),
                               .ns = stmt_i64(s, 1),
                               .sub = (int)stmt_i64(s, 2),
                               .state = (int)stmt_i64(s, 3),
                               .enqueued_ms = stmt_i64(s, 4),
                               .expires_ms = stmt_i64(s, 5),
                               .due_ms = stmt_i64(s, 6),
                               .delivery_count = (int)stmt_i64(s, 8),
                               .hops = (int)stmt_i64(s, 9),
                               .size = stmt_i64(s, 10),
                               .enqueued_seq = stmt_i64(s, 11)};
    if (token.n == ST_LOCK_LEN)
        memcpy(row->lock_token, token.p, ST_LOCK_LEN);
}

/* One row of a bound statement; a NULL: its blobs are not wanted. */
static enum sb_err one(struct stmt *s, struct sb_arena *a, bool *ret_found, struct st_message *ret,
                       struct sb_error *err)
{
    enum sb_err rc;
    struct st_message row = {0};
    bool found, more;
    SB_TRY(stmt_row(s, &found, err));
    if (found) {
        read_row(s, &row);
        if (a != NULL) {
            row.session = stmt_blob(s, 12, a);
            row.blob = stmt_blob(s, 13, a);
            row.dl_blob = stmt_blob(s, 14, a);
            if (arena_failed(a))
                SB_TRY(stmt_row(s, &more, err)); /* a copy that failed comes out here */
        }
        *ret = row;
    }
    *ret_found = found;
out:
    return rc;
}

enum sb_err st_message_first(struct tx *tx, int64_t entity, int sub, struct sb_arena *a, bool *ret_found,
                             struct st_message *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_FIRST);
    stmt_bind_i64(&s, 1, sub);
    stmt_bind_i64(&s, 2, st_message_id(entity, 0));
    stmt_bind_i64(&s, 3, st_message_id(entity, ST_SEQ_MAX));
    return one(&s, a, ret_found, ret, err);
}

enum sb_err st_message_get(struct tx *tx, int64_t id, struct sb_arena *a, bool *ret_found,
                           struct st_message *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_GET);
    stmt_bind_i64(&s, 1, id);
    return one(&s, a, ret_found, ret, err);
}

enum sb_err st_message_meta(struct tx *tx, int64_t id, bool *ret_found, struct st_message *ret,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_META);
    stmt_bind_i64(&s, 1, id);
    return one(&s, NULL, ret_found, ret, err);
}

enum sb_err st_message_due(struct tx *tx, int64_t ns, int64_t now, bool *ret_found, struct st_message *ret,
                           struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_DUE);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_i64(&s, 2, now);
    return one(&s, NULL, ret_found, ret, err);
}

enum sb_err st_message_next_due(struct tx *tx, int64_t ns, bool *ret_found, int64_t *ret,
                                struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_NEXT_DUE);
    stmt_bind_i64(&s, 1, ns);
    SB_TRY(stmt_row(&s, &found, err));
    if (found)
        *ret = stmt_i64(&s, 0);
    *ret_found = found;
out:
    return rc;
}

enum sb_err st_message_lock(struct tx *tx, int64_t id, const uint8_t token[ST_LOCK_LEN], int64_t until,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_LOCK);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_blob(&s, 2, token, ST_LOCK_LEN);
    stmt_bind_i64(&s, 3, until);
    return stmt_exec(&s, err);
}

enum sb_err st_message_renew(struct tx *tx, int64_t id, int64_t until, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_RENEW);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, until);
    return stmt_exec(&s, err);
}

enum sb_err st_message_release(struct tx *tx, int64_t id, int delivery_count, int64_t due,
                               struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_RELEASE);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, delivery_count);
    bind_time(&s, 3, due);
    return stmt_exec(&s, err);
}

enum sb_err st_message_bury(struct tx *tx, int64_t id, int delivery_count, struct sb_blob dl_blob,
                            struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_BURY);
    stmt_bind_i64(&s, 1, id);
    stmt_bind_i64(&s, 2, delivery_count);
    stmt_bind_blob(&s, 3, dl_blob.p, dl_blob.n);
    return stmt_exec(&s, err);
}

enum sb_err st_message_damage(struct tx *tx, int64_t id, struct sb_error *err)
{
    return exec_id(tx, SB_MESSAGE_DAMAGE, id, err);
}

enum sb_err st_message_delete(struct tx *tx, int64_t id, struct sb_error *err)
{
    return exec_id(tx, SB_MESSAGE_DELETE, id, err);
}

enum sb_err st_message_release_all(struct tx *tx, int64_t ns, int64_t until, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, SB_MESSAGE_RELEASE_ALL);
    stmt_bind_i64(&s, 1, ns);
    stmt_bind_i64(&s, 2, until);
    return stmt_exec(&s, err);
}
