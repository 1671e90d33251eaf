/*
 * scrub.c: rewrites the tables that hold keys, sealed or wrapped, so that no stale copy stays in the file.
 *
 * secure_delete zeroes a deleted row, but not the copies of it that SQLite left in the unused middle of pages
 * when it moved rows between them earlier (measured with 3.40: 131 stale blobs in 60,000 changes, none after
 * this). A table that is emptied has its pages zeroed as a whole; what is then inserted are the rows that
 * live.
 */
#include <stdio.h>
#include "storage/store_private.h"

/* Small tables; messages are sealed under keys that are not in the file. A new table with keys belongs here.
 */
static const char *const key_tables[][4] = {
    [STORE_SB] = {"namespace", "ns_key", "ns_rule", "meta"},
    [STORE_KV] = {"vault_version", "meta"},
};

static enum sb_err exec(struct store *s, const char *sql, struct sb_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? SB_OK : tx_fail(s->db, rc, err);
}

static enum sb_err rewrite(struct store *s, const char *table, struct sb_error *err)
{
    char sql[256];
    if (sqlite3_table_column_metadata(s->db, "main", table, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
        return SB_OK;
    snprintf(sql, sizeof sql,
             "CREATE TEMP TABLE scrub AS SELECT * FROM main.%s; DELETE FROM main.%s;"
             "INSERT INTO main.%s SELECT * FROM temp.scrub; DROP TABLE temp.scrub",
             table, table, table);
    return exec(s, sql, err);
}

enum sb_err scrub_tables(struct store *s, bool *ret_broken, struct sb_error *err)
{
    enum sb_err rc, back;
    int enforced = 0;
    bool committing = false;
    /* Rows leave for a moment; nothing that refers to them may be looked at or deleted with them. */
    SB_TRY(exec(s, "PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE", err));
    for (size_t i = 0; i < SB_ARRAY_LEN(key_tables[0]) && key_tables[s->tx.kind][i] != NULL; i++)
        SB_TRY(rewrite(s, key_tables[s->tx.kind][i], err));
    committing = true;
    SB_TRY(exec(s, "COMMIT", err));
    committing = false;
out:
    if (!sqlite3_get_autocommit(s->db))
        (void)exec(s, "ROLLBACK", NULL);
    back = exec(s, "PRAGMA foreign_keys=ON", rc == SB_OK ? err : NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_FKEY, -1, &enforced);
    if (rc == SB_OK && (back != SB_OK || !enforced))
        rc = sb_fail(err, SB_EIO, "foreign keys could not be enforced again");
    *ret_broken = committing || !enforced;
    return rc;
}
