/* ns_put.h: one PUT or PATCH on its way, for ns_put.c and ns_put_keys.c alone. */
#ifndef SB_NS_PUT_H
#define SB_NS_PUT_H

#include "server/engine/poller_pass.h"

struct put {
    struct engine *e;
    const struct ns_spec *s; /* normalised */
    struct sb_arena *a;
    int64_t now;
    int64_t claimed; /* whose turn is held; 0: none */
    bool exists;
    struct ns_record have;
    size_t entities;
    struct ns_view next; /* as it will be, but for the keys */
    bool enabling;       /* customer keys are being turned on */
    struct principal made;
    bool has_made;
    const char *gone; /* principal of a system-assigned identity that ends */
    struct ns_plan plan;
    struct pass *pass;     /* the keys as they will be, and the log; begun in any case */
    bool list_keys;        /* pass->keys is the new list */
    bool polled;           /* the keys were polled on the way (semantics 7, 15) */
    bool scrub;            /* a wrap goes */
    struct cmem_key *root; /* a new root key (created or enabling), or NULL */
    /* the transaction's */
    int64_t id;
    uint8_t check[32];
    struct keyring *ring;
    struct st_ns_rule birth;
    struct ns *n;
    bool committed;
};

struct ns_wish put_wish(const struct put *c);
/* A copy with what a client may write in several ways made one: URIs without their slash, vault names as
 * first labels. */
SB_MUST enum sb_err put_normal(const struct ns_spec *s, struct sb_arena *a, struct ns_spec *ret,
                               struct sb_error *err);
/* Works out the new list of keys: validates and wraps new entries, polls the others. Blocks; changes nothing.
 */
SB_MUST enum sb_err put_keys(struct put *c, struct sb_error *err);

#endif
