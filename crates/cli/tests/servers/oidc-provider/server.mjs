// oidc-provider on a free port of loopback, with an account for each name that signs in.
//
// It prints its issuer as one line of JSON when it accepts connections, and ends with its standard
// input, so that it never outlives the test. Its state is in memory.
import Provider from 'oidc-provider';
import { createServer } from 'node:http';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const RESOURCE_SCOPE = 'openid models';

const http = createServer();
await new Promise((listening) => http.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${http.address().port}`;

const client = (client_id, token_endpoint_auth_method, secret = {}) => ({
  client_id,
  token_endpoint_auth_method,
  ...secret,
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  response_types: ['code'],
  // Of a native client, any port on loopback matches (RFC 8252 section 7.3).
  redirect_uris: ['http://127.0.0.1/callback'],
});

const provider = new Provider(issuer, {
  clients: [
    client('native-cli', 'none'),
    client('basic-cli', 'client_secret_basic', { client_secret: 'made-up-basic-secret' }),
    client('post-cli', 'client_secret_post', { client_secret: 'made-up-post-secret' }),
  ],
  features: {
    deviceFlow: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
    userinfo: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_ctx, resource) => ({
        scope: RESOURCE_SCOPE,
        audience: resource,
        accessTokenTTL: 3600,
        accessTokenFormat: 'opaque',
      }),
      useGrantedResource: () => true,
    },
  },
  scopes: ['openid', 'offline_access', 'email', 'models'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true }),
  }),
  rotateRefreshToken: true,
  responseTypes: ['code'],
  ttl: {
    AccessToken: 3600,
    AuthorizationCode: 60,
    DeviceCode: 600,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

// What the server was asked and how it ended, for `GET /seen`.
const seen = [];
provider.use(async (ctx, next) => {
  if (ctx.path === '/seen') {
    ctx.body = seen;
    return;
  }
  if (ctx.path === '/end-code') {
    const code = await provider.AuthorizationCode.find(ctx.query.code);
    await code.destroy();
    ctx.body = {};
    return;
  }
  await next();
  const [authorization] = (ctx.get('authorization') || 'none').split(' ');
  const { route, params, body } = ctx.oidc ?? {};
  seen.push({
    route: route ?? ctx.path,
    params: params ?? {},
    registration: route === 'registration' ? body : undefined,
    authorization: authorization.toLowerCase(),
    status: ctx.status,
    error: ctx.body?.error,
  });
});

http.on('request', provider.callback());
process.stdin.on('end', () => process.exit()).resume();
console.log(JSON.stringify({ issuer }));
