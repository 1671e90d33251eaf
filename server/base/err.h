/*
 * err.h: the one list of errors, and the error object that carries a detail.
 *
 * A function that can fail returns `enum sb_err`, takes `struct sb_error *err` last (may be NULL) and leaves
 * its `ret_` outputs untouched on failure. `detail` holds one sentence in the words of the service where they
 * are known; it may name resources and ids, never a key, a token or a body. What an error looks like on each
 * plane (HTTP status, code, inner code) is a table in api/errmap.c: a new error is one row here and one row
 * there.
 */
#ifndef SB_ERR_H
#define SB_ERR_H

#include <stddef.h>
#include "server/base/compiler.h"

#define SB_ERRORS(X)                                                                                         \
    X(SB_OK, "success")                                                                                      \
    X(SB_EPENDING, "the answer comes later")                                                                 \
    /* the emulator itself */                                                                                \
    X(SB_EINTERNAL, "internal error")                                                                        \
    X(SB_ENOMEM, "out of memory")                                                                            \
    X(SB_EIO, "storage failed")                                                                              \
    X(SB_ECRYPTO, "cryptographic operation failed")                                                          \
    X(SB_ETAMPER, "sealed data failed authentication")                                                       \
    X(SB_EDATADIR, "data directory unusable")                                                                \
    X(SB_EUSAGE, "bad command line")                                                                         \
    X(SB_ETIMEOUT, "timed out")                                                                              \
    X(SB_EUNAVAILABLE, "not available right now")                                                            \
    /* the request as such */                                                                                \
    X(SB_EINVAL, "invalid argument")                                                                         \
    X(SB_EBADJSON, "body is not the JSON expected")                                                          \
    X(SB_EBADREQUEST, "request is malformed")                                                                \
    X(SB_ETEMPLATE, "template is invalid")                                                                   \
    X(SB_ENOHOST, "unknown host")                                                                            \
    X(SB_ENOROUTE, "no such resource path")                                                                  \
    X(SB_EMETHOD, "method not allowed")                                                                      \
    X(SB_ETOOLARGE, "body too large")                                                                        \
    X(SB_ENOAPIVERSION, "api-version is missing")                                                            \
    X(SB_EAPIVERSION, "api-version not supported")                                                           \
    X(SB_EAPIVERSIONPARAM, "api-version is invalid")                                                         \
    X(SB_ENOTYPE, "no such resource type")                                                                   \
    X(SB_ENOPROVIDER, "no such resource provider")                                                           \
    X(SB_EPRECONDITION, "precondition failed")                                                               \
    X(SB_ENOTSUP, "not emulated")                                                                            \
    /* who asks */                                                                                           \
    X(SB_ENOTOKEN, "no credentials")                                                                         \
    X(SB_EBADTOKEN, "credentials are invalid")                                                               \
    X(SB_EEXPIREDTOKEN, "token has expired")                                                                 \
    X(SB_EAUDIENCE, "token is for another audience")                                                         \
    X(SB_EISSUER, "token is from another issuer")                                                            \
    X(SB_EDENIED, "not authorized")                                                                          \
    X(SB_EPOLICY, "no access policy allows this")                                                            \
    X(SB_ERBAC, "no role assignment allows this")                                                            \
    X(SB_EFIREWALL, "client address is not authorized")                                                      \
    X(SB_EMODEL, "permission model cannot be changed")                                                       \
    /* resources */                                                                                          \
    X(SB_ENOTFOUND, "no such object")                                                                        \
    X(SB_ENOSUBSCRIPTION, "no such subscription")                                                            \
    X(SB_ENODEPLOYMENT, "no such deployment")                                                                \
    X(SB_ENOGROUP, "no such resource group")                                                                 \
    X(SB_ENOPARENT, "parent resource not found")                                                             \
    X(SB_EEXISTS, "name is in use")                                                                          \
    X(SB_ECONFLICT, "state does not allow this")                                                             \
    X(SB_EBUSY, "resource is in transition")                                                                 \
    X(SB_ELIMIT, "limit exceeded")                                                                           \
    X(SB_ENOPRINCIPAL, "no such principal")                                                                  \
    X(SB_EASSIGNED, "role assignment exists")                                                                \
    X(SB_EASSIGNFIXED, "role assignment cannot be changed that way")                                         \
    X(SB_ENOASSIGNMENT, "no such role assignment")                                                           \
    X(SB_ENOROLE, "no such role definition")                                                                 \
    X(SB_EROLENAME, "another role has this name")                                                            \
    X(SB_EROLEUSED, "role has assignments")                                                                  \
    X(SB_ENOLOCATION, "location is required")                                                                \
    X(SB_EGROUPLOCATION, "resource group is elsewhere")                                                      \
    X(SB_ELOCATION, "location cannot be changed")                                                            \
    /* key vault */                                                                                          \
    X(SB_EVAULTNAME, "vault name is invalid")                                                                \
    X(SB_EVAULTEXISTS, "vault name is in use")                                                               \
    X(SB_EVAULTDELETED, "a deleted vault has this name")                                                     \
    X(SB_ENODELETEDVAULT, "no such deleted vault")                                                           \
    X(SB_ENOVAULT, "no such vault")                                                                          \
    X(SB_EPURGEPROTECTED, "purge protection forbids this")                                                   \
    X(SB_EKEYNOTFOUND, "no such key")                                                                        \
    X(SB_EKEYDELETED, "key is deleted but recoverable")                                                      \
    X(SB_EKEYLIVE, "key is not deleted")                                                                     \
    X(SB_EKEYDISABLED, "key is disabled")                                                                    \
    X(SB_EKEYEXPIRED, "key has expired")                                                                     \
    X(SB_EKEYNOTYET, "key is not yet valid")                                                                 \
    X(SB_EKEYOP, "operation not permitted on this key")                                                      \
    X(SB_ESECRETNOTFOUND, "no such secret")                                                                  \
    X(SB_ESECRETDISABLED, "secret is disabled")                                                              \
    X(SB_EBADPARAM, "parameter is invalid")                                                                  \
    X(SB_EBADBACKUP, "backup blob is malformed")                                                             \
    X(SB_ETHROTTLED, "too many requests")                                                                    \
    /* service bus */                                                                                        \
    X(SB_EREVOKED, "every customer key is revoked")                                                          \
    X(SB_EUNREACHABLE, "customer keys cannot be reached")                                                    \
    X(SB_EKEYGONE, "no listed key can unwrap")                                                               \
    X(SB_EGONE, "entity does not exist")                                                                     \
    X(SB_ESECONDARY, "a secondary namespace is read-only")                                                   \
    X(SB_ENOSUBENTITY, "no such subscription or rule")                                                       \
    X(SB_ELOCKLOST, "no message under that lock")                                                            \
    X(SB_EQUOTA, "quota exceeded")                                                                           \
    X(SB_EENTITY, "entity settings are invalid")                                                             \
    X(SB_EENTITYDISABLED, "entity is disabled")                                                              \
    X(SB_ENONAMESPACE, "no such namespace")                                                                  \
    /* sign-in */                                                                                            \
    X(SB_EINVALIDCLIENT, "client secret is wrong")                                                           \
    X(SB_EUNKNOWNCLIENT, "no such application")                                                              \
    X(SB_EINVALIDGRANT, "grant is invalid")                                                                  \
    X(SB_EINVALIDSCOPE, "scope is invalid")                                                                  \
    X(SB_EUNKNOWNRESOURCE, "no such resource principal")                                                     \
    X(SB_EUNKNOWNTENANT, "no such tenant")                                                                   \
    X(SB_EUNSUPPORTEDGRANT, "grant type is not supported")                                                   \
    X(SB_EINVALIDINSTANCE, "authority host is not known")                                                    \
    X(SB_EAUTHPENDING, "the user has not decided yet")                                                       \
    X(SB_EAUTHDECLINED, "the user declined")                                                                 \
    X(SB_ECODEEXPIRED, "device code has expired")

enum sb_err {
#define X(name, text) name,
    SB_ERRORS(X)
#undef X
        SB_ERR_MAX
};

struct sb_error {
    enum sb_err code;
    int status; /* the HTTP status that an injected fault asks for (contract 4); 0: what the code stands for
                 */
    char detail[1400];
};

/* Sets err (when not NULL) to code and the formatted detail; returns code, so `return sb_fail(...)` reads
 * well. */
enum sb_err sb_fail(struct sb_error *err, enum sb_err code, const char *fmt, ...) SB_PRINTF(3, 4);
#ifdef __clang_analyzer__
/* The analyzer looks at one file at a time and would not know what comes back. */
#define sb_fail(err, code, ...) ((void)(sb_fail)((err), (code), __VA_ARGS__), (code))
#endif

/* Name ("SB_EINVAL") and short text of a code; never NULL. */
const char *sb_err_name(enum sb_err code);
const char *sb_err_text(enum sb_err code);

#endif
