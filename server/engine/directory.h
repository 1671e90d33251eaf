/*
 * directory.h: the emulated Entra tenant and the ARM resources that are nobody else's: principals
 * (applications, managed identities), tokens, resource groups, user-assigned identities.
 */
#ifndef SB_DIRECTORY_H
#define SB_DIRECTORY_H

#include "server/engine/engine.h"

enum principal_kind { PRINCIPAL_APP, PRINCIPAL_SYSTEM_IDENTITY, PRINCIPAL_USER_IDENTITY, PRINCIPAL_USER };

/* Who calls; fixed size, so that it can be copied and cached. */
struct principal {
    enum principal_kind kind;
    char oid[40];
    char appid[40];
    char tid[40];
    char resource_id[400]; /* of a managed identity (xms_mirid), else "" */
};

/* ---- life cycle (engine.c calls these) ---- */
SB_MUST enum sb_err directory_open(struct engine *e,
                                   struct sb_error *err); /* loads or makes the signing key */
void directory_close(struct engine *e);
/* Registered applications and users, codes and refresh tokens end; what the configuration says stays. */
SB_MUST enum sb_err directory_reset(struct engine *e, struct sb_error *err);

/* ---- tokens ---- */
/* A signed RS256 JWT for audience aud (v2: iss "https://{login_host}/{tid}/v2.0", else the sts issuer). */
SB_MUST enum sb_err directory_issue(struct engine *e, const struct principal *who, const char *aud, bool v2,
                                    const char *login_host, int64_t lifetime_s, struct sb_arena *a,
                                    char **ret, struct sb_error *err);
/* Verifies signature (own kid, RS256 only), issuer, lifetime (machine's clock unless --token-clock emulator)
 * and that aud is one of audiences (compared ignoring port, case and a trailing slash). Verified tokens are
 * cached by SHA-256. SB_EBADTOKEN; SB_EEXPIREDTOKEN, SB_EISSUER and SB_EAUDIENCE with the service's words
 * ("Invalid audience. Expected …"). The token of a deleted identity stays good until it ends, as in the
 * service: what it may do is asked each time. */
SB_MUST enum sb_err directory_verify(struct engine *e, const char *token, const char *const *audiences,
                                     size_t n, struct principal *ret, struct sb_error *err);
/* Do these name the same resource? Ignoring port, case and a trailing slash. */
bool directory_same_audience(const char *a, const char *b);
/* JWKS numbers of the signing key. */
struct directory_jwk {
    const char *kid, *n, *e; /* base64url */
};
SB_MUST enum sb_err directory_jwks(struct engine *e, struct sb_arena *a, struct directory_jwk *ret,
                                   struct sb_error *err);

/* ---- principals ---- */
/* By object id; *ret_found false when there is none (deleted identities are gone for good). */
SB_MUST enum sb_err directory_principal(struct engine *e, const char *oid, bool *ret_found,
                                        struct principal *ret, struct sb_error *err);
/* By client (application) id or by managed identity resource id; for /metadata/identity and Graph. */
SB_MUST enum sb_err directory_find(struct engine *e, const char *appid_or_resource_id, bool *ret_found,
                                   struct principal *ret, struct sb_error *err);
/* Is this the object id of a principal of the configuration? */
bool directory_is_configured(const struct engine *e, const char *oid);
/* A new system-assigned identity for an ARM resource / its end. Both are durable when they return. */
SB_MUST enum sb_err directory_system_identity_create(struct engine *e, const char *resource_id,
                                                     struct principal *ret, struct sb_error *err);
SB_MUST enum sb_err directory_system_identity_delete(struct engine *e, const char *oid, struct sb_error *err);

/* ---- user-assigned identities ---- */
struct uai {
    const char *id; /* ARM id as the service writes it (lower-case resourcegroups) */
    const char *sub, *group, *name, *location, *tags; /* tags: JSON text, "{}" when none */
    const char *principal_id, *client_id;
};
/* Creates or updates (location fixed: SB_ELOCATION; NULL: keep, SB_ENOTFOUND when there is none; tags NULL:
 * keep). *ret_created tells 201 from 200. SB_ENOGROUP. */
SB_MUST enum sb_err directory_uai_put(struct engine *e, const char *sub, const char *group, const char *name,
                                      const char *location, const char *tags, struct sb_arena *a,
                                      struct uai *ret, bool *ret_created, struct sb_error *err);
/* By ARM id, case ignored. SB_ENOTFOUND. */
SB_MUST enum sb_err directory_uai_get(struct engine *e, const char *arm_id, struct sb_arena *a,
                                      struct uai *ret, struct sb_error *err);
SB_MUST enum sb_err directory_uai_delete(struct engine *e, const char *arm_id, bool *ret_existed,
                                         struct sb_error *err);
/* group NULL: the whole subscription. */
SB_MUST enum sb_err directory_uai_list(struct engine *e, const char *sub, const char *group,
                                       struct sb_arena *a, struct uai **ret, size_t *ret_n,
                                       struct sb_error *err);

/* ---- resource groups ---- */
struct group {
    const char *sub, *name, *location, *tags; /* name as first written */
    const char *managed_by;                   /* NULL: not set */
};
/* want: sub, name, location (NULL: keep, of an existing group), tags (NULL: {} on create, else kept),
 * managed_by (NULL: kept). SB_EGROUPLOCATION when the location differs from the group's, SB_EBADREQUEST for
 * an invalid name. */
SB_MUST enum sb_err directory_group_save(struct engine *e, const struct group *want, struct sb_arena *a,
                                         struct group *ret, bool *ret_created, struct sb_error *err);
/* The same without managed_by. */
SB_MUST enum sb_err directory_group_put(struct engine *e, const char *sub, const char *name,
                                        const char *location, const char *tags, struct sb_arena *a,
                                        struct group *ret, bool *ret_created, struct sb_error *err);
/* SB_ENOGROUP "Resource group 'X' could not be found." */
SB_MUST enum sb_err directory_group_get(struct engine *e, const char *sub, const char *name,
                                        struct sb_arena *a, struct group *ret, struct sb_error *err);
SB_MUST enum sb_err directory_group_list(struct engine *e, const char *sub, struct sb_arena *a,
                                         struct group **ret, size_t *ret_n, struct sb_error *err);
/* Deletes the group and all in it: namespaces, vaults (soft-deleted), identities, role assignments below it;
 * what is in it first, so that a deletion that was cut short can be repeated. SB_ENOGROUP. */
SB_MUST enum sb_err directory_group_delete(struct engine *e, const char *sub, const char *name,
                                           struct sb_error *err);
/* The same for a caller that holds e->arm. */
SB_MUST enum sb_err directory_group_delete_claimed(struct engine *e, const char *sub, const char *name,
                                                   struct sb_error *err);

#endif
