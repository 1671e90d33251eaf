/* ns_fixture.h: an engine with a vault of three keys, and short ways to make namespaces encrypted with them.
 */
#ifndef SB_NS_FIXTURE_H
#define SB_NS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include "server/base/log.h"
#include "server/engine/amqpmsg.h"
#include "server/engine/broker.h"
#include "server/engine/ns.h"
#include "server/engine/poller.h"
#include "tests/unit/engine/vault_fixture.h"

#define VAULT     "kv-one"
#define VAULT_URI "https://kv-one.vault.azure.net"
#define GET_WRAP  "{\"keys\":[\"get\",\"wrapKey\",\"unwrapKey\"]}"
#define NS        "contoso-sb1"
#define INTERVAL  INT64_C(300000)

static struct ns_view view; /* what the last call answered */

static inline void world_open(const char *dir)
{
    const struct engine_config cfg = {.data_dir = dir,
                                      .clock_manual = true,
                                      .start_ms = START,
                                      .poll_interval_ms = INTERVAL,
                                      .clients = fixture_clients,
                                      .clients_n = 1};
    bool found = false;
    log_setup(LOG_ERROR, false);
    ck_assert_msg(engine_open(&cfg, NULL, &e, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(directory_principal(e, ENGINE_CLIENT_OID, &found, &client, &err), SB_OK);
    ck_assert(found);
    arena = arena_new(64u << 20);
}

static inline struct vault_caller me(void)
{
    return (struct vault_caller){.who = &client, .request_id = "test"};
}

static inline struct vkey_spec key_spec(const char *name)
{
    return (struct vkey_spec){
        .vault = VAULT, .name = name, .kty = "RSA", .enabled = -1, .nbf = -1, .exp = -1};
}

/* Making RSA keys takes longer than all the rest: a few are made before the tests are forked, and imported in
 * turn. */
#define POOL 6
static struct pkey *pool[POOL];
static size_t pool_next;

static inline void pool_fill(void)
{
    if (cmem_init(NULL) != SB_OK)
        abort();
    for (size_t i = 0; i < POOL; i++)
        if (pkey_generate_rsa(2048, &pool[i], NULL) != SB_OK)
            abort();
}

static inline void pool_empty(void)
{
    for (size_t i = 0; i < POOL; i++)
        pkey_unref(pool[i]);
}

/* A new version; the version's id lives in the arena. */
static inline const char *make_key(const char *name)
{
    struct vkey k;
    struct vault_caller c = me();
    struct vkey_spec s = key_spec(name);
    s.import = pool[pool_next++ % POOL];
    s.hsm = 0;
    ck_assert_msg(vkey_import(e, &c, &s, arena, &k, &err) == SB_OK, "%s", err.detail);
    return k.version;
}

static inline void update_key(const char *name, const char *version, int enabled, int64_t nbf, int64_t exp)
{
    struct vkey k;
    struct vault_caller c = me();
    struct vkey_spec s = key_spec(name);
    s.enabled = enabled;
    s.nbf = nbf;
    s.exp = exp;
    ck_assert_msg(vkey_update(e, &c, &s, version, arena, &k, &err) == SB_OK, "%s", err.detail);
}

static inline void delete_key(const char *name)
{
    struct vkey k;
    struct vault_caller c = me();
    ck_assert_msg(vkey_delete(e, &c, VAULT, name, arena, &k, &err) == SB_OK, "%s", err.detail);
}

static inline void recover_key(const char *name)
{
    struct vkey k;
    struct vault_caller c = me();
    ck_assert_msg(vkey_recover(e, &c, VAULT, name, arena, &k, &err) == SB_OK, "%s", err.detail);
}

static inline void make_safe_vault(const char *name)
{
    struct vault_spec s = spec(name);
    struct vault_policy p = policy(ENGINE_CLIENT_OID, ALL);
    s.policies = &p;
    s.policies_n = 1;
    s.purge_protection = 1;
    ck_assert_msg(put(&s, NULL) == SB_OK, "%s", err.detail);
}

static inline struct ns_spec ns_wanted(const char *name)
{
    struct ns_spec s = ns_spec(SUB, "g", name);
    s.location = "westus";
    s.sku = "Premium";
    s.has_identity = true;
    s.identity = IDENTITY_SYSTEM;
    return s;
}

static inline enum sb_err ns_try(const struct ns_spec *s)
{
    bool created;
    err.detail[0] = '\0';
    return ns_put(e, s, arena, &view, &created, &err);
}

static inline void ns_ok(const struct ns_spec *s)
{
    ck_assert_msg(ns_try(s) == SB_OK, "%s", err.detail);
}

/* "k1 k2/version k3": the entries of a list, all in VAULT. Version "" is written as "k1/". */
static inline struct nskey *entries(const char *list, size_t *ret_n)
{
    struct nskey *k = ARENA_ARRAY(arena, struct nskey, 8);
    size_t n = 0;
    while (*list) {
        size_t len = strcspn(list, " ");
        char *name = arena_strndup(arena, list, len);
        char *slash = strchr(name, '/');
        if (slash)
            *slash++ = '\0';
        k[n++] = (struct nskey){.key_name = name, .vault_uri = VAULT_URI "/", .version = slash};
        list += len + (list[len] == ' ');
    }
    *ret_n = n;
    return k;
}

/* The namespace as it is, to be PUT with this list of keys. */
static inline struct ns_spec with_keys(const char *name, const char *list)
{
    struct ns_spec s = ns_wanted(name);
    s.has_encryption = true;
    s.has_keys = true;
    s.keys = entries(list, &s.keys_n);
    return s;
}

static inline void ns_look(const char *name)
{
    ck_assert_msg(ns_by_name(e, name, arena, &view, &err) == SB_OK, "%s", err.detail);
}

/* A Premium namespace whose identity may use the keys of VAULT. */
static inline void make_ns(const char *name)
{
    struct ns_spec s = ns_wanted(name);
    ns_ok(&s);
    grant(VAULT, view.principal_id, GET_WRAP);
}

static inline void encrypt_ns(const char *name, const char *list)
{
    make_ns(name);
    struct ns_spec s = with_keys(name, list);
    ns_ok(&s);
}

/* Vault with k1, k2, k3 (one version each). */
static inline void world_up(void)
{
    world_open(NULL);
    make_safe_vault(VAULT);
    make_key("k1");
    make_key("k2");
    make_key("k3");
}

static inline void world_down(void)
{
    engine_stop(e);
    engine_close(e);
    arena_free(arena);
}

static struct poll_change *changes;
static size_t changes_n;

static inline void poll_now(const char *name)
{
    ck_assert_msg(poller_poll_all(e, name, arena, &changes, &changes_n, &err) == SB_OK, "%s", err.detail);
    if (name)
        ns_look(name);
}

static inline bool changed_to(const char *key, const char *what)
{
    for (size_t i = 0; i < changes_n; i++)
        if (strcmp(changes[i].what, what) == 0 &&
            (key == changes[i].key || (key && changes[i].key && strcmp(key, changes[i].key) == 0)))
            return true;
    return false;
}

/* "k1 -k2 ?k3": the record as it is; - revoked, ? unreachable. */
static inline const char *record(void)
{
    char text[400] = "";
    for (size_t i = 0; i < view.keys_n; i++) {
        size_t at = strlen(text);
        const char *mark = view.keys[i].state == NSKEY_REVOKED       ? "-"
                           : view.keys[i].state == NSKEY_UNREACHABLE ? "?"
                                                                     : "";
        snprintf(text + at, sizeof text - at, "%s%s%s", at ? " " : "", mark, view.keys[i].key_name);
    }
    return arena_strdup(arena, text);
}

/* How many rows of the key log have this operation and (unless NULL) key. */
static inline size_t logged(const char *op, const char *key)
{
    struct st_event *list;
    size_t n, found = 0;
    bool gap;
    ck_assert_int_eq(events_list(e, 0, 10000, arena, &list, &n, &gap, &err), SB_OK);
    for (size_t i = 0; i < n; i++)
        found += strcmp(list[i].stream, EVENT_STREAM_KEY) == 0 && strcmp(list[i].op, op) == 0 &&
                 (!key || (list[i].key && strcmp(list[i].key, key) == 0));
    return found;
}

/* ---- one queue "q" in a namespace ---- */

static inline void make_queue(const char *ns)
{
    struct entity_view q;
    bool created;
    struct entity_spec s = broker_spec(ENTITY_QUEUE, ns, "q");
    ck_assert_msg(broker_entity_put(e, &s, arena, &q, &created, &err) == SB_OK, "%s", err.detail);
}

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
};

static inline void wait_done(struct broker_op *op)
{
    struct wait *w = op->cookie;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->over);
    pthread_mutex_unlock(&w->lock);
}

