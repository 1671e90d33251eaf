/* skiptoken.c (fuzz): a list's $skiptoken. What comes out is a name or a version in lower case, never longer.
 */
#include <stdlib.h>
#include <string.h>
#include "api/vault_common.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz-";
    struct sb_arena *a = arena_new(1 << 22);
    char *token = arena_strndup(a, (const char *)p, n);
    const char *place = token ? vault_skip_decode(a, token) : NULL;
    if (place && (place[0] == '\0' || strlen(place) > VKEY_NAME_MAX || place[strspn(place, allowed)] != '\0'))
        abort();
    arena_free(a);
    return 0;
}
