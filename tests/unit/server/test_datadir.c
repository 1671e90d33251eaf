/* test_datadir.c: the data directory: made private, locked against others, files written whole, refusals that
 * say what to do. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "crypto/cmem.h"
#include "server/base/log.h"
#include "server/datadir.h"
#include "server/tls.h"
#include "tests/unit/unit.h"

static char base[] = "/tmp/test_datadir-XXXXXX";
static struct sb_arena *arena;
static struct sb_error err;
static struct datadir *d;

static void setup(void)
{
    memcpy(base + sizeof base - 7, "XXXXXX", 6);
    log_setup(LOG_ERROR, false);
    ck_assert_int_eq(cmem_init(&err), SB_OK);
    ck_assert_ptr_nonnull(mkdtemp(base));
    arena = arena_new(1u << 20);
    d = NULL;
}

static void teardown(void)
{
    char command[128];
    datadir_close(d);
    arena_free(arena);
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    ck_assert_int_eq(system(command), 0);
    cmem_shutdown();
}

static const char *in_base(const char *name)
{
    return arena_printf(arena, "%s/%s", base, name);
}

static unsigned mode_of(const char *path)
{
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    return st.st_mode & 0777;
}

START_TEST(test_datadir__makes_private_folders)
{
    umask(0);
    ck_assert_int_eq(datadir_open(in_base("a/b/c"), true, arena, &d, &err), SB_OK);
    ck_assert_uint_eq(mode_of(in_base("a")), 0700);
    ck_assert_uint_eq(mode_of(in_base("a/b/c")), 0700);
    ck_assert_str_eq(datadir_path(d), in_base("a/b/c"));
    ck_assert_str_eq(datadir_file(d, "x"), in_base("a/b/c/x"));
    ck_assert_uint_eq(mode_of(datadir_file(d, "lock")), 0600);
}
END_TEST

/* Tries to open path in another process: record locks do not stop the one that holds them. */
static int open_elsewhere(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct datadir *other = NULL;
        enum sb_err rc = datadir_open(path, true, arena, &other, &err);
        char holder[32];
        snprintf(holder, sizeof holder, "process %ld", (long)getppid());
        _exit(rc == SB_OK ? 0 : rc == SB_EDATADIR && strstr(err.detail, holder) ? 3 : 9);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

START_TEST(test_datadir__is_locked)
{
    ck_assert_int_eq(datadir_open(base, true, arena, &d, &err), SB_OK);
    ck_assert_int_eq(datadir_lock(d, &err), SB_OK); /* again: fine */
    ck_assert_int_eq(open_elsewhere(base), 3);
    datadir_unlock(d);
    ck_assert_int_eq(open_elsewhere(base), 0);
}
END_TEST

START_TEST(test_datadir__refuses)
{
    int fd = open(in_base("file"), O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(datadir_open(in_base("file"), true, arena, &d, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "--data-dir"));
    ck_assert_int_eq(datadir_open(in_base("file/below"), true, arena, &d, &err), SB_EDATADIR);
    ck_assert_ptr_nonnull(strstr(err.detail, "--data-dir"));
    ck_assert_ptr_null(d);
}
END_TEST

START_TEST(test_datadir__temporary_folder_goes)
{
    ck_assert_int_eq(setenv("TMPDIR", base, 1), 0);
    ck_assert_int_eq(datadir_open(NULL, false, arena, &d, &err), SB_OK);
    const char *path = arena_strdup(arena, datadir_path(d));
    ck_assert_uint_eq(mode_of(path), 0700);
    struct tls_files tls;
    ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &tls, &err), SB_OK);
    ck_assert_int_eq(access(tls.ca_path, R_OK), 0);
    datadir_close(d);
    d = NULL;
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_datadir__files)
{
    struct sb_buf b;
    bool found = true;
    buf_init(&b, 100);
    ck_assert_int_eq(datadir_open(base, false, arena, &d, &err), SB_OK);
    ck_assert_int_eq(datadir_read(in_base("absent"), &b, &found, &err), SB_OK);
    ck_assert(!found);
    buf_adds(&b, "first");
    ck_assert_int_eq(datadir_write(d, "f", &b, &err), SB_OK);
    buf_adds(&b, " second");
    ck_assert_int_eq(datadir_write(d, "f", &b, &err), SB_OK);
    ck_assert_uint_eq(mode_of(in_base("f")), 0600);
    ck_assert_int_ne(access(in_base("f.new"), F_OK), 0);
    buf_done(&b);
    ck_assert_int_eq(datadir_read(in_base("f"), &b, &found, &err), SB_OK);
    ck_assert(found);
    ck_assert_str_eq(buf_str(&b), "first second");
    struct sb_buf small;
    buf_init(&small, 4);
    ck_assert_int_eq(datadir_read(in_base("f"), &small, &found, &err), SB_EDATADIR);
    buf_done(&small);
    buf_done(&b);
}
END_TEST

