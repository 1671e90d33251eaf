// @azure/identity and @azure/keyvault-keys, as an application uses them: the challenge of the vault is verified, the long-running
// operations are waited for by the SDK's own pollers.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { PORT, Suite, all, require, signIn } from "./checks.mjs";

const { CryptographyClient, KeyClient } = require("@azure/keyvault-keys");

const suite = new Suite("node keys");
const check = (what, body) => suite.check(what, body);
const vault = `https://clientsvault.vault.localhost:${PORT}`;
const poll = { intervalInMs: 100 };

const credential = signIn();
const keys = new KeyClient(vault, credential);
const keyText = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const digest = createHash("sha256").update("one hundred secret teapots").digest();
let first, second, wrapped;

await check("a wrong secret is refused by the sign-in, in its words", async () => {
  await assert.rejects(new KeyClient(vault, signIn("wrong")).getKey("any"), /AADSTS7000215/);
});

await check("create RSA and EC keys", async () => {
  first = await keys.createRsaKey("rsa", { keySize: 2048, tags: { purpose: "clients" } });
  assert.equal(first.keyType, "RSA");
  assert.equal(first.id, `${vault}/keys/rsa/${first.properties.version}`);
  assert.deepEqual(first.properties.tags, { purpose: "clients" });
  assert.equal(first.key.n.length, 256);
  assert.equal((await keys.createEcKey("ec", { curve: "P-256" })).key.crv, "P-256");
});

