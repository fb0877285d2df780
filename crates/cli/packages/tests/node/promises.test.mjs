// What the package promises about tokens: where they go, and where they never appear.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify, inspect } from "node:util";

import { authFetch, credential, LlmAuthError, NotSignedIn, token, UsageError } from "llm-auth-cli";

import { recorder, simulated } from "./simulated.mjs";

/** A session whose API is a recorder: any server of one's own may name one. */
async function session(t) {
  const kit = await simulated(t);
  const [api, other] = [await recorder(t), await recorder(t)];
  const client = ["--issuer", `${kit.url}/standard`, "--client-id", "testkit-client"];
  await kit.signIn("oidc", ...client, "--api-base", `${api.url}/v1`, "--name", "mine");
  const old = await token("mine");
  return { kit, api, other, old, fetch: authFetch("mine") };
}

const post = { method: "POST", body: "body", headers: { "x-api-key": "made-up-placeholder" } };

test("the token and no other key goes to the API", async (t) => {
  const { api, fetch, old } = await session(t);
  assert.equal((await fetch(`${api.url}/v1/chat`, post)).status, 200);
  const request = new Request(`${api.url}/v1/chat`, post);
  assert.equal((await fetch(request)).status, 200);
  for (const seen of api.seen) {
    assert.equal(seen.authorization, `Bearer ${old}`);
    assert.equal(seen["x-api-key"], undefined);
  }
  assert.deepEqual(api.bodies, ["body", "body"]);
});

test("the token goes to no other origin", async (t) => {
  const { other, fetch } = await session(t);
  await fetch(`${other.url}/v1/chat`, post);
  await fetch(`${other.url.replace("127.0.0.1", "localhost")}/v1/chat`, post).catch(() => {});
  for (const seen of other.seen) {
    assert.equal(seen.authorization, undefined);
    assert.equal(seen["x-api-key"], "made-up-placeholder");
  }
  assert.ok(other.seen.length > 0);
});

test("the token does not follow a redirect to another origin", async (t) => {
  const { api, other, fetch, old } = await session(t);
  api.redirect = other.url;
  other.accepts = "Bearer of another";
  assert.equal((await fetch(api.url, post)).status, 401);
  assert.equal(other.seen.length, 1);
  assert.equal(other.seen[0].authorization, undefined);
  assert.equal(await token("mine"), old, "the 401 of another server refuses no token");
});

test("a refused token is replaced, and the request repeated once", async (t) => {
  const { kit, api, fetch } = await session(t);
  api.accepts = "Bearer nothing";
  assert.equal((await fetch(api.url, post)).status, 401);
  assert.equal(api.seen.length, 2);
  assert.notEqual(api.seen[0].authorization, api.seen[1].authorization);
  assert.equal((await kit.counters("standard")).refreshes, 1);
  assert.deepEqual(api.bodies, ["body", "body"]);
});

test("a body that can be read once is sent once", async (t) => {
  const { kit, api, fetch } = await session(t);
  api.accepts = "Bearer nothing";
  const stream = new Blob(["body"]).stream();
  await fetch(api.url, { method: "POST", body: stream, duplex: "half" });
  await fetch(new Request(api.url, post));
  assert.deepEqual(api.bodies, ["body", "body"]);
  assert.equal((await kit.counters("standard")).refreshes, 0);
});

test("an API is named only for a session that names none", async (t) => {
  const { api, other } = await session(t);
  const elsewhere = authFetch("mine", { apiBase: other.url });
  await assert.rejects(elsewhere(other.url, post), /leave `apiBase` out/);
  assert.deepEqual([api.seen, other.seen], [[], []]);
  assert.equal((await authFetch("mine", { apiBase: api.url })(api.url, post)).status, 200);
});

test("each failure has the class of its exit code, and no token in its message", async (t) => {
  const { kit, old } = await session(t);
  await assert.rejects(token("qwen"), (error) => {
    assert.ok(error instanceof NotSignedIn && error instanceof LlmAuthError);
    assert.deepEqual([error.name, error.exitCode, error.kind], ["NotSignedIn", 3, "not_signed_in"]);
    return /llm-auth login qwen/.test(error.message);
  });
  for (const name of ["no-such-provider", "--help"]) await assert.rejects(token(name), UsageError);
  await kit.revoke();
  await assert.rejects(token("mine", { refused: old }), (error) => {
    return error instanceof NotSignedIn && !inspect(error).includes(old);
  });
});

test("the command on the path or in a variable is not run", async (t) => {
  await simulated(t);
  const path = process.env.PATH;
  t.after(() => (process.env.PATH = path));
  process.env.PATH = process.cwd();
  process.env.LLM_AUTH_BINARY = "/bin/false";
  await assert.rejects(token("qwen"), NotSignedIn);
});

test("a log of a credential shows no token", async (t) => {
  const { old } = await session(t);
  const found = await credential("mine");
  assert.equal(found.accessToken, old);
  assert.ok(!inspect(found).includes(old) && !JSON.stringify(found).includes(old));
});

test("the command that npm links prints, and exits, as the real one", async (t) => {
  const { old } = await session(t);
  const run = promisify(execFile);
  const linked = "node_modules/.bin/llm-auth";
  assert.equal((await run(linked, ["token", "mine"])).stdout, `${old}\n`);
  await assert.rejects(run(linked, ["token", "qwen"]), { code: 3, stdout: "" });
});
