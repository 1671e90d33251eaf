"""The activity log: who changed what over ARM, what failed and why; over restarts, in pages, for those who may see it."""

import json
import urllib.parse

import harness

GROUP = f"/subscriptions/{harness.SUB}/resourceGroups/rg"
VALUES = f"/subscriptions/{harness.SUB}/providers/Microsoft.Insights/eventtypes/management/values"
SINCE = "eventTimestamp ge '2025-12-31T00:00:00Z'"


def listed(e, filter=SINCE, headers=None):
    query = urllib.parse.urlencode({"$filter": filter}, quote_via=urllib.parse.quote)
    return e.arm("GET", f"{VALUES}?{query}", api="2015-04-01", headers=headers).expect(200).json()


def short(events):
    return [(x["operationName"]["value"], x["status"]["value"], x["subStatus"]["value"]) for x in events]


def test_each_write_is_noted(case):
    s = case.story()
    s.make_group()
    s.make_namespace()
    e, ns = s.e, s.namespace_path
    marks = {"x-ms-correlation-request-id": "aaaaaaaa-1111-2222-3333-444444444444", "x-ms-client-request-id": "mine"}
    reply = e.arm("PUT", f"{ns}/queues/orders", {}, headers=marks).expect(200)
    assert reply.headers["x-ms-correlation-request-id"] == marks["x-ms-correlation-request-id"], reply.headers
    assert reply.headers["x-ms-client-request-id"] == "mine" and reply.headers["x-ms-request-id"]
    e.arm("POST", f"{ns}/AuthorizationRules/RootManageSharedAccessKey/listKeys").expect(200)
    e.arm("GET", ns).expect(200)
    e.arm("PUT", f"{ns}/queues/orders", "{").expect(400)
    e.arm("PUT", f"{GROUP}/providers/Microsoft.KeyVault/vaults/1bad", {"location": "westus", "properties": {}}, api="2023-07-01").expect(400)
    e.arm("DELETE", f"{ns}/queues/orders").expect(200)
    events = listed(e)["value"]
    bus = "Microsoft.ServiceBus/namespaces"
    assert short(events) == [(f"{bus}/queues/delete", "Succeeded", "OK"), ("Microsoft.KeyVault/vaults/write", "Failed", "BadRequest"),
                             (f"{bus}/queues/write", "Failed", "BadRequest"),
                             (f"{bus}/AuthorizationRules/listKeys/action", "Succeeded", "OK"), (f"{bus}/queues/write", "Succeeded", "OK"),
                             (f"{bus}/write", "Succeeded", events[5]["subStatus"]["value"]),
                             ("Microsoft.Resources/subscriptions/resourceGroups/write", "Succeeded", "Created")], short(events)
    made = events[4]
    assert (made["correlationId"], made["httpRequest"]["clientRequestId"]) == (marks["x-ms-correlation-request-id"], "mine"), made
    assert made["caller"] == harness.CLIENT_OID and made["resourceId"] == f"{ns}/queues/orders" and made["resourceGroupName"] == "rg", made
    assert made["resourceProviderName"]["value"] == "Microsoft.ServiceBus" and made["resourceType"]["value"] == f"{bus}/queues", made
    assert events[3]["resourceId"].endswith("/RootManageSharedAccessKey") and events[3]["resourceType"]["value"] == f"{bus}/AuthorizationRules"
    failed = events[1]
    assert failed["level"] == "Error" and "VaultNameNotValid" in failed["properties"]["statusMessage"], failed
    e.restart()
    assert listed(e)["value"] == events
    for narrower, n in ((f"{SINCE} and resourceGroupName eq 'RG'", 7), (f"{SINCE} and resourceGroupName eq 'other'", 0),
                        (f"{SINCE} and resourceUri eq '{ns}/queues/orders'", 3), (f"{SINCE} and resourceProvider eq 'Microsoft.KeyVault'", 1),
                        (f"{SINCE} and correlationId eq '{marks['x-ms-correlation-request-id']}'", 1),
                        (f"{SINCE} and eventTimestamp le '2025-12-31T23:59:59Z'", 0), (f"{SINCE} and caller eq 'nobody'", 0),
                        ("eventTimestamp ge 2026-01-01T00:00:00Z and eventChannels eq 'Admin, Operation'", 7),
                        ("eventTimestamp ge 2025-12-31T18:41:29.432727 and eventTimestamp le 2026-01-01T00:00:00.5", 7),
                        ("eventTimestamp ge '2026-01-02T00:00:00Z'", 0)):
        assert len(listed(e, narrower)["value"]) == n, narrower
    e.control("POST", "/_emulator/reset").expect(204)
    assert listed(e)["value"] == []


