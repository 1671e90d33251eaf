/*
 * rbac_roles.c: the built-in roles that matter to a vault, a namespace and their identities: one table.
 *
 * Ids, descriptions, actions and dates are as the service lists them (recorded). Of the two roles without
 * dates the id and what they are for are documented; their lists are what that takes (choice). A role is
 * added by a row.
 */
#include "server/base/text.h"
#include "server/engine/rbac.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *const none[] = {NULL};

/* What each role on a vault's data plane may do on its ARM plane. */
static const char *const vault_readers[] = {
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
    NULL,
};

#define ONLY_RBAC                                                                                            \
    " Only works for key vaults that use the 'Azure role-based access control' permission model."

static const struct role_def roles[] = {
    {
        .id = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        .name = "Owner",
        .description = "Grants full access to manage all resources, including the ability to assign "
                       "roles in Azure RBAC.",
        .actions = LIST("*"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
        .created = "2015-02-02T21:55:09.8806423Z",
        .updated = "2021-11-11T20:13:45.8978856Z",
    },
    {
        .id = "b24988ac-6180-42a0-ab88-20f7382dd24c",
        .name = "Contributor",
        .description = "Grants full access to manage all resources, but does not allow you to assign "
                       "roles in Azure RBAC, manage assignments in Azure Blueprints, or share image "
                       "galleries.",
        .actions = LIST("*"),
        .not_actions = LIST(
            "Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action", "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete", "Microsoft.Compute/galleries/share/action",
            "Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete"),
        .data_actions = none,
        .not_data_actions = none,
        .created = "2015-02-02T21:55:09.8806423Z",
        .updated = "2023-07-07T20:27:50.9966612Z",
    },
    {
        .id = "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        .name = "Reader",
        .description = "View all resources, but does not allow you to make any changes.",
        .actions = LIST("*/read"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
        .created = "2015-02-02T21:55:09.8806423Z",
        .updated = "2021-11-11T20:13:47.8628684Z",
    },
    {
        .id = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        .name = "User Access Administrator",
        .description = "Lets you manage user access to Azure resources.",
        .actions = LIST("*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
        .created = "2015-02-02T21:55:09.8806423Z",
        .updated = "2021-11-11T20:13:57.7932023Z",
    },
    {
        .id = "090c5cfd-751d-490a-894a-3ce6f1109419",
        .name = "Azure Service Bus Data Owner",
        .description = "Allows for full access to Azure Service Bus resources.",
        .actions = LIST("Microsoft.ServiceBus/*"),
        .not_actions = none,
        .data_actions = LIST("Microsoft.ServiceBus/*"),
        .not_data_actions = none,
        .created = "2019-04-16T21:33:36.7445745Z",
        .updated = "2021-11-11T20:13:59.2005807Z",
    },
    {
        .id = "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
        .name = "Azure Service Bus Data Receiver",
        .description = "Allows for receive access to Azure Service Bus resources.",
        .actions = LIST("Microsoft.ServiceBus/*/queues/read", "Microsoft.ServiceBus/*/topics/read",
                        "Microsoft.ServiceBus/*/topics/subscriptions/read"),
        .not_actions = none,
        .data_actions = LIST("Microsoft.ServiceBus/*/receive/action"),
        .not_data_actions = none,
        .created = "2019-05-10T06:43:01.6343849Z",
        .updated = "2021-11-11T20:14:01.6629685Z",
    },
    {
        .id = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        .name = "Azure Service Bus Data Sender",
        .description = "Allows for send access to Azure Service Bus resources.",
        .actions = LIST("Microsoft.ServiceBus/*/queues/read", "Microsoft.ServiceBus/*/topics/read",
                        "Microsoft.ServiceBus/*/topics/subscriptions/read"),
        .not_actions = none,
        .data_actions = LIST("Microsoft.ServiceBus/*/send/action"),
        .not_data_actions = none,
        .created = "2019-05-10T06:43:46.7046934Z",
        .updated = "2021-11-11T20:14:01.8479199Z",
    },
    {
        .id = "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        .name = "Key Vault Administrator",
        .description = "Perform all data plane operations on a key vault and all objects in it, "
                       "including certificates, keys, and secrets. Cannot manage key vault resources or "
                       "manage role assignments." ONLY_RBAC,
        .actions = vault_readers,
        .not_actions = none,
        .data_actions = LIST("Microsoft.KeyVault/vaults/*"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:46.2349235Z",
        .updated = "2021-11-11T20:14:30.2542755Z",
    },
    {
        .id = "a4417e6f-fecd-4de8-b567-7b0420556985",
        .name = "Key Vault Certificates Officer",
        .description = "Perform any action on the certificates of a key vault, except manage "
                       "permissions." ONLY_RBAC,
        .actions = vault_readers,
        .not_actions = none,
        .data_actions =
            LIST("Microsoft.KeyVault/vaults/certificatecas/*", "Microsoft.KeyVault/vaults/certificates/*",
                 "Microsoft.KeyVault/vaults/certificatecontacts/write"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.2499247Z",
        .updated = "2023-06-12T15:03:21.0577597Z",
    },
    {
        .id = "f25e0fa2-a7c8-4377-a976-54943a77a395",
        .name = "Key Vault Contributor",
        .description = "Lets you manage key vaults, but not access to them.",
        .actions = LIST("Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*",
                        "Microsoft.KeyVault/*", "Microsoft.Resources/deployments/*",
                        "Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*"),
        .not_actions = LIST("Microsoft.KeyVault/locations/deletedVaults/purge/action",
                            "Microsoft.KeyVault/hsmPools/*", "Microsoft.KeyVault/managedHsms/*"),
        .data_actions = none,
        .not_data_actions = none,
        .created = "2016-02-25T17:08:28.5184971Z",
        .updated = "2021-11-11T20:13:36.1170988Z",
    },
    {
        .id = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        .name = "Key Vault Crypto Officer",
        .description = "Perform any action on the keys of a key vault, except manage permissions." ONLY_RBAC,
        .actions = vault_readers,
        .not_actions = none,
        .data_actions =
            LIST("Microsoft.KeyVault/vaults/keys/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.0099249Z",
        .updated = "2022-01-06T23:21:17.9760884Z",
    },
    {
        .id = "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        .name = "Key Vault Crypto Service Encryption User",
        .description = "Read metadata of keys and perform wrap/unwrap operations." ONLY_RBAC,
        .actions = LIST("Microsoft.EventGrid/eventSubscriptions/write",
                        "Microsoft.EventGrid/eventSubscriptions/read",
                        "Microsoft.EventGrid/eventSubscriptions/delete"),
        .not_actions = none,
        .data_actions =
            LIST("Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/wrap/action",
                 "Microsoft.KeyVault/vaults/keys/unwrap/action"),
        .not_data_actions = none,
        .created = "2020-05-20T20:55:19.2398470Z",
        .updated = "2021-11-11T20:14:31.8443056Z",
    },
    {
        .id = "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
        .name = "Key Vault Crypto Service Release User",
        .description = "Release keys." ONLY_RBAC,
        .actions = none,
        .not_actions = none,
        .data_actions = LIST("Microsoft.KeyVault/vaults/keys/release/action"),
        .not_data_actions = none,
    },
    {
        .id = "12338af0-0e69-4776-bea7-57ae8d297424",
        .name = "Key Vault Crypto User",
        .description = "Perform cryptographic operations using keys." ONLY_RBAC,
        .actions = none,
        .not_actions = none,
        .data_actions = LIST(
            "Microsoft.KeyVault/vaults/keys/read", "Microsoft.KeyVault/vaults/keys/update/action",
            "Microsoft.KeyVault/vaults/keys/backup/action", "Microsoft.KeyVault/vaults/keys/encrypt/action",
            "Microsoft.KeyVault/vaults/keys/decrypt/action", "Microsoft.KeyVault/vaults/keys/wrap/action",
            "Microsoft.KeyVault/vaults/keys/unwrap/action", "Microsoft.KeyVault/vaults/keys/sign/action",
            "Microsoft.KeyVault/vaults/keys/verify/action"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.0699268Z",
        .updated = "2021-11-11T20:14:30.6042921Z",
    },
    {
        .id = "a68e7c17-0ab2-4c09-9a58-125dae29748c",
        .name = "Key Vault Purge Operator",
        .description = "Allows permanent deletion of soft-deleted vaults.",
        .actions = LIST("Microsoft.KeyVault/deletedVaults/read", "Microsoft.KeyVault/locations/*/read",
                        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
                        "Microsoft.Resources/subscriptions/resourceGroups/read"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
    },
    {
        .id = "21090545-7ca7-4776-b22c-e363652d74d2",
        .name = "Key Vault Reader",
        .description = "Read metadata of key vaults and its certificates, keys, and secrets. Cannot read "
                       "sensitive values such as secret contents or key material." ONLY_RBAC,
        .actions = vault_readers,
        .not_actions = none,
        .data_actions =
            LIST("Microsoft.KeyVault/vaults/*/read", "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.2949294Z",
        .updated = "2021-11-11T20:14:31.3043292Z",
    },
    {
        .id = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        .name = "Key Vault Secrets Officer",
        .description =
            "Perform any action on the secrets of a key vault, except manage permissions." ONLY_RBAC,
        .actions = vault_readers,
        .not_actions = none,
        .data_actions = LIST("Microsoft.KeyVault/vaults/secrets/*"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.1449242Z",
        .updated = "2021-11-11T20:14:30.7793470Z",
    },
    {
        .id = "4633458b-17de-408a-b874-0445c86b69e6",
        .name = "Key Vault Secrets User",
        .description = "Read secret contents." ONLY_RBAC,
        .actions = none,
        .not_actions = none,
        .data_actions = LIST("Microsoft.KeyVault/vaults/secrets/getSecret/action",
                             "Microsoft.KeyVault/vaults/secrets/readMetadata/action"),
        .not_data_actions = none,
        .created = "2020-05-19T17:52:47.2049241Z",
        .updated = "2021-11-11T20:14:30.9542829Z",
    },
    {
        .id = "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
        .name = "Managed Identity Contributor",
        .description = "Create, Read, Update, and Delete User Assigned Identity",
        .actions =
            LIST("Microsoft.ManagedIdentity/userAssignedIdentities/read",
                 "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                 "Microsoft.ManagedIdentity/userAssignedIdentities/delete", "Microsoft.Authorization/*/read",
                 "Microsoft.Insights/alertRules/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
                 "Microsoft.Resources/deployments/*", "Microsoft.Support/*"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
        .created = "2017-12-14T19:53:42.8804692Z",
        .updated = "2021-11-11T20:13:39.3023761Z",
    },
    {
        .id = "f1a07417-d97a-45cb-824c-7a7467783830",
        .name = "Managed Identity Operator",
        .description = "Read and Assign User Assigned Identity",
        .actions = LIST("Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                        "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
                        "Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*",
                        "Microsoft.Resources/subscriptions/resourceGroups/read",
                        "Microsoft.Resources/deployments/*", "Microsoft.Support/*"),
        .not_actions = none,
        .data_actions = none,
        .not_data_actions = none,
        .created = "2017-12-14T19:52:04.3924594Z",
        .updated = "2021-11-11T20:13:38.9523759Z",
    },
};

const struct role_def *rbac_roles(size_t *ret_n)
{
    *ret_n = SB_ARRAY_LEN(roles);
    return roles;
}

const struct role_def *rbac_role_by_id(const char *guid)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(roles); i++) {
        if (text_ieq(roles[i].id, guid))
            return &roles[i];
    }
    return NULL;
}

const struct role_def *rbac_role_by_name(const char *name)
{
    for (size_t i = 0; i < SB_ARRAY_LEN(roles); i++) {
        if (text_ieq(roles[i].name, name))
            return &roles[i];
    }
    return NULL;
}
