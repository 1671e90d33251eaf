/* jwt.c: making, taking apart and checking the directory's tokens, and the JSON reader for just that. */
#include <string.h>
#include "crypto/digest.h"
#include "server/base/text.h"
#include "server/engine/jwt.h"

#define NUMBER_MAX INT64_C(9007199254740991)

/* ---- reading one JSON object ---- */

struct reader {
    const char *p, *end;
    struct sb_arena *arena;
};

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (digit(c))
        return c - '0';
    c = text_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u. */
static bool read_unit(struct reader *r, unsigned *ret)
{
    unsigned v = 0;
    if (r->end - r->p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int h = hex_value(*r->p++);
        if (h < 0)
            return false;
        v = v << 4 | (unsigned)h;
    }
    *ret = v;
    return true;
}

static char *put_utf8(char *d, unsigned c)
{
    if (c < 0x80) {
        *d++ = (char)c;
    } else if (c < 0x800) {
        *d++ = (char)(0xc0 | c >> 6);
        *d++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *d++ = (char)(0xe0 | c >> 12);
        *d++ = (char)(0x80 | (c >> 6 & 0x3f));
        *d++ = (char)(0x80 | (c & 0x3f));
    } else {
        *d++ = (char)(0xf0 | c >> 18);
        *d++ = (char)(0x80 | (c >> 12 & 0x3f));
        *d++ = (char)(0x80 | (c >> 6 & 0x3f));
        *d++ = (char)(0x80 | (c & 0x3f));
    }
    return d;
}

/* Behind the backslash. An escape is never shorter than what it stands for. */
static char *read_escape(struct reader *r, char *d)
{
    static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    unsigned c, low;
    if (r->p >= r->end)
        return NULL;
    char kind = *r->p++;
    if (kind != 'u') {
        for (size_t i = 0; i + 1 < sizeof plain - 1; i += 2) {
            if (plain[i] == kind) {
                *d = plain[i + 1];
                return d + 1;
            }
        }
        return NULL;
    }
    if (!read_unit(r, &c) || c == 0 || (c >= 0xdc00 && c < 0xe000))
        return NULL;
    if (c >= 0xd800 && c < 0xdc00) {
        if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
            return NULL;
        r->p += 2;
        if (!read_unit(r, &low) || low < 0xdc00 || low >= 0xe000)
            return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return put_utf8(d, c);
}

/* Bytes up to the closing quote: room enough for the decoded string. */
static size_t string_room(const struct reader *r)
{
    const char *p = r->p;
    while (p < r->end && *p != '"')
        p += *p == '\\' && r->end - p > 1 ? 2 : 1;
    return (size_t)(p - r->p);
}

/* A string with its quotes, decoded into the arena; NULL if malformed (or out of memory). */
static char *read_string(struct reader *r)
{
    if (!take(r, '"'))
        return NULL;
    char *s = arena_alloc(r->arena, string_room(r) + 1), *d = s;
    if (s == NULL)
        return NULL;
    while (r->p < r->end && *r->p != '"') {
        if ((unsigned char)*r->p < 0x20)
            return NULL;
        if (*r->p != '\\') {
            *d++ = *r->p++;
            continue;
        }
        r->p++;
        d = read_escape(r, d);
        if (d == NULL)
            return NULL;
    }
    if (!take(r, '"') || !utf8_valid(s, (size_t)(d - s)))
        return NULL;
    *d = '\0';
    return s;
}

/* Passes over the text of a number; *ret_whole tells whether it has neither fraction nor exponent. */
static bool pass_number(struct reader *r, bool *ret_whole)
{
    bool whole = true;
    if (r->p < r->end && *r->p == '-')
        r->p++;
    if (r->p >= r->end || !digit(*r->p))
        return false;
    if (*r->p == '0' && r->p + 1 < r->end && digit(r->p[1]))
        return false;
    while (r->p < r->end && digit(*r->p))
        r->p++;
    if (r->p < r->end && *r->p == '.') {
        whole = false;
        r->p++;
        if (r->p >= r->end || !digit(*r->p))
            return false;
        while (r->p < r->end && digit(*r->p))
            r->p++;
    }
    if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
        whole = false;
        r->p++;
        if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        if (r->p >= r->end || !digit(*r->p))
            return false;
        while (r->p < r->end && digit(*r->p))
            r->p++;
    }
    *ret_whole = whole;
    return true;
}

