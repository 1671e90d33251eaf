/*
 * arm_federated.c: federated credentials of user-assigned identities, kept and shown as recorded. Nothing
 * here signs in with them: a token of another issuer is refused at the sign-in endpoint.
 */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"
#include "server/engine/federated.h"

#define NAME_MIN 3 /* documented, as are the characters */
#define NAME_MAX 120
#define TEXT_MAX 600 /* of issuer, subject and each audience (documented) */

/* The identity of the path, at whose credential (name NULL: at all of which) the caller may do `verb`. */
static enum sb_err require(struct request *r, const char *verb, const char *name, struct uai *ret,
                           struct sb_error *err)
{
    enum sb_err rc;
    const char *identity =
        arm_id(r, request_param(r, "sub"), request_param(r, "group"),
               "Microsoft.ManagedIdentity/userAssignedIdentities/%s", request_param(r, "identity"));
    const char *id = name != NULL
                         ? arena_printf(r->arena, "%s/federatedIdentityCredentials/%s", identity, name)
                         : identity;
    const char *action = arena_printf(r->arena, FEDERATED_TYPE "/%s", verb);
    if (id == NULL || action == NULL)
        return sb_fail(err, SB_ENOMEM, "out of memory");
    SB_TRY(arm_require(r, action, id, err));
    SB_TRY(arm_require_group(r, NULL, err));
    SB_TRY(directory_uai_get(r->e, identity, r->arena, ret, err));
out:
    return rc;
}

static void write_credential(struct jw *w, const struct st_document *d)
{
    jw_obj(w, NULL);
    jw_str(w, "id", d->id);
    jw_str(w, "name", d->name);
    jw_str(w, "type", FEDERATED_TYPE);
    jw_raw(w, "properties", d->body);
    jw_end_obj(w);
}

static enum sb_err check_name(const char *name, struct sb_error *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t n = strlen(name);
    if (n >= NAME_MIN && n <= NAME_MAX && strspn(name, letters) == n && name[0] != '-' && name[0] != '_')
        return SB_OK;
    return sb_fail(
        err, SB_EBADREQUEST,
        "The name of a federated identity credential begins with a letter or digit, holds letters, "
        "digits, hyphens and underscores only, and has between %d and %d characters.",
        NAME_MIN, NAME_MAX);
}

static bool text_ok(const char *s)
{
    return s != NULL && s[0] != '\0' && strlen(s) <= TEXT_MAX;
}

static enum sb_err read_body(struct request *r, struct federated *f, struct sb_error *err)
{
    enum sb_err rc;
    const struct json *p = NULL, *audiences = NULL;
    SB_TRY(json_opt_obj(r->json, "", "properties", &p, err));
    SB_TRY(json_opt_str(p, "properties", "issuer", &f->issuer, err));
    SB_TRY(json_opt_str(p, "properties", "subject", &f->subject, err));
    SB_TRY(json_opt_arr(p, "properties", "audiences", &audiences, err));
    bool ok = text_ok(f->issuer) && text_ok(f->subject) && json_size(audiences) == 1;
    JSON_FOREACH (j, audiences)
        ok = ok && text_ok(json_text(j));
    if (!ok)
        return sb_fail(
            err, SB_EBADREQUEST,
            "The request format was unexpected. Federated Identity Credential must specify 'issuer', "
            "'subject' and 'audience'.");
    struct sb_buf b;
    struct jw w;
    buf_init(&b, r->body.n + 4096);
    jw_init(&w, &b);
    jw_obj(&w, NULL);
    jw_str(&w, "issuer", f->issuer);
    jw_str(&w, "subject", f->subject);
    jw_raw(&w, "audiences", json_print(audiences, r->arena));
    jw_end_obj(&w);
    f->body = buf_failed(&b) ? NULL : arena_strndup(r->arena, buf_str(&b), b.n);
    buf_done(&b);
    if (f->body == NULL)
        rc = sb_fail(err, SB_ENOMEM, "out of memory");
out:
    return rc;
}

static enum sb_err put(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct uai of;
    struct st_document d;
    struct federated f = {.name = request_param(r, "name")};
    bool created = false;
    SB_TRY(require(r, "write", f.name, &of, err));
    SB_TRY(check_name(f.name, err));
    SB_TRY(read_body(r, &f, err));
    SB_TRY(federated_put(r->e, &of, &f, r->arena, &d, &created, err));
    struct jw w = reply_json(r, created ? 201 : 200);
    write_credential(&w, &d);
    if (created)
        reply_header(r, "Location", d.id); /* relative, as recorded */
out:
    return rc;
}

static enum sb_err get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct uai of;
    struct st_document d;
    const char *name = request_param(r, "name");
    SB_TRY(require(r, "read", name, &of, err));
    SB_TRY(federated_get(r->e, &of, name, r->arena, &d, err));
    struct jw w = reply_json(r, 200);
    write_credential(&w, &d);
out:
    return rc;
}

static enum sb_err remove_it(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct uai of;
    bool existed = false;
    const char *name = request_param(r, "name");
    SB_TRY(require(r, "delete", name, &of, err));
    SB_TRY(federated_remove(r->e, &of, name, r->arena, &existed, err));
    reply_empty(r, existed ? 200 : 204);
out:
    return rc;
}

static enum sb_err list(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct uai of;
    struct st_document *d = NULL;
    size_t n = 0;
    SB_TRY(require(r, "read", NULL, &of, err));
    SB_TRY(federated_list(r->e, &of, r->arena, &d, &n, err));
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_credential(&w, &d[i]);
    jw_end_arr(&w);
    jw_end_obj(&w);
out:
    return rc;
}

#define ALL                                                                                                  \
    "/subscriptions/{sub}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/"                       \
    "userAssignedIdentities/{identity}/federatedIdentityCredentials"
#define ONE   ALL "/{name}"
#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, ALL, FLAGS, 0, list, "ArmFederatedCredentialList"},
    {"PUT", PLANE_ARM, ONE, FLAGS | R_JSON, 65536, put, "ArmFederatedCredentialPut"},
    {"GET", PLANE_ARM, ONE, FLAGS, 0, get, "ArmFederatedCredentialGet"},
    {"DELETE", PLANE_ARM, ONE, FLAGS, 0, remove_it, "ArmFederatedCredentialDelete"},
};
const struct route_table routes_arm_federated = {rows, SB_ARRAY_LEN(rows)};
