//! The server of `login oidc` and `login mcp`: discovered and remembered before the sign-in.

use llm_auth::mcp::McpDiscovery;
use llm_auth::oidc::{Preset, Server, discover_as};
use llm_auth_core::provider::Endpoints;
use llm_auth_core::{FlowKind, HttpClient, SecureUrl};

use super::client::{needs_client, register_client};
use super::names::{load, sign_outs, taken, taken_by_another};
use super::server_args::{ServerArgs, is_file};
use crate::error::{Failure, chain};
use crate::providers::servers::description;
use crate::providers::{ProviderArgs, ProviderName, servers};
use crate::session::selector::SessionSelector;
use crate::session::stores;
use crate::ui::streams::say;

/// The scopes of a sign-in that names none, as far as the server lists them: who the user is, and a
/// session that can be refreshed.
const USUAL_SCOPES: [&str; 3] = ["openid", "email", "offline_access"];

/// What a sign-in has besides the flags about its server.
pub(super) struct Call<'a> {
    pub(super) http: &'a HttpClient,
    pub(super) provider_args: &'a ProviderArgs,
}

/// The server that the flags name, with what is remembered of it.
pub(super) async fn prepare(args: &ServerArgs, call: &Call<'_>) -> Result<Prepared, Failure> {
    let preset = args.preset()?;
    let name = name(args, preset.as_ref())?;
    let (server, takes_documents) = found(args, preset.as_ref(), &name, call).await?;
    if args.name.is_none() {
        check_no_mcp(&server)?;
    }
    let note = preset.and_then(|preset| preset.note);
    remembered(server, takes_documents, args, note.as_deref(), call).await
}

