"""The article's PowerShell commands, as the requests that their modules send (as far as is publicly known): the modules themselves do
not run here. Add-AzEnvironment and Connect-AzAccount, Get-AzResource -ExpandProperties, Set-AzKeyVaultAccessPolicy,
New-AzResourceGroupDeployment."""

import json
import os
import urllib.parse

import harness
from harness import CLIENT, CLIENT_OID, SECRET, SUB, TENANT

AGENT = {"User-Agent": "AzurePowershell/Az.4.0.0", "Accept": "application/json", "Accept-Language": "en-US", "CommandName": "e2e",
         "ParameterSetName": "e2e", "x-ms-client-request-id": "3b9f6f0e-8c1d-4c6e-9a3f-0123456789ab", "x-ms-return-client-request-id": "true"}
SUBSCRIPTION = f"/subscriptions/{SUB}"


def arm(s, method, path, body=None, api="2021-04-01"):
    return s.e.arm(method, path, body, api=api, headers=AGENT)


def get_resource(s, resource_id):
    """Get-AzResource -ResourceId … -ExpandProperties: the newest api-version of the type comes from its provider's list."""
    provider, kind = resource_id.split("/providers/")[1].split("/")[:2]
    types = arm(s, "GET", f"{SUBSCRIPTION}/providers/{provider}").expect(200).json()["resourceTypes"]
    versions = next(t["apiVersions"] for t in types if t["resourceType"].lower() == kind.lower())
    stable = [v for v in versions if "preview" not in v]
    return arm(s, "GET", resource_id, api=max(stable or versions)).expect(200).json()


def get_vault(s, name):
    """Get-AzKeyVault -VaultName: found by its name among the subscription's resources, then read."""
    found = "resourceType eq 'Microsoft.KeyVault/vaults' and name eq '%s'" % name
    listed = arm(s, "GET", f"{SUBSCRIPTION}/resources?$filter={urllib.parse.quote(found)}", api="2015-11-01").expect(200).json()["value"]
    assert [r["name"] for r in listed] == [name], listed
    return arm(s, "GET", listed[0]["id"], api="2022-07-01").expect(200).json()


def set_policy(s, vault, object_id, permissions):
    """Set-AzKeyVaultAccessPolicy -ObjectId: the object is looked up, then the whole vault is put back with the entry among the others."""
    found = s.e.https("POST", "graph.microsoft.com", "/v1.0/directoryObjects/getByIds", {"ids": [object_id]},
                      s.e.bearer("https://graph.microsoft.com")).expect(200).json()["value"]
    assert [o["id"] for o in found] == [object_id], found
    properties = {k: v for k, v in vault["properties"].items() if k not in ("vaultUri", "provisioningState")}
    others = [p for p in properties["accessPolicies"] if p["objectId"] != object_id]
    properties["accessPolicies"] = [*others, {"tenantId": TENANT, "objectId": object_id, "permissions": {
        "keys": permissions, "secrets": [], "certificates": [], "storage": []}}]
    body = {"location": vault["location"], "tags": vault.get("tags") or {}, "properties": properties}
    return arm(s, "PUT", vault["id"], body, api="2022-07-01").expect(200).json()


def test_environment_and_sign_in(case):
    e = case.emulator()
    shown = e.https("GET", "management.localhost", "/metadata/endpoints?api-version=2015-01-01").expect(200).json()
    login = urllib.parse.urlsplit(shown["authentication"]["loginEndpoint"])
    assert login.hostname == "login.localhost" and shown["graphEndpoint"] and shown["galleryEndpoint"], shown
    form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET, "client_info": "1",
            "scope": shown["authentication"]["audiences"][0] + "/.default openid profile offline_access"}
    token = e.https("POST", login.hostname, f"/{TENANT}/oauth2/v2.0/token", urllib.parse.urlencode(form),
                    {"Content-Type": "application/x-www-form-urlencoded"}).expect(200).json()["access_token"]
    for path, name in (("/tenants", "tenantId"), ("/subscriptions", "subscriptionId")):
        listed = e.https("GET", "management.localhost", f"{path}?api-version=2021-01-01", None,
                         {"Authorization": "Bearer " + token, **AGENT}).expect(200).json()["value"]
        assert listed and all(one[name] for one in listed), listed


