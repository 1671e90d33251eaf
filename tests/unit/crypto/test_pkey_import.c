/* test_pkey_import.c: keys generated, imported from numbers good and bad, shown in public, sealed and
 * unsealed. */
#include <openssl/bn.h>
#include <string.h>
#include "crypto/cmem_priv.h"
#include "crypto/envelope.h"
#include "crypto/pkey.h"
#include "tests/unit/crypto/pkey_kit.h"

/* ---- generation, import, public parts ---- */

START_TEST(test_pkey__generates_rsa)
{
    static const unsigned bad[] = {0, 512, 1016, 2047, 4097, 8192};
    struct pkey *k = NULL;
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
        ck_assert_int_eq(pkey_generate_rsa(bad[i], &k, NULL), SB_EBADPARAM);
    ck_assert_int_eq(pkey_generate_ec(PKEY_CURVE_NONE, &k, NULL), SB_EBADPARAM);
    ck_assert_ptr_null(k);
    ck_assert_int_eq(pkey_generate_rsa(2048, &k, NULL), SB_OK);
    struct pkey_parts pub = public_of(k);
    ck_assert_int_eq(pub.type, PKEY_RSA);
    ck_assert_uint_eq(pub.n.n, 256);
    same_blob(pub.e, from_hex("010001"));
    ck_assert_ptr_null(pub.d.p);
    ck_assert_ptr_null(pub.p.p);
    ck_assert_ptr_eq(pkey_ref(k), k);
    pkey_unref(k);
    ck_assert_uint_eq(pkey_bits(k), 2048);
    pkey_unref(k);
    pkey_unref(NULL);
}
END_TEST

START_TEST(test_pkey__public_parts_come_back)
{
    struct pkey_parts rsa = rfc7516_parts(), ec = es256_parts();
    struct pkey *k = imported(rsa);
    struct pkey_parts pub = public_of(k);
    same_blob(pub.n, rsa.n);
    same_blob(pub.e, rsa.e);
    pkey_unref(k);
    k = imported(ec);
    pub = public_of(k);
    ck_assert_int_eq(pub.type, PKEY_EC);
    ck_assert_int_eq(pub.curve, PKEY_P256);
    same_blob(pub.x, ec.x);
    same_blob(pub.y, ec.y);
    ck_assert_ptr_null(pub.d.p);
    pkey_unref(k);
}
END_TEST

static struct sb_blob changed(struct sb_blob b, size_t at, uint8_t by)
{
    uint8_t *p = arena_memdup(arena, b.p, b.n);
    p[at] ^= by;
    return (struct sb_blob){p, b.n};
}

static struct sb_blob filled(size_t n)
{
    uint8_t *p = arena_alloc(arena, n);
    memset(p, 0xff, n);
    return (struct sb_blob){p, n};
}

enum rsa_change {
    NOTHING,
    NO_CRT,
    LEADING_ZEROS,
    PUBLIC,
    E_THREE_PUBLIC,
    RSA_GOOD_END,
    NO_N = RSA_GOOD_END,
    NO_E,
    NO_D,
    NO_P,
    NO_Q,
    E_ONE,
    E_EVEN,
    E_ZERO,
    E_LONG,
    N_EVEN,
    N_SHORT,
    N_LONG,
    N_HUGE,
    N_OTHER,
    D_OTHER,
    D_ZERO,
    P_OTHER,
    P_ONE,
    P_IS_N,
    DP_OTHER,
    DQ_OTHER,
    QI_OTHER,
    SWAPPED,
    EMPTY_D,
    RSA_CHANGES
};

