"""Microsoft.KeyVault on the ARM plane: vaults and what lies below them, as templates, az and Terraform ask for it."""

import urllib.parse

import harness
from test_audit import plain_vault
from test_authorization import CRYPTO_OFFICER, CRYPTO_USER, SUBSCRIPTION, Identity, assign, rbac_vault
from test_signin import ARM, PASSWORD, USER, by_password, graph

API = "2023-07-01"
NEWEST = "2026-02-01"
KV = "/providers/Microsoft.KeyVault"
FORBIDDEN_BYPASS = "Client address is not authorized and caller is not a trusted service."


def body(location="northeurope", **properties):
    return {"location": location, "properties": {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [],
                                                 **properties}}


def put(s, name, api=API, **properties):
    return s.e.arm("PUT", f"{s.group_path}{KV}/vaults/{name}", body(**properties), api=api)


def said(reply, status, code, *parts):
    error = reply.expect(status).json()["error"]
    assert error["code"] == code and all(p in error["message"] for p in parts), error
    return error["message"]


def grouped(case, *options):
    s = case.story(*options)
    s.make_group()
    return s


def as_user(s, name, password, method, path, content=None):
    token = by_password(s.e, f"{ARM}/.default", user=name, password=password).expect(200).json()["access_token"]
    return s.e.https(method, harness.ARM, f"{path}?api-version={API}", content, {"Authorization": "Bearer " + token})


# ---- who ----

def test_a_vault_tells_who_made_and_who_changed_it(case):
    s = grouped(case)
    s.make_vault()
    system = s.e.arm("GET", s.vault_path, api=API).expect(200).json()["systemData"]
    assert (system["createdBy"], system["createdByType"]) == (harness.CLIENT, "Application") == \
        (system["lastModifiedBy"], system["lastModifiedByType"]), system
    s.e.advance("PT1H")
    policies = {"properties": {"accessPolicies": []}}
    as_user(s, USER, PASSWORD, "PUT", s.vault_path + "/accessPolicies/add", policies).expect(200)
    system = s.e.arm("GET", s.vault_path, api=API).expect(200).json()["systemData"]
    assert (system["createdBy"], system["createdByType"]) == (harness.CLIENT, "Application"), system
    assert (system["lastModifiedBy"], system["lastModifiedByType"], system["lastModifiedAt"]) == (USER, "User", "2026-01-01T01:00:00Z"), system
    s.e.arm("PATCH", s.vault_path, {"tags": {}}, api=API).expect(200)
    made = as_user(s, USER, PASSWORD, "PUT", f"{s.group_path}{KV}/vaults/usersvault", body()).expect(200).json()["systemData"]
    assert (made["createdBy"], made["createdByType"], made["lastModifiedBy"], made["lastModifiedByType"]) == (USER, "User", USER, "User"), made
    assert s.e.arm("GET", s.vault_path, api=API).expect(200).json()["systemData"]["lastModifiedByType"] == "Application"


def test_what_each_api_version_shows_of_a_vault(case):
    s = grouped(case)
    s.make_vault()
    for api, system, access in (("2016-10-01", False, False), ("2019-09-01", False, False), ("2021-04-01-preview", True, False),
                                ("2021-10-01", True, True), ("2023-07-01", True, True), (NEWEST, True, True)):
        one = s.e.arm("GET", s.vault_path, api=api).expect(200).json()
        (row,) = s.e.arm("GET", s.group_path + KV + "/vaults", api=api).expect(200).json()["value"]
        assert row == one, api
        assert ("systemData" in one, "publicNetworkAccess" in one["properties"]) == (system, access), (api, one)


def test_a_user_is_refused_by_name(case):
    s = grouped(case)
    s.make_vault()
    bob = {"userPrincipalName": "bob@contoso.com", "displayName": "Bob", "accountEnabled": True, "mailNickname": "bob",
           "passwordProfile": {"password": "Wort-12345"}}
    oid = graph(s.e, "POST", "/users", bob).expect(201).json()["id"]
    said(as_user(s, "bob@contoso.com", "Wort-12345", "DELETE", s.vault_path), 403, "AuthorizationFailed",
         f"The client 'bob@contoso.com' with object id '{oid}' does not have authorization to perform action 'Microsoft.KeyVault/vaults/delete'")


