/*
 * arm_activity.c: the activity log (Microsoft.Insights): each write over ARM is noted with one event when it
 * has its answer, and the log can be listed as `az monitor activity-log list` does.
 *
 * What an operation is called follows from method and path: "NAMESPACE/TYPE/…/write", "…/delete", and for a
 * POST its last word: "…/listKeys/action". (choice) The service writes a start and an end of each operation;
 * here everything has ended when it is answered, and there is the end alone.
 */
#include "api/arm_activity.h"
#include <string.h>
#include "api/arm.h"
#include "api/errmap.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/activity.h"
#include "server/engine/directory_user.h"

#define PAGE        200
#define DAYS        90 /* as long as the service keeps them */
#define DAY_MS      INT64_C(86400000)
#define WORDS       24
#define MESSAGE_MAX 1000

/* ---- what was done ---- */

struct words {
    const char *w[WORDS];
    size_t n;
};

static bool split(struct request *r, struct words *ret)
{
    char *p = arena_strdup(r->arena, r->path);
    ret->n = 0;
    while (p != NULL && *(p += strspn(p, "/")) != '\0') {
        if (ret->n == WORDS)
            return false;
        ret->w[ret->n++] = p;
        p += strcspn(p, "/");
        if (*p != '\0')
            *p++ = '\0';
    }
    return ret->n > 0;
}

/* What is behind the last "providers": "NAMESPACE/TYPE/TYPE…", every second word being a name; of a group or
 * subscription itself its own type. */
static const char *type_of(struct request *r, const struct words *p)
{
    size_t at = p->n;
    while (at > 0 && !text_ieq(p->w[at - 1], "providers"))
        at--;
    if (at == 0)
        return p->n > 2 ? "Microsoft.Resources/subscriptions/resourceGroups"
                        : "Microsoft.Resources/subscriptions";
    const char *type = at < p->n ? p->w[at] : "";
    for (size_t i = at + 1; type != NULL && i < p->n; i += 2)
        type = arena_printf(r->arena, "%s/%s", type, p->w[i]);
    return type;
}

/* "/a/b/c" of all words but the last `less`. */
static const char *path_of(struct request *r, const struct words *p, size_t less)
{
    const char *path = "";
    for (size_t i = 0; path != NULL && i + less < p->n; i++)
        path = arena_printf(r->arena, "%s/%s", path, p->w[i]);
    return path;
}

static const char *action_of(struct request *r, struct words *p, const char **ret_resource)
{
    static const struct {
        const char *method, *verb;
    } verbs[] = {{"PUT", "write"}, {"PATCH", "write"}, {"DELETE", "delete"}};
    bool post = strcmp(r->method, "POST") == 0;
    const char *word = post ? p->w[p->n - 1] : NULL;
    *ret_resource = path_of(r, p, post ? 1 : 0);
    p->n -= post ? 1 : 0;
    const char *type = type_of(r, p);
    if (post)
        return arena_printf(r->arena, "%s/%s/action", type, word);
    for (size_t i = 0; i < SB_ARRAY_LEN(verbs); i++) {
        if (strcmp(verbs[i].method, r->method) == 0)
            return arena_printf(r->arena, "%s/%s", type, verbs[i].verb);
    }
    return NULL;
}

/* A user is shown by name, an application by its object id. */
static const char *caller_of(struct request *r)
{
    bool found = false;
    struct dir_user user;
    if (r->who.kind == PRINCIPAL_USER &&
        directory_user_get(r->e, r->who.oid, r->arena, &found, &user, NULL) == SB_OK && found)
        return user.upn;
    return r->who.oid;
}

