/*
 * test_poller.c: what polls do, in an engine with a vault (semantics 7-16); the number of the rule is in each
 * test's name.
 */
#include <unistd.h>
#include "server/engine/ns_priv.h"
#include "storage/st_namespace.h"
#include "tests/unit/engine/ns_fixture.h"

static void setup(void)
{
    world_up();
}

/* Fails the test unless the namespace serves (or does not). */
static void serves(const char *ns, bool yes)
{
    struct ns *n;
    engine_lock(e);
    n = ns_find(e, ns);
    ck_assert_int_eq(n->ring != NULL, yes);
    engine_unlock(e);
}

static void advance(int64_t ms)
{
    struct timeline_result r;
    ck_assert_msg(timeline_advance(e, ms, arena, 1000, &r, &err) == SB_OK, "%s", err.detail);
    ns_look(NS);
}

/* ---- 7: when ---- */

START_TEST(test_poller__7_every_five_minutes)
{
    encrypt_ns(NS, "k1");
    ck_assert_int_eq(poller_next_due(e), START + INTERVAL);
    delete_key("k1");
    advance(INTERVAL - 1);
    ck_assert_int_eq(view.status, NS_ACTIVE); /* between polls the cached key is used */
    serves(NS, true);
    advance(1);
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(view.last_poll_ms, START + INTERVAL);
    ck_assert_int_eq(view.next_poll_ms, START + 2 * INTERVAL);
    /* after the last poll, whatever its cause */
    clock_advance_to(e->clock, START + INTERVAL + 1000);
    poll_now(NS);
    ck_assert_int_eq(view.next_poll_ms, START + 2 * INTERVAL + 1000);
}
END_TEST

static enum sb_err count_audit(const char *op, size_t *ret)
{
    struct st_event *list;
    size_t n;
    bool gap;
    enum sb_err rc = events_list(e, 0, 100000, arena, &list, &n, &gap, &err);
    *ret = 0;
    for (size_t i = 0; rc == SB_OK && i < n; i++)
        *ret += strcmp(list[i].stream, EVENT_STREAM_AUDIT) == 0 && strcmp(list[i].op, op) == 0;
    return rc;
}

START_TEST(test_poller__7_unchanged_writes_nothing)
{
    size_t before, after;
    encrypt_ns(NS, "k1 k2");
    int64_t updated = view.updated_ms;
    ck_assert_int_eq(count_audit("KeyUnwrap", &before), SB_OK);
    clock_advance_to(e->clock, START + 5000);
    int64_t events = events_last_id(e);
    poll_now(NS);
    ck_assert_uint_eq(changes_n, 0);
    ck_assert_int_eq(view.updated_ms, updated);
    ck_assert_int_eq(view.last_poll_ms, START + 5000);
    ck_assert_uint_eq(logged("wrapKey", NULL), 2);
    ck_assert_int_eq(count_audit("KeyUnwrap", &after), SB_OK);
    ck_assert_uint_eq(after - before, 2); /* but the vault's audit log tells of it */
    ck_assert_int_gt(events_last_id(e), events);
}
END_TEST

/* Polls that fall due within a moment do not repeat the private operation, but look at all else each time. */
START_TEST(test_poller__7_time_that_flies)
{
    size_t before, after;
    encrypt_ns(NS, "k1 k2");
    update_key("k1", "", -1, -1, NOW_S + 10 * INTERVAL / 1000);
    ck_assert_int_eq(count_audit("KeyUnwrap", &before), SB_OK);
    advance(9 * INTERVAL);
    ck_assert_str_eq(record(), "k1 k2");
    ck_assert_int_eq(count_audit("KeyUnwrap", &after), SB_OK);
    ck_assert_uint_eq(after - before, 18);
    advance(9 * INTERVAL);
    ck_assert_str_eq(record(), "-k1 k2"); /* its date came, though nothing changed in the vault */
    ck_assert_int_ge(view.keys[0].since_ms, START + 10 * INTERVAL);
    ck_assert_int_le(view.keys[0].since_ms, START + 11 * INTERVAL);
    set_fault(VAULT, FAULT_TIMEOUT, 1);
    advance(INTERVAL);
    ck_assert_int_eq(view.keys[0].code, 503);
    make_key("k2");
    advance(INTERVAL);
    ck_assert_uint_eq(logged("wrapKey", "k2"), 2);
    grant(VAULT, view.principal_id, "{\"keys\":[]}");
    advance(INTERVAL);
    ck_assert_int_eq(view.status, NS_REVOKED);
}
END_TEST

