/*
 * poller_pass.c: the probes of one namespace's customer keys, and what is written and published of them
 * (semantics 6-16).
 */
#include "server/engine/poller_pass.h"
#include "crypto/digest.h"
#include "crypto/rng.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/events.h"
#include "server/engine/rbac.h"
#include "server/engine/timeline.h"
#include "server/engine/vault.h"

/* ---- what a refusal means (semantics 8) ---- */

enum refusal {
    REFUSED_ACCESS,     /* for this identity: 403 */
    REFUSED_GONE,       /* key or vault: 404 */
    REFUSED_VERSION,    /* of this version alone: 403 */
    REFUSED_DAMAGED,    /* the stored wrap: tampering */
    REFUSED_UNREACHABLE /* nothing was learnt */
};

static const struct {
    enum sb_err code;
    enum refusal means;
    const char
        *text; /* of the log, in the style of the one that is documented: "Key not found: NAME/VERSION" */
    int code_logged; /* 0: what the vault's answer says */
} refusals[] = {
    {SB_EKEYNOTFOUND, REFUSED_GONE, "Key not found", 0},
    {SB_EKEYDELETED, REFUSED_GONE, "Key not found", 0},
    {SB_ENOTFOUND, REFUSED_GONE, "Key not found", 0},
    {SB_ENOVAULT, REFUSED_GONE, "Key vault not found", 0},
    {SB_ENOPRINCIPAL, REFUSED_ACCESS, "The namespace's identity no longer exists", 403},
    {SB_EPOLICY, REFUSED_ACCESS, "The vault's access policies do not allow it", 0},
    {SB_ERBAC, REFUSED_ACCESS, "No role assignment allows it", 0},
    {SB_EDENIED, REFUSED_ACCESS, "Access is denied", 403},
    {SB_EBADTOKEN, REFUSED_ACCESS, "Access is denied", 403},
    {SB_EFIREWALL, REFUSED_ACCESS, "The vault's firewall does not let it through", 0},
    {SB_EKEYDISABLED, REFUSED_VERSION, "Key is disabled", 0},
    {SB_EKEYEXPIRED, REFUSED_VERSION, "Key has expired", 0},
    {SB_EKEYNOTYET, REFUSED_VERSION, "Key is not yet valid", 0},
    {SB_EKEYOP, REFUSED_VERSION, "Key does not permit the operation", 0},
    {SB_EBADPARAM, REFUSED_DAMAGED, "The stored wrapped key was altered", 500},
    {SB_ETAMPER, REFUSED_DAMAGED, "The stored wrapped key was altered", 500},
    {SB_EUNREACHABLE, REFUSED_UNREACHABLE, "Key vault cannot be reached", 0},
    {SB_ETIMEOUT, REFUSED_UNREACHABLE, "Key vault does not answer in time", 0},
    {SB_ETHROTTLED, REFUSED_UNREACHABLE, "Key vault is throttling", 0},
    {SB_EUNAVAILABLE, REFUSED_UNREACHABLE, "Key vault is failing", 0},
};

/* Version of an entry that names one; NULL: versionless. */
static const char *pinned(const struct nskey *k)
{
    return k->version && k->version[0] != '\0' ? k->version : NULL;
}

static const char *key_text(struct pass *p, const struct nskey *k, const char *text, const char *version)
{
    return arena_printf(p->a, "%s: %s/%s", text, k->key_name, version ? version : k->wrapped_version);
}

/* Keeps the first refusal of key i (its code is the one logged) and tells what it means. An error that is no
 * refusal but the emulator's own comes back as it is. */
