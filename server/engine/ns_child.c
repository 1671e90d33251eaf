/* ns_child.c: small resources below a namespace. */
#include "server/engine/ns_child.h"
#include "server/engine/engine.h"
#include "storage/st_child.h"

struct call {
    struct engine *e;
    int64_t ns;
    const char *kind, *name;
    const struct child *put;
    struct sb_arena *a;
    struct st_child *rows;
    size_t n;
};

static enum sb_err run_list(struct tx *tx, void *arg, struct sb_error *err)
{
    struct call *c = arg;
    return st_child_list(tx, c->ns, c->kind, c->name, NS_CHILDREN_MAX, c->a, &c->rows, &c->n, err);
}

static enum sb_err run_put(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct call *c = arg;
    int64_t count = 0;
    if (ns_find_id(c->e, c->ns) == NULL)
        return sb_fail(err, SB_ENONAMESPACE, "The namespace does not exist.");
    const struct st_child row = {c->put->name, c->put->body};
    SB_TRY(st_child_put(tx, c->ns, c->kind, &row, err));
    SB_TRY(st_child_count(tx, c->ns, c->kind, &count, err));
    if (count > NS_CHILDREN_MAX)
        rc = sb_fail(err, SB_ELIMIT, "A namespace can have at most %d of these.", NS_CHILDREN_MAX);
out:
    return rc;
}

static enum sb_err run_delete(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct call *c = arg;
    SB_TRY(run_list(tx, arg, err));
    if (c->n > 0)
        SB_TRY(st_child_delete(tx, c->ns, c->kind, c->name, err));
out:
    return rc;
}

enum sb_err ns_child_put(struct engine *e, int64_t ns, const char *kind, const struct child *child,
                         struct sb_error *err)
{
    struct call c = {.e = e, .ns = ns, .kind = kind, .put = child};
    return store_call(e->sb, run_put, &c, err);
}

enum sb_err ns_child_get(struct engine *e, int64_t ns, const char *kind, const char *name, struct sb_arena *a,
                         bool *ret_found, struct child *ret, struct sb_error *err)
{
    struct call c = {.e = e, .ns = ns, .kind = kind, .name = name, .a = a};
    enum sb_err rc = store_read(e->sb, run_list, &c, err);
    if (rc != SB_OK)
        return rc;
    *ret_found = c.n > 0;
    if (c.n > 0)
        *ret = (struct child){c.rows[0].name, c.rows[0].body};
    return SB_OK;
}

enum sb_err ns_child_list(struct engine *e, int64_t ns, const char *kind, struct sb_arena *a,
                          struct child **ret, size_t *ret_n, struct sb_error *err)
{
    struct call c = {.e = e, .ns = ns, .kind = kind, .a = a};
    enum sb_err rc = store_read(e->sb, run_list, &c, err);
    struct child *list = rc == SB_OK ? ARENA_ARRAY(a, struct child, c.n + 1) : NULL;
    if (rc != SB_OK)
        return rc;
    if (list == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory listing resources");
    for (size_t i = 0; i < c.n; i++)
        list[i] = (struct child){c.rows[i].name, c.rows[i].body};
    *ret = list;
    *ret_n = c.n;
    return SB_OK;
}

enum sb_err ns_child_delete(struct engine *e, int64_t ns, const char *kind, const char *name,
                            bool *ret_existed, struct sb_error *err)
{
    struct sb_arena *a = arena_new(1 << 20);
    struct call c = {.e = e, .ns = ns, .kind = kind, .name = name, .a = a};
    if (a == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory deleting a resource");
    enum sb_err rc = store_call(e->sb, run_delete, &c, err);
    if (rc == SB_OK)
        *ret_existed = c.n > 0;
    arena_free(a);
    return rc;
}
