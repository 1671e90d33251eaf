"""Azure CLI: what a namespace has besides entities: network rules, private endpoints, replicas, the alias's fail-over, migration from
Standard to Premium."""

from az import Az
from checks import Suite
from harness import SUB

GROUP, NAMESPACE, PARTNER, STANDARD, TARGET = "ContosoRG", "contoso-premium", "contoso-second", "contoso-standard", "contoso-target"
IDS = f"/subscriptions/{SUB}/resourceGroups/{GROUP}/providers"
SUBNET = f"{IDS}/Microsoft.Network/virtualNetworks/net/subnets/default"

suite = Suite("az premium")
az = Az("premium")
within = f"--namespace-name {NAMESPACE} --resource-group {GROUP}"


def create(name, *flags, sku="Premium"):
    made = az(f"servicebus namespace create --name {name} --resource-group {GROUP} --sku {sku}", *flags)
    assert (made["provisioningState"], made["status"]) == ("Succeeded", "Active"), made
    return made


def names(listed):
    return sorted(one["name"] for one in listed)


with suite.check("sign in, a group; servicebus namespace create with the flags that it has"):
    az.register()
    az.sign_in()
    az(f"group create --name {GROUP} --location westus")
    made = create(NAMESPACE, "--location", "westus", "--capacity", "4", "--premium-messaging-partitions", "2", "--minimum-tls-version", "1.2",
                  "--disable-local-auth", "false", "--public-network-access", "Enabled", "--tags", "a=b", "c=d")
    assert (made["sku"]["capacity"], made["premiumMessagingPartitions"], made["minimumTlsVersion"]) == (4, 2, "1.2"), made
    assert (made["publicNetworkAccess"], made["disableLocalAuth"], made["tags"]) == ("Enabled", False, {"a": "b", "c": "d"}), made
    updated = az(f"servicebus namespace update --name {NAMESPACE} --resource-group {GROUP} --disable-local-auth true --tags e=f")
    assert (updated["disableLocalAuth"], updated["tags"]["e"], updated["premiumMessagingPartitions"]) == (True, "f", 2), updated
    az.refused("ResourceGroupNotFound", "servicebus namespace create --name contoso-nowhere --resource-group nogroup --location westus")

with suite.check("namespace network-rule-set: ip-rule and virtual-network-rule add, list, remove"):
    rules = "servicebus namespace network-rule-set"
    added = az(f"{rules} ip-rule add {within} --ip-rule ip-address=203.0.113.7 action=Allow --ip-rule ip-address=198.51.100.0/24")
    assert [r["ipMask"] for r in added["ipRules"]] == ["203.0.113.7", "198.51.100.0/24"], added
    added = az(f"{rules} virtual-network-rule add {within} --subnet id={SUBNET} ignore-missing-endpoint=true")
    assert [r["subnet"]["id"] for r in added["virtualNetworkRules"]] == [SUBNET] and len(added["ipRules"]) == 2, added
    left = az(f"{rules} ip-rule remove {within} --ip-rule ip-address=203.0.113.7")
    assert [r["ipMask"] for r in left["ipRules"]] == ["198.51.100.0/24"] and len(left["virtualNetworkRules"]) == 1, left
    assert az(f"{rules} virtual-network-rule remove {within} --subnet id={SUBNET}")["virtualNetworkRules"] == []
    az(f"{rules} update {within} --enable-trusted-service-access true --public-network-access Disabled")
    shown, = az(f"{rules} list {within}")
    assert (shown["trustedServiceAccessEnabled"], shown["publicNetworkAccess"]) == (True, "Disabled"), shown

with suite.check("namespace private-link-resource show, private-endpoint-connection list"):
    assert [r["groupId"] for r in az(f"servicebus namespace private-link-resource show {within}")] == ["namespace"]
    assert az(f"servicebus namespace private-endpoint-connection list {within}") == []

with suite.check("georecovery-alias fail-over: the alias is the other namespace's then"):
    partner = create(PARTNER, "--location", "eastus")
    az(f"servicebus queue create {within} --name orders")
    az(f"servicebus georecovery-alias create {within} --alias contoso-name --partner-namespace {partner['id']}")
    second = f"--namespace-name {PARTNER} --resource-group {GROUP} --alias contoso-name"
    assert az(f"servicebus georecovery-alias show {second}")["role"] == "Secondary"
    assert [a["name"] for a in az(f"servicebus georecovery-alias list {within}")] == ["contoso-name"]
    assert names(az(f"servicebus georecovery-alias authorization-rule list {within} --alias contoso-name")) == ["RootManageSharedAccessKey"]
    az(f"servicebus georecovery-alias fail-over {second}")
    assert az(f"servicebus georecovery-alias show {second}")["role"] == "PrimaryNotReplicating"
    assert az(f"servicebus georecovery-alias list {within}") == []
    assert names(az(f"servicebus queue list --namespace-name {PARTNER} --resource-group {GROUP}")) == ["orders"]
    az(f"servicebus georecovery-alias delete {second}")

with suite.check("namespace create with replicas, replica remove and add, failover"):
    def roles():
        locations = az(f"servicebus namespace show --name contoso-replicated --resource-group {GROUP}")["geoDataReplication"]["locations"]
        return {one["locationName"]: one["roleType"] for one in locations}

    replicated = "--namespace-name contoso-replicated --resource-group " + GROUP
    secondary = "--geo-data-replication-config role-type=Secondary location-name=eastus"
    create("contoso-replicated", "--location", "westus", "--geo-data-replication-config", "role-type=Primary", "location-name=westus",
           *secondary.split(), "--max-replication-lag-duration-in-seconds", "300")
    assert roles() == {"westus": "Primary", "eastus": "Secondary"}
    az(f"servicebus namespace replica remove {replicated} {secondary}")
    assert roles() == {"westus": "Primary"}
    az(f"servicebus namespace replica add {replicated} {secondary}")
    az(f"servicebus namespace failover {replicated} --primary-location eastus --force true")
    assert roles() == {"westus": "Secondary", "eastus": "Primary"}

with suite.check("migration start, show, complete, abort"):
    create(STANDARD, sku="Standard")
    target, empty = create(TARGET), create("contoso-empty")
    az(f"servicebus queue create --namespace-name {STANDARD} --resource-group {GROUP} --name orders --max-size 1024")
    az(f"servicebus topic create --namespace-name {STANDARD} --resource-group {GROUP} --name events")
    source = f"--name {STANDARD} --resource-group {GROUP}"
    started = az(f"servicebus migration start {source} --target-namespace {target['id']} --post-migration-name contoso-before")
    assert started["targetNamespace"].lower() == target["id"].lower() and started["postMigrationName"] == "contoso-before", started
    shown = az(f"servicebus migration show {source}")
    assert shown["provisioningState"] == "Succeeded", shown
    assert names(az(f"servicebus queue list --namespace-name {TARGET} --resource-group {GROUP}")) == ["orders"]
    az(f"servicebus migration abort {source}")
    az.refused("ResourceNotFound", f"servicebus migration show {source}")
    az(f"servicebus migration start {source} --target-namespace {empty['id']} --post-migration-name contoso-before")
    az(f"servicebus migration complete {source}")
    assert names(az(f"servicebus topic list --namespace-name contoso-empty --resource-group {GROUP}")) == ["events"]

with suite.check("group delete takes all along"):
    az(f"group delete --name {GROUP} --yes")
    assert az("servicebus namespace list") == []

suite.close()