/* ---- 8: what one probe finds ---- */

START_TEST(test_poller__8_rotated)
{
    encrypt_ns(NS, "k1 k2");
    const char *old = view.keys[0].wrapped_version;
    struct sb_blob wrap = view.keys[0].wrapped;
    const char *v2 = make_key("k1");
    poll_now(NS);
    ck_assert(changed_to("k1", "rotated"));
    ck_assert_uint_eq(changes_n, 1);
    ck_assert_str_eq(view.keys[0].wrapped_version, v2);
    ck_assert_str_ne(old, v2);
    ck_assert_mem_ne(view.keys[0].wrapped.p, wrap.p, wrap.n);
    ck_assert_ptr_null(view.keys[0].version);
    ck_assert_uint_eq(logged("wrapKey", "k1"), 2);
    poll_now(NS);
    ck_assert_uint_eq(changes_n, 0);
}
END_TEST

START_TEST(test_poller__8_newer_version_that_does_not_count)
{
    const char *v1 = make_key("pin");
    encrypt_ns(NS, arena_printf(arena, "k1 pin/%s", v1));
    struct vkey k;
    struct vault_caller c = me();
    struct vkey_spec s = key_spec("k1");
    s.nbf = NOW_S + 3600;
    ck_assert_int_eq(vkey_create(e, &c, &s, arena, &k, &err), SB_OK);
    make_key("pin");
    poll_now(NS);
    ck_assert_uint_eq(changes_n, 0);
    ck_assert_str_eq(record(), "k1 pin");
    /* its date comes: rotated by itself */
    clock_advance_to(e->clock, START + INT64_C(3600) * 1000);
    poll_now(NS);
    ck_assert(changed_to("k1", "rotated"));
    ck_assert_str_eq(view.keys[0].wrapped_version, k.version);
    ck_assert_str_eq(view.keys[1].wrapped_version, v1);
}
END_TEST

static void take_policy(void)
{
    grant(VAULT, view.principal_id, "{\"keys\":[\"get\",\"wrapKey\"]}");
}
static void give_policy(void)
{
    grant(VAULT, view.principal_id, GET_WRAP);
}
static void disable(void)
{
    update_key("k1", "", 0, -1, -1);
}
static void enable(void)
{
    update_key("k1", "", 1, -1, -1);
}
static void set_ops(const char *ops)
{
    struct vkey k;
    struct vault_caller c = me();
    struct vkey_spec s = key_spec("k1");
    s.key_ops = ops;
    ck_assert_int_eq(vkey_update(e, &c, &s, "", arena, &k, &err), SB_OK);
}
static void no_ops(void)
{
    set_ops("sign,unwrapKey");
}
static void ops(void)
{
    set_ops("wrapKey,unwrapKey");
}
static void expire(void)
{
    update_key("k1", "", -1, -1, NOW_S);
}
static void not_expired(void)
{
    update_key("k1", "", -1, -1, NOW_S + 86400);
}
static void firewall(int deny, int bypass)
{
    struct vault v;
    struct vault_spec s = spec(VAULT);
    s.acl_deny = deny;
    s.acl_bypass_azure = bypass;
    s.network_acls = "{}";
    s.has_policies = false;
    ck_assert_msg(vault_patch(e, &s, arena, &v, &err) == SB_OK, "%s", err.detail);
}
static void close_firewall(void)
{
    firewall(1, 0);
}
static void trusted_services(void)
{
    firewall(1, 1);
}
static void gone(void)
{
    delete_key("k1");
}
static void back(void)
{
    recover_key("k1");
}
static void vault_gone(void)
{
    bool existed;
    ck_assert_int_eq(vault_delete(e, SUB, "g", VAULT, &existed, &err), SB_OK);
}
static void vault_back(void)
{
    struct vault_spec s = spec(VAULT);
    s.recover = true;
    s.has_policies = false;
    ck_assert_msg(put(&s, NULL) == SB_OK, "%s", err.detail);
}

