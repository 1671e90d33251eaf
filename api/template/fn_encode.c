/* fn_encode.c: base64, data URIs, URIs, and the two hashes that names are made of. */
#include <string.h>
#include "api/template/hash.h"
#include "api/template/session.h"
#include "crypto/digest.h"
#include "server/base/text.h"

static const struct tv *bad_value(struct fn_call *c, const char *what)
{
    return eval_fail(
        c->ev,
        "Unable to evaluate template language function '%s': the provided value is not %s. Please see "
        "https://aka.ms/arm-resource-functions/#%s for usage details.",
        c->name, what, c->fn->name);
}

const struct tv *fn_base64(struct fn_call *c)
{
    struct sb_buf b;
    buf_init(&b, TV_WEIGHT_MAX);
    (void)b64_encode(&b, c->args[0]->u.s, c->args[0]->n);
    return text_from(c->ev, &b);
}

/* Decoded text. NULL: not base64, or not UTF-8 text. */
static const char *decoded(struct fn_call *c, const char *s, size_t n, size_t *ret_n)
{
    uint8_t *p = eval_spend(c->ev, n / 64) ? b64_decode(EVAL_ARENA(c->ev), s, n, ret_n) : NULL;
    char *text = p ? arena_strndup(EVAL_ARENA(c->ev), (const char *)p, *ret_n) : NULL;
    return text && utf8_valid(text, *ret_n) ? text : NULL;
}

const struct tv *fn_base64ToString(struct fn_call *c)
{
    size_t n = 0;
    const char *text = decoded(c, c->args[0]->u.s, c->args[0]->n, &n);
    return text ? tv_string_own(EVAL_ARENA(c->ev), text, n) : bad_value(c, "the base64 of a text");
}

const struct tv *fn_base64ToJson(struct fn_call *c)
{
    size_t n = 0;
    const char *text = decoded(c, c->args[0]->u.s, c->args[0]->n, &n);
    return text ? json_value(c, text, n) : bad_value(c, "the base64 of a text");
}

const struct tv *fn_dataUri(struct fn_call *c)
{
    struct sb_buf b;
    buf_init(&b, TV_WEIGHT_MAX);
    buf_adds(&b, "data:text/plain;charset=utf8;base64,");
    (void)b64_encode(&b, c->args[0]->u.s, c->args[0]->n);
    return text_from(c->ev, &b);
}

const struct tv *fn_dataUriToString(struct fn_call *c)
{
    const char *s = c->args[0]->u.s, *comma = strchr(s, ',');
    size_t n = 0;
    if (!text_istarts(s, "data:") || !comma)
        return bad_value(c, "a data URI");
    size_t head = (size_t)(comma - s);
    bool base64 = head >= 7 && text_ieqn(comma - 7, ";base64", 7);
    const char *text = NULL;
    if (base64)
        text = decoded(c, comma + 1, strlen(comma + 1), &n);
    else
        text = percent_decode(EVAL_ARENA(c->ev), comma + 1, strlen(comma + 1), false);
    return text ? tv_string(EVAL_ARENA(c->ev), text) : bad_value(c, "a data URI");
}

const struct tv *fn_uriComponent(struct fn_call *c)
{
    struct sb_buf b;
    buf_init(&b, TV_WEIGHT_MAX);
    (void)percent_encode(&b, c->args[0]->u.s);
    return text_from(c->ev, &b);
}

const struct tv *fn_uriComponentToString(struct fn_call *c)
{
    const char *text = percent_decode(EVAL_ARENA(c->ev), c->args[0]->u.s, c->args[0]->n, false);
    return text && utf8_valid(text, strlen(text)) ? tv_string(EVAL_ARENA(c->ev), text)
                                                  : bad_value(c, "a percent-encoded text");
}

/* base up to and with its last slash (the one behind the authority is made up if there is none), then
 * relative. */
const struct tv *fn_uri(struct fn_call *c)
{
    const char *base = c->args[0]->u.s, *relative = c->args[1]->u.s;
    const char *authority = strstr(base, "://");
    if (!authority)
        return bad_value(c, "an absolute URI");
    if (strstr(relative, "://"))
        return c->args[1];
    authority += 3;
    size_t host = strcspn(authority, "/?#");
    const char *path = authority + host, *end = path + strcspn(path, "?#"), *last = path;
    for (const char *p = path; p < end; p++)
        last = *p == '/' ? p + 1 : last;
    struct sb_buf b;
    buf_init(&b, TV_WEIGHT_MAX);
    buf_add(&b, base, (size_t)((*relative == '/' ? path : last) - base));
    if (*path != '/' && *relative != '/')
        buf_addc(&b, '/');
    buf_adds(&b, relative);
    return text_from(c->ev, &b);
}

/* The arguments with '-' between them: what both hashes are over. */
static bool dashed(struct fn_call *c, struct sb_buf *b)
{
    for (size_t i = 0; i < c->n; i++) {
        if (i > 0)
            buf_addc(b, '-');
        buf_add(b, c->args[i]->u.s, c->args[i]->n);
    }
    return !buf_failed(b) && eval_spend(c->ev, b->n / 16);
}

const struct tv *fn_uniqueString(struct fn_call *c)
{
    struct sb_buf b;
    char text[14];
    buf_init(&b, TV_WEIGHT_MAX);
    bool ok = dashed(c, &b);
    hash_base32(hash_murmur64(buf_str(&b), b.n), text);
    buf_done(&b);
    return ok ? tv_string(EVAL_ARENA(c->ev), text) : NULL;
}

/* A version-5 UUID in the namespace of Azure Resource Manager. */
const struct tv *fn_guid(struct fn_call *c)
{
    static const uint8_t space[16] = {0x11, 0xfb, 0x06, 0xfb, 0x71, 0x2d, 0x4d, 0xdd,
                                      0x98, 0xc7, 0xe7, 0x1b, 0xbd, 0x58, 0x88, 0x30};
    struct sb_buf b;
    uint8_t digest[20];
    char text[SB_GUID_LEN + 1];
    buf_init(&b, TV_WEIGHT_MAX);
    buf_add(&b, space, sizeof space);
    bool ok = dashed(c, &b);
    if (ok)
        digest_sha1(b.p, b.n, digest);
    buf_done(&b);
    if (!ok)
        return NULL;
    digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x50);
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    guid_format(digest, text);
    return tv_string(EVAL_ARENA(c->ev), text);
}

const struct tv *fn_newGuid(struct fn_call *c)
{
    char text[SB_GUID_LEN + 1];
    const struct tmpl_world *w = &c->ev->t->world;
    if (!w->new_guid)
        return eval_fail(c->ev, "The template function 'newGuid' is not available here.");
    w->new_guid(w->cookie, text);
    return tv_string(EVAL_ARENA(c->ev), text);
}
