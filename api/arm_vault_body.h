/* arm_vault_body.h: a key vault as ARM sends and shows it. */
#ifndef SB_ARM_VAULT_BODY_H
#define SB_ARM_VAULT_BODY_H

#include "api/request.h"
#include "server/engine/vault.h"

/* Reads a PUT's or PATCH's body into a spec that vault_spec has made. Text is in the
 * request's arena or its JSON. */
SB_MUST enum sb_err arm_vault_read(struct request *r, const struct json *body, struct vault_spec *s,
                                   struct sb_error *err);
/* Reads an array of access policies. */
SB_MUST enum sb_err arm_vault_policies_read(struct request *r, const struct json *list,
                                            struct vault_policy **ret, size_t *ret_n, struct sb_error *err);
/* Writes the members as recorded, in that order; key NULL inside arrays. */
void arm_vault_write(struct request *r, struct jw *w, const struct vault *v);
void arm_vault_policies_write(struct jw *w, const struct vault *v);
void arm_vault_deleted_write(struct request *r, struct jw *w, const struct vault *v);

#endif