static void set_tenant(const char *tenant)
{
    struct vault v;
    struct vault_spec s = spec(VAULT);
    s.tenant = tenant;
    s.has_policies = false;
    ck_assert_msg(vault_patch(e, &s, arena, &v, &err) == SB_OK, "%s", err.detail);
}
static void other_tenant(void)
{
    set_tenant("77777777-0000-0000-0000-000000000000");
}
static void own_tenant(void)
{
    set_tenant(ENGINE_TENANT);
}

static const struct {
    const char *name;
    void (*take)(void), (*give)(void);
    int code;
    const char *message;
} losses[] = {
    {"permission", take_policy, give_policy, 403, "The vault's access policies do not allow it: k1/"},
    {"disabled", disable, enable, 403, "Key is disabled: k1/"},
    {"key_ops", no_ops, ops, 403, "Key does not permit the operation: k1/"},
    {"expired", expire, not_expired, 403, "Key has expired: k1/"},
    {"firewall", close_firewall, trusted_services, 403, "The vault's firewall does not let it through: k1/"},
    {"deleted", gone, back, 404, "Key not found: k1/"},
    {"vault deleted", vault_gone, vault_back, 404, "Key vault not found: k1/"},
    {"other tenant", other_tenant, own_tenant, 404, "Key vault not found: k1/"},
};

/* 8, 9, 11, 12 for every way to lose a key and to get it back; the message is there afterwards, with its
 * number. */
START_TEST(test_poller__8_to_12_lost_and_back)
{
    struct broker_delivery first, again;
    encrypt_ns(NS, "k1");
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "hello"), SB_OK);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE, &first), "hello"); /* locked */
    losses[_i].take();
    ck_assert_int_eq(send_text(NS, "second"), SB_OK); /* cached until the poll */
    poll_now(NS);
    ck_assert(changed_to("k1", "revoked"));
    ck_assert(changed_to(NULL, "Revoked"));
    ck_assert_str_eq(record(), "-k1");
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(view.stored_status, NS_REVOKED);
    ck_assert_int_eq(view.keys[0].code, losses[_i].code);
    ck_assert_msg(text_starts(view.keys[0].message, losses[_i].message), "%s", view.keys[0].message);
    ck_assert_uint_ge(view.keys[0].wrapped.n, 256); /* 9: nothing is purged */
    ck_assert_uint_eq(logged("disable", "k1"), 1);
    serves(NS, false);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "!SB_EREVOKED");
    ck_assert_int_eq(send_text(NS, "lost"), SB_EREVOKED);
    poll_now(NS); /* nothing new: no second row */
    ck_assert_uint_eq(changes_n, 0);
    ck_assert_uint_eq(logged("disable", "k1"), 1);
    losses[_i].give();
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "!SB_EREVOKED"); /* until the next poll */
    poll_now(NS);
    ck_assert(changed_to("k1", "restored"));
    ck_assert(changed_to(NULL, "Active"));
    ck_assert_str_eq(record(), "k1");
    ck_assert_int_eq(view.status, NS_ACTIVE);
    ck_assert_uint_eq(logged("restore", "k1"), 1);
    /* 11: the lock ended without counting a delivery */
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE, &again), "hello");
    ck_assert_int_eq(again.seq, first.seq);
    ck_assert_int_eq(again.delivery_count, 1);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, &again), "second");
}
END_TEST

START_TEST(test_poller__8_pinned_and_not_yet_valid)
{
    const char *v1 = make_key("pin");
    encrypt_ns(NS, arena_printf(arena, "pin/%s", v1));
    update_key("pin", v1, -1, NOW_S + 3600, -1);
    poll_now(NS);
    ck_assert_str_eq(record(), "-pin"); /* wrapKey is refused though unwrapKey works */
    ck_assert_int_eq(view.keys[0].code, 403);
    ck_assert_msg(text_starts(view.keys[0].message, "Key is not yet valid: pin/"), "%s",
                  view.keys[0].message);
}
END_TEST

