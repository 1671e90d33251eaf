/* cert.h: the emulator's own CA and server certificate (contract 3), made with OpenSSL, PEM in and out. */
#ifndef SB_CERT_H
#define SB_CERT_H

#include "server/base/buf.h"
#include "server/base/err.h"

struct cert_names {
    const char *const *dns; /* DNS names of the server certificate, wildcards included */
    size_t dns_n;
    const char *const *ip; /* IP addresses, as text */
    size_t ip_n;
    const char *const
        *permitted; /* the CA's permitted DNS name constraints (permitted IPs are those of ip) */
    size_t permitted_n;
};

/* A P-256 CA with name constraints, and a P-256 server key with a certificate signed by it; days of validity.
 * The machine's clock is used. The CA key is dropped after signing: nobody can sign anything else with it. */
SB_MUST enum sb_err cert_make(const struct cert_names *names, int days, struct sb_buf *ca_pem,
                              struct sb_buf *cert_pem, struct sb_buf *key_pem, struct sb_error *err);
/* Does this PEM certificate (with its key, of this CA) still hold for at least min_days, and does it carry
 * all these names? */
SB_MUST enum sb_err cert_check(const char *ca_pem, const char *cert_pem, const char *key_pem,
                               const struct cert_names *names, int min_days, struct sb_error *err);

#endif
