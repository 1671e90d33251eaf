/*
 * test_pkey.c: RSA and EC keys against RFC 7516 A.1, RFC 7515 A.3, a vector computed in plain Python, and the
 * openssl command both ways; failures that must look alike; many threads on one key.
 */
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/digest.h"
#include "crypto/pkey.h"
#include "server/base/text.h"
#include "tests/unit/crypto/pkey_kit.h"

/* RFC 7516, A.1: the content encryption key, and that key sealed by RSA-OAEP; the last was made in plain
 * Python. */
static const char rfc7516_cek[] = "b1a1f480548fe1733fb403ff6b9ad4f68a076e5b702e22692f82cb2e7aea40fc";
static const char rfc7516_oaep[] =
    "38a39ac03a35de0469da88da1d5ecb16965c815ed3e83559293c8a38c4d85262a84c254946072408bf6488c4f4dc919e"
    "8a9b04758de6c7f7ad2db6d64ab16bd3990bcdc4abe2a280abb60dedef63c1045bdb79df6ba73d77e4ad9c8986c850db"
    "4afd38b95bb1229e599acd6037128a2b60dad7807c4b8af355196d758c1a9bf943a795e764062941d6fbe8574828b695"
    "9aa81fc17ed7591c6fdb7db68bebc3c517ea373a3fb444cace954bcdf8b04327b23c62c120ee7a609ede39b76fd237bc"
    "d7ceb4a696a66afa37e5482845d6d868172887d41c7f2950afaea873abc559745c67f653d8b6b0542593232ddbac63e2"
    "e949257c2a4831f2237fb886757287ce";
static const char oaep_256[] =
    "78e94def4e50213c944ac760bcd1a3a7f042f24320ae2b152e35905b622997295cb16141f7448e1fd268a873da95476e"
    "3870f852e0856a492345077499e0afd2608eceac41a9afa30c97c7b0081fe766c31595549f67ed16fae237cf4d14ca16"
    "2c67432c216894d7fe6b2d3c07a93a00ca53e3f12452cf39881a9c157f28558dc3ea0883ac47ddbd46dc1d356323e564"
    "e97a63e0c3903c7f5400248ae69c60e34a8c386a93962514088eded83d77bdc077d7b66e140a103db0a33ee2363faa40"
    "235f8d85054509c697832404745e3ed13871103334d510dccfb6da4a540533f72e742d7f194f83b3e46d13ef647cc13a"
    "f67cbc187cb6597386472417ee6b3c61";

/* RFC 7515, A.3. */
#define ES256_INPUT                                                                                          \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb" \
    "290Ijp0cnVlfQ"
#define ES256_SIG "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

static const char fixed_text[] = "The parameter is incorrect.";

/* ---- names ---- */

static const struct {
    const char *name;
    enum pkey_alg alg;
    size_t digest_len;
} algs[] = {
    {"RSA1_5", PKEY_RSA1_5, 0},  {"RSA-OAEP", PKEY_RSA_OAEP, 0}, {"RSA-OAEP-256", PKEY_RSA_OAEP_256, 0},
    {"RS256", PKEY_RS256, 32},   {"RS384", PKEY_RS384, 48},      {"RS512", PKEY_RS512, 64},
    {"PS256", PKEY_PS256, 32},   {"PS384", PKEY_PS384, 48},      {"PS512", PKEY_PS512, 64},
    {"ES256", PKEY_ES256, 32},   {"ES384", PKEY_ES384, 48},      {"ES512", PKEY_ES512, 64},
    {"ES256K", PKEY_ES256K, 32},
};

START_TEST(test_pkey__algorithm_names)
{
    ck_assert_int_eq(pkey_alg_parse(algs[_i].name), algs[_i].alg);
    ck_assert_str_eq(pkey_alg_name(algs[_i].alg), algs[_i].name);
    ck_assert_uint_eq(pkey_alg_digest_len(algs[_i].alg), algs[_i].digest_len);
}
END_TEST

