/*
 * activity.h: the activity log: each write over ARM, with who asked and how it ended. Rows are written behind
 * the answer, in the order of the answers, and are there for whoever lists after it; a kill may lose the
 * last. The newest ACTIVITY_KEEP stay, over restarts, until a reset.
 */
#ifndef SB_ACTIVITY_H
#define SB_ACTIVITY_H

#include "server/engine/engine.h"
#include "storage/st_activity.h"

#define ACTIVITY_KEEP 10000

/* Texts are copied; never fails, never waits (a row that does not fit into memory is left out). Any thread
 * but the vault store's. */
void activity_add(struct engine *e, const struct st_activity *x);

/* Rows that are put aside, and written later together: a deployment's resources have many, and nobody can
 * have seen an answer before the deployment's own. Zeroed: empty. */
struct activity_rows {
    struct activity_row *first, *last;
};
void activity_put_aside(struct activity_rows *rows, const struct st_activity *x);
/* Appends all of `from`, which is empty then. */
void activity_move(struct activity_rows *rows, struct activity_rows *from);
/* Lets `edit` change the letters of each row's message in place. */
void activity_edit(struct activity_rows *rows, void (*edit)(void *cookie, char *message), void *cookie);
/* Writes them in order; the list is empty then. */
void activity_write(struct engine *e, struct activity_rows *rows);
SB_MUST enum sb_err activity_list(struct engine *e, const struct st_activity_query *q, struct sb_arena *a,
                                  struct st_activity **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err activity_reset(struct engine *e, struct sb_error *err);

#endif
