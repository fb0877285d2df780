export { binary } from "./binary.js";
export { credential, token } from "./command.js";
export { BinaryNotFound, Denied, LlmAuthError, NotSignedIn, Temporary, UsageError } from "./errors.js";
export { apiKey, authFetch, credentials } from "./sdks.js";
