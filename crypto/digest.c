/* digest.c: SHA-256, HMAC and HKDF on the digest fetched by cmem_init. HMAC is written out: EVP_MAC is far
 * slower. */
#include "crypto/digest.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "server/base/buf.h"
#include "server/base/log.h"

#define BLOCK_LEN 64u
#define HASH_LEN  32u

static bool digest(const EVP_MD *md, const void *p, size_t n, uint8_t *ret)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && md && EVP_DigestInit_ex2(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, p, n) == 1 &&
              EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool begin(EVP_MD_CTX *ctx)
{
    const EVP_MD *md = cmem_algs()->sha256;
    return md && EVP_DigestInit_ex2(ctx, md, NULL) == 1;
}

static bool sha256(const void *p, size_t n, uint8_t ret[HASH_LEN])
{
    return digest(cmem_algs()->sha256, p, n, ret);
}

static void xor_block(uint8_t *block, uint8_t with)
{
    for (size_t i = 0; i < BLOCK_LEN; i++)
        block[i] ^= with;
}

bool digest_hmac_parts(const void *key, size_t key_n, const struct sb_blob *parts, size_t parts_n,
                       uint8_t ret[32])
{
    uint8_t block[BLOCK_LEN] = {0};
    uint8_t inner[HASH_LEN];
    bool ok = true;
    if (key_n > BLOCK_LEN)
        ok = sha256(key, key_n, block);
    else if (key_n)
        memcpy(block, key, key_n);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    xor_block(block, 0x36);
    ok = ok && ctx && begin(ctx) && EVP_DigestUpdate(ctx, block, sizeof block) == 1;
    for (size_t i = 0; ok && i < parts_n; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, inner, NULL) == 1;
    xor_block(block, 0x36 ^ 0x5c);
    ok = ok && begin(ctx) && EVP_DigestUpdate(ctx, block, sizeof block) == 1 &&
         EVP_DigestUpdate(ctx, inner, sizeof inner) == 1 && EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    sb_wipe(block, sizeof block);
    sb_wipe(inner, sizeof inner);
    return ok;
}

bool digest_hkdf(struct sb_blob salt, struct sb_blob ikm, struct sb_blob info1, struct sb_blob info2,
                 uint8_t *ret, size_t n)
{
    uint8_t prk[HASH_LEN], t[HASH_LEN];
    bool ok = n <= 255 * HASH_LEN && digest_hmac_parts(salt.p, salt.n, &ikm, 1, prk);
    uint8_t counter = 1;
    for (size_t done = 0; ok && done < n; counter++) {
        const struct sb_blob parts[] = {{t, done ? HASH_LEN : 0}, info1, info2, {&counter, 1}};
        ok = digest_hmac_parts(prk, sizeof prk, parts, SB_ARRAY_LEN(parts), t);
        size_t k = SB_MIN(n - done, HASH_LEN);
        memcpy(ret + done, t, ok ? k : 0);
        done += k;
    }
    sb_wipe(prk, sizeof prk);
    sb_wipe(t, sizeof t);
    return ok;
}

/* The callers cannot be told, and a wrong digest would be worse than none. */
static void check(bool ok)
{
    if (ok)
        return;
    log_event(LOG_ERROR, "digest.failed", NULL);
    abort();
}

void digest_sha1(const void *p, size_t n, uint8_t ret[20])
{
    check(digest(cmem_algs()->sha1, p, n, ret));
}

void digest_sha256(const void *p, size_t n, uint8_t ret[32])
{
    check(sha256(p, n, ret));
}

void digest_hmac_sha256(const void *key, size_t key_n, const void *p, size_t n, uint8_t ret[32])
{
    const struct sb_blob part = {p, n};
    check(digest_hmac_parts(key, key_n, &part, 1, ret));
}
