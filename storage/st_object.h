/*
 * st_object.h: rows of a vault's keys and secrets and of their versions (keyvault.db). A private key and a
 * secret's value are opaque sealed blobs here.
 *
 * All functions run inside a transaction of that database; text and blobs of rows that are read are in the
 * caller's arena. What is not there is `*ret_found` false, never an error. Names are compared ignoring case;
 * a key and a secret of one name have nothing to do with each other. The newest version is the one inserted
 * last, whatever its dates say.
 */
#ifndef SB_ST_OBJECT_H
#define SB_ST_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

enum st_kind { ST_KEY, ST_SECRET };

/* A key or secret; with a version when it comes from st_object_version and the lists. Times are unix seconds,
 * -1: not set. */
struct st_object {
    int64_t object_id, vault_id;
    enum st_kind kind;      /* st_object_due only */
    const char *name;       /* as first written */
    int64_t deleted, purge; /* 0 while live */
    const char *vault;      /* the vault's name; st_object_due only */
    int64_t version_id;
    const char *version;       /* 32 hex digits */
    const char *kty, *curve;   /* kty: "" for a secret; curve: "" for RSA and a secret */
    struct sb_blob n, e, x, y; /* public numbers; p NULL when of the other type, or a secret */
    const char *key_ops;       /* comma-separated */
    const char *content_type;  /* of a secret, or NULL */
    bool enabled;
    int64_t nbf, exp, created, updated;
    const char *tags;      /* JSON text or NULL */
    struct sb_blob sealed; /* the private key or the value */
};

/* The object alone, live or deleted. */
SB_MUST enum sb_err st_object_find(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                                   struct sb_arena *a, bool *ret_found, struct st_object *ret,
                                   struct sb_error *err);
SB_MUST enum sb_err st_object_insert(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                                     int64_t *ret_object_id, struct sb_error *err);
/* Both 0: live again. */
SB_MUST enum sb_err st_object_set_deleted(struct tx *tx, int64_t object_id, int64_t deleted, int64_t purge,
                                          struct sb_error *err);
/* Removes an object with all its versions for good. */
SB_MUST enum sb_err st_object_remove(struct tx *tx, int64_t object_id, struct sb_error *err);

/* Adds a version to k->object_id; SB_ECONFLICT when it has one of that name. */
SB_MUST enum sb_err st_object_add_version(struct tx *tx, const struct st_object *k, int64_t *ret_version_id,
                                          struct sb_error *err);
/* Writes key_ops, content_type, enabled, nbf, exp, updated and tags of k->version_id. */
SB_MUST enum sb_err st_object_update_version(struct tx *tx, const struct st_object *k, struct sb_error *err);
enum st_object_which {
    ST_OBJECT_EXACT,  /* the version named */
    ST_OBJECT_NEWEST, /* the last one created */
    ST_OBJECT_CURRENT /* the last one created whose not-before date is at or before now */
};
/* One version, live or deleted. version: for EXACT; now: unix seconds, for CURRENT. */
SB_MUST enum sb_err st_object_version(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                                      enum st_object_which which, const char *version, int64_t now,
                                      struct sb_arena *a, bool *ret_found, struct st_object *ret,
                                      struct sb_error *err);
/* Newest version of each live (or each deleted) object whose name is not before `from` ("": of all), by name;
 * at most max. */
SB_MUST enum sb_err st_object_list(struct tx *tx, int64_t vault_id, enum st_kind kind, bool deleted,
                                   const char *from, size_t max, struct sb_arena *a, struct st_object **ret,
                                   size_t *ret_n, struct sb_error *err);
/* Versions of a live object by their names, from `from` on; at most max. None when there is no such object.
 */
SB_MUST enum sb_err st_object_versions(struct tx *tx, int64_t vault_id, enum st_kind kind, const char *name,
                                       const char *from, size_t max, struct sb_arena *a,
                                       struct st_object **ret, size_t *ret_n, struct sb_error *err);
/* All versions, the newest first; at most max. */
SB_MUST enum sb_err st_object_all(struct tx *tx, int64_t object_id, size_t max, struct sb_arena *a,
                                  struct st_object **ret, size_t *ret_n, struct sb_error *err);

/* The deleted object whose purge date is the earliest at or before now (unix seconds). */
SB_MUST enum sb_err st_object_due(struct tx *tx, int64_t now, struct sb_arena *a, bool *ret_found,
                                  struct st_object *ret, struct sb_error *err);
/* Earliest purge date in unix seconds; 0 when there is none. */
SB_MUST enum sb_err st_object_next_due(struct tx *tx, int64_t *ret, struct sb_error *err);

#endif
