// A server of the official TypeScript SDK, with sessions (revisions up to 2025-11-25).
// It prints its port. Run `npm install` here first.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

const TOKEN = "Bearer made-up-token";
const transports = new Map();

function mcpServer() {
  const server = new McpServer(
    { name: "made-up", version: "1" },
    { capabilities: { logging: {} } },
  );
  server.registerTool("echo", { inputSchema: { text: z.string() } }, async ({ text }) => ({
    content: [{ type: "text", text }],
  }));
  server.registerTool("slow", {}, async (extra) => {
    await extra.sendNotification({
      method: "notifications/message",
      params: { level: "info", data: "begun" },
    });
    await new Promise((resolve) => extra.signal.addEventListener("abort", resolve));
    return { content: [] };
  });
  server.registerTool("roots", {}, async () => {
    const { roots } = await server.server.listRoots();
    return { content: [{ type: "text", text: JSON.stringify(roots) }] };
  });
  // Forgets all sessions, as a server that restarts does.
  server.registerTool("forget", {}, async () => {
    transports.clear();
    return { content: [{ type: "text", text: "forgotten" }] };
  });
  return server;
}

async function handle(request, response) {
  if (request.headers.authorization !== TOKEN) {
    response.writeHead(401).end();
    return;
  }
  let transport = transports.get(request.headers["mcp-session-id"]);
  if (!transport) {
    if (request.headers["mcp-session-id"]) {
      response.writeHead(404, { "content-type": "application/json" });
      const error = { code: -32001, message: "Session not found" };
      response.end(JSON.stringify({ jsonrpc: "2.0", error, id: null }));
      return;
    }
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => transports.set(id, transport),
      onsessionclosed: (id) => process.stderr.write(`closed ${id}\n`),
    });
    await mcpServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}

const http = createServer((request, response) => {
  handle(request, response).catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    response.destroy();
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
