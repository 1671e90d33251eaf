/* test_config.c: the option table: command line, environment, defaults, what is refused, and what is printed
 * from it. */
#include <stdio.h>
#include <string.h>
#include "server/config.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct sb_error err;
static struct config c;
static const char *const *environment; /* name, value, …, NULL */

static const char *env(const char *name)
{
    for (const char *const *p = environment; p && *p; p += 2) {
        if (strcmp(p[0], name) == 0)
            return p[1];
    }
    return NULL;
}

static const char *const home[] = {"HOME", "/home/me", NULL};

static void setup(void)
{
    arena = arena_new(1u << 20);
    environment = home;
}

static void teardown(void)
{
    arena_free(arena);
}

/* Words separated by blanks. */
static enum sb_err parse(const char *line)
{
    char *argv[64] = {arena_strdup(arena, "sealedbus")};
    int argc = 1;
    char *p = arena_strdup(arena, line);
    while (*(p += strspn(p, " "))) {
        argv[argc++] = p;
        p += strcspn(p, " ");
        if (*p)
            *p++ = '\0';
    }
    err = (struct sb_error){0};
    return config_parse(argc, argv, env, arena, &c, &err);
}

START_TEST(test_config__defaults)
{
    ck_assert_int_eq(parse(""), SB_OK);
    ck_assert_int_eq(c.action, CONFIG_RUN);
    ck_assert_str_eq(c.data_dir, "/home/me/.local/state/sealedbus");
    ck_assert(!c.in_memory && c.default_binds);
    ck_assert_uint_eq(c.binds.n, 2);
    ck_assert_str_eq(c.binds.v[0], "127.0.0.1");
    ck_assert_str_eq(c.binds.v[1], "::1");
    ck_assert_int_eq(c.https_port, 8443);
    ck_assert_int_eq(c.http_port, 5300);
    ck_assert_int_eq(c.poll_interval, 300);
    ck_assert_int_eq(c.grant_delay, 0);
    ck_assert_int_eq(c.clock, 0);
    ck_assert_int_eq(c.token_clock, 0);
    ck_assert_int_eq(c.now_ms, 0);
    ck_assert_int_eq(c.log_level, LOG_INFO);
    ck_assert_int_eq(c.log_format, 0);
    ck_assert_uint_eq(c.subscriptions.n, 0);
    ck_assert_uint_eq(c.clients_n, 1);
    ck_assert_str_eq(c.clients[0].id, ENGINE_CLIENT_ID);
    ck_assert_str_eq(c.clients[0].secret, ENGINE_CLIENT_SECRET);
    ck_assert_str_eq(c.clients[0].oid, ENGINE_CLIENT_OID);
}
END_TEST

START_TEST(test_config__data_dir)
{
    static const char *const xdg[] = {"HOME", "/home/me", "XDG_STATE_HOME", "/state", NULL};
    static const char *const relative[] = {"HOME", "/home/me", "XDG_STATE_HOME", "state", NULL};
    static const char *const none[] = {NULL};
    static const char *const own[] = {"HOME", "/home/me", "SEALEDBUS_DATA_DIR", "/env", NULL};
    environment = xdg;
    ck_assert_int_eq(parse(""), SB_OK);
    ck_assert_str_eq(c.data_dir, "/state/sealedbus");
    environment = relative;
    ck_assert_int_eq(parse(""), SB_OK);
    ck_assert_str_eq(c.data_dir, "/home/me/.local/state/sealedbus");
    environment = none;
    ck_assert_int_eq(parse(""), SB_EUSAGE);
    ck_assert_int_eq(parse("--in-memory"), SB_OK);
    ck_assert_ptr_null(c.data_dir);
    ck_assert_int_eq(parse("--help"), SB_OK);
    environment = own;
    ck_assert_int_eq(parse(""), SB_OK);
    ck_assert_str_eq(c.data_dir, "/env");
    ck_assert_int_eq(parse("--data-dir /given"), SB_OK);
    ck_assert_str_eq(c.data_dir, "/given");
}
END_TEST

