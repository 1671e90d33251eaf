/* directory_private.h: the directory's inside, shared by directory*.c and rbac.c. */
#ifndef SB_DIRECTORY_PRIVATE_H
#define SB_DIRECTORY_PRIVATE_H

#include "crypto/pkey.h"
#include "server/engine/directory.h"
#include "storage/st_directory.h"

struct token_cache;

struct directory_client {
    char id[40];
    char oid[40];
    const char *secret; /* the configuration's */
};

struct directory {
    struct pkey *key; /* signs tokens */
    char kid[32];
    struct directory_client *clients;
    size_t clients_n;
    struct token_cache *cache;
};

/* Is this the object id of a configured application? Any thread. */
bool directory_is_client(const struct engine *e, const char *oid);
/* NULL: no such application. Client ids compare whatever their case. */
const struct directory_client *directory_client(const struct engine *e, const char *client_id);
struct principal directory_client_principal(const struct directory_client *c);

/* directory_token.c */
SB_MUST enum sb_err token_cache_new(struct token_cache **ret, struct sb_error *err);
void token_cache_free(struct token_cache *c);

#endif
