/* kv_stmts.h: every statement of keyvault.db: X(enum name, SQL). One block per table family. */
#ifndef SB_KV_STMTS_H
#define SB_KV_STMTS_H

#define KV_STMTS(X)                                                                                          \
    X(KV_META_GET, "SELECT value FROM meta WHERE name=?1")                                                   \
    X(KV_META_PUT, "INSERT INTO meta(name,value) VALUES(?1,?2) ON CONFLICT(name) DO UPDATE SET value=?2")    \
    KV_STMTS_DIRECTORY(X)                                                                                    \
    KV_STMTS_PROVIDER(X)                                                                                     \
    KV_STMTS_ACTIVITY(X)                                                                                     \
    KV_STMTS_GRAPH(X)                                                                                        \
    KV_STMTS_DOCUMENT(X)                                                                                     \
    KV_STMTS_DIAGNOSTIC(X)                                                                                   \
    KV_STMTS_ROLE(X)                                                                                         \
    KV_STMTS_VAULT(X)                                                                                        \
    KV_STMTS_EVENT(X)

/* groups, principals, identities, role assignments (st_directory.c) */
#define KV_STMTS_DIRECTORY(X)                                                                                \
    X(KV_PRINCIPAL_ADD, "INSERT INTO principal(oid,appid,kind,resource_id) VALUES(?1,?2,?3,?4)")             \
    X(KV_PRINCIPAL_DROP, "DELETE FROM principal WHERE oid=?1")                                               \
    X(KV_PRINCIPAL_BY_OID, "SELECT oid,appid,kind,resource_id FROM principal WHERE oid=?1")                  \
    X(KV_PRINCIPAL_BY_APPID, "SELECT oid,appid,kind,resource_id FROM principal WHERE appid=?1")              \
    X(KV_PRINCIPAL_BY_RESOURCE, "SELECT oid,appid,kind,resource_id FROM principal WHERE resource_id=?1")     \
    X(KV_GROUP_PUT, "INSERT INTO resource_group(sub,name,location,tags,managed_by) VALUES(?1,?2,?3,?4,?5) "  \
                    "ON CONFLICT(sub,name) DO UPDATE SET location=?3,tags=?4,managed_by=?5")                 \
    X(KV_GROUP_GET, "SELECT sub,name,location,tags,managed_by FROM resource_group WHERE sub=?1 AND name=?2") \
    X(KV_GROUP_LIST, "SELECT sub,name,location,tags,managed_by FROM resource_group "                         \
                     "WHERE ?1 IS NULL OR sub=?1 ORDER BY sub,name")                                         \
    X(KV_GROUP_DROP, "DELETE FROM resource_group WHERE sub=?1 AND name=?2")                                  \
    X(KV_IDENTITY_PUT,                                                                                       \
      "INSERT INTO user_identity(sub,grp,name,location,tags,oid) VALUES(?1,?2,?3,?4,?5,?6) "                 \
      "ON CONFLICT(sub,grp,name) DO UPDATE SET location=?4,tags=?5")                                         \
    X(KV_IDENTITY_GET,                                                                                       \
      "SELECT sub,grp,name,location,tags,oid,appid FROM user_identity JOIN principal USING(oid) "            \
      "WHERE sub=?1 AND grp=?2 AND name=?3")                                                                 \
    X(KV_IDENTITY_LIST,                                                                                      \
      "SELECT sub,grp,name,location,tags,oid,appid FROM user_identity JOIN principal USING(oid) "            \
      "WHERE sub=?1 AND (?2 IS NULL OR grp=?2) ORDER BY grp,name")                                           \
    X(KV_IDENTITY_DROP, "DELETE FROM user_identity WHERE sub=?1 AND grp=?2 AND name=?3")                     \
    X(KV_ASSIGNMENT_PUT,                                                                                     \
      "INSERT INTO role_assignment(name,scope,role_id,principal_id,principal_type,description,"              \
      "created_by,updated_by,created_ms,updated_ms,counts_ms) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) "   \
      "ON CONFLICT(name) DO UPDATE SET principal_type=?5,description=?6,updated_by=?8,updated_ms=?10")       \
    X(KV_ASSIGNMENT_GET,                                                                                     \
      "SELECT name,scope,role_id,principal_id,principal_type,description,created_by,updated_by,"             \
      "created_ms,updated_ms,counts_ms FROM role_assignment WHERE name=?1")                                  \
    X(KV_ASSIGNMENT_LIST,                                                                                    \
      "SELECT name,scope,role_id,principal_id,principal_type,description,created_by,updated_by,"             \
      "created_ms,updated_ms,counts_ms FROM role_assignment ORDER BY created_ms,name")                       \
    X(KV_ASSIGNMENT_DROP, "DELETE FROM role_assignment WHERE name=?1")                                       \
    X(KV_ASSIGNMENT_DROP_SCOPE, "DELETE FROM role_assignment WHERE scope=?1 "                                \
                                "OR substr(scope,1,length(?1)+1)=?1||'/' COLLATE NOCASE")

