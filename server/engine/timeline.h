/*
 * timeline.h: everything that falls due runs through here, in order of its time: polls, lock expiry, message
 * expiry and activation, purge dates. On a real clock a timer thread runs it; on a manual clock (and for an
 * advance) the control plane does.
 */
#ifndef SB_TIMELINE_H
#define SB_TIMELINE_H

#include "server/engine/engine.h"

#define TIMELINE_NEVER INT64_MAX

struct timeline_event {
    int64_t time;
    const char *kind;   /* "poll", "lockExpired", "messageExpired", "keyPurged", … */
    const char *target; /* namespace, entity or vault, and what happened */
};

/* Restores the offset or the manual time from the Service Bus store and makes e->clock. The emulator's time
 * never goes back over a restart, also when the mode of the clock is another one than before. */
SB_MUST enum sb_err timeline_open(struct engine *e, struct sb_error *err);
SB_MUST enum sb_err timeline_start(struct engine *e, struct sb_error *err); /* the timer thread */
void timeline_stop(struct engine *e);  /* joins the timer thread; a running advance ends early */
void timeline_close(struct engine *e); /* also frees e->clock; NULL members are ok */
/* Hooks of the Service Bus store, on its owner thread: a clock that has moved is stored with whatever is. */
SB_MUST enum sb_err timeline_before_commit(struct engine *e, struct tx *tx, struct sb_error *err);
void timeline_batch_lost(struct engine *e);
/* Something may now fall due earlier than the timer thinks. Any thread, cheap. */
void timeline_poke(struct engine *e);

#define TIMELINE_ADVANCE_MAX_MS (INT64_C(730) * 24 * 3600 * 1000) /* P2Y (semantics 24) */
#define TIMELINE_KINDS          24 /* different kinds of event that are counted apart */

/* What an advance did: the first events in the order they ran, and the number of all of them, whole and by
 * kind. */
struct timeline_result {
    struct timeline_event *events;
    size_t n, total;
    struct {
        const char *kind;
        size_t n;
    } counts[TIMELINE_KINDS];
    size_t counts_n;
};

/* Moves the clock step by step to now + ms, running what falls due on the way; requests are served between
 * the steps. At each time what is due runs in the order vault, polls, broker: a poll sees the purges of its
 * instant, and messages see the poll's outcome. Durable when it returns: a crash meanwhile leaves the clock
 * at one of the last steps that ran, never behind what servicebus.db holds. At most max events are returned.
 * SB_ECONFLICT when another advance runs, SB_EINVAL when negative or beyond two years, SB_EUNAVAILABLE when
 * the emulator stops meanwhile. */
SB_MUST enum sb_err timeline_advance(struct engine *e, int64_t ms, struct sb_arena *a, size_t max,
                                     struct timeline_result *ret, struct sb_error *err);
/* Records an event of the running advance (no-op outside one). Any thread. Text is copied. */
void timeline_note(struct engine *e, int64_t time, const char *kind, const char *fmt, ...) SB_PRINTF(4, 5);

#endif