START_TEST(test_poller__8_identity_removed)
{
    encrypt_ns(NS, "k1");
    struct ns_spec s = ns_wanted(NS);
    s.patch = true;
    s.identity = IDENTITY_NONE;
    ns_ok(&s);
    ck_assert_int_eq(view.status, NS_ACTIVE);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(view.keys[0].code, 403);
    /* 12: a re-created identity is a new principal: it must be granted again */
    s.identity = IDENTITY_SYSTEM;
    ns_ok(&s);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
    grant(VAULT, view.principal_id, GET_WRAP);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_ACTIVE);
}
END_TEST

START_TEST(test_poller__8_unreachable)
{
    static const enum fault_kind kinds[] = {FAULT_UNREACHABLE, FAULT_TIMEOUT, FAULT_THROTTLE, FAULT_ERROR};
    encrypt_ns(NS, "k1 k2");
    make_queue(NS);
    set_fault(VAULT, kinds[_i], -1);
    poll_now(NS);
    ck_assert_str_eq(record(), "?k1 ?k2");
    ck_assert_int_eq(view.status, NS_ACTIVE); /* the cached root key stays in use */
    ck_assert(changed_to("k1", "unreachable") && changed_to("k2", "unreachable"));
    ck_assert_int_eq(view.keys[0].code, kinds[_i] == FAULT_THROTTLE ? 429 : view.keys[0].code);
    ck_assert_uint_eq(logged("unwrapKey", NULL), 2);
    ck_assert_uint_eq(logged("disable", NULL), 0);
    ck_assert_int_eq(send_text(NS, "x"), SB_OK);
    poll_now(NS);
    ck_assert_uint_eq(changes_n, 0);
    ck_assert_uint_eq(logged("unwrapKey", NULL), 2);
    ck_assert_int_eq(faults_clear(e, NULL, &err), SB_OK);
    poll_now(NS);
    ck_assert_str_eq(record(), "k1 k2");
    ck_assert(changed_to("k1", "reachable"));
    ck_assert_uint_eq(logged("restore", NULL), 0);
}
END_TEST

START_TEST(test_poller__8_a_revoked_key_stays_revoked_when_unreachable)
{
    encrypt_ns(NS, "k1");
    delete_key("k1");
    poll_now(NS);
    recover_key("k1");
    set_fault(VAULT, FAULT_UNREACHABLE, -1);
    poll_now(NS);
    ck_assert_str_eq(record(), "-k1");
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(faults_clear(e, NULL, &err), SB_OK);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_ACTIVE);
}
END_TEST

/* ---- 10, 12 ---- */

START_TEST(test_poller__10_one_key_is_enough)
{
    encrypt_ns(NS, "k1 k2 k3");
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "m"), SB_OK);
    delete_key("k1");
    update_key("k3", "", 0, -1, -1);
    poll_now(NS);
    ck_assert_str_eq(record(), "-k1 k2 -k3");
    ck_assert_int_eq(view.status, NS_ACTIVE);
    recover_key("k1");
    poll_now(NS);
    ck_assert_str_eq(record(), "k1 k2 -k3"); /* 12: at its old place */
    delete_key("k2");
    poll_now(NS);
    ck_assert_str_eq(record(), "k1 -k2 -k3");
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "m");
}
END_TEST

START_TEST(test_poller__11_a_waiting_receiver_is_told)
{
    struct broker_op op;
    struct wait w;
    encrypt_ns(NS, "k1");
    make_queue(NS);
    op_begin(&op, &w, BROKER_RECEIVE, NS);
    op.timeout_ms = 60000;
    broker_submit(e, &op);
    delete_key("k1");
    poll_now(NS);
    ck_assert_int_eq(op_wait(&op), SB_EREVOKED);
}
END_TEST

/* ---- 13, 14, 16: after a restart ---- */

static char dir[64];

static void disk_setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sb-poller-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    world_open(dir);
    make_safe_vault(VAULT);
    make_key("k1");
    make_key("k2");
}

