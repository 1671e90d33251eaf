/*
 * pkey.c: RSA and EC keys on EVP. Each operation has a context of its own, so a key may be used by any number
 * of threads. OpenSSL's error queue is emptied after every failure: its texts would tell what must not be
 * told.
 */
#include "crypto/pkey.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/envelope.h"

#define RSA_MIN_BITS  1024u
#define RSA_MAX_BITS  4096u
#define RSA_MAX_LEN   (RSA_MAX_BITS / 8)
#define E_MAX_BITS    64                 /* OpenSSL's own limit for long moduli */
#define NUMBER_MAX    (RSA_MAX_LEN + 16) /* some leading zeros are no harm */
#define UNSEAL_MEMORY 65536u

/* For every failure to decrypt, whatever went wrong. */
static const char decrypt_failed[] = "The parameter is incorrect.";

struct pkey {
    atomic_uint refs;
    EVP_PKEY *evp;
    enum pkey_type type;
    enum pkey_curve curve;
    unsigned bits;
    bool has_private;
};

static const struct curve {
    enum pkey_curve curve;
    const char *name, *alias; /* of Key Vault */
    const char *group;        /* of OpenSSL */
    size_t len;               /* of a coordinate */
} curves[] = {
    {PKEY_P256, "P-256", "P-256", "prime256v1", 32},
    {PKEY_P384, "P-384", "P-384", "secp384r1", 48},
    {PKEY_P521, "P-521", "P-521", "secp521r1", 66},
    {PKEY_P256K, "P-256K", "SECP256K1", "secp256k1", 32},
};

static const struct alg {
    const char *name;
    enum pkey_alg alg;
    enum pkey_type type;
    enum pkey_curve curve;
    int padding;
    size_t digest_len; /* 0: encryption */
} algs[] = {
    {"RSA1_5", PKEY_RSA1_5, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PADDING, 0},
    {"RSA-OAEP", PKEY_RSA_OAEP, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_OAEP_PADDING, 0},
    {"RSA-OAEP-256", PKEY_RSA_OAEP_256, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_OAEP_PADDING, 0},
    {"RS256", PKEY_RS256, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PADDING, 32},
    {"RS384", PKEY_RS384, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PADDING, 48},
    {"RS512", PKEY_RS512, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PADDING, 64},
    {"PS256", PKEY_PS256, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PSS_PADDING, 32},
    {"PS384", PKEY_PS384, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PSS_PADDING, 48},
    {"PS512", PKEY_PS512, PKEY_RSA, PKEY_CURVE_NONE, RSA_PKCS1_PSS_PADDING, 64},
    {"ES256", PKEY_ES256, PKEY_EC, PKEY_P256, 0, 32},
    {"ES384", PKEY_ES384, PKEY_EC, PKEY_P384, 0, 48},
    {"ES512", PKEY_ES512, PKEY_EC, PKEY_P521, 0, 64},
    {"ES256K", PKEY_ES256K, PKEY_EC, PKEY_P256K, 0, 32},
};

/* ---- names ---- */

static const struct alg *alg_row(enum pkey_alg alg)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return &algs[i];
    }
    return NULL;
}

static const struct curve *curve_row(enum pkey_curve c)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(curves); i++) {
        if (curves[i].curve == c)
            return &curves[i];
    }
    return NULL;
}

enum pkey_alg pkey_alg_parse(const char *name)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(algs); i++) {
        if (strcmp(algs[i].name, name) == 0)
            return algs[i].alg;
    }
    return PKEY_ALG_NONE;
}

const char *pkey_alg_name(enum pkey_alg alg)
{
    const struct alg *row = alg_row(alg);
    return row ? row->name : "";
}

size_t pkey_alg_digest_len(enum pkey_alg alg)
{
    const struct alg *row = alg_row(alg);
    return row ? row->digest_len : 0;
}

