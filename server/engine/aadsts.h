/*
 * aadsts.h: what the sign-in service says when it refuses, one row per error: the error code, then number and
 * text with its arguments: `return aadsts_fail(err, AADSTS_50034, ENGINE_TENANT)`. HTTP status and
 * the OAuth error name stand in api/errmap.c.
 *
 * Texts are the service's own, recorded or from its public list of codes, but for those marked (choice).
 */
#ifndef SB_AADSTS_H
#define SB_AADSTS_H

#include "server/base/err.h"

/* sb_fail with a row: expanded in two steps, so that the row has fallen apart before. */
#define aadsts_fail(err, ...)           aadsts_fail_row(err, __VA_ARGS__)
#define aadsts_fail_row(err, code, ...) sb_fail(err, code, __VA_ARGS__)

/* clang-format off */
#define TENANT_TEXT    "AADSTS90002: Tenant '%.80s' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
#define AADSTS_90002   SB_EBADREQUEST, TENANT_TEXT
#define AADSTS_90002_DISCOVERY SB_EUNKNOWNTENANT, TENANT_TEXT
#define AADSTS_90013   SB_EBADREQUEST, "AADSTS90013: Invalid input received from the user."
#define AADSTS_900144  SB_EBADREQUEST, "AADSTS900144: The request body must contain the following parameter: '%s'."
#define AADSTS_70003   SB_EUNSUPPORTEDGRANT, "AADSTS70003: The app requested an unsupported grant type '%.80s'."

/* which application */
#define AADSTS_700016  SB_EUNKNOWNCLIENT, "AADSTS700016: Application with identifier '%.80s' was not found in the directory '%s'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
#define AADSTS_7000229 SB_EUNKNOWNCLIENT, "AADSTS7000229: The client application %.80s is missing service principal in the tenant %s. See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"
#define AADSTS_7000215 SB_EINVALIDCLIENT, "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '%s'."
#define AADSTS_7000222 SB_EINVALIDCLIENT, "AADSTS7000222: The provided client secret keys for app '%s' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
#define AADSTS_7000216 SB_EINVALIDCLIENT, "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
#define AADSTS_7000218 SB_EINVALIDCLIENT, "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."

/* a certificate's assertion */
#define ASSERTION_DOC  " Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials ."
#define AADSTS_50027   SB_EINVALIDCLIENT, "AADSTS50027: JWT token is invalid or malformed."
#define AADSTS_700021  SB_EINVALIDCLIENT, "AADSTS700021: Client assertion application identifier doesn't match 'client_id' parameter." ASSERTION_DOC
#define AADSTS_700023  SB_EINVALIDCLIENT, "AADSTS700023: Client assertion audience claim does not match Realm issuer." ASSERTION_DOC
#define AADSTS_700024  SB_EINVALIDCLIENT, "AADSTS700024: Client assertion is not within its valid time range. Current time: %s, assertion valid from %s, expiry time of assertion %s." ASSERTION_DOC
#define AADSTS_700027  SB_EINVALIDCLIENT, "AADSTS700027: The certificate with identifier used to sign the client assertion is not registered on application. [Reason - %s, Thumbprint of key used by client: '%s', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '%s'.]"
#define AADSTS_900141  SB_EBADREQUEST, "AADSTS900141: The value of the parameter 'client_assertion_type' is not supported." /* (choice) */

/* which resource */
#define AADSTS_500011  SB_EUNKNOWNRESOURCE, "AADSTS500011: The resource principal named %.200s was not found in the tenant named %s. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
#define AADSTS_70011   SB_EINVALIDSCOPE, "AADSTS70011: The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope %.200s is not valid."
#define AADSTS_28000   SB_EINVALIDSCOPE, "AADSTS28000: Provided value for the input parameter scope is not valid because it contains more than one resource. Scope %.200s is not valid."
#define AADSTS_1002012 SB_EINVALIDSCOPE, "AADSTS1002012: The provided value for scope %.200s is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."

/* which user */
#define AADSTS_50034   SB_EINVALIDGRANT, "AADSTS50034: The user account {EUII Hidden} does not exist in the %s directory. To sign into this application, the account must be added to the directory."
#define AADSTS_50126   SB_EINVALIDGRANT, "AADSTS50126: Error validating credentials due to invalid username or password."
#define AADSTS_50057   SB_EINVALIDGRANT, "AADSTS50057: The user account is disabled."

/* what a user granted */
#define AADSTS_70000   SB_EINVALIDGRANT, "AADSTS70000: Provided grant is invalid or malformed."
#define AADSTS_9002313 SB_EINVALIDGRANT, "AADSTS9002313: Invalid request. Request is malformed or invalid."
#define AADSTS_700082  SB_EINVALIDGRANT, "AADSTS700082: The refresh token has expired due to inactivity. The token was issued on %s and was inactive for %d.00:00:00."
#define AADSTS_50173   SB_EINVALIDGRANT, "AADSTS50173: The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '%s'."
#define AADSTS_70008   SB_EINVALIDGRANT, "AADSTS70008: The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."
#define AADSTS_501481  SB_EINVALIDGRANT, "AADSTS501481: The Code_Verifier does not match the code_challenge supplied in the authorization request."
#define AADSTS_500112  SB_EINVALIDGRANT, "AADSTS500112: The reply address '%.200s' does not match the reply address provided when requesting Authorization code."
#define AADSTS_50011   SB_EBADREQUEST, "AADSTS50011: The redirect URI '%.200s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to troubleshoot this error."
#define AADSTS_700054  SB_EBADREQUEST, "AADSTS700054: response_type is not enabled for the application." /* (choice) only 'code' is */
#define AADSTS_70016   SB_EAUTHPENDING, "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending. Continue polling."
#define AADSTS_70020   SB_ECODEEXPIRED, "AADSTS70020: The provided value for the input parameter 'device_code' is not valid. This device code has expired." /* (choice of number) */
#define AADSTS_65004   SB_EAUTHDECLINED, "AADSTS65004: User declined to consent to access the app."
/* clang-format on */

#endif
