/*
 * vault_keys_policy.c: bodies of rotation policies. Members and their order are recorded; action types are
 * read whatever their case.
 */
#include "api/vault_common.h"
#include "api/vault_keys_body.h"
#include "server/base/text.h"

#define DURATION_MAX 64

/* A duration's text, of a sane length. */
static enum sb_err opt_duration(const struct json *obj, const char *where, const char *member,
                                const char **ret, struct sb_error *err)
{
    enum sb_err rc = json_opt_str(obj, where, member, ret, err);
    if (rc == SB_OK && *ret != NULL && strlen(*ret) > DURATION_MAX)
        rc = vault_bad_value(member, *ret, err);
    return rc;
}

static enum sb_err read_action(const struct json *j, struct vkey_policy *p, struct sb_error *err)
{
    static const char where[] = "lifetimeActions";
    enum sb_err rc;
    const struct json *trigger = NULL, *action = NULL;
    const char *type = NULL, *after = NULL, *before = NULL;
    if (!json_is_object(j))
        return vault_bad_value(where, "", err);
    SB_TRY(json_opt_obj(j, where, "trigger", &trigger, err));
    SB_TRY(json_opt_obj(j, where, "action", &action, err));
    SB_TRY(json_opt_str(action, where, "type", &type, err));
    SB_TRY(opt_duration(trigger, where, "timeAfterCreate", &after, err));
    SB_TRY(opt_duration(trigger, where, "timeBeforeExpiry", &before, err));
    bool rotate = type != NULL && text_ieq(type, "Rotate");
    if (!rotate && !(type != NULL && text_ieq(type, "Notify")))
        return vault_bad_value("type", type != NULL ? type : "", err);
    if ((after != NULL) == (before != NULL))
        return sb_fail(
            err, SB_EBADPARAM,
            "The trigger of a lifetime action must be either timeAfterCreate or timeBeforeExpiry.");
    if (!rotate && after != NULL)
        return sb_fail(err, SB_EBADPARAM, "The action Notify can be triggered by timeBeforeExpiry only.");
    if (rotate ? p->rotate_after || p->rotate_before : p->notify_before != NULL)
        return sb_fail(err, SB_EBADPARAM, "There can be one action of type %s only.",
                       rotate ? "Rotate" : "Notify");
    p->rotate_after = rotate ? after : p->rotate_after;
    p->rotate_before = rotate ? before : p->rotate_before;
    p->notify_before = rotate ? p->notify_before : before;
out:
    return rc;
}

enum sb_err vault_key_read_policy(const struct json *policy, struct vkey_policy *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *actions = NULL, *attributes = NULL;
    SB_TRY(json_opt_arr(policy, "", "lifetimeActions", &actions, err));
    SB_TRY(json_opt_obj(policy, "", "attributes", &attributes, err));
    JSON_FOREACH (j, actions)
        SB_TRY(read_action(j, ret, err));
    SB_TRY(opt_duration(attributes, "attributes", "expiryTime", &ret->expiry, err));
    if (ret->expiry != NULL && ret->expiry[0] == '\0') /* as az sends what is not set */
        ret->expiry = NULL;
out:
    return rc;
}

static void write_action(struct jw *w, const char *type, const char *trigger, const char *duration)
{
    if (duration == NULL)
        return;
    jw_obj(w, NULL);
    jw_obj(w, "trigger");
    jw_str(w, trigger, duration);
    jw_end_obj(w);
    jw_obj(w, "action");
    jw_str(w, "type", type);
    jw_end_obj(w);
    jw_end_obj(w);
}

void vault_key_write_policy_members(struct jw *w, const struct vkey_policy *p, bool arm)
{
    const char *rotate = arm ? "rotate" : "Rotate", *notify = arm ? "notify" : "Notify";
    jw_arr(w, "lifetimeActions");
    write_action(w, rotate, "timeAfterCreate", p->rotate_after);
    write_action(w, rotate, "timeBeforeExpiry", p->rotate_before);
    write_action(w, notify, "timeBeforeExpiry", p->notify_before);
    jw_end_arr(w);
    jw_obj(w, "attributes");
    jw_str(w, "expiryTime", p->expiry);
    if (p->created >= 0) {
        jw_i64(w, "created", p->created);
        jw_i64(w, "updated", p->updated);
    }
    jw_end_obj(w);
}

void vault_key_write_policy(struct request *r, struct jw *w, const struct vkey_policy *p)
{
    jw_obj(w, NULL);
    jw_strf(w, "id", "%s/rotationpolicy", vault_id(r, "keys", p->name, NULL));
    vault_key_write_policy_members(w, p, false);
    jw_end_obj(w);
}
