//! Manual pages and help texts.

use std::fs;

use crate::support::user::User;

#[test]
fn there_is_a_manual_page_for_every_command() {
    let user = User::new();
    let done = user.run(&["man"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.out.contains(".SH NAME") && done.out.contains(".SH SYNOPSIS"));
    let directory = user.directory.path().join("man");
    let done = user.run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{done:?}");
    for name in [
        "",
        "-accounts",
        "-completions",
        #[cfg(feature = "demo")]
        "-demo",
        "-doctor",
        "-exec",
        "-import",
        "-login",
        "-logout",
        "-man",
        "-status",
        "-switch",
        "-token",
    ] {
        let page = fs::read_to_string(directory.join(format!("llm-auth{name}.1"))).unwrap();
        assert!(page.contains(".SH NAME"), "{name}: {page}");
        assert!(
            page.contains(&format!("llm\\-auth{}", name.replace('-', "\\-"))),
            "{page}"
        );
    }
    user.run(&["man", "--dir", "/dev/null/man"])
        .assert_failed(1, "/dev/null/man");
}

#[test]
fn every_page_lists_variables_exit_codes_and_files() {
    let user = User::new();
    let directory = user.directory.path().join("man");
    let done = user.run(&["man", "--dir", directory.to_str().unwrap()]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let pages = fs::read_dir(&directory).unwrap();
    let mut texts: Vec<String> = pages
        .map(|page| fs::read_to_string(page.unwrap().path()).unwrap())
        .collect();
    texts.push(user.run(&["man"]).out);
    assert!(texts.len() > 10);
    for text in texts {
        for part in [
            ".SH ENVIRONMENT\n",
            ".SH \"EXIT STATUS\"\n",
            ".SH FILES\n",
            "LLM_AUTH_HOME",
            "settings.json",
            "trusted_endpoints",
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "for new sign-ins only",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
