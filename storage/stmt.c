/*
 * stmt.c: binding, stepping and reading of prepared statements.
 */
#include <assert.h>
#include <sqlite3.h>
#include <string.h>
#include "storage/stmt.h"
#include "storage/tx.h"

#define FIRST_ROWS 8 /* of an array that doubles */

enum sb_err tx_fail(struct sqlite3 *db, int sqlite_rc, struct sb_error *err)
{
    enum sb_err code;
    switch (sqlite_rc & 0xff) {
    case SQLITE_CONSTRAINT: code = SB_ECONFLICT; break;
    case SQLITE_NOMEM: code = SB_ENOMEM; break;
    case SQLITE_TOOBIG: code = SB_ETOOLARGE; break;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH: code = SB_EINTERNAL; break;
    default: code = SB_EIO; break;
    }
    /* The connection's words belong to its latest call, which may not be the one that failed. */
    const char *text = sqlite3_errcode(db) == sqlite_rc ? sqlite3_errmsg(db) : sqlite3_errstr(sqlite_rc);
    return sb_fail(err, code, "%s", text);
}

enum sb_err tx_will_write(struct tx *tx, struct sb_error *err)
{
    if (tx->state == TX_READING)
        return sb_fail(err, SB_EINTERNAL, "a reading operation tried to write");
    tx->state = TX_WROTE;
    return SB_OK;
}

struct stmt stmt_get(struct tx *tx, int id)
{
    assert(id >= 0 && id < tx->nstmts);
    struct sqlite3_stmt *q = tx->stmts[id];
    /* Two users of one statement at a time would reset each other. */
    assert(!sqlite3_stmt_busy(q));
    return (struct stmt){.tx = tx, .q = q, .rc = SQLITE_OK};
}

void stmt_reset(struct stmt *s)
{
    if (s->q == NULL)
        return;
    sqlite3_reset(s->q);
    sqlite3_clear_bindings(s->q);
    s->q = NULL;
}

static void bound(struct stmt *s, int rc)
{
    if (s->rc == SQLITE_OK)
        s->rc = rc;
}

void stmt_bind_text(struct stmt *s, int i, const char *v)
{
    bound(s, sqlite3_bind_text(s->q, i, v, -1, SQLITE_STATIC));
}

void stmt_bind_blob(struct stmt *s, int i, const void *p, size_t n)
{
    bound(s, sqlite3_bind_blob64(s->q, i, p, n, SQLITE_STATIC));
}

void stmt_bind_i64(struct stmt *s, int i, int64_t v)
{
    bound(s, sqlite3_bind_int64(s->q, i, v));
}

void stmt_bind_null(struct stmt *s, int i)
{
    bound(s, sqlite3_bind_null(s->q, i));
}

enum sb_err stmt_row(struct stmt *s, bool *ret_row, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    if (s->rc == SQLITE_OK && !sqlite3_stmt_readonly(s->q) && !sqlite3_stmt_busy(s->q))
        SB_TRY(tx_will_write(s->tx, err));
    if (s->rc == SQLITE_OK) {
        int step = sqlite3_step(s->q);
        /* Kept, so that a further call after the end or a failure does not start the statement again. */
        s->rc = step == SQLITE_ROW ? SQLITE_OK : step;
    }
    if (s->rc != SQLITE_OK && s->rc != SQLITE_DONE) {
        s->tx->damaged |= (s->rc & 0xff) == SQLITE_CORRUPT || (s->rc & 0xff) == SQLITE_NOTADB;
        rc = tx_fail(s->tx->db, s->rc, err);
    } else {
        *ret_row = s->rc == SQLITE_OK;
    }
out:
    return rc;
}

enum sb_err stmt_exec(struct stmt *s, struct sb_error *err)
{
    enum sb_err rc;
    bool row = true;
    while (row)
        SB_TRY(stmt_row(s, &row, err));
    rc = SB_OK;
out:
    return rc;
}

int64_t stmt_changes(struct tx *tx)
{
    return sqlite3_changes64(tx->db);
}

