// Why the command gave no token, by its exit code.

/**
 * The command failed; the base class of all errors here. The message is the command's own: what
 * failed, for which account, and what to do next. It holds no token.
 */
export class LlmAuthError extends Error {
  constructor(message, { kind = "other", advice, exitCode = 1 } = {}) {
    super(advice ? `${message}; ${advice}` : message);
    this.name = new.target.name;
    this.kind = kind;
    this.advice = advice;
    this.exitCode = exitCode;
  }
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

const BY_EXIT_CODE = { 2: UsageError, 3: NotSignedIn, 4: Temporary, 5: Denied };

/** The error of an exit code, from the command's own JSON. */
export function failure({ message, kind, advice }, exitCode) {
  return new (BY_EXIT_CODE[exitCode] ?? LlmAuthError)(message, { kind, advice, exitCode });
}
