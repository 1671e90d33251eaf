/*
 * control_signin.c: sign-ins that wait for a user: a test or script decides in place of somebody at a
 * browser.
 */
#include "api/control.h"
#include "server/base/text.h"
#include "server/engine/directory_user.h"

/* {"waiting":[{"userCode","clientId","scope","expires"}]} */
enum sb_err control_device_list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct device_grant *list = NULL;
    size_t n = 0;
    SB_TRY(directory_grant_waiting(r->e, r->arena, &list, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "waiting");
    for (size_t i = 0; i < n; i++) {
        jw_obj(&w, NULL);
        jw_str(&w, "userCode", list[i].user_code);
        jw_str(&w, "clientId", list[i].client_id);
        jw_str(&w, "scope", list[i].scope);
        control_time(&w, "expires", list[i].expires_ms);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

/* {"userCode":…,"user":…,"approve":…}: by default the well-known user, who approves. */
enum sb_err control_device_decide(struct request *r, struct sb_error *err)
{
    static const char *const names[] = {"userCode", "user", "approve", NULL};
    enum sb_err rc;
    const char *code = NULL, *upn = ENGINE_USER;
    int approve = true;
    bool found = false;
    struct dir_user user;
    SB_TRY(control_only(r->json, names, err));
    SB_TRY(json_opt_str(r->json, "", "userCode", &code, err));
    SB_TRY(json_opt_str(r->json, "", "user", &upn, err));
    SB_TRY(json_opt_bool(r->json, "", "approve", &approve, err));
    if (!code)
        return sb_fail(err, SB_EBADREQUEST, "'userCode' is required.");
    SB_TRY(directory_user_get(r->e, upn, r->arena, &found, &user, err));
    if (!found)
        return sb_fail(err, SB_ENOTFOUND, "There is no user '%.120s'.", upn);
    SB_TRY(directory_grant_decide(r->e, code, approve == 1 ? user.oid : NULL, err));
    reply_empty(r, 204);
out:
    return rc;
}
