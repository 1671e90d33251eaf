/*
 * errmap.c: error × plane → HTTP status, code, inner code.
 *
 * The inner column means: Key Vault: innererror.code; ARM: "gateway" when Azure Resource Manager itself (not
 * the resource provider) makes the answer, which a header tells; sign-in: the number behind AADSTS. Codes are
 * recorded or documented unless marked (choice).
 */
#include "api/errmap.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): a cell in braces takes no parentheses */
#define ROW(err, arm, login, vault, bus, graph, control)                                                     \
    [err] = {[PLANE_ARM] = arm, [PLANE_LOGIN] = login, [PLANE_VAULT] = vault,                                \
             [PLANE_BUS] = bus, [PLANE_GRAPH] = graph, [PLANE_CONTROL] = control}
/* clang-format off */
#define C(status, code)         {status, code, NULL}
#define CI(status, code, inner) {status, code, inner}
#define GW(status, code)        {status, code, "gateway"}
/* clang-format on */

/* Rows that look alike. (Three spell ROW out: a cell passed on as an argument would fall apart at its
 * commas.) */
#define FAILED(err)                                                                                          \
    ROW(err, C(500, "InternalServerError"), CI(500, "server_error", "50000"), C(500, "InternalServerError"), \
        C(500, "500"), C(500, "InternalServerError"), C(500, "InternalError"))
