/* clientcert.c: reading X.509 certificates of clients. */
#include "crypto/clientcert.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define CERT_MAX    65536u
#define RSA_LEN_MAX 512u
#define SUBJECT_MAX 512

/* The PEM code must not ask for a passphrase at the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *cookie)
{
    SB_UNUSED(buf), SB_UNUSED(size), SB_UNUSED(rwflag), SB_UNUSED(cookie);
    return -1;
}

static X509 *parse(const void *p, size_t n)
{
    const unsigned char *der = p;
    X509 *cert = d2i_X509(NULL, &der, (long)n);
    if (cert)
        return cert;
    BIO *bio = BIO_new_mem_buf(p, (int)n);
    cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return cert;
}

static struct sb_blob number(const EVP_PKEY *key, const char *name, struct sb_arena *a)
{
    BIGNUM *bn = NULL;
    struct sb_blob ret = {0};
    if (EVP_PKEY_get_bn_param(key, name, &bn) == 1 && BN_num_bytes(bn) <= (int)RSA_LEN_MAX) {
        uint8_t *to = arena_alloc(a, (size_t)BN_num_bytes(bn));
        if (to)
            ret = (struct sb_blob){to, (size_t)BN_bn2bin(bn, to)};
    }
    BN_free(bn);
    return ret;
}

static enum sb_err read_key(X509 *cert, struct sb_arena *a, struct clientcert *c, struct sb_error *err)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);
    if (!key || !EVP_PKEY_is_a(key, "RSA"))
        return sb_fail(err, SB_EBADPARAM, "the certificate's key is not RSA");
    const struct pkey_parts parts = {.type = PKEY_RSA,
                                     .n = number(key, OSSL_PKEY_PARAM_RSA_N, a),
                                     .e = number(key, OSSL_PKEY_PARAM_RSA_E, a)};
    return pkey_import(&parts, &c->key, err);
}

static bool seconds(const ASN1_TIME *t, int64_t *ret)
{
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = epoch && ASN1_TIME_diff(&days, &rest, epoch, t) == 1;
    ASN1_TIME_free(epoch);
    *ret = (int64_t)days * 86400 + rest;
    return ok;
}

static bool read_der(X509 *cert, struct sb_arena *a, struct clientcert *c)
{
    int n = i2d_X509(cert, NULL);
    uint8_t *der = n > 0 ? arena_alloc(a, (size_t)n) : NULL, *to = der;
    if (!der || i2d_X509(cert, &to) != n)
        return false;
    c->der = (struct sb_blob){der, (size_t)n};
    return EVP_Digest(der, (size_t)n, c->sha1, NULL, EVP_sha1(), NULL) == 1 &&
           EVP_Digest(der, (size_t)n, c->sha256, NULL, EVP_sha256(), NULL) == 1;
}

static bool read_subject(X509 *cert, struct sb_arena *a, struct clientcert *c)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
        char *p = NULL;
        long n = BIO_get_mem_data(bio, &p);
        text = arena_strndup(a, n > 0 ? p : "", n > 0 ? SB_MIN((size_t)n, (size_t)SUBJECT_MAX) : 0);
    }
    BIO_free(bio);
    c->subject = text;
    return text != NULL;
}

enum sb_err clientcert_read(const void *p, size_t n, struct sb_arena *a, struct clientcert *ret,
                            struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct clientcert c = {0};
    X509 *cert = n > 0 && n <= CERT_MAX ? parse(p, n) : NULL;
    if (!cert) {
        rc = sb_fail(err, SB_EBADPARAM, "it is not an X.509 certificate, as PEM or DER");
        goto out;
    }
    SB_TRY(read_key(cert, a, &c, err));
    if (!read_der(cert, a, &c) || !read_subject(cert, a, &c) ||
        !seconds(X509_get0_notBefore(cert), &c.not_before) ||
        !seconds(X509_get0_notAfter(cert), &c.not_after)) {
        pkey_unref(c.key);
        rc = sb_fail(err, SB_EBADPARAM, "the certificate cannot be read");
        goto out;
    }
    *ret = c;
out:
    ERR_clear_error();
    X509_free(cert);
    return rc;
}
