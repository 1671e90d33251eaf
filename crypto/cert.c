/*
 * cert.c: a CA that can vouch for the emulator's names only, and the server certificate signed by it. Users
 * trust this CA, so its name constraints are critical, list every permitted name, and its key is gone after
 * one signature.
 */
#include "crypto/cert.h"
#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include "crypto/cmem.h"
#include "crypto/rng.h"
#include "server/base/clock.h"
#include "server/base/text.h"

#define SERIAL_LEN   16
#define EXT_MAX      65536u
#define SKEW_SECONDS 3600L /* clients' clocks may be behind */
#define DAYS_MAX     36500
#define HOST_MAX     253u

struct extension {
    int nid;
    const char *value;
};

static enum sb_err failed(struct sb_error *err, enum sb_err code, const char *text)
{
    ERR_clear_error();
    return sb_fail(err, code, "%s", text);
}

/* ---- names as OpenSSL's extension texts ---- */

/* The texts below separate names by commas, so a name must not contain one. */
static bool dns_valid(const char *s)
{
    size_t n = strnlen(s, HOST_MAX + 1);
    if (n == 0 || n > HOST_MAX)
        return false;
    for (; *s; s++) {
        char c = text_lower(*s);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
              c == '*'))
            return false;
    }
    return true;
}

/* 4 or 16 for an IP address, else 0. */
static size_t ip_length(const char *s)
{
    uint8_t b[16];
    if (inet_pton(AF_INET, s, b) == 1)
        return 4;
    return inet_pton(AF_INET6, s, b) == 1 ? 16 : 0;
}

static bool names_valid(const struct cert_names *names)
{
    bool ok = names->dns_n + names->ip_n > 0 && names->permitted_n > 0;
    for (size_t i = 0; ok && i < names->dns_n; i++)
        ok = dns_valid(names->dns[i]);
    for (size_t i = 0; ok && i < names->permitted_n; i++)
        ok = dns_valid(names->permitted[i]);
    for (size_t i = 0; ok && i < names->ip_n; i++)
        ok = ip_length(names->ip[i]) != 0;
    return ok;
}

static void put_alt_names(const struct cert_names *names, struct sb_buf *b)
{
    for (size_t i = 0; i < names->dns_n; i++)
        buf_addf(b, "%sDNS:%s", b->n ? "," : "", names->dns[i]);
    for (size_t i = 0; i < names->ip_n; i++)
        buf_addf(b, "%sIP:%s", b->n ? "," : "", names->ip[i]);
}

/* A kind of name of which none is listed would be unconstrained: with no IP address all of them are excluded.
 */
static void put_constraints(const struct cert_names *names, struct sb_buf *b)
{
    buf_adds(b, "critical");
    for (size_t i = 0; i < names->permitted_n; i++)
        buf_addf(b, ",permitted;DNS:%s", names->permitted[i]);
    for (size_t i = 0; i < names->ip_n; i++) {
        const char *mask =
            ip_length(names->ip[i]) == 4 ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        buf_addf(b, ",permitted;IP:%s/%s", names->ip[i], mask);
    }
    if (names->ip_n == 0)
        buf_adds(b, ",excluded;IP:0.0.0.0/0.0.0.0,excluded;IP:::/::");
}

/* ---- building ---- */

static bool set_serial(X509 *cert)
{
    uint8_t b[SERIAL_LEN];
    rng_bytes(b, sizeof b);
    b[0] = (uint8_t)((b[0] & 0x7f) | 0x40); /* positive, and of full length */
    BIGNUM *bn = BN_bin2bn(b, sizeof b, NULL);
    bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
    BN_free(bn);
    return ok;
}

static bool set_validity(X509 *cert, int days)
{
    time_t now = (time_t)(clock_machine_now() / 1000);
    return X509_time_adj_ex(X509_getm_notBefore(cert), 0, -SKEW_SECONDS, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, &now);
}

static bool set_name(X509_NAME *name, const char *cn)
{
    const unsigned char *org = (const unsigned char *)"sealedbus";
    return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, org, -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0) == 1;
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct extension *list, size_t n)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, list[i].nid, list[i].value);
        bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
        X509_EXTENSION_free(ext);
        if (!ok)
            return false;
    }
    return true;
}

/* A certificate without extensions; issuer NULL: its own. */
static X509 *new_cert(EVP_PKEY *key, const X509 *issuer, const char *cn, int days)
{
    X509 *cert = X509_new();
    bool ok = cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
              set_validity(cert, days) && set_name(X509_get_subject_name(cert), cn) &&
              X509_set_pubkey(cert, key) == 1 &&
              X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1;
    if (ok)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *make_ca(EVP_PKEY *key, const struct cert_names *names, int days)
{
    struct sb_buf constraints;
    buf_init(&constraints, EXT_MAX);
    put_constraints(names, &constraints);
    const struct extension list[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign"},
        {NID_subject_key_identifier, "hash"},
        {NID_name_constraints, buf_str(&constraints)},
    };
    /* Each CA has its own name: a client that trusts two must not try the wrong key. */
    char id[33], cn[48];
    rng_hex32(id);
    snprintf(cn, sizeof cn, "sealedbus local CA %.8s", id);
    X509 *ca = new_cert(key, NULL, cn, days);
    if (ca && (buf_failed(&constraints) || !add_extensions(ca, ca, list, SB_ARRAY_LEN(list)) ||
               X509_sign(ca, key, EVP_sha256()) <= 0)) {
        X509_free(ca);
        ca = NULL;
    }
    buf_done(&constraints);
    return ca;
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const struct cert_names *names, int days)
{
    struct sb_buf alt;
    buf_init(&alt, EXT_MAX);
    put_alt_names(names, &alt);
    const struct extension list[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {NID_subject_alt_name, buf_str(&alt)},
    };
    X509 *cert = new_cert(key, ca, "sealedbus", days);
    if (cert && (buf_failed(&alt) || !add_extensions(cert, ca, list, SB_ARRAY_LEN(list)) ||
                 X509_sign(cert, ca_key, EVP_sha256()) <= 0)) {
        X509_free(cert);
        cert = NULL;
    }
    buf_done(&alt);
    return cert;
}

/* ---- PEM ---- */

static bool drain(BIO *bio, struct sb_buf *out)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    return n > 0 && buf_add(out, p, (size_t)n) == SB_OK;
}

