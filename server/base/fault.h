/*
 * fault.h: named points at which a test can make the program fail or die.
 *
 * `if (SB_FAULT("store.commit.before")) ...` is the constant false unless built with FAULTS=1. In such a
 * build the environment SEALEDBUS_FAULT="name:N" makes the Nth hit of that point (from 1) true, once;
 * "name:N:kill" sends SIGKILL to the process there instead. Thread-safe.
 */
#ifndef SB_FAULT_H
#define SB_FAULT_H

#include <stdbool.h>

#ifdef SB_FAULTS
#define SB_FAULT(name) fault_hit(name)

bool fault_hit(const char *name);
/* Replaces what the environment said and starts counting anew; NULL: no fault. False when malformed (then:
 * none). */
bool fault_arm(const char *spec);
/* How often the point named by the current spec was met. */
long fault_hits(void);
#else
#define SB_FAULT(name) false
#endif

#endif
