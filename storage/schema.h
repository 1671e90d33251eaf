/*
 * schema.h: the ordered migrations of both databases, for storage/store.c.
 *
 * Each table family's SQL stands in its own file (schema_*.c) as one string per version; `PRAGMA
 * user_version` says which versions a database has. Within a release that has not shipped, change version 1
 * in place; after that, add.
 */
#ifndef SB_SCHEMA_H
#define SB_SCHEMA_H

#define SCHEMA_KV_VERSION 1
#define SCHEMA_SB_VERSION 1

/* The tables of version 1, by family. Each is one script of CREATE statements. */
extern const char schema_kv_directory_v1[]; /* schema_directory.c */
extern const char schema_kv_role_v1[];      /* schema_role.c */
extern const char schema_kv_vault_v1[];     /* schema_vault.c */
extern const char schema_kv_object_v1[];    /* schema_object.c */
extern const char schema_kv_event_v1[];     /* schema_event.c */
extern const char schema_kv_activity_v1[];  /* schema_activity.c */
extern const char schema_kv_graph_v1[];     /* schema_graph.c */
extern const char schema_sb_namespace_v1[]; /* schema_namespace.c */
extern const char schema_sb_entity_v1[];    /* schema_entity.c */
extern const char schema_sb_event_v1[];     /* schema_event.c */

#endif
