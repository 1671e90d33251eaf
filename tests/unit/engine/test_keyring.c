/* test_keyring.c: derived keys, the place of a seal, and the durable count of seals (semantics 6, 19-21). */
#include "crypto/envelope.h"
#include "storage/st_namespace.h"
#include "tests/unit/engine/ns_fixture.h"

#define BLOCK (INT64_C(1) << 20)

static struct cmem_key *root, *infra;
static int64_t ns_id;

static void setup(void)
{
    world_open(NULL);
    struct ns_spec s = ns_wanted(NS);
    ns_ok(&s);
    ns_id = view.id;
    ck_assert_int_eq(cmem_key_random(&root, &err), SB_OK);
    ck_assert_int_eq(cmem_key_random(&infra, &err), SB_OK);
}

static void teardown(void)
{
    cmem_key_free(root);
    cmem_key_free(infra);
    world_down();
}

static struct keyring *ring(int64_t id, const struct cmem_key *second, uint32_t generation, uint64_t used)
{
    struct keyring *r;
    ck_assert_int_eq(keyring_new(root, id, second, generation, used, &r, &err), SB_OK);
    return r;
}

/* One seal in a transaction of its own. */
struct seal {
    struct keyring *r;
    int64_t entity, seq;
    enum seal_kind kind;
    const char *text;
    struct sb_buf out;
    bool fail; /* the operation fails after the seal */
    size_t times;
};

static enum sb_err run_seal(struct tx *tx, void *arg, struct sb_error *er)
{
    struct seal *s = arg;
    enum sb_err rc = SB_OK;
    for (size_t i = 0; i < s->times && rc == SB_OK; i++) {
        buf_done(&s->out);
        rc = keyring_seal(s->r, tx, s->entity, s->seq, s->kind, s->text, strlen(s->text), &s->out, er);
    }
    return rc == SB_OK && s->fail ? sb_fail(er, SB_ECONFLICT, "rolled back") : rc;
}

static struct sb_blob seal(struct keyring *r, int64_t entity, int64_t seq, enum seal_kind kind,
                           const char *text)
{
    struct seal s = {.r = r, .entity = entity, .seq = seq, .kind = kind, .text = text, .times = 1};
    buf_init(&s.out, 1u << 20);
    ck_assert_msg(store_call(e->sb, run_seal, &s, &err) == SB_OK, "%s", err.detail);
    struct sb_blob b = {arena_memdup(arena, s.out.p, s.out.n), s.out.n};
    buf_done(&s.out);
    return b;
}

static enum sb_err open_it(struct keyring *r, int64_t entity, int64_t seq, enum seal_kind kind,
                           struct sb_blob b, const char *want)
{
    struct sb_blob plain;
    enum sb_err rc = keyring_open(r, entity, seq, kind, b, arena, &plain, &err);
    if (rc == SB_OK) {
        ck_assert_uint_eq(plain.n, strlen(want));
        ck_assert_mem_eq(plain.p, want, plain.n);
    }
    return rc;
}

START_TEST(test_keyring__opens_at_its_place_only)
{
    struct keyring *r = ring(ns_id, _i ? infra : NULL, 1, 0),
                   *other = ring(ns_id + 1, _i ? infra : NULL, 1, 0);
    struct sb_blob b = seal(r, 7, 9, SEAL_BODY, "hello");
    ck_assert_int_eq(open_it(r, 7, 9, SEAL_BODY, b, "hello"), SB_OK);
    ck_assert_int_eq(open_it(r, 8, 9, SEAL_BODY, b, ""), SB_ETAMPER);
    ck_assert_int_eq(open_it(r, 7, 10, SEAL_BODY, b, ""), SB_ETAMPER);
    ck_assert_int_eq(open_it(r, 7, 9, SEAL_DEADLETTER, b, ""), SB_ETAMPER);
    ck_assert_int_eq(open_it(other, 7, 9, SEAL_BODY, b, ""), SB_ETAMPER);
    keyring_free(r);
    keyring_free(other);
}
END_TEST

START_TEST(test_keyring__every_byte_counts)
{
    struct keyring *r = ring(ns_id, _i ? infra : NULL, 1, 0);
    struct sb_blob b = seal(r, 1, 1, SEAL_BODY, "x");
    uint8_t *copy = arena_memdup(arena, b.p, b.n);
    for (size_t i = 0; i < b.n; i++) {
        copy[i] ^= 1;
        ck_assert_int_eq(open_it(r, 1, 1, SEAL_BODY, (struct sb_blob){copy, b.n}, ""), SB_ETAMPER);
        copy[i] ^= 1;
    }
    for (size_t n = 0; n < b.n; n++)
        ck_assert_int_eq(open_it(r, 1, 1, SEAL_BODY, (struct sb_blob){b.p, n}, ""), SB_ETAMPER);
    ck_assert_int_eq(open_it(r, 1, 1, SEAL_BODY, b, "x"), SB_OK);
    keyring_free(r);
}
END_TEST

START_TEST(test_keyring__second_layer_is_not_optional)
{
    struct keyring *one = ring(ns_id, NULL, 1, 0), *two = ring(ns_id, infra, 1, 0);
    struct sb_blob b1 = seal(one, 1, 1, SEAL_BODY, "x"), b2 = seal(two, 1, 1, SEAL_BODY, "x");
    ck_assert_int_eq(open_it(two, 1, 1, SEAL_BODY, b1, ""), SB_ETAMPER);
    ck_assert_int_eq(open_it(one, 1, 1, SEAL_BODY, b2, ""), SB_ETAMPER);
    keyring_free(one);
    keyring_free(two);
}
END_TEST

