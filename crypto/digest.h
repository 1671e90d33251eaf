/* digest.h: digests over plain memory (SAS signatures, token cache keys, version-5 UUIDs). */
#ifndef SB_DIGEST_H
#define SB_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

/* For names only (RFC 9562 asks for it): it is no longer a cryptographic hash. */
void digest_sha1(const void *p, size_t n, uint8_t ret[20]);
void digest_sha256(const void *p, size_t n, uint8_t ret[32]);
void digest_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t ret[32]);

#endif