START_TEST(test_config__every_option)
{
    ck_assert_int_eq(
        parse("--data-dir=/d --in-memory --token-clock emulator --control-host a --control-host b.c --bind "
              "0.0.0.0 --bind ::1 "
              "--https-port 0 --http-port 0 --poll-interval 5 --clock manual --now 2030-01-31T12:00:00Z "
              "--subscription 00000000-0000-0000-0000-000000000001 --tls-cert c.pem --tls-key k.pem "
              "--log-level debug --log-format json"),
        SB_OK);
    ck_assert_str_eq(c.data_dir, "/d");
    ck_assert(c.in_memory && !c.default_binds);
    ck_assert_int_eq(c.token_clock, 1);
    ck_assert_uint_eq(c.control_hosts.n, 2);
    ck_assert_str_eq(c.control_hosts.v[1], "b.c");
    ck_assert_uint_eq(c.binds.n, 2);
    ck_assert_int_eq(c.https_port, 0);
    ck_assert_int_eq(c.poll_interval, 5);
    ck_assert_int_eq(c.clock, 1);
    ck_assert_int_eq(c.now_ms, INT64_C(1896091200000));
    ck_assert_uint_eq(c.subscriptions.n, 1);
    ck_assert_str_eq(c.tls_key, "k.pem");
    ck_assert_int_eq(c.log_level, LOG_DEBUG);
    ck_assert_int_eq(c.log_format, 1);
}
END_TEST

START_TEST(test_config__environment_twins)
{
    static const char *const all[] = {"HOME",
                                      "/h",
                                      "SEALEDBUS_IN_MEMORY",
                                      "true",
                                      "SEALEDBUS_TOKEN_CLOCK",
                                      "emulator",
                                      "SEALEDBUS_CONTROL_HOSTS",
                                      "a,b,,c",
                                      "SEALEDBUS_BIND",
                                      "127.0.0.1",
                                      "SEALEDBUS_HTTPS_PORT",
                                      "1",
                                      "SEALEDBUS_HTTP_PORT",
                                      "2",
                                      "SEALEDBUS_POLL_INTERVAL",
                                      "9",
                                      "SEALEDBUS_CLOCK",
                                      "manual",
                                      "SEALEDBUS_NOW",
                                      "2030-01-01T00:00:00Z",
                                      "SEALEDBUS_LOG_LEVEL",
                                      "warn",
                                      "SEALEDBUS_LOG_FORMAT",
                                      "json",
                                      "SEALEDBUS_TLS_CERT",
                                      "",
                                      NULL};
    environment = all;
    ck_assert_msg(parse("") == SB_OK, "%s", err.detail);
    ck_assert(c.in_memory && !c.default_binds);
    ck_assert_int_eq(c.token_clock, 1);
    ck_assert_uint_eq(c.control_hosts.n, 3);
    ck_assert_str_eq(c.control_hosts.v[2], "c");
    ck_assert_int_eq(c.https_port, 1);
    ck_assert_int_eq(c.poll_interval, 9);
    ck_assert_int_eq(c.log_level, LOG_WARN);
    ck_assert_ptr_null(c.tls_cert); /* an empty variable is none */
    /* the option wins, a list as a whole */
    ck_assert_int_eq(
        parse("--in-memory=false --control-host x --control-host y --https-port 3 --token-clock=machine"),
        SB_OK);
    ck_assert(!c.in_memory);
    ck_assert_uint_eq(c.control_hosts.n, 2);
    ck_assert_str_eq(c.control_hosts.v[0], "x");
    ck_assert_int_eq(c.https_port, 3);
    ck_assert_int_eq(c.token_clock, 0);
}
END_TEST

