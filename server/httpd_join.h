/*
 * httpd_join.h: two TLS records of one connection as one packet.
 *
 * Over TLS libmicrohttpd sends the head and the body of an answer one by one. Joined, they cost one system
 * call, and a client has one thing to wake up for. All by the connection's thread.
 */
#ifndef SB_HTTPD_JOIN_H
#define SB_HTTPD_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define JOIN_MAX 1536u /* a longer head goes by itself */

struct join {
    int fd;
    bool expected; /* the next record is the first of two */
    size_t held_n;
    uint8_t held[JOIN_MAX]; /* of a record that the other side has not got yet */
};

/* From now on what the GnuTLS session sends to socket fd goes through j, which must live as long as it. */
void join_open(struct join *j, void *tls_session, int fd);
/* The next record is to wait for the one behind it, which must follow. */
void join_next(struct join *j);
/* What GnuTLS sends by: as writev to j->fd, with bytes that are held counted as sent. -1 and errno; EAGAIN:
 * it is to be called again with the same when the socket has room. */
ssize_t join_push(void *j, const struct iovec *iov, int n);
/* An answer is complete: nothing is held any more. */
void join_flush(struct join *j);

#endif
