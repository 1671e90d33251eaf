/* tmpl_expr.c (fuzz): one expression as a variable, an output and a body: lexer, parser, evaluator, every
 * function. It ends within the session's bounds, and a failure has its message. */
#include <stdlib.h>
#include <string.h>
#include "api/template/template.h"
#include "crypto/cmem.h"
#include "server/base/text.h"
#include "tests/fuzz/fuzz.h"

static void new_guid(void *cookie, char dst[37])
{
    SB_UNUSED(cookie);
    memcpy(dst, "0a0a0a0a-1111-4222-8333-444444444444", 37);
}

static enum sb_err reference(void *cookie, struct sb_arena *a, const char *id, const char *api_version,
                             bool full, const struct tv **ret, struct sb_error *err)
{
    SB_UNUSED(cookie);
    SB_UNUSED(api_version);
    if (full)
        return sb_fail(err, SB_ENOTFOUND, "no %s", id);
    *ret = tv_string(a, id);
    return *ret ? SB_OK : SB_ENOMEM;
}

/* {name: v} */
static const struct tv *member(struct sb_arena *a, const char *name, const struct tv *v)
{
    struct tv_fields f = {0};
    return v && tv_put(a, &f, name, v) ? tv_object(a, f.items, f.n) : NULL;
}

static const struct tv *template_of(struct sb_arena *a, const char *section, const struct tv *v)
{
    struct tv_fields f = {0};
    if (!v || !tv_put(a, &f, "$schema", tv_string(a, "s")) ||
        !tv_put(a, &f, "contentVersion", tv_string(a, "1")) || !tv_put(a, &f, section, v) ||
        (strcmp(section, "resources") != 0 && !tv_put(a, &f, "resources", tv_array(a, NULL, 0))))
        return NULL;
    return tv_object(a, f.items, f.n);
}

static const struct tv *resource_of(struct sb_arena *a, const struct tv *v)
{
    struct tv_fields f = {0};
    struct tv_list list = {0};
    if (!tv_put(a, &f, "type", tv_string(a, "a.b/c")) || !tv_put(a, &f, "name", tv_string(a, "d")) ||
        !tv_put(a, &f, "apiVersion", tv_string(a, "1")) || !tv_put(a, &f, "properties", member(a, "p", v)) ||
        !tv_push(a, &list, tv_object(a, f.items, f.n)))
        return NULL;
    return tv_array(a, list.items, list.n);
}

static void run(const char *text, size_t n, const char *section)
{
    static const struct tmpl_world world = {.scope = TMPL_GROUP,
                                            .subscription_id = "00000000-0000-0000-0000-000000000000",
                                            .group_name = "rg",
                                            .new_guid = new_guid,
                                            .reference = reference};
    struct tmpl *t = NULL;
    if (tmpl_new(&world, &t, NULL) != SB_OK)
        abort();
    struct sb_arena *a = tmpl_arena(t);
    const struct tv *v = tv_stringn(a, text, n), *body = NULL;
    v = strcmp(section, "resources") == 0 ? resource_of(a, v) : member(a, "v", v);
    const struct tv *whole = template_of(a, section, v);
    enum sb_err rc = whole ? tmpl_load(t, whole, NULL, NULL) : SB_ENOMEM;
    for (int when = TMPL_BEFORE; rc == SB_OK && when <= TMPL_RUN && tmpl_count(t) > 0; when++)
        rc = tmpl_body(t, tmpl_at(t, 0), (enum tmpl_when)when, &body, NULL);
    if (rc == SB_ETEMPLATE && !*tmpl_fault(t)->message)
        abort();
    if (rc == SB_OK && body && !tv_print(a, body, NULL))
        abort();
    tmpl_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static char text[32768];
    if (n + 2 >= sizeof text || memchr(p, 0, n) || cmem_init(NULL) != SB_OK)
        return 0;
    text[0] = '[';
    if (n > 0)
        memcpy(text + 1, p, n);
    text[n + 1] = ']';
    text[n + 2] = '\0';
    if (!utf8_valid(text, n + 2))
        return 0;
    run(text, n + 2, "variables");
    run(text, n + 2, "resources");
    return 0;
}
