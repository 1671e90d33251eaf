"""azure-mgmt-resource-deployments deploys the article's templates word for word, with its parameter files filled in as their notes say;
azure-mgmt-servicebus then makes topics, subscriptions, rules, network rules, a geo-recovery alias and a migration."""

import json
import logging
import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.servicebus import ServiceBusManagementClient

from checks import Suite, raises
from harness import CLIENT, CLIENT_OID, ROOT, SECRET, SUB, TENANT

PORT = os.environ["CLIENTS_PORT"]
GROUP, VAULT, NAMESPACE = "PythonRG", "python-deploy-vault", "python-deployed-ns"
CREATE, UPDATE = "CreateServiceBusPremiumNamespace", "UpdateServiceBusNamespaceWithEncryption"

logging.disable()  # of the refusals that are asked for
suite = Suite("python deployments")
credential = ClientSecretCredential(TENANT, CLIENT, SECRET, authority=f"https://login.localhost:{PORT}", disable_instance_discovery=True)
arm = dict(base_url=f"https://management.localhost:{PORT}", credential_scopes=["https://management.azure.com/.default"], polling_interval=0.2)
resources = ResourceManagementClient(credential, SUB, **arm)
client = DeploymentsMgmtClient(credential, SUB, **arm)
deployments = client.deployments
vaults = KeyVaultManagementClient(credential, SUB, **arm).vaults
bus = ServiceBusManagementClient(credential, SUB, **arm)


def read(name):
    with open(os.path.join(ROOT, "fixtures", "article", f"{name}.json")) as f:
        return f.read()


def article(name):
    text = read(f"{name}Params")
    for placeholder, value in (("ServiceBusNamespaceName", NAMESPACE), ("Location", "West US"), ("KeyVaultName", VAULT), ("KeyName", "key1")):
        text = text.replace(f"<{placeholder}>", value)
    assert "<" not in text, text
    return {"properties": {"mode": "Incremental", "template": json.loads(read(name)), "parameters": json.loads(text)["parameters"]}}


def names(listed):
    return sorted(one.name for one in listed)


def premium(name, sku="Premium", **more):
    return bus.namespaces.begin_create_or_update(GROUP, name, {"location": "westus", "sku": {"name": sku, "tier": sku}, **more}).result()


with suite.check("the first template: validated, deployed; its output is the namespace's id"):
    resources.resource_groups.create_or_update(GROUP, {"location": "westus"})
    valid = deployments.begin_validate(GROUP, CREATE, article(CREATE)).result()
    assert valid.error is None and valid.properties.provisioning_state == "Succeeded", valid
    assert not deployments.check_existence(GROUP, CREATE)
    done = deployments.begin_create_or_update(GROUP, CREATE, article(CREATE)).result()
    made = bus.namespaces.get(GROUP, NAMESPACE)
    assert done.properties.outputs["serviceBusNamespaceId"]["value"] == made.id, done.properties.outputs
    assert made.sku.name == "Premium" and made.identity.type == "SystemAssigned", made

with suite.check("vault, key and access policy; the second template is refused before, and encrypts after"):
    def policy(object_id, *keys):
        return {"tenantId": TENANT, "objectId": object_id, "permissions": {"keys": list(keys)}}

    properties = {"tenantId": TENANT, "sku": {"family": "A", "name": "standard"}, "enableSoftDelete": True, "enablePurgeProtection": True,
                  "enableRbacAuthorization": False, "accessPolicies": [policy(CLIENT_OID, "all")]}
    vaults.begin_create_or_update(GROUP, VAULT, {"location": "westus", "properties": properties}).result()
    KeyClient(f"https://{VAULT}.vault.localhost:{PORT}", credential).create_rsa_key("key1")
    with raises(HttpResponseError):
        deployments.begin_create_or_update(GROUP, UPDATE, article(UPDATE)).result()
    error = deployments.get(GROUP, UPDATE).properties.error
    assert error.code == "DeploymentFailed" and VAULT in error.details[0].message, error
    vaults.update_access_policy(GROUP, VAULT, "add", {"properties": {"accessPolicies": [
        policy(made.identity.principal_id, "get", "wrapKey", "unwrapKey", "list")]}})
    assert deployments.begin_create_or_update(GROUP, UPDATE, article(UPDATE)).result().properties.provisioning_state == "Succeeded"
    assert [k.key_name for k in bus.namespaces.get(GROUP, NAMESPACE).properties.encryption.key_vault_properties] == ["key1"]

with suite.check("operations, list, export, delete; a template that cannot be"):
    assert names(deployments.list_by_resource_group(GROUP)) == [CREATE, UPDATE]
    assert made.id in [o.properties.target_resource.id for o in client.deployment_operations.list(GROUP, CREATE) if o.properties.target_resource]
    assert deployments.export_template(GROUP, CREATE).template == json.loads(read(CREATE))
    deployments.begin_delete(GROUP, CREATE).result()
    with raises(ResourceNotFoundError, status_code=404):
        deployments.get(GROUP, CREATE)
    bad = article(CREATE)
    del bad["properties"]["parameters"]["namespaceName"]
    with raises(HttpResponseError, status_code=400):
        deployments.begin_create_or_update(GROUP, "bad", bad).result()