static enum sb_err refused(struct pass *p, size_t i, const struct sb_error *why, const char *version,
                           enum refusal *ret, struct sb_error *err)
{
    for (size_t r = 0; r < SB_ARRAY_LEN(refusals); r++) {
        if (refusals[r].code != why->code)
            continue;
        if (!p->f[i].message) {
            int answered = why->status ? why->status : vault_http_status(why->code);
            p->f[i].code = refusals[r].code_logged ? refusals[r].code_logged : answered;
            p->f[i].message = key_text(p, &p->keys[i], refusals[r].text, version);
        }
        *ret = refusals[r].means;
        return SB_OK;
    }
    return sb_fail(err, why->code, "%s", why->detail);
}

/* A refusal that ends the probe of a key. */
static enum sb_err conclude(struct pass *p, size_t i, const struct sb_error *why, const char *version,
                            struct sb_error *err)
{
    static const enum probe_finding findings[] = {
        [REFUSED_ACCESS] = PROBE_REVOKED,
        [REFUSED_GONE] = PROBE_REVOKED,
        [REFUSED_VERSION] = PROBE_REVOKED,
        [REFUSED_DAMAGED] = PROBE_SAME, /* 6: not opened, and not revoked */
        [REFUSED_UNREACHABLE] = PROBE_UNREACHABLE,
    };
    enum refusal means;
    enum sb_err rc = refused(p, i, why, version, &means, err);
    if (rc == SB_OK)
        p->probes[i].finding = findings[means];
    return rc;
}

/* ---- probes ---- */

void pass_begin(struct pass *p, struct engine *e, struct sb_arena *a, const struct ns_record *r, bool hurried)
{
    *p = (struct pass){.e = e, .a = a, .r = *r, .now = engine_now(e), .hurried = hurried};
    p->n = SB_MIN(r->v.keys_n, (size_t)NS_KEYS_MAX);
    for (size_t i = 0; i < p->n; i++)
        p->keys[i] = r->v.keys[i];
    rng_guid(p->activity);
    engine_lock(e);
    const struct ns *n = ns_find_id(e, r->v.id);
    p->root_cached = n && n->ring && n->encrypted;
    p->first = n && !n->polled;
    p->live = n ? n->status : NS_ACTIVE;
    engine_unlock(e);
}

void pass_end(struct pass *p)
{
    cmem_key_free(p->root);
    p->root = NULL;
    keyring_free(p->ring);
    p->ring = NULL;
}

static struct vault_caller caller(const struct pass *p, const struct principal *who)
{
    return (struct vault_caller){.who = who, .service = true, .request_id = p->activity};
}

/* Keeps root if it is the namespace's (semantics 6) and none is kept yet. */
static bool keep_root(struct pass *p, struct cmem_key *root)
{
    uint8_t check[32];
    bool right = keyring_check_value(root, p->r.v.id, check) == SB_OK && p->r.check.n == sizeof check &&
                 cmem_equal(check, p->r.check.p, sizeof check);
    if (right && !p->root)
        p->root = root;
    else
        cmem_key_free(root);
    return right;
}

/* Is there something of a moment ago, and can it not be otherwise by now? */
static bool proof_holds(const struct pass *p)
{
    const struct ns_proof *f = &p->proof;
    return p->hurried && p->root_cached && f->mono != 0 &&
           clock_monotonic() - f->mono < p->e->cfg.poll_interval_ms && f->epoch == rbac_epoch(p->e);
}

/* Was this wrap of key i opened then? */
static bool proved(const struct pass *p, size_t i, const uint8_t digest[32])
{
    return proof_holds(p) && i < p->proof.n && cmem_equal(p->proof.wraps[i], digest, 32);
}

/* The wrap opens to the namespace's root key: by the private operation, or by proof. */
static enum sb_err open_wrap(struct pass *p, size_t i, const struct vault_caller *c, struct sb_error *why)
{
    enum sb_err rc;
    const struct nskey *k = &p->keys[i];
    struct cmem_key *root = NULL;
    uint8_t digest[32];
    digest_sha256(k->wrapped.p, k->wrapped.n, digest);
    if (proved(p, i, digest)) {
        p->reproved = true;
        return vkey_service_unwrap_again(p->e, c, k->vault, k->key_name, k->wrapped_version, why);
    }
    SB_TRY(vkey_service_unwrap(p->e, c, k->vault, k->key_name, k->wrapped_version, k->wrapped, &root, why));
    if (!keep_root(p, root))
        return sb_fail(why, SB_ETAMPER, "the key that was unwrapped is not the namespace's");
    memcpy(p->fresh_proof.wraps[i], digest, sizeof digest);
    p->fresh_proof.who = p->f[i].who;
out:
    return rc;
}

