"""Who may do what: role definitions, role assignments with inheritance, access policies, and grants that take their time."""

import json
import re
import urllib.parse

import harness
from test_encryption import CRYPTO_SERVICE_USER, encrypted, make_uai, refused
from test_polling import ACTIVE, REVOKED, status

API = "2022-04-01"
AUTH = "/providers/Microsoft.Authorization"
CRYPTO_OFFICER, CRYPTO_USER, READER = ("14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "12338af0-0e69-4776-bea7-57ae8d297424",
                                       "acdd72a7-3385-48ef-bd42-f606fba81ae7")
ROOT = f"/providers/Microsoft.Management/managementGroups/{harness.TENANT}"
SUBSCRIPTION = f"/subscriptions/{harness.SUB}"


def guid(n):
    return f"00000000-0000-4000-8000-{n:012}"


def assign(s, role, principal, scope, n=1):
    body = {"properties": {"roleDefinitionId": f"{SUBSCRIPTION}{AUTH}/roleDefinitions/{role}", "principalId": principal,
                           "principalType": "ServicePrincipal"}}
    return s.e.arm("PUT", f"{scope}{AUTH}/roleAssignments/{guid(n)}", body, api=API)


def unassign(s, scope, n=1):
    return s.e.arm("DELETE", f"{scope}{AUTH}/roleAssignments/{guid(n)}", api=API)


def listed(s, scope, filter=None):
    more = "?$filter=" + urllib.parse.quote(filter) if filter else ""
    reply = s.e.arm("GET", f"{scope}{AUTH}/roleAssignments{more}", api=API).expect(200)
    return sorted(r["name"][-1] for r in reply.json()["value"])


class Identity:
    """A managed identity as a client: nobody has given it anything."""

    def __init__(self, s, name="somebody"):
        self.s, self.id = s, None
        self.id, self.oid = make_uai(s, name)
        self.client = s.e.arm("GET", self.id, api="2023-01-31").expect(200).json()["properties"]["clientId"]

    def call(self, host, resource, method, path, body=None):
        query = urllib.parse.urlencode({"resource": resource, "client_id": self.client})
        token = self.s.e.control("GET", f"/metadata/identity/oauth2/token?{query}", headers={"Metadata": "true"}).expect(200).json()["access_token"]
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        return self.s.e.https(method, host, path, json.dumps(body) if body is not None else None, headers)

    def arm(self, method, path, body=None, api="2023-07-01"):
        return self.call(harness.ARM, "https://management.azure.com", method, f"{path}{'&' if '?' in path else '?'}api-version={api}", body)

    def vault(self, method, path, body=None):
        return self.call(f"{self.s.vault}.vault.azure.net", "https://vault.azure.net", method, f"{path}?api-version=7.4", body)


def rbac_vault(case, *options):
    """A vault that asks role assignments, with one key."""
    s = case.story(*options)
    s.make_group()
    s.make_vault(enableRbacAuthorization=True)
    assign(s, CRYPTO_OFFICER, harness.CLIENT_OID, s.vault_path, 9).expect(201)
    return s


def with_key(s):
    s.e.advance("PT10M")  # whatever the delay
    s.make_key("key1")
    return s


# ---- scopes ----

def test_a_grant_counts_at_its_scope_and_below(case):
    s = with_key(rbac_vault(case))
    who = Identity(s)
    key, other = f"{s.vault_path}/keys/key1", f"{s.vault_path}/keys/other"
    for n, (scope, may) in enumerate([(key, True), (other, False), (s.vault_path, True), (s.group_path, True), (s.group_path + "x", None),
                                      (SUBSCRIPTION, True), (ROOT, True)], 20):
        if may is None:
            s.e.arm("PUT", scope, {"location": "westus"}, api="2021-04-01").expect(201)
        assign(s, CRYPTO_USER, who.oid, scope, n).expect(201)
        who.vault("GET", "/keys/key1").expect(200 if may else 403)
        unassign(s, scope, n).expect(200)
        who.vault("GET", "/keys/key1").expect(403)


