/*
 * amqpmsg.c: AMQP 1.0 sections to and from `struct amqp_message`. Encodings: OASIS AMQP 1.0 part 1 (types),
 * part 3 §3.2 (sections). Compound values are skipped by their size, so nothing here recurses.
 */
#include "server/base/text.h"
#include "server/engine/amqpmsg.h"

enum section {
    SECTION_HEADER = 0x70,
    SECTION_DELIVERY_ANNOTATIONS = 0x71,
    SECTION_ANNOTATIONS = 0x72,
    SECTION_PROPERTIES = 0x73,
    SECTION_APP = 0x74,
    SECTION_DATA = 0x75,
    SECTION_SEQUENCE = 0x76,
    SECTION_VALUE = 0x77,
    SECTION_FOOTER = 0x78
};

/* Format codes that are written, and those that are read besides (part 1 §1.6). */
enum code {
    CODE_DESCRIBED = 0x00,
    CODE_NULL = 0x40,
    CODE_TRUE = 0x41,
    CODE_FALSE = 0x42,
    CODE_UINT0 = 0x43,
    CODE_ULONG0 = 0x44,
    CODE_LIST0 = 0x45,
    CODE_UBYTE = 0x50,
    CODE_BYTE = 0x51,
    CODE_SMALLUINT = 0x52,
    CODE_SMALLULONG = 0x53,
    CODE_SMALLINT = 0x54,
    CODE_SMALLLONG = 0x55,
    CODE_BOOL = 0x56,
    CODE_USHORT = 0x60,
    CODE_SHORT = 0x61,
    CODE_UINT = 0x70,
    CODE_INT = 0x71,
    CODE_FLOAT = 0x72,
    CODE_ULONG = 0x80,
    CODE_LONG = 0x81,
    CODE_DOUBLE = 0x82,
    CODE_TIMESTAMP = 0x83,
    CODE_UUID = 0x98,
    CODE_BIN8 = 0xa0,
    CODE_STR8 = 0xa1,
    CODE_SYM8 = 0xa3,
    CODE_BIN32 = 0xb0,
    CODE_STR32 = 0xb1,
    CODE_SYM32 = 0xb3,
    CODE_LIST8 = 0xc0,
    CODE_MAP8 = 0xc1,
    CODE_LIST32 = 0xd0,
    CODE_MAP32 = 0xd1
};

#define DESCRIBED_MAX 8 /* descriptors of descriptors: nobody sends more than one */

/* Fields of the properties section, by their place in its list. */
enum field {
    FIELD_MESSAGE_ID,
    FIELD_USER_ID,
    FIELD_TO,
    FIELD_SUBJECT,
    FIELD_REPLY_TO,
    FIELD_CORRELATION_ID,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_ENCODING,
    FIELD_EXPIRY,
    FIELD_CREATION,
    FIELD_GROUP_ID,
    FIELD_GROUP_SEQUENCE,
    FIELD_REPLY_TO_GROUP_ID,
    FIELD_MAX
};

#define KEY_PARTITION     "x-opt-partition-key"
#define KEY_VIA_PARTITION "x-opt-via-partition-key"

/* ---- writing ---- */

static void add_section(struct sb_buf *b, enum section s)
{
    buf_add_u8(b, CODE_DESCRIBED);
    buf_add_u8(b, CODE_SMALLULONG);
    buf_add_u8(b, (uint8_t)s);
}

static void add_bytes(struct sb_buf *b, enum code code8, enum code code32, const void *p, size_t n)
{
    if (n <= 0xff) {
        buf_add_u8(b, (uint8_t)code8);
        buf_add_u8(b, (uint8_t)n);
    } else {
        buf_add_u8(b, (uint8_t)code32);
        buf_add_u32(b, (uint32_t)n);
    }
    buf_add(b, p, n);
}

static void add_str(struct sb_buf *b, const char *s)
{
    add_bytes(b, CODE_STR8, CODE_STR32, s, strlen(s));
}

static void add_sym(struct sb_buf *b, const char *s)
{
    add_bytes(b, CODE_SYM8, CODE_SYM32, s, strlen(s));
}

/* Begins a list or map of unknown size; returns where its size goes. */
static size_t open_compound(struct sb_buf *b, enum code code)
{
    buf_add_u8(b, (uint8_t)code);
    size_t at = b->n;
    buf_add_u32(b, 0);
    buf_add_u32(b, 0);
    return at;
}

