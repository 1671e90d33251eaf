/* provider.h: which resource providers a subscription has unregistered; durable, until a reset. */
#ifndef SB_PROVIDER_H
#define SB_PROVIDER_H

#include "server/engine/engine.h"

SB_MUST enum sb_err provider_set(struct engine *e, const char *sub, const char *name, bool registered,
                                 struct sb_error *err);
/* Every provider is registered until it is unregistered. */
SB_MUST enum sb_err provider_registered(struct engine *e, const char *sub, const char *name, bool *ret,
                                        struct sb_error *err);
SB_MUST enum sb_err provider_reset(struct engine *e, struct sb_error *err);

#endif
