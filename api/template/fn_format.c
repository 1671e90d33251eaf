/*
 * fn_format.c: format(): .NET composite formatting: {index[,width][:specifier]}, {{ and }}; for numbers the
 * standard specifiers C D E F G N P R X and custom patterns of 0 # . , % and literals.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "api/template/session.h"
#include "server/base/text.h"

#define WIDTH_MAX     1000 /* of a placeholder (choice) */
#define PRECISION_MAX 99

static const struct tv *bad_format(struct fn_call *c, const char *why)
{
    return eval_fail(c->ev,
                     "Unable to evaluate language function 'format': the format is invalid: '%s'. Please see "
                     "https://aka.ms/arm-function-format for usage details.",
                     why);
}

/* "1234567.5" -> "1,234,567.5", appended. */
static void grouped(struct sb_buf *b, const char *digits)
{
    size_t whole = strspn(digits, "0123456789");
    for (size_t i = 0; i < whole; i++) {
        if (i > 0 && (whole - i) % 3 == 0)
            buf_addc(b, ',');
        buf_addc(b, digits[i]);
    }
    buf_adds(b, digits + whole);
}

/* .NET rounds halves away from zero, printf to even on the binary value: nudge the decimal ones. */
static void fixed(double v, int precision, char *dst, size_t cap)
{
    double scale = pow(10, precision), scaled = v * scale;
    double whole = floor(scaled);
    if (fabs(scaled - whole - 0.5) < 1e-9 && scaled < 1e15)
        v = (whole + 1) / scale;
    snprintf(dst, cap, "%.*f", precision, v);
}

/* A standard specifier: a letter and digits. false: unknown. */
static bool standard(struct sb_buf *b, const struct tv *v, char letter, int precision)
{
    char text[512];
    double d = v->type == TV_INT ? (double)v->u.i : v->u.d;
    double size = fabs(d);
    uint64_t hex = 0;
    int width = 0;
    const char *sign = d < 0 ? "-" : "";
    char upper = (char)(letter >= 'a' ? letter - 'a' + 'A' : letter);
    switch (upper) {
    case 'D':
        if (v->type != TV_INT)
            return false;
        buf_addf(b, "%s%0*llu", sign, precision > 0 ? precision : 1,
                 v->u.i < 0 ? 0 - (unsigned long long)v->u.i : (unsigned long long)v->u.i);
        return true;
    case 'X':
        if (v->type != TV_INT)
            return false;
        /* .NET widens an Int32 to 8 digits, not to 16; template integers that fit are printed so. */
        hex = v->u.i < 0 && v->u.i >= INT32_MIN ? (uint32_t)v->u.i : (uint64_t)v->u.i;
        width = precision > 0 ? precision : 1;
        if (letter == 'X')
            buf_addf(b, "%0*llX", width, (unsigned long long)hex);
        else
            buf_addf(b, "%0*llx", width, (unsigned long long)hex);
        return true;
    case 'F':
    case 'N':
    case 'C':
    case 'P':
        fixed(upper == 'P' ? size * 100 : size, precision < 0 ? 2 : precision, text, sizeof text);
        buf_adds(b, sign);
        if (upper == 'C')
            buf_adds(b, "\xc2\xa4"); /* the invariant culture's sign */
        if (upper == 'F')
            buf_adds(b, text);
        else
            grouped(b, text);
        buf_adds(b, upper == 'P' ? " %" : "");
        return true;
    case 'E': {
        snprintf(text, sizeof text, "%.*e", precision < 0 ? 6 : precision, d);
        char *e = strchr(text, 'e'); /* three digits of exponent */
        buf_addf(b, "%.*s%c%c%03lld", (int)(e - text), text, letter, e[1],
                 (long long)(e[2] - '0') * 10 + (e[3] - '0'));
        return true;
    }
    case 'G':
    case 'R':
        if (v->type == TV_INT && precision <= 0)
            buf_addf(b, "%lld", (long long)v->u.i);
        else
            buf_addf(b, "%.*g", precision <= 0 ? 15 : precision, d);
        return true;
    default: return false;
    }
}

