/*
 * pkey_crypt.c: what keys are for: encryption and decryption, signatures and their verification.
 */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/pkey_priv.h"

/* For every failure to decrypt, whatever went wrong. */
static const char decrypt_failed[] = "The parameter is incorrect.";

/* ---- encryption ---- */

/* Padding and, for OAEP, both digests: those that a library would choose are not those of the service. */
static bool set_encryption(EVP_PKEY_CTX *ctx, const struct pkey_alg_row *row)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding) != 1)
        return false;
    if (row->padding != RSA_PKCS1_OAEP_PADDING)
        return true;
    const EVP_MD *md = row->alg == PKEY_RSA_OAEP ? cmem_algs()->sha1 : cmem_algs()->sha256;
    return EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static const struct pkey_alg_row *usable(const struct pkey *k, enum pkey_alg alg, bool signature)
{
    const struct pkey_alg_row *row = pkey_alg_row(alg);
    return row && pkey_alg_fits(k, alg) && (row->digest_len != 0) == signature ? row : NULL;
}

/* The most that one block takes. */
static size_t room_in_block(const struct pkey *k, const struct pkey_alg_row *row)
{
    size_t len = (k->bits + 7) / 8;
    size_t lost = row->alg == PKEY_RSA1_5 ? 11 : row->alg == PKEY_RSA_OAEP ? 2 * 20 + 2 : 2 * 32 + 2;
    return len > lost ? len - lost : 0;
}

enum sb_err pkey_encrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                         struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    const struct pkey_alg_row *row = usable(k, alg, false);
    if (!row)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key");
    if (n > room_in_block(k, row))
        return sb_fail(err, SB_EBADPARAM, "the value is too long for the key");
    size_t len = PKEY_RSA_MAX_LEN;
    uint8_t *out = arena_alloc(a, len);
    if (!out)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 && set_encryption(ctx, row) &&
              EVP_PKEY_encrypt(ctx, out, &len, in, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return pkey_failed(err, SB_ECRYPTO, "encryption failed");
    *ret = (struct sb_blob){out, len};
    return SB_OK;
}

/* out has PKEY_RSA_MAX_LEN bytes; whatever fails, it fails alike. */
static bool decrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n, uint8_t *out,
                    size_t *ret_n)
{
    const struct pkey_alg_row *row = usable(k, alg, false);
    size_t len = PKEY_RSA_MAX_LEN;
    if (!row || !k->has_private || n > PKEY_RSA_MAX_LEN)
        return false;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 && set_encryption(ctx, row) &&
              EVP_PKEY_decrypt(ctx, out, &len, in, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (ok)
        *ret_n = len;
    else
        sb_wipe(out, PKEY_RSA_MAX_LEN);
    return ok;
}

enum sb_err pkey_decrypt(const struct pkey *k, enum pkey_alg alg, const void *in, size_t n,
                         struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    size_t len = 0;
    uint8_t *out = arena_alloc(a, PKEY_RSA_MAX_LEN);
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
    uint8_t out[PKEY_RSA_MAX_LEN];
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

static bool set_signature(EVP_PKEY_CTX *ctx, const struct pkey_alg_row *row)
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
    const struct pkey_alg_row *row = usable(k, alg, true);
    if (!row || n != row->digest_len || !k->has_private)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key or the digest");
    uint8_t out[PKEY_RSA_MAX_LEN]; /* a signature is no secret */
    size_t len = sizeof out;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->evp, NULL);
    bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && set_signature(ctx, row) &&
              EVP_PKEY_sign(ctx, out, &len, digest, n) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!ok)
        return pkey_failed(err, SB_ECRYPTO, "signing failed");
    size_t half = k->type == PKEY_EC ? pkey_curve_row(k->curve)->len : 0;
    uint8_t *sig = arena_alloc(a, half ? 2 * half : len);
    if (!sig)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    if (!half)
        memcpy(sig, out, len);
    else if (!raw_from_der(out, len, half, sig))
        return pkey_failed(err, SB_ECRYPTO, "signing failed");
    *ret = (struct sb_blob){sig, half ? 2 * half : len};
    return SB_OK;
}

enum sb_err pkey_verify(const struct pkey *k, enum pkey_alg alg, const void *digest, size_t n,
                        const void *sig, size_t sig_n, bool *ret_good, struct sb_error *err)
{
    const struct pkey_alg_row *row = usable(k, alg, true);
    if (!row || n != row->digest_len)
        return sb_fail(err, SB_EBADPARAM, "the algorithm does not fit the key or the digest");
    size_t half = k->type == PKEY_EC ? pkey_curve_row(k->curve)->len : 0;
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
