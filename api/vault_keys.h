/* vault_keys.h: what the keys' data plane offers to the rest of api/. */
#ifndef SB_VAULT_KEYS_H
#define SB_VAULT_KEYS_H

#include "api/request.h"

/* Adds the headers of a vault's answer that depend on the vault: x-ms-keyvault-region, when the host names
 * one that exists. Success or error. */
void vault_headers(struct request *r);

#endif