struct sb_blob stmt_blob_borrow(struct stmt *s, int col)
{
    /* In this order: the pointer first, as SQLite asks for. */
    const uint8_t *p = sqlite3_column_blob(s->q, col);
    return (struct sb_blob){.p = p, .n = (size_t)sqlite3_column_bytes(s->q, col)};
}

struct sb_blob stmt_blob(struct stmt *s, int col, struct sb_arena *a)
{
    if (stmt_is_null(s, col))
        return (struct sb_blob){0};
    struct sb_blob b = stmt_blob_borrow(s, col);
    /* One byte more, so that an empty blob is not NULL. */
    uint8_t *p = arena_alloc(a, b.n + 1);
    if (p == NULL || (b.n > 0 && b.p == NULL)) {
        s->rc = SQLITE_NOMEM;
        return (struct sb_blob){0};
    }
    if (b.n > 0)
        memcpy(p, b.p, b.n);
    return (struct sb_blob){.p = p, .n = b.n};
}

char *stmt_text(struct stmt *s, int col, struct sb_arena *a)
{
    if (stmt_is_null(s, col))
        return NULL;
    char *copy = arena_strdup(a, (const char *)sqlite3_column_text(s->q, col));
    if (copy == NULL)
        s->rc = SQLITE_NOMEM;
    return copy;
}

void stmt_text_to(struct stmt *s, int col, char *dst, size_t cap)
{
    const char *text = (const char *)sqlite3_column_text(s->q, col);
    size_t n = (size_t)sqlite3_column_bytes(s->q, col);
    dst[0] = '\0';
    if (text == NULL)
        return;
    if (n >= cap)
        s->rc = SQLITE_CORRUPT;
    else
        memcpy(dst, text, n + 1);
}

int64_t stmt_i64(struct stmt *s, int col)
{
    return sqlite3_column_int64(s->q, col);
}

bool stmt_is_null(struct stmt *s, int col)
{
    return sqlite3_column_type(s->q, col) == SQLITE_NULL;
}

enum sb_err stmt_one(struct stmt *s, stmt_reader *read, size_t size, struct sb_arena *a, bool *ret_found,
                     void *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found;
    SB_TRY(stmt_row(s, &found, err));
    if (found) {
        void *row = arena_alloc(a, size);
        if (row == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory reading a row");
        memset(row, 0, size);
        read(s, a, row);
        SB_TRY(stmt_exec(s, err)); /* a copy that failed comes out here */
        memcpy(ret, row, size);
    }
    *ret_found = found;
out:
    return rc;
}

/* The arena takes back nothing, so what growing wastes is at most the result's size. */
static char *grow(struct sb_arena *a, const char *rows, size_t size, size_t n, size_t *cap)
{
    size_t more = *cap == 0 ? FIRST_ROWS : *cap * 2;
    char *longer = arena_alloc(a, more * size);
    if (longer == NULL)
        return NULL;
    if (n > 0)
        memcpy(longer, rows, n * size);
    *cap = more;
    return longer;
}

enum sb_err stmt_all(struct stmt *s, stmt_reader *read, size_t size, struct sb_arena *a, void *ret,
                     size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc;
    char *rows = NULL;
    size_t n = 0, cap = 0;
    bool more;
    SB_TRY(stmt_row(s, &more, err));
    while (more) {
        if (n == cap && (rows = grow(a, rows, size, n, &cap)) == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory reading rows");
        memset(rows + n * size, 0, size);
        read(s, a, rows + n * size);
        n++;
        SB_TRY(stmt_row(s, &more, err)); /* a copy that failed comes out here */
    }
    memcpy(ret, &rows, sizeof rows);
    *ret_n = n;
out:
    return rc;
}

enum sb_err stmt_number(struct stmt *s, int64_t otherwise, int64_t *ret, struct sb_error *err)
{
    bool found;
    enum sb_err rc = stmt_row(s, &found, err);
    if (rc == SB_OK)
        *ret = found ? stmt_i64(s, 0) : otherwise;
    return rc;
}
