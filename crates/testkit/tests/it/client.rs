//! A client that does exactly what a test tells it to.

use std::time::Duration;

use llm_auth_testkit::{Approval, Testkit};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, redirect::Policy};
use serde_json::Value;

/// The pair of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) type Fields<'a> = Vec<(&'a str, &'a str)>;

/// Approves everything; an interval of zero makes no poll too fast.
pub(crate) async fn automatic() -> Testkit {
    let builder = Testkit::builder().approval(Approval::Auto);
    builder.interval(Duration::ZERO).start().await.unwrap()
}

/// A client without a name.
pub(crate) fn http() -> ClientBuilder {
    // All requests go to loopback, but the client requires a TLS provider all the same.
    let _there_already = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

pub(crate) fn request(kit: &Testkit, method: Method, path: &str) -> RequestBuilder {
    let client = http().user_agent("testkit-test/1").redirect(Policy::none());
    let client = client.build().unwrap();
    client.request(method, format!("{}{path}", kit.base_url()))
}

pub(crate) fn post(kit: &Testkit, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
    request(kit, Method::POST, path).form(form)
}

/// Status and JSON body (`null` if there is none).
pub(crate) async fn send(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

pub(crate) async fn ask(kit: &Testkit, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    send(post(kit, path, form)).await
}

/// The form with one field replaced, added, or (without a value) taken out.
pub(crate) fn with<'a>(form: &Fields<'a>, name: &'a str, value: Option<&'a str>) -> Fields<'a> {
    let kept = form.iter().copied().filter(|(seen, _)| *seen != name);
    kept.chain(value.map(|value| (name, value))).collect()
}

pub(crate) fn text(body: &Value, field: &str) -> String {
    body[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field} in {body}"))
        .to_owned()
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or("", |v| v.to_str().unwrap()).to_owned()
}

/// The value of a hidden field of a page.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = page.split_once(&start).unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}
