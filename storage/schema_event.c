/*
 * schema_event.c: the event log of both databases, and the vault faults of keyvault.db.
 *
 * AUTOINCREMENT: an id that a client has seen is never given to another event, also after a reset.
 */
#include "storage/schema.h"

#define EVENT_TABLE                                                                                          \
    "CREATE TABLE event("                                                                                    \
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"                                                                 \
    " time_ms INTEGER NOT NULL,"                                                                             \
    " stream TEXT NOT NULL CHECK(stream IN ('key','audit')),"                                                \
    " op TEXT, category TEXT, resource_id TEXT, vault TEXT, key TEXT, version TEXT,"                         \
    " code TEXT, message TEXT,"                                                                              \
    " activity_id TEXT, identity TEXT, result TEXT, http_status INTEGER NOT NULL"                            \
    ") STRICT;"

const char schema_sb_event_v1[] = EVENT_TABLE;

/* A vault has one fault at a time; remaining NULL: until it is cleared. */
const char schema_kv_event_v1[] = EVENT_TABLE "CREATE TABLE fault("
                                              " target TEXT NOT NULL PRIMARY KEY COLLATE NOCASE,"
                                              " kind TEXT NOT NULL,"
                                              " remaining INTEGER CHECK(remaining > 0),"
                                              " status INTEGER NOT NULL,"
                                              " scope TEXT"
                                              ") STRICT, WITHOUT ROWID;";
