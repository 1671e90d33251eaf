/*
 * entra_scope.c: which resource a token is asked for. Version 1 names it, version 2 as a prefix of scopes:
 * "RESOURCE/.default" or "RESOURCE/permission"; a resource that ends with a slash gives two of them.
 */
#include <string.h>
#include "api/auth.h"
#include "api/entra.h"
#include "api/hosts.h"
#include "server/base/text.h"
#include "server/engine/aadsts.h"

#define DEFAULT "/.default"
#define GRAPH   "https://graph.microsoft.com"

/* ---- resources that are known ---- */

static bool in_plane(enum plane plane, const char *resource)
{
    size_t n = 0;
    const char *const *names = auth_audiences(plane, &n);
    for (size_t i = 0; i < n; i++) {
        if (directory_same_audience(names[i], resource))
            return true;
    }
    return false;
}

/* A namespace's own name is a resource too. */
static bool is_host(struct request *r, const char *resource)
{
    struct host_match m;
    const char *host = strstr(resource, "://");
    if (host == NULL)
        return false;
    host += strlen("://");
    size_t n = strcspn(host, "/");
    if (host[n] != '\0' && host[n + 1] != '\0')
        return false;
    host = arena_strndup(r->arena, host, n);
    return host != NULL && hosts_match(host, r->arena, &m) && m.plane == PLANE_BUS;
}

static bool known_resource(struct request *r, const char *resource)
{
    static const enum plane planes[] = {PLANE_ARM, PLANE_VAULT, PLANE_GRAPH};
    static const char *const others[] = {
        "https://servicebus.azure.net", "https://servicebus.localhost", "https://graph.windows.net",
        "80a10ef9-8168-493d-abf9-3297c4ef6e3c" /* Service Bus's application */};
    for (size_t i = 0; i < SB_ARRAY_LEN(planes); i++) {
        if (in_plane(planes[i], resource))
            return true;
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(others); i++) {
        if (directory_same_audience(others[i], resource))
            return true;
    }
    return is_host(r, resource);
}

enum sb_err entra_resource_require(struct request *r, const char *resource, struct sb_error *err)
{
    return known_resource(r, resource) ? SB_OK : aadsts_fail(err, AADSTS_500011, resource, ENGINE_TENANT);
}

/* ---- scopes ---- */

/* Scopes about the user, which a client may send along; an application has none. */
static bool about_user(const char *scope)
{
    static const char *const names[] = {"openid", "profile", "email", "offline_access"};
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        if (text_ieq(names[i], scope))
            return true;
    }
    return false;
}

/* The next word of *p, NULL at the end. */
static const char *next_scope(struct request *r, const char **p)
{
    *p += strspn(*p, " ");
    size_t n = strcspn(*p, " ");
    const char *one = n > 0 ? arena_strndup(r->arena, *p, n) : NULL;
    *p += n;
    return one;
}

enum sb_err entra_scope_app(struct request *r, const struct entra_form *f, struct entra_scope *ret,
                            struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    const char *scopes = NULL, *one;
    const char *resource = entra_form_get(f, "resource");
    if (resource == NULL || resource[0] == '\0') {
        resource = NULL;
        SB_TRY(entra_form_require(f, "scope", &scopes, err));
        for (const char *p = scopes; (one = next_scope(r, &p)) != NULL;) {
            if (about_user(one))
                continue;
            if (!text_ends(one, DEFAULT) || strlen(one) == strlen(DEFAULT))
                return aadsts_fail(err, AADSTS_1002012, one);
            if (resource != NULL)
                return aadsts_fail(err, AADSTS_28000, scopes);
            resource = arena_strndup(r->arena, one, strlen(one) - strlen(DEFAULT));
        }
        if (resource == NULL)
            return aadsts_fail(err, AADSTS_70011, scopes);
    }
    SB_TRY(entra_resource_require(r, resource, err));
    *ret = (struct entra_scope){.resource = resource};
out:
    return rc;
}

/* What stands before a scope's last slash; Graph for a bare permission. NULL: out of memory. */
static const char *resource_of(struct request *r, const char *scope)
{
    const char *slash = strrchr(scope, '/');
    if (slash == NULL)
        return GRAPH;
    return arena_strndup(r->arena, scope, (size_t)(slash - scope));
}

/* The scopes that are answered for one that was asked: "/.default" stands for all that was consented to. */
static const char *granted(struct request *r, const char *list, const char *resource, const char *one)
{
    const char *before = list != NULL ? list : "", *blank = list != NULL ? " " : "";
    if (text_ends(one, DEFAULT))
        return arena_printf(r->arena, "%s%s%s/user_impersonation %s", before, blank, resource, one);
    return arena_printf(r->arena, "%s%s%s", before, blank, one);
}

enum sb_err entra_scope_user(struct request *r, const char *resource, const char *scopes,
                             struct entra_scope *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct entra_scope s = {.resource = resource};
    const char *one, *p = scopes != NULL ? scopes : "";
    while ((one = next_scope(r, &p)) != NULL) {
        s.openid = s.openid || text_ieq(one, "openid");
        s.offline = s.offline || text_ieq(one, "offline_access");
        if (about_user(one))
            continue;
        const char *of = resource_of(r, one);
        if (of == NULL || of[0] == '\0')
            return aadsts_fail(err, AADSTS_70011, one);
        if (s.resource != NULL && !directory_same_audience(s.resource, of))
            return aadsts_fail(err, AADSTS_28000, scopes);
        if (s.resource == NULL)
            s.resource = of;
        s.list = granted(r, s.list, s.resource, one);
    }
    if (s.resource == NULL)
        s.resource = GRAPH;
    if (s.list == NULL)
        s.list = "openid profile email";
    SB_TRY(entra_resource_require(r, s.resource, err));
    *ret = s;
out:
    return rc;
}
