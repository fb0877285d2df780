//! The server of `login oidc` and `login mcp`: discovered and remembered before the sign-in.

use llm_auth::mcp::McpDiscovery;
use llm_auth::oidc::{Metadata, Preset, Server, discover_as};
use llm_auth_core::provider::Endpoints;
use llm_auth_core::{HttpClient, SecureUrl};

use super::client::with_client;
use super::server_args::ServerArgs;
use crate::error::Failure;
use crate::providers::{ProviderName, servers};
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::ui::streams::say;

/// The scopes of a sign-in that names none, as far as the server lists them: who the user is, and a
/// session that can be refreshed.
const USUAL_SCOPES: [&str; 3] = ["openid", "email", "offline_access"];

/// The server that the flags name, with what is remembered of it.
pub(super) async fn prepare(args: &ServerArgs, http: &HttpClient) -> Result<ProviderName, Failure> {
    let preset = args.preset()?;
    let name = name(args, preset.as_ref())?;
    let (server, metadata) = found(args, preset.as_ref(), &name, http).await?;
    let prepared = remembered(server, metadata.as_ref(), args, http).await;
    prepared.map_err(|failure| explained(failure, preset.as_ref()))
}

/// The MCP server at this URL.
pub(super) async fn prepare_mcp(
    url: &SecureUrl,
    args: &ServerArgs,
    http: &HttpClient,
) -> Result<ProviderName, Failure> {
    if let Some(flag) = args.of_described_servers() {
        let why =
            format!("{flag} is for `llm-auth login oidc`: an MCP server names its own sign-in");
        return Err(Failure::Usage(why));
    }
    let name = checked(
        args.name
            .as_ref()
            .map_or_else(|| of_host(url), |name| name.to_ascii_lowercase()),
    )?;
    let mut discovery = McpDiscovery::new(url.clone());
    if let Some(issuer) = &args.issuer {
        discovery = discovery.issuer(issuer);
    }
    if let Some(issuer) = &args.accept_issuer {
        discovery = discovery.accept_issuer(issuer);
    }
    let found = discovery.run(http).await?;
    if found.metadata.is_none() {
        say(&format!(
            "{} does not describe its sign-in; the places of the first MCP revision are used, and its \
             issuer cannot be checked.",
            url.host()
        ));
    }
    let mut server = found.server(name);
    // The server may want more than it did: a session keeps what it had (step-up).
    if let Some(before) = load(&server.name)?.filter(|before| is_same(&server, before)) {
        server.scope = united(&before.scope, &server.scope);
    }
    let scope = server.scope.clone();
    let (metadata, args) = (found.metadata.as_ref(), args.with_scope(scope));
    remembered(server, metadata, &args, http).await
}

/// The scopes of both, each once.
fn united(first: &str, second: &str) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for scope in first.split_whitespace().chain(second.split_whitespace()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes.join(" ")
}

fn load(name: &str) -> Result<Option<Server>, Failure> {
    servers::load(name).map_err(|why| Failure::Config {
        message: format!("{name}: {why}"),
        advice: "delete that file, or choose another name with --name".into(),
    })
}

/// A server that is remembered, with what the flags change, and a client that still works.
pub(super) async fn renew(
    server: &Server,
    args: &ServerArgs,
    http: &HttpClient,
) -> Result<ProviderName, Failure> {
    let mut server = server.clone();
    apply(&mut server, args, None);
    with_client(&mut server, None, args, http).await?;
    servers::save(&server)?;
    Ok(ProviderName::of_server(server))
}

/// The server with what is remembered of it, a client, and the flags; remembered from now on.
async fn remembered(
    mut server: Server,
    metadata: Option<&Metadata>,
    args: &ServerArgs,
    http: &HttpClient,
) -> Result<ProviderName, Failure> {
    if let Some(before) = load(&server.name)? {
        keep(&mut server, &before, args)?;
    }
    apply(&mut server, args, metadata);
    with_client(&mut server, metadata, args, http).await?;
    servers::save(&server)?;
    Ok(ProviderName::of_server(server))
}

/// The server as it describes itself, or as the preset or the flags do.
async fn found(
    args: &ServerArgs,
    preset: Option<&Preset>,
    name: &str,
    http: &HttpClient,
) -> Result<(Server, Option<Metadata>), Failure> {
    if let Some(preset) = preset {
        return Ok((preset.server(http, name).await?, None));
    }
    if let Some(token) = &args.token_endpoint {
        let mut endpoints = Endpoints::new(token.clone());
        endpoints
            .authorization
            .clone_from(&args.authorization_endpoint);
        endpoints
            .device_authorization
            .clone_from(&args.device_endpoint);
        endpoints.revocation.clone_from(&args.revocation_endpoint);
        let mut server = Server::new(name, endpoints);
        server.issuer.clone_from(&args.issuer);
        return Ok((server, None));
    }
    let Some(issuer) = &args.issuer else {
        return Err(Failure::Usage(
            "name the server with --issuer URL, --preset NAME or --token-endpoint URL".into(),
        ));
    };
    let named = args.accept_issuer.as_ref().unwrap_or(issuer);
    let metadata = discover_as(http, issuer, named).await?;
    let mut server = Server::discovered(name, &metadata);
    if metadata.scopes.iter().any(|scope| scope == "openid") {
        let listed = |scope: &&str| metadata.scopes.iter().any(|listed| listed == scope);
        let scopes: Vec<_> = USUAL_SCOPES.into_iter().filter(listed).collect();
        server.scope = scopes.join(" ");
        if scopes.contains(&"offline_access") {
            // OpenID Connect Core section 11: without it, the scope is ignored.
            let parameters = &mut server.authorization_parameters;
            parameters.insert("prompt".into(), "consent".into());
        }
    }
    Ok((server, Some(metadata)))
}

