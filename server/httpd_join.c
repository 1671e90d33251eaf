/* httpd_join.c: the function by which GnuTLS sends. The only file that includes gnutls.h. */
#include "server/httpd_join.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include "server/base/compiler.h"

#define PARTS_MAX 32 /* of one call; what is left over is asked for again */

static size_t length(const struct iovec *iov, int n)
{
    size_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += iov[i].iov_len;
    return sum;
}

static bool hold(struct join *j, const struct iovec *iov, int n)
{
    if (j->held_n != 0 || length(iov, n) > sizeof j->held)
        return false;
    for (int i = 0; i < n; i++) {
        memcpy(j->held + j->held_n, iov[i].iov_base, iov[i].iov_len);
        j->held_n += iov[i].iov_len;
    }
    return true;
}

/* What was held goes first; the result counts what came after it only. */
static ssize_t send_both(struct join *j, const struct iovec *iov, int n)
{
    struct iovec part[1 + PARTS_MAX] = {{.iov_base = j->held, .iov_len = j->held_n}};
    n = SB_MIN(n, PARTS_MAX);
    for (int i = 0; i < n; i++)
        part[1 + i] = iov[i];
    const struct msghdr m = {.msg_iov = part, .msg_iovlen = 1 + (size_t)n};
    ssize_t sent = sendmsg(j->fd, &m, MSG_NOSIGNAL);
    if (sent < 0)
        return -1;
    size_t first = SB_MIN((size_t)sent, j->held_n);
    memmove(j->held, j->held + first, j->held_n - first);
    j->held_n -= first;
    if ((size_t)sent > first || n == 0)
        return sent - (ssize_t)first;
    errno = EAGAIN; /* the socket is full: it is tried again when there is room */
    return -1;
}

ssize_t join_push(void *p, const struct iovec *iov, int n)
{
    struct join *j = p;
    bool first = j->expected;
    j->expected = false;
    if (first && hold(j, iov, n))
        return (ssize_t)length(iov, n);
    return send_both(j, iov, n);
}

void join_open(struct join *j, void *tls_session, int fd)
{
    j->fd = fd;
    gnutls_transport_set_ptr2(tls_session, (gnutls_transport_ptr_t)(intptr_t)fd, j);
    gnutls_transport_set_vec_push_function(tls_session, join_push);
}

void join_next(struct join *j)
{
    j->expected = true;
}

void join_flush(struct join *j)
{
    j->expected = false;
    if (j->held_n > 0)
        (void)send_both(j, NULL, 0); /* a second record that did not come after all */
}
