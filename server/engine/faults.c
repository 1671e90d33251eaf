/*
 * faults.c: a small table in memory, looked at by every call to a vault, and its rows in keyvault.db.
 *
 * A limited fault's countdown is stored behind the answer; a kill can give a few hits back, never take some
 * away.
 */
#include "server/engine/faults.h"
#include <stdatomic.h>
#include "server/base/text.h"
#include "storage/st_event.h"

#define FAULTS_MAX 256

#define SCOPE_ALL "all"

struct faults {
    atomic_size_t n; /* looked at without the lock: mostly there is none */
    pthread_mutex_t lock;
    struct fault row[FAULTS_MAX];
};

static const char *const kind_names[] = {
    [FAULT_NONE] = "none",       [FAULT_UNREACHABLE] = "unreachable",
    [FAULT_TIMEOUT] = "timeout", [FAULT_THROTTLE] = "throttle",
    [FAULT_ERROR] = "error",
};

const char *faults_kind_name(enum fault_kind k)
{
    return kind_names[k];
}

bool faults_kind_parse(const char *s, enum fault_kind *ret)
{
    for (size_t i = FAULT_UNREACHABLE; i < SB_ARRAY_LEN(kind_names); i++) {
        if (text_ieq(s, kind_names[i])) {
            *ret = (enum fault_kind)i;
            return true;
        }
    }
    return false;
}

/* Index of the vault's fault, or n. Holds the lock. */
static size_t find(const struct faults *f, const char *vault)
{
    size_t i = 0, n = atomic_load(&f->n);
    while (i < n && !text_ieq(f->row[i].target, vault))
        i++;
    return i;
}

/* Keeps the order of the others. Holds the lock. */
static void drop(struct faults *f, size_t i)
{
    size_t n = atomic_load(&f->n);
    memmove(&f->row[i], &f->row[i + 1], (n - i - 1) * sizeof f->row[0]);
    atomic_store(&f->n, n - 1);
}

/* ---- changes: stored, then published on the store's thread ---- */

struct change {
    struct faults *f;
    const struct fault *put; /* or NULL: clear */
    const char *target;
};

static enum sb_err change_run(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct change *c = arg;
    if (!c->put)
        return st_fault_clear(tx, c->target, err);
    struct st_fault row = {.target = c->put->target,
                           .kind = faults_kind_name(c->put->kind),
                           .remaining = SB_MAX(c->put->count, 0),
                           .status = c->put->status,
                           .scope = c->put->all ? SCOPE_ALL : NULL};
    return st_fault_put(tx, &row, err);
}

static void change_publish(void *arg)
{
    struct change *c = arg;
    struct faults *f = c->f;
    pthread_mutex_lock(&f->lock);
    if (c->put) {
        size_t i = find(f, c->put->target);
        f->row[i] = *c->put; /* there is room: looked at before, and changes come one by one */
        if (i == atomic_load(&f->n))
            atomic_store(&f->n, i + 1);
    } else if (c->target) {
        size_t i = find(f, c->target);
        if (i < atomic_load(&f->n))
            drop(f, i);
    } else {
        atomic_store(&f->n, 0);
    }
    pthread_mutex_unlock(&f->lock);
}

/* In the transaction, so that two puts cannot both take the last place. */
static enum sb_err put_run(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct change *c = arg;
    struct faults *f = c->f;
    pthread_mutex_lock(&f->lock);
    bool full = find(f, c->put->target) == FAULTS_MAX;
    pthread_mutex_unlock(&f->lock);
    if (full)
        return sb_fail(err, SB_ELIMIT, "At most %d vaults can have a fault at a time.", FAULTS_MAX);
    return change_run(tx, arg, err);
}

enum sb_err faults_put(struct engine *e, const struct fault *f, struct sb_error *err)
{
    struct fault row = *f;
    struct change c = {e->faults, &row, NULL};
    text_tolower(row.target);
    if (row.target[0] == '\0' || row.kind == FAULT_NONE || row.count == 0 || row.count < -1)
        return sb_fail(err, SB_EINVAL, "A fault needs a target, a kind and a count above 0.");
    return store_call_publish(e->kv, put_run, change_publish, &c, err);
}

