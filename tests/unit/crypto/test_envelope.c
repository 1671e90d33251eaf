/*
 * test_envelope.c: GCM against published vectors, blobs made elsewhere, and that any change of any byte is
 * noticed. In a build without the cipher (SB_BENCH_NOCIPHER) only the shape can be tested.
 */
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct cmem_key *keys[3];
static struct env_key *k, *infra, *wrong;

/* Key i is the bytes 32i, 32i + 1, and so on. */
static void setup(void)
{
    struct env_key **envs[3] = {&k, &infra, &wrong};
    arena = arena_new(8u << 20);
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
    for (size_t i = 0; i < 3; i++) {
        uint8_t b[32];
        for (size_t j = 0; j < 32; j++)
            b[j] = (uint8_t)(32 * i + j);
        ck_assert_int_eq(cmem_key_from_bytes(b, &keys[i], NULL), SB_OK);
        ck_assert_int_eq(env_key_new(keys[i], envs[i], NULL), SB_OK);
    }
}

static void teardown(void)
{
    env_key_free(k);
    env_key_free(infra);
    env_key_free(wrong);
    env_key_free(NULL);
    for (size_t i = 0; i < 3; i++)
        cmem_key_free(keys[i]);
    arena_free(arena);
    cmem_shutdown();
}

static struct sb_blob seal(struct env_key *second, uint32_t generation, const char *aad, const void *plain,
                           size_t n)
{
    struct sb_buf b;
    buf_init(&b, 4u << 20);
    ck_assert_int_eq(envelope_seal(k, second, generation, aad, strlen(aad), plain, n, &b, NULL), SB_OK);
    struct sb_blob blob = {arena_memdup(arena, b.p, b.n), b.n};
    buf_done(&b);
    return blob;
}

static enum sb_err open_blob(struct env_key *second, const char *aad, struct sb_blob blob,
                             struct sb_blob *ret)
{
    return envelope_open(k, second, aad, strlen(aad), blob.p, blob.n, arena, ret, NULL);
}

static const size_t sizes[] = {0, 1, 15, 16, 17, 1024, 65536, 1000003};

START_TEST(test_envelope__round_trip)
{
    size_t n = sizes[_i];
    uint8_t *plain = arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++)
        plain[i] = (uint8_t)(i * 31);
    for (int two = 0; two < 2; two++) {
        struct env_header h = {0};
        struct sb_blob got = {0}, blob = seal(two ? infra : NULL, 0xfeedbeef, "ns/1", plain, n);
        ck_assert_uint_eq(blob.n, n + ENV_OVERHEAD + (two ? ENV_NONCE_LEN + ENV_TAG_LEN : 0));
        ck_assert_mem_eq(blob.p, "SBE1\x01\x01", 6);
        ck_assert_int_eq(envelope_header(blob.p, blob.n, &h, NULL), SB_OK);
        ck_assert_uint_eq(h.version, 1);
        ck_assert_uint_eq(h.min_reader, 1);
        ck_assert_uint_eq(h.flags, two ? ENV_INFRA : 0);
        ck_assert_uint_eq(h.generation, 0xfeedbeef);
        ck_assert_int_eq(open_blob(infra, "ns/1", blob, &got), SB_OK);
        ck_assert_uint_eq(got.n, n);
        ck_assert_mem_eq(got.p, plain, n);
    }
    ck_assert(!arena_failed(arena));
}
END_TEST

START_TEST(test_envelope__appends)
{
    struct sb_buf b;
    struct sb_blob got = {0};
    buf_init(&b, 1000);
    buf_adds(&b, "before");
    ck_assert_int_eq(envelope_seal(k, NULL, 0, NULL, 0, "x", 1, &b, NULL), SB_OK);
    buf_adds(&b, "after");
    ck_assert_mem_eq(b.p, "before", 6);
    ck_assert_int_eq(open_blob(NULL, "", (struct sb_blob){b.p + 6, ENV_OVERHEAD + 1}, &got), SB_OK);
    ck_assert_mem_eq(got.p, "x", 1);
    buf_done(&b);
}
END_TEST

START_TEST(test_envelope__no_room)
{
    struct sb_buf b;
    struct sb_arena *small = arena_new(10);
    struct sb_blob got = {0}, blob = seal(NULL, 0, "", "0123456789abcdef", 16);
    buf_init(&b, 50);
    ck_assert_int_eq(envelope_seal(k, NULL, 0, NULL, 0, "0123456789abcdef", 16, &b, NULL), SB_ETOOLARGE);
    ck_assert(buf_failed(&b));
    ck_assert_int_eq(envelope_open(k, NULL, "", 0, blob.p, blob.n, small, &got, NULL), SB_ENOMEM);
    ck_assert_ptr_null(got.p);
    buf_done(&b);
    arena_free(small);
}
END_TEST