with suite.check("topics, subscriptions, rules, their authorization rules"):
    topic = bus.topics.create_or_update(GROUP, NAMESPACE, "events", {"properties": {"defaultMessageTimeToLive": "P7D"}})
    assert topic.properties.default_message_time_to_live.days == 7 and topic.properties.subscription_count == 0, topic
    within = (GROUP, NAMESPACE, "events")
    assert bus.subscriptions.create_or_update(*within, "audit", {"properties": {"maxDeliveryCount": 3}}).properties.max_delivery_count == 3
    assert names(bus.rules.list_by_subscriptions(*within, "audit")) == ["$Default"]
    sql = {"properties": {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "quantity > 100"}}}
    assert bus.rules.create_or_update(*within, "audit", "big", sql).properties.sql_filter.sql_expression == "quantity > 100"
    sql["properties"]["sqlFilter"]["sqlExpression"] = "quantity >"
    with raises(HttpResponseError, status_code=400):
        bus.rules.create_or_update(*within, "audit", "bad", sql)
    bus.rules.delete(*within, "audit", "$Default")
    assert names(bus.rules.list_by_subscriptions(*within, "audit")) == ["big"]
    bus.topics.create_or_update_authorization_rule(*within, "sender", {"properties": {"rights": ["Send"]}})
    assert bus.topics.list_keys(*within, "sender").primary_connection_string.endswith(";EntityPath=events")
    assert names(bus.subscriptions.list_by_topic(*within)) == ["audit"] and names(bus.topics.list_by_namespace(GROUP, NAMESPACE)) == ["events"]
    bus.subscriptions.delete(*within, "audit")
    bus.topics.delete(*within)

with suite.check("network rules, private link resources"):
    rules = {"properties": {"defaultAction": "Deny", "ipRules": [{"ipMask": "203.0.113.0/24", "action": "Allow"}]}}
    assert bus.namespaces.create_or_update_network_rule_set(GROUP, NAMESPACE, rules).properties.default_action == "Deny"
    assert bus.namespaces.get_network_rule_set(GROUP, NAMESPACE).properties.ip_rules[0].ip_mask == "203.0.113.0/24"
    assert [r.group_id for r in bus.private_link_resources.get(GROUP, NAMESPACE).value] == ["namespace"]

with suite.check("geo-recovery alias: pair, break, pair, fail over"):
    premium("python-first-ns")
    second = premium("python-second-ns", location="eastus")
    configs, alias = bus.disaster_recovery_configs, (GROUP, "python-first-ns", "python-alias")
    for how in ("break", "fail over"):
        assert configs.check_name_availability(GROUP, "python-first-ns", {"name": "python-alias"}).name_available
        configs.create_or_update(*alias, {"properties": {"partnerNamespace": second.id}})
        shown = configs.get(*alias).properties
        assert (shown.role, shown.provisioning_state) == ("Primary", "Succeeded"), shown
        if how == "break":
            configs.break_pairing(*alias)
            assert configs.get(*alias).properties.role == "PrimaryNotReplicating"
            configs.delete(*alias)
        else:
            configs.fail_over(GROUP, "python-second-ns", "python-alias")
            assert configs.get(GROUP, "python-second-ns", "python-alias").properties.role == "PrimaryNotReplicating"

with suite.check("migration from Standard to Premium, waited for"):
    premium("python-standard-ns", sku="Standard")
    bus.queues.create_or_update(GROUP, "python-standard-ns", "orders", {})
    target = premium("python-target-ns")
    migration = bus.migration_configs.begin_create_and_start_migration(GROUP, "python-standard-ns", "$default", {
        "properties": {"targetNamespace": target.id, "postMigrationName": "python-before"}}).result()
    assert migration.properties.provisioning_state == "Succeeded", migration
    assert names(bus.queues.list_by_namespace(GROUP, "python-target-ns")) == ["orders"]
    bus.migration_configs.complete_migration(GROUP, "python-standard-ns", "$default")

with suite.check("a subscription's template; generic resources; the group takes all along"):
    inner = {"type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner", "resourceGroup": GROUP,
             "properties": {**article(CREATE)["properties"], "expressionEvaluationOptions": {"scope": "inner"}}}
    whole = {"location": "westus", "properties": {"mode": "Incremental", "template": {"$schema": "s", "contentVersion": "1.0.0.0", "resources": [inner]}}}
    try:
        deployments.begin_create_or_update_at_subscription_scope("whole", whole).result()
    except HttpResponseError as e:  # by now that namespace is encrypted
        assert "Encryption properties are missing" in str(deployments.get(GROUP, "inner").properties.error.details), e
    else:
        raise AssertionError("the first template took the encryption away")
    inner["properties"]["parameters"]["namespaceName"]["value"] = "python-nested-ns"
    assert deployments.begin_create_or_update_at_subscription_scope("whole", whole).result().properties.provisioning_state == "Succeeded"
    listed = resources.resources.list_by_resource_group(GROUP, filter="resourceType eq 'Microsoft.ServiceBus/namespaces'")
    assert "python-nested-ns" in names(listed)
    assert resources.resources.get_by_id(made.id, api_version="2021-11-01").identity.principal_id == made.identity.principal_id
    resources.resource_groups.begin_delete(GROUP).result()
    assert names(bus.namespaces.list()) == []

suite.close()
