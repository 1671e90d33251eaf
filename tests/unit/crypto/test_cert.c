/* test_cert.c: the certificates as OpenSSL's own verifier and command see them, and what cert_check refuses.
 */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "crypto/cert.h"
#include "crypto/cmem.h"
#include "server/base/clock.h"
#include "tests/unit/unit.h"

static const char *const dns[] = {"localhost", "*.servicebus.windows.net", "management.azure.com"};
static const char *const ips[] = {"127.0.0.1", "::1"};
static const char *const permitted[] = {"localhost", "servicebus.windows.net", "management.azure.com"};
static const struct cert_names names = {dns, 3, ips, 2, permitted, 3};

static struct sb_buf ca_pem, cert_pem, key_pem;
static X509 *ca, *cert;

static X509 *parse(const struct sb_buf *pem)
{
    BIO *bio = BIO_new_mem_buf(pem->p, (int)pem->n);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ck_assert_ptr_nonnull(x);
    return x;
}

static void make(const struct cert_names *n, int days)
{
    struct sb_error err = {0};
    ck_assert_msg(cert_make(n, days, &ca_pem, &cert_pem, &key_pem, &err) == SB_OK, "%s", err.detail);
    ca = parse(&ca_pem);
    cert = parse(&cert_pem);
}

static void drop(void)
{
    X509_free(ca);
    X509_free(cert);
    ca = cert = NULL;
    buf_done(&ca_pem);
    buf_done(&cert_pem);
    buf_done(&key_pem);
}

static void setup(void)
{
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
    buf_init(&ca_pem, 65536);
    buf_init(&cert_pem, 65536);
    buf_init(&key_pem, 65536);
}

static void teardown(void)
{
    drop();
    cmem_shutdown();
}

/* X509_V_OK, or why the leaf is not trusted with `root` as the only trusted one. */
static int verify(X509 *root, X509 *leaf, const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    ck_assert_int_eq(X509_STORE_add_cert(store, root), 1);
    ck_assert_int_eq(X509_STORE_CTX_init(ctx, store, leaf, NULL), 1);
    X509_STORE_CTX_set_default(ctx, "ssl_server");
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_X509_STRICT);
    if (host)
        X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(ctx), host, 0);
    int ok = X509_verify_cert(ctx);
    int why = X509_STORE_CTX_get_error(ctx);
    ck_assert_int_eq(ok == 1, why == X509_V_OK);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return why;
}

START_TEST(test_cert__chain_is_trusted_for_its_names)
{
    make(&names, 90);
    ck_assert_int_eq(verify(ca, cert, NULL), X509_V_OK);
    ck_assert_int_eq(verify(ca, cert, "contoso.servicebus.windows.net"), X509_V_OK);
    ck_assert_int_eq(verify(ca, cert, "localhost"), X509_V_OK);
    ck_assert_int_eq(verify(ca, cert, "servicebus.windows.net"), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verify(ca, cert, "a.b.servicebus.windows.net"), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(verify(ca, cert, "example.com"), X509_V_ERR_HOSTNAME_MISMATCH);
    ck_assert_int_eq(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(cert, "::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(cert, "127.0.0.2", 0), 0);
}
END_TEST

START_TEST(test_cert__extensions)
{
    make(&names, 90);
    ck_assert_int_eq(X509_check_ca(ca), 1);
    ck_assert_int_eq(X509_check_ca(cert), 0);
    ck_assert_int_eq(X509_get_pathlen(ca), 0);
    ck_assert_uint_eq(X509_get_key_usage(ca), KU_KEY_CERT_SIGN);
    ck_assert_uint_eq(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(X509_get_extended_key_usage(cert), XKU_SSL_SERVER);
    ck_assert_ptr_nonnull(X509_get0_subject_key_id(ca));
    ck_assert_ptr_nonnull(X509_get0_subject_key_id(cert));
    ck_assert_int_eq(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert), X509_get0_subject_key_id(ca)),
                     0);
    static const int critical[] = {NID_name_constraints, NID_basic_constraints, NID_key_usage};
    for (size_t i = 0; i < 3; i++) {
        int at = X509_get_ext_by_NID(ca, critical[i], -1);
        ck_assert_int_ge(at, 0);
        ck_assert_int_eq(X509_EXTENSION_get_critical(X509_get_ext(ca, at)), 1);
    }
    EVP_PKEY *pub = X509_get0_pubkey(cert);
    ck_assert(EVP_PKEY_is_a(pub, "EC"));
    ck_assert_int_eq(EVP_PKEY_get_bits(pub), 256);
}
END_TEST

START_TEST(test_cert__dates_and_serials)
{
    make(&names, 90);
    time_t now = (time_t)(clock_machine_now() / 1000);
    time_t before = now + 90 * 86400 - 3600, after = now + 90 * 86400 + 3600;
    for (int i = 0; i < 2; i++) {
        X509 *x = i ? ca : cert;
        ck_assert_int_lt(X509_cmp_time(X509_get0_notBefore(x), &now), 0);
        ck_assert_int_gt(X509_cmp_time(X509_get0_notAfter(x), &before), 0);
        ck_assert_int_lt(X509_cmp_time(X509_get0_notAfter(x), &after), 0);
        ck_assert_int_eq(ASN1_STRING_length(X509_get0_serialNumber(x)), 16);
    }
    X509 *old_ca = X509_dup(ca), *old = X509_dup(cert);
    drop();
    make(&names, 90);
    ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(old), X509_get0_serialNumber(cert)), 0);
    ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(old_ca), X509_get0_serialNumber(ca)), 0);
    ck_assert_int_ne(verify(old_ca, cert, NULL), X509_V_OK);
    X509_free(old);
    X509_free(old_ca);
}
END_TEST

