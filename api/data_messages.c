/*
 * data_messages.c: run-time REST of Service Bus: send, send batch, peek-lock, receive and delete, complete,
 * unlock, renew lock. Statuses and headers as recorded and documented.
 *
 * Handlers run on a listener thread: they read the request, queue a broker op and return SB_EPENDING; when
 * the op is durable the request goes on in `then`. A missing timeout is 60 s (documented).
 */
#include <string.h>
#include "api/brokerprops.h"
#include "api/request.h"
#include "crypto/rng.h"
#include "server/base/text.h"
#include "server/base/timefmt.h"

#define BODY_MAX      (1u << 20) /* larger messages go over AMQP only (documented) */
#define BATCH_TYPE    "application/vnd.microsoft.servicebus.json"
#define BATCH_MAX     4500 /* messages of a batch: the service's limit of one transfer */
#define EMPTY_TYPE    "application/xml; charset=utf-8" /* of an empty 201 (recorded) */
#define TIMEOUT_MS    INT64_C(60000)
#define TIMEOUT_MAX_S INT64_C(2147483) /* what .NET's timers can wait for: 24 days */

/* ---- the op behind a request ---- */

static void op_over(struct broker_op *op)
{
    request_resume(op->cookie);
}

static bool client_gone(struct broker_op *op)
{
    return request_gone(op->cookie);
}