static void note(struct request *r, const struct sb_error *err)
{
    struct words p;
    struct st_activity x = {.time_ms = r->now, .method = r->method, .http_status = r->reply.status};
    char event_id[SB_GUID_LEN + 1];
    if (r->plane != PLANE_ARM || !r->has_who || r->route == NULL || strcmp(r->method, "GET") == 0 ||
        strcmp(r->method, "HEAD") == 0 || !split(r, &p) || p.n < 3 || !text_ieq(p.w[0], "subscriptions"))
        return;
    x.action = action_of(r, &p, &x.resource);
    if (x.action == NULL || x.resource == NULL)
        return;
    x.sub = p.w[1];
    x.group = p.n > 3 && text_ieq(p.w[2], "resourceGroups") ? p.w[3] : NULL;
    if (err != NULL && err->detail[0] != '\0') {
        x.code = errmap(err->code, PLANE_ARM)->code;
        x.message = arena_strndup(r->arena, err->detail, strnlen(err->detail, MESSAGE_MAX));
        if (x.message != NULL && !utf8_valid(x.message, strlen(x.message)))
            x.message = NULL; /* it quotes what a client sent, or was cut in the middle of a letter */
    }
    rng_guid(event_id);
    x.caller = caller_of(r);
    x.oid = r->who.oid;
    x.appid = r->who.appid;
    x.event_id = event_id;
    x.correlation_id = r->correlation_id;
    x.request_id = r->request_id;
    x.client_request_id = request_header(r, "x-ms-client-request-id");
    x.client_ip = r->client_ip;
    activity_put_aside(&r->activity, &x);
}

void arm_activity_note(struct request *r, const struct sb_error *err)
{
    note(r, err);
    if (r->depth == 0)
        activity_write(r->e, &r->activity);
}

/* ---- the filter ---- */

struct scan {
    const char *p;
    struct sb_arena *arena;
};

/* A name, an operator or a bare value. */
static const char *take_word(struct scan *s)
{
    s->p += strspn(s->p, " ");
    size_t n = strcspn(s->p, " '");
    const char *word = n > 0 ? arena_strndup(s->arena, s->p, n) : NULL;
    s->p += n;
    return word;
}

/* 'text' (a quote inside is doubled), or a bare word. */
static const char *take_value(struct scan *s)
{
    s->p += strspn(s->p, " ");
    if (*s->p != '\'')
        return take_word(s);
    char *text = arena_alloc(s->arena, strlen(s->p) + 1), *to = text;
    for (s->p++; text != NULL && *s->p != '\0'; s->p++) {
        if (*s->p == '\'' && *++s->p != '\'')
            return text;
        *to++ = *s->p;
    }
    return NULL;
}

/* az leaves the zone out: it means UTC. */
static bool read_time(struct sb_arena *a, const char *text, int64_t *ret)
{
    const char *utc = arena_printf(a, "%sZ", text);
    return time_parse_rfc3339(text, ret) || (utc != NULL && time_parse_rfc3339(utc, ret));
}

/* One "name op value" into the query; false: nothing that can be asked for. */
static bool take_term(struct scan *s, struct st_activity_query *q)
{
    const struct {
        const char *name;
        const char **to;
    } fields[] = {{"resourceGroupName", &q->group},      {"resourceUri", &q->resource},
                  {"resourceId", &q->resource},          {"resourceProvider", &q->provider},
                  {"correlationId", &q->correlation_id}, {"caller", &q->caller}};
    const char *name = take_word(s), *op = take_word(s), *value = take_value(s);
    int64_t time = 0;
    if (name == NULL || op == NULL || value == NULL)
        return false;
    if (text_ieq(name, "eventTimestamp")) {
        bool from = text_ieq(op, "ge") || text_ieq(op, "gt");
        if (!read_time(s->arena, value, &time) || (!from && !text_ieq(op, "le") && !text_ieq(op, "lt")))
            return false;
        *(from ? &q->from_ms : &q->to_ms) = time;
        return true;
    }
    if (!text_ieq(op, "eq"))
        return false;
    if (text_ieq(name, "eventChannels") || text_ieq(name, "channels"))
        return true; /* every event here is of these */
    for (size_t i = 0; i < SB_ARRAY_LEN(fields); i++) {
        if (text_ieq(fields[i].name, name)) {
            *fields[i].to = value;
            return true;
        }
    }
    return false;
}

