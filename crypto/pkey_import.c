/*
 * pkey_import.c: keys from JWK numbers, checked to belong together.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <string.h>
#include "crypto/pkey_priv.h"

#define E_MAX_BITS 64                      /* OpenSSL's own limit for long moduli */
#define NUMBER_MAX (PKEY_RSA_MAX_LEN + 16) /* some leading zeros are no harm */

enum { N, E, D, P, Q, DP, DQ, QI, RSA_NUMBERS };

static const char *const rsa_names[RSA_NUMBERS] = {
    OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
    OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
    OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

static const char not_together[] = "the numbers of the key do not belong together";

/* A number on the secure heap. */
static BIGNUM *number(struct sb_blob b)
{
    BIGNUM *bn = b.p && b.n && b.n <= NUMBER_MAX ? BN_secure_new() : NULL;
    if (bn && !BN_bin2bn(b.p, (int)b.n, bn)) {
        BN_clear_free(bn);
        bn = NULL;
    }
    if (bn)
        BN_set_flags(bn, BN_FLG_CONSTTIME);
    return bn;
}

/* Makes *exponent = d mod (prime - 1), if it is not there. */
static bool derive_exponent(BIGNUM **exponent, const BIGNUM *d, const BIGNUM *prime, BN_CTX *ctx)
{
    if (*exponent)
        return true;
    BIGNUM *less = BN_secure_new();
    *exponent = BN_secure_new();
    bool ok = less && *exponent && BN_sub(less, prime, BN_value_one());
    if (ok) {
        BN_set_flags(less, BN_FLG_CONSTTIME);
        ok = BN_mod(*exponent, d, less, ctx);
    }
    BN_clear_free(less);
    return ok;
}

static bool derive_crt(BIGNUM *bn[RSA_NUMBERS])
{
    BN_CTX *ctx = BN_CTX_secure_new();
    bool ok =
        ctx && derive_exponent(&bn[DP], bn[D], bn[P], ctx) && derive_exponent(&bn[DQ], bn[D], bn[Q], ctx);
    if (ok && !bn[QI]) {
        bn[QI] = BN_secure_new();
        ok = bn[QI] && BN_mod_inverse(bn[QI], bn[Q], bn[P], ctx);
    }
    BN_CTX_free(ctx);
    return ok;
}

static enum sb_err read_rsa(const struct pkey_parts *parts, BIGNUM *bn[RSA_NUMBERS], struct sb_error *err)
{
    const struct sb_blob blobs[RSA_NUMBERS] = {parts->n, parts->e,  parts->d,  parts->p,
                                               parts->q, parts->dp, parts->dq, parts->qi};
    for (size_t i = 0; i < RSA_NUMBERS; i++) {
        if (blobs[i].p && !(bn[i] = number(blobs[i])))
            return pkey_failed(err, SB_EBADPARAM, "a number of the RSA key is empty or too long");
    }
    if (!bn[N] || !bn[E])
        return pkey_failed(err, SB_EBADPARAM, "an RSA key needs n and e");
    if (BN_num_bits(bn[N]) < (int)PKEY_RSA_MIN_BITS || BN_num_bits(bn[N]) > (int)PKEY_RSA_MAX_BITS ||
        !BN_is_odd(bn[N]))
        return pkey_failed(err, SB_EBADPARAM, "the RSA modulus is even or has an unsupported length");
    if (!BN_is_odd(bn[E]) || BN_is_one(bn[E]) || BN_num_bits(bn[E]) > E_MAX_BITS)
        return pkey_failed(err, SB_EBADPARAM, "the RSA exponent must be odd, at least 3 and at most 64 bits");
    if (!bn[D]) {
        bool none = !bn[P] && !bn[Q] && !bn[DP] && !bn[DQ] && !bn[QI];
        return none ? SB_OK : pkey_failed(err, SB_EBADPARAM, "a private RSA key needs d");
    }
    if (!bn[P] || !bn[Q])
        return pkey_failed(err, SB_EBADPARAM, "a private RSA key needs p and q");
    return derive_crt(bn) ? SB_OK : pkey_failed(err, SB_EBADPARAM, not_together);
}

/* From a filled-in builder to a key; NULL if OpenSSL does not take it. */
static EVP_PKEY *from_builder(const char *type, OSSL_PARAM_BLD *bld, bool has_private)
{
    EVP_PKEY *evp = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    int selection = has_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY;
    if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &evp, selection, params) != 1) {
        EVP_PKEY_free(evp);
        evp = NULL;
    }
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return evp;
}