START_TEST(test_config__environment_is_checked)
{
    static const char *const bad[] = {"HOME", "/h", "SEALEDBUS_HTTPS_PORT", "many", NULL};
    environment = bad;
    ck_assert_int_eq(parse(""), SB_EUSAGE);
    ck_assert_str_eq(err.detail,
                     "--https-port: 'many' is not a number from 0 to 65535 (from SEALEDBUS_HTTPS_PORT)");
}
END_TEST

static const struct {
    const char *line, *why;
} bad[] = {
    {"--nonsense", "unknown option"},
    {"-x", "unknown option"},
    {"-", "unknown option"},
    {"--", "unknown option"},
    {"--=x", "unknown option"},
    {"--httpsport 1", "unknown option"},
    {"--https-por 1", "unknown option"},
    {"word", "unexpected argument"},
    {"--https-port", "needs a value"},
    {"--https-port=", "is not a number"},
    {"--https-port 65536", "is not a number from 0 to 65535"},
    {"--https-port -1", "is not a number"},
    {"--https-port 1x", "is not a number"},
    {"--http-port 8443", "must differ"},
    {"--poll-interval 0", "from 1 to"},
    {"--clock fast", "real|manual"},
    {"--log-level loud", "error|warn|info|debug"},
    {"--log-format=", "text|json"},
    {"--now yesterday --clock manual", "is not a time"},
    {"--now 1960-01-01T00:00:00Z --clock manual", "is not a time"},
    {"--now 2030-01-01T00:00:00Z", "needs --clock manual"},
    {"--bind localhost", "is not an IP address"},
    {"--bind 127.0.0.1:80", "is not an IP address"},
    {"--bind=", "is not a value"},
    {"--control-host a:5300", "is not a host name"},
    {"--control-host a/b", "is not a host name"},
    {"--subscription x", "is not a GUID"},
    {"--client x", "ID:SECRET"},
    {"--client x:y", "ID:SECRET"},
    {"--client 22222222-2222-2222-2222-222222222222:", "ID:SECRET"},
    {"--tls-cert a", "go together"},
    {"--tls-key a", "go together"},
    {"--in-memory=maybe", "is not true or false"},
    {"--data-dir=", "is not a name"},
    {"--client-cert cafe:file", "both ids being GUIDs"},
    {"--client-cert aaaaaaaa-0000-0000-0000-000000000001:", "both ids being GUIDs"},
    {"--user nobody", "the object id being a GUID"},
    {"--user nobody:password", "the object id being a GUID"},
    {"--user a@b:", "the object id being a GUID"},
    {"--user a@b@c:password", "the object id being a GUID"},
    {"--help=x", "takes no value"},
    {"--print-hosts", "needs the names"},
    {"--print-hosts a.b", "is not the name"},
    {"--print-hosts ok bad_name", "is not the name"},
};

START_TEST(test_config__refuses)
{
    ck_assert_msg(parse(bad[_i].line) == SB_EUSAGE, "accepted: %s", bad[_i].line);
    ck_assert_msg(strstr(err.detail, bad[_i].why) != NULL, "%s: said '%s'", bad[_i].line, err.detail);
}
END_TEST

