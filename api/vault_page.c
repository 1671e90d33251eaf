/*
 * vault_page.c: pages of a vault's lists.
 *
 * A $skiptoken is what the service's is (recorded): base64url of {"NextMarker":"2!LENGTH!MARKER",
 * "TargetLocation":0}, where MARKER is base64 (with '-' for '=') of a table row's key:
 * "000018!key/NAME[/VERSION]!000028!9999-12-31T23:59:59.9999999Z!", in upper case: the first item of the next
 * page. So what is added or removed meanwhile shifts nothing.
 */
#include "api/vault_common.h"
#include "server/base/text.h"

#define PAGE_MAX 25 /* documented: maxresults 1 to 25, 25 by default */
#define TAIL     "!000028!9999-12-31T23:59:59.9999999Z!"

static const char bad_token[] = "The query parameter $skiptoken is invalid.";

/* ---- decoding ---- */

/* The text of a marker: behind the second '!' of a NextMarker. */
static const char *marker_text(struct sb_arena *a, const char *next)
{
    const char *p = strchr(next, '!');
    p = p ? strchr(p + 1, '!') : NULL;
    char *b64 = p ? arena_strdup(a, p + 1) : NULL;
    size_t n = 0;
    if (!b64)
        return NULL;
    for (char *c = b64; *c != '\0'; c++)
        *c = *c == '-' ? '=' : *c;
    const uint8_t *bytes = b64_decode(a, b64, strlen(b64), &n);
    return bytes && !memchr(bytes, '\0', n) ? arena_strndup(a, (const char *)bytes, n) : NULL;
}

/* The last step of "…!key/NAME[/VERSION]!…"; NULL: malformed. */
static const char *last_step(struct sb_arena *a, const char *marker)
{
    static const char allowed[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-/";
    const char *path = strchr(marker, '!');
    if (!path)
        return NULL;
    size_t n = strspn(++path, allowed);
    if (path[n] != '!')
        return NULL;
    char *text = arena_strndup(a, path, n);
    char *step = text ? strrchr(text, '/') : NULL;
    return step && step[1] != '\0' && strlen(step + 1) <= VKEY_NAME_MAX ? text_tolower(step + 1) : NULL;
}

const char *vault_skip_decode(struct sb_arena *a, const char *token)
{
    struct json *j = NULL;
    size_t n = 0;
    const uint8_t *p = b64url_decode(a, token, strlen(token), &n);
    if (!p || json_parse(p, n, &j, NULL) != SB_OK)
        return NULL;
    const char *next = json_text(json_get(j, "NextMarker"));
    const char *marker = next ? marker_text(a, next) : NULL;
    json_free(j);
    return marker ? last_step(a, marker) : NULL;
}

enum sb_err vault_read_page(struct request *r, struct vault_page *ret, struct sb_error *err)
{
    const char *max = request_query(r, "maxresults");
    const char *token = request_query(r, "$skiptoken");
    int64_t v = PAGE_MAX;
    *ret = (struct vault_page){0};
    if (max && !text_to_i64(max, 1, PAGE_MAX, &v))
        return sb_fail(err, SB_EBADPARAM, "The query parameter maxresults must be between 1 and %d.",
                       PAGE_MAX);
    ret->max = (size_t)v;
    if (token && !(ret->from = vault_skip_decode(r->arena, token)))
        return sb_fail(err, SB_EBADPARAM, "%s", bad_token);
    return SB_OK;
}

/* ---- encoding ---- */

static const char *encode(struct sb_arena *a, const char *kind, const char *name, const char *place)
{
    const char *path = name ? arena_printf(a, "%s/%s", name, place) : place;
    char *upper = path ? arena_strdup(a, path) : NULL;
    if (!upper)
        return NULL;
    for (char *c = upper; *c != '\0'; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    const char *marker = arena_printf(a, "%06zu!%s/%s" TAIL, strlen(kind) + 1 + strlen(upper), kind, upper);
    struct sb_buf b;
    buf_init(&b, 4096);
    if (marker)
        (void)b64_encode(&b, marker, strlen(marker));
    for (size_t i = 0; i < b.n; i++)
        b.p[i] = b.p[i] == '=' ? '-' : b.p[i];
    const char *json =
        marker && !buf_failed(&b)
            ? arena_printf(a, "{\"NextMarker\":\"2!%zu!%s\",\"TargetLocation\":0}", b.n, buf_str(&b))
            : NULL;
    buf_done(&b);
    return json ? b64url_str(a, json, strlen(json)) : NULL;
}

/* The port is always there, and the $ is bare (recorded). */
void vault_write_next(struct request *r, struct jw *w, const char *kind, const char *name,
                      const struct vault_page *page)
{
    const char *max = request_query(r, "maxresults");
    const char *token = page->next ? encode(r->arena, kind, name, page->next) : NULL;
    if (token)
        jw_strf(w, "nextLink", "https://%s%s?api-version=%s&$skiptoken=%s%s%s",
                request_authority(r, HOST_VAULT, r->host_label, true), r->path, r->api_version, token,
                max ? "&maxresults=" : "", max ? max : "");
    else
        jw_null(w, "nextLink");
}
