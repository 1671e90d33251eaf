/* test_clientcert.c: what is read of a certificate, and what is none. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include "crypto/clientcert.h"
#include "crypto/cmem.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct sb_error err;

static void setup(void)
{
    ck_assert_int_eq(cmem_init(&err), SB_OK);
    arena = arena_new(1u << 20);
}

static void teardown(void)
{
    arena_free(arena);
}

/* A self-signed certificate from 2001-09-09T01:46:40Z for a day, as DER; pem gets the key and then the
 * certificate. */
static struct sb_blob make(const char *type, const char *group, BIO *pem)
{
    EVP_PKEY *key = strcmp(type, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)2048)
                                             : EVP_PKEY_Q_keygen(NULL, NULL, type, group);
    X509 *x = X509_new();
    ck_assert(X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, key) == 1);
    ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notBefore(x), 1000000000));
    ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notAfter(x), 1000086400));
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               (const unsigned char *)"tea, \"pot\"", -1, -1, 0);
    ck_assert_int_gt(X509_sign(x, key, EVP_sha256()), 0);
    uint8_t *der = NULL;
    int n = i2d_X509(x, &der);
    struct sb_blob ret = {arena_alloc(arena, (size_t)n), (size_t)n};
    memcpy((void *)(uintptr_t)ret.p, der, (size_t)n);
    OPENSSL_free(der);
    if (pem != NULL) {
        ck_assert_int_eq(PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL), 1);
        ck_assert_int_eq(PEM_write_bio_X509(pem, x), 1);
    }
    X509_free(x);
    EVP_PKEY_free(key);
    return ret;
}

START_TEST(der_and_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem = NULL;
    struct sb_blob der = make("RSA", NULL, bio);
    size_t n = (size_t)BIO_get_mem_data(bio, &pem);
    for (size_t i = 0; i < 2; i++) {
        struct clientcert c;
        uint8_t sha1[20], sha256[32];
        enum sb_err rc = i == 0 ? clientcert_read(der.p, der.n, arena, &c, &err)
                                : clientcert_read(pem, n, arena, &c, &err);
        ck_assert_msg(rc == SB_OK, "%s", err.detail);
        ck_assert_int_eq(pkey_bits(c.key), 2048);
        ck_assert_uint_eq(c.der.n, der.n);
        ck_assert_int_eq(memcmp(c.der.p, der.p, der.n), 0);
        EVP_Digest(der.p, der.n, sha1, NULL, EVP_sha1(), NULL);
        EVP_Digest(der.p, der.n, sha256, NULL, EVP_sha256(), NULL);
        ck_assert_int_eq(memcmp(c.sha1, sha1, 20), 0);
        ck_assert_int_eq(memcmp(c.sha256, sha256, 32), 0);
        ck_assert_str_eq(c.subject, "CN=tea\\, \\\"pot\\\"");
        ck_assert_int_eq(c.not_before, 1000000000);
        ck_assert_int_eq(c.not_after, 1000086400);
        pkey_unref(c.key);
    }
    BIO_free(bio);
}
END_TEST

START_TEST(what_is_none)
{
    struct clientcert c = {.key = NULL};
    struct sb_blob ec = make("EC", "P-256", NULL), rsa = make("RSA", NULL, NULL);
    ck_assert_int_eq(clientcert_read(ec.p, ec.n, arena, &c, &err), SB_EBADPARAM);
    ck_assert_ptr_nonnull(strstr(err.detail, "not RSA"));
    ck_assert_int_eq(clientcert_read(rsa.p, rsa.n - 1, arena, &c, &err), SB_EBADPARAM);
    ck_assert_int_eq(clientcert_read("", 0, arena, &c, &err), SB_EBADPARAM);
    ck_assert_int_eq(clientcert_read("x", 1, arena, &c, &err), SB_EBADPARAM);
    static char huge[70000];
    ck_assert_int_eq(clientcert_read(huge, sizeof huge, arena, &c, &err), SB_EBADPARAM);
    static const char pem[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    ck_assert_int_eq(clientcert_read(pem, sizeof pem - 1, arena, &c, &err), SB_EBADPARAM);
    ck_assert_ptr_null(c.key);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("clientcert");
    TCase *t = tcase_create("clientcert");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, der_and_pem);
    tcase_add_test(t, what_is_none);
    suite_add_tcase(s, t);
    return s;
}