def test_the_namespace_gets_access_to_the_vault(case):
    """$identity = (Get-AzResource -ResourceId … -ExpandProperties).Identity; Set-AzKeyVaultAccessPolicy … -ObjectId $identity.PrincipalId"""
    s = case.story()
    s.make_group()
    s.make_vault()
    for k in s.keys:
        s.make_key(k)
    s.make_namespace()
    refused = s.put(s.body(keys=s.keys)).expect(400).json()
    assert refused["error"]["code"] == "BadRequest", refused
    principal = get_resource(s, s.namespace_path)["identity"]["principalId"]
    assert principal == s.principal
    before = get_vault(s, s.vault)
    after = set_policy(s, before, principal, ["get", "wrapKey", "unwrapKey", "list"])
    entries = {p["objectId"]: p["permissions"]["keys"] for p in after["properties"]["accessPolicies"]}
    assert sorted(entries) == sorted([CLIENT_OID, principal]) and entries[principal] == ["get", "wrapKey", "unwrapKey", "list"], entries
    assert after["properties"]["enablePurgeProtection"] is True
    s.encrypt()
    assert s.listed_keys() == s.keys


def test_an_existing_vault_gets_soft_delete_and_purge_protection(case):
    """($updatedKeyVault = Get-AzureRmResource -ResourceId (Get-AzureRmKeyVault …).ResourceId).Properties | Add-Member … -Value "true" …;
    Set-AzureRmResource puts it back with the two as texts."""
    s = case.story()
    s.make_group()
    s.make_vault(enablePurgeProtection=None)
    vault = get_resource(s, get_vault(s, s.vault)["id"])
    assert "enablePurgeProtection" not in vault["properties"], vault
    vault["properties"].update(enableSoftDelete="true", enablePurgeProtection="true")
    for api in ("2016-10-01", "2022-07-01"):
        done = arm(s, "PUT", vault["id"], {k: vault[k] for k in ("location", "properties", "tags")}, api).expect(200).json()["properties"]
        assert done["enableSoftDelete"] is True and done["enablePurgeProtection"] is True, done
    vault["properties"].update(enableSoftDelete="yes")
    arm(s, "PUT", vault["id"], {k: vault[k] for k in ("location", "properties")}, "2022-07-01").expect(400)


def template(name):
    with open(os.path.join(harness.ROOT, "fixtures", "article", name)) as f:
        return json.load(f)


def new_deployment(s, name, file, **parameters):
    """New-AzResourceGroupDeployment: the group is looked for, the template validated, deployed, and asked after until it is done."""
    path = f"{s.group_path}/providers/Microsoft.Resources/deployments/{name}"
    arm(s, "HEAD", s.group_path).expect(204)
    body = {"properties": {"mode": "Incremental", "template": template(file), "debugSetting": {"detailLevel": "None"},
                           "parameters": {k: {"value": v} for k, v in parameters.items()}}}
    valid = arm(s, "POST", f"{path}/validate", body).expect(200).json()
    assert "error" not in valid or valid["error"] is None, valid
    begun = arm(s, "PUT", path, body).expect(201)
    assert begun.headers["x-ms-client-request-id"] == AGENT["x-ms-client-request-id"], begun.headers.items()
    poll = urllib.parse.urlsplit(begun.headers["Azure-AsyncOperation"])
    assert arm(s, "GET", poll.path, api=urllib.parse.parse_qs(poll.query)["api-version"][0]).expect(200).json()["status"] == "Succeeded"
    shown = arm(s, "GET", path).expect(200).json()["properties"]
    states = [o["properties"]["provisioningState"] for o in arm(s, "GET", f"{path}/operations").expect(200).json()["value"]]
    assert shown["provisioningState"] == "Succeeded" and set(states) == {"Succeeded"}, (shown, states)
    return shown


def test_the_article_by_deployments(case):
    """$outputs = New-AzResourceGroupDeployment …; $outputs.Outputs["serviceBusNamespaceId"].value"""
    s = case.story()
    s.make_group()
    s.make_vault()
    for k in s.keys:
        s.make_key(k)
    done = new_deployment(s, "CreateServiceBusPremiumNamespace", "CreateServiceBusPremiumNamespace.json",
                          namespaceName=s.namespace, location="northeurope")
    made = {k.lower(): v["value"] for k, v in done["outputs"].items()}["servicebusnamespaceid"]  # as PowerShell looks names up
    assert made.lower() == s.namespace_path.lower(), made
    principal = get_resource(s, made)["identity"]["principalId"]
    set_policy(s, get_vault(s, s.vault), principal, ["get", "wrapKey", "unwrapKey", "list"])
    new_deployment(s, "UpdateServiceBusNamespaceWithEncryption", "UpdateServiceBusNamespaceWithEncryption.json",
                   namespaceName=s.namespace, location="northeurope", keyName=s.keys[0], keyVaultUri=s.vault_uri)
    assert s.keys[0] in s.listed_keys(), s.get_namespace()
