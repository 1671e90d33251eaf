/* vault_keys_body.h: keys as the vault's data plane sends and shows them. */
#ifndef SB_VAULT_KEYS_BODY_H
#define SB_VAULT_KEYS_BODY_H

#include "api/request.h"
#include "server/engine/vault.h"

/* Reads kty, key_size, crv (create only), key_ops, attributes and tags into a spec whose vault and name are
 * set. */
SB_MUST enum sb_err vault_key_read_create(struct request *r, struct vkey_spec *s, struct sb_error *err);
SB_MUST enum sb_err vault_key_read_update(struct request *r, struct vkey_spec *s, struct sb_error *err);
/* Reads a JWK with its private numbers; s->import is the caller's to unref. SB_EBADPARAM. */
SB_MUST enum sb_err vault_key_read_import(struct request *r, struct vkey_spec *s, struct pkey **ret,
                                          struct sb_error *err);

/* KeyBundle, DeletedKeyBundle, KeyItem, DeletedKeyItem: one object, key NULL inside arrays. */
void vault_key_write_bundle(struct request *r, struct jw *w, const struct vkey *k);
void vault_key_write_item(struct request *r, struct jw *w, const struct vkey *k, bool with_version);

/* Durations of a rotation policy as sent; what they may be is the engine's to say. */
SB_MUST enum sb_err vault_key_read_policy(const struct json *policy, struct vkey_policy *ret,
                                          struct sb_error *err);
void vault_key_write_policy(struct request *r, struct jw *w, const struct vkey_policy *p);
/* Its two members, into an object that is open; arm: as Azure Resource Manager spells the actions. */
void vault_key_write_policy_members(struct jw *w, const struct vkey_policy *p, bool arm);

#endif
