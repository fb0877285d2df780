// A program with the Vercel AI SDK that knows a base URL and a key, and streams.
import { execSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.TOOL}/`);
const { createOpenAICompatible } = await import(require.resolve("@ai-sdk/openai-compatible"));
const { streamText } = await import(require.resolve("ai"));

const qwen = createOpenAICompatible({
  name: "qwen",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
});

async function heard(words) {
  let text = "";
  for await (const piece of streamText({ model: qwen("coder-model"), prompt: words }).textStream) text += piece;
  if (!text.endsWith(`heard: ${words}`)) throw new Error(text);
  console.log(`- ${words}: the model replied`);
}

await heard("first call");
execSync(process.argv[2]);
await heard("second call");
