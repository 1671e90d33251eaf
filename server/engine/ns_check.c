/*
 * ns_check.c: what must hold before a namespace becomes what a PUT or PATCH asks for; each condition with its
 * rule of the semantics and a message that names what is missing. Texts marked [F] are the service's own; the
 * others are our choice.
 */
#include "server/base/text.h"
#include "server/engine/ns_priv.h"
#include "server/engine/vault.h"

#define NAME_MIN 6

static bool letter(char c)
{
    c = text_lower(c);
    return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

enum sb_err ns_check_name(const char *name, struct sb_error *err)
{
    size_t n = strlen(name);
    bool good =
        n >= NAME_MIN && n <= NS_NAME_MAX && letter(name[0]) && (letter(name[n - 1]) || digit(name[n - 1]));
    for (size_t i = 0; good && i < n; i++)
        good = letter(name[i]) || digit(name[i]) || name[i] == '-';
    if (!good)
        return sb_fail(err, SB_EINVAL,
                       "The namespace name '%.64s' is not valid: it must have %d to %d letters, digits and "
                       "hyphens, begin with a "
                       "letter and end with a letter or a digit.",
                       name, NAME_MIN, NS_NAME_MAX);
    if (text_ends(name, "-sb") || text_ends(name, "-mgmt"))
        return sb_fail(err, SB_EINVAL,
                       "The namespace name '%s' is not valid: it must not end with '-sb' or '-mgmt'.", name);
    return SB_OK;
}

/* ---- what refusals say about identities ---- */

static const char *identity_text(const struct nskey *k)
{
    return k->identity ? "user-assigned identity" : "system-assigned identity";
}

static enum sb_err no_identity(const char *name, const struct nskey *k, struct sb_error *err)
{
    if (k->identity)
        return sb_fail(err, SB_EBADREQUEST,
                       "Key '%s' of vault '%s' is to be used with the user-assigned identity '%.300s', which "
                       "is not one of the identities "
                       "of namespace '%s'.",
                       k->key_name, k->vault, k->identity, name);
    return sb_fail(err, SB_EBADREQUEST,
                   "Key '%s' of vault '%s' is to be used with the system-assigned identity of namespace "
                   "'%s', which has none.",
                   k->key_name, k->vault, name);
}

/* ---- conditions that need no vault ---- */

static const char *name_of(const struct ns_wish *w)
{
    return w->s->name;
}

static bool encrypted_now(const struct ns_wish *w)
{
    return w->now && w->now->encrypted;
}

static bool enabling(const struct ns_wish *w)
{
    return w->s->has_encryption && !encrypted_now(w);
}

static bool is_premium(const char *sku)
{
    return text_ieq(sku, "Premium");
}

/* Each is true, with a message, when its condition is broken. */

static bool bad_sku(const struct ns_wish *w, struct sb_error *err)
{
    if (text_ieq(w->sku, "Basic") || text_ieq(w->sku, "Standard") || is_premium(w->sku))
        return false;
    sb_fail(err, SB_EBADREQUEST, "The SKU '%.32s' is not valid: it must be Basic, Standard or Premium.",
            w->sku);
    return true;
}

static bool bad_capacity(const struct ns_wish *w, struct sb_error *err)
{
    int c = w->s->capacity, p = w->s->partitions;
    bool good = c < 0 || !is_premium(w->sku) || (c >= 1 && c <= 64 && (c & (c - 1)) == 0);
    if (!good) {
        sb_fail(err, SB_EBADREQUEST,
                "The capacity %d is not valid: a Premium namespace has 1, 2, 4, 8 or 16 messaging units a "
                "partition.",
                c);
        return true;
    }
    if (p < 0 || !is_premium(w->sku) || p == 1 || p == 2 || p == 4 || p == 0)
        return false;
    sb_fail(err, SB_EBADREQUEST, "premiumMessagingPartitions %d is not valid: it must be 1, 2 or 4.", p);
    return true;
}

static bool tier_changes(const struct ns_wish *w, struct sb_error *err)
{
    if (!w->now || is_premium(w->now->sku) == is_premium(w->sku))
        return false;
    sb_fail(err, SB_EBADREQUEST, "The tier of namespace '%s' cannot be changed from '%s' to '%s'.%s",
            name_of(w), w->now->sku, w->sku,
            w->now->encrypted ? " It is encrypted with customer-managed keys." : "");
    return true;
}

static bool not_premium(const struct ns_wish *w, struct sb_error *err)
{
    if (!w->s->has_encryption || is_premium(w->sku))
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "Encryption with customer-managed keys is available in the Premium tier only: namespace '%s' is "
            "of the '%s' tier.",
            name_of(w), w->sku);
    return true;
}

