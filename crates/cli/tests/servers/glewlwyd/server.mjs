// Glewlwyd (Debian's package) on a free port of loopback, with its state in a directory of its own.
//
// It prints its issuer, the port of its clients' callback and its database as one line of JSON when
// it accepts sign-ins, and ends with its standard input, so that it never outlives the test.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { browser, JSON_TYPE } from '../request.mjs';

const SCHEMA = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';
// Those of the schema's only user.
const ADMINISTRATOR = { username: 'admin', password: 'password' };
const SCOPES = ['openid', 'email', 'offline_access', 'models'];
const GRANTS = ['code', 'refresh_token', 'device_authorization', 'delete_token'];

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise((done) => server.listen(0, '127.0.0.1', done))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

const [port, callbackPort] = await freePorts(2);
const origin = `http://127.0.0.1:${port}`;
const issuer = `${origin}/api/oidc`;
const directory = mkdtempSync(join(tmpdir(), 'glewlwyd-'));
const database = join(directory, 'state.sqlite');

// One transaction, and no wait for the disk: the state is thrown away.
const schema = `PRAGMA journal_mode = WAL; BEGIN; ${readFileSync(SCHEMA, 'utf8')}; COMMIT;`;
execFileSync('sqlite3', [database], { input: schema, stdio: ['pipe', 'ignore', 'inherit'] });

writeFileSync(join(directory, 'glewlwyd.conf'), `
port = ${port}
bind_address = "127.0.0.1"
external_url = "${origin}"
login_url = "login.html"
api_prefix = "api"
log_mode = "file"
log_level = "INFO"
log_file = "${join(directory, 'log')}"
cookie_secure = 0
session_key = "session"
admin_scope = "g_admin"
profile_scope = "g_profile"
user_module_path = "/usr/lib/glewlwyd/user"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
hash_algorithm = "SHA512"
database = { type = "sqlite3" path = "${database}" };
`);

const glewlwyd = spawn('glewlwyd', ['--config-file', join(directory, 'glewlwyd.conf')], {
  stdio: ['ignore', 2, 2],
});
glewlwyd.on('exit', (code) => {
  if (code) console.error(readFileSync(join(directory, 'log'), 'utf8'));
  rmSync(directory, { recursive: true, force: true });
  process.exit(code ?? 0);
});
process.stdin.on('end', () => glewlwyd.kill()).resume();

const send = browser();
async function call(method, path, body) {
  const response = await send(method, `${origin}/api/${path}`, JSON_TYPE, JSON.stringify(body));
  if (response.status >= 400) throw new Error(`${method} ${path}: ${response.status} ${response.text}`);
}

// It accepts connections a moment after it began; if it ends, so does this.
for (let up = false; !up; ) {
  up = await send('GET', `${origin}/api/`).then(() => true, () => new Promise((again) => setTimeout(again, 20)));
}

await call('POST', 'auth/', ADMINISTRATOR);
for (const name of SCOPES.filter((name) => name !== 'openid')) {
  await call('POST', 'scope/', {
    name, display_name: name, password_required: false, password_max_age: 0, scheme: {},
  });
}
await call('PUT', 'user/admin', {
  name: 'Made Up',
  email: 'made-up-user@example.com',
  enabled: true,
  scope: ['g_admin', 'g_profile', ...SCOPES],
});
await call('POST', 'mod/plugin/', {
  module: 'oidc',
  name: 'oidc',
  display_name: 'OpenID Connect',
  parameters: {
    iss: issuer,
    'oauth-as-iss-id': true,
    'jwt-type': 'sha',
    'jwt-key-size': '256',
    key: randomBytes(32).toString('hex'),
    'access-token-duration': 3600,
    'refresh-token-duration': 86400,
    'refresh-token-rolling': true,
    'refresh-token-one-use': 'always',
    'code-duration': 600,
    'device-authorization-expiration': 600,
    'device-authorization-interval': 1,
    'allow-non-oidc': true,
    'auth-type-code-enabled': true,
    'auth-type-code-revoke-replayed': true,
    'auth-type-refresh-enabled': true,
    'auth-type-device-enabled': true,
    'auth-type-token-enabled': false,
    'auth-type-none-enabled': false,
    'auth-type-password-enabled': false,
    'auth-type-client-enabled': false,
    'allowed-scope': SCOPES,
    'subject-type': 'public',
    'email-claim': 'mandatory',
    'name-claim': 'no',
    'scope-claim': 'no',
    'pkce-allowed': true,
    'pkce-mandatory': true,
    'introspection-revocation-allowed': true,
    'introspection-revocation-allow-target-client': true,
    'register-client-allowed': true,
    'register-client-auth-scope': [],
    'register-client-credentials-scope': SCOPES,
    'register-client-management-allowed': true,
  },
});
const client = (client_id, method, secret) => ({
  client_id,
  name: client_id,
  enabled: true,
  confidential: secret !== undefined,
  ...(secret && { client_secret: secret, password: secret }),
  token_endpoint_auth_method: [method],
  redirect_uri: [`http://127.0.0.1:${callbackPort}/callback`],
  authorization_type: GRANTS,
  scope: [],
});
await call('POST', 'client/', client('native-cli', 'none'));
await call('POST', 'client/', client('basic-cli', 'client_secret_basic', 'made-up-basic-secret'));
await call('POST', 'client/', client('post-cli', 'client_secret_post', 'made-up-post-secret'));
console.log(JSON.stringify({ issuer, callback_port: callbackPort, database }));