def test_what_the_providers_can_do(case):
    s = case.story()
    for provider, arm_action, data_action in (("Microsoft.KeyVault", "vaults/write", "vaults/keys/wrap/action"),
                                              ("Microsoft.ServiceBus", "namespaces/write", "namespaces/messages/send/action"),
                                              ("Microsoft.ManagedIdentity", "userAssignedIdentities/assign/action", None)):
        rows = s.e.arm("GET", f"/providers/{provider}/operations", api="2023-07-01" if provider[10] == "K" else "2018-11-30"
                       if provider[10] == "M" else "2021-11-01").expect(200).json()["value"]
        kinds = {(row["name"], row["isDataAction"]) for row in rows}
        assert len(kinds) == len(rows) and all(n.startswith(provider + "/") for n, _ in kinds), kinds
        assert (f"{provider}/{arm_action}", False) in kinds
        assert data_action is None or (f"{provider}/{data_action}", True) in kinds
        assert all(row["display"]["provider"] and row["display"]["operation"] for row in rows)


# ---- rules ----

def test_what_cannot_be_undone(case):
    s = grouped(case)
    irreversible = 'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.'
    said(put(s, "vault-a", enablePurgeProtection=False), 400, "BadRequest", irreversible)
    for days in (0, 6, 91):
        said(put(s, "vault-a", softDeleteRetentionInDays=days), 400, "BadRequest", "softDeleteRetentionInDays")
    s.e.arm("GET", f"{s.group_path}{KV}/vaults/vault-a", api=API).expect(404)
    shown = put(s, "vault-a", softDeleteRetentionInDays=7, enableSoftDelete=False).expect(200).json()["properties"]
    assert shown["enableSoftDelete"] is True and shown["softDeleteRetentionInDays"] == 7 and "enablePurgeProtection" not in shown, shown
    said(put(s, "vault-a", softDeleteRetentionInDays=8), 400, "BadRequest", 'The property "softDeleteRetentionInDays" has been set already')
    said(put(s, "vault-a", enableSoftDelete=False), 400, "BadRequest", "can be set to false only for creating new vault")
    assert put(s, "vault-a", enablePurgeProtection=True, softDeleteRetentionInDays=7).expect(200).json()["properties"]["enablePurgeProtection"]
    for patch in ({"enablePurgeProtection": False}, {"enableSoftDelete": False}, {"softDeleteRetentionInDays": 90}):
        s.e.arm("PATCH", f"{s.group_path}{KV}/vaults/vault-a", {"properties": patch}, api=API).expect(400)
    s.e.arm("PATCH", f"{s.group_path}{KV}/vaults/vault-a", {"tags": {"a": "b"}}, api=API).expect(200)
    shown = s.e.arm("GET", f"{s.group_path}{KV}/vaults/vault-a", api=API).expect(200).json()
    assert shown["tags"] == {"a": "b"} and shown["properties"]["enablePurgeProtection"] is True, shown


def test_role_based_access_is_the_default_from_2026_on(case):
    s = grouped(case)
    assert put(s, "vault-new", api=NEWEST).expect(200).json()["properties"]["enableRbacAuthorization"] is True
    assert "enableRbacAuthorization" not in put(s, "vault-old").expect(200).json()["properties"]
    assert put(s, "vault-said", api=NEWEST, enableRbacAuthorization=False).expect(200).json()["properties"]["enableRbacAuthorization"] is False
    # an update changes nothing, whatever its version
    assert "enableRbacAuthorization" not in put(s, "vault-old", api=NEWEST).expect(200).json()["properties"]
    assert put(s, "vault-new").expect(200).json()["properties"]["enableRbacAuthorization"] is True