static bool encryption_left_out(const struct ns_wish *w, struct sb_error *err)
{
    if (!encrypted_now(w) || w->s->has_encryption || w->s->patch)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "Encryption properties are missing. Note: Once encryption has been enabled on a namespace, it "
            "cannot be disabled."); /* [F] */
    return true;
}

static bool other_source(const struct ns_wish *w, struct sb_error *err)
{
    if (!w->s->has_encryption || !w->s->key_source || text_ieq(w->s->key_source, "Microsoft.KeyVault"))
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "The encryption key source '%.64s' is not valid: it must be 'Microsoft.KeyVault'.%s",
            w->s->key_source,
            encrypted_now(w) ? " Once encryption has been enabled on a namespace, it cannot be disabled."
                             : "");
    return true;
}

static bool infra_changes(const struct ns_wish *w, struct sb_error *err)
{
    if (!encrypted_now(w) || !w->s->has_encryption || w->s->infra < 0 || (w->s->infra != 0) == w->now->infra)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "The property 'requireInfrastructureEncryption' of namespace '%s' cannot be changed once "
            "encryption has been enabled.",
            name_of(w));
    return true;
}

static bool keys_incomplete(const struct ns_wish *w, struct sb_error *err)
{
    bool missing = w->s->has_encryption && !w->s->has_keys && !(w->s->patch && encrypted_now(w));
    bool shown = false;
    for (size_t i = 0; w->now && i < w->now->keys_n; i++)
        shown = shown || w->now->keys[i].state != NSKEY_REVOKED;
    /* 15: an empty list is accepted exactly where GET shows one. */
    if (w->s->has_keys && w->s->keys_n == 0)
        missing = !encrypted_now(w) || shown;
    for (size_t i = 0; i < w->s->keys_n; i++) {
        const struct nskey *k = &w->s->keys[i];
        missing = missing || !k->key_name || !k->key_name[0] || !k->vault_uri || !k->vault_uri[0];
    }
    if (missing)
        sb_fail(err, SB_EBADREQUEST,
                "All KeyVaultProperties must be specified as part of the Encryption object."); /* [F] */
    return missing;
}

static bool too_many_keys(const struct ns_wish *w, struct sb_error *err)
{
    if (w->s->keys_n <= NS_KEYS_MAX)
        return false;
    sb_fail(err, SB_EBADREQUEST, "Namespace '%s' can be encrypted with at most %d keys: %zu were given.",
            name_of(w), NS_KEYS_MAX, w->s->keys_n);
    return true;
}

static bool key_malformed(const struct ns_wish *w, struct sb_error *err)
{
    for (size_t i = 0; i < w->s->keys_n; i++) {
        const struct nskey *k = &w->s->keys[i];
        bool good = strlen(k->key_name) <= VKEY_NAME_MAX;
        for (const char *c = k->key_name; *c; c++)
            good = good && (letter(*c) || digit(*c) || *c == '-');
        if (!good) {
            sb_fail(err, SB_EBADREQUEST, "The key name '%.127s' is not valid.", k->key_name);
            return true;
        }
        if (k->version && strlen(k->version) > VKEY_VERSION_LEN) {
            sb_fail(err, SB_EBADREQUEST, "The version '%.64s' of key '%s' is not valid.", k->version,
                    k->key_name);
            return true;
        }
        size_t label = k->vault ? strlen(k->vault) : 0;
        if (label < 3 || label > VAULT_NAME_MAX) {
            sb_fail(err, SB_EBADREQUEST, "The key vault URI '%.200s' of key '%s' is not valid.", k->vault_uri,
                    k->key_name);
            return true;
        }
    }
    return false;
}

