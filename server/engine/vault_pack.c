/*
 * vault_pack.c: writing and reading of what a backup holds.
 *
 *   format u8 = 1 | kind u8 | vault id u64 | name | number of versions u32 | versions
 *
 * Texts and blobs are a length u32 and bytes, with the length ABSENT for none; numbers are big-endian. The
 * members of a version stand in one table, which both directions follow.
 */
#include "server/engine/vault_pack.h"
#include <stddef.h>
#include <string.h>
#include "server/base/text.h"

#define FORMAT 1
#define ABSENT UINT32_MAX

enum form { TEXT, BLOB, NUMBER, FLAG };
static const struct member {
    enum form form;
    size_t at;
    bool optional;
} members[] = {
    {TEXT, offsetof(struct st_object, version), false},
    {TEXT, offsetof(struct st_object, kty), false},
    {TEXT, offsetof(struct st_object, curve), false},
    {BLOB, offsetof(struct st_object, n), true},
    {BLOB, offsetof(struct st_object, e), true},
    {BLOB, offsetof(struct st_object, x), true},
    {BLOB, offsetof(struct st_object, y), true},
    {TEXT, offsetof(struct st_object, key_ops), false},
    {TEXT, offsetof(struct st_object, content_type), true},
    {FLAG, offsetof(struct st_object, enabled), false},
    {NUMBER, offsetof(struct st_object, nbf), false},
    {NUMBER, offsetof(struct st_object, exp), false},
    {NUMBER, offsetof(struct st_object, created), false},
    {NUMBER, offsetof(struct st_object, updated), false},
    {TEXT, offsetof(struct st_object, tags), true},
    {BLOB, offsetof(struct st_object, sealed), false},
};

/* ---- writing ---- */

static void add_blob(struct sb_buf *b, const void *p, size_t n)
{
    (void)buf_add_u32(b, p != NULL ? (uint32_t)n : ABSENT);
    if (p != NULL)
        (void)buf_add(b, p, n);
}

static void add_text(struct sb_buf *b, const char *s)
{
    add_blob(b, s, s != NULL ? strlen(s) : 0);
}

static void add_member(struct sb_buf *b, const struct member *m, const struct st_object *o)
{
    const char *at = (const char *)o + m->at;
    struct sb_blob blob;
    const char *text;
    int64_t number;
    bool flag;
    switch (m->form) {
    case TEXT:
        memcpy(&text, at, sizeof(text));
        add_text(b, text);
        break;
    case BLOB:
        memcpy(&blob, at, sizeof(blob));
        add_blob(b, blob.p, blob.n);
        break;
    case NUMBER:
        memcpy(&number, at, sizeof(number));
        (void)buf_add_u64(b, (uint64_t)number);
        break;
    case FLAG:
        memcpy(&flag, at, sizeof(flag));
        (void)buf_add_u8(b, flag);
        break;
    }
}

enum sb_err vault_pack_write(const struct vault_pack *p, struct sb_buf *out, struct sb_error *err)
{
    (void)buf_add_u8(out, FORMAT);
    (void)buf_add_u8(out, p->kind == ST_KEY ? 'k' : 's');
    (void)buf_add_u64(out, (uint64_t)p->vault_id);
    add_text(out, p->name);
    (void)buf_add_u32(out, (uint32_t)p->n);
    for (size_t i = 0; i < p->n; i++)
        for (size_t j = 0; j < SB_ARRAY_LEN(members); j++)
            add_member(out, &members[j], &p->versions[i]);
    if (buf_failed(out)) /* own words */
        return sb_fail(err, SB_EBADPARAM, "'%s' is too large for a backup.", p->name);
    return SB_OK;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *p;
    size_t n;
    bool bad; /* something did not fit; everything read since is zero */
    struct sb_arena *a;
};

static const uint8_t *take(struct reader *r, size_t n)
{
    static const uint8_t zero[8];
    const uint8_t *p = r->p;
    if (r->bad || n > r->n) {
        r->bad = true;
        return zero;
    }
    r->p += n;
    r->n -= n;
    return p;
}

static struct sb_blob take_blob(struct reader *r, bool optional)
{
    struct sb_blob none = {0};
    uint32_t n = be_get_u32(take(r, 4));
    if (n == ABSENT) {
        r->bad = r->bad || !optional;
        return none;
    }
    const uint8_t *p = take(r, n);
    return r->bad ? none : (struct sb_blob){.p = p, .n = n};
}

/* Text holds no NUL. */
static const char *take_text(struct reader *r, bool optional)
{
    struct sb_blob b = take_blob(r, optional);
    if (b.p == NULL)
        return r->bad ? "" : NULL;
    if (memchr(b.p, '\0', b.n) != NULL)
        r->bad = true;
    const char *s = r->bad ? NULL : arena_strndup(r->a, (const char *)b.p, b.n);
    r->bad = r->bad || s == NULL;
    return s != NULL ? s : "";
}

static void take_member(struct reader *r, const struct member *m, struct st_object *o)
{
    char *at = (char *)o + m->at;
    struct sb_blob blob;
    const char *text;
    int64_t number;
    uint8_t byte;
    bool flag;
    switch (m->form) {
    case TEXT:
        text = take_text(r, m->optional);
        memcpy(at, &text, sizeof(text));
        break;
    case BLOB:
        blob = take_blob(r, m->optional);
        blob.p = blob.p != NULL ? arena_memdup(r->a, blob.p, blob.n) : NULL;
        memcpy(at, &blob, sizeof(blob));
        break;
    case NUMBER:
        number = (int64_t)be_get_u64(take(r, 8));
        memcpy(at, &number, sizeof(number));
        break;
    case FLAG:
        byte = *take(r, 1);
        r->bad = r->bad || byte > 1;
        flag = byte == 1;
        memcpy(at, &flag, sizeof(flag));
        break;
    }
}

enum sb_err vault_pack_read(struct sb_blob in, struct sb_arena *a, struct vault_pack *ret,
                            struct sb_error *err)
{
    struct reader r = {.p = in.p, .n = in.n, .a = a};
    struct vault_pack p = {0};
    uint8_t format = *take(&r, 1), kind = *take(&r, 1);
    p.kind = kind == 'k' ? ST_KEY : ST_SECRET;
    p.vault_id = (int64_t)be_get_u64(take(&r, 8));
    p.name = take_text(&r, false);
    p.n = be_get_u32(take(&r, 4));
    bool sane =
        !r.bad && format == FORMAT && (kind == 'k' || kind == 's') && p.n >= 1 && p.n <= VAULT_PACK_VERSIONS;
    p.versions = sane ? ARENA_ARRAY(a, struct st_object, p.n) : NULL;
    for (size_t i = 0; p.versions != NULL && i < p.n && !r.bad; i++)
        for (size_t j = 0; j < SB_ARRAY_LEN(members); j++)
            take_member(&r, &members[j], &p.versions[i]);
    if (arena_failed(a))
        return sb_fail(err, SB_ENOMEM, "out of memory reading a backup");
    if (!sane || r.bad || r.n != 0)
        return sb_fail(err, SB_EBADBACKUP, "Backup blob contains invalid or corrupt version.");
    *ret = p;
    return SB_OK;
}