def test_who_changes_the_permission_model_must_be_allowed_to_assign_roles(case):
    s = grouped(case)
    s.make_vault()
    who = Identity(s)
    contributor, administrator = "b24988ac-6180-42a0-ab88-20f7382dd24c", "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9"
    assign(s, contributor, who.oid, s.group_path, 1).expect(201)
    change = {"properties": {"enableRbacAuthorization": True}}
    message = said(who.arm("PATCH", s.vault_path, change), 403, "InsufficientPermissions",
                   "Caller is not allowed to change permission model.", f"oid={who.oid}; action=Microsoft.Authorization/roleAssignments/write;")
    assert message.endswith(f"/providers/Microsoft.KeyVault/vaults/{s.vault}; decision=NotAllowed;"), message
    who.arm("PUT", s.vault_path, body(enableRbacAuthorization=True)).expect(403)
    assert "enableRbacAuthorization" not in s.e.arm("GET", s.vault_path, api=API).expect(200).json()["properties"]
    # what changes nothing of it, and a new vault, take no more than a write
    who.arm("PATCH", s.vault_path, {"tags": {"a": "b"}, "properties": {"enableRbacAuthorization": False}}).expect(200)
    who.arm("PUT", s.vault_path + "x", body(enableRbacAuthorization=True)).expect(200)
    who.arm("PATCH", s.vault_path + "x", {"properties": {"enableRbacAuthorization": False}}).expect(403)
    assign(s, administrator, who.oid, s.vault_path, 2).expect(201)
    who.arm("PATCH", s.vault_path, change).expect(200)
    who.arm("PATCH", s.vault_path, {"properties": {"enableRbacAuthorization": False}}).expect(200)


def test_names(case):
    s = grouped(case)
    check = f"{SUBSCRIPTION}{KV}/checkNameAvailability"
    for name in ("ab", "a" * 25, "1vault", "vault-", "va--ult", "va_ult"):
        said(put(s, name), 400, "VaultNameNotValid", f"The vault name '{name}' is invalid.", "3-24 alphanumeric characters")
        reply = s.e.arm("POST", check, {"name": name, "type": "Microsoft.KeyVault/vaults"}, api=API).expect(200).json()
        assert reply["nameAvailable"] is False and reply["reason"] == "AccountNameInvalid", reply
    ask = {"name": "vault-a", "type": "Microsoft.KeyVault/vaults"}
    assert s.e.arm("POST", check, ask, api=API).expect(200).json() == {"nameAvailable": True}
    put(s, "vault-a").expect(200)
    taken = {"nameAvailable": False, "reason": "AlreadyExists", "message": "The name 'vault-a' is already in use."}
    assert s.e.arm("POST", check, ask, api=API).expect(200).json() == taken
    s.e.arm("DELETE", f"{s.group_path}{KV}/vaults/vault-a", api=API).expect(200)
    assert s.e.arm("POST", check, ask, api=API).expect(200).json() == taken
    s.e.arm("PUT", s.group_path + "2", {"location": "westus"}, api="2021-04-01").expect(201)
    said(s.e.arm("PUT", f"{s.group_path}2{KV}/vaults/vault-a", body(), api=API), 409, "VaultAlreadyExists", "The vault name 'vault-a' is already in use.")


def test_deleted_recovered_purged(case):
    s = grouped(case)
    path, deleted = f"{s.group_path}{KV}/vaults/vault-a", f"{SUBSCRIPTION}{KV}/locations/northeurope/deletedVaults/vault-a"
    said(s.e.arm("GET", deleted, api=API), 404, "DeletedVaultNotFound", "The specified deleted vault 'vault-a' does not exist.")
    said(put(s, "vault-a", createMode="recover"), 404, "DeletedVaultNotFound")
    put(s, "vault-a", createMode="default", softDeleteRetentionInDays=7).expect(200)
    s.e.arm("DELETE", path, api=API).expect(200)
    s.e.arm("DELETE", path, api=API).expect(204)
    shown = s.e.arm("GET", deleted.replace("northeurope", "North%20Europe"), api=API).expect(200).json()
    assert shown["id"] == deleted and shown["properties"]["vaultId"] == path, shown
    assert (shown["properties"]["deletionDate"], shown["properties"]["scheduledPurgeDate"]) == ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")
    assert [v["name"] for v in s.e.arm("GET", f"{SUBSCRIPTION}{KV}/deletedVaults", api=API).expect(200).json()["value"]] == ["vault-a"]
    said(put(s, "vault-a"), 409, "ConflictError", "A vault with the same name already exists in deleted state.")
    put(s, "vault-a", createMode="recover").expect(200)
    s.e.arm("GET", path, api=API).expect(200)
    s.e.arm("DELETE", path, api=API).expect(200)
    reply = s.e.arm("POST", deleted + "/purge", api=API).expect(202)
    where = urllib.parse.urlsplit(reply.headers["Location"])
    done = s.e.https("GET", harness.ARM, f"{where.path}?{where.query}", headers=s.e.bearer("https://management.azure.com")).expect(200).json()
    assert done["status"] == "Succeeded" and done["createdDateTime"].endswith("Z"), done
    s.e.arm("GET", deleted, api=API).expect(404)
    put(s, "vault-a", enablePurgeProtection=True, softDeleteRetentionInDays=7).expect(200)
    s.e.arm("DELETE", path, api=API).expect(200)
    s.e.arm("POST", deleted + "/purge", api=API).expect(405)
    s.e.advance("P7D")
    s.e.arm("GET", deleted, api=API).expect(404)


