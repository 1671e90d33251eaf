/* entra_form.c: bodies of type application/x-www-form-urlencoded. */
#include <string.h>
#include "api/entra.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

const char *entra_form_get(const struct entra_form *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->field[i].name, name) == 0)
            return f->field[i].value;
    }
    return NULL;
}

static enum sb_err read_field(struct request *r, struct entra_form *f, const char *p, size_t n,
                              struct sb_error *err)
{
    const char *eq = memchr(p, '=', n);
    size_t name_n = eq != NULL ? (size_t)(eq - p) : n;
    const char *name = percent_decode(r->arena, p, name_n, true);
    const char *value = eq != NULL ? percent_decode(r->arena, eq + 1, n - name_n - 1, true) : "";
    if (name == NULL || value == NULL || !utf8_valid(name, strlen(name)) || !utf8_valid(value, strlen(value)))
        return aadsts_fail(err, AADSTS_90013);
    if (f->n == ENTRA_FIELDS_MAX ||
        entra_form_get(f, name) != NULL) /* RFC 6749: no parameter more than once */
        return aadsts_fail(err, AADSTS_90013);
    f->field[f->n++] = (struct request_pair){name, value};
    return SB_OK;
}

enum sb_err entra_form_read(struct request *r, struct entra_form *ret, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct entra_form f = {.n = 0};
    const char *p = buf_str(&r->body);
    if (strlen(p) != r->body.n)
        return aadsts_fail(err, AADSTS_90013);
    while (*p != '\0') {
        size_t n = strcspn(p, "&");
        if (n > 0)
            SB_TRY(read_field(r, &f, p, n, err));
        p += n + (p[n] == '&' ? 1 : 0);
    }
    *ret = f;
out:
    return rc;
}

enum sb_err entra_form_require(const struct entra_form *f, const char *name, const char **ret,
                               struct sb_error *err)
{
    const char *value = entra_form_get(f, name);
    if (value == NULL || value[0] == '\0')
        return aadsts_fail(err, AADSTS_900144, name);
    *ret = value;
    return SB_OK;
}
