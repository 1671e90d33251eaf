/*
 * dispatch.c: a request's way in (plane, row, limits, authentication, body, api-version) and its way out.
 * What a row's flags say is enforced here and nowhere else.
 */
#include <stdio.h>
#include <string.h>
#include "api/apiver.h"
#include "api/arm_activity.h"
#include "api/auth.h"
#include "api/errmap.h"
#include "api/hosts.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/vault_audit.h"
#include "crypto/rng.h"
#include "server/base/log.h"
#include "server/base/text.h"

#define METADATA_ADDRESS "169.254.169.254"
#define BODY_IGNORED     4096u

/* ---- the way out ---- */

static const char *message_for(const struct request *r, enum sb_err code, const struct sb_error *err)
{
    const char *detail = err && err->code == code && err->detail[0] ? err->detail : sb_err_text(code);
    if (code != SB_EBADJSON || r->plane != PLANE_ARM)
        return detail;
    const char *whole = arena_printf(
        r->arena, "The request content was invalid and could not be deserialized: '%s'.", detail);
    return whole ? whole : detail;
}

/* The caller's own id for the request, under the name that its plane uses. */
static const char *client_id(const struct request *r)
{
    const char *id = request_header(r, "x-ms-client-request-id");
    if (!id)
        id = request_header(r, "client-request-id");
    return id ? id : "";
}

static void log_request(const struct request *r, const struct sb_error *err)
{
    enum log_level level = r->reply.status >= 500 && r->reply.status != 503 ? LOG_ERROR : LOG_DEBUG;
    char status[12], ms[24];
    if (!log_on(level))
        return;
    snprintf(status, sizeof status, "%d", r->reply.status);
    snprintf(ms, sizeof ms, "%lld", (long long)(clock_monotonic() - r->started));
    log_event(level, "request", "op", r->route ? r->route->op : "-", "method", r->method, "path",
              r->path ? r->path : "", "status", status, "ms", ms, "correlationId", r->correlation_id,
              "requestId", r->request_id, "clientRequestId", client_id(r), "detail", err ? err->detail : "",
              NULL);
}

/* The reply is complete: the plane's headers, the log line. */
static void finish(struct request *r, const struct sb_error *err)
{
    if (r->head)
        reply_empty(r, r->reply.status < 300 ? 204 : r->reply.status);
    reply_common(r);
    arm_activity_note(r, err);
    log_request(r, err);
}

void api_error(struct request *r, enum sb_err code, const struct sb_error *err)
{
    const char *message = message_for(r, code, err);
    reply_error(r, code, err && err->code == code ? err->status : 0, message);
    if (r->reply.status == 401)
        auth_challenge(r, message);
    vault_audit(r, code, message);
    finish(r, err);
}

/* What a handler returned becomes a reply. False: pending. */
static bool settle(struct request *r, enum sb_err rc, struct sb_error *err)
{
    if (rc == SB_EPENDING)
        return false;
    if (rc == SB_OK && (arena_failed(r->arena) || buf_failed(&r->reply.body)))
        rc = sb_fail(err, SB_ENOMEM, "The answer does not fit into memory.");
    if (rc == SB_OK && r->reply.status == 0)
        rc = sb_fail(err, SB_EINTERNAL, "The operation '%s' gave no answer.", r->route->op);
    if (rc != SB_OK) {
        api_error(r, rc, err);
    } else {
        vault_audit(r, SB_OK, NULL);
        finish(r, NULL);
    }
    return true;
}

/* ---- the way in: address ---- */

static enum sb_err add_query(struct request *r, const char *p, size_t n, struct sb_error *err)
{
    size_t name_n = strcspn(p, "=&");
    bool has_value = name_n < n;
    name_n = SB_MIN(name_n, n);
    if (r->query_n == SB_ARRAY_LEN(r->query))
        return sb_fail(err, SB_EBADREQUEST, "The request URI has too many query parameters.");
    const char *name = percent_decode(r->arena, p, name_n, true);
    const char *value = has_value ? percent_decode(r->arena, p + name_n + 1, n - name_n - 1, true) : "";
    if (!name || !value)
        return sb_fail(err, SB_EBADREQUEST, "The request URI holds a malformed escape sequence.");
    r->query[r->query_n++] = (struct request_pair){name, value};
    return SB_OK;
}

