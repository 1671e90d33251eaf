/* faults.h: what the Service Bus side (and, with scope all, data-plane clients) meets when it calls a vault
 * (contract 4). */
#ifndef SB_FAULTS_H
#define SB_FAULTS_H

#include "server/engine/engine.h"

enum fault_kind { FAULT_NONE, FAULT_UNREACHABLE, FAULT_TIMEOUT, FAULT_THROTTLE, FAULT_ERROR };

struct fault {
    char target[128]; /* vault name, lower case */
    enum fault_kind kind;
    bool all;      /* data-plane clients too */
    int64_t count; /* calls left; -1: until deleted */
    int status;    /* FAULT_ERROR: the HTTP status */
};

SB_MUST enum sb_err faults_open(struct engine *e,
                                struct sb_error *err); /* loads them: they survive a restart */
void faults_close(struct engine *e);
SB_MUST enum sb_err faults_put(struct engine *e, const struct fault *f, struct sb_error *err);
SB_MUST enum sb_err faults_clear(struct engine *e, const char *target /* NULL: all */, struct sb_error *err);
size_t faults_list(struct engine *e, struct fault *ret, size_t max);
/* Takes one hit for a call to this vault; client: a data-plane client calls, not the service. Fast when there
 * are none. */
enum fault_kind faults_hit(struct engine *e, const char *vault, bool client, int *ret_status);
const char *faults_kind_name(enum fault_kind k);
bool faults_kind_parse(const char *s, enum fault_kind *ret);

#endif