static bool read_whole(struct reader *r, bool cut, int64_t *ret)
{
    char text[24];
    bool whole;
    skip_blanks(r);
    const char *from = r->p;
    if (!pass_number(r, &whole))
        return false;
    size_t n = (size_t)(r->p - from);
    if (!whole) {
        const char *dot = cut ? memchr(from, '.', n) : NULL;
        if (dot == NULL || memchr(from, 'e', n) != NULL || memchr(from, 'E', n) != NULL)
            return false;
        n = (size_t)(dot - from);
    }
    return text_copyn(text, sizeof text, from, n) && text_to_i64(text, -NUMBER_MAX, NUMBER_MAX, ret);
}

static bool pass_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || strncmp(r->p, word, n) != 0)
        return false;
    r->p += n;
    return true;
}

/* A string, number or literal that nobody asked for. */
static bool pass_scalar(struct reader *r)
{
    bool whole;
    skip_blanks(r);
    if (r->p >= r->end)
        return false;
    switch (*r->p) {
    case '"': return read_string(r) != NULL;
    case 't': return pass_word(r, "true");
    case 'f': return pass_word(r, "false");
    case 'n': return pass_word(r, "null");
    default: return pass_number(r, &whole);
    }
}

/* Any value, with a stack of what is open instead of recursion: one bit per level, set for an object. */
static bool pass_value(struct reader *r)
{
    uint32_t objects = 0;
    int depth = 0;
    bool first = false; /* the innermost array or object has just been opened */
    do {
        bool in_object = (objects & 1) != 0;
        if (depth > 0 && take(r, in_object ? '}' : ']')) {
            objects >>= 1;
            depth--;
            first = false;
            continue;
        }
        if (depth > 0 && !first && !take(r, ','))
            return false;
        if (depth > 0 && in_object && (read_string(r) == NULL || !take(r, ':')))
            return false;
        bool object = take(r, '{');
        if (object || take(r, '[')) {
            if (++depth > JWT_DEPTH)
                return false;
            objects = objects << 1 | (object ? 1u : 0u);
            first = true;
        } else {
            if (!pass_scalar(r))
                return false;
            first = false;
        }
    } while (depth > 0);
    return true;
}

static bool read_member(struct reader *r, const char *name, const struct jwt_member *want, size_t want_n)
{
    for (size_t i = 0; i < want_n; i++) {
        if (strcmp(want[i].name, name) != 0)
            continue;
        if (want[i].number != NULL)
            return read_whole(r, want[i].cut, want[i].number);
        const char *s = read_string(r);
        if (s != NULL)
            *want[i].text = s;
        return s != NULL;
    }
    return pass_value(r);
}

/* Note that a name appears at most once. */
static bool note_name(const char **seen, size_t *n, const char *name)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(seen[i], name) == 0)
            return false;
    }
    if (*n == JWT_MEMBERS)
        return false;
    seen[(*n)++] = name;
    return true;
}

static bool read_object(struct reader *r, const struct jwt_member *want, size_t want_n)
{
    const char *seen[JWT_MEMBERS];
    size_t n = 0;
    if (!take(r, '{'))
        return false;
    while (!take(r, '}')) {
        if (n > 0 && !take(r, ','))
            return false;
        const char *name = read_string(r);
        if (name == NULL || !note_name(seen, &n, name) || !take(r, ':') ||
            !read_member(r, name, want, want_n))
            return false;
    }
    skip_blanks(r);
    return r->p == r->end;
}

enum sb_err jwt_object(const char *p, size_t n, const struct jwt_member *want, size_t want_n,
                       struct sb_arena *a, struct sb_error *err)
{
    struct reader r = {.p = p, .end = p + n, .arena = a};
    if (read_object(&r, want, want_n))
        return SB_OK;
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "out of memory");
    return sb_fail(err, SB_EBADTOKEN, "The access token is invalid.");
}

/* ---- tokens ---- */

static enum sb_err bad(struct sb_error *err)
{
    return sb_fail(err, SB_EBADTOKEN, "The access token is invalid.");
}

