/* tmpl.c (fuzz): a whole deployment: {"template", "parameters"} read, loaded, every body and nested
 * deployment taken, outputs evaluated. Order is a permutation in which dependencies come first. */
#include <stdlib.h>
#include <string.h>
#include "api/template/template.h"
#include "crypto/cmem.h"
#include "tests/fuzz/fuzz.h"

static void check_order(struct tmpl *t)
{
    size_t n = tmpl_count(t);
    unsigned char *done = calloc(n + 1, 1);
    if (!done)
        abort();
    for (size_t k = 0; k < n; k++) {
        const struct tmpl_resource *r = tmpl_at(t, k);
        for (size_t i = 0; i < r->depends_n; i++) {
            for (size_t m = 0; m < r->depends[i].n; m++) {
                if (!done[r->depends[i].first + m])
                    abort();
            }
        }
        if (done[r->index]++)
            abort();
    }
    free(done);
}

static void use(struct tmpl *t)
{
    const struct tmpl_output *o = NULL;
    size_t n = 0;
    check_order(t);
    for (size_t k = 0; k < tmpl_count(t) && k < 50; k++) {
        const struct tmpl_resource *r = tmpl_at(t, k);
        const struct tv *v = NULL;
        struct tmpl_nested nested;
        if (tmpl_body(t, r, k % 2 ? TMPL_BEFORE : TMPL_RUN, &v, NULL) != SB_OK && !*tmpl_fault(t)->message)
            abort();
        if (r->deployment)
            (void)!tmpl_nested(t, r, TMPL_BEFORE, &nested, NULL);
    }
    if (tmpl_outputs(t, &o, &n, NULL) != SB_OK && !*tmpl_fault(t)->message)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct tmpl_world world = {.scope = TMPL_GROUP,
                                            .subscription_id = "s",
                                            .group_name = "g",
                                            .tenant_id = "t",
                                            .deployment_name = "d"};
    struct tmpl *t = NULL;
    const struct tv *v = NULL;
    if (cmem_init(NULL) != SB_OK || tmpl_new(&world, &t, NULL) != SB_OK)
        abort();
    if (tmpl_read(t, (const char *)p, n, &v, NULL) == SB_OK && tv_get(v, "template")) {
        if (tmpl_load(t, tv_get(v, "template"), tv_get(v, "parameters"), NULL) == SB_OK)
            use(t);
        else if (!*tmpl_fault(t)->message)
            abort();
    }
    tmpl_free(t);
    return 0;
}
