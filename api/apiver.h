/* apiver.h: the api-version query parameter: which values each resource provider and the vaults' data plane
 * take (for dispatch.c). */
#ifndef SB_APIVER_H
#define SB_APIVER_H

#include "api/request.h"

/* Sets r->api_version. Checks it when the row says R_APIVER: SB_ENOAPIVERSION, SB_EAPIVERSION,
 * SB_EAPIVERSIONPARAM, SB_ENOTYPE, in the plane's words. Looks at the parsed body for the location that ARM's
 * sentence names. */
SB_MUST enum sb_err apiver_check(struct request *r, struct sb_error *err);
/* The sentence for an ARM path without a row: SB_ENOTYPE or SB_ENOPROVIDER when it names a provider, else
 * SB_ENOROUTE. */
enum sb_err apiver_no_route(struct request *r, struct sb_error *err);

#endif
