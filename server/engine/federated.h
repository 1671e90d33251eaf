/*
 * federated.h: federated credentials of user-assigned identities: who elsewhere may sign in as the identity.
 * They are kept and shown; signing in with them is not emulated. Each is an ARM document below its identity
 * and goes with it.
 *
 * Any thread that may block. Text read lives in the arena.
 */
#ifndef SB_FEDERATED_H
#define SB_FEDERATED_H

#include "server/engine/directory.h"
#include "storage/st_document.h"

#define FEDERATED_TYPE "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
#define FEDERATED_MAX  20 /* of one identity (documented) */

struct federated {
    const char *name, *issuer, *subject;
    const char *body; /* the JSON text of its properties */
};

/* Adds or replaces one; *ret is what is stored. SB_ENOTFOUND when the identity is gone, SB_ELIMIT beyond
 * FEDERATED_MAX, SB_ECONFLICT when another one of the identity has this issuer and subject. */
SB_MUST enum sb_err federated_put(struct engine *e, const struct uai *of, const struct federated *f,
                                  struct sb_arena *a, struct st_document *ret, bool *ret_created,
                                  struct sb_error *err);
/* SB_ENOTFOUND. */
SB_MUST enum sb_err federated_get(struct engine *e, const struct uai *of, const char *name,
                                  struct sb_arena *a, struct st_document *ret, struct sb_error *err);
/* All of an identity, by name. */
SB_MUST enum sb_err federated_list(struct engine *e, const struct uai *of, struct sb_arena *a,
                                   struct st_document **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err federated_remove(struct engine *e, const struct uai *of, const char *name,
                                     struct sb_arena *a, bool *ret_existed, struct sb_error *err);

#endif
