/*
 * cmem.h: symmetric keys as opaque handles on OpenSSL's secure heap, wiping, and constant-time comparison.
 *
 * A `struct cmem_key` holds exactly 32 secret bytes. No function returns them outside crypto/ (cmem_priv.h is
 * for crypto/ alone). What wiping cannot reach: registers, and copies the compiler or OpenSSL made on the
 * stack.
 */
#ifndef SB_CMEM_H
#define SB_CMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

#define CMEM_KEY_LEN 32

struct cmem_key;

/* Once, before anything else in crypto/. Sets up the secure heap (room for 4,096 keys) and forbids core
 * dumps. */
SB_MUST enum sb_err cmem_init(struct sb_error *err);
/* Releases the secure heap; every key must have been freed. */
void cmem_shutdown(void);
/* True when the secure heap is locked into memory (shown in capabilities). */
bool cmem_locked(void);
/* A fresh random key; caller frees. SB_ENOMEM when the secure heap is full. */
SB_MUST enum sb_err cmem_key_random(struct cmem_key **ret, struct sb_error *err);
/* A second handle to a copy of the key; caller frees. */
SB_MUST enum sb_err cmem_key_dup(const struct cmem_key *k, struct cmem_key **ret, struct sb_error *err);
/* HKDF-SHA256(root, info = label || info); caller frees. label is ASCII without NUL. */
SB_MUST enum sb_err cmem_key_derive(const struct cmem_key *root, const char *label, const void *info,
                                    size_t n, struct cmem_key **ret, struct sb_error *err);
/* Wipes and frees; NULL is ok. */
void cmem_key_free(struct cmem_key *k);
/* HMAC-SHA256 under the key (lookup values, check values). */
SB_MUST enum sb_err cmem_key_hmac(const struct cmem_key *k, const void *p, size_t n, uint8_t ret[32]);

/* Reads the 32-byte key file at path, or makes it (0600, fsynced, created exclusively) when it is missing and
 * create is set. A file of another length or mode bits beyond the owner's is SB_EDATADIR. path NULL: a random
 * key. */
SB_MUST enum sb_err cmem_key_file(const char *path, bool create, struct cmem_key **ret, struct sb_error *err);

/* Constant-time comparison of secrets, and of text of unequal lengths (the length may leak). */
bool cmem_equal(const void *a, const void *b, size_t n);
bool cmem_equal_str(const char *a, const char *b);

#endif
