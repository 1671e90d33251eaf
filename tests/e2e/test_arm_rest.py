"""The smaller resources of Microsoft.ServiceBus: network rules, private endpoint connections, filter rules of 2018, migration,
geo-replication's failover, operations and regions; what each api-version shows of a namespace."""

import urllib.parse

import harness
from test_encryption import refused

API = "2022-10-01-preview"
VERSIONS = ["2017-04-01", "2018-01-01-preview", "2021-01-01-preview", "2021-06-01-preview", "2021-11-01", "2022-01-01-preview",
            "2022-10-01-preview", "2023-01-01-preview", "2024-01-01", "2025-05-01-preview", "2026-01-01"]
SINCE = {"zoneRedundant": "2018", "encryption": "2018", "disableLocalAuth": "2021-06", "minimumTlsVersion": "2022-01",
         "publicNetworkAccess": "2022-01", "premiumMessagingPartitions": "2022-10", "platformCapabilities": "2025-05", "ipAddressType": "2026"}


def up(case, sku="Premium"):
    s = case.story()
    s.make_group()
    s.put(s.body(sku=sku)).expect(200, 201)
    return s


def arm(s, method, path, body=None, api=API):
    return s.e.arm(method, f"{s.namespace_path}/{path}", body, api=api)


def test_each_version_shows_its_own_properties(case):
    s = case.story()
    s.make_group()
    s.make_vault()
    s.make_key("key1")
    s.make_namespace()
    s.allow()
    body = s.body(["key1"])
    body["properties"].update(ipAddressType="DualStack", platformCapabilities={"confidentialCompute": {"mode": "Disabled"}})
    s.put(body, api="2026-01-01").expect(200)
    for api in VERSIONS:
        shown = s.e.arm("GET", s.namespace_path, api=api).expect(200).json()
        for name, since in SINCE.items():
            assert (name in shown["properties"]) == (api >= since), (api, name, shown)
        assert ("identity" in shown) == (api >= "2018"), (api, shown)
        assert ("geoDataReplication" in shown["properties"]) == (api.startswith("2023") or api >= "2025"), api
        assert ("requireInfrastructureEncryption" in shown["properties"].get("encryption", {})) == (api >= "2021"), api
    bad = s.body(["key1"])
    bad["properties"]["ipAddressType"] = "IPv7"
    refused(s.put(bad, api="2026-01-01"), 400, "IPv7")


def test_network_rule_set(case):
    s = up(case)
    fresh = arm(s, "GET", "networkRuleSets/default").expect(200).json()
    assert fresh["properties"] == {"publicNetworkAccess": "Enabled", "defaultAction": "Allow", "virtualNetworkRules": [], "ipRules": [],
                                   "trustedServiceAccessEnabled": False}, fresh
    subnet = f"{s.group_path}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    wanted = {"publicNetworkAccess": "Disabled", "defaultAction": "Deny", "trustedServiceAccessEnabled": True,
              "virtualNetworkRules": [{"subnet": {"id": subnet}, "ignoreMissingVnetServiceEndpoint": True}],
              "ipRules": [{"ipMask": "10.1.0.0/16", "action": "Allow"}, {"ipMask": "1.2.3.4"}]}
    put = arm(s, "PUT", "networkRuleSets/default", {"properties": wanted}).expect(200).json()
    wanted["ipRules"][1]["action"] = "Allow"
    assert put["properties"] == wanted and put["type"] == "Microsoft.ServiceBus/Namespaces/NetworkRuleSets", put
    s.e.restart(kill=True)
    assert arm(s, "GET", "networkRuleSets").expect(200).json()["value"][0]["properties"] == wanted
    assert s.get_namespace()["properties"]["publicNetworkAccess"] == "Disabled"
    for bad in ({"defaultAction": "Maybe"}, {"ipRules": [{"ipMask": "300.1.1.1"}]}, {"ipRules": [{"ipMask": "1.2.3.4/33"}]},
                {"ipRules": [{}]}, {"virtualNetworkRules": [{}]}, {"ipRules": {}}, {"publicNetworkAccess": "No"}):
        arm(s, "PUT", "networkRuleSets/default", {"properties": bad}).expect(400)
    assert arm(s, "GET", "networkRuleSets/default").json()["properties"] == wanted


def test_private_endpoint_connections(case):
    s = up(case)
    link = arm(s, "GET", "privateLinkResources").expect(200).json()["value"][0]
    assert link["properties"] == {"groupId": "namespace", "requiredMembers": ["namespace"],
                                  "requiredZoneNames": ["privatelink.servicebus.windows.net"]}
    endpoint = f"{s.group_path}/providers/Microsoft.Network/privateEndpoints/pe"
    body = {"properties": {"privateEndpoint": {"id": endpoint}, "privateLinkServiceConnectionState": {"status": "Approved", "description": "ok"}}}
    arm(s, "GET", "privateEndpointConnections/one").expect(404)
    put = arm(s, "PUT", "privateEndpointConnections/one", body).expect(202)
    operation = urllib.parse.urlsplit(put.headers["Azure-AsyncOperation"])
    assert operation.scheme == "https" and operation.netloc, operation
    done = s.e.https("GET", harness.ARM, f"{operation.path}?{operation.query}", None, s.e.bearer("https://management.azure.com")).expect(200)
    assert done.json()["status"] == "Succeeded"
    shown = arm(s, "GET", "privateEndpointConnections/one").expect(200).json()["properties"]
    assert shown == {"provisioningState": "Succeeded", **body["properties"], "groupIds": ["namespace"]}, shown
    assert [c["name"] for c in arm(s, "GET", "privateEndpointConnections").expect(200).json()["value"]] == ["one"]
    arm(s, "DELETE", "privateEndpointConnections/one").expect(202)
    arm(s, "DELETE", "privateEndpointConnections/one").expect(204)
    arm(s, "PUT", "privateEndpointConnections/one", {"properties": {"privateLinkServiceConnectionState": {"status": "x"}}}).expect(400)


