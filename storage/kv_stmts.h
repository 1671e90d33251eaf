/* kv_stmts.h: every statement of keyvault.db: X(enum name, SQL). One block per table family. */
#ifndef SB_KV_STMTS_H
#define SB_KV_STMTS_H

#define KV_STMTS(X)                                                                                          \
    X(KV_META_GET, "SELECT value FROM meta WHERE name=?1")                                                   \
    X(KV_META_PUT, "INSERT INTO meta(name,value) VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET value=?2")    \
    KV_STMTS_DIRECTORY(X)                                                                                    \
    KV_STMTS_VAULT(X)                                                                                        \
    KV_STMTS_EVENT(X)

/* groups, principals, identities, role assignments (st_directory.c) */
#define KV_STMTS_DIRECTORY(X)

/* vaults, access policies, keys, key versions (st_vault.c, st_key.c) */
#define KV_STMTS_VAULT(X)

/* audit log, faults (st_event.c) */
#define KV_STMTS_EVENT(X)

#endif
