// @azure/arm-resources, arm-keyvault and arm-servicebus tell the article's story; each operation is
// waited for by its package's own poller.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { CLIENT_OID, PORT, SUB, Suite, TENANT, all, require, signIn } from "./checks.mjs";

const { KeyVaultManagementClient } = require("@azure/arm-keyvault");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { ServiceBusManagementClient } = require("@azure/arm-servicebus");
const { KeyClient } = require("@azure/keyvault-keys");

const suite = new Suite("node management");
const check = (what, body) => suite.check(what, body);
const credential = signIn();
const arm = { endpoint: `https://management.localhost:${PORT}` };
const resources = new ResourceManagementClient(credential, SUB, arm);
const vaults = new KeyVaultManagementClient(credential, SUB, arm).vaults;
const bus = new ServiceBusManagementClient(credential, SUB, arm);
const group = "node-group", vault = "node-mgmt-vault", namespace = "node-mgmt-ns", region = "westus";
const vaultUri = `https://${vault}.vault.localhost:${PORT}`;
const poll = { updateIntervalInMs: 100 };
const gone = { statusCode: 404 };
const names = async (list) => (await all(list)).map((one) => one.name);

await check("a resource group: create, get, list, exists", async () => {
  const made = await resources.resourceGroups.createOrUpdate(group, { location: region, tags: { for: "clients" } });
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.equal((await resources.resourceGroups.get(group)).id, made.id);
  assert.deepEqual(await names(resources.resourceGroups.list()), [group]);
  await assert.rejects(resources.resourceGroups.get("other"), gone);
});

await check("a vault with purge protection, and a key in it", async () => {
  const permissions = { keys: ["all"] };
  const made = await vaults.createOrUpdate(group, vault, { location: region, properties: {
    tenantId: TENANT, sku: { family: "A", name: "standard" }, enablePurgeProtection: true, enableRbacAuthorization: false,
    accessPolicies: [{ tenantId: TENANT, objectId: CLIENT_OID, permissions }] } }, poll);
  assert.equal(made.properties.vaultUri, `${vaultUri}/`);
  assert.deepEqual(await names(vaults.listByResourceGroup(group)), [vault]);
  assert.equal((await vaults.checkNameAvailability({ name: vault, type: "Microsoft.KeyVault/vaults" })).reason, "AlreadyExists");
  await assert.rejects(vaults.update(group, vault, { properties: { enablePurgeProtection: false } }), { statusCode: 400 });
  for (const name of ["key1", "key2"]) await new KeyClient(vaultUri, credential).createRsaKey(name);
});

const premium = { location: region, sku: { name: "Premium", tier: "Premium", capacity: 1 }, identity: { type: "SystemAssigned" } };
const encryption = (...keys) => ({ keySource: "Microsoft.KeyVault", keyVaultProperties: keys.map((keyName) => ({ keyName, keyVaultUri: vaultUri })) });

await check("a Premium namespace; its identity gets access; two keys encrypt it, then one of them", async () => {
  const made = await bus.namespaces.beginCreateOrUpdateAndWait(group, namespace, premium, poll);
  assert.deepEqual([made.provisioningState, made.status, made.encryption], ["Succeeded", "Active", undefined]);
  await assert.rejects(bus.namespaces.beginCreateOrUpdateAndWait(group, namespace, { ...premium, encryption: encryption("key1") }, poll),
    { statusCode: 400 });
  const accessPolicies = [{ tenantId: TENANT, objectId: made.identity.principalId, permissions: { keys: ["get", "wrapKey", "unwrapKey", "list"] } }];
  await vaults.updateAccessPolicy(group, vault, "add", { properties: { accessPolicies } });
  for (const keys of [["key1", "key2"], ["key2"]]) {
    const shown = await bus.namespaces.beginCreateOrUpdateAndWait(group, namespace, { ...premium, encryption: encryption(...keys) }, poll);
    assert.deepEqual(shown.encryption.keyVaultProperties.map((k) => k.keyName), keys);
  }
});

await check("an update of tags alone keeps the encryption; list, name check", async () => {
  const updated = await bus.namespaces.update(group, namespace, { location: region, tags: { a: "b" } });
  assert.deepEqual([updated.tags, updated.encryption.keyVaultProperties[0].keyName], [{ a: "b" }, "key2"]);
  assert.deepEqual(await names(bus.namespaces.list()), [namespace]);
  assert.equal((await bus.namespaces.checkNameAvailability({ name: namespace })).reason, "NameInUse");
});

