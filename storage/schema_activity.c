/* schema_activity.c: what ARM itself remembers: the activity log (st_activity.c), unregistered resource
 * providers (st_provider.c). */
#include "storage/schema.h"

/* AUTOINCREMENT: an id that a client has seen in a link is never another event's. */
const char schema_kv_activity_v1[] =
    "CREATE TABLE activity("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " time_ms INTEGER NOT NULL,"
    " sub TEXT NOT NULL COLLATE NOCASE,"
    " grp TEXT COLLATE NOCASE,"
    " resource TEXT NOT NULL COLLATE NOCASE,"
    " action TEXT NOT NULL COLLATE NOCASE,"
    " method TEXT NOT NULL,"
    " http_status INTEGER NOT NULL,"
    " code TEXT, message TEXT,"
    " caller TEXT NOT NULL, oid TEXT NOT NULL, appid TEXT NOT NULL,"
    " event_id TEXT NOT NULL, correlation_id TEXT NOT NULL COLLATE NOCASE, request_id TEXT NOT NULL,"
    " client_request_id TEXT, client_ip TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX activity_by_sub ON activity(sub,id);"
    "CREATE TABLE unregistered_provider("
    " sub TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " PRIMARY KEY(sub,name)"
    ") STRICT, WITHOUT ROWID;";
