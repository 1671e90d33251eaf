/*
 * store.c: opening a database (settings, damage, migrations, statements) and closing it.
 *
 * The file is locked for this process alone (locking_mode=EXCLUSIVE): a second emulator on the same folder is
 * told so, and the write-ahead log's index lives in memory instead of a third file.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "storage/schema.h"
#include "storage/stmt.h"
#include "storage/store_private.h"
#include "storage/wal.h"

#define QUICK_CHECK_MAX (INT64_C(8) << 20) /* bytes */

#define TEXT(n)  #n
#define VALUE(n) TEXT(n)

static const char schema_meta_v1[] = "CREATE TABLE meta("
                                     " name TEXT NOT NULL PRIMARY KEY,"
                                     " value BLOB NOT NULL"
                                     ") STRICT, WITHOUT ROWID;";

/* Scripts by version, from 1. */
static const char *const kv_migrations[SCHEMA_KV_VERSION][10] = {
    {schema_meta_v1, schema_kv_directory_v1, schema_kv_role_v1, schema_kv_vault_v1, schema_kv_object_v1,
     schema_kv_event_v1, schema_kv_graph_v1, schema_kv_activity_v1},
};
static const char *const sb_migrations[SCHEMA_SB_VERSION][10] = {
    {schema_meta_v1, schema_sb_namespace_v1, schema_sb_entity_v1, schema_sb_event_v1},
};

static const char *const kv_sql[] = {
#define X(name, sql) sql,
    KV_STMTS(X)
#undef X
};
static const char *const sb_sql[] = {
#define X(name, sql) sql,
    SB_STMTS(X)
#undef X
};

static const struct kind {
    int64_t application_id; /* tells our files from others, and one database from the other */
    int version;
    const char *const (*migrations)[10];
    const char *const *sql;
    int nsql;
} kinds[] = {
    [STORE_SB] = {0x53426573, SCHEMA_SB_VERSION, sb_migrations, sb_sql, SB_STMT_MAX},
    [STORE_KV] = {0x53426b76, SCHEMA_KV_VERSION, kv_migrations, kv_sql, KV_STMT_MAX},
};

/* page_size counts for a new file only, and cannot be read back from an old one as asked. */
static const struct setting {
    const char *name, *value, *expect;
    bool on_disk_only;
} settings[] = {
    {"journal_mode", "WAL", "wal", true},      {"synchronous", "FULL", "2", false},
    {"foreign_keys", "ON", "1", false},        {"secure_delete", "ON", "1", false},
    {"temp_store", "MEMORY", "2", false},      {"trusted_schema", "OFF", "0", false},
    {"cell_size_check", "ON", "1", false},     {"mmap_size", "0", "0", true},
    {"cache_size", "-65536", "-65536", false},
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_setup(void)
{
    /* A connection belongs to one thread, so it needs no mutex; memory statistics would be one for all of
     * them. A failure means that the library was set up before: slower, not wrong. */
    (void)sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    (void)sqlite3_config(SQLITE_CONFIG_URI, 0);
}

/* What went wrong while opening, in words that say what to do. */
static enum sb_err unusable(struct store *s, int rc, const char *doing, struct sb_error *err)
{
    const char *name = s->path ? s->path : "the database in memory";
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return sb_fail(err, SB_ENOMEM, "out of memory opening %s", name);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return sb_fail(err, SB_EDATADIR,
                       "%s is in use by another process: stop that one, or choose another data directory",
                       name);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return sb_fail(
            err, SB_EDATADIR,
            "%s is damaged (%s): restore the whole data directory from a copy, or choose an empty one", name,
            sqlite3_errstr(rc));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return sb_fail(
            err, SB_EDATADIR,
            "%s cannot be opened for writing (%s): check owner and permissions of the data directory", name,
            sqlite3_errstr(rc));
    case SQLITE_FULL: return sb_fail(err, SB_EDATADIR, "%s: no space left on the device: make room", name);
    default:
        return sb_fail(err, SB_EDATADIR, "%s: %s failed: %s", name, doing,
                       s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc));
    }
}

