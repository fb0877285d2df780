//! The providers, one row for each.

use std::fmt;
use std::sync::Arc;

use llm_auth::gemini::{Gemini, OAuthClient};
use llm_auth::github::GitHub;
use llm_auth::huggingface::HuggingFace;
use llm_auth::minimax::MiniMax;
use llm_auth::oidc::Server;
use llm_auth::openai::OpenAi;
use llm_auth::openrouter::OpenRouter;
use llm_auth::poe::Poe;
use llm_auth::qwen::Qwen;
use llm_auth_core::{ProviderSpec, printable};
use serde::Deserialize;

use super::args::ProviderArgs;

/// All providers, in the order in which they are listed.
pub(super) static ALL: [&Row; 8] = [
    &QWEN,
    &MINIMAX,
    &GEMINI,
    &HUGGINGFACE,
    &OPENROUTER,
    &POE,
    &GITHUB,
    &OPENAI,
];

/// A provider as the command knows it.
#[derive(Debug)]
pub(super) struct Row {
    /// The name as it is typed and stored.
    pub(super) name: &'static str,
    /// Another name that may be typed.
    pub(super) alias: Option<&'static str>,
    /// The name as a user knows it.
    pub(super) title: &'static str,
    /// What a sign-in is good for today; a sign-in prints it before it begins.
    pub(super) availability: &'static str,
    /// Whether it takes `--client-file`.
    pub(super) takes_client_file: bool,
    /// Whether it takes `--region`.
    pub(super) takes_region: bool,
    /// What to do without an OAuth client, if each user brings one.
    pub(super) client_advice: &'static str,
    /// What the user does to end copies of the tokens, if the provider does not support revocation
    /// and there is such a page.
    pub(super) how_to_end: Option<&'static str>,
    /// A scope besides the library's: the command distinguishes accounts by their owners.
    pub(super) identity_scope: Option<&'static str>,
    /// What the API of the provider speaks; any, if it is unknown, and `Some` of nothing if it is no
    /// API for models.
    pub(super) dialects: Option<&'static [Dialect]>,
    /// The provider.
    pub(super) spec: Spec,
}

/// Whose API an API for models is like.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Dialect {
    #[serde(rename = "openai")]
    OpenAi,
    Anthropic,
    Google,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OpenAi => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Google => "Google",
        })
    }
}

/// How a provider is made.
#[derive(Debug)]
pub(super) enum Spec {
    /// By the flags, with what is the user's own.
    Known(fn(&ProviderArgs, Own) -> Arc<dyn ProviderSpec>),
    /// As it is remembered.
    Server(Box<Server>),
}

impl Row {
    pub(super) fn spec(&self, args: &ProviderArgs, own: Own) -> Arc<dyn ProviderSpec> {
        match &self.spec {
            Spec::Known(make) => make(args, own),
            Spec::Server(server) => Arc::new(Server::clone(server)),
        }
    }

    /// A server that is remembered, for as long as the process lives.
    pub(super) fn of_server(server: Server) -> &'static Self {
        let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let title = match server.title.is_empty() {
            true => server.name.clone(),
            false => printable(&server.title),
        };
        let host = server.endpoints.token.host();
        Box::leak(Box::new(Self {
            name: leaked(server.name.clone()),
            alias: None,
            title: leaked(title),
            availability: leaked(format!("The tokens of this server come from {host}.")),
            takes_client_file: false,
            takes_region: false,
            client_advice: "run `llm-auth login oidc` again with --client-id",
            how_to_end: None,
            identity_scope: None,
            dialects: None,
            spec: Spec::Server(Box::new(server)),
        }))
    }
}

/// What a provider is made of that is the user's own.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) client: Option<OAuthClient>,
    pub(super) quota_project: Option<String>,
}

pub(super) static QWEN: Row = Row {
    name: "qwen",
    alias: None,
    title: "Qwen",
    availability: "Qwen ended its free sign-in on 2026-04-15: signing in may still work, but the \
                   API rejects the tokens of most accounts.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "",
    how_to_end: None,
    identity_scope: None,
    dialects: Some(&[Dialect::OpenAi]),
    spec: Spec::Known(|_args, _own| Arc::new(Qwen::default())),
};