static enum sb_err read_filter(struct request *r, struct st_activity_query *q, struct sb_error *err)
{
    const char *filter = request_query(r, "$filter");
    struct scan s = {.p = filter != NULL ? filter : "", .arena = r->arena};
    q->from_ms = -1;
    for (bool more = true; more;) {
        if (!take_term(&s, q))
            break;
        const char *word = take_word(&s);
        more = word != NULL && text_ieq(word, "and");
        if (!more && word == NULL && *s.p == '\0' && q->from_ms >= 0)
            return SB_OK;
    }
    return sb_fail(err, SB_EBADREQUEST,
                   "The $filter '%.300s' is not supported: a start 'eventTimestamp ge …' is required; then "
                   "an end, and one "
                   "of resourceGroupName, resourceUri, resourceProvider, correlationId, caller.",
                   filter != NULL ? filter : "");
}

/* ---- the list ---- */

static void write_localized(struct jw *w, const char *key, const char *value, const char *shown)
{
    jw_obj(w, key);
    jw_str(w, "value", value);
    jw_str(w, "localizedValue", shown);
    jw_end_obj(w);
}

static const struct {
    int status;
    const char *name;
} statuses[] = {{200, "OK"},
                {201, "Created"},
                {202, "Accepted"},
                {204, "NoContent"},
                {400, "BadRequest"},
                {401, "Unauthorized"},
                {403, "Forbidden"},
                {404, "NotFound"},
                {405, "MethodNotAllowed"},
                {409, "Conflict"},
                {412, "PreconditionFailed"},
                {429, "TooManyRequests"},
                {500, "InternalServerError"},
                {501, "NotImplemented"},
                {503, "ServiceUnavailable"}};

static const char *status_name(int64_t status)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(statuses); i++) {
        if (statuses[i].status == status)
            return statuses[i].name;
    }
    return "";
}

/* "Microsoft.ServiceBus" and "Microsoft.ServiceBus/namespaces" of "…/namespaces/write". */
static void write_type(struct request *r, struct jw *w, const struct st_activity *x)
{
    size_t n = strcspn(x->action, "/");
    const char *provider = arena_strndup(r->arena, x->action, n), *last = strrchr(x->action, '/');
    const char *type =
        last != NULL ? arena_strndup(r->arena, x->action, (size_t)(last - x->action)) : x->action;
    if (text_ends(x->action, "/action") && type != NULL && (last = strrchr(type, '/')) != NULL)
        type = arena_strndup(r->arena, type, (size_t)(last - type));
    write_localized(w, "resourceProviderName", provider, provider);
    write_localized(w, "resourceType", type, type);
}

static void write_claims(struct jw *w, const struct st_activity *x)
{
    jw_obj(w, "claims");
    jw_str(w, "aud", "https://management.core.windows.net/");
    jw_str(w, "iss", "https://sts.windows.net/" ENGINE_TENANT "/");
    jw_str(w, "appid", x->appid);
    jw_str(w, "http://schemas.microsoft.com/identity/claims/objectidentifier", x->oid);
    jw_str(w, "http://schemas.microsoft.com/identity/claims/tenantid", ENGINE_TENANT);
    if (strchr(x->caller, '@') != NULL)
        jw_str(w, "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", x->caller);
    jw_end_obj(w);
}

static void write_properties(struct request *r, struct jw *w, const struct st_activity *x)
{
    jw_obj(w, "properties");
    jw_str(w, "statusCode", status_name(x->http_status));
    jw_str(w, "serviceRequestId", x->request_id);
    if (x->code != NULL) {
        struct sb_buf b;
        struct jw inner;
        buf_init(&b, 8192);
        jw_init(&inner, &b);
        jw_obj(&inner, NULL);
        jw_obj(&inner, "error");
        jw_str(&inner, "code", x->code);
        jw_str(&inner, "message", x->message);
        jw_end_obj(&inner);
        jw_end_obj(&inner);
        jw_str(w, "statusMessage", arena_strdup(r->arena, buf_str(&b)));
        buf_done(&b);
    }
    jw_str(w, "eventCategory", "Administrative");
    jw_str(w, "entity", x->resource);
    jw_str(w, "message", x->action);
    jw_str(w, "hierarchy", ENGINE_TENANT);
    jw_end_obj(w);
}

