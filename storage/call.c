/*
 * call.c: ops of threads that wait for their end.
 */
#include <assert.h>
#include "storage/store_private.h"

/* A thread that waits for its op. */
struct call {
    struct store_op op; /* first: done gets this */
    store_fn *f;
    void (*publish)(void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool finished;
};

static enum sb_err call_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    struct call *c = (struct call *)op;
    return c->f(tx, c->arg, err);
}

static void call_done(struct store_op *op)
{
    struct call *c = (struct call *)op;
    if (op->rc == SB_OK && c->publish != NULL)
        c->publish(c->arg);
    pthread_mutex_lock(&c->lock);
    c->finished = true;
    pthread_cond_signal(&c->answered);
    pthread_mutex_unlock(&c->lock);
}

/* Before store_start the opening thread is the owner and runs the op itself. */
static void call_wait(struct store *s, struct call *c)
{
    assert(!store_is_owner(s));
    if (!s->started) {
        writer_run_now(s, &c->op);
        return;
    }
    store_submit(s, &c->op);
    pthread_mutex_lock(&c->lock);
    while (!c->finished)
        pthread_cond_wait(&c->answered, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

static enum sb_err call(struct store *s, struct call *c, struct sb_error *err)
{
    if (pthread_mutex_init(&c->lock, NULL) != 0)
        return sb_fail(err, SB_ENOMEM, "no mutex");
    if (pthread_cond_init(&c->answered, NULL) != 0) {
        pthread_mutex_destroy(&c->lock);
        return sb_fail(err, SB_ENOMEM, "no condition variable");
    }
    c->op.done = call_done;
    call_wait(s, c);
    if (c->op.rc != SB_OK && err != NULL)
        *err = c->op.err;
    pthread_cond_destroy(&c->answered);
    pthread_mutex_destroy(&c->lock);
    return c->op.rc;
}

enum sb_err store_call_publish(struct store *s, store_fn *f, void (*publish)(void *arg), void *arg,
                               struct sb_error *err)
{
    struct call c = {.op = {.run = call_run, .flags = STORE_ALONE}, .f = f, .publish = publish, .arg = arg};
    return call(s, &c, err);
}

enum sb_err store_call_joined(struct store *s, store_fn *f, void (*publish)(void *arg), void *arg,
                              struct sb_error *err)
{
    struct call c = {.op = {.run = call_run}, .f = f, .publish = publish, .arg = arg};
    return call(s, &c, err);
}

enum sb_err store_call(struct store *s, store_fn *f, void *arg, struct sb_error *err)
{
    return store_call_publish(s, f, NULL, arg, err);
}

enum sb_err store_read(struct store *s, store_fn *f, void *arg, struct sb_error *err)
{
    struct call c = {.op = {.run = call_run, .flags = OP_READ}, .f = f, .arg = arg};
    return call(s, &c, err);
}

enum sb_err store_scrub(struct store *s, struct sb_error *err)
{
    struct call c = {.op = {.flags = OP_SCRUB}};
    return call(s, &c, err);
}
