//! The sessions of other programs: looked at, taken over, or left alone.

use std::fs;
use std::path::{Path, PathBuf};

use llm_auth_core::{AuthProvider as _, Silent};
use llm_auth_minimax::{Dialect, MiniMaxEndpoints, MiniMaxProvider, Region};
use serde_json::{Value, json};

use crate::support::done::Done;

use crate::support::session_file::read;

use crate::support::user::User;

const FAR: i64 = 4_102_444_800_000;

/// Writes a file of another program below the home directory.
fn write(user: &User, file: &str, content: &Value) -> PathBuf {
    let file = user.directory.path().join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content.to_string()).unwrap();
    file
}

fn qwen_code(access: &str, refresh: &str, expiry: i64) -> Value {
    json!({
        "access_token": access,
        "refresh_token": refresh,
        "token_type": "Bearer",
        "resource_url": "portal.qwen.ai",
        "expiry_date": expiry,
    })
}

/// Tokens that the simulated vendor knows, in no store of ours any more.
fn issued(user: &User, vendor: &str) -> (String, String) {
    user.sign_in(&[vendor, "--account", "made"]);
    let file = user.file(vendor, "made");
    let stored = read(&file);
    fs::remove_file(file).unwrap();
    let text = |name: &str| stored[name].as_str().unwrap().to_owned();
    (text("access"), text("refresh"))
}

/// Tokens that the simulated MiniMax gave to mmx.
fn issued_to_mmx(user: &User) -> (String, String) {
    let known = MiniMaxEndpoints::new(Region::Cn, Dialect::Mmx);
    let endpoints = known.with_base(user.kit.base_url()).unwrap();
    let mmx = MiniMaxProvider::builder().endpoints(endpoints).build();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = runtime.block_on(mmx.authenticate(&Silent)).unwrap();
    let refresh = token.refresh.unwrap().expose().to_owned();
    (token.access.expose().to_owned(), refresh)
}

fn says_no_secret(done: &Done, secrets: &[&str]) {
    for secret in secrets {
        assert!(
            !done.out.contains(secret) && !done.err.contains(secret),
            "{done:?}"
        );
    }
}

