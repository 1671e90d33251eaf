/*
 * arm_export.c: POST …/exportTemplate of a resource group: a template that makes what is in it again.
 *
 * Each resource is read with an ARM request of the caller; what only the provider says is left out. (choice)
 * Names stand as they are: no parameters are made of them. Queues, topics, subscriptions and rules of
 * namespaces come behind them; other children are not exported.
 */
#include <string.h>
#include "api/arm.h"
#include "api/arm_call.h"
#include "api/arm_core.h"
#include "server/base/text.h"

#define PAGE   1000
#define SCHEMA "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"

/* Below which type, in which part of the path, what type. */
static const struct {
    const char *parent, *segment, *type;
} children[] = {
    {"Microsoft.ServiceBus/namespaces", "queues", "Microsoft.ServiceBus/namespaces/queues"},
    {"Microsoft.ServiceBus/namespaces", "topics", "Microsoft.ServiceBus/namespaces/topics"},
    {"Microsoft.ServiceBus/namespaces/topics", "subscriptions",
     "Microsoft.ServiceBus/namespaces/topics/subscriptions"},
    {"Microsoft.ServiceBus/namespaces/topics/subscriptions", "rules",
     "Microsoft.ServiceBus/namespaces/topics/subscriptions/rules"},
};

/* What a client does not send. */
static const char *const read_only[] = {
    "provisioningState",
    "status",
    "createdAt",
    "updatedAt",
    "accessedAt",
    "metricId",
    "serviceBusEndpoint",
    "countDetails",
    "messageCount",
    "sizeInBytes",
    "subscriptionCount",
    "principalId",
    "clientId",
    "tenantId",
    "privateEndpointConnections",
    "vaultUri",
    "hsmPoolResourceId",
};
/* … but this one a vault needs. */
#define VAULT_TYPE "Microsoft.KeyVault/vaults"

struct export
{
    struct request *r;
    struct jw w;
    const struct json *wanted; /* array of ids or "*"; NULL: all */
};

static bool is_read_only(const char *key, const char *type)
{
    if (text_ieq(key, "tenantId") && text_ieq(type, VAULT_TYPE))
        return false;
    for (size_t i = 0; i < SB_ARRAY_LEN(read_only); i++) {
        if (strcmp(read_only[i], key) == 0)
            return true;
    }
    return false;
}

/* The members of an object but those that are read-only; identities keep their ids alone. */
static void write_members(struct export *x, const struct json *o, const char *type)
{
    JSON_FOREACH (m, o) {
        if (is_read_only(json_key(m), type))
            continue;
        if (!json_is_object(m)) {
            jw_raw(&x->w, json_key(m), json_print(m, x->r->arena));
            continue;
        }
        jw_obj(&x->w, json_key(m));
        write_members(x, m, type); /* the JSON reader bounds the depth */
        jw_end_obj(&x->w);
    }
}

static bool is_wanted(const struct export *x, const char *id)
{
    bool any = x->wanted == NULL;
    JSON_FOREACH (one, x->wanted)
        any |= json_text(one) && (strcmp(json_text(one), "*") == 0 || text_ieq(json_text(one), id));
    return any;
}

/* GET url, as JSON that the caller frees; NULL: it was refused (the caller may not see it, or it has just
 * gone). */
static enum sb_err ask(struct export *x, const char *url, struct json **ret, struct sb_error *err)
{
    enum sb_err rc;
    struct arm_answer answer;
    *ret = NULL;
    SB_TRY(url ? arm_call(x->r, x->r->arena, "GET", url, NULL, &answer, err) : SB_ENOMEM);
    if (answer.status == 200)
        rc = json_parse(answer.body, answer.n, ret, err);
out:
    return rc;
}