START_TEST(test_datadir__absolute)
{
    const char *here = datadir_absolute(arena, "x/y");
    ck_assert_str_eq(datadir_absolute(arena, "/x/y"), "/x/y");
    ck_assert(here[0] == '/');
    ck_assert_str_eq(here + strlen(here) - 4, "/x/y");
}
END_TEST

/* ---- certificates ---- */

START_TEST(test_tls__made_once_and_kept)
{
    struct tls_files a, b;
    ck_assert_int_eq(datadir_open(base, true, arena, &d, &err), SB_OK);
    ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &a, &err), SB_OK);
    ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &b, &err), SB_OK);
    ck_assert_str_eq(a.ca_pem, b.ca_pem);
    ck_assert_str_eq(a.cert_pem, b.cert_pem);
    ck_assert_str_eq(a.ca_path, in_base("ca.pem"));
    ck_assert_uint_eq(mode_of(in_base("tls-key.pem")), 0600);
}
END_TEST

START_TEST(test_tls__damaged_ones_are_replaced)
{
    static const char *const names[] = {"ca.pem", "tls-cert.pem", "tls-key.pem"};
    struct tls_files a, b;
    ck_assert_int_eq(datadir_open(base, true, arena, &d, &err), SB_OK);
    for (size_t i = 0; i < SB_ARRAY_LEN(names); i++) {
        struct sb_buf junk;
        ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &a, &err), SB_OK);
        buf_init(&junk, 100);
        buf_adds(&junk, "-----BEGIN NONSENSE-----\n");
        ck_assert_int_eq(datadir_write(d, names[i], &junk, &err), SB_OK);
        buf_done(&junk);
        ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &b, &err), SB_OK);
        ck_assert_str_ne(a.ca_pem, b.ca_pem);
    }
    ck_assert_int_eq(unlink(in_base("ca.pem")), 0);
    ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &a, &err), SB_OK);
    ck_assert_str_ne(a.ca_pem, b.ca_pem);
}
END_TEST

START_TEST(test_tls__own_files)
{
    struct tls_files made, own;
    ck_assert_int_eq(datadir_open(base, true, arena, &d, &err), SB_OK);
    ck_assert_int_eq(tls_prepare(d, NULL, NULL, arena, &made, &err), SB_OK);
    ck_assert_int_eq(tls_prepare(d, in_base("tls-cert.pem"), in_base("tls-key.pem"), arena, &own, &err),
                     SB_OK);
    ck_assert_str_eq(own.cert_pem, made.cert_pem);
    ck_assert_str_eq(own.ca_path, in_base("tls-cert.pem"));
    ck_assert_int_eq(tls_prepare(d, in_base("none.pem"), in_base("tls-key.pem"), arena, &own, &err),
                     SB_EUSAGE);
    ck_assert_ptr_nonnull(strstr(err.detail, "none.pem"));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("datadir");
    TCase *t = tcase_create("datadir");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_datadir__makes_private_folders);
    tcase_add_test(t, test_datadir__is_locked);
    tcase_add_test(t, test_datadir__refuses);
    tcase_add_test(t, test_datadir__temporary_folder_goes);
    tcase_add_test(t, test_datadir__files);
    tcase_add_test(t, test_datadir__absolute);
    tcase_add_test(t, test_tls__made_once_and_kept);
    tcase_add_test(t, test_tls__damaged_ones_are_replaced);
    tcase_add_test(t, test_tls__own_files);
    suite_add_tcase(s, t);
    return s;
}
