/* tmpl_json.c (fuzz): the lenient JSON reader of deployments. What it accepted must, once printed, be
 * accepted by the strict reader, too (as far as that reads so deep), and print alike when it is read again.
 */
#include <stdlib.h>
#include <string.h>
#include "api/template/template.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct tmpl_world world = {.scope = TMPL_TENANT};
    struct tmpl *t = NULL;
    const struct tv *v = NULL, *again = NULL;
    size_t len = 0;
    if (tmpl_new(&world, &t, NULL) != SB_OK)
        abort();
    if (tmpl_read(t, (const char *)p, n, &v, NULL) == SB_OK) {
        char *text = tv_print(tmpl_arena(t), v, &len);
        if (!text || tmpl_read(t, text, len, &again, NULL) != SB_OK)
            abort();
        char *second = tv_print(tmpl_arena(t), again, NULL);
        struct json *j = NULL;
        if (!second || strcmp(text, second) != 0)
            abort();
        if (v->depth < JSON_DEPTH && json_parse(text, len, &j, NULL) != SB_OK)
            abort();
        json_free(j);
    } else if (!*tmpl_fault(t)->message) {
        abort();
    }
    tmpl_free(t);
    return 0;
}
