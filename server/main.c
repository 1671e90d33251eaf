/* main.c: the program: put together in order, waits for a signal, taken apart in reverse. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "api/control.h"
#include "crypto/cmem.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/config.h"
#include "server/datadir.h"
#include "server/httpd.h"
#include "server/sockets.h"
#include "server/tls.h"

#define ARENA_MAX  (16u << 20)
#define PRINT_MAX  (1u << 20)
#define CERT_MAX   (64u << 10)
#define DRAIN_MS   30000
#define ARENAS_MAX 4 /* of malloc: each costs memory, and the program has few busy threads */
#define HEAP_KEPT  (4 << 20)

enum exit_status { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DATADIR = 3 };

struct program {
    struct sb_arena *arena;
    struct config cfg;
    struct datadir *dir;
    struct tls_files tls;
    struct api_env env;
    struct engine *engine;
    struct httpd *_Atomic httpd; /* /health looks at it as soon as a listener runs */
    sigset_t signals;
};

/* ---- printing actions: the only ones that write to standard output, besides the ready line ---- */

static int print(struct sb_buf *b)
{
    bool ok = !buf_failed(b) && fwrite(b->p, 1, b->n, stdout) == b->n && fflush(stdout) == 0;
    return ok ? EXIT_STOPPED : EXIT_FAILED;
}

static void listener_capabilities(struct jw *w)
{
    jw_obj(w, "listener");
    jw_i64(w, "connectionsPerAddress", HTTPD_CONNECTIONS_MAX);
    jw_i64(w, "headerBytes", HTTPD_HEADERS_MAX);
    jw_i64(w, "idleSeconds", HTTPD_IDLE_SECONDS);
    jw_end_obj(w);
}

static void capabilities(void *cookie, struct jw *w)
{
    const struct program *p = cookie;
    if (!p->engine) /* a running one tells it by itself */
        jw_bool(w, "secureHeapLocked", cmem_locked());
    listener_capabilities(w);
    config_describe(w, "options");
}

static int act(struct program *p)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, PRINT_MAX);
    switch (p->cfg.action) {
    case CONFIG_HELP: config_help(&b); break;
    case CONFIG_VERSION: buf_adds(&b, "sealedbus " SB_VERSION "\n"); break;
    case CONFIG_PRINT_HOSTS: config_hosts(&p->cfg, &b); break;
    case CONFIG_CAPABILITIES:
        jw_init(&w, &b);
        control_capabilities(&w, NULL, &p->env);
        buf_adds(&b, "\n");
        break;
    case CONFIG_RUN: break;
    }
    int status = print(&b);
    buf_done(&b);
    return status;
}

/* ---- starting ---- */

static int say(const struct sb_error *err, int otherwise)
{
    fprintf(stderr, "sealedbus: %s\n", err->detail[0] ? err->detail : sb_err_text(err->code));
    if (err->code == SB_EUSAGE) {
        fprintf(stderr, "Try 'sealedbus --help'.\n");
        return EXIT_USAGE;
    }
    return err->code == SB_EDATADIR ? EXIT_DATADIR : otherwise;
}

/* A commit failed: what is on disk is not known. main's sigwait ends the program, and the next start
 * recovers. */
static void on_broken(void)
{
    kill(getpid(), SIGUSR1);
}

static const char *sick(void *cookie)
{
    struct program *p = cookie;
    struct httpd *h = atomic_load(&p->httpd);
    return h ? httpd_sick(h) : "The emulator is starting.";
}

static const char *from_env(const char *name)
{
    return getenv(name);
}

static enum sb_err open_files(struct program *p, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool keep = !p->cfg.in_memory;
    SB_TRY(datadir_open(p->cfg.data_dir, keep, p->arena, &p->dir, err));
    SB_TRY(tls_prepare(p->dir, p->cfg.tls_cert, p->cfg.tls_key, p->arena, &p->tls, err));
    if (!keep)
        datadir_unlock(p->dir);
out:
    return rc;
}

/* The files of --client-cert. */
static enum sb_err read_certs(struct program *p, struct engine_client_cert **ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct config *c = &p->cfg;
    struct sb_buf b;
    buf_init(&b, CERT_MAX);
    struct engine_client_cert *list = ARENA_ARRAY(p->arena, struct engine_client_cert, c->certs_n + 1);
    if (!list)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    for (size_t i = 0; i < c->certs_n; i++) {
        bool found = false;
        struct sb_error why = {0};
        if (datadir_read(c->certs[i].file, &b, &found, &why) != SB_OK || !found) {
            rc = sb_fail(err, SB_EUSAGE, "--client-cert: %s: %s", c->certs[i].file,
                         found || why.detail[0] ? why.detail : "there is no such file");
            goto out;
        }
        list[i] = (struct engine_client_cert){c->certs[i].id, c->certs[i].file,
                                              arena_strndup(p->arena, buf_str(&b), b.n)};
        if (!list[i].pem) {
            rc = sb_fail(err, SB_ENOMEM, "out of memory");
            goto out;
        }
        buf_clear(&b);
    }
    *ret = list;
out:
    buf_done(&b);
    return rc;
}

