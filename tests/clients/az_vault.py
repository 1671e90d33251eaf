"""Azure CLI: a cloud of its own, sign-in, groups, vaults and keys under roles and under access policies, identities."""

import datetime
import json
import os

from az import PORT, Az, Refused
from checks import Suite
from harness import CLIENT, CLIENT_OID, SECRET, SUB, TENANT

GROUP, VAULT, POLICY_VAULT = "ContosoRG", "contoso-SB-BYOK-keyvault", "contoso-policy-vault"
VAULT_ID = f"/subscriptions/{SUB}/resourceGroups/{GROUP}/providers/Microsoft.KeyVault/vaults/{VAULT}"
ROLE = "Key Vault Crypto Officer"

suite = Suite("az vault")
az = Az("vault")

with suite.check("cloud register, cloud set, cloud show"):
    az.program(f"cloud register --name SealedBus --endpoint-resource-manager https://management.localhost:{PORT}")
    az.program("cloud set --name SealedBus")
    cloud = az.program("cloud show")
    assert cloud["name"] == "SealedBus" and cloud["suffixes"]["keyvaultDns"] == f".vault.localhost:{PORT}", cloud

with suite.check("a wrong secret is refused, in the sign-in's words"):
    az.refused("AADSTS7000215", f"login --service-principal --username {CLIENT} --password wrong --tenant {TENANT}")

with suite.check("login --service-principal, account show"):
    accounts = az.program(f"login --service-principal --username {CLIENT} --password {SECRET} --tenant {TENANT}")
    assert [(a["id"], a["tenantId"], a["user"]["name"]) for a in accounts] == [(SUB, TENANT, CLIENT)], accounts
    assert az("account show")["environmentName"] == "SealedBus"

with suite.check("group create, exists, list"):
    assert az(f"group create --name {GROUP} --location westus")["properties"]["provisioningState"] == "Succeeded"
    assert az(f"group exists --name {GROUP}") is True
    assert [g["name"] for g in az("group list")] == [GROUP]

with suite.check("keyvault create and update, as the article writes them"):
    create = f"keyvault create --name {VAULT} --resource-group {GROUP} --location westus"
    try:
        vault = az(f"{create} --enable-soft-delete true --enable-purge-protection true")
    except Refused as e:
        if "unrecognized arguments: --enable-soft-delete true" not in str(e):
            raise
        print("note   az vault: this az has no --enable-soft-delete any more; without it:")
        vault = az(f"{create} --enable-purge-protection true")
    vault = az(f"keyvault update --name {VAULT} --resource-group {GROUP} --enable-purge-protection true")
    shown = vault["properties"]
    assert shown["enableSoftDelete"] and shown["enablePurgeProtection"] and shown["softDeleteRetentionInDays"] == 90, shown
    assert shown["vaultUri"] == f"https://{VAULT.lower()}.vault.localhost:{PORT}/", shown["vaultUri"]
    az.refused("Enabling the purge protection for a vault is an irreversible action",
               f"keyvault update --name {VAULT} --resource-group {GROUP} --enable-purge-protection false")

with suite.check("keyvault show and list find it by its name"):
    assert az(f"keyvault show --name {VAULT}")["id"] == VAULT_ID
    assert [v["name"] for v in az("keyvault list")] == [VAULT]

with suite.check("a vault under roles lets nobody in before role assignment create"):
    assert shown["enableRbacAuthorization"] is True, shown
    az.refused("ForbiddenByRbac", f"keyvault key create --vault-name {VAULT} --name key1")
    made = az(f"role assignment create --assignee {CLIENT} --scope {VAULT_ID} --role", ROLE)
    assert made["principalId"] == CLIENT_OID and made["principalType"] == "ServicePrincipal", made

with suite.check("keyvault key create, rotate, list, list-versions"):
    first = az(f"keyvault key create --vault-name {VAULT} --name key1")["key"]["kid"]
    second = az(f"keyvault key rotate --vault-name {VAULT} --name key1")["key"]["kid"]
    assert first != second and first.startswith(f"https://{VAULT.lower()}.vault.localhost:{PORT}/keys/key1/"), first
    assert [k["name"] for k in az(f"keyvault key list --vault-name {VAULT}")] == ["key1"]
    assert {k["kid"] for k in az(f"keyvault key list-versions --vault-name {VAULT} --name key1")} == {first, second}