/* The algorithms that each kind of token may have; PKEY_ALG_NONE ends the list. */
static const enum pkey_alg own_algs[] = {PKEY_RS256, PKEY_ALG_NONE};
static const enum pkey_alg assertion_algs[] = {PKEY_RS256, PKEY_PS256, PKEY_ALG_NONE};

static enum pkey_alg find_alg(const enum pkey_alg *algs, const char *name)
{
    for (; name != NULL && *algs != PKEY_ALG_NONE; algs++) {
        if (strcmp(pkey_alg_name(*algs), name) == 0)
            return *algs;
    }
    return PKEY_ALG_NONE;
}

static enum sb_err parse(const char *token, const enum pkey_alg *algs, struct sb_arena *a, struct jwt *ret,
                         struct sb_error *err)
{
    enum sb_err rc;
    const char *alg = NULL, *typ = NULL, *kid = NULL, *crit = NULL, *x5t = NULL, *x5t256 = NULL;
    const struct jwt_member header[] = {{.name = "alg", .text = &alg}, {.name = "typ", .text = &typ},
                                        {.name = "kid", .text = &kid}, {.name = "crit", .text = &crit},
                                        {.name = "x5t", .text = &x5t}, {.name = "x5t#S256", .text = &x5t256}};
    size_t n = strnlen(token, JWT_MAX + 1);
    const char *dot = n > JWT_MAX ? NULL : strchr(token, '.');
    const char *dot2 = dot == NULL ? NULL : strchr(dot + 1, '.');
    if (dot2 == NULL || strchr(dot2 + 1, '.') != NULL)
        return bad(err);
    size_t head_n = 0, body_n = 0, sig_n = 0;
    const uint8_t *head = b64url_decode(a, token, (size_t)(dot - token), &head_n);
    const uint8_t *body = b64url_decode(a, dot + 1, (size_t)(dot2 - dot - 1), &body_n);
    const uint8_t *sig = b64url_decode(a, dot2 + 1, n - (size_t)(dot2 + 1 - token), &sig_n);
    if (head == NULL || body == NULL || sig == NULL)
        return bad(err);
    SB_TRY(jwt_object((const char *)head, head_n, header, SB_ARRAY_LEN(header), a, err));
    enum pkey_alg found = find_alg(algs, alg);
    if (found == PKEY_ALG_NONE || crit != NULL || (typ != NULL && !text_ieq(typ, "JWT")))
        return bad(err);
    *ret = (struct jwt){
        .alg = found,
        .kid = kid,
        .x5t = x5t,
        .x5t256 = x5t256,
        .signed_part = {(const uint8_t *)token, (size_t)(dot2 - token)},
        .payload = {body, body_n},
        .signature = {sig, sig_n},
    };
out:
    return rc;
}

enum sb_err jwt_parse(const char *token, struct sb_arena *a, struct jwt *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct jwt t;
    SB_TRY(parse(token, own_algs, a, &t, err));
    if (t.kid == NULL)
        return bad(err);
    *ret = t;
out:
    return rc;
}

enum sb_err jwt_parse_assertion(const char *token, struct sb_arena *a, struct jwt *ret, struct sb_error *err)
{
    return parse(token, assertion_algs, a, ret, err);
}

enum sb_err jwt_verify(const struct jwt *t, const struct pkey *key, struct sb_error *err)
{
    enum sb_err rc;
    uint8_t digest[32];
    bool good = false;
    digest_sha256(t->signed_part.p, t->signed_part.n, digest);
    SB_TRY(pkey_verify(key, t->alg, digest, sizeof digest, t->signature.p, t->signature.n, &good, err));
    if (!good)
        rc = bad(err);
out:
    return rc;
}

enum sb_err jwt_read(const struct jwt *t, struct sb_arena *a, struct jwt_claims *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct jwt_claims c = {.nbf = -1, .exp = -1};
    const char *azp = NULL;
    const struct jwt_member payload[] = {
        {.name = "aud", .text = &c.aud},         {.name = "iss", .text = &c.iss},
        {.name = "oid", .text = &c.oid},         {.name = "sub", .text = &c.sub},
        {.name = "tid", .text = &c.tid},         {.name = "appid", .text = &c.appid},
        {.name = "azp", .text = &azp},           {.name = "ver", .text = &c.ver},
        {.name = "idtyp", .text = &c.idtyp},     {.name = "iat", .number = &c.iat},
        {.name = "xms_mirid", .text = &c.mirid}, {.name = "nbf", .number = &c.nbf},
        {.name = "exp", .number = &c.exp},
    };
    SB_TRY(jwt_object((const char *)t->payload.p, t->payload.n, payload, SB_ARRAY_LEN(payload), a, err));
    if (c.appid == NULL)
        c.appid = azp;
    if (c.aud == NULL || c.iss == NULL || c.oid == NULL || c.appid == NULL || c.tid == NULL || c.nbf < 0 ||
        c.exp < 0)
        return bad(err);
    *ret = c;
out:
    return rc;
}