static void change_rsa(struct pkey_parts *k, enum rsa_change what)
{
    const struct sb_blob none = {0}, one = from_hex("01");
    const struct pkey_parts old = *k;
    switch (what) {
    case NO_CRT: k->dp = k->dq = k->qi = none; break;
    case LEADING_ZEROS: k->e = from_hex("0000010001"); break;
    case PUBLIC: k->d = k->p = k->q = k->dp = k->dq = k->qi = none; break;
    case E_THREE_PUBLIC: k->e = from_hex("03"), k->d = k->p = k->q = k->dp = k->dq = k->qi = none; break;
    case NO_N: k->n = none; break;
    case NO_E: k->e = none; break;
    case NO_D: k->d = none; break;
    case NO_P: k->p = none; break;
    case NO_Q: k->q = none; break;
    case E_ONE: k->e = one; break;
    case E_EVEN: k->e = from_hex("010000"); break;
    case E_ZERO: k->e = from_hex("00"); break;
    case E_LONG: k->e = from_hex("010000000000000001"); break;
    case N_EVEN: k->n = changed(k->n, k->n.n - 1, 1); break;
    case N_SHORT: k->n = filled(127), k->d = k->p = k->q = k->dp = k->dq = k->qi = none; break;
    case N_LONG: k->n = filled(513), k->d = k->p = k->q = k->dp = k->dq = k->qi = none; break;
    case N_HUGE: k->n = filled(100000), k->d = k->p = k->q = k->dp = k->dq = k->qi = none; break;
    case N_OTHER: k->n = changed(k->n, 100, 1); break;
    case D_OTHER: k->d = changed(k->d, 100, 1), k->dp = k->dq = k->qi = none; break;
    case D_ZERO: k->d = from_hex("00"); break;
    case P_OTHER: k->p = changed(k->p, 50, 1); break;
    case P_ONE: k->p = one, k->dp = k->dq = k->qi = none; break;
    case P_IS_N: k->p = k->n, k->q = one, k->dp = k->dq = k->qi = none; break;
    case DP_OTHER: k->dp = changed(k->dp, 50, 1); break;
    case DQ_OTHER: k->dq = changed(k->dq, 50, 1); break;
    case QI_OTHER: k->qi = changed(k->qi, 50, 1); break;
    case SWAPPED: k->p = old.q, k->q = old.p; break; /* but not dp and dq */
    case EMPTY_D: k->d.n = 0; break;
    default: break;
    }
}

/* A complete key: the RFC's, with the numbers that derivation gave, computed here once more. */
static struct pkey_parts full_rsa(void)
{
    struct pkey_parts k = rfc7516_parts();
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *d = BN_bin2bn(k.d.p, (int)k.d.n, NULL), *p = BN_bin2bn(k.p.p, (int)k.p.n, NULL);
    BIGNUM *q = BN_bin2bn(k.q.p, (int)k.q.n, NULL), *r = BN_new(), *m = BN_new();
    struct sb_blob *out[3] = {&k.dp, &k.dq, &k.qi};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *dst = arena_alloc(arena, 128);
        BN_sub(m, i == 0 ? p : q, BN_value_one());
        ck_assert_int_eq(i == 2 ? BN_mod_inverse(r, q, p, ctx) != NULL : BN_mod(r, d, m, ctx), 1);
        ck_assert_int_eq(BN_bn2binpad(r, dst, 128), 128);
        *out[i] = (struct sb_blob){dst, 128};
    }
    BN_free(d), BN_free(p), BN_free(q), BN_free(r), BN_free(m);
    BN_CTX_free(ctx);
    return k;
}

START_TEST(test_pkey__imports_rsa)
{
    struct pkey_parts parts = full_rsa();
    struct pkey *k = NULL;
    struct sb_error err = {0};
    change_rsa(&parts, (enum rsa_change)_i);
    enum sb_err rc = pkey_import(&parts, &k, &err);
    if (_i < RSA_GOOD_END) {
        ck_assert_msg(rc == SB_OK, "%s", err.detail);
        same_blob(public_of(k).n, parts.n);
    } else {
        ck_assert_int_eq(rc, SB_EBADPARAM);
        ck_assert_int_eq(err.code, SB_EBADPARAM);
        ck_assert_str_ne(err.detail, "");
        ck_assert_ptr_null(k);
    }
    pkey_unref(k);
}
END_TEST

START_TEST(test_pkey__imports_ec)
{
    struct pkey_parts k = es256_parts();
    const struct sb_blob none = {0};
    bool good = _i < 2;
    switch (_i) {
    case 0: k.d = none; break;
    case 1:
        k.x = from_hex("0000"
                       "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445");
        break;
    case 2: k.x = none; break;
    case 3: k.y = none; break;
    case 4: k.y = changed(k.y, 31, 1); break;
    case 5: k.d = changed(k.d, 31, 1); break;
    case 6: k.d = from_hex("00"); break;
    case 7: k.d = filled(32); break; /* beyond the order */
    case 8: k.d = filled(33); break;
    case 9: k.x = filled(33); break;
    case 10: k.curve = PKEY_P384; break;
    case 11: k.curve = PKEY_P256K; break;
    case 12: k.curve = PKEY_CURVE_NONE; break;
    case 13: k.x = k.y = from_hex("00"); break;
    default: ck_abort();
    }
    struct pkey *key = NULL;
    struct sb_error err = {0};
    ck_assert_int_eq(pkey_import(&k, &key, &err), good ? SB_OK : SB_EBADPARAM);
    ck_assert_int_eq(key != NULL, good);
    pkey_unref(key);
}
END_TEST

