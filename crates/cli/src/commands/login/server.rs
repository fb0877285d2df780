//! The server of `login oidc`: discovered, registered with and remembered before the sign-in.

use std::net::TcpListener;

use llm_auth::mcp::McpDiscovery;
use llm_auth::oidc::{Metadata, Preset, Registration, Server, ServerClient, discover_as, register};
use llm_auth_core::provider::{ClientAuth, Endpoints, LoopbackHost};
use llm_auth_core::{Clock as _, ErrorKind, HttpClient, SecureUrl, SystemClock, Timestamp};

use super::server_args::ServerArgs;
use crate::error::Failure;
use crate::providers::{ProviderName, servers};
use crate::session::directories;
use crate::session::selector::SessionSelector;
use crate::ui::streams::say;

/// The name that a server shows to users for a client that registers itself.
const CLIENT_NAME: &str = "llm-auth";

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
    remembered(found.server(name), found.metadata.as_ref(), args, http).await
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
    let before = servers::load(&server.name).map_err(|why| Failure::Config {
        message: format!("{}: {why}", server.name),
        advice: "delete that file, or choose another name with --name".into(),
    })?;
    if let Some(before) = &before {
        keep(&mut server, before, args)?;
    }
    apply(&mut server, args, metadata);
    with_client(&mut server, metadata, args, http).await?;
    servers::save(&server)?;
    Ok(ProviderName::of_server(server))
}

/// The client, in this order: the user's own, the one that is remembered, a document of the user's, a
/// new registration. A registered client whose secret or port is gone is registered again.
async fn with_client(
    server: &mut Server,
    metadata: Option<&Metadata>,
    args: &ServerArgs,
    http: &HttpClient,
) -> Result<(), Failure> {
    let takes_documents = metadata.is_some_and(|metadata| metadata.takes_client_documents);
    let document = args.client_document.as_ref().filter(|_| takes_documents);
    if let Some(client) = own_client(args, metadata)? {
        server.client = Some(client);
    } else if let Some(url) = document {
        server.client = Some(ServerClient::new(url.as_str()));
    }
    let is_over = |client: &ServerClient| {
        let has_expired = client.secret_expires_at.is_some_and(|at| {
            let at = Timestamp::from_unix_millis(
                i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(1000),
            );
            at <= SystemClock.now()
        });
        let is_registered = client.is_registered;
        args.register || is_registered && (has_expired || is_taken(&server.redirect.ports))
    };
    match &server.client {
        Some(client) if !is_over(client) => Ok(()),
        _ => registered(server, args, metadata, http).await,
    }
}

/// Whether another program listens on the one port that is registered.
fn is_taken(ports: &[u16]) -> bool {
    let taken = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_err();
    matches!(ports, [port] if taken(port))
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
    let is_same = match (&server.issuer, &before.issuer) {
        (Some(new), Some(old)) => new == old,
        _ => server.endpoints.token == before.endpoints.token,
    };
    if !is_same {
        let store = directories::open(&SessionSelector::default())?;
        let accounts = ProviderName::of_server(before.clone())
            .accounts(&store)
            .stored()?;
        if accounts.is_empty() {
            return Ok(());
        }
        return Err(Failure::Config {
            message: format!(
                "the name {} belongs to the server at {}, whose sessions are kept",
                before.name,
                before
                    .issuer
                    .clone()
                    .unwrap_or_else(|| before.endpoints.token.host())
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

fn own_client(
    args: &ServerArgs,
    metadata: Option<&Metadata>,
) -> Result<Option<ServerClient>, Failure> {
    let Some(id) = &args.client_id else {
        return Ok(None);
    };
    let mut client = ServerClient::new(id.clone());
    client.secret = args.client_secret()?;
    let listed = || metadata.map_or(ClientAuth::Post, Metadata::client_auth);
    client.auth = args.client_auth().unwrap_or_else(listed);
    Ok(Some(client))
}

/// Registers a client with one fixed port, because some servers compare the whole redirect URI.
async fn registered(
    server: &mut Server,
    args: &ServerArgs,
    metadata: Option<&Metadata>,
    http: &HttpClient,
) -> Result<(), Failure> {
    let Some(endpoint) = server.registration.clone() else {
        return Err(Failure::Config {
            message: format!(
                "{}: the client id is not set, and the server registers no clients",
                server.name
            ),
            advice: "register a client there and name it with --client-id".into(),
        });
    };
    if args.redirect_port.is_none() {
        server.redirect.ports = vec![free_port()?];
    }
    let redirect = &server.redirect;
    let host = match redirect.host {
        LoopbackHost::Localhost => "localhost",
        _ => "127.0.0.1",
    };
    let port = redirect.ports.first().copied().unwrap_or_default();
    let uri = format!("http://{host}:{port}{}", redirect.path);
    let mut registration = Registration::new(CLIENT_NAME, uri);
    registration.scope = Some(server.scope.clone()).filter(|scope| !scope.is_empty());
    if let Some(method) = metadata.and_then(secret_method) {
        registration.token_endpoint_auth_method = method.into();
    }
    let token = args.registration_token()?;
    let registered = match server.endpoints.device_authorization {
        None => register(http, &endpoint, &registration, token.as_ref()).await?,
        Some(_) => {
            let with_device = registration.clone().with_device();
            match register(http, &endpoint, &with_device, token.as_ref()).await {
                // Some servers register that grant for no client, or by another name (Glewlwyd).
                Err(error) if error.kind() == ErrorKind::Config && !server.prefers_device => {
                    let second = register(http, &endpoint, &registration, token.as_ref()).await;
                    second.map_err(|_same_words| error)?
                }
                first => first?,
            }
        }
    };
    server.client = Some(registered);
    Ok(())
}

/// How a client sends its secret to a server that lists no way without one: Glewlwyd registers a client
/// without a secret, and then requires the secret.
fn secret_method(metadata: &Metadata) -> Option<&'static str> {
    let listed = metadata.auth_methods.as_ref()?;
    let takes_none = listed.iter().any(|method| method == "none");
    (!takes_none).then(|| match metadata.client_auth() {
        ClientAuth::Basic => "client_secret_basic",
        _ => "client_secret_post",
    })
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

/// A port that is free now.
fn free_port() -> Result<u16, Failure> {
    let bound = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    bound
        .map(|address| address.port())
        .map_err(|error| Failure::Config {
            message: format!("cannot listen on this computer: {error}"),
            advice: "name a free port with --redirect-port".into(),
        })
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
