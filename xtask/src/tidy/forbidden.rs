//! Clients and endpoints that must not be shipped: those that their owners do not offer to third
//! parties.
//!
//! See docs/providers/not-supported.md.

use std::path::Path;

use super::{Findings, sources};

/// The beginnings of client ids, and endpoints.
const FORBIDDEN: [(&str, &str); 14] = [
    ("9d1c250a-", "Claude Code's client"),
    ("claude.ai/oauth", "Anthropic's subscriptions"),
    (
        "console.anthropic.com/v1/oauth",
        "Anthropic's subscriptions",
    ),
    ("platform.claude.com/v1/oauth", "Anthropic's subscriptions"),
    ("681255809395-", "Gemini CLI's client"),
    ("1071006060591-", "Antigravity's client"),
    ("app_EMoamEEZ", "Codex's client"),
    ("b1a00492-", "xAI's client"),
    ("auth.x.ai/oauth2", "xAI's endpoints"),
    ("17e5f671-", "Kimi's client"),
    ("auth.kimi.com/api/oauth", "Kimi's endpoints"),
    ("Iv1.b507a08c", "VS Code's client for Copilot"),
    (
        "api.github.com/copilot_internal",
        "GitHub Copilot's internal endpoint",
    ),
    ("1031625952748946", "Meta Muse Code's client"),
];

/// What the programs are made of.
const EXTENSIONS: [&str; 7] = ["rs", "json", "jsonl", "toml", "md", "mjs", "sh"];

pub(super) fn check(root: &Path) -> Result<Findings, String> {
    let mut findings = Findings::new();
    for file in sources::with_extension(root, &EXTENSIONS)? {
        if file.ends_with("tidy/forbidden.rs") {
            continue;
        }
        let text = sources::read(&file)?;
        for (at, line) in text.lines().enumerate() {
            for owner in owners(line) {
                let file = file.display();
                findings.push(format!("{file}:{}: {owner} must not be shipped", at + 1));
            }
        }
    }
    Ok(findings)
}

fn owners(line: &str) -> impl Iterator<Item = &'static str> {
    let found = FORBIDDEN
        .into_iter()
        .filter(|(text, _)| line.contains(text));
    found.map(|(_, owner)| owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_such_a_client_or_endpoint_is_found() {
        let line = r#"client_id: "9d1c250a-0000-made-up", token: "https://claude.ai/oauth/token""#;
        let found: Vec<_> = owners(line).collect();
        assert_eq!(found, ["Claude Code's client", "Anthropic's subscriptions"]);
        assert_eq!(owners("https://huggingface.co/oauth/token").count(), 0);
    }
}
