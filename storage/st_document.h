/* st_document.h: ARM documents: deployments, and resources of providers that are not emulated (keyvault.db).
 * Inside a transaction; text read is in the arena. */
#ifndef SB_ST_DOCUMENT_H
#define SB_ST_DOCUMENT_H

#include <stddef.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

enum document_kind { DOCUMENT_DEPLOYMENT, DOCUMENT_RESOURCE };

struct st_document {
    enum document_kind kind;
    const char *id, *scope, *name, *type; /* case ignored; scope: the group, subscription … that it is in */
    const char *location;                 /* or NULL */
    const char *body;                     /* JSON text, as it is shown */
    const char *extra;                    /* JSON text for its owner alone, or NULL */
    int64_t changed_ms;
};

/* Adds or replaces. */
SB_MUST enum sb_err st_document_put(struct tx *tx, const struct st_document *d, struct sb_error *err);
SB_MUST enum sb_err st_document_get(struct tx *tx, const char *id, struct sb_arena *a, bool *ret_found,
                                    struct st_document *ret, struct sb_error *err);
/* Those of a scope (below: and of scopes below it), the newest first. */
SB_MUST enum sb_err st_document_list(struct tx *tx, enum document_kind kind, const char *scope, bool below,
                                     struct sb_arena *a, struct st_document **ret, size_t *ret_n,
                                     struct sb_error *err);
SB_MUST enum sb_err st_document_drop(struct tx *tx, const char *id, struct sb_error *err);
/* Everything in that scope and below it; scope NULL: everything. */
SB_MUST enum sb_err st_document_drop_scope(struct tx *tx, const char *scope, struct sb_error *err);

#endif