with suite.check("keyvault key set-attributes: disabled, enabled, dates"):
    command = f"keyvault key set-attributes --vault-name {VAULT} --name key1"
    assert az(f"{command} --enabled false")["attributes"]["enabled"] is False
    dated = az(f"{command} --enabled true --not-before 2030-01-01T00:00:00Z --expires 2031-01-01T00:00:00Z")["attributes"]
    assert dated["enabled"] is True, dated
    assert (dated["notBefore"], dated["expires"]) == ("2030-01-01T00:00:00+00:00", "2031-01-01T00:00:00+00:00"), dated

with suite.check("keyvault key delete, list-deleted, recover; purge is refused under purge protection"):
    az(f"keyvault key delete --vault-name {VAULT} --name key1")
    assert [k["name"] for k in az(f"keyvault key list-deleted --vault-name {VAULT}")] == ["key1"]
    az.refused("Forbidden", f"keyvault key purge --vault-name {VAULT} --name key1")
    assert az(f"keyvault key recover --vault-name {VAULT} --name key1")["key"]["kid"] == second
    assert az(f"keyvault key show --vault-name {VAULT} --name key1")["key"]["kid"] == second

with suite.check("keyvault key rotation-policy update and show; the next version carries its expiry"):
    az.refused("ForbiddenByRbac", f"keyvault secret set --vault-name {VAULT} --name s --value v")
    name = f"--vault-name {VAULT} --name key1"
    policy = {"lifetimeActions": [{"trigger": {"timeAfterCreate": "P30D"}, "action": {"type": "Rotate"}}],
              "attributes": {"expiryTime": "P90D"}}
    az(f"keyvault key rotation-policy update {name} --value", json.dumps(policy))
    shown = az(f"keyvault key rotation-policy show {name}")
    assert shown["expiresIn"] == "P90D" and shown["id"].endswith("/keys/key1/rotationpolicy"), shown
    assert "P30D" in [a["timeAfterCreate"] for a in shown["lifetimeActions"]], shown
    stamped = az(f"keyvault key rotate {name}")["attributes"]
    created, expires = (datetime.datetime.fromisoformat(stamped[n]) for n in ("created", "expires"))
    assert (expires - created).days == 90, stamped

with suite.check("role assignment list and delete; the door is shut again"):
    listed = az(f"role assignment list --assignee {CLIENT} --scope {VAULT_ID}")
    assert [(a["roleDefinitionName"], a["principalName"]) for a in listed] == [(ROLE, CLIENT)], listed
    az(f"role assignment delete --assignee {CLIENT} --scope {VAULT_ID} --role", ROLE)
    assert az(f"role assignment list --assignee {CLIENT} --scope {VAULT_ID}") == []
    az.refused("ForbiddenByRbac", f"keyvault key show --vault-name {VAULT} --name key1")

with suite.check("identity create, show, list"):
    identity = az(f"identity create --name contoso-identity --resource-group {GROUP}")
    assert identity["principalId"] and identity["clientId"] and identity["tenantId"] == TENANT
    assert az(f"identity show --name contoso-identity --resource-group {GROUP}") == identity
    assert az(f"identity list --resource-group {GROUP}") == [identity]

with suite.check("a vault under access policies: its creator may all, set-policy and delete-policy for another"):
    vault = az(f"keyvault create --name {POLICY_VAULT} --resource-group {GROUP} --enable-rbac-authorization false")
    assert [p["objectId"] for p in vault["properties"]["accessPolicies"]] == [CLIENT_OID], vault
    az(f"keyvault key create --vault-name {POLICY_VAULT} --name rsa4 --kty RSA --size 2048 --ops wrapKey unwrapKey")
    az(f"keyvault key create --vault-name {POLICY_VAULT} --name curve --kty EC --curve P-256")
    oid = identity["principalId"]
    vault = az(f"keyvault set-policy --name {POLICY_VAULT} --object-id {oid} --key-permissions get wrapKey unwrapKey list")
    granted = {p["objectId"]: sorted(p["permissions"]["keys"]) for p in vault["properties"]["accessPolicies"]}
    assert granted[oid] == ["get", "list", "unwrapKey", "wrapKey"], granted
    vault = az(f"keyvault delete-policy --name {POLICY_VAULT} --object-id {oid}")
    assert [p["objectId"] for p in vault["properties"]["accessPolicies"]] == [CLIENT_OID], vault

