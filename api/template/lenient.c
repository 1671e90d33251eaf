/*
 * lenient.c: the lenient JSON reader of the deployments resource.
 *
 * The service reads with Json.NET, so its words, its notion of a position (characters of the line consumed so
 * far) and its leniency are mimicked. What stays refused though Json.NET takes it: NaN, octal and hexadecimal
 * numbers, \u0000, malformed UTF-8, a member twice.
 */
#include "api/template/lenient.h"
#include <stdio.h>
#include <string.h>
#include "server/base/text.h"

struct step { /* where the reader is: inside this member or element */
    bool object;
    const char *key; /* NULL: before the first name */
    size_t index;
};

struct reader {
    struct sb_arena *a;
    const char *p, *end, *line_start;
    uint32_t line;
    unsigned depth;
    struct step path[TV_DEPTH_MAX + 1];
    struct lenient_error *error;
    bool failed;
};

static uint32_t column(const struct reader *r)
{
    return (uint32_t)(r->p - r->line_start);
}

static char *path_text(const struct reader *r)
{
    struct sb_buf b;
    buf_init(&b, 4096);
    for (unsigned i = 1; i <= r->depth; i++) {
        const struct step *s = &r->path[i];
        if (s->key)
            buf_addf(&b, "%s%.200s", b.n ? "." : "", s->key);
        else if (!s->object)
            buf_addf(&b, "[%zu]", s->index);
    }
    char *text = arena_strdup(r->a, buf_str(&b));
    buf_done(&b);
    return text;
}

/* Keeps the first failure. */
static const struct tv *fail(struct reader *r, const char *fmt, ...) SB_PRINTF(2, 3);
static const struct tv *fail(struct reader *r, const char *fmt, ...)
{
    if (r->failed)
        return NULL;
    r->failed = true;
    va_list ap;
    va_start(ap, fmt);
    *r->error = (struct lenient_error){
        .line = r->line,
        .position = column(r),
        .message = arena_vprintf(r->a, fmt, ap),
        .path = path_text(r),
    };
    va_end(ap);
    return NULL;
}

static const struct tv *no_memory(struct reader *r)
{
    if (!r->failed)
        *r->error = (struct lenient_error){.line = r->line, .position = column(r), .path = ""};
    r->failed = true;
    return NULL;
}

/* ---- characters ---- */

static void new_line(struct reader *r)
{
    r->line++;
    r->line_start = r->p;
}

/* Steps over one character, counting lines ("\r\n" is one). */
static void advance(struct reader *r)
{
    char c = *r->p++;
    if (c == '\n' || (c == '\r' && (r->p == r->end || *r->p != '\n')))
        new_line(r);
}

/* NUL is in no set. */
static bool one_of(char c, const char *set)
{
    return c && strchr(set, c);
}

static bool at(const struct reader *r, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(r->end - r->p) >= n && memcmp(r->p, text, n) == 0;
}

