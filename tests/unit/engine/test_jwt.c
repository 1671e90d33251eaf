/* test_jwt.c: the token reader against good, odd and hostile tokens. */
#include <stdlib.h>
#include <string.h>
#include "crypto/cmem.h"
#include "server/base/text.h"
#include "server/engine/jwt.h"
#include "tests/unit/unit.h"

static struct sb_arena *arena;
static struct pkey *key, *other;

static void setup(void)
{
    struct sb_error err;
    ck_assert_int_eq(cmem_init(&err), SB_OK);
    arena = arena_new(4u << 20);
    ck_assert_int_eq(pkey_generate_rsa(2048, &key, &err), SB_OK);
    ck_assert_int_eq(pkey_generate_rsa(2048, &other, &err), SB_OK);
}

static void teardown(void)
{
    arena_free(arena);
    pkey_unref(key);
    pkey_unref(other);
}

static const struct jwt_claims claims = {
    .aud = "https://vault.azure.net",
    .iss = "https://sts.windows.net/t/",
    .oid = "o",
    .sub = "o",
    .tid = "t",
    .appid = "a",
    .ver = "1.0",
    .idtyp = "app",
    .mirid = "/subscriptions/\"quoted\"\n",
    .iat = 1000,
    .nbf = 1000,
    .exp = 2000,
};

/* header.payload.signature from plain texts; the signature is sig's text, or made with k over the first two
 * parts. */
static char *assemble(const char *header, const char *payload, const struct pkey *k)
{
    struct jwt_claims c = claims;
    char *signed_token;
    ck_assert_int_eq(jwt_sign(k, "kid1", &c, arena, &signed_token, NULL), SB_OK);
    return arena_printf(arena, "%s.%s%s", b64url_str(arena, header, strlen(header)),
                        b64url_str(arena, payload, strlen(payload)), strrchr(signed_token, '.'));
}

static enum sb_err object(const char *text)
{
    const char *s = NULL;
    int64_t n = 0;
    const struct jwt_member want[] = {{.name = "s", .text = &s}, {.name = "n", .number = &n}};
    return jwt_object(text, strlen(text), want, 2, arena, NULL);
}

START_TEST(round_trip)
{
    char *token;
    struct jwt t;
    struct jwt_claims c;
    ck_assert_int_eq(jwt_sign(key, "kid1", &claims, arena, &token, NULL), SB_OK);
    ck_assert_int_eq(jwt_parse(token, arena, &t, NULL), SB_OK);
    ck_assert_str_eq(t.kid, "kid1");
    ck_assert_int_eq(jwt_verify(&t, key, NULL), SB_OK);
    ck_assert_int_eq(jwt_verify(&t, other, NULL), SB_EBADTOKEN);
    ck_assert_int_eq(jwt_read(&t, arena, &c, NULL), SB_OK);
    ck_assert_str_eq(c.aud, claims.aud);
    ck_assert_str_eq(c.mirid, claims.mirid);
    ck_assert_str_eq(c.appid, "a");
    ck_assert_int_eq(c.exp, 2000);
}
END_TEST

START_TEST(version_2_names_the_application_azp)
{
    struct jwt_claims in = claims, out;
    struct jwt t;
    char *token;
    in.ver = "2.0";
    ck_assert_int_eq(jwt_sign(key, "k", &in, arena, &token, NULL), SB_OK);
    ck_assert_int_eq(jwt_parse(token, arena, &t, NULL), SB_OK);
    ck_assert_ptr_nonnull(strstr((const char *)t.payload.p, "\"azp\":\"a\""));
    ck_assert_int_eq(jwt_read(&t, arena, &out, NULL), SB_OK);
    ck_assert_str_eq(out.appid, "a");
}
END_TEST