/* The op for what the path names. The entity's own name is checked by looking for it. */
static enum sb_err new_op(struct request *r, enum broker_kind kind, struct broker_op **ret,
                          struct sb_error *err)
{
    const char *entity = request_param(r, "entity");
    char *path = arena_strdup(r->arena, entity);
    struct broker_op *op = ARENA_NEW(r->arena, struct broker_op);
    if (path == NULL || op == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    op->dlq = broker_cut_dlq(path);
    if (!text_copy(op->ns, sizeof op->ns, r->host_label) || !text_copy(op->entity, sizeof op->entity, path))
        return sb_fail(err, SB_EGONE, "The messaging entity '%.300s' could not be found.", path);
    op->kind = kind;
    op->arena = r->arena;
    op->seq = -1;
    op->done = op_over;
    op->gone = client_gone;
    op->cookie = r;
    *ret = op;
    return SB_OK;
}

static enum sb_err submit(struct request *r, struct broker_op *op, request_handler *then)
{
    r->op = op;
    r->then = then; /* before the op is queued: it may be over at once */
    broker_submit(r->e, op);
    return SB_EPENDING;
}

/* What the op was refused for, or SB_OK. */
static enum sb_err outcome(const struct request *r, struct sb_error *err)
{
    const struct broker_op *op = r->op;
    if (op->rc != SB_OK && err)
        *err = op->err;
    return op->rc;
}

/* ---- send ---- */

/* Encodes one message; m is what the broker needs beside its bytes. */
static enum sb_err encode(struct request *r, const struct brokerprops *p, const struct amqp_app_prop *app,
                          size_t app_n, struct sb_blob body, struct broker_message *m, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_buf b;
    struct amqp_message msg = {.props = p->props, .app = app, .app_n = app_n, .body = body};
    buf_init(&b, 4 * BODY_MAX);
    if (msg.props.message_id == NULL) {
        char *id = arena_alloc(r->arena, 33);
        if (id == NULL)
            return sb_fail(err, SB_ENOMEM, "out of memory");
        rng_hex32(id);
        msg.props.message_id = id;
    }
    /* Room for all at once: growing would copy and wipe. */
    (void)buf_room(&b, body.n + 1024);
    SB_TRY(amqpmsg_encode(&msg, &b, err));
    m->sections = (struct sb_blob){arena_memdup(r->arena, b.p, b.n), b.n};
    m->message_id = msg.props.message_id;
    m->session_id = msg.props.session_id;
    m->ttl_ms = p->ttl_ms;
    m->scheduled_ms = p->scheduled_ms;
    if (m->sections.p == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    buf_done(&b);
    return rc;
}

static enum sb_err single(struct request *r, struct broker_op *op, struct sb_error *err)
{
    enum sb_err rc;
    struct brokerprops p;
    const struct amqp_app_prop *app = NULL;
    size_t app_n = 0;
    struct broker_message *m = ARENA_NEW(r->arena, struct broker_message);
    if (m == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(brokerprops_parse(request_header(r, "BrokerProperties"), r->arena, &p, err));
    SB_TRY(brokerprops_custom(r->in_headers, r->in_headers_n, r->arena, &app, &app_n, err));
    if (p.props.content_type == NULL)
        p.props.content_type = request_header(r, "Content-Type");
    if (p.props.content_type && !utf8_valid(p.props.content_type, strlen(p.props.content_type)))
        return sb_fail(err, SB_EBADREQUEST, "The Content-Type header is not valid.");
    SB_TRY(encode(r, &p, app, app_n, (struct sb_blob){r->body.p, r->body.n}, m, err));
    op->messages = m;
    op->messages_n = 1;
out:
    return rc;
}

/* One member of a batch: {"Body":…, "BrokerProperties":{…}, "UserProperties":{…}} */
static enum sb_err batch_member(struct request *r, const struct json *j, struct broker_message *m,
                                struct sb_error *err)
{
    enum sb_err rc;
    struct brokerprops p;
    const struct amqp_app_prop *app = NULL;
    size_t app_n = 0;
    const struct json *body = json_get(j, "Body");
    if (!json_is_object(j))
        return sb_fail(err, SB_EBADREQUEST, "Each message of a batch must be a JSON object.");
    if (body && !json_is_string(body) && !json_is_null(body))
        return sb_fail(err, SB_EBADREQUEST, "The Body of a message in a batch must be a string.");
    const char *text = json_is_string(body) ? json_text(body) : "";
    SB_TRY(brokerprops_read(json_get(j, "BrokerProperties"), r->arena, &p, err));
    SB_TRY(brokerprops_user(json_get(j, "UserProperties"), r->arena, &app, &app_n, err));
    SB_TRY(encode(r, &p, app, app_n, (struct sb_blob){(const uint8_t *)text, strlen(text)}, m, err));
out:
    return rc;
}

static enum sb_err batch(struct request *r, struct broker_op *op, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct sb_error why;
    size_t n = 0;
    if (json_parse(r->body.p, r->body.n, &r->json, &why) != SB_OK)
        return sb_fail(err, SB_EBADREQUEST, "The body of a batch is not valid JSON: %.200s", why.detail);
    if (!json_is_array(r->json))
        return sb_fail(err, SB_EBADREQUEST, "The body of a batch must be a JSON array of messages.");
    size_t size = json_size(r->json);
    if (size == 0 || size > BATCH_MAX)
        return sb_fail(err, SB_EBADREQUEST, "A batch must hold 1 to %d messages.", BATCH_MAX);
    struct broker_message *m = ARENA_ARRAY(r->arena, struct broker_message, size);
    if (m == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    JSON_FOREACH (j, r->json)
        SB_TRY(batch_member(r, j, &m[n++], err));
    op->messages = m;
    op->messages_n = n;
out:
    return rc;
}

static bool is_batch(const struct request *r)
{
    const char *type = request_header(r, "Content-Type");
    size_t n = sizeof BATCH_TYPE - 1;
    return type && text_istarts(type, BATCH_TYPE) && (type[n] == '\0' || type[n] == ';' || type[n] == ' ');
}

static enum sb_err send_over(struct request *r, struct sb_error *err)
{
    enum sb_err rc = outcome(r, err);
    if (rc == SB_OK) {
        reply_empty(r, 201);
        r->reply.content_type = EMPTY_TYPE;
    }
    return rc;
}

static enum sb_err data_send(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct broker_op *op = NULL;
    SB_TRY(new_op(r, BROKER_SEND, &op, err));
    SB_TRY(is_batch(r) ? batch(r, op, err) : single(r, op, err));
    return submit(r, op, send_over);
out:
    return rc;
}

/* ---- receive ---- */

static enum sb_err read_timeout(const struct request *r, int64_t *ret, struct sb_error *err)
{
    const char *text = request_query(r, "timeout");
    int64_t seconds;
    if (text == NULL) {
        *ret = TIMEOUT_MS;
    } else if (text_to_i64(text, 0, TIMEOUT_MAX_S, &seconds)) {
        *ret = seconds * 1000;
    } else {
        return sb_fail(err, SB_EBADREQUEST, "The timeout '%.40s' is not a number of seconds from 0 to %lld.",
                       text, (long long)TIMEOUT_MAX_S);
    }
    return SB_OK;
}

/* A header of one property, if it can be one. */
static void show_property(struct request *r, const char *name, const struct amqp_value *v)
{
    struct sb_buf b;
    if (!brokerprops_showable(name))
        return;
    buf_init(&b, 8 * BROKERPROPS_PROPERTY_MAX);
    brokerprops_value(&b, v);
    if (!buf_failed(&b))
        reply_header(r, name, buf_str(&b));
    buf_done(&b);
}

static void show_text(struct request *r, const char *name, const char *text)
{
    if (text)
        show_property(r, name, &(struct amqp_value){.kind = AMQP_STRING, .s = text});
}

/* The content type as a header can have it. */
static const char *header_safe(const char *s)
{
    for (const char *p = s; p && *p; p++) {
        if ((unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7f)
            return NULL;
    }
    return s;
}

/* The URL of the locked message: the request's own, without "head". */
static void show_location(struct request *r, const struct broker_delivery *d)
{
    size_t n = strlen(r->path);
    while (n > 0 && r->path[n - 1] == '/')
        n--;
    n -= strlen("/head");
    reply_headerf(r, "Location", "%s%.*s/%lld/%s", request_base(r, HOST_BUS, r->host_label), (int)n, r->path,
                  (long long)d->seq, d->lock_token);
}

static enum sb_err show_message(struct request *r, const struct broker_op *op, struct sb_error *err)
{
    enum sb_err rc;
    struct amqp_message m;
    struct sb_buf b;
    const struct broker_delivery *d = &op->delivery;
    buf_init(&b, 8 * BROKERPROPS_HEADER_MAX);
    SB_TRY(amqpmsg_decode(d->sections, r->arena, &m, err));
    reply_empty(r, op->kind == BROKER_RECEIVE ? 201 : 200);
    r->reply.content_type = header_safe(m.props.content_type);
    brokerprops_write(&b, d, &m.props);
    SB_TRY(buf_failed(&b) ? sb_fail(err, SB_ENOMEM, "out of memory") : SB_OK);
    reply_header(r, "BrokerProperties", buf_str(&b));
    for (size_t i = 0; i < m.app_n; i++)
        show_property(r, m.app[i].name, &m.app[i].value);
    show_text(r, "DeadLetterReason", d->dl_reason);
    show_text(r, "DeadLetterErrorDescription", d->dl_description);
    if (op->kind == BROKER_RECEIVE)
        show_location(r, d);
    buf_add(&r->reply.body, m.body.p, m.body.n);
out:
    buf_done(&b);
    return rc;
}

static enum sb_err receive_over(struct request *r, struct sb_error *err)
{
    const struct broker_op *op = r->op;
    enum sb_err rc = outcome(r, err);
    if (rc != SB_OK)
        return rc;
    if (op->got)
        return show_message(r, op, err);
    reply_empty(r, 204);
    return SB_OK;
}

static enum sb_err receive(struct request *r, enum broker_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct broker_op *op = NULL;
    SB_TRY(new_op(r, kind, &op, err));
    SB_TRY(read_timeout(r, &op->timeout_ms, err));
    return submit(r, op, receive_over);
out:
    return rc;
}

static enum sb_err data_peek_lock(struct request *r, struct sb_error *err)
{
    return receive(r, BROKER_RECEIVE, err);
}

static enum sb_err data_receive(struct request *r, struct sb_error *err)
{
    return receive(r, BROKER_RECEIVE_DELETE, err);
}

/* ---- settle ---- */

static enum sb_err settle_over(struct request *r, struct sb_error *err)
{
    enum sb_err rc = outcome(r, err);
    if (rc == SB_OK)
        reply_empty(r, 200);
    return rc;
}

static enum sb_err settle(struct request *r, enum broker_kind kind, struct sb_error *err)
{
    enum sb_err rc;
    struct broker_op *op = NULL;
    SB_TRY(new_op(r, kind, &op, err));
    op->message_id = request_param(r, "id");
    (void)text_to_i64(op->message_id, 0, INT64_MAX, &op->seq);
    if (!text_copy(op->lock_token, sizeof op->lock_token, request_param(r, "lock")))
        op->lock_token[0] = '\0'; /* no token is that long: there is no such lock */
    return submit(r, op, settle_over);
out:
    return rc;
}

static enum sb_err data_complete(struct request *r, struct sb_error *err)
{
    return settle(r, BROKER_COMPLETE, err);
}

static enum sb_err data_unlock(struct request *r, struct sb_error *err)
{
    return settle(r, BROKER_UNLOCK, err);
}

static enum sb_err data_renew(struct request *r, struct sb_error *err)
{
    return settle(r, BROKER_RENEW, err);
}

#define HEAD "/{entity*}/messages/head"
#define LOCK "/{entity*}/messages/{id}/{lock}"

static const struct route rows[] = {
    {"POST", PLANE_BUS, "/{entity*}/messages", R_AUTH | R_SEND | R_INLINE, BODY_MAX, data_send, "DataSend"},
    {"POST", PLANE_BUS, HEAD, R_AUTH | R_LISTEN | R_INLINE, 4096, data_peek_lock, "DataPeekLock"},
    {"DELETE", PLANE_BUS, HEAD, R_AUTH | R_LISTEN | R_INLINE, 4096, data_receive, "DataReceive"},
    {"DELETE", PLANE_BUS, LOCK, R_AUTH | R_LISTEN | R_INLINE, 4096, data_complete, "DataComplete"},
    {"PUT", PLANE_BUS, LOCK, R_AUTH | R_LISTEN | R_INLINE, 4096, data_unlock, "DataUnlock"},
    {"POST", PLANE_BUS, LOCK, R_AUTH | R_LISTEN | R_INLINE, 4096, data_renew, "DataRenewLock"},
};

const struct route_table routes_data = {rows, SB_ARRAY_LEN(rows)};