static bool key_twice(const struct ns_wish *w, struct sb_error *err)
{
    for (size_t i = 0; i < w->s->keys_n; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!ns_key_same(&w->s->keys[i], &w->s->keys[j]))
                continue;
            sb_fail(err, SB_EBADREQUEST, "Key '%s' of vault '%s' is given twice.", w->s->keys[i].key_name,
                    w->s->keys[i].vault);
            return true;
        }
    }
    return false;
}

static bool identities_differ(const struct ns_wish *w, struct sb_error *err)
{
    for (size_t i = 1; i < w->s->keys_n; i++) {
        const char *a = w->s->keys[0].identity, *b = w->s->keys[i].identity;
        if (a && b ? text_ieq(a, b) : a == b)
            continue;
        sb_fail(err, SB_EBADREQUEST,
                "All keys of namespace '%s' must be used with the same identity: key '%s' names another one "
                "than key '%s'.",
                name_of(w), w->s->keys[i].key_name, w->s->keys[0].key_name);
        return true;
    }
    return false;
}

static bool owns_identity(const struct ns_wish *w, const struct nskey *k)
{
    bool own = !k->identity && (w->identity & IDENTITY_SYSTEM) != 0;
    for (size_t i = 0; k->identity && i < w->uais_n; i++)
        own = own || text_ieq(w->uais[i].id, k->identity);
    return own;
}

/* An entry that is sent again keeps its identity, be it lost meanwhile, or takes up one of the namespace's
 * own: it is not looked at as new ones are, and would be revoked at once. */
static bool identity_foreign(const struct ns_wish *w, struct sb_error *err)
{
    for (size_t i = 0; i < w->s->keys_n; i++) {
        const struct nskey *k = &w->s->keys[i];
        for (size_t j = 0; w->now && j < w->now->keys_n; j++) {
            const struct nskey *have = &w->now->keys[j];
            bool same = have->identity && k->identity ? text_ieq(have->identity, k->identity)
                                                      : have->identity == k->identity;
            if (!ns_key_same(have, k) || same || owns_identity(w, k))
                continue;
            no_identity(name_of(w), k, err);
            return true;
        }
    }
    return false;
}

static bool not_empty(const struct ns_wish *w, struct sb_error *err)
{
    if (!enabling(w) || w->entities == 0)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "Encryption can be enabled only on a new or empty namespace: namespace '%s' contains %zu "
            "queue(s) or topic(s).",
            name_of(w), w->entities);
    return true;
}

static const char *text_or(const char *s)
{
    return s ? s : "";
}

/* 22, and the same words for a sibling service. */
static bool is_secondary(const struct ns_wish *w, struct sb_error *err)
{
    if (!w->now || w->now->role != PAIR_SECONDARY)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "Can't update a namespace that is secondary: '%s' is paired with '%s' under the alias '%s'. "
            "Break the "
            "pairing first.",
            name_of(w), text_or(w->now->partner), text_or(w->now->alias));
    return true;
}

static bool enabling_while_paired(const struct ns_wish *w, struct sb_error *err)
{
    if (!enabling(w) || !w->now || w->now->role != PAIR_PRIMARY)
        return false;
    sb_fail(
        err, SB_EBADREQUEST,
        "Encryption cannot be enabled on namespace '%s' while it is paired with '%s' under the alias '%s': "
        "break "
        "the pairing first, set up the access policy for the managed identities of both namespaces, set up "
        "encryption on the primary namespace, then pair them again.",
        name_of(w), text_or(w->now->partner), text_or(w->now->alias));
    return true;
}

