/* route.c (fuzz): "METHOD path" on each plane of the real table: a row that fits with all its parameters, or
 * a refusal that says why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "api/request.h"
#include "tests/fuzz/fuzz.h"

/* Every {name} and {name*} of the template has a value. */
static void check_params(struct request *r)
{
    for (const char *p = strchr(r->route->path, '{'); p; p = strchr(p + 1, '{')) {
        char name[64];
        size_t n = strcspn(p + 1, "*}");
        memcpy(name, p + 1, n);
        name[n] = '\0';
        if (!request_param(r, name))
            abort();
    }
}

/* Is it one of "GET, PUT"? */
static bool listed(const char *list, const char *method)
{
    for (const char *p = list; *p; p += strspn(p, ", ")) {
        size_t n = strcspn(p, ",");
        if (strlen(method) == n && strncmp(p, method, n) == 0)
            return true;
        p += n;
    }
    return false;
}

static void check(enum plane plane, const char *method, const char *path)
{
    const char *allow = NULL;
    struct request *r = request_new(NULL, arena_new(1 << 22));
    r->plane = plane;
    r->method = method;
    r->path = arena_strdup(r->arena, path);
    enum sb_err rc = route_match(route_index_all(), r, &allow, NULL);
    if ((rc == SB_OK) != (r->route != NULL))
        abort();
    if (rc == SB_OK) {
        if (r->route->plane != plane || strcmp(r->route->method, method) != 0)
            abort();
        check_params(r);
    } else if (rc == SB_EMETHOD) {
        if (!allow || !*allow || listed(allow, method))
            abort();
    } else if (rc != SB_ENOROUTE && rc != SB_EBADREQUEST) {
        abort();
    }
    request_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    char *text = malloc(n + 1);
    if (!text)
        return 0;
    memcpy(text, p, n);
    text[n] = '\0';
    char *path = text + strcspn(text, " ");
    if (*path)
        *path++ = '\0';
    for (int plane = 0; plane < PLANE_MAX; plane++)
        check((enum plane)plane, text, path);
    free(text);
    return 0;
}
