//! The client at a server that the call names: the user's own, or one that registers itself.

use std::net::TcpListener;

use llm_auth::oidc::{Registration, Server, ServerClient, register};
use llm_auth_core::provider::LoopbackHost;
use llm_auth_core::{Clock as _, Error, ErrorKind, HttpClient, SystemClock, Timestamp};

use super::server_args::ServerArgs;
use crate::error::{Failure, chain};

/// The name that a server shows to users for a client that registers itself.
const CLIENT_NAME: &str = "llm-auth";

/// Chooses the client, in this order: the user's own, a document of the user's, the one that is
/// remembered. Returns whether a new one must be registered: there is none, or the secret or the port of
/// a registered one is gone.
pub(super) fn needs_client(
    server: &mut Server,
    before: Option<&Server>,
    takes_documents: bool,
    args: &ServerArgs,
) -> Result<bool, Failure> {
    let document = args.client_document.as_ref().filter(|_| takes_documents);
    if let Some(client) = own_client(server, args)? {
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
        // The flags may name a redirect URI that was not registered.
        let is_elsewhere = before.is_some_and(|before| before.redirect != server.redirect);
        let is_gone = has_expired || is_elsewhere || is_taken(&server.redirect.ports);
        args.register || client.is_registered && is_gone
    };
    Ok(server.client.as_ref().is_none_or(is_over))
}

/// Whether another program listens on the one port that is registered.
fn is_taken(ports: &[u16]) -> bool {
    let taken = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_err();
    matches!(ports, [port] if taken(port))
}

fn own_client(server: &Server, args: &ServerArgs) -> Result<Option<ServerClient>, Failure> {
    let Some(id) = &args.client_id else {
        return Ok(None);
    };
    let mut client = ServerClient::new(id.clone());
    client.secret = args.client_secret()?;
    client.auth = args.client_auth().unwrap_or_else(|| server.client_auth());
    Ok(Some(client))
}

/// Registers a client with one fixed port, because some servers compare the whole redirect URI.
pub(super) async fn register_client(
    server: &mut Server,
    args: &ServerArgs,
    note: Option<&str>,
    http: &HttpClient,
) -> Result<(), Failure> {
    let Some(endpoint) = server.registration.clone() else {
        let why = match args.register {
            true => "the server registers no clients",
            false => "the client id is not set, and the server registers no clients",
        };
        return Err(Failure::Config {
            message: format!("{}: {why}", server.name),
            advice: match note {
                None => "register a client there and name it with --client-id".to_owned(),
                Some(note) => format!("name your client with --client-id. {note}"),
            },
        });
    };
    if args.redirect_port.is_none() {
        // Those of a preset are what the server accepts.
        let mut ports = server.redirect.ports.iter().copied();
        let free = ports.find(|port| !is_taken(&[*port]));
        server.redirect.ports = vec![free.map_or_else(free_port, Ok)?];
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
    registration.token_endpoint_auth_method = server.registered_auth().into();
    let token = args.registration_token()?;
    let registered = match server.endpoints.device_authorization {
        None => register(http, &endpoint, &registration, token.as_ref()).await,
        Some(_) => {
            let with_device = registration.clone().with_device();
            match register(http, &endpoint, &with_device, token.as_ref()).await {
                // Some servers register that grant for no client, or by another name (Glewlwyd).
                Err(error) if is_about_content(&error) && !server.prefers_device => {
                    let second = register(http, &endpoint, &registration, token.as_ref()).await;
                    second.map_err(|_same_words| error)
                }
                first => first,
            }
        }
    };
    server.client = Some(registered.map_err(|error| match error.kind() {
        ErrorKind::Config if !error.is_about_proxy() => Failure::Config {
            message: chain(&error),
            advice: "register a client at the server yourself, and name it with --client-id; if the \
                     server wants a token for it, name its file with --registration-token-file"
                .into(),
        },
        _ => error.into(),
    })?);
    Ok(())
}

/// Whether a registration was rejected for what it says, and not for who sends it: another one may be
/// accepted (RFC 7591 section 3.2.2).
fn is_about_content(error: &Error) -> bool {
    error.kind() == ErrorKind::Config && !matches!(error.status(), Some(401 | 403))
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