with suite.check("keyvault key encrypt and decrypt"):
    command = f"--vault-name {POLICY_VAULT} --name open --algorithm RSA-OAEP-256 --data-type plaintext"
    first_open = az(f"keyvault key create --vault-name {POLICY_VAULT} --name open")["key"]["kid"].rsplit("/", 1)[1]
    sealed = az(f"keyvault key encrypt {command} --value teapots")["result"]
    assert az(f"keyvault key decrypt {command} --value {sealed}")["result"] == "teapots"

with suite.check("keyvault key backup, restore: refused while the key is there, then every version under its id"):
    blob = os.path.join(os.environ["CLIENTS_TMP"], "key.blob")
    az(f"keyvault set-policy --name {POLICY_VAULT} --spn {CLIENT} --key-permissions all purge rotate --secret-permissions all purge")
    newest = az(f"keyvault key rotate --vault-name {POLICY_VAULT} --name open")["key"]["kid"]
    az(f"keyvault key backup --vault-name {POLICY_VAULT} --name open --file {blob}")
    az.refused("Conflict", f"keyvault key restore --vault-name {POLICY_VAULT} --file {blob}")
    az(f"keyvault key delete --vault-name {POLICY_VAULT} --name open")
    az(f"keyvault key purge --vault-name {POLICY_VAULT} --name open")
    assert az(f"keyvault key restore --vault-name {POLICY_VAULT} --file {blob}")["key"]["kid"] == newest
    assert len(az(f"keyvault key list-versions --vault-name {POLICY_VAULT} --name open")) == 2
    assert az(f"keyvault key decrypt {command} --value {sealed} --version {first_open}")["result"] == "teapots"

with suite.check("keyvault secret set, show, list, set-attributes, delete, recover"):
    name = f"--vault-name {POLICY_VAULT} --name connection"
    value = "Endpoint=sb://orders.servicebus.localhost/;SharedAccessKeyName=a;SharedAccessKey=b="
    made = az(f"keyvault secret set {name} --value {value}")
    assert az(f"keyvault secret show {name}")["value"] == value
    assert [s["name"] for s in az(f"keyvault secret list --vault-name {POLICY_VAULT}")] == ["connection"]
    assert az(f"keyvault secret set-attributes {name} --content-type text/plain")["contentType"] == "text/plain"
    az(f"keyvault secret delete {name}")
    az.refused("SecretNotFound", f"keyvault secret show {name}")
    az(f"keyvault secret recover {name}")
    assert az(f"keyvault secret show {name}")["id"] == made["id"]

with suite.check("keyvault network-rule add, list: another address is shut out, then let in again"):
    name = f"--name {POLICY_VAULT} --resource-group {GROUP}"
    az(f"keyvault update {name} --default-action Deny --bypass AzureServices")
    az(f"keyvault network-rule add {name} --ip-address 203.0.113.0/24")
    rules = az(f"keyvault network-rule list {name}")
    assert [r["value"] for r in rules["ipRules"]] == ["203.0.113.0/24"] and rules["defaultAction"] == "Deny", rules
    az.refused("ForbiddenByFirewall", f"keyvault key list --vault-name {POLICY_VAULT}")
    az(f"keyvault network-rule remove {name} --ip-address 203.0.113.0/24")
    az(f"keyvault update {name} --default-action Allow")
    assert {k["name"] for k in az(f"keyvault key list --vault-name {POLICY_VAULT}")} == {"curve", "open", "rsa4"}

with suite.check("keyvault delete, list-deleted, show-deleted, recover, purge"):
    az(f"keyvault delete --name {POLICY_VAULT} --resource-group {GROUP}")
    assert [v["name"] for v in az("keyvault list-deleted")] == [POLICY_VAULT]
    assert az(f"keyvault show-deleted --name {POLICY_VAULT}")["properties"]["location"] == "westus"
    az.refused("not found", f"keyvault show --name {POLICY_VAULT}")
    az(f"keyvault recover --name {POLICY_VAULT} --resource-group {GROUP} --location westus")
    assert {k["name"] for k in az(f"keyvault key list --vault-name {POLICY_VAULT}")} == {"curve", "open", "rsa4"}
    az(f"keyvault delete --name {POLICY_VAULT} --resource-group {GROUP}")
    az(f"keyvault purge --name {POLICY_VAULT} --location westus")
    assert az("keyvault list-deleted") == []

with suite.check("identity delete, group delete"):
    az(f"identity delete --name contoso-identity --resource-group {GROUP}")
    az(f"group delete --name {GROUP} --yes")
    assert az(f"group exists --name {GROUP}") is False

suite.close()
