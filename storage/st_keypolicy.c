/*
 * st_keypolicy.c: SQL of keys' rotation policies.
 */
#include "storage/st_keypolicy.h"
#include "storage/stmt.h"

enum sb_err st_keypolicy_put(struct tx *tx, const struct st_keypolicy *p, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEYPOLICY_PUT);
    stmt_bind_i64(&s, 1, p->object_id);
    stmt_bind_text(&s, 2, p->rotate_after);
    stmt_bind_text(&s, 3, p->rotate_before);
    stmt_bind_text(&s, 4, p->notify_before);
    stmt_bind_text(&s, 5, p->expiry);
    stmt_bind_i64(&s, 6, p->created);
    stmt_bind_i64(&s, 7, p->updated);
    stmt_bind_i64(&s, 8, p->rotate);
    stmt_bind_i64(&s, 9, p->notify);
    stmt_bind_i64(&s, 10, p->notified_id);
    return stmt_exec(&s, err);
}

static void read_policy(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_keypolicy *p = row;
    p->object_id = stmt_i64(s, 0);
    p->rotate_after = stmt_text(s, 1, a);
    p->rotate_before = stmt_text(s, 2, a);
    p->notify_before = stmt_text(s, 3, a);
    p->expiry = stmt_text(s, 4, a);
    p->created = stmt_i64(s, 5);
    p->updated = stmt_i64(s, 6);
    p->rotate = stmt_i64(s, 7);
    p->notify = stmt_i64(s, 8);
    p->notified_id = stmt_i64(s, 9);
}

enum sb_err st_keypolicy_get(struct tx *tx, int64_t object_id, struct sb_arena *a, bool *ret_found,
                             struct st_keypolicy *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_KEYPOLICY_GET);
    stmt_bind_i64(&s, 1, object_id);
    return stmt_one(&s, read_policy, sizeof *ret, a, ret_found, ret, err);
}

static void read_due(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_keypolicy_due *d = row;
    d->object_id = stmt_i64(s, 0);
    d->vault_id = stmt_i64(s, 1);
    d->name = stmt_text(s, 2, a);
    d->vault = stmt_text(s, 3, a);
    d->at = stmt_i64(s, 4);
}

enum sb_err st_keypolicy_due(struct tx *tx, bool rotation, int64_t now, struct sb_arena *a, bool *ret_found,
                             struct st_keypolicy_due *ret, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset)
    struct stmt s = stmt_get(tx, rotation ? KV_KEYPOLICY_ROTATE_DUE : KV_KEYPOLICY_NOTIFY_DUE);
    stmt_bind_i64(&s, 1, now);
    return stmt_one(&s, read_due, sizeof *ret, a, ret_found, ret, err);
}
