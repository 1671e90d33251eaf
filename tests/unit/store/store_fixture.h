/* store_fixture.h: a database in a temporary folder for the storage tests, with a scratch table `t`. */
#ifndef SB_STORE_FIXTURE_H
#define SB_STORE_FIXTURE_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "storage/store.h"
#include "storage/tx.h"

static char fix_dir[64];
static char fix_db[96];
static char fix_wal[96];

static inline void fix_setup(void)
{
    snprintf(fix_dir, sizeof fix_dir, "/tmp/sb-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fix_dir));
    snprintf(fix_db, sizeof fix_db, "%s/t.db", fix_dir);
    snprintf(fix_wal, sizeof fix_wal, "%s/t.db-wal", fix_dir);
}

static inline void fix_teardown(void)
{
    unlink(fix_db);
    unlink(fix_wal);
    rmdir(fix_dir);
}

static inline struct store *fix_open(const char *path, enum store_kind kind)
{
    struct store *s = NULL;
    struct sb_error err = {0};
    enum sb_err rc = store_open(path, kind, &s, &err);
    ck_assert_msg(rc == SB_OK, "%s", err.detail);
    return s;
}

static inline void fix_start(struct store *s, const struct store_hooks *hooks)
{
    ck_assert_int_eq(store_start(s, hooks, NULL), SB_OK);
}

static inline enum sb_err fix_sql(struct tx *tx, const char *sql, struct sb_error *err)
{
    enum sb_err rc = tx_will_write(tx, err);
    if (rc != SB_OK)
        return rc;
    int got = sqlite3_exec(tx->db, sql, NULL, NULL, NULL);
    return got == SQLITE_OK ? SB_OK : tx_fail(tx->db, got, err);
}

struct fix_query {
    const char *sql;
    int64_t value;
};

static inline enum sb_err fix_exec_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct fix_query *f = arg;
    return fix_sql(tx, f->sql, err);
}

static inline void fix_exec(struct store *s, const char *sql)
{
    struct sb_error err = {0};
    struct fix_query f = {.sql = sql};
    enum sb_err rc = store_call(s, fix_exec_run, &f, &err);
    ck_assert_msg(rc == SB_OK, "%s: %s", sql, err.detail);
}

static inline void fix_table(struct store *s)
{
    fix_exec(
        s,
        "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL UNIQUE, body BLOB) STRICT");
}

static inline int64_t fix_value(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t v = -1;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    if (sqlite3_step(q) == SQLITE_ROW)
        v = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return v;
}

static inline enum sb_err fix_query_run(struct tx *tx, void *arg, struct sb_error *err)
{
    struct fix_query *f = arg;
    SB_UNUSED(err);
    f->value = fix_value(tx->db, f->sql);
    return SB_OK;
}

static inline int64_t fix_get(struct store *s, const char *sql)
{
    struct fix_query f = {.sql = sql};
    ck_assert_int_eq(store_read(s, fix_query_run, &f, NULL), SB_OK);
    return f.value;
}

/* How often the text stands in the file; -1 when there is no such file. */
static inline int fix_grep(const char *path, const char *text)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return -1;
    int hits = 0;
    size_t n = strlen(text), at = 0;
    for (int c; (c = fgetc(f)) != EOF;) {
        /* Enough for markers whose first character stands nowhere else in them. */
        at = c == text[at] ? at + 1 : (c == text[0] ? 1 : 0);
        if (at == n) {
            hits++;
            at = 0;
        }
    }
    fclose(f);
    return hits;
}

static inline long fix_size(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return -1;
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    fclose(f);
    return n;
}

#endif
