/*
 * st_keypolicy.h: rows of keys' rotation policies (keyvault.db). Functions run inside a transaction; text is
 * in the caller's arena.
 */
#ifndef SB_ST_KEYPOLICY_H
#define SB_ST_KEYPOLICY_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

struct st_keypolicy {
    int64_t object_id;
    const char *rotate_after, *rotate_before; /* ISO 8601 durations as sent, or NULL; at most one is set */
    const char *notify_before;
    const char *expiry;
    int64_t created, updated; /* unix seconds */
    int64_t rotate, notify;   /* when they fall due, unix seconds; 0: never */
    int64_t notified_id;      /* the version whose coming end was told; 0: none */
};

/* A key whose policy has something to do. */
struct st_keypolicy_due {
    int64_t object_id, vault_id;
    const char *name, *vault;
    int64_t at; /* unix seconds */
};

SB_MUST enum sb_err st_keypolicy_put(struct tx *tx, const struct st_keypolicy *p, struct sb_error *err);
SB_MUST enum sb_err st_keypolicy_get(struct tx *tx, int64_t object_id, struct sb_arena *a, bool *ret_found,
                                     struct st_keypolicy *ret, struct sb_error *err);
/* The earliest rotation (or notice) at or before now, of a vault that is not deleted. */
SB_MUST enum sb_err st_keypolicy_due(struct tx *tx, bool rotation, int64_t now, struct sb_arena *a,
                                     bool *ret_found, struct st_keypolicy_due *ret, struct sb_error *err);

#endif
