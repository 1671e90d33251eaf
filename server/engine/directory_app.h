/*
 * directory_app.h: applications, their service principals and credentials: those of the configuration, and
 * those registered through Graph (durable, gone at a reset).
 *
 * An application is signed in by its appid; what it may do hangs on its service principal's object id.
 * Secrets are kept as keyed digests: nobody, the emulator included, can read one again. All functions block
 * until durable; results are in the caller's arena.
 */
#ifndef SB_DIRECTORY_APP_H
#define SB_DIRECTORY_APP_H

#include "server/engine/directory.h"

struct dir_app {
    const char *oid, *appid, *name;
    const char *body; /* the members that only Graph looks at: a JSON object */
    bool public_client;
    bool configured; /* from the command line: cannot be changed */
    int64_t created_ms;
};

struct dir_sp {
    struct principal who;
    const char *name, *body; /* body NULL: of a managed identity or of the configuration */
    bool configured;
    int64_t created_ms; /* 0: unknown */
};

struct dir_credential {
    const char *id;
    bool certificate;
    const char *name, *hint; /* hint: the first characters of a password; NULL: none */
    int64_t start_ms, end_ms;
    struct sb_blob der; /* of a certificate */
};

/* ---- applications ---- */
SB_MUST enum sb_err directory_app_create(struct engine *e, const struct dir_app *want, struct sb_arena *a,
                                         struct dir_app *ret, struct sb_error *err);
/* key: object id, or (by_appid) application id. */
SB_MUST enum sb_err directory_app_get(struct engine *e, const char *key, bool by_appid, struct sb_arena *a,
                                      bool *ret_found, struct dir_app *ret, struct sb_error *err);
/* The configured ones first, then the oldest first. */
SB_MUST enum sb_err directory_app_list(struct engine *e, struct sb_arena *a, struct dir_app **ret,
                                       size_t *ret_n, struct sb_error *err);
/* name, body, public_client of the application with want->oid. SB_ENOTFOUND; SB_EDENIED: configured. */
SB_MUST enum sb_err directory_app_update(struct engine *e, const struct dir_app *want, struct sb_error *err);
/* With its service principal and their credentials. SB_ENOTFOUND, SB_EDENIED. */
SB_MUST enum sb_err directory_app_delete(struct engine *e, const char *oid, struct sb_error *err);

/* ---- service principals ---- */
/* SB_ENOTFOUND: no such application; SB_EEXISTS: it has one. */
SB_MUST enum sb_err directory_app_install(struct engine *e, const char *appid, const char *body,
                                          struct sb_arena *a, struct dir_sp *ret, struct sb_error *err);
SB_MUST enum sb_err directory_app_sp(struct engine *e, const char *key, bool by_appid, struct sb_arena *a,
                                     bool *ret_found, struct dir_sp *ret, struct sb_error *err);
/* Of applications, not of managed identities; the configured ones first. */
SB_MUST enum sb_err directory_app_sps(struct engine *e, struct sb_arena *a, struct dir_sp **ret,
                                      size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err directory_app_sp_update(struct engine *e, const char *oid, const char *body,
                                            struct sb_error *err);
/* SB_ENOTFOUND, SB_EDENIED. */
SB_MUST enum sb_err directory_app_sp_delete(struct engine *e, const char *oid, struct sb_error *err);

/* ---- credentials; owner: object id of an application or service principal ---- */
/* Makes a password: *ret_secret is the only copy there will ever be. want: name, start_ms, end_ms. */
SB_MUST enum sb_err directory_app_add_password(struct engine *e, const char *owner, const char *appid,
                                               const struct dir_credential *want, struct sb_arena *a,
                                               struct dir_credential *ret, const char **ret_secret,
                                               struct sb_error *err);
/* SB_ENOTFOUND. */
SB_MUST enum sb_err directory_app_drop_password(struct engine *e, const char *owner, const char *id,
                                                struct sb_error *err);
/* Replaces the owner's certificates by these. SB_EBADPARAM: one of them is none. */
SB_MUST enum sb_err directory_app_set_certificates(struct engine *e, const char *owner, const char *appid,
                                                   struct dir_credential *list, size_t n,
                                                   struct sb_error *err);
SB_MUST enum sb_err directory_app_credentials(struct engine *e, const char *owner, struct sb_arena *a,
                                              struct dir_credential **ret, size_t *ret_n,
                                              struct sb_error *err);

/* SHA-1 of a certificate as base64, as Graph shows it; NULL: out of memory, or it is a password. */
const char *directory_app_thumbprint(const struct dir_credential *c, struct sb_arena *a);

/* ---- signing in ---- */
/* An application that is known by this id: a configured or registered one, or one of the service's own that
 * everybody has (az, PowerShell, Visual Studio). SB_EUNKNOWNCLIENT. */
struct dir_client {
    const char *appid, *name;
    bool confidential; /* has to prove who it is in every flow */
    bool family;       /* shares its refresh tokens with the others of its family */
};
SB_MUST enum sb_err directory_app_client(struct engine *e, const char *appid, struct sb_arena *a,
                                         struct dir_client *ret, struct sb_error *err);
/* By secret, in constant time: SB_EUNKNOWNCLIENT, SB_EINVALIDCLIENT. */
SB_MUST enum sb_err directory_sign_in(struct engine *e, const char *client_id, const char *secret,
                                      struct principal *ret, struct sb_error *err);
/* By an assertion signed with a registered certificate (private_key_jwt). client_id NULL: the assertion's. */
SB_MUST enum sb_err directory_assertion_sign_in(struct engine *e, const char *client_id,
                                                const char *assertion, struct principal *ret,
                                                struct sb_error *err);

#endif
