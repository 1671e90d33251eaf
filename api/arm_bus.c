/*
 * arm_bus.c: Microsoft.ServiceBus's regions and the rest of what stands below a namespace: its event hubs
 * (none), the change of a replicated namespace's primary region, and the migration of a Standard namespace to
 * a Premium one. Shapes as specified and recorded.
 */
#include <string.h>
#include "api/arm_namespace.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/engine/ns_child.h"
#include "server/engine/ns_pair.h"

#define BODY_MAX  65536u
#define MIGRATION "migrationConfigurations"
#define DEFAULT   "$default"

/* ---- regions ---- */

/* Every region takes every tier here. */
static enum sb_err region_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    size_t n = 0;
    const struct arm_region *regions = arm_regions(&n);
    SB_TRY(arm_require_sub(r, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w, NULL);
        jw_strf(&w, "id", "%s/%s", r->path, regions[i].display);
        jw_str(&w, "name", regions[i].display);
        jw_str(&w, "type", "Microsoft.ServiceBus/Regions");
        jw_obj(&w, "properties");
        jw_str(&w, "code", regions[i].display);
        jw_str(&w, "fullName", regions[i].display);
        jw_end_obj(&w);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- below a namespace ---- */

static enum sb_err require(struct request *r, const char *action, bool write, struct ns_view *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    const char *sub = request_param(r, "sub"), *group = request_param(r, "group"),
               *ns = request_param(r, "ns");
    SB_TRY(arm_ns_require(r, action, err));
    SB_TRY(ns_get(r->e, sub, group, ns, r->arena, ret, err));
    if (write)
        rc = arm_ns_error(r, ns_require_writable(r->e, sub, group, ns, err), err);
out:
    return rc;
}

/* A PATCH that changes nothing yet. */
static struct ns_spec patch_of(const struct ns_view *v)
{
    struct ns_spec s = ns_spec(v->sub, v->group, v->name);
    s.patch = true;
    return s;
}

static enum sb_err eventhub_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(require(r, "eventhubs/read", false, &v, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* The replicated regions with roles changed; NULL: `to` is not one of the secondaries. */
static const char *swap_roles(struct request *r, const struct json *extra, const char *to)
{
    const struct json *geo = json_get(extra, "geoDataReplication"), *list = json_get(geo, "locations");
    const struct json *lag = json_get(geo, "maxReplicationLagDurationInSeconds");
    struct sb_buf b;
    struct jw w;
    bool found = false;
    buf_init(&b, BODY_MAX);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "alternateName", json_text(json_get(extra, "alternateName")));
    jw_obj(&w, "geoDataReplication");
    if (lag)
        jw_raw(&w, "maxReplicationLagDurationInSeconds", json_print(lag, r->arena));
    jw_arr(&w, "locations");
    JSON_FOREACH (j, json_is_array(list) ? list : NULL) {
        const char *name = json_text(json_get(j, "locationName")), *role = json_text(json_get(j, "roleType"));
        bool same = name && text_ieq(name, to);
        found = found || (same && role && text_ieq(role, "Secondary"));
        jw_obj(&w, NULL);
        jw_str(&w, "locationName", name);
        jw_str(&w, "roleType", same ? "Primary" : "Secondary");
        jw_str(&w, "clusterArmId", json_text(json_get(j, "clusterArmId")));
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    jw_end_obj(&w);
    const char *text = found && !buf_failed(&b) ? arena_strdup(r->arena, buf_str(&b)) : NULL;
    buf_done(&b);
    return text;
}

/* Geo-replication: another region becomes the primary. Over when the call answers; the address says so
 * (recorded). */
static enum sb_err failover(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool created;
    char id[SB_GUID_LEN + 1];
    const char *to = NULL;
    const struct json *p = NULL;
    struct json *extra = NULL;
    SB_TRY(require(r, "failover/action", true, &v, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &p, err));
    SB_TRY(json_opt_str(p, "properties", "primaryLocation", &to, err));
    if (v.extra && json_parse(v.extra, strlen(v.extra), &extra, NULL) != SB_OK)
        extra = NULL;
    struct ns_spec s = patch_of(&v);
    s.extra = to ? swap_roles(r, extra, to) : NULL;
    if (s.extra == NULL) {
        rc =
            arm_ns_error(r,
                         sb_fail(err, SB_EBADREQUEST,
                                 "Namespace '%s' is not replicated to '%.60s', so it cannot fail over there.",
                                 v.name, to ? to : ""),
                         err);
        goto out;
    }
    SB_TRY(arm_ns_error(r, ns_put(r->e, &s, r->arena, &v, &created, err), err));
    rng_guid(id);
    reply_empty(r, 202);
    reply_headerf(
        r, "Azure-AsyncOperation",
        "%s/subscriptions/%s/providers/Microsoft.ServiceBus/locations/%s/namespaceOperationResults/%s?"
        "isAsyncHeader=true&resourceName=%s&resourceType=namespace&api-version=%s&operationType=Active",
        request_base(r, HOST_ARM, NULL), v.sub, v.location, id, v.name, r->api_version);
out:
    json_free(extra);
    return rc;
}

/* ---- migration ---- */

static void write_migration(struct request *r, struct jw *w, const struct ns_view *v, const struct child *c)
{
    struct json *kept = NULL;
    if (json_parse(c->body, strlen(c->body), &kept, NULL) != SB_OK)
        kept = NULL;
    bool upgraded = json_true(json_get(kept, "upgraded"));
    jw_obj(w, NULL);
    jw_str(w, "id",
           arm_id(r, v->sub, v->group, "Microsoft.ServiceBus/namespaces/%s/" MIGRATION "/" DEFAULT, v->name));
    jw_str(w, "name", v->name); /* recorded */
    jw_str(w, "type", "Microsoft.ServiceBus/Namespaces/migrationconfigurations");
    jw_obj(w, "properties");
    jw_str(w, "provisioningState", "Succeeded");
    jw_str(w, "targetNamespace", json_text(json_get(kept, "targetNamespace")));
    jw_str(w, "postMigrationName", json_text(json_get(kept, "postMigrationName")));
    if (!upgraded)
        jw_i64(w, "pendingReplicationOperationsCount", 0);
    jw_str(w, "migrationState", "Active");
    jw_end_obj(w);
    jw_end_obj(w);
    json_free(kept);
}

static enum sb_err find_migration(struct request *r, const struct ns_view *v, struct child *ret,
                                  struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    SB_TRY(ns_child_get(r->e, v->id, MIGRATION, DEFAULT, r->arena, &found, ret, err));
    if (!found)
        return arm_not_found(err,
                             arena_printf(r->arena, "Microsoft.ServiceBus/namespaces/%s/" MIGRATION, v->name),
                             DEFAULT, v->group);
out:
    return rc;
}

static enum sb_err keep(struct request *r, const struct ns_view *v, const char *target, const char *name,
                        bool upgraded, struct child *ret, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_buf b;
    struct jw w;
    buf_init(&b, BODY_MAX);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "targetNamespace", target);
    jw_str(&w, "postMigrationName", name);
    jw_bool(&w, "upgraded", upgraded);
    jw_end_obj(&w);
    *ret = (struct child){DEFAULT, arena_strdup(r->arena, buf_str(&b))};
    rc = buf_failed(&b) || ret->body == NULL ? sb_fail(err, SB_ENOMEM, "out of memory")
                                             : ns_child_put(r->e, v->id, MIGRATION, ret, err);
    buf_done(&b);
    return rc;
}

static enum sb_err migration_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child c;
    const struct json *p = NULL;
    const char *target = NULL, *name = NULL;
    SB_TRY(require(r, MIGRATION "/write", true, &v, err));
    SB_TRY(json_opt_obj(r->json, "the body", "properties", &p, err));
    SB_TRY(json_opt_str(p, "properties", "targetNamespace", &target, err));
    SB_TRY(json_opt_str(p, "properties", "postMigrationName", &name, err));
    if (target == NULL || name == NULL)
        return sb_fail(err, SB_EBADREQUEST, "'targetNamespace' and 'postMigrationName' must be given.");
    SB_TRY(arm_ns_error(r, ns_mirror_migrate(r->e, &v, target, name, r->arena, err), err));
    SB_TRY(keep(r, &v, target, name, false, &c, err));
    struct jw w = reply_json(r, 200);
    write_migration(r, &w, &v, &c);
out:
    return rc;
}

static enum sb_err migration_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child c;
    SB_TRY(require(r, MIGRATION "/read", false, &v, err));
    SB_TRY(find_migration(r, &v, &c, err));
    struct jw w = reply_json(r, 200);
    write_migration(r, &w, &v, &c);
out:
    return rc;
}

