/* st_alias.h: rows of geo-DR aliases: at most one for a namespace. Inside a transaction of servicebus.db
 * only. */
#ifndef SB_ST_ALIAS_H
#define SB_ST_ALIAS_H

#include "storage/store.h"

struct st_alias {
    int64_t ns;
    const char *name;
    int role;        /* 1 primary, 2 primary without a partner, 3 secondary */
    int64_t partner; /* 0: none */
};

/* In place of the namespace's alias, if it has one. SB_ECONFLICT when the name is taken. */
SB_MUST enum sb_err st_alias_put(struct tx *tx, const struct st_alias *row, struct sb_error *err);
SB_MUST enum sb_err st_alias_drop(struct tx *tx, int64_t ns, struct sb_error *err);
/* Calls f for each; its texts live as long as the call. */
SB_MUST enum sb_err st_alias_each(struct tx *tx, struct sb_arena *a,
                                  enum sb_err (*f)(const struct st_alias *row, void *arg,
                                                   struct sb_error *err),
                                  void *arg, struct sb_error *err);

#endif
