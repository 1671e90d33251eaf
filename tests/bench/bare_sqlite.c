/*
 * bare_sqlite.c: how fast SQLite alone makes 1 KiB rows durable on this disk: the yardstick for the store.
 *
 *     bare_sqlite DIR [ROWS [PAGE_SIZE [CHECKPOINT_PAGES [SAVEPOINTS]]]]
 *
 * Writes ROWS rows in transactions of 32 and a tenth as many singly, synchronous=FULL, and prints one JSON
 * line. SAVEPOINTS 1 puts each row into a savepoint, as the store does. DIR must exist; its bare.db is
 * replaced.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROW_BYTES 1024
#define BATCH     32

struct bench {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *save, *release, *insert;
    int savepoints;
    uint64_t seed;
};

static void check(struct bench *b, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
        return;
    fprintf(stderr, "bare_sqlite: %s\n", b->db ? sqlite3_errmsg(b->db) : sqlite3_errstr(rc));
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct bench *b, sqlite3_stmt *q)
{
    check(b, sqlite3_step(q));
    check(b, sqlite3_reset(q));
}

static void open_db(struct bench *b, const char *dir, long page, long checkpoint)
{
    char path[4096], wal[4096 + 8], sql[512];
    snprintf(path, sizeof path, "%s/bare.db", dir);
    snprintf(wal, sizeof wal, "%s-wal", path);
    unlink(path);
    unlink(wal);
    check(b, sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
    check(b, sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                             NULL));
    snprintf(
        sql, sizeof sql,
        "PRAGMA page_size=%ld; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA "
        "synchronous=FULL;"
        "PRAGMA secure_delete=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;"
        "PRAGMA wal_autocheckpoint=%ld; CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT",
        page, checkpoint);
    check(b, sqlite3_exec(b->db, sql, NULL, NULL, NULL));
    check(b, sqlite3_prepare_v2(b->db, "BEGIN IMMEDIATE", -1, &b->begin, NULL));
    check(b, sqlite3_prepare_v2(b->db, "COMMIT", -1, &b->commit, NULL));
    check(b, sqlite3_prepare_v2(b->db, "SAVEPOINT op", -1, &b->save, NULL));
    check(b, sqlite3_prepare_v2(b->db, "RELEASE op", -1, &b->release, NULL));
    check(b, sqlite3_prepare_v2(b->db, "INSERT INTO t(body) VALUES(?1)", -1, &b->insert, NULL));
}

static void insert(struct bench *b)
{
    uint64_t body[ROW_BYTES / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof body / sizeof body[0]; i++) {
        b->seed = b->seed * UINT64_C(6364136223846793005) + 1;
        body[i] = b->seed;
    }
    if (b->savepoints)
        run(b, b->save);
    check(b, sqlite3_bind_blob(b->insert, 1, body, (int)sizeof body, SQLITE_STATIC));
    run(b, b->insert);
    if (b->savepoints)
        run(b, b->release);
}

static double rate(struct bench *b, long rows, long batch)
{
    double start = now();
    long transactions = rows / batch;
    for (long i = 0; i < transactions; i++) {
        run(b, b->begin);
        for (long j = 0; j < batch; j++)
            insert(b);
        run(b, b->commit);
    }
    return (double)(transactions * batch) / (now() - start);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bare_sqlite DIR [ROWS [PAGE_SIZE [CHECKPOINT_PAGES [SAVEPOINTS]]]]\n");
        return 2;
    }
    long rows = argc > 2 ? strtol(argv[2], NULL, 10) : 200000;
    long page = argc > 3 ? strtol(argv[3], NULL, 10) : 4096;
    long checkpoint = argc > 4 ? strtol(argv[4], NULL, 10) : 4000;
    struct bench b = {.savepoints = argc > 5 && strcmp(argv[5], "1") == 0, .seed = 1};
    open_db(&b, argv[1], page, checkpoint);
    double batched = rate(&b, rows, BATCH);
    double single = rate(&b, rows / 10, 1);
    printf(
        "{\"bench\":\"bare_sqlite\",\"rows\":%ld,\"row_bytes\":%d,\"page_size\":%ld,\"checkpoint_pages\":%ld,"
        "\"savepoints\":%s,\"batch\":%d,\"rows_per_s\":%.0f,\"single_rows_per_s\":%.0f}\n",
        rows, ROW_BYTES, page, checkpoint, b.savepoints ? "true" : "false", BATCH, batched, single);
    sqlite3_stmt *all[] = {b.begin, b.commit, b.save, b.release, b.insert};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    return sqlite3_close(b.db) == SQLITE_OK ? 0 : 1;
}
