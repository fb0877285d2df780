//! `llm-auth login`.

mod ask_provider;
mod client;
mod commit;
mod failed;
mod names;
mod policy;
mod server;
mod server_args;
mod sign_in;
mod target;

use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Args;
use llm_auth_core::{Error, ErrorKind, FlowKind, SecureUrl, SessionKey, Timestamp, printable};

use self::commit::Commit;
use self::failed::{advise_registration, of_new_client};
use self::policy::Policy;
use self::server::{Call, Prepared};
use self::server_args::ServerArgs;
use self::sign_in::{Login, SignedIn};
pub(crate) use self::target::Target;
use crate::args::SessionArgs;
use crate::error::{Failure, chain};
use crate::providers::{FlowName, ProviderArgs, ProviderName, api_base, careful_client, trust};
use crate::session::command_line::command_line;
use crate::session::resolve;
use crate::session::runtime;
use crate::session::selector::SessionSelector;
use crate::session::stores::{self, SessionStore};
use crate::system::location::Location;
use crate::time;
use crate::time::rfc3339;
use crate::ui::events::Event;
use crate::ui::login_prompt;
use crate::ui::login_prompt::LoginPrompt;
use crate::ui::streams::say;

#[derive(Args, Clone, Debug)]
pub(crate) struct LoginArgs {
    /// The provider; without it, the command asks at a terminal.
    #[arg(ignore_case = true, value_name = "PROVIDER", value_parser = Target::parser())]
    pub(crate) provider: Option<Target>,

    /// The MCP server (`mcp`), by its URL or the name under which it is remembered.
    #[arg(value_name = "URL", value_parser = server_args::mcp_server)]
    url: Option<SecureUrl>,

    #[command(flatten)]
    pub(crate) selector: SessionSelector,

    #[command(flatten)]
    provider_args: ProviderArgs,

    /// Print JSON events to standard output, one per line.
    #[arg(long)]
    pub(crate) json: bool,

    /// Open a browser even if it may not be visible, such as over SSH.
    #[arg(long, conflicts_with = "no_browser")]
    browser: bool,

    /// Do not open a browser.
    #[arg(long)]
    no_browser: bool,

    /// How to sign in, if the provider supports both.
    #[arg(long, value_enum, value_name = "WAY")]
    flow: Option<FlowName>,

    /// Give up after this time [default: 300 in the browser; with a device code, its lifetime,
    /// which this can only shorten].
    #[arg(long, value_name = "SECONDS", value_parser = time::seconds, allow_negative_numbers = true)]
    timeout: Option<Duration>,

    #[command(flatten)]
    server: Box<ServerArgs>,

    /// How often other sign-ins at the same moment have taken the port of this one.
    #[arg(skip)]
    lost_ports: u8,
}

/// How many ports a sign-in may lose to others: each of them has its own at last.
const MOST_LOST_PORTS: u8 = 5;

impl LoginArgs {
    /// What makes the provider, with the way to sign in.
    pub(crate) fn provider_args(&self) -> ProviderArgs {
        let flow = self.flow.map(FlowKind::from);
        ProviderArgs {
            flow: flow.or_else(|| self.server.device.then_some(FlowKind::Device)),
            ..self.provider_args.clone()
        }
    }

    /// A sign-in as another command begins it.
    pub(crate) fn new(session: SessionArgs, provider_args: ProviderArgs, json: bool) -> Self {
        Self {
            provider: Some(Target::Provider(session.provider)),
            url: None,
            selector: session.selector,
            provider_args,
            json,
            browser: false,
            no_browser: false,
            flow: None,
            timeout: None,
            server: Box::default(),
            lost_ports: 0,
        }
    }
}

