/*
 * broker_topic.c: topics and their subscriptions: who belongs to whom, rules, and who gets a copy of what.
 *
 * A message that comes to a topic is compared with the rules of each subscription. Rules without an action
 * give one copy between them, each rule with an action gives a copy of its own (documented).
 */
#include "server/base/text.h"
#include "server/base/timefmt.h"
#include "server/engine/broker_private.h"
#include "server/engine/ns_pair.h"

#define SEPARATOR       SUBSCRIPTION_INFIX
#define SPREAD_ARENA    ((size_t)1 << 20)           /* beside the message itself */
#define REASON_FILTER   "FilterEvaluationException" /* our wording; the next is documented */
#define REASON_SESSION  "Session ID is null."
#define TEXT_NO_SESSION "The subscription requires sessions, and the message has no session id."

/* ---- family ---- */

struct entity *broker_topic_of(const struct broker_ns *home, const char *path)
{
    char topic[ENTITY_NAME_MAX + 1];
    size_t n = strlen(path), infix = strlen(SEPARATOR);
    while (n > infix && !text_istarts(path + n - infix, SEPARATOR))
        n--;
    if (n <= infix || !text_copyn(topic, sizeof topic, path, n - infix))
        return NULL;
    struct entity *t = broker_find(home, topic);
    return t && t->cfg->kind == ST_ENTITY_TOPIC ? t : NULL;
}

void broker_topic_join(struct broker_ns *home, struct entity *t)
{
    if (t->cfg->kind != ST_ENTITY_SUBSCRIPTION)
        return;
    t->topic = broker_topic_of(home, t->cfg->name);
    home->subs++;
    if (t->topic == NULL)
        return;
    struct entity **at = &t->topic->subs;
    while (*at && (*at)->id < t->id)
        at = &(*at)->sub_next;
    t->sub_next = *at;
    *at = t;
    t->topic->subs_n++;
}

void broker_topic_leave(struct entity *t)
{
    if (t->cfg->kind != ST_ENTITY_SUBSCRIPTION)
        return;
    t->home->subs--;
    if (t->topic == NULL)
        return;
    struct entity **at = &t->topic->subs;
    while (*at != t)
        at = &(*at)->sub_next;
    *at = t->sub_next;
    t->topic->subs_n--;
}

int64_t broker_topic_bytes(const struct entity *t)
{
    int64_t sum = t->count.bytes;
    for (const struct entity *s = t->subs; s; s = s->sub_next)
        sum += s->count.bytes;
    return sum;
}

/* ---- the end of an entity ---- */

enum sb_err broker_topic_drop(struct tx *tx, const struct entity *t, struct sb_error *err)
{
    enum sb_err rc;
    for (const struct entity *s = t->subs; s; s = s->sub_next)
        SB_TRY(st_entity_delete(tx, s->id, err));
    SB_TRY(ns_rules_drop_entity(tx, t->home->n, t->cfg->name, err));
    SB_TRY(st_entity_delete(tx, t->id, err));
out:
    return rc;
}

void broker_topic_forget(struct engine *e, struct entity *t)
{
    while (t->subs)
        broker_topic_forget(e, t->subs);
    broker_wake_all(&t->wait[ST_SUB_MAIN]); /* they look again, and find that it is gone */
    broker_wake_all(&t->wait[ST_SUB_DEAD]);
    engine_lock(e);
    ns_rules_forget_entity(t->home->n, t->cfg->name);
    broker_unlink(t);
    engine_unlock(e);
    broker_entity_free(t);
}

/* ---- rules in memory ---- */