START_TEST(test_config__clients)
{
    ck_assert_int_eq(
        parse(
            "--client AAAAAAAA-0000-0000-0000-000000000001:s3cret --client "
            "aaaaaaaa-0000-0000-0000-000000000002:a:b:c:"
            "bbbbbbbb-0000-0000-0000-000000000002 --client aaaaaaaa-0000-0000-0000-000000000003:with:colons"),
        SB_OK);
    ck_assert_uint_eq(c.clients_n, 4);
    ck_assert_str_eq(c.clients[0].id, ENGINE_CLIENT_ID);
    ck_assert_str_eq(c.clients[1].id, "aaaaaaaa-0000-0000-0000-000000000001");
    ck_assert_str_eq(c.clients[1].secret, "s3cret");
    ck_assert_uint_eq(strlen(c.clients[1].oid), 36);
    ck_assert_str_eq(c.clients[2].secret, "a:b:c");
    ck_assert_str_eq(c.clients[2].oid, "bbbbbbbb-0000-0000-0000-000000000002");
    ck_assert_str_eq(c.clients[3].secret, "with:colons");
    ck_assert_str_ne(c.clients[1].oid, c.clients[3].oid);
    /* the same object id at every start */
    const char *oid = c.clients[1].oid;
    ck_assert_int_eq(parse("--client aaaaaaaa-0000-0000-0000-000000000001:other"), SB_OK);
    ck_assert_str_eq(c.clients[1].oid, oid);
    /* the well-known one with another secret keeps its object id */
    ck_assert_int_eq(parse("--client " ENGINE_CLIENT_ID ":mine"), SB_OK);
    ck_assert_uint_eq(c.clients_n, 1);
    ck_assert_str_eq(c.clients[0].secret, "mine");
    ck_assert_str_eq(c.clients[0].oid, ENGINE_CLIENT_OID);
}
END_TEST

START_TEST(test_config__certificates)
{
    ck_assert_int_eq(
        parse("--client-cert " ENGINE_CLIENT_ID ":a.pem --client-cert "
              "AAAAAAAA-0000-0000-0000-000000000001:c:/b.pem:bbbbbbbb-0000-0000-0000-000000000002"),
        SB_OK);
    ck_assert_uint_eq(c.clients_n, 2);
    ck_assert_str_eq(c.clients[0].secret, ENGINE_CLIENT_SECRET); /* a second way in */
    ck_assert_ptr_null(c.clients[1].secret);
    ck_assert_str_eq(c.clients[1].oid, "bbbbbbbb-0000-0000-0000-000000000002");
    ck_assert_uint_eq(c.certs_n, 2);
    ck_assert_str_eq(c.certs[0].file, "a.pem");
    ck_assert_str_eq(c.certs[1].id, "aaaaaaaa-0000-0000-0000-000000000001");
    ck_assert_str_eq(c.certs[1].file, "c:/b.pem");
}
END_TEST

START_TEST(test_config__users)
{
    ck_assert_int_eq(parse(""), SB_OK);
    ck_assert_uint_eq(c.users_n, 1);
    ck_assert_str_eq(c.users[0].upn, ENGINE_USER);
    ck_assert_str_eq(c.users[0].oid, ENGINE_USER_OID);
    ck_assert_int_eq(parse("--user ann@contoso.com:pass:word --user "
                           "bob@contoso.com:x:bbbbbbbb-0000-0000-0000-000000000002 --user " ENGINE_USER
                           ":mine"),
                     SB_OK);
    ck_assert_uint_eq(c.users_n, 3);
    ck_assert_str_eq(c.users[0].password, "mine");
    ck_assert_str_eq(c.users[0].oid, ENGINE_USER_OID);
    ck_assert_str_eq(c.users[1].password, "pass:word");
    ck_assert_ptr_null(c.users[1].oid);
    ck_assert_str_eq(c.users[2].oid, "bbbbbbbb-0000-0000-0000-000000000002");
}
END_TEST

START_TEST(test_config__actions)
{
    ck_assert_int_eq(parse("--version"), SB_OK);
    ck_assert_int_eq(c.action, CONFIG_VERSION);
    ck_assert_int_eq(parse("--print-capabilities"), SB_OK);
    ck_assert_int_eq(c.action, CONFIG_CAPABILITIES);
    ck_assert_int_eq(parse("--print-hosts contoso vault1"), SB_OK);
    ck_assert_int_eq(c.action, CONFIG_PRINT_HOSTS);
    struct sb_buf b;
    buf_init(&b, 65536);
    config_hosts(&c, &b);
    ck_assert_str_eq(buf_str(&b),
                     "127.0.0.1 management.localhost login.localhost graph.localhost management.azure.com "
                     "login.microsoftonline.com login.windows.net graph.microsoft.com\n"
                     "127.0.0.1 contoso.servicebus.windows.net contoso.servicebus.localhost "
                     "contoso.vault.azure.net contoso.vault.localhost\n"
                     "127.0.0.1 vault1.servicebus.windows.net vault1.servicebus.localhost "
                     "vault1.vault.azure.net vault1.vault.localhost\n");
    buf_done(&b);
}
END_TEST