pub(crate) fn run(args: &LoginArgs) -> Result<(), Failure> {
    login_prompt::restore();
    let prepared = provider(args)?;
    let provider = prepared.provider;
    let session = SessionArgs {
        provider,
        selector: args.selector.clone(),
    };
    let store = stores::open(&session.selector)?;
    stores::check(&session.selector)?;
    let key = session
        .provider
        .accounts(&store)
        .meant_for_login(&session.selector)?;
    let provider_args = ProviderArgs {
        login_hint: [session.selector.account.as_deref(), Some(key.account())]
            .into_iter()
            .flatten()
            .find(|name| resolve::is_address(name))
            .map(str::to_owned),
        ..args.provider_args()
    };
    let configured = provider.configure(&provider_args, None, args.timeout)?;
    provider.check_login(&provider_args)?;
    let places = trust::SignIn::judged(provider, &provider_args)?;
    if provider.sends_client_secret(&provider_args)? {
        places.check_secret_way()?;
    }
    let named = provider.accounts(&store).named(&session.selector)?;
    let login = Login {
        provider,
        configured,
        store,
        policy: Policy { key, named },
        managers: Mutex::default(),
        commit: Arc::new(Commit::new(provider.server(), prepared.before)),
    };

    let wish = (args.browser || args.no_browser).then_some(args.browser);
    let prompt = LoginPrompt::new(args.json, Location::detect(), wish);
    let interrupted = || {
        prompt.end();
        login.after_interruption()
    };
    let work = async {
        let pending = login.begin().await?;
        if let Some(event) = places.event(provider).filter(|_| args.json) {
            event.print()?;
        }
        prompt.title(&format!("Sign in to {}", provider.title()));
        if let Some(line) = places.line(provider) {
            prompt.say(&line);
        }
        prompt.say(provider.availability());
        if let Some(notice) = login.policy.notice(pending.stored()) {
            prompt.say(&notice);
        }
        tokio::select! {
            biased;
            signed_in = login.finish(pending, &prompt) => signed_in,
            failure = prompt.cut_off() => Err(failure),
            never = prompt.attend() => match never {},
        }
    };
    let signed_in = runtime::run(|| login.managers(), work, interrupted);
    prompt.end();
    if signed_in.is_err() {
        login.commit.settle(login.stored_in().is_some());
    }
    if let Err(Failure::Session(error)) = &signed_in
        && let Some(again) = with_another_port(args, provider, error)
    {
        say("Another sign-in uses the port of this client; another client is registered.");
        return run(&again);
    }
    let signed_in = signed_in.map_err(|failure| match prepared.has_new_client {
        true => of_new_client(failure),
        false => {
            advise_registration(&failure, provider, &args.selector);
            failure
        }
    })?;
    conclude(args.json, &args.selector, &login, &signed_in)
}

/// The same call with a new client, if that of another sign-in at the same moment has taken the port.
fn with_another_port(args: &LoginArgs, provider: ProviderName, error: &Error) -> Option<LoginArgs> {
    let client = provider.server()?.client.as_ref()?;
    let may_register = args.lost_ports < MOST_LOST_PORTS && args.server.redirect_port.is_none();
    let source = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    let is_taken = source.is_some_and(|source| source.kind() == io::ErrorKind::AddrInUse)
        && error.kind() == ErrorKind::Callback
        && client.is_registered;
    let mut again = args.clone();
    again.server.register = true;
    again.lost_ports += 1;
    (is_taken && may_register).then_some(again)
}

/// The provider that is signed in to; a server is found, and remembered, before anything else.
fn provider(args: &LoginArgs) -> Result<Prepared, Failure> {
    let provider = match args.provider {
        Some(Target::Provider(provider)) => Some(provider),
        Some(Target::Server | Target::Mcp) => None,
        None => Some(ask_provider::ask()?),
    };
    let known = provider.and_then(ProviderName::server);
    match (provider, known) {
        (Some(_), _) if args.url.is_some() => {
            let why = "a URL is for `llm-auth login mcp URL` only".to_owned();
            return Err(Failure::Usage(why));
        }
        (Some(provider), None) => {
            return match args.server.given() {
                None => Ok(Prepared::known(provider)),
                Some(flag) => {
                    let variables = match flag {
                        "--client-id" | "--client-secret-file" => format!(
                            "; that of {} is set with {}, if it takes one",
                            provider.title(),
                            provider.variables().name("CLIENT_ID")
                        ),
                        _ => String::new(),
                    };
                    Err(Failure::Usage(format!(
                        "{flag} is for servers of your own: `llm-auth login oidc` or `mcp`{variables}"
                    )))
                }
            };
        }
        _ => {}
    }
    // The registration token of the user goes the way of a stored session.
    let http = careful_client(&args.provider_args.trust, None)?;
    let interrupted = || "interrupted; nothing was changed".to_owned();
    let provider_args = args.provider_args();
    let call = Call {
        http: &http,
        provider_args: &provider_args,
    };
    let work = async {
        match (known, args.provider) {
            (Some(server), _) => server::renew(server, &args.server, &call).await,
            (None, Some(Target::Mcp)) => {
                let Some(url) = &args.url else {
                    let why = "name the MCP server: llm-auth login mcp URL".to_owned();
                    return Err(Failure::Usage(why));
                };
                server::prepare_mcp(url, &args.server, &call).await
            }
            _ if args.url.is_some() => {
                let why = "name the server with --issuer URL".to_owned();
                Err(Failure::Usage(why))
            }
            _ => server::prepare(&args.server, &call).await,
        }
    };
    let is_mcp = matches!(args.provider, Some(Target::Mcp));
    runtime::run(Vec::new, work, interrupted).map_err(|failure| of_naming(failure, is_mcp))
}

