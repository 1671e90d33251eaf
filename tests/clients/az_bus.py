"""Azure CLI: a Premium namespace under customer keys, with a user-assigned and with its own identity; queues and rules."""

import json
import os
import urllib.request

from az import PORT, Az
from checks import Suite

CONTROL = f"http://localhost:{os.environ['CLIENTS_CONTROL']}/_emulator"
GROUP, VAULT = "ContosoRG", "contoso-bus-vault"
VAULT_URI = f"https://{VAULT}.vault.localhost:{PORT}"
NAMESPACE, OTHER = "contoso-bus", "contoso-bus-own"


def advance(duration):
    """Five minutes later, without waiting for them."""
    body = json.dumps({"advance": duration}).encode()
    request = urllib.request.Request(f"{CONTROL}/clock", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def keys_of(namespace):
    return [(k["keyName"], k["keyVaultUri"]) for k in namespace["encryption"]["keyVaultProperties"]]


suite = Suite("az bus")
az = Az("bus")
on = f"--namespace-name {NAMESPACE} --resource-group {GROUP}"

with suite.check("sign in, group, vault with purge protection, keys, identity with access"):
    az.register()
    az.sign_in()
    az(f"group create --name {GROUP} --location westus")
    az(f"keyvault create --name {VAULT} --resource-group {GROUP} --enable-purge-protection true"
       " --enable-rbac-authorization false")
    for name in ("key1", "key2"):
        az(f"keyvault key create --vault-name {VAULT} --name {name}")
    identity = az(f"identity create --name bus-identity --resource-group {GROUP}")
    policy = f"keyvault set-policy --name {VAULT} --key-permissions get wrapKey unwrapKey list --object-id"
    az(f"{policy} {identity['principalId']}")


def entry(key):
    return f"--encryption-config key-name={key} key-vault-uri={VAULT_URI} user-assigned-identity={identity['id']}"


with suite.check("servicebus namespace create with a user-assigned identity and a customer key"):
    made = az(f"servicebus namespace create --name {NAMESPACE} --resource-group {GROUP} --sku Premium"
              f" --mi-user-assigned {identity['id']} {entry('key1')}")
    assert made["provisioningState"] == "Succeeded" and made["status"] == "Active", made
    assert keys_of(made) == [("key1", VAULT_URI)], made["encryption"]
    assert made["serviceBusEndpoint"] == f"https://{NAMESPACE}.servicebus.localhost:{PORT}/", made
    assert az(f"servicebus namespace show --name {NAMESPACE} --resource-group {GROUP}") == made

with suite.check("servicebus namespace encryption add and remove"):
    assert sorted(keys_of(az(f"servicebus namespace encryption add {on} {entry('key2')}"))) == [
        ("key1", VAULT_URI), ("key2", VAULT_URI)]
    assert keys_of(az(f"servicebus namespace encryption remove {on} {entry('key1')}")) == [("key2", VAULT_URI)]

with suite.check("servicebus namespace update keeps the encryption"):
    updated = az(f"servicebus namespace update --name {NAMESPACE} --resource-group {GROUP} --tags a=b --sku Premium"
                 " --capacity 2")
    assert updated["tags"] == {"a": "b"} and updated["sku"]["capacity"] == 2 and keys_of(updated) == [("key2", VAULT_URI)]

# az fails by itself on a second `encryption add` here: it wants each key of the service's answer to name an identity, and the
# service leaves that out for a system-assigned one (recorded).
with suite.check("a namespace with its own identity: create, set-policy, encryption add"):
    az.refused("ResourceNotFound", f"servicebus namespace show --name {OTHER} --resource-group {GROUP}")
    own = az(f"servicebus namespace create --name {OTHER} --resource-group {GROUP} --sku Premium --mi-system-assigned")
    config = f"--encryption-config key-name=key1 key-vault-uri={VAULT_URI}"
    add = f"servicebus namespace encryption add --namespace-name {OTHER} --resource-group {GROUP} {config}"
    az.refused("BadRequest", add)
    az(f"{policy} {own['identity']['principalId']}")
    assert keys_of(az(add)) == [("key1", VAULT_URI)]

with suite.check("servicebus namespace identity assign and remove"):
    command = f"--namespace-name {OTHER} --resource-group {GROUP} --user-assigned {identity['id']}"
    both = az(f"servicebus namespace identity assign {command}")["identity"]
    assert both["type"] == "SystemAssigned, UserAssigned", both
    assert both["userAssignedIdentities"][identity["id"]]["principalId"] == identity["principalId"], both
    alone = az(f"servicebus namespace identity remove {command}")["identity"]
    assert alone["type"] == "SystemAssigned" and alone["principalId"] == own["identity"]["principalId"], alone

with suite.check("servicebus queue create, show, update, list, delete"):
    queue = az(f"servicebus queue create {on} --name orders --max-size 2048 --lock-duration PT30S --max-delivery-count 5")
    assert (queue["maxSizeInMegabytes"], queue["lockDuration"], queue["maxDeliveryCount"]) == (2048, "PT30S", 5), queue
    assert az(f"servicebus queue show {on} --name orders")["countDetails"]["activeMessageCount"] == 0
    assert az(f"servicebus queue update {on} --name orders --max-delivery-count 7")["maxDeliveryCount"] == 7
    az(f"servicebus queue create {on} --name second")
    assert [q["name"] for q in az(f"servicebus queue list {on}")] == ["orders", "second"]
    az(f"servicebus queue delete {on} --name second")
    assert [q["name"] for q in az(f"servicebus queue list {on}")] == ["orders"]

with suite.check("servicebus queue create with all its flags, forwarding too; what cannot change later is refused"):
    az(f"servicebus queue create {on} --name target")
    made = az(f"servicebus queue create {on} --name flags --max-size 4096 --max-message-size 2048 --lock-duration PT2M --max-delivery-count 3"
              " --default-message-time-to-live P1D --auto-delete-on-idle P10D --enable-session false --enable-duplicate-detection true"
              " --duplicate-detection-history-time-window PT1M --enable-dead-lettering-on-message-expiration true"
              " --enable-batched-operations false --forward-to target --forward-dead-lettered-messages-to target --status Active")
    wanted = {"maxSizeInMegabytes": 4096, "maxMessageSizeInKilobytes": 2048, "lockDuration": "PT2M", "maxDeliveryCount": 3,
              "defaultMessageTimeToLive": "P1D", "autoDeleteOnIdle": "P10D", "requiresSession": False, "requiresDuplicateDetection": True,
              "duplicateDetectionHistoryTimeWindow": "PT1M", "deadLetteringOnMessageExpiration": True, "enableBatchedOperations": False,
              "forwardTo": "target", "forwardDeadLetteredMessagesTo": "target", "status": "Active"}
    assert {name: made.get(name) for name in wanted} == wanted, made
    assert az(f"servicebus queue update {on} --name flags --status SendDisabled --lock-duration PT1M")["status"] == "SendDisabled"
    az.refused("BadRequest", f"servicebus queue create {on} --name flags --enable-session true --enable-duplicate-detection true")
    for name in ("flags", "target"):
        az(f"servicebus queue delete {on} --name {name}")

with suite.check("authorization rules and their keys"):
    root = az(f"servicebus namespace authorization-rule keys list {on} --name RootManageSharedAccessKey")
    assert root["primaryConnectionString"].startswith(f"Endpoint=sb://{NAMESPACE}.servicebus.localhost:{PORT}/;"), root
    rule = az(f"servicebus namespace authorization-rule create {on} --name sender --rights Send")
    assert rule["rights"] == ["Send"], rule
    renewed = az(f"servicebus namespace authorization-rule keys renew {on} --name RootManageSharedAccessKey --key PrimaryKey")
    assert renewed["primaryKey"] != root["primaryKey"] and renewed["secondaryKey"] == root["secondaryKey"]
    az(f"servicebus queue authorization-rule create {on} --queue-name orders --name listener --rights Listen")
    keys = az(f"servicebus queue authorization-rule keys list {on} --queue-name orders --name listener")
    assert keys["primaryConnectionString"].endswith(";EntityPath=orders"), keys

with suite.check("the key is disabled: Revoked after five minutes; enabled: Active after five more, the queue is there"):
    az(f"keyvault key set-attributes --vault-name {VAULT} --name key2 --enabled false")
    advance("PT5M")
    assert az(f"servicebus namespace show --name {NAMESPACE} --resource-group {GROUP}")["status"] == "Revoked"
    az(f"keyvault key set-attributes --vault-name {VAULT} --name key2 --enabled true")
    advance("PT5M")
    assert az(f"servicebus namespace show --name {NAMESPACE} --resource-group {GROUP}")["status"] == "Active"
    assert az(f"servicebus queue show {on} --name orders")["status"] == "Active"

with suite.check("servicebus namespace list and delete"):
    assert {n["name"] for n in az(f"servicebus namespace list --resource-group {GROUP}")} == {NAMESPACE, OTHER}
    az(f"servicebus namespace delete --name {OTHER} --resource-group {GROUP}")
    assert [n["name"] for n in az("servicebus namespace list")] == [NAMESPACE]

suite.close()
