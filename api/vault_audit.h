/* vault_audit.h: the audit events of requests that no vault operation was begun for, and of vaults' ARM
 * operations (for dispatch.c). */
#ifndef SB_VAULT_AUDIT_H
#define SB_VAULT_AUDIT_H

#include "api/request.h"
#include "server/engine/vault.h"

/* The reply is complete: writes what the vault's audit log says of it, unless the operation did so itself.
 * code: how it ended; message: why (NULL: it succeeded). Any plane. */
void vault_audit(struct request *r, enum sb_err code, const char *message);
/* Who calls a vault's data plane with this request. */
struct vault_caller vault_audit_caller(struct request *r);

#endif