/* A custom pattern; the first section of several is taken. */
static void custom(struct sb_buf *b, const struct tv *v, const char *p)
{
    char text[512];
    double d = v->type == TV_INT ? (double)v->u.i : v->u.d;
    size_t end = strcspn(p, ";"), zeros = 0, places = 0, optional = 0;
    bool point = false, group = false, percent = false;
    for (size_t i = 0; i < end; i++) {
        point |= p[i] == '.';
        group |= p[i] == ',' && !point;
        percent |= p[i] == '%';
        zeros += p[i] == '0' && !point;
        places += (p[i] == '0' || p[i] == '#') && point;
        optional = p[i] == '#' && point ? optional + 1 : p[i] == '0' ? 0 : optional;
    }
    fixed(fabs(percent ? d * 100 : d), (int)SB_MIN(places, 20), text, sizeof text);
    for (size_t n = strlen(text); places > 0 && optional > 0 && text[n - 1] == '0'; optional--)
        text[--n] = '\0';
    if (text[strlen(text) - 1] == '.')
        text[strlen(text) - 1] = '\0';
    size_t whole = strspn(text, "0123456789");
    bool drop = zeros == 0 && whole == 1 && text[0] == '0';
    bool written = false;
    if (d < 0)
        buf_addc(b, '-');
    for (size_t i = 0; i < end; i++) {
        if (!strchr("0#.,", p[i])) {
            buf_addc(b, p[i]);
        } else if (!written) {
            written = true;
            char padded[64] = {0};
            size_t pad = zeros > whole && zeros < 40 ? zeros - whole : 0;
            memset(padded, '0', pad);
            struct sb_buf number;
            buf_init(&number, 1024);
            buf_addf(&number, "%s%s", padded, drop ? text + 1 : text);
            if (group)
                grouped(b, buf_str(&number));
            else
                buf_adds(b, buf_str(&number));
            buf_done(&number);
        }
    }
}

/* One argument by its specifier ("" for none). */
static bool one(struct fn_call *c, struct sb_buf *b, const struct tv *v, const char *spec)
{
    int64_t precision = -1;
    bool number = v->type == TV_INT || v->type == TV_FLOAT;
    if (!number || !*spec) {
        const struct tv *text = text_value(c->ev, v);
        if (text)
            buf_add(b, text->u.s, text->n);
        return text != NULL;
    }
    bool letter = (*spec >= 'a' && *spec <= 'z') || (*spec >= 'A' && *spec <= 'Z');
    if (letter && (!spec[1] || text_to_i64(spec + 1, 0, PRECISION_MAX, &precision))) {
        if (standard(b, v, *spec, (int)precision))
            return true;
        bad_format(c, "Format specifier was invalid.");
        return false;
    }
    custom(b, v, spec);
    return true;
}

/* The number at *p, which moves behind it; false: none. */
static bool number_at(const char **p, int64_t max, int64_t *ret)
{
    char digits[12];
    bool minus = **p == '-';
    *p += minus;
    size_t n = strspn(*p, "0123456789");
    if (n == 0 || !text_copyn(digits, sizeof digits, *p, n) || !text_to_i64(digits, 0, max, ret))
        return false;
    *p += n;
    *ret = minus ? -*ret : *ret;
    return true;
}

/* Behind a '{': the placeholder up to its '}'. NULL: failed. */
static const char *placeholder(struct fn_call *c, struct sb_buf *b, const char *p)
{
    char spec[128];
    int64_t index = 0, width = 0;
    static const char malformed[] = "Input string was not in a correct format.";
    if (!number_at(&p, 1000000, &index) || index < 0) {
        bad_format(c, malformed);
        return NULL;
    }
    p += strspn(p, " ");
    if (*p == ',') {
        p += 1 + strspn(p + 1, " ");
        if (!number_at(&p, WIDTH_MAX, &width)) {
            bad_format(c, malformed);
            return NULL;
        }
        p += strspn(p, " ");
    }
    size_t n = *p == ':' ? strcspn(++p, "}") : 0;
    if (p[n] != '}' || !text_copyn(spec, sizeof spec, p, n)) {
        bad_format(c, malformed);
        return NULL;
    }
    if ((uint64_t)index + 1 >= c->n) {
        bad_format(
            c,
            "Index (zero based) must be greater than or equal to zero and less than the size of the argument "
            "list.");
        return NULL;
    }
    size_t before = b->n;
    if (!one(c, b, c->args[index + 1], spec))
        return NULL;
    size_t wanted = (size_t)(width < 0 ? -width : width), has = b->n - before;
    if (has < wanted && !buf_failed(b)) {
        uint8_t *room = buf_room(b, wanted - has);
        if (!room)
            return NULL;
        b->n += wanted - has;
        uint8_t *text = b->p + before;
        if (width > 0)
            memmove(text + (wanted - has), text, has);
        memset(width > 0 ? text : text + has, ' ', wanted - has);
        b->p[b->n] = '\0';
    }
    return p + n + 1;
}

const struct tv *fn_format(struct fn_call *c)
{
    struct sb_buf b;
    const char *p = c->args[0]->u.s;
    buf_init(&b, TV_WEIGHT_MAX);
    while (p && *p && !buf_failed(&b)) {
        size_t plain = strcspn(p, "{}");
        buf_add(&b, p, plain);
        p += plain;
        if (!*p)
            break;
        if (p[1] == *p) {
            buf_addc(&b, *p);
            p += 2;
        } else if (*p == '{') {
            p = placeholder(c, &b, p + 1);
        } else {
            bad_format(c, "Input string was not in a correct format.");
            p = NULL;
        }
    }
    if (p)
        return text_from(c->ev, &b);
    buf_done(&b);
    return NULL;
}
