/* test_faults.c: what a vault's fault does to whom, how often, and that it survives a restart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "server/engine/faults.h"
#include "tests/unit/unit.h"

static char dir[64];
static struct engine e;
static struct sb_error err;

static void open_engine(void)
{
    char path[128];
    memset(&e, 0, sizeof e);
    snprintf(path, sizeof path, "%s/keyvault.db", dir);
    ck_assert_msg(store_open(path, STORE_KV, &e.kv, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(store_start(e.kv, NULL, &err), SB_OK);
    ck_assert_msg(faults_open(&e, &err) == SB_OK, "%s", err.detail);
}

static void close_engine(void)
{
    store_close(e.kv);
    faults_close(&e);
}

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sealedbus-faults-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    open_engine();
}

static void teardown(void)
{
    char cmd[128];
    close_engine();
    snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(cmd), 0);
}

static enum sb_err put(const char *vault, enum fault_kind kind, bool all, int64_t count, int status)
{
    struct fault f = {.kind = kind, .all = all, .count = count, .status = status};
    snprintf(f.target, sizeof f.target, "%s", vault);
    return faults_put(&e, &f, &err);
}

static enum fault_kind hit(const char *vault, bool client)
{
    int status = 0;
    return faults_hit(&e, vault, client, &status);
}

START_TEST(test_faults__none)
{
    ck_assert_int_eq(hit("v", false), FAULT_NONE);
    ck_assert_int_eq(hit("v", true), FAULT_NONE);
}
END_TEST

START_TEST(test_faults__meets_the_named_vault_only_whatever_the_case)
{
    ck_assert_int_eq(put("MyVault", FAULT_ERROR, false, -1, 500), SB_OK);
    int status = 0;
    ck_assert_int_eq(faults_hit(&e, "myvAULT", false, &status), FAULT_ERROR);
    ck_assert_int_eq(status, 500);
    ck_assert_int_eq(hit("myvault2", false), FAULT_NONE);
    ck_assert_int_eq(hit("myvaul", false), FAULT_NONE);
}
END_TEST

START_TEST(test_faults__scope)
{
    ck_assert_int_eq(put("s", FAULT_TIMEOUT, false, -1, 0), SB_OK);
    ck_assert_int_eq(put("all", FAULT_THROTTLE, true, -1, 0), SB_OK);
    ck_assert_int_eq(hit("s", false), FAULT_TIMEOUT);
    ck_assert_int_eq(hit("s", true), FAULT_NONE);
    ck_assert_int_eq(hit("all", false), FAULT_THROTTLE);
    ck_assert_int_eq(hit("all", true), FAULT_THROTTLE);
}
END_TEST

START_TEST(test_faults__count)
{
    ck_assert_int_eq(put("v", FAULT_UNREACHABLE, false, 2, 0), SB_OK);
    ck_assert_int_eq(hit("v", true), FAULT_NONE); /* not met, so not counted */
    ck_assert_int_eq(hit("v", false), FAULT_UNREACHABLE);
    ck_assert_int_eq(hit("v", false), FAULT_UNREACHABLE);
    ck_assert_int_eq(hit("v", false), FAULT_NONE);
    struct fault f[4];
    ck_assert_uint_eq(faults_list(&e, f, 4), 0);
}
END_TEST

START_TEST(test_faults__put_replaces_and_clear_clears)
{
    struct fault f[4];
    ck_assert_int_eq(put("v", FAULT_UNREACHABLE, false, 2, 0), SB_OK);
    ck_assert_int_eq(put("V", FAULT_ERROR, true, 9, 502), SB_OK);
    ck_assert_int_eq(put("w", FAULT_ERROR, true, 9, 502), SB_OK);
    ck_assert_uint_eq(faults_list(&e, f, 4), 2);
    ck_assert_int_eq(f[0].kind, FAULT_ERROR);
    ck_assert_int_eq(f[0].count, 9);
    ck_assert_str_eq(f[0].target, "v");
    ck_assert_uint_eq(faults_list(&e, f, 1), 1);
    ck_assert_int_eq(faults_clear(&e, "V", &err), SB_OK);
    ck_assert_int_eq(hit("v", false), FAULT_NONE);
    ck_assert_int_eq(hit("w", false), FAULT_ERROR);
    ck_assert_int_eq(faults_clear(&e, "nosuch", &err), SB_OK);
    ck_assert_int_eq(faults_clear(&e, NULL, &err), SB_OK);
    ck_assert_uint_eq(faults_list(&e, f, 4), 0);
}
END_TEST

