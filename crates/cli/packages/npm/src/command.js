// Running the command.

import { spawn } from "node:child_process";

import { binary } from "./binary.js";
import { failure, LlmAuthError } from "./errors.js";

/** A valid access token with the API that it is for. */
export async function credential(provider, options = {}) {
  const { account, minValidity, refused, verify = false, flags = [] } = options;
  const line = ["token", "--json", ...flags];
  if (account !== undefined) line.push(`--account=${account}`);
  if (minValidity !== undefined) line.push(`--min-validity=${minValidity}`);
  // An argument could be seen by other users of the computer.
  if (refused !== undefined) line.push("--refused=-");
  if (verify) line.push("--verify");
  // A provider that begins with a hyphen is no flag.
  const found = await run([...line, "--", provider], refused);
  const made = {
    provider: found.vendor,
    account: found.account,
    expiresAt: found.expires_at_ms === null ? null : new Date(found.expires_at_ms),
    apiBase: found.api_base,
    headers: found.headers,
  };
  // A log of the object shows no token.
  return Object.defineProperty(made, "accessToken", { value: found.access_token });
}

/** A valid access token, refreshed if necessary. */
export async function token(provider, options) {
  return (await credential(provider, options)).accessToken;
}

async function run(line, refused) {
  const { code, signal, out } = await output(line, refused);
  const found = object(out);
  if (code === 0 && found.access_token) return found;
  if (code === 0 || typeof found.error?.message !== "string") {
    // The output may hold a token: it is not repeated.
    const ended = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
    const message = `llm-auth ${ended} and printed no JSON object`;
    throw new LlmAuthError(message, { exitCode: code ?? -1 });
  }
  throw failure(found.error, code);
}

function object(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** The process is never killed from here: a refresh that has begun must be stored. */
function output(line, refused) {
  return new Promise((resolve, reject) => {
    const stdin = refused === undefined ? "ignore" : "pipe";
    const child = spawn(binary(), line, {
      stdio: [stdin, "pipe", "ignore"],
      windowsHide: true,
    });
    const pieces = [];
    child.on("error", reject);
    child.stdout.on("data", (piece) => pieces.push(piece));
    child.on("close", (code, signal) => {
      resolve({ code, signal, out: Buffer.concat(pieces).toString("utf8") });
    });
    if (child.stdin) {
      // If it ended before it read, its exit code says why.
      child.stdin.on("error", () => {});
      child.stdin.end(refused);
    }
  });
}
