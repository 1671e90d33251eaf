/*
 * cmem_priv.h: what the files of crypto/ (and its unit tests) share: key bytes, algorithms fetched once, and
 * HMAC over pieces. Nothing outside crypto/ may include it.
 */
#ifndef SB_CMEM_PRIV_H
#define SB_CMEM_PRIV_H

#include <openssl/evp.h>
#include "crypto/cmem.h"
#include "server/base/arena.h"

/* As many keys as cmem_init makes room for; one more is SB_ENOMEM. */
#define CMEM_KEYS_MAX 4096u

/* Lives on the secure heap as a whole. */
struct cmem_key {
    uint8_t b[CMEM_KEY_LEN];
};

struct cmem_algs {
    EVP_CIPHER *aes_256_gcm;
    EVP_MD *sha1, *sha256, *sha384, *sha512;
};

/* All NULL before cmem_init: fetching costs too much to be done for each operation. */
const struct cmem_algs *cmem_algs(void);

/* A zeroed key, to be filled in by the caller; frees as any other. */
SB_MUST enum sb_err cmem_key_new(struct cmem_key **ret, struct sb_error *err);
/* For tests with known keys. */
SB_MUST enum sb_err cmem_key_from_bytes(const uint8_t b[CMEM_KEY_LEN], struct cmem_key **ret,
                                        struct sb_error *err);

/* HMAC-SHA256 over pieces laid end to end; false if OpenSSL fails. */
bool digest_hmac_parts(const void *key, size_t key_n, const struct sb_blob *parts, size_t parts_n,
                       uint8_t ret[32]);
/* RFC 5869 with an info of two pieces; false if OpenSSL fails or n is over 255 blocks. */
bool digest_hkdf(struct sb_blob salt, struct sb_blob ikm, struct sb_blob info1, struct sb_blob info2,
                 uint8_t *ret, size_t n);
/* As rng_bytes, from the generator that OpenSSL keeps for secrets. */
void rng_secret(void *p, size_t n);

#endif