def test_lists_come_in_pages(case):
    s = grouped(case)
    names = [f"vault-{c}" for c in "abcde"]
    for n in names:
        put(s, n).expect(200)
    for path in (f"{s.group_path}{KV}/vaults", f"{SUBSCRIPTION}{KV}/vaults"):
        seen, url = [], f"{path}?api-version={API}&$top=2"
        while url:
            page = s.e.https("GET", harness.ARM, url, headers=s.e.bearer("https://management.azure.com")).expect(200).json()
            assert len(page["value"]) <= 2
            seen += [v["name"] for v in page["value"]]
            next_link = urllib.parse.urlsplit(page.get("nextLink", ""))
            url = f"{next_link.path}?{next_link.query}" if page.get("nextLink") else None
        assert seen == names, seen
    s.e.arm("GET", f"{s.group_path}{KV}/vaults?$top=0", api=API).expect(400)
    s.e.arm("GET", f"{s.group_path}{KV}/vaults?$skiptoken=x", api=API).expect(400)


def test_how_az_and_terraform_find_a_vault(case):
    s = grouped(case)
    put(s, "vault-a").expect(200)
    put(s, "vault-b").expect(200)
    for filter, names in (("resourceType eq 'Microsoft.KeyVault/vaults'", ["vault-a", "vault-b"]),
                          ("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'vault-b'", ["vault-b"]),
                          ("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'vault-c'", [])):
        query = urllib.parse.urlencode({"$filter": filter})
        rows = s.e.arm("GET", f"{SUBSCRIPTION}/resources?{query}", api="2015-11-01").expect(200).json()["value"]
        assert [r["name"] for r in rows] == names, (filter, rows)
        assert all({"id", "name", "type", "location", "tags"} <= set(r) for r in rows), rows


# ---- network ----

def test_network_rules(case):
    s = plain_vault(case)
    rules = {"defaultAction": "Deny", "bypass": "AzureServices", "ipRules": [{"value": "10.1.2.0/24"}],
             "virtualNetworkRules": [{"id": SUBSCRIPTION + "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/s"}]}
    s.patch_vault(networkAcls=rules)
    subnet = rules["virtualNetworkRules"][0]["id"].lower()  # as the service shows it
    assert s.e.arm("GET", s.vault_path, api=API).expect(200).json()["properties"]["networkAcls"] == {**rules, "virtualNetworkRules": [{"id": subnet}]}
    ips = [{"value": v} for v in ("124.56.78.91", "10.91.4.0/24", "fd00::1")]
    nets = [{"id": subnet.upper(), "ignoreMissingVnetServiceEndpoint": True}]
    s.patch_vault(networkAcls={**rules, "ipRules": ips, "virtualNetworkRules": nets})
    shown = s.e.arm("GET", s.vault_path, api=API).expect(200).json()["properties"]["networkAcls"]
    assert [r["value"] for r in shown["ipRules"]] == ["124.56.78.91/32", "10.91.4.0/24", "fd00::1"], shown
    assert shown["virtualNetworkRules"] == [{"id": subnet, "ignoreMissingVnetServiceEndpoint": True}], shown
    s.patch_vault(networkAcls=rules)
    error = s.e.vault("GET", s.vault, "/keys/key1").expect(403).json()["error"]
    assert (error["code"], error["innererror"]) == ("Forbidden", {"code": "ForbiddenByFirewall"}), error
    assert error["message"] == (
        f"{FORBIDDEN_BYPASS}\r\nClient address: 127.0.0.1\r\nCaller: appid={harness.CLIENT};oid={harness.CLIENT_OID};"
        f"iss=https://sts.windows.net/{harness.TENANT}/\r\nVault: {s.vault};location=northeurope"), error["message"]
    for rule, status in (("127.0.0.1", 200), ("127.0.0.0/8", 200), ("127.0.0.2", 403), ("::1", 403)):
        s.patch_vault(networkAcls={**rules, "ipRules": [{"value": rule}]})
        s.e.vault("GET", s.vault, "/keys/key1").expect(status)
    for bad in ({"defaultAction": "Maybe"}, {"bypass": "All"}, {"ipRules": [{"value": "1.2.3"}]}, {"ipRules": {}}, {"virtualNetworkRules": [1]},
                {"virtualNetworkRules": [{"id": subnet, "ignoreMissingVnetServiceEndpoint": "no"}]}):
        s.e.arm("PATCH", s.vault_path, {"properties": {"networkAcls": bad}}, api=API).expect(400)
    s.patch_vault(networkAcls={"defaultAction": "Allow"}, publicNetworkAccess="Disabled")
    error = s.e.vault("GET", s.vault, "/keys/key1").expect(403).json()["error"]
    assert error["innererror"]["code"] == "ForbiddenByFirewall" and error["message"].startswith(
        "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: "), error
    s.e.arm("GET", s.vault_path + "/keys/key1", api=API).expect(200)  # the control plane is not affected (documented)
    s.patch_vault(publicNetworkAccess="Enabled")
    s.e.vault("GET", s.vault, "/keys/key1").expect(200)