/* the activity log (st_activity.c) */
#define KV_ACTIVITY_COLUMNS                                                                                  \
    "time_ms,http_status,sub,grp,resource,action,method,code,message,caller,oid,appid,event_id,"             \
    "correlation_id,request_id,client_request_id,client_ip"
#define KV_STMTS_PROVIDER(X)                                                                                 \
    X(KV_PROVIDER_REGISTER, "DELETE FROM unregistered_provider WHERE sub=?1 AND name=?2")                    \
    X(KV_PROVIDER_UNREGISTER, "INSERT OR IGNORE INTO unregistered_provider(sub,name) VALUES(?1,?2)")         \
    X(KV_PROVIDER_GET, "SELECT 1 FROM unregistered_provider WHERE sub=?1 AND name=?2")                       \
    X(KV_PROVIDER_CLEAR, "DELETE FROM unregistered_provider")
#define KV_STMTS_ACTIVITY(X)                                                                                 \
    X(KV_ACTIVITY_ADD, "INSERT INTO activity(" KV_ACTIVITY_COLUMNS                                           \
                       ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)")               \
    X(KV_ACTIVITY_TRIM, "DELETE FROM activity WHERE id<=(SELECT max(id) FROM activity)-?1")                  \
    X(KV_ACTIVITY_LIST,                                                                                      \
      "SELECT id," KV_ACTIVITY_COLUMNS " FROM activity WHERE sub=?1 AND time_ms BETWEEN ?2 AND ?3 "          \
      "AND id<?4 AND (?5 IS NULL OR grp=?5) AND (?6 IS NULL OR resource=?6) "                                \
      "AND (?7 IS NULL OR correlation_id=?7) AND (?8 IS NULL OR caller=?8) "                                 \
      "AND (?9 IS NULL OR substr(action,1,length(?9)+1)=?9||'/' COLLATE NOCASE) ORDER BY id DESC LIMIT ?10")

