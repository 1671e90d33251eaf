/* vsecret.h: secrets of the emulated vaults. Values are sealed at rest under the platform key and remembered
 * nowhere. */
#ifndef SB_VSECRET_H
#define SB_VSECRET_H

#include "server/engine/vault.h"

#define VSECRET_VALUE_MAX 25600 /* documented: 25k bytes */

/* One version of a secret. */
struct vsecret {
    const char *vault, *name, *version;
    struct sb_blob value;     /* vsecret_set and vsecret_get only; p NULL else */
    const char *content_type; /* or NULL */
    bool enabled;
    int64_t nbf, exp;         /* unix seconds; -1 not set */
    int64_t created, updated; /* unix seconds */
    const char *tags;         /* JSON text or NULL */
    int64_t deleted, purge;   /* unix seconds; 0 while live */
    int recoverable_days;
    bool purge_protection;
};

struct vsecret_spec {
    const char *vault, *name;
    struct sb_blob value;     /* set: text of at most VSECRET_VALUE_MAX bytes */
    const char *content_type; /* NULL: not sent */
    int enabled;              /* -1: not sent */
    int64_t nbf, exp;         /* -1: not sent */
    const char *tags;         /* NULL: not sent */
};

/* Each checks and audits as the vkey_* functions do (vault.h). version "" or NULL: the newest. Values that
 * come back are in the arena. SB_ESECRETNOTFOUND, SB_EKEYDELETED, SB_EKEYLIVE as for keys. */
SB_MUST enum sb_err vsecret_set(struct engine *e, const struct vault_caller *c, const struct vsecret_spec *s,
                                struct sb_arena *a, struct vsecret *ret, struct sb_error *err);
/* SB_ESECRETDISABLED; outside its dates a secret can be read (documented). */
SB_MUST enum sb_err vsecret_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                const char *name, const char *version, struct sb_arena *a,
                                struct vsecret *ret, struct sb_error *err);
/* s: name, and what of content_type/enabled/nbf/exp/tags was sent. */
SB_MUST enum sb_err vsecret_update(struct engine *e, const struct vault_caller *c,
                                   const struct vsecret_spec *s, const char *version, struct sb_arena *a,
                                   struct vsecret *ret, struct sb_error *err);
SB_MUST enum sb_err vsecret_list(struct engine *e, const struct vault_caller *c, const char *vault,
                                 bool deleted, struct vault_page *page, struct sb_arena *a,
                                 struct vsecret **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err vsecret_versions(struct engine *e, const struct vault_caller *c, const char *vault,
                                     const char *name, struct vault_page *page, struct sb_arena *a,
                                     struct vsecret **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err vsecret_delete(struct engine *e, const struct vault_caller *c, const char *vault,
                                   const char *name, struct sb_arena *a, struct vsecret *ret,
                                   struct sb_error *err);
SB_MUST enum sb_err vsecret_deleted_get(struct engine *e, const struct vault_caller *c, const char *vault,
                                        const char *name, struct sb_arena *a, struct vsecret *ret,
                                        struct sb_error *err);
SB_MUST enum sb_err vsecret_recover(struct engine *e, const struct vault_caller *c, const char *vault,
                                    const char *name, struct sb_arena *a, struct vsecret *ret,
                                    struct sb_error *err);
SB_MUST enum sb_err vsecret_purge(struct engine *e, const struct vault_caller *c, const char *vault,
                                  const char *name, struct sb_error *err);
/* As vkey_backup and vkey_restore. */
SB_MUST enum sb_err vsecret_backup(struct engine *e, const struct vault_caller *c, const char *vault,
                                   const char *name, struct sb_arena *a, const char **ret,
                                   struct sb_error *err);
SB_MUST enum sb_err vsecret_restore(struct engine *e, const struct vault_caller *c, const char *vault,
                                    struct sb_blob blob, struct sb_arena *a, struct vsecret *ret,
                                    struct sb_error *err);

#endif
