"""Every operation that reads a body, with every member of the wrong type, missing, null, too large: taken or refused in the
plane's own shape, what is refused changes nothing, and no answer tells of the machine or of the program's insides."""

import copy
import json
import os
import random
import re

import harness
import rsa
import test_hostile
from test_hostile import BUS_API, KEY_API, VAULT_API, Call, changed, places, refused, well

RESOURCES_API, ALIAS_API, ROLE_API = "2021-04-01", "2022-10-01-preview", "2022-04-01"
FEDERATED_API, INSIGHTS_API = "2023-01-31", "2021-05-01-preview"
GUID = "aaaaaaaa-2222-3333-4444-555555555555"

ODD = [None, True, False, 0, -1, 1.5, 2 ** 31, 2 ** 53 + 1, 2 ** 63, -2 ** 63 - 1, 10 ** 400, "", " ", "x", "\u2028\U0001f511", "x" * 5000, "../..",
       "%00", "'\"<>&\\", "[concat('a')]", "P1D", "-P1D", "P99999999999D", "PT0S", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
       [], {}, [[1]], [None], {"": 1}, {"a": {"b": 1}}, ["x"] * 300]
INSIDES = re.compile(rb"/tmp/|sqlite|SQLITE|\.[ch]:\d|cJSON|openssl|OpenSSL|0x7f|storage/|server/|\.db\b|platform\.key|malloc")


def template(s):
    ns = "Microsoft.ServiceBus/namespaces"
    return {"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
            "parameters": {"count": {"type": "int", "defaultValue": 2, "minValue": 1, "maxValue": 5, "metadata": {"description": "x"}},
                           "name": {"type": "string", "defaultValue": "q", "allowedValues": ["q", "r"], "minLength": 1, "maxLength": 9}},
            "variables": {"a": "[concat(parameters('name'), '-x')]", "copy": [{"name": "b", "count": 2, "input": "[copyIndex('b')]"}]},
            "functions": [{"namespace": "f", "members": {"g": {"parameters": [{"name": "p", "type": "string"}],
                                                               "output": {"type": "string", "value": "[toLower(parameters('p'))]"}}}}],
            "resources": [{"type": f"{ns}/queues", "apiVersion": "2022-10-01-preview", "condition": True,
                           "name": f"[concat('{s.namespace}/', variables('a'), copyIndex())]", "dependsOn": [],
                           "copy": {"name": "loop", "count": "[parameters('count')]", "mode": "Serial", "batchSize": 1},
                           "comments": "none", "properties": {"maxDeliveryCount": 5}}],
            "outputs": {"o": {"type": "string", "condition": True, "value": "[f.g(variables('a'))]"},
                        "p": {"type": "array", "copy": {"count": 2, "input": "[copyIndex()]"}}}}


