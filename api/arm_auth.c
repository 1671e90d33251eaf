/* arm_auth.c: rights and bodies of authorization rules. Shapes as recorded. */
#include "api/arm_auth.h"
#include "server/base/text.h"

static const struct {
    const char *name;
    unsigned right;
} rights[] = {
    {"Listen", RIGHT_LISTEN}, {"Manage", RIGHT_MANAGE}, {"Send", RIGHT_SEND}}; /* in the order of answers */

void arm_auth_rights(struct jw *w, unsigned have)
{
    jw_arr(w, "rights");
    for (size_t i = 0; i < SB_ARRAY_LEN(rights); i++) {
        if (have & rights[i].right)
            jw_str(w, NULL, rights[i].name);
    }
    jw_end_arr(w);
}

enum sb_err arm_auth_read(const struct json *body, unsigned *ret, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *p = NULL, *list = NULL;
    unsigned found = 0;
    SB_TRY(json_opt_obj(body, "the body", "properties", &p, err));
    SB_TRY(json_opt_arr(p, "properties", "rights", &list, err));
    JSON_FOREACH (j, list) {
        const char *name = json_is_string(j) ? json_text(j) : "";
        unsigned right = 0;
        for (size_t i = 0; i < SB_ARRAY_LEN(rights); i++)
            right |= text_ieq(name, rights[i].name) ? rights[i].right : 0;
        if (right == 0)
            return sb_fail(err, SB_EBADREQUEST,
                           "Each of 'properties.rights' must be one of 'Listen', 'Send' and 'Manage'.");
        found |= right;
    }
    *ret = found;
out:
    return rc;
}

enum sb_err arm_auth_read_regenerate(const struct json *body, int *ret_which, const char **ret_key,
                                     struct sb_error *err)
{
    enum sb_err rc;
    const char *type = NULL;
    SB_TRY(json_opt_str(body, "the body", "keyType", &type, err));
    SB_TRY(json_opt_str(body, "the body", "key", ret_key, err));
    if (type == NULL || (!text_ieq(type, "PrimaryKey") && !text_ieq(type, "SecondaryKey")))
        return sb_fail(err, SB_EBADREQUEST, "'keyType' must be 'PrimaryKey' or 'SecondaryKey'.");
    *ret_which = text_ieq(type, "SecondaryKey");
out:
    return rc;
}

void arm_auth_keys(struct request *r, bool alias, const char *label, const char *entity,
                   const struct auth_rule *rule)
{
    const char *host = request_authority(r, HOST_BUS, label, false);
    const char *const names[][2] = {{"primaryConnectionString", "aliasPrimaryConnectionString"},
                                    {"secondaryConnectionString", "aliasSecondaryConnectionString"}};
    const char *const secrets[] = {rule->primary, rule->secondary};
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    for (size_t i = 0; i < SB_ARRAY_LEN(secrets); i++)
        jw_strf(&w, names[i][alias], "Endpoint=sb://%s/;SharedAccessKeyName=%s;SharedAccessKey=%s%s%s", host,
                rule->name, secrets[i], entity ? ";EntityPath=" : "", entity ? entity : "");
    jw_str(&w, "primaryKey", rule->primary);
    jw_str(&w, "secondaryKey", rule->secondary);
    jw_str(&w, "keyName", rule->name);
    jw_end_obj(&w);
}
