//! What the cookie of a browser gives access to, before and after its sign-ins.

use std::time::Duration;

use llm_auth_testkit::{Approval, Fault, Operation};

use crate::client::{Browser, Page};
use crate::world::World;

fn sessions(page: &Page) -> usize {
    page.text.matches("data-account=").count()
}

/// A browser with one session.
async fn signed_in(world: &World) -> Browser {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    browser.sign_in(one, other).await;
    browser
}

/// Both responses carry a cookie, and the browser keeps the one that arrives last.
pub(crate) async fn two_sign_ins_of_a_browser_overlap(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    let first = browser.begin_code(one).await;
    let second = browser.begin_code(one).await;
    let mut tabs = [Browser::like(&browser), Browser::like(&browser)];
    for (tab, url) in tabs.iter_mut().zip([first, second]) {
        let callback = tab.approve(&url).await;
        let page = tab.get(other, &callback).await;
        assert_eq!((page.status, page.path()), (303, "/"), "{page:?}");
    }
    assert_ne!(tabs[0].cookie, tabs[1].cookie);
    for tab in &mut tabs {
        let page = tab.get(one, "/").await;
        assert_eq!(sessions(&page), 2, "{page:?}");
    }
    // The newest is in use, so the others have ended.
    for old in [&mut tabs[0], &mut browser] {
        let page = old.get(one, "/").await;
        assert_eq!(sessions(&page), 0, "{page:?}");
    }
}

/// The browser goes on with the cookie that it has, until it uses a newer one.
pub(crate) async fn the_response_to_a_sign_in_never_arrives(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    let url = browser.begin_code(one).await;
    let callback = browser.approve(&url).await;
    let mut lost = Browser::like(&browser);
    assert_eq!(lost.get(other, &callback).await.status, 303);

    for at in [one, other] {
        assert_eq!(sessions(&browser.get(at, "/").await), 1);
    }
    let mut before = Browser::like(&browser);
    browser.sign_in(other, one).await;
    assert_ne!(browser.cookie, before.cookie);
    assert_eq!(sessions(&browser.get(one, "/").await), 2);
    for old in [&mut before, &mut lost] {
        assert_eq!(sessions(&old.get(other, "/").await), 0);
    }
}

/// A browser has one cookie for all its tabs.
pub(crate) async fn a_sign_in_goes_on_under_the_next_cookie(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    let first = browser.begin_code(one).await;
    let second = browser.begin_code(one).await;
    for url in [first, second] {
        let callback = browser.approve(&url).await;
        assert_eq!(browser.get(other, &callback).await.status, 303);
        browser.get(one, "/").await;
    }
    assert_eq!(sessions(&browser.get(one, "/").await), 2);
}

/// Once another sign-in is held up at the vendor, this one ends, and its new cookie is used.
async fn overtakes(world: &World, faults: u64, browser: &mut Browser, quick: &str) {
    let [one, _] = &world.instances;
    let server = world.kit.standard();
    server.wait_for(|counters| counters.faults > faults).await;
    assert_eq!(browser.get(one, quick).await.status, 303);
    browser.get(one, "/").await;
}

/// A sign-in under a cookie that has ended meanwhile adds its session to the user's list, and gives
/// the sender of that cookie no access to it.
pub(crate) async fn a_cookie_ends_while_its_sign_in_is_in_progress(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    let slow = browser.begin_code(one).await;
    let quick = browser.begin_code(one).await;
    let mut tab = Browser::like(&browser);
    let (slow, quick) = (browser.approve(&slow).await, browser.approve(&quick).await);
    let server = world.kit.standard();
    let faults = server.counters().faults;
    server.fault(Operation::Exchange, Fault::delay(Duration::from_secs(1)));
    let waiting = tab.get(other, &slow);
    let overtaking = overtakes(world, faults, &mut browser, &quick);
    let (page, ()) = tokio::join!(waiting, overtaking);
    assert_eq!((page.status, page.set_cookie.as_deref()), (303, None));
    assert_eq!(sessions(&browser.get(one, "/").await), 2);
    assert_eq!(sessions(&tab.get(one, "/").await), 0);
}

/// The vendor gives the tokens once.
pub(crate) async fn a_cookie_ends_during_the_last_poll(world: &World) {
    let [one, other] = &world.instances;
    let server = world.kit.standard();
    let mut browser = Browser::new();
    let quick = browser.begin_code(one).await;
    let quick = browser.approve(&quick).await;
    server.set_approval(Approval::Manual);
    let form = format!("csrf={}", browser.get(one, "/").await.csrf());
    let begun = browser.post(one, "/sign-in/device", &form).await;
    assert_eq!(server.approve_all(), 1);
    server.set_approval(Approval::Auto);
    let faults = server.counters().faults;
    let slow = Fault::delay(Duration::from_secs(1)).after();
    server.fault(Operation::Poll, slow);
    let mut tab = Browser::like(&browser);
    let waiting = async {
        let mut page = tab.get(other, begun.path()).await;
        while page.status == 200 {
            page = tab.get(other, begun.path()).await;
        }
        page
    };
    let overtaking = overtakes(world, faults, &mut browser, &quick);
    let (page, ()) = tokio::join!(waiting, overtaking);
    assert_eq!((page.status, page.set_cookie.as_deref()), (303, None));
    assert_eq!(sessions(&browser.get(one, "/").await), 2);
    assert_eq!(sessions(&tab.get(one, "/").await), 0);
}

/// Its sessions stay in the store, and the next user of that browser does not get them.
pub(crate) async fn the_time_of_a_browser_is_over(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = signed_in(world).await;
    let page = browser.get(one, "/").await;
    let account = page.after("data-account=\"").unwrap().to_owned();
    let sql = format!(
        "UPDATE service.browsers SET expires = now() - interval '1 second'
         FROM service.accounts WHERE browsers.user_id = accounts.user_id AND account = '{account}'"
    );
    world.postgres.sql(&sql).await;
    assert_eq!(sessions(&browser.get(one, "/").await), 0);
    browser.sign_in(one, other).await;
    let page = browser.get(other, "/").await;
    assert!(
        sessions(&page) == 1 && !page.text.contains(&account),
        "{page:?}"
    );
}
