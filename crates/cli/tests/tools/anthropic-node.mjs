// A program with Anthropic's SDK that knows a profile or ANTHROPIC_AUTH_TOKEN, and a base URL; it streams.
import { execSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.TOOL}/`);
const { default: Anthropic } = await import(require.resolve("@anthropic-ai/sdk"));
const client = new Anthropic();

async function heard(words) {
  const messages = [{ role: "user", content: words }];
  const text = await client.messages.stream({ model: "simulated", max_tokens: 100, messages }).finalText();
  if (!text.endsWith(`heard: ${words}`)) throw new Error(text);
  console.log(`- ${words}: the model replied`);
}

await heard("first call");
execSync(process.argv[2]);
await heard("second call");
