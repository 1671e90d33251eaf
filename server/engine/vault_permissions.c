/*
 * vault_permissions.c: the permissions of access policies: names to bits, and union and difference of what is
 * sent.
 *
 * They are kept as the JSON text that was sent, since the service shows that again, case and order included.
 * Only the compact form that api/ writes is read here: {"keys":["get","list"],"secrets":[]}, names of letters
 * alone.
 */
#include <ctype.h>
#include "server/base/text.h"
#include "server/engine/vault_private.h"

#define FAMILIES_MAX 4 /* keys, secrets, certificates, storage */
#define NAMES_MAX    48

struct family {
    struct sb_blob name;
    struct sb_blob list[NAMES_MAX];
    size_t n;
};
struct permissions {
    struct family f[FAMILIES_MAX];
    size_t n;
};

#define FAMILIES_KNOWN VFAM_MAX

struct permission {
    const char *name;
    uint32_t bits;
};

/* The names are documented (the service's API description). "all" is every one but purge and rotate, which
 * the recordings list beside it. */
static const struct permission key_permissions[] = {
    {"get", VPERM_GET},
    {"list", VPERM_LIST},
    {"create", VPERM_CREATE},
    {"import", VPERM_IMPORT},
    {"update", VPERM_UPDATE},
    {"delete", VPERM_DELETE},
    {"recover", VPERM_RECOVER},
    {"purge", VPERM_PURGE},
    {"backup", VPERM_BACKUP},
    {"restore", VPERM_RESTORE},
    {"encrypt", VPERM_ENCRYPT},
    {"decrypt", VPERM_DECRYPT},
    {"wrapKey", VPERM_WRAP},
    {"unwrapKey", VPERM_UNWRAP},
    {"sign", VPERM_SIGN},
    {"verify", VPERM_VERIFY},
    {"rotate", VPERM_ROTATE},
    {"release", VPERM_RELEASE},
    {"getrotationpolicy", VPERM_GETPOLICY},
    {"setrotationpolicy", VPERM_SETPOLICY},
    {"all", ((VPERM_RELEASE << 1) - 1) & ~(uint32_t)(VPERM_PURGE | VPERM_ROTATE)},
};
static const struct permission secret_permissions[] = {
    {"get", VSECRET_GET},
    {"list", VSECRET_LIST},
    {"set", VSECRET_SET},
    {"delete", VSECRET_DELETE},
    {"recover", VSECRET_RECOVER},
    {"purge", VSECRET_PURGE},
    {"backup", VSECRET_BACKUP},
    {"restore", VSECRET_RESTORE},
    {"all", ((VSECRET_PURGE << 1) - 1) & ~(uint32_t)VSECRET_PURGE},
};
/* Names alone: there is nothing that they could allow. */
static const struct permission certificate_permissions[] = {
    {"all", 0},        {"get", 0},           {"list", 0},           {"delete", 0},     {"create", 0},
    {"import", 0},     {"update", 0},        {"managecontacts", 0}, {"getissuers", 0}, {"listissuers", 0},
    {"setissuers", 0}, {"deleteissuers", 0}, {"manageissuers", 0},  {"recover", 0},    {"purge", 0},
    {"backup", 0},     {"restore", 0},
};
static const struct permission storage_permissions[] = {
    {"all", 0},     {"get", 0},           {"list", 0},    {"delete", 0}, {"set", 0},
    {"update", 0},  {"regeneratekey", 0}, {"recover", 0}, {"purge", 0},  {"backup", 0},
    {"restore", 0}, {"setsas", 0},        {"listsas", 0}, {"getsas", 0}, {"deletesas", 0},
};
static const struct {
    const char *name;
    const struct permission *rows;
    size_t n;
} families[VFAM_MAX] = {
    [VFAM_KEYS] = {"keys", key_permissions, SB_ARRAY_LEN(key_permissions)},
    [VFAM_SECRETS] = {"secrets", secret_permissions, SB_ARRAY_LEN(secret_permissions)},
    [VFAM_CERTIFICATES] = {"certificates", certificate_permissions, SB_ARRAY_LEN(certificate_permissions)},
    [VFAM_STORAGE] = {"storage", storage_permissions, SB_ARRAY_LEN(storage_permissions)},
};

const char *vault_family_name(enum vault_family family)
{
    return families[family].name;
}

static bool blob_ieq(struct sb_blob a, struct sb_blob b)
{
    return a.n == b.n && text_ieqn((const char *)a.p, (const char *)b.p, a.n);
}

/* ---- reading ---- */

static bool take(const char **s, const char *token)
{
    size_t n = strlen(token);
    if (strncmp(*s, token, n) != 0)
        return false;
    *s += n;
    return true;
}

static bool take_name(const char **s, struct sb_blob *ret)
{
    if (!take(s, "\""))
        return false;
    const char *p = *s;
    while (isalpha((unsigned char)*p))
        p++;
    *ret = (struct sb_blob){.p = (const uint8_t *)*s, .n = (size_t)(p - *s)};
    *s = p;
    return ret->n > 0 && take(s, "\"");
}

