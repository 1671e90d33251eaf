/*
 * ns_put_keys.c: the customer keys of a PUT (semantics 3-8, 15): enabling, adding, removing, sending again.
 *
 * Every call to a vault of a PUT is made here, with the namespace's identity as it will be, before anything
 * is written.
 */
#include "server/base/text.h"
#include "server/engine/ns_put.h"
#include "server/engine/vault.h"

/* "https://NAME.vault.azure.net:443/" -> "NAME", whatever the suffix (contract 3). */
static const char *vault_label(struct sb_arena *a, const char *uri)
{
    const char *host = strstr(uri, "://");
    host = host ? host + 3 : uri;
    return arena_strndup(a, host, strcspn(host, ".:/?#"));
}

enum sb_err put_normal(const struct ns_spec *s, struct sb_arena *a, struct ns_spec *ret, struct sb_error *err)
{
    struct ns_spec n = *s;
    struct nskey *keys = ARENA_ARRAY(a, struct nskey, s->keys_n + 1);
    for (size_t i = 0; keys && i < s->keys_n; i++) {
        keys[i] = s->keys[i];
        if (!keys[i].vault_uri)
            continue;
        /* Recorded: one trailing slash is not echoed. */
        size_t len = strlen(keys[i].vault_uri);
        keys[i].vault_uri =
            arena_strndup(a, keys[i].vault_uri, len > 0 && keys[i].vault_uri[len - 1] == '/' ? len - 1 : len);
        keys[i].vault = keys[i].vault_uri ? vault_label(a, keys[i].vault_uri) : NULL;
        if (keys[i].identity && keys[i].identity[0] == '\0')
            keys[i].identity = NULL;
    }
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "no memory for the keys");
    n.keys = keys;
    *ret = n;
    return SB_OK;
}

/* 15, 16: a hidden entry whose wrapping version no longer exists, while its key does, counts as new when it
 * is sent. A key that is gone as a whole may come back, so its entry is only remembered. */
static enum sb_err find_revived(struct put *c, bool *revived, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < c->s->keys_n; i++) {
        for (size_t j = 0; j < c->have.v.keys_n; j++) {
            const struct nskey *h = &c->have.v.keys[j];
            struct principal who;
            struct vkey vk;
            bool found;
            if (h->state != NSKEY_REVOKED || !ns_key_same(h, &c->s->keys[i]))
                continue;
            SB_TRY(ns_key_principal(c->e, &c->next, &c->s->keys[i], &found, &who, err));
            struct vault_caller caller = {.who = &who, .service = true};
            revived[i] =
                found &&
                vkey_service_get(c->e, &caller, h->vault, h->key_name, "", c->a, &vk, NULL) == SB_OK &&
                vkey_service_get(c->e, &caller, h->vault, h->key_name, h->wrapped_version, c->a, &vk, NULL) ==
                    SB_EKEYNOTFOUND;
        }
    }
out:
    return rc;
}

/* A root key to wrap for the new entries: the cached one, or one that a stored wrap still gives (15:
 * "opens"). */
static enum sb_err need_root(struct put *c, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct pass *p = c->pass;
    bool unreachable = false;
    if (!p->root && p->root_cached)
        SB_TRY(ns_root(c->e, c->have.v.id, &p->root, err));
    for (size_t i = 0; i < c->have.v.keys_n && !p->root; i++)
        SB_TRY(pass_open(p, &c->have.v.keys[i], err));
    if (p->root)
        return SB_OK;
    for (size_t i = 0; i < p->n; i++)
        unreachable = unreachable || (!p->f[i].fresh && p->probes[i].finding == PROBE_UNREACHABLE);
    if (unreachable || c->have.v.stored_status != NS_REVOKED)
        return sb_fail(err, SB_EUNREACHABLE,
                       "None of the keys that namespace '%s' is encrypted with can be reached at present, so "
                       "no key can be added: nothing "
                       "was changed.",
                       c->next.name);
    return sb_fail(err, SB_EREVOKED,
                   "Every key that namespace '%s' is encrypted with is revoked, so no key can be added: give "
                   "it back access to one of them "
                   "first.",
                   c->next.name);
out:
    return rc;
}

/* Validates and wraps the new entries; versions[] from validation. */
static enum sb_err wrap_fresh(struct put *c, const char *const *versions, const struct cmem_key *root,
                              struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct pass *p = c->pass;
    for (size_t i = 0; i < p->n; i++) {
        struct nskey *k = &p->keys[i];
        if (!p->f[i].fresh)
            continue;
        SB_TRY(ns_check_wrap(c->e, &c->next, k, versions[i], root, c->a, err));
        k->state = NSKEY_ACTIVE;
        k->code = 0;
        k->message = "";
        k->since_ms = c->now;
        pass_log(p, k, "wrapKey", 0, k->wrapped_version,
                 arena_printf(c->a, "Key added: %s/%s", k->key_name, k->wrapped_version));
    }
out:
    return rc;
}

