/*
 * test_join.c: two records as one packet, or in pieces. A pair of sockets that keeps the borders of what is
 * sent shows what left together; one that does not, and is small, what is kept when it is full.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/base/compiler.h"
#include "server/httpd_join.h"
#include "tests/unit/unit.h"

static int pair[2];
static struct join j;

static void open_pair(int type)
{
    ck_assert_int_eq(socketpair(AF_UNIX, type, 0, pair), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(fcntl(pair[i], F_SETFL, O_NONBLOCK), 0);
    j = (struct join){.fd = pair[0]};
}

/* Connected over TCP, with as little room as the kernel gives. */
static void open_narrow(void)
{
    int small = 1, on = 1, l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    ck_assert_int_eq(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    ck_assert_int_eq(bind(l, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(l, 1), 0);
    ck_assert_int_eq(getsockname(l, (struct sockaddr *)&a, &n), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    ck_assert_int_eq(setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&a, n), 0);
    pair[1] = accept(l, NULL, NULL);
    ck_assert_int_ge(pair[1], 0);
    close(l);
    ck_assert_int_eq(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    j = (struct join){.fd = pair[0]};
}

static void up(void)
{
    open_pair(SOCK_SEQPACKET);
}

static void down(void)
{
    close(pair[0]);
    close(pair[1]);
}

static ssize_t push(const char *a, const char *b)
{
    union {
        const char *in;
        char *out;
    } x = {a}, y = {b};
    const struct iovec iov[] = {{x.out, strlen(a)}, {y.out, strlen(b)}};
    return join_push(&j, iov, 2);
}

static const char *arrived(void)
{
    static char text[100];
    ssize_t n = recv(pair[1], text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return n < 0 ? "(nothing)" : text;
}

START_TEST(test_join__one_by_one_unless_told)
{
    ck_assert_int_eq(push("he", "ad"), 4);
    ck_assert_str_eq(arrived(), "head");
    ck_assert_int_eq(push("bo", "dy"), 4);
    ck_assert_str_eq(arrived(), "body");
}
END_TEST

START_TEST(test_join__two_as_one)
{
    for (int i = 0; i < 2; i++) {
        join_next(&j);
        ck_assert_int_eq(push("he", "ad"), 4);
        ck_assert_str_eq(arrived(), "(nothing)");
        ck_assert_int_eq(push("bo", "dy"), 4);
        ck_assert_str_eq(arrived(), "headbody");
        ck_assert_int_eq(push("mo", "re"), 4);
        ck_assert_str_eq(arrived(), "more");
    }
}
END_TEST

START_TEST(test_join__flush)
{
    join_next(&j);
    ck_assert_int_eq(push("he", "ad"), 4);
    join_flush(&j);
    ck_assert_str_eq(arrived(), "head");
    join_next(&j);
    join_flush(&j); /* it did not come to that */
    ck_assert_int_eq(push("ne", "xt"), 4);
    ck_assert_str_eq(arrived(), "next");
    join_flush(&j);
    ck_assert_str_eq(arrived(), "(nothing)");
}
END_TEST

START_TEST(test_join__a_long_head_goes_by_itself)
{
    static char head[JOIN_MAX + 1];
    for (size_t n = sizeof head - 1; n <= sizeof head; n++) {
        struct iovec iov = {head, n};
        join_next(&j);
        ck_assert_int_eq(join_push(&j, &iov, 1), (ssize_t)n);
        ck_assert_int_eq(recv(pair[1], head, 1, MSG_PEEK), n > JOIN_MAX ? 1 : -1);
        ck_assert_int_eq(push("bo", "dy"), 4);
        if (n > JOIN_MAX)
            ck_assert_int_eq(recv(pair[1], head, sizeof head, 0), (ssize_t)n);
        ck_assert_int_gt(recv(pair[1], head, sizeof head, 0), 0);
    }
}
END_TEST

START_TEST(test_join__many_parts)
{
    static char byte = 'x';
    struct iovec iov[100];
    size_t got = 0;
    for (int i = 0; i < 100; i++)
        iov[i] = (struct iovec){&byte, 1};
    join_next(&j);
    ck_assert_int_eq(push("he", "ad"), 4);
    for (int i = 0; i < 100;) {
        ssize_t n = join_push(&j, iov + i, 100 - i);
        ck_assert_int_gt(n, 0);
        i += (int)n;
        got += strlen(arrived());
    }
    ck_assert_uint_eq(got, 104);
}
END_TEST

/* Whatever the socket has room for, and whenever: the bytes come in their order, and none twice. */
START_TEST(test_join__a_full_socket)
{
    static char sent[1 << 16], seen[1 << 16], fill[1 << 16];
    size_t seen_n = 0, sent_n = 0;
    int refused = 0;
    down();
    open_narrow();
    for (int turn = 0; turn < 40; turn++) {
        size_t head_n = 700 + (size_t)turn, body_n = 900, done = 0;
        memset(fill, 'a' + turn % 26, head_n);
        memset(fill + head_n, 'A' + turn % 26, body_n);
        memcpy(sent + sent_n, fill, head_n + body_n);
        sent_n += head_n + body_n;
        struct iovec head = {fill, head_n};
        join_next(&j);
        ck_assert_int_eq(join_push(&j, &head, 1), (ssize_t)head_n);
        while (done < body_n) {
            struct iovec body = {fill + head_n + done, body_n - done};
            size_t held = j.held_n;
            ssize_t n = join_push(&j, &body, 1);
            if (n < 0) {
                ck_assert_int_eq(errno, EAGAIN);
                refused += held > 0;
                ssize_t k = recv(pair[1], seen + seen_n, 1 + (size_t)turn * 17, 0);
                ck_assert_int_gt(k, 0);
                seen_n += (size_t)k;
            } else {
                done += (size_t)n;
            }
        }
    }
    shutdown(pair[0], SHUT_WR);
    for (ssize_t k; (k = recv(pair[1], seen + seen_n, sizeof seen - seen_n, 0)) > 0;)
        seen_n += (size_t)k;
    ck_assert_uint_eq(seen_n, sent_n);
    ck_assert_int_eq(memcmp(seen, sent, sent_n), 0);
    ck_assert_int_gt(refused, 0);
}
END_TEST

START_TEST(test_join__a_cut_connection)
{
    close(pair[1]);
    join_next(&j);
    ck_assert_int_eq(push("he", "ad"), 4);
    ck_assert_int_eq(push("bo", "dy"), -1);
    ck_assert_int_eq(errno, EPIPE);
    join_flush(&j);
    pair[1] = dup(pair[0]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("join");
    TCase *t = tcase_create("join");
    tcase_add_checked_fixture(t, up, down);
    tcase_add_test(t, test_join__one_by_one_unless_told);
    tcase_add_test(t, test_join__two_as_one);
    tcase_add_test(t, test_join__flush);
    tcase_add_test(t, test_join__a_long_head_goes_by_itself);
    tcase_add_test(t, test_join__many_parts);
    tcase_add_test(t, test_join__a_full_socket);
    tcase_add_test(t, test_join__a_cut_connection);
    suite_add_tcase(s, t);
    return s;
}