static bool take_list(const char **s, struct family *f)
{
    if (take(s, "null"))
        return true;
    if (!take(s, "["))
        return false;
    if (take(s, "]"))
        return true;
    do {
        if (f->n == NAMES_MAX || !take_name(s, &f->list[f->n]))
            return false;
        f->n++;
    } while (take(s, ","));
    return take(s, "]");
}

static bool parse(const char *s, struct permissions *ret)
{
    *ret = (struct permissions){0};
    if (!take(&s, "{"))
        return false;
    if (take(&s, "}"))
        return *s == '\0';
    do {
        if (ret->n == FAMILIES_MAX)
            return false;
        struct family *f = &ret->f[ret->n++];
        if (!take_name(&s, &f->name) || !take(&s, ":") || !take_list(&s, f))
            return false;
    } while (take(&s, ","));
    return take(&s, "}") && *s == '\0';
}

static bool named(struct sb_blob name, const char *text)
{
    return strlen(text) == name.n && text_ieqn(text, (const char *)name.p, name.n);
}

/* Adds the bits of one family's list; false: an unknown permission. */
static bool add_bits(const struct family *f, enum vault_family known, uint32_t *bits)
{
    for (size_t j = 0; j < f->n; j++) {
        size_t k = 0;
        while (k < families[known].n && !named(f->list[j], families[known].rows[k].name))
            k++;
        if (k == families[known].n)
            return false;
        *bits |= families[known].rows[k].bits;
    }
    return true;
}

bool vault_permissions_bits(const char *json, uint32_t ret[VFAM_MAX])
{
    struct permissions p;
    uint32_t bits[VFAM_MAX] = {0};
    if (!parse(json, &p))
        return false;
    for (size_t i = 0; i < p.n; i++) {
        size_t known = 0;
        while (known < VFAM_MAX && !named(p.f[i].name, families[known].name))
            known++;
        if (known == VFAM_MAX || !add_bits(&p.f[i], (enum vault_family)known, &bits[known]))
            return false;
    }
    memcpy(ret, bits, sizeof(bits));
    return true;
}

bool vault_permissions_none(const char *json)
{
    struct permissions p;
    if (!parse(json, &p))
        return false;
    for (size_t i = 0; i < p.n; i++)
        if (p.f[i].n > 0)
            return false;
    return true;
}

/* ---- union and difference ---- */

static struct family *family_named(struct permissions *p, struct sb_blob name)
{
    for (size_t i = 0; i < p->n; i++)
        if (blob_ieq(p->f[i].name, name))
            return &p->f[i];
    return NULL;
}

static size_t index_of(const struct family *f, struct sb_blob name)
{
    size_t i = 0;
    while (i < f->n && !blob_ieq(f->list[i], name))
        i++;
    return i;
}

static const char *print(struct sb_arena *a, const struct permissions *p)
{
    struct sb_buf b;
    buf_init(&b, 16384);
    (void)buf_addc(&b, '{');
    for (size_t i = 0; i < p->n; i++) {
        (void)buf_addf(&b, "%s\"%.*s\":[", i ? "," : "", (int)p->f[i].name.n, (const char *)p->f[i].name.p);
        for (size_t j = 0; j < p->f[i].n; j++)
            (void)buf_addf(&b, "%s\"%.*s\"", j ? "," : "", (int)p->f[i].list[j].n,
                           (const char *)p->f[i].list[j].p);
        (void)buf_addc(&b, ']');
    }
    (void)buf_addc(&b, '}');
    const char *text = buf_failed(&b) ? NULL : arena_strdup(a, buf_str(&b));
    buf_done(&b);
    return text;
}

const char *vault_permissions_add(struct sb_arena *a, const char *have, const char *more)
{
    struct permissions x, y;
    if (!parse(have, &x) || !parse(more, &y))
        return NULL;
    for (size_t i = 0; i < y.n; i++) {
        struct family *f = family_named(&x, y.f[i].name);
        if (f == NULL) {
            if (x.n == FAMILIES_MAX)
                return NULL;
            x.f[x.n++] = y.f[i];
            continue;
        }
        for (size_t j = 0; j < y.f[i].n; j++) {
            if (index_of(f, y.f[i].list[j]) < f->n)
                continue;
            if (f->n == NAMES_MAX)
                return NULL;
            f->list[f->n++] = y.f[i].list[j];
        }
    }
    return print(a, &x);
}

const char *vault_permissions_remove(struct sb_arena *a, const char *have, const char *less)
{
    struct permissions x, y;
    if (!parse(have, &x) || !parse(less, &y))
        return NULL;
    for (size_t i = 0; i < y.n; i++) {
        struct family *f = family_named(&x, y.f[i].name);
        for (size_t j = 0; f != NULL && j < y.f[i].n; j++) {
            size_t at = index_of(f, y.f[i].list[j]);
            if (at == f->n)
                continue;
            memmove(&f->list[at], &f->list[at + 1], (f->n - at - 1) * sizeof(f->list[0]));
            f->n--;
        }
    }
    return print(a, &x);
}