/* The CA does not vouch for names outside its constraints, whatever is signed with it. */
START_TEST(test_cert__constraints_bind)
{
    static const char *const other_dns[] = {"www.example.com"}, *const other_ip[] = {"10.0.0.1"};
    static const struct cert_names dns_outside = {other_dns, 1, ips, 1, permitted, 3};
    static const struct cert_names no_ip = {dns, 3, NULL, 0, permitted, 3};
    make(&dns_outside, 90);
    ck_assert_int_eq(verify(ca, cert, NULL), X509_V_ERR_PERMITTED_VIOLATION);
    drop();
    make(&no_ip, 90);
    ck_assert_int_eq(verify(ca, cert, NULL), X509_V_OK);
    /* With no address listed, every address is excluded. */
    NAME_CONSTRAINTS *nc = X509_get_ext_d2i(ca, NID_name_constraints, NULL, NULL);
    ck_assert_ptr_nonnull(nc);
    ck_assert_int_eq(sk_GENERAL_SUBTREE_num(nc->permittedSubtrees), 3);
    ck_assert_int_eq(sk_GENERAL_SUBTREE_num(nc->excludedSubtrees), 2);
    X509 *forged = X509_dup(cert);
    GENERAL_NAMES *alt = GENERAL_NAMES_new();
    GENERAL_NAME *ip = a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_IPADD, other_ip[0], 0);
    sk_GENERAL_NAME_push(alt, ip);
    ck_assert_int_eq(X509_add1_ext_i2d(forged, NID_subject_alt_name, alt, 0, X509V3_ADD_REPLACE), 1);
    X509_check_purpose(forged, -1, 0); /* makes OpenSSL read the extensions */
    ck_assert_int_eq(NAME_CONSTRAINTS_check(forged, nc), X509_V_ERR_EXCLUDED_VIOLATION);
    GENERAL_NAMES_free(alt);
    NAME_CONSTRAINTS_free(nc);
    X509_free(forged);
}
END_TEST

static const char *const bad_dns[] = {"", "a,DNS:evil.example", "a b", "a:b", "a/b", "a\nb", "\xc3\xa4.de"};

