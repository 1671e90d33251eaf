/*
 * control.c: the control plane's rows, health, reset, capabilities and the CA certificate; helpers of its
 * other files.
 */
#include "api/control.h"
#include "server/base/log.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/events.h"
#include "server/engine/ns.h"
#include "server/engine/timeline.h"

#define BODY_MAX   4096u
#define HEALTH_OK  "Service is healthy."
#define HEALTH_BAD "Service not available. Please try after some time."

/* ---- helpers ---- */

enum sb_err control_only(const struct json *body, const char *const *names, struct sb_error *err)
{
    if (!json_is_object(body))
        return sb_fail(err, SB_EBADREQUEST, "The body must be a JSON object.");
    JSON_FOREACH (m, body) {
        size_t i = 0;
        while (names[i] && !text_ieq(names[i], json_key(m)))
            i++;
        if (!names[i])
            return sb_fail(err, SB_EBADREQUEST, "Unknown member '%.100s'.", json_key(m));
    }
    return SB_OK;
}

enum sb_err control_query_i64(const struct request *r, const char *name, int64_t min, int64_t max,
                              int64_t *ret, struct sb_error *err)
{
    const char *v = request_query(r, name);
    if (v && !text_to_i64(v, min, max, ret))
        return sb_fail(err, SB_EBADREQUEST, "'%s' must be a whole number from %lld to %lld.", name,
                       (long long)min, (long long)max);
    return SB_OK;
}

void control_time(struct jw *w, const char *key, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    if (ms == 0)
        jw_null(w, key);
    else
        jw_str(w, key, time_rfc3339(ms, text));
}

/* ---- health ---- */

/* NULL when every plane answers, else what does not. */
static const char *what_is_wrong(struct request *r, struct sb_error *err)
{
    if (engine_healthy(r->e, err) != SB_OK)
        return err->detail;
    return r->env && r->env->sick ? r->env->sick(r->env->cookie) : NULL;
}

static enum sb_err health(struct request *r, struct sb_error *err)
{
    const char *wrong = what_is_wrong(r, err);
    if (wrong)
        log_event(LOG_WARN, "health.bad", "detail", wrong, NULL);
    struct jw w = reply_json(r, wrong ? 503 : 200);
    jw_obj(&w, NULL);
    jw_str(&w, "status", wrong ? "unhealthy" : "healthy");
    jw_str(&w, "message", wrong ? HEALTH_BAD : HEALTH_OK);
    jw_str(&w, "detail", wrong);
    jw_end_obj(&w);
    return SB_OK;
}

/* ---- reset ---- */

static enum sb_err reset(struct request *r, struct sb_error *err)
{
    enum sb_err rc = engine_reset(r->e, err);
    if (rc == SB_OK)
        reply_empty(r, 204);
    return rc;
}

/* ---- CA certificate ---- */

static enum sb_err ca_pem(struct request *r, struct sb_error *err)
{
    if (!r->env || !r->env->ca_pem)
        return sb_fail(err, SB_ENOTFOUND,
                       "This emulator has no CA of its own: it serves a certificate that it was given.");
    buf_adds(&r->reply.body, r->env->ca_pem);
    r->reply.status = 200;
    r->reply.content_type = "application/x-pem-file";
    return SB_OK;
}

/* ---- capabilities ---- */

static const char *const plane_names[PLANE_MAX] = {
    [PLANE_ARM] = "arm",        [PLANE_LOGIN] = "login", [PLANE_VAULT] = "vault",
    [PLANE_BUS] = "servicebus", [PLANE_GRAPH] = "graph", [PLANE_CONTROL] = "control",
};

static void write_routes(struct jw *w)
{
    size_t n;
    const struct route_table *const *tables = route_tables(&n);
    jw_arr(w, "routes");
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < tables[i]->n; k++) {
            const struct route *row = &tables[i]->rows[k];
            jw_obj(w, NULL);
            jw_str(w, "operation", row->op);
            jw_str(w, "plane", plane_names[row->plane]);
            jw_str(w, "method", row->method);
            jw_str(w, "path", row->path);
            jw_end_obj(w);
        }
    }
    jw_end_arr(w);
}

