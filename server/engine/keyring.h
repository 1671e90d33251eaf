/*
 * keyring.h: a namespace's root key and what is derived from it (semantics 6, 19-21). sb thread only.
 *
 * HKDF-SHA256(root, label || namespace id || generation): "data" keys per generation, "lookup" (no
 * generation), "check".
 */
#ifndef SB_KEYRING_H
#define SB_KEYRING_H

#include "crypto/cmem.h"
#include "server/base/buf.h"
#include "server/engine/engine.h"

struct keyring;

enum seal_kind { SEAL_BODY = 0, SEAL_DEADLETTER = 1 }; /* part of the AAD */

/* Takes its own copy of root. infra: the second layer's key (derived from the platform key), or NULL.
 * generation: the current one; used/reserved: seals of that generation. */
SB_MUST enum sb_err keyring_new(const struct cmem_key *root, int64_t ns_id, const struct cmem_key *infra,
                                uint32_t generation, uint64_t used, struct keyring **ret,
                                struct sb_error *err);
void keyring_free(struct keyring *r); /* wipes; NULL is ok */
/* The stored value that tells the right root key from another 32 bytes. */
SB_MUST enum sb_err keyring_check_value(const struct cmem_key *root, int64_t ns_id, uint8_t ret[32]);
/* A new handle to the root key, to wrap it again; caller frees. */
SB_MUST enum sb_err keyring_root(const struct keyring *r, struct cmem_key **ret, struct sb_error *err);

/* Seals for (entity id, sequence number, kind). Counts the seal: reserves durably in blocks of 2^20 (through
 * tx) and begins the next generation before 2^32 (semantics 21). */
SB_MUST enum sb_err keyring_seal(struct keyring *r, struct tx *tx, int64_t entity, int64_t seq,
                                 enum seal_kind kind, const void *p, size_t n, struct sb_buf *out,
                                 struct sb_error *err);
/* SB_ETAMPER when it does not authenticate at this place. */
SB_MUST enum sb_err keyring_open(struct keyring *r, int64_t entity, int64_t seq, enum seal_kind kind,
                                 struct sb_blob sealed, struct sb_arena *a, struct sb_blob *ret,
                                 struct sb_error *err);
/* HMAC(lookup key, entity || field || value): for duplicate detection and sessions. */
SB_MUST enum sb_err keyring_lookup(struct keyring *r, int64_t entity, const char *field, const char *value,
                                   uint8_t ret[32], struct sb_error *err);

#endif
