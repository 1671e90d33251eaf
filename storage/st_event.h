/*
 * st_event.h: the event log of either database, and the faults that tests set on vaults (keyvault.db).
 */
#ifndef SB_ST_EVENT_H
#define SB_ST_EVENT_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/arena.h"
#include "server/base/err.h"
#include "storage/store.h"

#define EVENT_STREAM_KEY   "key"   /* the service's log of customer-managed keys */
#define EVENT_STREAM_AUDIT "audit" /* the vaults' audit log */

struct st_event {
    int64_t id; /* st_event_add: 0 for the next one */
    int64_t time_ms;
    const char *stream; /* EVENT_STREAM_ one of */
    /* Each may be NULL. */
    const char *op;
    const char *category;
    const char *resource_id;
    const char *vault;
    const char *key;
    const char *version;
    const char *code;
    const char *message;
    const char *activity_id;
    const char *identity;
    const char *result;
    int64_t http_status; /* 0: none */
};

SB_MUST enum sb_err st_event_add(struct tx *tx, const struct st_event *e, struct sb_error *err);
/* At most limit events with an id above since_id, oldest first; texts are the arena's. */
SB_MUST enum sb_err st_event_list(struct tx *tx, int64_t since_id, size_t limit, struct sb_arena *a,
                                  struct st_event **ret, size_t *ret_n, struct sb_error *err);
/* Lowest and highest id in the log; both 0 when it is empty. */
SB_MUST enum sb_err st_event_bounds(struct tx *tx, int64_t *ret_min, int64_t *ret_max, struct sb_error *err);
/* Deletes all but the newest keep_rows ids. */
SB_MUST enum sb_err st_event_trim(struct tx *tx, int64_t keep_rows, struct sb_error *err);

/* Faults: keyvault.db only. */
struct st_fault {
    const char *target; /* the vault's name, case ignored */
    const char *kind;   /* "unreachable", "timeout", "throttle", "error" */
    int64_t remaining;  /* how many calls it still meets; 0: until cleared */
    int64_t status;     /* 0: the kind's own */
    const char *scope;  /* NULL: none given */
};

/* Takes the place of the vault's earlier fault. */
SB_MUST enum sb_err st_fault_put(struct tx *tx, const struct st_fault *f, struct sb_error *err);
SB_MUST enum sb_err st_fault_list(struct tx *tx, struct sb_arena *a, struct st_fault **ret, size_t *ret_n,
                                  struct sb_error *err);
/* target NULL: every fault. */
SB_MUST enum sb_err st_fault_clear(struct tx *tx, const char *target, struct sb_error *err);
/* One call has met it: counts down and removes it at the end. SB_ENOTFOUND when the vault has none. */
SB_MUST enum sb_err st_fault_decrement(struct tx *tx, const char *target, struct sb_error *err);

#endif
