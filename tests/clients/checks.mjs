// Named checks, one after another, as checks.py has them; and what every Node.js suite signs in with.
import { createRequire } from "node:module";

// The packages are installed away from these files.
export const require = createRequire(process.env.CLIENTS_DIR + "/node/");
const { ClientSecretCredential } = require("@azure/identity");

export const TENANT = "11111111-1111-1111-1111-111111111111", SUB = "00000000-0000-0000-0000-000000000000";
export const CLIENT = "22222222-2222-2222-2222-222222222222", CLIENT_OID = "33333333-3333-3333-3333-333333333333";
export const PORT = process.env.CLIENTS_PORT;

export function signIn(secret = "emulator-secret") {
  return new ClientSecretCredential(TENANT, CLIENT, secret, {
    authorityHost: `https://login.localhost:${PORT}`, disableInstanceDiscovery: true,
  });
}

// All that an SDK's asynchronous iterator gives.
export async function all(iterator) {
  const found = [];
  for await (const one of iterator) found.push(one);
  return found;
}

export class Suite {
  passed = 0;
  failed = 0;

  constructor(name) {
    this.name = name;
  }

  // The body is the check; what it throws is shown and the suite goes on.
  async check(what, body) {
    const began = Date.now();
    try {
      await body();
      this.passed++;
      console.log(`ok     ${this.name}: ${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (e) {
      this.failed++;
      console.log(`FAILED ${this.name}: ${what}\n${e.stack}`);
    }
  }

  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed || !this.passed ? 1 : 0;
  }
}