static void close_compound(struct sb_buf *b, size_t at, size_t count)
{
    if (buf_failed(b))
        return;
    be_put_u32(b->p + at, (uint32_t)(b->n - at - 4));
    be_put_u32(b->p + at + 4, (uint32_t)count);
}

static void add_value(struct sb_buf *b, const struct amqp_value *v)
{
    uint64_t bits;
    switch (v->kind) {
    case AMQP_STRING: add_str(b, v->s); break;
    case AMQP_LONG:
        buf_add_u8(b, CODE_LONG);
        buf_add_u64(b, (uint64_t)v->i);
        break;
    case AMQP_DOUBLE:
        memcpy(&bits, &v->d, sizeof bits);
        buf_add_u8(b, CODE_DOUBLE);
        buf_add_u64(b, bits);
        break;
    case AMQP_BOOL: buf_add_u8(b, v->i ? CODE_TRUE : CODE_FALSE); break;
    case AMQP_TIMESTAMP:
        buf_add_u8(b, CODE_TIMESTAMP);
        buf_add_u64(b, (uint64_t)v->i);
        break;
    case AMQP_NULL:
    case AMQP_OTHER:
    default: buf_add_u8(b, CODE_NULL); break;
    }
}

static void add_annotations(struct sb_buf *b, const struct amqp_props *p)
{
    if (p->partition_key == NULL && p->via_partition_key == NULL)
        return;
    add_section(b, SECTION_ANNOTATIONS);
    size_t at = open_compound(b, CODE_MAP32), n = 0;
    if (p->partition_key) {
        add_sym(b, KEY_PARTITION);
        add_str(b, p->partition_key);
        n += 2;
    }
    if (p->via_partition_key) {
        add_sym(b, KEY_VIA_PARTITION);
        add_str(b, p->via_partition_key);
        n += 2;
    }
    close_compound(b, at, n);
}

static void add_properties(struct sb_buf *b, const struct amqp_props *p)
{
    const char *fields[FIELD_MAX] = {
        [FIELD_MESSAGE_ID] = p->message_id,
        [FIELD_TO] = p->to,
        [FIELD_SUBJECT] = p->subject,
        [FIELD_REPLY_TO] = p->reply_to,
        [FIELD_CORRELATION_ID] = p->correlation_id,
        [FIELD_CONTENT_TYPE] = p->content_type,
        [FIELD_GROUP_ID] = p->session_id,
        [FIELD_REPLY_TO_GROUP_ID] = p->reply_to_session_id,
    };
    size_t n = FIELD_MAX;
    while (n > 0 && fields[n - 1] == NULL)
        n--; /* trailing nulls are left out */
    if (n == 0)
        return;
    add_section(b, SECTION_PROPERTIES);
    size_t at = open_compound(b, CODE_LIST32);
    for (size_t i = 0; i < n; i++) {
        if (fields[i] == NULL)
            buf_add_u8(b, CODE_NULL);
        else if (i == FIELD_CONTENT_TYPE)
            add_sym(b, fields[i]);
        else
            add_str(b, fields[i]);
    }
    close_compound(b, at, n);
}

/* Everything in front of the body. */
static void add_head(struct sb_buf *out, const struct amqp_message *m)
{
    add_annotations(out, &m->props);
    add_properties(out, &m->props);
    if (m->app_n > 0) {
        add_section(out, SECTION_APP);
        size_t at = open_compound(out, CODE_MAP32);
        for (size_t i = 0; i < m->app_n; i++) {
            add_str(out, m->app[i].name);
            add_value(out, &m->app[i].value);
        }
        close_compound(out, at, 2 * m->app_n);
    }
}

enum sb_err amqpmsg_encode(const struct amqp_message *m, struct sb_buf *out, struct sb_error *err)
{
    if (m->body.n > UINT32_MAX)
        return sb_fail(err, SB_ETOOLARGE, "the body is too large");
    add_head(out, m);
    add_section(out, SECTION_DATA);
    add_bytes(out, CODE_BIN8, CODE_BIN32, m->body.p, m->body.n);
    if (buf_failed(out))
        return sb_fail(err, SB_ETOOLARGE, "the message does not fit");
    return SB_OK;
}

/* ---- reading ---- */

struct reader {
    const uint8_t *p;
    size_t n;
    struct sb_arena *a;
};

static enum sb_err malformed(struct sb_error *err)
{
    return sb_fail(err, SB_EINVAL, "not a well-formed AMQP message");
}

