/* rng.h: random bytes from OpenSSL. A failure of the generator ends the process: nothing safe can follow. */
#ifndef SB_RNG_H
#define SB_RNG_H

#include <stddef.h>
#include <stdint.h>

void rng_bytes(void *p, size_t n);
/* A random version-4 GUID, 36 characters and NUL. */
void rng_guid(char *dst);
/* 32 lower-case hex digits and NUL (key versions, message ids). */
void rng_hex32(char *dst);

#endif