/* The identity behind key i; entries of a namespace name the same one, so it is asked for once. */
static enum sb_err find_identity(struct pass *p, size_t i, struct sb_error *err)
{
    enum sb_err rc;
    struct pass_key *f = &p->f[i];
    const char *oid = ns_key_oid(&p->r.v, &p->keys[i]);
    if (!oid)
        return SB_OK;
    const struct principal *known = proof_holds(p) && text_ieq(p->proof.who.oid, oid) ? &p->proof.who : NULL;
    for (size_t k = 0; k < i && !known; k++)
        if (p->f[k].has_who && text_ieq(p->f[k].who.oid, oid))
            known = &p->f[k].who;
    if (known) {
        f->who = *known;
        f->has_who = true;
        return SB_OK;
    }
    SB_TRY(directory_principal(p->e, oid, &f->has_who, &f->who, err));
out:
    return rc;
}

/* Unwraps the stored blob with the version that wrapped it. *ret_more: the probe goes on. */
static enum sb_err probe_wrap(struct pass *p, size_t i, const struct vault_caller *c, bool *ret_more,
                              struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const struct nskey *k = &p->keys[i];
    enum refusal means;
    struct sb_error why;
    *ret_more = true;
    if (open_wrap(p, i, c, &why) == SB_OK) {
        p->probes[i].opened = true;
        return SB_OK;
    }
    SB_TRY(refused(p, i, &why, k->wrapped_version, &means, err));
    /* 14: an old version that is disabled does not end it; 16: one that is gone does. */
    if (means == REFUSED_VERSION && !text_ieq(p->f[i].current, k->wrapped_version))
        return SB_OK;
    *ret_more = false;
    SB_TRY(conclude(p, i, &why, k->wrapped_version, err));
out:
    return rc;
}

/* 8: get, unwrapKey, wrapKey, in this order; the first refusal is the one that counts. */
static enum sb_err probe_key(struct pass *p, size_t i, struct sb_error *err)
{
    enum sb_err rc;
    const struct nskey *k = &p->keys[i];
    struct pass_key *f = &p->f[i];
    struct vkey vk;
    bool more;
    struct sb_error why;
    SB_TRY(find_identity(p, i, err));
    if (!f->has_who) {
        sb_fail(&why, SB_ENOPRINCIPAL, "no identity");
        return conclude(p, i, &why, pinned(k), err);
    }
    struct vault_caller c = caller(p, &f->who);
    if (vkey_service_get(p->e, &c, k->vault, k->key_name, pinned(k) ? pinned(k) : "", p->a, &vk, &why) !=
        SB_OK)
        return conclude(p, i, &why, pinned(k), err);
    f->current = vk.version;
    SB_TRY(probe_wrap(p, i, &c, &more, err));
    if (!more)
        return SB_OK;
    bool same = text_ieq(vk.version, k->wrapped_version);
    /* What unwrapKey has just proved of the wrapping version is asked of the current one, when it is another.
     */
    if (!same && vkey_service_check(p->e, &c, k->vault, k->key_name, vk.version, VPERM_UNWRAP, &why) != SB_OK)
        return conclude(p, i, &why, vk.version, err);
    if (vkey_service_check(p->e, &c, k->vault, k->key_name, vk.version, VPERM_WRAP, &why) != SB_OK)
        return conclude(p, i, &why, vk.version, err);
    p->probes[i].finding = same ? PROBE_SAME : PROBE_ROTATED;
out:
    return rc;
}