START_TEST(test_pkey__unknown_names)
{
    ck_assert_int_eq(pkey_alg_parse("rs256"), PKEY_ALG_NONE);
    ck_assert_int_eq(pkey_alg_parse(""), PKEY_ALG_NONE);
    ck_assert_int_eq(pkey_alg_parse("none"), PKEY_ALG_NONE);
    ck_assert_str_eq(pkey_alg_name(PKEY_ALG_NONE), "");
    ck_assert_uint_eq(pkey_alg_digest_len(PKEY_ALG_NONE), 0);
    ck_assert_int_eq(pkey_curve_parse("P-256"), PKEY_P256);
    ck_assert_int_eq(pkey_curve_parse("P-521"), PKEY_P521);
    ck_assert_int_eq(pkey_curve_parse("P-256K"), PKEY_P256K);
    ck_assert_int_eq(pkey_curve_parse("SECP256K1"), PKEY_P256K);
    ck_assert_int_eq(pkey_curve_parse("P256"), PKEY_CURVE_NONE);
    ck_assert_str_eq(pkey_curve_name(PKEY_P384), "P-384");
    ck_assert_str_eq(pkey_curve_name(PKEY_P256K), "P-256K");
    ck_assert_str_eq(pkey_curve_name(PKEY_CURVE_NONE), "");
}
END_TEST

/* ---- known answers ---- */

