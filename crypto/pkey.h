/*
 * pkey.h: asymmetric keys (RSA, EC) of the emulated vaults and of the token signer.
 *
 * A `struct pkey` is immutable and reference-counted; any thread may use it. Private parts leave a pkey only
 * sealed (pkey_seal) under another key. No operation tells why an unwrap failed.
 */
#ifndef SB_PKEY_H
#define SB_PKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/buf.h"
#include "crypto/cmem.h"

struct pkey;

enum pkey_type { PKEY_RSA, PKEY_EC };
enum pkey_curve { PKEY_CURVE_NONE, PKEY_P256, PKEY_P384, PKEY_P521, PKEY_P256K };

/* Encryption and signature algorithms, named as Key Vault names them. */
enum pkey_alg {
    PKEY_ALG_NONE,
    PKEY_RSA1_5,
    PKEY_RSA_OAEP,
    PKEY_RSA_OAEP_256,
    PKEY_RS256,
    PKEY_RS384,
    PKEY_RS512,
    PKEY_PS256,
    PKEY_PS384,
    PKEY_PS512,
    PKEY_ES256,
    PKEY_ES384,
    PKEY_ES512,
    PKEY_ES256K
};

/* JWK numbers, big-endian; private ones NULL for a public key. For EC: x, y, d. */
struct pkey_parts {
    enum pkey_type type;
    enum pkey_curve curve;
    struct sb_blob n, e, d, p, q, dp, dq, qi, x, y;
};

/* "RSA-OAEP-256" and so on; PKEY_ALG_NONE when unknown. Case-sensitive, as the service is. */
enum pkey_alg pkey_alg_parse(const char *name);
const char *pkey_alg_name(enum pkey_alg alg);
/* Digest length a signature algorithm wants; 0 for an encryption algorithm. */
size_t pkey_alg_digest_len(enum pkey_alg alg);
/* The curve a signature algorithm is for; PKEY_CURVE_NONE: not one of EC keys. */
enum pkey_curve pkey_alg_curve(enum pkey_alg alg);
enum pkey_curve pkey_curve_parse(const char *name); /* "P-256", "P-256K"/"SECP256K1"… */
const char *pkey_curve_name(enum pkey_curve c);
/* May this algorithm be used with this key (type, curve)? */
bool pkey_alg_fits(const struct pkey *k, enum pkey_alg alg);

/* Slow (seconds for RSA 4096): never under a lock. Exponent 65537. Caller unrefs. */
SB_MUST enum sb_err pkey_generate_rsa(unsigned bits, struct pkey **ret, struct sb_error *err);
SB_MUST enum sb_err pkey_generate_ec(enum pkey_curve c, struct pkey **ret, struct sb_error *err);
/* From JWK numbers; checks that they belong together. SB_EBADPARAM otherwise. */
SB_MUST enum sb_err pkey_import(const struct pkey_parts *parts, struct pkey **ret, struct sb_error *err);
struct pkey *pkey_ref(struct pkey *k);
void pkey_unref(struct pkey *k); /* NULL is ok */

enum pkey_type pkey_type_of(const struct pkey *k);
enum pkey_curve pkey_curve_of(const struct pkey *k);
unsigned pkey_bits(const struct pkey *k);
/* Public parts only, into the arena. */
SB_MUST enum sb_err pkey_public(const struct pkey *k, struct sb_arena *a, struct pkey_parts *ret,
                                struct sb_error *err);

/* The private key, sealed under `under` with aad bound; and back. */
SB_MUST enum sb_err pkey_seal(const struct pkey *k, const struct cmem_key *under, const char *aad,
                              struct sb_buf *out, struct sb_error *err);
SB_MUST enum sb_err pkey_unseal(const void *blob, size_t n, const struct cmem_key *under, const char *aad,
                                struct pkey **ret, struct sb_error *err);

/* RSA encryption (wrapKey, encrypt) and decryption. SB_EBADPARAM when the input does not fit; SB_EBADPARAM
 * with one fixed text for every decryption failure. */
SB_MUST enum sb_err pkey_encrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                                 struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
SB_MUST enum sb_err pkey_decrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                                 struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
/* The same for a 32-byte key handle, RSA-OAEP-256: its bytes never leave crypto/. A blob that decrypts to
 * another length is SB_ETAMPER. */
SB_MUST enum sb_err pkey_wrap_cmem(const struct pkey *k, const struct cmem_key *secret, struct sb_arena *a,
                                   struct sb_blob *ret, struct sb_error *err);
SB_MUST enum sb_err pkey_unwrap_cmem(const struct pkey *k, const void *in, size_t n, struct cmem_key **ret,
                                     struct sb_error *err);
/* Over a digest of the algorithm's length (else SB_EBADPARAM). ES*: raw r||s. */
SB_MUST enum sb_err pkey_sign(const struct pkey *k, enum pkey_alg alg, const void *digest, size_t n,
                              struct sb_arena *a, struct sb_blob *ret, struct sb_error *err);
SB_MUST enum sb_err pkey_verify(const struct pkey *k, enum pkey_alg alg, const void *digest, size_t n,
                                const void *sig, size_t sig_n, bool *ret_good, struct sb_error *err);

#endif
