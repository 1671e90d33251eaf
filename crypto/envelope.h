/*
 * envelope.h: the sealed form of everything secret at rest.
 *
 *   magic "SBE1" | version u8 = 1 | min_reader u8 = 1 | flags u16 | generation u32 | nonce 12 | ciphertext |
 * tag 16
 *
 * All integers big-endian. AES-256-GCM, a fresh random nonce per seal; AAD = the 12 header bytes before the
 * nonce, then the caller's AAD. Flag ENV_INFRA: the plaintext was sealed a second time inside (inner nonce,
 * ciphertext, tag) under the infrastructure key. A blob that fails authentication is SB_ETAMPER and yields
 * nothing.
 *
 * `struct env_key` is a prepared cipher (key schedule done once). It is used by one thread at a time.
 */
#ifndef SB_ENVELOPE_H
#define SB_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/buf.h"
#include "server/base/arena.h"
#include "crypto/cmem.h"

#define ENV_HEADER_LEN 12
#define ENV_NONCE_LEN  12
#define ENV_TAG_LEN    16
#define ENV_OVERHEAD   (ENV_HEADER_LEN + ENV_NONCE_LEN + ENV_TAG_LEN)
#define ENV_INFRA      0x0001u

struct env_key;

struct env_header {
    uint8_t version;
    uint8_t min_reader;
    uint16_t flags;
    uint32_t generation;
};

/* Prepares a cipher from a key; the key may be freed afterwards. Caller frees. */
SB_MUST enum sb_err env_key_new(const struct cmem_key *k, struct env_key **ret, struct sb_error *err);
void env_key_free(struct env_key *k);

/* Appends the sealed form of plain[n] to out. infra may be NULL (one layer). On failure out is failed or
 * unchanged. */
SB_MUST enum sb_err envelope_seal(struct env_key *k, struct env_key *infra, uint32_t generation,
                                  const void *aad, size_t aad_n, const void *plain, size_t n,
                                  struct sb_buf *out, struct sb_error *err);
/* Reads a header without any key; SB_ETAMPER if it is not one that this reader knows. */
SB_MUST enum sb_err envelope_header(const void *blob, size_t n, struct env_header *ret, struct sb_error *err);
/* Opens into arena memory. infra is needed exactly when the header says ENV_INFRA. */
SB_MUST enum sb_err envelope_open(struct env_key *k, struct env_key *infra, const void *aad, size_t aad_n,
                                  const void *blob, size_t n, struct sb_arena *a, struct sb_blob *ret,
                                  struct sb_error *err);

/* One-off seal/open under a key handle (platform-sealed secrets: customer keys' private parts, root keys,
 * metadata). */
SB_MUST enum sb_err envelope_seal_key(const struct cmem_key *k, const char *aad, const void *plain, size_t n,
                                      struct sb_buf *out, struct sb_error *err);
SB_MUST enum sb_err envelope_open_key(const struct cmem_key *k, const char *aad, const void *blob, size_t n,
                                      struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
/* The same for a 32-byte key: its bytes never leave crypto/. */
SB_MUST enum sb_err envelope_seal_cmem(const struct cmem_key *k, const char *aad,
                                       const struct cmem_key *secret, struct sb_buf *out,
                                       struct sb_error *err);
SB_MUST enum sb_err envelope_open_cmem(const struct cmem_key *k, const char *aad, const void *blob, size_t n,
                                       struct cmem_key **ret, struct sb_error *err);

/* Bench only: replaces AES-GCM by a copy (everything else alike), for measuring what sealing costs. Compiled
 * in only with -DSB_BENCH_NOCIPHER. */

#endif