START_TEST(test_pkey__known_oaep)
{
    struct pkey *k = imported(rfc7516_parts());
    struct sb_blob got = {0}, cek = from_hex(rfc7516_cek), sha1 = from_hex(rfc7516_oaep),
                   sha256 = from_hex(oaep_256);
    ck_assert_uint_eq(pkey_bits(k), 2048);
    ck_assert_int_eq(pkey_decrypt(k, PKEY_RSA_OAEP, sha1.p, sha1.n, arena, &got, NULL), SB_OK);
    same_blob(got, cek);
    ck_assert_int_eq(pkey_decrypt(k, PKEY_RSA_OAEP_256, sha256.p, sha256.n, arena, &got, NULL), SB_OK);
    same_blob(got, cek);
    /* One does not pass for the other. */
    ck_assert_int_eq(pkey_decrypt(k, PKEY_RSA_OAEP, sha256.p, sha256.n, arena, &got, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_decrypt(k, PKEY_RSA_OAEP_256, sha1.p, sha1.n, arena, &got, NULL), SB_EBADPARAM);
    struct cmem_key *key = NULL;
    ck_assert_int_eq(pkey_unwrap_cmem(k, sha256.p, sha256.n, &key, NULL), SB_OK);
    ck_assert_mem_eq(key->b, cek.p, CMEM_KEY_LEN);
    cmem_key_free(key);
    pkey_unref(k);
}
END_TEST

START_TEST(test_pkey__known_es256)
{
    struct pkey *k = imported(es256_parts());
    struct sb_blob sig = from_b64url(ES256_SIG);
    uint8_t digest[32];
    bool good = false;
    digest_sha256(ES256_INPUT, strlen(ES256_INPUT), digest);
    ck_assert_int_eq(pkey_verify(k, PKEY_ES256, digest, 32, sig.p, sig.n, &good, NULL), SB_OK);
    ck_assert(good);
    digest[0] ^= 1;
    ck_assert_int_eq(pkey_verify(k, PKEY_ES256, digest, 32, sig.p, sig.n, &good, NULL), SB_OK);
    ck_assert(!good);
    pkey_unref(k);
}
END_TEST

/* ---- the openssl command ---- */

static char dir[64];

static void run(const char *fmt, ...) SB_PRINTF(1, 2);

static void run(const char *fmt, ...)
{
    char args[800], command[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(args, sizeof args, fmt, ap);
    va_end(ap);
    snprintf(command, sizeof command, "cd %s && openssl %s >out.txt 2>&1", dir, args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void dir_setup(void)
{
    setup();
    snprintf(dir, sizeof dir, "/tmp/sb-pkey-XXXXXX"); /* lint: ok, for mkdtemp */
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void dir_teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
    teardown();
}

static FILE *open_in_dir(const char *name, const char *mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, mode);
    ck_assert_ptr_nonnull(f);
    return f;
}

static void put_file(const char *name, const void *p, size_t n)
{
    FILE *f = open_in_dir(name, "wb");
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    fclose(f);
}

static struct sb_blob get_file(const char *name)
{
    uint8_t *p = arena_alloc(arena, 4096);
    FILE *f = open_in_dir(name, "rb");
    size_t n = fread(p, 1, 4096, f);
    fclose(f);
    return (struct sb_blob){p, n};
}

static struct sb_blob number_of(EVP_PKEY *evp, const char *name)
{
    BIGNUM *bn = NULL;
    ck_assert_int_eq(EVP_PKEY_get_bn_param(evp, name, &bn), 1);
    uint8_t *p = arena_alloc(arena, 600);
    int n = BN_bn2bin(bn, p);
    BN_free(bn);
    return (struct sb_blob){p, (size_t)n};
}

/* The key in key.pem, by its numbers. */
static struct pkey *import_pem(enum pkey_type type, enum pkey_curve curve)
{
    FILE *f = open_in_dir("key.pem", "r");
    EVP_PKEY *evp = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    ck_assert_ptr_nonnull(evp);
    struct pkey_parts parts = {.type = type, .curve = curve};
    if (type == PKEY_RSA) {
        parts.n = number_of(evp, OSSL_PKEY_PARAM_RSA_N);
        parts.e = number_of(evp, OSSL_PKEY_PARAM_RSA_E);
        parts.d = number_of(evp, OSSL_PKEY_PARAM_RSA_D);
        parts.p = number_of(evp, OSSL_PKEY_PARAM_RSA_FACTOR1);
        parts.q = number_of(evp, OSSL_PKEY_PARAM_RSA_FACTOR2);
        parts.dp = number_of(evp, OSSL_PKEY_PARAM_RSA_EXPONENT1);
        parts.dq = number_of(evp, OSSL_PKEY_PARAM_RSA_EXPONENT2);
        parts.qi = number_of(evp, OSSL_PKEY_PARAM_RSA_COEFFICIENT1);
    } else {
        parts.x = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_X);
        parts.y = number_of(evp, OSSL_PKEY_PARAM_EC_PUB_Y);
        parts.d = number_of(evp, OSSL_PKEY_PARAM_PRIV_KEY);
    }
    EVP_PKEY_free(evp);
    return imported(parts);
}

#define OAEP(md) "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:" md " -pkeyopt rsa_mgf1_md:" md

START_TEST(test_pkey__encryption_agrees_with_the_openssl_command)
{
    static const struct {
        enum pkey_alg alg;
        const char *options;
    } rows[] = {
        {PKEY_RSA1_5, "-pkeyopt rsa_padding_mode:pkcs1"},
        {PKEY_RSA_OAEP, OAEP("sha1")},
        {PKEY_RSA_OAEP_256, OAEP("sha256")},
    };
    static const char plain[] = "thirty-two bytes of key material";
    struct sb_blob got = {0};
    run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    struct pkey *k = import_pem(PKEY_RSA, PKEY_CURVE_NONE);
    put_file("plain", plain, 32);
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        run("pkeyutl -encrypt -inkey key.pem -in plain -out sealed %s", rows[i].options);
        struct sb_blob sealed = get_file("sealed");
        ck_assert_int_eq(pkey_decrypt(k, rows[i].alg, sealed.p, sealed.n, arena, &got, NULL), SB_OK);
        same_blob(got, (struct sb_blob){(const uint8_t *)plain, 32});
        ck_assert_int_eq(pkey_encrypt(k, rows[i].alg, plain, 32, arena, &got, NULL), SB_OK);
        put_file("sealed", got.p, got.n);
        run("pkeyutl -decrypt -inkey key.pem -in sealed -out opened %s", rows[i].options);
        same_blob(get_file("opened"), (struct sb_blob){(const uint8_t *)plain, 32});
    }
    pkey_unref(k);
}
END_TEST

#define PSS(md) "-pkeyopt digest:" md " -pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest"

START_TEST(test_pkey__rsa_signatures_agree_with_the_openssl_command)
{
    static const struct {
        enum pkey_alg alg;
        const char *options;
    } rows[] = {
        {PKEY_RS256, "-pkeyopt digest:sha256"},
        {PKEY_RS384, "-pkeyopt digest:sha384"},
        {PKEY_RS512, "-pkeyopt digest:sha512"},
        {PKEY_PS256, PSS("sha256")},
        {PKEY_PS384, PSS("sha384")},
        {PKEY_PS512, PSS("sha512")},
    };
    uint8_t digest[64];
    struct sb_blob got = {0};
    bool good = false;
    memset(digest, 0x5a, sizeof digest);
    run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    struct pkey *k = import_pem(PKEY_RSA, PKEY_CURVE_NONE);
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        size_t n = pkey_alg_digest_len(rows[i].alg);
        put_file("digest", digest, n);
        run("pkeyutl -sign -inkey key.pem -in digest -out sig %s", rows[i].options);
        struct sb_blob sig = get_file("sig");
        ck_assert_int_eq(pkey_verify(k, rows[i].alg, digest, n, sig.p, sig.n, &good, NULL), SB_OK);
        ck_assert(good);
        ck_assert_int_eq(pkey_sign(k, rows[i].alg, digest, n, arena, &got, NULL), SB_OK);
        put_file("sig", got.p, got.n);
        run("pkeyutl -verify -inkey key.pem -in digest -sigfile sig %s", rows[i].options);
    }
    pkey_unref(k);
}
END_TEST