static void disk_teardown(void)
{
    static const char *const files[] = {"servicebus.db", "servicebus.db-wal", "servicebus.db-shm",
                                        "keyvault.db",   "keyvault.db-wal",   "keyvault.db-shm",
                                        "platform.key"};
    world_down();
    for (size_t i = 0; i < SB_ARRAY_LEN(files); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    rmdir(dir);
}

static void restart(void)
{
    world_down();
    world_open(dir);
    ck_assert_int_eq(ns_wait_polled(e, NS, 5000, &err), SB_OK);
    ns_look(NS);
}

START_TEST(test_poller__13_polled_before_it_serves)
{
    encrypt_ns(NS, "k1 k2");
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "kept"), SB_OK);
    struct ns_spec plain = ns_wanted("plain-ns");
    plain.sku = "Standard";
    ns_ok(&plain);
    restart();
    ck_assert_int_eq(view.status, NS_ACTIVE);
    serves(NS, true);
    serves("plain-ns", true);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "kept");
    ck_assert_int_eq(ns_wait_polled(e, "none-there", 0, &err), SB_OK);
}
END_TEST

START_TEST(test_poller__13_all_revoked)
{
    encrypt_ns(NS, "k1 k2");
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "kept"), SB_OK);
    grant(VAULT, view.principal_id, "{\"keys\":[]}"); /* not polled any more before the stop */
    restart();
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_str_eq(record(), "-k1 -k2");
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "!SB_EREVOKED");
    restart();
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_uint_eq(logged("disable", NULL), 2);
    grant(VAULT, view.principal_id, GET_WRAP);
    poll_now(NS);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "kept");
}
END_TEST

START_TEST(test_poller__13_unreachable_is_not_revoked)
{
    encrypt_ns(NS, "k1 k2");
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "kept"), SB_OK);
    delete_key("k1");
    poll_now(NS);
    set_fault(VAULT, FAULT_UNREACHABLE, -1); /* survives the restart */
    restart();
    ck_assert_int_eq(view.status, NS_UNREACHABLE);
    ck_assert_int_eq(view.stored_status, NS_ACTIVE); /* ARM keeps it */
    ck_assert_str_eq(record(), "-k1 ?k2");
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "!SB_EUNREACHABLE");
    ck_assert_int_eq(ns_require_writable(e, SUB, "g", NS, &err), SB_EUNREACHABLE);
    struct ns_spec s = with_keys(NS, "k2 k3");
    make_key("k3");
    ck_assert_int_eq(ns_try(&s), SB_EUNREACHABLE);
    ck_assert_int_eq(faults_clear(e, NULL, &err), SB_OK);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_ACTIVE);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "kept");
}
END_TEST

START_TEST(test_poller__14_rotated_and_old_version_disabled)
{
    char v1[40], v2[40];
    encrypt_ns(NS, "k1");
    ck_assert(text_copy(v1, sizeof v1, view.keys[0].wrapped_version));
    make_queue(NS);
    ck_assert_int_eq(send_text(NS, "kept"), SB_OK);
    ck_assert(text_copy(v2, sizeof v2, make_key("k1")));
    update_key("k1", v1, 0, -1, -1);
    if (_i == 0) { /* with the root key cached nothing stops */
        poll_now(NS);
        ck_assert(changed_to("k1", "rotated"));
        ck_assert_str_eq(view.keys[0].wrapped_version, v2);
        ck_assert_int_eq(view.status, NS_ACTIVE);
        return;
    }
    restart(); /* in the gap: revoked, until the old version is enabled again */
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_str_eq(view.keys[0].wrapped_version, v1);
    ck_assert_int_eq(view.keys[0].code, 403);
    update_key("k1", v1, 1, -1, -1);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_ACTIVE);
    ck_assert(changed_to("k1", "restored") && changed_to("k1", "rotated"));
    ck_assert_str_eq(view.keys[0].wrapped_version, v2);
    ck_assert_str_eq(receive(NS, BROKER_RECEIVE_DELETE, NULL), "kept");
}
END_TEST

START_TEST(test_poller__14_unless_another_key_opens)
{
    char v2[40];
    encrypt_ns(NS, "k1 k2");
    const char *v1 = view.keys[0].wrapped_version;
    ck_assert(text_copy(v2, sizeof v2, make_key("k1")));
    update_key("k1", v1, 0, -1, -1);
    restart();
    ck_assert_str_eq(record(), "k1 k2");
    ck_assert_str_eq(view.keys[0].wrapped_version, v2);
    delete_key("k2");
    restart(); /* the new wrap holds the same root key */
    ck_assert_str_eq(record(), "k1 -k2");
    serves(NS, true);
}
END_TEST

