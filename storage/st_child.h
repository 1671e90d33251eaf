/* st_child.h: rows of small resources below a namespace, kept as the ARM layer wrote them. Inside a
 * transaction of servicebus.db only. */
#ifndef SB_ST_CHILD_H
#define SB_ST_CHILD_H

#include "storage/store.h"

struct st_child {
    const char *name, *body;
};

SB_MUST enum sb_err st_child_put(struct tx *tx, int64_t ns, const char *kind, const struct st_child *row,
                                 struct sb_error *err);
SB_MUST enum sb_err st_child_delete(struct tx *tx, int64_t ns, const char *kind, const char *name,
                                    struct sb_error *err);
/* By name, at most max; name NULL: all. */
SB_MUST enum sb_err st_child_list(struct tx *tx, int64_t ns, const char *kind, const char *name, size_t max,
                                  struct sb_arena *a, struct st_child **ret, size_t *ret_n,
                                  struct sb_error *err);
SB_MUST enum sb_err st_child_count(struct tx *tx, int64_t ns, const char *kind, int64_t *ret,
                                   struct sb_error *err);

#endif