/* 22: both have the same list (choice: so it cannot change while they are paired). */
static bool keys_change_while_paired(const struct ns_wish *w, struct sb_error *err)
{
    bool same = true;
    size_t shown = 0;
    if (!encrypted_now(w) || !w->s->has_keys || w->now->role != PAIR_PRIMARY)
        return false;
    for (size_t i = 0; i < w->now->keys_n; i++) {
        const struct nskey *k = &w->now->keys[i];
        bool sent = k->state == NSKEY_REVOKED;
        shown += k->state != NSKEY_REVOKED;
        for (size_t j = 0; j < w->s->keys_n; j++)
            sent = sent || ns_key_same(k, &w->s->keys[j]);
        same = same && sent;
    }
    if (same && shown == w->s->keys_n)
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "The keys of namespace '%s' cannot be changed while it is paired with '%s' under the alias '%s': "
            "break the "
            "pairing first, change the keys of both namespaces, then pair them again.",
            name_of(w), text_or(w->now->partner), text_or(w->now->alias));
    return true;
}

static bool users_missing(const struct ns_wish *w, struct sb_error *err)
{
    if ((w->identity & IDENTITY_USER) == 0 || (w->uais_n > 0 && w->uais_n <= NS_UAIS_MAX))
        return false;
    sb_fail(err, SB_EBADREQUEST,
            "A namespace with a user-assigned identity must name 1 to %d of them: %zu were given.",
            NS_UAIS_MAX, w->uais_n);
    return true;
}

/* In the order in which they are looked at; the first broken one is told. */
static const struct {
    const char *rule; /* of the semantics; "" where it is the namespace's form */
    bool (*broken)(const struct ns_wish *w, struct sb_error *err);
} conditions[] = {
    {"", bad_sku},
    {"", bad_capacity},
    {"", users_missing},
    {"1", not_premium},
    {"3", tier_changes},
    {"2", encryption_left_out},
    {"3", other_source},
    {"2", infra_changes},
    {"3, 15", keys_incomplete},
    {"3", too_many_keys},
    {"3", key_malformed},
    {"3", key_twice},
    {"3", identities_differ},
    {"4", identity_foreign},
    {"22", is_secondary},
    {"22", enabling_while_paired},
    {"22", keys_change_while_paired},
    {"1", not_empty},
};

enum sb_err ns_check_wish(const struct ns_wish *w, struct sb_error *err)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(conditions); i++)
        if (conditions[i].broken(w, err))
            return SB_EBADREQUEST;
    return SB_OK;
}

/* ---- conditions of a new key (semantics 3, 4) ---- */

static enum sb_err check_vault(struct engine *e, const struct nskey *k, struct sb_arena *a,
                               struct sb_error *err)
{
    struct vault v;
    struct sb_error why;
    enum sb_err rc = vault_by_name(e, k->vault, a, &v, &why);
    if (rc == SB_ENOVAULT)
        return sb_fail(err, SB_EBADREQUEST, "Key vault '%s' of key '%s' was not found.", k->vault,
                       k->key_name);
    if (rc != SB_OK)
        return sb_fail(err, rc, "%s", why.detail);
    if (!v.soft_delete)
        return sb_fail(err, SB_EBADREQUEST, "Soft delete must be enabled on key vault '%s' of key '%s'.",
                       k->vault, k->key_name);
    if (!v.purge_protection)
        return sb_fail(err, SB_EBADREQUEST, "Purge protection must be enabled on key vault '%s' of key '%s'.",
                       k->vault, k->key_name);
    return SB_OK;
}

