/* provider.c: registration of resource providers. */
#include "server/engine/provider.h"
#include "storage/st_provider.h"

struct registration {
    const char *sub, *name;
    bool registered;
};

static enum sb_err set_run(struct tx *tx, void *arg, struct sb_error *err)
{
    const struct registration *x = arg;
    return st_provider_set(tx, x->sub, x->name, x->registered, err);
}

enum sb_err provider_set(struct engine *e, const char *sub, const char *name, bool registered,
                         struct sb_error *err)
{
    struct registration x = {sub, name, registered};
    return store_call(e->kv, set_run, &x, err);
}

static enum sb_err get_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct registration *x = arg;
    return st_provider_registered(tx, x->sub, x->name, &x->registered, err);
}

enum sb_err provider_registered(struct engine *e, const char *sub, const char *name, bool *ret,
                                struct sb_error *err)
{
    struct registration x = {sub, name, true};
    enum sb_err rc = store_read(e->kv, get_run, &x, err);
    if (rc == SB_OK)
        *ret = x.registered;
    return rc;
}

static enum sb_err reset_run(struct tx *tx, void *arg, struct sb_error *err)
{
    SB_UNUSED(arg);
    return st_provider_clear(tx, err);
}

enum sb_err provider_reset(struct engine *e, struct sb_error *err)
{
    return store_call(e->kv, reset_run, NULL, err);
}
