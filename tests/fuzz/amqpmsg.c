/* amqpmsg.c (fuzz): AMQP sections from anywhere; what decodes is encoded again and must decode. */
#include <stdint.h>
#include <stdlib.h>
#include "server/engine/amqpmsg.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct sb_arena *a = arena_new(1 << 24);
    struct amqp_message m;
    if (amqpmsg_decode((struct sb_blob){p, n}, a, &m, NULL) == SB_OK) {
        struct sb_buf out;
        struct amqp_message again;
        buf_init(&out, 1 << 24);
        if (amqpmsg_encode(&m, &out, NULL) == SB_OK &&
            amqpmsg_decode((struct sb_blob){out.p, out.n}, a, &again, NULL) != SB_OK)
            abort();
        buf_done(&out);
    }
    arena_free(a);
    return 0;
}