/* The command's signatures are DER: only its keys are used, and its verdict on a public key written by us. */
START_TEST(test_pkey__imports_ec_keys_of_the_openssl_command)
{
    static const struct {
        enum pkey_curve curve;
        const char *name;
    } rows[] = {{PKEY_P256, "P-256"}, {PKEY_P384, "P-384"}, {PKEY_P521, "P-521"}, {PKEY_P256K, "secp256k1"}};
    run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:%s -out key.pem", rows[_i].name);
    struct pkey *k = import_pem(PKEY_EC, rows[_i].curve);
    ck_assert_int_eq(pkey_curve_of(k), rows[_i].curve);
    pkey_unref(k);
}
END_TEST

/* ---- signatures ---- */

static struct pkey *key_for(enum pkey_alg alg)
{
    struct pkey *k = NULL;
    if (alg < PKEY_ES256)
        return imported(rfc7516_parts());
    enum pkey_curve c = alg == PKEY_ES256   ? PKEY_P256
                        : alg == PKEY_ES384 ? PKEY_P384
                        : alg == PKEY_ES512 ? PKEY_P521
                                            : PKEY_P256K;
    ck_assert_int_eq(pkey_generate_ec(c, &k, NULL), SB_OK);
    return k;
}

START_TEST(test_pkey__sign_and_verify)
{
    enum pkey_alg alg = algs[_i].alg;
    size_t n = algs[_i].digest_len;
    struct pkey *k = key_for(alg);
    struct pkey_parts parts = public_of(k);
    struct pkey *pub = imported(parts);
    struct sb_blob sig = {0}, none = {0};
    uint8_t digest[65] = {1, 2, 3};
    bool good = false;
    ck_assert_int_eq(pkey_sign(k, alg, digest, n, arena, &sig, NULL), SB_OK);
    if (pkey_type_of(k) == PKEY_EC)
        ck_assert_uint_eq(sig.n, alg == PKEY_ES512 ? 132 : 2 * n);
    verdict(pub, alg, digest, sig, true);
    uint8_t *bad = arena_memdup(arena, sig.p, sig.n);
    for (size_t i = 0; i < sig.n; i += 7) {
        bad[i] ^= 1;
        verdict(pub, alg, digest, (struct sb_blob){bad, sig.n}, false);
        bad[i] ^= 1;
    }
    verdict(pub, alg, digest, (struct sb_blob){bad, sig.n - 1}, false);
    verdict(pub, alg, digest, (struct sb_blob){NULL, 0}, false);
    verdict(pub, alg, digest, (struct sb_blob){arena_alloc(arena, sig.n), sig.n}, false); /* all zero */
    digest[n - 1] ^= 1;
    verdict(pub, alg, digest, sig, false);
    ck_assert_int_eq(pkey_sign(k, alg, digest, n - 1, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_sign(k, alg, digest, n + 1, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_verify(k, alg, digest, n - 1, sig.p, sig.n, &good, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_sign(pub, alg, digest, n, arena, &none, NULL), SB_EBADPARAM); /* no private part */
    ck_assert_int_eq(pkey_sign(k, PKEY_RSA_OAEP, digest, n, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_ptr_null(none.p);
    pkey_unref(pub);
    pkey_unref(k);
}
END_TEST

START_TEST(test_pkey__algorithms_fit_their_keys)
{
    static const enum pkey_curve curves[] = {PKEY_P256, PKEY_P384, PKEY_P521, PKEY_P256K};
    static const enum pkey_alg fits[] = {PKEY_ES256, PKEY_ES384, PKEY_ES512, PKEY_ES256K};
    struct pkey *k = NULL;
    ck_assert_int_eq(pkey_generate_ec(curves[_i], &k, NULL), SB_OK);
    for (size_t i = 0; i < SB_ARRAY_LEN(algs); i++)
        ck_assert_int_eq(pkey_alg_fits(k, algs[i].alg), algs[i].alg == fits[_i]);
    struct sb_blob none = {0};
    ck_assert_int_eq(pkey_encrypt(k, PKEY_RSA_OAEP, "x", 1, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_decrypt(k, PKEY_RSA_OAEP, "x", 1, arena, &none, NULL), SB_EBADPARAM);
    pkey_unref(k);
    k = imported(rfc7516_parts());
    for (size_t i = 0; i < SB_ARRAY_LEN(algs); i++)
        ck_assert_int_eq(pkey_alg_fits(k, algs[i].alg), algs[i].alg < PKEY_ES256);
    ck_assert(!pkey_alg_fits(k, PKEY_ALG_NONE));
    pkey_unref(k);
}
END_TEST

/* ---- encryption ---- */

static const struct {
    enum pkey_alg alg;
    size_t most;
} blocks[] = {{PKEY_RSA1_5, 245}, {PKEY_RSA_OAEP, 214}, {PKEY_RSA_OAEP_256, 190}};

START_TEST(test_pkey__encrypt_and_decrypt)
{
    enum pkey_alg alg = blocks[_i].alg;
    struct pkey *k = imported(rfc7516_parts());
    struct sb_blob sealed = {0}, again = {0}, got = {0}, none = {0};
    uint8_t plain[300];
    memset(plain, 7, sizeof plain);
    for (size_t n = 1; n <= blocks[_i].most; n += blocks[_i].most - 1) {
        ck_assert_int_eq(pkey_encrypt(k, alg, plain, n, arena, &sealed, NULL), SB_OK);
        ck_assert_uint_eq(sealed.n, 256);
        ck_assert_int_eq(pkey_decrypt(k, alg, sealed.p, sealed.n, arena, &got, NULL), SB_OK);
        same_blob(got, (struct sb_blob){plain, n});
    }
    ck_assert_int_eq(pkey_encrypt(k, alg, plain, blocks[_i].most, arena, &again, NULL), SB_OK);
    ck_assert_mem_ne(again.p, sealed.p, 256);
    ck_assert_int_eq(pkey_encrypt(k, alg, plain, blocks[_i].most + 1, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_encrypt(k, PKEY_RS256, plain, 32, arena, &none, NULL), SB_EBADPARAM);
    ck_assert_ptr_null(none.p);
    pkey_unref(k);
}
END_TEST

/* Whatever is wrong, the answer is the same. RSA1_5 is left out where a changed block may decrypt to
 * something. */
START_TEST(test_pkey__failed_decryption_tells_nothing)
{
    struct pkey *k = imported(rfc7516_parts()), *other = NULL, *pub = imported(public_of(k));
    struct sb_blob sealed = {0}, none = {0};
    ck_assert_int_eq(pkey_generate_rsa(2048, &other, NULL), SB_OK);
    ck_assert_int_eq(pkey_encrypt(k, PKEY_RSA_OAEP_256, "x", 1, arena, &sealed, NULL), SB_OK);
    uint8_t *bad = arena_memdup(arena, sealed.p, sealed.n), *big = arena_alloc(arena, 1000);
    bad[100] ^= 1;
    memset(big, 0xff, 1000);
    const struct {
        struct pkey *k;
        enum pkey_alg alg;
        struct sb_blob in;
    } rows[] = {
        {k, PKEY_RSA_OAEP_256, {bad, 256}},
        {k, PKEY_RSA_OAEP, sealed},
        {other, PKEY_RSA_OAEP_256, sealed},
        {pub, PKEY_RSA_OAEP_256, sealed},
        {k, PKEY_RSA_OAEP_256, {sealed.p, 255}},
        {k, PKEY_RSA_OAEP_256, {big, 256}},
        {k, PKEY_RSA_OAEP_256, {big, 1000}},
        {k, PKEY_RSA_OAEP_256, {NULL, 0}},
        {k, PKEY_RSA1_5, {big, 256}},
        {k, PKEY_ES256, sealed},
        {k, PKEY_RS256, sealed},
        {k, PKEY_ALG_NONE, sealed},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct sb_error err = {0};
        ck_assert_int_eq(pkey_decrypt(rows[i].k, rows[i].alg, rows[i].in.p, rows[i].in.n, arena, &none, &err),
                         SB_EBADPARAM);
        ck_assert_str_eq(err.detail, fixed_text);
        ck_assert_ptr_null(none.p);
    }
    pkey_unref(pub);
    pkey_unref(other);
    pkey_unref(k);
}
END_TEST

START_TEST(test_pkey__wraps_keys)
{
    struct pkey *k = imported(rfc7516_parts());
    struct cmem_key *secret = NULL, *got = NULL, *none = NULL;
    struct sb_blob wrapped = {0};
    ck_assert_int_eq(cmem_key_random(&secret, NULL), SB_OK);
    ck_assert_int_eq(pkey_wrap_cmem(k, secret, arena, &wrapped, NULL), SB_OK);
    ck_assert_int_eq(pkey_unwrap_cmem(k, wrapped.p, wrapped.n, &got, NULL), SB_OK);
    ck_assert(cmem_equal(secret->b, got->b, CMEM_KEY_LEN));
    uint8_t *bad = arena_memdup(arena, wrapped.p, wrapped.n);
    bad[200] ^= 4;
    struct sb_error err = {0};
    ck_assert_int_eq(pkey_unwrap_cmem(k, bad, wrapped.n, &none, &err), SB_EBADPARAM);
    ck_assert_str_eq(err.detail, fixed_text);
    ck_assert_int_eq(pkey_encrypt(k, PKEY_RSA_OAEP_256, "too short for a key", 19, arena, &wrapped, NULL),
                     SB_OK);
    ck_assert_int_eq(pkey_unwrap_cmem(k, wrapped.p, wrapped.n, &none, NULL), SB_ETAMPER);
    ck_assert_ptr_null(none);
    cmem_key_free(secret);
    cmem_key_free(got);
    pkey_unref(k);
}
END_TEST

/* ---- threads ---- */

static void *hammer(void *arg)
{
    struct pkey *k = arg;
    struct sb_arena *a = arena_new(1u << 20);
    const char *bad = NULL;
    for (int i = 0; i < 40 && !bad; i++) {
        struct sb_blob sealed = {0}, got = {0}, sig = {0};
        uint8_t digest[32] = {(uint8_t)i};
        bool good = false;
        if (pkey_encrypt(k, PKEY_RSA_OAEP_256, &i, sizeof i, a, &sealed, NULL) != SB_OK ||
            pkey_decrypt(k, PKEY_RSA_OAEP_256, sealed.p, sealed.n, a, &got, NULL) != SB_OK ||
            got.n != sizeof i || memcmp(got.p, &i, sizeof i) != 0)
            bad = "encryption";
        else if (pkey_sign(k, PKEY_PS256, digest, 32, a, &sig, NULL) != SB_OK ||
                 pkey_verify(k, PKEY_PS256, digest, 32, sig.p, sig.n, &good, NULL) != SB_OK || !good)
            bad = "signature";
    }
    arena_free(a);
    pkey_unref(k);
    return bad ? k : NULL;
}

START_TEST(test_pkey__many_threads_on_one_key)
{
    struct pkey *k = imported(rfc7516_parts());
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, hammer, pkey_ref(k)), 0);
    for (int i = 0; i < 4; i++) {
        void *bad = NULL;
        pthread_join(t[i], &bad);
        ck_assert_ptr_null(bad);
    }
    pkey_unref(k);
}
END_TEST

static void add_command_tests(Suite *s)
{
    TCase *t = tcase_create("openssl command");
    tcase_add_checked_fixture(t, dir_setup, dir_teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_pkey__encryption_agrees_with_the_openssl_command);
    tcase_add_test(t, test_pkey__rsa_signatures_agree_with_the_openssl_command);
    tcase_add_loop_test(t, test_pkey__imports_ec_keys_of_the_openssl_command, 0, 4);
    suite_add_tcase(s, t);
}

Suite *unit_suite(void)
{
    Suite *s = suite_create("pkey");
    TCase *t = tcase_create("pkey");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_pkey__algorithm_names, 0, (int)SB_ARRAY_LEN(algs));
    tcase_add_test(t, test_pkey__unknown_names);
    tcase_add_test(t, test_pkey__known_oaep);
    tcase_add_test(t, test_pkey__known_es256);
    tcase_add_loop_test(t, test_pkey__sign_and_verify, 3,
                        (int)SB_ARRAY_LEN(algs)); /* the first three encrypt */
    tcase_add_loop_test(t, test_pkey__algorithms_fit_their_keys, 0, 4);
    tcase_add_loop_test(t, test_pkey__encrypt_and_decrypt, 0, (int)SB_ARRAY_LEN(blocks));
    tcase_add_test(t, test_pkey__failed_decryption_tells_nothing);
    tcase_add_test(t, test_pkey__wraps_keys);
    tcase_add_test(t, test_pkey__many_threads_on_one_key);
    suite_add_tcase(s, t);
    add_command_tests(s);
    return s;
}