/* applications, service principals, users, credentials (st_graph.c) */
#define KV_APP_COLUMNS        "oid,appid,name,body,public_client,created_ms FROM application"
#define KV_SP_COLUMNS         "oid,appid,name,body,created_ms FROM service_principal JOIN principal USING(oid)"
#define KV_USER_COLUMNS       "oid,upn,name,body,enabled,password,created_ms FROM dir_user"
#define KV_CREDENTIAL_COLUMNS "id,owner,appid,certificate,name,hint,start_ms,end_ms,secret"
#define KV_STMTS_GRAPH(X)                                                                                    \
    X(KV_APP_PUT,                                                                                            \
      "INSERT INTO application(oid,appid,name,body,public_client,created_ms) "                               \
      "VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(oid) DO UPDATE SET name=?3,body=?4,public_client=?5")           \
    X(KV_APP_BY_OID, "SELECT " KV_APP_COLUMNS " WHERE oid=?1")                                               \
    X(KV_APP_BY_APPID, "SELECT " KV_APP_COLUMNS " WHERE appid=?1")                                           \
    X(KV_APP_LIST, "SELECT " KV_APP_COLUMNS " ORDER BY created_ms,oid")                                      \
    X(KV_APP_DROP, "DELETE FROM application WHERE oid=?1")                                                   \
    X(KV_APP_CLEAR, "DELETE FROM application")                                                               \
    X(KV_SP_PUT, "INSERT INTO service_principal(oid,name,body,created_ms) VALUES(?1,?2,?3,?4) "              \
                 "ON CONFLICT(oid) DO UPDATE SET name=?2,body=?3")                                           \
    X(KV_SP_BY_OID, "SELECT " KV_SP_COLUMNS " WHERE oid=?1")                                                 \
    X(KV_SP_BY_APPID, "SELECT " KV_SP_COLUMNS " WHERE appid=?1")                                             \
    X(KV_SP_LIST, "SELECT " KV_SP_COLUMNS " ORDER BY created_ms,oid")                                        \
    X(KV_USER_PUT, "INSERT INTO dir_user(oid,upn,name,body,enabled,password,created_ms) "                    \
                   "VALUES(?1,?2,?3,?4,?5,?6,?7) "                                                           \
                   "ON CONFLICT(oid) DO UPDATE SET upn=?2,name=?3,body=?4,enabled=?5,password=?6")           \
    X(KV_USER_BY_OID, "SELECT " KV_USER_COLUMNS " WHERE oid=?1")                                             \
    X(KV_USER_BY_UPN, "SELECT " KV_USER_COLUMNS " WHERE upn=?1")                                             \
    X(KV_USER_LIST, "SELECT " KV_USER_COLUMNS " ORDER BY created_ms,oid")                                    \
    X(KV_CREDENTIAL_ADD,                                                                                     \
      "INSERT INTO credential(" KV_CREDENTIAL_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)")                \
    X(KV_CREDENTIAL_DROP,                                                                                    \
      "DELETE FROM credential WHERE owner=?1 AND certificate=?2 AND (?3 IS NULL OR id=?3)")                  \
    X(KV_CREDENTIAL_BY_OWNER,                                                                                \
      "SELECT " KV_CREDENTIAL_COLUMNS " FROM credential WHERE owner=?1 ORDER BY start_ms,id")                \
    X(KV_CREDENTIAL_BY_APPID,                                                                                \
      "SELECT " KV_CREDENTIAL_COLUMNS " FROM credential WHERE appid=?1 ORDER BY start_ms,id")                \
    X(KV_CREDENTIAL_CLEAR, "DELETE FROM credential")                                                         \
    X(KV_GRAPH_PRINCIPAL_CLEAR, "DELETE FROM principal WHERE oid IN (SELECT oid FROM service_principal "     \
                                "UNION ALL SELECT oid FROM dir_user)")

/* deployments and resources of other providers (st_document.c) */
#define KV_DOCUMENT_COLUMNS "id,kind,scope,name,type,location,body,extra,changed_ms"
#define KV_STMTS_DOCUMENT(X)                                                                                 \
    X(KV_DOCUMENT_PUT, "INSERT INTO document(" KV_DOCUMENT_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9) "   \
                       "ON CONFLICT(id) DO UPDATE SET location=?6,body=?7,extra=?8,changed_ms=?9")           \
    X(KV_DOCUMENT_GET, "SELECT " KV_DOCUMENT_COLUMNS " FROM document WHERE id=?1")                           \
    X(KV_DOCUMENT_LIST,                                                                                      \
      "SELECT " KV_DOCUMENT_COLUMNS " FROM document WHERE kind=?1 AND (scope=?2 OR ?3<>0 AND "               \
      "substr(scope,1,length(?2)+1)=?2||'/' COLLATE NOCASE) ORDER BY changed_ms DESC,id")                    \
    X(KV_DOCUMENT_DROP, "DELETE FROM document WHERE id=?1")                                                  \
    X(KV_DOCUMENT_DROP_SCOPE, "DELETE FROM document WHERE ?1 IS NULL OR scope=?1 OR "                        \
                              "substr(scope,1,length(?1)+1)=?1||'/' COLLATE NOCASE")

/* diagnostic settings (st_diagnostic.c) */
#define KV_STMTS_DIAGNOSTIC(X)                                                                               \
    X(KV_DIAGNOSTIC_PUT, "INSERT INTO diagnostic_setting(scope,name,body) VALUES(?1,?2,?3) "                 \
                         "ON CONFLICT(scope,name) DO UPDATE SET body=?3")                                    \
    X(KV_DIAGNOSTIC_LIST, "SELECT scope,name,body FROM diagnostic_setting WHERE scope=?1 ORDER BY name")     \
    X(KV_DIAGNOSTIC_DROP,                                                                                    \
      "DELETE FROM diagnostic_setting WHERE (?1 IS NULL OR scope=?1) AND (?2 IS NULL OR name=?2)")

