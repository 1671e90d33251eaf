/* pkey_kit.h: what the tests of pkey.c share: two published keys and short ways to use them. */
#ifndef SB_PKEY_KIT_H
#define SB_PKEY_KIT_H

#include <string.h>
#include "crypto/cmem.h"
#include "crypto/pkey.h"
#include "server/base/text.h"
#include "tests/unit/unit.h"

/* The key of RFC 7516, A.1. */
static const char rfc7516_n[] =
    "a1a8542285b0d0ad2eb0a36e391e87e3091fe280545c74f146f81be3c13e055bf191e0cd8db0b885ef2b516709a1999d"
    "b3687b33bd22984561454e5d8c8357b6a9655c8e0316a708d438234fd2dec0d0fc316d8aadfdd2a6c93f664a059e295a"
    "906ca04f0a59dee7ac1fe3c5001348518a4e88dd7976c411920af4bc487137dda2d9ab1b39e9d265ec9ac7388aef6530"
    "c6bacaa04c6fea4739b705d3ab887e40284b3a59f4fe6b546707ec45a312b4fb3a992e97ae0c67c5b5a1a237faeb7b6e"
    "110b9e182f8508c7eb6b7e82f649c3146ccab0d6bb2d92b6763620c83dc947f301ff8354256fd3a8e42dc0761bc5ebe8"
    "240ae6f8be52b68c23cc6cbefdbaba1b";
static const char rfc7516_d[] =
    "90b76d223e866c392cfc0a42493610b5e95c36db652a23b23f332b5c7788fb293517bfa4a43c58e3e598e4d595e4a9ed"
    "6847974b58fcd84dfbe71c6158c1d7caf8d879c3d3f5fa7047f33d815f27f47ae1d9a9d3a530fddc3b7adb2a56df20ec"
    "2730674e7ad8bb58b05918012ab118638eaa01922b036c40c279b65fbb86475860864a83a7456a8f791b482cf55f27c2"
    "b3afcb7a1070b711c8ca1f118a9cb8d29db89a83806e0c55c37af14ffbe5b775157b858edc99093b396951ff8a4d5236"
    "3ed826f9d011c5312d13e89dfb8389af487e2be545b375529dd5532339d2c5fcab8fc20b2fa306fd4bfc600bbb5482d2"
    "07794e5b4f39fb8a84dc3ce0ad38e0c9";
static const char rfc7516_p[] =
    "d6be765e4e3a73e2ec7c1e4fe38da9edab5d3d4af1412cb89ad8bfb592373207f612e1556d4a0306f69143e496c646e4"
    "9a81332fb257ae84818d2acadd821081874c8320043d33e35effe1236ff579348f5597f32f495f7cd9f4dc85ea585e4c"
    "0c5ba85181348736f6be1ae537facaadb7c323051b4eb8e38227916f00ba0a5d";
static const char rfc7516_q[] =
    "c0b6f7e71ee1990599b1626607fbe57bcee2860675f52f2504444e2c8b191b86b26557bd1e2f600d508e06650375a0d8"
    "55348dc7ff05cb0d5861af571ab1a70dec34d09dbc71152878107f8ca235a266b43abbf54fd697216c4ac1de20bf1148"
    "98e5abdd044bf4a10147393645ab540679836494c801fc13b3483af14647bed7";

/* The key of RFC 7515, A.3. */
#define ES256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ES256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ES256_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"

static struct sb_arena *arena;

static inline void setup(void)
{
    arena = arena_new(8u << 20);
    ck_assert_int_eq(cmem_init(NULL), SB_OK);
}

static inline void teardown(void)
{
    arena_free(arena);
    cmem_shutdown();
}

static inline struct sb_blob from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(arena, n);
    ck_assert(hex_decode(hex, p, n));
    return (struct sb_blob){p, n};
}

static inline struct sb_blob from_b64url(const char *s)
{
    struct sb_blob b = {0};
    b.p = b64url_decode(arena, s, strlen(s), &b.n);
    ck_assert_ptr_nonnull(b.p);
    return b;
}

static inline struct pkey_parts rfc7516_parts(void)
{
    return (struct pkey_parts){
        .type = PKEY_RSA,
        .n = from_hex(rfc7516_n),
        .e = from_hex("010001"),
        .d = from_hex(rfc7516_d),
        .p = from_hex(rfc7516_p),
        .q = from_hex(rfc7516_q),
    };
}

static inline struct pkey_parts es256_parts(void)
{
    return (struct pkey_parts){.type = PKEY_EC,
                               .curve = PKEY_P256,
                               .x = from_b64url(ES256_X),
                               .y = from_b64url(ES256_Y),
                               .d = from_b64url(ES256_D)};
}

static inline struct pkey *imported(struct pkey_parts parts)
{
    struct pkey *k = NULL;
    struct sb_error err = {0};
    ck_assert_msg(pkey_import(&parts, &k, &err) == SB_OK, "%s", err.detail);
    return k;
}

static inline struct pkey_parts public_of(const struct pkey *k)
{
    struct pkey_parts parts = {0};
    ck_assert_int_eq(pkey_public(k, arena, &parts, NULL), SB_OK);
    return parts;
}

static inline void same_blob(struct sb_blob a, struct sb_blob b)
{
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_mem_eq(a.p, b.p, a.n);
}

static inline void verdict(struct pkey *k, enum pkey_alg alg, const uint8_t *digest, struct sb_blob sig,
                           bool want)
{
    bool good = !want;
    ck_assert_int_eq(pkey_verify(k, alg, digest, pkey_alg_digest_len(alg), sig.p, sig.n, &good, NULL), SB_OK);
    ck_assert_int_eq(good, want);
}

#endif