def test_private_endpoints_are_none(case):
    s = plain_vault(case)
    assert s.e.arm("GET", s.vault_path + "/privateEndpointConnections", api=API).expect(200).json() == {"value": []}
    s.e.arm("GET", s.vault_path + "/privateEndpointConnections/x", api=API).expect(404)
    s.e.arm("DELETE", s.vault_path + "/privateEndpointConnections/x", api=API).expect(204)
    (link,) = s.e.arm("GET", s.vault_path + "/privateLinkResources", api=API).expect(200).json()["value"]
    assert link["properties"]["groupId"] == "vault", link


# ---- keys ----

def test_keys_as_arm_resources(case):
    s = grouped(case)
    s.make_vault(accessPolicies=[])
    path = s.vault_path + "/keys/armkey"
    said(s.e.arm("GET", path, api=API), 404, "KeyNotFound", "armkey")
    made = s.e.arm("PUT", path, {"properties": {"kty": "RSA", "keySize": 3072, "keyOps": ["wrapKey", "unwrapKey"], "attributes": {"exp": 2000000000}},
                                 "tags": {"a": "b"}}, api=API).expect(200).json()
    p = made["properties"]
    assert (made["id"], made["name"], made["type"], made["location"], made["tags"]) == \
        (path, "armkey", "Microsoft.KeyVault/vaults/keys", "northeurope", {"a": "b"}), made
    assert (p["kty"], p["keySize"], p["keyOps"], p["attributes"]["exp"], p["attributes"]["enabled"]) == \
        ("RSA", 3072, ["wrapKey", "unwrapKey"], 2000000000, True), p
    uri = f"https://{s.vault}.vault.azure.net"
    assert p["keyUri"].startswith(uri) and p["keyUri"].endswith("/keys/armkey") and p["keyUriWithVersion"].startswith(p["keyUri"] + "/"), p
    # another PUT changes nothing
    assert s.e.arm("PUT", path, {"properties": {"kty": "EC"}}, api=API).expect(200).json() == made
    assert s.e.arm("GET", path, api=API).expect(200).json() == made
    version = p["keyUriWithVersion"].rsplit("/", 1)[1]
    (row,) = s.e.arm("GET", path + "/versions", api=API).expect(200).json()["value"]
    assert row["name"] == version and row["id"] == f"{path}/versions/{version}" and "kty" not in row["properties"], row
    assert s.e.arm("GET", f"{path}/versions/{version}", api=API).expect(200).json()["properties"] == p
    said(s.e.arm("GET", f"{path}/versions/{'0' * 32}", api=API), 404, "KeyNotFound")
    curve = s.e.arm("PUT", s.vault_path + "/keys/curve", {"properties": {"kty": "EC", "curveName": "P-384"}}, api=API).expect(200).json()
    assert curve["properties"]["curveName"] == "P-384" and "keySize" not in curve["properties"], curve
    assert [k["name"] for k in s.e.arm("GET", s.vault_path + "/keys", api=API).expect(200).json()["value"]] == ["armkey", "curve"]
    # it is the same key on the data plane, for whom a policy lets in
    assert s.e.vault("GET", s.vault, "/keys/armkey").expect(403).json()["error"]["innererror"]["code"] == "ForbiddenByPolicy"
    s.allow(harness.CLIENT_OID, permissions=["get", "list"])
    assert s.e.vault("GET", s.vault, "/keys/armkey").expect(200).json()["key"]["kid"] == p["keyUriWithVersion"]