def more_calls(s):
    e, group, ns, queue, vault = s.e, s.group_path, s.namespace_path, s.queue_path, s.vault_path
    sub = f"/subscriptions/{harness.SUB}"
    topic, identity = f"{ns}/topics/t", f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/someone"
    subscription = f"{topic}/subscriptions/s"
    auth = "/providers/Microsoft.Authorization"
    settings = {"lockDuration": "PT1M", "defaultMessageTimeToLive": "P1D", "maxDeliveryCount": 10, "autoDeleteOnIdle": "P10D",
                "requiresSession": False, "deadLetteringOnMessageExpiration": False, "status": "Active", "enableBatchedOperations": True}
    deployment = {"properties": {"mode": "Incremental", "template": template(s), "parameters": {"count": {"value": 1}},
                                 "debugSetting": {"detailLevel": "none"}, "expressionEvaluationOptions": {"scope": "inner"}}}
    deployments = f"{group}/providers/Microsoft.Resources/deployments/d"
    for path, body, api in ((identity, {"location": "northeurope"}, "2023-01-31"), (topic, {"properties": {}}, BUS_API),
                            (subscription, {"properties": {}}, BUS_API), (f"{topic}/authorizationRules/r", {"properties": {"rights": ["Send"]}}, BUS_API)):
        e.arm("PUT", path, body, api=api).expect(200, 201)
    app = e.https("POST", "graph.microsoft.com", "/v1.0/applications", {"displayName": "first"}, e.bearer("https://graph.microsoft.com")).expect(201).json()
    sp = e.https("POST", "graph.microsoft.com", "/v1.0/servicePrincipals", {"appId": app["appId"]}, e.bearer("https://graph.microsoft.com")).expect(201).json()
    user = e.https("POST", "graph.microsoft.com", "/v1.0/users",
                   {"userPrincipalName": "a@b.c", "displayName": "A", "mailNickname": "a", "accountEnabled": True,
                    "passwordProfile": {"password": "x"}}, e.bearer("https://graph.microsoft.com")).expect(201).json()
    permissions = {"keys": harness.ALL_KEY_PERMISSIONS + ["release"], "secrets": ["all"]}
    e.arm("PUT", f"{vault}/accessPolicies/add", {"properties": {"accessPolicies": [
        {"tenantId": harness.TENANT, "objectId": harness.CLIENT_OID, "permissions": permissions}]}}, api=VAULT_API).expect(200)
    e.vault("POST", s.vault, "/keys/key2/create", {"kty": "RSA"}).expect(200)
    e.vault("POST", s.vault, "/keys/ec/create", {"kty": "EC", "crv": "P-256"}).expect(200)
    value = rsa.b64url(bytes(32))
    return [
        Call(s, "arm", "POST", f"{group}/exportTemplate", {"resources": ["*"], "options": "None"}, RESOURCES_API),
        Call(s, "arm", "PATCH", identity, {"tags": {"a": "b"}}, "2023-01-31", identity),
        Call(s, "arm", "PUT", f"{identity}/federatedIdentityCredentials/fed", {"properties": {"issuer": "https://i", "subject": "s", "audiences": ["a"]}},
             FEDERATED_API, f"{identity}/federatedIdentityCredentials/fed"),
        Call(s, "arm", "PUT", f"{sub}{auth}/roleDefinitions/{GUID}",
             {"properties": {"roleName": "mine", "description": "d", "type": "CustomRole", "assignableScopes": [sub],
                             "permissions": [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}]}},
             ROLE_API, f"{sub}{auth}/roleDefinitions/{GUID}"),
        Call(s, "arm", "POST", f"{sub}/providers/Microsoft.KeyVault/checkNameAvailability",
             {"name": "some-vault", "type": "Microsoft.KeyVault/vaults"}, VAULT_API),
        Call(s, "arm", "PUT", f"{vault}/keys/key9", {"properties": {"kty": "EC", "curveName": "P-256", "keyOps": ["sign"],
                                                                     "attributes": {"enabled": True, "nbf": 1, "exp": 4102444800}}, "tags": {"a": "b"}},
             VAULT_API, f"{vault}/keys/key9"),
        Call(s, "arm", "PUT", f"{vault}/secrets/s", {"properties": {"value": "v", "contentType": "c", "attributes": {"enabled": True, "nbf": 1}},
                                                      "tags": {"a": "b"}}, VAULT_API, f"{vault}/secrets/s"),
        Call(s, "arm", "PUT", deployments, deployment, RESOURCES_API, deployments),
        Call(s, "arm", "POST", f"{deployments}/validate", deployment, RESOURCES_API, deployments),
        Call(s, "arm", "POST", f"{deployments}/whatIf", deployment, RESOURCES_API, deployments),
        Call(s, "arm", "PUT", f"{sub}/providers/Microsoft.Resources/deployments/d",
             {"location": "northeurope", "tags": {"a": "b"}, "properties": {"mode": "Incremental", "template": {
                 **template(s), "resources": [{"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2021-04-01", "name": "made",
                                               "location": "northeurope", "tags": {"a": "b"}, "properties": {}}]}}},
             RESOURCES_API, f"{sub}/providers/Microsoft.Resources/deployments/d"),
        Call(s, "arm", "PUT", f"{ns}/providers/Microsoft.Insights/diagnosticSettings/d",
             {"properties": {"workspaceId": f"{group}/providers/Microsoft.OperationalInsights/workspaces/w",
                             "logs": [{"categoryGroup": "allLogs", "enabled": True, "retentionPolicy": {"enabled": False, "days": 0}}],
                             "metrics": [{"category": "AllMetrics", "enabled": True, "timeGrain": "PT1M"}]}},
             INSIGHTS_API, f"{ns}/providers/Microsoft.Insights/diagnosticSettings/d"),
        Call(s, "arm", "POST", f"{sub}/providers/Microsoft.ServiceBus/CheckNameAvailability", {"name": "some-namespace"}, BUS_API),
        Call(s, "arm", "POST", f"{queue}/authorizationRules/both/regenerateKeys", {"keyType": "PrimaryKey", "key": "k" * 43 + "="}, BUS_API),
        Call(s, "arm", "PUT", topic, {"properties": {"defaultMessageTimeToLive": "P1D", "maxSizeInMegabytes": 1024, "supportOrdering": True,
                                                     "requiresDuplicateDetection": False, "duplicateDetectionHistoryTimeWindow": "PT10M",
                                                     "maxMessageSizeInKilobytes": 1024, "status": "Active", "autoDeleteOnIdle": "P10D"}}, BUS_API, topic),
        Call(s, "arm", "PUT", subscription, {"properties": {**settings, "forwardTo": s.queue, "forwardDeadLetteredMessagesTo": s.queue,
                                                            "deadLetteringOnFilterEvaluationExceptions": True, "isClientAffine": False,
                                                            "clientAffineProperties": {"clientId": "c", "isShared": True, "isDurable": True}}},
             BUS_API, subscription),
        Call(s, "arm", "PUT", f"{subscription}/rules/sql", {"properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "a = 1",
                                                            "requiresPreprocessing": False, "compatibilityLevel": 20},
                                                            "action": {"sqlExpression": "SET a = 2", "compatibilityLevel": 20}}},
             BUS_API, f"{subscription}/rules/sql"),
        Call(s, "arm", "PUT", f"{subscription}/rules/cor", {"properties": {"filterType": "CorrelationFilter", "correlationFilter": {
            "correlationId": "c", "messageId": "m", "to": "t", "replyTo": "r", "label": "l", "sessionId": "s", "replyToSessionId": "rs",
            "contentType": "ct", "properties": {"a": "b"}}}}, BUS_API, f"{subscription}/rules/cor"),
        Call(s, "arm", "POST", f"{ns}/disasterRecoveryConfigs/CheckNameAvailability", {"name": "some-alias"}, ALIAS_API),
        Call(s, "arm", "PUT", f"{ns}/providers/Microsoft.Resources/tags/default", {"properties": {"tags": {"a": "b"}}}, RESOURCES_API,
             f"{ns}/providers/Microsoft.Resources/tags/default"),
        Call(s, "arm", "PATCH", f"{ns}/providers/Microsoft.Resources/tags/default", {"operation": "Merge", "properties": {"tags": {"c": "d"}}},
             RESOURCES_API, f"{ns}/providers/Microsoft.Resources/tags/default"),
        Call(s, "arm", "PUT", f"{ns}/networkRuleSets/default",
             {"properties": {"defaultAction": "Allow", "publicNetworkAccess": "Enabled", "trustedServiceAccessEnabled": True,
                             "ipRules": [{"ipMask": "10.0.0.0/8", "action": "Allow"}],
                             "virtualNetworkRules": [{"subnet": {"id": f"{group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"},
                                                      "ignoreMissingVnetServiceEndpoint": True}]}}, BUS_API, f"{ns}/networkRuleSets/default"),
        Call(s, "arm", "PUT", f"{ns}/privateEndpointConnections/c",
             {"properties": {"privateEndpoint": {"id": f"{group}/providers/Microsoft.Network/privateEndpoints/p"}, "provisioningState": "Succeeded",
                             "privateLinkServiceConnectionState": {"status": "Approved", "description": "d"}}}, BUS_API,
             f"{ns}/privateEndpointConnections/c"),
        Call(s, "arm", "PUT", f"{ns}/ipfilterrules/i", {"properties": {"ipMask": "10.0.0.0/8", "action": "Accept", "filterName": "i"}},
             "2018-01-01-preview", f"{ns}/ipfilterrules/i"),
        Call(s, "arm", "PUT", f"{ns}/virtualnetworkrules/v",
             {"properties": {"virtualNetworkSubnetId": f"{group}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"}},
             "2018-01-01-preview", f"{ns}/virtualnetworkrules/v"),
        Call(s, "graph", "PATCH", f"/v1.0/users/{user['id']}", {"displayName": "B", "accountEnabled": True, "passwordProfile": {
            "password": "y", "forceChangePasswordNextSignIn": False}}, look=f"/v1.0/users/{user['id']}"),
        Call(s, "graph", "PATCH", f"/v1.0/servicePrincipals/{sp['id']}", {"accountEnabled": True, "tags": ["a"], "displayName": "first"},
             look=f"/v1.0/servicePrincipals/{sp['id']}"),
        Call(s, "graph", "POST", f"/v1.0/applications/{app['id']}/addPassword", {"passwordCredential": {
            "displayName": "p", "startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"}}),
        Call(s, "graph", "PATCH", f"/v1.0/applications/{app['id']}", {"displayName": "first", "identifierUris": ["api://x"], "signInAudience": "AzureADMyOrg",
                                                                       "tags": ["a"], "keyCredentials": []}, look=f"/v1.0/applications/{app['id']}"),
        Call(s, "graph", "POST", "/v1.0/applications", {"displayName": "more", "signInAudience": "AzureADMyOrg", "requiredResourceAccess": [],
                                                         "passwordCredentials": [], "keyCredentials": []}),
        Call(s, "graph", "POST", "/v1.0/applications/" + app["id"] + "/removePassword", {"keyId": GUID}),
        Call(s, "vault", "PUT", "/keys/key2/rotationpolicy", {
            "lifetimeActions": [{"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}},
                                {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}],
            "attributes": {"expiryTime": "P2Y"}}, KEY_API, "/keys/key2/rotationpolicy"),
        Call(s, "vault", "POST", "/keys/ec/create", {"kty": "EC", "crv": "P-384", "key_ops": ["sign", "verify"], "attributes": {"enabled": True, "exportable": False},
                                                     "tags": {"a": "b"}}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/encrypt", {"alg": "RSA-OAEP", "value": value}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/decrypt", {"alg": "RSA-OAEP", "value": rsa.b64url(bytes(256))}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/unwrapkey", {"alg": "RSA1_5", "value": rsa.b64url(bytes(256))}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/sign", {"alg": "PS256", "value": value}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/verify", {"alg": "RS256", "digest": value, "value": rsa.b64url(bytes(256))}, KEY_API),
        Call(s, "vault", "POST", "/keys/key2/release", {"target": "x.y.z", "nonce": "n", "enc": "CKM_RSA_AES_KEY_WRAP"}, KEY_API),
        Call(s, "vault", "POST", "/rng", {"count": 16}, KEY_API),
        Call(s, "vault", "POST", "/keys/restore", {"value": "AAAA"}, KEY_API, "/keys"),
        Call(s, "vault", "PUT", "/secrets/s2", {"value": "v", "contentType": "c", "tags": {"a": "b"},
                                                "attributes": {"enabled": True, "nbf": 1, "exp": 4102444800}}, KEY_API),
        Call(s, "vault", "PATCH", "/secrets/s2", {"contentType": "c", "tags": {"a": "b"}, "attributes": {"enabled": True, "nbf": 1, "exp": 4102444800}},
             KEY_API, "/secrets/s2"),
        Call(s, "vault", "POST", "/secrets/restore", {"value": "AAAA"}, KEY_API, "/secrets"),
        Call(s, "control", "POST", "/_emulator/devicecode", {"userCode": "ABCD-EFGH", "approve": True, "user": "a@b.c"}),
    ]


def variants(body):
    """(what was changed, the body): each member replaced by all that is odd, left out, doubled in a list."""
    for path, value in places(body):
        for odd in ODD:
            if odd != value or type(odd) is not type(value):
                yield (path, odd), changed(body, path, odd)
        less = copy.deepcopy(body)
        at = less
        for k in path[:-1]:
            at = at[k]
        del at[path[-1]]
        yield (path, "left out"), less
        if isinstance(value, dict) and value:
            yield (path, "one name twice in other letters"), changed(body, path, {**value, next(iter(value)).upper(): 1})


# Answered as they should be, though there is nothing that they could work on.
IDLE = {"/_emulator/devicecode": 404, "/keys/restore": 400, "/secrets/restore": 400, "/removePassword": 400, "/keys/key2/decrypt": 400,
        "/keys/key2/unwrapkey": 400, "/release": 403}


def test_every_body_with_every_member_odd(case):
    """A sample of them, other ones for each E2E_SEED; E2E_EVERY=1 takes all (some 17,000)."""
    s = test_hostile.world(case)
    test_hostile.prepared(s)
    made = more_calls(s)
    for c in made:
        c.send().expect(*[status for end, status in IDLE.items() if c.path.endswith(end)] or (200, 201, 202, 204))
    every = int(os.environ.get("E2E_EVERY", "16"))
    dice = random.Random(os.environ.get("E2E_SEED", "1"))
    problems, asked = [], 0
    for c in made:
        before = c.look()
        for what, body in variants(c.body):
            if dice.randrange(every):
                continue
            reply = c.send(json.dumps(body).encode())
            asked += 1
            if INSIDES.search(reply.body):
                problems.append((c, what, "tells of the inside", reply))
            if reply.status < 300:
                if c.look_path:
                    c.send()
                    before = c.look()
                continue
            if reply.status == 501 and what[0][-1] == "exportable":
                continue
            try:
                refused(c.plane, reply)
                assert c.look() == before, f"changed: {reply}"
            except AssertionError as error:
                problems.append((c, what, str(error)[:600]))
    well(s.e)
    assert not problems, f"{len(problems)} of {asked}:\n" + "\n".join(map(repr, problems[:40]))
    assert asked > 500, asked
