"""azure-mgmt-resource, azure-mgmt-keyvault and azure-mgmt-servicebus tell the article's story on local names; operations are
waited for by each package's own pollers."""

import logging
import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.keys import KeyClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault import models as kv
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.servicebus import ServiceBusManagementClient
from azure.mgmt.servicebus import models as sb

from checks import Suite, raises
from harness import CLIENT, CLIENT_OID, SECRET, SUB, TENANT

PORT = os.environ["CLIENTS_PORT"]
GROUP, VAULT, NAMESPACE, QUEUE = "ContosoRG", "contoso-mgmt-vault", "contoso-mgmt-ns", "orders"

logging.disable()  # of the refusals that are asked for
suite = Suite("python management")
credential = ClientSecretCredential(TENANT, CLIENT, SECRET, authority=f"https://login.localhost:{PORT}",
                                    disable_instance_discovery=True)
# The pollers wait between looks as long as the answer or this says.
arm = dict(base_url=f"https://management.localhost:{PORT}", credential_scopes=["https://management.azure.com/.default"],
           polling_interval=0.2)
resources = ResourceManagementClient(credential, SUB, **arm)
vaults = KeyVaultManagementClient(credential, SUB, **arm).vaults
bus = ServiceBusManagementClient(credential, SUB, **arm)

with suite.check("resource groups: create, get, list, exists"):
    made = resources.resource_groups.create_or_update(GROUP, {"location": "westus", "tags": {"for": "clients"}})
    assert made.properties.provisioning_state == "Succeeded" and made.tags == {"for": "clients"}, made
    assert resources.resource_groups.get(GROUP).id == made.id
    assert [g.name for g in resources.resource_groups.list()] == [GROUP]
    assert resources.resource_groups.check_existence(GROUP) and not resources.resource_groups.check_existence("other")
    with raises(ResourceNotFoundError, status_code=404):
        resources.resource_groups.get("other")

with suite.check("providers are registered"):
    assert resources.providers.get("Microsoft.ServiceBus").registration_state == "Registered"
    assert resources.providers.register("Microsoft.KeyVault").registration_state == "Registered"

with suite.check("a vault with purge protection and access policies"):
    policy = kv.AccessPolicyEntry(tenant_id=TENANT, object_id=CLIENT_OID, permissions=kv.Permissions(keys_property=["all"]))
    wanted = kv.VaultCreateOrUpdateParameters(location="westus", properties=kv.VaultProperties(
        tenant_id=TENANT, sku=kv.Sku(family="A", name="standard"), access_policies=[policy],
        enable_rbac_authorization=False, enable_soft_delete=True, enable_purge_protection=True))
    vault = vaults.begin_create_or_update(GROUP, VAULT, wanted).result()
    assert vault.properties.vault_uri == f"https://{VAULT}.vault.localhost:{PORT}/", vault.properties.vault_uri
    assert vault.properties.enable_purge_protection and vault.properties.soft_delete_retention_in_days == 90
    assert [v.name for v in vaults.list_by_resource_group(GROUP)] == [VAULT] == [v.name for v in vaults.list()]

with suite.check("vault names: taken, free, refused"):
    assert vaults.check_name_availability({"name": "free-vault", "type": "Microsoft.KeyVault/vaults"}).name_available
    taken = vaults.check_name_availability({"name": VAULT, "type": "Microsoft.KeyVault/vaults"})
    assert not taken.name_available and taken.reason == "AlreadyExists", taken

with suite.check("purge protection cannot be taken back"):
    with raises(HttpResponseError, status_code=400):
        vaults.update(GROUP, VAULT, {"properties": {"enablePurgeProtection": False}})

with suite.check("keys in it"):
    keys = KeyClient(f"https://{VAULT}.vault.localhost:{PORT}", credential)
    for name in ("key1", "key2"):
        keys.create_rsa_key(name)

with suite.check("a Premium namespace with a managed identity"):
    plain = dict(location="westus", sku=sb.SBSku(name="Premium", tier="Premium", capacity=1),
                 identity=sb.Identity(type="SystemAssigned"))
    namespace = bus.namespaces.begin_create_or_update(GROUP, NAMESPACE, sb.SBNamespace(**plain)).result()
    assert namespace.properties.provisioning_state == "Succeeded" and namespace.properties.status == "Active", namespace
    assert namespace.identity.principal_id and namespace.identity.tenant_id == TENANT
    assert namespace.properties.service_bus_endpoint == f"https://{NAMESPACE}.servicebus.localhost:{PORT}/"


def encryption(*names):
    entries = [sb.KeyVaultProperties(key_name=n, key_vault_uri=f"https://{VAULT}.vault.localhost:{PORT}") for n in names]
    wanted = sb.SBNamespaceProperties(encryption=sb.Encryption(key_source="Microsoft.KeyVault", key_vault_properties=entries))
    return sb.SBNamespace(properties=wanted, **plain)


with suite.check("encryption is refused while the identity has no access, and nothing is changed"):
    with raises(HttpResponseError, status_code=400):
        bus.namespaces.begin_create_or_update(GROUP, NAMESPACE, encryption("key1")).result()
    assert bus.namespaces.get(GROUP, NAMESPACE).properties.encryption is None

with suite.check("access for the identity"):
    entry = kv.AccessPolicyEntry(tenant_id=TENANT, object_id=namespace.identity.principal_id,
                                 permissions=kv.Permissions(keys_property=["get", "wrapKey", "unwrapKey", "list"]))
    parameters = kv.VaultAccessPolicyParameters(properties=kv.VaultAccessPolicyProperties(access_policies=[entry]))
    merged = vaults.update_access_policy(GROUP, VAULT, "add", parameters)
    assert {p.object_id for p in merged.properties.access_policies} == {CLIENT_OID, namespace.identity.principal_id}

