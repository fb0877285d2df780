//! Google: the authorization code, and what guards it.

use std::time::Duration;

use llm_auth_testkit::{Approval, Testkit};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::client::{
    CHALLENGE, Fields, VERIFIER, ask, automatic, header, hidden, request, send, text, with,
};

const AUTH: &str = "/o/oauth2/v2/auth";
const REDIRECT: &str = "http://127.0.0.1:49152/oauth2callback";
const SCOPE: &str = "openid https://www.googleapis.com/auth/generative-language.retriever";
const ID: &str = "testkit.apps.googleusercontent.com";
const SECRET: &str = "testkit-not-a-secret";

fn auth_query() -> Fields<'static> {
    vec![
        ("response_type", "code"),
        ("client_id", ID),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "s+/=&%"),
        ("access_type", "offline"),
        ("prompt", "consent"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]
}

fn exchange_form(code: &str) -> Fields<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", ID),
        ("client_secret", SECRET),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ]
}

fn refresh_form(token: &str) -> Fields<'_> {
    vec![
        ("grant_type", "refresh_token"),
        ("client_id", ID),
        ("client_secret", SECRET),
        ("refresh_token", token),
    ]
}

async fn visit(kit: &Testkit, query: &[(&str, &str)]) -> reqwest::Response {
    let mut url = Url::parse(kit.base_url()).unwrap();
    url.set_path(AUTH);
    url.query_pairs_mut().extend_pairs(query);
    let path = url
        .as_str()
        .strip_prefix(kit.base_url())
        .unwrap()
        .to_owned();
    request(kit, Method::GET, &path).send().await.unwrap()
}

/// What the redirect back carries.
fn sent_back(response: &reqwest::Response) -> Vec<(String, String)> {
    assert_eq!(response.status(), 302);
    let location = header(response, "location");
    assert!(location.starts_with(REDIRECT), "{location}");
    let url = Url::parse(&location).unwrap();
    url.query_pairs().into_owned().collect()
}

fn parameter(sent: &[(String, String)], name: &str) -> Option<String> {
    let found = sent.iter().find(|(seen, _)| seen == name);
    found.map(|(_, value)| value.clone())
}

async fn code(kit: &Testkit, query: &[(&str, &str)]) -> String {
    parameter(&sent_back(&visit(kit, query).await), "code").unwrap()
}

pub(crate) async fn login(kit: &Testkit) -> Value {
    let code = code(kit, &auth_query()).await;
    let (status, body) = ask(kit, "/token", &exchange_form(&code)).await;
    assert_eq!(status, 200, "{body}");
    body
}

