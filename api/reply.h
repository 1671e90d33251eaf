/* reply.h: how each plane's answers look: the shape of an error and the headers that every answer carries
 * (for dispatch.c). */
#ifndef SB_REPLY_H
#define SB_REPLY_H

#include "api/request.h"

/* Replaces whatever the reply holds by the error in the plane's own shape. code names the row in errmap,
 * status (0: the row's) the HTTP status; message is one sentence. */
void reply_error(struct request *r, enum sb_err code, int status, const char *message);
/* Adds the headers that the plane puts on every answer. Once, when the reply is complete. */
void reply_common(struct request *r);

#endif