/* For RSA the pair check is the whole one: primes, n = pq, d, dp, dq, qi. */
static bool checked(EVP_PKEY *evp, bool has_private)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, evp, NULL);
    bool ok = ctx && EVP_PKEY_public_check(ctx) == 1 && (!has_private || EVP_PKEY_pairwise_check(ctx) == 1);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static EVP_PKEY *import_rsa(const struct pkey_parts *parts, struct sb_error *err)
{
    BIGNUM *bn[RSA_NUMBERS] = {NULL};
    EVP_PKEY *evp = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    bool ok = bld && read_rsa(parts, bn, err) == SB_OK;
    for (size_t i = 0; ok && i < RSA_NUMBERS; i++)
        ok = !bn[i] || OSSL_PARAM_BLD_push_BN(bld, rsa_names[i], bn[i]) == 1;
    if (ok)
        evp = from_builder("RSA", bld, bn[D] != NULL);
    for (size_t i = 0; i < RSA_NUMBERS; i++)
        BN_clear_free(bn[i]);
    OSSL_PARAM_BLD_free(bld);
    return evp;
}

/* Left-pads a coordinate to its full length. */
static bool put_coordinate(struct sb_blob b, uint8_t *dst, size_t len)
{
    while (b.n && *b.p == 0)
        b.p++, b.n--;
    if (b.n > len)
        return false;
    memset(dst, 0, len - b.n);
    if (b.n)
        memcpy(dst + len - b.n, b.p, b.n);
    return true;
}

static EVP_PKEY *import_ec(const struct pkey_parts *parts, struct sb_error *err)
{
    const struct pkey_curve_row *c = pkey_curve_row(parts->curve);
    uint8_t point[1 + 2 * 66] = {POINT_CONVERSION_UNCOMPRESSED};
    if (!c || !parts->x.p || !parts->y.p || !put_coordinate(parts->x, point + 1, c->len) ||
        !put_coordinate(parts->y, point + 1 + c->len, c->len)) {
        sb_fail(err, SB_EBADPARAM, "an EC key needs a known curve, x and y");
        return NULL;
    }
    EVP_PKEY *evp = NULL;
    BIGNUM *d = parts->d.p ? number(parts->d) : NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    bool ok = bld && (d || !parts->d.p) &&
              OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * c->len) == 1 &&
              (!d || OSSL_PARAM_BLD_push_BN_pad(bld, OSSL_PKEY_PARAM_PRIV_KEY, d, c->len) == 1);
    if (ok)
        evp = from_builder("EC", bld, d != NULL);
    OSSL_PARAM_BLD_free(bld);
    BN_clear_free(d);
    return evp;
}

enum sb_err pkey_import(const struct pkey_parts *parts, struct pkey **ret, struct sb_error *err)
{
    bool has_private = parts->d.p != NULL;
    sb_fail(err, SB_EBADPARAM, "%s", not_together); /* unless the importer knows better */
    EVP_PKEY *evp = parts->type == PKEY_RSA ? import_rsa(parts, err) : import_ec(parts, err);
    if (evp && !checked(evp, has_private)) {
        EVP_PKEY_free(evp);
        evp = NULL;
    }
    ERR_clear_error();
    if (!evp)
        return SB_EBADPARAM;
    return pkey_adopt(evp, has_private, ret, err);
}