/* The place of a rule in its list, or where it would be inserted. */
static struct rule **rule_at(struct entity *t, const char *name, bool *ret_found)
{
    struct rule **at = &t->rules;
    while (*at && !text_ieq((*at)->name, name) && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    struct rule **same = &t->rules;
    while (*same && !text_ieq((*same)->name, name))
        same = &(*same)->next;
    *ret_found = *same != NULL;
    return *same ? same : at;
}

static void link_rule(struct entity *t, struct rule *r)
{
    bool found;
    struct rule **at = rule_at(t, r->name, &found), *old = *at;
    r->next = found ? old->next : old;
    *at = r;
    if (found)
        broker_rule_free(old);
}

enum sb_err broker_topic_load(struct engine *e, struct tx *tx, struct entity *t, struct sb_arena *a,
                              struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    struct st_rule *rows = NULL;
    size_t n = 0;
    if (t->cfg->kind != ST_ENTITY_SUBSCRIPTION)
        return SB_OK;
    SB_TRY(st_rule_list(tx, t->id, a, &rows, &n, err));
    for (size_t i = 0; i < n; i++) {
        struct rule *r = NULL;
        SB_TRY(broker_rule_open(e, t->cfg->ns, t->cfg->name, &rows[i], &r, err));
        link_rule(t, r);
    }
out:
    return rc;
}

/* ---- rules as ARM sees them ---- */

struct rule_call {
    struct engine *e;
    const char *ns, *path, *name;
    const struct rule_spec *spec;
    struct sb_buf sealed;
    struct entity *t;
    struct rule *made;
    bool existed;
};

static enum sb_err no_subscription(struct sb_error *err)
{
    return sb_fail(err, SB_ENOSUBENTITY, "Subscription does not exist"); /* recorded */
}

static enum sb_err no_rule(struct sb_error *err)
{
    return sb_fail(err, SB_ENOSUBENTITY, "Rule does not exist"); /* recorded */
}

static struct entity *find_sub(struct engine *e, const char *ns, const char *path)
{
    const struct ns *n = ns_find(e, ns);
    struct entity *t = n && n->broker ? broker_find(n->broker, path) : NULL;
    return t && t->cfg->kind == ST_ENTITY_SUBSCRIPTION ? t : NULL;
}

/* The subscription of a change; sb thread. */
static enum sb_err writable(struct rule_call *c, struct sb_error *err)
{
    c->t = find_sub(c->e, c->ns, c->path);
    if (c->t == NULL)
        return no_subscription(err);
    if (c->t->home->n->status == NS_REVOKED)
        return sb_fail(err, SB_EREVOKED, "The namespace '%s' is Revoked: nothing below it can be changed.",
                       c->t->home->n->name);
    return SB_OK;
}

static enum sb_err put_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct rule_call *c = arg;
    size_t n = 0;
    broker_rule_free(c->made); /* of an earlier run */
    c->made = NULL;
    SB_TRY(writable(c, err));
    const struct rule *old = *rule_at(c->t, c->name, &c->existed);
    for (const struct rule *r = c->t->rules; r; r = r->next)
        n++;
    if (!c->existed && n >= BROKER_RULES_MAX)
        return sb_fail(err, SB_ELIMIT, "The maximum number of %d rules has been reached.", BROKER_RULES_MAX);
    int64_t created = c->existed ? old->created_ms : engine_now(c->e);
    SB_TRY(broker_rule_new(c->existed ? old->name : c->name, created, c->spec, &c->made, err));
    buf_clear(&c->sealed);
    SB_TRY(broker_rule_seal(c->e, c->t->cfg->ns, c->t->cfg->name, c->made, &c->sealed, err));
    const struct st_rule row = {.entity = c->t->id,
                                .name = c->made->name,
                                .created_ms = created,
                                .sealed = {c->sealed.p, c->sealed.n}};
    SB_TRY(st_rule_put(tx, &row, err));
out:
    return rc;
}

static void put_publish(void *arg)
{
    struct rule_call *c = arg;
    engine_lock(c->e);
    link_rule(c->t, c->made);
    c->made = NULL;
    engine_unlock(c->e);
}