def test_pages_and_age(case):
    e = case.emulator()
    for i in range(205):
        e.arm("PUT", f"/subscriptions/{harness.SUB}/resourceGroups/g{i}", {"location": "westus"}, api="2021-04-01").expect(201)
    first = listed(e)
    assert len(first["value"]) == 200 and first["value"][0]["resourceGroupName"] == "g204"
    path = first["nextLink"].partition(harness.ARM)[2].partition("/")[2]
    rest = e.https("GET", harness.ARM, "/" + path, None, e.bearer("https://management.azure.com")).expect(200).json()
    assert [x["resourceGroupName"] for x in rest["value"]] == ["g4", "g3", "g2", "g1", "g0"] and "nextLink" not in rest
    e.advance("P91D")
    assert listed(e)["value"] == []


def test_who_may_see_it(case):
    e = case.emulator()
    e.arm("PUT", GROUP, {"location": "westus"}, api="2021-04-01").expect(201)
    e.arm("PUT", GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader", {"location": "westus"}, api="2023-01-31").expect(201)
    who = e.arm("GET", GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reader", api="2023-01-31").json()["properties"]
    token = e.control("GET", f"/metadata/identity/oauth2/token?resource=https://management.azure.com&client_id={who['clientId']}",
                      headers={"Metadata": "true"}).expect(200).json()["access_token"]
    other = {"Authorization": "Bearer " + token}
    e.arm("PUT", GROUP, {"location": "westus"}, api="2021-04-01", headers=other).expect(403)
    path = f"{VALUES}?%24filter=" + urllib.parse.quote(SINCE)
    e.arm("GET", path, api="2015-04-01", headers=other).expect(403)
    refused = [x for x in listed(e)["value"] if x["caller"] == who["principalId"]]
    assert short(refused) == [("Microsoft.Resources/subscriptions/resourceGroups/write", "Failed", "Forbidden")], refused
    for bad in ("", "x", "eventTimestamp", "eventTimestamp ge", "eventTimestamp ge 'x'", "eventTimestamp eq '2026-01-01T00:00:00Z'", f"{SINCE} and",
                f"{SINCE} or caller eq 'x'", f"{SINCE} and colour eq 'red'", f"{SINCE} and caller eq 'x", "caller eq 'x'", f"{SINCE} and caller ge 'x'"):
        query = urllib.parse.urlencode({"$filter": bad}, quote_via=urllib.parse.quote)
        e.arm("GET", f"{VALUES}?{query}", api="2015-04-01").expect(400)


def test_a_deployment_keeps_what_a_refusal_quotes(case):
    """A provider's refusal quotes the value of a secure parameter, whole or cut: neither the deployment nor the log tells it."""
    s = case.story()
    s.make_group()
    s.make_namespace()
    e, name = s.e, s.namespace_path.rsplit("/", 1)[1]
    for secret in ("Hunter2-very-secret", "Sphinx-of-black-quartz-" + "judge-my-vow-" * 200):
        template = {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
                    "parameters": {"pw": {"type": "securestring"}},
                    "resources": [{"type": "Microsoft.ServiceBus/namespaces/queues", "apiVersion": "2021-11-01", "name": f"{name}/q",
                                   "properties": {"lockDuration": "[parameters('pw')]"}}]}
        body = {"properties": {"mode": "Incremental", "template": template, "parameters": {"pw": {"value": secret}}}}
        deployment = f"{GROUP}/providers/Microsoft.Resources/deployments/quoting"
        e.arm("PUT", deployment, body, api="2021-04-01").expect(200, 201)
        shown = e.arm("GET", deployment, api="2021-04-01").expect(200)
        assert shown.json()["properties"]["provisioningState"] == "Failed" and b"lockDuration" in shown.body, shown
        operations = e.arm("GET", f"{deployment}/operations", api="2021-04-01").expect(200).body
        events = listed(e)["value"]
        refused = [x for x in events if x["operationName"]["value"] == "Microsoft.ServiceBus/namespaces/queues/write"]
        assert refused[0]["level"] == "Error" and "lockDuration" in refused[0]["properties"]["statusMessage"], refused
        for body in (shown.body, operations, json.dumps(events).encode()):
            assert secret[:8].encode() not in body, body
