/*
 * poller_pass.h: one look at the customer keys of one namespace, in steps, so that a poll and a PUT (which
 * polls what it keeps) share them. The caller holds the namespace's turn (ns_claim) from before the record is
 * read to the end.
 *
 *     pass_begin -> pass_probe -> pass_decide     calls to the vault; nothing is changed yet
 *     pass_write                                  inside the transaction, with what else the caller writes
 *     pass_publish                                on the sb thread, after the commit
 *     pass_end                                    in any case: wipes
 */
#ifndef SB_POLLER_PASS_H
#define SB_POLLER_PASS_H

#include "server/engine/ns_priv.h"
#include "server/engine/poller.h"
#include "storage/st_event.h"

/* What a probe found beside the pure part. */
struct pass_key {
    struct principal who;
    bool has_who;
    bool fresh;          /* a new entry of a PUT: validated and wrapped a moment ago, not probed again */
    int code;            /* of the first refusal: 403, 404, 429, 503…; 0: none */
    const char *message; /* of the log */
    const char *current; /* the version that is to hold the root key; NULL: unknown */
    struct sb_blob rewrapped;
    bool changed;
};

#define PASS_EVENTS_MAX  (4 * NS_KEYS_MAX)
#define PASS_CHANGES_MAX (NS_KEYS_MAX + 1)

struct pass {
    struct engine *e;
    struct sb_arena *a;
    struct ns_record r;             /* as stored */
    struct nskey keys[NS_KEYS_MAX]; /* from pass_decide on: as they will be */
    size_t n;
    bool replace; /* the caller writes the whole list itself */
    struct probe probes[NS_KEYS_MAX];
    struct pass_key f[NS_KEYS_MAX];
    struct cmem_key *root;              /* opened from a wrap, or given; NULL: none (yet) */
    bool root_cached;                   /* the namespace holds its root key in memory */
    bool first;                         /* it has not been polled since the start */
    bool hurried;                       /* time is being made to pass: proof counts */
    struct ns_proof proof, fresh_proof; /* of earlier passes; of this one */
    bool reproved;                      /* some wrap went by an earlier proof */
    struct keyring *ring;               /* to be published; NULL: the namespace keeps what it has */
    struct decision d;
    enum ns_status live; /* what it was in memory */
    bool changed;        /* rows are to be written */
    int64_t now;
    char activity[40];
    struct st_event events[PASS_EVENTS_MAX];
    size_t events_n;
    struct poll_change changes[PASS_CHANGES_MAX];
    size_t changes_n;
};

/* Takes the record's keys; the caller may then edit keys, n, f[].fresh. Texts live in a.
 *
 * hurried: a poll of the timeline. When a clock is advanced by days, hundreds of polls a day fall due within
 * a moment. A wrap that this process opened within the last interval of real time is not opened again then,
 * as long as nothing in keyvault.db has changed since and the wrap is the same; permission, state, dates,
 * faults and audit are looked at each time. */
void pass_begin(struct pass *p, struct engine *e, struct sb_arena *a, const struct ns_record *r,
                bool hurried);
/* Asks the vault about every key that is not fresh. Fails only when the emulator itself does. Blocks. */
SB_MUST enum sb_err pass_probe(struct pass *p, struct sb_error *err);
/* Tries to open one stored wrap, whatever else its key would refuse (semantics 15: "opens"); leaves p->root
 * NULL when it does not. */
SB_MUST enum sb_err pass_open(struct pass *p, const struct nskey *k, struct sb_error *err);
/* Decides, wraps again what is to be wrapped again, and works out rows, log and ring. Blocks. */
SB_MUST enum sb_err pass_decide(struct pass *p, struct sb_error *err);
SB_MUST enum sb_err pass_write(struct pass *p, struct tx *tx, struct sb_error *err);
/* The log alone. */
SB_MUST enum sb_err pass_write_log(struct pass *p, struct tx *tx, struct sb_error *err);
void pass_publish(struct pass *p); /* and pass_tell */
void pass_end(struct pass *p);
/* One more row for the log; version and message may be NULL. */
void pass_log(struct pass *p, const struct nskey *k, const char *op, int code, const char *version,
              const char *message);
/* Tells timeline and log of the poll and what has changed. */
void pass_tell(const struct pass *p);

#endif
