/* broker_fixture.h: queues in a plain Premium namespace, and message operations that wait for their answer.
 */
#ifndef SB_BROKER_FIXTURE_H
#define SB_BROKER_FIXTURE_H

#include <sqlite3.h>
#include "server/base/timefmt.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker_private.h"
#include "storage/tx.h"
#include "tests/unit/engine/ns_fixture.h"

#define MINUTE INT64_C(60000)

/* A spec with nothing sent. */
static inline struct entity_spec q_spec(const char *name)
{
    return broker_spec(ENTITY_QUEUE, NS, name);
}

static struct entity_view q_view;

static inline enum sb_err q_try(const struct entity_spec *s)
{
    bool created;
    err.detail[0] = '\0';
    return broker_entity_put(e, s, arena, &q_view, &created, &err);
}

static inline void q_put(struct entity_spec s)
{
    ck_assert_msg(q_try(&s) == SB_OK, "%s", err.detail);
}

/* What ARM shows of it now. */
static inline struct entity_view q_look(const char *name)
{
    struct entity_view q;
    ck_assert_msg(broker_entity_get(e, NS, ENTITY_QUEUE, name, arena, &q, &err) == SB_OK, "%s", err.detail);
    return q;
}

#define ck_counts(name, a, d, s)                                                                             \
    do {                                                                                                     \
        struct entity_view now_ = q_look(name);                                                              \
        ck_assert_int_eq(now_.active, a);                                                                    \
        ck_assert_int_eq(now_.dead_letter, d);                                                               \
        ck_assert_int_eq(now_.scheduled, s);                                                                 \
    } while (0)

static inline void broker_up_in(const char *dir)
{
    struct group g;
    bool created;
    world_open(dir);
    ck_assert_int_eq(directory_group_put(e, SUB, "g", "westus", "{}", arena, &g, &created, &err), SB_OK);
    struct ns_spec s = ns_wanted(NS);
    s.has_identity = false;
    ns_ok(&s);
}

static inline void broker_up(void)
{
    broker_up_in(NULL);
    q_put(q_spec("q"));
}

/* ---- operations ---- */

struct task {
    struct broker_op op;
    struct wait w;
    struct broker_message m[8];
    struct sb_buf b[8];
};

static inline struct task *task_new(enum broker_kind kind, const char *path)
{
    struct task *t = ARENA_NEW(arena, struct task);
    op_begin(&t->op, &t->w, kind, NS);
    ck_assert(text_copy(t->op.entity, sizeof t->op.entity, path));
    t->op.dlq = broker_cut_dlq(t->op.entity);
    return t;
}

static inline void task_message(struct task *t, const char *text, const struct amqp_props *props)
{
    size_t i = t->op.messages_n++;
    struct amqp_message m = {.body = {(const uint8_t *)text, strlen(text)}};
    if (props)
        m.props = *props;
    buf_init(&t->b[i], 4 << 20);
    ck_assert_int_eq(amqpmsg_encode(&m, &t->b[i], &err), SB_OK);
    t->m[i] = (struct broker_message){.sections = {t->b[i].p, t->b[i].n},
                                      .message_id = m.props.message_id,
                                      .session_id = m.props.session_id,
                                      .ttl_ms = -1};
    t->op.messages = t->m;
}

static inline void task_go(struct task *t)
{
    broker_submit(e, &t->op);
}

/* Is it over within 2 s? */
static inline bool task_over(struct task *t)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&t->w.lock);
        bool done = t->w.done;
        pthread_mutex_unlock(&t->w.lock);
        if (done)
            return true;
        struct timespec ms = {.tv_nsec = 1000000};
        nanosleep(&ms, NULL);
    }
    return false;
}

/* Everything queued so far has run, and what was to be parked is parked. */
static inline enum sb_err settle_run(struct tx *tx, void *arg, struct sb_error *why)
{
    SB_UNUSED(tx);
    SB_UNUSED(arg);
    SB_UNUSED(why);
    return SB_OK;
}

static inline void settle(void)
{
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(store_call(e->sb, settle_run, NULL, NULL), SB_OK);
}

static inline bool task_pending(struct task *t)
{
    settle();
    pthread_mutex_lock(&t->w.lock);
    bool done = t->w.done;
    pthread_mutex_unlock(&t->w.lock);
    return !done;
}

static inline enum sb_err task_end(struct task *t)
{
    enum sb_err rc = op_wait(&t->op);
    for (size_t i = 0; i < t->op.messages_n; i++)
        buf_done(&t->b[i]);
    err = t->op.err;
    return rc;
}

static inline enum sb_err task_run(struct task *t)
{
    task_go(t);
    return task_end(t);
}

/* ---- in short ---- */

static inline enum sb_err send_with(const char *path, const char *text, const struct amqp_props *props,
                                    int64_t ttl, int64_t scheduled)
{
    struct task *t = task_new(BROKER_SEND, path);
    task_message(t, text, props);
    t->m[0].ttl_ms = ttl;
    t->m[0].scheduled_ms = scheduled;
    return task_run(t);
}

static inline void send(const char *path, const char *text)
{
    ck_assert_msg(send_with(path, text, NULL, -1, 0) == SB_OK, "%s", err.detail);
}

static struct broker_delivery got; /* the last delivery */

static inline const char *body_of(const struct broker_op *op)
{
    struct amqp_message m;
    if (op->rc != SB_OK)
        return arena_printf(arena, "!%s", sb_err_name(op->rc));
    if (!op->got)
        return "";
    got = op->delivery;
    ck_assert_int_eq(amqpmsg_decode(op->delivery.sections, arena, &m, &err), SB_OK);
    return arena_strndup(arena, (const char *)m.body.p, m.body.n);
}

static inline const char *take(const char *path, enum broker_kind kind)
{
    struct task *t = task_new(kind, path);
    (void)task_run(t);
    return body_of(&t->op);
}

/* The text, "" when there is none, or "!CODE". */
static inline const char *lock(const char *path)
{
    return take(path, BROKER_RECEIVE);
}

static inline const char *eat(const char *path)
{
    return take(path, BROKER_RECEIVE_DELETE);
}

/* Settles what was locked last. */
static inline enum sb_err finish_as(const char *path, enum broker_kind kind, const struct broker_delivery *d)
{
    struct task *t = task_new(kind, path);
    t->op.seq = d->seq;
    ck_assert(text_copy(t->op.lock_token, sizeof t->op.lock_token, d->lock_token));
    return task_run(t);
}

static inline void pass(int64_t ms)
{
    struct timeline_result r;
    ck_assert_msg(timeline_advance(e, ms, arena, 100, &r, &err) == SB_OK, "%s", err.detail);
}

/* ---- looking into the database ---- */

struct sql {
    const char *text;
    int64_t value;
};

static inline enum sb_err sql_run(struct tx *tx, void *arg, struct sb_error *why)
{
    struct sql *s = arg;
    sqlite3_stmt *q = NULL;
    enum sb_err rc = tx_will_write(tx, why);
    if (rc != SB_OK)
        return rc;
    ck_assert_int_eq(sqlite3_prepare_v2(tx->db, s->text, -1, &q, NULL), SQLITE_OK);
    if (sqlite3_step(q) == SQLITE_ROW)
        s->value = sqlite3_column_int64(q, 0);
    ck_assert_int_eq(sqlite3_finalize(q), SQLITE_OK);
    return SB_OK;
}

static inline int64_t sql(const char *text)
{
    struct sql s = {text, -1};
    ck_assert_int_eq(store_call(e->sb, sql_run, &s, &err), SB_OK);
    return s.value;
}

#endif
