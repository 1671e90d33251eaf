/*
 * control_clock.c: the emulator's time, and polling out of turn.
 */
#include "api/control.h"
#include "server/base/timefmt.h"
#include "server/engine/poller.h"
#include "server/engine/timeline.h"

#define EVENTS_MAX 1000 /* in the answer to an advance (semantics 24) */

static void write_clock(struct jw *w, struct engine *e)
{
    control_time(w, "now", engine_now(e));
    jw_str(w, "mode", clock_is_manual(e->clock) ? "manual" : "real");
    jw_i64(w, "offsetSeconds", clock_offset(e->clock) / 1000);
}

enum sb_err control_clock_get(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    write_clock(&w, r->e);
    jw_end_obj(&w);
    return SB_OK;
}

/* How far: exactly one of advance (ISO 8601) and advanceSeconds. */
static enum sb_err read_advance(const struct request *r, int64_t *ret_ms, struct sb_error *err)
{
    static const char *const names[] = {"advance", "advanceSeconds", NULL};
    enum sb_err rc;
    const char *iso = NULL;
    int64_t seconds = -1, ms = 0;
    SB_TRY(control_only(r->json, names, err));
    SB_TRY(json_opt_str(r->json, "", "advance", &iso, err));
    SB_TRY(json_opt_i64(r->json, "", "advanceSeconds", 0, TIMELINE_ADVANCE_MAX_MS / 1000, &seconds, err));
    if ((iso == NULL) == (seconds < 0))
        return sb_fail(err, SB_EBADREQUEST,
                       "Give either 'advance' (an ISO 8601 duration such as PT5M) or 'advanceSeconds'.");
    if (iso && !duration_parse(iso, &ms))
        return sb_fail(err, SB_EBADREQUEST, "'advance' must be an ISO 8601 duration such as PT5M.");
    if (ms > TIMELINE_ADVANCE_MAX_MS)
        return sb_fail(err, SB_EBADREQUEST, "The clock can be advanced by at most P2Y (730 days) at a time.");
    *ret_ms = iso ? ms : seconds * 1000;
out:
    return rc;
}

static void write_events(struct jw *w, const struct timeline_result *t)
{
    jw_arr(w, "events");
    for (size_t i = 0; i < t->n; i++) {
        jw_obj(w, NULL);
        control_time(w, "time", t->events[i].time);
        jw_str(w, "kind", t->events[i].kind);
        jw_str(w, "target", t->events[i].target);
        jw_end_obj(w);
    }
    jw_end_arr(w);
    jw_obj(w, "counts");
    for (size_t i = 0; i < t->counts_n; i++)
        jw_i64(w, t->counts[i].kind, (int64_t)t->counts[i].n);
    jw_end_obj(w);
    jw_i64(w, "total", (int64_t)t->total);
    jw_bool(w, "truncated", t->n < t->total);
}

enum sb_err control_clock_post(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    int64_t ms = 0;
    struct timeline_result done = {0};
    SB_TRY(read_advance(r, &ms, err));
    SB_TRY(timeline_advance(r->e, ms, r->arena, EVENTS_MAX, &done, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    write_clock(&w, r->e);
    write_events(&w, &done);
    jw_end_obj(&w);
out:
    return rc;
}

/* ---- poll ---- */

static void write_change(struct jw *w, const struct poll_change *c)
{
    jw_obj(w, NULL);
    jw_str(w, "namespace", c->ns);
    jw_str(w, "key", c->key);
    jw_str(w, "change", c->what);
    jw_str(w, "version", c->version);
    if (c->code)
        jw_strf(w, "code", "%d", c->code);
    jw_end_obj(w);
}

enum sb_err control_poll(struct request *r, struct sb_error *err)
{
    static const char *const names[] = {"namespace", NULL};
    enum sb_err rc = SB_OK;
    const char *ns = NULL;
    struct poll_change *changes = NULL;
    size_t n = 0;
    if (r->json) {
        SB_TRY(control_only(r->json, names, err));
        SB_TRY(json_opt_str(r->json, "", "namespace", &ns, err));
    }
    SB_TRY(poller_poll_all(r->e, ns, r->arena, &changes, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    control_time(&w, "now", engine_now(r->e));
    jw_arr(&w, "changes");
    for (size_t i = 0; i < n; i++)
        write_change(&w, &changes[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}
