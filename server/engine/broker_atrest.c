/* broker_atrest.c: one sealed row as it is stored, for the control plane. */
#include "crypto/envelope.h"
#include "server/base/text.h"
#include "server/engine/broker_private.h"

static enum sb_err no_entity(const char *name, struct sb_error *err)
{
    return sb_fail(err, SB_EGONE, "The messaging entity '%s' could not be found.", name);
}

struct look {
    struct engine *e;
    const char *ns;
    char entity[ENTITY_PATH_MAX + 32];
    bool dlq;
    int64_t seq;
    struct sb_arena *a;
    struct at_rest *ret;
};

static const char *state_name(const struct st_message *m)
{
    static const char *const names[] = {"ready", "locked", "scheduled", "deferred", "damaged"};
    return (size_t)m->state < SB_ARRAY_LEN(names) ? names[m->state] : "unknown";
}

static enum sb_err look_run(struct tx *tx, void *arg, struct sb_error *err)
{
    enum sb_err rc;
    struct look *l = arg;
    struct st_message m;
    struct env_header h = {0};
    bool found = false;
    struct ns *n = ns_find(l->e, l->ns);
    if (n == NULL || n->broker == NULL)
        return sb_fail(err, SB_ENONAMESPACE, "The namespace '%s' does not exist.", l->ns);
    const struct entity *t = broker_find(n->broker, l->entity);
    if (t == NULL)
        return no_entity(l->entity, err);
    SB_TRY(st_message_get(tx, st_message_id(t->id, l->seq), l->a, &found, &m, err));
    if (!found || m.sub != (l->dlq ? ST_SUB_DEAD : ST_SUB_MAIN))
        return sb_fail(err, SB_ENOTFOUND, "There is no message %lld in '%s'.", (long long)l->seq, l->entity);
    /* A header that is not ours any more is shown as zeros: the bytes speak for themselves. */
    if (envelope_header(m.blob.p, m.blob.n, &h, NULL) != SB_OK)
        h = (struct env_header){0};
    *l->ret = (struct at_rest){.seq = l->seq,
                               .enqueued_ms = m.enqueued_ms,
                               .size = m.size,
                               .version = h.version,
                               .min_reader = h.min_reader,
                               .flags = h.flags,
                               .generation = h.generation,
                               .delivery_count = m.delivery_count,
                               .state = state_name(&m),
                               .blob = m.blob,
                               .dead_letter = m.dl_blob};
out:
    return rc;
}

enum sb_err broker_at_rest(struct engine *e, const char *ns, const char *entity, int64_t seq,
                           struct sb_arena *a, struct at_rest *ret, struct sb_error *err)
{
    struct look l = {.e = e, .ns = ns, .seq = seq, .a = a, .ret = ret};
    if (!text_copy(l.entity, sizeof l.entity, entity))
        return no_entity("(too long)", err);
    l.dlq = broker_cut_dlq(l.entity);
    if (seq < 0 || seq > ST_SEQ_MAX)
        return sb_fail(err, SB_ENOTFOUND, "There is no message %lld in '%s'.", (long long)seq, l.entity);
    return store_read(e->sb, look_run, &l, err);
}

bool broker_cut_dlq(char *path)
{
    static const char suffix[] = "/$deadletterqueue";
    size_t n = strlen(path), cut = sizeof suffix - 1;
    if (n <= cut || !text_ieq(path + n - cut, suffix))
        return false;
    path[n - cut] = '\0';
    return true;
}
