/* hosts.c: the host table of contract 3. */
#include "api/hosts.h"
#include <string.h>
#include "server/base/text.h"

#define LABEL_MAX 63u
#define HOST_MAX  255u

struct host_row {
    const char *name; /* beginning with a dot: one label stands before it */
    enum plane plane;
    enum host_kind kind;
    bool real;
    bool bare;
};

/* The first row of a kind, real or local, is the name that answers use when the client's own name is of
 * another kind. */
static const struct host_row rows[] = {
    {"management.azure.com", PLANE_ARM, HOST_ARM, true, false},
    {"localhost", PLANE_ARM, HOST_ARM, false, true},
    {"127.0.0.1", PLANE_ARM, HOST_ARM, false, true},
    {"[::1]", PLANE_ARM, HOST_ARM, false, true},
    {"management.localhost", PLANE_ARM, HOST_ARM, false, false},
    {"login.microsoftonline.com", PLANE_LOGIN, HOST_LOGIN, true, false},
    {"login.windows.net", PLANE_LOGIN, HOST_LOGIN, true, false},
    {"login.localhost", PLANE_LOGIN, HOST_LOGIN, false, false},
    {".vault.azure.net", PLANE_VAULT, HOST_VAULT, true, false},
    {".vault.localhost", PLANE_VAULT, HOST_VAULT, false, false},
    {".servicebus.windows.net", PLANE_BUS, HOST_BUS, true, false},
    {".servicebus.localhost", PLANE_BUS, HOST_BUS, false, false},
    {"graph.microsoft.com", PLANE_GRAPH, HOST_GRAPH, true, false},
    {"graph.localhost", PLANE_GRAPH, HOST_GRAPH, false, false},
};

/* A wildcard directly below localhost is refused by TLS clients: single names are listed. */
static const char *const cert_dns[] = {
    "localhost",         "management.localhost",   "login.localhost",      "graph.localhost",
    "*.vault.localhost", "*.servicebus.localhost", "management.azure.com", "login.microsoftonline.com",
    "login.windows.net", "graph.microsoft.com",    "*.vault.azure.net",    "*.servicebus.windows.net",
};
static const char *const cert_ips[] = {"127.0.0.1", "::1"};
static const char *const cert_permitted[] = {
    "localhost",           "management.azure.com", "login.microsoftonline.com", "login.windows.net",
    "graph.microsoft.com", "vault.azure.net",      "servicebus.windows.net",
};

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool hosts_split(const char *host, struct sb_arena *a, const char **ret_name, const char **ret_port)
{
    int64_t port = 0;
    if (strlen(host) > HOST_MAX)
        return false;
    char *name = arena_strdup(a, host);
    if (!name)
        return false;
    text_tolower(name);
    size_t n = 0;
    if (name[0] == '[') {
        n = strspn(name + 1, "0123456789abcdef:.") + 1;
        if (name[n++] != ']')
            return false;
    } else {
        while (name_char(name[n]))
            n++;
    }
    const char *rest = host + n;
    if (n == 0 || (*rest && (*rest != ':' || !text_to_i64(rest + 1, 1, 65535, &port))))
        return false;
    name[n] = '\0';
    if (n > 1 && name[n - 1] == '.')
        name[n - 1] = '\0';
    *ret_name = name;
    *ret_port = rest;
    return true;
}

/* The label in front of suffix, NULL if there is not exactly one. */
static const char *label_before(struct sb_arena *a, const char *name, const char *suffix)
{
    size_t n = strcspn(name, ".");
    if (n == 0 || n > LABEL_MAX || strcmp(name + n, suffix) != 0)
        return NULL;
    return arena_strndup(a, name, n);
}

bool hosts_match(const char *host, struct sb_arena *a, struct host_match *ret)
{
    struct host_match m = {0};
    if (!hosts_split(host, a, &m.name, &m.port))
        return false;
    m.port = arena_strdup(a, m.port);
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        const struct host_row *row = &rows[i];
        bool labelled = row->name[0] == '.';
        if (labelled ? !(m.label = label_before(a, m.name, row->name)) : strcmp(m.name, row->name) != 0)
            continue;
        m.plane = row->plane;
        m.kind = row->kind;
        m.real = row->real;
        m.bare = row->bare;
        *ret = m;
        return m.port != NULL;
    }
    return false;
}

/* Is the segment at s (up to the next slash) one of these words? */
static bool one_of(const char *s, const char *const *words, size_t n)
{
    size_t len = strcspn(s, "/?");
    for (size_t i = 0; i < n; i++) {
        if (strlen(words[i]) == len && text_ieqn(s, words[i], len))
            return true;
    }
    return false;
}

bool hosts_login_path(const char *path)
{
    static const char *const authorities[] = {"common", "organizations", "consumers", "adfs"};
    static const char *const below_tenant[] = {"oauth2",    "v2.0",      ".well-known",
                                               "discovery", "userrealm", "login"};
    static const char *const arm[] = {"subscriptions", "providers", "tenants", "metadata", "batch"};
    path += strspn(path, "/");
    if (one_of(path, authorities, SB_ARRAY_LEN(authorities)))
        return true;
    if (one_of(path, arm, SB_ARRAY_LEN(arm)))
        return false;
    const char *second = path + strcspn(path, "/?");
    return *second == '/' && one_of(second + 1, below_tenant, SB_ARRAY_LEN(below_tenant));
}

const char *hosts_name(struct sb_arena *a, enum host_kind kind, bool real, const char *label)
{
    const char *name = "";
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        if (rows[i].kind == kind && rows[i].real == real) {
            name = rows[i].name;
            break;
        }
    }
    if (name[0] == '.')
        name = arena_printf(a, "%s%s", label ? label : "", name);
    return name ? name : "";
}

const char *const *hosts_cert_dns(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(cert_dns);
    return cert_dns;
}

const char *const *hosts_cert_ips(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(cert_ips);
    return cert_ips;
}

const char *const *hosts_cert_permitted(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(cert_permitted);
    return cert_permitted;
}
