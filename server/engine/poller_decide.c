/*
 * poller_decide.c: what a poll's findings mean (semantics 8-14). No I/O: every cell is tested.
 */
#include "server/engine/poller.h"

/* What is done about one key. root: the root key is at hand (cached, or a wrap of any key opened). */
static enum key_action decide_key(const struct probe *p, bool root)
{
    bool hidden = p->before == NSKEY_REVOKED;
    switch (p->finding) {
    case PROBE_SAME:
        /* 6: a wrap that opens to something else is tampering, not revocation: the entry stays, unusable. */
        if (!p->opened)
            return hidden ? KEY_KEEP : KEY_UNREACHABLE;
        return hidden ? KEY_RESTORE : KEY_KEEP; /* 12 */
    case PROBE_ROTATED:
        /* 14: the old version need not open as long as the root key is at hand. */
        if (root)
            return hidden ? KEY_RESTORE_UPDATE : KEY_UPDATE;
        return hidden ? KEY_KEEP : KEY_REVOKE;
    case PROBE_REVOKED: return hidden ? KEY_KEEP : KEY_REVOKE; /* 9 */
    case PROBE_UNREACHABLE:
    default: return hidden ? KEY_KEEP : KEY_UNREACHABLE; /* 8, last row */
    }
}

/* Does the key carry the namespace after this? */
static bool carries(const struct probe *p, enum key_action a)
{
    return a == KEY_UPDATE || a == KEY_RESTORE || a == KEY_RESTORE_UPDATE ||
           (a == KEY_KEEP && p->before != NSKEY_REVOKED);
}

struct decision poller_decide(const struct probe *p, size_t n, enum ns_status before, bool root_cached)
{
    struct decision d = {.status = NS_REVOKED};
    bool root = root_cached, held = root_cached, active = false, unreachable = false;
    for (size_t i = 0; i < n; i++)
        root = root || p[i].opened; /* 14: also a key that is about to be revoked may open it */
    for (size_t i = 0; i < n; i++) {
        d.key[i] = decide_key(&p[i], root);
        active = active || carries(&p[i], d.key[i]);
        unreachable = unreachable || d.key[i] == KEY_UNREACHABLE;
        /* Its wrap opened, and what failed came after that: the root key is there as if cached. */
        held = held || (d.key[i] == KEY_UNREACHABLE && p[i].opened);
    }
    if (active || (unreachable && held))
        d.status = NS_ACTIVE; /* 10; 8: the cached root key stays in use */
    else if (unreachable)
        d.status = NS_UNREACHABLE; /* 13: never Revoked while something may come back */
    d.have_root = d.status == NS_ACTIVE;
    d.drop_root = root_cached && !d.have_root; /* 11 */
    d.store_status = d.status != NS_UNREACHABLE && (d.status == NS_REVOKED) != (before == NS_REVOKED);
    return d;
}