static const char *const bad_headers[] = {
    "{\"alg\":\"none\",\"kid\":\"kid1\"}",
    "{\"alg\":\"None\",\"kid\":\"kid1\"}",
    "{\"alg\":\"HS256\",\"kid\":\"kid1\"}", /* the public key used as an HMAC secret */
    "{\"alg\":\"rs256\",\"kid\":\"kid1\"}",
    "{\"alg\":\"RS512\",\"kid\":\"kid1\"}",
    "{\"alg\":\"PS256\",\"kid\":\"kid1\"}",
    "{\"alg\":[\"RS256\"],\"kid\":\"kid1\"}",
    "{\"alg\":\"RS256\"}",
    "{\"kid\":\"kid1\"}",
    "{\"alg\":\"RS256\",\"kid\":7}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\",\"alg\":\"none\"}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\",\"\\u0061lg\":\"none\"}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\",\"typ\":\"at+jwt\"}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\",\"crit\":\"b64\"}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\",\"crit\":[\"b64\"]}",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\"}x",
    "{\"alg\":\"RS256\",\"kid\":\"kid1\"",
    "",
    "[]",
};

START_TEST(header_is_refused)
{
    struct jwt t;
    char *token = assemble(bad_headers[_i], "{}", key);
    ck_assert_int_eq(jwt_parse(token, arena, &t, NULL), SB_EBADTOKEN);
}
END_TEST

START_TEST(outer_form)
{
    struct jwt t;
    char *good;
    ck_assert_int_eq(jwt_sign(key, "kid1", &claims, arena, &good, NULL), SB_OK);
    const char *bad[] = {
        "",
        ".",
        "..",
        "a.b",
        arena_printf(arena, "%s.x", good),
        arena_printf(arena, "%s.", good),
        arena_printf(arena, ".%s", good),
        arena_printf(arena, "%s=", good),
        arena_printf(arena, " %s", good),
        arena_printf(arena, "%s\n", good),
        arena_printf(arena, "+%s", good),
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(bad); i++)
        ck_assert_msg(jwt_parse(bad[i], arena, &t, NULL) == SB_EBADTOKEN, "accepted: %s", bad[i]);
}
END_TEST

START_TEST(too_long)
{
    struct jwt t;
    char *huge = arena_alloc(arena, JWT_MAX + 100);
    memset(huge, 'A', JWT_MAX + 99);
    huge[10] = huge[20] = '.';
    ck_assert_int_eq(jwt_parse(huge, arena, &t, NULL), SB_EBADTOKEN);
    struct jwt_claims c = claims;
    char *token, *aud = arena_alloc(arena, JWT_MAX + 1);
    memset(aud, 'a', JWT_MAX);
    c.aud = aud;
    ck_assert_int_eq(jwt_sign(key, "k", &c, arena, &token, NULL), SB_ETOOLARGE);
}
END_TEST

START_TEST(changed_payload_fails)
{
    struct jwt t;
    char *token = assemble("{\"alg\":\"RS256\",\"kid\":\"kid1\"}", "{\"aud\":\"x\"}", key);
    ck_assert_int_eq(jwt_parse(token, arena, &t, NULL), SB_OK);
    ck_assert_int_eq(jwt_verify(&t, key, NULL), SB_EBADTOKEN);
    t.signature.n = 0;
    ck_assert_int_eq(jwt_verify(&t, key, NULL), SB_EBADTOKEN);
}
END_TEST

/* Each lacks one claim, or has it with another type. */
static const char *const bad_payloads[] = {
    "{}",
    "{\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":2}",
    "{\"aud\":[\"a\"],\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":2}",
    "{\"aud\":\"a\",\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1}",
    "{\"aud\":\"a\",\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":\"2\"}",
    "{\"aud\":\"a\",\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":1e9}",
    ("{\"aud\":\"a\",\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":"
     "99999999999999999999}"),
    "{\"aud\":\"a\",\"iss\":\"i\",\"oid\":null,\"tid\":\"t\",\"appid\":\"a\",\"nbf\":1,\"exp\":2}",
    "{\"aud\":\"a\",\"iss\":\"i\",\"oid\":\"o\",\"tid\":\"t\",\"appid\":\"a\",\"nbf\":-1,\"exp\":2}",
};

START_TEST(claims_are_refused)
{
    struct jwt t = {.payload = {(const uint8_t *)bad_payloads[_i], strlen(bad_payloads[_i])}};
    struct jwt_claims c;
    ck_assert_int_eq(jwt_read(&t, arena, &c, NULL), SB_EBADTOKEN);
}
END_TEST

