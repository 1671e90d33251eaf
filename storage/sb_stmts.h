/* sb_stmts.h: every statement of servicebus.db: X(enum name, SQL). One block per table family. */
#ifndef SB_SB_STMTS_H
#define SB_SB_STMTS_H

#define SB_STMTS(X)                                                                                          \
    X(SB_META_GET, "SELECT value FROM meta WHERE name=?1")                                                   \
    X(SB_META_PUT, "INSERT INTO meta(name,value) VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET value=?2")    \
    SB_STMTS_NAMESPACE(X)                                                                                    \
    SB_STMTS_ENTITY(X)                                                                                       \
    SB_STMTS_EVENT(X)

/* namespaces, their customer keys, authorization rules (st_namespace.c) */
#define SB_STMTS_NAMESPACE(X)

/* entities and messages (st_entity.c, st_message.c) */
#define SB_STMTS_ENTITY(X)

/* service-side key log (st_event.c) */
#define SB_STMTS_EVENT(X)

#endif
