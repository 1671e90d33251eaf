/*
 * ns_priv.h: what the files of the namespace (ns*.c) and the poller share; nobody else includes it.
 */
#ifndef SB_NS_PRIV_H
#define SB_NS_PRIV_H

#include <stdio.h>
#include "server/engine/ns.h"
#include "storage/st_namespace.h"

#define NS_RULE_KEY_MAX 64 /* base64 of 32 bytes, with room */
#define NS_UAIS_MAX     4  /* [doc] up to 4 user-assigned identities per namespace */
#define NS_ARENA_MAX    (64u << 20)
#define NS_POLL_WAIT_MS 5000 /* 13: how long a request waits for a namespace's first poll */
#define NS_ROOT_AAD_MAX 32

/* A namespace as stored: what ARM shows and what opens it. */
struct ns_record {
    struct ns_view v;
    struct sb_blob root, check;
    uint32_t generation;
    uint64_t reserved;
};

/* ---- ns.c, ns_table.c: records and the table in memory ---- */

/* Reads one, by id or (id 0) by name; v->status is the stored one. */
SB_MUST enum sb_err ns_record_read(struct tx *tx, int64_t id, const char *name, struct sb_arena *a,
                                   bool *ret_found, struct ns_record *ret, struct sb_error *err);
/* The same from another thread, with what only memory knows: live status, times of the polls. */
SB_MUST enum sb_err ns_record_get(struct engine *e, int64_t id, const char *name, struct sb_arena *a,
                                  bool *ret_found, struct ns_record *ret, struct sb_error *err);
/* One at a time changes a namespace's keys: a PUT, a DELETE or a poll. Waits for its turn; false when there
 * is no such namespace (any more). Blocks; not on the sb thread, not under engine_lock. */
bool ns_claim(struct engine *e, int64_t id);
void ns_release(struct engine *e, int64_t id);
/* An empty table (ns_close ends it). */
SB_MUST enum sb_err ns_table_open(struct engine *e, struct sb_error *err);
/* Room for one more namespace, so that ns_table_add cannot fail; false: out of memory. Takes engine_lock. */
bool ns_table_reserve(struct engine *e);
/* sb thread, after the commit, under engine_lock: the row has become a memory object / its end. n is the
 * table's. */
void ns_table_add(struct engine *e, struct ns *n);
void ns_table_remove(struct engine *e, struct ns *n);
struct ns *ns_new(const struct ns_view *v); /* NULL: out of memory */
void ns_free(struct ns *n);                 /* wipes; NULL is ok */
/* Wakes those who wait for a first poll or for their turn. Under engine_lock. */
void ns_wake(struct engine *e);
/* The root key a namespace holds in memory; *ret NULL when it has none. Blocks. */
SB_MUST enum sb_err ns_root(struct engine *e, int64_t id, struct cmem_key **ret, struct sb_error *err);
/* What a plain namespace's sealed root key is bound to. */
static inline void ns_root_aad(int64_t id, char dst[NS_ROOT_AAD_MAX])
{
    (void)snprintf(dst, NS_ROOT_AAD_MAX, "ns-root/%lld", (long long)id);
}
/* A keyring over this root key, with the namespace's second layer when it has one (semantics 19). */
SB_MUST enum sb_err ns_make_ring(struct engine *e, const struct ns_record *r, int64_t id,
                                 const struct cmem_key *root, struct keyring **ret, struct sb_error *err);
/* Object id behind a key entry; NULL: the namespace has no such identity. */
const char *ns_key_oid(const struct ns_view *v, const struct nskey *k);
/* Who the namespace is to the vault, for this key entry: the named user-assigned identity or its own
 * (semantics 4). *ret_found false: it has no such identity (any more). */
SB_MUST enum sb_err ns_key_principal(struct engine *e, const struct ns_view *v, const struct nskey *k,
                                     bool *ret_found, struct principal *ret, struct sb_error *err);
/* "/subscriptions/…/namespaces/NAME" in the arena. */
const char *ns_resource_id(struct sb_arena *a, const char *sub, const char *group, const char *name);
/* What is tidied up after a commit (or after a failure) cannot change the answer any more: if it fails, that
 * is logged. */
void ns_tidied(const char *what, enum sb_err rc);
/* SB_ENOTFOUND in the gateway's recorded words. */
enum sb_err ns_missing(struct sb_error *err, const char *name, const char *group);
/* Rows to write from a record's keys. */
struct st_ns_key ns_key_row(const struct nskey *k);

/* That this process has opened these very wraps, and when: see pass_begin. Kept with the namespace in memory.
 */