static bool put_cert(X509 *cert, struct sb_buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_X509(bio, cert) == 1 && drain(bio, out);
    BIO_free(bio);
    return ok;
}

static bool put_key(EVP_PKEY *key, struct sb_buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool ok = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1 && drain(bio, out);
    BIO_free(bio);
    return ok;
}

enum sb_err cert_make(const struct cert_names *names, int days, struct sb_buf *ca_pem,
                      struct sb_buf *cert_pem, struct sb_buf *key_pem, struct sb_error *err)
{
    if (days < 1 || days > DAYS_MAX || !names_valid(names))
        return sb_fail(err, SB_EINVAL, "a certificate needs valid names and 1 to %d days", DAYS_MAX);
    enum sb_err rc = SB_OK;
    X509 *ca = NULL, *cert = NULL;
    EVP_PKEY *ca_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    if (ca_key && key)
        ca = make_ca(ca_key, names, days);
    if (ca)
        cert = make_server(key, ca, ca_key, names, days);
    if (!cert || !put_cert(ca, ca_pem) || !put_cert(cert, cert_pem) || !put_key(key, key_pem))
        rc = failed(err, SB_ECRYPTO, "the certificate cannot be made");
    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}

/* ---- checking ---- */

/* The PEM code must not ask for a passphrase at the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *cookie)
{
    SB_UNUSED(buf), SB_UNUSED(size), SB_UNUSED(rwflag), SB_UNUSED(cookie);
    return -1;
}

static X509 *read_cert(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return cert;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static bool lasts(const X509 *cert, int min_days)
{
    time_t now = (time_t)(clock_machine_now() / 1000);
    time_t until = now + (time_t)min_days * 86400;
    return X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 &&
           X509_cmp_time(X509_get0_notAfter(cert), &until) > 0;
}

/* The first name that the certificate lacks, or NULL. A wildcard is looked up as the name that it is. */
static const char *missing_name(X509 *cert, const struct cert_names *names)
{
    for (size_t i = 0; i < names->dns_n; i++) {
        if (X509_check_host(cert, names->dns[i], 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) != 1)
            return names->dns[i];
    }
    for (size_t i = 0; i < names->ip_n; i++) {
        if (X509_check_ip_asc(cert, names->ip[i], 0) != 1)
            return names->ip[i];
    }
    return NULL;
}

/* By the holder of this CA's key? The CA has signed itself, so a change of it shows. */
static bool signed_by(X509 *cert, X509 *ca)
{
    EVP_PKEY *key = X509_get0_pubkey(ca);
    return key && X509_verify(ca, key) == 1 && X509_check_issued(ca, cert) == X509_V_OK &&
           X509_verify(cert, key) == 1;
}

/* X509_check_private_key compares public parts only, which stand in the key's file beside the private one. */
static bool fits(X509 *cert, EVP_PKEY *key)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = ctx && EVP_PKEY_pairwise_check(ctx) == 1 && X509_check_private_key(cert, key) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* How every P-256 key that put_key writes begins: the versions and algorithms of PKCS #8 and of the key in
 * it. */
static const char key_begin[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg";

/* OpenSSL reads over a wrong version number in a key's file, and writes it again; the TLS library does not.
 */
static bool as_written(EVP_PKEY *key, const char *pem)
{
    struct sb_buf b;
    buf_init(&b, EXT_MAX);
    bool ok = text_starts(pem, key_begin) &&
              EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                             OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1 &&
              put_key(key, &b) && b.n == strlen(pem) && cmem_equal(b.p, pem, b.n);
    buf_done(&b);
    return ok;
}

enum sb_err cert_check(const char *ca_pem, const char *cert_pem, const char *key_pem,
                       const struct cert_names *names, int min_days, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    X509 *ca = read_cert(ca_pem), *cert = read_cert(cert_pem);
    EVP_PKEY *key = read_key(key_pem);
    const char *missing = cert ? missing_name(cert, names) : NULL;
    if (!ca || !cert || !key)
        rc = failed(err, SB_EINVAL, "the CA, the certificate or its key is not PEM");
    else if (!as_written(key, key_pem))
        rc = failed(err, SB_EINVAL, "the key's file was changed");
    else if (!fits(cert, key))
        rc = failed(err, SB_EINVAL, "the key is not the certificate's");
    else if (!signed_by(cert, ca))
        rc = failed(err, SB_EINVAL, "the certificate is not the CA's, or the CA was changed");
    else if (!lasts(cert, min_days))
        rc = failed(err, SB_EINVAL, "the certificate has expired, is about to, or is not valid yet");
    else if (missing)
        rc = sb_fail(err, SB_EINVAL, "the certificate is not for %s", missing);
    ERR_clear_error();
    EVP_PKEY_free(key);
    X509_free(cert);
    X509_free(ca);
    return rc;
}
