/* test_hosts.c: Host header -> plane, sign-in paths on bare names, and the certificate's names. */
#include <string.h>
#include "api/hosts.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;

static void setup(void)
{
    arena = arena_new(1u << 20);
}

static void teardown(void)
{
    arena_free(arena);
}

static const struct {
    const char *host;
    enum plane plane;
    bool real, bare;
    const char *label, *port;
} known[] = {
    {"management.azure.com", PLANE_ARM, true, false, NULL, ""},
    {"MANAGEMENT.Azure.COM:443", PLANE_ARM, true, false, NULL, ":443"},
    {"localhost", PLANE_ARM, false, true, NULL, ""},
    {"localhost:8443", PLANE_ARM, false, true, NULL, ":8443"},
    {"LocalHost.:8443", PLANE_ARM, false, true, NULL, ":8443"},
    {"127.0.0.1:8443", PLANE_ARM, false, true, NULL, ":8443"},
    {"[::1]:8443", PLANE_ARM, false, true, NULL, ":8443"},
    {"[::1]", PLANE_ARM, false, true, NULL, ""},
    {"management.localhost", PLANE_ARM, false, false, NULL, ""},
    {"login.microsoftonline.com", PLANE_LOGIN, true, false, NULL, ""},
    {"login.windows.net", PLANE_LOGIN, true, false, NULL, ""},
    {"login.localhost:1", PLANE_LOGIN, false, false, NULL, ":1"},
    {"MyVault.vault.azure.net", PLANE_VAULT, true, false, "myvault", ""},
    {"my-vault.vault.localhost:65535", PLANE_VAULT, false, false, "my-vault", ":65535"},
    {"Ns1.ServiceBus.Windows.Net:443", PLANE_BUS, true, false, "ns1", ":443"},
    {"ns1.servicebus.localhost", PLANE_BUS, false, false, "ns1", ""},
    {"graph.microsoft.com", PLANE_GRAPH, true, false, NULL, ""},
    {"graph.localhost", PLANE_GRAPH, false, false, NULL, ""},
};

START_TEST(test_hosts__known)
{
    struct host_match m = {0};
    ck_assert_msg(hosts_match(known[_i].host, arena, &m), "%s", known[_i].host);
    ck_assert_int_eq(m.plane, known[_i].plane);
    ck_assert_int_eq(m.real, known[_i].real);
    ck_assert_int_eq(m.bare, known[_i].bare);
    ck_assert_pstr_eq(m.label, known[_i].label);
    ck_assert_str_eq(m.port, known[_i].port);
}
END_TEST

static const char *const unknown[] = {
    "",
    " ",
    ":8443",
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "localhost:8443x",
    "localhost:-1",
    "localhost:8443:1",
    "localhost/",
    "local host",
    "vault.azure.net",
    ".vault.azure.net",
    "a.b.vault.azure.net",
    "vault.localhost",
    "x.localhost",
    "servicebus.windows.net",
    "evil.com",
    "management.azure.com.evil.com",
    "xmanagement.azure.com",
    "a.vault.azure.net.evil.com",
    "localhost\r\n",
    "[::1",
    "::1",
    "[::2]",
    "[::1]x",
    "[]",
    "127.0.0.2",
    "0.0.0.0",
    "a.vault.azure.netx",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.vault.azure.net", /* a label of 64 */
};

START_TEST(test_hosts__unknown)
{
    struct host_match m = {0};
    ck_assert_msg(!hosts_match(unknown[_i], arena, &m), "%s", unknown[_i]);
}
END_TEST

START_TEST(test_hosts__too_long)
{
    char host[400];
    struct host_match m = {0};
    memset(host, 'a', sizeof host);
    memcpy(host + sizeof host - 17, ".vault.localhost", 17);
    ck_assert(!hosts_match(host, arena, &m));
}
END_TEST

