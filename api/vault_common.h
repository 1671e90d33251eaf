/* vault_common.h: what the data planes of keys and secrets have in common. */
#ifndef SB_VAULT_COMMON_H
#define SB_VAULT_COMMON_H

#include "api/request.h"
#include "api/vault_audit.h"
#include "server/engine/vault.h"

#define VAULT_READ_FLAGS  (R_AUTH | R_APIVER)
#define VAULT_WRITE_FLAGS (R_AUTH | R_APIVER | R_JSON)
#define VAULT_BODY_MAX    65536u
#define VAULT_RESTORE_MAX (4u << 20) /* the largest backup, twice in base64 */

/* A data-plane api-version as a number that grows: 2015-06-01 is 60, 2016-10-01 is 61, 7.0 to 7.6 (and their
 * previews) are 70 to 76, later dates 80. */
int vault_version(const struct request *r);

/* ---- reading; SB_EBADPARAM or SB_EBADJSON ---- */
/* What of enabled, nbf and exp was sent; -1: not. exportable true is SB_ENOTSUP. */
SB_MUST enum sb_err vault_read_attributes(struct request *r, int *enabled, int64_t *nbf, int64_t *exp,
                                          struct sb_error *err);
/* *ret stays NULL when none were sent. */
SB_MUST enum sb_err vault_read_tags(struct request *r, const char **ret, struct sb_error *err);
/* "Property %s has invalid value '%s'." */
enum sb_err vault_bad_value(const char *what, const char *value, struct sb_error *err);
/* Strict base64url, unpadded; absent leaves *ret alone. */
SB_MUST enum sb_err vault_opt_blob(struct request *r, const struct json *obj, const char *where,
                                   const char *member, struct sb_blob *ret, struct sb_error *err);
/* A member that must be there and be strict base64url. SB_EBADPARAM. */
SB_MUST enum sb_err vault_read_blob(struct request *r, const char *member, struct sb_blob *ret,
                                    struct sb_error *err);

/* ---- writing ---- */
/* "https://V/keys/N/version"; version NULL: without. family: "keys", "secrets", "deletedkeys"… */
const char *vault_id(struct request *r, const char *family, const char *name, const char *version);
void vault_write_blob(struct request *r, struct jw *w, const char *key, struct sb_blob b);
struct vault_attributes {
    bool enabled;
    int64_t nbf, exp, created, updated; /* unix seconds; -1: not set */
    int recoverable_days;
    bool purge_protection;
    const char *hsm; /* keys: hsmPlatform; NULL: not a key */
};
/* Order and presence as recorded, by api-version. */
void vault_write_attributes(struct request *r, struct jw *w, const struct vault_attributes *a);
/* recoveryId and dates of a deleted object; nothing while live (deleted 0). */
void vault_write_deleted(struct request *r, struct jw *w, const char *family, const char *name,
                         int64_t deleted, int64_t purge);
/* {"value": text}, in base64url. NULL text: out of memory. */
void vault_answer_backup(struct request *r, const char *text);

/* ---- pages ---- */
/* From maxresults and $skiptoken. */
SB_MUST enum sb_err vault_read_page(struct request *r, struct vault_page *ret, struct sb_error *err);
/* The last member of a list: nextLink, or null. kind: "key" or "secret"; name: whose versions, or NULL. */
void vault_write_next(struct request *r, struct jw *w, const char *kind, const char *name,
                      const struct vault_page *page);
/* A $skiptoken's place in the order; NULL: none of ours. (For its fuzz target.) */
const char *vault_skip_decode(struct sb_arena *a, const char *token);

#endif