with suite.check("encryption with two keys; one is taken from the list again"):
    for names in (["key1", "key2"], ["key2"]):
        shown = bus.namespaces.begin_create_or_update(GROUP, NAMESPACE, encryption(*names)).result().properties.encryption
        assert shown.key_source == "Microsoft.KeyVault" and shown.require_infrastructure_encryption is False
        assert [k.key_name for k in shown.key_vault_properties] == names, shown

with suite.check("an update of tags alone keeps the encryption"):
    updated = bus.namespaces.update(GROUP, NAMESPACE, {"tags": {"a": "b"}})
    assert updated.tags == {"a": "b"} and updated.properties.encryption.key_vault_properties[0].key_name == "key2", updated

with suite.check("namespaces are listed, names are checked"):
    assert [n.name for n in bus.namespaces.list_by_resource_group(GROUP)] == [NAMESPACE]
    assert [n.name for n in bus.namespaces.list()] == [NAMESPACE]
    assert bus.namespaces.check_name_availability({"name": "free-namespace"}).name_available
    assert bus.namespaces.check_name_availability({"name": NAMESPACE}).reason == "NameInUse"

with suite.check("queues: create, get, list, delete"):
    queue = bus.queues.create_or_update(GROUP, NAMESPACE, QUEUE, {"properties": {"maxDeliveryCount": 5}})
    assert queue.properties.max_delivery_count == 5 and queue.properties.status == "Active", queue
    assert str(queue.properties.lock_duration) == "0:01:00", queue.properties.lock_duration
    assert bus.queues.get(GROUP, NAMESPACE, QUEUE).properties.count_details.active_message_count == 0
    bus.queues.create_or_update(GROUP, NAMESPACE, "second", {})
    assert [q.name for q in bus.queues.list_by_namespace(GROUP, NAMESPACE)] == [QUEUE, "second"]
    bus.queues.delete(GROUP, NAMESPACE, "second")
    assert [q.name for q in bus.queues.list_by_namespace(GROUP, NAMESPACE)] == [QUEUE]

with suite.check("authorization rules: list, create, keys, a new key, delete"):
    rules = bus.namespaces.list_authorization_rules(GROUP, NAMESPACE)
    assert [r.name for r in rules] == ["RootManageSharedAccessKey"]
    root = bus.namespaces.list_keys(GROUP, NAMESPACE, "RootManageSharedAccessKey")
    assert f"Endpoint=sb://{NAMESPACE}.servicebus.localhost" in root.primary_connection_string, root.primary_connection_string
    rule = bus.namespaces.create_or_update_authorization_rule(GROUP, NAMESPACE, "sender", {"properties": {"rights": ["Send"]}})
    assert rule.properties.rights == ["Send"]
    before = bus.namespaces.list_keys(GROUP, NAMESPACE, "sender")
    after = bus.namespaces.regenerate_keys(GROUP, NAMESPACE, "sender", {"keyType": "PrimaryKey"})
    assert after.primary_key != before.primary_key and after.secondary_key == before.secondary_key
    bus.namespaces.delete_authorization_rule(GROUP, NAMESPACE, "sender")
    bus.queues.create_or_update_authorization_rule(GROUP, NAMESPACE, QUEUE, "listener", {"properties": {"rights": ["Listen"]}})
    assert bus.queues.list_keys(GROUP, NAMESPACE, QUEUE, "listener").primary_key

with suite.check("delete the namespace: the poller waits until it is gone"):
    bus.namespaces.begin_delete(GROUP, NAMESPACE).result()
    with raises(ResourceNotFoundError, status_code=404):
        bus.namespaces.get(GROUP, NAMESPACE)

with suite.check("delete the vault: it is kept, and cannot be purged; it comes back with createMode recover"):
    vaults.delete(GROUP, VAULT)
    with raises(ResourceNotFoundError, status_code=404):
        vaults.get(GROUP, VAULT)
    deleted = vaults.get_deleted(VAULT, "westus")
    assert deleted.properties.purge_protection_enabled and [d.name for d in vaults.list_deleted()] == [VAULT]
    try:
        vaults.begin_purge_deleted(VAULT, "westus").result()
    except HttpResponseError as e:
        assert 400 <= e.status_code < 500, e
    else:
        raise AssertionError("a vault with purge protection was purged")
    recover = kv.VaultCreateOrUpdateParameters(location="westus", properties=kv.VaultProperties(
        tenant_id=TENANT, sku=kv.Sku(family="A", name="standard"), create_mode="recover"))
    vaults.begin_create_or_update(GROUP, VAULT, recover).result()
    assert keys.get_key("key1").name == "key1"

with suite.check("a vault without purge protection is purged by the poller"):
    wanted.properties.enable_purge_protection = None
    vaults.begin_create_or_update(GROUP, "short-lived-vault", wanted).result()
    vaults.delete(GROUP, "short-lived-vault")
    vaults.begin_purge_deleted("short-lived-vault", "westus").result()
    with raises(ResourceNotFoundError, status_code=404):
        vaults.get_deleted("short-lived-vault", "westus")

with suite.check("delete the group with all that is in it"):
    resources.resource_groups.begin_delete(GROUP).result()
    assert not resources.resource_groups.check_existence(GROUP)
    with raises(ResourceNotFoundError, status_code=404):
        vaults.get(GROUP, VAULT)

suite.close()
