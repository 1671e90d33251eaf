// @azure/arm-resourcesdeployments (until its version 7, @azure/arm-resources) deploys the article's templates word for word, with its
// parameter files filled in as their notes say; arm-resources, arm-keyvault and arm-servicebus do what lies between.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { CLIENT_OID, PORT, SUB, Suite, TENANT, all, require, signIn } from "./checks.mjs";

const { KeyVaultManagementClient } = require("@azure/arm-keyvault");
const { ResourceManagementClient } = require("@azure/arm-resources");
const { DeploymentsClient } = require("@azure/arm-resourcesdeployments");
const { ServiceBusManagementClient } = require("@azure/arm-servicebus");
const { KeyClient } = require("@azure/keyvault-keys");

const suite = new Suite("node deployments");
const check = (what, body) => suite.check(what, body);
const credential = signIn();
const arm = { endpoint: `https://management.localhost:${PORT}` };
const { resourceGroups, resources, tagsOperations } = new ResourceManagementClient(credential, SUB, arm);
const { deployments, deploymentOperations } = new DeploymentsClient(credential, SUB, arm);
const vaults = new KeyVaultManagementClient(credential, SUB, arm).vaults;
const bus = new ServiceBusManagementClient(credential, SUB, arm);
const poll = { updateIntervalInMs: 100 };
const group = "node-deployed", vault = "node-deploy-vault", namespace = "node-deployed-ns";
const create = "CreateServiceBusPremiumNamespace", update = "UpdateServiceBusNamespaceWithEncryption";
const names = async (list) => (await all(list)).map((one) => one.name).sort();

const read = (name) => readFileSync(new URL(`../../fixtures/article/${name}.json`, import.meta.url), "utf8");

// The deployment's properties that the article's two files make.
function article(name) {
  const filled = read(`${name}Params`).replaceAll("<ServiceBusNamespaceName>", namespace).replaceAll("<Location>", "West US")
    .replaceAll("<KeyVaultName>", vault).replaceAll("<KeyName>", "key1");
  assert.ok(!filled.includes("<"));
  return { properties: { mode: "Incremental", template: JSON.parse(read(name)), parameters: JSON.parse(filled).parameters } };
}

