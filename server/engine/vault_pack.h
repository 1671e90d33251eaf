/*
 * vault_pack.h: what a backup holds, as bytes: an object of a vault with all its versions, private parts and
 * values sealed. The bytes are sealed as a whole before they leave (vault_backup.c), so a reader meets only
 * what a writer made; it checks every length all the same.
 */
#ifndef SB_VAULT_PACK_H
#define SB_VAULT_PACK_H

#include "server/base/buf.h"
#include "storage/st_object.h"

#define VAULT_PACK_VERSIONS 500 /* documented: the most that a backup can hold */

struct vault_pack {
    enum st_kind kind;
    int64_t vault_id; /* where the sealed blobs are bound to */
    const char *name;
    struct st_object *versions; /* in the order they were made */
    size_t n;
};

/* SB_EBADPARAM when out's ceiling is too low. */
SB_MUST enum sb_err vault_pack_write(const struct vault_pack *p, struct sb_buf *out, struct sb_error *err);
/* Texts and blobs are in the arena. SB_EBADBACKUP. */
SB_MUST enum sb_err vault_pack_read(struct sb_blob in, struct sb_arena *a, struct vault_pack *ret,
                                    struct sb_error *err);

#endif