/// The MCP server at this URL.
pub(super) async fn prepare_mcp(
    url: &SecureUrl,
    args: &ServerArgs,
    call: &Call<'_>,
) -> Result<Prepared, Failure> {
    if let Some(flag) = args.of_described_servers() {
        let why =
            format!("{flag} is for `llm-auth login oidc`: an MCP server names its own sign-in");
        return Err(Failure::Usage(why));
    }
    if let Some(flag) = args.with_a_secret()
        && args.issuer.is_none()
    {
        return Err(Failure::Usage(format!(
            "{flag} is for one authorization server, and the MCP server may name any: add --issuer URL"
        )));
    }
    let name = args.name.as_ref();
    let name = name.map_or_else(|| of_host(url), |name| name.to_ascii_lowercase());
    let mut discovery = McpDiscovery::new(url.clone());
    if let Some(issuer) = &args.issuer {
        discovery = discovery.issuer(issuer);
    }
    if let Some(issuer) = &args.accept_issuer {
        discovery = discovery.accept_issuer(issuer);
    }
    let name = checked(name)?;
    let found = discovery.run(call.http).await?;
    if found.metadata.is_none() {
        say(&format!(
            "{} does not describe its sign-in; the places of the first MCP revision are used, and its \
             issuer cannot be checked.",
            url.host()
        ));
    }
    let server = found.server(name);
    // The server may want more than it did: a session keeps what it had (step-up).
    let former = load(&server.name)?.filter(|before| server.is_same(before));
    let former = former.map(|before| before.scope).unwrap_or_default();
    let args = args.with_scope(united(&former, &server.scope));
    let metadata = found.metadata.as_ref();
    let takes_documents = metadata.is_some_and(|metadata| metadata.takes_client_documents);
    remembered(server, takes_documents, &args, None, call).await
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

/// A server that is remembered, with what the flags change, and a client that still works.
pub(super) async fn renew(
    before: &Server,
    args: &ServerArgs,
    call: &Call<'_>,
) -> Result<Prepared, Failure> {
    if let Some(flag) = args.naming_a_server() {
        return Err(Failure::Usage(format!(
            "{flag} names a server, and {} is remembered: use it with `llm-auth login oidc` or `mcp`",
            before.name
        )));
    }
    let server = before.clone();
    with_flags(server, Some(before.clone()), false, args, None, call).await
}

/// The server with what is remembered of it, a client, and the flags.
async fn remembered(
    mut server: Server,
    takes_documents: bool,
    args: &ServerArgs,
    note: Option<&str>,
    call: &Call<'_>,
) -> Result<Prepared, Failure> {
    let before = load(&server.name)?;
    let is_same = |before: &&Server| server.is_same(before) && server.is_mcp == before.is_mcp;
    let same = before.as_ref().filter(is_same);
    match (&before, same) {
        (_, Some(before)) => server.take_over(before),
        (Some(before), None) => return Err(taken(before, &server)),
        // Its file is gone, and the sessions of its name may be another server's.
        (None, None) => check_sessions(&server)?,
    }
    let same = same.cloned();
    with_flags(server, same, takes_documents, args, note, call).await
}

/// The server as the flags change it. A client that is registered for it is remembered from now on; all
/// else when the session is stored (`commit.rs`).
async fn with_flags(
    mut server: Server,
    mut before: Option<Server>,
    takes_documents: bool,
    args: &ServerArgs,
    note: Option<&str>,
    call: &Call<'_>,
) -> Result<Prepared, Failure> {
    apply(&mut server, args);
    if let Some(kind) = call.provider_args.flow {
        server.prefers_device = kind == FlowKind::Device;
    }
    // What is wrong with the call would leave a client that is registered first.
    server.check()?;
    let endpoints = &server.endpoints;
    if endpoints.authorization.is_none() && endpoints.device_authorization.is_none() {
        return Err(Failure::Config {
            message: format!(
                "{}: the server names no authorization endpoint and none for device codes",
                server.name
            ),
            advice: "ask its operator, or name an endpoint with --token-endpoint and \
                     --authorization-endpoint or --device-endpoint"
                .into(),
        });
    }
    ProviderName::of_server(server.clone()).check_flags(call.provider_args)?;
    if let Some(before) = &before
        && !server.goes_where(before)
    {
        check_unused(before, &server)?;
    }
    // What cannot be written would lose a client that is registered first.
    servers::check_writable(&server.name)?;
    let registers = needs_client(&mut server, before.as_ref(), takes_documents, args)?;
    if registers {
        before = Some(with_registration(&mut server, before, args, note, call).await?);
    }
    Ok(Prepared {
        provider: ProviderName::of_server(server),
        before,
        has_new_client: registers,
    })
}

/// Registers a client, and returns the server that is remembered with it. Sign-ins that need one at
/// the same time register one each only if their user demands that.
async fn with_registration(
    server: &mut Server,
    before: Option<Server>,
    args: &ServerArgs,
    note: Option<&str>,
    call: &Call<'_>,
) -> Result<Server, Failure> {
    let _registering = servers::hold_registration(&server.name).await?;
    let is_same = |now: &Server| server.is_same(now) && server.is_mcp == now.is_mcp;
    let now = load(&server.name)?;
    if let Some(now) = now.filter(|now| is_same(now) && before.as_ref() != Some(now))
        && now.client.is_some()
        && !args.register
    {
        server.take_over(&now);
        apply(server, args);
        // Its port may be in use by the sign-in that registered it.
        if !needs_client(server, Some(&now), false, args)? {
            return Ok(now);
        }
    }
    register_client(server, args, note, call.http).await?;
    let _held = servers::hold(&server.name).await?;
    let mut kept = match load(&server.name)? {
        Some(now) if server.is_same(&now) && server.is_mcp == now.is_mcp => now,
        Some(now) => return Err(taken_by_another(&now)),
        None => before.unwrap_or_else(|| server.clone()),
    };
    kept.client.clone_from(&server.client);
    kept.redirect = server.redirect.clone();
    servers::save(&kept)?;
    Ok(kept)
}

/// What is signed in to.
pub(super) struct Prepared {
    pub(super) provider: ProviderName,
    /// The server as it is remembered during the sign-in.
    pub(super) before: Option<Server>,
    /// Its client was registered for this sign-in.
    pub(super) has_new_client: bool,
}

impl Prepared {
    /// A provider of which nothing is remembered.
    pub(super) fn known(provider: ProviderName) -> Self {
        Self {
            provider,
            before: None,
            has_new_client: false,
        }
    }
}

/// The server as it describes itself, or as the preset or the flags do, and whether it takes a document
/// in place of a client id.
async fn found(
    args: &ServerArgs,
    preset: Option<&Preset>,
    name: &str,
    call: &Call<'_>,
) -> Result<(Server, bool), Failure> {
    if let Some(preset) = preset {
        let server = preset.server(call.http, name).await;
        return Ok((server.map_err(|error| args.of_preset(error))?, false));
    }
    if let Some(token) = &args.token_endpoint {
        if args.authorization_endpoint.is_none() && args.device_endpoint.is_none() {
            return Err(Failure::Usage(
                "--token-endpoint takes the place of what the server says of itself: name \
                 --authorization-endpoint or --device-endpoint too, or only --issuer"
                    .into(),
            ));
        }
        let mut endpoints = Endpoints::new(token.clone());
        for (member, flag) in [
            (&mut endpoints.authorization, &args.authorization_endpoint),
            (&mut endpoints.device_authorization, &args.device_endpoint),
            (&mut endpoints.revocation, &args.revocation_endpoint),
        ] {
            member.clone_from(flag);
        }
        let mut server = Server::new(name, endpoints);
        server.issuer.clone_from(&args.issuer);
        return Ok((server, false));
    }
    let Some(issuer) = &args.issuer else {
        return Err(unnamed());
    };
    let named = args.accept_issuer.as_ref().unwrap_or(issuer);
    let metadata = discover_as(call.http, issuer, named).await?;
    let mut server = Server::discovered(name, &metadata);
    let lists = |scope: &&str| metadata.scopes.iter().any(|listed| listed == scope);
    if lists(&"openid") {
        let scopes: Vec<_> = USUAL_SCOPES.into_iter().filter(lists).collect();
        server.scope = scopes.join(" ");
    }
    Ok((server, metadata.takes_client_documents))
}

fn unnamed() -> Failure {
    Failure::Usage(
        "name the server with --issuer URL, --preset NAME or --token-endpoint URL".into(),
    )
}

/// Refuses to lead the sessions of a server elsewhere while one is stored.
fn check_unused(before: &Server, now: &Server) -> Result<(), Failure> {
    let store = stores::open(&SessionSelector::default())?;
    let provider = ProviderName::of_server(before.clone());
    let stored = provider.accounts(&store).stored()?;
    if stored.is_empty() {
        return Ok(());
    }
    Err(Failure::Config {
        message: format!(
            "the sessions of {} are for {}, and could not be used with what {}",
            before.name,
            description(before),
            match now.has_same_endpoints(before) {
                true => "this call changes",
                false => "the server now names as its endpoints",
            }
        ),
        advice: format!(
            "sign out of them first: {}; or sign in under another name",
            sign_outs(&stored).join(", ")
        ),
    })
}

/// Refuses to take the name of an MCP server for the server that signs its users in, which may be at
/// the same host, unless the user names it.
fn check_no_mcp(server: &Server) -> Result<(), Failure> {
    match load(&server.name)? {
        Some(before) if before.is_mcp && !server.is_mcp => Err(Failure::Config {
            message: format!(
                "the name {} belongs to {}",
                before.name,
                description(&before)
            ),
            advice: "choose another name with --name".into(),
        }),
        _ => Ok(()),
    }
}

/// Refuses to give a name to a server while a session of another one is stored under it.
fn check_sessions(server: &Server) -> Result<(), Failure> {
    let store = stores::open(&SessionSelector::default())?;
    let name = ProviderName::of_server(server.clone());
    for key in name.accounts(&store).stored()? {
        let session = store.read(&key).ok().flatten();
        let refused = session.and_then(|session| server.check_issued(&session).err());
        if let Some(error) = refused {
            return Err(Failure::Config {
                message: format!(
                    "{key}: a session of another server is stored: {}",
                    chain(&error)
                ),
                advice: "choose another name with --name".into(),
            });
        }
    }
    Ok(())
}

/// What the flags say.
fn apply(server: &mut Server, args: &ServerArgs) {
    if let Some(scope) = &args.scope {
        server.scope.clone_from(scope);
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

/// The name of the flag, of the preset, or the host of the issuer.
fn name(args: &ServerArgs, preset: Option<&Preset>) -> Result<String, Failure> {
    checked(
        match (&args.name, preset, &args.issuer, &args.token_endpoint) {
            (Some(name), ..) => name.to_ascii_lowercase(),
            (None, Some(preset), ..) => return of_preset(args, preset),
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

/// The name that a preset gives its server.
fn of_preset(args: &ServerArgs, preset: &Preset) -> Result<String, Failure> {
    let name = &preset.name;
    match (servers::not_a_name(name), &args.preset) {
        (None, _) => Ok(name.clone()),
        (Some(why), Some(file)) if is_file(file) => Err(Failure::Config {
            message: format!("{file}: its member `name`, {name:?}, cannot be used: {why}"),
            advice: "correct that file, or choose another name with --name".into(),
        }),
        (Some(_), _) => checked(name.clone()),
    }
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
