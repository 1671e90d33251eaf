/* test_wal.c: logs as a crash, a power cut and something else may leave them: the last is told apart. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "storage/store_private.h"
#include "storage/wal.h"
#include "tests/unit/store/store_fixture.h"
#include "tests/unit/unit.h"

#define COMMITS 6
#define HEAD    32u
#define PAGE    8192u
#define FRAME   (24u + PAGE)

static uint8_t *image, *changed; /* the log of a store that was cut off, and a copy to spoil */
static size_t image_n;
static bool left; /* what wal_check tells */

static void put(const uint8_t *p, size_t n)
{
    FILE *f = fopen(fix_wal, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static enum sb_err check(const uint8_t *p, size_t n)
{
    struct sb_error err = {0};
    put(p, n);
    enum sb_err rc = wal_check(fix_db, &left, &err);
    ck_assert_int_eq(rc != SB_OK, strstr(err.detail, "t.db-wal is damaged") != NULL);
    return rc;
}

static bool commit_at(const uint8_t *p, size_t frame)
{
    const uint8_t *size = p + HEAD + frame * FRAME + 4;
    return size[0] | size[1] | size[2] | size[3];
}

/* Ends of transactions from this frame on. */
static int commits_from(size_t frame)
{
    int n = 0;
    for (; frame < (image_n - HEAD) / FRAME; frame++)
        n += commit_at(image, frame);
    return n;
}

static enum sb_err spoilt(size_t at)
{
    memcpy(changed, image, image_n);
    changed[at] ^= 0x40;
    return check(changed, image_n);
}

static void setup(void)
{
    fix_setup();
    struct store *s = fix_open(fix_db, STORE_SB);
    fix_start(s, NULL);
    fix_table(s);
    for (int i = 0; i < COMMITS; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d, %d, zeroblob(20000))", i, i);
        fix_exec(s, sql);
    }
    FILE *f = fopen(fix_wal, "rb");
    ck_assert_ptr_nonnull(f);
    image = malloc(1u << 22);
    changed = malloc(1u << 22);
    ck_assert(image && changed);
    image_n = fread(image, 1, 1u << 22, f);
    fclose(f);
    store_close(s);
    ck_assert_uint_eq((image_n - HEAD) % FRAME, 0);
    ck_assert_int_gt(commits_from(0), COMMITS);
}

static void teardown(void)
{
    free(image);
    free(changed);
    fix_teardown();
}

START_TEST(test_wal__whole_cut_or_missing)
{
    ck_assert_int_eq(check(image, image_n), SB_OK);
    for (size_t n = 0; n < image_n; n += n < 200 ? 1 : 1009)
        ck_assert_int_eq(check(image, n), SB_OK);
    unlink(fix_wal);
    ck_assert_int_eq(wal_check(fix_db, &left, NULL), SB_OK);
    ck_assert_int_eq(wal_check("/nowhere/t.db", &left, NULL), SB_OK);
}
END_TEST

START_TEST(test_wal__head)
{
    for (size_t at = 0; at < HEAD; at++)
        ck_assert_int_eq(spoilt(at), SB_EDATADIR);
    memset(changed, 0, HEAD);
    ck_assert_int_eq(check(changed, image_n), SB_EDATADIR);
    ck_assert_int_eq(check(changed, HEAD), SB_OK);
}
END_TEST

/* Whatever is changed in a frame: of two transactions it may come from a power cut, of three it may not. */
START_TEST(test_wal__frames)
{
    static const size_t places[] = {0, 3, 8, 13, 16, 23, 24, 24 + PAGE / 2, FRAME - 1};
    size_t frames = (image_n - HEAD) / FRAME;
    int refused = 0;
    for (size_t i = 0; i < frames; i++) {
        for (size_t k = 0; k < SB_ARRAY_LEN(places); k++) {
            bool foreign = places[k] >= 8 && places[k] < 16; /* its own end no longer counts */
            int lost = commits_from(foreign ? i + 1 : i);
            enum sb_err rc = spoilt(HEAD + i * FRAME + places[k]);
            ck_assert_msg(rc == (lost > 2 ? SB_EDATADIR : SB_OK), "frame %zu, byte %zu: %d", i, places[k],
                          rc);
            ck_assert_int_eq(left, lost > 0);
            refused += rc != SB_OK;
        }
    }
    ck_assert_int_gt(refused, (int)(frames * 4));
}
END_TEST

/* What an earlier, longer log left behind the end of this one is none of its frames. */
START_TEST(test_wal__an_earlier_log_behind)
{
    size_t half = HEAD + (image_n - HEAD) / FRAME / 2 * FRAME;
    memcpy(changed, image, image_n);
    for (size_t at = half; at < image_n; at += FRAME)
        changed[at + 8] ^= 1;
    ck_assert_int_eq(check(changed, image_n), SB_OK);
}
END_TEST

/* As a kill leaves it: the copies of an open database take its place. */
static void cut_off(struct store *s)
{
    char sh[512];
    snprintf(sh, sizeof sh, "cp %s %s.was && cp %s %s.was", fix_db, fix_db, fix_wal, fix_wal);
    ck_assert_int_eq(system(sh), 0);
    store_close(s);
    snprintf(sh, sizeof sh, "mv %s.was %s && mv %s.was %s", fix_db, fix_db, fix_wal, fix_wal);
    ck_assert_int_eq(system(sh), 0);
}

static int insert(struct store *s, int i, int bytes)
{
    char sql[80];
    snprintf(sql, sizeof sql, "INSERT INTO t VALUES(%d, %d, zeroblob(%d))", i, i, bytes);
    fix_exec(s, sql);
    return s->wal_pages;
}

/* One more row, and two that a power cut takes away again. */
static void lose_two(int i, int bytes)
{
    struct store *s = fix_open(fix_db, STORE_SB);
    fix_start(s, NULL);
    ck_assert_int_eq(fix_get(s, "SELECT count(*) FROM t"), i);
    int at = insert(s, i, 1);
    insert(s, i + 1, bytes);
    insert(s, i + 2, bytes);
    cut_off(s);
    FILE *f = fopen(fix_wal, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, (long)(HEAD + (size_t)at * FRAME + 24), SEEK_SET), 0);
    ck_assert_int_eq(fputs("lost", f) < 0, 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(wal_check(fix_db, &left, NULL), SB_OK);
}

/* What a power cut left behind the end of the log is not taken for the loss of the next one. */
START_TEST(test_wal__power_cuts_do_not_add_up)
{
    lose_two(COMMITS, 300000);
    lose_two(COMMITS + 1, 1);
    lose_two(COMMITS + 2, 1);
    struct store *s = fix_open(fix_db, STORE_SB);
    ck_assert_int_eq(fix_get(s, "SELECT count(*) FROM t"), COMMITS + 3);
    store_close(s);
}
END_TEST

static atomic_int syncs;

static int count_sync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return fdatasync(fd);
}

