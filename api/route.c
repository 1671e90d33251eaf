/*
 * route.c: matching. Templates are cut into segments once; rows are listed per plane and number of segments,
 * the most specific first, so that a request is compared with a handful of rows.
 */
#include "api/route.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "api/request.h"
#include "server/base/text.h"

#define SEGMENTS_MAX 24u   /* of a template, and of the lists by number of segments */
#define PATH_MAX_SEG 1024u /* of a request's path */
#define ALLOW_MAX    16u   /* methods of one path */

enum seg_kind { SEG_LITERAL, SEG_PARAM, SEG_REST };

struct seg {
    const char *p; /* literal, or name of the parameter */
    unsigned n;
    enum seg_kind kind;
};

struct row {
    const struct route *route;
    struct seg *segs;
    unsigned n, literals;
    unsigned rest;  /* index of {name*}, or n */
    unsigned order; /* in the tables */
};

struct list {
    const uint16_t *rows; /* indexes, the most specific first */
    size_t n;
};

struct route_index {
    struct row *rows; /* the most specific first */
    size_t rows_n;
    struct seg *segs;
    size_t segs_n;
    uint16_t *entries;                              /* what the lists point into */
    struct list lists[PLANE_MAX][SEGMENTS_MAX + 1]; /* the last list: that many or more */
};

/* ---- making the index ---- */

static unsigned count_segments(const char *path)
{
    unsigned n = 0;
    for (const char *p = path; *p; p++)
        n += *p != '/' && (p == path || p[-1] == '/');
    return n;
}

static struct seg parse_seg(const char *p, size_t n)
{
    if (p[0] != '{')
        return (struct seg){.p = p, .n = (unsigned)n, .kind = SEG_LITERAL};
    bool rest = n >= 3 && p[n - 2] == '*';
    return (struct seg){.p = p + 1, .n = (unsigned)n - (rest ? 3 : 2), .kind = rest ? SEG_REST : SEG_PARAM};
}

static void parse_row(struct route_index *ix, struct row *row, const struct route *route)
{
    *row = (struct row){.route = route, .segs = ix->segs + ix->segs_n, .order = (unsigned)ix->rows_n};
    const char *p = route->path;
    while (*(p += strspn(p, "/"))) {
        size_t n = strcspn(p, "/");
        row->segs[row->n++] = parse_seg(p, n);
        p += n;
    }
    row->rest = row->n;
    for (unsigned i = 0; i < row->n; i++) {
        row->literals += row->segs[i].kind == SEG_LITERAL;
        if (row->segs[i].kind == SEG_REST)
            row->rest = i;
    }
    ix->segs_n += row->n;
    ix->rows_n++;
}

/* Most literals first, then those without a rest; else the order of the tables. */
static int more_specific(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    bool x_rest = x->rest < x->n, y_rest = y->rest < y->n;
    if (x->literals != y->literals)
        return x->literals > y->literals ? -1 : 1;
    if (x_rest != y_rest)
        return x_rest ? 1 : -1;
    return x->order < y->order ? -1 : 1;
}

/* Can a path of n segments (n or more in the last list) match? */
static bool fits(const struct row *row, unsigned n)
{
    return row->rest < row->n ? row->n <= n || n == SEGMENTS_MAX : row->n == n;
}

/* Fills the lists (entries not NULL), or counts how many entries they need. */
static size_t fill(struct route_index *ix, uint16_t *entries)
{
    size_t used = 0;
    for (unsigned plane = 0; plane < PLANE_MAX; plane++) {
        for (unsigned n = 0; n <= SEGMENTS_MAX; n++) {
            size_t from = used;
            for (size_t i = 0; i < ix->rows_n; i++) {
                if ((unsigned)ix->rows[i].route->plane != plane || !fits(&ix->rows[i], n))
                    continue;
                if (entries)
                    entries[used] = (uint16_t)i;
                used++;
            }
            if (entries)
                ix->lists[plane][n] = (struct list){.rows = entries + from, .n = used - from};
        }
    }
    return used;
}

struct route_index *route_index_new(const struct route_table *const *tables, size_t n)
{
    struct route_index *ix = calloc(1, sizeof *ix);
    size_t rows = 0, segs = 0;
    for (size_t t = 0; t < n; t++) {
        rows += tables[t]->n;
        for (size_t i = 0; i < tables[t]->n; i++)
            segs += count_segments(tables[t]->rows[i].path);
    }
    if (!ix || rows > UINT16_MAX)
        goto fail;
    ix->rows = calloc(rows + 1, sizeof *ix->rows);
    ix->segs = calloc(segs + 1, sizeof *ix->segs);
    if (!ix->rows || !ix->segs)
        goto fail;
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < tables[t]->n; i++)
            parse_row(ix, &ix->rows[ix->rows_n], &tables[t]->rows[i]);
    }
    qsort(ix->rows, ix->rows_n, sizeof *ix->rows, more_specific);
    ix->entries = calloc(fill(ix, NULL) + 1, sizeof *ix->entries);
    if (!ix->entries)
        goto fail;
    fill(ix, ix->entries);
    return ix;
