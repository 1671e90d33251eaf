/* test_buf.c: growth, the ceiling, failing once and for all, big-endian integers, wiping. */
#include <string.h>
#include "server/base/buf.h"
#include "tests/unit/unit.h"

START_TEST(test_buf__appends_and_terminates)
{
    struct sb_buf b;
    buf_init(&b, 1000);
    ck_assert_str_eq(buf_str(&b), "");
    ck_assert_int_eq(buf_adds(&b, "ab"), SB_OK);
    ck_assert_int_eq(buf_addc(&b, 'c'), SB_OK);
    ck_assert_int_eq(buf_add(&b, NULL, 0), SB_OK);
    ck_assert_int_eq(buf_addf(&b, "-%d-%s", 42, "x"), SB_OK);
    ck_assert_str_eq(buf_str(&b), "abc-42-x");
    ck_assert_uint_eq(b.n, 8);
    ck_assert_int_eq(b.p[b.n], 0);
    buf_clear(&b);
    ck_assert_str_eq(buf_str(&b), "");
    buf_done(&b);
    buf_done(NULL);
    ck_assert_ptr_null(b.p);
}
END_TEST

START_TEST(test_buf__grows_to_the_exact_ceiling)
{
    struct sb_buf b;
    buf_init(&b, 5000);
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(buf_addc(&b, (char)('a' + i % 26)), SB_OK);
    for (size_t i = 0; i < 5000; i++)
        ck_assert_int_eq(b.p[i], 'a' + (int)(i % 26));
    ck_assert_int_eq(buf_addc(&b, 'x'), SB_ETOOLARGE);
    ck_assert(buf_failed(&b));
    ck_assert_ptr_null(b.p);
    ck_assert_uint_eq(b.n, 0);
    ck_assert_str_eq(buf_str(&b), "");
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__stays_failed_until_done)
{
    struct sb_buf b;
    buf_init(&b, 4);
    ck_assert_int_eq(buf_adds(&b, "12345"), SB_ETOOLARGE);
    ck_assert_int_eq(buf_adds(&b, ""), SB_ETOOLARGE);
    ck_assert_int_eq(buf_addf(&b, "x"), SB_ETOOLARGE);
    ck_assert_int_eq(buf_add_u8(&b, 1), SB_ETOOLARGE);
    ck_assert_ptr_null(buf_room(&b, 0));
    buf_clear(&b);
    ck_assert(buf_failed(&b));
    buf_done(&b);
    ck_assert(!buf_failed(&b));
    ck_assert_int_eq(buf_adds(&b, "1234"), SB_OK);
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__printf_is_bounded_like_the_rest)
{
    struct sb_buf b;
    buf_init(&b, 100);
    ck_assert_int_eq(buf_addf(&b, "%0100d", 7), SB_OK);
    ck_assert_uint_eq(b.n, 100);
    ck_assert_int_eq(buf_addf(&b, "%s", ""), SB_OK);
    ck_assert_int_eq(buf_addf(&b, "%d", 1), SB_ETOOLARGE);
    buf_done(&b);
    ck_assert_int_eq(buf_addf(&b, "%0101d", 7), SB_ETOOLARGE);
    buf_done(&b);
    buf_init(&b, 3); /* the smallest capacity is larger than this ceiling */
    ck_assert_int_eq(buf_addf(&b, "%d", 1234), SB_ETOOLARGE);
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__absurd_sizes_fail)
{
    struct sb_buf b;
    buf_init(&b, SIZE_MAX);
    ck_assert_int_eq(buf_adds(&b, "x"), SB_OK);
    ck_assert_ptr_null(buf_room(&b, SIZE_MAX));
    ck_assert_int_eq(buf_addc(&b, 'x'), SB_ETOOLARGE);
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__room_may_be_used_in_part)
{
    struct sb_buf b;
    buf_init(&b, 100);
    uint8_t *p = buf_room(&b, 50);
    ck_assert_ptr_nonnull(p);
    memset(p, 'x', 50);
    ck_assert_int_eq(p[50], 0);
    b.n += 3;
    ck_assert_str_eq(buf_str(&b), "xxx");
    ck_assert_ptr_null(buf_room(&b, 98));
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__integers_are_big_endian)
{
    static const uint8_t want[] = {1, 2, 3, 0x81, 5, 6, 7, 0x88, 9, 10, 11, 12, 13, 14, 15};
    struct sb_buf b;
    buf_init(&b, 100);
    buf_add_u8(&b, 1);
    buf_add_u16(&b, 0x0203);
    buf_add_u32(&b, 0x81050607u);
    buf_add_u64(&b, UINT64_C(0x88090a0b0c0d0e0f));
    ck_assert_uint_eq(b.n, sizeof want);
    ck_assert_mem_eq(b.p, want, sizeof want);
    ck_assert_uint_eq(be_get_u16(b.p + 1), 0x0203);
    ck_assert_uint_eq(be_get_u32(b.p + 3), 0x81050607u);
    ck_assert_uint_eq(be_get_u64(b.p + 7), UINT64_C(0x88090a0b0c0d0e0f));
    buf_done(&b);
}
END_TEST

