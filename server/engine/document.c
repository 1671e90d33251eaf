/* document.c: see document.h. */
#include "server/engine/document.h"

struct access {
    struct sb_arena *a;
    struct st_document d; /* what is looked for, put or found */
    bool below, found;
    struct st_document *rows;
    size_t n;
};

static enum sb_err run_put(struct tx *tx, void *arg, struct sb_error *err)
{
    struct access *x = arg;
    return st_document_put(tx, &x->d, err);
}

static enum sb_err run_get(struct tx *tx, void *arg, struct sb_error *err)
{
    struct access *x = arg;
    return st_document_get(tx, x->d.id, x->a, &x->found, &x->d, err);
}

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct access *x = arg;
    return st_document_list(tx, x->d.kind, x->d.scope, x->below, x->a, &x->rows, &x->n, err);
}

static enum sb_err run_remove(struct tx *tx, void *arg, struct sb_error *err)
{
    struct access *x = arg;
    return st_document_drop(tx, x->d.id, err);
}

enum sb_err document_put(struct engine *e, const struct st_document *d, struct sb_error *err)
{
    struct access x = {.d = *d};
    x.d.changed_ms = engine_now(e);
    return store_call_joined(e->kv, run_put, NULL, &x, err);
}

enum sb_err document_get(struct engine *e, const char *id, struct sb_arena *a, bool *ret_found,
                         struct st_document *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct access x = {.a = a, .d.id = id};
    SB_TRY(store_read(e->kv, run_get, &x, err));
    *ret_found = x.found;
    if (x.found)
        *ret = x.d;
out:
    return rc;
}

enum sb_err document_list(struct engine *e, enum document_kind kind, const char *scope, bool below,
                          struct sb_arena *a, struct st_document **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    struct access x = {.a = a, .d = {.kind = kind, .scope = scope}, .below = below};
    SB_TRY(store_read(e->kv, run_list, &x, err));
    *ret = x.rows;
    *ret_n = x.n;
out:
    return rc;
}

enum sb_err document_remove(struct engine *e, const char *id, struct sb_error *err)
{
    struct access x = {.d.id = id};
    return store_call(e->kv, run_remove, &x, err);
}
