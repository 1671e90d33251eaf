/*
 * schema_namespace.c: tables of namespaces, their identities, their customer keys and their authorization
 * rules.
 *
 * A namespace's root key is here in exactly one of two forms: `root`, sealed under the platform key (no
 * customer keys), or the `wrapped` blobs of its ns_key rows and nothing else (semantics 6).
 */
#include "storage/schema.h"

const char schema_sb_namespace_v1[] =
    /* AUTOINCREMENT: an id is part of every seal's authenticated data, so it is never used again (semantics
       19). */
    "CREATE TABLE namespace("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " name TEXT NOT NULL COLLATE NOCASE UNIQUE,"
    " sub TEXT NOT NULL COLLATE NOCASE,"
    " grp TEXT NOT NULL COLLATE NOCASE,"
    " location TEXT NOT NULL,"
    " tags TEXT NOT NULL,"
    " sku TEXT NOT NULL CHECK(sku IN ('Basic','Standard','Premium')),"
    " capacity INTEGER NOT NULL,"
    " partitions INTEGER NOT NULL,"
    " identity INTEGER NOT NULL CHECK(identity BETWEEN 0 AND 3),"
    " principal TEXT,"
    " encrypted INTEGER NOT NULL CHECK(encrypted IN (0,1)),"
    " infra INTEGER NOT NULL CHECK(infra IN (0,1)),"
    " revoked INTEGER NOT NULL CHECK(revoked IN (0,1)),"
    " root BLOB,"
    " check_value BLOB,"
    " generation INTEGER NOT NULL DEFAULT 1,"
    " reserved INTEGER NOT NULL DEFAULT 0,"
    " local_auth_off INTEGER NOT NULL CHECK(local_auth_off IN (0,1)),"
    " zone_redundant INTEGER NOT NULL CHECK(zone_redundant IN (0,1)),"
    " public_access INTEGER NOT NULL CHECK(public_access IN (0,1)),"
    " tls TEXT NOT NULL,"
    " extra TEXT,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " deleting_ms INTEGER," /* it is being deleted, until then (--provisioning-delay) */
    /* Semantics 6: customer keys and a platform-sealed root exclude each other. */
    " CHECK((encrypted=1 AND root IS NULL AND length(check_value)=32) OR"
    "       (encrypted=0 AND length(root)>40 AND check_value IS NULL AND revoked=0))"
    ") STRICT;"
    "CREATE INDEX namespace_by_sub ON namespace(sub, grp);"

    "CREATE TABLE ns_identity("
    " ns INTEGER NOT NULL REFERENCES namespace(id) ON DELETE CASCADE,"
    " position INTEGER NOT NULL,"
    " id TEXT NOT NULL,"
    " principal TEXT NOT NULL,"
    " client TEXT NOT NULL,"
    " PRIMARY KEY(ns, position)"
    ") STRICT, WITHOUT ROWID;"

    /* state: 0 active, 1 revoked (hidden, its wrap kept: semantics 9), 2 unreachable (still in the record).
     */
    "CREATE TABLE ns_key("
    " ns INTEGER NOT NULL REFERENCES namespace(id) ON DELETE CASCADE,"
    " position INTEGER NOT NULL,"
    " key_name TEXT NOT NULL,"
    " vault_uri TEXT NOT NULL,"
    " vault TEXT NOT NULL,"
    " version TEXT,"
    " identity TEXT,"
    " wrapped_version TEXT NOT NULL,"
    " wrapped BLOB NOT NULL CHECK(length(wrapped)>=128),"
    " state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 2),"
    " code INTEGER NOT NULL,"
    " message TEXT NOT NULL,"
    " since_ms INTEGER NOT NULL,"
    " PRIMARY KEY(ns, position)"
    ") STRICT, WITHOUT ROWID;"

    /* entity '': a rule of the namespace itself. keys: both keys, sealed under the platform key. */
    "CREATE TABLE ns_rule("
    " ns INTEGER NOT NULL REFERENCES namespace(id) ON DELETE CASCADE,"
    " entity TEXT NOT NULL COLLATE NOCASE,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " rights INTEGER NOT NULL CHECK(rights BETWEEN 1 AND 7),"
    " keys BLOB NOT NULL CHECK(length(keys)>40),"
    " PRIMARY KEY(ns, entity, name)"
    ") STRICT, WITHOUT ROWID;"

    /* Small resources below a namespace that only ARM knows: network rules, private endpoint connections and
     * the like. body: JSON, for the ARM layer. */
    "CREATE TABLE ns_child("
    " ns INTEGER NOT NULL REFERENCES namespace(id) ON DELETE CASCADE,"
    " kind TEXT NOT NULL,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " body TEXT NOT NULL,"
    " PRIMARY KEY(ns, kind, name)"
    ") STRICT, WITHOUT ROWID;"

    /* Geo-DR: the alias that a namespace has or shares. role: 1 primary, 2 primary without a partner, 3
     * secondary. */
    "CREATE TABLE alias("
    " ns INTEGER PRIMARY KEY REFERENCES namespace(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " role INTEGER NOT NULL CHECK(role BETWEEN 1 AND 3),"
    " partner INTEGER REFERENCES namespace(id) CHECK((partner IS NULL)=(role=2)),"
    " UNIQUE(name, role)"
    ") STRICT;";
