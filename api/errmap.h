/* errmap.h: how each error looks on each plane: HTTP status, code, inner code. One table; a test asserts that
 * every cell is filled. */
#ifndef SB_ERRMAP_H
#define SB_ERRMAP_H

#include "api/route.h"

struct errmap_cell {
    int status;
    const char *code;
    const char *inner; /* Key Vault innererror.code; NULL elsewhere */
};

/* Never NULL. */
const struct errmap_cell *errmap(enum sb_err code, enum plane plane);

#endif