static enum sb_err cut_path(struct request *r, struct sb_error *err)
{
    r->path = arena_strndup(r->arena, r->url, strcspn(r->url, "?#"));
    return r->path ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

static enum sb_err parse_query(struct request *r, struct sb_error *err)
{
    const char *p = r->url + strcspn(r->url, "?#");
    p += *p == '?';
    while (*p && *p != '#') {
        size_t len = strcspn(p, "&#");
        enum sb_err rc = len ? add_query(r, p, len, err) : SB_OK;
        if (rc != SB_OK)
            return rc;
        p += len + (p[len] == '&');
    }
    return SB_OK;
}

/* After the plane is known, so that a refusal has its shape. */
static enum sb_err parse_url(struct request *r, struct sb_error *err)
{
    if (r->url[0] != '/')
        return sb_fail(err, SB_EBADREQUEST, "The request URI must begin with a slash.");
    return parse_query(r, err);
}

static bool listed(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (text_ieq(names[i], name))
            return true;
    }
    return false;
}

/* May the control port be asked under this name? (contract 4: any page in a browser can reach a loopback
 * port) */
static bool control_name_ok(const struct request *r, const char *name)
{
    char bare[64];
    size_t n = strlen(name);
    if (strcmp(name, "localhost") == 0 || text_ends(name, ".localhost") ||
        strcmp(name, METADATA_ADDRESS) == 0)
        return true;
    if (!r->env)
        return false;
    if (listed(r->env->control_hosts, r->env->control_hosts_n, name))
        return true;
    bool v6 = name[0] == '[' && n > 2 && text_copyn(bare, sizeof bare, name + 1, n - 2);
    if (v6)
        name = bare;
    /* Listening everywhere, the machine's addresses are any literal: a page that tricks the name service
     * still sends its own name. */
    bool literal = v6 || strspn(name, "0123456789.") == strlen(name);
    bool everywhere = listed(r->env->addresses, r->env->addresses_n, v6 ? "::" : "0.0.0.0");
    return (literal && everywhere) || listed(r->env->addresses, r->env->addresses_n, name);
}

static enum sb_err control_plane(struct request *r, struct sb_error *err)
{
    const char *name = NULL, *port = NULL;
    const char *origin = request_header(r, "Origin");
    r->plane = PLANE_CONTROL;
    if (!hosts_split(r->host, r->arena, &name, &port) || !control_name_ok(r, name))
        return sb_fail(
            err, SB_ENOHOST,
            "The control port does not answer to the host name '%.200s'. Allow it with --control-host.",
            r->host);
    const char *from = origin ? strstr(origin, "://") : NULL;
    if (origin && (!from || !text_ieq(from + 3, r->host)))
        return sb_fail(err, SB_ENOHOST, "The control port does not answer to pages of another origin.");
    r->host_port = arena_strdup(r->arena, port);
    return r->host_port ? SB_OK : sb_fail(err, SB_ENOMEM, "out of memory");
}

static enum sb_err https_plane(struct request *r, struct sb_error *err)
{
    struct host_match m = {0};
    if (!hosts_match(r->host, r->arena, &m))
        return sb_fail(err, SB_ENOHOST,
                       "No emulated service has the host name '%.200s'. There are management.azure.com, "
                       "login.microsoftonline.com, "
                       "{vault}.vault.azure.net, {namespace}.servicebus.windows.net, graph.microsoft.com, "
                       "and the same below localhost.",
                       r->host);
    r->plane = m.plane;
    r->real_name = m.real;
    r->host_label = m.label;
    r->host_port = m.port;
    if (!m.bare)
        return SB_OK;
    if (text_istarts(r->path, "/graph/")) {
        r->plane = PLANE_GRAPH;
        r->path += strlen("/graph");
    } else if (hosts_login_path(r->path)) {
        r->plane = PLANE_LOGIN;
    }
    return SB_OK;
}

/* ---- the way in: row and limits ---- */

/* Whatever can be read over ARM can be asked for with HEAD. */
static enum sb_err match_head(const struct route_index *ix, struct request *r, const char **methods,
                              struct sb_error *err)
{
    const char *method = r->method;
    r->method = "GET";
    enum sb_err rc = route_match(ix, r, methods, err);
    r->method = method;
    r->head = rc == SB_OK;
    return rc;
}

/* A provider that is not emulated: a template may have made the resource. err: what is said otherwise. */
static enum sb_err match_generic(struct request *r, struct sb_error *err)
{
    const char *methods = NULL;
    const struct route_index *ix = route_index_generic();
    enum sb_err rc = ix ? route_match(ix, r, &methods, NULL) : SB_ENOPROVIDER;
    if (rc == SB_EMETHOD && strcmp(r->method, "HEAD") == 0)
        rc = match_head(ix, r, &methods, NULL);
    return rc == SB_OK ? rc : err->code;
}

