/* sas.c (fuzz): shared access signatures; what parses is written again and must parse to the same, and a part
 * given twice never parses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/sas.h"
#include "server/base/text.h"
#include "tests/fuzz/fuzz.h"

static void add_part(struct sb_buf *b, const char *name, const char *value)
{
    buf_adds(b, name);
    if (percent_encode(b, value) != SB_OK)
        abort();
}

static void check(struct sb_arena *a, const struct sas_token *t)
{
    struct sb_buf b;
    struct sas_token again = {0};
    const char *raw = percent_decode(a, t->sr_raw, strlen(t->sr_raw), false);
    if (!raw || strcmp(raw, t->sr) != 0)
        abort();
    buf_init(&b, 1 << 20);
    add_part(&b, "skn=", t->skn);
    add_part(&b, "&se=", t->se);
    add_part(&b, "&sig=", t->sig);
    add_part(&b, "&sr=", t->sr);
    if (sas_parse(buf_str(&b), a, &again, NULL) != SB_OK || strcmp(again.sr, t->sr) != 0 ||
        strcmp(again.sig, t->sig) != 0 || strcmp(again.se, t->se) != 0 || strcmp(again.skn, t->skn) != 0)
        abort();
    buf_adds(&b, "&sr=x");
    if (sas_parse(buf_str(&b), a, &again, NULL) == SB_OK)
        abort();
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct sb_arena *a = arena_new(1 << 22);
    struct sas_token t = {0};
    char *text = arena_strndup(a, (const char *)p, n);
    if (text && sas_parse(text, a, &t, NULL) == SB_OK)
        check(a, &t);
    arena_free(a);
    return 0;
}
