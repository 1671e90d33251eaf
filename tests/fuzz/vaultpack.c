/* vaultpack.c (fuzz): what a backup holds. What is read is written again byte for byte. */
#include "server/engine/vault_pack.h"
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct sb_arena *a = arena_new(1 << 24);
    struct vault_pack pack;
    struct sb_buf b;
    buf_init(&b, 1 << 22);
    if (vault_pack_read((struct sb_blob){.p = p, .n = n}, a, &pack, NULL) == SB_OK) {
        if (vault_pack_write(&pack, &b, NULL) != SB_OK || b.n != n || memcmp(b.p, p, n) != 0)
            abort();
    }
    buf_done(&b);
    arena_free(a);
    return 0;
}