/* A kill leaves commits that are not on the disk: they are before more are made. */
START_TEST(test_wal__of_a_kill_is_synced_first)
{
    for (int i = 0; i < 2; i++) {
        struct store *s = fix_open(fix_db, STORE_SB);
        atomic_store(&syncs, 0);
        s->sync_log = count_sync;
        fix_start(s, NULL);
        ck_assert_int_eq(syncs, i);
        insert(s, COMMITS + i, 1);
        ck_assert_int_eq(syncs, i + 1);
        cut_off(s);
    }
}
END_TEST

static uint32_t get(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void sum_big(const uint8_t *p, size_t n, uint32_t s[2])
{
    for (size_t i = 0; i < n; i += 8) {
        s[0] += get(p + i) + s[1];
        s[1] += get(p + i + 4) + s[0];
    }
}

/* The same log as a big-endian machine would have written it. */
START_TEST(test_wal__big_endian)
{
    uint32_t s[2] = {0, 0};
    memcpy(changed, image, image_n);
    changed[3] |= 1;
    sum_big(changed, 24, s);
    set(changed + 24, s[0]);
    set(changed + 28, s[1]);
    for (size_t at = HEAD; at < image_n; at += FRAME) {
        sum_big(changed + at, 8, s);
        sum_big(changed + at + 24, PAGE, s);
        set(changed + at + 16, s[0]);
        set(changed + at + 20, s[1]);
    }
    ck_assert_int_eq(check(changed, image_n), SB_OK);
    changed[HEAD + 100] ^= 1;
    ck_assert_int_eq(check(changed, image_n), SB_EDATADIR);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("wal");
    TCase *c = tcase_create("wal");
    tcase_set_timeout(c, 60);
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, test_wal__whole_cut_or_missing);
    tcase_add_test(c, test_wal__head);
    tcase_add_test(c, test_wal__frames);
    tcase_add_test(c, test_wal__an_earlier_log_behind);
    tcase_add_test(c, test_wal__power_cuts_do_not_add_up);
    tcase_add_test(c, test_wal__of_a_kill_is_synced_first);
    tcase_add_test(c, test_wal__big_endian);
    suite_add_tcase(s, c);
    return s;
}