/* First column of the first row as text, "" when there is none. */
static enum sb_err query_text(struct store *s, const char *sql, char *ret, size_t cap, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    sqlite3_stmt *q = NULL;
    int got = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (got == SQLITE_OK)
        got = sqlite3_step(q);
    if (got == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(q, 0);
        snprintf(ret, cap, "%s", text ? (const char *)text : "");
    } else if (got == SQLITE_DONE) {
        ret[0] = '\0';
    } else {
        rc = unusable(s, got, sql, err);
    }
    sqlite3_finalize(q);
    return rc;
}

static enum sb_err query_i64(struct store *s, const char *sql, int64_t *ret, struct sb_error *err)
{
    char text[32];
    enum sb_err rc;
    SB_TRY(query_text(s, sql, text, sizeof text, err));
    *ret = strtoll(text, NULL, 10); /* lint: ok, a number of SQLite's */
out:
    return rc;
}

static enum sb_err set(struct store *s, const char *name, const char *value, const char *expect,
                       struct sb_error *err)
{
    enum sb_err rc;
    char sql[96], got[64];
    snprintf(sql, sizeof sql, "PRAGMA %s=%s", name, value);
    SB_TRY(query_text(s, sql, got, sizeof got, err));
    snprintf(sql, sizeof sql, "PRAGMA %s", name);
    SB_TRY(query_text(s, sql, got, sizeof got, err));
    if (strcmp(got, expect) != 0)
        rc = sb_fail(err, SB_EDATADIR,
                     "%s: %s is \"%s\" where \"%s\" was asked for: the file system lacks what SQLite needs",
                     s->path ? s->path : "the database in memory", name, got, expect);
out:
    return rc;
}

/* The length of a database that was closed in order, -1 when it has a log (a crash may have cut its last
 * page, which the log then holds). */
static int64_t closed_length(const struct store *s)
{
    struct stat st;
    char log[4096];
    int n = snprintf(log, sizeof log, "%s-wal", s->path);
    bool logged = n < 0 || (size_t)n >= sizeof log || (stat(log, &st) == 0 && st.st_size > 0);
    return !logged && stat(s->path, &st) == 0 ? (int64_t)st.st_size : -1;
}

/* A new file is made here, as SQLite would make it readable to all. Only a new one is opened: closing a
 * descriptor would drop the locks that this process holds on the file. */
static enum sb_err create_file(struct store *s, struct sb_error *err)
{
    if (s->path == NULL)
        return SB_OK;
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        close(fd);
        return SB_OK;
    }
    if (errno == EEXIST) {
        s->length = closed_length(s);
        return wal_check(s->path, &s->left_over, err);
    }
    return sb_fail(err, SB_EDATADIR,
                   "%s cannot be created (%s): check owner, permissions and space of the data directory",
                   s->path, strerror(errno));
}

static enum sb_err connect_file(struct store *s, struct sb_error *err)
{
    enum sb_err rc;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    SB_TRY(create_file(s, err));
    int got = sqlite3_open_v2(s->path ? s->path : ":memory:", &s->db, flags, NULL);
    if (got != SQLITE_OK) {
        rc = unusable(s, got, "open", err);
        goto out;
    }
    if (sqlite3_db_readonly(s->db, "main") == 1) {
        rc = unusable(s, SQLITE_READONLY, "open", err);
        goto out;
    }
    /* No statement comes from outside, so these catch mistakes of our own. */
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 512 * 1024 * 1024);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    /* Both before the first access to the file. */
    if (s->path != NULL)
        SB_TRY(set(s, "locking_mode", "EXCLUSIVE", "exclusive", err));
    char ignored[32];
    SB_TRY(query_text(s, "PRAGMA page_size=" VALUE(STORE_PAGE_SIZE), ignored, sizeof ignored, err));
out:
    return rc;
}

