/*
 * tx.h: the open transaction as storage/ itself sees it: store.c, writer.c, stmt.c, meta.c and tests.
 */
#ifndef SB_TX_H
#define SB_TX_H

#include "server/base/err.h"
#include "storage/store.h"

struct sqlite3;
struct sqlite3_stmt;

enum tx_state {
    TX_READING, /* must not write */
    TX_CLEAN,   /* may write, has not yet */
    TX_WROTE    /* has written: should it fail, the transaction has to be rolled back */
};

struct tx {
    struct sqlite3 *db;
    enum store_kind kind; /* tells which list of statements `stmts` holds */
    enum tx_state state;
    bool damaged; /* a statement met a page that cannot be right */
    struct sqlite3_stmt **stmts;
    int nstmts;
};

/* To be called before a write that does not go through stmt_exec or stmt_row. */
SB_MUST enum sb_err tx_will_write(struct tx *tx, struct sb_error *err);
/* SQLite's result as an error of ours, with SQLite's words (which hold names of columns, never values). */
enum sb_err tx_fail(struct sqlite3 *db, int sqlite_rc, struct sb_error *err);

#endif
