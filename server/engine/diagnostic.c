/* diagnostic.c: diagnostic settings. */
#include "server/engine/diagnostic.h"
#include "server/base/text.h"

#define SETTINGS_BYTES_MAX (1u << 20)

struct change {
    const struct st_diagnostic *d;
    struct sb_arena *a;
    bool found;
};

/* Looks for the setting among those of its scope. */
static enum sb_err look(struct tx *tx, struct change *c, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct st_diagnostic *rows = NULL;
    SB_TRY(st_diagnostic_list(tx, c->d->scope, c->a, &rows, ret_n, err));
    c->found = false;
    for (size_t i = 0; i < *ret_n; i++)
        c->found = c->found || text_ieq(rows[i].name, c->d->name);
out:
    return rc;
}

static enum sb_err run_put(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct change *c = arg;
    size_t n = 0;
    SB_TRY(look(tx, c, &n, err));
    if (!c->found && n >= DIAGNOSTIC_MAX)
        return sb_fail(err, SB_ELIMIT, "A resource can have at most %d diagnostic settings.", DIAGNOSTIC_MAX);
    SB_TRY(st_diagnostic_put(tx, c->d, err));
out:
    return rc;
}

static enum sb_err run_remove(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct change *c = arg;
    size_t n = 0;
    SB_TRY(look(tx, c, &n, err));
    if (c->found)
        SB_TRY(st_diagnostic_drop(tx, c->d->scope, c->d->name, err));
out:
    return rc;
}

static enum sb_err change(struct engine *e, const struct st_diagnostic *d,
                          enum sb_err (*run)(struct tx *, void *, struct sb_error *), bool *ret_found,
                          struct sb_error *err)
{
    struct change c = {.d = d, .a = arena_new(SETTINGS_BYTES_MAX)};
    if (c.a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory for diagnostic settings");
    enum sb_err rc = store_call(e->kv, run, &c, err);
    if (rc == SB_OK)
        *ret_found = c.found;
    arena_free(c.a);
    return rc;
}

enum sb_err diagnostic_put(struct engine *e, const struct st_diagnostic *d, struct sb_error *err)
{
    bool found;
    return change(e, d, run_put, &found, err);
}

enum sb_err diagnostic_remove(struct engine *e, const char *scope, const char *name, bool *ret_existed,
                              struct sb_error *err)
{
    const struct st_diagnostic d = {.scope = scope, .name = name};
    return change(e, &d, run_remove, ret_existed, err);
}

struct list {
    const char *scope;
    struct sb_arena *a;
    struct st_diagnostic *rows;
    size_t n;
};

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct list *l = arg;
    return st_diagnostic_list(tx, l->scope, l->a, &l->rows, &l->n, err);
}

enum sb_err diagnostic_list(struct engine *e, const char *scope, struct sb_arena *a,
                            struct st_diagnostic **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct list l = {.scope = scope, .a = a};
    SB_TRY(store_read(e->kv, run_list, &l, err));
    *ret = l.rows;
    *ret_n = l.n;
out:
    return rc;
}

enum sb_err diagnostic_drop_all(struct tx *tx, struct sb_error *err)
{
    return st_diagnostic_drop(tx, NULL, NULL, err);
}
