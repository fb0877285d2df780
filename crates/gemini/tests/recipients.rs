//! The credentials that each of Google's hosts receives, and what a response may repeat of them.
#![allow(clippy::unwrap_used, reason = "tests")]

use llm_auth_gemini::{AuthProvider as _, GeminiEndpoints, GeminiProvider, OAuthToken, SecureUrl};
use llm_auth_gemini::{OAuthClient, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const APIS: [&str; 3] = [
    "https://www.googleapis.com/upload/x",
    "https://generativelanguage.googleapis.com/x",
    "https://accounts.google.com/x",
];

fn session() -> OAuthToken {
    let mut session = OAuthToken::new("made-up-access".into(), Timestamp::default());
    session.refresh = Some("1//made-up-refresh-token".into());
    session.metadata.client_secret = Some("GOCSPX-made-up-secret".into());
    session
}

#[tokio::test]
async fn a_refresh_token_goes_to_no_host_of_google_s_other_apis() {
    for elsewhere in APIS {
        for server in [None, Some("https://oauth2.googleapis.com")] {
            let mut session = session();
            session.metadata.server = server.map(Into::into);
            let mut endpoints = GeminiEndpoints::default();
            endpoints.token = SecureUrl::new(elsewhere).unwrap();
            endpoints.revocation = SecureUrl::new(elsewhere).unwrap();
            let client = OAuthClient::new("id", Some("GOCSPX-made-up-secret".into()));
            let provider = GeminiProvider::builder()
                .client(client)
                .endpoints(endpoints)
                .build();
            for error in [
                provider.refresh(&session).await.unwrap_err(),
                provider.revoke(&session).await.unwrap_err(),
                provider.check_session(&session).unwrap_err(),
            ] {
                assert!(
                    error.to_string().contains("nothing of it was sent"),
                    "{error}"
                );
            }
        }
    }
    let google = GeminiProvider::builder().build();
    google.check_session(&session()).unwrap();
}

#[tokio::test]
async fn no_secret_of_the_session_comes_back_as_its_owner_s_name_or_in_an_error() {
    for repeated in [
        "1//made-up-refresh-token",
        "GOCSPX-made-up-secret",
        "made-up-access",
    ] {
        let bodies = [
            (
                "200 OK",
                format!(r#"{{"email":"{repeated}","id":"{repeated}","verified_email":true}}"#),
            ),
            (
                "400 Bad Request",
                format!(r#"{{"error":"x","error_description":"no {repeated}"}}"#),
            ),
        ];
        for (status, body) in bodies {
            let base = serve(status, body).await;
            let provider = GeminiProvider::builder()
                .endpoints(GeminiEndpoints::default().with_base(&base).unwrap())
                .trust_endpoint(base.parse().unwrap())
                .build();
            let said = format!(
                "{:?} {:?}",
                provider.userinfo(&session()).await,
                provider.check(&session()).await
            );
            assert!(!said.contains(repeated), "{said}");
        }
    }
}

/// A server with one response to all.
async fn serve(status: &str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let _gone = stream.write_all(response.as_bytes()).await;
        }
    });
    base
}
