/*
 * clientcert.h: the certificate with which an application signs its assertions: the public half alone. Only
 * what the directory asks of it is read: nobody's signature on it is looked at, as in the service.
 */
#ifndef SB_CLIENTCERT_H
#define SB_CLIENTCERT_H

#include "crypto/pkey.h"

struct clientcert {
    struct pkey *key;              /* public; the caller unrefs */
    struct sb_blob der;            /* in the arena */
    uint8_t sha1[20], sha256[32];  /* of der: the thumbprints */
    const char *subject;           /* "CN=name", in the arena */
    int64_t not_before, not_after; /* seconds since 1970 */
};

/* Reads the first certificate of a PEM text (a private key beside it is passed over), or DER. SB_EBADPARAM
 * when it is none, or its key is not RSA. */
SB_MUST enum sb_err clientcert_read(const void *p, size_t n, struct sb_arena *a, struct clientcert *ret,
                                    struct sb_error *err);

#endif
