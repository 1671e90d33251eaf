/*
 * jwt.h: the emulated directory's own tokens: JSON web tokens signed with RS256, made and taken apart.
 *
 * Only what this directory issues is understood. Nothing of a token is believed before its signature has been
 * checked: jwt_parse looks at the header and the outer form only, jwt_read at the payload. JSON is read by a
 * small strict reader for one object: no duplicate names, no invalid UTF-8, no \u0000, bounded depth without
 * recursion, members that are not asked for are skipped whatever they hold.
 */
#ifndef SB_JWT_H
#define SB_JWT_H

#include <stdint.h>
#include "crypto/pkey.h"
#include "server/base/arena.h"
#include "server/base/err.h"

#define JWT_MAX     16384 /* bytes of a token */
#define JWT_MEMBERS 64    /* of its header or payload */
#define JWT_DEPTH   16

struct jwt {
    enum pkey_alg alg;          /* RS256; of an assertion also PS256 */
    const char *kid;            /* NULL: absent (assertions only) */
    const char *x5t, *x5t256;   /* thumbprints as base64url; assertions only, NULL: absent */
    struct sb_blob signed_part; /* borrowed from the token: header.payload */
    struct sb_blob payload;     /* decoded, unchecked */
    struct sb_blob signature;
};

struct jwt_claims {
    const char *aud, *iss, *oid, *sub, *tid;
    const char *appid;           /* "appid" (version 1.0) or "azp" (2.0) */
    const char *ver;             /* "1.0" or "2.0" */
    const char *idtyp;           /* "app" or "user"; NULL: absent */
    const char *mirid;           /* xms_mirid of a managed identity; NULL: absent */
    const char *idp, *uti, *aio; /* written, not read; so is all below but the times */
    const char *acr, *appidacr;  /* appidacr NULL: what follows from mirid */
    const char *amr;             /* the one method of the list; NULL: no list */
    const char *name, *nonce, *preferred_username, *scp, *unique_name, *upn;
    int64_t iat, nbf, exp; /* unix seconds */
};

/* One member to be read from an object: exactly one of text and number is set. Absent members leave their
 * target alone. */
struct jwt_member {
    const char *name;
    const char **text;
    int64_t *number; /* whole, within ±2^53 */
    bool cut;        /* a fraction is allowed, and cut off (MSAL writes times so) */
};
/* Reads one JSON object of n bytes; values are copied into the arena. SB_EBADTOKEN when it is malformed or a
 * wanted member has another type. */
SB_MUST enum sb_err jwt_object(const char *p, size_t n, const struct jwt_member *want, size_t want_n,
                               struct sb_arena *a, struct sb_error *err);

/* Takes a token apart: exactly three parts, strict base64url, typ absent or JWT, alg RS256, no "crit".
 * SB_EBADTOKEN. */
SB_MUST enum sb_err jwt_parse(const char *token, struct sb_arena *a, struct jwt *ret, struct sb_error *err);
/* The same for what an application signs to prove who it is (private_key_jwt): RS256 or PS256, kid may be
 * absent, x5t and x5t#S256 name the certificate. Whatever else the header offers (x5c, jwk, jku, x5u) is not
 * looked at. */
SB_MUST enum sb_err jwt_parse_assertion(const char *token, struct sb_arena *a, struct jwt *ret,
                                        struct sb_error *err);
/* Is this the signature of `key` (RSA)? SB_EBADTOKEN if not. */
SB_MUST enum sb_err jwt_verify(const struct jwt *t, const struct pkey *key, struct sb_error *err);
/* The claims of a verified token; aud, iss, oid, appid, tid, nbf and exp must be there. SB_EBADTOKEN. */
SB_MUST enum sb_err jwt_read(const struct jwt *t, struct sb_arena *a, struct jwt_claims *ret,
                             struct sb_error *err);
/* A signed token with these claims (NULL ones left out). */
SB_MUST enum sb_err jwt_sign(const struct pkey *key, const char *kid, const struct jwt_claims *c,
                             struct sb_arena *a, char **ret, struct sb_error *err);

#endif
