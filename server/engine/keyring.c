/*
 * keyring.c: a namespace's root key and what is derived from it (semantics 6, 19-21).
 *
 * Ciphers are prepared when first used: a thousand idle namespaces hold a root and a lookup key each, nothing
 * more.
 */
#include "server/engine/keyring.h"
#include "crypto/envelope.h"
#include "server/base/buf.h"
#include "storage/st_namespace.h"

/* Labels of HKDF (semantics 6). */
#define LABEL_DATA   "data"
#define LABEL_LOOKUP "lookup"
#define LABEL_CHECK  "check"

/* Semantics 21: seals are reserved in blocks, and a generation ends one block before 2^32. */
#define SEAL_BLOCK     (UINT64_C(1) << 20)
#define GENERATION_END ((UINT64_C(1) << 32) - SEAL_BLOCK)
/* A reservation is looked at again during the first seals of its block: the operation that made it may have
 * been rolled back afterwards. No operation seals as many messages as this. */
#define RESERVE_WATCH (UINT64_C(1) << 16)

/* Prepared ciphers: the current generation and the ones read lately. */
#define CIPHERS 4

struct cipher {
    uint32_t generation; /* 0: free */
    struct env_key *key;
};

struct keyring {
    int64_t ns_id;
    struct cmem_key *root, *lookup;
    struct env_key *infra; /* semantics 19: second layer, or NULL */
    struct cipher ciphers[CIPHERS];
    size_t next_cipher; /* which one gives way */
    uint32_t generation;
    uint64_t used, reserved, watch_until;
};

static enum sb_err derive(const struct cmem_key *root, const char *label, int64_t ns_id,
                          const uint32_t *generation, struct cmem_key **ret, struct sb_error *err)
{
    uint8_t info[12];
    be_put_u64(info, (uint64_t)ns_id);
    if (generation)
        be_put_u32(info + 8, *generation);
    return cmem_key_derive(root, label, info, generation ? 12 : 8, ret, err);
}

enum sb_err keyring_new(const struct cmem_key *root, int64_t ns_id, const struct cmem_key *infra,
                        uint32_t generation, uint64_t used, struct keyring **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct keyring *r = calloc(1, sizeof *r);
    if (!r)
        return sb_fail(err, SB_ENOMEM, "no memory for a keyring");
    r->ns_id = ns_id;
    r->generation = generation;
    /* What an earlier process reserved counts as used: it may have been. */
    r->used = r->reserved = used;
    SB_TRY(cmem_key_dup(root, &r->root, err));
    SB_TRY(derive(root, LABEL_LOOKUP, ns_id, NULL, &r->lookup, err));
    if (infra)
        SB_TRY(env_key_new(infra, &r->infra, err));
    *ret = r;
    r = NULL;
out:
    keyring_free(r);
    return rc;
}

void keyring_free(struct keyring *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < CIPHERS; i++)
        env_key_free(r->ciphers[i].key);
    env_key_free(r->infra);
    cmem_key_free(r->lookup);
    cmem_key_free(r->root);
    sb_wipe(r, sizeof *r);
    free(r);
}

enum sb_err keyring_check_value(const struct cmem_key *root, int64_t ns_id, uint8_t ret[32])
{
    /* A key of its own, so that the stored value tells nothing about any other derived key. */
    static const char text[] = "sealedbus root key check";
    struct cmem_key *k = NULL;
    enum sb_err rc;
    SB_TRY(derive(root, LABEL_CHECK, ns_id, NULL, &k, NULL));
    SB_TRY(cmem_key_hmac(k, text, sizeof text - 1, ret));
out:
    cmem_key_free(k);
    return rc;
}

enum sb_err keyring_root(const struct keyring *r, struct cmem_key **ret, struct sb_error *err)
{
    return cmem_key_dup(r->root, ret, err);
}

/* The prepared cipher of a generation. */
static enum sb_err cipher_of(struct keyring *r, uint32_t generation, struct env_key **ret,
                             struct sb_error *err)
{
    enum sb_err rc;
    struct cmem_key *data = NULL;
    struct env_key *key = NULL;
    for (size_t i = 0; i < CIPHERS; i++) {
        if (r->ciphers[i].generation == generation && r->ciphers[i].key) {
            *ret = r->ciphers[i].key;
            return SB_OK;
        }
    }
    SB_TRY(derive(r->root, LABEL_DATA, r->ns_id, &generation, &data, err));
    SB_TRY(env_key_new(data, &key, err));
    struct cipher *slot = &r->ciphers[r->next_cipher];
    r->next_cipher = (r->next_cipher + 1) % CIPHERS;
    env_key_free(slot->key);
    *slot = (struct cipher){.generation = generation, .key = key};
    *ret = key;
out:
    cmem_key_free(data);
    return rc;
}