struct ns_proof {
    int64_t mono;   /* clock_monotonic; 0: no proof */
    uint64_t epoch; /* of keyvault.db */
    size_t n;
    uint8_t wraps[NS_KEYS_MAX][32]; /* SHA-256 of each wrap; zeros: not opened */
    struct principal who;           /* the identity it was done with */
};
/* Copies out, or keeps (proof given). Takes engine_lock. */
void ns_proof_get(struct engine *e, int64_t id, struct ns_proof *ret);
void ns_proof_keep(struct engine *e, int64_t id, const struct ns_proof *proof);

/* ---- ns_end.c ---- */

/* Whatever is being done to it, and whoever it is paired with. */
SB_MUST enum sb_err ns_delete_now(struct engine *e, const char *sub, const char *group, const char *name,
                                  bool *ret_existed, struct sb_error *err);

/* ---- ns_move.c ---- */

/* Under engine_lock: from now on, for the configured time. Does nothing when that is none. */
void ns_move_begin(struct engine *e, struct ns *n, enum ns_move move, int64_t now);
/* The same after a restart, as far as the row tells. */
void ns_move_resume(struct engine *e, struct ns *n, const struct st_ns *row);
/* Under engine_lock or on the sb thread: what is being done to it now. */
enum ns_move ns_move_now(struct engine *e, const struct ns *n);
/* SB_EBUSY in the recorded words while something is. Under engine_lock or on the sb thread. */
SB_MUST enum sb_err ns_move_check(struct engine *e, const struct ns *n, struct sb_error *err);

/* ---- ns_rules.c ---- */

struct ns_rules;
struct ns_rules *ns_rules_new(void);
void ns_rules_free(struct ns_rules *r);
/* One row as loaded. */
SB_MUST enum sb_err ns_rules_load(struct ns *n, const struct st_ns_rule *row, struct sb_error *err);
/* RootManageSharedAccessKey, sealed, for a namespace that is being made: the row, in the arena, ns still 0.
 */
SB_MUST enum sb_err ns_rules_birth(struct engine *e, struct sb_arena *a, struct st_ns_rule *ret,
                                   struct sb_error *err);

/* ---- ns_check.c ---- */

/* What a PUT or PATCH asks for, beside what is there. */
struct ns_wish {
    const struct ns_spec *s;
    const struct ns_view *now; /* NULL: it is being created */
    size_t entities;           /* queues and topics it holds */
    const char *sku;           /* as it will be */
    enum identity_type identity;
    const struct ns_uai *uais;
    size_t uais_n;
};
/* The name's form alone: SB_EINVAL and why. */
SB_MUST enum sb_err ns_check_name(const char *name, struct sb_error *err);
/* Every condition that needs no call to a vault (semantics 1-3, 15). */
SB_MUST enum sb_err ns_check_wish(const struct ns_wish *w, struct sb_error *err);
/* Vault and key of a new entry (semantics 4), through the vault with the namespace's identity: *ret_version
 * is the version to wrap under. Blocks. */
SB_MUST enum sb_err ns_check_key(struct engine *e, const struct ns_view *v, const struct nskey *k,
                                 struct sb_arena *a, const char **ret_version, struct sb_error *err);
/* Wraps root under that version: fills in wrapped and wrapped_version. Blocks. */
SB_MUST enum sb_err ns_check_wrap(struct engine *e, const struct ns_view *v, struct nskey *k,
                                  const char *version, const struct cmem_key *root, struct sb_arena *a,
                                  struct sb_error *err);
/* Do two entries name the same thing? Vault, name and version; NULL and "" are both versionless (semantics
 * 8). */
bool ns_key_same(const struct nskey *a, const struct nskey *b);

/* ---- ns_keys.c: the new list of a PUT (semantics 15) ---- */

struct ns_plan {
    struct nskey keys[2 * NS_KEYS_MAX]; /* the new list */
    bool fresh[2 * NS_KEYS_MAX];        /* to be validated and wrapped */
    size_t n;
    const struct nskey *removed[NS_KEYS_MAX]; /* shown, not sent */
    size_t removed_n;
    const struct nskey *dropped[NS_KEYS_MAX]; /* hidden, gave way to the three */
    size_t dropped_n;
    bool changed; /* the keys change: they are polled (semantics 7) */
};
/* Pure. revived[i]: sent entry i matches a hidden one whose wrapping version is gone, so it counts as new. */
void ns_plan_keys(const struct nskey *have, size_t have_n, const struct nskey *sent, size_t sent_n,
                  const bool *revived, struct ns_plan *ret);

#endif
