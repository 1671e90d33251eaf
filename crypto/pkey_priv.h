/*
 * pkey_priv.h: what the three files of pkey share: the key itself and the tables of curves and algorithms.
 * Nothing outside crypto/pkey*.c may include it.
 */
#ifndef SB_PKEY_PRIV_H
#define SB_PKEY_PRIV_H

#include <openssl/evp.h>
#include <stdatomic.h>
#include "crypto/pkey.h"

#define PKEY_RSA_MIN_BITS 1024u
#define PKEY_RSA_MAX_BITS 4096u
#define PKEY_RSA_MAX_LEN  (PKEY_RSA_MAX_BITS / 8)

struct pkey {
    atomic_uint refs;
    EVP_PKEY *evp;
    enum pkey_type type;
    enum pkey_curve curve;
    unsigned bits;
    bool has_private;
};

struct pkey_curve_row {
    enum pkey_curve curve;
    const char *name, *alias; /* of Key Vault */
    const char *group;        /* of OpenSSL */
    size_t len;               /* of a coordinate */
};

struct pkey_alg_row {
    const char *name;
    enum pkey_alg alg;
    enum pkey_type type;
    enum pkey_curve curve;
    int padding;
    size_t digest_len; /* 0: encryption */
};

/* NULL when there is none. */
const struct pkey_alg_row *pkey_alg_row(enum pkey_alg alg);
const struct pkey_curve_row *pkey_curve_row(enum pkey_curve c);
/* Takes evp over, also when it fails. */
SB_MUST enum sb_err pkey_adopt(EVP_PKEY *evp, bool has_private, struct pkey **ret, struct sb_error *err);
/* Sets err, and forgets what OpenSSL has to say about it. */
enum sb_err pkey_failed(struct sb_error *err, enum sb_err code, const char *text);

#endif
