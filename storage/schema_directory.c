/* schema_directory.c: tables of the tenant and of the general ARM resources (st_directory.c). */
#include "storage/schema.h"

/* Names compare whatever their case, as ARM does; principals of configured applications are not stored: they
 * come from the configuration at each start. An assignment may name a principal that is none (any more), as
 * in the service. */
const char schema_kv_directory_v1[] =
    "CREATE TABLE principal("
    " oid TEXT NOT NULL PRIMARY KEY COLLATE NOCASE CHECK(length(oid)=36),"
    " appid TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK(length(appid)=36),"
    " kind INTEGER NOT NULL CHECK(kind BETWEEN 0 AND 3),"
    " resource_id TEXT NOT NULL COLLATE NOCASE CHECK(length(resource_id)<400)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX principal_by_resource ON principal(resource_id);"

    "CREATE TABLE resource_group("
    " sub TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE CHECK(length(name) BETWEEN 1 AND 90),"
    " location TEXT NOT NULL,"
    " tags TEXT NOT NULL,"
    " managed_by TEXT,"
    " PRIMARY KEY(sub,name)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE user_identity("
    " sub TEXT NOT NULL COLLATE NOCASE,"
    " grp TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE CHECK(length(name) BETWEEN 3 AND 128),"
    " location TEXT NOT NULL,"
    " tags TEXT NOT NULL,"
    " oid TEXT NOT NULL UNIQUE COLLATE NOCASE REFERENCES principal(oid),"
    " PRIMARY KEY(sub,grp,name),"
    " FOREIGN KEY(sub,grp) REFERENCES resource_group(sub,name)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE role_assignment("
    " name TEXT NOT NULL PRIMARY KEY COLLATE NOCASE CHECK(length(name)=36),"
    " scope TEXT NOT NULL COLLATE NOCASE CHECK(scope LIKE '/%'),"
    " role_id TEXT NOT NULL COLLATE NOCASE,"
    " principal_id TEXT NOT NULL COLLATE NOCASE,"
    " principal_type TEXT NOT NULL,"
    " description TEXT,"
    " created_by TEXT NOT NULL,"
    " updated_by TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " counts_ms INTEGER NOT NULL,"
    " UNIQUE(scope,role_id,principal_id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE diagnostic_setting("
    " scope TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " body TEXT NOT NULL,"
    " PRIMARY KEY(scope,name)"
    ") STRICT, WITHOUT ROWID;";