START_TEST(test_poller__16_a_key_of_the_same_name_does_not_revive)
{
    encrypt_ns(NS, "k1 k2");
    struct vault_caller c = me();
    delete_key("k1");
    poll_now(NS);
    clock_advance_to(e->clock, START + 91 * DAY);
    ck_assert_int_eq(vault_run_due(e, engine_now(e), &err), SB_OK); /* purged by its date */
    make_key("k1");
    poll_now(NS);
    ck_assert_str_eq(record(), "-k1 k2"); /* also with the root key cached */
    ck_assert_int_eq(view.keys[0].code, 404);
    struct ns_spec s = with_keys(NS, "k1 k2"); /* naming it makes it a new entry */
    ns_ok(&s);
    ck_assert_str_eq(record(), "k1 k2");
    SB_UNUSED(c);
}
END_TEST

START_TEST(test_poller__16_the_last_wrap_is_dead)
{
    encrypt_ns(NS, "k1");
    delete_key("k1");
    poll_now(NS);
    clock_advance_to(e->clock, START + 91 * DAY);
    ck_assert_int_eq(vault_run_due(e, engine_now(e), &err), SB_OK);
    make_key("k1");
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
    struct ns_spec s = with_keys(NS, "k1 k2");
    ck_assert_int_eq(ns_try(&s), SB_EREVOKED);
    poll_now(NS);
    ck_assert_int_eq(view.status, NS_REVOKED);
}
END_TEST

/* ---- 6: tampering ---- */

struct swap {
    int64_t id;
    struct sb_blob wrapped;
    const char *version;
};

static enum sb_err run_swap(struct tx *tx, void *arg, struct sb_error *er)
{
    struct swap *s = arg;
    struct st_ns_key *keys;
    size_t n;
    enum sb_err rc = st_ns_keys(tx, s->id, arena, &keys, &n, er);
    if (rc != SB_OK)
        return rc;
    keys[0].wrapped = s->wrapped;
    keys[0].wrapped_version = s->version;
    return st_ns_key_update(tx, s->id, &keys[0], er);
}

/* A wrap made by the right key, of another root key, or one that is damaged: reported, never used, and not
 * revocation. */
START_TEST(test_poller__6_tampered_wrap)
{
    struct cmem_key *other;
    struct vault_caller c = me();
    struct swap s = {0};
    encrypt_ns(NS, "k1");
    make_queue(NS);
    s.id = view.id;
    s.version = view.keys[0].wrapped_version;
    advance(INTERVAL); /* a proof of the right wrap is there */
    if (_i % 2 == 0) {
        ck_assert_int_eq(cmem_key_random(&other, &err), SB_OK);
        ck_assert_int_eq(vkey_service_wrap(e, &c, VAULT, "k1", s.version, other, arena, &s.wrapped, &err),
                         SB_OK);
        cmem_key_free(other);
    } else {
        uint8_t *bad = arena_memdup(arena, view.keys[0].wrapped.p, view.keys[0].wrapped.n);
        bad[100] ^= 1;
        s.wrapped = (struct sb_blob){bad, view.keys[0].wrapped.n};
    }
    ck_assert_int_eq(store_call(e->sb, run_swap, &s, &err), SB_OK);
    if (_i < 2)
        poll_now(NS);
    else
        advance(INTERVAL);
    ck_assert_str_eq(record(), "?k1");
    ck_assert_int_eq(view.status, NS_ACTIVE); /* the cached root key is the right one */
    ck_assert_msg(text_starts(view.keys[0].message, "The stored wrapped key was altered: k1/"), "%s",
                  view.keys[0].message);
    ck_assert_uint_eq(logged("unwrapKey", "k1"), 1);
    ck_assert_uint_eq(logged("disable", NULL), 0);
    restart();
    ck_assert_int_eq(view.status, NS_UNREACHABLE);
    ck_assert_int_eq(view.stored_status, NS_ACTIVE);
    serves(NS, false);
}
END_TEST