enum sb_err faults_clear(struct engine *e, const char *target, struct sb_error *err)
{
    struct change c = {e->faults, NULL, target};
    return store_call_publish(e->kv, change_run, change_publish, &c, err);
}

size_t faults_list(struct engine *e, struct fault *ret, size_t max)
{
    struct faults *f = e->faults;
    pthread_mutex_lock(&f->lock);
    size_t n = SB_MIN(atomic_load(&f->n), max);
    memcpy(ret, f->row, n * sizeof *ret);
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* ---- hits ---- */

struct hit_op {
    struct store_op op;
    char target[sizeof((struct fault *)0)->target];
};

static enum sb_err hit_run(struct tx *tx, struct store_op *op, struct sb_error *err)
{
    enum sb_err rc = st_fault_decrement(tx, ((struct hit_op *)op)->target, err);
    return rc == SB_ENOTFOUND ? SB_OK : rc; /* cleared meanwhile */
}

static void hit_done(struct store_op *op)
{
    free(op);
}

static void count_down_stored(struct engine *e, const char *vault)
{
    struct hit_op *op = calloc(1, sizeof *op);
    if (!op)
        return; /* the row keeps one hit too many, which shows after a restart only */
    op->op.run = hit_run;
    op->op.done = hit_done;
    (void)text_copy(op->target, sizeof op->target, vault);
    store_submit(e->kv, &op->op);
}

enum fault_kind faults_hit(struct engine *e, const char *vault, bool client, int *ret_status)
{
    struct faults *f = e->faults;
    enum fault_kind kind = FAULT_NONE;
    bool limited = false;
    if (atomic_load(&f->n) == 0)
        return FAULT_NONE;
    pthread_mutex_lock(&f->lock);
    size_t i = find(f, vault);
    if (i < atomic_load(&f->n) && (f->row[i].all || !client)) {
        kind = f->row[i].kind;
        *ret_status = f->row[i].status;
        limited = f->row[i].count > 0;
        if (limited && --f->row[i].count == 0)
            drop(f, i);
    }
    pthread_mutex_unlock(&f->lock);
    if (limited)
        count_down_stored(e, vault);
    return kind;
}

/* ---- life cycle ---- */

static enum sb_err load(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct faults *f = arg;
    struct st_fault *rows = NULL;
    size_t rows_n = 0, n = 0;
    struct sb_arena *a = arena_new(1 << 20);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "out of memory loading faults");
    SB_TRY(st_fault_list(tx, a, &rows, &rows_n, err));
    for (size_t i = 0; i < rows_n && n < FAULTS_MAX; i++) {
        struct fault *to = &f->row[n];
        /* A kind that an older build does not know cannot be played. */
        if (!text_copy(to->target, sizeof to->target, rows[i].target) ||
            !faults_kind_parse(rows[i].kind, &to->kind))
            continue;
        to->count = rows[i].remaining == 0 ? -1 : rows[i].remaining;
        to->status = (int)rows[i].status;
        to->all = rows[i].scope && text_ieq(rows[i].scope, SCOPE_ALL);
        n++;
    }
    atomic_store(&f->n, n);
out:
    arena_free(a);
    return rc;
}

enum sb_err faults_open(struct engine *e, struct sb_error *err)
{
    enum sb_err rc;
    struct faults *f = calloc(1, sizeof *f);
    if (!f)
        return sb_fail(err, SB_ENOMEM, "out of memory loading faults");
    atomic_init(&f->n, 0);
    pthread_mutex_init(&f->lock, NULL);
    e->faults = f;
    SB_TRY(store_read(e->kv, load, f, err));
out:
    if (rc != SB_OK)
        faults_close(e);
    return rc;
}

void faults_close(struct engine *e)
{
    struct faults *f = e->faults;
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
    e->faults = NULL;
}