enum pkey_curve pkey_curve_parse(const char *name)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(curves); i++) {
        if (strcmp(curves[i].name, name) == 0 || strcmp(curves[i].alias, name) == 0)
            return curves[i].curve;
    }
    return PKEY_CURVE_NONE;
}

const char *pkey_curve_name(enum pkey_curve c)
{
    const struct curve *row = curve_row(c);
    return row ? row->name : "";
}

bool pkey_alg_fits(const struct pkey *k, enum pkey_alg alg)
{
    const struct alg *row = alg_row(alg);
    return row && row->type == k->type && row->curve == k->curve;
}

enum pkey_type pkey_type_of(const struct pkey *k)
{
    return k->type;
}

enum pkey_curve pkey_curve_of(const struct pkey *k)
{
    return k->curve;
}

unsigned pkey_bits(const struct pkey *k)
{
    return k->bits;
}

/* ---- life ---- */

static enum sb_err failed(struct sb_error *err, enum sb_err code, const char *text)
{
    ERR_clear_error();
    return sb_fail(err, code, "%s", text);
}

static enum pkey_curve curve_of_evp(const EVP_PKEY *evp)
{
    char group[64] = "";
    if (EVP_PKEY_get_utf8_string_param(evp, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL) != 1)
        return PKEY_CURVE_NONE;
    for (size_t i = 0; i < SB_ARRAY_LEN(curves); i++) {
        if (strcmp(curves[i].group, group) == 0)
            return curves[i].curve;
    }
    return PKEY_CURVE_NONE;
}

/* Takes evp over, also when it fails. */
static enum sb_err adopt(EVP_PKEY *evp, bool has_private, struct pkey **ret, struct sb_error *err)
{
    struct pkey *k = calloc(1, sizeof *k);
    if (!k) {
        EVP_PKEY_free(evp);
        return failed(err, SB_ENOMEM, "out of memory");
    }
    atomic_init(&k->refs, 1);
    k->evp = evp;
    k->type = EVP_PKEY_is_a(evp, "RSA") ? PKEY_RSA : PKEY_EC;
    k->curve = k->type == PKEY_EC ? curve_of_evp(evp) : PKEY_CURVE_NONE;
    k->bits = (unsigned)EVP_PKEY_get_bits(evp);
    k->has_private = has_private;
    if (k->type == PKEY_EC && k->curve == PKEY_CURVE_NONE) {
        pkey_unref(k);
        return failed(err, SB_EBADPARAM, "the key's type or curve is not supported");
    }
    *ret = k;
    return SB_OK;
}

struct pkey *pkey_ref(struct pkey *k)
{
    atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
    return k;
}

void pkey_unref(struct pkey *k)
{
    if (!k || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    EVP_PKEY_free(k->evp);
    free(k);
}

enum sb_err pkey_generate_rsa(unsigned bits, struct pkey **ret, struct sb_error *err)
{
    if (bits < RSA_MIN_BITS || bits > RSA_MAX_BITS || bits % 8)
        return sb_fail(err, SB_EBADPARAM, "an RSA key cannot have %u bits", bits);
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    if (!evp)
        return failed(err, SB_ECRYPTO, "key generation failed");
    return adopt(evp, true, ret, err);
}

enum sb_err pkey_generate_ec(enum pkey_curve c, struct pkey **ret, struct sb_error *err)
{
    const struct curve *row = curve_row(c);
    if (!row)
        return sb_fail(err, SB_EBADPARAM, "unknown curve");
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", row->group);
    if (!evp)
        return failed(err, SB_ECRYPTO, "key generation failed");
    return adopt(evp, true, ret, err);
}

/* ---- import ---- */

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
            return failed(err, SB_EBADPARAM, "a number of the RSA key is empty or too long");
    }
    if (!bn[N] || !bn[E])
        return failed(err, SB_EBADPARAM, "an RSA key needs n and e");
    if (BN_num_bits(bn[N]) < (int)RSA_MIN_BITS || BN_num_bits(bn[N]) > (int)RSA_MAX_BITS || !BN_is_odd(bn[N]))
        return failed(err, SB_EBADPARAM, "the RSA modulus is even or has an unsupported length");
    if (!BN_is_odd(bn[E]) || BN_is_one(bn[E]) || BN_num_bits(bn[E]) > E_MAX_BITS)
        return failed(err, SB_EBADPARAM, "the RSA exponent must be odd, at least 3 and at most 64 bits");
    if (!bn[D]) {
        bool none = !bn[P] && !bn[Q] && !bn[DP] && !bn[DQ] && !bn[QI];
        return none ? SB_OK : failed(err, SB_EBADPARAM, "a private RSA key needs d");
    }
    if (!bn[P] || !bn[Q])
        return failed(err, SB_EBADPARAM, "a private RSA key needs p and q");
    return derive_crt(bn) ? SB_OK : failed(err, SB_EBADPARAM, not_together);
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
    const struct curve *c = curve_row(parts->curve);
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
    return adopt(evp, has_private, ret, err);
}

