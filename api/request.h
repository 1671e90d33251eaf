/*
 * request.h: one request on its way through: what came in, who asks, and the reply being built.
 *
 * A handler is `enum sb_err h(struct request *r, struct sb_error *err)`. It fills r->reply (or returns an
 * error, which api_errors renders in the plane's own shape), or returns SB_EPENDING after arranging that
 * request_resume(r) is called once later; then r->then(r, err) runs. Handlers of routes with R_INLINE run on
 * a listener thread and must not block; all others run on a worker thread and may block. There are no sockets
 * here: tests drive api_run directly.
 */
#ifndef SB_REQUEST_H
#define SB_REQUEST_H

#include "api/json.h"
#include "api/route.h"
#include "server/base/arena.h"
#include "server/base/buf.h"
#include "server/engine/activity.h"
#include "server/engine/directory.h"
#include "server/engine/engine.h"

struct request_pair {
    const char *name, *value;
};

struct reply {
    int status; /* 0: not set yet */
    struct sb_buf body;
    const char *content_type;     /* NULL: none (empty body) */
    struct request_pair *headers; /* grows in the arena (reply_header) */
    size_t headers_n, headers_cap;
};

/* What the program tells the api about itself: made once by main, read-only afterwards. */
struct api_env {
    const char *version;
    const char *ca_pem;               /* PEM text of the CA (GET /_emulator/ca.pem) */
    const char *const *control_hosts; /* --control-host */
    size_t control_hosts_n;
    const char *const *addresses; /* literal listening addresses: "127.0.0.1", "::1" */
    size_t addresses_n;
    /* Writes the members of the capabilities object (into an object that the caller opened). */
    void (*capabilities)(void *cookie, struct jw *w);
    /* NULL when every listener answers, else one sentence saying what does not. May block (not from
     * R_INLINE). */
    const char *(*sick)(void *cookie);
    void *cookie;
};

struct request;
typedef enum sb_err request_handler(struct request *r, struct sb_error *err);

struct request {
    /* set by the listener (or a test) before api_route */
    struct engine *e;
    struct sb_arena *arena;
    const struct api_env *env; /* NULL only in tests */
    const char *method;        /* "GET" … */
    const char *url;           /* path and query as sent */
    const char *host;          /* Host header as sent, "" if none */
    bool control;              /* came in on the control (plain HTTP) port */
    const char *client_ip;
    const struct request_pair *in_headers; /* all of them */
    size_t in_headers_n;
    struct sb_buf body;

    /* set by api_route / the dispatcher */
    enum plane plane;
    const struct route *route;
    char *path;                     /* raw path */
    struct request_pair params[10]; /* decoded path parameters */
    size_t params_n;
    struct request_pair query[24]; /* decoded */
    size_t query_n;
    const char
        *host_label; /* first label of Host: vault or namespace name, lower case; NULL on other planes */
    const char *host_port;   /* ":8443" or "" as the Host carried it */
    bool real_name;          /* asked on a real (not a local) name */
    const char *api_version; /* or NULL */
    struct json *json;       /* parsed body of R_JSON routes; NULL when empty and the route has R_EMPTYOK */
    struct principal who;    /* of a verified bearer token */
    bool has_who;
    unsigned depth; /* of requests that the api makes itself (arm_call); 0: a client's */
    bool head;      /* HEAD of what has only GET: 204 or the status of the refusal, without a body */
    struct activity_rows activity; /* of it and of those that it made */
    bool audited;                  /* a vault's audit event has been written */
    unsigned sas_rights; /* Service Bus data plane: RIGHT_* bits of the SAS or of the role assignments */
    int64_t now;         /* emulator's time, taken once */
    int64_t started;     /* monotonic, for the log */
    char correlation_id[40], request_id[40];
    struct reply reply;

    /* pending answers */
    request_handler *then;
    void (*wake)(
        struct request *r); /* the listener's: continue this request; callable from any thread, once */
    /* Has the client hung up? The listener's; NULL in tests. Any thread while the request is pending. */
    bool (*gone)(struct request *r);
    void *wake_cookie;
    void *op; /* the handler's own (arena) */
};

/* A request with its own arena and reply; body ceiling is set when the route is known. NULL: out of memory.
 */
struct request *request_new(struct engine *e, struct sb_arena *a);
void request_free(struct request *r); /* wipes body, reply, JSON and arena; NULL is ok */
void request_done(struct request *r); /* the same but for the arena, which holds r; NULL is ok */
static inline void request_resume(struct request *r)
{
    r->wake(r);
}
/* To be asked before a parked receiver is given a message that it would never get. */
static inline bool request_gone(struct request *r)
{
    return r->gone && r->gone(r);
}

/* Values by name; NULL if absent. Headers and query names ignore case. */
const char *request_param(const struct request *r,
                          const char *name); /* never NULL for a name in the route's template */
const char *request_query(const struct request *r, const char *name);
const char *request_header(const struct request *r, const char *name);
/* What the request is for; "" when it does not say, or says two things (RFC 9112, 3.2: 400). */
const char *request_host(const struct request *r);
/* It has two lengths, so nobody knows where it ends (RFC 9112, 6.3: 400, and the connection is closed). */
bool request_length_unclear(const struct request *r);

/* ---- the reply ---- */
/* Both are copied into the arena; a control character in the value becomes a blank. A second header of the
 * same name is added, not replaced. */
void reply_header(struct request *r, const char *name, const char *value);
void reply_headerf(struct request *r, const char *name, const char *fmt, ...) SB_PRINTF(3, 4);
/* 'application/json; charset=utf-8'; returns a writer on the body. */
struct jw reply_json(struct request *r, int status);
void reply_empty(struct request *r, int status);

/* ---- names in answers (contract 3): real or local as the client asked, with the port of the request's Host
 * ---- */
/* "https://management.azure.com" or "https://localhost:8443" … : the base URL of a plane as this client
 * reaches it. label: vault or namespace. */
enum host_kind { HOST_ARM, HOST_LOGIN, HOST_VAULT, HOST_BUS, HOST_GRAPH };
const char *request_base(struct request *r, enum host_kind k, const char *label);
/* host:port alone. default_port: write ":443" when the request's Host had no port. */
const char *request_authority(struct request *r, enum host_kind k, const char *label, bool default_port);

/* ---- dispatch (dispatch.c) ---- */
/* Step 1, when headers are in: plane by Host, route by method and path, limits. On an error the reply is
 * rendered. Returns false when the reply is ready. */
bool api_route(struct request *r);
/* Step 2, when the body is in: authenticates, parses, calls the handler. Returns false when the answer is
 * pending. Blocks unless R_INLINE. */
bool api_run(struct request *r);
/* Step 3, after wake: calls r->then; false when pending again. */
bool api_continue(struct request *r);
/* Renders err in the shape of r->plane (errmap.c) and completes the reply; used by the above, and by the
 * listener for a body that grows too large or a pool that is full. */
void api_error(struct request *r, enum sb_err code, const struct sb_error *err);
/* SB_ETOOLARGE in the plane's words. */
enum sb_err api_too_large(const struct request *r, struct sb_error *err);

#endif
