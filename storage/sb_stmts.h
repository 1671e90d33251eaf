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
/* The columns of a namespace row, in the order that st_namespace.c reads them. */
#define SB_NS_COLUMNS                                                                                        \
    "id,name,sub,grp,location,tags,sku,capacity,partitions,identity,principal,encrypted,infra,revoked,"      \
    "root,check_value,generation,reserved,local_auth_off,zone_redundant,public_access,tls,extra,created_ms," \
    "updated_ms,deleting_ms"
#define SB_STMTS_NAMESPACE(X)                                                                                \
    X(SB_NS_ALL, "SELECT " SB_NS_COLUMNS " FROM namespace ORDER BY id")                                      \
    X(SB_NS_BY_NAME, "SELECT " SB_NS_COLUMNS " FROM namespace WHERE name=?1")                                \
    X(SB_NS_BY_ID, "SELECT " SB_NS_COLUMNS " FROM namespace WHERE id=?1")                                    \
    X(SB_NS_IDS, "SELECT id FROM namespace WHERE sub=?1 AND (?2 IS NULL OR grp=?2) ORDER BY name")           \
    X(SB_NS_NEXT_ID, "SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name='namespace'),0)+1")          \
    X(SB_NS_INSERT,                                                                                          \
      "INSERT INTO "                                                                                         \
      "namespace(id,name,sub,grp,location,tags,sku,capacity,partitions,identity,principal,encrypted,"        \
      "infra,revoked,root,check_value,local_auth_off,zone_redundant,public_access,tls,extra,created_ms,"     \
      "updated_ms) "                                                                                         \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23)")          \
    X(SB_NS_UPDATE,                                                                                          \
      "UPDATE namespace SET "                                                                                \
      "location=?5,tags=?6,sku=?7,capacity=?8,partitions=?9,identity=?10,principal=?11,"                     \
      "encrypted=?12,infra=?13,revoked=?14,root=?15,check_value=?16,local_auth_off=?17,zone_redundant=?18,"  \
      "public_access=?19,tls=?20,extra=?21,updated_ms=?23 WHERE id=?1")                                      \
    X(SB_NS_SET_REVOKED, "UPDATE namespace SET revoked=?2,updated_ms=?3 WHERE id=?1")                        \
    X(SB_NS_SET_DELETING, "UPDATE namespace SET deleting_ms=?2 WHERE id=?1")                                 \
    X(SB_NS_RESERVE, "UPDATE namespace SET generation=?2,reserved=?3 WHERE id=?1")                           \
    X(SB_NS_RESERVED, "SELECT generation,reserved FROM namespace WHERE id=?1")                               \
    X(SB_NS_DELETE, "DELETE FROM namespace WHERE id=?1")                                                     \
    X(SB_NS_IDENTITIES, "SELECT id,principal,client FROM ns_identity WHERE ns=?1 ORDER BY position")         \
    X(SB_NS_IDENTITIES_DROP, "DELETE FROM ns_identity WHERE ns=?1")                                          \
    X(SB_NS_IDENTITY_ADD, "INSERT INTO ns_identity(ns,position,id,principal,client) VALUES(?1,?2,?3,?4,?5)") \
    X(SB_NS_KEYS, "SELECT "                                                                                  \
                  "position,key_name,vault_uri,vault,version,identity,wrapped_version,wrapped,state,code,"   \
                  "message,since_ms "                                                                        \
                  "FROM ns_key WHERE ns=?1 ORDER BY position")                                               \
    X(SB_NS_KEYS_DROP, "DELETE FROM ns_key WHERE ns=?1")                                                     \
    X(SB_NS_KEY_ADD,                                                                                         \
      "INSERT INTO "                                                                                         \
      "ns_key(ns,position,key_name,vault_uri,vault,version,identity,wrapped_version,wrapped,state,code,"     \
      "message,since_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")                                \
    X(SB_NS_KEY_UPDATE,                                                                                      \
      "UPDATE ns_key SET wrapped_version=?3,wrapped=?4,state=?5,code=?6,message=?7,since_ms=?8 "             \
      "WHERE ns=?1 AND position=?2")                                                                         \
    X(SB_NS_RULES, "SELECT ns,entity,name,rights,keys FROM ns_rule ORDER BY ns,entity,name")                 \
    X(SB_NS_RULE_PUT, "INSERT INTO ns_rule(ns,entity,name,rights,keys) VALUES(?1,?2,?3,?4,?5) "              \
                      "ON CONFLICT(ns,entity,name) DO UPDATE SET rights=?4,keys=?5")                         \
    X(SB_NS_RULE_DELETE, "DELETE FROM ns_rule WHERE ns=?1 AND entity=?2 AND name=?3")                        \
    X(SB_NS_RULES_DROP, "DELETE FROM ns_rule WHERE ns=?1 AND entity=?2")                                     \
    X(SB_CHILD_PUT, "INSERT INTO ns_child(ns,kind,name,body) VALUES(?1,?2,?3,?4) "                           \
                    "ON CONFLICT(ns,kind,name) DO UPDATE SET body=?4")                                       \
    X(SB_CHILD_DELETE, "DELETE FROM ns_child WHERE ns=?1 AND kind=?2 AND name=?3")                           \
    X(SB_CHILD_LIST, "SELECT name,body FROM ns_child WHERE ns=?1 AND kind=?2 AND (?3 IS NULL OR name=?3) "   \
                     "ORDER BY name LIMIT ?4")                                                               \
    X(SB_CHILD_COUNT, "SELECT count(*) FROM ns_child WHERE ns=?1 AND kind=?2")                               \
    X(SB_ALIAS_PUT, "INSERT INTO alias(ns,name,role,partner) VALUES(?1,?2,?3,?4) "                           \
                    "ON CONFLICT(ns) DO UPDATE SET name=?2,role=?3,partner=?4")                              \
    X(SB_ALIAS_DROP, "DELETE FROM alias WHERE ns=?1")                                                        \
    X(SB_ALIAS_ALL, "SELECT ns,name,role,partner FROM alias ORDER BY ns")

/* entities and messages (st_entity.c, st_message.c) */
#define SB_COUNT_COLUMNS "next_seq,active,dead_letter,scheduled,bytes"
#define SB_ENTITY_COLUMNS                                                                                    \
    "id,ns,name,status,forward_to,forward_dlq,metadata,lock_ms,ttl_ms,dup_window_ms,idle_ms,max_mb,"         \
    "max_message_kb,max_delivery,flags,created_ms,updated_ms,accessed_ms,kind,client_id," SB_COUNT_COLUMNS
#define SB_MESSAGE_COLUMNS                                                                                   \
    "id,ns,sub,state,enqueued_ms,expires_ms,due_ms,lock_token,delivery_count,hops,size,enqueued_seq"
#define SB_BLOB_COLUMNS "session,blob,dl_blob"
/* The range on id keeps FIRST to one queue; LIMIT 1 and the index make it one look-up whatever the backlog.
 */
#define SB_STMTS_ENTITY(X)                                                                                   \
    X(SB_ENTITY_INSERT,                                                                                      \
      "INSERT INTO entity(ns,status,forward_to,forward_dlq,metadata,lock_ms,ttl_ms,dup_window_ms,idle_ms,"   \
      "max_mb,max_message_kb,max_delivery,flags,updated_ms,client_id,name,created_ms,kind) "                 \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18) RETURNING id")                 \
    X(SB_ENTITY_UPDATE,                                                                                      \
      "UPDATE entity SET status=?2,forward_to=?3,forward_dlq=?4,metadata=?5,lock_ms=?6,ttl_ms=?7,"           \
      "dup_window_ms=?8,idle_ms=?9,max_mb=?10,max_message_kb=?11,max_delivery=?12,flags=?13,updated_ms=?14," \
      "client_id=?15 WHERE id=?1")                                                                           \
    X(SB_ENTITY_COUNT,                                                                                       \
      "UPDATE entity SET next_seq=?2,active=?3,dead_letter=?4,scheduled=?5,bytes=?6,accessed_ms=?7 "         \
      "WHERE id=?1")                                                                                         \
    X(SB_ENTITY_COUNTED, "SELECT " SB_COUNT_COLUMNS " FROM entity WHERE id=?1")                              \
    X(SB_ENTITY_LIST, "SELECT " SB_ENTITY_COLUMNS " FROM entity WHERE ns=?1 ORDER BY name")                  \
    X(SB_ENTITY_DELETE, "DELETE FROM entity WHERE id=?1")                                                    \
    X(SB_RULE_PUT, "INSERT INTO rule(entity,name,created_ms,sealed) VALUES(?1,?2,?3,?4) "                    \
                   "ON CONFLICT(entity,name) DO UPDATE SET sealed=?4")                                       \
    X(SB_RULE_DELETE, "DELETE FROM rule WHERE entity=?1 AND name=?2")                                        \
    X(SB_RULE_LIST, "SELECT entity,name,created_ms,sealed FROM rule WHERE entity=?1 ORDER BY name")          \
    X(SB_SEEN_GET, "SELECT 1 FROM seen WHERE entity=?1 AND hmac=?2 AND until_ms>?3")                         \
    X(SB_SEEN_PUT,                                                                                           \
      "INSERT INTO seen(entity,hmac,until_ms) VALUES(?1,?2,?3) ON CONFLICT DO UPDATE SET until_ms=?3")       \
    X(SB_SEEN_TRIM, "DELETE FROM seen WHERE entity=?1 AND hmac IN "                                          \
                    "(SELECT hmac FROM seen WHERE entity=?1 AND until_ms<=?2 ORDER BY until_ms LIMIT 4)")    \
    X(SB_MESSAGE_INSERT,                                                                                     \
      "INSERT INTO message(id,ns,sub,state,enqueued_ms,expires_ms,due_ms,delivery_count,hops,size,"          \
      "enqueued_seq,session,blob,dl_blob) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)")           \
    X(SB_MESSAGE_FIRST, "SELECT " SB_MESSAGE_COLUMNS "," SB_BLOB_COLUMNS " FROM message "                    \
                        "WHERE sub=?1 AND state=0 AND id>=?2 AND id<=?3 ORDER BY id LIMIT 1")                \
    X(SB_MESSAGE_GET, "SELECT " SB_MESSAGE_COLUMNS "," SB_BLOB_COLUMNS " FROM message WHERE id=?1")          \
    X(SB_MESSAGE_META, "SELECT " SB_MESSAGE_COLUMNS " FROM message WHERE id=?1")                             \
    X(SB_MESSAGE_DUE,                                                                                        \
      "SELECT " SB_MESSAGE_COLUMNS " FROM message WHERE ns=?1 AND due_ms<=?2 ORDER BY due_ms,id LIMIT 1")    \
    X(SB_MESSAGE_NEXT_DUE,                                                                                   \
      "SELECT due_ms FROM message WHERE ns=?1 AND due_ms IS NOT NULL ORDER BY due_ms LIMIT 1")               \
    X(SB_MESSAGE_LOCK, "UPDATE message SET state=1,lock_token=?2,due_ms=?3 WHERE id=?1")                     \
    X(SB_MESSAGE_RENEW, "UPDATE message SET due_ms=?2 WHERE id=?1")                                          \
    X(SB_MESSAGE_RELEASE,                                                                                    \
      "UPDATE message SET state=0,lock_token=NULL,delivery_count=?2,due_ms=?3 WHERE id=?1")                  \
    X(SB_MESSAGE_BURY, "UPDATE message SET "                                                                 \
                       "sub=1,state=0,lock_token=NULL,delivery_count=?2,due_ms=NULL,dl_blob=?3 WHERE id=?1") \
    X(SB_MESSAGE_DAMAGE, "UPDATE message SET state=4,lock_token=NULL,due_ms=NULL WHERE id=?1")               \
    X(SB_MESSAGE_DELETE, "DELETE FROM message WHERE id=?1")                                                  \
    X(SB_MESSAGE_DELETE_SOME,                                                                                \
      "DELETE FROM message WHERE id IN "                                                                     \
      "(SELECT id FROM message WHERE id>=?1<<40 AND id<(?1+1)<<40 ORDER BY id LIMIT ?2)")                    \
    X(SB_MESSAGE_ENTITY, "SELECT id>>40 FROM message WHERE id>=(?1+1)<<40 ORDER BY id LIMIT 1")              \
    X(SB_SEEN_DELETE_SOME, "DELETE FROM seen WHERE entity=?1 AND hmac IN "                                   \
                           "(SELECT hmac FROM seen WHERE entity=?1 LIMIT ?2)")                               \
    X(SB_SEEN_ENTITY, "SELECT entity FROM seen WHERE entity>?1 ORDER BY entity LIMIT 1")                     \
    X(SB_ENTITY_THERE, "SELECT 1 FROM entity WHERE id=?1")                                                   \
    X(SB_MESSAGE_RELEASE_ALL,                                                                                \
      "UPDATE message SET state=0,lock_token=NULL,due_ms=CASE sub WHEN 0 THEN expires_ms END "               \
      "WHERE ns=?1 AND due_ms<=?2 AND state=1")

/* service-side key log (st_event.c) */
#define SB_STMTS_EVENT(X)                                                                                    \
    X(SB_EVENT_ADD,                                                                                          \
      "INSERT INTO event(id,time_ms,stream,op,category,resource_id,vault,key,version,code,message,"          \
      "activity_id,identity,result,http_status) "                                                            \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)")                                          \
    X(SB_EVENT_LIST,                                                                                         \
      "SELECT id,time_ms,stream,op,category,resource_id,vault,key,version,code,message,activity_id,"         \
      "identity,result,http_status FROM event WHERE id>?1 ORDER BY id LIMIT ?2")                             \
    X(SB_EVENT_BOUNDS, "SELECT (SELECT min(id) FROM event),(SELECT max(id) FROM event)")                     \
    X(SB_EVENT_TRIM, "DELETE FROM event WHERE id<=(SELECT max(id) FROM event)-?1")

#endif