#[test]
fn a_look_says_whose_it_is_and_warns_and_changes_nothing() {
    let user = User::new();
    let file = write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    let before = fs::read(&file).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    for words in [
        "Qwen Code has a session",
        "2100-01-01",
        "ONE owner",
        "--sign-in",
        "--take-over",
    ] {
        assert!(done.out.contains(words), "{words}: {done:?}");
    }
    says_no_secret(&done, &["made-up-access", "made-up-refresh"]);
    let done = user.run(&["import", "qwen-code", "--json"]);
    let found = done.json();
    assert_eq!(found["event"], "found");
    assert_eq!(
        (&found["vendor"], &found["rotates"]),
        (&"qwen".into(), &true.into())
    );
    assert_eq!(
        (&found["renewable"], &found["can_be_taken_over"]),
        (&true.into(), &true.into())
    );
    says_no_secret(&done, &["made-up-access", "made-up-refresh"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(!user.file("qwen", "default").exists());
}

#[test]
fn a_session_of_qwen_code_is_taken_over_and_renewed() {
    let user = User::new();
    let (access, refresh) = issued(&user, "qwen");
    let file = write(
        &user,
        "elsewhere/oauth_creds.json",
        &qwen_code(&access, &refresh, 1000),
    );
    let before = fs::read(&file).unwrap();
    let output = user
        .command(&["import", "qwen-code", "--take-over", "--json"])
        .env("QWEN_HOME", file.parent().unwrap())
        .output();
    let done = Done::from(output.unwrap());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.events().last().unwrap()["event"], "imported");
    assert!(
        done.err.contains("Sign out of Qwen in Qwen Code"),
        "{done:?}"
    );
    says_no_secret(&done, &[&access, &refresh]);
    assert_eq!(fs::read(&file).unwrap(), before);
    let token = user.run(&["token", "qwen"]);
    assert_eq!(token.code, Some(0), "{token:?}");
    assert_ne!(token.out.trim_end(), access);
    assert_eq!(user.kit.qwen().counters().refresh_ok, 1);
    let row = user.run(&["status", "--json"]).json()["sessions"][0].clone();
    assert_eq!(row["imported_from"], "qwen-code");
}

#[test]
fn a_session_of_mmx_is_renewed_with_the_client_that_it_was_made_with() {
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
    assert!(done.err.contains("of mia (as it says)"), "{done:?}");
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
fn older_files_of_mmx_and_settings_without_a_session_are_told_apart() {
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
fn gclouds_credentials_are_renewed_at_the_first_use_and_may_be_shared() {
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
            "client_id": client("CLIENT_ID"),
            "client_secret": client("CLIENT_SECRET"),
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
            .env_remove("LLM_AUTH_GEMINI_CLIENT_SECRET");
        Done::from(command.output().unwrap())
    };
    let done = run(&["import", "gcloud", "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("gcloud may go on with it"), "{done:?}");
    says_no_secret(&done, &[&refresh, &client("CLIENT_SECRET")]);
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
    assert!(done.err.contains("gcloud has the same grant"), "{done:?}");
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
    says_no_secret(&done, &["made-up-key"]);
}

#[test]
fn a_session_of_gemini_cli_cannot_be_taken_over_and_it_is_said_why() {
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
        done.out.contains("of mia@example.com (as it says)"),
        "{done:?}"
    );
    assert!(
        done.out.contains("cannot be taken over") && done.out.contains("--sign-in"),
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
fn a_file_of_gochat_is_taken_over_with_all_that_is_in_it() {
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

#[test]
fn a_session_that_is_stored_is_never_replaced_by_a_copy() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let before = fs::read(user.file("qwen", "default")).unwrap();
    write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    let done = user.run(&["import", "qwen-code", "--take-over"]);
    done.assert_failed(1, "there is a session already");
    assert!(done.err.contains("--account"), "{done:?}");
    assert_eq!(fs::read(user.file("qwen", "default")).unwrap(), before);
    let done = user.run(&["import", "qwen-code", "--take-over", "--account", "second"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(user.file("qwen", "second").exists());
}

#[test]
fn one_refresh_token_has_one_owner_among_our_accounts_too() {
    let user = User::new();
    write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    let import_session =
        |account| user.run(&["import", "qwen-code", "--take-over", "--account", account]);
    assert_eq!(import_session("a").code, Some(0));
    import_session("b").assert_failed(1, "qwen (a): that very session is here already");
    assert!(!user.file("qwen", "b").exists());
}

#[test]
fn of_two_take_overs_at_once_one_finds_the_place_free() {
    for _ in 0..8 {
        let user = User::new();
        let files = ["one", "two"].map(|name| {
            let tokens = qwen_code(&format!("made-up-{name}"), "made-up-refresh", FAR);
            write(&user, &format!("{name}.json"), &tokens)
        });
        let started = files.each_ref().map(|file| {
            let file = file.to_str().unwrap();
            user.start(&["import", "qwen-code", "--file", file, "--take-over"])
        });
        let codes = started.map(|child| Done::from(child.wait_with_output().unwrap()).code);
        assert!(
            codes == [Some(0), Some(1)] || codes == [Some(1), Some(0)],
            "{codes:?}"
        );
        let kept = if codes[0] == Some(0) { "one" } else { "two" };
        assert_eq!(user.stored("qwen")["access"], format!("made-up-{kept}"));
    }
}

#[test]
fn a_session_of_our_own_form_stays_where_it_was_made_and_its_owner_is_not_believed() {
    let user = User::new();
    let session = json!({
        "access": "made-up-access",
        "refresh": "made-up-refresh",
        "expires": FAR,
        "resourceUrl": "https://api.minimaxi.com/anthropic",
        "llm_auth": {
            "provider": "minimax",
            "identity": "boss@example.com\u{1b}]0;made-up\u{7}",
            "server": "relay.example",
            "context": {"region": "cn", "dialect": "mcode", "client_id": "mine"},
        },
    });
    let file = write(&user, "theirs.json", &session);
    let file = file.to_str().unwrap();
    let look = user.run(&["import", "gochat", "--file", file]);
    assert!(look.out.contains("boss@example.com"), "{look:?}");
    assert!(!look.out.contains('\u{1b}'), "{look:?}");
    let done = user.run(&["import", "gochat", "--file", file, "--take-over"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let ours = user.stored("minimax")["llm_auth"].clone();
    assert_eq!(ours["identity"], Value::Null);
    assert_eq!(ours["server"], "relay.example");
    assert_eq!(
        (&ours["context"]["region"], &ours["context"]["client_id"]),
        (&"cn".into(), &"mine".into())
    );
}

#[test]
fn a_session_of_one_person_is_not_stored_under_the_name_of_another() {
    let user = User::new();
    let session = json!({
        "access": "made-up-access",
        "refresh": "made-up-refresh",
        "expires": FAR,
        "llm_auth": {"provider": "qwen", "identity": "mia@example.com"},
    });
    let file = write(&user, "theirs.json", &session);
    let args = [
        "import",
        "gochat",
        "--take-over",
        "--file",
        file.to_str().unwrap(),
    ];
    let import = |account: &str| user.run(&[&args[..], &["--account", account]].concat());
    let done = import("tom@example.com");
    done.assert_failed(1, "the session is of mia@example.com");
    assert!(done.err.contains("--account mia@example.com"), "{done:?}");
    assert!(!user.file("qwen", "tom@example.com").exists());
    assert_eq!(import("Mia@example.com").code, Some(0));
}

#[test]
fn without_a_program_all_that_are_known_are_looked_for() {
    let user = User::new();
    let nobody = user.run(&["import"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(0), ""));
    assert!(nobody.err.contains("no session of another program"));
    write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    fs::create_dir_all(user.directory.path().join(".mmx")).unwrap();
    fs::write(user.directory.path().join(".mmx/config.json"), "{").unwrap();
    let done = user.run(&["import"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains("→ llm-auth import qwen-code"), "{done:?}");
    assert!(done.err.contains("mmx: "), "{done:?}");
    assert_eq!(user.run(&["import", "--take-over"]).code, Some(2));
}

#[test]
fn signing_in_afresh_leaves_the_other_s_session_alone() {
    let user = User::new();
    let file = write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    let before = fs::read(&file).unwrap();
    let done = user.run(&["import", "qwen-code", "--sign-in"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_ne!(user.stored("qwen")["access"], "made-up-access");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn what_cannot_be_read_is_named_and_never_repeated() {
    let user = User::new();
    user.run(&["import", "qwen-code"])
        .assert_failed(1, ".qwen/oauth_creds.json");
    for (content, what) in [
        ("made-up-secret", "is no JSON object"),
        ("[\"made-up-secret\"]", "is no JSON object"),
        (
            "{\"access_token\":\"made-up-secret\"}",
            "has no expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":\"soon\"}",
            "has no expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":1e300}",
            "has no expiry_date",
        ),
        (
            "{\"access_token\":\"made-up-secret\",\"expiry_date\":1000.5}",
            "has no refresh_token",
        ),
    ] {
        let file = write(&user, ".qwen/oauth_creds.json", &Value::Null);
        fs::write(file, content).unwrap();
        let done = user.run(&["import", "qwen-code"]);
        done.assert_failed(1, what);
        says_no_secret(&done, &["made-up-secret"]);
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_worth_a_word() {
    use std::os::unix::fs::PermissionsExt as _;
    let user = User::new();
    let file = write(
        &user,
        ".qwen/oauth_creds.json",
        &qwen_code("made-up-access", "made-up-refresh", FAR),
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert!(done.out.contains("(mode 644)"), "{done:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let done = user.run(&["import", "qwen-code"]);
    assert!(!done.out.contains("(mode"), "{done:?}");
}