static enum sb_err check_name(const char *name, struct sb_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$";
    size_t n = strlen(name);
    if (n > 0 && n <= RULE_NAME_MAX && strspn(name, allowed) == n)
        return SB_OK;
    return sb_fail(
        err, SB_EBADREQUEST,
        "The rule name '%.64s' is not valid: it has 1 to %d letters, numbers, periods, hyphens and "
        "underscores.",
        name, RULE_NAME_MAX);
}

enum sb_err broker_rule_put(struct engine *e, const char *ns, const char *path, const char *name,
                            const struct rule_spec *s, struct sb_arena *a, struct rule_view *ret,
                            struct sb_error *err)
{
    enum sb_err rc;
    struct rule *tried = NULL;
    struct rule_call c = {.e = e, .ns = ns, .path = path, .name = name, .spec = s};
    buf_init(&c.sealed, RULE_SEALED_MAX);
    SB_TRY(check_name(name, err));
    SB_TRY(
        broker_rule_new(name, 0, s, &tried, err)); /* what is malformed does not come as far as the store */
    SB_TRY(store_call_publish(e->sb, put_run, put_publish, &c, err));
    ns_mirror_rule(e, ns, path, name);
    SB_TRY(broker_rule_get(e, ns, path, name, a, ret, err));
out:
    broker_rule_free(tried);
    broker_rule_free(c.made);
    buf_done(&c.sealed);
    return rc;
}

static enum sb_err delete_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct rule_call *c = arg;
    SB_TRY(writable(c, err));
    (void)rule_at(c->t, c->name, &c->existed);
    if (c->existed)
        SB_TRY(st_rule_delete(tx, c->t->id, c->name, err));
out:
    return rc;
}

static void delete_publish(void *arg)
{
    struct rule_call *c = arg;
    bool found;
    engine_lock(c->e);
    struct rule **at = rule_at(c->t, c->name, &found), *gone = found ? *at : NULL;
    if (gone)
        *at = gone->next;
    engine_unlock(c->e);
    broker_rule_free(gone);
}

enum sb_err broker_rule_delete(struct engine *e, const char *ns, const char *path, const char *name,
                               bool *ret_existed, struct sb_error *err)
{
    struct rule_call c = {.e = e, .ns = ns, .path = path, .name = name};
    enum sb_err rc = store_call_publish(e->sb, delete_run, delete_publish, &c, err);
    if (rc == SB_OK) {
        *ret_existed = c.existed;
        ns_mirror_rule(e, ns, path, name);
    }
    return rc;
}

enum sb_err broker_rule_get(struct engine *e, const char *ns, const char *path, const char *name,
                            struct sb_arena *a, struct rule_view *ret, struct sb_error *err)
{
    enum sb_err rc;
    bool found = false;
    engine_lock(e);
    struct entity *t = find_sub(e, ns, path);
    struct rule **at = t ? rule_at(t, name, &found) : NULL;
    if (found)
        rc = broker_rule_view(*at, a, ret, err);
    else
        rc = t ? no_rule(err) : no_subscription(err);
    engine_unlock(e);
    return rc;
}

