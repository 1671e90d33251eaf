/*
 * timeline.h: everything that falls due runs through here, in order of its time: polls, lock expiry, message expiry and
 * activation, purge dates. On a real clock a timer thread runs it; on a manual clock (and for an advance) the control plane does.
 */
#ifndef SB_TIMELINE_H
#define SB_TIMELINE_H

#include "server/engine/engine.h"

#define TIMELINE_NEVER INT64_MAX

struct timeline_event {
    int64_t time;
    const char *kind;   /* "poll", "lockExpired", "messageExpired", "messageActivated", "keyPurged", "vaultPurged", … */
    const char *target; /* namespace, entity or vault, and what happened */
};

SB_MUST enum sb_err timeline_open(struct engine *e, struct sb_error *err); /* restores offset or manual time */
SB_MUST enum sb_err timeline_start(struct engine *e, struct sb_error *err); /* timer thread on a real clock */
void timeline_stop(struct engine *e);
void timeline_close(struct engine *e);
/* Something may now fall due earlier than the timer thinks. Any thread, cheap. */
void timeline_poke(struct engine *e);
/* Moves the clock step by step to now + ms, running what falls due on the way; requests are served between the steps. SB_ECONFLICT when
 * another advance runs, SB_EINVAL beyond two years. At most max events are returned; *ret_total counts all. */
SB_MUST enum sb_err timeline_advance(struct engine *e, int64_t ms, struct sb_arena *a, struct timeline_event **ret, size_t max,
                                     size_t *ret_n, size_t *ret_total, struct sb_error *err);
/* Records an event of the running advance (no-op outside one). Any thread. Text is copied. */
void timeline_note(struct engine *e, int64_t time, const char *kind, const char *fmt, ...) SB_PRINTF(4, 5);

#endif
