// @azure/keyvault-secrets: an app that keeps its connection string in the vault.
import assert from "node:assert/strict";
import { PORT, Suite, all, require, signIn } from "./checks.mjs";

const { SecretClient } = require("@azure/keyvault-secrets");

const suite = new Suite("node secrets");
const vault = `https://clientsvault.vault.localhost:${PORT}`;
const secrets = new SecretClient(vault, signIn());
const value = "Endpoint=sb://orders.servicebus.localhost/;SharedAccessKeyName=a;SharedAccessKey=b=";
const poll = { intervalInMs: 100 };
let first, second;

await suite.check("set and get, with its type and tags", async () => {
  first = await secrets.setSecret("connection", value, { contentType: "text/plain", tags: { app: "orders" } });
  const got = await secrets.getSecret("connection");
  assert.deepEqual([got.value, got.properties.id, got.properties.contentType], [value, first.properties.id, "text/plain"]);
  assert.deepEqual(got.properties.tags, { app: "orders" });
});

await suite.check("a second version is the newest; both are listed, neither with its value", async () => {
  second = await secrets.setSecret("connection", "changed");
  assert.equal((await secrets.getSecret("connection")).value, "changed");
  assert.equal((await secrets.getSecret("connection", { version: first.properties.version })).value, value);
  const versions = await all(secrets.listPropertiesOfSecretVersions("connection"));
  assert.deepEqual(versions.map((v) => v.version).sort(), [first, second].map((s) => s.properties.version).sort());
  assert.ok(!JSON.stringify(versions).includes("changed"));
});

await suite.check("a disabled secret is not read", async () => {
  await secrets.updateSecretProperties("connection", second.properties.version, { enabled: false });
  await assert.rejects(secrets.getSecret("connection"), { statusCode: 403 });
  await secrets.updateSecretProperties("connection", second.properties.version, { enabled: true });
  assert.equal((await secrets.getSecret("connection")).value, "changed");
});

await suite.check("list over pages", async () => {
  for (const name of ["b", "c"]) await secrets.setSecret(name, name);
  const pages = await all(secrets.listPropertiesOfSecrets().byPage({ maxPageSize: 2 }));
  assert.deepEqual(pages.map((p) => p.length), [2, 1]);
  assert.deepEqual(pages.flat().map((s) => s.name).sort(), ["b", "c", "connection"]);
});

await suite.check("delete, recover and purge with the SDK's pollers", async () => {
  const deleted = await (await secrets.beginDeleteSecret("connection", poll)).pollUntilDone();
  assert.equal(deleted.properties.recoveryId, `${vault}/deletedsecrets/connection`);
  await assert.rejects(secrets.getSecret("connection"), { statusCode: 404, code: "SecretNotFound" });
  await (await secrets.beginRecoverDeletedSecret("connection", poll)).pollUntilDone();
  assert.equal((await secrets.getSecret("connection")).value, "changed");
  await (await secrets.beginDeleteSecret("b", poll)).pollUntilDone();
  await secrets.purgeDeletedSecret("b");
  await assert.rejects(secrets.getDeletedSecret("b"), { statusCode: 404 });
});

suite.close();
