/* activity.c: writing the activity log behind the answers, and reading it. */
#include "server/engine/activity.h"
#include <stdlib.h>
#include "server/base/log.h"

#define ROW_BYTES_MAX ((size_t)16 << 10)

struct activity_row {
    struct store_op op; /* first */
    struct activity_row *next;
    struct sb_arena *arena; /* the texts, and this */
    struct st_activity row;
    char *message; /* row.message */
};

static enum sb_err write_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    enum sb_err rc;
    struct activity_row *w = (struct activity_row *)(void *)op;
    SB_TRY(st_activity_add(tx, &w->row, err));
    rc = st_activity_trim(tx, ACTIVITY_KEEP, err);
out:
    return rc;
}

static void write_done(struct store_op *op)
{
    struct activity_row *w = (struct activity_row *)(void *)op;
    if (op->rc != SB_OK)
        log_event(LOG_WARN, "activity.lost", "code", sb_err_name(op->rc), NULL);
    arena_free(w->arena);
}

/* NULL: out of memory, and logged. */
static struct activity_row *row_new(const struct st_activity *x)
{
    struct sb_arena *a = arena_new(ROW_BYTES_MAX);
    struct activity_row *w = a != NULL ? ARENA_NEW(a, struct activity_row) : NULL;
    if (w != NULL) {
        const char **const texts[] = {&w->row.sub,
                                      &w->row.group,
                                      &w->row.resource,
                                      &w->row.action,
                                      &w->row.method,
                                      &w->row.code,
                                      &w->row.caller,
                                      &w->row.oid,
                                      &w->row.appid,
                                      &w->row.event_id,
                                      &w->row.correlation_id,
                                      &w->row.request_id,
                                      &w->row.client_request_id,
                                      &w->row.client_ip};
        w->row = *x;
        for (size_t i = 0; i < SB_ARRAY_LEN(texts); i++)
            *texts[i] = arena_strdup(a, *texts[i]);
        w->row.message = w->message = arena_strdup(a, x->message);
    }
    if (w == NULL || arena_failed(a)) {
        log_event(LOG_WARN, "activity.lost", "code", sb_err_name(SB_ENOMEM), NULL);
        arena_free(a);
        return NULL;
    }
    w->arena = a;
    w->op.run = write_run;
    w->op.done = write_done;
    return w;
}

void activity_put_aside(struct activity_rows *rows, const struct st_activity *x)
{
    struct activity_row *w = row_new(x);
    activity_move(rows, &(struct activity_rows){w, w});
}

void activity_move(struct activity_rows *rows, struct activity_rows *from)
{
    if (from->first == NULL)
        return;
    if (rows->first != NULL)
        rows->last->next = from->first;
    else
        rows->first = from->first;
    rows->last = from->last;
    *from = (struct activity_rows){0};
}

void activity_edit(struct activity_rows *rows, void (*edit)(void *cookie, char *message), void *cookie)
{
    for (struct activity_row *w = rows->first; w != NULL; w = w->next)
        if (w->message != NULL)
            edit(cookie, w->message);
}

void activity_write(struct engine *e, struct activity_rows *rows)
{
    for (struct activity_row *w = rows->first, *next; w != NULL; w = next) {
        next = w->next; /* done frees it */
        store_submit(e->kv, &w->op);
    }
    *rows = (struct activity_rows){0};
}

void activity_add(struct engine *e, const struct st_activity *x)
{
    struct activity_rows one = {0};
    activity_put_aside(&one, x);
    activity_write(e, &one);
}

struct listing {
    const struct st_activity_query *q;
    struct sb_arena *arena;
    struct st_activity *rows;
    size_t n;
};

static enum sb_err list_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct listing *l = arg;
    return st_activity_list(tx, l->q, l->arena, &l->rows, &l->n, err);
}

enum sb_err activity_list(struct engine *e, const struct st_activity_query *q, struct sb_arena *a,
                          struct st_activity **ret, size_t *ret_n, struct sb_error *err)
{
    struct listing l = {.q = q, .arena = a};
    enum sb_err rc = store_read(e->kv, list_run, &l, err);
    if (rc == SB_OK) {
        *ret = l.rows;
        *ret_n = l.n;
    }
    return rc;
}

static enum sb_err reset_run(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return st_activity_trim(tx, 0, err);
}

enum sb_err activity_reset(struct engine *e, struct sb_error *err)
{
    return store_call(e->kv, reset_run, NULL, err);
}
