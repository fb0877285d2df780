// Signs in at Glewlwyd and grants what a client asks for, by the requests of Glewlwyd's own page.
//
// node approve.mjs URL
//
// It prints the address that the browser is sent to in the end, and does not visit it.
import { browser, JSON_TYPE } from '../request.mjs';

const [url] = process.argv.slice(2);
// Those of the schema's only user.
const ADMINISTRATOR = { username: 'admin', password: 'password' };

const api = new URL('/api/', url).href;
const send = browser();

async function request(method, address, body) {
  const response = await send(method, address, JSON_TYPE, body && JSON.stringify(body));
  if (response.status >= 400) throw new Error(`${method} ${address}: ${response.status} ${response.text}`);
  return response.location;
}

// The page that asks for the sign-in learns from its address what it is for.
await request('POST', `${api}auth/`, ADMINISTRATOR);
const page = new URL(await request('GET', url)).searchParams;
await request('PUT', `${api}auth/grant/${page.get('client_id')}`, { scope: page.get('scope') });
console.log(await request('GET', `${page.get('callback_url')}&g_continue`));
