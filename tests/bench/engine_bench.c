/*
 * engine_bench.c: what message operations cost in process, without HTTP: send, peek-lock, complete.
 *
 *     engine_bench DIR [MESSAGES [IN_FLIGHT [SIZE [BACKLOG]]]]
 *
 * DIR must be an empty folder ("-": in memory). IN_FLIGHT operations are kept queued. BACKLOG messages are
 * put into the queue first and stay there. Prints one JSON line per phase: operations a second, and CPU time
 * of the store's thread per operation, commits included.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "crypto/rng.h"
#include "server/base/timefmt.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker.h"
#include "server/engine/directory.h"

#define SUB "00000000-0000-0000-0000-000000000000"

struct slot {
    struct broker_op op; /* first */
    struct bench *b;
    struct broker_message message;
    struct slot *next; /* in bench.over */
};

struct bench {
    struct engine *e;
    const char *phase;
    size_t in_flight, size, failed;
    struct slot *slots;
    struct sb_blob sections;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct slot *over; /* under lock */
    size_t ended;
    double cpu_start, cpu_end; /* of the store's thread */
};

static double seconds(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what, const struct sb_error *err)
{
    fprintf(stderr, "engine_bench: %s: %s\n", what, err->detail);
    exit(1);
}

/* On the store's thread: hands the slot back. */
static void over(struct broker_op *op)
{
    struct slot *s = (struct slot *)op;
    struct bench *b = s->b;
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
    pthread_mutex_lock(&b->lock);
    if (b->ended++ == 0)
        b->cpu_start = cpu;
    b->cpu_end = cpu;
    bool idle = b->over == NULL;
    s->next = b->over;
    b->over = s;
    if (idle)
        pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->lock);
}

static void check(struct bench *b, const struct broker_op *op)
{
    if (op->rc == SB_OK && (op->kind != BROKER_RECEIVE || op->got))
        return;
    if (b->failed++ == 0)
        fprintf(stderr, "engine_bench: %s: %s\n", b->phase, op->err.detail);
}

static void submit(struct slot *s, enum broker_kind kind)
{
    struct broker_op *op = &s->op;
    op->kind = kind;
    /* An arena per request, as over HTTP. */
    arena_free(op->arena);
    op->arena = arena_new((size_t)16 << 20);
    broker_submit(s->b->e, op);
}

/* A peek-lock is followed by its complete. */
static void again(struct slot *s, enum broker_kind kind)
{
    if (kind == BROKER_RECEIVE && s->op.kind == BROKER_RECEIVE) {
        memcpy(s->op.lock_token, s->op.delivery.lock_token, sizeof s->op.lock_token);
        s->op.seq = s->op.delivery.seq;
        submit(s, BROKER_COMPLETE);
    } else {
        submit(s, kind);
    }
}

static struct slot *wait_over(struct bench *b)
{
    pthread_mutex_lock(&b->lock);
    while (b->over == NULL)
        pthread_cond_wait(&b->cond, &b->lock);
    struct slot *s = b->over;
    b->over = NULL;
    pthread_mutex_unlock(&b->lock);
    return s;
}

static void phase(struct bench *b, const char *name, enum broker_kind kind, size_t ops, size_t in_flight,
                  bool quiet)
{
    size_t started = 0, ended = 0;
    b->phase = name;
    b->ended = b->failed = 0;
    double start = seconds(CLOCK_MONOTONIC);
    for (; started < SB_MIN(in_flight, ops); started++)
        submit(&b->slots[started], kind);
    while (ended < ops) {
        for (struct slot *s = wait_over(b), *next; s; s = next) {
            next = s->next;
            ended++;
            check(b, &s->op);
            if (started < ops) {
                started++;
                again(s, kind);
            }
        }
    }
    double took = seconds(CLOCK_MONOTONIC) - start;
    if (!quiet)
        printf("{\"bench\":\"engine\",\"op\":\"%s\",\"in_flight\":%zu,\"size\":%zu,\"ops\":%zu,\"failed\":%"
               "zu,\"per_s\":%.0f,"
               "\"store_us\":%.2f}\n",
               name, in_flight, b->size, ops, b->failed, (double)ops / took,
               (b->cpu_end - b->cpu_start) * 1e6 / (double)ops);
    fflush(stdout);
}

