/*
 * arm_child.c: the small resources below a namespace on the ARM plane: network rule sets, the IP and virtual
 * network rules of 2018-01-01-preview, private endpoint connections and private link resources. Shapes as
 * recorded and specified. They are stored and shown; connections are not filtered by them (choice: the
 * emulator listens on loopback).
 */
#include <string.h>
#include "api/arm_namespace.h"
#include "server/base/text.h"
#include "server/engine/ns_child.h"

#define BODY_MAX 65536u
#define NETWORK  "networkRuleSets"
#define TEXT_MAX 512

/* ---- what they share ---- */

static enum sb_err require(struct request *r, const char *type, const char *verb, struct ns_view *ret,
                           struct sb_error *err)
{
    const char *action = arena_printf(r->arena, "%s/%s", type, verb);
    if (action == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    return arm_ns_child(r, type, action, verb, ret, err);
}

static void begin(struct request *r, struct jw *w, const struct ns_view *v, const char *segment,
                  const char *name, const char *type)
{
    jw_obj(w, NULL);
    jw_str(w, "id",
           arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s/%s/%s", v->name, segment, name));
    jw_str(w, "name", name);
    jw_strf(w, "type", "Microsoft.ServiceBus/Namespaces/%s", type);
    jw_str(w, "location", v->location);
}

static enum sb_err missing(struct request *r, const char *type, const char *name, struct sb_error *err)
{
    return arm_not_found(
        err, arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s/%s", request_param(r, "ns"), type),
        name, request_param(r, "group"));
}

static enum sb_err one_of(const char *text, const char *const *allowed, size_t n, const char *what,
                          struct sb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (text == NULL || text_ieq(text, allowed[i]))
            return SB_OK;
    }
    return sb_fail(err, SB_EBADREQUEST, "The value '%.60s' of '%s' is not valid.", text, what);
}

/* "10.0.0.0" or "10.0.0.0/8". */
static bool is_mask(const char *s)
{
    int dots = 0;
    for (const char *p = s;;) {
        size_t n = strspn(p, "0123456789");
        if (n == 0 || n > 3)
            return false;
        int v = 0;
        for (size_t i = 0; i < n; i++)
            v = v * 10 + (p[i] - '0');
        bool last = dots == 4;
        if (v > (last ? 32 : 255))
            return false;
        p += n;
        if (*p == '\0')
            return dots >= 3;
        if (last || *p != (dots == 3 ? '/' : '.'))
            return false;
        dots++;
        p++;
    }
}

static enum sb_err check_mask(const char *mask, const char *where, struct sb_error *err)
{
    if (mask && is_mask(mask))
        return SB_OK;
    return sb_fail(err, SB_EBADREQUEST, "The value '%.60s' of '%s' is not an IPv4 address or range.",
                   mask ? mask : "", where);
}

/* ---- network rule sets ---- */

static enum sb_err write_vnets(struct jw *w, const struct json *list, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    jw_arr(w, "virtualNetworkRules");
    JSON_FOREACH (j, list) {
        const struct json *subnet = NULL;
        const char *id = NULL;
        int ignore = 0;
        static const char where[] = "properties.virtualNetworkRules";
        SB_TRY(json_opt_obj(j, where, "subnet", &subnet, err));
        SB_TRY(json_opt_str(subnet, where, "id", &id, err));
        SB_TRY(json_opt_bool(j, where, "ignoreMissingVnetServiceEndpoint", &ignore, err));
        if (id == NULL || strlen(id) > TEXT_MAX)
            return sb_fail(err, SB_EBADREQUEST, "Each of '%s' must name a subnet.", where);
        jw_obj(w, NULL);
        jw_obj(w, "subnet");
        jw_str(w, "id", id);
        jw_end_obj(w);
        jw_bool(w, "ignoreMissingVnetServiceEndpoint", ignore);
        jw_end_obj(w);
    }
    jw_end_arr(w);
out:
    return rc;
}

static enum sb_err write_ips(struct jw *w, const struct json *list, struct sb_error *err)
{
    static const char *const actions[] = {"Allow"};
    enum sb_err rc = SB_OK;
    jw_arr(w, "ipRules");
    JSON_FOREACH (j, list) {
        const char *mask = NULL, *action = NULL;
        SB_TRY(json_opt_str(j, "properties.ipRules", "ipMask", &mask, err));
        SB_TRY(json_opt_str(j, "properties.ipRules", "action", &action, err));
        SB_TRY(check_mask(mask, "properties.ipRules.ipMask", err));
        SB_TRY(one_of(action, actions, SB_ARRAY_LEN(actions), "properties.ipRules.action", err));
        jw_obj(w, NULL);
        jw_str(w, "ipMask", mask);
        jw_str(w, "action", "Allow");
        jw_end_obj(w);
    }
    jw_end_arr(w);
out:
    return rc;
}

/* Members behind publicNetworkAccess, which is the namespace's own. */
static enum sb_err read_network(const struct json *p, struct jw *w, struct sb_error *err)
{
    static const char *const actions[] = {"Allow", "Deny"};
    enum sb_err rc;
    const struct json *vnets = NULL, *ips = NULL;
    const char *action = NULL;
    int trusted = 0;
    SB_TRY(json_opt_str(p, "properties", "defaultAction", &action, err));
    SB_TRY(one_of(action, actions, SB_ARRAY_LEN(actions), "properties.defaultAction", err));
    SB_TRY(json_opt_arr(p, "properties", "virtualNetworkRules", &vnets, err));
    SB_TRY(json_opt_arr(p, "properties", "ipRules", &ips, err));
    SB_TRY(json_opt_bool(p, "properties", "trustedServiceAccessEnabled", &trusted, err));
    if (json_size(vnets) > NS_CHILDREN_MAX || json_size(ips) > NS_CHILDREN_MAX)
        return sb_fail(err, SB_EBADREQUEST, "A network rule set has at most %d rules of a kind.",
                       NS_CHILDREN_MAX);
    jw_obj(w, NULL);
    jw_str(w, "defaultAction", action && text_ieq(action, "Deny") ? "Deny" : "Allow");
    SB_TRY(write_vnets(w, vnets, err));
    SB_TRY(write_ips(w, ips, err));
    jw_bool(w, "trustedServiceAccessEnabled", trusted);
    jw_end_obj(w);
out:
    return rc;
}

/* segment: as sent in the answer to a PUT, lower case elsewhere (recorded). */
static void write_network(struct request *r, struct jw *w, const struct ns_view *v, const char *segment,
                          const char *body)
{
    static const char fresh[] = "{\"defaultAction\":\"Allow\",\"virtualNetworkRules\":[],\"ipRules\":[],"
                                "\"trustedServiceAccessEnabled\":false}";
    struct json *kept = NULL;
    if (body == NULL)
        body = fresh;
    if (json_parse(body, strlen(body), &kept, NULL) != SB_OK)
        kept = NULL;
    begin(r, w, v, segment, "default", "NetworkRuleSets");
    jw_obj(w, "properties");
    /* As specified: the first versions know neither of the two. */
    bool first = r->api_version && strncmp(r->api_version, "2021", 4) < 0;
    if (!first)
        jw_str(w, "publicNetworkAccess", v->public_access ? "Enabled" : "Disabled");
    JSON_FOREACH (j, kept) {
        if (!first || strcmp(json_key(j), "trustedServiceAccessEnabled") != 0)
            jw_raw(w, json_key(j), json_print(j, r->arena));
    }
    jw_end_obj(w);
    jw_end_obj(w);
    json_free(kept);
}

static enum sb_err network_get(struct request *r, bool list, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child c = {0};
    bool found = false;
    SB_TRY(require(r, NETWORK, "read", &v, err));
    SB_TRY(ns_child_get(r->e, v.id, NETWORK, "default", r->arena, &found, &c, err));
    struct jw w = reply_json(r, 200);
    if (list) {
        jw_obj(&w, NULL);
        jw_arr(&w, "value");
    }
    write_network(r, &w, &v, "networkrulesets", found ? c.body : NULL);
    if (list) {
        jw_end_arr(&w);
        jw_end_obj(&w);
    }
out:
    return rc;
}

static enum sb_err network_handler(struct request *r, struct sb_error *err)
{
    return network_get(r, false, err);
}

static enum sb_err network_list_handler(struct request *r, struct sb_error *err)
{
    return network_get(r, true, err);
}

static enum sb_err set_public_access(struct request *r, struct ns_view *v, bool on, struct sb_error *err)
{
    bool created;
    struct ns_spec s = ns_spec(v->sub, v->group, v->name);
    s.public_access = on;
    s.patch = true;
    return v->public_access == on ? SB_OK : ns_put(r->e, &s, r->arena, v, &created, err);
}

static enum sb_err network_put(struct request *r, struct sb_error *err)
{
    static const char *const accesses[] = {"Enabled", "Disabled", "SecuredByPerimeter"};
    enum sb_err rc;
    struct ns_view v;
    struct sb_buf b;
    struct jw kept;
    const struct json *p = NULL;
    const char *access = NULL;
    buf_init(&b, BODY_MAX);
    SB_TRY(require(r, NETWORK, "write", &v, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &p, err));
    SB_TRY(json_opt_str(p, "properties", "publicNetworkAccess", &access, err));
    SB_TRY(one_of(access, accesses, SB_ARRAY_LEN(accesses), "properties.publicNetworkAccess", err));
    jw_init(&kept, &b);
    SB_TRY(read_network(p, &kept, err));
    const struct child c = {"default", arena_strdup(r->arena, buf_str(&b))};
    if (buf_failed(&b) || c.body == NULL) {
        rc = sb_fail(err, SB_EBADREQUEST, "The network rule set is too large.");
        goto out;
    }
    SB_TRY(ns_child_put(r->e, v.id, NETWORK, &c, err));
    if (access)
        SB_TRY(set_public_access(r, &v, !text_ieq(access, "Disabled"), err));
    struct jw w = reply_json(r, 200);
    write_network(r, &w, &v, NETWORK, c.body);
out:
    buf_done(&b);
    return rc;
}

/* ---- the rules of 2018-01-01-preview ---- */

static enum sb_err read_ip(struct request *r, const struct json *p, struct jw *w, struct sb_error *err)
{
    static const char *const actions[] = {"Accept", "Reject"};
    enum sb_err rc;
    const char *mask = NULL, *action = NULL, *filter = NULL;
    SB_TRY(json_opt_str(p, "properties", "ipMask", &mask, err));
    SB_TRY(json_opt_str(p, "properties", "action", &action, err));
    SB_TRY(json_opt_str(p, "properties", "filterName", &filter, err));
    SB_TRY(check_mask(mask, "properties.ipMask", err));
    SB_TRY(one_of(action, actions, SB_ARRAY_LEN(actions), "properties.action", err));
    jw_str(w, "ipMask", mask);
    jw_str(w, "action", action && text_ieq(action, "Reject") ? "Reject" : "Accept");
    jw_str(w, "filterName", filter ? filter : request_param(r, "child"));
out:
    return rc;
}

static enum sb_err read_vnet(struct request *r, const struct json *p, struct jw *w, struct sb_error *err)
{
    enum sb_err rc;
    const char *id = NULL;
    SB_UNUSED(r);
    SB_TRY(json_opt_str(p, "properties", "virtualNetworkSubnetId", &id, err));
    if (id == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The property 'virtualNetworkSubnetId' is missing.");
    jw_str(w, "virtualNetworkSubnetId", id);
out:
    return rc;
}

/* A connection is made by the network's own provider in the service; here whoever PUTs one has it (choice).
 */
static enum sb_err read_connection(struct request *r, const struct json *p, struct jw *w,
                                   struct sb_error *err)
{
    static const char *const statuses[] = {"Approved", "Rejected", "Pending", "Disconnected"};
    enum sb_err rc;
    const struct json *endpoint = NULL, *state = NULL;
    const char *id = NULL, *status = NULL, *description = NULL;
    SB_UNUSED(r);
    SB_TRY(json_opt_obj(p, "properties", "privateEndpoint", &endpoint, err));
    SB_TRY(json_opt_str(endpoint, "properties.privateEndpoint", "id", &id, err));
    SB_TRY(json_opt_obj(p, "properties", "privateLinkServiceConnectionState", &state, err));
    SB_TRY(json_opt_str(state, "properties.privateLinkServiceConnectionState", "status", &status, err));
    SB_TRY(json_opt_str(state, "properties.privateLinkServiceConnectionState", "description", &description,
                        err));
    SB_TRY(one_of(status, statuses, SB_ARRAY_LEN(statuses),
                  "properties.privateLinkServiceConnectionState.status", err));
    jw_str(w, "provisioningState", "Succeeded");
    jw_obj(w, "privateEndpoint");
    jw_str(w, "id", id);
    jw_end_obj(w);
    jw_obj(w, "privateLinkServiceConnectionState");
    jw_str(w, "status", status ? status : "Pending");
    jw_str(w, "description", description);
    jw_end_obj(w);
    jw_arr(w, "groupIds");
    jw_str(w, NULL, "namespace");
    jw_end_arr(w);
out:
    return rc;
}

/* Kinds that look alike. async: a PUT and a DELETE answer 202 with an address to poll (recorded). */
struct kind {
    const char *segment, *type;
    enum sb_err (*read)(struct request *, const struct json *, struct jw *, struct sb_error *);
    bool async;
};
static const struct kind ip_rules = {"ipfilterrules", "IPFilterRules", read_ip, false};
static const struct kind vnet_rules = {"virtualnetworkrules", "VirtualNetworkRules", read_vnet, false};
static const struct kind connections = {"privateEndpointConnections", "PrivateEndpointConnections",
                                        read_connection, true};

static void write_child(struct request *r, struct jw *w, const struct ns_view *v, const struct kind *k,
                        const struct child *c)
{
    begin(r, w, v, k->segment, c->name, k->type);
    jw_raw(w, "properties", c->body);
    jw_end_obj(w);
}

static void poll_address(struct request *r, const struct ns_view *v, const struct kind *k, const char *name,
                         const char *operation)
{
    reply_headerf(
        r, "Azure-AsyncOperation", "%s%s/operationStatus/%s?api-version=%s&operationType=%s",
        request_base(r, HOST_ARM, NULL),
        arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s/%s/%s", v->name, k->segment, name),
        name, r->api_version, operation);
}

static bool good_name(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 128 &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

static enum sb_err child_put(struct request *r, const struct kind *k, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct sb_buf b;
    struct jw kept;
    const struct json *p = NULL;
    const char *name = request_param(r, "child");
    buf_init(&b, BODY_MAX);
    SB_TRY(require(r, k->segment, "write", &v, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &p, err));
    SB_TRY(good_name(name) ? SB_OK : sb_fail(err, SB_EBADREQUEST, "The name '%.128s' is not valid.", name));
    jw_init(&kept, &b);
    jw_obj(&kept, NULL);
    SB_TRY(k->read(r, p, &kept, err));
    jw_end_obj(&kept);
    const struct child c = {name, arena_strdup(r->arena, buf_str(&b))};
    if (buf_failed(&b) || c.body == NULL) {
        rc = sb_fail(err, SB_EBADREQUEST, "The body is too large.");
        goto out;
    }
    SB_TRY(ns_child_put(r->e, v.id, k->segment, &c, err));
    struct jw w = reply_json(r, k->async ? 202 : 200);
    write_child(r, &w, &v, k, &c);
    if (k->async)
        poll_address(r, &v, k, name, "Update");
out:
    buf_done(&b);
    return rc;
}

static enum sb_err child_get(struct request *r, const struct kind *k, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child c = {0};
    bool found = false;
    const char *name = request_param(r, "child");
    SB_TRY(require(r, k->segment, "read", &v, err));
    SB_TRY(ns_child_get(r->e, v.id, k->segment, name, r->arena, &found, &c, err));
    if (!found)
        return missing(r, k->segment, name, err);
    struct jw w = reply_json(r, 200);
    write_child(r, &w, &v, k, &c);
out:
    return rc;
}

static enum sb_err child_list(struct request *r, const struct kind *k, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child *list = NULL;
    size_t n = 0;
    SB_TRY(require(r, k->segment, "read", &v, err));
    SB_TRY(ns_child_list(r->e, v.id, k->segment, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_child(r, &w, &v, k, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

void arm_ns_connections(struct request *r, struct jw *w, const struct ns_view *v)
{
    struct child *list = NULL;
    size_t n = 0;
    if (ns_child_list(r->e, v->id, connections.segment, r->arena, &list, &n, NULL) != SB_OK || n == 0)
        return;
    jw_arr(w, connections.segment);
    for (size_t i = 0; i < n; i++)
        write_child(r, w, v, &connections, &list[i]);
    jw_end_arr(w);
}

static enum sb_err child_delete(struct request *r, const struct kind *k, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool existed = false;
    const char *name = request_param(r, "child");
    SB_TRY(require(r, k->segment, "delete", &v, err));
    SB_TRY(ns_child_delete(r->e, v.id, k->segment, name, &existed, err));
    reply_empty(r, !existed ? 204 : k->async ? 202 : 200);
    if (existed && k->async)
        poll_address(r, &v, k, name, "Delete");
out:
    return rc;
}

#define HANDLERS(name, kind)                                                                                 \
    static enum sb_err name##_put(struct request *r, struct sb_error *err)                                   \
    {                                                                                                        \
        return child_put(r, &(kind), err);                                                                   \
    }                                                                                                        \
    static enum sb_err name##_get(struct request *r, struct sb_error *err)                                   \
    {                                                                                                        \
        return child_get(r, &(kind), err);                                                                   \
    }                                                                                                        \
    static enum sb_err name##_delete(struct request *r, struct sb_error *err)                                \
    {                                                                                                        \
        return child_delete(r, &(kind), err);                                                                \
    }                                                                                                        \
    static enum sb_err name##_list(struct request *r, struct sb_error *err)                                  \
    {                                                                                                        \
        return child_list(r, &(kind), err);                                                                  \
    }
HANDLERS(ip, ip_rules)
HANDLERS(vnet, vnet_rules)
HANDLERS(connection, connections)

/* It is over when its address is given away. */
static enum sb_err connection_status(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(require(r, connections.segment, "read", &v, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "id", r->path);
    jw_str(&w, "name", request_param(r, "child"));
    jw_str(&w, "status", "Succeeded");
    jw_end_obj(&w);
out:
    return rc;
}

static enum sb_err link_resources(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(require(r, "privateLinkResources", "read", &v, err));
    const char *id = arm_id(r, v.sub, v.group,
                            "Microsoft.ServiceBus/namespaces/%s/privateLinkResources/namespace", v.name);
    arm_reply_link(r, id + 1 /* recorded: without the leading slash */,
                   "Microsoft.ServiceBus/namespaces/privateLinkResources", "namespace", "namespace",
                   "privatelink.servicebus.windows.net");
out:
    return rc;
}

#define NS    "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces/{ns}"
#define READ  (R_AUTH | R_APIVER)
#define WRITE (R_AUTH | R_APIVER | R_JSON)
#define CHILD(segment, name, op)                                                                             \
    {"PUT", PLANE_ARM, NS segment "/{child}", WRITE, BODY_MAX, name##_put, "Arm" op "Put"},                  \
        {"GET", PLANE_ARM, NS segment "/{child}", READ, 0, name##_get, "Arm" op "Get"},                      \
        {"DELETE", PLANE_ARM, NS segment "/{child}", READ, 0, name##_delete, "Arm" op "Delete"},             \
    {                                                                                                        \
        "GET", PLANE_ARM, NS segment, READ, 0, name##_list, "Arm" op "List"                                  \
    }

static const struct route rows[] = {
    {"GET", PLANE_ARM, NS "/networkRuleSets/default", READ, 0, network_handler, "ArmNamespaceNetworkRules"},
    {"PUT", PLANE_ARM, NS "/networkRuleSets/default", WRITE, BODY_MAX, network_put,
     "ArmNamespaceNetworkRulesPut"},
    {"GET", PLANE_ARM, NS "/networkRuleSets", READ, 0, network_list_handler, "ArmNamespaceNetworkRuleSets"},
    CHILD("/ipfilterrules", ip, "IpRule"),
    CHILD("/virtualnetworkrules", vnet, "VnetRule"),
    CHILD("/privateEndpointConnections", connection, "Connection"),
    {"GET", PLANE_ARM, NS "/privateEndpointConnections/{child}/operationStatus/{id}", READ, 0,
     connection_status, "ArmConnectionStatus"},
    {"GET", PLANE_ARM, NS "/privateLinkResources", READ, 0, link_resources, "ArmPrivateLinkResources"},
};

const struct route_table routes_arm_child = {rows, SB_ARRAY_LEN(rows)};