/* custom role definitions, ending role assignments (st_role.c) */
#define KV_ROLE_COLUMNS                                                                                      \
    "id,name,description,actions,not_actions,data_actions,not_data_actions,scopes,created_by,updated_by,"    \
    "created_ms,updated_ms"
#define KV_STMTS_ROLE(X)                                                                                     \
    X(KV_ROLE_PUT,                                                                                           \
      "INSERT INTO role_definition(" KV_ROLE_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12) "     \
      "ON CONFLICT(id) DO UPDATE SET name=?2,description=?3,actions=?4,not_actions=?5,data_actions=?6,"      \
      "not_data_actions=?7,scopes=?8,updated_by=?10,updated_ms=?12")                                         \
    X(KV_ROLE_GET, "SELECT " KV_ROLE_COLUMNS " FROM role_definition WHERE id=?1")                            \
    X(KV_ROLE_LIST, "SELECT " KV_ROLE_COLUMNS " FROM role_definition ORDER BY created_ms,id")                \
    X(KV_ROLE_DROP, "DELETE FROM role_definition WHERE ?1 IS NULL OR id=?1")                                 \
    X(KV_ENDING_ADD, "INSERT INTO role_ending(scope,role_id,principal_id,until_ms) VALUES(?1,?2,?3,?4)")     \
    X(KV_ENDING_LIST, "SELECT scope,role_id,principal_id,until_ms FROM role_ending ORDER BY id")             \
    X(KV_ENDING_TRIM, "DELETE FROM role_ending WHERE until_ms<=?1")                                          \
    X(KV_ENDING_DROP_SCOPE, "DELETE FROM role_ending WHERE scope=?1 "                                        \
                            "OR substr(scope,1,length(?1)+1)=?1||'/' COLLATE NOCASE")

/* vaults, access policies, keys and secrets, their versions, rotation policies (st_vault.c, st_object.c,
 * st_keypolicy.c) */
#define KV_VAULT_COLUMNS                                                                                     \
    "id,sub,grp,name,location,tags,tenant,sku,created_ms,created_by,updated_ms,"                             \
    "updated_by,purge_protection,soft_delete_days,rbac,for_deployment,for_disk,"                             \
    "for_template,network_acls,acl_deny,acl_bypass_azure,acl_ips,public_access,"                             \
    "deleted_ms,purge_ms"
#define KV_VERSION_COLUMNS                                                                                   \
    "k.id,k.vault_id,k.name,k.deleted_s,k.purge_s,v.id,v.version,v.kty,v.curve,v.n,v.e,"                     \
    "v.x,v.y,v.key_ops,v.content_type,v.enabled,v.nbf_s,v.exp_s,v.created_s,v.updated_s,v.tags,v.sealed"     \
    " FROM vault_object k JOIN vault_version v ON v.object_id=k.id"
#define KV_ONE_OBJECT "k.vault_id=?1 AND k.kind=?2 AND k.name=?3"
#define KV_KEYPOLICY_COLUMNS                                                                                 \
    "p.object_id,p.rotate_after,p.rotate_before,p.notify_before,p.expiry,p.created_s,p.updated_s,"           \
    "p.rotate_s,p.notify_s,p.notified_id"
