/*
 * st_key.h: rows of keys and their versions (keyvault.db). A private key is an opaque sealed blob here.
 *
 * All functions run inside a transaction of that database; text and blobs of rows that are read are in the
 * caller's arena. What is not there is `*ret_found` false, never an error. Names are compared ignoring case.
 * The newest version is the one inserted last, whatever its dates say.
 */
#ifndef SB_ST_KEY_H
#define SB_ST_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

/* A key; with a version when it comes from st_key_version and the lists. Times are unix seconds, -1: not set.
 */
struct st_key {
    int64_t key_id, vault_id;
    const char *name;       /* as first written */
    int64_t deleted, purge; /* 0 while live */
    const char *vault;      /* the vault's name; st_key_due only */
    int64_t version_id;
    const char *version;       /* 32 hex digits */
    const char *kty, *curve;   /* curve: "" for RSA */
    struct sb_blob n, e, x, y; /* public numbers; p NULL when of the other type */
    const char *key_ops;       /* comma-separated */
    bool enabled;
    int64_t nbf, exp, created, updated;
    const char *tags;      /* JSON text or NULL */
    struct sb_blob sealed; /* the private key */
};

/* The key alone, live or deleted. */
SB_MUST enum sb_err st_key_find(struct tx *tx, int64_t vault_id, const char *name, struct sb_arena *a,
                                bool *ret_found, struct st_key *ret, struct sb_error *err);
SB_MUST enum sb_err st_key_insert(struct tx *tx, int64_t vault_id, const char *name, int64_t *ret_key_id,
                                  struct sb_error *err);
/* Both 0: live again. */
SB_MUST enum sb_err st_key_set_deleted(struct tx *tx, int64_t key_id, int64_t deleted, int64_t purge,
                                       struct sb_error *err);
/* Removes a key with all its versions for good. */
SB_MUST enum sb_err st_key_remove(struct tx *tx, int64_t key_id, struct sb_error *err);

/* Adds a version to k->key_id; SB_ECONFLICT when the version was ever given to a key that is still stored. */
SB_MUST enum sb_err st_key_add_version(struct tx *tx, const struct st_key *k, int64_t *ret_version_id,
                                       struct sb_error *err);
/* Writes key_ops, enabled, nbf, exp, updated and tags of k->version_id. */
SB_MUST enum sb_err st_key_update_version(struct tx *tx, const struct st_key *k, struct sb_error *err);
enum st_key_which {
    ST_KEY_EXACT,  /* the version named */
    ST_KEY_NEWEST, /* the last one created */
    ST_KEY_CURRENT /* the last one created whose not-before date is at or before now */
};
/* One version of a key, live or deleted. version: for EXACT; now: unix seconds, for CURRENT. */
SB_MUST enum sb_err st_key_version(struct tx *tx, int64_t vault_id, const char *name, enum st_key_which which,
                                   const char *version, int64_t now, struct sb_arena *a, bool *ret_found,
                                   struct st_key *ret, struct sb_error *err);
/* Newest version of each live (or each deleted) key, by name, from offset; at most max. */
SB_MUST enum sb_err st_key_list(struct tx *tx, int64_t vault_id, bool deleted, size_t offset, size_t max,
                                struct sb_arena *a, struct st_key **ret, size_t *ret_n, struct sb_error *err);
/* Versions of a live key in order of creation, from offset; at most max. None when there is no such key. */
SB_MUST enum sb_err st_key_versions(struct tx *tx, int64_t vault_id, const char *name, size_t offset,
                                    size_t max, struct sb_arena *a, struct st_key **ret, size_t *ret_n,
                                    struct sb_error *err);

/* The deleted key whose purge date is the earliest at or before now (unix seconds). */
SB_MUST enum sb_err st_key_due(struct tx *tx, int64_t now, struct sb_arena *a, bool *ret_found,
                               struct st_key *ret, struct sb_error *err);
/* Earliest purge date of a deleted key in unix seconds; 0 when there is none. */
SB_MUST enum sb_err st_key_next_due(struct tx *tx, int64_t *ret, struct sb_error *err);

#endif