static inline void op_begin(struct broker_op *op, struct wait *w, enum broker_kind kind, const char *ns)
{
    *op = (struct broker_op){.e = e, .arena = arena, .kind = kind, .seq = -1, .done = wait_done, .cookie = w};
    ck_assert(text_copy(op->ns, sizeof op->ns, ns) && text_copy(op->entity, sizeof op->entity, "q"));
    *w = (struct wait){.done = false};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->over, NULL);
}

static inline enum sb_err op_wait(struct broker_op *op)
{
    struct wait *w = op->cookie;
    pthread_mutex_lock(&w->lock);
    while (!w->done)
        pthread_cond_wait(&w->over, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->over);
    pthread_mutex_destroy(&w->lock);
    return op->rc;
}

static inline enum sb_err send_text(const char *ns, const char *text)
{
    struct broker_op op;
    struct wait w;
    struct sb_buf b;
    const struct amqp_message m = {.props.message_id = text, .body = {(const uint8_t *)text, strlen(text)}};
    buf_init(&b, 65536);
    ck_assert_int_eq(amqpmsg_encode(&m, &b, &err), SB_OK);
    const struct broker_message msg = {.sections = {b.p, b.n}, .message_id = text, .ttl_ms = -1};
    op_begin(&op, &w, BROKER_SEND, ns);
    op.messages = &msg;
    op.messages_n = 1;
    broker_submit(e, &op);
    enum sb_err rc = op_wait(&op);
    err = op.err;
    buf_done(&b);
    return rc;
}

