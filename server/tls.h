/* tls.h: the HTTPS port's certificate: the user's own, or one made and kept in the data directory (contract
 * 3). */
#ifndef SB_TLS_H
#define SB_TLS_H

#include "server/base/arena.h"
#include "server/base/err.h"
#include "server/datadir.h"

struct tls_files {
    const char *cert_pem, *key_pem; /* PEM text */
    const char *ca_pem;             /* what clients are to trust */
    const char *ca_path;            /* absolute */
};

/* Own files when both names are given; else those of the data directory if they hold for a while and for
 * every name, else new ones. Text is from the arena (the key too: the arena wipes it). SB_EDATADIR, SB_EUSAGE
 * (own files unreadable). */
SB_MUST enum sb_err tls_prepare(struct datadir *d, const char *own_cert, const char *own_key,
                                struct sb_arena *a, struct tls_files *ret, struct sb_error *err);

#endif