def test_arm_keys_that_are_refused(case):
    s = grouped(case)
    s.make_vault()
    path = s.vault_path + "/keys/armkey"
    for properties in ({}, {"kty": "oct"}, {"kty": "RSA", "keySize": 1000}, {"kty": "EC", "curveName": "P-1"}, {"kty": 7}, {"kty": "RSA", "keyOps": "all"},
                       {"kty": "RSA", "keyOps": ["wrapKey,sign"]}, {"kty": "RSA", "keyOps": ["fly"]}, {"kty": "RSA", "attributes": 1},
                       {"kty": "RSA", "attributes": {"exp": "soon"}}, {"kty": "RSA", "rotationPolicy": "never"},
                       {"kty": "RSA", "rotationPolicy": {"attributes": {"expiryTime": "P1D"}}},
                       {"kty": "RSA", "rotationPolicy": rotation("P80D", "P81D")}):
        s.e.arm("PUT", path, {"properties": properties}, api=API).expect(400)
    for properties in ({"attributes": {"exportable": True}}, {"release_policy": {}}):
        s.e.arm("PUT", path, {"properties": {"kty": "RSA", **properties}}, api=API).expect(501)
    s.e.arm("PUT", s.vault_path + "/keys/no_name", {"properties": {"kty": "RSA"}}, api=API).expect(400)
    said(s.e.arm("PUT", s.vault_path + "x/keys/armkey", {"properties": {"kty": "RSA"}}, api=API), 404, "ResourceNotFound")
    assert s.e.arm("GET", s.vault_path + "/keys", api=API).expect(200).json() == {"value": []}
    s.e.arm("GET", s.vault_path + "/keys?$skiptoken=x", api=API).expect(400)


def rotation(after, expiry=None):
    policy = {"lifetimeActions": [{"trigger": {"timeAfterCreate": after}, "action": {"type": "rotate"}}]}
    return {**policy, "attributes": {"expiryTime": expiry}} if expiry else policy


def test_a_rotation_policy_comes_with_an_arm_key_and_acts(case):
    s = grouped(case)
    s.make_vault()
    path = s.vault_path + "/keys/armkey"
    body = {"properties": {"kty": "EC", "rotationPolicy": rotation("P30D", "P90D")}}
    made = s.e.arm("PUT", path, body, api=API).expect(200).json()
    policy = made["properties"]["rotationPolicy"]
    notice = {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "notify"}}
    assert policy["lifetimeActions"] == body["properties"]["rotationPolicy"]["lifetimeActions"] + [notice], policy
    assert policy["attributes"]["expiryTime"] == "P90D" and policy["attributes"]["created"] == policy["attributes"]["updated"], policy
    assert "exp" not in made["properties"]["attributes"], made  # the policy ends new versions only
    assert s.e.arm("GET", path, api=API).expect(200).json() == made
    # the same one on the data plane, in its spelling
    shown = s.e.vault("GET", s.vault, "/keys/armkey/rotationpolicy").expect(200).json()
    assert shown["attributes"] == policy["attributes"] and shown["lifetimeActions"][0]["action"] == {"type": "Rotate"}, shown
    # a PUT on a key that is there changes nothing of it
    later = {"properties": {"kty": "EC", "rotationPolicy": rotation("P60D")}}
    assert s.e.arm("PUT", path, later, api=API).expect(200).json() == made
    assert s.e.advance("P30D")["events"] == [{"time": "2026-01-31T00:00:00Z", "kind": "keyRotated", "target": f"{s.vault}/armkey"}]
    now = s.e.arm("GET", path, api=API).expect(200).json()["properties"]
    assert now["keyUriWithVersion"] != made["properties"]["keyUriWithVersion"]
    assert now["attributes"]["exp"] == now["attributes"]["created"] + 90 * 86400 and now["rotationPolicy"] == policy, now
    # none that says something: none
    empty = s.e.arm("PUT", s.vault_path + "/keys/plain", {"properties": {"kty": "EC", "rotationPolicy": {"attributes": {}}}}, api=API)
    assert "rotationPolicy" not in empty.expect(200).json()["properties"]