static enum sb_err find_row(struct request *r, struct sb_error *err)
{
    const char *methods = NULL;
    const struct route_index *ix = route_index_all();
    if (!ix)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    enum sb_err rc = route_match(ix, r, &methods, err);
    if (rc == SB_EMETHOD && r->plane == PLANE_ARM && strcmp(r->method, "HEAD") == 0)
        rc = match_head(ix, r, &methods, err);
    if (rc == SB_ENOROUTE)
        rc = apiver_no_route(r, err);
    if (rc == SB_ENOPROVIDER)
        rc = match_generic(r, err);
    if (rc == SB_ENOROUTE && r->plane == PLANE_ARM)
        return sb_fail(err, SB_ENOROUTE, "The request url '%s%.300s' is not found.",
                       request_base(r, HOST_ARM, NULL), r->path);
    if (rc == SB_EMETHOD) {
        api_error(r, rc, err);
        reply_header(r, "Allow", methods);
    }
    return rc;
}

/* An operation without a body ignores a small one. */
static uint32_t body_limit(const struct request *r)
{
    return SB_MAX(r->route->max_body, BODY_IGNORED);
}

static enum sb_err check_length(struct request *r, struct sb_error *err)
{
    int64_t n = 0;
    const char *length = request_header(r, "Content-Length");
    buf_init(&r->body, body_limit(r));
    if (!length)
        return SB_OK;
    if (!text_to_i64(length, 0, INT64_MAX, &n))
        return sb_fail(err, SB_EBADREQUEST, "The Content-Length header is malformed.");
    if (n > (int64_t)body_limit(r))
        return api_too_large(r, err);
    return SB_OK;
}

enum sb_err api_too_large(const struct request *r, struct sb_error *err)
{
    return sb_fail(err, SB_ETOOLARGE, "The request content size exceeds the maximum size of '%u' bytes.",
                   body_limit(r));
}

static void begin(struct request *r)
{
    r->now = engine_now(r->e);
    r->started = clock_monotonic();
    const char *given = request_header(r, "x-ms-correlation-request-id");
    rng_guid(r->request_id);
    if (given && guid_valid(given))
        memcpy(r->correlation_id, given, SB_GUID_LEN + 1);
    else
        memcpy(r->correlation_id, r->request_id, SB_GUID_LEN + 1);
}

bool api_route(struct request *r)
{
    struct sb_error err = {0};
    r->plane = r->control ? PLANE_CONTROL : PLANE_ARM;
    begin(r);
    enum sb_err rc = cut_path(r, &err);
    if (rc == SB_OK)
        rc = r->control ? control_plane(r, &err) : https_plane(r, &err);
    if (rc == SB_OK)
        rc = parse_url(r, &err);
    if (rc == SB_OK)
        rc = find_row(r, &err);
    if (rc == SB_OK)
        rc = check_length(r, &err);
    if (rc == SB_OK)
        return true;
    if (rc != SB_EMETHOD) /* that one is rendered, with its Allow header */
        api_error(r, rc, &err);
    return false;
}

/* ---- the way in: body, and the handler ---- */

/* Does every body of this plane have to be an object? On Service Bus a batch is an array. */
static bool wants_object(const struct request *r)
{
    return r->plane != PLANE_BUS;
}

static enum sb_err parse_body(struct request *r, struct sb_error *err)
{
    unsigned flags = r->route->flags;
    if (!(flags & R_JSON) || (flags & R_LENIENT) || (r->body.n == 0 && (flags & R_EMPTYOK)))
        return SB_OK;
    enum sb_err rc = json_parse(r->body.p, r->body.n, &r->json, err);
    if (rc == SB_OK && wants_object(r) && !json_is_object(r->json))
        rc = sb_fail(err, SB_EBADJSON, "A JSON object was expected.");
    return rc;
}

bool api_run(struct request *r)
{
    struct sb_error err = {0};
    enum sb_err rc = auth_check(r, &err);
    if (rc == SB_OK)
        rc = parse_body(r, &err);
    if (rc == SB_OK)
        rc = apiver_check(r, &err);
    if (rc == SB_OK)
        rc = r->route->handler(r, &err);
    return settle(r, rc, &err);
}

bool api_continue(struct request *r)
{
    struct sb_error err = {0};
    return settle(r, r->then(r, &err), &err);
}