/* A removal must leave a key that opens the namespace right now: otherwise it would lose its data by a slip
 * of the pen. */
static enum sb_err check_left(struct put *c, struct sb_error *err)
{
    const struct pass *p = c->pass;
    bool unreachable = false;
    if (c->plan.removed_n == 0 && c->plan.dropped_n == 0)
        return SB_OK;
    for (size_t i = 0; i < p->n; i++) {
        if (p->probes[i].opened && p->keys[i].state == NSKEY_ACTIVE)
            return SB_OK;
        unreachable = unreachable || p->probes[i].finding == PROBE_UNREACHABLE;
    }
    const char *name = c->plan.removed_n ? c->plan.removed[0]->key_name : c->plan.dropped[0]->key_name;
    return sb_fail(err, unreachable ? SB_EUNREACHABLE : SB_ECONFLICT,
                   "Key '%s' cannot be removed from namespace '%s': none of the keys that would be left can "
                   "be used at present. Nothing was "
                   "changed.",
                   name, c->next.name);
}

static void log_dropped(struct put *c)
{
    for (size_t i = 0; i < c->plan.dropped_n; i++) {
        const struct nskey *k = c->plan.dropped[i];
        pass_log(c->pass, k, "disable", 0, k->wrapped_version,
                 arena_printf(c->a, "Revoked key removed for good, to keep to %d: %s/%s", NS_KEYS_MAX,
                              k->key_name, k->wrapped_version));
    }
}

/* The new list goes into the pass. */
static void load_plan(struct put *c)
{
    struct pass *p = c->pass;
    p->n = SB_MIN(c->plan.n, (size_t)NS_KEYS_MAX);
    for (size_t i = 0; i < p->n; i++) {
        p->keys[i] = c->plan.keys[i];
        p->f[i].fresh = c->plan.fresh[i];
    }
    p->replace = true;
    c->list_keys = true;
}

static enum sb_err validate_fresh(struct put *c, const char **versions, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < c->pass->n; i++)
        if (c->pass->f[i].fresh)
            SB_TRY(ns_check_key(c->e, &c->next, &c->pass->keys[i], c->a, &versions[i], err)); /* 4 */
out:
    return rc;
}

/* Customer keys are turned on: a fresh root key, wrapped under each of them and by nothing else (6). */
static enum sb_err enable(struct put *c, struct sb_error *err)
{
    enum sb_err rc;
    const char *versions[NS_KEYS_MAX] = {0};
    const bool none[NS_KEYS_MAX] = {false};
    ns_plan_keys(NULL, 0, c->s->keys, c->s->keys_n, none, &c->plan);
    load_plan(c);
    SB_TRY(validate_fresh(c, versions, err));
    SB_TRY(cmem_key_random(&c->root, err));
    SB_TRY(wrap_fresh(c, versions, c->root, err));
    c->scrub = c->exists; /* the platform-sealed root key goes */
out:
    return rc;
}

static enum sb_err edit(struct put *c, struct sb_error *err)
{
    enum sb_err rc;
    const char *versions[NS_KEYS_MAX] = {0};
    bool revived[NS_KEYS_MAX] = {false}, any_fresh = false;
    SB_TRY(find_revived(c, revived, err));
    ns_plan_keys(c->have.v.keys, c->have.v.keys_n, c->s->keys, c->s->keys_n, revived, &c->plan);
    load_plan(c);
    /* 7: a PUT that leaves the keys alone does not poll, unless the namespace waits for one. */
    if (!c->plan.changed && c->pass->root_cached)
        return SB_OK;
    SB_TRY(validate_fresh(c, versions, err));
    SB_TRY(pass_probe(c->pass, err)); /* 15: entries sent again are polled, not validated anew */
    for (size_t i = 0; i < c->pass->n; i++)
        any_fresh = any_fresh || c->pass->f[i].fresh;
    if (any_fresh) {
        SB_TRY(need_root(c, err));
        SB_TRY(wrap_fresh(c, versions, c->pass->root, err));
    }
    log_dropped(c);
    SB_TRY(pass_decide(c->pass, err));
    SB_TRY(check_left(c, err));
    c->polled = true;
    c->scrub = c->plan.removed_n > 0 || c->plan.dropped_n > 0;
out:
    return rc;
}

enum sb_err put_keys(struct put *c, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct ns_record r = c->have;
    struct ns_view v = c->next;
    /* The vault is asked as the namespace will be. */
    v.keys = c->have.v.keys;
    v.keys_n = c->have.v.keys_n;
    v.stored_status = c->have.v.stored_status;
    r.v = v;
    pass_begin(c->pass, c->e, c->a, &r, false);
    if (c->enabling)
        SB_TRY(enable(c, err));
    else if (c->s->has_encryption && c->s->has_keys)
        SB_TRY(edit(c, err));
out:
    return rc;
}