def test_refusals_in_the_services_words(case):
    s = with_key(rbac_vault(case))
    who = Identity(s)
    error = who.vault("GET", "/keys/key1").expect(403).json()["error"]
    assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "ForbiddenByRbac"), error
    scope = (s.vault_path + "/keys/key1").lower()
    assert error["message"] == (
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed "
        f"recently, please observe propagation time.\r\nCaller: appid={who.client};oid={who.oid};iss=https://sts.windows.net/{harness.TENANT}/;"
        f"xms_mirid={who.id}\r\nAction: 'Microsoft.KeyVault/vaults/keys/read'\r\nResource: '{scope}'\r\nAssignment: (not found)\r\n"
        f"DenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {s.vault};location=northeurope\r\n"), error["message"]
    error = who.arm("GET", s.vault_path).expect(403).json()["error"]
    assert (error["code"], error["message"]) == (
        "AuthorizationFailed", f"The client '{who.client}' with object id '{who.oid}' does not have authorization to perform action "
        f"'Microsoft.KeyVault/vaults/read' over scope '{s.vault_path}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials."), error
    s.patch_vault(enableRbacAuthorization=False)
    error = who.vault("GET", "/keys/key1").expect(403).json()["error"]
    assert (error["code"], error["innererror"]["code"]) == ("Forbidden", "ForbiddenByPolicy"), error
    assert error["message"] == (
        f"The user, group or application 'appid={who.client};oid={who.oid};iss=https://sts.windows.net/{harness.TENANT}/;xms_mirid={who.id}' "
        f"does not have keys get permission on key vault '{s.vault};location=northeurope'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"), error["message"]


def test_arm_is_denied_by_default_and_granted_by_role(case):
    s = rbac_vault(case)
    who = Identity(s)
    for method, path, body in (("GET", s.vault_path, None), ("DELETE", s.vault_path, None), ("GET", s.group_path + AUTH + "/roleAssignments", None),
                               ("PATCH", s.vault_path, {"tags": {}}), ("PUT", s.vault_path + "/accessPolicies/add", {"properties": {"accessPolicies": []}})):
        who.arm(method, path, body).expect(403)
    assign(s, READER, who.oid, s.group_path).expect(201)
    who.arm("GET", s.vault_path).expect(200)
    who.arm("GET", s.group_path + AUTH + "/roleAssignments", api=API).expect(200)
    who.arm("PATCH", s.vault_path, {"tags": {}}).expect(403)
    assert who.vault("GET", "/keys").expect(403).json()["error"]["innererror"]["code"] == "ForbiddenByRbac"  # no data actions


def test_every_operation_on_vaults_and_roles_asks_for_rights(case):
    """Whoever has been given nothing is refused by ARM, whatever he asks for; the lists of what every tenant has aside."""
    s = rbac_vault(case)
    s.make_namespace()
    who = Identity(s)
    values = {"sub": harness.SUB, "group": s.vault_path.split("/")[4], "name": s.vault, "location": "northeurope", "mode": "add", "scope*": s.vault_path[1:]}
    open_ones = {"ArmRoleDefinitionListTenant": 200, "ArmRoleDefinitionGetTenant": 404, "ArmVaultOperationList": 200}
    asked = 0
    for o in s.e.control("GET", "/_emulator/capabilities").json()["routes"]:
        if o["plane"] != "arm" or not o["operation"].startswith(("ArmVault", "ArmDeletedVault", "ArmRole", "ArmDiagnostic", "ArmHsm", "ArmElevate")):
            continue
        path = o["path"]
        for name in re.findall(r"{([^}]+)}", path):
            path = path.replace("{" + name + "}", values.get(name, guid(1)))
        reply = who.arm(o["method"], path, {} if o["method"] in ("PUT", "PATCH", "POST") else None)
        expected = open_ones.get(o["operation"], 403)
        assert reply.status == expected, (o, reply)
        assert expected != 403 or reply.json()["error"]["code"] == "AuthorizationFailed", (o, reply)
        asked += 1
    assert asked >= 40, asked


# ---- assignments ----

