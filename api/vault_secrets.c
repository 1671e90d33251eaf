/*
 * vault_secrets.c: the data plane of a vault's secrets. Members and their order are recorded; what is
 * malformed is told in our own words, and never with a value in them.
 */
#include "api/vault_common.h"
#include "server/base/text.h"
#include "server/engine/vsecret.h"

#define CONTENT_TYPE_MAX 255 /* documented */

/* ---- bodies ---- */

static enum sb_err read_content_type(struct request *r, const char **ret, struct sb_error *err)
{
    enum sb_err rc = json_opt_str(r->json, "", "contentType", ret, err);
    if (rc == SB_OK && *ret && utf8_length(*ret, strlen(*ret)) > CONTENT_TYPE_MAX)
        rc = sb_fail(err, SB_EBADPARAM, "Property contentType is longer than %d characters.",
                     CONTENT_TYPE_MAX);
    return rc;
}

static enum sb_err read_update(struct request *r, struct vsecret_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    SB_TRY(vault_read_attributes(r, &s->enabled, &s->nbf, &s->exp, err));
    SB_TRY(read_content_type(r, &s->content_type, err));
    SB_TRY(vault_read_tags(r, &s->tags, err));
out:
    return rc;
}

static enum sb_err read_set(struct request *r, struct vsecret_spec *s, struct sb_error *err)
{
    enum sb_err rc;
    const char *value = NULL;
    SB_TRY(read_update(r, s, err));
    SB_TRY(json_opt_str(r->json, "", "value", &value, err));
    if (!value)
        return sb_fail(err, SB_EBADPARAM, "Property value is missing.");
    s->value = (struct sb_blob){.p = (const uint8_t *)value, .n = strlen(value)};
out:
    return rc;
}

static void write_value(struct request *r, struct jw *w, struct sb_blob value)
{
    if (value.p)
        jw_str(w, "value", arena_strndup(r->arena, (const char *)value.p, value.n));
}

/* version NULL: an item of a list of secrets, which has none in its id. */
static void write_secret(struct request *r, struct jw *w, const struct vsecret *s, const char *version)
{
    const struct vault_attributes a = {.enabled = s->enabled,
                                       .nbf = s->nbf,
                                       .exp = s->exp,
                                       .created = s->created,
                                       .updated = s->updated,
                                       .recoverable_days = s->recoverable_days,
                                       .purge_protection = s->purge_protection};
    jw_obj(w, NULL);
    vault_write_deleted(r, w, "deletedsecrets", s->name, s->deleted, s->purge);
    write_value(r, w, s->value);
    jw_str(w, "contentType", s->content_type);
    jw_str(w, "id", vault_id(r, "secrets", s->name, version));
    vault_write_attributes(r, w, &a);
    jw_raw(w, "tags", s->tags);
    jw_end_obj(w);
}

static enum sb_err answer(struct request *r, const struct vsecret *s)
{
    struct jw w = reply_json(r, 200);
    write_secret(r, &w, s, s->version);
    return SB_OK;
}

/* ---- operations ---- */

static enum sb_err secret_set(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret made;
    struct vsecret_spec s = {.vault = r->host_label, .name = request_param(r, "name")};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_set(r, &s, err));
    SB_TRY(vsecret_set(r->e, &c, &s, r->arena, &made, err));
    rc = answer(r, &made);
out:
    return rc;
}

static enum sb_err secret_get(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret s;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vsecret_get(r->e, &c, r->host_label, request_param(r, "name"), request_param(r, "version"),
                       r->arena, &s, err));
    rc = answer(r, &s);
out:
    return rc;
}

static enum sb_err secret_update(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret now;
    struct vsecret_spec s = {.vault = r->host_label, .name = request_param(r, "name")};
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(read_update(r, &s, err));
    SB_TRY(vsecret_update(r->e, &c, &s, request_param(r, "version"), r->arena, &now, err));
    rc = answer(r, &now);
out:
    return rc;
}

/* Delete, get deleted and recover differ in the call alone. */
static enum sb_err answer_of(struct request *r,
                             enum sb_err (*call)(struct engine *e, const struct vault_caller *c,
                                                 const char *vault, const char *name, struct sb_arena *a,
                                                 struct vsecret *ret, struct sb_error *err),
                             struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret s;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(call(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &s, err));
    rc = answer(r, &s);
out:
    return rc;
}

static enum sb_err secret_delete(struct request *r, struct sb_error *err)
{
    return answer_of(r, vsecret_delete, err);
}

static enum sb_err deleted_get(struct request *r, struct sb_error *err)
{
    return answer_of(r, vsecret_deleted_get, err);
}