/* Help and capabilities name every option of the contract, and the well-known values. */
START_TEST(test_config__help_is_complete)
{
    static const char *const names[] = {"data-dir",     "in-memory",
                                        "token-clock",  "control-host",
                                        "bind",         "https-port",
                                        "http-port",    "poll-interval",
                                        "clock",        "now",
                                        "subscription", "client",
                                        "client-cert",  "user",
                                        "tls-cert",     "tls-key",
                                        "log-level",    "log-format",
                                        "print-hosts",  "help",
                                        "version",      "print-capabilities",
                                        "grant-delay",  "provisioning-delay"};
    static const char *const twins[] = {"SEALEDBUS_DATA_DIR",
                                        "SEALEDBUS_IN_MEMORY",
                                        "SEALEDBUS_TOKEN_CLOCK",
                                        "SEALEDBUS_CONTROL_HOSTS",
                                        "SEALEDBUS_BIND",
                                        "SEALEDBUS_HTTPS_PORT",
                                        "SEALEDBUS_HTTP_PORT",
                                        "SEALEDBUS_POLL_INTERVAL",
                                        "SEALEDBUS_GRANT_DELAY",
                                        "SEALEDBUS_PROVISIONING_DELAY",
                                        "SEALEDBUS_CLOCK",
                                        "SEALEDBUS_NOW",
                                        "SEALEDBUS_SUBSCRIPTIONS",
                                        "SEALEDBUS_CLIENTS",
                                        "SEALEDBUS_CLIENT_CERTS",
                                        "SEALEDBUS_USERS",
                                        ENGINE_TENANT,
                                        ENGINE_CLIENT_SECRET,
                                        ENGINE_CLIENT_OID,
                                        ENGINE_USER,
                                        ENGINE_USER_PASSWORD,
                                        ENGINE_USER_OID};
    struct sb_buf help, json;
    struct jw w;
    buf_init(&help, 65536);
    buf_init(&json, 65536);
    config_help(&help);
    jw_init(&w, &json);
    config_describe(&w, NULL);
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        char text[64];
        snprintf(text, sizeof text, "--%s", names[i]);
        ck_assert_msg(strstr(buf_str(&help), text) != NULL, "%s", text);
        ck_assert_msg(strstr(buf_str(&json), text) != NULL, "%s", text);
    }
    for (size_t i = 0; i < SB_ARRAY_LEN(twins); i++)
        ck_assert_msg(strstr(buf_str(&help), twins[i]) != NULL, "%s", twins[i]);
    struct json *j = NULL;
    ck_assert_int_eq(json_parse(json.p, json.n, &j, &err), SB_OK);
    ck_assert_uint_eq(json_size(j), SB_ARRAY_LEN(names));
    json_free(j);
    buf_done(&help);
    buf_done(&json);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_config__defaults);
    tcase_add_test(t, test_config__data_dir);
    tcase_add_test(t, test_config__every_option);
    tcase_add_test(t, test_config__environment_twins);
    tcase_add_test(t, test_config__environment_is_checked);
    tcase_add_loop_test(t, test_config__refuses, 0, (int)SB_ARRAY_LEN(bad));
    tcase_add_test(t, test_config__clients);
    tcase_add_test(t, test_config__certificates);
    tcase_add_test(t, test_config__users);
    tcase_add_test(t, test_config__actions);
    tcase_add_test(t, test_config__help_is_complete);
    suite_add_tcase(s, t);
    return s;
}
