/*
 * control_view.c: looking inside: a namespace's keys, the event log, a sealed row as it is stored.
 */
#include "api/control.h"
#include "server/base/text.h"
#include "server/engine/broker.h"
#include "server/engine/events.h"
#include "server/engine/ns.h"

#define EVENTS_DEFAULT 1000
#define EVENTS_MAX     10000

static const char *const status_names[] = {
    [NS_ACTIVE] = "Active", [NS_REVOKED] = "Revoked", [NS_UNREACHABLE] = "Unreachable"};
static const char *const state_names[] = {
    [NSKEY_ACTIVE] = "Active", [NSKEY_REVOKED] = "Revoked", [NSKEY_UNREACHABLE] = "Unreachable"};

/* ---- a namespace ---- */

static void write_key(struct jw *w, const struct nskey *k)
{
    jw_obj(w, NULL);
    jw_str(w, "keyName", k->key_name);
    jw_str(w, "keyVaultUri", k->vault_uri);
    jw_str(w, "keyVersion", k->version ? k->version : "");
    jw_str(w, "wrappedVersion", k->wrapped_version);
    jw_str(w, "state", state_names[k->state]);
    /* As in the key log: text, empty when there is nothing to tell. */
    if (k->code)
        jw_strf(w, "code", "%d", k->code);
    else
        jw_str(w, "code", "");
    jw_str(w, "message", k->message ? k->message : "");
    control_time(w, "since", k->since_ms);
    jw_end_obj(w);
}

static void write_encryption(struct jw *w, const struct ns_view *v)
{
    if (!v->encrypted) {
        jw_null(w, "encryption");
        return;
    }
    jw_obj(w, "encryption");
    jw_str(w, "keySource", "Microsoft.KeyVault");
    jw_str(w, "status", status_names[v->status]);
    jw_bool(w, "requireInfrastructureEncryption", v->infra);
    control_time(w, "lastPoll", v->last_poll_ms);
    control_time(w, "nextPoll", v->next_poll_ms);
    jw_arr(w, "keys");
    for (size_t i = 0; i < v->keys_n; i++)
        write_key(w, &v->keys[i]);
    jw_end_arr(w);
    jw_end_obj(w);
}

static struct broker_totals totals_of(struct engine *e, const char *name)
{
    struct broker_totals t = {0};
    engine_lock(e);
    const struct ns *n = ns_find(e, name);
    if (n)
        t = broker_totals(n);
    engine_unlock(e);
    return t;
}

enum sb_err control_namespace(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct ns_view v;
    SB_TRY(ns_by_name(r->e, request_param(r, "ns"), r->arena, &v, err));
    struct broker_totals t = totals_of(r->e, v.name);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "name", v.name);
    jw_str(&w, "status", status_names[v.status]);
    write_encryption(&w, &v);
    jw_obj(&w, "messages");
    jw_i64(&w, "active", t.active);
    jw_i64(&w, "deadLetter", t.dead_letter);
    jw_i64(&w, "scheduled", t.scheduled);
    jw_i64(&w, "bytes", t.bytes);
    jw_end_obj(&w);
    jw_end_obj(&w);
out:
    return rc;
}

enum sb_err control_key_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *uri = request_query(r, "keyVaultUri");
    if (!uri)
        return sb_fail(err, SB_EBADREQUEST, "The query must name the key's vault: keyVaultUri=https://…");
    SB_TRY(ns_withdraw_key(r->e, request_param(r, "ns"), request_param(r, "key"), uri, err));
    reply_empty(r, 204);
out:
    return rc;
}

/* ---- events ---- */

/* Names of the real CustomerManagedKeyUserLogs; resourceId is upper case there. */
static void write_key_event(struct jw *w, const struct st_event *ev)
{
    jw_str(w, "TaskName", "CustomerManagedKeyUserLog");
    jw_str(w, "ActivityId", ev->activity_id);
    jw_str(w, "category", ev->category);
    jw_str(w, "resourceId", ev->resource_id);
    jw_str(w, "keyVault", ev->vault);
    jw_str(w, "key", ev->key);
    jw_str(w, "version", ev->version);
    jw_str(w, "operation", ev->op);
    jw_str(w, "code", ev->code ? ev->code : "");
    jw_str(w, "message", ev->message ? ev->message : "");
}

