/*
 * route.h: the route table. A row is all there is to know about an operation before its handler runs: planes'
 * preconditions are flags in the row, enforced once by the dispatcher. Each api file exports its rows;
 * routes.c joins them.
 *
 * Templates: literals match ignoring case; {name} matches one segment; {name*} the rest (may hold slashes;
 * must be last or followed by literals); empty segments (a trailing slash, "//") are ignored. More literal
 * segments win over fewer. The value of {name*} is its decoded segments joined by "/", without a leading one.
 */
#ifndef SB_ROUTE_H
#define SB_ROUTE_H

#include <stddef.h>
#include <stdint.h>
#include "server/base/err.h"

struct request;

enum plane { PLANE_ARM, PLANE_LOGIN, PLANE_VAULT, PLANE_BUS, PLANE_GRAPH, PLANE_CONTROL, PLANE_MAX };

#define R_JSON    0x001u /* body must be JSON; r->json */
#define R_EMPTYOK 0x002u /* … or empty */
#define R_AUTH    0x004u /* a bearer token of this plane (Service Bus: or SAS) */
#define R_APIVER  0x008u /* api-version is required */
#define R_INLINE  0x010u /* handler does not block: runs on the listener thread */
#define R_SLOW    0x020u /* seconds of work (key generation): runs on the slow pool */
#define R_FORM    0x040u /* body is a form; the handler reads it */
#define R_SEND    0x080u /* Service Bus: needs Send */
#define R_LISTEN  0x100u /* Service Bus: needs Listen */
#define R_MANAGE  0x200u /* Service Bus: needs Manage */
#define R_LENIENT 0x400u /* the handler parses the body itself (az sends deployments that are not JSON) */

struct route {
    const char *method;
    enum plane plane;
    const char *path;
    unsigned flags;
    uint32_t max_body;
    enum sb_err (*handler)(struct request *r, struct sb_error *err);
    const char *op; /* name in logs, capabilities and tests: "ArmNamespacePut" */
};

struct route_table {
    const struct route *rows;
    size_t n;
};

/* Every table there is (routes.c): an array of pointers to them. */
const struct route_table *const *route_tables(size_t *ret_n);

/* ---- matching (route.c) ---- */
struct route_index;
/* Sorts rows by plane, number of segments and literals. NULL: out of memory. Borrows the tables. */
struct route_index *route_index_new(const struct route_table *const *tables, size_t n);
void route_index_free(struct route_index *ix);
/* The index over route_tables(), made at the first call and kept. NULL: out of memory. */
const struct route_index *route_index_all(void);
/* The same over the rows for resources of providers that are not emulated: looked at when no other row fits.
 */
const struct route_index *route_index_generic(void);
/* Finds the row for r->plane, r->method and r->path; sets r->route and r->params. SB_ENOROUTE; SB_EMETHOD,
 * then *ret_allow ("GET, PUT", from the arena) tells what would do; SB_EBADREQUEST for a malformed escape or
 * too many segments. */
SB_MUST enum sb_err route_match(const struct route_index *ix, struct request *r, const char **ret_allow,
                                struct sb_error *err);

/* One table per api file; a new file is one line here and one in routes.c. */
extern const struct route_table routes_arm_core;            /* arm_core.c: subscriptions, tenants, providers,
                                                               metadata/endpoints, generic resources */
extern const struct route_table routes_arm_group;           /* arm_group.c */
extern const struct route_table routes_arm_identity;        /* arm_identity.c */
extern const struct route_table routes_arm_federated;       /* arm_federated.c */
extern const struct route_table routes_arm_role;            /* arm_role.c */
extern const struct route_table routes_arm_role_definition; /* arm_role_definition.c */
extern const struct route_table routes_arm_vault;           /* arm_vault.c */
extern const struct route_table routes_arm_vault_key;       /* arm_vault_key.c */
extern const struct route_table routes_arm_diagnostic;      /* arm_diagnostic.c */
extern const struct route_table routes_arm_deployment;      /* arm_deployment.c */
extern const struct route_table routes_arm_namespace;       /* arm_namespace.c */
extern const struct route_table routes_arm_entity;          /* arm_entity.c */
extern const struct route_table routes_arm_alias;           /* arm_alias.c */
extern const struct route_table routes_arm_tags;            /* arm_tags.c */
extern const struct route_table routes_arm_activity;        /* arm_activity.c */
extern const struct route_table routes_arm_bus;             /* arm_bus.c */
extern const struct route_table routes_arm_operations;      /* arm_operations.c */
extern const struct route_table routes_arm_child;           /* arm_child.c */
extern const struct route_table routes_entra;               /* entra.c */
extern const struct route_table routes_graph;               /* graph.c */
extern const struct route_table routes_vault_keys;          /* vault_keys.c */
extern const struct route_table routes_vault_keys_crypt;    /* vault_keys_crypt.c */
extern const struct route_table routes_vault_secrets;       /* vault_secrets.c */
extern const struct route_table routes_vault_other;         /* vault_other.c */
extern const struct route_table routes_data;                /* data_messages.c */
extern const struct route_table routes_arm_generic;         /* arm_generic.c */
extern const struct route_table routes_control;             /* control.c */

#endif
