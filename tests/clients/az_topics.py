"""Azure CLI: topics, subscriptions, rules, authorization rules at each level, network rules, the geo-recovery alias."""

from az import PORT, Az
from checks import Suite
from harness import SUB

GROUP, NAMESPACE, PARTNER, ALIAS = "ContosoRG", "contoso-topics", "contoso-partner", "contoso-alias"
PARTNER_ID = f"/subscriptions/{SUB}/resourceGroups/{GROUP}/providers/Microsoft.ServiceBus/namespaces/{PARTNER}"

suite = Suite("az topics")
az = Az("topics")
within = f"--namespace-name {NAMESPACE} --resource-group {GROUP}"
topic = f"{within} --topic-name events"
subscription = f"{topic} --subscription-name audit"


def names(listed):
    return sorted(one["name"] for one in listed)


with suite.check("sign in, a group, two Premium namespaces"):
    az.register()
    az.sign_in()
    az(f"group create --name {GROUP} --location westus")
    for name, place in ((NAMESPACE, "westus"), (PARTNER, "eastus")):
        made = az(f"servicebus namespace create --name {name} --resource-group {GROUP} --location {place} --sku Premium")
        assert made["provisioningState"] == "Succeeded", made
    assert az(f"servicebus namespace exists --name {NAMESPACE}")["nameAvailable"] is False

with suite.check("topic create, show, update, list"):
    made = az(f"servicebus topic create {within} --name events --max-size 2048 --default-message-time-to-live P7D")
    assert (made["maxSizeInMegabytes"], made["defaultMessageTimeToLive"], made["status"]) == (2048, "P7D", "Active"), made
    assert az(f"servicebus topic update {within} --name events --default-message-time-to-live P1D")["defaultMessageTimeToLive"] == "P1D"
    assert az(f"servicebus topic show {within} --name events")["subscriptionCount"] == 0
    assert names(az(f"servicebus topic list {within}")) == ["events"]

with suite.check("topic subscription create, show, update, list"):
    made = az(f"servicebus topic subscription create {topic} --name audit --lock-duration PT30S --max-delivery-count 3")
    assert (made["lockDuration"], made["maxDeliveryCount"], made["requiresSession"]) == ("PT30S", 3, False), made
    assert az(f"servicebus topic subscription update {topic} --name audit --max-delivery-count 4")["maxDeliveryCount"] == 4
    assert names(az(f"servicebus topic subscription list {topic}")) == ["audit"]
    assert az(f"servicebus topic show {within} --name events")["subscriptionCount"] == 1

with suite.check("topic and subscription create with all their flags"):
    made = az(f"servicebus topic create {within} --name flags --max-size 4096 --default-message-time-to-live P2D --enable-duplicate-detection true"
              " --duplicate-detection-history-time-window PT5M --enable-ordering true --auto-delete-on-idle P10D --status Active"
              " --enable-batched-operations true")
    wanted = {"maxSizeInMegabytes": 4096, "defaultMessageTimeToLive": "P2D", "requiresDuplicateDetection": True, "supportOrdering": True,
              "duplicateDetectionHistoryTimeWindow": "PT5M", "autoDeleteOnIdle": "P10D", "status": "Active", "enableBatchedOperations": True}
    assert {name: made.get(name) for name in wanted} == wanted, made
    made = az(f"servicebus topic subscription create {within} --topic-name flags --name all --lock-duration PT1M --max-delivery-count 2"
              " --default-message-time-to-live P1D --enable-session true --dead-letter-on-filter-exceptions false"
              " --enable-dead-lettering-on-message-expiration true --enable-batched-operations false --forward-dead-lettered-messages-to events"
              " --status ReceiveDisabled --auto-delete-on-idle PT10M")
    wanted = {"lockDuration": "PT1M", "maxDeliveryCount": 2, "defaultMessageTimeToLive": "P1D", "requiresSession": True,
              "deadLetteringOnFilterEvaluationExceptions": False, "deadLetteringOnMessageExpiration": True, "enableBatchedOperations": False,
              "forwardDeadLetteredMessagesTo": "events", "status": "ReceiveDisabled", "autoDeleteOnIdle": "PT10M"}
    assert {name: made.get(name) for name in wanted} == wanted, made
    az(f"servicebus topic delete {within} --name flags")