/* ---- public parts ---- */

/* A number as len bytes, or as few as it takes when len is 0. */
static bool get_number(const EVP_PKEY *evp, const char *name, size_t len, struct sb_arena *a,
                       struct sb_blob *ret)
{
    BIGNUM *bn = NULL;
    uint8_t *p = NULL;
    bool ok = EVP_PKEY_get_bn_param(evp, name, &bn) == 1;
    if (ok) {
        len = len ? len : (size_t)BN_num_bytes(bn);
        p = arena_alloc(a, len);
        ok = p && BN_bn2binpad(bn, p, (int)len) >= 0;
    }
    BN_free(bn);
    if (ok)
        *ret = (struct sb_blob){p, len};
    return ok;
}

enum sb_err pkey_public(const struct pkey *k, struct sb_arena *a, struct pkey_parts *ret,
                        struct sb_error *err)
{
    struct pkey_parts parts = {.type = k->type, .curve = k->curve};
    bool ok = false;
    if (k->type == PKEY_RSA) {
        ok = get_number(k->evp, OSSL_PKEY_PARAM_RSA_N, 0, a, &parts.n) &&
             get_number(k->evp, OSSL_PKEY_PARAM_RSA_E, 0, a, &parts.e);
    } else {
        size_t len = curve_row(k->curve)->len;
        ok = get_number(k->evp, OSSL_PKEY_PARAM_EC_PUB_X, len, a, &parts.x) &&
             get_number(k->evp, OSSL_PKEY_PARAM_EC_PUB_Y, len, a, &parts.y);
    }
    if (!ok)
        return failed(err, arena_failed(a) ? SB_ENOMEM : SB_ECRYPTO, "the public key cannot be read");
    *ret = parts;
    return SB_OK;
}

/* ---- sealing ---- */

enum sb_err pkey_seal(const struct pkey *k, const struct cmem_key *under, const char *aad, struct sb_buf *out,
                      struct sb_error *err)
{
    if (!k->has_private)
        return sb_fail(err, SB_EBADPARAM, "the key has no private part");
    enum sb_err rc = SB_OK;
    uint8_t *der = NULL;
    PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(k->evp); /* wipes itself when freed */
    int len = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1;
    if (len <= 0)
        rc = failed(err, SB_ECRYPTO, "the private key cannot be encoded");
    else
        rc = envelope_seal_key(under, aad, der, (size_t)len, out, err);
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(p8);
    return rc;
}

static EVP_PKEY *from_pkcs8(struct sb_blob der)
{
    const unsigned char *p = der.p;
    PKCS8_PRIV_KEY_INFO *p8 = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.n);
    EVP_PKEY *evp = p8 ? EVP_PKCS82PKEY(p8) : NULL;
    PKCS8_PRIV_KEY_INFO_free(p8);
    return evp;
}