def test_assignments_end_with_their_vault_and_their_group(case):
    s = with_key(rbac_vault(case))
    who = Identity(s)
    assign(s, CRYPTO_USER, who.oid, s.vault_path, 2).expect(201)
    who.vault("GET", "/keys/key1").expect(200)
    s.e.arm("DELETE", s.vault_path, api="2023-07-01").expect(200)
    recover = {"location": "northeurope", "properties": {"tenantId": harness.TENANT, "sku": {"family": "A", "name": "standard"}, "createMode": "recover"}}
    s.e.arm("PUT", s.vault_path, recover, api="2023-07-01").expect(200)
    who.vault("GET", "/keys/key1").expect(403)  # semantics 12
    assert listed(s, s.vault_path) == []
    assign(s, CRYPTO_USER, who.oid, s.vault_path, 2).expect(201)
    who.vault("GET", "/keys/key1").expect(200)
    assign(s, READER, harness.CLIENT_OID, s.group_path, 3).expect(201)
    assert listed(s, s.group_path) == ["2", "3"]
    s.e.arm("DELETE", s.group_path, api="2021-04-01").expect(202)
    s.make_group()
    assert listed(s, s.group_path) == []


def test_lists_and_their_filters(case):
    s = rbac_vault(case)
    who = Identity(s)
    assign(s, READER, who.oid, SUBSCRIPTION, 1).expect(201)
    assign(s, READER, who.oid, s.group_path, 2).expect(201)
    assign(s, CRYPTO_USER, who.oid, s.vault_path, 3).expect(201)
    assert listed(s, s.group_path) == ["1", "2", "3", "9"]
    assert listed(s, s.group_path, "atScope()") == ["1", "2"]
    assert listed(s, s.group_path, f"principalId eq '{who.oid}'") == ["1", "2", "3"]
    assert listed(s, s.vault_path, f"atScope() and assignedTo('{harness.CLIENT_OID}')") == ["9"]
    error = assign(s, READER, who.oid, s.group_path, 4).expect(409).json()["error"]
    assert error == {"code": "RoleAssignmentExists", "message": "The role assignment already exists."}, error
    error = s.e.arm("GET", f"{s.group_path}{AUTH}/roleAssignments/{guid(5)}", api=API).expect(404).json()["error"]
    assert error["code"] == "RoleAssignmentNotFound", error
    unassign(s, s.group_path, 5).expect(204)
    assert unassign(s, s.group_path, 2).expect(200).json()["name"] == guid(2)


def test_elevated_access(case):
    s = rbac_vault(case)
    who = Identity(s)
    at_root = f"{AUTH}/roleAssignments"
    s.e.arm("GET", at_root, api=API).expect(403)
    elevate = "/providers/Microsoft.Authorization/elevateAccess"
    who.arm("POST", elevate, api="2016-07-01").expect(403)
    assert s.e.arm("POST", elevate, api="2016-07-01").expect(200).body == b""
    rows = s.e.arm("GET", at_root, api=API).expect(200).json()["value"]
    assert ["/"] == [r["properties"]["scope"] for r in rows if r["properties"]["roleDefinitionId"].endswith("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9")]


# ---- custom roles ----

def role(name, scopes, **permissions):
    return {"properties": {"roleName": name, "description": "of a test", "assignableScopes": scopes, "permissions": [permissions]}}


def test_custom_roles(case):
    s = with_key(rbac_vault(case))
    who = Identity(s)
    path = f"{SUBSCRIPTION}{AUTH}/roleDefinitions"
    mine = role("Wrapper", [s.group_path], actions=["Microsoft.KeyVault/vaults/read"],
                dataActions=["Microsoft.KeyVault/vaults/keys/*"], notDataActions=["Microsoft.KeyVault/vaults/keys/delete"])
    made = s.e.arm("PUT", f"{path}/{guid(70)}", mine, api=API).expect(201).json()
    assert made["properties"]["type"] == "CustomRole" and made["properties"]["createdBy"] is None and made["name"] == guid(70), made
    assert made["properties"]["permissions"] == [{**mine["properties"]["permissions"][0], "notActions": []}], made
    assign(s, guid(70), who.oid, s.group_path, 7).expect(201)
    who.vault("GET", "/keys/key1").expect(200)
    who.vault("DELETE", "/keys/key1").expect(403)
    who.arm("GET", s.vault_path).expect(200)
    for filter, names in (("roleName eq 'wrapper'", ["Wrapper"]), ("type eq 'CustomRole'", ["Wrapper"]), ("roleName eq 'reader'", ["Reader"])):
        query = urllib.parse.urlencode({"$filter": filter})
        value = s.e.arm("GET", f"{s.group_path}{AUTH}/roleDefinitions?{query}", api=API).expect(200).json()["value"]
        assert [v["properties"]["roleName"] for v in value] == names, (filter, value)
    rows = s.e.arm("GET", f"{s.group_path}{AUTH}/roleDefinitions", api=API).expect(200).json()["value"]
    assert rows[0]["properties"]["createdBy"] == harness.CLIENT_OID and len(rows) > 15, rows[0]
    error = s.e.arm("PUT", f"{path}/{guid(71)}", mine, api=API).expect(409).json()["error"]
    assert error["code"] == "RoleDefinitionWithSameNameExists", error
    error = s.e.arm("DELETE", f"{path}/{guid(70)}", api=API).expect(400).json()["error"]
    assert error["code"] == "RoleDefinitionHasAssignments", error
    s.e.restart(kill=True)
    who.vault("GET", "/keys/key1").expect(200)
    unassign(s, s.group_path, 7).expect(200)
    s.e.arm("DELETE", f"{path}/{guid(70)}", api=API).expect(200)
    s.e.arm("DELETE", f"{path}/{guid(70)}", api=API).expect(204)
    assert s.e.arm("GET", f"{path}/{guid(70)}", api=API).expect(404).json()["error"]["code"] == "RoleDefinitionDoesNotExist"


