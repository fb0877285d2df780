//! A system without CA certificates, or with a variable that names none.

use std::fs;
use std::process::Command;

use crate::support::done::Done;
use crate::support::user::User;

#[test]
fn unreadable_certificates_are_reported_with_variable_path_and_package() {
    let user = User::with_expired_session("qwen");
    let directory = user.directory.path();
    let (garbage, empty) = (directory.join("garbage.pem"), directory.join("empty"));
    fs::write(&garbage, "made-up").unwrap();
    fs::create_dir(&empty).unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nbWFkZS11cA==\n-----END CERTIFICATE-----\n";
    let half = directory.join("half.pem");
    fs::write(&half, broken).unwrap();
    for (variable, place) in [
        ("SSL_CERT_FILE", "/no/such/bundle.pem"),
        ("SSL_CERT_FILE", garbage.to_str().unwrap()),
        ("SSL_CERT_FILE", half.to_str().unwrap()),
        ("SSL_CERT_FILE", empty.to_str().unwrap()),
        ("SSL_CERT_FILE", ""),
        ("SSL_CERT_DIR", empty.to_str().unwrap()),
        ("SSL_CERT_DIR", "/no/such/directory"),
    ] {
        for args in [
            &["token", "qwen", "--json"][..],
            &["login", "qwen", "--json"],
        ] {
            let done = Done::of(user.command(args).env(variable, place));
            done.assert_failed(1, &format!("{variable}={place}"));
            assert!(done.err.contains("ca-certificates"), "{done:?}");
            assert!(done.out.contains(r#""kind":"config""#), "{done:?}");
        }
        assert_eq!(
            user.kit.qwen().counters().refreshes,
            0,
            "{variable} {place}"
        );
    }
    let done = user.run(&["token", "qwen"]);
    assert_eq!(done.code, Some(0), "nothing was spent: {done:?}");
}

#[test]
fn white_space_around_a_path_is_reported_and_an_empty_variable_beside_another_is_not() {
    let user = User::with_expired_session("qwen");
    let bundle = user.directory.path().join("bundle.pem");
    fs::write(&bundle, "made-up").unwrap();
    let bundle = bundle.to_str().unwrap();
    for (value, around) in [
        (format!("{bundle}\r"), true),
        (format!(" {bundle}"), true),
        (format!("{bundle}\n"), true),
        (bundle.to_owned(), false),
    ] {
        for args in [&["token", "qwen"][..], &["doctor", "qwen", "--offline"]] {
            let done = Done::of(
                user.command(args)
                    .env("SSL_CERT_FILE", &value)
                    .env("SSL_CERT_DIR", " "),
            );
            let printed = format!("{}{}", done.out, done.err);
            let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
            let named = format!("names {bundle} with white space or a line end around it");
            assert_eq!(printed.contains(&named), around, "{value:?}: {printed}");
            assert!(printed.contains("SSL_CERT_FILE"), "{printed}");
            assert!(!printed.contains("SSL_CERT_DIR"), "{printed}");
            assert!(!printed.contains("unset them"), "{printed}");
        }
    }
    let done = Done::of(
        user.command(&["token", "qwen"])
            .env("SSL_CERT_FILE", "/no/such/bundle.pem")
            .env("SSL_CERT_DIR", "/no/such/directory"),
    );
    done.assert_failed(1, "SSL_CERT_DIR=/no/such/directory");
    let advice = "correct SSL_CERT_FILE and SSL_CERT_DIR, or unset them";
    assert!(done.err.contains(advice), "{done:?}");
}

#[test]
fn an_endless_file_of_certificates_is_rejected_before_a_lock_is_taken() {
    let user = User::with_expired_session("qwen");
    let pipe = user.directory.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let (pipe, large) = (pipe.to_str().unwrap(), user.directory.path().join("large"));
    let file = fs::File::create(&large).unwrap();
    file.set_len(17 * 1024 * 1024).unwrap();
    for (variable, place) in [
        ("SSL_CERT_FILE", "/dev/zero"),
        ("SSL_CERT_FILE", pipe),
        ("SSL_CERT_FILE", large.to_str().unwrap()),
        ("SSL_CERT_DIR", pipe),
        ("SSL_CERT_DIR", "/dev/zero"),
    ] {
        for args in [
            &["token", "qwen"][..],
            &["login", "qwen"],
            &["logout", "qwen"],
            &["exec", "qwen", "--", "true"],
        ] {
            let done = Done::of(user.command(args).env(variable, place));
            done.assert_failed(1, &format!("{variable}={place}"));
        }
        let done = Done::of(
            user.command(&["doctor", "qwen", "--json"])
                .env(variable, place),
        );
        assert_eq!(done.code, Some(1), "{done:?}");
        let report = done.json();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == "system_ca");
        assert_eq!(check.unwrap()["status"], "fail", "{report}");
    }
    assert_eq!(user.run(&["token", "qwen"]).code, Some(0));
}

#[test]
fn doctor_shows_what_replaces_the_system_s_certificates() {
    let user = User::new();
    let bundle = user.directory.path().join("bundle.pem");
    fs::write(&bundle, "made-up").unwrap();
    for (variable, place, status) in [
        ("SSL_CERT_FILE", bundle.to_str().unwrap(), "ok"),
        ("SSL_CERT_FILE", "/no/such/bundle.pem", "fail"),
        ("SSL_CERT_DIR", "/no/such/directory", "fail"),
        ("SSL_CERT_DIR", "/usr:/", "ok"),
        ("SSL_CERT_DIR", "", "fail"),
        ("SSL_CERT_FILE", "  ", "fail"),
    ] {
        let done = Done::of(
            user.command(&["doctor", "--offline", "--json"])
                .env(variable, place),
        );
        let report = done.json();
        let checks = report["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["id"] == "system_ca");
        let check = check.unwrap_or_else(|| panic!("{done:?}"));
        assert_eq!(check["status"], status, "{check}");
        assert_eq!(
            (&check["variable"], &check["place"]),
            (&variable.into(), &place.into())
        );
    }
}