/* ---- many, at once, and together with PUTs ---- */

START_TEST(test_poller__all_in_parallel)
{
    for (int i = 0; i < 12; i++)
        encrypt_ns(arena_printf(arena, "contoso-%02d", i), "k1 k2");
    make_key("k1");
    poll_now(NULL);
    ck_assert_uint_eq(changes_n, 12);
    for (int i = 0; i < 12; i++) /* in id order, whoever did it */
        ck_assert_str_eq(changes[i].ns, arena_printf(arena, "contoso-%02d", i));
    delete_key("k1");
    delete_key("k2");
    poll_now(NULL);
    ck_assert_uint_eq(changes_n, 36);
    ns_look("contoso-07");
    ck_assert_int_eq(view.status, NS_REVOKED);
    ck_assert_int_eq(poller_poll_all(e, "none-there", arena, &changes, &changes_n, &err), SB_ENONAMESPACE);
}
END_TEST

static void *poll_often(void *arg)
{
    struct sb_error er;
    SB_UNUSED(arg);
    for (int i = 0; i < 15; i++) {
        struct poll_change *c;
        size_t n;
        struct sb_arena *a = arena_new(1u << 20);
        ck_assert(poller_poll_all(e, NULL, a, &c, &n, &er) == SB_OK);
        arena_free(a);
    }
    return NULL;
}

START_TEST(test_poller__takes_turns_with_puts)
{
    pthread_t t[2];
    encrypt_ns(NS, "k1");
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, poll_often, NULL), 0);
    for (int i = 0; i < 10; i++) {
        struct ns_spec s = with_keys(NS, i % 2 ? "k1" : "k1 k2");
        ns_ok(&s);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    ns_look(NS);
    ck_assert_str_eq(record(), "k1");
    bool existed;
    ck_assert_int_eq(ns_delete(e, SUB, "g", NS, &existed, &err), SB_OK);
    ck_assert_int_eq(poller_next_due(e), TIMELINE_NEVER);
}
END_TEST

static void add(Suite *s, TCase *t)
{
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
}

Suite *unit_suite(void)
{
    pool_fill();
    atexit(pool_empty);
    Suite *s = suite_create("poller");
    TCase *t = tcase_create("memory");
    tcase_add_checked_fixture(t, setup, world_down);
    tcase_add_test(t, test_poller__7_every_five_minutes);
    tcase_add_test(t, test_poller__7_unchanged_writes_nothing);
    tcase_add_test(t, test_poller__7_time_that_flies);
    tcase_add_test(t, test_poller__8_rotated);
    tcase_add_test(t, test_poller__8_newer_version_that_does_not_count);
    tcase_add_loop_test(t, test_poller__8_to_12_lost_and_back, 0, SB_ARRAY_LEN(losses));
    tcase_add_test(t, test_poller__8_pinned_and_not_yet_valid);
    tcase_add_test(t, test_poller__8_identity_removed);
    tcase_add_loop_test(t, test_poller__8_unreachable, 0, 4);
    tcase_add_test(t, test_poller__8_a_revoked_key_stays_revoked_when_unreachable);
    tcase_add_test(t, test_poller__10_one_key_is_enough);
    tcase_add_test(t, test_poller__11_a_waiting_receiver_is_told);
    tcase_add_test(t, test_poller__16_a_key_of_the_same_name_does_not_revive);
    tcase_add_test(t, test_poller__16_the_last_wrap_is_dead);
    tcase_add_test(t, test_poller__all_in_parallel);
    tcase_add_test(t, test_poller__takes_turns_with_puts);
    add(s, t);
    t = tcase_create("disk");
    tcase_add_checked_fixture(t, disk_setup, disk_teardown);
    tcase_add_test(t, test_poller__13_polled_before_it_serves);
    tcase_add_test(t, test_poller__13_all_revoked);
    tcase_add_test(t, test_poller__13_unreachable_is_not_revoked);
    tcase_add_loop_test(t, test_poller__14_rotated_and_old_version_disabled, 0, 2);
    tcase_add_test(t, test_poller__14_unless_another_key_opens);
    tcase_add_loop_test(t, test_poller__6_tampered_wrap, 0, 4);
    add(s, t);
    return s;
}
