/* entra.h: what the sign-in files share. */
#ifndef SB_ENTRA_H
#define SB_ENTRA_H

#include "api/request.h"

/* Is the path's {tenant} this directory: its id or domain, common, organizations, or adfs? */
bool entra_tenant_ok(const struct request *r);
/* The path's tenant is adfs: the authority without tenants, for which clients skip instance discovery. */
bool entra_is_adfs(const struct request *r);

/* entra_token.c: POST …/token */
SB_MUST enum sb_err entra_token(struct request *r, struct sb_error *err);

#endif
