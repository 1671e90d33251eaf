/*
 * clock.h: where time comes from. Milliseconds since 1970-01-01 UTC in an int64_t, nothing else.
 *
 * Two clocks (semantics 23): the machine's, for tokens, SAS and certificates, and the emulator's, for all
 * else. The emulator's clock is the machine's plus an offset (real), or a value that only clock_advance_to
 * moves (manual). Thread-safe.
 */
#ifndef SB_CLOCK_H
#define SB_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct sb_clock;

/* mode manual: time is start_ms until moved. mode real: start_ms is the initial offset in ms. NULL: out of
 * memory. */
struct sb_clock *clock_new(bool manual, int64_t start_ms);
void clock_free(struct sb_clock *c);
bool clock_is_manual(const struct sb_clock *c);
/* The emulator's time. On a real clock it never steps back (a backwards step of the machine's clock is held).
 */
int64_t clock_now(struct sb_clock *c);
/* Moves the emulator's time to at least t (manual: sets it; real: grows the offset). Never moves back. */
void clock_advance_to(struct sb_clock *c, int64_t t);
/* Offset against the machine's clock in ms (manual: value minus machine time). */
int64_t clock_offset(struct sb_clock *c);
/* The machine's time, and a monotonic one for timeouts and measurements (ms). */
int64_t clock_machine_now(void);
int64_t clock_monotonic(void);
int64_t clock_monotonic_ns(void); /* the same clock in ns */

#endif
