/*
 * diagnostic.h: diagnostic settings of resources: where their logs are to go. They are kept and shown;
 * nothing is sent anywhere, the events themselves are in the event log (events.h).
 *
 * As documented of the service, the settings of a deleted resource are not deleted with it: they are there
 * again when a resource of the same id is.
 */
#ifndef SB_DIAGNOSTIC_H
#define SB_DIAGNOSTIC_H

#include "server/engine/engine.h"
#include "storage/st_diagnostic.h"

#define DIAGNOSTIC_MAX 5 /* of one resource (documented) */

/* d: scope (the resource's id), name, body (JSON text). SB_ELIMIT. */
SB_MUST enum sb_err diagnostic_put(struct engine *e, const struct st_diagnostic *d, struct sb_error *err);
SB_MUST enum sb_err diagnostic_list(struct engine *e, const char *scope, struct sb_arena *a,
                                    struct st_diagnostic **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err diagnostic_remove(struct engine *e, const char *scope, const char *name,
                                      bool *ret_existed, struct sb_error *err);
/* All of them (reset). Inside a kv transaction. */
SB_MUST enum sb_err diagnostic_drop_all(struct tx *tx, struct sb_error *err);

#endif
