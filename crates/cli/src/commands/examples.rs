//! The examples below the help of a command.

pub(super) const LOGIN: &str = "\
Examples:
  llm-auth login qwen
  llm-auth login gemini --client-file client_secret.json
  llm-auth login minimax --region cn --account work";

pub(super) const TOKEN: &str = "\
Examples:
  curl -H \"Authorization: Bearer $(llm-auth token qwen)\" ...
  llm-auth token gemini --json | jq .headers";

pub(super) const EXEC: &str = "\
Examples:
  llm-auth exec qwen my-agent --verbose
  llm-auth exec minimax --env ANTHROPIC_AUTH_TOKEN --api-base-env ANTHROPIC_BASE_URL -- my-agent
  llm-auth exec qwen --proxy --env OPENAI_API_KEY --api-base-env OPENAI_BASE_URL -- my-agent";

pub(super) const SERVE: &str = "\
Examples:
  llm-auth serve qwen minimax
  llm-auth serve qwen --port 8090 --write-key ~/.config/my-agent/key
  llm-auth exec qwen --proxy --env OPENAI_API_KEY --api-base-env OPENAI_BASE_URL -- my-agent";

pub(super) const KEEP: &str = "\
Examples:
  llm-auth keep qwen --file /run/user/1000/qwen-token
  llm-auth keep minimax --as anthropic-profile     for ANTHROPIC_PROFILE=minimax";

pub(super) const IMPORT: &str = "\
Examples:
  llm-auth import                        list the sessions of other programs
  llm-auth import qwen-code              show its user, and what sharing it would mean
  llm-auth import qwen-code --sign-in    start a new session (recommended)";

pub(super) const SETUP: &str = "\
Examples:
  llm-auth setup claude-code minimax            print the settings
  llm-auth setup codex work --write             merge them; the original file is kept
  llm-auth setup codex work --undo              take them back";
