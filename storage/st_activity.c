/* st_activity.c: SQL of the activity log. */
#include "storage/st_activity.h"
#include "storage/stmt.h"

enum sb_err st_activity_add(struct tx *tx, const struct st_activity *x, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ACTIVITY_ADD);
    const char *const texts[] = {x->sub,        x->group,
                                 x->resource,   x->action,
                                 x->method,     x->code,
                                 x->message,    x->caller,
                                 x->oid,        x->appid,
                                 x->event_id,   x->correlation_id,
                                 x->request_id, x->client_request_id,
                                 x->client_ip};
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
        stmt_bind_text(&s, (int)i + 3, texts[i]);
    stmt_bind_i64(&s, 1, x->time_ms);
    stmt_bind_i64(&s, 2, x->http_status);
    return stmt_exec(&s, err);
}

enum sb_err st_activity_trim(struct tx *tx, int64_t keep, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ACTIVITY_TRIM);
    stmt_bind_i64(&s, 1, keep);
    return stmt_exec(&s, err);
}

static void read_activity(struct stmt *s, struct sb_arena *a, void *row)
{
    struct st_activity *x = row;
    const char **const texts[] = {&x->sub,        &x->group,
                                  &x->resource,   &x->action,
                                  &x->method,     &x->code,
                                  &x->message,    &x->caller,
                                  &x->oid,        &x->appid,
                                  &x->event_id,   &x->correlation_id,
                                  &x->request_id, &x->client_request_id,
                                  &x->client_ip};
    x->id = stmt_i64(s, 0);
    x->time_ms = stmt_i64(s, 1);
    x->http_status = stmt_i64(s, 2);
    for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
        *texts[i] = stmt_text(s, (int)i + 3, a);
}

enum sb_err st_activity_list(struct tx *tx, const struct st_activity_query *q, struct sb_arena *a,
                             struct st_activity **ret, size_t *ret_n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_ACTIVITY_LIST);
    stmt_bind_text(&s, 1, q->sub);
    stmt_bind_i64(&s, 2, q->from_ms);
    stmt_bind_i64(&s, 3, q->to_ms);
    stmt_bind_i64(&s, 4, q->before_id);
    stmt_bind_text(&s, 5, q->group);
    stmt_bind_text(&s, 6, q->resource);
    stmt_bind_text(&s, 7, q->correlation_id);
    stmt_bind_text(&s, 8, q->caller);
    stmt_bind_text(&s, 9, q->provider);
    stmt_bind_i64(&s, 10, (int64_t)q->limit);
    return stmt_all(&s, read_activity, sizeof **ret, a, ret, ret_n, err);
}
