/*
 * pkey.c: RSA and EC keys on EVP: names, making, public parts, sealing. Import is pkey_import.c's, their use
 * pkey_crypt.c's.
 *
 * Each operation has a context of its own, so a key may be used by any number of threads. OpenSSL's error
 * queue is emptied after every failure: its texts would tell what must not be told.
 */
#include "crypto/pkey.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/envelope.h"
#include "crypto/pkey_priv.h"

#define UNSEAL_MEMORY 65536u

static const struct pkey_curve_row curves[] = {
    {PKEY_P256, "P-256", "P-256", "prime256v1", 32},
    {PKEY_P384, "P-384", "P-384", "secp384r1", 48},
    {PKEY_P521, "P-521", "P-521", "secp521r1", 66},
    {PKEY_P256K, "P-256K", "SECP256K1", "secp256k1", 32},
};

static const struct pkey_alg_row algs[] = {
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

const struct pkey_alg_row *pkey_alg_row(enum pkey_alg alg)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(algs); i++) {
        if (algs[i].alg == alg)
            return &algs[i];
    }
    return NULL;
}

const struct pkey_curve_row *pkey_curve_row(enum pkey_curve c)
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
    const struct pkey_alg_row *row = pkey_alg_row(alg);
    return row ? row->name : "";
}

size_t pkey_alg_digest_len(enum pkey_alg alg)
{
    const struct pkey_alg_row *row = pkey_alg_row(alg);
    return row ? row->digest_len : 0;
}

enum pkey_curve pkey_alg_curve(enum pkey_alg alg)
{
    const struct pkey_alg_row *row = pkey_alg_row(alg);
    return row ? row->curve : PKEY_CURVE_NONE;
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
    const struct pkey_curve_row *row = pkey_curve_row(c);
    return row ? row->name : "";
}

bool pkey_alg_fits(const struct pkey *k, enum pkey_alg alg)
{
    const struct pkey_alg_row *row = pkey_alg_row(alg);
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

enum sb_err pkey_failed(struct sb_error *err, enum sb_err code, const char *text)
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

enum sb_err pkey_adopt(EVP_PKEY *evp, bool has_private, struct pkey **ret, struct sb_error *err)
{
    struct pkey *k = calloc(1, sizeof *k);
    if (!k) {
        EVP_PKEY_free(evp);
        return pkey_failed(err, SB_ENOMEM, "out of memory");
    }
    atomic_init(&k->refs, 1);
    k->evp = evp;
    k->type = EVP_PKEY_is_a(evp, "RSA") ? PKEY_RSA : PKEY_EC;
    k->curve = k->type == PKEY_EC ? curve_of_evp(evp) : PKEY_CURVE_NONE;
    k->bits = (unsigned)EVP_PKEY_get_bits(evp);
    k->has_private = has_private;
    if (k->type == PKEY_EC && k->curve == PKEY_CURVE_NONE) {
        pkey_unref(k);
        return pkey_failed(err, SB_EBADPARAM, "the key's type or curve is not supported");
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
    if (bits < PKEY_RSA_MIN_BITS || bits > PKEY_RSA_MAX_BITS || bits % 8)
        return sb_fail(err, SB_EBADPARAM, "an RSA key cannot have %u bits", bits);
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    if (!evp)
        return pkey_failed(err, SB_ECRYPTO, "key generation failed");
    return pkey_adopt(evp, true, ret, err);
}

enum sb_err pkey_generate_ec(enum pkey_curve c, struct pkey **ret, struct sb_error *err)
{
    const struct pkey_curve_row *row = pkey_curve_row(c);
    if (!row)
        return sb_fail(err, SB_EBADPARAM, "unknown curve");
    EVP_PKEY *evp = EVP_PKEY_Q_keygen(NULL, NULL, "EC", row->group);
    if (!evp)
        return pkey_failed(err, SB_ECRYPTO, "key generation failed");
    return pkey_adopt(evp, true, ret, err);
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
        size_t len = pkey_curve_row(k->curve)->len;
        ok = get_number(k->evp, OSSL_PKEY_PARAM_EC_PUB_X, len, a, &parts.x) &&
             get_number(k->evp, OSSL_PKEY_PARAM_EC_PUB_Y, len, a, &parts.y);
    }
    if (!ok)
        return pkey_failed(err, arena_failed(a) ? SB_ENOMEM : SB_ECRYPTO, "the public key cannot be read");
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
        rc = pkey_failed(err, SB_ECRYPTO, "the private key cannot be encoded");
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
    rc = evp ? pkey_adopt(evp, true, ret, err)
             : pkey_failed(err, SB_ECRYPTO, "the private key cannot be decoded");
out:
    arena_free(a);
    return rc;
}
