/*
 * json.c: reading JSON: json_scan says what is well-formed, cJSON builds the tree. The only file that
 * includes cJSON.
 *
 * What cJSON 1.7.15 does that is put right here: it accepts text behind the value, control characters, "01"
 * and any blank up to 0x20, cuts a string at \u0000, lets the first of two equal names win, looks names up
 * ignoring case without an exact match first, and keeps numbers as doubles only.
 */
#include "api/json.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api/json_scan.h"
#include "server/base/text.h"

#define FEW_MEMBERS 16u /* up to here two loops are faster than sorting */
#define TWO_63      9223372036854775808.0
#define PRINT_MAX   (16u << 20)

/* struct json is never completed: it stands for cJSON outside this file. */
static const cJSON *node(const struct json *j)
{
    return (const cJSON *)(const void *)j;
}

static const struct json *hidden(const cJSON *c)
{
    return (const struct json *)(const void *)c;
}

/* ---- every node of a tree, parents first, without recursion ---- */

struct walk {
    cJSON *next[JSON_DEPTH + 1]; /* where to go on, by depth */
    unsigned n;
};

static struct walk walk_from(cJSON *root)
{
    return (struct walk){.next = {root}, .n = root ? 1 : 0};
}

static cJSON *walk_next(struct walk *w)
{
    if (w->n == 0)
        return NULL;
    cJSON *c = w->next[w->n - 1];
    w->next[w->n - 1] = c->next;
    if (!c->next)
        w->n--;
    if (c->child)
        w->next[w->n++] = c->child;
    return c;
}

static void wipe_text(char *s)
{
    if (s)
        sb_wipe(s, strlen(s));
}

void json_free(struct json *j)
{
    cJSON *root = (cJSON *)(void *)j;
    struct walk w = walk_from(root);
    for (cJSON *c = NULL; (c = walk_next(&w));) {
        wipe_text(c->valuestring);
        wipe_text(c->string);
    }
    cJSON_Delete(root);
}

/* ---- parsing ---- */

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The name that two members of c share; *ret NULL: none. */
static enum sb_err twin_name(const cJSON *c, const char **ret)
{
    size_t n = (size_t)cJSON_GetArraySize(c);
    if (n <= FEW_MEMBERS) {
        for (const cJSON *m = c->child; m; m = m->next) {
            for (const cJSON *o = m->next; o; o = o->next) {
                if (strcmp(m->string, o->string) == 0) {
                    *ret = m->string;
                    return SB_OK;
                }
            }
        }
        return SB_OK;
    }
    const char **names = malloc(n * sizeof *names);
    if (!names)
        return SB_ENOMEM;
    size_t i = 0;
    for (const cJSON *m = c->child; m; m = m->next)
        names[i++] = m->string;
    qsort(names, n, sizeof *names, by_name);
    for (i = 1; i < n; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            *ret = names[i];
    }
    free(names);
    return SB_OK;
}

static enum sb_err refuse_twins(cJSON *root, struct sb_error *err)
{
    struct walk w = walk_from(root);
    for (cJSON *c = NULL; (c = walk_next(&w));) {
        const char *twin = NULL;
        if (!cJSON_IsObject(c))
            continue;
        if (twin_name(c, &twin) != SB_OK)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        if (twin)
            return sb_fail(err, SB_EBADJSON, "The member '%.100s' occurs more than once.", twin);
    }
    return SB_OK;
}

/* Gives each number that is not short its text (as valuestring, which cJSON_Delete frees). Numbers stand in
 * the tree in the order in which they stand in the text. */
static enum sb_err keep_numbers(cJSON *root, const char *p, size_t n, struct sb_error *err)
{
    size_t at = 0;
    struct walk w = walk_from(root);
    for (cJSON *c = NULL; (c = walk_next(&w));) {
        if (!cJSON_IsNumber(c))
            continue;
        size_t len = 0;
        const char *text = json_scan_number(p, n, &at, &len);
        if (!text || json_scan_short(text, len))
            continue;
        c->valuestring = cJSON_malloc(len + 1);
        if (!c->valuestring)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        memcpy(c->valuestring, text, len);
        c->valuestring[len] = '\0';
    }
    return SB_OK;
}