static const char *const good_objects[] = {
    "{}",
    " { } ",
    "{\"s\":\"x\",\"n\":5}",
    "{\"x\":{\"s\":1,\"s\":2},\"s\":\"x\"}", /* names inside a skipped value are its own */
    "{\"x\":[[],{},[1,-2.5e+3,true,false,null,\"\\u00e9\\ud83d\\ude00\"]],\"n\":-0}",
    "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
    "{\"\":1}",
};

START_TEST(object_is_read)
{
    ck_assert_msg(object(good_objects[_i]) == SB_OK, "refused: %s", good_objects[_i]);
}
END_TEST

static const char *const bad_objects[] = {
    "",
    "{",
    "[]",
    "null",
    "{}{}",
    "{,}",
    "{\"s\"}",
    "{\"s\":}",
    "{\"s\":\"x\",}",
    "{\"s\":\"x\" \"n\":1}",
    "{\"s\":1}",
    "{\"n\":\"1\"}",
    "{\"n\":1.0}",
    "{\"n\":01}",
    "{\"n\":+1}",
    "{\"n\":-}",
    "{\"n\":9007199254740992}",
    "{\"s\":\"a\",\"s\":\"a\"}",
    "{\"x\":1,\"x\":2}",
    "{s:1}",
    "{'s':'x'}",
    "{\"s\":\"\\u0000\"}",
    "{\"s\":\"\\ud800\"}",
    "{\"s\":\"\\ud800x\"}",
    "{\"s\":\"\\udc00\"}",
    "{\"s\":\"\\u12\"}",
    "{\"s\":\"\\q\"}",
    "{\"s\":\"\xff\"}",
    "{\"s\":\"\xc0\x80\"}",
    "{\"s\":\"a\nb\"}",
    "{\"s\":\"open}",
    "{\"s\":\"open\\\"}",
    "{\"x\":[1,]}",
    "{\"x\":[,1]}",
    "{\"x\":[1}}",
    "{\"x\":{\"a\":1]}",
    "{\"x\":{1:2}}",
    "{\"x\":tru}",
    "{\"x\":nul",
    "{\"x\":1.}",
    "{\"x\":1e}",
    "{\"x\":.5}",
};

START_TEST(object_is_refused)
{
    ck_assert_msg(object(bad_objects[_i]) == SB_EBADTOKEN, "accepted: %s", bad_objects[_i]);
}
END_TEST

/* Times of an assertion: a fraction is cut off, anything else is as strict. */
static const struct {
    const char *text;
    bool ok;
    int64_t value;
} times[] = {
    {"{\"n\":5}", true, 5},     {"{\"n\":1764108008.12345}", true, 1764108008},
    {"{\"n\":-1.9}", true, -1}, {"{\"n\":1.5e3}", false, 0},
    {"{\"n\":1E3}", false, 0},  {"{\"n\":9007199254740992.5}", false, 0},
    {"{\"n\":1.}", false, 0},   {"{\"n\":\"1.5\"}", false, 0},
};

START_TEST(times_may_have_fractions)
{
    int64_t n = 0;
    const struct jwt_member want[] = {{.name = "n", .number = &n, .cut = true}};
    enum sb_err rc = jwt_object(times[_i].text, strlen(times[_i].text), want, 1, arena, NULL);
    ck_assert_msg((rc == SB_OK) == times[_i].ok && n == times[_i].value, "%s", times[_i].text);
    if (times[_i].ok && strchr(times[_i].text, '.') != NULL)
        ck_assert_int_eq(object(times[_i].text), SB_EBADTOKEN);
}
END_TEST

