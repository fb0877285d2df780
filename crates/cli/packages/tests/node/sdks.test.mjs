// The examples of the README, and the SDKs of OpenAI, Anthropic and Vercel, as installed.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

import Anthropic from "@anthropic-ai/sdk";
import { apiKey, authFetch, credential } from "llm-auth-cli";
import OpenAI from "openai";

import { simulated, snippets } from "./simulated.mjs";

const messages = [{ role: "user", content: "hello" }];

/** For the clients of docs/tools/node.md, which shows no call. */
const callOfAnthropic = `
const messages = [{ role: "user", content: "hello" }];
const message = await client.messages.create({ model: "MiniMax-M2", max_tokens: 100, messages });
console.log(message.content[0].text);
`;

/** Runs an example, with its call once more after the token was killed. */
async function runAndKill(kit, name, example, call, kill = kit.killTokens) {
  const again = example.slice(example.indexOf(call)).replace(/const /g, "var ");
  const imports = example.match(/^import .*\n/gm).join("");
  const body = example.replace(/^import .*\n/gm, "");
  const script = `${imports}
export async function run(console, kill) {
  ${body}
  await kill();
  { ${again.replace(/var /g, "const ")} }
}`;
  await writeFile(`${name}.mjs`, script);
  const { run } = await import(pathToFileURL(`${name}.mjs`).href);
  const lines = [];
  await run({ log: (line) => lines.push(line) }, kill);
  return lines;
}

async function assertRefreshedOnce(kit, provider) {
  const { refreshes, reuse, violations } = await kit.counters(provider);
  assert.deepEqual({ refreshes, reuse, violations }, { refreshes: 1, reuse: 0, violations: [] });
}

test("the example for openai goes on with a new token when the old one is killed", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("qwen");
  const [example] = await snippets("npm/README.md", "js");
  const lines = await runAndKill(kit, "openai-example", example, "const messages");
  assert.deepEqual(lines, Array(2).fill("The simulated qwen heard: hello"));
  await assertRefreshedOnce(kit, "qwen");
});

/** Kills the tokens once what the API said of them does not count any more. */
async function killVerified(kit) {
  await kit.killTokens();
  await kit.forgetVerdicts();
}

test("the example for anthropic goes on with a new token when minimax kills the old one", async (t) => {
  const kit = await simulated(t);
  // MiniMax reports a killed token with status 200, which no SDK takes for a 401.
  await kit.signIn("minimax");
  const example = (await snippets("npm/README.md", "js"))[1];
  const kill = () => killVerified(kit);
  const lines = await runAndKill(kit, "anthropic-example", example, "const messages", kill);
  assert.deepEqual(lines, Array(2).fill("The simulated minimax heard: hello"));
  await assertRefreshedOnce(kit, "minimax");
});

test("the clients of the page go on with a new token when the old one is killed", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("minimax");
  const found = await snippets("../../../docs/tools/node.md", "js");
  const [verifying, asking] = found.filter((example) => example.includes("@anthropic-ai/sdk"));
  const kill = () => killVerified(kit);
  const client = verifying + callOfAnthropic;
  let lines = await runAndKill(kit, "anthropic-verifying", client, "const messages", kill);
  assert.deepEqual(lines, Array(2).fill("The simulated minimax heard: hello"));
  await assertRefreshedOnce(kit, "minimax");
  await kit.signInToAnthropicLike();
  const other = asking + callOfAnthropic;
  lines = await runAndKill(kit, "anthropic-asking", other, "const messages");
  assert.deepEqual(lines, Array(2).fill("The simulated standard heard: hello"));
  await assertRefreshedOnce(kit, "standard");
});

test("the example for the AI SDK goes on with a new token when the old one is killed", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("qwen");
  const example = (await snippets("npm/README.md", "js"))[2];
  const lines = await runAndKill(kit, "ai-example", example, "const { text }");
  assert.deepEqual(lines, Array(2).fill("The simulated qwen heard: hello"));
  await assertRefreshedOnce(kit, "qwen");
});

test("verify replaces a token that minimax reports with status 200", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("minimax");
  const { apiBase: baseURL } = await credential("minimax");
  await kit.killTokens();
  const fetch = authFetch("minimax", { verify: true });
  const client = new Anthropic({ baseURL, apiKey: "llm-auth", fetch });
  const message = await client.messages.create({ model: "MiniMax-M2", max_tokens: 100, messages });
  assert.equal(message.content[0].text, "The simulated minimax heard: hello");
  await assertRefreshedOnce(kit, "minimax");
});

test("twenty calls with a killed token cause one refresh", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("qwen");
  const { apiBase: baseURL } = await credential("qwen");
  await kit.killTokens();
  const fetch = authFetch("qwen");
  const client = new OpenAI({ baseURL, apiKey: "llm-auth", fetch, maxRetries: 0 });
  const one = () => client.chat.completions.create({ model: "coder-model", messages });
  const replies = await Promise.all(Array.from({ length: 20 }, one));
  const texts = replies.map((chat) => chat.choices[0].message.content);
  assert.deepEqual(new Set(texts), new Set(["The simulated qwen heard: hello"]));
  await assertRefreshedOnce(kit, "qwen");
});

test("a stream begins with a new token when the old one is killed", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("qwen");
  const { apiBase: baseURL } = await credential("qwen");
  await kit.killTokens();
  const client = new OpenAI({ baseURL, apiKey: "llm-auth", fetch: authFetch("qwen") });
  const stream = await client.chat.completions.create({ model: "coder-model", messages, stream: true });
  let text = "";
  for await (const part of stream) text += part.choices[0]?.delta?.content ?? "";
  assert.equal(text, "The simulated qwen heard: hello");
  await assertRefreshedOnce(kit, "qwen");
});

test("a key function is called before each request", async (t) => {
  const kit = await simulated(t);
  await kit.signIn("qwen");
  const { apiBase: baseURL } = await credential("qwen");
  const client = new OpenAI({ baseURL, apiKey: apiKey("qwen") });
  await client.chat.completions.create({ model: "coder-model", messages });
  await kit.killTokens();
  const verified = new OpenAI({ baseURL, apiKey: apiKey("qwen", { verify: true }) });
  await verified.chat.completions.create({ model: "coder-model", messages });
  assert.equal((await kit.counters("qwen")).chats_refused, 1);
  await assertRefreshedOnce(kit, "qwen");
});
