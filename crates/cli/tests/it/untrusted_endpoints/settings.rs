//! Which settings and flags may trust a server.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::stranger::{Stranger, set};
use crate::support::command::trusted_settings;
use crate::support::done::Done;
use crate::support::session_file::read;
use crate::support::user::User;

#[test]
fn the_user_s_own_settings_may_trust_a_server_and_those_of_a_moved_home_may_not() {
    let user = User::new();
    user.sign_in(&["qwen"]);
    let file = user.file("qwen", "default");
    let mut session = read(&file);
    session["expires"] = 1000.into();
    session["llm_auth"]
        .as_object_mut()
        .unwrap()
        .remove("server");
    fs::write(&file, session.to_string()).unwrap();
    user.trust(&[]);
    let moved = user.directory.path().join("home/settings.json");
    let kit = user.kit.base_url();
    let trusting = json!({ "trusted_endpoints": [kit] }).to_string();
    fs::write(&moved, &trusting).unwrap();
    user.run(&["token", "qwen"])
        .assert_failed(1, "chat.qwen.ai");
    for bad in [json!({"a": 1}), json!([1]), json!(["a b"]), json!("x")] {
        let own = trusted_settings(user.directory.path()).join("settings.json");
        fs::write(own, json!({ "trusted_endpoints": bad }).to_string()).unwrap();
        let done = user.run(&["token", "qwen"]);
        done.assert_failed(1, "trusted_endpoints");
        assert!(done.err.contains("127.0.0.1:4000"), "{done:?}");
        assert!(!done.err.contains("--account"), "{done:?}");
    }
    user.trust(&[kit]);
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
}

#[test]
fn no_directory_that_the_environment_names_can_trust_a_server() {
    let (user, stranger) = (User::new(), Stranger::new());
    user.sign_in(&["qwen"]);
    user.expire("qwen");
    let planted = user.directory.path().join("planted");
    let trusting = json!({ "trusted_endpoints": [stranger.host, user.kit.base_url()] }).to_string();
    for place in [
        "llm-auth",
        ".local/share/llm-auth",
        "Library/Application Support/llm-auth",
        "",
    ] {
        let home = planted.join(place);
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("settings.json"), &trusting).unwrap();
    }
    for variables in [
        &["HOME"][..],
        &["XDG_DATA_HOME"],
        &["LLM_AUTH_HOME"],
        &["HOME", "XDG_DATA_HOME"],
        &["USER", "LOGNAME", "HOME", "XDG_CONFIG_HOME"],
    ] {
        // Without the word of the call that the other tests begin with.
        let usual = user.command(&["token", "qwen"]);
        let mut command = Command::new(usual.get_program());
        command
            .args(usual.get_args().skip(2))
            .env_clear()
            .envs(
                usual
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .arg("--store")
            .arg(user.file("qwen", "default"));
        for variable in variables {
            command.env(variable, &planted);
        }
        set(&mut command, "qwen", &["BASE_URL"], &stranger);
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(1), "{variables:?}: {done:?}");
        assert!(!done.err.contains("planted"), "{done:?}");
    }
    assert_eq!(stranger.seen(), "");
}

#[test]
fn a_value_that_is_no_host_cannot_be_trusted() {
    let user = User::new();
    for bad in ["", "*", "a b", "https://a/b", "u@a", "http://a.example"] {
        let done = user.run(&["token", "qwen", "--trust-endpoint", bad]);
        assert_eq!(done.code, Some(2), "{bad}: {done:?}");
    }
}