#define MALFORMED(err)                                                                                       \
    ROW(err, C(400, "BadRequest"), CI(400, "invalid_request", "90013"), C(400, "BadParameter"),              \
        C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest"))
#define MISSING(err, arm)                                                                                    \
    [err] = {[PLANE_ARM] = arm,                                                                              \
             [PLANE_LOGIN] = CI(404, "invalid_request", "90013"),                                            \
             [PLANE_VAULT] = C(404, "NotFound"),                                                             \
             [PLANE_BUS] = C(404, "404"),                                                                    \
             [PLANE_GRAPH] = C(404, "Request_ResourceNotFound"),                                             \
             [PLANE_CONTROL] = C(404, "NotFound")}
#define CONFLICT(err, arm)                                                                                   \
    [err] = {[PLANE_ARM] = arm,                                                                              \
             [PLANE_LOGIN] = CI(409, "invalid_request", "90013"),                                            \
             [PLANE_VAULT] = C(409, "Conflict"),                                                             \
             [PLANE_BUS] = C(409, "409"),                                                                    \
             [PLANE_GRAPH] = C(409, "Request_ConflictingObject"),                                            \
             [PLANE_CONTROL] = C(409, "Conflict")}
#define TOKEN(err, arm)                                                                                      \
    [err] = {[PLANE_ARM] = arm,                                                                              \
             [PLANE_LOGIN] = CI(401, "invalid_client", "50027"),                                             \
             [PLANE_VAULT] = C(401, "Unauthorized"),                                                         \
             [PLANE_BUS] = C(401, "401"),                                                                    \
             [PLANE_GRAPH] = C(401, "InvalidAuthenticationToken"),                                           \
             [PLANE_CONTROL] = C(401, "Unauthorized")}
/* A key that cannot be used: the vault says 403; where ARM meets it, while it validates a key, 400 (choice).
 */
#define KEY_REFUSED(err, inner)                                                                              \
    ROW(err, C(400, "BadRequest"), CI(400, "invalid_request", "90013"), CI(403, "Forbidden", inner),         \
        C(403, "403"), C(403, "Authorization_RequestDenied"), C(409, inner))
#define SIGN_IN(err, status, code, aadsts)                                                                   \
    ROW(err, C(status, "BadRequest"), CI(status, code, aadsts), C(status, "BadParameter"),                   \
        C(status, #status), C(status, "Request_BadRequest"), C(status, code))

/* NOLINTEND(bugprone-macro-parentheses) */

static const struct errmap_cell cells[SB_ERR_MAX][PLANE_MAX] = {
    /* never rendered; here so that no cell is empty */
    FAILED(SB_OK),
    FAILED(SB_EPENDING),

    FAILED(SB_EINTERNAL),
    FAILED(SB_ENOMEM),
    FAILED(SB_EIO),
    FAILED(SB_ECRYPTO),
    FAILED(SB_ETAMPER),
    FAILED(SB_EDATADIR),
    FAILED(SB_EUSAGE),
    ROW(SB_ETIMEOUT, C(504, "GatewayTimeout"), CI(503, "temporarily_unavailable", "90033"), C(504, "Timeout"),
        C(504, "504"), C(504, "GatewayTimeout"), C(504, "Timeout")),
    ROW(SB_EUNAVAILABLE, C(503, "ServiceUnavailable"), CI(503, "temporarily_unavailable", "90033"),
        C(503, "ServiceUnavailable"), C(503, "503"), C(503, "ServiceUnavailable"), C(503, "Unavailable")),

    ROW(SB_EINVAL, C(400, "BadRequest"), CI(400, "invalid_request", "90013"), C(400, "BadParameter"),
        C(400, "400"), C(400, "BadRequest"), C(400, "BadRequest")),
    ROW(SB_EBADJSON, GW(400, "InvalidRequestContent"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "BadRequest"), C(400, "BadJson")),
    MALFORMED(SB_EBADREQUEST),
    /* The code is what tmpl_fault says, mostly this one. */
    ROW(SB_ETEMPLATE, GW(400, "InvalidTemplate"), CI(400, "invalid_request", "90013"), C(400, "BadParameter"),
        C(400, "400"), C(400, "Request_BadRequest"), C(400, "InvalidTemplate")),
    /* (choice) A name no plane has; on the control port: a Host or Origin that is not allowed. */
    ROW(SB_ENOHOST, GW(400, "InvalidHostName"), CI(400, "invalid_request", "90013"), C(400, "BadParameter"),
        C(400, "400"), C(400, "BadRequest"), C(403, "Forbidden")),
    MISSING(SB_ENOROUTE, GW(404, "HttpResourceNotFound")),
    ROW(SB_EMETHOD, GW(405, "MethodNotAllowed"), CI(405, "invalid_request", "900561"),
        C(405, "MethodNotAllowed"), C(405, "405"), C(405, "Request_BadRequest"), C(405, "MethodNotAllowed")),
    /* Service Bus: 403 is documented for a message that is too large. */
    ROW(SB_ETOOLARGE, GW(413, "RequestContentTooLarge"), CI(413, "invalid_request", "90013"),
        C(413, "RequestTooLarge"), C(403, "403"), C(413, "RequestEntityTooLarge"), C(413, "TooLarge")),
    ROW(SB_ENOAPIVERSION, GW(400, "MissingApiVersionParameter"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "BadRequest"), C(400, "BadRequest")),
    ROW(SB_EAPIVERSION, GW(400, "NoRegisteredProviderFound"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "BadRequest"), C(400, "BadRequest")),
    ROW(SB_EAPIVERSIONPARAM, GW(400, "InvalidApiVersionParameter"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "BadRequest"), C(400, "BadRequest")),
    MISSING(SB_ENOTYPE, GW(404, "InvalidResourceType")),
    MISSING(SB_ENOPROVIDER, GW(404, "InvalidResourceNamespace")),
    ROW(SB_EPRECONDITION, C(412, "PreconditionFailed"), CI(400, "invalid_request", "90013"),
        C(412, "PreconditionFailed"), C(412, "412"), C(412, "PreconditionFailed"),
        C(412, "PreconditionFailed")),
    ROW(SB_ENOTSUP, C(501, "NotImplemented"), CI(501, "invalid_request", "90013"), C(501, "NotImplemented"),
        C(501, "501"), C(501, "NotImplemented"), C(501, "NotImplemented")),

    ROW(SB_ENOTOKEN, GW(401, "AuthenticationFailed"), CI(401, "invalid_client", "7000216"),
        C(401, "Unauthorized"), C(401, "401"), C(401, "InvalidAuthenticationToken"), C(401, "Unauthorized")),
    TOKEN(SB_EBADTOKEN, GW(401, "InvalidAuthenticationToken")),
    TOKEN(SB_EEXPIREDTOKEN, GW(401, "ExpiredAuthenticationToken")),
    TOKEN(SB_EAUDIENCE, GW(401, "InvalidAuthenticationTokenAudience")),
    TOKEN(SB_EISSUER, GW(401, "InvalidAuthenticationTokenTenant")),
    /* Service Bus answers 401 also to good credentials without the claim (documented for every call). */
    ROW(SB_EDENIED, GW(403, "AuthorizationFailed"), CI(403, "access_denied", "65001"), C(403, "Forbidden"),
        C(401, "401"), C(403, "Authorization_RequestDenied"), C(403, "Forbidden")),
    /* ARM's own look into a vault answers 400 with the vault's inner code (recorded for RBAC). */
    ROW(SB_EPOLICY, C(400, "ForbiddenByPolicy"), CI(403, "access_denied", "65001"),
        CI(403, "Forbidden", "ForbiddenByPolicy"), C(401, "401"), C(403, "Authorization_RequestDenied"),
        C(403, "ForbiddenByPolicy")),
    ROW(SB_ERBAC, C(400, "ForbiddenByRbac"), CI(403, "access_denied", "65001"),
        CI(403, "Forbidden", "ForbiddenByRbac"), C(401, "401"), C(403, "Authorization_RequestDenied"),
        C(403, "ForbiddenByRbac")),
    ROW(SB_EFIREWALL, C(400, "ForbiddenByFirewall"), CI(403, "access_denied", "65001"),
        CI(403, "Forbidden", "ForbiddenByFirewall"), C(403, "403"), C(403, "Authorization_RequestDenied"),
        C(403, "ForbiddenByFirewall")),

    /* The code is reported by users, the status is not (choice). */
    ROW(SB_EMODEL, C(403, "InsufficientPermissions"), CI(403, "access_denied", "65001"),
        CI(403, "Forbidden", "ForbiddenByPolicy"), C(401, "401"), C(403, "Authorization_RequestDenied"),
        C(403, "Forbidden")),

    MISSING(SB_ENOTFOUND, GW(404, "ResourceNotFound")),
    MISSING(SB_ENOSUBSCRIPTION, GW(404, "SubscriptionNotFound")),
    MISSING(SB_ENOGROUP, GW(404, "ResourceGroupNotFound")),
    MISSING(SB_ENODEPLOYMENT, GW(404, "DeploymentNotFound")),
    MISSING(SB_ENOPARENT, GW(404, "ParentResourceNotFound")),
    CONFLICT(SB_EEXISTS, C(409, "Conflict")),
    CONFLICT(SB_ECONFLICT, C(409, "Conflict")),
    ROW(SB_EBUSY, C(429, "NamespaceInTransition"), CI(409, "invalid_request", "90013"),
        CI(409, "Conflict", "ObjectIsBeingDeleted"), C(409, "409"), C(409, "Request_ConflictingObject"),
        C(409, "Busy")),
    ROW(SB_ELIMIT, C(400, "BadRequest"), CI(400, "invalid_request", "90013"), C(400, "BadParameter"),
        C(403, "403"), C(400, "Request_BadRequest"), C(400, "LimitExceeded")),
    ROW(SB_ENOPRINCIPAL, C(400, "PrincipalNotFound"), CI(400, "unauthorized_client", "700016"),
        C(400, "BadParameter"), C(401, "401"), C(404, "Request_ResourceNotFound"),
        C(400, "PrincipalNotFound")),
    CONFLICT(SB_EASSIGNED, C(409, "RoleAssignmentExists")),
    ROW(SB_EASSIGNFIXED, C(400, "RoleAssignmentUpdateNotPermitted"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    MISSING(SB_ENOASSIGNMENT, C(404, "RoleAssignmentNotFound")),
    MISSING(SB_ENOROLE, C(404, "RoleDefinitionDoesNotExist")),
    CONFLICT(SB_EROLENAME, C(409, "RoleDefinitionWithSameNameExists")),
    /* The code is documented, the status is not (choice). */
    ROW(SB_EROLEUSED, C(400, "RoleDefinitionHasAssignments"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    ROW(SB_ENOLOCATION, GW(400, "LocationRequired"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    CONFLICT(SB_EGROUPLOCATION, GW(409, "InvalidResourceGroupLocation")),
    CONFLICT(SB_ELOCATION, GW(409, "InvalidResourceLocation")),

    ROW(SB_EVAULTNAME, C(400, "VaultNameNotValid"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    CONFLICT(SB_EVAULTEXISTS, C(409, "VaultAlreadyExists")),
    CONFLICT(SB_EVAULTDELETED, C(409, "ConflictError")),
    MISSING(SB_ENODELETEDVAULT, C(404, "DeletedVaultNotFound")),
    ROW(SB_ENOVAULT, GW(404, "ResourceNotFound"), CI(404, "invalid_request", "90013"),
        C(404, "VaultNotFound"), C(404, "404"), C(404, "Request_ResourceNotFound"), C(404, "NotFound")),
    ROW(SB_EPURGEPROTECTED, C(405, "MethodNotAllowed"), CI(400, "invalid_request", "90013"),
        CI(403, "Forbidden", "ForbiddenByPolicy"), C(403, "403"), C(403, "Authorization_RequestDenied"),
        C(409, "PurgeProtected")),
    ROW(SB_EKEYNOTFOUND, C(404, "KeyNotFound"), CI(404, "invalid_request", "90013"), C(404, "KeyNotFound"),
        C(404, "404"), C(404, "Request_ResourceNotFound"), C(404, "KeyNotFound")),
    ROW(SB_ESECRETNOTFOUND, C(404, "SecretNotFound"), CI(404, "invalid_request", "90013"),
        C(404, "SecretNotFound"), C(404, "404"), C(404, "Request_ResourceNotFound"),
        C(404, "SecretNotFound")),
    KEY_REFUSED(SB_ESECRETDISABLED, "SecretDisabled"),
    ROW(SB_EKEYDELETED, C(409, "Conflict"), CI(409, "invalid_request", "90013"),
        CI(409, "Conflict", "ObjectIsDeletedButRecoverable"), C(409, "409"),
        C(409, "Request_ConflictingObject"), C(409, "Conflict")),
    ROW(SB_EKEYLIVE, C(405, "MethodNotAllowed"), CI(400, "invalid_request", "90013"),
        CI(405, "MethodNotAllowed", "RequestNotAllowedOnNonDeletedObject"), C(409, "409"),
        C(409, "Request_ConflictingObject"), C(409, "Conflict")),
    KEY_REFUSED(SB_EKEYDISABLED, "KeyDisabled"),
    KEY_REFUSED(SB_EKEYEXPIRED, "KeyExpired"),
    KEY_REFUSED(SB_EKEYNOTYET, "KeyNotYetValid"),
    KEY_REFUSED(SB_EKEYOP, "KeyOperationForbidden"),
    MALFORMED(SB_EBADPARAM),
    ROW(SB_EBADBACKUP, C(400, "BadRequest"), CI(400, "invalid_request", "90013"),
        C(400, "Malformed backup blob"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    ROW(SB_ETHROTTLED, C(429, "TooManyRequests"), CI(429, "temporarily_unavailable", "90055"),
        C(429, "Throttled"), C(429, "429"), C(429, "TooManyRequests"), C(429, "TooManyRequests")),

    /* (choice) What Revoked looks like is not public: the sentence is, the codes are ours. */
    ROW(SB_EREVOKED, C(409, "Conflict"), CI(409, "invalid_request", "90013"), C(409, "Conflict"),
        C(403, "403"), C(409, "Request_ConflictingObject"), C(409, "Revoked")),
    ROW(SB_EUNREACHABLE, C(503, "ServiceUnavailable"), CI(503, "temporarily_unavailable", "90033"),
        C(503, "ServiceUnavailable"), C(503, "503"), C(503, "ServiceUnavailable"), C(503, "Unreachable")),
    ROW(SB_EKEYGONE, C(409, "Conflict"), CI(409, "invalid_request", "90013"), C(409, "Conflict"),
        C(403, "403"), C(409, "Request_ConflictingObject"), C(409, "Conflict")),
    ROW(SB_EGONE, C(404, "NotFound"), CI(404, "invalid_request", "90013"), C(404, "NotFound"), C(410, "410"),
        C(404, "Request_ResourceNotFound"), C(404, "NotFound")),
    /* Documented as "Unauthorized". */
    ROW(SB_ESECONDARY, C(401, "Unauthorized"), CI(400, "invalid_request", "90013"), C(409, "Conflict"),
        C(401, "401"), C(409, "Request_ConflictingObject"), C(409, "Conflict")),
    MISSING(SB_ENOSUBENTITY, C(404, "SubscriptionNotFound")), /* recorded, of rules too */
    MISSING(SB_ELOCKLOST, C(404, "NotFound")),
    ROW(SB_EQUOTA, C(403, "QuotaExceeded"), CI(400, "invalid_request", "90013"), C(403, "Forbidden"),
        C(403, "403"), C(403, "Directory_QuotaExceeded"), C(403, "QuotaExceeded")),
    /* Recorded in public logs for settings of queues that the messaging service refuses. */
    ROW(SB_EENTITY, C(400, "MessagingGatewayBadRequest"), CI(400, "invalid_request", "90013"),
        C(400, "BadParameter"), C(400, "400"), C(400, "Request_BadRequest"), C(400, "BadRequest")),
    ROW(SB_EENTITYDISABLED, C(409, "Conflict"), CI(400, "invalid_request", "90013"), C(409, "Conflict"),
        C(403, "403"), C(409, "Request_ConflictingObject"), C(409, "Disabled")),
    MISSING(SB_ENONAMESPACE, C(404, "NotFound")),

    ROW(SB_EINVALIDCLIENT, C(401, "AuthenticationFailed"), CI(401, "invalid_client", "7000215"),
        C(401, "Unauthorized"), C(401, "401"), C(401, "InvalidAuthenticationToken"),
        C(401, "invalid_client")),
    SIGN_IN(SB_EUNKNOWNCLIENT, 400, "unauthorized_client", "700016"),
    SIGN_IN(SB_EINVALIDGRANT, 400, "invalid_grant", "50126"),
    SIGN_IN(SB_EINVALIDSCOPE, 400, "invalid_scope", "70011"),
    SIGN_IN(SB_EUNKNOWNRESOURCE, 400, "invalid_resource", "500011"),
    SIGN_IN(SB_EUNKNOWNTENANT, 400, "invalid_tenant", "90002"),
    SIGN_IN(SB_EUNSUPPORTEDGRANT, 400, "unsupported_grant_type", "70003"),
    SIGN_IN(SB_EINVALIDINSTANCE, 400, "invalid_instance", "50049"),
    SIGN_IN(SB_EAUTHPENDING, 400, "authorization_pending", "70016"),
    SIGN_IN(SB_EAUTHDECLINED, 400, "authorization_declined", "65004"),
    SIGN_IN(SB_ECODEEXPIRED, 400, "expired_token", "70020"),
};

const struct errmap_cell *errmap(enum sb_err code, enum plane plane)
{
    if ((unsigned)code >= SB_ERR_MAX || (unsigned)plane >= PLANE_MAX)
        code = SB_EINTERNAL;
    if ((unsigned)plane >= PLANE_MAX)
        plane = PLANE_ARM;
    return &cells[code][plane];
}