await check("queue: create, get, list, delete; its authorization rule and keys", async () => {
  const queue = await bus.queues.createOrUpdate(group, namespace, "orders", { maxDeliveryCount: 5, lockDuration: "PT30S" });
  assert.deepEqual([queue.maxDeliveryCount, queue.lockDuration, queue.status], [5, "PT30S", "Active"]);
  await bus.queues.createOrUpdate(group, namespace, "second", {});
  await bus.queues.delete(group, namespace, "second");
  assert.deepEqual(await names(bus.queues.listByNamespace(group, namespace)), ["orders"]);
  await bus.queues.createOrUpdateAuthorizationRule(group, namespace, "orders", "listener", { rights: ["Listen"] });
  assert.match((await bus.queues.listKeys(group, namespace, "orders", "listener")).primaryConnectionString, /;EntityPath=orders$/);
});

await check("topic, subscription, rules", async () => {
  const topic = await bus.topics.createOrUpdate(group, namespace, "events", { defaultMessageTimeToLive: "P7D" });
  assert.deepEqual([topic.defaultMessageTimeToLive, topic.subscriptionCount], ["P7D", 0]);
  const subscription = await bus.subscriptions.createOrUpdate(group, namespace, "events", "audit", { maxDeliveryCount: 3, requiresSession: false });
  assert.equal(subscription.maxDeliveryCount, 3);
  assert.deepEqual(await names(bus.rules.listBySubscriptions(group, namespace, "events", "audit")), ["$Default"]);
  const rule = await bus.rules.createOrUpdate(group, namespace, "events", "audit", "big", {
    filterType: "SqlFilter", sqlFilter: { sqlExpression: "quantity > 100" } });
  assert.equal(rule.sqlFilter.sqlExpression, "quantity > 100");
  await bus.rules.createOrUpdate(group, namespace, "events", "audit", "red", {
    filterType: "CorrelationFilter", correlationFilter: { label: "red", properties: { color: "red" } } });
  assert.equal((await bus.rules.get(group, namespace, "events", "audit", "red")).correlationFilter.label, "red");
  await assert.rejects(bus.rules.createOrUpdate(group, namespace, "events", "audit", "bad", {
    filterType: "SqlFilter", sqlFilter: { sqlExpression: "quantity >" } }), { statusCode: 400 });
  assert.equal((await bus.topics.get(group, namespace, "events")).subscriptionCount, 1);
  await bus.subscriptions.delete(group, namespace, "events", "audit");
  await bus.topics.delete(group, namespace, "events");
  assert.deepEqual(await names(bus.topics.listByNamespace(group, namespace)), []);
});

await check("network rules, private link resources", async () => {
  const rules = await bus.namespaces.createOrUpdateNetworkRuleSet(group, namespace, {
    defaultAction: "Deny", ipRules: [{ ipMask: "203.0.113.0/24", action: "Allow" }] });
  assert.deepEqual([rules.defaultAction, rules.ipRules[0].ipMask], ["Deny", "203.0.113.0/24"]);
  assert.equal((await bus.namespaces.getNetworkRuleSet(group, namespace)).defaultAction, "Deny");
  assert.equal((await bus.privateLinkResources.get(group, namespace)).value[0].groupId, "namespace");
});

await check("delete the namespace, the vault and the group; each is waited for", async () => {
  await bus.namespaces.beginDeleteAndWait(group, namespace, poll);
  await assert.rejects(bus.namespaces.get(group, namespace), gone);
  await vaults.delete(group, vault);
  assert.deepEqual(await names(vaults.listDeleted()), [vault]);
  const short = `short-${randomUUID().slice(0, 8)}`;
  await vaults.createOrUpdate(group, short, { location: region, properties: { tenantId: TENANT, sku: { family: "A", name: "standard" },
    accessPolicies: [] } }, poll);
  await vaults.delete(group, short);
  await vaults.purgeDeleted(short, region, poll);
  await assert.rejects(vaults.getDeleted(short, region), gone);
  await resources.resourceGroups.delete(group, poll);
  await assert.rejects(resources.resourceGroups.get(group), gone);
});

suite.close();
