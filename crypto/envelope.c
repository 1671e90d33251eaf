/* envelope.c: AES-256-GCM around a documented header. */
#include "crypto/envelope.h"
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/rng.h"

#define ENV_VERSION   1u
#define ENV_INNER_LEN (ENV_NONCE_LEN + ENV_TAG_LEN)

static const uint8_t magic[4] = {'S', 'B', 'E', '1'};

/* The context serves both directions: GCM uses one key schedule. It is OpenSSL's own memory, wiped when
 * freed. */
struct env_key {
    EVP_CIPHER_CTX *ctx;
};

/* What is authenticated beside the plaintext: header, then the caller's. */
struct bound {
    const uint8_t *header;
    struct sb_blob aad;
};

enum sb_err env_key_new(const struct cmem_key *k, struct env_key **ret, struct sb_error *err)
{
    struct env_key *e = calloc(1, sizeof *e);
    if (!e)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    const EVP_CIPHER *gcm = cmem_algs()->aes_256_gcm;
    e->ctx = EVP_CIPHER_CTX_new();
    if (!gcm || !e->ctx || EVP_EncryptInit_ex2(e->ctx, gcm, k->b, NULL, NULL) != 1) {
        env_key_free(e);
        ERR_clear_error();
        return sb_fail(err, SB_ECRYPTO, "the cipher cannot be prepared");
    }
    *ret = e;
    return SB_OK;
}

void env_key_free(struct env_key *k)
{
    if (!k)
        return;
    EVP_CIPHER_CTX_free(k->ctx);
    free(k);
}

/* ---- one layer of GCM; in and out are the same memory or do not overlap ---- */

#ifdef SB_BENCH_NOCIPHER

static bool gcm_seal(struct env_key *k, const uint8_t *nonce, const struct bound *b, const void *in, size_t n,
                     uint8_t *out, uint8_t *tag)
{
    SB_UNUSED(k), SB_UNUSED(nonce), SB_UNUSED(b);
    if (n)
        memmove(out, in, n);
    memset(tag, 0, ENV_TAG_LEN);
    return true;
}

static bool gcm_open(struct env_key *k, const uint8_t *nonce, const struct bound *b, const uint8_t *in,
                     size_t n, const uint8_t *tag, uint8_t *out)
{
    SB_UNUSED(k), SB_UNUSED(nonce), SB_UNUSED(b), SB_UNUSED(tag);
    if (n)
        memmove(out, in, n);
    return true;
}

#else

/* EVP_CipherUpdate takes an int, and treats length 0 in ways of its own. */
static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, const void *in, size_t n)
{
    int len = 0;
    if (n == 0)
        return true;
    return n <= INT_MAX && EVP_CipherUpdate(ctx, out, &len, in, (int)n) == 1;
}

static bool bind_all(EVP_CIPHER_CTX *ctx, const struct bound *b)
{
    return update(ctx, NULL, b->header, ENV_HEADER_LEN) && update(ctx, NULL, b->aad.p, b->aad.n);
}

static bool gcm_seal(struct env_key *k, const uint8_t *nonce, const struct bound *b, const void *in, size_t n,
                     uint8_t *out, uint8_t *tag)
{
    uint8_t none[16];
    int len = 0;
    bool ok = EVP_EncryptInit_ex2(k->ctx, NULL, NULL, nonce, NULL) == 1 && bind_all(k->ctx, b) &&
              update(k->ctx, out, in, n) && EVP_EncryptFinal_ex(k->ctx, none, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_GET_TAG, ENV_TAG_LEN, tag) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}

