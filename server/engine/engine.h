/*
 * engine.h: the emulated services as one object: no HTTP, no JSON, no sockets.
 *
 * Threads. Two stores, each owned by one thread (storage/store.h). Memory state of namespaces, entities,
 * keyrings and waiters is changed on the Service Bus store's thread only (in run/done of its ops), and read
 * elsewhere under `engine_lock`; so data keys are used on that one thread and wiping them needs no
 * coordination. RSA work, key generation and JSON never run on a store's thread nor under the lock: they run
 * on the calling (worker) thread between two ops. Functions here block the caller until durable unless they
 * say "async".
 *
 * Each module keeps its state behind its own opaque pointer; a module reaches another one only through its
 * header.
 */
#ifndef SB_ENGINE_H
#define SB_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "crypto/cmem.h"
#include "server/base/arena.h"
#include "server/base/clock.h"
#include "server/base/err.h"
#include "storage/store.h"

#define ENGINE_TENANT        "11111111-1111-1111-1111-111111111111"
#define ENGINE_SUBSCRIPTION  "00000000-0000-0000-0000-000000000000"
#define ENGINE_CLIENT_ID     "22222222-2222-2222-2222-222222222222"
#define ENGINE_CLIENT_SECRET "emulator-secret"
#define ENGINE_CLIENT_OID    "33333333-3333-3333-3333-333333333333"
#define ENGINE_DOMAIN        "sealedbus.onmicrosoft.com"
#define ENGINE_USER          "user@" ENGINE_DOMAIN
#define ENGINE_USER_PASSWORD "emulator-password"
#define ENGINE_USER_OID      "55555555-5555-5555-5555-555555555555"

struct engine_client {
    const char *id;
    const char *secret; /* NULL: signs in with a certificate only */
    const char *oid;
};
struct engine_client_cert {
    const char *id;   /* of one of the clients */
    const char *file; /* for messages */
    const char *pem;
};
struct engine_user {
    const char *upn;
    const char *password;
    const char *oid;
};

struct engine_config {
    const char *data_dir; /* NULL: in memory */
    int64_t poll_interval_ms;
    int64_t grant_delay_ms; /* before a new role assignment counts, and a removed one no longer does */
    int64_t provisioning_delay_ms;
    bool clock_manual;
    bool token_clock_emulator;
    int64_t start_ms;                 /* manual clock of a new data directory; 0: the machine's time */
    const char *const *subscriptions; /* empty: any GUID */
    size_t subscriptions_n;
    const struct engine_client *clients; /* the well-known one included by config.c */
    size_t clients_n;
    const struct engine_client_cert *certs;
    size_t certs_n;
    const struct engine_user *users; /* the well-known one included by config.c */
    size_t users_n;
};

struct directory;
struct rbac;
struct vaults;
struct namespaces;
struct broker;
struct poller;
struct events;
struct faults;
struct jobs;
struct timeline;

struct engine {
    struct engine_config cfg;
    struct sb_clock *clock;
    struct store *sb;          /* servicebus.db */
    struct store *kv;          /* keyvault.db */
    struct cmem_key *platform; /* platform.key; see DESIGN.md for what it does and does not guard */
    pthread_mutex_t lock;      /* engine_lock: memory state of namespaces and waiters */
    pthread_mutex_t arm;       /* one ARM write at a time (never held by data-plane calls or polls) */
    pthread_mutex_t pair;      /* geo-DR: one pairing is made or ended at a time; before arm */
    pthread_mutex_t mirror;    /* geo-DR: one change follows to a secondary at a time; before lock */
    struct directory *directory;
    struct rbac *rbac;
    struct vaults *vaults;
    struct namespaces *namespaces;
    struct broker *broker;
    struct poller *poller;
    struct events *events;
    struct faults *faults;
    struct jobs *jobs;
    struct timeline *timeline;
    void (*on_broken)(void); /* called once when a store's commit failed: end the process */
    atomic_bool broken_told;
    atomic_bool stopping;
    atomic_int deleting; /* namespaces that are being deleted */
    bool started;        /* the vault store's thread runs */
};

/* Opens the stores under cfg->data_dir (or in memory), loads state, starts the store threads and, on a real
 * clock, the timer. Strings of cfg are borrowed for the engine's life. SB_EDATADIR says what to do. */
SB_MUST enum sb_err engine_open(const struct engine_config *cfg, void (*on_broken)(void), struct engine **ret,
                                struct sb_error *err);
/* First half of a clean stop: every parked receive is answered, no poll starts any more. */
void engine_stop(struct engine *e);
/* Second half: stores closed, keys wiped. */
void engine_close(struct engine *e);
/* Back to an empty emulator: groups and all in them, deleted vaults, role assignments, faults and events go;
 * CA, clients, platform key, signing key and the clock stay, and no id is used again. Requests in flight see
 * each thing vanish as if it had been deleted; a second reset waits for the first. */
SB_MUST enum sb_err engine_reset(struct engine *e, struct sb_error *err);

/* SB_OK when the engine serves: not stopping, and both stores take work; else SB_EUNAVAILABLE and why.
 * Blocks. */
SB_MUST enum sb_err engine_healthy(struct engine *e, struct sb_error *err);

static inline int64_t engine_now(struct engine *e)
{
    return clock_now(e->clock);
}
/* The clock that ends tokens and SAS (semantics 23). */
int64_t engine_token_now(struct engine *e);
void engine_lock(struct engine *e);
void engine_unlock(struct engine *e);
/* Does this subscription exist? Compares GUIDs whatever the case. */
bool engine_subscription_ok(const struct engine *e, const char *sub);

#endif
