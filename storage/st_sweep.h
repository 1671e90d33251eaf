/*
 * st_sweep.h: what entities leave behind that are gone: messages and seen message ids. Neither goes with its
 * entity's row, as there may be millions.
 */
#ifndef SB_ST_SWEEP_H
#define SB_ST_SWEEP_H

#include "storage/store.h"

/* Where a sweep has come to; zeros: its beginning. */
struct st_sweep {
    size_t table;
    int64_t entity; /* the last one that was looked at */
};

/* Of what this entity has, the first `max` rows of each table. */
SB_MUST enum sb_err st_sweep_entity(struct tx *tx, int64_t entity, int max, struct sb_error *err);
/* Of all entities that are gone (ids are never used again): deletes at most max rows, or looks at max
 * entities. *ret_more: call again, with the new *at. */
SB_MUST enum sb_err st_sweep_gone(struct tx *tx, struct st_sweep *at, int max, bool *ret_more,
                                  struct sb_error *err);

#endif