START_TEST(assertions_have_algorithms_of_their_own)
{
    static const struct {
        const char *header;
        enum pkey_alg alg;
    } rows[] = {
        {"{\"alg\":\"RS256\",\"x5t\":\"a\"}", PKEY_RS256},
        {"{\"alg\":\"PS256\",\"x5t#S256\":\"b\",\"kid\":\"c\",\"typ\":\"JWT\",\"x5c\":[\"d\"]}", PKEY_PS256},
        {"{\"alg\":\"none\",\"x5t\":\"a\"}", PKEY_ALG_NONE},
        {"{\"alg\":\"HS256\",\"x5t\":\"a\"}", PKEY_ALG_NONE},
        {"{\"alg\":\"RS512\",\"x5t\":\"a\"}", PKEY_ALG_NONE},
        {"{\"alg\":\"RSA-OAEP\",\"x5t\":\"a\"}", PKEY_ALG_NONE},
        {"{\"alg\":\"PS256\",\"crit\":\"b64\"}", PKEY_ALG_NONE},
        {"{\"alg\":\"PS256\",\"x5t\":7}", PKEY_ALG_NONE},
    };
    for (size_t i = 0; i < SB_ARRAY_LEN(rows); i++) {
        struct jwt t;
        enum sb_err rc = jwt_parse_assertion(assemble(rows[i].header, "{}", key), arena, &t, NULL);
        ck_assert_msg((rc == SB_OK) == (rows[i].alg != PKEY_ALG_NONE), "%s", rows[i].header);
        if (rc == SB_OK)
            ck_assert_int_eq(t.alg, rows[i].alg);
    }
}
END_TEST

static char *nested(int depth)
{
    char *s = arena_alloc(arena, (size_t)depth * 2 + 8);
    size_t n = 0;
    memcpy(s, "{\"x\":", 5);
    n = 5;
    for (int i = 0; i < depth; i++)
        s[n++] = '[';
    for (int i = 0; i < depth; i++)
        s[n++] = ']';
    s[n] = '}';
    return s;
}

START_TEST(depth_has_a_limit)
{
    ck_assert_int_eq(object(nested(JWT_DEPTH)), SB_OK);
    ck_assert_int_eq(object(nested(JWT_DEPTH + 1)), SB_EBADTOKEN);
    ck_assert_int_eq(object(nested(20000)), SB_EBADTOKEN);
}
END_TEST

START_TEST(members_have_a_limit)
{
    for (int members = JWT_MEMBERS; members <= JWT_MEMBERS + 1; members++) {
        struct sb_buf b;
        buf_init(&b, 1u << 16);
        for (int i = 0; i < members; i++)
            buf_addf(&b, "%s\"m%d\":1", i == 0 ? "{" : ",", i);
        buf_addc(&b, '}');
        ck_assert_int_eq(object(buf_str(&b)), members == JWT_MEMBERS ? SB_OK : SB_EBADTOKEN);
        buf_done(&b);
    }
}
END_TEST

/* Reading stops at the given length, not at a NUL. */
START_TEST(every_prefix_is_refused)
{
    const char *text = "{\"s\":\"a\\u00e9b\",\"x\":{\"y\":[1.5e3,true]},\"n\":12}";
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        char *part = malloc(i + 1); /* exact, so that a sanitizer sees a byte too many */
        memcpy(part, text, i);
        ck_assert_int_eq(jwt_object(part, i, NULL, 0, arena, NULL), SB_EBADTOKEN);
        free(part);
    }
    ck_assert_int_eq(object(text), SB_OK);
}
END_TEST

Suite *unit_suite(void)
{
    Suite *s = suite_create("jwt");
    TCase *t = tcase_create("token");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_add_test(t, round_trip);
    tcase_add_test(t, version_2_names_the_application_azp);
    tcase_add_loop_test(t, header_is_refused, 0, (int)SB_ARRAY_LEN(bad_headers));
    tcase_add_test(t, outer_form);
    tcase_add_test(t, too_long);
    tcase_add_test(t, assertions_have_algorithms_of_their_own);
    tcase_add_test(t, changed_payload_fails);
    tcase_add_loop_test(t, claims_are_refused, 0, (int)SB_ARRAY_LEN(bad_payloads));
    suite_add_tcase(s, t);
    TCase *o = tcase_create("object");
    tcase_add_unchecked_fixture(o, setup, teardown);
    tcase_add_loop_test(o, object_is_read, 0, (int)SB_ARRAY_LEN(good_objects));
    tcase_add_loop_test(o, object_is_refused, 0, (int)SB_ARRAY_LEN(bad_objects));
    tcase_add_loop_test(o, times_may_have_fractions, 0, (int)SB_ARRAY_LEN(times));
    tcase_add_test(o, depth_has_a_limit);
    tcase_add_test(o, members_have_a_limit);
    tcase_add_test(o, every_prefix_is_refused);
    suite_add_tcase(s, o);
    return s;
}
