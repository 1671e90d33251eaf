/*
 * ns_child.h: small resources below a namespace that have no engine of their own: network rule sets, private
 * endpoint connections, filter rules, migrations. The ARM layer says what stands in them; here they are kept
 * and found. All calls block.
 */
#ifndef SB_NS_CHILD_H
#define SB_NS_CHILD_H

#include "server/engine/ns.h"

#define NS_CHILDREN_MAX 128 /* of a kind; documented for IP rules */

struct child {
    const char *name, *body; /* JSON */
};

SB_MUST enum sb_err ns_child_put(struct engine *e, int64_t ns, const char *kind, const struct child *c,
                                 struct sb_error *err);
/* *ret_found false: there is none of that name. */
SB_MUST enum sb_err ns_child_get(struct engine *e, int64_t ns, const char *kind, const char *name,
                                 struct sb_arena *a, bool *ret_found, struct child *ret,
                                 struct sb_error *err);
SB_MUST enum sb_err ns_child_list(struct engine *e, int64_t ns, const char *kind, struct sb_arena *a,
                                  struct child **ret, size_t *ret_n, struct sb_error *err);
SB_MUST enum sb_err ns_child_delete(struct engine *e, int64_t ns, const char *kind, const char *name,
                                    bool *ret_existed, struct sb_error *err);

#endif