pub(super) static MINIMAX: Row = Row {
    name: "minimax",
    alias: None,
    title: "MiniMax",
    availability: "The API accepts tokens only from accounts with a Token Plan. The default client is \
                   OpenClaw's, and the consent page names it; set LLM_AUTH_MINIMAX_CLIENT_ID to use \
                   your own.",
    takes_client_file: false,
    takes_region: true,
    client_advice: "",
    how_to_end: None,
    identity_scope: None,
    dialects: Some(&[Dialect::Anthropic]),
    spec: Spec::Known(|args, _own| Arc::new(MiniMax::new(args.region(), args.dialect))),
};

pub(super) static HUGGINGFACE: Row = Row {
    name: "huggingface",
    alias: Some("hf"),
    title: "Hugging Face",
    availability: "You need the client id of your own public OAuth app with the scope \
                   inference-api. API usage is billed to your account.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "register a public OAuth app at https://huggingface.co/settings/applications/new, then \
                    set LLM_AUTH_HUGGINGFACE_CLIENT_ID to its id",
    how_to_end: None,
    identity_scope: Some("email"),
    dialects: Some(&[Dialect::OpenAi]),
    spec: Spec::Known(|_args, _own| Arc::new(HuggingFace::default())),
};

pub(super) static OPENROUTER: Row = Row {
    name: "openrouter",
    alias: None,
    title: "OpenRouter",
    availability: "Open to all accounts. The session is an API key in your account, which does not \
                   expire.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "",
    how_to_end: Some("delete the key at https://openrouter.ai/settings/keys"),
    identity_scope: None,
    dialects: Some(&[Dialect::OpenAi]),
    spec: Spec::Known(|_args, _own| Arc::new(OpenRouter::default().key_label("llm-auth"))),
};

pub(super) static POE: Row = Row {
    name: "poe",
    alias: None,
    title: "Poe",
    availability: "You need the id of your own client. The session is an API key in your account; \
                   API usage is billed to that account.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "create a client at https://poe.com/api/clients, then set \
                    LLM_AUTH_POE_CLIENT_ID to its id",
    how_to_end: Some("delete the key at https://poe.com/api/keys"),
    identity_scope: None,
    dialects: Some(&[Dialect::OpenAi]),
    spec: Spec::Known(|_args, _own| Arc::new(Poe::default())),
};

pub(super) static GITHUB: Row = Row {
    name: "github",
    alias: Some("copilot"),
    title: "GitHub",
    availability: "You need the client id of your own GitHub App or OAuth App. Copilot takes the token \
                   through its SDK and CLI only, and needs a plan of yours.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "register a GitHub App with the device flow at https://github.com/settings/apps/new, \
                    then set LLM_AUTH_GITHUB_CLIENT_ID to its client id",
    how_to_end: Some("revoke the app at https://github.com/settings/applications"),
    identity_scope: None,
    dialects: Some(&[]),
    spec: Spec::Known(|_args, _own| Arc::new(GitHub::default())),
};

pub(super) static GEMINI: Row = Row {
    name: "gemini",
    alias: Some("google"),
    title: "Gemini",
    availability: "You need your own OAuth client (type \"Desktop app\"). API usage is billed to that \
                   client's project.",
    takes_client_file: true,
    takes_region: false,
    client_advice: "create an OAuth client of type \"Desktop app\" in the Google Cloud console, \
                    then run `llm-auth login gemini --client-file client_secret.json`",
    how_to_end: None,
    identity_scope: Some(llm_auth::gemini::SCOPE_EMAIL),
    dialects: Some(&[Dialect::Google]),
    spec: Spec::Known(|_args, own| {
        let gemini = own.client.map_or_else(Gemini::default, Gemini::with_client);
        Arc::new(match own.quota_project {
            Some(project) => gemini.quota_project(project),
            None => gemini,
        })
    }),
};

pub(super) static OPENAI: Row = Row {
    name: "openai",
    alias: Some("chatgpt"),
    title: "ChatGPT",
    availability: "For programs only, by the library: OpenAI's terms forbid a general-purpose command \
                   to use the user's plan.",
    takes_client_file: false,
    takes_region: false,
    client_advice: "",
    how_to_end: None,
    identity_scope: None,
    // Without a program's name it signs in no user.
    dialects: Some(&[Dialect::OpenAi]),
    spec: Spec::Known(|_args, _own| Arc::new(OpenAi::default())),
};
