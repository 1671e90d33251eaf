/*
 * control_faults.c: what callers of a vault meet: set, shown, cleared.
 */
#include "api/control.h"
#include "server/base/text.h"
#include "server/engine/faults.h"
#include "server/engine/vault.h"

#define TARGET_PREFIX "vault:"
#define LIST_MAX      256
#define COUNT_MAX     1000000000

/* "vault:NAME" */
static enum sb_err read_target(const char *target, const char **ret_vault, struct sb_error *err)
{
    size_t prefix = strlen(TARGET_PREFIX);
    size_t n = text_istarts(target, TARGET_PREFIX) ? strlen(target) - prefix : 0;
    if (n == 0 || n > VAULT_NAME_MAX)
        return sb_fail(err, SB_EBADREQUEST, "'target' must be vault:NAME.");
    *ret_vault = target + prefix;
    return SB_OK;
}

static void write_fault(struct jw *w, const struct fault *f)
{
    jw_obj(w, NULL);
    jw_strf(w, "target", TARGET_PREFIX "%s", f->target);
    jw_str(w, "fault", faults_kind_name(f->kind));
    if (f->count >= 0)
        jw_i64(w, "count", f->count);
    else
        jw_null(w, "count");
    if (f->kind == FAULT_ERROR)
        jw_i64(w, "status", f->status);
    jw_str(w, "scope", f->all ? "all" : "service");
    jw_end_obj(w);
}

enum sb_err control_faults_get(struct request *r, struct sb_error *err)
{
    struct fault *rows = ARENA_ARRAY(r->arena, struct fault, LIST_MAX);
    if (!rows)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    size_t n = faults_list(r->e, rows, LIST_MAX);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "faults");
    for (size_t i = 0; i < n; i++)
        write_fault(&w, &rows[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
    return SB_OK;
}

static enum sb_err read_fault(const struct json *body, struct fault *f, struct sb_error *err)
{
    static const char *const names[] = {"target", "fault", "count", "status", "scope", NULL};
    enum sb_err rc;
    const char *target = NULL, *kind = NULL, *scope = "service", *vault = NULL;
    int64_t status = 0;
    f->count = -1;
    SB_TRY(control_only(body, names, err));
    SB_TRY(json_opt_str(body, "", "target", &target, err));
    SB_TRY(json_opt_str(body, "", "fault", &kind, err));
    SB_TRY(json_opt_str(body, "", "scope", &scope, err));
    SB_TRY(json_opt_i64(body, "", "count", 1, COUNT_MAX, &f->count, err));
    SB_TRY(json_opt_i64(body, "", "status", 500, 599, &status, err));
    SB_TRY(read_target(target ? target : "", &vault, err));
    if (!kind || !faults_kind_parse(kind, &f->kind))
        return sb_fail(err, SB_EBADREQUEST, "'fault' must be unreachable, timeout, throttle or error.");
    if (status != 0 && f->kind != FAULT_ERROR)
        return sb_fail(err, SB_EBADREQUEST, "'status' goes with the fault 'error' only.");
    f->all = text_ieq(scope, "all");
    if (!f->all && !text_ieq(scope, "service"))
        return sb_fail(err, SB_EBADREQUEST, "'scope' must be service or all.");
    f->status = f->kind == FAULT_ERROR ? (int)(status ? status : 503) : 0;
    (void)text_copy(f->target, sizeof f->target, vault); /* it fits: VAULT_NAME_MAX */
    text_tolower(f->target);
out:
    return rc;
}

enum sb_err control_faults_post(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct fault f = {0};
    SB_TRY(read_fault(r->json, &f, err));
    SB_TRY(faults_put(r->e, &f, err));
    struct jw w = reply_json(r, 200);
    write_fault(&w, &f);
out:
    return rc;
}

enum sb_err control_faults_delete(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *target = request_query(r, "target"), *vault = NULL;
    if (target)
        SB_TRY(read_target(target, &vault, err));
    SB_TRY(faults_clear(r->e, vault, err));
    reply_empty(r, 204);
out:
    return rc;
}