enum sb_err json_parse(const void *p, size_t n, struct json **ret, struct sb_error *err)
{
    static const char bom[3] = {'\xef', '\xbb', '\xbf'};
    const char *text = p ? p : "";
    if (n >= sizeof bom && memcmp(text, bom, sizeof bom) == 0) {
        text += sizeof bom;
        n -= sizeof bom;
    }
    struct json_scan scan = json_scan(text, n);
    if (scan.why)
        return sb_fail(err, SB_EBADJSON, "%s Position %zu.", scan.why, scan.at);
    cJSON *root = cJSON_ParseWithLengthOpts(text, n, NULL, 0);
    if (!root)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = refuse_twins(root, err);
    if (rc == SB_OK && scan.keep_numbers)
        rc = keep_numbers(root, text, n, err);
    if (rc != SB_OK) {
        json_free((struct json *)(void *)root);
        return rc;
    }
    *ret = (struct json *)(void *)root;
    return SB_OK;
}

/* ---- looking ---- */

bool json_is_object(const struct json *j)
{
    return cJSON_IsObject(node(j));
}

bool json_is_array(const struct json *j)
{
    return cJSON_IsArray(node(j));
}

bool json_is_string(const struct json *j)
{
    return cJSON_IsString(node(j));
}

bool json_is_number(const struct json *j)
{
    return cJSON_IsNumber(node(j));
}

bool json_is_bool(const struct json *j)
{
    return cJSON_IsBool(node(j));
}

bool json_is_null(const struct json *j)
{
    return cJSON_IsNull(node(j));
}

static const cJSON *member(const struct json *j, const char *key, size_t n)
{
    const cJSON *other = NULL;
    if (!cJSON_IsObject(node(j)))
        return NULL;
    for (const cJSON *m = node(j)->child; m; m = m->next) {
        if (!text_ieqn(m->string, key, n) || m->string[n])
            continue;
        if (memcmp(m->string, key, n) == 0)
            return m;
        if (!other)
            other = m;
    }
    return other;
}

const struct json *json_get(const struct json *j, const char *key)
{
    return hidden(member(j, key, strlen(key)));
}

const struct json *json_path(const struct json *j, const char *path)
{
    while (j && *path) {
        size_t n = strcspn(path, ".");
        j = hidden(member(j, path, n));
        path += n + (path[n] == '.');
    }
    return j;
}

const struct json *json_first(const struct json *j)
{
    return j ? hidden(node(j)->child) : NULL;
}

const struct json *json_next(const struct json *j)
{
    return hidden(node(j)->next);
}

const char *json_key(const struct json *j)
{
    return node(j)->string;
}

size_t json_size(const struct json *j)
{
    return j ? (size_t)cJSON_GetArraySize(node(j)) : 0;
}

const char *json_text(const struct json *j)
{
    return cJSON_IsString(node(j)) ? node(j)->valuestring : NULL;
}

bool json_true(const struct json *j)
{
    return cJSON_IsTrue(node(j));
}

bool json_i64(const struct json *j, int64_t *ret)
{
    if (!cJSON_IsNumber(node(j)))
        return false;
    const char *text = node(j)->valuestring;
    if (text && !strpbrk(text, ".eE"))
        return text_to_i64(text, INT64_MIN, INT64_MAX, ret);
    /* 2^63 as a double is exact; anything below it in size fits. */
    double v = node(j)->valuedouble;
    if (!(v >= -TWO_63 && v < TWO_63) || v != (double)(int64_t)v)
        return false;
    *ret = (int64_t)v;
    return true;
}

double json_double(const struct json *j)
{
    return cJSON_IsNumber(node(j)) ? node(j)->valuedouble : 0;
}