/* kind: BROKER_RECEIVE or BROKER_RECEIVE_DELETE. The text, "" when there is none, or "!CODE". */
static inline const char *receive(const char *ns, enum broker_kind kind, struct broker_delivery *ret)
{
    struct broker_op op;
    struct wait w;
    struct amqp_message m;
    op_begin(&op, &w, kind, ns);
    broker_submit(e, &op);
    enum sb_err rc = op_wait(&op);
    err = op.err;
    if (rc != SB_OK)
        return arena_printf(arena, "!%s", sb_err_name(rc));
    if (!op.got)
        return "";
    if (ret)
        *ret = op.delivery;
    ck_assert_int_eq(amqpmsg_decode(op.delivery.sections, arena, &m, &err), SB_OK);
    return arena_strndup(arena, (const char *)m.body.p, m.body.n);
}

static inline void set_fault(const char *vault, enum fault_kind kind, int64_t count)
{
    struct fault f = {.kind = kind, .count = count, .status = 503};
    ck_assert(text_copy(f.target, sizeof f.target, vault));
    ck_assert_msg(faults_put(e, &f, &err) == SB_OK, "%s", err.detail);
}

#define ck_detail(text) ck_assert_msg(strstr(err.detail, text) != NULL, "unexpected message: %s", err.detail)

#endif
