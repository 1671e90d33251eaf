/* test_cmem.c: the secure heap and its limit, key handles, derivation, the key file, comparison, random
 * bytes. */
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "crypto/cmem_priv.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static char dir[64], path[100];

static void setup(void)
{
    snprintf(dir, sizeof dir, "/tmp/sb-cmem-XXXXXX"); /* lint: ok, for mkdtemp */
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/platform.key", dir);
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
}

static void teardown(void)
{
    unlink(path);
    rmdir(dir); /* fails, as it should, if something was left behind */
    ck_assert_int_ne(access(dir, F_OK), 0);
    cmem_shutdown();
}

static struct cmem_key *key_of(uint8_t first)
{
    uint8_t b[CMEM_KEY_LEN];
    struct cmem_key *k = NULL;
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(first + i);
    ck_assert_int_eq(cmem_key_from_bytes(b, &k, NULL), SB_OK);
    return k;
}

START_TEST(test_cmem__init_is_repeatable_and_forbids_dumps)
{
    struct rlimit limit;
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 0);
    ck_assert_uint_eq(limit.rlim_max, 0);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    cmem_shutdown();
    cmem_shutdown();
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
    struct cmem_key *k = NULL;
    ck_assert_int_eq(cmem_key_random(&k, NULL), SB_OK);
    cmem_key_free(k);
}
END_TEST

START_TEST(test_cmem__keys_are_random_and_on_the_secure_heap)
{
    struct cmem_key *a = NULL, *b = NULL, *c = NULL;
    ck_assert_int_eq(cmem_key_random(&a, NULL), SB_OK);
    ck_assert_int_eq(cmem_key_random(&b, NULL), SB_OK);
    ck_assert_int_eq(cmem_key_dup(a, &c, NULL), SB_OK);
    ck_assert_int_eq(CRYPTO_secure_allocated(a), 1);
    ck_assert_int_eq(CRYPTO_secure_allocated(c), 1);
    ck_assert(!cmem_equal(a->b, b->b, CMEM_KEY_LEN));
    ck_assert(cmem_equal(a->b, c->b, CMEM_KEY_LEN));
    ck_assert_ptr_ne(a, c);
    cmem_key_free(a);
    cmem_key_free(b);
    cmem_key_free(c);
    cmem_key_free(NULL);
}
END_TEST

START_TEST(test_cmem__one_key_too_many_is_enomem)
{
    static struct cmem_key *k[CMEM_KEYS_MAX];
    struct sb_error err = {0};
    struct cmem_key *more = NULL;
    for (size_t i = 0; i < CMEM_KEYS_MAX; i++)
        ck_assert_int_eq(cmem_key_random(&k[i], NULL), SB_OK);
    ck_assert_int_eq(cmem_key_random(&more, &err), SB_ENOMEM);
    ck_assert_int_eq(err.code, SB_ENOMEM);
    ck_assert_int_eq(cmem_key_dup(k[0], &more, NULL), SB_ENOMEM);
    ck_assert_int_eq(cmem_key_derive(k[0], "x", NULL, 0, &more, NULL), SB_ENOMEM);
    ck_assert_int_eq(cmem_key_file(NULL, false, &more, NULL), SB_ENOMEM);
    ck_assert_ptr_null(more);
    cmem_key_free(k[7]);
    ck_assert_int_eq(cmem_key_random(&k[7], NULL), SB_OK);
    for (size_t i = 0; i < CMEM_KEYS_MAX; i++)
        cmem_key_free(k[i]);
}
END_TEST

/* The heap itself, taken up by something else than keys: NULL, never ordinary memory. */
START_TEST(test_cmem__a_full_heap_is_enomem)
{
    enum { PIECE = 4096, MOST = 4096 };
    static void *p[MOST];
    struct cmem_key *k = NULL;
    size_t n = 0;
    for (size_t size = PIECE; size >= CMEM_KEY_LEN; size /= 2) {
        while (n < MOST && (p[n] = OPENSSL_secure_malloc(size)))
            n++;
    }
    ck_assert_uint_lt(n, MOST);
    ck_assert_int_eq(cmem_key_random(&k, NULL), SB_ENOMEM);
    ck_assert_ptr_null(k);
    while (n)
        OPENSSL_secure_free(p[--n]);
    ck_assert_int_eq(cmem_key_random(&k, NULL), SB_OK);
    cmem_key_free(k);
}
END_TEST