/* AAD after the blob's header: fixed-width ids, so that no two places have the same (semantics 19). */
#define PLACE_LEN 25
static void place_put(uint8_t p[PLACE_LEN], int64_t ns, int64_t entity, int64_t seq, enum seal_kind kind)
{
    be_put_u64(p, (uint64_t)ns);
    be_put_u64(p + 8, (uint64_t)entity);
    be_put_u64(p + 16, (uint64_t)seq);
    p[24] = (uint8_t)kind;
}

/* Semantics 21: no seal without a durable reservation in the same transaction or an earlier one. */
static enum sb_err count_seal(struct keyring *r, struct tx *tx, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    bool reserve = r->used >= r->reserved, found = true;
    if (!reserve && r->used < r->watch_until) {
        uint32_t generation = 0;
        int64_t reserved = 0;
        SB_TRY(st_ns_reserved(tx, r->ns_id, &found, &generation, &reserved, err));
        if (found && (generation != r->generation || (uint64_t)reserved < r->reserved)) {
            SB_TRY(st_ns_reserve(tx, r->ns_id, r->generation, (int64_t)r->reserved, err));
        }
    } else if (reserve) {
        uint32_t generation = r->generation;
        uint64_t used = r->used;
        if (used >= GENERATION_END) {
            generation++;
            used = 0;
        }
        SB_TRY(st_ns_reserve(tx, r->ns_id, generation, (int64_t)(used + SEAL_BLOCK), err));
        r->generation = generation;
        r->used = used;
        r->reserved = used + SEAL_BLOCK;
        r->watch_until = used + RESERVE_WATCH;
    }
    r->used++;
out:
    return rc;
}

enum sb_err keyring_seal(struct keyring *r, struct tx *tx, int64_t entity, int64_t seq, enum seal_kind kind,
                         const void *p, size_t n, struct sb_buf *out, struct sb_error *err)
{
    enum sb_err rc;
    struct env_key *key;
    uint8_t place[PLACE_LEN];
    SB_TRY(count_seal(r, tx, err));
    SB_TRY(cipher_of(r, r->generation, &key, err));
    place_put(place, r->ns_id, entity, seq, kind);
    SB_TRY(envelope_seal(key, r->infra, r->generation, place, sizeof place, p, n, out, err));
out:
    return rc;
}

enum sb_err keyring_open(struct keyring *r, int64_t entity, int64_t seq, enum seal_kind kind,
                         struct sb_blob sealed, struct sb_arena *a, struct sb_blob *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct env_header h;
    struct env_key *key;
    uint8_t place[PLACE_LEN];
    SB_TRY(envelope_header(sealed.p, sealed.n, &h, err));
    /* A row cannot have been sealed in a generation to come, nor lose its second layer. */
    if (h.generation == 0 || h.generation > r->generation ||
        ((h.flags & ENV_INFRA) != 0) != (r->infra != NULL))
        return sb_fail(err, SB_ETAMPER, "the header of a sealed message does not fit its namespace");
    SB_TRY(cipher_of(r, h.generation, &key, err));
    place_put(place, r->ns_id, entity, seq, kind);
    SB_TRY(envelope_open(key, r->infra, place, sizeof place, sealed.p, sealed.n, a, ret, err));
out:
    return rc;
}

enum sb_err keyring_lookup(struct keyring *r, int64_t entity, const char *field, const char *value,
                           uint8_t ret[32], struct sb_error *err)
{
    enum sb_err rc;
    uint8_t id[8];
    size_t field_n = strlen(field), value_n = strlen(value);
    struct sb_buf b;
    be_put_u64(id, (uint64_t)entity);
    buf_init(&b, sizeof id + field_n + 1 + value_n);
    buf_add(&b, id, sizeof id);
    /* With its NUL, so that no other pair of field and value gives the same bytes. */
    buf_add(&b, field, field_n + 1);
    buf_add(&b, value, value_n);
    if (buf_failed(&b))
        rc = sb_fail(err, SB_ENOMEM, "no memory for a lookup value");
    else if ((rc = cmem_key_hmac(r->lookup, b.p, b.n, ret)) != SB_OK)
        sb_fail(err, rc, "no lookup value");
    buf_done(&b);
    return rc;
}