/// A server that was not found is one that was not named as it should be.
fn of_naming(failure: Failure, is_mcp: bool) -> Failure {
    match failure {
        Failure::Session(error) if error.is_about_proxy() => Failure::Session(error),
        Failure::Session(error) if error.kind() == ErrorKind::Config => {
            Failure::Usage(chain(&error))
        }
        Failure::Session(error) if error.kind() == ErrorKind::Protocol => Failure::Config {
            message: chain(&error),
            advice: match is_mcp {
                true => {
                    "check the URL, and use the one that the server names if it names another; if only \
                     its issuer differs, and you know it, add --accept-issuer NAME"
                }
                false => {
                    "check the issuer, the preset or the URL that names the server; if it does not \
                     describe itself, name its endpoints with --token-endpoint and those beside it; if \
                     it names itself otherwise, and you know it, add --accept-issuer NAME"
                }
            }
            .into(),
        },
        failure => failure,
    }
}

/// Prints who is signed in, the file of the session and its expiry; never a token.
fn conclude(
    json: bool,
    selector: &SessionSelector,
    login: &Login,
    signed_in: &SignedIn,
) -> Result<(), Failure> {
    let (provider, store) = (login.provider, &login.store);
    let SignedIn { manager, stored } = signed_in;
    let token = &stored.token;
    let key = manager.key();
    let file = file(store, key);
    let who = token.metadata.identity.as_deref().map(printable);
    let expires_at = token.expires_at.and_then(rfc3339);
    let as_whom = who
        .as_ref()
        .map(|who| format!(" as {who}"))
        .unwrap_or_default();
    let (before, after) = match stores::kind(selector) {
        "keyring" => ("the keyring, by ", ""),
        "encrypted" => ("", ", encrypted"),
        _ => ("", ""),
    };
    say(&format!(
        "Signed in to {}{as_whom}. The session is stored in {before}{file}{after}.",
        provider.title()
    ));
    if provider.server().is_some() {
        let name = provider.name();
        // Which account a call without one means.
        let current = provider.accounts(store).current();
        let is_meant = selector.store.is_some() || current.is_ok_and(|current| current == *key);
        let selector = SessionSelector {
            account: (!is_meant).then(|| key.account().to_owned()),
            store: selector.store.clone(),
        };
        say(&format!(
            "Other commands know it as {name}: `{}`.",
            command_line("token", Some(name), &selector, &[])
        ));
    }
    let until = expires_at.as_deref().unwrap_or("an out-of-range date");
    say(&match token.refresh {
        _ if token.expires_at.is_none() => "The access token does not expire.".to_owned(),
        _ if time::has_expired(token) => time::expired_on_arrival(token),
        Some(_) => {
            format!("The access token is valid until {until}, and is refreshed on demand.")
        }
        None => {
            format!(
                "The access token is valid until {until}; the provider issued no refresh token."
            )
        }
    });
    let kept_aside = stored
        .replaced_unreadable
        .then(|| store.kept_aside(key))
        .flatten();
    if let Some(aside) = &kept_aside {
        let what = match store.is_on_server() {
            true => "What was stored before could not be read and",
            false => "The previous content of the file",
        };
        say(&format!("{what} is kept in {aside}."));
    }
    let notification = token.notification.as_deref().map(printable);
    if let Some(message) = &notification {
        say(&format!("Message from {}: {message}", provider.title()));
    }
    if !json {
        return Ok(());
    }
    Event::SignedIn {
        provider: provider.name(),
        account: key.account(),
        store: &file,
        identity: who,
        expires_at,
        expires_at_ms: token.expires_at.map(Timestamp::as_unix_millis),
        scope: token.scope.as_deref().map(printable),
        api_base: api_base(&login.configured, token),
        notification,
        replaced: stored.replaced.is_some(),
        kept_aside,
    }
    .print()
}

fn file(store: &SessionStore, key: &SessionKey) -> String {
    store.place(key)
}
