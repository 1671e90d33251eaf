/* entra.h: what the sign-in files share. */
#ifndef SB_ENTRA_H
#define SB_ENTRA_H

#include "api/request.h"
#include "server/engine/directory_user.h"

/* Is the path's {tenant} this directory: its id or domain, common, organizations, or adfs? */
bool entra_tenant_ok(const struct request *r);
/* The path's tenant is adfs: the authority without tenants, for which clients skip instance discovery. */
bool entra_is_adfs(const struct request *r);
/* AADSTS90002. */
SB_MUST enum sb_err entra_check_tenant(const struct request *r, struct sb_error *err);

/* ---- entra_form.c: form bodies ---- */
#define ENTRA_FIELDS_MAX 32
struct entra_form {
    struct request_pair field[ENTRA_FIELDS_MAX];
    size_t n;
};
/* Strict: well-formed UTF-8, no name twice. */
SB_MUST enum sb_err entra_form_read(struct request *r, struct entra_form *ret, struct sb_error *err);
/* NULL: absent. */
const char *entra_form_get(const struct entra_form *f, const char *name);
/* AADSTS900144 when it is absent or empty. */
SB_MUST enum sb_err entra_form_require(const struct entra_form *f, const char *name, const char **ret,
                                       struct sb_error *err);

/* ---- entra_scope.c: for which resource ---- */
struct entra_scope {
    const char *resource;
    const char *list; /* as answered: scopes of that resource */
    bool openid, offline;
};
/* Of an application: exactly one "RESOURCE/.default" among the scopes, or a resource. */
/* Is there such a resource? AADSTS500011. */
SB_MUST enum sb_err entra_resource_require(struct request *r, const char *resource, struct sb_error *err);
SB_MUST enum sb_err entra_scope_app(struct request *r, const struct entra_form *f, struct entra_scope *ret,
                                    struct sb_error *err);
/* Of a user. resource (v1) or NULL; scopes or NULL. Without any scope of a resource it is Graph's. */
SB_MUST enum sb_err entra_scope_user(struct request *r, const char *resource, const char *scopes,
                                     struct entra_scope *ret, struct sb_error *err);

/* ---- entra_token.c ---- */
/* POST …/token */
SB_MUST enum sb_err entra_token(struct request *r, struct sb_error *err);
/* The application of a user's sign-in: known, and proven where it has to be (*ret_proven). */
SB_MUST enum sb_err entra_client(struct request *r, const struct entra_form *f, struct dir_client *ret,
                                 bool *ret_proven, struct sb_error *err);
/* An application's own sign-in, by secret, Basic header or assertion. */
SB_MUST enum sb_err entra_sign_in(struct request *r, const struct entra_form *f, struct principal *ret,
                                  struct sb_error *err);

/* ---- entra_user.c: what users grant; one handler per grant_type ---- */
SB_MUST enum sb_err entra_grant_password(struct request *r, const struct entra_form *f, struct sb_error *err);
SB_MUST enum sb_err entra_grant_refresh(struct request *r, const struct entra_form *f, struct sb_error *err);
SB_MUST enum sb_err entra_grant_device(struct request *r, const struct entra_form *f, struct sb_error *err);
SB_MUST enum sb_err entra_grant_code(struct request *r, const struct entra_form *f, struct sb_error *err);
/* POST …/devicecode */
SB_MUST enum sb_err entra_device(struct request *r, struct sb_error *err);

/* ---- entra_page.c: what a browser is shown ---- */
SB_MUST enum sb_err entra_device_page(struct request *r, struct sb_error *err);
SB_MUST enum sb_err entra_device_sign_in(struct request *r, struct sb_error *err);
SB_MUST enum sb_err entra_authorize(struct request *r, struct sb_error *err);
SB_MUST enum sb_err entra_authorize_sign_in(struct request *r, struct sb_error *err);
SB_MUST enum sb_err entra_logout(struct request *r, struct sb_error *err);
/* Where a user types a device code. */
const char *entra_device_address(struct request *r);

#endif