enum sb_err pkey_unseal(const void *blob, size_t n, const struct cmem_key *under, const char *aad,
                        struct pkey **ret, struct sb_error *err)
{
    struct sb_blob der = {0};
    struct sb_arena *a = arena_new(UNSEAL_MEMORY);
    if (!a)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = SB_OK;
    SB_TRY(envelope_open_key(under, aad, blob, n, a, &der, err));
    EVP_PKEY *evp = from_pkcs8(der);
    rc = evp ? adopt(evp, true, ret, err) : failed(err, SB_ECRYPTO, "the private key cannot be decoded");
out:
    arena_free(a);
    return rc;
}

/* ---- encryption ---- */

/* Padding and, for OAEP, both digests: those that a library would choose are not those of the service. */
static bool set_encryption(EVP_PKEY_CTX *ctx, const struct alg *row)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding) != 1)
        return false;
    if (row->padding != RSA_PKCS1_OAEP_PADDING)
        return true;
    const EVP_MD *md = row->alg == PKEY_RSA_OAEP ? cmem_algs()->sha1 : cmem_algs()->sha256;
    return EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static const struct alg *usable(const struct pkey *k, enum pkey_alg alg, bool signature)
{
    const struct alg *row = alg_row(alg);
    return row && pkey_alg_fits(k, alg) && (row->digest_len != 0) == signature ? row : NULL;
}

/* The most that one block takes. */
static size_t room_in_block(const struct pkey *k, const struct alg *row)
{
    size_t len = (k->bits + 7) / 8;
    size_t lost = row->alg == PKEY_RSA1_5 ? 11 : row->alg == PKEY_RSA_OAEP ? 2 * 20 + 2 : 2 * 32 + 2;
    return len > lost ? len - lost : 0;
}

enum sb_err pkey_encrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                         struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    const struct alg *row = usable(k, alg, false);
    if (!row)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key");
    if (n > room_in_block(k, row))
        return sb_fail(err, SB_EBADPARAM, "the value is too long for the key");
    size_t len = RSA_MAX_LEN;
    uint8_t *out = arena_alloc(a, len);
    if (!out)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && set_encryption(ctx, row) &&
              EVP_PKEY_encrypt(ctx, out, &len, in, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return failed(err, SB_ECRYPTO, "encryption failed");
    *ret = (struct sb_blob){out, len};
    return SB_OK;
}

/* out has RSA_MAX_LEN bytes; whatever fails, it fails alike. */
static bool decrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n, uint8_t *out,
                    size_t *ret_n)
{
    const struct alg *row = usable(k, alg, false);
    size_t len = RSA_MAX_LEN;
    if (!row || !k->has_private || n > RSA_MAX_LEN)
        return false;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 && set_encryption(ctx, row) &&
              EVP_PKEY_decrypt(ctx, out, &len, in, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        *ret_n = len;
    else
        sb_wipe(out, RSA_MAX_LEN);
    return ok;
}

enum sb_err pkey_decrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                         struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    size_t len = 0;
    uint8_t *out = arena_alloc(a, RSA_MAX_LEN);
    if (!out)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (!decrypt(k, alg, in, n, out, &len))
        return sb_fail(err, SB_EBADPARAM, "%s", decrypt_failed);
    *ret = (struct sb_blob){out, len};
    return SB_OK;
}

enum sb_err pkey_wrap_cmem(const struct pkey *k, const struct cmem_key *secret, struct sb_arena *a,
                           struct sb_blob *ret, struct sb_error *err)
{
    return pkey_encrypt(k, PKEY_RSA_OAEP_256, secret->b, sizeof secret->b, a, ret, err);
}

