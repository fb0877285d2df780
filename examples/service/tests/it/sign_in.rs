//! Sign-ins by both flows, what binds them to a browser, streams, and an end in order.

use rustix::process::Signal;

use crate::ahead;
use crate::client::Browser;
use crate::cookies;
use crate::slow;
use crate::trouble;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn users_sign_in_by_both_flows_chat_and_leave_no_token_behind() {
    let Some(mut world) = World::start().await else {
        return;
    };
    let mut seen = String::new();
    let mut browser = Browser::new();
    a_code_flow_is_bound_to_its_browser(&world, &mut browser, &mut seen).await;
    a_device_flow_goes_on_at_another_instance(&world, &mut browser).await;
    forms_of_other_pages_are_refused(&world, &mut browser).await;
    a_message_streams_and_a_session_ends(&world, &mut browser, &mut seen).await;
    the_database_holds_hashes_and_sealed_values(&world, &browser).await;
    cookies::two_sign_ins_of_a_browser_overlap(&world).await;
    cookies::the_response_to_a_sign_in_never_arrives(&world).await;
    cookies::a_sign_in_goes_on_under_the_next_cookie(&world).await;
    cookies::a_cookie_ends_while_its_sign_in_is_in_progress(&world).await;
    cookies::a_cookie_ends_during_the_last_poll(&world).await;
    cookies::the_time_of_a_browser_is_over(&world).await;
    trouble::an_unreadable_session_hides_no_other_and_can_be_removed(&world).await;
    trouble::a_session_that_the_vendor_has_ended_is_not_shown_as_signed_in(&world).await;
    trouble::a_sign_out_that_the_vendor_does_not_confirm_is_named(&world).await;
    trouble::polls_go_at_the_vendors_pace(&world).await;
    slow::clients_keep_no_place_and_lose_no_sign_in(&world).await;
    let refreshes = ahead::both_instances_refresh_in_time_and_once(&world).await;
    health_and_metrics_are_on_their_own_listener(&world).await;

    let tokens = world.tokens();
    a_stream_ends_before_the_process(&mut world, &mut browser).await;
    for instance in &mut world.instances {
        instance.signal(Signal::TERM);
        let (is_clean, log) = instance.finish();
        assert!(is_clean && log.contains("ended"), "{log}");
        seen.push_str(&log);
    }
    for token in tokens {
        assert!(!seen.contains(&token), "{seen}");
    }
    // And one for the stream, whose token the vendor had expired.
    assert_eq!(world.kit.standard().counters().refreshes, refreshes + 1);
    assert_eq!(world.kit.standard().violations(), Vec::<String>::new());
}

async fn a_code_flow_is_bound_to_its_browser(
    world: &World,
    browser: &mut Browser,
    seen: &mut String,
) {
    let [one, other] = &world.instances;
    let url = browser.begin_code(one).await;
    let before = browser.cookie.clone();
    let callback = browser.approve(&url).await;
    assert!(callback.starts_with("/callback?"), "{callback}");
    let exchanges = || world.kit.standard().counters().exchanges;

    // Another browser's, with a sign-in of its own and without one.
    let mut thief = Browser::new();
    assert_eq!(thief.get(other, &callback).await.status, 403);
    thief.begin_code(one).await;
    let page = thief.get(other, &callback).await;
    assert_eq!(page.status, 403, "{page:?}");
    // A state of no sign-in, a second one, and none.
    for wrong in [
        "/callback?code=made-up&state=made-up".to_owned(),
        format!("{callback}&state=made-up"),
        "/callback".to_owned(),
    ] {
        assert_eq!(browser.get(other, &wrong).await.status, 403, "{wrong}");
    }
    assert_eq!(exchanges(), 0);

    // Its own browser's, once, at the other instance, and with a new cookie after it.
    let page = browser.get(other, &callback).await;
    assert_eq!((page.status, page.path()), (303, "/"), "{page:?}");
    assert_ne!(browser.cookie, before);
    let cookie = page.set_cookie.unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(browser.get(other, &callback).await.status, 403);
    assert_eq!(exchanges(), 1);
    let page = browser.get(one, "/").await;
    let mut old = Browser::new();
    old.cookie = before;
    let words = old.get(one, "/").await.text;
    assert!(words.contains("You are not signed in"), "{words}");
    assert!(
        page.text
            .contains("signed in; the access token is good until"),
        "{page:?}"
    );
    seen.push_str(&page.text);
}

async fn a_device_flow_goes_on_at_another_instance(world: &World, browser: &mut Browser) {
    let [one, other] = &world.instances;
    let server = world.kit.standard();
    server.set_approval(llm_auth_testkit::Approval::Manual);
    let csrf = browser.get(one, "/").await.csrf();
    let begun = browser
        .post(one, "/sign-in/device", &format!("csrf={csrf}"))
        .await;
    let address = begun.path().to_owned();
    let code = server.pending_user_codes().remove(0);
    let page = browser.get(other, &address).await;
    assert!(page.status == 200 && page.text.contains(&code), "{page:?}");
    assert_eq!(Browser::new().get(one, &address).await.status, 403);
    assert!(server.approve(&code));
    // Each request of the page may find that another poll has been a moment ago.
    let mut page = browser.get(one, &address).await;
    for _ in 0..1000 {
        if page.status != 200 {
            break;
        }
        page = browser.get(one, &address).await;
    }
    assert_eq!((page.status, page.path()), (303, "/"), "{page:?}");
    assert_eq!(server.counters().too_fast, 0);
    let page = browser.get(other, "/").await;
    assert_eq!(page.text.matches("data-account=").count(), 2, "{page:?}");
    server.set_approval(llm_auth_testkit::Approval::Auto);
}