void control_capabilities(struct jw *w, struct engine *e, const struct api_env *env)
{
    jw_obj(w, NULL);
    jw_str(w, "name", "sealedbus");
    jw_str(w, "version", SB_VERSION);
    if (e) {
        jw_str(w, "clock", clock_is_manual(e->clock) ? "manual" : "real");
        jw_i64(w, "pollIntervalSeconds", e->cfg.poll_interval_ms / 1000);
        jw_bool(w, "inMemory", e->cfg.data_dir == NULL);
        jw_bool(w, "secureHeapLocked", cmem_locked());
    }
    jw_obj(w, "limits");
    jw_i64(w, "customerKeysPerNamespace", NS_KEYS_MAX);
    jw_i64(w, "eventsKept", EVENTS_KEEP);
    jw_str(w, "longestAdvance", "P2Y");
    jw_end_obj(w);
    if (env && env->capabilities)
        env->capabilities(env->cookie, w);
    write_routes(w);
    jw_end_obj(w);
}

static enum sb_err capabilities(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    struct jw w = reply_json(r, 200);
    control_capabilities(&w, r->e, r->env);
    return SB_OK;
}

/* ---- rows ---- */

static const struct route rows[] = {
    {"GET", PLANE_CONTROL, "/health", 0, 0, health, "Health"},
    {"GET", PLANE_CONTROL, "/_emulator/clock", 0, 0, control_clock_get, "ClockGet"},
    {"POST", PLANE_CONTROL, "/_emulator/clock", R_JSON, BODY_MAX, control_clock_post, "ClockAdvance"},
    {"POST", PLANE_CONTROL, "/_emulator/poll", R_JSON | R_EMPTYOK, BODY_MAX, control_poll, "Poll"},
    {"GET", PLANE_CONTROL, "/_emulator/namespaces/{ns}", 0, 0, control_namespace, "NamespaceState"},
    {"DELETE", PLANE_CONTROL, "/_emulator/namespaces/{ns}/keys/{key}", 0, 0, control_key_delete,
     "KeyWithdraw"},
    {"GET", PLANE_CONTROL, "/_emulator/events", 0, 0, control_events, "Events"},
    {"GET", PLANE_CONTROL, "/_emulator/faults", 0, 0, control_faults_get, "FaultsGet"},
    {"POST", PLANE_CONTROL, "/_emulator/faults", R_JSON, BODY_MAX, control_faults_post, "FaultSet"},
    {"DELETE", PLANE_CONTROL, "/_emulator/faults", 0, 0, control_faults_delete, "FaultsClear"},
    {"GET", PLANE_CONTROL, "/_emulator/at-rest/{ns}/{entry*}", 0, 0, control_at_rest, "AtRest"},
    {"GET", PLANE_CONTROL, "/_emulator/devicecode", 0, 0, control_device_list, "DeviceCodes"},
    {"POST", PLANE_CONTROL, "/_emulator/devicecode", R_JSON, BODY_MAX, control_device_decide,
     "DeviceCodeDecide"},
    {"POST", PLANE_CONTROL, "/_emulator/reset", R_JSON | R_EMPTYOK, BODY_MAX, reset, "Reset"},
    {"GET", PLANE_CONTROL, "/_emulator/capabilities", 0, 0, capabilities, "Capabilities"},
    {"GET", PLANE_CONTROL, "/_emulator/ca.pem", 0, 0, ca_pem, "CaCertificate"},
    {"GET", PLANE_CONTROL, "/metadata/identity/oauth2/token", 0, 0, control_identity_imds,
     "ManagedIdentityToken"},
    {"GET", PLANE_CONTROL, "/msi/token", 0, 0, control_identity_app_service,
     "ManagedIdentityTokenAppService"},
};

const struct route_table routes_control = {rows, SB_ARRAY_LEN(rows)};