def test_many_arm_keys(case):
    s = grouped(case)
    s.make_vault()
    names = [f"key-{i:02}" for i in range(27)]
    for n in names:
        s.e.arm("PUT", f"{s.vault_path}/keys/{n}", {"properties": {"kty": "EC"}}, api=API).expect(200)
    first = s.e.arm("GET", s.vault_path + "/keys", api=API).expect(200).json()
    link = urllib.parse.urlsplit(first["nextLink"])
    second = s.e.https("GET", harness.ARM, f"{link.path}?{link.query}", headers=s.e.bearer("https://management.azure.com")).expect(200).json()
    assert [k["name"] for k in first["value"] + second["value"]] == names and "nextLink" not in second


def test_arm_keys_of_a_vault_with_role_assignments(case):
    s = rbac_vault(case)
    who = Identity(s)
    path, new = s.vault_path + "/keys/armkey", {"properties": {"kty": "RSA"}}
    who.arm("PUT", path, new).expect(403)  # ARM's own no
    contributor = "f25e0fa2-a7c8-4377-a976-54943a77a395"
    assign(s, contributor, who.oid, s.vault_path, 2).expect(201)
    message = said(who.arm("PUT", path, new), 400, "ForbiddenByRbac", "[ForbiddenByRbac (Forbidden)] Caller is not authorized",
                   f"Caller: name=KeyVault/ManagementPlane;appid={who.client}")
    assert "Microsoft.KeyVault/vaults/keys/read" in message
    assign(s, CRYPTO_USER, who.oid, s.vault_path, 3).expect(201)
    said(who.arm("PUT", path, new), 400, "ForbiddenByRbac", "Microsoft.KeyVault/vaults/keys/create/action")
    maker = "00000000-0000-4000-8000-00000000aaaa"
    role = {"properties": {"roleName": "Key maker", "permissions": [{"dataActions": ["Microsoft.KeyVault/vaults/keys/*"]}],
                           "assignableScopes": [f"/subscriptions/{harness.SUB}"]}}
    s.e.arm("PUT", f"/subscriptions/{harness.SUB}/providers/Microsoft.Authorization/roleDefinitions/{maker}", role, api="2022-04-01").expect(201)
    assign(s, maker, who.oid, s.vault_path, 5).expect(201)
    with_policy = {"properties": {"kty": "RSA", "rotationPolicy": rotation("P30D")}}
    said(who.arm("PUT", path, with_policy), 400, "ForbiddenByRbac", "Microsoft.KeyVault/vaults/keyrotationpolicies/write")
    who.arm("GET", path).expect(404)  # nothing is made of what may not be made whole
    assign(s, CRYPTO_OFFICER, who.oid, s.vault_path, 4).expect(201)
    who.arm("PUT", path, with_policy).expect(200)


# ---- secrets ----

