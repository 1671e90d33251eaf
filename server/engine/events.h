/*
 * events.h: the event log of contract 4: stream "key" (the service-side customer-managed key log, stored in
 * servicebus.db in the transaction of the change it tells of) and stream "audit" (each vault operation,
 * stored in keyvault.db in batches after the answer). One id sequence over both.
 */
#ifndef SB_EVENTS_H
#define SB_EVENTS_H

#include "server/engine/engine.h"
#include "storage/st_event.h"

SB_MUST enum sb_err events_open(struct engine *e, struct sb_error *err);
/* Waits until the audit rows queued so far are stored. Not on the vault store's thread. */
void events_flush(struct engine *e);
void events_close(struct engine *e); /* after the stores are closed; flush first */
/* The next event id and the emulator's time are filled in by both. Text is copied. */
SB_MUST enum sb_err events_key(struct engine *e, struct tx *sb_tx, struct st_event *ev, struct sb_error *err);
void events_audit(struct engine *e, const struct st_event *ev); /* any thread; never fails, never waits */
/* The newest ids that the log keeps, both streams together. */
#define EVENTS_KEEP 100000

/* Oldest first, both streams merged, ids above since, and none that was given out after the call began:
 * whoever goes on from the last id misses nothing. *ret_gap: ones above since were dropped. Flushes queued
 * audit rows first. */
SB_MUST enum sb_err events_list(struct engine *e, int64_t since, size_t limit, struct sb_arena *a,
                                struct st_event **ret, size_t *ret_n, bool *ret_gap, struct sb_error *err);
/* Empties both logs; ids go on. */
SB_MUST enum sb_err events_reset(struct engine *e, struct sb_error *err);
/* Id of the newest event so far (for "what did this step cause"). */
int64_t events_last_id(struct engine *e);

#endif