enum sb_err pass_probe(struct pass *p, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    ns_proof_get(p->e, p->r.v.id, &p->proof);
    /* Before the first look: what changes meanwhile makes the proof void. */
    p->fresh_proof = (struct ns_proof){.mono = clock_monotonic(), .epoch = rbac_epoch(p->e), .n = p->n};
    for (size_t i = 0; i < p->n; i++) {
        p->probes[i].before = p->keys[i].state;
        if (p->f[i].fresh) {
            p->probes[i] = (struct probe){NSKEY_ACTIVE, PROBE_SAME, true};
            p->f[i].current = p->keys[i].wrapped_version;
        } else {
            SB_TRY(probe_key(p, i, err));
        }
    }
    if (!p->reproved)
        ns_proof_keep(p->e, p->r.v.id, &p->fresh_proof);
out:
    return rc;
}

enum sb_err pass_open(struct pass *p, const struct nskey *k, struct sb_error *err)
{
    enum sb_err rc;
    struct principal who;
    struct cmem_key *root = NULL;
    bool found;
    SB_TRY(ns_key_principal(p->e, &p->r.v, k, &found, &who, err));
    if (!found)
        return SB_OK;
    struct vault_caller c = caller(p, &who);
    if (vkey_service_unwrap(p->e, &c, k->vault, k->key_name, k->wrapped_version, k->wrapped, &root, NULL) ==
        SB_OK)
        (void)keep_root(p, root);
out:
    return rc;
}

/* ---- decision ---- */

/* Wraps again where the decision says so. *ret_again: a key turned out otherwise, so it has to be decided
 * anew. */
static enum sb_err rewrap(struct pass *p, bool *ret_again, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    *ret_again = false;
    for (size_t i = 0; i < p->n; i++) {
        struct pass_key *f = &p->f[i];
        if ((p->d.key[i] != KEY_UPDATE && p->d.key[i] != KEY_RESTORE_UPDATE) || f->rewrapped.p)
            continue;
        if (!p->root) /* 14: only the cached copy is left */
            SB_TRY(ns_root(p->e, p->r.v.id, &p->root, err));
        if (!p->root)
            return sb_fail(err, SB_EINTERNAL, "namespace '%s' has lost its root key", p->r.v.name);
        struct vault_caller c = caller(p, &f->who);
        struct sb_error why;
        if (vkey_service_wrap(p->e, &c, p->keys[i].vault, p->keys[i].key_name, f->current, p->root, p->a,
                              &f->rewrapped, &why) != SB_OK) {
            SB_TRY(conclude(p, i, &why, f->current, err));
            *ret_again = true;
        }
    }
out:
    return rc;
}

void pass_log(struct pass *p, const struct nskey *k, const char *op, int code, const char *version,
              const char *message)
{
    if (p->events_n == PASS_EVENTS_MAX)
        return;
    char *id = arena_strdup(p->a, ns_resource_id(p->a, p->r.v.sub, p->r.v.group, p->r.v.name));
    for (char *c = id; c && *c; c++) /* documented: resourceId is in upper case */
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    p->events[p->events_n++] = (struct st_event){.op = op,
                                                 .category = code ? "error" : "info",
                                                 .resource_id = id,
                                                 .vault = k->vault_uri,
                                                 .key = k->key_name,
                                                 .version = version,
                                                 .code = code ? arena_printf(p->a, "%d", code) : "",
                                                 .message = message,
                                                 .activity_id = p->activity};
}

static void change(struct pass *p, const char *key, const char *what, const char *version, int code)
{
    if (p->changes_n < PASS_CHANGES_MAX)
        p->changes[p->changes_n++] = (struct poll_change){p->r.v.name, key, what, version, code};
}

static void set_state(struct pass *p, size_t i, enum nskey_state state, int code, const char *message)
{
    struct nskey *k = &p->keys[i];
    if (k->state != state)
        k->since_ms = p->now;
    k->state = state;
    k->code = code;
    k->message = message;
    p->f[i].changed = true;
}

