/*
 * ns_sas.c: what a shared access signature proves: "sr=<URI>&sig=<HMAC>&se=<expiry>&skn=<rule>" was made with
 * one of a rule's keys, for a place and until a time.
 */
#include <stdio.h>
#include "crypto/cmem.h"
#include "crypto/digest.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/ns_rules_priv.h"

#define SR_MAX     2048
#define EXPIRY_MAX 20 /* digits */

/* The part of a URI behind its host ("" for none); NULL unless the host's first label is ns. */
static const char *sr_path(const char *sr, const char *ns)
{
    const char *host = strstr(sr, "://");
    host = host ? host + 3 : sr;
    size_t n = strlen(ns);
    if (!text_ieqn(host, ns, n) || (host[n] != '.' && host[n] != '/' && host[n] != ':' && host[n] != '\0'))
        return NULL;
    const char *path = strchr(host, '/');
    return path ? path : "";
}

/* Equal to path or its beginning, by whole segments; case ignored, slashes at either end do not count. */
static bool covers(const char *prefix, const char *path)
{
    while (*prefix == '/')
        prefix++;
    while (*path == '/')
        path++;
    size_t n = strcspn(prefix, "?");
    while (n > 0 && prefix[n - 1] == '/')
        n--;
    return n == 0 || (strlen(path) >= n && text_ieqn(prefix, path, n) &&
                      (path[n] == '\0' || path[n] == '/' || path[n] == '?'));
}

/* The hex digits of every %XX in one case; 0 leaves the text as it is. */
static void recase(char *dst, const char *src, int upper)
{
    size_t n = strlen(src);
    memcpy(dst, src, n + 1);
    for (size_t i = 0; upper >= 0 && i + 2 < n; i++) {
        if (src[i] != '%')
            continue;
        for (size_t k = i + 1; k <= i + 2; k++) {
            char low = text_lower(src[k]);
            dst[k] = upper && low >= 'a' && low <= 'f' ? (char)(low - 'a' + 'A') : low;
        }
    }
}

/* Does this key, over one of the ways in which clients write the escapes of sr, give sig? */
static bool signed_by(const char *key, const char *sr_raw, const char *se, const char *sig)
{
    static const int cases[] = {-1, 0, 1}; /* as it came; lower case; upper case */
    char text[SR_MAX + EXPIRY_MAX + 2];
    bool good = false;
    for (size_t i = 0; i < SB_ARRAY_LEN(cases) && !good; i++) {
        uint8_t mac[32];
        struct sb_buf b;
        recase(text, sr_raw, cases[i]);
        size_t n = strlen(text);
        int more = snprintf(text + n, sizeof text - n, "\n%s", se);
        if (more < 0 || (size_t)more >= sizeof text - n)
            return false;
        digest_hmac_sha256(key, strlen(key), text, n + (size_t)more, mac);
        buf_init(&b, 64);
        good = b64_encode(&b, mac, sizeof mac) == SB_OK && cmem_equal_str(buf_str(&b), sig);
        buf_done(&b);
    }
    return good;
}

/* What to check a signature with. */
struct sas {
    const char *path, *sr_path, *sr_raw, *se, *skn, *sig;
};

static bool is_known(const struct ns_rule *r, const char *text)
{
    for (size_t i = 0; r->known && i < NS_KNOWN; i++)
        if (cmem_equal_str(r->known->text[i], text))
            return true;
    return false;
}

/* Without memory it is checked again next time. */
static void remember(struct ns_rule *r, const char *text)
{
    if (!r->known)
        r->known = calloc(1, sizeof *r->known);
    if (!r->known)
        return;
    (void)text_copy(r->known->text[r->known->next], NS_KNOWN_TEXT, text);
    r->known->next = (r->known->next + 1) % NS_KNOWN;
}

/* Did one of the rule's keys make it? */
static bool made_by(struct engine *e, struct ns_rule *r, const struct sas *s)
{
    char text[NS_KNOWN_TEXT];
    int n = snprintf(text, sizeof text, "%s\n%s\n%s", s->sr_raw, s->se, s->sig);
    bool fits = n > 0 && (size_t)n < sizeof text;
    if (fits && is_known(r, text))
        return true;
    if (ns_rules_open(e, r, NULL) != SB_OK || (!signed_by(r->primary, s->sr_raw, s->se, s->sig) &&
                                               !signed_by(r->secondary, s->sr_raw, s->se, s->sig)))
        return false;
    if (fits)
        remember(r, text);
    return true;
}

/* Under engine_lock. Rights of the rule that made it; 0: none did. */
static unsigned sas_rights(struct engine *e, struct ns *n, const struct sas *s)
{
    for (struct ns_rule *r = n->rules->head; r; r = r->next) {
        if (!text_ieq(r->name, s->skn))
            continue;
        /* An entity's rule signs for that entity alone. */
        if (r->entity[0] != '\0' && (!covers(r->entity, s->path) || !covers(r->entity, s->sr_path) ||
                                     broker_leads_deeper(n, r->entity, s->path)))
            continue;
        if (made_by(e, r, s))
            return r->rights;
    }
    return 0;
}

enum sb_err ns_sas_verify(struct engine *e, const char *ns, const char *path, const char *sr_decoded,
                          const char *sr_raw, const char *se, const char *skn, const char *sig,
                          unsigned *ret_rights, struct sb_error *err)
{
    int64_t expiry;
    unsigned rights = 0;
    bool local = true;
    struct sas s = {.path = path, .sr_raw = sr_raw, .se = se, .skn = skn, .sig = sig};
    if (strlen(sr_raw) >= SR_MAX || strlen(se) > EXPIRY_MAX || !text_to_i64(se, 0, INT64_MAX / 1000, &expiry))
        return sb_fail(err, SB_EBADTOKEN, "MalformedToken: The token's expiry is not a time.");
    char alias[NS_NAME_MAX + 1] = "";
    s.sr_path = sr_path(sr_decoded, ns);
    if (!s.sr_path) { /* a primary answers to its alias, too */
        engine_lock(e);
        const struct ns *primary = ns_find(e, ns);
        if (primary && primary->role != PAIR_SECONDARY)
            (void)text_copy(alias, sizeof alias, primary->alias);
        engine_unlock(e);
        s.sr_path = alias[0] ? sr_path(sr_decoded, alias) : NULL;
    }
    if (!s.sr_path || !covers(s.sr_path, path))
        return sb_fail(
            err, SB_EBADTOKEN,
            "InvalidAudience: The authorization header contains a token with an invalid audience.");
    engine_lock(e);
    struct ns *n = ns_find(e, ns);
    if (n) {
        local = !n->local_auth_disabled;
        rights = sas_rights(e, n, &s);
    }
    engine_unlock(e);
    if (rights == 0)
        return sb_fail(err, SB_EBADTOKEN, "InvalidSignature: The token has an invalid signature.");
    /* 23: tokens follow the machine's clock. After the signature, so that nothing is told about a forged one.
     */
    if (expiry * 1000 <= engine_token_now(e))
        return sb_fail(err, SB_EEXPIREDTOKEN, "ExpiredToken: The token is expired. Expiration time: '%s'.",
                       se);
    if (!local)
        return sb_fail(err, SB_EBADTOKEN,
                       "LocalAuthDisabled: Authorization failed because SAS authentication has been disabled "
                       "for the namespace.");
    *ret_rights = rights;
    return SB_OK;
}
