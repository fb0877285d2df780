//! Sessions that are broken or over, and vendors that respond with errors.

use llm_auth_testkit::{Approval, Fault, Operation};
use serde_json::json;

use crate::client::{Browser, Page};
use crate::world::World;

/// What the page says of a session, without its forms.
fn words<'a>(page: &'a Page, account: &str) -> &'a str {
    let from = format!("data-account=\"{account}\">");
    let item = page.text.split(&from).nth(1).unwrap();
    item.split('<').next().unwrap()
}

fn accounts(page: &Page) -> Vec<String> {
    let items = page.text.split("data-account=\"").skip(1);
    items
        .map(|item| item.split('"').next().unwrap().to_owned())
        .collect()
}

/// A browser with two sessions, and its page.
async fn two_sessions(world: &World) -> (Browser, Page) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    browser.sign_in(one, other).await;
    browser.sign_in(other, one).await;
    let page = browser.get(one, "/").await;
    (browser, page)
}

pub(crate) async fn an_unreadable_session_hides_no_other_and_can_be_removed(world: &World) {
    let [one, other] = &world.instances;
    let (mut browser, page) = two_sessions(world).await;
    let [broken, whole] = accounts(&page).try_into().unwrap();
    let sql = format!(
        "UPDATE llm_auth.sessions SET sealed = 'made up' WHERE account = '{broken}' RETURNING 1"
    );
    assert_eq!(world.postgres.sql(&sql).await.len(), 1);
    let page = browser.get(other, "/").await;
    assert!(words(&page, &broken).contains("cannot be read"), "{page:?}");
    assert!(words(&page, &whole).contains("signed in; "), "{page:?}");
    let form = format!("csrf={}&account={broken}", page.csrf());
    let page = browser.post(other, "/sign-out", &form).await;
    assert_eq!(page.status, 303, "{page:?}");
    assert_eq!(accounts(&browser.get(one, "/").await), [whole]);
}

pub(crate) async fn a_session_that_the_vendor_has_ended_is_not_shown_as_signed_in(world: &World) {
    let [one, _] = &world.instances;
    let (mut browser, page) = two_sessions(world).await;
    let [over, good] = accounts(&page).try_into().unwrap();
    let server = world.kit.standard();
    server.expire_access_tokens();
    let refused = Fault::response(400, json!({"error": "invalid_grant"}).to_string());
    server.fault(Operation::Refresh, refused);
    for (account, status) in [(&over, 401), (&good, 200)] {
        let form = format!("csrf={}&account={account}&message=hello", page.csrf());
        let page = browser.post(one, "/chat", &form).await;
        assert_eq!(page.status, status, "{page:?}");
    }
    let page = browser.get(one, "/").await;
    assert!(words(&page, &over).contains("has ended"), "{page:?}");
    assert!(words(&page, &good).contains("signed in; "), "{page:?}");
}

pub(crate) async fn a_sign_out_that_the_vendor_does_not_confirm_is_named(world: &World) {
    let [one, _] = &world.instances;
    let (mut browser, page) = two_sessions(world).await;
    let [first, second] = accounts(&page).try_into().unwrap();
    let server = world.kit.standard();
    let faults = server.counters().faults;
    server.fault(Operation::Revocation, Fault::response(403, ""));
    let form = format!("csrf={}&account={first}", page.csrf());
    let page = browser.post(one, "/sign-out", &form).await;
    assert_eq!(server.counters().faults, faults + 1);
    assert!(
        page.status == 200 && page.text.contains("did not confirm"),
        "{page:?}"
    );
    assert_eq!(accounts(&browser.get(one, "/").await), [second]);
}

/// The pause between polls in whole seconds, and whether the next one waits for as long as the vendor
/// has asked.
pub(crate) async fn polls_go_at_the_vendors_pace(world: &World) {
    let [one, other] = &world.instances;
    let server = world.kit.standard();
    server.set_approval(Approval::Manual);
    let mut browser = Browser::new();
    let csrf = browser.get(one, "/").await.csrf();
    let form = format!("csrf={csrf}");
    let slower = json!({"error": "slow_down", "interval": 2}).to_string();
    let later = Fault::response(429, "").header("Retry-After", "30");
    let cases = [
        (Fault::response(400, slower), 200, "5"),
        (later, 200, "0, asked"),
        (Fault::response(503, ""), 200, "0"),
        (Fault::response(200, "made up"), 502, ""),
    ];
    for (fault, status, expected) in cases {
        let begun = browser.post(one, "/sign-in/device", &form).await;
        let faults = server.counters().faults;
        let name = format!("{fault:?}");
        server.fault(Operation::Poll, fault);
        let mut page = browser.get(other, begun.path()).await;
        while server.counters().faults == faults {
            page = browser.get(other, begun.path()).await;
        }
        assert_eq!(page.status, status, "{name}: {page:?}");
        let sql = "SELECT floor(pause) || CASE WHEN poll_at > now() + interval '10 seconds' THEN ', asked' ELSE '' END
            FROM service.sign_ins WHERE browser = (SELECT id FROM service.browsers
            ORDER BY number DESC LIMIT 1)";
        let found = world.postgres.sql(sql).await.concat();
        assert_eq!(found, expected, "{name}");
        world.postgres.sql("DELETE FROM service.sign_ins").await;
    }
    server.set_approval(Approval::Auto);
}