static void write_resource(struct export *x, const struct json *j, const char *type, const char *name,
                           const char *version, const char *parent)
{
    static const char *const sent[] = {"location", "tags", "sku", "kind", "identity", "properties"};
    jw_obj(&x->w, NULL);
    jw_str(&x->w, "type", type);
    jw_str(&x->w, "apiVersion", version);
    jw_str(&x->w, "name", name);
    if (parent) {
        jw_arr(&x->w, "dependsOn");
        jw_str(&x->w, NULL, parent);
        jw_end_arr(&x->w);
    }
    for (size_t i = parent ? SB_ARRAY_LEN(sent) - 1 : 0; i < SB_ARRAY_LEN(sent); i++) {
        const struct json *m = json_get(j, sent[i]);
        if (!json_is_object(m)) {
            jw_raw(&x->w, sent[i], m ? json_print(m, x->r->arena) : NULL);
            continue;
        }
        jw_obj(&x->w, sent[i]);
        write_members(x, m, type);
        jw_end_obj(&x->w);
    }
    jw_end_obj(&x->w);
}

static enum sb_err export_children(struct export *x, const char *id, const char *type, const char *name,
                                   struct sb_error *err);

/* Those of one page, each with what is below it. */
static enum sb_err export_page(struct export *x, const struct json *page, const char *type, const char *name,
                               const char *parent, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    JSON_FOREACH (one, json_get(page, "value")) {
        const char *id = json_text(json_get(one, "id")), *last = json_text(json_get(one, "name"));
        const char *whole = arena_printf(x->r->arena, "%s/%s", name, last);
        write_resource(x, one, type, whole, arm_call_version(id), parent);
        SB_TRY(whole ? export_children(x, id, type, whole, err) : SB_ENOMEM);
    }
out:
    return rc;
}

/* Three levels deep at the most. */
static enum sb_err export_children(struct export *x, const char *id, const char *type, const char *name,
                                   struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct json *page = NULL;
    for (size_t i = 0; i < SB_ARRAY_LEN(children); i++) {
        bool more = text_ieq(children[i].parent, type);
        for (size_t skip = 0; more; skip += PAGE) {
            SB_TRY(ask(x,
                       arena_printf(x->r->arena, "%s/%s?api-version=%s&$top=%d&$skip=%zu", id,
                                    children[i].segment, arm_call_version(id), PAGE, skip),
                       &page, err));
            SB_TRY(export_page(x, page, children[i].type, name, id, err));
            more = json_text(json_get(page, "nextLink")) != NULL;
            json_free(page);
            page = NULL;
        }
    }
out:
    json_free(page);
    return rc;
}

static enum sb_err export_one(struct export *x, const char *id, const char *type, const char *name,
                              struct sb_error *err)
{
    enum sb_err rc;
    struct json *j = NULL;
    const char *version = arm_call_version(id);
    SB_TRY(ask(x, arena_printf(x->r->arena, "%s?api-version=%s", id, version), &j, err));
    if (j == NULL)
        goto out;
    write_resource(x, j, type, name, version, NULL);
    rc = export_children(x, id, type, name, err);
out:
    json_free(j);
    return rc;
}

enum sb_err arm_export(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct group g;
    struct json *list = NULL;
    struct export x = {.r = r, .wanted = json_get(r->json, "resources")};
    SB_TRY(arm_require_group(r, &g, err));
    const char *id = arm_id(r, g.sub, g.name, NULL);
    SB_TRY(arm_require(r, "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action", id, err));
    SB_TRY(ask(&x, arena_printf(r->arena, "%s/resources?api-version=2022-09-01", id), &list, err));
    x.w = reply_json(r, 200);
    jw_obj(&x.w, NULL);
    jw_obj(&x.w, "template");
    jw_str(&x.w, "$schema", SCHEMA);
    jw_str(&x.w, "contentVersion", "1.0.0.0");
    jw_obj(&x.w, "parameters");
    jw_end_obj(&x.w);
    jw_obj(&x.w, "variables");
    jw_end_obj(&x.w);
    jw_arr(&x.w, "resources");
    JSON_FOREACH (one, json_get(list, "value")) {
        const char *resource = json_text(json_get(one, "id"));
        if (rc == SB_OK && resource && is_wanted(&x, resource))
            rc = export_one(&x, resource, json_text(json_get(one, "type")), json_text(json_get(one, "name")),
                            err);
    }
    jw_end_arr(&x.w);
    jw_end_obj(&x.w);
    jw_end_obj(&x.w);
out:
    json_free(list);
    return rc;
}