/* ---- optional members with a type ---- */

static enum sb_err wrong(struct sb_error *err, const char *where, const char *key, const char *what)
{
    bool top = !where || !*where;
    return sb_fail(err, SB_EBADJSON, "%s%s%s must be %s", top ? "" : where, top ? "" : ".", key, what);
}

/* The member, NULL when it is absent or null. */
static const struct json *given(const struct json *obj, const char *key)
{
    const struct json *v = json_get(obj, key);
    return v && !json_is_null(v) ? v : NULL;
}

enum sb_err json_opt_str(const struct json *obj, const char *where, const char *key, const char **ret,
                         struct sb_error *err)
{
    const struct json *v = given(obj, key);
    if (!v)
        return SB_OK;
    if (!json_is_string(v))
        return wrong(err, where, key, "a string");
    *ret = json_text(v);
    return SB_OK;
}

enum sb_err json_opt_bool(const struct json *obj, const char *where, const char *key, int *ret,
                          struct sb_error *err)
{
    const struct json *v = given(obj, key);
    if (!v)
        return SB_OK;
    if (!json_is_bool(v))
        return wrong(err, where, key, "true or false");
    *ret = json_true(v);
    return SB_OK;
}

enum sb_err json_opt_i64(const struct json *obj, const char *where, const char *key, int64_t min, int64_t max,
                         int64_t *ret, struct sb_error *err)
{
    const struct json *v = given(obj, key);
    int64_t n = 0;
    if (!v)
        return SB_OK;
    if (!json_i64(v, &n))
        return wrong(err, where, key, "a whole number");
    if (n < min || n > max) {
        char what[80];
        snprintf(what, sizeof what, "between %lld and %lld", (long long)min, (long long)max);
        return wrong(err, where, key, what);
    }
    *ret = n;
    return SB_OK;
}

enum sb_err json_opt_obj(const struct json *obj, const char *where, const char *key, const struct json **ret,
                         struct sb_error *err)
{
    const struct json *v = given(obj, key);
    if (!v)
        return SB_OK;
    if (!json_is_object(v))
        return wrong(err, where, key, "an object");
    *ret = v;
    return SB_OK;
}

enum sb_err json_opt_arr(const struct json *obj, const char *where, const char *key, const struct json **ret,
                         struct sb_error *err)
{
    const struct json *v = given(obj, key);
    if (!v)
        return SB_OK;
    if (!json_is_array(v))
        return wrong(err, where, key, "an array");
    *ret = v;
    return SB_OK;
}

/* ---- printing what was read ---- */

static void print(struct jw *w, const char *key, const cJSON *c)
{
    if (cJSON_IsObject(c) || cJSON_IsArray(c)) {
        bool object = cJSON_IsObject(c);
        if (object)
            jw_obj(w, key);
        else
            jw_arr(w, key);
        for (const cJSON *m = c->child; m; m = m->next) /* JSON_DEPTH bounds the recursion */
            print(w, object ? m->string : NULL, m);
        if (object)
            jw_end_obj(w);
        else
            jw_end_arr(w);
    } else if (cJSON_IsString(c)) {
        jw_str(w, key, c->valuestring);
    } else if (cJSON_IsNumber(c)) {
        if (c->valuestring)
            jw_raw(w, key, c->valuestring);
        else
            jw_i64(w, key, (int64_t)c->valuedouble);
    } else if (cJSON_IsBool(c)) {
        jw_bool(w, key, cJSON_IsTrue(c));
    } else {
        jw_null(w, key);
    }
}

char *json_print(const struct json *j, struct sb_arena *a)
{
    struct sb_buf b;
    struct jw w;
    buf_init(&b, PRINT_MAX);
    jw_init(&w, &b);
    print(&w, NULL, node(j));
    char *text = buf_failed(&b) ? NULL : arena_strndup(a, buf_str(&b), b.n);
    buf_done(&b);
    return text;
}