static enum sb_err open_engine(struct program *p, struct sb_error *err)
{
    const struct config *c = &p->cfg;
    struct engine_client_cert *certs = NULL;
    enum sb_err rc = read_certs(p, &certs, err);
    if (rc != SB_OK)
        return rc;
    const struct engine_config e = {
        .data_dir = c->in_memory ? NULL : datadir_path(p->dir),
        .poll_interval_ms = c->poll_interval * 1000,
        .grant_delay_ms = c->grant_delay * 1000,
        .provisioning_delay_ms = c->provisioning_delay * 1000,
        .clock_manual = c->clock == 1,
        .token_clock_emulator = c->token_clock == 1,
        .start_ms = c->now_ms,
        .subscriptions = c->subscriptions.v,
        .subscriptions_n = c->subscriptions.n,
        .clients = c->clients,
        .clients_n = c->clients_n,
        .certs = certs,
        .certs_n = c->certs_n,
        .users = c->users,
        .users_n = c->users_n,
    };
    return engine_open(&e, on_broken, &p->engine, err);
}

static enum sb_err open_listeners(struct program *p, struct sb_error *err)
{
    p->env.ca_pem = p->tls.ca_pem;
    p->env.control_hosts = p->cfg.control_hosts.v;
    p->env.control_hosts_n = p->cfg.control_hosts.n;
    p->env.addresses = p->cfg.binds.v;
    p->env.addresses_n = p->cfg.binds.n;
    p->env.sick = sick;
    const struct httpd_config h = {
        .engine = p->engine,
        .env = &p->env,
        .cert_pem = p->tls.cert_pem,
        .key_pem = p->tls.key_pem,
        .binds = p->cfg.binds.v,
        .binds_n = p->cfg.binds.n,
        .optional_v6 = p->cfg.default_binds,
        .https_port = (int)p->cfg.https_port,
        .http_port = (int)p->cfg.http_port,
    };
    for (size_t i = 0; i < p->cfg.binds.n; i++) {
        if (sockets_is_public(p->cfg.binds.v[i]))
            log_event(LOG_WARN, "listen.public", "address", p->cfg.binds.v[i], "why",
                      "other machines can reach this emulator, whose secrets are well known", NULL);
    }
    struct httpd *httpd = NULL;
    enum sb_err rc = httpd_open(&h, &httpd, err);
    atomic_store(&p->httpd, httpd);
    return rc;
}

static bool say_ready(struct program *p)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, PRINT_MAX);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_bool(&w, "ready", true);
    jw_i64(&w, "pid", getpid());
    jw_i64(&w, "https", httpd_https_port(p->httpd));
    jw_i64(&w, "http", httpd_http_port(p->httpd));
    jw_str(&w, "ca", p->tls.ca_path);
    jw_str(&w, "version", SB_VERSION);
    jw_end_obj(&w);
    buf_adds(&b, "\n");
    bool ok = print(&b) == EXIT_STOPPED;
    buf_done(&b);
    if (ok)
        log_line("Emulator Service is Successfully Up!");
    return ok;
}

static enum sb_err start(struct program *p, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    SB_TRY(open_files(p, err));
    SB_TRY(open_engine(p, err));
    SB_TRY(open_listeners(p, err));
    if (!say_ready(p))
        rc = sb_fail(err, SB_EIO, "cannot write the ready line to standard output");
out:
    return rc;
}

/* ---- stopping ---- */

/* Nothing is taken away from under a request that still runs: rather end at once, which the databases are
 * made for. */
static void stop(struct program *p)
{
    if (p->httpd)
        httpd_quiesce(p->httpd);
    if (p->engine)
        engine_stop(p->engine);
    if (p->httpd && !httpd_drain(p->httpd, DRAIN_MS)) {
        log_event(LOG_ERROR, "stop.forced", "reason", "a request did not finish", NULL);
        _exit(EXIT_FAILED);
    }
    httpd_close(p->httpd);
    if (p->engine)
        engine_close(p->engine);
    datadir_close(p->dir);
}

static int wait_for_end(const struct program *p)
{
    int sig = 0;
    while (sigwait(&p->signals, &sig) != 0)
        continue;
    log_event(LOG_INFO, "stopping", "signal",
              sig == SIGTERM  ? "SIGTERM"
              : sig == SIGINT ? "SIGINT"
                              : "storage failed",
              NULL);
    return sig == SIGUSR1 ? EXIT_FAILED : EXIT_STOPPED;
}

/* Signals go to sigwait alone: blocked before the first thread starts. */
static void set_up_process(struct program *p)
{
    sigemptyset(&p->signals);
    sigaddset(&p->signals, SIGTERM);
    sigaddset(&p->signals, SIGINT);
    sigaddset(&p->signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &p->signals, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    umask(077);
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    /* TLS records come and go in buffers of 16 KiB: their memory stays, instead of being asked for anew. */
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
    log_setup((enum log_level)p->cfg.log_level, p->cfg.log_format == 1);
}

static int run(struct program *p)
{
    struct sb_error err = {0};
    set_up_process(p);
    int status = start(p, &err) == SB_OK ? wait_for_end(p) : say(&err, EXIT_FAILED);
    stop(p);
    return status;
}

int main(int argc, char **argv)
{
    struct sb_error err = {0};
    struct program p = {.env = {.version = SB_VERSION, .capabilities = capabilities}};
    p.env.cookie = &p;
    p.arena = arena_new(ARENA_MAX);
    if (!p.arena)
        return EXIT_FAILED;
    int status = EXIT_FAILED;
    if (cmem_init(&err) != SB_OK)
        status = say(&err, EXIT_FAILED);
    else if (config_parse(argc, argv, from_env, p.arena, &p.cfg, &err) != SB_OK)
        status = say(&err, EXIT_USAGE);
    else
        status = p.cfg.action == CONFIG_RUN ? run(&p) : act(&p);
    cmem_shutdown();
    arena_free(p.arena);
    return status;
}