#define KV_STMTS_VAULT(X)                                                                                    \
    X(KV_VAULT_INSERT,                                                                                       \
      "INSERT INTO vault(sub,grp,name,location,tags,tenant,sku,created_ms,created_by,updated_ms,"            \
      "updated_by,purge_protection,soft_delete_days,rbac,for_deployment,for_disk,for_template,network_acls," \
      "acl_deny,acl_bypass_azure,acl_ips,public_access,deleted_ms,purge_ms) VALUES(?2,?3,?4,?5,?6,?7,?8,?9," \
      "?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25) RETURNING id")                       \
    X(KV_VAULT_UPDATE,                                                                                       \
      "UPDATE vault SET tags=?6,tenant=?7,sku=?8,updated_ms=?11,updated_by=?12,purge_protection=?13,"        \
      "soft_delete_days=?14,rbac=?15,for_deployment=?16,for_disk=?17,for_template=?18,network_acls=?19,"     \
      "acl_deny=?20,acl_bypass_azure=?21,acl_ips=?22,public_access=?23,deleted_ms=?24,purge_ms=?25 WHERE "   \
      "id=?1")                                                                                               \
    X(KV_VAULT_GET, "SELECT " KV_VAULT_COLUMNS " FROM vault WHERE name=?1")                                  \
    X(KV_VAULT_LIST, "SELECT " KV_VAULT_COLUMNS                                                              \
                     " FROM vault WHERE sub=?1 AND (?2 IS NULL OR grp=?2) AND (deleted_ms>0)=?3 "            \
                     "ORDER BY name")                                                                        \
    X(KV_VAULT_DUE, "SELECT " KV_VAULT_COLUMNS " FROM vault WHERE purge_ms>0 AND purge_ms<=?1 "              \
                    "ORDER BY purge_ms,id LIMIT 1")                                                          \
    X(KV_VAULT_NEXT_DUE, "SELECT min(purge_ms) FROM vault WHERE purge_ms>0")                                 \
    X(KV_VAULT_DELETE, "DELETE FROM vault WHERE id=?1")                                                      \
    X(KV_POLICY_INSERT,                                                                                      \
      "INSERT INTO vault_policy(vault_id,position,tenant,oid,appid,permissions,keys,secrets) "               \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)")                                                                     \
    X(KV_POLICY_CLEAR, "DELETE FROM vault_policy WHERE vault_id=?1")                                         \
    X(KV_POLICY_LIST,                                                                                        \
      "SELECT tenant,oid,appid,permissions,keys,secrets FROM vault_policy WHERE vault_id=?1 "                \
      "ORDER BY position")                                                                                   \
    X(KV_OBJECT_FIND, "SELECT id,vault_id,name,deleted_s,purge_s FROM vault_object k WHERE " KV_ONE_OBJECT)  \
    X(KV_OBJECT_INSERT,                                                                                      \
      "INSERT INTO vault_object(vault_id,kind,name,deleted_s,purge_s) VALUES(?1,?2,?3,0,0) RETURNING id")    \
    X(KV_OBJECT_SET_DELETED, "UPDATE vault_object SET deleted_s=?2,purge_s=?3 WHERE id=?1")                  \
    X(KV_OBJECT_DELETE, "DELETE FROM vault_object WHERE id=?1")                                              \
    X(KV_OBJECT_DUE,                                                                                         \
      "SELECT k.id,k.vault_id,k.name,k.deleted_s,k.purge_s,t.name,k.kind FROM vault_object k "               \
      "JOIN vault t ON t.id=k.vault_id WHERE k.purge_s>0 AND k.purge_s<=?1 ORDER BY k.purge_s,k.id LIMIT 1") \
    X(KV_OBJECT_NEXT_DUE, "SELECT min(purge_s) FROM vault_object WHERE purge_s>0")                           \
    X(KV_VERSION_INSERT,                                                                                     \
      "INSERT INTO vault_version(object_id,version,kty,curve,n,e,x,y,key_ops,content_type,enabled,nbf_s,"    \
      "exp_s,created_s,updated_s,tags,sealed) "                                                              \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17) RETURNING id")                     \
    X(KV_VERSION_UPDATE, "UPDATE vault_version SET key_ops=?2,content_type=?3,enabled=?4,nbf_s=?5,exp_s=?6," \
                         "updated_s=?7,tags=?8 WHERE id=?1")                                                 \
    X(KV_VERSION_GET, "SELECT " KV_VERSION_COLUMNS " WHERE " KV_ONE_OBJECT " AND v.version=?4")              \
    X(KV_VERSION_NEWEST, "SELECT " KV_VERSION_COLUMNS " WHERE " KV_ONE_OBJECT " ORDER BY v.id DESC LIMIT 1") \
    X(KV_VERSION_CURRENT, "SELECT " KV_VERSION_COLUMNS " WHERE " KV_ONE_OBJECT " AND v.nbf_s<=?4 "           \
                          "ORDER BY v.id DESC LIMIT 1")                                                      \
    X(KV_VERSION_LIST,                                                                                       \
      "SELECT " KV_VERSION_COLUMNS " WHERE " KV_ONE_OBJECT " AND k.deleted_s=0 AND v.version>=?4 "           \
      "ORDER BY v.version LIMIT ?5")                                                                         \
    X(KV_VERSION_ALL, "SELECT " KV_VERSION_COLUMNS " WHERE k.id=?1 ORDER BY v.id DESC LIMIT ?2")             \
    X(KV_OBJECT_LIST,                                                                                        \
      "SELECT " KV_VERSION_COLUMNS " WHERE k.vault_id=?1 AND k.kind=?2 AND (k.deleted_s>0)=?3 "              \
      "AND v.id=(SELECT max(id) FROM vault_version WHERE object_id=k.id) AND k.name>=?4 "                    \
      "ORDER BY k.name LIMIT ?5")                                                                            \
    X(KV_KEYPOLICY_PUT,                                                                                      \
      "INSERT INTO key_policy(object_id,rotate_after,rotate_before,notify_before,expiry,created_s,"          \
      "updated_s,rotate_s,notify_s,notified_id) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) "                     \
      "ON CONFLICT(object_id) DO UPDATE SET rotate_after=?2,rotate_before=?3,notify_before=?4,expiry=?5,"    \
      "created_s=?6,updated_s=?7,rotate_s=?8,notify_s=?9,notified_id=?10")                                   \
    X(KV_KEYPOLICY_GET, "SELECT " KV_KEYPOLICY_COLUMNS " FROM key_policy p WHERE p.object_id=?1")            \
    X(KV_KEYPOLICY_ROTATE_DUE,                                                                               \
      "SELECT p.object_id,k.vault_id,k.name,t.name,p.rotate_s FROM key_policy p "                            \
      "JOIN vault_object k ON k.id=p.object_id JOIN vault t ON t.id=k.vault_id "                             \
      "WHERE p.rotate_s>0 AND p.rotate_s<=?1 AND t.deleted_ms=0 ORDER BY p.rotate_s,p.object_id LIMIT 1")    \
    X(KV_KEYPOLICY_NOTIFY_DUE,                                                                               \
      "SELECT p.object_id,k.vault_id,k.name,t.name,p.notify_s FROM key_policy p "                            \
      "JOIN vault_object k ON k.id=p.object_id JOIN vault t ON t.id=k.vault_id "                             \
      "WHERE p.notify_s>0 AND p.notify_s<=?1 AND t.deleted_ms=0 ORDER BY p.notify_s,p.object_id LIMIT 1")

