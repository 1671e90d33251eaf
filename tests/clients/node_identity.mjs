// @azure/identity: each credential that an application may use, with instance discovery off and under the name adfs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// The packages are installed away from this file.
const require = createRequire(process.env.CLIENTS_DIR + "/node/");
const { ClientCertificateCredential, ClientSecretCredential, DefaultAzureCredential, DeviceCodeCredential, ManagedIdentityCredential,
        UsernamePasswordCredential } = require("@azure/identity");

const [tenant, client, secret] = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222", "emulator-secret"];
const [user, password, az] = ["user@sealedbus.onmicrosoft.com", "emulator-password", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"];
const port = process.env.CLIENTS_PORT, control = `http://localhost:${process.env.CLIENTS_CONTROL}`;
const authorityHost = `https://login.localhost:${port}`;
const without = { authorityHost, disableInstanceDiscovery: true };
const arm = "https://management.azure.com/.default";

let passed = 0, failed = 0;
async function check(what, body) {
  const began = Date.now();
  try {
    await body();
    passed++;
    console.log(`ok     node identity: ${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (e) {
    failed++;
    console.log(`FAILED node identity: ${what}\n${e.stack}`);
  }
}

// Whose token it is, and that ARM takes it.
async function signedIn(credential, scope = arm) {
  const { token, expiresOnTimestamp } = await credential.getToken(scope);
  assert.ok(expiresOnTimestamp > Date.now());
  const answer = await fetch(`https://management.localhost:${port}/subscriptions?api-version=2022-12-01`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
}

async function post(url, body, token) {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${url}: ${answer.status}`);
  return answer.status === 204 ? undefined : answer.json();
}

await check("ClientSecretCredential, instance discovery off and under adfs", async () => {
  for (const [at, how] of [[tenant, without], ["adfs", { authorityHost }]]) {
    assert.equal((await signedIn(new ClientSecretCredential(at, client, secret, how))).appid, client);
    await assert.rejects(new ClientSecretCredential(at, client, "wrong", how).getToken(arm), /AADSTS7000215/);
  }
});

await check("ClientCertificateCredential of an application registered in Graph", async () => {
  const folder = process.env.CLIENTS_TMP, key = join(folder, "node.key"), cert = join(folder, "node.crt");
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=node", "-days", "2", "-keyout", key, "-out", cert], { stdio: "ignore" });
  const der = execFileSync("openssl", ["x509", "-in", cert, "-outform", "DER"]);
  const graph = `https://graph.localhost:${port}/v1.0`;
  const admin = (await new ClientSecretCredential(tenant, client, secret, without).getToken("https://graph.microsoft.com/.default")).token;
  const app = await post(`${graph}/applications`, { displayName: "node", keyCredentials: [
    { type: "AsymmetricX509Cert", usage: "Verify", key: der.toString("base64") }] }, admin);
  await post(`${graph}/servicePrincipals`, { appId: app.appId }, admin);
  const certificate = readFileSync(key, "utf8") + readFileSync(cert, "utf8");
  assert.equal((await signedIn(new ClientCertificateCredential(tenant, app.appId, { certificate }, without))).appid, app.appId);
  await assert.rejects(new ClientCertificateCredential(tenant, client, { certificate }, without).getToken(arm), /AADSTS700027/);
});

await check("UsernamePasswordCredential, instance discovery off and under adfs", async () => {
  for (const [at, how] of [[tenant, without], ["adfs", { authorityHost }]]) {
    assert.equal((await signedIn(new UsernamePasswordCredential(at, az, user, password, how))).upn, user);
    await assert.rejects(new UsernamePasswordCredential(at, az, user, "wrong", how).getToken(arm), /AADSTS50126/);
  }
});

await check("DeviceCodeCredential; another token without asking again", async () => {
  let asked = 0;
  const userPromptCallback = async ({ userCode }) => { asked++; await post(`${control}/_emulator/devicecode`, { userCode }); };
  const credential = new DeviceCodeCredential({ tenantId: tenant, clientId: az, userPromptCallback, ...without });
  assert.equal((await signedIn(credential)).upn, user);
  await signedIn(credential, "https://management.core.windows.net/.default");
  assert.equal(asked, 1);
});

await check("ManagedIdentityCredential of App Service and of a virtual machine; DefaultAzureCredential finds it", async () => {
  Object.assign(process.env, { IDENTITY_ENDPOINT: `${control}/msi/token`, IDENTITY_HEADER: "any" });
  assert.equal((await signedIn(new ManagedIdentityCredential())).appid, client);
  assert.equal((await signedIn(new DefaultAzureCredential())).appid, client);
  await assert.rejects(new ManagedIdentityCredential({ clientId: "99999999-9999-9999-9999-999999999999" }).getToken(arm), /Identity not found/);
  delete process.env.IDENTITY_ENDPOINT;
  delete process.env.IDENTITY_HEADER;
  process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = control;
  assert.equal((await signedIn(new ManagedIdentityCredential())).appid, client);
});

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