/* Length of a value without a descriptor, its format code included; 0 when it does not lie within n bytes. */
static size_t plain_len(const uint8_t *p, size_t n)
{
    /* By the upper half of the code: fixed widths, then width of the size field (part 1 §1.2). */
    static const uint8_t fixed[16] = {[5] = 1, [6] = 2, [7] = 4, [8] = 8, [9] = 16};
    static const uint8_t sized[16] = {[0xa] = 1, [0xb] = 4, [0xc] = 1, [0xd] = 4, [0xe] = 1, [0xf] = 4};
    if (n == 0 || p[0] < 0x40)
        return 0;
    unsigned class = p[0] >> 4;
    size_t len = 1 + (size_t)fixed[class];
    if (class >= 0xa) {
        size_t w = sized[class];
        if (n < 1 + w)
            return 0;
        len = 1 + w + (w == 1 ? p[1] : be_get_u32(p + 1));
    }
    return len <= n ? len : 0;
}

/* The same with descriptors in front. */
static size_t value_len(const uint8_t *p, size_t n)
{
    size_t at = 0;
    for (int depth = 0; depth <= DESCRIBED_MAX; depth++) {
        if (at >= n)
            return 0;
        if (p[at] != CODE_DESCRIBED) {
            size_t len = plain_len(p + at, n - at);
            return len == 0 ? 0 : at + len;
        }
        size_t len = plain_len(p + at + 1, n - at - 1);
        if (len == 0)
            return 0;
        at += 1 + len;
    }
    return 0;
}

/* Takes one value off r. */
static bool take(struct reader *r, struct sb_blob *ret)
{
    size_t len = value_len(r->p, r->n);
    if (len == 0)
        return false;
    *ret = (struct sb_blob){r->p, len};
    r->p += len;
    r->n -= len;
    return true;
}

/* Enters a list or map: r is left with its items. */
static bool enter(struct sb_blob v, bool map, struct sb_arena *a, struct reader *ret, size_t *ret_count)
{
    uint8_t code = v.p[0];
    if (!map && code == CODE_LIST0) {
        *ret = (struct reader){v.p + 1, 0, a};
        *ret_count = 0;
        return true;
    }
    if (code == (map ? CODE_MAP8 : CODE_LIST8) && v.n >= 3) {
        *ret = (struct reader){v.p + 3, v.n - 3, a};
        *ret_count = v.p[2];
        return true;
    }
    if (code == (map ? CODE_MAP32 : CODE_LIST32) && v.n >= 9) {
        *ret = (struct reader){v.p + 9, v.n - 9, a};
        *ret_count = be_get_u32(v.p + 5);
        return true;
    }
    return false;
}

/* Bytes of a string, symbol or binary. */
static bool bytes_of(struct sb_blob v, enum code code8, enum code code32, struct sb_blob *ret)
{
    if (v.p[0] == code8)
        *ret = (struct sb_blob){v.p + 2, v.n - 2};
    else if (v.p[0] == code32)
        *ret = (struct sb_blob){v.p + 5, v.n - 5};
    else
        return false;
    return true;
}

static const char *copy_text(struct sb_arena *a, struct sb_blob b)
{
    if (!utf8_valid((const char *)b.p, b.n))
        return NULL;
    return arena_strndup(a, (const char *)b.p, b.n);
}

static uint64_t unsigned_of(struct sb_blob v)
{
    switch (v.n) {
    case 2: return v.p[1];
    case 3: return be_get_u16(v.p + 1);
    case 5: return be_get_u32(v.p + 1);
    case 9: return be_get_u64(v.p + 1);
    default: return 0;
    }
}

static int64_t signed_of(struct sb_blob v)
{
    uint64_t u = unsigned_of(v);
    switch (v.n) {
    case 2: return (int8_t)u;
    case 3: return (int16_t)u;
    case 5: return (int32_t)u;
    default: return (int64_t)u;
    }
}

/* A field as text: strings and symbols as they are, the other forms of ids in their usual writing. NULL:
 * malformed. */
static const char *text_of(struct sb_arena *a, struct sb_blob v)
{
    struct sb_blob b;
    if (bytes_of(v, CODE_STR8, CODE_STR32, &b) || bytes_of(v, CODE_SYM8, CODE_SYM32, &b))
        return copy_text(a, b);
    switch (v.p[0]) {
    case CODE_ULONG0:
    case CODE_SMALLULONG:
    case CODE_ULONG: return arena_printf(a, "%llu", (unsigned long long)unsigned_of(v));
    case CODE_UUID: {
        char *s = arena_alloc(a, SB_GUID_LEN + 1);
        if (s)
            guid_format(v.p + 1, s);
        return s;
    }
    default: break;
    }
    if (!bytes_of(v, CODE_BIN8, CODE_BIN32, &b))
        return NULL;
    char *hex = arena_alloc(a, 2 * b.n + 1);
    if (hex)
        hex_encode(b.p, b.n, hex);
    return hex;
}

