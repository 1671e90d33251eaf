/*
 * ns_keys.c: what a PUT makes of the list of customer keys (semantics 15). No I/O.
 *
 * A PUT edits the list that GET shows. Entries that are hidden because they are revoked are not touched by
 * it: they stay at their place, remembered with their wraps, unless they are sent again or have to give way
 * to the limit of three.
 */
#include "server/base/text.h"
#include "server/engine/ns_priv.h"

static bool same_version(const char *a, const char *b)
{
    bool none_a = !a || a[0] == '\0', none_b = !b || b[0] == '\0';
    return none_a || none_b ? none_a == none_b : text_ieq(a, b);
}

bool ns_key_same(const struct nskey *a, const struct nskey *b)
{
    return text_ieq(a->vault, b->vault) && text_ieq(a->key_name, b->key_name) &&
           same_version(a->version, b->version);
}

static bool same_identity(const char *a, const char *b)
{
    return a && b ? text_ieq(a, b) : a == b;
}

static void insert(struct ns_plan *p, size_t at, const struct nskey *k, bool fresh)
{
    memmove(&p->keys[at + 1], &p->keys[at], (p->n - at) * sizeof p->keys[0]);
    memmove(&p->fresh[at + 1], &p->fresh[at], (p->n - at) * sizeof p->fresh[0]);
    p->keys[at] = *k;
    p->fresh[at] = fresh;
    p->n++;
}

static void take_out(struct ns_plan *p, size_t at)
{
    p->n--;
    memmove(&p->keys[at], &p->keys[at + 1], (p->n - at) * sizeof p->keys[0]);
    memmove(&p->fresh[at], &p->fresh[at + 1], (p->n - at) * sizeof p->fresh[0]);
}

/* An entry that is sent again: as it is, echoed as it was sent. It is polled, not validated anew. */
static struct nskey resent(const struct nskey *have, const struct nskey *sent, bool *ret_changed)
{
    struct nskey k = *have;
    k.key_name = sent->key_name;
    k.vault_uri = sent->vault_uri;
    k.version = sent->version;
    k.identity = sent->identity;
    *ret_changed = have->state == NSKEY_REVOKED || !same_identity(have->identity, sent->identity);
    return k;
}

/* Index of the kept, hidden, unsent entry that has been revoked the longest; n when there is none. */
static size_t oldest_hidden(const struct ns_plan *p, const bool *sent)
{
    size_t oldest = p->n;
    for (size_t i = 0; i < p->n; i++)
        if (!sent[i] && (oldest == p->n || p->keys[i].since_ms < p->keys[oldest].since_ms))
            oldest = i;
    return oldest;
}

/* Hidden entries count towards the three; beyond that the one revoked longest goes. */
static void give_way(struct ns_plan *p, const struct nskey *have, size_t have_n, bool *sent)
{
    while (p->n > NS_KEYS_MAX) {
        size_t i = oldest_hidden(p, sent);
        if (i == p->n)
            return;
        for (size_t j = 0; j < have_n && p->dropped_n < NS_KEYS_MAX; j++)
            if (ns_key_same(&have[j], &p->keys[i]))
                p->dropped[p->dropped_n++] = &have[j];
        take_out(p, i);
        memmove(&sent[i], &sent[i + 1], (p->n - i) * sizeof sent[0]);
        p->changed = true;
    }
}

void ns_plan_keys(const struct nskey *have, size_t have_n, const struct nskey *sent, size_t sent_n,
                  const bool *revived, struct ns_plan *ret)
{
    struct ns_plan p = {0};
    bool taken[NS_KEYS_MAX] = {false}, from_sent[2 * NS_KEYS_MAX] = {false};
    for (size_t i = 0; i < sent_n; i++) {
        size_t j = 0;
        while (j < have_n && (taken[j] || !ns_key_same(&have[j], &sent[i])))
            j++;
        bool known = j < have_n, changed = true;
        if (known)
            taken[j] = true;
        if (known && !revived[i]) {
            struct nskey k = resent(&have[j], &sent[i], &changed);
            insert(&p, p.n, &k, false);
        } else {
            struct nskey k = sent[i];
            k.state = NSKEY_ACTIVE;
            insert(&p, p.n, &k, true);
            if (known)
                p.removed[p.removed_n++] = &have[j]; /* its wrap is dead and gives way to the new one */
        }
        from_sent[p.n - 1] = true;
        p.changed = p.changed || changed;
    }
    for (size_t j = 0; j < have_n; j++) {
        if (taken[j])
            continue;
        if (have[j].state != NSKEY_REVOKED) { /* shown, not sent: removed */
            p.removed[p.removed_n++] = &have[j];
            p.changed = true;
            continue;
        }
        size_t at = SB_MIN((size_t)have[j].position, p.n);
        insert(&p, at, &have[j], false);
        memmove(&from_sent[at + 1], &from_sent[at], (p.n - 1 - at) * sizeof from_sent[0]);
        from_sent[at] = false;
    }
    give_way(&p, have, have_n, from_sent);
    for (size_t i = 0; i < p.n; i++)
        p.keys[i].position = (int)i;
    *ret = p;
}