def test_custom_roles_that_are_refused(case):
    s = rbac_vault(case)
    path = f"{SUBSCRIPTION}{AUTH}/roleDefinitions/{guid(70)}"
    good = role("Mine", [s.group_path], actions=["*/read"])
    for change in ({"assignableScopes": []}, {"permissions": []}, {"permissions": [{}, {}]}, {"permissions": {}},
                   {"roleName": ""}, {"permissions": [{"actions": [1]}]}, {"permissions": [{"actions": "*"}]}, {"permissions": [7]}):
        s.e.arm("PUT", path, {"properties": {**good["properties"], **change}}, api=API).expect(400)
    s.e.arm("PUT", path, {}, api=API).expect(400)
    s.e.arm("PUT", path, {"properties": {**good["properties"], "assignableScopes": ["/"]}}, api=API).expect(403)
    s.e.arm("PUT", f"{SUBSCRIPTION}{AUTH}/roleDefinitions/{READER}", good, api=API).expect(400)
    s.e.arm("DELETE", f"{SUBSCRIPTION}{AUTH}/roleDefinitions/{READER}", api=API).expect(400)
    who = Identity(s)
    who.arm("PUT", path, good, api=API).expect(403)
    who.arm("DELETE", path, api=API).expect(403)
    s.e.arm("GET", path, api=API).expect(404)


# ---- grants that take their time (problem 12) ----

def test_p12_a_first_deployment_fails_on_a_grant_that_is_not_there_yet(case):
    """Role first, namespace at once: refused, as people saw it. The same call some minutes later passes."""
    s = with_key(rbac_vault(case, "--grant-delay", "300"))
    s.make_namespace()
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path).expect(201)
    refused(s.put(s.body(["key1"])), 400, "key1", s.vault)
    s.e.advance("PT4M59S")
    refused(s.put(s.body(["key1"])), 400, "key1", s.vault)
    s.e.advance("PT1S")
    s.put(s.body(["key1"])).expect(200)
    assert status(s) == ACTIVE


def test_p12_access_policies_count_at_once(case):
    s = encrypted(case, 1)
    assert status(s) == ACTIVE
    slow = case.story("--grant-delay", "86400")
    slow.make_group()
    slow.make_vault()
    slow.make_key("key1")
    slow.make_namespace()
    slow.allow(slow.principal)
    slow.put(slow.body(["key1"])).expect(200)


def test_p12_a_role_taken_away_counts_a_while_longer(case):
    s = with_key(rbac_vault(case, "--grant-delay", "420"))
    s.make_namespace()
    assign(s, CRYPTO_SERVICE_USER, s.principal, s.vault_path).expect(201)
    s.e.advance("PT10M")
    s.put(s.body(["key1"])).expect(200)
    unassign(s, s.vault_path).expect(200)
    assert "1" not in listed(s, s.vault_path)
    s.e.restart(kill=True)
    s.e.advance("PT6M59S")  # over a poll
    assert status(s) == ACTIVE
    s.e.advance("PT5M")
    assert status(s) == REVOKED
