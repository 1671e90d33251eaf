/*
 * st_role.h: rows of custom role definitions, and of role assignments that were removed but count a while
 * longer (keyvault.db).
 *
 * All functions run inside a transaction of that database; text of rows that are read is in the caller's
 * arena.
 */
#ifndef SB_ST_ROLE_H
#define SB_ST_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

struct st_role {
    const char *id, *name, *description;
    const char *actions, *not_actions, *data_actions, *not_data_actions; /* one a line */
    const char *scopes;                                                  /* one a line, at least one */
    const char *created_by, *updated_by;
    int64_t created_ms, updated_ms;
};

/* Adds one, or replaces all but creation of the one with this id. SB_ECONFLICT when another one has the name.
 */
SB_MUST enum sb_err st_role_put(struct tx *tx, const struct st_role *r, struct sb_error *err);
SB_MUST enum sb_err st_role_get(struct tx *tx, const char *id, struct sb_arena *a, bool *ret_found,
                                struct st_role *ret, struct sb_error *err);
/* All, by time of creation. */
SB_MUST enum sb_err st_role_list(struct tx *tx, struct sb_arena *a, struct st_role **ret, size_t *ret_n,
                                 struct sb_error *err);
/* id NULL: every one. */
SB_MUST enum sb_err st_role_drop(struct tx *tx, const char *id, struct sb_error *err);

struct st_ending {
    const char *scope, *role_id, *principal_id;
    int64_t until_ms;
};
SB_MUST enum sb_err st_ending_add(struct tx *tx, const struct st_ending *r, struct sb_error *err);
SB_MUST enum sb_err st_ending_list(struct tx *tx, struct sb_arena *a, struct st_ending **ret, size_t *ret_n,
                                   struct sb_error *err);
/* Drops what has ended at now_ms. */
SB_MUST enum sb_err st_ending_trim(struct tx *tx, int64_t now_ms, struct sb_error *err);
/* At this scope and below; "": everywhere. */
SB_MUST enum sb_err st_ending_drop_scope(struct tx *tx, const char *scope, struct sb_error *err);

#endif