await check("a key with dates is refused by the client before its time", async () => {
  const start = new Date("2030-01-01T00:00:00Z");
  const later = await keys.createRsaKey("later", { notBefore: start, expiresOn: new Date("2031-01-01T00:00:00Z") });
  assert.deepEqual(later.properties.notBefore, start);
  await assert.rejects(new CryptographyClient(later, credential).wrapKey("RSA-OAEP-256", keyText), /can't be used before/);
});

await check("rotate makes a new version, which is the newest; both are listed", async () => {
  second = await keys.rotateKey("rsa");
  assert.notEqual(second.properties.version, first.properties.version);
  assert.equal((await keys.getKey("rsa")).id, second.id);
  const versions = (await all(keys.listPropertiesOfKeyVersions("rsa"))).map((v) => v.version);
  assert.deepEqual(versions.sort(), [first, second].map((k) => k.properties.version).sort());
});

await check("list keys over several pages", async () => {
  const pages = await all(keys.listPropertiesOfKeys().byPage({ maxPageSize: 2 }));
  assert.deepEqual(pages.map((p) => p.length), [2, 1]);
  assert.deepEqual(pages.flat().map((k) => k.name).sort(), ["ec", "later", "rsa"]);
});

await check("wrap and unwrap, by the version that wrapped", async () => {
  const old = new CryptographyClient(first.id, credential);
  wrapped = (await old.wrapKey("RSA-OAEP-256", keyText)).result;
  assert.deepEqual(Buffer.from((await old.unwrapKey("RSA-OAEP-256", wrapped)).result), keyText);
  await assert.rejects(new CryptographyClient(second.id, credential).unwrapKey("RSA-OAEP-256", wrapped), { statusCode: 400 });
});

await check("sign and verify, RSA and EC", async () => {
  for (const [name, alg] of [["rsa", "RS256"], ["rsa", "PS256"], ["ec", "ES256"]]) {
    const crypto = new CryptographyClient(await keys.getKey(name), credential);
    const signature = (await crypto.sign(alg, digest)).result;
    assert.equal((await crypto.verify(alg, digest, signature)).result, true);
  }
});

await check("update: disable and enable", async () => {
  assert.equal((await keys.updateKeyProperties("rsa", first.properties.version, { enabled: false })).properties.enabled, false);
  await assert.rejects(new CryptographyClient(first.id, credential).unwrapKey("RSA-OAEP-256", wrapped), { statusCode: 403 });
  assert.equal((await keys.updateKeyProperties("rsa", first.properties.version, { enabled: true })).properties.enabled, true);
});

await check("soft delete with the SDK's poller", async () => {
  const poller = await keys.beginDeleteKey("rsa", poll);
  const deleted = await poller.pollUntilDone();
  assert.equal(deleted.properties.recoveryId, `${vault}/deletedkeys/rsa`);
  assert.ok(deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn);
  assert.deepEqual((await all(keys.listDeletedKeys())).map((k) => k.name), ["rsa"]);
  await assert.rejects(keys.getKey("rsa"), { statusCode: 404, code: "KeyNotFound" });
});

await check("recover with the SDK's poller: the same versions are back", async () => {
  const poller = await keys.beginRecoverDeletedKey("rsa", poll);
  assert.equal((await poller.pollUntilDone()).id, second.id);
  const unwrapped = (await new CryptographyClient(first.id, credential).unwrapKey("RSA-OAEP-256", wrapped)).result;
  assert.deepEqual(Buffer.from(unwrapped), keyText);
});

await check("purge", async () => {
  await (await keys.beginDeleteKey("ec", poll)).pollUntilDone();
  await keys.purgeDeletedKey("ec");
  await assert.rejects(keys.getDeletedKey("ec"), { statusCode: 404 });
});

await check("more keys than a page of the service holds: 25 and the rest, each once", async () => {
  const names = Array.from({ length: 28 }, (_, i) => `many-${String(i).padStart(2, "0")}`);
  await Promise.all(names.map((name) => keys.createEcKey(name, { curve: "P-256" })));
  const pages = await all(keys.listPropertiesOfKeys().byPage());
  assert.deepEqual(pages.map((p) => p.length), [25, names.length + 2 - 25]);
  assert.deepEqual(pages.flat().map((k) => k.name).sort(), ["later", "rsa", ...names].sort());
});

await check("backup; restore after a purge brings back every version under its id", async () => {
  const blob = await keys.backupKey("rsa");
  await assert.rejects(keys.restoreKeyBackup(blob), { statusCode: 409 });
  await (await keys.beginDeleteKey("rsa", poll)).pollUntilDone();
  await keys.purgeDeletedKey("rsa");
  assert.equal((await keys.restoreKeyBackup(blob)).id, second.id);
  const versions = (await all(keys.listPropertiesOfKeyVersions("rsa"))).map((v) => v.version);
  assert.deepEqual(versions.sort(), [first, second].map((k) => k.properties.version).sort());
  const unwrapped = (await new CryptographyClient(first.id, credential).unwrapKey("RSA-OAEP-256", wrapped)).result;
  assert.deepEqual(Buffer.from(unwrapped), keyText);
  await assert.rejects(keys.restoreKeyBackup(Buffer.from("no backup of anything")), { statusCode: 400 });
});

await check("rotation policy: the default, one of one's own, which stamps the next version", async () => {
  assert.equal((await keys.getKeyRotationPolicy("rsa")).expiresIn, undefined);
  const actions = [{ action: "Rotate", timeAfterCreate: "P30D" }, { action: "Notify", timeBeforeExpiry: "P7D" }];
  const put = await keys.updateKeyRotationPolicy("rsa", { expiresIn: "P90D", lifetimeActions: actions });
  assert.equal(put.id, `${vault}/keys/rsa/rotationpolicy`);
  const got = await keys.getKeyRotationPolicy("rsa");
  assert.equal(got.expiresIn, "P90D");
  assert.deepEqual(got.lifetimeActions.map((a) => [a.action, a.timeAfterCreate, a.timeBeforeExpiry]).sort(),
    [["Notify", undefined, "P7D"], ["Rotate", "P30D", undefined]]);
  const { createdOn, expiresOn } = (await keys.rotateKey("rsa")).properties;
  assert.equal(expiresOn - createdOn, 90 * 86_400_000);
});

suite.close();
