/* json.c (fuzz): the strict JSON reader, and the writer on whatever it accepted: what is printed must be
 * accepted again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct json *j = NULL;
    if (json_parse(p, n, &j, NULL) != SB_OK)
        return 0;
    struct sb_arena *a = arena_new(1 << 24);
    char *text = json_print(j, a);
    struct json *again = NULL;
    if (!text || json_parse(text, strlen(text), &again, NULL) != SB_OK)
        abort();
    json_free(again);
    json_free(j);
    arena_free(a);
    return 0;
}