/* Blanks and comments; false: a comment does not end. */
static bool skip(struct reader *r)
{
    while (r->p < r->end) {
        if (one_of(*r->p, " \t\r\n")) {
            advance(r);
        } else if (at(r, "//")) {
            while (r->p < r->end && *r->p != '\n' && *r->p != '\r')
                r->p++;
        } else if (at(r, "/*")) {
            r->p += 2;
            while (r->p < r->end && !at(r, "*/"))
                advance(r);
            if (r->p == r->end) {
                fail(r, "Unexpected end while parsing comment.");
                return false;
            }
            r->p += 2;
        } else {
            break;
        }
    }
    return true;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

/* The character at hand, for messages: whole if it is plain ASCII. */
static const char *shown(const struct reader *r, char dst[2])
{
    dst[0] = *r->p >= ' ' && *r->p < 0x7f ? *r->p : '?';
    dst[1] = '\0';
    return dst;
}

static const struct tv *unexpected(struct reader *r)
{
    char c[2];
    return fail(r, "Unexpected character encountered while parsing value: %s.", shown(r, c));
}

/* ---- strings ---- */

static bool hex4(const char *p, const char *end, uint32_t *ret)
{
    uint8_t b[2];
    char digits[5] = {0};
    if (end - p < 4)
        return false;
    memcpy(digits, p, 4);
    if (!hex_decode(digits, b, 2))
        return false;
    *ret = be_get_u16(b);
    return true;
}

static size_t utf8_put(uint32_t c, char *dst)
{
    if (c < 0x80) {
        dst[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        dst[i] = (char)(0x80 | (c & 0x3f));
    dst[0] = (char)(lead[n] | c);
    return n;
}

/* Behind "\u": up to four bytes into dst; 0: malformed. */
static size_t unicode(struct reader *r, char *dst)
{
    uint32_t c = 0, low = 0;
    if (!hex4(r->p, r->end, &c) || c == 0)
        return 0;
    r->p += 4;
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!at(r, "\\u") || !hex4(r->p + 2, r->end, &low) || low < 0xdc00 || low > 0xdfff)
            return 0;
        r->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return 0;
    }
    return utf8_put(c, dst);
}

/* Behind a backslash: the bytes it stands for, into dst; 0: malformed (failed). */
static size_t escape(struct reader *r, char *dst)
{
    static const char names[] = "\"'\\/bfnrt", means[] = "\"'\\/\b\f\n\r\t";
    const char *found = r->p < r->end && *r->p ? strchr(names, *r->p) : NULL;
    if (found) {
        r->p++;
        *dst = means[found - names];
        return 1;
    }
    size_t n = 0;
    if (r->p < r->end && *r->p == 'u') {
        r->p++;
        n = unicode(r, dst);
    }
    char c[2];
    if (n == 0)
        fail(r, "Bad JSON escape sequence: \\%s.", r->p < r->end ? shown(r, c) : "");
    return n;
}

/* At an opening quote. *ret_n is the length. NULL: failed. */
static char *quoted(struct reader *r, size_t *ret_n)
{
    char quote = *r->p++;
    const char *scan = r->p;
    while (scan < r->end && *scan != quote)
        scan += *scan == '\\' && scan + 1 < r->end ? 2 : 1;
    if (scan >= r->end) {
        r->p = r->end;
        fail(r, "Unterminated string. Expected delimiter: %c.", quote);
        return NULL;
    }
    char *dst = arena_alloc(r->a, (size_t)(scan - r->p) + 5);
    size_t n = 0;
    if (!dst) {
        no_memory(r);
        return NULL;
    }
    while (r->p < r->end && *r->p != quote) {
        if (*r->p == '\\') {
            r->p++;
            size_t got = escape(r, dst + n);
            if (got == 0)
                return NULL;
            n += got;
        } else {
            dst[n++] = *r->p;
            advance(r);
        }
    }
    r->p++;
    if (!utf8_valid(dst, n)) {
        fail(r, "Invalid UTF-8 in string.");
        return NULL;
    }
    *ret_n = n;
    return dst;
}

/* ---- scalars ---- */

static const struct tv *number(struct reader *r)
{
    const char *start = r->p;
    struct json *j = NULL;
    int64_t i = 0;
    while (r->p < r->end && (word_char(*r->p) || one_of(*r->p, "+-.")))
        r->p++;
    char *text = arena_strndup(r->a, start, (size_t)(r->p - start));
    if (!text)
        return no_memory(r);
    if (json_parse(text, strlen(text), &j, NULL) != SB_OK || !json_is_number(j)) {
        json_free(j);
        return fail(r, "Input string '%.60s' is not a valid number.", text);
    }
    double d = json_double(j);
    bool whole = !strpbrk(text, ".eE") && json_i64(j, &i);
    json_free(j);
    const struct tv *v = whole ? tv_int(r->a, i) : tv_float(r->a, d);
    return v ? v : fail(r, "Number '%.60s' is out of range.", text);
}

static const struct tv *word(struct reader *r)
{
    static const char *const words[] = {"null", "false", "true"};
    for (size_t i = 0; i < SB_ARRAY_LEN(words); i++) {
        if (at(r, words[i])) {
            r->p += strlen(words[i]);
            return i == 0 ? tv_null() : tv_bool(i == 2);
        }
    }
    return unexpected(r);
}

/* ---- containers ---- */

static const struct tv *value(struct reader *r);

/* One level down; false: too deep. */
static bool enter(struct reader *r, bool object)
{
    if (r->depth + 2 >= TV_DEPTH_MAX) {
        fail(r, "The reader's MaxDepth of %u has been exceeded.", TV_DEPTH_MAX);
        return false;
    }
    r->path[++r->depth] = (struct step){.object = object};
    return true;
}

/* Behind a value: a comma, the end, or a failure. 1: more, 0: ended, -1: failed. */
static int separator(struct reader *r, char closing)
{
    char c[2];
    if (!skip(r))
        return -1;
    if (r->p == r->end) {
        fail(r, "Unexpected end of content while loading %s.", closing == '}' ? "JObject" : "JArray");
        return -1;
    }
    if (*r->p == ',') {
        r->p++;
        return skip(r) ? 1 : -1;
    }
    if (*r->p == closing)
        return 0;
    fail(r, "After parsing a value an unexpected character was encountered: %s.", shown(r, c));
    return -1;
}

static const struct tv *array(struct reader *r)
{
    struct tv_list list = {0};
    r->p++;
    if (!enter(r, false) || !skip(r))
        return NULL;
    while (r->p < r->end && *r->p != ']') {
        r->path[r->depth].index = list.n;
        const struct tv *v = value(r);
        if (!v)
            return NULL;
        if (!tv_push(r->a, &list, v))
            return no_memory(r);
        if (separator(r, ']') < 0)
            return NULL;
    }
    if (r->p == r->end)
        return fail(r, "Unexpected end of content while loading JArray.");
    r->p++;
    r->depth--;
    const struct tv *v = tv_array(r->a, list.items, list.n);
    return v ? v : no_memory(r);
}

/* A member's name, with either quotes or none. NULL: failed. */
static char *member_name(struct reader *r)
{
    char c[2];
    size_t n = 0;
    if (*r->p == '"' || *r->p == '\'')
        return quoted(r, &n);
    const char *start = r->p;
    while (r->p < r->end && word_char(*r->p))
        r->p++;
    if (r->p == start) {
        fail(r, "Invalid property identifier character: %s.", shown(r, c));
        return NULL;
    }
    char *name = arena_strndup(r->a, start, (size_t)(r->p - start));
    if (!name)
        no_memory(r);
    return name;
}

/* Name, colon, value. */
static bool member(struct reader *r, struct tv_fields *fields)
{
    char c[2];
    char *key = member_name(r);
    if (!key)
        return false;
    r->path[r->depth].key = key;
    if (!skip(r))
        return false;
    if (r->p == r->end || *r->p != ':') {
        fail(r, "Invalid character after parsing property name. Expected ':' but got: %s.",
             r->p < r->end ? shown(r, c) : "");
        return false;
    }
    r->p++;
    uint32_t line = r->line, col = column(r);
    const struct tv *v = skip(r) ? value(r) : NULL;
    if (!v)
        return false;
    if (!tv_put(r->a, fields, key, v)) {
        no_memory(r);
        return false;
    }
    fields->items[fields->n - 1].line = line;
    fields->items[fields->n - 1].column = col;
    return true;
}

/* The object has an index when it is big, so this is linear. */
static const char *twin(const struct tv *o)
{
    for (uint32_t i = 0; i < o->n; i++) {
        if (tv_member(o, o->u.members[i].key) != &o->u.members[i])
            return o->u.members[i].key;
    }
    return NULL;
}

static const struct tv *object(struct reader *r)
{
    struct tv_fields fields = {0};
    r->p++;
    if (!enter(r, true) || !skip(r))
        return NULL;
    while (r->p < r->end && *r->p != '}') {
        if (!member(r, &fields) || separator(r, '}') < 0)
            return NULL;
    }
    if (r->p == r->end)
        return fail(r, "Unexpected end of content while loading JObject.");
    r->p++;
    r->depth--;
    const struct tv *v = tv_object(r->a, fields.items, fields.n);
    if (!v)
        return no_memory(r);
    const char *again = twin(v);
    return again ? fail(r, "Property with the same name '%.100s' already exists on object.", again) : v;
}

static const struct tv *value(struct reader *r)
{
    uint32_t line = r->line, col = column(r) + 1;
    const struct tv *v = NULL;
    size_t n = 0;
    if (r->p == r->end)
        return fail(r, "Unexpected end when reading JSON.");
    switch (*r->p) {
    case '{': v = object(r); return tv_at(r->a, v, line, col);
    case '[': v = array(r); return tv_at(r->a, v, line, col);
    case '"':
    case '\'': {
        const char *s = quoted(r, &n);
        v = s ? tv_string_own(r->a, s, n) : NULL;
        break;
    }
    default: v = *r->p == '-' || (*r->p >= '0' && *r->p <= '9') ? number(r) : word(r); break;
    }
    if (!v)
        return no_memory(r);
    return tv_at(r->a, v, r->line, column(r));
}

const struct tv *lenient_parse(struct sb_arena *a, const char *text, size_t n,
                               struct lenient_error *ret_error)
{
    char c[2];
    struct reader r = {.a = a, .p = text, .end = text + n, .line_start = text, .line = 1, .error = ret_error};
    if (at(&r, "\xef\xbb\xbf")) {
        r.p += 3;
        r.line_start = r.p;
    }
    const struct tv *v = skip(&r) ? value(&r) : NULL;
    if (v && !skip(&r))
        return NULL;
    if (v && r.p < r.end)
        return fail(&r, "Additional text encountered after finished reading JSON content: %s.", shown(&r, c));
    return v;
}
