/*
 * bare_https.c: what libmicrohttpd and GnuTLS cost by themselves, for `make bench`: a listener like the
 * emulator's that reads a request, has a second thread resume it, and answers 201 without a body. Nothing is
 * looked at or stored.
 *
 * bare_https CERT KEY
 *   prints its port, and serves until standard input ends.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS    2u
#define CONNECTION (64u << 10)
#define PRIORITIES                                                                                           \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:"   \
    "+GROUP-SECP256R1:%SERVER_PRECEDENCE"

struct call {
    struct MHD_Connection *conn;
    struct call *next;
    int suspended;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;
static struct call *queue;
static struct MHD_Response *empty;

static void *owner_main(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!queue)
            pthread_cond_wait(&some, &lock);
        struct call *all = queue;
        queue = NULL;
        pthread_mutex_unlock(&lock);
        for (struct call *next; all; all = next) {
            next = all->next;
            MHD_resume_connection(all->conn);
        }
    }
    return NULL;
}

static void submit(struct call *c)
{
    MHD_suspend_connection(c->conn);
    c->suspended = 1;
    pthread_mutex_lock(&lock);
    int was_empty = !queue;
    c->next = queue;
    queue = c;
    pthread_mutex_unlock(&lock);
    if (was_empty)
        pthread_cond_signal(&some);
}

static enum MHD_Result step(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
                            const char *version, const char *data, size_t *size, void **state)
{
    struct call *c = *state;
    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (!c) {
        c = *state = calloc(1, sizeof *c);
        if (!c)
            return MHD_NO;
        c->conn = conn;
    } else if (*size) {
        *size = 0;
    } else if (!c->suspended) {
        submit(c);
    } else {
        return MHD_queue_response(conn, 201, empty);
    }
    return MHD_YES;
}

static void leave(void *cls, struct MHD_Connection *conn, void **state, enum MHD_RequestTerminationCode why)
{
    (void)cls, (void)conn, (void)why;
    free(*state);
    *state = NULL;
}

static char *text_of(const char *path)
{
    FILE *f = fopen(path, "r");
    char *p = calloc(1, 1 << 16);
    if (!f || !p || fread(p, 1, (1 << 16) - 1, f) == 0) {
        fprintf(stderr, "bare_https: %s cannot be read\n", path);
        exit(2);
    }
    fclose(f);
    return p;
}

int main(int argc, char **argv)
{
    pthread_t owner;
    char c;
    if (argc != 3) {
        fprintf(stderr, "usage: bare_https CERT KEY\n");
        return 2;
    }
    empty = MHD_create_response_from_buffer(0, &c, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *d = MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_POLL_INTERNAL_THREAD, 0, NULL, NULL,
        step, NULL, MHD_OPTION_NOTIFY_COMPLETED, leave, NULL, MHD_OPTION_HTTPS_MEM_CERT, text_of(argv[1]),
        MHD_OPTION_HTTPS_MEM_KEY, text_of(argv[2]), MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES,
        MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION,
        MHD_OPTION_END);
    if (!d || pthread_create(&owner, NULL, owner_main, NULL) != 0) {
        fprintf(stderr, "bare_https: it does not start\n");
        return 2;
    }
    printf("%u\n", (unsigned)MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (read(0, &c, 1) > 0)
        continue;
    return 0;
}