/* Ours, of this kind, and not newer than this build? Nothing has been written so far. */
static enum sb_err check_origin(struct store *s, int64_t *ret_version, struct sb_error *err)
{
    enum sb_err rc;
    const struct kind *k = &kinds[s->tx.kind];
    int64_t tables, id, version;
    SB_TRY(query_i64(s, "SELECT count(*) FROM sqlite_schema", &tables, err));
    SB_TRY(query_i64(s, "PRAGMA application_id", &id, err));
    SB_TRY(query_i64(s, "PRAGMA user_version", &version, err));
    s->fresh = tables == 0 && version == 0;
    if (!s->fresh && id != k->application_id)
        rc = sb_fail(err, SB_EDATADIR,
                     "%s is not the database expected here: restore it, or choose another data directory",
                     s->path);
    else if (version > k->version)
        rc = sb_fail(
            err, SB_EDATADIR,
            "%s was made by a newer version (its schema is %lld, this version knows %d): run that version, "
            "or choose another data directory",
            s->path, (long long)version, k->version);
    else
        *ret_version = version;
out:
    return rc;
}

static enum sb_err quick_check(struct store *s, const char *argument, struct sb_error *err)
{
    enum sb_err rc;
    char sql[128], found[256];
    snprintf(sql, sizeof sql, "PRAGMA quick_check(%s)", argument);
    SB_TRY(query_text(s, sql, found, sizeof found, err));
    if (strcmp(found, "ok") != 0)
        rc = unusable(s, SQLITE_CORRUPT, "quick_check", err);
out:
    return rc;
}

/* Every table but those that grow with the traffic. */
static enum sb_err check_tables(struct store *s, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    sqlite3_stmt *q = NULL;
    int got = sqlite3_prepare_v2(s->db,
                                 "SELECT name FROM sqlite_schema WHERE type='table'"
                                 " AND name NOT IN ('message', 'seen', 'event')",
                                 -1, &q, NULL);
    if (got == SQLITE_OK)
        got = sqlite3_step(q);
    for (; got == SQLITE_ROW; got = sqlite3_step(q)) {
        char table[64];
        snprintf(table, sizeof table, "%s", (const char *)sqlite3_column_text(q, 0));
        SB_TRY(quick_check(s, table, err));
    }
    if (got != SQLITE_DONE)
        rc = unusable(s, got, "quick_check", err);
out:
    sqlite3_finalize(q);
    return rc;
}

/* Looks at every page of a small file. In a large one the tables that grow with the backlog are left out, as
 * the start would wait for them: there, damage is met when its page is read (DESIGN.md). SQLite itself reads
 * a cut last page as if zeros followed. */
static enum sb_err check_damage(struct store *s, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int64_t pages, page;
    if (s->path == NULL || s->fresh)
        return SB_OK;
    SB_TRY(query_i64(s, "PRAGMA page_count", &pages, err));
    SB_TRY(query_i64(s, "PRAGMA page_size", &page, err));
    if (s->length > 0 && s->length % page != 0) {
        rc = unusable(s, SQLITE_CORRUPT, "open", err);
        goto out;
    }
    rc = pages * page > QUICK_CHECK_MAX ? check_tables(s, err) : quick_check(s, "1", err);
out:
    return rc;
}

/* Behind the end of the log: it starts anew. */
static enum sb_err drop_left_over(struct store *s, struct sb_error *err)
{
    if (!s->left_over)
        return SB_OK;
    int got = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return got == SQLITE_OK ? SB_OK : unusable(s, got, "checkpoint", err);
}

static enum sb_err apply_settings(struct store *s, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    int64_t page;
    for (size_t i = 0; i < SB_ARRAY_LEN(settings); i++)
        if (s->path != NULL || !settings[i].on_disk_only)
            SB_TRY(set(s, settings[i].name, settings[i].value, settings[i].expect, err));
    SB_TRY(query_i64(s, "PRAGMA page_size", &page, err));
    s->page_size = (int)page;
out:
    return rc;
}

static enum sb_err script(struct store *s, const char *sql, struct sb_error *err)
{
    int got = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return got == SQLITE_OK ? SB_OK : unusable(s, got, "migration", err);
}