def test_secrets_as_arm_resources(case):
    s = grouped(case)
    s.make_vault(accessPolicies=[])
    path = s.vault_path + "/secrets/connection"
    said(s.e.arm("GET", path, api=API), 404, "SecretNotFound", "connection")
    made = s.e.arm("PUT", path, {"tags": {"a": "b"}, "properties": {"value": "Endpoint=sb://planted", "contentType": "text/plain",
                                                                    "attributes": {"exp": 2000000000}}}, api=API).expect(200)
    assert b"planted" not in made.body  # the value is never shown (documented)
    made = made.json()
    p = made["properties"]
    assert (made["id"], made["type"], made["tags"], p["contentType"], p["attributes"]["exp"]) == \
        (path, "Microsoft.KeyVault/vaults/secrets", {"a": "b"}, "text/plain", 2000000000), made
    assert p["secretUriWithVersion"].startswith(p["secretUri"] + "/") and p["secretUri"].endswith("/secrets/connection"), p
    assert s.e.arm("GET", path, api=API).expect(200).json() == made
    (row,) = s.e.arm("GET", s.vault_path + "/secrets", api=API).expect(200).json()["value"]
    assert row["name"] == "connection" and "secretUriWithVersion" not in row["properties"], row
    again = s.e.arm("PUT", path, {"properties": {"value": "other"}}, api=API).expect(200).json()
    assert again["properties"]["secretUriWithVersion"] != p["secretUriWithVersion"]
    for bad in ({}, {"properties": {}}, {"properties": {"value": 7}}, {"properties": {"value": "x", "attributes": 1}}):
        s.e.arm("PUT", path, bad, api=API).expect(400)
    s.e.arm("PUT", s.vault_path + "/secrets/no_name", {"properties": {"value": "x"}}, api=API).expect(400)
    assert s.e.vault("GET", s.vault, "/secrets/connection").expect(403).json()["error"]["innererror"]["code"] == "ForbiddenByPolicy"
    body = {"properties": {"accessPolicies": [{"tenantId": harness.TENANT, "objectId": harness.CLIENT_OID, "permissions": {"secrets": ["get"]}}]}}
    s.e.arm("PUT", s.vault_path + "/accessPolicies/add", body, api=API).expect(200)
    assert s.e.vault("GET", s.vault, "/secrets/connection").expect(200).json()["value"] == "other"


# ---- diagnostic settings ----

def setting(**more):
    return {"properties": {"workspaceId": SUBSCRIPTION + "/resourcegroups/g/providers/microsoft.operationalinsights/workspaces/w",
                           "logs": [{"category": "AuditEvent", "enabled": True}], **more}}


def test_diagnostic_settings_are_kept(case):
    s = plain_vault(case)
    s.make_namespace()
    api = "2021-05-01-preview"
    for scope in (s.vault_path, s.namespace_path):
        path = scope + "/providers/Microsoft.Insights/diagnosticSettings"
        assert s.e.arm("GET", path, api=api).expect(200).json() == {"value": []}
        made = s.e.arm("PUT", path + "/one", setting(), api=api).expect(200).json()
        assert made["name"] == "one" and made["properties"] == setting()["properties"] and made["id"].lower() == (path + "/one").lower(), made
        changed = s.e.arm("PUT", path + "/ONE", setting(metrics=[{"category": "AllMetrics", "enabled": False}]), api=api).expect(200).json()
        assert [v["properties"] for v in s.e.arm("GET", path, api=api).expect(200).json()["value"]] == [changed["properties"]]
        s.e.restart(kill=True)
        assert s.e.arm("GET", path + "/one", api=api).expect(200).json()["properties"] == changed["properties"]
        for i in range(4):
            s.e.arm("PUT", f"{path}/more{i}", setting(), api=api).expect(200)
        s.e.arm("PUT", path + "/sixth", setting(), api=api).expect(400)
        s.e.arm("DELETE", path + "/one", api=api).expect(200)
        s.e.arm("DELETE", path + "/one", api=api).expect(204)
        s.e.arm("GET", path + "/one", api=api).expect(404)
        for bad in ({}, {"properties": {"logs": []}}, setting(logs=[{"enabled": True}]), setting(logs=[{"category": "a"}]), setting(logs=[1]),
                    setting(logs={}), setting(workspaceId=7)):
            s.e.arm("PUT", path + "/bad", bad, api=api).expect(400)
    s.e.arm("GET", s.group_path + "/providers/Microsoft.Insights/diagnosticSettings", api=api).expect(400)
    s.e.arm("GET", s.vault_path + "x/providers/Microsoft.Insights/diagnosticSettings", api=api).expect(404)
    Identity(s).arm("GET", s.vault_path + "/providers/Microsoft.Insights/diagnosticSettings", api=api).expect(403)
    s.e.control("POST", "/_emulator/reset").expect(200, 204)
    again = plain_vault_again(s)
    assert s.e.arm("GET", again + "/providers/Microsoft.Insights/diagnosticSettings", api=api).expect(200).json() == {"value": []}


def plain_vault_again(s):
    s.make_group()
    s.make_vault()
    return s.vault_path
