/* schema_graph.c: what is registered in the tenant through Graph (st_graph.c). */
#include "storage/schema.h"

/* A service principal and a user are principals with more members; they go when their principal goes. `body`
 * holds the members that only Graph looks at, as a JSON object. Credentials are found by the application that
 * signs in, whoever of application and service principal owns them; `secret` is a keyed digest of a password
 * (never the password), or a certificate. */
const char schema_kv_graph_v1[] =
    "CREATE TABLE application("
    " oid TEXT NOT NULL PRIMARY KEY COLLATE NOCASE CHECK(length(oid)=36),"
    " appid TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK(length(appid)=36),"
    " name TEXT NOT NULL,"
    " body TEXT NOT NULL,"
    " public_client INTEGER NOT NULL CHECK(public_client IN (0,1)),"
    " created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE service_principal("
    " oid TEXT NOT NULL PRIMARY KEY COLLATE NOCASE REFERENCES principal(oid) ON DELETE CASCADE,"
    " name TEXT NOT NULL,"
    " body TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE dir_user("
    " oid TEXT NOT NULL PRIMARY KEY COLLATE NOCASE REFERENCES principal(oid) ON DELETE CASCADE,"
    " upn TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " name TEXT NOT NULL,"
    " body TEXT NOT NULL,"
    " enabled INTEGER NOT NULL CHECK(enabled IN (0,1)),"
    " password BLOB NOT NULL CHECK(length(password)=48),"
    " created_ms INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE credential("
    " id TEXT NOT NULL COLLATE NOCASE CHECK(length(id)=36),"
    " owner TEXT NOT NULL COLLATE NOCASE,"
    " appid TEXT NOT NULL COLLATE NOCASE,"
    " certificate INTEGER NOT NULL CHECK(certificate IN (0,1)),"
    " name TEXT,"
    " hint TEXT,"
    " start_ms INTEGER NOT NULL,"
    " end_ms INTEGER NOT NULL,"
    " secret BLOB NOT NULL,"
    " PRIMARY KEY(owner,certificate,id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX credential_by_app ON credential(appid);";
