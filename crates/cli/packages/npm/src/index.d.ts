/** Which token of a provider is wanted. */
export interface TokenOptions {
  /** One of several accounts; by default the current one. */
  account?: string;
  /** How long the token must remain valid, in seconds; 60 by default. */
  minValidity?: number;
  /** Further flags of `llm-auth token`, such as `["--region", "cn"]`. */
  flags?: readonly string[];
}

export interface KeyOptions extends TokenOptions {
  /**
   * Ask the API first whether it accepts the token (once in 3 seconds), for callers that no 401
   * reaches, and for APIs that do not report a rejected token with 401, such as MiniMax's.
   */
  verify?: boolean;
}

export interface CredentialOptions extends KeyOptions {
  /**
   * A token that the API rejected with 401. It is refreshed only if it is still the stored one, so
   * any number of callers cause one refresh.
   */
  refused?: string;
}

/** A valid access token, and what a call of the API needs besides it. */
export interface Credential {
  /** Not enumerable: a log of the object does not show it. */
  readonly accessToken: string;
  readonly provider: string;
  readonly account: string;
  /** When the access token ends; `null` if it never does. */
  readonly expiresAt: Date | null;
  /** The base URL of the API; `null` if the command knows none. */
  readonly apiBase: string | null;
  /** The headers of a call besides `Authorization`. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A valid access token, refreshed if necessary. Call it for each request: a valid token takes a few
 * milliseconds and no request.
 *
 * @throws {NotSignedIn} if the user must sign in (again)
 * @throws {Temporary} if a refresh is necessary and failed, but may succeed later
 * @throws {LlmAuthError} if the command failed otherwise
 */
export function token(provider: string, options?: CredentialOptions): Promise<string>;

/** The same, with the API that the token is for. */
export function credential(provider: string, options?: CredentialOptions): Promise<Credential>;

/**
 * A function for `new OpenAI({ apiKey })`, which calls it before each request. The SDK does not
 * report a rejected token to it: pass `verify`, or `authFetch` as well, so that a 401 leads to a
 * refresh.
 */
export function apiKey(provider: string, options?: KeyOptions): () => Promise<string>;

/**
 * A function for `new Anthropic({ credentials })`. The SDK calls it again after a 401; the token
 * that it handed out last is then refreshed, unless another process has refreshed it already. For
 * MiniMax, which reports a rejected token with status 200, pass `authFetch` with `verify` instead.
 */
export function credentials(
  provider: string,
  options?: TokenOptions,
): (options?: { forceRefresh?: boolean }) => Promise<{ token: string; expiresAt: number | null }>;

export interface FetchOptions extends KeyOptions {
  /** What sends the requests; by default the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /**
   * The URL of the API, for a server of which the command knows none. If it knows one of another
   * origin, requests fail with `LlmAuthError`.
   */
  apiBase?: string;
}

/**
 * A `fetch` for SDKs. It puts the token, and the further headers of the provider, on requests to the
 * origin of the session's API, and on no others. After a 401 from there it names the token to the
 * command as refused, and sends the request once more with the new one, if the body can be sent
 * again (a stream cannot).
 */
export function authFetch(provider: string, options?: FetchOptions): typeof globalThis.fetch;

/** The path of the command that is installed with this package. */
export function binary(): string;

/**
 * The command failed; the base class of all errors here. The message is the command's own: what
 * failed, for which account, and what to do next. It holds no token.
 */
export class LlmAuthError extends Error {
  /** The kind of failure, as `llm-auth token --json` names it. */
  readonly kind: string;
  /** What to do next, if the command knows it. */
  readonly advice: string | undefined;
  /** The exit code of the command; -1 if a signal ended it. */
  readonly exitCode: number;
}

/** An argument makes no sense, such as an unknown provider (exit code 2). */
export class UsageError extends LlmAuthError {}
/** The user must sign in, or sign in again (exit code 3). */
export class NotSignedIn extends LlmAuthError {}
/** The network or the provider failed; try again later (exit code 4). */
export class Temporary extends LlmAuthError {}
/** The user or the provider denied access (exit code 5). */
export class Denied extends LlmAuthError {}
/** The package of this platform, which holds the command, is not installed. */
export class BinaryNotFound extends LlmAuthError {}
