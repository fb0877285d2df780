// An MCP server of the official SDK, whose users sign in at an oidc-provider in the same process.
//
// It prints its URL as one line of JSON when it accepts connections, and ends with its standard
// input. `GET /refreshes` returns how many refreshes there were; `GET /expire` ends all access tokens.
import Provider from 'oidc-provider';
import express from 'express';
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import {
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';

const SCOPE = 'mcp:tools';

const listening = async (http) => {
  await new Promise((ready) => http.listen(0, '127.0.0.1', ready));
  return `http://127.0.0.1:${http.address().port}`;
};
const [http, api] = [createServer(), createServer()];
const [issuer, origin] = [await listening(http), await listening(api)];
const resource = new URL('/mcp', origin);

const provider = new Provider(issuer, {
  clients: [],
  features: {
    registration: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, named) => {
        if (named !== resource.href) throw new Error(`another resource: ${named}`);
        return { scope: SCOPE, audience: named, accessTokenTTL: 3600, accessTokenFormat: 'opaque' };
      },
      useGrantedResource: () => true,
    },
  },
  scopes: ['openid', 'offline_access', SCOPE],
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
});
let refreshes = 0;
provider.on('grant.success', (ctx) => {
  refreshes += ctx.oidc.params.grant_type === 'refresh_token';
});
http.on('request', provider.callback());
const metadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();

// The access tokens that a call has shown, and those that count no more.
const [shown, ended] = [new Set(), new Set()];
const verifyAccessToken = async (token) => {
  const found = await provider.AccessToken.find(token);
  if (!found || ended.has(token)) throw new InvalidTokenError('the token counts no more');
  shown.add(token);
  return { token, clientId: found.clientId, scopes: found.scope.split(' '), expiresAt: found.exp };
};
const requireToken = requireBearerAuth({
  verifier: { verifyAccessToken },
  requiredScopes: [SCOPE],
  resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resource),
});

const app = express();
app.use(express.json());
app.use(
  mcpAuthMetadataRouter({ oauthMetadata: metadata, resourceServerUrl: resource, scopesSupported: [SCOPE] }),
);
app.get('/refreshes', (_request, response) => response.json(refreshes));
app.get('/expire', (_request, response) => {
  shown.forEach((token) => ended.add(token));
  response.json({});
});

const sessions = new Map();
app.all('/mcp', requireToken, async (request, response) => {
  let transport = sessions.get(request.headers['mcp-session-id']);
  if (!transport) {
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => sessions.set(id, transport),
    });
    const server = new McpServer({ name: 'made-up', version: '1' });
    const answer = async () => ({ content: [{ type: 'text', text: 'made-up answer' }] });
    server.registerTool('echo', { description: 'answers', inputSchema: {} }, answer);
    await server.connect(transport);
  }
  await transport.handleRequest(request, response, request.body);
});
api.on('request', app);

process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ url: resource.href, origin }));