static bool read_properties(struct sb_blob v, struct sb_arena *a, struct amqp_props *p)
{
    const char **to[FIELD_MAX] = {
        [FIELD_MESSAGE_ID] = &p->message_id,
        [FIELD_TO] = &p->to,
        [FIELD_SUBJECT] = &p->subject,
        [FIELD_REPLY_TO] = &p->reply_to,
        [FIELD_CORRELATION_ID] = &p->correlation_id,
        [FIELD_CONTENT_TYPE] = &p->content_type,
        [FIELD_GROUP_ID] = &p->session_id,
        [FIELD_REPLY_TO_GROUP_ID] = &p->reply_to_session_id,
    };
    struct reader r;
    size_t n;
    struct sb_blob item;
    if (!enter(v, false, a, &r, &n) || n > FIELD_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!take(&r, &item))
            return false;
        if (to[i] == NULL || item.p[0] == CODE_NULL)
            continue;
        if ((*to[i] = text_of(a, item)) == NULL)
            return false;
    }
    return r.n == 0;
}

static bool read_annotations(struct sb_blob v, struct sb_arena *a, struct amqp_props *p)
{
    struct reader r;
    size_t n;
    struct sb_blob key, value, name;
    if (!enter(v, true, a, &r, &n) || n % 2 != 0)
        return false;
    for (size_t i = 0; i < n; i += 2) {
        if (!take(&r, &key) || !take(&r, &value))
            return false;
        if (!bytes_of(key, CODE_SYM8, CODE_SYM32, &name) || value.p[0] == CODE_NULL)
            continue;
        const char **to = NULL;
        if (name.n == strlen(KEY_PARTITION) && memcmp(name.p, KEY_PARTITION, name.n) == 0)
            to = &p->partition_key;
        else if (name.n == strlen(KEY_VIA_PARTITION) && memcmp(name.p, KEY_VIA_PARTITION, name.n) == 0)
            to = &p->via_partition_key;
        if (to != NULL && (*to = text_of(a, value)) == NULL)
            return false;
    }
    return r.n == 0;
}

static bool read_value(struct sb_blob v, struct sb_arena *a, struct amqp_value *ret)
{
    struct sb_blob b;
    uint64_t u = unsigned_of(v);
    float f;
    *ret = (struct amqp_value){.kind = AMQP_OTHER};
    switch (v.p[0]) {
    case CODE_NULL: ret->kind = AMQP_NULL; return true;
    case CODE_TRUE:
    case CODE_FALSE:
    case CODE_BOOL:
        ret->kind = AMQP_BOOL;
        ret->i = v.p[0] == CODE_BOOL ? v.p[1] != 0 : v.p[0] == CODE_TRUE;
        return true;
    case CODE_UINT0:
    case CODE_ULONG0:
    case CODE_UBYTE:
    case CODE_SMALLUINT:
    case CODE_SMALLULONG:
    case CODE_USHORT:
    case CODE_UINT:
    case CODE_ULONG:
        ret->kind = u <= INT64_MAX ? AMQP_LONG : AMQP_DOUBLE;
        ret->i = (int64_t)(u & INT64_MAX);
        ret->d = (double)u;
        return true;
    case CODE_BYTE:
    case CODE_SMALLINT:
    case CODE_SMALLLONG:
    case CODE_SHORT:
    case CODE_INT:
    case CODE_LONG:
        ret->kind = AMQP_LONG;
        ret->i = signed_of(v);
        return true;
    case CODE_FLOAT: {
        uint32_t bits = (uint32_t)u;
        memcpy(&f, &bits, sizeof f);
        ret->kind = AMQP_DOUBLE;
        ret->d = (double)f;
        return true;
    }
    case CODE_DOUBLE:
        memcpy(&ret->d, &u, sizeof u);
        ret->kind = AMQP_DOUBLE;
        return true;
    case CODE_TIMESTAMP:
        ret->kind = AMQP_TIMESTAMP;
        ret->i = signed_of(v);
        return true;
    default: break;
    }
    if (bytes_of(v, CODE_STR8, CODE_STR32, &b) || bytes_of(v, CODE_SYM8, CODE_SYM32, &b)) {
        ret->kind = AMQP_STRING;
        return (ret->s = copy_text(a, b)) != NULL;
    }
    return true;
}