START_TEST(test_cmem__derivation_depends_on_every_input)
{
    static const struct {
        uint8_t root;
        const char *label, *info;
    } in[] = {
        {0, "data", "ns1"}, {1, "data", "ns1"}, {0, "lookup", "ns1"}, {0, "data", "ns2"}, {0, "data", ""}};
    struct cmem_key *k[5] = {NULL}, *again = NULL;
    for (size_t i = 0; i < 5; i++) {
        struct cmem_key *root = key_of(in[i].root);
        ck_assert_int_eq(cmem_key_derive(root, in[i].label, in[i].info, strlen(in[i].info), &k[i], NULL),
                         SB_OK);
        for (size_t j = 0; j < i; j++)
            ck_assert(!cmem_equal(k[i]->b, k[j]->b, CMEM_KEY_LEN));
        cmem_key_free(root);
    }
    struct cmem_key *root = key_of(0);
    ck_assert_int_eq(cmem_key_derive(root, "datans", "1", 1, &again, NULL), SB_OK); /* label || info */
    ck_assert(cmem_equal(k[0]->b, again->b, CMEM_KEY_LEN));
    cmem_key_free(root);
    cmem_key_free(again);
    for (size_t i = 0; i < 5; i++)
        cmem_key_free(k[i]);
}
END_TEST

/* Computed with Python: HKDF-SHA256, no salt, ikm 00..1f, info "datans1"; HMAC under the same key of "abc".
 */
START_TEST(test_cmem__known_derivation_and_hmac)
{
    struct cmem_key *root = key_of(0), *k = NULL;
    char hex[65];
    uint8_t mac[32];
    ck_assert_int_eq(cmem_key_derive(root, "data", "ns1", 3, &k, NULL), SB_OK);
    hex_encode(k->b, 32, hex);
    ck_assert_str_eq(hex, "dc6cb7fe9a67227b41f1fc99f84ef0908d4f6babfdccbc219784849716f7af77");
    ck_assert_int_eq(cmem_key_hmac(root, "abc", 3, mac), SB_OK);
    hex_encode(mac, 32, hex);
    ck_assert_str_eq(hex, "f0133729c4163dede81e21cd47839256da58171238c8a0d874397c73b14e1e47");
    cmem_key_free(root);
    cmem_key_free(k);
}
END_TEST

START_TEST(test_cmem__key_file_is_made_once)
{
    struct cmem_key *a = NULL, *b = NULL;
    struct stat st;
    ck_assert_int_eq(cmem_key_file(path, false, &a, NULL), SB_EDATADIR);
    ck_assert_ptr_null(a);
    ck_assert_int_eq(cmem_key_file(path, true, &a, NULL), SB_OK);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, 32);
    ck_assert_int_eq(cmem_key_file(path, true, &b, NULL), SB_OK);
    ck_assert(cmem_equal(a->b, b->b, CMEM_KEY_LEN));
    cmem_key_free(b);
    ck_assert_int_eq(cmem_key_file(NULL, false, &b, NULL), SB_OK);
    ck_assert(!cmem_equal(a->b, b->b, CMEM_KEY_LEN));
    cmem_key_free(a);
    cmem_key_free(b);
}
END_TEST