/* audit log, faults (st_event.c) */
#define KV_STMTS_EVENT(X)                                                                                    \
    X(KV_EVENT_ADD,                                                                                          \
      "INSERT INTO event(id,time_ms,stream,op,category,resource_id,vault,key,version,code,message,"          \
      "activity_id,identity,result,http_status) "                                                            \
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)")                                          \
    X(KV_EVENT_LIST,                                                                                         \
      "SELECT id,time_ms,stream,op,category,resource_id,vault,key,version,code,message,activity_id,"         \
      "identity,result,http_status FROM event WHERE id>?1 ORDER BY id LIMIT ?2")                             \
    X(KV_EVENT_BOUNDS, "SELECT (SELECT min(id) FROM event),(SELECT max(id) FROM event)")                     \
    X(KV_EVENT_TRIM, "DELETE FROM event WHERE id<=(SELECT max(id) FROM event)-?1")                           \
    X(KV_FAULT_PUT,                                                                                          \
      "INSERT OR REPLACE INTO fault(target,kind,remaining,status,scope) VALUES(?1,?2,?3,?4,?5)")             \
    X(KV_FAULT_LIST, "SELECT target,kind,remaining,status,scope FROM fault ORDER BY target")                 \
    X(KV_FAULT_CLEAR, "DELETE FROM fault WHERE ?1 IS NULL OR target=?1")                                     \
    X(KV_FAULT_LAST, "DELETE FROM fault WHERE target=?1 AND remaining=1")                                    \
    X(KV_FAULT_COUNT, "UPDATE fault SET remaining=remaining-1 WHERE target=?1")

#endif