static bool read_app(struct sb_blob v, struct sb_arena *a, struct amqp_message *m)
{
    struct reader r;
    size_t n;
    struct sb_blob key, value, name;
    /* A pair takes two bytes at least: a count that cannot be true is no reason to allocate. */
    if (!enter(v, true, a, &r, &n) || n % 2 != 0 || n > r.n)
        return false;
    struct amqp_app_prop *props = ARENA_ARRAY(a, struct amqp_app_prop, n / 2 + 1);
    if (props == NULL)
        return false;
    for (size_t i = 0; i < n / 2; i++) {
        if (!take(&r, &key) || !take(&r, &value) || !bytes_of(key, CODE_STR8, CODE_STR32, &name))
            return false;
        if ((props[i].name = copy_text(a, name)) == NULL || !read_value(value, a, &props[i].value))
            return false;
    }
    m->app = props;
    m->app_n = n / 2;
    return r.n == 0;
}

/* Several data sections are one body. */
static bool add_data(struct sb_blob v, struct sb_arena *a, struct amqp_message *m)
{
    struct sb_blob b;
    if (!bytes_of(v, CODE_BIN8, CODE_BIN32, &b))
        return false;
    if (m->body.p == NULL) {
        m->body = b;
        return true;
    }
    uint8_t *joined = arena_alloc(a, m->body.n + b.n + 1);
    if (joined == NULL)
        return false;
    if (m->body.n > 0)
        memcpy(joined, m->body.p, m->body.n);
    if (b.n > 0)
        memcpy(joined + m->body.n, b.p, b.n);
    m->body = (struct sb_blob){joined, m->body.n + b.n};
    return true;
}

static bool read_section(unsigned section, struct sb_blob v, struct sb_arena *a, struct amqp_message *m)
{
    struct sb_blob b;
    switch (section) {
    case SECTION_ANNOTATIONS: return read_annotations(v, a, &m->props);
    case SECTION_PROPERTIES: return read_properties(v, a, &m->props);
    case SECTION_APP: return read_app(v, a, m);
    case SECTION_DATA: return add_data(v, a, m);
    case SECTION_VALUE:
        if (bytes_of(v, CODE_STR8, CODE_STR32, &b) || bytes_of(v, CODE_BIN8, CODE_BIN32, &b))
            m->body = b;
        return true;
    default: return true; /* kept in the stored bytes, not shown */
    }
}

/* The descriptor in front of a section: a small or a full ulong. */
static bool section_code(struct reader *r, unsigned *ret)
{
    if (r->n < 3 || r->p[0] != CODE_DESCRIBED)
        return false;
    size_t len = plain_len(r->p + 1, r->n - 1);
    if (len == 0 || (r->p[1] != CODE_SMALLULONG && r->p[1] != CODE_ULONG))
        return false;
    uint64_t code = unsigned_of((struct sb_blob){r->p + 1, len});
    *ret = code <= SECTION_FOOTER ? (unsigned)code : 0;
    r->p += 1 + len;
    r->n -= 1 + len;
    return true;
}

enum sb_err amqpmsg_decode(struct sb_blob sections, struct sb_arena *a, struct amqp_message *ret,
                           struct sb_error *err)
{
    struct reader r = {sections.p, sections.n, a};
    struct amqp_message m = {0};
    while (r.n > 0) {
        unsigned section;
        struct sb_blob v;
        if (!section_code(&r, &section) || !take(&r, &v) || v.p[0] == CODE_DESCRIBED ||
            !read_section(section, v, a, &m)) {
            if (arena_failed(a))
                return sb_fail(err, SB_ENOMEM, "out of memory reading a message");
            return malformed(err);
        }
    }
    *ret = m;
    return SB_OK;
}

enum sb_err amqpmsg_rewrite(const struct amqp_message *m, struct sb_blob original, struct sb_buf *out,
                            struct sb_error *err)
{
    struct reader r = {original.p, original.n, NULL};
    add_head(out, m);
    while (r.n > 0) {
        unsigned section;
        struct sb_blob v;
        const uint8_t *begin = r.p;
        if (!section_code(&r, &section) || !take(&r, &v))
            return malformed(err);
        if (section != SECTION_ANNOTATIONS && section != SECTION_PROPERTIES && section != SECTION_APP)
            buf_add(out, begin, (size_t)(r.p - begin));
    }
    if (buf_failed(out))
        return sb_fail(err, SB_ETOOLARGE, "the message does not fit");
    return SB_OK;
}
