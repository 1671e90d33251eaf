/* test_digest.c: SHA-256 (FIPS 180), HMAC-SHA256 (RFC 4231), HKDF-SHA256 (RFC 5869). */
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/digest.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

static void setup(void)
{
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
}

static void teardown(void)
{
    cmem_shutdown();
}

static const struct {
    const char *in, *hex;
} sha256s[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

START_TEST(test_digest__sha256)
{
    uint8_t d[32];
    char hex[65];
    digest_sha256(sha256s[_i].in, strlen(sha256s[_i].in), d);
    hex_encode(d, sizeof d, hex);
    ck_assert_str_eq(hex, sha256s[_i].hex);
}
END_TEST

/* A text, or n times the byte `fill`. */
struct bytes {
    const char *s;
    int fill;
    size_t n;
};

static size_t expand(const struct bytes *b, uint8_t *dst)
{
    size_t n = b->s ? strlen(b->s) : b->n;
    if (b->s)
        memcpy(dst, b->s, n);
    else
        memset(dst, b->fill, n);
    return n;
}

/* RFC 4231, test cases 1, 2, 3, 6 and 7. */
static const struct {
    struct bytes key, data;
    const char *hex;
} hmacs[] = {
    {{NULL, 0x0b, 20},
     {"Hi There", 0, 0},
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {{"Jefe", 0, 0},
     {"what do ya want for nothing?", 0, 0},
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {{NULL, 0xaa, 20}, {NULL, 0xdd, 50}, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {{NULL, 0xaa, 131},
     {"Test Using Larger Than Block-Size Key - Hash Key First", 0, 0},
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {{NULL, 0xaa, 131},
     {"This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
      "be "
      "hashed before being used by the HMAC algorithm.",
      0, 0},
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

START_TEST(test_digest__hmac)
{
    uint8_t key[200], data[200], mac[32], again[32];
    char hex[65];
    size_t key_n = expand(&hmacs[_i].key, key), n = expand(&hmacs[_i].data, data);
    digest_hmac_sha256(key, key_n, data, n, mac);
    hex_encode(mac, sizeof mac, hex);
    ck_assert_str_eq(hex, hmacs[_i].hex);
    const struct sb_blob parts[] = {{data, 3}, {NULL, 0}, {data + 3, n - 3}};
    ck_assert(digest_hmac_parts(key, key_n, parts, 3, again));
    ck_assert_mem_eq(mac, again, sizeof mac);
    key[0] ^= 1;
    digest_hmac_sha256(key, key_n, data, n, again);
    ck_assert_mem_ne(mac, again, sizeof mac);
}
END_TEST

START_TEST(test_digest__hmac_block_boundary)
{
    /* A key of exactly a block is used as it is; zero bytes behind a shorter one change nothing. */
    uint8_t key[65] = {1, 2, 3}, a[32], b[32];
    digest_hmac_sha256(key, 3, "x", 1, a);
    digest_hmac_sha256(key, 64, "x", 1, b);
    ck_assert_mem_eq(a, b, sizeof a);
    digest_hmac_sha256(key, 65, "x", 1, b);
    ck_assert_mem_ne(a, b, sizeof a);
    digest_hmac_sha256(NULL, 0, NULL, 0, a);
    static const char empty[] = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    char hex[65];
    hex_encode(a, sizeof a, hex);
    ck_assert_str_eq(hex, empty);
}
END_TEST

/* RFC 5869, appendix A.1 to A.3. */
static const struct {
    int ikm_fill; /* -1: counting up from 0 */
    size_t ikm_n;
    int salt_from, info_from; /* counting up; -1: none */
    size_t salt_n, info_n, n;
    const char *okm;
} hkdfs[] = {
    {0x0b, 22, 0x00, 0xf0, 13, 10, 42,
     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
    {-1, 80, 0x60, 0xb0, 80, 80, 82,
     "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
     "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"},
    {0x0b, 22, -1, -1, 0, 0, 42,
     "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
};

static void count_up(uint8_t *p, size_t n, int from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((size_t)from + i);
}

START_TEST(test_digest__hkdf)
{
    uint8_t ikm[80], salt[80], info[80], okm[100];
    char hex[201];
    size_t n = hkdfs[_i].n, half = hkdfs[_i].info_n / 2;
    memset(ikm, hkdfs[_i].ikm_fill, sizeof ikm);
    if (hkdfs[_i].ikm_fill < 0)
        count_up(ikm, sizeof ikm, 0);
    count_up(salt, hkdfs[_i].salt_n, hkdfs[_i].salt_from);
    count_up(info, hkdfs[_i].info_n, hkdfs[_i].info_from);
    const struct sb_blob info1 = {info, half}, info2 = {info + half, hkdfs[_i].info_n - half};
    ck_assert(digest_hkdf((struct sb_blob){salt, hkdfs[_i].salt_n}, (struct sb_blob){ikm, hkdfs[_i].ikm_n},
                          info1, info2, okm, n));
    hex_encode(okm, n, hex);
    ck_assert_str_eq(hex, hkdfs[_i].okm);
}
END_TEST

START_TEST(test_digest__hkdf_has_an_end)
{
    static uint8_t okm[255 * 32 + 1];
    const struct sb_blob none = {NULL, 0};
    ck_assert(digest_hkdf(none, none, none, none, okm, sizeof okm - 1));
    ck_assert(!digest_hkdf(none, none, none, none, okm, sizeof okm));
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("digest");
    TCase *t = tcase_create("digest");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_digest__sha256, 0, (int)SB_ARRAY_LEN(sha256s));
    tcase_add_loop_test(t, test_digest__hmac, 0, (int)SB_ARRAY_LEN(hmacs));
    tcase_add_test(t, test_digest__hmac_block_boundary);
    tcase_add_loop_test(t, test_digest__hkdf, 0, (int)SB_ARRAY_LEN(hkdfs));
    tcase_add_test(t, test_digest__hkdf_has_an_end);
    suite_add_tcase(s, t);
    return s;
}