async fn forms_of_other_pages_are_refused(world: &World, browser: &mut Browser) {
    let [one, _] = &world.instances;
    let page = browser.get(one, "/").await;
    let account = page.after("data-account=\"").unwrap().to_owned();
    let mut thief = Browser::new();
    let foreign = thief.get(one, "/").await.csrf();
    let chats = || world.kit.standard().counters().chats_ok;
    let before = chats();
    for path in ["/sign-in/code", "/sign-in/device", "/sign-out", "/chat"] {
        let form = format!("csrf={foreign}&account={account}&message=hello");
        let page = browser.post(one, path, &form).await;
        assert_eq!(page.status, 403, "{path}: {page:?}");
    }
    // A form of its own, with the session of another user.
    for path in ["/sign-out", "/chat"] {
        let form = format!("csrf={foreign}&account={account}&message=hello");
        assert_eq!(thief.post(one, path, &form).await.status, 404, "{path}");
    }
    let long = format!("csrf={}&message={}", page.csrf(), "x".repeat(70_000));
    assert_eq!(browser.post(one, "/chat", &long).await.status, 413);
    assert_eq!(chats(), before);
}

async fn a_message_streams_and_a_session_ends(
    world: &World,
    browser: &mut Browser,
    seen: &mut String,
) {
    let [one, other] = &world.instances;
    let page = browser.get(one, "/").await;
    let (csrf, account) = (
        page.csrf(),
        page.after("data-account=\"").unwrap().to_owned(),
    );
    let form = format!("csrf={csrf}&account={account}&message=hello");
    for at in [one, other] {
        let page = browser.post(at, "/chat", &form).await;
        assert!(
            page.status == 200 && page.text.contains("data:"),
            "{page:?}"
        );
        assert!(page.text.contains("[DONE]"), "{page:?}");
        seen.push_str(&page.text);
    }
    // The API refuses the token of both; one refresh gives both a new one.
    let server = world.kit.standard();
    server.expire_access_tokens();
    for at in [one, other] {
        assert_eq!(browser.post(at, "/chat", &form).await.status, 200);
    }
    assert_eq!(server.counters().refreshes, 1);
    let ended = browser.post(other, "/sign-out", &form).await;
    assert_eq!(ended.status, 303, "{ended:?}");
    assert_eq!(server.counters().revocations, 1);
    assert_eq!(browser.post(one, "/chat", &form).await.status, 404);
    let page = browser.get(one, "/").await;
    assert_eq!(page.text.matches("data-account=").count(), 1, "{page:?}");
}

async fn the_database_holds_hashes_and_sealed_values(world: &World, browser: &Browser) {
    let sql = "SELECT string_agg(t::text, ' ') FROM (SELECT s::text FROM llm_auth.sessions s
        UNION ALL SELECT b::text FROM service.browsers b
        UNION ALL SELECT s::text FROM service.sign_ins s
        UNION ALL SELECT a::text FROM service.accounts a) AS t";
    let rows = world.postgres.sql(sql).await.remove(0);
    let cookie = browser
        .cookie
        .as_deref()
        .unwrap()
        .split_once('=')
        .unwrap()
        .1;
    let mut hidden = world.tokens();
    hidden.push(cookie.to_owned());
    for secret in hidden {
        let bytes = secret.bytes();
        let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
        assert!(!rows.contains(&secret) && !rows.contains(&hex), "{secret}");
    }
}

async fn health_and_metrics_are_on_their_own_listener(world: &World) {
    let [one, other] = &world.instances;
    let mut browser = Browser::new();
    let mut metrics = String::new();
    for instance in [one, other] {
        let live = browser
            .visit(&format!("{}/health/live", instance.admin))
            .await;
        assert_eq!(live.status, 200);
        let page = browser.visit(&format!("{}/metrics", instance.admin)).await;
        metrics.push_str(&page.text);
        // The public listener has neither.
        assert_eq!(browser.get(instance, "/metrics").await.status, 404);
    }
    for name in [
        "llm_auth_sessions ",
        "llm_auth_refreshes_total{provider=\"standard\"}",
        "service_sign_ins_total",
        "service_requests_total{route=\"/chat\",status=\"200\"}",
        "service_request_seconds_bucket",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
}

/// Ends the first instance while a stream is in progress there.
async fn a_stream_ends_before_the_process(world: &mut World, browser: &mut Browser) {
    use llm_auth_testkit::{Fault, Operation};

    let [one, _] = &world.instances;
    let page = browser.get(one, "/").await;
    let (csrf, account) = (page.csrf(), page.after("data-account=\"").unwrap());
    let form = format!("csrf={csrf}&account={account}&message=hello");
    let server = world.kit.standard();
    server.fault(Operation::Chat, Fault::hold_stream(1));
    let streaming = browser.post(one, "/chat", &form);
    let end = async {
        server.wait_for(|counters| counters.streams_held > 0).await;
        one.signal(Signal::TERM);
        let mut asking = Browser::new();
        // It says so until it has ended.
        while asking
            .visit(&format!("{}/health/ready", one.admin))
            .await
            .status
            == 200
        {}
        server.release_streams();
    };
    let (page, ()) = tokio::join!(streaming, end);
    assert!(page.text.contains("[DONE]"), "{page:?}");
}