static void write_key_file(const char *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

static const struct {
    size_t n;
    mode_t mode;
    bool ok;
} files[] = {
    {32, 0600, true}, {32, 0400, true},  {31, 0600, false}, {33, 0600, false},
    {0, 0600, false}, {32, 0640, false}, {32, 0604, false}, {32, 0620, false},
};

START_TEST(test_cmem__key_file_is_checked)
{
    static const char bytes[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct cmem_key *k = NULL;
    write_key_file(bytes, files[_i].n, files[_i].mode);
    ck_assert_int_eq(cmem_key_file(path, true, &k, NULL), files[_i].ok ? SB_OK : SB_EDATADIR);
    ck_assert_int_eq(k != NULL, files[_i].ok);
    if (k)
        ck_assert_mem_eq(k->b, bytes, 32);
    cmem_key_free(k);
}
END_TEST

START_TEST(test_cmem__key_file_in_a_bad_place)
{
    static char deep[8000];
    char other[100];
    struct cmem_key *k = NULL;
    struct sb_error err = {0};
    ck_assert_int_eq(cmem_key_file(dir, true, &k, &err), SB_EDATADIR); /* a directory */
    ck_assert_ptr_nonnull(strstr(err.detail, dir));
    snprintf(other, sizeof other, "%s/missing/platform.key", dir);
    ck_assert_int_eq(cmem_key_file(other, true, &k, NULL), SB_EDATADIR);
    memset(deep, 'x', sizeof deep - 1);
    ck_assert_int_eq(cmem_key_file(deep, true, &k, NULL), SB_EDATADIR);
    ck_assert_ptr_null(k);
}
END_TEST

START_TEST(test_cmem__equal)
{
    ck_assert(cmem_equal("abc", "abc", 3));
    ck_assert(!cmem_equal("abc", "abd", 3));
    ck_assert(cmem_equal("abc", "abd", 2));
    ck_assert(cmem_equal("", "", 0));
    ck_assert(cmem_equal_str("", ""));
    ck_assert(cmem_equal_str("abc", "abc"));
    ck_assert(!cmem_equal_str("abc", "ABC"));
    ck_assert(!cmem_equal_str("abc", "abcd"));
    ck_assert(!cmem_equal_str("abcd", "abc"));
    ck_assert(!cmem_equal_str("", "a"));
}
END_TEST

START_TEST(test_rng__ids)
{
    char guid[37], hex[33], other[37];
    for (int i = 0; i < 1000; i++) {
        rng_guid(guid);
        ck_assert(guid_valid(guid));
        ck_assert_int_eq(guid[14], '4');
        ck_assert_ptr_nonnull(strchr("89ab", guid[19]));
        rng_hex32(hex);
        ck_assert_uint_eq(strlen(hex), 32);
        rng_guid(other);
        ck_assert_str_ne(guid, other);
    }
}
END_TEST

/* Small requests come from a pool: every byte must be fresh, whatever the sizes, and large ones too. */
START_TEST(test_rng__bytes_do_not_repeat)
{
    enum { ROUNDS = 3000 };
    static uint8_t seen[ROUNDS][8];
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t b[40];
        rng_bytes(b, (size_t)(8 + i % 32));
        memcpy(seen[i], b, 8);
    }
    for (int i = 0; i < ROUNDS; i++) {
        for (int j = 0; j < i; j++)
            ck_assert_int_ne(memcmp(seen[i], seen[j], 8), 0);
    }
    rng_bytes(NULL, 0);
}
END_TEST

START_TEST(test_rng__a_child_does_not_repeat_its_parent)
{
    uint8_t first[12], mine[12], theirs[12];
    int fds[2];
    rng_bytes(first, sizeof first); /* fills the pool */
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rng_bytes(theirs, sizeof theirs);
        _exit(write(fds[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    ck_assert_int_gt(pid, 0);
    rng_bytes(mine, sizeof mine);
    ck_assert_int_eq(read(fds[0], theirs, sizeof theirs), sizeof theirs);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_mem_ne(mine, theirs, sizeof mine);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("cmem");
    TCase *t = tcase_create("cmem");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_cmem__init_is_repeatable_and_forbids_dumps);
    tcase_add_test(t, test_cmem__keys_are_random_and_on_the_secure_heap);
    tcase_add_test(t, test_cmem__one_key_too_many_is_enomem);
    tcase_add_test(t, test_cmem__a_full_heap_is_enomem);
    tcase_add_test(t, test_cmem__derivation_depends_on_every_input);
    tcase_add_test(t, test_cmem__known_derivation_and_hmac);
    tcase_add_test(t, test_cmem__key_file_is_made_once);
    tcase_add_loop_test(t, test_cmem__key_file_is_checked, 0, (int)SB_ARRAY_LEN(files));
    tcase_add_test(t, test_cmem__key_file_in_a_bad_place);
    tcase_add_test(t, test_cmem__equal);
    tcase_add_test(t, test_rng__ids);
    tcase_add_test(t, test_rng__bytes_do_not_repeat);
    tcase_add_test(t, test_rng__a_child_does_not_repeat_its_parent);
    suite_add_tcase(s, t);
    return s;
}
