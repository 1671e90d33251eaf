/* clientcert.c (fuzz): certificates as Graph and the command line bring them. */
#include <stdint.h>
#include <stdlib.h>
#include "crypto/clientcert.h"
#include "crypto/cmem.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct clientcert c;
    if (cmem_init(NULL) != SB_OK)
        abort();
    struct sb_arena *a = arena_new(1 << 20);
    if (clientcert_read(p, n, a, &c, NULL) == SB_OK) {
        struct clientcert again;
        if (clientcert_read(c.der.p, c.der.n, a, &again, NULL) != SB_OK || again.not_after != c.not_after)
            abort();
        pkey_unref(again.key);
        pkey_unref(c.key);
    }
    arena_free(a);
    return 0;
}
