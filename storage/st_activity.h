/* st_activity.h: rows of the activity log (keyvault.db). All functions run inside a transaction of that
 * database. */
#ifndef SB_ST_ACTIVITY_H
#define SB_ST_ACTIVITY_H

#include "storage/store.h"

struct st_activity {
    int64_t id; /* given by the database */
    int64_t time_ms;
    const char *sub, *group; /* group NULL: the subscription's */
    const char *resource, *action, *method;
    int64_t http_status;
    const char *code, *message; /* of a failure; NULL: none */
    const char *caller, *oid, *appid;
    const char *event_id, *correlation_id, *request_id;
    const char *client_request_id; /* NULL: none */
    const char *client_ip;
};

/* What is asked for; NULL: whatever. Names compare whatever their case. */
struct st_activity_query {
    const char *sub, *group, *resource, *correlation_id, *caller;
    const char *provider;   /* "Microsoft.ServiceBus" */
    int64_t from_ms, to_ms; /* both included */
    int64_t before_id;      /* older ones than this */
    size_t limit;
};

SB_MUST enum sb_err st_activity_add(struct tx *tx, const struct st_activity *x, struct sb_error *err);
/* Deletes all but the newest `keep`. */
SB_MUST enum sb_err st_activity_trim(struct tx *tx, int64_t keep, struct sb_error *err);
/* The newest first. */
SB_MUST enum sb_err st_activity_list(struct tx *tx, const struct st_activity_query *q, struct sb_arena *a,
                                     struct st_activity **ret, size_t *ret_n, struct sb_error *err);

#endif