static void add_quoted(struct sb_buf *b, const char *s)
{
    buf_addc(b, '"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            buf_addf(b, "\\%c", c);
        else if (c < 0x20)
            buf_addf(b, "\\u%04x", c);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

static void add_text(struct sb_buf *b, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_addf(b, "%s\"%s\":", b->n == 1 ? "" : ",", name);
    add_quoted(b, value);
}

static void add_number(struct sb_buf *b, const char *name, int64_t value)
{
    buf_addf(b, "%s\"%s\":%lld", b->n == 1 ? "" : ",", name, (long long)value);
}

/* Members in the service's order (decoded sample in its documentation). */
static void add_claims(struct sb_buf *b, const struct jwt_claims *c)
{
    bool v2 = c->ver != NULL && strcmp(c->ver, "2.0") == 0;
    buf_addc(b, '{');
    add_text(b, "aud", c->aud);
    add_text(b, "iss", c->iss);
    add_number(b, "iat", c->iat);
    add_number(b, "nbf", c->nbf);
    add_number(b, "exp", c->exp);
    add_text(b, "acr", c->acr);
    add_text(b, "aio", c->aio);
    if (c->amr != NULL)
        buf_addf(b, ",\"amr\":[\"%s\"]", c->amr);
    add_text(b, v2 ? "azp" : "appid", c->appid);
    if (c->appid != NULL) /* an ID token has neither */
        add_text(b, v2 ? "azpacr" : "appidacr",
                 c->appidacr != NULL ? c->appidacr
                 : c->mirid != NULL  ? "2"
                                     : "1");
    add_text(b, "idp", c->idp);
    add_text(b, "idtyp", c->idtyp);
    add_text(b, "name", c->name);
    add_text(b, "nonce", c->nonce);
    add_text(b, "oid", c->oid);
    add_text(b, "preferred_username", c->preferred_username);
    add_text(b, "scp", c->scp);
    add_text(b, "sub", c->sub);
    add_text(b, "tid", c->tid);
    add_text(b, "unique_name", c->unique_name);
    add_text(b, "upn", c->upn);
    add_text(b, "uti", c->uti);
    add_text(b, "ver", c->ver);
    add_text(b, "xms_mirid", c->mirid);
    buf_addc(b, '}');
}

enum sb_err jwt_sign(const struct pkey *key, const char *kid, const struct jwt_claims *c, struct sb_arena *a,
                     char **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_buf part, token;
    struct sb_blob sig;
    uint8_t digest[32];
    buf_init(&part, JWT_MAX);
    buf_init(&token, JWT_MAX);
    buf_addc(&part, '{');
    add_text(&part, "typ", "JWT");
    add_text(&part, "alg", "RS256");
    add_text(&part, "x5t", kid);
    add_text(&part, "kid", kid);
    buf_addc(&part, '}');
    b64url_encode(&token, part.p, part.n);
    buf_addc(&token, '.');
    buf_clear(&part);
    add_claims(&part, c);
    b64url_encode(&token, part.p, part.n);
    if (buf_failed(&part) || buf_failed(&token)) {
        rc = sb_fail(err, SB_ETOOLARGE, "The claims of a token are too long.");
        goto out;
    }
    digest_sha256(token.p, token.n, digest);
    SB_TRY(pkey_sign(key, PKEY_RS256, digest, sizeof digest, a, &sig, err));
    buf_addc(&token, '.');
    b64url_encode(&token, sig.p, sig.n);
    char *s = buf_failed(&token) ? NULL : arena_strndup(a, buf_str(&token), token.n);
    if (s == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
    else
        *ret = s;
out:
    buf_done(&part);
    buf_done(&token);
    return rc;
}
