/*
 * poller.h: the 5-minute look at the customer keys (semantics 7-16): a pure decision, and the pass that
 * carries it out.
 */
#ifndef SB_POLLER_H
#define SB_POLLER_H

#include "server/engine/ns.h"

/* What one probe of one key finds. */
enum probe_finding { PROBE_SAME, PROBE_ROTATED, PROBE_REVOKED, PROBE_UNREACHABLE };

struct probe {
    enum nskey_state before;
    enum probe_finding finding;
    bool opened; /* its stored wrap was unwrapped to the right root key */
};

enum key_action {
    KEY_KEEP,
    KEY_UPDATE /* re-wrapped under a newer version */,
    KEY_REVOKE,
    KEY_RESTORE,
    KEY_RESTORE_UPDATE,
    KEY_UNREACHABLE
};

struct decision {
    enum key_action key[NS_KEYS_MAX];
    enum ns_status status; /* after the pass: Active, Revoked, Unreachable */
    bool drop_root;        /* wipe root and derived keys */
    bool have_root;        /* the namespace serves */
    bool store_status;     /* the stored status (Active/Revoked) changes */
};

/* No I/O: every cell of its truth table is tested. root_cached: the namespace holds its root key in memory
 * now. */
struct decision poller_decide(const struct probe *p, size_t n, enum ns_status before, bool root_cached);

/* What a poll of one namespace changed, for the control plane. */
struct poll_change {
    const char *ns, *key, *what; /* "rotated", "revoked", "restored", "unreachable"; key NULL: the namespace
                                    ("Revoked", "Active") */
    const char *version;
    int code;
};

SB_MUST enum sb_err poller_open(struct engine *e, struct sb_error *err);
void poller_stop(struct engine *e); /* no new pass begins; waits for the running ones */
void poller_close(struct engine *e);
/* Starts the first poll of every encrypted namespace, in the background, on at most as many threads as there
 * are cores. */
void poller_start_first(struct engine *e);
/* Polls one namespace now. Blocks. Different namespaces may be polled in parallel; one namespace is polled by
 * one at a time. */
SB_MUST enum sb_err poller_poll(struct engine *e, int64_t ns_id, struct sb_arena *a, struct poll_change **ret,
                                size_t *ret_n, struct sb_error *err);
/* All of them now (name NULL), or one. Parallel over the cores. */
SB_MUST enum sb_err poller_poll_all(struct engine *e, const char *name, struct sb_arena *a,
                                    struct poll_change **ret, size_t *ret_n, struct sb_error *err);
/* timeline: when the next poll falls due, and run those due at now, in id order. */
int64_t poller_next_due(struct engine *e);
SB_MUST enum sb_err poller_run_due(struct engine *e, int64_t now, struct sb_error *err);

#endif