#ifndef SB_BENCH_NOCIPHER

static struct sb_blob from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(arena, n);
    ck_assert(hex_decode(hex, p, n));
    return (struct sb_blob){p, n};
}

/* Test cases 13 to 16 of the GCM specification (AES-256), on the cipher as cmem_init fetched it. */
static const struct {
    const char *key, *iv, *aad, *plain, *cipher, *tag;
} gcms[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "",
     "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
     "d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657"
     "ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6"
     "393ba7a0a"
     "bcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf"
     "5aa0de657"
     "ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6"
     "393ba7a0a"
     "bcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

START_TEST(test_envelope__gcm_vectors)
{
    struct sb_blob key = from_hex(gcms[_i].key), iv = from_hex(gcms[_i].iv), aad = from_hex(gcms[_i].aad);
    struct sb_blob plain = from_hex(gcms[_i].plain), cipher = from_hex(gcms[_i].cipher),
                   tag = from_hex(gcms[_i].tag);
    uint8_t out[64], got[16];
    int len = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, cmem_algs()->aes_256_gcm, key.p, NULL, NULL), 1);
    ck_assert_int_eq(EVP_EncryptInit_ex2(ctx, NULL, NULL, iv.p, NULL), 1);
    if (aad.n)
        ck_assert_int_eq(EVP_EncryptUpdate(ctx, NULL, &len, aad.p, (int)aad.n), 1);
    if (plain.n)
        ck_assert_int_eq(EVP_EncryptUpdate(ctx, out, &len, plain.p, (int)plain.n), 1);
    ck_assert_mem_eq(out, cipher.p, cipher.n);
    ck_assert_int_eq(EVP_EncryptFinal_ex(ctx, out, &len), 1);
    ck_assert_int_eq(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, got), 1);
    ck_assert_mem_eq(got, tag.p, 16);
    EVP_CIPHER_CTX_free(ctx);
}
END_TEST

/* Made with Python's cryptography package: keys 00..1f and (infra) 20..3f, AAD "ns/1", "hello, world". */
static const char blob_one[] =
    "5342453101010000000000076465666768696a6b6c6d6e6f207eb20a16c576e95110338c5ce91010041757f639aa89f2"
    "a9142152";
static const char blob_two[] =
    "5342453101010001010203046465666768696a6b6c6d6e6f3062a41d059428e1bee3dd6bcb4a63b1a79df624697f3509"
    "caac452a327a45f0921d449eee11bc6787a93bad24ddbfc7fc97611a32a36d18";

START_TEST(test_envelope__opens_blobs_made_elsewhere)
{
    struct sb_blob got = {0};
    ck_assert_int_eq(open_blob(NULL, "ns/1", from_hex(blob_one), &got), SB_OK);
    ck_assert_uint_eq(got.n, 12);
    ck_assert_mem_eq(got.p, "hello, world", 12);
    got = (struct sb_blob){0};
    ck_assert_int_eq(open_blob(infra, "ns/1", from_hex(blob_two), &got), SB_OK);
    ck_assert_uint_eq(got.n, 12);
    ck_assert_mem_eq(got.p, "hello, world", 12);
}
END_TEST

static void refused(struct env_key *second, const char *aad, size_t aad_n, struct sb_blob blob)
{
    struct sb_blob got = {0};
    struct sb_error err = {0};
    ck_assert_int_eq(envelope_open(k, second, aad, aad_n, blob.p, blob.n, arena, &got, &err), SB_ETAMPER);
    ck_assert_int_eq(err.code, SB_ETAMPER);
    ck_assert_ptr_null(got.p);
    ck_assert_uint_eq(got.n, 0);
}

/* Header, nonce, ciphertext, tag; inner layer too: each byte, each bit. */
START_TEST(test_envelope__every_flipped_bit_is_noticed)
{
    struct sb_blob got = {0}, blob = seal(_i ? infra : NULL, 3, "ns/1", "hello, world", 12);
    uint8_t *p = arena_memdup(arena, blob.p, blob.n);
    for (size_t i = 0; i < blob.n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            p[i] ^= (uint8_t)(1u << bit);
            refused(infra, "ns/1", 4, (struct sb_blob){p, blob.n});
            p[i] ^= (uint8_t)(1u << bit);
        }
    }
    ck_assert_int_eq(open_blob(infra, "ns/1", (struct sb_blob){p, blob.n}, &got), SB_OK);
}
END_TEST

