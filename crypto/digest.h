/* digest.h: SHA-256 and HMAC-SHA256 over plain memory (SAS signatures, token cache keys). */
#ifndef SB_DIGEST_H
#define SB_DIGEST_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

void digest_sha256(const void *p, size_t n, uint8_t ret[32]);
void digest_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t ret[32]);

#endif
