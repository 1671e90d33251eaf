/* schema_object.c: tables of the vaults' keys and secrets with all versions, and of the rotation policies of
 * keys (keyvault.db, version 1). */
#include "storage/schema.h"

/*
 * Ids are never reused (AUTOINCREMENT), so a purged key of the same name shares nothing with its successor. A
 * row of vault_version holds what is public in the clear and the private key or the secret's value sealed;
 * the newest version is the one with the highest id. A version's name is unique within its object alone: a
 * backup may be restored into another vault. key_policy's rotate_s and notify_s are when its actions fall due
 * (0: never), notified_id the version whose coming end was told.
 */
const char schema_kv_object_v1[] =
    "CREATE TABLE vault_object(\n"
    "    id        INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    vault_id  INTEGER NOT NULL REFERENCES vault(id) ON DELETE CASCADE,\n"
    "    kind      TEXT NOT NULL CHECK(kind IN ('key','secret')),\n"
    "    name      TEXT NOT NULL COLLATE NOCASE CHECK(length(name) BETWEEN 1 AND 127),\n"
    "    deleted_s INTEGER NOT NULL,\n"
    "    purge_s   INTEGER NOT NULL CHECK((deleted_s = 0) = (purge_s = 0)),\n"
    "    UNIQUE(vault_id, kind, name)\n"
    ") STRICT;\n"
    "CREATE INDEX vault_object_by_purge ON vault_object(purge_s) WHERE purge_s > 0;\n"
    "CREATE TABLE vault_version(\n"
    "    id           INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    object_id    INTEGER NOT NULL REFERENCES vault_object(id) ON DELETE CASCADE,\n"
    "    version      TEXT NOT NULL CHECK(length(version) = 32),\n"
    "    kty          TEXT NOT NULL CHECK(kty IN ('RSA','RSA-HSM','EC','EC-HSM','')),\n"
    "    curve        TEXT NOT NULL,\n"
    "    n            BLOB,\n"
    "    e            BLOB,\n"
    "    x            BLOB,\n"
    "    y            BLOB,\n"
    "    key_ops      TEXT NOT NULL,\n"
    "    content_type TEXT,\n"
    "    enabled      INTEGER NOT NULL CHECK(enabled IN (0,1)),\n"
    "    nbf_s        INTEGER NOT NULL,\n"
    "    exp_s        INTEGER NOT NULL,\n"
    "    created_s    INTEGER NOT NULL,\n"
    "    updated_s    INTEGER NOT NULL,\n"
    "    tags         TEXT,\n"
    "    sealed       BLOB NOT NULL CHECK(length(sealed) >= 40),\n"
    "    UNIQUE(object_id, version),\n"
    "    CHECK((n IS NULL) = (e IS NULL) AND (x IS NULL) = (y IS NULL)),\n"
    "    CHECK(CASE kty WHEN '' THEN n IS NULL AND x IS NULL ELSE (n IS NULL) = (x IS NOT NULL) END)\n"
    ") STRICT;\n"
    "CREATE INDEX vault_version_by_object ON vault_version(object_id, id);\n"
    "CREATE TABLE key_policy(\n"
    "    object_id     INTEGER PRIMARY KEY REFERENCES vault_object(id) ON DELETE CASCADE,\n"
    "    rotate_after  TEXT,\n"
    "    rotate_before TEXT,\n"
    "    notify_before TEXT,\n"
    "    expiry        TEXT,\n"
    "    created_s     INTEGER NOT NULL,\n"
    "    updated_s     INTEGER NOT NULL,\n"
    "    rotate_s      INTEGER NOT NULL,\n"
    "    notify_s      INTEGER NOT NULL,\n"
    "    notified_id   INTEGER NOT NULL,\n"
    "    CHECK(rotate_after IS NULL OR rotate_before IS NULL)\n"
    ") STRICT;\n"
    "CREATE INDEX key_policy_by_rotate ON key_policy(rotate_s) WHERE rotate_s > 0;\n"
    "CREATE INDEX key_policy_by_notify ON key_policy(notify_s) WHERE notify_s > 0;\n";