def test_rules_of_2018(case):
    s = up(case)
    old = "2018-01-01-preview"
    rule = arm(s, "PUT", "ipfilterrules/a", {"properties": {"ipMask": "10.0.0.0/8", "action": "Reject"}}, old).expect(200).json()
    assert rule["properties"] == {"ipMask": "10.0.0.0/8", "action": "Reject", "filterName": "a"}, rule
    assert [r["name"] for r in arm(s, "GET", "ipfilterrules", api=old).expect(200).json()["value"]] == ["a"]
    arm(s, "PUT", "ipfilterrules/b", {"properties": {"ipMask": "x"}}, old).expect(400)
    arm(s, "DELETE", "ipfilterrules/a", api=old).expect(200)
    arm(s, "GET", "ipfilterrules/a", api=old).expect(404)
    arm(s, "PUT", "virtualnetworkrules/v", {"properties": {"virtualNetworkSubnetId": "/subnets/s"}}, old).expect(200)
    assert arm(s, "GET", "virtualnetworkrules/v", api=old).expect(200).json()["properties"] == {"virtualNetworkSubnetId": "/subnets/s"}


def test_migration_copies_into_the_premium_namespace(case):
    s = up(case, "Standard")
    target = harness.Story(s.e, namespace="premiumnsname")
    target.put(target.body()).expect(201)
    arm(s, "PUT", "queues/q", {"properties": {"maxDeliveryCount": 4}}).expect(200)
    arm(s, "PUT", "topics/t", {}).expect(200)
    arm(s, "PUT", "topics/t/subscriptions/s", {"properties": {"forwardTo": "q"}}).expect(200)
    arm(s, "PUT", "AuthorizationRules/mine", {"properties": {"rights": ["Send"]}}).expect(200)
    arm(s, "GET", "migrationConfigurations/$default").expect(404)
    body = {"properties": {"targetNamespace": target.namespace_path, "postMigrationName": "standard-after"}}
    made = arm(s, "PUT", "migrationConfigurations/%24default", body).expect(200).json()
    assert made == {"id": f"{s.namespace_path}/migrationConfigurations/$default", "name": "storyns",
                    "type": "Microsoft.ServiceBus/Namespaces/migrationconfigurations",
                    "properties": {"provisioningState": "Succeeded", **body["properties"], "pendingReplicationOperationsCount": 0,
                                   "migrationState": "Active"}}, made
    queue = arm(target, "GET", "queues/q").expect(200).json()["properties"]
    assert (queue["maxDeliveryCount"], queue["maxMessageSizeInKilobytes"]) == (4, 1024)
    assert arm(target, "GET", "topics/t/subscriptions/s").expect(200).json()["properties"]["forwardTo"] == "q"
    arm(target, "GET", "AuthorizationRules/mine").expect(200)
    refused(arm(s, "PUT", "migrationConfigurations/$default", body), 400, "must be empty")
    arm(s, "POST", "migrationConfigurations/$default/upgrade").expect(200)
    assert "pendingReplicationOperationsCount" not in arm(s, "GET", "migrationConfigurations/$default").json()["properties"]
    arm(s, "POST", "migrationConfigurations/$default/revert").expect(200)
    arm(s, "GET", "migrationConfigurations/$default").expect(404)
    arm(s, "DELETE", "migrationConfigurations/$default").expect(204)
    refused(arm(target, "PUT", "migrationConfigurations/$default", body), 400, "'premiumnsname' is of the 'Premium' tier")


def test_failover_of_a_replicated_namespace(case):
    s = case.story()
    s.make_group()
    body = s.body()
    body["properties"]["geoDataReplication"] = {"locations": [{"locationName": "northeurope", "roleType": "Primary"},
                                                             {"locationName": "westeurope", "roleType": "Secondary"}]}
    s.put(body, api="2026-01-01").expect(201)
    refused(arm(s, "POST", "failover", {"properties": {"primaryLocation": "eastus"}}, "2026-01-01"), 400, "not replicated to 'eastus'")
    gone = arm(s, "POST", "failover", {"properties": {"primaryLocation": "westeurope"}}, "2026-01-01").expect(202)
    operation = urllib.parse.urlsplit(gone.headers["Azure-AsyncOperation"])
    done = s.e.https("GET", harness.ARM, f"{operation.path}?{operation.query}", None, s.e.bearer("https://management.azure.com")).expect(200)
    assert done.json()["status"] == "Succeeded"
    locations = s.e.arm("GET", s.namespace_path, api="2026-01-01").json()["properties"]["geoDataReplication"]["locations"]
    assert [(p["locationName"], p["roleType"]) for p in locations] == [("northeurope", "Secondary"), ("westeurope", "Primary")], locations


def test_what_the_provider_tells_of_itself(case):
    s = up(case)
    names = {o["name"] for o in s.e.arm("GET", "/providers/Microsoft.ServiceBus/operations", api=API).expect(200).json()["value"]}
    assert "Microsoft.ServiceBus/namespaces/write" in names
    for path in ("premiumMessagingRegions", "sku/Premium/regions"):
        regions = s.e.arm("GET", f"/subscriptions/{harness.SUB}/providers/Microsoft.ServiceBus/{path}", api="2017-04-01").expect(200).json()
        assert any(r["properties"]["code"] == "North Europe" for r in regions["value"]), regions
    assert arm(s, "GET", "eventhubs", api="2017-04-01").expect(200).json() == {"value": []}
