/*
 * document.h: ARM resources that have no engine of their own: deployments, and resources of providers that
 * are not emulated, which are kept and shown as they were sent. They go with their resource group.
 *
 * Any thread that may block. Text read lives in the arena.
 */
#ifndef SB_DOCUMENT_H
#define SB_DOCUMENT_H

#include "server/engine/engine.h"
#include "storage/st_document.h"

/* Adds or replaces; changed_ms is set to now. */
SB_MUST enum sb_err document_put(struct engine *e, const struct st_document *d, struct sb_error *err);
/* *ret_found false: there is none, *ret untouched. */
SB_MUST enum sb_err document_get(struct engine *e, const char *id, struct sb_arena *a, bool *ret_found,
                                 struct st_document *ret, struct sb_error *err);
SB_MUST enum sb_err document_list(struct engine *e, enum document_kind kind, const char *scope, bool below,
                                  struct sb_arena *a, struct st_document **ret, size_t *ret_n,
                                  struct sb_error *err);
SB_MUST enum sb_err document_remove(struct engine *e, const char *id, struct sb_error *err);

#endif
