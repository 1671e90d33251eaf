/* arm_auth.h: what authorization rules of every level share on the ARM plane: rights and bodies. */
#ifndef SB_ARM_AUTH_H
#define SB_ARM_AUTH_H

#include "api/request.h"
#include "server/engine/ns.h"

/* "rights" in the order of recorded answers. */
void arm_auth_rights(struct jw *w, unsigned rights);
/* properties.rights of a PUT, as RIGHT_* bits. */
SB_MUST enum sb_err arm_auth_read(const struct json *body, unsigned *ret, struct sb_error *err);
/* Body of regenerateKeys: 0 the primary key, 1 the secondary; *ret_key NULL: a random one. */
SB_MUST enum sb_err arm_auth_read_regenerate(const struct json *body, int *ret_which, const char **ret_key,
                                             struct sb_error *err);
/* Answers with connection strings and keys. alias: as "aliasPrimaryConnectionString" …; label: the host's;
 * entity NULL: without EntityPath. */
void arm_auth_keys(struct request *r, bool alias, const char *label, const char *entity,
                   const struct auth_rule *rule);

#endif
