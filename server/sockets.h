/* sockets.h: listening sockets for several addresses with one port. */
#ifndef SB_SOCKETS_H
#define SB_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include "server/base/err.h"

#define SOCKETS_MAX 16

struct sockets {
    int fd[SOCKETS_MAX];    /* -1: this address was skipped, or closed again */
    bool used[SOCKETS_MAX]; /* not skipped; stays when the socket is closed */
    size_t n;
    int port;
};

/* Binds and listens on each literal address. *port 0: any port that is free on all of them. optional_v6: a v6
 * address that the machine does not have is skipped with a log line. option names the command line option in
 * the message. SB_EUNAVAILABLE, SB_EUSAGE. */
SB_MUST enum sb_err sockets_listen(const char *const *addresses, size_t n, bool optional_v6, int port,
                                   const char *option, struct sockets *ret, struct sb_error *err);
void sockets_close(struct sockets *s);
/* Can a client connect to this listener? Loopback stands in for a wildcard address. */
bool sockets_answers(const char *address, int port);
/* Would other machines reach this address? */
bool sockets_is_public(const char *address);

#endif
