// Goes through a sign-in as a browser without scripts does: it follows redirects, fills in forms and
// submits them, until there is no form any more.
//
// node approve.mjs URL
//
// It prints the last address. It does not visit an address of another server, which is the callback
// of the program that signs in: that is the caller's to use.
import { browser, FORM } from '../request.mjs';

const [start] = process.argv.slice(2);
const FIELDS = { login: 'made-up-user', password: 'made-up-password' };
const MOST = 20;

const request = browser();
const isCallback = (url) => new URL(url).host !== new URL(start).host;

async function visit(url, method = 'GET', body = '') {
  for (let step = 0; step < MOST; step += 1) {
    if (isCallback(url)) return { url };
    const { location, text } = await request(method, url, FORM, body);
    if (!location) return { url, text };
    url = new URL(location, url).href;
    [method, body] = ['GET', ''];
  }
  throw new Error(`${start} redirects without an end`);
}

const attribute = (tag, name) => tag.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1];

function filledIn(form) {
  const body = new URLSearchParams();
  for (const [tag] of form.matchAll(/<(?:input|button)\b[^>]*>/g)) {
    const name = attribute(tag, 'name');
    if (name && name !== 'abort') body.set(name, FIELDS[name] ?? attribute(tag, 'value') ?? '');
  }
  return body;
}

let page = await visit(start);
for (let step = 0; step < MOST; step += 1) {
  const form = page.text?.match(/<form[\s\S]*?<\/form>/)?.[0];
  if (!form) break;
  const action = (attribute(form, 'action') ?? page.url).replaceAll('&amp;', '&');
  page = await visit(new URL(action, page.url).href, 'POST', filledIn(form).toString());
}
console.log(page.url);
