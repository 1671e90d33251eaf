/* envelope.c (fuzz): sealed blobs from a damaged database: never opened, never a crash. Only what was sealed
 * here opens. */
#include <stdint.h>
#include <stdlib.h>
#include "crypto/envelope.h"
#include "tests/fuzz/fuzz.h"

static struct env_key *key;

static void setup(void)
{
    struct cmem_key *k = NULL;
    if (cmem_init(NULL) != SB_OK || cmem_key_random(&k, NULL) != SB_OK || env_key_new(k, &key, NULL) != SB_OK)
        abort();
    cmem_key_free(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!key)
        setup();
    struct env_header h;
    (void)!envelope_header(p, n, &h, NULL);
    struct sb_arena *a = arena_new(1 << 24);
    struct sb_blob plain = {0};
    if (envelope_open(key, NULL, "aad", 3, p, n, a, &plain, NULL) == SB_OK)
        abort();
    struct sb_buf out;
    buf_init(&out, n + ENV_OVERHEAD);
    if (envelope_seal(key, NULL, 1, "aad", 3, p, n, &out, NULL) != SB_OK ||
        envelope_open(key, NULL, "aad", 3, out.p, out.n, a, &plain, NULL) != SB_OK || plain.n != n)
        abort();
    buf_done(&out);
    arena_free(a);
    return 0;
}
