/*
 * st_event.c: rows of the event log and of the fault table.
 */
#include "storage/st_event.h"
#include <assert.h>
#include <string.h>
#include "storage/stmt.h"
#include "storage/tx.h"

/* The log is the same in both databases, its statements have two numbers. */
static struct stmt either(struct tx *tx, enum kv_stmt kv, enum sb_stmt sb)
{
    return stmt_get(tx, tx->kind == STORE_KV ? (int)kv : (int)sb);
}

enum sb_err st_event_add(struct tx *tx, const struct st_event *e, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = either(tx, KV_EVENT_ADD, SB_EVENT_ADD);
    if (e->id != 0)
        stmt_bind_i64(&s, 1, e->id);
    stmt_bind_i64(&s, 2, e->time_ms);
    stmt_bind_text(&s, 3, e->stream);
    stmt_bind_text(&s, 4, e->op);
    stmt_bind_text(&s, 5, e->category);
    stmt_bind_text(&s, 6, e->resource_id);
    stmt_bind_text(&s, 7, e->vault);
    stmt_bind_text(&s, 8, e->key);
    stmt_bind_text(&s, 9, e->version);
    stmt_bind_text(&s, 10, e->code);
    stmt_bind_text(&s, 11, e->message);
    stmt_bind_text(&s, 12, e->activity_id);
    stmt_bind_text(&s, 13, e->identity);
    stmt_bind_text(&s, 14, e->result);
    stmt_bind_i64(&s, 15, e->http_status);
    return stmt_exec(&s, err);
}

static void read_event(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_event *e = row;
    e->id = stmt_i64(s, 0);
    e->time_ms = stmt_i64(s, 1);
    e->stream = stmt_text(s, 2, a);
    e->op = stmt_text(s, 3, a);
    e->category = stmt_text(s, 4, a);
    e->resource_id = stmt_text(s, 5, a);
    e->vault = stmt_text(s, 6, a);
    e->key = stmt_text(s, 7, a);
    e->version = stmt_text(s, 8, a);
    e->code = stmt_text(s, 9, a);
    e->message = stmt_text(s, 10, a);
    e->activity_id = stmt_text(s, 11, a);
    e->identity = stmt_text(s, 12, a);
    e->result = stmt_text(s, 13, a);
    e->http_status = stmt_i64(s, 14);
}

enum sb_err st_event_list(struct tx *tx, int64_t since_id, size_t limit, struct sb_arena *a,
                          struct st_event **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = either(tx, KV_EVENT_LIST, SB_EVENT_LIST);
    stmt_bind_i64(&s, 1, since_id);
    stmt_bind_i64(&s, 2, (int64_t)SB_MIN(limit, (size_t)INT32_MAX));
    return stmt_all(&s, read_event, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_event_bounds(struct tx *tx, int64_t *ret_min, int64_t *ret_max, struct sb_error *err)
{
    enum sb_err rc;
    SB_CLEANUP(stmt_reset) struct stmt s = either(tx, KV_EVENT_BOUNDS, SB_EVENT_BOUNDS);
    bool row;
    SB_TRY(stmt_row(&s, &row, err));
    *ret_min = row ? stmt_i64(&s, 0) : 0;
    *ret_max = row ? stmt_i64(&s, 1) : 0;
out:
    return rc;
}

enum sb_err st_event_trim(struct tx *tx, int64_t keep_rows, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = either(tx, KV_EVENT_TRIM, SB_EVENT_TRIM);
    stmt_bind_i64(&s, 1, keep_rows);
    return stmt_exec(&s, err);
}

enum sb_err st_fault_put(struct tx *tx, const struct st_fault *f, struct sb_error *err)
{
    assert(tx->kind == STORE_KV);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_FAULT_PUT);
    stmt_bind_text(&s, 1, f->target);
    stmt_bind_text(&s, 2, f->kind);
    if (f->remaining != 0)
        stmt_bind_i64(&s, 3, f->remaining);
    stmt_bind_i64(&s, 4, f->status);
    stmt_bind_text(&s, 5, f->scope);
    return stmt_exec(&s, err);
}

static void read_fault(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_fault *f = row;
    f->target = stmt_text(s, 0, a);
    f->kind = stmt_text(s, 1, a);
    f->remaining = stmt_i64(s, 2); /* NULL reads as 0 */
    f->status = stmt_i64(s, 3);
    f->scope = stmt_text(s, 4, a);
}

enum sb_err st_fault_list(struct tx *tx, struct sb_arena *a, struct st_fault **ret, size_t *ret_n,
                          struct sb_error *err)
{
    assert(tx->kind == STORE_KV);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_FAULT_LIST);
    return stmt_all(&s, read_fault, sizeof **ret, a, ret, ret_n, err);
}

enum sb_err st_fault_clear(struct tx *tx, const char *target, struct sb_error *err)
{
    assert(tx->kind == STORE_KV);
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_FAULT_CLEAR);
    stmt_bind_text(&s, 1, target);
    return stmt_exec(&s, err);
}

/* The last call removes the row, any earlier one counts down, and an unlimited fault stays as it is. */
static enum sb_err run_on_target(struct tx *tx, enum kv_stmt id, const char *target, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, (int)id);
    stmt_bind_text(&s, 1, target);
    return stmt_exec(&s, err);
}

enum sb_err st_fault_decrement(struct tx *tx, const char *target, struct sb_error *err)
{
    enum sb_err rc;
    assert(tx->kind == STORE_KV);
    SB_TRY(run_on_target(tx, KV_FAULT_LAST, target, err));
    if (stmt_changes(tx) == 0) {
        SB_TRY(run_on_target(tx, KV_FAULT_COUNT, target, err));
        if (stmt_changes(tx) == 0)
            rc = sb_fail(err, SB_ENOTFOUND, "vault %s has no fault", target);
    }
out:
    return rc;
}
