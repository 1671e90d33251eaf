/* hash.h: the 64-bit hash behind uniqueString() (MurmurHash3's mixing over two 32-bit lanes, as the service
 * has it). */
#ifndef SB_TEMPLATE_HASH_H
#define SB_TEMPLATE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_murmur64(const void *p, size_t n);
/* 13 characters of a-z2-7 and NUL. */
void hash_base32(uint64_t h, char dst[14]);

#endif