START_TEST(test_cert__bad_names_are_refused)
{
    const char *one[] = {bad_dns[_i]};
    const struct cert_names as_dns = {one, 1, NULL, 0, permitted, 3},
                            as_permitted = {dns, 1, NULL, 0, one, 1};
    const struct cert_names as_ip = {dns, 1, one, 1, permitted, 3};
    struct sb_error err = {0};
    ck_assert_int_eq(cert_make(&as_dns, 90, &ca_pem, &cert_pem, &key_pem, &err), SB_EINVAL);
    ck_assert_int_eq(cert_make(&as_permitted, 90, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_make(&as_ip, 90, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    ck_assert_uint_eq(ca_pem.n + cert_pem.n + key_pem.n, 0);
}
END_TEST

START_TEST(test_cert__bad_requests_are_refused)
{
    static const struct cert_names nothing = {0}, unconstrained = {dns, 1, NULL, 0, NULL, 0};
    struct sb_buf small;
    ck_assert_int_eq(cert_make(&names, 0, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_make(&names, 1000000, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_make(&nothing, 90, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_make(&unconstrained, 90, &ca_pem, &cert_pem, &key_pem, NULL), SB_EINVAL);
    buf_init(&small, 10);
    ck_assert_int_ne(cert_make(&names, 90, &small, &cert_pem, &key_pem, NULL), SB_OK);
    ck_assert(buf_failed(&small));
    buf_done(&small);
}
END_TEST

START_TEST(test_cert__check)
{
    static const char *const more_dns[] = {"localhost", "*.vault.azure.net"}, *const more_ip[] = {"127.0.0.1",
                                                                                                  "10.0.0.1"};
    static const struct cert_names with_dns = {more_dns, 2, ips, 2, permitted, 3},
                                   with_ip = {dns, 3, more_ip, 2, permitted, 3};
    struct sb_error err = {0};
    make(&names, 90);
    const char *a = buf_str(&ca_pem), *c = buf_str(&cert_pem), *k = buf_str(&key_pem);
    ck_assert_msg(cert_check(a, c, k, &names, 30, &err) == SB_OK, "%s", err.detail);
    ck_assert_int_eq(cert_check(a, c, k, &names, 89, NULL), SB_OK);
    ck_assert_int_eq(cert_check(a, c, k, &names, 91, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check(a, c, k, &with_dns, 30, &err), SB_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.detail, "*.vault.azure.net"));
    ck_assert_int_eq(cert_check(a, c, k, &with_ip, 30, &err), SB_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.detail, "10.0.0.1"));
    ck_assert_int_eq(cert_check(a, "", k, &names, 30, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check(a, c, "", &names, 30, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check(a, k, c, &names, 30, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check(a, a, k, &names, 30, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check("", c, k, &names, 30, NULL), SB_EINVAL);
    ck_assert_int_eq(cert_check(c, c, k, &names, 30, NULL), SB_EINVAL);
    char *other_ca = strdup(a), *other_cert = strdup(c), *other_key = strdup(k);
    drop();
    make(&names, 90);
    a = buf_str(&ca_pem);
    ck_assert_int_eq(cert_check(a, buf_str(&cert_pem), other_key, &names, 30, &err), SB_EINVAL);
    ck_assert_int_eq(cert_check(a, other_cert, other_key, &names, 30, &err), SB_EINVAL);
    ck_assert_int_eq(cert_check(other_ca, other_cert, other_key, &names, 30, NULL), SB_OK);
    free(other_ca);
    free(other_cert);
    free(other_key);
}
END_TEST

/* One bit anywhere between the lines of any of the three files; of the key, any bit at all. */
START_TEST(test_cert__check_sees_changes)
{
    struct sb_buf *files[] = {&ca_pem, &cert_pem, &key_pem};
    make(&names, 90);
    for (size_t i = 0; i < 3; i++) {
        for (size_t at = 30; at < files[i]->n - 30; at++) {
            files[i]->p[at] ^= 1;
            enum sb_err rc =
                cert_check(buf_str(&ca_pem), buf_str(&cert_pem), buf_str(&key_pem), &names, 30, NULL);
            ck_assert_msg(rc == SB_EINVAL, "file %zu, byte %zu", i, at);
            files[i]->p[at] ^= 1;
        }
    }
    for (size_t bit = 0; bit < key_pem.n * 8; bit++) {
        key_pem.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum sb_err rc =
            cert_check(buf_str(&ca_pem), buf_str(&cert_pem), buf_str(&key_pem), &names, 30, NULL);
        ck_assert_msg(rc == SB_EINVAL, "bit %zu of the key of %zu bytes", bit, key_pem.n);
        key_pem.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ck_assert_int_eq(cert_check(buf_str(&ca_pem), buf_str(&cert_pem), buf_str(&key_pem), &names, 30, NULL),
                     SB_OK);
}
END_TEST

START_TEST(test_cert__check_sees_expiry)
{
    make(&names, 1);
    ck_assert_int_eq(cert_check(buf_str(&ca_pem), buf_str(&cert_pem), buf_str(&key_pem), &names, 0, NULL),
                     SB_OK);
    ck_assert_int_eq(cert_check(buf_str(&ca_pem), buf_str(&cert_pem), buf_str(&key_pem), &names, 2, NULL),
                     SB_EINVAL);
}
END_TEST

/* A program of its own verifies the files. */
START_TEST(test_cert__openssl_command_verifies)
{
    char dir[] = "/tmp/sb-cert-XXXXXX"; /* lint: ok, for mkdtemp */
    char command[400], path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    make(&names, 90);
    const struct sb_buf *pems[] = {&ca_pem, &cert_pem, &key_pem};
    static const char *const files[] = {"ca.pem", "cert.pem", "key.pem"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        FILE *f = fopen(path, "w");
        ck_assert_uint_eq(fwrite(pems[i]->p, 1, pems[i]->n, f), pems[i]->n);
        fclose(f);
    }
    snprintf(command, sizeof command,
             "cd %s && openssl verify -x509_strict -purpose sslserver -verify_hostname "
             "x.servicebus.windows.net -CAfile ca.pem "
             "cert.pem >out 2>&1 && openssl pkey -in key.pem -check -noout >>out 2>&1",
             dir);
    int rc = system(command);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(rc, 0);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("cert");
    TCase *t = tcase_create("cert");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_cert__chain_is_trusted_for_its_names);
    tcase_add_test(t, test_cert__extensions);
    tcase_add_test(t, test_cert__dates_and_serials);
    tcase_add_test(t, test_cert__constraints_bind);
    tcase_add_loop_test(t, test_cert__bad_names_are_refused, 0, 7);
    tcase_add_test(t, test_cert__bad_requests_are_refused);
    tcase_add_test(t, test_cert__check);
    tcase_add_test(t, test_cert__check_sees_changes);
    tcase_add_test(t, test_cert__check_sees_expiry);
    tcase_add_test(t, test_cert__openssl_command_verifies);
    suite_add_tcase(s, t);
    return s;
}