START_TEST(test_buf__wipe)
{
    uint8_t p[32];
    memset(p, 7, sizeof p);
    sb_wipe(p + 1, 30);
    ck_assert_int_eq(p[0], 7);
    ck_assert_int_eq(p[31], 7);
    for (size_t i = 1; i < 31; i++)
        ck_assert_int_eq(p[i], 0);
    sb_wipe(NULL, 5);
    sb_wipe(p, 0);
    ck_assert_int_eq(p[0], 7);
}
END_TEST

START_TEST(test_buf__clear_wipes)
{
    struct sb_buf b;
    buf_init(&b, 100);
    buf_adds(&b, "secret");
    uint8_t *p = b.p;
    buf_clear(&b);
    ck_assert_ptr_eq(b.p, p);
    for (size_t i = 0; i < b.cap; i++)
        ck_assert_int_eq(p[i], 0);
    buf_done(&b);
}
END_TEST

/* err.c is small enough to be tested here. */
START_TEST(test_err__every_code_has_name_and_text)
{
    for (int i = 0; i < SB_ERR_MAX; i++) {
        ck_assert_ptr_nonnull(sb_err_name((enum sb_err)i));
        ck_assert_int_eq(strncmp(sb_err_name((enum sb_err)i), "SB_", 3), 0);
        ck_assert_ptr_nonnull(sb_err_text((enum sb_err)i));
    }
    ck_assert_str_eq(sb_err_name(SB_ETAMPER), "SB_ETAMPER");
    ck_assert_str_eq(sb_err_name((enum sb_err)9999), "SB_EINTERNAL");
}
END_TEST

START_TEST(test_err__fail_sets_detail)
{
    struct sb_error err = {0};
    ck_assert_int_eq(sb_fail(NULL, SB_EIO, "x"), SB_EIO);
    ck_assert_int_eq(sb_fail(&err, SB_EIO, "a %s", "b"), SB_EIO);
    ck_assert_int_eq(err.code, SB_EIO);
    ck_assert_str_eq(err.detail, "a b");
    sb_fail(&err, SB_EINVAL, "outer: %s", err.detail);
    ck_assert_str_eq(err.detail, "outer: a b");
    sb_fail(&err, SB_EINVAL, "%03000d", 1);
    ck_assert_uint_eq(strlen(err.detail), sizeof err.detail - 1);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("buf");
    TCase *t = tcase_create("buf");
    tcase_add_test(t, test_buf__appends_and_terminates);
    tcase_add_test(t, test_buf__grows_to_the_exact_ceiling);
    tcase_add_test(t, test_buf__stays_failed_until_done);
    tcase_add_test(t, test_buf__printf_is_bounded_like_the_rest);
    tcase_add_test(t, test_buf__absurd_sizes_fail);
    tcase_add_test(t, test_buf__room_may_be_used_in_part);
    tcase_add_test(t, test_buf__integers_are_big_endian);
    tcase_add_test(t, test_buf__wipe);
    tcase_add_test(t, test_buf__clear_wipes);
    tcase_add_test(t, test_err__every_code_has_name_and_text);
    tcase_add_test(t, test_err__fail_sets_detail);
    suite_add_tcase(s, t);
    return s;
}
