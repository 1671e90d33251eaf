/* test_arena.c: alignment, zeroing, the ceiling, many and big objects. */
#include <stdalign.h>
#include <string.h>
#include "server/base/arena.h"
#include "tests/unit/unit.h"

START_TEST(test_arena__memory_is_zeroed_and_aligned)
{
    struct sb_arena *a = arena_new(1 << 20);
    unsigned char *last = NULL;
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = arena_alloc(a, n);
        ck_assert_ptr_nonnull(p);
        ck_assert_ptr_ne(p, last);
        ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            ck_assert_int_eq(p[i], 0);
        memset(p, 0xaa, n);
        last = p;
    }
    ck_assert(!arena_failed(a));
    arena_free(a);
    arena_free(NULL);
}
END_TEST

START_TEST(test_arena__objects_do_not_overlap)
{
    enum { COUNT = 2000 };
    static char *p[COUNT];
    struct sb_arena *a = arena_new(64u << 20);
    for (int i = 0; i < COUNT; i++) {
        size_t n = i % 100 == 0 ? 100000 : (size_t)(i * 7 % 900) + sizeof(int);
        p[i] = arena_alloc(a, n);
        ck_assert_ptr_nonnull(p[i]);
        memset(p[i], i & 0x7f, n);
        memcpy(p[i], &i, sizeof i);
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_mem_eq(p[i], &i, sizeof i);
    arena_free(a);
}
END_TEST

START_TEST(test_arena__ceiling)
{
    struct sb_arena *a = arena_new(1024);
    ck_assert_ptr_nonnull(arena_alloc(a, 1000));
    ck_assert(!arena_failed(a));
    ck_assert_ptr_null(arena_alloc(a, 1000));
    ck_assert(arena_failed(a));
    ck_assert_ptr_nonnull(arena_alloc(a, 8)); /* what still fits is given */
    ck_assert(arena_failed(a));
    arena_free(a);
}
END_TEST

START_TEST(test_arena__reset_forgets_and_keeps_its_chunk)
{
    struct sb_arena *a = arena_new_kept(1u << 20, 16384);
    char *first = arena_strdup(a, "a secret");
    void *big = arena_alloc(a, 100000); /* gets a chunk of its own, below the first */
    memset(big, 'x', 100000);
    for (int i = 0; i < 50; i++)
        memset(arena_alloc(a, 1000), 'y', 1000);
    ck_assert_ptr_null(arena_alloc(a, 2u << 20));
    ck_assert(arena_failed(a));
    arena_reset(a);
    ck_assert(!arena_failed(a));
    for (size_t i = 0; i < sizeof "a secret"; i++)
        ck_assert_int_eq(first[i], 0);
    for (int i = 0; i < 3; i++) {
        /* The same memory, and the whole ceiling again. */
        ck_assert_ptr_eq(arena_strdup(a, "another"), first);
        ck_assert_ptr_nonnull(arena_alloc(a, 900000));
        arena_reset(a);
    }
    arena_free(a);
}
END_TEST

static const size_t absurd[] = {SIZE_MAX, SIZE_MAX - 8, SIZE_MAX / 2};

START_TEST(test_arena__absurd_sizes_fail)
{
    struct sb_arena *a = arena_new(4096);
    ck_assert_ptr_null(arena_alloc(a, absurd[_i]));
    ck_assert(arena_failed(a));
    arena_free(a);
}
END_TEST

START_TEST(test_arena__copies)
{
    struct sb_arena *a = arena_new(4096);
    ck_assert_ptr_null(arena_strdup(a, NULL));
    ck_assert_ptr_null(arena_strndup(a, NULL, 3));
    ck_assert_ptr_null(arena_memdup(a, NULL, 3));
    ck_assert(!arena_failed(a));
    ck_assert_str_eq(arena_strdup(a, "hello"), "hello");
    ck_assert_str_eq(arena_strndup(a, "hello", 2), "he");
    ck_assert_str_eq(arena_strndup(a, "hello", SIZE_MAX), "hello");
    ck_assert_mem_eq(arena_memdup(a, "a\0b", 3), "a\0b", 3);
    ck_assert_ptr_nonnull(arena_memdup(a, "", 0));
    ck_assert_str_eq(arena_printf(a, "%d %s", 7, "x"), "7 x");
    ck_assert_ptr_null(arena_printf(a, "%05000d", 1));
    ck_assert(arena_failed(a));
    arena_free(a);
}
END_TEST

START_TEST(test_arena__typed_macros)
{
    struct sb_arena *a = arena_new(4096);
    struct sb_blob *one = ARENA_NEW(a, struct sb_blob);
    uint64_t *many = ARENA_ARRAY(a, uint64_t, 10);
    ck_assert_ptr_null(one->p);
    ck_assert_uint_eq(many[9], 0);
    arena_free(a);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("arena");
    TCase *t = tcase_create("arena");
    tcase_add_test(t, test_arena__memory_is_zeroed_and_aligned);
    tcase_add_test(t, test_arena__objects_do_not_overlap);
    tcase_add_test(t, test_arena__ceiling);
    tcase_add_test(t, test_arena__reset_forgets_and_keeps_its_chunk);
    tcase_add_loop_test(t, test_arena__absurd_sizes_fail, 0, 3);
    tcase_add_test(t, test_arena__copies);
    tcase_add_test(t, test_arena__typed_macros);
    suite_add_tcase(s, t);
    return s;
}
