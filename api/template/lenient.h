/* lenient.h: the JSON that az sends to the deployments resource, and how it fails (for template.c alone). */
#ifndef SB_TEMPLATE_LENIENT_H
#define SB_TEMPLATE_LENIENT_H

#include "api/template/tv.h"

struct lenient_error {
    uint32_t line, position;
    const char *message; /* the JSON reader's words, without path and place; in the arena */
    const char *path;    /* "properties.template.resources[0].name" */
};

/*
 * Reads one value: RFC 8259 and line and block comments, names without quotes, single quotes, line breaks in
 * strings, a comma behind the last element. Lines and columns are kept in the values (tv.h). NULL: *ret_error
 * says why; its message is NULL when memory ran out.
 */
const struct tv *lenient_parse(struct sb_arena *a, const char *text, size_t n,
                               struct lenient_error *ret_error);

#endif