static enum sb_err deleted_recover(struct request *r, struct sb_error *err)
{
    return answer_of(r, vsecret_recover, err);
}

static enum sb_err deleted_purge(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vsecret_purge(r->e, &c, r->host_label, request_param(r, "name"), err));
    reply_empty(r, 204);
out:
    return rc;
}

static enum sb_err secret_backup(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    const char *text = NULL;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vsecret_backup(r->e, &c, r->host_label, request_param(r, "name"), r->arena, &text, err));
    vault_answer_backup(r, text);
out:
    return rc;
}

static enum sb_err secret_restore(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct sb_blob blob;
    struct vsecret s;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_read_blob(r, "value", &blob, err));
    SB_TRY(vsecret_restore(r->e, &c, r->host_label, blob, r->arena, &s, err));
    rc = answer(r, &s);
out:
    return rc;
}

/* ---- lists ---- */

static void answer_list(struct request *r, const struct vsecret *s, size_t n, const char *versions_of,
                        const struct vault_page *page)
{
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < n; i++)
        write_secret(r, &w, &s[i], versions_of ? s[i].version : NULL);
    jw_end_arr(&w);
    vault_write_next(r, &w, "secret", versions_of, page);
    jw_end_obj(&w);
}

static enum sb_err list(struct request *r, bool deleted, struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret *s = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = vault_audit_caller(r);
    SB_TRY(vault_read_page(r, &page, err));
    SB_TRY(vsecret_list(r->e, &c, r->host_label, deleted, &page, r->arena, &s, &n, err));
    answer_list(r, s, n, NULL, &page);
out:
    return rc;
}

static enum sb_err secret_list(struct request *r, struct sb_error *err)
{
    return list(r, false, err);
}

static enum sb_err deleted_list(struct request *r, struct sb_error *err)
{
    return list(r, true, err);
}

static enum sb_err secret_versions(struct request *r, struct sb_error *err)
{
    enum sb_err rc;
    struct vsecret *s = NULL;
    size_t n = 0;
    struct vault_page page;
    const struct vault_caller c = vault_audit_caller(r);
    const char *name = request_param(r, "name");
    SB_TRY(vault_read_page(r, &page, err));
    SB_TRY(vsecret_versions(r->e, &c, r->host_label, name, &page, r->arena, &s, &n, err));
    answer_list(r, s, n, name, &page);
out:
    return rc;
}

#define READ    VAULT_READ_FLAGS
#define WRITE   VAULT_WRITE_FLAGS
#define BODY    VAULT_BODY_MAX
#define SET_MAX (4 * VAULT_BODY_MAX) /* a value whose every byte is escaped as \u00XX */
#define SECRET  "/secrets/{name}"
#define VERSION "/secrets/{name}/{version}"
#define DELETED "/deletedsecrets"

static const struct route rows[] = {
    {"PUT", PLANE_VAULT, SECRET, WRITE, SET_MAX, secret_set, "SecretSet"},
    {"GET", PLANE_VAULT, SECRET, READ, BODY, secret_get, "SecretGet"},
    {"GET", PLANE_VAULT, VERSION, READ, BODY, secret_get, "SecretGetVersion"},
    {"PATCH", PLANE_VAULT, SECRET, WRITE, BODY, secret_update, "SecretUpdate"},
    {"PATCH", PLANE_VAULT, VERSION, WRITE, BODY, secret_update, "SecretUpdateVersion"},
    {"DELETE", PLANE_VAULT, SECRET, READ, BODY, secret_delete, "SecretDelete"},
    {"GET", PLANE_VAULT, "/secrets", READ, BODY, secret_list, "SecretList"},
    {"GET", PLANE_VAULT, SECRET "/versions", READ, BODY, secret_versions, "SecretVersions"},
    {"POST", PLANE_VAULT, SECRET "/backup", READ, BODY, secret_backup, "SecretBackup"},
    {"POST", PLANE_VAULT, "/secrets/restore", WRITE, VAULT_RESTORE_MAX, secret_restore, "SecretRestore"},
    {"GET", PLANE_VAULT, DELETED, READ, BODY, deleted_list, "DeletedSecretList"},
    {"GET", PLANE_VAULT, DELETED "/{name}", READ, BODY, deleted_get, "DeletedSecretGet"},
    {"DELETE", PLANE_VAULT, DELETED "/{name}", READ, BODY, deleted_purge, "DeletedSecretPurge"},
    {"POST", PLANE_VAULT, DELETED "/{name}/recover", READ, BODY, deleted_recover, "DeletedSecretRecover"},
};

const struct route_table routes_vault_secrets = {rows, SB_ARRAY_LEN(rows)};
