/*
 * schema_entity.c: tables of queues, topics and subscriptions, of rules and of messages.
 *
 * A message's row key is `id = entity << 40 | sequence number`, so that the messages of a queue lie side by
 * side in the order of their sequence numbers, and a queue's first message is found by a range of the key
 * whatever lies in other queues: no cost grows with a backlog. Entity ids stay below 2^22, sequence numbers
 * below 2^40.
 *
 * The partial indexes hold only what is looked for: ready messages, and messages with a due time. A locked
 * message is found by its key, which its lock token holds (broker_ops.c). What a queue counts (active,
 * dead-lettered, scheduled, bytes, next sequence number) is kept in its own row, written once per commit, in
 * the transaction of what it counts: nothing is ever counted by a query.
 *
 * Texts of users are not here: `blob` and `dl_blob` are sealed, `metadata` and what a rule says too, and what
 * must be found by its value (message id, session id) is there as an HMAC (semantics 20).
 */
#include "storage/schema.h"

const char schema_sb_entity_v1[] =
    /* AUTOINCREMENT: an id is part of every seal's authenticated data, so it is never used again (semantics
       19). */
    "CREATE TABLE entity("
    " id INTEGER PRIMARY KEY AUTOINCREMENT CHECK(id < 4194304),"
    " ns INTEGER NOT NULL REFERENCES namespace(id),"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " status INTEGER NOT NULL CHECK(status BETWEEN 0 AND 3),"
    " forward_to TEXT,"
    " forward_dlq TEXT,"
    " metadata BLOB CHECK(length(metadata)>40),"
    " lock_ms INTEGER NOT NULL,"
    " ttl_ms INTEGER NOT NULL,"
    " dup_window_ms INTEGER NOT NULL,"
    " idle_ms INTEGER NOT NULL,"
    " max_mb INTEGER NOT NULL,"
    " max_message_kb INTEGER NOT NULL,"
    " max_delivery INTEGER NOT NULL,"
    /* Bits: ST_ENTITY_DUP and its neighbours in st_entity.h. */
    " flags INTEGER NOT NULL CHECK(flags BETWEEN 0 AND 2047),"
    " kind INTEGER NOT NULL DEFAULT 0 CHECK(kind BETWEEN 0 AND 2)," /* queue, topic, subscription */
    " client_id TEXT,"
    " created_ms INTEGER NOT NULL,"
    " updated_ms INTEGER NOT NULL,"
    " accessed_ms INTEGER NOT NULL DEFAULT 0,"
    " next_seq INTEGER NOT NULL DEFAULT 1 CHECK(next_seq BETWEEN 1 AND 1099511627775),"
    " active INTEGER NOT NULL DEFAULT 0 CHECK(active>=0),"
    " dead_letter INTEGER NOT NULL DEFAULT 0 CHECK(dead_letter>=0),"
    " scheduled INTEGER NOT NULL DEFAULT 0 CHECK(scheduled>=0),"
    " bytes INTEGER NOT NULL DEFAULT 0 CHECK(bytes>=0),"
    " UNIQUE(ns, name)"
    ") STRICT;"

    /* sub: 0 the queue, 1 its dead-letter queue. state: 0 ready, 1 locked, 2 scheduled, 3 deferred
     * (reserved), 4 damaged: failed authentication, kept but not delivered. due_ms: what comes next of end of
     * lock, activation and expiry; NULL when nothing does. No foreign key: it would cost a look-up per
     * message. */
    "CREATE TABLE message("
    " id INTEGER PRIMARY KEY,"
    " ns INTEGER NOT NULL,"
    " sub INTEGER NOT NULL CHECK(sub IN (0,1)),"
    " state INTEGER NOT NULL CHECK(state BETWEEN 0 AND 4),"
    " enqueued_ms INTEGER NOT NULL,"
    " expires_ms INTEGER,"
    " due_ms INTEGER,"
    " lock_token BLOB CHECK((lock_token IS NOT NULL)=(state=1) AND length(lock_token)=16),"
    " delivery_count INTEGER NOT NULL,"
    " hops INTEGER NOT NULL,"
    " size INTEGER NOT NULL,"
    " enqueued_seq INTEGER NOT NULL,"
    " session BLOB CHECK(length(session)=32),"
    " blob BLOB NOT NULL CHECK(length(blob)>=40),"
    " dl_blob BLOB CHECK(length(dl_blob)>=40)"
    ") STRICT;"
    "CREATE INDEX message_ready ON message(sub) WHERE state=0;"
    "CREATE INDEX message_due ON message(ns, due_ms) WHERE due_ms IS NOT NULL;"

    /* Rules of subscriptions, sealed under the platform key: they can be read while the namespace is Revoked.
     */
    "CREATE TABLE rule("
    " entity INTEGER NOT NULL REFERENCES entity(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL COLLATE NOCASE,"
    " created_ms INTEGER NOT NULL,"
    " sealed BLOB NOT NULL CHECK(length(sealed)>=40),"
    " PRIMARY KEY(entity, name)"
    ") STRICT, WITHOUT ROWID;"

    /* Message ids that a queue with duplicate detection has seen: it outlives the messages. No foreign key:
     * what a deleted queue leaves behind goes in slices (st_sweep.c). */
    "CREATE TABLE seen("
    " entity INTEGER NOT NULL,"
    " hmac BLOB NOT NULL CHECK(length(hmac)=32),"
    " until_ms INTEGER NOT NULL,"
    " PRIMARY KEY(entity, hmac)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX seen_until ON seen(entity, until_ms);";
