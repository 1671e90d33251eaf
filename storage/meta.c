/*
 * meta.c: small values by name, and the wipe of a whole database.
 */
#include <limits.h>
#include <sqlite3.h>
#include "storage/stmt.h"
#include "storage/tx.h"

#define WIPE_TABLES                                                                                          \
    "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "          \
    "ORDER BY rowid DESC"

enum sb_err store_meta_get(struct tx *tx, const char *name, struct sb_arena *a, struct sb_blob *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    SB_CLEANUP(stmt_reset)
    struct stmt s = stmt_get(tx, tx->kind == STORE_KV ? (int)KV_META_GET : (int)SB_META_GET);
    struct sb_blob value = {0};
    bool found;
    stmt_bind_text(&s, 1, name);
    SB_TRY(stmt_row(&s, &found, err));
    if (found) {
        value = stmt_blob(&s, 0, a);
        SB_TRY(stmt_row(&s, &found, err));
    }
    *ret = value;
out:
    return rc;
}

enum sb_err store_meta_put(struct tx *tx, const char *name, const void *p, size_t n, struct sb_error *err)
{
    SB_CLEANUP(stmt_reset)
    struct stmt s = stmt_get(tx, tx->kind == STORE_KV ? (int)KV_META_PUT : (int)SB_META_PUT);
    stmt_bind_text(&s, 1, name);
    /* An empty value is still a value. */
    stmt_bind_blob(&s, 2, n == 0 ? "" : p, n);
    return stmt_exec(&s, err);
}

/* SQLITE_OK, or the failure of either step; a constraint leaves the table as it was. */
static int empty_table(sqlite3 *db, const char *name)
{
    char *sql = sqlite3_mprintf("DELETE FROM \"%w\"", name);
    if (sql == NULL)
        return SQLITE_NOMEM;
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    sqlite3_free(sql);
    return rc;
}

/* One pass over all tables, the newest first, as children are created after their parents. */
static enum sb_err wipe_pass(struct tx *tx, int *ret_refused, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    sqlite3_stmt *tables = NULL;
    int step, refused = 0;
    if (sqlite3_prepare_v2(tx->db, WIPE_TABLES, -1, &tables, NULL) != SQLITE_OK) {
        rc = tx_fail(tx->db, sqlite3_errcode(tx->db), err);
        goto out;
    }
    while ((step = sqlite3_step(tables)) == SQLITE_ROW) {
        int emptied = empty_table(tx->db, (const char *)sqlite3_column_text(tables, 0));
        if ((emptied & 0xff) == SQLITE_CONSTRAINT) {
            refused++;
        } else if (emptied != SQLITE_OK) {
            rc = tx_fail(tx->db, emptied, err);
            goto out;
        }
    }
    if (step != SQLITE_DONE)
        rc = tx_fail(tx->db, step, err);
    else
        *ret_refused = refused;
out:
    sqlite3_finalize(tables);
    return rc;
}

/* sqlite_sequence stays: no id is given out a second time. */
enum sb_err store_wipe_all(struct tx *tx, struct sb_error *err)
{
    enum sb_err rc;
    int refused = INT_MAX;
    SB_TRY(tx_will_write(tx, err));
    for (int before = 0; refused != 0 && refused != before;) {
        before = refused;
        SB_TRY(wipe_pass(tx, &refused, err));
    }
    if (refused != 0)
        rc = sb_fail(err, SB_EINTERNAL, "%d tables refer to each other and cannot be emptied", refused);
out:
    return rc;
}
