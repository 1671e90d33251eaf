/* st_diagnostic.h: diagnostic settings of resources (keyvault.db). Inside a transaction; text read is in the
 * arena. */
#ifndef SB_ST_DIAGNOSTIC_H
#define SB_ST_DIAGNOSTIC_H

#include <stddef.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

struct st_diagnostic {
    const char *scope, *name; /* case ignored */
    const char *body;         /* JSON text */
};

/* Adds or replaces. */
SB_MUST enum sb_err st_diagnostic_put(struct tx *tx, const struct st_diagnostic *d, struct sb_error *err);
/* Those of a scope, by name. */
SB_MUST enum sb_err st_diagnostic_list(struct tx *tx, const char *scope, struct sb_arena *a,
                                       struct st_diagnostic **ret, size_t *ret_n, struct sb_error *err);
/* scope NULL: every one; name NULL: every one of the scope. */
SB_MUST enum sb_err st_diagnostic_drop(struct tx *tx, const char *scope, const char *name,
                                       struct sb_error *err);

#endif