fail:
    route_index_free(ix);
    return NULL;
}

void route_index_free(struct route_index *ix)
{
    if (!ix)
        return;
    free(ix->entries);
    free(ix->segs);
    free(ix->rows);
    free(ix);
}

/* ---- matching a request ---- */

struct path {
    char **seg; /* decoded */
    unsigned n;
};

/* Cuts r->path (without its query) into decoded segments. */
static enum sb_err cut(struct request *r, struct path *ret, struct sb_error *err)
{
    unsigned max = count_segments(r->path);
    if (max > PATH_MAX_SEG)
        return sb_fail(err, SB_EBADREQUEST, "The request URI has too many segments.");
    ret->seg = ARENA_ARRAY(r->arena, char *, max + 1);
    if (!ret->seg)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    const char *p = r->path;
    while (*(p += strspn(p, "/"))) {
        size_t n = strcspn(p, "/");
        char *seg = memchr(p, '%', n) ? percent_decode(r->arena, p, n, false) : arena_strndup(r->arena, p, n);
        if (!seg)
            return sb_fail(err, SB_EBADREQUEST, "The request URI holds a malformed escape sequence.");
        ret->seg[ret->n++] = seg;
        p += n;
    }
    return SB_OK;
}

static bool literal_is(const struct seg *s, const char *text)
{
    return strlen(text) == s->n && text_ieqn(s->p, text, s->n);
}

/* The request's segment that belongs to template segment i (behind the rest: counted from the end). */
static unsigned place(const struct row *row, const struct path *p, unsigned i)
{
    return i <= row->rest ? i : p->n - row->n + i;
}

static bool row_matches(const struct row *row, const struct path *p)
{
    if (p->n < row->n || (row->rest == row->n && p->n != row->n))
        return false;
    for (unsigned i = 0; i < row->n; i++) {
        if (row->segs[i].kind == SEG_LITERAL && !literal_is(&row->segs[i], p->seg[place(row, p, i)]))
            return false;
    }
    return true;
}

/* Segments from..to joined by slashes. */
static char *join(struct sb_arena *a, const struct path *p, unsigned from, unsigned to)
{
    size_t len = 0;
    for (unsigned i = from; i <= to; i++)
        len += strlen(p->seg[i]) + 1;
    char *text = arena_alloc(a, len);
    char *at = text;
    for (unsigned i = from; text && i <= to; i++) {
        size_t n = strlen(p->seg[i]);
        memcpy(at, p->seg[i], n);
        at += n;
        *at++ = i < to ? '/' : '\0';
    }
    return text;
}

static enum sb_err take_params(struct request *r, const struct row *row, const struct path *p,
                               struct sb_error *err)
{
    r->params_n = 0;
    for (unsigned i = 0; i < row->n && r->params_n < SB_ARRAY_LEN(r->params); i++) {
        const struct seg *s = &row->segs[i];
        if (s->kind == SEG_LITERAL)
            continue;
        char *name = arena_strndup(r->arena, s->p, s->n);
        char *value = p->seg[place(row, p, i)];
        if (s->kind == SEG_REST && p->n > row->n)
            value = join(r->arena, p, i, i + p->n - row->n);
        if (!name || !value)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        r->params[r->params_n++] = (struct request_pair){name, value};
    }
    return SB_OK;
}

/* Adds a method to the list unless it is there. */
static void allow(const char **methods, size_t *n, const char *method)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(methods[i], method) == 0)
            return;
    }
    if (*n < ALLOW_MAX)
        methods[(*n)++] = method;
}

static const char *allow_text(struct sb_arena *a, const char **methods, size_t n)
{
    const char *text = methods[0];
    for (size_t i = 1; i < n && text; i++)
        text = arena_printf(a, "%s, %s", text, methods[i]);
    return text ? text : "";
}

enum sb_err route_match(const struct route_index *ix, struct request *r, const char **ret_allow,
                        struct sb_error *err)
{
    struct path p = {0};
    enum sb_err rc = cut(r, &p, err);
    if (rc != SB_OK)
        return rc;
    const char *methods[ALLOW_MAX];
    size_t methods_n = 0;
    const struct list *list = &ix->lists[r->plane][SB_MIN(p.n, SEGMENTS_MAX)];
    for (size_t i = 0; i < list->n; i++) {
        const struct row *row = &ix->rows[list->rows[i]];
        if (!row_matches(row, &p))
            continue;
        if (strcmp(row->route->method, r->method) == 0) {
            r->route = row->route;
            return take_params(r, row, &p, err);
        }
        allow(methods, &methods_n, row->route->method);
    }
    if (methods_n == 0)
        return sb_fail(err, SB_ENOROUTE, "No operation has the path '%.300s'.", r->path);
    *ret_allow = allow_text(r->arena, methods, methods_n);
    return sb_fail(err, SB_EMETHOD, "The method '%.20s' is not allowed here; allowed: %s.", r->method,
                   *ret_allow);
}
