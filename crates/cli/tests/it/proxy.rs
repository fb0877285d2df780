//! A company's network: a proxy on the way out, and a certificate authority of its own.

mod certificates;
mod company;
mod stored_sessions;

use company::Company;

use crate::support::done::Done;

#[test]
fn a_proxy_that_wants_to_know_who_asks_is_named_without_the_password() {
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
        let done = Done::from(command.output().unwrap());
        assert_eq!(done.code, Some(1), "{done:?}");
        let said = format!("{}{}", done.out, done.err);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            &company.proxy.to_string(),
            "407",
            &format!("correct user and password in {variable} "),
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("wrong-password"), "{said}");
        assert!(!said.contains("the client, the scope"), "{said}");
    }
}

#[test]
fn what_the_proxy_is_not_for_goes_without_it() {
    let company = Company::new();
    for except in [
        "vendor.example",
        "vendor.example:443",
        " x.example:1, .example:443\r\n",
    ] {
        let output = company
            .command(&["login", "qwen"])
            .env("NO_PROXY", except)
            .output();
        let done = Done::from(output.unwrap());
        done.assert_failed(4, "vendor.example");
        assert!(!done.err.contains("through the proxy"), "{done:?}");
        assert!(company.asked.lock().unwrap().is_empty(), "{except}");
    }
}

#[test]
fn a_vendor_on_the_network_names_no_page_inside() {
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
