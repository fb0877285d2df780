// What the SDKs of OpenAI and Anthropic, and those that take a `fetch`, take as a credential.

import { credential, token } from "./command.js";
import { LlmAuthError } from "./errors.js";

/** Where SDKs put a key of their own. A request carries one credential: the token. */
const OTHER_KEYS = ["x-api-key", "x-goog-api-key", "api-key"];

/** A function for the `apiKey` of `OpenAI`, which calls it before each request. */
export function apiKey(provider, options) {
  return () => token(provider, options);
}

/** A function for the `credentials` of `Anthropic`. */
export function credentials(provider, options = {}) {
  let last;
  return async ({ forceRefresh = false } = {}) => {
    const refused = forceRefresh ? last : undefined;
    const found = await credential(provider, { ...options, refused });
    last = found.accessToken;
    const expiresAt = found.expiresAt && Math.floor(found.expiresAt.getTime() / 1000);
    return { token: last, expiresAt };
  };
}

/**
 * A `fetch` that puts the token on requests to the origin of the session's API, and on no others.
 * After a 401 from there it names the token as refused and sends the request once more, if its body
 * can be sent again.
 */
export function authFetch(provider, { fetch = globalThis.fetch, apiBase, ...options } = {}) {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const found = await credential(provider, options);
    if (url.origin !== apiOrigin(found, apiBase)) return fetch(input, init);
    const response = await fetch(input, signed(input, init, found));
    if (!isRefused(response, url) || !isReplayable(input, init)) return response;
    const next = await credential(provider, { ...options, verify: false, refused: found.accessToken });
    if (next.accessToken === found.accessToken) return response;
    if (url.origin !== apiOrigin(next, apiBase)) return response;
    await response.body?.cancel();
    return fetch(input, signed(input, init, next));
  };
}

function signed(input, init, found) {
  const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
  for (const name of OTHER_KEYS) headers.delete(name);
  for (const [name, value] of Object.entries(found.headers)) headers.set(name, value);
  headers.set("Authorization", `Bearer ${found.accessToken}`);
  return { ...init, headers };
}

/** A redirect may have led elsewhere. */
function isRefused(response, url) {
  return response.status === 401 && (!response.url || new URL(response.url).origin === url.origin);
}

/** A stream can be read once. */
function isReplayable(input, init) {
  if (input instanceof Request && input.body && init?.body == null) return false;
  const body = init?.body ?? null;
  return (
    body === null ||
    typeof body === "string" ||
    body instanceof URLSearchParams ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body)
  );
}

function apiOrigin(found, apiBase) {
  const known = found.apiBase && new URL(found.apiBase).origin;
  const named = apiBase && new URL(apiBase).origin;
  const who = `${found.provider} (${found.account})`;
  if (!known && !named) {
    throw new LlmAuthError(`${who}: the session names no API`, { advice: "pass its URL as `apiBase`" });
  }
  if (known && named && known !== named) {
    throw new LlmAuthError(`${who}: the token is for the API at ${known}, not for ${named}`, {
      advice: "leave `apiBase` out",
    });
  }
  return known || named;
}
