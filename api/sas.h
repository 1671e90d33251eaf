/*
 * sas.h: who may use the Service Bus data plane: shared access signatures and bearer tokens.
 */
#ifndef SB_SAS_H
#define SB_SAS_H

#include "api/request.h"

/* Checks the Authorization header of a request on PLANE_BUS and sets r->sas_rights (and r->who for a bearer
 * token: of the rights only those that the route asks for are looked up then). Does not block.
 * SB_ENONAMESPACE, SB_ENOTOKEN, SB_EBADTOKEN, SB_EEXPIREDTOKEN, SB_EAUDIENCE, SB_EISSUER. */
SB_MUST enum sb_err sas_authorize(struct request *r, struct sb_error *err);

/* The parts of "SharedAccessSignature sr=…&sig=…&se=…&skn=…", in any order, decoded; sr_raw as it stands
 * there (what is signed). */
struct sas_token {
    const char *sr, *sr_raw, *sig, *se, *skn;
};
/* text stands behind the scheme. SB_EBADTOKEN when a part is missing, given twice or malformed; unknown parts
 * are ignored. */
SB_MUST enum sb_err sas_parse(const char *text, struct sb_arena *a, struct sas_token *ret,
                              struct sb_error *err);

#endif
