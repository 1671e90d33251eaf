/*
 * test_kat.c: every algorithm of the vaults against published vectors (fixtures/kat, whose files name their
 * sources).
 *
 * A file is lines "name value": those of a key (alg, n, e, d, p, q, crv, x, y; a new alg begins a new key),
 * then its cases "case good|bad A B". Of a signature A is the digest, B the signature; of encryption A is the
 * plaintext, B the ciphertext.
 */
#define _DEFAULT_SOURCE /* strsep */
#include "tests/unit/crypto/pkey_kit.h"
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *file, *alg;
    unsigned good, bad; /* as many cases as it must hold at least */
} files[] = {
    {"rsa1-5", "RSA1_5", 10, 0},  {"rsa-oaep", "RSA-OAEP", 10, 10}, {"rsa-oaep-256", "RSA-OAEP-256", 10, 10},
    {"rs256", "RS256", 6, 8},     {"rs384", "RS384", 6, 8},         {"rs512", "RS512", 6, 8},
    {"ps256", "PS256", 8, 16},    {"ps384", "PS384", 8, 16},        {"ps512", "PS512", 6, 8},
    {"es256", "ES256", 3, 12},    {"es384", "ES384", 3, 12},        {"es512", "ES512", 3, 12},
    {"es256k", "ES256K", 20, 40},
};

struct state {
    enum pkey_alg alg;
    struct pkey_parts parts;
    struct pkey *key; /* NULL until the first case, or refused */
    bool tried;
    unsigned good, bad, line;
};

static struct sb_blob value(const char *hex)
{
    return strcmp(hex, "-") == 0 ? (struct sb_blob){(const uint8_t *)"", 0} : from_hex(hex);
}

static void key_line(struct state *s, const char *name, const char *text)
{
    const struct {
        const char *name;
        struct sb_blob *to;
    } numbers[] = {{"n", &s->parts.n}, {"e", &s->parts.e}, {"d", &s->parts.d}, {"p", &s->parts.p},
                   {"q", &s->parts.q}, {"x", &s->parts.x}, {"y", &s->parts.y}};
    if (strcmp(name, "alg") == 0) {
        pkey_unref(s->key);
        s->key = NULL;
        s->tried = false;
        s->parts = (struct pkey_parts){.type = text[0] == 'E' ? PKEY_EC : PKEY_RSA};
        s->alg = pkey_alg_parse(text);
        ck_assert_int_ne(s->alg, PKEY_ALG_NONE);
        return;
    }
    if (strcmp(name, "crv") == 0) {
        s->parts.curve = pkey_curve_parse(text);
        return;
    }
    size_t i = 0;
    while (i < SB_ARRAY_LEN(numbers) && strcmp(numbers[i].name, name) != 0)
        i++;
    ck_assert_msg(i < SB_ARRAY_LEN(numbers), "line %u: what is '%s'?", s->line, name);
    *numbers[i].to = value(text);
}

static bool same(struct sb_blob a, struct sb_blob b)
{
    return a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

/* A private RSASSA-PKCS1-v1_5 key signs to the very signature; the others sign differently each time. */
static void sign_case(const struct state *s, struct sb_blob digest, struct sb_blob signature)
{
    struct sb_blob made;
    bool fixed = s->alg == PKEY_RS256 || s->alg == PKEY_RS384 || s->alg == PKEY_RS512;
    if (!fixed || s->parts.d.p == NULL)
        return;
    ck_assert_int_eq(pkey_sign(s->key, s->alg, digest.p, digest.n, arena, &made, NULL), SB_OK);
    ck_assert_msg(same(made, signature), "line %u", s->line);
}

static bool holds(const struct state *s, struct sb_blob a, struct sb_blob b)
{
    bool good = false;
    struct sb_blob plain;
    if (s->key == NULL)
        return false;
    if (pkey_alg_digest_len(s->alg) > 0)
        return pkey_verify(s->key, s->alg, a.p, a.n, b.p, b.n, &good, NULL) == SB_OK && good;
    return pkey_decrypt(s->key, s->alg, b.p, b.n, arena, &plain, NULL) == SB_OK && same(plain, a);
}

static void case_line(struct state *s, const char *verdict, const char *a, const char *b)
{
    struct sb_blob first = value(a), second = value(b);
    bool good = strcmp(verdict, "good") == 0;
    if (!s->tried) /* a bad case's key may be no key at all */
        (void)!pkey_import(&s->parts, &s->key, NULL);
    s->tried = true;
    ck_assert_msg(holds(s, first, second) == good, "line %u: not %s", s->line, verdict);
    if (good)
        sign_case(s, first, second);
    *(good ? &s->good : &s->bad) += 1;
}

START_TEST(test_kat__holds)
{
    static char text[16384];
    char path[64];
    struct state s = {0};
    snprintf(path, sizeof path, "fixtures/kat/%s.txt", files[_i].file);
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s is not there", path);
    while (fgets(text, sizeof text, f)) {
        char *words[5] = {0}, *rest = text;
        size_t n = 0;
        s.line++;
        text[strcspn(text, "\n")] = '\0';
        if (text[0] == '#' || text[0] == '\0')
            continue;
        for (char *w; n < 5 && (w = strsep(&rest, " ")) != NULL;)
            words[n++] = w;
        if (strcmp(words[0], "case") == 0 && n == 4)
            case_line(&s, words[1], words[2], words[3]);
        else
            key_line(&s, words[0], n == 2 ? words[1] : "");
    }
    fclose(f);
    ck_assert_str_eq(pkey_alg_name(s.alg), files[_i].alg);
    ck_assert_msg(s.good >= files[_i].good && s.bad >= files[_i].bad, "%u good, %u bad", s.good, s.bad);
    pkey_unref(s.key);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("kat");
    TCase *t = tcase_create("kat");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60); /* whole keys are checked when they are imported */
    tcase_add_loop_test(t, test_kat__holds, 0, (int)SB_ARRAY_LEN(files));
    suite_add_tcase(s, t);
    return s;
}