START_TEST(test_envelope__every_flipped_bit_of_the_aad_is_noticed)
{
    char aad[] = "namespace-id/entity-id/00000001";
    size_t n = strlen(aad);
    struct sb_blob blob = seal(_i ? infra : NULL, 3, aad, "hello, world", 12);
    for (size_t i = 0; i < n; i++) {
        aad[i] ^= 1;
        refused(infra, aad, n, blob);
        aad[i] ^= 1;
    }
    refused(infra, aad, n - 1, blob);
    refused(infra, aad, n + 1, blob);
    refused(infra, NULL, 0, blob);
}
END_TEST

START_TEST(test_envelope__truncated_blobs)
{
    struct sb_blob blob = seal(_i ? infra : NULL, 3, "ns/1", "hello, world", 12);
    for (size_t n = 0; n < blob.n; n++)
        refused(infra, "ns/1", 4, (struct sb_blob){blob.p, n});
    uint8_t *longer = arena_alloc(arena, blob.n + 1);
    memcpy(longer, blob.p, blob.n);
    refused(infra, "ns/1", 4, (struct sb_blob){longer, blob.n + 1});
}
END_TEST

START_TEST(test_envelope__wrong_keys)
{
    struct sb_blob got = {0}, one = seal(NULL, 3, "ns/1", "x", 1), two = seal(infra, 3, "ns/1", "x", 1);
    ck_assert_int_eq(envelope_open(wrong, NULL, "ns/1", 4, one.p, one.n, arena, &got, NULL), SB_ETAMPER);
    ck_assert_int_eq(envelope_open(wrong, infra, "ns/1", 4, two.p, two.n, arena, &got, NULL), SB_ETAMPER);
    refused(wrong, "ns/1", 4, two);
    refused(NULL, "ns/1", 4, two);
    refused(k, "ns/1", 4, two);
    ck_assert_ptr_null(got.p);
    /* What does not have the second layer does not need its key. */
    ck_assert_int_eq(open_blob(wrong, "ns/1", one, &got), SB_OK);
}
END_TEST

START_TEST(test_envelope__failure_leaves_no_plaintext)
{
    struct sb_arena *a = arena_new(4096);
    static const char plain[] = "a secret that must not be left behind";
    struct sb_blob got = {0}, blob = seal(NULL, 3, "ns/1", plain, sizeof plain);
    uint8_t *p = arena_memdup(arena, blob.p, blob.n);
    p[blob.n - 1] ^= 1;
    uint8_t *mark = arena_alloc(a, 1);
    ck_assert_int_eq(envelope_open(k, NULL, "ns/1", 4, p, blob.n, a, &got, NULL), SB_ETAMPER);
    const uint8_t *out = mark + alignof(max_align_t); /* where the arena put it */
    ck_assert((const uint8_t *)arena_alloc(a, 1) >= out + sizeof plain);
    for (size_t i = 0; i < sizeof plain; i++)
        ck_assert_int_eq(out[i], 0);
    arena_free(a);
}
END_TEST

START_TEST(test_envelope__nonces_differ)
{
    struct sb_blob a = seal(NULL, 3, "ns/1", "x", 1), b = seal(NULL, 3, "ns/1", "x", 1);
    ck_assert_mem_ne(a.p + ENV_HEADER_LEN, b.p + ENV_HEADER_LEN, ENV_NONCE_LEN);
}
END_TEST

#endif

static const struct {
    size_t at;
    uint8_t value;
    bool ok;
} headers[] = {
    {0, 'T', false}, {3, '2', false}, {4, 0, false}, {4, 2, true}, /* a newer writer that we may read */
    {5, 2, false},   {5, 1, true},    {6, 1, false}, {7, 2, false}, {7, 0x81, false}, {8, 0xff, true},
};

START_TEST(test_envelope__headers)
{
    struct env_header h = {.generation = 4711};
    struct sb_blob blob = seal(NULL, 3, "ns/1", "x", 1);
    uint8_t *p = arena_memdup(arena, blob.p, blob.n);
    p[headers[_i].at] = headers[_i].value;
    ck_assert_int_eq(envelope_header(p, blob.n, &h, NULL), headers[_i].ok ? SB_OK : SB_ETAMPER);
    ck_assert_int_eq(h.generation == 4711, !headers[_i].ok);
    ck_assert_int_eq(envelope_header(p, ENV_OVERHEAD - 1, &h, NULL), SB_ETAMPER);
    ck_assert_int_eq(envelope_header(NULL, 0, &h, NULL), SB_ETAMPER);
}
END_TEST