enum sb_err pkey_unwrap_cmem(const struct pkey *k, const void *in, size_t n, struct cmem_key **ret,
                             struct sb_error *err)
{
    uint8_t out[RSA_MAX_LEN];
    size_t len = 0;
    enum sb_err rc = SB_OK;
    if (!decrypt(k, PKEY_RSA_OAEP_256, in, n, out, &len))
        rc = sb_fail(err, SB_EBADPARAM, "%s", decrypt_failed);
    else if (len != CMEM_KEY_LEN)
        rc = sb_fail(err, SB_ETAMPER, "a wrapped key has the wrong length");
    else
        rc = cmem_key_from_bytes(out, ret, err);
    sb_wipe(out, sizeof out);
    return rc;
}

/* ---- signatures ---- */

static bool set_signature(EVP_PKEY_CTX *ctx, const struct alg *row)
{
    const struct cmem_algs *mds = cmem_algs();
    const EVP_MD *md = row->digest_len == 32   ? mds->sha256
                       : row->digest_len == 48 ? mds->sha384
                                               : mds->sha512;
    if (EVP_PKEY_CTX_set_signature_md(ctx, md) != 1)
        return false;
    if (row->type == PKEY_EC)
        return true;
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding) != 1)
        return false;
    return row->padding != RSA_PKCS1_PSS_PADDING ||
           (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* OpenSSL's DER form of an EC signature to r and s side by side. */
static bool raw_from_der(const uint8_t *der, size_t n, size_t len, uint8_t *ret)
{
    const unsigned char *p = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, (int)len) >= 0 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + len, (int)len) >= 0;
    ECDSA_SIG_free(sig);
    return ok;
}

/* And back; the result belongs to OpenSSL's allocator. NULL: out of memory. */
static uint8_t *der_from_raw(const uint8_t *raw, size_t len, size_t *ret_n)
{
    unsigned char *der = NULL;
    int n = -1;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)len, NULL);
    BIGNUM *s = BN_bin2bn(raw + len, (int)len, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; /* the signature's now */
        n = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    if (n <= 0)
        return NULL;
    *ret_n = (size_t)n;
    return der;
}

enum sb_err pkey_sign(const struct pkey *k, enum pkey_alg alg, const void *digest, size_t n,
                      struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    const struct alg *row = usable(k, alg, true);
    if (!row || n != row->digest_len || !k->has_private)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key or the digest");
    uint8_t out[RSA_MAX_LEN]; /* a signature is no secret */
    size_t len = sizeof out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && set_signature(ctx, row) &&
              EVP_PKEY_sign(ctx, out, &len, digest, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return failed(err, SB_ECRYPTO, "signing failed");
    size_t half = k->type == PKEY_EC ? curve_row(k->curve)->len : 0;
    uint8_t *sig = arena_alloc(a, half ? 2 * half : len);
    if (!sig)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (!half)
        memcpy(sig, out, len);
    else if (!raw_from_der(out, len, half, sig))
        return failed(err, SB_ECRYPTO, "signing failed");
    *ret = (struct sb_blob){sig, half ? 2 * half : len};
    return SB_OK;
}

enum sb_err pkey_verify(const struct pkey *k, enum pkey_alg alg, const void *digest, size_t n,
                        const void *sig, size_t sig_n, bool *ret_good, struct sb_error *err)
{
    const struct alg *row = usable(k, alg, true);
    if (!row || n != row->digest_len)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key or the digest");
    size_t half = k->type == PKEY_EC ? curve_row(k->curve)->len : 0;
    if (sig_n != (half ? 2 * half : (k->bits + 7) / 8)) {
        *ret_good = false;
        return SB_OK;
    }
    uint8_t *der = half ? der_from_raw(sig, half, &sig_n) : NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && (der || !half) && EVP_PKEY_verify_init(ctx) == 1 && set_signature(ctx, row);
    bool good = ok && EVP_PKEY_verify(ctx, der ? der : sig, sig_n, digest, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    OPENSSL_free(der);
    ERR_clear_error();
    if (!ok)
        return sb_fail(err, SB_ECRYPTO, "verifying failed");
    *ret_good = good;
    return SB_OK;
}
