/*
 * hosts.h: which plane a Host header names (contract 3), and the names that a certificate for all planes
 * carries. One table.
 */
#ifndef SB_HOSTS_H
#define SB_HOSTS_H

#include "api/request.h"

struct host_match {
    enum plane plane;
    enum host_kind kind;
    bool real;         /* a real name, not a local one */
    bool bare;         /* "localhost", "127.0.0.1" or "[::1]": sign-in and Graph are there too, by path */
    const char *name;  /* the host without its port, lower case */
    const char *label; /* vault or namespace name, lower case; NULL elsewhere */
    const char *port;  /* ":8443", or "" */
};

/* Host header as sent: case, port and one trailing dot are ignored. False: no plane has this name. Texts are
 * from the arena. */
bool hosts_match(const char *host, struct sb_arena *a, struct host_match *ret);
/* Splits "name:port" or "[v6]:port"; name in lower case. False when malformed (a bad port, a bad character).
 */
bool hosts_split(const char *host, struct sb_arena *a, const char **ret_name, const char **ret_port);
/* On a bare name: does this path belong to the sign-in plane ("/{tenant}/oauth2/…", "/common/…")? */
bool hosts_login_path(const char *path);
/* "management.azure.com", "{label}.vault.localhost" …: the name of a plane; label NULL where the kind has
 * none. */
const char *hosts_name(struct sb_arena *a, enum host_kind kind, bool real, const char *label);

/* For the certificate: DNS names (wildcards where a label comes first), addresses, and the CA's permitted
 * subtrees. */
const char *const *hosts_cert_dns(size_t *ret_n);
const char *const *hosts_cert_ips(size_t *ret_n);
const char *const *hosts_cert_permitted(size_t *ret_n);

#endif