static void write_audit_event(struct jw *w, const struct st_event *ev)
{
    jw_str(w, "category", "AuditEvent");
    jw_str(w, "operationName", ev->op);
    jw_str(w, "resourceId", ev->resource_id);
    jw_str(w, "vault", ev->vault);
    jw_str(w, "identity", ev->identity);
    if (ev->key)
        jw_strf(w, "keyId", "%s%s%s", ev->key, ev->version ? "/" : "", ev->version ? ev->version : "");
    jw_str(w, "resultType", ev->result);
    jw_str(w, "resultDescription", ev->message);
    jw_i64(w, "httpStatusCode", ev->http_status);
    jw_str(w, "correlationId", ev->activity_id);
}

static void write_event(struct jw *w, const struct st_event *ev)
{
    jw_obj(w, NULL);
    jw_i64(w, "id", ev->id);
    control_time(w, "time", ev->time_ms);
    jw_str(w, "stream", ev->stream);
    if (strcmp(ev->stream, EVENT_STREAM_KEY) == 0)
        write_key_event(w, ev);
    else
        write_audit_event(w, ev);
    jw_end_obj(w);
}

enum sb_err control_events(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    int64_t since = 0, limit = EVENTS_DEFAULT;
    struct st_event *rows = NULL;
    size_t n = 0;
    bool gap = false;
    SB_TRY(control_query_i64(r, "since", 0, INT64_MAX, &since, err));
    SB_TRY(control_query_i64(r, "limit", 1, EVENTS_MAX, &limit, err));
    SB_TRY(events_list(r->e, since, (size_t)limit, r->arena, &rows, &n, &gap, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "events");
    for (size_t i = 0; i < n; i++)
        write_event(&w, &rows[i]);
    jw_end_arr(&w);
    jw_bool(&w, "gap", gap);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- at rest ---- */

static void write_hex(struct request *r, struct jw *w, const char *key, struct sb_blob b)
{
    char *hex = b.p ? arena_alloc(r->arena, 2 * b.n + 1) : NULL;
    if (hex)
        hex_encode(b.p, b.n, hex);
    jw_str(w, key, hex);
}

static void write_at_rest(struct request *r, const char *entity, const struct at_rest *row)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "namespace", request_param(r, "ns"));
    jw_str(&w, "entity", entity);
    jw_i64(&w, "sequenceNumber", row->seq);
    jw_str(&w, "state", row->state);
    control_time(&w, "enqueuedTime", row->enqueued_ms);
    jw_i64(&w, "deliveryCount", row->delivery_count);
    jw_i64(&w, "size", row->size);
    jw_obj(&w, "header");
    jw_str(&w, "magic", "SBE1");
    jw_i64(&w, "version", row->version);
    jw_i64(&w, "minReader", row->min_reader);
    jw_i64(&w, "flags", row->flags);
    jw_i64(&w, "generation", (int64_t)row->generation);
    jw_end_obj(&w);
    write_hex(r, &w, "sealed", row->blob);
    write_hex(r, &w, "deadLetterSealed", row->dead_letter);
    jw_end_obj(&w);
}

/* The entity's name may hold slashes: the sequence number is what stands behind the last one. */
enum sb_err control_at_rest(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct at_rest row = {0};
    int64_t seq = 0;
    char *entity = arena_strdup(r->arena, request_param(r, "entry"));
    if (!entity)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    char *slash = strrchr(entity, '/');
    if (!slash || slash == entity || !text_to_i64(slash + 1, 0, INT64_MAX, &seq))
        return sb_fail(err, SB_EBADREQUEST,
                       "The path must be /_emulator/at-rest/{namespace}/{entity}/{sequenceNumber}.");
    *slash = '\0';
    SB_TRY(broker_at_rest(r->e, request_param(r, "ns"), entity, seq, r->arena, &row, err));
    write_at_rest(r, entity, &row);
out:
    return rc;
}
