/*
 * stmt.h: prepared statements, for storage/ alone.
 *
 * Statements live in two X-macro lists (kv_stmts.h, sb_stmts.h), are all prepared when the database is opened
 * (a typo fails at start) and are used like this:
 *
 *     SB_CLEANUP(stmt_reset) struct stmt s = stmt_get(tx, KV_GROUP_GET);
 *     stmt_bind_text(&s, 1, name);
 *     return stmt_one(&s, group_row, sizeof *ret, arena, ret_found, ret, err);
 *
 * A failed bind or copy is remembered and comes out of the next stmt_row or stmt_exec.
 */
#ifndef SB_STMT_H
#define SB_STMT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"
#include "storage/kv_stmts.h"
#include "storage/sb_stmts.h"

enum kv_stmt {
#define X(name, sql) name,
    KV_STMTS(X)
#undef X
        KV_STMT_MAX
};
enum sb_stmt {
#define X(name, sql) name,
    SB_STMTS(X)
#undef X
        SB_STMT_MAX
};

struct sqlite3_stmt;
struct stmt {
    struct tx *tx;
    struct sqlite3_stmt *q;
    int rc; /* first failure of a bind */
};

/* id: an enum kv_stmt for the vault database, an enum sb_stmt for the other. */
struct stmt stmt_get(struct tx *tx, int id);
void stmt_reset(struct stmt *s);

/* Indexes from 1, as in SQL. Text and blobs are borrowed until reset. NULL text binds NULL. */
void stmt_bind_text(struct stmt *s, int i, const char *v);
void stmt_bind_blob(struct stmt *s, int i, const void *p, size_t n); /* p NULL binds NULL */
void stmt_bind_i64(struct stmt *s, int i, int64_t v);
void stmt_bind_null(struct stmt *s, int i);

/* Next row: *ret_row false at the end. */
SB_MUST enum sb_err stmt_row(struct stmt *s, bool *ret_row, struct sb_error *err);
/* Runs to the end; a violated constraint is SB_ECONFLICT, a full disk or I/O error SB_EIO. */
SB_MUST enum sb_err stmt_exec(struct stmt *s, struct sb_error *err);
/* Rows that the last statement changed. */
int64_t stmt_changes(struct tx *tx);

/* Columns from 0; text and blobs are copied into the arena (NULL for SQL NULL). Borrow variants live until
 * the next step or reset. */
char *stmt_text(struct stmt *s, int col, struct sb_arena *a);
struct sb_blob stmt_blob(struct stmt *s, int col, struct sb_arena *a);
struct sb_blob stmt_blob_borrow(struct stmt *s, int col);
void stmt_text_to(struct stmt *s, int col, char *dst,
                  size_t cap); /* "" for NULL; too long: truncated never, SB_EIO next */
int64_t stmt_i64(struct stmt *s, int col);
bool stmt_is_null(struct stmt *s, int col);

/* Reads the columns of the current row into one of the caller's structs, which comes zeroed. */
typedef void stmt_reader(struct stmt *s, struct sb_arena *a, void *row);

/* The row (of size bytes) of a bound statement that finds one at the most; *ret is touched only when it is
 * found. */
SB_MUST enum sb_err stmt_one(struct stmt *s, stmt_reader *read, size_t size, struct sb_arena *a,
                             bool *ret_found, void *ret, struct sb_error *err);
/* All rows (of size bytes each) of a bound statement, one behind the other. ret: where their address goes, a
 * struct ROW **; they are in the arena, NULL when there are none. */
SB_MUST enum sb_err stmt_all(struct stmt *s, stmt_reader *read, size_t size, struct sb_arena *a, void *ret,
                             size_t *ret_n, struct sb_error *err);
/* The first column of the first row; otherwise when there is no row, and 0 for NULL. */
SB_MUST enum sb_err stmt_number(struct stmt *s, int64_t otherwise, int64_t *ret, struct sb_error *err);

#endif
