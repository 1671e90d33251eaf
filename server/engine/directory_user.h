/*
 * directory_user.h: users, and what they grant to applications: refresh tokens, device codes, authorization
 * codes.
 *
 * Users come from the configuration or are registered through Graph (durable, gone at a reset). Passwords are
 * kept as salted keyed digests. Codes live in memory for minutes; refresh tokens are sealed texts that name
 * client, user and time, and end with a changed password, a deleted user, or a reset.
 */
#ifndef SB_DIRECTORY_USER_H
#define SB_DIRECTORY_USER_H

#include "server/engine/directory_app.h"

struct dir_user {
    const char *oid, *upn, *name;
    const char *body; /* the members that only Graph looks at: a JSON object */
    bool enabled;
    bool configured;
    struct sb_blob password; /* salt and keyed digest */
    int64_t created_ms;      /* 0: unknown */
};

/* key: object id or user principal name. */
SB_MUST enum sb_err directory_user_get(struct engine *e, const char *key, struct sb_arena *a, bool *ret_found,
                                       struct dir_user *ret, struct sb_error *err);
/* What Azure Resource Manager calls a caller: a user by principal name, anybody else by client id. Lives as
 * long as who and the arena. */
const char *directory_caller(struct engine *e, const struct principal *who, struct sb_arena *a);
/* The configured ones first, then the oldest first. */
SB_MUST enum sb_err directory_user_list(struct engine *e, struct sb_arena *a, struct dir_user **ret,
                                        size_t *ret_n, struct sb_error *err);
/* want: upn, name, body, enabled. SB_EEXISTS. */
SB_MUST enum sb_err directory_user_create(struct engine *e, const struct dir_user *want, const char *password,
                                          struct sb_arena *a, struct dir_user *ret, struct sb_error *err);
/* Everything of want but the oid; password NULL: stays. SB_ENOTFOUND, SB_EDENIED (configured), SB_EEXISTS. */
SB_MUST enum sb_err directory_user_update(struct engine *e, const struct dir_user *want, const char *password,
                                          struct sb_error *err);
SB_MUST enum sb_err directory_user_delete(struct engine *e, const char *oid, struct sb_error *err);
/* SB_EINVALIDGRANT. */
SB_MUST enum sb_err directory_user_sign_in(struct engine *e, const char *upn, const char *password,
                                           struct sb_arena *a, struct dir_user *ret, struct sb_error *err);

/* A token about a user for an application: for a resource, or (id) an ID token. */
struct user_token {
    const struct dir_user *user;
    const char *client_id;
    bool proven;        /* the application proved who it is */
    const char *aud;    /* of an access token */
    const char *scp;    /* likewise */
    bool id;            /* an ID token: aud is the client */
    bool v1;            /* … of version 1.0 */
    const char *issuer; /* of an ID token of version 2.0 */
    const char *nonce;  /* of an ID token, or NULL */
    int64_t lifetime_s;
};
SB_MUST enum sb_err directory_user_issue(struct engine *e, const struct user_token *t, struct sb_arena *a,
                                         char **ret, struct sb_error *err);

/* ---- what users grant ---- */
SB_MUST enum sb_err directory_grant_refresh(struct engine *e, const struct dir_client *client,
                                            const struct dir_user *user, struct sb_arena *a, char **ret,
                                            struct sb_error *err);
/* Whose is it? SB_EINVALIDGRANT when it is not ours, another application's, too old or revoked. */
SB_MUST enum sb_err directory_grant_use_refresh(struct engine *e, const struct dir_client *client,
                                                const char *token, struct sb_arena *a, struct dir_user *ret,
                                                struct sb_error *err);

#define GRANT_CODES_MAX 1000 /* waiting at one time; then SB_ELIMIT */

struct device_grant {
    char device_code[48], user_code[12], client_id[40];
    const char *scope; /* as asked for: a scope list, or a resource */
    int64_t expires_ms;
};
/* client_id and scope in; the codes out. */
SB_MUST enum sb_err directory_grant_device(struct engine *e, const char *client_id, const char *scope,
                                           struct sb_arena *a, struct device_grant *ret,
                                           struct sb_error *err);
/* Those that wait for a decision, the oldest first. */
SB_MUST enum sb_err directory_grant_waiting(struct engine *e, struct sb_arena *a, struct device_grant **ret,
                                            size_t *ret_n, struct sb_error *err);
/* oid NULL: declined. SB_ENOTFOUND: no such user code waits. */
SB_MUST enum sb_err directory_grant_decide(struct engine *e, const char *user_code, const char *oid,
                                           struct sb_error *err);
/* The application asks: SB_EAUTHPENDING, SB_EAUTHDECLINED, SB_ECODEEXPIRED, SB_EINVALIDGRANT; a granted code
 * is used up. */
SB_MUST enum sb_err directory_grant_poll(struct engine *e, const char *client_id, const char *device_code,
                                         struct sb_arena *a, struct dir_user *ret, const char **ret_scope,
                                         struct sb_error *err);

struct code_grant {
    const char *client_id, *redirect_uri, *scope;
    const char *challenge; /* of PKCE; NULL: none */
    bool plain;            /* the challenge is the verifier itself */
    const char *nonce;     /* or NULL */
    const char *oid;       /* the user's */
};
SB_MUST enum sb_err directory_grant_code(struct engine *e, const struct code_grant *g, struct sb_arena *a,
                                         const char **ret_code, struct sb_error *err);
/* Once. want: client_id and redirect_uri, as the application sends them. SB_EINVALIDGRANT. */
SB_MUST enum sb_err directory_grant_redeem(struct engine *e, const struct code_grant *want, const char *code,
                                           const char *verifier, struct sb_arena *a, struct code_grant *ret,
                                           struct dir_user *ret_user, struct sb_error *err);

#endif
