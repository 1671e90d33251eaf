/* fuzz.h: a fuzz target is a file with this function; libFuzzer drives it, or standalone.c replays its
 * corpus. */
#ifndef SB_FUZZ_H
#define SB_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#endif