static const struct {
    const char *path;
    bool login;
} paths[] = {
    {"/common/oauth2/v2.0/token", true},
    {"/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token", true},
    {"/11111111-1111-1111-1111-111111111111/oauth2/token", true},
    {"/tenant/v2.0/.well-known/openid-configuration", true},
    {"/tenant/.well-known/openid-configuration", true},
    {"/tenant/discovery/v2.0/keys", true},
    {"/common/discovery/instance?api-version=1.1", true},
    {"/Common/UserRealm/me@x", true},
    {"/adfs/.well-known/openid-configuration", true},
    {"/adfs/oauth2/token", true},
    {"//tenant//oauth2/token", false}, /* an empty segment: not how sign-in paths look */
    {"/subscriptions/oauth2", false},
    {"/subscriptions/x/resourceGroups/oauth2", false},
    {"/providers/oauth2/x", false},
    {"/metadata/endpoints", false},
    {"/metadata/identity/oauth2/token", false},
    {"/tenants", false},
    {"/", false},
    {"", false},
    {"/oauth2", false},
};

START_TEST(test_hosts__login_paths)
{
    ck_assert_msg(hosts_login_path(paths[_i].path) == paths[_i].login, "%s", paths[_i].path);
}
END_TEST

START_TEST(test_hosts__names)
{
    ck_assert_str_eq(hosts_name(arena, HOST_ARM, true, NULL), "management.azure.com");
    ck_assert_str_eq(hosts_name(arena, HOST_ARM, false, NULL), "localhost");
    ck_assert_str_eq(hosts_name(arena, HOST_LOGIN, false, NULL), "login.localhost");
    ck_assert_str_eq(hosts_name(arena, HOST_VAULT, true, "V1"), "V1.vault.azure.net");
    ck_assert_str_eq(hosts_name(arena, HOST_BUS, false, "ns"), "ns.servicebus.localhost");
}
END_TEST

/* Does a certificate name cover this host? */
static bool covers(const char *pattern, const char *host)
{
    if (pattern[0] != '*')
        return strcmp(pattern, host) == 0;
    const char *dot = strchr(host, '.');
    return dot && strcmp(pattern + 1, dot) == 0;
}

/* Every name that the table answers to is in the certificate, and below a permitted name of the CA. */
START_TEST(test_hosts__certificate_covers_all)
{
    size_t dns_n = 0, ips_n = 0, permitted_n = 0;
    const char *const *dns = hosts_cert_dns(&dns_n), *const *ips = hosts_cert_ips(&ips_n),
                      *const *permitted = hosts_cert_permitted(&permitted_n);
    ck_assert_uint_eq(ips_n, 2);
    ck_assert_str_eq(ips[0], "127.0.0.1");
    for (size_t i = 0; i < SB_ARRAY_LEN(known); i++) {
        struct host_match m = {0};
        bool ok = false, allowed = false;
        ck_assert(hosts_match(known[i].host, arena, &m));
        if (m.name[0] == '[' || m.name[0] == '1')
            continue;
        for (size_t k = 0; k < dns_n; k++)
            ok = ok || covers(dns[k], m.name);
        for (size_t k = 0; k < permitted_n; k++) {
            size_t n = strlen(m.name), p = strlen(permitted[k]);
            allowed = allowed || (n >= p && strcmp(m.name + n - p, permitted[k]) == 0);
        }
        ck_assert_msg(ok && allowed, "%s", m.name);
    }
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("hosts");
    TCase *t = tcase_create("hosts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_hosts__known, 0, (int)SB_ARRAY_LEN(known));
    tcase_add_loop_test(t, test_hosts__unknown, 0, (int)SB_ARRAY_LEN(unknown));
    tcase_add_test(t, test_hosts__too_long);
    tcase_add_loop_test(t, test_hosts__login_paths, 0, (int)SB_ARRAY_LEN(paths));
    tcase_add_test(t, test_hosts__names);
    tcase_add_test(t, test_hosts__certificate_covers_all);
    suite_add_tcase(s, t);
    return s;
}
