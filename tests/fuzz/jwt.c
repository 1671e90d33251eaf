/* jwt.c (fuzz): tokens and the claims reader; nothing that was not signed here may verify. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem.h"
#include "server/engine/jwt.h"
#include "tests/fuzz/fuzz.h"

static struct pkey *key;

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (!key && (cmem_init(NULL) != SB_OK || pkey_generate_rsa(2048, &key, NULL) != SB_OK))
        abort();
    struct sb_arena *a = arena_new(1 << 22);
    char *token = arena_strndup(a, (const char *)p, n);
    struct jwt t;
    if (token && jwt_parse(token, a, &t, NULL) == SB_OK) {
        struct jwt_claims c;
        (void)!jwt_read(&t, a, &c, NULL);
        if (jwt_verify(&t, key, NULL) == SB_OK)
            abort();
    }
    if (token && jwt_parse_assertion(token, a, &t, NULL) == SB_OK && jwt_verify(&t, key, NULL) == SB_OK)
        abort();
    const char *text = NULL;
    int64_t number = 0;
    const struct jwt_member want[] = {{.name = "aud", .text = &text},
                                      {.name = "exp", .number = &number, .cut = true}};
    (void)!jwt_object((const char *)p, n, want, 2, a, NULL);
    arena_free(a);
    return 0;
}