static void write_event(struct request *r, struct jw *w, const struct st_activity *x)
{
    char when[TIME_TEXT_MAX];
    bool good = x->http_status < 400;
    const char *status = good ? "Succeeded" : "Failed", *sub = status_name(x->http_status);
    time_rfc3339_7(x->time_ms, when);
    jw_obj(w, NULL);
    jw_obj(w, "authorization");
    jw_str(w, "action", x->action);
    jw_str(w, "scope", x->resource);
    jw_end_obj(w);
    jw_str(w, "caller", x->caller);
    jw_str(w, "channels", "Operation");
    write_claims(w, x);
    jw_str(w, "correlationId", x->correlation_id);
    jw_str(w, "description", "");
    jw_str(w, "eventDataId", x->event_id);
    write_localized(w, "eventName", "EndRequest", "End request");
    write_localized(w, "category", "Administrative", "Administrative");
    jw_str(w, "eventTimestamp", when);
    jw_obj(w, "httpRequest");
    jw_str(w, "clientRequestId", x->client_request_id);
    jw_str(w, "clientIpAddress", x->client_ip);
    jw_str(w, "method", x->method);
    jw_end_obj(w);
    jw_strf(w, "id", "%s/events/%s/ticks/%lld", x->resource, x->event_id, (long long)time_ticks(x->time_ms));
    jw_str(w, "level", good ? "Informational" : "Error");
    jw_str(w, "operationId", x->correlation_id);
    write_localized(w, "operationName", x->action, x->action);
    jw_str(w, "resourceGroupName", x->group != NULL ? x->group : "");
    jw_str(w, "resourceId", x->resource);
    write_type(r, w, x);
    write_localized(w, "status", status, status);
    write_localized(w, "subStatus", sub,
                    arena_printf(r->arena, "%s (HTTP Status Code: %lld)", sub, (long long)x->http_status));
    jw_str(w, "submissionTimestamp", when);
    jw_str(w, "subscriptionId", x->sub);
    jw_str(w, "tenantId", ENGINE_TENANT);
    write_properties(r, w, x);
    jw_end_obj(w);
}

static void write_next(struct request *r, struct jw *w, int64_t id)
{
    struct sb_buf b;
    buf_init(&b, 8192);
    buf_addf(&b, "%s%s?api-version=%s&$filter=", request_base(r, HOST_ARM, NULL), r->path, r->api_version);
    percent_encode(&b, request_query(r, "$filter"));
    buf_addf(&b, "&$skipToken=%lld", (long long)id);
    jw_str(w, "nextLink", buf_str(&b));
    buf_done(&b);
}

static enum sb_err list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct st_activity *rows = NULL;
    size_t n = 0;
    const char *token = request_query(r, "$skipToken"), *sub = request_param(r, "sub");
    struct st_activity_query q = {.sub = sub, .to_ms = INT64_MAX, .before_id = INT64_MAX, .limit = PAGE + 1};
    SB_TRY(arm_require_sub(r, err));
    SB_TRY(read_filter(r, &q, err));
    if (token != NULL && !text_to_i64(token, 1, INT64_MAX, &q.before_id))
        return sb_fail(err, SB_EBADREQUEST, "The $skipToken is invalid.");
    SB_TRY(arm_require(r, "Microsoft.Insights/eventtypes/values/read", arm_id(r, sub, q.group, NULL), err));
    q.from_ms = SB_MAX(q.from_ms, r->now - DAYS * DAY_MS);
    SB_TRY(activity_list(r->e, &q, r->arena, &rows, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n && i < PAGE; i++)
        write_event(r, &w, &rows[i]);
    jw_end_arr(&w);
    if (n > PAGE)
        write_next(r, &w, rows[PAGE - 1].id);
    jw_end_obj(&w);
out:
    return rc;
}

static const struct route rows[] = {
    {"GET", PLANE_ARM, "/subscriptions/{sub}/providers/Microsoft.Insights/eventtypes/management/values",
     R_AUTH | R_APIVER, 0, list, "ArmActivityList"},
};
const struct route_table routes_arm_activity = {rows, SB_ARRAY_LEN(rows)};
