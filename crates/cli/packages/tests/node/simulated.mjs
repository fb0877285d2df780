// The simulated providers, and a user who is signed in to them.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { binary } from "llm-auth-cli";

/** The environment of this process points at it. */
export async function simulated(test) {
  const args = ["--approve", "auto", "--interval", "1", "--until-stdin-closes"];
  const stdio = ["pipe", "pipe", "ignore"];
  const server = spawn(process.env.LLM_AUTH_TESTKIT, args, { stdio });
  const [url] = await once(createInterface(server.stdout), "line");
  const home = await mkdtemp(join(tmpdir(), "llm-auth-"));
  process.env.LLM_AUTH_HOME = home;
  test.after(async () => {
    server.stdin.end();
    await once(server, "close");
    await rm(home, { recursive: true });
  });
  for (const line of (await (await fetch(`${url}/testkit/env`)).text()).trim().split("\n")) {
    const [, name, value] = /^export (\w+)='(.*)'$/.exec(line);
    process.env[name] = value;
  }
  const post = (path) => fetch(url + path, { method: "POST", body: "{}" });
  return {
    url,
    /** Every access token is valid by its expiry, and rejected by its API. */
    killTokens: () => post("/testkit/expire"),
    /** As if the 3 seconds had passed for which a response to `verify` counts. */
    forgetVerdicts: () => rm(join(home, "verified"), { recursive: true }),
    revoke: () => post("/testkit/revoke"),
    async counters(provider) {
      return (await (await fetch(`${url}/testkit/state`)).json())[provider].counters;
    },
    signIn: (provider, ...flags) => signIn(provider, flags),
    /** Signs in, under the name "mine", to a provider with an API like Anthropic's. */
    signInToAnthropicLike() {
      const base = `${url}/standard`;
      const client = ["--issuer", base, "--client-id", "testkit-client", "--api-base", base];
      return signIn("oidc", [...client, "--name", "mine"]);
    },
  };
}

async function signIn(provider, flags) {
  const visit = "fetch(process.argv[1]).then(r => r.text())";
  const env = { ...process.env, BROWSER: `${process.execPath} -e '${visit}' %s` };
  await promisify(execFile)(binary(), ["login", provider, ...flags, "--json"], { env });
}

/** A server that records what reaches it. */
export async function recorder(test) {
  const at = { seen: [], bodies: [], accepts: undefined, redirect: undefined };
  const server = createServer(async (request, response) => {
    at.seen.push(request.headers);
    at.bodies.push(Buffer.concat(await request.toArray()).toString());
    const accepted = [undefined, request.headers.authorization].includes(at.accepts);
    if (accepted && at.redirect) response.setHeader("location", at.redirect);
    response.statusCode = accepted ? (at.redirect ? 307 : 200) : 401;
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  at.url = `http://127.0.0.1:${server.address().port}`;
  return at;
}

/** The code blocks of a page of the repository. */
export async function snippets(page, language) {
  const text = await readFile(join(process.env.LLM_AUTH_PACKAGES, page), "utf8");
  return text.split("```" + language + "\n").slice(1).map((rest) => rest.split("```", 1)[0]);
}
