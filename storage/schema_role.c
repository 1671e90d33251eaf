/* schema_role.c: custom role definitions, and role assignments that were removed but still count (st_role.c).
 */
#include "storage/schema.h"

/* Lists of actions and scopes are lines of text. A name is unique in the tenant, as in the service. */
const char schema_kv_role_v1[] = "CREATE TABLE role_definition("
                                 " id TEXT NOT NULL PRIMARY KEY COLLATE NOCASE CHECK(length(id)=36),"
                                 " name TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK(length(name)>0),"
                                 " description TEXT NOT NULL,"
                                 " actions TEXT NOT NULL,"
                                 " not_actions TEXT NOT NULL,"
                                 " data_actions TEXT NOT NULL,"
                                 " not_data_actions TEXT NOT NULL,"
                                 " scopes TEXT NOT NULL CHECK(length(scopes)>0),"
                                 " created_by TEXT NOT NULL,"
                                 " updated_by TEXT NOT NULL,"
                                 " created_ms INTEGER NOT NULL,"
                                 " updated_ms INTEGER NOT NULL"
                                 ") STRICT, WITHOUT ROWID;"

                                 "CREATE TABLE role_ending("
                                 " id INTEGER PRIMARY KEY,"
                                 " scope TEXT NOT NULL COLLATE NOCASE,"
                                 " role_id TEXT NOT NULL COLLATE NOCASE,"
                                 " principal_id TEXT NOT NULL COLLATE NOCASE,"
                                 " until_ms INTEGER NOT NULL"
                                 ") STRICT;";