static void updated(struct pass *p, size_t i)
{
    struct nskey *k = &p->keys[i];
    k->wrapped = p->f[i].rewrapped;
    k->wrapped_version = p->f[i].current;
    pass_log(p, k, "wrapKey", 0, k->wrapped_version, key_text(p, k, "Key rotated", NULL));
    change(p, k->key_name, "rotated", k->wrapped_version, 0);
}

/* What a decision does to the record of key i, its log and the answer of the control plane. */
static void apply(struct pass *p, size_t i)
{
    struct nskey *k = &p->keys[i];
    const struct pass_key *f = &p->f[i];
    enum key_action action = p->d.key[i];
    switch (action) {
    case KEY_UPDATE:
    case KEY_RESTORE:
    case KEY_RESTORE_UPDATE:
        if (action != KEY_UPDATE) { /* 12: at its old place, as it never lost it */
            pass_log(p, k, "restore", 0, k->wrapped_version, key_text(p, k, "Key restored", NULL));
            change(p, k->key_name, "restored", k->wrapped_version, 0);
        }
        if (action != KEY_RESTORE)
            updated(p, i);
        set_state(p, i, NSKEY_ACTIVE, 0, "");
        break;
    case KEY_REVOKE: /* 9: the wrap stays */
        set_state(p, i, NSKEY_REVOKED, f->code, f->message);
        pass_log(p, k, "disable", f->code, k->wrapped_version, f->message);
        change(p, k->key_name, "revoked", k->wrapped_version, f->code);
        break;
    case KEY_UNREACHABLE:
        if (k->state == NSKEY_UNREACHABLE && k->code == f->code)
            break;
        set_state(p, i, NSKEY_UNREACHABLE, f->code, f->message);
        pass_log(p, k, "unwrapKey", f->code ? f->code : 503, k->wrapped_version, f->message);
        change(p, k->key_name, "unreachable", k->wrapped_version, f->code);
        break;
    case KEY_KEEP:
    default:
        if (k->state == NSKEY_UNREACHABLE) {
            set_state(p, i, NSKEY_ACTIVE, 0, "");
            pass_log(p, k, "unwrapKey", 0, k->wrapped_version,
                     key_text(p, k, "Key can be reached again", NULL));
            change(p, k->key_name, "reachable", k->wrapped_version, 0);
        } else if (k->state == NSKEY_REVOKED && f->message && k->code != f->code) {
            /* Still revoked, for another reason (16: the log says when a key is gone). */
            set_state(p, i, NSKEY_REVOKED, f->code, f->message);
            pass_log(p, k, "unwrapKey", f->code, k->wrapped_version, f->message);
        }
        break;
    }
}

enum sb_err pass_decide(struct pass *p, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool again = true;
    /* Each round settles at least one more key as not to be wrapped. */
    while (again) {
        p->d = poller_decide(p->probes, p->n, p->r.v.stored_status, p->root_cached);
        SB_TRY(rewrap(p, &again, err));
    }
    for (size_t i = 0; i < p->n; i++) {
        apply(p, i);
        p->changed = p->changed || p->f[i].changed;
    }
    p->changed = p->changed || p->d.store_status || p->events_n > 0;
    /* A first poll tells only what it changes in the record, not that the namespace has come up. */
    if (p->d.status != (p->first ? p->r.v.stored_status : p->live)) {
        static const char *const names[] = {
            [NS_ACTIVE] = "Active", [NS_REVOKED] = "Revoked", [NS_UNREACHABLE] = "Unreachable"};
        change(p, NULL, names[p->d.status], NULL, 0);
    }
    if (p->d.have_root && !p->root_cached)
        SB_TRY(ns_make_ring(p->e, &p->r, p->r.v.id, p->root, &p->ring, err));
    if (arena_failed(p->a))
        rc = sb_fail(err, SB_ENOMEM, "no memory for a poll");
out:
    return rc;
}