const template = (...list) => ({ properties: { mode: "Incremental", parameters: {}, template: {
  $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", resources: list } } });

let id;

await check("the first template: validate, beginCreateOrUpdateAndWait; its output is the namespace's id", async () => {
  await resourceGroups.createOrUpdate(group, { location: "westus" });
  const valid = await deployments.beginValidateAndWait(group, create, article(create), poll);
  assert.equal(valid.error, undefined);
  assert.equal(valid.properties.provisioningState, "Succeeded");
  assert.equal(await deployments.checkExistence(group, create).then((found) => found.body ?? found), false);
  const done = await deployments.beginCreateOrUpdateAndWait(group, create, article(create), poll);
  assert.equal(done.properties.provisioningState, "Succeeded");
  id = done.properties.outputs.serviceBusNamespaceId.value;
  const made = await bus.namespaces.get(group, namespace);
  assert.equal(made.id, id);
  assert.deepEqual([made.sku.name, made.identity.type], ["Premium", "SystemAssigned"]);
});

await check("vault, key and access policy between the two", async () => {
  const policy = (objectId, ...keys) => ({ tenantId: TENANT, objectId, permissions: { keys } });
  await vaults.createOrUpdate(group, vault, { location: "westus", properties: { tenantId: TENANT, sku: { family: "A", name: "standard" },
    enableSoftDelete: true, enablePurgeProtection: true, enableRbacAuthorization: false, accessPolicies: [policy(CLIENT_OID, "all")] } }, poll);
  await new KeyClient(`https://${vault}.vault.localhost:${PORT}`, credential).createRsaKey("key1");
  await assert.rejects(deployments.beginCreateOrUpdateAndWait(group, update, article(update), poll), { message: /key1|DeploymentFailed/ });
  const refused = (await deployments.get(group, update)).properties;
  assert.deepEqual([refused.provisioningState, refused.error.code], ["Failed", "DeploymentFailed"]);
  assert.match(refused.error.details[0].message, new RegExp(vault));
  const { identity } = await resources.getById(id, "2021-11-01");
  await vaults.updateAccessPolicy(group, vault, "add", { properties: { accessPolicies: [policy(identity.principalId, "get", "wrapKey", "unwrapKey", "list")] } });
});

await check("the second template: encrypted", async () => {
  const poller = await deployments.beginCreateOrUpdate(group, update, article(update), poll);
  assert.equal((await poller.pollUntilDone()).properties.provisioningState, "Succeeded");
  const { encryption } = await bus.namespaces.get(group, namespace);
  assert.deepEqual(encryption.keyVaultProperties.map((k) => k.keyName), ["key1"]);
});

await check("operations, list, export, delete", async () => {
  assert.deepEqual(await names(deployments.listByResourceGroup(group)), [create, update]);
  const targets = (await all(deploymentOperations.list(group, create))).map((o) => o.properties.targetResource?.id).filter(Boolean);
  assert.deepEqual(targets, [id]);
  assert.deepEqual((await deployments.exportTemplate(group, create)).template, JSON.parse(read(create)));
  await deployments.beginDeleteAndWait(group, create, poll);
  await assert.rejects(deployments.get(group, create), { statusCode: 404 });
});

await check("a template that cannot be is refused with its place; one that fails tells which resource", async () => {
  const bad = article(create);
  delete bad.properties.parameters.namespaceName;
  await assert.rejects(deployments.beginCreateOrUpdateAndWait(group, "bad", bad, poll), (e) => e.statusCode === 400 && e.code === "InvalidTemplate" &&
    /'namespaceName' at line '\d+' and column '\d+' is not provided/.test(e.message));
  await assert.rejects(deployments.get(group, "bad"), { statusCode: 404 });
});

await check("a subscription's template makes a group and, nested, what is in it", async () => {
  const { properties } = template({ type: "Microsoft.ServiceBus/namespaces", apiVersion: "2024-01-01", name: "node-nested-ns", location: "westus",
    sku: { name: "Premium" } });
  const whole = template({ type: "Microsoft.Resources/resourceGroups", apiVersion: "2022-09-01", name: "node-nested", location: "westus" },
    { type: "Microsoft.Resources/deployments", apiVersion: "2022-09-01", name: "inner", resourceGroup: "node-nested", dependsOn: ["node-nested"], properties });
  const done = await deployments.beginCreateOrUpdateAtSubscriptionScopeAndWait("whole", { location: "westus", ...whole }, poll);
  assert.equal(done.properties.provisioningState, "Succeeded");
  assert.equal((await bus.namespaces.get("node-nested", "node-nested-ns")).status, "Active");
  assert.deepEqual(await names(deployments.listAtSubscriptionScope()), ["whole"]);
});

await check("complete mode, generic resources, tags; the group takes all along", async () => {
  assert.deepEqual(await names(resources.listByResourceGroup(group)), [namespace, vault].sort());
  assert.deepEqual((await tagsOperations.createOrUpdateAtScope(id, { properties: { tags: { a: "b" } } }, poll)).properties.tags, { a: "b" });
  assert.deepEqual(await names(resources.list({ filter: "tagName eq 'a' and tagValue eq 'b'" })), [namespace]);
  const empty = template();
  empty.properties.mode = "Complete";
  await deployments.beginCreateOrUpdateAndWait("node-nested", "none", empty, poll);
  assert.deepEqual(await names(resources.listByResourceGroup("node-nested")), []);
  for (const one of [group, "node-nested"]) await resourceGroups.delete(one, poll);
  await assert.rejects(bus.namespaces.get(group, namespace), { statusCode: 404 });
});

suite.close();
