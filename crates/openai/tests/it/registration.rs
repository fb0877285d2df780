//! The registration of an installation: when it is made, and what outlives what.

use std::error::Error;
use std::path::Path;

use llm_auth_openai::{
    AuthManager, ErrorKind, FIRST_CLIENT, FileTokenStore, OAuthToken, OpenAi, OpenAiProvider,
    ProviderSpec as _, SessionKey, Silent, TokenStore, async_trait, store,
};
use llm_auth_testkit::{PendingSignIn, ScriptedServer};
use serde_json::Value;

type TestResult = Result<(), Box<dyn Error>>;

/// A token response whose scope gives the use of the plan.
const TOKENS: &str = r#"{"access_token":"made-up","refresh_token":"made-up-refresh",
    "id_token":"ID_TOKEN","expires_in":3600,"scope":"openid chatgpt.tokens.use.direct"}"#;

fn provider(file: &Path, server: &ScriptedServer) -> llm_auth_openai::Result<OpenAiProvider> {
    let builder = OpenAi::new("Example Agent", file).builder();
    Ok(builder.base_url(server.base_url())?.build())
}

async fn begin(file: &Path, server: &ScriptedServer) -> Result<PendingSignIn, Box<dyn Error>> {
    let sign_in = PendingSignIn::begin(provider(file, server)?).await?;
    server.sign_id_tokens("https://auth.openai.com", sign_in.parameter("nonce"));
    Ok(sign_in)
}

fn registered(file: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

#[tokio::test]
async fn a_first_sign_in_is_registered_by_name_and_the_next_one_by_its_client() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("made/for/it/registration.json");
    let server = ScriptedServer::json([(200, TOKENS)]).await?;
    let first = begin(&file, &server).await?;
    assert_eq!(first.parameter("client_id"), FIRST_CLIENT);
    assert_eq!(first.parameter("agent_name_hint"), "Example Agent");
    assert_eq!(first.parameter("resource"), "https://api.openai.com/v1");
    let host = first.parameter("ext_agent_host_id");
    assert_eq!(host.strip_prefix("urn:uuid:").map(str::len), Some(36));
    assert!(
        first
            .parameter("redirect_uri")
            .starts_with("http://127.0.0.1:")
    );
    assert_eq!(first.redirect_path(), "/auth/callback");
    let _page = first.callback("/auth/callback?code=c&state={STATE}&client_id=oaiapp_one");
    let session = first.session().await?;
    assert_eq!(&session.metadata.provider_data["client_id"], "oaiapp_one");
    let sent = &server.requests()[0];
    for (name, value) in [
        ("client_id", "oaiapp_one"),
        ("resource", "https://api.openai.com/v1"),
    ] {
        assert_eq!(sent.parameter(name).as_deref(), Some(value));
    }

    let next = begin(&file, &server).await?;
    assert_eq!(next.parameter("client_id"), "oaiapp_one");
    assert_eq!(next.parameter("agent_name_hint"), "");
    assert_eq!(next.parameter("ext_agent_host_id"), host);
    // The server need not name the client again.
    let _page = next.callback("/auth/callback?code=c&state={STATE}");
    let session = next.session().await?;
    assert_eq!(&session.metadata.provider_data["client_id"], "oaiapp_one");
    Ok(())
}

