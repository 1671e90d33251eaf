/* st_provider.h: resource providers that a subscription has unregistered (keyvault.db). */
#ifndef SB_ST_PROVIDER_H
#define SB_ST_PROVIDER_H

#include "storage/store.h"

/* Inside a transaction. Names compare whatever their case. */
SB_MUST enum sb_err st_provider_set(struct tx *tx, const char *sub, const char *name, bool registered,
                                    struct sb_error *err);
SB_MUST enum sb_err st_provider_registered(struct tx *tx, const char *sub, const char *name, bool *ret,
                                           struct sb_error *err);
/* Back to all registered. */
SB_MUST enum sb_err st_provider_clear(struct tx *tx, struct sb_error *err);

#endif
