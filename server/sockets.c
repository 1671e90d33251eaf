/* sockets.c: bind first, read the port, use it for the others. */
#include "server/sockets.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/base/log.h"

#define BACKLOG    1024
#define PORT_TRIES 32
#define CONNECT_MS 1000

union address {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse(const char *text, int port, union address *ret, socklen_t *ret_n)
{
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons((uint16_t)port);
        *ret_n = sizeof ret->v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
        ret->v6.sin6_family = AF_INET6;
        ret->v6.sin6_port = htons((uint16_t)port);
        *ret_n = sizeof ret->v6;
        return true;
    }
    return false;
}

/* Not blocking, closed on exec. -1 with errno. */
static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Connections inherit it. BBR, the default of some machines, paces what is sent with a timer, which costs
 * more than it is worth between two programs of one machine. Where Reno cannot be had the default stays. */
static void no_pacing(int fd)
{
    static const char reno[] = "reno";
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
}

/* A listening descriptor, or -1 with errno. */
static int listen_on(const char *text, int port)
{
    union address a;
    socklen_t n = 0;
    int one = 1;
    if (!parse(text, port, &a, &n)) {
        errno = EINVAL;
        return -1;
    }
    int fd = new_socket(a.sa.sa_family);
    if (fd < 0)
        return -1;
    if (!sockets_is_public(text))
        no_pacing(fd);
    bool ok =
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        (a.sa.sa_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) == 0) &&
        bind(fd, &a.sa, n) == 0 && listen(fd, BACKLOG) == 0;
    if (ok)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

static int port_of(int fd)
{
    union address a;
    socklen_t n = sizeof a;
    if (getsockname(fd, &a.sa, &n) != 0)
        return 0;
    return ntohs(a.sa.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
}

static bool no_such_address(int why)
{
    return why == EADDRNOTAVAIL || why == EAFNOSUPPORT || why == EPROTONOSUPPORT;
}

/* All addresses with this port (0: what the first one gets). False with errno and *ret_at, the address that
 * failed. */
static bool try_port(const char *const *addresses, size_t n, bool optional_v6, int port, struct sockets *s,
                     size_t *ret_at)
{
    *s = (struct sockets){.n = n, .port = port};
    for (size_t i = 0; i < n; i++)
        s->fd[i] = -1;
    for (size_t i = 0; i < n; i++) {
        s->fd[i] = listen_on(addresses[i], s->port);
        s->used[i] = s->fd[i] >= 0;
        if (s->used[i] && s->port == 0)
            s->port = port_of(s->fd[i]);
        if (s->used[i] || (optional_v6 && strchr(addresses[i], ':') && no_such_address(errno)))
            continue;
        int why = errno;
        sockets_close(s);
        *ret_at = i;
        errno = why;
        return false;
    }
    return true;
}

/* Says why, and what would help. option: the one that chooses the port. */
static enum sb_err cannot_listen(const char *address, int port, int why, const char *option,
                                 struct sb_error *err)
{
    const char *text = strerror(why);
    if (no_such_address(why))
        return sb_fail(err, SB_EUNAVAILABLE, "cannot listen on %s: %s; choose another address with --bind",
                       address, text);
    return sb_fail(
        err, SB_EUNAVAILABLE, "cannot listen on %s port %d: %s%s; choose another port with %s", address, port,
        text, why == EACCES ? " (low ports need root or the capability cap_net_bind_service)" : "", option);
}

enum sb_err sockets_listen(const char *const *addresses, size_t n, bool optional_v6, int port,
                           const char *option, struct sockets *ret, struct sb_error *err)
{
    struct sockets s;
    size_t at = 0;
    bool ok = false;
    if (n > SOCKETS_MAX)
        return sb_fail(err, SB_EUSAGE, "--bind: at most %d addresses", SOCKETS_MAX);
    for (int i = 0; !ok && i < (port ? 1 : PORT_TRIES); i++) {
        ok = try_port(addresses, n, optional_v6, port, &s, &at);
        if (!ok && errno != EADDRINUSE)
            break;
    }
    if (!ok)
        return cannot_listen(addresses[at], port, errno, option, err);
    for (size_t i = 0; i < n; i++) {
        if (!s.used[i])
            log_event(LOG_INFO, "listen.skipped", "address", addresses[i], "reason",
                      "this machine has no such address", NULL);
    }
    *ret = s;
    return SB_OK;
}

void sockets_close(struct sockets *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->fd[i] >= 0)
            close(s->fd[i]);
        s->fd[i] = -1;
    }
}

static const char *reachable(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(address, "::") == 0 ? "::1" : address;
}

bool sockets_answers(const char *address, int port)
{
    union address a;
    socklen_t n = 0, why_n = sizeof(int);
    int why = -1;
    if (!parse(reachable(address), port, &a, &n))
        return false;
    int fd = new_socket(a.sa.sa_family);
    if (fd < 0)
        return false;
    bool ok = connect(fd, &a.sa, n) == 0;
    if (!ok && errno == EINPROGRESS) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        ok = poll(&p, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &why_n) == 0 &&
             why == 0;
    }
    close(fd);
    return ok;
}

bool sockets_is_public(const char *address)
{
    union address a;
    socklen_t n = 0;
    if (!parse(address, 0, &a, &n))
        return true;
    if (a.sa.sa_family == AF_INET)
        return (ntohl(a.v4.sin_addr.s_addr) >> 24) != 127;
    return memcmp(&a.v6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) != 0;
}
