//! Each program whose session can be imported.

use std::fs;
use std::path::Path;

use llm_auth::minimax::{Dialect, MiniMax, ProviderSpec as _, Region};
use llm_auth_core::{AuthProvider as _, Silent};
use serde_json::json;

use super::{FAR, qwen_code, write};
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

/// Tokens that the simulated provider knows, in no store of ours any more.
fn issued(user: &User, provider: &str) -> (String, String) {
    user.sign_in(&[provider, "--account", "made"]);
    let file = user.file(provider, "made");
    let stored = read(&file);
    fs::remove_file(file).unwrap();
    let text = |name: &str| stored[name].as_str().unwrap().to_owned();
    (text("access"), text("refresh"))
}

/// Tokens that the simulated MiniMax gave to mmx.
fn issued_to_mmx(user: &User) -> (String, String) {
    let mmx = MiniMax::new(Region::Cn, Dialect::Mmx).builder();
    let mmx = mmx.base_url(user.kit.base_url()).unwrap().build();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = runtime.block_on(mmx.authenticate(&Silent)).unwrap();
    let refresh = token.refresh.unwrap().expose().to_owned();
    (token.access.expose().to_owned(), refresh)
}

#[test]
fn a_session_of_qwen_code_is_imported_and_refreshed() {
    let user = User::new();
    let (access, refresh) = issued(&user, "qwen");
    let file = write(
        &user,
        "elsewhere/oauth_creds.json",
        &qwen_code(&access, &refresh, 1000),
    );
    let before = fs::read(&file).unwrap();
    let done = Done::of(
        user.command(&["import", "qwen-code", "--take-over", "--json"])
            .env("QWEN_HOME", file.parent().unwrap()),
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.events().last().unwrap()["event"], "imported");
    assert!(
        done.err.contains("Sign out of Qwen in Qwen Code"),
        "{done:?}"
    );
    done.assert_no_secret(&[&access, &refresh]);
    assert_eq!(fs::read(&file).unwrap(), before);
    let token = user.run(&["token", "qwen"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    assert_ne!(token.out.trim_end(), access);
    assert_eq!(user.kit.qwen().counters().refresh_ok, 1);
    let row = user.run(&["status", "--json"]).json()["sessions"][0].clone();
    assert_eq!(row["imported_from"], "qwen-code");
}

#[test]
fn a_session_of_mmx_is_refreshed_with_the_client_that_it_was_issued_to() {
    let user = User::new();
    let mmx = "659cf4c1-615c-45f6-a5f6-4bf15eb476e5";
    let (access, refresh) = issued_to_mmx(&user);
    let oauth = json!({
        "access_token": access,
        "refresh_token": refresh,
        "expires_at": "2020-01-01T00:00:00.000Z",
        "region": "cn",
        "account": "mia",
    });
    write(
        &user,
        ".mmx/config.json",
        &json!({"theme": "dark", "oauth": oauth}),
    );
    let done = user.run(&["import", "mmx", "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("of mia (not verified)"), "{done:?}");
    let metadata = user.stored("minimax")["llm_auth"]["context"].clone();
    assert_eq!(
        (&metadata["region"], &metadata["dialect"]),
        (&"cn".into(), &"mmx".into())
    );
    assert_eq!(metadata["client_id"], mmx);
    let token = user.run(&["token", "minimax"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    assert_eq!(user.kit.minimax().counters().refresh_ok, 1);
    let refreshed = user.stored("minimax")["llm_auth"]["context"].clone();
    assert_eq!(
        (&refreshed["dialect"], &refreshed["client_id"]),
        (&"mmx".into(), &metadata["client_id"])
    );
    assert_eq!(refreshed["imported_from"], "mmx");
}

#[test]
fn older_files_of_mmx_and_settings_without_a_session_are_distinguished() {
    let user = User::new();
    write(
        &user,
        ".mmx/config.json",
        &json!({"api_key": "made-up-key"}),
    );
    let done = user.run(&["import", "mmx"]);
    done.assert_failed(1, "mmx is not signed in here");
    let oauth = json!({
        "access_token": "made-up-access",
        "refresh_token": "made-up-refresh",
        "expires_at": "2100-01-01T00:00:00Z",
    });
    write(&user, ".mmx/credentials.json", &oauth);
    let done = user.run(&["import", "mmx", "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(
        user.stored("minimax")["llm_auth"]["context"]["region"],
        "global"
    );
}

#[test]
fn gclouds_credentials_are_refreshed_at_the_first_use_and_may_be_shared() {
    let user = User::new();
    let (_, refresh) = issued(&user, "gemini");
    let client = |name: &str| {
        user.kit
            .env()
            .into_iter()
            .find(|(key, _)| key.ends_with(name))
            .unwrap()
            .1
    };
    let file = write(
        &user,
        ".config/gcloud/application_default_credentials.json",
        &json!({
            "type": "authorized_user",
            "client_id": client("GEMINI_CLIENT_ID"),
            "client_secret": client("GEMINI_CLIENT_SECRET"),
            "refresh_token": refresh,
            "quota_project_id": "made-up-project",
            "account": "",
        }),
    );
    let run = |args: &[&str]| {
        let mut command = user.command(args);
        // The client is the file's, not the environment's.
        command
            .env_remove("LLM_AUTH_GEMINI_CLIENT_ID")
            .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET")
            .env_remove("LLM_AUTH_GEMINI_QUOTA_PROJECT");
        Done::of(&mut command)
    };
    let done = run(&["import", "gcloud", "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("gcloud can keep using it"), "{done:?}");
    done.assert_no_secret(&[&refresh, &client("GEMINI_CLIENT_SECRET")]);
    let token = run(&["token", "gemini", "--json"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    assert_eq!(
        token.json()["headers"]["x-goog-user-project"],
        "made-up-project"
    );
    assert_eq!(user.kit.gemini().counters().refresh_ok, 1);
    // gcloud goes on with the same grant.
    let done = run(&["logout", "gemini", "--json"]);
    assert_eq!(done.json()["revocation"], "withheld", "{done:?}");
    assert!(done.err.contains("gcloud uses the same grant"), "{done:?}");
    assert!(!user.file("gemini", "default").exists());
    assert_eq!(user.kit.gemini().counters().revocations, 0);

    let elsewhere = json!({
        "type": "authorized_user",
        "client_id": "made-up",
        "client_secret": "made-up-secret",
        "refresh_token": "made-up-refresh",
        "universe_domain": "cloud.example",
    });
    fs::write(&file, elsewhere.to_string()).unwrap();
    run(&["import", "gcloud"]).assert_failed(1, "cloud.example");
    let machine = json!({"type": "service_account", "private_key": "made-up-key"});
    fs::write(&file, machine.to_string()).unwrap();
    let done = run(&["import", "gcloud"]);
    done.assert_failed(1, "service_account");
    done.assert_no_secret(&["made-up-key"]);
}

#[test]
fn a_session_of_gemini_cli_cannot_be_imported_and_the_reason_is_printed() {
    let user = User::new();
    let tokens = json!({
        "access_token": "made-up-access",
        "refresh_token": "made-up-refresh",
        "expiry_date": FAR,
        "scope": "openid",
    });
    write(&user, ".gemini/oauth_creds.json", &tokens);
    write(
        &user,
        ".gemini/google_accounts.json",
        &json!({"active": "mia@example.com", "old": []}),
    );
    let done = user.run(&["import", "gemini-cli"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.out.contains("of mia@example.com (not verified)"),
        "{done:?}"
    );
    assert!(
        done.out.contains("cannot be imported") && done.out.contains("--sign-in"),
        "{done:?}"
    );
    assert!(!done.out.contains("--take-over"), "{done:?}");
    let done = user.run(&["import", "gemini-cli", "--take-over"]);
    done.assert_failed(1, "Google's own OAuth client");
    assert!(!user.file("gemini", "default").exists());
    // Nor is another account advised beside a session that is there.
    user.sign_in(&["gemini"]);
    let done = user.run(&["import", "gemini-cli", "--take-over"]);
    done.assert_failed(1, "Google's own OAuth client");
    assert!(!done.err.contains("--account"), "{done:?}");

    fs::remove_file(user.directory.path().join(".gemini/oauth_creds.json")).unwrap();
    write(&user, ".gemini/gemini-credentials.json", &json!("made-up"));
    user.run(&["import", "gemini-cli"])
        .assert_failed(1, "is encrypted");
}

#[test]
fn a_file_of_gochat_is_imported_with_all_its_members() {
    let user = User::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gochat-qwen.json");
    let file = fixture.to_str().unwrap();
    assert_eq!(user.run(&["import", "gochat"]).code, Some(2));
    assert_eq!(
        user.run(&["import", "gochat", "--file", file]).code,
        Some(2)
    );
    let done = user.run(&[
        "import",
        "gochat",
        "--file",
        file,
        "--vendor",
        "qwen",
        "--take-over",
    ]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let (theirs, ours) = (read(&fixture), user.stored("qwen"));
    for name in ["access", "refresh", "expires", "resourceUrl"] {
        assert_eq!(theirs[name], ours[name], "{name}");
    }
    let token = user.run(&["token", "qwen"]);
    assert_eq!(token.out.trim_end(), theirs["access"].as_str().unwrap());
}
