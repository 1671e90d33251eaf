/*
 * arm_operations.c: what the resource providers can do, as each lists it (GET /providers/NAME/operations):
 * the actions that roles name. One table.
 *
 * Shapes are specified; of Key Vault's ARM plane the words are, too. The other words are ours.
 */
#include <string.h>
#include "api/arm.h"
#include "server/base/text.h"

#define BUS      "Microsoft.ServiceBus/"
#define VAULT    "Microsoft.KeyVault/"
#define IDENTITY "Microsoft.ManagedIdentity/"

static const struct {
    const char *name, *display;
} providers[] = {{BUS, "Microsoft Azure ServiceBus"},
                 {VAULT, "Microsoft Key Vault"},
                 {IDENTITY, "Microsoft Managed Identity"}};

static const struct {
    const char *resource, *operation, *name;
    bool data;
} operations[] = {
    {"Namespace", "Get namespaces", BUS "namespaces/read", false},
    {"Namespace", "Create or update a namespace", BUS "namespaces/write", false},
    {"Namespace", "Delete a namespace", BUS "namespaces/delete", false},
    {"Namespace", "Check the availability of a name", BUS "checkNameAvailability/action", false},
    {"AuthorizationRule", "Get authorization rules", BUS "namespaces/authorizationRules/read", false},
    {"AuthorizationRule", "Create or update an authorization rule", BUS "namespaces/authorizationRules/write",
     false},
    {"AuthorizationRule", "Delete an authorization rule", BUS "namespaces/authorizationRules/delete", false},
    {"AuthorizationRule", "Get connection strings", BUS "namespaces/authorizationRules/listkeys/action",
     false},
    {"AuthorizationRule", "Make new keys", BUS "namespaces/authorizationRules/regenerateKeys/action", false},
    {"Queue", "Get queues", BUS "namespaces/queues/read", false},
    {"Queue", "Create or update a queue", BUS "namespaces/queues/write", false},
    {"Queue", "Delete a queue", BUS "namespaces/queues/delete", false},
    {"Topic", "Get topics", BUS "namespaces/topics/read", false},
    {"Topic", "Create or update a topic", BUS "namespaces/topics/write", false},
    {"Topic", "Delete a topic", BUS "namespaces/topics/delete", false},
    {"Subscription", "Get subscriptions", BUS "namespaces/topics/subscriptions/read", false},
    {"Subscription", "Create or update a subscription", BUS "namespaces/topics/subscriptions/write", false},
    {"Subscription", "Delete a subscription", BUS "namespaces/topics/subscriptions/delete", false},
    {"Rule", "Get rules", BUS "namespaces/topics/subscriptions/rules/read", false},
    {"Rule", "Create or update a rule", BUS "namespaces/topics/subscriptions/rules/write", false},
    {"Rule", "Delete a rule", BUS "namespaces/topics/subscriptions/rules/delete", false},
    {"DisasterRecoveryConfig", "Get aliases", BUS "namespaces/disasterRecoveryConfigs/read", false},
    {"DisasterRecoveryConfig", "Create or update an alias", BUS "namespaces/disasterRecoveryConfigs/write",
     false},
    {"DisasterRecoveryConfig", "Delete an alias", BUS "namespaces/disasterRecoveryConfigs/delete", false},
    {"DisasterRecoveryConfig", "Break a pairing",
     BUS "namespaces/disasterRecoveryConfigs/breakPairing/action", false},
    {"DisasterRecoveryConfig", "Fail over", BUS "namespaces/disasterRecoveryConfigs/failover/action", false},
    {"NetworkRuleSet", "Get network rules", BUS "namespaces/networkRuleSets/read", false},
    {"NetworkRuleSet", "Create or update network rules", BUS "namespaces/networkRuleSets/write", false},
    {"Messages", "Send messages", BUS "namespaces/messages/send/action", true},
    {"Messages", "Receive messages", BUS "namespaces/messages/receive/action", true},
    {"Key Vault", "View Key Vault", VAULT "vaults/read", false},
    {"Key Vault", "Update Key Vault", VAULT "vaults/write", false},
    {"Key Vault", "Delete Key Vault", VAULT "vaults/delete", false},
    {"Key Vault", "Use Vault for Azure Deployments", VAULT "vaults/deploy/action", false},
    {"Access Policy", "Update Access Policy", VAULT "vaults/accessPolicies/write", false},
    {"Secret", "View Secret Properties", VAULT "vaults/secrets/read", false},
    {"Secret", "Update Secret", VAULT "vaults/secrets/write", false},
    {"Key", "View Key", VAULT "vaults/keys/read", false},
    {"Key", "Create Key", VAULT "vaults/keys/write", false},
    {"Name Availability", "Check Name Availability", VAULT "checkNameAvailability/read", false},
    {"Soft Deleted Key Vault", "View Soft Deleted Vaults", VAULT "deletedVaults/read", false},
    {"Soft Deleted Key Vault", "View Soft Deleted Key Vault", VAULT "locations/deletedVaults/read", false},
    {"Soft Deleted Key Vault", "Purge Soft Deleted Key Vault", VAULT "locations/deletedVaults/purge/action",
     false},
    {"Long Run Operation Result", "Check Operation Result", VAULT "locations/operationResults/read", false},
    {"Operations", "Available Key Vault Operations", VAULT "operations/read", false},
    {"Key", "Read Key Properties", VAULT "vaults/keys/read", true},
    {"Key", "Create Key", VAULT "vaults/keys/create/action", true},
    {"Key", "Import Key", VAULT "vaults/keys/import/action", true},
    {"Key", "Update Key Properties", VAULT "vaults/keys/update/action", true},
    {"Key", "Delete Key", VAULT "vaults/keys/delete", true},
    {"Key", "Recover Key", VAULT "vaults/keys/recover/action", true},
    {"Key", "Purge Key", VAULT "vaults/keys/purge/action", true},
    {"Key", "Backup Key", VAULT "vaults/keys/backup/action", true},
    {"Key", "Restore Key", VAULT "vaults/keys/restore/action", true},
    {"Key", "Rotate Key", VAULT "vaults/keys/rotate/action", true},
    {"Key", "Encrypt", VAULT "vaults/keys/encrypt/action", true},
    {"Key", "Decrypt", VAULT "vaults/keys/decrypt/action", true},
    {"Key", "Wrap a Key", VAULT "vaults/keys/wrap/action", true},
    {"Key", "Unwrap a Key", VAULT "vaults/keys/unwrap/action", true},
    {"Key", "Sign", VAULT "vaults/keys/sign/action", true},
    {"Key", "Verify a Signature", VAULT "vaults/keys/verify/action", true},
    {"Key", "Release Key", VAULT "vaults/keys/release/action", true},
    {"Key Rotation Policy", "Read a Rotation Policy", VAULT "vaults/keyrotationpolicies/read", true},
    {"Key Rotation Policy", "Write a Rotation Policy", VAULT "vaults/keyrotationpolicies/write", true},
    {"Secret", "Set Secret", VAULT "vaults/secrets/setSecret/action", true},
    {"Secret", "Get Secret", VAULT "vaults/secrets/getSecret/action", true},
    {"Secret", "List Secrets", VAULT "vaults/secrets/readMetadata/action", true},
    {"Secret", "Update Secret Properties", VAULT "vaults/secrets/update/action", true},
    {"Secret", "Delete Secret", VAULT "vaults/secrets/delete", true},
    {"Secret", "Recover Secret", VAULT "vaults/secrets/recover/action", true},
    {"Secret", "Purge Secret", VAULT "vaults/secrets/purge/action", true},
    {"Secret", "Backup Secret", VAULT "vaults/secrets/backup/action", true},
    {"Secret", "Restore Secret", VAULT "vaults/secrets/restore/action", true},
    {"User Assigned Identity", "Get User Assigned Identity", IDENTITY "userAssignedIdentities/read", false},
    {"User Assigned Identity", "Create/Update User Assigned Identity",
     IDENTITY "userAssignedIdentities/write", false},
    {"User Assigned Identity", "Delete User Assigned Identity", IDENTITY "userAssignedIdentities/delete",
     false},
    {"User Assigned Identity", "Assign User Assigned Identity",
     IDENTITY "userAssignedIdentities/assign/action", false},
    {"Federated Identity Credential", "Get Federated Identity Credential",
     IDENTITY "userAssignedIdentities/federatedIdentityCredentials/read", false},
    {"Federated Identity Credential", "Add or Update Federated Identity Credential",
     IDENTITY "userAssignedIdentities/federatedIdentityCredentials/write", false},
    {"Federated Identity Credential", "Delete Federated Identity Credential",
     IDENTITY "userAssignedIdentities/federatedIdentityCredentials/delete", false},
};