enum sb_err broker_rule_list(struct engine *e, const char *ns, const char *path, struct sb_arena *a,
                             struct rule_view **ret, size_t *ret_n, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    size_t n = 0, all = 0;
    struct rule_view *list = NULL;
    engine_lock(e);
    const struct entity *t = find_sub(e, ns, path);
    for (const struct rule *r = t ? t->rules : NULL; r; r = r->next)
        all++;
    if (t == NULL)
        rc = no_subscription(err);
    else if ((list = ARENA_ARRAY(a, struct rule_view, all + 1)) == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory listing rules");
    for (const struct rule *r = list ? t->rules : NULL; r && rc == SB_OK; r = r->next)
        rc = broker_rule_view(r, a, &list[n++], err);
    engine_unlock(e);
    if (rc == SB_OK) {
        *ret = list;
        *ret_n = n;
    }
    return rc;
}

/* ---- copies ---- */

/* A message on its way into the subscriptions, read once and only if a rule looks at it. */
struct spread {
    struct work *w;
    const struct arrival *m;
    struct sb_arena *a;
    struct amqp_message decoded;
    bool read;
};

static enum sb_err read_message(struct spread *s)
{
    enum sb_err rc = SB_OK;
    if (s->read)
        return SB_OK;
    rc = amqpmsg_decode(s->m->sections, s->a, &s->decoded, s->w->err);
    s->read = rc == SB_OK;
    return rc;
}

static enum sb_err dead(struct spread *s, struct entity *t, const char *reason, const char *text)
{
    struct arrival m = *s->m;
    m.reason = reason;
    m.description = text;
    m.ttl_ms = TIME_FOREVER_MS;
    return broker_put_here(s->w, t, &m, ST_SUB_DEAD);
}

static enum sb_err deliver(struct spread *s, struct entity *t, const struct arrival *m)
{
    if ((t->cfg->flags & ST_ENTITY_SESSION) && m->session_id == NULL && t->cfg->forward_to == NULL)
        return dead(s, t, REASON_SESSION, TEXT_NO_SESSION);
    return broker_arrive(s->w, t, m, false);
}

/* A rule's action makes another message of it. */
static enum sb_err act(struct spread *s, struct entity *t, const struct rule *r)
{
    enum sb_err rc;
    struct arrival m = *s->m;
    struct sb_buf b;
    struct amqp_message changed;
    buf_init(&b, m.sections.n + SPREAD_ARENA);
    SB_TRY(read_message(s));
    changed = s->decoded;
    SB_TRY(sqlfilter_apply(r->action, &changed, s->a, s->w->err));
    SB_TRY(amqpmsg_rewrite(&changed, m.sections, &b, s->w->err));
    m.sections = (struct sb_blob){b.p, b.n};
    m.message_id = changed.props.message_id;
    m.session_id = changed.props.session_id;
    SB_TRY(deliver(s, t, &m));
out:
    buf_done(&b);
    return rc;
}

/* What cannot be evaluated on this message is dead-lettered there, if the subscription says so. */
static enum sb_err failed(struct spread *s, struct entity *t)
{
    char text[sizeof s->w->err->detail];
    if (!(t->cfg->flags & ST_ENTITY_DEAD_FILTER))
        return SB_OK;
    (void)text_copy(text, sizeof text, s->w->err->detail);
    return dead(s, t, REASON_FILTER, text);
}

static bool can_take(const struct entity *t)
{
    return t->cfg->status == ST_ENTITY_ACTIVE || t->cfg->status == ST_ENTITY_RECEIVE_DISABLED;
}

static enum sb_err offer(struct spread *s, struct entity *t)
{
    enum sb_err rc = SB_OK;
    bool plain = false;
    for (const struct rule *r = t->rules; r; r = r->next) {
        bool matches = false;
        if (!r->always)
            SB_TRY(read_message(s));
        rc = broker_rule_match(r, &s->decoded, s->a, &matches, s->w->err);
        if (rc == SB_OK && matches && r->action)
            rc = act(s, t, r);
        if (rc == SB_EINVAL)
            return failed(s, t);
        if (rc != SB_OK)
            goto out;
        plain = plain || (matches && r->action == NULL);
    }
    if (plain)
        SB_TRY(deliver(s, t, s->m));
out:
    return rc;
}

enum sb_err broker_topic_spread(struct work *w, struct entity *t, const struct arrival *arrival)
{
    enum sb_err rc = SB_OK;
    struct arrival m = *arrival;
    struct spread s = {.w = w, .m = &m, .a = arena_new(m.sections.n * 4 + SPREAD_ARENA)};
    if (s.a == NULL)
        return sb_fail(w->err, SB_ENOMEM, "out of memory copying a message");
    broker_touch(w->b, t);
    m.enqueued_seq = t->count.next_seq++;
    for (struct entity *sub = t->subs; sub; sub = sub->sub_next) {
        if (can_take(sub))
            SB_TRY(offer(&s, sub));
    }
out:
    arena_free(s.a);
    return rc;
}