/* What the vault refused to the namespace, in words that name key, vault and the missing thing. */
static enum sb_err key_refused(const struct nskey *k, const char *op, const struct sb_error *why,
                               struct sb_error *err)
{
    switch (why->code) {
    case SB_EPOLICY:
    case SB_ERBAC:
    case SB_EDENIED:
        return sb_fail(err, SB_EBADREQUEST,
                       "The %s of the namespace lacks the permission '%s' for key '%s' of vault '%s'.",
                       identity_text(k), op, k->key_name, k->vault);
    case SB_EFIREWALL:
        return sb_fail(err, SB_EBADREQUEST,
                       "The firewall of vault '%s' of key '%s' does not let the namespace through: trusted "
                       "Microsoft services must be allowed.",
                       k->vault, k->key_name);
    case SB_EKEYNOTFOUND:
    case SB_EKEYDELETED:
    case SB_ENOVAULT:
        return sb_fail(err, SB_EBADREQUEST, "Key '%s%s%s' was not found in vault '%s'.", k->key_name,
                       k->version && k->version[0] ? "/" : "", k->version ? k->version : "", k->vault);
    case SB_EKEYDISABLED:
        return sb_fail(err, SB_EBADREQUEST, "Key '%s' of vault '%s' is disabled.", k->key_name, k->vault);
    case SB_EKEYEXPIRED:
        return sb_fail(err, SB_EBADREQUEST, "Key '%s' of vault '%s' has expired.", k->key_name, k->vault);
    case SB_EKEYNOTYET:
        return sb_fail(err, SB_EBADREQUEST, "Key '%s' of vault '%s' is not yet valid.", k->key_name,
                       k->vault);
    case SB_EKEYOP:
        return sb_fail(err, SB_EBADREQUEST,
                       "Key '%s' of vault '%s' does not permit the operation '%s': its key_ops must have "
                       "wrapKey and unwrapKey.",
                       k->key_name, k->vault, op);
    case SB_EUNREACHABLE:
    case SB_ETIMEOUT:
    case SB_ETHROTTLED:
    case SB_EUNAVAILABLE: /* 3: nothing is changed */
        return sb_fail(err, SB_EUNREACHABLE,
                       "Vault '%s' of key '%s' cannot be reached at present: nothing was changed.", k->vault,
                       k->key_name);
    default: return sb_fail(err, why->code, "%s", why->detail);
    }
}

enum sb_err ns_check_key(struct engine *e, const struct ns_view *v, const struct nskey *k, struct sb_arena *a,
                         const char **ret_version, struct sb_error *err)
{
    static const struct {
        enum vperm perm;
        const char *name;
    } needed[] = {{VPERM_UNWRAP, "unwrapKey"}, {VPERM_WRAP, "wrapKey"}};
    enum sb_err rc;
    struct principal who;
    struct vkey vk;
    struct sb_error why;
    bool found;
    SB_TRY(ns_key_principal(e, v, k, &found, &who, err));
    if (!found)
        return no_identity(v->name, k, err);
    SB_TRY(check_vault(e, k, a, err));
    struct vault_caller c = {.who = &who, .service = true};
    if (vkey_service_get(e, &c, k->vault, k->key_name, k->version ? k->version : "", a, &vk, &why) != SB_OK)
        return key_refused(k, "get", &why, err);
    if (!text_starts(vk.kty, "RSA"))
        return sb_fail(err, SB_EBADREQUEST, "Key '%s' of vault '%s' is of type '%s': it must be an RSA key.",
                       k->key_name, k->vault, vk.kty);
    for (size_t i = 0; i < SB_ARRAY_LEN(needed); i++)
        if (vkey_service_check(e, &c, k->vault, k->key_name, vk.version, needed[i].perm, &why) != SB_OK)
            return key_refused(k, needed[i].name, &why, err);
    *ret_version = vk.version;
out:
    return rc;
}

enum sb_err ns_check_wrap(struct engine *e, const struct ns_view *v, struct nskey *k, const char *version,
                          const struct cmem_key *root, struct sb_arena *a, struct sb_error *err)
{
    enum sb_err rc;
    struct principal who;
    struct sb_error why;
    bool found;
    SB_TRY(ns_key_principal(e, v, k, &found, &who, err));
    if (!found)
        return no_identity(v->name, k, err);
    struct vault_caller c = {.who = &who, .service = true};
    if (vkey_service_wrap(e, &c, k->vault, k->key_name, version, root, a, &k->wrapped, &why) != SB_OK)
        return key_refused(k, "wrapKey", &why, err);
    k->wrapped_version = version;
out:
    return rc;
}