/* ---- sealing ---- */

START_TEST(test_pkey__seals_and_unseals)
{
    struct pkey *k = NULL, *got = NULL, *none = NULL;
    struct cmem_key *under = NULL, *other = NULL;
    struct sb_buf b;
    buf_init(&b, 10000);
    ck_assert_int_eq(cmem_key_random(&under, NULL), SB_OK);
    ck_assert_int_eq(cmem_key_random(&other, NULL), SB_OK);
    if (_i == PKEY_CURVE_NONE)
        k = imported(rfc7516_parts());
    else
        ck_assert_int_eq(pkey_generate_ec((enum pkey_curve)_i, &k, NULL), SB_OK);
    enum pkey_alg alg = _i == 0   ? PKEY_RS256
                        : _i == 1 ? PKEY_ES256
                        : _i == 2 ? PKEY_ES384
                        : _i == 3 ? PKEY_ES512
                                  : PKEY_ES256K;
    ck_assert_int_eq(pkey_seal(k, under, "vault/key/1", &b, NULL), SB_OK);
    ck_assert_int_eq(pkey_unseal(b.p, b.n, under, "vault/key/1", &got, NULL), SB_OK);
    ck_assert_int_eq(pkey_type_of(got), pkey_type_of(k));
    ck_assert_int_eq(pkey_curve_of(got), pkey_curve_of(k));
    ck_assert_uint_eq(pkey_bits(got), pkey_bits(k));
    uint8_t digest[64] = {9};
    struct sb_blob sig = {0};
    ck_assert_int_eq(pkey_sign(got, alg, digest, pkey_alg_digest_len(alg), arena, &sig, NULL), SB_OK);
    verdict(k, alg, digest, sig, true);
    ck_assert_int_eq(pkey_unseal(b.p, b.n, under, "vault/key/2", &none, NULL), SB_ETAMPER);
    ck_assert_int_eq(pkey_unseal(b.p, b.n, other, "vault/key/1", &none, NULL), SB_ETAMPER);
    ck_assert_int_eq(pkey_unseal(b.p, b.n - 1, under, "vault/key/1", &none, NULL), SB_ETAMPER);
    b.p[b.n / 2] ^= 1;
    ck_assert_int_eq(pkey_unseal(b.p, b.n, under, "vault/key/1", &none, NULL), SB_ETAMPER);
    ck_assert_ptr_null(none);
    buf_done(&b);
    pkey_unref(k);
    pkey_unref(got);
    cmem_key_free(under);
    cmem_key_free(other);
}
END_TEST

START_TEST(test_pkey__seals_only_private_keys)
{
    struct pkey *k = imported(rfc7516_parts()), *pub = imported(public_of(k)), *none = NULL;
    struct cmem_key *under = NULL;
    struct sb_buf b, other;
    buf_init(&b, 10000);
    buf_init(&other, 10000);
    ck_assert_int_eq(cmem_key_random(&under, NULL), SB_OK);
    ck_assert_int_eq(pkey_seal(pub, under, "x", &b, NULL), SB_EBADPARAM);
    ck_assert_uint_eq(b.n, 0);
    /* Well sealed, but no key; and a key whose buffer is too small. */
    ck_assert_int_eq(envelope_seal_key(under, "x", "no key at all", 13, &b, NULL), SB_OK);
    ck_assert_int_eq(pkey_unseal(b.p, b.n, under, "x", &none, NULL), SB_ECRYPTO);
    buf_done(&b);
    buf_init(&b, 100);
    ck_assert_int_eq(pkey_seal(k, under, "x", &b, NULL), SB_ETOOLARGE);
    ck_assert_ptr_null(none);
    buf_done(&b);
    buf_done(&other);
    cmem_key_free(under);
    pkey_unref(pub);
    pkey_unref(k);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("pkey import");
    TCase *t = tcase_create("pkey import");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_pkey__generates_rsa);
    tcase_add_test(t, test_pkey__public_parts_come_back);
    tcase_add_loop_test(t, test_pkey__imports_rsa, 0, RSA_CHANGES);
    tcase_add_loop_test(t, test_pkey__imports_ec, 0, 14);
    tcase_add_loop_test(t, test_pkey__seals_and_unseals, 0, PKEY_P256K + 1);
    tcase_add_test(t, test_pkey__seals_only_private_keys);
    suite_add_tcase(s, t);
    return s;
}
