/*
 * control_identity.c: managed-identity tokens as a virtual machine's instance metadata service and App
 * Service give them. A workload beside the emulator points its SDK at the control port and gets the token of
 * any identity that the emulator knows; without a choice, that of the well-known principal.
 */
#include "api/control.h"
#include "api/entra.h"
#include "server/base/text.h"
#include "server/engine/directory.h"

#define LIFETIME_S   86400 /* managed identities' tokens hold for a day */
#define RESOURCE_MAX 512

enum flavour { IMDS, APP_SERVICE };

/* The service's own shape: text members, no envelope. */
static enum sb_err refuse(struct request *r, int status, const char *error, const char *description)
{
    struct jw w = reply_json(r, status);
    jw_obj(&w, NULL);
    jw_str(&w, "error", error);
    jw_str(&w, "error_description", description);
    jw_end_obj(&w);
    return SB_OK;
}

/* How the wanted identity may be named; later api-versions renamed the last one. */
static const struct choice {
    const char *name;
    bool by_oid;
} choices[] = {
    {"client_id", false}, {"object_id", true},   {"principal_id", true},
    {"mi_res_id", false}, {"msi_res_id", false},
};

static enum sb_err find_identity(struct request *r, int *ret_named, bool *ret_found, struct principal *ret,
                                 struct sb_error *err)
{
    enum sb_err rc;
    const struct choice *by = NULL;
    const char *value = ENGINE_CLIENT_ID;
    *ret_named = 0;
    for (size_t i = 0; i < SB_ARRAY_LEN(choices); i++) {
        const char *v = request_query(r, choices[i].name);
        if (!v || v[0] == '\0')
            continue;
        by = &choices[i];
        value = v;
        ++*ret_named;
    }
    if (by && by->by_oid)
        SB_TRY(directory_principal(r->e, value, ret_found, ret, err));
    else
        SB_TRY(directory_find(r->e, value, ret_found, ret, err));
out:
    return rc;
}

/* App Service leaves expires_in out. */
static enum sb_err write_token(struct request *r, enum flavour f, const struct principal *who,
                               const char *resource, struct sb_error *err)
{
    enum sb_err rc;
    char *token = NULL;
    SB_TRY(directory_issue(r->e, who, resource, false, NULL, LIFETIME_S, r->arena, &token, err));
    int64_t now = engine_token_now(r->e) / 1000;
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_str(&w, "access_token", token);
    jw_str(&w, "client_id", who->appid);
    if (f == IMDS) {
        jw_strf(&w, "expires_in", "%d", LIFETIME_S - 1);
        jw_strf(&w, "ext_expires_in", "%d", LIFETIME_S - 1);
    }
    jw_strf(&w, "expires_on", "%lld", (long long)(now + LIFETIME_S));
    jw_strf(&w, "not_before", "%lld", (long long)now);
    jw_str(&w, "resource", resource);
    jw_str(&w, "token_type", "Bearer");
    jw_end_obj(&w);
    reply_header(r, "Cache-Control", "no-store");
out:
    return rc;
}

static enum sb_err answer(struct request *r, enum flavour f, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_error why = {0};
    struct principal who;
    bool found = false;
    int named = 0;
    const char *resource = request_query(r, "resource");
    /* A forwarded request came from somewhere else: that is how server-side request forgery reaches such
     * endpoints. */
    if (request_header(r, "X-Forwarded-For"))
        return refuse(r, 403, "invalid_request", "Requests with an X-Forwarded-For header are refused");
    if (!resource || resource[0] == '\0' || strlen(resource) > RESOURCE_MAX)
        return refuse(r, 400, "invalid_request", "Required query variable 'resource' is missing");
    SB_TRY(find_identity(r, &named, &found, &who, err));
    if (named > 1)
        return refuse(r, 400, "invalid_request",
                      "Only one of client_id, object_id and mi_res_id can be given");
    if (!found)
        return refuse(r, 400, "invalid_request", "Identity not found");
    if (entra_resource_require(r, resource, &why) != SB_OK)
        return refuse(r, 400, "invalid_resource", why.detail);
    SB_TRY(write_token(r, f, &who, resource, err));
out:
    return rc;
}

enum sb_err control_identity_imds(struct request *r, struct sb_error *err)
{
    const char *metadata = request_header(r, "Metadata");
    if (!metadata || strcmp(metadata, "true") != 0)
        return refuse(r, 400, "bad_request_102", "Required metadata header not specified");
    return answer(r, IMDS, err);
}

/* IDENTITY_ENDPOINT=http://…/msi/token; the value of IDENTITY_HEADER only has to be there. */
enum sb_err control_identity_app_service(struct request *r, struct sb_error *err)
{
    if (!request_header(r, "X-IDENTITY-HEADER"))
        return refuse(r, 401, "unauthorized", "The X-IDENTITY-HEADER header is missing");
    return answer(r, APP_SERVICE, err);
}
