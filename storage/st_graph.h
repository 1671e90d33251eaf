/*
 * st_graph.h: rows of applications, service principals, users and credentials (keyvault.db).
 *
 * All functions run inside a transaction of that database. Text and blobs of rows that are read are in the
 * caller's arena; what is not there is `*ret_found` false, never an error. Ids and names are compared
 * whatever their case.
 */
#ifndef SB_ST_GRAPH_H
#define SB_ST_GRAPH_H

#include "storage/store.h"

struct st_app {
    const char *oid, *appid, *name, *body;
    bool public_client;
    int64_t created_ms;
};

/* The principal's own columns are read, not written, here. */
struct st_sp {
    const char *oid, *appid, *name, *body;
    int64_t created_ms;
};

struct st_user {
    const char *oid, *upn, *name, *body;
    bool enabled;
    struct sb_blob password; /* salt and keyed digest */
    int64_t created_ms;
};

struct st_credential {
    const char *id, *owner, *appid;
    bool certificate;
    const char *name, *hint;
    int64_t start_ms, end_ms;
    struct sb_blob secret;
};

/* Inserts, or replaces all but the ids and the time of creation. SB_ECONFLICT when another row has its appid
 * or user name. */
SB_MUST enum sb_err st_app_put(struct tx *tx, const struct st_app *x, struct sb_error *err);
SB_MUST enum sb_err st_sp_put(struct tx *tx, const struct st_sp *x, struct sb_error *err);
SB_MUST enum sb_err st_user_put(struct tx *tx, const struct st_user *x, struct sb_error *err);

/* key: the object id, or (by_name) an application's appid, a service principal's appid, a user's name. */
SB_MUST enum sb_err st_app_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a,
                               bool *ret_found, struct st_app *ret, struct sb_error *err);
SB_MUST enum sb_err st_sp_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a,
                              bool *ret_found, struct st_sp *ret, struct sb_error *err);
SB_MUST enum sb_err st_user_get(struct tx *tx, const char *key, bool by_name, struct sb_arena *a,
                                bool *ret_found, struct st_user *ret, struct sb_error *err);

/* All of them, the oldest first. */
SB_MUST enum sb_err st_app_list(struct tx *tx, struct sb_arena *a, struct st_app **ret, size_t *ret_n,
                                struct sb_error *err);
SB_MUST enum sb_err st_sp_list(struct tx *tx, struct sb_arena *a, struct st_sp **ret, size_t *ret_n,
                               struct sb_error *err);
SB_MUST enum sb_err st_user_list(struct tx *tx, struct sb_arena *a, struct st_user **ret, size_t *ret_n,
                                 struct sb_error *err);

/* The application alone. (A service principal or user goes with st_principal_drop.) */
SB_MUST enum sb_err st_app_drop(struct tx *tx, const char *oid, struct sb_error *err);

SB_MUST enum sb_err st_credential_add(struct tx *tx, const struct st_credential *x, struct sb_error *err);
/* id NULL: every one of that kind. */
SB_MUST enum sb_err st_credential_drop(struct tx *tx, const char *owner, bool certificate, const char *id,
                                       struct sb_error *err);
/* Of one owner, or (by_app) all with which an application may sign in; by start. */
SB_MUST enum sb_err st_credential_list(struct tx *tx, const char *key, bool by_app, struct sb_arena *a,
                                       struct st_credential **ret, size_t *ret_n, struct sb_error *err);
/* Users, applications, their principals and every credential. */
SB_MUST enum sb_err st_graph_clear(struct tx *tx, struct sb_error *err);

#endif
