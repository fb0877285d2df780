#!/usr/bin/env node
// Runs the command in place of this script, as far as Node can.

import { spawn } from "node:child_process";
import { constants } from "node:os";

import { binary } from "../src/binary.js";

let path;
try {
  path = binary();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}

const child = spawn(path, process.argv.slice(2), { stdio: "inherit" });

// A terminal sends its signals to both processes: here they only must not end this one first.
const terminal = process.platform === "win32" ? ["SIGINT"] : ["SIGINT", "SIGQUIT"];
for (const signal of terminal) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));

child.on("error", (error) => {
  console.error(`error: cannot run ${path}: ${error.code}`);
  process.exit(126);
});
child.on("exit", (code, signal) => {
  process.exit(signal ? 128 + constants.signals[signal] : code);
});