static enum sb_err migration_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child *list = NULL;
    size_t n = 0;
    SB_TRY(require(r, MIGRATION "/read", false, &v, err));
    SB_TRY(ns_child_list(r->e, v.id, MIGRATION, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_migration(r, &w, &v, &list[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* The migrated namespace shows the name that it is to be called by (recorded); a Standard one has nothing
 * else there. */
static enum sb_err name_alternate(struct request *r, const struct ns_view *v, const char *name,
                                  struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view now;
    struct sb_buf b;
    struct jw w;
    bool created;
    struct ns_spec s = patch_of(v);
    buf_init(&b, BODY_MAX);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "alternateName", name);
    jw_end_obj(&w);
    s.extra = arena_strdup(r->arena, buf_str(&b));
    SB_TRY(s.extra ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory"));
    SB_TRY(arm_ns_error(r, ns_put(r->e, &s, r->arena, &now, &created, err), err));
out:
    buf_done(&b);
    return rc;
}

static enum sb_err migration_upgrade(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    struct child c;
    struct json *kept = NULL;
    SB_TRY(require(r, MIGRATION "/upgrade/action", true, &v, err));
    SB_TRY(find_migration(r, &v, &c, err));
    SB_TRY(json_parse(c.body, strlen(c.body), &kept, err));
    SB_TRY(name_alternate(r, &v, json_text(json_get(kept, "postMigrationName")), err));
    SB_TRY(keep(r, &v, json_text(json_get(kept, "targetNamespace")),
                json_text(json_get(kept, "postMigrationName")), true, &c, err));
    reply_empty(r, 200);
out:
    json_free(kept);
    return rc;
}

static enum sb_err migration_end(struct request *r, const char *action, int otherwise, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    bool existed = false;
    SB_TRY(require(r, action, true, &v, err));
    SB_TRY(ns_child_delete(r->e, v.id, MIGRATION, DEFAULT, &existed, err));
    reply_empty(r, existed ? 200 : otherwise);
out:
    return rc;
}

static enum sb_err migration_revert(struct request *r, struct sb_error *err)
{
    return migration_end(r, MIGRATION "/revert/action", 200, err);
}

static enum sb_err migration_delete(struct request *r, struct sb_error *err)
{
    return migration_end(r, MIGRATION "/delete", 204, err);
}

#define SUB     "/subscriptions/{sub}/providers/Microsoft.ServiceBus"
#define NS      "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ServiceBus/namespaces/{ns}"
#define MIGRATE NS "/migrationConfigurations"
#define CONFIG  MIGRATE "/$default"
#define READ    (R_AUTH | R_APIVER)
#define WRITE   (R_AUTH | R_APIVER | R_JSON)
#define MAYBE   (WRITE | R_EMPTYOK)

static const struct route rows[] = {
    {"GET", PLANE_ARM, SUB "/premiumMessagingRegions", READ, 0, region_list, "ArmBusPremiumRegionList"},
    {"GET", PLANE_ARM, SUB "/sku/{sku}/regions", READ, 0, region_list, "ArmBusRegionList"},
    {"GET", PLANE_ARM, NS "/eventhubs", READ, 0, eventhub_list, "ArmNamespaceEventHubList"},
    {"POST", PLANE_ARM, NS "/failover", WRITE, BODY_MAX, failover, "ArmNamespaceFailover"},
    {"PUT", PLANE_ARM, CONFIG, WRITE, BODY_MAX, migration_put, "ArmMigrationPut"},
    {"GET", PLANE_ARM, CONFIG, READ, 0, migration_get, "ArmMigrationGet"},
    {"DELETE", PLANE_ARM, CONFIG, READ, 0, migration_delete, "ArmMigrationDelete"},
    {"GET", PLANE_ARM, MIGRATE, READ, 0, migration_list, "ArmMigrationList"},
    {"POST", PLANE_ARM, CONFIG "/upgrade", MAYBE, BODY_MAX, migration_upgrade, "ArmMigrationUpgrade"},
    {"POST", PLANE_ARM, CONFIG "/revert", MAYBE, BODY_MAX, migration_revert, "ArmMigrationRevert"},
};

const struct route_table routes_arm_bus = {rows, SB_ARRAY_LEN(rows)};