/* ---- carrying it out ---- */

enum sb_err pass_write_log(struct pass *p, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < p->events_n; i++)
        SB_TRY(events_key(p->e, tx, &p->events[i], err));
out:
    return rc;
}

enum sb_err pass_write(struct pass *p, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int64_t id = p->r.v.id;
    struct ns *n = ns_find_id(p->e, id);
    if (!n)
        return sb_fail(err, SB_ENONAMESPACE, "The namespace '%s' no longer exists.", p->r.v.name);
    for (size_t i = 0; i < p->n && !p->replace; i++) {
        struct st_ns_key row = ns_key_row(&p->keys[i]);
        if (p->f[i].changed)
            SB_TRY(st_ns_key_update(tx, id, &row, err));
    }
    SB_TRY(pass_write_log(p, tx, err));
    if (p->d.store_status) {
        SB_TRY(st_ns_set_revoked(tx, id, p->d.status == NS_REVOKED, p->now, err));
        if (p->d.status == NS_REVOKED) /* 11: locks end without counting a delivery */
            SB_TRY(broker_release_locks(p->e, tx, n, err));
    }
out:
    return rc;
}

void pass_publish(struct pass *p)
{
    struct engine *e = p->e;
    engine_lock(e);
    struct ns *n = ns_find_id(e, p->r.v.id);
    if (n) {
        if (p->d.drop_root || p->ring) {
            keyring_free(n->ring); /* 11: wiped */
            n->ring = NULL;
        }
        n->status = p->d.status;
        n->last_poll = p->now;
        n->next_poll = p->now + e->cfg.poll_interval_ms; /* 7 */
    }
    bool restored = n && p->ring;
    if (restored) {
        n->ring = p->ring;
        p->ring = NULL;
    }
    engine_unlock(e);
    if (!n)
        return;
    pass_tell(p); /* before what it sets going */
    if (p->d.status == NS_REVOKED && (p->live != NS_REVOKED || p->first))
        broker_revoked(e, n); /* 11: open receivers are told */
    if (restored)
        broker_restored(e, n); /* 11, 13: what fell due meanwhile runs first */
    engine_lock(e);
    n->polled = true;
    ns_wake(e);
    engine_unlock(e);
}

/* What the timeline and the log call a change. */
static const struct {
    const char *what, *kind, *event;
} tellings[] = {
    {"rotated", "keyRotated", "key.rotated"},
    {"revoked", "keyRevoked", "key.revoked"},
    {"restored", "keyRestored", "key.restored"},
    {"unreachable", "keyUnreachable", "key.unreachable"},
    {"reachable", "keyReachable", "key.reachable"},
    {"Active", "namespaceActive", "namespace.active"},
    {"Revoked", "namespaceRevoked", "namespace.revoked"},
    {"Unreachable", "namespaceUnreachable", "namespace.unreachable"},
};

static void tell(const struct pass *p, const struct poll_change *c)
{
    char code[16];
    size_t i = 0;
    while (strcmp(tellings[i].what, c->what) != 0)
        i++;
    if (!c->key) {
        timeline_note(p->e, p->now, tellings[i].kind, "%s", c->ns);
        log_event(LOG_INFO, tellings[i].event, "ns", c->ns, NULL);
        return;
    }
    timeline_note(p->e, p->now, tellings[i].kind, "%s: %s/%s", c->ns, c->key, c->version);
    (void)snprintf(code, sizeof code, "%d", c->code);
    log_event(LOG_INFO, tellings[i].event, "ns", c->ns, "key", c->key, "version", c->version, "code", code,
              NULL);
}

void pass_tell(const struct pass *p)
{
    timeline_note(p->e, p->now, "poll", "%s", p->r.v.name);
    for (size_t i = 0; i < p->changes_n; i++)
        tell(p, &p->changes[i]);
}