#[tokio::test]
async fn a_login_a_call_a_refresh_and_a_revocation_leave_no_violation() {
    let kit = automatic().await;
    let sent = sent_back(&visit(&kit, &auth_query()).await);
    assert_eq!(parameter(&sent, "state").unwrap(), "s+/=&%");
    assert_eq!(
        parameter(&sent, "iss").unwrap(),
        "https://accounts.google.com"
    );
    assert_eq!(parameter(&sent, "scope").unwrap(), SCOPE);
    let code = parameter(&sent, "code").unwrap();
    let (status, tokens) = ask(&kit, "/token", &exchange_form(&code)).await;
    assert_eq!((status, &tokens["token_type"]), (200, &json!("Bearer")));
    assert!(tokens["id_token"].is_string());

    let refresh = text(&tokens, "refresh_token");
    let (status, refreshed) = ask(&kit, "/token", &refresh_form(&refresh)).await;
    assert_eq!((status, &refreshed["refresh_token"]), (200, &Value::Null));

    let access = text(&refreshed, "access_token");
    let path = "/v1beta/models/gemini-testkit:generateContent";
    let chat = || request(&kit, Method::POST, path).bearer_auth(&access);
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let call = chat().header("x-goog-user-project", "p").json(&body);
    let (status, said) = send(call).await;
    let said = said.pointer("/candidates/0/content/parts/0/text");
    assert_eq!(
        (status, said),
        (200, Some(&json!("The simulated gemini heard: hi")))
    );

    let (status, who) =
        send(request(&kit, Method::GET, "/oauth2/v2/userinfo").bearer_auth(&access)).await;
    assert_eq!(
        (status, &who["email"]),
        (200, &json!("person@testkit.example"))
    );
    let info = request(&kit, Method::POST, "/tokeninfo").bearer_auth(&access);
    assert_eq!(send(info).await.1["aud"], ID);

    assert_eq!(ask(&kit, "/revoke", &[("token", &*refresh)]).await.0, 200);
    assert_eq!(ask(&kit, "/revoke", &[("token", &*refresh)]).await.0, 400);
    let (status, body) = ask(&kit, "/token", &refresh_form(&refresh)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    assert!(!kit.gemini().is_live_access(&access));
    let seen = kit.gemini().counters();
    assert_eq!(seen.violations, Vec::<String>::new());
    assert_eq!(
        (seen.authorizations, seen.exchanges, seen.refreshes),
        (1, 1, 2)
    );
    assert_eq!((seen.revocations, seen.userinfo, seen.tokeninfo), (2, 1, 1));
}

#[tokio::test]
async fn a_bad_authorization_request_gets_a_page_and_no_redirect() {
    let kit = automatic().await;
    let query = auth_query();
    for bad in [
        with(&query, "client_id", Some("another")),
        with(&query, "redirect_uri", Some("urn:ietf:wg:oauth:2.0:oob")),
        with(&query, "redirect_uri", Some("http://localhost:1/")),
        with(&query, "redirect_uri", Some("https://evil.example/")),
        with(&query, "redirect_uri", None),
        with(&query, "response_type", Some("token")),
        with(&query, "scope", None),
        with(&query, "scope", Some("<script>")),
        with(&query, "state", None),
        with(&query, "code_challenge", None),
        with(&query, "code_challenge_method", Some("plain")),
        [query.clone(), vec![("state", "again")]].concat(),
    ] {
        let response = visit(&kit, &bad).await;
        assert!(matches!(response.status().as_u16(), 400 | 401), "{bad:?}");
        assert!(response.headers().get("location").is_none());
        assert!(!response.text().await.unwrap().contains("<script>"));
    }
    assert_eq!(kit.gemini().violations().len(), 12);
}

#[tokio::test]
async fn an_exchange_must_match_its_authorization() {
    let kit = automatic().await;
    let code = code(&kit, &auth_query()).await;
    let form = exchange_form(&code);
    let other = "x".repeat(43);
    for (bad, status, error) in [
        (with(&form, "client_secret", None), 400, "invalid_request"),
        (
            with(&form, "client_secret", Some("no")),
            401,
            "invalid_client",
        ),
        (with(&form, "client_id", Some("no")), 401, "invalid_client"),
        (with(&form, "code", Some("4/no")), 400, "invalid_grant"),
        (with(&form, "code_verifier", None), 400, "invalid_grant"),
        (
            with(&form, "code_verifier", Some(&other)),
            400,
            "invalid_grant",
        ),
        (
            with(
                &form,
                "redirect_uri",
                Some("http://127.0.0.1:49152/oauth2callback/"),
            ),
            400,
            "redirect_uri_mismatch",
        ),
    ] {
        let (seen, body) = ask(&kit, "/token", &bad).await;
        assert_eq!((seen, &body["error"]), (status, &json!(error)), "{bad:?}");
    }
    assert_eq!(kit.gemini().violations().len(), 7);
    assert_eq!(ask(&kit, "/token", &form).await.0, 200);
}

#[tokio::test]
async fn a_code_used_twice_costs_the_tokens_that_came_of_it() {
    let kit = automatic().await;
    let code = code(&kit, &auth_query()).await;
    let (_, tokens) = ask(&kit, "/token", &exchange_form(&code)).await;
    let (status, body) = ask(&kit, "/token", &exchange_form(&code)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    assert!(!kit.gemini().is_live_access(&text(&tokens, "access_token")));
    assert_eq!(
        kit.gemini().violations(),
        ["exchange: the code was used before"]
    );
}

#[tokio::test]
async fn an_expired_code_is_refused() {
    let kit = automatic().await;
    kit.gemini().set_code_lifetime(Duration::ZERO);
    let code = code(&kit, &auth_query()).await;
    let (status, body) = ask(&kit, "/token", &exchange_form(&code)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_refresh_token_comes_with_offline_access_at_the_first_consent() {
    let kit = automatic().await;
    let asked = with(&auth_query(), "prompt", None);
    for (query, expected) in [
        (with(&asked, "access_type", None), false),
        (asked.clone(), true),
        (asked.clone(), false),
        (auth_query(), true),
    ] {
        let code = code(&kit, &query).await;
        let (_, tokens) = ask(&kit, "/token", &exchange_form(&code)).await;
        assert_eq!(tokens["refresh_token"].is_string(), expected);
    }
}

#[tokio::test]
async fn a_person_denies_on_the_page() {
    let kit = Testkit::start().await.unwrap();
    let page = visit(&kit, &auth_query()).await.text().await.unwrap();
    let (id, csrf) = (hidden(&page, "id"), hidden(&page, "csrf"));
    let forged = [("id", &*id), ("csrf", "x"), ("decision", "approve")];
    assert_eq!(ask(&kit, AUTH, &forged).await.0, 403);
    let form = [("id", &*id), ("csrf", &csrf), ("decision", "deny")];
    let request = request(&kit, Method::POST, AUTH).form(&form);
    let sent = sent_back(&request.send().await.unwrap());
    assert_eq!(parameter(&sent, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&sent, "state").unwrap(), "s+/=&%");
    assert_eq!(parameter(&sent, "code"), None);
}

#[tokio::test]
async fn a_decision_made_elsewhere_takes_the_waiting_page_along() {
    let kit = Testkit::start().await.unwrap();
    assert_eq!(visit(&kit, &auth_query()).await.status(), 200);
    assert_eq!(visit(&kit, &auth_query()).await.status(), 200);
    assert_eq!(kit.gemini().pending_user_codes().len(), 1);
    assert_eq!(kit.gemini().approve_all(), 1);
    let sent = sent_back(&visit(&kit, &auth_query()).await);
    assert!(parameter(&sent, "code").is_some());
    kit.gemini().set_approval(Approval::Deny);
    kit.gemini().set_issuer(None);
    let sent = sent_back(&visit(&kit, &auth_query()).await);
    assert_eq!(parameter(&sent, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&sent, "iss"), None);
}

#[tokio::test]
async fn the_api_wants_a_live_token_the_scope_and_a_project() {
    let kit = automatic().await;
    let access = text(&login(&kit).await, "access_token");
    let narrow = with(&auth_query(), "scope", Some("openid email"));
    let narrow = code(&kit, &narrow).await;
    let (_, narrow) = ask(&kit, "/token", &exchange_form(&narrow)).await;
    let narrow = text(&narrow, "access_token");
    let models = |token: &str| request(&kit, Method::GET, "/v1/models").bearer_auth(token);
    let with_project = |token: &str| models(token).header("x-goog-user-project", "p");
    assert_eq!(send(with_project(&access)).await.0, 200);
    assert_eq!(send(models(&access)).await.0, 403);
    assert_eq!(send(with_project(&narrow)).await.0, 403);
    kit.expire_everything();
    assert_eq!(send(with_project(&access)).await.0, 401);
    let in_url = format!("/v1/models?access_token={access}");
    assert_eq!(send(request(&kit, Method::GET, &in_url)).await.0, 400);
    let seen = kit.gemini().counters();
    assert_eq!(seen.chats_ok, 1);
    assert_eq!(
        seen.violations,
        [
            "chat: no x-goog-user-project header",
            "chat: an access token in the URL of an API call",
        ]
    );
}

#[tokio::test]
async fn the_client_file_points_here() {
    let kit = automatic().await;
    let file: Value = serde_json::from_str(&kit.client_secret_json()).unwrap();
    assert_eq!(file["installed"]["client_id"], ID);
    assert_eq!(
        file["installed"]["token_uri"],
        format!("{}/token", kit.base_url())
    );
    let served = request(&kit, Method::GET, "/testkit/client_secret.json");
    assert_eq!(send(served).await.1, file);
}
