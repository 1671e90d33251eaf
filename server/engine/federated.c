/* federated.c: see federated.h. The texts of refusals are ours. */
#include "server/engine/federated.h"
#include <stdlib.h>
#include "server/base/text.h"
#include "server/engine/document.h"
#include "storage/st_directory.h"

struct access {
    struct sb_arena *a;
    const struct uai *of;
    struct st_document d; /* put or removed; extra: issuer and subject, a line each */
    bool existed;
};

static const char *id_of(const struct access *x, const char *name)
{
    return arena_printf(x->a, "%s/federatedIdentityCredentials/%s", x->of->id, name);
}

/* Is there room for it beside the others? */
static enum sb_err check_others(struct tx *tx, struct access *x, struct sb_error *err)
{
    enum sb_err rc;
    struct st_document *list = NULL;
    size_t n = 0;
    SB_TRY(st_document_list(tx, DOCUMENT_RESOURCE, x->of->id, false, x->a, &list, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(list[i].name, x->d.name))
            x->existed = true;
        else if (list[i].extra != NULL && strcmp(list[i].extra, x->d.extra) == 0)
            return sb_fail(
                err, SB_ECONFLICT,
                "Issuer and subject combination already exists for this Managed Identity: '%.120s'.",
                list[i].name);
    }
    if (!x->existed && n >= FEDERATED_MAX)
        return sb_fail(err, SB_ELIMIT, "A managed identity has at most %d federated identity credentials.",
                       FEDERATED_MAX);
out:
    return rc;
}

static enum sb_err run_put(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct access *x = arg;
    struct st_identity identity;
    bool found = false;
    SB_TRY(st_identity_get(tx, x->of->sub, x->of->group, x->of->name, x->a, &found, &identity, err));
    if (!found)
        return sb_fail(err, SB_ENOTFOUND, "The identity '%.400s' was deleted meanwhile.", x->of->id);
    SB_TRY(check_others(tx, x, err));
    rc = st_document_put(tx, &x->d, err);
out:
    return rc;
}

enum sb_err federated_put(struct engine *e, const struct uai *of, const struct federated *f,
                          struct sb_arena *a, struct st_document *ret, bool *ret_created,
                          struct sb_error *err)
{
    enum sb_err rc;
    struct access x = {.a = a, .of = of};
    x.d = (struct st_document){
        .kind = DOCUMENT_RESOURCE,
        .id = id_of(&x, f->name),
        .scope = of->id,
        .name = f->name,
        .type = FEDERATED_TYPE,
        .body = f->body,
        .extra = arena_printf(a, "%s\n%s", f->issuer, f->subject),
        .changed_ms = engine_now(e),
    };
    if (x.d.id == NULL || x.d.extra == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_call(e->kv, run_put, &x, err));
    *ret = x.d;
    *ret_created = !x.existed;
out:
    return rc;
}

enum sb_err federated_get(struct engine *e, const struct uai *of, const char *name, struct sb_arena *a,
                          struct st_document *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    const char *id = id_of(&(struct access){.a = a, .of = of}, name);
    if (id == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(document_get(e, id, a, &found, ret, err));
    if (!found)
        rc = sb_fail(err, SB_ENOTFOUND,
                     "The federated identity credential '%.120s' of the identity '%.128s' was not found.",
                     name, of->name);
out:
    return rc;
}

static int by_name(const void *a, const void *b)
{
    const struct st_document *x = a, *y = b;
    return strcmp(x->name, y->name);
}

enum sb_err federated_list(struct engine *e, const struct uai *of, struct sb_arena *a,
                           struct st_document **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(document_list(e, DOCUMENT_RESOURCE, of->id, false, a, ret, ret_n, err));
    if (*ret_n > 1)
        qsort(*ret, *ret_n, sizeof **ret, by_name);
out:
    return rc;
}

static enum sb_err run_remove(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct access *x = arg;
    struct st_document old;
    SB_TRY(st_document_get(tx, x->d.id, x->a, &x->existed, &old, err));
    rc = st_document_drop(tx, x->d.id, err);
out:
    return rc;
}

enum sb_err federated_remove(struct engine *e, const struct uai *of, const char *name, struct sb_arena *a,
                             bool *ret_existed, struct sb_error *err)
{
    enum sb_err rc;
    struct access x = {.a = a, .of = of};
    x.d.id = id_of(&x, name);
    if (x.d.id == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(store_call(e->kv, run_remove, &x, err));
    *ret_existed = x.existed;
out:
    return rc;
}
