// Where the command is: in the package of this platform, which npm installs with this one.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

import { BinaryNotFound } from "./errors.js";

const require = createRequire(import.meta.url);

/**
 * The path of the command. Neither PATH nor a variable is read: another program of that name would
 * receive refused tokens, and its output would be sent as a token.
 */
export function binary() {
  const name = `@llm-auth/cli-${process.platform}-${process.arch}`;
  const file = process.platform === "win32" ? "llm-auth.exe" : "llm-auth";
  let manifest;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    manifest = undefined;
  }
  const path = manifest && join(dirname(manifest), "bin", file);
  if (!path || !existsSync(path)) {
    throw new BinaryNotFound(`the package ${name} is not installed`, {
      advice:
        "install llm-auth-cli without --omit=optional; if there is no package for this platform, " +
        "`cargo install` builds the command",
    });
  }
  return path;
}
