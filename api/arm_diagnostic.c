/*
 * arm_diagnostic.c: Microsoft.Insights/diagnosticSettings of vaults and namespaces: stored and listed. The
 * events that they are about are in /_emulator/events; they are not sent to any workspace, account or hub.
 *
 * Shapes are those of the public API reference; error texts are our own.
 */
#include <string.h>
#include "api/arm_scope.h"
#include "server/base/text.h"
#include "server/engine/diagnostic.h"

#define TYPE     "Microsoft.Insights/diagnosticSettings"
#define BODY_MAX 65536u
#define NAME_MAX 260

/* May the caller do this with the settings of the path's resource, and is that there, of a type that has
 * logs? */
static enum sb_err require(struct request *r, const char *action, const char **ret_scope,
                           struct sb_error *err)
{
    static const char *const types[] = {"/providers/Microsoft.KeyVault/vaults/",
                                        "/providers/Microsoft.ServiceBus/namespaces/"};
    enum sb_err rc;
    const char *scope = arm_scope(r), *type = NULL;
    SB_TRY(arm_require(r, action, scope, err));
    for (const char *p = scope; *p != '\0' && type == NULL; p++)
        for (size_t i = 0; i < SB_ARRAY_LEN(types) && type == NULL; i++)
            type = text_istarts(p, types[i]) && strchr(p + strlen(types[i]), '/') == NULL ? types[i] : NULL;
    if (type == NULL)
        return sb_fail(err, SB_EBADREQUEST, "The resource '%.200s' does not support diagnostic settings.",
                       scope);
    SB_TRY(arm_scope_require(r, scope, err));
    *ret_scope = scope;
out:
    return rc;
}

static void write_setting(struct jw *w, const struct st_diagnostic *d)
{
    jw_obj(w, NULL);
    jw_strf(w, "id", "%s/providers/microsoft.insights/diagnosticSettings/%s", d->scope, d->name);
    jw_str(w, "type", TYPE);
    jw_str(w, "name", d->name);
    jw_raw(w, "properties", d->body);
    jw_end_obj(w);
}

/* Each of a list is an object with a category (or a group of them) and says whether it is on. */
static enum sb_err check_rows(const struct json *p, const char *key, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *list = NULL;
    SB_TRY(json_opt_arr(p, "properties", key, &list, err));
    JSON_FOREACH (j, list) {
        const char *category = NULL, *group = NULL;
        int enabled = -1;
        SB_TRY(json_opt_str(j, key, "category", &category, err));
        SB_TRY(json_opt_str(j, key, "categoryGroup", &group, err));
        SB_TRY(json_opt_bool(j, key, "enabled", &enabled, err));
        if (!json_is_object(j) || (category == NULL) == (group == NULL) || enabled < 0)
            return sb_fail(err, SB_EBADREQUEST,
                           "Each of '%s' needs a category or a categoryGroup, and 'enabled'.", key);
    }
out:
    return rc;
}

static enum sb_err read_body(struct request *r, const char **ret, struct sb_error *err)
{
    static const char *const sinks[] = {"workspaceId", "storageAccountId", "eventHubAuthorizationRuleId",
                                        "marketplacePartnerId"};
    enum sb_err rc;
    const struct json *p = NULL;
    bool any = false;
    SB_TRY(json_opt_obj(r->json, "", "properties", &p, err));
    for (size_t i = 0; i < SB_ARRAY_LEN(sinks); i++) {
        const char *sink = NULL;
        SB_TRY(json_opt_str(p, "properties", sinks[i], &sink, err));
        any = any || (sink != NULL && sink[0] != '\0');
    }
    if (!any)
        return sb_fail(err, SB_EBADREQUEST, "At least one data sink needs to be specified.");
    SB_TRY(check_rows(p, "logs", err));
    SB_TRY(check_rows(p, "metrics", err));
    *ret = json_print(p, r->arena);
    if (*ret == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

static enum sb_err setting_put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct st_diagnostic d = {.name = request_param(r, "name")};
    SB_TRY(require(r, TYPE "/write", &d.scope, err));
    if (strlen(d.name) > NAME_MAX)
        return sb_fail(err, SB_EBADREQUEST, "The name of a diagnostic setting has at most %d characters.",
                       NAME_MAX);
    SB_TRY(read_body(r, &d.body, err));
    SB_TRY(diagnostic_put(r->e, &d, err));
    struct jw w = reply_json(r, 200);
    write_setting(&w, &d);
out:
    return rc;
}

static enum sb_err setting_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *scope = NULL, *name = request_param(r, "name");
    struct st_diagnostic *d = NULL;
    size_t n = 0, i = 0;
    SB_TRY(require(r, TYPE "/read", &scope, err));
    SB_TRY(diagnostic_list(r->e, scope, r->arena, &d, &n, err));
    while (i < n && !text_ieq(d[i].name, name))
        i++;
    if (i == n)
        return sb_fail(err, SB_ENOTFOUND, "The diagnostic setting '%.260s' of '%.400s' does not exist.", name,
                       scope);
    struct jw w = reply_json(r, 200);
    write_setting(&w, &d[i]);
out:
    return rc;
}

static enum sb_err setting_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *scope = NULL;
    bool existed = false;
    SB_TRY(require(r, TYPE "/delete", &scope, err));
    SB_TRY(diagnostic_remove(r->e, scope, request_param(r, "name"), &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

static enum sb_err setting_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *scope = NULL;
    struct st_diagnostic *d = NULL;
    size_t n = 0;
    SB_TRY(require(r, TYPE "/read", &scope, err));
    SB_TRY(diagnostic_list(r->e, scope, r->arena, &d, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_setting(&w, &d[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

#define ALL   "/{scope*}/providers/" TYPE
#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, ALL, FLAGS, 0, setting_list, "ArmDiagnosticSettingList"},
    {"GET", PLANE_ARM, ALL "/{name}", FLAGS, 0, setting_get, "ArmDiagnosticSettingGet"},
    {"PUT", PLANE_ARM, ALL "/{name}", FLAGS | R_JSON, BODY_MAX, setting_put, "ArmDiagnosticSettingPut"},
    {"DELETE", PLANE_ARM, ALL "/{name}", FLAGS, 0, setting_delete, "ArmDiagnosticSettingDelete"},
};
const struct route_table routes_arm_diagnostic = {rows, SB_ARRAY_LEN(rows)};