START_TEST(test_keyring__check_value_tells_roots_apart)
{
    uint8_t a[32], b[32], c[32];
    struct cmem_key *copy;
    ck_assert_int_eq(keyring_check_value(root, 1, a), SB_OK);
    ck_assert_int_eq(keyring_check_value(root, 2, b), SB_OK);
    ck_assert_int_eq(keyring_check_value(infra, 1, c), SB_OK);
    ck_assert_mem_ne(a, b, 32);
    ck_assert_mem_ne(a, c, 32);
    struct keyring *r = ring(1, NULL, 1, 0);
    ck_assert_int_eq(keyring_root(r, &copy, &err), SB_OK);
    ck_assert_int_eq(keyring_check_value(copy, 1, b), SB_OK);
    ck_assert_mem_eq(a, b, 32);
    cmem_key_free(copy);
    keyring_free(r);
}
END_TEST

START_TEST(test_keyring__lookup_values)
{
    struct keyring *r = ring(1, NULL, 1, 0);
    uint8_t a[32], b[32];
    ck_assert_int_eq(keyring_lookup(r, 1, "message-id", "m", a, &err), SB_OK);
    ck_assert_int_eq(keyring_lookup(r, 1, "message-id", "m", b, &err), SB_OK);
    ck_assert_mem_eq(a, b, 32);
    ck_assert_int_eq(keyring_lookup(r, 2, "message-id", "m", b, &err), SB_OK);
    ck_assert_mem_ne(a, b, 32);
    ck_assert_int_eq(keyring_lookup(r, 1, "session-id", "m", b, &err), SB_OK);
    ck_assert_mem_ne(a, b, 32);
    ck_assert_int_eq(keyring_lookup(r, 1, "message-i", "dm", b, &err), SB_OK);
    ck_assert_mem_ne(a, b, 32);
    keyring_free(r);
}
END_TEST

struct stored {
    uint32_t generation;
    int64_t reserved;
};

static enum sb_err run_stored(struct tx *tx, void *arg, struct sb_error *er)
{
    struct stored *s = arg;
    bool found;
    return st_ns_reserved(tx, ns_id, &found, &s->generation, &s->reserved, er);
}

static struct stored stored(void)
{
    struct stored s = {0, -1};
    ck_assert_int_eq(store_read(e->sb, run_stored, &s, &err), SB_OK);
    return s;
}

START_TEST(test_keyring__seals_are_reserved_in_blocks)
{
    struct keyring *r = ring(ns_id, NULL, 1, 0);
    seal(r, 1, 1, SEAL_BODY, "x");
    ck_assert_int_eq(stored().reserved, BLOCK);
    for (int i = 0; i < 100; i++)
        seal(r, 1, 1, SEAL_BODY, "x");
    ck_assert_int_eq(stored().reserved, BLOCK);
    keyring_free(r);
    /* After a restart what was reserved counts as used. */
    r = ring(ns_id, NULL, 1, (uint64_t)BLOCK);
    seal(r, 1, 1, SEAL_BODY, "x");
    ck_assert_int_eq(stored().reserved, 2 * BLOCK);
    keyring_free(r);
}
END_TEST

START_TEST(test_keyring__a_reservation_that_was_rolled_back_is_made_again)
{
    struct keyring *r = ring(ns_id, NULL, 1, 0);
    struct seal s = {.r = r, .entity = 1, .seq = 1, .text = "x", .fail = true, .times = 3};
    buf_init(&s.out, 4096);
    ck_assert_int_eq(store_call(e->sb, run_seal, &s, &err), SB_ECONFLICT);
    buf_done(&s.out);
    ck_assert_int_eq(stored().reserved, 0);
    seal(r, 1, 1, SEAL_BODY, "x");
    ck_assert_int_eq(stored().reserved, BLOCK);
    keyring_free(r);
}
END_TEST

START_TEST(test_keyring__the_next_generation_begins_in_time)
{
    struct env_header h;
    struct keyring *r = ring(ns_id, NULL, 1, 0);
    struct sb_blob old = seal(r, 1, 1, SEAL_BODY, "old");
    keyring_free(r);
    r = ring(ns_id, NULL, 1, (UINT64_C(1) << 32) - (uint64_t)BLOCK);
    struct sb_blob b = seal(r, 1, 2, SEAL_BODY, "new");
    ck_assert_int_eq(envelope_header(b.p, b.n, &h, &err), SB_OK);
    ck_assert_uint_eq(h.generation, 2);
    ck_assert_uint_eq(stored().generation, 2);
    ck_assert_int_eq(stored().reserved, BLOCK);
    ck_assert_int_eq(open_it(r, 1, 1, SEAL_BODY, old, "old"), SB_OK);
    ck_assert_int_eq(open_it(r, 1, 2, SEAL_BODY, b, "new"), SB_OK);
    keyring_free(r);
    /* A generation that has not begun cannot have sealed anything. */
    r = ring(ns_id, NULL, 1, 0);
    ck_assert_int_eq(open_it(r, 1, 2, SEAL_BODY, b, ""), SB_ETAMPER);
    keyring_free(r);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("keyring");
    TCase *t = tcase_create("keyring");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_keyring__opens_at_its_place_only, 0, 2);
    tcase_add_loop_test(t, test_keyring__every_byte_counts, 0, 2);
    tcase_add_test(t, test_keyring__second_layer_is_not_optional);
    tcase_add_test(t, test_keyring__check_value_tells_roots_apart);
    tcase_add_test(t, test_keyring__lookup_values);
    tcase_add_test(t, test_keyring__seals_are_reserved_in_blocks);
    tcase_add_test(t, test_keyring__a_reservation_that_was_rolled_back_is_made_again);
    tcase_add_test(t, test_keyring__the_next_generation_begins_in_time);
    suite_add_tcase(s, t);
    return s;
}
