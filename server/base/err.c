/* err.c: names and texts of the error list, and filling in an error object. */
#include "server/base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} errors[SB_ERR_MAX] = {
#define X(name, text) [name] = {#name, text},
    SB_ERRORS(X)
#undef X
};

enum sb_err(sb_fail)(struct sb_error *err, enum sb_err code, const char *fmt, ...)
{
    if (!err)
        return code;
    /* Formatted aside: the values may point into err->detail itself (a caller that adds to the detail). */
    char text[sizeof err->detail];
    va_list ap;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    err->code = code;
    err->status = 0;
    memcpy(err->detail, text, strlen(text) + 1);
    return code;
}

static unsigned row(enum sb_err code)
{
    unsigned i = (unsigned)code;
    return i < SB_ERR_MAX ? i : SB_EINTERNAL;
}

const char *sb_err_name(enum sb_err code)
{
    return errors[row(code)].name;
}

const char *sb_err_text(enum sb_err code)
{
    return errors[row(code)].text;
}
