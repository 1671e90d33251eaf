/* directory_private.h: the directory's inside, shared by directory*.c and rbac.c. */
#ifndef SB_DIRECTORY_PRIVATE_H
#define SB_DIRECTORY_PRIVATE_H

#include "crypto/clientcert.h"
#include "crypto/pkey.h"
#include "server/engine/directory.h"
#include "server/engine/directory_user.h"
#include "storage/st_directory.h"

#define DIRECTORY_ARENA_BYTES ((size_t)1 << 20) /* for one principal's rows */
#define SECRET_LEN            48                /* a salt and a keyed digest */

struct token_cache;
struct grants;

struct directory_client {
    char id[40];
    char oid[40];
    char app_oid[40];   /* of the application object */
    const char *secret; /* the configuration's; NULL: none */
};

struct directory_cert {
    const struct directory_client *client;
    struct clientcert cert;
};

struct directory_user {
    char oid[40];
    const char *upn;
    uint8_t password[SECRET_LEN];
};

struct directory {
    struct sb_arena *arena; /* what is loaded from the configuration */
    struct pkey *key;       /* signs tokens */
    char kid[32];
    struct cmem_key *secrets; /* digests passwords */
    struct directory_client *clients;
    size_t clients_n;
    struct directory_cert *certs;
    size_t certs_n;
    struct directory_user *users;
    size_t users_n;
    struct token_cache *cache;
    struct grants *grants;
};

/* The principal of the configuration with this object id; false: none. Any thread, the store's own too. */
bool directory_configured_principal(const struct engine *e, const char *oid, struct principal *ret);
/* NULL: no such application. Client ids compare whatever their case. */
const struct directory_client *directory_client(const struct engine *e, const char *client_id);
struct principal directory_client_principal(const struct directory_client *c);
/* An object id that follows from a text: the same at each start. */
void directory_derive_oid(const char *kind, const char *text, char oid[40]);
/* The name of an application that is shown when it was given none. */
const char *directory_client_name(const struct directory_client *c, struct sb_arena *a);
/* Keyed digest of a secret, with a fresh salt; and is this it? */
SB_MUST enum sb_err directory_secret_make(const struct engine *e, const char *secret, uint8_t ret[SECRET_LEN],
                                          struct sb_error *err);
/* The same with the salt that stands in ret already. */
SB_MUST enum sb_err directory_secret_digest(const struct engine *e, const char *secret,
                                            uint8_t ret[SECRET_LEN], struct sb_error *err);
bool directory_secret_is(const struct engine *e, struct sb_blob stored, const char *secret);
/* "https://{login name}[:port]" in front of url? *ret_rest is what follows. */
bool directory_login_url(const char *url, const char **ret_rest);

/* directory_token.c */
SB_MUST enum sb_err token_cache_new(struct token_cache **ret, struct sb_error *err);
void token_cache_free(struct token_cache *c);

/* directory_grant.c */
SB_MUST enum sb_err directory_grant_open(struct engine *e, struct sb_error *err);
void directory_grant_close(struct engine *e);
/* Ends every code and refresh token. */
SB_MUST enum sb_err directory_grant_reset(struct engine *e, struct sb_error *err);

#endif