/* The provider that the route names. */
static size_t provider_of(const struct request *r)
{
    const char *name = r->route->path + strlen("/providers/");
    size_t i = 0;
    while (i < SB_ARRAY_LEN(providers) - 1 && !text_starts(name, providers[i].name))
        i++;
    return i;
}

static enum sb_err operation_list(struct request *r, struct sb_error *err)
{
    SB_UNUSED(err);
    size_t at = provider_of(r);
    struct jw w = reply_json(r, 200);
    jw_obj(&w, NULL);
    jw_arr(&w, "value");
    for (size_t i = 0; i < SB_ARRAY_LEN(operations); i++) {
        if (!text_starts(operations[i].name, providers[at].name))
            continue;
        jw_obj(&w, NULL);
        jw_str(&w, "name", operations[i].name);
        jw_bool(&w, "isDataAction", operations[i].data);
        jw_obj(&w, "display");
        jw_str(&w, "provider", providers[at].display);
        jw_str(&w, "resource", operations[i].resource);
        jw_str(&w, "operation", operations[i].operation);
        jw_end_obj(&w);
        jw_end_obj(&w);
    }
    jw_end_arr(&w);
    jw_end_obj(&w);
    return SB_OK;
}

#define FLAGS (R_AUTH | R_APIVER)

static const struct route rows[] = {
    {"GET", PLANE_ARM, "/providers/" BUS "operations", FLAGS, 0, operation_list, "ArmBusOperationList"},
    {"GET", PLANE_ARM, "/providers/" VAULT "operations", FLAGS, 0, operation_list, "ArmVaultOperationList"},
    {"GET", PLANE_ARM, "/providers/" IDENTITY "operations", FLAGS, 0, operation_list,
     "ArmIdentityOperationList"},
};
const struct route_table routes_arm_operations = {rows, SB_ARRAY_LEN(rows)};
