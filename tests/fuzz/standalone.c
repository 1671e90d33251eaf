/* standalone.c: replays files (a target's corpus) through a fuzz target: standalone FILE…; prints how many.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/fuzz/fuzz.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "rb");
        if (!f) {
            perror(argv[i]);
            return 2;
        }
        fseek(f, 0, SEEK_END);
        long n = ftell(f);
        rewind(f);
        uint8_t *p = malloc(n > 0 ? (size_t)n : 1);
        size_t got = p && n > 0 ? fread(p, 1, (size_t)n, f) : 0;
        fclose(f);
        LLVMFuzzerTestOneInput(p, got);
        free(p);
    }
    printf("%d inputs replayed\n", argc - 1);
    return 0;
}
