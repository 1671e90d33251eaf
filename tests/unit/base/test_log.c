/* test_log.c: what arrives on stderr, read back through a pipe. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "server/base/compiler.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static int pipe_fds[2], saved_stderr;
static char got[70000];

static void setup(void)
{
    ck_assert_int_eq(pipe(pipe_fds), 0);
    fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}

static void teardown(void)
{
    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    log_setup(LOG_INFO, false);
}

/* All that was written since the last call. */
static const char *output(void)
{
    size_t n = 0;
    for (;;) {
        ssize_t k = read(pipe_fds[0], got + n, sizeof got - n - 1);
        if (k <= 0)
            break;
        n += (size_t)k;
    }
    got[n] = '\0';
    return got;
}

/* JSON lines begin with the time; returns what comes behind it. */
static const char *json_output(void)
{
    const char *s = output(), *head = "{\"time\":\"20";
    ck_assert_int_eq(strncmp(s, head, strlen(head)), 0);
    const char *end = strstr(s, "Z\",");
    ck_assert_ptr_nonnull(end);
    return end + 3;
}

START_TEST(test_log__text_format)
{
    log_setup(LOG_INFO, false);
    log_event(LOG_INFO, "key.revoked", "ns", "x", "key", "y", NULL);
    ck_assert_str_eq(output(), "info key.revoked ns=x key=y\n");
    log_event(LOG_ERROR, "bare", NULL);
    ck_assert_str_eq(output(), "error bare\n");
    log_event(LOG_WARN, "w", "a", "", "b", "two words", "c", "x=y", NULL);
    ck_assert_str_eq(output(), "warn w a=\"\" b=\"two words\" c=\"x=y\"\n");
}
END_TEST

START_TEST(test_log__json_format)
{
    log_setup(LOG_INFO, true);
    log_event(LOG_INFO, "key.revoked", "ns", "x", "key", "y", NULL);
    ck_assert_str_eq(json_output(),
                     "\"level\":\"info\",\"event\":\"key.revoked\",\"ns\":\"x\",\"key\":\"y\"}\n");
}
END_TEST

START_TEST(test_log__levels)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    log_setup(levels[_i], false);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(log_on(levels[i]), i <= _i);
        log_event(levels[i], "e", NULL);
        ck_assert_int_eq(strlen(output()) > 0, i <= _i);
    }
}
END_TEST

static const struct {
    const char *value, *text, *json;
} escapes[] = {
    {"a\"b\\c", "\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\""},
    {"a\nb\tc\rd", "\"a\\nb\\tc\\rd\"", "\"a\\nb\\tc\\rd\""},
    {"\x01\x1b[31m\x7f", "\"\\u0001\\u001b[31m\\u007f\"", "\"\\u0001\\u001b[31m\\u007f\""},
    {"\xc3\xa4", "\"\xc3\xa4\"", "\"\xc3\xa4\""},
    {"\xc2\x9b"
     "x",
     "\"\\u009bx\"", "\"\\u009bx\""}, /* a one-byte escape sequence to some terminals */
    {"\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\""},
    {"a\xff"
     "b",
     "\"a\\ufffdb\"", "\"a\\ufffdb\""},
    {"\xc3", "\"\\ufffd\"", "\"\\ufffd\""},
    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\"", "\"\\ufffd\\ufffd\\ufffd\""},
    {"plain/value:1.2-3_4", "plain/value:1.2-3_4", "\"plain/value:1.2-3_4\""},
};

START_TEST(test_log__values_are_escaped)
{
    char want[200];
    log_setup(LOG_INFO, false);
    log_event(LOG_INFO, "e", "v", escapes[_i].value, NULL);
    snprintf(want, sizeof want, "info e v=%s\n", escapes[_i].text);
    ck_assert_str_eq(output(), want);
    log_setup(LOG_INFO, true);
    log_event(LOG_INFO, "e", "v", escapes[_i].value, NULL);
    snprintf(want, sizeof want, "\"level\":\"info\",\"event\":\"e\",\"v\":%s}\n", escapes[_i].json);
    ck_assert_str_eq(json_output(), want);
}
END_TEST

START_TEST(test_log__long_values_are_cut)
{
    static char value[100000];
    memset(value, 'x', sizeof value - 1);
    memcpy(value + 1023, "\xc3\xa4", 2); /* cut in the middle of a character */
    log_setup(LOG_INFO, _i == 1);
    log_event(LOG_INFO, "e", "v", value, "last", "1", NULL);
    const char *s = output();
    ck_assert_uint_gt(strlen(s), 1024);
    ck_assert_uint_lt(strlen(s), 1200);
    ck_assert(utf8_valid(s, strlen(s)));
    ck_assert_ptr_nonnull(strstr(s, "x...\""));
    ck_assert_ptr_nonnull(strstr(s, _i ? ",\"last\":\"1\"}\n" : " last=1\n"));
}
END_TEST

START_TEST(test_log__a_missing_value_ends_the_line)
{
    const char *missing = NULL;
    log_setup(LOG_INFO, false);
    log_event(LOG_INFO, "e", "v", missing, NULL);
    ck_assert_str_eq(output(), "info e v=\"\"\n");
}
END_TEST

START_TEST(test_log__bare_line)
{
    log_line("sealedbus is ready");
    ck_assert_str_eq(output(), "sealedbus is ready\n");
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("log");
    TCase *t = tcase_create("log");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_log__text_format);
    tcase_add_test(t, test_log__json_format);
    tcase_add_loop_test(t, test_log__levels, 0, 4);
    tcase_add_loop_test(t, test_log__values_are_escaped, 0, (int)SB_ARRAY_LEN(escapes));
    tcase_add_loop_test(t, test_log__long_values_are_cut, 0, 2);
    tcase_add_test(t, test_log__a_missing_value_ends_the_line);
    tcase_add_test(t, test_log__bare_line);
    suite_add_tcase(s, t);
    return s;
}
