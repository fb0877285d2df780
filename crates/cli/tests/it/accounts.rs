//! Several accounts at one provider: named, or by the verified identity of their owners.

mod listing;
mod named_identity;
mod selection;
mod sign_in;

use llm_auth_testkit::{Fault, Operation};
use serde_json::json;

use crate::support::browser::{browse, with_browser};
use crate::support::done::Done;
use crate::support::user::User;

const EMAIL_SCOPE: &str =
    "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email";

/// Signs in to Gemini as the user with this address.
fn sign_in_as(user: &User, email: &str, args: &[&str]) -> Done {
    let user_info = Fault::patch(json!({"email": email, "verified_email": true}));
    user.kit.gemini().fault(Operation::UserInfo, user_info);
    let args = [&["login", "gemini", "--json"], args].concat();
    let child = user
        .command(&args)
        .env("LLM_AUTH_GEMINI_SCOPE", EMAIL_SCOPE)
        .spawn();
    let done = with_browser(child.unwrap(), |event| {
        browse(event["url"].as_str().unwrap());
    });
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

fn accounts(user: &User) -> Vec<(String, Option<String>, bool)> {
    let report = user.run(&["accounts", "--json"]).json();
    assert_eq!(report["v"], 1);
    let rows = report["accounts"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().map(str::to_owned);
            (
                text("account").unwrap(),
                text("identity"),
                row["current"] == true,
            )
        })
        .collect()
}

fn row(account: &str, identity: &str, current: bool) -> (String, Option<String>, bool) {
    (account.to_owned(), Some(identity.to_owned()), current)
}
