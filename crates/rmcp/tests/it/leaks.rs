//! Servers that repeat the token.

use llm_auth_rmcp::SessionClient;

use super::world::{Reply, World, texts};

fn repeated(
    status: u16,
    kind: &'static str,
    with: impl Fn(&str) -> String,
) -> impl Fn(&str) -> Reply {
    move |token| {
        // Escaped in the words of RFC 9110 section 5.6.4.
        let (first, rest) = token.split_at(1);
        let scope = match kind {
            "application/json" => token.to_owned(),
            _ => format!("{first}\\{rest}"),
        };
        let challenge = format!(r#"Bearer error="insufficient_scope", scope="{scope}""#);
        let headers = vec![
            ("content-type", kind.to_owned()),
            ("www-authenticate", challenge),
            ("retry-after", token.to_owned()),
        ];
        (status, headers, with(token))
    }
}

fn error_of(message: &str, data: &str) -> String {
    format!(
        r#"{{"jsonrpc": "2.0", "id": 1, "error": {{"code": -1, "message": "{message}", "data": ["{data}"]}}}}"#
    )
}

#[tokio::test]
async fn no_error_shows_a_token_wherever_the_server_repeats_it() {
    const JSON: &str = "application/json";
    for status in [200, 400, 401, 403, 404, 429, 500, 503] {
        let bodies: [fn(&str) -> String; 5] = [
            |token| error_of(token, ""),
            |token| error_of("", token),
            |token| error_of(&format!("\\u006d{}", &token[1..]), ""),
            |token| format!(r#"{{"x": "{token}"}}"#),
            |token| token.to_owned(),
        ];
        for body in bodies {
            for kind in [JSON, "text/html", "made-up-access-1"] {
                let world = World::start().await;
                let client = SessionClient::new(world.signed_in().await);
                let client = world.connect(client).await.unwrap();
                let reply = repeated(status, kind, body);
                world.reply(move |authorization, message| {
                    let token = authorization.strip_prefix("Bearer ").unwrap();
                    message.contains("tools/call").then(|| reply(token))
                });
                let call = rmcp::model::CallToolRequestParams::new("greet");
                let error = client.call_tool(call).await.unwrap_err();
                let texts = texts(&error);
                assert!(!texts.contains("made-up-access"), "{status} {kind} {texts}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_shows_no_token() {
    let world = World::start().await;
    let client = SessionClient::new(world.signed_in().await);
    let running = world.connect(client.clone()).await.unwrap();
    world.vendor.refuse_for_ever();
    running.list_all_tools().await.unwrap_err();
    let shown = format!("{client:?} {running:?}");
    assert!(!shown.contains("made-up-access"), "{shown}");
}
