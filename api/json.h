/*
 * json.h: JSON in and out; json.c is the only file that includes cJSON.
 *
 * Reading is strict: one value, nothing behind it, no duplicate members, no \u0000, valid UTF-8, at most
 * JSON_DEPTH levels. Numbers that do not fit a double keep their text (json_i64 reads the text). Member
 * lookup ignores case as ARM does, an exact match first. The tree lives until json_free. Each typed getter
 * distinguishes absent from wrong.
 */
#ifndef SB_JSON_H
#define SB_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/base/err.h"

#define JSON_DEPTH 32

struct json;

/* SB_EBADJSON with the position. The tree is freed by json_free (not by the arena). */
SB_MUST enum sb_err json_parse(const void *p, size_t n, struct json **ret, struct sb_error *err);
void json_free(struct json *j); /* wipes; NULL is ok */

bool json_is_object(const struct json *j);
bool json_is_array(const struct json *j);
bool json_is_string(const struct json *j);
bool json_is_number(const struct json *j);
bool json_is_bool(const struct json *j);
bool json_is_null(const struct json *j);
/* NULL j or no such member: NULL. A member that is null counts as absent in the json_opt_* getters. */
const struct json *json_get(const struct json *j, const char *key);
/* "properties.encryption.keySource": NULL when any step is absent or not an object. */
const struct json *json_path(const struct json *j, const char *path);
const struct json *json_first(const struct json *j); /* first child of an object or array */
const struct json *json_next(const struct json *j);
const char *json_key(const struct json *j); /* name of a member */
size_t json_size(const struct json *j);
const char *json_text(const struct json *j); /* of a string; borrowed; NULL if not one */
bool json_true(const struct json *j);
SB_MUST bool json_i64(const struct json *j, int64_t *ret); /* a whole number in range */
double json_double(const struct json *j);

#define JSON_FOREACH(child, parent)                                                                          \
    for (const struct json *child = json_first(parent); child; child = json_next(child))

/* Optional members of obj with a type check: absent or null leaves *ret alone and is SB_OK; another type is
 * SB_EBADJSON naming `where` and key
 * ("properties.lockDuration must be a string"). */
SB_MUST enum sb_err json_opt_str(const struct json *obj, const char *where, const char *key, const char **ret,
                                 struct sb_error *err);
SB_MUST enum sb_err json_opt_bool(const struct json *obj, const char *where, const char *key, int *ret,
                                  struct sb_error *err);
SB_MUST enum sb_err json_opt_i64(const struct json *obj, const char *where, const char *key, int64_t min,
                                 int64_t max, int64_t *ret, struct sb_error *err);
SB_MUST enum sb_err json_opt_obj(const struct json *obj, const char *where, const char *key,
                                 const struct json **ret, struct sb_error *err);
SB_MUST enum sb_err json_opt_arr(const struct json *obj, const char *where, const char *key,
                                 const struct json **ret, struct sb_error *err);
/* The value printed compactly, into the arena (tags and other parts kept as sent). */
char *json_print(const struct json *j, struct sb_arena *a);

/* ---- writing: key NULL inside arrays; a NULL text value writes nothing (jw_str) ---- */
struct jw {
    struct sb_buf *b;
    bool comma;
};
void jw_init(struct jw *w, struct sb_buf *b);
void jw_obj(struct jw *w, const char *key);
void jw_arr(struct jw *w, const char *key);
void jw_end_obj(struct jw *w);
void jw_end_arr(struct jw *w);
void jw_str(struct jw *w, const char *key, const char *v); /* v NULL: left out */
void jw_strf(struct jw *w, const char *key, const char *fmt, ...) SB_PRINTF(3, 4);
void jw_i64(struct jw *w, const char *key, int64_t v);
void jw_dbl(struct jw *w, const char *key, double v);
void jw_bool(struct jw *w, const char *key, bool v);
void jw_null(struct jw *w, const char *key);
void jw_raw(struct jw *w, const char *key, const char *json); /* JSON text; NULL: left out */

#endif