#[tokio::test]
async fn a_client_is_kept_although_its_code_is_rejected_and_after_a_sign_out() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("registration.json");
    let rejected = r#"{"error":"invalid_grant"}"#;
    let answers = [(400, rejected), (200, TOKENS), (200, "{}")];
    let server = ScriptedServer::json(answers).await?;
    let sign_in = begin(&file, &server).await?;
    let _page = sign_in.callback("/auth/callback?code=c&state={STATE}&client_id=oaiapp_one");
    let error = sign_in.session().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    assert_eq!(registered(&file)?["client_id"], "oaiapp_one");

    let sign_in = begin(&file, &server).await?;
    let _page = sign_in.callback("/auth/callback?code=c&state={STATE}");
    let session = sign_in.session().await?;
    let store = FileTokenStore::file(directory.path().join("session.json"));
    let manager = AuthManager::builder(provider(&file, &server)?)
        .store(store)
        .build();
    manager.insert_session(session).await?;
    let before = registered(&file)?;
    assert!(manager.logout().await?.was_signed_in);
    assert_eq!(registered(&file)?, before);
    let revoked = &server.requests()[2];
    assert_eq!(revoked.target, "/api/accounts/oauth/revoke");
    assert_eq!(
        revoked.parameter("client_id").as_deref(),
        Some("oaiapp_one")
    );
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_none_or_another_one_redeems_nothing() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("registration.json");
    let server = ScriptedServer::json([(200, TOKENS)]).await?;
    for issued in [
        "",
        "&client_id=",
        "&client_id=dynamic_agent_client",
        "&client_id=a%20b",
    ] {
        let sign_in = begin(&file, &server).await?;
        let target = format!("/auth/callback?code=c&state={{STATE}}{issued}");
        let _page = sign_in.callback(&target);
        let error = sign_in.session().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{issued}");
        assert_eq!(registered(&file)?.get("client_id"), None);
    }
    std::fs::write(
        &file,
        r#"{"host_id":"urn:uuid:made-up","client_id":"oaiapp_one"}"#,
    )?;
    let sign_in = begin(&file, &server).await?;
    let _page = sign_in.callback("/auth/callback?code=c&state={STATE}&client_id=oaiapp_two");
    let error = sign_in.session().await.unwrap_err();
    assert!(error.to_string().contains("another client"), "{error}");
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_grant_without_the_use_of_the_plan_and_one_without_an_id_token_are_no_sessions()
-> TestResult {
    let directory = tempfile::tempdir()?;
    let without_plan = r#"{"access_token":"made-up","id_token":"ID_TOKEN","scope":"openid"}"#;
    let without_token = r#"{"access_token":"made-up","scope":"chatgpt.tokens.use.direct"}"#;
    for (number, (body, named)) in [
        (without_plan, "chatgpt.tokens.use.direct"),
        (without_token, "ID token"),
    ]
    .into_iter()
    .enumerate()
    {
        let server = ScriptedServer::json([(200, body)]).await?;
        let file = directory.path().join(format!("{number}.json"));
        let sign_in = begin(&file, &server).await?;
        let _page = sign_in.callback("/auth/callback?code=c&state={STATE}&client_id=oaiapp_one");
        let error = sign_in.session().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains(named), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refresh_names_client_and_resource_and_never_a_scope() -> TestResult {
    let directory = tempfile::tempdir()?;
    let refreshed = r#"{"access_token":"made-up-2","refresh_token":"made-up-refresh-2"}"#;
    let server = ScriptedServer::json([(200, TOKENS), (200, refreshed)]).await?;
    let file = directory.path().join("registration.json");
    let sign_in = begin(&file, &server).await?;
    let _page = sign_in.callback("/auth/callback?code=c&state={STATE}&client_id=oaiapp_one");
    let session = sign_in.session().await?;
    // A program that is only handed the session needs no registration.
    let provider = OpenAiProvider::builder()
        .base_url(server.base_url())?
        .build();
    let manager = AuthManager::builder(provider)
        .store(FileTokenStore::file(directory.path().join("session.json")))
        .build();
    manager.insert_session(session).await?;
    let refreshed = manager.refresh().await?;
    assert_eq!(
        refreshed.scope.as_deref(),
        Some("openid chatgpt.tokens.use.direct")
    );
    let sent = &server.requests()[1];
    let mut names: Vec<_> = sent.form()?.into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(
        names,
        ["client_id", "grant_type", "refresh_token", "resource"]
    );
    Ok(())
}

#[tokio::test]
async fn a_program_without_a_name_of_its_own_signs_in_no_user() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("registration.json");
    for openai in [OpenAi::default(), OpenAi::new(" ", &file)] {
        use llm_auth_openai::AuthProvider as _;
        let error = openai.provider().authenticate(&Silent).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            error.to_string().contains("name of your own program"),
            "{error}"
        );
    }
    assert!(!file.exists());
    Ok(())
}

#[tokio::test]
async fn an_unreadable_registration_is_left_as_it_is_and_named() -> TestResult {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("registration.json");
    std::fs::write(&file, "made-up")?;
    let server = ScriptedServer::json([(200, TOKENS)]).await?;
    let error = PendingSignIn::begin(provider(&file, &server)?)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Store);
    assert!(error.to_string().contains("registration.json"), "{error}");
    assert_eq!(std::fs::read_to_string(&file)?, "made-up");
    Ok(())
}

/// A store in a database, say.
#[derive(Debug)]
struct Elsewhere;

#[async_trait]
impl TokenStore for Elsewhere {
    async fn load(&self, _key: &SessionKey) -> llm_auth_openai::Result<Option<OAuthToken>> {
        Ok(None)
    }

    async fn lock(&self, _key: &SessionKey) -> llm_auth_openai::Result<Box<dyn store::StoreGuard>> {
        unreachable!("no session of OpenAI comes here")
    }

    fn location(&self, _key: &SessionKey) -> String {
        "a database".into()
    }
}

#[tokio::test]
async fn a_store_that_may_be_elsewhere_is_refused_before_the_user_is_asked() -> TestResult {
    let directory = tempfile::tempdir()?;
    let openai = OpenAi::new("Example Agent", directory.path().join("registration.json"));
    let manager = AuthManager::builder(openai.provider())
        .store(Elsewhere)
        .build();
    let error = manager.login(&Silent).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("section 1"), "{error}");
    Ok(())
}
