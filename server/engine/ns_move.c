/*
 * ns_move.c: namespaces in transition: with --provisioning-delay, creates, updates and deletes take their
 * time on the emulator's clock, so that clients' pollers have something to wait for.
 *
 * What a create or update asks for has happened when the call answers; only the state that is shown, and what
 * may be done meanwhile, are those of the service. A deletion happens at the end of its time, and is stored
 * until then; the other states are told again from the row's times after a restart.
 */
#include "server/base/text.h"
#include "server/engine/ns_priv.h"
#include "server/engine/timeline.h"

void ns_move_begin(struct engine *e, struct ns *n, enum ns_move move, int64_t now)
{
    if (e->cfg.provisioning_delay_ms <= 0)
        return;
    n->move = move;
    n->move_from = now;
    n->move_until = now + e->cfg.provisioning_delay_ms;
}

/* An identity that changed cannot be told from any other update by then. */
void ns_move_resume(struct engine *e, struct ns *n, const struct st_ns *row)
{
    if (row->revoked || row->updated_ms + e->cfg.provisioning_delay_ms <= engine_now(e))
        return;
    bool fresh = row->created_ms == row->updated_ms;
    ns_move_begin(e, n,
                  !fresh           ? MOVE_UPDATE
                  : row->encrypted ? MOVE_CREATE_ENCRYPTED
                  : row->identity  ? MOVE_CREATE_IDENTITY
                                   : MOVE_CREATE,
                  row->updated_ms);
}

enum ns_move ns_move_now(struct engine *e, const struct ns *n)
{
    /* A deletion lasts until the namespace is gone. */
    bool over = n->move != MOVE_DELETE && n->move_until <= engine_now(e);
    return over ? MOVE_NONE : n->move;
}

enum sb_err ns_move_check(struct engine *e, const struct ns *n, struct sb_error *err)
{
    static const char *const states[] = {
        [MOVE_CREATE] = "Creating",
        [MOVE_CREATE_IDENTITY] = "Creating",
        [MOVE_CREATE_ENCRYPTED] = "Creating",
        [MOVE_UPDATE] = "Updating",
        [MOVE_IDENTITY] = "ActivatingIdentity",
        [MOVE_DELETE] = "Deleting",
    };
    enum ns_move move = ns_move_now(e, n);
    if (move == MOVE_NONE)
        return SB_OK;
    return sb_fail(err, SB_EBUSY,
                   "The namespace %s in subscription %s is in transitioning state, its current state is %s.",
                   n->name, n->sub, states[move]);
}

/* ---- deletions whose time has come ---- */

struct first {
    struct engine *e;
    int64_t due;
    struct ns *n;
};

static void first_deleted(struct ns *n, void *arg)
{
    struct first *f = arg;
    if (n->move == MOVE_DELETE && n->move_until < f->due) {
        f->due = n->move_until;
        f->n = n;
    }
}

int64_t ns_next_due(struct engine *e)
{
    struct first f = {e, TIMELINE_NEVER, NULL};
    if (e->namespaces == NULL || atomic_load(&e->deleting) == 0)
        return TIMELINE_NEVER;
    engine_lock(e);
    ns_each(e, first_deleted, &f);
    engine_unlock(e);
    return f.due;
}

enum sb_err ns_run_due(struct engine *e, int64_t now, struct sb_error *err)
{
    enum sb_err rc = SB_OK;
    while (rc == SB_OK) {
        struct first f = {e, TIMELINE_NEVER, NULL};
        char name[NS_NAME_MAX + 1], sub[sizeof f.n->sub], group[sizeof f.n->group];
        bool existed;
        engine_lock(e);
        ns_each(e, first_deleted, &f);
        bool due = f.n && f.due <= now;
        if (due) {
            (void)text_copy(name, sizeof name, f.n->name);
            (void)text_copy(sub, sizeof sub, f.n->sub);
            (void)text_copy(group, sizeof group, f.n->group);
        }
        engine_unlock(e);
        if (!due)
            break;
        rc = ns_delete_now(e, sub, group, name, &existed, err);
        timeline_note(e, f.due, "namespaceDeleted", "%s", name);
    }
    return rc;
}
