/* sqlfilter.c (fuzz): filters and actions from anywhere; what compiles is evaluated on a message. The first
 * byte chooses which of the two it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "server/engine/sqlfilter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct amqp_app_prop app[] = {{"a", {.kind = AMQP_LONG, .i = 3}},
                                               {"b", {.kind = AMQP_STRING, .s = "blue"}},
                                               {"c", {.kind = AMQP_DOUBLE, .d = 0.5}}};
    struct sb_arena *a = arena_new(1 << 24);
    struct amqp_message m = {.props = {.message_id = "m", .subject = "label"}, .app = app, .app_n = 3};
    struct sb_error err = {.code = SB_OK};
    const struct sqlfilter *f = NULL;
    char *text = n > 0 ? arena_strndup(a, (const char *)p + 1, n - 1) : NULL;
    if (text && p[0] % 2 == 0) {
        bool yes;
        enum sb_err rc = sqlfilter_compile(text, a, &f, &err);
        if (rc == SB_OK)
            rc = sqlfilter_match(f, &m, a, &yes, &err);
        if (rc != SB_OK && err.detail[0] == '\0')
            abort();
    } else if (text) {
        enum sb_err rc = sqlfilter_compile_action(text, a, &f, &err);
        if (rc == SB_OK)
            rc = sqlfilter_apply(f, &m, a, &err);
        if (rc != SB_OK && err.detail[0] == '\0')
            abort();
    }
    arena_free(a);
    return 0;
}