START_TEST(test_faults__survive_a_restart_with_what_is_left)
{
    struct fault f[4];
    ck_assert_int_eq(put("a", FAULT_ERROR, true, 3, 599), SB_OK);
    ck_assert_int_eq(put("b", FAULT_TIMEOUT, false, -1, 0), SB_OK);
    ck_assert_int_eq(put("c", FAULT_THROTTLE, false, 1, 0), SB_OK);
    hit("a", false);
    hit("b", false);
    hit("c", false);
    close_engine();
    open_engine();
    ck_assert_uint_eq(faults_list(&e, f, 4), 2);
    ck_assert_str_eq(f[0].target, "a");
    ck_assert_int_eq(f[0].count, 2);
    ck_assert_int_eq(f[0].status, 599);
    ck_assert(f[0].all);
    ck_assert_int_eq(f[0].kind, FAULT_ERROR);
    ck_assert_str_eq(f[1].target, "b");
    ck_assert_int_eq(f[1].count, -1);
    ck_assert(!f[1].all);
}
END_TEST

START_TEST(test_faults__bad_ones_are_refused)
{
    ck_assert_int_eq(put("", FAULT_ERROR, false, -1, 500), SB_EINVAL);
    ck_assert_int_eq(put("v", FAULT_NONE, false, -1, 0), SB_EINVAL);
    ck_assert_int_eq(put("v", FAULT_ERROR, false, 0, 500), SB_EINVAL);
    ck_assert_int_eq(put("v", FAULT_ERROR, false, -2, 500), SB_EINVAL);
    ck_assert_int_eq(hit("v", false), FAULT_NONE);
}
END_TEST

START_TEST(test_faults__at_most_so_many)
{
    char name[16];
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "v%d", i);
        ck_assert_int_eq(put(name, FAULT_ERROR, false, -1, 500), SB_OK);
    }
    ck_assert_int_eq(put("onemore", FAULT_ERROR, false, -1, 500), SB_ELIMIT);
    ck_assert_int_eq(put("v255", FAULT_TIMEOUT, false, -1, 0), SB_OK);
    ck_assert_int_eq(hit("v255", false), FAULT_TIMEOUT);
    close_engine();
    open_engine();
    ck_assert_int_eq(hit("v255", false), FAULT_TIMEOUT);
    ck_assert_int_eq(hit("onemore", false), FAULT_NONE);
}
END_TEST

START_TEST(test_faults__names)
{
    enum fault_kind k = FAULT_NONE;
    for (int i = FAULT_UNREACHABLE; i <= FAULT_ERROR; i++) {
        ck_assert(faults_kind_parse(faults_kind_name((enum fault_kind)i), &k));
        ck_assert_int_eq((int)k, i);
    }
    ck_assert(!faults_kind_parse("none", &k));
    ck_assert(!faults_kind_parse("", &k));
    ck_assert(!faults_kind_parse("errors", &k));
}
END_TEST

static void *hitter(void *arg)
{
    for (int i = 0; i < 1000; i++)
        if (hit("v", false) != FAULT_NONE)
            ++*(int *)arg;
    return NULL;
}

START_TEST(test_faults__each_hit_is_given_out_once)
{
    pthread_t t[3];
    int n[3] = {0};
    ck_assert_int_eq(put("v", FAULT_ERROR, false, 1500, 500), SB_OK);
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, hitter, &n[i]);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    ck_assert_int_eq(n[0] + n[1] + n[2], 1500);
    close_engine();
    open_engine();
    ck_assert_int_eq(hit("v", false), FAULT_NONE);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("faults");
    TCase *t = tcase_create("faults");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_faults__none);
    tcase_add_test(t, test_faults__meets_the_named_vault_only_whatever_the_case);
    tcase_add_test(t, test_faults__scope);
    tcase_add_test(t, test_faults__count);
    tcase_add_test(t, test_faults__put_replaces_and_clear_clears);
    tcase_add_test(t, test_faults__survive_a_restart_with_what_is_left);
    tcase_add_test(t, test_faults__bad_ones_are_refused);
    tcase_add_test(t, test_faults__at_most_so_many);
    tcase_add_test(t, test_faults__names);
    tcase_add_test(t, test_faults__each_hit_is_given_out_once);
    suite_add_tcase(s, t);
    return s;
}