with suite.check("topic subscription rule create (SQL and correlation), show, list, delete; a malformed filter is refused"):
    assert names(az(f"servicebus topic subscription rule list {subscription}")) == ["$Default"]
    made = az(f"servicebus topic subscription rule create {subscription} --name big --filter-type SqlFilter --filter-sql-expression",
              "quantity > 100")
    assert made["sqlFilter"]["sqlExpression"] == "quantity > 100", made
    az(f"servicebus topic subscription rule create {subscription} --name red --filter-type CorrelationFilter --label red"
       " --correlation-filter color=red")
    red = az(f"servicebus topic subscription rule show {subscription} --name red")["correlationFilter"]
    assert (red["label"], red["properties"]) == ("red", {"color": "red"}), red
    az.refused("BadRequest", f"servicebus topic subscription rule create {subscription} --name bad --filter-sql-expression", "quantity >")
    az(f"servicebus topic subscription rule delete {subscription} --name $Default")
    assert names(az(f"servicebus topic subscription rule list {subscription}")) == ["big", "red"]

with suite.check("authorization rules of the namespace and of a topic: create, list, keys, renew, delete"):
    az(f"servicebus namespace authorization-rule create {within} --name both --rights Send Listen")
    assert names(az(f"servicebus namespace authorization-rule list {within}")) == ["RootManageSharedAccessKey", "both"]
    made = az(f"servicebus topic authorization-rule create {topic} --name sender --rights Send")
    assert made["rights"] == ["Send"], made
    keys = az(f"servicebus topic authorization-rule keys list {topic} --name sender")
    assert keys["primaryConnectionString"].startswith(f"Endpoint=sb://{NAMESPACE}.servicebus.localhost:{PORT}/;"), keys
    assert keys["primaryConnectionString"].endswith(";EntityPath=events"), keys
    renewed = az(f"servicebus topic authorization-rule keys renew {topic} --name sender --key SecondaryKey")
    assert renewed["primaryKey"] == keys["primaryKey"] and renewed["secondaryKey"] != keys["secondaryKey"]
    az(f"servicebus topic authorization-rule delete {topic} --name sender")
    assert az(f"servicebus topic authorization-rule list {topic}") == []
    az(f"servicebus namespace authorization-rule delete {within} --name both")

with suite.check("namespace network-rule-set create, show, update"):
    made = az(f"servicebus namespace network-rule-set create {within} --default-action Deny --public-network-access Enabled --ip-rules",
              "[{ip-address:203.0.113.0/24,action:Allow}]")
    assert (made["defaultAction"], made["ipRules"][0]["ipMask"]) == ("Deny", "203.0.113.0/24"), made
    assert az(f"servicebus namespace network-rule-set show {within}")["defaultAction"] == "Deny"
    assert az(f"servicebus namespace network-rule-set update {within} --default-action Allow")["defaultAction"] == "Allow"

with suite.check("georecovery-alias: exists, set, show, keys; what is in the primary is in the secondary; break-pair, delete"):
    alias = f"{within} --alias {ALIAS}"
    assert az(f"servicebus georecovery-alias exists {alias}")["nameAvailable"] is True
    az(f"servicebus georecovery-alias set {alias} --partner-namespace {PARTNER_ID}")
    shown = az(f"servicebus georecovery-alias show {alias}")
    assert (shown["role"], shown["provisioningState"]) == ("Primary", "Succeeded"), shown
    assert shown["partnerNamespace"].lower() == PARTNER_ID.lower(), shown
    keys = az(f"servicebus georecovery-alias authorization-rule keys list {alias} --name RootManageSharedAccessKey")
    assert keys["aliasPrimaryConnectionString"].startswith(f"Endpoint=sb://{ALIAS}.servicebus.localhost"), keys
    assert names(az(f"servicebus topic list --namespace-name {PARTNER} --resource-group {GROUP}")) == ["events"]
    az(f"servicebus georecovery-alias break-pair {alias}")
    assert az(f"servicebus georecovery-alias show {alias}")["role"] == "PrimaryNotReplicating"
    az(f"servicebus georecovery-alias delete {alias}")
    assert az(f"servicebus georecovery-alias list {within}") == []

with suite.check("subscription, topic and group delete"):
    az(f"servicebus topic subscription delete {topic} --name audit")
    assert az(f"servicebus topic subscription list {topic}") == []
    az(f"servicebus topic delete {within} --name events")
    assert az(f"servicebus topic list {within}") == []
    az(f"group delete --name {GROUP} --yes")
    assert az(f"group exists --name {GROUP}") is False

suite.close()
