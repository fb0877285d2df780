//! A company's network: a proxy on the way out, and a certificate authority of its own.

mod certificates;
mod company;
mod stored_sessions;

use company::Company;

use crate::support::done::Done;

#[test]
fn a_proxy_that_rejects_the_credentials_is_named_without_the_password() {
    let company = Company::new();
    let proxy = format!("http://mia:wrong-password@{}", company.proxy);
    for (variable, args) in [
        ("HTTPS_PROXY", &["login", "qwen"][..]),
        ("https_proxy", &["login", "qwen"]),
        ("ALL_PROXY", &["login", "qwen"]),
        ("all_proxy", &["doctor", "qwen"]),
    ] {
        let mut command = company.command(args);
        command.env_remove("HTTPS_PROXY").env(variable, &proxy);
        let done = Done::of(&mut command);
        assert_eq!(done.code, Some(1), "{done:?}");
        let printed = format!("{}{}", done.out, done.err);
        let printed = printed.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            &company.proxy.to_string(),
            "407",
            &format!("correct user and password in {variable} "),
        ] {
            assert!(printed.contains(part), "{part}: {printed}");
        }
        assert!(!printed.contains("wrong-password"), "{printed}");
        assert!(!printed.contains("the client, the scope"), "{printed}");
    }
}

#[test]
fn hosts_in_no_proxy_are_contacted_directly() {
    let company = Company::new();
    for except in [
        "vendor.example",
        "vendor.example:443",
        " x.example:1, .example:443\r\n",
    ] {
        let done = Done::of(company.command(&["login", "qwen"]).env("NO_PROXY", except));
        done.assert_failed(4, "vendor.example");
        assert!(!done.err.contains("through the proxy"), "{done:?}");
        assert!(company.asked.lock().unwrap().is_empty(), "{except}");
    }
}

#[test]
fn a_provider_on_the_internet_cannot_name_a_page_of_the_local_network() {
    let company = Company::new();
    for page in [
        "http://127.0.0.1:631/admin",
        "https://localhost/device",
        "https://[::1]/device",
        "https://192.168.1.1/reboot",
        "https://169.254.169.254/latest",
    ] {
        company.names_page(page);
        let done = company.run(&["login", "qwen", "--json"]);
        done.assert_failed(1, "names a page on this computer or its network");
        assert!(!done.out.contains("device_code"), "{done:?}");
    }
    assert_eq!(company.user.kit.qwen().counters().polls, 0);
}