/* One version in one transaction; user_version is rolled back with it. */
static enum sb_err migrate_step(struct store *s, int version, struct sb_error *err)
{
    enum sb_err rc;
    const struct kind *k = &kinds[s->tx.kind];
    char sql[128];
    SB_TRY(script(s, "BEGIN IMMEDIATE", err));
    const char *const *scripts = k->migrations[version - 1];
    for (size_t i = 0; i < SB_ARRAY_LEN(k->migrations[0]) && scripts[i] != NULL; i++)
        SB_TRY(script(s, scripts[i], err));
    snprintf(sql, sizeof sql, "PRAGMA application_id=%lld; PRAGMA user_version=%d; COMMIT",
             (long long)k->application_id, version);
    SB_TRY(script(s, sql, err));
out:
    if (rc != SB_OK && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static enum sb_err migrate(struct store *s, int64_t from, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    for (int64_t v = from + 1; v <= kinds[s->tx.kind].version; v++)
        SB_TRY(migrate_step(s, (int)v, err));
out:
    return rc;
}

static enum sb_err prepare(struct store *s, struct sb_error *err)
{
    const struct kind *k = &kinds[s->tx.kind];
    s->tx.stmts = calloc((size_t)k->nsql, sizeof(struct sqlite3_stmt *));
    if (s->tx.stmts == NULL)
        return unusable(s, SQLITE_NOMEM, "prepare", err);
    s->tx.nstmts = k->nsql;
    for (int i = 0; i < k->nsql; i++) {
        int got = sqlite3_prepare_v3(s->db, k->sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->tx.stmts[i], NULL);
        if (got == SQLITE_OK)
            continue;
        if ((got & 0xff) != SQLITE_ERROR)
            return unusable(s, got, "prepare", err);
        return sb_fail(err, s->fresh ? SB_EINTERNAL : SB_EDATADIR,
                       "%s does not have the schema of this version (%s): choose another data directory",
                       s->path ? s->path : "the database in memory", sqlite3_errmsg(s->db));
    }
    return SB_OK;
}

static void release(struct store *s)
{
    for (int i = 0; i < s->tx.nstmts; i++)
        sqlite3_finalize(s->tx.stmts[i]);
    for (int i = 0; i < CTL_MAX; i++)
        sqlite3_finalize(s->control[i]);
    /* With outcome unknown, the log is left for the next start to read. */
    if (s->db != NULL && atomic_load(&s->broken))
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    int got = sqlite3_close(s->db);
    assert(got == SQLITE_OK && "a statement was not finalized");
    SB_UNUSED(got);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->sync_wake);
    pthread_mutex_destroy(&s->lock);
    free(s->tx.stmts);
    free(s->path);
    free(s);
}

/* Its waits have ends by the monotonic clock. */
static bool init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attr;
    bool ok = pthread_condattr_init(&attr) == 0;
    if (!ok)
        return false;
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 && pthread_cond_init(wake, &attr) == 0;
    pthread_condattr_destroy(&attr);
    return ok;
}

static struct store *store_alloc(const char *path, enum store_kind kind)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->tx.kind = kind;
    s->length = -1;
    s->log_fd = -1;
    s->sync_log = fdatasync;
    s->tail = &s->head;
    s->lazy_tail = &s->lazy;
    s->lazy_ns = STORE_LAZY_NS;
    atomic_init(&s->broken, false);
    if (path != NULL && (s->path = strdup(path)) == NULL)
        goto fail;
    if (pthread_mutex_init(&s->lock, NULL) != 0)
        goto fail;
    if (!init_wake(&s->wake))
        goto no_wake;
    if (pthread_cond_init(&s->sync_wake, NULL) == 0)
        return s;
    pthread_cond_destroy(&s->wake);
no_wake:
    pthread_mutex_destroy(&s->lock);
fail:
    free(s->path);
    free(s);
    return NULL;
}

enum sb_err store_open(const char *path, enum store_kind kind, struct store **ret, struct sb_error *err)
{
    enum sb_err rc;
    int64_t version = 0;
    pthread_once(&library_once, library_setup);
    struct store *s = store_alloc(path, kind);
    if (s == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory opening a database");
    SB_TRY(connect_file(s, err));
    SB_TRY(check_origin(s, &version, err));
    SB_TRY(apply_settings(s, err));
    SB_TRY(check_damage(s, err));
    SB_TRY(drop_left_over(s, err));
    SB_TRY(migrate(s, version, err));
    SB_TRY(prepare(s, err));
    s->tx.db = s->db;
    SB_TRY(writer_open(s, err));
    *ret = s;
    s = NULL;
out:
    if (s != NULL)
        release(s);
    return rc;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    writer_close(s);
    release(s);
}
