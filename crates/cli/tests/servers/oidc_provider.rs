//! oidc-provider, and what it saw.

use serde_json::Value;

use crate::http::{get, get_with};
use crate::node::{Server, has, run};
use crate::person::Person;
use crate::support::browser::parameter;
use crate::support::done::Done;

/// The public client.
pub(crate) const PUBLIC: &str = "native-cli";

/// The e-mail address of the account that every approval signs in with.
pub(crate) const EMAIL: &str = "made-up-user@example.com";

pub(crate) struct OidcProvider {
    server: Server,
}

impl OidcProvider {
    /// `None` if it is not installed: the test prints that it is skipped, and with `CI` set it fails.
    pub(crate) fn start(test: &str) -> Option<Self> {
        let module = "oidc-provider/node_modules/oidc-provider";
        has(test, &[], Some(module)).then(|| Self {
            server: Server::start("oidc-provider/server.mjs"),
        })
    }

    pub(crate) fn issuer(&self) -> &str {
        self.server.ready["issuer"].as_str().unwrap()
    }

    /// Signs a new user in as the public client, in the browser.
    pub(crate) fn signed_in(&self) -> Person {
        let person = Person::new();
        self.sign_in(&person, &["--client-id", PUBLIC]);
        person
    }

    /// Signs in with these arguments, in the browser, and returns what the command left behind.
    pub(crate) fn sign_in(&self, person: &Person, args: &[&str]) -> Done {
        let args = [&["--issuer", self.issuer()], args].concat();
        let done = person.login(&args, |event| {
            if let Some(url) = event["url"].as_str() {
                // A code flow ends at the command's own listener.
                let last = approve(event);
                if url.contains("response_type=code") {
                    get(&last);
                }
            }
        });
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
        done
    }

    /// The requests that reached one route, oldest first.
    pub(crate) fn seen(&self, route: &str) -> Vec<Value> {
        let Value::Array(all) = get(&format!("{}/seen", self.issuer())).json() else {
            panic!("no list");
        };
        all.into_iter()
            .filter(|request| request["route"] == route)
            .collect()
    }

    /// The token requests with this grant, oldest first.
    pub(crate) fn grants(&self, grant: &str) -> Vec<Value> {
        let mut requests = self.seen("token");
        requests.retain(|request| request["params"]["grant_type"] == grant);
        requests
    }

    /// Lets the code of this callback be no more.
    pub(crate) fn end_code(&self, callback: &str) {
        let code = parameter(callback, "code");
        let ended = get(&format!("{}/end-code?code={code}", self.issuer()));
        assert_eq!(ended.status, 200, "{ended:?}");
    }

    /// The status of the userinfo endpoint for this access token.
    pub(crate) fn userinfo(&self, token: &str) -> u16 {
        get_with(&format!("{}/me", self.issuer()), token).status
    }
}

/// Approves the sign-in of an event, and returns the address on which it ends.
pub(crate) fn approve(event: &Value) -> String {
    let url = event["url"].as_str().unwrap();
    run("oidc-provider/approve.mjs", &[url])
}