START_TEST(test_envelope__one_off_forms)
{
    struct sb_buf b;
    struct sb_blob got = {0};
    buf_init(&b, 1000);
    ck_assert_int_eq(envelope_seal_key(keys[0], "meta/7", "text", 4, &b, NULL), SB_OK);
    ck_assert_int_eq(envelope_open_key(keys[0], "meta/7", b.p, b.n, arena, &got, NULL), SB_OK);
    ck_assert_uint_eq(got.n, 4);
    ck_assert_mem_eq(got.p, "text", 4);
#ifndef SB_BENCH_NOCIPHER
    got = (struct sb_blob){0};
    ck_assert_int_eq(envelope_open_key(keys[0], "meta/8", b.p, b.n, arena, &got, NULL), SB_ETAMPER);
    ck_assert_int_eq(envelope_open_key(keys[1], "meta/7", b.p, b.n, arena, &got, NULL), SB_ETAMPER);
    ck_assert_ptr_null(got.p);
#endif
    buf_done(&b);
}
END_TEST

START_TEST(test_envelope__sealed_keys)
{
    struct sb_buf b, two;
    struct cmem_key *got = NULL, *none = NULL;
    buf_init(&b, 1000);
    buf_init(&two, 1000);
    ck_assert_int_eq(envelope_seal_cmem(keys[0], "root/1", keys[2], &b, NULL), SB_OK);
    ck_assert_uint_eq(b.n, ENV_OVERHEAD + CMEM_KEY_LEN);
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", b.p, b.n, &got, NULL), SB_OK);
    ck_assert(cmem_equal(got->b, keys[2]->b, CMEM_KEY_LEN));
    cmem_key_free(got);
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", b.p, b.n - 1, &none, NULL), SB_ETAMPER);
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", b.p, 0, &none, NULL), SB_ETAMPER);
#ifndef SB_BENCH_NOCIPHER
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/2", b.p, b.n, &none, NULL), SB_ETAMPER);
    ck_assert_int_eq(envelope_open_cmem(keys[1], "root/1", b.p, b.n, &none, NULL), SB_ETAMPER);
    b.p[b.n - 1] ^= 1;
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", b.p, b.n, &none, NULL), SB_ETAMPER);
#endif
    /* Well sealed, but not 32 bytes; or in two layers. */
    ck_assert_int_eq(envelope_seal_key(keys[0], "root/1", "0123456789abcdef", 16, &two, NULL), SB_OK);
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", two.p, two.n, &none, NULL), SB_ETAMPER);
    buf_clear(&two);
    ck_assert_int_eq(envelope_seal(k, infra, 0, "root/1", 6, "0123", 4, &two, NULL), SB_OK);
    ck_assert_uint_eq(two.n, ENV_OVERHEAD + CMEM_KEY_LEN);
    ck_assert_int_eq(envelope_open_cmem(keys[0], "root/1", two.p, two.n, &none, NULL), SB_ETAMPER);
    ck_assert_ptr_null(none);
    buf_done(&b);
    buf_done(&two);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("envelope");
    TCase *t = tcase_create("envelope");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_envelope__round_trip, 0, (int)SB_ARRAY_LEN(sizes));
    tcase_add_test(t, test_envelope__appends);
    tcase_add_test(t, test_envelope__no_room);
#ifndef SB_BENCH_NOCIPHER
    tcase_add_loop_test(t, test_envelope__gcm_vectors, 0, (int)SB_ARRAY_LEN(gcms));
    tcase_add_test(t, test_envelope__opens_blobs_made_elsewhere);
    tcase_add_loop_test(t, test_envelope__every_flipped_bit_is_noticed, 0, 2);
    tcase_add_loop_test(t, test_envelope__every_flipped_bit_of_the_aad_is_noticed, 0, 2);
    tcase_add_loop_test(t, test_envelope__truncated_blobs, 0, 2);
    tcase_add_test(t, test_envelope__wrong_keys);
    tcase_add_test(t, test_envelope__failure_leaves_no_plaintext);
    tcase_add_test(t, test_envelope__nonces_differ);
#endif
    tcase_add_loop_test(t, test_envelope__headers, 0, (int)SB_ARRAY_LEN(headers));
    tcase_add_test(t, test_envelope__one_off_forms);
    tcase_add_test(t, test_envelope__sealed_keys);
    suite_add_tcase(s, t);
    return s;
}