/// Takes over what is remembered and what the call does not name, if it is the same server.
fn keep(server: &mut Server, before: &Server, args: &ServerArgs) -> Result<(), Failure> {
    if !is_same(server, before) {
        let store = directories::open(&SessionSelector::default())?;
        let accounts = ProviderName::of_server(before.clone())
            .accounts(&store)
            .stored()?;
        if accounts.is_empty() {
            return Ok(());
        }
        return Err(Failure::Config {
            message: format!(
                "the name {} belongs to {}, whose sessions are kept",
                before.name,
                description(before)
            ),
            advice: format!(
                "choose another name with --name, or run `llm-auth logout {}` first",
                before.name
            ),
        });
    }
    if server.client.is_none() {
        server.client.clone_from(&before.client);
    }
    if before
        .client
        .as_ref()
        .is_some_and(|client| client.is_registered)
    {
        server.redirect = before.redirect.clone();
    }
    if args.scope.is_none() {
        server.scope.clone_from(&before.scope);
        server
            .authorization_parameters
            .clone_from(&before.authorization_parameters);
    }
    server.resource = server.resource.take().or_else(|| before.resource.clone());
    server.audience = server.audience.take().or_else(|| before.audience.clone());
    let api_base = &mut server.endpoints.api_base;
    *api_base = api_base
        .take()
        .or_else(|| before.endpoints.api_base.clone());
    Ok(())
}

/// Whether both are one server, whose tokens are for one API: a session of one must not go to the
/// other.
fn is_same(new: &Server, before: &Server) -> bool {
    let is_same_issuer = match (&new.issuer, &before.issuer) {
        (Some(new), Some(old)) => new == old,
        _ => new.endpoints.token == before.endpoints.token,
    };
    let apis = (&new.endpoints.api_base, &before.endpoints.api_base);
    let is_same_api = match apis {
        (Some(new), Some(old)) => new == old,
        _ => true,
    };
    is_same_issuer && is_same_api
}

/// Where a server is, and its API, for a message.
fn description(server: &Server) -> String {
    let at = server.issuer.clone();
    let at = at.unwrap_or_else(|| server.endpoints.token.host());
    match &server.endpoints.api_base {
        Some(api) => format!("the server at {at} for {api}"),
        None => format!("the server at {at}"),
    }
}

/// What the flags say.
fn apply(server: &mut Server, args: &ServerArgs, metadata: Option<&Metadata>) {
    if let Some(scope) = &args.scope {
        server.scope.clone_from(scope);
        let wants_offline = scope
            .split_whitespace()
            .any(|name| name == "offline_access");
        let knows_it =
            metadata.is_some_and(|metadata| metadata.scopes.iter().any(|name| name == "openid"));
        if wants_offline && knows_it {
            let parameters = &mut server.authorization_parameters;
            parameters.insert("prompt".into(), "consent".into());
        }
    }
    for (flag, member) in [
        (&args.resource, &mut server.resource),
        (&args.audience, &mut server.audience),
    ] {
        if flag.is_some() {
            member.clone_from(flag);
        }
    }
    if args.api_base.is_some() {
        server.endpoints.api_base.clone_from(&args.api_base);
    }
    if args.device {
        server.prefers_device = true;
    }
    if let Some(host) = args.redirect_host() {
        server.redirect.host = host;
    }
    if let Some(port) = args.redirect_port {
        server.redirect.ports = vec![port];
    }
    if let Some(path) = &args.redirect_path {
        server.redirect.path.clone_from(path);
    }
}

/// What the preset says of the client that each user brings.
fn explained(failure: Failure, preset: Option<&Preset>) -> Failure {
    match (failure, preset.and_then(|preset| preset.note.clone())) {
        (Failure::Config { message, advice }, Some(note)) => Failure::Config {
            message,
            advice: format!("{advice}. {note}"),
        },
        (failure, _) => failure,
    }
}

/// The name of the flag, of the preset, or the host of the issuer.
fn name(args: &ServerArgs, preset: Option<&Preset>) -> Result<String, Failure> {
    checked(
        match (&args.name, preset, &args.issuer, &args.token_endpoint) {
            (Some(name), ..) => name.to_ascii_lowercase(),
            (None, Some(preset), ..) => preset.name.clone(),
            (None, None, Some(issuer), _) => of_host(&SecureUrl::new(issuer)?),
            (None, None, None, Some(token)) => of_host(token),
            (None, None, None, None) => {
                return Err(Failure::Usage(
                    "name the server with --issuer URL, --preset NAME or --token-endpoint URL"
                        .into(),
                ));
            }
        },
    )
}

fn of_host(url: &SecureUrl) -> String {
    url.host().replace(':', "-").replace(['[', ']'], "")
}

fn checked(name: String) -> Result<String, Failure> {
    match servers::not_a_name(&name) {
        None => Ok(name),
        Some(why) => Err(Failure::Usage(format!(
            "the name {name:?} cannot be used: {why}; choose one with --name"
        ))),
    }
}