static void make_slots(struct bench *b)
{
    for (size_t i = 0; i < b->in_flight; i++) {
        struct slot *s = &b->slots[i];
        s->b = b;
        s->message = (struct broker_message){.sections = b->sections, .ttl_ms = -1};
        s->op.done = over;
        s->op.seq = -1;
        s->op.messages = &s->message;
        s->op.messages_n = 1;
        snprintf(s->op.ns, sizeof s->op.ns, "bench-ns");
        snprintf(s->op.entity, sizeof s->op.entity, "q");
    }
}

static void make_queue(struct engine *e)
{
    struct sb_error err = {0};
    struct sb_arena *a = arena_new((size_t)1 << 20);
    bool created;
    struct group g;
    struct ns_view v;
    struct entity_view q;
    const struct ns_spec ns = {.sub = SUB,
                               .group = "g",
                               .name = "bench-ns",
                               .location = "westus",
                               .sku = "Premium",
                               .capacity = -1,
                               .partitions = -1,
                               .disable_local_auth = -1,
                               .zone_redundant = -1,
                               .public_access = -1,
                               .infra = -1};
    struct entity_spec spec = broker_spec(ENTITY_QUEUE, "bench-ns", "q");
    spec.lock_ms = 300000;
    spec.max_mb = 81920;
    if (directory_group_put(e, SUB, "g", "westus", "{}", a, &g, &created, &err) != SB_OK)
        fail("group", &err);
    if (ns_put(e, &ns, a, &v, &created, &err) != SB_OK)
        fail("namespace", &err);
    if (broker_entity_put(e, &spec, a, &q, &created, &err) != SB_OK)
        fail("queue", &err);
    arena_free(a);
}

static void make_sections(struct bench *b, struct sb_buf *buf)
{
    struct sb_error err = {0};
    uint8_t *body = malloc(b->size + 1);
    if (body == NULL)
        exit(1);
    rng_bytes(body, b->size);
    const struct amqp_message m = {.props = {.message_id = "0123456789abcdef0123456789abcdef"},
                                   .body = {body, b->size}};
    buf_init(buf, b->size + 4096);
    if (amqpmsg_encode(&m, buf, &err) != SB_OK)
        fail("encode", &err);
    free(body);
    b->sections = (struct sb_blob){buf->p, buf->n};
}

static size_t argument(int argc, char **argv, int i, size_t otherwise)
{
    return argc > i ? (size_t)strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: engine_bench DIR|- [MESSAGES [IN_FLIGHT [SIZE [BACKLOG]]]]\n");
        return 2;
    }
    struct sb_error err = {0};
    size_t messages = argument(argc, argv, 2, 100000), backlog = argument(argc, argv, 5, 0);
    struct bench b = {.in_flight = argument(argc, argv, 3, 32), .size = argument(argc, argv, 4, 1024)};
    const struct engine_client client = {ENGINE_CLIENT_ID, ENGINE_CLIENT_SECRET, ENGINE_CLIENT_OID};
    const struct engine_config cfg = {.data_dir = strcmp(argv[1], "-") == 0 ? NULL : argv[1],
                                      .poll_interval_ms = 300000,
                                      .clients = &client,
                                      .clients_n = 1};
    struct sb_buf buf;
    double opened = seconds(CLOCK_MONOTONIC);
    if (engine_open(&cfg, NULL, &b.e, &err) != SB_OK)
        fail("open", &err);
    fprintf(stderr, "opened in %.1f ms\n", (seconds(CLOCK_MONOTONIC) - opened) * 1e3);
    pthread_mutex_init(&b.lock, NULL);
    pthread_cond_init(&b.cond, NULL);
    b.slots = calloc(b.in_flight, sizeof *b.slots);
    if (b.slots == NULL)
        return 1;
    make_queue(b.e);
    make_sections(&b, &buf);
    make_slots(&b);
    if (backlog)
        phase(&b, "backlog", BROKER_SEND, backlog, b.in_flight, true);
    phase(&b, "spare", BROKER_SEND, b.in_flight, b.in_flight, true); /* for receives that end the phase */
    phase(&b, "send", BROKER_SEND, messages, b.in_flight, false);
    phase(&b, "peek-lock and complete", BROKER_RECEIVE, 2 * messages, b.in_flight, false);
    if (b.in_flight > 1)
        phase(&b, "send one by one", BROKER_SEND, messages / 10 + 1, 1, false);
    for (size_t i = 0; i < b.in_flight; i++)
        arena_free(b.slots[i].op.arena);
    buf_done(&buf);
    free(b.slots);
    engine_stop(b.e);
    engine_close(b.e);
    return 0;
}
