/* auth.h: bearer tokens at the door: who may come in, and what the refused are told (for dispatch.c). */
#ifndef SB_AUTH_H
#define SB_AUTH_H

#include "api/request.h"

/* Authenticates r as its plane does: a bearer token (r->who), or on Service Bus also a SAS, and there the
 * right that the row asks for. SB_ENOTOKEN, SB_EBADTOKEN, SB_EEXPIREDTOKEN, SB_EAUDIENCE, SB_EISSUER,
 * SB_EDENIED, with the plane's own sentence. */
SB_MUST enum sb_err auth_check(struct request *r, struct sb_error *err);
/* The resources that tokens of a plane may be for; none for planes without bearer tokens of their own. */
const char *const *auth_audiences(enum plane plane, size_t *ret_n);
/* The WWW-Authenticate header of a 401 on this plane, from which SDKs learn where to sign in. */
void auth_challenge(struct request *r, const char *message);

#endif