static bool gcm_open(struct env_key *k, const uint8_t *nonce, const struct bound *b, const uint8_t *in,
                     size_t n, const uint8_t *tag, uint8_t *out)
{
    uint8_t none[16], want[ENV_TAG_LEN];
    int len = 0;
    memcpy(want, tag, sizeof want); /* the call below takes no const */
    bool ok = EVP_DecryptInit_ex2(k->ctx, NULL, NULL, nonce, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(k->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof want, want) == 1 &&
              bind_all(k->ctx, b) && update(k->ctx, out, in, n) &&
              EVP_DecryptFinal_ex(k->ctx, none, &len) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}

#endif

/* ---- the blob ---- */

static void put_header(uint8_t *p, uint16_t flags, uint32_t generation)
{
    memcpy(p, magic, sizeof magic);
    p[4] = ENV_VERSION;
    p[5] = ENV_VERSION;
    be_put_u16(p + 6, flags);
    be_put_u32(p + 8, generation);
}

/* n bytes at `in` become nonce, ciphertext and tag at `out`; the ciphertext's place may be `in` itself. */
static bool seal_layer(struct env_key *k, const struct bound *b, const void *in, size_t n, uint8_t *out)
{
    rng_bytes(out, ENV_NONCE_LEN);
    return gcm_seal(k, out, b, in, n, out + ENV_NONCE_LEN, out + ENV_NONCE_LEN + n);
}

/* The way back, into out, which has room for n - ENV_INNER_LEN bytes. */
static bool open_layer(struct env_key *k, const struct bound *b, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t len = n - ENV_INNER_LEN;
    return gcm_open(k, in, b, in + ENV_NONCE_LEN, len, in + ENV_NONCE_LEN + len, out);
}

enum sb_err envelope_seal(struct env_key *k, struct env_key *infra, uint32_t generation, const void *aad,
                          size_t aad_n, const void *plain, size_t n, struct sb_buf *out, struct sb_error *err)
{
    size_t inner = infra ? ENV_INNER_LEN : 0;
    if (n > INT_MAX - ENV_OVERHEAD - ENV_INNER_LEN)
        return sb_fail(err, SB_ETOOLARGE, "too much to seal");
    size_t total = n + inner + ENV_OVERHEAD;
    uint8_t *p = buf_room(out, total);
    if (!p)
        return sb_fail(err, buf_add(out, "", 0), "no room for the sealed form");
    put_header(p, infra ? ENV_INFRA : 0, generation);
    const struct bound b = {p, {aad, aad_n}};
    uint8_t *outer = p + ENV_HEADER_LEN;
    uint8_t *content = outer + ENV_NONCE_LEN; /* the inner layer is made in place */
    bool ok = !infra || seal_layer(infra, &b, plain, n, content);
    ok = ok && seal_layer(k, &b, infra ? content : plain, n + inner, outer);
    if (!ok) {
        sb_wipe(p, total);
        return sb_fail(err, SB_ECRYPTO, "sealing failed");
    }
    out->n += total;
    return SB_OK;
}

static enum sb_err tampered(struct sb_error *err, const char *why)
{
    return sb_fail(err, SB_ETAMPER, "sealed data: %s", why);
}

enum sb_err envelope_header(const void *blob, size_t n, struct env_header *ret, struct sb_error *err)
{
    const uint8_t *p = blob;
    if (n < ENV_OVERHEAD)
        return tampered(err, "too short");
    struct env_header h = {p[4], p[5], be_get_u16(p + 6), be_get_u32(p + 8)};
    if (!cmem_equal(p, magic, sizeof magic))
        return tampered(err, "not an envelope");
    if (h.min_reader > ENV_VERSION || h.version < ENV_VERSION || (h.flags & ~ENV_INFRA))
        return tampered(err, "unknown version or flags");
    if ((h.flags & ENV_INFRA) && n < ENV_OVERHEAD + ENV_INNER_LEN)
        return tampered(err, "too short");
    *ret = h;
    return SB_OK;
}

enum sb_err envelope_open(struct env_key *k, struct env_key *infra, const void *aad, size_t aad_n,
                          const void *blob, size_t n, struct sb_arena *a, struct sb_blob *ret,
                          struct sb_error *err)
{
    struct env_header h;
    enum sb_err rc = envelope_header(blob, n, &h, err);
    if (rc != SB_OK)
        return rc;
    bool two = h.flags & ENV_INFRA;
    if (two && !infra)
        return tampered(err, "a second layer where none can be");
    size_t len = n - ENV_OVERHEAD;
    uint8_t *p = arena_alloc(a, len);
    if (!p)
        return sb_fail(err, SB_ENOMEM, "no room for the opened form");
    const uint8_t *from = blob;
    const struct bound b = {from, {aad, aad_n}};
    bool ok = open_layer(k, &b, from + ENV_HEADER_LEN, n - ENV_HEADER_LEN, p);
    /* The inner plaintext takes the place of its ciphertext. */
    ok = ok && (!two || open_layer(infra, &b, p, len, p + ENV_NONCE_LEN));
    if (!ok) {
        sb_wipe(p, len);
        return tampered(err, "authentication failed");
    }
    *ret = two ? (struct sb_blob){p + ENV_NONCE_LEN, len - ENV_INNER_LEN} : (struct sb_blob){p, len};
    return SB_OK;
}

/* ---- one-off forms ---- */

enum sb_err envelope_seal_key(const struct cmem_key *k, const char *aad, const void *plain, size_t n,
                              struct sb_buf *out, struct sb_error *err)
{
    struct env_key *e = NULL;
    enum sb_err rc = env_key_new(k, &e, err);
    if (rc == SB_OK)
        rc = envelope_seal(e, NULL, 0, aad, strlen(aad), plain, n, out, err);
    env_key_free(e);
    return rc;
}

enum sb_err envelope_open_key(const struct cmem_key *k, const char *aad, const void *blob, size_t n,
                              struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    struct env_key *e = NULL;
    enum sb_err rc = env_key_new(k, &e, err);
    if (rc == SB_OK)
        rc = envelope_open(e, NULL, aad, strlen(aad), blob, n, a, ret, err);
    env_key_free(e);
    return rc;
}

enum sb_err envelope_seal_cmem(const struct cmem_key *k, const char *aad, const struct cmem_key *secret,
                               struct sb_buf *out, struct sb_error *err)
{
    return envelope_seal_key(k, aad, secret->b, sizeof secret->b, out, err);
}

/* Not through envelope_open: the key goes straight to the secure heap. */
enum sb_err envelope_open_cmem(const struct cmem_key *k, const char *aad, const void *blob, size_t n,
                               struct cmem_key **ret, struct sb_error *err)
{
    struct env_key *e = NULL;
    struct cmem_key *secret = NULL;
    struct env_header h;
    enum sb_err rc = SB_OK;
    SB_TRY(envelope_header(blob, n, &h, err));
    if (h.flags || n != ENV_OVERHEAD + CMEM_KEY_LEN) {
        rc = tampered(err, "not a key");
        goto out;
    }
    SB_TRY(env_key_new(k, &e, err));
    SB_TRY(cmem_key_new(&secret, err));
    const uint8_t *p = blob;
    const struct bound b = {p, {(const uint8_t *)aad, strlen(aad)}};
    if (!open_layer(e, &b, p + ENV_HEADER_LEN, n - ENV_HEADER_LEN, secret->b)) {
        rc = tampered(err, "authentication failed");
        goto out;
    }
    *ret = secret;
    secret = NULL;
out:
    cmem_key_free(secret);
    env_key_free(e);
    return rc;
}
